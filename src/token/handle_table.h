/* SPDX-License-Identifier: MIT */
/*
 * Handles: numbers that an application holds, turned into counted references. A handle carries the
 * generation of its place in the table, so that one which outlived its item is invalid and never
 * names the item that came after it. The table knows its own "invalid" CK_RV.
 */
#ifndef KVP_TOKEN_HANDLE_TABLE_H
#define KVP_TOKEN_HANDLE_TABLE_H

#include "base/lock.h"
#include "kvpkcs11/cryptoki.h"

#include <stddef.h>

typedef struct kvp_handle_entry kvp_handle_entry;

typedef struct kvp_handle_table {
    CK_RV invalid;
    void (*ref)(void *item);
    kvp_lock lock; /**< KVP_RANK_HANDLES; guards what follows */
    kvp_handle_entry *entries;
    size_t size;
    size_t free_head; /**< index + 1 of the first free place, 0 when there is none */
    CK_ULONG first_generation;
} kvp_handle_table;

/**
 * @invalid is what kvp_handle_table_get answers for a handle that names nothing. @ref takes a
 * reference to an item; it is called with the table's lock held and may only count.
 */
kvp_status kvp_handle_table_init(kvp_handle_table *table, CK_RV invalid, void (*ref)(void *item))
    KVP_WARN_UNUSED;
/** The table must be empty (kvp_handle_table_pop); accepts a zeroed one. */
void kvp_handle_table_clear(kvp_handle_table *table);

/**
 * Put @item in, taking the caller's reference; *@ret_handle, which may lie in the item, is written
 * before anyone else can find it. KVP_ERR_NO_MEMORY, KVP_ERR_TOO_LARGE: the reference stays with
 * the caller.
 */
kvp_status kvp_handle_table_add(kvp_handle_table *table, void *item, CK_ULONG *ret_handle)
    KVP_WARN_UNUSED;

/** A new reference to what @handle names. CKR_OK, or the table's own invalid. */
CK_RV kvp_handle_table_get(kvp_handle_table *table, CK_ULONG handle, void **ret_item);

/** Take it out: the table's reference moves to the caller. CKR_OK, or the table's own invalid. */
CK_RV kvp_handle_table_remove(kvp_handle_table *table, CK_ULONG handle, void **ret_item);

/**
 * Take out the next item at or after *@cursor (start with 0) that @match accepts (NULL: any); its
 * reference moves to the caller. NULL when there is none left. @match runs with the lock held.
 */
void *kvp_handle_table_pop(kvp_handle_table *table, size_t *cursor,
                           bool (*match)(const void *item, const void *user), const void *user);

#endif
