/* SPDX-License-Identifier: MIT */
/* From a template of C_CreateObject to the key that the vault shall take in (import_plan.h). */
#include "base/alloc.h"
#include "token/generate_plan.h"
#include "token/import_plan.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/record.h"

#include <string.h>

void kvp_import_clear(kvp_import *import)
{
    kvp_key_free(import->draft);
    kvp_private_parts_clear(&import->parts);
    *import = (kvp_import){ .parts = KVP_PRIVATE_PARTS_INIT };
}

/* ---- numbers ---- */

/* The number without leading zeros; nothing where the template has none. */
static kvp_status put_number(kvp_buf *ret, kvp_template t, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *attr = kvp_template_find(t.attrs, t.count, type);
    if (!attr)
        return KVP_OK;
    const uint8_t *data = attr->pValue;
    size_t len = attr->ulValueLen;
    while (len > 1 && *data == 0) {
        data++;
        len--;
    }
    return kvp_buf_set(ret, data, len);
}

/* From what crypto says of numbers. */
static CK_RV judge_numbers(kvp_call *call, kvp_status st)
{
    switch (st) {
    case KVP_OK:
        return CKR_OK;
    case KVP_ERR_PARSE:
    case KVP_ERR_INVALID:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    case KVP_ERR_NO_MEMORY:
        return CKR_HOST_MEMORY;
    default:
        return call ? kvp_call_fail(call, KVP_CALL_CREATE) : CKR_FUNCTION_FAILED;
    }
}

/* Whether the numbers are a key, by OpenSSL's judgement; its size. */
static CK_RV check_public(kvp_key *key)
{
    KVP_CLEANUP(kvp_public_key_freep) kvp_public_key *parsed = NULL;
    kvp_error error;
    key->has_material = true;
    CK_RV rv = judge_numbers(NULL, kvp_public_key_from_key(key, &parsed, &error));
    if (rv == CKR_OK)
        key->key_bits = kvp_public_key_bits(parsed);
    return rv;
}

static CK_RV read_curve(kvp_template t, kvp_key *key)
{
    const CK_ATTRIBUTE *params = kvp_template_find(t.attrs, t.count, CKA_EC_PARAMS);
    return kvp_curve_from_params(params->pValue, params->ulValueLen, &key->curve);
}

CK_RV kvp_template_public_key(kvp_template t, kvp_key *key)
{
    if (key->kty == KVP_KTY_RSA) {
        if (put_number(&key->n, t, CKA_MODULUS) != KVP_OK ||
            put_number(&key->e, t, CKA_PUBLIC_EXPONENT) != KVP_OK)
            return CKR_HOST_MEMORY;
        return check_public(key);
    }
    const CK_ATTRIBUTE *point = kvp_template_find(t.attrs, t.count, CKA_EC_POINT);
    const uint8_t *x;
    const uint8_t *y;
    CK_RV rv = read_curve(t, key);
    if (rv != CKR_OK)
        return rv;
    if (kvp_ec_point_decode(key->curve, point->pValue, point->ulValueLen, &x, &y) != KVP_OK)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    size_t len = kvp_curves[key->curve].coordinate_len;
    if (kvp_buf_set(&key->x, x, len) != KVP_OK || kvp_buf_set(&key->y, y, len) != KVP_OK)
        return CKR_HOST_MEMORY;
    return check_public(key);
}

/* ---- private keys ---- */

/*
 * CKA_PUBLIC_EXPONENT may be missing (v3.1 §6.1.3 lets a token do without): then it is the one that
 * every key has, or the numbers do not fit.
 */
static CK_RV read_rsa(kvp_call *call, kvp_template t, kvp_import *import)
{
    static const uint8_t f4[] = { 1, 0, 1 };
    kvp_private_parts *parts = &import->parts;
    const struct {
        kvp_buf *buf;
        CK_ATTRIBUTE_TYPE type;
    } numbers[] = {
        { &import->draft->n, CKA_MODULUS },  { &import->draft->e, CKA_PUBLIC_EXPONENT },
        { &parts->d, CKA_PRIVATE_EXPONENT }, { &parts->p, CKA_PRIME_1 },
        { &parts->q, CKA_PRIME_2 },          { &parts->dp, CKA_EXPONENT_1 },
        { &parts->dq, CKA_EXPONENT_2 },      { &parts->qi, CKA_COEFFICIENT },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++)
        if (put_number(numbers[i].buf, t, numbers[i].type) != KVP_OK)
            return CKR_HOST_MEMORY;
    bool guessed = import->draft->e.len == 0;
    if (guessed && kvp_buf_set(&import->draft->e, f4, sizeof(f4)) != KVP_OK)
        return CKR_HOST_MEMORY;
    CK_RV rv = check_public(import->draft);
    if (rv != CKR_OK)
        return rv;
    unsigned bits = import->draft->key_bits;
    if (bits != 2048 && bits != 3072 && bits != 4096)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "BadValue",
                                 "a vault takes RSA keys of 2048, 3072 and 4096 bits, not %u",
                                 bits);
    rv = judge_numbers(call, kvp_rsa_complete(import->draft, parts, &call->error));
    return guessed && rv == CKR_ATTRIBUTE_VALUE_INVALID ? CKR_TEMPLATE_INCOMPLETE : rv;
}

static CK_RV read_ec(kvp_call *call, kvp_template t, kvp_import *import)
{
    const CK_ATTRIBUTE *point = kvp_template_find(t.attrs, t.count, CKA_EC_POINT);
    kvp_key *draft = import->draft;
    CK_RV rv = read_curve(t, draft);
    if (rv != CKR_OK)
        return rv;
    if (put_number(&import->parts.d, t, CKA_VALUE) != KVP_OK)
        return CKR_HOST_MEMORY;
    rv = judge_numbers(call, kvp_ec_complete(draft, &import->parts, &call->error));
    if (rv != CKR_OK || !point)
        return rv == CKR_OK ? check_public(draft) : rv;
    /* The point may come with or without its OCTET STRING: it is compared by its coordinates. */
    const uint8_t *x;
    const uint8_t *y;
    if (kvp_ec_point_decode(draft->curve, point->pValue, point->ulValueLen, &x, &y) != KVP_OK)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (memcmp(x, draft->x.data, draft->x.len) != 0 || memcmp(y, draft->y.data, draft->y.len) != 0)
        return CKR_TEMPLATE_INCONSISTENT;
    return check_public(draft);
}

/* ---- secret keys ---- */

static CK_RV read_secret(kvp_call *call, const kvp_slot *slot, kvp_template t, kvp_import *import)
{
    const CK_ATTRIBUTE *value = kvp_template_find(t.attrs, t.count, CKA_VALUE);
    size_t len = value->ulValueLen;
    if (!slot->config->managed_hsm)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "WrongPlace",
                                 "only a Managed HSM keeps secret keys: CKA_TOKEN must be FALSE");
    if (len != 16 && len != 24 && len != 32)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (kvp_buf_set(&import->parts.k, value->pValue, len) != KVP_OK)
        return CKR_HOST_MEMORY;
    import->draft->has_material = true;
    import->draft->key_bits = (unsigned)len * 8;
    return CKR_OK;
}

/* ---- the plan ---- */

/* The template without what the new key will not say of itself, or says in other words. */
static CK_RV check_import(kvp_call *call, const kvp_slot *slot, const kvp_key *draft,
                          CK_OBJECT_CLASS cls, kvp_template t)
{
    KVP_CLEANUP(kvp_freep) CK_ATTRIBUTE *rest = kvp_calloc(t.count + 1, sizeof(*rest));
    kvp_view view = {
        .slot = slot, .cls = cls, .entry = &draft->entry, .key = draft, .loaded = true
    };
    kvp_template left = { rest, 0 };
    if (!rest)
        return CKR_HOST_MEMORY;
    for (CK_ULONG i = 0; i < t.count; i++) {
        CK_ATTRIBUTE_TYPE type = t.attrs[i].type;
        const kvp_attribute_row *row = kvp_attribute_row_find(type, kvp_view_who(&view));
        if ((row && (row->flags & KVP_ATTRIBUTE_SENSITIVE)) || type == CKA_EC_POINT ||
            (type == CKA_SENSITIVE && !kvp_template_bool(&t.attrs[i], 1, type, true)))
            continue;
        rest[left.count++] = t.attrs[i];
    }
    return kvp_draft_check(call, slot, draft, cls, left, false);
}

static CK_RV plan_ops(CK_OBJECT_CLASS cls, CK_KEY_TYPE key_type, kvp_template t, kvp_import *import)
{
    uint32_t all = kvp_key_ops(key_type);
    uint32_t on = 0;
    uint32_t off = 0;
    kvp_draft_usage(cls, t.attrs, t.count, &on, &off);
    if (cls == CKO_SECRET_KEY) {
        /* The service's default is that of an AES key: a key for HMAC must be asked for. */
        import->default_ops = key_type == CKK_AES && !on && !off;
        import->draft->ops = on ? on : all & ~off;
    } else {
        import->default_ops = !on && !off;
        import->draft->ops = kvp_draft_wanted_ops(all, on, off, 0, 0);
    }
    return import->draft->ops ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

CK_RV kvp_import_plan(kvp_call *call, const kvp_slot *slot, unsigned kind, CK_KEY_TYPE key_type,
                      kvp_template t, kvp_import *ret)
{
    const kvp_template none = { NULL, 0 };
    CK_OBJECT_CLASS cls = kind & KVP_IS_SECRET ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;
    KVP_CLEANUP(kvp_import_clear) kvp_import import = { .parts = KVP_PRIVATE_PARTS_INIT };
    kvp_key *draft = import.draft = kvp_calloc(1, sizeof(*draft));
    if (!draft)
        return CKR_HOST_MEMORY;
    draft->attributes.enabled = true;
    draft->kty = kind & KVP_IS_SECRET       ? KVP_KTY_OCT
                 : kind & KVP_IS_PRIVATE_EC ? KVP_KTY_EC
                                            : KVP_KTY_RSA;
    CK_RV rv = draft->kty == KVP_KTY_OCT  ? read_secret(call, slot, t, &import)
               : draft->kty == KVP_KTY_EC ? read_ec(call, t, &import)
                                          : read_rsa(call, t, &import);
    if (rv == CKR_OK)
        rv = kvp_draft_identity(call, slot, draft, t, none, false, &import.free_name);
    if (rv == CKR_OK)
        rv = plan_ops(cls, key_type, t, &import);
    if (rv == CKR_OK)
        rv = check_import(call, slot, draft, cls, t);
    if (rv != CKR_OK)
        return rv;
    *ret = import;
    import = (kvp_import){ .parts = KVP_PRIVATE_PARTS_INIT };
    return CKR_OK;
}

void kvp_import_request(kvp_import *import, const kvp_slot *slot, kvp_key_import *ret)
{
    if (import->default_ops)
        import->draft->ops = 0;
    *ret = (kvp_key_import){
        .key = import->draft,
        .parts = &import->parts,
        .hsm = slot->config->managed_hsm || slot->config->protection_hsm,
    };
}
