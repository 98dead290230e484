/* SPDX-License-Identifier: MIT */
/*
 * The built module, entered as an application enters it: dlopen, C_GetFunctionList, C_GetInterface.
 * $KVPKCS11_MODULE names another one.
 */
#ifndef KVP_TESTS_SUPPORT_MODULE_H
#define KVP_TESTS_SUPPORT_MODULE_H

#include "kvpkcs11/cryptoki.h"
#include "token/call.h"

#include <check.h>

/** The lists, set by module_load. */
extern CK_FUNCTION_LIST *p11;
extern CK_FUNCTION_LIST_3_2 *p11_3;
extern CK_C_GetFunctionList p11_get_function_list;
extern CK_C_GetInterface p11_get_interface;
extern CK_C_GetInterfaceList p11_get_interface_list;

/** Open the module once; ends the program with a message if it cannot be. */
void module_load(void);
/** Path of the module. */
const char *module_path(void);

/** Both sides by name: `assert_rv(CKR_OK, p11->C_Finalize(NULL))`. */
#define assert_rv(expected, expression)                                                            \
    do {                                                                                           \
        CK_RV assert_want_ = (expected), assert_got_ = (expression);                               \
        char assert_name_[64];                                                                     \
        snprintf(assert_name_, sizeof(assert_name_), "%s", kvp_ckr_name(assert_got_));             \
        ck_assert_msg(assert_got_ == assert_want_, "%s is %s, not %s", #expression, assert_name_,  \
                      kvp_ckr_name(assert_want_));                                                 \
    } while (0)

/** C_Initialize(NULL), and the first slot with a token. */
CK_SLOT_ID module_initialize(void);
/** A session of that slot; @flags beside CKF_SERIAL_SESSION. */
CK_SESSION_HANDLE module_open_session(CK_FLAGS flags);
/** Checked fixtures: C_Initialize and a read/write session in module_session; C_Finalize. */
extern CK_SLOT_ID module_slot;
extern CK_SESSION_HANDLE module_session;
void module_setup(void);
void module_teardown(void);

/** The first object of @object_class with @label; CK_INVALID_HANDLE if there is none. */
CK_OBJECT_HANDLE module_find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class,
                             const char *label);

/**
 * Run @fn in a forked child; its result, as far as eight bits hold it. A child that crashes is a
 * failure.
 */
CK_RV module_in_child(CK_RV (*fn)(void));

/**
 * Threads that open, use and close sessions of slot 0 until module_rest. Whatever is answered,
 * there must be no crash; returns how many calls were answered with something that has no place
 * there.
 */
void module_keep_busy(void);
long module_rest(void);

/**
 * Whether a field of the standard's, padded with blanks and without NUL, holds @text.
 */
bool module_field_is(const unsigned char *field, size_t size, const char *text);

/** Run a suite to the end of the program: what main returns. `CK_` variables of Check work. */
int module_run_suite(Suite *suite);

#endif
