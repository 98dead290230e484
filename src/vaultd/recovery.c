/* SPDX-License-Identifier: MIT */
/* The table of recovery levels and what follows from a level. */
#include "vaultd/recovery.h"

#include "vaultd/keeper.h"
#include "vaultd/note.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400
#define CUSTOMIZED "Customized"

const kvp_recovery_level kvp_recovery_levels[] = {
    { "Purgeable", 0, 0, true },
    { "Recoverable+Purgeable", 90, 90, true },
    { "Recoverable", 90, 90, false },
    { "Recoverable+ProtectedSubscription", 90, 90, false },
    { "CustomizedRecoverable+Purgeable", 7, 89, true },
    { "CustomizedRecoverable", 7, 89, false },
    { "CustomizedRecoverable+ProtectedSubscription", 7, 89, false },
};
const size_t kvp_recovery_level_count = KVP_ARRAY_LEN(kvp_recovery_levels);

const kvp_recovery_level *kvp_recovery_find(const char *name)
{
    for (size_t i = 0; i < kvp_recovery_level_count; i++) {
        if (kvp_ident_casecmp(kvp_recovery_levels[i].name, name) == 0)
            return &kvp_recovery_levels[i];
    }
    return NULL;
}

static bool fits(const kvp_recovery_level *level, int days)
{
    return days >= level->days_min && days <= level->days_max;
}

/* The level that is @level but for the days: customized, or no longer so. */
static const kvp_recovery_level *counterpart(const kvp_recovery_level *level)
{
    const char *name = level->name;
    char other[64];

    if (strncmp(name, CUSTOMIZED, strlen(CUSTOMIZED)) == 0)
        return kvp_recovery_find(name + strlen(CUSTOMIZED));
    snprintf(other, sizeof(other), CUSTOMIZED "%s", name);
    return kvp_recovery_find(other);
}

kvp_status kvp_recovery_choose(kvp_vault_info *vault, const char *name, int days, kvp_error *reterr)
{
    const kvp_recovery_level *level = kvp_recovery_find(name ? name : vault->recovery_level);

    if (!level)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "'%.60s' is no recovery level",
                             name ? name : vault->recovery_level);
    if (days < 0)
        days = level->days_min == level->days_max ? level->days_min : vault->recoverable_days;
    else if (!name && !fits(level, days) && counterpart(level))
        level = counterpart(level);
    if (!fits(level, days))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s goes with %d to %d days, not with %d",
                             level->name, level->days_min, level->days_max, days);
    snprintf(vault->recovery_level, sizeof(vault->recovery_level), "%s", level->name);
    vault->recoverable_days = days;
    return KVP_OK;
}

bool kvp_recovery_allows_purge(const kvp_vault_info *vault)
{
    const kvp_recovery_level *level = kvp_recovery_find(vault->recovery_level);

    return level && level->purge;
}

kvp_status kvp_recovery_check_change(const kvp_vault_info *from, const kvp_vault_info *to,
                                     kvp_error *reterr)
{
    if (kvp_recovery_allows_purge(from))
        return KVP_OK;
    if (kvp_recovery_allows_purge(to))
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "purge protection cannot be taken back");
    if (to->recoverable_days < from->recoverable_days)
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "under purge protection objects are not kept for less than before");
    return KVP_OK;
}

bool kvp_recovery_may_purge(kvp_exchange *ex)
{
    if (kvp_recovery_allows_purge(&ex->daemon->vault))
        return true;
    kvp_refuse(ex, KVP_REFUSE_PURGE_PROTECTED, ex->daemon->vault.name);
    return false;
}

int64_t kvp_recovery_purge_time(const kvp_exchange *ex, int64_t now)
{
    return now + (int64_t)ex->daemon->vault.recoverable_days * DAY;
}

bool kvp_recovery_is_possible(const kvp_exchange *ex)
{
    return ex->daemon->vault.recoverable_days > 0;
}

void kvp_purge_due(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_purge_due(ex->daemon->store, kvp_ident_now(), &error) != KVP_OK)
        kvp_note("purging what is due: %s", error.message);
}

void kvp_recovery_finish_delete(kvp_exchange *ex)
{
    if (kvp_recovery_is_possible(ex))
        return;
    kvp_purge_due(ex);
    kvp_key_cache_empty(ex->daemon->cache);
    kvp_keeper_sweep(ex->daemon);
}
