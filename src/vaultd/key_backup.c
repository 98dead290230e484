/* SPDX-License-Identifier: MIT */
/*
 * Backup and restore of keys: all versions of one, as a text that only a vault of the same data
 * directory, kind and subscription can read, since it is sealed with the storage key. A vault's
 * text has the frame of the service's (wire reference, section 4), a Managed HSM's has none.
 */
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"
#include "vaultd/store_objects.h"
#include "vaultd/store_rotation.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <stdio.h>
#include <string.h>

#define FRAME "AzureKeyVaultKeyBackupV1.microsoft.com"
#define FRAME_LEN (sizeof(FRAME) - 1)
#define FORMAT 1
#define VERSIONS_MAX 500 /* 100 are the published limit of a Managed HSM, vaults name none */
#define PAGE 50
#define BLOB_MAX KVP_BACKUP_MAX

/* What a backup is bound to. */
static void place_of(const kvp_exchange *ex, char *dst, size_t size)
{
    const kvp_vault_info *vault = &ex->daemon->vault;

    snprintf(dst, size, "key backup/%s/%s", kvp_vault_kind_names[vault->kind], vault->subscription);
}

/* --- backup ---------------------------------------------------------------------------------- */

static bool set_time(json_t *object, const char *name, int64_t value)
{
    return value == KVP_TIME_NONE || json_object_set_new(object, name, json_integer(value)) == 0;
}

static bool set_text(json_t *object, const char *name, const char *value)
{
    return !value || json_object_set_new(object, name, json_string(value)) == 0;
}

static json_t *version_document(const kvp_key_record *r, const kvp_buf *material)
{
    json_t *v =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:b, s:b, s:b, s:I, s:I, s:o}", "version", r->version,
                  "kty", r->kty, "bits", (int)r->bits, "public", r->public_json, "ops", r->ops_json,
                  "enabled", r->enabled, "exportable", r->exportable, "current", r->current,
                  "created", (json_int_t)r->created, "updated", (json_int_t)r->updated, "material",
                  kvp_json_base64url(material->data, material->len));

    if (v && set_text(v, "tags", r->tags_json) && set_text(v, "policy", r->policy_json) &&
        set_time(v, "nbf", r->not_before) && set_time(v, "exp", r->expires))
        return v;
    json_decref(v);
    return NULL;
}

static kvp_status add_page(kvp_exchange *ex, const kvp_key_page *page, json_t *versions,
                           kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    for (size_t i = 0; i < page->count && status == KVP_OK; i++) {
        kvp_buf material = KVP_BUF_INIT_SECRET(0);
        status = kvp_store_key_material(ex->daemon->store, &ex->daemon->vault, &page->items[i],
                                        &material, reterr);
        if (status == KVP_OK &&
            json_array_append_new(versions, version_document(&page->items[i], &material)) != 0)
            status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
        kvp_buf_clear(&material);
    }
    return status;
}

static kvp_status add_versions(kvp_exchange *ex, const char *name, json_t *versions,
                               kvp_error *reterr)
{
    char after[KVP_VERSION_SIZE] = "";
    bool more = true;
    kvp_status status = KVP_OK;

    while (more && status == KVP_OK) {
        kvp_key_page page = { NULL, 0, 0, false };
        status = kvp_store_key_versions(ex->daemon->store, &ex->daemon->vault, name, after, PAGE,
                                        &page, reterr);
        if (status == KVP_OK)
            status = add_page(ex, &page, versions, reterr);
        more = page.more;
        if (page.count > 0)
            snprintf(after, sizeof(after), "%s", page.items[page.count - 1].version);
        kvp_key_page_clear(&page);
        if (status == KVP_OK && json_array_size(versions) > VERSIONS_MAX)
            status =
                kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "more than %d versions", VERSIONS_MAX);
    }
    return status;
}

static kvp_status add_rotation(kvp_exchange *ex, const char *name, json_t *document,
                               kvp_error *reterr)
{
    kvp_rotation_policy policy = { .actions_json = NULL };
    kvp_status status =
        kvp_store_rotation_get(ex->daemon->store, &ex->daemon->vault, name, &policy, reterr);

    if (status == KVP_ERR_NOT_FOUND)
        return KVP_OK;
    if (status == KVP_OK &&
        json_object_set_new(document, "rotation",
                            json_pack("{s:s, s:s, s:I, s:I}", "actions", policy.actions_json,
                                      "expiry", policy.expiry, "created",
                                      (json_int_t)policy.created, "updated",
                                      (json_int_t)policy.updated)) != 0)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
    kvp_rotation_policy_clear(&policy);
    return status;
}

/* The bytes of the answer's `value`. */
static kvp_status frame(kvp_exchange *ex, const json_t *document, kvp_buf *ret, kvp_error *reterr)
{
    kvp_buf plain = KVP_BUF_INIT_SECRET(BLOB_MAX), sealed = KVP_BUF_INIT(BLOB_MAX);
    char place[128];
    uint8_t length = FRAME_LEN;
    kvp_status status = kvp_json_write(document, false, &plain);

    place_of(ex, place, sizeof(place));
    if (status == KVP_OK)
        status = kvp_store_seal(ex->daemon->store, place, plain.data, plain.len, &sealed, reterr);
    if (status == KVP_OK && !kvp_exchange_is_hsm(ex)) {
        status = kvp_buf_append(ret, &length, 1);
        if (status == KVP_OK)
            status = kvp_buf_append(ret, FRAME, FRAME_LEN);
    }
    if (status == KVP_OK)
        status = kvp_base64url_encode(sealed.data, sealed.len, ret);
    kvp_buf_clear(&plain);
    kvp_buf_clear(&sealed);
    return status;
}

void kvp_keys_backup(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_error error = { .status = KVP_OK };
    kvp_buf blob = KVP_BUF_INIT(BLOB_MAX);

    if (!kvp_key_find(ex, owner))
        return;
    kvp_key_id(ex, owner, true, ex->subject, sizeof(ex->subject));
    json_t *versions = json_array();
    json_t *document =
        json_pack("{s:i, s:s, s:O}", "format", FORMAT, "name", record.name, "versions", versions);
    kvp_status status = document ? add_versions(ex, record.name, versions, &error)
                                 : kvp_error_set(&error, KVP_ERR_NO_MEMORY, "backup");
    if (status == KVP_OK)
        status = add_rotation(ex, record.name, document, &error);
    if (status == KVP_OK)
        status = frame(ex, document, &blob, &error);
    /* From now on a purge leaves in the token what this backup brings back. */
    if (status == KVP_OK)
        status = kvp_store_key_keep(ex->daemon->store, &ex->daemon->vault, record.name, &error);
    json_decref(versions);
    json_decref(document);
    if (status == KVP_OK)
        kvp_exchange_reply_take(
            ex, 200, json_pack("{s:o}", "value", kvp_json_base64url(blob.data, blob.len)));
    else if (status == KVP_ERR_TOO_LARGE)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_SIZE);
    else
        kvp_exchange_failed(ex, &error);
    kvp_buf_clear(&blob);
}

/* --- restore --------------------------------------------------------------------------------- */

static int64_t get_time(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : KVP_TIME_NONE;
}

/* A copy of a text member, NULL if there is none; *ok becomes false when a needed one is not there.
 */
static char *get_text(const json_t *object, const char *name, bool needed, bool *ok)
{
    const char *text = json_string_value(json_object_get(object, name));
    char *copy = kvp_strdup(text);

    if ((needed && !text) || (text && !copy))
        *ok = false;
    return copy;
}

static bool read_version(const json_t *v, const char *name, kvp_key_copy *copy)
{
    const char *version = json_string_value(json_object_get(v, "version"));
    const char *kty = json_string_value(json_object_get(v, "kty"));
    const char *material = json_string_value(json_object_get(v, "material"));
    kvp_key_record *r = &copy->record;
    bool ok =
        version && kty && material && kvp_ident_is_version(version) && strlen(kty) < sizeof(r->kty);

    copy->material = (kvp_buf)KVP_BUF_INIT_SECRET(65536);
    *r = (kvp_key_record){ .bits = (unsigned)json_integer_value(json_object_get(v, "bits")),
                           .enabled = json_is_true(json_object_get(v, "enabled")),
                           .exportable = json_is_true(json_object_get(v, "exportable")),
                           .current = json_is_true(json_object_get(v, "current")),
                           .not_before = get_time(v, "nbf"),
                           .expires = get_time(v, "exp"),
                           .created = get_time(v, "created"),
                           .updated = get_time(v, "updated"),
                           .deleted = KVP_TIME_NONE,
                           .purge = KVP_TIME_NONE };
    if (!ok)
        return false;
    snprintf(r->name, sizeof(r->name), "%s", name);
    snprintf(r->version, sizeof(r->version), "%s", version);
    snprintf(r->kty, sizeof(r->kty), "%s", kty);
    r->public_json = get_text(v, "public", true, &ok);
    r->ops_json = get_text(v, "ops", true, &ok);
    r->tags_json = get_text(v, "tags", false, &ok);
    r->policy_json = get_text(v, "policy", false, &ok);
    ok = ok && kvp_base64url_decode(material, strlen(material), &copy->material) == KVP_OK;
    r->in_token = ok && kvp_token_is_reference(copy->material.data, copy->material.len);
    return ok;
}

static void free_copies(kvp_key_copy *copies, size_t count)
{
    for (size_t i = 0; copies && i < count; i++) {
        kvp_key_record_clear(&copies[i].record);
        kvp_buf_clear(&copies[i].material);
    }
    kvp_free(copies);
}

/* What stands behind the frame, still as base64url; false after refusing. */
static bool unframe(kvp_exchange *ex, const kvp_buf *blob, const char **ret, size_t *ret_len)
{
    size_t length = blob->len > 0 ? blob->data[0] : 0;

    *ret = kvp_buf_str(blob);
    *ret_len = blob->len;
    if (kvp_exchange_is_hsm(ex))
        return true;
    /* Both words for the two mistakes were recorded, with blobs of text and of zeros. */
    if (blob->len == 0 || length > blob->len - 1) {
        kvp_refuse(ex, KVP_REFUSE_BACKUP_CORRUPT);
        return false;
    }
    if (length != FRAME_LEN || memcmp(blob->data + 1, FRAME, FRAME_LEN) != 0) {
        kvp_refuse(ex, KVP_REFUSE_BACKUP_VERSION);
        return false;
    }
    *ret += 1 + FRAME_LEN;
    *ret_len -= 1 + FRAME_LEN;
    return true;
}

/* The document of a blob, owned; NULL after refusing. */
static json_t *open_blob(kvp_exchange *ex, const kvp_buf *blob)
{
    kvp_buf sealed = KVP_BUF_INIT(BLOB_MAX), plain = KVP_BUF_INIT_SECRET(BLOB_MAX);
    char place[128];
    const char *text;
    size_t len;
    json_t *document = NULL;

    if (!unframe(ex, blob, &text, &len))
        return NULL;
    place_of(ex, place, sizeof(place));
    if (kvp_base64url_decode(text, len, &sealed) == KVP_OK &&
        kvp_store_unseal(ex->daemon->store, place, sealed.data, sealed.len, &plain, NULL) == KVP_OK)
        document = json_loadb(kvp_buf_str(&plain), plain.len, 0, NULL);
    kvp_buf_clear(&sealed);
    kvp_buf_clear(&plain);
    if (!document)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_CORRUPT);
    return document;
}

/* Put the key into the store; answers. */
static void restore(kvp_exchange *ex, kvp_key_copy *copies, size_t count,
                    const kvp_rotation_policy *policy)
{
    const kvp_daemon *d = ex->daemon;
    kvp_error error = { .status = KVP_OK };
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    const kvp_key_record *current = &copies[0].record;
    char url[KVP_ID_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (copies[i].record.current)
            current = &copies[i].record;
    }
    kvp_key_id(ex, current, true, url, sizeof(url));
    kvp_status status = kvp_store_key_restore(d->store, &d->vault, copies, count, policy, &error);
    if (status == KVP_OK)
        status = kvp_store_key_get(d->store, &d->vault, current->name, NULL, KVP_KEY_LIVE, owner,
                                   &error);
    if (status == KVP_OK)
        kvp_key_answer(ex, owner);
    else if (status == KVP_ERR_REFUSED)
        kvp_refuse(ex, KVP_REFUSE_RESTORE_CONFLICT, "key", url);
    else
        kvp_exchange_failed(ex, &error);
}

/* A document that opened was written here: what does not fit then was written by a newer program.
 */
static void restore_document(kvp_exchange *ex, const json_t *document)
{
    const char *name = json_string_value(json_object_get(document, "name"));
    const json_t *versions = json_object_get(document, "versions");
    const json_t *rotation = json_object_get(document, "rotation");
    kvp_rotation_policy policy = { .actions_json = NULL };
    size_t count = json_array_size(versions), read = 0;
    bool ok = json_integer_value(json_object_get(document, "format")) == FORMAT && name &&
              kvp_ident_is_name(name) && count > 0 && count <= VERSIONS_MAX;
    kvp_key_copy *copies = ok ? kvp_calloc(count, sizeof(*copies)) : NULL;

    ok = copies != NULL;
    for (; read < count && ok; read++)
        ok = read_version(json_array_get(versions, read), name, &copies[read]);
    if (ok && rotation) {
        policy.actions_json = get_text(rotation, "actions", true, &ok);
        policy.expiry = get_text(rotation, "expiry", true, &ok);
        policy.created = get_time(rotation, "created");
        policy.updated = get_time(rotation, "updated");
    }
    if (ok)
        restore(ex, copies, count, rotation ? &policy : NULL);
    else
        kvp_refuse(ex, KVP_REFUSE_BACKUP_VERSION);
    free_copies(copies, read);
    kvp_rotation_policy_clear(&policy);
}

void kvp_keys_restore(kvp_exchange *ex)
{
    kvp_buf blob = KVP_BUF_INIT(BLOB_MAX);

    if (kvp_member_bytes(ex, ex->json, "value", true, &blob)) {
        json_t *document = open_blob(ex, &blob);
        if (document)
            restore_document(ex, document);
        json_decref(document);
    }
    kvp_buf_clear(&blob);
}
