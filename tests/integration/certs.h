/* SPDX-License-Identifier: MIT */
/*
 * Certificates of the tests' own making, on OpenSSL's side, and how they come into keyvaultd; and
 * the module under other settings than those that keyvaultd wrote for it.
 */
#ifndef KVP_TESTS_INTEGRATION_CERTS_H
#define KVP_TESTS_INTEGRATION_CERTS_H

#include "support/keyvaultd.h"
#include "support/module.h"

#include <openssl/x509.h>

/** A certificate with its key, made once; ends the program if that fails. */
typedef struct cert {
    EVP_PKEY *pkey;
    X509 *x509;
} cert;
/** An EC certificate of `CN=@name`, signed by @issuer, or by itself if that is NULL. */
cert cert_make(const char *name, const cert *issuer, bool ca);
/** The same of a key, taken; a public one where there is an @issuer. */
cert cert_of(EVP_PKEY *take_pkey, const char *name, const cert *issuer, bool ca);

/** DER that lives until the next call but three. */
typedef struct der {
    const unsigned char *data;
    size_t len;
} der;
der cert_der(const cert *c);
der cert_name_der(const X509_NAME *name);
der cert_serial_der(const cert *c);
der cert_spki_der(const cert *c);

/**
 * Import @leaf with its key and @chain (ended by NULL) as a certificate of that name, the secret
 * behind it in PEM or as a PFX. Ends the program on failure.
 */
void cert_import(const char *name, const cert *leaf, const cert *const *chain, bool exportable,
                 bool pem);
/** Store @c as a secret that this module takes for a certificate, with this CKA_LABEL. */
void cert_store_as_secret(const char *name, const char *label, const cert *c);
/** Set a secret. */
void secret_set(const char *name, const char *value, const char *content_type, json_t *take_tags);
/** A REST call that must succeed; @body JSON text or NULL. */
void rest(const char *method, const char *path, const char *body);

/** Restart the module with these lines added to the vault's section, "" for none, and mark. */
void module_configure(const char *lines);

/** Search; the handles in found[]. */
extern CK_OBJECT_HANDLE found[512];
CK_ULONG find(CK_ATTRIBUTE *attrs, CK_ULONG count);
CK_ULONG find_class(CK_OBJECT_CLASS cls);
/** Objects of a class with this value of one attribute. */
CK_ULONG find_by(CK_OBJECT_CLASS cls, CK_ATTRIBUTE_TYPE type, const void *data, size_t len);
/** An attribute's value in @ret; its length. */
size_t attribute_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *ret, size_t size);
CK_ULONG number_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
void assert_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, const void *data,
                      size_t len);

/** Requests since requests_mark: all (NULL), or of one operation. */
void requests_mark(void);
size_t requests_since(const char *operation);
#define assert_requests(operation, expected)                                                       \
    ck_assert_msg(requests_since(operation) == (size_t)(expected), "%zu of %s, not %d",            \
                  requests_since(operation), (operation) ? (const char *)(operation) : "all",      \
                  (int)(expected))

#endif
