/* SPDX-License-Identifier: MIT */
/*
 * `environment`: the variables that every Azure SDK reads, and nothing else (wire reference, 2.6).
 * They are read when the identity is made.
 */
#include "auth/internal.h"

kvp_status kvp_environment_create(const kvp_credential_settings *settings, void **ret_state,
                                  kvp_error *reterr)
{
    const char *tenant = kvp_auth_getenv("AZURE_TENANT_ID");
    const char *client_id = kvp_auth_getenv("AZURE_CLIENT_ID");
    const char *secret = kvp_auth_getenv("AZURE_CLIENT_SECRET");
    const char *authority = kvp_auth_getenv("AZURE_AUTHORITY_HOST");

    if (!tenant)
        tenant = settings->tenant;
    if (!tenant || !client_id)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "%s is not set",
                             tenant ? "AZURE_CLIENT_ID" : "AZURE_TENANT_ID");
    if (!secret)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "AZURE_CLIENT_SECRET is not set%s",
                             kvp_auth_getenv("AZURE_CLIENT_CERTIFICATE_PATH")
                                 ? " (AZURE_CLIENT_CERTIFICATE_PATH is not supported)"
                                 : "");
    return kvp_client_secret_new(tenant, settings->authority ? settings->authority : authority,
                                 client_id, secret, NULL, ret_state, reterr);
}

kvp_status kvp_environment_get_token(void *state, kvp_http *http, const kvp_token_request *request,
                                     kvp_access_token *ret, kvp_error *reterr)
{
    return kvp_client_secret_get_token(state, http, request, ret, reterr);
}

void kvp_environment_destroy(void *state)
{
    kvp_client_secret_destroy(state);
}
