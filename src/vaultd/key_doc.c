/* SPDX-License-Identifier: MIT */
/* Key bundles and list items, with the members and order that were recorded (wire reference, 4.1).
 */
#include "vaultd/key_doc.h"

#include "vaultd/recovery.h"
#include "vaultd/routes.h"
#include "vaultd/secret_doc.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <stdio.h>
#include <string.h>

void kvp_key_id(const kvp_exchange *ex, const kvp_key_record *record, bool with_version, char *dst,
                size_t size)
{
    snprintf(dst, size, "%s/keys/%s%s%s", ex->base_url, record->name, with_version ? "/" : "",
             with_version ? record->version : "");
}

/* Add a member if there is a value for it; @take may be NULL only for lack of memory. */
static bool add(json_t *object, const char *name, json_t *take)
{
    return json_object_set_new(object, name, take) == 0;
}

static json_t *attributes_of(const kvp_exchange *ex, const kvp_key_record *record)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    json_t *a = json_object();
    bool ok = add(a, "enabled", json_boolean(record->enabled));

    if (record->not_before != KVP_TIME_NONE)
        ok = ok && add(a, "nbf", json_integer(record->not_before));
    if (record->expires != KVP_TIME_NONE)
        ok = ok && add(a, "exp", json_integer(record->expires));
    ok = ok && add(a, "created", json_integer(record->created)) &&
         add(a, "updated", json_integer(record->updated)) &&
         add(a, "recoveryLevel", json_string(vault->recovery_level));
    /* A Managed HSM sends all it has to every version; it was never seen to send hsmPlatform. */
    bool hsm = kvp_exchange_is_hsm(ex);
    if (hsm || kvp_exchange_since(ex, "7.1"))
        ok = ok && add(a, "recoverableDays", json_integer(vault->recoverable_days));
    if (!record->managed && (hsm || kvp_exchange_since(ex, "7.3-preview"))) /* recorded so */
        ok = ok && add(a, "exportable", json_boolean(record->exportable));
    if (!hsm && kvp_exchange_since(ex, "7.5-preview.1"))
        ok = ok && add(a, "hsmPlatform", json_string(record->in_token ? "1" : "0"));
    if (!ok) {
        json_decref(a);
        return NULL;
    }
    return a;
}

static bool add_text(json_t *object, const char *name, const char *json)
{
    return !json || add(object, name, json_loads(json, JSON_DECODE_ANY, NULL));
}

static bool add_deletion(const kvp_exchange *ex, const kvp_key_record *record, json_t *object)
{
    char id[KVP_ID_SIZE];

    if (record->deleted == KVP_TIME_NONE || !kvp_recovery_is_possible(ex))
        return true;
    snprintf(id, sizeof(id), "%s/deletedkeys/%s", ex->base_url, record->name);
    return add(object, "recoveryId", json_string(id)) &&
           add(object, "deletedDate", json_integer(record->deleted)) &&
           add(object, "scheduledPurgeDate", json_integer(record->purge));
}

static json_t *jwk_of(const kvp_exchange *ex, const kvp_key_record *record)
{
    json_t *jwk = json_object(), *public = json_loads(record->public_json, 0, NULL);
    char id[KVP_ID_SIZE];

    kvp_key_id(ex, record, true, id, sizeof(id));
    if (!public || !add(jwk, "kid", json_string(id)) ||
        !add(jwk, "kty", json_string(record->kty)) || !add_text(jwk, "key_ops", record->ops_json) ||
        json_object_update(jwk, public) != 0) {
        json_decref(jwk);
        jwk = NULL;
    }
    json_decref(public);
    return jwk;
}

/* A vault was recorded to leave the release policy out of deleted bundles, a Managed HSM keeps it.
 */
static bool shows_policy(const kvp_exchange *ex, const kvp_key_record *record)
{
    return kvp_exchange_since(ex, "7.3-preview") &&
           (kvp_exchange_is_hsm(ex) || record->deleted == KVP_TIME_NONE);
}

json_t *kvp_key_bundle(const kvp_exchange *ex, const kvp_key_record *record)
{
    json_t *bundle = json_object();

    if (add_deletion(ex, record, bundle) && add(bundle, "key", jwk_of(ex, record)) &&
        add(bundle, "attributes", attributes_of(ex, record)) &&
        add_text(bundle, "tags", record->tags_json) &&
        (!record->managed || add(bundle, "managed", json_true())) &&
        (!shows_policy(ex, record) || add_text(bundle, "release_policy", record->policy_json)))
        return bundle;
    json_decref(bundle);
    return NULL;
}

json_t *kvp_key_item(const kvp_exchange *ex, const kvp_key_record *record, bool with_version)
{
    json_t *item = json_object();
    char id[KVP_ID_SIZE];

    kvp_key_id(ex, record, with_version, id, sizeof(id));
    if (add_deletion(ex, record, item) && add(item, "kid", json_string(id)) &&
        add(item, "attributes", attributes_of(ex, record)) &&
        add_text(item, "tags", record->tags_json) &&
        (!record->managed || add(item, "managed", json_true())))
        return item;
    json_decref(item);
    return NULL;
}

void kvp_key_answer(kvp_exchange *ex, const kvp_key_record *record)
{
    kvp_key_id(ex, record, true, ex->subject, sizeof(ex->subject));
    kvp_exchange_reply_take(ex, 200, kvp_key_bundle(ex, record));
}

void kvp_key_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error)
{
    char name[400], url[800];
    bool version = *ex->version != '\0';

    if (error->status != KVP_ERR_NOT_FOUND) {
        kvp_exchange_failed(ex, error);
        return;
    }
    /* The version came from the path and may be of any length. */
    snprintf(name, sizeof(name), "%s%s%.200s", ex->name, version ? "/" : "", ex->version);
    /* A Managed HSM quotes the path that was asked for, deleted or not (recorded). */
    bool deleted = ex->segment_count > 0 && kvp_ident_casecmp(ex->segments[0], "deletedkeys") == 0;
    snprintf(url, sizeof(url), "%s%s/%skeys/%s",
             ex->route && ex->route->handler == kvp_keys_rotate ? "Key not found: " : "",
             ex->base_url, deleted ? "deleted" : "", name);
    kvp_refuse(ex,
               state == KVP_KEY_LIVE || !kvp_name_is_taken(ex, KVP_OBJECT_KEY)
                   ? KVP_REFUSE_KEY_NOT_FOUND
                   : KVP_REFUSE_DELETED_KEY_NOT_FOUND,
               name, url);
}

char *kvp_key_public_json(const kvp_engine_key *key, const char *crv)
{
    static const char members[KVP_ENGINE_KIND_COUNT][3] = { "ne", "xy", "" };
    kvp_buf json = KVP_BUF_INIT(8192), number = KVP_BUF_INIT(2048);
    kvp_status status = kvp_buf_append_str(&json, "{");
    char *text = NULL;

    if (status == KVP_OK && key->curve)
        status = kvp_buf_append_fmt(&json, "\"crv\":\"%s\",", crv ? crv : key->curve->name);
    for (const char *m = members[key->kind]; *m && status == KVP_OK; m++) {
        kvp_buf_clear(&number);
        status = kvp_engine_public(key, *m, &number);
        if (status == KVP_OK)
            status = kvp_buf_append_fmt(&json, "\"%c\":\"", *m);
        if (status == KVP_OK)
            status = kvp_base64url_encode(number.data, number.len, &json);
        if (status == KVP_OK)
            status = kvp_buf_append_str(&json, m[1] ? "\"," : "\"");
    }
    if (status == KVP_OK && kvp_buf_append_str(&json, "}") == KVP_OK)
        text = kvp_strdup(kvp_buf_str(&json));
    kvp_buf_clear(&number);
    kvp_buf_clear(&json);
    return text;
}

const char *kvp_key_default_ops(kvp_engine_kind kind)
{
    static const char *const defaults[KVP_ENGINE_KIND_COUNT] = {
        [KVP_ENGINE_RSA] =
            "[\"encrypt\",\"decrypt\",\"sign\",\"verify\",\"wrapKey\",\"unwrapKey\"]",
        [KVP_ENGINE_EC] = "[\"sign\",\"verify\"]",
        [KVP_ENGINE_OCT] = "[\"wrapKey\",\"unwrapKey\",\"encrypt\",\"decrypt\"]",
    };

    return defaults[kind];
}

bool kvp_key_has_op(const kvp_key_record *record, const char *word)
{
    char quoted[32];

    /* The text is ours, compact, of known words: a quoted word stands in it only as itself. */
    snprintf(quoted, sizeof(quoted), "\"%s\"", word);
    return strstr(record->ops_json, quoted) != NULL;
}

bool kvp_key_type(const char *kty, kvp_engine_kind *ret_kind, bool *ret_hsm)
{
    static const struct {
        const char *kty;
        kvp_engine_kind kind;
        bool hsm;
    } types[] = {
        { "RSA", KVP_ENGINE_RSA, false }, { "RSA-HSM", KVP_ENGINE_RSA, true },
        { "EC", KVP_ENGINE_EC, false },   { "EC-HSM", KVP_ENGINE_EC, true },
        { "oct", KVP_ENGINE_OCT, false }, { "oct-HSM", KVP_ENGINE_OCT, true },
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(types); i++) {
        if (strcmp(types[i].kty, kty) == 0) {
            *ret_kind = types[i].kind;
            *ret_hsm = types[i].hsm;
            return true;
        }
    }
    return false;
}
