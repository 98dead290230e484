/* SPDX-License-Identifier: MIT */
/* Certificates by OpenSSL: RFC 5280 profiles as TLS clients check them. */
#include "vaultd/certs.h"

#include "base/alloc.h"
#include "vaultd/engine.h"
#include "vaultd/ident.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400
#define AUTHORITY_DAYS 3650
#define SERVER_DAYS 825
#define RENEW_DAYS 30

KVP_DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free);
KVP_DEFINE_FREEP(X509, X509_free);
KVP_DEFINE_FREEP(ASN1_TIME, ASN1_TIME_free);
KVP_DEFINE_FREEP(BIO, BIO_free_all);

void kvp_cert_pair_clear(kvp_cert_pair *pair)
{
    kvp_buf_clear(&pair->certificate);
    kvp_buf_clear(&pair->key);
}

static bool take_bio(BIO *bio, kvp_buf *dst)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    return len > 0 && kvp_buf_set(dst, data, (size_t)len) == KVP_OK;
}

static bool write_pair(X509 *cert, EVP_PKEY *pkey, kvp_cert_pair *pair)
{
    KVP_CLEANUP(BIO_freep) BIO *cert_bio = BIO_new(BIO_s_mem());
    KVP_CLEANUP(BIO_freep) BIO *key_bio = BIO_new(BIO_s_secmem());

    pair->key.secret = true;
    return cert_bio && key_bio && PEM_write_bio_X509(cert_bio, cert) == 1 &&
           PEM_write_bio_PKCS8PrivateKey(key_bio, pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
           take_bio(cert_bio, &pair->certificate) && take_bio(key_bio, &pair->key);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* Version, random serial number, subject, public key, validity from five minutes ago. */
static bool begin(X509 *cert, const char *name, EVP_PKEY *pkey, long days)
{
    unsigned char serial[16];
    time_t now = kvp_ident_now();
    X509_NAME *subject = X509_get_subject_name(cert);

    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    serial[0] &= 0x7f; /* positive, RFC 5280 §4.1.2.2 */
    serial[0] |= 0x40;
    BIGNUM *bn = BN_bin2bn(serial, sizeof(serial), NULL);
    bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok && X509_set_version(cert, X509_VERSION_3) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_pubkey(cert, pkey) == 1 &&
           X509_time_adj_ex(X509_getm_notBefore(cert), 0, -300, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, &now);
}

kvp_status kvp_cert_make_authority(kvp_cert_pair *ret_pair, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
    KVP_CLEANUP(X509_freep) X509 *cert = X509_new();
    char name[64], id[KVP_VERSION_SIZE];

    /* A name of its own, so that authorities of two data directories are told apart. */
    if (!pkey || !cert || kvp_ident_version(id) != KVP_OK)
        return kvp_engine_failed(reterr, "making a certificate authority");
    snprintf(name, sizeof(name), "keyvaultd authority %.8s", id);
    if (!begin(cert, name, pkey, AUTHORITY_DAYS) ||
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
        X509_sign(cert, pkey, EVP_sha256()) == 0 || !write_pair(cert, pkey, ret_pair))
        return kvp_engine_failed(reterr, "making a certificate authority");
    return KVP_OK;
}

/* A host of a URL as it stands in a certificate: without brackets; whether it is an address. */
static bool bare_host(const char *host, char *dst, size_t size)
{
    size_t len = strlen(host);
    bool v6 = host[0] == '[' && len > 2;

    snprintf(dst, size, "%.*s", (int)(v6 ? len - 2 : len), host + (v6 ? 1 : 0));
    return v6 || strspn(host, "0123456789.") == len;
}

static bool add_names(X509 *cert, const char *const *hosts, size_t count)
{
    kvp_buf value = KVP_BUF_INIT(65536);
    kvp_status status = KVP_OK;

    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        char bare[256];
        bool address = bare_host(hosts[i], bare, sizeof(bare));
        status = kvp_buf_append_fmt(&value, "%s%s:%s", i ? "," : "", address ? "IP" : "DNS", bare);
    }
    bool ok =
        status == KVP_OK && add_extension(cert, cert, NID_subject_alt_name, kvp_buf_str(&value));
    kvp_buf_clear(&value);
    return ok;
}

static X509 *read_certificate(const kvp_buf *pem)
{
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);

    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *read_key(const kvp_buf *pem)
{
    KVP_CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);

    return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
}

kvp_status kvp_cert_make_server(const kvp_cert_pair *authority, const char *const *hosts,
                                size_t host_count, kvp_cert_pair *ret_pair, kvp_error *reterr)
{
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
    KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *signer = read_key(&authority->key);
    KVP_CLEANUP(X509_freep) X509 *issuer = read_certificate(&authority->certificate);
    KVP_CLEANUP(X509_freep) X509 *cert = X509_new();

    if (!pkey || !signer || !issuer || !cert || !begin(cert, "keyvaultd", pkey, SERVER_DAYS))
        return kvp_engine_failed(reterr, "making a TLS certificate");
    if (ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(issuer)) > 0)
        X509_set1_notAfter(cert, X509_get0_notAfter(issuer));
    if (X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
        !add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(cert, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") ||
        !add_names(cert, hosts, host_count) || X509_sign(cert, signer, EVP_sha256()) == 0 ||
        !write_pair(cert, pkey, ret_pair))
        return kvp_engine_failed(reterr, "making a TLS certificate");
    return KVP_OK;
}

/* Whether the certificate has exactly this DNS name, wildcard and all. */
static bool lists_name(X509 *cert, const char *name)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        found = one->type == GEN_DNS &&
                (size_t)ASN1_STRING_length(one->d.dNSName) == strlen(name) &&
                memcmp(ASN1_STRING_get0_data(one->d.dNSName), name, strlen(name)) == 0;
    }
    GENERAL_NAMES_free(names);
    return found;
}

int64_t kvp_cert_renewal(const kvp_buf *certificate)
{
    KVP_CLEANUP(X509_freep) X509 *cert = read_certificate(certificate);
    KVP_CLEANUP(ASN1_TIME_freep) ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    ERR_clear_error();
    if (!cert || !epoch || ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert)) != 1)
        return 0;
    return (int64_t)(days - RENEW_DAYS) * DAY + seconds;
}

bool kvp_cert_serves(const kvp_buf *certificate, const char *const *hosts, size_t host_count)
{
    KVP_CLEANUP(X509_freep) X509 *cert = read_certificate(certificate);

    ERR_clear_error();
    if (!cert || kvp_ident_now() >= kvp_cert_renewal(certificate))
        return false;
    for (size_t i = 0; i < host_count; i++) {
        char bare[256];
        bool address = bare_host(hosts[i], bare, sizeof(bare));
        if (bare[0] == '*' ? !lists_name(cert, bare)
            : address      ? X509_check_ip_asc(cert, bare, 0) != 1
                           : X509_check_host(cert, bare, 0, 0, NULL) != 1)
            return false;
    }
    return true;
}
