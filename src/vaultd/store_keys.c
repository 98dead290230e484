/* SPDX-License-Identifier: MIT */
/* Keys and their versions: rows, and the sealing of their private half. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "v.id, k.name, v.version, v.kty, v.bits, v.public, v.ops, v.tags, v.policy, v.enabled,"        \
    " v.exportable, v.id = k.current, v.not_before, v.expires, v.created, v.updated, k.deleted,"   \
    " k.purge, k.managed, v.in_token"
#define TABLES " FROM keys k JOIN key_versions v ON v.key = k.id "
#define CURRENT " FROM keys k JOIN key_versions v ON v.id = k.current "

void kvp_key_record_clear(kvp_key_record *record)
{
    kvp_free(record->public_json);
    kvp_free(record->ops_json);
    kvp_free(record->tags_json);
    kvp_free(record->policy_json);
    *record = (kvp_key_record){ .row = 0 };
}

void kvp_key_page_clear(kvp_key_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        kvp_key_record_clear(&page->items[i]);
    kvp_free(page->items);
    *page = (kvp_key_page){ NULL, 0, 0, false };
}

int64_t kvp_store_read_time(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL ? KVP_TIME_NONE
                                                            : sqlite3_column_int64(stmt, column);
}

void kvp_store_bind_time(sqlite3_stmt *stmt, int column, int64_t value)
{
    if (value == KVP_TIME_NONE)
        sqlite3_bind_null(stmt, column);
    else
        sqlite3_bind_int64(stmt, column, value);
}

bool kvp_store_copy_text(sqlite3_stmt *stmt, int column, char **dst)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return true;
    *dst = kvp_strdup(kvp_store_text(stmt, column));
    return *dst != NULL;
}

static kvp_status read_record(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_key_record record = { .row = sqlite3_column_int64(stmt, 0),
                              .bits = (unsigned)sqlite3_column_int(stmt, 4),
                              .enabled = sqlite3_column_int(stmt, 9) != 0,
                              .exportable = sqlite3_column_int(stmt, 10) != 0,
                              .current = sqlite3_column_int(stmt, 11) != 0,
                              .not_before = kvp_store_read_time(stmt, 12),
                              .expires = kvp_store_read_time(stmt, 13),
                              .created = sqlite3_column_int64(stmt, 14),
                              .updated = sqlite3_column_int64(stmt, 15),
                              .deleted = kvp_store_read_time(stmt, 16),
                              .purge = kvp_store_read_time(stmt, 17),
                              .managed = sqlite3_column_int(stmt, 18) != 0,
                              .in_token = sqlite3_column_int(stmt, 19) != 0 };

    kvp_store_copy(stmt, 1, record.name, sizeof(record.name));
    kvp_store_copy(stmt, 2, record.version, sizeof(record.version));
    kvp_store_copy(stmt, 3, record.kty, sizeof(record.kty));
    if (!kvp_store_copy_text(stmt, 5, &record.public_json) ||
        !kvp_store_copy_text(stmt, 6, &record.ops_json) ||
        !kvp_store_copy_text(stmt, 7, &record.tags_json) ||
        !kvp_store_copy_text(stmt, 8, &record.policy_json)) {
        kvp_key_record_clear(&record);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    }
    *(kvp_key_record *)ret = record;
    return KVP_OK;
}

static void clear_record(void *record)
{
    kvp_key_record_clear(record);
}

static const kvp_store_rows rows = { "key", sizeof(kvp_key_record), read_record, clear_record };

/* What the sealed half is bound to: its vault, name, version, type and public numbers. */
static char *place_of(const kvp_vault_info *vault, const kvp_key_record *record)
{
    char name[KVP_NAME_MAX + 1];

    kvp_ident_lower(name, sizeof(name), record->name);
    return kvp_asprintf("key/%lld/%s/%s/%s/%s", (long long)vault->id, name, record->version,
                        record->kty, record->public_json);
}

kvp_status kvp_store_key_insert_name(kvp_store_conn *conn, const kvp_vault_info *vault,
                                     const kvp_key_record *record, int64_t *ret_id,
                                     kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "INSERT INTO keys (vault, name, current, managed) VALUES (?1, ?2, 0, ?3)", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, record->name, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 3, record->managed);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    *ret_id = sqlite3_last_insert_rowid(conn->db);
    return status;
}

kvp_status kvp_store_key_insert_version(kvp_store_conn *conn, int64_t key, kvp_key_record *record,
                                        const kvp_buf *sealed, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO key_versions (key, version, kty, bits, public, ops, tags, policy, enabled,"
        " exportable, not_before, expires, created, updated, sealed, in_token)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_text(stmt, 2, record->version, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, record->kty, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, record->bits);
    sqlite3_bind_text(stmt, 5, record->public_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, record->ops_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 7, record->tags_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 8, record->policy_json, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 9, record->enabled);
    sqlite3_bind_int(stmt, 10, record->exportable);
    kvp_store_bind_time(stmt, 11, record->not_before);
    kvp_store_bind_time(stmt, 12, record->expires);
    sqlite3_bind_int64(stmt, 13, record->created);
    sqlite3_bind_int64(stmt, 14, record->updated);
    sqlite3_bind_blob(stmt, 15, sealed->data, (int)sealed->len, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 16, record->in_token);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK)
        return status;
    record->row = sqlite3_last_insert_rowid(conn->db);
    record->current = true;
    stmt = kvp_store_prepare(conn, "UPDATE keys SET current = ?2 WHERE id = ?1", reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, record->row);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_key_seal(kvp_store *store, const kvp_vault_info *vault,
                              const kvp_key_record *record, const void *material, size_t len,
                              kvp_buf *ret, kvp_error *reterr)
{
    char *place = place_of(vault, record);
    kvp_status status;

    if (!place)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    else if (!store->unlocked)
        status = kvp_error_set(reterr, KVP_ERR_INTERNAL, "the store is locked");
    else
        status = kvp_seal_close(&store->seal, place, material, len, ret, reterr);
    kvp_free(place);
    return status;
}

kvp_status kvp_store_key_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                kvp_key_record *record, const kvp_buf *sealed, kvp_error *reterr)
{
    kvp_object_state found = { .name = "" };
    int64_t key = 0;
    kvp_status status =
        kvp_store_object_find(conn, vault, KVP_OBJECT_KEY, record->name, &key, &found, reterr);

    if (status == KVP_OK)
        memcpy(record->name, found.name, sizeof(record->name));
    if (status == KVP_OK && found.deleted)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is deleted", record->name);
    if (status == KVP_OK && found.managed != record->managed)
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "%s %s a certificate", record->name,
                             found.managed ? "belongs to" : "does not belong to");
    if (status == KVP_ERR_NOT_FOUND)
        status = kvp_store_key_insert_name(conn, vault, record, &key, reterr);
    return status == KVP_OK ? kvp_store_key_insert_version(conn, key, record, sealed, reterr)
                            : status;
}

/* The material of a version in a token is a reference, no secret: it goes when the version goes. */
static kvp_status make_disposable(kvp_store_conn *conn, const kvp_key_record *record,
                                  const void *material, size_t len, kvp_error *reterr)
{
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "UPDATE key_versions SET disposable = ?2 WHERE id = ?1", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, record->row);
    sqlite3_bind_blob(stmt, 2, material, (int)len, SQLITE_STATIC);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_key_add(kvp_store *store, const kvp_vault_info *vault, kvp_key_record *record,
                             const void *material, size_t len, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_buf sealed = KVP_BUF_INIT(0);
    /* Sealed before the transaction: nothing but the disk is waited for with the writer's lock. */
    kvp_status status = kvp_store_key_seal(store, vault, record, material, len, &sealed, reterr);

    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK) {
        status = kvp_store_key_insert(conn, vault, record, &sealed, reterr);
        if (status == KVP_OK && record->in_token)
            status = make_disposable(conn, record, material, len, reterr);
        status = kvp_store_end(store, status, reterr);
    }
    kvp_buf_clear(&sealed);
    return status;
}

kvp_status kvp_store_key_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                             const char *version, kvp_key_state state, kvp_key_record *ret,
                             kvp_error *reterr)
{
    static const char of_version[] = "SELECT " COLUMNS TABLES "WHERE k.vault = ?1 AND k.name = ?2"
                                     " AND (k.deleted IS NOT NULL) = ?3 AND v.version = ?4";
    static const char of_current[] = "SELECT " COLUMNS CURRENT "WHERE k.vault = ?1 AND k.name = ?2"
                                     " AND (k.deleted IS NOT NULL) = ?3";
    bool live = state == KVP_KEY_LIVE;
    bool versioned = version && *version;
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_NUMBER(!live), KVP_STORE_TEXT(version) };
    kvp_stamp stamp;

    if (live && kvp_recent_key(store->recent, vault, name, version, &stamp, ret))
        return KVP_OK;
    kvp_status status = kvp_store_read_one(store, &rows, versioned ? of_version : of_current,
                                           values, versioned ? 4 : 3, ret, reterr);
    if (live && status == KVP_OK)
        kvp_recent_keep_key(store->recent, vault, name, version, &stamp, ret);
    return status;
}

kvp_status kvp_store_key_material(kvp_store *store, const kvp_vault_info *vault,
                                  const kvp_key_record *record, kvp_buf *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    char *place = place_of(vault, record);
    kvp_status status = KVP_ERR_IO;

    if (!conn || !place) {
        if (conn)
            kvp_store_give(store, conn);
        kvp_free(place);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key material");
    }
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "SELECT sealed FROM key_versions WHERE id = ?1", reterr);
    if (stmt)
        sqlite3_bind_int64(stmt, 1, record->row);
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW && store->unlocked)
        status = kvp_seal_open(&store->seal, place, sqlite3_column_blob(stmt, 0),
                               (size_t)sqlite3_column_bytes(stmt, 0), ret, reterr);
    else if (rc == SQLITE_DONE)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such key");
    else if (stmt)
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    kvp_free(place);
    return status;
}

kvp_status kvp_store_key_update(kvp_store *store, const kvp_vault_info *vault,
                                const kvp_key_record *record, unsigned fields, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "UPDATE key_versions SET ops = iif(?10 & 1, ?3, ops), tags = iif(?10 & 2, ?4, tags),"
        " policy = iif(?10 & 4, ?5, policy), enabled = iif(?10 & 8, ?6, enabled),"
        " not_before = iif(?10 & 16, ?7, not_before), expires = iif(?10 & 32, ?8, expires),"
        " updated = ?9 WHERE id = ?1 AND key IN"
        " (SELECT id FROM keys WHERE vault = ?2 AND deleted IS NULL AND managed = 0)",
        reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, record->row);
    sqlite3_bind_int64(stmt, 2, vault->id);
    sqlite3_bind_text(stmt, 3, record->ops_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, record->tags_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, record->policy_json, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 6, record->enabled);
    kvp_store_bind_time(stmt, 7, record->not_before);
    kvp_store_bind_time(stmt, 8, record->expires);
    sqlite3_bind_int64(stmt, 9, record->updated);
    sqlite3_bind_int64(stmt, 10, fields);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such key");
    return kvp_store_end(store, status, reterr);
}

static kvp_status read_page(kvp_store *store, const char *sql, const kvp_store_value *values,
                            size_t count, size_t limit, kvp_key_page *ret_page, kvp_error *reterr)
{
    kvp_store_list list;
    kvp_status status = kvp_store_read_many(store, &rows, sql, values, count, limit, &list, reterr);

    if (status == KVP_OK)
        *ret_page = (kvp_key_page){ list.items, list.count, list.count, list.more };
    return status;
}

kvp_status kvp_store_key_list(kvp_store *store, const kvp_vault_info *vault, kvp_key_state state,
                              const char *after, size_t limit, kvp_key_page *ret_page,
                              kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(after),
                                       KVP_STORE_NUMBER(state == KVP_KEY_DELETED) };

    return read_page(store,
                     "SELECT " COLUMNS CURRENT "WHERE k.vault = ?1 AND k.name > ?2"
                     " AND (k.deleted IS NOT NULL) = ?3 ORDER BY k.name LIMIT ?4",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}

kvp_status kvp_store_key_versions(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  const char *after, size_t limit, kvp_key_page *ret_page,
                                  kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_TEXT(after) };

    return read_page(store,
                     "SELECT " COLUMNS TABLES "WHERE k.vault = ?1 AND k.name = ?2"
                     " AND k.deleted IS NULL AND v.version > ?3 ORDER BY v.version LIMIT ?4",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}
