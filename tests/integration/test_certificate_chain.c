/* SPDX-License-Identifier: MIT */
/*
 * Issuers: where they come from by the setting `chain`, that each is there once, and that no secret
 * is read which could hold a private key.
 */
#include "certs.h"

#include <openssl/pem.h>
#include <string.h>

static cert root, middle, web, mail, lone, open_leaf, own;
static const cert *chain[3];

static CK_OBJECT_HANDLE by_subject(const cert *c, CK_ULONG expected)
{
    der subject = cert_name_der(X509_get_subject_name(c->x509));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SUBJECT, subject.data, subject.len), expected);
    return expected ? found[0] : CK_INVALID_HANDLE;
}

static void assert_der(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, der d)
{
    assert_attribute(object, type, d.data, d.len);
}

/* ---- auto ---- */

START_TEST(issuers_of_keys_that_cannot_be_exported_are_shown_once)
{
    module_configure("");
    /* web, mail, lone, open, own, and the two issuers of web and mail. */
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 7);
    by_subject(&root, 1);
    by_subject(&middle, 1);
    /* One secret, though two certificates have that issuer: and none of an exportable key. */
    assert_requests("SecretGet", 1);
    find_class(CKO_CERTIFICATE);
    assert_requests("SecretGet", 1);
}
END_TEST

START_TEST(an_issuer_is_an_authority_with_an_id_of_its_key)
{
    module_configure("");
    CK_OBJECT_HANDLE object = by_subject(&middle, 1);
    unsigned char sha[32], unique[128];
    der spki = cert_spki_der(&middle);

    EVP_Digest(spki.data, spki.len, sha, NULL, EVP_sha256(), NULL);
    assert_attribute(object, CKA_ID, sha, 20);
    assert_attribute(object, CKA_LABEL, "Middle", 6);
    assert_der(object, CKA_VALUE, cert_der(&middle));
    assert_der(object, CKA_ISSUER, cert_name_der(X509_get_subject_name(root.x509)));
    assert_der(object, CKA_SERIAL_NUMBER, cert_serial_der(&middle));
    ck_assert_uint_eq(number_of(object, CKA_CERTIFICATE_CATEGORY),
                      CK_CERTIFICATE_CATEGORY_AUTHORITY);
    assert_attribute(object, CKA_TOKEN, "\1", 1);
    assert_attribute(object, CKA_TRUSTED, "\0", 1);
    assert_attribute(object, CKA_MODIFIABLE, "\0", 1);
    assert_attribute(object, CKA_DESTROYABLE, "\0", 1);
    assert_rv(CKR_ACTION_PROHIBITED, p11->C_DestroyObject(module_session, object));

    size_t len = attribute_of(object, CKA_UNIQUE_ID, unique, sizeof(unique));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_UNIQUE_ID, unique, len), 1);
    ck_assert_uint_eq(found[0], object);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, sha, 20), 1);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "Middle", 6), 1);
    ck_assert_uint_eq(found[0], object);
}
END_TEST

/* The walk that NSS and Java make from a certificate to its root. */
START_TEST(a_chain_can_be_walked_by_subject_and_issuer)
{
    module_configure("");
    CK_OBJECT_HANDLE object = module_find(module_session, CKO_CERTIFICATE, "web");
    unsigned steps = 0;
    for (;; steps++) {
        unsigned char issuer[1024], subject[1024];
        size_t len = attribute_of(object, CKA_ISSUER, issuer, sizeof(issuer));
        size_t own_len = attribute_of(object, CKA_SUBJECT, subject, sizeof(subject));
        if (len == own_len && memcmp(issuer, subject, len) == 0)
            break;
        ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SUBJECT, issuer, len), 1);
        object = found[0];
        if (steps == 1)
            requests_mark();
    }
    ck_assert_uint_eq(steps, 2);
    assert_requests(NULL, 0);
    assert_der(object, CKA_VALUE, cert_der(&root));
}
END_TEST

/* The policy says what the next version will be like; this one was made while it said otherwise. */
START_TEST(a_policy_that_was_changed_later_says_nothing)
{
    cert leaf = cert_make("late", &middle, false);
    module_configure("");
    rest("DELETE", "/certificates/web", NULL);
    rest("DELETE", "/certificates/mail", NULL);
    cert_import("late", &leaf, chain, true, true);
    /* Times are whole seconds. */
    json_t *bundle = NULL;
    for (json_int_t created = 0, changed = 0; changed <= created; json_decref(bundle)) {
        rest("PATCH", "/certificates/late/policy", "{\"key_props\":{\"exportable\":true}}");
        rest("PATCH", "/certificates/late/policy", "{\"key_props\":{\"exportable\":false}}");
        ck_assert_int_eq(keyvaultd_rest("GET", "/certificates/late", NULL, &bundle), 200);
        ck_assert_int_eq(json_unpack(bundle, "{s:{s:I}, s:{s:{s:I}}}", "attributes", "created",
                                     &created, "policy", "attributes", "updated", &changed),
                         0);
    }

    by_subject(&leaf, 1);
    by_subject(&middle, 0);
    assert_requests("SecretGet", 0);
    rest("DELETE", "/certificates/late", NULL);
    rest("DELETE", "/deletedcertificates/late", NULL);
    rest("POST", "/deletedcertificates/web/recover", NULL);
    rest("POST", "/deletedcertificates/mail/recover", NULL);
}
END_TEST

/* ---- the other settings ---- */

START_TEST(none_shows_no_issuers)
{
    module_configure("chain = none\n");
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 5);
    by_subject(&middle, 0);
    assert_requests("SecretGet", 0);
}
END_TEST

START_TEST(a_file_brings_what_certificates_lead_to)
{
    char path[256], lines[320];
    cert stranger = cert_make("Stranger", NULL, true);
    snprintf(path, sizeof(path), "%s/chain.pem", keyvaultd_scratch());
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    PEM_write_X509(file, root.x509);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    PEM_write_X509(file, middle.x509);
    PEM_write_X509(file, stranger.x509);
    fclose(file);
    snprintf(lines, sizeof(lines), "chain = %s\n", path);
    module_configure(lines);

    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 7);
    by_subject(&root, 1);
    by_subject(&middle, 1);
    by_subject(&stranger, 0);
    assert_requests("SecretGet", 0);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_no_failure)
{
    module_configure("chain = /nowhere/chain.pem\n");
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 5);
}
END_TEST

START_TEST(secret_reads_the_secret_of_an_exportable_key_too)
{
    module_configure("chain = secret\n");
    rest("DELETE", "/certificates/web", NULL);
    rest("DELETE", "/certificates/mail", NULL);
    rest("DELETE", "/certificates/lone", NULL);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 4);
    by_subject(&middle, 1);
    assert_requests("SecretGet", 1);
    rest("POST", "/deletedcertificates/web/recover", NULL);
    rest("POST", "/deletedcertificates/mail/recover", NULL);
    rest("POST", "/deletedcertificates/lone/recover", NULL);
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    root = cert_make("Root", NULL, true);
    middle = cert_make("Middle", &root, true);
    web = cert_make("web", &middle, false);
    mail = cert_make("mail", &middle, false);
    lone = cert_make("lone", &middle, false);
    open_leaf = cert_make("open", &middle, false);
    own = cert_make("own", NULL, false);
    chain[0] = &middle;
    chain[1] = &root;
    cert_import("web", &web, chain, false, true);
    cert_import("mail", &mail, chain, false, false);
    cert_import("lone", &lone, NULL, true, true);
    cert_import("open", &open_leaf, chain, true, false);
    cert_import("own", &own, NULL, false, true);

    Suite *suite = suite_create("certificate chain");
    TCase *tcase = tcase_create("certificate chain");
    tcase_add_checked_fixture(tcase, NULL, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, issuers_of_keys_that_cannot_be_exported_are_shown_once);
    tcase_add_test(tcase, an_issuer_is_an_authority_with_an_id_of_its_key);
    tcase_add_test(tcase, a_chain_can_be_walked_by_subject_and_issuer);
    tcase_add_test(tcase, a_policy_that_was_changed_later_says_nothing);
    tcase_add_test(tcase, none_shows_no_issuers);
    tcase_add_test(tcase, a_file_brings_what_certificates_lead_to);
    tcase_add_test(tcase, a_file_that_is_not_there_is_no_failure);
    tcase_add_test(tcase, secret_reads_the_secret_of_an_exportable_key_too);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
