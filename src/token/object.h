/* SPDX-License-Identifier: MIT */
/*
 * Objects: what a template describes and a handle names. Token objects stand for keys, certificates
 * and secrets of the vault; session objects live in memory. An object is reference-counted
 * and, once its document is loaded, immutable: a thread that holds a reference may read it without
 * a lock.
 *
 * A token object's handle is pinned to the version that was read with it; the same object (name,
 * version, class) always has the same handle in a process. A rotation is a new object.
 */
#ifndef KVP_TOKEN_OBJECT_H
#define KVP_TOKEN_OBJECT_H

#include "crypto/crypto.h"
#include "kvpkcs11/cryptoki.h"
#include "token/slot.h"

typedef struct kvp_object kvp_object;

kvp_object_store *kvp_object_store_new(kvp_slot *slot);
void kvp_object_store_free(kvp_object_store *store);
/** Destroy the session objects that @session made (it is being closed). */
void kvp_object_store_session_closed(kvp_object_store *store, CK_SESSION_HANDLE session);

/** C_Logout: private session objects end, whatever session made them (PKCS#11 v3.1, C_Logout). */
void kvp_object_store_logged_out(kvp_object_store *store);

/**
 * C_Initialize in a forked child: session objects go; what is known of the vault stays and is
 * believed for a little longer, so that a worker finds the key its parent found without a request.
 */
void kvp_object_store_restart(kvp_object_store *store);

/** A reference to the object that @handle names for @session, or CKR_OBJECT_HANDLE_INVALID. */
CK_RV kvp_object_get(kvp_session *session, CK_OBJECT_HANDLE handle, kvp_object **ret);
void kvp_object_unref(kvp_object *object);
static inline void kvp_object_unrefp(kvp_object **p)
{
    kvp_object_unref(*p);
    *p = NULL;
}

/* ---- what operations need of a key ---- */
CK_OBJECT_CLASS kvp_object_class(const kvp_object *object);
bool kvp_object_is_token(const kvp_object *object);
/**
 * Make sure that the document is there: one GET for an object that was only listed so far (with a
 * read-ahead of its neighbours), nothing otherwise: nor for a data object, whose value is read only
 * when it is asked for. Fills call (trace, remote, object_id).
 */
CK_RV kvp_object_load(kvp_call *call, kvp_object *object);
/** Valid after kvp_object_load: CKK_RSA, CKK_EC, CKK_AES, CKK_GENERIC_SECRET…;
 * CK_UNAVAILABLE_INFORMATION for no key. */
CK_KEY_TYPE kvp_object_key_type(const kvp_object *object);
/** Modulus bits, curve bits, or 8 * value length. */
CK_ULONG kvp_object_key_bits(const kvp_object *object);
/** Borrowed bundle of a token key (name and version to use in requests); NULL for session objects.
 * After load. */
const kvp_key *kvp_object_vault_key(const kvp_object *object);
/** Borrowed parsed public key, made at first use and kept; call->error filled on failure. After
 * load. */
CK_RV kvp_object_public_key(kvp_call *call, kvp_object *object, const kvp_public_key **ret);
/** Curve of an EC key; KVP_CURVE_NONE otherwise. After load. */
kvp_curve kvp_object_curve(const kvp_object *object);
/** Borrowed value of a session secret key (a secret buffer), NULL if it has none. */
const kvp_buf *kvp_object_secret_value(const kvp_object *object);
/** Whether boolean attribute @usage (CKA_SIGN, CKA_DECRYPT …) is TRUE. After load. */
bool kvp_object_allows(const kvp_object *object, CK_ATTRIBUTE_TYPE usage);
/** Whether the CKA_ALLOWED_MECHANISMS that a session key was given has this one; TRUE without. */
bool kvp_object_takes_mechanism(const kvp_object *object, CK_MECHANISM_TYPE type);

/* ---- the face's object functions (PKCS#11 v3.1 §5.7), session already looked up ---- */
CK_RV kvp_object_create(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                        CK_ULONG count, CK_OBJECT_HANDLE *ret);
CK_RV kvp_object_copy(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                      const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret);
CK_RV kvp_object_destroy(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle);
CK_RV kvp_object_size(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle, CK_ULONG *ret);
CK_RV kvp_object_get_attributes(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                                CK_ATTRIBUTE *attrs, CK_ULONG count);
CK_RV kvp_object_set_attributes(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE handle,
                                const CK_ATTRIBUTE *attrs, CK_ULONG count);

/* Searching: results are stable from init to final. */
CK_RV kvp_find_init(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                    CK_ULONG count);
CK_RV kvp_find_next(kvp_call *call, kvp_session *session, CK_OBJECT_HANDLE *ret, CK_ULONG max,
                    CK_ULONG *ret_count);
CK_RV kvp_find_final(kvp_call *call, kvp_session *session);

/* Key generation (§5.18): the face has checked pointers and looked the session up. */
CK_RV kvp_generate_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                       const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret);
CK_RV kvp_generate_key_pair(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                            const CK_ATTRIBUTE *public_attrs, CK_ULONG public_count,
                            const CK_ATTRIBUTE *private_attrs, CK_ULONG private_count,
                            CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);

/**
 * A session secret key with @value (C_UnwrapKey, C_DeriveKey results); the template's rules are
 * applied. Borrowed inputs.
 */
CK_RV kvp_object_create_secret(kvp_call *call, kvp_session *session, const void *value, size_t len,
                               const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret);

#endif
