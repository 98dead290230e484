/* SPDX-License-Identifier: MIT */
/* Making session objects: for the object files of this room. */
#ifndef KVP_TOKEN_CREATE_H
#define KVP_TOKEN_CREATE_H

#include "token/attribute_table.h"
#include "token/record.h"
#include "token/slot.h"
#include "token/template.h"

/** Where a new session object comes from: decides what its template may say and what is true of it.
 */
typedef enum kvp_origin {
    KVP_ORIGIN_CREATED,   /**< C_CreateObject: the template has the value */
    KVP_ORIGIN_GENERATED, /**< C_GenerateKey */
    KVP_ORIGIN_UNWRAPPED, /**< C_UnwrapKey, C_DeriveKey */
} kvp_origin;

/**
 * A session object of class @cls with @set (taken: emptied) and, for a public key, @key, for a
 * certificate, @cert (both taken).
 * CKR_SESSION_HANDLE_INVALID when the session has been closed meanwhile.
 */
CK_RV kvp_session_object_new(kvp_session *session, CK_OBJECT_CLASS cls, kvp_attribute_set *set,
                             kvp_key *key, kvp_cert *cert, CK_OBJECT_HANDLE *ret);

/**
 * The token's profile objects (PKCS#11 v3.1 §4.14, PKCS#11 Profiles v3.2 §5): they live as long as
 * the store. KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_profiles_new(kvp_object_store *store);

/**
 * A session secret key with @value. @mechanism is that of generation, CK_UNAVAILABLE_INFORMATION
 * for other origins. The template was checked by kvp_template_check for KVP_IS_SECRET.
 */
CK_RV kvp_session_secret_new(kvp_session *session, kvp_origin origin, CK_MECHANISM_TYPE mechanism,
                             CK_KEY_TYPE key_type, const void *value, size_t len,
                             const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret);

/** A session public key with the numbers of @key (copied). */
CK_RV kvp_session_public_new(kvp_session *session, const kvp_key *key, const CK_ATTRIBUTE *attrs,
                             CK_ULONG count, CK_OBJECT_HANDLE *ret);

/* ---- keys in the vault (new_key.c) ---- */

/** May this session make a token object (@token), by the standard's order of checks? */
CK_RV kvp_new_check_session(kvp_session *session, bool token);

/** Sends the request that makes the key of draft->name. */
typedef kvp_status (*kvp_key_sender)(kvp_call *call, kvp_vault *vault, void *plan, kvp_key **ret);
/**
 * Have the vault make or take in the key of @draft, unless a key has its name: CKR of `KeyExists`.
 * @free_name: the application has not asked for the name, so another is taken then. @ret is pinned.
 */
CK_RV kvp_new_key(kvp_call *call, kvp_session *session, kvp_key *draft, bool free_name,
                  kvp_key_sender send, void *plan, kvp_record **ret);
/** The handle of the record's object of @cls. */
CK_RV kvp_new_handle(kvp_record *record, CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *ret);

/** C_CreateObject with CKA_TOKEN = TRUE for a key (import_key.c); the template was checked. */
CK_RV kvp_token_key_create(kvp_call *call, kvp_session *session, unsigned kind, CK_KEY_TYPE type,
                           kvp_template t, CK_OBJECT_HANDLE *ret);

/* ---- certificates and data in the vault ---- */
/** The template was checked (create_certificate.c, create_data.c). */
CK_RV kvp_token_certificate_create(kvp_call *call, kvp_session *session, kvp_template t,
                                   CK_OBJECT_HANDLE *ret);
CK_RV kvp_token_data_create(kvp_call *call, kvp_session *session, kvp_template t,
                            CK_OBJECT_HANDLE *ret);
/** The certificate that a template holds, X.509 and of the subject that it says. */
CK_RV kvp_template_certificate(kvp_template t, kvp_cert **ret);
/** What a secret's value must be for these bytes: themselves (@ret_plain), or base64 of them. */
CK_RV kvp_data_encode(const void *data, size_t len, kvp_buf *ret_text, bool *ret_plain);

/* ---- changes (change_entry.c) ---- */
/** C_SetAttributeValue for a loaded object of the vault, seen as @now; the template was checked. */
CK_RV kvp_entry_change(kvp_call *call, kvp_object *object, const kvp_view *now, kvp_template t);

/**
 * CKR_TOKEN_WRITE_PROTECTED, which has the higher priority (PKCS#11 v3.2 §5.1.6),
 * CKR_SESSION_READ_ONLY or CKR_OK: may this session change the token?
 */
CK_RV kvp_session_may_write(const kvp_session *session);

#endif
