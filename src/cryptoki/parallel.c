/* SPDX-License-Identifier: MIT */
/*
 * What parallel sessions left over: there have been none since 2.0, and the functions that asked
 * for them or ended them only ever have one answer (PKCS#11 v3.1, C_GetFunctionStatus and
 * C_CancelFunction). They are made from their rows in functions.def.
 */
#include "cryptoki/enter.h"

#define STUB_REAL(name, params)
#define STUB_REFUSED(name, params)
#define STUB_PARALLEL(name, params)                                                                \
    CK_RV C_##name params                                                                          \
    {                                                                                              \
        KVP_ENTER(call, "C_" #name);                                                               \
        (void)session;                                                                             \
        return kvp_leave(&call, CKR_FUNCTION_NOT_PARALLEL);                                        \
    }

#define KVP_FN(since, how, name, params) STUB_##how(name, params)
#include "cryptoki/functions.def"
