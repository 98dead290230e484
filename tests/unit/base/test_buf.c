/* SPDX-License-Identifier: MIT */
/* Growing buffers: their maximum, their NUL, and what a failure leaves behind. */
#include "base/alloc.h"
#include "base/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(text_is_appended_and_always_ended)
{
    kvp_buf buf = { 0 };

    ck_assert_str_eq(kvp_buf_str(&buf), "");
    ck_assert_int_eq(kvp_buf_append(&buf, "ab\0c", 4), KVP_OK);
    ck_assert_int_eq(kvp_buf_append_str(&buf, "de"), KVP_OK);
    ck_assert_int_eq(kvp_buf_append_fmt(&buf, "%d-%s", 12, "x"), KVP_OK);
    ck_assert_int_eq(kvp_buf_append(&buf, NULL, 0), KVP_OK);

    ck_assert_uint_eq(buf.len, 10);
    ck_assert_mem_eq(buf.data, "ab\0cde12-x", 11);
    kvp_buf_clear(&buf);
    ck_assert_str_eq(kvp_buf_str(&buf), "");
    kvp_buf_clear(NULL);
}
END_TEST

static void fill(bool secret)
{
    kvp_buf buf = { NULL, 0, 0, 0, secret };

    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(kvp_buf_append(&buf, &"0123456789"[i % 10], 1), KVP_OK);

    ck_assert_uint_eq(buf.len, 5000);
    for (size_t i = 0; i < buf.len; i++)
        ck_assert_int_eq(buf.data[i], '0' + (int)(i % 10));
    ck_assert_uint_eq(buf.data[buf.len], 0);
    kvp_buf_clear(&buf);
}

START_TEST(growth_keeps_what_is_there)
{
    fill(_i == 1);
}
END_TEST

START_TEST(the_maximum_is_never_passed)
{
    kvp_buf buf = KVP_BUF_INIT(10);

    ck_assert_int_eq(kvp_buf_append_str(&buf, "0123456789"), KVP_OK);
    ck_assert_int_eq(kvp_buf_append_str(&buf, "x"), KVP_ERR_TOO_LARGE);
    ck_assert_int_eq(kvp_buf_append_fmt(&buf, "%s", "x"), KVP_ERR_TOO_LARGE);
    ck_assert_int_eq(kvp_buf_append(&buf, "x", SIZE_MAX), KVP_ERR_TOO_LARGE);
    ck_assert_ptr_null(kvp_buf_reserve(&buf, 1));
    ck_assert_int_eq(kvp_buf_set(&buf, "01234567890", 11), KVP_ERR_TOO_LARGE);

    ck_assert_str_eq(kvp_buf_str(&buf), "0123456789");
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(a_buffer_that_names_no_maximum_has_the_default)
{
    kvp_buf buf = { 0 };

    ck_assert_ptr_null(kvp_buf_reserve(&buf, KVP_BUF_MAX_DEFAULT + 1));
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(without_memory_the_buffer_is_unchanged)
{
    kvp_buf buf = { .secret = _i == 1 };
    char large[200] = { 0 };

    ck_assert_int_eq(kvp_buf_append_str(&buf, "abc"), KVP_OK);
    kvp_alloc_fail_after(0);
    ck_assert_int_eq(kvp_buf_append(&buf, large, sizeof(large)), KVP_ERR_NO_MEMORY);
    ck_assert_int_eq(kvp_buf_set(&buf, large, sizeof(large)), KVP_ERR_NO_MEMORY);
    ck_assert_int_eq(kvp_buf_append_fmt(&buf, "%200d", 1), KVP_ERR_NO_MEMORY);
    kvp_alloc_fail_after(-1);

    ck_assert_str_eq(kvp_buf_str(&buf), "abc");
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(set_replaces_also_with_a_part_of_itself)
{
    kvp_buf buf = { 0 };

    ck_assert_int_eq(kvp_buf_set(&buf, "abcdef", 6), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&buf, buf.data + 2, 3), KVP_OK);

    ck_assert_str_eq(kvp_buf_str(&buf), "cde");
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(reserved_room_is_behind_the_content)
{
    kvp_buf buf = { 0 };
    uint8_t *at;

    ck_assert_int_eq(kvp_buf_append_str(&buf, "ab"), KVP_OK);
    at = kvp_buf_reserve(&buf, 100);
    ck_assert_ptr_eq(at, buf.data + 2);
    ck_assert_uint_eq(buf.len, 2);
    memset(at, 'x', 100);
    kvp_buf_clear(&buf);
}
END_TEST

START_TEST(taking_moves_the_content)
{
    kvp_buf from = KVP_BUF_INIT_SECRET(100), to = { 0 };

    ck_assert_int_eq(kvp_buf_append_str(&from, "abc"), KVP_OK);
    ck_assert_int_eq(kvp_buf_append_str(&to, "old"), KVP_OK);
    kvp_buf_take(&to, &from);
    kvp_buf_take(&to, &to);

    ck_assert_str_eq(kvp_buf_str(&to), "abc");
    ck_assert(to.secret && to.max == 100);
    ck_assert_str_eq(kvp_buf_str(&from), "");
    ck_assert(from.secret && from.max == 100);
    kvp_buf_clear(&to);
}
END_TEST

START_TEST(secrets_are_compared_and_wiped)
{
    char a[] = "0123456789", b[] = "0123456780";

    ck_assert(kvp_equal_secret(a, b, 9));
    ck_assert(!kvp_equal_secret(a, b, 10));
    ck_assert(kvp_equal_secret(NULL, NULL, 0));
    kvp_wipe(a, 9);
    ck_assert_mem_eq(a, "\0\0\0\0\0\0\0\0\0" "9", 11);
    kvp_wipe(NULL, 5);
    kvp_wipe(a, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tc = tcase_create("buf");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, text_is_appended_and_always_ended);
    tcase_add_loop_test(tc, growth_keeps_what_is_there, 0, 2);
    tcase_add_test(tc, the_maximum_is_never_passed);
    tcase_add_test(tc, a_buffer_that_names_no_maximum_has_the_default);
    tcase_add_loop_test(tc, without_memory_the_buffer_is_unchanged, 0, 2);
    tcase_add_test(tc, set_replaces_also_with_a_part_of_itself);
    tcase_add_test(tc, reserved_room_is_behind_the_content);
    tcase_add_test(tc, taking_moves_the_content);
    tcase_add_test(tc, secrets_are_compared_and_wiped);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
