/* SPDX-License-Identifier: MIT */
/*
 * C_DeriveKey, C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2 §5.18): neither the service nor
 * this library has a mechanism for them, so that each ends at the mechanism, after what comes
 * before it was checked. The mechanism list is what an application asks first.
 */
#include "token/mech_ops.h"

CK_RV kvp_derive_check(kvp_call *call, kvp_session *session, CK_FLAGS use,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *key = NULL;
    CK_RV invalid =
        use == CKF_DECAPSULATE ? CKR_UNWRAPPING_KEY_HANDLE_INVALID : CKR_KEY_HANDLE_INVALID;
    CK_RV rv = kvp_object_get(session, handle, &key);
    if (rv != CKR_OK)
        return rv == CKR_OBJECT_HANDLE_INVALID ? invalid : rv;
    CK_OBJECT_CLASS class = kvp_object_class(key);
    if (class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY && class != CKO_PUBLIC_KEY)
        return invalid;
    call->has_mechanism = true;
    call->mechanism = mechanism->mechanism;
    return kvp_mech_refuse(call, CKR_MECHANISM_INVALID, "%s cannot do this on this token",
                           kvp_ckm_name(mechanism->mechanism));
}
