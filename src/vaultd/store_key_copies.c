/* SPDX-License-Identifier: MIT */
/*
 * Whole keys leaving the store and coming back as backups; and what becomes of a token's object
 * when the version that names it is purged. With a version stands what to destroy (`disposable`)
 * until a backup names the object, too. A trigger of the schema keeps it when the row goes, by
 * whatever way, until the object is destroyed.
 */
#include "vaultd/store_objects_internal.h"
#include "vaultd/store_rotation.h"

#include "base/alloc.h"

#include <string.h>

/* Seal the private half of each copy; the result is in the order of @copies. */
static kvp_status seal_copies(kvp_store *store, const kvp_vault_info *vault,
                              const kvp_key_copy *copies, size_t count, kvp_buf *sealed,
                              kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        sealed[i] = (kvp_buf)KVP_BUF_INIT(0);
        status = kvp_store_key_seal(store, vault, &copies[i].record, copies[i].material.data,
                                    copies[i].material.len, &sealed[i], reterr);
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
    kvp_object_state found = { .name = "" };
    int64_t key = 0;
    size_t current = count - 1;
    kvp_status status = kvp_store_object_find(conn, vault, KVP_OBJECT_KEY, copies[0].record.name,
                                              &key, &found, reterr);

    if (status == KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s is there already", found.name);
    if (status == KVP_ERR_NOT_FOUND)
        status = kvp_store_key_insert_name(conn, vault, &copies[0].record, &key, reterr);
    for (size_t i = 0; i < count; i++) {
        if (copies[i].record.current)
            current = i;
    }
    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        if (i != current)
            status = kvp_store_key_insert_version(conn, key, &copies[i].record, &sealed[i], reterr);
    }
    if (status == KVP_OK)
        status = kvp_store_key_insert_version(conn, key, &copies[current].record, &sealed[current],
                                              reterr);
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

kvp_status kvp_store_key_keep(kvp_store *store, const kvp_vault_info *vault, const char *name,
                              kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(vault->id), KVP_STORE_TEXT(name) };

    return kvp_store_change(store,
                            "UPDATE key_versions SET disposable = NULL WHERE key ="
                            " (SELECT id FROM keys WHERE vault = ?1 AND name = ?2)",
                            values, KVP_ARRAY_LEN(values), "key", reterr);
}

static kvp_status read_leftover(sqlite3_stmt *stmt, void *ret, kvp_error *reterr)
{
    kvp_token_leftover *leftover = ret;

    *leftover = (kvp_token_leftover){ .row = sqlite3_column_int64(stmt, 0),
                                      .len = (size_t)sqlite3_column_bytes(stmt, 1) };
    if (leftover->len > sizeof(leftover->reference))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "a reference to a token's object is too long");
    if (leftover->len > 0)
        memcpy(leftover->reference, sqlite3_column_blob(stmt, 1), leftover->len);
    return KVP_OK;
}

kvp_status kvp_store_leftover_list(kvp_store *store, kvp_token_leftover **ret, size_t *ret_count,
                                   kvp_error *reterr)
{
    static const kvp_store_rows rows = { "leftover", sizeof(kvp_token_leftover), read_leftover,
                                         NULL };
    kvp_store_list list = { NULL, 0, false };
    kvp_status status =
        kvp_store_read_many(store, &rows, "SELECT id, reference FROM token_leftovers ORDER BY id",
                            NULL, 0, 0, &list, reterr);

    *ret = list.items;
    *ret_count = list.count;
    return status;
}

kvp_status kvp_store_leftover_forget(kvp_store *store, int64_t row, kvp_error *reterr)
{
    const kvp_store_value values[] = { KVP_STORE_NUMBER(row) };

    return kvp_store_change(store, "DELETE FROM token_leftovers WHERE id = ?1", values, 1, NULL,
                            reterr);
}
