/* SPDX-License-Identifier: MIT */
/* Wrapping and unwrapping of keys (PKCS#11 v3.1 §5.18); key generation is in key_generate.c. */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    KVP_ENTER(call, "C_WrapKey");
    KVP_ARGUMENTS(call, mechanism && wrapped_len);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_wrap_key(&call, session, mechanism, wrapping_key, key, NULL,
                                         wrapped, wrapped_len));
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                  CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped, CK_ULONG wrapped_len,
                  CK_ATTRIBUTE_PTR attrs, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    KVP_ENTER(call, "C_UnwrapKey");
    KVP_ARGUMENTS(call, mechanism && (wrapped || !wrapped_len) && key && (attrs || !count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_unwrap_key(&call, session, mechanism, unwrapping_key, wrapped,
                                           wrapped_len, attrs, count, NULL, key));
}

CK_RV C_WrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                             CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, CK_BYTE_PTR aad,
                             CK_ULONG aad_len, CK_BYTE_PTR wrapped, CK_ULONG_PTR wrapped_len)
{
    const kvp_aad authenticated = { aad, aad_len };
    KVP_ENTER(call, "C_WrapKeyAuthenticated");
    KVP_ARGUMENTS(call, mechanism && (aad || !aad_len) && wrapped_len);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_wrap_key(&call, session, mechanism, wrapping_key, key,
                                         &authenticated, wrapped, wrapped_len));
}

CK_RV C_UnwrapKeyAuthenticated(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                               CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR wrapped,
                               CK_ULONG wrapped_len, CK_ATTRIBUTE_PTR attrs, CK_ULONG count,
                               CK_BYTE_PTR aad, CK_ULONG aad_len, CK_OBJECT_HANDLE_PTR key)
{
    const kvp_aad authenticated = { aad, aad_len };
    KVP_ENTER(call, "C_UnwrapKeyAuthenticated");
    KVP_ARGUMENTS(call, mechanism && (wrapped || !wrapped_len) && (attrs || !count) &&
                            (aad || !aad_len) && key);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_unwrap_key(&call, session, mechanism, unwrapping_key, wrapped,
                                           wrapped_len, attrs, count, &authenticated, key));
}
