/* SPDX-License-Identifier: MIT */
/*
 * What vault keys and session objects answer to an attribute. Getters read a kvp_view and append
 * bytes; whether an attribute may be asked for at all is decided in attribute_table.c.
 */
#include "base/clock.h"
#include "jwk/base64url.h"
#include "token/mechanism.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/record.h"

#include <stdio.h>
#include <string.h>

static kvp_status put_bool(bool value, kvp_buf *ret)
{
    CK_BBOOL b = value ? CK_TRUE : CK_FALSE;
    return kvp_buf_append(ret, &b, sizeof(b));
}

static kvp_status put_ulong(CK_ULONG value, kvp_buf *ret)
{
    return kvp_buf_append(ret, &value, sizeof(value));
}

/* A key may be a draft of what it will be: then it is in the view in the entry's stead. */
static const kvp_entry *entry_of(const kvp_view *view)
{
    return view->key && !view->set ? &view->key->entry : view->entry;
}

kvp_status kvp_get_class(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_ulong(view->cls, ret);
}

kvp_status kvp_get_true(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    return put_bool(true, ret);
}

kvp_status kvp_get_false(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    return put_bool(false, ret);
}

kvp_status kvp_get_empty(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    (void)ret;
    return KVP_OK;
}

kvp_status kvp_get_absent(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    (void)ret;
    return KVP_ERR_NOT_FOUND;
}

kvp_status kvp_get_token(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(view->set == NULL, ret);
}

kvp_status kvp_get_private(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(kvp_slot_needs_login(view->slot), ret);
}

/* The key of a certificate follows the certificate; the service refuses to change or delete it. An
 * issuer is no entry of its own. */
static bool can_change(const kvp_view *view)
{
    const kvp_entry *entry = entry_of(view);
    return !view->slot->config->read_only && entry && !entry->managed;
}

kvp_status kvp_get_modifiable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(can_change(view), ret);
}

/*
 * A vault deletes a name: private key, public key and all versions together. So only the private
 * (or secret) key object of the current version can be destroyed; destroying a public key object,
 * which costs nothing on other tokens, must not take the private key with it.
 */
kvp_status kvp_get_destroyable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(can_change(view) && view->cls != CKO_PUBLIC_KEY && !view->superseded, ret);
}

kvp_status kvp_get_label(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_entry *entry = entry_of(view);
    if (entry)
        return kvp_entry_label(entry, ret);
    return view->cert ? kvp_buf_append(ret, view->cert->common_name.data,
                                       view->cert->common_name.len)
                      : KVP_ERR_NOT_FOUND;
}

kvp_status kvp_get_unique_id(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (view->set)
        return kvp_buf_append_fmt(ret, "session-%lu;type=%s", (unsigned long)view->handle,
                                  kvp_class_word(view->cls));
    const kvp_entry *entry = entry_of(view);
    if (entry && view->cls == CKO_DATA)
        return kvp_buf_append_fmt(ret, "%s;type=%s", entry->name, kvp_class_word(view->cls));
    if (entry)
        return kvp_buf_append_fmt(ret, "%s/%s;type=%s", entry->name, entry->version,
                                  kvp_class_word(view->cls));
    return view->cert ? kvp_issuer_unique_id(view->cert, ret) : KVP_ERR_NOT_FOUND;
}

CK_KEY_TYPE kvp_view_key_type(const kvp_view *view)
{
    if (view->set) {
        const kvp_buf *stored = kvp_attribute_set_get(view->set, CKA_KEY_TYPE);
        CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
        if (stored && stored->len == sizeof(type))
            memcpy(&type, stored->data, sizeof(type));
        return type;
    }
    if (!view->key || !view->loaded)
        return CK_UNAVAILABLE_INFORMATION;
    switch (view->key->kty) {
    case KVP_KTY_RSA:
        return CKK_RSA;
    case KVP_KTY_EC:
        return CKK_EC;
    case KVP_KTY_OCT:
        if (view->cls != CKO_SECRET_KEY)
            return CKK_VENDOR_DEFINED;
        /* One kind of key in the vault, two in PKCS#11: what it may do decides. */
        return view->key->ops & (KVP_OP_ENCRYPT | KVP_OP_DECRYPT | KVP_OP_WRAP | KVP_OP_UNWRAP)
                   ? CKK_AES
                   : CKK_GENERIC_SECRET;
    default:
        /* Shown by a list page, which tells no type: libp11 and others pass over what they do not
         * know, while an error here would end their enumeration. */
        return CKK_VENDOR_DEFINED;
    }
}

kvp_status kvp_get_key_type(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    CK_KEY_TYPE key_type = kvp_view_key_type(view);
    return key_type == CK_UNAVAILABLE_INFORMATION ? KVP_ERR_NOT_FOUND : put_ulong(key_type, ret);
}

kvp_status kvp_get_id(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_entry *entry = entry_of(view);
    if (entry)
        return kvp_entry_object_id(entry, view->superseded && entry->version[0], ret);
    return view->cert ? kvp_issuer_id(view->cert, ret) : KVP_ERR_NOT_FOUND;
}

/* What the application gave the key stands in a tag; else that of the certificate of the key's
 * version, where it has been read. */
kvp_status kvp_get_subject(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_entry *entry = entry_of(view);
    const char *tag = entry ? kvp_entry_tag(entry, KVP_TAG_SUBJECT) : NULL;
    const kvp_buf *subject = view->document ? atomic_load(&view->document->subject) : NULL;
    if (tag) {
        kvp_status st = kvp_base64url_decode(tag, strlen(tag), ret);
        /* A tag that is no base64url is somebody's mistake: as if there were none. */
        if (st != KVP_ERR_PARSE)
            return st;
    }
    return subject ? kvp_buf_append(ret, subject->data, subject->len) : KVP_OK;
}

kvp_status kvp_get_date(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    if (!view->key)
        return KVP_OK;
    int64_t seconds = type == CKA_START_DATE ? view->key->attributes.not_before
                                             : view->key->attributes.expires;
    if (seconds <= 0)
        return KVP_OK;
    kvp_date date;
    kvp_clock_date(seconds, &date);
    if (date.year > 9999)
        return KVP_OK;
    return kvp_buf_append_fmt(ret, "%04d%02d%02d", date.year, date.month, date.day);
}

/* The service does not say whether it made a key or got it by import: only what we had it make is
 * known to be local, by the tag that generate.c gives. Serves CKA_LOCAL and CKA_ALWAYS_SENSITIVE.
 */
static bool is_local(const kvp_view *view)
{
    const char *tag = view->key ? kvp_key_tag(view->key, KVP_TAG_LOCAL) : NULL;
    return tag && strcmp(tag, "yes") == 0;
}

kvp_status kvp_get_local(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(is_local(view), ret);
}

kvp_status kvp_get_gen_mechanism(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (!view->key || !is_local(view))
        return put_ulong(CK_UNAVAILABLE_INFORMATION, ret);
    switch (kvp_view_key_type(view)) {
    case CKK_RSA:
        return put_ulong(CKM_RSA_PKCS_KEY_PAIR_GEN, ret);
    case CKK_EC:
        return put_ulong(CKM_EC_KEY_PAIR_GEN, ret);
    case CKK_AES:
        return put_ulong(CKM_AES_KEY_GEN, ret);
    case CKK_GENERIC_SECRET:
        return put_ulong(CKM_GENERIC_SECRET_KEY_GEN, ret);
    default:
        return put_ulong(CK_UNAVAILABLE_INFORMATION, ret);
    }
}

kvp_status kvp_get_mechanisms(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (!view->object)
        return KVP_ERR_NOT_FOUND;
    for (size_t i = 0; i < kvp_mechanism_count; i++) {
        if (!kvp_mechanism_fits_key(&kvp_mechanisms[i], view->slot, view->object))
            continue;
        kvp_status st = put_ulong(kvp_mechanisms[i].type, ret);
        if (st != KVP_OK)
            return st;
    }
    return KVP_OK;
}

uint32_t kvp_usage_op(CK_OBJECT_CLASS cls, CK_ATTRIBUTE_TYPE type)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        uint32_t op;
        unsigned who;
    } uses[] = {
        { CKA_SIGN, KVP_OP_SIGN, KVP_IS_PRIVATE | KVP_IS_SECRET },
        { CKA_SIGN_RECOVER, KVP_OP_SIGN, KVP_IS_PRIVATE },
        { CKA_VERIFY, KVP_OP_VERIFY, KVP_IS_PUBLIC | KVP_IS_SECRET },
        { CKA_VERIFY_RECOVER, KVP_OP_VERIFY, KVP_IS_PUBLIC },
        { CKA_ENCRYPT, KVP_OP_ENCRYPT, KVP_IS_PUBLIC | KVP_IS_SECRET },
        { CKA_DECRYPT, KVP_OP_DECRYPT, KVP_IS_PRIVATE | KVP_IS_SECRET },
        { CKA_WRAP, KVP_OP_WRAP, KVP_IS_PUBLIC | KVP_IS_SECRET },
        { CKA_UNWRAP, KVP_OP_UNWRAP, KVP_IS_PRIVATE | KVP_IS_SECRET },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(uses); i++)
        if (uses[i].type == type && (uses[i].who & kvp_class_who(cls)))
            return uses[i].op;
    return 0;
}

kvp_status kvp_get_usage(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    if (!view->key)
        return KVP_ERR_NOT_FOUND;
    uint32_t op = kvp_usage_op(view->cls, type);
    bool recover = type == CKA_SIGN_RECOVER || type == CKA_VERIFY_RECOVER;
    bool can = true;
    switch (view->key->kty) {
    case KVP_KTY_RSA:
        break;
    case KVP_KTY_EC:
        can = !recover && (op == KVP_OP_SIGN || op == KVP_OP_VERIFY);
        break;
    case KVP_KTY_OCT:
        can = view->cls == CKO_SECRET_KEY;
        break;
    default:
        can = false;
    }
    return put_bool(can && (view->key->ops & op) != 0, ret);
}

kvp_status kvp_get_extractable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(view->key && view->key->attributes.exportable, ret);
}

kvp_status kvp_get_never_extractable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return put_bool(!view->key || !view->key->attributes.exportable, ret);
}

kvp_status kvp_get_number(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    if (!view->key || view->key->kty != KVP_KTY_RSA)
        return KVP_ERR_NOT_FOUND;
    const kvp_buf *number = type == CKA_MODULUS ? &view->key->n : &view->key->e;
    return kvp_buf_append(ret, number->data, number->len);
}

kvp_status kvp_get_modulus_bits(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    return view->key ? put_ulong(view->key->key_bits, ret) : KVP_ERR_NOT_FOUND;
}

static const kvp_curve_info *curve_of(const kvp_view *view)
{
    if (!view->key || view->key->kty != KVP_KTY_EC || view->key->curve == KVP_CURVE_NONE)
        return NULL;
    return &kvp_curves[view->key->curve];
}

kvp_status kvp_get_ec_params(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_curve_info *curve = curve_of(view);
    return curve ? kvp_buf_append(ret, curve->oid_der, curve->oid_der_len) : KVP_ERR_NOT_FOUND;
}

kvp_status kvp_get_ec_point(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_curve_info *curve = curve_of(view);
    if (!curve || view->key->x.len != curve->coordinate_len ||
        view->key->y.len != curve->coordinate_len)
        return KVP_ERR_NOT_FOUND;
    return kvp_ec_point_encode(view->key->curve, view->key->x.data, view->key->y.data, ret);
}

kvp_status kvp_get_public_key_info(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (!view->key || (view->key->kty != KVP_KTY_RSA && view->key->kty != KVP_KTY_EC))
        return KVP_ERR_NOT_FOUND;
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *own = NULL;
    const kvp_public_key *key = NULL;
    kvp_status st;
    if (view->document) {
        st = kvp_document_public_key(view->document, &key, NULL);
    } else {
        st = kvp_public_key_from_key(view->key, &own, NULL);
        key = own;
    }
    if (st != KVP_OK)
        return st;
    const kvp_buf *spki = kvp_public_key_spki(key);
    return kvp_buf_append(ret, spki->data, spki->len);
}

kvp_status kvp_get_value_len(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (view->set) {
        const kvp_buf *value = kvp_attribute_set_get(view->set, CKA_VALUE);
        return value ? put_ulong(value->len, ret) : KVP_ERR_NOT_FOUND;
    }
    /* Older services do not tell the size of a symmetric key. */
    return view->key && view->key->key_bits ? put_ulong(view->key->key_bits / 8, ret)
                                            : KVP_ERR_NOT_FOUND;
}

kvp_status kvp_get_check_value(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    const kvp_buf *value = view->set ? kvp_attribute_set_get(view->set, CKA_VALUE) : NULL;
    if (!value)
        return KVP_ERR_NOT_FOUND;
    uint8_t check[KVP_CHECK_VALUE_LEN];
    kvp_status st =
        kvp_check_value(kvp_view_key_type(view) == CKK_AES, value->data, value->len, check);
    return st == KVP_OK ? kvp_buf_append(ret, check, sizeof(check)) : st;
}

kvp_status kvp_get_vendor(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    const kvp_entry *entry = entry_of(view);
    if (!entry)
        return KVP_ERR_NOT_FOUND;
    const char *content_type = NULL;
    switch (type) {
    case CKA_KVP_ENABLED:
        return put_bool(entry->attributes.enabled, ret);
    case CKA_KVP_KEY_ID:
        return kvp_buf_append_str(ret, entry->id);
    case CKA_KVP_VERSION:
        return kvp_buf_append_str(ret, entry->version);
    case CKA_KVP_CONTENT_TYPE:
        content_type = ((const kvp_secret *)entry)->content_type;
        return content_type ? kvp_buf_append_str(ret, content_type) : KVP_ERR_NOT_FOUND;
    default:
        return view->key ? put_bool(view->key->hsm, ret) : KVP_ERR_NOT_FOUND;
    }
}
