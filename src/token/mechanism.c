/* SPDX-License-Identifier: MIT */
/* Questions to the mechanism table: which there are, what they can do, which keys they fit. */
#include "token/mech_ops.h"

static bool is_on(const kvp_mechanism *row, const kvp_slot *slot)
{
    return (row->where & (slot->config->managed_hsm ? KVP_ON_MANAGED_HSM : KVP_ON_VAULT)) != 0;
}

const kvp_mechanism *kvp_mechanism_find(const kvp_slot *slot, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < kvp_mechanism_count; i++) {
        if (kvp_mechanisms[i].type == type)
            return is_on(&kvp_mechanisms[i], slot) ? &kvp_mechanisms[i] : NULL;
    }
    return NULL;
}

CK_RV kvp_mechanism_list(const kvp_slot *slot, CK_MECHANISM_TYPE *ret, CK_ULONG *count)
{
    CK_ULONG there = 0;
    for (size_t i = 0; i < kvp_mechanism_count; i++)
        there += is_on(&kvp_mechanisms[i], slot);
    CK_ULONG room = *count;
    *count = there;
    if (!ret)
        return CKR_OK;
    if (room < there)
        return CKR_BUFFER_TOO_SMALL;
    for (size_t i = 0; i < kvp_mechanism_count; i++) {
        if (is_on(&kvp_mechanisms[i], slot))
            *ret++ = kvp_mechanisms[i].type;
    }
    return CKR_OK;
}

/*
 * CKF_HW: "performed by the device", which is the token, not this library. Private keys are only
 * ever made and used there, whatever protects them inside, and pkcs11-tool 0.23 without -m takes no
 * mechanism that lacks the flag. Symmetric keys are the device's in a Managed HSM and the session's
 * elsewhere. What a mechanism does with a public key or a session's is done here all the same: the
 * flag is one for all that it does.
 */
static bool is_by_device(const kvp_mechanism *row, const kvp_slot *slot)
{
    bool has_keys = slot->config->managed_hsm || !kvp_mechanism_is_symmetric(row);
    return has_keys && (!row->ops || row->ops->remote);
}

CK_RV kvp_mechanism_info(const kvp_slot *slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *ret)
{
    const kvp_mechanism *row = kvp_mechanism_find(slot, type);
    if (!row)
        return CKR_MECHANISM_INVALID;
    ret->ulMinKeySize = row->min_bits;
    ret->ulMaxKeySize = row->max_bits;
    ret->flags = row->flags;
    if (is_by_device(row, slot))
        ret->flags |= CKF_HW;
    return CKR_OK;
}

bool kvp_mechanism_is_symmetric(const kvp_mechanism *mechanism)
{
    return mechanism->key_type == CKK_AES || mechanism->key_type == CKK_GENERIC_SECRET;
}

/* HMAC also takes the key type of its own hash (PKCS#11 v3.1 §6.19 on), and whatever the HSM lets
 * sign. */
static bool is_hmac_key_type(kvp_hash hash, CK_KEY_TYPE type, bool token)
{
    switch (type) {
    case CKK_SHA_1_HMAC:
        return hash == KVP_HASH_SHA1;
    case CKK_SHA224_HMAC:
        return hash == KVP_HASH_SHA224;
    case CKK_SHA256_HMAC:
        return hash == KVP_HASH_SHA256;
    case CKK_SHA384_HMAC:
        return hash == KVP_HASH_SHA384;
    case CKK_SHA512_HMAC:
        return hash == KVP_HASH_SHA512;
    case CKK_AES:
        return token;
    default:
        return false;
    }
}

bool kvp_mechanism_takes_type(const kvp_mechanism *mechanism, const kvp_object *key)
{
    CK_KEY_TYPE type = kvp_object_key_type(key);
    if (type == CK_UNAVAILABLE_INFORMATION)
        return false;
    bool fits = type == mechanism->key_type;
    if (!fits && mechanism->key_type == CKK_GENERIC_SECRET)
        fits = is_hmac_key_type(mechanism->hash, type, kvp_object_is_token(key));
    return fits &&
           (!mechanism->ops || !mechanism->ops->fits || mechanism->ops->fits(mechanism, key));
}

bool kvp_mechanism_takes_size(const kvp_mechanism *mechanism, const kvp_object *key)
{
    CK_ULONG size = kvp_object_key_bits(key);
    if (kvp_mechanism_is_symmetric(mechanism)) {
        if (size == 0 && kvp_object_is_token(key))
            return true; /* a service before 2026-04-01 does not tell it */
        if (mechanism->key_type == CKK_AES && size != 128 && size != 192 && size != 256)
            return false;
        size /= 8;
    }
    return size >= mechanism->min_bits && size <= mechanism->max_bits;
}

bool kvp_mechanism_fits_key(const kvp_mechanism *mechanism, const kvp_slot *slot,
                            const kvp_object *key)
{
    if (!mechanism->ops || mechanism->key_type == CK_UNAVAILABLE_INFORMATION ||
        !is_on(mechanism, slot))
        return false;
    if (!kvp_mechanism_takes_type(mechanism, key) || !kvp_mechanism_takes_size(mechanism, key))
        return false;

    CK_OBJECT_CLASS class = kvp_object_class(key);
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++) {
        const kvp_kind_info *info = kvp_kind_info_get(kind);
        if (!info ||
            class != (kvp_mechanism_is_symmetric(mechanism) ? CKO_SECRET_KEY : info->key_class))
            continue;
        for (kvp_use use = 0; use < KVP_USE_COUNT; use++) {
            if ((mechanism->flags & info->uses[use].flag) &&
                kvp_mechanism_may_use(mechanism, key, kind, use))
                return true;
        }
    }
    return false;
}
