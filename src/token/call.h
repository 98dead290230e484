/* SPDX-License-Identifier: MIT */
/*
 * One call of the application, from entry to return. The face makes it on its stack; the token room
 * writes into it what the audit record and the diagnostics line need; the face reads it once, at
 * the end. It also carries the failure that a lower room reported, which one table turns into a
 * CK_RV.
 */
#ifndef KVP_TOKEN_CALL_H
#define KVP_TOKEN_CALL_H

#include "base/error.h"
#include "kvpkcs11/cryptoki.h"
#include "vault/vault.h"

typedef struct kvp_module kvp_module;
typedef struct kvp_slot kvp_slot;
typedef struct kvp_session kvp_session;

/** What kind of thing was asked of the vault: the same HTTP status means another CK_RV for each. */
typedef enum kvp_call_kind {
    KVP_CALL_KEY,    /**< use of a key: sign, decrypt, wrap … */
    KVP_CALL_OBJECT, /**< reading, finding, changing, deleting an object */
    KVP_CALL_CREATE, /**< making or importing an object */
    KVP_CALL_TOKEN,  /**< the token as a whole: random, list */
    KVP_CALL_KIND_COUNT
} kvp_call_kind;

typedef struct kvp_call {
    kvp_module *module;         /**< referenced for the length of the call */
    const char *function;       /**< `C_Sign` */
    const char *operation;      /**< `Sign`: a key, certificate or secret is touched; NULL: no record */
    bool has_mechanism;
    CK_MECHANISM_TYPE mechanism;
    const kvp_slot *slot;       /**< borrowed, NULL while unknown */
    kvp_session *session;       /**< referenced until kvp_leave, NULL if the call has none */
    char object_id[256];        /**< Key Vault identifier with version where known */
    bool remote;                /**< a request was needed: `where` is vault, not local */
    kvp_error error;            /**< of the room below, when one failed */
    kvp_call_kind kind;
    char note[256];             /**< worth a line in the log though nothing failed; "" for none */
    kvp_trace trace;
    int64_t start_us, start_wall_us;
} kvp_call;

/**
 * The CK_RV for call->error in a call of @kind, by error_table.c. Marks the kind for the
 * diagnostics line. Never CKR_OK.
 */
CK_RV kvp_call_fail(kvp_call *call, kvp_call_kind kind);

/** One row of the table: the first that fits decides; http_status 0 and code NULL fit anything. */
typedef struct kvp_error_row {
    kvp_status status;
    int http_status;
    const char *code;       /**< error.code, or with a leading "+" error.innererror.code */
    int kind;               /**< kvp_call_kind, or -1 for all */
    CK_RV rv;
    const char *advice;     /**< what the user can do about it: one sentence */
} kvp_error_row;
extern const kvp_error_row kvp_error_rows[]; /**< ended by a row with status KVP_OK */
const kvp_error_row *kvp_error_row_find(const kvp_error *error, kvp_call_kind kind);

/**
 * `CKR_OK`, `CKM_ECDSA`, `CKA_LABEL`, `CKO_DATA`: name of a constant, or "0x…" in a static thread-
 * local buffer.
 */
const char *kvp_ckr_name(CK_RV rv);
const char *kvp_ckm_name(CK_MECHANISM_TYPE type);
const char *kvp_cka_name(CK_ATTRIBUTE_TYPE type);
const char *kvp_cko_name(CK_OBJECT_CLASS object_class);

#endif
