/* SPDX-License-Identifier: MIT */
/* Certificate issuers and contacts: small JSON documents by name. */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

void kvp_document_clear(kvp_document *document)
{
    kvp_free(document->json);
    *document = (kvp_document){ .json = NULL };
}

/* Bind vault, kind and name, step, read and reset. */
static kvp_status read_one(kvp_store_conn *conn, sqlite3_stmt *stmt, const kvp_vault_info *vault,
                           const char *kind, const char *name, kvp_document *ret, kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_TRANSIENT);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        kvp_document document = { .json = kvp_strdup(kvp_store_text(stmt, 1)),
                                  .created = sqlite3_column_int64(stmt, 2),
                                  .updated = sqlite3_column_int64(stmt, 3) };
        kvp_store_copy(stmt, 0, document.name, sizeof(document.name));
        if (document.json)
            *ret = document;
        else
            status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "document");
    } else if (rc == SQLITE_DONE) {
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such document");
    } else {
        status = kvp_store_failed(conn, reterr, "reading");
    }
    sqlite3_reset(stmt);
    return status;
}

static kvp_status get(kvp_store *store, const char *sql, const kvp_vault_info *vault,
                      const char *kind, const char *name, kvp_document *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);
    if (stmt)
        status = read_one(conn, stmt, vault, kind, name, ret, reterr);
    kvp_store_give(store, conn);
    return status;
}

static const char by_name[] = "SELECT name, document, created, updated FROM certificate_documents"
                              " WHERE vault = ?1 AND kind = ?2 AND name = ?3";

kvp_status kvp_store_document_get(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                  const char *name, kvp_document *ret, kvp_error *reterr)
{
    return get(store, by_name, vault, kind, name, ret, reterr);
}

kvp_status kvp_store_document_next(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                   const char *after, kvp_document *ret, kvp_error *reterr)
{
    return get(store,
               "SELECT name, document, created, updated FROM certificate_documents"
               " WHERE vault = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT 1",
               vault, kind, after, ret, reterr);
}

kvp_status kvp_store_document_set(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                  kvp_document *document, kvp_error *reterr)
{
    kvp_document stored = { .json = NULL };
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO certificate_documents (vault, kind, name, document, created, updated)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (vault, kind, name)"
        " DO UPDATE SET document = ?4, updated = ?6",
        reterr);
    sqlite3_stmt *read = stmt ? kvp_store_prepare(conn, by_name, reterr) : NULL;
    if (!read)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, document->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, document->json, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, document->created);
    sqlite3_bind_int64(stmt, 6, document->updated);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK)
        status = read_one(conn, read, vault, kind, document->name, &stored, reterr);
    status = kvp_store_end(store, status, reterr);
    if (status == KVP_OK) {
        kvp_document_clear(document);
        *document = stored;
    } else {
        kvp_document_clear(&stored);
    }
    return status;
}

kvp_status kvp_store_document_delete(kvp_store *store, const kvp_vault_info *vault,
                                     const char *kind, const char *name, kvp_error *reterr)
{
    kvp_store_conn *conn = NULL;
    kvp_status status = kvp_store_begin(store, &conn, reterr);

    if (status != KVP_OK)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn, "DELETE FROM certificate_documents WHERE vault = ?1 AND kind = ?2 AND name = ?3",
        reterr);
    if (!stmt)
        return kvp_store_end(store, KVP_ERR_IO, reterr);
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
    status = kvp_store_run(conn, stmt, reterr);
    if (status == KVP_OK && sqlite3_changes(conn->db) == 0)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such document");
    return kvp_store_end(store, status, reterr);
}
