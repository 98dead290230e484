/* SPDX-License-Identifier: MIT */
/* The tables of routes, roles, refusals and api-versions, walked row by row; the order of the
 * checks. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/authority.h"
#include "vaultd/roles.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    kvp_faults_free(vault.daemon.faults);
    kvp_test_vault_close(&vault);
}

/* @pattern with real words for its placeholders. */
static void path_of(const char *pattern, char *dst, size_t size)
{
    size_t used = 0;

    dst[used++] = '/';
    while (*pattern) {
        size_t len = strcspn(pattern, "}");
        const char *word = NULL;
        if (strncmp(pattern, "{name}", 6) == 0)
            word = "a-name";
        else if (strncmp(pattern, "{tenant}", 8) == 0)
            word = vault.daemon.vault.tenant;
        else if (strncmp(pattern, "{version}", 9) == 0)
            word = "0123456789abcdef0123456789abcdef";
        if (word) {
            used += (size_t)snprintf(dst + used, size - used, "%s", word);
            pattern += len + 1;
        } else {
            dst[used++] = *pattern++;
        }
    }
    dst[used] = '\0';
}

START_TEST(every_route_is_found_by_its_own_path)
{
    const kvp_route *route = &kvp_routes[_i];
    kvp_exchange *ex = kvp_exchange_new(&vault.daemon);
    char path[256];

    ex->view.vault.kind = route->flags & KVP_ROUTE_VAULT ? KVP_VAULT_STANDARD : KVP_VAULT_HSM;
    path_of(route->pattern, path, sizeof(path));
    ex->target = kvp_strdup(path);
    ex->method = kvp_strdup(route->method);
    ck_assert(kvp_exchange_parse(ex));
    int result = kvp_route_match(ex, route->flags & KVP_ROUTE_OPEN);

    if (route->flags & (kvp_exchange_is_hsm(ex) ? KVP_ROUTE_HSM : KVP_ROUTE_VAULT))
        ck_assert_msg(result == 0 && ex->route == route, "%s %s", route->method, path);
    else
        ck_assert_msg(result == 404, "%s %s: %d", route->method, path, result);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(every_route_has_an_operation_and_a_role_that_may_do_it)
{
    const kvp_route *route = &kvp_routes[_i];
    bool vault_role = false, hsm_role = false;

    if (route->flags & KVP_ROUTE_OPEN) {
        ck_assert_ptr_null(route->operation);
        return;
    }
    ck_assert_ptr_nonnull(route->operation);
    for (size_t i = 0; i < kvp_role_count; i++) {
        if (kvp_roles[i].kind == KVP_VAULT_STANDARD && route->action &&
            ((route->flags & KVP_ROUTE_FAULTS) ||
             strcmp(kvp_roles[i].name, "Key Vault Administrator") != 0))
            vault_role |= kvp_role_allows(&kvp_roles[i], route->action);
        if (kvp_roles[i].kind == KVP_VAULT_HSM)
            hsm_role |= route->hsm_action && kvp_role_allows(&kvp_roles[i], route->hsm_action);
    }
    ck_assert_msg(vault_role || !(route->flags & KVP_ROUTE_VAULT), "%s", route->pattern);
    ck_assert_msg(hsm_role || !(route->flags & KVP_ROUTE_HSM), "%s", route->pattern);
}
END_TEST

START_TEST(without_a_token_every_route_is_challenged)
{
    const kvp_route *route = &kvp_routes[_i];
    char path[256], want[400];

    if (route->flags & KVP_ROUTE_OPEN)
        return;
    path_of(route->pattern, path, sizeof(path));
    kvp_exchange *ex = kvp_test_request(&vault, route->method, path, NULL, "not even JSON");

    ck_assert_int_eq(ex->status, 401);
    ck_assert_str_eq(ex->headers[0].name, "WWW-Authenticate");
    snprintf(want, sizeof(want),
             "Bearer authorization=\"https://127.0.0.1:8443/%s\", resource=\"https://127.0.0.1\"",
             vault.daemon.vault.tenant);
    ck_assert_str_eq(ex->headers[0].value, want);
    ck_assert_str_eq(kvp_buf_str(&ex->reply),
                     "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"AKV10000: Request is "
                     "missing a Bearer or PoP token.\"}}");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(a_role_without_the_action_is_refused_on_every_route)
{
    const kvp_route *route = &kvp_routes[_i];
    char token[KVP_SECRET_SIZE], path[256], action[128];

    if ((route->flags & KVP_ROUTE_OPEN) || !(route->flags & KVP_ROUTE_VAULT))
        return;
    const char *other =
        strstr(route->action, "secrets/") ? "Key Vault Crypto Officer" : "Key Vault Secrets User";
    kvp_test_principal(&vault, "other", other, token);
    path_of(route->pattern, path, sizeof(path));
    kvp_exchange *ex = kvp_test_request(&vault, route->method, path, token, "{}");

    ck_assert_int_eq(ex->status, 403);
    json_t *error = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    snprintf(action, sizeof(action), "Action: 'Microsoft.KeyVault/vaults/%s'\r\n", route->action);
    kvp_test_error(error, "Forbidden", "ForbiddenByRbac", action);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(an_hsm_challenges_with_an_empty_body)
{
    kvp_exchange *ex = kvp_test_request(&vault, "POST", "/keys/k/create", NULL, NULL);

    ck_assert_int_eq(ex->status, 401);
    ck_assert_uint_eq(ex->reply.len, 0);
    ck_assert_str_eq(ex->headers[0].name, "WWW-Authenticate");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(an_hsm_refuses_in_its_own_words)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "auditor", "Managed HSM Crypto Auditor", token);
    kvp_exchange *ex = kvp_test_request(&vault, "POST", "/keys/k/create", token, "{}");

    ck_assert_int_eq(ex->status, 403);
    json_t *error = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    kvp_test_error(error, "AccessDenied", NULL,
                   "Not authorized to access Microsoft.KeyVault/managedHsm/keys/create on /keys/k "
                   "(Activity ID: ");
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(paths_are_read_as_clients_write_them)
{
    static const struct {
        const char *method, *target;
        int status;
    } paths[] = {
        { "GET", "/keys?api-version=7.4", 200 },
        { "GET", "//keys?api-version=7.4", 200 },
        { "GET", "/KEYS/?api-version=7.4", 200 },
        { "GET", "/keys/none/?api-version=7.4", 404 },
        { "GET", "/nothing?api-version=7.4", 404 },
        { "GET", "/?api-version=7.4", 404 },
        { "GET", "?api-version=7.4", 404 },
        { "PUT", "/keys?api-version=7.4", 405 },
        { "TRACE", "/keys/a?api-version=7.4", 405 },
        { "GET", "/keys/a%2Fb?api-version=7.4", 400 },
        { "GET", "/keys/a%00?api-version=7.4", 404 },
        { "GET", "/keys/%zz?api-version=7.4", 404 },
        { "GET", "/keys/%ff?api-version=7.4", 400 },
        { "GET", "/keys/a_b?api-version=7.4", 400 },
        { "GET", "/keys/a/b/c/d/e/f/g/h/i/j?api-version=7.4", 404 },
        { "GET", "/keys", 400 },
        { "GET", "/keys?api-version=", 400 },
        { "GET", "/keys?API-Version=7.4", 200 },
        { "GET", "/keys?x=1&api-version=7%2E4", 200 },
        { "GET", "/secrets?api-version=7.4", 200 },
        { "POST", "/rng?api-version=7.4", 404 },
    };
    kvp_exchange *ex;

    vault.api_version = "";
    ex = kvp_test_request(&vault, paths[_i].method, paths[_i].target, vault.token, NULL);

    ck_assert_msg(ex->status == paths[_i].status, "%s %s: %d: %s", paths[_i].method,
                  paths[_i].target, ex->status, kvp_buf_str(&ex->reply));
    kvp_exchange_free(ex);
}
END_TEST
#define PATH_COUNT 21

START_TEST(every_version_from_7_0_is_known_and_others_are_not)
{
    static const char *const wrong[] = { "2015-06-01", "2016-10-01", "7.9", "7", "", "2026-04-01" };

    for (size_t i = 0; i < kvp_api_version_count; i++) {
        vault.api_version = kvp_api_versions[i];
        json_decref(kvp_test_call(&vault, "GET", "/keys", NULL, 200));
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(wrong); i++) {
        char want[128];
        vault.api_version = wrong[i];
        snprintf(want, sizeof(want),
                 "The specified version (%s) is not recognized. Consider using "
                 "the latest supported version (2025-07-01).",
                 wrong[i]);
        kvp_test_error(kvp_test_call(&vault, "GET", "/keys", NULL, 400), "BadParameter", NULL,
                       want);
    }
}
END_TEST

START_TEST(every_refusal_fills_its_sentence)
{
    const kvp_refusal_row *row = &kvp_refusals[_i];
    const char *arguments[] = { "", "one", "two", "three", "four", "five", "six", "seven", NULL };
    kvp_exchange *ex = kvp_exchange_new(&vault.daemon);

    ck_assert_msg(row->message != NULL && row->code != NULL, "row %d is missing", _i);
    kvp_refuse_with(ex, (kvp_refusal)_i, arguments);

    ck_assert_int_eq(ex->status, row->status);
    json_t *body = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    const char *message = kvp_test_text(body, "error.message");
    ck_assert_ptr_null(strstr(message, "{"));
    for (size_t i = 1; i <= row->arguments && strchr(row->message, '{'); i++) {
        char hole[4] = { '{', (char)('0' + (int)i), '}', 0 };
        bool used = strstr(row->message, hole) ||
                    (row->hsm_message && strstr(row->hsm_message, hole)) ||
                    _i == KVP_REFUSE_KEY_IS_DELETED;
        ck_assert_msg(used, "row %d does not use %s", _i, hole);
    }
    json_decref(body);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(a_token_is_judged_by_age_and_audience)
{
    kvp_principal principal;
    uint8_t digest[32];
    kvp_exchange *ex;

    ck_assert_int_eq(
        kvp_store_principal_by_client(vault.daemon.store, vault.client_id, &principal, NULL),
        KVP_OK);
    ck_assert_int_eq(kvp_ident_digest("old", digest), KVP_OK);
    ck_assert_int_eq(kvp_store_token_add(vault.daemon.store, digest, principal.id,
                                         "https://127.0.0.1", kvp_clock_wall_us() / 1000 - 1, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_ident_digest("foreign", digest), KVP_OK);
    ck_assert_int_eq(kvp_store_token_add(vault.daemon.store, digest, principal.id,
                                         "https://vault.azure.net",
                                         kvp_clock_wall_us() / 1000 + 10000, NULL),
                     KVP_OK);

    static const struct {
        const char *token, *text;
    } rows[] = { { "old", "[TokenExpired]" },
                 { "foreign", "AKV10022: Invalid audience. Expected https://127.0.0.1, found: "
                              "https://vault.azure.net." },
                 { "made-up", "AKV10046: Unable to resolve the key" } };
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        ex = kvp_test_request(&vault, "GET", "/keys", rows[i].token, NULL);
        ck_assert_int_eq(ex->status, 401);
        ck_assert_str_eq(ex->headers[0].name, "WWW-Authenticate");
        kvp_test_error(json_loads(kvp_buf_str(&ex->reply), 0, NULL), "Unauthorized", NULL,
                       rows[i].text);
        kvp_exchange_free(ex);
    }
}
END_TEST

START_TEST(revocation_acts_on_the_next_request)
{
    char token[KVP_SECRET_SIZE];
    kvp_store *other = NULL;
    kvp_exchange *ex;

    kvp_test_principal(&vault, "leaver", "Key Vault Reader", token);
    ex = kvp_test_request(&vault, "GET", "/keys", token, NULL);
    ck_assert_int_eq(ex->status, 200);
    kvp_exchange_free(ex);

    /* Another process would have a store of its own on the same file. */
    ck_assert_int_eq(kvp_store_open(kvp_test_path(vault.dir, "keyvaultd.db"), &other, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_store_principal_remove(other, "leaver", NULL), KVP_OK);
    kvp_store_close(other);

    ex = kvp_test_request(&vault, "GET", "/keys", token, NULL);
    ck_assert_int_eq(ex->status, 401);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(readers_verify_but_do_not_sign)
{
    char token[KVP_SECRET_SIZE];
    kvp_exchange *ex;

    kvp_test_principal(&vault, "reader", "Reader", token);
    ex = kvp_test_request(&vault, "POST", "/keys/none/verify", token,
                          "{\"alg\":\"ES256\",\"digest\":\"\",\"value\":\"\"}");
    ck_assert_int_eq(ex->status, 404);
    kvp_exchange_free(ex);
    ex = kvp_test_request(&vault, "POST", "/keys/none/sign", token,
                          "{\"alg\":\"ES256\",\"value\":\"\"}");
    ck_assert_int_eq(ex->status, 403);
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(role_names_are_taken_in_every_spelling)
{
    const kvp_role *role = &kvp_roles[_i];
    const char *family = role->kind == KVP_VAULT_STANDARD ? "Key Vault " : "Managed HSM ";

    ck_assert_ptr_eq(kvp_role_find(role->kind, role->name), role);
    ck_assert_ptr_eq(kvp_role_find(role->kind, role->id), role);
    ck_assert_ptr_eq(kvp_role_find(role->kind, role->name + strlen(family)), role);
    ck_assert_ptr_null(kvp_role_find(!role->kind, role->id));
    ck_assert(kvp_ident_is_uuid(role->id));
}
END_TEST

START_TEST(wildcards_match_as_azure_means_them)
{
    static const struct {
        const char *pattern, *action;
        bool match;
    } rows[] = { { "*", "keys/read", true },
                 { "keys/*", "keys/sign/action", true },
                 { "keys/*", "keyrotationpolicies/read", false },
                 { "*/read", "keys/read", true },
                 { "*/read", "keys/read/action", false },
                 { "keys/read", "KEYS/READ", true },
                 { "a*b*c", "axxbyybc", true },
                 { "a*b*c", "axxbyyb", false },
                 { "", "keys/read", false } };
    kvp_role role = { .actions = { rows[_i].pattern } };

    ck_assert_msg(kvp_role_allows(&role, rows[_i].action) == rows[_i].match, "%s %s",
                  rows[_i].pattern, rows[_i].action);
}
END_TEST

START_TEST(the_resource_is_a_parent_domain_where_there_is_one)
{
    static const char *const rows[][2] = {
        { "127.0.0.1", "https://127.0.0.1" },
        { "[::1]", "https://[::1]" },
        { "localhost", "https://localhost" },
        { "dev.localhost", "https://localhost" },
        { "kv.example.org", "https://example.org" },
        { "example.org", "https://example.org" },
        { "host", "https://host" },
    };
    char resource[300];

    kvp_exchange_resource(rows[_i][0], resource, sizeof(resource));

    ck_assert_str_eq(resource, rows[_i][1]);
}
END_TEST

static void add_all(Suite *suite)
{
    TCase *in_vault = tcase_create("vault"), *in_hsm = tcase_create("hsm"),
          *tables = tcase_create("tables");
    int routes = (int)kvp_route_count;

    tcase_set_timeout(in_vault, 60);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_checked_fixture(in_hsm, setup_hsm, teardown);
    tcase_add_loop_test(in_hsm, every_route_is_found_by_its_own_path, 0, routes);
    tcase_add_loop_test(tables, every_route_has_an_operation_and_a_role_that_may_do_it, 0, routes);
    tcase_add_loop_test(in_vault, without_a_token_every_route_is_challenged, 0, routes);
    tcase_add_loop_test(in_vault, a_role_without_the_action_is_refused_on_every_route, 0, routes);
    tcase_add_test(in_hsm, an_hsm_challenges_with_an_empty_body);
    tcase_add_test(in_hsm, an_hsm_refuses_in_its_own_words);
    tcase_add_loop_test(in_vault, paths_are_read_as_clients_write_them, 0, PATH_COUNT);
    tcase_add_test(in_vault, every_version_from_7_0_is_known_and_others_are_not);
    tcase_add_loop_test(in_vault, every_refusal_fills_its_sentence, 0, KVP_REFUSAL_COUNT);
    tcase_add_test(in_vault, a_token_is_judged_by_age_and_audience);
    tcase_add_test(in_vault, revocation_acts_on_the_next_request);
    tcase_add_test(in_vault, readers_verify_but_do_not_sign);
    tcase_add_loop_test(tables, role_names_are_taken_in_every_spelling, 0, (int)kvp_role_count);
    tcase_add_loop_test(tables, wildcards_match_as_azure_means_them, 0, 9);
    tcase_add_loop_test(tables, the_resource_is_a_parent_domain_where_there_is_one, 0, 7);
    suite_add_tcase(suite, in_vault);
    suite_add_tcase(suite, in_hsm);
    suite_add_tcase(suite, tables);
}

int main(void)
{
    Suite *suite = suite_create("vaultd routes");

    add_all(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
