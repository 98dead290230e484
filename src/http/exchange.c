/* SPDX-License-Identifier: MIT */
/*
 * One attempt: a request put into an easy handle, the answer taken out, and libcurl's result told
 * in our words. The handle keeps nothing of the caller's afterwards.
 */
#include "config.h"

#include "http/internal.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define MAX_RESPONSE_DEFAULT ((size_t)1024 * 1024)

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    kvp_http_exchange *exchange = user;
    kvp_status st = kvp_buf_append(&exchange->response->body, data, size * count);

    if (st == KVP_OK)
        return size * count;
    exchange->failed = st;
    return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    kvp_http_exchange *exchange = user;

    kvp_response_header(exchange, data, size * count);
    return exchange->failed == KVP_OK ? size * count : 0;
}

/* ---- the request ---- */

static bool clean(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

static kvp_status add_line(kvp_http_exchange *exchange, const char *line)
{
    struct curl_slist *list = curl_slist_append(exchange->headers, line);

    if (!list)
        return KVP_ERR_NO_MEMORY;
    exchange->headers = list;
    return KVP_OK;
}

static kvp_status add_header(kvp_http_exchange *exchange, const kvp_http_header *header)
{
    kvp_buf line = KVP_BUF_INIT_SECRET(0);
    kvp_status st;

    if (!clean(header->name) || !clean(header->value))
        return KVP_ERR_INVALID;
    /* libcurl's notation for a header without value. */
    st =
        kvp_buf_append_fmt(&line, header->value[0] ? "%s: %s" : "%s;", header->name, header->value);
    if (st == KVP_OK)
        st = add_line(exchange, kvp_buf_str(&line));
    kvp_buf_clear(&line);
    return st;
}

static void wipe_headers(kvp_http_exchange *exchange)
{
    for (struct curl_slist *node = exchange->headers; node; node = node->next)
        kvp_wipe(node->data, strlen(node->data));
    curl_slist_free_all(exchange->headers);
    exchange->headers = NULL;
}

static kvp_status set_headers(kvp_http_exchange *exchange, const kvp_http_request *request)
{
    /* No `Expect: 100-continue`: it costs a round trip, and some servers do not know it. */
    kvp_status st = add_line(exchange, "Expect:");
    bool typed = false;

    for (size_t i = 0; i < request->header_count && st == KVP_OK; i++) {
        typed = typed || curl_strequal(request->headers[i].name, "Content-Type");
        st = add_header(exchange, &request->headers[i]);
    }
    /* libcurl would call a body a form. */
    if (st == KVP_OK && !typed)
        st = add_line(exchange, "Content-Type:");
    return st;
}

static CURLcode set_method(CURL *easy, const kvp_http_request *request)
{
    static const char nothing[] = "";
    bool post = strcmp(request->method, "POST") == 0;
    bool get = strcmp(request->method, "GET") == 0;
    const kvp_buf *body = request->body;
    CURLcode rc;

    if (!body && !post) {
        rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, body ? (long)body->len : 0L);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body ? kvp_buf_str(body) : nothing);
    }
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_NOBODY, 0L);
    if (rc == CURLE_OK && strcmp(request->method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                              post || (get && !body) ? NULL : request->method);
    return rc;
}

static CURLcode set_times(CURL *easy, const kvp_http *http, int64_t deadline_ms)
{
    int64_t left = deadline_ms - kvp_clock_mono_ms();
    CURLcode rc;

    if (left < 1)
        left = 1;
    if (left > INT32_MAX)
        left = INT32_MAX;
    rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(
            easy, CURLOPT_CONNECTTIMEOUT_MS,
            (long)(http->connect_timeout_ms < left ? http->connect_timeout_ms : left));
    return rc;
}

kvp_status kvp_http_exchange_begin(kvp_http_exchange *exchange, CURL *easy, const kvp_http *http,
                                   const kvp_http_request *request, const kvp_url *url,
                                   int64_t deadline_ms, kvp_http_response *response)
{
    /* A proxy cannot reach our loopback, and instance metadata must not pass through one. */
    const char *no_proxy = request->no_proxy || kvp_url_is_loopback(url) ? "*" : NULL;
    CURLcode rc;
    kvp_status st;

    *exchange = (kvp_http_exchange){ .response = response, .failed = KVP_OK };
    kvp_http_response_reset(response);
    response->body.max = request->max_response ? request->max_response : MAX_RESPONSE_DEFAULT;
    st = set_headers(exchange, request);
    if (st != KVP_OK) {
        wipe_headers(exchange);
        return st;
    }
    if ((rc = curl_easy_setopt(easy, CURLOPT_URL, request->url)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy)) != CURLE_OK ||
        (rc = set_method(easy, request)) != CURLE_OK ||
        (rc = set_times(easy, http, deadline_ms)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header)) != CURLE_OK ||
        (rc = curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange)) != CURLE_OK) {
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
        wipe_headers(exchange);
        return rc == CURLE_OUT_OF_MEMORY ? KVP_ERR_NO_MEMORY : KVP_ERR_INVALID;
    }
    response->attempts++;
    return KVP_OK;
}

/* ---- the answer ---- */

static bool is_busy(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

static void describe(char *dst, size_t size, const kvp_url *url)
{
    snprintf(dst, size, url->ipv6 ? "[%s]:%u" : "%s:%u", url->host, url->port);
}

/* What a person can do about it, where we know. */
static const char *tls_advice(CURLcode result, const char *text)
{
    if (result == CURLE_SSL_CACERT_BADFILE)
        return " (`ca_file` cannot be read or holds no certificate)";
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        return " (is its authority a private one? name its certificate as `ca_file`)";
    /* An authority of the right name with another key: OpenSSL then reports the arithmetic first,
     * and libcurl shows that alone. It is what a server that was set up anew looks like. */
    if (strstr(text, "asn1 encoding routines"))
        return " (its certificate was not signed by the authority of that name in `ca_file`)";
    return "";
}

static kvp_outcome tls_failed(const char *peer, CURLcode result, const char *text,
                              kvp_error *reterr)
{
    kvp_error_set(reterr, KVP_ERR_TLS, "TLS with %s: %s%s", peer, text, tls_advice(result, text));
    return KVP_OUTCOME_FATAL;
}

/* A handshake that broke off is the network's fault, not the certificate's. libcurl tells the two
 * apart in its text alone: what OpenSSL itself reports begins with its error code. */
static bool handshake_broke(CURLcode result, const char *text)
{
    return result == CURLE_SSL_CONNECT_ERROR && strncmp(text, "OpenSSL SSL_connect: ", 21) == 0;
}

static kvp_outcome network_failed(CURL *easy, CURLcode result, const char *peer, const kvp_url *url,
                                  const char *text, kvp_error *reterr)
{
    long sys = 0, fresh = 1;
    const char *why = NULL;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &sys);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &fresh);
    if (sys != 0)
        why = strerrordesc_np((int)sys);
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        kvp_error_set(reterr, KVP_ERR_NETWORK, "the host name %s cannot be resolved", url->host);
        return KVP_OUTCOME_UNREACHABLE;
    case CURLE_COULDNT_RESOLVE_PROXY:
        kvp_error_set(reterr, KVP_ERR_NETWORK, "the proxy for %s cannot be resolved: %s", peer,
                      text);
        return KVP_OUTCOME_UNREACHABLE;
    case CURLE_COULDNT_CONNECT:
        kvp_error_set(reterr, KVP_ERR_NETWORK, "cannot connect to %s: %s", peer, why ? why : text);
        return KVP_OUTCOME_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        kvp_error_set(reterr, KVP_ERR_TIMEOUT, "no answer from %s in time: %s", peer, text);
        return KVP_OUTCOME_BROKEN;
    default:
        kvp_error_set(reterr, KVP_ERR_NETWORK, "the connection to %s broke: %s", peer, text);
        return fresh == 0 ? KVP_OUTCOME_STALE : KVP_OUTCOME_BROKEN;
    }
}

static kvp_outcome failed(const kvp_http_exchange *exchange, CURL *easy, CURLcode result,
                          const kvp_url *url, const char *error_text, kvp_error *reterr)
{
    char peer[280], text[CURL_ERROR_SIZE];

    describe(peer, sizeof(peer), url);
    kvp_copy_printable(text, sizeof(text), error_text[0] ? error_text : curl_easy_strerror(result));
    if (exchange->failed == KVP_ERR_TOO_LARGE) {
        kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "the answer of %s is larger than %zu bytes", peer,
                      exchange->response->body.max);
        return KVP_OUTCOME_FATAL;
    }
    if (exchange->failed != KVP_OK || result == CURLE_OUT_OF_MEMORY) {
        kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a request to %s", peer);
        return KVP_OUTCOME_FATAL;
    }
    if (handshake_broke(result, text))
        return network_failed(easy, CURLE_RECV_ERROR, peer, url, text, reterr);
    switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return tls_failed(peer, result, text, reterr);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PROXY:
        return network_failed(easy, result, peer, url, text, reterr);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        kvp_error_set(reterr, KVP_ERR_NETWORK, "the answer of %s is not HTTP: %s", peer, text);
        return KVP_OUTCOME_FATAL;
    default:
        kvp_error_set(reterr, KVP_ERR_INTERNAL, "a request to %s: %s", peer, text);
        return KVP_OUTCOME_FATAL;
    }
}

kvp_outcome kvp_http_exchange_end(kvp_http_exchange *exchange, CURL *easy, CURLcode result,
                                  const kvp_url *url, const char *error_text,
                                  kvp_status *ret_status, kvp_error *reterr)
{
    kvp_error error = { .status = KVP_OK };
    kvp_outcome outcome;
    long status = 0;

    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    wipe_headers(exchange);
    if (result == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        exchange->response->status = (int)status;
        *ret_status = KVP_OK;
        return is_busy((int)status) ? KVP_OUTCOME_BUSY : KVP_OUTCOME_DONE;
    }
    /* Half an answer is none. */
    kvp_http_response_reset(exchange->response);
    outcome = failed(exchange, easy, result, url, error_text, &error);
    *ret_status = error.status;
    if (reterr)
        *reterr = error;
    return outcome;
}
