/* SPDX-License-Identifier: MIT */
/* Rotation of keys apart from requests: what is due gets a new version. */
#ifndef KVP_VAULTD_KEY_ROTATION_H
#define KVP_VAULTD_KEY_ROTATION_H

#include "vaultd/exchange.h"
#include "vaultd/store_rotation.h"

/**
 * Rotate every key whose policy says that at @now (Unix seconds) it is time. Keys are taken one by
 * one: one that fails is noted and does not keep the others. Returns the first failure.
 */
kvp_status kvp_keys_rotate_due(const kvp_daemon *daemon, int64_t now, size_t *ret_rotated,
                               kvp_error *reterr);

/** When @policy rotates a key whose current version is @record; KVP_TIME_NONE = never. */
int64_t kvp_rotation_due(const kvp_rotation_policy *policy, const kvp_key_record *record);

#endif
