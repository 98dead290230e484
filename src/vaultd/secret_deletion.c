/* SPDX-License-Identifier: MIT */
/* Deletion of secrets and the way back, backup and restore. */
#include "vaultd/key_doc.h"
#include "vaultd/recovery.h"
#include "vaultd/routes.h"
#include "vaultd/secret_doc.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define VERSIONS_MAX 10000 /* of a backup */

static void answer(kvp_exchange *ex, kvp_key_state state)
{
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record record = { .row = 0 };
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL, state, &record,
                             &error) != KVP_OK)
        kvp_secret_missing(ex, state, &error);
    else
        kvp_secret_answer(ex, &record, NULL);
}

void kvp_secrets_delete(kvp_exchange *ex)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    int64_t now = kvp_ident_now();
    kvp_error error = { .status = KVP_OK };

    kvp_purge_due(ex);
    if (kvp_store_object_delete(ex->daemon->store, vault, KVP_OBJECT_SECRET, ex->name, now,
                                kvp_recovery_purge_time(ex, now), &error) != KVP_OK) {
        kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
        return;
    }
    answer(ex, KVP_KEY_DELETED);
    kvp_recovery_finish_delete(ex);
}

void kvp_secrets_get_deleted(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record record = { .row = 0 };
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL, KVP_KEY_DELETED,
                             &record, &error) != KVP_OK)
        kvp_secret_missing(ex, KVP_KEY_DELETED, &error);
    else if (!record.enabled) /* although no value would be shown (recorded) */
        kvp_refuse(ex, KVP_REFUSE_SECRET_DISABLED, "get");
    else
        kvp_secret_answer(ex, &record, NULL);
}

void kvp_secrets_recover(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_object_state state;

    if (kvp_store_object_recover(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_SECRET, ex->name,
                                 &error) == KVP_OK)
        answer(ex, KVP_KEY_LIVE);
    else if (error.status == KVP_ERR_NOT_FOUND &&
             kvp_store_object_state(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_SECRET,
                                    ex->name, &state, &error) == KVP_OK)
        kvp_refuse(ex, KVP_REFUSE_NOT_DELETED, "Secret", state.name);
    else
        kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
}

void kvp_secrets_purge(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    if (!kvp_recovery_may_purge(ex))
        return;
    if (kvp_store_object_purge(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_SECRET, ex->name,
                               &error) != KVP_OK)
        kvp_secret_missing(ex, KVP_KEY_DELETED, &error);
    else
        ex->status = 204;
}

/* One version as a backup has it; NULL with @reterr filled. */
static json_t *version_json(kvp_exchange *ex, const kvp_secret_record *record, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(0);

    if (kvp_store_secret_value(ex->daemon->store, &ex->daemon->vault, record, &value, reterr) !=
        KVP_OK)
        return NULL;
    json_t *version = json_pack(
        "{s:s, s:s%, s:s*, s:s*, s:b, s:I, s:I, s:I, s:I, s:b}", "version", record->version,
        "value", kvp_buf_str(&value), value.len, "contentType", record->content_type, "tags",
        record->tags_json, "enabled", record->enabled, "nbf", (json_int_t)record->not_before, "exp",
        (json_int_t)record->expires, "created", (json_int_t)record->created, "updated",
        (json_int_t)record->updated, "current", record->current);
    if (!version)
        kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
    return version;
}

/* Append the versions to @versions, the current one last: it is the current one again when
 * restored. */
static kvp_status collect(kvp_exchange *ex, json_t *versions, kvp_error *reterr)
{
    char after[KVP_VERSION_SIZE] = "";
    json_t *current = NULL;
    bool more = true;
    kvp_status status = KVP_OK;

    while (more && status == KVP_OK) {
        kvp_secret_page page = { NULL, 0, false };
        status = kvp_store_secret_versions(ex->daemon->store, &ex->daemon->vault, ex->name, after,
                                           64, &page, reterr);
        more = page.more;
        for (size_t i = 0; i < page.count && status == KVP_OK; i++) {
            json_t *version = version_json(ex, &page.items[i], reterr);
            if (version && page.items[i].current)
                current = version;
            else if (!version || json_array_append_new(versions, version) != 0)
                status = reterr->status != KVP_OK
                             ? reterr->status
                             : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
        }
        if (page.count > 0)
            memcpy(after, page.items[page.count - 1].version, sizeof(after));
        kvp_secret_page_clear(&page);
    }
    if (status == KVP_OK && !current)
        status = kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such secret");
    if (status != KVP_OK)
        json_decref(current);
    else if (json_array_append_new(versions, current) != 0)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
    return status;
}

void kvp_secrets_backup(kvp_exchange *ex)
{
    json_t *versions = json_array();
    kvp_secret_record record = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL,
                                             KVP_KEY_LIVE, &record, &error);

    if (status == KVP_OK)
        status = collect(ex, versions, &error);
    if (status == KVP_OK)
        kvp_backup_answer(ex, KVP_OBJECT_SECRET,
                          json_pack("{s:s, s:O}", "name", record.name, "versions", versions));
    else
        kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
    json_decref(versions);
    kvp_secret_record_clear(&record);
}

/* Read one version of a backup, whose text is ours: it was sealed. */
static bool read_version(const char *name, const json_t *version, kvp_secret_record *record,
                         kvp_buf *value)
{
    const char *id = NULL, *text = NULL, *content_type = NULL, *tags = NULL;
    json_int_t nbf = 0, exp = 0, created = 0, updated = 0;
    int enabled = 0;
    size_t len = 0;

    if (json_unpack((json_t *)(uintptr_t)version, "{s:s, s:s%, s?s, s?s, s:b, s:I, s:I, s:I, s:I}",
                    "version", &id, "value", &text, &len, "contentType", &content_type, "tags",
                    &tags, "enabled", &enabled, "nbf", &nbf, "exp", &exp, "created", &created,
                    "updated", &updated) != 0 ||
        !kvp_ident_is_version(id))
        return false;
    *record = (kvp_secret_record){ .enabled = enabled != 0,
                                   .not_before = nbf,
                                   .expires = exp,
                                   .created = created,
                                   .updated = updated,
                                   .deleted = KVP_TIME_NONE,
                                   .purge = KVP_TIME_NONE,
                                   .content_type = kvp_strdup(content_type),
                                   .tags_json = kvp_strdup(tags) };
    snprintf(record->name, sizeof(record->name), "%s", name);
    snprintf(record->version, sizeof(record->version), "%s", id);
    value->secret = true;
    return (record->content_type || !content_type) && (record->tags_json || !tags) &&
           kvp_buf_set(value, text, len) == KVP_OK;
}

static void restore(kvp_exchange *ex, const char *name, const json_t *versions)
{
    size_t count = json_array_size(versions), read = 0;
    kvp_secret_record *records = kvp_calloc(count, sizeof(*records));
    kvp_buf *values = kvp_calloc(count, sizeof(*values));
    kvp_error error = { .status = KVP_OK };
    bool ok = records && values;
    char id[KVP_ID_SIZE];

    for (; read < count && ok; read++)
        ok = read_version(name, json_array_get(versions, read), &records[read], &values[read]);
    if (!ok)
        kvp_refuse(ex, records && values ? KVP_REFUSE_BACKUP_CORRUPT : KVP_REFUSE_INTERNAL);
    else if (kvp_store_secret_restore(ex->daemon->store, &ex->daemon->vault, records, values, count,
                                      &error) == KVP_OK)
        kvp_secret_answer(ex, &records[count - 1], NULL);
    else if (error.status == KVP_ERR_REFUSED) {
        snprintf(id, sizeof(id), "%s/secrets/%s/%s", ex->base_url, name,
                 records[count - 1].version);
        kvp_refuse(ex, KVP_REFUSE_RESTORE_CONFLICT, "secret", id);
    } else {
        kvp_exchange_failed(ex, &error);
    }
    for (size_t i = 0; i < read; i++) {
        kvp_secret_record_clear(&records[i]);
        kvp_buf_clear(&values[i]);
    }
    kvp_free(records);
    kvp_free(values);
}

void kvp_secrets_restore(kvp_exchange *ex)
{
    json_t *document = kvp_backup_read(ex, KVP_OBJECT_SECRET), *versions = NULL;
    const char *name = NULL;

    if (!document)
        return;
    if (json_unpack(document, "{s:s, s:o}", "name", &name, "versions", &versions) != 0 ||
        !kvp_ident_is_name(name) || !json_is_array(versions) || json_array_size(versions) == 0 ||
        json_array_size(versions) > VERSIONS_MAX)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_CORRUPT);
    else
        restore(ex, name, versions);
    json_decref(document);
}
