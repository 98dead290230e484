/* SPDX-License-Identifier: MIT */
/* Rotation: on request, by policy, and the policies themselves (wire reference, section 4.3). */
#include "vaultd/key_rotation.h"

#include "base/alloc.h"
#include "vaultd/duration.h"
#include "vaultd/key_doc.h"
#include "vaultd/note.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

#define NOTIFY_DEFAULT "P30D"
#define EXPIRY_DAYS_MIN 28 /* wire reference, section 4.3 */
#define ROTATE_DAYS_MIN 7
#define HSM_ROTATE_DAYS_MIN 28
#define ACTIONS_MAX 2

static bool refuse_property(kvp_exchange *ex, const char *name)
{
    kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
    return false;
}

/* --- what a new version is ------------------------------------------------------------------- */

/* Make @record, the current version of a key, into the next one, and store it. */
static kvp_status rotate(const kvp_daemon *daemon, const kvp_vault_info *vault,
                         kvp_key_record *record, int64_t now, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_engine_key_freep) kvp_engine_key *old = NULL;
    KVP_CLEANUP(kvp_engine_key_freep) kvp_engine_key *fresh = NULL;
    kvp_rotation_policy policy = { .actions_json = NULL };
    kvp_duration expiry;
    kvp_status status =
        kvp_key_cache_get(daemon->cache, daemon->store, vault, record, &old, reterr);

    if (status == KVP_OK)
        status = kvp_engine_generate_like(old, &fresh, reterr);
    if (status != KVP_OK)
        return status;
    status = kvp_store_rotation_get(daemon->store, vault, record->name, &policy, reterr);
    if (status != KVP_OK && status != KVP_ERR_NOT_FOUND)
        return status;
    record->enabled = true;
    record->not_before = record->expires = KVP_TIME_NONE;
    if (status == KVP_OK && kvp_duration_parse(policy.expiry, &expiry))
        record->expires = kvp_duration_apply(now, &expiry, 1);
    kvp_rotation_policy_clear(&policy);
    record->created = record->updated = now;
    kvp_free(record->public_json);
    record->public_json = NULL; /* of the old one */
    return kvp_key_store_version(daemon, vault, record, fresh, reterr);
}

void kvp_keys_rotate(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_error error = { .status = KVP_OK };

    if (!kvp_key_find(ex, owner) || !kvp_throttle_key(ex, record.kty, record.bits, true))
        return;
    kvp_status status = rotate(ex->daemon, &ex->daemon->vault, owner, kvp_ident_now(), &error);
    if (status == KVP_OK)
        kvp_key_answer(ex, owner);
    else if (status == KVP_ERR_REFUSED)
        kvp_refuse(ex, KVP_REFUSE_KEY_IS_DELETED, record.name);
    else if (status == KVP_ERR_INVALID) /* of a size that was taken in and is not made */
        kvp_refuse(ex, KVP_REFUSE_KEY_SIZE, error.message);
    else
        kvp_exchange_failed(ex, &error);
}

/* --- by policy ------------------------------------------------------------------------------- */

/* The trigger of the action @type in @actions, or NULL; names compare without case. */
static const json_t *trigger_of(const json_t *actions, const char *type)
{
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *item = json_array_get(actions, i);
        const char *has =
            json_string_value(json_object_get(json_object_get(item, "action"), "type"));
        if (has && kvp_ident_casecmp(has, type) == 0)
            return json_object_get(item, "trigger");
    }
    return NULL;
}

int64_t kvp_rotation_due(const kvp_rotation_policy *policy, const kvp_key_record *record)
{
    json_t *actions = json_loads(policy->actions_json, 0, NULL);
    const json_t *trigger = trigger_of(actions, "Rotate");
    const char *after = json_string_value(json_object_get(trigger, "timeAfterCreate"));
    const char *before = json_string_value(json_object_get(trigger, "timeBeforeExpiry"));
    kvp_duration duration;
    int64_t due = KVP_TIME_NONE;

    if (after && kvp_duration_parse(after, &duration))
        due = kvp_duration_apply(record->created, &duration, 1);
    else if (before && kvp_duration_parse(before, &duration) && record->expires != KVP_TIME_NONE)
        due = kvp_duration_apply(record->expires, &duration, -1);
    json_decref(actions);
    return due;
}

/* The line that the usage log has of a rotation by policy: of a request of the daemon's own. */
static kvp_status log_rotation(const kvp_daemon *daemon, const kvp_rotation_entry *entry,
                               const kvp_key_record *record, const kvp_error *failure,
                               kvp_error *reterr)
{
    static const kvp_route route = { .method = "POST", .operation = "KeyRotateIfDue" };
    KVP_CLEANUP(kvp_exchange_freep) kvp_exchange *ex = kvp_exchange_new(daemon);
    const char *version = kvp_api_versions[kvp_api_version_count - 1];
    char target[KVP_NAME_MAX + 64], host[64];

    snprintf(target, sizeof(target), "/keys/%s/rotate?api-version=%s", entry->name, version);
    snprintf(host, sizeof(host), "%s.localhost", entry->vault_name);
    if (!ex || !kvp_exchange_make_own(ex, route.method, target,
                                      entry->vault == daemon->vault.id ? daemon->hosts[0] : host))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a line of the usage log");
    if (!kvp_exchange_select_vault(ex, reterr))
        return reterr->status;
    ex->route = &route;
    snprintf(ex->api_version, sizeof(ex->api_version), "%s", version);
    kvp_key_id(ex, record, true, ex->subject, sizeof(ex->subject));
    ex->status = failure->status == KVP_OK ? 200 : 500;
    kvp_copy_printable(ex->error_message, sizeof(ex->error_message), failure->message);
    return kvp_usage_log_event(daemon->log, ex, reterr);
}

static kvp_status rotate_entry(const kvp_daemon *daemon, const kvp_rotation_entry *entry,
                               int64_t now, bool *ret_rotated, kvp_error *reterr)
{
    kvp_vault_info vault = daemon->vault;
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_error failure = { .status = KVP_OK }, unlogged = failure;

    vault.id = entry->vault; /* all that the store wants to know */
    *ret_rotated = false;
    kvp_status status =
        kvp_store_key_get(daemon->store, &vault, entry->name, NULL, KVP_KEY_LIVE, owner, reterr);
    if (status == KVP_ERR_NOT_FOUND) /* deleted since the list was made */
        return KVP_OK;
    if (status != KVP_OK)
        return status;
    int64_t due = kvp_rotation_due(&entry->policy, owner);
    if (due == KVP_TIME_NONE || due > now || !record.enabled)
        return KVP_OK;
    status = rotate(daemon, &vault, owner, now, &failure);
    *ret_rotated = status == KVP_OK;
    if (log_rotation(daemon, entry, owner, &failure, &unlogged) != KVP_OK)
        kvp_note("rotating key %s: %s", entry->name, unlogged.message);
    if (status != KVP_OK)
        *reterr = failure;
    return status;
}

kvp_status kvp_keys_rotate_due(const kvp_daemon *daemon, int64_t now, size_t *ret_rotated,
                               kvp_error *reterr)
{
    kvp_rotation_entry *entries = NULL;
    size_t count = 0, rotated = 0;
    kvp_status first = kvp_store_rotation_list(daemon->store, &entries, &count, reterr);

    for (size_t i = 0; i < count; i++) {
        kvp_error error = { .status = KVP_OK };
        bool done;
        kvp_status status = rotate_entry(daemon, &entries[i], now, &done, &error);
        rotated += done;
        if (status == KVP_OK)
            continue;
        kvp_note("rotating key %s: %s", entries[i].name, error.message);
        if (first == KVP_OK) {
            first = status;
            if (reterr)
                *reterr = error;
        }
    }
    kvp_store_rotation_free(entries, count);
    *ret_rotated = rotated;
    return first;
}

/* --- the policies ---------------------------------------------------------------------------- */

/* Exactly one of the two times, as a duration of at least @least days. */
static bool check_trigger(kvp_exchange *ex, const json_t *trigger, int least)
{
    const char *after = NULL, *before = NULL;
    kvp_duration duration;

    if (!kvp_member_string(ex, trigger, "timeAfterCreate", false, &after) ||
        !kvp_member_string(ex, trigger, "timeBeforeExpiry", false, &before))
        return false;
    if (!after == !before)
        return refuse_property(ex, "trigger");
    if (!kvp_duration_parse(after ? after : before, &duration) ||
        kvp_duration_least_days(&duration) < least)
        return refuse_property(ex, after ? "timeAfterCreate" : "timeBeforeExpiry");
    return true;
}

/* What the answer has of an action: a vault writes its own spelling, a Managed HSM the caller's. */
static json_t *stored_action(const kvp_exchange *ex, const json_t *trigger, const char *type,
                             const char *proper)
{
    const char *after = json_string_value(json_object_get(trigger, "timeAfterCreate"));
    const char *before = json_string_value(json_object_get(trigger, "timeBeforeExpiry"));

    return json_pack("{s:{s:s}, s:{s:s}}", "trigger",
                     after ? "timeAfterCreate" : "timeBeforeExpiry", after ? after : before,
                     "action", "type", kvp_exchange_is_hsm(ex) ? type : proper);
}

static bool read_action(kvp_exchange *ex, const json_t *item, json_t *stored)
{
    const json_t *trigger, *action;
    const char *type = NULL;
    bool hsm = kvp_exchange_is_hsm(ex);

    if (!json_is_object(item))
        return refuse_property(ex, "lifetimeActions");
    if (!kvp_member_object(ex, item, "trigger", &trigger) ||
        !kvp_member_object(ex, item, "action", &action))
        return false;
    if (!trigger || !action)
        return refuse_property(ex, trigger ? "action" : "trigger");
    if (!kvp_member_string(ex, action, "type", true, &type))
        return false;
    bool rotates = kvp_ident_casecmp(type, "Rotate") == 0;
    if (!rotates && (hsm || kvp_ident_casecmp(type, "Notify") != 0))
        return refuse_property(ex, "type");
    if (trigger_of(stored, type)) /* at most one of each */
        return refuse_property(ex, "lifetimeActions");
    if (!check_trigger(ex, trigger, !rotates ? 1 : hsm ? HSM_ROTATE_DAYS_MIN : ROTATE_DAYS_MIN))
        return false;
    if (json_array_append_new(stored,
                              stored_action(ex, trigger, type, rotates ? "Rotate" : "Notify")) == 0)
        return true;
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return false;
}

/* The actions of the request, checked, with what a vault adds to them. */
static bool read_actions(kvp_exchange *ex, const char *expiry, json_t *stored)
{
    const json_t *actions;

    if (!kvp_member_array(ex, ex->json, "lifetimeActions", &actions))
        return false;
    if (json_array_size(actions) > ACTIONS_MAX)
        return refuse_property(ex, "lifetimeActions");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        if (!read_action(ex, json_array_get(actions, i), stored))
            return false;
    }
    /* A time before an end that there is none of would never come. */
    const json_t *rotate = trigger_of(stored, "Rotate");
    if (!*expiry && json_object_get(rotate, "timeBeforeExpiry"))
        return refuse_property(ex, "expiryTime");
    if (kvp_exchange_is_hsm(ex) || trigger_of(stored, "Notify"))
        return true;
    json_t *notify = json_pack("{s:{s:s}, s:{s:s}}", "trigger", "timeBeforeExpiry", NOTIFY_DEFAULT,
                               "action", "type", "Notify");
    if (json_array_append_new(stored, notify) == 0)
        return true;
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return false;
}

/* expiryTime, and whether a rotation by age comes before it. */
static bool read_expiry(kvp_exchange *ex, const char **ret)
{
    const json_t *attributes;
    kvp_duration duration;

    *ret = "";
    if (!kvp_member_object(ex, ex->json, "attributes", &attributes) ||
        (attributes && !kvp_member_string(ex, attributes, "expiryTime", false, ret)))
        return false;
    if (**ret && (!kvp_duration_parse(*ret, &duration) ||
                  kvp_duration_least_days(&duration) < EXPIRY_DAYS_MIN))
        return refuse_property(ex, "expiryTime");
    return true;
}

static json_t *policy_document(const kvp_exchange *ex, const char *name,
                               const kvp_rotation_policy *policy)
{
    json_t *document = json_object(), *actions = json_loads(policy->actions_json, 0, NULL);
    json_t *attributes = json_object();
    bool hsm = kvp_exchange_is_hsm(ex), ok = document && actions && attributes;
    char id[KVP_ID_SIZE];

    /* A Managed HSM writes a relative id, leaves out an empty list and has no word for "none". */
    snprintf(id, sizeof(id), "%s%skeys/%s/rotationpolicy", hsm ? "" : ex->base_url, hsm ? "" : "/",
             name);
    ok = ok && json_object_set_new(document, "id", json_string(id)) == 0;
    if (ok && !(hsm && json_array_size(actions) == 0))
        ok = json_object_set(document, "lifetimeActions", actions) == 0;
    if (ok && (hsm || *policy->expiry))
        ok = json_object_set_new(attributes, "expiryTime", json_string(policy->expiry)) == 0;
    ok = ok && json_object_set_new(attributes, "created", json_integer(policy->created)) == 0 &&
         json_object_set_new(attributes, "updated", json_integer(policy->updated)) == 0 &&
         json_object_set(document, "attributes", attributes) == 0;
    json_decref(actions);
    json_decref(attributes);
    if (ok)
        return document;
    json_decref(document);
    return NULL;
}

/* What is answered where no policy was ever set (recorded for both). */
static json_t *empty_policy(const kvp_exchange *ex)
{
    if (kvp_exchange_is_hsm(ex))
        return json_pack("{s:{s:i, s:s, s:i}, s:s}", "attributes", "created", 0, "expiryTime", "",
                         "updated", 0, "id", "");
    return json_pack("{s:[{s:{s:s}, s:{s:s}}], s:n}", "lifetimeActions", "trigger",
                     "timeBeforeExpiry", NOTIFY_DEFAULT, "action", "type", "Notify", "attributes");
}

/* The key the policy is of; a preview of Managed HSM did not know policies (recorded). */
static bool find_key(kvp_exchange *ex, kvp_key_record *record)
{
    char url[KVP_ID_SIZE];

    if (kvp_exchange_is_hsm(ex) && !kvp_exchange_since(ex, "7.3")) {
        snprintf(url, sizeof(url), "%s/keys/%s/rotationpolicy", ex->base_url, ex->name);
        kvp_refuse(ex, KVP_REFUSE_KEY_NOT_FOUND, ex->name, url);
        return false;
    }
    return kvp_key_find(ex, record);
}

void kvp_keys_get_rotation_policy(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_rotation_policy policy = { .actions_json = NULL };
    kvp_error error = { .status = KVP_OK };

    if (!find_key(ex, owner))
        return;
    kvp_status status =
        kvp_store_rotation_get(ex->daemon->store, &ex->daemon->vault, record.name, &policy, &error);
    if (status == KVP_OK)
        kvp_exchange_reply_take(ex, 200, policy_document(ex, record.name, &policy));
    else if (status == KVP_ERR_NOT_FOUND)
        kvp_exchange_reply_take(ex, 200, empty_policy(ex));
    else
        kvp_exchange_failed(ex, &error);
    kvp_rotation_policy_clear(&policy);
}

/* Text of @actions and @expiry in @policy, whose strings are new. */
static bool fill_policy(kvp_exchange *ex, const json_t *actions, const char *expiry,
                        kvp_rotation_policy *policy)
{
    kvp_buf text = KVP_BUF_INIT(0);

    if (kvp_json_write(actions, false, &text) == KVP_OK)
        policy->actions_json = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    policy->expiry = kvp_strdup(expiry);
    policy->created = policy->updated = kvp_ident_now();
    if (policy->actions_json && policy->expiry)
        return true;
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return false;
}

void kvp_keys_put_rotation_policy(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_rotation_policy policy = { .actions_json = NULL };
    kvp_error error = { .status = KVP_OK };
    json_t *actions = json_array();
    const char *expiry;

    if (find_key(ex, owner) && read_expiry(ex, &expiry) && read_actions(ex, expiry, actions) &&
        fill_policy(ex, actions, expiry, &policy)) {
        if (kvp_store_rotation_put(ex->daemon->store, &ex->daemon->vault, record.name, &policy,
                                   &error) == KVP_OK)
            kvp_exchange_reply_take(ex, 200, policy_document(ex, record.name, &policy));
        else
            kvp_key_missing(ex, KVP_KEY_LIVE, &error);
    }
    kvp_rotation_policy_clear(&policy);
    json_decref(actions);
}
