/* SPDX-License-Identifier: MIT */
/* Managed identity: what the endpoints give to whom, and what they refuse. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/imds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECRET "the header's secret"

static kvp_test_vault vault;
static const char *const identities[] = { "machine", "extra", NULL };
static kvp_principal machine, extra;

static void setup(void)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    kvp_test_principal(&vault, "machine", "Crypto User", token);
    kvp_test_principal(&vault, "extra", "Reader", token);
    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, "machine", &machine, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, "extra", &extra, NULL), KVP_OK);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static kvp_imds_request good(void)
{
    return (kvp_imds_request){ .method = "GET",
                               .path = "/metadata/identity/oauth2/token",
                               .api_version = "2018-02-01",
                               .resource = "https://127.0.0.1",
                               .metadata = "true" };
}

static json_t *ask(const kvp_imds_request *request, int status)
{
    json_t *document = NULL;
    int got = kvp_imds_answer(&vault.daemon, identities, SECRET, request, &document);

    ck_assert_int_eq(got, status);
    ck_assert_ptr_nonnull(document);
    return document;
}

static int use(const char *token)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", token, NULL);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

START_TEST(a_machine_gets_a_token_with_numbers_as_strings)
{
    kvp_imds_request request = good();
    json_t *answer = ask(&request, 200);

    ck_assert_str_eq(kvp_test_members(answer), "access_token client_id expires_in expires_on "
                                               "ext_expires_in not_before resource token_type");
    ck_assert_str_eq(kvp_test_text(answer, "expires_in"), "3599");
    long long until = strtoll(kvp_test_text(answer, "expires_on"), NULL, 10);
    ck_assert_int_le(llabs(until - kvp_ident_now() - 3599), 5);
    ck_assert_str_eq(kvp_test_text(answer, "client_id"), machine.client_id);
    ck_assert_str_eq(kvp_test_text(answer, "resource"), "https://127.0.0.1");
    ck_assert_str_eq(kvp_test_text(answer, "token_type"), "Bearer");
    ck_assert_int_eq(use(kvp_test_text(answer, "access_token")), 200);

    ck_assert_int_eq(kvp_store_principal_remove(vault.daemon.store, "machine", NULL), KVP_OK);
    ck_assert_int_eq(use(kvp_test_text(answer, "access_token")), 401);
    json_decref(answer);
    json_decref(ask(&request, 400));
}
END_TEST

START_TEST(an_identity_is_chosen_by_each_of_its_ids)
{
    char id[400];
    kvp_imds_request request = good();

    snprintf(id, sizeof(id),
             "/subscriptions/%s/resourcegroups/keyvaultd/providers/"
             "Microsoft.ManagedIdentity/userAssignedIdentities/extra",
             vault.daemon.vault.subscription);
    if (_i == 0)
        request.client_id = extra.client_id;
    else if (_i == 1)
        request.object_id = extra.object_id;
    else
        request.resource_id = id;
    json_t *answer = ask(&request, 200);

    ck_assert_str_eq(kvp_test_text(answer, "client_id"), extra.client_id);
    json_decref(answer);
}
END_TEST

START_TEST(app_service_wants_its_header_and_answers_in_its_own_shape)
{
    kvp_imds_request request = { .method = "GET",
                                 .path = "/msi/token",
                                 .api_version = "2019-08-01",
                                 .resource = "https://127.0.0.1",
                                 .identity_header = SECRET };
    json_t *answer = ask(&request, 200);

    ck_assert_str_eq(kvp_test_members(answer),
                     "access_token client_id expires_on resource token_type");
    ck_assert(json_is_string(json_object_get(answer, "expires_on")));
    json_decref(answer);
    request.identity_header = "the header's secreT";
    json_decref(ask(&request, 401));
    request.identity_header = NULL;
    json_decref(ask(&request, 401));
}
END_TEST

START_TEST(what_is_missing_or_wrong_is_refused)
{
    static const struct {
        const char *field, *value, *text;
        int status;
    } rows[] = {
        { "metadata", NULL, "metadata header", 400 },
        { "metadata", "false", "metadata header", 400 },
        { "version", NULL, "api-version", 400 },
        { "version", "2017-01-01", "api-version", 400 },
        { "resource", NULL, "audience", 400 },
        { "resource", "https://x.example", "500011", 400 },
        { "client", "00000000-0000-0000-0000-000000000000", "Identity not found", 400 },
        { "forwarded", "10.0.0.1", "X-Forwarded-For", 400 },
        { "method", "POST", "Only GET", 405 },
        { "path", "/metadata/instance", "endpoint", 404 },
    };
    kvp_imds_request request = good();
    struct {
        const char *name, **field;
    } fields[] = { { "metadata", &request.metadata },
                   { "version", &request.api_version },
                   { "resource", &request.resource },
                   { "client", &request.client_id },
                   { "forwarded", &request.forwarded_for },
                   { "method", &request.method },
                   { "path", &request.path } };

    for (size_t i = 0; i < KVP_ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].name, rows[_i].field) == 0)
            *fields[i].field = rows[_i].value;
    }
    json_t *answer = ask(&request, rows[_i].status);

    ck_assert_ptr_nonnull(strstr(kvp_test_text(answer, "error_description"), rows[_i].text));
    ck_assert_ptr_null(json_object_get(answer, "access_token"));
    json_decref(answer);
}
END_TEST

START_TEST(it_listens_on_loopback_only_and_tells_how_to_reach_it)
{
    kvp_imds *imds = NULL;
    kvp_error error = { .status = KVP_OK };
    static const char *const nobody[] = { "nobody", NULL };
    char env[512];
    struct stat st;

    snprintf(env, sizeof(env), "%s", kvp_test_path(vault.dir, "identity.env"));
    ck_assert_int_eq(kvp_imds_start(&vault.daemon, "0.0.0.0:0", identities, env, &imds, &error),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_imds_start(&vault.daemon, "127.0.0.1:0", nobody, env, &imds, &error),
                     KVP_ERR_INVALID);
    ck_assert_int_ne(stat(env, &st), 0);

    ck_assert_int_eq(kvp_imds_start(&vault.daemon, "127.0.0.1:0", identities, env, &imds, &error),
                     KVP_OK);
    char *text = kvp_test_read(env);
    ck_assert_int_eq(stat(env, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_ptr_nonnull(strstr(text, "IDENTITY_ENDPOINT=http://127.0.0.1:"));
    ck_assert_ptr_nonnull(strstr(text, "IDENTITY_HEADER="));
    kvp_free(text);
    kvp_imds_stop(imds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("imds");
    TCase *tcase = tcase_create("imds");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_machine_gets_a_token_with_numbers_as_strings);
    tcase_add_loop_test(tcase, an_identity_is_chosen_by_each_of_its_ids, 0, 3);
    tcase_add_test(tcase, app_service_wants_its_header_and_answers_in_its_own_shape);
    tcase_add_loop_test(tcase, what_is_missing_or_wrong_is_refused, 0, 10);
    tcase_add_test(tcase, it_listens_on_loopback_only_and_tells_how_to_reach_it);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
