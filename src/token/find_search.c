/* SPDX-License-Identifier: MIT */
/*
 * What a search asks of the vault: one entry by its name, lists, older versions. How long an answer
 * is believed is the store's matter (object_store.h). Entries that vanish or rotate meanwhile are
 * passed over.
 */
#include "token/find_search.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* ---- one name ---- */

/* The same as a list of current versions has it: without version. */
static void strip_version(kvp_entry *entry)
{
    char *slash = strrchr(entry->id, '/');
    if (entry->version[0] && slash)
        *slash = '\0';
    entry->version[0] = '\0';
}

/*
 * A secret is looked at by the list of its versions: a GET would bring its value, which nobody has
 * asked for and which may be a private key.
 */
static kvp_status get_secret_item(kvp_search *s, kvp_vault *vault, const char *name,
                                  kvp_entry **ret)
{
    kvp_call *call = s->call;
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_status st = kvp_vault_versions(vault, KVP_SECRETS, name, &call->trace, &list, &call->error);
    size_t newest = 0;
    for (size_t i = 1; i < list.count; i++)
        if (list.items[i]->attributes.created > list.items[newest]->attributes.created)
            newest = i;
    if (st == KVP_OK && list.count) {
        *ret = list.items[newest];
        list.items[newest] = NULL;
        strip_version(*ret);
    }
    kvp_entry_list_clear(&list);
    return st;
}

static bool is_refused(const kvp_call *call, kvp_status st, kvp_collection collection)
{
    return st == KVP_ERR_HTTP && call->error.http_status == 403 && collection != KVP_KEYS;
}

static CK_RV read_ref(kvp_search *s, kvp_collection collection, const kvp_key_ref *ref,
                      kvp_record **ret)
{
    kvp_call *call = s->call;
    kvp_vault *vault = kvp_slot_vault(call, s->store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    kvp_read_time when = kvp_read_time_now();
    kvp_entry *entry = NULL;
    const char *version = ref->version[0] ? ref->version : NULL;
    bool item = collection == KVP_SECRETS && !version;
    call->remote = true;
    kvp_status st = item ? get_secret_item(s, vault, ref->name, &entry)
                         : kvp_vault_get(vault, collection, ref->name, version, &call->trace,
                                         &entry, &call->error);
    bool gone = (st == KVP_ERR_HTTP && call->error.http_status == 404) || (st == KVP_OK && !entry);
    if (gone || is_refused(call, st, collection)) {
        kvp_error_clear(&call->error);
        if (!version)
            kvp_store_put_missing(s->store, collection, ref->name, when.mono_ms);
        return CKR_OK;
    }
    if (st != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    kvp_copy_printable(call->object_id, sizeof(call->object_id), entry->id);
    st = item ? kvp_store_put_item(s->store, entry, when.mono_ms, ret)
              : kvp_store_put(s->store, entry, !version, when, ret);
    return st == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV know_ref(kvp_search *s, kvp_collection collection, const kvp_key_ref *ref,
                      kvp_record **ret)
{
    if (kvp_store_known(s->store, collection, ref, ret) != KVP_KNOWN_NOT)
        return CKR_OK;
    /* A secret's value is not read to find its version. */
    if (ref->version[0] && collection == KVP_SECRETS)
        return CKR_OK;
    return read_ref(s, collection, ref, ret);
}

static bool has_version(kvp_record *record, const char *version)
{
    return record && kvp_name_compare(kvp_record_document(record)->entry->version, version) == 0;
}

/*
 * A version may be the current one, which has another CKA_ID than it will have later: so the
 * current version is looked at first, and mostly it is the one.
 */
CK_RV kvp_search_ref(kvp_search *s, kvp_collection collection, const kvp_key_ref *ref,
                     kvp_record **ret)
{
    kvp_record *record = NULL;
    kvp_key_ref current = *ref;
    current.version[0] = '\0';
    CK_RV rv = know_ref(s, collection, &current, &record);
    if (rv != CKR_OK)
        return rv;
    if (ref->version[0]) {
        if (record && !kvp_record_document(record)->loaded && collection != KVP_SECRETS) {
            kvp_record_unpin(KVP_STEAL(record));
            rv = read_ref(s, collection, &current, &record);
        }
        if (rv == CKR_OK && !has_version(record, ref->version)) {
            kvp_record_unpin(KVP_STEAL(record));
            rv = know_ref(s, collection, ref, &record);
        }
    }
    *ret = record;
    return rv;
}

/* ---- lists ---- */

/* Read again what the list pages leave open (object_store.h). */
static CK_RV settle(kvp_search *s, kvp_vault *vault)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list open = { 0 };
    if (kvp_store_unsettled(s->store, s->plan.collections, &open) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (open.count == 0)
        return CKR_OK;
    kvp_call *call = s->call;
    KVP_CLEANUP(kvp_freep) kvp_vault_read *reads = kvp_calloc(open.count, sizeof(*reads));
    if (!reads)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < open.count; i++)
        reads[i] = (kvp_vault_read){ (kvp_collection)open.items[i]->kind, open.items[i]->name, NULL,
                                     NULL };
    kvp_read_time when = kvp_read_time_now();
    kvp_status st = kvp_vault_get_many(vault, reads, open.count, &call->trace, &call->error);
    CK_RV rv = st == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_TOKEN);
    for (size_t i = 0; i < open.count; i++) {
        kvp_record *record = NULL;
        if (reads[i].result &&
            kvp_store_put(s->store, reads[i].result, true, when, &record) != KVP_OK)
            rv = CKR_HOST_MEMORY;
        kvp_record_unpin(record);
    }
    return rv;
}

/* Most identities may use keys and nothing else: no failure, but worth a line. */
static void note_refusal(kvp_search *s, const kvp_vault_listing *listing, int64_t start_ms)
{
    const char *what = kvp_collection_name(listing->collection);
    if (kvp_store_refused(s->store, listing->collection, start_ms))
        snprintf(s->call->note, sizeof(s->call->note),
                 "the vault does not let us list its %s (HTTP %d): none are shown", what,
                 listing->refused);
}

static CK_RV take_listings(kvp_search *s, kvp_vault_listing *listings, size_t count,
                           int64_t start_ms)
{
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < count; i++) {
        kvp_vault_listing *listing = &listings[i];
        if (listing->refused && listing->collection == KVP_KEYS) {
            s->call->error = listing->error;
            rv = kvp_call_fail(s->call, KVP_CALL_TOKEN);
            continue;
        }
        if (listing->refused)
            note_refusal(s, listing, start_ms);
        else if (kvp_store_merge(s->store, listing->collection, &listing->list, start_ms) != KVP_OK)
            rv = CKR_HOST_MEMORY;
    }
    return rv;
}

/* One list goes over a warm connection; several go at once. */
static kvp_status read_listings(kvp_call *call, kvp_vault *vault, kvp_vault_listing *listings,
                                size_t count)
{
    if (count > 1)
        return kvp_vault_list_many(vault, listings, count, &call->trace, &call->error);
    kvp_status st =
        kvp_vault_list(vault, listings->collection, &call->trace, &listings->list, &call->error);
    if (!is_refused(call, st, listings->collection))
        return st;
    listings->refused = call->error.http_status;
    kvp_error_clear(&call->error);
    return KVP_OK;
}

CK_RV kvp_search_lists(kvp_search *s)
{
    kvp_call *call = s->call;
    kvp_vault_listing listings[KVP_COLLECTION_COUNT] = { 0 };
    size_t count = 0;
    for (int c = 0; c < KVP_COLLECTION_COUNT; c++)
        if ((s->plan.collections & KVP_COLLECTION_BIT(c)) &&
            !kvp_store_is_listed(s->store, (kvp_collection)c))
            listings[count++].collection = (kvp_collection)c;
    if (count == 0)
        return CKR_OK;
    kvp_vault *vault = kvp_slot_vault(call, s->store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    int64_t start_ms = kvp_read_time_now().mono_ms;
    call->remote = true;
    kvp_status st = read_listings(call, vault, listings, count);
    CK_RV rv = st == KVP_OK ? take_listings(s, listings, count, start_ms)
                            : kvp_call_fail(call, KVP_CALL_TOKEN);
    for (size_t i = 0; i < count; i++)
        kvp_entry_list_clear(&listings[i].list);
    return rv == CKR_OK ? settle(s, vault) : rv;
}

/* ---- older versions ---- */

/* Only a bundle tells which of several versions is the current one. */
static CK_RV load_rotated(kvp_search *s, const kvp_vault_listing *listings,
                          const kvp_record_list *records)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list rotated = { 0 };
    kvp_status st = KVP_OK;
    kvp_lock_take(&s->store->lock);
    for (size_t i = 0; i < records->count && st == KVP_OK; i++)
        if (listings[i].list.count > 1)
            st = kvp_record_list_add_locked(&rotated, records->items[i]);
    kvp_lock_give(&s->store->lock);
    return st == KVP_OK ? kvp_records_load(s->call, s->store, &rotated) : CKR_HOST_MEMORY;
}

CK_RV kvp_search_versions(kvp_search *s, kvp_record_list *records)
{
    kvp_call *call = s->call;
    size_t count = records->count;
    kvp_vault *vault = kvp_slot_vault(call, s->store->slot);
    if (count == 0)
        return CKR_OK;
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    KVP_CLEANUP(kvp_freep) kvp_vault_listing *listings = kvp_calloc(count, sizeof(*listings));
    if (!listings)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < count; i++) {
        listings[i].collection = (kvp_collection)records->items[i]->kind;
        listings[i].versions_of = records->items[i]->name;
    }
    int64_t start_ms = kvp_read_time_now().mono_ms;
    call->remote = true;
    CK_RV rv = kvp_vault_list_many(vault, listings, count, &call->trace, &call->error) == KVP_OK
                   ? load_rotated(s, listings, records)
                   : kvp_call_fail(call, KVP_CALL_TOKEN);
    for (size_t i = 0; i < count; i++) {
        if (rv == CKR_OK &&
            kvp_store_merge_versions(records->items[i], &listings[i].list, start_ms) != KVP_OK)
            rv = CKR_HOST_MEMORY;
        kvp_entry_list_clear(&listings[i].list);
    }
    return rv;
}
