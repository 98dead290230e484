/* SPDX-License-Identifier: MIT */
/* Certificates and their versions: what is read, listed and changed. Making them is in
 * store_issue.c. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "v.id, c.name, v.version, v.der, v.tags, c.policy, c.policy_created, c.policy_updated,"        \
    " v.enabled, v.id = c.current, v.preserve_order, o.certificate IS NOT NULL, v.not_before,"     \
    " v.expires, v.created, v.updated, c.deleted, c.purge"
#define OPERATION " LEFT JOIN certificate_operations o ON o.certificate = c.id "
#define TABLES " FROM certificates c JOIN certificate_versions v ON v.certificate = c.id" OPERATION
#define CURRENT " FROM certificates c JOIN certificate_versions v ON v.id = c.current" OPERATION

void kvp_certificate_record_clear(kvp_certificate_record *record)
{
    kvp_buf_clear(&record->der);
    kvp_free(record->tags_json);
    kvp_free(record->policy_json);
    *record = (kvp_certificate_record){ .row = 0 };
}

void kvp_certificate_page_clear(kvp_certificate_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        kvp_certificate_record_clear(&page->items[i]);
    kvp_free(page->items);
    *page = (kvp_certificate_page){ NULL, 0, false };
}

static kvp_status read_record(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_certificate_record record = { .row = sqlite3_column_int64(stmt, 0),
                                      .policy_created = sqlite3_column_int64(stmt, 6),
                                      .policy_updated = sqlite3_column_int64(stmt, 7),
                                      .enabled = sqlite3_column_int(stmt, 8) != 0,
                                      .current = sqlite3_column_int(stmt, 9) != 0,
                                      .preserve_order = sqlite3_column_int(stmt, 10) != 0,
                                      .operation = sqlite3_column_int(stmt, 11) != 0,
                                      .not_before = kvp_store_read_time(stmt, 12),
                                      .expires = kvp_store_read_time(stmt, 13),
                                      .created = sqlite3_column_int64(stmt, 14),
                                      .updated = sqlite3_column_int64(stmt, 15),
                                      .deleted = kvp_store_read_time(stmt, 16),
                                      .purge = kvp_store_read_time(stmt, 17) };
    bool ok = true;

    kvp_store_copy(stmt, 1, record.name, sizeof(record.name));
    kvp_store_copy(stmt, 2, record.version, sizeof(record.version));
    if (sqlite3_column_type(stmt, 3) != SQLITE_NULL)
        ok = kvp_buf_set(&record.der, sqlite3_column_blob(stmt, 3),
                         (size_t)sqlite3_column_bytes(stmt, 3)) == KVP_OK;
    if (!ok || !kvp_store_copy_text(stmt, 4, &record.tags_json) ||
        !kvp_store_copy_text(stmt, 5, &record.policy_json)) {
        kvp_certificate_record_clear(&record);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
    }
    *(kvp_certificate_record *)ret = record;
    return KVP_OK;
}

static void clear_record(void *record)
{
    kvp_certificate_record_clear(record);
}

static const kvp_store_rows rows = { "certificate", sizeof(kvp_certificate_record), read_record,
                                     clear_record };

kvp_status kvp_store_certificate_get(kvp_store *store, const kvp_vault_info *vault,
                                     const char *name, const char *version, kvp_key_state state,
                                     kvp_certificate_record *ret, kvp_error *reterr)
{
    static const char of_version[] = "SELECT " COLUMNS TABLES "WHERE c.vault = ?1 AND c.name = ?2"
                                     " AND (c.deleted IS NOT NULL) = ?3 AND v.version = ?4";
    static const char of_current[] = "SELECT " COLUMNS CURRENT "WHERE c.vault = ?1 AND c.name = ?2"
                                     " AND (c.deleted IS NOT NULL) = ?3";
    bool versioned = version && *version;
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_NUMBER(state == KVP_KEY_DELETED),
                                       KVP_STORE_TEXT(version) };

    return kvp_store_read_one(store, &rows, versioned ? of_version : of_current, values,
                              versioned ? 4 : 3, ret, reterr);
}

static kvp_status read_page(kvp_store *store, const char *sql, const kvp_store_value *values,
                            size_t count, size_t limit, kvp_certificate_page *ret_page,
                            kvp_error *reterr)
{
    kvp_store_list list;
    kvp_status status = kvp_store_read_many(store, &rows, sql, values, count, limit, &list, reterr);

    if (status == KVP_OK)
        *ret_page = (kvp_certificate_page){ list.items, list.count, list.more };
    return status;
}

kvp_status kvp_store_certificate_list(kvp_store *store, const kvp_vault_info *vault,
                                      kvp_key_state state, bool pending, const char *after,
                                      size_t limit, kvp_certificate_page *ret_page,
                                      kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(after),
                                       KVP_STORE_NUMBER(state == KVP_KEY_DELETED),
                                       KVP_STORE_NUMBER(pending) };

    return read_page(store,
                     "SELECT " COLUMNS CURRENT "WHERE c.vault = ?1 AND c.name > ?2"
                     " AND (c.deleted IS NOT NULL) = ?3"
                     " AND (?4 OR v.der IS NOT NULL) ORDER BY c.name LIMIT ?5",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}

kvp_status kvp_store_certificate_versions(kvp_store *store, const kvp_vault_info *vault,
                                          const char *name, const char *after, size_t limit,
                                          kvp_certificate_page *ret_page, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name),
                                       KVP_STORE_TEXT(after) };

    return read_page(store,
                     "SELECT " COLUMNS TABLES "WHERE c.vault = ?1 AND c.name = ?2"
                     " AND c.deleted IS NULL AND v.der IS NOT NULL"
                     " AND v.version > ?3 ORDER BY v.version LIMIT ?4",
                     values, KVP_ARRAY_LEN(values), limit, ret_page, reterr);
}

kvp_status kvp_store_certificate_update(kvp_store *store, const kvp_vault_info *vault,
                                        const kvp_certificate_record *record, unsigned fields,
                                        kvp_error *reterr)
{
    /* The certificate first; what mirrors it is found by name and version. */
#define SET " SET tags = iif(?7 & 2, ?4, tags), enabled = iif(?7 & 8, ?5, enabled), updated = ?6"
    static const char *const sql[] = {
        "UPDATE certificate_versions" SET " WHERE version = ?3 AND certificate IN"
        " (SELECT id FROM certificates WHERE vault = ?1 AND name = ?2 AND deleted IS NULL)",
        "UPDATE key_versions" SET " WHERE version = ?3 AND key IN"
        " (SELECT id FROM keys WHERE vault = ?1 AND name = ?2 AND managed = 1)",
        "UPDATE secret_versions" SET " WHERE version = ?3 AND secret IN"
        " (SELECT id FROM secrets WHERE vault = ?1 AND name = ?2 AND managed = 1)",
    };
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    for (size_t i = 0; i < KVP_ARRAY_LEN(sql) && status == KVP_OK; i++) {
        sqlite3_stmt *stmt = kvp_store_prepare(conn, sql[i], reterr);
        if (!stmt) {
            status = KVP_ERR_IO;
            break;
        }
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, record->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 3, record->version, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 4, record->tags_json, -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 5, record->enabled);
        sqlite3_bind_int64(stmt, 6, record->updated);
        sqlite3_bind_int64(stmt, 7, fields);
        status = kvp_store_run(conn, stmt, reterr);
        if (status == KVP_OK && i == 0 && sqlite3_changes(conn->db) == 0)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such certificate");
    }
    return kvp_store_end(store, status, reterr);
}

kvp_status kvp_store_certificate_set_policy(kvp_store *store, const kvp_vault_info *vault,
                                            const kvp_certificate_record *record, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(record->name),
                                       KVP_STORE_TEXT(record->policy_json),
                                       KVP_STORE_NUMBER(record->policy_updated) };

    return kvp_store_change(store,
                            "UPDATE certificates SET policy = ?3, policy_updated = ?4"
                            " WHERE vault = ?1 AND name = ?2 AND deleted IS NULL",
                            values, KVP_ARRAY_LEN(values), "certificate", reterr);
}
