/* SPDX-License-Identifier: MIT */
/*
 * Life of records, documents and handles. What the vault says goes into the store in
 * object_records.c; what applications ask for is read out in object.c and find.c.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "token/create.h"
#include "token/object_store.h"

#include <stdatomic.h>
#include <string.h>

/* Handles are unique in the process, across slots, and never used again. */
static _Atomic CK_OBJECT_HANDLE next_handle = 1;

/* ---- documents ---- */

kvp_document *kvp_document_new(kvp_key *key, bool loaded)
{
    kvp_document *document = kvp_calloc(1, sizeof(*document));
    if (!document) {
        kvp_key_free(key);
        return NULL;
    }
    document->key = key;
    document->loaded = loaded;
    return document;
}

kvp_document *kvp_document_new_entry(kvp_entry *entry, bool loaded)
{
    KVP_CLEANUP(kvp_document_freep) kvp_document *document = kvp_calloc(1, sizeof(*document));
    if (!document) {
        kvp_entry_free(entry);
        return NULL;
    }
    document->entry = entry;
    if (entry->collection == KVP_KEYS)
        document->key = (kvp_key *)entry;
    document->loaded = loaded;
    kvp_status (*complete)(kvp_document *) = kvp_record_kinds[entry->collection].complete;
    if (loaded && complete && complete(document) != KVP_OK)
        return NULL;
    return KVP_STEAL(document);
}

void kvp_document_free(kvp_document *document)
{
    if (!document)
        return;
    if (document->entry)
        kvp_entry_free(document->entry);
    else
        kvp_key_free(document->key);
    kvp_cert_free(document->cert);
    kvp_buf *subject = atomic_load(&document->subject);
    if (subject)
        kvp_buf_clear(subject);
    kvp_free(subject);
    kvp_attribute_set_clear(&document->set);
    kvp_public_key_free(atomic_load(&document->public_key));
    kvp_free(document);
}

kvp_status kvp_document_public_key(kvp_document *document, const kvp_public_key **ret,
                                   kvp_error *reterr)
{
    kvp_public_key *known = atomic_load_explicit(&document->public_key, memory_order_acquire);
    if (known) {
        *ret = known;
        return KVP_OK;
    }
    if (!document->key || !document->loaded)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "the object is no public key");
    kvp_public_key *fresh = NULL;
    kvp_status st = kvp_public_key_from_key(document->key, &fresh, reterr);
    if (st != KVP_OK)
        return st;
    if (atomic_compare_exchange_strong(&document->public_key, &known, fresh)) {
        *ret = fresh;
    } else {
        kvp_public_key_free(fresh);
        *ret = known;
    }
    return KVP_OK;
}

static void free_documents(kvp_document *document)
{
    while (document) {
        kvp_document *next = document->next;
        kvp_document_free(document);
        document = next;
    }
}

/* ---- records ---- */

kvp_record *kvp_record_new(kvp_object_store *store, kvp_record_kind kind, const char *name,
                           kvp_document *document)
{
    kvp_record *record = kvp_calloc(1, sizeof(*record));
    char *copy = kvp_strdup(name);
    if (!record || (name && !copy)) {
        kvp_free(record);
        kvp_free(copy);
        kvp_document_free(document);
        return NULL;
    }
    record->store = store;
    record->kind = kind;
    record->name = copy;
    record->value = (kvp_buf)KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    record->versions_ms = INT64_MIN;
    atomic_init(&record->document, document);
    return record;
}

void kvp_record_free(kvp_record *record)
{
    if (!record)
        return;
    kvp_document_free(atomic_load(&record->document));
    free_documents(record->replaced);
    kvp_buf_clear(&record->value);
    kvp_free(record->name);
    kvp_free(record);
}

void kvp_record_publish_locked(kvp_record *record, kvp_document *document)
{
    kvp_document *old = atomic_exchange(&record->document, document);
    if (old) {
        old->next = record->replaced;
        record->replaced = old;
    }
    kvp_record_classify_locked(record);
}

void kvp_record_classify_locked(kvp_record *record)
{
    const kvp_record_kind_row *row = &kvp_record_kinds[record->kind];
    if (!row->classify || record->object_count)
        return;
    CK_OBJECT_CLASS cls = row->classify(record->store->slot, kvp_record_document(record));
    if (cls == CK_UNAVAILABLE_INFORMATION)
        return;
    record->object_count = cls == CKO_PRIVATE_KEY ? 2 : 1;
    for (unsigned i = 0; i < record->object_count; i++) {
        record->objects[i].record = record;
        record->objects[i].cls = i == 0 ? cls : CKO_PUBLIC_KEY;
    }
}

void kvp_record_link_locked(kvp_record **head, kvp_record *record)
{
    record->prev = NULL;
    record->next = *head;
    if (*head)
        (*head)->prev = record;
    *head = record;
}

void kvp_record_unlink_locked(kvp_record *record)
{
    kvp_object_store *store = record->store;
    if (record->prev)
        record->prev->next = record->next;
    else if (store->others == record)
        store->others = record->next;
    else if (store->issuers == record)
        store->issuers = record->next;
    else if (store->sessions == record)
        store->sessions = record->next;
    if (record->next)
        record->next->prev = record->prev;
    record->prev = record->next = NULL;
}

static size_t handle_position(const kvp_object_store *store, CK_OBJECT_HANDLE handle)
{
    size_t low = 0;
    size_t high = store->handle_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->handles[middle].handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static kvp_object *lookup_locked(const kvp_object_store *store, CK_OBJECT_HANDLE handle)
{
    size_t at = handle_position(store, handle);
    if (handle == CK_INVALID_HANDLE || at == store->handle_count ||
        store->handles[at].handle != handle)
        return NULL;
    return store->handles[at].object;
}

void kvp_record_kill_locked(kvp_record *record)
{
    kvp_object_store *store = record->store;
    for (unsigned i = 0; i < record->object_count; i++) {
        size_t at = handle_position(store, record->objects[i].handle);
        if (!lookup_locked(store, record->objects[i].handle))
            continue;
        memmove(&store->handles[at], &store->handles[at + 1],
                (store->handle_count - at - 1) * sizeof(*store->handles));
        store->handle_count--;
    }
    if (record->current)
        kvp_shelf_remove_locked(record);
    else
        kvp_record_unlink_locked(record);
    record->dead = true;
}

bool kvp_record_has_handle(const kvp_record *record)
{
    for (unsigned i = 0; i < record->object_count; i++)
        if (record->objects[i].handle != CK_INVALID_HANDLE)
            return true;
    return false;
}

/*
 * What can go when nobody looks at a record any more is taken out under the lock and freed after
 * it: freeing a parsed key calls OpenSSL.
 */
void kvp_record_unpin(kvp_record *record)
{
    if (!record)
        return;
    kvp_object_store *store = record->store;
    kvp_document *replaced = NULL;
    bool gone = false;

    kvp_lock_take(&store->lock);
    if (--record->pins == 0) {
        replaced = record->replaced;
        record->replaced = NULL;
        gone = record->dead;
        if (!gone && record->name && !record->current && !record->versioned &&
            !kvp_record_has_handle(record)) {
            kvp_record_unlink_locked(record);
            gone = true;
        }
    }
    kvp_lock_give(&store->lock);

    free_documents(replaced);
    if (gone)
        kvp_record_free(record);
}

void kvp_trash_add(kvp_record **trash, kvp_record *record)
{
    if (!record)
        return;
    record->next = *trash;
    *trash = record;
}

void kvp_trash_free(kvp_record *trash)
{
    while (trash) {
        kvp_record *next = trash->next;
        kvp_record_free(trash);
        trash = next;
    }
}

void kvp_record_list_clear(kvp_record_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        kvp_record_unpin(list->items[i]);
    kvp_free(list->items);
    *list = (kvp_record_list){ 0 };
}

kvp_status kvp_record_list_add_locked(kvp_record_list *list, kvp_record *record)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64;
        void *items = kvp_realloc(list->items, size * sizeof(*list->items));
        if (!items)
            return KVP_ERR_NO_MEMORY;
        list->items = items;
        list->size = size;
    }
    kvp_record_pin_locked(record);
    list->items[list->count++] = record;
    return KVP_OK;
}

/* ---- handles ---- */

CK_OBJECT_HANDLE kvp_object_handle_locked(kvp_object *object)
{
    kvp_object_store *store = object->record->store;
    if (object->handle != CK_INVALID_HANDLE)
        return object->handle;
    if (store->handle_count == store->handle_size) {
        size_t size = store->handle_size ? store->handle_size * 2 : 64;
        void *handles = kvp_realloc(store->handles, size * sizeof(*store->handles));
        if (!handles)
            return CK_INVALID_HANDLE;
        store->handles = handles;
        store->handle_size = size;
    }
    /* Drawn under the lock, so that the table stays in order by appending. */
    object->handle = atomic_fetch_add(&next_handle, 1);
    store->handles[store->handle_count].handle = object->handle;
    store->handles[store->handle_count].object = object;
    store->handle_count++;
    return object->handle;
}

CK_OBJECT_HANDLE kvp_object_handle(kvp_object *object)
{
    kvp_object_store *store = object->record->store;
    kvp_lock_take(&store->lock);
    CK_OBJECT_HANDLE handle =
        object->record->dead ? CK_INVALID_HANDLE : kvp_object_handle_locked(object);
    kvp_lock_give(&store->lock);
    return handle;
}

bool kvp_slot_needs_login(const kvp_slot *slot)
{
    return slot->config->credential && strcmp(slot->config->credential, "pin") == 0;
}

bool kvp_slot_is_open(kvp_slot *slot)
{
    if (!kvp_slot_needs_login(slot))
        return true;
    kvp_lock_take(&slot->lock);
    bool open = slot->logged_in;
    kvp_lock_give(&slot->lock);
    return open;
}

kvp_vault *kvp_slot_vault(kvp_call *call, kvp_slot *slot)
{
    if (!slot->vault)
        call->error = slot->vault_error;
    return slot->vault;
}

static bool object_is_private(const kvp_object *object)
{
    kvp_view view;
    kvp_object_view(object, &view);
    return kvp_attribute_is_true(&view, CKA_PRIVATE);
}

CK_RV kvp_object_get(kvp_session *session, CK_OBJECT_HANDLE handle, kvp_object **ret)
{
    kvp_object_store *store = session->slot->objects;
    kvp_lock_take(&store->lock);
    kvp_object *object = lookup_locked(store, handle);
    if (object)
        kvp_record_pin_locked(object->record);
    kvp_lock_give(&store->lock);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    if (!kvp_slot_is_open(session->slot) && object_is_private(object)) {
        kvp_object_unref(object);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    *ret = object;
    return CKR_OK;
}

void kvp_object_unref(kvp_object *object)
{
    if (object)
        kvp_record_unpin(object->record);
}

void kvp_object_view(const kvp_object *object, kvp_view *ret)
{
    const kvp_record *record = object->record;
    kvp_object_store *store = record->store;
    *ret = (kvp_view){ .slot = store->slot, .object = object, .cls = object->cls };
    kvp_lock_take(&store->lock);
    ret->document = kvp_record_document(record);
    ret->superseded = record->superseded;
    ret->handle = object->handle;
    kvp_lock_give(&store->lock);
    ret->entry = ret->document->entry;
    ret->key = ret->document->key;
    ret->cert = ret->document->cert;
    ret->loaded = ret->document->loaded;
    ret->set = kvp_record_is_token(record) ? NULL : &ret->document->set;
}

/* ---- the store ---- */

kvp_object_store *kvp_object_store_new(kvp_slot *slot)
{
    kvp_object_store *store = kvp_calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->slot = slot;
    for (size_t c = 0; c < KVP_COLLECTION_COUNT; c++)
        store->shelves[c].listed_ms = store->shelves[c].refused_ms = INT64_MIN;
    store->changed_ms = INT64_MIN;
    if (kvp_lock_init(&store->lock, KVP_RANK_OBJECT) != KVP_OK) {
        kvp_free(store);
        return NULL;
    }
    if (kvp_profiles_new(store) != KVP_OK) {
        kvp_object_store_free(store);
        return NULL;
    }
    return store;
}

void kvp_object_store_free(kvp_object_store *store)
{
    if (!store)
        return;
    for (size_t c = 0; c < KVP_COLLECTION_COUNT; c++) {
        kvp_shelf *shelf = &store->shelves[c];
        for (size_t i = 0; i < shelf->count; i++)
            kvp_record_free(shelf->records[i]);
        kvp_free(shelf->records);
    }
    kvp_trash_free(store->others);
    kvp_trash_free(store->issuers);
    kvp_trash_free(store->sessions);
    kvp_free(store->handles);
    kvp_lock_clear(&store->lock);
    kvp_free(store);
}

static bool is_private_locked(const kvp_record *record)
{
    const kvp_attribute_set *set = &kvp_record_document(record)->set;
    const kvp_buf *value = kvp_attribute_set_get(set, CKA_PRIVATE);
    return value && value->len == sizeof(CK_BBOOL) && value->data[0] != CK_FALSE;
}

/* Ends the session objects of @session, or of all sessions for CK_INVALID_HANDLE; all of them, or
 * the private ones. */
static void end_session_objects(kvp_object_store *store, CK_SESSION_HANDLE session,
                                bool private_only)
{
    kvp_record *trash = NULL;
    kvp_lock_take(&store->lock);
    for (kvp_record *record = store->sessions, *next; record; record = next) {
        next = record->next;
        if (record->session == CK_INVALID_HANDLE ||
            (session != CK_INVALID_HANDLE && record->session != session) ||
            (private_only && !is_private_locked(record)))
            continue;
        kvp_record_kill_locked(record);
        if (record->pins == 0)
            kvp_trash_add(&trash, record);
    }
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
}

/* Values that were asked for by their length only. */
static void wipe_values(kvp_object_store *store)
{
    const kvp_shelf *secrets = &store->shelves[KVP_SECRETS];
    kvp_lock_take(&store->lock);
    for (size_t i = 0; i < secrets->count; i++)
        kvp_buf_clear(&secrets->records[i]->value);
    kvp_lock_give(&store->lock);
}

void kvp_object_store_session_closed(kvp_object_store *store, CK_SESSION_HANDLE session)
{
    if (session != CK_INVALID_HANDLE)
        end_session_objects(store, session, false);
    wipe_values(store);
}

void kvp_object_store_logged_out(kvp_object_store *store)
{
    end_session_objects(store, CK_INVALID_HANDLE, true);
}

void kvp_object_store_restart(kvp_object_store *store)
{
    end_session_objects(store, CK_INVALID_HANDLE, false);
    int64_t now = kvp_clock_mono_ms();
    kvp_lock_take(&store->lock);
    for (size_t c = 0; c < KVP_COLLECTION_COUNT; c++) {
        kvp_shelf *shelf = &store->shelves[c];
        if (shelf->listed_ms != INT64_MIN)
            shelf->listed_ms = now;
        for (size_t i = 0; i < shelf->count; i++)
            shelf->records[i]->checked_ms = now;
    }
    kvp_lock_give(&store->lock);
}
