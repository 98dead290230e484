/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "token/handle_table.h"

#include <check.h>
#include <stdlib.h>

typedef struct item {
    int refs;
    int number;
} item;

static kvp_handle_table table;
static item items[100];

static void ref_item(void *p)
{
    ((item *)p)->refs++;
}

static void setup(void)
{
    ck_assert_int_eq(kvp_handle_table_init(&table, CKR_SESSION_HANDLE_INVALID, ref_item), KVP_OK);
    for (int i = 0; i < 100; i++) {
        items[i].refs = 1;
        items[i].number = i;
    }
}

static void teardown(void)
{
    kvp_handle_table_clear(&table);
}

static CK_ULONG add(int i)
{
    CK_ULONG handle = CK_INVALID_HANDLE;

    ck_assert_int_eq(kvp_handle_table_add(&table, &items[i], &handle), KVP_OK);
    ck_assert(handle != CK_INVALID_HANDLE);
    return handle;
}

START_TEST(get_gives_the_item_and_a_reference)
{
    CK_ULONG handle = add(3);
    void *found = NULL;

    ck_assert(kvp_handle_table_get(&table, handle, &found) == CKR_OK);

    ck_assert_ptr_eq(found, &items[3]);
    ck_assert_int_eq(items[3].refs, 2);
}
END_TEST

START_TEST(many_items_keep_their_handles)
{
    CK_ULONG handles[100];

    for (int i = 0; i < 100; i++)
        handles[i] = add(i);

    for (int i = 0; i < 100; i++) {
        void *found = NULL;
        ck_assert(kvp_handle_table_get(&table, handles[i], &found) == CKR_OK);
        ck_assert_ptr_eq(found, &items[i]);
    }
}
END_TEST

START_TEST(unknown_handles_are_the_tables_own_invalid)
{
    static const CK_ULONG unknown[] = { 0, 1, 16, 17, 0xffff, 0x10001, ~(CK_ULONG)0 };
    CK_ULONG handle = add(0);

    for (size_t i = 0; i < KVP_ARRAY_LEN(unknown); i++) {
        void *found = &table;
        if (unknown[i] == handle)
            continue;
        ck_assert(kvp_handle_table_get(&table, unknown[i], &found) == CKR_SESSION_HANDLE_INVALID);
        ck_assert(kvp_handle_table_remove(&table, unknown[i], &found) ==
                  CKR_SESSION_HANDLE_INVALID);
        ck_assert_msg(found == &table, "output touched for %lx", unknown[i]);
    }
}
END_TEST

START_TEST(a_handle_does_not_name_the_next_item_in_its_place)
{
    CK_ULONG old = add(0), new;
    void *found = NULL;

    ck_assert(kvp_handle_table_remove(&table, old, &found) == CKR_OK);
    ck_assert_ptr_eq(found, &items[0]);
    new = add(1);

    ck_assert(new != old);
    ck_assert(kvp_handle_table_get(&table, old, &found) == CKR_SESSION_HANDLE_INVALID);
    ck_assert(kvp_handle_table_remove(&table, old, &found) == CKR_SESSION_HANDLE_INVALID);
    ck_assert(kvp_handle_table_get(&table, new, &found) == CKR_OK);
    ck_assert_ptr_eq(found, &items[1]);
}
END_TEST

START_TEST(handles_of_an_earlier_table_are_not_valid)
{
    CK_ULONG handle = add(0);
    void *found;

    kvp_handle_table_clear(&table);
    setup();
    add(1);

    ck_assert(kvp_handle_table_get(&table, handle, &found) == CKR_SESSION_HANDLE_INVALID);
}
END_TEST

static bool is_odd(const void *p, const void *user)
{
    (void)user;
    return ((const item *)p)->number % 2 == 1;
}

START_TEST(pop_takes_out_what_matches_and_no_more)
{
    CK_ULONG handles[10];
    size_t cursor = 0, taken = 0;
    item *it;
    void *found;

    for (int i = 0; i < 10; i++)
        handles[i] = add(i);
    while ((it = kvp_handle_table_pop(&table, &cursor, is_odd, NULL)) != NULL) {
        ck_assert_int_eq(it->number % 2, 1);
        ck_assert_int_eq(it->refs, 1);
        taken++;
    }

    ck_assert_uint_eq(taken, 5);
    for (int i = 0; i < 10; i++)
        ck_assert(kvp_handle_table_get(&table, handles[i], &found) ==
                  (i % 2 ? CKR_SESSION_HANDLE_INVALID : CKR_OK));
    cursor = 0;
    while (kvp_handle_table_pop(&table, &cursor, NULL, NULL))
        taken++;
    ck_assert_uint_eq(taken, 10);
}
END_TEST

START_TEST(add_without_memory_leaves_the_reference_with_the_caller)
{
    CK_ULONG handle = 7;

    kvp_alloc_fail_after(0);
    ck_assert_int_eq(kvp_handle_table_add(&table, &items[0], &handle), KVP_ERR_NO_MEMORY);
    kvp_alloc_fail_after(-1);

    ck_assert_uint_eq(handle, 7);
    ck_assert_int_eq(items[0].refs, 1);
    add(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handle_table");
    TCase *tcase = tcase_create("handles");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, get_gives_the_item_and_a_reference);
    tcase_add_test(tcase, many_items_keep_their_handles);
    tcase_add_test(tcase, unknown_handles_are_the_tables_own_invalid);
    tcase_add_test(tcase, a_handle_does_not_name_the_next_item_in_its_place);
    tcase_add_test(tcase, handles_of_an_earlier_table_are_not_valid);
    tcase_add_test(tcase, pop_takes_out_what_matches_and_no_more);
    tcase_add_test(tcase, add_without_memory_leaves_the_reference_with_the_caller);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
