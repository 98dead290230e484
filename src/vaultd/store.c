/* SPDX-License-Identifier: MIT */
/*
 * The store's ground: opening, connections, transactions. Readers take a connection from a pool
 * that grows with the number of threads that really read at once; there is one writer.
 */
#include "vaultd/store_internal.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000
#define CHECK_PLACE "keyvaultd storage key check"

const char *const kvp_vault_kind_names[KVP_VAULT_KIND_COUNT] = { "vault", "managed-hsm" };

kvp_status kvp_store_failed(kvp_store_conn *conn, kvp_error *reterr, const char *what)
{
    int code = sqlite3_extended_errcode(conn->db);
    kvp_status status = code == SQLITE_NOMEM ? KVP_ERR_NO_MEMORY : KVP_ERR_IO;

    return kvp_error_set(reterr, status, "%s: %s (%d)", what, sqlite3_errmsg(conn->db), code);
}

static void conn_free(kvp_store_conn *conn)
{
    if (!conn)
        return;
    for (size_t i = 0; i < conn->kept_count; i++)
        sqlite3_finalize(conn->kept[i].stmt);
    sqlite3_close(conn->db);
    kvp_free(conn);
}

static kvp_store_conn *conn_new(const char *path, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_calloc(1, sizeof(*conn));

    if (!conn) {
        kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "database connection");
        return NULL;
    }
    if (sqlite3_open_v2(path, &conn->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) != SQLITE_OK) {
        kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path,
                      conn->db ? sqlite3_errmsg(conn->db) : "no memory");
        conn_free(conn);
        return NULL;
    }
    sqlite3_busy_timeout(conn->db, BUSY_TIMEOUT_MS);
    /* FULL: the log is synced at each commit, so what was answered survives power loss, too.
     * secure_delete: a purged key's bytes are overwritten, not just unlinked. */
    if (sqlite3_exec(conn->db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                     "PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF;",
                     NULL, NULL, NULL) != SQLITE_OK) {
        kvp_store_failed(conn, reterr, path);
        conn_free(conn);
        return NULL;
    }
    return conn;
}

/* SQLite would make the file with the umask's mode; the log and index files follow the file's. */
static kvp_status make_private(const char *path, kvp_error *reterr)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    close(fd);
    return KVP_OK;
}

kvp_status kvp_store_open(const char *path, kvp_store **ret_store, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_store_freep) kvp_store *store = NULL;
    kvp_status status = make_private(path, reterr);

    if (status != KVP_OK)
        return status;
    store = kvp_calloc(1, sizeof(*store));
    if (!store || !(store->path = kvp_strdup(path)) ||
        kvp_lock_init(&store->write_lock, KVP_RANK_OBJECT) != KVP_OK ||
        kvp_lock_init(&store->pool_lock, KVP_RANK_POOL) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "store");
    store->writer = conn_new(path, reterr);
    if (!store->writer)
        return KVP_ERR_IO;
    status = kvp_store_migrate(store->writer, kvp_store_schema_version, reterr);
    if (status != KVP_OK) {
        kvp_error_prefix(reterr, "%s: ", path);
        return status;
    }
    store->recent = kvp_recent_new(store->writer->db);
    if (!store->recent)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "store");
    *ret_store = KVP_STEAL(store);
    return KVP_OK;
}

void kvp_store_close(kvp_store *store)
{
    if (!store)
        return;
    while (store->idle) {
        kvp_store_conn *next = store->idle->next;
        conn_free(store->idle);
        store->idle = next;
    }
    kvp_recent_free(store->recent);
    conn_free(store->writer);
    kvp_lock_clear(&store->write_lock);
    kvp_lock_clear(&store->pool_lock);
    kvp_wipe(&store->seal, sizeof(store->seal));
    kvp_free(store->path);
    kvp_free(store);
}

kvp_store_conn *kvp_store_take(kvp_store *store, kvp_error *reterr)
{
    kvp_store_conn *conn;

    kvp_lock_take(&store->pool_lock);
    conn = store->idle;
    if (conn)
        store->idle = conn->next;
    kvp_lock_give(&store->pool_lock);
    return conn ? conn : conn_new(store->path, reterr);
}

void kvp_store_give(kvp_store *store, kvp_store_conn *conn)
{
    kvp_lock_take(&store->pool_lock);
    conn->next = store->idle;
    store->idle = conn;
    kvp_lock_give(&store->pool_lock);
}

kvp_status kvp_store_begin(kvp_store *store, kvp_store_conn **ret_conn,
                           kvp_error *reterr) KVP_NO_THREAD_ANALYSIS
{
    kvp_lock_take(&store->write_lock);
    /* IMMEDIATE: to become the writer at once is the only step that can find another process busy.
     */
    if (sqlite3_exec(store->writer->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        kvp_status status = kvp_store_failed(store->writer, reterr, "beginning a transaction");
        kvp_lock_give(&store->write_lock);
        return status;
    }
    *ret_conn = store->writer;
    return KVP_OK;
}

kvp_status kvp_store_end(kvp_store *store, kvp_status status,
                         kvp_error *reterr) KVP_NO_THREAD_ANALYSIS
{
    if (status == KVP_OK &&
        sqlite3_exec(store->writer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        status = kvp_store_failed(store->writer, reterr, "committing");
    if (status != KVP_OK && !sqlite3_get_autocommit(store->writer->db))
        sqlite3_exec(store->writer->db, "ROLLBACK", NULL, NULL, NULL);
    kvp_lock_give(&store->write_lock);
    return status;
}

sqlite3_stmt *kvp_store_prepare(kvp_store_conn *conn, const char *sql, kvp_error *reterr)
{
    sqlite3_stmt *stmt = NULL;

    for (size_t i = 0; i < conn->kept_count; i++) {
        if (conn->kept[i].sql == sql) {
            sqlite3_reset(conn->kept[i].stmt);
            sqlite3_clear_bindings(conn->kept[i].stmt);
            return conn->kept[i].stmt;
        }
    }
    if (conn->kept_count == KVP_STORE_STATEMENTS) {
        kvp_error_set(reterr, KVP_ERR_INTERNAL, "too many kept statements");
        return NULL;
    }
    if (sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
        SQLITE_OK) {
        kvp_store_failed(conn, reterr, "preparing a statement");
        return NULL;
    }
    conn->kept[conn->kept_count].sql = sql;
    conn->kept[conn->kept_count++].stmt = stmt;
    return stmt;
}

kvp_status kvp_store_run(kvp_store_conn *conn, sqlite3_stmt *stmt, kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    if (sqlite3_step(stmt) != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "writing");
    sqlite3_reset(stmt);
    return status;
}

const char *kvp_store_text(sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);

    return text ? (const char *)text : "";
}

void kvp_store_copy(sqlite3_stmt *stmt, int column, char *dst, size_t size)
{
    const char *text = kvp_store_text(stmt, column);
    size_t len = strlen(text);

    if (len >= size)
        len = size - 1;
    memcpy(dst, text, len);
    dst[len] = '\0';
}

kvp_status kvp_store_initialise(kvp_store *store, const kvp_seal *seal, const kvp_vault_info *info,
                                const kvp_principal *first, const char *const *roles,
                                kvp_error *reterr)
{
    kvp_buf check = KVP_BUF_INIT(0);
    kvp_vault_info present;
    kvp_store_conn *conn = NULL;
    kvp_status status;

    if (kvp_store_vault(store, &present, NULL) == KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s already holds a vault", store->path);
    status = kvp_seal_close(seal, CHECK_PLACE, "keyvaultd", 9, &check, reterr);
    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK) {
        kvp_vault_info made = *info;
        int64_t row = 0;
        status = kvp_store_vault_insert(conn, info, check.data, check.len, reterr);
        made.id = sqlite3_last_insert_rowid(conn->db);
        if (status == KVP_OK)
            status = kvp_store_principal_insert(conn, &made, first, roles, "/", &row, reterr);
        status = kvp_store_end(store, status, reterr);
    }
    kvp_buf_clear(&check);
    return status;
}

kvp_status kvp_store_unlock(kvp_store *store, const kvp_seal *seal, kvp_error *reterr)
{
    kvp_buf plain = KVP_BUF_INIT_SECRET(0);
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "SELECT storage_check FROM vaults ORDER BY id LIMIT 1", reterr);
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        status = kvp_seal_open(seal, CHECK_PLACE, sqlite3_column_blob(stmt, 0),
                               (size_t)sqlite3_column_bytes(stmt, 0), &plain, reterr);
        if (status == KVP_ERR_MISMATCH)
            kvp_error_set(reterr, status, "the storage key is not the one that %s was made with",
                          store->path);
    } else if (stmt) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "%s holds no vault", store->path);
    }
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    kvp_buf_clear(&plain);
    if (status == KVP_OK) {
        store->seal = *seal;
        store->unlocked = true;
    }
    return status;
}
