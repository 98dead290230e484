/* SPDX-License-Identifier: MIT */
/*
 * X.509 certificates: what PKCS#11 asks of one, taken out once and kept as plain bytes, so that
 * nothing of OpenSSL lives on with it. Judges no certificate: signatures and validity are the
 * application's business.
 */
#ifndef KVP_CRYPTO_CERTIFICATE_H
#define KVP_CRYPTO_CERTIFICATE_H

#include "base/buf.h"
#include "base/error.h"
#include "jwk/jwk.h"

#include <stdint.h>

/** Immutable; everything DER as it stands in the certificate. */
typedef struct kvp_cert {
    kvp_buf der;
    kvp_buf subject, issuer;          /**< Name */
    kvp_buf serial;                   /**< INTEGER */
    kvp_buf spki;                     /**< SubjectPublicKeyInfo */
    kvp_buf key_id, authority_key_id; /**< of the extensions; empty where there are none */
    kvp_buf common_name;              /**< the last CN of the subject, else its last O; UTF-8 */
    int64_t not_before, not_after;    /**< Unix seconds */
    bool ca;                          /**< basicConstraints says so */
    bool self_issued;                 /**< subject and issuer are one name */
    uint8_t sha1[20];                 /**< of the whole */
    uint8_t key_sha1[20];             /**< of the subjectPublicKey's bits (RFC 5280 §4.2.1.2) */
} kvp_cert;

/** Read one certificate; bytes behind it are KVP_ERR_PARSE. Also KVP_ERR_NO_MEMORY. */
kvp_status kvp_cert_parse(const void *der, size_t len, kvp_cert **ret, kvp_error *reterr);
void kvp_cert_free(kvp_cert *cert);
KVP_DEFINE_FREEP(kvp_cert, kvp_cert_free);
/** Whether @issuer's name, and its key's identifier where @cert names one, are those in @cert. */
bool kvp_cert_names_issuer(const kvp_cert *cert, const kvp_cert *issuer);
/** Whether it is of @key, an RSA or EC key with its public numbers. No OpenSSL call: may be asked
 *  with a lock held. */
bool kvp_cert_has_key(const kvp_cert *cert, const kvp_key *key);
/** The same certificate, byte for byte. */
bool kvp_cert_equal(const kvp_cert *a, const kvp_cert *b);

/** Owned array. */
typedef struct kvp_cert_list {
    kvp_cert **items;
    size_t count, size;
} kvp_cert_list;
void kvp_cert_list_clear(kvp_cert_list *list);
/** Takes @cert (also frees it on failure). */
kvp_status kvp_cert_list_take(kvp_cert_list *list, kvp_cert *cert) KVP_WARN_UNUSED;

/**
 * Append the certificates in PEM text. Other blocks, private keys too, are passed over and wiped,
 * and so are certificates that cannot be read. KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_certs_from_pem(const void *text, size_t len, kvp_cert_list *list, kvp_error *reterr);
/** The same from a file. KVP_ERR_IO when it cannot be opened. */
kvp_status kvp_certs_from_file(const char *path, kvp_cert_list *list, kvp_error *reterr);
/**
 * Append the certificates of a PFX that has no password, DER. A private key in it is wiped.
 * KVP_ERR_PARSE when it cannot be opened.
 */
kvp_status kvp_certs_from_pfx(const void *der, size_t len, kvp_cert_list *list, kvp_error *reterr);

#endif
