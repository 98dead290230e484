/* SPDX-License-Identifier: MIT */
/* For siblings only: how libcurl is entered, the pool, one attempt, when to try again. */
#ifndef KVP_HTTP_INTERNAL_H
#define KVP_HTTP_INTERNAL_H

#include "base/lock.h"
#include "crypto/ossl.h"
#include "http/http.h"
#include "http/url.h"

#include <semaphore.h>
#include <signal.h>

#include <curl/curl.h>

#define KVP_HTTP_IDLE_MS 60000
#define KVP_HTTP_CONNECT_TIMEOUT_MS 10000
#define KVP_HTTP_MAX_CONNECTIONS 64

/* ---- entering libcurl (enter.c) ---- */

/** What is put back when a stretch of libcurl calls ends. */
typedef struct kvp_curl_scope {
    OSSL_LIB_CTX *context;
    sigset_t mask;
    bool unblock, was_pending;
} kvp_curl_scope;

/**
 * Initialise libcurl once a process; watch for fork. KVP_ERR_CLOSED when the host has shut OpenSSL
 * down, or when this thread is inside a request of ours already (a provider that calls us back).
 */
kvp_status kvp_curl_ready(kvp_error *reterr);
/** Our OpenSSL context and no SIGPIPE, until leave. May be nested. */
kvp_curl_scope kvp_curl_enter(void);
void kvp_curl_leave(kvp_curl_scope *scope);
#define KVP_CURL_SCOPE                                                                             \
    kvp_curl_scope kvp_curl_scope_ __attribute__((cleanup(kvp_curl_leave), unused)) =              \
        kvp_curl_enter()

/* ---- sockets (sockets.c) ---- */

/**
 * Have libcurl open and close its sockets through us: close-on-exec, and known to the child of a
 * fork.
 */
void kvp_sockets_track(CURL *easy);
/**
 * In a child: close our copies of the parent's sockets. No byte goes out, the parent's stay open.
 */
void kvp_sockets_close_all(void);
/** Tests: how many are open. */
unsigned kvp_sockets_count(void);

/* ---- trust (tls.c) ---- */
typedef struct kvp_trust {
    char *ca_file;
    kvp_buf bundle; /**< system bundle and ca_file in one, where there is no hashed directory */
} kvp_trust;
kvp_status kvp_trust_init(kvp_trust *trust, const char *ca_file, kvp_error *reterr);
void kvp_trust_clear(kvp_trust *trust);
CURLcode kvp_trust_apply(const kvp_trust *trust, CURL *easy);

/* ---- pool (pool.c) ---- */

/** An easy handle with its kept-alive connection: idle in the pool, or one caller's. */
typedef struct kvp_conn {
    CURL *easy;
    uint64_t generation; /**< process that made it; another one must not touch it */
    int64_t idle_since_ms;
    kvp_url resolved;             /**< whose addresses libcurl was given last; no host: nobody's */
    int64_t resolved_until_ms;    /**< how long they are taken for good */
    struct kvp_conn *next_idle;   /**< newest first */
    struct kvp_conn *next, *prev; /**< all of this pool */
    char error[CURL_ERROR_SIZE];
} kvp_conn;

/** A caller that waits for a handle; lives on its stack, in the pool's queue. */
typedef struct kvp_waiter {
    sem_t wake;
    bool granted;
    kvp_conn *conn; /**< what it was given; NULL: leave to make one */
    struct kvp_waiter *next;
} kvp_waiter;

struct kvp_http {
    kvp_lock lock;
    char *user_agent;
    kvp_trust trust;
    unsigned max_connections;
    int64_t connect_timeout_ms;
    bool closed KVP_GUARDED_BY(lock);
    unsigned refs KVP_GUARDED_BY(lock);
    unsigned in_use KVP_GUARDED_BY(lock);
    kvp_conn *idle KVP_GUARDED_BY(lock);
    kvp_conn *all KVP_GUARDED_BY(lock);
    kvp_waiter *first_waiter, *last_waiter KVP_GUARDED_BY(lock);
    int64_t throttled_until_ms KVP_GUARDED_BY(lock);
    char *resolved KVP_GUARDED_BY(lock); /**< `host:port:addresses`, the last looked up */
    int64_t resolved_until_ms KVP_GUARDED_BY(lock);
};

/** Keep @http alive; false when it is closed. */
bool kvp_http_ref(kvp_http *http);
void kvp_http_unref(kvp_http *http);
bool kvp_http_closed(kvp_http *http);

/** A handle: an idle one, a new one, or the next that is given back before the deadline. */
kvp_status kvp_pool_take(kvp_http *http, int64_t deadline_ms, kvp_conn **ret, kvp_error *reterr);
/** Give it back; @broken ones are closed instead of kept. */
void kvp_pool_give(kvp_http *http, kvp_conn *conn, bool broken);
/** Close handles that nobody has used for KVP_HTTP_IDLE_MS. */
void kvp_pool_prune(kvp_http *http);
unsigned kvp_pool_size(kvp_http *http);
/** A new handle with what stays the same for all requests; also for perform_many. */
CURL *kvp_easy_new(const kvp_http *http, char *error_buffer);

/* ---- host names (resolve.c) ---- */

/** Whether @url's host has to be looked up by us before libcurl may see it. */
bool kvp_resolve_needed(const kvp_url *url, bool no_proxy);
/**
 * Look the host up: a new list for CURLOPT_RESOLVE, good until @ret_until_ms. KVP_ERR_NETWORK,
 * KVP_ERR_NO_MEMORY; @ret_slow: the system's resolver had tried for long.
 */
kvp_status kvp_resolve(kvp_http *http, const kvp_url *url, struct curl_slist **ret,
                       int64_t *ret_until_ms, bool *ret_slow, kvp_error *reterr);
/** Tests: what to ask instead of the system. Appends `192.0.2.1,[2001:db8::1]`. */
typedef kvp_status (*kvp_resolver)(const char *host, kvp_buf *ret, kvp_error *reterr);
extern kvp_resolver kvp_resolver_for_tests;

/* ---- fork (fork.c) ---- */
kvp_status kvp_http_register(kvp_http *http, kvp_error *reterr);
void kvp_http_unregister(kvp_http *http);
void kvp_http_watch_fork(void);
/**
 * In a child: the parent's handles become unreachable for use, not freed; waiters and counts
 * vanish.
 */
void kvp_pool_after_fork(kvp_http *http, kvp_conn **graveyard);

/* ---- one exchange (exchange.c) ---- */

/** How an attempt ended, as far as trying again is concerned. */
typedef enum kvp_outcome {
    KVP_OUTCOME_DONE,        /**< answered */
    KVP_OUTCOME_BUSY,        /**< answered with a status that means: later */
    KVP_OUTCOME_UNREACHABLE, /**< refused, or no such host: few retries, a user waits */
    KVP_OUTCOME_BROKEN,      /**< the connection broke, or took too long to come about */
    KVP_OUTCOME_STALE,       /**< a kept-alive connection turned out to be closed */
    KVP_OUTCOME_FATAL
} kvp_outcome;

/** A request on its way through libcurl. */
typedef struct kvp_http_exchange {
    kvp_http_response *response;
    struct curl_slist *headers;
    size_t max_response;
    kvp_status failed; /**< why a callback stopped the transfer */
} kvp_http_exchange;

/**
 * Fill @easy with @request; KVP_ERR_NO_MEMORY, KVP_ERR_INVALID. The caller is in KVP_CURL_SCOPE.
 */
kvp_status kvp_http_exchange_begin(kvp_http_exchange *exchange, CURL *easy, const kvp_http *http,
                                   const kvp_http_request *request, const kvp_url *url,
                                   int64_t deadline_ms, kvp_http_response *response);
/** Take what came; detach @easy from all that is the caller's; wipe the headers. */
kvp_outcome kvp_http_exchange_end(kvp_http_exchange *exchange, CURL *easy, CURLcode result,
                                  const kvp_url *url, const char *error_text,
                                  kvp_status *ret_status, kvp_error *reterr);
/** Forget the last answer, not the number of attempts. */
void kvp_http_response_reset(kvp_http_response *response);

/** One header line (response.c). */
void kvp_response_header(kvp_http_exchange *exchange, const char *line, size_t len);

/* ---- trying again (retry.c) ---- */
typedef struct kvp_retry {
    unsigned pauses;      /**< exponential ones so far */
    unsigned unreachable; /**< quick ones so far */
    unsigned stale;
} kvp_retry;

/**
 * How long to wait before the next attempt: 0 or more ms; -1 for no further attempt, or for one that
 * would have no time worth the name before the deadline.
 * @retry_after_ms  what the service asked for, or -1.
 */
int64_t kvp_retry_pause(kvp_retry *retry, kvp_outcome outcome, int64_t retry_after_ms,
                        int64_t now_ms, int64_t deadline_ms);
/**
 * All requests through @http wait until then (at most 30 s): one limiter a service, for all
 * threads.
 */
void kvp_throttle_set(kvp_http *http, int64_t pause_ms);
/**
 * How long this caller should wait for it, jitter included; 0 when that would not end before its
 * deadline.
 */
int64_t kvp_throttle_pause(kvp_http *http, int64_t deadline_ms);
/** Sleep in slices; false when @http was closed meanwhile. */
bool kvp_http_sleep(kvp_http *http, int64_t ms);

#endif
