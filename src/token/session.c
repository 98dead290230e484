/* SPDX-License-Identifier: MIT */
/*
 * Sessions: opening, closing, states. A session is counted: closing takes it out of the table and
 * ends what is idle in it, and a thread that is in the middle of an operation keeps it until it is
 * through. What an operation is stands in operation.h.
 */
#include "base/alloc.h"
#include "token/module.h"
#include "token/object.h"
#include "token/operation.h"

#include <stdatomic.h>

void kvp_session_ref_item(void *item)
{
    kvp_session *session = item;

    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
}

void kvp_session_unref(kvp_session *session)
{
    if (!session || atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) != 1)
        return;
    kvp_lock_clear(&session->lock);
    kvp_free(session);
}

static void count_session(kvp_slot *slot, CK_FLAGS flags, bool opened)
{
    kvp_lock_take(&slot->lock);
    if (opened)
        slot->session_count++;
    else
        slot->session_count--;
    if (flags & CKF_RW_SESSION) {
        if (opened)
            slot->rw_session_count++;
        else
            slot->rw_session_count--;
    }
    /* The application's last session with a token logs it out (PKCS#11 v3.1, C_CloseSession). */
    if (slot->session_count == 0)
        slot->logged_in = false;
    kvp_lock_give(&slot->lock);
}

CK_RV kvp_session_open(kvp_call *call, kvp_slot *slot, CK_FLAGS flags, void *application,
                       CK_NOTIFY notify, CK_SESSION_HANDLE *ret)
{
    kvp_session *session = kvp_calloc(1, sizeof(*session));
    CK_SESSION_HANDLE handle;
    kvp_status status;

    if (!session)
        return CKR_HOST_MEMORY;
    session->slot = slot;
    session->flags = flags & (CKF_RW_SESSION | CKF_SERIAL_SESSION);
    session->application = application;
    session->notify = notify;
    /* One reference for the table, one to read the handle: another thread may close it at once. */
    atomic_init(&session->refs, 2);
    status = kvp_lock_init(&session->lock, KVP_RANK_SESSION);
    if (status == KVP_OK) {
        count_session(slot, session->flags, true);
        status = kvp_handle_table_add(&call->module->sessions, session, &session->handle);
        if (status != KVP_OK)
            count_session(slot, session->flags, false);
    }
    if (status != KVP_OK)
        kvp_session_unref(session);
    handle = session->handle;
    kvp_session_unref(session);
    if (status == KVP_ERR_TOO_LARGE)
        return CKR_SESSION_COUNT;
    if (status != KVP_OK)
        return CKR_HOST_MEMORY;
    *ret = handle;
    return CKR_OK;
}

/* Takes the table's reference. What another thread is busy with ends when that thread is through. */
static void take_and_close(kvp_session *session)
{
    kvp_lock_take(&session->lock);
    session->closed = true;
    kvp_lock_give(&session->lock);
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
        kvp_operation_cancel(session, kind, KVP_ANY_OPERATION);
    kvp_object_store_session_closed(session->slot->objects, session->handle);
    count_session(session->slot, session->flags, false);
    kvp_session_unref(session);
}

CK_RV kvp_session_close(kvp_call *call, CK_SESSION_HANDLE handle)
{
    void *session = NULL;
    CK_RV rv = kvp_handle_table_remove(&call->module->sessions, handle, &session);

    if (rv == CKR_OK)
        take_and_close(session);
    return rv;
}

static bool is_of_slot(const void *item, const void *user)
{
    const kvp_session *session = item;

    return session->slot == user;
}

void kvp_session_close_matching(kvp_module *module, const kvp_slot *slot)
{
    size_t cursor = 0;
    void *session;

    while ((session = kvp_handle_table_pop(&module->sessions, &cursor, slot ? is_of_slot : NULL,
                                           slot)) != NULL)
        take_and_close(session);
}

CK_RV kvp_session_close_all(kvp_call *call, kvp_slot *slot)
{
    kvp_session_close_matching(call->module, slot);
    return CKR_OK;
}

CK_RV kvp_session_get(kvp_call *call, CK_SESSION_HANDLE handle, kvp_session **ret)
{
    void *item = NULL;
    CK_RV rv = kvp_handle_table_get(&call->module->sessions, handle, &item);

    if (rv != CKR_OK)
        return rv;
    *ret = item;
    call->slot = (*ret)->slot;
    return CKR_OK;
}

CK_STATE kvp_session_state(kvp_session *session)
{
    bool logged_in;

    kvp_lock_take(&session->slot->lock);
    logged_in = session->slot->logged_in;
    kvp_lock_give(&session->slot->lock);
    if (session->flags & CKF_RW_SESSION)
        return logged_in ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION;
    return logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
}

bool kvp_session_is_working(kvp_session *session)
{
    bool working = false;

    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
        working |= kind != KVP_OPERATION_FIND && kvp_operation_active(session, kind);
    return working;
}

CK_RV kvp_session_cancel(kvp_session *session, CK_FLAGS flags)
{
    if (flags & CKF_FIND_OBJECTS)
        kvp_operation_cancel(session, KVP_OPERATION_FIND, KVP_ANY_OPERATION);
    /* Every other operation knows the flag that names it; what was not begun is ignored. */
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
        if (kind != KVP_OPERATION_FIND)
            kvp_operation_cancel(session, kind, flags);
    return CKR_OK;
}
