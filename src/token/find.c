/* SPDX-License-Identifier: MIT */
/*
 * Searching (PKCS#11 v3.1 §5.7.6 to §5.7.8): C_FindObjectsInit does the whole search and keeps the
 * handles, so that the result does not change until C_FindObjectsFinal. What is asked of the vault
 * is the plan's decision (find_plan.h), how long an answer is believed the store's
 * (object_store.h).
 */
#include "base/alloc.h"
#include "token/find_search.h"
#include "token/operation.h"
#include "token/template.h"

#include <string.h>

/* A search in progress, and afterwards. */
typedef struct find_operation {
    kvp_operation base;
    CK_OBJECT_HANDLE *handles;
    size_t count, size, next;
} find_operation;

/* A search and what it has found so far. */
typedef struct search {
    kvp_search base;
    find_operation *found;
    bool matched; /* something on the token has the label or id that was asked for */
} search;

static void find_destroy(kvp_operation *operation)
{
    find_operation *find = (find_operation *)operation;
    kvp_free(find->handles);
    kvp_free(find);
}

static CK_RV add_handle(find_operation *find, CK_OBJECT_HANDLE handle)
{
    if (find->count == find->size) {
        size_t size = find->size ? find->size * 2 : 32;
        void *handles = kvp_realloc(find->handles, size * sizeof(*find->handles));
        if (!handles)
            return CKR_HOST_MEMORY;
        find->handles = handles;
        find->size = size;
    }
    find->handles[find->count++] = handle;
    return CKR_OK;
}

/* ---- comparing ---- */

/* Whether what is behind the record has the label and ids of the template, whatever its class. */
static bool identity_matches(const kvp_search *s, kvp_record *record)
{
    kvp_object pair = { record, CKO_PRIVATE_KEY, CK_INVALID_HANDLE };
    kvp_view view;
    kvp_object_view(record->object_count ? &record->objects[0] : &pair, &view);
    for (CK_ULONG i = 0; i < s->attr_count; i++) {
        CK_ATTRIBUTE_TYPE type = s->attrs[i].type;
        /* The class is part of CKA_UNIQUE_ID: the object is compared later. */
        if (type != CKA_UNIQUE_ID && kvp_attribute_is_identity(type) &&
            !kvp_attribute_matches(&view, &s->attrs[i]))
            return false;
    }
    return true;
}

/* The kinds that the objects of a record may be of; a Managed HSM's key is open until it is read.
 */
static unsigned record_who(const kvp_record *record)
{
    unsigned who = record->object_count == 0 && record->kind == KVP_RECORD_KEY ? KVP_IS_KEY : 0;
    for (unsigned i = 0; i < record->object_count; i++)
        who |= kvp_class_who(record->objects[i].cls);
    return who;
}

static CK_RV add_matches(search *s, kvp_record *record)
{
    bool open = kvp_slot_is_open(s->base.store->slot);
    for (unsigned i = 0; i < record->object_count; i++) {
        kvp_object *object = &record->objects[i];
        kvp_view view;
        kvp_object_view(object, &view);
        if (kvp_record_is_token(record) && !(kvp_view_who(&view) & s->base.plan.who))
            continue;
        if (!kvp_template_matches(&view, s->base.attrs, s->base.attr_count))
            continue;
        if (!open && kvp_attribute_is_true(&view, CKA_PRIVATE))
            continue;
        CK_OBJECT_HANDLE handle = kvp_object_handle(object);
        if (handle == CK_INVALID_HANDLE)
            continue; /* destroyed since it was looked up */
        CK_RV rv = add_handle(s->found, handle);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

/* Compare all of @records; those bundles that comparing needs are read first, in parallel. */
static CK_RV compare_all(search *s, const kvp_record_list *records)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list wanted = { 0 };
    const kvp_find_plan *plan = &s->base.plan;
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < records->count && rv == CKR_OK; i++) {
        kvp_record *record = records->items[i];
        if (!(record_who(record) & plan->who) || !identity_matches(&s->base, record))
            continue;
        s->matched = true;
        if (!(record_who(record) & plan->documents & plan->who))
            continue;
        kvp_lock_take(&s->base.store->lock);
        if (kvp_record_list_add_locked(&wanted, record) != KVP_OK)
            rv = CKR_HOST_MEMORY;
        kvp_lock_give(&s->base.store->lock);
    }
    if (rv == CKR_OK && wanted.count)
        rv = kvp_records_load(s->base.call, s->base.store, &wanted);
    for (size_t i = 0; i < records->count && rv == CKR_OK; i++)
        rv = add_matches(s, records->items[i]);
    return rv;
}

/* ---- exact searches ---- */

/* Entries that we know to have the label or id by their tags are asked first. */
static CK_RV prefer_known(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list known = { 0 };
    kvp_find_plan *plan = &s->base.plan;
    if (kvp_store_snapshot(s->base.store, plan->collections, &known) != KVP_OK)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < known.count; i++) {
        const char *name = known.items[i]->name;
        const kvp_entry *entry = kvp_record_document(known.items[i])->entry;
        /* Where no tag says otherwise, the plan has the name already; but for hashed ids. */
        if (!kvp_entry_tag(entry, KVP_TAG_LABEL) && !kvp_entry_tag(entry, KVP_TAG_ID) &&
            strlen(name) <= KVP_ID_MAX)
            continue;
        if (strlen(name) > KVP_NAME_MAX || !identity_matches(&s->base, known.items[i]))
            continue;
        if (plan->ref_count == KVP_FIND_REFS)
            plan->ref_count--;
        memmove(&plan->refs[1], &plan->refs[0], plan->ref_count * sizeof(plan->refs[0]));
        plan->ref_count++;
        plan->refs[0] = (kvp_key_ref){ { 0 }, { 0 } };
        memcpy(plan->refs[0].name, name, strlen(name) + 1);
        break;
    }
    return CKR_OK;
}

/* Older versions of the name of @record, where they are shown and can match. */
static CK_RV find_versions_of(search *s, kvp_record *record)
{
    kvp_object_store *store = s->base.store;
    kvp_record *one[] = { record };
    kvp_record_list current = { one, 1, 1 };
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list older = { 0 };
    if (!store->slot->config->versions_all || !record->current || record->kind == KVP_RECORD_SECRET)
        return CKR_OK;
    CK_RV rv = kvp_search_versions(&s->base, &current);
    if (rv != CKR_OK)
        return rv;
    kvp_status st =
        kvp_store_snapshot(store, KVP_COLLECTION_BIT(record->kind) | KVP_SNAPSHOT_VERSIONS, &all);
    kvp_lock_take(&store->lock);
    for (size_t i = 0; i < all.count && st == KVP_OK; i++)
        if (!all.items[i]->current && kvp_name_compare(all.items[i]->name, record->name) == 0)
            st = kvp_record_list_add_locked(&older, all.items[i]);
    kvp_lock_give(&store->lock);
    return st == KVP_OK ? compare_all(s, &older) : CKR_HOST_MEMORY;
}

/* @ret: the record of that name, pinned, if its label and ids are those that are looked for. */
static CK_RV find_named(search *s, kvp_collection collection, const kvp_key_ref *ref,
                        kvp_record **ret)
{
    kvp_record *record = NULL;
    CK_RV rv = kvp_search_ref(&s->base, collection, ref, &record);
    if (rv != CKR_OK || !record)
        return rv;
    if (!identity_matches(&s->base, record)) {
        kvp_record_unpin(record);
        return CKR_OK;
    }
    kvp_record *one[] = { record };
    kvp_record_list list = { one, 1, 1 };
    rv = compare_all(s, &list);
    if (rv == CKR_OK && !ref->version[0])
        rv = find_versions_of(s, record);
    *ret = record;
    return rv;
}

/*
 * Ask for @ref in each collection that matters. A certificate has its key under the same name, and
 * the key says so: where keys are looked for too, it is asked for only then.
 */
static CK_RV find_ref(search *s, const kvp_key_ref *ref, bool *ret_found)
{
    const kvp_find_plan *plan = &s->base.plan;
    bool keys = (plan->who & KVP_IS_KEY) != 0;
    bool certificate = (plan->who & KVP_IS_CERTIFICATE) != 0;
    kvp_record *record = NULL;
    CK_RV rv = keys ? find_named(s, KVP_KEYS, ref, &record) : CKR_OK;
    if (keys)
        certificate = certificate && record && kvp_record_document(record)->entry->managed;
    *ret_found = record != NULL;
    kvp_record_unpin(KVP_STEAL(record));
    if (rv == CKR_OK && certificate)
        rv = find_named(s, KVP_CERTIFICATES, ref, &record);
    *ret_found = *ret_found || record;
    kvp_record_unpin(KVP_STEAL(record));
    if (rv == CKR_OK && (plan->who & KVP_IS_DATA))
        rv = find_named(s, KVP_SECRETS, ref, &record);
    *ret_found = *ret_found || record;
    kvp_record_unpin(record);
    return rv;
}

/* @ret_done: something of that label or id is there, and its objects were compared. */
static CK_RV find_exact(search *s, bool *ret_done)
{
    kvp_find_plan *plan = &s->base.plan;
    CK_RV rv = plan->certain ? CKR_OK : prefer_known(s);
    for (size_t i = 0; i < plan->ref_count && rv == CKR_OK && !*ret_done; i++)
        rv = find_ref(s, &plan->refs[i], ret_done);
    return rv;
}

/* ---- searches over the list ---- */

/* Who may read keys but not list them has looked for a name, and it is not there: that is an
 * answer. */
static bool may_not_list(const kvp_search *s)
{
    return s->plan.ref_count && s->call->error.status == KVP_ERR_HTTP &&
           s->call->error.http_status == 403;
}

static CK_RV list_versions(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list open = { 0 };
    unsigned collections = s->base.plan.collections &
                           (KVP_COLLECTION_BIT(KVP_KEYS) | KVP_COLLECTION_BIT(KVP_CERTIFICATES));
    if (kvp_store_unversioned(s->base.store, collections, &open) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_search_versions(&s->base, &open);
}

/*
 * Whether an issuer's certificate could match: no name of the vault's gives it its label and id, so
 * where something has the label or id that was asked for, that was meant.
 */
static bool wants_issuers(const search *s)
{
    if (!(s->base.plan.who & KVP_IS_CERTIFICATE) ||
        s->base.store->slot->config->chain == KVP_CHAIN_NONE)
        return false;
    const CK_ATTRIBUTE *id = kvp_template_find(s->base.attrs, s->base.attr_count, CKA_ID);
    if (id && id->ulValueLen != KVP_ID_HASH_LEN)
        return false;
    return s->base.plan.issuer || !s->base.plan.exact || !s->matched;
}

static CK_RV find_issuers(search *s)
{
    kvp_object_store *store = s->base.store;
    kvp_call *call = s->base.call;
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list certificates = { 0 };
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list issuers = { 0 };
    if (kvp_store_snapshot(store,
                           KVP_COLLECTION_BIT(KVP_CERTIFICATES) | KVP_COLLECTION_BIT(KVP_SECRETS),
                           &certificates) != KVP_OK)
        return CKR_HOST_MEMORY;
    CK_RV rv = kvp_records_load(call, store, &certificates);
    if (rv == CKR_OK)
        rv = kvp_issuers_load(call, store, &certificates);
    if (rv == CKR_OK && kvp_issuers_of(store, &certificates, &issuers) != KVP_OK)
        rv = CKR_HOST_MEMORY;
    for (size_t i = 0; i < issuers.count && rv == CKR_OK; i++)
        rv = add_matches(s, issuers.items[i]);
    return rv;
}

static CK_RV find_listed(search *s)
{
    kvp_object_store *store = s->base.store;
    unsigned what = s->base.plan.collections;
    CK_RV rv = kvp_search_lists(&s->base);
    if (rv != CKR_OK && may_not_list(&s->base)) {
        kvp_error_clear(&s->base.call->error);
        rv = CKR_OK;
    }
    if (rv == CKR_OK && store->slot->config->versions_all) {
        what |= KVP_SNAPSHOT_VERSIONS;
        rv = list_versions(s);
    }
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    if (kvp_store_snapshot(store, what, &all) != KVP_OK)
        return CKR_HOST_MEMORY;
    rv = compare_all(s, &all);
    if (rv == CKR_OK && wants_issuers(s))
        rv = find_issuers(s);
    return rv;
}

static bool all_listed(const kvp_search *s)
{
    for (int c = 0; c < KVP_COLLECTION_COUNT; c++)
        if ((s->plan.collections & KVP_COLLECTION_BIT(c)) &&
            !kvp_store_is_listed(s->store, (kvp_collection)c))
            return false;
    return true;
}

static CK_RV find_token_objects(search *s)
{
    kvp_find_plan *plan = &s->base.plan;
    if (!plan->who || !kvp_slot_is_open(s->base.store->slot))
        return CKR_OK;
    bool versioned = plan->ref_count && plan->refs[0].version[0];
    bool done = false;
    if (plan->exact && (plan->certain || versioned || !all_listed(&s->base))) {
        CK_RV rv = find_exact(s, &done);
        if (rv != CKR_OK || done || plan->certain)
            return rv;
    }
    return find_listed(s);
}

static CK_RV find_session_objects(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    if (kvp_store_snapshot(s->base.store, KVP_SNAPSHOT_SESSIONS, &all) != KVP_OK)
        return CKR_HOST_MEMORY;
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < all.count && rv == CKR_OK; i++)
        rv = add_matches(s, all.items[i]);
    return rv;
}

/* ---- the room's own searches ---- */

CK_RV kvp_find_handles(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                       CK_ULONG count, CK_OBJECT_HANDLE *ret, size_t max, size_t *ret_count)
{
    find_operation found = { .count = 0 };
    search s = { .base = { .call = call,
                           .store = session->slot->objects,
                           .attrs = attrs,
                           .attr_count = count },
                 .found = &found };
    kvp_find_plan_make(session->slot, attrs, count, &s.base.plan);
    CK_RV rv = find_token_objects(&s);
    if (rv == CKR_OK) {
        *ret_count = found.count < max ? found.count : max;
        if (*ret_count)
            memcpy(ret, found.handles, *ret_count * sizeof(*ret));
    }
    kvp_free(found.handles);
    return rv;
}

/* ---- the face's functions ---- */

CK_RV kvp_find_init(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_RV rv = kvp_template_check_pointers(attrs, count);
    if (rv != CKR_OK)
        return rv;
    find_operation *find = kvp_calloc(1, sizeof(*find));
    if (!find)
        return CKR_HOST_MEMORY;
    find->base.kind = KVP_OPERATION_FIND;
    find->base.destroy = find_destroy;
    /* Started first and taken out at once: a second search on the session is refused before it
     * costs a request, and C_FindObjects of another thread waits for nothing. */
    rv = kvp_operation_start(session, &find->base);
    if (rv != CKR_OK)
        return rv;
    kvp_operation *taken = NULL;
    rv = kvp_operation_take(session, KVP_OPERATION_FIND, &taken);
    if (rv != CKR_OK)
        return rv;

    search s = { .base = { .call = call,
                           .store = session->slot->objects,
                           .attrs = attrs,
                           .attr_count = count },
                 .found = (find_operation *)taken };
    kvp_find_plan_make(session->slot, attrs, count, &s.base.plan);
    rv = find_token_objects(&s);
    if (rv == CKR_OK)
        rv = find_session_objects(&s);
    if (call->remote)
        call->operation = "FindObjects";
    kvp_operation_give(session, taken, rv, rv == CKR_OK);
    return rv;
}

CK_RV kvp_find_next(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE *ret, CK_ULONG max,
                    CK_ULONG *ret_count)
{
    (void)call;
    kvp_operation *taken = NULL;
    CK_RV rv = kvp_operation_take(session, KVP_OPERATION_FIND, &taken);
    if (rv != CKR_OK)
        return rv;
    find_operation *find = (find_operation *)taken;
    CK_ULONG count = find->count - find->next;
    if (count > max)
        count = max;
    if (count)
        memcpy(ret, find->handles + find->next, count * sizeof(*ret));
    find->next += count;
    *ret_count = count;
    kvp_operation_give(session, taken, CKR_OK, true);
    return CKR_OK;
}

CK_RV kvp_find_final(kvp_call *call, kvp_session *session)
{
    (void)call;
    kvp_operation *taken = NULL;
    CK_RV rv = kvp_operation_take(session, KVP_OPERATION_FIND, &taken);
    if (rv != CKR_OK)
        return rv;
    kvp_operation_give(session, taken, CKR_OK, false);
    return CKR_OK;
}
