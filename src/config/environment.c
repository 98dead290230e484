/* SPDX-License-Identifier: MIT */
/*
 * Vaults without any file: KVPKCS11_VAULT_URL holds one or several URLs, separated by commas. Each
 * gets the first label of its host as token label, or the whole of an address.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <stdio.h>
#include <string.h>

#define VARIABLE "KVPKCS11_VAULT_URL"

static bool is_taken(const kvp_config *config, const char *name)
{
    for (size_t i = 0; i < config->vault_count; i++)
        if (strcmp(config->vaults[i].name, name) == 0)
            return true;
    return false;
}

/* A label for @url (in its one form) that no other vault has: `contoso`, `contoso-2`. */
static void make_name(const kvp_config *config, const char *url, char name[KVP_CONFIG_NAME_MAX + 1])
{
    const char *host = strstr(url, "://") + 3;
    char base[KVP_CONFIG_NAME_MAX + 1];
    size_t len;

    if (*host == '[')
        len = strcspn(++host, "]");
    else if (strspn(host, "0123456789.") == strcspn(host, ":"))
        len = strcspn(host, ":");
    else
        len = strcspn(host, ".:");
    snprintf(base, sizeof(base), "%.*s", (int)len, host);
    snprintf(name, KVP_CONFIG_NAME_MAX + 1, "%s", base);
    for (unsigned n = 2; is_taken(config, name); n++) {
        char suffix[16];
        int suffix_len = snprintf(suffix, sizeof(suffix), "-%u", n);

        snprintf(name, KVP_CONFIG_NAME_MAX + 1, "%.*s%s", KVP_CONFIG_NAME_MAX - suffix_len, base,
                 suffix);
    }
}

static kvp_status add_url(const char *text, kvp_config *config, kvp_config_problems *problems)
{
    char name[KVP_CONFIG_NAME_MAX + 1];
    kvp_config_vault vault;
    kvp_error error = { 0 };
    char *url = NULL;
    kvp_status st = kvp_config_url(text, &url, &error);

    if (st == KVP_ERR_CONFIG)
        return kvp_config_problem(problems,
                                  VARIABLE ":0: %.80s: %s; allowed: https://HOST[:PORT], several "
                                           "separated by commas",
                                  text, error.message);
    if (st != KVP_OK)
        return st;
    make_name(config, url, name);
    st = kvp_config_vault_init(&vault, name);
    if (st != KVP_OK) {
        kvp_free(url);
        return st;
    }
    vault.url = url;
    kvp_config_vault_settle(&vault);
    return kvp_config_take_vault(config, &vault);
}

kvp_status kvp_config_from_urls(const char *urls, kvp_config *config, kvp_config_problems *problems)
{
    static const char blanks[] = " \t\r\n";
    kvp_status st = KVP_OK;

    while (*urls && st == KVP_OK) {
        size_t len;
        char *text;

        urls += strspn(urls, blanks);
        len = strcspn(urls, ",");
        text = kvp_strndup(urls, len);
        if (!text)
            return KVP_ERR_NO_MEMORY;
        urls += len + (urls[len] == ',');
        while (len > 0 && strchr(blanks, text[len - 1]))
            len--;
        text[len] = '\0';
        if (len > 0)
            st = add_url(text, config, problems);
        kvp_free(text);
    }
    return st;
}
