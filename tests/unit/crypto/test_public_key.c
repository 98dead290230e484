/* SPDX-License-Identifier: MIT */
/* Public keys of every kind and size, verification and encryption, against keys that OpenSSL made. */
#include "base/alloc.h"
#include "crypto/crypto.h"
#include "crypto/ossl.h"
#include "keys.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/engine.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_spki(const kvp_public_key *key, EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);

    ck_assert_int_gt(len, 0);
    ck_assert_uint_eq(kvp_public_key_spki(key)->len, (size_t)len);
    ck_assert_mem_eq(kvp_public_key_spki(key)->data, der, (size_t)len);
    OPENSSL_free(der);
}

/* Sign with @key: PKCS#1 v1.5 over bare bytes when @hash is none, else PSS. */
static size_t rsa_sign(const test_key *key, kvp_hash hash, kvp_hash mgf, int salt_len,
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

START_TEST(an_rsa_key_says_what_it_is)
{
    const test_key *key = &test_rsa_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);

    ck_assert_int_eq(kvp_public_key_type(public), KVP_KTY_RSA);
    ck_assert_uint_eq(kvp_public_key_bits(public), key->bits);
    ck_assert_uint_eq(kvp_public_key_signature_len(public), key->bits / 8);
    assert_spki(public, key->pkey);
}
END_TEST

START_TEST(an_ec_key_says_what_it_is)
{
    const test_key *key = &test_ec_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);

    ck_assert_int_eq(kvp_public_key_type(public), KVP_KTY_EC);
    ck_assert_uint_eq(kvp_public_key_bits(public), key->bits);
    ck_assert_uint_eq(kvp_public_key_signature_len(public), 2 * kvp_curves[_i].coordinate_len);
    assert_spki(public, key->pkey);
}
END_TEST

START_TEST(a_bundle_becomes_a_public_key)
{
    const test_key *rsa = &test_rsa_keys[0], *ec = &test_ec_keys[KVP_CURVE_P521];
    kvp_public_key *public = NULL;
    kvp_key bundle = { .has_material = true, .kty = KVP_KTY_RSA };

    ck_assert_int_eq(kvp_buf_set(&bundle.n, rsa->n, rsa->n_len), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&bundle.e, rsa->e, rsa->e_len), KVP_OK);
    ck_assert_int_eq(kvp_public_key_from_key(&bundle, &public, NULL), KVP_OK);
    assert_spki(public, rsa->pkey);
    kvp_public_key_free(public);
    public = NULL;

    bundle.kty = KVP_KTY_EC;
    bundle.curve = KVP_CURVE_P521;
    ck_assert_int_eq(kvp_buf_set(&bundle.x, ec->x, 66), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&bundle.y, ec->y, 65), KVP_OK);
    ck_assert_int_eq(kvp_public_key_from_key(&bundle, &public, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_buf_set(&bundle.y, ec->y, 66), KVP_OK);
    ck_assert_int_eq(kvp_public_key_from_key(&bundle, &public, NULL), KVP_OK);
    assert_spki(public, ec->pkey);
    kvp_public_key_free(public);
    public = NULL;

    bundle.kty = KVP_KTY_OCT;
    ck_assert_int_eq(kvp_public_key_from_key(&bundle, &public, NULL), KVP_ERR_UNSUPPORTED);
    bundle.has_material = false;
    ck_assert_int_eq(kvp_public_key_from_key(&bundle, &public, NULL), KVP_ERR_INVALID);
    ck_assert_ptr_null(public);
    kvp_buf_clear(&bundle.n);
    kvp_buf_clear(&bundle.e);
    kvp_buf_clear(&bundle.x);
    kvp_buf_clear(&bundle.y);
}
END_TEST

START_TEST(a_point_off_the_curve_is_no_key)
{
    test_key key = test_ec_keys[_i];
    size_t width = kvp_curves[_i].coordinate_len;
    kvp_public_key *public = NULL;
    uint8_t zero[66] = { 0 }, ones[66];

    memset(ones, 0xff, sizeof(ones));
    key.y[width - 1] ^= 1;
    ck_assert_int_eq(kvp_public_key_from_ec(key.curve, key.x, key.y, &public, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_public_key_from_ec(key.curve, zero, zero, &public, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_public_key_from_ec(key.curve, ones, ones, &public, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_public_key_from_ec(KVP_CURVE_NONE, key.x, key.y, &public, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_public_key_from_ec(KVP_CURVE_COUNT, key.x, key.y, &public, NULL),
                     KVP_ERR_INVALID);
    ck_assert_ptr_null(public);
}
END_TEST

START_TEST(bad_rsa_numbers_are_no_key)
{
    const test_key *key = &test_rsa_keys[0];
    static const uint8_t zeros[4], two[] = { 2 }, one[] = { 1 };
    static const uint8_t wide_e[9] = { 1, 0, 0, 0, 0, 0, 0, 0, 1 };
    static uint8_t large[4096];
    uint8_t even[512];
    kvp_public_key *public = NULL;
    kvp_error error = { 0 };
    const struct {
        const char *what;
        const void *n;
        size_t n_len;
        const void *e;
        size_t e_len;
    } cases[] = {
        { "no modulus", NULL, 0, key->e, key->e_len },
        { "zero modulus", zeros, 4, key->e, key->e_len },
        { "short modulus", key->n, 127, key->e, key->e_len },
        { "even modulus", even, key->n_len, key->e, key->e_len },
        { "long modulus", large, 2049, key->e, key->e_len },
        { "very long modulus", large, sizeof(large), key->e, key->e_len },
        { "no exponent", key->n, key->n_len, NULL, 0 },
        { "empty exponent", key->n, key->n_len, zeros, 0 },
        { "zero exponent", key->n, key->n_len, zeros, 4 },
        { "exponent 1", key->n, key->n_len, one, 1 },
        { "even exponent", key->n, key->n_len, two, 1 },
        { "wide exponent", key->n, key->n_len, wide_e, 9 },
        { "exponent as long as the modulus", key->n, key->n_len, key->n, key->n_len },
        { "very long exponent", key->n, key->n_len, large, sizeof(large) },
    };

    memset(large, 0xff, sizeof(large));
    memcpy(even, key->n, key->n_len);
    even[key->n_len - 1] &= 0xfe;
    for (size_t i = 0; i < KVP_ARRAY_LEN(cases); i++) {
        kvp_status st = kvp_public_key_from_rsa(cases[i].n, cases[i].n_len, cases[i].e,
                                                cases[i].e_len, &public, &error);
        ck_assert_msg(st == KVP_ERR_PARSE, "%s: %s", cases[i].what, kvp_status_name(st));
        ck_assert_str_ne(error.message, "");
        ck_assert_ptr_null(public);
    }
}
END_TEST

START_TEST(leading_zeros_of_the_numbers_do_not_matter)
{
    const test_key *key = &test_rsa_keys[0];
    uint8_t n[513] = { 0 }, e[9] = { 0 };
    kvp_public_key *public = NULL;

    memcpy(n + 1, key->n, key->n_len);
    memcpy(e + 1, key->e, key->e_len);
    ck_assert_int_eq(
        kvp_public_key_from_rsa(n, key->n_len + 1, e, key->e_len + 1, &public, NULL), KVP_OK);
    ck_assert_uint_eq(kvp_public_key_bits(public), 2048);
    kvp_public_key_free(public);
}
END_TEST

START_TEST(pkcs1_verifies_what_was_signed_and_nothing_else)
{
    const test_key *key = &test_rsa_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    static const char data[] = "any bytes, not a DigestInfo";
    uint8_t sig[513];
    size_t len = rsa_sign(key, KVP_HASH_NONE, KVP_HASH_NONE, 0, data, sizeof(data), sig);
    kvp_buf inside = { 0 };

    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len, NULL), KVP_OK);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data) - 1, sig, len, NULL),
                     KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, "", 0, sig, len, NULL), KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, "any bytes, not a digestInfo", sizeof(data), sig,
                                          len, NULL),
                     KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_recover_pkcs1(public, sig, len, &inside, NULL), KVP_OK);
    ck_assert_uint_eq(inside.len, sizeof(data));
    ck_assert_mem_eq(inside.data, data, sizeof(data));
    sig[len] = 0;
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len + 1, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len - 1, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_recover_pkcs1(public, sig, 0, &inside, NULL), KVP_ERR_INVALID);
    for (size_t i = 0; i < len; i += 37) {
        sig[i] ^= 0x10;
        ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len, NULL),
                         KVP_ERR_MISMATCH);
        sig[i] ^= 0x10;
    }
    memset(sig, 0, len);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len, NULL),
                     KVP_ERR_MISMATCH);
    memset(sig, 0xff, len); /* not less than the modulus */
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, data, sizeof(data), sig, len, NULL),
                     KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_recover_pkcs1(public, sig, len, &inside, NULL), KVP_ERR_MISMATCH);
    kvp_buf_clear(&inside);
}
END_TEST

START_TEST(pkcs1_of_no_bytes_at_all_verifies)
{
    const test_key *key = &test_rsa_keys[0];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    uint8_t sig[512];
    size_t len = rsa_sign(key, KVP_HASH_NONE, KVP_HASH_NONE, 0, "", 0, sig);

    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, NULL, 0, sig, len, NULL), KVP_OK);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(public, "a", 1, sig, len, NULL), KVP_ERR_MISMATCH);
}
END_TEST

static const struct {
    kvp_hash hash, mgf;
    int salt;
} pss_cases[] = {
    { KVP_HASH_SHA256, KVP_HASH_SHA256, 32 }, { KVP_HASH_SHA384, KVP_HASH_SHA384, 48 },
    { KVP_HASH_SHA512, KVP_HASH_SHA512, 64 }, { KVP_HASH_SHA1, KVP_HASH_SHA1, 20 },
    { KVP_HASH_SHA256, KVP_HASH_SHA1, 0 },    { KVP_HASH_SHA224, KVP_HASH_SHA512, 100 },
};

START_TEST(pss_verifies_with_exactly_its_parameters)
{
    kvp_hash hash = pss_cases[_i].hash, mgf = pss_cases[_i].mgf;
    size_t salt = (size_t)pss_cases[_i].salt;

    for (size_t k = 0; k < TEST_RSA_COUNT; k++) {
        KVP_CLEANUP(kvp_public_key_freep)
        kvp_public_key *public = test_key_public(&test_rsa_keys[k]);
        uint8_t digest[KVP_HASH_MAX_LEN] = { 1, 2, 3 }, sig[513] = { 0 };
        size_t len = rsa_sign(&test_rsa_keys[k], hash, mgf, (int)salt, digest, kvp_hash_len(hash),
                              sig);

        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, mgf, salt, digest, sig, len, NULL),
                         KVP_OK);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, mgf, salt + 1, digest, sig, len, NULL),
                         KVP_ERR_MISMATCH);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash,
                                            mgf == KVP_HASH_SHA1 ? KVP_HASH_SHA256 : KVP_HASH_SHA1,
                                            salt, digest, sig, len, NULL),
                         KVP_ERR_MISMATCH);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, mgf, salt, digest, sig, len + 1, NULL),
                         KVP_ERR_INVALID);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, KVP_HASH_NONE, mgf, salt, digest, sig, len,
                                            NULL),
                         KVP_ERR_INVALID);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, KVP_HASH_NONE, salt, digest, sig, len,
                                            NULL),
                         KVP_ERR_INVALID);
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, mgf, SIZE_MAX, digest, sig, len, NULL),
                         KVP_ERR_INVALID);
        digest[0] ^= 1;
        ck_assert_int_eq(kvp_rsa_verify_pss(public, hash, mgf, salt, digest, sig, len, NULL),
                         KVP_ERR_MISMATCH);
    }
}
END_TEST

/* Digests from nothing to more than any order: OpenSSL, on the other side, cuts them the same way. */
static const size_t digest_lens[] = { 1, 20, 32, 47, 48, 64, 65, 66, 67, 100 };

START_TEST(ecdsa_verifies_digests_of_any_length)
{
    const test_key *key = &test_ec_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    size_t len = kvp_public_key_signature_len(public);
    uint8_t digest[100], sig[2 * 66 + 1];

    for (size_t i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(0xf0 + i);
    for (size_t i = 0; i < KVP_ARRAY_LEN(digest_lens); i++) {
        test_ecdsa_sign(key, digest, digest_lens[i], sig);
        ck_assert_msg(kvp_ecdsa_verify(public, digest, digest_lens[i], sig, len, NULL) == KVP_OK,
                      "%zu bytes", digest_lens[i]);
        digest[0] ^= 1;
        ck_assert_int_eq(kvp_ecdsa_verify(public, digest, digest_lens[i], sig, len, NULL),
                         KVP_ERR_MISMATCH);
        digest[0] ^= 1;
    }
}
END_TEST

START_TEST(ecdsa_looks_at_the_leftmost_bits_of_the_order_only)
{
    const test_key *key = &test_ec_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    size_t len = kvp_public_key_signature_len(public), whole = (key->bits + 7) / 8;
    uint8_t digest[100] = { 7 }, sig[2 * 66];

    test_ecdsa_sign(key, digest, whole, sig);
    memset(digest + whole, 0xee, sizeof(digest) - whole);

    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len, NULL), KVP_OK);
    digest[whole - 1] ^= 0x80; /* still inside: P-521 uses the top bit of its last byte */
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len, NULL),
                     KVP_ERR_MISMATCH);
}
END_TEST

START_TEST(ecdsa_refuses_what_is_no_signature)
{
    const test_key *key = &test_ec_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    size_t len = kvp_public_key_signature_len(public);
    uint8_t digest[32] = { 9 }, sig[2 * 66 + 1] = { 0 };

    test_ecdsa_sign(key, digest, sizeof(digest), sig);
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len + 1, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len - 1, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, 0, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_ecdsa_verify(public, NULL, 0, sig, len, NULL), KVP_ERR_MISMATCH);
    memset(sig, 0, len / 2); /* r = 0 */
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len, NULL),
                     KVP_ERR_MISMATCH);
    memset(sig, 0, len);
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len, NULL),
                     KVP_ERR_MISMATCH);
    memset(sig, 0xff, len); /* more than the order */
    ck_assert_int_eq(kvp_ecdsa_verify(public, digest, sizeof(digest), sig, len, NULL),
                     KVP_ERR_MISMATCH);
}
END_TEST

START_TEST(a_key_of_the_other_kind_is_refused)
{
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *rsa = test_key_public(&test_rsa_keys[0]);
    KVP_CLEANUP(kvp_public_key_freep)
    kvp_public_key *ec = test_key_public(&test_ec_keys[KVP_CURVE_P256]);
    uint8_t sig[256] = { 0 };
    kvp_buf out = { 0 };

    ck_assert_int_eq(kvp_ecdsa_verify(rsa, sig, 32, sig, 256, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(ec, sig, 32, sig, 64, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_recover_pkcs1(ec, sig, 64, &out, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_verify_pss(ec, KVP_HASH_SHA256, KVP_HASH_SHA256, 32, sig, sig, 64,
                                        NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(ec, sig, 1, &out, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_rsa_encrypt_oaep(ec, KVP_HASH_SHA1, KVP_HASH_SHA1, NULL, 0, sig, 1, &out,
                                          NULL),
                     KVP_ERR_INVALID);
}
END_TEST

/* Decrypt with the private key and compare. @hash none: PKCS#1 v1.5. */
static void assert_decrypts(const test_key *key, kvp_hash hash, kvp_hash mgf, const char *label,
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

START_TEST(pkcs1_encryption_takes_everything_that_fits)
{
    const test_key *key = &test_rsa_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    size_t most = key->bits / 8 - 11;
    uint8_t data[512];
    kvp_buf out = { 0 };

    memset(data, 0x5a, sizeof(data));
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(public, data, most, &out, NULL), KVP_OK);
    ck_assert_uint_eq(out.len, key->bits / 8);
    assert_decrypts(key, KVP_HASH_NONE, KVP_HASH_NONE, NULL, &out, data, most);
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(public, data, 1, &out, NULL), KVP_OK);
    assert_decrypts(key, KVP_HASH_NONE, KVP_HASH_NONE, NULL, &out, data, 1);
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(public, NULL, 0, &out, NULL), KVP_OK);
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(public, data, most + 1, &out, NULL), KVP_ERR_TOO_LARGE);
    ck_assert_uint_eq(out.len, key->bits / 8);
    kvp_buf_clear(&out);
}
END_TEST

static const struct {
    kvp_hash hash, mgf;
    const char *label;
} oaep_cases[] = {
    { KVP_HASH_SHA1, KVP_HASH_SHA1, NULL },     { KVP_HASH_SHA256, KVP_HASH_SHA256, NULL },
    { KVP_HASH_SHA512, KVP_HASH_SHA1, "label" }, { KVP_HASH_SHA384, KVP_HASH_SHA384, "label" },
};

START_TEST(oaep_encryption_takes_everything_that_fits)
{
    kvp_hash hash = oaep_cases[_i].hash, mgf = oaep_cases[_i].mgf;
    const char *label = oaep_cases[_i].label;
    size_t label_len = label ? strlen(label) : 0;

    for (size_t k = 0; k < TEST_RSA_COUNT; k++) {
        const test_key *key = &test_rsa_keys[k];
        KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
        size_t most = key->bits / 8 - 2 * kvp_hash_len(hash) - 2;
        uint8_t data[512];
        kvp_buf out = { 0 };

        memset(data, 0x5a, sizeof(data));
        ck_assert_int_eq(
            kvp_rsa_encrypt_oaep(public, hash, mgf, label, label_len, data, most, &out, NULL),
            KVP_OK);
        assert_decrypts(key, hash, mgf, label, &out, data, most);
        ck_assert_int_eq(
            kvp_rsa_encrypt_oaep(public, hash, mgf, label, label_len, NULL, 0, &out, NULL), KVP_OK);
        assert_decrypts(key, hash, mgf, label, &out, data, 0);
        ck_assert_int_eq(
            kvp_rsa_encrypt_oaep(public, hash, mgf, label, label_len, data, most + 1, &out, NULL),
            KVP_ERR_TOO_LARGE);
        ck_assert_int_eq(
            kvp_rsa_encrypt_oaep(public, KVP_HASH_NONE, mgf, NULL, 0, data, 1, &out, NULL),
            KVP_ERR_INVALID);
        kvp_buf_clear(&out);
    }
}
END_TEST

START_TEST(public_keys_survive_each_failing_allocation)
{
    const test_key *keys[] = { &test_rsa_keys[0], &test_ec_keys[KVP_CURVE_P256] };
    const test_key *key = keys[_i];
    kvp_public_key *public = NULL;
    kvp_buf out = { 0 };

    ck_assert_ptr_nonnull(kvp_ossl_ctx());
    for (long n = 0; !public; n++) {
        kvp_status st;

        kvp_alloc_fail_after(n);
        if (key->curve == KVP_CURVE_NONE)
            st = kvp_public_key_from_rsa(key->n, key->n_len, key->e, key->e_len, &public, NULL);
        else
            st = kvp_public_key_from_ec(key->curve, key->x, key->y, &public, NULL);
        kvp_alloc_fail_after(-1);
        ck_assert_int_eq(st, public ? KVP_OK : KVP_ERR_NO_MEMORY);
        ck_assert_int_lt(n, 50);
    }
    if (key->curve == KVP_CURVE_NONE)
        for (long n = 0; out.len == 0; n++) {
            kvp_alloc_fail_after(n);
            (void)kvp_rsa_encrypt_oaep(public, KVP_HASH_SHA1, KVP_HASH_SHA1, "l", 1, "a", 1, &out,
                                       NULL);
            kvp_alloc_fail_after(-1);
            ck_assert_int_lt(n, 50);
        }
    kvp_buf_clear(&out);
    kvp_public_key_free(public);
}
END_TEST

static kvp_public_key *shared_rsa, *shared_ec;
static uint8_t shared_sig[512], shared_raw[64];
static const uint8_t shared_digest[32] = { 4, 2 };

static void shared_make(void)
{
    shared_rsa = test_key_public(&test_rsa_keys[0]);
    shared_ec = test_key_public(&test_ec_keys[KVP_CURVE_P256]);
    rsa_sign(&test_rsa_keys[0], KVP_HASH_NONE, KVP_HASH_NONE, 0, shared_digest, 32, shared_sig);
    test_ecdsa_sign(&test_ec_keys[KVP_CURVE_P256], shared_digest, 32, shared_raw);
}

static void shared_drop(void)
{
    kvp_public_key_free(shared_rsa);
    kvp_public_key_free(shared_ec);
    shared_rsa = shared_ec = NULL;
}

static void *verify_in_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        if (kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, shared_sig, 256, NULL) != KVP_OK ||
            kvp_ecdsa_verify(shared_ec, shared_digest, 32, shared_raw, 64, NULL) != KVP_OK)
            return unused;
    return shared_rsa;
}

static bool verify_in_threads(void)
{
    pthread_t threads[4];
    bool ok = true;

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        if (pthread_create(&threads[i], NULL, verify_in_thread, NULL) != 0)
            return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        void *got = NULL;
        ok = pthread_join(threads[i], &got) == 0 && got == shared_rsa && ok;
    }
    return ok;
}

START_TEST(one_key_serves_many_threads)
{
    shared_make();
    ck_assert(verify_in_threads());
    shared_drop();
}
END_TEST

/* Run @fn in a child and expect it to leave with 0. */
static void in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static int verify_then_free(void)
{
    if (!verify_in_threads())
        return 1;
    shared_drop();
    return 0;
}

static int grandchild(void)
{
    in_child(verify_then_free);
    return verify_then_free();
}

static int free_only(void)
{
    shared_drop();
    return 0;
}

START_TEST(a_key_of_the_parent_serves_its_children)
{
    shared_make();

    in_child(verify_then_free);
    in_child(free_only);
    in_child(grandchild);

    ck_assert(verify_in_threads());
    shared_drop();
}
END_TEST

static int use_after_cleanup(void)
{
    kvp_public_key *public = NULL;
    const test_key *key = &test_rsa_keys[0];
    kvp_buf out = { 0 };

    OPENSSL_cleanup();
    if (kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, shared_sig, 256, NULL) !=
            KVP_ERR_CLOSED ||
        kvp_ecdsa_verify(shared_ec, shared_digest, 32, shared_raw, 64, NULL) != KVP_ERR_CLOSED ||
        kvp_rsa_encrypt_pkcs1(shared_rsa, "a", 1, &out, NULL) != KVP_ERR_CLOSED ||
        kvp_public_key_from_rsa(key->n, key->n_len, key->e, key->e_len, &public, NULL) !=
            KVP_ERR_CLOSED)
        return 1;
    if (kvp_public_key_spki(shared_rsa)->len == 0)
        return 2;
    shared_drop();
    return 0;
}

START_TEST(after_OPENSSL_cleanup_keys_are_only_forgotten)
{
    shared_make();
    in_child(use_after_cleanup);
    shared_drop();
}
END_TEST

#ifndef OPENSSL_NO_ENGINE
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static EVP_PKEY_METHOD *engine_methods[2];
static _Atomic int engine_asked;

/* As libp11's engine does it: OpenSSL's own methods, but for the keys that are the engine's. */
static int engine_pkey_methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **nids, int nid)
{
    static const int ours[] = { EVP_PKEY_RSA, EVP_PKEY_EC };
    (void)engine;

    if (!method) {
        *nids = ours;
        return 2;
    }
    engine_asked++;
    *method = engine_methods[nid == EVP_PKEY_EC];
    return 1;
}

/*
 * Engines are global to the process, and OpenSSL 3.0 asks a default one before any provider, private
 * context or not. What can be asked of us is to work with one that leaves strange keys to OpenSSL.
 */
START_TEST(an_engine_that_the_host_made_the_default_changes_nothing)
{
    ENGINE *engine = ENGINE_new();
    uint8_t bad[256];
    kvp_buf out = { 0 };

    ck_assert_ptr_nonnull(engine);
    for (int i = 0; i < 2; i++) {
        int nid = i ? EVP_PKEY_EC : EVP_PKEY_RSA;
        engine_methods[i] = EVP_PKEY_meth_new(nid, 0);
        EVP_PKEY_meth_copy(engine_methods[i], EVP_PKEY_meth_find(nid));
    }
    ck_assert_int_eq(ENGINE_set_id(engine, "kvp-test"), 1);
    ck_assert_int_eq(ENGINE_set_name(engine, "test"), 1);
    ck_assert_int_eq(ENGINE_set_pkey_meths(engine, engine_pkey_methods), 1);
    shared_make();
    ck_assert_int_eq(ENGINE_set_default(engine, ENGINE_METHOD_ALL), 1);

    ck_assert(verify_in_threads());
    memcpy(bad, shared_sig, sizeof(bad));
    bad[100] ^= 1;
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, bad, 256, NULL),
                     KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_encrypt_oaep(shared_rsa, KVP_HASH_SHA256, KVP_HASH_SHA1, "label", 5,
                                          "data", 4, &out, NULL),
                     KVP_OK);
    shared_drop();
    ck_assert_int_gt(engine_asked, 0);
    ENGINE_unregister_pkey_meths(engine);
    assert_decrypts(&test_rsa_keys[0], KVP_HASH_SHA256, KVP_HASH_SHA1, "label", &out, "data", 4);
    kvp_buf_clear(&out);
    ENGINE_free(engine);
}
END_TEST
#endif

static void add_tests(TCase *key, TCase *rsa, TCase *ec, TCase *process)
{
    tcase_add_loop_test(key, an_rsa_key_says_what_it_is, 0, TEST_RSA_COUNT);
    tcase_add_loop_test(key, an_ec_key_says_what_it_is, 1, KVP_CURVE_COUNT);
    tcase_add_test(key, a_bundle_becomes_a_public_key);
    tcase_add_loop_test(key, a_point_off_the_curve_is_no_key, 1, KVP_CURVE_COUNT);
    tcase_add_test(key, bad_rsa_numbers_are_no_key);
    tcase_add_test(key, leading_zeros_of_the_numbers_do_not_matter);
    tcase_add_test(key, a_key_of_the_other_kind_is_refused);
    tcase_add_loop_test(key, public_keys_survive_each_failing_allocation, 0, 2);
    tcase_add_loop_test(rsa, pkcs1_verifies_what_was_signed_and_nothing_else, 0, TEST_RSA_COUNT);
    tcase_add_test(rsa, pkcs1_of_no_bytes_at_all_verifies);
    tcase_add_loop_test(rsa, pss_verifies_with_exactly_its_parameters, 0,
                        KVP_ARRAY_LEN(pss_cases));
    tcase_add_loop_test(rsa, pkcs1_encryption_takes_everything_that_fits, 0, TEST_RSA_COUNT);
    tcase_add_loop_test(rsa, oaep_encryption_takes_everything_that_fits, 0,
                        KVP_ARRAY_LEN(oaep_cases));
    tcase_add_loop_test(ec, ecdsa_verifies_digests_of_any_length, 1, KVP_CURVE_COUNT);
    tcase_add_loop_test(ec, ecdsa_looks_at_the_leftmost_bits_of_the_order_only, 1, KVP_CURVE_COUNT);
    tcase_add_loop_test(ec, ecdsa_refuses_what_is_no_signature, 1, KVP_CURVE_COUNT);
    tcase_add_test(process, one_key_serves_many_threads);
    tcase_add_test(process, a_key_of_the_parent_serves_its_children);
    tcase_add_test(process, after_OPENSSL_cleanup_keys_are_only_forgotten);
#ifndef OPENSSL_NO_ENGINE
    tcase_add_test(process, an_engine_that_the_host_made_the_default_changes_nothing);
#endif
}

int main(void)
{
    Suite *suite = suite_create("public_key");
    TCase *key = tcase_create("key"), *rsa = tcase_create("rsa");
    TCase *ec = tcase_create("ecdsa"), *process = tcase_create("process");
    SRunner *runner;
    int failed;

    test_keys_make();
    add_tests(key, rsa, ec, process);
    tcase_set_timeout(rsa, 30);
    suite_add_tcase(suite, key);
    suite_add_tcase(suite, rsa);
    suite_add_tcase(suite, ec);
    suite_add_tcase(suite, process);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_free();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
