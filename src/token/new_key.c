/* SPDX-License-Identifier: MIT */
/*
 * What generating and importing keys share: the name, the request, the handle.
 *
 * A name that lives is not made again. The service would make a new version of it, which is a
 * rotation: another key for everybody who uses the name, from a call that in PKCS#11 only ever
 * adds. So the name is looked up first, and a key of that name, enabled or not, ends the call with
 * CKR_ATTRIBUTE_VALUE_INVALID. A name in soft-deleted state is refused by the service. Where the
 * application has not asked for the name, another one is taken in both cases.
 */
#include "token/create.h"
#include "token/object_draft.h"
#include "token/object_store.h"

#include <string.h>

CK_RV kvp_new_check_session(kvp_session *session, bool token)
{
    if (!token)
        return CKR_OK;
    CK_RV rv = kvp_session_may_write(session);
    if (rv != CKR_OK)
        return rv;
    return kvp_slot_is_open(session->slot) ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static CK_RV check_name_is_free(kvp_call *call, kvp_vault *vault, const char *name)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *there = NULL;
    kvp_status st = kvp_vault_key_get(vault, name, NULL, &call->trace, &there, &call->error);
    if (st == KVP_ERR_HTTP && call->error.http_status == 404) {
        kvp_error_clear(&call->error);
        return CKR_OK;
    }
    if (st != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    kvp_copy_printable(call->object_id, sizeof(call->object_id), there->id);
    return kvp_object_refuse(call, KVP_CALL_CREATE, "KeyExists", "the vault has a key named %s",
                             name);
}

/* Whether the failure is that the name is taken, by a key that lives or one that was deleted. */
static bool name_is_taken(const kvp_error *error)
{
    return (error->status == KVP_ERR_REFUSED && strcmp(error->code, "KeyExists") == 0) ||
           (error->status == KVP_ERR_HTTP && error->http_status == 409);
}

static CK_RV try_name(kvp_call *call, kvp_vault *vault, const char *name, kvp_key_sender send,
                      void *plan, kvp_key **ret)
{
    CK_RV rv = check_name_is_free(call, vault, name);
    if (rv != CKR_OK)
        return rv;
    return send(call, vault, plan, ret) == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_CREATE);
}

CK_RV kvp_new_key(kvp_call *call, kvp_session *session, kvp_key *draft, bool free_name,
                  kvp_key_sender send, void *plan, kvp_record **ret)
{
    kvp_object_store *store = session->slot->objects;
    kvp_vault *vault = kvp_slot_vault(call, session->slot);
    kvp_key *key = NULL;
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    call->remote = true;
    CK_RV rv = try_name(call, vault, draft->name, send, plan, &key);
    if (rv != CKR_OK && free_name && name_is_taken(&call->error)) {
        kvp_error_clear(&call->error);
        rv = kvp_draft_rename(draft);
        if (rv == CKR_OK)
            rv = try_name(call, vault, draft->name, send, plan, &key);
    }
    if (rv != CKR_OK)
        return rv;

    kvp_copy_printable(call->object_id, sizeof(call->object_id), key->id);
    /* Services before 2026-04-01 do not tell the size of a symmetric key; we have just asked for
     * it. */
    if (key->kty == KVP_KTY_OCT && key->key_bits == 0)
        key->key_bits = draft->key_bits;
    kvp_record *record = NULL;
    if (kvp_store_put(store, &key->entry, true, kvp_read_time_now(), &record) != KVP_OK)
        return CKR_HOST_MEMORY;
    kvp_store_changed(store);
    if (!record)
        return CKR_FUNCTION_FAILED; /* made, and disabled by somebody at once */
    *ret = record;
    return CKR_OK;
}

CK_RV kvp_new_handle(kvp_record *record, CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *ret)
{
    for (unsigned i = 0; i < record->object_count; i++) {
        if (record->objects[i].cls != cls)
            continue;
        *ret = kvp_object_handle(&record->objects[i]);
        return *ret != CK_INVALID_HANDLE ? CKR_OK : CKR_HOST_MEMORY;
    }
    return CKR_FUNCTION_FAILED; /* the service made something else */
}
