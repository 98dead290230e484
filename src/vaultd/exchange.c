/* SPDX-License-Identifier: MIT */
/* Exchanges: making and freeing them, reading the request line, answering. */
#include "vaultd/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/note.h"

#include <stdio.h>
#include <string.h>

kvp_exchange *kvp_exchange_new(const kvp_daemon *daemon)
{
    kvp_exchange *ex = kvp_calloc(1, sizeof(*ex));

    if (!ex)
        return NULL;
    ex->view = *daemon;
    ex->daemon = &ex->view;
    ex->body = (kvp_buf)KVP_BUF_INIT_SECRET(KVP_EXCHANGE_BODY_MAX);
    ex->reply = (kvp_buf)KVP_BUF_INIT_SECRET(0);
    ex->tls_version = "";
    ex->query = "";
    ex->name = "";
    ex->version = "";
    ex->started_us = kvp_clock_mono_us();
    if (kvp_ident_uuid(ex->request_id) != KVP_OK) {
        kvp_free(ex);
        return NULL;
    }
    return ex;
}

void kvp_exchange_free(kvp_exchange *ex)
{
    if (!ex)
        return;
    if (ex->authorization)
        kvp_wipe(ex->authorization, strlen(ex->authorization));
    char *owned[] = { ex->method,
                      ex->target,
                      ex->host,
                      ex->authorization,
                      ex->accept,
                      ex->user_agent,
                      ex->client_request_id,
                      ex->parts };
    for (size_t i = 0; i < KVP_ARRAY_LEN(owned); i++)
        kvp_free(owned[i]);
    for (size_t i = 0; i < ex->header_count; i++)
        kvp_free(ex->headers[i].value);
    kvp_buf_clear(&ex->body);
    kvp_buf_clear(&ex->reply);
    json_decref(ex->json);
    kvp_fault_free(ex->fault); /* after the headers, whose names it may own */
    kvp_free(ex);
}

bool kvp_exchange_make_own(kvp_exchange *ex, const char *method, const char *target,
                           const char *host)
{
    static const char nobody[] = "00000000-0000-0000-0000-000000000000";

    ex->authenticated = true;
    ex->method = kvp_strdup(method);
    ex->target = kvp_strdup(target);
    ex->host = kvp_strdup(host);
    ex->user_agent = kvp_strdup("keyvaultd");
    snprintf(ex->peer, sizeof(ex->peer), "local");
    snprintf(ex->grant.principal.object_id, sizeof(ex->grant.principal.object_id), nobody);
    snprintf(ex->grant.principal.client_id, sizeof(ex->grant.principal.client_id), nobody);
    return ex->method && ex->target && ex->host && ex->user_agent;
}

bool kvp_exchange_is_hsm(const kvp_exchange *ex)
{
    return ex->daemon->vault.kind == KVP_VAULT_HSM;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool kvp_exchange_unescape(char *text, bool form)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        char c = *from;
        if (c == '%') {
            int high = hex_value(from[1]);
            int low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            from += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

bool kvp_exchange_parse(kvp_exchange *ex)
{
    char *p, *query;

    ex->parts = kvp_strdup(ex->target);
    if (!ex->parts)
        return false;
    query = strchr(ex->parts, '?');
    if (query) {
        *query++ = '\0';
        ex->query = query;
    }
    /* Clients were seen to send `//rng` and `/keys/NAME/` and `/keys/NAME//sign`: slashes in front
     * are one, one at the end is none, an empty segment inside is an empty version. */
    p = ex->parts + strspn(ex->parts, "/");
    while (*p) {
        char *slash = strchr(p, '/');
        if (slash)
            *slash = '\0';
        if (ex->segment_count < KVP_EXCHANGE_SEGMENTS)
            ex->segments[ex->segment_count] = p;
        ex->segment_count++;
        if (!kvp_exchange_unescape(p, false))
            return false;
        if (!slash)
            break;
        p = slash + 1;
    }
    return true;
}

bool kvp_exchange_query(const kvp_exchange *ex, const char *name, char *dst, size_t size)
{
    size_t name_len = strlen(name);

    for (const char *p = ex->query; *p;) {
        size_t len = strcspn(p, "&");
        char pair[2048];
        if (len < sizeof(pair)) {
            memcpy(pair, p, len);
            pair[len] = '\0';
            /* `$skiptoken` may come as `%24skiptoken`. */
            char *value = strchr(pair, '=');
            if (value)
                *value++ = '\0';
            if (kvp_exchange_unescape(pair, true) && strlen(pair) == name_len &&
                kvp_ident_casecmp(pair, name) == 0 && value && kvp_exchange_unescape(value, true) &&
                strlen(value) < size) {
                memcpy(dst, value, strlen(value) + 1);
                return true;
            }
        }
        p += len;
        if (*p == '&')
            p++;
    }
    return false;
}

void kvp_exchange_header(kvp_exchange *ex, const char *name, const char *value)
{
    char *copy = kvp_strdup(value);

    if (!copy || ex->header_count == KVP_EXCHANGE_HEADERS) {
        kvp_free(copy);
        ex->status = 500;
        return;
    }
    ex->headers[ex->header_count].name = name;
    ex->headers[ex->header_count++].value = copy;
}

void kvp_exchange_reply_take(kvp_exchange *ex, int status, json_t *document)
{
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    bool sorted = kvp_exchange_is_hsm(ex);

    if (!document || kvp_json_write(document, sorted, &text) != KVP_OK) {
        kvp_note("no memory for an answer");
        kvp_buf_clear(&text);
        status = 500;
    }
    json_decref(document);
    kvp_buf_take(&ex->reply, &text);
    ex->status = status;
}

void kvp_exchange_failed(kvp_exchange *ex, const kvp_error *error)
{
    kvp_note("request %s: %s: %s", ex->request_id, kvp_status_name(error->status), error->message);
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
}
