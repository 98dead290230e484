/* SPDX-License-Identifier: MIT */
/* Two operations fed by one call (PKCS#11 v3.1 §5.17). Each goes on, and ends, by its own rules. */
#include "token/operation.h"

CK_RV kvp_crypt_dual_update(kvp_call *call, kvp_session *session, kvp_operation_kind cipher,
                            kvp_operation_kind other, const void *in, CK_ULONG in_len, void *out,
                            CK_ULONG *out_len)
{
    bool good = (in || !in_len) && out_len;
    if (good && session && !kvp_operation_active(session, other))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (cipher == KVP_OPERATION_DECRYPT) {
        CK_RV rv = kvp_crypt_update(call, session, cipher, in, in_len, out, out_len);
        if (rv != CKR_OK || !out)
            return rv;
        return kvp_crypt_update(call, session, other, out, *out_len, NULL, NULL);
    }

    /* Output may overwrite the input, so the plaintext goes to the other first, once the room is
     * there. */
    CK_ULONG needed = 0;
    CK_RV rv = kvp_crypt_update(call, session, cipher, in, in_len, NULL, good ? &needed : NULL);
    if (rv != CKR_OK)
        return rv;
    if (!out || *out_len < needed) {
        *out_len = needed;
        return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
    }
    rv = kvp_crypt_update(call, session, other, in, in_len, NULL, NULL);
    return rv == CKR_OK ? kvp_crypt_update(call, session, cipher, in, in_len, out, out_len) : rv;
}
