/* SPDX-License-Identifier: MIT */
/* Encryption and key wrapping (wire reference, section 5.2). */
#include "vaultd/engine.h"

#include "vaultd/token_hsm.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define AES_BLOCK 16
#define GCM_IV 12
#define GCM_TAG 16

KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
KVP_DEFINE_FREEP(EVP_CIPHER, EVP_CIPHER_free);
KVP_DEFINE_FREEP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);

void kvp_engine_extra_clear(kvp_engine_extra *extra)
{
    kvp_buf_clear(&extra->iv);
    kvp_buf_clear(&extra->aad);
    kvp_buf_clear(&extra->tag);
}

static kvp_status bad_length(kvp_error *reterr, const kvp_algorithm *alg, const char *member,
                             size_t len, const char *rule)
{
    return kvp_error_set(reterr, KVP_ERR_INVALID, "Invalid length of '%s': %zu bytes. %s %s.",
                         member, len, alg->name, rule);
}

static kvp_status mismatch(kvp_error *reterr)
{
    ERR_clear_error();
    return kvp_error_set(reterr, KVP_ERR_MISMATCH, "the value cannot be decrypted");
}

static bool rsa_configure(EVP_PKEY_CTX *ctx, const kvp_algorithm *alg)
{
    unsigned off = 0;
    OSSL_PARAM explicit_rejection[] = {
        /* The service answers an error for bad padding, where newer OpenSSL would make up a text.
         */
        OSSL_PARAM_construct_uint("implicit-rejection", &off),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, alg->padding) != 1)
        return false;
    if (alg->padding == RSA_PKCS1_PADDING)
        return EVP_PKEY_CTX_set_params(ctx, explicit_rejection) == 1;
    const EVP_MD *md = EVP_get_digestbyname(alg->digest);
    return md && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static kvp_status rsa_encrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra KVP_UNUSED,
                              kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    size_t out_len = key->bits / 8;
    char rule[64];

    if (len == 0 || len > out_len - alg->overhead) {
        snprintf(rule, sizeof(rule), "takes 1 to %zu bytes with this key", out_len - alg->overhead);
        return bad_length(reterr, alg, "value", len, rule);
    }
    uint8_t *out = kvp_buf_reserve(ret, out_len);
    if (!out)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "ciphertext");
    if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || !rsa_configure(ctx, alg) ||
        EVP_PKEY_encrypt(ctx, out, &out_len, value, len) != 1)
        return kvp_engine_failed(reterr, "encrypting");
    ret->len += out_len;
    return KVP_OK;
}

static kvp_status rsa_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra KVP_UNUSED,
                              kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    size_t out_len = key->bits / 8;

    if (len != out_len)
        return bad_length(reterr, alg, "value", len, "takes exactly the modulus' length");
    uint8_t *out = kvp_buf_reserve(ret, out_len);
    if (!out)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "plaintext");
    if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || !rsa_configure(ctx, alg))
        return kvp_engine_failed(reterr, "decrypting");
    if (EVP_PKEY_decrypt(ctx, out, &out_len, value, len) != 1)
        return mismatch(reterr);
    ret->len += out_len;
    return KVP_OK;
}

/* A context ready for `AES-<size>-<mode>`; wrapping modes need their flag before the key. */
static EVP_CIPHER_CTX *aes_begin(const kvp_algorithm *alg, const kvp_engine_key *key,
                                 const uint8_t *iv, bool encrypt)
{
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    char name[32];

    snprintf(name, sizeof(name), "AES-%u-%s", key->bits, alg->cipher);
    KVP_CLEANUP(EVP_CIPHER_freep) EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    if (!ctx || !cipher)
        return NULL;
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(ctx, cipher, key->secret, iv, encrypt, NULL) != 1)
        return NULL;
    return KVP_STEAL(ctx);
}

/* Run @len bytes through @ctx and end it. @room: how much longer the output may be. */
static bool aes_run(EVP_CIPHER_CTX *ctx, const void *value, size_t len, size_t room, kvp_buf *ret)
{
    uint8_t *out = kvp_buf_reserve(ret, len + room);
    int done = 0, last = 0;

    if (!out || (len > 0 && EVP_CipherUpdate(ctx, out, &done, value, (int)len) != 1) ||
        EVP_CipherFinal_ex(ctx, out + done, &last) != 1)
        return false;
    ret->len += (size_t)done + (size_t)last;
    ret->data[ret->len] = '\0';
    return true;
}

static kvp_status cbc(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                      size_t len, kvp_engine_extra *extra, bool encrypt, kvp_buf *ret,
                      kvp_error *reterr)
{
    if (extra->iv.len != AES_BLOCK)
        return bad_length(reterr, alg, "iv", extra->iv.len, "requires 16 bytes");
    if (key->in_token)
        return kvp_token_cbc(key, alg->pkcs7, extra->iv.data, encrypt, value, len, ret, reterr);
    KVP_CLEANUP(EVP_CIPHER_CTX_freep)
    EVP_CIPHER_CTX *ctx = aes_begin(alg, key, extra->iv.data, encrypt);
    if (!ctx || EVP_CIPHER_CTX_set_padding(ctx, alg->pkcs7) != 1)
        return kvp_engine_failed(reterr, "AES");
    if (!aes_run(ctx, value, len, AES_BLOCK, ret))
        return encrypt ? kvp_engine_failed(reterr, "AES") : mismatch(reterr);
    return KVP_OK;
}

static kvp_status cbc_encrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    kvp_buf padded = KVP_BUF_INIT_SECRET(0);
    size_t missing = (AES_BLOCK - len % AES_BLOCK) % AES_BLOCK;
    static const uint8_t zeros[AES_BLOCK];

    if (len == 0)
        return bad_length(reterr, alg, "value", len, "requires some");
    if (alg->pkcs7 || missing == 0)
        return cbc(alg, key, value, len, extra, true, ret, reterr);
    /* A Managed HSM was recorded to fill the last block of A256CBC with zeros, not to refuse it. */
    kvp_status status = KVP_ERR_NO_MEMORY;
    if (kvp_buf_append(&padded, value, len) == KVP_OK &&
        kvp_buf_append(&padded, zeros, missing) == KVP_OK)
        status = cbc(alg, key, padded.data, padded.len, extra, true, ret, reterr);
    kvp_buf_clear(&padded);
    return status;
}

static kvp_status cbc_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    if (len == 0 || len % AES_BLOCK)
        return bad_length(reterr, alg, "value", len, "requires a multiple of 16 bytes");
    return cbc(alg, key, value, len, extra, false, ret, reterr);
}

static kvp_status gcm_run(const kvp_algorithm *alg, const kvp_engine_key *key, const uint8_t *iv,
                          const kvp_buf *aad, const void *value, size_t len, uint8_t *tag,
                          kvp_buf *ret, kvp_error *reterr)
{
    int done = 0;
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = aes_begin(alg, key, iv, true);

    if (!ctx ||
        (aad->len > 0 && EVP_CipherUpdate(ctx, NULL, &done, aad->data, (int)aad->len) != 1) ||
        !aes_run(ctx, value, len, AES_BLOCK, ret) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) != 1)
        return kvp_engine_failed(reterr, "AES-GCM");
    return KVP_OK;
}

static kvp_status gcm_encrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    uint8_t iv[GCM_IV], tag[GCM_TAG];

    /* The service makes the iv, so that none is ever used twice with a key. */
    if (RAND_bytes(iv, sizeof(iv)) != 1)
        return kvp_engine_failed(reterr, "AES-GCM");
    kvp_status status =
        key->in_token ? kvp_token_gcm_encrypt(key, iv, &extra->aad, value, len, tag, ret, reterr)
                      : gcm_run(alg, key, iv, &extra->aad, value, len, tag, ret, reterr);
    if (status == KVP_OK && (kvp_buf_set(&extra->iv, iv, sizeof(iv)) != KVP_OK ||
                             kvp_buf_set(&extra->tag, tag, sizeof(tag)) != KVP_OK))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "AES-GCM");
    return status;
}

static kvp_status gcm_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    int done = 0;

    if (extra->iv.len != GCM_IV)
        return bad_length(reterr, alg, "iv", extra->iv.len, "requires 12 bytes");
    if (extra->tag.len != GCM_TAG)
        return bad_length(reterr, alg, "tag", extra->tag.len, "requires 16 bytes");
    if (key->in_token)
        return kvp_token_gcm_decrypt(key, extra->iv.data, &extra->aad, value, len, extra->tag.data,
                                     ret, reterr);
    KVP_CLEANUP(EVP_CIPHER_CTX_freep)
    EVP_CIPHER_CTX *ctx = aes_begin(alg, key, extra->iv.data, false);
    if (!ctx || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, extra->tag.data) != 1 ||
        (extra->aad.len > 0 &&
         EVP_CipherUpdate(ctx, NULL, &done, extra->aad.data, (int)extra->aad.len) != 1))
        return kvp_engine_failed(reterr, "AES-GCM");
    return aes_run(ctx, value, len, AES_BLOCK, ret) ? KVP_OK : mismatch(reterr);
}

/* RFC 3394 takes whole 8-byte halves of at least two; RFC 5649 ("-PAD") any length. */
static kvp_status wrap(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                       size_t len, kvp_engine_extra *extra KVP_UNUSED, kvp_buf *ret,
                       kvp_error *reterr)
{
    bool padded = strcmp(alg->cipher, "WRAP-PAD") == 0;

    if (padded ? len == 0 : len < 16 || len % 8)
        return bad_length(reterr, alg, "value", len,
                          padded ? "requires some" : "requires a multiple of 8, 16 at least");
    if (key->in_token)
        return kvp_token_wrap(key, padded, value, len, ret, reterr);
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = aes_begin(alg, key, NULL, true);
    if (!ctx || !aes_run(ctx, value, len, 16, ret))
        return kvp_engine_failed(reterr, "AES key wrap");
    return KVP_OK;
}

static kvp_status unwrap(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                         size_t len, kvp_engine_extra *extra KVP_UNUSED, kvp_buf *ret,
                         kvp_error *reterr)
{
    bool padded = strcmp(alg->cipher, "WRAP-PAD") == 0;

    if (len % 8 || len < (padded ? 16 : 24))
        return bad_length(reterr, alg, "value", len,
                          "requires a multiple of 8, longer than a block");
    if (key->in_token)
        return kvp_token_unwrap(key, padded, value, len, ret, reterr);
    KVP_CLEANUP(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = aes_begin(alg, key, NULL, false);
    if (!ctx)
        return kvp_engine_failed(reterr, "AES key wrap");
    return aes_run(ctx, value, len, 16, ret) ? KVP_OK : mismatch(reterr);
}

const kvp_algorithm_ops kvp_ops_rsa_cipher = { .encrypt = rsa_encrypt, .decrypt = rsa_decrypt };
const kvp_algorithm_ops kvp_ops_aes_cbc = { .encrypt = cbc_encrypt, .decrypt = cbc_decrypt };
const kvp_algorithm_ops kvp_ops_aes_gcm = { .encrypt = gcm_encrypt, .decrypt = gcm_decrypt };
const kvp_algorithm_ops kvp_ops_aes_wrap = { .encrypt = wrap, .decrypt = unwrap };
