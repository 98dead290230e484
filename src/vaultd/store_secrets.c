/* SPDX-License-Identifier: MIT */
/* Secrets and their versions: rows, and the sealing of their values. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "v.id, s.name, v.version, v.previous, v.content_type, v.tags, v.enabled, s.managed,"           \
    " v.id = s.current, v.not_before, v.expires, v.created, v.updated, s.deleted, s.purge"
#define TABLES " FROM secrets s JOIN secret_versions v ON v.secret = s.id "
#define CURRENT " FROM secrets s JOIN secret_versions v ON v.id = s.current "

void kvp_secret_record_clear(kvp_secret_record *record)
{
    kvp_free(record->content_type);
    kvp_free(record->tags_json);
    *record = (kvp_secret_record){ .row = 0 };
}

void kvp_secret_page_clear(kvp_secret_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        kvp_secret_record_clear(&page->items[i]);
    kvp_free(page->items);
    *page = (kvp_secret_page){ NULL, 0, false };
}

static kvp_status read_record(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_secret_record record = { .row = sqlite3_column_int64(stmt, 0),
                                 .enabled = sqlite3_column_int(stmt, 6) != 0,
                                 .managed = sqlite3_column_int(stmt, 7) != 0,
                                 .current = sqlite3_column_int(stmt, 8) != 0,
                                 .not_before = kvp_store_read_time(stmt, 9),
                                 .expires = kvp_store_read_time(stmt, 10),
                                 .created = sqlite3_column_int64(stmt, 11),
                                 .updated = sqlite3_column_int64(stmt, 12),
                                 .deleted = kvp_store_read_time(stmt, 13),
                                 .purge = kvp_store_read_time(stmt, 14) };

    kvp_store_copy(stmt, 1, record.name, sizeof(record.name));
    kvp_store_copy(stmt, 2, record.version, sizeof(record.version));
    kvp_store_copy(stmt, 3, record.previous, sizeof(record.previous));
    if (!kvp_store_copy_text(stmt, 4, &record.content_type) ||
        !kvp_store_copy_text(stmt, 5, &record.tags_json)) {
        kvp_secret_record_clear(&record);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "secret");
    }
    *(kvp_secret_record *)ret = record;
    return KVP_OK;
}

static void clear_record(void *record)
{
    kvp_secret_record_clear(record);
}

static const kvp_store_rows rows = { "secret", sizeof(kvp_secret_record), read_record,
                                     clear_record };

/* What a sealed value is bound to: its vault, name and version. */
static char *place_of(const kvp_vault_info *vault, const kvp_secret_record *record)
{
    char name[KVP_NAME_MAX + 1];

    kvp_ident_lower(name, sizeof(name), record->name);
    return kvp_asprintf("secret/%lld/%s/%s", (long long)vault->id, name, record->version);
}

kvp_status kvp_store_secret_seal(kvp_store *store, const kvp_vault_info *vault,
                                 const kvp_secret_record *record, const void *value, size_t len,
                                 kvp_buf *ret, kvp_error *reterr)
{
    char *place = place_of(vault, record);
    kvp_status status = place ? kvp_store_seal(store, place, value, len, ret, reterr)
                              : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "secret");

    kvp_free(place);
    return status;
}

/* The id of @record's name, made if it is new; the version that is current now goes to previous. */
static kvp_status find_or_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                 kvp_secret_record *record, int64_t *ret_id, kvp_error *reterr)
{
    kvp_object_state state;
    kvp_status status =
        kvp_store_object_find(conn, vault, KVP_OBJECT_SECRET, record->name, ret_id, &state, NULL);

    if (status == KVP_ERR_NOT_FOUND) {
        sqlite3_stmt *stmt = kvp_store_prepare(
            conn, "INSERT INTO secrets (vault, name, current, managed) VALUES (?1, ?2, 0, ?3)",
            reterr);
        if (!stmt)
            return KVP_ERR_IO;
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, record->name, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 3, record->managed);
        status = kvp_store_run(conn, stmt, reterr);
        *ret_id = sqlite3_last_insert_rowid(conn->db);
        return status;
    }
    if (status != KVP_OK)
        return kvp_error_set(reterr, status, "reading a secret");
    memcpy(record->name, state.name, sizeof(record->name));
    if (state.deleted)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is deleted", record->name);
    if (state.managed != record->managed)
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "%s %s a certificate", record->name,
                             state.managed ? "belongs to" : "does not belong to");
    return KVP_OK;
}

static kvp_status read_previous(kvp_store_conn *conn, int64_t id, kvp_secret_record *record,
                                kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(conn,
                                           "SELECT v.version FROM secrets s JOIN secret_versions v "
                                           "ON v.id = s.current WHERE s.id = ?1",
                                           reterr);
    kvp_status status = KVP_OK;

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        kvp_store_copy(stmt, 0, record->previous, sizeof(record->previous));
    else if (rc != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    return status;
}

static kvp_status insert_version(kvp_store_conn *conn, int64_t id, kvp_secret_record *record,
                                 const kvp_buf *sealed, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO secret_versions (secret, version, previous, content_type, tags, enabled,"
        " not_before, expires, created, updated, sealed)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, record->version, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, record->previous, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, record->content_type, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, record->tags_json, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 6, record->enabled);
    kvp_store_bind_time(stmt, 7, record->not_before);
    kvp_store_bind_time(stmt, 8, record->expires);
    sqlite3_bind_int64(stmt, 9, record->created);
    sqlite3_bind_int64(stmt, 10, record->updated);
    sqlite3_bind_blob(stmt, 11, sealed->data, (int)sealed->len, SQLITE_STATIC);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK)
        return status;
    record->row = sqlite3_last_insert_rowid(conn->db);
    record->current = true;
    stmt = kvp_store_prepare(conn, "UPDATE secrets SET current = ?2 WHERE id = ?1", reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, record->row);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_secret_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                   kvp_secret_record *record, const kvp_buf *sealed,
                                   kvp_error *reterr)
{
    int64_t id = 0;
    kvp_status status = find_or_insert(conn, vault, record, &id, reterr);

    if (status == KVP_OK)
        status = read_previous(conn, id, record, reterr);
    return status == KVP_OK ? insert_version(conn, id, record, sealed, reterr) : status;
}

kvp_status kvp_store_secret_add(kvp_store *store, const kvp_vault_info *vault,
                                kvp_secret_record *record, const void *value, size_t len,
                                kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_buf sealed = KVP_BUF_INIT(0);
    kvp_status status = kvp_store_secret_seal(store, vault, record, value, len, &sealed, reterr);

    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK)
        status = kvp_store_end(store, kvp_store_secret_insert(conn, vault, record, &sealed, reterr),
                               reterr);
    kvp_buf_clear(&sealed);
    return status;
}

kvp_status kvp_store_secret_restore(kvp_store *store, const kvp_vault_info *vault,
                                    kvp_secret_record *records, const kvp_buf *values, size_t count,
                                    kvp_error *reterr)
{
    kvp_buf *sealed = kvp_calloc(count, sizeof(*sealed));
    kvp_store_conn *conn = NULL;
    kvp_object_state state;
    int64_t id;
    kvp_status status = sealed ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "restoring");

    for (size_t i = 0; i < count && status == KVP_OK; i++)
        status = kvp_store_secret_seal(store, vault, &records[i], values[i].data, values[i].len,
                                       &sealed[i], reterr);
    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK) {
        status = kvp_store_object_find(conn, vault, KVP_OBJECT_SECRET, records[0].name, &id, &state,
                                       NULL);
        if (status == KVP_OK)
            status = kvp_error_set(reterr, KVP_ERR_REFUSED, "%s exists", records[0].name);
        else if (status == KVP_ERR_NOT_FOUND)
            status = KVP_OK;
        for (size_t i = 0; i < count && status == KVP_OK; i++)
            status = kvp_store_secret_insert(conn, vault, &records[i], &sealed[i], reterr);
        status = kvp_store_end(store, status, reterr);
    }
    for (size_t i = 0; sealed && i < count; i++)
        kvp_buf_clear(&sealed[i]);
    kvp_free(sealed);
    return status;
}

kvp_status kvp_store_secret_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                const char *version, kvp_key_state state, kvp_secret_record *ret,
                                kvp_error *reterr)
{
    static const char of_version[] = "SELECT " COLUMNS TABLES "WHERE s.vault = ?1 AND s.name = ?2"
                                     " AND (s.deleted IS NOT NULL) = ?3 AND v.version = ?4";
    static const char of_current[] = "SELECT " COLUMNS CURRENT "WHERE s.vault = ?1 AND s.name = ?2"
                                     " AND (s.deleted IS NOT NULL) = ?3";
    bool versioned = version && *version;
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_NUMBER(state == KVP_KEY_DELETED),
                                       KVP_STORE_TEXT(version) };

    return kvp_store_read_one(store, &rows, versioned ? of_version : of_current, values,
                              versioned ? 4 : 3, ret, reterr);
}

kvp_status kvp_store_secret_value(kvp_store *store, const kvp_vault_info *vault,
                                  const kvp_secret_record *record, kvp_buf *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    char *place = place_of(vault, record);
    kvp_status status = KVP_ERR_IO;

    if (!conn || !place) {
        if (conn)
            kvp_store_give(store, conn);
        kvp_free(place);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "secret");
    }
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "SELECT sealed FROM secret_versions WHERE id = ?1", reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, record->row);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            status = kvp_store_unseal(store, place, sqlite3_column_blob(stmt, 0),
                                      (size_t)sqlite3_column_bytes(stmt, 0), ret, reterr);
        else if (rc == SQLITE_DONE)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such secret");
        else
            status = kvp_store_failed(conn, reterr, "reading");
        sqlite3_reset(stmt);
    }
    kvp_store_give(store, conn);
    kvp_free(place);
    return status;
}

kvp_status kvp_store_secret_update(kvp_store *store, const kvp_vault_info *vault,
                                   const kvp_secret_record *record, unsigned fields,
                                   kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "UPDATE secret_versions SET tags = iif(?9 & 2, ?3, tags),"
        " enabled = iif(?9 & 8, ?4, enabled), not_before = iif(?9 & 16, ?5, not_before),"
        " expires = iif(?9 & 32, ?6, expires), content_type = iif(?9 & 64, ?7, content_type),"
        " updated = ?8 WHERE id = ?1 AND secret IN"
        " (SELECT id FROM secrets WHERE vault = ?2 AND deleted IS NULL AND managed = 0)",
        reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, record->row);
    sqlite3_bind_int64(stmt, 2, vault->id);
    sqlite3_bind_text(stmt, 3, record->tags_json, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 4, record->enabled);
    kvp_store_bind_time(stmt, 5, record->not_before);
    kvp_store_bind_time(stmt, 6, record->expires);
    sqlite3_bind_text(stmt, 7, record->content_type, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 8, record->updated);
    sqlite3_bind_int64(stmt, 9, fields);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such secret");
    return kvp_store_end(store, status, reterr);
}

static kvp_status read_page(kvp_store *store, const char *sql, const kvp_store_value *values,
                            size_t count, size_t limit, kvp_secret_page *ret_page,
                            kvp_error *reterr)
{
    kvp_store_list list;
    kvp_status status = kvp_store_read_many(store, &rows, sql, values, count, limit, &list, reterr);

    if (status == KVP_OK)
        *ret_page = (kvp_secret_page){ list.items, list.count, list.more };
    return status;
}

kvp_status kvp_store_secret_list(kvp_store *store, const kvp_vault_info *vault, kvp_key_state state,
                                 const char *after, size_t limit, kvp_secret_page *ret_page,
                                 kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(after),
                                       KVP_STORE_NUMBER(state == KVP_KEY_DELETED) };

    return read_page(store,
                     "SELECT " COLUMNS CURRENT "WHERE s.vault = ?1 AND s.name > ?2"
                     " AND (s.deleted IS NOT NULL) = ?3 ORDER BY s.name LIMIT ?4",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}

kvp_status kvp_store_secret_versions(kvp_store *store, const kvp_vault_info *vault,
                                     const char *name, const char *after, size_t limit,
                                     kvp_secret_page *ret_page, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_TEXT(after) };

    return read_page(store,
                     "SELECT " COLUMNS TABLES "WHERE s.vault = ?1 AND s.name = ?2"
                     " AND s.deleted IS NULL AND v.version > ?3 ORDER BY v.version LIMIT ?4",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}
