/* SPDX-License-Identifier: MIT */
/* Keys and mechanisms of the operations' tests, on OpenSSL's side; see ops_keys.h. */
#include "ops_keys.h"

#include "jwk/base64url.h"
#include "support/keyvaultd.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

ops_key ops_keys[] = {
    { "ops-rsa-2048", 2048, NULL, NULL, 0, 0, NULL },
    { "ops-rsa-3072", 3072, NULL, NULL, 0, 0, NULL },
    { "ops-rsa-4096", 4096, NULL, NULL, 0, 0, NULL },
    { "ops-p256", 0, "P-256", "P-256", 32, 32, NULL },
    { "ops-p384", 0, "P-384", "P-384", 48, 48, NULL },
    { "ops-p521", 0, "P-521", "P-521", 66, 64, NULL },
    { "ops-p256k", 0, "P-256K", "secp256k1", 32, 32, NULL },
};
const size_t ops_key_count = KVP_ARRAY_LEN(ops_keys);

static CK_RSA_PKCS_PSS_PARAMS pss256 = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
static CK_RSA_PKCS_PSS_PARAMS pss384 = { CKM_SHA384, CKG_MGF1_SHA384, 48 };
static CK_RSA_PKCS_PSS_PARAMS pss512 = { CKM_SHA512, CKG_MGF1_SHA512, 64 };

#define PSS(n) &pss##n, sizeof(CK_RSA_PKCS_PSS_PARAMS)
const ops_mechanism ops_sign_mechanisms[] = {
    { CKM_RSA_PKCS, NULL, 0, true, NULL, "raw", NULL },
    { CKM_SHA1_RSA_PKCS, NULL, 0, true, "SHA1", "pkcs1", NULL },
    { CKM_SHA224_RSA_PKCS, NULL, 0, true, "SHA224", "pkcs1", NULL },
    { CKM_SHA256_RSA_PKCS, NULL, 0, true, "SHA256", "pkcs1", NULL },
    { CKM_SHA384_RSA_PKCS, NULL, 0, true, "SHA384", "pkcs1", NULL },
    { CKM_SHA512_RSA_PKCS, NULL, 0, true, "SHA512", "pkcs1", NULL },
    { CKM_RSA_PKCS_PSS, PSS(256), true, NULL, "pss", "SHA256" },
    { CKM_RSA_PKCS_PSS, PSS(384), true, NULL, "pss", "SHA384" },
    { CKM_RSA_PKCS_PSS, PSS(512), true, NULL, "pss", "SHA512" },
    { CKM_SHA256_RSA_PKCS_PSS, PSS(256), true, "SHA256", "pss", "SHA256" },
    { CKM_SHA384_RSA_PKCS_PSS, PSS(384), true, "SHA384", "pss", "SHA384" },
    { CKM_SHA512_RSA_PKCS_PSS, PSS(512), true, "SHA512", "pss", "SHA512" },
    { CKM_ECDSA, NULL, 0, false, NULL, "ecdsa", NULL },
    { CKM_ECDSA_SHA1, NULL, 0, false, "SHA1", "ecdsa", NULL },
    { CKM_ECDSA_SHA224, NULL, 0, false, "SHA224", "ecdsa", NULL },
    { CKM_ECDSA_SHA256, NULL, 0, false, "SHA256", "ecdsa", NULL },
    { CKM_ECDSA_SHA384, NULL, 0, false, "SHA384", "ecdsa", NULL },
    { CKM_ECDSA_SHA512, NULL, 0, false, "SHA512", "ecdsa", NULL },
};
const size_t ops_sign_mechanism_count = KVP_ARRAY_LEN(ops_sign_mechanisms);

/* Before any test runs, Check can report nothing. */
static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static void put(json_t *jwk, const char *member, const void *data, size_t len)
{
    kvp_buf text = KVP_BUF_INIT(4096);
    need(kvp_base64url_encode(data, len, &text) == KVP_OK, "base64url");
    json_object_set_new(jwk, member, json_string(kvp_buf_str(&text)));
    kvp_buf_clear(&text);
}

/* A number of the key as a JWK member; @width 0: as long as it is. */
static void put_number(json_t *jwk, const char *member, EVP_PKEY *pkey, const char *param,
                       int width)
{
    unsigned char bytes[512];
    BIGNUM *number = NULL;
    need(EVP_PKEY_get_bn_param(pkey, param, &number) == 1, param);
    if (width == 0)
        width = BN_num_bytes(number);
    need(BN_bn2binpad(number, bytes, width) == width, param);
    put(jwk, member, bytes, (size_t)width);
    BN_clear_free(number);
}

static void import_jwk(const char *name, json_t *take_jwk)
{
    char path[256];
    json_t *body = json_pack("{s:o}", "key", take_jwk);
    snprintf(path, sizeof(path), "/keys/%s", name);
    int status = keyvaultd_rest("PUT", path, body, NULL);
    json_decref(body);
    need(status == 200, name);
}

static void import(ops_key *key)
{
    json_t *jwk = json_object();
    if (key->rsa_bits) {
        static const struct {
            const char *member, *param;
        } numbers[] = {
            { "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },
            { "d", OSSL_PKEY_PARAM_RSA_D },          { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
            { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
            { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
        };
        key->pkey = EVP_RSA_gen(key->rsa_bits);
        json_object_set_new(jwk, "kty", json_string("RSA"));
        for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++)
            put_number(jwk, numbers[i].member, key->pkey, numbers[i].param, 0);
    } else {
        int width = (int)key->coordinate;
        key->pkey = EVP_EC_gen(key->group);
        json_object_set_new(jwk, "kty", json_string("EC"));
        json_object_set_new(jwk, "crv", json_string(key->curve));
        put_number(jwk, "x", key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, width);
        put_number(jwk, "y", key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, width);
        put_number(jwk, "d", key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, width);
    }
    import_jwk(key->name, jwk);
}

void ops_keys_import(void)
{
    for (size_t i = 0; i < ops_key_count; i++)
        import(&ops_keys[i]);
}

void ops_secret_import(const char *name, const unsigned char *value, size_t len)
{
    json_t *jwk = json_pack("{s:s, s:[s,s,s,s,s,s]}", "kty", "oct-HSM", "key_ops", "encrypt",
                            "decrypt", "wrapKey", "unwrapKey", "sign", "verify");
    put(jwk, "k", value, len);
    import_jwk(name, jwk);
}

CK_OBJECT_HANDLE ops_session_secret(CK_KEY_TYPE type, unsigned char *value, size_t len)
{
    CK_BYTE yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof(class) },   { CKA_KEY_TYPE, &type, sizeof(type) },
        { CKA_TOKEN, &no, sizeof(no) },         { CKA_SENSITIVE, &no, sizeof(no) },
        { CKA_EXTRACTABLE, &yes, sizeof(yes) }, { CKA_VALUE, value, len }
    };
    CK_OBJECT_HANDLE key;
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), &key));
    return key;
}

CK_OBJECT_HANDLE ops_private(const ops_key *key)
{
    CK_OBJECT_HANDLE handle = module_find(module_session, CKO_PRIVATE_KEY, key->name);
    ck_assert_msg(handle != CK_INVALID_HANDLE, "no private key %s", key->name);
    return handle;
}

CK_OBJECT_HANDLE ops_public(const ops_key *key)
{
    CK_OBJECT_HANDLE handle = module_find(module_session, CKO_PUBLIC_KEY, key->name);
    ck_assert_msg(handle != CK_INVALID_HANDLE, "no public key %s", key->name);
    return handle;
}

static size_t attribute(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, unsigned char *ret,
                        size_t size)
{
    CK_ATTRIBUTE attr = { type, ret, size };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, handle, &attr, 1));
    return attr.ulValueLen;
}

EVP_PKEY *ops_public_from_token(const ops_key *key)
{
    CK_OBJECT_HANDLE handle = ops_public(key);
    unsigned char a[1024], b[64];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    if (key->rsa_bits) {
        n = BN_bin2bn(a, (int)attribute(handle, CKA_MODULUS, a, sizeof(a)), NULL);
        e = BN_bin2bn(b, (int)attribute(handle, CKA_PUBLIC_EXPONENT, b, sizeof(b)), NULL);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e);
    } else {
        /* CKA_EC_POINT is a DER OCTET STRING around the point. */
        size_t len = attribute(handle, CKA_EC_POINT, a, sizeof(a));
        size_t header = a[1] & 0x80 ? 3 : 2;
        ck_assert_uint_eq(a[0], 0x04);
        ck_assert_uint_eq(len - header, 2 * key->coordinate + 1);
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, key->group, 0);
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, a + header, len - header);
    }
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, key->rsa_bits ? "RSA" : "EC", NULL);
    EVP_PKEY *pkey = NULL;
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    ck_assert_msg(EVP_PKEY_eq(pkey, key->pkey) == 1, "the token shows another key for %s",
                  key->name);
    return pkey;
}

bool ops_fits(const ops_mechanism *mechanism, const ops_key *key)
{
    return mechanism->rsa == (key->rsa_bits != 0);
}

CK_MECHANISM ops_ck(const ops_mechanism *mechanism)
{
    return (CK_MECHANISM){ mechanism->type, mechanism->parameter, mechanism->parameter_len };
}

size_t ops_data(const ops_mechanism *mechanism, unsigned char ret[300])
{
    for (unsigned i = 0; i < 300; i++)
        ret[i] = (unsigned char)(i * 13 + 5);
    if (mechanism->hash)
        return 300;
    if (mechanism->pss_hash)
        return (size_t)EVP_MD_get_size(EVP_get_digestbyname(mechanism->pss_hash));
    return 32;
}

/* What OpenSSL is given in place of the data: a digest where the module hashes, cut as the service
 * does. */
static size_t digest_of(const ops_key *key, const ops_mechanism *mechanism,
                        const unsigned char *data, size_t len, unsigned char ret[300])
{
    unsigned digest_len = (unsigned)len;
    if (mechanism->hash)
        EVP_Digest(data, len, ret, &digest_len, EVP_get_digestbyname(mechanism->hash), NULL);
    else
        memcpy(ret, data, len);
    return !key->rsa_bits && digest_len > key->cut ? key->cut : digest_len;
}

static void configure(EVP_PKEY_CTX *ctx, const ops_mechanism *mechanism)
{
    bool pss = strcmp(mechanism->padding, "pss") == 0;
    const char *hash = pss ? mechanism->pss_hash : mechanism->hash;
    if (!mechanism->rsa)
        return;
    ck_assert_int_eq(
        EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING), 1);
    if (hash)
        ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(hash)), 1);
    if (pss)
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST), 1);
}

bool ops_openssl_verifies(EVP_PKEY *pkey, const ops_key *key, const ops_mechanism *mechanism,
                          const unsigned char *data, size_t len, const unsigned char *sig,
                          size_t sig_len)
{
    unsigned char digest[300], *der = NULL;
    size_t digest_len = digest_of(key, mechanism, data, len, digest);
    if (!mechanism->rsa) {
        int width = (int)key->coordinate;
        if (sig_len != 2 * (size_t)width)
            return false;
        ECDSA_SIG *parsed = ECDSA_SIG_new();
        ECDSA_SIG_set0(parsed, BN_bin2bn(sig, width, NULL), BN_bin2bn(sig + width, width, NULL));
        sig_len = (size_t)i2d_ECDSA_SIG(parsed, &der);
        sig = der;
        ECDSA_SIG_free(parsed);
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_verify_init(ctx), 1);
    configure(ctx, mechanism);
    bool good = EVP_PKEY_verify(ctx, sig, sig_len, digest, digest_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    OPENSSL_free(der);
    return good;
}

size_t ops_openssl_signs(const ops_key *key, const ops_mechanism *mechanism,
                         const unsigned char *data, size_t len, unsigned char ret[1024])
{
    unsigned char digest[300], sig[1024];
    size_t digest_len = digest_of(key, mechanism, data, len, digest), sig_len = sizeof(sig);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_sign_init(ctx), 1);
    configure(ctx, mechanism);
    ck_assert_int_eq(EVP_PKEY_sign(ctx, sig, &sig_len, digest, digest_len), 1);
    EVP_PKEY_CTX_free(ctx);
    if (mechanism->rsa) {
        memcpy(ret, sig, sig_len);
        return sig_len;
    }
    const unsigned char *p = sig;
    int width = (int)key->coordinate;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)sig_len);
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), ret, width);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), ret + width, width);
    ECDSA_SIG_free(parsed);
    return 2 * (size_t)width;
}
