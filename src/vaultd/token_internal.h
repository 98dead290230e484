/* SPDX-License-Identifier: MIT */
/* Shared by the files of the token: the module, its sessions, errors. */
#ifndef KVP_VAULTD_TOKEN_INTERNAL_H
#define KVP_VAULTD_TOKEN_INTERNAL_H

#include "vaultd/token_hsm.h"

#include <p11-kit/pkcs11.h>

#define KVP_TOKEN_ID 16 /**< bytes of CKA_ID */

struct kvp_token_key {
    kvp_token *token;
    uint8_t id[KVP_TOKEN_ID];
    CK_OBJECT_HANDLE private_key;
};

CK_FUNCTION_LIST *kvp_token_functions(const kvp_token *token);
/** A session, logged in, of the caller's own until kvp_token_give. */
kvp_status kvp_token_take(kvp_token *token, CK_SESSION_HANDLE *ret, kvp_error *reterr);
/** @rv: what its last call returned; a session that may be broken is closed. */
void kvp_token_give(kvp_token *token, CK_SESSION_HANDLE session, CK_RV rv);
/** KVP_ERR_CRYPTO with the name of the call and the number of @rv. */
kvp_status kvp_token_failed(kvp_error *reterr, const char *what, CK_RV rv);

#endif
