/* SPDX-License-Identifier: MIT */
/*
 * An operation in progress, whatever its mechanism: one-part and multi-part calls, length queries,
 * buffers that are too small, and what ends an operation. PKCS#11 v3.1 §5.2 on output, and the last
 * paragraphs of each function. The families (mech_*.c) only ever see whole buffers.
 *
 * One-part mechanisms (CKM_RSA_PKCS, CKM_ECDSA …) also take their data in parts, which the standard
 * leaves to the module: pkcs11-tool 0.23 sends a file in pieces whatever the mechanism is.
 */
#include "token/mech_ops.h"

#include <string.h>

static kvp_operation_kind kind_of(const kvp_crypt_operation *op)
{
    return op->base.kind;
}

/* Too much input for the mechanism. */
static CK_RV length_error(const kvp_crypt_operation *op)
{
    switch (kind_of(op)) {
    case KVP_OPERATION_DECRYPT:
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    case KVP_OPERATION_VERIFY_RECOVER:
        return CKR_SIGNATURE_LEN_RANGE;
    default:
        return CKR_DATA_LEN_RANGE;
    }
}

CK_RV kvp_crypt_feed(kvp_call *call, kvp_crypt_operation *op, const void *in, size_t len,
                     kvp_buf *out)
{
    if (len == 0)
        return CKR_OK;
    if (op->digest) {
        kvp_status status = kvp_digest_update(op->digest, in, len);
        if (status == KVP_OK && kind_of(op) == KVP_OPERATION_DIGEST && op->updated)
            kvp_digest_remember(op, in, len); /* what C_Digest is given, nobody can save */
        return status == KVP_OK ? CKR_OK : kvp_mech_fail(call, status, "hashing failed");
    }
    if (op->mac || op->cipher)
        return op->mechanism->ops->stream(call, op, in, len, out);

    switch (kvp_buf_append(&op->data, in, len)) {
    case KVP_OK:
        return CKR_OK;
    case KVP_ERR_TOO_LARGE:
        return kvp_mech_refuse(call, length_error(op), "%s takes at most %zu bytes here",
                               op->mechanism->name, op->data.max);
    default:
        return CKR_HOST_MEMORY;
    }
}

CK_RV kvp_crypt_finish(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    return op->mechanism->ops->run[kind_of(op)](call, op, out);
}

/* Give the output to the application, or hold it until there is room for it. */
static CK_RV deliver(kvp_crypt_operation *op, kvp_buf *result, void *out, CK_ULONG *out_len)
{
    if (result->len > *out_len) {
        *out_len = result->len;
        if (result != &op->held)
            kvp_buf_take(&op->held, result);
        op->has_held = true;
        return CKR_BUFFER_TOO_SMALL;
    }
    if (result->len)
        memcpy(out, result->data, result->len);
    *out_len = result->len;
    return CKR_OK;
}

CK_RV kvp_output_room(size_t len, size_t least, const void *out, CK_ULONG *out_len, bool *done)
{
    *done = true;
    if (!out) {
        *out_len = len;
        return CKR_OK;
    }
    if (*out_len < least) {
        *out_len = least;
        return CKR_BUFFER_TOO_SMALL;
    }
    *done = false;
    return CKR_OK;
}

/* Answer a length query or refuse a buffer that cannot be enough; sets @done if that was all. */
static CK_RV answer_length(const kvp_crypt_operation *op, size_t in_len, bool last, const void *out,
                           CK_ULONG *out_len, bool *done)
{
    const kvp_mechanism_ops *ops = op->mechanism->ops;
    if (op->has_held) /* deliver looks at the room for it, when it is asked for rightly */
        return kvp_output_room(op->held.len, 0, out, out_len, done);
    size_t most = ops->output_len(op, in_len, last);
    size_t least = last && ops->least_len ? ops->least_len(op, in_len) : most;
    return kvp_output_room(most, least, out, out_len, done);
}

static CK_RV hash_input(kvp_call *call, const void *in, size_t len, uint8_t ret[32])
{
    kvp_status status = kvp_digest_once(KVP_HASH_SHA256, in, len, ret);
    return status == KVP_OK ? CKR_OK : kvp_mech_fail(call, status, "hashing failed");
}

/* The whole of a one-part call, with its output; a held one is given for the same input only. */
static CK_RV once(kvp_call *call, kvp_crypt_operation *op, const void *in, CK_ULONG in_len,
                  void *out, CK_ULONG *out_len)
{
    if (op->has_held) {
        uint8_t hash[sizeof(op->held_for)];
        CK_RV rv = hash_input(call, in, in_len, hash);
        if (rv != CKR_OK)
            return rv;
        if (memcmp(hash, op->held_for, sizeof(hash)) != 0)
            return kvp_mech_refuse(call, CKR_OPERATION_ACTIVE,
                                   "the output of other input still waits to be fetched");
        return deliver(op, &op->held, out, out_len);
    }

    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(in_len + KVP_BUF_MAX_DEFAULT);
    CK_RV rv = kvp_crypt_feed(call, op, in, in_len, &result);
    if (rv == CKR_OK)
        rv = kvp_crypt_finish(call, op, &result);
    if (rv == CKR_OK)
        rv = deliver(op, &result, out, out_len);
    if (rv == CKR_BUFFER_TOO_SMALL) {
        CK_RV hashed = hash_input(call, in, in_len, op->held_for);
        return hashed == CKR_OK ? rv : hashed;
    }
    return rv;
}

/* One that is for another use goes on, whatever is tried beside it. */
static CK_RV take_for(kvp_session *session, kvp_operation_kind kind, kvp_use use,
                      kvp_crypt_operation **ret)
{
    kvp_operation *operation = NULL;
    CK_RV rv = kvp_operation_take(session, kind, &operation);
    if (rv != CKR_OK)
        return rv;
    kvp_crypt_operation *op = (kvp_crypt_operation *)operation;
    if (op->use != use) {
        kvp_operation_give(session, operation, CKR_OK, true);
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    *ret = op;
    return CKR_OK;
}

CK_RV kvp_crypt_take(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                     bool good, kvp_crypt_operation **ret)
{
    kvp_crypt_operation *op;
    CK_RV rv = session ? take_for(session, kind, use, &op) : CKR_SESSION_HANDLE_INVALID;
    if (rv != CKR_OK)
        return good ? rv : CKR_ARGUMENTS_BAD;
    call->has_mechanism = true;
    call->mechanism = op->mechanism->type;
    if (!good) {
        /* Of the message functions only the message ends. */
        if (use == KVP_USE_MESSAGE)
            kvp_crypt_reset(op);
        kvp_crypt_give(call, session, op, use == KVP_USE_MESSAGE ? CKR_OK : CKR_ARGUMENTS_BAD,
                       use == KVP_USE_MESSAGE);
        return CKR_ARGUMENTS_BAD;
    }
    *ret = op;
    return CKR_OK;
}

/* The end of an operation on a key, however it ends, is a line of the audit record; digests touch
 * no key. */
CK_RV kvp_crypt_give(kvp_call *call, kvp_session *session, kvp_crypt_operation *op, CK_RV rv,
                     bool keep)
{
    bool goes_on = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && keep);
    if (!goes_on && op->key)
        kvp_mech_note(call, kind_of(op), op->use, op->mechanism, op->key);
    kvp_operation_give(session, &op->base, rv, keep);
    return rv;
}

CK_RV kvp_crypt_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind, const void *in,
                     CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_DATA, out_len && (in || !in_len), &op);
    if (rv != CKR_OK)
        return rv;

    bool done = false;
    if (op->updated)
        rv = CKR_OPERATION_ACTIVE; /* a one-part call does not end a multi-part operation */
    else
        rv = answer_length(op, in_len, true, out, out_len, &done);
    if (rv == CKR_OK && !done)
        rv = once(call, op, in, in_len, out, out_len);
    return kvp_crypt_give(call, session, op, rv, done);
}

CK_RV kvp_crypt_absorb(kvp_call *call, kvp_crypt_operation *op, const void *in, CK_ULONG in_len)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf none = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    op->updated = true;
    return kvp_crypt_feed(call, op, in, in_len, &none);
}

static CK_RV update(kvp_call *call, kvp_crypt_operation *op, const void *in, CK_ULONG in_len,
                    void *out, CK_ULONG *out_len)
{
    bool done = false;
    CK_RV rv = answer_length(op, in_len, false, out, out_len, &done);
    if (rv != CKR_OK || done)
        return rv;

    KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(in_len + KVP_BUF_MAX_DEFAULT);
    op->updated = true;
    rv = kvp_crypt_feed(call, op, in, in_len, &result);
    return rv == CKR_OK ? deliver(op, &result, out, out_len) : rv;
}

CK_RV kvp_crypt_update(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    bool has_output = kind == KVP_OPERATION_ENCRYPT || kind == KVP_OPERATION_DECRYPT;
    bool good = (in || !in_len) && (out_len || !has_output);
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_DATA, good, &op);
    if (rv != CKR_OK)
        return rv;

    if (op->has_held)
        rv = CKR_OPERATION_ACTIVE; /* its output only waits to be fetched */
    else if (has_output)
        rv = update(call, op, in, in_len, out, out_len);
    else
        rv = kvp_crypt_absorb(call, op, in, in_len);
    return kvp_crypt_give(call, session, op, rv, true);
}

CK_RV kvp_crypt_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind, void *out,
                      CK_ULONG *out_len)
{
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, kind, KVP_USE_DATA, out_len != NULL, &op);
    if (rv != CKR_OK)
        return rv;

    bool done = false;
    if (op->has_held && !op->updated)
        rv = CKR_OPERATION_ACTIVE; /* held by a one-part call: only that one fetches it */
    else
        rv = answer_length(op, 0, true, out, out_len, &done);
    if (rv == CKR_OK && !done) {
        KVP_CLEANUP(kvp_buf_clear) kvp_buf result = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
        if (!op->has_held)
            rv = kvp_crypt_finish(call, op, &result);
        if (rv == CKR_OK)
            rv = deliver(op, op->has_held ? &op->held : &result, out, out_len);
        if (rv == CKR_BUFFER_TOO_SMALL)
            op->updated = true; /* it may have had no input at all; the next is C_…Final again */
    }
    return kvp_crypt_give(call, session, op, rv, done);
}

CK_RV kvp_verify_once(kvp_call *call, kvp_session *session, const void *in, CK_ULONG in_len,
                      const void *sig, CK_ULONG sig_len)
{
    kvp_crypt_operation *op;
    bool good = (in || !in_len) && (sig || !sig_len);
    CK_RV rv = kvp_crypt_take(call, session, KVP_OPERATION_VERIFY, KVP_USE_DATA, good, &op);
    if (rv != CKR_OK)
        return rv;

    if (op->updated)
        rv = CKR_OPERATION_ACTIVE;
    else
        rv = kvp_crypt_absorb(call, op, in, in_len);
    if (rv == CKR_OK)
        rv = op->mechanism->ops->verify(call, op, sig, sig_len);
    return kvp_crypt_give(call, session, op, rv, false);
}

CK_RV kvp_verify_final(kvp_call *call, kvp_session *session, const void *sig, CK_ULONG sig_len)
{
    kvp_crypt_operation *op;
    CK_RV rv =
        kvp_crypt_take(call, session, KVP_OPERATION_VERIFY, KVP_USE_DATA, sig || !sig_len, &op);
    if (rv != CKR_OK)
        return rv;

    rv = op->mechanism->ops->verify(call, op, sig, sig_len);
    return kvp_crypt_give(call, session, op, rv, false);
}

/* The value of a session key; that of a vault's key is nowhere here (PKCS#11 v3.1, C_DigestKey). */
static CK_RV digest_key(kvp_call *call, kvp_session *session, kvp_crypt_operation *op,
                        CK_OBJECT_HANDLE handle)
{
    KVP_CLEANUP(kvp_object_unrefp) kvp_object *key = NULL;
    CK_RV rv = kvp_object_get(session, handle, &key);
    if (rv != CKR_OK)
        return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
    if (kvp_object_class(key) != CKO_SECRET_KEY)
        return CKR_KEY_INDIGESTIBLE;
    const kvp_buf *value = kvp_object_secret_value(key);
    if (!value)
        return kvp_mech_refuse(call, CKR_KEY_INDIGESTIBLE,
                               "the key's value is not in this process");
    /* What a sensitive key adds must not be read out of a saved state. */
    kvp_digest_forget(op);
    return kvp_crypt_absorb(call, op, value->data, value->len);
}

CK_RV kvp_digest_key(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE key)
{
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, KVP_OPERATION_DIGEST, KVP_USE_DATA, true, &op);
    if (rv != CKR_OK)
        return rv;
    return kvp_crypt_give(call, session, op, digest_key(call, session, op, key), true);
}
