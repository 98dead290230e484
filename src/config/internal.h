/* SPDX-License-Identifier: MIT */
/* What the files of this room share. */
#ifndef KVP_CONFIG_INTERNAL_H
#define KVP_CONFIG_INTERNAL_H

#include "config/config.h"

/** Label of a token (PKCS#11 v3.1, CK_TOKEN_INFO): bytes. */
#define KVP_CONFIG_NAME_MAX 32

/** Defaults of a vault named @name (copied). KVP_ERR_NO_MEMORY. */
kvp_status kvp_config_vault_init(kvp_config_vault *vault, const char *name);
void kvp_config_vault_clear(kvp_config_vault *vault);
/** Work out what depends on several settings: managed_hsm. */
void kvp_config_vault_settle(kvp_config_vault *vault);

/** An empty configuration with its defaults; NULL without memory. */
kvp_config *kvp_config_new(void);
/** Takes the contents of @vault; it is cleared on failure too. */
kvp_status kvp_config_take_vault(kvp_config *config, kvp_config_vault *vault);

/** Add one line to the problems. KVP_ERR_NO_MEMORY. */
kvp_status kvp_config_problem(kvp_config_problems *problems, const char *fmt, ...)
    KVP_PRINTF(2, 3) KVP_WARN_UNUSED;

/**
 * Check the base URL of a server and write it in its one form: scheme and host in lower case, no
 * default port, no trailing slash. KVP_ERR_CONFIG says what is wrong with it.
 */
kvp_status kvp_config_url(const char *value, char **ret, kvp_error *reterr);

/** @value, below @dir unless it is absolute; NULL without memory. */
char *kvp_config_path(const char *dir, const char *value);

/**
 * What [vault:…] settings that name secrets are called in a row's name; their values are never
 * shown.
 */
bool kvp_config_is_secret(const char *name);

/** Configure vaults by the list of URLs in $KVPKCS11_VAULT_URL. */
kvp_status kvp_config_from_urls(const char *urls, kvp_config *config,
                                kvp_config_problems *problems);

/**
 * Parse @text, the content of @path, into @config and @problems. Touches no file but those whose
 * permissions matter. @private_reason is NULL when the file itself may hold secrets, else what is
 * wrong with it (`others can read it (mode 0644)`).
 */
kvp_status kvp_config_parse(const char *path, const char *text, size_t len,
                            const char *private_reason, kvp_config *config,
                            kvp_config_problems *problems);

struct stat;
/**
 * Why a file of these attributes may hold no secret, written to @ret (64 bytes); false when it may.
 */
bool kvp_config_is_exposed(const struct stat *st, char ret[64]);

#endif
