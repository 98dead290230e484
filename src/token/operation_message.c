/* SPDX-License-Identifier: MIT */
/*
 * Message-based encryption and decryption (PKCS#11 v3.1 §5.9 and §5.11): one key and mechanism,
 * many messages, each with its own IV and tag. It is the way to AES-GCM with a key of the HSM,
 * which makes the IV itself. Whole messages only: the mechanism does not carry CKF_MULTI_MESSAGE.
 */
#include "token/mech_ops.h"

#include <string.h>

CK_RV kvp_message_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    if (!mechanism)
        return kvp_operation_cancel(session, kind) ? CKR_OK : CKR_ARGUMENTS_BAD;
    if (kvp_operation_active(session, kind))
        return CKR_OPERATION_ACTIVE;
    kvp_crypt_operation *op = NULL;
    CK_RV rv = kvp_crypt_prepare(call, session, kind, KVP_USE_MESSAGE, mechanism, key, &op);
    return rv == CKR_OK ? kvp_operation_start(session, &op->base) : rv;
}

/* The session's operation, if it is one of the message functions. */
static CK_RV take(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                  kvp_crypt_operation **ret)
{
    kvp_operation *operation = NULL;
    CK_RV rv = kvp_operation_take(session, kind, &operation);
    if (rv != CKR_OK)
        return rv;
    kvp_crypt_operation *op = (kvp_crypt_operation *)operation;
    if (op->use != KVP_USE_MESSAGE) {
        kvp_operation_give(session, operation, CKR_OK, true);
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    call->has_mechanism = true;
    call->mechanism = op->mechanism->type;
    *ret = op;
    return CKR_OK;
}

/* Nothing of one message is left for the next. */
static void forget_message(kvp_crypt_operation *op)
{
    kvp_aes_local_free(op->cipher);
    op->cipher = NULL;
    op->pending = 0;
    kvp_buf_clear(&op->iv);
    kvp_buf_clear(&op->aad);
    kvp_buf_clear(&op->data);
    op->data.secret = true;
}

static CK_RV one_message(kvp_call *call, kvp_crypt_operation *op, CK_GCM_MESSAGE_PARAMS *params,
                         const void *aad, CK_ULONG aad_len, const void *in, CK_ULONG in_len,
                         void *out, CK_ULONG *out_len)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(in_len + KVP_BUF_MAX_DEFAULT);
    CK_RV rv = kvp_gcm_message(call, op, params, aad, aad_len, in, in_len, &result);
    forget_message(op);
    kvp_mech_note(call, op->base.kind, op->use, op->mechanism, op->key);
    if (rv != CKR_OK)
        return rv;
    if (result.len)
        memcpy(out, result.data, result.len);
    *out_len = result.len;
    return CKR_OK;
}

CK_RV kvp_message_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    kvp_crypt_operation *op;
    CK_RV rv = take(call, session, kind, &op);
    if (rv != CKR_OK)
        return rv;

    /* GCM's text is as long on both sides; the tag is in the parameter. */
    if (!out_len || !parameter || (!aad && aad_len) || (!in && in_len)) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (parameter_len != sizeof(CK_GCM_MESSAGE_PARAMS)) {
        rv = CKR_MECHANISM_PARAM_INVALID;
    } else if (!out) {
        *out_len = in_len;
    } else if (*out_len < in_len) {
        *out_len = in_len;
        rv = CKR_BUFFER_TOO_SMALL;
    } else {
        rv = one_message(call, op, parameter, aad, aad_len, in, in_len, out, out_len);
    }
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}

CK_RV kvp_message_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind)
{
    kvp_crypt_operation *op;
    CK_RV rv = take(call, session, kind, &op);
    if (rv == CKR_OK)
        kvp_operation_give(session, &op->base, CKR_OK, false);
    return rv;
}
