/* SPDX-License-Identifier: MIT */
/* Shared by the two files of assertions. */
#ifndef KVP_VAULTD_ASSERTION_INTERNAL_H
#define KVP_VAULTD_ASSERTION_INTERNAL_H

#include "base/cleanup.h"

#include <openssl/evp.h>

KVP_DEFINE_FREEP(EVP_PKEY, EVP_PKEY_free);

/**
 * The public key of the PEM certificate @pem if it is the one that the thumbprints name (`x5t`,
 * SHA-1, and `x5t#S256`, "" = absent; one at least must be there, and all that are must fit) and is
 * valid now; else NULL.
 */
EVP_PKEY *kvp_assertion_certificate_key(const char *pem, const char *x5t, const char *x5t_s256);

/**
 * A public key of @type (EVP_PKEY_RSA, EVP_PKEY_EC) out of @keys, a JWKS or PEM text. A JWKS with
 * more than one goes by @kid ("" = absent: the first of that type). NULL if there is none.
 */
EVP_PKEY *kvp_assertion_issuer_key(const char *keys, const char *kid, int type);

#endif
