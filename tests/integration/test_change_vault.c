/* SPDX-License-Identifier: MIT */
/*
 * Certificates and data objects that applications write, change and destroy: what becomes of them
 * in the vault, what is refused without a request, and that a refusal has changed nothing.
 */
#include "certs.h"

#include "kvpkcs11/vendor.h"

#include <openssl/bn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS certificate_class = CKO_CERTIFICATE;
static CK_OBJECT_CLASS data_class = CKO_DATA;
static CK_CERTIFICATE_TYPE x509 = CKC_X_509;
static CK_CERTIFICATE_TYPE wtls = CKC_WTLS;

static void setup(void)
{
    module_configure("secrets = yes\nchain = none\n");
}

/* Certificates live as long as the test: leak checkers find them here. */
static cert certificates[8];
static size_t certificate_count;

static cert keep(cert c)
{
    ck_assert_uint_lt(certificate_count, KVP_ARRAY_LEN(certificates));
    return certificates[certificate_count++] = c;
}

static cert made(const char *name, const cert *issuer, bool ca)
{
    return keep(cert_make(name, issuer, ca));
}

typedef struct attrs {
    CK_ATTRIBUTE at[24];
    CK_ULONG count;
} attrs;

static void put(attrs *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    t->at[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void put_text(attrs *t, CK_ATTRIBUTE_TYPE type, const char *text)
{
    put(t, type, text, strlen(text));
}

static attrs certificate_attrs(const cert *c, const char *label, const char *id)
{
    attrs t = { .count = 0 };
    der d = cert_der(c), subject = cert_name_der(X509_get_subject_name(c->x509));
    put(&t, CKA_CLASS, &certificate_class, sizeof(certificate_class));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    put(&t, CKA_CERTIFICATE_TYPE, &x509, sizeof(x509));
    put(&t, CKA_VALUE, d.data, d.len);
    put(&t, CKA_SUBJECT, subject.data, subject.len);
    if (label)
        put_text(&t, CKA_LABEL, label);
    if (id)
        put_text(&t, CKA_ID, id);
    return t;
}

static attrs data_attrs(const char *label, const void *value, size_t len)
{
    attrs t = { .count = 0 };
    put(&t, CKA_CLASS, &data_class, sizeof(data_class));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    put(&t, CKA_VALUE, value, len);
    if (label)
        put_text(&t, CKA_LABEL, label);
    return t;
}

static CK_OBJECT_HANDLE created(attrs t)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, t.at, t.count, &object));
    return object;
}

static CK_RV create(attrs t)
{
    CK_OBJECT_HANDLE object;
    return p11->C_CreateObject(module_session, t.at, t.count, &object);
}

static CK_RV set(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    CK_ATTRIBUTE attr = { type, (void *)(uintptr_t)value, len };
    return p11->C_SetAttributeValue(module_session, object, &attr, 1);
}

/* What the vault has under a path; NULL for nothing. To be decref'd. */
static json_t *stored(const char *path)
{
    json_t *answer = NULL;
    if (keyvaultd_rest("GET", path, NULL, &answer) == 200)
        return answer;
    json_decref(answer);
    return NULL;
}

static void assert_tag(const json_t *document, const char *name, const char *value)
{
    const char *tag = json_string_value(json_object_get(json_object_get(document, "tags"), name));
    ck_assert_msg(value ? tag && strcmp(tag, value) == 0 : !tag, "%s is %s", name,
                  tag ? tag : "not there");
}

static void assert_member(const json_t *document, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(document, name));
    ck_assert_msg(value ? text && strcmp(text, value) == 0 : !text, "%s is %s", name,
                  text ? text : "not there");
}

/* ---- certificates ---- */

START_TEST(a_certificate_for_a_key_is_kept_as_a_secret_and_found_by_its_id)
{
    keyvaultd_create_key("web", "EC", 0, "P-256");
    cert c = made("web", NULL, false);
    der d = cert_der(&c);
    CK_OBJECT_HANDLE object = created(certificate_attrs(&c, "Web server", "web"));
    json_t *secret = NULL;

    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, "web", 3), 1);
    ck_assert_uint_eq(found[0], object);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "Web server", 10), 1);
    assert_attribute(object, CKA_VALUE, d.data, d.len);
    assert_attribute(object, CKA_MODIFIABLE, &yes, 1);
    assert_attribute(object, CKA_DESTROYABLE, &yes, 1);

    char id[128] = "";
    attribute_of(object, CKA_KVP_KEY_ID, id, sizeof(id) - 1);
    ck_assert_ptr_nonnull(strstr(id, "/secrets/Web-server-"));
    secret = stored(strstr(id, "/secrets/"));
    assert_member(secret, "contentType", "application/pkix-cert");
    assert_tag(secret, "pkcs11-class", "certificate");
    assert_tag(secret, "pkcs11-label", "Web server");
    assert_tag(secret, "pkcs11-id", "d2Vi");
    json_decref(secret);

    /* Seen by another process too. */
    setup();
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, "web", 3), 1);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, "web", 3), 1);
}
END_TEST

START_TEST(a_name_that_is_taken_or_deleted_is_left_alone)
{
    cert c = made("again", NULL, false);
    json_t *before, *after;
    secret_set("again", "mine", NULL, NULL);
    before = stored("/secrets/again");
    requests_mark();
    CK_OBJECT_HANDLE object = created(certificate_attrs(&c, "again", NULL));
    assert_requests("SecretGet", 0); /* nobody's value is read to learn that */
    assert_attribute(object, CKA_LABEL, "again", 5);
    after = stored("/secrets/again");
    ck_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);

    /* SunPKCS11 replaces a certificate so. */
    for (int i = 0; i < 3; i++) {
        object = created(certificate_attrs(&c, "replaced", NULL));
        assert_attribute(object, CKA_LABEL, "replaced", 8);
        assert_rv(CKR_OK, p11->C_DestroyObject(module_session, object));
    }
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "replaced", 8), 0);
}
END_TEST

static attrs changed_attr(attrs t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    for (CK_ULONG i = 0; i < t.count; i++)
        if (t.at[i].type == type) {
            t.at[i].pValue = (void *)(uintptr_t)value;
            t.at[i].ulValueLen = len;
            return t;
        }
    put(&t, type, value, len);
    return t;
}

START_TEST(what_is_no_such_certificate_costs_no_request)
{
    cert c = made("bad", NULL, false), other = made("other", NULL, false);
    attrs t = certificate_attrs(&c, "bad", NULL);
    der name = cert_name_der(X509_get_subject_name(other.x509)), serial = cert_serial_der(&other);
    CK_ULONG category = 2;

    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, create(changed_attr(t, CKA_VALUE, "x", 1)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, create(changed_attr(t, CKA_VALUE, NULL, 0)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              create(changed_attr(t, CKA_CERTIFICATE_TYPE, &wtls, sizeof(wtls))));
    assert_rv(CKR_TEMPLATE_INCONSISTENT, create(changed_attr(t, CKA_SUBJECT, name.data, name.len)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              create(changed_attr(t, CKA_ISSUER, name.data, name.len)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              create(changed_attr(t, CKA_SERIAL_NUMBER, serial.data, serial.len)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              create(changed_attr(t, CKA_CERTIFICATE_CATEGORY, &category, sizeof(category))));
    assert_rv(CKR_ATTRIBUTE_READ_ONLY, create(changed_attr(t, CKA_TRUSTED, &yes, sizeof(yes))));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, create(changed_attr(t, CKA_CHECK_VALUE, "abc", 3)));
    assert_rv(CKR_TEMPLATE_INCONSISTENT, create(changed_attr(t, CKA_MODULUS, "abc", 3)));
    assert_requests(NULL, 0);

    /* Serial numbers without their DER header are SunPKCS11's way. */
    t = certificate_attrs(&c, "bad", NULL);
    serial = cert_serial_der(&c);
    t = changed_attr(t, CKA_SERIAL_NUMBER, serial.data + 2, serial.len - 2);
    assert_rv(CKR_OK, create(changed_attr(t, CKA_CHECK_VALUE, "", 0)));
}
END_TEST

START_TEST(settings_that_hide_certificates_and_data_refuse_them)
{
    cert c = made("hidden", NULL, false);
    module_configure("certificates = no\n");
    assert_rv(CKR_TEMPLATE_INCONSISTENT, create(certificate_attrs(&c, "hidden", NULL)));
    assert_rv(CKR_TEMPLATE_INCONSISTENT, create(data_attrs("hidden", "x", 1)));
    module_configure("secrets = yes\nkeys = web*\n");
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, create(certificate_attrs(&c, "hidden", NULL)));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, create(data_attrs("hidden", "x", 1)));
    assert_requests(NULL, 0);
}
END_TEST

/* A certificate for the request that @name's pending operation holds, signed by @ca. */
static cert certificate_for(const char *name, const cert *ca)
{
    char path[128];
    unsigned char csr_der[4096];
    snprintf(path, sizeof(path), "/certificates/%s/pending", name);
    json_t *pending = stored(path);
    const char *text = json_string_value(json_object_get(pending, "csr"));
    ck_assert_ptr_nonnull(text);
    int len = EVP_DecodeBlock(csr_der, (const unsigned char *)text, (int)strlen(text));
    const unsigned char *at = csr_der;
    X509_REQ *csr = d2i_X509_REQ(NULL, &at, len);
    ck_assert_ptr_nonnull(csr);
    cert c = { NULL, X509_new() };
    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), 77);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -86400);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), 86400L * 30);
    X509_set_subject_name(c.x509, X509_REQ_get_subject_name(csr));
    X509_set_issuer_name(c.x509, X509_get_subject_name(ca->x509));
    X509_set_pubkey(c.x509, X509_REQ_get0_pubkey(csr));
    ck_assert_int_gt(X509_sign(c.x509, ca->pkey, EVP_sha256()), 0);
    X509_REQ_free(csr);
    json_decref(pending);
    return keep(c);
}

START_TEST(a_certificate_that_is_waited_for_finishes_the_operation)
{
    cert ca = made("authority", NULL, true);
    rest("POST", "/certificates/waiting/create",
         "{\"policy\":{\"x509_props\":{\"subject\":\"CN=waiting\"},\"issuer\":{\"name\":"
         "\"Unknown\"},"
         "\"key_props\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"exportable\":false}}}");
    cert c = certificate_for("waiting", &ca);
    der d = cert_der(&c);
    CK_OBJECT_HANDLE object = created(certificate_attrs(&c, "Waited for", "waiting"));
    json_t *certificate = stored("/certificates/waiting");
    ck_assert_ptr_nonnull(certificate);
    assert_tag(certificate, "pkcs11-label", "Waited for");
    json_decref(certificate);
    assert_attribute(object, CKA_VALUE, d.data, d.len);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, "waiting", 7), 1);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ID, "waiting", 7), 1);
    ck_assert_uint_eq(found[0], object);

    /* Another one with that id does not fit: it is kept beside it. */
    rest("POST", "/certificates/other/create",
         "{\"policy\":{\"x509_props\":{\"subject\":\"CN=other\"},\"issuer\":{\"name\":\"Unknown\"}}"
         "}");
    cert stranger = made("stranger", NULL, false);
    object = created(certificate_attrs(&stranger, "other", "other"));
    certificate = stored("/certificates/other/pending");
    assert_member(certificate, "status", "inProgress");
    json_decref(certificate);
}
END_TEST

START_TEST(label_and_id_of_certificates_are_changed)
{
    cert c = made("change", NULL, false);
    der d = cert_der(&c);
    cert_import("real", &c, NULL, true, true);
    CK_OBJECT_HANDLE kept = created(certificate_attrs(&c, "kept", NULL));
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, "real", 4), 1);
    CK_OBJECT_HANDLE key = found[0];
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "real", 4), 1);
    CK_OBJECT_HANDLE both[] = { kept, found[0] };
    static const char *const paths[] = { "/secrets/kept", "/certificates/real" };
    for (size_t i = 0; i < 2; i++) {
        CK_ATTRIBUTE change[] = { { CKA_LABEL, (void *)(uintptr_t) "New label", 9 },
                                  { CKA_ID, (void *)(uintptr_t) "\1\2", 2 } };
        requests_mark();
        assert_rv(CKR_OK, p11->C_SetAttributeValue(module_session, both[i], change, 2));
        assert_requests(NULL, 2);
        assert_attribute(both[i], CKA_LABEL, "New label", 9);
        assert_attribute(both[i], CKA_ID, "\1\2", 2);
        assert_attribute(both[i], CKA_VALUE, d.data, d.len);
        json_t *document = stored(paths[i]);
        assert_tag(document, "pkcs11-label", "New label");
        assert_tag(document, "pkcs11-id", "AQI");
        if (i == 0)
            assert_tag(document, "pkcs11-class", "certificate");
        json_decref(document);

        /* The same again changes nothing; what cannot be is refused and changes nothing. */
        requests_mark();
        assert_rv(CKR_OK, p11->C_SetAttributeValue(module_session, both[i], change, 2));
        change[0].pValue = (void *)(uintptr_t) "\xff\xff";
        change[0].ulValueLen = 2;
        change[1].pValue = (void *)(uintptr_t) "\3";
        change[1].ulValueLen = 1;
        assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
                  p11->C_SetAttributeValue(module_session, both[i], change, 2));
        assert_attribute(both[i], CKA_ID, "\1\2", 2);
        assert_requests("CertificateUpdate", 0);
        assert_requests("SecretUpdate", 0);
        assert_rv(CKR_ATTRIBUTE_READ_ONLY, set(both[i], CKA_VALUE, d.data, d.len));
        assert_rv(CKR_ATTRIBUTE_VALUE_INVALID, set(both[i], CKA_ISSUER, "x", 1));
        assert_rv(CKR_ATTRIBUTE_TYPE_INVALID, set(both[i], CKA_SIGN, &yes, 1));
    }
    /* Destroying the one takes its key along, softly; the other is a secret. */
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, "\1\2", 2), 1);
    assert_rv(CKR_ACTION_PROHIBITED, p11->C_DestroyObject(module_session, key));
    assert_rv(CKR_ACTION_PROHIBITED, set(key, CKA_LABEL, "x", 1));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, both[1]));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, key)); /* it went along */
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(module_session, key));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, both[0]));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(module_session, both[0]));
    ck_assert_ptr_null(stored("/certificates/real"));
    ck_assert_ptr_null(stored("/secrets/kept"));
    json_t *deleted = stored("/deletedcertificates/real");
    ck_assert_ptr_nonnull(deleted);
    json_decref(deleted);
    deleted = stored("/deletedsecrets/kept");
    ck_assert_ptr_nonnull(deleted);
    json_decref(deleted);
}
END_TEST

START_TEST(a_session_certificate_is_this_sessions_and_can_be_copied_to_the_token)
{
    cert c = made("session", NULL, false);
    der d = cert_der(&c);
    attrs t = changed_attr(certificate_attrs(&c, "session", "1"), CKA_TOKEN, &no, sizeof(no));
    CK_OBJECT_HANDLE object = created(t), copy;
    CK_ATTRIBUTE to_token[] = { { CKA_TOKEN, &yes, sizeof(yes) } };
    assert_requests(NULL, 0);
    assert_attribute(object, CKA_VALUE, d.data, d.len);
    assert_attribute(object, CKA_TOKEN, &no, 1);
    assert_rv(CKR_OK, p11->C_CopyObject(module_session, object, NULL, 0, &copy));
    assert_attribute(copy, CKA_VALUE, d.data, d.len);
    assert_requests(NULL, 0);
    assert_rv(CKR_OK, p11->C_CopyObject(module_session, object, to_token, 1, &copy));
    assert_attribute(copy, CKA_TOKEN, &yes, 1);
    assert_attribute(copy, CKA_VALUE, d.data, d.len);
    assert_rv(CKR_ACTION_PROHIBITED, p11->C_CopyObject(module_session, copy, NULL, 0, &object));
}
END_TEST

/* ---- data ---- */

static const struct {
    const char *label, *value;
    size_t len;
    const char *stored, *content_type;
} values[] = {
    { "text", "hello\nworld\t\xc3\xa4", 14, "hello\nworld\t\xc3\xa4", NULL },
    { "bytes", "\0\1\377", 3, "AAH/", "application/octet-stream" },
    { "latin", "\xe4", 1, "5A==", "application/octet-stream" },
    { "empty", "", 0, "", NULL },
};

START_TEST(a_data_object_is_a_secret)
{
    attrs t = data_attrs(values[_i].label, values[_i].value, values[_i].len);
    char path[64];
    put_text(&t, CKA_APPLICATION, "tester");
    put(&t, CKA_OBJECT_ID, "\x06\x01\x2a", 3);
    CK_OBJECT_HANDLE object = created(t);
    snprintf(path, sizeof(path), "/secrets/%s", values[_i].label);
    json_t *secret = stored(path);
    assert_member(secret, "value", values[_i].stored);
    assert_member(secret, "contentType", values[_i].content_type);
    assert_tag(secret, "pkcs11-class", values[_i].content_type ? "data" : NULL);
    assert_tag(secret, "pkcs11-application", "tester");
    assert_tag(secret, "pkcs11-object-id", "BgEq");
    assert_tag(secret, "pkcs11-label", NULL);
    json_decref(secret);
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_APPLICATION, "tester", 6), (CK_ULONG)_i + 1);
    assert_attribute(object, CKA_VALUE, values[_i].value, values[_i].len);
    assert_attribute(object, CKA_LABEL, values[_i].label, strlen(values[_i].label));
    assert_attribute(object, CKA_OBJECT_ID, "\x06\x01\x2a", 3);
}
END_TEST

START_TEST(a_data_object_is_changed_by_one_request)
{
    CK_OBJECT_HANDLE object = created(data_attrs("note", "old", 3));
    CK_ATTRIBUTE change[] = { { CKA_VALUE, (void *)(uintptr_t) "\0new", 4 },
                              { CKA_LABEL, (void *)(uintptr_t) "Note 2", 6 },
                              { CKA_APPLICATION, (void *)(uintptr_t) "app", 3 } };
    requests_mark();
    assert_rv(CKR_OK, p11->C_SetAttributeValue(module_session, object, change, 3));
    assert_requests("SecretSet", 1);
    assert_requests("SecretUpdate", 0);
    assert_attribute(object, CKA_VALUE, "\0new", 4);
    assert_attribute(object, CKA_LABEL, "Note 2", 6);
    assert_attribute(object, CKA_APPLICATION, "app", 3);
    json_t *secret = stored("/secrets/note");
    assert_member(secret, "value", "AG5ldw==");
    assert_tag(secret, "pkcs11-class", "data");
    json_decref(secret);
    assert_rv(CKR_OK, set(object, CKA_VALUE, "text", 4));
    assert_attribute(object, CKA_VALUE, "text", 4);
    secret = stored("/secrets/note");
    assert_member(secret, "value", "text");
    assert_member(secret, "contentType", NULL);
    assert_tag(secret, "pkcs11-class", NULL);
    assert_tag(secret, "pkcs11-label", "Note 2");
    json_decref(secret);

    assert_rv(CKR_OK, set(object, CKA_LABEL, "note", 4));
    assert_attribute(object, CKA_LABEL, "note", 4);
    assert_attribute(object, CKA_VALUE, "text", 4);
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, object));
    ck_assert_ptr_null(stored("/secrets/note"));
    ck_assert_uint_eq(find_by(CKO_DATA, CKA_LABEL, "note", 4), 0);
}
END_TEST

START_TEST(a_data_object_that_is_too_long_has_no_room)
{
    static char large[25601];
    memset(large, 'x', sizeof(large));
    assert_rv(CKR_DEVICE_MEMORY, create(data_attrs("large", large, sizeof(large))));
    large[0] = '\0'; /* base64 takes more */
    assert_rv(CKR_DEVICE_MEMORY, create(data_attrs("large", large, 20000)));
    assert_requests(NULL, 0);
    CK_OBJECT_HANDLE object = created(data_attrs("large", large + 1, 25600));
    assert_rv(CKR_DEVICE_MEMORY, set(object, CKA_VALUE, large, 20000));
    CK_ATTRIBUTE value = { CKA_VALUE, NULL, 0 };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &value, 1));
    ck_assert_uint_eq(value.ulValueLen, 25600);
}
END_TEST

/* ---- keys ---- */

START_TEST(a_key_that_is_disabled_is_not_found_until_it_is_enabled)
{
    keyvaultd_create_key("switch", "EC", 0, "P-256");
    CK_OBJECT_HANDLE key = module_find(module_session, CKO_PRIVATE_KEY, "switch");
    json_t *document;
    assert_attribute(key, CKA_KVP_ENABLED, &yes, 1);
    assert_rv(CKR_OK, set(key, CKA_KVP_ENABLED, &no, 1));
    document = stored("/keys/switch");
    ck_assert(json_is_false(json_object_get(json_object_get(document, "attributes"), "enabled")));
    json_decref(document);
    ck_assert_uint_eq(module_find(module_session, CKO_PRIVATE_KEY, "switch"), CK_INVALID_HANDLE);
    assert_attribute(key, CKA_KVP_ENABLED, &no, 1);
    assert_rv(CKR_OK, set(key, CKA_KVP_ENABLED, &yes, 1));
    ck_assert_uint_eq(module_find(module_session, CKO_PRIVATE_KEY, "switch"), key);
}
END_TEST

START_TEST(label_id_subject_usage_and_dates_are_one_request)
{
    keyvaultd_create_key("many", "RSA", 2048, NULL);
    CK_OBJECT_HANDLE key = module_find(module_session, CKO_PRIVATE_KEY, "many");
    CK_ATTRIBUTE change[] = {
        { CKA_LABEL, (void *)(uintptr_t) "Many things", 11 },
        { CKA_ID, (void *)(uintptr_t) "\1", 1 },
        { CKA_SUBJECT, (void *)(uintptr_t) "0\0", 2 },
        { CKA_UNWRAP, &no, 1 },
        { CKA_START_DATE, (void *)(uintptr_t) "20200102", 8 },
        { CKA_END_DATE, (void *)(uintptr_t) "20310102", 8 },
    };
    requests_mark();
    assert_rv(CKR_OK, p11->C_SetAttributeValue(module_session, key, change, 6));
    assert_requests("KeyUpdate", 1);
    for (size_t i = 0; i < KVP_ARRAY_LEN(change); i++)
        assert_attribute(key, change[i].type, change[i].pValue, change[i].ulValueLen);
    /* One of them cannot be: none is changed. */
    change[0].pValue = (void *)(uintptr_t) "Other thing";
    change[5].ulValueLen = 0;
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              p11->C_SetAttributeValue(module_session, key, change, 6));
    assert_requests("KeyUpdate", 1);
    assert_attribute(key, CKA_LABEL, "Many things", 11);
}
END_TEST

START_TEST(a_token_that_is_write_protected_is_not_changed)
{
    CK_TOKEN_INFO info;
    cert c = made("protected", NULL, false);
    keyvaultd_create_key("protected", "EC", 0, "P-256");
    module_configure("secrets = yes\nread_only = yes\n");
    assert_rv(CKR_OK, p11->C_GetTokenInfo(module_slot, &info));
    ck_assert(info.flags & CKF_WRITE_PROTECTED);
    CK_OBJECT_HANDLE key = module_find(module_session, CKO_PRIVATE_KEY, "protected");
    assert_attribute(key, CKA_MODIFIABLE, &no, 1);
    assert_attribute(key, CKA_DESTROYABLE, &no, 1);
    requests_mark();
    assert_rv(CKR_TOKEN_WRITE_PROTECTED, create(certificate_attrs(&c, "protected", NULL)));
    assert_rv(CKR_TOKEN_WRITE_PROTECTED, create(data_attrs("protected", "x", 1)));
    assert_rv(CKR_TOKEN_WRITE_PROTECTED, set(key, CKA_LABEL, "x", 1));
    assert_rv(CKR_TOKEN_WRITE_PROTECTED, p11->C_DestroyObject(module_session, key));
    assert_requests(NULL, 0);
    /* Session objects are no change to the token. */
    assert_rv(CKR_OK, create(changed_attr(data_attrs("mine", "x", 1), CKA_TOKEN, &no, 1)));
}
END_TEST

START_TEST(a_read_only_session_changes_nothing)
{
    cert c = made("reader", NULL, false);
    attrs t = certificate_attrs(&c, "reader", NULL);
    CK_SESSION_HANDLE reader = module_open_session(0);
    CK_OBJECT_HANDLE object = created(data_attrs("reader", "x", 1)), other;
    CK_ATTRIBUTE label = { CKA_LABEL, (void *)(uintptr_t) "y", 1 };
    requests_mark();
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_CreateObject(reader, t.at, t.count, &other));
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_SetAttributeValue(reader, object, &label, 1));
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_DestroyObject(reader, object));
    assert_requests(NULL, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("change_vault");
    TCase *tcase = tcase_create("change_vault");

    module_load();
    keyvaultd_start("vault");
    tcase_add_checked_fixture(tcase, setup, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_certificate_for_a_key_is_kept_as_a_secret_and_found_by_its_id);
    tcase_add_test(tcase, a_name_that_is_taken_or_deleted_is_left_alone);
    tcase_add_test(tcase, what_is_no_such_certificate_costs_no_request);
    tcase_add_test(tcase, settings_that_hide_certificates_and_data_refuse_them);
    tcase_add_test(tcase, a_certificate_that_is_waited_for_finishes_the_operation);
    tcase_add_test(tcase, label_and_id_of_certificates_are_changed);
    tcase_add_test(tcase, a_session_certificate_is_this_sessions_and_can_be_copied_to_the_token);
    tcase_add_loop_test(tcase, a_data_object_is_a_secret, 0, (int)KVP_ARRAY_LEN(values));
    tcase_add_test(tcase, a_data_object_is_changed_by_one_request);
    tcase_add_test(tcase, a_data_object_that_is_too_long_has_no_room);
    tcase_add_test(tcase, a_key_that_is_disabled_is_not_found_until_it_is_enabled);
    tcase_add_test(tcase, label_id_subject_usage_and_dates_are_one_request);
    tcase_add_test(tcase, a_token_that_is_write_protected_is_not_changed);
    tcase_add_test(tcase, a_read_only_session_changes_nothing);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
