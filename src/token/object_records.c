/* SPDX-License-Identifier: MIT */
/*
 * What the vault said, taken into the store: whole listings, single bundles, "no such key". Several
 * threads may ask at once; an answer that was asked for before another one that is already here
 * changes nothing.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "token/object_store.h"

#include <stdlib.h>
#include <string.h>

kvp_read_time kvp_read_time_now(void)
{
    return (kvp_read_time){ kvp_clock_mono_ms(), kvp_clock_wall_us() };
}

/* Where @name is, or would stand, among the current versions. */
static size_t position_locked(const kvp_object_store *store, const char *name, bool *ret_found)
    KVP_REQUIRES(store->lock)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = kvp_name_compare(store->current[middle]->name, name);
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

kvp_record *kvp_store_current_locked(kvp_object_store *store, const char *name)
{
    bool found;
    size_t at = position_locked(store, name, &found);
    return found ? store->current[at] : NULL;
}

kvp_record *kvp_store_other_locked(kvp_object_store *store, const char *name, const char *version)
{
    for (kvp_record *record = store->others; record; record = record->next) {
        const kvp_document *document = kvp_record_document(record);
        if (document->loaded && kvp_name_compare(record->name, name) == 0 &&
            kvp_name_compare(document->key->version, version) == 0)
            return record;
    }
    return NULL;
}

static bool insert_current_locked(kvp_object_store *store, kvp_record *record)
    KVP_REQUIRES(store->lock)
{
    if (store->count == store->size) {
        size_t size = store->size ? store->size * 2 : 64;
        void *current = kvp_realloc(store->current, size * sizeof(*store->current));
        if (!current)
            return false;
        store->current = current;
        store->size = size;
    }
    bool found;
    size_t at = position_locked(store, record->name, &found);
    memmove(&store->current[at + 1], &store->current[at],
            (store->count - at) * sizeof(*store->current));
    store->current[at] = record;
    store->count++;
    record->current = true;
    return true;
}

/*
 * The record is no longer what the vault shows under its name. Its handles stay while it has a
 * document, so that who found it can go on with that version; one that was only listed is nothing.
 * Returns it when it can be freed, after unlocking.
 */
static kvp_record *retire_locked(kvp_object_store *store, kvp_record *record, bool superseded)
    KVP_REQUIRES(store->lock)
{
    bool keep = false;
    for (unsigned i = 0; i < record->object_count; i++)
        keep = keep || record->objects[i].handle != CK_INVALID_HANDLE;
    keep = (keep || record->pins > 0) && kvp_record_document(record)->loaded;

    if (!keep) {
        kvp_record_kill_locked(record);
        return record->pins == 0 ? record : NULL;
    }
    bool found;
    size_t at = position_locked(store, record->name, &found);
    if (record->current && found) {
        memmove(&store->current[at], &store->current[at + 1],
                (store->count - at - 1) * sizeof(*store->current));
        store->count--;
    }
    record->current = false;
    record->superseded = superseded;
    kvp_record_link_locked(&store->others, record);
    return NULL;
}

static void forget_missing_locked(kvp_object_store *store, const char *name)
    KVP_REQUIRES(store->lock)
{
    for (size_t i = 0; i < KVP_MISSING_MAX; i++)
        if (kvp_name_compare(store->missing[i].name, name) == 0)
            store->missing[i].name[0] = '\0';
}

static void note_missing_locked(kvp_object_store *store, const char *name, int64_t start_ms)
    KVP_REQUIRES(store->lock)
{
    forget_missing_locked(store, name);
    struct kvp_missing *slot = &store->missing[store->missing_next++ % KVP_MISSING_MAX];
    size_t len = strlen(name);
    if (len > KVP_NAME_MAX)
        return;
    memcpy(slot->name, name, len + 1);
    slot->checked_ms = start_ms;
}

/* ---- listings ---- */

static int by_name(const void *a, const void *b)
{
    const kvp_entry *const *x = a;
    const kvp_entry *const *y = b;
    return kvp_name_compare((*x)->name, (*y)->name);
}

/* Whether the bundle is surely what the list page shows. */
static bool settled(const kvp_document *document, const kvp_key *item)
{
    const kvp_attributes *seen = &item->attributes;
    const kvp_attributes *had = &document->key->attributes;
    return seen->updated != 0 && seen->updated == had->updated &&
           document->read_wall_us - seen->updated * 1000000 >= KVP_SETTLE_US;
}

static bool same_birth(const kvp_document *document, const kvp_key *item)
{
    return item->attributes.created == document->key->attributes.created;
}

/* Records that end are linked by next and freed after unlocking. */
static void trash_add(kvp_record **trash, kvp_record *record)
{
    if (!record)
        return;
    record->next = *trash;
    *trash = record;
}

static void trash_free(kvp_record *trash)
{
    while (trash) {
        kvp_record *next = trash->next;
        kvp_record_free(trash);
        trash = next;
    }
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
        kvp_key *key = (kvp_key *)list->items[i];
        if (!key->attributes.enabled || !kvp_config_vault_shows(store->slot->config, key->name))
            continue;
        if (count && kvp_name_compare(fresh[count - 1]->name, key->name) == 0)
            continue;
        list->items[i] = NULL;
        kvp_document *document = kvp_document_new(key, false);
        kvp_record *record = document ? kvp_record_new(store, key->name, document) : NULL;
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
static kvp_record *meet_locked(kvp_object_store *store, kvp_record *record, kvp_record *fresh,
                               int64_t start_ms, kvp_record **trash)
    KVP_REQUIRES(store->lock)
{
    kvp_document *document = kvp_record_document(record);
    kvp_document *item = kvp_record_document(fresh);

    if (record->checked_ms <= start_ms) {
        if (document->loaded && !same_birth(document, item->key)) {
            trash_add(trash, retire_locked(store, record, true));
            return fresh;
        }
        if (!document->loaded) {
            atomic_store(&fresh->document, NULL);
            kvp_record_publish_locked(record, item);
        } else {
            record->recheck = !settled(document, item->key);
        }
        record->checked_ms = start_ms;
    }
    trash_add(trash, fresh);
    return record;
}

kvp_status kvp_store_merge(kvp_object_store *store, kvp_entry_list *list, int64_t start_ms)
{
    kvp_record **fresh = NULL;
    size_t fresh_count = 0;
    kvp_status st = make_records(store, list, start_ms, &fresh, &fresh_count);
    kvp_entry_list_clear(list);
    if (st != KVP_OK)
        return st;

    kvp_record *trash = NULL;
    kvp_lock_take(&store->lock);
    size_t old_count = store->count;
    kvp_record **old = store->current;
    kvp_record **table = kvp_calloc(old_count + fresh_count + 1, sizeof(*table));
    kvp_record **was = kvp_memdup(old, old_count * sizeof(*old));
    if (!table || (!was && old_count)) {
        kvp_lock_give(&store->lock);
        for (size_t i = 0; i < fresh_count; i++)
            kvp_record_free(fresh[i]);
        kvp_free(fresh);
        kvp_free(table);
        kvp_free(was);
        return KVP_ERR_NO_MEMORY;
    }

    size_t count = 0;
    size_t i = 0;
    size_t k = 0;
    while (i < old_count || k < fresh_count) {
        int order = -1;
        if (i == old_count)
            order = 1;
        else if (k < fresh_count)
            order = kvp_name_compare(was[i]->name, fresh[k]->name);
        if (order < 0) {
            /* Not listed: gone, unless we have heard of it since the listing was begun. */
            if (was[i]->checked_ms > start_ms)
                table[count++] = was[i];
            else
                trash_add(&trash, retire_locked(store, was[i], false));
            i++;
        } else if (order > 0) {
            kvp_record_classify_locked(fresh[k]);
            table[count++] = fresh[k++];
        } else {
            kvp_record *stays = meet_locked(store, was[i++], fresh[k++], start_ms, &trash);
            kvp_record_classify_locked(stays);
            table[count++] = stays;
        }
    }
    for (size_t n = 0; n < count; n++)
        table[n]->current = true;
    kvp_free(store->current);
    store->current = table;
    store->count = count;
    store->size = old_count + fresh_count + 1;
    if (start_ms >= store->changed_ms && start_ms > store->listed_ms)
        store->listed_ms = start_ms;
    kvp_lock_give(&store->lock);

    trash_free(trash);
    kvp_free(fresh);
    kvp_free(was);
    return KVP_OK;
}

/* ---- single bundles ---- */

/* The same version was read again: keep the document, with its parsed key, if nothing changed. */
static void refresh_locked(kvp_record *record, kvp_document **document)
{
    kvp_document *had = kvp_record_document(record);
    bool unchanged = had->loaded && settled(had, (*document)->key);
    if (!unchanged)
        kvp_record_publish_locked(record, KVP_STEAL(*document));
    record->recheck = false;
}

/* The record that shall have @document, made or found; NULL when memory is short. */
static kvp_record *place_locked(kvp_object_store *store, kvp_document **document, bool current,
                                kvp_record **trash)
    KVP_REQUIRES(store->lock)
{
    const char *name = (*document)->key->name;
    const char *version = (*document)->key->version;
    kvp_record *record = kvp_store_current_locked(store, name);
    const kvp_document *had = record ? kvp_record_document(record) : NULL;

    if (record && had->loaded && kvp_name_compare(had->key->version, version) == 0) {
        refresh_locked(record, document);
        return record;
    }
    if (record && !had->loaded && current) {
        kvp_record_publish_locked(record, KVP_STEAL(*document));
        record->recheck = false;
        return record;
    }

    kvp_record *other = kvp_store_other_locked(store, name, version);
    kvp_record *placed = other;
    if (!placed) {
        placed = kvp_record_new(store, name, *document);
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
        trash_add(trash, retire_locked(store, record, true));
    if (other)
        kvp_record_unlink_locked(other);
    placed->superseded = false;
    if (!insert_current_locked(store, placed)) {
        /* No room in the table: it stays among the others, where its handles are still good. */
        kvp_record_link_locked(&store->others, placed);
    }
    return placed;
}

kvp_status kvp_store_put(kvp_object_store *store, kvp_key *key, bool current, kvp_read_time when,
                         kvp_record **ret)
{
    bool shown = key->attributes.enabled && kvp_config_vault_shows(store->slot->config, key->name);
    kvp_document *document = kvp_document_new(key, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;

    kvp_record *trash = NULL;
    kvp_record *record = NULL;
    kvp_lock_take(&store->lock);
    kvp_record *known = current ? kvp_store_current_locked(store, document->key->name) : NULL;
    if (known && known->checked_ms > when.mono_ms && kvp_record_document(known)->loaded) {
        record = known;
    } else if (!shown) {
        if (known)
            trash_add(&trash, retire_locked(store, known, false));
        if (current)
            note_missing_locked(store, document->key->name, when.mono_ms);
    } else {
        if (current)
            forget_missing_locked(store, document->key->name);
        record = place_locked(store, &document, current, &trash);
        if (record)
            record->checked_ms = when.mono_ms;
    }
    if (record)
        kvp_record_pin_locked(record);
    kvp_lock_give(&store->lock);

    bool failed = shown && !record;
    trash_free(trash);
    kvp_document_free(document);
    if (failed)
        return KVP_ERR_NO_MEMORY;
    *ret = record;
    return KVP_OK;
}

kvp_status kvp_record_set_loaded(kvp_record *record, kvp_key *key, kvp_read_time when)
{
    kvp_document *document = kvp_document_new(key, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;
    kvp_lock_take(&record->store->lock);
    if (!kvp_record_document(record)->loaded) {
        kvp_record_publish_locked(record, KVP_STEAL(document));
        record->checked_ms = when.mono_ms;
        record->recheck = false;
    }
    kvp_lock_give(&record->store->lock);
    kvp_document_free(document);
    return KVP_OK;
}

kvp_status kvp_record_set_changed(kvp_record *record, kvp_key *key, kvp_read_time when)
{
    kvp_document *document = kvp_document_new(key, true);
    if (!document)
        return KVP_ERR_NO_MEMORY;
    document->read_wall_us = when.wall_us;
    kvp_lock_take(&record->store->lock);
    kvp_record_publish_locked(record, document);
    record->checked_ms = when.mono_ms;
    record->recheck = false;
    record->store->changed_ms = when.mono_ms;
    kvp_lock_give(&record->store->lock);
    return KVP_OK;
}

void kvp_store_put_missing(kvp_object_store *store, const char *name, int64_t start_ms)
{
    kvp_record *trash = NULL;
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, name);
    if (!record || record->checked_ms <= start_ms) {
        if (record)
            trash_add(&trash, retire_locked(store, record, false));
        note_missing_locked(store, name, start_ms);
    }
    kvp_lock_give(&store->lock);
    trash_free(trash);
}

void kvp_store_deleted(kvp_object_store *store, const char *name)
{
    kvp_record *trash = NULL;
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, name);
    if (record) {
        kvp_record_kill_locked(record);
        if (record->pins == 0)
            trash_add(&trash, record);
    }
    for (kvp_record *other = store->others, *next; other; other = next) {
        next = other->next;
        if (kvp_name_compare(other->name, name) != 0)
            continue;
        kvp_record_kill_locked(other);
        if (other->pins == 0)
            trash_add(&trash, other);
    }
    note_missing_locked(store, name, now);
    store->changed_ms = now;
    kvp_lock_give(&store->lock);
    trash_free(trash);
}

void kvp_store_changed(kvp_object_store *store)
{
    kvp_lock_take(&store->lock);
    store->changed_ms = kvp_clock_mono_ms();
    kvp_lock_give(&store->lock);
}

/* ---- what is known ---- */

static bool young(int64_t checked_ms, int64_t now)
{
    return checked_ms != INT64_MIN && now - checked_ms < KVP_OBJECT_AGE_MS;
}

kvp_known kvp_store_known(kvp_object_store *store, const kvp_key_ref *ref, kvp_record **ret)
{
    kvp_known known = KVP_KNOWN_NOT;
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    kvp_record *record = kvp_store_current_locked(store, ref->name);
    const kvp_document *document = record ? kvp_record_document(record) : NULL;
    if (ref->version[0] && !(document && document->loaded &&
                             kvp_name_compare(document->key->version, ref->version) == 0))
        record = kvp_store_other_locked(store, ref->name, ref->version);
    if (record && young(record->checked_ms, now) && !record->recheck) {
        kvp_record_pin_locked(record);
        *ret = record;
        known = KVP_KNOWN_PRESENT;
    }
    for (size_t i = 0; known == KVP_KNOWN_NOT && !ref->version[0] && i < KVP_MISSING_MAX; i++)
        if (store->missing[i].name[0] && young(store->missing[i].checked_ms, now) &&
            kvp_name_compare(store->missing[i].name, ref->name) == 0)
            known = KVP_KNOWN_ABSENT;
    kvp_lock_give(&store->lock);
    return known;
}

bool kvp_store_is_listed(kvp_object_store *store)
{
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    bool listed = young(store->listed_ms, now);
    kvp_lock_give(&store->lock);
    return listed;
}

kvp_status kvp_store_snapshot(kvp_object_store *store, bool token, bool sessions,
                              kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (size_t i = 0; token && st == KVP_OK && i < store->count; i++)
        st = kvp_record_list_add_locked(ret, store->current[i]);
    for (kvp_record *r = sessions ? store->sessions : NULL; r && st == KVP_OK; r = r->next)
        st = kvp_record_list_add_locked(ret, r);
    kvp_lock_give(&store->lock);
    return st;
}

kvp_status kvp_store_unsettled(kvp_object_store *store, kvp_record_list *ret)
{
    kvp_status st = KVP_OK;
    kvp_lock_take(&store->lock);
    for (size_t i = 0; st == KVP_OK && i < store->count; i++)
        if (store->current[i]->recheck)
            st = kvp_record_list_add_locked(ret, store->current[i]);
    kvp_lock_give(&store->lock);
    return st;
}
