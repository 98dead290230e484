/* SPDX-License-Identifier: MIT */
/*
 * PFX and PEM read. PFX files are taken apart in a library context of their own that also has the
 * old ciphers, which is where they are still met; the key is then loaded anew by the engine.
 */
#include "vaultd/x509.h"

#include "base/alloc.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <string.h>

#define ITERATIONS_MAX                                                                             \
    2000000 /* of all key derivations: more keeps a thread busy for many seconds */

KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
KVP_DEFINE_FREEP(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);
KVP_DEFINE_FREEP(X509, X509_free);

void kvp_x509_bundle_clear(kvp_x509_bundle *bundle)
{
    kvp_engine_key_unref(bundle->key);
    for (size_t i = 0; i < bundle->count; i++)
        kvp_buf_clear(&bundle->certs[i]);
    memset(bundle, 0, sizeof(*bundle));
}

static kvp_status add_cert(kvp_x509_bundle *bundle, const void *der, size_t len, kvp_error *reterr)
{
    kvp_x509_facts facts;

    if (bundle->count == KVP_X509_CHAIN_MAX)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "There are too many certificates.");
    kvp_status status = kvp_x509_read(der, len, &facts, reterr);
    if (status != KVP_OK)
        return status;
    kvp_x509_facts_clear(&facts);
    status = kvp_buf_append(&bundle->certs[bundle->count], der, len);
    if (status != KVP_OK)
        return kvp_error_set(reterr, status, "certificate");
    bundle->count++;
    return KVP_OK;
}

static kvp_status add_x509(kvp_x509_bundle *bundle, X509 *cert, kvp_error *reterr)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);

    if (len <= 0)
        return kvp_engine_failed(reterr, "writing a certificate");
    kvp_status status = add_cert(bundle, der, (size_t)len, reterr);
    OPENSSL_free(der);
    return status;
}

/* A private key from elsewhere: of a kind and size the service has, and one that fits together. */
static kvp_status take_key(EVP_PKEY *pkey, kvp_engine_key **ret_key, kvp_error *reterr)
{
    bool rsa = EVP_PKEY_is_a(pkey, "RSA"), ec = EVP_PKEY_is_a(pkey, "EC");
    int bits = EVP_PKEY_get_bits(pkey);
    unsigned char *der = NULL;

    if (!rsa && !ec)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "The private key is neither RSA nor EC.");
    /* Sizes first: the check looks for primes, which takes the longer the larger they are. */
    if (rsa && bits != 2048 && bits != 3072 && bits != 4096)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %d.", bits);
    KVP_CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    if (len <= 0)
        return kvp_engine_failed(reterr, "reading a private key");
    kvp_engine_key *key = NULL;
    kvp_status status =
        kvp_engine_load(rsa ? KVP_ENGINE_RSA : KVP_ENGINE_EC, der, (size_t)len, &key, reterr);
    OPENSSL_clear_free(der, (size_t)len);
    if (status == KVP_ERR_PARSE)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The private key is on a curve not supported.");
    if (status != KVP_OK)
        return status;
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool fits = check && EVP_PKEY_check(check) == 1;
    ERR_clear_error();
    if (!fits) {
        kvp_engine_key_unref(key);
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The numbers of the private key do not fit together.");
    }
    *ret_key = key;
    return KVP_OK;
}

/* --- PFX ---------------------------------------------------------------------------------------
 */

/* Take a number of rounds from what is left of @budget; false when it is too much or no number. */
static bool spend(const ASN1_INTEGER *number, int64_t *budget)
{
    int64_t value = 1;

    if (number && (ASN1_INTEGER_get_int64(&value, number) != 1 || value < 1 || value > *budget))
        return false;
    *budget -= value;
    return *budget >= 0;
}

/* The cost of a password-based cipher; algorithms we cannot read will not decrypt either. */
static bool cost_fits(const X509_ALGOR *algor, int64_t *budget)
{
    const ASN1_OBJECT *oid;
    const void *value;
    int type;
    bool ok = true;

    X509_ALGOR_get0(&oid, &type, &value, algor);
    if (type != V_ASN1_SEQUENCE)
        return true;
    if (OBJ_obj2nid(oid) != NID_pbes2) {
        PBEPARAM *pbe = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algor->parameter);
        ok = pbe && spend(pbe->iter, budget);
        PBEPARAM_free(pbe);
        return ok;
    }
    PBE2PARAM *pbe2 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algor->parameter);
    PBKDF2PARAM *kdf = NULL;
    if (pbe2 && OBJ_obj2nid(pbe2->keyfunc->algorithm) == NID_id_pbkdf2)
        kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), pbe2->keyfunc->parameter);
    ok = kdf && spend(kdf->iter, budget); /* scrypt is refused, too: nobody writes it here */
    PBKDF2PARAM_free(kdf);
    PBE2PARAM_free(pbe2);
    return ok;
}

static bool bags_fit(const STACK_OF(PKCS12_SAFEBAG) * bags, int64_t *budget)
{
    bool ok = bags != NULL;

    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags) && ok; i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);
        const X509_ALGOR *algor = NULL;
        if (PKCS12_SAFEBAG_get_nid(bag) == NID_pkcs8ShroudedKeyBag) {
            X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algor, NULL);
            ok = algor && cost_fits(algor, budget);
        } else {
            /* Bags in bags are not written by anybody and would hide the cost. */
            ok = PKCS12_SAFEBAG_get_nid(bag) != NID_safeContentsBag;
        }
    }
    return ok;
}

/* The bags of one part, decrypted if need be; NULL when they cannot be had within @budget. */
static STACK_OF(PKCS12_SAFEBAG) * bags_of(PKCS7 *p7, const char *password, int64_t *budget)
{
    STACK_OF(PKCS12_SAFEBAG) * bags;

    if (OBJ_obj2nid(p7->type) == NID_pkcs7_data)
        return PKCS12_unpack_p7data(p7);
    if (OBJ_obj2nid(p7->type) != NID_pkcs7_encrypted ||
        !cost_fits(p7->d.encrypted->enc_data->algorithm, budget))
        return NULL;
    bags = PKCS12_unpack_p7encdata(p7, password, (int)strlen(password));
    /* No password is written in two ways, as an empty one and as none at all. */
    if (!bags && !*password)
        bags = PKCS12_unpack_p7encdata(p7, NULL, 0);
    return bags;
}

static bool mac_cost_fits(PKCS12 *p12, int64_t *budget)
{
    const ASN1_INTEGER *iterations = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
    return spend(iterations, budget);
}

/* Whether the work that @p12 asks for, with all its parts, is bounded. */
static bool parts_cost_fits(PKCS12 *p12, const char *password, int64_t *budget)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    bool ok = safes != NULL;

    for (int i = 0; i < sk_PKCS7_num(safes) && ok; i++) {
        STACK_OF(PKCS12_SAFEBAG) *bags = bags_of(sk_PKCS7_value(safes, i), password, budget);
        ok = bags_fit(bags, budget);
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return ok;
}

/* A context with the old ciphers, which only PFX files need; without them if they are not
 * installed. */
typedef struct pfx_context {
    OSSL_LIB_CTX *ctx;
    OSSL_PROVIDER *providers[2];
} pfx_context;

static bool context_open(pfx_context *c)
{
    c->ctx = OSSL_LIB_CTX_new();
    c->providers[0] = c->ctx ? OSSL_PROVIDER_load(c->ctx, "default") : NULL;
    c->providers[1] = c->ctx ? OSSL_PROVIDER_load(c->ctx, "legacy") : NULL;
    ERR_clear_error();
    return c->providers[0] != NULL;
}

static void context_close(pfx_context *c)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(c->providers); i++) {
        if (c->providers[i])
            OSSL_PROVIDER_unload(c->providers[i]);
    }
    OSSL_LIB_CTX_free(c->ctx);
}

static kvp_status read_pfx(PKCS12 *p12, const char *password, kvp_x509_bundle *ret,
                           kvp_error *reterr)
{
    EVP_PKEY *pkey = NULL;
    X509 *leaf = NULL;
    STACK_OF(X509) *others = NULL;
    kvp_status status = KVP_OK;
    int64_t budget = ITERATIONS_MAX;

    if (!PKCS12_mac_present(p12) || !mac_cost_fits(p12, &budget) ||
        (PKCS12_verify_mac(p12, password, -1) != 1 &&
         (*password || PKCS12_verify_mac(p12, NULL, 0) != 1)))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The specified PKCS#12 X.509 certificate "
                             "content can not be read. Please check if "
                             "certificate is in valid PKCS#12 format and "
                             "the password is right.");
    if (!parts_cost_fits(p12, password, &budget) ||
        PKCS12_parse(p12, password, &pkey, &leaf, &others) != 1)
        status = kvp_error_set(reterr, KVP_ERR_INVALID,
                               "The specified PKCS#12 X.509 certificate content can not be read.");
    if (status == KVP_OK && pkey)
        status = take_key(pkey, &ret->key, reterr);
    if (status == KVP_OK && leaf)
        status = add_x509(ret, leaf, reterr);
    for (int i = 0; i < sk_X509_num(others) && status == KVP_OK; i++)
        status = add_x509(ret, sk_X509_value(others, i), reterr);
    EVP_PKEY_free(pkey);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    ERR_clear_error();
    return status;
}

static kvp_status import_pfx(const kvp_buf *der, const char *password, kvp_x509_bundle *ret,
                             kvp_error *reterr)
{
    const unsigned char *p = der->data;
    pfx_context c = { NULL, { NULL, NULL } };
    kvp_status status;

    if (context_open(&c)) {
        PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, c.ctx, NULL);
        if (p12 && d2i_PKCS12(&p12, &p, (long)der->len)) {
            status = read_pfx(p12, password, ret, reterr);
        } else {
            ERR_clear_error();
            status = kvp_error_set(reterr, KVP_ERR_INVALID,
                                   "The specified PKCS#12 X.509 certificate content can not be "
                                   "read. Please check if certificate is in valid PKCS#12 format.");
        }
        PKCS12_free(p12);
    } else {
        status = kvp_engine_failed(reterr, "loading a provider");
    }
    context_close(&c);
    return status;
}

/* --- PEM ---------------------------------------------------------------------------------------
 */

/* One block; kinds that are neither key nor certificate are passed over. */
static kvp_status take_block(const char *name, const char *header, const unsigned char *data,
                             long len, kvp_x509_bundle *ret, kvp_error *reterr)
{
    const unsigned char *p = data;
    EVP_PKEY *pkey = NULL;

    if (strcmp(name, "CERTIFICATE") == 0)
        return add_cert(ret, data, (size_t)len, reterr);
    if (!strstr(name, "PRIVATE KEY"))
        return KVP_OK;
    if (ret->key)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "There is more than one private key.");
    if (strcmp(name, "PRIVATE KEY") == 0 && !*header)
        pkey = d2i_AutoPrivateKey(NULL, &p, len);
    ERR_clear_error();
    if (!pkey)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The private key in the PEM content can not be "
                             "read. Please check if it is an unencrypted "
                             "PKCS#8 key.");
    kvp_status status = take_key(pkey, &ret->key, reterr);
    EVP_PKEY_free(pkey);
    return status;
}

static kvp_status import_pem(const char *text, size_t len, kvp_x509_bundle *ret, kvp_error *reterr)
{
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    kvp_status status = bio ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "PEM");
    long data_len = 0;

    while (status == KVP_OK && PEM_read_bio(bio, &name, &header, &data, &data_len) == 1) {
        status = take_block(name, header, data, data_len, ret, reterr);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)data_len);
    }
    if (status == KVP_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        status = kvp_error_set(reterr, KVP_ERR_INVALID,
                               "The specified PEM X.509 certificate content is in an unexpected "
                               "format.");
    ERR_clear_error();
    BIO_free(bio);
    return status;
}

/* --- both --------------------------------------------------------------------------------------
 */

static void move_to_front(kvp_x509_bundle *bundle, size_t from, size_t to)
{
    kvp_buf moved = bundle->certs[from];

    memmove(&bundle->certs[to + 1], &bundle->certs[to], (from - to) * sizeof(moved));
    bundle->certs[to] = moved;
}

static bool issued_by(const kvp_buf *cert, const kvp_buf *issuer)
{
    const unsigned char *p = cert->data, *q = issuer->data;
    KVP_CLEANUP(X509_freep) X509 *a = d2i_X509(NULL, &p, (long)cert->len);
    KVP_CLEANUP(X509_freep) X509 *b = d2i_X509(NULL, &q, (long)issuer->len);

    return a && b && X509_NAME_cmp(X509_get_issuer_name(a), X509_get_subject_name(b)) == 0;
}

void kvp_x509_sort(kvp_x509_bundle *bundle)
{
    for (size_t done = 0; done + 1 < bundle->count; done++) {
        size_t next = done + 1;
        while (next < bundle->count && !issued_by(&bundle->certs[done], &bundle->certs[next]))
            next++;
        if (next == bundle->count)
            return;
        move_to_front(bundle, next, done + 1);
    }
}

static bool find_leaf(kvp_x509_bundle *bundle, size_t *ret)
{
    for (size_t i = 0; i < bundle->count; i++) {
        if (kvp_x509_matches(bundle->certs[i].data, bundle->certs[i].len, bundle->key)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool is_pem(const char *text)
{
    return strstr(text, "-----BEGIN ") != NULL;
}

kvp_status kvp_x509_import(const char *text, size_t len, const char *password, bool preserve,
                           kvp_x509_bundle *ret, bool *ret_pem, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf decoded = KVP_BUF_INIT_SECRET(0);
    kvp_status status;
    size_t leaf = 0;
    bool pem = true;

    memset(&bundle, 0, sizeof(bundle));
    if (is_pem(text)) {
        status = import_pem(text, len, &bundle, reterr);
    } else if (kvp_x509_unbase64(text, len, &decoded) != KVP_OK || decoded.len == 0) {
        status =
            kvp_error_set(reterr, KVP_ERR_INVALID,
                          "The specified X.509 certificate content is neither PEM nor base64.");
    } else if (is_pem(kvp_buf_str(&decoded))) {
        status = import_pem(kvp_buf_str(&decoded), decoded.len, &bundle, reterr);
    } else {
        pem = false;
        status = import_pfx(&decoded, password ? password : "", &bundle, reterr);
    }
    if (status != KVP_OK)
        return status;
    if (!bundle.key)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The specified X.509 certificate content has no private key.");
    if (!find_leaf(&bundle, &leaf))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The public key of the end-entity certificate in the specified X.509 "
                             "certificate content does not match the public part of the specified "
                             "private key. Please check if certificate is valid.");
    move_to_front(&bundle, leaf, 0);
    if (!preserve)
        kvp_x509_sort(&bundle);
    *ret = bundle;
    memset(&bundle, 0, sizeof(bundle));
    *ret_pem = pem;
    return KVP_OK;
}

kvp_status kvp_x509_pfx_to_pem(const char *text, size_t len, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf decoded = KVP_BUF_INIT_SECRET(0);

    memset(&bundle, 0, sizeof(bundle));
    if (kvp_x509_unbase64(text, len, &decoded) != KVP_OK || decoded.len == 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "The value is not base64.");
    kvp_status status = import_pfx(&decoded, "", &bundle, reterr);
    return status == KVP_OK ? kvp_x509_export(&bundle, true, true, ret, reterr) : status;
}
