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

kvp_status kvp_store_rotation_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  kvp_rotation_policy *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "SELECT " COLUMNS " FROM keys k JOIN rotation_policies p ON p.key = k.id"
                          " WHERE k.vault = ?1 AND k.name = ?2 AND k.deleted IS NULL",
                          reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            status = read_policy(stmt, 0, ret, reterr);
        else if (rc == SQLITE_DONE)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no rotation policy");
        else
            status = kvp_store_failed(conn, reterr, "reading");
        sqlite3_reset(stmt);
    }
    kvp_store_give(store, conn);
    return status;
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

kvp_status kvp_store_rotation_list(kvp_store *store, kvp_rotation_entry **ret, size_t *ret_count,
                                   kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_rotation_entry *entries = NULL;
    size_t count = 0, size = 0;
    kvp_status status = KVP_ERR_IO;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(conn,
                                           "SELECT k.vault, k.name, " COLUMNS
                                           " FROM keys k JOIN rotation_policies p ON p.key = k.id"
                                           " WHERE k.deleted IS NULL ORDER BY k.id",
                                           reterr);
    if (stmt)
        status = KVP_OK;
    while (status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (count == size) {
            size = size ? size * 2 : 16;
            kvp_rotation_entry *grown = kvp_realloc(entries, size * sizeof(*entries));
            if (!grown) {
                status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "rotation policies");
                break;
            }
            entries = grown;
        }
        entries[count].vault = sqlite3_column_int64(stmt, 0);
        kvp_store_copy(stmt, 1, entries[count].name, sizeof(entries[count].name));
        status = read_policy(stmt, 2, &entries[count].policy, reterr);
        if (status == KVP_OK)
            count++;
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "reading");
    if (stmt)
        sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    if (status != KVP_OK) {
        kvp_store_rotation_free(entries, count);
        return status;
    }
    *ret = entries;
    *ret_count = count;
    return KVP_OK;
}
