/* SPDX-License-Identifier: MIT */
/*
 * Credentials and tokens. A credential turns an identity into an access token; an identity keeps
 * tokens, one a scope, refreshed by one caller ahead of their expiry while others go on with the
 * old one. The challenge says which tenant and scope a vault wants.
 */
#ifndef KVP_AUTH_AUTH_H
#define KVP_AUTH_AUTH_H

#include "base/buf.h"
#include "base/error.h"
#include "http/http.h"

#include <stdint.h>

/** What a vault asked for in its 401 (wire reference, section 2.1). Strings are new. */
typedef struct kvp_challenge {
    char *authority;   /**< scheme, host and port: `https://login.microsoftonline.com` */
    char *tenant;      /**< first path segment */
    char *resource;    /**< audience without trailing slash; from `resource`, or `scope` less its `/.default` */
    char *claims;      /**< decoded JSON of a continuous-access challenge, or NULL */
} kvp_challenge;
void kvp_challenge_clear(kvp_challenge *challenge);

/** Parse a WWW-Authenticate header. KVP_ERR_PARSE when it holds no usable Bearer challenge. */
kvp_status kvp_challenge_parse(const char *www_authenticate, kvp_challenge *ret, kvp_error *reterr);

/**
 * Whether a token for @challenge may be sent to @vault_url: the resource's host must be the vault's
 * own host or a dotted suffix of it, and the authority must be @configured_authority's host, a
 * known authority host of a cloud, or the vault's own host. Else KVP_ERR_REFUSED, and no token is
 * asked for. @configured_authority may be NULL.
 */
kvp_status kvp_challenge_check(const kvp_challenge *challenge, const char *vault_url,
                               const char *configured_authority, kvp_error *reterr);

/** Authority and resource known without asking, from a vault's host name (public, China, US Government). */
kvp_status kvp_challenge_guess(const char *vault_url, const char *authority, const char *tenant,
                               kvp_challenge *ret, kvp_error *reterr);

/* ---- credentials ---- */
typedef struct kvp_credential_settings {
    const char *kind;               /**< `client-secret`, `environment`, `default`, … */
    const char *tenant;             /**< NULL: from the environment, or the challenge */
    const char *client_id;
    const char *client_secret;
    const char *client_secret_file; /**< re-read at each token request */
    const char *client_certificate;
    const char *token_file;
    const char *authority;          /**< NULL: from the environment, or the challenge */
    const char *ca_file;            /**< extra trust anchor for the authority */
    int64_t timeout_ms;
} kvp_credential_settings;

typedef struct kvp_token_request {
    const char *authority, *tenant; /**< from the settings where they name one, else the challenge's */
    const char *resource;
    const char *claims;             /**< or NULL */
    int64_t deadline_ms;
} kvp_token_request;

typedef struct kvp_access_token {
    kvp_buf value;                  /**< secret */
    int64_t expires_mono_ms;        /**< by our monotonic clock, from expires_in */
    int64_t refresh_mono_ms;        /**< when to fetch the next one ahead of time */
} kvp_access_token;
void kvp_access_token_clear(kvp_access_token *token);

/** A way to get a token: one file each, one row in credential_table.c. */
typedef struct kvp_credential kvp_credential;
typedef struct kvp_credential_type {
    const char *kind;
    const char *summary;            /**< one sentence for `doctor` and the documentation */
    kvp_status (*create)(const kvp_credential_settings *settings, void **ret_state, kvp_error *reterr);
    kvp_status (*get_token)(void *state, kvp_http *http, const kvp_token_request *request,
                            kvp_access_token *ret, kvp_error *reterr);
    void (*destroy)(void *state);
} kvp_credential_type;
/** All of them, in the order in which the documentation lists them; ended by a NULL kind. */
extern const kvp_credential_type kvp_credential_types[];
const kvp_credential_type *kvp_credential_type_find(const char *kind);

/* ---- identities: a credential with its token cache ---- */
typedef struct kvp_identity kvp_identity;
/** No I/O. KVP_ERR_CONFIG names the setting that is missing. */
kvp_status kvp_identity_new(const kvp_credential_settings *settings, kvp_identity **ret,
                            kvp_error *reterr);
void kvp_identity_free(kvp_identity *identity);
KVP_DEFINE_FREEP(kvp_identity, kvp_identity_free);
/**
 * Append `Bearer TOKEN` for the challenge's resource to @ret_header (secret). Fetches at most once
 * for all threads; a thread that finds a token still valid but due for refresh goes on with it
 * unless it is the one that refreshes. Blocks until @deadline_ms at most. KVP_ERR_AUTH carries the
 * authority's http_status, code (`invalid_client`) and message (`AADSTS…`).
 */
kvp_status kvp_identity_authorize(kvp_identity *identity, const kvp_challenge *challenge,
                                  int64_t deadline_ms, kvp_buf *ret_header, kvp_error *reterr);
/** A vault refused @header with 401: forget that token (not a newer one). */
void kvp_identity_forget(kvp_identity *identity, const char *resource, const kvp_buf *header);

#endif
