/* SPDX-License-Identifier: MIT */
/* What keys, secrets and certificates have in common: names, deletion and the way back, sealed
 * backups. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <string.h>

kvp_status kvp_store_object_find(kvp_store_conn *conn, const kvp_vault_info *vault,
                                 kvp_object_kind kind, const char *name, int64_t *ret_id,
                                 kvp_object_state *ret, kvp_error *reterr)
{
    static const char *const sql[KVP_OBJECT_KIND_COUNT] = {
        "SELECT id, name, deleted, managed FROM keys WHERE vault = ?1 AND name = ?2",
        "SELECT id, name, deleted, managed FROM secrets WHERE vault = ?1 AND name = ?2",
        "SELECT id, name, deleted, 0 FROM certificates WHERE vault = ?1 AND name = ?2",
    };
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql[kind], reterr);
    kvp_status status = KVP_OK;

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *ret_id = sqlite3_column_int64(stmt, 0);
        kvp_store_copy(stmt, 1, ret->name, sizeof(ret->name));
        ret->deleted = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
        ret->managed = sqlite3_column_int(stmt, 3) != 0;
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such object");
    } else {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    return status;
}

kvp_status kvp_store_object_state(kvp_store *store, const kvp_vault_info *vault,
                                  kvp_object_kind kind, const char *name, kvp_object_state *ret,
                                  kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    int64_t id;

    if (!conn)
        return KVP_ERR_IO;
    kvp_status status = kvp_store_object_find(conn, vault, kind, name, &id, ret, reterr);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_by_name(kvp_store_conn *conn, const char *sql, const kvp_vault_info *vault,
                             const char *name, const int64_t *times, int *ret_changes,
                             kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
    for (int i = 0; times && i < 2; i++)
        sqlite3_bind_int64(stmt, 3 + i, times[i]);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    *ret_changes = sqlite3_changes(conn->db);
    return status;
}

/* @sql: the statement for the object itself, then those for what belongs to it, ended by NULL. */
static kvp_status change(kvp_store *store, const kvp_vault_info *vault, const char *name,
                         const char *const *sql, const int64_t *times, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);
    int changes = 0;

    if (status != KVP_OK)
        return status;
    for (size_t i = 0; sql[i] && status == KVP_OK; i++) {
        status = kvp_store_by_name(conn, sql[i], vault, name, times, &changes, reterr);
        if (status == KVP_OK && i == 0 && changes == 0)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such object");
    }
    return kvp_store_end(store, status, reterr);
}

#define BY_NAME " WHERE vault = ?1 AND name = ?2 "
#define DELETE_FROM(table, rest)                                                                   \
    "UPDATE " table " SET deleted = ?3, purge = ?4" BY_NAME "AND deleted IS NULL" rest
#define RECOVER(table, rest)                                                                       \
    "UPDATE " table " SET deleted = NULL, purge = NULL" BY_NAME "AND deleted IS NOT NULL" rest
#define PURGE(table, rest) "DELETE FROM " table BY_NAME "AND deleted IS NOT NULL" rest
/* The key and the secret of a certificate go with it, and only with it. */
#define TRIPLE(VERB)                                                                               \
    {                                                                                              \
        { VERB("keys", " AND managed = 0"), NULL }, { VERB("secrets", " AND managed = 0"), NULL }, \
        {                                                                                          \
            VERB("certificates", ""), VERB("keys", " AND managed = 1"),                            \
                VERB("secrets", " AND managed = 1"), NULL                                          \
        }                                                                                          \
    }

kvp_status kvp_store_object_delete(kvp_store *store, const kvp_vault_info *vault,
                                   kvp_object_kind kind, const char *name, int64_t now,
                                   int64_t purge, kvp_error *reterr)
{
    static const char *const sql[KVP_OBJECT_KIND_COUNT][4] = TRIPLE(DELETE_FROM);
    int64_t times[2] = { now, purge };

    return change(store, vault, name, sql[kind], times, reterr);
}

kvp_status kvp_store_object_recover(kvp_store *store, const kvp_vault_info *vault,
                                    kvp_object_kind kind, const char *name, kvp_error *reterr)
{
    static const char *const sql[KVP_OBJECT_KIND_COUNT][4] = TRIPLE(RECOVER);

    return change(store, vault, name, sql[kind], NULL, reterr);
}

kvp_status kvp_store_object_purge(kvp_store *store, const kvp_vault_info *vault,
                                  kvp_object_kind kind, const char *name, kvp_error *reterr)
{
    static const char *const sql[KVP_OBJECT_KIND_COUNT][4] = TRIPLE(PURGE);

    return change(store, vault, name, sql[kind], NULL, reterr);
}

kvp_status kvp_store_key_delete(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                int64_t now, int64_t purge, kvp_error *reterr)
{
    return kvp_store_object_delete(store, vault, KVP_OBJECT_KEY, name, now, purge, reterr);
}

kvp_status kvp_store_key_recover(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 kvp_error *reterr)
{
    return kvp_store_object_recover(store, vault, KVP_OBJECT_KEY, name, reterr);
}

kvp_status kvp_store_key_purge(kvp_store *store, const kvp_vault_info *vault, const char *name,
                               kvp_error *reterr)
{
    return kvp_store_object_purge(store, vault, KVP_OBJECT_KEY, name, reterr);
}

kvp_status kvp_store_purge_due(kvp_store *store, int64_t now, kvp_error *reterr)
{
    static const char *const sql[] = { "DELETE FROM certificates WHERE purge <= ?1",
                                       "DELETE FROM secrets WHERE purge <= ?1",
                                       "DELETE FROM keys WHERE purge <= ?1" };
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    for (size_t i = 0; i < KVP_ARRAY_LEN(sql) && status == KVP_OK; i++) {
        sqlite3_stmt *stmt = kvp_store_prepare(conn, sql[i], reterr);
        status = stmt ? KVP_OK : KVP_ERR_IO;
        if (stmt) {
            sqlite3_bind_int64(stmt, 1, now);
            status = kvp_store_run(conn, stmt, reterr);
        }
    }
    return kvp_store_end(store, status, reterr);
}

kvp_status kvp_store_seal(const kvp_store *store, const char *place, const void *plain, size_t len,
                          kvp_buf *ret, kvp_error *reterr)
{
    if (!store->unlocked)
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "the store is locked");
    return kvp_seal_close(&store->seal, place, plain, len, ret, reterr);
}

kvp_status kvp_store_unseal(const kvp_store *store, const char *place, const void *sealed,
                            size_t len, kvp_buf *ret, kvp_error *reterr)
{
    if (!store->unlocked)
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "the store is locked");
    return kvp_seal_open(&store->seal, place, sealed, len, ret, reterr);
}
