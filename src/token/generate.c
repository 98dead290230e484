/* SPDX-License-Identifier: MIT */
/*
 * Generating keys (PKCS#11 v3.1 §5.18.1, §5.18.2): in the vault, or as session objects for secret
 * keys. What a template asks for is decided in generate_plan.c.
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

/* What one request needs. */
typedef struct order {
    const kvp_generation *generation;
    const kvp_slot *slot;
} order;

static kvp_status send_create(kvp_call *call, kvp_vault *vault, void *plan, kvp_key **ret)
{
    const order *o = plan;
    kvp_key_create request;
    kvp_generation_request(o->generation, o->slot, &request);
    return kvp_vault_key_create(vault, o->generation->draft->name, &request, &call->trace, ret,
                                &call->error);
}

/* Have the vault make it. @ret is pinned. */
static CK_RV make_key(kvp_call *call, kvp_session *session, const kvp_generation *generation,
                      kvp_record **ret)
{
    order o = { generation, session->slot };
    return kvp_new_key(call, session, generation->draft, generation->free_name, send_create, &o,
                       ret);
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
        rv = kvp_new_check_session(
            session, kvp_template_bool(private_attrs, private_count, CKA_TOKEN, false));
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
    rv = kvp_new_handle(record, CKO_PRIVATE_KEY, &private_key);
    if (rv == CKR_OK && generation.session_public)
        rv = kvp_session_public_new(session, kvp_record_document(record)->key, public_attrs,
                                    public_count, &public_key);
    else if (rv == CKR_OK)
        rv = kvp_new_handle(record, CKO_PUBLIC_KEY, &public_key);
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
        rv = kvp_new_check_session(session, token);
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
    rv = kvp_new_handle(record, CKO_SECRET_KEY, ret);
    kvp_record_unpin(record);
    return rv;
}
