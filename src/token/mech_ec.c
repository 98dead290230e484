/* SPDX-License-Identifier: MIT */
/*
 * ECDSA (PKCS#11 v3.1 §6.3): signing is the vault's, verifying is done here. Signatures are r || s
 * of fixed width on both sides, so nothing is converted.
 */
#include "token/mech_ops.h"

#include <string.h>

static const kvp_alg curve_algs[KVP_CURVE_COUNT] = {
    [KVP_CURVE_P256] = KVP_ALG_ES256,
    [KVP_CURVE_P384] = KVP_ALG_ES384,
    [KVP_CURVE_P521] = KVP_ALG_ES512,
    [KVP_CURVE_P256K] = KVP_ALG_ES256K,
};

CK_RV kvp_ecdsa_fit_digest(kvp_curve curve, const uint8_t *digest, size_t len,
                           uint8_t ret[KVP_HASH_MAX_LEN], size_t *ret_len, kvp_alg *ret_alg)
{
    kvp_alg alg = curve < KVP_CURVE_COUNT ? curve_algs[curve] : KVP_ALG_NONE;
    size_t width = kvp_alg_digest_len(alg);
    if (alg == KVP_ALG_NONE || width == 0 || width > KVP_HASH_MAX_LEN)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (len == 0)
        return CKR_DATA_LEN_RANGE;
    if (len > width) {
        /* The order of P-521 is longer than what ES512 takes: cutting there would sign another
         * number. */
        if (kvp_curves[curve].bits > width * 8)
            return CKR_DATA_LEN_RANGE;
        len = width;
    }
    memset(ret, 0, width - len);
    memcpy(ret + (width - len), digest, len);
    *ret_len = width;
    *ret_alg = alg;
    return CKR_OK;
}

static size_t signature_len(const kvp_crypt_operation *op)
{
    return (size_t)2 * kvp_curves[kvp_object_curve(op->key)].coordinate_len;
}

static size_t ecdsa_output_len(const kvp_crypt_operation *op, size_t in_len KVP_UNUSED, bool last)
{
    return last ? signature_len(op) : 0;
}

static bool ecdsa_fits(const kvp_mechanism *mechanism KVP_UNUSED, const kvp_object *key)
{
    return kvp_object_curve(key) != KVP_CURVE_NONE;
}

static CK_RV ecdsa_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_mech_no_parameter(call, mechanism);
    if (rv == CKR_OK && op->mechanism->hash != KVP_HASH_NONE)
        rv = kvp_mech_start_digest(call, op, op->mechanism->hash);
    return rv;
}

static CK_RV ecdsa_sign(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    uint8_t store[KVP_HASH_MAX_LEN], value[KVP_HASH_MAX_LEN];
    const uint8_t *digest;
    size_t len, value_len;
    kvp_alg alg;
    CK_RV rv = kvp_mech_digest(call, op, store, &digest, &len);
    if (rv != CKR_OK)
        return rv;
    rv = kvp_ecdsa_fit_digest(kvp_object_curve(op->key), digest, len, value, &value_len, &alg);
    if (rv != CKR_OK)
        return kvp_mech_refuse(call, rv, "the service cannot sign a digest of %zu bytes", len);
    return kvp_mech_remote_sign(call, op, alg, value, value_len, signature_len(op), out);
}

static CK_RV ecdsa_verify(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig,
                          size_t sig_len)
{
    uint8_t store[KVP_HASH_MAX_LEN];
    const uint8_t *digest;
    size_t len;
    const kvp_public_key *key;
    CK_RV rv = kvp_mech_digest(call, op, store, &digest, &len);
    if (rv == CKR_OK && len == 0)
        rv = CKR_DATA_LEN_RANGE;
    if (rv == CKR_OK && sig_len != signature_len(op))
        rv = CKR_SIGNATURE_LEN_RANGE;
    if (rv == CKR_OK)
        rv = kvp_object_public_key(call, op->key, &key);
    if (rv != CKR_OK)
        return rv;

    return kvp_mech_verified(call, kvp_ecdsa_verify(key, digest, len, sig, sig_len, &call->error));
}

const kvp_mechanism_ops kvp_ecdsa_ops = {
    .remote = true,
    .fits = ecdsa_fits,
    .init = ecdsa_init,
    .output_len = ecdsa_output_len,
    .run = { [KVP_OPERATION_SIGN] = ecdsa_sign },
    .verify = ecdsa_verify,
};
