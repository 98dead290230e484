/* SPDX-License-Identifier: MIT */
/*
 * Error bodies: the vault's (wire reference, section 9), the token endpoint's (RFC 6749 §5.2), and
 * those of gateways, which are no JSON at all. Whatever comes ends up as printable text in one
 * line.
 */
#include "jwk/internal.h"

#include <string.h>

/* How many bytes the UTF-8 sequence at @s has, 0 if it is none, as far as telling text from noise
 * needs. */
static size_t sequence_len(const char *s, size_t left)
{
    unsigned char c = (unsigned char)s[0];
    size_t len = c < 0x80                ? 1
                 : c >= 0xc2 && c < 0xe0 ? 2
                 : c >= 0xe0 && c < 0xf0 ? 3
                 : c >= 0xf0 && c < 0xf5 ? 4
                                         : 0;

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Copy at most @size - 1 bytes: runs of blanks and line breaks become one blank, no control
 * character (C1 included) and no half of a character remains. */
static void copy_line(char *dst, size_t size, const char *src, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)src[i];
        size_t n = sequence_len(src + i, len - i);

        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            i++;
            if (out == 0 || dst[out - 1] == ' ')
                continue;
            if (out + 1 >= size)
                break;
            dst[out++] = ' ';
            continue;
        }
        if (out + (n ? n : 1) >= size)
            break;
        if (n == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)src[i + 1] < 0xa0))
            dst[out++] = '?';
        else
            for (size_t k = 0; k < n; k++)
                dst[out++] = src[i + k];
        i += n ? n : 1;
    }
    while (out > 0 && dst[out - 1] == ' ')
        out--;
    dst[out] = '\0';
}

static void copy_member(const json_t *object, const char *name, char *dst, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text)
        copy_line(dst, size, text, strlen(text));
}

void kvp_jwk_parse_error(const char *body, size_t len, kvp_error *reterr)
{
    json_auto_t *root = NULL;
    const json_t *error;

    if (!reterr || !body || len == 0)
        return;
    if (kvp_json_load(body, len, &root, NULL) != KVP_OK) {
        copy_line(reterr->message, sizeof(reterr->message), body, len);
        return;
    }
    error = json_object_get(root, "error");
    if (json_is_object(error)) {
        copy_member(error, "code", reterr->code, sizeof(reterr->code));
        copy_member(error, "message", reterr->message, sizeof(reterr->message));
        copy_member(json_object_get(error, "innererror"), "code", reterr->inner_code,
                    sizeof(reterr->inner_code));
    } else if (json_is_string(error)) {
        copy_member(root, "error", reterr->code, sizeof(reterr->code));
        copy_member(root, "error_description", reterr->message, sizeof(reterr->message));
    } else {
        copy_line(reterr->message, sizeof(reterr->message), body, len);
    }
}
