/* SPDX-License-Identifier: MIT */
/*
 * The module, its slots and sessions. A configured vault is one slot with one token. Nothing here
 * makes a request.
 */
#ifndef KVP_TOKEN_SLOT_H
#define KVP_TOKEN_SLOT_H

#include "audit/audit.h"
#include "base/lock.h"
#include "config/config.h"
#include "kvpkcs11/cryptoki.h"
#include "token/call.h"
#include "vault/vault.h"

typedef struct kvp_object_store kvp_object_store;
typedef struct kvp_operation kvp_operation;

struct kvp_slot {
    CK_SLOT_ID id;                   /**< position in the configuration, from 0 */
    kvp_module *module;              /**< borrowed */
    const kvp_config_vault *config;  /**< borrowed from the module's configuration */
    kvp_vault *vault;                /**< owned; NULL and vault_error set if it could not be made */
    kvp_error vault_error;
    char serial[17];                 /**< first 16 hex digits of SHA-256 of the URL */
    kvp_object_store *objects;       /**< owned */
    kvp_lock lock;                   /**< KVP_RANK_SLOT; guards what follows */
    bool logged_in;
    CK_USER_TYPE user;
    CK_ULONG session_count, rw_session_count;
};

/* ---- module ---- */
/** C_Initialize and C_Finalize (PKCS#11 v3.1 §5.4): whole behaviour, argument checks included. */
CK_RV kvp_module_initialize(const CK_C_INITIALIZE_ARGS *args);
CK_RV kvp_module_finalize(void);
/** A reference to the initialised module, or NULL. In a forked child that has not called C_Initialize
 *  the parent's module goes on (CKF_INTERFACE_FORK_SAFE). */
kvp_module *kvp_module_ref(void);
void kvp_module_unref(kvp_module *module);
/**
 * Block until the module, which the caller holds a reference to, is finalized. A cancellation point
 * (pthreads(7)), whose cleanup is the caller's.
 */
void kvp_module_wait_finalized(kvp_module *module);
kvp_audit *kvp_module_audit(kvp_module *module);
const kvp_config *kvp_module_config(const kvp_module *module);
size_t kvp_module_slot_count(const kvp_module *module);
/** Borrowed for as long as the module is referenced; NULL for a slot that is not there. */
kvp_slot *kvp_module_slot(kvp_module *module, CK_SLOT_ID id);

/* ---- slots: PKCS#11 v3.1 §5.5; no request, true even while the vault is out of reach ---- */
/** Whether there is a token: its settings made sense. Else call->error says why not. */
CK_RV kvp_slot_token_present(kvp_call *call, const kvp_slot *slot);
void kvp_slot_info(const kvp_slot *slot, CK_SLOT_INFO *ret);
void kvp_slot_token_info(kvp_slot *slot, CK_TOKEN_INFO *ret);
/**
 * Copy @text into a field of the standard's: cut at a character's border, padded with blanks, no
 * NUL.
 */
void kvp_copy_padded(unsigned char *dst, size_t size, const char *text);
/** C_Login, C_LoginUser, C_Logout (§5.6) for a token that needs no login: states follow it. */
CK_RV kvp_slot_login(kvp_slot *slot, kvp_session *session, CK_USER_TYPE user);
CK_RV kvp_slot_logout(kvp_slot *slot);

/* ---- sessions ---- */
/** Operations that a session can have at once (PKCS#11 v3.1 §5.1.3: one of each kind). */
typedef enum kvp_operation_kind {
    KVP_OPERATION_FIND,
    KVP_OPERATION_ENCRYPT,
    KVP_OPERATION_DECRYPT,
    KVP_OPERATION_DIGEST,
    KVP_OPERATION_SIGN,
    KVP_OPERATION_SIGN_RECOVER,
    KVP_OPERATION_VERIFY,
    KVP_OPERATION_VERIFY_RECOVER,
    KVP_OPERATION_COUNT
} kvp_operation_kind;

struct kvp_session {
    CK_SESSION_HANDLE handle;
    kvp_slot *slot;                  /**< borrowed */
    CK_FLAGS flags;                  /**< CKF_RW_SESSION, CKF_SERIAL_SESSION */
    CK_NOTIFY notify;
    void *application;
    _Atomic unsigned refs;
    kvp_lock lock;                   /**< KVP_RANK_SESSION; guards what follows; not across I/O */
    bool closed;
    kvp_operation *operations[KVP_OPERATION_COUNT]; /**< owned */
};

CK_RV kvp_session_open(kvp_call *call, kvp_slot *slot, CK_FLAGS flags, void *application,
                       CK_NOTIFY notify, CK_SESSION_HANDLE *ret);
/** Ends its operations, destroys its session objects. */
CK_RV kvp_session_close(kvp_call *call, CK_SESSION_HANDLE handle);
CK_RV kvp_session_close_all(kvp_call *call, kvp_slot *slot);
/** A reference, and call->slot set; CKR_SESSION_HANDLE_INVALID. */
CK_RV kvp_session_get(kvp_call *call, CK_SESSION_HANDLE handle, kvp_session **ret);
void kvp_session_unref(kvp_session *session);
static inline void kvp_session_unrefp(kvp_session **p)
{
    kvp_session_unref(*p);
    *p = NULL;
}
CK_STATE kvp_session_state(kvp_session *session);
/**
 * Whether an operation other than a search is going on: C_GetOperationState, context-specific
 * login.
 */
bool kvp_session_is_working(kvp_session *session);
/** C_SessionCancel: end the operations that @flags (CKF_SIGN, CKF_FIND_OBJECTS …) name. */
CK_RV kvp_session_cancel(kvp_session *session, CK_FLAGS flags);

#endif
