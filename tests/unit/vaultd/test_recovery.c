/* SPDX-License-Identifier: MIT */
/* Recovery levels: every one for every sort of object, and what the sub-commands allow of them. */
#include "config.h"

#include "support.h"

#include "base/clock.h"
#include "vaultd/keeper.h"
#include "vaultd/recovery.h"
#include "vaultd/store_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400

static kvp_test_vault vault;
static char output[4096];

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    kvp_clock_freeze(1000, kvp_clock_wall_us() / 1000000 * 1000000);
}

static void teardown(void)
{
    kvp_clock_freeze(-1, -1);
    kvp_test_vault_close(&vault);
}

static void must(const char *line)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(kvp_test_admin(&vault, line, output, sizeof(output), &error) == KVP_OK, "%s: %s",
                  line, error.message);
}

static void refused(const char *line, kvp_status status, const char *text)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status got = kvp_test_admin(&vault, line, output, sizeof(output), &error);

    ck_assert_msg(got == status && strstr(error.message, text), "%s: %d %s", line, (int)got,
                  error.message);
}

/* In the order of kvp_object_kind. */
static const struct {
    const char *collection, *deleted, *method, *rest, *body;
    int made;
} sorts[KVP_OBJECT_KIND_COUNT] = {
    { "keys", "deletedkeys", "POST", "/create", "{\"kty\":\"EC\"}", 200 },
    { "secrets", "deletedsecrets", "PUT", "", "{\"value\":\"v\"}", 200 },
    { "certificates", "deletedcertificates", "POST", "/create",
      "{\"policy\":{\"key_props\":{\"kty\":\"EC\",\"crv\":\"P-256\"},\"x509_props\":{\"subject\":"
      "\"CN=x\"},\"issuer\":{\"name\":\"Self\"}}}",
      202 },
};

static int status_of(const char *method, const char *path)
{
    kvp_exchange *ex = kvp_test_request(&vault, method, path, vault.token, NULL);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

/* What a level with a time for recovery does with a deleted object at @path. */
static void check_life_after(const kvp_recovery_level *level, kvp_object_kind kind,
                             const char *path)
{
    int64_t now = kvp_clock_wall_us() / 1000000;
    kvp_store *store = vault.daemon.store;
    const kvp_vault_info *own = &vault.daemon.vault;
    kvp_object_state state;

    if (level->purge) {
        ck_assert_int_eq(status_of("DELETE", path), 204);
        ck_assert_int_eq(status_of("GET", path), 404);
        return;
    }
    kvp_test_error(kvp_test_call(&vault, "DELETE", path, NULL, 403), "Forbidden", NULL,
                   "purge protection is enabled");
    kvp_clock_freeze(1000, (now + level->days_max * DAY - 1) * 1000000);
    kvp_keeper_round(&vault.daemon);
    /* The administrator's token is of an hour only: the store is asked. */
    ck_assert_int_eq(kvp_store_object_state(store, own, kind, "x", &state, NULL), KVP_OK);
    kvp_clock_freeze(1000, (now + level->days_max * DAY) * 1000000);
    kvp_keeper_round(&vault.daemon);
    ck_assert_int_eq(kvp_store_object_state(store, own, kind, "x", &state, NULL),
                     KVP_ERR_NOT_FOUND);
    kvp_clock_freeze(1000, now * 1000000);
}

START_TEST(every_level_is_shown_and_kept_to)
{
    const kvp_recovery_level *level = &kvp_recovery_levels[_i / (int)KVP_ARRAY_LEN(sorts)];
    char line[200], path[80];
    size_t sort = (size_t)_i % KVP_ARRAY_LEN(sorts);

    snprintf(line, sizeof(line), "vault set dev --recovery-level %s --recoverable-days %d",
             level->name, level->days_max);
    must(line);
    snprintf(path, sizeof(path), "/%s/x%s", sorts[sort].collection, sorts[sort].rest);
    json_decref(
        kvp_test_call(&vault, sorts[sort].method, path, sorts[sort].body, sorts[sort].made));
    snprintf(path, sizeof(path), "/%s/x", sorts[sort].collection);
    json_t *live = kvp_test_call(&vault, "GET", path, NULL, 200);
    ck_assert_str_eq(kvp_test_text(live, "attributes.recoveryLevel"), level->name);
    ck_assert_int_eq(json_integer_value(kvp_test_at(live, "attributes.recoverableDays")),
                     level->days_max);
    json_decref(live);
    json_t *deleted = kvp_test_call(&vault, "DELETE", path, NULL, 200);
    ck_assert_int_eq(kvp_test_at(deleted, "recoveryId") != NULL, level->days_max > 0);
    if (level->days_max > 0)
        ck_assert_int_eq(json_integer_value(kvp_test_at(deleted, "scheduledPurgeDate")),
                         json_integer_value(kvp_test_at(deleted, "deletedDate")) +
                             level->days_max * DAY);
    json_decref(deleted);
    ck_assert_int_eq(status_of("GET", path), 404);
    snprintf(path, sizeof(path), "/%s/x", sorts[sort].deleted);
    ck_assert_int_eq(status_of("GET", path), level->days_max > 0 ? 200 : 404);
    if (level->days_max > 0)
        check_life_after(level, (kvp_object_kind)sort, path);
    /* Gone for good, the name is free. */
    snprintf(path, sizeof(path), "/%s/x%s", sorts[sort].collection, sorts[sort].rest);
    json_decref(
        kvp_test_call(&vault, sorts[sort].method, path, sorts[sort].body, sorts[sort].made));
}
END_TEST

START_TEST(a_vault_is_added_with_a_level)
{
    must("vault add quick --recovery-level Purgeable");
    must("vault add week --recoverable-days 7");
    must("vault add strict --recovery-level customizedrecoverable --recoverable-days 30");
    must("vault list");
    ck_assert_ptr_nonnull(strstr(output, "dev\tvault\t0\tdefault\tRecoverable+Purgeable\t90\n"));
    ck_assert_ptr_nonnull(strstr(output, "quick\tvault\t0\t\tPurgeable\t0\n"));
    ck_assert_ptr_nonnull(strstr(output, "week\tvault\t0\t\tCustomizedRecoverable+Purgeable\t7\n"));
    ck_assert_ptr_nonnull(strstr(output, "strict\tvault\t0\t\tCustomizedRecoverable\t30\n"));
}
END_TEST

START_TEST(levels_and_days_must_fit)
{
    static const char *const lines[] = {
        "vault set dev --recovery-level Forever",
        "vault set dev --recoverable-days 6",
        "vault set dev --recoverable-days 91",
        "vault set dev --recoverable-days 7x",
        "vault set dev --recovery-level CustomizedRecoverable",
        "vault set dev --recovery-level Recoverable --recoverable-days 30",
        "vault set dev --recovery-level Purgeable --recoverable-days 90",
        "vault add other --recovery-level CustomizedRecoverable --recoverable-days 90",
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(lines); i++)
        refused(lines[i], KVP_ERR_INVALID, "");
    must("vault list");
    ck_assert_str_eq(output, "dev\tvault\t0\tdefault\tRecoverable+Purgeable\t90\n");
    must("vault set dev --recoverable-days 10");
    ck_assert_str_eq(output,
                     "recovery_level = CustomizedRecoverable+Purgeable\nrecoverable_days = 10\n");
    must("vault set dev --recoverable-days 90");
    ck_assert_str_eq(output, "recovery_level = Recoverable+Purgeable\nrecoverable_days = 90\n");
    refused("vault set nowhere --recoverable-days 10", KVP_ERR_NOT_FOUND, "");
}
END_TEST

START_TEST(purge_protection_is_for_good)
{
    must("vault add safe --recovery-level CustomizedRecoverable --recoverable-days 30");
    refused("vault set safe --recovery-level Purgeable", KVP_ERR_REFUSED, "cannot be taken back");
    refused("vault set safe --recoverable-days 29", KVP_ERR_REFUSED, "less than before");
    must("vault set safe --recoverable-days 31");
    must("vault set safe --recovery-level Recoverable+ProtectedSubscription");
    must("key create k --vault safe --crv P-256");
    must("key delete k --vault safe");
    refused("vault remove safe --force", KVP_ERR_REFUSED, "protected from purging");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recovery");
    TCase *tests = tcase_create("recovery");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_level_is_shown_and_kept_to, 0,
                        (int)(kvp_recovery_level_count * KVP_ARRAY_LEN(sorts)));
    tcase_add_test(tests, a_vault_is_added_with_a_level);
    tcase_add_test(tests, levels_and_days_must_fit);
    tcase_add_test(tests, purge_protection_is_for_good);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
