/* SPDX-License-Identifier: MIT */
/* The table of routes and the matching of paths. */
#include "vaultd/routes.h"

#include <string.h>

#define OPEN KVP_ROUTE_OPEN
#define BODY KVP_ROUTE_BODY
#define BOTH KVP_ROUTE_BOTH
#define HSM KVP_ROUTE_HSM
#define VAULT KVP_ROUTE_VAULT
#define ALONE KVP_ROUTE_UNMANAGED
#define WEIGHED KVP_ROUTE_WEIGHED
#define FAULTS (KVP_ROUTE_BOTH | KVP_ROUTE_FAULTS)

/* An operation on a key has two paths, with and without version (wire reference, section 4). */
#define KEY_USE(word, operation, action, alternative, fn)                                          \
    { "POST",                                                                                      \
      "keys/{name}/{version}/" word,                                                               \
      operation,                                                                                   \
      "keys/" action "/action",                                                                    \
      alternative,                                                                                 \
      "keys/" action "/action",                                                                    \
      BOTH | BODY | WEIGHED,                                                                       \
      fn },                                                                                        \
    {                                                                                              \
        "POST", "keys/{name}/" word, operation, "keys/" action "/action", alternative,             \
            "keys/" action "/action", BOTH | BODY | WEIGHED, fn                                    \
    }

/* Access control stands below each of the scopes (wire reference, section 11.2). */
#define RBAC_ROUTE(method, scope, rest, operation, action, flags, fn)                              \
    {                                                                                              \
        method, scope "/Microsoft.Authorization/" rest, operation, NULL, NULL, action, flags, fn   \
    }
#define RBAC_ROUTES(scope)                                                                         \
    RBAC_ROUTE("GET", scope, "roleDefinitions", "RoleDefinitionList",                              \
               "roleDefinitions/read/action", HSM, kvp_rbac_list_definitions),                     \
        RBAC_ROUTE("GET", scope, "roleDefinitions/{id}", "RoleDefinitionGet",                      \
                   "roleDefinitions/read/action", HSM, kvp_rbac_get_definition),                   \
        RBAC_ROUTE("PUT", scope, "roleDefinitions/{id}", "RoleDefinitionSet",                      \
                   "roleDefinitions/write/action", HSM | BODY, kvp_rbac_put_definition),           \
        RBAC_ROUTE("DELETE", scope, "roleDefinitions/{id}", "RoleDefinitionDelete",                \
                   "roleDefinitions/delete/action", HSM, kvp_rbac_delete_definition),              \
        RBAC_ROUTE("GET", scope, "roleAssignments", "RoleAssignmentList",                          \
                   "roleAssignments/read/action", HSM, kvp_rbac_list_assignments),                 \
        RBAC_ROUTE("GET", scope, "roleAssignments/{id}", "RoleAssignmentGet",                      \
                   "roleAssignments/read/action", HSM, kvp_rbac_get_assignment),                   \
        RBAC_ROUTE("PUT", scope, "roleAssignments/{id}", "RoleAssignmentSet",                      \
                   "roleAssignments/write/action", HSM | BODY, kvp_rbac_put_assignment),           \
        RBAC_ROUTE("DELETE", scope, "roleAssignments/{id}", "RoleAssignmentDelete",                \
                   "roleAssignments/delete/action", HSM, kvp_rbac_delete_assignment)
#define SECRET(method, pattern, operation, action, flags, fn)                                      \
    {                                                                                              \
        method, pattern, operation, "secrets/" action, NULL, NULL, VAULT | (flags), fn             \
    }

#define CERT(method, pattern, operation, action, flags, fn)                                        \
    {                                                                                              \
        method, pattern, operation, action, NULL, NULL, VAULT | (flags), fn                        \
    }

const kvp_route kvp_routes[] = {
    { "POST", "{tenant}/oauth2/v2.0/token", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_token_v2 },
    { "POST", "{tenant}/oauth2/token", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_token_v1 },
    { "GET", "{tenant}/v2.0/.well-known/openid-configuration", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_openid },
    { "GET", "{tenant}/.well-known/openid-configuration", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_openid },
    { "GET", "{tenant}/discovery/instance", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_instance },
    { "GET", "{tenant}/discovery/v2.0/keys", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_signing_keys },

    { "GET", "keys", "KeyList", "keys/read", NULL, "keys/read/action", BOTH, kvp_keys_list },
    { "POST", "keys/{name}/create", "KeyCreate", "keys/create/action", NULL, "keys/create",
      BOTH | BODY | ALONE | WEIGHED, kvp_keys_create },
    { "POST", "keys/{name}/rotate", "KeyRotate", "keys/rotate/action", NULL, "keys/rotate/action",
      BOTH | ALONE | WEIGHED, kvp_keys_rotate },
    { "POST", "keys/restore", "KeyRestore", "keys/restore/action", NULL, "keys/restore/action",
      BOTH | BODY, kvp_keys_restore },
    { "POST", "keys/{name}/backup", "KeyBackup", "keys/backup/action", NULL, "keys/backup/action",
      BOTH | ALONE, kvp_keys_backup },
    { "GET", "keys/{name}/rotationpolicy", "KeyRotationPolicyGet", "keyrotationpolicies/read", NULL,
      "keys/read/action", BOTH, kvp_keys_get_rotation_policy },
    { "PUT", "keys/{name}/rotationpolicy", "KeyRotationPolicySet", "keyrotationpolicies/write",
      NULL, "keys/write/action", BOTH | BODY | ALONE, kvp_keys_put_rotation_policy },
    { "GET", "keys/{name}/versions", "KeyListVersions", "keys/read", NULL, "keys/read/action", BOTH,
      kvp_keys_versions },
    { "PUT", "keys/{name}", "KeyImport", "keys/import/action", NULL, "keys/import/action",
      BOTH | BODY | ALONE | WEIGHED, kvp_keys_import },
    { "DELETE", "keys/{name}", "KeyDelete", "keys/delete", NULL, "keys/delete", BOTH | ALONE,
      kvp_keys_delete },
    { "GET", "keys/{name}", "KeyGet", "keys/read", NULL, "keys/read/action", BOTH, kvp_keys_get },
    { "GET", "keys/{name}/{version}", "KeyGet", "keys/read", NULL, "keys/read/action", BOTH,
      kvp_keys_get },
    { "PATCH", "keys/{name}", "KeyUpdate", "keys/update/action", NULL, "keys/write/action",
      BOTH | BODY | ALONE, kvp_keys_update },
    { "PATCH", "keys/{name}/{version}", "KeyUpdate", "keys/update/action", NULL,
      "keys/write/action", BOTH | BODY | ALONE, kvp_keys_update },

    KEY_USE("release", "KeyRelease", "release", NULL, kvp_keys_release),
    KEY_USE("sign", "KeySign", "sign", NULL, kvp_keys_sign),
    KEY_USE("verify", "KeyVerify", "verify", "keys/read", kvp_keys_verify),
    KEY_USE("encrypt", "KeyEncrypt", "encrypt", "keys/read", kvp_keys_encrypt),
    KEY_USE("decrypt", "KeyDecrypt", "decrypt", NULL, kvp_keys_decrypt),
    KEY_USE("wrapkey", "KeyWrap", "wrap", "keys/read", kvp_keys_wrap),
    KEY_USE("unwrapkey", "KeyUnwrap", "unwrap", NULL, kvp_keys_unwrap),

    { "GET", "deletedkeys", "KeyListDeleted", "keys/read", NULL, "keys/deletedKeys/read/action",
      BOTH, kvp_keys_list_deleted },
    { "GET", "deletedkeys/{name}", "KeyGetDeleted", "keys/read", NULL,
      "keys/deletedKeys/read/action", BOTH, kvp_keys_get_deleted },
    { "DELETE", "deletedkeys/{name}", "KeyPurge", "keys/purge/action", NULL,
      "keys/deletedKeys/delete", BOTH | ALONE, kvp_keys_purge },
    { "POST", "deletedkeys/{name}/recover", "KeyRecover", "keys/recover/action", NULL,
      "keys/deletedKeys/recover/action", BOTH | ALONE, kvp_keys_recover },

    { "POST", "rng", "KeyRng", NULL, NULL, "rng/action", HSM | BODY, kvp_hsm_random },

    RBAC_ROUTES("providers"),
    RBAC_ROUTES("keys/providers"),
    RBAC_ROUTES("keys/{name}/providers"),

    { "GET", "settings", "SettingsList", NULL, NULL, "settings/read/action", HSM,
      kvp_settings_list },
    { "GET", "settings/{name}", "SettingGet", NULL, NULL, "settings/read/action", HSM,
      kvp_settings_get },
    { "PATCH", "settings/{name}", "SettingUpdate", NULL, NULL, "settings/write/action", HSM | BODY,
      kvp_settings_update },

    { "POST", "backup", "BackupStart", NULL, NULL, "backup/start/action", HSM | BODY,
      kvp_hsm_backup },
    { "GET", "backup/{id}/pending", "BackupStatus", NULL, NULL, "backup/status/action", HSM,
      kvp_hsm_job_status },
    { "PUT", "restore", "RestoreStart", NULL, NULL, "restore/start/action", HSM | BODY,
      kvp_hsm_restore },
    { "GET", "restore/{id}/pending", "RestoreStatus", NULL, NULL, "restore/status/action", HSM,
      kvp_hsm_job_status },
    { "POST", "securitydomain/download", "SecurityDomainDownload", NULL, NULL,
      "securitydomain/download/action", HSM | BODY, kvp_hsm_domain },
    { "GET", "securitydomain/download/pending", "SecurityDomainDownloadStatus", NULL, NULL,
      "securitydomain/download/read", HSM, kvp_hsm_domain_status },
    { "GET", "securitydomain/upload", "SecurityDomainTransferKey", NULL, NULL,
      "securitydomain/transferkey/read", HSM, kvp_hsm_domain },
    { "POST", "securitydomain/upload", "SecurityDomainUpload", NULL, NULL,
      "securitydomain/upload/action", HSM | BODY, kvp_hsm_domain },
    { "GET", "securitydomain/upload/pending", "SecurityDomainUploadStatus", NULL, NULL,
      "securitydomain/upload/read", HSM, kvp_hsm_domain_status },

    /* Secrets and certificates: vaults only. */
    SECRET("GET", "secrets", "SecretList", "readMetadata/action", 0, kvp_secrets_list),
    SECRET("POST", "secrets/restore", "SecretRestore", "restore/action", BODY, kvp_secrets_restore),
    SECRET("GET", "secrets/{name}/versions", "SecretListVersions", "readMetadata/action", 0,
           kvp_secrets_versions),
    SECRET("POST", "secrets/{name}/backup", "SecretBackup", "backup/action", ALONE,
           kvp_secrets_backup),
    SECRET("PUT", "secrets/{name}", "SecretSet", "setSecret/action", BODY | ALONE, kvp_secrets_set),
    SECRET("DELETE", "secrets/{name}", "SecretDelete", "delete", ALONE, kvp_secrets_delete),
    SECRET("GET", "secrets/{name}", "SecretGet", "getSecret/action", 0, kvp_secrets_get),
    SECRET("GET", "secrets/{name}/{version}", "SecretGet", "getSecret/action", 0, kvp_secrets_get),
    SECRET("PATCH", "secrets/{name}", "SecretUpdate", "update/action", BODY | ALONE,
           kvp_secrets_update),
    SECRET("PATCH", "secrets/{name}/{version}", "SecretUpdate", "update/action", BODY | ALONE,
           kvp_secrets_update),
    SECRET("GET", "deletedsecrets", "SecretListDeleted", "readMetadata/action", 0,
           kvp_secrets_list_deleted),
    SECRET("GET", "deletedsecrets/{name}", "SecretGetDeleted", "readMetadata/action", 0,
           kvp_secrets_get_deleted),
    SECRET("DELETE", "deletedsecrets/{name}", "SecretPurge", "purge/action", ALONE,
           kvp_secrets_purge),
    SECRET("POST", "deletedsecrets/{name}/recover", "SecretRecover", "recover/action", ALONE,
           kvp_secrets_recover),

    CERT("GET", "certificates", "CertificateList", "certificates/read", 0, kvp_certificates_list),
    CERT("POST", "certificates/restore", "CertificateRestore", "certificates/restore/action", BODY,
         kvp_certificates_restore),
    CERT("GET", "certificates/contacts", "CertificateContactsGet", "certificatecontacts/write", 0,
         kvp_contacts_get),
    CERT("PUT", "certificates/contacts", "CertificateContactsSet", "certificatecontacts/write",
         BODY, kvp_contacts_set),
    CERT("DELETE", "certificates/contacts", "CertificateContactsDelete",
         "certificatecontacts/write", 0, kvp_contacts_delete),
    CERT("GET", "certificates/issuers", "CertificateIssuersList", "certificatecas/read", 0,
         kvp_issuers_list),
    CERT("GET", "certificates/issuers/{name}", "CertificateIssuerGet", "certificatecas/read", 0,
         kvp_issuers_get),
    CERT("PUT", "certificates/issuers/{name}", "CertificateIssuerSet", "certificatecas/write", BODY,
         kvp_issuers_set),
    CERT("PATCH", "certificates/issuers/{name}", "CertificateIssuerUpdate", "certificatecas/write",
         BODY, kvp_issuers_update),
    CERT("DELETE", "certificates/issuers/{name}", "CertificateIssuerDelete",
         "certificatecas/delete", 0, kvp_issuers_delete),
    CERT("POST", "certificates/{name}/create", "CertificateCreate", "certificates/create/action",
         BODY, kvp_certificates_create),
    CERT("POST", "certificates/{name}/import", "CertificateImport", "certificates/import/action",
         BODY, kvp_certificates_import),
    CERT("POST", "certificates/{name}/backup", "CertificateBackup", "certificates/backup/action", 0,
         kvp_certificates_backup),
    CERT("POST", "certificates/{name}/pending/merge", "CertificatePendingMerge",
         "certificates/create/action", BODY, kvp_certificates_merge),
    CERT("GET", "certificates/{name}/pending", "CertificatePendingGet", "certificates/read", 0,
         kvp_certificates_pending_get),
    CERT("PATCH", "certificates/{name}/pending", "CertificatePendingUpdate",
         "certificates/update/action", BODY, kvp_certificates_pending_update),
    CERT("DELETE", "certificates/{name}/pending", "CertificatePendingDelete",
         "certificates/update/action", 0, kvp_certificates_pending_delete),
    CERT("GET", "certificates/{name}/policy", "CertificatePolicyGet", "certificates/read", 0,
         kvp_certificates_policy_get),
    CERT("PATCH", "certificates/{name}/policy", "CertificatePolicyUpdate",
         "certificates/update/action", BODY, kvp_certificates_policy_update),
    CERT("GET", "certificates/{name}/versions", "CertificateListVersions", "certificates/read", 0,
         kvp_certificates_versions),
    CERT("DELETE", "certificates/{name}", "CertificateDelete", "certificates/delete", 0,
         kvp_certificates_delete),
    CERT("GET", "certificates/{name}", "CertificateGet", "certificates/read", 0,
         kvp_certificates_get),
    CERT("GET", "certificates/{name}/{version}", "CertificateGet", "certificates/read", 0,
         kvp_certificates_get),
    CERT("PATCH", "certificates/{name}", "CertificateUpdate", "certificates/update/action", BODY,
         kvp_certificates_update),
    CERT("PATCH", "certificates/{name}/{version}", "CertificateUpdate",
         "certificates/update/action", BODY, kvp_certificates_update),
    CERT("GET", "deletedcertificates", "CertificateListDeleted", "certificates/read", 0,
         kvp_certificates_list_deleted),
    CERT("GET", "deletedcertificates/{name}", "CertificateGetDeleted", "certificates/read", 0,
         kvp_certificates_get_deleted),
    CERT("DELETE", "deletedcertificates/{name}", "CertificatePurge", "certificates/purge/action", 0,
         kvp_certificates_purge),
    CERT("POST", "deletedcertificates/{name}/recover", "CertificateRecover",
         "certificates/recover/action", 0, kvp_certificates_recover),

    /* For administrators alone: actions that only their roles cover. */
    { "POST", ".faults", "FaultsAdd", "faults/write", NULL, "securitydomain/upload/action",
      FAULTS | BODY, kvp_faults_add },
    { "GET", ".faults", "FaultsList", "faults/list/action", NULL, "securitydomain/upload/read",
      FAULTS, kvp_faults_list },
    { "DELETE", ".faults", "FaultsDelete", "faults/delete", NULL, "securitydomain/upload/action",
      FAULTS, kvp_faults_delete },
};
const size_t kvp_route_count = KVP_ARRAY_LEN(kvp_routes);

/* Compare one segment of @pattern with @segment; *pattern moves behind it. */
static bool match_segment(const char **pattern, const char *segment, const char **ret_name,
                          const char **ret_version)
{
    size_t len = strcspn(*pattern, "/");
    char literal[48];

    if (strncmp(*pattern, "{name}", len) == 0 || strncmp(*pattern, "{tenant}", len) == 0) {
        *ret_name = segment;
    } else if (strncmp(*pattern, "{version}", len) == 0 || strncmp(*pattern, "{id}", len) == 0) {
        *ret_version = segment;
    } else {
        if (len >= sizeof(literal))
            return false;
        memcpy(literal, *pattern, len);
        literal[len] = '\0';
        if (kvp_ident_casecmp(literal, segment) != 0)
            return false;
    }
    *pattern += len;
    if (**pattern == '/')
        (*pattern)++;
    return true;
}

static bool match_path(const char *pattern, const kvp_exchange *ex, const char **ret_name,
                       const char **ret_version)
{
    *ret_name = "";
    *ret_version = "";
    for (size_t i = 0; i < ex->segment_count; i++) {
        if (*pattern == '\0' || !match_segment(&pattern, ex->segments[i], ret_name, ret_version))
            return false;
    }
    return *pattern == '\0';
}

int kvp_route_match(kvp_exchange *ex, bool open)
{
    unsigned kind = kvp_exchange_is_hsm(ex) ? KVP_ROUTE_HSM : KVP_ROUTE_VAULT;
    int result = 404;

    if (ex->segment_count == 0 || ex->segment_count > KVP_EXCHANGE_SEGMENTS)
        return 404;
    for (size_t i = 0; i < kvp_route_count; i++) {
        const kvp_route *route = &kvp_routes[i];
        const char *name, *version;
        if (((route->flags & KVP_ROUTE_OPEN) != 0) != open || !(route->flags & kind) ||
            ((route->flags & KVP_ROUTE_FAULTS) && !ex->daemon->faults) ||
            !match_path(route->pattern, ex, &name, &version))
            continue;
        if (strcmp(route->method, ex->method) == 0) {
            ex->route = route;
            ex->name = name;
            ex->version = version;
            return 0;
        }
        result = 405;
    }
    return result;
}
