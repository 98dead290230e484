/* SPDX-License-Identifier: MIT */
/* One wrong thing at a time, in a call that is good otherwise, and the CK_RV that it must have. */
#ifndef KVP_TESTS_CONFORMANCE_WRONG_H
#define KVP_TESTS_CONFORMANCE_WRONG_H

#include "functions.h"

typedef struct wrong_case {
    const char *function, *what;
    CK_RV rv;
    void (*spoil)(word *v); /**< main_world and its good arguments */
} wrong_case;
extern const wrong_case wrong_cases[];
extern const size_t wrong_case_count;
/** Those of messages, saved states and what is new in 3.2: wrong_messages.c. */
extern const wrong_case wrong_message_cases[];
extern const size_t wrong_message_case_count;

#endif
