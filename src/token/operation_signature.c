/* SPDX-License-Identifier: MIT */
/*
 * Verification with the signature given first (PKCS#11 v3.2, C_VerifySignatureInit and its like).
 * It is the verification of every mechanism; only the order of what is told differs.
 */
#include "token/mech_ops.h"

CK_RV kvp_verify_signature_init(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                                CK_OBJECT_HANDLE key, const void *sig, CK_ULONG sig_len)
{
    if (!mechanism) /* ends what is active */
        return kvp_crypt_begin(call, session, KVP_OPERATION_VERIFY, KVP_USE_SIGNATURE, NULL, key);
    if (!sig && sig_len)
        return CKR_ARGUMENTS_BAD;
    if (kvp_operation_active(session, KVP_OPERATION_VERIFY))
        return CKR_OPERATION_ACTIVE;

    KVP_CLEANUP(kvp_crypt_freep) kvp_crypt_operation *op = NULL;
    CK_RV rv = kvp_crypt_prepare(call, session, KVP_OPERATION_VERIFY, KVP_USE_SIGNATURE, mechanism,
                                 key, &op);
    if (rv != CKR_OK)
        return rv;
    size_t expected = op->mechanism->ops->output_len(op, 0, true);
    if (sig_len != expected)
        return kvp_mech_refuse(call, CKR_SIGNATURE_LEN_RANGE,
                               "the signature must be %zu bytes long", expected);
    if (kvp_buf_set(&op->signature, sig, sig_len) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_operation_start(session, &KVP_STEAL(op)->base);
}

CK_RV kvp_verify_signature_update(kvp_call *call, kvp_session *session, const void *in,
                                  CK_ULONG in_len)
{
    kvp_crypt_operation *op;
    CK_RV rv =
        kvp_crypt_take(call, session, KVP_OPERATION_VERIFY, KVP_USE_SIGNATURE, in || !in_len, &op);
    if (rv != CKR_OK)
        return rv;
    return kvp_crypt_give(call, session, op, kvp_crypt_absorb(call, op, in, in_len), true);
}

CK_RV kvp_verify_signature_end(kvp_call *call, kvp_session *session, bool whole, const void *in,
                               CK_ULONG in_len)
{
    kvp_crypt_operation *op;
    CK_RV rv =
        kvp_crypt_take(call, session, KVP_OPERATION_VERIFY, KVP_USE_SIGNATURE, in || !in_len, &op);
    if (rv != CKR_OK)
        return rv;

    if (whole && op->updated)
        rv = CKR_OPERATION_ACTIVE; /* a one-part call does not end a multi-part operation */
    if (rv == CKR_OK)
        rv = kvp_crypt_absorb(call, op, in, in_len);
    if (rv == CKR_OK)
        rv = op->mechanism->ops->verify(call, op, op->signature.data, op->signature.len);
    return kvp_crypt_give(call, session, op, rv, false);
}
