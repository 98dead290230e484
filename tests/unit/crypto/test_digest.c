/* SPDX-License-Identifier: MIT */
/* Digests against published values, DigestInfo, EC points, random bytes. */
#include "base/alloc.h"
#include "crypto/crypto.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SHA of "abc" and of nothing: FIPS 180-4 and FIPS 202 example values published by NIST. */
static const struct {
    kvp_hash hash;
    size_t len;
    const char *abc;
    const char *empty;
} vectors[] = {
    { KVP_HASH_SHA1, 20, "a9993e364706816aba3e25717850c26c9cd0d89d",
      "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
    { KVP_HASH_SHA224, 28, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
      "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f" },
    { KVP_HASH_SHA256, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { KVP_HASH_SHA384, 48,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
      "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b" },
    { KVP_HASH_SHA512, 64,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
    { KVP_HASH_SHA3_224, 28, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
      "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7" },
    { KVP_HASH_SHA3_256, 32, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
      "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a" },
    { KVP_HASH_SHA3_384, 48,
      "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
      "0c63a75b845e4f7d01107d852e4c2485c51a50aaaa94fc61995e71bbee983a2ac3713831264adb47fb6bd1e058d5f004" },
    { KVP_HASH_SHA3_512, 64,
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
      "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
      "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
      "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26" },
};

static void assert_hex(const uint8_t *data, size_t len, const char *hex)
{
    char got[2 * KVP_HASH_MAX_LEN + 1];

    for (size_t i = 0; i < len; i++)
        snprintf(got + 2 * i, 3, "%02x", data[i]);
    ck_assert_str_eq(got, hex);
}

START_TEST(each_hash_gives_its_published_value)
{
    uint8_t out[KVP_HASH_MAX_LEN];

    ck_assert_uint_eq(kvp_hash_len(vectors[_i].hash), vectors[_i].len);
    ck_assert_int_eq(kvp_digest_once(vectors[_i].hash, "abc", 3, out), KVP_OK);
    assert_hex(out, vectors[_i].len, vectors[_i].abc);
    ck_assert_int_eq(kvp_digest_once(vectors[_i].hash, NULL, 0, out), KVP_OK);
    assert_hex(out, vectors[_i].len, vectors[_i].empty);
}
END_TEST

START_TEST(a_copy_goes_its_own_way)
{
    kvp_digest *digest = NULL, *copy;
    uint8_t out[KVP_HASH_MAX_LEN];

    ck_assert_int_eq(kvp_digest_new(vectors[_i].hash, &digest, NULL), KVP_OK);
    ck_assert_int_eq(kvp_digest_update(digest, "a", 1), KVP_OK);
    ck_assert_int_eq(kvp_digest_update(digest, NULL, 0), KVP_OK);
    copy = kvp_digest_copy(digest);
    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(kvp_digest_update(digest, "xx", 2), KVP_OK);
    ck_assert_int_eq(kvp_digest_update(copy, "bc", 2), KVP_OK);

    ck_assert_int_eq(kvp_digest_final(copy, out), KVP_OK);

    assert_hex(out, vectors[_i].len, vectors[_i].abc);
    kvp_digest_free(digest);
    kvp_digest_free(copy);
}
END_TEST

START_TEST(a_digest_survives_each_failing_allocation)
{
    for (long n = 0;; n++) {
        kvp_digest *digest = NULL, *copy = NULL;
        kvp_status st;

        kvp_alloc_fail_after(n);
        st = kvp_digest_new(KVP_HASH_SHA256, &digest, NULL);
        copy = st == KVP_OK ? kvp_digest_copy(digest) : NULL;
        kvp_alloc_fail_after(-1);
        ck_assert(st == KVP_OK || digest == NULL);
        kvp_digest_free(digest);
        kvp_digest_free(copy);
        if (copy)
            break;
        ck_assert_int_lt(n, 100);
    }
}
END_TEST

START_TEST(no_hash_is_refused)
{
    kvp_digest *digest = NULL;
    kvp_error error = { 0 };
    uint8_t out[KVP_HASH_MAX_LEN];
    kvp_buf buf = { 0 };

    ck_assert_int_eq(kvp_digest_new(KVP_HASH_NONE, &digest, &error), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_digest_new(KVP_HASH_COUNT, &digest, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_digest_once(KVP_HASH_NONE, "a", 1, out), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_digest_info_build(KVP_HASH_NONE, out, &buf), KVP_ERR_INVALID);
    ck_assert_uint_eq(kvp_hash_len(KVP_HASH_NONE), 0);
    ck_assert_ptr_null(kvp_hash_name(KVP_HASH_NONE));
    ck_assert_ptr_null(digest);
    kvp_digest_free(NULL);
    ck_assert_ptr_null(kvp_digest_copy(NULL));
}
END_TEST

START_TEST(a_digest_info_is_known_again)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    const uint8_t *found = NULL;
    kvp_buf der = { 0 };

    memset(digest, 0xa5, sizeof(digest));
    ck_assert_int_eq(kvp_digest_info_build(vectors[_i].hash, digest, &der), KVP_OK);

    ck_assert_int_eq(kvp_digest_info_parse(der.data, der.len, &found), vectors[_i].hash);

    ck_assert_ptr_eq(found, der.data + der.len - vectors[_i].len);
    ck_assert_mem_eq(found, digest, vectors[_i].len);
    kvp_buf_clear(&der);
}
END_TEST

START_TEST(nothing_but_the_exact_digest_info_is_recognised)
{
    uint8_t digest[KVP_HASH_MAX_LEN] = { 0 };
    const uint8_t *found = NULL;
    kvp_buf der = { 0 };
    size_t prefix_len;

    ck_assert_int_eq(kvp_digest_info_build(vectors[_i].hash, digest, &der), KVP_OK);
    prefix_len = der.len - vectors[_i].len;
    for (size_t len = 0; len < der.len; len++)
        ck_assert_int_eq(kvp_digest_info_parse(der.data, len, &found), KVP_HASH_NONE);
    for (size_t i = 0; i < prefix_len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            der.data[i] ^= (uint8_t)(1u << bit);
            ck_assert_msg(kvp_digest_info_parse(der.data, der.len, &found) != vectors[_i].hash,
                          "byte %zu bit %u", i, bit);
            der.data[i] ^= (uint8_t)(1u << bit);
        }
    ck_assert_int_eq(kvp_buf_append(&der, "x", 1), KVP_OK);
    ck_assert_int_eq(kvp_digest_info_parse(der.data, der.len, &found), KVP_HASH_NONE);
    ck_assert_int_eq(kvp_digest_info_parse(NULL, 0, &found), KVP_HASH_NONE);
    ck_assert_ptr_null(found);
    kvp_buf_clear(&der);
}
END_TEST

START_TEST(a_digest_info_too_large_for_its_buffer_is_refused)
{
    uint8_t digest[KVP_HASH_MAX_LEN] = { 0 };
    kvp_buf der = KVP_BUF_INIT(20);

    ck_assert_int_ne(kvp_digest_info_build(KVP_HASH_SHA256, digest, &der), KVP_OK);
    ck_assert_uint_eq(der.len, 0);
}
END_TEST

START_TEST(an_ec_point_keeps_its_coordinates)
{
    kvp_curve curve = (kvp_curve)_i;
    size_t width = kvp_curves[curve].coordinate_len;
    uint8_t x[66] = { 0 }, y[66] = { 0 };
    const uint8_t *got_x = NULL, *got_y = NULL;
    size_t header = curve == KVP_CURVE_P521 ? 3 : 2;
    kvp_buf der = { 0 };

    x[width - 1] = 1;
    y[0] = 2;
    ck_assert_int_eq(kvp_ec_point_encode(curve, x, y, &der), KVP_OK);
    ck_assert_uint_eq(der.len, header + 1 + 2 * width);

    ck_assert_int_eq(kvp_ec_point_decode(curve, der.data, der.len, &got_x, &got_y), KVP_OK);
    ck_assert_mem_eq(got_x, x, width);
    ck_assert_mem_eq(got_y, y, width);
    ck_assert_int_eq(
        kvp_ec_point_decode(curve, der.data + header, der.len - header, &got_x, &got_y), KVP_OK);
    ck_assert_mem_eq(got_x, x, width);
    ck_assert_mem_eq(got_y, y, width);
    kvp_buf_clear(&der);
}
END_TEST

START_TEST(a_malformed_ec_point_is_refused)
{
    kvp_curve curve = (kvp_curve)_i;
    uint8_t zero[66] = { 0 };
    const uint8_t *x = NULL, *y = NULL;
    size_t header = curve == KVP_CURVE_P521 ? 3 : 2;
    kvp_buf der = { 0 };

    ck_assert_int_eq(kvp_ec_point_encode(curve, zero, zero, &der), KVP_OK);
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *exact;

        /* Cut to a bare point's length, the tag looks like its 04; the curve tells them apart. */
        if (len == 1 + 2 * kvp_curves[curve].coordinate_len)
            continue;
        exact = kvp_memdup(der.data, len); /* so that reading past the end is noticed */
        ck_assert_int_eq(kvp_ec_point_decode(curve, exact, len, &x, &y), KVP_ERR_PARSE);
        kvp_free(exact);
    }
    for (size_t i = 0; i <= header; i++) {
        der.data[i] ^= 1;
        ck_assert_int_eq(kvp_ec_point_decode(curve, der.data, der.len, &x, &y), KVP_ERR_PARSE);
        der.data[i] ^= 1;
    }
    der.data[header] = 2; /* compressed form */
    ck_assert_int_eq(kvp_ec_point_decode(curve, der.data + header, der.len - header, &x, &y),
                     KVP_ERR_PARSE);
    ck_assert_ptr_null(x);
    ck_assert_int_eq(kvp_ec_point_decode(KVP_CURVE_NONE, der.data, der.len, &x, &y),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_ec_point_encode(KVP_CURVE_NONE, zero, zero, &der), KVP_ERR_INVALID);
    kvp_buf_clear(&der);
}
END_TEST

START_TEST(a_uuid_is_of_version_4_and_never_the_same)
{
    char first[37], second[37];

    ck_assert_int_eq(kvp_random_uuid(first), KVP_OK);
    ck_assert_int_eq(kvp_random_uuid(second), KVP_OK);

    ck_assert_str_ne(first, second);
    ck_assert_uint_eq(strlen(first), 36);
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23)
            ck_assert_int_eq(first[i], '-');
        else
            ck_assert(isdigit((unsigned char)first[i]) || (first[i] >= 'a' && first[i] <= 'f'));
    ck_assert_int_eq(first[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", first[19]));
}
END_TEST

START_TEST(random_fills_any_length)
{
    static uint8_t large[100000], zero[64];

    ck_assert_int_eq(kvp_random(NULL, 0), KVP_OK);
    ck_assert_int_eq(kvp_random(large, sizeof(large)), KVP_OK);
    /* A seed is taken, and what comes is as random as before. */
    ck_assert_int_eq(kvp_random_seed(large, sizeof(large)), KVP_OK);
    ck_assert_int_eq(kvp_random_seed(NULL, 0), KVP_OK);

    ck_assert_mem_ne(large + sizeof(large) - sizeof(zero), zero, sizeof(zero));
    ck_assert_mem_ne(large, large + 500, 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *digest = tcase_create("digest"), *info = tcase_create("digest_info");
    TCase *point = tcase_create("ec_point"), *random = tcase_create("random");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(digest, each_hash_gives_its_published_value, 0, KVP_ARRAY_LEN(vectors));
    tcase_add_loop_test(digest, a_copy_goes_its_own_way, 0, KVP_ARRAY_LEN(vectors));
    tcase_add_test(digest, a_digest_survives_each_failing_allocation);
    tcase_add_test(digest, no_hash_is_refused);
    tcase_add_loop_test(info, a_digest_info_is_known_again, 0, KVP_ARRAY_LEN(vectors));
    tcase_add_loop_test(info, nothing_but_the_exact_digest_info_is_recognised, 0,
                        KVP_ARRAY_LEN(vectors));
    tcase_add_test(info, a_digest_info_too_large_for_its_buffer_is_refused);
    tcase_add_loop_test(point, an_ec_point_keeps_its_coordinates, 1, KVP_CURVE_COUNT);
    tcase_add_loop_test(point, a_malformed_ec_point_is_refused, 1, KVP_CURVE_COUNT);
    tcase_add_test(random, a_uuid_is_of_version_4_and_never_the_same);
    tcase_add_test(random, random_fills_any_length);
    suite_add_tcase(suite, digest);
    suite_add_tcase(suite, info);
    suite_add_tcase(suite, point);
    suite_add_tcase(suite, random);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
