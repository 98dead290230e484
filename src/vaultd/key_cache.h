/* SPDX-License-Identifier: MIT */
/*
 * Private keys in memory, ready for use: a bounded cache from key version to engine key. A version
 * never changes its material, so an entry is never stale; a purge takes it out.
 */
#ifndef KVP_VAULTD_KEY_CACHE_H
#define KVP_VAULTD_KEY_CACHE_H

#include "vaultd/engine.h"
#include "vaultd/store.h"
#include "vaultd/token_hsm.h"

typedef struct kvp_key_cache kvp_key_cache;

/** @capacity entries; the least recently used goes first. */
kvp_key_cache *kvp_key_cache_new(size_t capacity) KVP_WARN_UNUSED;
void kvp_key_cache_free(kvp_key_cache *cache);
KVP_DEFINE_FREEP(kvp_key_cache, kvp_key_cache_free);

/** Where keys are that the store only has references of; before the first use. NULL = nowhere. */
void kvp_key_cache_use_token(kvp_key_cache *cache, kvp_token *token);

/**
 * The key of @record, from memory or from the store. *ret_key is a reference of the caller's own:
 * it uses the key with no lock held. Thread-safe.
 */
kvp_status kvp_key_cache_get(kvp_key_cache *cache, kvp_store *store, const kvp_vault_info *vault,
                             const kvp_key_record *record, kvp_engine_key **ret_key,
                             kvp_error *reterr);
/** Put a key that was just made; failure to remember it does not matter. */
void kvp_key_cache_put(kvp_key_cache *cache, int64_t row, kvp_engine_key *key);
/** Forget all keys: after a purge, whose rows are not known one by one. */
void kvp_key_cache_empty(kvp_key_cache *cache);
size_t kvp_key_cache_count(kvp_key_cache *cache);

#endif
