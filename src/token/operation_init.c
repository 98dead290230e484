/* SPDX-License-Identifier: MIT */
/*
 * The beginning of an operation: C_SignInit and its like, and the same checks for C_WrapKey and
 * C_UnwrapKey. What can be refused without a request is refused here.
 */
#include "token/mech_ops.h"

#include "base/alloc.h"
#include "crypto/ossl.h"

#include <stdatomic.h>

static const kvp_kind_info kinds[KVP_OPERATION_COUNT] = {
    [KVP_OPERATION_ENCRYPT] = { CKO_PUBLIC_KEY,
                                { [KVP_USE_DATA] = { CKF_ENCRYPT, CKA_ENCRYPT, "Encrypt" },
                                  [KVP_USE_KEY] = { CKF_WRAP, CKA_WRAP, "WrapKey" },
                                  [KVP_USE_MESSAGE] = { CKF_MESSAGE_ENCRYPT, CKA_ENCRYPT,
                                                        "Encrypt" } } },
    [KVP_OPERATION_DECRYPT] = { CKO_PRIVATE_KEY,
                                { [KVP_USE_DATA] = { CKF_DECRYPT, CKA_DECRYPT, "Decrypt" },
                                  [KVP_USE_KEY] = { CKF_UNWRAP, CKA_UNWRAP, "UnwrapKey" },
                                  [KVP_USE_MESSAGE] = { CKF_MESSAGE_DECRYPT, CKA_DECRYPT,
                                                        "Decrypt" } } },
    [KVP_OPERATION_DIGEST] = { CKO_DATA, { { CKF_DIGEST, 0, "Digest" } } },
    [KVP_OPERATION_SIGN] = { CKO_PRIVATE_KEY,
                             { [KVP_USE_DATA] = { CKF_SIGN, CKA_SIGN, "Sign" },
                               [KVP_USE_MESSAGE] = { CKF_MESSAGE_SIGN, CKA_SIGN, "Sign" } } },
    [KVP_OPERATION_SIGN_RECOVER] = { CKO_PRIVATE_KEY,
                                     { { CKF_SIGN_RECOVER, CKA_SIGN_RECOVER, "SignRecover" } } },
    [KVP_OPERATION_VERIFY] = { CKO_PUBLIC_KEY,
                               { [KVP_USE_DATA] = { CKF_VERIFY, CKA_VERIFY, "Verify" },
                                 [KVP_USE_MESSAGE] = { CKF_MESSAGE_VERIFY, CKA_VERIFY, "Verify" },
                                 [KVP_USE_SIGNATURE] = { CKF_VERIFY, CKA_VERIFY, "Verify" } } },
    [KVP_OPERATION_VERIFY_RECOVER] = { CKO_PUBLIC_KEY,
                                       { { CKF_VERIFY_RECOVER, CKA_VERIFY_RECOVER,
                                           "VerifyRecover" } } },
};

const kvp_kind_info *kvp_kind_info_get(kvp_operation_kind kind)
{
    return kind < KVP_OPERATION_COUNT && kinds[kind].uses[KVP_USE_DATA].name ? &kinds[kind] : NULL;
}

/* After OPENSSL_cleanup its objects can only be forgotten; kept here, they are no leak. */
static void forget(kvp_crypt_operation *op)
{
    static _Atomic(kvp_crypt_operation *) forgotten;
    op->next = atomic_load(&forgotten);
    while (!atomic_compare_exchange_weak(&forgotten, &op->next, op))
        continue;
}

static void crypt_destroy(kvp_operation *operation)
{
    kvp_crypt_operation *op = (kvp_crypt_operation *)operation;
    kvp_object_unref(op->key);
    kvp_digest_free(op->digest);
    kvp_buf_clear(&op->iv);
    kvp_buf_clear(&op->aad);
    kvp_buf_clear(&op->data);
    kvp_buf_clear(&op->held);
    kvp_buf_clear(&op->parameter);
    kvp_buf_clear(&op->signature);
    kvp_buf_clear(&op->digested);
    if ((op->mac || op->cipher) && kvp_ossl_gone()) {
        forget(op);
        return;
    }
    kvp_hmac_free(op->mac);
    kvp_aes_local_free(op->cipher);
    kvp_free(op);
}

void kvp_crypt_reset(kvp_crypt_operation *op)
{
    kvp_digest_free(op->digest);
    kvp_hmac_free(op->mac);
    kvp_aes_local_free(op->cipher);
    op->digest = NULL;
    op->mac = NULL;
    op->cipher = NULL;
    op->pending = 0;
    op->in_message = false;
    kvp_buf_clear(&op->iv);
    kvp_buf_clear(&op->aad);
    kvp_buf_clear(&op->data);
    op->data.secret = true;
}

static kvp_crypt_operation *crypt_new(kvp_operation_kind kind, kvp_use use,
                                      const kvp_mechanism *row, kvp_slot *slot)
{
    kvp_crypt_operation *op = kvp_calloc(1, sizeof(*op));
    if (!op)
        return NULL;
    op->base.kind = kind;
    op->base.destroy = crypt_destroy;
    op->base.flag = kinds[kind].uses[use].flag;
    op->mechanism = row;
    op->use = use;
    op->slot = slot;
    op->hash = row->hash;
    op->data.secret = true;
    op->held.secret = true;
    op->digested.secret = true;
    return op;
}

/* Whether the row's family does this kind of operation at all. */
static bool does(const kvp_mechanism *row, kvp_operation_kind kind, kvp_use use)
{
    if (!row->ops || !(row->flags & kinds[kind].uses[use].flag))
        return false;
    return kind == KVP_OPERATION_VERIFY ? row->ops->verify != NULL : row->ops->run[kind] != NULL;
}

/* C_UnwrapKey also takes a key that the vault lets decrypt only, C_WrapKey one that may encrypt. */
bool kvp_mechanism_may_use(const kvp_mechanism *mechanism, const kvp_object *key,
                           kvp_operation_kind kind, kvp_use use)
{
    if (use == KVP_USE_KEY && mechanism->ops->wraps_local_only && kvp_object_vault_key(key))
        return false;
    if (kvp_object_allows(key, kinds[kind].uses[use].usage))
        return true;
    return use == KVP_USE_KEY && kvp_object_allows(key, kinds[kind].uses[KVP_USE_DATA].usage);
}

/* Class first, as it needs no request; then, with the document, type, usage and size. */
static CK_RV check_key(kvp_call *call, const kvp_mechanism *row, kvp_operation_kind kind,
                       kvp_use use, kvp_object *key)
{
    CK_OBJECT_CLASS class = kvp_object_class(key);
    if (class != CKO_PRIVATE_KEY && class != CKO_PUBLIC_KEY && class != CKO_SECRET_KEY)
        return CKR_KEY_HANDLE_INVALID;
    if (class != (kvp_mechanism_is_symmetric(row) ? CKO_SECRET_KEY : kinds[kind].key_class))
        return kvp_mech_refuse(call, CKR_KEY_TYPE_INCONSISTENT,
                               "%s is not for a key object of this class", row->name);

    CK_RV rv = kvp_object_load(call, key);
    if (rv != CKR_OK)
        return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;

    if (!kvp_object_takes_mechanism(key, row->type))
        return kvp_mech_refuse(call, CKR_MECHANISM_INVALID,
                               "the key's allowed mechanisms do not include %s", row->name);
    if (!kvp_mechanism_takes_type(row, key))
        return kvp_mech_refuse(call, CKR_KEY_TYPE_INCONSISTENT, "%s is not for a key of this type",
                               row->name);
    if (!kvp_mechanism_may_use(row, key, kind, use))
        return kvp_mech_refuse(call, CKR_KEY_FUNCTION_NOT_PERMITTED,
                               "the key's permitted operations do not include this one");
    if (!kvp_mechanism_takes_size(row, key))
        return kvp_mech_refuse(call, CKR_KEY_SIZE_RANGE, "%s is not for a key of %lu bits",
                               row->name, kvp_object_key_bits(key));
    return CKR_OK;
}

/* A new operation that takes over the caller's reference to @key, unless it fails. */
static CK_RV prepare_with_key(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                              kvp_use use, const CK_MECHANISM *mechanism, kvp_object *key,
                              kvp_crypt_operation **ret)
{
    const kvp_mechanism *row = kvp_mechanism_find(session->slot, mechanism->mechanism);
    if (!row || !does(row, kind, use))
        return kvp_mech_refuse(call, CKR_MECHANISM_INVALID, "%s cannot do this on this token",
                               kvp_ckm_name(mechanism->mechanism));
    if (!mechanism->pParameter && mechanism->ulParameterLen)
        return CKR_MECHANISM_PARAM_INVALID;
    if (key) {
        CK_RV rv = check_key(call, row, kind, use, key);
        if (rv != CKR_OK)
            return rv;
    }

    KVP_CLEANUP(kvp_crypt_freep) kvp_crypt_operation *op = crypt_new(kind, use, row, session->slot);
    if (!op)
        return CKR_HOST_MEMORY;
    op->key = key;
    CK_RV rv = row->ops->init(call, op, mechanism);
    if (rv != CKR_OK) {
        op->key = NULL; /* the caller still has the reference */
        return rv;
    }
    if (use == KVP_USE_MESSAGE &&
        kvp_buf_set(&op->parameter, mechanism->pParameter, mechanism->ulParameterLen) != KVP_OK) {
        op->key = NULL;
        return CKR_HOST_MEMORY;
    }
    *ret = KVP_STEAL(op);
    return CKR_OK;
}

CK_RV kvp_crypt_prepare(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                        const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle,
                        kvp_crypt_operation **ret)
{
    call->has_mechanism = true;
    call->mechanism = mechanism->mechanism;

    KVP_CLEANUP(kvp_object_unrefp) kvp_object *key = NULL;
    if (kind != KVP_OPERATION_DIGEST) {
        CK_RV rv = kvp_object_get(session, handle, &key);
        if (rv != CKR_OK)
            return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
    }
    CK_RV rv = prepare_with_key(call, session, kind, use, mechanism, key, ret);
    if (rv == CKR_OK)
        key = NULL; /* the operation's now */
    else if (key)
        kvp_mech_note(call, kind, use, NULL, key);
    return rv;
}

CK_RV kvp_crypt_begin(kvp_call *call, kvp_session *session, kvp_operation_kind kind, kvp_use use,
                      const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    /* PKCS#11 v3.1, C_SignInit and its like: no mechanism ends the operation that is active. */
    if (!mechanism)
        return kvp_operation_cancel(session, kind, kinds[kind].uses[use].flag) ? CKR_OK
                                                                               : CKR_ARGUMENTS_BAD;
    if (kvp_operation_active(session, kind))
        return CKR_OPERATION_ACTIVE;

    kvp_crypt_operation *op = NULL;
    CK_RV rv = kvp_crypt_prepare(call, session, kind, use, mechanism, key, &op);
    return rv == CKR_OK ? kvp_operation_start(session, &op->base) : rv;
}

CK_RV kvp_crypt_init(kvp_call *call, kvp_session *session, kvp_operation_kind kind,
                     const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return kvp_crypt_begin(call, session, kind, KVP_USE_DATA, mechanism, key);
}
