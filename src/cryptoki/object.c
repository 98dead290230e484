/* SPDX-License-Identifier: MIT */
/* Object management functions (PKCS#11 v3.1 §5.7). */
#include "cryptoki/enter.h"
#include "token/object.h"

CK_RV C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE_PTR attrs, CK_ULONG count,
                     CK_OBJECT_HANDLE_PTR object)
{
    KVP_ENTER(call, "C_CreateObject");
    KVP_ARGUMENTS(call, object && (attrs || !count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_create(&call, session, attrs, count, object));
}

CK_RV C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attrs,
                   CK_ULONG count, CK_OBJECT_HANDLE_PTR copy)
{
    KVP_ENTER(call, "C_CopyObject");
    KVP_ARGUMENTS(call, copy && (attrs || !count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_copy(&call, session, object, attrs, count, copy));
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
    KVP_ENTER(call, "C_DestroyObject");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_destroy(&call, session, object));
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ULONG_PTR size)
{
    KVP_ENTER(call, "C_GetObjectSize");
    KVP_ARGUMENTS(call, size != NULL);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_size(&call, session, object, size));
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attrs,
                          CK_ULONG count)
{
    KVP_ENTER(call, "C_GetAttributeValue");
    KVP_ARGUMENTS(call, attrs || !count);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_get_attributes(&call, session, object, attrs, count));
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attrs,
                          CK_ULONG count)
{
    KVP_ENTER(call, "C_SetAttributeValue");
    KVP_ARGUMENTS(call, attrs || !count);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_object_set_attributes(&call, session, object, attrs, count));
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE_PTR attrs, CK_ULONG count)
{
    KVP_ENTER(call, "C_FindObjectsInit");
    KVP_ARGUMENTS(call, attrs || !count);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_find_init(&call, session, attrs, count));
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max,
                    CK_ULONG_PTR count)
{
    KVP_ENTER(call, "C_FindObjects");
    KVP_ARGUMENTS(call, count && (objects || !max));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_find_next(&call, session, objects, max, count));
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_FindObjectsFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_find_final(&call, session));
}
