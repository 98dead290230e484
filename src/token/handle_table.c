/* SPDX-License-Identifier: MIT */
/*
 * An array of places with a list of free ones. A handle is generation << INDEX_BITS | index + 1, so
 * it is never CK_INVALID_HANDLE; the generation of a place rises each time its item leaves.
 */
#include "token/handle_table.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <string.h>

/* A CK_ULONG of 32 bits has room for 65535 items and 65536 generations of each place. */
#define INDEX_BITS (sizeof(CK_ULONG) > 4 ? 24 : 16)
#define INDEX_MASK (((CK_ULONG)1 << INDEX_BITS) - 1)
#define GENERATION_MASK (~(CK_ULONG)0 >> INDEX_BITS)

struct kvp_handle_entry {
    void *item; /* NULL: free */
    CK_ULONG generation;
    size_t next_free;
};

/*
 * Each table begins elsewhere, so that a handle from before C_Finalize is not valid after
 * C_Initialize.
 */
static _Atomic CK_ULONG tables;

kvp_status kvp_handle_table_init(kvp_handle_table *table, CK_RV invalid, void (*ref)(void *item))
{
    kvp_status status;

    memset(table, 0, sizeof(*table));
    status = kvp_lock_init(&table->lock, KVP_RANK_HANDLES);
    if (status != KVP_OK) {
        memset(table, 0, sizeof(*table));
        return status;
    }
    table->invalid = invalid;
    table->ref = ref;
    table->first_generation = (atomic_fetch_add(&tables, 1) * 0x101) & GENERATION_MASK;
    return KVP_OK;
}

void kvp_handle_table_clear(kvp_handle_table *table)
{
    kvp_lock_clear(&table->lock);
    kvp_free(table->entries);
    memset(table, 0, sizeof(*table));
}

static kvp_status grow_locked(kvp_handle_table *table) KVP_REQUIRES(table->lock)
{
    size_t size = table->size ? table->size * 2 : 16;
    kvp_handle_entry *entries;

    if (size > INDEX_MASK)
        size = INDEX_MASK;
    if (size <= table->size)
        return KVP_ERR_TOO_LARGE;
    entries = kvp_realloc(table->entries, size * sizeof(*entries));
    if (!entries)
        return KVP_ERR_NO_MEMORY;
    table->entries = entries;
    for (size_t i = size; i-- > table->size;) {
        entries[i].item = NULL;
        entries[i].generation = table->first_generation;
        entries[i].next_free = table->free_head;
        table->free_head = i + 1;
    }
    table->size = size;
    return KVP_OK;
}

kvp_status kvp_handle_table_add(kvp_handle_table *table, void *item, CK_ULONG *ret_handle)
{
    kvp_status status = KVP_OK;

    kvp_lock_take(&table->lock);
    if (!table->free_head)
        status = grow_locked(table);
    if (status == KVP_OK) {
        size_t index = table->free_head - 1;
        kvp_handle_entry *entry = &table->entries[index];

        table->free_head = entry->next_free;
        *ret_handle = entry->generation << INDEX_BITS | (CK_ULONG)(index + 1);
        entry->item = item;
    }
    kvp_lock_give(&table->lock);
    return status;
}

static kvp_handle_entry *find_locked(kvp_handle_table *table, CK_ULONG handle)
    KVP_REQUIRES(table->lock)
{
    CK_ULONG index = handle & INDEX_MASK;
    kvp_handle_entry *entry;

    if (index == 0 || index > table->size)
        return NULL;
    entry = &table->entries[index - 1];
    return entry->item && entry->generation == handle >> INDEX_BITS ? entry : NULL;
}

static void *take_locked(kvp_handle_table *table, kvp_handle_entry *entry) KVP_REQUIRES(table->lock)
{
    void *item = KVP_STEAL(entry->item);

    entry->generation = (entry->generation + 1) & GENERATION_MASK;
    entry->next_free = table->free_head;
    table->free_head = (size_t)(entry - table->entries) + 1;
    return item;
}

CK_RV kvp_handle_table_get(kvp_handle_table *table, CK_ULONG handle, void **ret_item)
{
    kvp_handle_entry *entry;
    CK_RV rv = CKR_OK;

    kvp_lock_take(&table->lock);
    entry = find_locked(table, handle);
    if (entry) {
        table->ref(entry->item);
        *ret_item = entry->item;
    } else {
        rv = table->invalid;
    }
    kvp_lock_give(&table->lock);
    return rv;
}

CK_RV kvp_handle_table_remove(kvp_handle_table *table, CK_ULONG handle, void **ret_item)
{
    kvp_handle_entry *entry;
    CK_RV rv = CKR_OK;

    kvp_lock_take(&table->lock);
    entry = find_locked(table, handle);
    if (entry)
        *ret_item = take_locked(table, entry);
    else
        rv = table->invalid;
    kvp_lock_give(&table->lock);
    return rv;
}

void *kvp_handle_table_pop(kvp_handle_table *table, size_t *cursor,
                           bool (*match)(const void *item, const void *user), const void *user)
{
    void *item = NULL;

    kvp_lock_take(&table->lock);
    for (; *cursor < table->size && !item; (*cursor)++) {
        kvp_handle_entry *entry = &table->entries[*cursor];

        if (entry->item && (!match || match(entry->item, user)))
            item = take_locked(table, entry);
    }
    kvp_lock_give(&table->lock);
    return item;
}
