/* SPDX-License-Identifier: MIT */
/* Sealing: AES-256-GCM with a random nonce of 96 bits; fewer than 2^32 rows keep it safe. */
#include "vaultd/seal.h"

#include "vaultd/engine.h"

#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#define NONCE 12
#define TAG 16

KVP_DEFINE_FREEP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);

kvp_status kvp_seal_close(const kvp_seal *seal, const char *belongs_to, const void *plain,
                          size_t len, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *out = kvp_buf_reserve(ret, NONCE + len + TAG);
    int aad_done = 0, done = 0, last = 0;

    if (!ctx || !out)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "sealing");
    if (RAND_bytes(out, NONCE) != 1 ||
        EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), seal->key, out, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &aad_done, (const unsigned char *)belongs_to,
                          (int)strlen(belongs_to)) != 1 ||
        EVP_EncryptUpdate(ctx, out + NONCE, &done, plain, (int)len) != 1 ||
        EVP_EncryptFinal_ex(ctx, out + NONCE + done, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + NONCE + len) != 1)
        return kvp_engine_failed(reterr, "sealing");
    ret->len += NONCE + len + TAG;
    return KVP_OK;
}

kvp_status kvp_seal_open(const kvp_seal *seal, const char *belongs_to, const void *sealed,
                         size_t len, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const uint8_t *in = sealed;
    uint8_t tag[TAG];
    int aad_done = 0, done = 0, last = 0;

    if (len < NONCE + TAG)
        return kvp_error_set(reterr, KVP_ERR_MISMATCH, "stored key material is too short");
    size_t plain_len = len - NONCE - TAG;
    uint8_t *out = kvp_buf_reserve(ret, plain_len + 1);
    if (!ctx || !out)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "unsealing");
    memcpy(tag, in + NONCE + plain_len, TAG);
    if (EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), seal->key, in, NULL) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &aad_done, (const unsigned char *)belongs_to,
                          (int)strlen(belongs_to)) != 1 ||
        EVP_DecryptUpdate(ctx, out, &done, in + NONCE, (int)plain_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1)
        return kvp_engine_failed(reterr, "unsealing");
    if (EVP_DecryptFinal_ex(ctx, out + done, &last) != 1) {
        kvp_wipe(out, plain_len);
        ERR_clear_error();
        return kvp_error_set(
            reterr, KVP_ERR_MISMATCH,
            "stored key material does not open: it was sealed with another storage "
            "key, moved or changed");
    }
    ret->len += plain_len;
    return KVP_OK;
}
