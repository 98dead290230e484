/* SPDX-License-Identifier: MIT */
/*
 * Operations in progress: sign, verify, encrypt, decrypt, digest, find. One place decides what a
 * length query is, what "buffer too small" is, and which outcomes end an operation (PKCS#11 v3.1
 * §5.2 and the last paragraph of each function): success, and every error but CKR_BUFFER_TOO_SMALL.
 *
 * The session's lock is held only to take an operation out and to put it back; while it is out, the
 * session is busy with that kind, and another thread's call on it is CKR_OPERATION_ACTIVE.
 */
#ifndef KVP_TOKEN_OPERATION_H
#define KVP_TOKEN_OPERATION_H

#include "token/mechanism.h"
#include "token/slot.h"

/**
 * Free an operation of any kind that no thread has in hand; accepts NULL. To end whatever a session
 * has (it is being closed), call kvp_operation_cancel for each kind: a busy one is then freed by the
 * thread that has it.
 */
void kvp_operation_free(kvp_operation *operation);

/* An operation starts with this header, so that a session can own every kind. */
struct kvp_operation {
    kvp_operation_kind kind;
    void (*destroy)(kvp_operation *operation); /**< frees the whole */
    bool busy;                                 /**< a thread has it; guarded by the session's lock */
    bool doomed;                               /**< no session's any more; the busy thread frees it; same guard */
    uint64_t generation;                       /**< kvp_fork_generation() of that thread */
};

/** CKR_OPERATION_ACTIVE if the session already has one of its kind; takes @operation (frees it on failure). */
CK_RV kvp_operation_start(kvp_session *session, kvp_operation *operation);
/** Whether the session has one of that kind, in anyone's hand. */
bool kvp_operation_active(kvp_session *session, kvp_operation_kind kind);
/** Take it for this thread; CKR_OPERATION_NOT_INITIALIZED, or CKR_OPERATION_ACTIVE when another has it. */
CK_RV kvp_operation_take(kvp_session *session, kvp_operation_kind kind, kvp_operation **ret);
/** Give it back, or end it where @rv ends it (see above; @keep: the call was a successful update or query). */
void kvp_operation_give(kvp_session *session, kvp_operation *operation, CK_RV rv, bool keep);

/* ---- the face's functions; session looked up, pointers checked ---- */
CK_RV kvp_crypt_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                     const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
/** C_Encrypt, C_Decrypt, C_Sign, C_Digest, C_SignRecover, C_VerifyRecover: @out NULL is a length query. */
CK_RV kvp_crypt_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                     const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len);
/** C_EncryptUpdate, C_DecryptUpdate with output; C_SignUpdate, C_VerifyUpdate, C_DigestUpdate with @out_len NULL. */
CK_RV kvp_crypt_update(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len);
CK_RV kvp_crypt_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind, void *out,
                      CK_ULONG *out_len);
CK_RV kvp_verify_once(kvp_call *call, kvp_session *session, const void *in, CK_ULONG in_len,
                      const void *sig, CK_ULONG sig_len);
CK_RV kvp_verify_final(kvp_call *call, kvp_session *session, const void *sig, CK_ULONG sig_len);
CK_RV kvp_digest_key(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE key);
/** End the operation of that kind, if any (C_SessionCancel, closing, C_XInit with a NULL mechanism);
 *  returns whether there was one. */
bool kvp_operation_cancel(kvp_session *session, kvp_operation_kind kind);

/**
 * C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate, C_DecryptVerifyUpdate: one part
 * of plaintext for @cipher (KVP_OPERATION_ENCRYPT or _DECRYPT) and for @other.
 */
CK_RV kvp_crypt_dual_update(kvp_call *call, kvp_session *session, kvp_operation_kind cipher,
                            kvp_operation_kind other, const void *in, CK_ULONG in_len, void *out,
                            CK_ULONG *out_len);

/* Message functions (PKCS#11 v3.1 §5.9 and §5.11), @kind KVP_OPERATION_ENCRYPT or _DECRYPT: whole
 * messages, by AES-GCM. A message that fails leaves the operation as it is. */
CK_RV kvp_message_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV kvp_message_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len);
CK_RV kvp_message_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind);

CK_RV kvp_wrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, void *out, CK_ULONG *out_len);
CK_RV kvp_unwrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, CK_ULONG wrapped_len,
                     const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret);

#endif
