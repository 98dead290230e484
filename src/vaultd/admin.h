/* SPDX-License-Identifier: MIT */
/* The sub-commands that administer a data directory, while its daemon runs or not. */
#ifndef KVP_VAULTD_ADMIN_H
#define KVP_VAULTD_ADMIN_H

#include "vaultd/options.h"

#include <stdio.h>

/** A row a sub-command. */
typedef struct kvp_admin_command {
    const char *noun, *verb;
    const char *operand; /**< what the operand is called; NULL = takes none */
    bool takes_roles;
    kvp_status (*run)(kvp_store *store, const kvp_vault_info *vault, const kvp_options *options,
                      FILE *out, kvp_error *reterr);
} kvp_admin_command;
extern const kvp_admin_command kvp_admin_commands[];
extern const size_t kvp_admin_command_count;

/** Run the sub-command that @options names, writing to @out. */
kvp_status kvp_admin_run(const kvp_options *options, FILE *out, kvp_error *reterr);

#endif
