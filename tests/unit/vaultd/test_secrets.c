/* SPDX-License-Identifier: MIT */
/* Secrets over exchanges: documents, versions, lists, deletion, backup, and what is refused. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "jwk/base64url.h"
#include "vaultd/store_internal.h"
#include "vaultd/store_objects.h"

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

static json_t *set(const char *name, const char *value)
{
    char path[200];

    snprintf(path, sizeof(path), "/secrets/%s", name);
    return kvp_test_callf(&vault, "PUT", path, 200, "{\"value\":\"%s\"}", value);
}

START_TEST(a_secret_has_the_members_of_the_service_in_order)
{
    json_t *made =
        kvp_test_call(&vault, "PUT", "/secrets/MySecret",
                      "{\"value\":\"v\\u00e4lue\",\"contentType\":\"text\",\"tags\":{\"a\":"
                      "\"b\"},\"attributes\":{\"nbf\":5,\"exp\":2524611661}}",
                      200);
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/mysecret/", NULL, 200);
    const char *id = kvp_test_text(made, "id");

    ck_assert_str_eq(kvp_test_members(made), "value contentType id attributes tags");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(made, "attributes")),
                     "enabled nbf exp created updated recoveryLevel recoverableDays");
    ck_assert_mem_eq(id, "https://127.0.0.1:8443/secrets/MySecret/", 40);
    ck_assert(kvp_ident_is_version(id + 40));
    ck_assert(json_equal(made, got));
    ck_assert_str_eq(kvp_test_text(got, "value"), "v\xc3\xa4lue");
    json_decref(got);
    got = kvp_test_call(&vault, "GET", id + 22, NULL, 200);
    ck_assert(json_equal(made, got));
    json_decref(got);
    json_decref(made);
}
END_TEST

START_TEST(an_update_changes_what_it_names_and_shows_no_value)
{
    json_decref(set("s", "v"));
    json_t *updated = kvp_test_call(&vault, "PATCH", "/secrets/s",
                                    "{\"contentType\":\"t\",\"tags\":{\"x\":\"y\"},\"attributes\":{"
                                    "\"exp\":2524611661,\"tags\":{},\"created\":1}}",
                                    200);
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);

    ck_assert_str_eq(kvp_test_members(updated), "contentType id attributes tags");
    ck_assert_str_eq(kvp_test_text(got, "value"), "v");
    ck_assert_str_eq(kvp_test_text(got, "contentType"), "t");
    ck_assert_int_eq(json_integer_value(kvp_test_at(got, "attributes.exp")), 2524611661);
    json_decref(updated);
    updated =
        kvp_test_call(&vault, "PATCH", "/secrets/s", "{\"attributes\":{\"enabled\":true}}", 200);
    ck_assert_str_eq(kvp_test_text(updated, "tags.x"), "y");
    json_decref(updated);
    json_decref(got);
}
END_TEST

START_TEST(each_set_is_a_version_and_the_newest_api_names_the_one_before)
{
    json_t *first = set("s", "1"), *second = set("S", "2");
    json_t *old = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);
    json_t *new = kvp_test_call(&vault, "GET", "/secrets/s?api-version=2025-07-01", NULL, 200);
    json_t *before = kvp_test_call(&vault, "GET", kvp_test_text(first, "id") + 22, NULL, 200);
    json_t *list = kvp_test_call(&vault, "GET", "/secrets/s/versions", NULL, 200);

    ck_assert_str_eq(kvp_test_text(old, "id"), kvp_test_text(second, "id"));
    ck_assert_ptr_null(kvp_test_at(old, "previousVersion"));
    ck_assert_str_eq(kvp_test_text(new, "previousVersion"), kvp_test_text(first, "id") + 33);
    ck_assert_str_eq(kvp_test_text(before, "value"), "1");
    ck_assert_uint_eq(json_array_size(kvp_test_at(list, "value")), 2);
    ck_assert_str_eq(kvp_test_members(json_array_get(kvp_test_at(list, "value"), 0)),
                     "id attributes");
    json_decref(first);
    json_decref(second);
    json_decref(old);
    json_decref(new);
    json_decref(before);
    json_decref(list);
}
END_TEST

START_TEST(a_disabled_secret_is_not_shown_until_it_is_enabled)
{
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/s",
                              "{\"value\":\"v\",\"attributes\":{\"enabled\":false}}", 200));
    kvp_test_error(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 403), "Forbidden",
                   "SecretDisabled", "Operation get is not allowed on a disabled secret.");
    json_decref(
        kvp_test_call(&vault, "PATCH", "/secrets/s", "{\"attributes\":{\"enabled\":true}}", 200));
    json_decref(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200));
}
END_TEST

START_TEST(a_secret_outside_its_times_is_shown)
{
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/s",
                              "{\"value\":\"v\",\"attributes\":{\"exp\":5}}", 200));
    json_decref(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200));
}
END_TEST

static const struct {
    const char *body, *text;
} bad_sets[] = {
    { "{}", "Property value has" },
    { "{\"value\":5}", "Property value has" },
    { "{\"value\":null}", "Property value has" },
    { "[]", "Property  has" },
    { "{\"value\":\"v\",\"contentType\":5}", "Property contentType has" },
    { "{\"value\":\"v\",\"tags\":[]}", "Property tags has" },
    { "{\"value\":\"v\",\"tags\":{\"a\":1}}", "Property tags has" },
    { "{\"value\":\"v\",\"attributes\":{\"nbf\":-5}}", "Property nbf has" },
    { "{\"value\":\"v\",\"attributes\":{\"enabled\":\"x\"}}", "Property enabled has" },
    { "{\"value\":\"v\",\"tags\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":\"\",\"6\":"
      "\"\","
      "\"7\":\"\",\"8\":\"\",\"9\":\"\",\"10\":\"\",\"11\":\"\",\"12\":\"\",\"13\":\"\",\"14\":"
      "\"\","
      "\"15\":\"\",\"16\":\"\"}}",
      "at most 15" },
};

START_TEST(set_refuses_what_is_wrong)
{
    json_t *answer = kvp_test_call(&vault, "PUT", "/secrets/s", bad_sets[_i].body, 400);

    ck_assert_msg(strstr(kvp_test_text(answer, "error.message"), bad_sets[_i].text) != NULL, "%s",
                  kvp_test_text(answer, "error.message"));
    json_decref(answer);
    json_decref(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 404));
}
END_TEST

START_TEST(a_content_type_has_255_characters_at_most)
{
    static const char *const methods[] = { "PUT", "PATCH" };
    char type[257];

    memset(type, 'x', 256);
    type[256] = '\0';
    for (size_t i = 0; i < KVP_ARRAY_LEN(methods); i++) {
        for (int len = 255; len <= 256; len++) {
            json_t *answer =
                kvp_test_callf(&vault, methods[i], "/secrets/s", len == 255 ? 200 : 400,
                               "{\"value\":\"v\",\"contentType\":\"%.*s\"}", len, type);
            if (len == 255)
                ck_assert_uint_eq(strlen(kvp_test_text(answer, "contentType")), 255);
            else
                ck_assert_str_eq(kvp_test_text(answer, "error.code"), "BadParameter");
            json_decref(answer);
        }
    }
}
END_TEST

START_TEST(a_value_has_25_kilobytes_at_most)
{
    static char body[27000];

    for (size_t len = 25600; len <= 25601; len++) {
        size_t used = (size_t)snprintf(body, sizeof(body), "{\"value\":\"");
        memset(body + used, 'x', len);
        snprintf(body + used + len, sizeof(body) - used - len, "\"}");
        json_decref(kvp_test_call(&vault, "PUT", "/secrets/s", body, len == 25600 ? 200 : 400));
    }
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);
    ck_assert_uint_eq(strlen(kvp_test_text(got, "value")), 25600);
    json_decref(got);
}
END_TEST

START_TEST(a_deleted_secret_can_be_recovered_or_purged)
{
    json_t *made = set("s", "v");

    json_t *deleted = kvp_test_call(&vault, "DELETE", "/secrets/s", NULL, 200);
    ck_assert_str_eq(kvp_test_members(deleted),
                     "recoveryId deletedDate scheduledPurgeDate id attributes");
    json_decref(deleted);
    kvp_test_error(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 404), "SecretNotFound", NULL,
                   "A secret with (name/id) s was not found in this key vault.");
    kvp_test_error(kvp_test_call(&vault, "PUT", "/secrets/s", "{\"value\":\"v\"}", 409), "Conflict",
                   "ObjectIsDeletedButRecoverable",
                   "Secret s is currently in a deleted but recoverable state");
    json_t *list = kvp_test_call(&vault, "GET", "/deletedsecrets", NULL, 200);
    ck_assert_uint_eq(json_array_size(kvp_test_at(list, "value")), 1);
    json_decref(list);
    json_decref(kvp_test_call(&vault, "GET", "/deletedsecrets/s", NULL, 200));
    json_decref(kvp_test_call(&vault, "POST", "/deletedsecrets/s/recover", NULL, 200));
    kvp_test_error(kvp_test_call(&vault, "POST", "/deletedsecrets/s/recover", NULL, 400),
                   "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject",
                   "Secret exists already: s");
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);
    ck_assert(json_equal(made, got));
    json_decref(kvp_test_call(&vault, "DELETE", "/secrets/s", NULL, 200));
    ck_assert_ptr_null(kvp_test_call(&vault, "DELETE", "/deletedsecrets/s", NULL, 204));
    kvp_test_error(kvp_test_call(&vault, "GET", "/deletedsecrets/s", NULL, 404), "SecretNotFound",
                   NULL, "A secret with (name/id) s was not found");
    json_decref(set("s", "w"));
    kvp_test_error(kvp_test_call(&vault, "GET", "/deletedsecrets/s", NULL, 404), "SecretNotFound",
                   NULL, "Deleted Secret not found: s");
    json_decref(got);
    json_decref(made);
}
END_TEST

START_TEST(what_is_due_is_purged)
{
    json_decref(set("s", "v"));
    ck_assert_int_eq(kvp_store_object_delete(vault.daemon.store, &vault.daemon.vault,
                                             KVP_OBJECT_SECRET, "s", 1, 2, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_store_purge_due(vault.daemon.store, 2, NULL), KVP_OK);
    json_decref(kvp_test_call(&vault, "GET", "/deletedsecrets/s", NULL, 404));
}
END_TEST

START_TEST(a_list_of_thirty_comes_in_two_pages)
{
    char name[16];

    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "s%02d", i);
        json_decref(set(name, "v"));
    }
    json_t *one = kvp_test_call(&vault, "GET", "/secrets", NULL, 200);
    json_t *two = kvp_test_call(&vault, "GET", kvp_test_text(one, "nextLink") + 22, NULL, 200);

    ck_assert_uint_eq(json_array_size(kvp_test_at(one, "value")), 25);
    ck_assert_uint_eq(json_array_size(kvp_test_at(two, "value")), 5);
    ck_assert(json_is_null(kvp_test_at(two, "nextLink")));
    json_decref(one);
    json_decref(two);
}
END_TEST

START_TEST(a_backup_brings_all_versions_back)
{
    json_t *first = set("Back-Up", "1"), *second = set("Back-Up", "2");
    json_t *backup = kvp_test_call(&vault, "POST", "/secrets/back-up/backup", NULL, 200);
    kvp_buf blob = KVP_BUF_INIT(0);
    const char *text = kvp_test_text(backup, "value");
    char *body = json_dumps(backup, 0);

    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), &blob), KVP_OK);
    ck_assert_uint_eq(blob.data[0], 0x29);
    ck_assert_mem_eq(blob.data + 1, "AzureKeyVaultSecretBackupV1.microsoft.com", 41);
    kvp_test_error(
        kvp_test_call(&vault, "POST", "/secrets/restore", body, 409), "Conflict", NULL,
        "There was a conflict restoring the secret 'https://127.0.0.1:8443/secrets/Back-Up/");
    json_decref(kvp_test_call(&vault, "DELETE", "/secrets/back-up", NULL, 200));
    json_decref(kvp_test_call(&vault, "POST", "/secrets/restore", body, 409));
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedsecrets/back-up", NULL, 204));
    json_t *restored = kvp_test_call(&vault, "POST", "/secrets/restore", body, 200);
    ck_assert_str_eq(kvp_test_text(restored, "id"), kvp_test_text(second, "id"));
    ck_assert_ptr_null(kvp_test_at(restored, "value"));
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/back-up", NULL, 200);
    json_t *old = kvp_test_call(&vault, "GET", kvp_test_text(first, "id") + 22, NULL, 200);
    ck_assert(json_equal(second, got));
    ck_assert(json_equal(first, old));
    json_decref(old);
    json_decref(got);
    json_decref(restored);
    json_decref(backup);
    json_decref(first);
    json_decref(second);
    kvp_buf_clear(&blob);
    free(body);
}
END_TEST

START_TEST(malformed_backups_are_refused_in_the_words_of_the_service)
{
    json_decref(set("s", "v"));
    json_t *backup = kvp_test_call(&vault, "POST", "/secrets/s/backup", NULL, 200);
    char *text = kvp_strdup(kvp_test_text(backup, "value"));

    kvp_test_error(
        kvp_test_callf(&vault, "POST", "/secrets/restore", 400, "{\"value\":\"AAAAAAAA\"}"),
        "Malformed backup blob", NULL, "Backup blob contains invalid or corrupt version.");
    text[strlen(text) - 20] = text[strlen(text) - 20] == 'R' ? 'S' : 'R';
    kvp_test_error(
        kvp_test_callf(&vault, "POST", "/secrets/restore", 400, "{\"value\":\"%s\"}", text),
        "Malformed backup blob", NULL, "Backup blob is corrupt.");
    /* Of another kind of object. */
    kvp_test_error(kvp_test_callf(&vault, "POST", "/certificates/restore", 400,
                                  "{\"value\":\"%s\"}", kvp_test_text(backup, "value")),
                   "Malformed backup blob", NULL,
                   "Backup blob contains invalid or corrupt version.");
    json_decref(kvp_test_call(&vault, "POST", "/secrets/restore", "{}", 400));
    json_decref(kvp_test_call(&vault, "POST", "/secrets/other/backup", NULL, 404));
    json_decref(backup);
    kvp_free(text);
}
END_TEST

START_TEST(secrets_survive_a_restart_and_are_sealed_on_disk)
{
    json_t *made = set("s", "a-very-secret-value");

    kvp_test_vault_restart(&vault);
    json_t *got = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);
    ck_assert(json_equal(made, got));
    json_decref(got);
    json_decref(made);
    kvp_store_conn *conn = kvp_store_take(vault.daemon.store, NULL);
    sqlite3_stmt *stmt = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(conn->db,
                                        "SELECT count(*) FROM secret_versions WHERE"
                                        " instr(sealed, 'a-very-secret') > 0",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(stmt, 0), 0);
    sqlite3_finalize(stmt);
    kvp_store_give(vault.daemon.store, conn);
}
END_TEST

START_TEST(a_value_that_was_moved_or_sealed_with_another_key_does_not_open)
{
    static const char swap[] = "UPDATE secret_versions SET sealed = (SELECT sealed FROM"
                               " secret_versions o WHERE o.id <> secret_versions.id)";
    json_decref(set("a", "1"));
    json_decref(set("b", "2"));
    kvp_store_conn *conn = NULL;

    if (_i == 0) {
        ck_assert_int_eq(kvp_store_begin(vault.daemon.store, &conn, NULL), KVP_OK);
        ck_assert_int_eq(sqlite3_exec(conn->db, swap, NULL, NULL, NULL), SQLITE_OK);
        ck_assert_int_eq(kvp_store_end(vault.daemon.store, KVP_OK, NULL), KVP_OK);
    } else {
        vault.daemon.store->seal.key[0] ^= 1;
    }
    json_decref(kvp_test_call(&vault, "GET", "/secrets/a", NULL, 500));
}
END_TEST

START_TEST(roles_for_secrets_and_for_keys_are_apart)
{
    char officer[KVP_SECRET_SIZE], crypto[KVP_SECRET_SIZE], reader[KVP_SECRET_SIZE];

    json_decref(set("s", "v"));
    kvp_test_principal(&vault, "officer", "Secrets Officer", officer);
    kvp_test_principal(&vault, "crypto", "Crypto Officer", crypto);
    kvp_test_principal(&vault, "reader", "Key Vault Reader", reader);
    const struct {
        const char *token, *path;
        int status;
    } rows[] = {
        { officer, "/secrets/s", 200 },    { crypto, "/secrets/s", 403 },
        { reader, "/secrets/s", 403 },     { reader, "/secrets", 200 },
        { crypto, "/secrets", 403 },       { officer, "/keys", 403 },
        { officer, "/certificates", 403 },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        kvp_exchange *ex = kvp_test_request(&vault, "GET", rows[i].path, rows[i].token, NULL);
        ck_assert_msg(ex->status == rows[i].status, "row %zu: %d", i, ex->status);
        kvp_exchange_free(ex);
    }
}
END_TEST

START_TEST(without_memory_nothing_breaks)
{
    json_decref(set("s", "v"));
    for (long n = 0; n < 60; n++) {
        kvp_exchange *ex = kvp_exchange_new(&vault.daemon);
        ex->method = kvp_strdup(n % 2 ? "GET" : "PUT");
        ex->target = kvp_asprintf("/secrets/s?api-version=7.5");
        ex->host = kvp_strdup("127.0.0.1:8443");
        ex->authorization = kvp_asprintf("Bearer %s", vault.token);
        if (n % 2 == 0)
            ck_assert_int_eq(kvp_buf_append_str(&ex->body, "{\"value\":\"w\",\"tags\":{}}"),
                             KVP_OK);
        kvp_alloc_fail_after(n);
        kvp_exchange_run(ex);
        kvp_alloc_fail_after(-1);
        ck_assert(ex->status == 200 || ex->status == 500 || ex->status == 401 || ex->status == 404);
        kvp_exchange_free(ex);
    }
    json_decref(kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200));
}
END_TEST

START_TEST(a_managed_hsm_has_no_secrets_and_no_certificates)
{
    json_decref(kvp_test_call(&vault, "GET", "/secrets", NULL, 404));
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/s", "{\"value\":\"v\"}", 404));
    json_decref(kvp_test_call(&vault, "GET", "/certificates", NULL, 404));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd secrets");
    TCase *in_vault = tcase_create("vault"), *in_hsm = tcase_create("hsm");

    tcase_set_timeout(in_vault, 120);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_test(in_vault, a_secret_has_the_members_of_the_service_in_order);
    tcase_add_test(in_vault, an_update_changes_what_it_names_and_shows_no_value);
    tcase_add_test(in_vault, each_set_is_a_version_and_the_newest_api_names_the_one_before);
    tcase_add_test(in_vault, a_disabled_secret_is_not_shown_until_it_is_enabled);
    tcase_add_test(in_vault, a_secret_outside_its_times_is_shown);
    tcase_add_loop_test(in_vault, set_refuses_what_is_wrong, 0, (int)KVP_ARRAY_LEN(bad_sets));
    tcase_add_test(in_vault, a_content_type_has_255_characters_at_most);
    tcase_add_test(in_vault, a_value_has_25_kilobytes_at_most);
    tcase_add_test(in_vault, a_deleted_secret_can_be_recovered_or_purged);
    tcase_add_test(in_vault, what_is_due_is_purged);
    tcase_add_test(in_vault, a_list_of_thirty_comes_in_two_pages);
    tcase_add_test(in_vault, a_backup_brings_all_versions_back);
    tcase_add_test(in_vault, malformed_backups_are_refused_in_the_words_of_the_service);
    tcase_add_test(in_vault, secrets_survive_a_restart_and_are_sealed_on_disk);
    tcase_add_loop_test(in_vault, a_value_that_was_moved_or_sealed_with_another_key_does_not_open,
                        0, 2);
    tcase_add_test(in_vault, roles_for_secrets_and_for_keys_are_apart);
    tcase_add_test(in_vault, without_memory_nothing_breaks);
    tcase_add_checked_fixture(in_hsm, setup_hsm, teardown);
    tcase_add_test(in_hsm, a_managed_hsm_has_no_secrets_and_no_certificates);
    suite_add_tcase(suite, in_vault);
    suite_add_tcase(suite, in_hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
