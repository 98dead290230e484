/* SPDX-License-Identifier: MIT */
/*
 * The two base64 alphabets (RFC 4648 §4 and §5). Decoding is strict, because whatever a lenient
 * decoder accepts comes in more than one spelling; the rules stand in base64url.h.
 */
#include "jwk/base64url.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static kvp_status encode(const char *alphabet, bool padded, const uint8_t *in, size_t len,
                         kvp_buf *ret)
{
    size_t left = len, out_len;
    uint8_t *out;

    if (len > SIZE_MAX / 2)
        return KVP_ERR_TOO_LARGE;
    out_len = padded ? (len + 2) / 3 * 4 : len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
    if (out_len > (ret->max ? ret->max : KVP_BUF_MAX_DEFAULT) - ret->len)
        return KVP_ERR_TOO_LARGE;
    out = kvp_buf_reserve(ret, out_len);
    if (!out)
        return KVP_ERR_NO_MEMORY;
    for (; left >= 3; left -= 3, in += 3) {
        *out++ = (uint8_t)alphabet[in[0] >> 2];
        *out++ = (uint8_t)alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        *out++ = (uint8_t)alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        *out++ = (uint8_t)alphabet[in[2] & 63];
    }
    if (left) {
        unsigned second = left == 2 ? in[1] : 0;

        *out++ = (uint8_t)alphabet[in[0] >> 2];
        *out++ = (uint8_t)alphabet[(in[0] & 3U) << 4 | second >> 4];
        if (left == 2)
            *out++ = (uint8_t)alphabet[(second & 15U) << 2];
        for (size_t pad = left; padded && pad < 3; pad++)
            *out++ = '=';
    }
    ret->len += out_len;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

/* The six bits that @c stands for, or -1. */
static int sextet(char c, char c62, char c63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == c62 ? 62 : c == c63 ? 63 : -1;
}

/* Decode @len characters without padding, of either alphabet; line breaks pass if @breaks. What is
 * written stays within @most: four characters make three bytes, and of a rest only whole bytes
 * count. */
static kvp_status decode(const char *text, size_t len, char c62, char c63, bool breaks,
                         kvp_buf *ret)
{
    size_t old_len = ret->len, most = len / 4 * 3 + len % 4 * 3 / 4;
    uint32_t bits = 0;
    unsigned have = 0;
    uint8_t *out;

    if (most > (ret->max ? ret->max : KVP_BUF_MAX_DEFAULT) - ret->len)
        return KVP_ERR_TOO_LARGE;
    out = kvp_buf_reserve(ret, most);
    if (!out)
        return KVP_ERR_NO_MEMORY;
    for (size_t i = 0; i < len; i++) {
        int six;

        if (breaks && (text[i] == '\n' || text[i] == '\r'))
            continue;
        six = sextet(text[i], c62, c63);
        if (six < 0)
            goto malformed;
        bits = bits << 6 | (uint32_t)six;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *out++ = (uint8_t)(bits >> have);
        }
    }
    /* Six bits over are a character too many; two or four are the low bits of the last one. */
    if (have == 6 || (bits & ((1U << have) - 1)) != 0)
        goto malformed;
    ret->len = (size_t)(out - ret->data);
    ret->data[ret->len] = '\0';
    return KVP_OK;

malformed:
    kvp_wipe(ret->data + old_len, (size_t)(out - (ret->data + old_len)));
    ret->data[old_len] = '\0';
    return KVP_ERR_PARSE;
}

kvp_status kvp_base64url_encode(const void *data, size_t len, kvp_buf *ret)
{
    return encode(url_safe, false, data, len, ret);
}

kvp_status kvp_base64url_decode(const char *text, size_t len, kvp_buf *ret)
{
    return decode(text, len, '-', '_', false, ret);
}

kvp_status kvp_base64_encode(const void *data, size_t len, kvp_buf *ret)
{
    return encode(standard, true, data, len, ret);
}

kvp_status kvp_base64_decode(const char *text, size_t len, kvp_buf *ret)
{
    size_t chars = 0, end = len, pad = 0;

    for (size_t i = 0; i < len; i++)
        chars += text[i] != '\n' && text[i] != '\r';
    if (chars % 4 != 0)
        return KVP_ERR_PARSE;
    for (size_t i = len; i-- > 0 && pad < 2;) {
        if (text[i] == '\n' || text[i] == '\r')
            continue;
        if (text[i] != '=')
            break;
        end = i;
        pad++;
    }
    return decode(text, end, '+', '/', true, ret);
}
