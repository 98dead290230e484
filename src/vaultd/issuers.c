/* SPDX-License-Identifier: MIT */
/*
 * Certificate issuers (wire reference, section 7). They are remembered and shown; requests to a
 * certificate authority are not made from here: a certificate of such an issuer waits for a merge.
 * The password of an account is therefore not kept at all.
 */
#include "vaultd/paging.h"
#include "vaultd/routes.h"
#include "vaultd/secret_doc.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define ADMINS_MAX 100
#define TEXT_MAX 1024
#define KIND "issuer"

static json_t *finished(kvp_exchange *ex, json_t *object, bool ok)
{
    if (ok && object)
        return object;
    json_decref(object);
    if (ex->status == 0)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return NULL;
}

/* Copy string member @name of @given to @result; without it, what @base has. */
static bool copy_text(kvp_exchange *ex, const json_t *given, const json_t *base, const char *name,
                      json_t *result)
{
    const char *text = json_string_value(json_object_get(base, name));

    if (given && !kvp_member_string(ex, given, name, false, &text))
        return false;
    if (text && strlen(text) > TEXT_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
        return false;
    }
    return !text || kvp_json_add(result, name, json_string(text));
}

static json_t *admin(kvp_exchange *ex, const json_t *given)
{
    static const char *const names[] = { "first_name", "last_name", "email", "phone" };
    json_t *result = json_object();
    bool ok = result != NULL;

    if (!json_is_object(given)) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "admin_details");
        ok = false;
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(names) && ok; i++)
        ok = copy_text(ex, given, NULL, names[i], result);
    return finished(ex, result, ok);
}

static json_t *admins(kvp_exchange *ex, const json_t *given)
{
    json_t *result = json_array();
    bool ok = result != NULL;

    if (json_array_size(given) > ADMINS_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "admin_details");
        ok = false;
    }
    for (size_t i = 0; ok && i < json_array_size(given); i++) {
        json_t *one = admin(ex, json_array_get(given, i));
        ok = one && json_array_append_new(result, one) == 0;
    }
    return finished(ex, result, ok);
}

/* `zip` is not in the definition but in every recorded answer. */
static json_t *organization(kvp_exchange *ex, const json_t *given, const json_t *base)
{
    const json_t *list = NULL, *old = json_object_get(base, "admin_details");
    json_t *result = json_object();
    bool ok = kvp_member_array(ex, given, "admin_details", &list) &&
              copy_text(ex, given, base, "id", result) &&
              kvp_json_add(result, "zip", json_integer(0));

    if (ok && list)
        ok = kvp_json_add(result, "admin_details", admins(ex, list));
    else if (ok && old)
        ok = json_object_set(result, "admin_details", (json_t *)(uintptr_t)old) == 0;
    return finished(ex, result, ok);
}

/* The issuer's document after @ex's request on top of @base, which may be NULL; NULL after
 * refusing. */
static json_t *read_issuer(kvp_exchange *ex, const json_t *base)
{
    const json_t *credentials, *org, *attributes, *old;
    json_t *result = json_object();
    bool enabled = !base || json_is_true(json_object_get(base, "enabled"));
    bool ok = kvp_member_object(ex, ex->json, "credentials", &credentials) &&
              kvp_member_object(ex, ex->json, "org_details", &org) &&
              kvp_member_object(ex, ex->json, "attributes", &attributes) &&
              copy_text(ex, ex->json, base, "provider", result) &&
              (!attributes || kvp_member_boolean(ex, attributes, "enabled", &enabled));

    if (ok && !json_object_get(result, "provider")) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "provider");
        ok = false;
    }
    old = json_object_get(base, "credentials");
    if (ok && (credentials || old)) {
        json_t *account = json_object();
        ok = copy_text(ex, credentials, old, "account_id", account) &&
             json_object_set(result, "credentials", account) == 0;
        json_decref(account);
    }
    old = json_object_get(base, "org_details");
    if (ok && org)
        ok = kvp_json_add(result, "org_details", organization(ex, org, old));
    else if (ok && old)
        ok = json_object_set(result, "org_details", (json_t *)(uintptr_t)old) == 0;
    ok = ok && kvp_json_add(result, "enabled", json_boolean(enabled));
    return finished(ex, result, ok);
}

static json_t *issuer_json(const kvp_exchange *ex, const kvp_document *document, bool item)
{
    json_t *stored = json_loads(document->json, 0, NULL), *result = NULL;
    char id[KVP_ID_SIZE];

    snprintf(id, sizeof(id), "%s/certificates/issuers/%s", ex->base_url, document->name);
    if (stored && item)
        result = json_pack("{s:s, s:O}", "id", id, "provider", json_object_get(stored, "provider"));
    else if (stored)
        result = json_pack("{s:s, s:O, s:O*, s:O*, s:{s:O, s:I, s:I}}", "id", id, "provider",
                           json_object_get(stored, "provider"), "credentials",
                           json_object_get(stored, "credentials"), "org_details",
                           json_object_get(stored, "org_details"), "attributes", "enabled",
                           json_object_get(stored, "enabled"), "created",
                           (json_int_t)document->created, "updated", (json_int_t)document->updated);
    json_decref(stored);
    return result;
}

/* Store @take under the path's name and answer with it. */
static void store(kvp_exchange *ex, json_t *take)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };
    kvp_buf text = KVP_BUF_INIT(0);
    kvp_error error = { .status = KVP_OK };

    if (!take)
        return;
    if (kvp_json_write(take, false, &text) == KVP_OK)
        document.json = kvp_strdup(kvp_buf_str(&text));
    json_decref(take);
    kvp_buf_clear(&text);
    snprintf(document.name, sizeof(document.name), "%s", ex->name);
    document.created = document.updated = kvp_ident_now();
    if (!document.json)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    else if (kvp_store_document_set(ex->daemon->store, &ex->daemon->vault, KIND, &document,
                                    &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        kvp_exchange_reply_take(ex, 200, issuer_json(ex, &document, false));
}

void kvp_issuers_set(kvp_exchange *ex)
{
    /* Reserved: what policies say for "by itself" and "by somebody the vault does not know". */
    if (kvp_ident_casecmp(ex->name, "Self") == 0 || kvp_ident_casecmp(ex->name, "Unknown") == 0)
        kvp_refuse(ex, KVP_REFUSE_NAME, ex->name);
    else
        store(ex, read_issuer(ex, NULL));
}

/* The issuer of the path; false after refusing, in the words for @named. */
static bool find(kvp_exchange *ex, bool named, kvp_document *document)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_document_get(ex->daemon->store, &ex->daemon->vault, KIND, ex->name, document,
                               &error) == KVP_OK)
        return true;
    if (error.status != KVP_ERR_NOT_FOUND)
        kvp_exchange_failed(ex, &error);
    else if (named)
        kvp_refuse(ex, KVP_REFUSE_ISSUER_NOT_NAMED, ex->name);
    else
        kvp_refuse(ex, KVP_REFUSE_ISSUER_NOT_FOUND);
    return false;
}

void kvp_issuers_update(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };

    if (!find(ex, true, &document))
        return;
    json_t *base = json_loads(document.json, 0, NULL);
    if (base)
        store(ex, read_issuer(ex, base));
    else
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    json_decref(base);
}

void kvp_issuers_get(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };

    if (find(ex, false, &document))
        kvp_exchange_reply_take(ex, 200, issuer_json(ex, &document, false));
}

void kvp_issuers_delete(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };
    kvp_error error = { .status = KVP_OK };

    if (!find(ex, false, &document))
        return;
    kvp_status status =
        kvp_store_document_delete(ex->daemon->store, &ex->daemon->vault, KIND, ex->name, &error);
    if (status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_ISSUER_NOT_FOUND);
    else if (status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        kvp_exchange_reply_take(ex, 200, issuer_json(ex, &document, false));
}

void kvp_issuers_list(kvp_exchange *ex)
{
    json_t *items = json_array();
    kvp_document document = { .json = NULL };
    kvp_error error = { .status = KVP_OK };
    char last[KVP_NAME_MAX + 1] = "";
    kvp_paging at;
    bool more = false;

    if (!kvp_paging_read(ex, &at)) {
        json_decref(items);
        return;
    }
    snprintf(last, sizeof(last), "%.*s", KVP_NAME_MAX, at.after);
    while (!more && kvp_store_document_next(ex->daemon->store, &ex->daemon->vault, KIND, last,
                                            &document, &error) == KVP_OK) {
        more = json_array_size(items) == at.limit;
        if (!more) {
            if (json_array_append_new(items, issuer_json(ex, &document, true)) != 0)
                kvp_error_set(&error, KVP_ERR_NO_MEMORY, "list");
            memcpy(last, document.name, sizeof(last));
        }
        kvp_document_clear(&document);
        if (error.status != KVP_OK)
            break;
    }
    if (error.status != KVP_OK && error.status != KVP_ERR_NOT_FOUND) {
        json_decref(items);
        kvp_exchange_failed(ex, &error);
        return;
    }
    kvp_paging_answer(ex, &at, items, more ? last : NULL);
}
