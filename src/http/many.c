/* SPDX-License-Identifier: MIT */
/*
 * Many GETs at once: a curl_multi in the calling thread, made for one listing and dropped with it.
 * Over HTTP/2 all of them share a connection; a server that offers 1.1 only gets a few.
 */
#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <limits.h>

#define IN_FLIGHT 32
#define CONNECTIONS_WITHOUT_HTTP2 8
#define POLL_MAX_MS 1000

typedef enum state { FREE, ACTIVE, WAITING } state;

typedef struct transfer {
    state state;
    CURL *easy;
    struct curl_slist *addresses; /**< of the host */
    kvp_http_exchange exchange;
    kvp_http_response response;
    kvp_retry retry;
    const char *text;
    kvp_url url;
    void *cookie;
    int64_t again_ms; /**< WAITING: when to try again */
    char error[CURL_ERROR_SIZE];
} transfer;

typedef struct run {
    kvp_http *http;
    const kvp_http_many *many;
    int64_t deadline_ms;
    CURLM *multi;
    kvp_status st; /**< why all stops */
    kvp_error *reterr;
    transfer transfers[IN_FLIGHT];
} run;

static void stop(run *r, kvp_status st, const kvp_error *error)
{
    if (r->st != KVP_OK)
        return;
    r->st = st;
    if (r->reterr && error)
        *r->reterr = *error;
}

/* Tell the caller how a transfer ended; its slot is free then. */
static void report(run *r, transfer *t, kvp_status st, kvp_error *error)
{
    kvp_status verdict =
        r->many->done(r->many->user, t->cookie, st, st == KVP_OK ? &t->response : NULL, error);

    t->state = FREE;
    kvp_http_response_clear(&t->response);
    if (verdict != KVP_OK)
        stop(r, verdict, error);
}

/* A handle for @t that knows the request and the host's addresses. */
static kvp_status prepare(run *r, transfer *t, kvp_error *error)
{
    kvp_http_request request = { .method = "GET",
                                 .url = t->text,
                                 .headers = r->many->headers,
                                 .header_count = r->many->header_count,
                                 .max_response = r->many->max_response };
    kvp_status st = KVP_OK;
    int64_t until;
    bool slow;

    t->error[0] = '\0';
    if (!t->easy)
        t->easy = kvp_easy_new(r->http, t->error);
    if (!t->easy ||
        curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) != CURLE_OK ||
        curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 1L) != CURLE_OK ||
        curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) != CURLE_OK)
        return kvp_error_set(error, KVP_ERR_NO_MEMORY, "a libcurl handle");
    if (kvp_resolve_needed(&t->url, false))
        st = kvp_resolve(r->http, &t->url, &t->addresses, &until, &slow, error);
    if (st != KVP_OK)
        return st;
    st = kvp_http_exchange_begin(&t->exchange, t->easy, r->http, &request, &t->url, r->deadline_ms,
                                 &t->response);
    if (st != KVP_OK)
        kvp_error_set(error, st, "a request to %s cannot be made", t->url.host);
    return st;
}

/* The handle is out of the multi: take what came, let go of what was lent to it. */
static kvp_outcome end(transfer *t, CURLcode result, kvp_status *ret_status, kvp_error *error)
{
    curl_easy_setopt(t->easy, CURLOPT_RESOLVE, NULL);
    curl_slist_free_all(t->addresses);
    t->addresses = NULL;
    return kvp_http_exchange_end(&t->exchange, t->easy, result, &t->url, t->error, ret_status,
                                 error);
}

static void start(run *r, transfer *t)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status st = prepare(r, t, &error);

    if (st == KVP_OK) {
        if (curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->addresses) == CURLE_OK &&
            curl_multi_add_handle(r->multi, t->easy) == CURLM_OK) {
            t->state = ACTIVE;
            return;
        }
        (void)end(t, CURLE_OUT_OF_MEMORY, &st, &error);
    }
    curl_slist_free_all(t->addresses);
    t->addresses = NULL;
    report(r, t, st, &error);
}

/* Take the caller's next request into a free slot, to be started at @at; false when there is none
 * now. */
static bool take_next(run *r, transfer *t, int64_t now, int64_t at)
{
    kvp_error error;

    t->text = NULL;
    if (!r->many->next(r->many->user, &t->text, &t->cookie))
        return false;
    t->retry = (kvp_retry){ 0 };
    t->response = (kvp_http_response){ .retry_after_ms = -1 };
    if (!kvp_url_parse(t->text, &t->url) || (!t->url.https && !kvp_url_is_loopback(&t->url))) {
        kvp_error_set(&error, KVP_ERR_REFUSED,
                      "not an https:// URL (http:// is for loopback addresses only)");
        report(r, t, KVP_ERR_REFUSED, &error);
        return true;
    }
    if (at > now) {
        t->state = WAITING;
        t->again_ms = at;
    } else {
        start(r, t);
    }
    return true;
}

/* Start all that may be started; the time of the next thing to do, INT64_MAX for none. */
static int64_t start_due(run *r)
{
    int64_t now = kvp_clock_mono_ms(), next = INT64_MAX;
    int64_t earliest = now + kvp_throttle_pause(r->http, r->deadline_ms);
    bool more = true;

    for (size_t i = 0; i < IN_FLIGHT && r->st == KVP_OK; i++) {
        transfer *t = &r->transfers[i];

        if (t->state == WAITING && t->again_ms < earliest)
            t->again_ms = earliest;
        if (t->state == WAITING && t->again_ms <= now)
            start(r, t);
        while (t->state == FREE && more && r->st == KVP_OK)
            more = take_next(r, t, now, earliest);
        if (t->state == WAITING && t->again_ms < next)
            next = t->again_ms;
    }
    return next;
}

static void finish(run *r, transfer *t, CURLcode result)
{
    kvp_error error = { .status = KVP_OK };
    kvp_outcome outcome;
    kvp_status st;
    int64_t pause, now = kvp_clock_mono_ms();

    curl_multi_remove_handle(r->multi, t->easy);
    outcome = end(t, result, &st, &error);
    pause = kvp_retry_pause(&t->retry, outcome, t->response.retry_after_ms, now, r->deadline_ms);
    if (outcome == KVP_OUTCOME_BUSY && t->response.status == 429)
        kvp_throttle_set(r->http, t->response.retry_after_ms >= 0 ? t->response.retry_after_ms
                                  : pause >= 0                    ? pause
                                                                  : 0);
    if (pause >= 0) {
        t->state = WAITING;
        t->again_ms = now + pause;
        return;
    }
    report(r, t, st, &error);
}

static void collect(run *r)
{
    CURLMsg *message;
    int left;

    while (r->st == KVP_OK && (message = curl_multi_info_read(r->multi, &left))) {
        char *private = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        finish(r, (transfer *)(void *)private, message->data.result);
    }
}

static unsigned count(const run *r, state which)
{
    unsigned n = 0;

    for (size_t i = 0; i < IN_FLIGHT; i++)
        n += r->transfers[i].state == which;
    return n;
}

/* Wait for the network, or for @next. */
static void pause_until(run *r, int64_t next)
{
    int64_t now = kvp_clock_mono_ms();
    int64_t until = next < r->deadline_ms ? next : r->deadline_ms;
    int64_t ms = until - now;

    if (ms <= 0)
        return;
    if (count(r, ACTIVE) == 0) {
        (void)kvp_http_sleep(r->http, ms);
        return;
    }
    curl_multi_poll(r->multi, NULL, 0, ms < POLL_MAX_MS ? (int)ms : POLL_MAX_MS, NULL);
}

static void run_all(run *r)
{
    kvp_error error;

    while (r->st == KVP_OK) {
        int64_t next = start_due(r);
        int running;

        /* What a report stopped, or brought forth, is looked at first. */
        if (r->st != KVP_OK || (next == INT64_MAX && count(r, FREE) == IN_FLIGHT))
            return;
        if (kvp_clock_mono_ms() >= r->deadline_ms) {
            kvp_error_set(&error, KVP_ERR_TIMEOUT,
                          "the deadline passed in the middle of many requests");
            stop(r, KVP_ERR_TIMEOUT, &error);
        } else if (kvp_http_closed(r->http)) {
            kvp_error_set(&error, KVP_ERR_CLOSED, "the connections are being closed");
            stop(r, KVP_ERR_CLOSED, &error);
        } else if (curl_multi_perform(r->multi, &running) != CURLM_OK) {
            kvp_error_set(&error, KVP_ERR_INTERNAL, "libcurl gave up on many requests");
            stop(r, KVP_ERR_INTERNAL, &error);
        } else {
            unsigned before = count(r, ACTIVE);

            collect(r);
            if (count(r, ACTIVE) == before)
                pause_until(r, next);
        }
    }
}

/* Each request that was taken is reported once, these as never answered. */
static void drop_rest(run *r)
{
    kvp_error error;

    for (size_t i = 0; i < IN_FLIGHT; i++) {
        transfer *t = &r->transfers[i];
        kvp_status st = r->st == KVP_ERR_TIMEOUT ? KVP_ERR_TIMEOUT : KVP_ERR_CLOSED;

        if (t->state == ACTIVE) {
            kvp_status ignored;

            curl_multi_remove_handle(r->multi, t->easy);
            (void)end(t, CURLE_ABORTED_BY_CALLBACK, &ignored, NULL);
        }
        if (t->state != FREE) {
            kvp_error_set(&error, st, "not answered: the requests were stopped");
            report(r, t, st, &error);
        }
        if (t->easy)
            curl_easy_cleanup(t->easy);
    }
}

kvp_status kvp_http_perform_many(kvp_http *http, const kvp_http_many *many, int64_t deadline_ms,
                                 kvp_error *reterr)
{
    kvp_status st = kvp_curl_ready(reterr);
    run *r;

    if (st != KVP_OK)
        return st;
    if (!kvp_http_ref(http))
        return kvp_error_set(reterr, KVP_ERR_CLOSED, "the connections are being closed");
    r = kvp_calloc(1, sizeof(*r));
    if (!r) {
        kvp_http_unref(http);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "many requests");
    }
    *r = (run){ .http = http, .many = many, .deadline_ms = deadline_ms, .reterr = reterr };
    {
        KVP_CURL_SCOPE;
        long connections = http->max_connections < CONNECTIONS_WITHOUT_HTTP2
                               ? (long)http->max_connections
                               : CONNECTIONS_WITHOUT_HTTP2;

        r->multi = curl_multi_init();
        if (!r->multi) {
            r->st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "many requests");
        } else {
            curl_multi_setopt(r->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
            run_all(r);
            drop_rest(r);
            curl_multi_cleanup(r->multi);
        }
    }
    st = r->st;
    kvp_free(r);
    kvp_http_unref(http);
    return st;
}
