/* SPDX-License-Identifier: MIT */
/* Principals, their roles, and the access tokens that stand for them. */
#include "vaultd/store_internal.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_PER_PRINCIPAL 1000

static kvp_status insert_roles(kvp_store_conn *conn, const kvp_vault_info *vault,
                               const char *object_id, const char *const *roles, const char *scope,
                               kvp_error *reterr)
{
    for (; *roles; roles++) {
        kvp_assignment assignment = { .id = "" };
        if (kvp_ident_uuid(assignment.id) != KVP_OK)
            return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
        snprintf(assignment.principal, sizeof(assignment.principal), "%s", object_id);
        snprintf(assignment.role, sizeof(assignment.role), "%s", *roles);
        snprintf(assignment.scope, sizeof(assignment.scope), "%s", scope);
        kvp_status status = kvp_store_assignment_insert(conn, vault, &assignment, reterr);
        if (status != KVP_OK)
            return status;
    }
    return KVP_OK;
}

kvp_status kvp_store_principal_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                      const kvp_principal *principal, const char *const *roles,
                                      const char *scope, int64_t *ret_row, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO principals (name, client_id, object_id, secret_digest, created)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_text(stmt, 1, principal->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, principal->client_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, principal->object_id, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, principal->secret_digest, sizeof(principal->secret_digest),
                      SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, principal->created);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK && sqlite3_extended_errcode(conn->db) == SQLITE_CONSTRAINT_UNIQUE)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "there is already a principal '%s'",
                             principal->name);
    if (status != KVP_OK)
        return status;
    *ret_row = sqlite3_last_insert_rowid(conn->db);
    return insert_roles(conn, vault, principal->object_id, roles, scope, reterr);
}

kvp_status kvp_store_principal_add(kvp_store *store, const kvp_vault_info *vault,
                                   const kvp_principal *principal, const char *const *roles,
                                   const char *scope, const kvp_credential *credentials,
                                   size_t count, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    int64_t row = 0;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    status = kvp_store_principal_insert(conn, vault, principal, roles, scope, &row, reterr);
    for (size_t i = 0; i < count && status == KVP_OK; i++)
        status = kvp_store_credential_insert(conn, row, &credentials[i], reterr);
    return kvp_store_end(store, status, reterr);
}

kvp_status kvp_store_principal_remove(kvp_store *store, const char *name, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "DELETE FROM principals WHERE name = ?1 OR client_id = ?1", reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no principal '%s'", name);
    return kvp_store_end(store, status, reterr);
}

static void read_principal(sqlite3_stmt *stmt, int first, kvp_principal *ret)
{
    ret->id = sqlite3_column_int64(stmt, first);
    kvp_store_copy(stmt, first + 1, ret->name, sizeof(ret->name));
    kvp_store_copy(stmt, first + 2, ret->client_id, sizeof(ret->client_id));
    kvp_store_copy(stmt, first + 3, ret->object_id, sizeof(ret->object_id));
    ret->created = sqlite3_column_int64(stmt, first + 4);
}

kvp_status kvp_store_principal_by_client(kvp_store *store, const char *client_id,
                                         kvp_principal *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT id, name, client_id, object_id, created, secret_digest FROM principals"
        " WHERE client_id = ?1",
        reterr);
    if (stmt)
        sqlite3_bind_text(stmt, 1, client_id, -1, SQLITE_STATIC);
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 5) == sizeof(ret->secret_digest)) {
        read_principal(stmt, 0, ret);
        memcpy(ret->secret_digest, sqlite3_column_blob(stmt, 5), sizeof(ret->secret_digest));
        status = KVP_OK;
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such client");
    } else if (stmt) {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_principal_find(kvp_store *store, const char *name, kvp_principal *ret,
                                    kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn,
                          "SELECT id, name, client_id, object_id, created FROM principals"
                          " WHERE name = ?1 OR client_id = ?1 OR lower(object_id) = lower(?1)",
                          reterr);
    if (stmt)
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        *ret = (kvp_principal){ .id = 0 };
        read_principal(stmt, 0, ret);
        status = KVP_OK;
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "there is no principal '%s'", name);
    } else if (stmt) {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_principal_list(kvp_store *store,
                                    void (*fn)(void *arg, const kvp_principal *principal),
                                    void *arg, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "SELECT id, name, client_id, object_id, created FROM principals ORDER BY name",
        reterr);
    while (stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kvp_principal principal = { 0 };
        read_principal(stmt, 0, &principal);
        fn(arg, &principal);
    }
    kvp_status status = rc == SQLITE_DONE ? KVP_OK
                        : stmt            ? kvp_store_failed(conn, reterr, "reading")
                                          : KVP_ERR_IO;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

/* What is out of date goes whenever something new comes, so that the table stays small by itself.
 */
static kvp_status forget_tokens(kvp_store_conn *conn, int64_t principal, kvp_error *reterr)
{
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "DELETE FROM tokens WHERE expires_ms < ?1", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    /* A day's grace: an expired token is told so, an unknown one is not. */
    sqlite3_bind_int64(stmt, 1, (kvp_ident_now() - 86400) * 1000);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK)
        return status;
    stmt = kvp_store_prepare(
        conn,
        "DELETE FROM tokens WHERE digest IN (SELECT digest FROM tokens WHERE principal = ?1"
        " ORDER BY expires_ms DESC LIMIT -1 OFFSET ?2)",
        reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, principal);
    sqlite3_bind_int(stmt, 2, TOKENS_PER_PRINCIPAL - 1);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_token_add(kvp_store *store, const uint8_t digest[32], int64_t principal,
                               const char *audience, int64_t expires_ms, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    status = forget_tokens(conn, principal, reterr);
    if (status == KVP_OK) {
        sqlite3_stmt *stmt = kvp_store_prepare(
            conn,
            "INSERT INTO tokens (digest, principal, audience, expires_ms) VALUES (?1, ?2, ?3, ?4)",
            reterr);
        if (!stmt)
            return kvp_store_end(store, KVP_ERR_IO, reterr);
        sqlite3_bind_blob(stmt, 1, digest, 32, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, principal);
        sqlite3_bind_text(stmt, 3, audience, -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 4, expires_ms);
        status = kvp_store_run(conn, stmt, reterr);
    }
    return kvp_store_end(store, status, reterr);
}

static void read_grant_row(sqlite3_stmt *stmt, kvp_grant *grant)
{
    if (grant->assignment_count == 0) {
        read_principal(stmt, 0, &grant->principal);
        kvp_store_copy(stmt, 5, grant->audience, sizeof(grant->audience));
        grant->expires_ms = sqlite3_column_int64(stmt, 6);
    }
    if (sqlite3_column_type(stmt, 7) == SQLITE_NULL ||
        grant->assignment_count == KVP_ASSIGNMENTS_MAX)
        return;
    kvp_assignment *assignment = &grant->assignments[grant->assignment_count++];
    snprintf(assignment->principal, sizeof(assignment->principal), "%s",
             grant->principal.object_id);
    kvp_store_copy(stmt, 7, assignment->id, sizeof(assignment->id));
    kvp_store_copy(stmt, 8, assignment->role, sizeof(assignment->role));
    kvp_store_copy(stmt, 9, assignment->scope, sizeof(assignment->scope));
}

static kvp_status read_grant(kvp_store *store, const uint8_t digest[32],
                             const kvp_vault_info *vault, kvp_grant *ret_grant, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_grant grant = { .expires_ms = 0 };
    bool found = false;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT p.id, p.name, p.client_id, p.object_id, p.created, t.audience, t.expires_ms,"
        " r.id, r.role, r.scope FROM tokens t JOIN principals p ON p.id = t.principal"
        " LEFT JOIN role_assignments r ON r.principal = p.object_id AND r.vault = ?2"
        " WHERE t.digest = ?1",
        reterr);
    if (stmt) {
        sqlite3_bind_blob(stmt, 1, digest, 32, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, vault->id);
    }
    while (stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        read_grant_row(stmt, &grant);
        found = true;
    }
    kvp_status status = KVP_OK;
    if (rc != SQLITE_DONE)
        status = stmt ? kvp_store_failed(conn, reterr, "reading") : KVP_ERR_IO;
    else if (!found)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such token");
    else
        *ret_grant = grant;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    return status;
}

kvp_status kvp_store_token_find(kvp_store *store, const uint8_t digest[32],
                                const kvp_vault_info *vault, kvp_grant *ret_grant,
                                kvp_error *reterr)
{
    kvp_stamp stamp;

    if (kvp_recent_grant(store->recent, digest, vault, &stamp, ret_grant))
        return KVP_OK;
    kvp_status status = read_grant(store, digest, vault, ret_grant, reterr);
    if (status == KVP_OK)
        kvp_recent_keep_grant(store->recent, digest, vault, &stamp, ret_grant);
    return status;
}
