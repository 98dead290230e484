/* SPDX-License-Identifier: MIT */
/* Signing and MACing functions (PKCS#11 v3.1 §5.13). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_SignInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_init(&call, session, KVP_OPERATION_SIGN, mechanism, key));
}

CK_RV C_Sign(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
             CK_ULONG_PTR signature_len)
{
    KVP_ENTER(call, "C_Sign");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_SIGN, data, data_len,
                                           signature, signature_len));
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len)
{
    KVP_ENTER(call, "C_SignUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(
        &call, kvp_crypt_update(&call, session, KVP_OPERATION_SIGN, part, part_len, NULL, NULL));
}

CK_RV C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    KVP_ENTER(call, "C_SignFinal");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_crypt_final(&call, session, KVP_OPERATION_SIGN, signature, signature_len));
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_SignRecoverInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_crypt_init(&call, session, KVP_OPERATION_SIGN_RECOVER, mechanism, key));
}

CK_RV C_SignRecover(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len,
                    CK_BYTE_PTR signature, CK_ULONG_PTR signature_len)
{
    KVP_ENTER(call, "C_SignRecover");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_SIGN_RECOVER, data,
                                           data_len, signature, signature_len));
}
