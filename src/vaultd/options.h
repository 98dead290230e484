/* SPDX-License-Identifier: MIT */
/* The command line of keyvaultd. */
#ifndef KVP_VAULTD_OPTIONS_H
#define KVP_VAULTD_OPTIONS_H

#include "vaultd/store.h"

#define KVP_OPTIONS_ROLES_MAX 16
#define KVP_TOKEN_LIFETIME_DEFAULT 3599 /**< seconds, as Entra's answers say */

typedef struct kvp_options {
    const char *data;
    const char *listen;
    bool kind_given;
    kvp_vault_kind kind;
    int token_lifetime_s;
    const char *roles[KVP_OPTIONS_ROLES_MAX + 1]; /**< ended by NULL */
    size_t role_count;
    const char *hsm_module, *hsm_pin_file, *hsm_token; /**< NULL = not given */
    bool allow_faults, throttle;
    bool help, version;
    const char *const *words; /**< what is left: the sub-command */
    int word_count;
} kvp_options;

/** Strings are borrowed from @argv, which is reordered. KVP_ERR_INVALID names the mistake. */
kvp_status kvp_options_parse(int argc, char **argv, kvp_options *ret, kvp_error *reterr);

extern const char kvp_options_usage[];

#endif
