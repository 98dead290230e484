/* SPDX-License-Identifier: MIT */
/*
 * Transport: HTTPS requests over libcurl. The calling thread does the I/O with an easy handle from a
 * pool (measured: a worker thread costs a quarter to half of the rate, and is lost in fork). A
 * request has one deadline, retries included. Nothing here knows what a vault or a token is.
 */
#ifndef KVP_HTTP_HTTP_H
#define KVP_HTTP_HTTP_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

/** A pool of kept-alive connections to one server. Thread-safe. */
typedef struct kvp_http kvp_http;

typedef struct kvp_http_options {
    const char *ca_file;        /**< extra trust anchors (PEM), beside the system's; NULL for none */
    unsigned max_connections;   /**< 1 to 64; callers beyond it wait within their deadline */
    int64_t connect_timeout_ms; /**< 0 = 10 s */
    const char *user_agent;     /**< NULL = `kvpkcs11/VERSION` */
} kvp_http_options;

/** No I/O, no libcurl call: that comes with the first request. Strings are copied. */
kvp_status kvp_http_new(const kvp_http_options *options, kvp_http **ret, kvp_error *reterr);
/** Ends when the last reference is gone: requests in flight hold one each. */
void kvp_http_free(kvp_http *http);
KVP_DEFINE_FREEP(kvp_http, kvp_http_free);

typedef struct kvp_http_header {
    const char *name;
    const char *value;
    bool secret; /**< never logged; libcurl's copy is made for this request only */
} kvp_http_header;

typedef struct kvp_http_request {
    const char *method;              /**< GET, PUT, POST, PATCH, DELETE, HEAD */
    const char *url;
    const kvp_http_header *headers;
    size_t header_count;
    const kvp_buf *body;             /**< NULL: none (POST sends Content-Length: 0) */
    size_t max_response;             /**< bytes; 0 = 1 MiB */
    bool no_retry;                   /**< one attempt (probes; operations that must not be repeated) */
    bool no_proxy;                   /**< instance metadata endpoints */
} kvp_http_request;

/** What came back. Zeroed before first use; kvp_http_response_clear frees it. */
typedef struct kvp_http_response {
    int status;
    kvp_buf body;                    /**< a secret buffer: plaintexts and tokens come this way */
    char content_type[64];
    char request_id[64];             /**< x-ms-request-id */
    char *www_authenticate;          /**< every such header, joined by ", "; NULL if none */
    int64_t retry_after_ms;          /**< -1 if none: retry-after-ms, x-ms-retry-after-ms, Retry-After */
    char *location;
    unsigned attempts;               /**< sent so far, by all calls that were given this response */
} kvp_http_response;
void kvp_http_response_clear(kvp_http_response *response);

/**
 * Send @request; wait until @deadline_ms (kvp_clock_mono_ms) at the most.
 *
 * Connection errors and 408, 429, 500, 502, 503, 504 are tried again, Retry-After honoured, else
 * exponentially from 0.5 s to 8 s with jitter, as long as the pause ends before the deadline. Any answered status
 * is KVP_OK: the caller judges it. KVP_ERR_NETWORK, KVP_ERR_TLS (not retried), KVP_ERR_TIMEOUT,
 * KVP_ERR_TOO_LARGE (answer), KVP_ERR_REFUSED (an http:// URL that is not loopback),
 * KVP_ERR_NO_MEMORY, KVP_ERR_CLOSED. Redirects are not followed. Expects no lock held.
 * On failure @response->attempts is still set.
 */
kvp_status kvp_http_perform(kvp_http *http, const kvp_http_request *request, int64_t deadline_ms,
                            kvp_http_response *response, kvp_error *reterr);

/**
 * Many GETs at once, for listing: a temporary curl_multi in the calling thread, HTTP/2 where the
 * server offers it, at most 32 in flight, dropped when done.
 * @next   gives the next request's URL and an opaque cookie, or returns false when there is none
 *         now; asked again after each answer, so that answers may bring forth further requests.
 *         The URL must live until its @done call.
 * @done   takes each answer (@status KVP_OK, or why there is none); a return other than KVP_OK
 *         stops everything and becomes the result. Each request that @next gave is reported once:
 *         when all stops, the rest with KVP_ERR_TIMEOUT or KVP_ERR_CLOSED, returns then ignored.
 * @headers go with each request.
 */
typedef struct kvp_http_many {
    bool (*next)(void *user, const char **ret_url, void **ret_cookie);
    kvp_status (*done)(void *user, void *cookie, kvp_status status,
                       const kvp_http_response *response, kvp_error *error);
    void *user;
    const kvp_http_header *headers;
    size_t header_count;
    size_t max_response;
} kvp_http_many;
kvp_status kvp_http_perform_many(kvp_http *http, const kvp_http_many *many, int64_t deadline_ms,
                                 kvp_error *reterr);

/**
 * Open a connection while the token is being fetched elsewhere; errors are ignored. Blocks until it is
 * there. libcurl keeps no connection that has carried nothing, so a bare HEAD without headers is sent.
 */
void kvp_http_preconnect(kvp_http *http, const char *url);

/** Whether @url is https://, or http:// to a loopback address (127/8, ::1, localhost). */
bool kvp_http_url_allowed(const char *url);

#endif
