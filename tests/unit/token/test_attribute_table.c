/* SPDX-License-Identifier: MIT */
/* The rows, walked one by one. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"
#include "token/template.h"

#include <check.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;

static void setup(void)
{
    token = fake_new(false);
    fake_add_rsa("rsa");
    fake_add_ec("ec");
}

static void teardown(void)
{
    fake_free(token);
}

START_TEST(row_is_whole)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    ck_assert_msg(strncmp(row->name, "CKA_", 4) == 0, "%s", row->name);
    ck_assert_msg(row->get != NULL, "%s", row->name);
    ck_assert_msg(row->who != 0 && !(row->who & ~(unsigned)KVP_IS_ANY), "%s", row->name);
    if (row->flags & KVP_ATTRIBUTE_REQUIRED)
        ck_assert_msg(row->flags & KVP_ATTRIBUTE_CREATE, "%s", row->name);
    if (row->flags & KVP_ATTRIBUTE_NEEDED)
        ck_assert_msg(row->flags & KVP_ATTRIBUTE_GENERATE, "%s", row->name);
    if (row->flags & KVP_ATTRIBUTE_FIXED)
        ck_assert_msg(row->flags & KVP_ATTRIBUTE_LISTED, "%s", row->name);
}
END_TEST

START_TEST(no_kind_has_an_attribute_twice)
{
    for (size_t i = 0; i < (size_t)_i; i++)
        if (kvp_attribute_rows[i].type == kvp_attribute_rows[_i].type)
            ck_assert_msg(!(kvp_attribute_rows[i].who & kvp_attribute_rows[_i].who), "%s",
                          kvp_attribute_rows[_i].name);
}
END_TEST

/* What a loaded key of the vault answers: a value of the row's form, or none for a good reason. */
static void check_answer(const kvp_attribute_row *row, CK_OBJECT_CLASS cls, const char *name)
{
    kvp_view view = { .slot = &token->slot, .cls = cls, .key = fake_key(name), .loaded = true };
    if (!(row->who & kvp_view_who(&view)))
        return;
    kvp_buf value = { 0 };
    kvp_status st = kvp_attribute_get(&view, row->type, &value);
    if (row->flags & KVP_ATTRIBUTE_SENSITIVE) {
        ck_assert_msg(st == KVP_ERR_REFUSED, "%s", row->name);
    } else if (row->type == CKA_ALLOWED_MECHANISMS) {
        ck_assert_int_eq(st, KVP_ERR_NOT_FOUND); /* needs an object with a handle */
    } else {
        ck_assert_msg(st == KVP_OK, "%s of %s", row->name, name);
        CK_ATTRIBUTE attr = { row->type, value.data, value.len };
        ck_assert_msg(kvp_attribute_matches(&view, &attr), "%s of %s", row->name, name);
        CK_RV expected = row->flags ? CKR_OK : CKR_ATTRIBUTE_READ_ONLY;
        ck_assert_msg(kvp_template_check(&attr, 1, row->who, ~0U, 0) == expected, "%s of %s",
                      row->name, name);
    }
    kvp_buf_clear(&value);
}

START_TEST(every_key_answers_its_rows)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    check_answer(row, CKO_PRIVATE_KEY, "rsa");
    check_answer(row, CKO_PUBLIC_KEY, "rsa");
    check_answer(row, CKO_PRIVATE_KEY, "ec");
    check_answer(row, CKO_PUBLIC_KEY, "ec");
}
END_TEST

/* A list item has no numbers, type or usage: LISTED rows answer from it, and the same as later. */
START_TEST(listed_rows_answer_from_a_list_item)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    if (!(row->who & KVP_IS_PRIVATE))
        return;
    kvp_key item = *fake_key("rsa");
    item.version = (char *)(uintptr_t) "";
    item.has_material = false;
    item.kty = KVP_KTY_UNKNOWN;
    item.ops = 0;
    kvp_view listed = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &item };
    kvp_view loaded = listed;
    loaded.key = fake_key("rsa");
    loaded.loaded = true;
    kvp_buf before = { 0 };
    kvp_buf after = { 0 };

    kvp_status st = kvp_attribute_get(&listed, row->type, &before);

    if (row->flags & KVP_ATTRIBUTE_LISTED) {
        ck_assert_msg(st == KVP_OK, "%s", row->name);
        ck_assert_int_eq(kvp_attribute_get(&loaded, row->type, &after), KVP_OK);
        ck_assert_msg(before.len == after.len, "%s", row->name);
        ck_assert_msg(!before.len || memcmp(before.data, after.data, after.len) == 0, "%s",
                      row->name);
    } else {
        ck_assert_msg(st == KVP_ERR_NOT_FOUND || st == KVP_ERR_REFUSED, "%s", row->name);
    }
    kvp_buf_clear(&before);
    kvp_buf_clear(&after);
}
END_TEST

/* FIXED rows speak for keys that are not even looked at. */
START_TEST(fixed_rows_are_the_same_for_every_key)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    if (!(row->flags & KVP_ATTRIBUTE_FIXED) || !(row->who & (KVP_IS_PRIVATE | KVP_IS_PUBLIC)))
        return;
    CK_OBJECT_CLASS cls = row->who & KVP_IS_PRIVATE ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
    kvp_view none = { .slot = &token->slot, .cls = cls, .loaded = true };
    kvp_view one = none;
    one.key = fake_key("ec");
    kvp_buf a = { 0 };
    kvp_buf b = { 0 };
    ck_assert_msg(kvp_attribute_get(&none, row->type, &a) == KVP_OK, "%s", row->name);
    ck_assert_msg(kvp_attribute_get(&one, row->type, &b) == KVP_OK, "%s", row->name);
    ck_assert_msg(a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0), "%s",
                  row->name);
    kvp_buf_clear(&a);
    kvp_buf_clear(&b);
}
END_TEST

/* ---- certificates and data ---- */

static kvp_tag tags[] = {
    { (char *)(uintptr_t)KVP_TAG_APPLICATION, (char *)(uintptr_t) "app" },
    { (char *)(uintptr_t)KVP_TAG_OBJECT_ID, (char *)(uintptr_t) "AQI" },
};
static kvp_certificate web = { .collection = KVP_CERTIFICATES,
                               .id = (char *)(uintptr_t) "https://v/certificates/web/1",
                               .name = (char *)(uintptr_t) "web",
                               .version = (char *)(uintptr_t) "1" };
static kvp_secret note = { .collection = KVP_SECRETS,
                           .id = (char *)(uintptr_t) "https://v/secrets/note",
                           .name = (char *)(uintptr_t) "note",
                           .version = (char *)(uintptr_t) "",
                           .content_type = (char *)(uintptr_t) "text/plain",
                           .tags = tags,
                           .tag_count = KVP_ARRAY_LEN(tags) };
static kvp_cert *cert;

static void make_cert(void)
{
    unsigned char der[2048], *at = der;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               (const unsigned char *)"web", -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 7);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 1000);
    X509_set_pubkey(x509, key);
    X509_sign(x509, key, EVP_sha256());
    int len = i2d_X509(x509, &at);
    ck_assert_int_eq(kvp_cert_parse(der, (size_t)len, &cert, NULL), KVP_OK);
    X509_free(x509);
    EVP_PKEY_free(key);
}

static void setup_entries(void)
{
    setup();
    make_cert();
}

static void teardown_entries(void)
{
    kvp_cert_free(cert);
    teardown();
}

/* A value of the row's form that the object itself matches. */
static void check_entry(const kvp_attribute_row *row, const kvp_view *view)
{
    kvp_buf value = { 0 };
    if (!(row->who & kvp_view_who(view)))
        return;
    ck_assert_msg(kvp_attribute_get(view, row->type, &value) == KVP_OK, "%s", row->name);
    CK_ATTRIBUTE attr = { row->type, value.data, value.len };
    ck_assert_msg(kvp_attribute_matches(view, &attr), "%s", row->name);
    unsigned given = KVP_ATTRIBUTE_CREATE | KVP_ATTRIBUTE_MODIFY;
    CK_RV expected = row->flags & given ? CKR_OK : CKR_ATTRIBUTE_READ_ONLY;
    ck_assert_msg(kvp_template_check(&attr, 1, row->who, given, 0) == expected, "%s", row->name);
    kvp_buf_clear(&value);
}

START_TEST(certificates_and_data_answer_their_rows)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    kvp_buf bytes = { 0 };
    ck_assert_int_eq(kvp_buf_set(&bytes, "value", 5), KVP_OK);
    kvp_view certificate = { .slot = &token->slot,
                             .cls = CKO_CERTIFICATE,
                             .entry = &web.entry,
                             .cert = cert,
                             .loaded = true };
    kvp_view issuer = certificate;
    issuer.entry = NULL;
    kvp_view data = { .slot = &token->slot,
                      .cls = CKO_DATA,
                      .entry = &note.entry,
                      .value = &bytes,
                      .loaded = true };
    check_entry(row, &certificate);
    check_entry(row, &data);
    if (!(row->flags & KVP_ATTRIBUTE_VENDOR))
        check_entry(row, &issuer);
    kvp_buf_clear(&bytes);
}
END_TEST

START_TEST(listed_rows_answer_for_what_is_only_listed)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    const kvp_view views[] = {
        { .slot = &token->slot, .cls = CKO_CERTIFICATE, .entry = &web.entry },
        { .slot = &token->slot, .cls = CKO_DATA, .entry = &note.entry },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(views); i++) {
        kvp_buf value = { 0 };
        if (!(row->who & kvp_view_who(&views[i])))
            continue;
        kvp_status st = kvp_attribute_get(&views[i], row->type, &value);
        ck_assert_msg(st == (row->flags & KVP_ATTRIBUTE_LISTED ? KVP_OK : KVP_ERR_NOT_FOUND), "%s",
                      row->name);
        kvp_buf_clear(&value);
    }
}
END_TEST

static const struct {
    CK_OBJECT_CLASS cls;
    CK_ATTRIBUTE_TYPE usage;
    uint32_t op;
} usages[] = {
    { CKO_PRIVATE_KEY, CKA_SIGN, KVP_OP_SIGN },
    { CKO_PRIVATE_KEY, CKA_SIGN_RECOVER, KVP_OP_SIGN },
    { CKO_PRIVATE_KEY, CKA_DECRYPT, KVP_OP_DECRYPT },
    { CKO_PRIVATE_KEY, CKA_UNWRAP, KVP_OP_UNWRAP },
    { CKO_PUBLIC_KEY, CKA_VERIFY, KVP_OP_VERIFY },
    { CKO_PUBLIC_KEY, CKA_VERIFY_RECOVER, KVP_OP_VERIFY },
    { CKO_PUBLIC_KEY, CKA_ENCRYPT, KVP_OP_ENCRYPT },
    { CKO_PUBLIC_KEY, CKA_WRAP, KVP_OP_WRAP },
};

START_TEST(usage_is_what_key_ops_say)
{
    kvp_key key = { .kty = KVP_KTY_RSA, .ops = usages[_i].op };
    kvp_view view = { .slot = &token->slot, .cls = usages[_i].cls, .key = &key, .loaded = true };
    ck_assert(kvp_attribute_is_true(&view, usages[_i].usage));
    key.ops = ~usages[_i].op;
    ck_assert(!kvp_attribute_is_true(&view, usages[_i].usage));
}
END_TEST

START_TEST(an_ec_key_only_signs)
{
    kvp_key key = { .kty = KVP_KTY_EC, .ops = ~0U };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key, .loaded = true };
    ck_assert(kvp_attribute_is_true(&view, CKA_SIGN));
    ck_assert(!kvp_attribute_is_true(&view, CKA_DECRYPT));
    ck_assert(!kvp_attribute_is_true(&view, CKA_UNWRAP));
    ck_assert(!kvp_attribute_is_true(&view, CKA_DERIVE));
}
END_TEST

START_TEST(dates_come_from_nbf_and_exp)
{
    kvp_key key = { .kty = KVP_KTY_EC,
                    .attributes = { .not_before = 1767225600, .expires = 1798761599 } };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key };
    kvp_buf value = { 0 };
    ck_assert_int_eq(kvp_attribute_get(&view, CKA_START_DATE, &value), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&value), "20260101");
    kvp_buf_clear(&value);
    ck_assert_int_eq(kvp_attribute_get(&view, CKA_END_DATE, &value), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&value), "20261231");
    kvp_buf_clear(&value);
    key.attributes.expires = 0;
    ck_assert_int_eq(kvp_attribute_get(&view, CKA_END_DATE, &value), KVP_OK);
    ck_assert_uint_eq(value.len, 0);
}
END_TEST

START_TEST(only_what_we_had_made_is_local)
{
    kvp_tag tag = { (char *)(uintptr_t)KVP_TAG_LOCAL, (char *)(uintptr_t) "yes" };
    kvp_key key = { .kty = KVP_KTY_EC };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key, .loaded = true };
    ck_assert(!kvp_attribute_is_true(&view, CKA_LOCAL));
    ck_assert(!kvp_attribute_is_true(&view, CKA_ALWAYS_SENSITIVE));
    key.tags = &tag;
    key.tag_count = 1;
    ck_assert(kvp_attribute_is_true(&view, CKA_LOCAL));
    ck_assert(kvp_attribute_is_true(&view, CKA_ALWAYS_SENSITIVE));
}
END_TEST

START_TEST(an_exportable_key_says_so)
{
    kvp_key key = { .kty = KVP_KTY_EC, .attributes = { .exportable = true } };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key, .loaded = true };
    ck_assert(kvp_attribute_is_true(&view, CKA_EXTRACTABLE));
    ck_assert(!kvp_attribute_is_true(&view, CKA_NEVER_EXTRACTABLE));
    ck_assert(kvp_attribute_is_true(&view, CKA_SENSITIVE));
}
END_TEST

START_TEST(the_key_of_a_certificate_is_not_ours_to_change)
{
    kvp_key key = { .kty = KVP_KTY_EC, .managed = true };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key, .loaded = true };
    ck_assert(!kvp_attribute_is_true(&view, CKA_MODIFIABLE));
    ck_assert(!kvp_attribute_is_true(&view, CKA_DESTROYABLE));
}
END_TEST

START_TEST(a_token_with_a_pin_has_private_objects)
{
    kvp_key key = { .kty = KVP_KTY_EC };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PUBLIC_KEY, .key = &key, .loaded = true };
    ck_assert(!kvp_attribute_is_true(&view, CKA_PRIVATE));
    token->config.credential = kvp_strdup("pin");
    ck_assert(kvp_attribute_is_true(&view, CKA_PRIVATE));
}
END_TEST

START_TEST(a_key_of_unknown_type_is_shown_as_such)
{
    kvp_key key = { .kty = KVP_KTY_UNKNOWN };
    kvp_view view = { .slot = &token->slot, .cls = CKO_PRIVATE_KEY, .key = &key, .loaded = true };
    ck_assert_uint_eq(kvp_view_key_type(&view), CKK_VENDOR_DEFINED);
    ck_assert(!kvp_attribute_is_true(&view, CKA_SIGN));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attribute_table");
    int rows = (int)kvp_attribute_row_count;
    TCase *tc = tcase_create("rows");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, row_is_whole, 0, rows);
    tcase_add_loop_test(tc, no_kind_has_an_attribute_twice, 0, rows);
    tcase_add_loop_test(tc, every_key_answers_its_rows, 0, rows);
    tcase_add_loop_test(tc, listed_rows_answer_from_a_list_item, 0, rows);
    tcase_add_loop_test(tc, fixed_rows_are_the_same_for_every_key, 0, rows);
    TCase *entries = tcase_create("entries");
    tcase_add_checked_fixture(entries, setup_entries, teardown_entries);
    tcase_add_loop_test(entries, certificates_and_data_answer_their_rows, 0,
                        (int)kvp_attribute_row_count);
    tcase_add_loop_test(entries, listed_rows_answer_for_what_is_only_listed, 0,
                        (int)kvp_attribute_row_count);
    suite_add_tcase(suite, entries);
    suite_add_tcase(suite, tc);
    tc = tcase_create("values");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, usage_is_what_key_ops_say, 0, KVP_ARRAY_LEN(usages));
    tcase_add_test(tc, an_ec_key_only_signs);
    tcase_add_test(tc, dates_come_from_nbf_and_exp);
    tcase_add_test(tc, only_what_we_had_made_is_local);
    tcase_add_test(tc, an_exportable_key_says_so);
    tcase_add_test(tc, the_key_of_a_certificate_is_not_ours_to_change);
    tcase_add_test(tc, a_token_with_a_pin_has_private_objects);
    tcase_add_test(tc, a_key_of_unknown_type_is_shown_as_such);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
