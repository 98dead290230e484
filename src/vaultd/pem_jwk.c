/* SPDX-License-Identifier: MIT */
/* PEM and PKCS#8 to JWK, by OpenSSL. */
#include "vaultd/pem_jwk.h"

#include "base/cleanup.h"
#include "vaultd/exchange.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

KVP_DEFINE_FREEP(BIO, BIO_free_all);
KVP_DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free);

typedef struct member {
    const char *name, *param;
} member;

static const member rsa_members[] = {
    { "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },
    { "d", OSSL_PKEY_PARAM_RSA_D },          { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
    { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
    { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};
static const member ec_members[] = {
    { "x", OSSL_PKEY_PARAM_EC_PUB_X },
    { "y", OSSL_PKEY_PARAM_EC_PUB_Y },
    { "d", OSSL_PKEY_PARAM_PRIV_KEY },
};

/* Names of curves as OpenSSL and as the service has them. */
static const struct {
    const char *group, *crv;
} curves[] = {
    { "prime256v1", "P-256" },
    { "secp384r1", "P-384" },
    { "secp521r1", "P-521" },
    { "secp256k1", "P-256K" },
};

/* No passphrase is asked for: the terminal may not be there. */
static int no_passphrase(char *buf KVP_UNUSED, int size KVP_UNUSED, int writing KVP_UNUSED,
                         void *arg KVP_UNUSED)
{
    return -1;
}

static EVP_PKEY *read_key(const kvp_buf *file)
{
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(file->data, (int)file->len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    if (!pkey) {
        const unsigned char *der = file->data;
        pkey = d2i_AutoPrivateKey(NULL, &der, (long)file->len);
    }
    ERR_clear_error();
    return pkey;
}

/* Numbers as base64url, big-endian; @width 0 = as short as may be. */
static bool add_numbers(json_t *jwk, const EVP_PKEY *pkey, const member *members, size_t count,
                        int width)
{
    bool ok = true;

    for (size_t i = 0; i < count && ok; i++) {
        unsigned char bytes[2048];
        BIGNUM *bn = NULL;
        ok = EVP_PKEY_get_bn_param(pkey, members[i].param, &bn) == 1 &&
             BN_num_bytes(bn) <= (int)sizeof(bytes);
        int len = ok ? (width ? BN_bn2binpad(bn, bytes, width) : BN_bn2bin(bn, bytes)) : -1;
        ok = ok && len > 0 &&
             json_object_set_new(jwk, members[i].name, kvp_json_base64url(bytes, (size_t)len)) == 0;
        kvp_wipe(bytes, sizeof(bytes));
        BN_clear_free(bn);
    }
    return ok;
}

static bool add_curve(json_t *jwk, const EVP_PKEY *pkey)
{
    char group[64] = "";

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       NULL) != 1)
        return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(curves); i++) {
        if (strcmp(curves[i].group, group) == 0)
            return json_object_set_new(jwk, "crv", json_string(curves[i].crv)) == 0;
    }
    return false;
}

kvp_status kvp_pem_to_jwk(const kvp_buf *file, json_t **ret_jwk, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = read_key(file);
    json_t *jwk = NULL;
    bool ok = false;

    if (!pkey)
        return kvp_error_set(reterr, KVP_ERR_PARSE,
                             "the file holds no unencrypted private key (PEM or PKCS#8)");
    int type = EVP_PKEY_get_base_id(pkey);
    if (type == EVP_PKEY_RSA) {
        jwk = json_pack("{s:s}", "kty", "RSA");
        ok = jwk && add_numbers(jwk, pkey, rsa_members, KVP_ARRAY_LEN(rsa_members), 0);
    } else if (type == EVP_PKEY_EC) {
        jwk = json_pack("{s:s}", "kty", "EC");
        ok = jwk && add_curve(jwk, pkey) &&
             add_numbers(jwk, pkey, ec_members, KVP_ARRAY_LEN(ec_members),
                         (EVP_PKEY_get_bits(pkey) + 7) / 8);
    }
    ERR_clear_error();
    if (!ok) {
        json_decref(jwk);
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "a vault holds no key of this kind");
    }
    *ret_jwk = jwk;
    return KVP_OK;
}
