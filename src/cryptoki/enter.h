/* SPDX-License-Identifier: MIT */
/*
 * What every C_ function does first and last.
 *
 *     CK_RV C_Sign(CK_SESSION_HANDLE session, …)
 *     {
 *         KVP_ENTER(call, "C_Sign");
 *         KVP_SESSION(s, call, session);
 *         if (!data && data_len)
 *             return kvp_leave(&call, CKR_ARGUMENTS_BAD);
 *         return kvp_leave(&call, kvp_crypt_once(&call, s, …));
 *     }
 *
 * Between the two, call.module is referenced, and so is the session, if one was looked up.
 */
#ifndef KVP_CRYPTOKI_ENTER_H
#define KVP_CRYPTOKI_ENTER_H

#include "token/call.h"
#include "token/slot.h"

/**
 * Begin a call. CKR_CRYPTOKI_NOT_INITIALIZED; CKR_FUNCTION_FAILED when this thread is inside one of
 * our functions already (a host's OpenSSL that is configured to use this module, entered from our
 * own network call). On failure @call needs no kvp_leave.
 */
CK_RV kvp_enter(kvp_call *call, const char *function);

/**
 * End a call: trace line, audit record (where call->operation is set), one diagnostics line for a
 * failure that involved the vault or the configuration; lets go of session and module. Returns @rv.
 */
CK_RV kvp_leave(kvp_call *call, CK_RV rv);

/**
 * For C_Initialize, which has no module to refer to: mark the thread as inside, or
 * CKR_FUNCTION_FAILED.
 */
CK_RV kvp_enter_thread(void);
void kvp_leave_thread(void);

/** Declare `kvp_call call` and begin; returns from the function on failure. */
#define KVP_ENTER(call, function)                                                                  \
    kvp_call call;                                                                                 \
    do {                                                                                           \
        CK_RV kvp_enter_rv_ = kvp_enter(&call, (function));                                        \
        if (kvp_enter_rv_ != CKR_OK)                                                               \
            return kvp_enter_rv_;                                                                  \
    } while (0)

/**
 * Leave with CKR_ARGUMENTS_BAD unless @good: pointers come before the handles. That order is ours;
 * PKCS#11 v3.2 §5.1.7 names the session first where both are bad. Not for the functions of an
 * operation, which bad arguments end: there the token room decides.
 */
#define KVP_ARGUMENTS(call, good)                                                                  \
    do {                                                                                           \
        if (!(good))                                                                               \
            return kvp_leave(&call, CKR_ARGUMENTS_BAD);                                            \
    } while (0)

/**
 * Declare `kvp_session *var` and look @handle up; leaves and returns on failure. Borrowed from the
 * call.
 */
#define KVP_SESSION(var, call, handle)                                                             \
    kvp_session *var = NULL;                                                                       \
    do {                                                                                           \
        CK_RV kvp_session_rv_ = kvp_session_get(&call, (handle), &var);                            \
        if (kvp_session_rv_ != CKR_OK)                                                             \
            return kvp_leave(&call, kvp_session_rv_);                                              \
        call.session = var;                                                                        \
    } while (0)

/**
 * Declare `kvp_session *var` for a function of an operation: NULL where @handle names none. The
 * token room answers then, since bad arguments come before a bad handle there too.
 */
#define KVP_SESSION_OF_OPERATION(var, call, handle)                                                \
    kvp_session *var = NULL;                                                                       \
    if (kvp_session_get(&call, (handle), &var) == CKR_OK)                                          \
        call.session = var

/** Declare `kvp_slot *var` and look @id up; leaves with CKR_SLOT_ID_INVALID if there is none. */
#define KVP_SLOT(var, call, id)                                                                    \
    kvp_slot *var = kvp_module_slot(call.module, (id));                                            \
    do {                                                                                           \
        if (!var)                                                                                  \
            return kvp_leave(&call, CKR_SLOT_ID_INVALID);                                          \
        call.slot = var;                                                                           \
    } while (0)

#endif
