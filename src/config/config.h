/* SPDX-License-Identifier: MIT */
/*
 * The configuration: which vaults, with which identity. Read once, by C_Initialize; no I/O but the
 * file itself. settings_table.c has a row a setting; docs/configuration.md is written out from it.
 */
#ifndef KVP_CONFIG_CONFIG_H
#define KVP_CONFIG_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum kvp_sink_kind {
    KVP_SINK_NONE,
    KVP_SINK_FILE,
    KVP_SINK_SYSLOG,
    KVP_SINK_JOURNALD,
    KVP_SINK_STDERR
} kvp_sink_kind;
typedef struct kvp_sink_setting {
    kvp_sink_kind kind;
    char *path; /**< KVP_SINK_FILE: absolute */
} kvp_sink_setting;

typedef enum kvp_log_level {
    KVP_LOG_ERROR,
    KVP_LOG_WARNING,
    KVP_LOG_INFO,
    KVP_LOG_DEBUG,
    KVP_LOG_TRACE
} kvp_log_level;

typedef enum kvp_chain_kind {
    KVP_CHAIN_AUTO,
    KVP_CHAIN_NONE,
    KVP_CHAIN_FILE,
    KVP_CHAIN_SECRET
} kvp_chain_kind;

typedef enum kvp_vault_kind { KVP_KIND_AUTO, KVP_KIND_VAULT, KVP_KIND_MANAGED_HSM } kvp_vault_kind;

/** One [vault:NAME] section. Strings are owned, paths absolute, NULL where not set. */
typedef struct kvp_config_vault {
    char *name;               /**< the token label, 1 to 32 bytes */
    char *url;                /**< `https://host[:port]`, no trailing slash, host in lower case */
    kvp_vault_kind kind;      /**< as written; `auto` when not */
    bool managed_hsm;         /**< what follows from the kind, or from the host name */
    char *credential;         /**< kind; `default` if not set */
    char *tenant, *client_id, *client_secret, *client_secret_file, *client_certificate, *token_file;
    char *authority;
    char *ca_file;
    char **keys;              /**< globs, ended by NULL; NULL means all */
    bool versions_all;
    bool certificates, secrets, read_only;
    kvp_chain_kind chain;
    char *chain_file;
    int64_t timeout_ms;
    unsigned max_connections;
    char *api_version;
    bool protection_hsm;
    int line;                 /**< of its section in the file */
} kvp_config_vault;

typedef struct kvp_config {
    char *path;               /**< the file it came from; NULL: environment or nothing */
    kvp_sink_setting audit, log;
    kvp_log_level log_level;
    bool cache;
    kvp_config_vault *vaults; /**< in the order of the file */
    size_t vault_count;
} kvp_config;

/**
 * Load the first of $KVPKCS11_CONF, $XDG_CONFIG_HOME/kvpkcs11/kvpkcs11.conf (~/.config/…),
 * SYSCONFDIR/kvpkcs11/kvpkcs11.conf; with none, $KVPKCS11_VAULT_URL; with nothing, an empty
 * configuration and KVP_OK. secure_getenv throughout.
 *
 * KVP_ERR_CONFIG: something is wrong. *ret is set even then (outputs excepted from the rule, as the
 * log settings that could be read are needed to say what is wrong): what could be understood is in
 * it, a vault with a wrong setting is left out, and @ret_problems lists every problem.
 */
typedef struct kvp_config_problems {
    char **lines;             /**< `FILE:LINE: what is wrong, what is allowed` */
    size_t count;
} kvp_config_problems;
kvp_status kvp_config_load(kvp_config **ret, kvp_config_problems *ret_problems, kvp_error *reterr);
/** The same from a named file (`kvpkcs11 doctor`, tests). */
kvp_status kvp_config_load_file(const char *path, kvp_config **ret,
                                kvp_config_problems *ret_problems, kvp_error *reterr);
void kvp_config_free(kvp_config *config);
KVP_DEFINE_FREEP(kvp_config, kvp_config_free);
void kvp_config_problems_clear(kvp_config_problems *problems);

/** Whether @name is shown: no globs, or one fits (fnmatch, case-insensitive as vault names are). */
bool kvp_config_vault_shows(const kvp_config_vault *vault, const char *name);

/** A row a setting: for the parser, `docs/configuration.md` and the tests. */
typedef struct kvp_setting {
    const char *section;      /**< "kvpkcs11" or "vault" */
    const char *name;
    const char *values;       /**< what is allowed, for people: `yes | no` */
    const char *fallback;     /**< default, for people */
    const char *sentence;
    int (*set)(void *section, const char *value, const char *dir,
               kvp_error *reterr); /**< kvp_status */
} kvp_setting;
extern const kvp_setting kvp_settings[]; /**< ended by a NULL name */

#endif
