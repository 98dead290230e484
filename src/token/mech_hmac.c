/* SPDX-License-Identifier: MIT */
/*
 * HMAC (PKCS#11 v3.1 §6.19 to §6.22): with a session key here, with a key of the HSM there. The
 * service takes its `value` as the message (wire reference, section 5.1), so that HS256 is
 * CKM_SHA256_HMAC; the message is collected, as the request is one.
 */
#include "token/mech_ops.h"

#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

static kvp_alg vault_alg(kvp_hash hash)
{
    switch (hash) {
    case KVP_HASH_SHA256:
        return KVP_ALG_HS256;
    case KVP_HASH_SHA384:
        return KVP_ALG_HS384;
    case KVP_HASH_SHA512:
        return KVP_ALG_HS512;
    default:
        return KVP_ALG_NONE;
    }
}

static bool hmac_fits(const kvp_mechanism *mechanism, const kvp_object *key)
{
    return kvp_object_secret_value(key) || vault_alg(mechanism->hash) != KVP_ALG_NONE;
}

void kvp_hmac_free(struct evp_mac_ctx_st *mac)
{
    if (!mac || kvp_ossl_gone())
        return;
    KVP_OSSL_SCOPE;
    EVP_MAC_CTX_free(mac);
}

static CK_RV start_local(kvp_call *call, kvp_crypt_operation *op, const kvp_buf *key)
{
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    EVP_MAC *mac = EVP_MAC_fetch(kvp_ossl_ctx(), OSSL_MAC_NAME_HMAC, NULL);
    op->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (!op->mac)
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "HMAC is not to be had");

    char name[32];
    kvp_copy_printable(name, sizeof(name), kvp_hash_name(op->hash));
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                            OSSL_PARAM_construct_end() };
    if (EVP_MAC_init(op->mac, key->data, key->len, params) != 1)
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "HMAC did not take the key");
    return CKR_OK;
}

static CK_RV hmac_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_mech_no_parameter(call, mechanism);
    if (rv != CKR_OK)
        return rv;
    const kvp_buf *value = kvp_object_secret_value(op->key);
    if (value)
        return start_local(call, op, value);
    op->data.max = KVP_REMOTE_DATA_MAX;
    return CKR_OK;
}

static size_t hmac_output_len(const kvp_crypt_operation *op, size_t in_len KVP_UNUSED, bool last)
{
    return last ? kvp_hash_len(op->hash) : 0;
}

static CK_RV hmac_stream(kvp_call *call, kvp_crypt_operation *op, const uint8_t *in, size_t len,
                         kvp_buf *out KVP_UNUSED)
{
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    if (EVP_MAC_update(op->mac, in, len) != 1)
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "HMAC failed");
    return CKR_OK;
}

static CK_RV finish_local(kvp_call *call, kvp_crypt_operation *op, uint8_t mac[KVP_HASH_MAX_LEN])
{
    CK_RV rv = kvp_mech_openssl_ready(call);
    if (rv != CKR_OK)
        return rv;
    KVP_OSSL_SCOPE;
    size_t len = 0;
    if (EVP_MAC_final(op->mac, mac, &len, KVP_HASH_MAX_LEN) != 1 || len != kvp_hash_len(op->hash))
        return kvp_mech_fail(call, KVP_ERR_CRYPTO, "HMAC failed");
    return CKR_OK;
}

static CK_RV hmac_sign(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    size_t len = kvp_hash_len(op->hash);
    if (!op->mac)
        return kvp_mech_remote_sign(call, op, vault_alg(op->hash), op->data.data, op->data.len, len,
                                    out);
    uint8_t mac[KVP_HASH_MAX_LEN];
    CK_RV rv = finish_local(call, op, mac);
    if (rv != CKR_OK)
        return rv;
    return kvp_buf_append(out, mac, len) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV hmac_verify(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig,
                         size_t sig_len)
{
    if (sig_len != kvp_hash_len(op->hash))
        return CKR_SIGNATURE_LEN_RANGE;
    if (!op->mac)
        return kvp_mech_remote_verify(call, op, vault_alg(op->hash), op->data.data, op->data.len,
                                      sig, sig_len);
    uint8_t mac[KVP_HASH_MAX_LEN];
    CK_RV rv = finish_local(call, op, mac);
    if (rv == CKR_OK && !kvp_equal_secret(mac, sig, sig_len))
        rv = CKR_SIGNATURE_INVALID;
    kvp_wipe(mac, sizeof(mac)); /* the right MAC of a message that came with a wrong one */
    return rv;
}

#define FAMILY                                                                                     \
    .fits = hmac_fits, .init = hmac_init, .output_len = hmac_output_len, .stream = hmac_stream,    \
    .run = { [KVP_OPERATION_SIGN] = hmac_sign }, .verify = hmac_verify

const kvp_mechanism_ops kvp_hmac_ops = { .remote = true, FAMILY };
/* With SHA-1 and SHA-224, which the service has no algorithm for. */
const kvp_mechanism_ops kvp_hmac_local_ops = { FAMILY };
