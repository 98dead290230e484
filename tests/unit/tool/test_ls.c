/* SPDX-License-Identifier: MIT */
/* Reading tokens and objects from a module, and showing them. */
#include "tool/ls.h"
#include "fake_module.h"
#include "tool_test.h"

#include "base/alloc.h"

#include <jansson.h>
#include <string.h>

static const kvp_library library = { NULL, &fake_module, false };
static kvp_error error;
static char shown[16384];

static void setup(void)
{
    memset(&fake_fault, 0, sizeof(fake_fault));
    fake_sessions = 0;
}

/* The first token with its objects, as text or JSON in `shown`. */
static kvp_status list(bool json)
{
    kvp_listed_token token = { 0 };
    kvp_status st = kvp_ls_read_token(&library, 7, &token, &error);
    FILE *file = tmpfile();
    size_t len;

    ck_assert_ptr_nonnull(file);
    if (st == KVP_OK)
        st = kvp_ls_read_objects(&library, 7, &token, &error);
    if (st == KVP_OK)
        st = json ? kvp_ls_show_json("mod\x1bule", &token, 1, file) : kvp_ls_show(&token, 1, file);
    kvp_listed_token_clear(&token);
    rewind(file);
    len = fread(shown, 1, sizeof(shown) - 1, file);
    shown[len] = '\0';
    fclose(file);
    return st;
}

START_TEST(objects_are_shown_with_what_they_are)
{
    static const char expected[] =
        "token first (Test, fake, serial number 0123456789abcdef)\n"
        "    pkcs11:serial=0123456789abcdef;token=first\n"
        "CLASS       LABEL     ID      KEY         USAGE                  VALID\n"
        "secret-key  aes       616573  AES 256     -                      -\n"
        "    pkcs11:serial=0123456789abcdef;token=first;id=%61%65%73;object=aes;type=secret-key\n"
        "private     code?[2J  01ff    EC P-256    -                      to 2027-01-31\n"
        "    "
        "pkcs11:serial=0123456789abcdef;token=first;id=%01%FF;object=code%1B%5B2J;type=private\n"
        "public      ed        -       EC ED25519  -                      -\n"
        "    pkcs11:serial=0123456789abcdef;token=first;object=ed;type=public\n"
        "data        note      -       -           -                      -\n"
        "    pkcs11:serial=0123456789abcdef;token=first;object=note;type=data\n"
        "cert        web       776562  -           -                      -\n"
        "    CN=test\n"
        "    pkcs11:serial=0123456789abcdef;token=first;id=%77%65%62;object=web;type=cert\n"
        "private     web       776562  RSA 17      decrypt, sign, unwrap  2026-01-31 to "
        "2027-01-31\n"
        "    pkcs11:serial=0123456789abcdef;token=first;id=%77%65%62;object=web;type=private\n"
        "public      web       776562  RSA 3072    encrypt, verify        -\n"
        "    pkcs11:serial=0123456789abcdef;token=first;id=%77%65%62;object=web;type=public\n";

    ck_assert_int_eq(list(false), KVP_OK);
    ck_assert_msg(strcmp(shown, expected) == 0, "%s", shown);
    ck_assert_int_eq(fake_sessions, 0);
}
END_TEST

START_TEST(json_has_the_same_and_our_own_attributes)
{
    json_t *root, *object;
    json_error_t where;

    ck_assert_int_eq(list(true), KVP_OK);
    root = json_loads(shown, 0, &where);
    ck_assert_msg(root != NULL, "%s", where.text);
    ck_assert_str_eq(json_string_value(json_object_get(root, "module")), "mod?ule");
    object = json_array_get(
        json_object_get(json_array_get(json_object_get(root, "tokens"), 0), "objects"), 5);
    ck_assert_str_eq(json_string_value(json_object_get(object, "class")), "private");
    ck_assert_str_eq(json_string_value(json_object_get(object, "label")), "web");
    ck_assert_str_eq(json_string_value(json_object_get(object, "id")), "776562");
    ck_assert_str_eq(json_string_value(json_object_get(object, "identifier")),
                     "https://h/keys/web/1");
    ck_assert_str_eq(json_string_value(json_object_get(object, "version")), "1");
    ck_assert(json_is_true(json_object_get(object, "hsm")));
    ck_assert_str_eq(json_string_value(json_object_get(object, "start_date")), "2026-01-31");
    ck_assert_uint_eq(json_array_size(json_object_get(object, "usage")), 3);
    json_decref(root);
}
END_TEST

START_TEST(an_object_that_cannot_be_read_is_listed_with_the_reason)
{
    fake_fault.fault_label = "aes";
    fake_fault.attributes = CKR_FUNCTION_REJECTED;
    ck_assert_int_eq(list(false), KVP_OK);
    ck_has(shown, "secret-key  aes       616573  -  ");
    ck_has(shown, "    C_GetAttributeValue answered CKR_FUNCTION_REJECTED\n    pkcs11:");
}
END_TEST

START_TEST(a_token_that_wants_a_login_says_so)
{
    fake_fault.login_required = true;
    ck_assert_int_eq(list(false), KVP_OK);
    ck_has(shown, "login");
}
END_TEST

START_TEST(failures_name_function_and_answer)
{
    fake_fault.token_info = CKR_TOKEN_NOT_RECOGNIZED;
    ck_assert_int_eq(list(false), KVP_ERR_IO);
    ck_assert_str_eq(error.message, "C_GetTokenInfo answered CKR_TOKEN_NOT_RECOGNIZED");
    setup();
    fake_fault.open_session = CKR_SESSION_COUNT;
    ck_assert_int_eq(list(false), KVP_ERR_IO);
    ck_assert_str_eq(error.message, "C_OpenSession answered CKR_SESSION_COUNT");
    setup();
    fake_fault.find_init = CKR_FUNCTION_NOT_SUPPORTED;
    ck_assert_int_eq(list(false), KVP_ERR_UNSUPPORTED);
    ck_assert_str_eq(error.message, "C_FindObjectsInit answered CKR_FUNCTION_NOT_SUPPORTED");
    setup();
    fake_fault.find = CKR_DEVICE_ERROR;
    ck_assert_int_eq(list(false), KVP_ERR_IO);
    ck_assert_str_eq(error.message, "C_FindObjects answered CKR_DEVICE_ERROR");
    ck_assert_int_eq(fake_sessions, 0);
}
END_TEST

START_TEST(slots_that_change_meanwhile_are_asked_for_again)
{
    CK_SLOT_ID *slots = NULL;
    size_t count = 0;

    fake_fault.slot_changes = 2;
    ck_assert_int_eq(kvp_library_slots(&library, true, &slots, &count, &error), KVP_OK);
    ck_assert_uint_eq(count, 2);
    kvp_free(slots);
    fake_fault.slot_changes = 1000;
    ck_assert_int_eq(kvp_library_slots(&library, true, &slots, &count, &error), KVP_ERR_IO);
    setup();
    fake_fault.slot_list = CKR_HOST_MEMORY;
    ck_assert_int_eq(kvp_library_slots(&library, true, &slots, &count, &error), KVP_ERR_IO);
    ck_assert_str_eq(error.message, "C_GetSlotList answered CKR_HOST_MEMORY");
}
END_TEST

START_TEST(lack_of_memory_leaks_nothing)
{
    kvp_status st = KVP_ERR_NO_MEMORY;

    for (long n = 0; st != KVP_OK && n < 2000; n++) {
        kvp_alloc_fail_after(n);
        st = list(n % 2 == 0);
        kvp_alloc_fail_after(-1);
        ck_assert_int_eq(fake_sessions, 0);
    }
    ck_assert_int_eq(st, KVP_OK);
}
END_TEST

static const struct {
    const char *path, *message;
} modules[] = {
    { "/nonexistent/module.so", "/nonexistent/module.so" },
    { "/dev/null", "/dev/null" },
    { "", "is empty" },
    { "libdl.so.2", "no C_GetFunctionList" },
};

START_TEST(what_is_no_module_is_told)
{
    kvp_library none = { NULL, NULL, false };

    ck_assert_int_eq(kvp_library_open(modules[_i].path, &none, &error), KVP_ERR_IO);
    ck_has(error.message, modules[_i].message);
    ck_assert_ptr_null(none.handle);
    ck_assert_int_eq(tool_run("ls", "--module", modules[_i].path, NULL), 1);
    ck_has(tool_err, modules[_i].message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ls");
    TCase *tcase = tcase_create("objects"), *module = tcase_create("modules");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, objects_are_shown_with_what_they_are);
    tcase_add_test(tcase, json_has_the_same_and_our_own_attributes);
    tcase_add_test(tcase, an_object_that_cannot_be_read_is_listed_with_the_reason);
    tcase_add_test(tcase, a_token_that_wants_a_login_says_so);
    tcase_add_test(tcase, failures_name_function_and_answer);
    tcase_add_test(tcase, slots_that_change_meanwhile_are_asked_for_again);
    tcase_add_test(tcase, lack_of_memory_leaks_nothing);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(module, what_is_no_module_is_told, 0, (int)KVP_ARRAY_LEN(modules));
    suite_add_tcase(suite, module);
    return tool_run_suite(suite);
}
