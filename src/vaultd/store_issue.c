/* SPDX-License-Identifier: MIT */
/* Making certificates: operations that wait, finished versions with key and secret, restored ones.
 */
#include "vaultd/store_objects_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* A statement on the certificate of id ?1. */
static kvp_status by_id(kvp_store_conn *conn, const char *sql, int64_t id, kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(conn, sql, reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    return kvp_store_run(conn, stmt, reterr);
}

static kvp_status insert_name(kvp_store_conn *conn, const kvp_vault_info *vault,
                              const kvp_certificate_record *record, int64_t *ret_id,
                              kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO certificates (vault, name, current, policy, policy_created, policy_updated)"
        " VALUES (?1, ?2, 0, ?3, ?4, ?5)",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, vault->id);
    sqlite3_bind_text(stmt, 2, record->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, record->policy_json, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, record->policy_created);
    sqlite3_bind_int64(stmt, 5, record->policy_updated);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    *ret_id = sqlite3_last_insert_rowid(conn->db);
    return status;
}

/* Whether a key or secret of the name stands alone, which a certificate would have to take over. */
static kvp_status check_alone(kvp_store_conn *conn, const kvp_vault_info *vault, const char *name,
                              kvp_error *reterr)
{
    static const kvp_object_kind kinds[] = { KVP_OBJECT_KEY, KVP_OBJECT_SECRET };
    kvp_object_state state;
    int64_t id;

    for (size_t i = 0; i < KVP_ARRAY_LEN(kinds); i++) {
        kvp_status status = kvp_store_object_find(conn, vault, kinds[i], name, &id, &state, NULL);
        if (status == KVP_OK && !state.managed)
            return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED, "%s is no certificate's", name);
        if (status != KVP_OK && status != KVP_ERR_NOT_FOUND)
            return kvp_error_set(reterr, status, "reading");
    }
    return KVP_OK;
}

/* The id of @record's name, made if it is new; an older policy is replaced. */
static kvp_status find_or_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                 kvp_certificate_record *record, int64_t *ret_id, kvp_error *reterr)
{
    kvp_object_state state;
    kvp_status status = kvp_store_object_find(conn, vault, KVP_OBJECT_CERTIFICATE, record->name,
                                              ret_id, &state, NULL);

    if (status == KVP_ERR_NOT_FOUND) {
        status = check_alone(conn, vault, record->name, reterr);
        return status == KVP_OK ? insert_name(conn, vault, record, ret_id, reterr) : status;
    }
    if (status != KVP_OK)
        return kvp_error_set(reterr, status, "reading a certificate");
    memcpy(record->name, state.name, sizeof(record->name));
    if (state.deleted)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is deleted", record->name);
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "UPDATE certificates SET policy = ?2, policy_updated = ?3 WHERE id = ?1 AND policy <> ?2",
        reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, *ret_id);
    sqlite3_bind_text(stmt, 2, record->policy_json, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, record->policy_updated);
    return kvp_store_run(conn, stmt, reterr);
}

/* Insert a version. It becomes the current one if it is finished or there is none. */
static kvp_status insert_version(kvp_store_conn *conn, int64_t id, kvp_certificate_record *record,
                                 kvp_error *reterr)
{
    bool finished = record->der.len > 0;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO certificate_versions (certificate, version, der, preserve_order, tags, "
        "enabled,"
        " not_before, expires, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, record->version, -1, SQLITE_STATIC);
    if (finished)
        sqlite3_bind_blob(stmt, 3, record->der.data, (int)record->der.len, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 4, record->preserve_order);
    sqlite3_bind_text(stmt, 5, record->tags_json, -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 6, record->enabled);
    kvp_store_bind_time(stmt, 7, record->not_before);
    kvp_store_bind_time(stmt, 8, record->expires);
    sqlite3_bind_int64(stmt, 9, record->created);
    sqlite3_bind_int64(stmt, 10, record->updated);
    kvp_status status = kvp_store_run(conn, stmt, reterr);
    if (status != KVP_OK)
        return status;
    record->row = sqlite3_last_insert_rowid(conn->db);
    stmt = kvp_store_prepare(conn,
                             "UPDATE certificates SET current = ?2 WHERE id = ?1 AND (?3 OR NOT"
                             " EXISTS (SELECT 1 FROM certificate_versions WHERE id = current))",
                             reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, record->row);
    sqlite3_bind_int(stmt, 3, finished);
    status = kvp_store_run(conn, stmt, reterr);
    record->current = finished || sqlite3_changes(conn->db) > 0;
    return status;
}

static const char drop_unfinished[] =
    "DELETE FROM certificate_versions WHERE certificate = ?1 AND der IS NULL";
static const char drop_operation[] = "DELETE FROM certificate_operations WHERE certificate = ?1";

static kvp_status insert_operation(kvp_store_conn *conn, int64_t id,
                                   const kvp_certificate_operation *operation,
                                   const kvp_buf *sealed, kvp_error *reterr)
{
    kvp_status status = by_id(conn, drop_operation, id, reterr);

    if (status != KVP_OK || !operation)
        return status;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "INSERT INTO certificate_operations (certificate, version, request_id, issuer, csr, status,"
        " cancelled, kind, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        reterr);
    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, operation->version, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, operation->request_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 4, operation->issuer_json, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 5, operation->csr.data, (int)operation->csr.len, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, kvp_operation_status_names[operation->status], -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 7, operation->cancelled);
    sqlite3_bind_int(stmt, 8, operation->kind);
    if (sealed)
        sqlite3_bind_blob(stmt, 9, sealed->data, (int)sealed->len, SQLITE_STATIC);
    return kvp_store_run(conn, stmt, reterr);
}

/* Whether an operation of @id is in progress, and, unless @version is NULL, makes that version and
 * is wanted still. */
static kvp_status in_progress(kvp_store_conn *conn, int64_t id, const char *version, bool *ret,
                              kvp_error *reterr)
{
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT 1 FROM certificate_operations WHERE certificate = ?1 AND status = 'inProgress'"
        " AND (?2 IS NULL OR (version = ?2 AND cancelled = 0))",
        reterr);

    if (!stmt)
        return KVP_ERR_IO;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, version, -1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    *ret = rc == SQLITE_ROW;
    kvp_status status =
        rc == SQLITE_ROW || rc == SQLITE_DONE ? KVP_OK : kvp_store_failed(conn, reterr, "reading");
    sqlite3_reset(stmt);
    return status;
}

static kvp_status refuse_in_progress(kvp_store_conn *conn, int64_t id, kvp_error *reterr)
{
    bool busy = false;
    kvp_status status = in_progress(conn, id, NULL, &busy, reterr);

    return status == KVP_OK && busy
               ? kvp_error_set(reterr, KVP_ERR_MISMATCH, "an operation is in progress")
               : status;
}

static kvp_status begin(kvp_store_conn *conn, const kvp_vault_info *vault,
                        kvp_certificate_record *record, const kvp_certificate_operation *operation,
                        const kvp_buf *sealed, kvp_error *reterr)
{
    int64_t id = 0;
    kvp_status status = find_or_insert(conn, vault, record, &id, reterr);

    if (status == KVP_OK)
        status = refuse_in_progress(conn, id, reterr);
    if (status == KVP_OK)
        status = by_id(conn, drop_unfinished, id, reterr);
    if (status == KVP_OK)
        status = insert_version(conn, id, record, reterr);
    if (status == KVP_OK)
        status = insert_operation(conn, id, operation, sealed, reterr);
    return status;
}

/* What the key that waits is bound to. */
static char *place_of(const kvp_vault_info *vault, const char *name, const char *version)
{
    char lower[KVP_NAME_MAX + 1];

    kvp_ident_lower(lower, sizeof(lower), name);
    return kvp_asprintf("pending/%lld/%s/%s", (long long)vault->id, lower, version);
}

kvp_status kvp_store_certificate_begin(kvp_store *store, const kvp_vault_info *vault,
                                       kvp_certificate_record *record,
                                       const kvp_certificate_operation *operation,
                                       const kvp_buf *material, kvp_error *reterr)
{
    char *place = place_of(vault, record->name, record->version);
    kvp_buf sealed = KVP_BUF_INIT(0);
    kvp_store_conn *conn = NULL;
    kvp_status status =
        place ? kvp_store_seal(store, place, material->data, material->len, &sealed, reterr)
              : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");

    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK)
        status =
            kvp_store_end(store, begin(conn, vault, record, operation, &sealed, reterr), reterr);
    kvp_buf_clear(&sealed);
    kvp_free(place);
    return status;
}

typedef struct sealed_pair {
    kvp_buf key, secret;
} sealed_pair;

static kvp_status seal(kvp_store *store, const kvp_vault_info *vault,
                       const kvp_certificate_triple *triple, sealed_pair *ret, kvp_error *reterr)
{
    kvp_status status;

    if (!triple->key)
        return KVP_OK;
    status = kvp_store_key_seal(store, vault, triple->key, triple->material->data,
                                triple->material->len, &ret->key, reterr);
    if (status == KVP_OK)
        status = kvp_store_secret_seal(store, vault, triple->secret, triple->value->data,
                                       triple->value->len, &ret->secret, reterr);
    return status;
}

static kvp_status insert_triple(kvp_store_conn *conn, const kvp_vault_info *vault, int64_t id,
                                const kvp_certificate_triple *triple, const sealed_pair *sealed,
                                kvp_error *reterr)
{
    kvp_status status = insert_version(conn, id, triple->certificate, reterr);

    if (status == KVP_OK && triple->key)
        status = kvp_store_key_insert(conn, vault, triple->key, &sealed->key, reterr);
    if (status == KVP_OK && triple->key)
        status = kvp_store_secret_insert(conn, vault, triple->secret, &sealed->secret, reterr);
    return status;
}

static kvp_status add(kvp_store_conn *conn, const kvp_vault_info *vault,
                      const kvp_certificate_triple *triple, const sealed_pair *sealed,
                      const kvp_certificate_operation *operation, bool merge, kvp_error *reterr)
{
    int64_t id = 0;
    bool waiting = false;
    kvp_status status = find_or_insert(conn, vault, triple->certificate, &id, reterr);

    if (status == KVP_OK && merge) {
        status = in_progress(conn, id, triple->certificate->version, &waiting, reterr);
        if (status == KVP_OK && !waiting)
            status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "nothing waits for a merge");
    } else if (status == KVP_OK) {
        status = refuse_in_progress(conn, id, reterr);
    }
    if (status == KVP_OK)
        status = by_id(conn, drop_unfinished, id, reterr);
    if (status == KVP_OK)
        status = insert_triple(conn, vault, id, triple, sealed, reterr);
    if (status == KVP_OK)
        status = insert_operation(conn, id, operation, NULL, reterr);
    triple->certificate->operation = operation != NULL;
    return status;
}

kvp_status kvp_store_certificate_add(kvp_store *store, const kvp_vault_info *vault,
                                     const kvp_certificate_triple *triple,
                                     const kvp_certificate_operation *operation, bool merge,
                                     kvp_error *reterr)
{
    sealed_pair sealed = { KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_store_conn *conn = NULL;
    kvp_status status = seal(store, vault, triple, &sealed, reterr);

    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK)
        status = kvp_store_end(store, add(conn, vault, triple, &sealed, operation, merge, reterr),
                               reterr);
    kvp_buf_clear(&sealed.key);
    kvp_buf_clear(&sealed.secret);
    return status;
}

static kvp_status restore(kvp_store_conn *conn, const kvp_vault_info *vault,
                          const kvp_certificate_triple *triples, const sealed_pair *sealed,
                          size_t count, kvp_error *reterr)
{
    kvp_object_state state;
    int64_t id = 0;
    kvp_status status = KVP_OK;

    for (int kind = 0; kind < KVP_OBJECT_KIND_COUNT && status == KVP_OK; kind++) {
        status = kvp_store_object_find(conn, vault, (kvp_object_kind)kind,
                                       triples[0].certificate->name, &id, &state, NULL);
        if (status == KVP_OK)
            return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s exists", state.name);
        status = status == KVP_ERR_NOT_FOUND ? KVP_OK : kvp_error_set(reterr, status, "reading");
    }
    if (status == KVP_OK)
        status = insert_name(conn, vault, triples[0].certificate, &id, reterr);
    for (size_t i = 0; i < count && status == KVP_OK; i++)
        status = insert_triple(conn, vault, id, &triples[i], &sealed[i], reterr);
    return status;
}

kvp_status kvp_store_certificate_restore(kvp_store *store, const kvp_vault_info *vault,
                                         const kvp_certificate_triple *triples, size_t count,
                                         kvp_error *reterr)
{
    sealed_pair *sealed = kvp_calloc(count, sizeof(*sealed));
    kvp_store_conn *conn = NULL;
    kvp_status status = sealed ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "restoring");

    for (size_t i = 0; i < count && status == KVP_OK; i++)
        status = seal(store, vault, &triples[i], &sealed[i], reterr);
    if (status == KVP_OK)
        status = kvp_store_begin(store, &conn, reterr);
    if (status == KVP_OK)
        status = kvp_store_end(store, restore(conn, vault, triples, sealed, count, reterr), reterr);
    for (size_t i = 0; sealed && i < count; i++) {
        kvp_buf_clear(&sealed[i].key);
        kvp_buf_clear(&sealed[i].secret);
    }
    kvp_free(sealed);
    return status;
}

kvp_status kvp_store_operation_key(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                   kvp_buf *ret, kvp_error *reterr)
{
    kvp_store_conn *conn = kvp_store_take(store, reterr);
    kvp_status status = KVP_ERR_IO;
    char *place = NULL;

    if (!conn)
        return KVP_ERR_IO;
    sqlite3_stmt *stmt = kvp_store_prepare(
        conn,
        "SELECT o.sealed, o.version, c.name FROM certificates c"
        " JOIN certificate_operations o ON o.certificate = c.id"
        " WHERE c.vault = ?1 AND c.name = ?2 AND c.deleted IS NULL AND o.sealed IS NOT NULL",
        reterr);
    if (stmt) {
        sqlite3_bind_int64(stmt, 1, vault->id);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            place = place_of(vault, kvp_store_text(stmt, 2), kvp_store_text(stmt, 1));
            status = place ? kvp_store_unseal(store, place, sqlite3_column_blob(stmt, 0),
                                              (size_t)sqlite3_column_bytes(stmt, 0), ret, reterr)
                           : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
        } else {
            status = rc == SQLITE_DONE
                         ? kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "nothing waits for a merge")
                         : kvp_store_failed(conn, reterr, "reading");
        }
        sqlite3_reset(stmt);
    }
    kvp_store_give(store, conn);
    kvp_free(place);
    return status;
}
