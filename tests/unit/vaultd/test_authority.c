/* SPDX-License-Identifier: MIT */
/* The token endpoint: what it issues, what it refuses and how, what it tells discovery. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

/* Post @form, in which {id} and {secret} stand for the administrator's, to @path after the tenant.
 */
static json_t *post(const char *tenant, const char *path, const char *form, int status)
{
    kvp_buf body = KVP_BUF_INIT(0);
    char target[300];

    for (const char *p = form; *p;) {
        const char *word = NULL;
        if (strncmp(p, "{id}", 4) == 0) {
            word = vault.client_id;
            p += 4;
        } else if (strncmp(p, "{secret}", 8) == 0) {
            word = vault.secret;
            p += 8;
        }
        ck_assert_int_eq(word ? kvp_buf_append_str(&body, word) : kvp_buf_append(&body, p++, 1),
                         KVP_OK);
    }
    snprintf(target, sizeof(target), "/%s%s", tenant, path);
    kvp_exchange *ex = kvp_test_request(&vault, "POST", target, NULL, kvp_buf_str(&body));
    ck_assert_msg(ex->status == status, "%d: %s", ex->status, kvp_buf_str(&ex->reply));
    json_t *document = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    kvp_exchange_free(ex);
    kvp_buf_clear(&body);
    return document;
}

#define GOOD "client_id={id}&client_secret={secret}&grant_type=client_credentials"

START_TEST(a_right_secret_gets_a_token_that_works)
{
    static const char *const scopes[] = {
        "https%3A%2F%2F127.0.0.1%2F.default",
        "https://127.0.0.1:8443/.default",
        "https%3a%2f%2flocalhost/.default+openid",
        "openid%20https://[::1]/.default",
        "https://127.0.0.1//.default",
    };
    char form[300];

    snprintf(form, sizeof(form), GOOD "&scope=%s", scopes[_i]);
    json_t *answer = post(vault.daemon.vault.tenant, "/oauth2/v2.0/token", form, 200);

    ck_assert_str_eq(kvp_test_text(answer, "token_type"), "Bearer");
    ck_assert_int_eq(json_integer_value(kvp_test_at(answer, "expires_in")), 3599);
    ck_assert_int_eq(json_integer_value(kvp_test_at(answer, "ext_expires_in")), 3599);
    const char *token = kvp_test_text(answer, "access_token");
    ck_assert_uint_eq(strlen(token), 43);
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", token, NULL);
    ck_assert_int_eq(ex->status, 200);
    kvp_exchange_free(ex);
    json_decref(answer);
}
END_TEST

START_TEST(the_old_endpoint_takes_a_resource_and_answers_in_strings)
{
    json_t *answer =
        post(vault.daemon.vault.tenant, "/oauth2/token", GOOD "&resource=https://127.0.0.1", 200);

    ck_assert_str_eq(kvp_test_text(answer, "expires_in"), "3599");
    ck_assert_str_eq(kvp_test_text(answer, "resource"), "https://127.0.0.1");
    kvp_exchange *ex =
        kvp_test_request(&vault, "GET", "/keys", kvp_test_text(answer, "access_token"), NULL);
    ck_assert_int_eq(ex->status, 200);
    kvp_exchange_free(ex);
    json_decref(answer);
}
END_TEST

#define SCOPE "&scope=https://127.0.0.1/.default"

static const struct {
    const char *form;
    int status;
    long code;
    const char *error;
} refusals[] = {
    { "client_id={id}&client_secret=wrong&grant_type=client_credentials" SCOPE, 401, 7000215,
      "invalid_client" },
    { "client_id=00000000-0000-0000-0000-000000000000&client_secret=x&grant_type=client_"
      "credentials" SCOPE,
      400, 700016, "unauthorized_client" },
    { "client_id=%FF%00&client_secret=x&grant_type=client_credentials" SCOPE, 400, 90014,
      "invalid_request" },
    { "client_secret={secret}&grant_type=client_credentials" SCOPE, 400, 90014, "invalid_request" },
    { "client_id={id}&client_secret={secret}" SCOPE, 400, 90014, "invalid_request" },
    { GOOD, 400, 90014, "invalid_request" },
    { "client_id={id}&grant_type=client_credentials" SCOPE, 401, 7000216, "invalid_client" },
    { "client_id={id}&client_secret=&grant_type=client_credentials" SCOPE, 401, 7000216,
      "invalid_client" },
    { "client_id={id}&client_secret={secret}&grant_type=password" SCOPE, 400, 70003,
      "unsupported_grant_type" },
    { GOOD "&scope=https://127.0.0.1", 400, 70011, "invalid_scope" },
    { GOOD "&scope=", 400, 70011, "invalid_scope" },
    { GOOD "&scope=/.default", 400, 70011, "invalid_scope" },
    { GOOD "&scope=https://nowhere.example/.default", 400, 500011, "invalid_resource" },
    { "", 400, 90014, "invalid_request" },
    { "&&&=&=&%", 400, 90014, "invalid_request" },
};

START_TEST(wrong_requests_get_the_errors_of_entra)
{
    json_t *answer = post(vault.daemon.vault.tenant, "/oauth2/v2.0/token", refusals[_i].form,
                          refusals[_i].status);
    char prefix[32];

    ck_assert_str_eq(kvp_test_text(answer, "error"), refusals[_i].error);
    ck_assert_int_eq(json_integer_value(json_array_get(kvp_test_at(answer, "error_codes"), 0)),
                     refusals[_i].code);
    snprintf(prefix, sizeof(prefix), "AADSTS%ld: ", refusals[_i].code);
    const char *text = kvp_test_text(answer, "error_description");
    ck_assert_mem_eq(text, prefix, strlen(prefix));
    ck_assert_ptr_null(strstr(text, vault.secret));
    ck_assert(kvp_ident_is_uuid(kvp_test_text(answer, "trace_id")));
    ck_assert(kvp_ident_is_uuid(kvp_test_text(answer, "correlation_id")));
    json_decref(answer);
}
END_TEST

START_TEST(another_tenant_is_not_found)
{
    json_t *answer =
        post("11111111-1111-1111-1111-111111111111", "/oauth2/v2.0/token", GOOD SCOPE, 400);

    ck_assert_int_eq(json_integer_value(json_array_get(kvp_test_at(answer, "error_codes"), 0)),
                     90002);
    json_decref(answer);
}
END_TEST

START_TEST(tokens_for_the_cloud_are_issued_and_refused_here)
{
    json_t *answer = post(vault.daemon.vault.tenant, "/oauth2/v2.0/token",
                          GOOD "&scope=https://vault.azure.net/.default", 200);
    kvp_exchange *ex =
        kvp_test_request(&vault, "GET", "/keys", kvp_test_text(answer, "access_token"), NULL);

    ck_assert_int_eq(ex->status, 401);
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "AKV10022"));
    kvp_exchange_free(ex);
    json_decref(answer);
}
END_TEST

START_TEST(sign_ins_are_logged_without_secrets)
{
    json_t *answer = post(vault.daemon.vault.tenant, "/oauth2/v2.0/token", GOOD SCOPE, 200);
    json_decref(post(vault.daemon.vault.tenant, "/oauth2/v2.0/token", refusals[0].form, 401));

    char *log = kvp_test_read(kvp_test_path(vault.dir, KVP_USAGE_LOG_SIGNINS));
    ck_assert_ptr_nonnull(strstr(log, "\"resultType\":\"0\""));
    ck_assert_ptr_nonnull(strstr(log, "\"resultType\":\"7000215\""));
    ck_assert_ptr_null(strstr(log, vault.secret));
    ck_assert_ptr_null(strstr(log, kvp_test_text(answer, "access_token")));
    kvp_free(log);
    json_decref(answer);
}
END_TEST

START_TEST(discovery_points_back_here)
{
    char target[200], want[300];

    snprintf(target, sizeof(target), "/%s/v2.0/.well-known/openid-configuration",
             vault.daemon.vault.tenant);
    kvp_exchange *ex = kvp_test_request(&vault, "GET", target, NULL, NULL);
    json_t *document = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    ck_assert_int_eq(ex->status, 200);
    snprintf(want, sizeof(want), "https://127.0.0.1:8443/%s/oauth2/v2.0/token",
             vault.daemon.vault.tenant);
    ck_assert_str_eq(kvp_test_text(document, "token_endpoint"), want);
    json_decref(document);
    kvp_exchange_free(ex);

    ex = kvp_test_request(&vault, "GET",
                          "/common/discovery/instance?api-version=1.1&authorization_endpoint=x",
                          NULL, NULL);
    document = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    ck_assert_int_eq(ex->status, 200);
    snprintf(want, sizeof(want), "https://127.0.0.1:8443%s", target);
    ck_assert_str_eq(kvp_test_text(document, "tenant_discovery_endpoint"), want);
    json_decref(document);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(every_error_row_has_one_place_for_its_detail)
{
    const char *text = kvp_signin_errors[_i].message;
    size_t places = 0;

    ck_assert_ptr_nonnull(text);
    for (const char *p = text; (p = strchr(p, '%')); p++)
        places++;

    ck_assert_uint_eq(places, 1);
    ck_assert(strstr(text, "%s") || strstr(text, "%.0s"));
}
END_TEST

START_TEST(form_fields_are_found_whole)
{
    static const struct {
        const char *form, *want;
    } rows[] = { { "a=1&b=2", "2" },     { "b=x%20y+z", "x y z" },
                 { "bb=1&b=3", "3" },    { "a=b=c&b=%3d", "=" },
                 { "b=", "" },           { "a=1", NULL },
                 { "b=%0", NULL },       { "b=%00", NULL },
                 { "b=123456789", NULL } };
    char value[9] = "";
    bool found = kvp_form_field(rows[_i].form, "b", value, sizeof(value));

    ck_assert(found == (rows[_i].want != NULL));
    if (found)
        ck_assert_str_eq(value, rows[_i].want);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd authority");
    TCase *tests = tcase_create("endpoint"), *tables = tcase_create("tables");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_right_secret_gets_a_token_that_works, 0, 5);
    tcase_add_test(tests, the_old_endpoint_takes_a_resource_and_answers_in_strings);
    tcase_add_loop_test(tests, wrong_requests_get_the_errors_of_entra, 0,
                        (int)KVP_ARRAY_LEN(refusals));
    tcase_add_test(tests, another_tenant_is_not_found);
    tcase_add_test(tests, tokens_for_the_cloud_are_issued_and_refused_here);
    tcase_add_test(tests, sign_ins_are_logged_without_secrets);
    tcase_add_test(tests, discovery_points_back_here);
    tcase_add_loop_test(tables, every_error_row_has_one_place_for_its_detail, 0, KVP_SIGNIN_COUNT);
    tcase_add_loop_test(tables, form_fields_are_found_whole, 0, 9);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, tables);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
