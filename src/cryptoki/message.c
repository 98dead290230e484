/* SPDX-License-Identifier: MIT */
/* Message-based encryption and decryption functions (PKCS#11 v3.1 §5.9 and §5.11). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_MessageEncryptInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_init(&call, session, KVP_OPERATION_ENCRYPT, mechanism, key));
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                       CK_BYTE_PTR aad, CK_ULONG aad_len, CK_BYTE_PTR plaintext,
                       CK_ULONG plaintext_len, CK_BYTE_PTR ciphertext, CK_ULONG_PTR ciphertext_len)
{
    KVP_ENTER(call, "C_EncryptMessage");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_once(&call, session, KVP_OPERATION_ENCRYPT, parameter,
                                             parameter_len, aad, aad_len, plaintext, plaintext_len,
                                             ciphertext, ciphertext_len));
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                            CK_BYTE_PTR aad, CK_ULONG aad_len)
{
    KVP_ENTER(call, "C_EncryptMessageBegin");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_begin(&call, session, KVP_OPERATION_ENCRYPT, parameter,
                                              parameter_len, aad, aad_len));
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                           CK_BYTE_PTR plaintext, CK_ULONG plaintext_len, CK_BYTE_PTR ciphertext,
                           CK_ULONG_PTR ciphertext_len, CK_FLAGS flags)
{
    KVP_ENTER(call, "C_EncryptMessageNext");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_next(&call, session, KVP_OPERATION_ENCRYPT, parameter,
                                             parameter_len, plaintext, plaintext_len, ciphertext,
                                             ciphertext_len, flags & CKF_END_OF_MESSAGE));
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_MessageEncryptFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_final(&call, session, KVP_OPERATION_ENCRYPT));
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_MessageDecryptInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_message_init(&call, session, KVP_OPERATION_DECRYPT, mechanism, key));
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                       CK_BYTE_PTR aad, CK_ULONG aad_len, CK_BYTE_PTR ciphertext,
                       CK_ULONG ciphertext_len, CK_BYTE_PTR plaintext, CK_ULONG_PTR plaintext_len)
{
    KVP_ENTER(call, "C_DecryptMessage");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_once(&call, session, KVP_OPERATION_DECRYPT, parameter,
                                             parameter_len, aad, aad_len, ciphertext,
                                             ciphertext_len, plaintext, plaintext_len));
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                            CK_BYTE_PTR aad, CK_ULONG aad_len)
{
    KVP_ENTER(call, "C_DecryptMessageBegin");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_begin(&call, session, KVP_OPERATION_DECRYPT, parameter,
                                              parameter_len, aad, aad_len));
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR parameter, CK_ULONG parameter_len,
                           CK_BYTE_PTR ciphertext, CK_ULONG ciphertext_len, CK_BYTE_PTR plaintext,
                           CK_ULONG_PTR plaintext_len, CK_FLAGS flags)
{
    KVP_ENTER(call, "C_DecryptMessageNext");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_message_next(&call, session, KVP_OPERATION_DECRYPT, parameter,
                                             parameter_len, ciphertext, ciphertext_len, plaintext,
                                             plaintext_len, flags & CKF_END_OF_MESSAGE));
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE handle)
{
    KVP_ENTER(call, "C_MessageDecryptFinal");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_message_final(&call, session, KVP_OPERATION_DECRYPT));
}
