/* SPDX-License-Identifier: MIT */
/*
 * What key a template of C_CreateObject brings: read, completed with the parts that it may leave
 * out, and refused where the vault cannot have it, before any request. Pure but for a random ending
 * of names.
 *
 * Labels, ids, dates and usage become what C_GenerateKeyPair makes of them (generate_plan.h). A key
 * in the vault is always sensitive: CKA_SENSITIVE = FALSE is accepted, and the key is guarded better
 * than was asked for (pkcs11-tool says so of every secret key). CKA_EXTRACTABLE = TRUE is refused.
 */
#ifndef KVP_TOKEN_IMPORT_PLAN_H
#define KVP_TOKEN_IMPORT_PLAN_H

#include "token/attribute_table.h"
#include "token/slot.h"
#include "token/template.h"

typedef struct kvp_import {
    kvp_key *draft;          /**< owned: the key as it shall be, without id and version */
    kvp_private_parts parts;
    bool default_ops;        /**< leave key_ops to the service */
    bool free_name;          /**< nobody asked for the draft's name */
} kvp_import;
void kvp_import_clear(kvp_import *import);

/**
 * A private key (@kind KVP_IS_PRIVATE_RSA, KVP_IS_PRIVATE_EC), or a secret key (KVP_IS_SECRET) of
 * @key_type. The template was checked for that kind. call->error says more than the CK_RV.
 */
CK_RV kvp_import_plan(kvp_call *call, const kvp_slot *slot, unsigned kind, CK_KEY_TYPE key_type,
                      kvp_template t, kvp_import *ret);
/** The request for it; borrows from @import. */
void kvp_import_request(kvp_import *import, const kvp_slot *slot, kvp_key_import *ret);

/** The numbers of a public key template, RSA or EC, checked to be a key, into @key with its kty. */
CK_RV kvp_template_public_key(kvp_template t, kvp_key *key);

#endif
