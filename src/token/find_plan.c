/* SPDX-License-Identifier: MIT */
/* The plan of a search (find_plan.h), from the rows of attribute_table.c. */
#include "base/alloc.h"
#include "token/find_plan.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

bool kvp_attribute_is_identity(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_LABEL || type == CKA_ID || type == CKA_UNIQUE_ID || type == CKA_KVP_KEY_ID;
}

/* The kinds whose rows have @type, and can be compared on a token: a sensitive value never is, nor
 * one that would have to be fetched for each object. */
static unsigned kinds_with(CK_ATTRIBUTE_TYPE type, unsigned *ret_documents)
{
    unsigned who = 0;
    for (size_t i = 0; i < kvp_attribute_row_count; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        if (row->type != type || (row->flags & (KVP_ATTRIBUTE_SENSITIVE | KVP_ATTRIBUTE_FETCHED)))
            continue;
        who |= row->who;
        if (!(row->flags & KVP_ATTRIBUTE_LISTED))
            *ret_documents |= row->who;
    }
    return who;
}

static unsigned kinds_of_type(const CK_ATTRIBUTE *attr)
{
    switch (kvp_template_ulong(attr, 1, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION)) {
    case CKK_RSA:
        return KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA;
    case CKK_EC:
        return KVP_IS_PUBLIC_EC | KVP_IS_PRIVATE_EC;
    case CKK_AES:
    case CKK_GENERIC_SECRET:
        return KVP_IS_SECRET;
    default:
        return 0;
    }
}

static CK_OBJECT_CLASS class_of(unsigned who)
{
    static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE,
                                               CKO_DATA, CKO_SECRET_KEY };
    for (size_t i = 0; i < KVP_ARRAY_LEN(classes); i++)
        if (kvp_class_who(classes[i]) & who)
            return classes[i];
    return CK_UNAVAILABLE_INFORMATION;
}

/* Kinds for which the value is the same for every token object, and not this one. */
static unsigned kinds_unfit(const kvp_slot *slot, const CK_ATTRIBUTE *attr, unsigned who)
{
    unsigned unfit = 0;
    for (size_t i = 0; i < kvp_attribute_row_count; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        if (row->type != attr->type || !(row->who & who) || !(row->flags & KVP_ATTRIBUTE_FIXED))
            continue;
        kvp_view view = { .slot = slot, .cls = class_of(row->who & who), .loaded = true };
        if (!kvp_attribute_matches(&view, attr))
            unfit |= row->who;
    }
    return unfit;
}

static void add_ref(const kvp_slot *slot, kvp_find_plan *plan, const kvp_key_ref *ref)
{
    if (!kvp_config_vault_shows(slot->config, ref->name))
        return;
    for (size_t i = 0; i < plan->ref_count; i++)
        if (kvp_name_compare(plan->refs[i].name, ref->name) == 0 &&
            kvp_name_compare(plan->refs[i].version, ref->version) == 0)
            return;
    if (plan->ref_count < KVP_FIND_REFS)
        plan->refs[plan->ref_count++] = *ref;
}

/* The kinds that entries of a collection can be. */
static unsigned kinds_in(kvp_collection collection)
{
    switch (collection) {
    case KVP_KEYS:
        return KVP_IS_KEY;
    case KVP_CERTIFICATES:
        return KVP_IS_CERTIFICATE;
    default:
        return KVP_IS_CERTIFICATE | KVP_IS_DATA;
    }
}

static bool is_issuer_id(const CK_ATTRIBUTE *attr)
{
    size_t len = strlen(KVP_ISSUER_PREFIX);
    return attr->ulValueLen > len && memcmp(attr->pValue, KVP_ISSUER_PREFIX, len) == 0 &&
           !memchr(attr->pValue, '/', attr->ulValueLen);
}

/* CKA_UNIQUE_ID and CKA_KVP_KEY_ID say it all: but for a certificate, which may be kept as a
 * secret, and an issuer, which has no name. */
static void plan_certain(const kvp_slot *slot, const CK_ATTRIBUTE *attr, kvp_find_plan *plan)
{
    kvp_key_ref ref;
    CK_OBJECT_CLASS cls = CK_UNAVAILABLE_INFORMATION;
    kvp_collection collection = KVP_KEYS;
    bool known = false;
    if (attr->type == CKA_UNIQUE_ID) {
        known = kvp_key_ref_from_unique_id(attr->pValue, attr->ulValueLen, &ref, &cls);
        if (!known && is_issuer_id(attr)) {
            plan->who &= KVP_IS_CERTIFICATE;
            plan->issuer = true;
            return;
        }
        if (known)
            plan->who &= kvp_class_who(cls);
    } else {
        known = kvp_key_ref_from_key_id(slot->config->url, attr->pValue, attr->ulValueLen, &ref,
                                        &collection);
        if (known)
            plan->who &= kinds_in(collection);
    }
    if (!known || !kvp_config_vault_shows(slot->config, ref.name)) {
        plan->who = 0;
        return;
    }
    plan->certain = !(plan->who & KVP_IS_CERTIFICATE);
    plan->ref_count = 0;
    add_ref(slot, plan, &ref);
}

static void plan_identity(const kvp_slot *slot, const CK_ATTRIBUTE *attr, kvp_find_plan *plan)
{
    kvp_key_ref ref;
    plan->exact = true;
    if (attr->type == CKA_UNIQUE_ID || attr->type == CKA_KVP_KEY_ID) {
        plan_certain(slot, attr, plan);
        return;
    }
    if (attr->ulValueLen == 0) {
        plan->who = 0; /* nothing in a vault is without a name */
        return;
    }
    if (plan->certain || !kvp_key_ref_from_id(attr->pValue, attr->ulValueLen, &ref))
        return;
    if (attr->type == CKA_LABEL && ref.version[0])
        return; /* a label is a name, or a tag */
    add_ref(slot, plan, &ref);
}

void kvp_find_plan_make(const kvp_slot *slot, const CK_ATTRIBUTE *attrs, CK_ULONG count,
                        kvp_find_plan *ret)
{
    /* A label is what people write, and is right more often than an id that is a valid name. */
    static const CK_ATTRIBUTE_TYPE likeliest[] = { CKA_UNIQUE_ID, CKA_KVP_KEY_ID, CKA_LABEL,
                                                   CKA_ID };
    kvp_find_plan plan = { .who = KVP_IS_KEY };

    plan.who &= ~(unsigned)(KVP_IS_PUBLIC_OTHER | KVP_IS_PRIVATE_OTHER);
    if (slot->config->managed_hsm) {
        /* List pages of a Managed HSM leave open which objects there are. */
        plan.documents = KVP_IS_KEY;
    } else {
        plan.who &= ~(unsigned)KVP_IS_SECRET;
        if (slot->config->certificates)
            plan.who |= KVP_IS_CERTIFICATE;
        if (slot->config->secrets)
            plan.who |= KVP_IS_DATA;
    }

    for (CK_ULONG i = 0; i < count; i++) {
        const CK_ATTRIBUTE *attr = &attrs[i];
        plan.who &= kinds_with(attr->type, &plan.documents);
        if (attr->type == CKA_CLASS)
            plan.who &=
                kvp_class_who(kvp_template_ulong(attr, 1, CKA_CLASS, CK_UNAVAILABLE_INFORMATION));
        else if (attr->type == CKA_KEY_TYPE)
            plan.who &= kinds_of_type(attr);
        else
            plan.who &= ~kinds_unfit(slot, attr, plan.who);
    }
    for (size_t k = 0; k < KVP_ARRAY_LEN(likeliest); k++) {
        const CK_ATTRIBUTE *attr = kvp_template_find(attrs, count, likeliest[k]);
        if (attr)
            plan_identity(slot, attr, &plan);
    }
    plan.documents &= plan.who;
    for (int c = 0; c < KVP_COLLECTION_COUNT; c++)
        if (plan.who & kinds_in((kvp_collection)c))
            plan.collections |= KVP_COLLECTION_BIT(c);
    *ret = plan;
}
