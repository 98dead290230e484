/* SPDX-License-Identifier: MIT */
/*
 * The functions that we have nothing to offer for. No list may hold NULL (PKCS#11 v3.1 §5.1.6,
 * CKR_FUNCTION_NOT_SUPPORTED), so each has a stub, made from its row in functions.def.
 */
#include "cryptoki/enter.h"

/* A stub uses none of its parameters. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define STUB_(name, params, rv)                                                                    \
    CK_RV C_##name params                                                                          \
    {                                                                                              \
        KVP_ENTER(call, "C_" #name);                                                               \
        return kvp_leave(&call, rv);                                                               \
    }

#define STUB_REAL(name, params)
#define STUB_NONE(name, params) STUB_(name, params, CKR_FUNCTION_NOT_SUPPORTED)
/* There are no parallel sessions any more (PKCS#11 v3.1, C_GetFunctionStatus, C_CancelFunction). */
#define STUB_PARALLEL(name, params) STUB_(name, params, CKR_FUNCTION_NOT_PARALLEL)

#define KVP_FN(since, how, name, params) STUB_##how(name, params)
#include "cryptoki/functions.def"
