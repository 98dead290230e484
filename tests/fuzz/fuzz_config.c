/* SPDX-License-Identifier: MIT */
/*
 * The configuration file's parser: no text may hurt it, and what it lets through keeps its
 * promises.
 */
#include "base/alloc.h"
#include "config/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_vault(const kvp_config_vault *v)
{
    char *again = NULL;

    must(v->name && *v->name && strlen(v->name) <= KVP_CONFIG_NAME_MAX);
    must(v->credential && v->api_version);
    must(v->timeout_ms >= 1000 && v->timeout_ms <= 600000);
    must(v->max_connections >= 1 && v->max_connections <= 64);
    must((v->chain == KVP_CHAIN_FILE) == (v->chain_file != NULL));
    must(!v->keys || v->keys[0]);
    must(!v->client_secret); /* the text is said to be open to others */
    /* The one form of a URL is a form of it. */
    must(v->url && kvp_config_url(v->url, &again, NULL) == KVP_OK && strcmp(again, v->url) == 0);
    kvp_free(again);
    (void)kvp_config_vault_shows(v, "some-key");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kvp_config *config = kvp_config_new();
    kvp_config_problems problems = { NULL, 0 };

    must(config != NULL);
    must(kvp_config_parse("/nonexistent/fuzz.conf", (const char *)data, size, "others may use it",
                          config, &problems) == KVP_OK);
    for (size_t i = 0; i < config->vault_count; i++) {
        check_vault(&config->vaults[i]);
        for (size_t j = 0; j < i; j++)
            must(strcmp(config->vaults[i].name, config->vaults[j].name) != 0);
    }
    must((config->audit.kind != KVP_SINK_FILE) || config->audit.path[0] == '/');
    for (size_t i = 0; i < problems.count; i++) {
        must(strncmp(problems.lines[i], "/nonexistent/fuzz.conf:", 23) == 0);
        for (const char *at = problems.lines[i]; *at; at++)
            must((unsigned char)*at >= 0x20);
    }
    kvp_config_free(config);
    kvp_config_problems_clear(&problems);
    return 0;
}
