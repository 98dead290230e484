/* SPDX-License-Identifier: MIT */
/* The configuration as a value: defaults, ownership, what a vault shows. Reading it is load.c's. */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_CONNECTIONS 16
#define DEFAULT_API_VERSION "7.4"

kvp_status kvp_config_vault_init(kvp_config_vault *vault, const char *name)
{
    memset(vault, 0, sizeof(*vault));
    vault->name = kvp_strdup(name);
    vault->credential = kvp_strdup("default");
    vault->api_version = kvp_strdup(DEFAULT_API_VERSION);
    vault->certificates = true;
    vault->timeout_ms = DEFAULT_TIMEOUT_MS;
    vault->max_connections = DEFAULT_CONNECTIONS;
    if (vault->name && vault->credential && vault->api_version)
        return KVP_OK;
    kvp_config_vault_clear(vault);
    return KVP_ERR_NO_MEMORY;
}

void kvp_config_vault_clear(kvp_config_vault *vault)
{
    if (vault->client_secret)
        kvp_wipe(vault->client_secret, strlen(vault->client_secret));
    kvp_free(vault->name);
    kvp_free(vault->url);
    kvp_free(vault->credential);
    kvp_free(vault->tenant);
    kvp_free(vault->client_id);
    kvp_free(vault->client_secret);
    kvp_free(vault->client_secret_file);
    kvp_free(vault->client_certificate);
    kvp_free(vault->token_file);
    kvp_free(vault->authority);
    kvp_free(vault->ca_file);
    for (size_t i = 0; vault->keys && vault->keys[i]; i++)
        kvp_free(vault->keys[i]);
    kvp_free(vault->keys);
    kvp_free(vault->chain_file);
    kvp_free(vault->api_version);
    memset(vault, 0, sizeof(*vault));
}

/* Host suffixes of Managed HSM in each cloud (wire reference, section 1). */
static const char *const hsm_suffixes[] = {
    ".managedhsm.azure.net",
    ".managedhsm.azure.cn",
    ".managedhsm.usgovcloudapi.net",
};

static bool is_hsm_host(const char *url)
{
    const char *host = strstr(url, "://");
    size_t len;

    host = host ? host + 3 : url;
    len = *host == '[' ? strcspn(host, "]") : strcspn(host, ":/");
    for (size_t i = 0; i < KVP_ARRAY_LEN(hsm_suffixes); i++) {
        size_t suffix_len = strlen(hsm_suffixes[i]);
        if (len > suffix_len &&
            strncasecmp(host + len - suffix_len, hsm_suffixes[i], suffix_len) == 0)
            return true;
    }
    return false;
}

void kvp_config_vault_settle(kvp_config_vault *vault)
{
    if (vault->kind == KVP_KIND_AUTO)
        vault->managed_hsm = vault->url && is_hsm_host(vault->url);
    else
        vault->managed_hsm = vault->kind == KVP_KIND_MANAGED_HSM;
}

kvp_config *kvp_config_new(void)
{
    kvp_config *config = kvp_calloc(1, sizeof(*config));

    if (config) {
        config->log_level = KVP_LOG_WARNING;
        config->cache = true;
    }
    return config;
}

kvp_status kvp_config_take_vault(kvp_config *config, kvp_config_vault *vault)
{
    kvp_config_vault *vaults =
        kvp_realloc(config->vaults, (config->vault_count + 1) * sizeof(*vaults));

    if (!vaults) {
        kvp_config_vault_clear(vault);
        return KVP_ERR_NO_MEMORY;
    }
    vaults[config->vault_count++] = *vault;
    config->vaults = vaults;
    memset(vault, 0, sizeof(*vault));
    return KVP_OK;
}

void kvp_config_free(kvp_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->vault_count; i++)
        kvp_config_vault_clear(&config->vaults[i]);
    kvp_free(config->vaults);
    kvp_free(config->path);
    kvp_free(config->audit.path);
    kvp_free(config->log.path);
    kvp_free(config);
}

kvp_status kvp_config_problem(kvp_config_problems *problems, const char *fmt, ...)
{
    char text[1024], line[sizeof(text)];
    char **lines = kvp_realloc(problems->lines, (problems->count + 1) * sizeof(*lines));
    va_list args;

    if (!lines)
        return KVP_ERR_NO_MEMORY;
    problems->lines = lines;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    kvp_copy_printable(line, sizeof(line), text);
    lines[problems->count] = kvp_strdup(line);
    if (!lines[problems->count])
        return KVP_ERR_NO_MEMORY;
    problems->count++;
    return KVP_OK;
}

void kvp_config_problems_clear(kvp_config_problems *problems)
{
    if (!problems)
        return;
    for (size_t i = 0; i < problems->count; i++)
        kvp_free(problems->lines[i]);
    kvp_free(problems->lines);
    problems->lines = NULL;
    problems->count = 0;
}

bool kvp_config_vault_shows(const kvp_config_vault *vault, const char *name)
{
    if (!vault->keys)
        return true;
    for (size_t i = 0; vault->keys[i]; i++)
        if (fnmatch(vault->keys[i], name, FNM_CASEFOLD) == 0)
            return true;
    return false;
}

char *kvp_config_path(const char *dir, const char *value)
{
    if (*value == '/' || !dir)
        return kvp_strdup(value);
    return kvp_asprintf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, value);
}

bool kvp_config_is_exposed(const struct stat *st, char ret[64])
{
    if ((st->st_mode & 077) != 0)
        snprintf(ret, 64, "others may use it (mode %04o)", (unsigned)(st->st_mode & 07777));
    else if (st->st_uid != 0 && st->st_uid != geteuid())
        snprintf(ret, 64, "it belongs to another user (uid %lu)", (unsigned long)st->st_uid);
    else
        return false;
    return true;
}
