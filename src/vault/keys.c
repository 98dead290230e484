/* SPDX-License-Identifier: MIT */
/* Operations on keys as objects (wire reference, section 4): read, list, make, change, delete. */
#include "vault/internal.h"
#include "base/alloc.h"

#include <string.h>

#define MAX_NAME 127

static bool is_name(const char *s)
{
    size_t len =
        s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") : 0;

    return len > 0 && len <= MAX_NAME && s[len] == '\0';
}

kvp_status kvp_key_path(const char *name, const char *version, const char *operation, char **ret,
                        kvp_error *reterr)
{
    bool pinned = version && version[0] != '\0';

    if (!is_name(name) || (pinned && !is_name(version)))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "a key's name is 1 to 127 letters, digits and hyphens");
    *ret = kvp_asprintf("/keys/%s%s%s%s%s", name, pinned ? "/" : "", pinned ? version : "",
                        operation ? "/" : "", operation ? operation : "");
    return *ret ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
}

/* Names and versions are compared without case (wire reference, section 1.2). */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b - 'A' + 'a') : *b;

        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

kvp_status kvp_key_matches(const kvp_key *key, const char *name, const char *version,
                           kvp_error *reterr)
{
    if (!same_name(key->name, name) ||
        (version && version[0] != '\0' && !same_name(key->version, version)))
        return kvp_error_set(reterr, KVP_ERR_PARSE,
                             "the vault answered with another key than was asked for");
    return KVP_OK;
}

static kvp_status take_key(const kvp_http_response *response, const char *name, const char *version,
                           kvp_key **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = NULL;
    kvp_status st =
        kvp_jwk_parse_key((const char *)response->body.data, response->body.len, &key, reterr);

    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "the vault's answer: ");
        return st;
    }
    st = kvp_key_matches(key, name, version, reterr);
    if (st == KVP_OK)
        *ret = KVP_STEAL(key);
    return st;
}

/* A request that is answered with a key bundle. */
static kvp_status request_key(kvp_vault *vault, const char *method, const char *name,
                              const char *version, const char *operation, const kvp_buf *body,
                              kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_key *key = NULL;
    kvp_call call;
    kvp_status st = kvp_key_path(name, version, operation, &path, reterr);

    if (st == KVP_OK)
        st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK)
        return st;
    st = kvp_call_path(&call, method, path, body, reterr);
    if (st == KVP_OK)
        st = take_key(&call.response, name, version, &key, reterr);
    if (st == KVP_OK) {
        kvp_call_object(&call, key->id);
        *ret = key;
    }
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_key_get(kvp_vault *vault, const char *name, const char *version,
                             kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    return request_key(vault, "GET", name, version, NULL, NULL, trace, ret, reterr);
}

kvp_status kvp_vault_key_create(kvp_vault *vault, const char *name, const kvp_key_create *create,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_status st = kvp_jwk_format_create(create, &body);

    if (st == KVP_OK)
        st = request_key(vault, "POST", name, NULL, "create", &body, trace, ret, reterr);
    else
        kvp_error_set(reterr, st, "a key like that cannot be asked for");
    kvp_buf_clear(&body);
    return st;
}

kvp_status kvp_vault_key_update(kvp_vault *vault, const char *name, const char *version,
                                const kvp_key_update *update, kvp_trace *trace, kvp_key **ret,
                                kvp_error *reterr)
{
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_status st = kvp_jwk_format_update(update, &body);

    if (st == KVP_OK)
        st = request_key(vault, "PATCH", name, version, NULL, &body, trace, ret, reterr);
    else
        kvp_error_set(reterr, st, "a change like that cannot be asked for");
    kvp_buf_clear(&body);
    return st;
}

kvp_status kvp_vault_key_delete(kvp_vault *vault, const char *name, kvp_trace *trace,
                                kvp_error *reterr)
{
    kvp_key *key = NULL;
    kvp_status st = request_key(vault, "DELETE", name, NULL, NULL, NULL, trace, &key, reterr);

    kvp_key_free(key);
    return st;
}

static kvp_status list(kvp_vault *vault, const char *path, kvp_trace *trace, kvp_key_list *ret,
                       kvp_error *reterr)
{
    kvp_call call;
    kvp_status st = kvp_call_begin(&call, vault, trace, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_call_list(&call, path, ret, reterr);
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_key_list(kvp_vault *vault, kvp_trace *trace, kvp_key_list *ret,
                              kvp_error *reterr)
{
    return list(vault, "/keys", trace, ret, reterr);
}

kvp_status kvp_vault_key_versions(kvp_vault *vault, const char *name, kvp_trace *trace,
                                  kvp_key_list *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_status st = kvp_key_path(name, NULL, "versions", &path, reterr);

    return st == KVP_OK ? list(vault, path, trace, ret, reterr) : st;
}

/* ---- many at once ---- */

typedef struct batch {
    kvp_call *call;
    const char *const *names, *const *versions;
    kvp_key **results;
    size_t count, next;
    char **urls;
    bool *settled;          /* has its result, be it NULL */
    bool refused;           /* a 401: all stops */
    char *www_authenticate; /* that came with it */
    unsigned attempts;
} batch;

static const char *version_of(const batch *b, size_t i)
{
    return b->versions ? b->versions[i] : NULL;
}

static bool next_key(void *user, const char **ret_url, void **ret_cookie)
{
    batch *b = user;

    while (b->next < b->count && b->settled[b->next])
        b->next++;
    if (b->refused || b->next >= b->count)
        return false;
    *ret_url = b->urls[b->next];
    *ret_cookie = &b->settled[b->next];
    b->next++;
    return true;
}

/* Statuses that are about the vault and not about one key. */
static bool is_general(int status)
{
    return status == 401 || status == 408 || status == 429 || status >= 500;
}

static kvp_status key_done(void *user, void *cookie, kvp_status st,
                           const kvp_http_response *response, kvp_error *error)
{
    batch *b = user;
    size_t i = (size_t)((bool *)cookie - b->settled);

    if (st != KVP_OK)
        return st;
    b->attempts += response->attempts;
    b->call->trace->http_status = response->status;
    kvp_copy_printable(b->call->trace->request_id, sizeof(b->call->trace->request_id),
                       response->request_id);
    if (response->status == 401 && !b->refused) {
        b->refused = true;
        kvp_free(b->www_authenticate);
        b->www_authenticate = kvp_strdup(response->www_authenticate);
    }
    if (is_general(response->status))
        return kvp_vault_judge(response, error);
    b->settled[i] = true;
    /* A key that is gone, not ours to read or beyond understanding is passed over: its result is
     * NULL. */
    if (response->status >= 200 && response->status < 300 &&
        take_key(response, b->names[i], version_of(b, i), &b->results[i], error) ==
            KVP_ERR_NO_MEMORY)
        return KVP_ERR_NO_MEMORY;
    return KVP_OK;
}

static kvp_status run_batch(batch *b, const kvp_buf *header, kvp_error *reterr)
{
    kvp_http_header headers[] = {
        { "Accept", "application/json", false },
        { "x-ms-client-request-id", b->call->trace->client_request_id, false },
        { "Authorization", kvp_buf_str(header), true },
    };
    kvp_http_many many = { .next = next_key,
                           .done = key_done,
                           .user = b,
                           .headers = headers,
                           .header_count = KVP_ARRAY_LEN(headers) };
    kvp_status st;

    b->next = 0;
    b->refused = false;
    st = kvp_http_perform_many(b->call->vault->http, &many, b->call->deadline_ms, reterr);
    b->call->trace->attempts = b->call->response.attempts + b->attempts;
    return st;
}

static kvp_status make_urls(batch *b, kvp_error *reterr)
{
    b->urls = kvp_calloc(b->count, sizeof(*b->urls));
    b->settled = kvp_calloc(b->count, sizeof(*b->settled));
    if (!b->urls || !b->settled)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "addresses");
    for (size_t i = 0; i < b->count; i++) {
        KVP_CLEANUP(kvp_freep) char *path = NULL;
        kvp_status st = kvp_key_path(b->names[i], version_of(b, i), NULL, &path, reterr);

        if (st != KVP_OK)
            return st;
        b->urls[i] = kvp_vault_address(b->call->vault, path);
        if (!b->urls[i])
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "addresses");
    }
    return KVP_OK;
}

static void clear_batch(batch *b)
{
    for (size_t i = 0; b->urls && i < b->count; i++)
        kvp_free(b->urls[i]);
    kvp_free(b->urls);
    kvp_free(b->settled);
    kvp_free(b->www_authenticate);
}

/* All of them with one token; once more for the rest if that token is refused. */
static kvp_status get_batch(batch *b, kvp_error *reterr)
{
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_shared_challenge *challenge = NULL;
    bool answered = false;
    kvp_status st = make_urls(b, reterr);

    if (st == KVP_OK)
        st = kvp_call_authorize(b->call, "GET", b->urls[0], &header, &challenge, &answered, reterr);
    if (st == KVP_OK && answered)
        st = kvp_error_set(reterr, KVP_ERR_PARSE, "the vault asks for no token");
    if (st == KVP_OK)
        st = run_batch(b, &header, reterr);
    if (st == KVP_ERR_HTTP && b->refused) {
        kvp_error refusal = { .status = KVP_OK };

        if (reterr)
            refusal = *reterr;
        st = kvp_call_reauthorize(b->call, b->www_authenticate, &header, &challenge, reterr);
        if (st == KVP_OK)
            st = run_batch(b, &header, reterr);
        else if (st == KVP_ERR_HTTP && reterr)
            *reterr = refusal;
    }
    kvp_shared_challenge_unref(b->call->vault, challenge);
    kvp_buf_clear(&header);
    return st;
}

kvp_status kvp_vault_key_get_many(kvp_vault *vault, const char *const *names,
                                  const char *const *versions, size_t count, kvp_trace *trace,
                                  kvp_key **results, kvp_error *reterr)
{
    kvp_call call;
    batch b = {
        .call = &call, .names = names, .versions = versions, .results = results, .count = count
    };
    kvp_status st;

    memset(results, 0, count * sizeof(*results));
    st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK || count == 0)
        return st;
    st = get_batch(&b, reterr);
    if (st != KVP_OK)
        for (size_t i = 0; i < count; i++) {
            kvp_key_free(results[i]);
            results[i] = NULL;
        }
    clear_batch(&b);
    kvp_call_end(&call);
    return st;
}
