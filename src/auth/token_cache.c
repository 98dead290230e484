/* SPDX-License-Identifier: MIT */
/* The token cache; see token_cache.h. Its lock guards entries; nothing is fetched under it. */
#include "config.h"

#include "auth/token_cache.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

/* After a failure nobody asks again for a second, then two, up to half a minute. */
#define BACK_OFF_FIRST_MS 1000
#define BACK_OFF_MAX_MS 30000
/* An early refresh must not hold up its caller, who has a good token, for long. */
#define EARLY_REFRESH_MS 10000
/* A vault that refuses every token must not make us fetch one for each call. */
#define FORGET_AGAIN_MS 5000

static const char bearer[] = "Bearer ";

/* A caller without a token, while another fetches it; on its stack. */
typedef struct waiter {
    sem_t wake;
    bool done;
    kvp_status st;
    kvp_error error;
    struct waiter *next;
} waiter;

typedef struct entry {
    char *authority, *tenant, *resource, *claims;
    kvp_access_token token; /**< value empty: none */
    bool fetching;
    uint64_t generation; /**< process whose thread is fetching */
    waiter *waiters;
    unsigned failures;
    int64_t not_before_ms; /**< no fetch before then */
    int64_t forgotten_ms;  /**< when a token was last forgotten; 0: never */
    kvp_status last_status;
    kvp_error last_error;
    struct entry *next;
} entry;

struct kvp_token_cache {
    kvp_lock lock;
    kvp_token_fetch fetch;
    void *user;
    entry *entries KVP_GUARDED_BY(lock);
};

kvp_status kvp_token_cache_new(kvp_token_fetch fetch, void *user, kvp_token_cache **ret,
                               kvp_error *reterr)
{
    kvp_token_cache *cache = kvp_calloc(1, sizeof(*cache));

    if (!cache || kvp_lock_init(&cache->lock, KVP_RANK_IDENTITY) != KVP_OK) {
        kvp_free(cache);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "token cache");
    }
    cache->fetch = fetch;
    cache->user = user;
    *ret = cache;
    return KVP_OK;
}

static void entry_free(entry *e)
{
    if (!e)
        return;
    kvp_free(e->authority);
    kvp_free(e->tenant);
    kvp_free(e->resource);
    kvp_free(e->claims);
    kvp_access_token_clear(&e->token);
    kvp_free(e);
}

void kvp_token_cache_free(kvp_token_cache *cache)
{
    if (!cache)
        return;
    while (cache->entries) {
        entry *next = cache->entries->next;

        entry_free(cache->entries);
        cache->entries = next;
    }
    kvp_lock_clear(&cache->lock);
    kvp_free(cache);
}

static bool equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static entry *find_locked(kvp_token_cache *cache, const kvp_token_request *request)
    KVP_REQUIRES(cache->lock)
{
    for (entry *e = cache->entries; e; e = e->next)
        if (equal(e->authority, request->authority) && equal(e->tenant, request->tenant) &&
            equal(e->resource, request->resource))
            return e;
    return NULL;
}

static entry *find_or_add_locked(kvp_token_cache *cache, const kvp_token_request *request)
    KVP_REQUIRES(cache->lock)
{
    entry *e = find_locked(cache, request);

    if (e)
        return e;
    e = kvp_calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->authority = kvp_strdup(request->authority);
    e->tenant = kvp_strdup(request->tenant);
    e->resource = kvp_strdup(request->resource);
    if ((request->authority && !e->authority) || (request->tenant && !e->tenant) || !e->resource) {
        entry_free(e);
        return NULL;
    }
    e->next = cache->entries;
    cache->entries = e;
    return e;
}

/* In the child of a fork nobody is fetching, whatever the parent's threads were doing. */
static void settle_after_fork(entry *e)
{
    uint64_t generation = kvp_fork_generation();

    if (e->generation == generation)
        return;
    e->generation = generation;
    e->fetching = false;
    e->waiters = NULL;
}

/* Whether the token is good for this request: not expired, and fetched with the claims asked for.
 */
static bool is_good(const entry *e, const kvp_token_request *request, int64_t now)
{
    return e->token.value.len > 0 && now < e->token.expires_mono_ms &&
           (!request->claims || equal(e->claims, request->claims));
}

static kvp_status append_header(const entry *e, kvp_buf *ret)
{
    size_t old_len = ret->len;
    kvp_status st = kvp_buf_append(ret, bearer, sizeof(bearer) - 1);

    if (st == KVP_OK)
        st = kvp_buf_append(ret, e->token.value.data, e->token.value.len);
    if (st != KVP_OK)
        ret->len = old_len;
    return st;
}

/* Failures that say something about the caller's deadline or this process, not about the identity.
 */
static bool is_personal(kvp_status st)
{
    return st == KVP_ERR_TIMEOUT || st == KVP_ERR_CLOSED || st == KVP_ERR_NO_MEMORY;
}

static void note_failure(entry *e, kvp_status st, const kvp_error *error, int64_t now)
{
    int64_t pause = e->failures < 5 ? (int64_t)BACK_OFF_FIRST_MS << e->failures : BACK_OFF_MAX_MS;

    e->failures++;
    e->not_before_ms = now + (pause < BACK_OFF_MAX_MS ? pause : BACK_OFF_MAX_MS);
    e->last_status = st;
    e->last_error = *error;
}

static void note_success(entry *e, kvp_access_token *token, const char *claims)
{
    char *copy = kvp_strdup(claims);

    kvp_free(e->claims);
    e->claims = copy;
    kvp_access_token_clear(&e->token);
    kvp_buf_take(&e->token.value, &token->value);
    e->token.expires_mono_ms = token->expires_mono_ms;
    e->token.refresh_mono_ms = token->refresh_mono_ms;
    e->failures = 0;
    e->not_before_ms = 0;
}

static void wake_all(entry *e, kvp_status st, const kvp_error *error)
{
    while (e->waiters) {
        waiter *w = e->waiters;

        e->waiters = w->next;
        w->done = true;
        w->st = st;
        w->error = *error;
        sem_post(&w->wake);
    }
}

/*
 * Fetch for all. The caller holds the right to (e->fetching). Entries are never removed, so @e
 * stays where it is without the lock.
 */
static kvp_status fetch(kvp_token_cache *cache, entry *e, const kvp_token_request *request,
                        bool early, kvp_buf *ret_header, kvp_error *reterr)
{
    kvp_access_token token = { .value = KVP_BUF_INIT_SECRET(0) };
    kvp_token_request own = *request;
    kvp_error error = { .status = KVP_OK };
    uint64_t generation = kvp_fork_generation();
    kvp_status st;
    int64_t now = kvp_clock_mono_ms();

    if (early && own.deadline_ms > now + EARLY_REFRESH_MS)
        own.deadline_ms = now + EARLY_REFRESH_MS;
    st = cache->fetch(cache->user, &own, &token, &error);
    now = kvp_clock_mono_ms();
    kvp_lock_take(&cache->lock);
    if (st == KVP_OK)
        note_success(e, &token, request->claims);
    else if (early || !is_personal(st))
        note_failure(e, st, &error, now);
    if (generation == kvp_fork_generation()) {
        e->fetching = false;
        wake_all(e, st, &error);
    }
    /* The old token does while it lasts. */
    if (st == KVP_OK || (early && is_good(e, request, now))) {
        st = append_header(e, ret_header);
        if (st != KVP_OK)
            kvp_error_set(&error, st, "authorization header");
    }
    kvp_lock_give(&cache->lock);
    kvp_access_token_clear(&token);
    if (st != KVP_OK && reterr)
        *reterr = error;
    return st;
}

/* Wait for the thread that fetches. Afterwards @w is in no list. */
static kvp_status wait_for_fetch(kvp_token_cache *cache, entry *e, waiter *w, int64_t deadline_ms,
                                 kvp_error *reterr)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
                              .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };

    while (sem_clockwait(&w->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        continue;
    kvp_lock_take(&cache->lock);
    for (waiter **link = &e->waiters; *link; link = &(*link)->next)
        if (*link == w) {
            *link = w->next;
            break;
        }
    kvp_lock_give(&cache->lock);
    sem_destroy(&w->wake);
    if (!w->done)
        return kvp_error_set(reterr, KVP_ERR_TIMEOUT,
                             "no token in time: another thread is still asking for it");
    if (w->st != KVP_OK && reterr)
        *reterr = w->error;
    return w->st;
}

/* What a caller does next. */
typedef enum step { DONE, FETCH, FETCH_EARLY, WAIT } step;

static step decide_locked(KVP_UNUSED kvp_token_cache *cache, entry *e,
                          const kvp_token_request *request, waiter *w, kvp_buf *ret_header,
                          kvp_status *ret_status, kvp_error *reterr) KVP_REQUIRES(cache->lock)
{
    int64_t now = kvp_clock_mono_ms();
    bool good = is_good(e, request, now);

    settle_after_fork(e);
    if (good && (now < e->token.refresh_mono_ms || e->fetching || now < e->not_before_ms)) {
        *ret_status = append_header(e, ret_header);
        if (*ret_status != KVP_OK)
            kvp_error_set(reterr, *ret_status, "authorization header");
        return DONE;
    }
    if (e->fetching) {
        *w = (waiter){ .next = e->waiters };
        sem_init(&w->wake, 0, 0);
        e->waiters = w;
        return WAIT;
    }
    if (!good && now < e->not_before_ms) {
        *ret_status = e->last_status;
        if (reterr)
            *reterr = e->last_error;
        return DONE;
    }
    e->fetching = true;
    return good ? FETCH_EARLY : FETCH;
}

kvp_status kvp_token_cache_get(kvp_token_cache *cache, const kvp_token_request *request,
                               kvp_buf *ret_header, kvp_error *reterr)
{
    for (;;) {
        kvp_status st = KVP_ERR_NO_MEMORY;
        step next = DONE;
        waiter w;
        entry *e;

        kvp_lock_take(&cache->lock);
        e = find_or_add_locked(cache, request);
        if (e)
            next = decide_locked(cache, e, request, &w, ret_header, &st, reterr);
        kvp_lock_give(&cache->lock);
        if (!e)
            return kvp_error_set(reterr, st, "token cache");
        if (next == DONE)
            return st;
        if (next != WAIT)
            return fetch(cache, e, request, next == FETCH_EARLY, ret_header, reterr);
        st = wait_for_fetch(cache, e, &w, request->deadline_ms, reterr);
        if (st != KVP_OK && !(w.done && is_personal(st)))
            return st;
        if (kvp_clock_mono_ms() >= request->deadline_ms)
            return kvp_error_set(reterr, KVP_ERR_TIMEOUT, "no token in time");
        /* There is a token now; or the one who fetched had less time than we have. */
    }
}

void kvp_token_cache_forget(kvp_token_cache *cache, const char *resource, const kvp_buf *header)
{
    int64_t now = kvp_clock_mono_ms();
    size_t skip = sizeof(bearer) - 1;

    if (header->len <= skip)
        return;
    kvp_lock_take(&cache->lock);
    for (entry *e = cache->entries; e; e = e->next) {
        if (!equal(e->resource, resource) || e->token.value.len != header->len - skip ||
            !kvp_equal_secret(e->token.value.data, header->data + skip, e->token.value.len) ||
            (e->forgotten_ms != 0 && now - e->forgotten_ms < FORGET_AGAIN_MS))
            continue;
        kvp_access_token_clear(&e->token);
        e->forgotten_ms = now;
    }
    kvp_lock_give(&cache->lock);
}
