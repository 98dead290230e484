/* SPDX-License-Identifier: MIT */
/*
 * Reading tokens and objects through the function list, as any application would: find, then ask
 * each object for its attributes, sizes first. An attribute that the module does not have is left
 * out; an object that cannot be read is listed with the reason.
 */
#include "tool/ls.h"

#include "base/alloc.h"
#include "kvpkcs11/vendor.h"
#include "token/call.h"
#include "tool/ls_key.h"
#include "tool/p11uri.h"
#include "tool/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIND_AT_ONCE 64

const kvp_usage kvp_usages[] = {
    { CKA_ENCRYPT, "encrypt" }, { CKA_DECRYPT, "decrypt" },
    { CKA_SIGN, "sign" },       { CKA_VERIFY, "verify" },
    { CKA_WRAP, "wrap" },       { CKA_UNWRAP, "unwrap" },
    { CKA_DERIVE, "derive" },   { 0, NULL },
};

static void listed_clear(kvp_listed *object)
{
    kvp_free(object->label);
    kvp_free(object->raw_label);
    kvp_buf_clear(&object->id);
    kvp_free(object->key);
    kvp_free(object->subject);
    kvp_free(object->identifier);
    kvp_free(object->version);
    kvp_free(object->uri);
    kvp_free(object->problem);
}

void kvp_listed_token_clear(kvp_listed_token *token)
{
    for (size_t i = 0; i < token->count; i++)
        listed_clear(&token->objects[i]);
    kvp_free(token->objects);
    kvp_free(token->label);
    kvp_free(token->raw_label);
    kvp_free(token->manufacturer);
    kvp_free(token->model);
    kvp_free(token->serial);
    kvp_free(token->raw_serial);
    kvp_free(token->uri);
    memset(token, 0, sizeof(*token));
}

/* ---- attributes ---- */

/* CKR_OK, and those that leave the other attributes filled (PKCS#11 v3.1, C_GetAttributeValue). */
static bool is_answer(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
           rv == CKR_BUFFER_TOO_SMALL;
}

void kvp_ls_attributes_clear(CK_ATTRIBUTE *attributes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kvp_free(attributes[i].pValue);
        attributes[i].pValue = NULL;
        attributes[i].ulValueLen = 0;
    }
}

/* Sizes, then values; what is not there has no value. @attributes hold types only, before. */
static kvp_status read_attributes(const kvp_library *library, CK_SESSION_HANDLE session,
                                  CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes, size_t count,
                                  kvp_error *reterr)
{
    CK_RV rv = library->f->C_GetAttributeValue(session, object, attributes, count);

    if (!is_answer(rv))
        return kvp_library_failed("C_GetAttributeValue", rv, reterr);
    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE *attribute = &attributes[i];

        if (attribute->ulValueLen == CK_UNAVAILABLE_INFORMATION ||
            attribute->ulValueLen > KVP_BUF_MAX_DEFAULT)
            attribute->ulValueLen = 0;
        attribute->pValue = kvp_calloc(1, attribute->ulValueLen + 1);
        if (!attribute->pValue) {
            kvp_ls_attributes_clear(attributes, count);
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "attributes");
        }
    }
    rv = library->f->C_GetAttributeValue(session, object, attributes, count);
    if (!is_answer(rv)) {
        kvp_ls_attributes_clear(attributes, count);
        return kvp_library_failed("C_GetAttributeValue", rv, reterr);
    }
    for (size_t i = 0; i < count; i++)
        if (attributes[i].ulValueLen == CK_UNAVAILABLE_INFORMATION ||
            attributes[i].ulValueLen > KVP_BUF_MAX_DEFAULT)
            attributes[i].ulValueLen = 0;
    return KVP_OK;
}

const CK_ATTRIBUTE *kvp_ls_attribute(const CK_ATTRIBUTE *attributes, size_t count,
                                     CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < count; i++)
        if (attributes[i].type == type && attributes[i].ulValueLen > 0)
            return &attributes[i];
    return NULL;
}

bool kvp_ls_number(const CK_ATTRIBUTE *attributes, size_t count, CK_ATTRIBUTE_TYPE type,
                   CK_ULONG *ret)
{
    const CK_ATTRIBUTE *attribute = kvp_ls_attribute(attributes, count, type);

    if (!attribute || attribute->ulValueLen != sizeof(*ret))
        return false;
    memcpy(ret, attribute->pValue, sizeof(*ret));
    return true;
}

static bool flag(const CK_ATTRIBUTE *attributes, size_t count, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *attribute = kvp_ls_attribute(attributes, count, type);

    return attribute && attribute->ulValueLen == 1 && *(CK_BBOOL *)attribute->pValue != CK_FALSE;
}

static void date(const CK_ATTRIBUTE *attributes, size_t count, CK_ATTRIBUTE_TYPE type, char ret[11])
{
    const CK_ATTRIBUTE *attribute = kvp_ls_attribute(attributes, count, type);
    CK_DATE value;
    char digits[9];

    if (!attribute || attribute->ulValueLen != sizeof(value))
        return;
    memcpy(&value, attribute->pValue, sizeof(value));
    memcpy(digits, value.year, 4);
    memcpy(digits + 4, value.month, 2);
    memcpy(digits + 6, value.day, 2);
    digits[8] = '\0';
    if (strspn(digits, "0123456789") == 8)
        snprintf(ret, 11, "%.4s-%.2s-%.2s", digits, digits + 4, digits + 6);
}

static char *text(const CK_ATTRIBUTE *attributes, size_t count, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *attribute = kvp_ls_attribute(attributes, count, type);

    return attribute ? kvp_text_clean_dup(attribute->pValue, attribute->ulValueLen) : NULL;
}

/* ---- objects ---- */

static kvp_status make_uri(const kvp_listed_token *token, const kvp_listed *object, char **ret,
                           kvp_error *reterr)
{
    kvp_p11uri uri = { .token = token->raw_label, .serial = token->raw_serial };

    if (object) {
        uri.object = object->raw_label;
        uri.id = object->id;
        uri.has_id = object->id.len > 0;
        uri.has_class = true;
        uri.object_class = object->object_class;
    }
    return kvp_p11uri_format(&uri, ret, reterr);
}

static kvp_status read_name(const kvp_library *library, CK_SESSION_HANDLE session,
                            CK_OBJECT_HANDLE handle, kvp_listed *ret, kvp_error *reterr)
{
    CK_ATTRIBUTE a[] = { { CKA_CLASS, NULL, 0 }, { CKA_LABEL, NULL, 0 }, { CKA_ID, NULL, 0 } };
    const size_t n = KVP_ARRAY_LEN(a);
    kvp_status st = read_attributes(library, session, handle, a, n, reterr);
    const CK_ATTRIBUTE *label, *id;

    if (st != KVP_OK)
        return st;
    ret->object_class = CK_UNAVAILABLE_INFORMATION;
    kvp_ls_number(a, n, CKA_CLASS, &ret->object_class);
    label = kvp_ls_attribute(a, n, CKA_LABEL);
    id = kvp_ls_attribute(a, n, CKA_ID);
    if (label) {
        ret->raw_label = kvp_strndup(label->pValue, label->ulValueLen);
        ret->label = kvp_text_clean_dup(label->pValue, label->ulValueLen);
        if (!ret->raw_label || !ret->label)
            st = KVP_ERR_NO_MEMORY;
    }
    if (st == KVP_OK && id)
        st = kvp_buf_set(&ret->id, id->pValue, id->ulValueLen);
    kvp_ls_attributes_clear(a, n);
    return st == KVP_OK ? st : kvp_error_set(reterr, st, "an object");
}

static kvp_status read_rest(const kvp_library *library, CK_SESSION_HANDLE session,
                            CK_OBJECT_HANDLE handle, kvp_listed *ret, kvp_error *reterr)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        CKA_KEY_TYPE,   CKA_MODULUS,     CKA_MODULUS_BITS, CKA_EC_PARAMS,  CKA_VALUE_LEN,
        CKA_SUBJECT,    CKA_ENCRYPT,     CKA_DECRYPT,      CKA_SIGN,       CKA_VERIFY,
        CKA_WRAP,       CKA_UNWRAP,      CKA_DERIVE,       CKA_START_DATE, CKA_END_DATE,
        CKA_KVP_KEY_ID, CKA_KVP_VERSION, CKA_KVP_HSM,
    };
    CK_ATTRIBUTE a[KVP_ARRAY_LEN(types)] = { 0 };
    const size_t n = KVP_ARRAY_LEN(types);
    kvp_status st;

    for (size_t i = 0; i < n; i++)
        a[i].type = types[i];
    st = read_attributes(library, session, handle, a, n, reterr);
    if (st != KVP_OK)
        return st;
    for (size_t i = 0; kvp_usages[i].word; i++)
        if (flag(a, n, kvp_usages[i].type))
            ret->usage |= 1U << i;
    date(a, n, CKA_START_DATE, ret->start);
    date(a, n, CKA_END_DATE, ret->end);
    ret->hsm = flag(a, n, CKA_KVP_HSM);
    ret->identifier = text(a, n, CKA_KVP_KEY_ID);
    ret->version = text(a, n, CKA_KVP_VERSION);
    ret->key = kvp_ls_key(ret->object_class, a, n);
    ret->subject = kvp_ls_subject(a, n);
    kvp_ls_attributes_clear(a, n);
    return KVP_OK;
}

static kvp_status read_object(const kvp_library *library, CK_SESSION_HANDLE session,
                              CK_OBJECT_HANDLE handle, kvp_listed_token *token, kvp_error *reterr)
{
    kvp_listed object = { 0 };
    kvp_error why;
    kvp_status st = read_name(library, session, handle, &object, reterr);

    if (st == KVP_OK)
        st = make_uri(token, &object, &object.uri, reterr);
    if (st == KVP_OK && read_rest(library, session, handle, &object, &why) != KVP_OK) {
        object.problem = kvp_strdup(why.message);
        if (!object.problem)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "an object");
    }
    if (st != KVP_OK) {
        listed_clear(&object);
        return st;
    }
    token->objects[token->count++] = object;
    return KVP_OK;
}

static kvp_status find(const kvp_library *library, CK_SESSION_HANDLE session,
                       CK_OBJECT_HANDLE **ret, size_t *ret_count, kvp_error *reterr)
{
    CK_OBJECT_HANDLE *handles = NULL;
    size_t count = 0;
    CK_ULONG got = 0;
    CK_RV rv = library->f->C_FindObjectsInit(session, NULL, 0);

    if (rv != CKR_OK)
        return kvp_library_failed("C_FindObjectsInit", rv, reterr);
    do {
        CK_OBJECT_HANDLE *more = kvp_realloc(handles, (count + FIND_AT_ONCE) * sizeof(*more));

        if (!more) {
            rv = CKR_HOST_MEMORY;
            break;
        }
        handles = more;
        got = 0;
        rv = library->f->C_FindObjects(session, handles + count, FIND_AT_ONCE, &got);
        if (rv == CKR_OK)
            count += got;
    } while (rv == CKR_OK && got > 0);
    library->f->C_FindObjectsFinal(session);
    if (rv != CKR_OK) {
        kvp_free(handles);
        return kvp_library_failed("C_FindObjects", rv, reterr);
    }
    *ret = handles;
    *ret_count = count;
    return KVP_OK;
}

/* By label, then by URI: what has one name stands together. */
static int compare(const void *a, const void *b)
{
    const kvp_listed *x = a, *y = b;
    int order = strcasecmp(x->label ? x->label : "", y->label ? y->label : "");

    if (order == 0)
        order = strcmp(x->uri, y->uri);
    return order;
}

kvp_status kvp_ls_read_objects(const kvp_library *library, CK_SLOT_ID slot, kvp_listed_token *token,
                               kvp_error *reterr)
{
    CK_SESSION_HANDLE session = 0;
    CK_OBJECT_HANDLE *handles = NULL;
    size_t count = 0;
    kvp_status st;
    CK_RV rv = library->f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session);

    if (rv != CKR_OK)
        return kvp_library_failed("C_OpenSession", rv, reterr);
    st = find(library, session, &handles, &count, reterr);
    if (st == KVP_OK && count > 0) {
        token->objects = kvp_calloc(count, sizeof(*token->objects));
        if (!token->objects)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "objects");
    }
    for (size_t i = 0; i < count && st == KVP_OK; i++)
        st = read_object(library, session, handles[i], token, reterr);
    kvp_free(handles);
    library->f->C_CloseSession(session);
    if (token->count > 1)
        qsort(token->objects, token->count, sizeof(*token->objects), compare);
    return st;
}

kvp_status kvp_ls_read_token(const kvp_library *library, CK_SLOT_ID slot, kvp_listed_token *ret,
                             kvp_error *reterr)
{
    kvp_listed_token made = { 0 };
    CK_TOKEN_INFO info;
    kvp_status st;
    CK_RV rv;

    memset(&info, 0, sizeof(info));
    rv = library->f->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK)
        return kvp_library_failed("C_GetTokenInfo", rv, reterr);
    made.label = kvp_library_field(info.label, sizeof(info.label));
    made.raw_label = kvp_library_raw_field(info.label, sizeof(info.label));
    made.manufacturer = kvp_library_field(info.manufacturerID, sizeof(info.manufacturerID));
    made.model = kvp_library_field(info.model, sizeof(info.model));
    made.serial = kvp_library_field(info.serialNumber, sizeof(info.serialNumber));
    made.raw_serial = kvp_library_raw_field(info.serialNumber, sizeof(info.serialNumber));
    made.login_required = (info.flags & CKF_LOGIN_REQUIRED) != 0;
    if (!made.label || !made.raw_label || !made.manufacturer || !made.model || !made.serial ||
        !made.raw_serial)
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a token");
    else
        st = make_uri(&made, NULL, &made.uri, reterr);
    if (st != KVP_OK) {
        kvp_listed_token_clear(&made);
        return st;
    }
    *ret = made;
    return KVP_OK;
}
