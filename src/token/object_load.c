/* SPDX-License-Identifier: MIT */
/*
 * Reading bundles of what so far was only listed: one that is asked for, with those that an
 * enumerating application will ask for next, or all that a search has to compare. And the values of
 * data objects, which are never read ahead and never kept.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "token/object_store.h"

#include <string.h>

/** Bundles that one read fetches at once. The pool's connections and HTTP/2 streams bound what is
 * in flight. */
#define READ_AHEAD 32

/* An answer about one entry names it in the audit record. */
static void note_entry(kvp_call *call, const kvp_record *record)
{
    const kvp_entry *entry = kvp_record_document(record)->entry;
    if (entry)
        kvp_copy_printable(call->object_id, sizeof(call->object_id), entry->id);
}

/* Whether there is a bundle that may be read without being asked for. */
static bool is_readable(const kvp_record *record)
{
    if (kvp_record_document(record)->loaded)
        return false;
    return record->kind != KVP_RECORD_SECRET ||
           (record->object_count && record->objects[0].cls == CKO_CERTIFICATE);
}

/* The version that a record stands for that was only listed: "" for the current one. */
static const char *version_of(const kvp_record *record)
{
    return kvp_record_document(record)->entry->version;
}

/* Ask for every record of @records in parallel; what cannot be had is left as it is. */
static kvp_status load_all(kvp_call *call, kvp_vault *vault, kvp_record_list *records)
{
    size_t count = records->count;
    KVP_CLEANUP(kvp_freep) kvp_vault_read *reads = kvp_calloc(count, sizeof(*reads));
    if (!reads)
        return kvp_error_set(&call->error, KVP_ERR_NO_MEMORY, "reading objects");
    for (size_t i = 0; i < count; i++)
        reads[i] = (kvp_vault_read){ (kvp_collection)records->items[i]->kind,
                                     records->items[i]->name, version_of(records->items[i]), NULL };

    kvp_read_time when = kvp_read_time_now();
    call->remote = true;
    kvp_status st = kvp_vault_get_many(vault, reads, count, &call->trace, &call->error);
    for (size_t i = 0; i < count; i++) {
        if (!reads[i].result)
            continue;
        kvp_status kept = kvp_record_set_loaded(records->items[i], reads[i].result, when);
        if (st == KVP_OK && kept != KVP_OK)
            st = kvp_error_set(&call->error, kept, "keeping an object");
    }
    return st;
}

CK_RV kvp_records_load(kvp_call *call, kvp_object_store *store, kvp_record_list *records)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list missing = { 0 };
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (size_t i = 0; i < records->count && st == KVP_OK; i++)
        if (is_readable(records->items[i]))
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
    const kvp_shelf *shelf = &store->shelves[record->kind];
    kvp_lock_take(&store->lock);
    kvp_status st = kvp_record_list_add_locked(ret, record);
    bool after = false;
    for (size_t i = 0; record->current && i < shelf->count && ret->count < READ_AHEAD; i++) {
        kvp_record *other = shelf->records[i];
        if (other == record)
            after = true;
        else if (after && st == KVP_OK && is_readable(other))
            st = kvp_record_list_add_locked(ret, other);
    }
    kvp_lock_give(&store->lock);
    return st;
}

/* One GET, with its exact failure. */
static CK_RV load_one(kvp_call *call, kvp_vault *vault, kvp_record *record)
{
    kvp_collection collection = (kvp_collection)record->kind;
    const char *version = version_of(record);
    kvp_read_time when = kvp_read_time_now();
    kvp_entry *entry = NULL;
    call->remote = true;
    kvp_status st =
        kvp_vault_get(vault, collection, record->name, version, &call->trace, &entry, &call->error);
    if (st != KVP_OK) {
        if (st == KVP_ERR_HTTP && call->error.http_status == 404 && !version[0])
            kvp_store_put_missing(record->store, collection, record->name, when.mono_ms);
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    }
    return kvp_record_set_loaded(record, entry, when) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV kvp_object_load(kvp_call *call, kvp_object *object)
{
    kvp_record *record = object->record;
    if (!is_readable(record)) {
        note_entry(call, record);
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
    note_entry(call, record);
    return CKR_OK;
}

/* ---- values of data objects ---- */

CK_RV kvp_data_take_value(kvp_call *call, kvp_record *record, kvp_buf *ret)
{
    kvp_object_store *store = record->store;
    int64_t now = kvp_clock_mono_ms();
    bool known = false;
    kvp_lock_take(&store->lock);
    if (record->value.data) {
        known = now - record->value_ms < KVP_OBJECT_AGE_MS;
        if (known)
            kvp_buf_take(ret, &record->value);
        else
            kvp_buf_clear(&record->value);
    }
    kvp_lock_give(&store->lock);
    note_entry(call, record);
    if (known)
        return CKR_OK;

    kvp_vault *vault = kvp_slot_vault(call, store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    KVP_CLEANUP(kvp_secret_freep) kvp_secret *secret = NULL;
    call->remote = true;
    kvp_status st =
        kvp_vault_secret_get(vault, record->name, NULL, &call->trace, &secret, &call->error);
    if (st == KVP_OK) {
        kvp_copy_printable(call->object_id, sizeof(call->object_id), secret->id);
        st = kvp_secret_bytes(secret, ret);
        if (st != KVP_OK)
            kvp_error_set(&call->error, st, "the secret's value is not what its type says");
    } else if (st == KVP_ERR_HTTP && call->error.http_status == 404) {
        kvp_store_put_missing(store, KVP_SECRETS, record->name, now);
    }
    return st == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_OBJECT);
}

void kvp_data_give_value(kvp_record *record, kvp_buf *value)
{
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&record->store->lock);
    if (!record->dead) {
        kvp_buf_take(&record->value, value);
        record->value_ms = now;
    }
    kvp_lock_give(&record->store->lock);
}
