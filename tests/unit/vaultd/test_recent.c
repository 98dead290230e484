/* SPDX-License-Identifier: MIT */
/* What the store keeps of what it read: no request pays twice, and none sees what was true before a
 * write, whoever wrote. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/datadir.h"
#include "vaultd/roles.h"
#include "vaultd/store_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGN_BODY "{\"alg\":\"ES256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
#define READERS 4
#define WRITES 200

static kvp_test_vault vault;
static char user_token[KVP_SECRET_SIZE];

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    kvp_test_principal(&vault, "user", "Crypto User", user_token);
    json_decref(kvp_test_call(&vault, "POST", "/keys/key/create", "{\"kty\":\"EC\"}", 200));
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static int sign_as(const char *token)
{
    kvp_exchange *ex = kvp_test_request(&vault, "POST", "/keys/key/sign", token, SIGN_BODY);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

/* How often any statement was run by the connections that read. */
static int statements_run(void)
{
    int sum = 0;

    for (kvp_store_conn *conn = vault.daemon.store->idle; conn; conn = conn->next) {
        for (size_t i = 0; i < conn->kept_count; i++)
            sum += sqlite3_stmt_status(conn->kept[i].stmt, SQLITE_STMTSTATUS_RUN, 0);
    }
    return sum;
}

START_TEST(a_signature_with_a_known_key_and_token_reads_no_database)
{
    ck_assert_int_eq(sign_as(user_token), 200);
    int before = statements_run();
    ck_assert_int_gt(before, 0);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(sign_as(user_token), 200);
    ck_assert_int_eq(statements_run(), before);
    /* Anything that is written has all of it read again, once. */
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/other", "{\"value\":\"v\"}", 200));
    before = statements_run();
    ck_assert_int_eq(sign_as(user_token), 200);
    int again = statements_run();
    ck_assert_int_gt(again, before);
    ck_assert_int_eq(sign_as(user_token), 200);
    ck_assert_int_eq(statements_run(), again);
}
END_TEST

static kvp_status remove_principal(kvp_store *store)
{
    return kvp_store_principal_remove(store, "user", NULL);
}

static kvp_status revoke(kvp_store *store)
{
    kvp_assignment *list = NULL;
    kvp_principal principal;
    size_t count = 0;
    kvp_status status = kvp_store_principal_find(store, "user", &principal, NULL);

    ck_assert_int_eq(status, KVP_OK);
    ck_assert_int_eq(kvp_store_assignment_list(store, &vault.daemon.vault, &list, &count, NULL),
                     KVP_OK);
    status = KVP_ERR_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].principal, principal.object_id) == 0)
            status = kvp_store_assignment_remove(store, &vault.daemon.vault, list[i].id, NULL);
    }
    kvp_free(list);
    return status;
}

static kvp_status disable(kvp_store *store)
{
    kvp_key_record record = { .row = 0 };
    kvp_status status =
        kvp_store_key_get(store, &vault.daemon.vault, "key", NULL, KVP_KEY_LIVE, &record, NULL);

    record.enabled = false;
    if (status == KVP_OK)
        status = kvp_store_key_update(store, &vault.daemon.vault, &record, KVP_FIELD_ENABLED, NULL);
    kvp_key_record_clear(&record);
    return status;
}

static kvp_status delete_key(kvp_store *store)
{
    return kvp_store_key_delete(store, &vault.daemon.vault, "key", 1, 2, NULL);
}

/** What is written, and what the user's next signature is answered with. */
static const struct {
    kvp_status (*write)(kvp_store *store);
    int status;
} writes[] = { { remove_principal, 401 }, { revoke, 403 }, { disable, 403 }, { delete_key, 404 } };

/* Even rows by the daemon's own store, odd ones by another, as an admin sub-command has it. */
START_TEST(the_request_after_a_write_sees_it)
{
    bool own = _i % 2 == 0;
    kvp_store *store = vault.daemon.store;
    kvp_vault_info info;

    if (!own)
        ck_assert_int_eq(kvp_datadir_admin_store(vault.dir, &store, &info, NULL), KVP_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(sign_as(user_token), 200);
    ck_assert_int_eq(writes[_i / 2].write(store), KVP_OK);
    ck_assert_int_eq(sign_as(user_token), writes[_i / 2].status);
    if (!own)
        kvp_store_close(store);
}
END_TEST

START_TEST(a_new_version_is_used_at_once)
{
    json_t *first = kvp_test_call(&vault, "POST", "/keys/key/sign", SIGN_BODY, 200);
    json_t *made = kvp_test_call(&vault, "POST", "/keys/key/create", "{\"kty\":\"EC\"}", 200);
    json_t *second = kvp_test_call(&vault, "POST", "/keys/key/sign", SIGN_BODY, 200);

    ck_assert_str_ne(kvp_test_text(first, "kid"), kvp_test_text(second, "kid"));
    ck_assert_str_eq(kvp_test_text(made, "key.kid"), kvp_test_text(second, "kid"));
    json_decref(first);
    json_decref(made);
    json_decref(second);
}
END_TEST

START_TEST(a_vault_that_was_removed_is_gone)
{
    kvp_store *store = vault.daemon.store;
    kvp_vault_info second = vault.daemon.vault, found;

    snprintf(second.name, sizeof(second.name), "second");
    ck_assert_int_eq(kvp_store_vault_find(store, "second", &found, NULL), KVP_ERR_NOT_FOUND);
    ck_assert_int_eq(kvp_store_vault_add(store, &second, NULL), KVP_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kvp_store_vault_find(store, "SECOND", &found, NULL), KVP_OK);
        ck_assert_str_eq(found.name, "second");
    }
    ck_assert_int_eq(kvp_store_vault_remove(store, "second", NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_vault_find(store, "SECOND", &found, NULL), KVP_ERR_NOT_FOUND);
}
END_TEST

/* The version of a request may be of any length; what is too long to be kept is looked up. */
START_TEST(names_of_any_length_are_looked_up)
{
    char name[KVP_NAME_MAX + 1], version[600], path[800];
    kvp_key_record record = { .row = 0 };

    memset(name, 'n', KVP_NAME_MAX);
    name[KVP_NAME_MAX] = '\0';
    memset(version, 'a', sizeof(version) - 1);
    version[sizeof(version) - 1] = '\0';
    snprintf(path, sizeof(path), "/keys/%s/create", name);
    json_decref(kvp_test_call(&vault, "POST", path, "{\"kty\":\"EC\"}", 200));
    for (int i = 0; i < 2; i++) {
        kvp_status status = kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, name,
                                              version, KVP_KEY_LIVE, &record, NULL);
        ck_assert_int_eq(status, KVP_ERR_NOT_FOUND);
        snprintf(path, sizeof(path), "/keys/%s", name);
        json_decref(kvp_test_call(&vault, "GET", path, NULL, 200));
    }
}
END_TEST

static int64_t acknowledged; /* atomic: the last `expires` that was written */
static bool stale, ended;    /* atomic */

static void *read_on(void *arg KVP_UNUSED)
{
    while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
        int64_t least = __atomic_load_n(&acknowledged, __ATOMIC_SEQ_CST);
        kvp_key_record record = { .row = 0 };
        if (kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, "key", NULL, KVP_KEY_LIVE,
                              &record, NULL) != KVP_OK ||
            record.expires < least)
            __atomic_store_n(&stale, true, __ATOMIC_RELEASE);
        kvp_key_record_clear(&record);
    }
    return NULL;
}

START_TEST(readers_in_parallel_never_see_what_was_before_a_finished_write)
{
    pthread_t threads[READERS];
    kvp_key_record record = { .row = 0 };

    ck_assert_int_eq(kvp_store_key_get(vault.daemon.store, &vault.daemon.vault, "key", NULL,
                                       KVP_KEY_LIVE, &record, NULL),
                     KVP_OK);
    acknowledged = KVP_TIME_NONE;
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, NULL), 0);
    for (int64_t i = 1; i <= WRITES; i++) {
        record.expires = i;
        ck_assert_int_eq(kvp_store_key_update(vault.daemon.store, &vault.daemon.vault, &record,
                                              KVP_FIELD_EXPIRES, NULL),
                         KVP_OK);
        __atomic_store_n(&acknowledged, i, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&ended, true, __ATOMIC_RELEASE);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    kvp_key_record_clear(&record);
    ck_assert(!__atomic_load_n(&stale, __ATOMIC_ACQUIRE));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recent");
    TCase *tcase = tcase_create("recent");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_signature_with_a_known_key_and_token_reads_no_database);
    tcase_add_loop_test(tcase, the_request_after_a_write_sees_it, 0,
                        2 * (int)KVP_ARRAY_LEN(writes));
    tcase_add_test(tcase, a_new_version_is_used_at_once);
    tcase_add_test(tcase, a_vault_that_was_removed_is_gone);
    tcase_add_test(tcase, names_of_any_length_are_looked_up);
    tcase_add_test(tcase, readers_in_parallel_never_see_what_was_before_a_finished_write);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
