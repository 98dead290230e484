/* SPDX-License-Identifier: MIT */
/* Rotation policies in the store, and whole keys leaving and entering it as backups. */
#ifndef KVP_VAULTD_STORE_ROTATION_H
#define KVP_VAULTD_STORE_ROTATION_H

#include "vaultd/store.h"

/** Strings are owned. */
typedef struct kvp_rotation_policy {
    char *actions_json; /**< lifetimeActions: what each does and when, as JSON text */
    char *expiry;       /**< duration, "" = none */
    int64_t created, updated;
} kvp_rotation_policy;
void kvp_rotation_policy_clear(kvp_rotation_policy *policy);
KVP_DEFINE_FREEP(kvp_rotation_policy, kvp_rotation_policy_clear);

/** The policy of a live key. KVP_ERR_NOT_FOUND: it has none, or there is no such key. */
kvp_status kvp_store_rotation_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  kvp_rotation_policy *ret, kvp_error *reterr);
/** Set it; `created` of one that exists is kept and returned in @policy. KVP_ERR_NOT_FOUND: no such
 * key. */
kvp_status kvp_store_rotation_put(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  kvp_rotation_policy *policy, kvp_error *reterr);

/** A live key that has a policy. */
typedef struct kvp_rotation_entry {
    int64_t vault;
    char vault_name[25];
    char name[KVP_NAME_MAX + 1];
    kvp_rotation_policy policy;
} kvp_rotation_entry;
/** All of them, in all vaults: an owned array, freed with kvp_store_rotation_free. */
kvp_status kvp_store_rotation_list(kvp_store *store, kvp_rotation_entry **ret, size_t *ret_count,
                                   kvp_error *reterr);
void kvp_store_rotation_free(kvp_rotation_entry *entries, size_t count);

/* --- store_key_copies.c ---------------------------------------------------------------------- */

/** A version with its private half. */
typedef struct kvp_key_copy {
    kvp_key_record record;
    kvp_buf material; /**< secret */
} kvp_key_copy;
/**
 * Add all of @copies, versions of one name, in one transaction; the one whose record is `current`
 * becomes the current one. @policy may be NULL. KVP_ERR_REFUSED: a key of that name, living or
 * deleted, is there.
 */
kvp_status kvp_store_key_restore(kvp_store *store, const kvp_vault_info *vault,
                                 kvp_key_copy *copies, size_t count,
                                 const kvp_rotation_policy *policy, kvp_error *reterr);

/** A backup names the token's objects of all versions of a key now: purging it spares them.
 * KVP_ERR_NOT_FOUND: the key is not there any more. */
kvp_status kvp_store_key_keep(kvp_store *store, const kvp_vault_info *vault, const char *name,
                              kvp_error *reterr);

/** What a purged version left in the token, as kvp_token_destroy takes it. */
typedef struct kvp_token_leftover {
    int64_t row;
    uint8_t reference[64];
    size_t len;
} kvp_token_leftover;
/** All of them: an owned array (kvp_free). */
kvp_status kvp_store_leftover_list(kvp_store *store, kvp_token_leftover **ret, size_t *ret_count,
                                   kvp_error *reterr);
/** It is destroyed. */
kvp_status kvp_store_leftover_forget(kvp_store *store, int64_t row, kvp_error *reterr);

#endif
