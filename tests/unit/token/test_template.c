/* SPDX-License-Identifier: MIT */
/* Checking and comparing templates. */
#include "tests/unit/token/object_fake.h"
#include "token/template.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_KEY_TYPE rsa = CKK_RSA;
static CK_ULONG bits = 2048;

#define CREATE_CHECK(attrs, who)                                                                   \
    kvp_template_check((attrs), KVP_ARRAY_LEN(attrs), (who), KVP_ATTRIBUTE_CREATE,                 \
                       KVP_ATTRIBUTE_REQUIRED)

START_TEST(accepts_a_whole_public_key)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, rsa),
                             ATTR_TEXT(CKA_MODULUS, "\xc5\x01"),
                             ATTR_TEXT(CKA_PUBLIC_EXPONENT, "\x03"), ATTR_VALUE(CKA_VERIFY, yes) };
    ck_assert_rv(CREATE_CHECK(attrs, KVP_IS_PUBLIC_RSA), CKR_OK);
}
END_TEST

START_TEST(misses_what_is_required)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, rsa),
                             ATTR_TEXT(CKA_MODULUS, "\xc5\x01") };
    ck_assert_rv(CREATE_CHECK(attrs, KVP_IS_PUBLIC_RSA), CKR_TEMPLATE_INCOMPLETE);
}
END_TEST

START_TEST(refuses_an_attribute_that_no_object_has)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_VENDOR_DEFINED | 0x1234, yes) };
    ck_assert_rv(CREATE_CHECK(attrs, KVP_IS_PUBLIC_RSA), CKR_ATTRIBUTE_TYPE_INVALID);
}
END_TEST

START_TEST(refuses_an_attribute_of_another_kind)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_SIGN, yes) };
    ck_assert_rv(CREATE_CHECK(attrs, KVP_IS_PUBLIC_RSA), CKR_TEMPLATE_INCONSISTENT);
}
END_TEST

START_TEST(refuses_what_only_the_token_says)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_LOCAL, yes) };
    ck_assert_rv(CREATE_CHECK(attrs, KVP_IS_PUBLIC_RSA), CKR_ATTRIBUTE_READ_ONLY);
}
END_TEST

START_TEST(refuses_one_attribute_with_two_values)
{
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_VERIFY, yes), ATTR_VALUE(CKA_VERIFY, no) };
    CK_ATTRIBUTE same[] = { ATTR_VALUE(CKA_VERIFY, yes), ATTR_VALUE(CKA_VERIFY, yes) };
    ck_assert_rv(kvp_template_check(attrs, 2, KVP_IS_PUBLIC_RSA, KVP_ATTRIBUTE_CREATE, 0),
                 CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(kvp_template_check(same, 2, KVP_IS_PUBLIC_RSA, KVP_ATTRIBUTE_CREATE, 0), CKR_OK);
}
END_TEST

START_TEST(refuses_pointers_that_cannot_be)
{
    CK_ATTRIBUTE null_value[] = { { CKA_LABEL, NULL, 3 } };
    CK_ATTRIBUTE no_length[] = { { CKA_LABEL, &yes, CK_UNAVAILABLE_INFORMATION } };
    ck_assert_rv(kvp_template_check_pointers(NULL, 1), CKR_ARGUMENTS_BAD);
    ck_assert_rv(kvp_template_check_pointers(NULL, 0), CKR_OK);
    ck_assert_rv(kvp_template_check_pointers(null_value, 1), CKR_ARGUMENTS_BAD);
    ck_assert_rv(kvp_template_check_pointers(no_length, 1), CKR_ARGUMENTS_BAD);
}
END_TEST

/* A value of the wrong shape for every row that has a fixed one. */
START_TEST(refuses_values_of_the_wrong_shape)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    uint8_t bytes[3] = { 0x20, 0xff, 0x20 };
    CK_ATTRIBUTE attr = { row->type, bytes, sizeof(bytes) };
    /* An attribute of two kinds is taken in the form of its first row. */
    if (row != kvp_attribute_row_find(row->type, KVP_IS_ANY) ||
        row->kind == KVP_ATTRIBUTE_BYTES || row->kind == KVP_ATTRIBUTE_TEXT ||
        row->kind == KVP_ATTRIBUTE_NUMBER)
        return;
    ck_assert_msg(kvp_template_check(&attr, 1, row->who, ~0U, 0) == CKR_ATTRIBUTE_VALUE_INVALID,
                  "%s", row->name);
}
END_TEST

static const struct {
    const char *text;
    size_t len;
    bool valid;
} texts[] = {
    { "", 0, true },
    { "plain", 5, true },
    { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", 9, true },
    { "nul\0", 4, false },
    { "line\n", 5, false },
    { "\xc3", 1, false },
    { "\xc0\xaf", 2, false },
    { "\xe0\x80\xaf", 3, false },
    { "\xed\xa0\x80", 3, false },
    { "\xf4\x90\x80\x80", 4, false },
    { "\xff", 1, false },
};

START_TEST(knows_utf8)
{
    ck_assert_int_eq(kvp_text_is_valid(texts[_i].text, texts[_i].len), texts[_i].valid);
}
END_TEST

static const struct {
    const char *text;
    int64_t seconds; /* -1: no date */
} dates[] = {
    { "19700101", 0 },
    { "19700102", 86400 },
    { "20000229", 951782400 },
    { "20000301", 951868800 },
    { "20240229", 1709164800 },
    { "20261231", 1798675200 },
    { "21000228", 4107456000 },
    { "21000301", 4107542400 },
    { "20230229", -1 },
    { "21000229", -1 },
    { "20231301", -1 },
    { "20230001", -1 },
    { "20230100", -1 },
    { "20230432", -1 },
    { "19691231", -1 },
    { "2023010", -1 },
    { "2023O101", -1 },
};

START_TEST(reads_dates)
{
    int64_t seconds = -1;
    bool known = kvp_date_parse(dates[_i].text, strlen(dates[_i].text), &seconds);
    ck_assert_msg(known == (dates[_i].seconds >= 0), "%s", dates[_i].text);
    ck_assert_msg(seconds == dates[_i].seconds, "%s is %lld", dates[_i].text, (long long)seconds);
}
END_TEST

START_TEST(compares_by_the_form_of_the_value)
{
    kvp_key key = { .name = (char *)(uintptr_t) "web", .kty = KVP_KTY_RSA, .key_bits = 2048 };
    kvp_config_vault config = { .url = (char *)(uintptr_t)FAKE_URL };
    kvp_slot slot = { .config = &config };
    kvp_view view = { .slot = &slot, .cls = CKO_PUBLIC_KEY, .key = &key, .loaded = true };
    CK_BBOOL odd_true = 0x42;
    ck_assert_int_eq(kvp_buf_set(&key.e, "\x01\x00\x01", 3), KVP_OK);

    CK_ATTRIBUTE fits[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_TOKEN, odd_true),
                            ATTR_TEXT(CKA_LABEL, "web"), ATTR_VALUE(CKA_MODULUS_BITS, bits),
                            ATTR_BYTES(CKA_PUBLIC_EXPONENT, "\x00\x01\x00\x01", 4),
                            ATTR_BYTES(CKA_SUBJECT, NULL, 0) };
    ck_assert(kvp_template_matches(&view, fits, KVP_ARRAY_LEN(fits)));

    CK_ATTRIBUTE others[] = { ATTR_TEXT(CKA_LABEL, "we"), ATTR_TEXT(CKA_LABEL, "webb"),
                              ATTR_TEXT(CKA_LABEL, "WEB"), ATTR_BYTES(CKA_TOKEN, "\x01\x01", 2),
                              ATTR_VALUE(CKA_SIGN, yes), ATTR_TEXT(CKA_ISSUER, "x"),
                              ATTR_TEXT(CKA_PRIVATE_EXPONENT, "x") };
    for (size_t i = 0; i < KVP_ARRAY_LEN(others); i++)
        ck_assert_msg(!kvp_template_matches(&view, &others[i], 1), "%zu", i);
    kvp_buf_clear(&key.e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("template");
    TCase *tc = tcase_create("checks");
    tcase_add_test(tc, accepts_a_whole_public_key);
    tcase_add_test(tc, misses_what_is_required);
    tcase_add_test(tc, refuses_an_attribute_that_no_object_has);
    tcase_add_test(tc, refuses_an_attribute_of_another_kind);
    tcase_add_test(tc, refuses_what_only_the_token_says);
    tcase_add_test(tc, refuses_one_attribute_with_two_values);
    tcase_add_test(tc, refuses_pointers_that_cannot_be);
    tcase_add_loop_test(tc, refuses_values_of_the_wrong_shape, 0, (int)kvp_attribute_row_count);
    suite_add_tcase(suite, tc);
    tc = tcase_create("values");
    tcase_add_loop_test(tc, knows_utf8, 0, KVP_ARRAY_LEN(texts));
    tcase_add_loop_test(tc, reads_dates, 0, KVP_ARRAY_LEN(dates));
    tcase_add_test(tc, compares_by_the_form_of_the_value);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
