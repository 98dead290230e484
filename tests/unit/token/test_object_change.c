/* SPDX-License-Identifier: MIT */
/* Changing, copying and destroying objects. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static kvp_call call;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;

static void setup(void)
{
    token = fake_new(false);
    fake_add_rsa("rsa");
    fake_add_ec("ec");
    fake_sleep(120000);
    fake_reset();
    call = fake_call();
}

static void teardown(void)
{
    fake_free(token);
}

static CK_RV set(CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    return kvp_object_set_attributes(&call, &token->session, handle, attrs, count);
}

static CK_OBJECT_HANDLE make_session_key(void)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_TEXT(CKA_VALUE, "0123456789abcdef") };
    ck_assert_rv(kvp_object_create(&call, &token->session, attrs, 3, &handle), CKR_OK);
    return handle;
}

/* ---- C_SetAttributeValue ---- */

START_TEST(a_new_label_and_id_become_tags_of_both_objects)
{
    char label[32] = { 0 };
    uint8_t id[4];
    CK_OBJECT_HANDLE private_key = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_OBJECT_HANDLE public_key = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "My key"),
                             ATTR_BYTES(CKA_ID, "\x00\x01\x02\x03", 4) };

    ck_assert_rv(set(private_key, attrs, 2), CKR_OK);

    ck_assert_str_eq(kvp_key_tag(fake_key("ec"), KVP_TAG_LABEL), "My key");
    ck_assert_str_eq(kvp_key_tag(fake_key("ec"), KVP_TAG_ID), "AAECAw");
    ck_assert_uint_eq(fake_get(token, public_key, CKA_LABEL, label, sizeof(label)), 6);
    ck_assert_str_eq(label, "My key");
    ck_assert_uint_eq(fake_get(token, public_key, CKA_ID, id, sizeof(id)), 4);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "My key"), private_key);
    ck_assert_str_eq(call.operation, "SetAttributeValue");
}
END_TEST

START_TEST(the_name_as_label_takes_the_tag_off)
{
    fake_set_tag("ec", KVP_TAG_LABEL, "other");
    fake_set_tag("ec", "team", "blue");
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "other");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "ec") };
    ck_assert_rv(set(handle, attrs, 1), CKR_OK);
    ck_assert_ptr_null(kvp_key_tag(fake_key("ec"), KVP_TAG_LABEL));
    ck_assert_str_eq(kvp_key_tag(fake_key("ec"), "team"), "blue");
}
END_TEST

START_TEST(tags_that_others_set_meanwhile_survive)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "mine") };
    fake_set_tag("ec", "team", "blue");
    ck_assert_rv(set(handle, attrs, 1), CKR_OK);
    ck_assert_str_eq(kvp_key_tag(fake_key("ec"), "team"), "blue");
    ck_assert_str_eq(kvp_key_tag(fake_key("ec"), KVP_TAG_LABEL), "mine");
}
END_TEST

START_TEST(usage_becomes_key_ops)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "rsa");
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_DECRYPT, no), ATTR_VALUE(CKA_UNWRAP, no) };
    ck_assert_rv(set(handle, attrs, 2), CKR_OK);
    ck_assert_uint_eq(fake_key("rsa")->ops,
                      KVP_OP_SIGN | KVP_OP_VERIFY | KVP_OP_ENCRYPT | KVP_OP_WRAP);
    ck_assert(!fake_get_bool(token, handle, CKA_DECRYPT));
    ck_assert(fake_get_bool(token, handle, CKA_SIGN));
}
END_TEST

START_TEST(dates_become_nbf_and_exp)
{
    char date[8];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_START_DATE, "20260101"),
                             ATTR_TEXT(CKA_END_DATE, "20261231") };
    ck_assert_rv(set(handle, attrs, 2), CKR_OK);
    ck_assert_int_eq(fake_key("ec")->attributes.not_before, 1767225600);
    ck_assert_int_eq(fake_key("ec")->attributes.expires, 1798761599);
    ck_assert_uint_eq(fake_get(token, handle, CKA_END_DATE, date, 8), 8);
    ck_assert_mem_eq(date, "20261231", 8);

    CK_ATTRIBUTE off[] = { ATTR_TEXT(CKA_END_DATE, "") };
    ck_assert_rv(set(handle, off, 1), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

START_TEST(what_a_vault_cannot_keep_is_refused_before_it_is_sent)
{
    char long_label[300];
    memset(long_label, 'l', sizeof(long_label));
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    const CK_ATTRIBUTE bad[] = {
        ATTR_VALUE(CKA_DECRYPT, yes),
        ATTR_TEXT(CKA_LABEL, ""),
        ATTR_TEXT(CKA_ID, ""),
        ATTR_BYTES(CKA_LABEL, long_label, 257),
        ATTR_BYTES(CKA_ID, long_label, 193),
        ATTR_TEXT(CKA_LABEL, "\xff"),
        ATTR_TEXT(CKA_END_DATE, "20261301"),
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(bad); i++)
        ck_assert_msg(set(handle, &bad[i], 1) == CKR_ATTRIBUTE_VALUE_INVALID, "%zu", i);
    ck_assert_uint_eq(fake_requests.updates, 0);

    CK_ATTRIBUTE long_id[] = { ATTR_BYTES(CKA_ID, long_label, 192) };
    ck_assert_rv(set(handle, long_id, 1), CKR_OK);
}
END_TEST

START_TEST(what_may_not_change_is_refused)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE read_only[] = { ATTR_VALUE(CKA_SENSITIVE, no) };
    CK_ATTRIBUTE value[] = { ATTR_TEXT(CKA_KVP_VERSION, "x") };
    CK_ATTRIBUTE unknown[] = { ATTR_VALUE(CKA_VENDOR_DEFINED | 1, no) };
    CK_ATTRIBUTE foreign[] = { ATTR_VALUE(CKA_VERIFY, no) };
    CK_ATTRIBUTE label[] = { ATTR_TEXT(CKA_LABEL, "x") };
    ck_assert_rv(set(handle, read_only, 1), CKR_ATTRIBUTE_READ_ONLY);
    ck_assert_rv(set(handle, value, 1), CKR_ATTRIBUTE_READ_ONLY);
    ck_assert_rv(set(handle, unknown, 1), CKR_ATTRIBUTE_TYPE_INVALID);
    ck_assert_rv(set(handle, foreign, 1), CKR_ATTRIBUTE_TYPE_INVALID);
    ck_assert_rv(kvp_object_set_attributes(&call, &token->reader, handle, label, 1),
                 CKR_SESSION_READ_ONLY);
    token->config.read_only = true;
    ck_assert_rv(set(handle, label, 1), CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_rv(kvp_object_set_attributes(&call, &token->reader, handle, label, 1),
                 CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_uint_eq(fake_requests.updates, 0);
}
END_TEST

START_TEST(the_key_of_a_certificate_cannot_be_changed_or_destroyed)
{
    CK_ATTRIBUTE label[] = { ATTR_TEXT(CKA_LABEL, "x") };
    fake_key("ec")->managed = true;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    ck_assert_rv(set(handle, label, 1), CKR_ACTION_PROHIBITED);
    ck_assert_rv(kvp_object_destroy(&call, &token->session, handle), CKR_ACTION_PROHIBITED);
    ck_assert_uint_eq(fake_requests.updates + fake_requests.deletes, 0);
}
END_TEST

START_TEST(a_change_is_made_to_the_version_of_the_handle)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "old one") };
    fake_rotate("ec");
    ck_assert_rv(set(handle, attrs, 1), CKR_OK);
    ck_assert_ptr_null(kvp_key_tag(fake_key("ec"), KVP_TAG_LABEL));
}
END_TEST

START_TEST(a_session_object_changes_in_memory)
{
    char label[16] = { 0 };
    CK_OBJECT_HANDLE handle = make_session_key();
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "new"), ATTR_VALUE(CKA_SENSITIVE, yes) };
    CK_ATTRIBUTE back[] = { ATTR_VALUE(CKA_SENSITIVE, no) };
    ck_assert_rv(kvp_object_set_attributes(&call, &token->reader, handle, attrs, 2), CKR_OK);
    fake_get(token, handle, CKA_LABEL, label, sizeof(label));
    ck_assert_str_eq(label, "new");
    ck_assert_rv(fake_get_rv(token, handle, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    ck_assert_rv(set(handle, back, 1), CKR_ATTRIBUTE_READ_ONLY);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

/* ---- C_CopyObject ---- */

START_TEST(a_key_of_the_vault_is_not_copied)
{
    CK_OBJECT_HANDLE copy;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_TOKEN, no) };
    ck_assert_rv(kvp_object_copy(&call, &token->session, handle, attrs, 1, &copy),
                 CKR_ACTION_PROHIBITED);
    ck_assert_rv(kvp_object_copy(&call, &token->session, handle, NULL, 0, &copy),
                 CKR_ACTION_PROHIBITED);
    ck_assert(!fake_get_bool(token, handle, CKA_COPYABLE));
}
END_TEST

START_TEST(a_session_object_is_copied_with_changes)
{
    uint8_t value[16];
    char label[8] = { 0 };
    CK_OBJECT_HANDLE copy;
    CK_OBJECT_HANDLE handle = make_session_key();
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "copy"), ATTR_VALUE(CKA_COPYABLE, no) };
    CK_ATTRIBUTE on_token[] = { ATTR_VALUE(CKA_TOKEN, yes) };
    ck_assert_rv(kvp_object_copy(&call, &token->reader, handle, attrs, 2, &copy), CKR_OK);
    ck_assert_uint_ne(copy, handle);
    fake_get(token, copy, CKA_VALUE, value, sizeof(value));
    ck_assert_mem_eq(value, "0123456789abcdef", 16);
    fake_get(token, copy, CKA_LABEL, label, sizeof(label));
    ck_assert_str_eq(label, "copy");
    ck_assert_rv(kvp_object_copy(&call, &token->reader, copy, NULL, 0, &copy),
                 CKR_ACTION_PROHIBITED);
    ck_assert_rv(kvp_object_copy(&call, &token->session, handle, on_token, 1, &copy),
                 CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(kvp_object_copy(&call, &token->session, 99999, NULL, 0, &copy),
                 CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

/* ---- C_DestroyObject ---- */

START_TEST(destroying_the_private_key_deletes_the_name)
{
    CK_OBJECT_HANDLE found[4];
    CK_OBJECT_HANDLE private_key = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    CK_OBJECT_HANDLE public_key = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    fake_reset();

    ck_assert_rv(kvp_object_destroy(&call, &token->session, private_key), CKR_OK);

    ck_assert_ptr_null(fake_key("ec"));
    ck_assert_uint_eq(fake_total(), 1);
    ck_assert_str_eq(call.operation, "DestroyObject");
    ck_assert_rv(fake_get_rv(token, private_key, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_rv(fake_get_rv(token, public_key, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "ec") };
    ck_assert_uint_eq(fake_find(token, attrs, 1, found, 4), 0);
}
END_TEST

START_TEST(destroying_the_public_key_alone_is_refused)
{
    CK_OBJECT_HANDLE public_key = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    fake_reset();
    ck_assert(!fake_get_bool(token, public_key, CKA_DESTROYABLE));
    ck_assert_rv(kvp_object_destroy(&call, &token->session, public_key), CKR_ACTION_PROHIBITED);
    ck_assert_ptr_nonnull(fake_key("ec"));
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(an_old_version_does_not_take_the_new_one_with_it)
{
    CK_OBJECT_HANDLE old = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    fake_rotate("ec");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_rv(kvp_object_destroy(&call, &token->session, old), CKR_ACTION_PROHIBITED);
    ck_assert_ptr_nonnull(fake_key("ec"));
    ck_assert_rv(kvp_object_destroy(&call, &token->session, old), CKR_ACTION_PROHIBITED);
    ck_assert_uint_eq(fake_requests.deletes, 0);
    CK_OBJECT_HANDLE fresh = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    ck_assert_rv(kvp_object_destroy(&call, &token->session, fresh), CKR_OK);
    ck_assert_rv(fake_get_rv(token, old, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

START_TEST(destroying_needs_a_session_that_may_write)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    ck_assert_rv(kvp_object_destroy(&call, &token->reader, handle), CKR_SESSION_READ_ONLY);
    token->config.read_only = true;
    ck_assert_rv(kvp_object_destroy(&call, &token->session, handle), CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_rv(kvp_object_destroy(&call, &token->reader, handle), CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_uint_eq(fake_requests.deletes, 0);
}
END_TEST

START_TEST(a_refused_deletion_changes_nothing)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    fake_fail(403, 1);
    ck_assert_rv(kvp_object_destroy(&call, &token->session, handle), CKR_FUNCTION_REJECTED);
    ck_assert_rv(fake_get_rv(token, handle, CKA_LABEL), CKR_OK);
}
END_TEST

START_TEST(a_key_that_is_gone_already_is_forgotten)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    fake_remove("ec");
    ck_assert_rv(kvp_object_destroy(&call, &token->session, handle), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_rv(fake_get_rv(token, handle, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

START_TEST(an_object_in_use_outlives_its_deletion)
{
    kvp_object *object = NULL;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    ck_assert_rv(kvp_object_destroy(&call, &token->session, handle), CKR_OK);
    ck_assert_str_eq(kvp_object_vault_key(object)->name, "ec");
    kvp_object_unref(object);
}
END_TEST

START_TEST(a_session_object_is_destroyed_in_any_session)
{
    CK_OBJECT_HANDLE handle = make_session_key();
    ck_assert_rv(kvp_object_destroy(&call, &token->reader, handle), CKR_OK);
    ck_assert_rv(kvp_object_destroy(&call, &token->reader, handle), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("object_change");
    TCase *tc = tcase_create("set");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_new_label_and_id_become_tags_of_both_objects);
    tcase_add_test(tc, the_name_as_label_takes_the_tag_off);
    tcase_add_test(tc, tags_that_others_set_meanwhile_survive);
    tcase_add_test(tc, usage_becomes_key_ops);
    tcase_add_test(tc, dates_become_nbf_and_exp);
    tcase_add_test(tc, what_a_vault_cannot_keep_is_refused_before_it_is_sent);
    tcase_add_test(tc, what_may_not_change_is_refused);
    tcase_add_test(tc, the_key_of_a_certificate_cannot_be_changed_or_destroyed);
    tcase_add_test(tc, a_change_is_made_to_the_version_of_the_handle);
    tcase_add_test(tc, a_session_object_changes_in_memory);
    suite_add_tcase(suite, tc);
    tc = tcase_create("copy");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_key_of_the_vault_is_not_copied);
    tcase_add_test(tc, a_session_object_is_copied_with_changes);
    suite_add_tcase(suite, tc);
    tc = tcase_create("destroy");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, destroying_the_private_key_deletes_the_name);
    tcase_add_test(tc, destroying_the_public_key_alone_is_refused);
    tcase_add_test(tc, an_old_version_does_not_take_the_new_one_with_it);
    tcase_add_test(tc, destroying_needs_a_session_that_may_write);
    tcase_add_test(tc, a_refused_deletion_changes_nothing);
    tcase_add_test(tc, a_key_that_is_gone_already_is_forgotten);
    tcase_add_test(tc, an_object_in_use_outlives_its_deletion);
    tcase_add_test(tc, a_session_object_is_destroyed_in_any_session);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
