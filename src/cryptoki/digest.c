/* SPDX-License-Identifier: MIT */
/* Message digesting functions (PKCS#11 v3.1 §5.12). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism)
{
    KVP_ENTER(call, "C_DigestInit");
    KVP_SESSION(session, call, handle);
    return kvp_leave(
        &call, kvp_crypt_init(&call, session, KVP_OPERATION_DIGEST, mechanism, CK_INVALID_HANDLE));
}

CK_RV C_Digest(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_len, CK_BYTE_PTR digest,
               CK_ULONG_PTR digest_len)
{
    KVP_ENTER(call, "C_Digest");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call, kvp_crypt_once(&call, session, KVP_OPERATION_DIGEST, data, data_len,
                                           digest, digest_len));
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG part_len)
{
    KVP_ENTER(call, "C_DigestUpdate");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(
        &call, kvp_crypt_update(&call, session, KVP_OPERATION_DIGEST, part, part_len, NULL, NULL));
}

CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
    KVP_ENTER(call, "C_DigestKey");
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_digest_key(&call, session, key));
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR digest, CK_ULONG_PTR digest_len)
{
    KVP_ENTER(call, "C_DigestFinal");
    KVP_SESSION_OF_OPERATION(session, call, handle);
    return kvp_leave(&call,
                     kvp_crypt_final(&call, session, KVP_OPERATION_DIGEST, digest, digest_len));
}
