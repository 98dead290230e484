/* SPDX-License-Identifier: MIT */
/*
 * Who has an operation. A session owns at most one of each kind; a thread takes one out, works on
 * it without any lock, and gives it back. What is done with it is operation_crypt.c's.
 */
#include "token/operation.h"

void kvp_operation_free(kvp_operation *operation)
{
    if (operation)
        operation->destroy(operation);
}

/* The session's operation of @kind, if it is alive. One that a thread of the parent process had in
 * hand at fork is half done and nobody's: it is left where it is, only forgotten. */
static kvp_operation *current_locked(kvp_session *session, kvp_operation_kind kind)
    KVP_REQUIRES(session->lock)
{
    kvp_operation *operation = session->operations[kind];
    if (operation && operation->busy && operation->generation != kvp_fork_generation()) {
        session->operations[kind] = NULL;
        return NULL;
    }
    return operation;
}

CK_RV kvp_operation_start(kvp_session *session, kvp_operation *operation)
{
    CK_RV rv = CKR_OK;
    kvp_lock_take(&session->lock);
    if (session->closed)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (current_locked(session, operation->kind))
        rv = CKR_OPERATION_ACTIVE;
    else
        session->operations[operation->kind] = operation;
    kvp_lock_give(&session->lock);
    if (rv != CKR_OK)
        kvp_operation_free(operation);
    return rv;
}

bool kvp_operation_active(kvp_session *session, kvp_operation_kind kind)
{
    kvp_lock_take(&session->lock);
    bool active = current_locked(session, kind) != NULL;
    kvp_lock_give(&session->lock);
    return active;
}

CK_RV kvp_operation_take(kvp_session *session, kvp_operation_kind kind, kvp_operation **ret)
{
    CK_RV rv = CKR_OK;
    kvp_lock_take(&session->lock);
    kvp_operation *operation = current_locked(session, kind);
    if (!operation) {
        rv = session->closed ? CKR_SESSION_HANDLE_INVALID : CKR_OPERATION_NOT_INITIALIZED;
    } else if (operation->busy) {
        rv = CKR_OPERATION_ACTIVE;
    } else {
        operation->busy = true;
        operation->generation = kvp_fork_generation();
        *ret = operation;
    }
    kvp_lock_give(&session->lock);
    return rv;
}

void kvp_operation_give(kvp_session *session, kvp_operation *operation, CK_RV rv, bool keep)
{
    bool goes_on = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && keep);

    kvp_lock_take(&session->lock);
    operation->busy = false;
    if (operation->doomed)
        goes_on = false;
    if (!goes_on && session->operations[operation->kind] == operation)
        session->operations[operation->kind] = NULL;
    kvp_lock_give(&session->lock);
    if (!goes_on)
        kvp_operation_free(operation);
}

bool kvp_operation_cancel(kvp_session *session, kvp_operation_kind kind, CK_FLAGS flags)
{
    kvp_lock_take(&session->lock);
    kvp_operation *operation = current_locked(session, kind);
    if (operation && operation->flag && !(operation->flag & flags))
        operation = NULL;
    else
        session->operations[kind] = NULL;
    bool busy = operation && operation->busy;
    if (busy)
        operation->doomed = true;
    kvp_lock_give(&session->lock);
    if (!busy)
        kvp_operation_free(operation);
    return operation != NULL;
}
