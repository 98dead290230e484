/* SPDX-License-Identifier: MIT */
/* Public keys of every kind and size, from good numbers and bad ones. */
#include "base/alloc.h"
#include "crypto/crypto.h"
#include "crypto/ossl.h"
#include "keys.h"

#include <check.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static void assert_spki(const kvp_public_key *key, EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);

    ck_assert_int_gt(len, 0);
    ck_assert_uint_eq(kvp_public_key_spki(key)->len, (size_t)len);
    ck_assert_mem_eq(kvp_public_key_spki(key)->data, der, (size_t)len);
    OPENSSL_free(der);
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

int main(void)
{
    Suite *suite = suite_create("public_key");
    TCase *key = tcase_create("key");
    SRunner *runner;
    int failed;

    test_keys_make();
    tcase_add_loop_test(key, an_rsa_key_says_what_it_is, 0, TEST_RSA_COUNT);
    tcase_add_loop_test(key, an_ec_key_says_what_it_is, 1, KVP_CURVE_COUNT);
    tcase_add_test(key, a_bundle_becomes_a_public_key);
    tcase_add_loop_test(key, a_point_off_the_curve_is_no_key, 1, KVP_CURVE_COUNT);
    tcase_add_test(key, bad_rsa_numbers_are_no_key);
    tcase_add_test(key, leading_zeros_of_the_numbers_do_not_matter);
    tcase_add_test(key, a_key_of_the_other_kind_is_refused);
    tcase_add_loop_test(key, public_keys_survive_each_failing_allocation, 0, 2);
    tcase_set_timeout(key, 30);
    suite_add_tcase(suite, key);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_free();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
