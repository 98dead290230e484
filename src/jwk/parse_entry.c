/* SPDX-License-Identifier: MIT */
/*
 * What keys, certificates and secrets share, certificate and secret bundles, and the pages of their
 * lists (wire reference, sections 3, 6 and 7). Numbers of keys are parse.c's.
 */
#include "jwk/internal.h"
#include "base/alloc.h"
#include "jwk/base64url.h"

#include <string.h>

/* `hsmPlatform` is a string of a number (wire reference, section 3). */
static kvp_status parse_platform(const json_t *object, int *ret, kvp_error *reterr)
{
    const char *text = NULL;
    kvp_status st = kvp_json_string(object, "attributes.", "hsmPlatform", false, &text, reterr);

    if (st == KVP_OK && text && text[0] >= '0' && text[0] <= '9' && text[1] == '\0')
        *ret = text[0] - '0';
    return st;
}

static kvp_status parse_attributes(const json_t *root, kvp_attributes *a, kvp_error *reterr)
{
    static const char path[] = "attributes.";
    const char *level = NULL;
    json_t *object = NULL;
    kvp_status st;

    a->enabled = true;
    a->hsm_platform = -1;
    st = kvp_json_object(root, "", "attributes", false, &object, reterr);
    if (st != KVP_OK || !object)
        return st;
    if ((st = kvp_json_bool(object, path, "enabled", &a->enabled, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "nbf", &a->not_before, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "exp", &a->expires, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "created", &a->created, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "updated", &a->updated, reterr)) != KVP_OK ||
        (st = kvp_json_bool(object, path, "exportable", &a->exportable, reterr)) != KVP_OK ||
        (st = parse_platform(object, &a->hsm_platform, reterr)) != KVP_OK ||
        (st = kvp_json_string(object, path, "recoveryLevel", false, &level, reterr)) != KVP_OK)
        return st;
    if (level)
        kvp_copy_printable(a->recovery_level, sizeof(a->recovery_level), level);
    return KVP_OK;
}

static kvp_status parse_tags(const json_t *root, kvp_entry *entry, kvp_error *reterr)
{
    json_t *object = NULL, *value;
    const char *name;
    kvp_status st = kvp_json_object(root, "", "tags", false, &object, reterr);

    if (st != KVP_OK || !object || json_object_size(object) == 0)
        return st;
    entry->tags = kvp_calloc(json_object_size(object), sizeof(*entry->tags));
    if (!entry->tags)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "tags");
    json_object_foreach(object, name, value)
    {
        kvp_tag *tag = &entry->tags[entry->tag_count];

        if (json_is_null(value))
            continue;
        if (!json_is_string(value))
            return kvp_error_set(reterr, KVP_ERR_PARSE, "a member of `tags` is no string");
        entry->tag_count++;
        tag->name = kvp_strdup(name);
        tag->value = kvp_strdup(json_string_value(value));
        if (!tag->name || !tag->value)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "tags");
    }
    return KVP_OK;
}

/* The bundles of each collection name themselves by this member. */
static const char *const id_names[KVP_COLLECTION_COUNT] = { "kid", "id", "id" };

kvp_status kvp_json_entry(const json_t *root, const json_t *holder, const char *path,
                          kvp_collection collection, kvp_entry *entry, kvp_error *reterr)
{
    const char *member = id_names[collection], *id = NULL;
    kvp_status st = kvp_json_string(holder, path, member, true, &id, reterr);

    if (st != KVP_OK)
        return st;
    entry->collection = collection;
    st = kvp_jwk_split_id(id, kvp_collection_name(collection), &entry->name, &entry->version,
                          reterr);
    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "`%s%s`: ", path, member);
        return st;
    }
    entry->id = kvp_strdup(id);
    if (!entry->id)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "identifier");
    if ((st = parse_attributes(root, &entry->attributes, reterr)) != KVP_OK ||
        (st = parse_tags(root, entry, reterr)) != KVP_OK)
        return st;
    return kvp_json_bool(root, "", "managed", &entry->managed, reterr);
}

/* A string member as a new string; NULL where there is none. */
static kvp_status copy_string(const json_t *root, const char *name, char **ret, kvp_error *reterr)
{
    const char *text = NULL;
    kvp_status st = kvp_json_string(root, "", name, false, &text, reterr);

    if (st != KVP_OK || !text)
        return st;
    *ret = kvp_strdup(text);
    return *ret ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "`%s`", name);
}

/* ---- certificates ---- */

static kvp_status parse_der(const json_t *root, kvp_buf *ret, kvp_error *reterr)
{
    const char *text = NULL;
    kvp_status st = kvp_json_string(root, "", "cer", false, &text, reterr);

    if (st != KVP_OK || !text)
        return st;
    st = kvp_base64_decode(text, strlen(text), ret);
    if (st == KVP_ERR_PARSE)
        return kvp_error_set(reterr, st, "`cer` is no base64");
    return st == KVP_OK ? KVP_OK : kvp_error_set(reterr, st, "decoding `cer`");
}

static kvp_status parse_policy(const json_t *root, kvp_certificate *certificate, kvp_error *reterr)
{
    json_t *policy = NULL, *key_props = NULL, *attributes = NULL;
    kvp_status st = kvp_json_object(root, "", "policy", false, &policy, reterr);

    certificate->exportable = true;
    if (st == KVP_OK && policy)
        st = kvp_json_object(policy, "policy.", "key_props", false, &key_props, reterr);
    if (st == KVP_OK && policy)
        st = kvp_json_object(policy, "policy.", "attributes", false, &attributes, reterr);
    if (st == KVP_OK && attributes)
        st = kvp_json_int(attributes, "policy.attributes.", "updated", &certificate->policy_updated,
                          reterr);
    if (st != KVP_OK || !key_props)
        return st;
    certificate->has_policy = true;
    return kvp_json_bool(key_props, "policy.key_props.", "exportable", &certificate->exportable,
                         reterr);
}

static kvp_status parse_certificate(const json_t *root, kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_certificate_freep)
    kvp_certificate *certificate = kvp_calloc(1, sizeof(*certificate));
    kvp_status st;

    if (!certificate)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
    if ((st = kvp_json_entry(root, root, "", KVP_CERTIFICATES, &certificate->entry, reterr)) !=
            KVP_OK ||
        (st = parse_der(root, &certificate->der, reterr)) != KVP_OK ||
        (st = copy_string(root, "kid", &certificate->key_id, reterr)) != KVP_OK ||
        (st = copy_string(root, "sid", &certificate->secret_id, reterr)) != KVP_OK ||
        (st = parse_policy(root, certificate, reterr)) != KVP_OK)
        return st;
    *ret = &KVP_STEAL(certificate)->entry;
    return KVP_OK;
}

/* ---- secrets ---- */

static kvp_status parse_secret(const json_t *root, kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_secret_freep) kvp_secret *secret = kvp_calloc(1, sizeof(*secret));
    const char *value = NULL;
    kvp_status st;

    if (!secret)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "secret");
    secret->value = (kvp_buf)KVP_BUF_INIT_SECRET(0);
    if ((st = kvp_json_entry(root, root, "", KVP_SECRETS, &secret->entry, reterr)) != KVP_OK ||
        (st = copy_string(root, "contentType", &secret->content_type, reterr)) != KVP_OK ||
        (st = copy_string(root, "kid", &secret->key_id, reterr)) != KVP_OK ||
        (st = kvp_json_string(root, "", "value", false, &value, reterr)) != KVP_OK)
        return st;
    if (value) {
        secret->has_value = true;
        st = kvp_buf_set(&secret->value, value, strlen(value));
        if (st != KVP_OK)
            return kvp_error_set(reterr, st, "`value`");
    }
    *ret = &KVP_STEAL(secret)->entry;
    return KVP_OK;
}

/* ---- keys in lists ---- */

static kvp_status parse_key_item(const json_t *root, kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = kvp_calloc(1, sizeof(*key));
    kvp_status st;

    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    st = kvp_json_entry(root, root, "", KVP_KEYS, &key->entry, reterr);
    if (st == KVP_OK)
        *ret = &KVP_STEAL(key)->entry;
    return st;
}

/* ---- documents ---- */

/* List items of certificates and secrets are bundles with less in them; keys have another form. */
static kvp_status (*const parsers[KVP_COLLECTION_COUNT])(const json_t *, kvp_entry **,
                                                         kvp_error *) = { parse_key_item,
                                                                          parse_certificate,
                                                                          parse_secret };

kvp_status kvp_jwk_parse_entry(kvp_collection collection, const char *json, size_t len,
                               kvp_entry **ret, kvp_error *reterr)
{
    json_auto_t *root = NULL;
    kvp_status st;

    if (collection == KVP_KEYS) {
        kvp_key *key = NULL;

        st = kvp_jwk_parse_key(json, len, &key, reterr);
        if (st == KVP_OK)
            *ret = &key->entry;
        return st;
    }
    st = kvp_json_load(json, len, &root, reterr);
    if (st != KVP_OK)
        return st;
    st = parsers[collection](root, ret, reterr);
    kvp_json_wipe(root, "value");
    return st;
}

kvp_status kvp_jwk_parse_certificate(const char *json, size_t len, kvp_certificate **ret,
                                     kvp_error *reterr)
{
    kvp_entry *entry = NULL;
    kvp_status st = kvp_jwk_parse_entry(KVP_CERTIFICATES, json, len, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_certificate *)entry;
    return st;
}

kvp_status kvp_jwk_parse_secret(const char *json, size_t len, kvp_secret **ret, kvp_error *reterr)
{
    kvp_entry *entry = NULL;
    kvp_status st = kvp_jwk_parse_entry(KVP_SECRETS, json, len, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_secret *)entry;
    return st;
}

/* ---- list pages ---- */

static kvp_status parse_item(kvp_collection collection, const json_t *item, size_t index,
                             kvp_entry_list *list, kvp_error *reterr)
{
    kvp_entry *entry = NULL;
    kvp_status st;

    if (!json_is_object(item))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`value[%zu]` is no object", index);
    st = parsers[collection](item, &entry, reterr);
    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "`value[%zu]`: ", index);
        return st;
    }
    st = kvp_entry_list_take(list, entry);
    return st == KVP_OK ? KVP_OK : kvp_error_set(reterr, st, "list");
}

kvp_status kvp_jwk_parse_page(kvp_collection collection, const char *json, size_t len,
                              kvp_entry_list *list, char **ret_next_link, kvp_error *reterr)
{
    json_auto_t *root = NULL;
    size_t old_count = list->count, i;
    const json_t *value, *item;
    const char *link = NULL;
    char *next = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st == KVP_OK)
        st = kvp_json_string(root, "", "nextLink", false, &link, reterr);
    if (st != KVP_OK)
        return st;
    value = json_object_get(root, "value");
    /* A page may be empty; some services say so with null. */
    if (!value || (!json_is_array(value) && !json_is_null(value)))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`value` is %s",
                             value ? "no array" : "missing");
    json_array_foreach(value, i, item)
    {
        st = parse_item(collection, item, i, list, reterr);
        if (st != KVP_OK)
            break;
    }
    if (st == KVP_OK && link && link[0] != '\0') {
        next = kvp_strdup(link);
        if (!next)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "nextLink");
    }
    if (st != KVP_OK) {
        while (list->count > old_count)
            kvp_entry_free(list->items[--list->count]);
        return st;
    }
    *ret_next_link = next;
    return KVP_OK;
}
