/* SPDX-License-Identifier: MIT */
/* An identity: a credential, the connections to its authority, and the tokens it has. */
#include "auth/internal.h"
#include "auth/token_cache.h"
#include "base/alloc.h"

#include <string.h>

/* Fetching is single-flight per scope; a vault and a Managed HSM are two scopes. */
#define MAX_CONNECTIONS 4

struct kvp_identity {
    const kvp_credential_type *type;
    void *state;
    char *authority, *tenant; /**< of the settings; NULL: the challenge's */
    kvp_http *http;
    kvp_token_cache *cache;
};

static kvp_status fetch(void *user, const kvp_token_request *request, kvp_access_token *ret,
                        kvp_error *reterr)
{
    kvp_identity *identity = user;

    return identity->type->get_token(identity->state, identity->http, request, ret, reterr);
}

static kvp_status unknown_kind(const char *kind, kvp_error *reterr)
{
    kvp_buf kinds = KVP_BUF_INIT(0);

    for (const kvp_credential_type *type = kvp_credential_types; type->kind; type++)
        if (kvp_buf_append_fmt(&kinds, "%s%s", kinds.len ? ", " : "", type->kind) != KVP_OK)
            break;
    kvp_error_set(reterr, KVP_ERR_CONFIG, "`credential = %s` is none of %s", kind ? kind : "",
                  kvp_buf_str(&kinds));
    kvp_buf_clear(&kinds);
    return KVP_ERR_CONFIG;
}

static kvp_status fill(kvp_identity *identity, const kvp_credential_settings *settings,
                       kvp_error *reterr)
{
    kvp_http_options options = { .ca_file = settings->ca_file, .max_connections = MAX_CONNECTIONS };
    kvp_status st = KVP_OK;

    if (settings->authority)
        st = kvp_authority_normalise(settings->authority, &identity->authority, reterr);
    if (st == KVP_OK && settings->tenant) {
        if (!kvp_tenant_valid(settings->tenant))
            return kvp_error_set(reterr, KVP_ERR_CONFIG, "`tenant` is no tenant's name or id");
        identity->tenant = kvp_strdup(settings->tenant);
        if (!identity->tenant)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "identity");
    }
    if (st == KVP_OK)
        st = kvp_http_new(&options, &identity->http, reterr);
    if (st == KVP_OK)
        st = kvp_token_cache_new(fetch, identity, &identity->cache, reterr);
    if (st == KVP_OK)
        st = identity->type->create(settings, &identity->state, reterr);
    return st;
}

kvp_status kvp_identity_new(const kvp_credential_settings *settings, kvp_identity **ret,
                            kvp_error *reterr)
{
    const kvp_credential_type *type =
        kvp_credential_type_find(settings->kind ? settings->kind : "default");
    kvp_identity *identity;
    kvp_status st;

    if (!type)
        return unknown_kind(settings->kind, reterr);
    identity = kvp_calloc(1, sizeof(*identity));
    if (!identity)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "identity");
    identity->type = type;
    st = fill(identity, settings, reterr);
    if (st != KVP_OK) {
        kvp_identity_free(identity);
        return st;
    }
    *ret = identity;
    return KVP_OK;
}

void kvp_identity_free(kvp_identity *identity)
{
    if (!identity)
        return;
    if (identity->state)
        identity->type->destroy(identity->state);
    kvp_token_cache_free(identity->cache);
    kvp_http_free(identity->http);
    kvp_free(identity->authority);
    kvp_free(identity->tenant);
    kvp_free(identity);
}

kvp_status kvp_identity_authorize(kvp_identity *identity, const kvp_challenge *challenge,
                                  int64_t deadline_ms, kvp_buf *ret_header, kvp_error *reterr)
{
    kvp_token_request request = {
        .authority = identity->authority ? identity->authority : challenge->authority,
        .tenant = identity->tenant ? identity->tenant : challenge->tenant,
        .resource = challenge->resource,
        .claims = challenge->claims,
        .deadline_ms = deadline_ms,
    };

    return kvp_token_cache_get(identity->cache, &request, ret_header, reterr);
}

void kvp_identity_forget(kvp_identity *identity, const char *resource, const kvp_buf *header)
{
    kvp_token_cache_forget(identity->cache, resource, header);
}
