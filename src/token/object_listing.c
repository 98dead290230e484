/* SPDX-License-Identifier: MIT */
/*
 * Listings taken into the store: whole ones, those of a name's versions, single items. An item says
 * less than a bundle; a document that is there stays while the listing shows nothing new.
 */
#include "base/alloc.h"
#include "token/object_store.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const kvp_entry *const *x = a;
    const kvp_entry *const *y = b;
    return kvp_name_compare((*x)->name, (*y)->name);
}

/* A list's item of the version that @document is of, and of the same class. */
static bool same_birth(const kvp_record *record, const kvp_document *item)
{
    const kvp_document *document = kvp_record_document(record);
    if (document->loaded)
        return item->entry->attributes.created == document->entry->attributes.created;
    const kvp_record_kind_row *row = &kvp_record_kinds[record->kind];
    return record->object_count == 0 ||
           row->classify(record->store->slot, item) == record->objects[0].cls;
}

/* A record for a list's item. Takes @entry; NULL when memory is short. */
static kvp_record *listed_record(kvp_object_store *store, kvp_entry *entry)
{
    kvp_document *document = kvp_document_new_entry(entry, false);
    return document
               ? kvp_record_new(store, (kvp_record_kind)entry->collection, entry->name, document)
               : NULL;
}

/* Records for the shown items of @list, in its order; keys move out of the list. */
static kvp_status make_records(kvp_object_store *store, kvp_entry_list *list, int64_t start_ms,
                               kvp_record ***ret, size_t *ret_count)
{
    kvp_record **fresh = kvp_calloc(list->count + 1, sizeof(*fresh));
    size_t count = 0;
    if (!fresh)
        return KVP_ERR_NO_MEMORY;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), by_name);
    for (size_t i = 0; i < list->count; i++) {
        kvp_entry *entry = list->items[i];
        if (!kvp_entry_is_shown(store, entry))
            continue;
        if (count && kvp_name_compare(fresh[count - 1]->name, entry->name) == 0)
            continue;
        list->items[i] = NULL;
        kvp_record *record = listed_record(store, entry);
        if (!record) {
            for (size_t k = 0; k < count; k++)
                kvp_record_free(fresh[k]);
            kvp_free(fresh);
            return KVP_ERR_NO_MEMORY;
        }
        record->checked_ms = start_ms;
        fresh[count++] = record;
    }
    *ret = fresh;
    *ret_count = count;
    return KVP_OK;
}

/* @fresh, made from a list item, meets the record of its name. Returns which of the two stays. */
static kvp_record *meet_locked(kvp_record *record, kvp_record *fresh, int64_t start_ms,
                               kvp_record **trash)
{
    kvp_document *document = kvp_record_document(record);
    kvp_document *item = kvp_record_document(fresh);

    if (record->checked_ms <= start_ms) {
        if (!same_birth(record, item)) {
            kvp_record_retire_locked(record, true, trash);
            return fresh;
        }
        if (!document->loaded) {
            atomic_store(&fresh->document, NULL);
            kvp_record_publish_locked(record, item);
        } else {
            record->recheck = !kvp_document_is_settled(document, item->entry);
        }
        record->checked_ms = start_ms;
    }
    kvp_trash_add(trash, fresh);
    return record;
}

/* No longer shown as an older version: it stays only as long as its handles. */
static void drop_version_locked(kvp_record *record, kvp_record **trash)
{
    record->versioned = false;
    if (record->pins > 0 || kvp_record_has_handle(record))
        return;
    kvp_record_kill_locked(record);
    kvp_trash_add(trash, record);
}

/* Older versions of names that are gone. */
static void drop_versions_locked(kvp_object_store *store, kvp_collection collection,
                                 kvp_record **trash) KVP_REQUIRES(store->lock)
{
    for (kvp_record *record = store->others, *next; record; record = next) {
        next = record->next;
        if (!record->versioned || record->kind != (kvp_record_kind)collection ||
            kvp_store_current_locked(store, collection, record->name))
            continue;
        drop_version_locked(record, trash);
    }
}

/* Both in order of names: what was there, and what was listed. Fills @table. */
static size_t merge_locked(kvp_record **was, size_t was_count, kvp_record **fresh,
                           size_t fresh_count, int64_t start_ms, kvp_record **table,
                           kvp_record **trash)
{
    size_t count = 0;
    size_t i = 0;
    size_t k = 0;
    while (i < was_count || k < fresh_count) {
        int order = -1;
        if (i == was_count)
            order = 1;
        else if (k < fresh_count)
            order = kvp_name_compare(was[i]->name, fresh[k]->name);
        if (order < 0) {
            /* Not listed: gone, unless we have heard of it since the listing was begun. */
            if (was[i]->checked_ms > start_ms)
                table[count++] = was[i];
            else
                kvp_record_retire_locked(was[i], false, trash);
            i++;
        } else if (order > 0) {
            kvp_record_classify_locked(fresh[k]);
            table[count++] = fresh[k++];
        } else {
            kvp_record *stays = meet_locked(was[i++], fresh[k++], start_ms, trash);
            kvp_record_classify_locked(stays);
            table[count++] = stays;
        }
    }
    for (size_t n = 0; n < count; n++)
        table[n]->current = true;
    return count;
}

kvp_status kvp_store_merge(kvp_object_store *store, kvp_collection collection, kvp_entry_list *list,
                           int64_t start_ms)
{
    kvp_record **fresh = NULL;
    size_t fresh_count = 0;
    kvp_status st = make_records(store, list, start_ms, &fresh, &fresh_count);
    kvp_entry_list_clear(list);
    if (st != KVP_OK)
        return st;

    kvp_record *trash = NULL;
    kvp_shelf *shelf = &store->shelves[collection];
    kvp_lock_take(&store->lock);
    size_t was_count = shelf->count;
    kvp_record **table = kvp_calloc(was_count + fresh_count + 1, sizeof(*table));
    kvp_record **was = kvp_memdup(shelf->records, was_count * sizeof(*was));
    if (!table || (!was && was_count)) {
        kvp_lock_give(&store->lock);
        for (size_t i = 0; i < fresh_count; i++)
            kvp_record_free(fresh[i]);
        kvp_free(fresh);
        kvp_free(table);
        kvp_free(was);
        return KVP_ERR_NO_MEMORY;
    }
    size_t count = merge_locked(was, was_count, fresh, fresh_count, start_ms, table, &trash);
    kvp_free(shelf->records);
    shelf->records = table;
    shelf->count = count;
    shelf->size = was_count + fresh_count + 1;
    if (start_ms >= store->changed_ms && start_ms > shelf->listed_ms)
        shelf->listed_ms = start_ms;
    shelf->refused_ms = INT64_MIN;
    drop_versions_locked(store, collection, &trash);
    kvp_lock_give(&store->lock);

    kvp_trash_free(trash);
    kvp_free(fresh);
    kvp_free(was);
    return KVP_OK;
}

bool kvp_store_refused(kvp_object_store *store, kvp_collection collection, int64_t start_ms)
{
    kvp_shelf *shelf = &store->shelves[collection];
    kvp_lock_take(&store->lock);
    bool is_new = shelf->refused_ms == INT64_MIN;
    shelf->refused_ms = start_ms;
    kvp_lock_give(&store->lock);
    return is_new;
}

/* A version that was listed: new, or the one that we know. */
static void place_version_locked(kvp_object_store *store, kvp_record *fresh, kvp_record **trash)
    KVP_REQUIRES(store->lock)
{
    const kvp_entry *entry = kvp_record_document(fresh)->entry;
    kvp_record *other =
        kvp_store_other_locked(store, entry->collection, entry->name, entry->version);
    if (other) {
        other->versioned = other->superseded = true;
        if (!kvp_record_document(other)->loaded)
            kvp_record_publish_locked(other, atomic_exchange(&fresh->document, NULL));
        kvp_trash_add(trash, fresh);
        return;
    }
    fresh->versioned = fresh->superseded = true;
    kvp_record_classify_locked(fresh);
    kvp_record_link_locked(&store->others, fresh);
}

/* Whether @entry is the version that @current, a loaded one or a list's item, stands for. */
static bool is_current(const kvp_document *current, const kvp_entry *entry, bool newest)
{
    return current->entry->version[0]
               ? kvp_name_compare(current->entry->version, entry->version) == 0
               : newest;
}

/* Whether @list has the version of @entry, and has it enabled. */
static bool is_listed_version(const kvp_entry_list *list, const kvp_entry *entry)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->attributes.enabled &&
            kvp_name_compare(list->items[i]->version, entry->version) == 0)
            return true;
    return false;
}

kvp_status kvp_store_merge_versions(kvp_record *record, kvp_entry_list *list, int64_t start_ms)
{
    kvp_object_store *store = record->store;
    kvp_record *trash = NULL;
    kvp_status st = KVP_OK;
    size_t newest = 0;
    for (size_t i = 1; i < list->count; i++)
        if (list->items[i]->attributes.created > list->items[newest]->attributes.created)
            newest = i;

    kvp_lock_take(&store->lock);
    for (kvp_record *other = store->others, *next; other; other = next) {
        next = other->next;
        if (other->versioned && other->kind == record->kind &&
            kvp_name_compare(other->name, record->name) == 0 &&
            !is_listed_version(list, kvp_record_document(other)->entry))
            drop_version_locked(other, &trash);
    }
    kvp_lock_give(&store->lock);
    for (size_t i = 0; i < list->count && st == KVP_OK; i++) {
        kvp_entry *entry = list->items[i];
        if (!kvp_entry_is_shown(store, entry) ||
            is_current(kvp_record_document(record), entry, i == newest))
            continue;
        list->items[i] = NULL;
        kvp_record *fresh = listed_record(store, entry);
        if (!fresh) {
            st = KVP_ERR_NO_MEMORY;
            break;
        }
        kvp_lock_take(&store->lock);
        place_version_locked(store, fresh, &trash);
        kvp_lock_give(&store->lock);
    }
    kvp_entry_list_clear(list);
    kvp_lock_take(&store->lock);
    if (st == KVP_OK)
        record->versions_ms = start_ms;
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
    return st;
}

kvp_status kvp_store_put_item(kvp_object_store *store, kvp_entry *entry, int64_t start_ms,
                              kvp_record **ret)
{
    if (!kvp_entry_is_shown(store, entry)) {
        kvp_store_put_missing(store, entry->collection, entry->name, start_ms);
        kvp_entry_free(entry);
        *ret = NULL;
        return KVP_OK;
    }
    kvp_record *trash = NULL;
    kvp_record *stays = listed_record(store, entry);
    if (!stays)
        return KVP_ERR_NO_MEMORY;
    stays->checked_ms = start_ms;
    kvp_lock_take(&store->lock);
    kvp_missing_forget_locked(store, (kvp_collection)stays->kind, stays->name);
    kvp_record *known = kvp_store_current_locked(store, (kvp_collection)stays->kind, stays->name);
    if (known)
        stays = meet_locked(known, stays, start_ms, &trash);
    kvp_record_classify_locked(stays);
    bool kept = stays->current || kvp_shelf_insert_locked(store, stays);
    if (kept)
        kvp_record_pin_locked(stays);
    else
        kvp_trash_add(&trash, stays);
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
    if (!kept)
        return KVP_ERR_NO_MEMORY;
    *ret = stays;
    return KVP_OK;
}
