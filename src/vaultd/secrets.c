/* SPDX-License-Identifier: MIT */
/* Secrets: set, get, update, lists (wire reference, section 6). */
#include "vaultd/key_doc.h"
#include "vaultd/paging.h"
#include "vaultd/routes.h"
#include "vaultd/secret_doc.h"
#include "vaultd/x509.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define VALUE_MAX (25 * 1024)
#define CONTENT_TYPE_MAX 255

/* Read what secrets and keys have in common by the rules for keys. */
static bool read_common(kvp_exchange *ex, kvp_secret_record *record, unsigned *fields)
{
    kvp_key_record common = { .enabled = record->enabled,
                              .not_before = record->not_before,
                              .expires = record->expires };
    const char *content_type = NULL;
    bool ok = kvp_key_read_attributes(ex, ex->json, &common, fields) &&
              kvp_key_read_tags(ex, ex->json, &common, fields) &&
              kvp_member_string(ex, ex->json, "contentType", false, &content_type);

    if (ok && content_type && strlen(content_type) > CONTENT_TYPE_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "contentType");
        ok = false;
    }
    char *copy = ok ? kvp_strdup(content_type) : NULL;
    if (ok && content_type && !copy) {
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        ok = false;
    }
    if (!ok) {
        kvp_key_record_clear(&common);
        return false;
    }
    record->enabled = common.enabled;
    record->not_before = common.not_before;
    record->expires = common.expires;
    if (common.tags_json) {
        kvp_free(record->tags_json);
        record->tags_json = KVP_STEAL(common.tags_json);
    }
    if (copy) {
        kvp_free(record->content_type);
        record->content_type = copy;
        *fields |= KVP_FIELD_CONTENT_TYPE;
    }
    kvp_key_record_clear(&common);
    return true;
}

static void set(kvp_exchange *ex, kvp_secret_record *record, const char *value)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_ident_version(record->version);

    if (status != KVP_OK)
        kvp_error_set(&error, status, "making a version");
    else
        status = kvp_store_secret_add(ex->daemon->store, &ex->daemon->vault, record, value,
                                      strlen(value), &error);
    if (status == KVP_ERR_REFUSED) {
        kvp_refuse(ex, KVP_REFUSE_SECRET_IS_DELETED, record->name);
    } else if (status == KVP_ERR_UNSUPPORTED) {
        kvp_refuse(ex, KVP_REFUSE_SECRET_MANAGED, "set");
    } else if (status != KVP_OK) {
        kvp_exchange_failed(ex, &error);
    } else {
        kvp_buf copy = KVP_BUF_INIT_SECRET(0);
        if (kvp_buf_append_str(&copy, value) == KVP_OK)
            kvp_secret_answer(ex, record, &copy);
        else
            kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        kvp_buf_clear(&copy);
    }
}

void kvp_secrets_set(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_secret_record_clear)
    kvp_secret_record record = { .enabled = true,
                                 .not_before = KVP_TIME_NONE,
                                 .expires = KVP_TIME_NONE,
                                 .deleted = KVP_TIME_NONE,
                                 .purge = KVP_TIME_NONE };
    const char *value = NULL;
    unsigned fields = 0;

    snprintf(record.name, sizeof(record.name), "%s", ex->name);
    record.created = record.updated = kvp_ident_now();
    if (!kvp_member_string(ex, ex->json, "value", true, &value) ||
        !read_common(ex, &record, &fields))
        return;
    if (strlen(value) > VALUE_MAX) {
        kvp_refuse(ex, KVP_REFUSE_SECRET_SIZE, "25600");
        return;
    }
    set(ex, &record, value);
}

/* The live version the path names; false after answering. */
static bool find(kvp_exchange *ex, kvp_secret_record *record)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, ex->name, ex->version,
                             KVP_KEY_LIVE, record, &error) == KVP_OK)
        return true;
    kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
    return false;
}

/* `outContentType`: a PFX may be had as PEM from 2025-07-01 on. False after refusing. */
static bool convert(kvp_exchange *ex, kvp_secret_record *record, kvp_buf *value)
{
    kvp_buf pem = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { .status = KVP_OK };
    char type[64] = "";

    if (!kvp_exchange_since(ex, "2025-06-01-preview") ||
        !kvp_exchange_query(ex, "outContentType", type, sizeof(type)) || !*type ||
        (record->content_type && kvp_ident_casecmp(record->content_type, type) == 0))
        return true;
    if (kvp_ident_casecmp(type, KVP_X509_TYPE_PEM) != 0 || !record->content_type ||
        kvp_ident_casecmp(record->content_type, KVP_X509_TYPE_PFX) != 0) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "outContentType");
        return false;
    }
    if (kvp_x509_pfx_to_pem(kvp_buf_str(value), value->len, &pem, &error) != KVP_OK) {
        kvp_buf_clear(&pem);
        if (error.status == KVP_ERR_INVALID)
            kvp_refuse(ex, KVP_REFUSE_SECRET_PFX);
        else
            kvp_exchange_failed(ex, &error);
        return false;
    }
    kvp_buf_take(value, &pem);
    char *copy = kvp_strdup(KVP_X509_TYPE_PEM);
    if (!copy) {
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        return false;
    }
    kvp_free(record->content_type);
    record->content_type = copy;
    return true;
}

void kvp_secrets_get(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record record = { .row = 0 };
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { .status = KVP_OK };

    if (!find(ex, &record))
        return;
    if (!record.enabled) {
        kvp_refuse(ex, KVP_REFUSE_SECRET_DISABLED, "get");
        return;
    }
    if (kvp_store_secret_value(ex->daemon->store, &ex->daemon->vault, &record, &value, &error) !=
        KVP_OK)
        kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
    else if (convert(ex, &record, &value))
        kvp_secret_answer(ex, &record, &value);
}

void kvp_secrets_update(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record record = { .row = 0 };
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record stored = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    unsigned fields = 0;

    if (!find(ex, &record) || !read_common(ex, &record, &fields))
        return;
    record.updated = kvp_ident_now();
    kvp_status status =
        kvp_store_secret_update(ex->daemon->store, &ex->daemon->vault, &record, fields, &error);
    /* The row may have changed meanwhile: what is answered is what is stored now. */
    if (status == KVP_OK)
        status = kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, ex->name,
                                      record.version, KVP_KEY_LIVE, &stored, &error);
    if (status == KVP_OK)
        kvp_secret_answer(ex, &stored, NULL);
    else
        kvp_secret_missing(ex, KVP_KEY_LIVE, &error);
}

static void answer_page(kvp_exchange *ex, const kvp_paging *at, kvp_secret_page *page,
                        bool versions)
{
    const kvp_secret_record *last = page->more ? &page->items[page->count - 1] : NULL;
    json_t *items = json_array();
    bool ok = items != NULL;

    for (size_t i = 0; i < page->count && ok; i++)
        ok = json_array_append_new(items, kvp_secret_item(ex, &page->items[i], versions)) == 0;
    if (!ok) {
        json_decref(items);
        items = NULL;
    }
    kvp_paging_answer(ex, at, items, !last ? NULL : versions ? last->version : last->name);
    kvp_secret_page_clear(page);
}

static void list(kvp_exchange *ex, kvp_key_state state)
{
    kvp_error error = { .status = KVP_OK };
    kvp_secret_page page = { NULL, 0, false };
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    if (kvp_store_secret_list(ex->daemon->store, &ex->daemon->vault, state, at.after, at.limit,
                              &page, &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer_page(ex, &at, &page, false);
}

void kvp_secrets_list(kvp_exchange *ex)
{
    list(ex, KVP_KEY_LIVE);
}

void kvp_secrets_list_deleted(kvp_exchange *ex)
{
    list(ex, KVP_KEY_DELETED);
}

void kvp_secrets_versions(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_secret_page page = { NULL, 0, false };
    kvp_paging at;

    if (!kvp_paging_read(ex, &at))
        return;
    if (kvp_store_secret_versions(ex->daemon->store, &ex->daemon->vault, ex->name, at.after,
                                  at.limit, &page, &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer_page(ex, &at, &page, true);
}
