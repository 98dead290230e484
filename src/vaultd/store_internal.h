/* SPDX-License-Identifier: MIT */
/* Shared by the files of the store: connections, kept statements, transactions. */
#ifndef KVP_VAULTD_STORE_INTERNAL_H
#define KVP_VAULTD_STORE_INTERNAL_H

#include "base/lock.h"
#include "vaultd/store.h"
#include "vaultd/store_recent.h"

#include <sqlite3.h>

#define KVP_STORE_STATEMENTS 224 /**< kept prepared per connection */

/** A connection, used by one thread at a time; statements are found by the address of their text.
 */
typedef struct kvp_store_conn {
    sqlite3 *db;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } kept[KVP_STORE_STATEMENTS];
    size_t kept_count;
    struct kvp_store_conn *next;
} kvp_store_conn;

struct kvp_store {
    char *path;
    kvp_lock write_lock; /**< one writer at a time; held while the disk works */
    kvp_store_conn *writer;
    KVP_GUARDED_BY(write_lock)
    kvp_lock pool_lock; /**< held only to take and give back */
    kvp_store_conn *idle;
    KVP_GUARDED_BY(pool_lock)
    kvp_recent *recent; /**< of the writer's connection */
    kvp_seal seal; /**< written once, before threads start */
    bool unlocked;
};

/** A reader of the caller's own until kvp_store_give; NULL with @reterr filled. */
kvp_store_conn *kvp_store_take(kvp_store *store, kvp_error *reterr);
void kvp_store_give(kvp_store *store, kvp_store_conn *conn);

/** Take the writer and begin a transaction. On success kvp_store_end must follow. */
kvp_status kvp_store_begin(kvp_store *store, kvp_store_conn **ret_conn, kvp_error *reterr);
/** Commit when @status is KVP_OK, else roll back; returns @status or the failure to commit. */
kvp_status kvp_store_end(kvp_store *store, kvp_status status, kvp_error *reterr);

/** A reset, unbound statement of @sql, a string constant; NULL with @reterr filled. */
sqlite3_stmt *kvp_store_prepare(kvp_store_conn *conn, const char *sql, kvp_error *reterr);
/** Step a statement that returns no row and reset it. */
kvp_status kvp_store_run(kvp_store_conn *conn, sqlite3_stmt *stmt, kvp_error *reterr);
/** KVP_ERR_IO with SQLite's words. */
kvp_status kvp_store_failed(kvp_store_conn *conn, kvp_error *reterr, const char *what);

/* --- store_rows.c ---------------------------------------------------------------------------- */

/** A value of a statement, bound in order: ?1 is the first. */
typedef struct kvp_store_value {
    bool is_text;
    const char *text; /**< NULL becomes SQL's */
    int64_t number;
} kvp_store_value;
#define KVP_STORE_TEXT(value)                                                                      \
    {                                                                                              \
        .is_text = true, .text = (value)                                                           \
    }
#define KVP_STORE_NUMBER(value)                                                                    \
    {                                                                                              \
        .number = (value)                                                                          \
    }

/** How the rows of a query become structures. */
typedef struct kvp_store_rows {
    const char *what; /**< of which there is none, in messages */
    size_t size;
    kvp_status (*read)(sqlite3_stmt *stmt, void *ret, kvp_error *reterr); /**< fills all of *ret */
    void (*clear)(void *item);                                            /**< NULL: owns nothing */
} kvp_store_rows;

typedef struct kvp_store_list {
    void *items; /**< owned (kvp_free), NULL when there are none */
    size_t count;
    bool more; /**< there are more than the limit */
} kvp_store_list;

/** The row that a query finds. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_read_one(kvp_store *store, const kvp_store_rows *rows, const char *sql,
                              const kvp_store_value *values, size_t count, void *ret,
                              kvp_error *reterr);
/** The rows it finds: at most @limit, for which the query has the value after the last; 0: all. */
kvp_status kvp_store_read_many(kvp_store *store, const kvp_store_rows *rows, const char *sql,
                               const kvp_store_value *values, size_t count, size_t limit,
                               kvp_store_list *ret, kvp_error *reterr);
/** A transaction of one statement; when @missing is set, one that changes nothing is
 * KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_change(kvp_store *store, const char *sql, const kvp_store_value *values,
                            size_t count, const char *missing, kvp_error *reterr);

/** A column as text, never NULL; valid until the next step. */
const char *kvp_store_text(sqlite3_stmt *stmt, int column);
/** Copy a text column into a fixed array. */
void kvp_store_copy(sqlite3_stmt *stmt, int column, char *dst, size_t size);

int64_t kvp_store_read_time(sqlite3_stmt *stmt, int column);
void kvp_store_bind_time(sqlite3_stmt *stmt, int column, int64_t value);
/** A copy of a text column in *dst, which stays NULL for SQL's NULL; false without memory. */
bool kvp_store_copy_text(sqlite3_stmt *stmt, int column, char **dst);

/** The private half of a key version as it is stored, appended to @ret. */
kvp_status kvp_store_key_seal(kvp_store *store, const kvp_vault_info *vault,
                              const kvp_key_record *record, const void *material, size_t len,
                              kvp_buf *ret, kvp_error *reterr);
/** Inside a transaction: the row of a new name; a version of it, which becomes the current one. */
kvp_status kvp_store_key_insert_name(kvp_store_conn *conn, const kvp_vault_info *vault,
                                     const kvp_key_record *record, int64_t *ret_id,
                                     kvp_error *reterr);
kvp_status kvp_store_key_insert_version(kvp_store_conn *conn, int64_t key, kvp_key_record *record,
                                        const kvp_buf *sealed, kvp_error *reterr);
/** Inside a transaction: kvp_store_key_add without sealing. */
kvp_status kvp_store_key_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                kvp_key_record *record, const kvp_buf *sealed, kvp_error *reterr);

/** Inside a transaction: the row of one principal, and its roles (ended by NULL) at @scope. */
kvp_status kvp_store_principal_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                      const kvp_principal *principal, const char *const *roles,
                                      const char *scope, int64_t *ret_row, kvp_error *reterr);
/** Inside a transaction. */
kvp_status kvp_store_credential_insert(kvp_store_conn *conn, int64_t principal,
                                       const kvp_credential *credential, kvp_error *reterr);
/** Inside a transaction. KVP_ERR_REFUSED: there is one of that id, or the same under another. */
kvp_status kvp_store_assignment_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                       const kvp_assignment *assignment, kvp_error *reterr);

/** The vaults' columns in a fixed order, as kvp_store_read_vault takes them. */
#define KVP_STORE_VAULT_COLUMNS                                                                    \
    "id, name, kind, tenant, subscription, recovery_level, recoverable_days"
void kvp_store_read_vault(sqlite3_stmt *stmt, kvp_vault_info *ret_info);
kvp_status kvp_store_vault_insert(kvp_store_conn *conn, const kvp_vault_info *info,
                                  const void *check, size_t check_len, kvp_error *reterr);

/** Apply migrations up to @target (tests stop early); KVP_ERR_IO for files that are not ours. */
kvp_status kvp_store_migrate(kvp_store_conn *conn, unsigned target, kvp_error *reterr);

#endif
