/* SPDX-License-Identifier: MIT */
/* vault add, set, list, remove. */
#include "vaultd/admin.h"

#include "base/alloc.h"
#include "vaultd/recovery.h"
#include "vaultd/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 3 to 24 letters, digits and single hyphens, a letter first (wire reference, section 1.1). */
static bool is_vault_name(const char *name)
{
    size_t len = strlen(name);
    bool letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');

    return len >= 3 && len <= 24 && letter && kvp_ident_is_name(name) && !strstr(name, "--") &&
           name[len - 1] != '-' && kvp_ident_casecmp(name, "localhost") != 0;
}

/* Whoever was there first may do everything in the new vault, too, if still there. */
static void find_first(void *arg, const kvp_principal *principal)
{
    kvp_principal *first = arg;

    if (first->id == 0 || principal->id < first->id)
        *first = *principal;
}

static kvp_status assign_first(kvp_admin *admin, const kvp_vault_info *vault, kvp_error *reterr)
{
    kvp_principal first = { .id = 0 };
    kvp_status status = kvp_store_principal_list(admin->store, find_first, &first, reterr);

    if (status != KVP_OK || first.id == 0)
        return status;
    for (const char *const *role = kvp_role_first[vault->kind]; *role && status == KVP_OK; role++) {
        kvp_assignment assignment = { .scope = "/" };
        if (kvp_ident_uuid(assignment.id) != KVP_OK)
            return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
        snprintf(assignment.principal, sizeof(assignment.principal), "%s", first.object_id);
        snprintf(assignment.role, sizeof(assignment.role), "%s", *role);
        status = kvp_store_assignment_add(admin->store, vault, &assignment, reterr);
    }
    if (status == KVP_OK)
        fprintf(admin->out, "administrator = %s\n", first.name);
    return status;
}

/* `https://NAME.localhost:PORT`, with the port that the daemon had when it last started. */
static void print_url(const kvp_admin *admin, const kvp_vault_info *vault)
{
    char url[300] = "";
    const char *port = NULL;

    if (kvp_store_setting_get(admin->store, &admin->vault, KVP_SETTING_URL, url, sizeof(url),
                              NULL) == KVP_OK)
        port = strrchr(url, ':');
    bool has_port = port && strspn(port + 1, "0123456789") == strlen(port + 1);
    fprintf(admin->out, "url = https://%s.localhost%s\n", vault->name, has_port ? port : "");
}

/* What the options say of recovery, into @vault. */
static kvp_status read_recovery(const kvp_admin *admin, kvp_vault_info *vault, kvp_error *reterr)
{
    const char *level = admin->options->values[KVP_OPTION_RECOVERY_LEVEL];
    const char *text = admin->options->values[KVP_OPTION_RECOVERABLE_DAYS];
    int days = -1;

    if (text) {
        if (!*text || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
            return kvp_error_set(reterr, KVP_ERR_INVALID, "--recoverable-days is a number of days");
        days = (int)strtol(text, NULL, 10);
    }
    return kvp_recovery_choose(vault, level, days, reterr);
}

kvp_status kvp_admin_vault_set(kvp_admin *admin, kvp_error *reterr)
{
    kvp_vault_info vault, changed;
    kvp_status status =
        kvp_store_vault_find(admin->store, admin->options->words[2], &vault, reterr);

    if (status != KVP_OK)
        return status;
    changed = vault;
    status = read_recovery(admin, &changed, reterr);
    if (status == KVP_OK)
        status = kvp_recovery_check_change(&vault, &changed, reterr);
    if (status == KVP_OK)
        status = kvp_store_vault_set_recovery(admin->store, &changed, reterr);
    if (status == KVP_OK)
        fprintf(admin->out, "recovery_level = %s\nrecoverable_days = %d\n", changed.recovery_level,
                changed.recoverable_days);
    return status;
}

kvp_status kvp_admin_vault_add(kvp_admin *admin, kvp_error *reterr)
{
    const char *name = admin->options->words[2];
    kvp_vault_info vault = admin->vault; /* tenant, subscription and retention are the default's */

    if (!is_vault_name(name))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "a vault's name has 3 to 24 letters, digits and single hyphens");
    snprintf(vault.name, sizeof(vault.name), "%s", name);
    vault.kind = admin->options->kind_given ? admin->options->kind : KVP_VAULT_STANDARD;
    kvp_status status = read_recovery(admin, &vault, reterr);
    if (status == KVP_OK)
        status = kvp_store_vault_add(admin->store, &vault, reterr);
    if (status == KVP_OK)
        status = kvp_store_vault_find(admin->store, name, &vault, reterr);
    if (status == KVP_OK)
        status = assign_first(admin, &vault, reterr);
    if (status == KVP_OK)
        print_url(admin, &vault);
    return status;
}

kvp_status kvp_admin_vault_list(kvp_admin *admin, kvp_error *reterr)
{
    kvp_vault_info *vaults = NULL;
    size_t count = 0;
    kvp_status status = kvp_store_vault_list(admin->store, &vaults, &count, reterr);

    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        int64_t objects = 0;
        status = kvp_store_vault_objects(admin->store, &vaults[i], &objects, reterr);
        if (status == KVP_OK)
            fprintf(admin->out, "%s\t%s\t%lld\t%s\t%s\t%d\n", vaults[i].name,
                    kvp_vault_kind_names[vaults[i].kind], (long long)objects,
                    i == 0 ? "default" : "", vaults[i].recovery_level, vaults[i].recoverable_days);
    }
    kvp_free(vaults);
    return status;
}

kvp_status kvp_admin_vault_remove(kvp_admin *admin, kvp_error *reterr)
{
    const char *name = admin->options->words[2];
    kvp_vault_info vault;
    int64_t objects = 0;
    kvp_status status = kvp_store_vault_find(admin->store, name, &vault, reterr);

    if (status == KVP_OK)
        status = kvp_store_vault_objects(admin->store, &vault, &objects, reterr);
    if (status == KVP_OK && objects > 0 && !kvp_recovery_allows_purge(&vault))
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "'%s' is protected from purging and still holds %lld objects, deleted "
                             "ones included",
                             vault.name, (long long)objects);
    if (status == KVP_OK && objects > 0 && !admin->options->values[KVP_OPTION_FORCE])
        status = kvp_error_set(reterr, KVP_ERR_REFUSED,
                               "'%s' still holds %lld objects, deleted ones included; --force "
                               "removes them for good",
                               vault.name, (long long)objects);
    if (status == KVP_OK)
        status = kvp_store_vault_remove(admin->store, name, reterr);
    return status;
}
