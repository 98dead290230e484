/* SPDX-License-Identifier: MIT */
/* See fake_module.h. Answers as the standard wants: sizes for NULL, all attributes after one that
 * fails. */
#include "fake_module.h"

#include "kvpkcs11/vendor.h"

#include <string.h>

fake_faults fake_fault;
int fake_sessions;

#define YES "\1"
#define VALUE(text) (text), sizeof(text) - 1
#define MAX_ATTRIBUTES 20

typedef struct fake_attribute {
    CK_ATTRIBUTE_TYPE type;
    const char *value;
    size_t len;
} fake_attribute;

typedef struct fake_object {
    CK_OBJECT_CLASS object_class;
    CK_KEY_TYPE key_type; /* CK_UNAVAILABLE_INFORMATION: none */
    CK_ULONG bits;        /* CKA_MODULUS_BITS, or CKA_VALUE_LEN in bits; 0: none */
    fake_attribute attributes[MAX_ATTRIBUTES];
} fake_object;

static const fake_object objects[] = {
    { CKO_PUBLIC_KEY,
      CKK_RSA,
      3072,
      { { CKA_LABEL, VALUE("web") },
        { CKA_ID, VALUE("web") },
        { CKA_VERIFY, VALUE(YES) },
        { CKA_ENCRYPT, VALUE(YES) } } },
    { CKO_PRIVATE_KEY,
      CKK_RSA,
      0,
      { { CKA_LABEL, VALUE("web") },
        { CKA_ID, VALUE("web") },
        { CKA_SIGN, VALUE(YES) },
        { CKA_DECRYPT, VALUE(YES) },
        { CKA_UNWRAP, VALUE(YES) },
        { CKA_VERIFY, VALUE("\0") },
        { CKA_MODULUS, VALUE("\x00\x01\xff\xff") },
        { CKA_START_DATE, VALUE("20260131") },
        { CKA_END_DATE, VALUE("20270131") },
        { CKA_KVP_KEY_ID, VALUE("https://h/keys/web/1") },
        { CKA_KVP_VERSION, VALUE("1") },
        { CKA_KVP_HSM, VALUE(YES) } } },
    { CKO_PRIVATE_KEY,
      CKK_EC,
      0,
      { { CKA_LABEL, VALUE("code\x1b[2J") },
        { CKA_ID, VALUE("\x01\xff") },
        { CKA_EC_PARAMS, VALUE("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07") },
        { CKA_END_DATE, VALUE("20270131") } } },
    { CKO_PUBLIC_KEY,
      CKK_EC,
      0,
      { { CKA_LABEL, VALUE("ed") },
        { CKA_EC_PARAMS, VALUE("\x06\x03\x2b\x65\x70") },
        { CKA_END_DATE, VALUE("2027 131") } } },
    { CKO_SECRET_KEY, CKK_AES, 256, { { CKA_LABEL, VALUE("aes") }, { CKA_ID, VALUE("aes") } } },
    { CKO_CERTIFICATE,
      CK_UNAVAILABLE_INFORMATION,
      0,
      { { CKA_LABEL, VALUE("web") },
        { CKA_ID, VALUE("web") },
        { CKA_SUBJECT, VALUE("\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04test") } } },
    { CKO_DATA, CK_UNAVAILABLE_INFORMATION, 0, { { CKA_LABEL, VALUE("note") } } },
};
#define OBJECT_COUNT (sizeof(objects) / sizeof(objects[0]))

/* Slot 7 has the token "first" with the objects, slot 9 "second" without. */
static const CK_SLOT_ID slots[] = { 7, 9 };

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG room = *count;
    (void)present;

    if (fake_fault.slot_list != CKR_OK)
        return fake_fault.slot_list;
    *count = 2;
    if (!list)
        return CKR_OK;
    if (fake_fault.slot_changes > 0) {
        fake_fault.slot_changes--;
        return CKR_BUFFER_TOO_SMALL;
    }
    if (room < 2)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, slots, sizeof(slots));
    return CKR_OK;
}

static void pad(CK_UTF8CHAR *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, strlen(text));
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    if (fake_fault.token_info != CKR_OK)
        return fake_fault.token_info;
    memset(info, 0, sizeof(*info));
    pad(info->label, sizeof(info->label), slot == 7 ? "first" : "second");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "Test");
    pad(info->model, sizeof(info->model), "fake");
    pad(info->serialNumber, sizeof(info->serialNumber), slot == 7 ? "0123456789abcdef" : "1");
    if (fake_fault.login_required)
        info->flags |= CKF_LOGIN_REQUIRED;
    return CKR_OK;
}

static CK_SLOT_ID session_slot;
static size_t found;

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *ret)
{
    (void)flags;
    (void)app;
    (void)notify;
    if (fake_fault.open_session != CKR_OK)
        return fake_fault.open_session;
    session_slot = slot;
    fake_sessions++;
    *ret = 3;
    return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
    (void)session;
    fake_sessions--;
    return CKR_OK;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    (void)session;
    (void)template;
    (void)count;
    found = session_slot == 7 ? 0 : OBJECT_COUNT;
    return fake_fault.find_init;
}

/* Three at a time, whatever there is room for: callers must go on until there is none. */
static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *ret, CK_ULONG max, CK_ULONG *count)
{
    (void)session;
    for (*count = 0; *count < 3 && *count < max && found < OBJECT_COUNT; (*count)++)
        ret[*count] = 100 + found++;
    return found > 3 ? fake_fault.find : CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
    (void)session;
    return CKR_OK;
}

static CK_RV give(CK_ATTRIBUTE *attribute, const void *value, size_t len)
{
    CK_ULONG room = attribute->ulValueLen;

    attribute->ulValueLen = len;
    if (!attribute->pValue)
        return CKR_OK;
    if (room < len) {
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(attribute->pValue, value, len);
    return CKR_OK;
}

static CK_RV get_one(const fake_object *object, CK_ATTRIBUTE *attribute)
{
    CK_ULONG bytes = object->bits / 8;

    if (attribute->type == CKA_CLASS)
        return give(attribute, &object->object_class, sizeof(object->object_class));
    if (attribute->type == CKA_KEY_TYPE && object->key_type != CK_UNAVAILABLE_INFORMATION)
        return give(attribute, &object->key_type, sizeof(object->key_type));
    if (attribute->type == CKA_MODULUS_BITS && object->key_type == CKK_RSA && object->bits)
        return give(attribute, &object->bits, sizeof(object->bits));
    if (attribute->type == CKA_VALUE_LEN && object->key_type == CKK_AES)
        return give(attribute, &bytes, sizeof(bytes));
    for (size_t i = 0; i < MAX_ATTRIBUTES && object->attributes[i].value; i++)
        if (object->attributes[i].type == attribute->type)
            return give(attribute, object->attributes[i].value, object->attributes[i].len);
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
                            CK_ATTRIBUTE *template, CK_ULONG count)
{
    const fake_object *object = &objects[handle - 100];
    CK_RV rv = CKR_OK;
    (void)session;

    if (count > 3 && fake_fault.fault_label &&
        strcmp(object->attributes[0].value, fake_fault.fault_label) == 0)
        return fake_fault.attributes;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV one = get_one(object, &template[i]);

        if (one != CKR_OK)
            rv = one;
    }
    return rv;
}

CK_FUNCTION_LIST fake_module = {
    .version = { 2, 40 },
    .C_GetSlotList = get_slot_list,
    .C_GetTokenInfo = get_token_info,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = find_final,
    .C_GetAttributeValue = get_attributes,
};
