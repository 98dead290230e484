/* SPDX-License-Identifier: MIT */
/* Answers of crypto operations and of the token endpoint; error bodies. */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(an_operation_is_read)
{
    static const char json[] =
        "{\"kid\":\"https://h/keys/a/"
        "1\",\"value\":\"Zm9v\",\"iv\":\"AAE\",\"tag\":\"_w\",\"alg\":\"x\"}";
    kvp_operation_result result = { 0 };

    ck_assert_int_eq(kvp_jwk_parse_operation(json, strlen(json), &result, NULL), KVP_OK);
    ck_assert_str_eq(result.kid, "https://h/keys/a/1");
    ck_assert_str_eq(kvp_buf_str(&result.value), "foo");
    ck_assert(result.value.secret);
    ck_assert_uint_eq(result.iv.len, 2);
    ck_assert_uint_eq(result.tag.data[0], 0xff);
    kvp_operation_result_clear(&result);
    ck_assert_ptr_null(result.kid);

    ck_assert_int_eq(kvp_jwk_parse_operation("{}", 2, &result, NULL), KVP_OK);
    ck_assert_uint_eq(result.value.len, 0);
    kvp_operation_result_clear(&result);
}
END_TEST

static const char *const bad_operations[] = {
    "",
    "true",
    "{\"value\":true}",
    "{\"value\":\"a+b/\"}",
    "{\"kid\":1}",
    "{\"value\":\"AA\",\"iv\":[]}",
};

START_TEST(bad_operations_leave_the_result_alone)
{
    kvp_operation_result result = { 0 };
    const char *json = bad_operations[_i];

    ck_assert_int_eq(kvp_jwk_parse_operation(json, strlen(json), &result, NULL), KVP_ERR_PARSE);
    ck_assert_ptr_null(result.value.data);
}
END_TEST

START_TEST(verify_answers_are_boolean)
{
    bool valid = false;

    ck_assert_int_eq(kvp_jwk_parse_verify("{\"value\":true}", 14, &valid, NULL), KVP_OK);
    ck_assert(valid);
    ck_assert_int_eq(kvp_jwk_parse_verify("{\"value\":false}", 15, &valid, NULL), KVP_OK);
    ck_assert(!valid);
    ck_assert_int_eq(kvp_jwk_parse_verify("{\"value\":1}", 11, &valid, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_jwk_parse_verify("{}", 2, &valid, NULL), KVP_ERR_PARSE);
}
END_TEST

START_TEST(a_token_is_read_with_numbers_or_strings)
{
    static const char numbers[] = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"refresh_in\":"
                                  "1800,\"access_token\":\"eyJ.a-b_c~+/=\"}";
    static const char strings[] =
        "{\"expires_in\":\"86399\",\"expires_on\":\"1700000000\",\"access_token\":\"x\"}";
    kvp_token_response token;

    ck_assert_int_eq(kvp_jwk_parse_token(numbers, strlen(numbers), &token, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&token.access_token), "eyJ.a-b_c~+/=");
    ck_assert(token.access_token.secret);
    ck_assert_int_eq(token.expires_in, 3599);
    ck_assert_int_eq(token.refresh_in, 1800);
    ck_assert_int_eq(token.expires_on, -1);
    kvp_token_response_clear(&token);
    ck_assert_int_eq(kvp_jwk_parse_token(strings, strlen(strings), &token, NULL), KVP_OK);
    ck_assert_int_eq(token.expires_in, 86399);
    ck_assert_int_eq(token.expires_on, 1700000000);
    kvp_token_response_clear(&token);
}
END_TEST

static const char *const bad_tokens[] = {
    "{}",
    "{\"access_token\":\"\"}",
    "{\"access_token\":\"a b\"}",
    "{\"access_token\":\"a\\r\\nHost: x\"}",
    "{\"access_token\":\"a\",\"expires_in\":\"soon\"}",
    "{\"access_token\":\"a\",\"expires_in\":\"\"}",
    "{\"access_token\":\"a\",\"expires_in\":-5}",
    "{\"access_token\":\"a\",\"expires_in\":\"9999999999999999999\"}",
    "{\"access_token\":7}",
};

START_TEST(bad_tokens_are_refused)
{
    kvp_token_response token = { 0 };
    kvp_error error;

    ck_assert_int_eq(kvp_jwk_parse_token(bad_tokens[_i], strlen(bad_tokens[_i]), &token, &error),
                     KVP_ERR_PARSE);
    ck_assert_ptr_null(token.access_token.data);
}
END_TEST

/* ---- error bodies ---- */

static const struct {
    const char *body, *code, *inner, *message;
} errors[] = {
    { "{\"error\":{\"code\":\"Forbidden\",\"message\":\"Caller is not authorized.\\r\\nAction: "
      "'x'\","
      "\"innererror\":{\"code\":\"ForbiddenByRbac\"}}}",
      "Forbidden", "ForbiddenByRbac", "Caller is not authorized. Action: 'x'" },
    { "{\"error\":{\"code\":\"KeyNotFound\",\"message\":\"gone\"}}", "KeyNotFound", "", "gone" },
    { "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid.\\r\\nTrace "
      "ID: 1\"}",
      "invalid_client", "", "AADSTS7000215: Invalid. Trace ID: 1" },
    { "OK", "", "", "OK" },
    { "<html>\n <body>\x01 Bad \xff Gateway</body>\n\n", "", "",
      "<html> <body>? Bad ? Gateway</body>" },
    { "{\"fault\":1}", "", "", "{\"fault\":1}" },
    { "{\"error\":{\"code\":7,\"message\":null,\"innererror\":[]}}", "", "", "before" },
    { "{\"error\":{\"message\":\"\\u009b31m red \\u001b[0m\"}}", "", "", "?31m red ?[0m" },
    { "", "", "", "before" },
};

START_TEST(error_bodies_become_one_printable_line)
{
    kvp_error error = {
        .status = KVP_ERR_HTTP, .http_status = 403, .message = "before", .request_id = "r"
    };

    kvp_jwk_parse_error(errors[_i].body, strlen(errors[_i].body), &error);

    ck_assert_str_eq(error.code, errors[_i].code);
    ck_assert_str_eq(error.inner_code, errors[_i].inner);
    ck_assert_str_eq(error.message, errors[_i].message);
    ck_assert_int_eq(error.http_status, 403);
    ck_assert_int_eq(error.status, KVP_ERR_HTTP);
    ck_assert_str_eq(error.request_id, "r");
    kvp_jwk_parse_error(errors[_i].body, strlen(errors[_i].body), NULL);
}
END_TEST

START_TEST(long_messages_are_cut_between_characters)
{
    char body[2048];
    kvp_error error = { 0 };
    size_t len;

    for (size_t i = 0; i + 1 < sizeof(body); i += 2)
        memcpy(body + i, "\xc3\xa4", 2);
    kvp_jwk_parse_error(body, sizeof(body), &error);
    len = strlen(error.message);
    ck_assert_uint_eq(len, 510);
    ck_assert_mem_eq(error.message + len - 2, "\xc3\xa4", 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tcase = tcase_create("answers"), *bodies = tcase_create("error bodies");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, an_operation_is_read);
    tcase_add_loop_test(tcase, bad_operations_leave_the_result_alone, 0,
                        (int)KVP_ARRAY_LEN(bad_operations));
    tcase_add_test(tcase, verify_answers_are_boolean);
    tcase_add_test(tcase, a_token_is_read_with_numbers_or_strings);
    tcase_add_loop_test(tcase, bad_tokens_are_refused, 0, (int)KVP_ARRAY_LEN(bad_tokens));
    tcase_add_loop_test(bodies, error_bodies_become_one_printable_line, 0,
                        (int)KVP_ARRAY_LEN(errors));
    tcase_add_test(bodies, long_messages_are_cut_between_characters);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, bodies);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
