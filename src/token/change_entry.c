/* SPDX-License-Identifier: MIT */
/*
 * Changing what the vault keeps (PKCS#11 v3.1 §5.7.6): one read of the entry as it is now, for its
 * tags are replaced as a whole, and one request with everything that is to be otherwise. What the
 * vault could not make true is refused before it, so that a call that fails has changed nothing.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "token/create.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/* One change on its way. */
typedef struct change {
    kvp_call *call;
    kvp_vault *vault;
    kvp_object *object;
    kvp_template t;
    kvp_entry *draft; /* owned: the entry as it shall be */
    kvp_key_update update;
    const CK_ATTRIBUTE *value; /* of a data object, when that changes */
} change;

static void change_clear(change *c)
{
    kvp_entry_free(c->draft);
}

static kvp_key *key_of(kvp_entry *entry)
{
    return entry->collection == KVP_KEYS ? (kvp_key *)entry : NULL;
}

/* Of a secret too: only a GET tells which version is the current one when two are of one second,
 * and a change on top of the other one's tags would undo what was changed there. Its value is
 * wiped.
 */
static CK_RV read_draft(change *c)
{
    const kvp_entry *known = kvp_record_document(c->object->record)->entry;
    c->call->remote = true;
    if (kvp_vault_get(c->vault, known->collection, known->name, known->version, &c->call->trace,
                      &c->draft, &c->call->error) != KVP_OK)
        return kvp_call_fail(c->call, KVP_CALL_OBJECT);
    return CKR_OK;
}

/* ---- what is to be otherwise ---- */

/* The draft, as the object would show it. */
static kvp_view view_of(const change *c, const kvp_view *now, const kvp_buf *value)
{
    kvp_view view = *now;
    view.entry = c->draft;
    view.key = key_of(c->draft);
    view.document = NULL;
    view.value = value;
    view.loaded = true;
    return view;
}

static bool is_tagged(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_LABEL || type == CKA_ID || type == CKA_SUBJECT || type == CKA_APPLICATION ||
           type == CKA_OBJECT_ID;
}

/* Every attribute that does not have the wanted value yet, into the draft. */
static CK_RV draft_changes(change *c, const kvp_view *now)
{
    kvp_key *key = key_of(c->draft);
    kvp_attributes before = c->draft->attributes;
    uint32_t ops = key ? key->ops : 0;
    uint32_t on = 0;
    uint32_t off = 0;
    for (CK_ULONG i = 0; i < c->t.count; i++) {
        const CK_ATTRIBUTE *attr = &c->t.attrs[i];
        const kvp_view fresh = view_of(c, now, NULL);
        if (attr->type == CKA_VALUE) {
            c->value = attr; /* not compared: the old value is nobody's business here */
            continue;
        }
        if (kvp_attribute_matches(&fresh, attr))
            continue;
        c->update.set_tags = c->update.set_tags || is_tagged(attr->type);
        CK_RV rv = kvp_draft_apply(c->draft, attr);
        if (rv != CKR_OK)
            return rv;
    }
    kvp_draft_usage(now->cls, c->t.attrs, c->t.count, &on, &off);
    if (key) {
        key->ops = (ops & ~off) | on;
        c->update.set_ops = key->ops != ops;
        c->update.ops = key->ops;
    }
    c->update.set_not_before = c->draft->attributes.not_before != before.not_before;
    c->update.not_before = c->draft->attributes.not_before;
    c->update.set_expires = c->draft->attributes.expires != before.expires;
    c->update.expires = c->draft->attributes.expires;
    c->update.set_enabled = c->draft->attributes.enabled != before.enabled;
    c->update.enabled = c->draft->attributes.enabled;
    c->update.tags = c->draft->tags;
    c->update.tag_count = c->draft->tag_count;
    return CKR_OK;
}

static CK_RV check_draft(change *c, const kvp_view *now)
{
    const kvp_buf value = { .data = c->value ? c->value->pValue : NULL,
                            .len = c->value ? c->value->ulValueLen : 0 };
    const kvp_view then = view_of(c, now, &value);
    for (CK_ULONG i = 0; i < c->t.count; i++)
        if (!kvp_attribute_matches(&then, &c->t.attrs[i]))
            return kvp_object_refuse(c->call, KVP_CALL_OBJECT, "BadValue",
                                     "the object cannot have such a value in %s",
                                     kvp_cka_name(c->t.attrs[i].type));
    return CKR_OK;
}

/* ---- sending ---- */

/* A new version of the secret, with the tags and dates that it shall have. */
static CK_RV send_value(change *c, kvp_entry **ret)
{
    kvp_secret *draft = (kvp_secret *)c->draft;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf text = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    kvp_secret *changed = NULL;
    bool plain;
    CK_RV rv = kvp_data_encode(c->value->pValue, c->value->ulValueLen, &text, &plain);
    if (rv != CKR_OK)
        return rv;
    /* What is no text any more, or again, says so by content type and tag. */
    const char *cls = kvp_entry_tag(&draft->entry, KVP_TAG_CLASS);
    bool was_bytes = cls && strcmp(cls, KVP_CLASS_DATA) == 0;
    const char *type = plain && was_bytes ? NULL : draft->content_type;
    if (kvp_draft_set_tag(&draft->entry, KVP_TAG_CLASS, plain ? NULL : KVP_CLASS_DATA) != KVP_OK)
        return CKR_HOST_MEMORY;
    const kvp_secret_set set = { .value = kvp_buf_str(&text),
                                 .value_len = text.len,
                                 .content_type = plain ? type : KVP_TYPE_BYTES,
                                 .tags = draft->tags,
                                 .tag_count = draft->tag_count,
                                 .not_before = draft->attributes.not_before,
                                 .expires = draft->attributes.expires };
    if (kvp_vault_secret_set(c->vault, draft->name, &set, &c->call->trace, &changed,
                             &c->call->error) != KVP_OK)
        return kvp_call_fail(c->call, KVP_CALL_OBJECT);
    *ret = &changed->entry;
    return CKR_OK;
}

static CK_RV send_update(change *c, kvp_entry **ret)
{
    if (kvp_vault_update(c->vault, c->draft->collection, c->draft->name, c->draft->version,
                         &c->update, &c->call->trace, ret, &c->call->error) != KVP_OK)
        return kvp_call_fail(c->call, KVP_CALL_OBJECT);
    return CKR_OK;
}

/* ---- what it is now ---- */

/* A disabled entry is shown no more, but for those who hold its handle. */
static void show_or_hide(kvp_record *record, bool enabled)
{
    kvp_object_store *store = record->store;
    kvp_collection collection = (kvp_collection)record->kind;
    kvp_record *trash = NULL;
    kvp_lock_take(&store->lock);
    if (!enabled && record->current) {
        kvp_record_retire_locked(record, record->superseded, &trash);
        kvp_missing_note_locked(store, collection, record->name, kvp_clock_mono_ms());
    } else if (enabled && !record->current && !record->dead && !record->superseded &&
               !kvp_store_current_locked(store, collection, record->name)) {
        kvp_record_unlink_locked(record);
        kvp_missing_forget_locked(store, collection, record->name);
        /* Without room on the shelf it stays among the others, where its handles are good. */
        if (!kvp_shelf_insert_locked(store, record))
            kvp_record_link_locked(&store->others, record);
    }
    kvp_lock_give(&store->lock);
    kvp_trash_free(trash);
}

/* What was said of the key behind a certificate, whose tags it follows, is believed no longer. */
static void doubt_key(kvp_object_store *store, const char *name)
{
    kvp_lock_take(&store->lock);
    kvp_record *key = kvp_store_current_locked(store, KVP_KEYS, name);
    if (key)
        key->checked_ms = INT64_MIN;
    store->shelves[KVP_KEYS].listed_ms = INT64_MIN;
    kvp_lock_give(&store->lock);
}

static CK_RV take_data(kvp_record *record, kvp_entry *changed, int64_t start_ms)
{
    kvp_object_store *store = record->store;
    kvp_secret *secret = (kvp_secret *)changed;
    kvp_record *now = NULL;
    kvp_buf_clear(&secret->value);
    secret->has_value = false;
    kvp_lock_take(&store->lock);
    kvp_buf_clear(&record->value);
    kvp_lock_give(&store->lock);
    kvp_store_changed(store);
    if (kvp_store_put_item(store, changed, start_ms, &now) != KVP_OK)
        return CKR_HOST_MEMORY;
    kvp_record_unpin(now);
    return CKR_OK;
}

/* Takes @changed. */
static CK_RV take_answer(change *c, kvp_entry *changed)
{
    kvp_record *record = c->object->record;
    kvp_read_time when = kvp_read_time_now();
    if (c->object->cls == CKO_DATA)
        return take_data(record, changed, when.mono_ms);
    bool enabled = changed->attributes.enabled;
    if (changed->collection == KVP_SECRETS) {
        /* An answer to a change has no value, which holds the certificate: the draft has it. */
        c->draft->attributes = changed->attributes;
        kvp_entry_free(changed);
        changed = KVP_STEAL(c->draft);
    }
    if (changed->collection == KVP_CERTIFICATES)
        doubt_key(record->store, record->name);
    if (kvp_record_set_changed(record, changed, when) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (c->update.set_enabled)
        show_or_hide(record, enabled);
    return CKR_OK;
}

CK_RV kvp_entry_change(kvp_call *call, kvp_object *object, const kvp_view *now, kvp_template t)
{
    KVP_CLEANUP(change_clear)
    change c = { .call = call,
                 .object = object,
                 .t = t,
                 .vault = kvp_slot_vault(call, object->record->store->slot) };
    kvp_entry *changed = NULL;
    if (!c.vault)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    CK_RV rv = read_draft(&c);
    if (rv == CKR_OK)
        rv = draft_changes(&c, now);
    if (rv == CKR_OK)
        rv = check_draft(&c, now);
    if (rv != CKR_OK)
        return rv;
    if (c.value)
        rv = send_value(&c, &changed);
    else if (c.update.set_tags || c.update.set_ops || c.update.set_not_before ||
             c.update.set_expires || c.update.set_enabled)
        rv = send_update(&c, &changed);
    return rv == CKR_OK && changed ? take_answer(&c, changed) : rv;
}
