/* SPDX-License-Identifier: MIT */
/* The schema, as the list of steps that led to it: a change is a new row, an old row is never
 * edited. */
#include "vaultd/store_internal.h"

#include <stdio.h>

#define APPLICATION_ID 0x4b565044 /* "KVPD" */

static const char *const migrations[] = {
    /* 1: vaults, principals, keys. Names compare without case, as the service's identifiers do. */
    "CREATE TABLE vaults ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " kind TEXT NOT NULL CHECK (kind IN ('vault', 'managed-hsm')),"
    " tenant TEXT NOT NULL,"
    " subscription TEXT NOT NULL,"
    " recovery_level TEXT NOT NULL,"
    " recoverable_days INTEGER NOT NULL,"
    " storage_check BLOB NOT NULL);"
    "CREATE TABLE principals ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " client_id TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " object_id TEXT NOT NULL,"
    " secret_digest BLOB NOT NULL,"
    " created INTEGER NOT NULL);"
    "CREATE TABLE role_assignments ("
    " id TEXT PRIMARY KEY,"
    " principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,"
    " role TEXT NOT NULL,"
    " scope TEXT NOT NULL);"
    "CREATE INDEX role_assignments_principal ON role_assignments (principal);"
    "CREATE TABLE tokens ("
    " digest BLOB PRIMARY KEY,"
    " principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,"
    " audience TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX tokens_principal ON tokens (principal, expires_ms);"
    "CREATE INDEX tokens_expires ON tokens (expires_ms);"
    "CREATE TABLE keys ("
    " id INTEGER PRIMARY KEY,"
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " current INTEGER NOT NULL,"
    " deleted INTEGER,"
    " purge INTEGER,"
    " UNIQUE (vault, name));"
    "CREATE TABLE key_versions ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key INTEGER NOT NULL REFERENCES keys (id) ON DELETE CASCADE,"
    " version TEXT NOT NULL COLLATE NOCASE,"
    " kty TEXT NOT NULL,"
    " bits INTEGER NOT NULL,"
    " public TEXT NOT NULL,"
    " ops TEXT NOT NULL,"
    " tags TEXT,"
    " policy TEXT,"
    " enabled INTEGER NOT NULL,"
    " exportable INTEGER NOT NULL,"
    " not_before INTEGER,"
    " expires INTEGER,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " sealed BLOB NOT NULL,"
    " UNIQUE (key, version));",
    /* 2: secrets and certificates. A certificate's key and secret have its name and versions and
     * are marked as managed. A version without der waits for its certificate to be merged. */
    "ALTER TABLE keys ADD COLUMN managed INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE secrets ("
    " id INTEGER PRIMARY KEY,"
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " current INTEGER NOT NULL,"
    " managed INTEGER NOT NULL DEFAULT 0,"
    " deleted INTEGER,"
    " purge INTEGER,"
    " UNIQUE (vault, name));"
    "CREATE TABLE secret_versions ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " secret INTEGER NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,"
    " version TEXT NOT NULL COLLATE NOCASE,"
    " previous TEXT,"
    " content_type TEXT,"
    " tags TEXT,"
    " enabled INTEGER NOT NULL,"
    " not_before INTEGER,"
    " expires INTEGER,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " sealed BLOB NOT NULL,"
    " UNIQUE (secret, version));"
    "CREATE TABLE certificates ("
    " id INTEGER PRIMARY KEY,"
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " current INTEGER NOT NULL,"
    " policy TEXT NOT NULL,"
    " policy_created INTEGER NOT NULL,"
    " policy_updated INTEGER NOT NULL,"
    " deleted INTEGER,"
    " purge INTEGER,"
    " UNIQUE (vault, name));"
    "CREATE TABLE certificate_versions ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " certificate INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,"
    " version TEXT NOT NULL COLLATE NOCASE,"
    " der BLOB,"
    " preserve_order INTEGER NOT NULL,"
    " tags TEXT,"
    " enabled INTEGER NOT NULL,"
    " not_before INTEGER,"
    " expires INTEGER,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " UNIQUE (certificate, version));"
    "CREATE TABLE certificate_operations ("
    " certificate INTEGER PRIMARY KEY REFERENCES certificates (id) ON DELETE CASCADE,"
    " version TEXT NOT NULL,"
    " request_id TEXT NOT NULL,"
    " issuer TEXT NOT NULL,"
    " csr BLOB NOT NULL,"
    " status TEXT NOT NULL,"
    " cancelled INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " sealed BLOB);"
    "CREATE TABLE certificate_documents ("
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " kind TEXT NOT NULL,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " document TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " PRIMARY KEY (vault, kind, name));",
    /* 3: roles per vault and scope, for object ids; custom roles, settings, more credentials. */
    "CREATE TABLE assignments ("
    " id TEXT NOT NULL COLLATE NOCASE,"
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " principal TEXT NOT NULL COLLATE NOCASE,"
    " role TEXT NOT NULL COLLATE NOCASE,"
    " scope TEXT NOT NULL COLLATE NOCASE,"
    " PRIMARY KEY (vault, id),"
    " UNIQUE (vault, principal, role, scope));"
    "INSERT OR IGNORE INTO assignments"
    " SELECT r.id, (SELECT min(id) FROM vaults), p.object_id, r.role, r.scope"
    " FROM role_assignments r JOIN principals p ON p.id = r.principal;"
    "DROP TABLE role_assignments;"
    "ALTER TABLE assignments RENAME TO role_assignments;"
    "CREATE INDEX role_assignments_principal ON role_assignments (principal, vault);"
    "CREATE TRIGGER principal_assignments AFTER DELETE ON principals BEGIN"
    " DELETE FROM role_assignments WHERE principal = OLD.object_id; END;"
    "CREATE TABLE role_definitions ("
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " id TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL,"
    " description TEXT NOT NULL,"
    " permissions TEXT NOT NULL,"
    " scopes TEXT NOT NULL,"
    " PRIMARY KEY (vault, id));"
    "CREATE TABLE settings ("
    " vault INTEGER NOT NULL REFERENCES vaults (id),"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " value TEXT NOT NULL,"
    " PRIMARY KEY (vault, name));"
    "CREATE TABLE credentials ("
    " id INTEGER PRIMARY KEY,"
    " principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,"
    " kind TEXT NOT NULL CHECK (kind IN ('certificate', 'federated')),"
    " issuer TEXT NOT NULL,"
    " subject TEXT NOT NULL,"
    " audience TEXT NOT NULL,"
    " keys TEXT NOT NULL);"
    "CREATE INDEX credentials_principal ON credentials (principal);"
    "CREATE TABLE used_assertions ("
    " digest BLOB PRIMARY KEY,"
    " expires INTEGER NOT NULL) WITHOUT ROWID;",
    /* 4: rotation policies: `actions` is the JSON of lifetimeActions, `expiry` a duration. */
    "CREATE TABLE rotation_policies ("
    " key INTEGER PRIMARY KEY REFERENCES keys (id) ON DELETE CASCADE,"
    " actions TEXT NOT NULL,"
    " expiry TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL);"
    /* Whether what is sealed names a key in a token. */
    "ALTER TABLE key_versions ADD COLUMN in_token INTEGER NOT NULL DEFAULT 0;",
    /* 5: what a purge leaves in the token is remembered until it is destroyed there. Of versions
     * from before it is unknown whether a backup names them: theirs stay. */
    "ALTER TABLE key_versions ADD COLUMN disposable BLOB;"
    "CREATE TABLE token_leftovers (id INTEGER PRIMARY KEY, reference BLOB NOT NULL);"
    "CREATE TRIGGER key_version_leftover AFTER DELETE ON key_versions"
    " WHEN OLD.disposable IS NOT NULL BEGIN"
    " INSERT INTO token_leftovers (reference) VALUES (OLD.disposable); END;",
};
const unsigned kvp_store_schema_version = KVP_ARRAY_LEN(migrations);

static kvp_status read_number(kvp_store_conn *conn, const char *pragma, int *ret, kvp_error *reterr)
{
    sqlite3_stmt *stmt = NULL;
    kvp_status status = KVP_OK;

    if (sqlite3_prepare_v2(conn->db, pragma, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        status = kvp_store_failed(conn, reterr, "reading the schema version");
    else
        *ret = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return status;
}

static kvp_status apply(kvp_store_conn *conn, unsigned from, unsigned target, kvp_error *reterr)
{
    char sql[96];

    for (unsigned i = from; i < target; i++) {
        if (sqlite3_exec(conn->db, migrations[i], NULL, NULL, NULL) != SQLITE_OK)
            return kvp_store_failed(conn, reterr, "migrating");
    }
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%u;", APPLICATION_ID,
             target);
    if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return kvp_store_failed(conn, reterr, "migrating");
    return KVP_OK;
}

kvp_status kvp_store_migrate(kvp_store_conn *conn, unsigned target, kvp_error *reterr)
{
    int version = 0, application = 0, tables = 0;
    kvp_status status = KVP_OK;

    /* Read inside the transaction: another process may be migrating the same file right now. */
    if (sqlite3_exec(conn->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return kvp_store_failed(conn, reterr, "opening");
    status = read_number(conn, "PRAGMA user_version", &version, reterr);
    if (status == KVP_OK)
        status = read_number(conn, "PRAGMA application_id", &application, reterr);
    if (status == KVP_OK)
        status = read_number(conn, "SELECT count(*) FROM sqlite_schema", &tables, reterr);
    if (status == KVP_OK && tables > 0 && application != APPLICATION_ID)
        status = kvp_error_set(reterr, KVP_ERR_IO, "not a database of keyvaultd");
    if (status == KVP_OK && (version < 0 || (unsigned)version > kvp_store_schema_version))
        status = kvp_error_set(reterr, KVP_ERR_IO,
                               "written by a newer keyvaultd (schema %d, this one knows %u)",
                               version, kvp_store_schema_version);
    if (status == KVP_OK && (unsigned)version < target)
        status = apply(conn, (unsigned)version, target, reterr);
    if (status == KVP_OK && sqlite3_exec(conn->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        status = kvp_store_failed(conn, reterr, "migrating");
    if (status != KVP_OK && !sqlite3_get_autocommit(conn->db))
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
