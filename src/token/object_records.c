/* SPDX-License-Identifier: MIT */
/*
 * What the vault said, taken into the store: whole listings, single bundles, "no such name".
 * Several threads may ask at once; an answer that was asked for before another one that is already
 * here changes nothing.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "token/object_store.h"

#include <string.h>

kvp_read_time kvp_read_time_now(void)
{
    return (kvp_read_time){ kvp_clock_mono_ms(), kvp_clock_wall_us() };
}

bool kvp_entry_is_shown(const kvp_object_store *store, const kvp_entry *entry)
{
    return entry->attributes.enabled &&
           kvp_record_kinds[entry->collection].shows(store->slot, entry);
}

bool kvp_document_is_settled(const kvp_document *document, const kvp_entry *item)
{
    const kvp_attributes *seen = &item->attributes;
    const kvp_attributes *had = &document->entry->attributes;
    return seen->updated != 0 && seen->updated == had->updated &&
           document->read_wall_us - seen->updated * 1000000 >= KVP_SETTLE_US;
}

/* ---- single bundles ---- */

/* The same version was read again: keep the document, with its parsed key, if nothing changed. */
static void refresh_locked(kvp_record *record, kvp_document **document)
{
    kvp_document *had = kvp_record_document(record);
    bool unchanged = had->loaded && kvp_document_is_settled(had, (*document)->entry);
    if (!unchanged)
        kvp_record_publish_locked(record, KVP_STEAL(*document));
    record->recheck = false;
}

/* The record that shall have @document, made or found; NULL when memory is short. */
static kvp_record *place_locked(kvp_object_store *store, kvp_document **document, bool current,
                                kvp_record **trash) KVP_REQUIRES(store->lock)
{
    kvp_collection collection = (*document)->entry->collection;
    const char *name = (*document)->entry->name;
    const char *version = (*document)->entry->version;
    kvp_record *record = kvp_store_current_locked(store, collection, name);
    const kvp_document *had = record ? kvp_record_document(record) : NULL;

    if (record && had->loaded && kvp_name_compare(had->entry->version, version) == 0) {
        refresh_locked(record, document);
        return record;
    }
    if (record && !had->loaded && current) {
        kvp_record_publish_locked(record, KVP_STEAL(*document));
        record->recheck = false;
        return record;
    }

    kvp_record *other = kvp_store_other_locked(store, collection, name, version);
    kvp_record *placed = other;
    if (!placed) {
        placed = kvp_record_new(store, (kvp_record_kind)collection, name, *document);
        *document = NULL;
        if (!placed)
            return NULL;
        kvp_record_classify_locked(placed);
    } else {
        refresh_locked(placed, document);
    }
    if (!current) {
        placed->superseded = true;
        if (!other)
            kvp_record_link_locked(&store->others, placed);
        return placed;
    }
    if (record)
        kvp_record_retire_locked(record, true, trash);
    if (other)
        kvp_record_unlink_locked(other);
    placed->superseded = placed->versioned = false;
    if (!kvp_shelf_insert_locked(store, placed)) {
        /* No room in the table: it stays among the others, where its handles are still good. */
        kvp_record_link_locked(&store->others, placed);
    }
    return placed;
}

kvp_status kvp_store_put(kvp_object_store *store, kvp_entry *entry, bool current,
                         kvp_read_time when, kvp_record **ret)
{
    bool shown = kvp_entry_is_shown(store, entry);
    kvp_collection collection = entry->collection;
    kvp_document *document = kvp_document_new_entry(entry, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;

    kvp_record *trash = NULL;
    kvp_record *record = NULL;
    kvp_lock_take(&store->lock);
    kvp_record *known =
        current ? kvp_store_current_locked(store, collection, document->entry->name) : NULL;
    if (known && known->checked_ms > when.mono_ms && kvp_record_document(known)->loaded) {
        record = known;
    } else if (!shown) {
        if (known)
            kvp_record_retire_locked(known, false, &trash);
        if (current)
            kvp_missing_note_locked(store, collection, document->entry->name, when.mono_ms);
    } else {
        if (current)
            kvp_missing_forget_locked(store, collection, document->entry->name);
        record = place_locked(store, &document, current, &trash);
        if (record)
            record->checked_ms = when.mono_ms;
    }
    if (record) {
        kvp_record_pin_locked(record);
        kvp_record_pair_locked(store, record);
    }
    kvp_lock_give(&store->lock);

    bool failed = shown && !record;
    kvp_trash_free(trash);
    kvp_document_free(document);
    if (failed)
        return KVP_ERR_NO_MEMORY;
    *ret = record;
    return KVP_OK;
}

kvp_status kvp_record_set_loaded(kvp_record *record, kvp_entry *entry, kvp_read_time when)
{
    kvp_object_store *store = record->store;
    kvp_document *document = kvp_document_new_entry(entry, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;
    kvp_lock_take(&store->lock);
    if (!kvp_record_document(record)->loaded) {
        kvp_record_publish_locked(record, KVP_STEAL(document));
        record->checked_ms = when.mono_ms;
        record->recheck = false;
        kvp_record_pair_locked(store, record);
    }
    kvp_lock_give(&store->lock);
    kvp_document_free(document);
    return KVP_OK;
}

kvp_status kvp_record_set_changed(kvp_record *record, kvp_entry *entry, kvp_read_time when)
{
    kvp_object_store *store = record->store;
    kvp_document *document = kvp_document_new_entry(entry, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;
    kvp_lock_take(&store->lock);
    kvp_record_publish_locked(record, document);
    record->checked_ms = when.mono_ms;
    record->recheck = false;
    store->changed_ms = when.mono_ms;
    kvp_record_pair_locked(store, record);
    kvp_lock_give(&store->lock);
    return KVP_OK;
}

void kvp_store_put_missing(kvp_object_store *store, kvp_collection collection, const char *name,
                           int64_t start_ms)
{
    kvp_record *trash = NULL;
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, collection, name);
    if (!record || record->checked_ms <= start_ms) {
        if (record)
            kvp_record_retire_locked(record, false, &trash);
        kvp_missing_note_locked(store, collection, name, start_ms);
    }
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
}

static void kill_deleted_locked(kvp_object_store *store, kvp_record *record,
                                const kvp_object *object, kvp_record **trash)
    KVP_REQUIRES(store->lock)
{
    for (unsigned i = 0; i < record->object_count; i++) {
        const kvp_object *other = &record->objects[i];
        if (other != object && other->handle != CK_INVALID_HANDLE)
            store->along[store->along_next++ % KVP_ARRAY_LEN(store->along)] = other->handle;
    }
    kvp_record_kill_locked(record);
    if (record->pins == 0)
        kvp_trash_add(trash, record);
}

void kvp_store_deleted(kvp_object_store *store, kvp_collection collection, const char *name,
                       const kvp_object *object)
{
    kvp_record *trash = NULL;
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, collection, name);
    if (record)
        kill_deleted_locked(store, record, object, &trash);
    for (kvp_record *other = store->others, *next; other; other = next) {
        next = other->next;
        if (other->kind == (kvp_record_kind)collection && kvp_name_compare(other->name, name) == 0)
            kill_deleted_locked(store, other, object, &trash);
    }
    kvp_missing_note_locked(store, collection, name, now);
    store->changed_ms = now;
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
}

bool kvp_store_went_along(kvp_object_store *store, CK_OBJECT_HANDLE handle)
{
    bool found = false;
    if (handle == CK_INVALID_HANDLE)
        return false;
    kvp_lock_take(&store->lock);
    for (size_t i = 0; i < KVP_ARRAY_LEN(store->along) && !found; i++) {
        found = store->along[i] == handle;
        if (found)
            store->along[i] = CK_INVALID_HANDLE;
    }
    kvp_lock_give(&store->lock);
    return found;
}

void kvp_store_changed(kvp_object_store *store)
{
    kvp_lock_take(&store->lock);
    store->changed_ms = kvp_clock_mono_ms();
    kvp_lock_give(&store->lock);
}
