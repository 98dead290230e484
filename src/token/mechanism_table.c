/* SPDX-License-Identifier: MIT */
/*
 * The mechanisms, a row each. What a row says is what C_GetMechanismInfo answers, what an operation
 * checks, and what CKA_ALLOWED_MECHANISMS lists; nothing else names a mechanism to the application.
 * Sizes are in the unit that the standard has for the mechanism: bits for RSA, EC and generic
 * secrets that are generated, bytes for AES and HMAC.
 */
#include "token/mech_ops.h"

#define ROW(mechanism) .type = (mechanism), .name = #mechanism

/* RSA: the service makes and imports 2048, 3072 and 4096 bits. */
#define RSA .key_type = CKK_RSA, .min_bits = 2048, .max_bits = 4096, .where = KVP_ON_ALL
/* Whatever signs also does so by messages, whole or in parts. */
#define SIGN_FLAGS                                                                                 \
    (CKF_SIGN | CKF_VERIFY | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE)
#define RSA_SIGN RSA, .flags = SIGN_FLAGS

/* EC: P-256 (and P-256K), P-384, P-521; curves by name over prime fields, points uncompressed. */
#define EC_FLAGS (CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS)
#define EC .key_type = CKK_EC, .min_bits = 256, .max_bits = 521, .where = KVP_ON_ALL
#define EC_SIGN EC, .flags = SIGN_FLAGS | EC_FLAGS, .ops = &kvp_ecdsa_ops

#define AES .key_type = CKK_AES, .min_bits = 16, .max_bits = 32, .where = KVP_ON_ALL
#define DIGEST                                                                                     \
    .key_type = CK_UNAVAILABLE_INFORMATION, .flags = CKF_DIGEST, .where = KVP_ON_ALL,              \
    .ops = &kvp_digest_ops
#define HMAC                                                                                       \
    .key_type = CKK_GENERIC_SECRET, .min_bits = 1, .max_bits = 512, .where = KVP_ON_ALL,           \
    .flags = SIGN_FLAGS

const kvp_mechanism kvp_mechanisms[] = {
    { ROW(CKM_RSA_PKCS_KEY_PAIR_GEN), RSA, .flags = CKF_GENERATE_KEY_PAIR },
    { ROW(CKM_RSA_PKCS), RSA,
      .flags = SIGN_FLAGS | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCRYPT | CKF_DECRYPT |
               CKF_WRAP | CKF_UNWRAP,
      .ops = &kvp_rsa_pkcs_ops },
    { ROW(CKM_SHA1_RSA_PKCS), RSA_SIGN, .hash = KVP_HASH_SHA1, .ops = &kvp_rsa_hash_pkcs_ops },
    { ROW(CKM_SHA224_RSA_PKCS), RSA_SIGN, .hash = KVP_HASH_SHA224, .ops = &kvp_rsa_hash_pkcs_ops },
    { ROW(CKM_SHA256_RSA_PKCS), RSA_SIGN, .hash = KVP_HASH_SHA256, .ops = &kvp_rsa_hash_pkcs_ops },
    { ROW(CKM_SHA384_RSA_PKCS), RSA_SIGN, .hash = KVP_HASH_SHA384, .ops = &kvp_rsa_hash_pkcs_ops },
    { ROW(CKM_SHA512_RSA_PKCS), RSA_SIGN, .hash = KVP_HASH_SHA512, .ops = &kvp_rsa_hash_pkcs_ops },
    { ROW(CKM_RSA_PKCS_PSS), RSA_SIGN, .ops = &kvp_rsa_pss_ops },
    { ROW(CKM_SHA256_RSA_PKCS_PSS), RSA_SIGN, .hash = KVP_HASH_SHA256, .ops = &kvp_rsa_pss_ops },
    { ROW(CKM_SHA384_RSA_PKCS_PSS), RSA_SIGN, .hash = KVP_HASH_SHA384, .ops = &kvp_rsa_pss_ops },
    { ROW(CKM_SHA512_RSA_PKCS_PSS), RSA_SIGN, .hash = KVP_HASH_SHA512, .ops = &kvp_rsa_pss_ops },
    { ROW(CKM_RSA_PKCS_OAEP), RSA, .flags = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP,
      .ops = &kvp_rsa_oaep_ops },

    { ROW(CKM_EC_KEY_PAIR_GEN), EC, .flags = CKF_GENERATE_KEY_PAIR | EC_FLAGS },
    { ROW(CKM_ECDSA), EC_SIGN },
    { ROW(CKM_ECDSA_SHA1), EC_SIGN, .hash = KVP_HASH_SHA1 },
    { ROW(CKM_ECDSA_SHA224), EC_SIGN, .hash = KVP_HASH_SHA224 },
    { ROW(CKM_ECDSA_SHA256), EC_SIGN, .hash = KVP_HASH_SHA256 },
    { ROW(CKM_ECDSA_SHA384), EC_SIGN, .hash = KVP_HASH_SHA384 },
    { ROW(CKM_ECDSA_SHA512), EC_SIGN, .hash = KVP_HASH_SHA512 },

    { ROW(CKM_AES_KEY_GEN), AES, .flags = CKF_GENERATE },
    { ROW(CKM_AES_CBC), AES, .flags = CKF_ENCRYPT | CKF_DECRYPT, .ops = &kvp_aes_cbc_ops },
    { ROW(CKM_AES_CBC_PAD), AES, .flags = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP,
      .ops = &kvp_aes_cbc_ops },
    { ROW(CKM_AES_GCM), AES,
      .flags = CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP | CKF_MESSAGE_ENCRYPT |
               CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE,
      .ops = &kvp_aes_gcm_ops },
    { ROW(CKM_AES_KEY_WRAP), AES, .flags = CKF_WRAP | CKF_UNWRAP, .ops = &kvp_aes_key_wrap_ops },
    { ROW(CKM_AES_KEY_WRAP_PAD), AES, .flags = CKF_WRAP | CKF_UNWRAP,
      .ops = &kvp_aes_key_wrap_ops },

    { ROW(CKM_GENERIC_SECRET_KEY_GEN), .key_type = CKK_GENERIC_SECRET, .min_bits = 8,
      .max_bits = 4096, .where = KVP_ON_ALL, .flags = CKF_GENERATE },
    { ROW(CKM_SHA_1_HMAC), HMAC, .hash = KVP_HASH_SHA1, .ops = &kvp_hmac_local_ops },
    { ROW(CKM_SHA224_HMAC), HMAC, .hash = KVP_HASH_SHA224, .ops = &kvp_hmac_local_ops },
    { ROW(CKM_SHA256_HMAC), HMAC, .hash = KVP_HASH_SHA256, .ops = &kvp_hmac_ops },
    { ROW(CKM_SHA384_HMAC), HMAC, .hash = KVP_HASH_SHA384, .ops = &kvp_hmac_ops },
    { ROW(CKM_SHA512_HMAC), HMAC, .hash = KVP_HASH_SHA512, .ops = &kvp_hmac_ops },

    { ROW(CKM_SHA_1), DIGEST, .hash = KVP_HASH_SHA1 },
    { ROW(CKM_SHA224), DIGEST, .hash = KVP_HASH_SHA224 },
    { ROW(CKM_SHA256), DIGEST, .hash = KVP_HASH_SHA256 },
    { ROW(CKM_SHA384), DIGEST, .hash = KVP_HASH_SHA384 },
    { ROW(CKM_SHA512), DIGEST, .hash = KVP_HASH_SHA512 },
    { ROW(CKM_SHA3_224), DIGEST, .hash = KVP_HASH_SHA3_224 },
    { ROW(CKM_SHA3_256), DIGEST, .hash = KVP_HASH_SHA3_256 },
    { ROW(CKM_SHA3_384), DIGEST, .hash = KVP_HASH_SHA3_384 },
    { ROW(CKM_SHA3_512), DIGEST, .hash = KVP_HASH_SHA3_512 },
};

const size_t kvp_mechanism_count = KVP_ARRAY_LEN(kvp_mechanisms);
