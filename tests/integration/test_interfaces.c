/* SPDX-License-Identifier: MIT */
/*
 * The function lists and interfaces (PKCS#11 v3.1 §5.4), and each function by its row in
 * functions.def: before C_Initialize, after C_Finalize, and with zeros for arguments.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <stddef.h>
#include <string.h>

/* A function of a list by its row: enough to call it with nothing but zeros. */
typedef CK_RV (*any_function)(void *, void *, void *, void *, void *, void *, void *, void *,
                              void *, void *);
typedef enum how { REAL, REFUSED, PARALLEL } how;

static const struct row {
    const char *name;
    how how;
    size_t offset; /* in CK_FUNCTION_LIST_3_2 */
} rows[] = {
#define KVP_FN(since, how, name, params) { #name, how, offsetof(CK_FUNCTION_LIST_3_2, C_##name) },
#include "cryptoki/functions.def"
};

static any_function function_at(const void *list, size_t offset)
{
    any_function function;

    memcpy(&function, (const char *)list + offset, sizeof(function));
    return function;
}

static CK_RV call_with_zeros(const struct row *row)
{
    return function_at(p11_3, row->offset)(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                                           NULL);
}

static bool needs_no_module(const struct row *row)
{
    return strcmp(row->name, "Initialize") == 0 || strcmp(row->name, "GetFunctionList") == 0 ||
           strcmp(row->name, "GetInterfaceList") == 0 || strcmp(row->name, "GetInterface") == 0;
}

START_TEST(function_list_is_2_40_and_full)
{
    CK_FUNCTION_LIST *list = NULL;

    assert_rv(CKR_ARGUMENTS_BAD, p11_get_function_list(NULL));
    assert_rv(CKR_OK, p11_get_function_list(&list));

    ck_assert_uint_eq(list->version.major, 2);
    ck_assert_uint_eq(list->version.minor, 40);
    for (size_t i = 0; i < 68; i++)
        ck_assert_msg(function_at(list, rows[i].offset) != NULL, "C_%s is NULL", rows[i].name);
}
END_TEST

/*
 * libp11-kit exports a C_GetFunctionList too, and is in every process that has GnuTLS: what the
 * lists hold must be ours all the same.
 */
START_TEST(lists_hold_the_functions_that_are_exported)
{
    ck_assert(p11->C_GetFunctionList == p11_get_function_list);
    ck_assert(p11_3->C_GetFunctionList == p11_get_function_list);
    ck_assert(p11_3->C_GetInterface == p11_get_interface);
    ck_assert(p11_3->C_GetInterfaceList == p11_get_interface_list);
}
END_TEST

/* Every list by its version: the same functions, as many as that version has. */
static const struct {
    CK_VERSION version;
    size_t functions;
} versions[] = { { { 2, 40 }, 68 }, { { 3, 0 }, 92 }, { { 3, 1 }, 92 }, { { 3, 2 }, 104 } };

START_TEST(interface_of_each_version_is_found_and_full)
{
    CK_VERSION version = versions[_i].version;
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_INTERFACE *interface = NULL;
    const CK_VERSION *got;

    assert_rv(CKR_OK, p11_get_interface(name, &version, &interface, CKF_INTERFACE_FORK_SAFE));

    ck_assert_str_eq((const char *)interface->pInterfaceName, "PKCS 11");
    ck_assert_uint_eq(interface->flags, CKF_INTERFACE_FORK_SAFE);
    got = interface->pFunctionList;
    ck_assert_uint_eq(got->major, version.major);
    ck_assert_uint_eq(got->minor, version.minor);
    for (size_t i = 0; i < versions[_i].functions; i++)
        ck_assert_msg(function_at(got, rows[i].offset) == function_at(p11_3, rows[i].offset),
                      "C_%s of %u.%u is another", rows[i].name, got->major, got->minor);
}
END_TEST

START_TEST(default_interface_is_the_newest)
{
    CK_INTERFACE *interface = NULL;
    CK_UTF8CHAR name[] = "PKCS 11";

    assert_rv(CKR_OK, p11_get_interface(NULL, NULL, &interface, 0));
    ck_assert_ptr_eq(interface->pFunctionList, p11_3);
    interface = NULL;
    assert_rv(CKR_OK, p11_get_interface(name, NULL, &interface, 0));
    ck_assert_ptr_eq(interface->pFunctionList, p11_3);
    assert_rv(CKR_ARGUMENTS_BAD, p11_get_interface(NULL, NULL, NULL, 0));
}
END_TEST

START_TEST(interfaces_that_are_not_there_are_refused)
{
    CK_UTF8CHAR vendor[] = "Vendor NSS FIPS Interface", name[] = "PKCS 11";
    CK_VERSION version = { 2, 20 }, newer = { 3, 3 };
    CK_INTERFACE *interface = (CK_INTERFACE *)name;

    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(vendor, NULL, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(name, &version, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(NULL, &newer, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(name, NULL, &interface, 0x80));

    ck_assert_ptr_eq(interface, (CK_INTERFACE *)name);
}
END_TEST

START_TEST(interface_list_follows_the_rules_of_length)
{
    CK_INTERFACE list[8];
    CK_ULONG count = 0;

    assert_rv(CKR_ARGUMENTS_BAD, p11_get_interface_list(NULL, NULL));
    assert_rv(CKR_OK, p11_get_interface_list(NULL, &count));
    ck_assert_uint_eq(count, 4);
    count = 3;
    assert_rv(CKR_BUFFER_TOO_SMALL, p11_get_interface_list(list, &count));
    ck_assert_uint_eq(count, 4);
    count = 8;
    assert_rv(CKR_OK, p11_get_interface_list(list, &count));
    ck_assert_uint_eq(count, 4);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(list[i].flags, CKF_INTERFACE_FORK_SAFE);
    ck_assert_ptr_eq(list[0].pFunctionList, p11_3);
}
END_TEST

START_TEST(before_initialize_every_function_says_so)
{
    if (!needs_no_module(&rows[_i]))
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, call_with_zeros(&rows[_i]));
}
END_TEST

START_TEST(after_finalize_every_function_says_so)
{
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));

    if (!needs_no_module(&rows[_i]))
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, call_with_zeros(&rows[_i]));
}
END_TEST

START_TEST(zeros_as_arguments_are_survived)
{
    CK_RV rv;

    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    if (strcmp(rows[_i].name, "Finalize") == 0)
        return;
    rv = call_with_zeros(&rows[_i]);

    if (rows[_i].how == PARALLEL)
        assert_rv(CKR_FUNCTION_NOT_PARALLEL, rv);
    else if (strcmp(rows[_i].name, "Initialize") == 0)
        assert_rv(CKR_CRYPTOKI_ALREADY_INITIALIZED, rv);
    else if (strcmp(rows[_i].name, "CloseAllSessions") == 0)
        assert_rv(CKR_OK, rv); /* of slot 0 */
    else
        ck_assert_msg(rv == CKR_ARGUMENTS_BAD || rv == CKR_SESSION_HANDLE_INVALID, "C_%s: %s",
                      rows[_i].name, kvp_ckr_name(rv));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interfaces");
    TCase *lists = tcase_create("lists"), *functions = tcase_create("functions");
    const int row_count = (int)KVP_ARRAY_LEN(rows);

    keyvaultd_start("vault");
    module_load();
    tcase_add_test(lists, function_list_is_2_40_and_full);
    tcase_add_test(lists, lists_hold_the_functions_that_are_exported);
    tcase_add_loop_test(lists, interface_of_each_version_is_found_and_full, 0,
                        (int)KVP_ARRAY_LEN(versions));
    tcase_add_test(lists, default_interface_is_the_newest);
    tcase_add_test(lists, interfaces_that_are_not_there_are_refused);
    tcase_add_test(lists, interface_list_follows_the_rules_of_length);
    tcase_add_loop_test(functions, before_initialize_every_function_says_so, 0, row_count);
    tcase_add_loop_test(functions, after_finalize_every_function_says_so, 0, row_count);
    tcase_add_loop_test(functions, zeros_as_arguments_are_survived, 0, row_count);
    suite_add_tcase(suite, lists);
    suite_add_tcase(suite, functions);
    return module_run_suite(suite);
}
