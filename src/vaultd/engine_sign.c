/* SPDX-License-Identifier: MIT */
/* Signatures and MACs (wire reference, section 5.1). The value is a digest; nothing is hashed here
 * but by HMAC. */
#include "vaultd/engine.h"

#include "vaultd/token_hsm.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
KVP_DEFINE_FREEP(ECDSA_SIG, ECDSA_SIG_free);

/* Padding, digest and, for PSS, a salt as long as the digest; MGF1 follows the digest by itself. */
static bool rsa_configure(EVP_PKEY_CTX *ctx, const kvp_algorithm *alg)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, alg->padding) != 1)
        return false;
    if (alg->digest) {
        const EVP_MD *md = EVP_get_digestbyname(alg->digest);
        if (!md || EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
            return false;
    }
    return alg->padding != RSA_PKCS1_PSS_PADDING ||
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static kvp_status rsa_check_length(const kvp_algorithm *alg, const kvp_engine_key *key, size_t len,
                                   kvp_error *reterr)
{
    size_t max = key->bits / 8 - 11;

    if (alg->digest || (len >= 1 && len <= max))
        return KVP_OK;
    return kvp_error_set(
        reterr, KVP_ERR_INVALID,
        "Invalid length of 'value': %zu bytes. %s takes 1 to %zu bytes with this key.", len,
        alg->name, max);
}

static kvp_status rsa_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                           size_t len, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    size_t sig_len = key->bits / 8;
    kvp_status status = rsa_check_length(alg, key, len, reterr);

    if (status != KVP_OK)
        return status;
    uint8_t *out = kvp_buf_reserve(ret, sig_len);
    if (!out)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "signature");
    if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || !rsa_configure(ctx, alg) ||
        EVP_PKEY_sign(ctx, out, &sig_len, value, len) != 1)
        return kvp_engine_failed(reterr, "signing");
    ret->len += sig_len;
    return KVP_OK;
}

static kvp_status rsa_verify(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                             size_t len, const void *sig, size_t sig_len, bool *ret_valid,
                             kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    kvp_status status = rsa_check_length(alg, key, len, reterr);

    if (status != KVP_OK)
        return status;
    if (!ctx || EVP_PKEY_verify_init(ctx) != 1 || !rsa_configure(ctx, alg))
        return kvp_engine_failed(reterr, "verifying");
    *ret_valid = sig_len == key->bits / 8 && EVP_PKEY_verify(ctx, sig, sig_len, value, len) == 1;
    ERR_clear_error();
    return KVP_OK;
}

/* OpenSSL speaks DER; the service r || s of the curve's width (RFC 7518 §3.4). */
static kvp_status ec_sign(const kvp_algorithm *alg KVP_UNUSED, const kvp_engine_key *key,
                          const void *value, size_t len, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    int width = (int)key->curve->width;
    uint8_t der[160];
    size_t der_len = sizeof(der);
    const unsigned char *p = der;

    if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || EVP_PKEY_sign(ctx, der, &der_len, value, len) != 1)
        return kvp_engine_failed(reterr, "signing");
    KVP_CLEANUP(ECDSA_SIG_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der_len);
    uint8_t *out = kvp_buf_reserve(ret, 2 * (size_t)width);
    if (!sig || !out || BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, width) != width ||
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + width, width) != width)
        return kvp_engine_failed(reterr, "signing");
    ret->len += 2 * (size_t)width;
    return KVP_OK;
}

static kvp_status ec_verify(const kvp_algorithm *alg KVP_UNUSED, const kvp_engine_key *key,
                            const void *value, size_t len, const void *sig, size_t sig_len,
                            bool *ret_valid, kvp_error *reterr)
{
    int width = (int)key->curve->width;
    const unsigned char *raw = sig;
    unsigned char *der = NULL;
    int der_len = -1;

    if (sig_len != 2 * (size_t)width) {
        *ret_valid = false;
        return KVP_OK;
    }
    KVP_CLEANUP(ECDSA_SIG_freep) ECDSA_SIG *parsed = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, width, NULL);
    BIGNUM *s = BN_bin2bn(raw + width, width, NULL);
    if (!parsed || ECDSA_SIG_set0(parsed, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        der_len = i2d_ECDSA_SIG(parsed, &der);
    }
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (der_len <= 0 || !ctx || EVP_PKEY_verify_init(ctx) != 1) {
        OPENSSL_free(der);
        return kvp_engine_failed(reterr, "verifying");
    }
    *ret_valid = EVP_PKEY_verify(ctx, der, (size_t)der_len, value, len) == 1;
    ERR_clear_error();
    OPENSSL_free(der);
    return KVP_OK;
}

static kvp_status hmac_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                            size_t len, kvp_buf *ret, kvp_error *reterr)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t mac_len = 0;

    if (len == 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Invalid length of 'value': 0 bytes.");
    if (key->in_token)
        return kvp_token_hmac(alg, key, value, len, ret, reterr);
    if (!EVP_Q_mac(NULL, "HMAC", NULL, alg->digest, NULL, key->secret, key->secret_len, value, len,
                   mac, sizeof(mac), &mac_len))
        return kvp_engine_failed(reterr, "HMAC");
    if (kvp_buf_append(ret, mac, mac_len) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "HMAC");
    return KVP_OK;
}

static kvp_status hmac_verify(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, const void *sig, size_t sig_len,
                              bool *ret_valid, kvp_error *reterr)
{
    kvp_buf mac = KVP_BUF_INIT_SECRET(EVP_MAX_MD_SIZE);
    kvp_status status = hmac_sign(alg, key, value, len, &mac, reterr);

    if (status == KVP_OK)
        *ret_valid = sig_len == mac.len && kvp_equal_secret(mac.data, sig, mac.len);
    kvp_buf_clear(&mac);
    return status;
}

const kvp_algorithm_ops kvp_ops_rsa_sign = { .sign = rsa_sign, .verify = rsa_verify };
const kvp_algorithm_ops kvp_ops_ec_sign = { .sign = ec_sign, .verify = ec_verify };
const kvp_algorithm_ops kvp_ops_hmac = { .sign = hmac_sign, .verify = hmac_verify };
