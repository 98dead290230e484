/* SPDX-License-Identifier: MIT */
/*
 * The error table and the names of constants: each row by itself, and what the contract says of
 * all.
 */
#include "token/call.h"
#include "token/constants.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int row_count;

static kvp_error error_of(const kvp_error_row *row)
{
    kvp_error error = { .status = row->status, .http_status = row->http_status };

    if (row->code && row->code[0] == '+')
        snprintf(error.inner_code, sizeof(error.inner_code), "%s", row->code + 1);
    else if (row->code)
        snprintf(error.code, sizeof(error.code), "%s", row->code);
    return error;
}

START_TEST(each_row_is_found_by_what_it_says)
{
    const kvp_error_row *row = &kvp_error_rows[_i];
    const kvp_error error = error_of(row);
    bool found = false;

    for (int kind = 0; kind < KVP_CALL_KIND_COUNT; kind++)
        if (row->kind == -1 || row->kind == kind)
            found |= kvp_error_row_find(&error, kind) == row;

    ck_assert_msg(found, "row %d (%s, HTTP %d, %s) is hidden by an earlier one", _i,
                  kvp_status_name(row->status), row->http_status, row->code ? row->code : "-");
}
END_TEST

START_TEST(each_row_has_a_failure_and_a_sentence_of_advice)
{
    const kvp_error_row *row = &kvp_error_rows[_i];

    ck_assert(row->rv != CKR_OK);
    ck_assert_msg(strncmp(kvp_ckr_name(row->rv), "CKR_", 4) == 0, "row %d", _i);
    ck_assert_uint_gt(strlen(row->advice), 20);
    ck_assert_int_eq(row->advice[strlen(row->advice) - 1], '.');
    ck_assert(row->kind >= -1 && row->kind < KVP_CALL_KIND_COUNT);
}
END_TEST

START_TEST(each_status_is_an_error_in_each_kind_of_call)
{
    kvp_error error = { .status = (kvp_status)_i };

    for (int kind = 0; kind < KVP_CALL_KIND_COUNT; kind++) {
        const kvp_error_row *row = kvp_error_row_find(&error, kind);

        ck_assert(row->rv != CKR_OK);
        ck_assert_msg(row->status == (kvp_status)_i, "%s has no row of its own",
                      kvp_status_name((kvp_status)_i));
    }
}
END_TEST

/* What design.md promises. */
static const struct {
    kvp_status status;
    int http_status;
    const char *code, *inner;
    kvp_call_kind kind;
    CK_RV rv;
} promises[] = {
    { KVP_ERR_HTTP, 401, "Unauthorized", "", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { KVP_ERR_HTTP, 401, "Unauthorized", "", KVP_CALL_OBJECT, CKR_FUNCTION_REJECTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "ForbiddenByRbac", KVP_CALL_KEY,
      CKR_KEY_FUNCTION_NOT_PERMITTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "ForbiddenByRbac", KVP_CALL_OBJECT, CKR_FUNCTION_REJECTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "ForbiddenByRbac", KVP_CALL_CREATE, CKR_FUNCTION_REJECTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "ForbiddenByRbac", KVP_CALL_TOKEN, CKR_FUNCTION_REJECTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "KeyDisabled", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { KVP_ERR_HTTP, 403, "Forbidden", "KeyExpired", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { KVP_ERR_HTTP, 404, "KeyNotFound", "", KVP_CALL_KEY, CKR_KEY_HANDLE_INVALID },
    { KVP_ERR_HTTP, 404, "KeyNotFound", "", KVP_CALL_OBJECT, CKR_OBJECT_HANDLE_INVALID },
    { KVP_ERR_HTTP, 404, "VaultNotFound", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_HTTP, 429, "Throttled", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_HTTP, 503, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_HTTP, 302, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_NETWORK, 0, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_TLS, 0, "", "", KVP_CALL_TOKEN, CKR_DEVICE_ERROR },
    { KVP_ERR_TIMEOUT, 0, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_PARSE, 200, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_AUTH, 401, "invalid_client", "", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { KVP_ERR_AUTH, 401, "invalid_client", "", KVP_CALL_TOKEN, CKR_FUNCTION_REJECTED },
    { KVP_ERR_AUTH, 0, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_AUTH, 503, "", "", KVP_CALL_KEY, CKR_DEVICE_ERROR },
    { KVP_ERR_NO_MEMORY, 0, "", "", KVP_CALL_KEY, CKR_HOST_MEMORY },
};

START_TEST(the_contracts_promises_hold)
{
    kvp_error error = { .status = promises[_i].status, .http_status = promises[_i].http_status };
    CK_RV rv;

    snprintf(error.code, sizeof(error.code), "%s", promises[_i].code);
    snprintf(error.inner_code, sizeof(error.inner_code), "%s", promises[_i].inner);
    rv = kvp_error_row_find(&error, promises[_i].kind)->rv;

    ck_assert_msg(rv == promises[_i].rv, "promise %d is answered with %s", _i, kvp_ckr_name(rv));
}
END_TEST

START_TEST(a_failure_without_a_cause_is_our_own_mistake)
{
    kvp_call call = { .function = "C_Sign" };

    ck_assert(kvp_call_fail(&call, KVP_CALL_KEY) == CKR_GENERAL_ERROR);
    ck_assert_int_eq(call.error.status, KVP_ERR_INTERNAL);
}
END_TEST

START_TEST(fail_remembers_the_kind_for_the_log)
{
    kvp_call call = { .function = "C_FindObjects" };

    call.error.status = KVP_ERR_HTTP;
    call.error.http_status = 403;

    ck_assert(kvp_call_fail(&call, KVP_CALL_TOKEN) == CKR_FUNCTION_REJECTED);
    ck_assert_int_eq(call.kind, KVP_CALL_TOKEN);
}
END_TEST

START_TEST(tables_of_constants_are_sorted_and_reversible)
{
    const kvp_constant_table *table = &kvp_constant_tables[_i];
    static const char *(*const names[])(CK_ULONG) = { kvp_ckr_name, kvp_ckm_name, kvp_cka_name,
                                                      kvp_cko_name };

    for (size_t i = 0; i < table->count; i++) {
        const kvp_constant *row = &table->rows[i];

        ck_assert_msg(strncmp(row->name, table->prefix, strlen(table->prefix)) == 0, "%s",
                      row->name);
        ck_assert_msg(i == 0 || table->rows[i - 1].value < row->value, "%s stands too late",
                      row->name);
        ck_assert_str_eq(names[_i](row->value), row->name);
    }
}
END_TEST

START_TEST(unknown_constants_are_shown_as_numbers)
{
    ck_assert_str_eq(kvp_ckr_name(0x80001234UL), "0x80001234");
    ck_assert_str_eq(kvp_ckm_name(0x7ffffffeUL), "0x7ffffffe");
    ck_assert_str_eq(kvp_cka_name(CK_UNAVAILABLE_INFORMATION - 1), "0xfffffffffffffffe");
}
END_TEST

/* p11-kit 0.24 has other numbers for these (cryptoki.h). */
START_TEST(numbers_are_those_of_the_standard)
{
    ck_assert_uint_eq(CKR_PUBLIC_KEY_INVALID, 0x1b9);
    ck_assert_uint_eq(CKR_EXCEEDED_MAX_ITERATIONS, 0x1b5);
    ck_assert_uint_eq(CKM_SHA3_256, 0x2b0);
    ck_assert_uint_eq(CKM_ECDSA_SHA3_256, 0x1048);
    ck_assert_uint_eq(CKM_AES_KEY_WRAP_KWP, 0x210b);
    ck_assert_uint_eq(CKA_UNIQUE_ID, 4);
    ck_assert_uint_eq(CKO_PROFILE, 9);
    ck_assert_uint_eq(CKR_OPERATION_CANCEL_FAILED, 0x202);
    ck_assert_uint_eq(sizeof(CK_GCM_MESSAGE_PARAMS), 6 * sizeof(CK_ULONG));
    ck_assert_uint_eq(sizeof(CK_FUNCTION_LIST), (1 + 68) * sizeof(void *));
    ck_assert_uint_eq(sizeof(CK_FUNCTION_LIST_3_0), (1 + 68 + 24) * sizeof(void *));
    ck_assert_uint_eq(sizeof(CK_FUNCTION_LIST_3_2), (1 + 68 + 24 + 12) * sizeof(void *));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *errors = tcase_create("errors"), *constants = tcase_create("constants");
    SRunner *runner;
    int failed, tables = 0;

    while (kvp_error_rows[row_count].status != KVP_OK)
        row_count++;
    while (kvp_constant_tables[tables].prefix)
        tables++;
    tcase_add_loop_test(errors, each_row_is_found_by_what_it_says, 0, row_count);
    tcase_add_loop_test(errors, each_row_has_a_failure_and_a_sentence_of_advice, 0, row_count + 1);
    tcase_add_loop_test(errors, each_status_is_an_error_in_each_kind_of_call, 1, KVP_STATUS_COUNT);
    tcase_add_loop_test(errors, the_contracts_promises_hold, 0, (int)KVP_ARRAY_LEN(promises));
    tcase_add_test(errors, a_failure_without_a_cause_is_our_own_mistake);
    tcase_add_test(errors, fail_remembers_the_kind_for_the_log);
    tcase_add_loop_test(constants, tables_of_constants_are_sorted_and_reversible, 0, tables);
    tcase_add_test(constants, unknown_constants_are_shown_as_numbers);
    tcase_add_test(constants, numbers_are_those_of_the_standard);
    suite_add_tcase(suite, errors);
    suite_add_tcase(suite, constants);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
