/* SPDX-License-Identifier: MIT */
/* Session management (PKCS#11 v3.1 §5.6). */
#include "cryptoki/enter.h"
#include "token/operation.h"

CK_RV C_OpenSession(CK_SLOT_ID slot_id, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                    CK_SESSION_HANDLE_PTR session)
{
    CK_RV rv;

    KVP_ENTER(call, "C_OpenSession");
    KVP_ARGUMENTS(call, session != NULL);
    KVP_SLOT(slot, call, slot_id);
    if (!(flags & CKF_SERIAL_SESSION))
        return kvp_leave(&call, CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    if (flags & CKF_ASYNC_SESSION)
        return kvp_leave(&call, CKR_SESSION_ASYNC_NOT_SUPPORTED);
    rv = kvp_slot_token_present(&call, slot);
    /*
     * A read/write session is granted on a write-protected token too: OpenSSH 9.2 and Java open no
     * other kind. What would write is refused when it is tried.
     */
    if (rv == CKR_OK)
        rv = kvp_session_open(&call, slot, flags, application, notify, session);
    return kvp_leave(&call, rv);
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session)
{
    KVP_ENTER(call, "C_CloseSession");
    return kvp_leave(&call, kvp_session_close(&call, session));
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot_id)
{
    KVP_ENTER(call, "C_CloseAllSessions");
    KVP_SLOT(slot, call, slot_id);
    return kvp_leave(&call, kvp_session_close_all(&call, slot));
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info)
{
    KVP_ENTER(call, "C_GetSessionInfo");
    KVP_ARGUMENTS(call, info != NULL);
    KVP_SESSION(s, call, session);
    info->slotID = s->slot->id;
    info->state = kvp_session_state(s);
    info->flags = s->flags;
    info->ulDeviceError = 0;
    return kvp_leave(&call, CKR_OK);
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE session, CK_FLAGS flags)
{
    KVP_ENTER(call, "C_SessionCancel");
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_session_cancel(s, flags));
}

CK_RV C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR state_len)
{
    KVP_ENTER(call, "C_GetOperationState");
    KVP_ARGUMENTS(call, state_len != NULL);
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_state_save(&call, s, state, state_len));
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG state_len,
                          CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
    KVP_ENTER(call, "C_SetOperationState");
    KVP_ARGUMENTS(call, state != NULL);
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_state_restore(&call, s, state, state_len,
                                              encryption_key != CK_INVALID_HANDLE ||
                                                  authentication_key != CK_INVALID_HANDLE));
}

CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE type, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    KVP_ENTER(call, "C_Login");
    KVP_ARGUMENTS(call, pin || !pin_len);
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_slot_login(s->slot, s, type));
}

CK_RV C_LoginUser(CK_SESSION_HANDLE session, CK_USER_TYPE type, CK_UTF8CHAR_PTR pin,
                  CK_ULONG pin_len, CK_UTF8CHAR_PTR user, CK_ULONG user_len)
{
    KVP_ENTER(call, "C_LoginUser");
    KVP_ARGUMENTS(call, (pin || !pin_len) && (user || !user_len));
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_slot_login(s->slot, s, type));
}

CK_RV C_Logout(CK_SESSION_HANDLE session)
{
    KVP_ENTER(call, "C_Logout");
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, kvp_slot_logout(s->slot));
}

/* No validation of this module is claimed, so no operation ever met the rules of one (§4.15.3.1).
 */
CK_RV C_GetSessionValidationFlags(CK_SESSION_HANDLE session, CK_SESSION_VALIDATION_FLAGS_TYPE type,
                                  CK_FLAGS_PTR flags)
{
    KVP_ENTER(call, "C_GetSessionValidationFlags");
    KVP_ARGUMENTS(call, flags && type == CKS_LAST_VALIDATION_OK);
    KVP_SESSION(s, call, session);
    (void)s;
    *flags = 0;
    return kvp_leave(&call, CKR_OK);
}
