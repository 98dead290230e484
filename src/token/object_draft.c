/* SPDX-License-Identifier: MIT */
/* Writing templates into a vault key that is to be (object_draft.h). */
#include "base/alloc.h"
#include "jwk/base64url.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/record.h"
#include "token/template.h"

#include <string.h>

#define DAY_SECONDS 86400

static void remove_tag(kvp_entry *draft, const char *name)
{
    for (size_t i = 0; i < draft->tag_count; i++) {
        if (strcmp(draft->tags[i].name, name) != 0)
            continue;
        kvp_free(draft->tags[i].name);
        kvp_free(draft->tags[i].value);
        memmove(&draft->tags[i], &draft->tags[i + 1],
                (draft->tag_count - i - 1) * sizeof(*draft->tags));
        draft->tag_count--;
        return;
    }
}

kvp_status kvp_draft_set_tag(kvp_entry *draft, const char *name, const char *value)
{
    remove_tag(draft, name);
    if (!value)
        return KVP_OK;
    kvp_tag *tags = kvp_realloc(draft->tags, (draft->tag_count + 1) * sizeof(*tags));
    if (!tags)
        return KVP_ERR_NO_MEMORY;
    draft->tags = tags;
    KVP_CLEANUP(kvp_freep) char *name_copy = kvp_strdup(name);
    KVP_CLEANUP(kvp_freep) char *value_copy = kvp_strdup(value);
    if (!name_copy || !value_copy)
        return KVP_ERR_NO_MEMORY;
    tags[draft->tag_count].name = KVP_STEAL(name_copy);
    tags[draft->tag_count].value = KVP_STEAL(value_copy);
    draft->tag_count++;
    return KVP_OK;
}

static bool is_name(const kvp_entry *draft, const CK_ATTRIBUTE *attr)
{
    return draft->name && strlen(draft->name) == attr->ulValueLen &&
           memcmp(draft->name, attr->pValue, attr->ulValueLen) == 0;
}

static CK_RV put_tag(kvp_entry *draft, const char *name, const char *value)
{
    return kvp_draft_set_tag(draft, name, value) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

/* Text in a tag; empty text is none. */
static CK_RV apply_text(kvp_entry *draft, const char *name, const CK_ATTRIBUTE *attr)
{
    if (attr->ulValueLen == 0)
        return put_tag(draft, name, NULL);
    if (attr->ulValueLen > KVP_TAG_VALUE_MAX || !kvp_text_is_valid(attr->pValue, attr->ulValueLen))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    KVP_CLEANUP(kvp_freep) char *value = kvp_strndup(attr->pValue, attr->ulValueLen);
    return value ? put_tag(draft, name, value) : CKR_HOST_MEMORY;
}

static CK_RV apply_label(kvp_entry *draft, const CK_ATTRIBUTE *attr)
{
    if (is_name(draft, attr))
        return put_tag(draft, KVP_TAG_LABEL, NULL);
    return attr->ulValueLen ? apply_text(draft, KVP_TAG_LABEL, attr) : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* Bytes in a tag, as base64url; none are no tag. */
static CK_RV apply_bytes(kvp_entry *draft, const char *name, const CK_ATTRIBUTE *attr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf text = KVP_BUF_INIT(KVP_TAG_VALUE_MAX);
    if (attr->ulValueLen == 0)
        return put_tag(draft, name, NULL);
    switch (kvp_base64url_encode(attr->pValue, attr->ulValueLen, &text)) {
    case KVP_OK:
        return put_tag(draft, name, kvp_buf_str(&text));
    case KVP_ERR_TOO_LARGE:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    default:
        return CKR_HOST_MEMORY;
    }
}

static CK_RV apply_id(kvp_entry *draft, const CK_ATTRIBUTE *attr)
{
    if (is_name(draft, attr) && attr->ulValueLen <= KVP_ID_MAX)
        return put_tag(draft, KVP_TAG_ID, NULL);
    return attr->ulValueLen ? apply_bytes(draft, KVP_TAG_ID, attr) : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* A key is good from the first second of its start date to the last of its end date. */
static CK_RV apply_date(const CK_ATTRIBUTE *attr, int64_t end_of_day, int64_t *seconds)
{
    int64_t start;
    if (attr->ulValueLen == 0)
        return *seconds ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK; /* the service takes no date off */
    if (!kvp_date_parse(attr->pValue, attr->ulValueLen, &start))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *seconds = start + end_of_day;
    return *seconds > 0 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV kvp_draft_apply(kvp_entry *draft, const CK_ATTRIBUTE *attr)
{
    switch (attr->type) {
    case CKA_LABEL:
        return apply_label(draft, attr);
    case CKA_ID:
        return apply_id(draft, attr);
    case CKA_SUBJECT:
        return apply_bytes(draft, KVP_TAG_SUBJECT, attr);
    case CKA_APPLICATION:
        return apply_text(draft, KVP_TAG_APPLICATION, attr);
    case CKA_OBJECT_ID:
        return apply_bytes(draft, KVP_TAG_OBJECT_ID, attr);
    case CKA_KVP_ENABLED:
        draft->attributes.enabled = kvp_template_bool(attr, 1, attr->type, true);
        return CKR_OK;
    case CKA_START_DATE:
        return apply_date(attr, 0, &draft->attributes.not_before);
    case CKA_END_DATE:
        return apply_date(attr, DAY_SECONDS - 1, &draft->attributes.expires);
    default:
        return CKR_OK;
    }
}

void kvp_draft_usage(CK_OBJECT_CLASS cls, const CK_ATTRIBUTE *attrs, CK_ULONG count, uint32_t *on,
                     uint32_t *off)
{
    for (CK_ULONG i = 0; i < count; i++) {
        uint32_t op = kvp_usage_op(cls, attrs[i].type);
        if (!op)
            continue;
        if (kvp_template_bool(&attrs[i], 1, attrs[i].type, false))
            *on |= op;
        else
            *off |= op;
    }
}

/* ---- new keys ---- */

/* Accepted whatever their value; see the header. */
static bool is_lenient(const CK_ATTRIBUTE *attr)
{
    switch (attr->type) {
    case CKA_PRIVATE:
    case CKA_COPYABLE:
    case CKA_EC_PARAMS: /* was understood; it may have been written as a name */
    case CKA_DERIVE:    /* pkcs11-tool 0.23 asks for it with every EC key; the new key says FALSE */
        return true;
    case CKA_LABEL:
    case CKA_ID:
    case CKA_CHECK_VALUE:
        return attr->ulValueLen == 0; /* none */
    default:
        return false;
    }
}

/*
 * One operation of a vault's key stands for two attributes, CKA_SIGN and CKA_SIGN_RECOVER: each may
 * be TRUE or FALSE, but not one of them without the other (PKCS#11 v3.1 §4.1.1).
 */
static bool is_contradicted(const kvp_view *view, const CK_ATTRIBUTE *attr, kvp_template t)
{
    uint32_t op = kvp_usage_op(view->cls, attr->type);
    uint32_t on = 0, off = 0;
    kvp_draft_usage(view->cls, t.attrs, t.count, &on, &off);
    return (op & on & off) != 0;
}

CK_RV kvp_draft_check_view(kvp_call *call, const kvp_view *view, kvp_template t, bool token_open)
{
    for (CK_ULONG i = 0; i < t.count; i++) {
        const CK_ATTRIBUTE *attr = &t.attrs[i];
        if (is_lenient(attr) || (attr->type == CKA_TOKEN && token_open) ||
            kvp_attribute_matches(view, attr))
            continue;
        CK_RV rv = kvp_object_refuse(call, KVP_CALL_CREATE, "BadValue",
                                     "an object in the vault cannot have the value asked for in %s",
                                     kvp_cka_name(attr->type));
        return attr->type == CKA_CLASS || attr->type == CKA_KEY_TYPE ||
                       is_contradicted(view, attr, t)
                   ? CKR_TEMPLATE_INCONSISTENT
                   : rv;
    }
    return CKR_OK;
}

CK_RV kvp_draft_check(kvp_call *call, const kvp_slot *slot, const kvp_key *draft,
                      CK_OBJECT_CLASS cls, kvp_template t, bool token_open)
{
    const kvp_view view = {
        .slot = slot, .cls = cls, .entry = &draft->entry, .key = draft, .loaded = true
    };
    return kvp_draft_check_view(call, &view, t, token_open);
}

/* The non-empty value of @type that the templates give; they may not give two different ones. */
static CK_RV shared_value(CK_ATTRIBUTE_TYPE type, kvp_template a, kvp_template b,
                          const CK_ATTRIBUTE **ret)
{
    const CK_ATTRIBUTE *x = kvp_template_find(a.attrs, a.count, type);
    const CK_ATTRIBUTE *y = kvp_template_find(b.attrs, b.count, type);
    if (x && x->ulValueLen == 0)
        x = NULL;
    if (y && y->ulValueLen == 0)
        y = NULL;
    if (x && y &&
        (x->ulValueLen != y->ulValueLen || memcmp(x->pValue, y->pValue, x->ulValueLen) != 0))
        return CKR_TEMPLATE_INCONSISTENT; /* one key in the vault, one label and one id */
    *ret = x ? x : y;
    return CKR_OK;
}

/*
 * The vault name: the label where it is one; without a label, a CKA_ID that is one (SunPKCS11
 * writes its alias there); else one is made.
 */
static CK_RV draft_name(kvp_key *draft, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
    const CK_ATTRIBUTE *from = label;
    char name[KVP_NAME_MAX + 1];
    bool exact;
    if (!label && id && kvp_name_is_valid(id->pValue, id->ulValueLen))
        from = id;
    if (kvp_name_from_label(from ? from->pValue : NULL, from ? from->ulValueLen : 0, name,
                            &exact) != KVP_OK)
        return CKR_FUNCTION_FAILED;
    draft->name = kvp_strdup(name);
    return draft->name ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV kvp_draft_rename(kvp_key *draft)
{
    KVP_CLEANUP(kvp_freep) char *old = KVP_STEAL(draft->name);
    KVP_CLEANUP(kvp_freep) char *hint = kvp_asprintf("%s ", old);
    CK_ATTRIBUTE id = { CKA_ID, old, strlen(old) };
    char name[KVP_NAME_MAX + 1];
    bool exact;
    /* The blank makes it a label that is no name: those get a random ending. */
    if (!hint || kvp_name_from_label(hint, strlen(hint), name, &exact) != KVP_OK)
        return CKR_HOST_MEMORY;
    draft->name = kvp_strdup(name);
    if (!draft->name)
        return CKR_HOST_MEMORY;
    return kvp_key_tag(draft, KVP_TAG_ID) ? CKR_OK : kvp_draft_apply(&draft->entry, &id);
}

CK_RV kvp_draft_identity(kvp_call *call, const kvp_slot *slot, kvp_key *draft, kvp_template a,
                         kvp_template b, bool local, bool *ret_free_name)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_ID, CKA_SUBJECT, CKA_START_DATE,
                                               CKA_END_DATE };
    const CK_ATTRIBUTE *found[KVP_ARRAY_LEN(types)];
    CK_RV rv = CKR_OK;
    for (size_t i = 0; i < KVP_ARRAY_LEN(types) && rv == CKR_OK; i++)
        rv = shared_value(types[i], a, b, &found[i]);
    if (rv == CKR_OK)
        rv = draft_name(draft, found[0], found[1]);
    *ret_free_name = rv == CKR_OK && !found[0];
    for (size_t i = 0; i < KVP_ARRAY_LEN(types) && rv == CKR_OK; i++)
        if (found[i])
            rv = kvp_draft_apply(&draft->entry, found[i]);
    if (rv != CKR_OK)
        return rv;
    if (local && kvp_draft_set_tag(&draft->entry, KVP_TAG_LOCAL, "yes") != KVP_OK)
        return CKR_HOST_MEMORY;
    if (!kvp_config_vault_shows(slot->config, draft->name))
        return kvp_object_refuse(call, KVP_CALL_CREATE, "HiddenName",
                                 "the setting \"keys\" would hide the new key %s", draft->name);
    return CKR_OK;
}

static uint32_t counterparts(uint32_t ops)
{
    static const uint32_t pairs[][2] = { { KVP_OP_SIGN, KVP_OP_VERIFY },
                                         { KVP_OP_DECRYPT, KVP_OP_ENCRYPT },
                                         { KVP_OP_UNWRAP, KVP_OP_WRAP } };
    uint32_t other = 0;
    for (size_t i = 0; i < KVP_ARRAY_LEN(pairs); i++) {
        if (ops & pairs[i][0])
            other |= pairs[i][1];
        if (ops & pairs[i][1])
            other |= pairs[i][0];
    }
    return other;
}

uint32_t kvp_draft_wanted_ops(uint32_t all, uint32_t on_a, uint32_t off_a, uint32_t on_b,
                              uint32_t off_b)
{
    if (on_a || on_b) {
        uint32_t ops = on_a | on_b;
        if (!on_a && !off_a)
            ops |= counterparts(on_b);
        if (!on_b && !off_b)
            ops |= counterparts(on_a);
        return ops;
    }
    return all & ~(off_a | off_b);
}
