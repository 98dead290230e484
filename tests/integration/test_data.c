/* SPDX-License-Identifier: MIT */
/*
 * Secrets of a vault as data objects, when they are asked for: what is shown without reading a
 * value, when a value is read, and which secrets are none.
 */
#include "certs.h"

#include "kvpkcs11/vendor.h"

#include <string.h>

static void setup(void)
{
    module_configure("secrets = yes\nchain = none\n");
}

static CK_OBJECT_HANDLE data(const char *label)
{
    CK_OBJECT_HANDLE object = module_find(module_session, CKO_DATA, label);
    ck_assert_msg(object != CK_INVALID_HANDLE, "no data object %s", label);
    return object;
}

static void assert_text(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, const char *text)
{
    assert_attribute(object, type, text, strlen(text));
}

START_TEST(a_secret_is_a_data_object_whose_value_is_not_read)
{
    CK_OBJECT_HANDLE object = data("password");
    char url[512] = "";
    CK_ULONG size = 0;

    ck_assert_uint_eq(number_of(object, CKA_CLASS), CKO_DATA);
    assert_text(object, CKA_LABEL, "password");
    assert_text(object, CKA_APPLICATION, "");
    assert_text(object, CKA_OBJECT_ID, "");
    assert_text(object, CKA_UNIQUE_ID, "password;type=data");
    assert_text(object, CKA_KVP_CONTENT_TYPE, "text/plain");
    assert_attribute(object, CKA_TOKEN, "\1", 1);
    assert_attribute(object, CKA_PRIVATE, "\0", 1);
    attribute_of(object, CKA_KVP_KEY_ID, url, sizeof(url) - 1);
    ck_assert_ptr_nonnull(strstr(url, "/secrets/password"));
    assert_rv(CKR_OK, p11->C_GetObjectSize(module_session, object, &size));
    ck_assert_uint_eq(size, CK_UNAVAILABLE_INFORMATION);
    assert_requests("SecretGet", 0);
    assert_requests("SecretListVersions", 1);
    assert_requests(NULL, 1);
}
END_TEST

START_TEST(length_and_value_are_one_request)
{
    CK_OBJECT_HANDLE object = data("password");
    char value[64];
    CK_ATTRIBUTE attr = { CKA_VALUE, NULL, 0 };

    requests_mark();
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &attr, 1));
    ck_assert_uint_eq(attr.ulValueLen, 9);
    attr.pValue = value;
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &attr, 1));
    ck_assert(memcmp(value, "secret-42", 9) == 0);
    assert_requests("SecretGet", 1);
    /* Not kept: another reading is another request. */
    assert_text(object, CKA_VALUE, "secret-42");
    assert_requests("SecretGet", 2);
    assert_requests(NULL, 2);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_gets_nothing)
{
    char value[64] = "untouched";
    CK_ATTRIBUTE attr = { CKA_VALUE, value, 3 };
    assert_rv(CKR_BUFFER_TOO_SMALL,
              p11->C_GetAttributeValue(module_session, data("password"), &attr, 1));
    ck_assert_uint_eq(attr.ulValueLen, CK_UNAVAILABLE_INFORMATION);
    ck_assert_str_eq(value, "untouched");
}
END_TEST

START_TEST(the_newest_value_is_read_whenever_it_was_found)
{
    CK_OBJECT_HANDLE object = data("turning");
    assert_text(object, CKA_VALUE, "one");
    secret_set("turning", "two", NULL, NULL);
    assert_text(object, CKA_VALUE, "two");
    secret_set("turning", "one", NULL, NULL);
}
END_TEST

START_TEST(tags_say_what_else_a_data_object_has)
{
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_APPLICATION, "tester", 6), 1);
    CK_OBJECT_HANDLE object = found[0];
    assert_text(object, CKA_LABEL, "A label of its own");
    assert_attribute(object, CKA_OBJECT_ID, "\x06\x01\x2a", 3);
    assert_attribute(object, CKA_VALUE, "\x00\x01\xff", 3);
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_OBJECT_ID, "\x06\x01\x2a", 3), 1);
    ck_assert_uint_eq(found[0], object);
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_UNIQUE_ID, "tagged;type=data", 16), 1);
    ck_assert_uint_eq(found[0], object);
}
END_TEST

START_TEST(the_secret_of_a_certificate_is_not_shown)
{
    /* password, turning, tagged; neither the one behind the certificate nor the one that is one. */
    ck_assert_uint_eq(find_class(CKO_DATA), 3);
    ck_assert(module_find(module_session, CKO_DATA, "web") == CK_INVALID_HANDLE);
    ck_assert(module_find(module_session, CKO_DATA, "kept") == CK_INVALID_HANDLE);
    assert_requests("SecretGet", 0);
}
END_TEST

START_TEST(no_value_is_read_to_compare_it)
{
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_VALUE, "secret-42", 9), 0);
    assert_requests(NULL, 0);
}
END_TEST

START_TEST(without_secrets_there_are_none_and_no_request)
{
    module_configure("");
    ck_assert_uint_eq(find_class(CKO_DATA), 0);
    assert_requests(NULL, 0);
}
END_TEST

START_TEST(a_secret_that_vanished_is_told_when_it_is_read)
{
    char value[16];
    CK_ATTRIBUTE attr = { CKA_VALUE, value, sizeof(value) };
    secret_set("fleeting", "x", NULL, NULL);
    CK_OBJECT_HANDLE object = data("fleeting");
    rest("DELETE", "/secrets/fleeting", NULL);
    assert_rv(CKR_OBJECT_HANDLE_INVALID,
              p11->C_GetAttributeValue(module_session, object, &attr, 1));
    ck_assert(module_find(module_session, CKO_DATA, "fleeting") == CK_INVALID_HANDLE);
    rest("DELETE", "/deletedsecrets/fleeting", NULL);
}
END_TEST

START_TEST(the_names_to_show_hold_for_secrets)
{
    module_configure("secrets = yes\nkeys = t*\n");
    ck_assert_uint_eq(find_class(CKO_DATA), 2);
    ck_assert(module_find(module_session, CKO_DATA, "password") == CK_INVALID_HANDLE);
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    cert web = cert_make("web", NULL, false);
    cert_import("web", &web, NULL, true, true);
    cert_store_as_secret("kept", "kept", &web);
    secret_set("password", "secret-42", "text/plain", NULL);
    secret_set("turning", "one", NULL, NULL);
    secret_set("tagged", "AAH/", "application/octet-stream",
               json_pack("{s:s, s:s, s:s, s:s}", "pkcs11-class", "data", "pkcs11-label",
                         "A label of its own", "pkcs11-application", "tester", "pkcs11-object-id",
                         "BgEq"));

    Suite *suite = suite_create("data");
    TCase *tcase = tcase_create("data");
    tcase_add_checked_fixture(tcase, setup, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_secret_is_a_data_object_whose_value_is_not_read);
    tcase_add_test(tcase, length_and_value_are_one_request);
    tcase_add_test(tcase, a_buffer_that_is_too_small_gets_nothing);
    tcase_add_test(tcase, the_newest_value_is_read_whenever_it_was_found);
    tcase_add_test(tcase, tags_say_what_else_a_data_object_has);
    tcase_add_test(tcase, the_secret_of_a_certificate_is_not_shown);
    tcase_add_test(tcase, no_value_is_read_to_compare_it);
    tcase_add_test(tcase, without_secrets_there_are_none_and_no_request);
    tcase_add_test(tcase, a_secret_that_vanished_is_told_when_it_is_read);
    tcase_add_test(tcase, the_names_to_show_hold_for_secrets);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
