/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous function management (PKCS#11 v3.2 §5.20). Sessions are synchronous: none is opened
 * with CKF_ASYNC_SESSION, so no function is ever performing an asynchronous operation, and no
 * identifier was ever given away.
 */
#include "cryptoki/enter.h"

CK_RV C_AsyncComplete(CK_SESSION_HANDLE handle, CK_UTF8CHAR_PTR function, CK_ASYNC_DATA_PTR result)
{
    (void)result; /* NULL for a function without output; not touched without one to complete */
    KVP_ENTER(call, "C_AsyncComplete");
    KVP_ARGUMENTS(call, function != NULL);
    KVP_SESSION(session, call, handle);
    (void)session;
    return kvp_leave(&call, CKR_OPERATION_NOT_INITIALIZED);
}

CK_RV C_AsyncGetID(CK_SESSION_HANDLE handle, CK_UTF8CHAR_PTR function, CK_ULONG_PTR id)
{
    KVP_ENTER(call, "C_AsyncGetID");
    KVP_ARGUMENTS(call, function && id);
    KVP_SESSION(session, call, handle);
    (void)session;
    return kvp_leave(&call, CKR_OPERATION_NOT_INITIALIZED);
}

CK_RV C_AsyncJoin(CK_SESSION_HANDLE handle, CK_UTF8CHAR_PTR function, CK_ULONG id, CK_BYTE_PTR data,
                  CK_ULONG data_len)
{
    (void)id;
    KVP_ENTER(call, "C_AsyncJoin");
    KVP_ARGUMENTS(call, function && (data || !data_len));
    KVP_SESSION(session, call, handle);
    (void)session;
    return kvp_leave(&call, CKR_SAVED_STATE_INVALID);
}
