/* SPDX-License-Identifier: MIT */
/* What is kept of an answer's headers, and how long a service asks us to wait. */
#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

#define MAX_HEADER 16384
#define MAX_PAUSE_MS (INT64_C(24) * 3600 * 1000)

static void reset_headers(kvp_http_response *response)
{
    kvp_free(response->www_authenticate);
    kvp_free(response->location);
    response->www_authenticate = NULL;
    response->location = NULL;
    response->content_type[0] = '\0';
    response->request_id[0] = '\0';
    response->retry_after_ms = -1;
}

void kvp_http_response_reset(kvp_http_response *response)
{
    reset_headers(response);
    kvp_buf_clear(&response->body);
    response->body.secret = true;
    response->status = 0;
}

void kvp_http_response_clear(kvp_http_response *response)
{
    if (!response)
        return;
    kvp_buf_clear(&response->body);
    kvp_free(response->www_authenticate);
    kvp_free(response->location);
    memset(response, 0, sizeof(*response));
}

/* Digits alone, of at most @max; -1 for anything else. */
static int64_t parse_number(const char *s, int64_t max)
{
    int64_t value = 0;

    if (*s == '\0')
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        value = value * 10 + (*s - '0');
        if (value > max)
            value = max;
    }
    return value;
}

/* Retry-After: seconds, or an HTTP date (RFC 9110 §10.2.3), which curl reads without a locale. */
static int64_t parse_retry_after(const char *value)
{
    int64_t seconds = parse_number(value, MAX_PAUSE_MS / 1000), pause;
    time_t when;

    if (seconds >= 0)
        return seconds * 1000;
    when = curl_getdate(value, NULL);
    if (when < 0)
        return -1;
    pause = (int64_t)when * 1000 - kvp_clock_wall_us() / 1000;
    return pause < 0 ? 0 : pause > MAX_PAUSE_MS ? MAX_PAUSE_MS : pause;
}

/* Milliseconds are more precise than seconds, whichever line comes first. */
typedef enum precision { SECONDS, MILLISECONDS } precision;

static void set_retry_after(kvp_http_response *response, const char *value, precision how)
{
    int64_t pause =
        how == MILLISECONDS ? parse_number(value, MAX_PAUSE_MS) : parse_retry_after(value);

    if (pause >= 0 && (how == MILLISECONDS || response->retry_after_ms < 0))
        response->retry_after_ms = pause;
}

static void take_content_type(kvp_http_exchange *x, const char *value)
{
    kvp_copy_printable(x->response->content_type, sizeof(x->response->content_type), value);
}

static void take_request_id(kvp_http_exchange *x, const char *value)
{
    kvp_copy_printable(x->response->request_id, sizeof(x->response->request_id), value);
}

static void take_challenge(kvp_http_exchange *x, const char *value)
{
    char *old = x->response->www_authenticate;
    char *joined = old ? kvp_asprintf("%s, %s", old, value) : kvp_strdup(value);

    if (!joined) {
        x->failed = KVP_ERR_NO_MEMORY;
        return;
    }
    kvp_free(old);
    x->response->www_authenticate = joined;
}

static void take_location(kvp_http_exchange *x, const char *value)
{
    char *copy = kvp_strdup(value);

    if (!copy) {
        x->failed = KVP_ERR_NO_MEMORY;
        return;
    }
    kvp_free(x->response->location);
    x->response->location = copy;
}

static void take_retry_ms(kvp_http_exchange *x, const char *value)
{
    set_retry_after(x->response, value, MILLISECONDS);
}

static void take_retry(kvp_http_exchange *x, const char *value)
{
    set_retry_after(x->response, value, SECONDS);
}

static const struct {
    const char *name;
    void (*take)(kvp_http_exchange *exchange, const char *value);
} wanted[] = {
    { "Content-Type", take_content_type },  { "x-ms-request-id", take_request_id },
    { "WWW-Authenticate", take_challenge }, { "Location", take_location },
    { "retry-after-ms", take_retry_ms },    { "x-ms-retry-after-ms", take_retry_ms },
    { "Retry-After", take_retry },
};

void kvp_response_header(kvp_http_exchange *exchange, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len;

    /* A status line: what came before it belonged to an interim answer. */
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        reset_headers(exchange->response);
        return;
    }
    if (!colon || len > MAX_HEADER)
        return;
    name_len = (size_t)(colon - line);
    for (size_t i = 0; i < KVP_ARRAY_LEN(wanted); i++) {
        const char *value = colon + 1, *end = line + len;
        char *text;

        if (strlen(wanted[i].name) != name_len || !curl_strnequal(wanted[i].name, line, name_len))
            continue;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        while (end > value &&
               (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
            end--;
        text = kvp_strndup(value, (size_t)(end - value));
        if (!text) {
            exchange->failed = KVP_ERR_NO_MEMORY;
            return;
        }
        wanted[i].take(exchange, text);
        kvp_free(text);
    }
}
