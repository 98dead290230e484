/* SPDX-License-Identifier: MIT */
/*
 * Changing, copying and destroying objects (PKCS#11 v3.1 §5.7.2, §5.7.3, §5.7.6).
 *
 * A vault keeps a private key and its public key as one thing. So a changed label or id is that of
 * both objects. And only the private key object can be destroyed, which deletes the name, softly,
 * with all its versions; destroying the public key object alone, harmless on other tokens, is
 * refused with CKR_ACTION_PROHIBITED rather than taking the private key along (CKA_DESTROYABLE says
 * so beforehand); after its private key it is gone already, and that is no error. Refused likewise
 * is an object of a version that is no longer the current one: it would delete the newer one.
 */
#include "base/alloc.h"
#include "token/create.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/* ---- C_SetAttributeValue ---- */

/* §4.4, §4.8 to §4.10: these may change in one direction. */
static bool is_one_way(const CK_ATTRIBUTE *attr, const kvp_view *view)
{
    bool value = kvp_template_bool(attr, 1, attr->type, false);
    switch (attr->type) {
    case CKA_SENSITIVE:
    case CKA_WRAP_WITH_TRUSTED:
        return value || !kvp_attribute_is_true(view, attr->type);
    case CKA_EXTRACTABLE:
    case CKA_COPYABLE:
        return !value || kvp_attribute_is_true(view, attr->type);
    default:
        return false;
    }
}

static CK_RV check_changes(const kvp_view *view, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_RV rv = kvp_template_check(attrs, count, kvp_view_who(view), ~0U, 0);
    /* What other objects have and this one has not is no attribute of it (§5.7.6). */
    for (CK_ULONG i = 0; rv == CKR_TEMPLATE_INCONSISTENT && i < count; i++)
        if (!kvp_attribute_row_find(attrs[i].type, kvp_view_who(view)))
            return CKR_ATTRIBUTE_TYPE_INVALID;
    if (rv != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < count; i++) {
        const kvp_attribute_row *row = kvp_attribute_row_find(attrs[i].type, kvp_view_who(view));
        if (!(row->flags & KVP_ATTRIBUTE_MODIFY) && !is_one_way(&attrs[i], view))
            return CKR_ATTRIBUTE_READ_ONLY;
    }
    return CKR_OK;
}

static kvp_document *copy_session_document(const kvp_document *from)
{
    kvp_key *key = from->key ? kvp_key_copy(from->key) : NULL;
    if (from->key && !key)
        return NULL;
    KVP_CLEANUP(kvp_document_freep) kvp_document *copy = kvp_document_new(key, true);
    if (!copy || kvp_attribute_set_copy(&from->set, &copy->set) != KVP_OK)
        return NULL;
    if (from->cert &&
        kvp_cert_parse(from->cert->der.data, from->cert->der.len, &copy->cert, NULL) != KVP_OK)
        return NULL;
    return KVP_STEAL(copy);
}

static CK_RV change_session_object(kvp_object *object, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    kvp_record *record = object->record;
    KVP_CLEANUP(kvp_document_freep)
    kvp_document *changed = copy_session_document(kvp_record_document(record));
    if (!changed)
        return CKR_HOST_MEMORY;
    for (CK_ULONG i = 0; i < count; i++)
        if (kvp_attribute_set_put(&changed->set, attrs[i].type, attrs[i].pValue,
                                  attrs[i].ulValueLen) != KVP_OK)
            return CKR_HOST_MEMORY;
    kvp_lock_take(&record->store->lock);
    kvp_record_publish_locked(record, KVP_STEAL(changed));
    kvp_lock_give(&record->store->lock);
    return CKR_OK;
}

/* What follows something else in the vault, and is not ours to change by itself. */
static CK_RV refuse_managed(kvp_call *call, const kvp_view *view)
{
    if (!view->entry)
        return kvp_object_refuse(call, KVP_CALL_OBJECT, "Issuer",
                                 "this certificate came with another one");
    return kvp_object_refuse(call, KVP_CALL_OBJECT, "ManagedKey", "%s is the key of a certificate",
                             view->entry->name);
}

CK_RV kvp_object_set_attributes(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                                const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    CK_RV rv = kvp_object_get(session, handle, &object);
    if (rv != CKR_OK)
        return rv;
    bool token = kvp_object_is_token(object);
    if (token) {
        call->operation = "SetAttributeValue";
        rv = kvp_session_may_write(session);
        if (rv == CKR_OK)
            rv = kvp_object_load(call, object);
        if (rv != CKR_OK)
            return rv;
    }
    kvp_view view;
    kvp_object_view(object, &view);
    if (!kvp_attribute_is_true(&view, CKA_MODIFIABLE))
        return token ? refuse_managed(call, &view) : CKR_ACTION_PROHIBITED;
    rv = check_changes(&view, attrs, count);
    if (rv != CKR_OK || count == 0)
        return rv;
    return token ? kvp_entry_change(call, object, &view, (kvp_template){ attrs, count })
                 : change_session_object(object, attrs, count);
}

/* ---- C_CopyObject ---- */

/* What a copy may have otherwise (§4.1.3): what may be changed, and the flags of storage. */
static CK_RV check_copy(const kvp_view *view, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_RV rv = kvp_template_check(attrs, count, kvp_view_who(view), ~0U, 0);
    if (rv != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < count; i++) {
        const kvp_attribute_row *row = kvp_attribute_row_find(attrs[i].type, kvp_view_who(view));
        switch (attrs[i].type) {
        case CKA_TOKEN:
        case CKA_PRIVATE:
        case CKA_MODIFIABLE:
        case CKA_DESTROYABLE:
            break;
        default:
            if (!(row->flags & KVP_ATTRIBUTE_MODIFY) && !is_one_way(&attrs[i], view))
                return CKR_ATTRIBUTE_READ_ONLY;
        }
    }
    return CKR_OK;
}

/* A session object's attributes, but for empty ones, and the changes as a template of
 * C_CreateObject: the vault judges it as it would the object itself. */
static CK_RV copy_to_token(kvp_call *call, kvp_session *session, const kvp_view *view,
                           const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_attribute_set_clear) kvp_attribute_set set = { 0 };
    unsigned who = kvp_view_who(view);
    kvp_status st = KVP_OK;
    for (size_t i = 0; i < kvp_attribute_row_count && st == KVP_OK; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
        if (!(row->who & who) || !(row->flags & KVP_ATTRIBUTE_CREATE))
            continue;
        const kvp_buf *stored = kvp_attribute_set_get(view->set, row->type);
        if (stored && stored->len)
            st = kvp_attribute_set_put(&set, row->type, stored->data, stored->len);
        else if (!stored && row->type != CKA_CHECK_VALUE && row->type != CKA_ALLOWED_MECHANISMS &&
                 row->get(view, row->type, &value) == KVP_OK)
            st = kvp_attribute_set_put(&set, row->type, value.data, value.len);
    }
    for (CK_ULONG i = 0; i < count && st == KVP_OK; i++)
        st = kvp_attribute_set_put(&set, attrs[i].type, attrs[i].pValue, attrs[i].ulValueLen);
    KVP_CLEANUP(kvp_freep) CK_ATTRIBUTE *all = kvp_calloc(set.count + 1, sizeof(*all));
    if (st != KVP_OK || !all)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < set.count; i++)
        all[i] =
            (CK_ATTRIBUTE){ set.items[i].type, set.items[i].value.data, set.items[i].value.len };
    CK_RV rv = kvp_object_create(call, session, all, set.count, ret);
    call->operation = "CopyObject";
    return rv;
}

CK_RV kvp_object_copy(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                      const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    CK_RV rv = kvp_object_get(session, handle, &object);
    if (rv != CKR_OK)
        return rv;
    kvp_view view;
    kvp_object_view(object, &view);
    /* No object of the vault is: NSS and pkcs11-provider, which copy keys into their session, then
     * go on with the token's key. */
    if (!kvp_attribute_is_true(&view, CKA_COPYABLE))
        return CKR_ACTION_PROHIBITED;
    rv = check_copy(&view, attrs, count);
    if (rv != CKR_OK)
        return rv;
    if (kvp_template_bool(attrs, count, CKA_TOKEN, false)) {
        call->operation = "CopyObject";
        rv = kvp_session_may_write(session);
        return rv == CKR_OK ? copy_to_token(call, session, &view, attrs, count, ret) : rv;
    }
    if (kvp_template_bool(attrs, count, CKA_PRIVATE, false) && !kvp_slot_is_open(session->slot))
        return CKR_USER_NOT_LOGGED_IN;

    KVP_CLEANUP(kvp_document_freep)
    kvp_document *copy = copy_session_document(kvp_record_document(object->record));
    if (!copy)
        return CKR_HOST_MEMORY;
    for (CK_ULONG i = 0; i < count; i++)
        if (kvp_attribute_set_put(&copy->set, attrs[i].type, attrs[i].pValue,
                                  attrs[i].ulValueLen) != KVP_OK)
            return CKR_HOST_MEMORY;
    return kvp_session_object_new(session, object->cls, &copy->set, KVP_STEAL(copy->key),
                                  KVP_STEAL(copy->cert), ret);
}

/* ---- C_DestroyObject ---- */

static void destroy_session_object(kvp_object *object)
{
    kvp_record *record = object->record;
    kvp_lock_take(&record->store->lock);
    if (!record->dead)
        kvp_record_kill_locked(record);
    kvp_lock_give(&record->store->lock);
}

/*
 * Deleting takes the name with all versions: what the application wants gone must be the version
 * that it saw. One that was seen within the age of answers counts as that.
 */
static CK_RV check_is_current(kvp_call *call, kvp_vault *vault, kvp_object *object)
{
    kvp_record *record = object->record;
    const kvp_document *seen = kvp_record_document(record);
    if (!seen->loaded)
        return CKR_OK; /* only listed so far: whatever is there is meant */
    kvp_collection collection = seen->entry->collection;
    kvp_key_ref ref = { { 0 }, { 0 } };
    if (strlen(record->name) > KVP_NAME_MAX)
        return CKR_ACTION_PROHIBITED;
    memcpy(ref.name, record->name, strlen(record->name));
    kvp_record *now = NULL;
    if (kvp_store_known(record->store, collection, &ref, &now) != KVP_KNOWN_PRESENT) {
        kvp_read_time when = kvp_read_time_now();
        kvp_entry *entry = NULL;
        call->remote = true;
        if (kvp_vault_get(vault, collection, record->name, NULL, &call->trace, &entry,
                          &call->error) != KVP_OK)
            return kvp_call_fail(call, KVP_CALL_OBJECT);
        if (kvp_store_put(record->store, entry, true, when, &now) != KVP_OK)
            return CKR_HOST_MEMORY;
    }
    bool same = now == record;
    kvp_record_unpin(now);
    if (same)
        return CKR_OK;
    return kvp_object_refuse(call, KVP_CALL_OBJECT, "NewerVersion",
                             "deleting this version of %s would delete a newer one too",
                             record->name);
}

static CK_RV refuse_destruction(kvp_call *call, const kvp_view *view)
{
    if (!view->key)
        return CKR_ACTION_PROHIBITED;
    if (view->cls == CKO_PUBLIC_KEY)
        return kvp_object_refuse(call, KVP_CALL_OBJECT, "PublicKey",
                                 "a public key cannot be destroyed without its private key");
    if (!view->entry || view->entry->managed)
        return refuse_managed(call, view);
    return kvp_object_refuse(call, KVP_CALL_OBJECT, "NewerVersion",
                             "deleting this version of %s would delete a newer one too",
                             view->entry->name);
}

/* Softly, with all versions; a certificate takes its key along. */
static CK_RV delete_entry(kvp_call *call, kvp_vault *vault, kvp_object *object)
{
    kvp_record *record = object->record;
    kvp_collection collection = (kvp_collection)record->kind;
    call->remote = true;
    kvp_status st = kvp_vault_delete(vault, collection, record->name, &call->trace, &call->error);
    if (st == KVP_OK || (st == KVP_ERR_HTTP && call->error.http_status == 404)) {
        kvp_store_deleted(record->store, collection, record->name, object);
        if (collection == KVP_CERTIFICATES)
            kvp_store_deleted(record->store, KVP_KEYS, record->name, object);
    }
    return st == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_OBJECT);
}

CK_RV kvp_object_destroy(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    CK_RV rv = kvp_object_get(session, handle, &object);
    if (rv == CKR_OBJECT_HANDLE_INVALID && (session->flags & CKF_RW_SESSION) &&
        kvp_store_went_along(session->slot->objects, handle))
        return CKR_OK; /* with its private key, or its certificate: pkcs11-tool 0.23 --test-ec */
    if (rv != CKR_OK)
        return rv;
    kvp_view view;
    kvp_object_view(object, &view);
    if (!kvp_object_is_token(object)) {
        if (!kvp_attribute_is_true(&view, CKA_DESTROYABLE))
            return CKR_ACTION_PROHIBITED;
        destroy_session_object(object);
        return CKR_OK;
    }

    call->operation = "DestroyObject";
    if (view.entry)
        kvp_copy_printable(call->object_id, sizeof(call->object_id), view.entry->id);
    rv = kvp_session_may_write(session);
    if (rv != CKR_OK)
        return rv;
    if (!kvp_attribute_is_true(&view, CKA_DESTROYABLE))
        return refuse_destruction(call, &view);
    kvp_vault *vault = kvp_slot_vault(call, session->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    rv = check_is_current(call, vault, object);
    return rv == CKR_OK ? delete_entry(call, vault, object) : rv;
}
