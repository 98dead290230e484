/* SPDX-License-Identifier: MIT */
/* Failures of the rooms below, as the application sees them. */
#include "token/call.h"

CK_RV kvp_call_fail(kvp_call *call, kvp_call_kind kind)
{
    if (call->error.status == KVP_OK)
        kvp_error_set(&call->error, KVP_ERR_INTERNAL, "a failure that named no cause");
    call->kind = kind;
    return kvp_error_row_find(&call->error, kind)->rv;
}
