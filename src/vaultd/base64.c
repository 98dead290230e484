/* SPDX-License-Identifier: MIT */
/* base64url (RFC 4648 §5), strict, as the service reads and writes binary members. */
#include "jwk/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

kvp_status kvp_base64url_encode(const void *data, size_t len, kvp_buf *ret)
{
    const uint8_t *in = data;
    size_t text_len = len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
    uint8_t *out = kvp_buf_reserve(ret, text_len);
    uint32_t bits = 0;
    unsigned held = 0;

    if (!out)
        return KVP_ERR_NO_MEMORY;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (held += 8; held >= 6; held -= 6)
            *out++ = (uint8_t)alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *out++ = (uint8_t)alphabet[bits << (6 - held) & 63];
    ret->len += text_len;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

kvp_status kvp_base64url_decode(const char *text, size_t len, kvp_buf *ret)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t size = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);

    if (len % 4 == 1)
        return KVP_ERR_PARSE;
    for (size_t i = 0; i < len; i++) {
        if (value_of(text[i]) < 0)
            return KVP_ERR_PARSE;
    }
    if (len % 4 == 2 && (value_of(text[len - 1]) & 15))
        return KVP_ERR_PARSE;
    if (len % 4 == 3 && (value_of(text[len - 1]) & 3))
        return KVP_ERR_PARSE;
    uint8_t *out = kvp_buf_reserve(ret, size);
    if (!out)
        return KVP_ERR_NO_MEMORY;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 6 | (uint32_t)value_of(text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    ret->len += size;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}
