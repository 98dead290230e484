/* SPDX-License-Identifier: MIT */
/* Key check values of secret keys (PKCS#11 v3.1 §4.10.2). */
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <string.h>

/* The first bytes of a block of zeros under the key. */
static kvp_status check_aes(const void *key, size_t len, uint8_t ret[KVP_CHECK_VALUE_LEN])
{
    KVP_OSSL_SCOPE;
    static const uint8_t zeros[16];
    const char *name = len == 16 ? "AES-128-ECB" : len == 24 ? "AES-192-ECB" : "AES-256-ECB";
    EVP_CIPHER *cipher = kvp_ossl_ctx() ? EVP_CIPHER_fetch(kvp_ossl_ctx(), name, NULL) : NULL;
    EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
    uint8_t block[32];
    int out = 0;
    bool done = ctx && EVP_EncryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, block, &out, zeros, sizeof(zeros)) == 1 && out == 16;

    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    if (!done)
        return kvp_crypto_failed(NULL, "a key check value");
    memcpy(ret, block, KVP_CHECK_VALUE_LEN);
    return KVP_OK;
}

kvp_status kvp_check_value(bool aes, const void *key, size_t len, uint8_t ret[KVP_CHECK_VALUE_LEN])
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    kvp_status st;

    if (aes)
        return len == 16 || len == 24 || len == 32 ? check_aes(key, len, ret) : KVP_ERR_INVALID;
    st = kvp_digest_once(KVP_HASH_SHA1, key, len, digest);
    if (st == KVP_OK)
        memcpy(ret, digest, KVP_CHECK_VALUE_LEN);
    return st;
}
