/* SPDX-License-Identifier: MIT */
/*
 * A module inside the test program: two tokens whose objects are written down in a table, and that
 * fails where a test wants it to.
 */
#ifndef KVP_TESTS_UNIT_TOOL_FAKE_MODULE_H
#define KVP_TESTS_UNIT_TOOL_FAKE_MODULE_H

#include "kvpkcs11/cryptoki.h"

#include <stdbool.h>

extern CK_FUNCTION_LIST fake_module;

/** What to do wrong; all CKR_OK (0) at first. */
typedef struct fake_faults {
    CK_RV slot_list, token_info, open_session, find_init, find;
    CK_RV attributes; /**< of everything but class, label, id, for the object named fault_label */
    const char *fault_label;
    bool login_required;
    int slot_changes; /**< so many times CKR_BUFFER_TOO_SMALL from C_GetSlotList */
} fake_faults;
extern fake_faults fake_fault;

/** Sessions open now: 0 after a command that closed all. */
extern int fake_sessions;

#endif
