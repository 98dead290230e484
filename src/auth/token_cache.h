/* SPDX-License-Identifier: MIT */
/*
 * Tokens by scope, each fetched by one thread while the others wait or go on with the old one.
 * Knows nothing of credentials: what fetches is a function.
 */
#ifndef KVP_AUTH_TOKEN_CACHE_H
#define KVP_AUTH_TOKEN_CACHE_H

#include "auth/auth.h"

typedef struct kvp_token_cache kvp_token_cache;

/** Fetch a token for @request; blocks until its deadline at most. Called with no lock held. */
typedef kvp_status (*kvp_token_fetch)(void *user, const kvp_token_request *request,
                                      kvp_access_token *ret, kvp_error *reterr);

kvp_status kvp_token_cache_new(kvp_token_fetch fetch, void *user, kvp_token_cache **ret,
                               kvp_error *reterr);
void kvp_token_cache_free(kvp_token_cache *cache);

/** Append `Bearer TOKEN` for the request's authority, tenant and resource to @ret_header. */
kvp_status kvp_token_cache_get(kvp_token_cache *cache, const kvp_token_request *request,
                               kvp_buf *ret_header, kvp_error *reterr);

/** Forget the token for @resource that is @header, unless one was forgotten a moment ago. */
void kvp_token_cache_forget(kvp_token_cache *cache, const char *resource, const kvp_buf *header);

#endif
