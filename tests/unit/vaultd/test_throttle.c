/* SPDX-License-Identifier: MIT */
/* Throttling: the published numbers, one by one and mixed, and the answer. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    vault.daemon.throttle = kvp_throttle_new();
}

static void setup_hsm(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
    vault.daemon.throttle = kvp_throttle_new();
}

static void teardown(void)
{
    kvp_clock_freeze(-1, -1);
    kvp_throttle_free(vault.daemon.throttle);
    kvp_test_vault_close(&vault);
}

START_TEST(each_published_limit_is_exact)
{
    const kvp_throttle_row *row = &kvp_throttle_rows[_i];

    for (int pot = 0; pot <= KVP_POT_SOFTWARE_USE; pot++) {
        kvp_throttle *throttle = kvp_throttle_new();
        for (unsigned i = 0; i < row->limits[pot]; i++)
            ck_assert_int_eq(
                kvp_throttle_take(throttle, 1, (kvp_throttle_pot)pot, row->limits[pot], 5000), 0);
        ck_assert_int_eq(
            kvp_throttle_take(throttle, 1, (kvp_throttle_pot)pot, row->limits[pot], 5000), 10);
        ck_assert_int_eq(
            kvp_throttle_take(throttle, 1, (kvp_throttle_pot)pot, row->limits[pot], 14001), 1);
        /* Another vault, another pot, another window are not concerned. */
        ck_assert_int_eq(
            kvp_throttle_take(throttle, 2, (kvp_throttle_pot)pot, row->limits[pot], 5000), 0);
        ck_assert_int_eq(kvp_throttle_take(throttle, 1, KVP_POT_VAULT, 4000, 5000), 0);
        ck_assert_int_eq(
            kvp_throttle_take(throttle, 1, (kvp_throttle_pot)pot, row->limits[pot], 15000), 0);
        kvp_throttle_free(throttle);
    }
}
END_TEST

START_TEST(weights_add_up)
{
    kvp_throttle *throttle = kvp_throttle_new();

    /* 125 operations with 4096 bits are half of 250; 1000 with 2048 bits the other half. */
    for (int i = 0; i < 125; i++)
        ck_assert_int_eq(kvp_throttle_take(throttle, 1, KVP_POT_HSM_USE, 250, 0), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(kvp_throttle_take(throttle, 1, KVP_POT_HSM_USE, 2000, 0), 0);
    ck_assert_int_gt(kvp_throttle_take(throttle, 1, KVP_POT_HSM_USE, 2000, 0), 0);
    kvp_throttle_free(throttle);
}
END_TEST

START_TEST(the_eleventh_hsm_key_waits)
{
    kvp_clock_freeze(1000000, kvp_clock_wall_us());
    for (int i = 0; i < 10; i++)
        json_decref(kvp_test_callf(&vault, "POST", "/keys/k/create", 200, "{\"kty\":\"EC-HSM\"}"));
    kvp_exchange *ex =
        kvp_test_request(&vault, "POST", "/keys/k/create", vault.token, "{\"kty\":\"EC-HSM\"}");
    const char *wait = NULL;
    for (size_t i = 0; i < ex->header_count; i++) {
        if (strcmp(ex->headers[i].name, "Retry-After") == 0)
            wait = ex->headers[i].value;
    }
    ck_assert_int_eq(ex->status, 429);
    ck_assert_ptr_nonnull(wait);
    ck_assert_str_eq(wait, "10");
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "\"code\":\"Throttled\""));
    kvp_exchange_free(ex);
    /* Software keys have a pot of their own; after the window it goes on. */
    json_decref(kvp_test_callf(&vault, "POST", "/keys/s/create", 200, "{\"kty\":\"EC\"}"));
    kvp_clock_sleep_ms(KVP_THROTTLE_WINDOW_MS);
    json_decref(kvp_test_callf(&vault, "POST", "/keys/k/create", 200, "{\"kty\":\"EC-HSM\"}"));
}
END_TEST

START_TEST(an_hsm_does_not_throttle)
{
    kvp_clock_freeze(1000000, kvp_clock_wall_us());
    for (int i = 0; i < 25; i++)
        json_decref(kvp_test_callf(&vault, "POST", "/keys/k/create", 200, "{\"kty\":\"EC\"}"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("throttle");
    TCase *pure = tcase_create("numbers"), *standard = tcase_create("vault");
    TCase *hsm = tcase_create("managed-hsm");

    tcase_add_loop_test(pure, each_published_limit_is_exact, 0, (int)kvp_throttle_row_count);
    tcase_add_test(pure, weights_add_up);
    tcase_add_checked_fixture(standard, setup_vault, teardown);
    tcase_add_test(standard, the_eleventh_hsm_key_waits);
    tcase_add_checked_fixture(hsm, setup_hsm, teardown);
    tcase_add_test(hsm, an_hsm_does_not_throttle);
    suite_add_tcase(suite, pure);
    suite_add_tcase(suite, standard);
    suite_add_tcase(suite, hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
