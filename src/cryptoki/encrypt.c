/* SPDX-License-Identifier: MIT */
/* Encryption and decryption functions (PKCS#11 v3.1 §5.8 and §5.10), message functions apart. */
#include "cryptoki/enter.h"
#include "token/operation.h"

/* Pointers are judged by the operation's own functions: a bad one ends the operation, too. */

CK_RV C_EncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_EncryptInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_init(&call, session, KVP_OPERATION_ENCRYPT, mechanism, key));
}

CK_RV C_Encrypt(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len,
                CK_BYTE_PTR encrypted, CK_ULONG_PTR encrypted_len)
{
    KVP_ENTER(call, "C_Encrypt");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_ENCRYPT, data, data_len,
                                           encrypted, encrypted_len));
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len,
                      CK_BYTE_PTR encrypted, CK_ULONG_PTR encrypted_len)
{
    KVP_ENTER(call, "C_EncryptUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_update(&call, session, KVP_OPERATION_ENCRYPT, part, part_len,
                                             encrypted, encrypted_len));
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR last, CK_ULONG_PTR last_len)
{
    KVP_ENTER(call, "C_EncryptFinal");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_final(&call, session, KVP_OPERATION_ENCRYPT, last, last_len));
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_DecryptInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_init(&call, session, KVP_OPERATION_DECRYPT, mechanism, key));
}

CK_RV C_Decrypt(CK_SESSION_HANDLE handle, CK_BYTE_PTR encrypted, CK_ULONG encrypted_len,
                CK_BYTE_PTR data, CK_ULONG_PTR data_len)
{
    KVP_ENTER(call, "C_Decrypt");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_DECRYPT, encrypted,
                                           encrypted_len, data, data_len));
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR encrypted, CK_ULONG encrypted_len,
                      CK_BYTE_PTR part, CK_ULONG_PTR part_len)
{
    KVP_ENTER(call, "C_DecryptUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_update(&call, session, KVP_OPERATION_DECRYPT, encrypted,
                                             encrypted_len, part, part_len));
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR last, CK_ULONG_PTR last_len)
{
    KVP_ENTER(call, "C_DecryptFinal");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_final(&call, session, KVP_OPERATION_DECRYPT, last, last_len));
}
