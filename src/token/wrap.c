/* SPDX-License-Identifier: MIT */
/*
 * C_WrapKey and C_UnwrapKey (PKCS#11 v3.1 §5.18): an encryption or decryption that lives for one
 * call, with a session secret key on its other side. Keys of the vault are never wrapped: they do
 * not leave it.
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
    case CKR_DATA_LEN_RANGE:
        return CKR_KEY_SIZE_RANGE;
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
        return CKR_WRAPPED_KEY_LEN_RANGE;
    case CKR_ENCRYPTED_DATA_INVALID:
        return CKR_WRAPPED_KEY_INVALID;
    default:
        return rv;
    }
}

static void operation_freep(kvp_crypt_operation **op)
{
    if (*op)
        kvp_operation_free(&(*op)->base);
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

static CK_RV wrap(kvp_call *call, kvp_crypt_operation *op, const kvp_buf *value, void *out,
                  CK_ULONG *out_len)
{
    size_t len = op->mechanism->ops->output_len(op, value->len, true);
    if (!out) {
        *out_len = len;
        return CKR_OK;
    }
    if (*out_len < len) {
        *out_len = len;
        return CKR_BUFFER_TOO_SMALL;
    }

    KVP_CLEANUP(kvp_buf_clear) kvp_buf wrapped = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    CK_RV rv = kvp_crypt_feed(call, op, value->data, value->len, &wrapped);
    if (rv == CKR_OK)
        rv = kvp_crypt_finish(call, op, &wrapped);
    kvp_mech_note(call, op->base.kind, KVP_USE_KEY, op->mechanism, op->key);
    if (rv != CKR_OK)
        return wrapping_rv(rv, true);
    memcpy(out, wrapped.data, wrapped.len);
    *out_len = wrapped.len;
    return CKR_OK;
}

CK_RV kvp_wrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                   CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, void *out,
                   CK_ULONG *out_len)
{
    KVP_CLEANUP(operation_freep) kvp_crypt_operation *op = NULL;
    CK_RV rv = kvp_crypt_prepare(call, session, KVP_OPERATION_ENCRYPT, KVP_USE_KEY, mechanism,
                                 wrapping_key, &op);
    if (rv != CKR_OK)
        return wrapping_rv(rv, true);

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
    return wrap(call, op, value, out, out_len);
}

CK_RV kvp_unwrap_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                     CK_OBJECT_HANDLE unwrapping_key, const void *wrapped, CK_ULONG wrapped_len,
                     const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(operation_freep) kvp_crypt_operation *op = NULL;
    CK_RV rv = kvp_crypt_prepare(call, session, KVP_OPERATION_DECRYPT, KVP_USE_KEY, mechanism,
                                 unwrapping_key, &op);
    if (rv != CKR_OK)
        return wrapping_rv(rv, false);

    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    rv = kvp_crypt_feed(call, op, wrapped, wrapped_len, &value);
    if (rv == CKR_OK)
        rv = kvp_crypt_finish(call, op, &value);
    if (rv == CKR_OK)
        rv = kvp_object_create_secret(call, session, value.data, value.len, attrs, count, ret);
    else
        rv = wrapping_rv(rv, false);
    /* After the object was made: the record is about the key that unwrapped it. */
    kvp_mech_note(call, KVP_OPERATION_DECRYPT, KVP_USE_KEY, op->mechanism, op->key);
    return rv;
}
