/* SPDX-License-Identifier: MIT */
/*
 * Message-based encryption and decryption (PKCS#11 v3.1 §5.9 and §5.11): one key and mechanism,
 * many messages, each with its own IV and tag. It is the way to AES-GCM with a key of the HSM,
 * which makes the IV itself. A message in parts streams where it is encrypted with a session key;
 * else it is collected, and its text comes with the last part: what is decrypted is worth nothing
 * before its tag was seen, and what the HSM does is one request. Signing is
 * operation_message_sign.c's.
 */
#include "token/mech_ops.h"

#include <string.h>

CK_RV kvp_message_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return kvp_crypt_begin(call, session, kind, KVP_USE_MESSAGE, mechanism, key);
}

CK_RV kvp_message_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind)
{
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_MESSAGE, true, &op);
    if (rv != CKR_OK)
        return rv;
    bool midway = op->in_message;
    kvp_operation_give(session, &op->base, CKR_OK, midway);
    return midway ? CKR_OPERATION_ACTIVE : CKR_OK;
}

void kvp_message_end(kvp_call *call, kvp_crypt_operation *op)
{
    kvp_crypt_reset(op);
    kvp_mech_note(call, op->base.kind, op->use, op->mechanism, op->key);
}

/* What the message functions say of ciphertext or tag that is not authentic. */
static CK_RV message_rv(CK_RV rv)
{
    return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_AEAD_DECRYPT_FAILED : rv;
}

static CK_RV check_params(CK_ULONG parameter_len)
{
    return parameter_len == sizeof(CK_GCM_MESSAGE_PARAMS) ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static void deliver(const kvp_buf *result, void *out, CK_ULONG *out_len)
{
    if (result->len)
        memcpy(out, result->data, result->len);
    *out_len = result->len;
}

static CK_RV one_message(kvp_call *call, kvp_crypt_operation *op,
                         const CK_GCM_MESSAGE_PARAMS *params, const void *aad, CK_ULONG aad_len,
                         const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(in_len + KVP_BUF_MAX_DEFAULT);
    CK_RV rv = CKR_OK;
    if (!params->pTag)
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK)
        rv = kvp_gcm_begin(call, op, params, aad, aad_len);
    if (rv == CKR_OK)
        rv = kvp_crypt_feed(call, op, in, in_len, &result);
    if (rv == CKR_OK)
        rv = kvp_gcm_end(call, op, params, &result);
    kvp_message_end(call, op);
    if (rv == CKR_OK)
        deliver(&result, out, out_len);
    return message_rv(rv);
}

CK_RV kvp_message_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    bool good = out_len && parameter && (aad || !aad_len) && (in || !in_len);
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_MESSAGE, good, &op);
    if (rv != CKR_OK)
        return rv;

    bool done = false;
    if (op->in_message)
        rv = CKR_OPERATION_ACTIVE;
    if (rv == CKR_OK)
        rv = check_params(parameter_len);
    if (rv == CKR_OK) /* the text is as long on both sides; the tag is in the parameter */
        rv = kvp_output_room(in_len, in_len, out, out_len, &done);
    if (rv == CKR_OK && !done)
        rv = one_message(call, op, parameter, aad, aad_len, in, in_len, out, out_len);
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}

CK_RV kvp_message_begin(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                        void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len)
{
    bool good = parameter && (aad || !aad_len);
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_MESSAGE, good, &op);
    if (rv != CKR_OK)
        return rv;

    if (op->in_message) {
        rv = CKR_OPERATION_ACTIVE;
    } else {
        rv = check_params(parameter_len);
        if (rv == CKR_OK)
            rv = kvp_gcm_begin(call, op, parameter, aad, aad_len);
        op->in_message = rv == CKR_OK;
        if (rv != CKR_OK)
            kvp_message_end(call, op);
    }
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}

static CK_RV next_part(kvp_call *call, kvp_crypt_operation *op, const CK_GCM_MESSAGE_PARAMS *params,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len, bool last)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(in_len + KVP_BUF_MAX_DEFAULT);
    CK_RV rv = kvp_crypt_feed(call, op, in, in_len, &result);
    if (rv == CKR_OK && last)
        rv = kvp_gcm_end(call, op, params, &result);
    if (rv != CKR_OK || last)
        kvp_message_end(call, op);
    if (rv == CKR_OK)
        deliver(&result, out, out_len);
    return message_rv(rv);
}

static CK_RV room_for_part(const kvp_crypt_operation *op, size_t in_len, bool last, const void *out,
                           CK_ULONG *out_len, bool *done)
{
    size_t len = kvp_gcm_message_len(op, in_len, last);
    return kvp_output_room(len, len, out, out_len, done);
}

CK_RV kvp_message_next(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *in, CK_ULONG in_len,
                       void *out, CK_ULONG *out_len, bool last)
{
    bool good = out_len && (parameter || (!last && !parameter_len)) && (in || !in_len);
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_MESSAGE, good, &op);
    if (rv != CKR_OK)
        return rv;

    bool done = false;
    if (!op->in_message) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        if (parameter)
            rv = check_params(parameter_len);
        if (rv != CKR_OK)
            kvp_message_end(call, op);
        else
            rv = room_for_part(op, in_len, last, out, out_len, &done);
        if (rv == CKR_OK && !done)
            rv = next_part(call, op, parameter, in, in_len, out, out_len, last);
    }
    kvp_operation_give(session, &op->base, CKR_OK, true);
    return rv;
}
