/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of AES with a session key, by OpenSSL in our own context. CBC and GCM encryption
 * stream; GCM decryption and key wrapping work on what was collected, as nothing of it may be given
 * out before all of it has been checked.
 */
#include "token/mech_ops.h"

#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdio.h>
#include <string.h>

/* EVP counts in int. */
#define CHUNK ((size_t)1 << 30)
#define BLOCK ((size_t)16)

/** How OpenSSL calls it, after `AES-256-`. */
typedef struct local_cipher {
    CK_MECHANISM_TYPE type;
    const char *name;
    bool streams_encrypt, streams_decrypt;
} local_cipher;

static const local_cipher ciphers[] = {
    { CKM_AES_CBC, "CBC", true, true },
    { CKM_AES_CBC_PAD, "CBC", true, true },
    { CKM_AES_GCM, "GCM", true, false },
    { CKM_AES_KEY_WRAP, "WRAP", false, false },
    { CKM_AES_KEY_WRAP_PAD, "WRAP-PAD", false, false },
};

static const local_cipher *find(const kvp_crypt_operation *op)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(ciphers); i++) {
        if (ciphers[i].type == op->mechanism->type)
            return &ciphers[i];
    }
    return NULL;
}

static bool encrypts(const kvp_crypt_operation *op)
{
    return op->base.kind == KVP_OPERATION_ENCRYPT;
}

void kvp_aes_local_free(struct evp_cipher_ctx_st *cipher)
{
    if (!cipher || kvp_ossl_gone())
        return;
    KVP_OSSL_SCOPE;
    EVP_CIPHER_CTX_free(cipher);
}

/* A context with key, IV and AAD in it. Expects our OpenSSL scope. */
static EVP_CIPHER_CTX *context_new(const kvp_crypt_operation *op, const local_cipher *local)
{
    const kvp_buf *key = kvp_object_secret_value(op->key);
    char name[24];
    snprintf(name, sizeof(name), "AES-%zu-%s", key ? key->len * 8 : 0, local->name);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(kvp_ossl_ctx(), name, NULL);
    EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
    if (!ctx) {
        EVP_CIPHER_free(cipher);
        return NULL;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);

    size_t iv_len = op->iv.len;
    OSSL_PARAM iv_param[] = { OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, &iv_len),
                              OSSL_PARAM_construct_end() };
    bool gcm = op->mechanism->type == CKM_AES_GCM;
    int len = 0;
    bool ok =
        EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, encrypts(op), gcm ? iv_param : NULL) == 1 &&
        EVP_CipherInit_ex2(ctx, NULL, key->data, op->iv.data, encrypts(op), NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(ctx, op->mechanism->type == CKM_AES_CBC_PAD) == 1;
    if (ok && op->aad.len)
        ok = op->aad.len < CHUNK &&
             EVP_CipherUpdate(ctx, NULL, &len, op->aad.data, (int)op->aad.len) == 1;
    EVP_CIPHER_free(cipher);
    if (!ok) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

CK_RV kvp_aes_local_start(kvp_call *call, kvp_crypt_operation *op)
{
    const local_cipher *local = find(op);
    if (!local)
        return kvp_mech_fail(call, KVP_ERR_INTERNAL, "no local cipher for this mechanism");
    if (!(encrypts(op) ? local->streams_encrypt : local->streams_decrypt))
        return CKR_OK;
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    op->cipher = context_new(op, local);
    return op->cipher ? CKR_OK : kvp_mech_fail(call, KVP_ERR_CRYPTO, "AES did not take the key");
}

CK_RV kvp_aes_local_stream(kvp_call *call, kvp_crypt_operation *op, const uint8_t *in, size_t len,
                           kvp_buf *out)
{
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    for (size_t done = 0; done < len;) {
        size_t part = len - done < CHUNK ? len - done : CHUNK;
        uint8_t *to = kvp_buf_reserve(out, part + BLOCK);
        int made = 0;
        if (!to)
            return CKR_HOST_MEMORY;
        if (EVP_CipherUpdate(op->cipher, to, &made, in + done, (int)part) != 1)
            return kvp_mech_fail(call, KVP_ERR_CRYPTO, "AES failed");
        out->len += (size_t)made;
        op->pending = op->pending + part - (size_t)made;
        done += part;
    }
    return CKR_OK;
}

/* The end of a stream: the last block, or the tag. */
static CK_RV finish_stream(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    bool gcm = op->mechanism->type == CKM_AES_GCM;
    /* Without padding nothing may be left over; with it, ciphertext comes in whole blocks. */
    if (op->mechanism->type == CKM_AES_CBC && op->pending)
        return encrypts(op) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (op->mechanism->type == CKM_AES_CBC_PAD && !encrypts(op) && op->pending != BLOCK)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;

    int made = 0;
    uint8_t *to = kvp_buf_reserve(out, 2 * BLOCK);
    if (!to)
        return CKR_HOST_MEMORY;
    if (EVP_CipherFinal_ex(op->cipher, to, &made) != 1) {
        if (!encrypts(op))
            return CKR_ENCRYPTED_DATA_INVALID;
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "AES failed");
    }
    out->len += (size_t)made;
    if (!gcm)
        return CKR_OK;

    OSSL_PARAM tag[] = { OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, to + made,
                                                           op->tag_len),
                         OSSL_PARAM_construct_end() };
    if (EVP_CIPHER_CTX_get_params(op->cipher, tag) != 1)
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "GCM made no tag");
    out->len += op->tag_len;
    return CKR_OK;
}

/* All of a collected input at once: GCM decryption, wrapping and unwrapping. */
static CK_RV finish_collected(kvp_call *call, kvp_crypt_operation *op, EVP_CIPHER_CTX *ctx,
                              kvp_buf *out)
{
    bool gcm = op->mechanism->type == CKM_AES_GCM;
    size_t len = op->data.len - (gcm ? op->tag_len : 0);
    uint8_t *to = kvp_buf_reserve(out, len + 2 * BLOCK);
    int made = 0, more = 0;
    if (!to)
        return CKR_HOST_MEMORY;
    if (gcm) {
        OSSL_PARAM tag[] = { OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                                               op->data.data + len, op->tag_len),
                             OSSL_PARAM_construct_end() };
        if (EVP_CIPHER_CTX_set_params(ctx, tag) != 1)
            return kvp_mech_fail(call, KVP_ERR_CRYPTO, "GCM did not take the tag");
    }
    bool ok = len < CHUNK &&
              (len == 0 || EVP_CipherUpdate(ctx, to, &made, op->data.data, (int)len) == 1) &&
              EVP_CipherFinal_ex(ctx, to + made, &more) == 1;
    if (!ok) {
        kvp_wipe(to, len);
        if (!encrypts(op))
            return CKR_ENCRYPTED_DATA_INVALID;
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "AES failed");
    }
    out->len += (size_t)made + (size_t)more;
    return CKR_OK;
}

CK_RV kvp_aes_local_finish(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    if (op->cipher)
        return finish_stream(call, op, out);
    const local_cipher *local = find(op);
    EVP_CIPHER_CTX *ctx = local ? context_new(op, local) : NULL;
    if (!ctx)
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "AES did not take the key");
    rv = finish_collected(call, op, ctx, out);
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}
