/* SPDX-License-Identifier: MIT */
/*
 * Every built-in role against every operation. What is expected was written down from the published
 * role tables (wire reference, section 11), operation by operation, without looking at any action.
 */
#include "config.h"

#include "support.h"

#include "vaultd/roles.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

/* A letter a role, as the expectations below use it. */
static const struct {
    char letter;
    kvp_vault_kind kind;
    const char *name, *id;
} roles[] = {
    { 'A', KVP_VAULT_STANDARD, "Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483" },
    { 'R', KVP_VAULT_STANDARD, "Key Vault Reader", "21090545-7ca7-4776-b22c-e363652d74d2" },
    { 'O', KVP_VAULT_STANDARD, "Key Vault Crypto Officer", "14b46e9e-c2b7-41b4-b07b-48a6ebf60603" },
    { 'U', KVP_VAULT_STANDARD, "Key Vault Crypto User", "12338af0-0e69-4776-bea7-57ae8d297424" },
    { 'E', KVP_VAULT_STANDARD, "Key Vault Crypto Service Encryption User",
      "e147488a-f6f5-4113-8e2d-b22465e65bf6" },
    { 'L', KVP_VAULT_STANDARD, "Key Vault Crypto Service Release User",
      "08bbd89e-9f13-488c-ac41-acfcb10c90ab" },
    { 'S', KVP_VAULT_STANDARD, "Key Vault Secrets Officer",
      "b86a8fe4-44ce-4948-aee5-eccb2c155cd7" },
    { 'G', KVP_VAULT_STANDARD, "Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6" },
    { 'C', KVP_VAULT_STANDARD, "Key Vault Certificates Officer",
      "a4417e6f-fecd-4de8-b567-7b0420556985" },
    { 'T', KVP_VAULT_STANDARD, "Key Vault Certificate User",
      "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba" },
    { 'P', KVP_VAULT_STANDARD, "Key Vault Purge Operator", "a68e7c17-0ab2-4c09-9a58-125dae29748c" },
    { 'K', KVP_VAULT_STANDARD, "Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395" },
    { 'D', KVP_VAULT_STANDARD, "Key Vault Data Access Administrator",
      "8b54135c-b56d-4d72-a534-26097cfdc8d8" },
    { 'U', KVP_VAULT_HSM, "Managed HSM Crypto User", "21dbd100-6940-42c2-9190-5d6cb909625b" },
    { 'O', KVP_VAULT_HSM, "Managed HSM Crypto Officer", "515eb02d-2335-4d2d-92f2-b1cbdf9c3778" },
    { 'M', KVP_VAULT_HSM, "Managed HSM Administrator", "a290e904-7015-4bba-90c8-60543313cdb4" },
    { 'P', KVP_VAULT_HSM, "Managed HSM Policy Administrator",
      "4bd23610-cdcf-4971-bdee-bdc562cc28e4" },
    { 'E', KVP_VAULT_HSM, "Managed HSM Crypto Service Encryption User",
      "33413926-3206-4cdd-b39a-83574fe37a17" },
    { 'A', KVP_VAULT_HSM, "Managed HSM Crypto Auditor", "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3" },
    { 'L', KVP_VAULT_HSM, "Managed HSM Crypto Service Release User",
      "21dbd100-6940-42c2-9190-5d6cb909625c" },
    { 'B', KVP_VAULT_HSM, "Managed HSM Backup", "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8" },
    { 'X', KVP_VAULT_HSM, "Managed HSM Restore", "6efe6056-5259-49d2-8b3d-d3d73544b20b" },
};

/*
 * Who may do what: letters of a vault's roles, of a Managed HSM's; NULL where there is no such
 * thing. Deleted keys of an HSM: the published table lets the auditor purge them, the service's own
 * list of its roles lets it read them; the latter was recorded and stands here.
 */
static const struct {
    const char *operation, *vault, *hsm;
} expected[] = {
    { "KeyList", "AROUET", "EAU" },
    { "KeyListVersions", "AROUET", "EAU" },
    { "KeyGet", "AROUET", "EAU" },
    { "KeyCreate", "AO", "U" },
    { "KeyImport", "AO", "U" },
    { "KeyUpdate", "AOU", "U" },
    { "KeyDelete", "AO", "U" },
    { "KeyRotate", "AO", "U" },
    { "KeySign", "AOU", "U" },
    { "KeyVerify", "AROUET", "U" },
    { "KeyEncrypt", "AROUET", "U" },
    { "KeyDecrypt", "AOU", "U" },
    { "KeyWrap", "AROUET", "UE" },
    { "KeyUnwrap", "AOUE", "UE" },
    { "KeyBackup", "AOU", "UB" },
    { "KeyRestore", "AO", "UX" },
    { "KeyRelease", "AOL", "UL" },
    { "KeyListDeleted", "AROUET", "AO" },
    { "KeyGetDeleted", "AROUET", "AO" },
    { "KeyRecover", "AO", "O" },
    { "KeyPurge", "AO", "O" },
    { "KeyRotationPolicyGet", "ARO", "EAU" },
    { "KeyRotationPolicySet", "AO", "U" },
    { "KeyRng", NULL, "U" },
    { "SecretList", "ARSGT", NULL },
    { "SecretListVersions", "ARSGT", NULL },
    { "SecretGet", "ASGT", NULL },
    { "SecretSet", "AS", NULL },
    { "SecretUpdate", "AS", NULL },
    { "SecretDelete", "AS", NULL },
    { "SecretBackup", "AS", NULL },
    { "SecretRestore", "AS", NULL },
    { "SecretListDeleted", "ARSGT", NULL },
    { "SecretGetDeleted", "ARSGT", NULL },
    { "SecretRecover", "AS", NULL },
    { "SecretPurge", "AS", NULL },
    { "CertificateList", "ARCT", NULL },
    { "CertificateListVersions", "ARCT", NULL },
    { "CertificateGet", "ARCT", NULL },
    { "CertificateCreate", "AC", NULL },
    { "CertificateImport", "AC", NULL },
    { "CertificateUpdate", "AC", NULL },
    { "CertificateDelete", "AC", NULL },
    { "CertificateBackup", "AC", NULL },
    { "CertificateRestore", "AC", NULL },
    { "CertificatePolicyGet", "ARCT", NULL },
    { "CertificatePolicyUpdate", "AC", NULL },
    { "CertificatePendingGet", "ARCT", NULL },
    { "CertificatePendingMerge", "AC", NULL },
    { "CertificatePendingUpdate", "AC", NULL },
    { "CertificatePendingDelete", "AC", NULL },
    { "CertificateListDeleted", "ARCT", NULL },
    { "CertificateGetDeleted", "ARCT", NULL },
    { "CertificateRecover", "AC", NULL },
    { "CertificatePurge", "AC", NULL },
    { "CertificateContactsGet", "AC", NULL },
    { "CertificateContactsSet", "AC", NULL },
    { "CertificateContactsDelete", "AC", NULL },
    { "CertificateIssuersList", "ARC", NULL },
    { "CertificateIssuerGet", "ARC", NULL },
    { "CertificateIssuerSet", "AC", NULL },
    { "CertificateIssuerUpdate", "AC", NULL },
    { "CertificateIssuerDelete", "AC", NULL },
    { "RoleDefinitionList", NULL, "UOMPA" },
    { "RoleDefinitionGet", NULL, "UOMPA" },
    { "RoleDefinitionSet", NULL, "OMP" },
    { "RoleDefinitionDelete", NULL, "OMP" },
    { "RoleAssignmentList", NULL, "UOMPA" },
    { "RoleAssignmentGet", NULL, "UOMPA" },
    { "RoleAssignmentSet", NULL, "OMP" },
    { "RoleAssignmentDelete", NULL, "OMP" },
    { "SettingsList", NULL, "M" },
    { "SettingGet", NULL, "M" },
    { "SettingUpdate", NULL, "M" },
    { "BackupStart", NULL, "MB" },
    { "BackupStatus", NULL, "MB" },
    { "RestoreStart", NULL, "MX" },
    { "RestoreStatus", NULL, "MX" },
    { "SecurityDomainDownload", NULL, "M" },
    { "SecurityDomainDownloadStatus", NULL, "M" },
    { "SecurityDomainTransferKey", NULL, "M" },
    { "SecurityDomainUpload", NULL, "M" },
    { "SecurityDomainUploadStatus", NULL, "M" },
};

static kvp_test_vault vault;

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static void path_of(const char *pattern, char *dst, size_t size)
{
    static const struct {
        const char *word, *value;
    } words[] = { { "{name}", "a-name" },
                  { "{version}", "0123456789abcdef0123456789abcdef" },
                  { "{id}", "11111111-2222-3333-4444-555555555555" } };
    size_t used = 1;

    dst[0] = '/';
    while (*pattern) {
        bool replaced = false;
        for (size_t i = 0; i < KVP_ARRAY_LEN(words) && !replaced; i++) {
            if (strncmp(pattern, words[i].word, strlen(words[i].word)) != 0)
                continue;
            used += (size_t)snprintf(dst + used, size - used, "%s", words[i].value);
            pattern += strlen(words[i].word);
            replaced = true;
        }
        if (!replaced)
            dst[used++] = *pattern++;
    }
    dst[used] = '\0';
}

static const char *expectation(const kvp_route *route, kvp_vault_kind kind)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(expected); i++) {
        if (strcmp(expected[i].operation, route->operation) == 0)
            return kind == KVP_VAULT_HSM ? expected[i].hsm : expected[i].vault;
    }
    ck_abort_msg("nobody wrote down who may do %s", route->operation);
    return NULL;
}

START_TEST(a_role_allows_just_the_operations_that_are_written_down)
{
    kvp_vault_kind kind = roles[_i].kind;
    char token[KVP_SECRET_SIZE], path[300];

    kvp_test_vault_open(&vault, kind);
    kvp_test_principal(&vault, "somebody", roles[_i].name, token);
    for (size_t i = 0; i < kvp_route_count; i++) {
        const kvp_route *route = &kvp_routes[i];
        unsigned flag = kind == KVP_VAULT_HSM ? KVP_ROUTE_HSM : KVP_ROUTE_VAULT;
        if ((route->flags & KVP_ROUTE_OPEN) || !(route->flags & flag) || route->pattern[0] == '.')
            continue;
        const char *who = expectation(route, kind);
        ck_assert_msg(who != NULL, "%s is not for this kind", route->operation);
        path_of(route->pattern, path, sizeof(path));
        kvp_exchange *ex = kvp_test_request(&vault, route->method, path, token, "{}");

        ck_assert_msg((ex->status != 403) == (strchr(who, roles[_i].letter) != NULL),
                      "%s, %s %s: %d", roles[_i].name, route->method, path, ex->status);
        kvp_exchange_free(ex);
    }
}
END_TEST

START_TEST(each_role_is_there_by_name_and_id)
{
    const kvp_role *role = kvp_role_find(roles[_i].kind, roles[_i].name);

    ck_assert_ptr_nonnull(role);
    ck_assert_str_eq(role->id, roles[_i].id);
    ck_assert_ptr_eq(kvp_role_find(roles[_i].kind, roles[_i].id), role);
}
END_TEST

START_TEST(no_role_is_left_out)
{
    ck_assert_uint_eq(kvp_role_count, KVP_ARRAY_LEN(roles));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rbac_matrix");
    TCase *matrix = tcase_create("matrix"), *table = tcase_create("table");
    int count = (int)KVP_ARRAY_LEN(roles);

    tcase_add_checked_fixture(matrix, NULL, teardown);
    tcase_set_timeout(matrix, 60);
    tcase_add_loop_test(matrix, a_role_allows_just_the_operations_that_are_written_down, 0, count);
    suite_add_tcase(suite, matrix);
    tcase_add_loop_test(table, each_role_is_there_by_name_and_id, 0, count);
    tcase_add_test(table, no_role_is_left_out);
    suite_add_tcase(suite, table);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
