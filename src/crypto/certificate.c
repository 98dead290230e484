/* SPDX-License-Identifier: MIT */
/* Certificates read (certificate.h): single ones, and those that stand in PEM text or in a PFX. */
#include "crypto/certificate.h"

#include "base/alloc.h"
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <string.h>
#include <time.h>

KVP_DEFINE_FREEP(X509, X509_free);
KVP_DEFINE_FREEP(PKCS12, PKCS12_free);
KVP_DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free);
KVP_DEFINE_FREEP(BIO, BIO_free_all);

void kvp_cert_free(kvp_cert *cert)
{
    if (!cert)
        return;
    kvp_buf_clear(&cert->der);
    kvp_buf_clear(&cert->subject);
    kvp_buf_clear(&cert->issuer);
    kvp_buf_clear(&cert->serial);
    kvp_buf_clear(&cert->spki);
    kvp_buf_clear(&cert->key_id);
    kvp_buf_clear(&cert->authority_key_id);
    kvp_buf_clear(&cert->common_name);
    kvp_free(cert);
}

static bool same(const kvp_buf *a, const kvp_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

bool kvp_cert_equal(const kvp_cert *a, const kvp_cert *b)
{
    return same(&a->der, &b->der);
}

bool kvp_cert_names_issuer(const kvp_cert *cert, const kvp_cert *issuer)
{
    if (!same(&cert->issuer, &issuer->subject))
        return false;
    return cert->authority_key_id.len == 0 || issuer->key_id.len == 0 ||
           same(&cert->authority_key_id, &issuer->key_id);
}

/* Whether @buf ends in @part, which is then taken off @left. */
static bool ends_in(const kvp_buf *buf, size_t *left, const void *part, size_t len)
{
    if (*left < len || memcmp(buf->data + *left - len, part, len) != 0)
        return false;
    *left -= len;
    return true;
}

/*
 * A SubjectPublicKeyInfo ends in the public numbers: n and then e as INTEGERs (RFC 8017 §A.1.1), or
 * the uncompressed point (RFC 5480 §2.2).
 */
bool kvp_cert_has_key(const kvp_cert *cert, const kvp_key *key)
{
    const kvp_buf *spki = &cert->spki, *e = &key->e;
    size_t left = spki->len;

    if (key->kty == KVP_KTY_EC)
        return key->x.len > 0 && ends_in(spki, &left, key->y.data, key->y.len) &&
               ends_in(spki, &left, key->x.data, key->x.len) && ends_in(spki, &left, "\x04", 1);
    if (key->kty != KVP_KTY_RSA || key->n.len == 0 || e->len == 0 || e->len > 100)
        return false;
    bool zero = (e->data[0] & 0x80) != 0;
    uint8_t head[] = { 0x02, (uint8_t)(e->len + zero) };
    return ends_in(spki, &left, e->data, e->len) && (!zero || ends_in(spki, &left, "", 1)) &&
           ends_in(spki, &left, head, sizeof(head)) &&
           ends_in(spki, &left, key->n.data, key->n.len);
}

void kvp_cert_list_clear(kvp_cert_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        kvp_cert_free(list->items[i]);
    kvp_free(list->items);
    *list = (kvp_cert_list){ NULL, 0, 0 };
}

kvp_status kvp_cert_list_take(kvp_cert_list *list, kvp_cert *cert)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 8;
        kvp_cert **items = kvp_realloc(list->items, size * sizeof(kvp_cert *));

        if (!items) {
            kvp_cert_free(cert);
            return KVP_ERR_NO_MEMORY;
        }
        list->items = items;
        list->size = size;
    }
    list->items[list->count++] = cert;
    return KVP_OK;
}

/* ---- one certificate ---- */

/* The DER that one of OpenSSL's i2d functions made. Takes @der. */
static kvp_status keep_der(unsigned char *der, int len, kvp_buf *ret)
{
    kvp_status st = len > 0 ? kvp_buf_set(ret, der, (size_t)len) : KVP_ERR_PARSE;

    OPENSSL_free(der);
    return st;
}

static kvp_status keep_name(const X509_NAME *name, kvp_buf *ret)
{
    unsigned char *der = NULL;
    int len = i2d_X509_NAME(name, &der);

    return keep_der(der, len, ret);
}

static kvp_status keep_octets(const ASN1_OCTET_STRING *octets, kvp_buf *ret)
{
    if (!octets || ASN1_STRING_length(octets) <= 0)
        return KVP_OK;
    return kvp_buf_set(ret, ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets));
}

static kvp_status keep_time(const ASN1_TIME *time, int64_t *ret)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return KVP_ERR_PARSE;
    *ret = (int64_t)timegm(&tm);
    return KVP_OK;
}

static kvp_status keep_text(const X509_NAME *name, int nid, kvp_buf *ret)
{
    unsigned char *text = NULL;
    int at = -1, last = -1, len;
    kvp_status st = KVP_OK;

    while ((at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0)
        last = at;
    if (last < 0)
        return KVP_OK;
    len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    if (len > 0)
        st = kvp_buf_set(ret, text, (size_t)len);
    OPENSSL_free(text);
    return st;
}

static kvp_status keep_digests(const X509 *x509, kvp_cert *cert)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x509);
    kvp_status st = kvp_digest_once(KVP_HASH_SHA1, cert->der.data, cert->der.len, cert->sha1);

    if (st != KVP_OK || !bits)
        return st;
    return kvp_digest_once(KVP_HASH_SHA1, ASN1_STRING_get0_data(bits),
                           (size_t)ASN1_STRING_length(bits), cert->key_sha1);
}

/* Everything that is asked of a certificate later. */
static kvp_status keep(X509 *x509, kvp_cert *cert)
{
    const X509_NAME *subject = X509_get_subject_name(x509);
    unsigned char *der = NULL;
    int len = i2d_X509(x509, &der);
    kvp_status st = keep_der(der, len, &cert->der);

    if (st == KVP_OK)
        st = keep_name(subject, &cert->subject);
    if (st == KVP_OK)
        st = keep_name(X509_get_issuer_name(x509), &cert->issuer);
    if (st == KVP_OK) {
        der = NULL;
        len = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &der);
        st = keep_der(der, len, &cert->serial);
    }
    if (st == KVP_OK) {
        der = NULL;
        len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der);
        st = keep_der(der, len, &cert->spki);
    }
    if (st == KVP_OK)
        st = keep_octets(X509_get0_subject_key_id(x509), &cert->key_id);
    if (st == KVP_OK)
        st = keep_octets(X509_get0_authority_key_id(x509), &cert->authority_key_id);
    if (st == KVP_OK)
        st = keep_text(subject, NID_commonName, &cert->common_name);
    if (st == KVP_OK && cert->common_name.len == 0)
        st = keep_text(subject, NID_organizationName, &cert->common_name);
    if (st == KVP_OK)
        st = keep_time(X509_get0_notBefore(x509), &cert->not_before);
    if (st == KVP_OK)
        st = keep_time(X509_get0_notAfter(x509), &cert->not_after);
    if (st != KVP_OK)
        return st;
    cert->ca = (X509_get_extension_flags(x509) & EXFLAG_CA) != 0;
    cert->self_issued = same(&cert->subject, &cert->issuer);
    return keep_digests(x509, cert);
}

/* Inside a KVP_OSSL_SCOPE. */
static kvp_status from_x509(X509 *x509, kvp_cert **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_cert_freep) kvp_cert *cert = kvp_calloc(1, sizeof(*cert));
    kvp_status st = cert ? keep(x509, cert) : KVP_ERR_NO_MEMORY;

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "reading a certificate");
    *ret = KVP_STEAL(cert);
    return KVP_OK;
}

kvp_status kvp_cert_parse(const void *der, size_t len, kvp_cert **ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    OSSL_LIB_CTX *lib = kvp_ossl_ctx();
    const unsigned char *at = der, *end = at + len;
    KVP_CLEANUP(X509_freep) X509 *x509 = NULL;

    if (!lib)
        return kvp_crypto_failed(reterr, "reading a certificate");
    if (len == 0 || len > INT_MAX)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a certificate is empty or too long");
    x509 = X509_new_ex(lib, NULL);
    if (!x509)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "reading a certificate");
    /* On failure OpenSSL has freed what it was given. */
    if (!d2i_X509(&x509, &at, (long)len)) {
        x509 = NULL;
        return kvp_error_set(reterr, KVP_ERR_PARSE, "what should be a certificate is none");
    }
    if (at != end)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "there is more behind a certificate");
    return from_x509(x509, ret, reterr);
}

/* ---- many ---- */

/* What is no certificate after all is passed over; only want of memory ends the reading. */
static kvp_status add_x509(X509 *x509, kvp_cert_list *list, kvp_error *reterr)
{
    kvp_cert *cert = NULL;
    kvp_status st = from_x509(x509, &cert, reterr);

    if (st == KVP_OK)
        st = kvp_cert_list_take(list, cert);
    return st == KVP_ERR_NO_MEMORY ? kvp_error_set(reterr, st, "reading certificates") : KVP_OK;
}

static kvp_status read_pem(BIO *bio, kvp_cert_list *list, kvp_error *reterr)
{
    kvp_status st = KVP_OK;

    while (st == KVP_OK) {
        char *name = NULL, *header = NULL;
        unsigned char *data = NULL;
        long data_len = 0;

        if (PEM_read_bio(bio, &name, &header, &data, &data_len) != 1)
            break;
        if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
            kvp_cert *cert = NULL;

            st = kvp_cert_parse(data, (size_t)data_len, &cert, reterr);
            if (st == KVP_OK)
                st = kvp_cert_list_take(list, cert);
            else if (st != KVP_ERR_NO_MEMORY)
                st = KVP_OK;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)data_len);
    }
    return st;
}

kvp_status kvp_certs_from_pem(const void *text, size_t len, kvp_cert_list *list, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "reading certificates");
    if (len > INT_MAX)
        return kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "too many certificates");
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(text, (int)len);
    if (!bio)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "reading certificates");
    return read_pem(bio, list, reterr);
}

kvp_status kvp_certs_from_file(const char *path, kvp_cert_list *list, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;

    if (!kvp_ossl_ctx())
        return kvp_crypto_failed(reterr, "reading certificates");
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_file(path, "r");
    if (!bio)
        return kvp_error_set(reterr, KVP_ERR_IO, "cannot read `%s`", path);
    return read_pem(bio, list, reterr);
}

kvp_status kvp_certs_from_pfx(const void *der, size_t len, kvp_cert_list *list, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    OSSL_LIB_CTX *lib = kvp_ossl_ctx();
    const unsigned char *at = der;
    kvp_status st = KVP_OK;

    if (!lib)
        return kvp_crypto_failed(reterr, "reading a PFX");
    if (len > INT_MAX)
        return kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "a PFX is too long");
    KVP_CLEANUP(PKCS12_freep) PKCS12 *pfx = d2i_PKCS12(NULL, &at, (long)len);
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    KVP_CLEANUP(X509_freep) X509 *leaf = NULL;
    STACK_OF(X509) *others = NULL;
    if (!pfx || (PKCS12_parse(pfx, "", &key, &leaf, &others) != 1))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a PFX cannot be opened");
    if (leaf)
        st = add_x509(leaf, list, reterr);
    for (int i = 0; st == KVP_OK && i < sk_X509_num(others); i++)
        st = add_x509(sk_X509_value(others, i), list, reterr);
    sk_X509_pop_free(others, X509_free);
    return st;
}
