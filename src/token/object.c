/* SPDX-License-Identifier: MIT */
/* What operations need of a key, and reading attributes (PKCS#11 v3.1 §5.7.4, §5.7.5). */
#include "token/object_store.h"
#include "token/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

CK_OBJECT_CLASS kvp_object_class(const kvp_object *object)
{
    return object->cls;
}

bool kvp_object_is_token(const kvp_object *object)
{
    return kvp_record_is_token(object->record);
}

CK_KEY_TYPE kvp_object_key_type(const kvp_object *object)
{
    kvp_view view;
    kvp_object_view(object, &view);
    return kvp_view_key_type(&view);
}

CK_ULONG kvp_object_key_bits(const kvp_object *object)
{
    const kvp_document *document = kvp_record_document(object->record);
    if (document->key)
        return document->key->key_bits;
    const kvp_buf *value = kvp_attribute_set_get(&document->set, CKA_VALUE);
    return value ? (CK_ULONG)value->len * 8 : 0;
}

const kvp_key *kvp_object_vault_key(const kvp_object *object)
{
    const kvp_document *document = kvp_record_document(object->record);
    return object->record->kind == KVP_RECORD_KEY && document->loaded ? document->key : NULL;
}

CK_RV kvp_object_public_key(kvp_call *call, kvp_object *object, const kvp_public_key **ret)
{
    kvp_document *document = kvp_record_document(object->record);
    if (kvp_document_public_key(document, ret, &call->error) != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_OBJECT);
    return CKR_OK;
}

kvp_curve kvp_object_curve(const kvp_object *object)
{
    const kvp_document *document = kvp_record_document(object->record);
    return document->key && document->loaded ? document->key->curve : KVP_CURVE_NONE;
}

const kvp_buf *kvp_object_secret_value(const kvp_object *object)
{
    if (kvp_object_is_token(object) || object->cls != CKO_SECRET_KEY)
        return NULL;
    return kvp_attribute_set_get(&kvp_record_document(object->record)->set, CKA_VALUE);
}

bool kvp_object_allows(const kvp_object *object, CK_ATTRIBUTE_TYPE usage)
{
    kvp_view view;
    kvp_object_view(object, &view);
    return kvp_attribute_is_true(&view, usage);
}

bool kvp_object_takes_mechanism(const kvp_object *object, CK_MECHANISM_TYPE type)
{
    kvp_view view;
    kvp_object_view(object, &view);
    const kvp_buf *list =
        view.set ? kvp_attribute_set_get(view.set, CKA_ALLOWED_MECHANISMS) : NULL;
    if (!list)
        return true;
    for (size_t at = 0; at + sizeof(type) <= list->len; at += sizeof(type))
        if (memcmp(list->data + at, &type, sizeof(type)) == 0)
            return true;
    return false;
}

CK_RV kvp_object_refuse(kvp_call *call, kvp_call_kind kind, const char *code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    kvp_error_set(&call->error, KVP_ERR_REFUSED, "%s", text);
    kvp_copy_printable(call->error.code, sizeof(call->error.code), code);
    return kvp_call_fail(call, kind);
}

/* ---- C_GetAttributeValue ---- */

/* Whether one of the attributes is not answered by a list page. */
static bool needs_document(const kvp_view *view, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    if (view->loaded)
        return false;
    for (CK_ULONG i = 0; i < count; i++) {
        const kvp_attribute_row *row = kvp_attribute_row_find(attrs[i].type, kvp_view_who(view));
        if (row && !(row->flags & KVP_ATTRIBUTE_LISTED))
            return true;
    }
    return false;
}

/* One attribute. CKR_OK, or one of the three answers that let the others go on, or a failure. */
static CK_RV get_attribute(const kvp_view *view, CK_ATTRIBUTE *attr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    switch (kvp_attribute_get(view, attr->type, &value)) {
    case KVP_OK:
        break;
    case KVP_ERR_NOT_FOUND:
        attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    case KVP_ERR_REFUSED:
        attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_SENSITIVE;
    case KVP_ERR_NO_MEMORY:
        attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_HOST_MEMORY;
    default:
        attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_FUNCTION_FAILED;
    }
    if (!attr->pValue) {
        attr->ulValueLen = value.len;
        return CKR_OK;
    }
    /* A length left over from an attribute that was not available is no room. */
    if (attr->ulValueLen < value.len || attr->ulValueLen == CK_UNAVAILABLE_INFORMATION) {
        attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    if (value.len)
        memcpy(attr->pValue, value.data, value.len);
    attr->ulValueLen = value.len;
    return CKR_OK;
}

/* The standard leaves open which of several answers is returned; a caller that grows its buffers
 * and tries again should not do so for what it will never get. */
static int weight(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
        return 0;
    case CKR_BUFFER_TOO_SMALL:
        return 1;
    case CKR_ATTRIBUTE_TYPE_INVALID:
        return 2;
    case CKR_ATTRIBUTE_SENSITIVE:
        return 3;
    default:
        return 4;
    }
}

/* A token's data object, whose value is asked for: the view has it until @value is cleared. */
static CK_RV read_value(kvp_call *call, kvp_object *object, kvp_view *view, kvp_buf *value)
{
    CK_RV rv = kvp_data_take_value(call, object->record, value);
    if (rv != CKR_OK)
        return rv;
    view->value = value;
    view->loaded = true;
    return CKR_OK;
}

static bool only_length(const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (attrs[i].type == CKA_VALUE && attrs[i].pValue &&
            attrs[i].ulValueLen != CK_UNAVAILABLE_INFORMATION)
            return false;
    return true;
}

CK_RV kvp_object_get_attributes(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                                CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    CK_RV rv = kvp_object_get(session, handle, &object);
    if (rv != CKR_OK)
        return rv;

    kvp_view view;
    kvp_object_view(object, &view);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    if (needs_document(&view, attrs, count)) {
        call->operation = "GetAttributeValue";
        bool data = kvp_object_is_token(object) && object->cls == CKO_DATA;
        rv = data ? read_value(call, object, &view, &value) : kvp_object_load(call, object);
        if (rv != CKR_OK)
            return rv;
        if (!data)
            kvp_object_view(object, &view);
    }
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV one = get_attribute(&view, &attrs[i]);
        if (weight(one) > weight(rv))
            rv = one;
    }
    if (view.value && only_length(attrs, count))
        kvp_data_give_value(object->record, &value);
    return rv;
}

/* ---- C_GetObjectSize ---- */

CK_RV kvp_object_size(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle, CK_ULONG *ret)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    CK_RV rv = kvp_object_get(session, handle, &object);
    if (rv != CKR_OK)
        return rv;
    if (kvp_object_is_token(object) && object->cls == CKO_DATA) {
        *ret = CK_UNAVAILABLE_INFORMATION; /* only its value would tell, which was not asked for */
        return CKR_OK;
    }
    if (!kvp_record_document(object->record)->loaded)
        call->operation = "GetObjectSize";
    rv = kvp_object_load(call, object);
    if (rv != CKR_OK)
        return rv;

    /* What the attributes take; how they are kept is nobody's business. */
    kvp_view view;
    kvp_object_view(object, &view);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    CK_ULONG size = 0;
    for (size_t i = 0; i < kvp_attribute_row_count; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        if (row != kvp_attribute_row_find(row->type, kvp_view_who(&view)))
            continue;
        kvp_buf_clear(&value);
        if (kvp_attribute_get(&view, row->type, &value) == KVP_OK)
            size += sizeof(CK_ATTRIBUTE) + value.len;
    }
    *ret = size;
    return CKR_OK;
}
