/* SPDX-License-Identifier: MIT */
/* Lists of keys, versions and deleted keys, a page at a time (wire reference, section 3.1). */
#include "vaultd/key_doc.h"
#include "vaultd/paging.h"
#include "vaultd/routes.h"

/* Answer with @page, which is cleared. */
static void answer(kvp_exchange *ex, const kvp_paging *at, kvp_key_page *page, bool versions)
{
    const kvp_key_record *last = page->more ? &page->items[page->count - 1] : NULL;
    json_t *items = json_array();
    bool ok = items != NULL;

    for (size_t i = 0; i < page->count && ok; i++)
        ok = json_array_append_new(items, kvp_key_item(ex, &page->items[i], versions)) == 0;
    if (!ok) {
        json_decref(items);
        items = NULL;
    }
    kvp_paging_answer(ex, at, items, !last ? NULL : versions ? last->version : last->name);
    kvp_key_page_clear(page);
}

static void list(kvp_exchange *ex, kvp_key_state state)
{
    kvp_error error = { .status = KVP_OK };
    kvp_key_page page = { NULL, 0, 0, false };
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    if (kvp_store_key_list(ex->daemon->store, &ex->daemon->vault, state, at.after, at.limit, &page,
                           &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer(ex, &at, &page, false);
}

void kvp_keys_list(kvp_exchange *ex)
{
    list(ex, KVP_KEY_LIVE);
}

void kvp_keys_list_deleted(kvp_exchange *ex)
{
    list(ex, KVP_KEY_DELETED);
}

void kvp_keys_versions(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_key_page page = { NULL, 0, 0, false };
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    if (kvp_store_key_versions(ex->daemon->store, &ex->daemon->vault, ex->name, at.after, at.limit,
                               &page, &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer(ex, &at, &page, true);
}
