/* SPDX-License-Identifier: MIT */
/* The role tables, and the matching of data actions against them. */
#include "vaultd/roles.h"

#include "vaultd/note.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define VAULT KVP_VAULT_STANDARD
#define HSM KVP_VAULT_HSM

const char *const kvp_role_action_prefix[KVP_VAULT_KIND_COUNT] = {
    "Microsoft.KeyVault/vaults/",
    "Microsoft.KeyVault/managedHsm/",
};

const kvp_role kvp_roles[] = {
    { VAULT, "Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483", { "*" } },
    { VAULT,
      "Key Vault Reader",
      "21090545-7ca7-4776-b22c-e363652d74d2",
      { "*/read", "secrets/readMetadata/action" } },
    { VAULT,
      "Key Vault Crypto Officer",
      "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
      { "keys/*", "keyrotationpolicies/*" } },
    { VAULT,
      "Key Vault Crypto User",
      "12338af0-0e69-4776-bea7-57ae8d297424",
      { "keys/read", "keys/update/action", "keys/backup/action", "keys/encrypt/action",
        "keys/decrypt/action", "keys/wrap/action", "keys/unwrap/action", "keys/sign/action",
        "keys/verify/action" } },
    { VAULT,
      "Key Vault Crypto Service Encryption User",
      "e147488a-f6f5-4113-8e2d-b22465e65bf6",
      { "keys/read", "keys/wrap/action", "keys/unwrap/action" } },
    { VAULT,
      "Key Vault Crypto Service Release User",
      "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
      { "keys/release/action" } },
    { VAULT, "Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", { "secrets/*" } },
    { VAULT,
      "Key Vault Secrets User",
      "4633458b-17de-408a-b874-0445c86b69e6",
      { "secrets/getSecret/action", "secrets/readMetadata/action" } },
    { VAULT,
      "Key Vault Certificates Officer",
      "a4417e6f-fecd-4de8-b567-7b0420556985",
      { "certificatecas/*", "certificates/*", "certificatecontacts/write" } },
    { VAULT,
      "Key Vault Certificate User",
      "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
      { "certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action",
        "keys/read" } },
    /* These three manage vaults and have no data action: with one of them nothing in here is
       allowed. */
    { VAULT, "Key Vault Purge Operator", "a68e7c17-0ab2-4c09-9a58-125dae29748c", { NULL } },
    { VAULT, "Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395", { NULL } },
    { VAULT,
      "Key Vault Data Access Administrator",
      "8b54135c-b56d-4d72-a534-26097cfdc8d8",
      { NULL } },
    /* Those of a Managed HSM in the order, with the names and actions that it lists itself. */
    { HSM,
      "Managed HSM Restore User",
      "6efe6056-5259-49d2-8b3d-d3d73544b20b",
      { "restore/start/action", "restore/status/action", "keys/restore/action" } },
    { HSM,
      "Managed HSM Backup User",
      "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
      { "backup/start/action", "backup/status/action", "keys/backup/action" } },
    { HSM,
      "Managed HSM Crypto Service Encryption User",
      "33413926-3206-4cdd-b39a-83574fe37a17",
      { "keys/read/action", "keys/wrap/action", "keys/unwrap/action" } },
    { HSM,
      "Managed HSM Crypto Service Release User",
      "21dbd100-6940-42c2-9190-5d6cb909625c",
      { "keys/release/action" } },
    { HSM,
      "Managed HSM Crypto Auditor",
      "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3",
      { "roleAssignments/read/action", "roleDefinitions/read/action", "keys/read/action",
        "keys/deletedKeys/read/action" } },
    { HSM,
      "Managed HSM Policy Administrator",
      "4bd23610-cdcf-4971-bdee-bdc562cc28e4",
      { "roleDefinitions/read/action", "roleDefinitions/write/action",
        "roleDefinitions/delete/action", "roleAssignments/read/action",
        "roleAssignments/write/action", "roleAssignments/delete/action" } },
    { HSM,
      "Managed HSM Crypto User",
      "21dbd100-6940-42c2-9190-5d6cb909625b",
      { "roleDefinitions/read/action", "roleAssignments/read/action", "keys/read/action",
        "keys/write/action", "keys/delete", "keys/create", "keys/rotate/action",
        "keys/import/action", "keys/release/action", "keys/backup/action", "keys/restore/action",
        "keys/encrypt/action", "keys/decrypt/action", "keys/wrap/action", "keys/unwrap/action",
        "keys/sign/action", "keys/verify/action", "keys/derive/action", "rng/action" } },
    { HSM,
      "Managed HSM Crypto Officer",
      "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
      { "roleAssignments/delete/action", "roleAssignments/read/action",
        "roleAssignments/write/action", "roleDefinitions/read/action",
        "roleDefinitions/write/action", "roleDefinitions/delete/action",
        "keys/deletedKeys/read/action", "keys/deletedKeys/delete",
        "keys/deletedKeys/recover/action", "keys/export/action" } },
    { HSM,
      "Managed HSM Administrator",
      "a290e904-7015-4bba-90c8-60543313cdb4",
      { "roleAssignments/delete/action", "roleAssignments/read/action",
        "roleAssignments/write/action", "roleDefinitions/read/action",
        "roleDefinitions/write/action", "roleDefinitions/delete/action",
        "securitydomain/download/action", "securitydomain/download/read",
        "securitydomain/upload/action", "securitydomain/upload/read",
        "securitydomain/transferkey/read", "backup/start/action", "restore/start/action",
        "backup/status/action", "restore/status/action", "settings/read/action",
        "settings/write/action" } },
};
const size_t kvp_role_count = KVP_ARRAY_LEN(kvp_roles);

/* An HSM administrator may not use keys: whoever is to do everything needs three of its roles. */
const char *const kvp_role_first[KVP_VAULT_KIND_COUNT][4] = {
    { "00482a5a-887f-4fb3-b363-3b7fe8e74483", NULL },
    { "a290e904-7015-4bba-90c8-60543313cdb4", "515eb02d-2335-4d2d-92f2-b1cbdf9c3778",
      "21dbd100-6940-42c2-9190-5d6cb909625b", NULL },
};

/* The documentation calls these two otherwise than the service does. */
static const struct {
    kvp_vault_kind kind;
    const char *name, *id;
} aliases[] = {
    { HSM, "Managed HSM Backup", "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8" },
    { HSM, "Managed HSM Restore", "6efe6056-5259-49d2-8b3d-d3d73544b20b" },
};

/* The full name or what follows `Key Vault ` or `Managed HSM `. */
static bool is_called(kvp_vault_kind kind, const char *full, const char *name)
{
    static const char *const family[KVP_VAULT_KIND_COUNT] = { "Key Vault ", "Managed HSM " };

    return kvp_ident_casecmp(full, name) == 0 ||
           kvp_ident_casecmp(full + strlen(family[kind]), name) == 0;
}

const kvp_role *kvp_role_find(kvp_vault_kind kind, const char *name)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(aliases); i++) {
        if (aliases[i].kind == kind && is_called(kind, aliases[i].name, name))
            name = aliases[i].id;
    }
    for (size_t i = 0; i < kvp_role_count; i++) {
        const kvp_role *role = &kvp_roles[i];
        if (role->kind == kind &&
            (is_called(kind, role->name, name) || kvp_ident_casecmp(role->id, name) == 0))
            return role;
    }
    return NULL;
}

/* `*` in the pattern matches any run; comparing without case, as Azure does. Linear: one restart
 * point. */
static bool covers(const char *pattern, const char *action)
{
    const char *star = NULL, *mark = NULL;

    while (*action) {
        char p[2] = { *pattern, 0 }, a[2] = { *action, 0 };
        if (*pattern == '*') {
            star = ++pattern;
            mark = action;
        } else if (*pattern && kvp_ident_casecmp(p, a) == 0) {
            pattern++;
            action++;
        } else if (star) {
            pattern = star;
            action = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool kvp_role_allows(const kvp_role *role, const char *action)
{
    for (size_t i = 0; i < KVP_ROLE_ACTIONS_MAX && role->actions[i]; i++) {
        if (covers(role->actions[i], action))
            return true;
    }
    return false;
}

static bool any_covers(const json_t *patterns, const char *action)
{
    size_t i;
    const json_t *pattern;

    json_array_foreach(patterns, i, pattern)
    {
        if (json_is_string(pattern) && covers(json_string_value(pattern), action))
            return true;
    }
    return false;
}

bool kvp_role_permissions_allow(const char *permissions_json, const char *action)
{
    json_t *permissions = json_loads(permissions_json, 0, NULL);
    const json_t *permission;
    bool allowed = false;
    size_t i;

    json_array_foreach(permissions, i, permission)
    {
        allowed = allowed || (any_covers(json_object_get(permission, "dataActions"), action) &&
                              !any_covers(json_object_get(permission, "notDataActions"), action));
    }
    json_decref(permissions);
    return allowed;
}

bool kvp_role_scope_covers(const char *scope, const char *path)
{
    char head[200];
    size_t len = strlen(scope);

    if (strcmp(scope, "/") == 0)
        return true;
    if (len >= sizeof(head) || strlen(path) < len || (path[len] != '\0' && path[len] != '/'))
        return false;
    memcpy(head, path, len);
    head[len] = '\0';
    return kvp_ident_casecmp(head, scope) == 0;
}

bool kvp_role_scope_valid(kvp_vault_kind kind, const char *scope)
{
    static const char *const collections[] = { "/keys", "/secrets", "/certificates" };

    if (strcmp(scope, "/") == 0)
        return true;
    for (size_t i = 0; i < (kind == VAULT ? KVP_ARRAY_LEN(collections) : 1); i++) {
        size_t len = strlen(collections[i]);
        if (kvp_role_scope_covers(collections[i], scope))
            return scope[len] == '\0' || kvp_ident_is_name(scope + len + 1);
    }
    return false;
}

/* A role that is not built in: the vault's own. */
static bool custom_allows(kvp_store *store, const kvp_vault_info *vault, const char *id,
                          const char *action)
{
    kvp_definition definition;
    kvp_error error = { .status = KVP_OK };
    char full[160];

    kvp_status status = kvp_store_definition_get(store, vault, id, &definition, &error);
    if (status != KVP_OK) {
        if (status != KVP_ERR_NOT_FOUND)
            kvp_note("role %s: %s", id, error.message);
        return false;
    }
    snprintf(full, sizeof(full), "%s%s", kvp_role_action_prefix[vault->kind], action);
    bool allowed = kvp_role_permissions_allow(definition.permissions_json, full);
    kvp_definition_clear(&definition);
    return allowed;
}

const kvp_assignment *kvp_role_authorize(kvp_store *store, const kvp_vault_info *vault,
                                         const kvp_grant *grant, const char *path,
                                         const char *action, const char *alternative)
{
    for (size_t i = 0; i < grant->assignment_count; i++) {
        const kvp_assignment *assignment = &grant->assignments[i];
        const kvp_role *role = kvp_role_find(vault->kind, assignment->role);
        if (!kvp_role_scope_covers(assignment->scope, path))
            continue;
        if (role ? kvp_role_allows(role, action) ||
                       (alternative && kvp_role_allows(role, alternative))
                 : custom_allows(store, vault, assignment->role, action))
            return assignment;
    }
    return NULL;
}
