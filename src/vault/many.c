/* SPDX-License-Identifier: MIT */
/*
 * Several reads at once over the transport's parallel requests: bundles, and whole lists, whose
 * next page is asked for as soon as the one before is there. All go with one token; once more for
 * the rest if that token is refused.
 */
#include "vault/internal.h"
#include "base/alloc.h"

#include <string.h>

typedef struct batch batch;

/* A bundle, or a list of which one page at a time is asked for. */
typedef struct job {
    batch *batch;
    kvp_vault_read *read; /* or else: */
    kvp_vault_listing *listing;
    kvp_pager pager;
    char *url; /* of a bundle */
    bool in_flight, settled;
} job;

struct batch {
    kvp_call *call;
    job *jobs;
    size_t count;
    bool refused;           /* a 401: all stops */
    char *www_authenticate; /* that came with it */
    unsigned attempts;
};

static const char *url_of(const job *j)
{
    return j->read ? j->url : j->pager.url;
}

static bool next_job(void *user, const char **ret_url, void **ret_cookie)
{
    batch *b = user;

    if (b->refused)
        return false;
    for (size_t i = 0; i < b->count; i++) {
        job *j = &b->jobs[i];

        if (j->settled || j->in_flight)
            continue;
        j->in_flight = true;
        *ret_url = url_of(j);
        *ret_cookie = j;
        return true;
    }
    return false;
}

/* Statuses that are about the vault and not about one entry. */
static bool is_general(int status)
{
    return status == 401 || status == 408 || status == 429 || status >= 500;
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

/* An entry that is gone, not ours to read or beyond understanding is passed over. */
static kvp_status take_bundle(job *j, const kvp_http_response *response, kvp_error *error)
{
    kvp_vault_read *read = j->read;

    j->settled = true;
    if (is_success(response->status) &&
        kvp_entry_take(response, read->collection, read->name, read->version, &read->result,
                       error) == KVP_ERR_NO_MEMORY)
        return KVP_ERR_NO_MEMORY;
    return KVP_OK;
}

static kvp_status take_list(job *j, const kvp_http_response *response, kvp_error *error)
{
    kvp_status st;

    if (response->status == 403 || response->status == 404) {
        j->listing->refused = response->status;
        (void)kvp_vault_judge(response, &j->listing->error);
        j->settled = true;
        kvp_entry_list_clear(&j->listing->list);
        return KVP_OK;
    }
    if (!is_success(response->status))
        return kvp_vault_judge(response, error);
    st = kvp_pager_take(&j->pager, j->batch->call->vault, response, &j->listing->list, error);
    j->settled = !j->pager.url;
    return st;
}

static kvp_status job_done(void *user, void *cookie, kvp_status st,
                           const kvp_http_response *response, kvp_error *error)
{
    batch *b = user;
    job *j = cookie;

    j->in_flight = false;
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
    return j->read ? take_bundle(j, response, error) : take_list(j, response, error);
}

static kvp_status run_batch(batch *b, const kvp_buf *header, kvp_error *reterr)
{
    kvp_http_header headers[] = {
        { "Accept", "application/json", false },
        { "x-ms-client-request-id", b->call->trace->client_request_id, false },
        { "Authorization", kvp_buf_str(header), true },
    };
    kvp_http_many many = { .next = next_job,
                           .done = job_done,
                           .user = b,
                           .headers = headers,
                           .header_count = KVP_ARRAY_LEN(headers) };
    kvp_status st;

    b->refused = false;
    st = kvp_http_perform_many(b->call->vault->http, &many, b->call->deadline_ms, reterr);
    b->call->trace->attempts = b->call->response.attempts + b->attempts;
    return st;
}

/* All of them with one token; once more for the rest if that token is refused. */
static kvp_status perform(batch *b, kvp_error *reterr)
{
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_shared_challenge *challenge = NULL;
    bool answered = false;
    kvp_status st = kvp_call_authorize(b->call, "GET", url_of(&b->jobs[0]), &header, &challenge,
                                       &answered, reterr);

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

static kvp_status batch_begin(batch *b, kvp_call *call, size_t count, kvp_error *reterr)
{
    *b = (batch){ .call = call, .count = count };
    b->jobs = kvp_calloc(count, sizeof(*b->jobs));
    if (!b->jobs)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "many requests");
    for (size_t i = 0; i < count; i++)
        b->jobs[i].batch = b;
    return KVP_OK;
}

static void batch_clear(batch *b)
{
    for (size_t i = 0; b->jobs && i < b->count; i++) {
        kvp_free(b->jobs[i].url);
        kvp_pager_clear(&b->jobs[i].pager);
    }
    kvp_free(b->jobs);
    kvp_free(b->www_authenticate);
}

static kvp_status make_url(job *j, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_status st =
        kvp_entry_path(j->read->collection, j->read->name, j->read->version, NULL, &path, reterr);

    if (st != KVP_OK)
        return st;
    j->url = kvp_vault_address(j->batch->call->vault, path);
    return j->url ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "addresses");
}

kvp_status kvp_vault_get_many(kvp_vault *vault, kvp_vault_read *reads, size_t count,
                              kvp_trace *trace, kvp_error *reterr)
{
    kvp_call call;
    batch b;
    kvp_status st;

    for (size_t i = 0; i < count; i++)
        reads[i].result = NULL;
    st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK || count == 0)
        return st;
    st = batch_begin(&b, &call, count, reterr);
    for (size_t i = 0; i < count && st == KVP_OK; i++) {
        b.jobs[i].read = &reads[i];
        st = make_url(&b.jobs[i], reterr);
    }
    if (st == KVP_OK)
        st = perform(&b, reterr);
    for (size_t i = 0; i < count && st != KVP_OK; i++) {
        kvp_entry_free(reads[i].result);
        reads[i].result = NULL;
    }
    batch_clear(&b);
    kvp_call_end(&call);
    return st;
}

/* Where a list begins. */
static kvp_status begin_list(job *j, kvp_error *reterr)
{
    const kvp_vault_listing *listing = j->listing;
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_status st = KVP_OK;

    if (listing->versions_of) {
        st = kvp_entry_path(listing->collection, listing->versions_of, NULL, "versions", &path,
                            reterr);
    } else {
        path = kvp_asprintf("/%s", kvp_collection_name(listing->collection));
        if (!path)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "addresses");
    }
    if (st == KVP_OK)
        st = kvp_pager_begin(&j->pager, j->batch->call->vault, listing->collection, path, reterr);
    return st;
}

kvp_status kvp_vault_list_many(kvp_vault *vault, kvp_vault_listing *listings, size_t count,
                               kvp_trace *trace, kvp_error *reterr)
{
    kvp_call call;
    batch b;
    kvp_status st = kvp_call_begin(&call, vault, trace, reterr);

    if (st != KVP_OK || count == 0)
        return st;
    st = batch_begin(&b, &call, count, reterr);
    for (size_t i = 0; i < count && st == KVP_OK; i++) {
        b.jobs[i].listing = &listings[i];
        listings[i].refused = 0;
        st = begin_list(&b.jobs[i], reterr);
    }
    if (st == KVP_OK)
        st = perform(&b, reterr);
    for (size_t i = 0; i < count && st != KVP_OK; i++)
        kvp_entry_list_clear(&listings[i].list);
    batch_clear(&b);
    kvp_call_end(&call);
    return st;
}
