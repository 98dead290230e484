/* SPDX-License-Identifier: MIT */
/* What the files of this room share. */
#ifndef KVP_CRYPTO_INTERNAL_H
#define KVP_CRYPTO_INTERNAL_H

#include "crypto/crypto.h"

#include <openssl/evp.h>

/** The digest, fetched once in our context and kept: borrowed. NULL if there is none. */
const EVP_MD *kvp_ossl_md(kvp_hash hash);

/** The parsed key of this process, borrowed; NULL when there is no memory or OpenSSL is gone. */
EVP_PKEY *kvp_public_key_pkey(const kvp_public_key *key);
kvp_curve kvp_public_key_curve(const kvp_public_key *key);

static inline void kvp_pkey_ctx_freep(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
    *ctx = NULL;
}

/**
 * What a failure inside OpenSSL is called: KVP_ERR_CLOSED when OpenSSL is gone, KVP_ERR_NO_MEMORY
 * when it says so, else KVP_ERR_CRYPTO. Expects the KVP_OSSL_SCOPE in which it failed.
 */
kvp_status kvp_crypto_failed(kvp_error *reterr, const char *what);
/** A signature that OpenSSL does not take: KVP_ERR_MISMATCH, unless memory ran out. Likewise. */
kvp_status kvp_crypto_mismatch(kvp_error *reterr);

#endif
