/* SPDX-License-Identifier: MIT */
/* Deletion of keys and the way back (wire reference, section 3, "Life of a deleted object"). */
#include "vaultd/keeper.h"
#include "vaultd/key_doc.h"
#include "vaultd/recovery.h"
#include "vaultd/routes.h"

static void answer(kvp_exchange *ex, kvp_key_state state)
{
    kvp_error error = { .status = KVP_OK };
    kvp_key_record record = { .row = 0 };

    if (kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL, state, &record,
                          &error) != KVP_OK) {
        kvp_key_missing(ex, state, &error);
        return;
    }
    kvp_key_answer(ex, &record);
    kvp_key_record_clear(&record);
}

void kvp_keys_delete(kvp_exchange *ex)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    int64_t now = kvp_ident_now();
    kvp_error error = { .status = KVP_OK };

    kvp_purge_due(ex);
    if (kvp_store_key_delete(ex->daemon->store, vault, ex->name, now,
                             kvp_recovery_purge_time(ex, now), &error) != KVP_OK) {
        kvp_key_missing(ex, KVP_KEY_LIVE, &error);
        return;
    }
    answer(ex, KVP_KEY_DELETED);
    kvp_recovery_finish_delete(ex);
}

void kvp_keys_get_deleted(kvp_exchange *ex)
{
    answer(ex, KVP_KEY_DELETED);
}

void kvp_keys_recover(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    /* An unknown name gets the words for live keys here (recorded). */
    if (kvp_store_key_recover(ex->daemon->store, &ex->daemon->vault, ex->name, &error) != KVP_OK)
        kvp_key_missing(ex, KVP_KEY_LIVE, &error);
    else
        answer(ex, KVP_KEY_LIVE);
}

void kvp_keys_purge(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    if (!kvp_recovery_may_purge(ex))
        return;
    if (kvp_store_key_purge(ex->daemon->store, &ex->daemon->vault, ex->name, &error) != KVP_OK) {
        kvp_key_missing(ex, KVP_KEY_DELETED, &error);
        return;
    }
    kvp_key_cache_empty(ex->daemon->cache);
    kvp_keeper_sweep(ex->daemon);
    ex->status = 204;
}
