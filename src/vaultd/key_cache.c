/* SPDX-License-Identifier: MIT */
/* The cache of private keys: buckets by row number, and a list by last use. */
#include "vaultd/key_cache.h"

#include "base/alloc.h"
#include "base/lock.h"

#define BUCKETS 1024

typedef struct entry {
    int64_t row;
    kvp_engine_key *key;
    struct entry *chain; /* of the bucket */
    struct entry *older, *newer;
} entry;

struct kvp_key_cache {
    kvp_lock lock;
    entry *buckets[BUCKETS];
    KVP_GUARDED_BY(lock)
    entry *oldest, *newest;
    KVP_GUARDED_BY(lock)
    size_t count, capacity;
    kvp_token *token; /* constant once in use */
};

kvp_key_cache *kvp_key_cache_new(size_t capacity)
{
    kvp_key_cache *cache = kvp_calloc(1, sizeof(*cache));

    if (cache && kvp_lock_init(&cache->lock, KVP_RANK_CACHE) != KVP_OK) {
        kvp_free(cache);
        return NULL;
    }
    if (cache)
        cache->capacity = capacity ? capacity : 1;
    return cache;
}

void kvp_key_cache_use_token(kvp_key_cache *cache, kvp_token *token)
{
    cache->token = token;
}

static entry **slot_of(kvp_key_cache *cache, int64_t row)
{
    entry **p = &cache->buckets[(uint64_t)row % BUCKETS];

    while (*p && (*p)->row != row)
        p = &(*p)->chain;
    return p;
}

static void unlist(kvp_key_cache *cache, entry *e)
{
    if (e->older)
        e->older->newer = e->newer;
    else
        cache->oldest = e->newer;
    if (e->newer)
        e->newer->older = e->older;
    else
        cache->newest = e->older;
}

static void list_newest(kvp_key_cache *cache, entry *e)
{
    e->older = cache->newest;
    e->newer = NULL;
    if (cache->newest)
        cache->newest->newer = e;
    else
        cache->oldest = e;
    cache->newest = e;
}

static void drop_oldest(kvp_key_cache *cache)
{
    entry *e = cache->oldest;

    *slot_of(cache, e->row) = e->chain;
    unlist(cache, e);
    kvp_engine_key_unref(e->key);
    kvp_free(e);
    cache->count--;
}

void kvp_key_cache_empty(kvp_key_cache *cache)
{
    kvp_lock_take(&cache->lock);
    while (cache->oldest)
        drop_oldest(cache);
    kvp_lock_give(&cache->lock);
}

void kvp_key_cache_free(kvp_key_cache *cache)
{
    if (!cache)
        return;
    kvp_key_cache_empty(cache);
    kvp_lock_clear(&cache->lock);
    kvp_free(cache);
}

size_t kvp_key_cache_count(kvp_key_cache *cache)
{
    kvp_lock_take(&cache->lock);
    size_t count = cache->count;
    kvp_lock_give(&cache->lock);
    return count;
}

void kvp_key_cache_put(kvp_key_cache *cache, int64_t row, kvp_engine_key *key)
{
    entry *e = kvp_calloc(1, sizeof(*e));

    if (!e)
        return;
    kvp_lock_take(&cache->lock);
    entry **slot = slot_of(cache, row);
    if (*slot) {
        /* Two threads loaded the same key at once: one of the copies is enough. */
        kvp_free(e);
    } else {
        e->row = row;
        e->key = kvp_engine_key_ref(key);
        *slot = e;
        list_newest(cache, e);
        if (++cache->count > cache->capacity)
            drop_oldest(cache);
    }
    kvp_lock_give(&cache->lock);
}

kvp_status kvp_key_cache_get(kvp_key_cache *cache, kvp_store *store, const kvp_vault_info *vault,
                             const kvp_key_record *record, kvp_engine_key **ret_key,
                             kvp_error *reterr)
{
    kvp_engine_key *key = NULL;
    kvp_buf material = KVP_BUF_INIT_SECRET(65536);

    kvp_lock_take(&cache->lock);
    entry *e = *slot_of(cache, record->row);
    if (e) {
        key = kvp_engine_key_ref(e->key);
        unlist(cache, e);
        list_newest(cache, e);
    }
    kvp_lock_give(&cache->lock);
    if (key) {
        *ret_key = key;
        return KVP_OK;
    }
    kvp_engine_kind kind = record->kty[0] == 'R'   ? KVP_ENGINE_RSA
                           : record->kty[0] == 'E' ? KVP_ENGINE_EC
                                                   : KVP_ENGINE_OCT;
    kvp_status status = kvp_store_key_material(store, vault, record, &material, reterr);
    if (status == KVP_OK)
        status = kvp_token_is_reference(material.data, material.len)
                     ? kvp_token_load(cache->token, kind, material.data, material.len, &key, reterr)
                     : kvp_engine_load(kind, material.data, material.len, &key, reterr);
    kvp_buf_clear(&material);
    if (status != KVP_OK)
        return status;
    kvp_key_cache_put(cache, record->row, key);
    *ret_key = key;
    return KVP_OK;
}
