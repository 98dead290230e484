/* SPDX-License-Identifier: MIT */
/* For siblings only: one call to the vault, from URL to judged answer. */
#ifndef KVP_VAULT_INTERNAL_H
#define KVP_VAULT_INTERNAL_H

#include "base/lock.h"
#include "http/url.h"
#include "vault/vault.h"

/** What the vault wants tokens for; shared by the calls that are under way. */
typedef struct kvp_shared_challenge {
    unsigned refs;
    kvp_challenge challenge;
} kvp_shared_challenge;

struct kvp_vault {
    kvp_lock lock;
    char *url; /**< without trailing slash */
    kvp_url origin;
    char *api_version;
    char *authority; /**< configured, or NULL */
    int64_t timeout_ms;
    kvp_http *http;
    kvp_identity *identity;
    kvp_shared_challenge *challenge KVP_GUARDED_BY(lock); /**< NULL: not known yet */
};

/** An operation: one deadline, one client request id, however many requests it takes. */
typedef struct kvp_call {
    kvp_vault *vault;
    int64_t deadline_ms;
    kvp_trace *trace; /**< the caller's, or own_trace */
    kvp_trace own_trace;
    kvp_http_response response; /**< the last answer */
} kvp_call;

kvp_status kvp_call_begin(kvp_call *call, kvp_vault *vault, kvp_trace *trace, kvp_error *reterr);
void kvp_call_end(kvp_call *call);

/**
 * Send @method for @path (which begins with '/') and judge the answer: KVP_OK for 2xx, which is
 * then in call->response.
 */
kvp_status kvp_call_path(kvp_call *call, const char *method, const char *path, const kvp_buf *body,
                         kvp_error *reterr);
/** The same for a whole URL of this vault. */
kvp_status kvp_call_url(kvp_call *call, const char *method, const char *url, const kvp_buf *body,
                        kvp_error *reterr);

/**
 * Append the Authorization header's value to @ret_header: asks the vault with @method and @url
 * first if what it wants is not known. When that request was answered by something else than a
 * challenge, @ret_answered is true and there is no header. @ret_challenge is a reference.
 */
kvp_status kvp_call_authorize(kvp_call *call, const char *method, const char *url,
                              kvp_buf *ret_header, kvp_shared_challenge **ret_challenge,
                              bool *ret_answered, kvp_error *reterr);
/**
 * After a 401 for @header: forget that token, take the new challenge in, get another token into
 * @header. KVP_OK: worth another attempt. KVP_ERR_HTTP: it is not; the 401 is final.
 */
kvp_status kvp_call_reauthorize(kvp_call *call, const char *www_authenticate, kvp_buf *header,
                                kvp_shared_challenge **challenge, kvp_error *reterr);
void kvp_shared_challenge_unref(kvp_vault *vault, kvp_shared_challenge *challenge);

/** A new string: @path with the vault's address and api-version. */
char *kvp_vault_address(const kvp_vault *vault, const char *path) KVP_WARN_UNUSED;

/** Fill @reterr from an answer that is no 2xx; returns KVP_ERR_HTTP. */
kvp_status kvp_vault_judge(const kvp_http_response *response, kvp_error *reterr);

/**
 * A new string `/keys/NAME[/VERSION][/OPERATION]`. KVP_ERR_INVALID for what is no name or version.
 */
kvp_status kvp_entry_path(kvp_collection collection, const char *name, const char *version,
                          const char *operation, char **ret, kvp_error *reterr);
kvp_status kvp_key_path(const char *name, const char *version, const char *operation, char **ret,
                        kvp_error *reterr);

/** Whether @entry is the one asked for; KVP_ERR_PARSE. @version NULL or "": any. */
kvp_status kvp_entry_matches(const kvp_entry *entry, const char *name, const char *version,
                             kvp_error *reterr);
kvp_status kvp_key_matches(const kvp_key *key, const char *name, const char *version,
                           kvp_error *reterr);
/** The entry that @response holds, which must be the one asked for. */
kvp_status kvp_entry_take(const kvp_http_response *response, kvp_collection collection,
                          const char *name, const char *version, kvp_entry **ret,
                          kvp_error *reterr);

/** A request that is answered with a bundle of its collection. */
typedef struct kvp_entry_request {
    kvp_collection collection;
    const char *method;
    const char *name, *version, *operation; /**< version and operation may be NULL */
    const kvp_buf *body;                    /**< or NULL */
} kvp_entry_request;
kvp_status kvp_vault_request_entry(kvp_vault *vault, const kvp_entry_request *request,
                                   kvp_trace *trace, kvp_entry **ret, kvp_error *reterr);

/** Note which object the service spoke of. */
void kvp_call_object(kvp_call *call, const char *id);

/** Where a list has come to (paging.c). */
typedef struct kvp_pager {
    kvp_collection collection;
    char *url; /**< of the next page; NULL: there is none */
    char *landmark;
    unsigned long page, next_landmark;
} kvp_pager;
kvp_status kvp_pager_begin(kvp_pager *pager, const kvp_vault *vault, kvp_collection collection,
                           const char *path, kvp_error *reterr);
/** Append the page's items to @list, go on to the next one. */
kvp_status kvp_pager_take(kvp_pager *pager, const kvp_vault *vault,
                          const kvp_http_response *response, kvp_entry_list *list,
                          kvp_error *reterr);
void kvp_pager_clear(kvp_pager *pager);

/** Follow pages from @path on: all items of all pages. */
kvp_status kvp_call_list(kvp_call *call, kvp_collection collection, const char *path,
                         kvp_entry_list *ret, kvp_error *reterr);

#endif
