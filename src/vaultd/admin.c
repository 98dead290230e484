/* SPDX-License-Identifier: MIT */
/* Sub-commands: principals and roles. They share the store with a running daemon, which sees each
 * change at once. */
#include "vaultd/admin.h"

#include "base/buf.h"
#include "vaultd/datadir.h"
#include "vaultd/roles.h"

#include <string.h>

static kvp_status add_principal(kvp_store *store, const kvp_vault_info *vault,
                                const kvp_options *options, FILE *out, kvp_error *reterr)
{
    const char *ids[KVP_OPTIONS_ROLES_MAX + 1] = { NULL };
    kvp_principal principal;
    char secret[KVP_SECRET_SIZE];

    for (size_t i = 0; i < options->role_count; i++) {
        const kvp_role *role = kvp_role_find(vault->kind, options->roles[i]);
        if (!role)
            return kvp_error_set(reterr, KVP_ERR_INVALID,
                                 "a %s has no role '%s'; `role list` shows those it has",
                                 kvp_vault_kind_names[vault->kind], options->roles[i]);
        ids[i] = role->id;
    }
    kvp_status status = kvp_principal_make(options->words[2], &principal, secret, reterr);
    if (status == KVP_OK)
        status = kvp_store_principal_add(store, &principal, ids, reterr);
    /* The only time the secret is seen: what is stored is its digest. */
    if (status == KVP_OK)
        fprintf(out, "tenant = %s\nclient_id = %s\nclient_secret = %s\n", vault->tenant,
                principal.client_id, secret);
    kvp_wipe(secret, sizeof(secret));
    return status;
}

typedef struct listing {
    FILE *out;
    kvp_vault_kind kind;
} listing;

static void print_principal(void *arg, const kvp_principal *principal, const char *role_id)
{
    const listing *l = arg;
    const kvp_role *role = kvp_role_find(l->kind, role_id);

    fprintf(l->out, "%s\t%s\t%s\n", principal->name, principal->client_id,
            role ? role->name : role_id);
}

static kvp_status list_principals(kvp_store *store, const kvp_vault_info *vault,
                                  const kvp_options *options KVP_UNUSED, FILE *out,
                                  kvp_error *reterr)
{
    listing l = { out, vault->kind };

    return kvp_store_principal_list(store, print_principal, &l, reterr);
}

static kvp_status remove_principal(kvp_store *store, const kvp_vault_info *vault KVP_UNUSED,
                                   const kvp_options *options, FILE *out KVP_UNUSED,
                                   kvp_error *reterr)
{
    return kvp_store_principal_remove(store, options->words[2], reterr);
}

static kvp_status list_roles(kvp_store *store KVP_UNUSED, const kvp_vault_info *vault,
                             const kvp_options *options KVP_UNUSED, FILE *out,
                             kvp_error *reterr KVP_UNUSED)
{
    for (size_t i = 0; i < kvp_role_count; i++) {
        if (kvp_roles[i].kind == vault->kind)
            fprintf(out, "%s\t%s\n", kvp_roles[i].name, kvp_roles[i].id);
    }
    return KVP_OK;
}

const kvp_admin_command kvp_admin_commands[] = {
    { "principal", "add", "NAME", true, add_principal },
    { "principal", "list", NULL, false, list_principals },
    { "principal", "remove", "NAME", false, remove_principal },
    { "role", "list", NULL, false, list_roles },
};
const size_t kvp_admin_command_count = KVP_ARRAY_LEN(kvp_admin_commands);

static const kvp_admin_command *find(const kvp_options *options, kvp_error *reterr)
{
    const char *noun = options->words[0];
    const char *verb = options->word_count > 1 ? options->words[1] : "";

    for (size_t i = 0; i < kvp_admin_command_count; i++) {
        const kvp_admin_command *command = &kvp_admin_commands[i];
        if (strcmp(command->noun, noun) != 0 || strcmp(command->verb, verb) != 0)
            continue;
        if (options->word_count != (command->operand ? 3 : 2)) {
            kvp_error_set(reterr, KVP_ERR_INVALID, "%s %s takes %s", noun, verb,
                          command->operand ? command->operand : "no further words");
            return NULL;
        }
        if (command->takes_roles != (options->role_count > 0)) {
            kvp_error_set(reterr, KVP_ERR_INVALID, "%s %s %s", noun, verb,
                          command->takes_roles ? "needs --role ROLE" : "takes no --role");
            return NULL;
        }
        return command;
    }
    kvp_error_set(reterr, KVP_ERR_INVALID, "unknown sub-command '%s%s%s'", noun, *verb ? " " : "",
                  verb);
    return NULL;
}

kvp_status kvp_admin_run(const kvp_options *options, FILE *out, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_store_freep) kvp_store *store = NULL;
    const kvp_admin_command *command = find(options, reterr);
    kvp_vault_info vault;

    if (!command)
        return KVP_ERR_INVALID;
    kvp_status status = kvp_datadir_admin_store(options->data, &store, &vault, reterr);
    if (status == KVP_OK)
        status = command->run(store, &vault, options, out, reterr);
    if (status == KVP_OK && fflush(out) != 0)
        status = kvp_error_set(reterr, KVP_ERR_IO, "writing the output failed");
    return status;
}
