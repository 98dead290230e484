/* SPDX-License-Identifier: MIT */
/* Growing buffers with a named maximum; see buf.h. */
#include "base/buf.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void kvp_wipe(void *data, size_t len)
{
    if (data && len)
        explicit_bzero(data, len);
}

bool kvp_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t diff = 0;

    for (size_t i = 0; i < len; i++)
        diff |= x[i] ^ y[i];
    return diff == 0;
}

void kvp_buf_clear(kvp_buf *buf)
{
    if (!buf)
        return;
    if (buf->secret)
        kvp_wipe(buf->data, buf->size);
    kvp_free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->size = 0;
}

/* Grow so that @extra bytes and a NUL fit behind len. A secret buffer is copied, never realloc'ed:
 * realloc would leave the old bytes in freed memory. */
static kvp_status grow(kvp_buf *buf, size_t extra)
{
    size_t max = buf->max ? buf->max : KVP_BUF_MAX_DEFAULT;
    size_t need, size;
    uint8_t *data;

    if (extra > max || buf->len > max - extra)
        return KVP_ERR_TOO_LARGE;
    need = buf->len + extra + 1;
    if (need <= buf->size)
        return KVP_OK;
    size = buf->size ? buf->size : 64;
    while (size < need)
        size *= 2;
    if (!buf->secret) {
        data = kvp_realloc(buf->data, size);
        if (!data)
            return KVP_ERR_NO_MEMORY;
    } else {
        data = kvp_calloc(1, size);
        if (!data)
            return KVP_ERR_NO_MEMORY;
        if (buf->data) {
            memcpy(data, buf->data, buf->len);
            kvp_wipe(buf->data, buf->size);
            kvp_free(buf->data);
        }
    }
    buf->data = data;
    buf->size = size;
    buf->data[buf->len] = '\0';
    return KVP_OK;
}

uint8_t *kvp_buf_reserve(kvp_buf *buf, size_t extra)
{
    return grow(buf, extra) == KVP_OK ? buf->data + buf->len : NULL;
}

kvp_status kvp_buf_append(kvp_buf *buf, const void *data, size_t len)
{
    kvp_status st = grow(buf, len);

    if (st != KVP_OK)
        return st;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return KVP_OK;
}

kvp_status kvp_buf_append_str(kvp_buf *buf, const char *s)
{
    return kvp_buf_append(buf, s, strlen(s));
}

kvp_status kvp_buf_append_fmt(kvp_buf *buf, const char *fmt, ...)
{
    va_list args;
    kvp_status st;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return KVP_ERR_INTERNAL;
    st = grow(buf, (size_t)len);
    if (st != KVP_OK)
        return st;
    va_start(args, fmt);
    vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
    return KVP_OK;
}

kvp_status kvp_buf_set(kvp_buf *buf, const void *data, size_t len)
{
    kvp_buf fresh = { NULL, 0, 0, buf->max, buf->secret };
    kvp_status st = kvp_buf_append(&fresh, data, len);

    if (st != KVP_OK)
        return st;
    kvp_buf_clear(buf);
    *buf = fresh;
    return KVP_OK;
}

const char *kvp_buf_str(const kvp_buf *buf)
{
    return buf->data ? (const char *)buf->data : "";
}

void kvp_buf_take(kvp_buf *dst, kvp_buf *src)
{
    size_t max = src->max;

    if (dst == src)
        return;
    kvp_buf_clear(dst);
    *dst = *src;
    *src = (kvp_buf){ NULL, 0, 0, max, src->secret };
}
