/* SPDX-License-Identifier: MIT */
/*
 * kvp_http_perform: attempts through handles of the pool until there is an answer that counts or
 * the deadline. No handle is held while waiting for the next attempt.
 */
#include "http/internal.h"
#include "base/clock.h"

/* Time that a mere warm-up may take. */
#define PRECONNECT_MS 10000

/*
 * Have @conn know the host's addresses. A handle that knew them keeps what it has when the lookup
 * fails: its connection may well be alive.
 */
static kvp_outcome prepare(kvp_http *http, kvp_conn *conn, const kvp_http_request *request,
                           const kvp_url *url, struct curl_slist **ret_addresses,
                           kvp_http_response *response, kvp_status *ret_status, kvp_error *reterr)
{
    int64_t now = kvp_clock_mono_ms();
    bool known = kvp_url_same_origin(&conn->resolved, url), slow = false;

    *ret_status = KVP_OK;
    if ((known && now < conn->resolved_until_ms) || !kvp_resolve_needed(url, request->no_proxy))
        return KVP_OUTCOME_DONE;
    *ret_status = kvp_resolve(http, url, ret_addresses, &conn->resolved_until_ms, &slow, reterr);
    if (*ret_status == KVP_OK) {
        conn->resolved = *url;
        return KVP_OUTCOME_DONE;
    }
    if (known) {
        *ret_status = KVP_OK;
        return KVP_OUTCOME_DONE;
    }
    response->attempts++;
    return *ret_status == KVP_ERR_NETWORK && !slow ? KVP_OUTCOME_UNREACHABLE : KVP_OUTCOME_FATAL;
}

/* The exchange itself, within libcurl. */
static kvp_outcome exchange_on(kvp_http *http, kvp_conn *conn, const kvp_http_request *request,
                               const kvp_url *url, struct curl_slist *addresses,
                               int64_t deadline_ms, kvp_http_response *response,
                               kvp_status *ret_status, bool *ret_broken, kvp_error *reterr)
{
    KVP_CURL_SCOPE;
    kvp_http_exchange exchange;
    kvp_outcome outcome;
    CURLcode rc;

    conn->error[0] = '\0';
    *ret_status =
        kvp_http_exchange_begin(&exchange, conn->easy, http, request, url, deadline_ms, response);
    if (*ret_status != KVP_OK) {
        kvp_error_set(reterr, *ret_status, "a request to %s cannot be made", url->host);
        return KVP_OUTCOME_FATAL;
    }
    rc = curl_easy_setopt(conn->easy, CURLOPT_RESOLVE, addresses);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(conn->easy);
    curl_easy_setopt(conn->easy, CURLOPT_RESOLVE, NULL);
    outcome =
        kvp_http_exchange_end(&exchange, conn->easy, rc, url, conn->error, ret_status, reterr);
    *ret_broken = rc != CURLE_OK;
    return outcome;
}

static kvp_outcome attempt(kvp_http *http, const kvp_http_request *request, const kvp_url *url,
                           int64_t deadline_ms, kvp_http_response *response, kvp_status *ret_status,
                           kvp_error *reterr)
{
    struct curl_slist *addresses = NULL;
    kvp_conn *conn = NULL;
    kvp_outcome outcome;
    bool broken = true;

    *ret_status = kvp_pool_take(http, deadline_ms, &conn, reterr);
    if (*ret_status != KVP_OK)
        return KVP_OUTCOME_FATAL;
    outcome = prepare(http, conn, request, url, &addresses, response, ret_status, reterr);
    if (outcome == KVP_OUTCOME_DONE)
        outcome = exchange_on(http, conn, request, url, addresses, deadline_ms, response,
                              ret_status, &broken, reterr);
    curl_slist_free_all(addresses);
    kvp_pool_give(http, conn, broken);
    return outcome;
}

/* Attempts until one counts. What the last one brought is the result. */
static kvp_status perform(kvp_http *http, const kvp_http_request *request, const kvp_url *url,
                          int64_t deadline_ms, kvp_http_response *response, kvp_error *reterr)
{
    kvp_retry retry = { 0 };
    kvp_status st;

    for (;;) {
        kvp_outcome outcome;
        int64_t pause = kvp_throttle_pause(http, deadline_ms);

        if (!kvp_http_sleep(http, pause))
            return kvp_error_set(reterr, KVP_ERR_CLOSED, "the connections are being closed");
        outcome = attempt(http, request, url, deadline_ms, response, &st, reterr);
        if (request->no_retry)
            return st;
        pause = kvp_retry_pause(&retry, outcome, response->retry_after_ms, kvp_clock_mono_ms(),
                                deadline_ms);
        if (outcome == KVP_OUTCOME_BUSY &&
            (response->status == 429 || response->retry_after_ms > 0))
            kvp_throttle_set(http, response->retry_after_ms >= 0 ? response->retry_after_ms
                                   : pause >= 0                  ? pause
                                                                 : 0);
        if (pause < 0)
            return st;
        if (!kvp_http_sleep(http, pause))
            return kvp_error_set(reterr, KVP_ERR_CLOSED, "the connections are being closed");
    }
}

kvp_status kvp_http_perform(kvp_http *http, const kvp_http_request *request, int64_t deadline_ms,
                            kvp_http_response *response, kvp_error *reterr)
{
    uint64_t generation = kvp_fork_generation();
    kvp_url url;
    kvp_status st;

    response->retry_after_ms = -1;
    if (!kvp_url_parse(request->url, &url) || (!url.https && !kvp_url_is_loopback(&url)))
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "not an https:// URL (http:// is for loopback addresses only)");
    if (deadline_ms <= kvp_clock_mono_ms())
        return kvp_error_set(reterr, KVP_ERR_TIMEOUT, "no time left to ask %s", url.host);
    st = kvp_curl_ready(reterr);
    if (st != KVP_OK)
        return st;
    if (!kvp_http_ref(http))
        return kvp_error_set(reterr, KVP_ERR_CLOSED, "the connections are being closed");
    st = perform(http, request, &url, deadline_ms, response, reterr);
    /* In the child of a fork within libcurl the count was set anew, without us. */
    if (generation == kvp_fork_generation())
        kvp_http_unref(http);
    return st;
}

void kvp_http_preconnect(kvp_http *http, const char *url)
{
    /* libcurl keeps no connection that has carried nothing, so the least there is is sent. */
    kvp_http_request request = {
        .method = "HEAD", .url = url, .no_retry = true, .max_response = 65536
    };
    kvp_http_response response = { 0 };

    (void)kvp_http_perform(http, &request, kvp_clock_mono_ms() + PRECONNECT_MS, &response, NULL);
    kvp_http_response_clear(&response);
}
