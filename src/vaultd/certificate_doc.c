/* SPDX-License-Identifier: MIT */
/* Certificate documents, with the members and order that were recorded. */
#include "vaultd/certificate_doc.h"

#include <stdio.h>
#include <string.h>

#define IN_PROGRESS                                                                                \
    "Pending certificate created. Certificate request is in progress. This may take some time "    \
    "based on the issuer provider. Please check again later."
#define WAITS_FOR_MERGE "Pending certificate created. Please Perform Merge to complete the request."

static json_t *attributes_of(const kvp_exchange *ex, const kvp_certificate_record *record,
                             bool levels)
{
    bool finished = record->der.len > 0; /* an unfinished one is of no use yet (recorded) */
    kvp_common_attributes attributes = { record->enabled && finished, record->not_before,
                                         record->expires, record->created, record->updated };

    return kvp_common_attributes_json(ex, &attributes, levels);
}

static bool add_id(const kvp_exchange *ex, json_t *object, const char *member,
                   const char *collection, const char *name, const char *rest)
{
    char id[KVP_ID_SIZE];

    snprintf(id, sizeof(id), "%s/%s/%s%s%s", ex->base_url, collection, name, *rest ? "/" : "",
             rest);
    return kvp_json_add(object, member, json_string(id));
}

json_t *kvp_certificate_policy(const kvp_exchange *ex, const kvp_certificate_record *record)
{
    json_t *policy = json_object(), *stored = json_loads(record->policy_json, 0, NULL);
    bool ok = stored && add_id(ex, policy, "id", "certificates", record->name, "policy") &&
              json_object_update(policy, stored) == 0 &&
              kvp_json_add(policy, "attributes",
                           json_pack("{s:b, s:I, s:I}", "enabled", true, "created",
                                     (json_int_t)record->policy_created, "updated",
                                     (json_int_t)record->policy_updated));

    json_decref(stored);
    if (ok)
        return policy;
    json_decref(policy);
    return NULL;
}

static json_t *base64(const kvp_buf *der)
{
    kvp_buf text = KVP_BUF_INIT(0);
    json_t *string = NULL;

    if (kvp_x509_base64(der->data, der->len, &text) == KVP_OK)
        string = json_stringn(kvp_buf_str(&text), text.len);
    kvp_buf_clear(&text);
    return string;
}

static bool add_material(const kvp_exchange *ex, const kvp_certificate_record *record,
                         const kvp_x509_facts *facts, json_t *bundle)
{
    return add_id(ex, bundle, "kid", "keys", record->name, record->version) &&
           add_id(ex, bundle, "sid", "secrets", record->name, record->version) &&
           kvp_json_add(bundle, "x5t", json_string(facts->sha1)) &&
           kvp_json_add(bundle, "cer", base64(&record->der));
}

static json_t *bundle_of(const kvp_exchange *ex, const kvp_certificate_record *record,
                         const kvp_x509_facts *facts, bool with_policy)
{
    json_t *bundle = json_object(), *pending = NULL;
    bool ok = kvp_json_add_deletion(ex, bundle, "deletedcertificates", record->name,
                                    record->deleted, record->purge) &&
              add_id(ex, bundle, "id", "certificates", record->name, record->version);

    if (record->der.len > 0)
        ok = ok && add_material(ex, record, facts, bundle);
    ok = ok && kvp_json_add(bundle, "attributes", attributes_of(ex, record, true)) &&
         kvp_json_add_text(bundle, "tags", record->tags_json);
    if (with_policy)
        ok = ok && kvp_json_add(bundle, "policy", kvp_certificate_policy(ex, record));
    if (record->operation && record->current) {
        pending = json_object();
        ok = ok && add_id(ex, pending, "id", "certificates", record->name, "pending") &&
             json_object_set(bundle, "pending", pending) == 0;
        json_decref(pending);
    }
    if (record->preserve_order && kvp_exchange_since(ex, "7.6-preview.1"))
        ok = ok && kvp_json_add(bundle, "preserveCertOrder", json_true());
    if (ok)
        return bundle;
    json_decref(bundle);
    return NULL;
}

void kvp_certificate_answer(kvp_exchange *ex, int status, const kvp_certificate_record *record,
                            bool with_policy)
{
    kvp_x509_facts facts;
    kvp_error error = { .status = KVP_OK };

    memset(&facts, 0, sizeof(facts));
    snprintf(ex->subject, sizeof(ex->subject), "%s/certificates/%s/%s", ex->base_url, record->name,
             record->version);
    if (record->der.len > 0 &&
        kvp_x509_read(record->der.data, record->der.len, &facts, &error) != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return;
    }
    kvp_exchange_reply_take(ex, status, bundle_of(ex, record, &facts, with_policy));
    kvp_x509_facts_clear(&facts);
}

json_t *kvp_certificate_item(const kvp_exchange *ex, const kvp_certificate_record *record,
                             bool with_version)
{
    kvp_x509_facts facts;
    json_t *item = json_object();
    bool ok =
        kvp_json_add_deletion(ex, item, "deletedcertificates", record->name, record->deleted,
                              record->purge) &&
        add_id(ex, item, "id", "certificates", record->name, with_version ? record->version : "");

    memset(&facts, 0, sizeof(facts));
    if (record->der.len > 0)
        ok = ok && kvp_x509_read(record->der.data, record->der.len, &facts, NULL) == KVP_OK &&
             kvp_json_add(item, "x5t", json_string(facts.sha1));
    /* Live items have `subject`, an empty string in all recordings; deleted ones the recovery
     * level. */
    bool live = record->deleted == KVP_TIME_NONE;
    ok = ok && kvp_json_add(item, "attributes", attributes_of(ex, record, !live)) &&
         kvp_json_add_text(item, "tags", record->tags_json) &&
         (!live || kvp_json_add(item, "subject", json_string("")));
    kvp_x509_facts_clear(&facts);
    if (ok)
        return item;
    json_decref(item);
    return NULL;
}

void kvp_certificate_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error)
{
    char name[400];

    if (error->status != KVP_ERR_NOT_FOUND) {
        kvp_exchange_failed(ex, error);
        return;
    }
    kvp_path_id(ex, name, sizeof(name));
    kvp_refuse(ex,
               state == KVP_KEY_LIVE || !kvp_name_is_taken(ex, KVP_OBJECT_CERTIFICATE)
                   ? KVP_REFUSE_CERTIFICATE_NOT_FOUND
                   : KVP_REFUSE_DELETED_CERTIFICATE_NOT_FOUND,
               name);
}

static json_t *operation_json(const kvp_exchange *ex, const char *name,
                              const kvp_certificate_operation *operation,
                              kvp_operation_status shown)
{
    json_t *document = json_object(), *issuer = json_loads(operation->issuer_json, 0, NULL);
    const char *issuer_name = json_string_value(json_object_get(issuer, "name"));
    bool ok =
        issuer_name && add_id(ex, document, "id", "certificates", name, "pending") &&
        json_object_set(document, "issuer", issuer) == 0 &&
        kvp_json_add(document, "csr", base64(&operation->csr)) &&
        kvp_json_add(document, "cancellation_requested", json_boolean(operation->cancelled)) &&
        kvp_json_add(document, "status", json_string(kvp_operation_status_names[shown]));

    if (shown == KVP_OPERATION_IN_PROGRESS)
        ok = ok && kvp_json_add(document, "status_details",
                                json_string(kvp_issuer_is_self(issuer_name) ? IN_PROGRESS
                                                                            : WAITS_FOR_MERGE));
    if (shown == KVP_OPERATION_COMPLETED)
        ok = ok && add_id(ex, document, "target", "certificates", name, "");
    ok = ok && kvp_json_add(document, "request_id", json_string(operation->request_id));
    json_decref(issuer);
    if (ok)
        return document;
    json_decref(document);
    return NULL;
}

void kvp_operation_answer(kvp_exchange *ex, int status, const char *name,
                          const kvp_certificate_operation *operation, kvp_operation_status shown)
{
    snprintf(ex->subject, sizeof(ex->subject), "%s/certificates/%s/pending", ex->base_url, name);
    kvp_exchange_reply_take(ex, status, operation_json(ex, name, operation, shown));
}
