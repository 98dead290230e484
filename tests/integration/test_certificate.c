/* SPDX-License-Identifier: MIT */
/*
 * Certificates of a vault as objects: what they say, with which key they belong together, how they
 * are found and at what cost, and what others change meanwhile.
 */
#include "certs.h"

#include "kvpkcs11/vendor.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define AGE_S 5 /* how long an answer of the vault is believed */

static cert root, web, mail, stored;

static void setup(void)
{
    module_configure("chain = none\n");
}

static CK_OBJECT_HANDLE one(CK_OBJECT_CLASS cls, const char *label)
{
    CK_OBJECT_HANDLE object = module_find(module_session, cls, label);
    ck_assert_msg(object != CK_INVALID_HANDLE, "no %s of class %lu", label, cls);
    return object;
}

static void assert_der(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, der d)
{
    assert_attribute(object, type, d.data, d.len);
}

/* ---- attributes ---- */

START_TEST(a_certificate_says_what_is_in_it)
{
    CK_OBJECT_HANDLE object = one(CKO_CERTIFICATE, "web");
    unsigned char sha1[20], date[8];
    struct tm tm;
    char expected[32];

    ck_assert_uint_eq(number_of(object, CKA_CERTIFICATE_TYPE), CKC_X_509);
    assert_der(object, CKA_VALUE, cert_der(&web));
    assert_der(object, CKA_SUBJECT, cert_name_der(X509_get_subject_name(web.x509)));
    assert_der(object, CKA_ISSUER, cert_name_der(X509_get_issuer_name(web.x509)));
    assert_der(object, CKA_SERIAL_NUMBER, cert_serial_der(&web));
    assert_der(object, CKA_PUBLIC_KEY_INFO, cert_spki_der(&web));
    X509_digest(web.x509, EVP_sha1(), sha1, NULL);
    assert_attribute(object, CKA_CHECK_VALUE, sha1, 3);
    X509_pubkey_digest(web.x509, EVP_sha1(), sha1, NULL);
    assert_attribute(object, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, sha1, 20);
    assert_attribute(object, CKA_HASH_OF_ISSUER_PUBLIC_KEY, "", 0);
    ck_assert_uint_eq(number_of(object, CKA_NAME_HASH_ALGORITHM), CKM_SHA_1);
    ck_assert_uint_eq(number_of(object, CKA_CERTIFICATE_CATEGORY),
                      CK_CERTIFICATE_CATEGORY_TOKEN_USER);
    assert_attribute(object, CKA_TRUSTED, "\0", 1);
    assert_attribute(object, CKA_TOKEN, "\1", 1);
    assert_attribute(object, CKA_PRIVATE, "\0", 1);
    assert_attribute(object, CKA_URL, "", 0);
    ASN1_TIME_to_tm(X509_get0_notAfter(web.x509), &tm);
    strftime(expected, sizeof(expected), "%Y%m%d", &tm);
    ck_assert_uint_eq(attribute_of(object, CKA_END_DATE, date, sizeof(date)), 8);
    ck_assert(memcmp(date, expected, 8) == 0);
    ck_assert_uint_eq(attribute_of(object, CKA_START_DATE, date, sizeof(date)), 8);
    /* All of that from one bundle. */
    assert_requests(NULL, 1);
}
END_TEST

START_TEST(key_and_certificate_belong_together)
{
    CK_OBJECT_HANDLE certificate = one(CKO_CERTIFICATE, "web");
    CK_OBJECT_HANDLE private = one(CKO_PRIVATE_KEY, "web");
    CK_OBJECT_HANDLE public = one(CKO_PUBLIC_KEY, "web");
    unsigned char spki[512], unique[128], other[128];
    size_t len = attribute_of(private, CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));

    assert_attribute(certificate, CKA_ID, "web", 3);
    assert_attribute(private, CKA_ID, "web", 3);
    assert_attribute(public, CKA_ID, "web", 3);
    assert_attribute(certificate, CKA_PUBLIC_KEY_INFO, spki, len);
    assert_der(private, CKA_SUBJECT, cert_name_der(X509_get_subject_name(web.x509)));
    assert_der(public, CKA_SUBJECT, cert_name_der(X509_get_subject_name(web.x509)));
    /* It is a key once, and each object has an identifier of its own. */
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_LABEL, "web", 3), 1);
    len = attribute_of(certificate, CKA_UNIQUE_ID, unique, sizeof(unique));
    ck_assert(memcmp(unique, "web/", 4) == 0);
    ck_assert(len != attribute_of(private, CKA_UNIQUE_ID, other, sizeof(other)) ||
              memcmp(unique, other, len) != 0);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_UNIQUE_ID, unique, len), 1);
    ck_assert_uint_eq(found[0], certificate);
}
END_TEST

START_TEST(tags_name_the_certificate_as_they_name_its_key)
{
    CK_OBJECT_HANDLE object;
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "Post", 4), 1);
    object = found[0];
    assert_attribute(object, CKA_ID, "\x01\x02", 2);
    assert_der(object, CKA_VALUE, cert_der(&mail));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, "\x01\x02", 2), 1);
    ck_assert_uint_eq(found[0], object);
}
END_TEST

START_TEST(a_certificate_that_is_kept_as_a_secret_is_one)
{
    CK_OBJECT_HANDLE object = one(CKO_CERTIFICATE, "Stored one");
    char url[512] = "";

    assert_der(object, CKA_VALUE, cert_der(&stored));
    assert_der(object, CKA_SUBJECT, cert_name_der(X509_get_subject_name(stored.x509)));
    assert_attribute(object, CKA_ID, "kept", 4);
    attribute_of(object, CKA_KVP_KEY_ID, url, sizeof(url) - 1);
    ck_assert_ptr_nonnull(strstr(url, "/secrets/kept/"));
    /* The secret of another type, and the ones behind certificates, were not read. */
    assert_requests("SecretGet", 1);
    ck_assert_uint_eq(find_class(CKO_DATA), 0);
}
END_TEST

/* A key that the vault made, and a certificate that somebody issued for it. */
START_TEST(a_certificate_kept_as_a_secret_tells_its_key_the_subject)
{
    unsigned char spki[512];
    const unsigned char *at = spki;
    size_t len =
        attribute_of(one(CKO_PRIVATE_KEY, "plain"), CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));
    assert_attribute(one(CKO_PRIVATE_KEY, "plain"), CKA_SUBJECT, "", 0);
    cert issued = cert_of(d2i_PUBKEY(NULL, &at, (long)len), "issued", &root, false);
    cert_store_as_secret("plain-cert", "plain", &issued);

    assert_der(one(CKO_CERTIFICATE, "plain"), CKA_VALUE, cert_der(&issued));
    der subject = cert_name_der(X509_get_subject_name(issued.x509));
    assert_der(one(CKO_PRIVATE_KEY, "plain"), CKA_SUBJECT, subject);
    assert_der(one(CKO_PUBLIC_KEY, "plain"), CKA_SUBJECT, subject);
    rest("DELETE", "/secrets/plain-cert", NULL);
    rest("DELETE", "/deletedsecrets/plain-cert", NULL);
}
END_TEST

START_TEST(an_unknown_attribute_is_none_of_a_certificate)
{
    CK_OBJECT_HANDLE object = one(CKO_CERTIFICATE, "web");
    CK_BBOOL flag;
    CK_ATTRIBUTE attr = { CKA_SIGN, &flag, sizeof(flag) };
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_ULONG size = 0;

    assert_rv(CKR_ATTRIBUTE_TYPE_INVALID,
              p11->C_GetAttributeValue(module_session, object, &attr, 1));
    assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(module_session, &mechanism, object));
    assert_rv(CKR_OK, p11->C_GetObjectSize(module_session, object, &size));
    ck_assert_uint_gt(size, cert_der(&web).len);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_label_is_one_get_and_no_list)
{
    one(CKO_CERTIFICATE, "web");
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, "web", 3), 1);
    assert_requests("CertificateGet", 1);
    assert_requests(NULL, 1);
}
END_TEST

START_TEST(a_class_is_lists_of_certificates_and_secrets)
{
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 3);
    assert_requests("CertificateList", 1);
    assert_requests("SecretList", 1);
    assert_requests(NULL, 2);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 3);
    assert_requests(NULL, 2);
}
END_TEST

START_TEST(keys_alone_cost_no_list_of_certificates)
{
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), 3);
    assert_requests("KeyList", 1);
    assert_requests(NULL, 1);
}
END_TEST

START_TEST(a_label_without_class_asks_for_what_the_key_says)
{
    CK_ATTRIBUTE plain[] = { { CKA_LABEL, (void *)(uintptr_t) "plain", 5 } };
    CK_ATTRIBUTE managed[] = { { CKA_LABEL, (void *)(uintptr_t) "web", 3 } };
    ck_assert_uint_eq(find(plain, 1), 2);
    assert_requests(NULL, 1);
    ck_assert_uint_eq(find(managed, 1), 3);
    assert_requests("CertificateGet", 1);
    assert_requests(NULL, 3);
}
END_TEST

/* What NSS and Java do to build chains and to compare. */
START_TEST(contents_are_compared_in_memory_once_they_are_read)
{
    CK_OBJECT_CLASS cls = CKO_CERTIFICATE;
    der subject = cert_name_der(X509_get_subject_name(web.x509));
    ck_assert_uint_eq(find_by(cls, CKA_SUBJECT, subject.data, subject.len), 1);
    CK_OBJECT_HANDLE object = found[0];
    assert_requests("CertificateGet", 2);
    assert_requests("SecretGet", 1);
    assert_requests(NULL, 5);

    der value = cert_der(&web), serial = cert_serial_der(&web);
    der issuer = cert_name_der(X509_get_issuer_name(web.x509));
    CK_ATTRIBUTE by_serial[] = {
        { CKA_CLASS, &cls, sizeof(cls) },
        { CKA_ISSUER, (void *)(uintptr_t)issuer.data, issuer.len },
        { CKA_SERIAL_NUMBER, (void *)(uintptr_t)serial.data, serial.len },
    };
    ck_assert_uint_eq(find_by(cls, CKA_VALUE, value.data, value.len), 1);
    ck_assert_uint_eq(found[0], object);
    ck_assert_uint_eq(find(by_serial, 3), 1);
    ck_assert_uint_eq(found[0], object);
    ck_assert_uint_eq(find_by(cls, CKA_SUBJECT, issuer.data, issuer.len), 0);
    assert_requests(NULL, 5);
}
END_TEST

START_TEST(the_whole_token_is_one_list_of_each)
{
    CK_ULONG n = find(NULL, 0), certificates = 0;
    for (CK_ULONG i = 0; i < n; i++)
        certificates += number_of(found[i], CKA_CLASS) == CKO_CERTIFICATE;
    ck_assert_uint_eq(certificates, 3);
    assert_requests("KeyList", 1);
    assert_requests("CertificateList", 1);
    assert_requests("SecretList", 1);
    assert_requests(NULL, 3);
}
END_TEST

START_TEST(without_certificates_there_are_none_and_no_request)
{
    module_configure("certificates = no\n");
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 0);
    assert_requests(NULL, 0);
    find(NULL, 0);
    assert_requests("KeyList", 1);
    assert_requests(NULL, 1);
}
END_TEST

/* Certificates can be found without login: where they are shown, and only there (PKCS#11 Profiles
 * v3.1 §3.4). */
START_TEST(the_profile_of_certificates_is_that_of_a_token_that_shows_them)
{
    CK_PROFILE_ID id = CKP_PUBLIC_CERTIFICATES_TOKEN;
    ck_assert_uint_eq(find_by(CKO_PROFILE, CKA_PROFILE_ID, &id, sizeof(id)), 1);
    ck_assert_uint_eq(find_class(CKO_PROFILE), 4);
    module_configure("certificates = no\n");
    ck_assert_uint_eq(find_by(CKO_PROFILE, CKA_PROFILE_ID, &id, sizeof(id)), 0);
    ck_assert_uint_eq(find_class(CKO_PROFILE), 3);
    assert_requests(NULL, 0);
}
END_TEST

/* ---- threads ---- */

static void *read_all(void *user)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_VALUE, CKA_ID, CKA_SUBJECT, CKA_UNIQUE_ID };
    CK_RV *rv = user;
    CK_SESSION_HANDLE session;
    *rv = p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
    for (int round = 0; round < 4 && *rv == CKR_OK; round++) {
        CK_OBJECT_HANDLE handles[64];
        CK_ULONG n = 0;
        *rv = p11->C_FindObjectsInit(session, NULL, 0);
        if (*rv == CKR_OK)
            *rv = p11->C_FindObjects(session, handles, 64, &n);
        if (*rv == CKR_OK)
            *rv = p11->C_FindObjectsFinal(session);
        for (CK_ULONG i = 0; i < n * KVP_ARRAY_LEN(types) && *rv == CKR_OK; i++) {
            CK_BYTE value[2048];
            CK_ATTRIBUTE attr = { types[i % KVP_ARRAY_LEN(types)], value, sizeof(value) };
            *rv = p11->C_GetAttributeValue(session, handles[i / KVP_ARRAY_LEN(types)], &attr, 1);
            if (*rv == CKR_ATTRIBUTE_TYPE_INVALID || *rv == CKR_ATTRIBUTE_SENSITIVE)
                *rv = CKR_OK;
        }
    }
    return NULL;
}

START_TEST(threads_read_everything_at_once)
{
    pthread_t threads[4];
    CK_RV rvs[4];
    module_configure("secrets = yes\nversions = all\n");
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &rvs[i]), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_rv(CKR_OK, rvs[i]);
    }
}
END_TEST

/* ---- changes ---- */

START_TEST(a_renewed_certificate_is_a_new_object)
{
    cert first = cert_make("turn 1", NULL, false), second = cert_make("turn 2", NULL, false);
    cert_import("turn", &first, NULL, true, true);
    CK_OBJECT_HANDLE before = one(CKO_CERTIFICATE, "turn");
    CK_OBJECT_HANDLE key_before = one(CKO_PRIVATE_KEY, "turn");
    assert_der(before, CKA_VALUE, cert_der(&first));

    cert_import("turn", &second, NULL, true, true);
    sleep(AGE_S + 1);
    CK_OBJECT_HANDLE after = one(CKO_CERTIFICATE, "turn");
    ck_assert_uint_ne(before, after);
    assert_der(after, CKA_VALUE, cert_der(&second));
    assert_der(before, CKA_VALUE, cert_der(&first));
    ck_assert_uint_ne(key_before, one(CKO_PRIVATE_KEY, "turn"));
    der subject = cert_name_der(X509_get_subject_name(second.x509));
    assert_der(one(CKO_PUBLIC_KEY, "turn"), CKA_SUBJECT, subject);

    rest("DELETE", "/certificates/turn", NULL);
    sleep(AGE_S + 1);
    ck_assert(module_find(module_session, CKO_CERTIFICATE, "turn") == CK_INVALID_HANDLE);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 3);
    rest("DELETE", "/deletedcertificates/turn", NULL);
}
END_TEST

START_TEST(what_vanishes_between_list_and_reading_is_no_error)
{
    cert gone = cert_make("gone", NULL, false);
    cert_import("gone", &gone, NULL, true, true);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 4);
    rest("DELETE", "/certificates/gone", NULL);
    der subject = cert_name_der(X509_get_subject_name(gone.x509));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SUBJECT, subject.data, subject.len), 0);
    subject = cert_name_der(X509_get_subject_name(web.x509));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SUBJECT, subject.data, subject.len), 1);
    rest("DELETE", "/deletedcertificates/gone", NULL);
}
END_TEST

START_TEST(a_disabled_certificate_is_not_shown)
{
    rest("PATCH", "/certificates/web", "{\"attributes\":{\"enabled\":false}}");
    ck_assert(module_find(module_session, CKO_CERTIFICATE, "web") == CK_INVALID_HANDLE);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 2);
    rest("PATCH", "/certificates/web", "{\"attributes\":{\"enabled\":true}}");
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    root = cert_make("Root", NULL, true);
    web = cert_make("web", &root, false);
    mail = cert_make("mail", &root, false);
    stored = cert_make("stored", &root, false);
    cert_import("web", &web, NULL, true, true);
    cert_import("mail", &mail, NULL, true, false);
    keyvaultd_create_key("plain", "EC", 0, "P-256");
    json_t *tags = json_pack("{s:{s:s,s:s}}", "tags", "pkcs11-label", "Post", "pkcs11-id", "AQI");
    if (keyvaultd_rest("PATCH", "/certificates/mail", tags, NULL) != 200)
        return 1;
    json_decref(tags);
    cert_store_as_secret("kept", "Stored one", &stored);
    secret_set("password", "not shown", NULL, NULL);

    Suite *suite = suite_create("certificate");
    TCase *tcase = tcase_create("certificate");
    tcase_add_checked_fixture(tcase, setup, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_certificate_says_what_is_in_it);
    tcase_add_test(tcase, key_and_certificate_belong_together);
    tcase_add_test(tcase, tags_name_the_certificate_as_they_name_its_key);
    tcase_add_test(tcase, a_certificate_that_is_kept_as_a_secret_is_one);
    tcase_add_test(tcase, a_certificate_kept_as_a_secret_tells_its_key_the_subject);
    tcase_add_test(tcase, an_unknown_attribute_is_none_of_a_certificate);
    tcase_add_test(tcase, a_label_is_one_get_and_no_list);
    tcase_add_test(tcase, a_class_is_lists_of_certificates_and_secrets);
    tcase_add_test(tcase, keys_alone_cost_no_list_of_certificates);
    tcase_add_test(tcase, a_label_without_class_asks_for_what_the_key_says);
    tcase_add_test(tcase, contents_are_compared_in_memory_once_they_are_read);
    tcase_add_test(tcase, the_whole_token_is_one_list_of_each);
    tcase_add_test(tcase, without_certificates_there_are_none_and_no_request);
    tcase_add_test(tcase, the_profile_of_certificates_is_that_of_a_token_that_shows_them);
    tcase_add_test(tcase, threads_read_everything_at_once);
    tcase_add_test(tcase, a_renewed_certificate_is_a_new_object);
    tcase_add_test(tcase, what_vanishes_between_list_and_reading_is_no_error);
    tcase_add_test(tcase, a_disabled_certificate_is_not_shown);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
