/* SPDX-License-Identifier: MIT */
/* Certificates read: the facts the service shows, and whether a key belongs to one. */
#include "vaultd/x509.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define DER_MAX 65536

KVP_DEFINE_FREEP(X509, X509_free);

void kvp_x509_facts_clear(kvp_x509_facts *facts)
{
    kvp_buf_clear(&facts->subject);
    kvp_buf_clear(&facts->issuer);
    for (size_t i = 0; i < facts->san_count; i++)
        kvp_free(facts->sans[i].value);
    for (size_t i = 0; i < facts->eku_count; i++)
        kvp_free(facts->ekus[i]);
    memset(facts, 0, sizeof(*facts));
}

static X509 *parse(const void *der, size_t len)
{
    const unsigned char *p = der;
    X509 *cert = len > 0 && len <= DER_MAX ? d2i_X509(NULL, &p, (long)len) : NULL;

    if (cert && p != (const unsigned char *)der + len) {
        X509_free(cert);
        cert = NULL;
    }
    ERR_clear_error();
    return cert;
}

static bool read_time(const ASN1_TIME *time, int64_t *ret)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return false;
    *ret = (int64_t)timegm(&tm);
    return true;
}

/* An IA5String without a NUL inside, or NULL. */
static char *ia5(const ASN1_STRING *string)
{
    const unsigned char *data = ASN1_STRING_get0_data(string);
    size_t len = (size_t)ASN1_STRING_length(string);

    for (size_t i = 0; i < len; i++) {
        if (data[i] < 0x20 || data[i] >= 0x7f)
            return NULL;
    }
    return kvp_strndup((const char *)data, len);
}

static char *upn(const OTHERNAME *other)
{
    unsigned char *utf8 = NULL;
    char oid[64] = "", *copy = NULL;

    if (OBJ_obj2txt(oid, sizeof(oid), other->type_id, 1) <= 0 ||
        strcmp(oid, "1.3.6.1.4.1.311.20.2.3") != 0 || other->value->type != V_ASN1_UTF8STRING)
        return NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, other->value->value.utf8string);
    if (len > 0 && !memchr(utf8, 0, (size_t)len))
        copy = kvp_strndup((const char *)utf8, (size_t)len);
    OPENSSL_free(utf8);
    return copy;
}

static char *address(const ASN1_OCTET_STRING *string)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(string);

    if ((len != 4 && len != 16) || !inet_ntop(len == 4 ? AF_INET : AF_INET6,
                                              ASN1_STRING_get0_data(string), text, sizeof(text)))
        return NULL;
    return kvp_strdup(text);
}

/* Names of other kinds, and those with bytes that cannot be shown, are left out. */
static void read_sans(X509 *cert, kvp_x509_facts *facts)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && facts->san_count < KVP_X509_NAMES_MAX; i++) {
        int type;
        void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        kvp_x509_san_kind kind = type == GEN_EMAIL       ? KVP_X509_SAN_EMAIL
                                 : type == GEN_DNS       ? KVP_X509_SAN_DNS
                                 : type == GEN_URI       ? KVP_X509_SAN_URI
                                 : type == GEN_IPADD     ? KVP_X509_SAN_IP
                                 : type == GEN_OTHERNAME ? KVP_X509_SAN_UPN
                                                         : KVP_X509_SAN_KIND_COUNT;
        if (kind == KVP_X509_SAN_KIND_COUNT)
            continue;
        char *text = kind == KVP_X509_SAN_UPN  ? upn(value)
                     : kind == KVP_X509_SAN_IP ? address(value)
                                               : ia5(value);
        if (text) {
            facts->sans[facts->san_count].kind = kind;
            facts->sans[facts->san_count++].value = text;
        }
    }
    GENERAL_NAMES_free(names);
}

static void read_usages(X509 *cert, kvp_x509_facts *facts)
{
    ASN1_BIT_STRING *bits = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);
    EXTENDED_KEY_USAGE *ekus = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);
    char oid[128];

    facts->has_usages = bits != NULL;
    for (size_t i = 0; bits && i < KVP_X509_USAGE_COUNT; i++)
        facts->usages[i] = ASN1_BIT_STRING_get_bit(bits, kvp_x509_usages[i].bit) == 1;
    for (int i = 0; i < sk_ASN1_OBJECT_num(ekus) && facts->eku_count < KVP_X509_EKUS_MAX; i++) {
        int len = OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(ekus, i), 1);
        char *copy = len > 0 && len < (int)sizeof(oid) ? kvp_strdup(oid) : NULL;
        if (copy)
            facts->ekus[facts->eku_count++] = copy;
    }
    facts->ca = constraints && constraints->ca;
    ASN1_BIT_STRING_free(bits);
    EXTENDED_KEY_USAGE_free(ekus);
    BASIC_CONSTRAINTS_free(constraints);
}

static bool read_ids(X509 *cert, const void *der, size_t len, kvp_x509_facts *facts)
{
    uint8_t sha1[20];
    unsigned sha1_len = 0;
    kvp_buf text = KVP_BUF_INIT(64);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    bool ok = hex && strlen(hex) < sizeof(facts->serial) &&
              EVP_Digest(der, len, sha1, &sha1_len, EVP_sha1(), NULL) == 1 &&
              kvp_base64url_encode(sha1, sizeof(sha1), &text) == KVP_OK;

    if (ok) {
        memcpy(facts->serial, hex, strlen(hex) + 1);
        memcpy(facts->sha1, kvp_buf_str(&text), sizeof(facts->sha1));
    }
    OPENSSL_free(hex);
    BN_free(number);
    kvp_buf_clear(&text);
    return ok;
}

/* Begun months count, as the service counts them on import (recorded). */
static unsigned months_of(const kvp_x509_facts *facts)
{
    unsigned months = 0;

    while (months < KVP_X509_MONTHS_MAX * 10 &&
           kvp_x509_add_months(facts->not_before, months) < facts->expires)
        months++;
    return months;
}

kvp_status kvp_x509_read(const void *der, size_t len, kvp_x509_facts *ret, kvp_error *reterr)
{
    KVP_CLEANUP(X509_freep) X509 *cert = parse(der, len);
    kvp_x509_facts facts;

    memset(&facts, 0, sizeof(facts));
    if (!cert)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "The specified X.509 certificate content can not be read.");
    bool ok = read_time(X509_get0_notBefore(cert), &facts.not_before) &&
              read_time(X509_get0_notAfter(cert), &facts.expires) &&
              read_ids(cert, der, len, &facts) &&
              kvp_x509_name_write(X509_get_subject_name(cert), &facts.subject) == KVP_OK &&
              kvp_x509_name_write(X509_get_issuer_name(cert), &facts.issuer) == KVP_OK;
    if (ok) {
        read_sans(cert, &facts);
        read_usages(cert, &facts);
        facts.months = months_of(&facts);
        *ret = facts;
    } else {
        kvp_x509_facts_clear(&facts);
    }
    ERR_clear_error();
    return ok ? KVP_OK
              : kvp_error_set(reterr, KVP_ERR_INVALID,
                              "The specified X.509 certificate content can not be used.");
}

bool kvp_x509_matches(const void *der, size_t len, const kvp_engine_key *key)
{
    KVP_CLEANUP(X509_freep) X509 *cert = parse(der, len);
    EVP_PKEY *public = cert ? X509_get0_pubkey(cert) : NULL;
    bool same = public && EVP_PKEY_eq(public, key->pkey) == 1;

    ERR_clear_error();
    return same;
}
