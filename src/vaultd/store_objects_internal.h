/* SPDX-License-Identifier: MIT */
/* Shared by the files of the store that know secrets and certificates. */
#ifndef KVP_VAULTD_STORE_OBJECTS_INTERNAL_H
#define KVP_VAULTD_STORE_OBJECTS_INTERNAL_H

#include "vaultd/store_internal.h"
#include "vaultd/store_objects.h"

/** The row of a name. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_object_find(kvp_store_conn *conn, const kvp_vault_info *vault,
                                 kvp_object_kind kind, const char *name, int64_t *ret_id,
                                 kvp_object_state *ret, kvp_error *reterr);

/** Run @sql with ?1 the vault, ?2 the name and, unless @times is NULL, ?3 and ?4. */
kvp_status kvp_store_by_name(kvp_store_conn *conn, const char *sql, const kvp_vault_info *vault,
                             const char *name, const int64_t *times, int *ret_changes,
                             kvp_error *reterr);

/** The value of a secret version as it is stored, appended to @ret. */
kvp_status kvp_store_secret_seal(kvp_store *store, const kvp_vault_info *vault,
                                 const kvp_secret_record *record, const void *value, size_t len,
                                 kvp_buf *ret, kvp_error *reterr);
/** Inside a transaction: kvp_store_secret_add without sealing. */
kvp_status kvp_store_secret_insert(kvp_store_conn *conn, const kvp_vault_info *vault,
                                   kvp_secret_record *record, const kvp_buf *sealed,
                                   kvp_error *reterr);

#endif
