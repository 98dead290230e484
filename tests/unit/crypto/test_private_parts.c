/* SPDX-License-Identifier: MIT */
/* Keys that lack parts are completed to what OpenSSL made; what fits nothing is refused. */
#include "tests/unit/crypto/keys.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>

enum { D, P, Q, DP, DQ, QI, RSA_PARTS };
static const char *const rsa_names[RSA_PARTS] = {
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
    OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

/* A number of @pkey in @len bytes, its own length for 0. */
static void read_number(EVP_PKEY *pkey, const char *name, size_t len, kvp_buf *ret)
{
    BIGNUM *bn = NULL;
    uint8_t bytes[1024];

    ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
    if (len == 0)
        len = (size_t)BN_num_bytes(bn);
    ck_assert_int_eq(BN_bn2binpad(bn, bytes, (int)len), (int)len);
    ck_assert_int_eq(kvp_buf_set(ret, bytes, len), KVP_OK);
    BN_clear_free(bn);
}

static kvp_buf *part_of(kvp_private_parts *parts, int i)
{
    kvp_buf *const all[RSA_PARTS] = { &parts->d,  &parts->p,  &parts->q,
                                      &parts->dp, &parts->dq, &parts->qi };

    return all[i];
}

static void rsa_parts(const test_key *from, kvp_private_parts *ret)
{
    for (int i = 0; i < RSA_PARTS; i++)
        read_number(from->pkey, rsa_names[i], i == D ? from->n_len : 0, part_of(ret, i));
}

static void rsa_public(const test_key *from, kvp_key *ret)
{
    *ret = (kvp_key){ .kty = KVP_KTY_RSA };
    ck_assert_int_eq(kvp_buf_set(&ret->n, from->n, from->n_len), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&ret->e, from->e, from->e_len), KVP_OK);
}

static void clear_public(kvp_key *key)
{
    kvp_buf_clear(&key->n);
    kvp_buf_clear(&key->e);
    kvp_buf_clear(&key->x);
    kvp_buf_clear(&key->y);
}

static bool same(const kvp_buf *a, const kvp_buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Which parts are given beside d, as bits; all of it must come out. */
static const unsigned given[] = {
    0,
    1 << P,
    1 << Q,
    1 << P | 1 << Q,
    1 << DP | 1 << DQ,
    1 << P | 1 << QI,
    1 << Q | 1 << DP | 1 << DQ | 1 << QI,
    1 << P | 1 << Q | 1 << DP | 1 << DQ | 1 << QI,
};

START_TEST(an_rsa_key_gets_the_parts_it_lacks)
{
    const test_key *from = &test_rsa_keys[_i % TEST_RSA_COUNT];
    unsigned mask = given[_i / TEST_RSA_COUNT];
    kvp_private_parts whole = KVP_PRIVATE_PARTS_INIT, parts = KVP_PRIVATE_PARTS_INIT;
    kvp_error error = { .status = KVP_OK };
    kvp_key key;

    rsa_public(from, &key);
    rsa_parts(from, &whole);
    rsa_parts(from, &parts);
    for (int i = P; i < RSA_PARTS; i++)
        if (!(mask & 1U << i))
            kvp_buf_clear(part_of(&parts, i));
    ck_assert_msg(kvp_rsa_complete(&key, &parts, &error) == KVP_OK, "%s", error.message);

    /* Found by splitting, the primes may stand the other way round. */
    bool swapped = !(mask & (1U << P | 1U << Q)) && !same(&parts.p, &whole.p);
    ck_assert(same(&parts.d, &whole.d));
    ck_assert(same(&parts.p, swapped ? &whole.q : &whole.p));
    ck_assert(same(&parts.q, swapped ? &whole.p : &whole.q));
    ck_assert(same(&parts.dp, swapped ? &whole.dq : &whole.dp));
    ck_assert(same(&parts.dq, swapped ? &whole.dp : &whole.dq));
    ck_assert(swapped || same(&parts.qi, &whole.qi));
    clear_public(&key);
    kvp_private_parts_clear(&whole);
    kvp_private_parts_clear(&parts);
}
END_TEST

static void flip(kvp_buf *buf)
{
    buf->data[buf->len / 2] ^= 1;
}

START_TEST(a_part_of_another_rsa_key_is_refused)
{
    kvp_private_parts parts = KVP_PRIVATE_PARTS_INIT;
    kvp_key key;

    rsa_public(&test_rsa_keys[0], &key);
    rsa_parts(&test_rsa_keys[0], &parts);
    flip(part_of(&parts, _i));
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    clear_public(&key);
    kvp_private_parts_clear(&parts);
}
END_TEST

START_TEST(numbers_that_are_no_rsa_key_are_refused)
{
    kvp_private_parts parts = KVP_PRIVATE_PARTS_INIT;
    kvp_key key;

    rsa_public(&test_rsa_keys[0], &key);
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    /* d alone, of another modulus */
    rsa_parts(&test_rsa_keys[0], &parts);
    for (int i = P; i < RSA_PARTS; i++)
        kvp_buf_clear(part_of(&parts, i));
    flip(&parts.d);
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    /* trivial factors */
    rsa_parts(&test_rsa_keys[0], &parts);
    ck_assert_int_eq(kvp_buf_set(&parts.p, "\x01", 1), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&parts.q, key.n.data, key.n.len), KVP_OK);
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    /* a modulus of nothing but zeros; an endless part */
    memset(key.n.data, 0, key.n.len);
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    uint8_t *end = kvp_buf_reserve(&parts.d, 100000);
    ck_assert_ptr_nonnull(end);
    memset(end, 1, 100000);
    parts.d.len += 100000;
    ck_assert_int_eq(kvp_rsa_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    clear_public(&key);
    kvp_private_parts_clear(&parts);
}
END_TEST

START_TEST(an_ec_key_gets_its_point)
{
    const test_key *from = &test_ec_keys[_i];
    size_t width = kvp_curves[_i].coordinate_len;
    kvp_private_parts parts = KVP_PRIVATE_PARTS_INIT;
    kvp_buf whole = KVP_BUF_INIT_SECRET(0);
    kvp_key key = { .kty = KVP_KTY_EC, .curve = (kvp_curve)_i };

    read_number(from->pkey, OSSL_PKEY_PARAM_PRIV_KEY, width, &whole);
    read_number(from->pkey, OSSL_PKEY_PARAM_PRIV_KEY, 0, &parts.d); /* leading zeros cut */
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_OK);
    ck_assert(same(&parts.d, &whole));
    ck_assert_uint_eq(key.x.len, width);
    ck_assert_mem_eq(key.x.data, from->x, width);
    ck_assert_uint_eq(key.y.len, width);
    ck_assert_mem_eq(key.y.data, from->y, width);

    /* 0, the whole field, more than that */
    memset(parts.d.data, 0, parts.d.len);
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    memset(parts.d.data, 0xff, parts.d.len);
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    kvp_buf_clear(&parts.d);
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_ERR_PARSE);
    kvp_buf_clear(&whole);
    clear_public(&key);
    kvp_private_parts_clear(&parts);
}
END_TEST

START_TEST(a_point_on_no_curve_of_ours_is_refused)
{
    kvp_private_parts parts = KVP_PRIVATE_PARTS_INIT;
    kvp_key key = { .kty = KVP_KTY_EC, .curve = KVP_CURVE_NONE };

    ck_assert_int_eq(kvp_buf_set(&parts.d, "\x01", 1), KVP_OK);
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_ERR_INVALID);
    key.curve = KVP_CURVE_COUNT;
    ck_assert_int_eq(kvp_ec_complete(&key, &parts, NULL), KVP_ERR_INVALID);
    kvp_private_parts_clear(&parts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("private_parts");
    TCase *rsa = tcase_create("rsa");
    TCase *ec = tcase_create("ec");
    SRunner *runner;
    int failed;

    test_keys_make();
    tcase_set_timeout(rsa, 60);
    tcase_add_loop_test(rsa, an_rsa_key_gets_the_parts_it_lacks, 0,
                        (int)(sizeof(given) / sizeof(*given)) * TEST_RSA_COUNT);
    tcase_add_loop_test(rsa, a_part_of_another_rsa_key_is_refused, 0, RSA_PARTS);
    tcase_add_test(rsa, numbers_that_are_no_rsa_key_are_refused);
    suite_add_tcase(suite, rsa);
    tcase_add_loop_test(ec, an_ec_key_gets_its_point, KVP_CURVE_NONE + 1, KVP_CURVE_COUNT);
    tcase_add_test(ec, a_point_on_no_curve_of_ours_is_refused);
    suite_add_tcase(suite, ec);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_free();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
