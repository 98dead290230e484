/* SPDX-License-Identifier: MIT */
/* Durations, rotation policies, and rotation that happens when its time comes. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/duration.h"
#include "vaultd/keeper.h"
#include "vaultd/key_rotation.h"
#include "vaultd/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)

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
    kvp_clock_freeze(-1, -1);
    kvp_test_vault_close(&vault);
}

static const struct {
    const char *text;
    bool valid;
    int months, days, least;
} durations[] = {
    { "P30D", true, 0, 30, 30 },     { "P1Y", true, 12, 0, 365 }, { "P18M", true, 18, 0, 533 },
    { "P1Y2M3D", true, 14, 3, 424 }, { "P", false, 0, 0, 0 },     { "30D", false, 0, 0, 0 },
    { "P30", false, 0, 0, 0 },       { "P1D1M", false, 0, 0, 0 }, { "PT1H", false, 0, 0, 0 },
    { "P-1D", false, 0, 0, 0 },      { "P1D1D", false, 0, 0, 0 }, { "P99999D", false, 0, 0, 0 },
    { "", false, 0, 0, 0 },          { "P1W", false, 0, 0, 0 },   { "p30d", false, 0, 0, 0 },
    { "PD", false, 0, 0, 0 },
};

START_TEST(durations_are_read)
{
    kvp_duration d = { -1, -1 };

    ck_assert_msg(kvp_duration_parse(durations[_i].text, &d) == durations[_i].valid, "%s",
                  durations[_i].text);
    if (!durations[_i].valid)
        return;
    ck_assert_int_eq(d.months, durations[_i].months);
    ck_assert_int_eq(d.days, durations[_i].days);
    ck_assert_int_eq(kvp_duration_least_days(&d), durations[_i].least);
}
END_TEST

START_TEST(months_are_counted_in_the_calendar)
{
    const kvp_duration month = { 1, 0 }, year = { 12, 0 }, days = { 0, 30 };

    /* 31 January 2024 12:00:00 and 29 February 2024 */
    ck_assert_int_eq(kvp_duration_apply(1706702400, &month, 1), 1709208000);
    ck_assert_int_eq(kvp_duration_apply(1709208000, &year, 1), 1740744000);   /* 28 February 2025 */
    ck_assert_int_eq(kvp_duration_apply(1709208000, &month, -1), 1706529600); /* 29 January */
    ck_assert_int_eq(kvp_duration_apply(1699275450, &days, 1), 1701867450);   /* recorded */
}
END_TEST

static void make_key(const char *body)
{
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/create", body, 200));
}

static json_t *put_policy(const char *policy, int status)
{
    return kvp_test_call(&vault, "PUT", "/keys/k/rotationpolicy", policy, status);
}

START_TEST(a_policy_is_kept_with_what_the_vault_adds)
{
    make_key("{\"kty\":\"EC\"}");
    json_t *none = kvp_test_call(&vault, "GET", "/keys/k/rotationpolicy", NULL, 200);
    ck_assert_str_eq(kvp_test_members(none), "lifetimeActions attributes");
    ck_assert(json_is_null(kvp_test_at(none, "attributes")));
    json_t *put =
        put_policy("{\"attributes\":{\"expiryTime\":\"P90D\"},\"lifetimeActions\":[{\"action\":{"
                   "\"type\":\"rotate\"},\"trigger\":{\"timeAfterCreate\":\"P30D\"}}]}",
                   200);
    ck_assert_str_eq(kvp_test_members(put), "id lifetimeActions attributes");
    ck_assert_str_eq(kvp_test_text(put, "id"), "https://127.0.0.1:8443/keys/k/rotationpolicy");
    const json_t *actions = kvp_test_at(put, "lifetimeActions");
    ck_assert_uint_eq(json_array_size(actions), 2);
    ck_assert_str_eq(kvp_test_text(json_array_get(actions, 0), "action.type"), "Rotate");
    ck_assert_str_eq(kvp_test_text(json_array_get(actions, 1), "action.type"), "Notify");
    ck_assert_str_eq(kvp_test_text(json_array_get(actions, 1), "trigger.timeBeforeExpiry"), "P30D");
    json_t *got = kvp_test_call(&vault, "GET", "/keys/k/rotationpolicy", NULL, 200);
    ck_assert(json_equal(put, got));
    json_decref(got);
    json_decref(put);
    json_decref(none);
}
END_TEST

#define ACTION(type, trigger, value)                                                               \
    "{\"action\":{\"type\":\"" type "\"},\"trigger\":{\"" trigger "\":\"" value "\"}}"
static const char *const wrong_policies[] = {
    "{\"attributes\":{\"expiryTime\":\"P27D\"}}",
    "{\"attributes\":{\"expiryTime\":\"soon\"}}",
    "{\"attributes\":{\"expiryTime\":5}}",
    "{\"lifetimeActions\":{}}",
    "{\"lifetimeActions\":[5]}",
    "{\"lifetimeActions\":[{}]}",
    "{\"lifetimeActions\":[" ACTION("Explode", "timeAfterCreate", "P30D") "]}",
    "{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "P6D") "]}",
    "{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "PT30H") "]}",
    "{\"lifetimeActions\":[" ACTION("Rotate", "timeBeforeExpiry", "P30D") "]}",
    "{\"lifetimeActions\":[" ACTION("Rotate", "whenever", "P30D") "]}",
    "{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate",
                                    "P30D") "," ACTION("rotate", "timeAfterCreate", "P40D") "]}",
    "{\"lifetimeActions\":[{\"action\":{\"type\":\"Rotate\"},\"trigger\":{\"timeAfterCreate\":"
    "\"P30D\","
    "\"timeBeforeExpiry\":\"P30D\"}}],\"attributes\":{\"expiryTime\":\"P90D\"}}",
};

START_TEST(wrong_policies_are_refused_and_change_nothing)
{
    make_key("{\"kty\":\"EC\"}");
    kvp_test_error(put_policy(wrong_policies[_i], 400), "BadParameter", NULL, "has invalid value");
    json_t *none = kvp_test_call(&vault, "GET", "/keys/k/rotationpolicy", NULL, 200);
    ck_assert(json_is_null(kvp_test_at(none, "attributes")));
    json_decref(none);
}
END_TEST

START_TEST(an_hsm_has_policies_of_its_own_form)
{
    make_key("{\"kty\":\"EC\"}");
    json_t *none = kvp_test_call(&vault, "GET", "/keys/k/rotationpolicy", NULL, 200);
    ck_assert_str_eq(kvp_test_text(none, "attributes.expiryTime"), "");
    json_decref(none);
    json_decref(put_policy(
        "{\"lifetimeActions\":[" ACTION("Notify", "timeBeforeExpiry", "P30D") "]}", 400));
    json_decref(
        put_policy("{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "P27D") "]}", 400));
    json_t *put =
        put_policy("{\"attributes\":{\"expiryTime\":\"P30D\"},\"lifetimeActions\":[]}", 200);
    ck_assert_str_eq(kvp_test_text(put, "id"), "keys/k/rotationpolicy");
    ck_assert_ptr_null(kvp_test_at(put, "lifetimeActions"));
    json_decref(put);
}
END_TEST

static size_t version_count(void)
{
    json_t *list = kvp_test_call(&vault, "GET", "/keys/k/versions", NULL, 200);
    size_t count = json_array_size(kvp_test_at(list, "value"));

    json_decref(list);
    return count;
}

static size_t rotate_at(int64_t now)
{
    size_t rotated = 99;

    kvp_clock_freeze(1000, now * 1000000);
    ck_assert_int_eq(kvp_keys_rotate_due(&vault.daemon, now, &rotated, NULL), KVP_OK);
    kvp_clock_freeze(-1, -1);
    return rotated;
}

START_TEST(a_key_is_rotated_when_its_time_comes_and_not_before)
{
    make_key("{\"kty\":\"RSA\",\"key_size\":3072,\"key_ops\":[\"sign\"],\"tags\":{\"a\":\"b\"}}");
    json_decref(put_policy("{\"attributes\":{\"expiryTime\":\"P90D\"},\"lifetimeActions\":[" ACTION(
                               "Rotate", "timeAfterCreate", "P30D") "]}",
                           200));
    json_t *key = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
    int64_t created = json_integer_value(kvp_test_at(key, "attributes.created"));

    ck_assert_uint_eq(rotate_at(created + 30 * DAY - 1), 0);
    ck_assert_uint_eq(version_count(), 1);
    ck_assert_uint_eq(rotate_at(created + 30 * DAY), 1);
    ck_assert_uint_eq(version_count(), 2);
    ck_assert_uint_eq(rotate_at(created + 30 * DAY + 1), 0);
    json_t *fresh = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
    ck_assert_int_eq(json_integer_value(kvp_test_at(fresh, "attributes.created")),
                     created + 30 * DAY);
    ck_assert_int_eq(json_integer_value(kvp_test_at(fresh, "attributes.exp")), created + 120 * DAY);
    ck_assert_str_ne(kvp_test_text(fresh, "key.n"), kvp_test_text(key, "key.n"));
    ck_assert_uint_eq(strlen(kvp_test_text(fresh, "key.n")), 512);
    ck_assert(json_equal(kvp_test_at(fresh, "key.key_ops"), kvp_test_at(key, "key.key_ops")));
    ck_assert(json_equal(kvp_test_at(fresh, "tags"), kvp_test_at(key, "tags")));
    json_decref(fresh);
    json_decref(key);
}
END_TEST

START_TEST(rotation_before_expiry_follows_the_key_and_disabled_keys_stay)
{
    make_key("{\"kty\":\"EC\",\"attributes\":{\"exp\":4000000000}}");
    json_decref(put_policy("{\"attributes\":{\"expiryTime\":\"P90D\"},\"lifetimeActions\":[" ACTION(
                               "Rotate", "timeBeforeExpiry", "P10D") "]}",
                           200));
    ck_assert_uint_eq(rotate_at(4000000000 - 10 * DAY - 1), 0);
    json_decref(
        kvp_test_call(&vault, "PATCH", "/keys/k", "{\"attributes\":{\"enabled\":false}}", 200));
    ck_assert_uint_eq(rotate_at(4000000000), 0);
    json_decref(
        kvp_test_call(&vault, "PATCH", "/keys/k", "{\"attributes\":{\"enabled\":true}}", 200));
    ck_assert_uint_eq(rotate_at(4000000000 - 10 * DAY), 1);
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/k", NULL, 200));
    ck_assert_uint_eq(rotate_at(4000000000 + 1000 * DAY), 0);
}
END_TEST

/* Change the sealed halves of all keys of a vault, as a failing disk would. */
static void spoil_material(const char *name)
{
    kvp_store_conn *conn = NULL;
    char sql[200];

    snprintf(sql, sizeof(sql),
             "UPDATE key_versions SET sealed = x'00' WHERE key IN (SELECT k.id FROM keys k"
             " JOIN vaults v ON v.id = k.vault WHERE v.name = '%s')",
             name);
    ck_assert_int_eq(kvp_store_begin(vault.daemon.store, &conn, NULL), KVP_OK);
    ck_assert_int_eq(sqlite3_exec(conn->db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(kvp_store_end(vault.daemon.store, KVP_OK, NULL), KVP_OK);
}

/* The last line of the usage log that is of @operation. */
static json_t *last_record(const char *operation)
{
    char *log = kvp_test_read(kvp_test_path(vault.dir, KVP_USAGE_LOG_EVENTS)), *save = NULL;
    json_t *last = NULL;

    for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json_t *record = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(record);
        if (strcmp(kvp_test_text(record, "operationName"), operation) == 0) {
            json_decref(last);
            last = json_incref(record);
        }
        json_decref(record);
    }
    kvp_free(log);
    ck_assert_msg(last != NULL, "no %s in the usage log", operation);
    return last;
}

START_TEST(a_rotation_by_policy_is_in_the_usage_log)
{
    char output[512];

    ck_assert_int_eq(kvp_test_admin(&vault, "vault add second", output, sizeof(output), NULL),
                     KVP_OK);
    make_key("{\"kty\":\"EC\"}");
    json_decref(
        put_policy("{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "P30D") "]}", 200));
    ck_assert_uint_eq(rotate_at(kvp_clock_wall_us() / 1000000 + 31 * DAY), 1);
    json_t *record = last_record("KeyRotateIfDue");
    json_t *key = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
    ck_assert_str_eq(kvp_test_text(record, "properties.id"), kvp_test_text(key, "key.kid"));
    ck_assert_str_eq(kvp_test_text(record, "resultSignature"), "OK");
    ck_assert_str_eq(kvp_test_text(record, "callerIpAddress"), "local");
    ck_assert_int_eq(json_integer_value(kvp_test_at(record, "properties.httpStatusCode")), 200);
    ck_assert_ptr_nonnull(strstr(kvp_test_text(record, "resourceId"), "/VAULTS/dev"));
    json_decref(record);
    json_decref(key);

    /* In another vault, where the key cannot be read. */
    kvp_vault_info first = vault.daemon.vault;
    ck_assert_int_eq(kvp_store_vault_find(vault.daemon.store, "second", &vault.daemon.vault, NULL),
                     KVP_OK);
    make_key("{\"kty\":\"EC\"}");
    json_decref(
        put_policy("{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "P30D") "]}", 200));
    vault.daemon.vault = first;
    spoil_material("second");
    kvp_key_cache_empty(vault.daemon.cache);
    size_t rotated = 99;
    kvp_error error = { .status = KVP_OK };
    ck_assert_int_ne(kvp_keys_rotate_due(&vault.daemon, kvp_clock_wall_us() / 1000000 + 31 * DAY,
                                         &rotated, &error),
                     KVP_OK);
    ck_assert_uint_eq(rotated, 0);
    record = last_record("KeyRotateIfDue");
    ck_assert_int_eq(json_integer_value(kvp_test_at(record, "properties.httpStatusCode")), 500);
    ck_assert_ptr_nonnull(
        strstr(kvp_test_text(record, "properties.id"), "https://second.localhost:"));
    ck_assert_ptr_nonnull(strstr(kvp_test_text(record, "resourceId"), "/VAULTS/second"));
    ck_assert_ptr_nonnull(strstr(kvp_test_text(record, "resultDescription"), error.message));
    json_decref(record);
}
END_TEST

START_TEST(the_keeper_rotates_by_itself)
{
    kvp_keeper *keeper = NULL;

    make_key("{\"kty\":\"EC\"}");
    json_decref(
        put_policy("{\"lifetimeActions\":[" ACTION("Rotate", "timeAfterCreate", "P30D") "]}", 200));
    kvp_clock_freeze(1000, (kvp_clock_wall_us() / 1000000 + 31 * DAY) * 1000000);
    ck_assert_int_eq(kvp_keeper_start(&vault.daemon, 5, &keeper, NULL), KVP_OK);
    kvp_keeper_stop(keeper);
    kvp_clock_freeze(-1, -1);
    ck_assert_uint_eq(version_count(), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rotation");
    TCase *pure = tcase_create("durations"), *standard = tcase_create("vault");
    TCase *hsm = tcase_create("managed-hsm");

    tcase_set_timeout(standard, 120);
    tcase_add_loop_test(pure, durations_are_read, 0, (int)KVP_ARRAY_LEN(durations));
    tcase_add_test(pure, months_are_counted_in_the_calendar);
    tcase_add_checked_fixture(standard, setup_vault, teardown);
    tcase_add_checked_fixture(hsm, setup_hsm, teardown);
    tcase_add_test(standard, a_policy_is_kept_with_what_the_vault_adds);
    tcase_add_loop_test(standard, wrong_policies_are_refused_and_change_nothing, 0,
                        (int)KVP_ARRAY_LEN(wrong_policies));
    tcase_add_test(standard, a_key_is_rotated_when_its_time_comes_and_not_before);
    tcase_add_test(standard, rotation_before_expiry_follows_the_key_and_disabled_keys_stay);
    tcase_add_test(standard, a_rotation_by_policy_is_in_the_usage_log);
    tcase_add_test(standard, the_keeper_rotates_by_itself);
    tcase_add_test(hsm, an_hsm_has_policies_of_its_own_form);
    suite_add_tcase(suite, pure);
    suite_add_tcase(suite, standard);
    suite_add_tcase(suite, hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
