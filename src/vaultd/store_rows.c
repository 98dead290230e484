/* SPDX-License-Identifier: MIT */
/* Queries: a statement with its values, and the one row or the many that it finds. */
#include "vaultd/store_internal.h"

#include "base/alloc.h"

#define FIRST_ROWS 16 /* room to begin with where there is no limit */

static void bind_all(sqlite3_stmt *stmt, const kvp_store_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].is_text)
            sqlite3_bind_text(stmt, (int)i + 1, values[i].text, -1, SQLITE_STATIC);
        else
            sqlite3_bind_int64(stmt, (int)i + 1, values[i].number);
    }
}

kvp_status kvp_store_read_one(kvp_store *store, const kvp_store_rows *rows, const char *sql,
                              const kvp_store_value *values, size_t count, void *ret,
                              kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);
    if (stmt) {
        bind_all(stmt, values, count);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            status = rows->read(stmt, ret, reterr);
        else if (rc == SQLITE_DONE)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no such %s", rows->what);
        else
            status = kvp_store_failed(conn, reterr, "reading");
        sqlite3_reset(stmt);
    }
    kvp_store_give(store, conn);
    return status;
}

/* Room for one more in *items, of which @count are used; without a limit it grows by doubling. */
static bool make_room(const kvp_store_rows *rows, size_t limit, size_t count, size_t *room,
                      char **items)
{
    if (count < *room)
        return true;
    size_t wanted = limit ? limit : count ? 2 * count : FIRST_ROWS;
    char *grown = kvp_realloc(*items, wanted * rows->size);
    if (!grown)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

static kvp_status read_rows(kvp_store_conn *conn, sqlite3_stmt *stmt, const kvp_store_rows *rows,
                            size_t limit, kvp_store_list *list, kvp_error *reterr)
{
    kvp_status status = KVP_OK;
    char *items = NULL;
    size_t room = 0;
    int rc = SQLITE_DONE;

    while (status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (limit && list->count == limit) {
            list->more = true;
            rc = SQLITE_DONE;
            break;
        }
        status = make_room(rows, limit, list->count, &room, &items)
                     ? rows->read(stmt, items + list->count * rows->size, reterr)
                     : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "list");
        list->count += status == KVP_OK;
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    list->items = items;
    return status;
}

kvp_status kvp_store_read_many(kvp_store *store, const kvp_store_rows *rows, const char *sql,
                               const kvp_store_value *values, size_t count, size_t limit,
                               kvp_store_list *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_store_list list = { NULL, 0, false };
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);
    if (stmt) {
        bind_all(stmt, values, count);
        if (limit) /* one row more tells whether a page follows */
            sqlite3_bind_int64(stmt, (int)count + 1, (int64_t)limit + 1);
        status = read_rows(conn, stmt, rows, limit, &list, reterr);
    }
    kvp_store_give(store, conn);
    if (status == KVP_OK) {
        *ret = list;
        return KVP_OK;
    }
    for (size_t i = 0; rows->clear && i < list.count; i++)
        rows->clear((char *)list.items + i * rows->size);
    kvp_free(list.items);
    return status;
}

kvp_status kvp_store_change(kvp_store *store, const char *sql, const kvp_store_value *values,
                            size_t count, const char *missing, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    bind_all(stmt, values, count);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && missing && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no such %s", missing);
    return kvp_store_end(store, status, reterr);
}
