/* SPDX-License-Identifier: MIT */
/* Wrapping and unwrapping of keys (PKCS#11 v3.1 §5.18); key generation is in key_generate.c. */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    KVP_ENTER(call, "C_WrapKey");
    KVP_SESSION(session, call, handle);
    if (!mechanism || !wrapped_len)
        return kvp_leave(&call, CKR_ARGUMENTS_BAD);
    return kvp_leave(
        &call, kvp_wrap_key(&call, session, mechanism, wrapping_key, key, wrapped, wrapped_len));
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                  CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped, CK_ULONG wrapped_len,
                  CK_ATTRIBUTE_PTR attrs, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    KVP_ENTER(call, "C_UnwrapKey");
    KVP_SESSION(session, call, handle);
    if (!mechanism || !wrapped || !key || (!attrs && count))
        return kvp_leave(&call, CKR_ARGUMENTS_BAD);
    return kvp_leave(&call, kvp_unwrap_key(&call, session, mechanism, unwrapping_key, wrapped,
                                           wrapped_len, attrs, count, key));
}
