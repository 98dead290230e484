/* SPDX-License-Identifier: MIT */
/* Request bodies, byte for byte; what cannot be written; torture. */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void *torture_malloc(size_t size)
{
    return kvp_calloc(1, size);
}

START_TEST(operations_carry_what_they_are_given)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(0), iv = KVP_BUF_INIT(0), tag = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_jwk_format_operation("RS256", "foo", 3, NULL, NULL, NULL, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"alg\":\"RS256\",\"value\":\"Zm9v\"}");
    kvp_buf_clear(&out);
    ck_assert_int_eq(kvp_buf_set(&iv, "\xff", 1), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&tag, "fo", 2), KVP_OK);
    ck_assert_int_eq(kvp_jwk_format_operation("A128GCM", NULL, 0, &iv, &iv, &tag, &out), KVP_OK);
    ck_assert_str_eq(
        kvp_buf_str(&out),
        "{\"alg\":\"A128GCM\",\"value\":\"\",\"iv\":\"_w\",\"aad\":\"_w\",\"tag\":\"Zm8\"}");
    kvp_buf_clear(&out);
    ck_assert_int_eq(kvp_jwk_format_verify("HS256", "foo", 3, "fo", 2, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out),
                     "{\"alg\":\"HS256\",\"digest\":\"Zm9v\",\"value\":\"Zm8\"}");
    kvp_buf_clear(&out);
    ck_assert_int_eq(kvp_jwk_format_random(128, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"count\":128}");
    kvp_buf_clear(&out);
    kvp_buf_clear(&iv);
    kvp_buf_clear(&tag);
}
END_TEST

START_TEST(a_body_that_does_not_fit_leaves_nothing)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(20);

    ck_assert_int_eq(kvp_jwk_format_operation("RS256", "foo", 3, NULL, NULL, NULL, &out),
                     KVP_ERR_TOO_LARGE);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_str_eq(kvp_buf_str(&out), "");
    kvp_buf_clear(&out);
}
END_TEST

/* Compare without regard to the order of members. */
static void assert_json(const kvp_buf *out, const char *expected)
{
    json_t *a = json_loads(kvp_buf_str(out), 0, NULL), *b = json_loads(expected, 0, NULL);

    ck_assert_ptr_nonnull(b);
    ck_assert_msg(a && json_equal(a, b), "%s", kvp_buf_str(out));
    json_decref(a);
    json_decref(b);
}

static kvp_tag example_tags[] = { { (char[]){ "a" }, (char[]){ "q\"\\\n\xc3\xa4" } } };

static const struct {
    kvp_key_create create;
    const char *json; /* NULL: KVP_ERR_INVALID */
} creates[] = {
    { { .kty = KVP_KTY_RSA }, "{\"kty\":\"RSA\"}" },
    { { .kty = KVP_KTY_RSA, .hsm = true, .key_bits = 3072, .ops = KVP_OP_SIGN | KVP_OP_UNWRAP },
      "{\"kty\":\"RSA-HSM\",\"key_size\":3072,\"key_ops\":[\"sign\",\"unwrapKey\"]}" },
    { { .kty = KVP_KTY_EC, .curve = KVP_CURVE_P256K, .key_bits = 256 },
      "{\"kty\":\"EC\",\"crv\":\"P-256K\"}" },
    { { .kty = KVP_KTY_OCT,
        .hsm = true,
        .key_bits = 256,
        .not_before = 1,
        .expires = 2,
        .tags = example_tags,
        .tag_count = 1 },
      "{\"kty\":\"oct-HSM\",\"key_size\":256,\"attributes\":{\"nbf\":1,\"exp\":2},"
      "\"tags\":{\"a\":\"q\\\"\\\\\\n\xc3\xa4\"}}" },
    { { .kty = KVP_KTY_UNKNOWN }, NULL },
    { { .kty = KVP_KTY_EC }, NULL },
    { { .kty = KVP_KTY_RSA, .curve = KVP_CURVE_P256 }, NULL },
};

START_TEST(create_is_written)
{
    kvp_buf out = KVP_BUF_INIT(0);
    kvp_status st = kvp_jwk_format_create(&creates[_i].create, &out);

    ck_assert_int_eq(st, creates[_i].json ? KVP_OK : KVP_ERR_INVALID);
    if (creates[_i].json)
        assert_json(&out, creates[_i].json);
    else
        ck_assert_uint_eq(out.len, 0);
    kvp_buf_clear(&out);
}
END_TEST

static const struct {
    kvp_key_update update;
    kvp_status st;
    const char *json;
} updates[] = {
    { { .ops = 7, .enabled = true, .expires = 4 }, KVP_OK, "{}" },
    { { .set_ops = true }, KVP_OK, "{\"key_ops\":[]}" },
    { { .set_enabled = true, .set_expires = true, .expires = 9 },
      KVP_OK,
      "{\"attributes\":{\"enabled\":false,\"exp\":9}}" },
    { { .set_not_before = true, .not_before = 8 }, KVP_OK, "{\"attributes\":{\"nbf\":8}}" },
    { { .set_tags = true }, KVP_OK, "{\"tags\":{}}" },
    { { .set_expires = true }, KVP_ERR_UNSUPPORTED, NULL },
    { { .set_not_before = true }, KVP_ERR_UNSUPPORTED, NULL },
};

START_TEST(update_sends_what_is_set)
{
    kvp_buf out = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_jwk_format_update(&updates[_i].update, &out), updates[_i].st);
    if (updates[_i].json)
        assert_json(&out, updates[_i].json);
    kvp_buf_clear(&out);
}
END_TEST

START_TEST(tags_must_be_text)
{
    kvp_tag bad[] = { { (char[]){ "a" }, (char[]){ "\xff" } } };
    kvp_key_update update = { .set_tags = true, .tags = bad, .tag_count = 1 };
    kvp_buf out = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_jwk_format_update(&update, &out), KVP_ERR_INVALID);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(each_failing_allocation_is_survived)
{
    kvp_buf out = KVP_BUF_INIT(0);
    long n;

    json_set_alloc_funcs(torture_malloc, kvp_free);
    for (n = 0; n < 1000; n++) {
        kvp_status st;

        kvp_alloc_fail_after(n);
        st = kvp_jwk_format_create(&creates[3].create, &out);
        kvp_alloc_fail_after(-1);
        if (st == KVP_OK)
            break;
        ck_assert_uint_eq(out.len, 0);
    }
    ck_assert_msg(n > 8 && n < 1000, "%ld allocations", n);
    assert_json(&out, creates[3].json);
    kvp_buf_clear(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format");
    TCase *tcase = tcase_create("format");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, operations_carry_what_they_are_given);
    tcase_add_test(tcase, a_body_that_does_not_fit_leaves_nothing);
    tcase_add_loop_test(tcase, create_is_written, 0, (int)KVP_ARRAY_LEN(creates));
    tcase_add_loop_test(tcase, update_sends_what_is_set, 0, (int)KVP_ARRAY_LEN(updates));
    tcase_add_test(tcase, tags_must_be_text);
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
