/* SPDX-License-Identifier: MIT */
/*
 * -HSM keys in a PKCS#11 token, with SoftHSM 2: every algorithm that has a private half, import,
 * rotation, backup, restart, and that the store holds no private key. Skipped where SoftHSM is not
 * installed.
 */
#include "config.h"

#include "softhsm.h"

#include "base/alloc.h"
#include "vaultd/keeper.h"
#include "vaultd/token_home.h"

#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    kvp_softhsm_make(&vault);
}

static void teardown(void)
{
    kvp_softhsm_close(&vault);
}

static void create(const char *name, const char *body)
{
    char path[80];

    snprintf(path, sizeof(path), "/keys/%s/create", name);
    json_t *key = kvp_test_call(&vault, "POST", path, body, 200);
    ck_assert_str_eq(kvp_test_text(key, "attributes.hsmPlatform"), "1");
    json_decref(key);
}

/* Sign with the token, verify with OpenSSL; a changed digest must not verify. */
static void sign_and_verify(const char *name, const char *alg, size_t digest_len)
{
    uint8_t digest[64];
    char path[80];

    for (size_t i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(i * 7 + 1);
    char *text = kvp_test_base64(digest, digest_len);
    snprintf(path, sizeof(path), "/keys/%s/sign", name);
    json_t *signature =
        kvp_test_callf(&vault, "POST", path, 200, "{\"alg\":\"%s\",\"value\":\"%s\"}", alg, text);
    snprintf(path, sizeof(path), "/keys/%s/verify", name);
    for (int wrong = 0; wrong < 2; wrong++) {
        digest[0] ^= (uint8_t)wrong;
        char *shown = kvp_test_base64(digest, digest_len);
        json_t *verdict = kvp_test_callf(&vault, "POST", path, 200,
                                         "{\"alg\":\"%s\",\"digest\":\"%s\",\"value\":\"%s\"}", alg,
                                         shown, kvp_test_text(signature, "value"));
        ck_assert_msg(json_is_true(kvp_test_at(verdict, "value")) == !wrong, "%s", alg);
        json_decref(verdict);
        kvp_free(shown);
    }
    json_decref(signature);
    kvp_free(text);
}

static void encrypt_and_decrypt(const char *name, const char *alg, const char *to, const char *from)
{
    char path[80];

    snprintf(path, sizeof(path), "/keys/%s/%s", name, to);
    json_t *sealed = kvp_test_callf(&vault, "POST", path, 200,
                                    "{\"alg\":\"%s\",\"value\":\"aGVsbG8gdG9rZW4\"}", alg);
    snprintf(path, sizeof(path), "/keys/%s/%s", name, from);
    json_t *plain = kvp_test_callf(&vault, "POST", path, 200, "{\"alg\":\"%s\",\"value\":\"%s\"}",
                                   alg, kvp_test_text(sealed, "value"));
    ck_assert_str_eq(kvp_test_text(plain, "value"), "aGVsbG8gdG9rZW4");
    json_decref(plain);
    json_decref(sealed);
}

START_TEST(rsa_keys_of_the_token_do_all_that_rsa_keys_do)
{
    create("r", "{\"kty\":\"RSA-HSM\"}");
    sign_and_verify("r", "RS256", 32);
    sign_and_verify("r", "RS384", 48);
    sign_and_verify("r", "RS512", 64);
    sign_and_verify("r", "PS256", 32);
    sign_and_verify("r", "PS384", 48);
    sign_and_verify("r", "PS512", 64);
    sign_and_verify("r", "RSNULL", 36);
    encrypt_and_decrypt("r", "RSA1_5", "encrypt", "decrypt");
    encrypt_and_decrypt("r", "RSA-OAEP", "encrypt", "decrypt");
    encrypt_and_decrypt("r", "RSA-OAEP-256", "wrapKey", "unwrapKey");
}
END_TEST

static const struct {
    const char *crv, *alg;
    size_t digest_len;
} curves[] = { { "P-256", "ES256", 32 },
               { "P-384", "ES384", 48 },
               { "P-521", "ES512", 64 },
               { "P-256K", "ES256K", 32 } };

START_TEST(ec_keys_of_the_token_sign)
{
    char body[80];

    snprintf(body, sizeof(body), "{\"kty\":\"EC-HSM\",\"crv\":\"%s\"}", curves[_i].crv);
    create("e", body);
    sign_and_verify("e", curves[_i].alg, curves[_i].digest_len);
}
END_TEST

static void *sign_often(void *arg KVP_UNUSED)
{
    for (int i = 0; i < 10; i++) {
        kvp_exchange *ex = kvp_test_request(
            &vault, "POST", "/keys/e/sign", vault.token,
            "{\"alg\":\"ES256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
        bool ok = ex->status == 200;
        kvp_exchange_free(ex);
        if (!ok)
            return vault.dir;
    }
    return NULL;
}

START_TEST(more_threads_than_sessions_sign_at_once)
{
    pthread_t threads[20];
    void *failed = NULL;

    create("e", "{\"kty\":\"EC-HSM\"}");
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_often, NULL), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

START_TEST(wrong_ciphertexts_are_the_callers_fault)
{
    char zeros[343];

    memset(zeros, 'A', 342);
    zeros[342] = '\0';
    create("r", "{\"kty\":\"RSA-HSM\"}");
    for (int i = 0; i < 3; i++) {
        static const char *const algs[] = { "RSA1_5", "RSA-OAEP", "RSA-OAEP-256" };
        kvp_test_error(kvp_test_callf(&vault, "POST", "/keys/r/decrypt", 400,
                                      "{\"alg\":\"%s\",\"value\":\"%s\"}", algs[i], zeros),
                       "BadParameter", NULL, "could not be decrypted");
    }
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/r/decrypt",
                                 "{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}", 400),
                   "BadParameter", NULL, "Invalid length");
}
END_TEST

START_TEST(a_key_survives_restart_rotation_and_backup)
{
    char *conf;

    create("r", "{\"kty\":\"RSA-HSM\"}");
    json_t *first = kvp_test_call(&vault, "GET", "/keys/r", NULL, 200);
    json_t *rotated = kvp_test_call(&vault, "POST", "/keys/r/rotate", NULL, 200);
    ck_assert_str_eq(kvp_test_text(rotated, "attributes.hsmPlatform"), "1");
    ck_assert_str_ne(kvp_test_text(rotated, "key.n"), kvp_test_text(first, "key.n"));
    json_t *blob = kvp_test_call(&vault, "POST", "/keys/r/backup", NULL, 200);
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/r", NULL, 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedkeys/r", NULL, 204));
    kvp_token *token = vault.daemon.token;
    kvp_test_vault_restart(&vault);
    kvp_token_close(token);
    kvp_softhsm_open(&vault);
    json_t *back = kvp_test_callf(&vault, "POST", "/keys/restore", 200, "{\"value\":\"%s\"}",
                                  kvp_test_text(blob, "value"));
    ck_assert_str_eq(kvp_test_text(back, "key.n"), kvp_test_text(rotated, "key.n"));
    ck_assert_str_eq(kvp_test_text(back, "attributes.hsmPlatform"), "1");
    sign_and_verify("r", "RS256", 32);
    /* Without the token the key is there and cannot be used; software keys go on. */
    token = vault.daemon.token;
    vault.daemon.token = NULL;
    kvp_key_cache_empty(vault.daemon.cache);
    kvp_key_cache_use_token(vault.daemon.cache, NULL);
    json_decref(kvp_test_call(&vault, "GET", "/keys/r", NULL, 200));
    json_decref(kvp_test_call(
        &vault, "POST", "/keys/r/sign",
        "{\"alg\":\"RS256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", 500));
    conf = kvp_test_read(kvp_test_path(vault.dir, "pin"));
    ck_assert_str_eq(conf, "1234\n");
    vault.daemon.token = token;
    kvp_free(conf);
    json_decref(back);
    json_decref(blob);
    json_decref(rotated);
    json_decref(first);
}
END_TEST

START_TEST(the_store_has_a_reference_and_no_key)
{
    kvp_key_record record = { .row = 0 };
    kvp_buf material = KVP_BUF_INIT_SECRET(0);

    create("r", "{\"kty\":\"RSA-HSM\"}");
    ck_assert_int_eq(kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, "r", NULL,
                                       KVP_KEY_LIVE, &record, NULL),
                     KVP_OK);
    ck_assert(record.in_token);
    ck_assert_int_eq(
        kvp_store_key_material(vault.daemon.store, &vault.daemon.vault, &record, &material, NULL),
        KVP_OK);
    ck_assert(kvp_token_is_reference(material.data, material.len));
    kvp_buf_clear(&material);
    kvp_key_record_clear(&record);
    json_t *soft = kvp_test_call(&vault, "POST", "/keys/s/create", "{\"kty\":\"EC\"}", 200);
    ck_assert_str_eq(kvp_test_text(soft, "attributes.hsmPlatform"), "0");
    json_decref(soft);
}
END_TEST

START_TEST(a_purge_destroys_the_key_in_the_token)
{
    create("r", "{\"kty\":\"EC-HSM\"}");
    create("r", "{\"kty\":\"EC-HSM\"}");
    create("kept", "{\"kty\":\"EC-HSM\"}");
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 6);
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/r", NULL, 200));
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 6);
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedkeys/r", NULL, 204));
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    sign_and_verify("kept", "ES256", 32);
}
END_TEST

START_TEST(what_a_backup_names_survives_a_purge_and_what_came_later_does_not)
{
    create("r", "{\"kty\":\"EC-HSM\"}");
    json_t *blob = kvp_test_call(&vault, "POST", "/keys/r/backup", NULL, 200);
    create("r", "{\"kty\":\"EC-HSM\"}");
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/r", NULL, 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedkeys/r", NULL, 204));
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    /* Twice: what was restored is as little the vault's alone as before. */
    for (int i = 0; i < 2; i++) {
        json_decref(kvp_test_callf(&vault, "POST", "/keys/restore", 200, "{\"value\":\"%s\"}",
                                   kvp_test_text(blob, "value")));
        sign_and_verify("r", "ES256", 32);
        json_decref(kvp_test_call(&vault, "DELETE", "/keys/r", NULL, 200));
        json_decref(kvp_test_call(&vault, "DELETE", "/deletedkeys/r", NULL, 204));
        ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    }
    json_decref(blob);
}
END_TEST

START_TEST(what_was_purged_without_the_token_is_destroyed_when_it_is_there)
{
    kvp_token *token = vault.daemon.token;

    create("r", "{\"kty\":\"EC-HSM\"}");
    vault.daemon.token = NULL;
    ck_assert_int_eq(kvp_store_key_delete(vault.daemon.store, &vault.daemon.vault, "r", 1, 2, NULL),
                     KVP_OK);
    kvp_keeper_round(&vault.daemon);
    vault.daemon.token = token;
    ck_assert_int_eq(kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, "r", NULL,
                                       KVP_KEY_DELETED, &(kvp_key_record){ .row = 0 }, NULL),
                     KVP_ERR_NOT_FOUND);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 2);
    kvp_keeper_round(&vault.daemon);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 0);
}
END_TEST

static void administer(const char *line)
{
    char output[8192];
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(kvp_test_admin(&vault, line, output, sizeof(output), &error) == KVP_OK, "%s: %s",
                  line, error.message);
}

START_TEST(sub_commands_put_keys_into_the_token_that_the_daemon_was_given)
{
    char pin[512], pem[512], line[700];
    kvp_options options = { .hsm_module = kvp_softhsm_module(), .hsm_pin_file = pin };
    kvp_error error = { .status = KVP_OK };
    kvp_token *token = vault.daemon.token;

    snprintf(pin, sizeof(pin), "%s/pin", vault.dir);
    snprintf(pem, sizeof(pem), "%s/key.pem", vault.dir);
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    FILE *f = fopen(pem, "w");
    ck_assert_int_eq(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    EVP_PKEY_free(pkey);
    /* A module is opened once in a process: ours steps aside for the daemon's and the others'. */
    vault.daemon.token = NULL;
    kvp_token_close(token);
    ck_assert_msg(kvp_token_home_open(vault.daemon.store, &vault.daemon.vault, &options, &token,
                                      &error) == KVP_OK,
                  "%s", error.message);
    kvp_token_close(token);
    administer("key create made --kty EC-HSM");
    snprintf(line, sizeof(line), "key import moved %s --kty EC-HSM", pem);
    administer(line);
    administer("key create soft");
    kvp_softhsm_open(&vault);
    ck_assert_uint_eq(kvp_softhsm_count(&vault), 4);
    sign_and_verify("made", "ES256", 32);
    sign_and_verify("moved", "ES256", 32);
    sign_and_verify("soft", "RS256", 32);
    /* Without a token from now on. */
    token = vault.daemon.token;
    vault.daemon.token = NULL;
    kvp_key_cache_empty(vault.daemon.cache);
    kvp_token_close(token);
    options = (kvp_options){ .hsm_module = NULL };
    ck_assert_int_eq(
        kvp_token_home_open(vault.daemon.store, &vault.daemon.vault, &options, &token, &error),
        KVP_OK);
    ck_assert_ptr_null(token);
    ck_assert_int_eq(kvp_token_home_reopen(vault.daemon.store, &options, &token, &error), KVP_OK);
    ck_assert_ptr_null(token);
}
END_TEST

START_TEST(software_keys_move_into_the_token)
{
    kvp_engine_key *soft = NULL, *moved = NULL;
    kvp_error error = { .status = KVP_OK };
    kvp_status made =
        _i == 0 ? kvp_engine_generate_rsa(2048, 65537, &soft, &error)
                : kvp_engine_generate_ec(kvp_engine_curve_find(curves[_i - 1].crv), &soft, &error);
    const kvp_algorithm *alg = kvp_algorithm_find(_i == 0 ? "RS256" : curves[_i - 1].alg);
    uint8_t digest[64] = { 1, 2, 3 };
    kvp_buf sig = KVP_BUF_INIT(0);
    bool valid = false;

    ck_assert_int_eq(made, KVP_OK);
    ck_assert_msg(kvp_token_import(vault.daemon.token, soft, &moved, &error) == KVP_OK, "%s",
                  error.message);
    ck_assert_msg(kvp_engine_sign(alg, moved, digest, alg->digest_len, &sig, &error) == KVP_OK,
                  "%s", error.message);
    ck_assert_int_eq(
        kvp_engine_verify(alg, soft, digest, alg->digest_len, sig.data, sig.len, &valid, &error),
        KVP_OK);
    ck_assert(valid);
    kvp_buf_clear(&sig);
    kvp_engine_key_unref(soft);
    kvp_engine_key_unref(moved);
}
END_TEST

START_TEST(a_wrong_pin_or_token_or_module_is_told)
{
    kvp_token *token = vault.daemon.token, *other = NULL;
    kvp_error error = { .status = KVP_OK };

    vault.daemon.token = NULL;
    kvp_token_close(token);
    ck_assert_int_eq(
        kvp_token_open("/nowhere.so", kvp_test_path(vault.dir, "pin"), NULL, &other, &error),
        KVP_ERR_IO);
    ck_assert_int_eq(kvp_token_open(kvp_softhsm_module(), kvp_test_path(vault.dir, "pin"), "none",
                                    &other, &error),
                     KVP_ERR_IO);
    kvp_softhsm_write(kvp_test_path(vault.dir, "pin"), "4321\n");
    ck_assert_int_eq(kvp_token_open(kvp_softhsm_module(), kvp_test_path(vault.dir, "pin"), "test",
                                    &other, &error),
                     KVP_ERR_CRYPTO);
    ck_assert_ptr_null(strstr(error.message, "4321"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hsm");
    TCase *tests = tcase_create("token");

    if (!kvp_softhsm_module())
        return KVP_TEST_SKIPPED;
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rsa_keys_of_the_token_do_all_that_rsa_keys_do);
    tcase_add_loop_test(tests, ec_keys_of_the_token_sign, 0, (int)KVP_ARRAY_LEN(curves));
    tcase_add_test(tests, more_threads_than_sessions_sign_at_once);
    tcase_add_test(tests, wrong_ciphertexts_are_the_callers_fault);
    tcase_add_test(tests, a_key_survives_restart_rotation_and_backup);
    tcase_add_test(tests, the_store_has_a_reference_and_no_key);
    tcase_add_test(tests, a_purge_destroys_the_key_in_the_token);
    tcase_add_test(tests, what_a_backup_names_survives_a_purge_and_what_came_later_does_not);
    tcase_add_test(tests, what_was_purged_without_the_token_is_destroyed_when_it_is_there);
    tcase_add_test(tests, sub_commands_put_keys_into_the_token_that_the_daemon_was_given);
    tcase_add_loop_test(tests, software_keys_move_into_the_token, 0,
                        1 + (int)KVP_ARRAY_LEN(curves));
    tcase_add_test(tests, a_wrong_pin_or_token_or_module_is_told);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
