/* SPDX-License-Identifier: MIT */
/* The typed key: life and death, copies. No JSON here. */
#include "jwk/internal.h"
#include "base/alloc.h"

void kvp_key_free(kvp_key *key)
{
    if (!key)
        return;
    kvp_entry_clear(&key->entry);
    kvp_buf_clear(&key->n);
    kvp_buf_clear(&key->e);
    kvp_buf_clear(&key->x);
    kvp_buf_clear(&key->y);
    kvp_free(key);
}

static bool copy_tags(const kvp_key *key, kvp_key *copy)
{
    if (key->tag_count == 0)
        return true;
    copy->tags = kvp_calloc(key->tag_count, sizeof(*copy->tags));
    if (!copy->tags)
        return false;
    for (size_t i = 0; i < key->tag_count; i++) {
        copy->tag_count = i + 1;
        copy->tags[i].name = kvp_strdup(key->tags[i].name);
        copy->tags[i].value = kvp_strdup(key->tags[i].value);
        if (!copy->tags[i].name || !copy->tags[i].value)
            return false;
    }
    return true;
}

static bool copy_buf(const kvp_buf *from, kvp_buf *to)
{
    return from->len == 0 || kvp_buf_set(to, from->data, from->len) == KVP_OK;
}

kvp_key *kvp_key_copy(const kvp_key *key)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *copy = kvp_calloc(1, sizeof(*copy));

    if (!copy)
        return NULL;
    copy->has_material = key->has_material;
    copy->kty = key->kty;
    copy->hsm = key->hsm;
    copy->ops = key->ops;
    copy->curve = key->curve;
    copy->key_bits = key->key_bits;
    copy->attributes = key->attributes;
    copy->managed = key->managed;
    copy->id = kvp_strdup(key->id);
    copy->name = kvp_strdup(key->name);
    copy->version = kvp_strdup(key->version);
    if ((key->id && !copy->id) || (key->name && !copy->name) || (key->version && !copy->version))
        return NULL;
    if (!copy_buf(&key->n, &copy->n) || !copy_buf(&key->e, &copy->e) ||
        !copy_buf(&key->x, &copy->x) || !copy_buf(&key->y, &copy->y) || !copy_tags(key, copy))
        return NULL;
    return KVP_STEAL(copy);
}

const char *kvp_key_tag(const kvp_key *key, const char *name)
{
    return kvp_entry_tag(&key->entry, name);
}
