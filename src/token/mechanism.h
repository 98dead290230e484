/* SPDX-License-Identifier: MIT */
/*
 * Mechanisms: a row each in mechanism_table.c. From the row come C_GetMechanismList and
 * C_GetMechanismInfo, CKA_ALLOWED_MECHANISMS, dispatch, and the vault's algorithm.
 */
#ifndef KVP_TOKEN_MECHANISM_H
#define KVP_TOKEN_MECHANISM_H

#include "crypto/crypto.h"
#include "kvpkcs11/cryptoki.h"
#include "token/object.h"

/** Which tokens have it. */
enum { KVP_ON_VAULT = 1, KVP_ON_MANAGED_HSM = 2, KVP_ON_ALL = 3 };

typedef struct kvp_mechanism_ops kvp_mechanism_ops; /* operation.h */

typedef struct kvp_mechanism {
    CK_MECHANISM_TYPE type;
    const char *name;             /**< `CKM_ECDSA_SHA256` */
    CK_KEY_TYPE key_type;         /**< CK_UNAVAILABLE_INFORMATION for digests */
    CK_ULONG min_bits, max_bits;  /**< as CK_MECHANISM_INFO wants them for the type */
    CK_FLAGS flags;               /**< CKF_SIGN | CKF_VERIFY | CKF_EC_…; CKF_HW is added for what the device does */
    unsigned where;               /**< KVP_ON_ */
    kvp_hash hash;                /**< of hashing mechanisms and digests */
    const kvp_mechanism_ops *ops; /**< NULL: key generation, handled by generate.c */
} kvp_mechanism;

extern const kvp_mechanism kvp_mechanisms[];
extern const size_t kvp_mechanism_count;

/** NULL if unknown, or not on this token. */
const kvp_mechanism *kvp_mechanism_find(const kvp_slot *slot, CK_MECHANISM_TYPE type);
/** C_GetMechanismList's length-query rules included. */
CK_RV kvp_mechanism_list(const kvp_slot *slot, CK_MECHANISM_TYPE *ret, CK_ULONG *count);
CK_RV kvp_mechanism_info(const kvp_slot *slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *ret);
/** Whether a key of this type, size and usage can be used with it: CKA_ALLOWED_MECHANISMS lists those. */
bool kvp_mechanism_fits_key(const kvp_mechanism *mechanism, const kvp_slot *slot,
                            const kvp_object *key);

#endif
