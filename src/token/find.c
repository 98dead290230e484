/* SPDX-License-Identifier: MIT */
/*
 * Searching (PKCS#11 v3.1 §5.7.6 to §5.7.8): C_FindObjectsInit does the whole search and keeps the
 * handles, so that the result does not change until C_FindObjectsFinal. What is asked of the vault
 * is the plan's decision (find_plan.h), how long an answer is believed the store's
 * (object_store.h).
 */
#include "base/alloc.h"
#include "token/find_plan.h"
#include "token/object_store.h"
#include "token/operation.h"
#include "token/template.h"

#include <string.h>

/* A search in progress, and afterwards. */
typedef struct find_operation {
    kvp_operation base;
    CK_OBJECT_HANDLE *handles;
    size_t count, size, next;
} find_operation;

/* What the steps of one search share. */
typedef struct search {
    kvp_call *call;
    kvp_object_store *store;
    const CK_ATTRIBUTE *attrs;
    CK_ULONG attr_count;
    kvp_find_plan plan;
    find_operation *found;
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

/* Whether the key behind the record has the label and ids of the template, whatever its class. */
static bool identity_matches(const search *s, kvp_record *record)
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

static CK_RV add_matches(const search *s, kvp_record *record)
{
    bool open = kvp_slot_is_open(s->store->slot);
    for (unsigned i = 0; i < record->object_count; i++) {
        kvp_object *object = &record->objects[i];
        kvp_view view;
        kvp_object_view(object, &view);
        if (record->name && !(kvp_view_who(&view) & s->plan.who))
            continue;
        if (!kvp_template_matches(&view, s->attrs, s->attr_count))
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

/* ---- exact searches ---- */

/* GET one key, or one version of it. @ret stays NULL if there is none to show. */
static CK_RV read_key(search *s, const kvp_key_ref *ref, kvp_record **ret)
{
    kvp_call *call = s->call;
    kvp_vault *vault = kvp_slot_vault(call, s->store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    kvp_read_time when = kvp_read_time_now();
    kvp_key *key = NULL;
    const char *version = ref->version[0] ? ref->version : NULL;
    call->remote = true;
    kvp_status st =
        kvp_vault_key_get(vault, ref->name, version, &call->trace, &key, &call->error);
    if (st == KVP_ERR_HTTP && call->error.http_status == 404) {
        kvp_error_clear(&call->error);
        if (!version)
            kvp_store_put_missing(s->store, ref->name, when.mono_ms);
        return CKR_OK;
    }
    if (st != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    kvp_copy_printable(call->object_id, sizeof(call->object_id), key->id);
    return kvp_store_put(s->store, key, !version, when, ret) == KVP_OK ? CKR_OK
                                                                            : CKR_HOST_MEMORY;
}

static CK_RV know_key(search *s, const kvp_key_ref *ref, kvp_record **ret)
{
    switch (kvp_store_known(s->store, ref, ret)) {
    case KVP_KNOWN_PRESENT:
    case KVP_KNOWN_ABSENT:
        return CKR_OK;
    default:
        return read_key(s, ref, ret);
    }
}

static bool has_version(kvp_record *record, const char *version)
{
    const kvp_document *document = record ? kvp_record_document(record) : NULL;
    return document && document->loaded && kvp_name_compare(document->key->version, version) == 0;
}

/*
 * The record that @ref names. A version may be the current one, which has another CKA_ID than it
 * will have later: so the current version is looked at first, and mostly it is the one.
 */
static CK_RV find_ref(search *s, const kvp_key_ref *ref, kvp_record **ret)
{
    kvp_record *record = NULL;
    kvp_key_ref current = *ref;
    current.version[0] = '\0';
    CK_RV rv = know_key(s, &current, &record);
    if (rv != CKR_OK)
        return rv;
    if (ref->version[0]) {
        if (record && !kvp_record_document(record)->loaded) {
            kvp_record_unpin(KVP_STEAL(record));
            rv = read_key(s, &current, &record);
        }
        if (rv == CKR_OK && !has_version(record, ref->version)) {
            kvp_record_unpin(KVP_STEAL(record));
            rv = know_key(s, ref, &record);
        }
    }
    *ret = record;
    return rv;
}

/* Keys that we know to have the label or id by their tags are asked first. */
static CK_RV prefer_known(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list known = { 0 };
    if (kvp_store_snapshot(s->store, true, false, &known) != KVP_OK)
        return CKR_HOST_MEMORY;
    kvp_find_plan *plan = &s->plan;
    for (size_t i = 0; i < known.count; i++) {
        const char *name = known.items[i]->name;
        const kvp_key *key = kvp_record_document(known.items[i])->key;
        /* Where no tag says otherwise, the plan has the name already; but for hashed ids. */
        if (!kvp_key_tag(key, KVP_TAG_LABEL) && !kvp_key_tag(key, KVP_TAG_ID) &&
            strlen(name) <= KVP_ID_MAX)
            continue;
        if (strlen(name) > KVP_NAME_MAX || !identity_matches(s, known.items[i]))
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

/* @ret_done: a key of that label or id is there, and its objects were compared. */
static CK_RV find_exact(search *s, bool *ret_done)
{
    kvp_find_plan *plan = &s->plan;
    CK_RV rv = plan->certain ? CKR_OK : prefer_known(s);
    for (size_t i = 0; i < plan->ref_count && rv == CKR_OK && !*ret_done; i++) {
        kvp_record *record = NULL;
        rv = find_ref(s, &plan->refs[i], &record);
        if (rv == CKR_OK && record && plan->documents) {
            kvp_record *one[] = { record };
            kvp_record_list list = { one, 1, 1 };
            rv = kvp_records_load(s->call, s->store, &list);
        }
        if (rv == CKR_OK && record && identity_matches(s, record)) {
            *ret_done = true;
            rv = add_matches(s, record);
        }
        kvp_record_unpin(record);
    }
    return rv;
}

/* ---- searches over the list ---- */

/* Read again what the list pages leave open (object_store.h). */
static CK_RV settle(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list open = { 0 };
    if (kvp_store_unsettled(s->store, &open) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (open.count == 0)
        return CKR_OK;
    kvp_call *call = s->call;
    KVP_CLEANUP(kvp_freep) kvp_vault_read *reads = kvp_calloc(open.count, sizeof(*reads));
    if (!reads)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < open.count; i++)
        reads[i] = (kvp_vault_read){ KVP_KEYS, open.items[i]->name, NULL, NULL };
    kvp_read_time when = kvp_read_time_now();
    kvp_status st = kvp_vault_get_many(s->store->slot->vault, reads, open.count, &call->trace,
                                       &call->error);
    CK_RV rv = st == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_TOKEN);
    for (size_t i = 0; i < open.count; i++) {
        kvp_record *record = NULL;
        kvp_key *key = (kvp_key *)reads[i].result;
        if (key && kvp_store_put(s->store, key, true, when, &record) != KVP_OK)
            rv = CKR_HOST_MEMORY;
        kvp_record_unpin(record);
    }
    return rv;
}

static CK_RV read_list(search *s)
{
    kvp_call *call = s->call;
    kvp_vault *vault = kvp_slot_vault(call, s->store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    kvp_entry_list list = { 0 };
    int64_t start_ms = kvp_read_time_now().mono_ms;
    call->remote = true;
    if (kvp_vault_list(vault, KVP_KEYS, &call->trace, &list, &call->error) != KVP_OK) {
        kvp_entry_list_clear(&list);
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    }
    if (kvp_store_merge(s->store, &list, start_ms) != KVP_OK)
        return CKR_HOST_MEMORY;
    return settle(s);
}

/* Who may read keys but not list them has looked for a name, and it is not there: that is an
 * answer. */
static bool may_not_list(const search *s)
{
    return s->plan.ref_count && s->call->error.status == KVP_ERR_HTTP &&
           s->call->error.http_status == 403;
}

static CK_RV find_listed(search *s)
{
    CK_RV rv = kvp_store_is_listed(s->store) ? CKR_OK : read_list(s);
    if (rv != CKR_OK && may_not_list(s)) {
        kvp_error_clear(&s->call->error);
        return CKR_OK;
    }
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    if (kvp_store_snapshot(s->store, true, false, &all) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (s->plan.documents) {
        KVP_CLEANUP(kvp_record_list_clear) kvp_record_list wanted = { 0 };
        kvp_status st = KVP_OK;
        for (size_t i = 0; i < all.count && st == KVP_OK; i++) {
            if (!identity_matches(s, all.items[i]))
                continue;
            kvp_lock_take(&s->store->lock);
            st = kvp_record_list_add_locked(&wanted, all.items[i]);
            kvp_lock_give(&s->store->lock);
        }
        rv = st == KVP_OK ? kvp_records_load(s->call, s->store, &wanted)
                          : CKR_HOST_MEMORY;
    }
    for (size_t i = 0; i < all.count && rv == CKR_OK; i++)
        rv = add_matches(s, all.items[i]);
    return rv;
}

static CK_RV find_token_objects(search *s)
{
    kvp_find_plan *plan = &s->plan;
    if (!plan->who || !kvp_slot_is_open(s->store->slot))
        return CKR_OK;
    bool versioned = plan->ref_count && plan->refs[0].version[0];
    bool done = false;
    if (plan->exact && (plan->certain || versioned || !kvp_store_is_listed(s->store))) {
        CK_RV rv = find_exact(s, &done);
        if (rv != CKR_OK || done || plan->certain)
            return rv;
    }
    return find_listed(s);
}

static CK_RV find_session_objects(search *s)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    if (kvp_store_snapshot(s->store, false, true, &all) != KVP_OK)
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
    search s = { .call = call,
                 .store = session->slot->objects,
                 .attrs = attrs,
                 .attr_count = count,
                 .found = &found };
    kvp_find_plan_make(session->slot, attrs, count, &s.plan);
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

    search s = { .call = call,
                 .store = session->slot->objects,
                 .attrs = attrs,
                 .attr_count = count,
                 .found = (find_operation *)taken };
    kvp_find_plan_make(session->slot, attrs, count, &s.plan);
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
