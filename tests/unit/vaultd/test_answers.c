/* SPDX-License-Identifier: MIT */
/* What all answers have, and the line that each request leaves in the usage log. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/routes.h"

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

START_TEST(answers_name_the_host_that_was_asked)
{
    static const char *const rows[][2] = {
        { "127.0.0.1:8443", "https://127.0.0.1:8443" },
        { "localhost:8443", "https://localhost:8443" },
        { "LOCALHOST", "https://localhost:8443" },
        { "[::1]:8443", "https://[::1]:8443" },
        { "evil.example:8443", "https://127.0.0.1:8443" },
        { "", "https://127.0.0.1:8443" },
        { "127.0.0.11:8443", "https://127.0.0.1:8443" },
    };
    kvp_exchange *ex = kvp_exchange_new(&vault.daemon);

    ex->target = kvp_strdup("/keys");
    ex->host = kvp_strdup(rows[_i][0]);
    ck_assert(kvp_exchange_select_vault(ex, NULL));

    ck_assert_str_eq(ex->base_url, rows[_i][1]);
    kvp_exchange_free(ex);
}
END_TEST

static const char *header(const kvp_exchange *ex, const char *name)
{
    for (size_t i = 0; i < ex->header_count; i++) {
        if (strcmp(ex->headers[i].name, name) == 0)
            return ex->headers[i].value;
    }
    return NULL;
}

START_TEST(answers_have_the_headers_of_a_vault)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys/none", vault.token, NULL);

    ck_assert_int_eq(ex->status, 404);
    ck_assert(kvp_ident_is_uuid(header(ex, "x-ms-request-id")));
    ck_assert(kvp_ident_is_version(header(ex, "x-ms-keyvault-rbac-assignment-id")));
    ck_assert_str_eq(header(ex, "Cache-Control"), "no-cache");
    ck_assert_str_eq(header(ex, "Pragma"), "no-cache");
    ck_assert_str_eq(header(ex, "Expires"), "-1");
    ck_assert_str_eq(header(ex, "X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(header(ex, "Content-Type"), "application/json; charset=utf-8");
    ck_assert_str_eq(header(ex, "x-ms-keyvault-network-info"),
                     "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(answers_have_the_headers_of_an_hsm)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);

    ck_assert_int_eq(ex->status, 200);
    ck_assert_ptr_nonnull(header(ex, "x-ms-server-latency"));
    ck_assert_str_eq(header(ex, "X-Frame-Options"), "SAMEORIGIN");
    ck_assert_ptr_null(header(ex, "Pragma"));
    ck_assert_ptr_null(header(ex, "x-ms-keyvault-rbac-assignment-id"));
    kvp_exchange_free(ex);
    ex = kvp_test_request(&vault, "GET", "/securitydomain/upload/pending", vault.token, NULL);
    ck_assert_str_eq(header(ex, "Azure-AsyncOperation"),
                     "https://127.0.0.1:8443/securitydomain/upload/pending?api-version=7.5");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(every_request_leaves_one_line_without_the_token)
{
    static const char *const rows[][2] = {
        { "/keys?api-version=7.4", "KeyList" },
        { "/no-path?api-version=7.4", "Unknown" },
        { "/keys/\"\x80\xff?api-version=7.4", "KeyGet" },
        { "/keys?api-version=1", "Unknown" },
    };
    size_t lines = 0;

    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        kvp_exchange_free(kvp_test_request(&vault, "GET", rows[i][0], vault.token, NULL));
        kvp_exchange_free(kvp_test_request(&vault, "GET", rows[i][0], NULL, NULL));
    }

    char *log = kvp_test_read(kvp_test_path(vault.dir, KVP_USAGE_LOG_EVENTS)), *rest = NULL;
    for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(event);
        ck_assert_uint_lt(lines, 2 * KVP_ARRAY_LEN(rows));
        ck_assert_str_eq(kvp_test_text(event, "category"), "AuditEvent");
        ck_assert_str_eq(kvp_test_text(event, "operationName"),
                         lines % 2 ? "Authentication" : rows[lines / 2][1]);
        ck_assert_ptr_null(strstr(line, vault.token));
        json_decref(event);
        lines++;
    }
    ck_assert_uint_eq(lines, 2 * KVP_ARRAY_LEN(rows));
    kvp_free(log);
}
END_TEST

START_TEST(records_say_how_long_it_took_and_what_came_of_it)
{
    static const struct {
        const char *path;
        bool known;
        const char *signature, *description; /* NULL = the member is absent */
    } rows[] = {
        { "/keys", true, "OK", NULL },
        { "/keys/none", true, "Not Found", "not found" },
        { "/keys", false, "Unauthorized", "" },
        { "/keys?api-version=1", true, "Bad Request", "" },
    };
    bool hsm = vault.daemon.vault.kind == KVP_VAULT_HSM;

    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++)
        kvp_exchange_free(kvp_test_request(&vault, "GET", rows[i].path,
                                           rows[i].known ? vault.token : NULL, NULL));
    char *log = kvp_test_read(kvp_test_path(vault.dir, KVP_USAGE_LOG_EVENTS)), *rest = NULL;
    char *line = strtok_r(log, "\n", &rest);
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++, line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = line ? json_loads(line, 0, NULL) : NULL;
        ck_assert_ptr_nonnull(event);
        const json_t *duration = kvp_test_at(event, "durationMs");
        const char *text = hsm ? "0" : json_string_value(duration);
        ck_assert(hsm ? json_is_integer(duration) : json_is_string(duration));
        ck_assert(*text && text[strspn(text, "0123456789")] == '\0');
        ck_assert_int_ge(json_integer_value(duration), 0);
        ck_assert_str_eq(kvp_test_text(event, "resultType"), "Success");
        ck_assert_str_eq(kvp_test_text(event, "resultSignature"), rows[i].signature);
        const json_t *description = kvp_test_at(event, "resultDescription");
        if (rows[i].description)
            ck_assert_ptr_nonnull(
                strstr(kvp_test_text(event, "resultDescription"), rows[i].description));
        else
            ck_assert_ptr_null(description);
        ck_assert(json_is_string(kvp_test_at(event, "identity")) == hsm);
        json_decref(event);
    }
    kvp_free(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answers");
    TCase *in_vault = tcase_create("vault"), *in_hsm = tcase_create("hsm");

    tcase_set_timeout(in_vault, 60);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_checked_fixture(in_hsm, setup_hsm, teardown);
    tcase_add_loop_test(in_vault, answers_name_the_host_that_was_asked, 0, 7);
    tcase_add_test(in_vault, answers_have_the_headers_of_a_vault);
    tcase_add_test(in_hsm, answers_have_the_headers_of_an_hsm);
    tcase_add_test(in_vault, every_request_leaves_one_line_without_the_token);
    tcase_add_test(in_vault, records_say_how_long_it_took_and_what_came_of_it);
    tcase_add_test(in_hsm, records_say_how_long_it_took_and_what_came_of_it);
    suite_add_tcase(suite, in_vault);
    suite_add_tcase(suite, in_hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
