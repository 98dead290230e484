/* SPDX-License-Identifier: MIT */
/* Keys for the tests of the crypto room; see keys.h. */
#include "keys.h"

#include <check.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

test_key test_rsa_keys[TEST_RSA_COUNT];
test_key test_ec_keys[KVP_CURVE_COUNT];

/* These run outside of any test, where Check's assertions cannot be used. */
static void must(int ok)
{
    if (!ok)
        abort();
}

static size_t get_number(EVP_PKEY *pkey, const char *name, uint8_t *dst, size_t width)
{
    BIGNUM *bn = NULL;
    int len;

    must(EVP_PKEY_get_bn_param(pkey, name, &bn) == 1);
    len = width ? BN_bn2binpad(bn, dst, (int)width) : BN_bn2bin(bn, dst);
    must(len > 0);
    BN_free(bn);
    return (size_t)len;
}

void test_keys_make(void)
{
    for (size_t i = 0; i < TEST_RSA_COUNT; i++) {
        test_key *key = &test_rsa_keys[i];

        key->bits = (unsigned)(2048 + 1024 * i);
        key->pkey = EVP_RSA_gen(key->bits);
        must(key->pkey != NULL);
        key->n_len = get_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, key->n, 0);
        key->e_len = get_number(key->pkey, OSSL_PKEY_PARAM_RSA_E, key->e, 0);
    }
    for (int curve = KVP_CURVE_NONE + 1; curve < KVP_CURVE_COUNT; curve++) {
        const kvp_curve_info *info = &kvp_curves[curve];
        test_key *key = &test_ec_keys[curve];

        key->curve = (kvp_curve)curve;
        key->bits = info->bits;
        key->pkey = EVP_EC_gen(info->openssl_name);
        must(key->pkey != NULL);
        get_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, key->x, info->coordinate_len);
        get_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key->y, info->coordinate_len);
    }
}

void test_keys_free(void)
{
    for (size_t i = 0; i < TEST_RSA_COUNT; i++)
        EVP_PKEY_free(test_rsa_keys[i].pkey);
    for (size_t i = 0; i < KVP_CURVE_COUNT; i++)
        EVP_PKEY_free(test_ec_keys[i].pkey);
}

kvp_public_key *test_key_public(const test_key *key)
{
    kvp_public_key *public = NULL;
    kvp_error error = { 0 };
    kvp_status st;

    if (key->curve == KVP_CURVE_NONE)
        st = kvp_public_key_from_rsa(key->n, key->n_len, key->e, key->e_len, &public, &error);
    else
        st = kvp_public_key_from_ec(key->curve, key->x, key->y, &public, &error);
    ck_assert_msg(st == KVP_OK, "%s: %s", kvp_status_name(st), error.message);
    return public;
}

void test_ecdsa_sign(const test_key *key, const void *digest, size_t len, uint8_t *ret)
{
    int width = (int)kvp_curves[key->curve].coordinate_len;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    unsigned char der[256];
    const unsigned char *at = der;
    size_t der_len = sizeof(der);
    ECDSA_SIG *sig;

    ck_assert_int_eq(EVP_PKEY_sign_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_sign(ctx, der, &der_len, digest, len), 1);
    sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    ck_assert_ptr_nonnull(sig);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, width), width);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + width, width), width);
    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);
}

size_t test_rsa_sign(const test_key *key, kvp_hash hash, kvp_hash mgf, int salt_len,
                     const void *data, size_t len, uint8_t *ret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    size_t sig_len = 512;

    ck_assert_int_eq(EVP_PKEY_sign_init(ctx), 1);
    if (hash == KVP_HASH_NONE) {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
    } else {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
        ck_assert_int_eq(
            EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(kvp_hash_name(hash))), 1);
        ck_assert_int_eq(
            EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(kvp_hash_name(mgf))), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len), 1);
    }
    ck_assert_int_eq(EVP_PKEY_sign(ctx, ret, &sig_len, data, len), 1);
    EVP_PKEY_CTX_free(ctx);
    return sig_len;
}

void test_rsa_assert_decrypts(const test_key *key, kvp_hash hash, kvp_hash mgf, const char *label,
                              const kvp_buf *cipher, const void *want, size_t want_len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    uint8_t out[512];
    size_t len = sizeof(out);

    ck_assert_int_eq(EVP_PKEY_decrypt_init(ctx), 1);
    if (hash == KVP_HASH_NONE) {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
    } else {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
        ck_assert_int_eq(
            EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_get_digestbyname(kvp_hash_name(hash))), 1);
        ck_assert_int_eq(
            EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(kvp_hash_name(mgf))), 1);
        if (label)
            ck_assert_int_eq(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup(label),
                                                              (int)strlen(label)),
                             1);
    }
    ck_assert_int_eq(EVP_PKEY_decrypt(ctx, out, &len, cipher->data, cipher->len), 1);
    ck_assert_uint_eq(len, want_len);
    ck_assert_mem_eq(out, want, want_len);
    EVP_PKEY_CTX_free(ctx);
}
