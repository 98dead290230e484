/* SPDX-License-Identifier: MIT */
/* Certificate contacts: one document of a vault (wire reference, section 7). */
#include "vaultd/routes.h"
#include "vaultd/secret_doc.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define CONTACTS_MAX 100
#define TEXT_MAX 1024
#define KIND "contacts"

static void missing(kvp_exchange *ex, const kvp_error *error)
{
    if (error->status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_CONTACTS_NOT_FOUND);
    else
        kvp_exchange_failed(ex, error);
}

static void answer(kvp_exchange *ex, const kvp_document *document)
{
    char id[KVP_ID_SIZE];

    snprintf(id, sizeof(id), "%s/certificates/contacts", ex->base_url);
    kvp_exchange_reply_take(
        ex, 200,
        json_pack("{s:s, s:o}", "id", id, "contacts", json_loads(document->json, 0, NULL)));
}

/* One contact with its known members in order; NULL after refusing. */
static json_t *contact(kvp_exchange *ex, const json_t *given)
{
    static const char *const names[] = { "email", "name", "phone" };
    const char *texts[KVP_ARRAY_LEN(names)] = { NULL };

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        if (!json_is_object(given)) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "contacts");
            return NULL;
        }
        if (!kvp_member_string(ex, given, names[i], i == 0, &texts[i]))
            return NULL;
        if (texts[i] && (strlen(texts[i]) > TEXT_MAX || (i == 0 && !*texts[i]))) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, names[i]);
            return NULL;
        }
    }
    json_t *result =
        json_pack("{s:s, s:s*, s:s*}", names[0], texts[0], names[1], texts[1], names[2], texts[2]);
    if (!result)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return result;
}

static json_t *contacts(kvp_exchange *ex)
{
    const json_t *given;
    json_t *result = json_array();
    bool ok = kvp_member_array(ex, ex->json, "contacts", &given);

    if (ok && (json_array_size(given) == 0 || json_array_size(given) > CONTACTS_MAX)) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "contacts");
        ok = false;
    }
    for (size_t i = 0; ok && i < json_array_size(given); i++) {
        json_t *one = contact(ex, json_array_get(given, i));
        ok = one && json_array_append_new(result, one) == 0;
    }
    if (ok && result)
        return result;
    json_decref(result);
    if (ex->status == 0)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return NULL;
}

void kvp_contacts_set(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };
    kvp_buf text = KVP_BUF_INIT(0);
    kvp_error error = { .status = KVP_OK };
    json_t *list = contacts(ex);

    if (!list)
        return;
    if (kvp_json_write(list, false, &text) == KVP_OK)
        document.json = kvp_strdup(kvp_buf_str(&text));
    json_decref(list);
    kvp_buf_clear(&text);
    document.created = document.updated = kvp_ident_now();
    if (!document.json)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    else if (kvp_store_document_set(ex->daemon->store, &ex->daemon->vault, KIND, &document,
                                    &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer(ex, &document);
}

void kvp_contacts_get(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_document_get(ex->daemon->store, &ex->daemon->vault, KIND, "", &document,
                               &error) == KVP_OK)
        answer(ex, &document);
    else
        missing(ex, &error);
}

void kvp_contacts_delete(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_document_clear) kvp_document document = { .json = NULL };
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_document_get(ex->daemon->store, &ex->daemon->vault, KIND, "", &document,
                               &error) == KVP_OK &&
        kvp_store_document_delete(ex->daemon->store, &ex->daemon->vault, KIND, "", &error) ==
            KVP_OK)
        answer(ex, &document);
    else
        missing(ex, &error);
}
