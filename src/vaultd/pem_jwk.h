/* SPDX-License-Identifier: MIT */
/* Private keys in files as people have them, for `key import`. */
#ifndef KVP_VAULTD_PEM_JWK_H
#define KVP_VAULTD_PEM_JWK_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>

/**
 * The JWK (RSA or EC, private members included) of the private key in @file: PEM in any form that
 * OpenSSL reads, or PKCS#8 in DER; unencrypted. KVP_ERR_PARSE: no such key in it;
 * KVP_ERR_UNSUPPORTED: a type that a vault does not hold.
 */
kvp_status kvp_pem_to_jwk(const kvp_buf *file, json_t **ret_jwk, kvp_error *reterr);

#endif
