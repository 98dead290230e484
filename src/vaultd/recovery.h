/* SPDX-License-Identifier: MIT */
/*
 * What becomes of deleted objects: the recovery levels of the service (wire reference, section 3),
 * one of which a vault has, and the purging that they allow.
 */
#ifndef KVP_VAULTD_RECOVERY_H
#define KVP_VAULTD_RECOVERY_H

#include "vaultd/exchange.h"

/** A row a level. */
typedef struct kvp_recovery_level {
    const char *name;       /**< `CustomizedRecoverable+Purgeable` */
    int days_min, days_max; /**< for how long deleted objects are kept */
    bool purge;             /**< they may be purged before */
} kvp_recovery_level;
extern const kvp_recovery_level kvp_recovery_levels[];
extern const size_t kvp_recovery_level_count;

/** The row of @name, or NULL. */
const kvp_recovery_level *kvp_recovery_find(const char *name);

/**
 * Give @vault the level @name and @days; what is not given (NULL, -1) stays as it is or follows: a
 * level with one number of days has that one, days other than a level's make it the customized one.
 * KVP_ERR_INVALID: they do not go together. Does not ask what the vault had before.
 */
kvp_status kvp_recovery_choose(kvp_vault_info *vault, const char *name, int days,
                               kvp_error *reterr);
/** KVP_ERR_REFUSED: @to protects less than @from, whose protection is for good. */
kvp_status kvp_recovery_check_change(const kvp_vault_info *from, const kvp_vault_info *to,
                                     kvp_error *reterr);
/** Whether deleted objects of @vault may be purged before their time. */
bool kvp_recovery_allows_purge(const kvp_vault_info *vault);

/** Whether the request may purge; false after refusing it. */
bool kvp_recovery_may_purge(kvp_exchange *ex);
/** When an object that is deleted at @now is purged. */
int64_t kvp_recovery_purge_time(const kvp_exchange *ex, int64_t now);
/** Whether a deleted object can be recovered at all, and its bundle says how. */
bool kvp_recovery_is_possible(const kvp_exchange *ex);
/** Purge what is due, in all vaults; failures are noted. */
void kvp_purge_due(kvp_exchange *ex);
/** After the answer to a deletion: where nothing can be recovered, it is purged at once. */
void kvp_recovery_finish_delete(kvp_exchange *ex);

#endif
