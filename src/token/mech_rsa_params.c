/* SPDX-License-Identifier: MIT */
/*
 * Which RSA paddings the service can do, and the parameters that ask for them. Anything else is
 * refused: the service would make another signature than was asked for (wire reference, section 5).
 */
#include "token/mech_ops.h"

#include <string.h>

/* SHA-1 and SHA-224 are never padded by the service: their DigestInfo goes through RSNULL. */
static const kvp_rsa_hash_info rsa_hashes[] = {
    { KVP_HASH_SHA1, CKM_SHA_1, CKG_MGF1_SHA1, KVP_ALG_NONE, KVP_ALG_NONE, KVP_ALG_RSA_OAEP },
    { KVP_HASH_SHA224, CKM_SHA224, CKG_MGF1_SHA224, KVP_ALG_NONE, KVP_ALG_NONE, KVP_ALG_NONE },
    { KVP_HASH_SHA256, CKM_SHA256, CKG_MGF1_SHA256, KVP_ALG_RS256, KVP_ALG_PS256,
      KVP_ALG_RSA_OAEP_256 },
    { KVP_HASH_SHA384, CKM_SHA384, CKG_MGF1_SHA384, KVP_ALG_RS384, KVP_ALG_PS384, KVP_ALG_NONE },
    { KVP_HASH_SHA512, CKM_SHA512, CKG_MGF1_SHA512, KVP_ALG_RS512, KVP_ALG_PS512, KVP_ALG_NONE },
};

const kvp_rsa_hash_info *kvp_rsa_hash_find(kvp_hash hash)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(rsa_hashes); i++) {
        if (rsa_hashes[i].hash == hash)
            return &rsa_hashes[i];
    }
    return NULL;
}

static const kvp_rsa_hash_info *find_mechanism(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(rsa_hashes); i++) {
        if (rsa_hashes[i].mechanism == type)
            return &rsa_hashes[i];
    }
    return NULL;
}

static kvp_hash find_mgf(CK_RSA_PKCS_MGF_TYPE mgf)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(rsa_hashes); i++) {
        if (rsa_hashes[i].mgf == mgf)
            return rsa_hashes[i].hash;
    }
    return KVP_HASH_NONE;
}

/* What the service makes of a signature: it takes no parameters but those of the algorithm. */
static CK_RV check_remote_pss(kvp_call *call, const kvp_rsa_hash_info *info,
                              const CK_RSA_PKCS_PSS_PARAMS *params)
{
    if (info->pss == KVP_ALG_NONE)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service cannot do PSS with this hash");
    if (params->mgf != info->mgf)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service does PSS with MGF1 of the same hash only");
    if (params->sLen != kvp_hash_len(info->hash))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service does PSS with a salt of %zu bytes only, not %lu",
                               kvp_hash_len(info->hash), params->sLen);
    return CKR_OK;
}

CK_RV kvp_rsa_pss_params(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_RSA_PKCS_PSS_PARAMS params;
    if (mechanism->ulParameterLen != sizeof(params))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be a CK_RSA_PKCS_PSS_PARAMS");
    memcpy(&params, mechanism->pParameter, sizeof(params));

    kvp_hash wanted = op->mechanism->hash;
    const kvp_rsa_hash_info *info = find_mechanism(params.hashAlg);
    kvp_hash mgf = find_mgf(params.mgf);
    if (!info || mgf == KVP_HASH_NONE || (wanted != KVP_HASH_NONE && info->hash != wanted))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "PSS cannot be done with this hash here");
    CK_RV rv = CKR_OK;
    if (op->base.kind != KVP_OPERATION_VERIFY)
        rv = check_remote_pss(call, info, &params);
    /* RFC 8017 §9.1.1: hash, salt and two bytes more must fit in the modulus. */
    else if (params.sLen > kvp_object_key_bits(op->key) / 8 - kvp_hash_len(info->hash) - 2)
        rv = kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                             "no signature of this key has a "
                             "salt of %lu bytes",
                             params.sLen);
    if (rv != CKR_OK)
        return rv;
    op->hash = info->hash;
    op->mgf = mgf;
    op->salt_len = params.sLen;
    return CKR_OK;
}

CK_RV kvp_rsa_oaep_params(kvp_call *call, const CK_MECHANISM *mechanism, kvp_hash *ret)
{
    CK_RSA_PKCS_OAEP_PARAMS params;
    if (mechanism->ulParameterLen != sizeof(params))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be a CK_RSA_PKCS_OAEP_PARAMS");
    memcpy(&params, mechanism->pParameter, sizeof(params));

    /* 0/0 is how pkcs11-provider 1.0 says "no digest was named": the default of RFC 8017 §A.2.1. */
    if (params.hashAlg == 0 && params.mgf == 0) {
        params.hashAlg = CKM_SHA_1;
        params.mgf = CKG_MGF1_SHA1;
    }
    const kvp_rsa_hash_info *info = find_mechanism(params.hashAlg);
    if (!info || info->oaep == KVP_ALG_NONE || params.mgf != info->mgf)
        return kvp_mech_refuse(
            call, CKR_MECHANISM_PARAM_INVALID,
            "the service does OAEP with SHA-1 or SHA-256 for hash and MGF1 only");
    /* A source of 0 with no data is what callers of PKCS#11 2.20 leave there. */
    if (params.source != CKZ_DATA_SPECIFIED && params.source != 0)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID, "unknown OAEP label source");
    if (params.ulSourceDataLen != 0)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service does OAEP without a label only");
    *ret = info->hash;
    return CKR_OK;
}
