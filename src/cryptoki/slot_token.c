/* SPDX-License-Identifier: MIT */
/*
 * Slot and token management (PKCS#11 v3.1 §5.5). Nothing here makes a request: every process of a
 * system may ask all this of every module at its start.
 */
#include "cryptoki/enter.h"
#include "token/mechanism.h"

#include <pthread.h>

CK_RV C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR list, CK_ULONG_PTR count)
{
    CK_ULONG room, found = 0;
    size_t slots;

    KVP_ENTER(call, "C_GetSlotList");
    if (!count)
        return kvp_leave(&call, CKR_ARGUMENTS_BAD);
    room = *count;
    slots = kvp_module_slot_count(call.module);
    for (size_t i = 0; i < slots; i++) {
        const kvp_slot *slot = kvp_module_slot(call.module, i);

        if (token_present && !slot->vault)
            continue;
        if (list && found < room)
            list[found] = slot->id;
        found++;
    }
    *count = found;
    return kvp_leave(&call, list && found > room ? CKR_BUFFER_TOO_SMALL : CKR_OK);
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot_id, CK_SLOT_INFO_PTR info)
{
    KVP_ENTER(call, "C_GetSlotInfo");
    KVP_ARGUMENTS(call, info != NULL);
    KVP_SLOT(slot, call, slot_id);
    kvp_slot_info(slot, info);
    return kvp_leave(&call, CKR_OK);
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot_id, CK_TOKEN_INFO_PTR info)
{
    CK_RV rv;

    KVP_ENTER(call, "C_GetTokenInfo");
    KVP_ARGUMENTS(call, info != NULL);
    KVP_SLOT(slot, call, slot_id);
    rv = kvp_slot_token_present(&call, slot);
    if (rv == CKR_OK)
        kvp_slot_token_info(slot, info);
    return kvp_leave(&call, rv);
}

/* A thread that was cancelled while it waited, as strongSwan's charon does with its own at exit. */
static void leave_cancelled(void *call)
{
    kvp_leave(call, CKR_FUNCTION_CANCELED);
}

/*
 * Slots and tokens come from the configuration and never change, so there is never an event: a call
 * that waits for one waits for C_Finalize.
 */
CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR slot_id, CK_VOID_PTR reserved)
{
    KVP_ENTER(call, "C_WaitForSlotEvent");
    KVP_ARGUMENTS(call, slot_id && !reserved);
    if (flags & CKF_DONT_BLOCK)
        return kvp_leave(&call, CKR_NO_EVENT);
    pthread_cleanup_push(leave_cancelled, &call);
    kvp_module_wait_finalized(call.module);
    pthread_cleanup_pop(0);
    return kvp_leave(&call, CKR_CRYPTOKI_NOT_INITIALIZED);
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot_id, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count)
{
    CK_RV rv;

    KVP_ENTER(call, "C_GetMechanismList");
    KVP_ARGUMENTS(call, count != NULL);
    KVP_SLOT(slot, call, slot_id);
    rv = kvp_slot_token_present(&call, slot);
    if (rv == CKR_OK)
        rv = kvp_mechanism_list(slot, list, count);
    return kvp_leave(&call, rv);
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot_id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info)
{
    CK_RV rv;

    KVP_ENTER(call, "C_GetMechanismInfo");
    KVP_ARGUMENTS(call, info != NULL);
    KVP_SLOT(slot, call, slot_id);
    rv = kvp_slot_token_present(&call, slot);
    if (rv == CKR_OK)
        rv = kvp_mechanism_info(slot, type, info);
    return kvp_leave(&call, rv);
}

/*
 * A vault is set up by its cloud's administrator, and has no PIN of its own. These three answer
 * CKR_FUNCTION_NOT_SUPPORTED, as a function does that is a stub (PKCS#11 v3.2 §5.1.6), in whatever
 * state the session is: CKR_SESSION_EXISTS, CKR_USER_NOT_LOGGED_IN, CKR_SESSION_READ_ONLY and
 * CKR_TOKEN_WRITE_PROTECTED would promise that it goes otherwise. Where several codes apply, the
 * standard lets any of them be returned (§5.1.7).
 */
CK_RV C_InitToken(CK_SLOT_ID slot_id, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len, CK_UTF8CHAR_PTR label)
{
    KVP_ENTER(call, "C_InitToken");
    KVP_ARGUMENTS(call, label && (pin || !pin_len));
    KVP_SLOT(slot, call, slot_id);
    return kvp_leave(&call, CKR_FUNCTION_NOT_SUPPORTED);
}

CK_RV C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_len)
{
    KVP_ENTER(call, "C_InitPIN");
    KVP_ARGUMENTS(call, pin || !pin_len);
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, CKR_FUNCTION_NOT_SUPPORTED);
}

CK_RV C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_len,
               CK_UTF8CHAR_PTR new_pin, CK_ULONG new_len)
{
    KVP_ENTER(call, "C_SetPIN");
    KVP_ARGUMENTS(call, (old_pin || !old_len) && (new_pin || !new_len));
    KVP_SESSION(s, call, session);
    return kvp_leave(&call, CKR_FUNCTION_NOT_SUPPORTED);
}
