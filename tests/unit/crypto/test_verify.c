/* SPDX-License-Identifier: MIT */
/* Verification and encryption, against signatures and plaintexts of OpenSSL. */
#include "crypto/crypto.h"
#include "keys.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(pkcs1_verifies_what_was_signed_and_nothing_else)
{
    const test_key *key = &test_rsa_keys[_i];
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *public = test_key_public(key);
    static const char data[] = "any bytes, not a DigestInfo";
    uint8_t sig[513];
    size_t len = test_rsa_sign(key, KVP_HASH_NONE, KVP_HASH_NONE, 0, data, sizeof(data), sig);
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
    size_t len = test_rsa_sign(key, KVP_HASH_NONE, KVP_HASH_NONE, 0, "", 0, sig);

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
        size_t len =
            test_rsa_sign(&test_rsa_keys[k], hash, mgf, (int)salt, digest, kvp_hash_len(hash), sig);

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

/*
 * Digests from nothing to more than any order: OpenSSL, on the other side, cuts them the same way.
 */
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
    test_rsa_assert_decrypts(key, KVP_HASH_NONE, KVP_HASH_NONE, NULL, &out, data, most);
    ck_assert_int_eq(kvp_rsa_encrypt_pkcs1(public, data, 1, &out, NULL), KVP_OK);
    test_rsa_assert_decrypts(key, KVP_HASH_NONE, KVP_HASH_NONE, NULL, &out, data, 1);
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
        test_rsa_assert_decrypts(key, hash, mgf, label, &out, data, most);
        ck_assert_int_eq(
            kvp_rsa_encrypt_oaep(public, hash, mgf, label, label_len, NULL, 0, &out, NULL), KVP_OK);
        test_rsa_assert_decrypts(key, hash, mgf, label, &out, data, 0);
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

int main(void)
{
    Suite *suite = suite_create("verify");
    TCase *rsa = tcase_create("rsa");
    TCase *ec = tcase_create("ec");
    SRunner *runner;
    int failed;

    test_keys_make();
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
    tcase_set_timeout(rsa, 30);
    suite_add_tcase(suite, rsa);
    tcase_set_timeout(ec, 30);
    suite_add_tcase(suite, ec);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_free();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
