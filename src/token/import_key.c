/* SPDX-License-Identifier: MIT */
/*
 * Keys that an application writes to the token (PKCS#11 v3.1 §5.7.1): private and secret keys go
 * into the vault by import (import_plan.h). A public key is not stored, for a vault keeps it with
 * its private key: writing the one that is there already, as clients do beside the private key, is
 * answered with that object; any other has no place.
 */
#include "base/alloc.h"
#include "token/create.h"
#include "token/import_plan.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/* What one request needs. */
typedef struct order {
    kvp_import *import;
    const kvp_slot *slot;
} order;

static kvp_status send_import(kvp_call *call, kvp_vault *vault, void *plan, kvp_key **ret)
{
    const order *o = plan;
    kvp_key_import request;
    kvp_import_request(o->import, o->slot, &request);
    return kvp_vault_key_import(vault, o->import->draft->name, &request, &call->trace, ret,
                                &call->error);
}

static CK_RV import_key(kvp_call *call, kvp_session *session, unsigned kind, CK_KEY_TYPE type,
                        kvp_template t, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_import_clear) kvp_import import = { .parts = KVP_PRIVATE_PARTS_INIT };
    CK_RV rv = kvp_import_plan(call, session->slot, kind, type, t, &import);
    if (rv != CKR_OK)
        return rv;
    order o = { &import, session->slot };
    kvp_record *record = NULL;
    rv = kvp_new_key(call, session, import.draft, import.free_name, send_import, &o, &record);
    if (rv != CKR_OK)
        return rv;
    rv = kvp_new_handle(record, kind & KVP_IS_SECRET ? CKO_SECRET_KEY : CKO_PRIVATE_KEY, ret);
    kvp_record_unpin(record);
    return rv;
}

/* ---- public keys ---- */

enum { CANDIDATES = 16 };

static bool same_numbers(const kvp_key *a, const kvp_key *b)
{
    const kvp_buf *const pairs[][2] = {
        { &a->n, &b->n }, { &a->e, &b->e }, { &a->x, &b->x }, { &a->y, &b->y }
    };
    if (a->kty != b->kty || a->curve != b->curve)
        return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(pairs); i++)
        if (pairs[i][0]->len != pairs[i][1]->len ||
            (pairs[i][0]->len &&
             memcmp(pairs[i][0]->data, pairs[i][1]->data, pairs[i][0]->len) != 0))
            return false;
    return true;
}

/* The public key objects of the vault that have the template's id; without one, its label. */
static CK_RV find_candidates(kvp_call *call, kvp_session *session, kvp_template t,
                             CK_OBJECT_HANDLE ret[CANDIDATES], size_t *ret_count)
{
    static CK_OBJECT_CLASS cls = CKO_PUBLIC_KEY;
    static CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &cls, sizeof(cls) },
                              { CKA_TOKEN, &yes, sizeof(yes) },
                              { CKA_ID, NULL, 0 } };
    const CK_ATTRIBUTE *name = kvp_template_find(t.attrs, t.count, CKA_ID);
    if (!name || name->ulValueLen == 0)
        name = kvp_template_find(t.attrs, t.count, CKA_LABEL);
    bool named = name && name->ulValueLen;
    if (named)
        wanted[2] = *name;
    return kvp_find_handles(call, session, wanted, named ? 3 : 2, ret, CANDIDATES, ret_count);
}

static CK_RV refuse_public(kvp_call *call)
{
    return kvp_object_refuse(call, KVP_CALL_CREATE, "WrongPlace",
                             "the vault has no private key for this public key: it keeps both or "
                             "neither");
}

static CK_RV accept_public(kvp_call *call, kvp_session *session, unsigned kind, kvp_template t,
                           CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = kvp_calloc(1, sizeof(*key));
    CK_OBJECT_HANDLE candidates[CANDIDATES];
    size_t count = 0;
    if (!key)
        return CKR_HOST_MEMORY;
    key->kty = kind & KVP_IS_PUBLIC_RSA ? KVP_KTY_RSA : KVP_KTY_EC;
    CK_RV rv = kvp_template_public_key(t, key);
    if (rv == CKR_OK)
        rv = find_candidates(call, session, t, candidates, &count);
    for (size_t i = 0; rv == CKR_OK && i < count; i++) {
        KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
        kvp_view view;
        if (kvp_object_get(session, candidates[i], &object) != CKR_OK)
            continue; /* destroyed meanwhile */
        rv = kvp_object_load(call, object);
        if (rv != CKR_OK)
            break;
        kvp_object_view(object, &view);
        if (!same_numbers(view.key, key))
            continue;
        rv = kvp_draft_check(call, session->slot, view.key, CKO_PUBLIC_KEY, t, false);
        if (rv == CKR_OK)
            *ret = candidates[i];
        return rv;
    }
    return rv == CKR_OK ? refuse_public(call) : rv;
}

CK_RV kvp_token_key_create(kvp_call *call, kvp_session *session, unsigned kind, CK_KEY_TYPE type,
                           kvp_template t, CK_OBJECT_HANDLE *ret)
{
    return kind & KVP_IS_PUBLIC ? accept_public(call, session, kind, t, ret)
                                : import_key(call, session, kind, type, t, ret);
}
