/* SPDX-License-Identifier: MIT */
/*
 * `default`: the sources that Azure's own clients try, in their order (wire reference,
 * section 2.6). One that is not set up is passed over; one that is set up and fails ends the
 * search, for falling back to another identity would hide the mistake.
 */
#include "auth/internal.h"
#include "base/alloc.h"

#include <string.h>

/* A row a source: our kind, the name AZURE_TOKEN_CREDENTIALS knows it by, where it belongs. */
static const struct {
    const char *kind;
    const char *name;
    bool production;
} chain[] = {
    { "environment", "EnvironmentCredential", true },
};

/* A source of the chain: made, or why it could not be. */
typedef struct link {
    bool there;
    void *state;
    char why_not[160];
} link;

typedef struct chain_state {
    link links[KVP_ARRAY_LEN(chain)];
} chain_state;

/* AZURE_TOKEN_CREDENTIALS: `dev`, `prod`, or the name of one. */
static bool is_wanted(size_t i)
{
    const char *only = kvp_auth_getenv("AZURE_TOKEN_CREDENTIALS");

    if (!only)
        return true;
    if (strcmp(only, "prod") == 0)
        return chain[i].production;
    if (strcmp(only, "dev") == 0)
        return !chain[i].production;
    return strcmp(only, chain[i].name) == 0;
}

void kvp_default_destroy(void *state)
{
    chain_state *s = state;

    for (size_t i = 0; s && i < KVP_ARRAY_LEN(chain); i++)
        if (s->links[i].there)
            kvp_credential_type_find(chain[i].kind)->destroy(s->links[i].state);
    kvp_free(s);
}

kvp_status kvp_default_create(const kvp_credential_settings *settings, void **ret_state,
                              kvp_error *reterr)
{
    chain_state *s = kvp_calloc(1, sizeof(*s));

    if (!s)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "credential");
    for (size_t i = 0; i < KVP_ARRAY_LEN(chain); i++) {
        link *l = &s->links[i];
        kvp_error error = { .status = KVP_OK };
        kvp_status st = KVP_ERR_CONFIG;

        if (is_wanted(i))
            st = kvp_credential_type_find(chain[i].kind)->create(settings, &l->state, &error);
        else
            kvp_error_set(&error, KVP_ERR_CONFIG, "excluded by AZURE_TOKEN_CREDENTIALS");
        if (st == KVP_ERR_NO_MEMORY) {
            kvp_default_destroy(s);
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "credential");
        }
        l->there = st == KVP_OK;
        kvp_copy_printable(l->why_not, sizeof(l->why_not), error.message);
    }
    *ret_state = s;
    return KVP_OK;
}

kvp_status kvp_default_get_token(void *state, kvp_http *http, const kvp_token_request *request,
                                 kvp_access_token *ret, kvp_error *reterr)
{
    const chain_state *s = state;
    kvp_buf tried = KVP_BUF_INIT(0);

    for (size_t i = 0; i < KVP_ARRAY_LEN(chain); i++) {
        const link *l = &s->links[i];

        if (l->there)
            return kvp_credential_type_find(chain[i].kind)
                ->get_token(l->state, http, request, ret, reterr);
        if (kvp_buf_append_fmt(&tried, "%s%s: %s", i ? "; " : "", chain[i].kind, l->why_not) !=
            KVP_OK)
            break;
    }
    kvp_error_set(reterr, KVP_ERR_AUTH,
                  "no credential is set up (%s); set `credential` to another kind",
                  kvp_buf_str(&tried));
    kvp_buf_clear(&tried);
    return KVP_ERR_AUTH;
}
