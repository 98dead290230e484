/* SPDX-License-Identifier: MIT */
/*
 * Generating keys (PKCS#11 v3.1 §5.18.1, §5.18.2): in the vault, or as session objects for secret
 * keys. What a template asks for is decided in generate_plan.c.
 *
 * A name that lives is not made again. The service would make a new version of it, which is a
 * rotation: another key for everybody who uses the name, from a call that in PKCS#11 only ever
 * adds. So the name is looked up first, and a key of that name, enabled or not, ends the call with
 * CKR_ATTRIBUTE_VALUE_INVALID. A name in soft-deleted state is refused by the service.
 */
#include "base/alloc.h"
#include "token/create.h"
#include "token/generate_plan.h"
#include "token/mechanism.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/* The row of a generation mechanism. */
static CK_RV check_mechanism(const kvp_slot *slot, const CK_MECHANISM *mechanism, CK_FLAGS flag,
                             const kvp_mechanism **ret)
{
    const kvp_mechanism *row = kvp_mechanism_find(slot, mechanism->mechanism);
    if (!row || !(row->flags & flag))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    *ret = row;
    return CKR_OK;
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

/* Have the vault make it. @ret is pinned. */
static CK_RV make_key(kvp_call *call, kvp_session *session, const kvp_generation *generation,
                      kvp_record **ret)
{
    kvp_object_store *store = session->slot->objects;
    kvp_vault *vault = kvp_slot_vault(call, session->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    const char *name = generation->draft->name;
    call->remote = true;
    CK_RV rv = check_name_is_free(call, vault, name);
    if (rv != CKR_OK)
        return rv;

    kvp_key_create request;
    kvp_key *key = NULL;
    kvp_generation_request(generation, session->slot, &request);
    if (kvp_vault_key_create(vault, name, &request, &call->trace, &key, &call->error) != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    kvp_copy_printable(call->object_id, sizeof(call->object_id), key->id);
    /* Services before 2026-04-01 do not tell the size of a symmetric key; we have just asked for
     * it. */
    if (key->kty == KVP_KTY_OCT && key->key_bits == 0)
        key->key_bits = generation->draft->key_bits;
    kvp_record *record = NULL;
    if (kvp_store_put(store, &key->entry, true, kvp_read_time_now(), &record) != KVP_OK)
        return CKR_HOST_MEMORY;
    kvp_store_changed(store);
    if (!record)
        return CKR_FUNCTION_FAILED; /* made, and disabled by somebody at once */
    *ret = record;
    return CKR_OK;
}

static CK_RV handle_of(kvp_record *record, CK_OBJECT_CLASS cls, CK_OBJECT_HANDLE *ret)
{
    for (unsigned i = 0; i < record->object_count; i++) {
        if (record->objects[i].cls != cls)
            continue;
        *ret = kvp_object_handle(&record->objects[i]);
        return *ret != CK_INVALID_HANDLE ? CKR_OK : CKR_HOST_MEMORY;
    }
    return CKR_FUNCTION_FAILED; /* the service made something else */
}

/* Order of the checks as in the standard: the session's before the template's details. */
static CK_RV check_session(kvp_session *session, bool token)
{
    if (!token)
        return CKR_OK;
    CK_RV rv = kvp_session_may_write(session);
    if (rv != CKR_OK)
        return rv;
    return kvp_slot_is_open(session->slot) ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

CK_RV kvp_generate_key_pair(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                            const CK_ATTRIBUTE *public_attrs, CK_ULONG public_count,
                            const CK_ATTRIBUTE *private_attrs, CK_ULONG private_count,
                            CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    const kvp_mechanism *row = NULL;
    call->operation = "GenerateKeyPair";
    call->has_mechanism = true;
    call->mechanism = mechanism->mechanism;
    CK_RV rv = kvp_template_check_pointers(public_attrs, public_count);
    if (rv == CKR_OK)
        rv = kvp_template_check_pointers(private_attrs, private_count);
    if (rv == CKR_OK)
        rv = check_mechanism(session->slot, mechanism, CKF_GENERATE_KEY_PAIR, &row);
    if (rv == CKR_OK)
        rv = check_session(session,
                           kvp_template_bool(private_attrs, private_count, CKA_TOKEN, false));
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_generation_clear) kvp_generation generation = { 0 };
    const kvp_template pub = { public_attrs, public_count };
    const kvp_template priv = { private_attrs, private_count };
    rv = kvp_generation_pair(call, session->slot, row->type, pub, priv, &generation);
    if (rv != CKR_OK)
        return rv;
    kvp_record *record = NULL;
    rv = make_key(call, session, &generation, &record);
    if (rv != CKR_OK)
        return rv;

    CK_OBJECT_HANDLE private_key = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE;
    rv = handle_of(record, CKO_PRIVATE_KEY, &private_key);
    if (rv == CKR_OK && generation.session_public)
        rv = kvp_session_public_new(session, kvp_record_document(record)->key, public_attrs,
                                    public_count, &public_key);
    else if (rv == CKR_OK)
        rv = handle_of(record, CKO_PUBLIC_KEY, &public_key);
    kvp_record_unpin(record);
    if (rv == CKR_OK) {
        *ret_public = public_key;
        *ret_private = private_key;
    }
    return rv;
}

/* ---- secret keys ---- */

static CK_RV generate_session_key(kvp_session *session, const kvp_mechanism *row,
                                  const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    CK_RV rv = kvp_template_check(attrs, count, KVP_IS_SECRET, KVP_ATTRIBUTE_GENERATE,
                                  KVP_ATTRIBUTE_NEEDED);
    if (rv != CKR_OK)
        return rv;
    if (kvp_template_ulong(attrs, count, CKA_CLASS, CKO_SECRET_KEY) != CKO_SECRET_KEY ||
        kvp_template_ulong(attrs, count, CKA_KEY_TYPE, row->key_type) != row->key_type)
        return CKR_TEMPLATE_INCONSISTENT;
    uint8_t value[512];
    CK_ULONG len = kvp_template_ulong(attrs, count, CKA_VALUE_LEN, 0);
    if (len == 0 || len > sizeof(value))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (kvp_random(value, len) != KVP_OK)
        return CKR_FUNCTION_FAILED;
    rv = kvp_session_secret_new(session, KVP_ORIGIN_GENERATED, row->type, row->key_type, value, len,
                                attrs, count, ret);
    kvp_wipe(value, sizeof(value));
    return rv;
}

CK_RV kvp_generate_key(kvp_call *call, kvp_session *session, const CK_MECHANISM *mechanism,
                       const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    const kvp_mechanism *row = NULL;
    call->has_mechanism = true;
    call->mechanism = mechanism->mechanism;
    CK_RV rv = kvp_template_check_pointers(attrs, count);
    bool token = rv == CKR_OK && kvp_template_bool(attrs, count, CKA_TOKEN, false);
    if (token)
        call->operation = "GenerateKey";
    if (rv == CKR_OK)
        rv = check_mechanism(session->slot, mechanism, CKF_GENERATE, &row);
    if (rv == CKR_OK)
        rv = check_session(session, token);
    if (rv != CKR_OK)
        return rv;
    if (!token)
        return generate_session_key(session, row, attrs, count, ret);

    KVP_CLEANUP(kvp_generation_clear) kvp_generation generation = { 0 };
    const kvp_template t = { attrs, count };
    rv = kvp_generation_secret(call, session->slot, row->type, t, &generation);
    if (rv != CKR_OK)
        return rv;
    kvp_record *record = NULL;
    rv = make_key(call, session, &generation, &record);
    if (rv != CKR_OK)
        return rv;
    rv = handle_of(record, CKO_SECRET_KEY, ret);
    kvp_record_unpin(record);
    return rv;
}
