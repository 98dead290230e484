/* SPDX-License-Identifier: MIT */
/* Certificates for the tests, and the module under their settings; see certs.h. */
#include "certs.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

CK_OBJECT_HANDLE found[512];

/* Before any test runs, Check can report nothing. */
static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* ---- OpenSSL's side ---- */

static void extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(extension && X509_add_ext(x509, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

/* They live as long as the program, where a leak checker finds them. */
static cert made[32];
static size_t made_count;

cert cert_make(const char *name, const cert *issuer, bool ca)
{
    return cert_of(EVP_EC_gen("P-256"), name, issuer, ca);
}

cert cert_of(EVP_PKEY *take_pkey, const char *name, const cert *issuer, bool ca)
{
    static long serial = 0x00ab0000;
    cert c = { take_pkey, X509_new() };
    need(c.pkey && c.x509, "a key");
    X509 *by = issuer ? issuer->x509 : c.x509;
    X509_NAME *subject = X509_get_subject_name(c.x509);
    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -86400);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), 86400L * 300);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Tests", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(c.x509, X509_get_subject_name(by));
    X509_set_pubkey(c.x509, c.pkey);
    extend(c.x509, by, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(c.x509, by, NID_subject_key_identifier, "hash");
    extend(c.x509, by, NID_authority_key_identifier, "keyid:always");
    need(X509_sign(c.x509, issuer ? issuer->pkey : c.pkey, EVP_sha256()) > 0, "signing");
    need(made_count < KVP_ARRAY_LEN(made), "keeping a certificate");
    made[made_count++] = c;
    return c;
}

/* OpenSSL's i2d functions write to a buffer that is given. */
static unsigned char buffers[4][4096];
static unsigned next_buffer;

static unsigned char *buffer(void)
{
    return buffers[next_buffer++ % 4];
}

der cert_der(const cert *c)
{
    unsigned char *start = buffer(), *at = start;
    return (der){ start, (size_t)i2d_X509(c->x509, &at) };
}

der cert_name_der(const X509_NAME *name)
{
    unsigned char *start = buffer(), *at = start;
    return (der){ start, (size_t)i2d_X509_NAME(name, &at) };
}

der cert_serial_der(const cert *c)
{
    unsigned char *start = buffer(), *at = start;
    return (der){ start, (size_t)i2d_ASN1_INTEGER(X509_get0_serialNumber(c->x509), &at) };
}

der cert_spki_der(const cert *c)
{
    unsigned char *start = buffer(), *at = start;
    return (der){ start, (size_t)i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &at) };
}

/* ---- into the vault ---- */

void cert_import(const char *name, const cert *leaf, const cert *const *chain, bool exportable,
                 bool pem)
{
    char path[256], *text;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, leaf->pkey, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_X509(bio, leaf->x509);
    for (size_t i = 0; chain && chain[i]; i++)
        PEM_write_bio_X509(bio, chain[i]->x509);
    long len = BIO_get_mem_data(bio, &text);
    json_t *body = json_pack("{s:s%, s:{s:{s:b, s:s, s:b}, s:{s:s}}}", "value", text, (size_t)len,
                             "policy", "key_props", "exportable", exportable, "kty", "EC",
                             "reuse_key", 0, "secret_props", "contentType",
                             pem ? "application/x-pem-file" : "application/x-pkcs12");
    need(body, "a body");
    snprintf(path, sizeof(path), "/certificates/%s/import", name);
    json_t *answer = NULL;
    int status = keyvaultd_rest("POST", path, body, &answer);
    if (status != 200)
        json_dumpf(answer, stderr, 0);
    need(status == 200, path);
    json_decref(answer);
    json_decref(body);
    BIO_free(bio);
}

void secret_set(const char *name, const char *value, const char *content_type, json_t *take_tags)
{
    char path[256];
    json_t *body = json_pack("{s:s, s:s*, s:o*}", "value", value, "contentType", content_type,
                             "tags", take_tags);
    snprintf(path, sizeof(path), "/secrets/%s", name);
    int status = keyvaultd_rest("PUT", path, body, NULL);
    need(status == 200, path);
    json_decref(body);
}

void cert_store_as_secret(const char *name, const char *label, const cert *c)
{
    char text[4096];
    der d = cert_der(c);
    EVP_EncodeBlock((unsigned char *)text, d.data, (int)d.len);
    secret_set(name, text, "application/pkix-cert",
               json_pack("{s:s, s:s}", "pkcs11-class", "certificate", "pkcs11-label", label));
}

void rest(const char *method, const char *path, const char *body)
{
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    int status = keyvaultd_rest(method, path, json, NULL);
    ck_assert_msg(status >= 200 && status < 300, "%s %s: %d", method, path, status);
    json_decref(json);
}

/* ---- the module ---- */

static const char *const operations[] = {
    "KeyGet",    "KeyList",           "CertificateGet",  "CertificateList",
    "SecretGet", "SecretList",        "KeyListVersions", "SecretListVersions",
    "KeyUpdate", "CertificateUpdate", "SecretUpdate",    "SecretSet",
};
static size_t all_before, before[KVP_ARRAY_LEN(operations)];

void requests_mark(void)
{
    all_before = keyvaultd_requests(NULL);
    for (size_t i = 0; i < KVP_ARRAY_LEN(operations); i++)
        before[i] = keyvaultd_requests(operations[i]);
}

size_t requests_since(const char *operation)
{
    if (!operation)
        return keyvaultd_requests(NULL) - all_before;
    for (size_t i = 0; i < KVP_ARRAY_LEN(operations); i++)
        if (strcmp(operations[i], operation) == 0)
            return keyvaultd_requests(operation) - before[i];
    ck_abort_msg("%s is not counted", operation);
    return 0;
}

void module_configure(const char *lines)
{
    char path[256], line[512];
    /* Beside the one that keyvaultd wrote, whose relative paths must hold. */
    snprintf(path, sizeof(path), "%s/test.conf", keyvaultd_dir());
    FILE *in = fopen(keyvaultd_conf(), "r"), *out = fopen(path, "w");
    ck_assert(in && out);
    while (fgets(line, sizeof(line), in))
        fputs(line, out);
    fputs(lines, out);
    fclose(in);
    fclose(out);
    ck_assert_int_eq(chmod(path, 0600), 0);
    setenv("KVPKCS11_CONF", path, 1);
    (void)p11->C_Finalize(NULL);
    module_setup();
    /* What the first request costs besides, token and challenge, is paid for a key that is not
     * there, and for which no list is read. */
    static const char nobody[] = "nobody/00000000000000000000000000000000;type=private";
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_UNIQUE_ID, nobody, sizeof(nobody) - 1), 0);
    requests_mark();
}

CK_ULONG find(CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ULONG n = 0;
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attrs, count));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, found, KVP_ARRAY_LEN(found), &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    return n;
}

CK_ULONG find_class(CK_OBJECT_CLASS cls)
{
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &cls, sizeof(cls) } };
    return find(attrs, 1);
}

CK_ULONG find_by(CK_OBJECT_CLASS cls, CK_ATTRIBUTE_TYPE type, const void *data, size_t len)
{
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &cls, sizeof(cls) },
                             { type, (void *)(uintptr_t)data, len } };
    return find(attrs, 2);
}

size_t attribute_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *ret, size_t size)
{
    CK_ATTRIBUTE attr = { type, ret, size };
    CK_RV rv = p11->C_GetAttributeValue(module_session, object, &attr, 1);
    ck_assert_msg(rv == CKR_OK, "attribute 0x%lx: %s", type, kvp_ckr_name(rv));
    return attr.ulValueLen;
}

CK_ULONG number_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_ULONG value = 0;
    ck_assert_uint_eq(attribute_of(object, type, &value, sizeof(value)), sizeof(value));
    return value;
}

void assert_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, const void *data, size_t len)
{
    static unsigned char value[8192];
    size_t value_len = attribute_of(object, type, value, sizeof(value));
    ck_assert_msg(value_len == len && memcmp(value, data, len) == 0,
                  "attribute 0x%lx has %zu bytes, or others than %zu expected ones", type,
                  value_len, len);
}
