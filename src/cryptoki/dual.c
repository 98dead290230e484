/* SPDX-License-Identifier: MIT */
/* Dual-function cryptographic functions (PKCS#11 v3.1 §5.17). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len,
                            CK_BYTE_PTR encrypted, CK_ULONG_PTR encrypted_len)
{
    KVP_ENTER(call, "C_DigestEncryptUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_dual_update(&call, session, KVP_OPERATION_ENCRYPT,
                                                  KVP_OPERATION_DIGEST, part, part_len, encrypted,
                                                  encrypted_len));
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR encrypted, CK_ULONG encrypted_len,
                            CK_BYTE_PTR part, CK_ULONG_PTR part_len)
{
    KVP_ENTER(call, "C_DecryptDigestUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_dual_update(&call, session, KVP_OPERATION_DECRYPT,
                                                  KVP_OPERATION_DIGEST, encrypted, encrypted_len,
                                                  part, part_len));
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len,
                          CK_BYTE_PTR encrypted, CK_ULONG_PTR encrypted_len)
{
    KVP_ENTER(call, "C_SignEncryptUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_dual_update(&call, session, KVP_OPERATION_ENCRYPT,
                                                  KVP_OPERATION_SIGN, part, part_len, encrypted,
                                                  encrypted_len));
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR encrypted, CK_ULONG encrypted_len,
                            CK_BYTE_PTR part, CK_ULONG_PTR part_len)
{
    KVP_ENTER(call, "C_DecryptVerifyUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_dual_update(&call, session, KVP_OPERATION_DECRYPT,
                                                  KVP_OPERATION_VERIFY, encrypted, encrypted_len,
                                                  part, part_len));
}
