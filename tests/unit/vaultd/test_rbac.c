/* SPDX-License-Identifier: MIT */
/* A Managed HSM's roles, assignments, settings and cloud jobs over its REST API, as recorded. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define DEFINITIONS "/providers/Microsoft.Authorization/roleDefinitions"
#define ASSIGNMENTS "/providers/Microsoft.Authorization/roleAssignments"
#define GUID "0a54eb43-80c2-44b1-8b92-e51d87e61fec"
#define GUID2 "1b071ac2-72e2-4240-b103-e74c4aca4e65"
#define FULL_ID "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"
#define READ_KEYS "Microsoft.KeyVault/managedHsm/keys/read/action"

static kvp_test_vault vault;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static const char *text_of(const json_t *document)
{
    static char text[4096];
    size_t len = json_dumpb(document, text, sizeof(text) - 1, JSON_COMPACT);

    text[len < sizeof(text) ? len : 0] = '\0';
    return text;
}

START_TEST(a_custom_role_is_made_shown_and_removed_in_the_recorded_shape)
{
    static const char want[] =
        "{\"id\":\"" FULL_ID GUID "\",\"name\":\"" GUID "\",\"properties\":{\"assignableScopes\":"
        "[\"/\"],\"description\":\"\",\"permissions\":[],\"roleName\":\"" GUID "\",\"type\":"
        "\"CustomRole\"},\"type\":\"Microsoft.Authorization/roleDefinitions\"}";
    json_t *made = kvp_test_call(&vault, "PUT", DEFINITIONS "/" GUID,
                                 "{\"properties\":{\"roleName\":\"" GUID "\",\"type\":"
                                 "\"CustomRole\",\"assignableScopes\":[\"/\"]}}",
                                 201);
    json_t *shown = kvp_test_call(&vault, "GET", DEFINITIONS "/" GUID, NULL, 200);
    json_t *list = kvp_test_call(&vault, "GET", DEFINITIONS, NULL, 200);
    json_t *gone = kvp_test_call(&vault, "DELETE", DEFINITIONS "/" GUID, NULL, 200);

    ck_assert_str_eq(text_of(made), want);
    ck_assert(json_equal(made, shown) && json_equal(made, gone));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "value")), 10);
    json_decref(made);
    json_decref(shown);
    json_decref(list);
    json_decref(gone);
    kvp_test_error(kvp_test_call(&vault, "GET", DEFINITIONS "/" GUID, NULL, 404),
                   "RoleDefinitionNotFound", NULL, "Requested role definition not found (Activity");
}
END_TEST

START_TEST(wrong_definitions_are_refused)
{
    static const struct {
        const char *method, *path, *body, *code, *text;
        int status;
    } rows[] = {
        { "DELETE", DEFINITIONS "/a290e904-7015-4bba-90c8-60543313cdb4", NULL, "BadParameter",
          "Cannot re-use the name/GUID matching that of a built-in role.", 400 },
        { "PUT", DEFINITIONS "/a290e904-7015-4bba-90c8-60543313cdb4", "{\"properties\":{}}",
          "BadParameter", "Cannot re-use the name/GUID", 400 },
        { "PUT", DEFINITIONS "/" GUID,
          "{\"properties\":{\"roleName\":\"Managed HSM Crypto User\"}}", "BadParameter",
          "Cannot re-use the name/GUID", 400 },
        { "PUT", DEFINITIONS "/not-a-guid", "{\"properties\":{}}", "BadParameter", "GUID", 400 },
        { "PUT", DEFINITIONS "/" GUID, "{}", "BadParameter", "properties", 400 },
        { "PUT", DEFINITIONS "/" GUID,
          "{\"properties\":{\"permissions\":[{\"dataActions\":[\"Microsoft.Sql/all\"]}]}}",
          "BadParameter", "dataActions", 400 },
        { "PUT", DEFINITIONS "/" GUID, "{\"properties\":{\"permissions\":[7]}}", "BadParameter",
          "permissions", 400 },
        { "PUT", DEFINITIONS "/" GUID, "{\"properties\":{\"assignableScopes\":[\"/moon\"]}}",
          "BadParameter", "assignableScopes", 400 },
        { "GET", DEFINITIONS "/does_not_exist", NULL, "RoleDefinitionNotFound", "not found", 404 },
        { "GET", DEFINITIONS "/Managed HSM Crypto User", NULL, "RoleDefinitionNotFound",
          "not found", 404 },
        { "DELETE", DEFINITIONS "/" GUID, NULL, "RoleDefinitionNotFound", "not found", 404 },
        { "GET", DEFINITIONS "?api-version=7.4&$filter=colour%20eq%20'red'", NULL, "BadParameter",
          "$filter", 400 },
        { "GET", ASSIGNMENTS "?api-version=7.4&$filter=atScope(", NULL, "BadParameter", "$filter",
          400 },
    };
    json_t *answer =
        kvp_test_call(&vault, rows[_i].method, rows[_i].path, rows[_i].body, rows[_i].status);

    kvp_test_error(answer, rows[_i].code, NULL, rows[_i].text);
}
END_TEST
#define WRONG_COUNT 13

static json_t *assign(const char *scope, const char *guid, const char *role, const char *principal,
                      int status)
{
    char path[200];

    snprintf(path, sizeof(path), "%s" ASSIGNMENTS "/%s", scope, guid);
    return kvp_test_callf(&vault, "PUT", path, status,
                          "{\"properties\":{\"roleDefinitionId\":\"" FULL_ID "%s\","
                          "\"principalId\":\"%s\"}}",
                          role, principal);
}

static const char *object_id(const char *name)
{
    static kvp_principal principal;

    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, name, &principal, NULL), KVP_OK);
    return principal.object_id;
}

static int get(const char *path, const char *token)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", path, token, NULL);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

START_TEST(an_assignment_acts_at_once_and_so_does_its_end)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "somebody", "Managed HSM Backup", token);
    ck_assert_int_eq(get("/keys/k", token), 403);

    json_t *made =
        assign("", GUID2, "21dbd100-6940-42c2-9190-5d6cb909625b", object_id("somebody"), 201);
    ck_assert_str_eq(kvp_test_text(made, "id"), ASSIGNMENTS "/" GUID2);
    ck_assert_str_eq(kvp_test_text(made, "properties.scope"), "/");
    ck_assert_str_eq(kvp_test_text(made, "type"), "Microsoft.Authorization/roleAssignments");
    json_decref(made);
    ck_assert_int_eq(get("/keys/k", token), 404);

    json_decref(kvp_test_call(&vault, "DELETE", ASSIGNMENTS "/" GUID2, NULL, 200));
    ck_assert_int_eq(get("/keys/k", token), 403);
    kvp_test_error(kvp_test_call(&vault, "DELETE", ASSIGNMENTS "/" GUID2, NULL, 404),
                   "RoleAssignmentNotFound", NULL, "Requested role assignment not found");
}
END_TEST

START_TEST(a_scope_limits_to_one_key)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "somebody", "Managed HSM Backup", token);
    json_decref(assign("/keys/mine", GUID2, "21dbd100-6940-42c2-9190-5d6cb909625b",
                       object_id("somebody"), 201));

    ck_assert_int_eq(get("/keys/mine", token), 404);
    ck_assert_int_eq(get("/keys/MINE", token), 404);
    ck_assert_int_eq(get("/keys/mine2", token), 403);
    ck_assert_int_eq(get("/keys", token), 403);
    ck_assert_int_eq(get("/keys/mine" ASSIGNMENTS "/" GUID2, vault.token), 200);
    ck_assert_int_eq(get(ASSIGNMENTS "/" GUID2, vault.token), 404);
}
END_TEST

START_TEST(lists_are_filtered_by_scope_and_principal)
{
    static const struct {
        const char *path;
        size_t more; /* than the administrator's three at `/` */
        bool only;
    } rows[] = {
        { ASSIGNMENTS "?api-version=7.4", 2, false },
        { ASSIGNMENTS "?api-version=7.4&$filter=atScope()", 0, false },
        { "/keys" ASSIGNMENTS "?api-version=7.4&%24filter=atScope%28%29", 1, false },
        { "/keys/mine" ASSIGNMENTS "?api-version=7.4", 2, false },
        { "/keys/yours" ASSIGNMENTS "?api-version=7.4", 1, false },
        { ASSIGNMENTS "?api-version=7.4&$filter=principalId%20eq%20'"
                      "00000000-1111-2222-3333-444444444444'",
          2, true },
    };
    static const char who[] = "00000000-1111-2222-3333-444444444444";

    json_decref(assign("/keys", GUID, "33413926-3206-4cdd-b39a-83574fe37a17", who, 201));
    json_decref(assign("/keys/mine", GUID2, "33413926-3206-4cdd-b39a-83574fe37a17", who, 201));
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        json_t *list = kvp_test_call(&vault, "GET", rows[i].path, NULL, 200);
        ck_assert_msg(json_array_size(json_object_get(list, "value")) ==
                          rows[i].more + (rows[i].only ? 0 : 3),
                      "%s: %s", rows[i].path, text_of(list));
        json_decref(list);
    }
}
END_TEST

START_TEST(wrong_assignments_are_refused)
{
    static const char who[] = "00000000-1111-2222-3333-444444444444";
    static const char role[] = "33413926-3206-4cdd-b39a-83574fe37a17";

    json_decref(assign("", GUID, role, who, 201));
    kvp_test_error(assign("", GUID, role, who, 409), "RoleAssignmentExists", NULL,
                   "already exists");
    kvp_test_error(assign("", GUID2, role, who, 409), "RoleAssignmentExists", NULL,
                   "already exists");
    kvp_test_error(assign("", GUID2, GUID, who, 404), "RoleDefinitionNotFound", NULL, "not found");
    kvp_test_error(assign("", "x", role, who, 400), "BadParameter", NULL, "GUID");
    kvp_test_error(assign("", GUID2, role, "me", 400), "BadParameter", NULL, "GUID");
    kvp_test_error(kvp_test_call(&vault, "PUT", ASSIGNMENTS "/" GUID2, "{}", 400), "BadParameter",
                   NULL, "properties");
}
END_TEST

START_TEST(a_custom_role_allows_what_its_permissions_say)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "somebody", "Managed HSM Backup", token);
    json_decref(kvp_test_call(&vault, "PUT", DEFINITIONS "/" GUID,
                              "{\"properties\":{\"roleName\":\"Reader\",\"permissions\":"
                              "[{\"dataActions\":[\"" READ_KEYS "\"]}]}}",
                              201));
    json_decref(assign("", GUID2, GUID, object_id("somebody"), 201));
    ck_assert_int_eq(get("/keys/k", token), 404);
    ck_assert_int_eq(get("/settings", token), 403);

    json_decref(kvp_test_call(&vault, "PUT", DEFINITIONS "/" GUID,
                              "{\"properties\":{\"roleName\":\"Reader\",\"permissions\":"
                              "[{\"dataActions\":[\"" READ_KEYS "\"],\"notDataActions\":"
                              "[\"" READ_KEYS "\"]}]}}",
                              201));
    ck_assert_int_eq(get("/keys/k", token), 403);

    json_decref(kvp_test_call(&vault, "DELETE", DEFINITIONS "/" GUID, NULL, 200));
    ck_assert_int_eq(get(ASSIGNMENTS "/" GUID2, vault.token), 404);
}
END_TEST

START_TEST(the_setting_is_shown_and_changed)
{
    static const char path[] = "/settings/AllowKeyManagementOperationsThroughARM";
    json_t *list = kvp_test_call(&vault, "GET", "/settings", NULL, 200);

    ck_assert_str_eq(text_of(list),
                     "{\"settings\":[{\"name\":"
                     "\"AllowKeyManagementOperationsThroughARM\",\"type\":\"boolean\",\"value\":"
                     "\"true\"}]}");
    json_decref(list);
    json_decref(kvp_test_call(&vault, "PATCH", path, "{\"value\":\"false\"}", 200));
    kvp_test_vault_restart(&vault);
    json_t *now = kvp_test_call(&vault, "GET", path, NULL, 200);
    ck_assert_str_eq(kvp_test_text(now, "value"), "false");
    json_decref(now);
    json_decref(kvp_test_call(&vault, "PATCH", path, "{\"value\":\"maybe\"}", 400));
    json_decref(kvp_test_call(&vault, "GET", "/settings/none", NULL, 404));
}
END_TEST

START_TEST(jobs_with_the_cloud_answer_the_services_errors)
{
    json_t *bad = kvp_test_call(&vault, "POST", "/backup",
                                "{\"storageResourceUri\":\"https://u.blob.core.windows.net/u\","
                                "\"token\":\"invalid_sas_token\"}",
                                400);

    ck_assert_str_eq(
        text_of(bad),
        "{\"error\":{\"code\":\"BadRequest\",\"innererror\":null,"
        "\"message\":\"The customer provided SAS token is malformed. The SAS token does "
        "not contain the expiry field\"}}");
    json_decref(bad);
    json_decref(kvp_test_call(&vault, "POST", "/backup", "{}", 400));
    json_decref(kvp_test_call(&vault, "PUT", "/restore", "{\"folderToRestore\":\"x\"}", 400));
    json_decref(kvp_test_call(&vault, "GET", "/backup/x/pending", NULL, 404));
    json_decref(kvp_test_call(&vault, "POST", "/securitydomain/download", "{}", 400));
    json_t *state = kvp_test_call(&vault, "GET", "/securitydomain/download/pending", NULL, 200);
    ck_assert_str_eq(kvp_test_text(state, "status"), "Success");
    json_decref(state);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rbac");
    TCase *hsm = tcase_create("hsm");

    tcase_add_checked_fixture(hsm, setup, teardown);
    tcase_add_test(hsm, a_custom_role_is_made_shown_and_removed_in_the_recorded_shape);
    tcase_add_loop_test(hsm, wrong_definitions_are_refused, 0, WRONG_COUNT);
    tcase_add_test(hsm, an_assignment_acts_at_once_and_so_does_its_end);
    tcase_add_test(hsm, a_scope_limits_to_one_key);
    tcase_add_test(hsm, lists_are_filtered_by_scope_and_principal);
    tcase_add_test(hsm, wrong_assignments_are_refused);
    tcase_add_test(hsm, a_custom_role_allows_what_its_permissions_say);
    tcase_add_test(hsm, the_setting_is_shown_and_changed);
    tcase_add_test(hsm, jobs_with_the_cloud_answer_the_services_errors);
    suite_add_tcase(suite, hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
