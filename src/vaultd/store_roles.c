/* SPDX-License-Identifier: MIT */
/* Role assignments, and the custom role definitions of Managed HSMs. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <string.h>

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

static kvp_status read_assignment(sqlite3_stmt *stmt, void *ret, kvp_error *reterr KVP_UNUSED)
{
    kvp_assignment *assignment = ret;

    kvp_store_copy(stmt, 0, assignment->id, sizeof(assignment->id));
    kvp_store_copy(stmt, 1, assignment->principal, sizeof(assignment->principal));
    kvp_store_copy(stmt, 2, assignment->role, sizeof(assignment->role));
    kvp_store_copy(stmt, 3, assignment->scope, sizeof(assignment->scope));
    return KVP_OK;
}

static const kvp_store_rows assignments = { "role assignment", sizeof(kvp_assignment),
                                            read_assignment, NULL };

kvp_status kvp_store_assignment_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_assignment *ret, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(id) };

    return kvp_store_read_one(
        store, &assignments,
        "SELECT id, principal, role, scope FROM role_assignments WHERE vault = ?1 AND id = ?2",
        values, KVP_ARRAY_LEN(values), ret, reterr);
}

kvp_status kvp_store_assignment_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(id) };

    return kvp_store_change(store, "DELETE FROM role_assignments WHERE vault = ?1 AND id = ?2",
                            values, KVP_ARRAY_LEN(values), "role assignment", reterr);
}

kvp_status kvp_store_assignment_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_assignment **ret, size_t *ret_count, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id) };
    kvp_store_list list;
    kvp_status status = kvp_store_read_many(
        store, &assignments,
        "SELECT id, principal, role, scope FROM role_assignments WHERE vault = ?1 ORDER BY rowid",
        values, KVP_ARRAY_LEN(values), 0, &list, reterr);

    if (status == KVP_OK) {
        *ret = list.items;
        *ret_count = list.count;
    }
    return status;
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
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id),
                                       KVP_STORE_TEXT(definition->id),
                                       KVP_STORE_TEXT(definition->name),
                                       KVP_STORE_TEXT(definition->description),
                                       KVP_STORE_TEXT(definition->permissions_json),
                                       KVP_STORE_TEXT(definition->scopes_json) };

    return kvp_store_change(
        store,
        "INSERT INTO role_definitions (vault, id, name, description, permissions, scopes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (vault, id) DO UPDATE SET name = ?3,"
        " description = ?4, permissions = ?5, scopes = ?6",
        values, KVP_ARRAY_LEN(values), NULL, reterr);
}

static kvp_status read_definition(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
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
    *(kvp_definition *)ret = definition;
    return KVP_OK;
}

static void clear_definition(void *definition)
{
    kvp_definition_clear(definition);
}

static const kvp_store_rows definitions = { "role", sizeof(kvp_definition), read_definition,
                                            clear_definition };

kvp_status kvp_store_definition_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_definition *ret, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(id) };

    return kvp_store_read_one(store, &definitions,
                              "SELECT id, name, description, permissions, scopes"
                              " FROM role_definitions WHERE vault = ?1 AND id = ?2",
                              values, KVP_ARRAY_LEN(values), ret, reterr);
}

kvp_status kvp_store_definition_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    int changes = 0;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    status = kvp_store_by_name(conn, "DELETE FROM role_assignments WHERE vault = ?1 AND role = ?2",
                               vault, id, NULL, &changes, reterr);
    if (status == KVP_OK)
        status =
            kvp_store_by_name(conn, "DELETE FROM role_definitions WHERE vault = ?1 AND id = ?2",
                              vault, id, NULL, &changes, reterr);
    if (status == KVP_OK && changes == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no such role");
    return kvp_store_end(store, status, reterr);
}

kvp_status kvp_store_definition_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_definition **ret, size_t *ret_count, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id) };
    kvp_store_list list = { NULL, 0, false };
    kvp_status status = kvp_store_read_many(store, &definitions,
                                            "SELECT id, name, description, permissions, scopes"
                                            " FROM role_definitions WHERE vault = ?1"
                                            " ORDER BY rowid",
                                            values, KVP_ARRAY_LEN(values), 0, &list, reterr);

    *ret = list.items;
    *ret_count = list.count;
    return status;
}
