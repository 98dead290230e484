/* SPDX-License-Identifier: MIT */
/*
 * One call to the vault: address, token, request, a second attempt after a 401, judgement. What
 * requests mean stands in keys.c, crypt.c and paging.c.
 */
#include "vault/internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "crypto/crypto.h"

#include <string.h>

#define TIMEOUT_DEFAULT_MS 30000
#define CONNECTIONS_DEFAULT 16

/* ---- the vault ---- */

static kvp_shared_challenge *shared_new(kvp_challenge *take)
{
    kvp_shared_challenge *shared = kvp_calloc(1, sizeof(*shared));

    if (!shared) {
        kvp_challenge_clear(take);
        return NULL;
    }
    shared->refs = 1;
    shared->challenge = *take;
    memset(take, 0, sizeof(*take));
    return shared;
}

static kvp_status guess_challenge(kvp_vault *vault, const kvp_vault_options *options,
                                  kvp_error *reterr)
{
    kvp_challenge challenge = { 0 };
    kvp_status st;

    if (!options->tenant)
        return KVP_OK;
    st = kvp_challenge_guess(vault->url, options->authority, options->tenant, &challenge, reterr);
    if (st == KVP_ERR_NOT_FOUND)
        return KVP_OK;
    if (st != KVP_OK)
        return st;
    vault->challenge = shared_new(&challenge);
    return vault->challenge ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "vault");
}

static bool is_version_text(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

    return len > 0 && s[len] == '\0';
}

static kvp_status fill(kvp_vault *vault, const kvp_vault_options *options, kvp_error *reterr)
{
    kvp_http_options http = { .ca_file = options->ca_file,
                              .max_connections = options->max_connections ? options->max_connections
                                                                          : CONNECTIONS_DEFAULT };
    kvp_url url;
    kvp_status st;

    if (!kvp_url_parse(options->url, &url) || !kvp_http_url_allowed(options->url) ||
        (url.path[0] != '\0' && strcmp(url.path, "/") != 0))
        return kvp_error_set(
            reterr, KVP_ERR_CONFIG,
            "`url` must be https://HOST[:PORT] (http:// for loopback only), without a path");
    if (!options->api_version || !is_version_text(options->api_version))
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "`api_version` must look like 7.4");
    vault->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    vault->url = kvp_strndup(options->url, (size_t)(url.path - options->url));
    vault->api_version = kvp_strdup(options->api_version);
    vault->authority = kvp_strdup(options->authority);
    if (!vault->url || !vault->api_version || (options->authority && !vault->authority))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "vault");
    if (!kvp_url_parse(vault->url, &vault->origin))
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "vault");
    st = kvp_http_new(&http, &vault->http, reterr);
    return st == KVP_OK ? guess_challenge(vault, options, reterr) : st;
}

kvp_status kvp_vault_new(const kvp_vault_options *options, kvp_identity *identity, kvp_vault **ret,
                         kvp_error *reterr)
{
    kvp_vault *vault = kvp_calloc(1, sizeof(*vault));
    kvp_status st;

    if (!vault || kvp_lock_init(&vault->lock, KVP_RANK_CACHE) != KVP_OK) {
        kvp_free(vault);
        kvp_identity_free(identity);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "vault");
    }
    vault->identity = identity;
    st = fill(vault, options, reterr);
    if (st != KVP_OK) {
        kvp_vault_free(vault);
        return st;
    }
    *ret = vault;
    return KVP_OK;
}

void kvp_vault_free(kvp_vault *vault)
{
    if (!vault)
        return;
    kvp_shared_challenge_unref(vault, vault->challenge);
    kvp_http_free(vault->http);
    kvp_identity_free(vault->identity);
    kvp_free(vault->url);
    kvp_free(vault->api_version);
    kvp_free(vault->authority);
    kvp_lock_clear(&vault->lock);
    kvp_free(vault);
}

const char *kvp_vault_url(const kvp_vault *vault)
{
    return vault->url;
}

char *kvp_vault_address(const kvp_vault *vault, const char *path)
{
    return kvp_asprintf("%s%s?api-version=%s", vault->url, path, vault->api_version);
}

/* ---- challenges ---- */

static kvp_shared_challenge *challenge_ref(kvp_vault *vault)
{
    kvp_shared_challenge *shared;

    kvp_lock_take(&vault->lock);
    shared = vault->challenge;
    if (shared)
        shared->refs++;
    kvp_lock_give(&vault->lock);
    return shared;
}

void kvp_shared_challenge_unref(kvp_vault *vault, kvp_shared_challenge *shared)
{
    bool last;

    if (!shared)
        return;
    kvp_lock_take(&vault->lock);
    last = --shared->refs == 0;
    kvp_lock_give(&vault->lock);
    if (!last)
        return;
    kvp_challenge_clear(&shared->challenge);
    kvp_free(shared);
}

/* Remember what the vault said, and give it back as a reference: for this call with its claims. */
static kvp_status remember(kvp_vault *vault, const char *www_authenticate,
                           kvp_shared_challenge **ret, kvp_error *reterr)
{
    kvp_challenge challenge = { 0 };
    kvp_shared_challenge *shared, *old = NULL;
    kvp_status st = kvp_challenge_parse(www_authenticate, &challenge, reterr);

    if (st == KVP_OK)
        st = kvp_challenge_check(&challenge, vault->url, vault->authority, reterr);
    if (st != KVP_OK) {
        kvp_challenge_clear(&challenge);
        return st;
    }
    shared = shared_new(&challenge);
    if (!shared)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "challenge");
    /* Claims belong to one refused token; later calls would fetch anew for no reason. */
    if (!shared->challenge.claims) {
        kvp_lock_take(&vault->lock);
        old = vault->challenge;
        vault->challenge = shared;
        shared->refs++;
        kvp_lock_give(&vault->lock);
    }
    kvp_shared_challenge_unref(vault, old);
    *ret = shared;
    return KVP_OK;
}

/* ---- requests ---- */

static void note_answer(kvp_call *call)
{
    kvp_trace *trace = call->trace;

    trace->attempts = call->response.attempts;
    trace->http_status = call->response.status;
    memcpy(trace->request_id, call->response.request_id, sizeof(trace->request_id));
}

kvp_status kvp_call_begin(kvp_call *call, kvp_vault *vault, kvp_trace *trace, kvp_error *reterr)
{
    memset(call, 0, sizeof(*call));
    call->vault = vault;
    call->trace = trace ? trace : &call->own_trace;
    memset(call->trace, 0, sizeof(*call->trace));
    call->deadline_ms = kvp_clock_mono_ms() + vault->timeout_ms;
    if (kvp_random_uuid(call->trace->client_request_id) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random number for the request");
    return KVP_OK;
}

void kvp_call_end(kvp_call *call)
{
    kvp_http_response_clear(&call->response);
}

void kvp_call_object(kvp_call *call, const char *id)
{
    kvp_copy_printable(call->trace->object_id, sizeof(call->trace->object_id), id);
}

/* One request; @authorization NULL for the one that asks for the challenge. */
static kvp_status send_once(kvp_call *call, const char *method, const char *url,
                            const kvp_buf *body, const kvp_buf *authorization, kvp_error *reterr)
{
    kvp_http_header headers[] = {
        { "Accept", "application/json", false },
        { "x-ms-client-request-id", call->trace->client_request_id, false },
        { "x-ms-return-client-request-id", "true", false },
        { NULL, NULL, false },
        { NULL, NULL, false },
    };
    size_t count = 3;
    kvp_http_request request = { .method = method, .url = url, .headers = headers, .body = body };
    kvp_status st;

    if (body)
        headers[count++] = (kvp_http_header){ "Content-Type", "application/json", false };
    if (authorization)
        headers[count++] = (kvp_http_header){ "Authorization", kvp_buf_str(authorization), true };
    request.header_count = count;
    st = kvp_http_perform(call->vault->http, &request, call->deadline_ms, &call->response, reterr);
    note_answer(call);
    return st;
}

kvp_status kvp_call_authorize(kvp_call *call, const char *method, const char *url,
                              kvp_buf *ret_header, kvp_shared_challenge **ret_challenge,
                              bool *ret_answered, kvp_error *reterr)
{
    kvp_shared_challenge *challenge = challenge_ref(call->vault);
    kvp_status st = KVP_OK;

    *ret_answered = false;
    if (!challenge) {
        /* As the official clients do: same method and URL, no body, for it must not be seen by a
         * vault that we do not trust yet (wire reference, section 2.1). */
        st = send_once(call, method, url, NULL, NULL, reterr);
        if (st == KVP_OK && call->response.status != 401) {
            *ret_answered = true;
            return KVP_OK;
        }
        if (st == KVP_OK)
            st = remember(call->vault, call->response.www_authenticate, &challenge, reterr);
    }
    if (st == KVP_OK)
        st = kvp_identity_authorize(call->vault->identity, &challenge->challenge, call->deadline_ms,
                                    ret_header, reterr);
    if (st != KVP_OK) {
        kvp_shared_challenge_unref(call->vault, challenge);
        return st;
    }
    *ret_challenge = challenge;
    return KVP_OK;
}

kvp_status kvp_call_reauthorize(kvp_call *call, const char *www_authenticate, kvp_buf *header,
                                kvp_shared_challenge **challenge, kvp_error *reterr)
{
    kvp_vault *vault = call->vault;
    kvp_shared_challenge *fresh = NULL;
    kvp_buf another = KVP_BUF_INIT_SECRET(0);
    kvp_status st = KVP_OK;

    kvp_identity_forget(vault->identity, (*challenge)->challenge.resource, header);
    if (www_authenticate) {
        st = remember(vault, www_authenticate, &fresh, reterr);
        /* A 401 that names nothing new (a gateway's, say) leaves what we know. */
        if (st == KVP_ERR_PARSE)
            st = KVP_OK;
    }
    if (st == KVP_OK && fresh) {
        kvp_shared_challenge_unref(vault, *challenge);
        *challenge = fresh;
    }
    if (st == KVP_OK)
        st = kvp_identity_authorize(vault->identity, &(*challenge)->challenge, call->deadline_ms,
                                    &another, reterr);
    if (st == KVP_OK && another.len == header->len &&
        kvp_equal_secret(another.data, header->data, header->len))
        st = KVP_ERR_HTTP;
    if (st == KVP_OK)
        kvp_buf_take(header, &another);
    kvp_buf_clear(&another);
    return st;
}

kvp_status kvp_vault_judge(const kvp_http_response *response, kvp_error *reterr)
{
    kvp_error_set(reterr, KVP_ERR_HTTP, "the vault answered HTTP %d", response->status);
    if (reterr) {
        reterr->http_status = response->status;
        kvp_copy_printable(reterr->request_id, sizeof(reterr->request_id), response->request_id);
        kvp_jwk_parse_error((const char *)response->body.data, response->body.len, reterr);
    }
    return KVP_ERR_HTTP;
}

static kvp_status send_authorized(kvp_call *call, const char *method, const char *url,
                                  const kvp_buf *body, kvp_error *reterr)
{
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_shared_challenge *challenge = NULL;
    bool answered = false;
    kvp_status st = kvp_call_authorize(call, method, url, &header, &challenge, &answered, reterr);

    if (st == KVP_OK && !answered)
        st = send_once(call, method, url, body, &header, reterr);
    if (st == KVP_OK && !answered && call->response.status == 401) {
        st = kvp_call_reauthorize(call, call->response.www_authenticate, &header, &challenge,
                                  reterr);
        if (st == KVP_OK)
            st = send_once(call, method, url, body, &header, reterr);
        else if (st == KVP_ERR_HTTP)
            st = KVP_OK;
    }
    kvp_shared_challenge_unref(call->vault, challenge);
    kvp_buf_clear(&header);
    return st;
}

kvp_status kvp_call_url(kvp_call *call, const char *method, const char *url, const kvp_buf *body,
                        kvp_error *reterr)
{
    kvp_status st = send_authorized(call, method, url, body, reterr);

    if (st != KVP_OK)
        return st;
    if (call->response.status < 200 || call->response.status > 299)
        return kvp_vault_judge(&call->response, reterr);
    return KVP_OK;
}

kvp_status kvp_call_path(kvp_call *call, const char *method, const char *path, const kvp_buf *body,
                         kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *url = kvp_vault_address(call->vault, path);

    if (!url)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
    return kvp_call_url(call, method, url, body, reterr);
}
