/* SPDX-License-Identifier: MIT */
/* Certificates and federated issuers of principals, and the assertions that were used up. */
#include "vaultd/store_internal.h"

#include "base/alloc.h"

#include <string.h>

kvp_status kvp_store_credential_insert(kvp_store_conn *conn, int64_t principal,
                                       const kvp_credential *credential, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO credentials (principal, kind, issuer, subject, audience, keys)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, principal);
    sqlite3_bind_text(stmt, 2, credential->federated ? "federated" : "certificate", -1,
                      SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, credential->issuer, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, credential->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 5, credential->audience, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, credential->keys, -1, SQLITE_STATIC);
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_credential_add(kvp_store *store, int64_t principal,
                                    const kvp_credential *credential, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    return kvp_store_end(store, kvp_store_credential_insert(conn, principal, credential, reterr),
                         reterr);
}

void kvp_store_credentials_free(kvp_credential *credentials, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kvp_free(credentials[i].keys);
    kvp_free(credentials);
}

kvp_status kvp_store_credential_list(kvp_store *store, int64_t principal,
                                     kvp_credential **ret_credentials, size_t *ret_count,
                                     kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_buf rows = KVP_BUF_INIT(0);
    kvp_status status = KVP_OK;
    int rc = SQLITE_ERROR;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT kind, issuer, subject, audience, keys FROM credentials WHERE principal = ?1"
        " ORDER BY id",
        reterr);
    if (stmt)
        sqlite3_bind_int64(stmt, 1, principal);
    while (stmt && status == KVP_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kvp_credential row = { .federated = strcmp(kvp_store_text(stmt, 0), "federated") == 0 };
        kvp_store_copy(stmt, 1, row.issuer, sizeof(row.issuer));
        kvp_store_copy(stmt, 2, row.subject, sizeof(row.subject));
        kvp_store_copy(stmt, 3, row.audience, sizeof(row.audience));
        row.keys = kvp_strdup(kvp_store_text(stmt, 4));
        status = row.keys ? kvp_buf_append(&rows, &row, sizeof(row)) : KVP_ERR_NO_MEMORY;
        if (status != KVP_OK)
            kvp_free(row.keys);
    }
    if (status == KVP_OK && rc != SQLITE_DONE)
        status = stmt ? kvp_store_failed(conn, reterr, "reading") : KVP_ERR_IO;
    sqlite3_reset(stmt);
    kvp_store_give(store, conn);
    *ret_credentials = (kvp_credential *)(void *)rows.data;
    *ret_count = rows.len / sizeof(kvp_credential);
    if (status != KVP_OK) {
        kvp_store_credentials_free(*ret_credentials, *ret_count);
        *ret_credentials = NULL;
        *ret_count = 0;
    }
    return status;
}

static kvp_status forget_assertions(kvp_store_conn *conn, kvp_error *reterr)
{
    sqlite3_stmt *stmt =
        kvp_store_prepare(conn, "DELETE FROM used_assertions WHERE expires < ?1", reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, kvp_ident_now());
    return kvp_store_run(conn, stmt, reterr);
}

kvp_status kvp_store_assertion_use(kvp_store *store, const uint8_t digest[32], int64_t expires,
                                   kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    status = forget_assertions(conn, reterr);
    sqlite3_stmt *stmt =
        status == KVP_OK
            ? kvp_store_prepare(
                  conn, "INSERT INTO used_assertions (digest, expires) VALUES (?1, ?2)", reterr)
            : NULL;
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_blob(stmt, 1, digest, 32, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, expires);
    status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK && sqlite3_extended_errcode(conn->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
        status = kvp_error_set(reterr, KVP_ERR_REFUSED, "the assertion was used before");
    return kvp_store_end(store, status, reterr);
}
