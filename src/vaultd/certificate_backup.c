/* SPDX-License-Identifier: MIT */
/* Backup and restore of certificates with the keys and secrets behind all their versions. */
#include "vaultd/certificate_doc.h"
#include "vaultd/routes.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <stdio.h>
#include <string.h>

#define VERSIONS_MAX 10000

/* What a version needs beside the certificate; members are added to @version. */
static kvp_status add_key(kvp_exchange *ex, const kvp_certificate_record *record, json_t *version,
                          kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_record_clear) kvp_key_record key = { .row = 0 };
    KVP_CLEANUP(kvp_buf_clear) kvp_buf material = KVP_BUF_INIT_SECRET(0);
    kvp_status status = kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, record->name,
                                          record->version, KVP_KEY_LIVE, &key, reterr);

    if (status == KVP_OK)
        status =
            kvp_store_key_material(ex->daemon->store, &ex->daemon->vault, &key, &material, reterr);
    if (status != KVP_OK)
        return status;
    if (kvp_json_add(version, "key",
                     json_pack("{s:s, s:i, s:s, s:s, s:b, s:o}", "kty", key.kty, "bits",
                               (int)key.bits, "public", key.public_json, "ops", key.ops_json,
                               "exportable", key.exportable, "material",
                               kvp_json_base64url(material.data, material.len))))
        return KVP_OK;
    return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
}

static kvp_status add_secret(kvp_exchange *ex, const kvp_certificate_record *record,
                             json_t *version, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record secret = { .row = 0 };
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(0);
    kvp_status status = kvp_store_secret_get(ex->daemon->store, &ex->daemon->vault, record->name,
                                             record->version, KVP_KEY_LIVE, &secret, reterr);

    if (status == KVP_OK)
        status =
            kvp_store_secret_value(ex->daemon->store, &ex->daemon->vault, &secret, &value, reterr);
    if (status != KVP_OK)
        return status;
    if (kvp_json_add(version, "secret",
                     json_pack("{s:s, s:s%}", "contentType", secret.content_type, "value",
                               kvp_buf_str(&value), value.len)))
        return KVP_OK;
    return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
}

static json_t *version_json(kvp_exchange *ex, const kvp_certificate_record *record,
                            kvp_error *reterr)
{
    json_t *version =
        json_pack("{s:s, s:s*, s:b, s:b, s:I, s:I, s:I, s:I}", "version", record->version, "tags",
                  record->tags_json, "enabled", record->enabled, "preserve", record->preserve_order,
                  "nbf", (json_int_t)record->not_before, "exp", (json_int_t)record->expires,
                  "created", (json_int_t)record->created, "updated", (json_int_t)record->updated);
    kvp_status status = version ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");

    if (status == KVP_OK && record->der.len > 0) {
        if (!kvp_json_add(version, "der", kvp_json_base64url(record->der.data, record->der.len)))
            status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
        if (status == KVP_OK)
            status = add_key(ex, record, version, reterr);
        if (status == KVP_OK)
            status = add_secret(ex, record, version, reterr);
    }
    if (status == KVP_OK)
        return version;
    json_decref(version);
    return NULL;
}

/* All finished versions but @current, then @current: it is the current one again when restored. */
static kvp_status collect(kvp_exchange *ex, const kvp_certificate_record *current, json_t *versions,
                          kvp_error *reterr)
{
    char after[KVP_VERSION_SIZE] = "";
    bool more = true;
    kvp_status status = KVP_OK;

    while (more && status == KVP_OK) {
        kvp_certificate_page page = { NULL, 0, false };
        status = kvp_store_certificate_versions(ex->daemon->store, &ex->daemon->vault,
                                                current->name, after, 16, &page, reterr);
        more = page.more;
        for (size_t i = 0; i < page.count && status == KVP_OK; i++) {
            memcpy(after, page.items[i].version, sizeof(after));
            if (strcmp(after, current->version) == 0)
                continue;
            json_t *version = version_json(ex, &page.items[i], reterr);
            if (!version)
                status = reterr->status;
            else if (json_array_append_new(versions, version) != 0)
                status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
        }
        kvp_certificate_page_clear(&page);
    }
    if (status != KVP_OK)
        return status;
    json_t *version = version_json(ex, current, reterr);
    if (!version)
        return reterr->status;
    return json_array_append_new(versions, version) == 0
               ? KVP_OK
               : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "backup");
}

void kvp_certificates_backup(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record current = { .row = 0 };
    json_t *versions = json_array();
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_certificate_get(ex->daemon->store, &ex->daemon->vault, ex->name,
                                                  NULL, KVP_KEY_LIVE, &current, &error);

    if (status == KVP_OK)
        status = collect(ex, &current, versions, &error);
    if (status == KVP_OK)
        kvp_backup_answer(ex, KVP_OBJECT_CERTIFICATE,
                          json_pack("{s:s, s:s, s:I, s:I, s:O}", "name", current.name, "policy",
                                    current.policy_json, "policyCreated",
                                    (json_int_t)current.policy_created, "policyUpdated",
                                    (json_int_t)current.policy_updated, "versions", versions));
    else
        kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
    json_decref(versions);
}

/* Storage for one restored version. */
typedef struct restored {
    kvp_certificate_record certificate;
    kvp_key_record key;
    kvp_buf material;
    kvp_secret_record secret;
    kvp_buf value;
} restored;

static void restored_clear(restored *r)
{
    kvp_certificate_record_clear(&r->certificate);
    kvp_key_record_clear(&r->key);
    kvp_buf_clear(&r->material);
    kvp_secret_record_clear(&r->secret);
    kvp_buf_clear(&r->value);
}

/* Decode base64url text of ours into @ret. */
static bool decode(const char *text, kvp_buf *ret)
{
    return kvp_base64url_decode(text, strlen(text), ret) == KVP_OK;
}

static bool read_head(const json_t *document, const json_t *version, restored *r)
{
    kvp_certificate_record *c = &r->certificate;
    const char *name = NULL, *policy = NULL, *id = NULL, *tags = NULL, *der = NULL;
    json_int_t nbf, exp, created, updated, policy_created, policy_updated;
    int enabled = 0, preserve = 0;

    if (json_unpack((json_t *)(uintptr_t)document, "{s:s, s:s, s:I, s:I}", "name", &name, "policy",
                    &policy, "policyCreated", &policy_created, "policyUpdated",
                    &policy_updated) != 0 ||
        json_unpack((json_t *)(uintptr_t)version, "{s:s, s?s, s:b, s:b, s:I, s:I, s:I, s:I, s?s}",
                    "version", &id, "tags", &tags, "enabled", &enabled, "preserve", &preserve,
                    "nbf", &nbf, "exp", &exp, "created", &created, "updated", &updated, "der",
                    &der) != 0 ||
        !kvp_ident_is_name(name) || !kvp_ident_is_version(id))
        return false;
    snprintf(c->name, sizeof(c->name), "%s", name);
    snprintf(c->version, sizeof(c->version), "%s", id);
    c->policy_json = kvp_strdup(policy);
    c->tags_json = kvp_strdup(tags);
    c->policy_created = policy_created;
    c->policy_updated = policy_updated;
    c->enabled = enabled != 0;
    c->preserve_order = preserve != 0;
    c->not_before = nbf;
    c->expires = exp;
    c->created = created;
    c->updated = updated;
    c->deleted = c->purge = KVP_TIME_NONE;
    return c->policy_json && (c->tags_json || !tags) && (!der || decode(der, &c->der));
}

static bool read_key(const json_t *version, restored *r)
{
    const kvp_certificate_record *c = &r->certificate;
    const char *kty = NULL, *public = NULL, *ops = NULL, *material = NULL;
    int bits = 0, exportable = 0;

    if (json_unpack((json_t *)(uintptr_t)version, "{s:{s:s, s:i, s:s, s:s, s:b, s:s}}", "key",
                    "kty", &kty, "bits", &bits, "public", &public, "ops", &ops, "exportable",
                    &exportable, "material", &material) != 0)
        return false;
    r->key = (kvp_key_record){ .bits = (unsigned)bits,
                               .public_json = kvp_strdup(public),
                               .ops_json = kvp_strdup(ops),
                               .tags_json = kvp_strdup(c->tags_json),
                               .enabled = c->enabled,
                               .exportable = exportable != 0,
                               .managed = true,
                               .not_before = c->not_before,
                               .expires = c->expires,
                               .created = c->created,
                               .updated = c->updated,
                               .deleted = KVP_TIME_NONE,
                               .purge = KVP_TIME_NONE };
    memcpy(r->key.name, c->name, sizeof(c->name));
    memcpy(r->key.version, c->version, sizeof(c->version));
    snprintf(r->key.kty, sizeof(r->key.kty), "%s", kty);
    r->material.secret = true;
    return r->key.public_json && r->key.ops_json && (r->key.tags_json || !c->tags_json) &&
           decode(material, &r->material);
}

static bool read_secret(const json_t *version, restored *r)
{
    const kvp_certificate_record *c = &r->certificate;
    const char *type = NULL, *value = NULL;
    size_t len = 0;

    if (json_unpack((json_t *)(uintptr_t)version, "{s:{s:s, s:s%}}", "secret", "contentType", &type,
                    "value", &value, &len) != 0)
        return false;
    r->secret = (kvp_secret_record){ .content_type = kvp_strdup(type),
                                     .tags_json = kvp_strdup(c->tags_json),
                                     .enabled = c->enabled,
                                     .managed = true,
                                     .not_before = c->not_before,
                                     .expires = c->expires,
                                     .created = c->created,
                                     .updated = c->updated,
                                     .deleted = KVP_TIME_NONE,
                                     .purge = KVP_TIME_NONE };
    memcpy(r->secret.name, c->name, sizeof(c->name));
    memcpy(r->secret.version, c->version, sizeof(c->version));
    r->value.secret = true;
    return r->secret.content_type && (r->secret.tags_json || !c->tags_json) &&
           kvp_buf_set(&r->value, value, len) == KVP_OK;
}

static void finish_restore(kvp_exchange *ex, restored *last, const kvp_certificate_triple *triples,
                           size_t count)
{
    kvp_error error = { .status = KVP_OK };
    char id[KVP_ID_SIZE];

    if (kvp_store_certificate_restore(ex->daemon->store, &ex->daemon->vault, triples, count,
                                      &error) == KVP_OK) {
        kvp_certificate_answer(ex, 200, &last->certificate, true);
    } else if (error.status == KVP_ERR_REFUSED) {
        snprintf(id, sizeof(id), "%s/certificates/%s/%s", ex->base_url, last->certificate.name,
                 last->certificate.version);
        kvp_refuse(ex, KVP_REFUSE_RESTORE_CONFLICT, "certificate", id);
    } else {
        kvp_exchange_failed(ex, &error);
    }
}

static void restore(kvp_exchange *ex, const json_t *document, const json_t *versions)
{
    size_t count = json_array_size(versions), read = 0;
    restored *all = kvp_calloc(count, sizeof(*all));
    kvp_certificate_triple *triples = kvp_calloc(count, sizeof(*triples));
    bool ok = all && triples;

    for (; read < count && ok; read++) {
        const json_t *version = json_array_get(versions, read);
        restored *r = &all[read];
        ok = read_head(document, version, r);
        triples[read] = (kvp_certificate_triple){ .certificate = &r->certificate };
        if (ok && r->certificate.der.len > 0) {
            ok = read_key(version, r) && read_secret(version, r);
            triples[read] = (kvp_certificate_triple){ &r->certificate, &r->key, &r->material,
                                                      &r->secret, &r->value };
        }
    }
    if (ok)
        finish_restore(ex, &all[count - 1], triples, count);
    else
        kvp_refuse(ex, all && triples ? KVP_REFUSE_BACKUP_CORRUPT : KVP_REFUSE_INTERNAL);
    for (size_t i = 0; i < read; i++)
        restored_clear(&all[i]);
    kvp_free(all);
    kvp_free(triples);
}

void kvp_certificates_restore(kvp_exchange *ex)
{
    json_t *document = kvp_backup_read(ex, KVP_OBJECT_CERTIFICATE);
    const json_t *versions = json_object_get(document, "versions");

    if (!document)
        return;
    if (!json_is_array(versions) || json_array_size(versions) == 0 ||
        json_array_size(versions) > VERSIONS_MAX)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_CORRUPT);
    else
        restore(ex, document, versions);
    json_decref(document);
}
