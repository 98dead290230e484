/* SPDX-License-Identifier: MIT */
/* Filling and naming kvp_error. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
#define NAME(s) [s] = #s
    NAME(KVP_OK),          NAME(KVP_ERR_NO_MEMORY), NAME(KVP_ERR_INVALID),  NAME(KVP_ERR_PARSE),
    NAME(KVP_ERR_TOO_LARGE), NAME(KVP_ERR_NOT_FOUND), NAME(KVP_ERR_CONFIG), NAME(KVP_ERR_IO),
    NAME(KVP_ERR_NETWORK), NAME(KVP_ERR_TLS),       NAME(KVP_ERR_TIMEOUT),  NAME(KVP_ERR_HTTP),
    NAME(KVP_ERR_AUTH),    NAME(KVP_ERR_REFUSED),   NAME(KVP_ERR_UNSUPPORTED),
    NAME(KVP_ERR_CRYPTO),  NAME(KVP_ERR_MISMATCH),  NAME(KVP_ERR_CLOSED),   NAME(KVP_ERR_INTERNAL),
#undef NAME
};

_Static_assert(KVP_ARRAY_LEN(status_names) == KVP_STATUS_COUNT, "every status has its name");

const char *kvp_status_name(kvp_status status)
{
    if ((size_t)status >= KVP_ARRAY_LEN(status_names))
        return "KVP_ERR_INTERNAL";
    return status_names[status];
}

void kvp_error_clear(kvp_error *error)
{
    if (error)
        memset(error, 0, sizeof(*error));
}

kvp_status kvp_error_set(kvp_error *error, kvp_status status, const char *fmt, ...)
{
    va_list args;

    if (error) {
        kvp_error_clear(error);
        error->status = status;
        va_start(args, fmt);
        vsnprintf(error->message, sizeof(error->message), fmt, args);
        va_end(args);
    }
    return status;
}

void kvp_error_prefix(kvp_error *error, const char *fmt, ...)
{
    char old[sizeof(error->message)];
    va_list args;
    int len;

    if (!error)
        return;
    memcpy(old, error->message, sizeof(old));
    va_start(args, fmt);
    len = vsnprintf(error->message, sizeof(error->message), fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof(error->message))
        snprintf(error->message + len, sizeof(error->message) - (size_t)len, "%s", old);
}

void kvp_copy_printable(char *dst, size_t dst_size, const char *src)
{
    size_t i = 0;

    if (dst_size == 0)
        return;
    for (; src && src[i] && i + 1 < dst_size; i++) {
        unsigned char c = (unsigned char)src[i];
        dst[i] = (c < 0x20 || c == 0x7f) ? '?' : (char)c;
    }
    dst[i] = '\0';
}
