/* SPDX-License-Identifier: MIT */
/* Allocations, and their failure on demand. */
#include "base/alloc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(memory_comes_zeroed_and_is_never_null_for_nothing)
{
    unsigned char *some = kvp_calloc(3, 5);
    void *nothing = kvp_calloc(0, 0), *shrunk = kvp_realloc(kvp_calloc(1, 9), 0);

    for (int i = 0; i < 15; i++)
        ck_assert_uint_eq(some[i], 0);
    ck_assert_ptr_nonnull(nothing);
    ck_assert_ptr_nonnull(shrunk);
    kvp_free(some);
    kvp_free(nothing);
    kvp_free(shrunk);
    kvp_free(NULL);
}
END_TEST

START_TEST(strings_are_copied)
{
    char *whole = kvp_strdup("abc"), *part = kvp_strndup("abcdef", 2);
    char *less = kvp_strndup("ab", 100), *empty = kvp_strdup("");
    char *made = kvp_asprintf("%s-%d", "x", 7);
    void *bytes = kvp_memdup("a\0b", 3), *none = kvp_memdup(NULL, 0);

    ck_assert_str_eq(whole, "abc");
    ck_assert_str_eq(part, "ab");
    ck_assert_str_eq(less, "ab");
    ck_assert_str_eq(empty, "");
    ck_assert_str_eq(made, "x-7");
    ck_assert_mem_eq(bytes, "a\0b", 3);
    ck_assert_ptr_nonnull(none);
    ck_assert_ptr_null(kvp_strdup(NULL));
    ck_assert_ptr_null(kvp_strndup(NULL, 1));
    kvp_free(whole);
    kvp_free(part);
    kvp_free(less);
    kvp_free(empty);
    kvp_free(made);
    kvp_free(bytes);
    kvp_freep(&none);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(allocations_fail_when_told_to)
{
    void *first, *second;

    kvp_alloc_fail_after(1);
    first = kvp_calloc(1, 1);
    second = kvp_calloc(1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_ptr_null(kvp_realloc(NULL, 1));
    ck_assert_ptr_null(kvp_strdup("a"));
    ck_assert_ptr_null(kvp_strndup("a", 1));
    ck_assert_ptr_null(kvp_asprintf("a"));
    ck_assert_ptr_null(kvp_memdup("a", 1));

    kvp_alloc_fail_after(-1);
    second = kvp_calloc(1, 1);
    ck_assert_ptr_nonnull(second);
    kvp_free(first);
    kvp_free(second);
}
END_TEST

START_TEST(a_failed_growth_leaves_the_old_memory_alone)
{
    char *text = kvp_strdup("abc");

    kvp_alloc_fail_after(0);
    ck_assert_ptr_null(kvp_realloc(text, 100));
    kvp_alloc_fail_after(-1);

    ck_assert_str_eq(text, "abc");
    kvp_free(text);
}
END_TEST

static int freed;

static void count_free(char **text)
{
    if (*text)
        freed++;
    kvp_free(*text);
}

static char *give_away(int keep)
{
    KVP_CLEANUP(count_free) char *text = kvp_strdup("abc");

    return keep ? KVP_STEAL(text) : NULL;
}

START_TEST(what_leaves_its_scope_is_freed_unless_it_was_given_away)
{
    char *text;

    ck_assert_ptr_null(give_away(0));
    ck_assert_int_eq(freed, 1);
    text = give_away(1);
    ck_assert_int_eq(freed, 1);
    ck_assert_str_eq(text, "abc");
    kvp_free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc");
    TCase *tc = tcase_create("alloc");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, memory_comes_zeroed_and_is_never_null_for_nothing);
    tcase_add_test(tc, strings_are_copied);
    tcase_add_test(tc, allocations_fail_when_told_to);
    tcase_add_test(tc, a_failed_growth_leaves_the_old_memory_alone);
    tcase_add_test(tc, what_leaves_its_scope_is_freed_unless_it_was_given_away);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
