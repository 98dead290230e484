/* SPDX-License-Identifier: MIT */
/*
 * What was read from the database lately, good for as long as nobody writes: a request that finds
 * its token, its vault and its key here runs no statement. Internal to the store.
 *
 * Whether somebody wrote, this process or another, is read from where SQLite itself looks: the
 * header of the WAL index, shared memory of all who have the file open, changes with every commit.
 * What was kept under another header than today's is not found.
 */
#ifndef KVP_VAULTD_STORE_RECENT_H
#define KVP_VAULTD_STORE_RECENT_H

#include "vaultd/store.h"

#include <sqlite3.h>

#define KVP_STAMP_WORDS 12

/** The state of the database that something was read in, or an older one. */
typedef struct kvp_stamp {
    uint32_t words[KVP_STAMP_WORDS];
    bool known; /**< false: a commit is under way, or there is no index; nothing is kept then */
} kvp_stamp;

typedef struct kvp_recent kvp_recent;

/** @db: a connection in WAL mode that outlives this. NULL without memory. */
kvp_recent *kvp_recent_new(sqlite3 *db);
/** Accepts NULL. */
void kvp_recent_free(kvp_recent *recent);

/*
 * Each pair: the first sets @ret_stamp, and @ret (owned as if read from the database) when it
 * returns true; the second, for what was read since, keeps a copy, or does not for lack of memory.
 */
bool kvp_recent_grant(kvp_recent *recent, const uint8_t digest[32], const kvp_vault_info *vault,
                      kvp_stamp *ret_stamp, kvp_grant *ret);
void kvp_recent_keep_grant(kvp_recent *recent, const uint8_t digest[32],
                           const kvp_vault_info *vault, const kvp_stamp *stamp,
                           const kvp_grant *grant);
bool kvp_recent_vault(kvp_recent *recent, const char *name, kvp_stamp *ret_stamp,
                      kvp_vault_info *ret);
void kvp_recent_keep_vault(kvp_recent *recent, const char *name, const kvp_stamp *stamp,
                           const kvp_vault_info *info);
/** A live key. @version may be NULL. */
bool kvp_recent_key(kvp_recent *recent, const kvp_vault_info *vault, const char *name,
                    const char *version, kvp_stamp *ret_stamp, kvp_key_record *ret);
void kvp_recent_keep_key(kvp_recent *recent, const kvp_vault_info *vault, const char *name,
                         const char *version, const kvp_stamp *stamp, const kvp_key_record *record);

#endif
