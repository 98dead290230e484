/* SPDX-License-Identifier: MIT */
/* For siblings only: what credential sources share. */
#ifndef KVP_AUTH_INTERNAL_H
#define KVP_AUTH_INTERNAL_H

#include "auth/auth.h"

/** Environment, safely; an empty variable counts as absent. */
const char *kvp_auth_getenv(const char *name);

/**
 * Read a file that holds a secret, line breaks at its end cut off. Refused when others may read or
 * change it, or when it is no regular file. KVP_ERR_IO, KVP_ERR_REFUSED, KVP_ERR_TOO_LARGE.
 */
kvp_status kvp_secret_file_read(const char *path, kvp_buf *ret, kvp_error *reterr);

/** Append `&name=value` (no `&` at the start), percent-encoded. @ret should be secret. */
kvp_status kvp_form_add(kvp_buf *ret, const char *name, const char *value);

/**
 * POST @form to the token endpoint of the request's authority and tenant; `scope` and `claims` are
 * added here. KVP_ERR_AUTH with the authority's words where it refused.
 */
kvp_status kvp_token_endpoint(kvp_http *http, const kvp_token_request *request, kvp_buf *form,
                              kvp_access_token *ret, kvp_error *reterr);

/**
 * Fill the times of @token: @life_s from @now_ms on, @refresh_s 0 or what the authority advised.
 */
void kvp_access_token_times(kvp_access_token *token, int64_t now_ms, int64_t life_s,
                            int64_t refresh_s);

/** A tenant is one path segment of letters, digits, dots and hyphens. */
bool kvp_tenant_valid(const char *tenant);

/**
 * A copy of an authority without trailing slashes; a bare host becomes https://. KVP_ERR_CONFIG.
 */
kvp_status kvp_authority_normalise(const char *authority, char **ret, kvp_error *reterr);

/** What each source's file defines, for its row in credential_table.c. */
#define KVP_DECLARE_CREDENTIAL(name)                                                               \
    kvp_status kvp_##name##_create(const kvp_credential_settings *settings, void **ret_state,      \
                                   kvp_error *reterr);                                             \
    kvp_status kvp_##name##_get_token(void *state, kvp_http *http,                                 \
                                      const kvp_token_request *request, kvp_access_token *ret,     \
                                      kvp_error *reterr);                                          \
    void kvp_##name##_destroy(void *state)
KVP_DECLARE_CREDENTIAL(default);
KVP_DECLARE_CREDENTIAL(environment);
KVP_DECLARE_CREDENTIAL(client_secret);
KVP_DECLARE_CREDENTIAL(token_file);

/** For `environment`: a client secret out of given parts. */
kvp_status kvp_client_secret_new(const char *tenant, const char *authority, const char *client_id,
                                 const char *secret, const char *secret_file, void **ret_state,
                                 kvp_error *reterr);

#endif
