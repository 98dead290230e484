/* SPDX-License-Identifier: MIT */
/* base64url and base64: published vectors, strictness, limits. */
#include "jwk/base64url.h"
#include "base/alloc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4648 §10, with the padding that base64url does without. */
static const struct {
    const char *bytes, *padded, *bare;
} vectors[] = {
    { "", "", "" },
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "+//+", "-__-" },
};

START_TEST(vectors_are_encoded_and_decoded)
{
    kvp_buf buf = KVP_BUF_INIT(0);
    const char *bytes = vectors[_i].bytes;

    ck_assert_int_eq(kvp_base64url_encode(bytes, strlen(bytes), &buf), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), vectors[_i].bare);
    kvp_buf_clear(&buf);
    ck_assert_int_eq(kvp_base64_encode(bytes, strlen(bytes), &buf), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), vectors[_i].padded);
    kvp_buf_clear(&buf);
    ck_assert_int_eq(kvp_base64url_decode(vectors[_i].bare, strlen(vectors[_i].bare), &buf),
                     KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), bytes);
    kvp_buf_clear(&buf);
    ck_assert_int_eq(kvp_base64_decode(vectors[_i].padded, strlen(vectors[_i].padded), &buf),
                     KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), bytes);
    ck_assert_uint_eq(buf.len, strlen(bytes));
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(every_length_and_byte_survives_the_round_trip)
{
    uint8_t bytes[70];
    kvp_buf text = KVP_BUF_INIT(0), back = KVP_BUF_INIT(0);

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        kvp_buf_clear(&text);
        kvp_buf_clear(&back);
        ck_assert_int_eq(kvp_base64url_encode(bytes, len, &text), KVP_OK);
        ck_assert_int_eq(kvp_base64url_decode(kvp_buf_str(&text), text.len, &back), KVP_OK);
        ck_assert_uint_eq(back.len, len);
        ck_assert_mem_eq(kvp_buf_str(&back), bytes, len);
    }
    kvp_buf_clear(&text);
    kvp_buf_clear(&back);
}
END_TEST

static const char *const bad_url[] = { "Zg==", "Zm9v\n",   " Zm9v",   "Zm+v", "Zm/v",
                                       "Z",    "Zm9vY",    "Zh",      "Zm9",  "Zm9v.",
                                       "Zm=v", "\xc3\xa4", "Zm9v!mFy" };

START_TEST(base64url_refuses_other_spellings)
{
    kvp_buf buf = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_buf_append_str(&buf, "before"), KVP_OK);
    ck_assert_int_eq(kvp_base64url_decode(bad_url[_i], strlen(bad_url[_i]), &buf), KVP_ERR_PARSE);
    ck_assert_str_eq(kvp_buf_str(&buf), "before");
    kvp_buf_clear(&buf);
}
END_TEST

static const char *const bad_plain[] = { "Zg",   "Zg=",      "Zg===",     "Z===", "====", "=",
                                         "Zm-v", "Zg==Zg==", "Zm9v Zm9v", "Zh==", "Zm9=" };

START_TEST(base64_refuses_other_spellings)
{
    kvp_buf buf = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_base64_decode(bad_plain[_i], strlen(bad_plain[_i]), &buf), KVP_ERR_PARSE);
    ck_assert_uint_eq(buf.len, 0);
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(base64_skips_line_breaks)
{
    kvp_buf buf = KVP_BUF_INIT(0);
    const char text[] = "Zm9v\r\nYmFy\nZg=\n=\n";

    ck_assert_int_eq(kvp_base64_decode(text, strlen(text), &buf), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), "foobarf");
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(a_maximum_is_kept)
{
    kvp_buf buf = KVP_BUF_INIT(4);

    ck_assert_int_eq(kvp_base64url_encode("fooba", 5, &buf), KVP_ERR_TOO_LARGE);
    ck_assert_int_eq(kvp_base64url_decode("Zm9vYmE", 7, &buf), KVP_ERR_TOO_LARGE);
    ck_assert_int_eq(kvp_base64url_decode("Zm9vYg", 6, &buf), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&buf), "foob");
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(lack_of_memory_is_told_apart)
{
    kvp_buf buf = KVP_BUF_INIT(0);

    kvp_alloc_fail_after(0);
    ck_assert_int_eq(kvp_base64url_encode("foo", 3, &buf), KVP_ERR_NO_MEMORY);
    ck_assert_int_eq(kvp_base64url_decode("Zm9v", 4, &buf), KVP_ERR_NO_MEMORY);
    kvp_alloc_fail_after(-1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64url");
    TCase *tcase = tcase_create("base64url");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, vectors_are_encoded_and_decoded, 0, (int)KVP_ARRAY_LEN(vectors));
    tcase_add_test(tcase, every_length_and_byte_survives_the_round_trip);
    tcase_add_loop_test(tcase, base64url_refuses_other_spellings, 0, (int)KVP_ARRAY_LEN(bad_url));
    tcase_add_loop_test(tcase, base64_refuses_other_spellings, 0, (int)KVP_ARRAY_LEN(bad_plain));
    tcase_add_test(tcase, base64_skips_line_breaks);
    tcase_add_test(tcase, a_maximum_is_kept);
    tcase_add_test(tcase, lack_of_memory_is_told_apart);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
