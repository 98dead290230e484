/* SPDX-License-Identifier: MIT */
/*
 * `token-file`: an access token that somebody else fetches and keeps fresh in a file. It is read
 * again every minute, and at once when the vault refuses the old one.
 */
#include "auth/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

#define REREAD_S 60

kvp_status kvp_token_file_create(const kvp_credential_settings *settings, void **ret_state,
                                 kvp_error *reterr)
{
    char *path;

    if (!settings->token_file)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "token-file needs `token_file`");
    path = kvp_strdup(settings->token_file);
    if (!path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "credential");
    *ret_state = path;
    return KVP_OK;
}

kvp_status kvp_token_file_get_token(void *state, kvp_http *http, const kvp_token_request *request,
                                    kvp_access_token *ret, kvp_error *reterr)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    kvp_buf token = KVP_BUF_INIT_SECRET(0);
    const char *path = state;
    kvp_status st = kvp_secret_file_read(path, &token, reterr);

    (void)http;
    (void)request;
    if (st != KVP_OK)
        return st;
    if (strspn(kvp_buf_str(&token), allowed) != token.len) {
        kvp_buf_clear(&token);
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`%s` holds more than a bearer token", path);
    }
    kvp_access_token_clear(ret);
    kvp_buf_take(&ret->value, &token);
    kvp_access_token_times(ret, kvp_clock_mono_ms(), REREAD_S, 0);
    return KVP_OK;
}

void kvp_token_file_destroy(void *state)
{
    kvp_free(state);
}
