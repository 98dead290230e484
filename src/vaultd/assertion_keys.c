/* SPDX-License-Identifier: MIT */
/* The keys that assertions are checked with: certificates, JWKS, PEM. */
#include "vaultd/assertion_internal.h"

#include "base/alloc.h"
#include "jwk/base64url.h"
#include "vaultd/assertion.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

KVP_DEFINE_FREEP(BIO, BIO_free_all);
KVP_DEFINE_FREEP(X509, X509_free);
KVP_DEFINE_FREEP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
KVP_DEFINE_FREEP(OSSL_PARAM, OSSL_PARAM_free);
KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);

static X509 *read_certificate(const char *pem)
{
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    ERR_clear_error();
    return cert;
}

static bool thumbprint_is(X509 *cert, const EVP_MD *md, const char *want)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    kvp_buf text = KVP_BUF_INIT(256);

    bool same = X509_digest(cert, md, digest, &len) == 1 &&
                kvp_base64url_encode(digest, len, &text) == KVP_OK &&
                strcmp(kvp_buf_str(&text), want) == 0;
    kvp_buf_clear(&text);
    return same;
}

EVP_PKEY *kvp_assertion_certificate_key(const char *pem, const char *x5t, const char *x5t_s256)
{
    KVP_CLEANUP(X509_freep) X509 *cert = read_certificate(pem);

    if (!cert || (!*x5t && !*x5t_s256) || (*x5t && !thumbprint_is(cert, EVP_sha1(), x5t)) ||
        (*x5t_s256 && !thumbprint_is(cert, EVP_sha256(), x5t_s256)) ||
        X509_cmp_current_time(X509_get0_notBefore(cert)) > 0 ||
        X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        return NULL;
    return X509_get_pubkey(cert);
}

static bool read_bytes(const json_t *jwk, const char *name, kvp_buf *ret)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text && kvp_base64url_decode(text, strlen(text), ret) == KVP_OK && ret->len > 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
    KVP_CLEANUP(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return pkey;
}

static EVP_PKEY *rsa_of(const json_t *jwk)
{
    KVP_CLEANUP(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    kvp_buf n = KVP_BUF_INIT(2048), e = KVP_BUF_INIT(16);
    EVP_PKEY *pkey = NULL;

    if (build && read_bytes(jwk, "n", &n) && read_bytes(jwk, "e", &e)) {
        BIGNUM *bn = BN_bin2bn(n.data, (int)n.len, NULL), *be = BN_bin2bn(e.data, (int)e.len, NULL);
        if (bn && be && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
            pkey = from_params("RSA", build);
        BN_free(bn);
        BN_free(be);
    }
    kvp_buf_clear(&n);
    kvp_buf_clear(&e);
    return pkey;
}

static EVP_PKEY *ec_of(const json_t *jwk)
{
    KVP_CLEANUP(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    kvp_buf x = KVP_BUF_INIT(128), y = KVP_BUF_INIT(128);
    unsigned char point[65] = { 4 };
    EVP_PKEY *pkey = NULL;

    if (build && crv && strcmp(crv, "P-256") == 0 && read_bytes(jwk, "x", &x) &&
        read_bytes(jwk, "y", &y) && x.len == 32 && y.len == 32) {
        memcpy(point + 1, x.data, 32);
        memcpy(point + 33, y.data, 32);
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             sizeof(point)) == 1)
            pkey = from_params("EC", build);
    }
    kvp_buf_clear(&x);
    kvp_buf_clear(&y);
    return pkey;
}

static EVP_PKEY *jwks_key(const char *text, const char *kid, int type)
{
    json_t *set = json_loads(text, 0, NULL);
    const json_t *list = json_object_get(set, "keys"), *jwk;
    EVP_PKEY *pkey = NULL;
    size_t i;

    json_array_foreach(list, i, jwk)
    {
        const char *kty = json_string_value(json_object_get(jwk, "kty"));
        const char *own = json_string_value(json_object_get(jwk, "kid"));
        if (pkey || !kty || strcmp(kty, type == EVP_PKEY_EC ? "EC" : "RSA") != 0 ||
            (*kid && own && strcmp(kid, own) != 0))
            continue;
        pkey = type == EVP_PKEY_EC ? ec_of(jwk) : rsa_of(jwk);
    }
    json_decref(set);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *pem_key(const char *text)
{
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

    if (!pkey) {
        KVP_CLEANUP(X509_freep) X509 *cert = read_certificate(text);
        pkey = cert ? X509_get_pubkey(cert) : NULL;
    }
    ERR_clear_error();
    return pkey;
}

EVP_PKEY *kvp_assertion_issuer_key(const char *keys, const char *kid, int type)
{
    keys += strspn(keys, " \t\r\n");
    if (*keys == '{')
        return jwks_key(keys, kid, type);
    EVP_PKEY *pkey = pem_key(keys);
    if (pkey && EVP_PKEY_get_base_id(pkey) == type)
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

kvp_status kvp_assertion_check_keys(const kvp_credential *credential, kvp_error *reterr)
{
    if (!credential->federated) {
        KVP_CLEANUP(X509_freep) X509 *cert = read_certificate(credential->keys);
        KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = cert ? X509_get_pubkey(cert) : NULL;
        if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
            return kvp_error_set(reterr, KVP_ERR_INVALID,
                                 "--certificate wants a PEM certificate with an RSA key");
        return KVP_OK;
    }
    KVP_CLEANUP(EVP_PKEY_freep)
    EVP_PKEY *rsa = kvp_assertion_issuer_key(credential->keys, "", EVP_PKEY_RSA);
    KVP_CLEANUP(EVP_PKEY_freep)
    EVP_PKEY *ec = kvp_assertion_issuer_key(credential->keys, "", EVP_PKEY_EC);
    if (!rsa && !ec)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "--keys wants a JWKS or a PEM public key, RSA or P-256");
    return KVP_OK;
}
