/* SPDX-License-Identifier: MIT */
/* What a template needs of the vault, decided before any request. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"
#include "token/find_plan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define V "0123456789abcdef0123456789abcdef"

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static fake_token *vault;
static fake_token *hsm;

static void setup(void)
{
    hsm = fake_new(true);
    vault = fake_new(false);
}

static void teardown(void)
{
    fake_free(vault);
    fake_free(hsm);
}

static kvp_find_plan plan_of(fake_token *token, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    kvp_find_plan plan;
    kvp_find_plan_make(&token->slot, attrs, count, &plan);
    return plan;
}

/* NSS and its browsers, GnuTLS and Java ask for these all the time. */
static const CK_OBJECT_CLASS never_classes[] = {
    CKO_CERTIFICATE, CKO_HW_FEATURE, CKO_DOMAIN_PARAMETERS, CKO_MECHANISM, CKO_OTP_KEY,
    CKO_PROFILE, CKO_TRUST, CKO_DATA,
    0xce534351UL, /* CKO_NSS_CRL */
    0xce534352UL, /* CKO_NSS_SMIME */
    0xce534353UL, /* CKO_NSS_TRUST */
    0xce534354UL, /* CKO_NSS_BUILTIN_ROOT_LIST */
    CK_UNAVAILABLE_INFORMATION,
};

START_TEST(classes_that_a_vault_never_has_need_no_request)
{
    CK_OBJECT_CLASS cls = never_classes[_i];
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, cls), ATTR_TEXT(CKA_LABEL, "web") };
    ck_assert_uint_eq(plan_of(vault, attrs, 2).who, 0);
    ck_assert_uint_eq(plan_of(hsm, attrs, 2).who, 0);
}
END_TEST

START_TEST(secret_keys_are_looked_for_on_a_managed_hsm_only)
{
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, cls) };
    ck_assert_uint_eq(plan_of(vault, attrs, 1).who, 0);
    ck_assert_uint_eq(plan_of(hsm, attrs, 1).who, KVP_IS_SECRET);
}
END_TEST

START_TEST(values_that_no_key_of_a_vault_has_need_no_request)
{
    static CK_KEY_TYPE dsa = CKK_DSA;
    static CK_KEY_TYPE aes = CKK_AES;
    static const CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE impossible[] = {
        ATTR_VALUE(CKA_TRUSTED, yes),
        ATTR_VALUE(CKA_TOKEN, no),
        ATTR_VALUE(CKA_PRIVATE, yes),
        ATTR_VALUE(CKA_SENSITIVE, no),
        ATTR_VALUE(CKA_COPYABLE, yes),
        ATTR_VALUE(CKA_DERIVE, yes),
        ATTR_VALUE(CKA_ALWAYS_AUTHENTICATE, yes),
        ATTR_VALUE(CKA_KEY_TYPE, dsa),
        ATTR_VALUE(CKA_KEY_TYPE, aes),
        ATTR_TEXT(CKA_ISSUER, "x"),
        ATTR_TEXT(CKA_SERIAL_NUMBER, "x"),
        ATTR_TEXT(CKA_VALUE, "x"),
        ATTR_TEXT(CKA_PRIVATE_EXPONENT, "x"),
        ATTR_TEXT(CKA_APPLICATION, "x"),
        ATTR_TEXT(CKA_LABEL, ""),
        ATTR_TEXT(CKA_ID, ""),
        ATTR_TEXT(CKA_UNIQUE_ID, "web"),
        ATTR_TEXT(CKA_KVP_KEY_ID, "https://other.test/keys/web/" V),
        ATTR_BYTES(CKA_TOKEN, "\x01\x01", 2),
        ATTR_BYTES(CKA_CLASS, &private_class, 4),
        ATTR_BYTES(CKA_VENDOR_DEFINED | 1, "x", 1),
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(impossible); i++)
        ck_assert_msg(plan_of(vault, &impossible[i], 1).who == 0, "%zu", i);
}
END_TEST

START_TEST(class_and_key_type_narrow_the_kinds)
{
    CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    CK_KEY_TYPE ec = CKK_EC;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, cls), ATTR_VALUE(CKA_KEY_TYPE, ec) };
    kvp_find_plan plan = plan_of(vault, attrs, 1);
    ck_assert_uint_eq(plan.who, KVP_IS_PRIVATE_RSA | KVP_IS_PRIVATE_EC);
    ck_assert(!plan.documents);
    plan = plan_of(vault, attrs, 2);
    ck_assert_uint_eq(plan.who, KVP_IS_PRIVATE_EC);
    ck_assert(plan.documents);
}
END_TEST

START_TEST(an_attribute_narrows_to_the_kinds_that_have_it)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_SIGN, yes) };
    kvp_find_plan plan = plan_of(vault, attrs, 1);
    ck_assert_uint_eq(plan.who, KVP_IS_PRIVATE_RSA | KVP_IS_PRIVATE_EC);
    ck_assert(plan.documents);
}
END_TEST

START_TEST(listed_attributes_need_no_documents)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_PRIVATE, no),
                             ATTR_TEXT(CKA_LABEL, "web"), ATTR_TEXT(CKA_ID, "web"),
                             ATTR_TEXT(CKA_END_DATE, "20261231") };
    ck_assert(!plan_of(vault, attrs, 5).documents);
    ck_assert(!plan_of(vault, NULL, 0).documents);
}
END_TEST

START_TEST(a_managed_hsm_tells_classes_in_documents_only)
{
    ck_assert(plan_of(hsm, NULL, 0).documents);
}
END_TEST

START_TEST(a_label_names_a_key)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "web") };
    kvp_find_plan plan = plan_of(vault, attrs, 1);
    ck_assert(plan.exact);
    ck_assert(!plan.certain);
    ck_assert_uint_eq(plan.ref_count, 1);
    ck_assert_str_eq(plan.refs[0].name, "web");
    ck_assert_str_eq(plan.refs[0].version, "");
}
END_TEST

START_TEST(equal_label_and_id_name_one_key)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_ID, "web"), ATTR_TEXT(CKA_LABEL, "web") };
    ck_assert_uint_eq(plan_of(vault, attrs, 2).ref_count, 1);
}
END_TEST

START_TEST(a_label_is_likelier_than_an_id)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_ID, "abc"), ATTR_TEXT(CKA_LABEL, "web") };
    kvp_find_plan plan = plan_of(vault, attrs, 2);
    ck_assert_uint_eq(plan.ref_count, 2);
    ck_assert_str_eq(plan.refs[0].name, "web");
    ck_assert_str_eq(plan.refs[1].name, "abc");
}
END_TEST

START_TEST(a_label_that_is_no_name_names_no_key)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "Web server") };
    kvp_find_plan plan = plan_of(vault, attrs, 1);
    ck_assert(plan.exact);
    ck_assert_uint_ne(plan.who, 0);
    ck_assert_uint_eq(plan.ref_count, 0);
}
END_TEST

START_TEST(a_unique_id_is_certain_and_names_the_class)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "Web"),
                             ATTR_TEXT(CKA_UNIQUE_ID, "web/" V ";type=public") };
    kvp_find_plan plan = plan_of(vault, attrs, 2);
    ck_assert(plan.certain);
    ck_assert_uint_eq(plan.ref_count, 1);
    ck_assert_str_eq(plan.refs[0].name, "web");
    ck_assert_str_eq(plan.refs[0].version, V);
    ck_assert_uint_eq(plan.who, KVP_IS_PUBLIC_RSA | KVP_IS_PUBLIC_EC);
}
END_TEST

START_TEST(hidden_names_are_not_asked_for)
{
    char *globs[] = { (char *)(uintptr_t) "prod-*", NULL };
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "web") };
    CK_ATTRIBUTE unique[] = { ATTR_TEXT(CKA_UNIQUE_ID, "web/" V ";type=public") };
    vault->config.keys = globs;
    ck_assert_uint_eq(plan_of(vault, attrs, 1).ref_count, 0);
    ck_assert_uint_eq(plan_of(vault, unique, 1).who, 0);
    vault->config.keys = NULL;
}
END_TEST

/* ---- certificates and data ---- */

#define KEYS KVP_COLLECTION_BIT(KVP_KEYS)
#define CERTIFICATES KVP_COLLECTION_BIT(KVP_CERTIFICATES)
#define SECRETS KVP_COLLECTION_BIT(KVP_SECRETS)

static void show(fake_token *token, bool certificates, bool secrets)
{
    token->config.certificates = certificates;
    token->config.secrets = secrets;
}

START_TEST(collections_follow_from_what_can_match)
{
    static CK_OBJECT_CLASS certificate = CKO_CERTIFICATE, data = CKO_DATA, key = CKO_PRIVATE_KEY;
    const struct {
        CK_ATTRIBUTE attr;
        unsigned who, collections, documents;
    } rows[] = {
        { ATTR_VALUE(CKA_CLASS, certificate), KVP_IS_CERTIFICATE, CERTIFICATES | SECRETS, 0 },
        { ATTR_VALUE(CKA_CLASS, data), KVP_IS_DATA, SECRETS, 0 },
        { ATTR_VALUE(CKA_CLASS, key), KVP_IS_PRIVATE_RSA | KVP_IS_PRIVATE_EC, KEYS, 0 },
        { ATTR_TEXT(CKA_ISSUER, "x"), KVP_IS_CERTIFICATE, CERTIFICATES | SECRETS,
          KVP_IS_CERTIFICATE },
        { ATTR_TEXT(CKA_VALUE, "x"), KVP_IS_CERTIFICATE, CERTIFICATES | SECRETS,
          KVP_IS_CERTIFICATE },
        { ATTR_TEXT(CKA_APPLICATION, "x"), KVP_IS_DATA, SECRETS, 0 },
        { ATTR_TEXT(CKA_UNIQUE_ID, "web;type=data"), KVP_IS_DATA, SECRETS, 0 },
        { ATTR_TEXT(CKA_UNIQUE_ID, "web/" V ";type=cert"), KVP_IS_CERTIFICATE,
          CERTIFICATES | SECRETS, KVP_IS_CERTIFICATE },
        { ATTR_TEXT(CKA_UNIQUE_ID, "issuer-00;type=cert"), KVP_IS_CERTIFICATE,
          CERTIFICATES | SECRETS, KVP_IS_CERTIFICATE },
        { ATTR_TEXT(CKA_KVP_KEY_ID, FAKE_URL "/certificates/web/" V), KVP_IS_CERTIFICATE,
          CERTIFICATES | SECRETS, KVP_IS_CERTIFICATE },
    };
    show(vault, true, true);
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        kvp_find_plan plan = plan_of(vault, &rows[i].attr, 1);
        ck_assert_msg(plan.who == rows[i].who, "row %zu: who 0x%x", i, plan.who);
        ck_assert_msg(plan.collections == rows[i].collections, "row %zu: collections", i);
        ck_assert_msg(plan.documents == rows[i].documents, "row %zu: documents 0x%x", i,
                      plan.documents);
    }
    kvp_find_plan all = plan_of(vault, NULL, 0);
    ck_assert_uint_eq(all.collections, KEYS | CERTIFICATES | SECRETS);
}
END_TEST

START_TEST(what_is_not_shown_is_not_looked_for)
{
    CK_OBJECT_CLASS certificate = CKO_CERTIFICATE, data = CKO_DATA;
    CK_ATTRIBUTE of_certificate[] = { ATTR_VALUE(CKA_CLASS, certificate) };
    CK_ATTRIBUTE of_data[] = { ATTR_VALUE(CKA_CLASS, data) };
    show(vault, true, false);
    ck_assert_uint_eq(plan_of(vault, of_data, 1).who, 0);
    show(vault, false, true);
    ck_assert_uint_eq(plan_of(vault, of_certificate, 1).who, 0);
    ck_assert_uint_eq(plan_of(vault, of_data, 1).collections, SECRETS);
    /* A Managed HSM has keys only, whatever the configuration says. */
    show(hsm, true, true);
    ck_assert_uint_eq(plan_of(hsm, of_certificate, 1).who, 0);
    ck_assert_uint_eq(plan_of(hsm, of_data, 1).who, 0);
    ck_assert_uint_eq(plan_of(hsm, NULL, 0).collections, KEYS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("find_plan");
    TCase *tc = tcase_create("none");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, classes_that_a_vault_never_has_need_no_request, 0,
                        KVP_ARRAY_LEN(never_classes));
    tcase_add_test(tc, secret_keys_are_looked_for_on_a_managed_hsm_only);
    tcase_add_test(tc, values_that_no_key_of_a_vault_has_need_no_request);
    suite_add_tcase(suite, tc);
    tc = tcase_create("kinds");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, class_and_key_type_narrow_the_kinds);
    tcase_add_test(tc, an_attribute_narrows_to_the_kinds_that_have_it);
    tcase_add_test(tc, listed_attributes_need_no_documents);
    tcase_add_test(tc, a_managed_hsm_tells_classes_in_documents_only);
    suite_add_tcase(suite, tc);
    tc = tcase_create("names");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_label_names_a_key);
    tcase_add_test(tc, equal_label_and_id_name_one_key);
    tcase_add_test(tc, a_label_is_likelier_than_an_id);
    tcase_add_test(tc, a_label_that_is_no_name_names_no_key);
    tcase_add_test(tc, a_unique_id_is_certain_and_names_the_class);
    tcase_add_test(tc, hidden_names_are_not_asked_for);
    suite_add_tcase(suite, tc);
    tc = tcase_create("certificates and data");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, collections_follow_from_what_can_match);
    tcase_add_test(tc, what_is_not_shown_is_not_looked_for);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
