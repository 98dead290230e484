/* SPDX-License-Identifier: MIT */
/*
 * Public keys, parsed once and kept. The numbers become an EVP_PKEY in our context, and that is
 * written out as SubjectPublicKeyInfo, which both serves as CKA_PUBLIC_KEY_INFO and lets a forked
 * child parse the key again. The parent's EVP_PKEY is then left alone: its locks may have been
 * forked while held.
 */
#include "base/alloc.h"
#include "base/lock.h"
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <stdatomic.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#define MIN_MODULUS_BITS 1024
#define MAX_MODULUS_BITS 16384 /* OPENSSL_RSA_MAX_MODULUS_BITS: libcrypto refuses larger ones */
#define MAX_EXPONENT_BITS 64   /* OPENSSL_RSA_MAX_PUBEXP_BITS: the same, from 3072 bits on */

/* The EVP_PKEY of one process. */
typedef struct parsed {
    EVP_PKEY *pkey;
    uint64_t generation;
    struct parsed *previous; /**< the parent's; or the next one of the forgotten */
} parsed;

/* Apart from the key, so that a const key can still renew it. */
typedef struct parsed_cell {
    _Atomic(parsed *) now;
} parsed_cell;

struct kvp_public_key {
    kvp_kty type;
    kvp_curve curve;
    unsigned bits;
    size_t signature_len;
    kvp_buf spki;
    parsed_cell *cell;
};

/* Those of a parent, or that outlived OpenSSL: never freed, but where a leak checker finds them. */
static _Atomic(parsed *) forgotten;

static void parsed_forget(parsed *p)
{
    p->previous = atomic_load(&forgotten);
    while (!atomic_compare_exchange_weak(&forgotten, &p->previous, p))
        continue;
}

static void parsed_free(parsed *p)
{
    while (p) {
        parsed *previous = p->previous;

        if (p->generation != kvp_fork_generation() || kvp_ossl_gone()) {
            parsed_forget(p);
        } else {
            KVP_OSSL_SCOPE;
            EVP_PKEY_free(p->pkey);
            kvp_free(p);
        }
        p = previous;
    }
}

void kvp_public_key_free(kvp_public_key *key)
{
    if (!key)
        return;
    if (key->cell)
        parsed_free(atomic_load(&key->cell->now));
    kvp_free(key->cell);
    kvp_buf_clear(&key->spki);
    kvp_free(key);
}

/* Parse @key's SubjectPublicKeyInfo for this process; another thread may do the same and win. */
static EVP_PKEY *parse_again(const kvp_public_key *key, parsed *seen, uint64_t generation)
{
    KVP_OSSL_SCOPE;
    OSSL_LIB_CTX *lib = kvp_ossl_ctx();
    const unsigned char *at = key->spki.data;
    parsed *fresh;

    if (!lib)
        return NULL;
    fresh = kvp_calloc(1, sizeof(*fresh));
    if (!fresh)
        return NULL;
    fresh->generation = generation;
    fresh->pkey = d2i_PUBKEY_ex(NULL, &at, (long)key->spki.len, lib, NULL);
    if (!fresh->pkey) {
        kvp_free(fresh);
        return NULL;
    }
    fresh->previous = seen;
    if (atomic_compare_exchange_strong(&key->cell->now, &seen, fresh))
        return fresh->pkey;
    fresh->previous = NULL;
    parsed_free(fresh);
    return seen->pkey;
}

EVP_PKEY *kvp_public_key_pkey(const kvp_public_key *key)
{
    uint64_t generation = kvp_fork_generation();
    parsed *now = atomic_load_explicit(&key->cell->now, memory_order_acquire);

    if (kvp_ossl_gone())
        return NULL;
    if (now->generation == generation)
        return now->pkey;
    return parse_again(key, now, generation);
}

kvp_curve kvp_public_key_curve(const kvp_public_key *key)
{
    return key->curve;
}

const kvp_buf *kvp_public_key_spki(const kvp_public_key *key)
{
    return &key->spki;
}

kvp_kty kvp_public_key_type(const kvp_public_key *key)
{
    return key->type;
}

unsigned kvp_public_key_bits(const kvp_public_key *key)
{
    return key->bits;
}

size_t kvp_public_key_signature_len(const kvp_public_key *key)
{
    return key->signature_len;
}

/* @params → EVP_PKEY of algorithm @name; NULL when the numbers are no such key. */
static EVP_PKEY *pkey_from_params(const char *name, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) =
        EVP_PKEY_CTX_new_from_name(kvp_ossl_ctx(), name, NULL);
    EVP_PKEY *pkey = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return pkey;
}

static kvp_status write_spki(EVP_PKEY *pkey, kvp_buf *ret, kvp_error *reterr)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    kvp_status st;

    if (len <= 0)
        return kvp_crypto_failed(reterr, "writing a SubjectPublicKeyInfo");
    st = kvp_buf_set(ret, der, (size_t)len);
    OPENSSL_free(der);
    return st == KVP_OK ? st : kvp_error_set(reterr, st, "SubjectPublicKeyInfo");
}

/* A key of @type around @pkey, which is freed on failure. */
static kvp_status wrap(kvp_kty type, EVP_PKEY *pkey, kvp_public_key **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *key = kvp_calloc(1, sizeof(*key));
    parsed *now = kvp_calloc(1, sizeof(*now));
    parsed_cell *cell = kvp_calloc(1, sizeof(*cell));
    kvp_status st;

    if (!key || !now || !cell) {
        EVP_PKEY_free(pkey);
        kvp_free(now);
        kvp_free(cell);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "public key");
    }
    now->pkey = pkey;
    now->generation = kvp_fork_generation();
    atomic_init(&cell->now, now);
    key->cell = cell;
    key->type = type;
    st = write_spki(pkey, &key->spki, reterr);
    if (st != KVP_OK)
        return st;
    *ret = KVP_STEAL(key);
    return KVP_OK;
}

/* NULL: a key that OpenSSL does not take, or no memory (*ret_memory). */
static EVP_PKEY *rsa_pkey(const BIGNUM *n, const BIGNUM *e, bool *ret_memory)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params)
        pkey = pkey_from_params("RSA", params);
    *ret_memory = !params || (!pkey && kvp_ossl_out_of_memory());
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

kvp_status kvp_public_key_from_rsa(const void *n, size_t n_len, const void *e, size_t e_len,
                                   kvp_public_key **ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    BIGNUM *modulus, *exponent;
    EVP_PKEY *pkey = NULL;
    bool memory = false;
    unsigned bits = 0;
    kvp_status st;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "parsing an RSA key");
    /* Leading zeros are allowed, but not without end. */
    if (!n || !e || n_len > MAX_MODULUS_BITS / 8 + 64 || e_len > MAX_MODULUS_BITS / 8 + 64)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "an RSA key without plausible numbers");
    modulus = BN_bin2bn(n, (int)n_len, NULL);
    exponent = BN_bin2bn(e, (int)e_len, NULL);
    if (!modulus || !exponent) {
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "RSA key");
    } else if (BN_num_bits(modulus) < MIN_MODULUS_BITS || BN_num_bits(modulus) > MAX_MODULUS_BITS ||
               !BN_is_odd(modulus)) {
        st = kvp_error_set(reterr, KVP_ERR_PARSE,
                           "an RSA modulus of %d bits; it is odd and has %d to %d bits",
                           BN_num_bits(modulus), MIN_MODULUS_BITS, MAX_MODULUS_BITS);
    } else if (!BN_is_odd(exponent) || BN_is_one(exponent) ||
               BN_num_bits(exponent) > MAX_EXPONENT_BITS) {
        st = kvp_error_set(reterr, KVP_ERR_PARSE,
                           "an RSA exponent of %d bits; it is odd, more than 1 and at most %d bits",
                           BN_num_bits(exponent), MAX_EXPONENT_BITS);
    } else {
        bits = (unsigned)BN_num_bits(modulus);
        pkey = rsa_pkey(modulus, exponent, &memory);
        if (pkey)
            st = KVP_OK;
        else if (memory)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "RSA key");
        else
            st = kvp_error_set(reterr, KVP_ERR_PARSE, "OpenSSL takes no such RSA key");
    }
    BN_free(modulus);
    BN_free(exponent);
    if (st == KVP_OK)
        st = wrap(KVP_KTY_RSA, pkey, ret, reterr);
    if (st != KVP_OK)
        return st;
    (*ret)->bits = bits;
    (*ret)->signature_len = (bits + 7) / 8;
    return KVP_OK;
}

/* Likewise. */
static EVP_PKEY *ec_pkey(const kvp_curve_info *info, const uint8_t *point, size_t point_len,
                         bool *ret_memory)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, info->openssl_name,
                                        0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params)
        pkey = pkey_from_params("EC", params);
    *ret_memory = !params || (!pkey && kvp_ossl_out_of_memory());
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

kvp_status kvp_public_key_from_ec(kvp_curve curve, const void *x, const void *y,
                                  kvp_public_key **ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    const kvp_curve_info *info;
    uint8_t point[1 + 2 * 66];
    EVP_PKEY *pkey;
    bool memory = false;
    kvp_status st;
    size_t width;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "parsing an EC key");
    if (curve == KVP_CURVE_NONE || (unsigned)curve >= KVP_CURVE_COUNT || !x || !y)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "an EC key on no curve of ours");
    info = &kvp_curves[curve];
    width = info->coordinate_len;
    if (width == 0 || 1 + 2 * width > sizeof(point))
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "the curve table has no width");
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x, width);
    memcpy(point + 1 + width, y, width);
    pkey = ec_pkey(info, point, 1 + 2 * width, &memory);
    if (!pkey && memory)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "EC key");
    if (!pkey)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a point that is not on the curve %s",
                             info->jwk_name);
    st = wrap(KVP_KTY_EC, pkey, ret, reterr);
    if (st != KVP_OK)
        return st;
    (*ret)->curve = curve;
    (*ret)->bits = info->bits;
    (*ret)->signature_len = 2 * width;
    return KVP_OK;
}

kvp_status kvp_public_key_from_key(const kvp_key *key, kvp_public_key **ret, kvp_error *reterr)
{
    if (!key->has_material)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "a key without its public part");
    if (key->kty == KVP_KTY_RSA)
        return kvp_public_key_from_rsa(key->n.data, key->n.len, key->e.data, key->e.len, ret,
                                       reterr);
    if (key->kty != KVP_KTY_EC)
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "a key that has no public part");
    if ((unsigned)key->curve >= KVP_CURVE_COUNT ||
        key->x.len != kvp_curves[key->curve].coordinate_len || key->y.len != key->x.len)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "coordinates that do not fit the curve");
    return kvp_public_key_from_ec(key->curve, key->x.data, key->y.data, ret, reterr);
}
