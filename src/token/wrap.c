/* SPDX-License-Identifier: MIT */
/*
 * C_WrapKey and C_UnwrapKey (PKCS#11 v3.1 §5.18), and what 3.2 adds to them: an encryption or
 * decryption that lives for one call, with a session secret key on its other side. Keys of the
 * vault are never wrapped: they do not leave it.
 */
#include "token/mech_ops.h"

#include <string.h>

/* The functions' own names for what kvp_crypt_prepare found wrong with the wrapping key. */
static CK_RV wrapping_rv(CK_RV rv, bool wrap)
{
    switch (rv) {
    case CKR_KEY_HANDLE_INVALID:
        return wrap ? CKR_WRAPPING_KEY_HANDLE_INVALID : CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    case CKR_KEY_TYPE_INCONSISTENT:
        return wrap ? CKR_WRAPPING_KEY_TYPE_INCONSISTENT : CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    case CKR_KEY_SIZE_RANGE:
        return wrap ? CKR_WRAPPING_KEY_SIZE_RANGE : CKR_UNWRAPPING_KEY_SIZE_RANGE;
    case CKR_DATA_LEN_RANGE: /* of the key that is wrapped */
        return CKR_KEY_SIZE_RANGE;
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
        return CKR_WRAPPED_KEY_LEN_RANGE;
    case CKR_ENCRYPTED_DATA_INVALID:
        return CKR_WRAPPED_KEY_INVALID;
    default:
        return rv;
    }
}

/* The value of the key to be wrapped, borrowed from it. */
static CK_RV value_of(kvp_call *call, const kvp_object *key, const kvp_buf **ret)
{
    CK_OBJECT_CLASS class = kvp_object_class(key);
    if (class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY)
        return kvp_mech_refuse(call, CKR_KEY_NOT_WRAPPABLE, "only secret keys can be wrapped");
    *ret = kvp_object_secret_value(key);
    if (!*ret || !kvp_object_allows(key, CKA_EXTRACTABLE))
        return kvp_mech_refuse(call, CKR_KEY_UNEXTRACTABLE, "the key may not leave its place");
    return CKR_OK;
}

/* ---- AES-GCM wraps a key as one message (PKCS#11 v3.2 §6.13.3) ---- */

/** A message's parameter, however the application gave it. */
typedef struct gcm_wrap {
    bool is_gcm;
    CK_GCM_MESSAGE_PARAMS params;
    const void *aad;
    CK_ULONG aad_len;
    uint8_t tag[16]; /**< C_WrapKey: it follows the wrapped key */
    size_t tag_len;  /**< of @tag; 0 where the parameter has the tag */
} gcm_wrap;

/* 3.1 and before gave C_WrapKey the parameter of C_EncryptInit; 3.2's has a size of its own. */
static CK_RV read_wrap_params(const CK_MECHANISM *mechanism, CK_GCM_WRAP_PARAMS *ret)
{
    CK_GCM_PARAMS older;
    _Static_assert(sizeof(older) != sizeof(*ret), "the two are told apart by their size");
    if (mechanism->ulParameterLen == sizeof(*ret)) {
        memcpy(ret, mechanism->pParameter, sizeof(*ret));
        return CKR_OK;
    }
    if (mechanism->ulParameterLen != sizeof(older))
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&older, mechanism->pParameter, sizeof(older));
    /* A CK_GCM_MESSAGE_PARAMS is as long, and has a pointer where this has a length. */
    if (older.ulAADLen > KVP_BUF_MAX_DEFAULT)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret = (CK_GCM_WRAP_PARAMS){ .pIv = older.pIv,
                                 .ulIvLen = older.ulIvLen,
                                 .ivGenerator = CKG_NO_GENERATE,
                                 .pAAD = older.pAAD,
                                 .ulAADLen = older.ulAADLen,
                                 .ulTagBits = older.ulTagBits };
    return CKR_OK;
}

/* C_WrapKey, C_UnwrapKey: the tag is part of the wrapped key. */
static CK_RV gcm_from_wrap(const CK_MECHANISM *mechanism, gcm_wrap *ret)
{
    CK_GCM_WRAP_PARAMS params;
    CK_RV rv = read_wrap_params(mechanism, &params);
    if (rv != CKR_OK)
        return rv;
    if ((!params.pAAD && params.ulAADLen) || params.ulTagBits > sizeof(ret->tag) * 8)
        return CKR_MECHANISM_PARAM_INVALID;
    ret->is_gcm = true;
    ret->params = (CK_GCM_MESSAGE_PARAMS){ params.pIv,         params.ulIvLen, params.ulIvFixedBits,
                                           params.ivGenerator, ret->tag,       params.ulTagBits };
    ret->aad = params.pAAD;
    ret->aad_len = params.ulAADLen;
    ret->tag_len = params.ulTagBits / 8;
    return CKR_OK;
}

/* C_WrapKeyAuthenticated, C_UnwrapKeyAuthenticated: the tag is in the parameter. */
static CK_RV gcm_from_message(const CK_MECHANISM *mechanism, const kvp_aad *aad, gcm_wrap *ret)
{
    if (mechanism->ulParameterLen != sizeof(ret->params))
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&ret->params, mechanism->pParameter, sizeof(ret->params));
    ret->is_gcm = true;
    ret->aad = aad->data;
    ret->aad_len = aad->len;
    return CKR_OK;
}

/* @aad NULL: not one of the functions that authenticate. */
static CK_RV read_gcm(const CK_MECHANISM *mechanism, const kvp_aad *aad, gcm_wrap *ret)
{
    if (mechanism->mechanism != CKM_AES_GCM)
        return CKR_OK;
    return aad ? gcm_from_message(mechanism, aad, ret) : gcm_from_wrap(mechanism, ret);
}

/*
 * kvp_crypt_prepare for a wrapping key, with the functions' own names for what is wrong, and what
 * the mechanism's parameter says of a message.
 */
static CK_RV prepare(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                     const kvp_aad *aad, CK_OBJECT_HANDLE key, bool to_wrap, gcm_wrap *gcm,
                     kvp_crypt_operation **ret)
{
    CK_RV rv =
        kvp_crypt_prepare(call, session, to_wrap ? KVP_OPERATION_ENCRYPT : KVP_OPERATION_DECRYPT,
                          KVP_USE_KEY, mechanism, key, ret);
    if (rv == CKR_OK && aad && mechanism->mechanism != CKM_AES_GCM)
        rv = kvp_mech_refuse(call, CKR_MECHANISM_INVALID, "%s authenticates nothing",
                             (*ret)->mechanism->name);
    if (rv == CKR_OK)
        rv = read_gcm(mechanism, aad, gcm);
    return wrapping_rv(rv, to_wrap);
}

static CK_RV gcm_run(kvp_call *call, kvp_crypt_operation *op, const gcm_wrap *gcm, const void *in,
                     size_t in_len, kvp_buf *out)
{
    CK_RV rv = kvp_gcm_begin(call, op, &gcm->params, gcm->aad, gcm->aad_len);
    if (rv == CKR_OK)
        rv = kvp_crypt_feed(call, op, in, in_len, out);
    return rv == CKR_OK ? kvp_gcm_end(call, op, &gcm->params, out) : rv;
}

/* ---- what is the same for all mechanisms ---- */

static CK_RV run(kvp_call *call, kvp_crypt_operation *op, const gcm_wrap *gcm, const void *in,
                 size_t in_len, kvp_buf *out)
{
    if (gcm->is_gcm)
        return gcm_run(call, op, gcm, in, in_len, out);
    CK_RV rv = kvp_crypt_feed(call, op, in, in_len, out);
    return rv == CKR_OK ? kvp_crypt_finish(call, op, out) : rv;
}

static CK_RV wrap(kvp_call *call, kvp_crypt_operation *op, const gcm_wrap *gcm,
                  const kvp_buf *value, void *out, CK_ULONG *out_len)
{
    size_t len = gcm->is_gcm ? value->len + gcm->tag_len
                             : op->mechanism->ops->output_len(op, value->len, true);
    bool done = false;
    CK_RV rv = kvp_output_room(len, len, out, out_len, &done);
    if (done)
        return rv;

    KVP_CLEANUP(kvp_buf_clear) kvp_buf wrapped = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    rv = run(call, op, gcm, value->data, value->len, &wrapped);
    if (rv == CKR_OK && gcm->tag_len && kvp_buf_append(&wrapped, gcm->tag, gcm->tag_len) != KVP_OK)
        rv = CKR_HOST_MEMORY;
    kvp_mech_note(call, op->base.kind, KVP_USE_KEY, op->mechanism, op->key);
    if (rv != CKR_OK)
        return wrapping_rv(rv, true);
    memcpy(out, wrapped.data, wrapped.len);
    *out_len = wrapped.len;
    return CKR_OK;
}

CK_RV kvp_wrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, const kvp_aad *aad,
                   void *out, CK_ULONG *out_len)
{
    KVP_CLEANUP(kvp_crypt_freep) kvp_crypt_operation *op = NULL;
    gcm_wrap gcm = { 0 };
    CK_RV rv = prepare(call, session, mechanism, aad, wrapping_key, true, &gcm, &op);
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
    const kvp_buf *value = NULL;
    rv = kvp_object_get(session, key, &object);
    if (rv != CKR_OK)
        return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
    rv = value_of(call, object, &value);
    if (rv != CKR_OK) {
        kvp_mech_note(call, KVP_OPERATION_ENCRYPT, KVP_USE_KEY, op->mechanism, op->key);
        return rv;
    }
    return wrap(call, op, &gcm, value, out, out_len);
}

static CK_RV unwrap(kvp_call *call, kvp_crypt_operation *op, gcm_wrap *gcm, const uint8_t *wrapped,
                    size_t len, kvp_buf *value)
{
    if (len < gcm->tag_len)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    len -= gcm->tag_len;
    if (gcm->tag_len)
        memcpy(gcm->tag, wrapped + len, gcm->tag_len);
    return run(call, op, gcm, wrapped, len, value);
}

CK_RV kvp_unwrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, CK_ULONG wrapped_len,
                     const CK_ATTRIBUTE *attrs, CK_ULONG count, const kvp_aad *aad,
                     CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_crypt_freep) kvp_crypt_operation *op = NULL;
    gcm_wrap gcm = { 0 };
    CK_RV rv = prepare(call, session, mechanism, aad, unwrapping_key, false, &gcm, &op);
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    rv = unwrap(call, op, &gcm, wrapped, wrapped_len, &value);
    if (rv == CKR_OK)
        rv = kvp_object_create_secret(call, session, value.data, value.len, attrs, count, ret);
    else
        rv = wrapping_rv(rv, false);
    /* After the object was made: the record is about the key that unwrapped it. */
    kvp_mech_note(call, KVP_OPERATION_DECRYPT, KVP_USE_KEY, op->mechanism, op->key);
    return rv;
}
