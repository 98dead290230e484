/* SPDX-License-Identifier: MIT */
/* The command line of keyvaultd. */
#ifndef KVP_VAULTD_OPTIONS_H
#define KVP_VAULTD_OPTIONS_H

#include "vaultd/store.h"

#define KVP_OPTIONS_ROLES_MAX 16
#define KVP_TOKEN_LIFETIME_DEFAULT 3599 /**< seconds, as Entra's answers say */

/** Options of sub-commands. Each sub-command names those it takes; the rest are refused. */
typedef enum kvp_option {
    KVP_OPTION_ROLE, /**< may be repeated: in roles */
    KVP_OPTION_VAULT,
    KVP_OPTION_SCOPE,
    KVP_OPTION_KIND, /**< in kind */
    KVP_OPTION_CERTIFICATE,
    KVP_OPTION_ISSUER,
    KVP_OPTION_SUBJECT,
    KVP_OPTION_AUDIENCE,
    KVP_OPTION_KEYS,
    KVP_OPTION_NO_SECRET, /**< a flag */
    KVP_OPTION_KTY,
    KVP_OPTION_SIZE,
    KVP_OPTION_CRV,
    KVP_OPTION_FILE,
    KVP_OPTION_CONTENT_TYPE,
    KVP_OPTION_FORCE,  /**< a flag */
    KVP_OPTION_FOLLOW, /**< a flag */
    KVP_OPTION_RECOVERY_LEVEL,
    KVP_OPTION_RECOVERABLE_DAYS,
    KVP_OPTION_COUNT
} kvp_option;
#define KVP_IDENTITIES_MAX 8

/** A row an option of the sub-commands. */
typedef struct kvp_option_row {
    const char *name;  /**< without the dashes */
    const char *value; /**< what the value is called; NULL = a flag */
} kvp_option_row;
extern const kvp_option_row kvp_option_rows[KVP_OPTION_COUNT];

typedef struct kvp_options {
    const char *data;
    const char *listen;
    bool kind_given;
    kvp_vault_kind kind;
    int token_lifetime_s;
    int certificate_delay_s; /**< how long a self-signed certificate stays in progress */
    const char *roles[KVP_OPTIONS_ROLES_MAX + 1]; /**< ended by NULL */
    size_t role_count;
    const char *values[KVP_OPTION_COUNT]; /**< NULL = not given; a flag that was given is "" */
    const char *imds;                     /**< HOST:PORT, or NULL */
    const char *identities[KVP_IDENTITIES_MAX + 1]; /**< principals of --identity, ended by NULL */
    size_t identity_count;
    const char *hsm_module, *hsm_pin_file, *hsm_token; /**< NULL = not given */
    bool allow_faults, throttle;
    unsigned idle_timeout_s; /**< of a connection; 0 = two minutes. No option: tests wait less */
    bool help, version;
    const char *const *words; /**< what is left: the sub-command */
    int word_count;
} kvp_options;

/** Strings are borrowed from @argv, which is reordered. KVP_ERR_INVALID names the mistake. */
kvp_status kvp_options_parse(int argc, char **argv, kvp_options *ret, kvp_error *reterr);

extern const char kvp_options_usage[];

#endif
