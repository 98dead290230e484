/* SPDX-License-Identifier: MIT */
/* Backup and restore of keys, and release: what comes back, what is refused and in which words. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

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
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static char *backup(const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "/keys/%s/backup", name);
    json_t *answer = kvp_test_call(&vault, "POST", path, NULL, 200);
    char *value = kvp_strdup(kvp_test_text(answer, "value"));
    json_decref(answer);
    return value;
}

static void forget(const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "/keys/%s", name);
    json_decref(kvp_test_call(&vault, "DELETE", path, NULL, 200));
    snprintf(path, sizeof(path), "/deletedkeys/%s", name);
    json_decref(kvp_test_call(&vault, "DELETE", path, NULL, 204));
}

static json_t *restore(const char *value, int status)
{
    return kvp_test_callf(&vault, "POST", "/keys/restore", status, "{\"value\":\"%s\"}", value);
}

static void make_two_versions(void)
{
    json_decref(kvp_test_call(&vault, "POST", "/keys/twice/create",
                              "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"}}", 200));
    json_decref(kvp_test_call(&vault, "POST", "/keys/twice/create",
                              "{\"kty\":\"RSA\",\"key_ops\":[\"sign\"],"
                              "\"attributes\":{\"exp\":4000000000}}",
                              200));
}

START_TEST(a_key_comes_back_with_all_versions)
{
    make_two_versions();
    json_decref(
        kvp_test_call(&vault, "PUT", "/keys/twice/rotationpolicy",
                      "{\"attributes\":{\"expiryTime\":\"P90D\"},\"lifetimeActions\":[{\"action\":{"
                      "\"type\":\"rotate\"},\"trigger\":{\"timeAfterCreate\":\"P30D\"}}]}",
                      200));
    json_t *before = kvp_test_call(&vault, "GET", "/keys/twice", NULL, 200);
    json_t *versions = kvp_test_call(&vault, "GET", "/keys/twice/versions", NULL, 200);
    json_t *policy = kvp_test_call(&vault, "GET", "/keys/twice/rotationpolicy", NULL, 200);
    char *value = backup("twice");

    forget("twice");
    json_t *answer = restore(value, 200);
    ck_assert_msg(json_equal(answer, before), "the restored key differs");
    json_t *again = kvp_test_call(&vault, "GET", "/keys/twice/versions", NULL, 200);
    ck_assert(json_equal(again, versions));
    json_t *policy_again = kvp_test_call(&vault, "GET", "/keys/twice/rotationpolicy", NULL, 200);
    ck_assert(json_equal(policy_again, policy));
    /* The private half, too: a signature of the restored key is one of the key that was. */
    json_decref(kvp_test_call(
        &vault, "POST", "/keys/twice/sign",
        "{\"alg\":\"RS256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", 200));
    json_decref(policy_again);
    json_decref(policy);
    json_decref(again);
    json_decref(versions);
    json_decref(before);
    json_decref(answer);
    kvp_free(value);
}
END_TEST

START_TEST(the_blob_has_the_frame_of_the_service_and_no_secret)
{
    kvp_buf blob = KVP_BUF_INIT(0);

    make_two_versions();
    char *value = backup("twice");
    ck_assert_int_eq(kvp_base64url_decode(value, strlen(value), &blob), KVP_OK);
    ck_assert_uint_eq(blob.data[0], 0x26);
    ck_assert_mem_eq(blob.data + 1, "AzureKeyVaultKeyBackupV1.microsoft.com", 0x26);
    ck_assert_ptr_null(strstr(kvp_buf_str(&blob) + 0x27, "twice"));
    kvp_buf_clear(&blob);
    kvp_free(value);
}
END_TEST

START_TEST(a_living_or_deleted_name_is_a_conflict)
{
    make_two_versions();
    char *value = backup("twice");

    kvp_test_error(restore(value, 409), "Conflict", NULL,
                   "There was a conflict restoring the key 'https://127.0.0.1:8443/keys/twice/");
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/twice", NULL, 200));
    kvp_test_error(restore(value, 409), "Conflict", NULL, "There was a conflict restoring the key");
    kvp_free(value);
}
END_TEST

START_TEST(blobs_that_are_none_are_refused)
{
    static const struct {
        const char *blob, *message;
    } rows[] = {
        { "AAAAAAAAAAAAAAAA", "Backup blob contains invalid or corrupt version." },
        { "ZG9lc25vdGV4aXN0", "Backup blob is corrupt." },
        { "", "Backup blob is corrupt." },
    };

    kvp_test_error(restore(rows[_i].blob, 400), "Malformed backup blob", NULL, rows[_i].message);
}
END_TEST

START_TEST(a_blob_with_one_changed_letter_is_refused)
{
    make_two_versions();
    char *value = backup("twice");
    size_t len = strlen(value);

    forget("twice");
    for (size_t at = 60; at < len; at += len / 7) {
        char was = value[at];
        value[at] = was == 'A' ? 'B' : 'A';
        json_decref(restore(value, 400));
        value[at] = was;
    }
    json_decref(restore(value, 200));
    kvp_free(value);
}
END_TEST

/* How many items a list of versions has, over all of its pages. */
static size_t count_versions(const char *path)
{
    char *next = kvp_strdup(path);
    size_t count = 0;

    while (next) {
        json_t *page = kvp_test_call(&vault, "GET", next, NULL, 200);
        const char *link = json_string_value(kvp_test_at(page, "nextLink"));
        count += json_array_size(kvp_test_at(page, "value"));
        kvp_free(next);
        next = link ? kvp_strdup(strchr(link + strlen("https://"), '/')) : NULL;
        json_decref(page);
    }
    return count;
}

/* Back up, purge and restore; the backup is longer than what other requests may bring. */
static void there_and_back(const char *collection, const char *name, const char *deleted)
{
    char path[120];

    snprintf(path, sizeof(path), "/%s/%s/backup", collection, name);
    json_t *blob = kvp_test_call(&vault, "POST", path, NULL, 200);
    ck_assert_uint_gt(strlen(kvp_test_text(blob, "value")), KVP_EXCHANGE_BODY_MAX);
    snprintf(path, sizeof(path), "/%s/%s", collection, name);
    json_decref(kvp_test_call(&vault, "DELETE", path, NULL, 200));
    snprintf(path, sizeof(path), "/%s/%s", deleted, name);
    json_decref(kvp_test_call(&vault, "DELETE", path, NULL, 204));
    snprintf(path, sizeof(path), "/%s/restore", collection);
    char *body = json_dumps(blob, 0);
    json_decref(kvp_test_call(&vault, "POST", path, body, 200));
    free(body);
    json_decref(blob);
}

#define MANY 48 /* versions; with fewer the backup would fit anywhere */

START_TEST(a_certificate_of_many_versions_comes_back)
{
    json_decref(kvp_test_call(
        &vault, "POST", "/certificates/one/create",
        "{\"policy\":{\"key_props\":{\"kty\":\"RSA\",\"key_size\":2048,\"exportable\":true},"
        "\"secret_props\":{\"contentType\":\"application/x-pem-file\"},\"issuer\":{\"name\":"
        "\"Self\"},\"x509_props\":{\"subject\":\"CN=many\"}}}",
        202));
    json_t *secret = kvp_test_call(&vault, "GET", "/secrets/one", NULL, 200);
    json_t *import = json_pack("{s:s, s:{s:{s:s}}}", "value", kvp_test_text(secret, "value"),
                               "policy", "secret_props", "contentType", "application/x-pem-file");
    char *body = json_dumps(import, 0);

    for (int i = 0; i < MANY; i++)
        json_decref(kvp_test_call(&vault, "POST", "/certificates/many/import", body, 200));
    json_t *before = kvp_test_call(&vault, "GET", "/certificates/many", NULL, 200);
    there_and_back("certificates", "many", "deletedcertificates");
    json_t *after = kvp_test_call(&vault, "GET", "/certificates/many", NULL, 200);
    ck_assert_str_eq(kvp_test_text(before, "id"), kvp_test_text(after, "id"));
    ck_assert_uint_eq(count_versions("/certificates/many/versions"), MANY);
    ck_assert_uint_eq(count_versions("/keys/many/versions"), MANY);
    ck_assert_uint_eq(count_versions("/secrets/many/versions"), MANY);
    json_decref(before);
    json_decref(after);
    json_decref(import);
    json_decref(secret);
    free(body);
}
END_TEST

START_TEST(a_long_secret_of_many_versions_comes_back)
{
    char body[20050] = "{\"value\":\"";

    memset(body + 10, 'x', 20000);
    for (int i = 0; i < MANY; i++) {
        snprintf(body + 20010, sizeof(body) - 20010, "%d\"}", i);
        json_decref(kvp_test_call(&vault, "PUT", "/secrets/long", body, 200));
    }
    there_and_back("secrets", "long", "deletedsecrets");
    ck_assert_uint_eq(count_versions("/secrets/long/versions"), MANY);
    json_t *last = kvp_test_call(&vault, "GET", "/secrets/long", NULL, 200);
    ck_assert_str_eq(kvp_test_text(last, "value") + 20000, "47");
    json_decref(last);
}
END_TEST

START_TEST(only_a_restore_with_a_token_may_bring_much)
{
    static const struct {
        const char *method, *target;
        bool token, much;
    } rows[] = {
        { "POST", "/keys/restore?api-version=7.4", true, true },
        { "POST", "/secrets/restore", true, true },
        { "POST", "/certificates/restore", true, true },
        { "POST", "/keys/restore", false, false },
        { "PUT", "/keys/restore", true, false },
        { "POST", "/keys/k/sign?x=/restore", true, false },
        { "POST", "/restore", true, false },
        { "POST", "restore", true, false },
        { "POST", "", true, false },
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        kvp_exchange *ex = kvp_exchange_new(&vault.daemon);
        ex->method = kvp_strdup(rows[i].method);
        ex->target = kvp_strdup(rows[i].target);
        ex->authorization = kvp_asprintf("Bearer %s", rows[i].token ? vault.token : "none");
        ck_assert_msg((kvp_exchange_body_limit(ex) > KVP_EXCHANGE_BODY_MAX) == rows[i].much,
                      "%s %s", rows[i].method, rows[i].target);
        kvp_exchange_free(ex);
    }
}
END_TEST

START_TEST(an_hsm_refuses_in_its_own_words)
{
    make_two_versions();
    char *value = backup("twice");

    kvp_test_error(restore("ZG9lc25vdGV4aXN0", 400), "MalformedBackupBlob", NULL,
                   "Backup blob belongs to a different crypto domain");
    forget("twice");
    json_decref(restore(value, 200));
    kvp_free(value);
}
END_TEST

START_TEST(backup_of_nothing_is_not_found)
{
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/none/backup", NULL, 404), "KeyNotFound",
                   NULL, "A key with (name/id) none was not found");
}
END_TEST

START_TEST(release_is_refused_for_each_reason)
{
    static const char exportable[] =
        "{\"kty\":\"RSA-HSM\",\"attributes\":{\"exportable\":true},\"release_policy\":{\"data\":"
        "\"eyJ2ZXJzaW9uIjoiMS4wIn0\"}}";

    json_decref(kvp_test_call(&vault, "POST", "/keys/out/create", exportable, 200));
    json_decref(kvp_test_call(&vault, "POST", "/keys/in/create", "{\"kty\":\"EC\"}", 200));
    kvp_test_error(
        kvp_test_call(&vault, "POST", "/keys/out/release", "{\"target\":\"a.b.c\"}", 403),
        "Forbidden", "AccessDenied", "attestation statement cannot be verified");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/in/release", "{\"target\":\"a.b.c\"}", 400),
                   "BadParameter", NULL, "not exportable");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/out/release",
                                 "{\"target\":\"a.b.c\",\"enc\":\"A256KW\"}", 400),
                   "BadParameter", NULL, "Property enc has invalid value");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/out/release", "{}", 400), "BadParameter",
                   NULL, "Property target has invalid value");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backup");
    TCase *standard = tcase_create("vault"), *hsm = tcase_create("managed-hsm");

    tcase_set_timeout(standard, 120);
    tcase_set_timeout(hsm, 120);
    tcase_add_checked_fixture(standard, setup_vault, teardown);
    tcase_add_checked_fixture(hsm, setup_hsm, teardown);
    tcase_add_test(standard, a_key_comes_back_with_all_versions);
    tcase_add_test(standard, the_blob_has_the_frame_of_the_service_and_no_secret);
    tcase_add_test(standard, a_living_or_deleted_name_is_a_conflict);
    tcase_add_loop_test(standard, blobs_that_are_none_are_refused, 0, 3);
    tcase_add_test(standard, a_blob_with_one_changed_letter_is_refused);
    tcase_add_test(standard, a_certificate_of_many_versions_comes_back);
    tcase_add_test(standard, a_long_secret_of_many_versions_comes_back);
    tcase_add_test(standard, only_a_restore_with_a_token_may_bring_much);
    tcase_add_test(standard, backup_of_nothing_is_not_found);
    tcase_add_test(standard, release_is_refused_for_each_reason);
    tcase_add_test(hsm, an_hsm_refuses_in_its_own_words);
    suite_add_tcase(suite, standard);
    suite_add_tcase(suite, hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
