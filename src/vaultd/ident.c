/* SPDX-License-Identifier: MIT */
/* Identifiers: made from random numbers, checked without the locale. */
#include "vaultd/ident.h"

#include "base/buf.h"
#include "base/clock.h"
#include "jwk/base64url.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void kvp_ident_hex(const uint8_t *data, size_t len, char *dst)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        dst[2 * i] = digits[data[i] >> 4];
        dst[2 * i + 1] = digits[data[i] & 15];
    }
    dst[2 * len] = '\0';
}

kvp_status kvp_ident_uuid(char dst[KVP_UUID_SIZE])
{
    uint8_t b[16];

    /* One is made for every request: the kernel's numbers cost a fifth of OpenSSL's generator's. */
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b) && RAND_bytes(b, sizeof(b)) != 1)
        return KVP_ERR_CRYPTO;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 9562 §5.4: version and variant */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(dst, KVP_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
    return KVP_OK;
}

kvp_status kvp_ident_version(char dst[KVP_VERSION_SIZE])
{
    uint8_t b[16];

    if (RAND_bytes(b, sizeof(b)) != 1)
        return KVP_ERR_CRYPTO;
    kvp_ident_hex(b, sizeof(b), dst);
    return KVP_OK;
}

kvp_status kvp_ident_secret(char dst[KVP_SECRET_SIZE])
{
    uint8_t b[32];
    kvp_buf text = KVP_BUF_INIT_SECRET(KVP_SECRET_SIZE * 2);
    kvp_status status = KVP_ERR_CRYPTO;

    if (RAND_priv_bytes(b, sizeof(b)) == 1)
        status = kvp_base64url_encode(b, sizeof(b), &text);
    if (status == KVP_OK)
        memcpy(dst, text.data, KVP_SECRET_SIZE);
    kvp_wipe(b, sizeof(b));
    kvp_buf_clear(&text);
    return status;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool kvp_ident_is_uuid(const char *s)
{
    if (!s || strlen(s) != KVP_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < KVP_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !is_hex(s[i]))
            return false;
    }
    return true;
}

bool kvp_ident_is_version(const char *s)
{
    size_t len = 0;

    while (is_hex(s[len]))
        len++;
    return s[len] == '\0' && len == KVP_VERSION_SIZE - 1;
}

bool kvp_ident_is_name(const char *s)
{
    size_t len = 0;

    for (; s[len]; len++) {
        char c = s[len];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-'))
            return false;
    }
    return len >= 1 && len <= KVP_NAME_MAX;
}

kvp_status kvp_ident_digest(const char *text, uint8_t ret[32])
{
    unsigned len = 0;

    if (EVP_Digest(text, strlen(text), ret, &len, EVP_sha256(), NULL) != 1 || len != 32)
        return KVP_ERR_CRYPTO;
    return KVP_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int kvp_ident_casecmp(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)lower(*a) - (unsigned char)lower(*b);
}

void kvp_ident_lower(char *dst, size_t dst_size, const char *src)
{
    size_t i = 0;

    for (; src[i] && i + 1 < dst_size; i++)
        dst[i] = lower(src[i]);
    dst[i] = '\0';
}

int64_t kvp_ident_now(void)
{
    return kvp_clock_wall_us() / 1000000;
}
