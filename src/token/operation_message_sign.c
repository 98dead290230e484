/* SPDX-License-Identifier: MIT */
/*
 * Message-based signing and verification (PKCS#11 v3.1 §5.14 and §5.16): one key and mechanism,
 * many messages. Each message is begun anew from the mechanism's parameter, which the operation
 * keeps a copy of; one that the vault signs is one request.
 */
#include "token/mech_ops.h"

#include <string.h>

static CK_RV begin(kvp_call *call, kvp_crypt_operation *op)
{
    const CK_MECHANISM mechanism = { op->mechanism->type, op->parameter.data, op->parameter.len };
    kvp_crypt_reset(op);
    op->hash = op->mechanism->hash;
    return op->mechanism->ops->init(call, op, &mechanism);
}

/* No mechanism that signs has a parameter for each message. */
static CK_RV check_parameter(kvp_call *call, CK_ULONG parameter_len)
{
    if (parameter_len == 0)
        return CKR_OK;
    return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID, "a message has no parameter here");
}

static bool is_good(const kvp_signed_part *part)
{
    return (part->parameter || !part->parameter_len) && (part->data || !part->data_len);
}

/* Whether a call for a @whole message, or for a part, fits what the operation is doing. */
static CK_RV check_place(const kvp_crypt_operation *op, bool whole)
{
    if (whole)
        return op->in_message ? CKR_OPERATION_ACTIVE : CKR_OK;
    return op->in_message ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV kvp_message_begin_signed(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                               const void *parameter, CK_ULONG parameter_len)
{
    kvp_crypt_operation *op;
    CK_RV rv =
        kvp_crypt_take(call, session, kind, KVP_USE_MESSAGE, parameter || !parameter_len, &op);
    if (rv != CKR_OK)
        return rv;

    rv = check_place(op, true);
    if (rv == CKR_OK) {
        rv = check_parameter(call, parameter_len);
        if (rv == CKR_OK)
            rv = begin(call, op);
        op->in_message = rv == CKR_OK;
    }
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}

/* The last of a message, or all of it: its input, and the signature of the whole. */
static CK_RV finish(kvp_call *call, kvp_crypt_operation *op, const kvp_signed_part *part, void *sig,
                    CK_ULONG *sig_len)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT);
    CK_RV rv = kvp_crypt_absorb(call, op, part->data, part->data_len);
    if (rv == CKR_OK)
        rv = kvp_crypt_finish(call, op, &result);
    if (rv == CKR_OK) {
        memcpy(sig, result.data, result.len);
        *sig_len = result.len;
    }
    return rv;
}

/* A signature's length is known beforehand, so no output is ever made twice. */
static CK_RV sign(kvp_call *call, kvp_crypt_operation *op, bool whole, const kvp_signed_part *part,
                  void *sig, CK_ULONG *sig_len)
{
    CK_RV rv = check_parameter(call, part->parameter_len);
    if (rv == CKR_OK && sig_len) {
        size_t len = op->mechanism->ops->output_len(op, part->data_len, true);
        bool done = false;
        rv = kvp_output_room(len, len, sig, sig_len, &done);
        if (done)
            return rv;
    }
    if (rv == CKR_OK && whole)
        rv = begin(call, op);
    if (rv == CKR_OK && sig_len)
        rv = finish(call, op, part, sig, sig_len);
    else if (rv == CKR_OK)
        rv = kvp_crypt_absorb(call, op, part->data, part->data_len);
    if (rv != CKR_OK || sig_len)
        kvp_message_end(call, op);
    return rv;
}

CK_RV kvp_message_sign(kvp_call *call, kvp_session *session, bool whole,
                       const kvp_signed_part *part, void *sig, CK_ULONG *sig_len)
{
    bool good = is_good(part) && (sig_len || (!whole && !sig));
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, KVP_OPERATION_SIGN, KVP_USE_MESSAGE, good, &op);
    if (rv != CKR_OK)
        return rv;

    rv = check_place(op, whole);
    if (rv == CKR_OK)
        rv = sign(call, op, whole, part, sig, sig_len);
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}

CK_RV kvp_message_verify(kvp_call *call, kvp_session *session, bool whole,
                         const kvp_signed_part *part, const void *sig, CK_ULONG sig_len)
{
    bool last = whole || sig;
    bool good = is_good(part) && (sig || !sig_len);
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, KVP_OPERATION_VERIFY, KVP_USE_MESSAGE, good, &op);
    if (rv != CKR_OK)
        return rv;

    rv = check_place(op, whole);
    if (rv == CKR_OK) {
        rv = check_parameter(call, part->parameter_len);
        if (rv == CKR_OK && whole)
            rv = begin(call, op);
        if (rv == CKR_OK)
            rv = kvp_crypt_absorb(call, op, part->data, part->data_len);
        if (rv == CKR_OK && last)
            rv = op->mechanism->ops->verify(call, op, sig, sig_len);
        if (rv != CKR_OK || last)
            kvp_message_end(call, op);
    }
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}
