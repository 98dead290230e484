/* SPDX-License-Identifier: MIT */
/*
 * RSA signatures (PKCS#11 v3.1 §6.1): signing is the vault's, verifying is done here with the
 * public key. Also encryption and decryption, whose parameters mech_rsa_params.c checks.
 */
#include "token/mech_ops.h"

/* RFC 8017 §7.2.1: the padding of PKCS #1 v1.5 takes at least 11 bytes. */
#define PKCS1_OVERHEAD 11

static size_t modulus_len(const kvp_crypt_operation *op)
{
    return (kvp_object_key_bits(op->key) + 7) / 8;
}

/* RFC 8017 §7.1.1, for OAEP; §7.2.1 for PKCS #1 v1.5. */
static size_t plaintext_max(const kvp_crypt_operation *op)
{
    size_t k = modulus_len(op);
    size_t overhead = op->hash ? 2 * kvp_hash_len(op->hash) + 2 : PKCS1_OVERHEAD;
    return k > overhead ? k - overhead : 0;
}

/* Whatever is made is as long as the modulus; what is decrypted or recovered, at most. */
static size_t rsa_output_len(const kvp_crypt_operation *op, size_t in_len KVP_UNUSED, bool last)
{
    return last ? modulus_len(op) : 0;
}

/* Decryption: a buffer for the longest plaintext must be there before the one request is made. */
static size_t rsa_least_len(const kvp_crypt_operation *op, size_t in_len KVP_UNUSED)
{
    switch (op->base.kind) {
    case KVP_OPERATION_DECRYPT:
        return plaintext_max(op);
    case KVP_OPERATION_VERIFY_RECOVER:
        return 0;
    default:
        return modulus_len(op);
    }
}

static CK_RV public_key(kvp_call *call, kvp_crypt_operation *op, const kvp_public_key **ret)
{
    return kvp_object_public_key(call, op->key, ret);
}

static CK_RV sign_pkcs1(kvp_call *call, kvp_crypt_operation *op, kvp_hash hash,
                        const uint8_t *digest, const uint8_t *whole, size_t whole_len, kvp_buf *out)
{
    const kvp_rsa_hash_info *info = kvp_rsa_hash_find(hash);
    if (info && info->pkcs1 != KVP_ALG_NONE)
        return kvp_mech_remote_sign(call, op, info->pkcs1, digest, kvp_hash_len(hash),
                                    modulus_len(op), out);
    return kvp_mech_remote_sign(call, op, KVP_ALG_RSNULL, whole, whole_len, modulus_len(op), out);
}

/* ---- CKM_RSA_PKCS: the application's bytes are padded as they are ---- */

static CK_RV pkcs_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    bool whole =
        op->base.kind == KVP_OPERATION_DECRYPT || op->base.kind == KVP_OPERATION_VERIFY_RECOVER;
    op->data.max = whole ? modulus_len(op) : plaintext_max(op);
    return kvp_mech_no_parameter(call, mechanism);
}

/* The service names SHA-2 by algorithm; every other DigestInfo, and what is none, goes as it is. */
static CK_RV pkcs_sign(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    const uint8_t *digest = NULL;
    if (op->data.len == 0)
        return kvp_mech_refuse(call, CKR_DATA_LEN_RANGE, "the service signs no empty value");
    kvp_hash hash = kvp_digest_info_parse(op->data.data, op->data.len, &digest);
    return sign_pkcs1(call, op, hash, digest, op->data.data, op->data.len, out);
}

static CK_RV pkcs_verify(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig,
                         size_t sig_len)
{
    const kvp_public_key *key;
    CK_RV rv = public_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;
    return kvp_mech_verified(
        call, kvp_rsa_verify_pkcs1(key, op->data.data, op->data.len, sig, sig_len, &call->error));
}

static CK_RV pkcs_recover(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    const kvp_public_key *key;
    if (op->data.len != modulus_len(op))
        return CKR_SIGNATURE_LEN_RANGE;
    CK_RV rv = public_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;
    return kvp_mech_verified(
        call, kvp_rsa_recover_pkcs1(key, op->data.data, op->data.len, out, &call->error));
}

/* ---- CKM_SHA…_RSA_PKCS ---- */

static CK_RV hash_pkcs_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_mech_no_parameter(call, mechanism);
    return rv == CKR_OK ? kvp_mech_start_digest(call, op, op->mechanism->hash) : rv;
}

static CK_RV hash_pkcs_info(kvp_call *call, kvp_crypt_operation *op,
                            uint8_t store[KVP_HASH_MAX_LEN], kvp_buf *ret_info)
{
    const uint8_t *digest;
    size_t len;
    CK_RV rv = kvp_mech_digest(call, op, store, &digest, &len);
    if (rv != CKR_OK)
        return rv;
    kvp_status status = kvp_digest_info_build(op->hash, digest, ret_info);
    return status == KVP_OK ? CKR_OK : kvp_mech_fail(call, status, "no DigestInfo for this hash");
}

static CK_RV hash_pkcs_sign(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    KVP_CLEANUP(kvp_buf_clear) kvp_buf info = KVP_BUF_INIT(256);
    CK_RV rv = hash_pkcs_info(call, op, digest, &info);
    return rv == CKR_OK ? sign_pkcs1(call, op, op->hash, digest, info.data, info.len, out) : rv;
}

static CK_RV hash_pkcs_verify(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig,
                              size_t sig_len)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    KVP_CLEANUP(kvp_buf_clear) kvp_buf info = KVP_BUF_INIT(256);
    const kvp_public_key *key;
    CK_RV rv = public_key(call, op, &key);
    if (rv == CKR_OK)
        rv = hash_pkcs_info(call, op, digest, &info);
    if (rv != CKR_OK)
        return rv;
    return kvp_mech_verified(
        call, kvp_rsa_verify_pkcs1(key, info.data, info.len, sig, sig_len, &call->error));
}

/* ---- CKM_RSA_PKCS_PSS, CKM_SHA…_RSA_PKCS_PSS ---- */

static CK_RV pss_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_rsa_pss_params(call, op, mechanism);
    if (rv != CKR_OK)
        return rv;
    if (op->mechanism->hash != KVP_HASH_NONE)
        return kvp_mech_start_digest(call, op, op->hash);
    op->data.max = kvp_hash_len(op->hash);
    return CKR_OK;
}

static CK_RV pss_digest(kvp_call *call, kvp_crypt_operation *op, uint8_t store[KVP_HASH_MAX_LEN],
                        const uint8_t **ret)
{
    size_t len;
    CK_RV rv = kvp_mech_digest(call, op, store, ret, &len);
    if (rv == CKR_OK && len != kvp_hash_len(op->hash))
        return kvp_mech_refuse(call, CKR_DATA_LEN_RANGE, "the digest must be %zu bytes long",
                               kvp_hash_len(op->hash));
    return rv;
}

static CK_RV pss_sign(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    uint8_t store[KVP_HASH_MAX_LEN];
    const uint8_t *digest;
    CK_RV rv = pss_digest(call, op, store, &digest);
    if (rv != CKR_OK)
        return rv;
    const kvp_rsa_hash_info *info = kvp_rsa_hash_find(op->hash);
    return kvp_mech_remote_sign(call, op, info ? info->pss : KVP_ALG_NONE, digest,
                                kvp_hash_len(op->hash), modulus_len(op), out);
}

static CK_RV pss_verify(kvp_call *call, kvp_crypt_operation *op, const uint8_t *sig, size_t sig_len)
{
    uint8_t store[KVP_HASH_MAX_LEN];
    const uint8_t *digest;
    const kvp_public_key *key;
    CK_RV rv = pss_digest(call, op, store, &digest);
    if (rv == CKR_OK)
        rv = public_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;
    return kvp_mech_verified(call, kvp_rsa_verify_pss(key, op->hash, op->mgf, op->salt_len, digest,
                                                      sig, sig_len, &call->error));
}

/* ---- encryption and decryption ---- */

static CK_RV oaep_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_rsa_oaep_params(call, mechanism, &op->hash);
    if (rv != CKR_OK)
        return rv;
    bool decrypt = op->base.kind == KVP_OPERATION_DECRYPT;
    op->data.max = decrypt ? modulus_len(op) : plaintext_max(op);
    return CKR_OK;
}

static CK_RV rsa_encrypt(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    const kvp_public_key *key;
    CK_RV rv = public_key(call, op, &key);
    if (rv != CKR_OK)
        return rv;

    kvp_status status;
    if (op->hash)
        status = kvp_rsa_encrypt_oaep(key, op->hash, op->hash, NULL, 0, op->data.data, op->data.len,
                                      out, &call->error);
    else
        status = kvp_rsa_encrypt_pkcs1(key, op->data.data, op->data.len, out, &call->error);
    if (status == KVP_ERR_TOO_LARGE)
        return CKR_DATA_LEN_RANGE;
    return status == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_KEY);
}

static CK_RV rsa_decrypt(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    if (op->data.len != modulus_len(op))
        return kvp_mech_refuse(call, CKR_ENCRYPTED_DATA_LEN_RANGE,
                               "the ciphertext must be %zu bytes long", modulus_len(op));
    kvp_alg alg = KVP_ALG_RSA1_5;
    if (op->hash) {
        const kvp_rsa_hash_info *info = kvp_rsa_hash_find(op->hash);
        alg = info ? info->oaep : KVP_ALG_NONE;
    }

    kvp_operation_result result = { 0 };
    CK_RV rv = kvp_mech_remote_crypt(call, op, alg, op->data.data, op->data.len, NULL, NULL, NULL,
                                     0, &result);
    if (rv == CKR_OK && result.value.len > plaintext_max(op)) {
        kvp_error_set(&call->error, KVP_ERR_PARSE, "the service answered more than fits the key");
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK)
        kvp_buf_take(out, &result.value);
    kvp_operation_result_clear(&result);
    return rv;
}

const kvp_mechanism_ops kvp_rsa_pkcs_ops = {
    .remote = true,
    .init = pkcs_init,
    .output_len = rsa_output_len,
    .least_len = rsa_least_len,
    .run = { [KVP_OPERATION_SIGN] = pkcs_sign,
             [KVP_OPERATION_SIGN_RECOVER] = pkcs_sign,
             [KVP_OPERATION_ENCRYPT] = rsa_encrypt,
             [KVP_OPERATION_DECRYPT] = rsa_decrypt,
             [KVP_OPERATION_VERIFY_RECOVER] = pkcs_recover },
    .verify = pkcs_verify,
};

const kvp_mechanism_ops kvp_rsa_hash_pkcs_ops = {
    .remote = true,
    .init = hash_pkcs_init,
    .output_len = rsa_output_len,
    .run = { [KVP_OPERATION_SIGN] = hash_pkcs_sign },
    .verify = hash_pkcs_verify,
};

const kvp_mechanism_ops kvp_rsa_pss_ops = {
    .remote = true,
    .init = pss_init,
    .output_len = rsa_output_len,
    .run = { [KVP_OPERATION_SIGN] = pss_sign },
    .verify = pss_verify,
};

const kvp_mechanism_ops kvp_rsa_oaep_ops = {
    .remote = true,
    .init = oaep_init,
    .output_len = rsa_output_len,
    .least_len = rsa_least_len,
    .run = { [KVP_OPERATION_ENCRYPT] = rsa_encrypt, [KVP_OPERATION_DECRYPT] = rsa_decrypt },
};
