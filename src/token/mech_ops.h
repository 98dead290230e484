/* SPDX-License-Identifier: MIT */
/*
 * What mechanism families share among themselves; the rest of the token room sees mechanism.h and
 * operation.h only. A family is a kvp_mechanism_ops: what it has no function for answers
 * CKR_MECHANISM_INVALID. operation_crypt.c drives every family the same way: input is hashed,
 * streamed or collected, then one function makes the output.
 */
#ifndef KVP_TOKEN_MECH_OPS_H
#define KVP_TOKEN_MECH_OPS_H

#include "base/buf.h"
#include "token/call.h"
#include "token/mechanism.h"
#include "token/operation.h"

/**
 * Most that one request carries of data of any length (AES and HMAC with a key of the HSM): the
 * mechanism makes exactly one request, so its data is collected first.
 */
#define KVP_REMOTE_DATA_MAX ((size_t)64 * 1024)

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

/** What an encryption or decryption is for: the same mechanism is checked and sent differently. */
typedef enum kvp_use {
    KVP_USE_DATA,
    KVP_USE_KEY,       /**< C_WrapKey, C_UnwrapKey: lives for one call */
    KVP_USE_MESSAGE,   /**< C_MessageEncryptInit …: the plain functions may not use it */
    KVP_USE_SIGNATURE, /**< C_VerifySignatureInit: only C_VerifySignature… may use it */
    KVP_USE_COUNT
} kvp_use;

/** A cryptographic operation of a session. Only the thread that took it touches it. */
typedef struct kvp_crypt_operation {
    kvp_operation base;
    const kvp_mechanism *mechanism;
    kvp_slot *slot;  /**< borrowed: the session's */
    kvp_object *key; /**< a reference; NULL for digests */
    kvp_use use;
    bool updated;      /**< input has come in parts: a one-part call is refused */
    bool in_message;   /**< between C_…MessageBegin and the last C_…MessageNext */
    kvp_buf parameter; /**< copy of the mechanism's, to begin each message anew */
    kvp_buf signature; /**< of C_VerifySignatureInit */

    /* What the mechanism's parameter said, checked. */
    kvp_hash hash; /**< of the message, of PSS and OAEP */
    kvp_buf iv, aad;
    size_t tag_len;  /**< bytes, GCM */
    kvp_hash mgf;    /**< PSS */
    size_t salt_len; /**< bytes, PSS */

    /* Where input goes: the first that is not NULL. */
    kvp_digest *digest;
    struct evp_mac_ctx_st *mac;
    struct evp_cipher_ctx_st *cipher;
    kvp_buf data;   /**< collected; data.max is the most that the mechanism takes */
    size_t pending; /**< bytes that the cipher holds back */

    /* What a digest was given so far, for C_GetOperationState; see operation_state.c. */
    kvp_buf digested;
    bool unsaveable;

    /* An output that did not fit, for the call with a larger buffer: nothing is done twice. */
    kvp_buf held;
    bool has_held;
    uint8_t held_for[32];             /**< SHA-256 of the input that it came from */
    struct kvp_crypt_operation *next; /**< of those that were forgotten, as OpenSSL was gone */
} kvp_crypt_operation;

/** Make the output from the input that is in @op by now, appending to @out (a secret buffer). */
typedef CK_RV kvp_mech_run(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out);

struct kvp_mechanism_ops {
    bool remote;           /**< the vault does what needs its keys: CKF_HW */
    bool wraps_local_only; /**< C_WrapKey, C_UnwrapKey: with keys of the session alone */
    /** Whether @key can be used with it, beyond type, size and usage; NULL: yes. After load. */
    bool (*fits)(const kvp_mechanism *mechanism, const kvp_object *key);
    /** Check the parameter; say where input goes. Key type, size and usage are checked already. */
    CK_RV (*init)(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism);
    /** Bytes that come out when @in_len more bytes go in, and if @last the operation ends: the
     * answer to a length query. */
    size_t (*output_len)(const kvp_crypt_operation *op, size_t in_len, bool last);
    /** Below it a buffer is refused at once; NULL: output_len. Decryption with padding knows only
     * afterwards. */
    size_t (*least_len)(const kvp_crypt_operation *op, size_t in_len);
    /** Input for op->mac or op->cipher. */
    CK_RV(*stream)
    (kvp_call *call, kvp_crypt_operation *op, const uint8_t *in, size_t len, kvp_buf *out);
    kvp_mech_run *run[KVP_OPERATION_COUNT];
    CK_RV (*verify)(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig, size_t sig_len);
};

/* The families, a file each. */
extern const kvp_mechanism_ops kvp_digest_ops;
extern const kvp_mechanism_ops kvp_rsa_pkcs_ops, kvp_rsa_hash_pkcs_ops, kvp_rsa_pss_ops,
    kvp_rsa_oaep_ops;
extern const kvp_mechanism_ops kvp_ecdsa_ops;
extern const kvp_mechanism_ops kvp_hmac_ops, kvp_hmac_local_ops;
extern const kvp_mechanism_ops kvp_aes_cbc_ops, kvp_aes_gcm_ops, kvp_aes_key_wrap_ops;

/* ---- operation_init.c ---- */
/** What a kind of operation needs of its key, and what the audit record calls it. */
typedef struct kvp_kind_info {
    CK_OBJECT_CLASS key_class; /**< of an asymmetric key */
    struct {
        CK_FLAGS flag;           /**< CKF_SIGN; 0: there is no such use */
        CK_ATTRIBUTE_TYPE usage; /**< CKA_SIGN */
        const char *name;        /**< `Sign` */
    } uses[KVP_USE_COUNT];
} kvp_kind_info;
/** NULL for KVP_OPERATION_FIND. */
const kvp_kind_info *kvp_kind_info_get(kvp_operation_kind kind);
/** Whether the key's type is one that the mechanism takes. After load. */
bool kvp_mechanism_takes_type(const kvp_mechanism *mechanism, const kvp_object *key);
/** Whether its size is inside the row's bounds; a size that nobody knows is. After load. */
bool kvp_mechanism_takes_size(const kvp_mechanism *mechanism, const kvp_object *key);
/** Whether @key may be used so: its attributes say yes, and the mechanism can. After load. */
bool kvp_mechanism_may_use(const kvp_mechanism *mechanism, const kvp_object *key,
                           kvp_operation_kind kind, kvp_use use);
/** Whether it works on symmetric keys. */
bool kvp_mechanism_is_symmetric(const kvp_mechanism *mechanism);
/**
 * All checks of C_SignInit and its like, and a new operation that no session has yet. A key that
 * was only listed is loaded (one GET); else nothing blocks. On failure of a use of a known key the
 * call is noted for the audit record.
 */
CK_RV kvp_crypt_prepare(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                        const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle,
                        kvp_crypt_operation **ret);
/** The same, and the session has it: C_SignInit, C_MessageSignInit, C_VerifySignatureInit …. */
CK_RV kvp_crypt_begin(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                      const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
/** Forget all input and parameters of the message before, so that the next can begin. */
void kvp_crypt_reset(kvp_crypt_operation *op);
/** For an operation that no session has. */
static inline void kvp_crypt_freep(kvp_crypt_operation **op)
{
    if (*op)
        kvp_operation_free(&(*op)->base);
}

/* ---- operation_message.c ---- */
/** A message is over, well or not: nothing of it is left for the next, and the record knows. */
void kvp_message_end(kvp_call *call, kvp_crypt_operation *op);

/* ---- operation_crypt.c ---- */
/**
 * The standard's rule of output (PKCS#11 v3.1 §5.2), in one place. A length query (@out NULL) is
 * told
 * @len, and a buffer below @least is told that and CKR_BUFFER_TOO_SMALL; either sets @done. Else
 * CKR_OK: there is room, and *out_len is not touched. @least is less than @len where only the
 * output itself will tell its length.
 */
CK_RV kvp_output_room(size_t len, size_t least, const void *out, CK_ULONG *out_len, bool *done);
/**
 * Take the session's operation of @kind, if it is for @use; what is for another use goes on and is
 * CKR_OPERATION_NOT_INITIALIZED. A @session of NULL, which is one that the application named and
 * that there is not, is CKR_SESSION_HANDLE_INVALID. Bad arguments (@good false) come before all
 * this: they are CKR_ARGUMENTS_BAD, and end the operation where there is one.
 */
CK_RV kvp_crypt_take(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                     bool good, kvp_crypt_operation **ret);
/**
 * Give it back, or end it where @rv ends it (kvp_operation_give). The end of an operation on a key
 * is noted for the audit record. Returns @rv.
 */
CK_RV kvp_crypt_give(kvp_call *call, kvp_session *session, kvp_crypt_operation *op, CK_RV rv,
                     bool keep);
/** An update without output: C_SignUpdate, C_VerifyUpdate, C_DigestUpdate and their like. */
CK_RV kvp_crypt_absorb(kvp_call *call, kvp_crypt_operation *op, const void *in, CK_ULONG in_len);
/** Give @op input: to its digest, MAC, cipher (which may append to @out), or its data. */
CK_RV kvp_crypt_feed(kvp_call *call, kvp_crypt_operation *op, const void *in, size_t len,
                     kvp_buf *out);
/** Have @op make its output. */
CK_RV kvp_crypt_finish(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out);

/* ---- operation_state.c ---- */
/** A digest was given @in: remember it while it is short enough to be saved. */
void kvp_digest_remember(kvp_crypt_operation *op, const void *in, size_t len);
/** From now on it cannot be saved. */
void kvp_digest_forget(kvp_crypt_operation *op);

/* ---- mech_common.c ---- */
/** Fill the call with what the audit record says about this use of a key. */
void kvp_mech_note(kvp_call *call, kvp_operation_kind kind, kvp_use use,
                   const kvp_mechanism *mechanism, const kvp_object *key);
/** Refuse for a reason of our own: @rv, and the reason for the diagnostics line. */
CK_RV kvp_mech_refuse(kvp_call *call, CK_RV rv, const char *fmt, ...) KVP_PRINTF(3, 4);
/** A local failure that reported nothing but its status. Never CKR_OK. */
CK_RV kvp_mech_fail(kvp_call *call, kvp_status status, const char *what);
/**
 * Whether OpenSSL can be called, for local work that is not the crypto room's: CKR_OK, or the
 * answer when the host has run OPENSSL_cleanup already. Once in each function that calls it.
 */
CK_RV kvp_mech_openssl_ready(kvp_call *call);
/** The CK_RV of a verification's status. */
CK_RV kvp_mech_verified(kvp_call *call, kvp_status status);
/** CKR_MECHANISM_PARAM_INVALID unless the mechanism has no parameter. */
CK_RV kvp_mech_no_parameter(kvp_call *call, const CK_MECHANISM *mechanism);
/** Let @op hash its input. */
CK_RV kvp_mech_start_digest(kvp_call *call, kvp_crypt_operation *op, kvp_hash hash);
/** The message's digest: finished, or what was collected. Points into @op or @store. */
CK_RV kvp_mech_digest(kvp_call *call, kvp_crypt_operation *op, uint8_t store[KVP_HASH_MAX_LEN],
                      const uint8_t **ret, size_t *ret_len);
/** One sign request; an answer that is not @expected_len bytes long is CKR_DEVICE_ERROR. */
CK_RV kvp_mech_remote_sign(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg, const void *value,
                           size_t len, size_t expected_len, kvp_buf *out);
/** One verify request, for a key that only the HSM has. */
CK_RV kvp_mech_remote_verify(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg,
                             const void *value, size_t len, const uint8_t *sig, size_t sig_len);
/**
 * One request to encrypt, decrypt, wrap or unwrap, as @op is for. @expected_len 0: any.
 * A service that refuses the ciphertext itself (400) is CKR_ENCRYPTED_DATA_INVALID.
 */
CK_RV kvp_mech_remote_crypt(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg, const void *in,
                            size_t in_len, const kvp_buf *iv, const kvp_buf *aad,
                            const kvp_buf *tag, size_t expected_len, kvp_operation_result *ret);

/* ---- mech_rsa_params.c ---- */
/** A row a hash of RSA paddings, with what the service has of it. */
typedef struct kvp_rsa_hash_info {
    kvp_hash hash;
    CK_MECHANISM_TYPE mechanism;
    CK_RSA_PKCS_MGF_TYPE mgf;
    kvp_alg pkcs1, pss, oaep; /**< KVP_ALG_NONE: the service has none */
} kvp_rsa_hash_info;
/** NULL if @hash has no row. */
const kvp_rsa_hash_info *kvp_rsa_hash_find(kvp_hash hash);
/**
 * CK_RSA_PKCS_PSS_PARAMS to op->hash, op->mgf and op->salt_len. A signature must be asked for as
 * the service makes it: MGF1 with the same hash, a salt as long. Verifying is done here, with
 * whatever hash, MGF1 and salt length the signer had. A mechanism with a hash takes no other.
 */
CK_RV kvp_rsa_pss_params(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism);
/** CK_RSA_PKCS_OAEP_PARAMS, as the service does it: SHA-1 or SHA-256 for both, no label. */
CK_RV kvp_rsa_oaep_params(kvp_call *call, const CK_MECHANISM *mechanism, kvp_hash *ret);

/* ---- mech_ec.c ---- */
/**
 * Fit a digest to what the service takes for @curve: cut to the leftmost bytes, or padded with
 * zeros on the left, which leaves the number that ECDSA signs the same (FIPS 186-5 §6.4.1).
 * CKR_DATA_LEN_RANGE for an empty one, and for more than 64 bytes on P-521.
 */
CK_RV kvp_ecdsa_fit_digest(kvp_curve curve, const uint8_t *digest, size_t len,
                           uint8_t ret[KVP_HASH_MAX_LEN], size_t *ret_len, kvp_alg *ret_alg);

/* ---- mech_aes.c ---- */
/**
 * Begin one message of CKM_AES_GCM, then feed its text by kvp_crypt_feed; text of the same length
 * comes out. Encryption with a session key fills params->pIv where it is to be generated.
 */
CK_RV kvp_gcm_begin(kvp_call *call, kvp_crypt_operation *op, const CK_GCM_MESSAGE_PARAMS *params,
                    const void *aad, size_t aad_len);
/** End it: encryption fills params->pTag (and pIv, if the service made it), decryption checks it.
 */
CK_RV kvp_gcm_end(kvp_call *call, kvp_crypt_operation *op, const CK_GCM_MESSAGE_PARAMS *params,
                  kvp_buf *out);
/** Text that comes out when @in_len more bytes of a message go in. */
size_t kvp_gcm_message_len(const kvp_crypt_operation *op, size_t in_len, bool last);

/* ---- mech_aes_local.c ---- */
CK_RV kvp_aes_local_start(kvp_call *call, kvp_crypt_operation *op);
CK_RV kvp_aes_local_stream(kvp_call *call, kvp_crypt_operation *op, const uint8_t *in, size_t len,
                           kvp_buf *out);
/** End of a streamed operation, or all of a collected one. */
CK_RV kvp_aes_local_finish(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out);
void kvp_aes_local_free(struct evp_cipher_ctx_st *cipher);

/* ---- mech_hmac.c ---- */
void kvp_hmac_free(struct evp_mac_ctx_st *mac);

#endif
