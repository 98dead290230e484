/* SPDX-License-Identifier: MIT */
/*
 * Shelves: the current versions of a collection by name, names that are known to be absent, and how
 * a record leaves its place.
 */
#include "base/alloc.h"
#include "token/object_store.h"

#include <string.h>

/* Where @name is, or would stand. */
static size_t position(const kvp_shelf *shelf, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = shelf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = kvp_name_compare(shelf->records[middle]->name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

kvp_record *kvp_store_current_locked(kvp_object_store *store, kvp_collection collection,
                                     const char *name)
{
    bool found;
    size_t at = position(&store->shelves[collection], name, &found);
    return found ? store->shelves[collection].records[at] : NULL;
}

kvp_record *kvp_store_other_locked(kvp_object_store *store, kvp_collection collection,
                                   const char *name, const char *version)
{
    for (kvp_record *record = store->others; record; record = record->next)
        if (record->kind == (kvp_record_kind)collection &&
            kvp_name_compare(record->name, name) == 0 &&
            kvp_name_compare(kvp_record_document(record)->entry->version, version) == 0)
            return record;
    return NULL;
}

bool kvp_shelf_insert_locked(kvp_object_store *store, kvp_record *record)
{
    kvp_shelf *shelf = &store->shelves[record->kind];
    if (shelf->count == shelf->size) {
        size_t size = shelf->size ? shelf->size * 2 : 64;
        void *records = kvp_realloc(shelf->records, size * sizeof(*shelf->records));
        if (!records)
            return false;
        shelf->records = records;
        shelf->size = size;
    }
    bool found;
    size_t at = position(shelf, record->name, &found);
    memmove(&shelf->records[at + 1], &shelf->records[at],
            (shelf->count - at) * sizeof(*shelf->records));
    shelf->records[at] = record;
    shelf->count++;
    record->current = true;
    return true;
}

void kvp_shelf_remove_locked(kvp_record *record)
{
    kvp_shelf *shelf = &record->store->shelves[record->kind];
    bool found;
    size_t at = position(shelf, record->name, &found);
    if (found && shelf->records[at] == record) {
        memmove(&shelf->records[at], &shelf->records[at + 1],
                (shelf->count - at - 1) * sizeof(*shelf->records));
        shelf->count--;
    }
    record->current = false;
}

void kvp_record_retire_locked(kvp_record *record, bool superseded, kvp_record **trash)
{
    bool keep = false;
    for (unsigned i = 0; i < record->object_count; i++)
        keep = keep || record->objects[i].handle != CK_INVALID_HANDLE;
    keep = (keep || record->pins > 0) && kvp_record_document(record)->loaded;

    if (!keep) {
        kvp_record_kill_locked(record);
        if (record->pins == 0)
            kvp_trash_add(trash, record);
        return;
    }
    if (record->current)
        kvp_shelf_remove_locked(record);
    record->superseded = superseded;
    kvp_record_link_locked(&record->store->others, record);
}

void kvp_missing_forget_locked(kvp_object_store *store, kvp_collection collection, const char *name)
{
    struct kvp_missing *missing = store->shelves[collection].missing;
    for (size_t i = 0; i < KVP_MISSING_MAX; i++)
        if (kvp_name_compare(missing[i].name, name) == 0)
            missing[i].name[0] = '\0';
}

void kvp_missing_note_locked(kvp_object_store *store, kvp_collection collection, const char *name,
                             int64_t start_ms)
{
    kvp_missing_forget_locked(store, collection, name);
    kvp_shelf *shelf = &store->shelves[collection];
    struct kvp_missing *missing = &shelf->missing[shelf->missing_next++ % KVP_MISSING_MAX];
    size_t len = strlen(name);
    if (len > KVP_NAME_MAX)
        return;
    memcpy(missing->name, name, len + 1);
    missing->checked_ms = start_ms;
}
