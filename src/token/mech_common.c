/* SPDX-License-Identifier: MIT */
/*
 * What every mechanism family does alike: refusing with a reason, hashing, and the one request of a
 * remote operation with a look at what came back. What is sent is for the families to say.
 */
#include "token/mech_ops.h"

#include "crypto/ossl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void kvp_mech_note(kvp_call *call, kvp_operation_kind kind, kvp_use use,
                   const kvp_mechanism *mechanism, const kvp_object *key)
{
    const kvp_kind_info *info = kvp_kind_info_get(kind);
    if (mechanism) {
        call->has_mechanism = true;
        call->mechanism = mechanism->type;
    }
    if (!key || !info)
        return;
    call->operation = info->uses[use].name;
    const kvp_key *vault_key = kvp_object_vault_key(key);
    if (vault_key && vault_key->id)
        kvp_copy_printable(call->object_id, sizeof(call->object_id), vault_key->id);
}

CK_RV kvp_mech_refuse(kvp_call *call, CK_RV rv, const char *fmt, ...)
{
    char text[sizeof(call->error.message)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    kvp_error_set(&call->error, KVP_ERR_INVALID, "%s", text);
    return rv;
}

CK_RV kvp_mech_fail(kvp_call *call, kvp_status status, const char *what)
{
    if (status == KVP_ERR_CRYPTO && kvp_ossl_out_of_memory())
        status = KVP_ERR_NO_MEMORY;
    kvp_error_set(&call->error, status, "%s", what);
    if (status == KVP_ERR_NO_MEMORY)
        return CKR_HOST_MEMORY;
    return kvp_call_fail(call, KVP_CALL_KEY);
}

CK_RV kvp_mech_openssl_ready(kvp_call *call)
{
    if (kvp_ossl_ctx())
        return CKR_OK;
    if (kvp_ossl_gone())
        return kvp_mech_fail(call, KVP_ERR_CLOSED, "the process is exiting");
    return kvp_mech_fail(call, KVP_ERR_NO_MEMORY, "OpenSSL is not to be had");
}

CK_RV kvp_mech_verified(kvp_call *call, kvp_status status)
{
    switch (status) {
    case KVP_OK:
        return CKR_OK;
    case KVP_ERR_MISMATCH:
        return CKR_SIGNATURE_INVALID;
    case KVP_ERR_INVALID:
        return CKR_SIGNATURE_LEN_RANGE;
    case KVP_ERR_NO_MEMORY:
        return CKR_HOST_MEMORY;
    default:
        return kvp_call_fail(call, KVP_CALL_KEY);
    }
}

CK_RV kvp_mech_no_parameter(kvp_call *call, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen == 0)
        return CKR_OK;
    return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID, "the mechanism has no parameter");
}

CK_RV kvp_mech_start_digest(kvp_call *call, kvp_crypt_operation *op, kvp_hash hash)
{
    op->hash = hash;
    kvp_status status = kvp_digest_new(hash, &op->digest, &call->error);
    if (status == KVP_ERR_NO_MEMORY)
        return CKR_HOST_MEMORY;
    return status == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_KEY);
}

CK_RV kvp_mech_digest(kvp_call *call, kvp_crypt_operation *op, uint8_t store[KVP_HASH_MAX_LEN],
                      const uint8_t **ret, size_t *ret_len)
{
    if (!op->digest) {
        *ret = op->data.data;
        *ret_len = op->data.len;
        return CKR_OK;
    }
    kvp_status status = kvp_digest_final(op->digest, store);
    if (status != KVP_OK)
        return kvp_mech_fail(call, status, "the digest could not be finished");
    *ret = store;
    *ret_len = kvp_hash_len(op->hash);
    return CKR_OK;
}

/* The vault of a token key, and the key's name and pinned version. */
static CK_RV remote_key(kvp_call *call, const kvp_crypt_operation *op, const kvp_key **ret)
{
    *ret = kvp_object_vault_key(op->key);
    if (*ret && op->slot->vault) {
        call->remote = true;
        return CKR_OK;
    }
    if (!op->slot->vault)
        call->error = op->slot->vault_error;
    if (call->error.status == KVP_OK)
        kvp_error_set(&call->error, KVP_ERR_INTERNAL, "the key is not in a vault");
    return kvp_call_fail(call, KVP_CALL_KEY);
}

static CK_RV unexpected_length(kvp_call *call, kvp_alg alg, size_t len, size_t expected_len)
{
    kvp_error_set(&call->error, KVP_ERR_PARSE, "%s: the service answered %zu bytes instead of %zu",
                  kvp_alg_name(alg), len, expected_len);
    kvp_call_fail(call, KVP_CALL_KEY);
    return CKR_DEVICE_ERROR;
}

CK_RV kvp_mech_remote_sign(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg, const void *value,
                           size_t len, size_t expected_len, kvp_buf *out)
{
    const kvp_key *key;
    CK_RV rv = remote_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;

    kvp_status status = kvp_vault_sign(op->slot->vault, key->name, key->version, alg, value, len,
                                       &call->trace, out, &call->error);
    if (status != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_KEY);
    if (out->len != expected_len)
        return unexpected_length(call, alg, out->len, expected_len);
    return CKR_OK;
}

CK_RV kvp_mech_remote_verify(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg,
                             const void *value, size_t len, const uint8_t *sig, size_t sig_len)
{
    const kvp_key *key;
    CK_RV rv = remote_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;

    kvp_status status = kvp_vault_verify(op->slot->vault, key->name, key->version, alg, value, len,
                                         sig, sig_len, &call->trace, &call->error);
    return status == KVP_ERR_MISMATCH ? CKR_SIGNATURE_INVALID
           : status == KVP_OK         ? CKR_OK
                                      : kvp_call_fail(call, KVP_CALL_KEY);
}

CK_RV kvp_mech_remote_crypt(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg, const void *in,
                            size_t in_len, const kvp_buf *iv, const kvp_buf *aad,
                            const kvp_buf *tag, size_t expected_len, kvp_operation_result *ret)
{
    const kvp_key *key;
    CK_RV rv = remote_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;

    bool encrypt = op->base.kind == KVP_OPERATION_ENCRYPT;
    kvp_crypt what = encrypt ? KVP_CRYPT_ENCRYPT : KVP_CRYPT_DECRYPT;
    /* A key may be allowed to unwrap only, or to decrypt only: C_UnwrapKey takes either. */
    if (op->use == KVP_USE_KEY && (key->ops & (encrypt ? KVP_OP_WRAP : KVP_OP_UNWRAP)))
        what = encrypt ? KVP_CRYPT_WRAP : KVP_CRYPT_UNWRAP;

    kvp_status status = kvp_vault_crypt(op->slot->vault, what, key->name, key->version, alg, in,
                                        in_len, iv, aad, tag, &call->trace, ret, &call->error);
    if (status != KVP_OK) {
        rv = kvp_call_fail(call, KVP_CALL_KEY);
        /* The service names no other code for what does not decrypt (wire reference, section 9). */
        bool refused = status == KVP_ERR_HTTP && call->error.http_status == 400;
        return refused && !encrypt ? CKR_ENCRYPTED_DATA_INVALID : rv;
    }
    if (expected_len && ret->value.len != expected_len)
        return unexpected_length(call, alg, ret->value.len, expected_len);
    return CKR_OK;
}
