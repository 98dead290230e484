/* SPDX-License-Identifier: MIT */
/* Keys in use over exchanges: answers, states that forbid, inputs that cannot be. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void setup_hsm(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
    vault.api_version = "7.6";
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

#define DIGEST32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static void create(const char *name, const char *members)
{
    char path[64];

    snprintf(path, sizeof(path), "/keys/%s/create", name);
    json_decref(kvp_test_callf(&vault, "POST", path, 200, "{%s}", members));
}

START_TEST(sign_and_verify_go_together_with_and_without_a_version)
{
    json_t *key = kvp_test_call(&vault, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 200);
    char path[300];

    static const char *const forms[] = { "/keys/k/%s", "/keys/k//%s", NULL };
    for (size_t i = 0; i < KVP_ARRAY_LEN(forms); i++) {
        if (!forms[i])
            snprintf(path, sizeof(path), "%s/sign", kvp_test_text(key, "key.kid") + 22);
        else
            snprintf(path, sizeof(path), "/keys/k%s/sign", i ? "/" : "");
        json_t *signed_ = kvp_test_call(&vault, "POST", path,
                                        "{\"alg\":\"ES256\",\"value\":\"" DIGEST32 "\"}", 200);
        ck_assert_str_eq(kvp_test_text(signed_, "kid"), kvp_test_text(key, "key.kid"));
        ck_assert_uint_eq(json_object_size(signed_), 2);
        json_t *verified =
            kvp_test_callf(&vault, "POST", "/keys/k/VERIFY", 200,
                           "{\"alg\":\"ES256\",\"digest\":\"" DIGEST32 "\",\"value\":\"%s\"}",
                           kvp_test_text(signed_, "value"));
        ck_assert(json_is_true(kvp_test_at(verified, "value")));
        ck_assert_uint_eq(json_object_size(verified), 1);
        json_decref(verified);
        json_decref(signed_);
    }
    json_t *wrong =
        kvp_test_call(&vault, "POST", "/keys/k/verify",
                      "{\"alg\":\"ES256\",\"digest\":\"" DIGEST32 "\",\"value\":\"AAAA\"}", 200);
    ck_assert(json_is_false(kvp_test_at(wrong, "value")));
    json_decref(wrong);
    json_decref(key);
}
END_TEST

START_TEST(signing_still_works_after_a_restart)
{
    create("k", "\"kty\":\"EC\",\"crv\":\"P-521\"");
    kvp_test_vault_restart(&vault);
    char *digest =
        kvp_test_base64("0123456789012345678901234567890123456789012345678901234567890123", 64);

    json_t *answer = kvp_test_callf(&vault, "POST", "/keys/k/sign", 200,
                                    "{\"alg\":\"ES512\",\"value\":\"%s\"}", digest);

    ck_assert_uint_eq(strlen(kvp_test_text(answer, "value")), 176);
    json_decref(answer);
    kvp_free(digest);
}
END_TEST

START_TEST(rsa_encrypts_and_wraps_by_every_padding)
{
    static const char *const words[][2] = { { "encrypt", "decrypt" },
                                            { "wrapKey", "unwrapKey" },
                                            { "wrapkey", "unwrapkey" } };
    static const char *const algs[] = { "RSA1_5", "RSA-OAEP", "RSA-OAEP-256" };
    char path[64];

    create("k", "\"kty\":\"RSA\"");
    for (size_t w = 0; w < KVP_ARRAY_LEN(words); w++) {
        for (size_t a = 0; a < KVP_ARRAY_LEN(algs); a++) {
            snprintf(path, sizeof(path), "/keys/k/%s", words[w][0]);
            json_t *out = kvp_test_callf(&vault, "POST", path, 200,
                                         "{\"alg\":\"%s\",\"value\":\"" DIGEST32 "\"}", algs[a]);
            ck_assert_uint_eq(json_object_size(out), 2);
            snprintf(path, sizeof(path), "/keys/k/%s", words[w][1]);
            json_t *back =
                kvp_test_callf(&vault, "POST", path, 200, "{\"alg\":\"%s\",\"value\":\"%s\"}",
                               algs[a], kvp_test_text(out, "value"));
            ck_assert_str_eq(kvp_test_text(back, "value"), DIGEST32);
            json_decref(out);
            json_decref(back);
        }
    }
}
END_TEST

START_TEST(what_does_not_decrypt_is_a_bad_parameter)
{
    uint8_t garbage[256] = { 0, 5, 6 };
    char *text = kvp_test_base64(garbage, sizeof(garbage));

    create("k", "\"kty\":\"RSA\"");
    kvp_test_error(kvp_test_callf(&vault, "POST", "/keys/k/decrypt", 400,
                                  "{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", text),
                   "BadParameter", NULL, "");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/decrypt",
                                 "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", 400),
                   "BadParameter", NULL, "Invalid length of 'value': 3 bytes.");
    kvp_free(text);
}
END_TEST

static const struct {
    const char *body, *text;
} bad_signs[] = {
    { "{}", "Property alg has" },
    { "{\"alg\":5,\"value\":\"\"}", "Property alg has" },
    { "{\"alg\":\"XX256\",\"value\":\"\"}", "Property alg has" },
    { "{\"alg\":\"RSA-OAEP\",\"value\":\"\"}", "Property alg has" },
    { "{\"alg\":\"HS256\",\"value\":\"\"}", "Property alg has" },
    { "{\"alg\":\"RS256\"}", "can only be used with a key of type 'RSA' or 'RSA-HSM'." },
    { "{\"alg\":\"ES256\"}", "Property value has" },
    { "{\"alg\":\"ES256\",\"value\":7}", "Property value has" },
    { "{\"alg\":\"ES256\",\"value\":\"a+b/\"}", "Property value has" },
    { "{\"alg\":\"ES256\",\"value\":\"AAE=\"}", "Property value has" },
    { "{\"alg\":\"ES256\",\"value\":\"AAAAAAAAAAAAAA\"}",
      "Invalid length of 'value': 10 bytes. ES256 requires 32 bytes, encoded with base64url." },
    { "{\"alg\":\"ES256\",\"value\":\"\"}", "Invalid length of 'value': 0 bytes." },
    { "{\"alg\":\"ES256K\",\"value\":\"" DIGEST32 "\"}",
      " uses curve 'P-256', and algorithm 'ES256K' can only be used with curve 'P-256K'." },
};

START_TEST(sign_refuses_what_cannot_be)
{
    create("k", "\"kty\":\"EC\"");

    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/sign", bad_signs[_i].body, 400),
                   "BadParameter", NULL, bad_signs[_i].text);
}
END_TEST

START_TEST(the_type_error_names_key_and_type)
{
    json_t *key = kvp_test_call(&vault, "POST", "/keys/k/create", "{\"kty\":\"RSA\"}", 200);
    char want[500];

    snprintf(want, sizeof(want),
             "Key and signing algorithm are incompatible. Key %s is of type 'RSA', and algorithm "
             "'ES256' can only be used with a key of type 'EC' or 'EC-HSM'.",
             kvp_test_text(key, "key.kid"));
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/sign",
                                 "{\"alg\":\"ES256\",\"value\":\"" DIGEST32 "\"}", 400),
                   "BadParameter", NULL, want);
    json_decref(key);
}
END_TEST

START_TEST(a_disabled_key_does_nothing)
{
    static const char *const words[] = { "sign",    "verify",  "encrypt",
                                         "decrypt", "wrapKey", "unwrapKey" };
    char path[64], want[100];

    create("k", "\"kty\":\"RSA\",\"attributes\":{\"enabled\":false}");
    snprintf(path, sizeof(path), "/keys/k/%s", words[_i]);
    snprintf(want, sizeof(want), "Operation %s is not allowed on a disabled key.", words[_i]);
    kvp_test_error(kvp_test_call(&vault, "POST", path, "{\"alg\":\"RS256\",\"value\":\"\"}", 403),
                   "Forbidden", "KeyDisabled", want);
    json_decref(kvp_test_call(&vault, "GET", "/keys/k", NULL, 200));
}
END_TEST

START_TEST(a_key_does_only_what_its_operations_say)
{
    create("k", "\"kty\":\"RSA\",\"key_ops\":[\"unwrapKey\"]");

    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/wrapKey",
                                 "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", 403),
                   "Forbidden", "KeyOperationForbidden",
                   "Operation wrapKey is not permitted on this key.");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/decrypt",
                                 "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", 403),
                   "Forbidden", "KeyOperationForbidden",
                   "Operation decrypt is not permitted on this key.");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/unwrapKey",
                                 "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", 400),
                   "BadParameter", NULL, "Invalid length");
}
END_TEST

/* Outside nbf..exp, what makes something new is refused, what reads something old is not. */
START_TEST(the_window_closes_for_sign_encrypt_and_wrap_only)
{
    static const struct {
        const char *word;
        bool refused;
    } rows[] = { { "sign", true },    { "encrypt", true },  { "wrapKey", true },
                 { "verify", false }, { "decrypt", false }, { "unwrapKey", false } };
    bool expired = _i < 6;
    char path[64];

    create("k", expired ? "\"kty\":\"RSA\",\"attributes\":{\"exp\":1000}"
                        : "\"kty\":\"RSA\",\"attributes\":{\"nbf\":9999999999}");
    snprintf(path, sizeof(path), "/keys/k/%s", rows[_i % 6].word);
    json_t *answer =
        kvp_test_call(&vault, "POST", path, "{\"alg\":\"none\",\"value\":\"\",\"digest\":\"\"}",
                      rows[_i % 6].refused ? 403 : 400);
    if (rows[_i % 6].refused)
        kvp_test_error(answer, "Forbidden", expired ? "KeyExpired" : "KeyNotYetValid",
                       expired ? "is not allowed on an expired key."
                               : "is not allowed on a key that is not yet valid.");
    else
        kvp_test_error(answer, "BadParameter", NULL, "Property alg has");
}
END_TEST

START_TEST(keys_and_versions_that_are_not_there_are_not_found)
{
    create("k", "\"kty\":\"EC\"");

    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/none/sign", "{\"alg\":\"ES256\"}", 404),
                   "KeyNotFound", NULL, "A key with (name/id) none was not found");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/00000000000000000000000000000000/sign",
                                 "{\"alg\":\"ES256\"}", 404),
                   "KeyNotFound", NULL, "(name/id) k/00000000000000000000000000000000 was");
}
END_TEST

START_TEST(a_symmetric_key_of_an_hsm_answers_with_everything_it_needs)
{
    create("k",
           "\"kty\":\"oct-HSM\",\"key_ops\":[\"encrypt\",\"decrypt\",\"wrapKey\",\"unwrapKey\","
           "\"sign\",\"verify\"]");
    json_t *gcm =
        kvp_test_call(&vault, "POST", "/keys/k/encrypt",
                      "{\"alg\":\"A256GCM\",\"value\":\"" DIGEST32 "\",\"aad\":\"dGVzdA\"}", 200);
    ck_assert_str_eq(kvp_test_text(gcm, "alg"), "A256GCM");
    ck_assert_str_eq(kvp_test_text(gcm, "aad"), "dGVzdA");
    ck_assert_uint_eq(strlen(kvp_test_text(gcm, "iv")), 16);
    ck_assert_uint_eq(strlen(kvp_test_text(gcm, "tag")), 22);
    json_t *back = kvp_test_callf(&vault, "POST", "/keys/k/decrypt", 200,
                                  "{\"alg\":\"A256GCM\",\"value\":\"%s\",\"iv\":\"%s\",\"tag\":"
                                  "\"%s\",\"aad\":\"dGVzdA\"}",
                                  kvp_test_text(gcm, "value"), kvp_test_text(gcm, "iv"),
                                  kvp_test_text(gcm, "tag"));
    ck_assert_str_eq(kvp_test_text(back, "value"), DIGEST32);
    ck_assert_uint_eq(json_object_size(back), 3);
    json_decref(back);
    json_decref(gcm);

    json_t *cbc = kvp_test_call(&vault, "POST", "/keys/k/encrypt",
                                "{\"alg\":\"A256CBCPAD\",\"value\":\"" DIGEST32
                                "\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"aad\":\"dGVzdA\"}",
                                200);
    ck_assert_uint_eq(json_object_size(cbc), 4);
    ck_assert_str_eq(kvp_test_text(cbc, "iv"), "AAAAAAAAAAAAAAAAAAAAAA");
    json_decref(cbc);

    json_t *mac = kvp_test_call(&vault, "POST", "/keys/k/sign",
                                "{\"alg\":\"HS256\",\"value\":\"" DIGEST32 "\"}", 200);
    json_t *valid =
        kvp_test_callf(&vault, "POST", "/keys/k/verify", 200,
                       "{\"alg\":\"HS256\",\"digest\":\"" DIGEST32 "\",\"value\":\"%s\"}",
                       kvp_test_text(mac, "value"));
    ck_assert(json_is_true(kvp_test_at(valid, "value")));
    ck_assert_str_eq(kvp_test_text(valid, "alg"), "HS256");
    ck_assert_str_eq(kvp_test_text(valid, "kid"), kvp_test_text(mac, "kid"));
    json_decref(valid);
    json_decref(mac);
}
END_TEST

static const struct {
    const char *word, *body, *text;
} bad_ciphers[] = {
    { "encrypt", "{\"alg\":\"A128GCM\",\"value\":\"AAAA\"}", "can only be used with a key of 128" },
    { "encrypt", "{\"alg\":\"A256KW\",\"value\":\"AAAA\"}", "Property alg has" },
    { "encrypt", "{\"alg\":\"A256CBC\",\"value\":\"AAAA\"}", "Invalid length of 'iv': 0 bytes" },
    { "encrypt", "{\"alg\":\"A256CBC\",\"value\":\"AAAA\",\"iv\":5}", "Property iv has" },
    { "encrypt", "{\"alg\":\"A256CBC\",\"value\":\"AAAA\",\"iv\":\"AAAA\"}",
      "Invalid length of 'iv': 3 bytes" },
    { "decrypt", "{\"alg\":\"A256GCM\",\"value\":\"AAAA\"}", "Invalid length of 'iv'" },
    { "decrypt", "{\"alg\":\"A256GCM\",\"value\":\"AAAA\",\"iv\":\"AAAAAAAAAAAAAAAA\"}",
      "Invalid length of 'tag'" },
    { "decrypt",
      "{\"alg\":\"A256GCM\",\"value\":\"AAAA\",\"iv\":\"AAAAAAAAAAAAAAAA\",\"tag\":"
      "\"AAAAAAAAAAAAAAAAAAAAAA\"}",
      "could not be decrypted" },
    { "decrypt", "{\"alg\":\"A256CBC\",\"value\":\"AAAA\",\"iv\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
      "Invalid length of 'value': 3 bytes" },
    { "wrapKey", "{\"alg\":\"A256KW\",\"value\":\"AAAA\"}", "Invalid length of 'value': 3 bytes" },
    { "unwrapKey", "{\"alg\":\"A256KW\",\"value\":\"" DIGEST32 "\"}", "could not be decrypted" },
    { "wrapKey", "{\"alg\":\"A256GCM\",\"value\":\"AAAA\",\"aad\":[]}", "Property aad has" },
    { "wrapKey", "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", "with a key of type 'RSA'" },
};

START_TEST(ciphers_refuse_what_cannot_be)
{
    char path[64];

    create("k", "\"kty\":\"oct-HSM\"");
    snprintf(path, sizeof(path), "/keys/k/%s", bad_ciphers[_i].word);

    kvp_test_error(kvp_test_call(&vault, "POST", path, bad_ciphers[_i].body, 400), "BadParameter",
                   NULL, bad_ciphers[_i].text);
}
END_TEST

START_TEST(algorithms_of_7_6_are_unknown_before)
{
    create("k", "\"kty\":\"oct-HSM\"");
    json_t *wrapped =
        kvp_test_call(&vault, "POST", "/keys/k/wrapKey",
                      "{\"alg\":\"CKM_AES_KEY_WRAP_PAD\",\"value\":\"" DIGEST32 "\"}", 200);
    ck_assert_uint_eq(strlen(kvp_test_text(wrapped, "value")), 54);
    json_decref(wrapped);

    vault.api_version = "7.5";
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/wrapKey",
                                 "{\"alg\":\"CKM_AES_KEY_WRAP_PAD\",\"value\":\"" DIGEST32 "\"}",
                                 400),
                   "BadParameter", NULL, "Property alg has");
}
END_TEST

START_TEST(a_long_hmac_key_is_no_aes_key)
{
    create("k", "\"kty\":\"oct-HSM\",\"key_size\":512,\"key_ops\":[\"wrapKey\",\"sign\"]");

    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/wrapKey",
                                 "{\"alg\":\"CKM_AES_KEY_WRAP\",\"value\":\"" DIGEST32 "\"}", 400),
                   "BadParameter", NULL, "has 512 bits");
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/sign",
                              "{\"alg\":\"HS512\",\"value\":\"" DIGEST32 "\"}", 200));
}
END_TEST

START_TEST(the_log_names_key_and_algorithm_and_nothing_secret)
{
    create("k", "\"kty\":\"EC\"");
    json_t *answer = kvp_test_call(&vault, "POST", "/keys/k/sign",
                                   "{\"alg\":\"ES256\",\"value\":\"" DIGEST32 "\"}", 200);
    char *log = kvp_test_read(kvp_test_path(vault.dir, KVP_USAGE_LOG_EVENTS));
    char *line = strstr(log, "\"operationName\":\"KeySign\"");

    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, kvp_test_text(answer, "kid")));
    ck_assert_ptr_nonnull(strstr(line, "\"algorithm\":\"ES256\""));
    ck_assert_ptr_null(strstr(log, DIGEST32));
    ck_assert_ptr_null(strstr(log, kvp_test_text(answer, "value")));
    kvp_free(log);
    json_decref(answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd key use");
    TCase *in_vault = tcase_create("vault"), *in_hsm = tcase_create("hsm");

    tcase_set_timeout(in_vault, 120);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_checked_fixture(in_hsm, setup_hsm, teardown);
    tcase_add_test(in_vault, sign_and_verify_go_together_with_and_without_a_version);
    tcase_add_test(in_vault, signing_still_works_after_a_restart);
    tcase_add_test(in_vault, rsa_encrypts_and_wraps_by_every_padding);
    tcase_add_test(in_vault, what_does_not_decrypt_is_a_bad_parameter);
    tcase_add_loop_test(in_vault, sign_refuses_what_cannot_be, 0, (int)KVP_ARRAY_LEN(bad_signs));
    tcase_add_test(in_vault, the_type_error_names_key_and_type);
    tcase_add_loop_test(in_vault, a_disabled_key_does_nothing, 0, 6);
    tcase_add_test(in_vault, a_key_does_only_what_its_operations_say);
    tcase_add_loop_test(in_vault, the_window_closes_for_sign_encrypt_and_wrap_only, 0, 12);
    tcase_add_test(in_vault, keys_and_versions_that_are_not_there_are_not_found);
    tcase_add_test(in_vault, the_log_names_key_and_algorithm_and_nothing_secret);
    tcase_add_test(in_hsm, a_symmetric_key_of_an_hsm_answers_with_everything_it_needs);
    tcase_add_loop_test(in_hsm, ciphers_refuse_what_cannot_be, 0, (int)KVP_ARRAY_LEN(bad_ciphers));
    tcase_add_test(in_hsm, algorithms_of_7_6_are_unknown_before);
    tcase_add_test(in_hsm, a_long_hmac_key_is_no_aes_key);
    suite_add_tcase(suite, in_vault);
    suite_add_tcase(suite, in_hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
