/* SPDX-License-Identifier: MIT */
/* What is known at this moment, and whether it is still believed (object_store.h). */
#include "base/clock.h"
#include "token/object_store.h"

static bool young(int64_t checked_ms, int64_t now, int64_t age_ms)
{
    return checked_ms != INT64_MIN && now - checked_ms < age_ms;
}

kvp_known kvp_store_known(kvp_object_store *store, kvp_collection collection,
                          const kvp_key_ref *ref, kvp_record **ret)
{
    kvp_known known = KVP_KNOWN_NOT;
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, collection, ref->name);
    if (ref->version[0] && !(record && kvp_name_compare(kvp_record_document(record)->entry->version,
                                                        ref->version) == 0))
        record = kvp_store_other_locked(store, collection, ref->name, ref->version);
    if (record && young(record->checked_ms, now, KVP_OBJECT_AGE_MS) && !record->recheck) {
        kvp_record_pin_locked(record);
        *ret = record;
        known = KVP_KNOWN_PRESENT;
    }
    const kvp_shelf *shelf = &store->shelves[collection];
    const struct kvp_missing *missing = shelf->missing;
    /* What a listing that is believed does not have is not there. */
    if (!record && !ref->version[0] && young(shelf->listed_ms, now, KVP_OBJECT_AGE_MS))
        known = KVP_KNOWN_ABSENT;
    for (size_t i = 0; known == KVP_KNOWN_NOT && !ref->version[0] && i < KVP_MISSING_MAX; i++)
        if (missing[i].name[0] && young(missing[i].checked_ms, now, KVP_OBJECT_AGE_MS) &&
            kvp_name_compare(missing[i].name, ref->name) == 0)
            known = KVP_KNOWN_ABSENT;
    kvp_lock_give(&store->lock);
    return known;
}

bool kvp_store_is_listed(kvp_object_store *store, kvp_collection collection)
{
    const kvp_shelf *shelf = &store->shelves[collection];
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    bool listed = young(shelf->listed_ms, now, KVP_OBJECT_AGE_MS) ||
                  young(shelf->refused_ms, now, KVP_REFUSED_AGE_MS);
    kvp_lock_give(&store->lock);
    return listed;
}

static kvp_status add_list_locked(kvp_record *head, kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    for (kvp_record *record = head; record && st == KVP_OK; record = record->next)
        st = kvp_record_list_add_locked(ret, record);
    return st;
}

/* Older versions that are shown. */
static kvp_status add_versions_locked(kvp_object_store *store, unsigned what, kvp_record_list *ret)
    KVP_REQUIRES(store->lock)
{
    kvp_status st = KVP_OK;
    for (kvp_record *record = store->others; record && st == KVP_OK; record = record->next)
        if (record->versioned && (what & KVP_COLLECTION_BIT(record->kind)))
            st = kvp_record_list_add_locked(ret, record);
    return st;
}

kvp_status kvp_store_snapshot(kvp_object_store *store, unsigned what, kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (unsigned c = 0; c < KVP_COLLECTION_COUNT; c++)
        for (size_t i = 0; (what & KVP_COLLECTION_BIT(c)) && i < store->shelves[c].count; i++)
            if (st == KVP_OK)
                st = kvp_record_list_add_locked(ret, store->shelves[c].records[i]);
    if (st == KVP_OK && (what & KVP_SNAPSHOT_VERSIONS))
        st = add_versions_locked(store, what, ret);
    if (st == KVP_OK && (what & KVP_SNAPSHOT_ISSUERS))
        st = add_list_locked(store->issuers, ret);
    if (st == KVP_OK && (what & KVP_SNAPSHOT_SESSIONS))
        st = add_list_locked(store->sessions, ret);
    kvp_lock_give(&store->lock);
    return st;
}

kvp_status kvp_store_unsettled(kvp_object_store *store, unsigned collections, kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (unsigned c = 0; c < KVP_COLLECTION_COUNT; c++) {
        const kvp_shelf *shelf = &store->shelves[c];
        for (size_t i = 0; (collections & KVP_COLLECTION_BIT(c)) && i < shelf->count; i++)
            if (st == KVP_OK && shelf->records[i]->recheck)
                st = kvp_record_list_add_locked(ret, shelf->records[i]);
    }
    kvp_lock_give(&store->lock);
    return st;
}

kvp_status kvp_store_unversioned(kvp_object_store *store, unsigned collections,
                                 kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    for (unsigned c = 0; c < KVP_COLLECTION_COUNT; c++) {
        const kvp_shelf *shelf = &store->shelves[c];
        for (size_t i = 0; (collections & KVP_COLLECTION_BIT(c)) && i < shelf->count; i++)
            if (st == KVP_OK && !young(shelf->records[i]->versions_ms, now, KVP_VERSIONS_AGE_MS))
                st = kvp_record_list_add_locked(ret, shelf->records[i]);
    }
    kvp_lock_give(&store->lock);
    return st;
}
