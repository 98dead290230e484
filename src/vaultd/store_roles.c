/* SPDX-License-Identifier: MIT */
/* Role assignments, and the custom role definitions of Managed HSMs. */
#include "vaultd/store_internal.h"

#include "base/alloc.h"

#include <string.h>

/* Run a statement whose ?1 is the vault and ?2 an id, the last of its transaction. */
static kvp_status change(kvp_store *store, kvp_store_conn *conn, const kvp_vault_info *vault,
                         const char *id, const char *sql, const char *missing, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);

    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "%s", missing);
    return kvp_store_end(store, status, reterr);
}

static kvp_status count_of(kvp_store_conn *conn, const kvp_vault_info *vault, const char *principal,
                           int *ret, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT count(*) FROM role_assignments WHERE vault = ?1 AND principal = ?2", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, principal, -1, SQLITE_STATIC);
    kvp_status status = KVP_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    return status;
}

kvp_status kvp_store_assignment_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                       const kvp_assignment *assignment, kvp_error *reterr)
{
    int present = 0;
    kvp_status status = count_of(conn, vault, assignment->principal, &present, reterr);

    if (status != KVP_OK)
        return status;
    if (present >= KVP_ASSIGNMENTS_MAX)
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "a principal has at most %d role assignments in a vault",
                             KVP_ASSIGNMENTS_MAX);
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "INSERT INTO role_assignments (id, vault, principal, role, scope)"
                          " VALUES (?1, ?2, ?3, ?4, ?5)",
                          reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_text(stmt, 1, assignment->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, vault->id);
    sqlite3_bind_text(stmt, 3, assignment->principal, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, assignment->role, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, assignment->scope, -1, SQLITE_STATIC);
    status = kvp_store_run(conn, stmt, reterr);
    int code = sqlite3_extended_errcode(conn->db);
    if (status != KVP_OK &&
        (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY))
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "the role assignment already exists");
    return status;
}

kvp_status kvp_store_assignment_add(kvp_store *store, const kvp_vault_info *vault,
                                    const kvp_assignment *assignment, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    status = kvp_store_assignment_insert(conn, vault, assignment, reterr);
    return kvp_store_end(store, status, reterr);
}

static void read_assignment(sqlite3_stmt *stmt, kvp_assignment *ret)
{
    kvp_store_copy(stmt, 0, ret->id, sizeof(ret->id));
    kvp_store_copy(stmt, 1, ret->principal, sizeof(ret->principal));
    kvp_store_copy(stmt, 2, ret->role, sizeof(ret->role));
    kvp_store_copy(stmt, 3, ret->scope, sizeof(ret->scope));
}

kvp_status kvp_store_assignment_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_assignment *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT id, principal, role, scope FROM role_assignments WHERE vault = ?1 AND id = ?2",
        reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
    }
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        read_assignment(stmt, ret);
        status = KVP_OK;
    } else if (rc == SQLITE_DONE) {
        status =
            kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no role assignment '%.40s'", id);
    } else if (stmt) {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_assignment_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    return change(store, conn, vault, id,
                  "DELETE FROM role_assignments WHERE vault = ?1 AND id = ?2",
                  "there is no such role assignment", reterr);
}

kvp_status kvp_store_assignment_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_assignment **ret, size_t *ret_count, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_buf rows = KVP_BUF_INIT(0);
    kvp_status status = KVP_OK;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT id, principal, role, scope FROM role_assignments WHERE vault = ?1 ORDER BY rowid",
        reterr);
    if (stmt)
        sqlite3_bind_int64(stmt, 1, vault->id);
    while (stmt && status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kvp_assignment assignment = { .id = "" };
        read_assignment(stmt, &assignment);
        status = kvp_buf_append(&rows, &assignment, sizeof(assignment));
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = stmt ? kvp_store_failed(conn, reterr, "reading") : KVP_ERR_IO;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    if (status != KVP_OK) {
        kvp_buf_clear(&rows);
        return status;
    }
    *ret_count = rows.len / sizeof(kvp_assignment);
    *ret = (kvp_assignment *)(void *)rows.data;
    return KVP_OK;
}

void kvp_definition_clear(kvp_definition *definition)
{
    kvp_free(definition->name);
    kvp_free(definition->description);
    kvp_free(definition->permissions_json);
    kvp_free(definition->scopes_json);
    *definition = (kvp_definition){ .id = "" };
}

kvp_status kvp_store_definition_put(kvp_store *store, const kvp_vault_info *vault,
                                    const kvp_definition *definition, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO role_definitions (vault, id, name, description, permissions, scopes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (vault, id) DO UPDATE SET name = ?3,"
        " description = ?4, permissions = ?5, scopes = ?6",
        reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, definition->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, definition->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, definition->description, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, definition->permissions_json, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, definition->scopes_json, -1, SQLITE_STATIC);
    return kvp_store_end(store, kvp_store_run(conn, stmt, reterr), reterr);
}

static kvp_status read_definition(sqlite3_stmt *stmt, kvp_definition *ret, kvp_error *reterr)
{
    kvp_definition definition = { .name = kvp_strdup(kvp_store_text(stmt, 1)),
                                  .description = kvp_strdup(kvp_store_text(stmt, 2)),
                                  .permissions_json = kvp_strdup(kvp_store_text(stmt, 3)),
                                  .scopes_json = kvp_strdup(kvp_store_text(stmt, 4)) };

    kvp_store_copy(stmt, 0, definition.id, sizeof(definition.id));
    if (!definition.name || !definition.description || !definition.permissions_json ||
        !definition.scopes_json) {
        kvp_definition_clear(&definition);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "role definition");
    }
    *ret = definition;
    return KVP_OK;
}

kvp_status kvp_store_definition_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_definition *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "SELECT id, name, description, permissions, scopes FROM role_definitions"
                          " WHERE vault = ?1 AND id = ?2",
                          reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
    }
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        status = read_definition(stmt, ret, reterr);
    else if (rc == SQLITE_DONE)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no role '%.40s'", id);
    else if (stmt)
        status = kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_definition_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "DELETE FROM role_assignments WHERE vault = ?1 AND role = ?2", reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
    status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK)
        return kvp_store_end(store, status, reterr);
    return change(store, conn, vault, id,
                  "DELETE FROM role_definitions WHERE vault = ?1 AND id = ?2",
                  "there is no such role", reterr);
}

kvp_status kvp_store_definition_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_definition **ret, size_t *ret_count, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_buf rows = KVP_BUF_INIT(0);
    kvp_status status = KVP_OK;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "SELECT id, name, description, permissions, scopes FROM role_definitions"
                          " WHERE vault = ?1 ORDER BY rowid",
                          reterr);
    if (stmt)
        sqlite3_bind_int64(stmt, 1, vault->id);
    while (stmt && status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kvp_definition definition;
        status = read_definition(stmt, &definition, reterr);
        if (status == KVP_OK &&
            (status = kvp_buf_append(&rows, &definition, sizeof(definition))) != KVP_OK)
            kvp_definition_clear(&definition);
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = stmt ? kvp_store_failed(conn, reterr, "reading") : KVP_ERR_IO;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    *ret = (kvp_definition *)(void *)rows.data;
    *ret_count = rows.len / sizeof(kvp_definition);
    if (status != KVP_OK) {
        for (size_t i = 0; i < *ret_count; i++)
            kvp_definition_clear(&(*ret)[i]);
        kvp_free(*ret);
        *ret = NULL;
        *ret_count = 0;
    }
    return status;
}
