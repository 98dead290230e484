/* SPDX-License-Identifier: MIT */
/*
 * Symmetric -HSM keys in a PKCS#11 token, with SoftHSM 2: every algorithm against OpenSSL with the
 * same key, all sizes, what the objects are marked with. Skipped where SoftHSM is not installed.
 */
#include "config.h"

#include "softhsm.h"

#include "base/alloc.h"
#include "vaultd/token_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;
static kvp_error error;

static const unsigned sizes[] = { 128, 192, 256, 384, 512 };

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
    vault.api_version = "7.6";
    kvp_softhsm_make(&vault);
}

static void teardown(void)
{
    kvp_softhsm_close(&vault);
}

/* The same key here and in the token. */
static void make_twins(unsigned bits, kvp_engine_key **soft, kvp_engine_key **hard)
{
    ck_assert_int_eq(kvp_engine_generate_oct(bits, soft, &error), KVP_OK);
    ck_assert_msg(kvp_token_import(vault.daemon.token, *soft, hard, &error) == KVP_OK, "%s",
                  error.message);
    ck_assert_uint_eq((*hard)->bits, bits);
}

static void check_signing(const kvp_algorithm *alg, const kvp_engine_key *soft,
                          const kvp_engine_key *hard)
{
    uint8_t value[100] = { 1, 2, 3 };
    kvp_buf here = KVP_BUF_INIT(0), there = KVP_BUF_INIT(0);
    bool valid = false;

    ck_assert_int_eq(kvp_engine_sign(alg, soft, value, sizeof(value), &here, &error), KVP_OK);
    ck_assert_msg(kvp_engine_sign(alg, hard, value, sizeof(value), &there, &error) == KVP_OK,
                  "%s: %s", alg->name, error.message);
    ck_assert_mem_eq(here.data, there.data, here.len);
    ck_assert_uint_eq(here.len, there.len);
    ck_assert_int_eq(
        kvp_engine_verify(alg, hard, value, sizeof(value), here.data, here.len, &valid, &error),
        KVP_OK);
    ck_assert(valid);
    value[7]++;
    ck_assert_int_eq(
        kvp_engine_verify(alg, hard, value, sizeof(value), here.data, here.len, &valid, &error),
        KVP_OK);
    ck_assert(!valid);
    kvp_buf_clear(&here);
    kvp_buf_clear(&there);
}

static kvp_engine_extra extra_for(const kvp_algorithm *alg)
{
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };

    if (strcmp(alg->cipher, "CBC") == 0)
        ck_assert_int_eq(kvp_buf_set(&extra.iv, "0123456789abcdef", 16), KVP_OK);
    if (strcmp(alg->cipher, "GCM") == 0)
        ck_assert_int_eq(kvp_buf_set(&extra.aad, "aad", 3), KVP_OK);
    return extra;
}

/* Encrypt with the one, decrypt with the other; then change the ciphertext. */
static void check_cipher(const kvp_algorithm *alg, const kvp_engine_key *from,
                         const kvp_engine_key *to, size_t len)
{
    uint8_t value[100];
    kvp_engine_extra extra = extra_for(alg);
    kvp_buf sealed = KVP_BUF_INIT(0), plain = KVP_BUF_INIT_SECRET(0);
    bool zero_filled = strcmp(alg->cipher, "CBC") == 0 && !alg->pkcs7;

    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)(i + 1);
    ck_assert_msg(kvp_engine_encrypt(alg, from, value, len, &extra, &sealed, &error) == KVP_OK,
                  "%s, %zu bytes: %s", alg->name, len, error.message);
    ck_assert_msg(kvp_engine_decrypt(alg, to, sealed.data, sealed.len, &extra, &plain, &error) ==
                      KVP_OK,
                  "%s, %zu bytes: %s", alg->name, len, error.message);
    ck_assert_uint_eq(plain.len, zero_filled ? (len + 15) / 16 * 16 : len);
    if (len > 0)
        ck_assert_mem_eq(plain.data, value, len);
    plain.len = 0;
    /* A wrong tag, padding or start value is the value's fault. CBC alone cannot know, and a wrong
     * padding turns out right in one of 256 cases. */
    if (strcmp(alg->cipher, "CBC") != 0) {
        kvp_buf *wrong = extra.tag.len > 0 ? &extra.tag : &sealed;
        wrong->data[0] ^= 1;
        ck_assert_msg(kvp_engine_decrypt(alg, to, sealed.data, sealed.len, &extra, &plain,
                                         &error) == KVP_ERR_MISMATCH,
                      "%s: %s", alg->name, error.message);
    }
    kvp_buf_clear(&sealed);
    kvp_buf_clear(&plain);
    kvp_engine_extra_clear(&extra);
}

/* Lengths that the algorithm takes. */
static bool takes(const kvp_algorithm *alg, size_t len)
{
    if (strcmp(alg->cipher, "WRAP") == 0)
        return len >= 16 && len % 8 == 0;
    return len > 0 || strcmp(alg->cipher, "GCM") == 0;
}

START_TEST(every_symmetric_algorithm_agrees_with_openssl)
{
    static const size_t lengths[] = { 0, 1, 7, 8, 9, 15, 16, 17, 24, 32, 33, 64, 100 };
    kvp_engine_key *soft = NULL, *hard = NULL;
    unsigned bits = sizes[_i], tried = 0;

    make_twins(bits, &soft, &hard);
    for (size_t i = 0; i < kvp_algorithm_count; i++) {
        const kvp_algorithm *alg = &kvp_algorithms[i];
        if (alg->kind != KVP_ENGINE_OCT || (alg->key_bits && alg->key_bits != bits) ||
            (alg->cipher && bits > 256))
            continue;
        tried++;
        if (!alg->cipher)
            check_signing(alg, soft, hard);
        for (size_t j = 0; alg->cipher && j < KVP_ARRAY_LEN(lengths); j++) {
            if (!takes(alg, lengths[j]))
                continue;
            check_cipher(alg, soft, hard, lengths[j]);
            check_cipher(alg, hard, soft, lengths[j]);
        }
    }
    ck_assert_uint_eq(tried, bits < 256 ? 6 : bits == 256 ? 7 : 1);
    kvp_engine_key_unref(soft);
    kvp_engine_key_unref(hard);
}
END_TEST

START_TEST(paddings_that_are_wrong_are_the_callers_fault)
{
    const kvp_algorithm *alg = kvp_algorithm_find("A256CBCPAD");
    kvp_engine_key *soft = NULL, *hard = NULL;
    kvp_engine_extra extra = extra_for(alg);
    kvp_buf sealed = KVP_BUF_INIT(0), plain = KVP_BUF_INIT_SECRET(0);

    make_twins(256, &soft, &hard);
    /* Sealed without padding, the last byte of the plaintext is no length of one. */
    ck_assert_int_eq(kvp_engine_encrypt(kvp_algorithm_find("A256CBC"), hard, "0123456789abcdef", 16,
                                        &extra, &sealed, &error),
                     KVP_OK);
    ck_assert_int_eq(kvp_engine_decrypt(alg, hard, sealed.data, sealed.len, &extra, &plain, &error),
                     KVP_ERR_MISMATCH);
    kvp_buf_clear(&sealed);
    kvp_buf_clear(&plain);
    kvp_engine_extra_clear(&extra);
    kvp_engine_key_unref(soft);
    kvp_engine_key_unref(hard);
}
END_TEST

/* The flag of an object. */
static bool flag(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = 2;
    CK_ATTRIBUTE attribute = { type, &value, sizeof(value) };

    ck_assert_int_eq(kvp_token_functions(vault.daemon.token)
                         ->C_GetAttributeValue(session, object, &attribute, 1),
                     CKR_OK);
    ck_assert_uint_le(value, 1);
    return value;
}

static void check_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    uint8_t secret[64];
    CK_ATTRIBUTE attribute = { CKA_VALUE, secret, sizeof(secret) };
    CK_FUNCTION_LIST *f = kvp_token_functions(vault.daemon.token);

    ck_assert(flag(session, object, CKA_TOKEN));
    ck_assert(flag(session, object, CKA_PRIVATE));
    ck_assert(flag(session, object, CKA_SENSITIVE));
    ck_assert(!flag(session, object, CKA_EXTRACTABLE));
    ck_assert(!flag(session, object, CKA_WRAP));
    ck_assert(!flag(session, object, CKA_UNWRAP));
    ck_assert_int_eq(f->C_GetAttributeValue(session, object, &attribute, 1),
                     CKR_ATTRIBUTE_SENSITIVE);
}

START_TEST(generated_keys_cannot_be_read_from_the_token)
{
    kvp_engine_key *key = NULL, *back = NULL;
    kvp_buf reference = KVP_BUF_INIT(0);
    CK_SESSION_HANDLE session;
    unsigned bits = sizes[_i];

    ck_assert_msg(kvp_token_generate_oct(vault.daemon.token, bits, &key, &error) == KVP_OK, "%s",
                  error.message);
    ck_assert_uint_eq(key->bits, bits);
    ck_assert_uint_eq(key->secret_len, 0);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), bits == 256 ? 2 : 1);
    ck_assert_int_eq(kvp_token_take(vault.daemon.token, &session, &error), KVP_OK);
    if (bits <= 256)
        check_object(session, key->in_token->aes_key);
    if (bits >= 256)
        check_object(session, key->in_token->mac_key);
    kvp_token_give(vault.daemon.token, session, CKR_OK);
    /* Found again by what the store keeps; gone after its end. */
    ck_assert_int_eq(kvp_engine_save(key, &reference, &error), KVP_OK);
    ck_assert_int_eq(kvp_token_load(vault.daemon.token, KVP_ENGINE_OCT, reference.data,
                                    reference.len, &back, &error),
                     KVP_OK);
    ck_assert_uint_eq(back->bits, bits);
    ck_assert_int_eq(kvp_token_destroy(vault.daemon.token, reference.data, reference.len, &error),
                     KVP_OK);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 0);
    kvp_engine_key_unref(back);
    ck_assert_int_eq(kvp_token_load(vault.daemon.token, KVP_ENGINE_OCT, reference.data,
                                    reference.len, &back, &error),
                     KVP_ERR_NOT_FOUND);
    kvp_buf_clear(&reference);
    kvp_engine_key_unref(key);
}
END_TEST

/* What one request makes of @value. */
static char *use(const char *path, const char *alg, const char *value)
{
    json_t *answer =
        kvp_test_callf(&vault, "POST", path, 200, "{\"alg\":\"%s\",\"value\":\"%s\"}", alg, value);
    char *text = kvp_strdup(kvp_test_text(answer, "value"));

    json_decref(answer);
    return text;
}

START_TEST(a_symmetric_key_lives_in_the_token)
{
    kvp_key_record record = { .row = 0 };
    kvp_buf material = KVP_BUF_INIT_SECRET(0);

    json_decref(kvp_test_call(&vault, "POST", "/keys/o/create",
                              "{\"kty\":\"oct-HSM\",\"key_size\":256,\"key_ops\":[\"sign\","
                              "\"verify\",\"wrapKey\",\"unwrapKey\"]}",
                              200));
    ck_assert_int_eq(kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, "o", NULL,
                                       KVP_KEY_LIVE, &record, NULL),
                     KVP_OK);
    ck_assert(record.in_token);
    ck_assert_int_eq(
        kvp_store_key_material(vault.daemon.store, &vault.daemon.vault, &record, &material, NULL),
        KVP_OK);
    ck_assert(kvp_token_is_reference(material.data, material.len));
    char *wrapped = use("/keys/o/wrapKey", "A256KW", "AAECAwQFBgcICQoLDA0ODw");
    char *mac = use("/keys/o/sign", "HS256", "AAECAwQFBgcICQoLDA0ODw");
    json_t *blob = kvp_test_call(&vault, "POST", "/keys/o/backup", NULL, 200);
    json_decref(kvp_test_call(&vault, "POST", "/keys/o/rotate", NULL, 200));
    char *other = use("/keys/o/sign", "HS256", "AAECAwQFBgcICQoLDA0ODw");
    ck_assert_str_ne(mac, other);
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/o", NULL, 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedkeys/o", NULL, 204));
    json_decref(kvp_test_callf(&vault, "POST", "/keys/restore", 200, "{\"value\":\"%s\"}",
                               kvp_test_text(blob, "value")));
    char *plain = use("/keys/o/unwrapKey", "A256KW", wrapped);
    ck_assert_str_eq(plain, "AAECAwQFBgcICQoLDA0ODw");
    kvp_free(other);
    other = use("/keys/o/sign", "HS256", "AAECAwQFBgcICQoLDA0ODw");
    ck_assert_str_eq(mac, other);
    kvp_free(plain);
    kvp_free(other);
    kvp_free(mac);
    kvp_free(wrapped);
    json_decref(blob);
    kvp_buf_clear(&material);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(an_imported_symmetric_key_does_what_its_twin_did)
{
    json_t *jwk = kvp_test_call(&vault, "PUT", "/keys/i",
                                "{\"key\":{\"kty\":\"oct-HSM\",\"k\":"
                                "\"pBZVALPctDgu2eVdVrBgNQlZ2-cIIN8mT0JDMENMD28\",\"key_ops\":"
                                "[\"sign\"]}}",
                                200);
    /* The vector of the wire reference, section 5.2. */
    char *mac = use("/keys/i/sign", "HS256", "fXYe7bL0QaXwk65meK-NlRE-ty0-bdHJBY4zMEc8eXc");

    ck_assert_str_eq(mac, "738mLG7DvsXC_8DYffVppi44X9I9E97Ep2m6b_r1F58");
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    kvp_free(mac);
    json_decref(jwk);
}
END_TEST

START_TEST(a_key_that_cannot_be_stored_leaves_nothing_in_the_token)
{
    kvp_engine_key *key = NULL;

    ck_assert_int_eq(kvp_token_generate_oct(vault.daemon.token, 256, &key, &error), KVP_OK);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    kvp_token_discard(key);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 0);
    kvp_engine_key_unref(key);
    ck_assert_int_eq(kvp_token_generate_oct(vault.daemon.token, 320, &key, &error),
                     KVP_ERR_INVALID);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hsm_symmetric");
    TCase *tests = tcase_create("token");

    if (!kvp_softhsm_module())
        return KVP_TEST_SKIPPED;
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_symmetric_algorithm_agrees_with_openssl, 0,
                        (int)KVP_ARRAY_LEN(sizes));
    tcase_add_test(tests, paddings_that_are_wrong_are_the_callers_fault);
    tcase_add_loop_test(tests, generated_keys_cannot_be_read_from_the_token, 0,
                        (int)KVP_ARRAY_LEN(sizes));
    tcase_add_test(tests, a_symmetric_key_lives_in_the_token);
    tcase_add_test(tests, an_imported_symmetric_key_does_what_its_twin_did);
    tcase_add_test(tests, a_key_that_cannot_be_stored_leaves_nothing_in_the_token);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
