/* SPDX-License-Identifier: MIT */
/* Certificates read: what OpenSSL wrote into one, PEM text, PFX, and everything that is neither. */
#include "crypto/certificate.h"

#include "base/alloc.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static EVP_PKEY *keys[3];
static X509 *root, *other_root, *leaf;

static void extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (X509_add_ext(x509, extension, -1) != 1)
        abort(); /* Check can report nothing yet */
    X509_EXTENSION_free(extension);
}

static void name(X509_NAME *to, const char *field, const char *value)
{
    X509_NAME_add_entry_by_txt(to, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0);
}

/* @key signs for itself, or @issuer with @issuer_key. @cn may be NULL. */
static X509 *make(EVP_PKEY *key, const char *cn, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *x509 = X509_new();

    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 0xfedc);
    ASN1_TIME_set(X509_getm_notBefore(x509), 946684800);
    ASN1_TIME_set(X509_getm_notAfter(x509), 4102444800);
    name(X509_get_subject_name(x509), "O", "Söme One");
    if (cn) {
        name(X509_get_subject_name(x509), "CN", "first");
        name(X509_get_subject_name(x509), "CN", cn);
    }
    X509_set_issuer_name(x509, X509_get_subject_name(issuer ? issuer : x509));
    X509_set_pubkey(x509, key);
    if (!issuer)
        extend(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
    extend(x509, x509, NID_subject_key_identifier, "hash");
    extend(x509, issuer ? issuer : x509, NID_authority_key_identifier, "keyid:always");
    X509_sign(x509, issuer ? issuer_key : key, EVP_sha256());
    return x509;
}

static kvp_cert *read_cert(const X509 *x509)
{
    unsigned char der[4096], *at = der;
    int len = i2d_X509(x509, &at);
    kvp_cert *cert = NULL;
    kvp_error error;

    ck_assert_int_eq(kvp_cert_parse(der, (size_t)len, &cert, &error), KVP_OK);
    ck_assert(cert->der.len == (size_t)len && memcmp(cert->der.data, der, cert->der.len) == 0);
    return cert;
}

static void assert_bytes(const kvp_buf *buf, const void *data, int len)
{
    ck_assert_int_eq((int)buf->len, len);
    ck_assert_int_eq(memcmp(buf->data, data, buf->len), 0);
}

START_TEST(a_certificate_gives_its_parts_as_they_stand)
{
    unsigned char der[1024], sha1[20], *at;
    kvp_cert *cert = read_cert(leaf);

    at = der;
    assert_bytes(&cert->subject, der, i2d_X509_NAME(X509_get_subject_name(leaf), &at));
    at = der;
    assert_bytes(&cert->issuer, der, i2d_X509_NAME(X509_get_issuer_name(leaf), &at));
    at = der;
    assert_bytes(&cert->serial, der, i2d_ASN1_INTEGER(X509_get0_serialNumber(leaf), &at));
    ck_assert_int_eq(memcmp(cert->serial.data, "\x02\x03\x00\xfe\xdc", 5), 0);
    at = der;
    assert_bytes(&cert->spki, der, i2d_PUBKEY(keys[2], &at));
    X509_digest(leaf, EVP_sha1(), sha1, NULL);
    ck_assert_int_eq(memcmp(cert->sha1, sha1, 20), 0);
    X509_pubkey_digest(leaf, EVP_sha1(), sha1, NULL);
    ck_assert_int_eq(memcmp(cert->key_sha1, sha1, 20), 0);
    assert_bytes(&cert->key_id, sha1, 20);
    X509_pubkey_digest(root, EVP_sha1(), sha1, NULL);
    assert_bytes(&cert->authority_key_id, sha1, 20);
    ck_assert_str_eq(kvp_buf_str(&cert->common_name), "leaf");
    ck_assert_int_eq(cert->not_before, 946684800);
    ck_assert_int_eq(cert->not_after, 4102444800);
    ck_assert(!cert->ca && !cert->self_issued);
    kvp_cert_free(cert);
}
END_TEST

START_TEST(a_root_is_a_ca_and_issued_itself)
{
    kvp_cert *cert = read_cert(root);

    ck_assert(cert->ca && cert->self_issued);
    ck_assert_str_eq(kvp_buf_str(&cert->common_name), "Söme One"); /* it has no CN */
    kvp_cert_free(cert);
}
END_TEST

START_TEST(an_issuer_is_known_by_its_name_and_key)
{
    kvp_cert *child = read_cert(leaf), *issuer = read_cert(root),
             *same_name = read_cert(other_root);

    ck_assert(kvp_cert_names_issuer(child, issuer));
    ck_assert(kvp_cert_names_issuer(issuer, issuer));
    ck_assert(!kvp_cert_names_issuer(child, same_name));
    ck_assert(!kvp_cert_names_issuer(issuer, child));
    same_name->key_id.len = 0; /* as if it named no key: its name is all there is */
    ck_assert(kvp_cert_names_issuer(child, same_name));
    ck_assert(kvp_cert_equal(child, child) && !kvp_cert_equal(child, issuer));
    kvp_cert_free(child);
    kvp_cert_free(issuer);
    kvp_cert_free(same_name);
}
END_TEST

/* The public numbers of @pkey, as a vault tells them. */
static void numbers(const EVP_PKEY *pkey, kvp_key *ret)
{
    unsigned char point[256];
    BIGNUM *n = NULL, *e = NULL;
    size_t len = 0;

    memset(ret, 0, sizeof(*ret));
    if (EVP_PKEY_get_bn_param(pkey, "n", &n) && EVP_PKEY_get_bn_param(pkey, "e", &e)) {
        unsigned char bytes[512];
        ret->kty = KVP_KTY_RSA;
        ck_assert_int_eq(kvp_buf_set(&ret->n, bytes, (size_t)BN_bn2bin(n, bytes)), KVP_OK);
        ck_assert_int_eq(kvp_buf_set(&ret->e, bytes, (size_t)BN_bn2bin(e, bytes)), KVP_OK);
    } else {
        ck_assert(
            EVP_PKEY_get_octet_string_param(pkey, "encoded-pub-key", point, sizeof(point), &len));
        ret->kty = KVP_KTY_EC;
        ck_assert_int_eq(kvp_buf_set(&ret->x, point + 1, len / 2), KVP_OK);
        ck_assert_int_eq(kvp_buf_set(&ret->y, point + 1 + len / 2, len / 2), KVP_OK);
    }
    BN_free(n);
    BN_free(e);
}

static void numbers_clear(kvp_key *key)
{
    kvp_buf_clear(&key->n);
    kvp_buf_clear(&key->e);
    kvp_buf_clear(&key->x);
    kvp_buf_clear(&key->y);
}

START_TEST(a_certificate_knows_its_key)
{
    EVP_PKEY *rsa[2] = { EVP_RSA_gen(2048), EVP_RSA_gen(2048) };
    X509 *x509 = make(rsa[0], "rsa", NULL, NULL);
    kvp_cert *ec_cert = read_cert(leaf), *rsa_cert = read_cert(x509);
    kvp_key key;

    for (int i = 0; i < 3; i++) {
        numbers(keys[i], &key);
        ck_assert(kvp_cert_has_key(ec_cert, &key) == (i == 2));
        ck_assert(!kvp_cert_has_key(rsa_cert, &key));
        numbers_clear(&key);
    }
    for (int i = 0; i < 2; i++) {
        numbers(rsa[i], &key);
        ck_assert(kvp_cert_has_key(rsa_cert, &key) == (i == 0));
        ck_assert(!kvp_cert_has_key(ec_cert, &key));
        numbers_clear(&key);
        EVP_PKEY_free(rsa[i]);
    }
    memset(&key, 0, sizeof(key));
    ck_assert(!kvp_cert_has_key(ec_cert, &key));
    key.kty = KVP_KTY_RSA;
    ck_assert(!kvp_cert_has_key(rsa_cert, &key));
    key.kty = KVP_KTY_EC;
    ck_assert(!kvp_cert_has_key(ec_cert, &key));
    kvp_cert_free(ec_cert);
    kvp_cert_free(rsa_cert);
    X509_free(x509);
}
END_TEST

START_TEST(what_is_no_certificate_is_refused)
{
    unsigned char der[4096], *at = der;
    size_t len = (size_t)i2d_X509(leaf, &at);
    kvp_cert *cert = NULL;
    kvp_error error;

    der[len] = 0;
    ck_assert_int_eq(kvp_cert_parse(der, len + 1, &cert, &error), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_cert_parse(der, len - 1, &cert, &error), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_cert_parse(der, 0, &cert, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_cert_parse("certificate", 11, &cert, NULL), KVP_ERR_PARSE);
    /* Whatever byte is wrong, it is refused or read, and nothing else happens. */
    for (size_t i = 0; i < len; i += 3) {
        der[i] ^= 0x55;
        if (kvp_cert_parse(der, len, &cert, NULL) == KVP_OK)
            kvp_cert_free(cert);
        der[i] ^= 0x55;
    }
}
END_TEST

/* PEM text of what the tests need: a key, a leaf, a broken block, the root. */
static char *pem_text(size_t *ret_len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *copy;

    BIO_puts(bio, "some words\n");
    PEM_write_bio_PKCS8PrivateKey(bio, keys[2], NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_X509(bio, leaf);
    BIO_puts(bio, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    PEM_write_bio_X509(bio, root);
    *ret_len = (size_t)BIO_get_mem_data(bio, &data);
    copy = malloc(*ret_len);
    memcpy(copy, data, *ret_len);
    BIO_free(bio);
    return copy;
}

static void assert_leaf_and_root(kvp_cert_list *list)
{
    ck_assert_uint_eq(list->count, 2);
    ck_assert_str_eq(kvp_buf_str(&list->items[0]->common_name), "leaf");
    ck_assert(list->items[1]->ca);
    kvp_cert_list_clear(list);
    ck_assert_ptr_null(list->items);
}

START_TEST(pem_gives_its_certificates_and_nothing_else)
{
    kvp_cert_list list = { NULL, 0, 0 };
    char path[] = "/tmp/kvp-cert-XXXXXX";
    int fd = mkstemp(path);
    size_t len;
    char *text = pem_text(&len);

    ck_assert_int_eq(kvp_certs_from_pem(text, len, &list, NULL), KVP_OK);
    assert_leaf_and_root(&list);
    ck_assert_int_eq((int)write(fd, text, len), (int)len);
    close(fd);
    ck_assert_int_eq(kvp_certs_from_file(path, &list, NULL), KVP_OK);
    assert_leaf_and_root(&list);
    unlink(path);
    ck_assert_int_eq(kvp_certs_from_file(path, &list, NULL), KVP_ERR_IO);
    ck_assert_int_eq(kvp_certs_from_pem("nothing", 7, &list, NULL), KVP_OK);
    ck_assert_int_eq(kvp_certs_from_pem("", 0, &list, NULL), KVP_OK);
    ck_assert_uint_eq(list.count, 0);
    free(text);
}
END_TEST

START_TEST(a_pfx_gives_its_certificates)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    kvp_cert_list list = { NULL, 0, 0 };
    unsigned char der[8192], *at = der;
    PKCS12 *pfx;
    size_t len;

    sk_X509_push(chain, root);
    /* With the key; what a vault writes for keys that cannot be exported has none. */
    for (int with_key = 0; with_key < 2; with_key++) {
        if (!with_key)
            sk_X509_push(chain, leaf);
        pfx = PKCS12_create(NULL, NULL, with_key ? keys[2] : NULL, with_key ? leaf : NULL, chain, 0,
                            0, 0, 0, 0);
        ck_assert_ptr_nonnull(pfx);
        at = der;
        len = (size_t)i2d_PKCS12(pfx, &at);
        PKCS12_free(pfx);
        ck_assert_int_eq(kvp_certs_from_pfx(der, len, &list, NULL), KVP_OK);
        ck_assert_uint_eq(list.count, 2);
        kvp_cert_list_clear(&list);
        if (!with_key)
            (void)sk_X509_pop(chain);
    }
    ck_assert_int_eq(kvp_certs_from_pfx(der, len - 1, &list, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_certs_from_pfx("PFX", 3, &list, NULL), KVP_ERR_PARSE);
    ck_assert_uint_eq(list.count, 0);
    sk_X509_free(chain);
}
END_TEST

START_TEST(each_failing_allocation_is_survived)
{
    kvp_cert_list list = { NULL, 0, 0 };
    kvp_status st = KVP_ERR_NO_MEMORY;
    size_t len;
    char *text = pem_text(&len);
    long n;

    kvp_cert_free(read_cert(leaf)); /* OpenSSL's context is there */
    for (n = 0; n < 200 && st != KVP_OK; n++) {
        kvp_alloc_fail_after(n);
        st = kvp_certs_from_pem(text, len, &list, NULL);
        kvp_alloc_fail_after(-1);
        ck_assert_msg(st == KVP_OK || st == KVP_ERR_NO_MEMORY, "%s", kvp_status_name(st));
        if (st != KVP_OK)
            kvp_cert_list_clear(&list);
    }
    ck_assert_msg(n > 10 && n < 200, "%ld allocations", n);
    assert_leaf_and_root(&list);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("certificate_facts");
    TCase *tcase = tcase_create("facts");
    SRunner *runner = srunner_create(suite);
    int failed;

    for (int i = 0; i < 3; i++)
        keys[i] = EVP_EC_gen("P-256");
    root = make(keys[0], NULL, NULL, NULL);
    other_root = make(keys[1], NULL, NULL, NULL);
    leaf = make(keys[2], "leaf", root, keys[0]);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_certificate_gives_its_parts_as_they_stand);
    tcase_add_test(tcase, a_root_is_a_ca_and_issued_itself);
    tcase_add_test(tcase, an_issuer_is_known_by_its_name_and_key);
    tcase_add_test(tcase, a_certificate_knows_its_key);
    tcase_add_test(tcase, what_is_no_certificate_is_refused);
    tcase_add_test(tcase, pem_gives_its_certificates_and_nothing_else);
    tcase_add_test(tcase, a_pfx_gives_its_certificates);
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    X509_free(root);
    X509_free(other_root);
    X509_free(leaf);
    for (int i = 0; i < 3; i++)
        EVP_PKEY_free(keys[i]);
    return failed ? 1 : 0;
}
