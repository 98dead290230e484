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
    CK_FLAGS flag;                             /**< what names it to C_SessionCancel; 0: its kind alone */
};

/** CKR_OPERATION_ACTIVE if the session already has one of its kind; takes @operation (frees it on failure). */
CK_RV kvp_operation_start(kvp_session *session, kvp_operation *operation);
/** Whether the session has one of that kind, in anyone's hand. */
bool kvp_operation_active(kvp_session *session, kvp_operation_kind kind);
/** Take it for this thread; CKR_OPERATION_NOT_INITIALIZED, or CKR_OPERATION_ACTIVE when another has it. */
CK_RV kvp_operation_take(kvp_session *session, kvp_operation_kind kind, kvp_operation **ret);
/** Give it back, or end it where @rv ends it (see above; @keep: the call was a successful update or query). */
void kvp_operation_give(kvp_session *session, kvp_operation *operation, CK_RV rv, bool keep);

/* ---- the face's functions; functions of an operation in progress check their pointers themselves,
 * since bad ones end it, and take a session of NULL for one that there is not ---- */
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
/** Every flag that can name an operation. */
#define KVP_ANY_OPERATION (~(CK_FLAGS)0)
/** End the operation of that kind, if there is one that @flags name (C_SessionCancel, closing,
 *  C_XInit with a NULL mechanism); returns whether there was. One that another thread is busy with
 *  ends when that thread is through. */
bool kvp_operation_cancel(kvp_session *session, kvp_operation_kind kind, CK_FLAGS flags);

/**
 * C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate, C_DecryptVerifyUpdate: one part
 * of plaintext for @cipher (KVP_OPERATION_ENCRYPT or _DECRYPT) and for @other.
 */
CK_RV kvp_crypt_dual_update(kvp_call *call, kvp_session *session, kvp_operation_kind cipher,
                            kvp_operation_kind other, const void *in, CK_ULONG in_len, void *out,
                            CK_ULONG *out_len);

/* Message functions (PKCS#11 v3.1 §5.9, §5.11, §5.14 and §5.16). A message that fails ends, the
 * operation goes on to the next; one that is begun and not ended keeps kvp_message_final at
 * CKR_OPERATION_ACTIVE. */
CK_RV kvp_message_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV kvp_message_final(kvp_call *call, kvp_session *session, kvp_operation_kind kind);

/** C_EncryptMessage, C_DecryptMessage: @kind KVP_OPERATION_ENCRYPT or _DECRYPT, by AES-GCM. */
CK_RV kvp_message_once(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len,
                       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len);
CK_RV kvp_message_begin(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                        void *parameter, CK_ULONG parameter_len, const void *aad, CK_ULONG aad_len);
/** @last: CKF_END_OF_MESSAGE. Parts before it need no parameter. */
CK_RV kvp_message_next(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                       void *parameter, CK_ULONG parameter_len, const void *in, CK_ULONG in_len,
                       void *out, CK_ULONG *out_len, bool last);

/** A message that is signed or checked; none of the mechanisms has a parameter of its own for it. */
typedef struct kvp_signed_part {
    const void *parameter;
    CK_ULONG parameter_len;
    const void *data;
    CK_ULONG data_len;
} kvp_signed_part;
/** C_SignMessageBegin, C_VerifyMessageBegin: @kind KVP_OPERATION_SIGN or _VERIFY. */
CK_RV kvp_message_begin_signed(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                               const void *parameter, CK_ULONG parameter_len);
/** C_SignMessage (@whole), C_SignMessageNext (@sig_len NULL: more is to come). */
CK_RV kvp_message_sign(kvp_call *call, kvp_session *session, bool whole,
                       const kvp_signed_part *part, void *sig, CK_ULONG *sig_len);
/** C_VerifyMessage (@whole), C_VerifyMessageNext (@sig NULL: more is to come). */
CK_RV kvp_message_verify(kvp_call *call, kvp_session *session, bool whole,
                         const kvp_signed_part *part, const void *sig, CK_ULONG sig_len);

/* Verification that knows the signature from the start (PKCS#11 v3.2 §5.15.7). A signature of a
 * length that cannot be is refused at once. */
CK_RV kvp_verify_signature_init(kvp_call *call, kvp_session *session,
                                const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                                const void *sig, CK_ULONG sig_len);
CK_RV kvp_verify_signature_update(kvp_call *call, kvp_session *session, const void *in,
                                  CK_ULONG in_len);
/** C_VerifySignature (@whole, with @in) and C_VerifySignatureFinal. */
CK_RV kvp_verify_signature_end(kvp_call *call, kvp_session *session, bool whole, const void *in,
                               CK_ULONG in_len);

/** C_DeriveKey, C_EncapsulateKey, C_DecapsulateKey: why it cannot be. @use: CKF_DERIVE …. */
CK_RV kvp_derive_check(kvp_call *call, kvp_session *session, CK_FLAGS use,
                       const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle);

/**
 * C_GetOperationState, C_SetOperationState: digests. @with_keys: the application passed keys, which
 * no digest needs.
 */
CK_RV kvp_state_save(kvp_call *call, kvp_session *session, void *out, CK_ULONG *out_len);
CK_RV kvp_state_restore(kvp_call *call, kvp_session *session, const void *state, CK_ULONG len,
                        bool with_keys);

/** What C_WrapKeyAuthenticated authenticates beside the key. */
typedef struct kvp_aad {
    const void *data;
    CK_ULONG len;
} kvp_aad;
/** C_WrapKey; with @aad C_WrapKeyAuthenticated, by CKM_AES_GCM with a CK_GCM_MESSAGE_PARAMS. */
CK_RV kvp_wrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, const kvp_aad *aad,
                   void *out, CK_ULONG *out_len);
/** C_UnwrapKey; with @aad C_UnwrapKeyAuthenticated. */
CK_RV kvp_unwrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, CK_ULONG wrapped_len,
                     const CK_ATTRIBUTE *attrs, CK_ULONG count, const kvp_aad *aad,
                     CK_OBJECT_HANDLE *ret);

#endif
