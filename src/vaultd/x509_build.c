/* SPDX-License-Identifier: MIT */
/* Requests and self-signed certificates, with the extensions and times the service gives them. */
#include "vaultd/x509.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define BACKDATE_S 600 /* nbf lies ten minutes before creation (recorded) */
#define SERIAL_LEN 16
#define UPN_OID "1.3.6.1.4.1.311.20.2.3"

KVP_DEFINE_FREEP(X509, X509_free);
KVP_DEFINE_FREEP(X509_REQ, X509_REQ_free);
KVP_DEFINE_FREEP(X509_NAME, X509_NAME_free);
KVP_DEFINE_FREEP(X509_EXTENSION, X509_EXTENSION_free);
KVP_DEFINE_FREEP(GENERAL_NAME, GENERAL_NAME_free);
KVP_DEFINE_FREEP(GENERAL_NAMES, GENERAL_NAMES_free);
KVP_DEFINE_FREEP(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free);
KVP_DEFINE_FREEP(ASN1_BIT_STRING, ASN1_BIT_STRING_free);
KVP_DEFINE_FREEP(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free);

typedef STACK_OF(X509_EXTENSION) extension_stack;
static void extensions_free(extension_stack *stack)
{
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
KVP_DEFINE_FREEP(extension_stack, extensions_free);

const char *const kvp_x509_san_names[KVP_X509_SAN_KIND_COUNT] = {
    "emails", "dns_names", "upns", "uris", "ipAddresses",
};

const kvp_x509_usage kvp_x509_usages[KVP_X509_USAGE_COUNT] = {
    { "cRLSign", 6, "" },
    { "dataEncipherment", 3, "encrypt decrypt" },
    { "decipherOnly", 8, "" },
    { "digitalSignature", 0, "sign verify" },
    { "encipherOnly", 7, "" },
    { "keyAgreement", 4, "" },
    { "keyCertSign", 5, "sign verify" },
    { "keyEncipherment", 2, "wrapKey unwrapKey" },
    { "nonRepudiation", 1, "sign verify" },
};

int64_t kvp_x509_add_months(int64_t now, unsigned months)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    time_t t = (time_t)now;
    struct tm tm;

    if (!gmtime_r(&t, &tm))
        return now;
    int month = tm.tm_mon + (int)months;
    tm.tm_year += month / 12;
    tm.tm_mon = month % 12;
    int year = tm.tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int last = tm.tm_mon == 1 && leap ? 29 : days[tm.tm_mon];
    if (tm.tm_mday > last)
        tm.tm_mday = last;
    return (int64_t)timegm(&tm);
}

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    }
    return true;
}

static bool set_ia5(GENERAL_NAME *name, int type, const char *value)
{
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    if (!string || ASN1_STRING_set(string, value, (int)strlen(value)) != 1) {
        ASN1_IA5STRING_free(string);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, string);
    return true;
}

static bool set_upn(GENERAL_NAME *name, const char *value)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(UPN_OID, 1);
    ASN1_UTF8STRING *string = ASN1_UTF8STRING_new();
    ASN1_TYPE *type = ASN1_TYPE_new();

    if (!oid || !string || !type || ASN1_STRING_set(string, value, (int)strlen(value)) != 1) {
        ASN1_OBJECT_free(oid);
        ASN1_UTF8STRING_free(string);
        ASN1_TYPE_free(type);
        return false;
    }
    ASN1_TYPE_set(type, V_ASN1_UTF8STRING, string);
    if (GENERAL_NAME_set0_othername(name, oid, type) != 1) {
        ASN1_OBJECT_free(oid);
        ASN1_TYPE_free(type);
        return false;
    }
    return true;
}

static bool set_ip(GENERAL_NAME *name, const char *value)
{
    unsigned char bytes[16];
    int len = inet_pton(AF_INET, value, bytes) == 1    ? 4
              : inet_pton(AF_INET6, value, bytes) == 1 ? 16
                                                       : 0;
    ASN1_OCTET_STRING *string = len ? ASN1_OCTET_STRING_new() : NULL;

    if (!string || ASN1_OCTET_STRING_set(string, bytes, len) != 1) {
        ASN1_OCTET_STRING_free(string);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, string);
    return true;
}

/* A name, or NULL when @value cannot be one of @kind (or there is no memory). */
static GENERAL_NAME *general_name(kvp_x509_san_kind kind, const char *value)
{
    static const int types[KVP_X509_SAN_KIND_COUNT] = { GEN_EMAIL, GEN_DNS, 0, GEN_URI, 0 };
    KVP_CLEANUP(GENERAL_NAME_freep) GENERAL_NAME *name = GENERAL_NAME_new();
    bool ok = name && *value && strlen(value) <= 2048;

    if (ok && kind == KVP_X509_SAN_UPN)
        ok = set_upn(name, value);
    else if (ok && kind == KVP_X509_SAN_IP)
        ok = set_ip(name, value);
    else if (ok)
        ok = is_ascii(value) && set_ia5(name, types[kind], value);
    return ok ? KVP_STEAL(name) : NULL;
}

/* Append extension @nid with the internal form @value. */
static bool push(extension_stack *stack, int nid, bool critical, void *value)
{
    KVP_CLEANUP(X509_EXTENSION_freep)
    X509_EXTENSION *extension = value ? X509V3_EXT_i2d(nid, critical, value) : NULL;

    if (!extension || sk_X509_EXTENSION_push(stack, extension) <= 0)
        return false;
    (void)KVP_STEAL(extension);
    return true;
}

static bool push_usage(const kvp_x509_profile *profile, extension_stack *stack)
{
    KVP_CLEANUP(ASN1_BIT_STRING_freep) ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    bool any = false, ok = bits != NULL;

    for (size_t i = 0; i < KVP_X509_USAGE_COUNT && ok; i++) {
        if (profile->usages[i]) {
            ok = ASN1_BIT_STRING_set_bit(bits, kvp_x509_usages[i].bit, 1) == 1;
            any = true;
        }
    }
    return ok && (!any || push(stack, NID_key_usage, true, bits));
}

static bool push_ekus(const kvp_x509_profile *profile, extension_stack *stack)
{
    KVP_CLEANUP(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *list = EXTENDED_KEY_USAGE_new();
    bool ok = list != NULL;

    for (size_t i = 0; i < profile->eku_count && ok; i++) {
        ASN1_OBJECT *oid = OBJ_txt2obj(profile->ekus[i], 1);
        ok = oid && sk_ASN1_OBJECT_push(list, oid) > 0;
        if (!ok)
            ASN1_OBJECT_free(oid);
    }
    return ok && (profile->eku_count == 0 || push(stack, NID_ext_key_usage, false, list));
}

static bool push_sans(const kvp_x509_profile *profile, extension_stack *stack)
{
    KVP_CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names != NULL;

    for (size_t i = 0; i < profile->san_count && ok; i++) {
        GENERAL_NAME *name = general_name(profile->sans[i].kind, profile->sans[i].value);
        ok = name && sk_GENERAL_NAME_push(names, name) > 0;
        if (!ok)
            GENERAL_NAME_free(name);
    }
    return ok && (profile->san_count == 0 || push(stack, NID_subject_alt_name, false, names));
}

static bool push_constraints(const kvp_x509_profile *profile, extension_stack *stack)
{
    KVP_CLEANUP(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();

    if (!constraints)
        return false;
    constraints->ca = profile->ca ? 0xff : 0;
    return push(stack, NID_basic_constraints, profile->ca, constraints);
}

/* The extensions that request and certificate share, in the recorded order. */
static extension_stack *extensions_of(const kvp_x509_profile *profile)
{
    KVP_CLEANUP(extension_stack_freep) extension_stack *stack = sk_X509_EXTENSION_new_null();

    if (!stack || !push_usage(profile, stack) || !push_constraints(profile, stack) ||
        !push_ekus(profile, stack) || !push_sans(profile, stack))
        return NULL;
    return KVP_STEAL(stack);
}

/* Dotted decimal, as OBJ_txt2obj without names takes it. */
static bool is_oid(const char *text)
{
    ASN1_OBJECT *oid = strlen(text) <= 128 ? OBJ_txt2obj(text, 1) : NULL;

    ERR_clear_error();
    ASN1_OBJECT_free(oid);
    return oid != NULL;
}

kvp_status kvp_x509_check(const kvp_x509_profile *profile, kvp_error *reterr)
{
    KVP_CLEANUP(X509_NAME_freep) X509_NAME *name = NULL;
    kvp_status status = kvp_x509_name_parse(profile->subject, &name, reterr);

    for (size_t i = 0; i < profile->san_count && status == KVP_OK; i++) {
        GENERAL_NAME *san = general_name(profile->sans[i].kind, profile->sans[i].value);
        if (!san)
            status = kvp_error_set(reterr, KVP_ERR_INVALID,
                                   "The subject alternative names hold an invalid value in %s.",
                                   kvp_x509_san_names[profile->sans[i].kind]);
        GENERAL_NAME_free(san);
    }
    for (size_t i = 0; i < profile->eku_count && status == KVP_OK; i++) {
        if (!is_oid(profile->ekus[i]))
            status = kvp_error_set(reterr, KVP_ERR_INVALID,
                                   "The enhanced key usages hold an invalid object identifier.");
    }
    if (status == KVP_OK && X509_NAME_entry_count(name) == 0 && profile->san_count == 0)
        status = kvp_error_set(reterr, KVP_ERR_INVALID,
                               "Either a subject or subject alternative names are needed.");
    return status;
}

static const EVP_MD *digest_for(const kvp_engine_key *key)
{
    if (key->kind == KVP_ENGINE_EC && key->bits > 384)
        return EVP_sha512();
    return key->kind == KVP_ENGINE_EC && key->bits > 256 ? EVP_sha384() : EVP_sha256();
}

static kvp_status append_der(unsigned char *take, int len, kvp_buf *ret, kvp_error *reterr)
{
    if (len <= 0)
        return kvp_engine_failed(reterr, "writing DER");
    kvp_status status = kvp_buf_append(ret, take, (size_t)len);
    OPENSSL_free(take);
    return status == KVP_OK ? KVP_OK : kvp_error_set(reterr, status, "writing DER");
}

kvp_status kvp_x509_request(const kvp_x509_profile *profile, const kvp_engine_key *key,
                            kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(X509_REQ_freep) X509_REQ *req = X509_REQ_new();
    KVP_CLEANUP(X509_NAME_freep) X509_NAME *name = NULL;
    KVP_CLEANUP(extension_stack_freep) extension_stack *extensions = extensions_of(profile);
    unsigned char *der = NULL;
    kvp_status status = kvp_x509_name_parse(profile->subject, &name, reterr);

    if (status != KVP_OK)
        return status;
    if (!req || !extensions || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(req, name) != 1 || X509_REQ_set_pubkey(req, key->pkey) != 1 ||
        X509_REQ_add_extensions(req, extensions) != 1 ||
        X509_REQ_sign(req, key->pkey, digest_for(key)) <= 0)
        return kvp_engine_failed(reterr, "making a certificate request");
    int len = i2d_X509_REQ(req, &der);
    return append_der(der, len, ret, reterr);
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_LEN];
    BIGNUM *number = NULL;
    bool ok = false;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive and of full length */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    if (number)
        ok = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool add_extensions(X509 *cert, const kvp_x509_profile *profile)
{
    KVP_CLEANUP(extension_stack_freep) extension_stack *extensions = extensions_of(profile);
    X509V3_CTX ctx;

    if (!extensions)
        return false;
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
        if (X509_add_ext(cert, sk_X509_EXTENSION_value(extensions, i), -1) != 1)
            return false;
    }
    static const struct {
        int nid;
        const char *value;
    } ids[] = { { NID_subject_key_identifier, "hash" },
                { NID_authority_key_identifier, "keyid:always" } };
    for (size_t i = 0; i < KVP_ARRAY_LEN(ids); i++) {
        X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
        KVP_CLEANUP(X509_EXTENSION_freep)
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, ids[i].nid, ids[i].value);
        if (!extension || X509_add_ext(cert, extension, -1) != 1)
            return false;
    }
    return true;
}

kvp_status kvp_x509_self_sign(const kvp_x509_profile *profile, const kvp_engine_key *key,
                              int64_t now, kvp_buf *ret, kvp_error *reterr)
{
    KVP_CLEANUP(X509_freep) X509 *cert = X509_new();
    KVP_CLEANUP(X509_NAME_freep) X509_NAME *name = NULL;
    unsigned char *der = NULL;
    kvp_status status = kvp_x509_name_parse(profile->subject, &name, reterr);

    if (status != KVP_OK)
        return status;
    if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
        X509_set_subject_name(cert, name) != 1 || X509_set_issuer_name(cert, name) != 1 ||
        !ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now - BACKDATE_S)) ||
        !ASN1_TIME_set(X509_getm_notAfter(cert),
                       (time_t)kvp_x509_add_months(now, profile->months)) ||
        X509_set_pubkey(cert, key->pkey) != 1 || !add_extensions(cert, profile) ||
        X509_sign(cert, key->pkey, digest_for(key)) <= 0)
        return kvp_engine_failed(reterr, "making a certificate");
    int len = i2d_X509(cert, &der);
    return append_der(der, len, ret, reterr);
}
