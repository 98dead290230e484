/* SPDX-License-Identifier: MIT */
/* From generation templates to the key that is wanted (generate_plan.h). */
#include "base/alloc.h"
#include "token/generate_plan.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/record.h"
#include "token/template.h"

#include <string.h>

#define CRYPT_OPS (KVP_OP_ENCRYPT | KVP_OP_DECRYPT | KVP_OP_WRAP | KVP_OP_UNWRAP)
#define SIGN_OPS (KVP_OP_SIGN | KVP_OP_VERIFY)

uint32_t kvp_key_ops(CK_KEY_TYPE type)
{
    switch (type) {
    case CKK_RSA:
        return SIGN_OPS | CRYPT_OPS;
    case CKK_AES:
        return CRYPT_OPS;
    default:
        return SIGN_OPS;
    }
}

void kvp_generation_clear(kvp_generation *generation)
{
    kvp_key_free(generation->draft);
    *generation = (kvp_generation){ 0 };
}

/* ---- curves ---- */

/* What people and standards call them, in the PrintableString form (PKCS#11 v3.1 §6.3.3). */
static const struct {
    const char *name;
    kvp_curve curve;
} curve_names[] = {
    { "secp256r1", KVP_CURVE_P256 },  { "prime256v1", KVP_CURVE_P256 },
    { "P-256", KVP_CURVE_P256 },      { "secp384r1", KVP_CURVE_P384 },
    { "P-384", KVP_CURVE_P384 },      { "secp521r1", KVP_CURVE_P521 },
    { "P-521", KVP_CURVE_P521 },      { "secp256k1", KVP_CURVE_P256K },
    { "P-256K", KVP_CURVE_P256K },
};

CK_RV kvp_curve_from_params(const void *der, size_t len, kvp_curve *ret)
{
    enum { OID = 0x06, PRINTABLE_STRING = 0x13, SEQUENCE = 0x30 };
    const uint8_t *p = der;
    if (!p || len < 3)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (p[0] == SEQUENCE)
        return CKR_CURVE_NOT_SUPPORTED; /* explicit parameters */
    if (p[1] != len - 2)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    kvp_curve curve = KVP_CURVE_NONE;
    if (p[0] == OID)
        curve = kvp_curve_from_oid(der, len);
    else if (p[0] != PRINTABLE_STRING)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    for (size_t i = 0; p[0] == PRINTABLE_STRING && i < KVP_ARRAY_LEN(curve_names); i++)
        if (strlen(curve_names[i].name) == len - 2 &&
            memcmp(curve_names[i].name, p + 2, len - 2) == 0)
            curve = curve_names[i].curve;
    if (curve == KVP_CURVE_NONE)
        return CKR_CURVE_NOT_SUPPORTED;
    *ret = curve;
    return CKR_OK;
}

/* ---- key pairs ---- */

static CK_RV draft_rsa(kvp_key *draft, kvp_template t)
{
    static const uint8_t f4[] = { 1, 0, 1 };
    CK_ULONG bits = kvp_template_ulong(t.attrs, t.count, CKA_MODULUS_BITS, 0);
    if (bits != 2048 && bits != 3072 && bits != 4096)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    draft->kty = KVP_KTY_RSA;
    draft->key_bits = (unsigned)bits;
    draft->ops = kvp_key_ops(CKK_RSA);
    return kvp_buf_set(&draft->e, f4, sizeof(f4)) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV draft_ec(kvp_key *draft, kvp_template t)
{
    const CK_ATTRIBUTE *params = kvp_template_find(t.attrs, t.count, CKA_EC_PARAMS);
    CK_RV rv = kvp_curve_from_params(params->pValue, params->ulValueLen, &draft->curve);
    if (rv != CKR_OK)
        return rv;
    draft->kty = KVP_KTY_EC;
    draft->key_bits = kvp_curves[draft->curve].bits;
    draft->ops = kvp_key_ops(CKK_EC);
    return CKR_OK;
}

CK_RV kvp_generation_pair(kvp_call *call, const kvp_slot *slot, CK_MECHANISM_TYPE mechanism,
                          kvp_template public_template, kvp_template private_template,
                          kvp_generation *ret)
{
    bool rsa = mechanism == CKM_RSA_PKCS_KEY_PAIR_GEN;
    const kvp_template pub = public_template;
    const kvp_template priv = private_template;
    CK_RV rv = kvp_template_check(pub.attrs, pub.count, rsa ? KVP_IS_PUBLIC_RSA : KVP_IS_PUBLIC_EC,
                                  KVP_ATTRIBUTE_GENERATE, KVP_ATTRIBUTE_NEEDED);
    if (rv == CKR_OK)
        rv = kvp_template_check(priv.attrs, priv.count,
                                rsa ? KVP_IS_PRIVATE_RSA : KVP_IS_PRIVATE_EC,
                                KVP_ATTRIBUTE_GENERATE, KVP_ATTRIBUTE_NEEDED);
    if (rv != CKR_OK)
        return rv;
    if (!kvp_template_bool(priv.attrs, priv.count, CKA_TOKEN, false))
        return kvp_object_refuse(call, KVP_CALL_CREATE, "WrongPlace",
                                 "private keys are made in the vault only: CKA_TOKEN must be TRUE");

    KVP_CLEANUP(kvp_generation_clear) kvp_generation generation = { 0 };
    kvp_key *draft = generation.draft = kvp_calloc(1, sizeof(*draft));
    if (!draft)
        return CKR_HOST_MEMORY;
    draft->has_material = true;
    draft->attributes.enabled = true;
    rv = rsa ? draft_rsa(draft, pub) : draft_ec(draft, pub);
    if (rv == CKR_OK)
        rv = kvp_draft_identity(call, slot, draft, priv, pub, true, &generation.free_name);
    if (rv != CKR_OK)
        return rv;

    uint32_t on[2] = { 0, 0 };
    uint32_t off[2] = { 0, 0 };
    kvp_draft_usage(CKO_PRIVATE_KEY, priv.attrs, priv.count, &on[0], &off[0]);
    kvp_draft_usage(CKO_PUBLIC_KEY, pub.attrs, pub.count, &on[1], &off[1]);
    generation.default_ops = !(on[0] | on[1] | off[0] | off[1]);
    draft->ops = kvp_draft_wanted_ops(draft->ops, on[0], off[0], on[1], off[1]);
    if (draft->ops == 0)
        return CKR_TEMPLATE_INCONSISTENT;
    generation.session_public = !kvp_template_bool(pub.attrs, pub.count, CKA_TOKEN, true);

    rv = kvp_draft_check(call, slot, draft, CKO_PRIVATE_KEY, priv, false);
    if (rv == CKR_OK)
        rv = kvp_draft_check(call, slot, draft, CKO_PUBLIC_KEY, pub, true);
    if (rv != CKR_OK)
        return rv;
    *ret = generation;
    generation = (kvp_generation){ 0 };
    return CKR_OK;
}

/* ---- secret keys of a Managed HSM ---- */

CK_RV kvp_generation_secret(kvp_call *call, const kvp_slot *slot, CK_MECHANISM_TYPE mechanism,
                            kvp_template attrs, kvp_generation *ret)
{
    bool aes = mechanism == CKM_AES_KEY_GEN;
    const kvp_template none = { NULL, 0 };
    CK_RV rv = kvp_template_check(attrs.attrs, attrs.count, KVP_IS_SECRET, KVP_ATTRIBUTE_GENERATE,
                                  KVP_ATTRIBUTE_NEEDED);
    if (rv != CKR_OK)
        return rv;
    if (!slot->config->managed_hsm)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "WrongPlace",
                                 "only a Managed HSM keeps secret keys: CKA_TOKEN must be FALSE");
    CK_ULONG len = kvp_template_ulong(attrs.attrs, attrs.count, CKA_VALUE_LEN, 0);
    if (len != 16 && len != 24 && len != 32)
        return CKR_ATTRIBUTE_VALUE_INVALID;

    KVP_CLEANUP(kvp_generation_clear) kvp_generation generation = { 0 };
    kvp_key *draft = generation.draft = kvp_calloc(1, sizeof(*draft));
    if (!draft)
        return CKR_HOST_MEMORY;
    draft->has_material = true;
    draft->attributes.enabled = true;
    draft->kty = KVP_KTY_OCT;
    draft->key_bits = (unsigned)len * 8;
    rv = kvp_draft_identity(call, slot, draft, attrs, none, true, &generation.free_name);
    if (rv != CKR_OK)
        return rv;

    uint32_t on = 0;
    uint32_t off = 0;
    kvp_draft_usage(CKO_SECRET_KEY, attrs.attrs, attrs.count, &on, &off);
    /* The service's default is that of an AES key: a key for HMAC must be asked for. */
    generation.default_ops = aes && !on && !off;
    uint32_t all = kvp_key_ops(aes ? CKK_AES : CKK_GENERIC_SECRET);
    draft->ops = on ? on : all & ~off;
    if (draft->ops == 0)
        return CKR_TEMPLATE_INCONSISTENT;
    rv = kvp_draft_check(call, slot, draft, CKO_SECRET_KEY, attrs, false);
    /* A key of the other type would come out: AES without an AES use, or a generic secret with one.
     */
    kvp_view view = { .slot = slot, .cls = CKO_SECRET_KEY, .entry = &draft->entry, .key = draft, .loaded = true };
    if (rv == CKR_OK && kvp_view_key_type(&view) != (aes ? CKK_AES : CKK_GENERIC_SECRET))
        rv = CKR_TEMPLATE_INCONSISTENT;
    if (rv != CKR_OK)
        return rv;
    *ret = generation;
    generation = (kvp_generation){ 0 };
    return CKR_OK;
}

void kvp_generation_request(const kvp_generation *generation, const kvp_slot *slot,
                            kvp_key_create *ret)
{
    const kvp_key *draft = generation->draft;
    *ret = (kvp_key_create){
        .kty = draft->kty,
        .hsm = slot->config->managed_hsm || slot->config->protection_hsm,
        .key_bits = draft->kty == KVP_KTY_EC ? 0 : draft->key_bits,
        .curve = draft->curve,
        .ops = generation->default_ops ? 0 : draft->ops,
        .tags = draft->tags,
        .tag_count = draft->tag_count,
        .not_before = draft->attributes.not_before,
        .expires = draft->attributes.expires,
    };
}
