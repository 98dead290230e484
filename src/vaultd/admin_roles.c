/* SPDX-License-Identifier: MIT */
/* role list, assign, revoke, assignments. */
#include "vaultd/admin.h"

#include "base/alloc.h"
#include "vaultd/roles.h"

#include <stdio.h>
#include <string.h>

typedef struct definitions {
    kvp_definition *items;
    size_t count;
} definitions;

static kvp_status read_definitions(const kvp_admin *admin, definitions *ret, kvp_error *reterr)
{
    return kvp_store_definition_list(admin->store, &admin->vault, &ret->items, &ret->count, reterr);
}

static void definitions_clear(definitions *d)
{
    for (size_t i = 0; i < d->count; i++)
        kvp_definition_clear(&d->items[i]);
    kvp_free(d->items);
}

kvp_status kvp_admin_role_id(const kvp_admin *admin, const char *name, char ret[KVP_UUID_SIZE],
                             kvp_error *reterr)
{
    const kvp_role *role = kvp_role_find(admin->vault.kind, name);
    definitions custom = { NULL, 0 };
    bool found = role != NULL;

    if (role)
        snprintf(ret, KVP_UUID_SIZE, "%s", role->id);
    kvp_status status = role ? KVP_OK : read_definitions(admin, &custom, reterr);
    for (size_t i = 0; i < custom.count && !found; i++) {
        found = kvp_ident_casecmp(custom.items[i].name, name) == 0 ||
                kvp_ident_casecmp(custom.items[i].id, name) == 0;
        if (found)
            snprintf(ret, KVP_UUID_SIZE, "%s", custom.items[i].id);
    }
    definitions_clear(&custom);
    if (status == KVP_OK && !found)
        status = kvp_error_set(reterr, KVP_ERR_INVALID,
                               "a %s has no role '%s'; `role list` shows those it has",
                               kvp_vault_kind_names[admin->vault.kind], name);
    return status;
}

kvp_status kvp_admin_scope(const kvp_admin *admin, const char **ret, kvp_error *reterr)
{
    const char *scope = admin->options->values[KVP_OPTION_SCOPE];

    if (scope && !kvp_role_scope_valid(admin->vault.kind, scope))
        return kvp_error_set(
            reterr, KVP_ERR_INVALID, "'%s' is no scope: / or /keys or /keys/NAME%s", scope,
            admin->vault.kind == KVP_VAULT_STANDARD ? ", the same with secrets and certificates"
                                                    : "");
    *ret = scope ? scope : "/";
    return KVP_OK;
}

kvp_status kvp_admin_role_list(kvp_admin *admin, kvp_error *reterr)
{
    definitions custom = { NULL, 0 };
    kvp_status status = read_definitions(admin, &custom, reterr);

    for (size_t i = 0; status == KVP_OK && i < kvp_role_count; i++) {
        if (kvp_roles[i].kind == admin->vault.kind)
            fprintf(admin->out, "%s\t%s\n", kvp_roles[i].name, kvp_roles[i].id);
    }
    for (size_t i = 0; i < custom.count; i++)
        fprintf(admin->out, "%s\t%s\n", custom.items[i].name, custom.items[i].id);
    definitions_clear(&custom);
    return status;
}

kvp_status kvp_admin_role_assign(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    kvp_assignment assignment = { .id = "" };
    kvp_principal principal;
    const char *scope;
    kvp_status status = kvp_admin_scope(admin, &scope, reterr);

    if (status == KVP_OK)
        status = kvp_store_principal_find(admin->store, options->words[2], &principal, reterr);
    for (size_t i = 0; i < options->role_count && status == KVP_OK; i++) {
        status = kvp_admin_role_id(admin, options->roles[i], assignment.role, reterr);
        if (status == KVP_OK && kvp_ident_uuid(assignment.id) != KVP_OK)
            status = kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
        if (status != KVP_OK)
            break;
        snprintf(assignment.principal, sizeof(assignment.principal), "%s", principal.object_id);
        snprintf(assignment.scope, sizeof(assignment.scope), "%s", scope);
        status = kvp_store_assignment_add(admin->store, &admin->vault, &assignment, reterr);
    }
    return status;
}

kvp_status kvp_admin_role_revoke(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    bool any_scope = !options->values[KVP_OPTION_SCOPE];
    kvp_assignment *all = NULL;
    kvp_principal principal;
    const char *scope;
    char role[KVP_UUID_SIZE];
    size_t count = 0, gone = 0;
    kvp_status status = kvp_admin_scope(admin, &scope, reterr);

    if (status == KVP_OK)
        status = kvp_store_principal_find(admin->store, options->words[2], &principal, reterr);
    if (status == KVP_OK)
        status = kvp_store_assignment_list(admin->store, &admin->vault, &all, &count, reterr);
    for (size_t r = 0; r < options->role_count && status == KVP_OK; r++) {
        status = kvp_admin_role_id(admin, options->roles[r], role, reterr);
        for (size_t i = 0; i < count && status == KVP_OK; i++) {
            if (kvp_ident_casecmp(all[i].principal, principal.object_id) != 0 ||
                kvp_ident_casecmp(all[i].role, role) != 0 ||
                (!any_scope && kvp_ident_casecmp(all[i].scope, scope) != 0))
                continue;
            status = kvp_store_assignment_remove(admin->store, &admin->vault, all[i].id, reterr);
            gone++;
        }
    }
    kvp_free(all);
    if (status == KVP_OK && gone == 0)
        status =
            kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "'%s' has no such role there", principal.name);
    return status;
}

kvp_status kvp_admin_role_assignments(kvp_admin *admin, kvp_error *reterr)
{
    definitions custom = { NULL, 0 };
    kvp_assignment *all = NULL;
    size_t count = 0;
    kvp_status status = read_definitions(admin, &custom, reterr);

    if (status == KVP_OK)
        status = kvp_store_assignment_list(admin->store, &admin->vault, &all, &count, reterr);
    for (size_t i = 0; i < count; i++) {
        const kvp_role *role = kvp_role_find(admin->vault.kind, all[i].role);
        const char *name = role ? role->name : all[i].role;
        kvp_principal principal;
        for (size_t j = 0; j < custom.count && !role; j++) {
            if (kvp_ident_casecmp(custom.items[j].id, all[i].role) == 0)
                name = custom.items[j].name;
        }
        /* A Managed HSM takes object ids of anybody, as the service does. */
        bool known =
            kvp_store_principal_find(admin->store, all[i].principal, &principal, NULL) == KVP_OK;
        fprintf(admin->out, "%s\t%s\t%s\t%s\n", known ? principal.name : all[i].principal, name,
                all[i].scope, all[i].id);
    }
    kvp_free(all);
    definitions_clear(&custom);
    return status;
}
