/* SPDX-License-Identifier: MIT */
/* Key generation (PKCS#11 v3.1 §5.18.1, §5.18.2). */
#include "cryptoki/enter.h"
#include "token/object.h"

CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR attrs,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR key)
{
    KVP_ENTER(call, "C_GenerateKey");
    KVP_ARGUMENTS(call, mechanism && key && (attrs || !count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call, kvp_generate_key(&call, session, mechanism, attrs, count, key));
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                        CK_ATTRIBUTE_PTR public_attrs, CK_ULONG public_count,
                        CK_ATTRIBUTE_PTR private_attrs, CK_ULONG private_count,
                        CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key)
{
    KVP_ENTER(call, "C_GenerateKeyPair");
    KVP_ARGUMENTS(call, mechanism && public_key && private_key && (public_attrs || !public_count) &&
                            (private_attrs || !private_count));
    KVP_SESSION(session, call, handle);
    return kvp_leave(&call,
                     kvp_generate_key_pair(&call, session, mechanism, public_attrs, public_count,
                                           private_attrs, private_count, public_key, private_key));
}
