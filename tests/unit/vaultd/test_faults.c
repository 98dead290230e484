/* SPDX-License-Identifier: MIT */
/* Faults on order: who may order them, what they match, and what a client sees; a real one at the
 * end. */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    vault.daemon.faults = kvp_faults_new();
}

static void setup_hsm(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
    vault.daemon.faults = kvp_faults_new();
}

static void teardown(void)
{
    kvp_clock_freeze(-1, -1);
    kvp_faults_free(vault.daemon.faults);
    kvp_test_vault_close(&vault);
}

static void order(const char *fault)
{
    kvp_exchange *ex = kvp_test_request(&vault, "POST", "/.faults?", vault.token, fault);

    ck_assert_msg(ex->status == 204, "%d %s", ex->status, kvp_buf_str(&ex->reply));
    kvp_exchange_free(ex);
}

static int get(const char *path)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", path, vault.token, NULL);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

START_TEST(without_the_option_there_is_no_such_path)
{
    kvp_faults *faults = vault.daemon.faults;

    vault.daemon.faults = NULL;
    json_decref(kvp_test_call(&vault, "POST", "/.faults", "{}", 404));
    json_decref(kvp_test_call(&vault, "GET", "/.faults", NULL, 404));
    vault.daemon.faults = faults;
}
END_TEST

START_TEST(only_administrators_order)
{
    static const char *const roles[] = { "Key Vault Crypto Officer", "Key Vault Reader",
                                         "Key Vault Secrets Officer" };
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "other", roles[_i], token);
    for (size_t i = 0; i < 3; i++) {
        static const char *const methods[] = { "GET", "POST", "DELETE" };
        kvp_exchange *ex = kvp_test_request(&vault, methods[i], "/.faults", token, "{}");
        ck_assert_int_eq(ex->status, 403);
        kvp_exchange_free(ex);
    }
    kvp_exchange *ex = kvp_test_request(&vault, "POST", "/.faults", NULL, "{}");
    ck_assert_int_eq(ex->status, 401);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(faults_are_used_up_in_order)
{
    order("{\"faults\":[{\"match\":{\"method\":\"GET\",\"path\":\"/"
          "KEYS*\"},\"status\":503,\"times\":2},"
          "{\"match\":{\"operation\":\"KeyList\"},\"status\":429,\"headers\":{\"Retry-After\":"
          "\"7\"}}]}");
    ck_assert_int_eq(get("/deletedkeys"), 200);
    ck_assert_int_eq(get("/keys/x"), 503);
    json_t *list = kvp_test_call(&vault, "GET", "/.faults", NULL, 200);
    const json_t *faults = kvp_test_at(list, "faults");
    ck_assert_uint_eq(json_array_size(faults), 2);
    ck_assert_int_eq(json_integer_value(kvp_test_at(json_array_get(faults, 0), "times")), 1);
    ck_assert_int_eq(json_integer_value(kvp_test_at(json_array_get(faults, 0), "used")), 1);
    json_decref(list);
    ck_assert_int_eq(get("/keys"), 503);
    ck_assert_int_eq(get("/keys/x"), 404);
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);
    ck_assert_int_eq(ex->status, 429);
    bool found = false;
    for (size_t i = 0; i < ex->header_count; i++)
        found |= strcmp(ex->headers[i].name, "Retry-After") == 0 &&
                 strcmp(ex->headers[i].value, "7") == 0;
    ck_assert(found);
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "Throttled"));
    kvp_exchange_free(ex);
    ck_assert_int_eq(get("/keys"), 200);
}
END_TEST

START_TEST(a_queue_can_be_emptied)
{
    order("{\"status\":500,\"times\":5}");
    json_decref(kvp_test_call(&vault, "DELETE", "/.faults", NULL, 204));
    ck_assert_int_eq(get("/keys"), 200);
}
END_TEST

START_TEST(an_answer_comes_as_it_was_ordered)
{
    order("{\"status\":401,\"body\":\"<html>\",\"headers\":{\"Content-Type\":\"text/html\","
          "\"WWW-Authenticate\":\"Bearer x\"}}");
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);
    ck_assert_int_eq(ex->status, 401);
    ck_assert_str_eq(kvp_buf_str(&ex->reply), "<html>");
    size_t types = 0;
    for (size_t i = 0; i < ex->header_count; i++)
        types += strcmp(ex->headers[i].name, "Content-Type") == 0;
    ck_assert_uint_eq(types, 1);
    kvp_exchange_free(ex);
    order("{\"status\":200,\"body\":{\"value\":[]}}");
    ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);
    ck_assert_str_eq(kvp_buf_str(&ex->reply), "{\"value\":[]}");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(a_fault_comes_before_or_after_the_operation)
{
    order("{\"status\":500}");
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 500));
    ck_assert_int_eq(get("/keys/k"), 404);
    order("{\"status\":500,\"when\":\"after\"}");
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 500));
    ck_assert_int_eq(get("/keys/k"), 200);
}
END_TEST

START_TEST(a_malformed_answer_is_no_json_and_a_delay_is_kept)
{
    kvp_clock_freeze(1000, kvp_clock_wall_us());
    order("{\"action\":\"malformed\",\"delay_ms\":1500}");
    int64_t before = kvp_clock_mono_ms();
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);
    ck_assert_int_eq(kvp_clock_mono_ms() - before, 1500);
    ck_assert_int_eq(ex->status, 200);
    ck_assert_uint_gt(ex->reply.len, 5);
    ck_assert_ptr_null(json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL));
    kvp_exchange_free(ex);
}
END_TEST

static const char *const wrong_orders[] = {
    "{\"status\":99}",
    "{\"status\":\"500\"}",
    "{\"times\":0}",
    "{\"delay_ms\":-1}",
    "{\"action\":\"explode\"}",
    "{\"action\":\"status\"}",
    "{\"action\":\"reset\",\"status\":500}",
    "{\"when\":\"never\"}",
    "{\"match\":5}",
    "{\"match\":{\"path\":5}}",
    "{\"headers\":{\"a\":5}}",
    "{\"headers\":{\"a\":\"b\\r\\nc\"}}",
    "{\"faults\":{}}",
    "{\"faults\":[{\"status\":500},5]}",
};

START_TEST(wrong_orders_are_refused_as_a_whole)
{
    json_decref(kvp_test_call(&vault, "POST", "/.faults", wrong_orders[_i], 400));
    ck_assert_int_eq(get("/keys"), 200);
}
END_TEST

START_TEST(an_hsm_has_faults_too)
{
    order("{\"status\":503}");
    ck_assert_int_eq(get("/keys"), 503);
    ck_assert_int_eq(get("/keys"), 200);
}
END_TEST

/* Over a real connection: what curl makes of an answer cut in two and of a reset. */
START_TEST(the_wire_shows_truncation_and_reset)
{
    char *dir = kvp_test_directory();
    kvp_options options = {
        .data = dir, .listen = "127.0.0.1:0", .token_lifetime_s = 3599, .allow_faults = true
    };
    kvp_service *service = NULL;
    kvp_error error = { .status = KVP_OK };
    kvp_test_client client;

    signal(SIGPIPE, SIG_IGN);
    ck_assert_msg(kvp_service_start(&options, &service, &error) == KVP_OK, "%s", error.message);
    ck_assert(kvp_test_client_open(&client, dir));
    ck_assert(kvp_test_client_sign_in(&client));
    ck_assert_int_eq(
        kvp_test_client_send(&client, "POST", "/.faults", "application/json",
                             "{\"faults\":[{\"action\":\"truncate\"},{\"action\":\"reset\"}]}"),
        204);
    kvp_test_client_send(&client, "GET", "/keys", NULL, NULL);
    ck_assert_ptr_null(json_loadb(kvp_buf_str(&client.body), client.body.len, 0, NULL));
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 0);
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 200);
    kvp_test_client_close(&client);
    kvp_service_stop(service);
    kvp_test_remove(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *standard = tcase_create("vault"), *hsm = tcase_create("managed-hsm");
    TCase *wire = tcase_create("wire");

    tcase_add_checked_fixture(standard, setup_vault, teardown);
    tcase_add_test(standard, without_the_option_there_is_no_such_path);
    tcase_add_loop_test(standard, only_administrators_order, 0, 3);
    tcase_add_test(standard, faults_are_used_up_in_order);
    tcase_add_test(standard, a_queue_can_be_emptied);
    tcase_add_test(standard, an_answer_comes_as_it_was_ordered);
    tcase_add_test(standard, a_fault_comes_before_or_after_the_operation);
    tcase_add_test(standard, a_malformed_answer_is_no_json_and_a_delay_is_kept);
    tcase_add_loop_test(standard, wrong_orders_are_refused_as_a_whole, 0,
                        (int)KVP_ARRAY_LEN(wrong_orders));
    tcase_add_checked_fixture(hsm, setup_hsm, teardown);
    tcase_add_test(hsm, an_hsm_has_faults_too);
    tcase_set_timeout(wire, 120);
    tcase_add_test(wire, the_wire_shows_truncation_and_reset);
    suite_add_tcase(suite, standard);
    suite_add_tcase(suite, hsm);
    suite_add_tcase(suite, wire);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
