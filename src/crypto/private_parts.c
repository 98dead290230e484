/* SPDX-License-Identifier: MIT */
/*
 * Completing a private key that an application gives in part: PKCS#11 lets it leave out what can be
 * computed (v3.1 §6.1.3, §6.3.4), while a vault wants every part. The numbers are wiped here; where
 * they come from and go to is the caller's business.
 */
#include "base/alloc.h"
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>

/* Tries to split the modulus; each fails for at most half of all bases. */
#define SPLIT_TRIES 100

static void bn_freep(BIGNUM **bn)
{
    BN_clear_free(*bn);
    *bn = NULL;
}

static void bn_ctx_freep(BN_CTX **ctx)
{
    BN_CTX_free(*ctx);
    *ctx = NULL;
}

/* The number in @buf; 0 for an empty one; NULL without memory. */
static BIGNUM *number(const kvp_buf *buf)
{
    BIGNUM *bn = BN_secure_new();

    if (bn && !BN_bin2bn(buf->data, (int)buf->len, bn))
        bn_freep(&bn);
    if (bn)
        BN_set_flags(bn, BN_FLG_CONSTTIME);
    return bn;
}

static kvp_status put(const BIGNUM *bn, size_t len, kvp_buf *ret)
{
    uint8_t *at;

    kvp_buf_clear(ret);
    at = kvp_buf_reserve(ret, len);
    if (!at || BN_bn2binpad(bn, at, (int)len) != (int)len)
        return KVP_ERR_NO_MEMORY;
    at[len] = '\0';
    ret->len = len;
    return KVP_OK;
}

/*
 * A factor of @n from an exponent pair (NIST SP 800-56B rev. 2, appendix C.1): with d·e - 1 = 2^t·r
 * and r odd, a square root of 1 other than ±1 turns up among the squarings of g^r for half of all
 * g.
 */
static bool split_modulus(const BIGNUM *n, const BIGNUM *e, const BIGNUM *d, BIGNUM *ret_p,
                          BN_CTX *ctx)
{
    KVP_CLEANUP(bn_freep) BIGNUM *r = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *g = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *x = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *y = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *minus_one = BN_dup(n);
    int t = 0;

    if (!r || !g || !x || !y || !minus_one || !BN_sub_word(minus_one, 1) || !BN_mul(r, d, e, ctx) ||
        !BN_sub_word(r, 1) || BN_is_zero(r) || BN_is_odd(r))
        return false;
    while (!BN_is_bit_set(r, t))
        t++;
    if (!BN_rshift(r, r, t))
        return false;
    for (int i = 0; i < SPLIT_TRIES; i++) {
        if (!BN_priv_rand_range_ex(g, minus_one, 0, ctx) || !BN_mod_exp(x, g, r, n, ctx))
            return false;
        for (int k = 0; k < t && !BN_is_one(x) && BN_cmp(x, minus_one) != 0; k++) {
            if (!BN_mod_sqr(y, x, n, ctx))
                return false;
            if (BN_is_one(y))
                return BN_sub_word(x, 1) && BN_gcd(ret_p, x, n, ctx);
            if (!BN_copy(x, y))
                return false;
        }
    }
    return false;
}

typedef struct rsa {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
} rsa;

static void rsa_clear(rsa *key)
{
    BIGNUM **all[] = { &key->n, &key->e, &key->d, &key->p, &key->q, &key->dp, &key->dq, &key->qi };

    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++)
        bn_freep(all[i]);
}

/* p and q, from whatever was given of them; false when there are none. */
static bool find_primes(rsa *key, BN_CTX *ctx)
{
    bool has_p = !BN_is_zero(key->p), has_q = !BN_is_zero(key->q);

    if (has_p && has_q)
        return true;
    if (has_q)
        return BN_div(key->p, NULL, key->n, key->q, ctx) == 1;
    if (!has_p && !split_modulus(key->n, key->e, key->d, key->p, ctx))
        return false;
    return BN_div(key->q, NULL, key->n, key->p, ctx) == 1;
}

/* n = p·q, neither trivial, and e·d ≡ 1 modulo p-1 and q-1. Fills what is left to compute. */
static bool complete(rsa *key, BN_CTX *ctx)
{
    KVP_CLEANUP(bn_freep) BIGNUM *p1 = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *q1 = BN_secure_new();
    KVP_CLEANUP(bn_freep) BIGNUM *t = BN_secure_new();

    if (!p1 || !q1 || !t || !find_primes(key, ctx) || BN_is_zero(key->p) || BN_is_one(key->p) ||
        BN_is_zero(key->q) || BN_is_one(key->q) || !BN_mul(t, key->p, key->q, ctx) ||
        BN_cmp(t, key->n) != 0)
        return false;
    if (!BN_copy(p1, key->p) || !BN_sub_word(p1, 1) || !BN_copy(q1, key->q) || !BN_sub_word(q1, 1))
        return false;
    return BN_mod(key->dp, key->d, p1, ctx) && BN_mod(key->dq, key->d, q1, ctx) &&
           BN_mod_inverse(key->qi, key->q, key->p, ctx) &&
           BN_mod_mul(t, key->dp, key->e, p1, ctx) && BN_is_one(t) &&
           BN_mod_mul(t, key->dq, key->e, q1, ctx) && BN_is_one(t);
}

/* Whether the application's own value of a part, if it gave one, is the right one. */
static bool agrees(const kvp_buf *given, const BIGNUM *computed)
{
    KVP_CLEANUP(bn_freep) BIGNUM *bn = number(given);

    return given->len == 0 || (bn && BN_cmp(bn, computed) == 0);
}

static kvp_status put_rsa(const rsa *key, kvp_private_parts *parts)
{
    size_t len = (size_t)BN_num_bytes(key->n);
    size_t p_len = (size_t)BN_num_bytes(key->p), q_len = (size_t)BN_num_bytes(key->q);
    kvp_status st = put(key->d, len, &parts->d);

    if (st == KVP_OK)
        st = put(key->p, p_len, &parts->p);
    if (st == KVP_OK)
        st = put(key->q, q_len, &parts->q);
    if (st == KVP_OK)
        st = put(key->dp, p_len, &parts->dp);
    if (st == KVP_OK)
        st = put(key->dq, q_len, &parts->dq);
    return st == KVP_OK ? put(key->qi, p_len, &parts->qi) : st;
}

static bool load(rsa *key, const kvp_key *public_key, const kvp_private_parts *parts)
{
    *key =
        (rsa){ number(&public_key->n), number(&public_key->e), number(&parts->d), number(&parts->p),
               number(&parts->q),      BN_secure_new(),        BN_secure_new(),   BN_secure_new() };
    return key->n && key->e && key->d && key->p && key->q && key->dp && key->dq && key->qi;
}

kvp_status kvp_rsa_complete(const kvp_key *key, kvp_private_parts *parts, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    KVP_CLEANUP(rsa_clear) rsa numbers = { 0 };
    KVP_CLEANUP(bn_ctx_freep) BN_CTX *ctx = NULL;
    const kvp_buf *given[] = {
        &parts->d, &parts->p, &parts->q, &parts->dp, &parts->dq, &parts->qi
    };
    kvp_status st;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "completing an RSA key");
    for (size_t i = 0; i < KVP_ARRAY_LEN(given); i++)
        if (given[i]->len > key->n.len + 64)
            return kvp_error_set(reterr, KVP_ERR_PARSE, "a part that is larger than the modulus");
    ctx = BN_CTX_secure_new_ex(kvp_ossl_ctx());
    if (!ctx || !load(&numbers, key, parts))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "RSA key");
    if (BN_is_zero(numbers.n) || BN_is_zero(numbers.e) || BN_is_zero(numbers.d) ||
        !complete(&numbers, ctx))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "numbers that are no RSA key");
    /* Without a prime beside them, exponents and coefficient do not say which prime is the first.
     */
    if ((parts->p.len || parts->q.len) &&
        (!agrees(&parts->dp, numbers.dp) || !agrees(&parts->dq, numbers.dq) ||
         !agrees(&parts->qi, numbers.qi)))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "parts of different RSA keys");
    st = put_rsa(&numbers, parts);
    return st == KVP_OK ? st : kvp_error_set(reterr, st, "RSA key");
}

/* ---- EC ---- */

static kvp_status put_point(const EC_GROUP *group, const BIGNUM *d, size_t width, kvp_key *key,
                            BN_CTX *ctx)
{
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *x = BN_new(), *y = BN_new();
    kvp_status st = KVP_ERR_NO_MEMORY;

    if (point && x && y && EC_POINT_mul(group, point, d, NULL, NULL, ctx) == 1 &&
        EC_POINT_get_affine_coordinates(group, point, x, y, ctx) == 1) {
        st = put(x, width, &key->x);
        if (st == KVP_OK)
            st = put(y, width, &key->y);
    }
    EC_POINT_free(point);
    BN_free(x);
    BN_free(y);
    return st;
}

kvp_status kvp_ec_complete(kvp_key *key, kvp_private_parts *parts, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    KVP_CLEANUP(bn_ctx_freep) BN_CTX *ctx = NULL;
    KVP_CLEANUP(bn_freep) BIGNUM *d = NULL;
    const kvp_curve_info *info;
    EC_GROUP *group;
    kvp_status st;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "completing an EC key");
    if (key->curve == KVP_CURVE_NONE || (unsigned)key->curve >= KVP_CURVE_COUNT)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "an EC key on no curve of ours");
    info = &kvp_curves[key->curve];
    if (parts->d.len == 0 || parts->d.len > info->coordinate_len + 64U)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a private value that does not fit the curve");
    ctx = BN_CTX_secure_new_ex(kvp_ossl_ctx());
    d = number(&parts->d);
    group = EC_GROUP_new_by_curve_name_ex(kvp_ossl_ctx(), NULL, OBJ_txt2nid(info->openssl_name));
    if (!ctx || !d || !group)
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "EC key");
    else if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0)
        st = kvp_error_set(reterr, KVP_ERR_PARSE, "a private value that is not below the order");
    else if ((st = put_point(group, d, info->coordinate_len, key, ctx)) != KVP_OK ||
             (st = put(d, info->coordinate_len, &parts->d)) != KVP_OK)
        kvp_error_set(reterr, st, "EC key");
    EC_GROUP_free(group);
    return st;
}
