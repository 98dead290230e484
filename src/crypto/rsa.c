/* SPDX-License-Identifier: MIT */
/* RSA with the public key: verification and encryption (RFC 8017). */
#include "base/alloc.h"
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#define MAX_MODULUS_LEN 2048 /* bytes: public_key.c takes 16384 bits at the most */
#define PKCS1_OVERHEAD 11    /* bytes of EME-PKCS1-v1_5 padding at the least (RFC 8017 §7.2.1) */

/* A context for @key, or NULL with @reterr and *ret_status filled. */
static EVP_PKEY_CTX *begin(const kvp_public_key *key, kvp_status *ret_status, kvp_error *reterr)
{
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *ctx = NULL;

    if (kvp_public_key_type(key) != KVP_KTY_RSA) {
        *ret_status = kvp_error_set(reterr, KVP_ERR_INVALID, "not an RSA key");
        return NULL;
    }
    pkey = kvp_public_key_pkey(key);
    if (pkey)
        ctx = EVP_PKEY_CTX_new_from_pkey(kvp_ossl_ctx(), pkey, NULL);
    *ret_status = ctx ? KVP_OK : kvp_crypto_failed(reterr, "using an RSA key");
    return ctx;
}

static kvp_status check_length(const kvp_public_key *key, size_t sig_len, kvp_error *reterr)
{
    size_t want = kvp_public_key_signature_len(key);

    if (sig_len == want)
        return KVP_OK;
    return kvp_error_set(reterr, KVP_ERR_INVALID, "a signature of %zu bytes; this key's have %zu",
                         sig_len, want);
}

/* Undo the signature and its padding into @block (MAX_MODULUS_LEN bytes). */
static kvp_status recover(const kvp_public_key *key, const void *sig, size_t sig_len,
                          uint8_t *block, size_t *ret_len, kvp_error *reterr)
{
    kvp_status st;
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) = begin(key, &st, reterr);
    size_t len = MAX_MODULUS_LEN;

    if (!ctx)
        return st;
    st = check_length(key, sig_len, reterr);
    if (st != KVP_OK)
        return st;
    if (EVP_PKEY_verify_recover_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
        return kvp_crypto_failed(reterr, "preparing an RSA verification");
    if (EVP_PKEY_verify_recover(ctx, block, &len, sig, sig_len) != 1)
        return kvp_crypto_mismatch(reterr);
    *ret_len = len;
    return KVP_OK;
}

kvp_status kvp_rsa_verify_pkcs1(const kvp_public_key *key, const void *expected,
                                size_t expected_len, const void *sig, size_t sig_len,
                                kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    uint8_t block[MAX_MODULUS_LEN];
    size_t len = 0;
    kvp_status st = recover(key, sig, sig_len, block, &len, reterr);

    if (st != KVP_OK)
        return st;
    if (len != expected_len || !kvp_equal_secret(block, expected, len))
        return kvp_error_set(reterr, KVP_ERR_MISMATCH, "the signature is of something else");
    return KVP_OK;
}

kvp_status kvp_rsa_recover_pkcs1(const kvp_public_key *key, const void *sig, size_t sig_len,
                                 kvp_buf *ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    uint8_t block[MAX_MODULUS_LEN];
    size_t len = 0;
    kvp_status st = recover(key, sig, sig_len, block, &len, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_buf_set(ret, block, len);
    return st == KVP_OK ? st : kvp_error_set(reterr, st, "recovered data");
}

kvp_status kvp_rsa_verify_pss(const kvp_public_key *key, kvp_hash hash, kvp_hash mgf,
                              size_t salt_len, const uint8_t *digest, const void *sig,
                              size_t sig_len, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    kvp_status st;
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) = begin(key, &st, reterr);
    const EVP_MD *md, *mgf_md;

    if (!ctx)
        return st;
    if (kvp_hash_len(hash) == 0 || kvp_hash_len(mgf) == 0 || salt_len > INT_MAX)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "PSS parameters that name no hash");
    st = check_length(key, sig_len, reterr);
    if (st != KVP_OK)
        return st;
    md = kvp_ossl_md(hash);
    mgf_md = kvp_ossl_md(mgf);
    if (!md || !mgf_md || EVP_PKEY_verify_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, md) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf_md) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)salt_len) != 1)
        return kvp_crypto_failed(reterr, "preparing a PSS verification");
    if (EVP_PKEY_verify(ctx, sig, sig_len, digest, kvp_hash_len(hash)) != 1)
        return kvp_crypto_mismatch(reterr);
    return KVP_OK;
}

/* The last step of both encryptions; @ctx is initialised, @len fits. */
static kvp_status encrypt(EVP_PKEY_CTX *ctx, const kvp_public_key *key, const void *data,
                          size_t len, kvp_buf *ret, kvp_error *reterr)
{
    uint8_t block[MAX_MODULUS_LEN];
    size_t out_len = kvp_public_key_signature_len(key);
    kvp_status st;

    if (EVP_PKEY_encrypt(ctx, block, &out_len, len ? data : "", len) != 1)
        return kvp_crypto_failed(reterr, "RSA encryption");
    st = kvp_buf_set(ret, block, out_len);
    return st == KVP_OK ? st : kvp_error_set(reterr, st, "ciphertext");
}

kvp_status kvp_rsa_encrypt_pkcs1(const kvp_public_key *key, const void *data, size_t len,
                                 kvp_buf *ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    kvp_status st;
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) = begin(key, &st, reterr);
    size_t modulus_len = kvp_public_key_signature_len(key);

    if (!ctx)
        return st;
    if (len > modulus_len - PKCS1_OVERHEAD)
        return kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "%zu bytes; this key encrypts at most %zu",
                             len, modulus_len - PKCS1_OVERHEAD);
    if (EVP_PKEY_encrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
        return kvp_crypto_failed(reterr, "preparing an RSA encryption");
    return encrypt(ctx, key, data, len, ret, reterr);
}

kvp_status kvp_rsa_encrypt_oaep(const kvp_public_key *key, kvp_hash hash, kvp_hash mgf,
                                const void *label, size_t label_len, const void *data, size_t len,
                                kvp_buf *ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    kvp_status st;
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) = begin(key, &st, reterr);
    size_t modulus_len = kvp_public_key_signature_len(key);
    size_t overhead = 2 * kvp_hash_len(hash) + 2; /* RFC 8017 §7.1.1 */
    void *label_copy = NULL;
    OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
    const EVP_MD *md, *mgf_md;

    if (!ctx)
        return st;
    if (kvp_hash_len(hash) == 0 || kvp_hash_len(mgf) == 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "OAEP parameters that name no hash");
    if (overhead > modulus_len || len > modulus_len - overhead)
        return kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "%zu bytes; too long for this key and hash",
                             len);
    md = kvp_ossl_md(hash);
    mgf_md = kvp_ossl_md(mgf);
    if (!md || !mgf_md || EVP_PKEY_encrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf_md) != 1)
        return kvp_crypto_failed(reterr, "preparing an OAEP encryption");
    if (label_len > 0) {
        label_copy = kvp_memdup(label, label_len);
        if (!label_copy)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "OAEP label");
        params[0] = OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, label_copy,
                                                      label_len);
        if (EVP_PKEY_CTX_set_params(ctx, params) != 1)
            st = kvp_crypto_failed(reterr, "setting the OAEP label");
        kvp_free(label_copy);
        if (st != KVP_OK)
            return st;
    }
    return encrypt(ctx, key, data, len, ret, reterr);
}
