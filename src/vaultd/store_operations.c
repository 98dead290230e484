/* SPDX-License-Identifier: MIT */
/* The operation records of certificates: read, cancelled, deleted. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <string.h>

const char *const kvp_operation_status_names[KVP_OPERATION_STATUS_COUNT] = {
    "inProgress",
    "completed",
    "cancelled",
};

void kvp_certificate_operation_clear(kvp_certificate_operation *operation)
{
    kvp_free(operation->issuer_json);
    kvp_buf_clear(&operation->csr);
    *operation = (kvp_certificate_operation){ .issuer_json = NULL };
}

static kvp_status read_operation(sqlite3_stmt *stmt, kvp_certificate_operation *ret,
                                 kvp_error *reterr)
{
    kvp_certificate_operation operation = { .issuer_json = kvp_strdup(kvp_store_text(stmt, 2)),
                                            .cancelled = sqlite3_column_int(stmt, 5) != 0,
                                            .kind = sqlite3_column_int(stmt, 6) };

    kvp_store_copy(stmt, 0, operation.version, sizeof(operation.version));
    kvp_store_copy(stmt, 1, operation.request_id, sizeof(operation.request_id));
    while (operation.status + 1 < KVP_OPERATION_STATUS_COUNT &&
           strcmp(kvp_operation_status_names[operation.status], kvp_store_text(stmt, 4)) != 0)
        operation.status++;
    if (!operation.issuer_json || kvp_buf_set(&operation.csr, sqlite3_column_blob(stmt, 3),
                                              (size_t)sqlite3_column_bytes(stmt, 3)) != KVP_OK) {
        kvp_certificate_operation_clear(&operation);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "operation");
    }
    *ret = operation;
    return KVP_OK;
}

kvp_status kvp_store_operation_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                   kvp_certificate_operation *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT o.version, o.request_id, o.issuer, o.csr, o.status, o.cancelled, o.kind"
        " FROM certificates c JOIN certificate_operations o ON o.certificate = c.id"
        " WHERE c.vault = ?1 AND c.name = ?2 AND c.deleted IS NULL",
        reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            status = read_operation(stmt, ret, reterr);
        else if (rc == SQLITE_DONE)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no operation");
        else
            status = kvp_store_failed(conn, reterr, "reading");
        sqlite3_reset(stmt);
    }
    kvp_store_give(store, conn);
    return status;
}

/* Run @sql, which changes the operation of a live certificate. */
static kvp_status change(kvp_store *store, const char *sql, const kvp_vault_info *vault,
                         const char *name, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);
    int changes = 0;

    if (status != KVP_OK)
        return status;
    status = kvp_store_by_name(conn, sql, vault, name, NULL, &changes, reterr);
    if (status == KVP_OK && changes == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no operation");
    return kvp_store_end(store, status, reterr);
}

#define OF_NAME                                                                                    \
    " WHERE certificate IN"                                                                        \
    " (SELECT id FROM certificates WHERE vault = ?1 AND name = ?2 AND deleted IS NULL)"

kvp_status kvp_store_operation_cancel(kvp_store *store, const kvp_vault_info *vault,
                                      const char *name, bool cancelled, bool at_once,
                                      kvp_error *reterr)
{
    if (!cancelled)
        return change(store, "UPDATE certificate_operations SET cancelled = 0" OF_NAME, vault, name,
                      reterr);
    if (!at_once)
        return change(store, "UPDATE certificate_operations SET cancelled = 1" OF_NAME, vault, name,
                      reterr);
    return change(store,
                  "UPDATE certificate_operations SET cancelled = 1,"
                  " sealed = iif(status = 'inProgress', NULL, sealed),"
                  " status = iif(status = 'inProgress', 'cancelled', status)" OF_NAME,
                  vault, name, reterr);
}

kvp_status kvp_store_operation_delete(kvp_store *store, const kvp_vault_info *vault,
                                      const char *name, kvp_error *reterr)
{
    return change(store, "DELETE FROM certificate_operations" OF_NAME, vault, name, reterr);
}

static kvp_status read_entry(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_operation_entry *entry = ret;

    (void)reterr;
    entry->row = sqlite3_column_int64(stmt, 0);
    entry->vault = sqlite3_column_int64(stmt, 1);
    kvp_store_copy(stmt, 2, entry->name, sizeof(entry->name));
    return KVP_OK;
}

kvp_status kvp_store_operation_due(kvp_store *store, int64_t begun, kvp_operation_entry *entry,
                                   kvp_error *reterr)
{
    static const kvp_store_rows rows = { "operation", sizeof(*entry), read_entry, NULL };
    static const char sql[] =
        "SELECT c.id, c.vault, c.name FROM certificate_operations o"
        " JOIN certificates c ON c.id = o.certificate"
        " JOIN certificate_versions v ON v.certificate = c.id AND v.version = o.version"
        " WHERE c.id > ?1 AND c.deleted IS NULL AND o.status = 'inProgress' AND v.created <= ?2"
        " AND json_extract(o.issuer, '$.name') = 'Self' COLLATE NOCASE ORDER BY c.id LIMIT 1";
    const kvp_store_value values[] = { KVP_STORE_NUMBER(entry->row), KVP_STORE_NUMBER(begun) };

    return kvp_store_read_one(store, &rows, sql, values, KVP_ARRAY_LEN(values), entry, reterr);
}
