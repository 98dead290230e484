/* SPDX-License-Identifier: MIT */
/*
 * C_GetOperationState and C_SetOperationState (PKCS#11 v3.1 §5.6) for digests. OpenSSL does not let
 * go of a hash's chaining value, so what is saved is what was hashed so far, and restoring hashes
 * it again: any session with the same token, also of another process, can go on with it. A digest
 * of more than STATE_DATA_MAX bytes, and one that a key went into, cannot be saved; neither can any
 * operation with a key, which may be half on its way to a vault. pkcs11-provider asks for the state
 * of each signature.
 */
#include "token/mech_ops.h"

#include <string.h>

#define STATE_DATA_MAX ((size_t)64 * 1024)
#define CHECKSUM 32

/** The head of a saved state; then come the data and the SHA-256 of both. */
typedef struct state_head {
    char magic[8];
    CK_MECHANISM_TYPE mechanism;
    CK_STATE session_state; /**< the other session's must be the same */
    CK_ULONG updated;       /**< C_DigestUpdate was called: C_Digest is out of place */
    char serial[16];        /**< of the token */
    CK_ULONG len;           /**< of the data */
} state_head;

static const char magic[8] = { 'K', 'V', 'P', 'S', 'T', 'A', 'T', '1' };

void kvp_digest_forget(kvp_crypt_operation *op)
{
    op->unsaveable = true;
    kvp_buf_clear(&op->digested);
}

void kvp_digest_remember(kvp_crypt_operation *op, const void *in, size_t len)
{
    if (op->unsaveable)
        return;
    if (len > STATE_DATA_MAX - op->digested.len || kvp_buf_append(&op->digested, in, len) != KVP_OK)
        kvp_digest_forget(op);
}

static void fill_head(const kvp_crypt_operation *op, kvp_session *session, state_head *head)
{
    memset(head, 0, sizeof(*head)); /* also what lies between the members */
    memcpy(head->magic, magic, sizeof(magic));
    head->mechanism = op->mechanism->type;
    head->session_state = kvp_session_state(session);
    head->updated = op->updated;
    memcpy(head->serial, session->slot->serial, sizeof(head->serial));
    head->len = op->digested.len;
}

static CK_RV checksum(kvp_call *call, const void *state, size_t len, uint8_t ret[CHECKSUM])
{
    kvp_status status = kvp_digest_once(KVP_HASH_SHA256, state, len, ret);
    return status == KVP_OK ? CKR_OK : kvp_mech_fail(call, status, "hashing failed");
}

static CK_RV save(kvp_call *call, const kvp_crypt_operation *op, kvp_session *session, uint8_t *out,
                  CK_ULONG *out_len)
{
    if (op->unsaveable)
        return kvp_mech_refuse(call, CKR_STATE_UNSAVEABLE,
                               "a digest of a key, or of more than %zu bytes, cannot be saved",
                               STATE_DATA_MAX);
    size_t len = sizeof(state_head) + op->digested.len;
    bool done = false;
    CK_RV rv = kvp_output_room(len + CHECKSUM, len + CHECKSUM, out, out_len, &done);
    if (done)
        return rv;
    *out_len = len + CHECKSUM;
    state_head head;
    fill_head(op, session, &head);
    memcpy(out, &head, sizeof(head));
    if (op->digested.len)
        memcpy(out + sizeof(head), op->digested.data, op->digested.len);
    return checksum(call, out, len, out + len);
}

CK_RV kvp_state_save(kvp_call *call, kvp_session *session, void *out, CK_ULONG *out_len)
{
    static const kvp_operation_kind with_keys[] = { KVP_OPERATION_ENCRYPT, KVP_OPERATION_DECRYPT,
                                                    KVP_OPERATION_SIGN, KVP_OPERATION_VERIFY };
    for (size_t i = 0; i < KVP_ARRAY_LEN(with_keys); i++)
        if (kvp_operation_active(session, with_keys[i]))
            return CKR_STATE_UNSAVEABLE;
    kvp_crypt_operation *op;
    CK_RV rv = kvp_crypt_take(call, session, KVP_OPERATION_DIGEST, KVP_USE_DATA, true, &op);
    if (rv != CKR_OK)
        return rv;
    rv = save(call, op, session, out, out_len);
    kvp_operation_give(session, &op->base, CKR_OK, true); /* asking ends nothing */
    return rv;
}

/* CKR_OK if it is a state of ours, whole, for this token and a session in this state. */
static CK_RV check_state(kvp_call *call, kvp_session *session, const uint8_t *state, CK_ULONG len,
                         state_head *head)
{
    uint8_t sum[CHECKSUM];
    if (len < sizeof(*head) + CHECKSUM)
        return CKR_SAVED_STATE_INVALID;
    memcpy(head, state, sizeof(*head));
    if (head->len > STATE_DATA_MAX || len != sizeof(*head) + head->len + CHECKSUM ||
        memcmp(head->magic, magic, sizeof(magic)) != 0)
        return CKR_SAVED_STATE_INVALID;
    CK_RV rv = checksum(call, state, len - CHECKSUM, sum);
    if (rv != CKR_OK)
        return rv;
    bool fits = memcmp(sum, state + len - CHECKSUM, CHECKSUM) == 0 &&
                memcmp(head->serial, session->slot->serial, sizeof(head->serial)) == 0 &&
                head->session_state == kvp_session_state(session);
    return fits ? CKR_OK : CKR_SAVED_STATE_INVALID;
}

CK_RV kvp_state_restore(kvp_call *call, kvp_session *session, const void *state, CK_ULONG len,
                        bool with_keys)
{
    state_head head;
    CK_RV rv = check_state(call, session, state, len, &head);
    if (rv != CKR_OK)
        return rv;
    if (with_keys)
        return CKR_KEY_NOT_NEEDED;

    KVP_CLEANUP(kvp_crypt_freep) kvp_crypt_operation *op = NULL;
    const CK_MECHANISM mechanism = { head.mechanism, NULL, 0 };
    rv = kvp_crypt_prepare(call, session, KVP_OPERATION_DIGEST, KVP_USE_DATA, &mechanism,
                           CK_INVALID_HANDLE, &op);
    if (rv == CKR_OK)
        rv = kvp_crypt_absorb(call, op, (const uint8_t *)state + sizeof(head), head.len);
    if (rv != CKR_OK)
        return rv;
    op->updated = head.updated;
    /* What the session is doing is abruptly cancelled. */
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
        kvp_operation_cancel(session, kind, KVP_ANY_OPERATION);
    return kvp_operation_start(session, &KVP_STEAL(op)->base);
}
