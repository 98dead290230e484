/* SPDX-License-Identifier: MIT */
/* The vaults of a store and the settings of each. What a vault holds is the other files' matter. */
#include "vaultd/store_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

void kvp_store_read_vault(sqlite3_stmt *stmt, kvp_vault_info *ret_info)
{
    *ret_info = (kvp_vault_info){ .id = sqlite3_column_int64(stmt, 0),
                                  .recoverable_days = sqlite3_column_int(stmt, 6) };
    kvp_store_copy(stmt, 1, ret_info->name, sizeof(ret_info->name));
    ret_info->kind =
        strcmp(kvp_store_text(stmt, 2), "vault") == 0 ? KVP_VAULT_STANDARD : KVP_VAULT_HSM;
    kvp_store_copy(stmt, 3, ret_info->tenant, sizeof(ret_info->tenant));
    kvp_store_copy(stmt, 4, ret_info->subscription, sizeof(ret_info->subscription));
    kvp_store_copy(stmt, 5, ret_info->recovery_level, sizeof(ret_info->recovery_level));
}

kvp_status kvp_store_vault_insert(kvp_store_conn *conn, const kvp_vault_info *info,
                                  const void *check, size_t check_len, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO vaults (name, kind, tenant, subscription, recovery_level, recoverable_days,"
        " storage_check) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
        " coalesce(?7, (SELECT storage_check FROM vaults ORDER BY id LIMIT 1)))",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_text(stmt, 1, info->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, kvp_vault_kind_names[info->kind], -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, info->tenant, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, info->subscription, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, info->recovery_level, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 6, info->recoverable_days);
    if (check)
        sqlite3_bind_blob(stmt, 7, check, (int)check_len, SQLITE_STATIC);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK && sqlite3_extended_errcode(conn->db) == SQLITE_CONSTRAINT_UNIQUE)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "there is already a vault '%s'", info->name);
    return status;
}

/* The row that @stmt finds; @what is said when there is none. */
static kvp_status read_one(kvp_store_conn *conn, sqlite3_stmt *stmt, kvp_vault_info *ret_info,
                           const char *what, kvp_error *reterr)
{
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    kvp_status status = KVP_ERR_IO;

    if (rc == SQLITE_ROW) {
        kvp_store_read_vault(stmt, ret_info);
        status = KVP_OK;
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "%s", what);
    } else if (stmt) {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    return status;
}

kvp_status kvp_store_vault(kvp_store *store, kvp_vault_info *ret_info, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT " KVP_STORE_VAULT_COLUMNS " FROM vaults ORDER BY id LIMIT 1", reterr);
    kvp_status status = read_one(conn, stmt, ret_info, "the store holds no vault", reterr);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_vault_find(kvp_store *store, const char *name, kvp_vault_info *ret_info,
                                kvp_error *reterr)
{
    kvp_stamp stamp;
    char what[96];

    if (kvp_recent_vault(store->recent, name, &stamp, ret_info))
        return KVP_OK;
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT " KVP_STORE_VAULT_COLUMNS " FROM vaults WHERE name = ?1", reterr);
    if (stmt)
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    snprintf(what, sizeof(what), "there is no vault '%.40s'", name);
    kvp_status status = read_one(conn, stmt, ret_info, what, reterr);
    kvp_store_give(store, conn);
    if (status == KVP_OK)
        kvp_recent_keep_vault(store->recent, name, &stamp, ret_info);
    return status;
}

kvp_status kvp_store_vault_list(kvp_store *store, kvp_vault_info **ret_vaults, size_t *ret_count,
                                kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_buf rows = KVP_BUF_INIT(0);
    kvp_status status = KVP_OK;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT " KVP_STORE_VAULT_COLUMNS " FROM vaults ORDER BY id", reterr);
    while (stmt && status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kvp_vault_info info;
        kvp_store_read_vault(stmt, &info);
        status = kvp_buf_append(&rows, &info, sizeof(info));
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = stmt ? kvp_store_failed(conn, reterr, "reading") : KVP_ERR_IO;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    if (status != KVP_OK) {
        kvp_buf_clear(&rows);
        return status;
    }
    *ret_count = rows.len / sizeof(kvp_vault_info);
    *ret_vaults = (kvp_vault_info *)(void *)rows.data; /* the buffer's memory is kvp_alloc's */
    return KVP_OK;
}

kvp_status kvp_store_vault_add(kvp_store *store, const kvp_vault_info *info, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    return kvp_store_end(store, kvp_store_vault_insert(conn, info, NULL, 0, reterr), reterr);
}

/*
 * Every table that refers to vaults, with the column: so what a vault holds is found whatever kinds
 * of things there are. The names come from our own schema and are quoted by SQLite itself.
 */
static const char holders_sql[] =
    "SELECT format('%w', m.name), format('%w', f.\"from\"), m.name IN ('role_assignments',"
    " 'role_definitions', 'settings')"
    " FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f"
    " WHERE m.type = 'table' AND f.\"table\" = 'vaults' COLLATE NOCASE";

/* Run @format, with a table and a column for its two %s and the vault for ?1, for each holder. */
static kvp_status each_holder(kvp_store_conn *conn, const char *verb, int64_t vault,
                              bool with_access, int64_t *ret_sum, kvp_error *reterr)
{
    sqlite3_stmt *holders = NULL, *stmt = NULL;
    kvp_status status = KVP_OK;
    int rc = SQLITE_ERROR;

    if (sqlite3_prepare_v2(conn->db, holders_sql, -1, &holders, NULL) != SQLITE_OK)
        return kvp_store_failed(conn, reterr, "reading the schema");
    while (status == KVP_OK && (rc = sqlite3_step(holders)) == SQLITE_ROW) {
        if (!with_access && sqlite3_column_int(holders, 2))
            continue;
        char sql[300];
        snprintf(sql, sizeof(sql), "%s FROM \"%s\" WHERE \"%s\" = ?1", verb,
                 kvp_store_text(holders, 0), kvp_store_text(holders, 1));
        if (sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
            status = kvp_store_failed(conn, reterr, "preparing a statement");
            break;
        }
        sqlite3_bind_int64(stmt, 1, vault);
        int step = sqlite3_step(stmt);
        if (step == SQLITE_ROW && ret_sum)
            *ret_sum += sqlite3_column_int64(stmt, 0);
        else if (step != SQLITE_DONE)
            status = kvp_store_failed(conn, reterr, "removing");
        sqlite3_finalize(stmt);
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "reading the schema");
    sqlite3_finalize(holders);
    return status;
}

kvp_status kvp_store_vault_objects(kvp_store *store, const kvp_vault_info *vault,
                                   int64_t *ret_count, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    int64_t sum = 0;

    if (!conn)
        return KVP_ERR_IO;
    kvp_status status = each_holder(conn, "SELECT count(*)", vault->id, false, &sum, reterr);
    kvp_store_give(store, conn);
    if (status == KVP_OK)
        *ret_count = sum;
    return status;
}

static kvp_status remove_rows(kvp_store_conn *conn, int64_t vault, kvp_error *reterr)
{
    /* Things of a vault may refer to each other: only the end must be whole. */
    if (sqlite3_exec(conn->db, "PRAGMA defer_foreign_keys=ON", NULL, NULL, NULL) != SQLITE_OK)
        return kvp_store_failed(conn, reterr, "removing a vault");
    kvp_status status = each_holder(conn, "DELETE", vault, true, NULL, reterr);
    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, "DELETE FROM vaults WHERE id = ?1", reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_vault_remove(kvp_store *store, const char *name, kvp_error *reterr)
{
    kvp_vault_info vault, first;
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_vault_find(store, name, &vault, reterr);

    if (status == KVP_OK)
        status = kvp_store_vault(store, &first, reterr);
    if (status == KVP_OK && vault.id == first.id)
        status = kvp_error_set(reterr, KVP_ERR_REFUSED, "'%s' is the default vault and stays",
                               vault.name);
    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status != KVP_OK)
        return status;
    return kvp_store_end(store, remove_rows(conn, vault.id, reterr), reterr);
}

kvp_status kvp_store_setting_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 char *ret, size_t size, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT value FROM settings WHERE vault = ?1 AND name = ?2", reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
    }
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        kvp_store_copy(stmt, 0, ret, size);
        status = KVP_OK;
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "%s was never set", name);
    } else if (stmt) {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_setting_put(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 const char *value, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_TEXT(value) };

    return kvp_store_change(store,
                            "INSERT INTO settings (vault, name, value) VALUES (?1, ?2, ?3)"
                            " ON CONFLICT (vault, name) DO UPDATE SET value = ?3",
                            values, KVP_ARRAY_LEN(values), NULL, reterr);
}

kvp_status kvp_store_vault_set_recovery(kvp_store *store, const kvp_vault_info *vault,
                                        kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id),
                                       KVP_STORE_TEXT(vault->recovery_level),
                                       KVP_STORE_NUMBER(vault->recoverable_days) };

    return kvp_store_change(
        store, "UPDATE vaults SET recovery_level = ?2, recoverable_days = ?3 WHERE id = ?1", values,
        KVP_ARRAY_LEN(values), "vault", reterr);
}
