/* SPDX-License-Identifier: MIT */
/* Secrets that stand for objects of an application's: names, tags, the request (new_secret.h). */
#include "base/alloc.h"
#include "token/create.h"
#include "token/new_secret.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/** Names that are tried. */
#define TRIES 3

/* ---- drafts ---- */

static CK_RV name_draft(const kvp_new_secret_order *o, unsigned attempt, kvp_entry *draft)
{
    const CK_ATTRIBUTE *label = kvp_template_find(o->t.attrs, o->t.count, CKA_LABEL);
    const CK_ATTRIBUTE *id = kvp_template_find(o->t.attrs, o->t.count, CKA_ID);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf from = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT);
    kvp_status st = KVP_OK;
    char name[KVP_NAME_MAX + 1];
    bool exact;
    if (kvp_attribute_is_given(label))
        st = kvp_buf_set(&from, label->pValue, label->ulValueLen);
    else if (kvp_attribute_is_given(id) && kvp_name_is_valid(id->pValue, id->ulValueLen))
        st = kvp_buf_set(&from, id->pValue, id->ulValueLen);
    else if (o->hint)
        st = kvp_buf_set(&from, o->hint->data, o->hint->len);
    /* A blank makes it a label that is no name: those get a random ending. */
    if (st == KVP_OK && attempt > 0)
        st = kvp_buf_append_str(&from, " ");
    if (st == KVP_OK)
        st = kvp_name_from_label(from.data, from.len, name, &exact);
    if (st != KVP_OK)
        return st == KVP_ERR_NO_MEMORY ? CKR_HOST_MEMORY : CKR_FUNCTION_FAILED;
    draft->name = kvp_strdup(name);
    return draft->name ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV kvp_new_secret_draft(const kvp_new_secret_order *o, unsigned attempt, kvp_secret **ret)
{
    KVP_CLEANUP(kvp_secret_freep) kvp_secret *draft = kvp_calloc(1, sizeof(*draft));
    if (!draft)
        return CKR_HOST_MEMORY;
    draft->collection = KVP_SECRETS;
    draft->attributes.enabled = true;
    if (o->content_type && !(draft->content_type = kvp_strdup(o->content_type)))
        return CKR_HOST_MEMORY;
    CK_RV rv = name_draft(o, attempt, &draft->entry);
    for (CK_ULONG i = 0; i < o->t.count && rv == CKR_OK; i++)
        if (kvp_attribute_is_given(&o->t.attrs[i]) && o->t.attrs[i].type != CKA_START_DATE &&
            o->t.attrs[i].type != CKA_END_DATE && o->t.attrs[i].type != CKA_SUBJECT)
            rv = kvp_draft_apply(&draft->entry, &o->t.attrs[i]);
    if (rv == CKR_OK && o->class_tag &&
        kvp_draft_set_tag(&draft->entry, KVP_TAG_CLASS, o->class_tag) != KVP_OK)
        rv = CKR_HOST_MEMORY;
    if (rv == CKR_OK)
        *ret = KVP_STEAL(draft);
    return rv;
}

/* ---- secrets ---- */

/* Whether the vault has a secret of that name, without reading it: an unknown name has no versions
 * (wire reference, section 3.1). Where we may not see that, it may have. */
static CK_RV is_taken(kvp_call *call, kvp_vault *vault, const char *name, bool *ret)
{
    kvp_entry_list versions = { 0 };
    kvp_status st =
        kvp_vault_versions(vault, KVP_SECRETS, name, &call->trace, &versions, &call->error);
    bool any = versions.count != 0;
    bool unknown = st == KVP_ERR_HTTP && call->error.http_status == 404;
    bool hidden = st == KVP_ERR_HTTP && call->error.http_status == 403;
    kvp_entry_list_clear(&versions);
    if (st != KVP_OK && !unknown && !hidden)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    kvp_error_clear(&call->error);
    *ret = any || hidden;
    return CKR_OK;
}

static kvp_status send(kvp_call *call, kvp_vault *vault, const kvp_new_secret_order *o,
                       const kvp_secret *draft, kvp_secret **ret)
{
    const kvp_secret_set set = {
        .value = o->value,
        .value_len = o->value_len,
        .content_type = o->content_type,
        .tags = draft->tags,
        .tag_count = draft->tag_count,
    };
    return kvp_vault_secret_set(vault, draft->name, &set, &call->trace, ret, &call->error);
}

/* @draft, or one of another name in its place, becomes a secret. */
CK_RV kvp_new_secret(kvp_call *call, kvp_vault *vault, const kvp_new_secret_order *o,
                     kvp_secret **draft, kvp_secret **ret)
{
    call->remote = true;
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        bool taken = false;
        CK_RV rv = CKR_OK;
        if (attempt > 0) {
            kvp_secret_free(KVP_STEAL(*draft));
            rv = kvp_new_secret_draft(o, attempt, draft);
        }
        if (rv == CKR_OK)
            rv = is_taken(call, vault, (*draft)->name, &taken);
        if (rv != CKR_OK)
            return rv;
        if (taken)
            continue;
        kvp_status st = send(call, vault, o, *draft, ret);
        if (st == KVP_OK)
            return CKR_OK;
        /* Deleted, and still keeping its name. */
        if (st != KVP_ERR_HTTP || call->error.http_status != 409 || attempt + 1 == TRIES)
            return kvp_call_fail(call, KVP_CALL_CREATE);
        kvp_error_clear(&call->error);
    }
    return kvp_object_refuse(call, KVP_CALL_CREATE, "KeyExists",
                             "the vault has secrets of every name that was tried, or does not let "
                             "us see whether it has");
}

CK_RV kvp_new_secret_place(kvp_call *call, const kvp_slot *slot, bool shown, const char *setting)
{
    if (slot->config->managed_hsm)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "NoSecrets",
                                 "a Managed HSM keeps keys only");
    if (!shown)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "NoSecrets",
                                 "the setting \"%s\" would hide the new object", setting);
    return CKR_OK;
}

CK_RV kvp_new_secret_shown(kvp_call *call, const kvp_slot *slot, const char *name)
{
    return kvp_config_vault_shows(slot->config, name)
               ? CKR_OK
               : kvp_object_refuse(call, KVP_CALL_CREATE, "HiddenName",
                                   "the setting \"keys\" would hide the new object %s", name);
}

CK_RV kvp_new_secret_handle(kvp_session *session, kvp_record *record, CK_OBJECT_CLASS cls,
                            CK_OBJECT_HANDLE *ret)
{
    kvp_store_changed(session->slot->objects);
    if (!record)
        return CKR_FUNCTION_FAILED; /* made, and disabled by somebody at once */
    CK_RV rv = kvp_new_handle(record, cls, ret);
    kvp_record_unpin(record);
    return rv;
}
