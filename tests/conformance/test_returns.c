/* SPDX-License-Identifier: MIT */
/*
 * The return values that are particular to a function, one wrong thing at a time in a call that is
 * good otherwise. What all functions share is test_functions.c's, what the vault refuses
 * test_errors.c's.
 */
#include "wrong.h"
#include "support/keyvaultd.h"

static world *const w = &main_world;

static void expect(const wrong_case *c)
{
    const function_row *row = function_row_find(c->function);
    word v[ARGUMENTS_MAX];

    ck_assert(row != NULL);
    function_begin(w, row);
    function_fill(w, row, v);
    c->spoil(v);
    assert_row_rv(row, c->what, c->rv, row->call(v));
}

START_TEST(one_wrong_thing_has_its_own_code)
{
    expect(&wrong_cases[_i]);
}
END_TEST

START_TEST(one_wrong_thing_of_a_message_has_its_own_code)
{
    expect(&wrong_message_cases[_i]);
}
END_TEST

/* ---- C_Initialize ---- */

static CK_BBOOL yes = CK_TRUE;

static CK_RV make_mutex(CK_VOID_PTR_PTR mutex)
{
    *mutex = &yes;
    return CKR_OK;
}

static CK_RV use_mutex(CK_VOID_PTR mutex)
{
    return mutex == &yes ? CKR_OK : CKR_MUTEX_BAD;
}

static char library_parameters[] = "configdir=''";
static const struct {
    CK_C_INITIALIZE_ARGS args;
    CK_RV rv;
} initializations[] = {
    { { NULL, NULL, NULL, NULL, 0, NULL }, CKR_OK },
    { { NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, NULL }, CKR_OK },
    { { NULL, NULL, NULL, NULL, CKF_LIBRARY_CANT_CREATE_OS_THREADS, NULL }, CKR_OK },
    { { NULL, NULL, NULL, NULL, CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK, NULL },
      CKR_OK },
    { { make_mutex, use_mutex, use_mutex, use_mutex, 0, NULL }, CKR_OK },
    { { make_mutex, use_mutex, use_mutex, use_mutex, CKF_OS_LOCKING_OK, NULL }, CKR_OK },
    { { make_mutex, NULL, NULL, NULL, 0, NULL }, CKR_ARGUMENTS_BAD },
    { { make_mutex, use_mutex, use_mutex, NULL, CKF_OS_LOCKING_OK, NULL }, CKR_ARGUMENTS_BAD },
    { { NULL, use_mutex, use_mutex, use_mutex, 0, NULL }, CKR_ARGUMENTS_BAD },
    /* NSS's library parameters */
    { { NULL, NULL, NULL, NULL, CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK,
        library_parameters },
      CKR_OK },
};

START_TEST(initialize_takes_what_the_standard_allows)
{
    CK_C_INITIALIZE_ARGS args = initializations[_i].args;
    CK_INFO info;

    for (int again = 0; again < 2; again++) {
        assert_rv(initializations[_i].rv, p11_3->C_Initialize(&args));
        if (initializations[_i].rv != CKR_OK) {
            assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, p11_3->C_GetInfo(&info));
            continue;
        }
        assert_rv(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11_3->C_Initialize(&args));
        assert_rv(CKR_OK, p11_3->C_GetInfo(&info));
        assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("returns");
    TCase *wrong = tcase_create("wrong"), *initialize = tcase_create("initialize");

    conformance_without_threads();
    conformance_start("vault");
    tcase_add_unchecked_fixture(wrong, functions_prepare, NULL);
    tcase_add_checked_fixture(wrong, world_setup, world_teardown);
    tcase_add_loop_test(wrong, one_wrong_thing_has_its_own_code, 0, (int)wrong_case_count);
    tcase_add_loop_test(wrong, one_wrong_thing_of_a_message_has_its_own_code, 0,
                        (int)wrong_message_case_count);
    suite_add_tcase(suite, wrong);
    tcase_add_loop_test(initialize, initialize_takes_what_the_standard_allows, 0,
                        (int)KVP_ARRAY_LEN(initializations));
    suite_add_tcase(suite, initialize);
    return module_run_suite(suite);
}
