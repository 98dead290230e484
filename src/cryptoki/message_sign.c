/* SPDX-License-Identifier: MIT */
/* Message-based signing and verification functions (PKCS#11 v3.1 §5.14 and §5.16). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_MessageSignInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_MessageSignInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_init(&call, session, KVP_OPERATION_SIGN, mechanism, key));
}

CK_RV C_SignMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                    CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                    CK_ULONG_PTR signature_len)
{
    const kvp_signed_part part = { parameter, parameter_len, data, data_len };
    KVP_ENTER(call, "C_SignMessage");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_sign(&call, session, true, &part, signature, signature_len));
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len)
{
    KVP_ENTER(call, "C_SignMessageBegin");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_begin_signed(&call, session, KVP_OPERATION_SIGN, parameter,
                                                     parameter_len));
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                        CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                        CK_ULONG_PTR signature_len)
{
    const kvp_signed_part part = { parameter, parameter_len, data, data_len };
    KVP_ENTER(call, "C_SignMessageNext");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_sign(&call, session, false, &part, signature, signature_len));
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_MessageSignFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_final(&call, session, KVP_OPERATION_SIGN));
}

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                          CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_MessageVerifyInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_init(&call, session, KVP_OPERATION_VERIFY, mechanism, key));
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                      CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                      CK_ULONG signature_len)
{
    const kvp_signed_part part = { parameter, parameter_len, data, data_len };
    KVP_ENTER(call, "C_VerifyMessage");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_verify(&call, session, true, &part, signature, signature_len));
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len)
{
    KVP_ENTER(call, "C_VerifyMessageBegin");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_begin_signed(&call, session, KVP_OPERATION_VERIFY,
                                                     parameter, parameter_len));
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                          CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR signature,
                          CK_ULONG signature_len)
{
    const kvp_signed_part part = { parameter, parameter_len, data, data_len };
    KVP_ENTER(call, "C_VerifyMessageNext");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_verify(&call, session, false, &part, signature, signature_len));
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_MessageVerifyFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_final(&call, session, KVP_OPERATION_VERIFY));
}
