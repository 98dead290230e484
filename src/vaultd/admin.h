/* SPDX-License-Identifier: MIT */
/* The sub-commands that administer a data directory, while its daemon runs or not. */
#ifndef KVP_VAULTD_ADMIN_H
#define KVP_VAULTD_ADMIN_H

#include "vaultd/options.h"

#include <stdio.h>

/** What a running sub-command works on. */
typedef struct kvp_admin {
    const kvp_options *options;
    kvp_store *store;
    kvp_vault_info vault; /**< of --vault, else the default one */
    bool vault_given;
    bool needs_token; /**< what is asked for may live in the data directory's token */
    FILE *out;
} kvp_admin;

#define KVP_TAKES(option) (1u << (option))

/** A row a sub-command. */
typedef struct kvp_admin_command {
    const char *noun, *verb;
    const char *operands;  /**< what they are called, separated by blanks; "" = takes none */
    unsigned needs, takes; /**< KVP_TAKES of options that must and that may be there */
    const char *help;      /**< one sentence */
    kvp_status (*run)(kvp_admin *admin, kvp_error *reterr);
} kvp_admin_command;
extern const kvp_admin_command kvp_admin_commands[];
extern const size_t kvp_admin_command_count;

/**
 * Run the sub-command in @options->words; what it shows goes to @out. KVP_ERR_INVALID: wrong words;
 * other errors are the store's.
 */
kvp_status kvp_admin_run(const kvp_options *options, FILE *out, kvp_error *reterr);

/** Usage of the program, or of the sub-commands that the words of @options begin. */
void kvp_admin_help(const kvp_options *options, FILE *out);

/* admin_principals.c */
kvp_status kvp_admin_principal_add(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_principal_list(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_principal_remove(kvp_admin *admin, kvp_error *reterr);
/* admin_roles.c */
kvp_status kvp_admin_role_list(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_role_assign(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_role_revoke(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_role_assignments(kvp_admin *admin, kvp_error *reterr);
/** The definition id of a role by name or id, custom roles included. KVP_ERR_INVALID. */
kvp_status kvp_admin_role_id(const kvp_admin *admin, const char *name, char ret[KVP_UUID_SIZE],
                             kvp_error *reterr);
/** The scope of --scope, checked; `/` without it. */
kvp_status kvp_admin_scope(const kvp_admin *admin, const char **ret, kvp_error *reterr);
/* admin_vaults.c */
kvp_status kvp_admin_vault_add(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_vault_set(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_vault_list(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_vault_remove(kvp_admin *admin, kvp_error *reterr);
/* admin_objects.c */
kvp_status kvp_admin_list(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_show(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_delete(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_key_create(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_secret_set(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_certificate_import(kvp_admin *admin, kvp_error *reterr);
kvp_status kvp_admin_key_import(kvp_admin *admin, kvp_error *reterr);
/* admin_audit.c */
kvp_status kvp_admin_audit(kvp_admin *admin, kvp_error *reterr);

#endif
