/* SPDX-License-Identifier: MIT */
/*
 * Release of exportable keys (wire reference, section 4). A key leaves only for an environment
 * whose attestation a trusted service signed; no such service is known here, so that the checks are
 * made and every statement is then refused as the service refuses one it cannot verify.
 */
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"

#include "base/alloc.h"

#include <string.h>

static bool is_wrapping(const char *enc)
{
    static const char *const names[] = { "CKM_RSA_AES_KEY_WRAP", "RSA_AES_KEY_WRAP_256",
                                         "RSA_AES_KEY_WRAP_384" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], enc) == 0)
            return true;
    }
    return false;
}

void kvp_keys_release(kvp_exchange *ex)
{
    const char *target = NULL, *nonce = NULL, *enc = "CKM_RSA_AES_KEY_WRAP";
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;

    if (!kvp_member_string(ex, ex->json, "target", true, &target) ||
        !kvp_member_string(ex, ex->json, "nonce", false, &nonce) ||
        !kvp_member_string(ex, ex->json, "enc", false, &enc))
        return;
    if (!is_wrapping(enc)) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "enc");
        return;
    }
    if (!kvp_key_find(ex, owner) || !kvp_throttle_key(ex, record.kty, record.bits, true))
        return;
    kvp_key_id(ex, owner, true, ex->subject, sizeof(ex->subject));
    if (!record.enabled)
        kvp_refuse(ex, KVP_REFUSE_KEY_DISABLED, "release");
    else if (!record.exportable || !record.policy_json)
        kvp_refuse(ex, KVP_REFUSE_NOT_EXPORTABLE);
    else
        kvp_refuse(ex, KVP_REFUSE_ATTESTATION);
}
