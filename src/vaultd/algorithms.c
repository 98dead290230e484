/* SPDX-License-Identifier: MIT */
/* The table of algorithms and of curves: one row adds one (wire reference, section 5). */
#include "vaultd/engine.h"

#include "vaultd/token_hsm.h"

#include <openssl/rsa.h>
#include <string.h>

#define ANY_CIPHER (KVP_USE_ENCRYPT | KVP_USE_WRAP)

const kvp_engine_curve kvp_engine_curves[] = {
    { "P-256", "prime256v1", 32, 256 },
    { "P-384", "secp384r1", 48, 384 },
    { "P-521", "secp521r1", 66, 521 },
    { "P-256K", "secp256k1", 32, 256 },
};
const size_t kvp_engine_curve_count = KVP_ARRAY_LEN(kvp_engine_curves);

#define PKCS1(n, md, len)                                                                          \
    {                                                                                              \
        .name = n, .uses = KVP_USE_SIGN, .kind = KVP_ENGINE_RSA, .digest = md, .digest_len = len,  \
        .padding = RSA_PKCS1_PADDING, .ops = &kvp_ops_rsa_sign                                     \
    }
#define PSS(n, md, len)                                                                            \
    {                                                                                              \
        .name = n, .uses = KVP_USE_SIGN, .kind = KVP_ENGINE_RSA, .digest = md, .digest_len = len,  \
        .padding = RSA_PKCS1_PSS_PADDING, .ops = &kvp_ops_rsa_sign                                 \
    }
#define ECDSA(n, len, crv)                                                                         \
    {                                                                                              \
        .name = n, .uses = KVP_USE_SIGN, .kind = KVP_ENGINE_EC, .digest_len = len, .curve = crv,   \
        .ops = &kvp_ops_ec_sign                                                                    \
    }
#define HMAC_ROW(n, md, bits)                                                                      \
    {                                                                                              \
        .name = n, .uses = KVP_USE_SIGN, .kind = KVP_ENGINE_OCT, .digest = md, .key_bits = bits,   \
        .since = "7.6-preview.1", .ops = &kvp_ops_hmac                                             \
    }
#define RSA_ROW(n, pad, md, over)                                                                  \
    {                                                                                              \
        .name = n, .uses = ANY_CIPHER, .kind = KVP_ENGINE_RSA, .digest = md, .padding = pad,       \
        .overhead = over, .ops = &kvp_ops_rsa_cipher                                               \
    }
#define AES_ROW(n, use, bits, mode, pad, first, fn)                                                \
    {                                                                                              \
        .name = n, .uses = use, .kind = KVP_ENGINE_OCT, .key_bits = bits, .cipher = mode,          \
        .pkcs7 = pad, .since = first, .ops = fn                                                    \
    }
#define AES_SIZE(bits)                                                                             \
    AES_ROW("A" #bits "GCM", ANY_CIPHER, bits, "GCM", false, NULL, &kvp_ops_aes_gcm),              \
        AES_ROW("A" #bits "CBC", ANY_CIPHER, bits, "CBC", false, NULL, &kvp_ops_aes_cbc),          \
        AES_ROW("A" #bits "CBCPAD", ANY_CIPHER, bits, "CBC", true, NULL, &kvp_ops_aes_cbc),        \
        AES_ROW("A" #bits "KW", KVP_USE_WRAP, bits, "WRAP", false, NULL, &kvp_ops_aes_wrap)

const kvp_algorithm kvp_algorithms[] = {
    PKCS1("RS256", "SHA256", 32),
    PKCS1("RS384", "SHA384", 48),
    PKCS1("RS512", "SHA512", 64),
    PSS("PS256", "SHA256", 32),
    PSS("PS384", "SHA384", 48),
    PSS("PS512", "SHA512", 64),
    /* The value is signed as it is, at most modulus - 11 bytes: nothing is put before it. */
    PKCS1("RSNULL", NULL, 0),
    ECDSA("ES256", 32, "P-256"),
    ECDSA("ES384", 48, "P-384"),
    ECDSA("ES512", 64, "P-521"),
    ECDSA("ES256K", 32, "P-256K"),
    HMAC_ROW("HS256", "SHA256", 256),
    HMAC_ROW("HS384", "SHA384", 384),
    HMAC_ROW("HS512", "SHA512", 512),
    RSA_ROW("RSA1_5", RSA_PKCS1_PADDING, NULL, 11),
    RSA_ROW("RSA-OAEP", RSA_PKCS1_OAEP_PADDING, "SHA1", 42),
    RSA_ROW("RSA-OAEP-256", RSA_PKCS1_OAEP_PADDING, "SHA256", 66),
    AES_SIZE(128),
    AES_SIZE(192),
    AES_SIZE(256),
    AES_ROW("CKM_AES_KEY_WRAP", KVP_USE_WRAP, 0, "WRAP", false, "7.6-preview.1", &kvp_ops_aes_wrap),
    AES_ROW("CKM_AES_KEY_WRAP_PAD", KVP_USE_WRAP, 0, "WRAP-PAD", false, "7.6-preview.1",
            &kvp_ops_aes_wrap),
};
const size_t kvp_algorithm_count = KVP_ARRAY_LEN(kvp_algorithms);

const kvp_engine_curve *kvp_engine_curve_find(const char *name)
{
    /* The name of the first api-versions, which command lines were recorded to send still. */
    if (strcmp(name, "SECP256K1") == 0)
        name = "P-256K";
    for (size_t i = 0; i < kvp_engine_curve_count; i++) {
        if (strcmp(kvp_engine_curves[i].name, name) == 0)
            return &kvp_engine_curves[i];
    }
    return NULL;
}

const kvp_algorithm *kvp_algorithm_find(const char *name)
{
    for (size_t i = 0; i < kvp_algorithm_count; i++) {
        if (strcmp(kvp_algorithms[i].name, name) == 0)
            return &kvp_algorithms[i];
    }
    return NULL;
}

kvp_status kvp_engine_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                           size_t len, kvp_buf *ret, kvp_error *reterr)
{
    if (!alg->ops->sign)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s cannot sign.", alg->name);
    if (key->in_token && key->kind != KVP_ENGINE_OCT)
        return kvp_token_sign(alg, key, value, len, ret, reterr);
    return alg->ops->sign(alg, key, value, len, ret, reterr);
}

kvp_status kvp_engine_verify(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                             size_t len, const void *sig, size_t sig_len, bool *ret_valid,
                             kvp_error *reterr)
{
    if (!alg->ops->verify)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s cannot verify.", alg->name);
    return alg->ops->verify(alg, key, value, len, sig, sig_len, ret_valid, reterr);
}

kvp_status kvp_engine_encrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    if (!alg->ops->encrypt)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s cannot encrypt.", alg->name);
    return alg->ops->encrypt(alg, key, value, len, extra, ret, reterr);
}

kvp_status kvp_engine_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr)
{
    if (!alg->ops->decrypt)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s cannot decrypt.", alg->name);
    if (key->in_token && key->kind != KVP_ENGINE_OCT)
        return kvp_token_decrypt(alg, key, value, len, ret, reterr);
    return alg->ops->decrypt(alg, key, value, len, extra, ret, reterr);
}
