/* SPDX-License-Identifier: MIT */
/* Keys of the engine: made, taken in and checked, written out and read back. */
#include "vaultd/engine.h"

#include "base/alloc.h"
#include "vaultd/token_hsm.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

KVP_DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free);
KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
KVP_DEFINE_FREEP(BIGNUM, BN_clear_free);
KVP_DEFINE_FREEP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
KVP_DEFINE_FREEP(OSSL_PARAM, OSSL_PARAM_free);
KVP_DEFINE_FREEP(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);

kvp_status kvp_engine_failed(kvp_error *reterr, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return kvp_error_set(reterr, KVP_ERR_CRYPTO, "%s: %s", what,
                         reason ? reason : "OpenSSL failed");
}

kvp_engine_key *kvp_engine_key_ref(kvp_engine_key *key)
{
    __atomic_add_fetch(&key->refs, 1, __ATOMIC_RELAXED);
    return key;
}

void kvp_engine_key_unref(kvp_engine_key *key)
{
    if (!key || __atomic_sub_fetch(&key->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    EVP_PKEY_free(key->pkey);
    kvp_token_key_free(key->in_token);
    kvp_wipe(key->secret, sizeof(key->secret));
    kvp_free(key);
}

/* Takes @pkey, also on failure. */
static kvp_status take_pkey(kvp_engine_kind kind, EVP_PKEY *take, const kvp_engine_curve *curve,
                            kvp_engine_key **ret_key, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = take;
    kvp_engine_key *key = kvp_calloc(1, sizeof(*key));

    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    key->kind = kind;
    key->curve = curve;
    key->bits = kind == KVP_ENGINE_EC ? curve->bits : (unsigned)EVP_PKEY_get_bits(pkey);
    key->refs = 1;
    key->pkey = KVP_STEAL(pkey);
    *ret_key = key;
    return KVP_OK;
}

kvp_status kvp_engine_adopt(kvp_engine_kind kind, EVP_PKEY *take, const kvp_engine_curve *curve,
                            kvp_token_key *take_token, kvp_engine_key **ret_key, kvp_error *reterr)
{
    kvp_status status = take_pkey(kind, take, curve, ret_key, reterr);

    if (status == KVP_OK)
        (*ret_key)->in_token = take_token;
    return status;
}

kvp_status kvp_engine_adopt_oct(unsigned bits, kvp_token_key *take_token, kvp_engine_key **ret_key,
                                kvp_error *reterr)
{
    kvp_engine_key *key = kvp_calloc(1, sizeof(*key));

    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    key->kind = KVP_ENGINE_OCT;
    key->bits = bits;
    key->refs = 1;
    key->in_token = take_token;
    *ret_key = key;
    return KVP_OK;
}

static bool rsa_size_is_offered(unsigned bits)
{
    return bits == 2048 || bits == 3072 || bits == 4096;
}

kvp_status kvp_engine_generate_rsa(unsigned bits, unsigned exponent, kvp_engine_key **ret_key,
                                   kvp_error *reterr)
{
    if (!rsa_size_is_offered(bits))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %u.", bits);
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *e = BN_new();
    EVP_PKEY *pkey = NULL;

    if (!ctx || !e || BN_set_word(e, exponent) != 1 || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) != 1 ||
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) != 1 || EVP_PKEY_generate(ctx, &pkey) != 1)
        return kvp_engine_failed(reterr, "making an RSA key");
    return take_pkey(KVP_ENGINE_RSA, pkey, NULL, ret_key, reterr);
}

kvp_status kvp_engine_generate_ec(const kvp_engine_curve *curve, kvp_engine_key **ret_key,
                                  kvp_error *reterr)
{
    EVP_PKEY *pkey = EVP_EC_gen(curve->openssl);

    if (!pkey)
        return kvp_engine_failed(reterr, "making an EC key");
    return take_pkey(KVP_ENGINE_EC, pkey, curve, ret_key, reterr);
}

bool kvp_engine_oct_size(size_t bits)
{
    return bits == 128 || bits == 192 || bits == 256 || bits == 384 || bits == 512;
}

kvp_status kvp_engine_import_oct(const void *secret, size_t len, kvp_engine_key **ret_key,
                                 kvp_error *reterr)
{
    if (!kvp_engine_oct_size(len * 8))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %zu.", len * 8);
    kvp_engine_key *key = kvp_calloc(1, sizeof(*key));
    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    key->kind = KVP_ENGINE_OCT;
    key->bits = (unsigned)len * 8;
    key->refs = 1;
    memcpy(key->secret, secret, len);
    key->secret_len = len;
    *ret_key = key;
    return KVP_OK;
}

kvp_status kvp_engine_generate_oct(unsigned bits, kvp_engine_key **ret_key, kvp_error *reterr)
{
    uint8_t secret[KVP_ENGINE_OCT_MAX];
    kvp_status status;

    if (bits % 8 || bits / 8 > sizeof(secret))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %u.", bits);
    if (RAND_priv_bytes(secret, (int)(bits / 8)) != 1)
        return kvp_engine_failed(reterr, "making a symmetric key");
    status = kvp_engine_import_oct(secret, bits / 8, ret_key, reterr);
    kvp_wipe(secret, sizeof(secret));
    return status;
}

kvp_status kvp_engine_generate_like(const kvp_engine_key *pattern, kvp_engine_key **ret_key,
                                    kvp_error *reterr)
{
    if (pattern->in_token)
        return kvp_token_generate_like(pattern, ret_key, reterr);
    if (pattern->kind == KVP_ENGINE_EC)
        return kvp_engine_generate_ec(pattern->curve, ret_key, reterr);
    if (pattern->kind == KVP_ENGINE_OCT)
        return kvp_engine_generate_oct(pattern->bits, ret_key, reterr);
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *e = NULL;
    if (EVP_PKEY_get_bn_param(pattern->pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        return kvp_engine_failed(reterr, "reading the exponent");
    /* An imported key may have an exponent that does not fit: a new one is of the usual sort. */
    BN_ULONG exponent = BN_num_bits(e) <= 32 ? BN_get_word(e) : 65537;
    return kvp_engine_generate_rsa(pattern->bits, (unsigned)exponent, ret_key, reterr);
}

void kvp_engine_rsa_parts_clear(kvp_engine_rsa_parts *parts)
{
    kvp_buf *all[] = { &parts->n, &parts->e,  &parts->d,  &parts->p,
                       &parts->q, &parts->dp, &parts->dq, &parts->qi };

    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++)
        kvp_buf_clear(all[i]);
}

/* Add a number to @bld; @bn must live until the parameters are made. */
static bool push_number(OSSL_PARAM_BLD *bld, const char *name, const kvp_buf *buf, BIGNUM **bn)
{
    if (buf->len > 1024)
        return false;
    *bn = BN_bin2bn(buf->data, (int)buf->len, NULL);
    return *bn && OSSL_PARAM_BLD_push_BN(bld, name, *bn) == 1;
}

/* Build a key pair from parameters and check it; a wrong one is KVP_ERR_INVALID. */
static kvp_status pkey_from(const char *type, OSSL_PARAM_BLD *bld, EVP_PKEY **ret_pkey,
                            kvp_error *reterr)
{
    KVP_CLEANUP(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1)
        return kvp_engine_failed(reterr, "importing a key");
    if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1) {
        ERR_clear_error();
        return kvp_error_set(reterr, KVP_ERR_INVALID, "the numbers make no %s key", type);
    }
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (!check)
        return kvp_engine_failed(reterr, "checking a key");
    if (EVP_PKEY_check(check) != 1) {
        ERR_clear_error();
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "the numbers of the %s key do not fit together", type);
    }
    *ret_pkey = KVP_STEAL(pkey);
    return KVP_OK;
}

kvp_status kvp_engine_import_rsa(const kvp_engine_rsa_parts *parts, kvp_engine_key **ret_key,
                                 kvp_error *reterr)
{
    const struct {
        const char *name;
        const kvp_buf *buf;
    } numbers[] = {
        { OSSL_PKEY_PARAM_RSA_N, &parts->n },
        { OSSL_PKEY_PARAM_RSA_E, &parts->e },
        { OSSL_PKEY_PARAM_RSA_D, &parts->d },
        { OSSL_PKEY_PARAM_RSA_FACTOR1, &parts->p },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, &parts->q },
        { OSSL_PKEY_PARAM_RSA_EXPONENT1, &parts->dp },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, &parts->dq },
        { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &parts->qi },
    };
    BIGNUM *bn[KVP_ARRAY_LEN(numbers)] = { NULL };
    KVP_CLEANUP(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    kvp_status status = bld ? KVP_OK : kvp_engine_failed(reterr, "importing a key");

    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers) && status == KVP_OK; i++) {
        if (!push_number(bld, numbers[i].name, numbers[i].buf, &bn[i]))
            status = kvp_error_set(reterr, KVP_ERR_INVALID, "%s is no number of an RSA key",
                                   numbers[i].name);
    }
    /* Sizes first: the check below looks for primes, which takes the longer the larger they are. */
    /* 1024 bits are not made any more, but still taken in (recorded in 2024). */
    if (status == KVP_OK && BN_num_bits(bn[0]) != 1024 &&
        !rsa_size_is_offered((unsigned)BN_num_bits(bn[0])))
        status =
            kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %d.", BN_num_bits(bn[0]));
    if (status == KVP_OK && (BN_num_bits(bn[1]) > 256 || BN_num_bits(bn[2]) > BN_num_bits(bn[0])))
        status = kvp_error_set(reterr, KVP_ERR_INVALID, "the exponents do not fit the modulus");
    for (size_t i = 3; i < KVP_ARRAY_LEN(numbers) && status == KVP_OK; i++) {
        if (BN_num_bits(bn[i]) > BN_num_bits(bn[0]) / 2 + 32)
            status = kvp_error_set(reterr, KVP_ERR_INVALID, "%s does not fit the modulus",
                                   numbers[i].name);
    }
    if (status == KVP_OK)
        status = pkey_from("RSA", bld, &pkey, reterr);
    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++)
        BN_clear_free(bn[i]);
    return status == KVP_OK ? take_pkey(KVP_ENGINE_RSA, pkey, NULL, ret_key, reterr) : status;
}

kvp_status kvp_engine_import_ec(const kvp_engine_curve *curve, const kvp_buf *x, const kvp_buf *y,
                                const kvp_buf *d, kvp_engine_key **ret_key, kvp_error *reterr)
{
    KVP_CLEANUP(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *bn = NULL;
    uint8_t point[1 + 2 * 66] = { 4 }; /* uncompressed, SEC 1 §2.3.3 */
    EVP_PKEY *pkey = NULL;

    /* Clients were recorded to leave leading zeros out, which RFC 7518 §6.2.1.2 forbids. */
    if (x->len > curve->width || y->len > curve->width || d->len > curve->width || x->len == 0 ||
        y->len == 0 || d->len == 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "x, y and d of %s have %u bytes", curve->name,
                             curve->width);
    memcpy(point + 1 + curve->width - x->len, x->data, x->len);
    memcpy(point + 1 + 2 * curve->width - y->len, y->data, y->len);
    if (!bld ||
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve->openssl, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)curve->width) != 1 ||
        !push_number(bld, OSSL_PKEY_PARAM_PRIV_KEY, d, &bn))
        return kvp_engine_failed(reterr, "importing an EC key");
    kvp_status status = pkey_from("EC", bld, &pkey, reterr);
    return status == KVP_OK ? take_pkey(KVP_ENGINE_EC, pkey, curve, ret_key, reterr) : status;
}

kvp_status kvp_engine_save(const kvp_engine_key *key, kvp_buf *ret, kvp_error *reterr)
{
    kvp_status status = KVP_ERR_NO_MEMORY;
    unsigned char *der = NULL;
    int len;

    if (key->in_token) {
        status = kvp_token_save(key->in_token, ret);
        return status == KVP_OK ? KVP_OK : kvp_error_set(reterr, status, "key");
    }
    if (key->kind == KVP_ENGINE_OCT) {
        if (kvp_buf_append(ret, key->secret, key->secret_len) != KVP_OK)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
        return KVP_OK;
    }
    KVP_CLEANUP(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
    len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    if (len <= 0)
        return kvp_engine_failed(reterr, "writing a private key");
    status = kvp_buf_append(ret, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return status == KVP_OK ? KVP_OK : kvp_error_set(reterr, status, "key");
}

/* The row of the curve that @pkey is on. */
static const kvp_engine_curve *curve_of(EVP_PKEY *pkey)
{
    char name[64];
    size_t len = 0;

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name),
                                       &len) != 1)
        return NULL;
    for (size_t i = 0; i < kvp_engine_curve_count; i++) {
        if (strcmp(kvp_engine_curves[i].openssl, name) == 0)
            return &kvp_engine_curves[i];
    }
    return NULL;
}

kvp_status kvp_engine_load(kvp_engine_kind kind, const void *data, size_t len,
                           kvp_engine_key **ret_key, kvp_error *reterr)
{
    const unsigned char *p = data;
    const kvp_engine_curve *curve = NULL;

    if (kind == KVP_ENGINE_OCT)
        return kvp_engine_import_oct(data, len, ret_key, reterr);
    KVP_CLEANUP(PKCS8_PRIV_KEY_INFO_freep)
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = info ? EVP_PKCS82PKEY(info) : NULL;
    if (!pkey ||
        EVP_PKEY_get_base_id(pkey) != (kind == KVP_ENGINE_RSA ? EVP_PKEY_RSA : EVP_PKEY_EC)) {
        ERR_clear_error();
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a stored private key cannot be read");
    }
    if (kind == KVP_ENGINE_EC) {
        curve = curve_of(pkey);
        if (!curve)
            return kvp_error_set(reterr, KVP_ERR_PARSE, "a stored key is on an unknown curve");
    }
    return take_pkey(kind, KVP_STEAL(pkey), curve, ret_key, reterr);
}

kvp_status kvp_engine_public(const kvp_engine_key *key, char which, kvp_buf *ret)
{
    static const struct {
        char which;
        kvp_engine_kind kind;
        const char *param;
    } numbers[] = {
        { 'n', KVP_ENGINE_RSA, OSSL_PKEY_PARAM_RSA_N },
        { 'e', KVP_ENGINE_RSA, OSSL_PKEY_PARAM_RSA_E },
        { 'x', KVP_ENGINE_EC, OSSL_PKEY_PARAM_EC_PUB_X },
        { 'y', KVP_ENGINE_EC, OSSL_PKEY_PARAM_EC_PUB_Y },
    };
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *bn = NULL;

    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++) {
        if (numbers[i].which != which || numbers[i].kind != key->kind)
            continue;
        if (EVP_PKEY_get_bn_param(key->pkey, numbers[i].param, &bn) != 1)
            return kvp_engine_failed(NULL, "reading a public number");
        int width = key->curve ? (int)key->curve->width : BN_num_bytes(bn);
        uint8_t *out = kvp_buf_reserve(ret, (size_t)width);
        if (!out)
            return KVP_ERR_NO_MEMORY;
        if (BN_bn2binpad(bn, out, width) != width)
            return KVP_ERR_CRYPTO;
        ret->len += (size_t)width;
        ret->data[ret->len] = '\0';
        return KVP_OK;
    }
    return KVP_ERR_INVALID;
}
