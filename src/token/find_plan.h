/* SPDX-License-Identifier: MIT */
/*
 * What a search has to ask of the vault: decided from the template alone, before any request.
 *
 *  - Classes that a vault never has, CKA_TRUSTED = TRUE, CKA_TOKEN = FALSE and other values that
 *    nothing in a vault can have: nothing (Chromium asks for NSS_TRUST 170 times at its start).
 *  - An exact CKA_LABEL, CKA_ID, CKA_UNIQUE_ID or CKA_KVP_KEY_ID names an entry: one GET, no list.
 *    Only when that entry is not there, or is called otherwise by a tag, the list is read, as another
 *    one may have the label or id by its tags, or an id that is the hash of a long name. Who may get
 *    keys and not list them (403) finds keys by their names alone.
 *  - Anything else: list pages of those collections that have objects of such a class, at once; and
 *    bundles only if the template has attributes that need them.
 *
 * A search without class by a label or id finds the key and, where the key says that it belongs to
 * one, its certificate. A certificate that is kept as a secret is found by its class, or by a search
 * that reads the list. Two keys of one label, one by its name and another by its tag, are both found by a search that
 * reads the list, while the search by that label alone stops at the name.
 */
#ifndef KVP_TOKEN_FIND_PLAN_H
#define KVP_TOKEN_FIND_PLAN_H

#include "token/record.h"
#include "token/slot.h"

#define KVP_FIND_REFS 4

typedef struct kvp_find_plan {
    unsigned who;       /**< kinds of token objects that can match (KVP_IS_ bits), 0: none */
    unsigned documents; /**< kinds for which matching needs bundles */
    unsigned collections; /**< that can have such objects, as bits (object_store.h) */
    bool exact;         /**< the template has a label or an id */
    bool issuer;  /**< the template has the CKA_UNIQUE_ID of an issuer */
    bool certain; /**< refs[0] is the only one that can match (CKA_UNIQUE_ID, CKA_KVP_KEY_ID) */
    kvp_key_ref refs[KVP_FIND_REFS]; /**< what the template can name, the likeliest first */
    size_t ref_count;
} kvp_find_plan;

/** @attrs: pointers were checked. */
void kvp_find_plan_make(const kvp_slot *slot, const CK_ATTRIBUTE *attrs, CK_ULONG count,
                        kvp_find_plan *ret);
/** Whether @type is one of the attributes that make a search exact. */
bool kvp_attribute_is_identity(CK_ATTRIBUTE_TYPE type);

#endif
