/* SPDX-License-Identifier: MIT */
/* Secret bundles and list items, with the members and order that were recorded. */
#include "vaultd/secret_doc.h"

#include "vaultd/recovery.h"


#include <stdio.h>

bool kvp_json_add(json_t *object, const char *name, json_t *take)
{
    return json_object_set_new(object, name, take) == 0;
}

bool kvp_json_add_text(json_t *object, const char *name, const char *json)
{
    return !json || kvp_json_add(object, name, json_loads(json, JSON_DECODE_ANY, NULL));
}

json_t *kvp_common_attributes_json(const kvp_exchange *ex, const kvp_common_attributes *attributes,
                                   bool levels)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    json_t *a = json_object();
    bool ok = kvp_json_add(a, "enabled", json_boolean(attributes->enabled));

    if (attributes->not_before != KVP_TIME_NONE)
        ok = ok && kvp_json_add(a, "nbf", json_integer(attributes->not_before));
    if (attributes->expires != KVP_TIME_NONE)
        ok = ok && kvp_json_add(a, "exp", json_integer(attributes->expires));
    ok = ok && kvp_json_add(a, "created", json_integer(attributes->created)) &&
         kvp_json_add(a, "updated", json_integer(attributes->updated));
    if (levels) {
        ok = ok && kvp_json_add(a, "recoveryLevel", json_string(vault->recovery_level));
        if (kvp_exchange_since(ex, "7.1"))
            ok = ok && kvp_json_add(a, "recoverableDays", json_integer(vault->recoverable_days));
    }
    if (!ok) {
        json_decref(a);
        return NULL;
    }
    return a;
}

bool kvp_json_add_deletion(const kvp_exchange *ex, json_t *object, const char *collection,
                           const char *name, int64_t deleted, int64_t purge)
{
    char id[KVP_ID_SIZE];

    if (deleted == KVP_TIME_NONE || !kvp_recovery_is_possible(ex))
        return true;
    snprintf(id, sizeof(id), "%s/%s/%s", ex->base_url, collection, name);
    return kvp_json_add(object, "recoveryId", json_string(id)) &&
           kvp_json_add(object, "deletedDate", json_integer(deleted)) &&
           kvp_json_add(object, "scheduledPurgeDate", json_integer(purge));
}

static json_t *attributes_of(const kvp_exchange *ex, const kvp_secret_record *record)
{
    kvp_common_attributes attributes = { record->enabled, record->not_before, record->expires,
                                         record->created, record->updated };

    return kvp_common_attributes_json(ex, &attributes, true);
}

static void secret_id(const kvp_exchange *ex, const char *collection,
                      const kvp_secret_record *record, bool with_version, char id[KVP_ID_SIZE])
{
    snprintf(id, KVP_ID_SIZE, "%s/%s/%s%s%s", ex->base_url, collection, record->name,
             with_version ? "/" : "", with_version ? record->version : "");
}

/* What bundles and items have in common. */
static bool add_common(const kvp_exchange *ex, const kvp_secret_record *record, bool with_version,
                       json_t *object)
{
    char id[KVP_ID_SIZE];

    secret_id(ex, "secrets", record, with_version, id);
    return (!record->content_type ||
            kvp_json_add(object, "contentType", json_string(record->content_type))) &&
           kvp_json_add(object, "id", json_string(id)) &&
           (!record->managed || kvp_json_add(object, "managed", json_true())) &&
           kvp_json_add(object, "attributes", attributes_of(ex, record)) &&
           kvp_json_add_text(object, "tags", record->tags_json);
}

static json_t *bundle_of(const kvp_exchange *ex, const kvp_secret_record *record,
                         const kvp_buf *value)
{
    json_t *bundle = json_object();
    bool ok = kvp_json_add_deletion(ex, bundle, "deletedsecrets", record->name, record->deleted,
                                    record->purge);
    char kid[KVP_ID_SIZE];

    if (value)
        ok = ok && kvp_json_add(bundle, "value", json_stringn(kvp_buf_str(value), value->len));
    ok = ok && add_common(ex, record, true, bundle);
    if (record->managed) {
        secret_id(ex, "keys", record, true, kid);
        ok = ok && kvp_json_add(bundle, "kid", json_string(kid));
    }
    if (*record->previous && kvp_exchange_since(ex, "2025-07-01"))
        ok = ok && kvp_json_add(bundle, "previousVersion", json_string(record->previous));
    if (!ok) {
        json_decref(bundle);
        return NULL;
    }
    return bundle;
}

void kvp_secret_answer(kvp_exchange *ex, const kvp_secret_record *record, const kvp_buf *value)
{
    secret_id(ex, "secrets", record, true, ex->subject);
    kvp_exchange_reply_take(ex, 200, bundle_of(ex, record, value));
}

json_t *kvp_secret_item(const kvp_exchange *ex, const kvp_secret_record *record, bool with_version)
{
    json_t *item = json_object();

    if (kvp_json_add_deletion(ex, item, "deletedsecrets", record->name, record->deleted,
                              record->purge) &&
        add_common(ex, record, with_version, item))
        return item;
    json_decref(item);
    return NULL;
}

void kvp_path_id(const kvp_exchange *ex, char *dst, size_t size)
{
    bool version = *ex->version != '\0';

    /* The version came from the path and may be of any length. */
    snprintf(dst, size, "%s%s%.200s", ex->name, version ? "/" : "", ex->version);
}

bool kvp_name_is_taken(kvp_exchange *ex, kvp_object_kind kind)
{
    kvp_object_state state;

    return kvp_store_object_state(ex->daemon->store, &ex->daemon->vault, kind, ex->name, &state,
                                  NULL) == KVP_OK;
}

void kvp_secret_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error)
{
    char name[400];

    if (error->status != KVP_ERR_NOT_FOUND) {
        kvp_exchange_failed(ex, error);
        return;
    }
    kvp_path_id(ex, name, sizeof(name));
    kvp_refuse(ex,
               state == KVP_KEY_LIVE || !kvp_name_is_taken(ex, KVP_OBJECT_SECRET)
                   ? KVP_REFUSE_SECRET_NOT_FOUND
                   : KVP_REFUSE_DELETED_SECRET_NOT_FOUND,
               name);
}
