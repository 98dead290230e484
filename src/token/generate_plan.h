/* SPDX-License-Identifier: MIT */
/*
 * What key a generation template asks for: decided, and refused where the vault cannot do it,
 * before any request. Pure but for a random ending of names.
 *
 * Decisions that the standard leaves open, or that a vault forces:
 *  - CKA_LABEL becomes the vault name where it is one; else a name is made of it and the label is
 *    kept in a tag, as is a CKA_ID other than the name. Without a label a CKA_ID that can be a name is
 *    one, else it is `key-` and eight hexadecimal digits; a name that nobody asked for gives way to
 *    one that is taken.
 *  - A private key can only be a token object: CKA_TOKEN must be TRUE for it. A public key template
 *    that says FALSE gets a session object with the same numbers; the vault has its own as well.
 *  - Usage attributes become key_ops. None at all: the service's defaults. Some TRUE: just those,
 *    and a template of the pair that says nothing of usage gets the counterparts (verify for sign).
 *    Only FALSE ones: the defaults without them.
 *  - CKA_PRIVATE, CKA_COPYABLE and CKA_DERIVE are accepted and not kept: pkcs11-tool asks for
 *    private objects always, and for derivation with every EC key. Every other attribute must come
 *    out as asked for, or nothing is made.
 */
#ifndef KVP_TOKEN_GENERATE_PLAN_H
#define KVP_TOKEN_GENERATE_PLAN_H

#include "token/attribute_table.h"
#include "token/slot.h"
#include "token/template.h"

typedef struct kvp_generation {
    kvp_key *draft;      /**< owned: the key as it shall be, without id and version */
    bool default_ops;    /**< leave key_ops to the service */
    bool free_name;      /**< nobody asked for the draft's name */
    bool session_public; /**< the public key object is wanted as a session object */
} kvp_generation;
void kvp_generation_clear(kvp_generation *generation);

/** CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN. call->error says more than the CK_RV. */
CK_RV kvp_generation_pair(kvp_call *call, const kvp_slot *slot, CK_MECHANISM_TYPE mechanism,
                          kvp_template public_template, kvp_template private_template,
                          kvp_generation *ret);
/** CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN for a token object (Managed HSM). */
CK_RV kvp_generation_secret(kvp_call *call, const kvp_slot *slot, CK_MECHANISM_TYPE mechanism,
                            kvp_template attrs, kvp_generation *ret);
/** The request for it; borrows from @generation. */
void kvp_generation_request(const kvp_generation *generation, const kvp_slot *slot,
                            kvp_key_create *ret);

/** The key_ops that a key of @type can have in a vault: RSA, EC, AES; any other is for MACs. */
uint32_t kvp_key_ops(CK_KEY_TYPE type);

/**
 * The curve that CKA_EC_PARAMS names, by OID or by PrintableString. CKR_OK, CKR_CURVE_NOT_SUPPORTED,
 * CKR_ATTRIBUTE_VALUE_INVALID.
 */
CK_RV kvp_curve_from_params(const void *der, size_t len, kvp_curve *ret);

#endif
