/* SPDX-License-Identifier: MIT */
/* Rotation policies: rows beside the keys. */
#include "vaultd/store_rotation.h"

#include "base/alloc.h"
#include "vaultd/store_internal.h"

#include <string.h>

#define COLUMNS "p.actions, p.expiry, p.created, p.updated"

void kvp_rotation_policy_clear(kvp_rotation_policy *policy)
{
    kvp_free(policy->actions_json);
    kvp_free(policy->expiry);
    *policy = (kvp_rotation_policy){ .actions_json = NULL };
}

static kvp_status read_policy(sqlite3_stmt *stmt, int column, kvp_rotation_policy *ret,
                              kvp_error *reterr)
{
    kvp_rotation_policy policy = { kvp_strdup(kvp_store_text(stmt, column)),
                                   kvp_strdup(kvp_store_text(stmt, column + 1)),
                                   sqlite3_column_int64(stmt, column + 2),
                                   sqlite3_column_int64(stmt, column + 3) };

    if (!policy.actions_json || !policy.expiry) {
        kvp_rotation_policy_clear(&policy);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "rotation policy");
    }
    *ret = policy;
    return KVP_OK;
}

static kvp_status read_alone(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    return read_policy(stmt, 0, ret, reterr);
}

kvp_status kvp_store_rotation_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  kvp_rotation_policy *ret, kvp_error *reterr)
{
    static const kvp_store_rows rows = { "rotation policy", sizeof(kvp_rotation_policy), read_alone,
                                         NULL };
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name) };

    return kvp_store_read_one(store, &rows,
                              "SELECT " COLUMNS
                              " FROM keys k JOIN rotation_policies p ON p.key = k.id"
                              " WHERE k.vault = ?1 AND k.name = ?2 AND k.deleted IS NULL",
                              values, KVP_ARRAY_LEN(values), ret, reterr);
}

static kvp_status write_policy(kvp_store_conn *conn, const kvp_vault_info *vault, const char *name,
                               kvp_rotation_policy *policy, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO rotation_policies (key, actions, expiry, created, updated)"
        " SELECT id, ?3, ?4, ?5, ?6 FROM keys WHERE vault = ?1 AND name = ?2 AND deleted IS NULL"
        " ON CONFLICT (key) DO UPDATE SET actions = excluded.actions, expiry = excluded.expiry,"
        " updated = excluded.updated RETURNING created",
        reterr);
    kvp_status status = KVP_OK;

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, policy->actions_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, policy->expiry, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, policy->created);
    sqlite3_bind_int64(stmt, 6, policy->updated);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        policy->created = sqlite3_column_int64(stmt, 0);
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_DONE)
            status = kvp_store_failed(conn, reterr, "writing");
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such key");
    } else {
        status = kvp_store_failed(conn, reterr, "writing");
    }
    sqlite3_reset(stmt);
    return status;
}

kvp_status kvp_store_rotation_put(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  kvp_rotation_policy *policy, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    return kvp_store_end(store, write_policy(conn, vault, name, policy, reterr), reterr);
}

void kvp_store_rotation_free(kvp_rotation_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kvp_rotation_policy_clear(&entries[i].policy);
    kvp_free(entries);
}

static kvp_status read_entry(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_rotation_entry *entry = ret;

    entry->vault = sqlite3_column_int64(stmt, 0);
    kvp_store_copy(stmt, 1, entry->vault_name, sizeof(entry->vault_name));
    kvp_store_copy(stmt, 2, entry->name, sizeof(entry->name));
    return read_policy(stmt, 3, &entry->policy, reterr);
}

static void clear_entry(void *entry)
{
    kvp_rotation_policy_clear(&((kvp_rotation_entry *)entry)->policy);
}

kvp_status kvp_store_rotation_list(kvp_store *store, kvp_rotation_entry **ret, size_t *ret_count,
                                   kvp_error *reterr)
{
    static const kvp_store_rows rows = { "rotation policy", sizeof(kvp_rotation_entry), read_entry,
                                         clear_entry };
    kvp_store_list list = { NULL, 0, false };
    kvp_status status = kvp_store_read_many(store, &rows,
                                            "SELECT k.vault, s.name, k.name, " COLUMNS
                                            " FROM keys k JOIN vaults s ON s.id = k.vault"
                                            " JOIN rotation_policies p ON p.key = k.id"
                                            " WHERE k.deleted IS NULL ORDER BY k.id",
                                            NULL, 0, 0, &list, reterr);

    *ret = list.items;
    *ret_count = list.count;
    return status;
}
