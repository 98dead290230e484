/* SPDX-License-Identifier: MIT */
/* Functions for verifying signatures and MACs (PKCS#11 v3.1 §5.15). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_VerifyInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_init(&call, session, KVP_OPERATION_VERIFY, mechanism, key));
}

CK_RV C_Verify(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
               CK_ULONG signature_len)
{
    KVP_ENTER(call, "C_Verify");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_verify_once(&call, session, data, data_len, signature, signature_len));
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len)
{
    KVP_ENTER(call, "C_VerifyUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(
        &call, kvp_crypt_update(&call, session, KVP_OPERATION_VERIFY, part, part_len, NULL, NULL));
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    KVP_ENTER(call, "C_VerifyFinal");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_verify_final(&call, session, signature, signature_len));
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                          CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_VerifyRecoverInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_crypt_init(&call, session, KVP_OPERATION_VERIFY_RECOVER, mechanism, key));
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE handle, CK_BYTE_PTR signature, CK_ULONG signature_len,
                      CK_BYTE_PTR data, CK_ULONG_PTR data_len)
{
    KVP_ENTER(call, "C_VerifyRecover");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_VERIFY_RECOVER, signature,
                                           signature_len, data, data_len));
}

CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                            CK_OBJECT_HANDLE key, CK_BYTE_PTR signature, CK_ULONG signature_len)
{
    KVP_ENTER(call, "C_VerifySignatureInit");
    KVP_ARGUMENTS(call, !mechanism || signature || !signature_len); /* no mechanism: to end it */
    KVP_SESSION(session, call, handle);
    return kvp_leave(
        &call, kvp_verify_signature_init(&call, session, mechanism, key, signature, signature_len));
}

CK_RV C_VerifySignature(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len)
{
    KVP_ENTER(call, "C_VerifySignature");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_verify_signature_end(&call, session, true, data, data_len));
}

CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len)
{
    KVP_ENTER(call, "C_VerifySignatureUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_verify_signature_update(&call, session, part, part_len));
}

CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_VerifySignatureFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_verify_signature_end(&call, session, false, NULL, 0));
}
