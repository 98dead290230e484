/* SPDX-License-Identifier: MIT */
/* Keys and their versions: rows, and the sealing of their private half. */
#include "vaultd/store_internal.h"

#include "base/alloc.h"
#include "vaultd/store_objects.h"
#include "vaultd/store_rotation.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "v.id, k.name, v.version, v.kty, v.bits, v.public, v.ops, v.tags, v.policy, v.enabled,"        \
    " v.exportable, v.id = k.current, v.not_before, v.expires, v.created, v.updated, k.deleted,"   \
    " k.purge, k.managed, v.in_token"
#define TABLES " FROM keys k JOIN key_versions v ON v.key = k.id "

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

static kvp_status read_record(sqlite3_stmt *stmt, kvp_key_record *ret, kvp_error *reterr)
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
    *ret = record;
    return KVP_OK;
}

/* What the sealed half is bound to: its vault, name, version, type and public numbers. */
static char *place_of(const kvp_vault_info *vault, const kvp_key_record *record)
{
    char name[KVP_NAME_MAX + 1];

    kvp_ident_lower(name, sizeof(name), record->name);
    return kvp_asprintf("key/%lld/%s/%s/%s/%s", (long long)vault->id, name, record->version,
                        record->kty, record->public_json);
}

/* The row of a name: its id, stored spelling and whether it is deleted. KVP_ERR_NOT_FOUND. */
static kvp_status find_key(kvp_store_conn *conn, const kvp_vault_info *vault, const char *name,
                           int64_t *ret_id, kvp_key_record *record, bool *ret_deleted,
                           bool *ret_managed, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT id, name, deleted, managed FROM keys WHERE vault = ?1 AND name = ?2", reterr);
    kvp_status status = KVP_OK;

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *ret_id = sqlite3_column_int64(stmt, 0);
        *ret_deleted = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
        *ret_managed = sqlite3_column_int(stmt, 3) != 0;
        kvp_store_copy(stmt, 1, record->name, sizeof(record->name));
    } else {
        status = rc == SQLITE_DONE ? KVP_ERR_NOT_FOUND : kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    return status;
}

static kvp_status insert_key(kvp_store_conn *conn, const kvp_vault_info *vault,
                             const kvp_key_record *record, int64_t *ret_id, kvp_error *reterr)
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

static kvp_status insert_version(kvp_store_conn *conn, int64_t key, kvp_key_record *record,
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
    bool deleted = false, managed = false;
    int64_t key = 0;
    kvp_status status =
        find_key(conn, vault, record->name, &key, record, &deleted, &managed, reterr);

    if (status == KVP_OK && deleted)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is deleted", record->name);
    if (status == KVP_OK && managed != record->managed)
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "%s %s a certificate", record->name,
                             managed ? "belongs to" : "does not belong to");
    if (status == KVP_ERR_NOT_FOUND)
        status = insert_key(conn, vault, record, &key, reterr);
    return status == KVP_OK ? insert_version(conn, key, record, sealed, reterr) : status;
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
    if (status == KVP_OK)
        status = kvp_store_end(store, kvp_store_key_insert(conn, vault, record, &sealed, reterr),
                               reterr);
    kvp_buf_clear(&sealed);
    return status;
}

/* Seal the private half of each copy; the result is in the order of @copies. */
static kvp_status seal_copies(const kvp_store *store, const kvp_vault_info *vault,
                              const kvp_key_copy *copies, size_t count, kvp_buf *sealed,
                              kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        char *place = place_of(vault, &copies[i].record);
        sealed[i] = (kvp_buf)KVP_BUF_INIT(0);
        status = place ? kvp_store_seal(store, place, copies[i].material.data,
                                        copies[i].material.len, &sealed[i], reterr)
                       : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "restoring");
        kvp_free(place);
    }
    return status;
}

static kvp_status insert_policy(kvp_store_conn *conn, int64_t key,
                                const kvp_rotation_policy *policy, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "INSERT INTO rotation_policies VALUES (?1, ?2, ?3, ?4, ?5)", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_text(stmt, 2, policy->actions_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, policy->expiry, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, policy->created);
    sqlite3_bind_int64(stmt, 5, policy->updated);
    return kvp_store_run(conn, stmt, reterr);
}

/* The rows of a restored key; the current version goes last, since the last one inserted is it. */
static kvp_status insert_copies(kvp_store_conn *conn, const kvp_vault_info *vault,
                                kvp_key_copy *copies, size_t count, const kvp_buf *sealed,
                                const kvp_rotation_policy *policy, kvp_error *reterr)
{
    kvp_key_record found = { .row = 0 };
    bool deleted = false, managed = false;
    int64_t key = 0;
    size_t current = count - 1;
    kvp_status status =
        find_key(conn, vault, copies[0].record.name, &key, &found, &deleted, &managed, reterr);

    if (status == KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is there already", found.name);
    if (status == KVP_ERR_NOT_FOUND)
        status = insert_key(conn, vault, &copies[0].record, &key, reterr);
    for (size_t i = 0; i < count; i++) {
        if (copies[i].record.current)
            current = i;
    }
    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        if (i != current)
            status = insert_version(conn, key, &copies[i].record, &sealed[i], reterr);
    }
    if (status == KVP_OK)
        status = insert_version(conn, key, &copies[current].record, &sealed[current], reterr);
    if (status == KVP_OK && policy)
        status = insert_policy(conn, key, policy, reterr);
    return status;
}

kvp_status kvp_store_key_restore(kvp_store *store, const kvp_vault_info *vault,
                                 kvp_key_copy *copies, size_t count,
                                 const kvp_rotation_policy *policy, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_buf *sealed = count ? kvp_calloc(count, sizeof(*sealed)) : NULL;
    kvp_status status = sealed ? seal_copies(store, vault, copies, count, sealed, reterr)
                               : kvp_error_set(reterr, KVP_ERR_INVALID, "nothing to restore");

    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK)
        status = kvp_store_end(
            store, insert_copies(conn, vault, copies, count, sealed, policy, reterr), reterr);
    for (size_t i = 0; sealed && i < count; i++)
        kvp_buf_clear(&sealed[i]);
    kvp_free(sealed);
    return status;
}

/* Step @stmt once and read the record it found. */
static kvp_status read_one(kvp_store_conn *conn, sqlite3_stmt *stmt, kvp_key_record *ret,
                           kvp_error *reterr)
{
    int rc = sqlite3_step(stmt);
    kvp_status status;

    if (rc == SQLITE_ROW)
        status = read_record(stmt, ret, reterr);
    else if (rc == SQLITE_DONE)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such key");
    else
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    return status;
}

kvp_status kvp_store_key_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                             const char *version, kvp_key_state state, kvp_key_record *ret,
                             kvp_error *reterr)
{
    static const char of_version[] =
        "SELECT " COLUMNS TABLES "WHERE k.vault = ?1 AND k.name = ?2 AND v.version = ?3"
        " AND (k.deleted IS NOT NULL) = ?4";
    static const char of_current[] =
        "SELECT " COLUMNS " FROM keys k JOIN key_versions v ON v.id = k.current"
        " WHERE k.vault = ?1 AND k.name = ?2 AND (k.deleted IS NOT NULL) = ?4";
    bool live = state == KVP_KEY_LIVE;
    kvp_status status = KVP_ERR_IO;
    kvp_stamp stamp;

    if (live && kvp_recent_key(store->recent, vault, name, version, &stamp, ret))
        return KVP_OK;
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, version && *version ? of_version : of_current, reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
        if (version && *version)
            sqlite3_bind_text(stmt, 3, version, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 4, !live);
        status = read_one(conn, stmt, ret, reterr);
    }
    kvp_store_give(store, conn);
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

/* Read what @stmt finds, one row more than @limit telling whether a page follows. */
static kvp_status read_page(kvp_store_conn *conn, sqlite3_stmt *stmt, size_t limit,
                            kvp_key_page *ret_page, kvp_error *reterr)
{
    kvp_key_page page = { kvp_calloc(limit, sizeof(kvp_key_record)), 0, limit, false };
    kvp_status status = page.items ? KVP_OK : KVP_ERR_NO_MEMORY;
    int rc = SQLITE_DONE;

    while (status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (page.count == limit) {
            page.more = true;
            rc = SQLITE_DONE;
            break;
        }
        status = read_record(stmt, &page.items[page.count], reterr);
        if (status == KVP_OK)
            page.count++;
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    if (status != KVP_OK) {
        kvp_key_page_clear(&page);
        return status;
    }
    *ret_page = page;
    return KVP_OK;
}

kvp_status kvp_store_key_list(kvp_store *store, const kvp_vault_info *vault, kvp_key_state state,
                              const char *after, size_t limit, kvp_key_page *ret_page,
                              kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "SELECT " COLUMNS " FROM keys k JOIN key_versions v ON v.id = k.current"
                          " WHERE k.vault = ?1 AND k.name > ?2 AND (k.deleted IS NOT NULL) = ?3"
                          " ORDER BY k.name LIMIT ?4",
                          reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, after, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 3, state == KVP_KEY_DELETED);
        sqlite3_bind_int64(stmt, 4, (int64_t)limit + 1);
        status = read_page(conn, stmt, limit, ret_page, reterr);
    }
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_key_versions(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  const char *after, size_t limit, kvp_key_page *ret_page,
                                  kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT " COLUMNS TABLES "WHERE k.vault = ?1 AND k.name = ?2 AND k.deleted IS NULL"
        " AND v.version > ?3 ORDER BY v.version LIMIT ?4",
        reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 3, after, -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 4, (int64_t)limit + 1);
        status = read_page(conn, stmt, limit, ret_page, reterr);
    }
    kvp_store_give(store, conn);
    return status;
}

/* A statement on one key by name, ?1 the vault and ?2 the name; no row changed is
 * KVP_ERR_NOT_FOUND. */
static kvp_status change_key(kvp_store *store, const kvp_vault_info *vault, const char *name,
                             const char *sql, const int64_t *times, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
    for (int i = 0; times && i < 2; i++)
        sqlite3_bind_int64(stmt, 3 + i, times[i]);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such key");
    return kvp_store_end(store, status, reterr);
}

kvp_status kvp_store_key_delete(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                int64_t now, int64_t purge, kvp_error *reterr)
{
    int64_t times[2] = { now, purge };

    return change_key(store, vault, name,
                      "UPDATE keys SET deleted = ?3, purge = ?4"
                      " WHERE vault = ?1 AND name = ?2 AND deleted IS NULL AND managed = 0",
                      times, reterr);
}

kvp_status kvp_store_key_recover(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 kvp_error *reterr)
{
    return change_key(store, vault, name,
                      "UPDATE keys SET deleted = NULL, purge = NULL"
                      " WHERE vault = ?1 AND name = ?2 AND deleted IS NOT NULL"
                      " AND managed = 0",
                      NULL, reterr);
}

kvp_status kvp_store_key_purge(kvp_store *store, const kvp_vault_info *vault, const char *name,
                               kvp_error *reterr)
{
    return change_key(store, vault, name,
                      "DELETE FROM keys WHERE vault = ?1 AND name = ?2 AND deleted IS NOT NULL"
                      " AND managed = 0",
                      NULL, reterr);
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
