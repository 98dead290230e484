/* SPDX-License-Identifier: MIT */
/* Certificates: get, update, lists, policy, deletion and the way back (wire reference, section 7).
 */
#include "vaultd/certificate_doc.h"
#include "vaultd/paging.h"
#include "vaultd/recovery.h"
#include "vaultd/routes.h"

#include <string.h>

/* The version the path names, in @state; false after answering. */
static bool find(kvp_exchange *ex, kvp_key_state state, kvp_certificate_record *record)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_certificate_get(ex->daemon->store, &ex->daemon->vault, ex->name, ex->version,
                                  state, record, &error) == KVP_OK)
        return true;
    kvp_certificate_missing(ex, state, &error);
    return false;
}

static void answer(kvp_exchange *ex, kvp_key_state state)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };

    /* With an explicit version there is no policy (recorded). */
    if (find(ex, state, &record))
        kvp_certificate_answer(ex, 200, &record, *ex->version == '\0');
}

void kvp_certificates_get(kvp_exchange *ex)
{
    answer(ex, KVP_KEY_LIVE);
}

void kvp_certificates_get_deleted(kvp_exchange *ex)
{
    answer(ex, KVP_KEY_DELETED);
}

/* Store the policy that @given changes @record's to; false after refusing. */
static bool change_policy(kvp_exchange *ex, kvp_certificate_record *record, const json_t *given)
{
    json_t *base = json_loads(record->policy_json, 0, NULL);
    json_t *policy = base ? kvp_policy_read(ex, given, base) : NULL;
    kvp_error error = { .status = KVP_OK };
    bool ok = policy && kvp_certificate_set_policy(ex, record, policy);

    if (!base)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    json_decref(base);
    json_decref(policy);
    if (ok && kvp_store_certificate_set_policy(ex->daemon->store, &ex->daemon->vault, record,
                                               &error) != KVP_OK) {
        kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
        ok = false;
    }
    return ok;
}

void kvp_certificates_update(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    const json_t *policy;
    unsigned fields = 0;

    if (!find(ex, KVP_KEY_LIVE, &record) || !kvp_member_object(ex, ex->json, "policy", &policy) ||
        !kvp_certificate_read_common(ex, &record, &fields) ||
        (policy && !change_policy(ex, &record, policy)))
        return;
    bool attributes = json_is_object(json_object_get(ex->json, "attributes"));
    record.updated = kvp_ident_now();
    if (((fields & (KVP_FIELD_ENABLED | KVP_FIELD_TAGS)) || attributes) &&
        kvp_store_certificate_update(ex->daemon->store, &ex->daemon->vault, &record, fields,
                                     &error) != KVP_OK)
        kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
    else
        answer(ex, KVP_KEY_LIVE);
}

void kvp_certificates_policy_get(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };

    if (find(ex, KVP_KEY_LIVE, &record))
        kvp_exchange_reply_take(ex, 200, kvp_certificate_policy(ex, &record));
}

void kvp_certificates_policy_update(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };

    if (find(ex, KVP_KEY_LIVE, &record) && change_policy(ex, &record, ex->json))
        kvp_exchange_reply_take(ex, 200, kvp_certificate_policy(ex, &record));
}

/* --- lists ---------------------------------------------------------------------------------------
 */

static void answer_page(kvp_exchange *ex, const kvp_paging *at, kvp_certificate_page *page,
                        bool versions)
{
    const kvp_certificate_record *last = page->more ? &page->items[page->count - 1] : NULL;
    json_t *items = json_array();
    bool ok = items != NULL;

    for (size_t i = 0; i < page->count && ok; i++)
        ok = json_array_append_new(items, kvp_certificate_item(ex, &page->items[i], versions)) == 0;
    if (!ok) {
        json_decref(items);
        items = NULL;
    }
    kvp_paging_answer(ex, at, items, !last ? NULL : versions ? last->version : last->name);
    kvp_certificate_page_clear(page);
}

static void list(kvp_exchange *ex, kvp_key_state state)
{
    kvp_certificate_page page = { NULL, 0, false };
    kvp_error error = { .status = KVP_OK };
    char text[8] = "";
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    bool pending = kvp_exchange_query(ex, "includePending", text, sizeof(text)) &&
                   kvp_ident_casecmp(text, "true") == 0;
    if (kvp_store_certificate_list(ex->daemon->store, &ex->daemon->vault, state,
                                   pending || state == KVP_KEY_DELETED, at.after, at.limit, &page,
                                   &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer_page(ex, &at, &page, false);
}

void kvp_certificates_list(kvp_exchange *ex)
{
    list(ex, KVP_KEY_LIVE);
}

void kvp_certificates_list_deleted(kvp_exchange *ex)
{
    list(ex, KVP_KEY_DELETED);
}

void kvp_certificates_versions(kvp_exchange *ex)
{
    kvp_certificate_page page = { NULL, 0, false };
    kvp_error error = { .status = KVP_OK };
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    if (kvp_store_certificate_versions(ex->daemon->store, &ex->daemon->vault, ex->name, at.after,
                                       at.limit, &page, &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer_page(ex, &at, &page, true);
}

/* --- deletion ------------------------------------------------------------------------------------
 */

void kvp_certificates_delete(kvp_exchange *ex)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    int64_t now = kvp_ident_now();
    kvp_error error = { .status = KVP_OK };

    kvp_purge_due(ex);
    if (kvp_store_object_delete(ex->daemon->store, vault, KVP_OBJECT_CERTIFICATE, ex->name, now,
                                kvp_recovery_purge_time(ex, now), &error) != KVP_OK) {
        kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
        return;
    }
    answer(ex, KVP_KEY_DELETED);
    kvp_recovery_finish_delete(ex);
}

void kvp_certificates_recover(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_object_state state;

    if (kvp_store_object_recover(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_CERTIFICATE,
                                 ex->name, &error) == KVP_OK)
        answer(ex, KVP_KEY_LIVE);
    else if (error.status == KVP_ERR_NOT_FOUND &&
             kvp_store_object_state(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_CERTIFICATE,
                                    ex->name, &state, &error) == KVP_OK)
        kvp_refuse(ex, KVP_REFUSE_NOT_DELETED, "Certificate", state.name);
    else
        kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
}

void kvp_certificates_purge(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    if (!kvp_recovery_may_purge(ex))
        return;
    if (kvp_store_object_purge(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_CERTIFICATE,
                               ex->name, &error) != KVP_OK) {
        kvp_certificate_missing(ex, KVP_KEY_DELETED, &error);
        return;
    }
    kvp_key_cache_empty(ex->daemon->cache);
    ex->status = 204;
}
