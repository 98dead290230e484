/* SPDX-License-Identifier: MIT */
/*
 * `client-secret`: an application's own secret, from the configuration, a file that is read at each
 * token request (so that a rotated secret is picked up), or the environment.
 */
#include "auth/internal.h"
#include "base/alloc.h"

#include <string.h>

typedef struct client_secret {
    char *tenant, *authority; /**< NULL: what the request says */
    char *client_id;
    kvp_buf secret; /**< empty: in the file */
    char *secret_file;
} client_secret;

void kvp_client_secret_destroy(void *state)
{
    client_secret *s = state;

    if (!s)
        return;
    kvp_free(s->tenant);
    kvp_free(s->authority);
    kvp_free(s->client_id);
    kvp_free(s->secret_file);
    kvp_buf_clear(&s->secret);
    kvp_free(s);
}

static kvp_status fill(client_secret *s, const char *tenant, const char *authority,
                       const char *client_id, const char *secret, const char *secret_file,
                       kvp_error *reterr)
{
    kvp_status st;

    s->secret.secret = true;
    if (tenant && !kvp_tenant_valid(tenant))
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "`tenant` is no tenant's name or id");
    if (authority) {
        st = kvp_authority_normalise(authority, &s->authority, reterr);
        if (st != KVP_OK)
            return st;
    }
    s->tenant = kvp_strdup(tenant);
    s->client_id = kvp_strdup(client_id);
    s->secret_file = kvp_strdup(secret_file);
    st = secret ? kvp_buf_append_str(&s->secret, secret) : KVP_OK;
    if ((tenant && !s->tenant) || !s->client_id || (secret_file && !s->secret_file) || st != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "credential");
    return KVP_OK;
}

kvp_status kvp_client_secret_new(const char *tenant, const char *authority, const char *client_id,
                                 const char *secret, const char *secret_file, void **ret_state,
                                 kvp_error *reterr)
{
    client_secret *s = kvp_calloc(1, sizeof(*s));
    kvp_status st;

    if (!s)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "credential");
    st = fill(s, tenant, authority, client_id, secret, secret_file, reterr);
    if (st != KVP_OK) {
        kvp_client_secret_destroy(s);
        return st;
    }
    *ret_state = s;
    return KVP_OK;
}

kvp_status kvp_client_secret_create(const kvp_credential_settings *settings, void **ret_state,
                                    kvp_error *reterr)
{
    const char *tenant = settings->tenant ? settings->tenant : kvp_auth_getenv("AZURE_TENANT_ID");
    const char *authority =
        settings->authority ? settings->authority : kvp_auth_getenv("AZURE_AUTHORITY_HOST");
    const char *client_id =
        settings->client_id ? settings->client_id : kvp_auth_getenv("AZURE_CLIENT_ID");
    const char *secret = settings->client_secret;

    if (!secret && !settings->client_secret_file)
        secret = kvp_auth_getenv("AZURE_CLIENT_SECRET");
    if (!client_id)
        return kvp_error_set(reterr, KVP_ERR_CONFIG,
                             "client-secret needs `client_id` (or AZURE_CLIENT_ID)");
    if (!secret && !settings->client_secret_file)
        return kvp_error_set(
            reterr, KVP_ERR_CONFIG,
            "client-secret needs `client_secret` or `client_secret_file` (or AZURE_CLIENT_SECRET)");
    return kvp_client_secret_new(tenant, authority, client_id, secret, settings->client_secret_file,
                                 ret_state, reterr);
}

static kvp_status build_form(const client_secret *s, const char *secret, kvp_buf *form)
{
    kvp_status st = kvp_form_add(form, "client_id", s->client_id);

    if (st == KVP_OK)
        st = kvp_form_add(form, "client_secret", secret);
    return st == KVP_OK ? kvp_form_add(form, "grant_type", "client_credentials") : st;
}

kvp_status kvp_client_secret_get_token(void *state, kvp_http *http,
                                       const kvp_token_request *request, kvp_access_token *ret,
                                       kvp_error *reterr)
{
    const client_secret *s = state;
    kvp_token_request own = *request;
    kvp_buf form = KVP_BUF_INIT_SECRET(0), secret = KVP_BUF_INIT_SECRET(0);
    kvp_status st = KVP_OK;

    own.tenant = s->tenant ? s->tenant : request->tenant;
    own.authority = s->authority ? s->authority : request->authority;
    if (s->secret.len == 0)
        st = kvp_secret_file_read(s->secret_file, &secret, reterr);
    if (st == KVP_OK) {
        st = build_form(s, kvp_buf_str(s->secret.len > 0 ? &s->secret : &secret), &form);
        if (st != KVP_OK)
            kvp_error_set(reterr, st, "token request");
    }
    if (st == KVP_OK)
        st = kvp_token_endpoint(http, &own, &form, ret, reterr);
    kvp_buf_clear(&form);
    kvp_buf_clear(&secret);
    return st;
}
