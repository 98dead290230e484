/* SPDX-License-Identifier: MIT */
/* Digests (PKCS#11 v3.1 §6.19 on SHA-1, SHA-2 and SHA-3): local, no key, no request. */
#include "token/mech_ops.h"

static CK_RV digest_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RV rv = kvp_mech_no_parameter(call, mechanism);
    return rv == CKR_OK ? kvp_mech_start_digest(call, op, op->mechanism->hash) : rv;
}

static size_t digest_len(const kvp_crypt_operation *op, size_t in_len KVP_UNUSED, bool last)
{
    return last ? kvp_hash_len(op->hash) : 0;
}

static CK_RV digest_run(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    const uint8_t *data;
    size_t len;
    CK_RV rv = kvp_mech_digest(call, op, digest, &data, &len);
    if (rv != CKR_OK)
        return rv;
    return kvp_buf_append(out, data, len) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

const kvp_mechanism_ops kvp_digest_ops = {
    .init = digest_init,
    .output_len = digest_len,
    .run = { [KVP_OPERATION_DIGEST] = digest_run },
};
