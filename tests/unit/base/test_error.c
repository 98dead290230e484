/* SPDX-License-Identifier: MIT */
/* Filling and naming errors. */
#include "base/error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(each_status_has_a_name_of_its_own)
{
    const char *name = kvp_status_name((kvp_status)_i);

    ck_assert_int_eq(strncmp(name, "KVP_", 4), 0);
    for (int i = 0; i < KVP_STATUS_COUNT; i++)
        ck_assert(i == _i || strcmp(name, kvp_status_name((kvp_status)i)) != 0);
}
END_TEST

START_TEST(a_status_from_nowhere_has_a_name)
{
    ck_assert_str_eq(kvp_status_name(KVP_STATUS_COUNT), "KVP_ERR_INTERNAL");
    ck_assert_str_eq(kvp_status_name((kvp_status)-1), "KVP_ERR_INTERNAL");
}
END_TEST

START_TEST(setting_forgets_what_was_there)
{
    kvp_error error = { .http_status = 403, .code = "Forbidden", .request_id = "x" };

    ck_assert_int_eq(kvp_error_set(&error, KVP_ERR_PARSE, "at %d", 7), KVP_ERR_PARSE);

    ck_assert_int_eq(error.status, KVP_ERR_PARSE);
    ck_assert_str_eq(error.message, "at 7");
    ck_assert_int_eq(error.http_status, 0);
    ck_assert_str_eq(error.code, "");
    ck_assert_str_eq(error.request_id, "");
}
END_TEST

START_TEST(a_caller_may_not_want_to_know)
{
    ck_assert_int_eq(kvp_error_set(NULL, KVP_ERR_TLS, "x"), KVP_ERR_TLS);
    kvp_error_prefix(NULL, "x");
    kvp_error_clear(NULL);
}
END_TEST

START_TEST(a_prefix_goes_before_the_message_and_nothing_else_changes)
{
    kvp_error error = { 0 };

    kvp_error_set(&error, KVP_ERR_HTTP, "refused");
    error.http_status = 403;
    kvp_error_prefix(&error, "reading %s: ", "web");

    ck_assert_str_eq(error.message, "reading web: refused");
    ck_assert_int_eq(error.http_status, 403);
    ck_assert_int_eq(error.status, KVP_ERR_HTTP);
}
END_TEST

START_TEST(long_messages_are_cut)
{
    char text[2000];
    kvp_error error = { 0 };

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    kvp_error_set(&error, KVP_ERR_IO, "%s", text);
    ck_assert_uint_eq(strlen(error.message), sizeof(error.message) - 1);
    kvp_error_prefix(&error, "a: ");
    ck_assert_uint_eq(strlen(error.message), sizeof(error.message) - 1);
    ck_assert_int_eq(strncmp(error.message, "a: xx", 5), 0);
    kvp_error_prefix(&error, "%s", text);
    ck_assert_uint_eq(strlen(error.message), sizeof(error.message) - 1);
}
END_TEST

START_TEST(copies_are_printable_and_fit)
{
    char small[4] = "zzz", none[1] = { 'z' };

    kvp_copy_printable(small, sizeof(small), "a\nbcd");
    ck_assert_str_eq(small, "a?b");
    kvp_copy_printable(small, sizeof(small), "\x7f\xc3\xa9");
    ck_assert_str_eq(small, "?\xc3\xa9");
    kvp_copy_printable(small, sizeof(small), NULL);
    ck_assert_str_eq(small, "");
    kvp_copy_printable(none, 1, "abc");
    ck_assert_str_eq(none, "");
    none[0] = 'z';
    kvp_copy_printable(none, 0, "abc");
    ck_assert_int_eq(none[0], 'z');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tc = tcase_create("error");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, each_status_has_a_name_of_its_own, 0, KVP_STATUS_COUNT);
    tcase_add_test(tc, a_status_from_nowhere_has_a_name);
    tcase_add_test(tc, setting_forgets_what_was_there);
    tcase_add_test(tc, a_caller_may_not_want_to_know);
    tcase_add_test(tc, a_prefix_goes_before_the_message_and_nothing_else_changes);
    tcase_add_test(tc, long_messages_are_cut);
    tcase_add_test(tc, copies_are_printable_and_fit);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
