/* SPDX-License-Identifier: MIT */
/*
 * X.509 by OpenSSL: requests and self-signed certificates made, certificates read, PFX and PEM read
 * and written. Knows neither JSON nor HTTP nor storage. Everything may be called from any thread.
 * What comes in is checked here: KVP_ERR_INVALID carries a sentence for the caller.
 */
#ifndef KVP_VAULTD_X509_H
#define KVP_VAULTD_X509_H

#include "vaultd/engine.h"

#define KVP_X509_TYPE_PFX "application/x-pkcs12"
#define KVP_X509_TYPE_PEM "application/x-pem-file"

#define KVP_X509_NAMES_MAX 100 /**< alternative names of a certificate */
#define KVP_X509_EKUS_MAX 50
#define KVP_X509_CHAIN_MAX 32 /**< certificates of a PFX, PEM or merge */
#define KVP_X509_MONTHS_MAX 1200

typedef enum kvp_x509_san_kind {
    KVP_X509_SAN_EMAIL,
    KVP_X509_SAN_DNS,
    KVP_X509_SAN_UPN,
    KVP_X509_SAN_URI,
    KVP_X509_SAN_IP,
    KVP_X509_SAN_KIND_COUNT
} kvp_x509_san_kind;
/** Members of `sans` in the order of answers: `emails`, `dns_names`, `upns`, `uris`, `ipAddresses`.
 */
extern const char *const kvp_x509_san_names[KVP_X509_SAN_KIND_COUNT];

/** A row a key usage, in the order in which the service names them. */
typedef struct kvp_x509_usage {
    const char *name; /**< `digitalSignature` */
    int bit;          /**< in the BIT STRING of RFC 5280 §4.2.1.3 */
    const char
        *ops; /**< what a key with it may be used for, separated by blanks; "" if nothing here */
} kvp_x509_usage;
#define KVP_X509_USAGE_COUNT 9
extern const kvp_x509_usage kvp_x509_usages[KVP_X509_USAGE_COUNT];

/** What a certificate is to be like. Strings are borrowed. */
typedef struct kvp_x509_profile {
    const char *subject; /**< `CN=x, O=y`, most specific first */
    struct {
        kvp_x509_san_kind kind;
        const char *value;
    } sans[KVP_X509_NAMES_MAX];
    size_t san_count;
    const char *ekus[KVP_X509_EKUS_MAX];
    size_t eku_count;
    bool usages[KVP_X509_USAGE_COUNT];
    bool ca;
    unsigned months;
} kvp_x509_profile;

/** Whether requests and certificates can be made of it: names, addresses and OIDs well-formed. */
kvp_status kvp_x509_check(const kvp_x509_profile *profile, kvp_error *reterr);
/** A PKCS#10 request signed with @key, DER appended to @ret. */
kvp_status kvp_x509_request(const kvp_x509_profile *profile, const kvp_engine_key *key,
                            kvp_buf *ret, kvp_error *reterr);
/** A certificate for @key signed by itself, valid from ten minutes before @now, DER appended to
 * @ret. */
kvp_status kvp_x509_self_sign(const kvp_x509_profile *profile, const kvp_engine_key *key,
                              int64_t now, kvp_buf *ret, kvp_error *reterr);
/** @now and @months of the calendar later. */
int64_t kvp_x509_add_months(int64_t now, unsigned months);

/** What a certificate says. */
typedef struct kvp_x509_facts {
    int64_t not_before, expires;
    char sha1[28];           /**< base64url of the fingerprint, `x5t` */
    char serial[64];         /**< upper-case hex */
    kvp_buf subject, issuer; /**< most specific first, as the service writes them */
    struct {
        kvp_x509_san_kind kind;
        char *value; /**< owned */
    } sans[KVP_X509_NAMES_MAX];
    size_t san_count;
    char *ekus[KVP_X509_EKUS_MAX]; /**< owned; dotted */
    size_t eku_count;
    bool has_usages;
    bool usages[KVP_X509_USAGE_COUNT];
    bool ca;
    unsigned months; /**< of validity, begun ones count */
} kvp_x509_facts;
void kvp_x509_facts_clear(kvp_x509_facts *facts);
/** Read a DER certificate. KVP_ERR_INVALID. */
kvp_status kvp_x509_read(const void *der, size_t len, kvp_x509_facts *ret, kvp_error *reterr);
/** Whether the certificate's public key is @key's. False also for what cannot be read. */
bool kvp_x509_matches(const void *der, size_t len, const kvp_engine_key *key);

/** A key with its certificates. */
typedef struct kvp_x509_bundle {
    kvp_engine_key *key;               /**< NULL: certificates only */
    kvp_buf certs[KVP_X509_CHAIN_MAX]; /**< DER; the leaf first */
    size_t count;
} kvp_x509_bundle;
void kvp_x509_bundle_clear(kvp_x509_bundle *bundle);

/**
 * Read an import: PEM text, base64 of PEM text, or base64 of a PFX with @password ("" or NULL if
 * none). The leaf, the certificate that fits the key, comes first; the others follow in the order
 * of issuing, or as they came if @preserve. *ret_pem says which form it was.
 */
kvp_status kvp_x509_import(const char *text, size_t len, const char *password, bool preserve,
                           kvp_x509_bundle *ret, bool *ret_pem, kvp_error *reterr);
/** Leaf first, then issuer by issuer, as far as the names lead. */
void kvp_x509_sort(kvp_x509_bundle *bundle);
/** The text of a secret: base64 of a PFX without password, or PEM; without the key unless
 * @with_key. */
kvp_status kvp_x509_export(const kvp_x509_bundle *bundle, bool pem, bool with_key, kvp_buf *ret,
                           kvp_error *reterr);
/** base64 of a PFX without password into PEM. */
kvp_status kvp_x509_pfx_to_pem(const char *text, size_t len, kvp_buf *ret, kvp_error *reterr);

/** Ordinary base64 (RFC 4648 §4); decoding skips white space and is strict otherwise.
 * KVP_ERR_PARSE. */
kvp_status kvp_x509_base64(const void *data, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;
kvp_status kvp_x509_unbase64(const char *text, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;

struct X509_name_st;
/** x509_name.c: the text form of names. *ret_name is the caller's (X509_NAME_free). */
kvp_status kvp_x509_name_parse(const char *text, struct X509_name_st **ret_name, kvp_error *reterr);
kvp_status kvp_x509_name_write(const struct X509_name_st *name, kvp_buf *ret);

#endif
