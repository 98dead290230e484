/* SPDX-License-Identifier: MIT */
/*
 * Client assertions: JSON Web Tokens that a principal signs with the key of its certificate, or
 * that another issuer signed for it (workload identity). Wire reference, section 2.3; RFC 7523 §3.
 */
#ifndef KVP_VAULTD_ASSERTION_H
#define KVP_VAULTD_ASSERTION_H

#include "vaultd/authority.h"
#include "vaultd/store.h"

#define KVP_ASSERTION_MAX 16384 /**< bytes of a JWT that is looked at */

/** An assertion to check. */
typedef struct kvp_assertion_case {
    const char *jwt;
    const char *client_id; /**< of the form; `iss` and `sub` of a principal's own assertion */
    const char *const *audiences; /**< the token endpoint's URLs, ended by NULL */
    int64_t now;                  /**< Unix seconds */
} kvp_assertion_case;

/**
 * Check @what for @principal and use it up: the `jti` of an own assertion works once; tokens of
 * another issuer work until they expire, as the file they come from is read again and again.
 * Returns KVP_OK; KVP_ERR_REFUSED with *ret_why saying what the authority answers and @detail (of
 * @size bytes) the %s of its sentence; or the store's errors.
 */
kvp_status kvp_assertion_check(kvp_store *store, const kvp_principal *principal,
                               const kvp_assertion_case *what, kvp_signin_failure *ret_why,
                               char *detail, size_t size, kvp_error *reterr);

/** Whether the keys of @credential can be read: KVP_ERR_INVALID says what is wrong. */
kvp_status kvp_assertion_check_keys(const kvp_credential *credential, kvp_error *reterr);

#endif
