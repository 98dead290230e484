/* SPDX-License-Identifier: MIT */
/*
 * Reading bundles of keys that so far were only listed: one that is asked for, with those that an
 * enumerating application will ask for next, or all that a search has to compare.
 */
#include "base/alloc.h"
#include "token/object_store.h"

#include <string.h>

/** Bundles that one read fetches at once. The pool's connections and HTTP/2 streams bound what is
 * in flight. */
#define READ_AHEAD 32

/* An answer about one key names it in the audit record. */
static void note_key(kvp_call *call, const kvp_key *key)
{
    kvp_copy_printable(call->object_id, sizeof(call->object_id), key->id);
}

/* Ask for every record of @records in parallel; what cannot be had is left as it is. */
static kvp_status load_all(kvp_call *call, kvp_vault *vault, kvp_record_list *records)
{
    size_t count = records->count;
    KVP_CLEANUP(kvp_freep) kvp_vault_read *reads = kvp_calloc(count, sizeof(*reads));
    if (!reads)
        return kvp_error_set(&call->error, KVP_ERR_NO_MEMORY, "reading keys");
    for (size_t i = 0; i < count; i++)
        reads[i] = (kvp_vault_read){ KVP_KEYS, records->items[i]->name, NULL, NULL };

    kvp_read_time when = kvp_read_time_now();
    call->remote = true;
    kvp_status st = kvp_vault_get_many(vault, reads, count, &call->trace, &call->error);
    for (size_t i = 0; i < count; i++) {
        if (!reads[i].result)
            continue;
        kvp_key *key = (kvp_key *)reads[i].result;
        kvp_status kept = kvp_record_set_loaded(records->items[i], key, when);
        if (st == KVP_OK && kept != KVP_OK)
            st = kvp_error_set(&call->error, kept, "keeping a key");
    }
    return st;
}

CK_RV kvp_records_load(kvp_call *call, kvp_object_store *store, kvp_record_list *records)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list missing = { 0 };
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (size_t i = 0; i < records->count && st == KVP_OK; i++)
        if (!kvp_record_document(records->items[i])->loaded)
            st = kvp_record_list_add_locked(&missing, records->items[i]);
    kvp_lock_give(&store->lock);
    if (st != KVP_OK)
        return CKR_HOST_MEMORY;
    if (missing.count == 0)
        return CKR_OK;
    kvp_vault *vault = kvp_slot_vault(call, store->slot);
    if (!vault || load_all(call, vault, &missing) != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    return CKR_OK;
}

/* Pin @record and up to READ_AHEAD - 1 after it, in the order of names, that lack a bundle too. */
static kvp_status pin_neighbours(kvp_record *record, kvp_record_list *ret)
{
    kvp_object_store *store = record->store;
    kvp_lock_take(&store->lock);
    kvp_status st = kvp_record_list_add_locked(ret, record);
    bool after = false;
    for (size_t i = 0; record->current && i < store->count && ret->count < READ_AHEAD; i++) {
        kvp_record *other = store->current[i];
        if (other == record)
            after = true;
        else if (after && st == KVP_OK && !kvp_record_document(other)->loaded)
            st = kvp_record_list_add_locked(ret, other);
    }
    kvp_lock_give(&store->lock);
    return st;
}

/* One GET, with its exact failure. */
static CK_RV load_one(kvp_call *call, kvp_vault *vault, kvp_record *record)
{
    kvp_read_time when = kvp_read_time_now();
    kvp_key *key = NULL;
    call->remote = true;
    kvp_status st =
        kvp_vault_key_get(vault, record->name, NULL, &call->trace, &key, &call->error);
    if (st != KVP_OK) {
        if (st == KVP_ERR_HTTP && call->error.http_status == 404)
            kvp_store_put_missing(record->store, record->name, when.mono_ms);
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    }
    return kvp_record_set_loaded(record, key, when) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV kvp_object_load(kvp_call *call, kvp_object *object)
{
    kvp_record *record = object->record;
    if (kvp_record_document(record)->loaded) {
        if (record->name)
            note_key(call, kvp_record_document(record)->key);
        return CKR_OK;
    }
    kvp_vault *vault = kvp_slot_vault(call, record->store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);

    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list batch = { 0 };
    if (pin_neighbours(record, &batch) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (batch.count > 1 && load_all(call, vault, &batch) != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    /* Alone, or the one of the batch that could not be had: then the reason is wanted. */
    if (!kvp_record_document(record)->loaded) {
        CK_RV rv = load_one(call, vault, record);
        if (rv != CKR_OK)
            return rv;
    }
    note_key(call, kvp_record_document(record)->key);
    return CKR_OK;
}
