/* SPDX-License-Identifier: MIT */
/* Entries of a vault whatever their collection, and lists of them; certificates and secrets. */
#include "jwk/internal.h"
#include "base/alloc.h"

#include <string.h>

const char *kvp_collection_name(kvp_collection collection)
{
    static const char *const names[KVP_COLLECTION_COUNT] = { "keys", "certificates", "secrets" };

    return names[collection];
}

void kvp_entry_clear(kvp_entry *entry)
{
    kvp_free(entry->id);
    kvp_free(entry->name);
    kvp_free(entry->version);
    for (size_t i = 0; entry->tags && i < entry->tag_count; i++) {
        kvp_free(entry->tags[i].name);
        kvp_free(entry->tags[i].value);
    }
    kvp_free(entry->tags);
}

void kvp_certificate_free(kvp_certificate *certificate)
{
    if (!certificate)
        return;
    kvp_entry_clear(&certificate->entry);
    kvp_buf_clear(&certificate->der);
    kvp_free(certificate->key_id);
    kvp_free(certificate->secret_id);
    kvp_free(certificate);
}

void kvp_secret_free(kvp_secret *secret)
{
    if (!secret)
        return;
    kvp_entry_clear(&secret->entry);
    kvp_free(secret->content_type);
    kvp_buf_clear(&secret->value);
    kvp_free(secret->key_id);
    kvp_free(secret);
}

void kvp_entry_free(kvp_entry *entry)
{
    if (!entry)
        return;
    switch (entry->collection) {
    case KVP_CERTIFICATES:
        kvp_certificate_free((kvp_certificate *)entry);
        break;
    case KVP_SECRETS:
        kvp_secret_free((kvp_secret *)entry);
        break;
    default:
        kvp_key_free((kvp_key *)entry);
        break;
    }
}

const char *kvp_entry_tag(const kvp_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->tag_count; i++)
        if (strcmp(entry->tags[i].name, name) == 0)
            return entry->tags[i].value;
    return NULL;
}

void kvp_entry_list_clear(kvp_entry_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        kvp_entry_free(list->items[i]);
    kvp_free(list->items);
    memset(list, 0, sizeof(*list));
}

kvp_status kvp_entry_list_take(kvp_entry_list *list, kvp_entry *entry)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 32;
        kvp_entry **items = kvp_realloc(list->items, size * sizeof(kvp_entry *));

        if (!items) {
            kvp_entry_free(entry);
            return KVP_ERR_NO_MEMORY;
        }
        list->items = items;
        list->size = size;
    }
    list->items[list->count++] = entry;
    return KVP_OK;
}
