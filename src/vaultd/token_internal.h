/* SPDX-License-Identifier: MIT */
/* Shared by the files of the token: the module, its sessions, its objects, errors. */
#ifndef KVP_VAULTD_TOKEN_INTERNAL_H
#define KVP_VAULTD_TOKEN_INTERNAL_H

#include "vaultd/token_hsm.h"

#include <p11-kit/pkcs11.h>

#define KVP_TOKEN_ID 16 /**< bytes of CKA_ID */

struct kvp_token_key {
    kvp_token *token;
    uint8_t id[KVP_TOKEN_ID];
    CK_OBJECT_HANDLE private_key; /**< RSA, EC */
    /** oct: a key type goes with AES or with HMAC, so that one of 256 bits is two objects of the
     * same value; CK_INVALID_HANDLE where the size is of no use. */
    CK_OBJECT_HANDLE aes_key, mac_key;
};

CK_FUNCTION_LIST *kvp_token_functions(const kvp_token *token);
/** A session, logged in, of the caller's own until kvp_token_give. */
kvp_status kvp_token_take(kvp_token *token, CK_SESSION_HANDLE *ret, kvp_error *reterr);
/** @rv: what its last call returned; a session that may be broken is closed. */
void kvp_token_give(kvp_token *token, CK_SESSION_HANDLE session, CK_RV rv);
/** KVP_ERR_CRYPTO with the name of the call and the number of @rv. */
kvp_status kvp_token_failed(kvp_error *reterr, const char *what, CK_RV rv);

/* --- token_objects.c ------------------------------------------------------------------------- */

#define KVP_TOKEN_LABEL "keyvaultd"
#define KVP_TOKEN_ATTRIBUTES 24

/** A template under construction; values are borrowed. */
typedef struct kvp_token_template {
    CK_ATTRIBUTE items[KVP_TOKEN_ATTRIBUTES];
    CK_ULONG count;
} kvp_token_template;
void kvp_token_add(kvp_token_template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);
void kvp_token_add_flag(kvp_token_template *t, CK_ATTRIBUTE_TYPE type, bool value);

/** The object of @class, of key type *@type (NULL: any) with that id; CK_INVALID_HANDLE when there
 * is none. */
CK_OBJECT_HANDLE kvp_token_find(const kvp_token *token, CK_SESSION_HANDLE session,
                                CK_OBJECT_CLASS class, const CK_KEY_TYPE *type, const uint8_t *id,
                                CK_RV *ret_rv);
/** An attribute of at most 1024 bytes, appended to @ret. */
CK_RV kvp_token_read(const kvp_token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                     CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
/** The CKA_ID in stored bytes, or NULL: they are no reference. */
const uint8_t *kvp_token_reference_id(const void *data, size_t len);

/* --- token_secret_keys.c --------------------------------------------------------------------- */

kvp_status kvp_token_import_oct(kvp_token *token, const kvp_engine_key *key,
                                kvp_engine_key **ret_key, kvp_error *reterr);
/** The engine key of a symmetric key found in the token. @rv: what the token said last. */
kvp_status kvp_token_find_oct(kvp_token *token, CK_SESSION_HANDLE session, const uint8_t *id,
                              kvp_engine_key **ret_key, CK_RV *rv, kvp_error *reterr);

/* --- token_use.c ----------------------------------------------------------------------------- */

/** A failure that is the ciphertext's, not the token's. */
bool kvp_token_blames_data(CK_RV rv);

#endif
