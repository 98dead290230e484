/* SPDX-License-Identifier: MIT */
/*
 * Derivation and encapsulation of keys (PKCS#11 v3.2 §5.18). No mechanism of any token does either.
 */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base_key,
                  CK_ATTRIBUTE_PTR attrs, CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    (void)key; /* NULL for the mechanisms of SSL and TLS, which make several */
    KVP_ENTER(call, "C_DeriveKey");
    KVP_ARGUMENTS(call, mechanism && (attrs || !count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_derive_check(&call, session, CKF_DERIVE, mechanism, base_key));
}

CK_RV C_EncapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                       CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE_PTR attrs, CK_ULONG count,
                       CK_BYTE_PTR ciphertext, CK_ULONG_PTR ciphertext_len,
                       CK_OBJECT_HANDLE_PTR key)
{
    (void)ciphertext; /* NULL asks for its length */
    KVP_ENTER(call, "C_EncapsulateKey");
    KVP_ARGUMENTS(call, mechanism && (attrs || !count) && ciphertext_len && key);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_derive_check(&call, session, CKF_ENCAPSULATE, mechanism, public_key));
}

CK_RV C_DecapsulateKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                       CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE_PTR attrs, CK_ULONG count,
                       CK_BYTE_PTR ciphertext, CK_ULONG ciphertext_len, CK_OBJECT_HANDLE_PTR key)
{
    KVP_ENTER(call, "C_DecapsulateKey");
    KVP_ARGUMENTS(call, mechanism && (attrs || !count) && (ciphertext || !ciphertext_len) && key);
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_derive_check(&call, session, CKF_DECAPSULATE, mechanism, private_key));
}
