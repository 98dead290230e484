/* SPDX-License-Identifier: MIT */
/* PFX and PEM written: the text of the secret behind a certificate. */
#include "vaultd/x509.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

#define ITERATIONS 2000

kvp_status kvp_x509_base64(const void *data, size_t len, kvp_buf *ret)
{
    size_t text_len = (len + 2) / 3 * 4;
    uint8_t *out = kvp_buf_reserve(ret, text_len + 1);

    if (!out)
        return KVP_ERR_NO_MEMORY;
    EVP_EncodeBlock(out, data, (int)len);
    ret->len += text_len;
    return KVP_OK;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

kvp_status kvp_x509_unbase64(const char *text, size_t len, kvp_buf *ret)
{
    uint8_t *out = kvp_buf_reserve(ret, len / 4 * 3 + 3), *start = out;
    uint32_t bits = 0;
    size_t count = 0, padding = 0;

    if (!out)
        return KVP_ERR_NO_MEMORY;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n')
            continue;
        int value = value_of(text[i]);
        if (text[i] == '=' && padding < 2)
            padding++;
        else if (value < 0 || padding > 0)
            return KVP_ERR_PARSE;
        bits = bits << 6 | (uint32_t)(value < 0 ? 0 : value);
        if (++count % 4 == 0) {
            *out++ = (uint8_t)(bits >> 16);
            *out++ = (uint8_t)(bits >> 8);
            *out++ = (uint8_t)bits;
        }
    }
    if (count % 4 != 0 || (count == 0 && padding > 0))
        return KVP_ERR_PARSE;
    ret->len += (size_t)(out - start) - padding;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

static X509 *load(const kvp_buf *der)
{
    const unsigned char *p = der->data;

    return d2i_X509(NULL, &p, (long)der->len);
}

static kvp_status export_pfx(const kvp_x509_bundle *bundle, bool with_key, kvp_buf *ret,
                             kvp_error *reterr)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    X509 *leaf = bundle->count > 0 ? load(&bundle->certs[0]) : NULL;
    unsigned char *der = NULL;
    bool ok = others && leaf;

    for (size_t i = 1; i < bundle->count && ok; i++) {
        X509 *cert = load(&bundle->certs[i]);
        ok = cert && sk_X509_push(others, cert) > 0;
        if (!ok)
            X509_free(cert);
    }
    /* The ciphers of the service: with no password they protect nothing and are read everywhere. */
    PKCS12 *p12 =
        ok ? PKCS12_create("", NULL, with_key && bundle->key ? bundle->key->pkey : NULL, leaf,
                           others, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                           NID_pbe_WithSHA1And3_Key_TripleDES_CBC, ITERATIONS, ITERATIONS, 0)
           : NULL;
    int len = p12 ? i2d_PKCS12(p12, &der) : -1;
    kvp_status status = KVP_OK;
    if (len <= 0)
        status = kvp_engine_failed(reterr, "writing a PFX");
    else if (kvp_x509_base64(der, (size_t)len, ret) != KVP_OK)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "PFX");
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS12_free(p12);
    X509_free(leaf);
    sk_X509_pop_free(others, X509_free);
    return status;
}

static kvp_status export_pem(const kvp_x509_bundle *bundle, bool with_key, kvp_buf *ret,
                             kvp_error *reterr)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = bio != NULL;
    char *data = NULL;

    if (ok && with_key && bundle->key)
        ok = PEM_write_bio_PKCS8PrivateKey(bio, bundle->key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    for (size_t i = 0; i < bundle->count && ok; i++)
        ok = PEM_write_bio(bio, "CERTIFICATE", "", bundle->certs[i].data,
                           (long)bundle->certs[i].len) > 0;
    long len = ok ? BIO_get_mem_data(bio, &data) : 0;
    kvp_status status = KVP_OK;
    if (!ok)
        status = kvp_engine_failed(reterr, "writing PEM");
    else if (kvp_buf_append(ret, data, (size_t)len) != KVP_OK)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "PEM");
    BIO_free(bio);
    return status;
}

kvp_status kvp_x509_export(const kvp_x509_bundle *bundle, bool pem, bool with_key, kvp_buf *ret,
                           kvp_error *reterr)
{
    return pem ? export_pem(bundle, with_key, ret, reterr)
               : export_pfx(bundle, with_key, ret, reterr);
}
