/* SPDX-License-Identifier: MIT */
/* The store: schema, what survives, what is sealed, who is found. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"
#include "vaultd/store_internal.h"
#include "vaultd/store_rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static kvp_test_vault vault;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static void add_key(const char *name, const char *version, const char *material)
{
    kvp_key_record record = { .bits = 256,
                              .enabled = true,
                              .not_before = KVP_TIME_NONE,
                              .expires = KVP_TIME_NONE,
                              .created = 1,
                              .updated = 1 };

    snprintf(record.name, sizeof(record.name), "%s", name);
    snprintf(record.version, sizeof(record.version), "%s", version);
    snprintf(record.kty, sizeof(record.kty), "EC");
    record.public_json = kvp_strdup("{}");
    record.ops_json = kvp_strdup("[\"sign\"]");
    ck_assert_int_eq(kvp_store_key_add(vault.daemon.store, &vault.daemon.vault, &record, material,
                                       strlen(material), NULL),
                     KVP_OK);
    kvp_key_record_clear(&record);
}

static kvp_status get_key(const char *name, const char *version, kvp_key_state state,
                          kvp_key_record *ret)
{
    return kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, name, version, state, ret,
                             NULL);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static const char *store_path(void)
{
    return kvp_test_path(vault.dir, KVP_DATADIR_STORE);
}

START_TEST(a_key_is_found_after_a_restart_with_its_material)
{
    kvp_key_record record = { .row = 0 };
    kvp_buf material = KVP_BUF_INIT_SECRET(0);

    add_key("Key", "0123456789abcdef0123456789abcdef", "very private");
    kvp_test_vault_restart(&vault);

    ck_assert_int_eq(get_key("kEY", "", KVP_KEY_LIVE, &record), KVP_OK);
    ck_assert_str_eq(record.name, "Key");
    ck_assert_int_eq(
        kvp_store_key_material(vault.daemon.store, &vault.daemon.vault, &record, &material, NULL),
        KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&material), "very private");
    kvp_buf_clear(&material);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(private_material_never_stands_in_a_file)
{
    static const char *const names[] = { KVP_DATADIR_STORE, KVP_DATADIR_STORE "-wal" };

    add_key("key", "0123456789abcdef0123456789abcdef", "very private indeed");

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        kvp_buf text = KVP_BUF_INIT(0);
        ck_assert_int_eq(kvp_file_read(kvp_test_path(vault.dir, names[i]), &text, NULL), KVP_OK);
        ck_assert_ptr_null(memmem(text.data, text.len, "very private", 12));
        kvp_buf_clear(&text);
    }
}
END_TEST

START_TEST(the_file_is_for_its_owner_alone)
{
    struct stat st;

    ck_assert_int_eq(stat(store_path(), &st), 0);

    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(sealed_rows_do_not_open_in_another_place)
{
    static const char *const changes[] = {
        "UPDATE key_versions SET sealed = (SELECT sealed FROM key_versions WHERE version LIKE "
        "'b%')",
        "UPDATE key_versions SET public = '{\"n\":1}'",
        "UPDATE key_versions SET kty = 'RSA'",
        "UPDATE key_versions SET version = 'cccccccccccccccccccccccccccccccc' WHERE version LIKE "
        "'a%'",
        "UPDATE keys SET name = 'other'",
        "UPDATE key_versions SET sealed = substr(sealed, 1, 20)",
    };
    kvp_key_record record = { .row = 0 };
    kvp_buf material = KVP_BUF_INIT_SECRET(0);

    add_key("key", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "b");
    add_key("key", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a");
    execute(store_path(), changes[_i]);

    ck_assert_int_eq(get_key(_i == 4 ? "other" : "key", "", KVP_KEY_LIVE, &record), KVP_OK);
    ck_assert_int_eq(
        kvp_store_key_material(vault.daemon.store, &vault.daemon.vault, &record, &material, NULL),
        KVP_ERR_MISMATCH);
    kvp_buf_clear(&material);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(another_storage_key_is_refused)
{
    kvp_error error = { .status = KVP_OK };
    kvp_seal wrong = { { 1, 2, 3 } };

    ck_assert_int_eq(kvp_store_unlock(vault.daemon.store, &wrong, &error), KVP_ERR_MISMATCH);

    ck_assert_ptr_nonnull(strstr(error.message, "storage key"));
}
END_TEST

START_TEST(a_new_store_has_the_newest_schema)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    ck_assert_int_eq(sqlite3_open(store_path(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);

    ck_assert_uint_eq((unsigned)sqlite3_column_int(stmt, 0), kvp_store_schema_version);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}
END_TEST

START_TEST(every_older_schema_migrates)
{
    char *dir = kvp_test_directory();
    const char *path = kvp_test_path(dir, "old.db");
    kvp_store_conn conn = { .db = NULL };
    kvp_store *store = NULL;
    kvp_vault_info info;

    ck_assert_int_eq(sqlite3_open(path, &conn.db), SQLITE_OK);
    ck_assert_int_eq(kvp_store_migrate(&conn, (unsigned)_i, NULL), KVP_OK);
    sqlite3_close(conn.db);

    ck_assert_int_eq(kvp_store_open(path, &store, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_vault(store, &info, NULL), KVP_ERR_NOT_FOUND);
    kvp_store_close(store);
    kvp_test_remove(dir);
}
END_TEST

START_TEST(tokens_keep_what_older_schemas_know_of)
{
    char *dir = kvp_test_directory();
    const char *path = kvp_test_path(dir, "old.db");
    kvp_store_conn conn = { .db = NULL };
    kvp_store *store = NULL;
    kvp_token_leftover *leftovers = NULL;
    size_t count = 99;

    /* A key in a token from before purges were carried on to there: a backup may name it. */
    ck_assert_int_eq(sqlite3_open(path, &conn.db), SQLITE_OK);
    ck_assert_int_eq(kvp_store_migrate(&conn, 4, NULL), KVP_OK);
    sqlite3_close(conn.db);
    execute(path, "INSERT INTO vaults VALUES (1, 'dev', 'vault', 't', 's', 'Recoverable+Purgeable',"
                  " 90, x'00');"
                  "INSERT INTO keys (id, vault, name, current, deleted, purge)"
                  " VALUES (1, 1, 'k', 1, 1, 2);"
                  "INSERT INTO key_versions VALUES (1, 1, '0', 'EC-HSM', 256, '{}', '[]', NULL,"
                  " NULL, 1, 0, NULL, NULL, 1, 1, x'00', 1)");
    ck_assert_int_eq(kvp_store_open(path, &store, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_purge_due(store, 2, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_leftover_list(store, &leftovers, &count, NULL), KVP_OK);
    ck_assert_uint_eq(count, 0);
    kvp_free(leftovers);
    kvp_store_close(store);
    kvp_test_remove(dir);
}
END_TEST

START_TEST(a_newer_schema_and_a_foreign_file_are_refused)
{
    char *dir = kvp_test_directory();
    const char *path = kvp_test_path(dir, "x.db");
    kvp_error error = { .status = KVP_OK };
    kvp_store *store = NULL;

    execute(path, _i == 0 ? "CREATE TABLE t (a); PRAGMA application_id=1263947844;"
                            " PRAGMA user_version=1000"
                          : "CREATE TABLE t (a)");

    ck_assert_int_eq(kvp_store_open(path, &store, &error), KVP_ERR_IO);
    ck_assert_msg(strstr(error.message, _i == 0 ? "newer" : "not a database of keyvaultd") != NULL,
                  "%s", error.message);
    kvp_test_remove(dir);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
    char *dir = kvp_test_directory();
    const char *path = kvp_test_path(dir, "x.db");
    kvp_store *store = NULL;
    char junk[4096];

    memset(junk, 'x', sizeof(junk));
    ck_assert_int_eq(kvp_file_write(path, junk, sizeof(junk), 0600, NULL), KVP_OK);

    ck_assert_int_eq(kvp_store_open(path, &store, NULL), KVP_ERR_IO);
    kvp_test_remove(dir);
}
END_TEST

START_TEST(the_last_added_version_is_current)
{
    kvp_key_record record = { .row = 0 };

    add_key("key", "ffffffffffffffffffffffffffffffff", "1");
    add_key("KEY", "00000000000000000000000000000000", "2");

    ck_assert_int_eq(get_key("key", "", KVP_KEY_LIVE, &record), KVP_OK);
    ck_assert_str_eq(record.version, "00000000000000000000000000000000");
    ck_assert(record.current);
    kvp_key_record_clear(&record);
    ck_assert_int_eq(get_key("key", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", KVP_KEY_LIVE, &record),
                     KVP_OK);
    ck_assert(!record.current);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(pages_are_ordered_without_case_and_know_their_end)
{
    static const char *const names[] = { "b", "C", "a", "D" };
    kvp_key_page page = { NULL, 0, 0, false };

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++)
        add_key(names[i], "0123456789abcdef0123456789abcdef", "m");

    ck_assert_int_eq(kvp_store_key_list(vault.daemon.store, &vault.daemon.vault, KVP_KEY_LIVE, "",
                                        3, &page, NULL),
                     KVP_OK);
    ck_assert_uint_eq(page.count, 3);
    ck_assert(page.more);
    ck_assert_str_eq(page.items[0].name, "a");
    ck_assert_str_eq(page.items[2].name, "C");
    kvp_key_page_clear(&page);
    ck_assert_int_eq(kvp_store_key_list(vault.daemon.store, &vault.daemon.vault, KVP_KEY_LIVE, "c",
                                        3, &page, NULL),
                     KVP_OK);
    ck_assert_uint_eq(page.count, 1);
    ck_assert(!page.more);
    kvp_key_page_clear(&page);
}
END_TEST

START_TEST(a_deleted_key_goes_and_comes_back_with_all_versions)
{
    kvp_store *store = vault.daemon.store;
    kvp_key_record record = { .row = 0, .name = "key", .version = "x", .kty = "EC" };

    add_key("key", "ffffffffffffffffffffffffffffffff", "1");
    add_key("key", "00000000000000000000000000000000", "2");
    ck_assert_int_eq(kvp_store_key_delete(store, &vault.daemon.vault, "KEY", 100, 200, NULL),
                     KVP_OK);
    ck_assert_int_eq(get_key("key", "", KVP_KEY_LIVE, &record), KVP_ERR_NOT_FOUND);
    record.public_json = kvp_strdup("{}");
    record.ops_json = kvp_strdup("[]");
    ck_assert_int_eq(kvp_store_key_add(store, &vault.daemon.vault, &record, "m", 1, NULL),
                     KVP_ERR_REFUSED);
    kvp_key_record_clear(&record);
    ck_assert_int_eq(get_key("key", "", KVP_KEY_DELETED, &record), KVP_OK);
    ck_assert_int_eq(record.deleted, 100);
    ck_assert_int_eq(record.purge, 200);
    kvp_key_record_clear(&record);

    ck_assert_int_eq(kvp_store_key_recover(store, &vault.daemon.vault, "key", NULL), KVP_OK);

    ck_assert_int_eq(get_key("key", "ffffffffffffffffffffffffffffffff", KVP_KEY_LIVE, &record),
                     KVP_OK);
    kvp_key_record_clear(&record);
    ck_assert_int_eq(kvp_store_key_purge(store, &vault.daemon.vault, "key", NULL),
                     KVP_ERR_NOT_FOUND);
}
END_TEST

START_TEST(what_is_due_is_purged)
{
    kvp_store *store = vault.daemon.store;
    kvp_key_record record = { .row = 0 };

    add_key("early", "ffffffffffffffffffffffffffffffff", "1");
    add_key("late", "ffffffffffffffffffffffffffffffff", "1");
    ck_assert_int_eq(kvp_store_key_delete(store, &vault.daemon.vault, "early", 100, 200, NULL), 0);
    ck_assert_int_eq(kvp_store_key_delete(store, &vault.daemon.vault, "late", 100, 300, NULL), 0);
    ck_assert_int_eq(kvp_store_purge_due(store, 200, NULL), KVP_OK);

    ck_assert_int_eq(get_key("early", "", KVP_KEY_DELETED, &record), KVP_ERR_NOT_FOUND);
    ck_assert_int_eq(get_key("late", "", KVP_KEY_DELETED, &record), KVP_OK);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(an_update_writes_only_its_fields)
{
    kvp_store *store = vault.daemon.store;
    kvp_key_record record = { .row = 0 };

    add_key("key", "ffffffffffffffffffffffffffffffff", "1");
    ck_assert_int_eq(get_key("key", "", KVP_KEY_LIVE, &record), KVP_OK);
    record.enabled = false;
    record.expires = 77;
    record.updated = 99;
    ck_assert_int_eq(
        kvp_store_key_update(store, &vault.daemon.vault, &record, KVP_FIELD_EXPIRES, NULL), KVP_OK);
    kvp_key_record_clear(&record);

    ck_assert_int_eq(get_key("key", "", KVP_KEY_LIVE, &record), KVP_OK);
    ck_assert(record.enabled);
    ck_assert_int_eq(record.expires, 77);
    ck_assert_int_eq(record.updated, 99);
    kvp_key_record_clear(&record);
}
END_TEST

START_TEST(a_removed_principal_takes_its_tokens_along)
{
    kvp_grant grant;
    uint8_t digest[32];
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "someone", "Crypto User", token);
    ck_assert_int_eq(kvp_ident_digest(token, digest), KVP_OK);
    ck_assert_int_eq(
        kvp_store_token_find(vault.daemon.store, digest, &vault.daemon.vault, &grant, NULL),
        KVP_OK);
    ck_assert_str_eq(grant.principal.name, "someone");
    ck_assert_uint_eq(grant.assignment_count, 1);

    ck_assert_int_eq(kvp_store_principal_remove(vault.daemon.store, "SomeOne", NULL), KVP_OK);

    ck_assert_int_eq(
        kvp_store_token_find(vault.daemon.store, digest, &vault.daemon.vault, &grant, NULL),
        KVP_ERR_NOT_FOUND);
    ck_assert_int_eq(kvp_store_principal_remove(vault.daemon.store, "someone", NULL),
                     KVP_ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_principal_name_is_given_once)
{
    kvp_error error = { .status = KVP_OK };
    const char *roles[] = { NULL };
    kvp_principal principal;
    char secret[KVP_SECRET_SIZE];

    ck_assert_int_eq(kvp_principal_make("Administrator", &principal, secret, NULL), KVP_OK);

    ck_assert_int_eq(kvp_store_principal_add(vault.daemon.store, &vault.daemon.vault, &principal,
                                             roles, "/", NULL, 0, &error),
                     KVP_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "already"));
}
END_TEST

START_TEST(a_store_is_initialised_once)
{
    kvp_seal seal = { { 0 } };
    kvp_principal principal = { .id = 0 };
    const char *roles[] = { NULL };

    ck_assert_int_eq(kvp_store_initialise(vault.daemon.store, &seal, &vault.daemon.vault,
                                          &principal, roles, NULL),
                     KVP_ERR_INVALID);
}
END_TEST

START_TEST(a_seal_opens_what_it_closed_and_nothing_else)
{
    kvp_seal seal = { { 9 } };
    kvp_buf sealed = KVP_BUF_INIT(0), plain = KVP_BUF_INIT_SECRET(0);

    ck_assert_int_eq(kvp_seal_close(&seal, "place", "text", 4, &sealed, NULL), KVP_OK);
    ck_assert_int_eq(kvp_seal_open(&seal, "place", sealed.data, sealed.len, &plain, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&plain), "text");
    ck_assert_int_eq(kvp_seal_open(&seal, "other", sealed.data, sealed.len, &plain, NULL),
                     KVP_ERR_MISMATCH);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        ck_assert_int_eq(kvp_seal_open(&seal, "place", sealed.data, sealed.len, &plain, NULL),
                         KVP_ERR_MISMATCH);
        sealed.data[i] ^= 1;
        ck_assert_int_eq(kvp_seal_open(&seal, "place", sealed.data, i, &plain, NULL),
                         KVP_ERR_MISMATCH);
    }
    kvp_buf_clear(&sealed);
    kvp_buf_clear(&plain);
}
END_TEST

START_TEST(the_cache_keeps_no_more_than_it_may)
{
    kvp_key_cache *cache = kvp_key_cache_new(3);
    kvp_engine_key *key = NULL;

    ck_assert_int_eq(kvp_engine_generate_oct(128, &key, NULL), KVP_OK);
    for (int64_t row = 1; row <= 10; row++)
        kvp_key_cache_put(cache, row, key);

    ck_assert_uint_eq(kvp_key_cache_count(cache), 3);
    kvp_key_cache_empty(cache);
    ck_assert_uint_eq(kvp_key_cache_count(cache), 0);
    kvp_key_cache_free(cache);
    ck_assert_int_eq(key->refs, 1);
    kvp_engine_key_unref(key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd store");
    TCase *with = tcase_create("with a vault"), *without = tcase_create("without");

    tcase_add_checked_fixture(with, setup, teardown);
    tcase_add_test(with, a_key_is_found_after_a_restart_with_its_material);
    tcase_add_test(with, private_material_never_stands_in_a_file);
    tcase_add_test(with, the_file_is_for_its_owner_alone);
    tcase_add_loop_test(with, sealed_rows_do_not_open_in_another_place, 0, 6);
    tcase_add_test(with, another_storage_key_is_refused);
    tcase_add_test(with, a_new_store_has_the_newest_schema);
    tcase_add_test(with, the_last_added_version_is_current);
    tcase_add_test(with, pages_are_ordered_without_case_and_know_their_end);
    tcase_add_test(with, a_deleted_key_goes_and_comes_back_with_all_versions);
    tcase_add_test(with, what_is_due_is_purged);
    tcase_add_test(with, an_update_writes_only_its_fields);
    tcase_add_test(with, a_removed_principal_takes_its_tokens_along);
    tcase_add_test(with, a_principal_name_is_given_once);
    tcase_add_test(with, a_store_is_initialised_once);
    tcase_add_test(without, tokens_keep_what_older_schemas_know_of);
    tcase_add_loop_test(without, every_older_schema_migrates, 0, (int)kvp_store_schema_version + 1);
    tcase_add_loop_test(without, a_newer_schema_and_a_foreign_file_are_refused, 0, 2);
    tcase_add_test(without, a_file_that_is_no_database_is_refused);
    tcase_add_test(without, a_seal_opens_what_it_closed_and_nothing_else);
    tcase_add_test(without, the_cache_keeps_no_more_than_it_may);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
