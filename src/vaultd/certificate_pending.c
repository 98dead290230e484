/* SPDX-License-Identifier: MIT */
/* Operations on certificates: looked at, cancelled, deleted, finished by a merge. */
#include "vaultd/certificate_doc.h"
#include "vaultd/routes.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* The operation of the path's name and the name's stored spelling; false after refusing. */
static bool find(kvp_exchange *ex, kvp_certificate_operation *operation, kvp_object_state *state)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_object_state(ex->daemon->store, &ex->daemon->vault, KVP_OBJECT_CERTIFICATE,
                               ex->name, state, &error) == KVP_OK &&
        kvp_store_operation_get(ex->daemon->store, &ex->daemon->vault, ex->name, operation,
                                &error) == KVP_OK)
        return true;
    if (error.status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_PENDING_NOT_FOUND, ex->name);
    else
        kvp_exchange_failed(ex, &error);
    return false;
}

static void changed(kvp_exchange *ex, const kvp_error *error)
{
    if (error->status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_PENDING_NOT_FOUND, ex->name);
    else
        kvp_exchange_failed(ex, error);
}

/* The request for a certificate alone, in base64 without lines, for whoever accepts nothing else
 * (recorded). */
static void answer_csr(kvp_exchange *ex, const kvp_certificate_operation *operation)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_x509_base64(operation->csr.data, operation->csr.len, &ex->reply) != KVP_OK) {
        kvp_error_set(&error, KVP_ERR_NO_MEMORY, "certificate request");
        kvp_exchange_failed(ex, &error);
        return;
    }
    ex->content_type = "application/pkcs10; charset=utf-8";
    ex->status = 200;
}

void kvp_certificates_pending_get(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    kvp_object_state state;

    if (!find(ex, &operation, &state))
        return;
    if (operation.status == KVP_OPERATION_IN_PROGRESS)
        kvp_exchange_header(ex, "Retry-After", "10");
    if (ex->accept && kvp_ident_casecmp(ex->accept, "application/pkcs10") == 0)
        answer_csr(ex, &operation);
    else
        kvp_operation_answer(ex, 200, state.name, &operation, operation.status);
}

void kvp_certificates_pending_update(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    kvp_error error = { .status = KVP_OK };
    kvp_object_state state;
    bool cancel = false;

    if (!kvp_member_boolean(ex, ex->json, "cancellation_requested", &cancel))
        return;
    if (!json_is_boolean(json_object_get(ex->json, "cancellation_requested"))) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "cancellation_requested");
        return;
    }
    if (!find(ex, &operation, &state))
        return;
    /* Our own issuer hears of it when it would have been done (recorded). */
    if (kvp_store_operation_cancel(ex->daemon->store, &ex->daemon->vault, ex->name, cancel,
                                   !kvp_operation_is_own(&operation), &error) != KVP_OK) {
        changed(ex, &error);
        return;
    }
    /* The answer tells of the request; that it was followed is seen later (recorded). */
    operation.cancelled = cancel;
    kvp_operation_answer(ex, 200, state.name, &operation, operation.status);
}

void kvp_certificates_pending_delete(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    kvp_error error = { .status = KVP_OK };
    kvp_object_state state;

    if (!find(ex, &operation, &state))
        return;
    if (kvp_store_operation_delete(ex->daemon->store, &ex->daemon->vault, ex->name, &error) !=
        KVP_OK)
        changed(ex, &error);
    else
        kvp_operation_answer(ex, 200, state.name, &operation, operation.status);
}

/* Decode x5c and put the certificate that fits the key first; false after refusing. */
static bool read_x5c(kvp_exchange *ex, kvp_x509_bundle *bundle)
{
    const json_t *x5c;
    size_t leaf = KVP_X509_CHAIN_MAX;

    if (!kvp_member_array(ex, ex->json, "x5c", &x5c))
        return false;
    for (size_t i = 0; i < json_array_size(x5c) && i < KVP_X509_CHAIN_MAX; i++) {
        const json_t *item = json_array_get(x5c, i);
        kvp_buf *der = &bundle->certs[i];
        kvp_x509_facts facts;
        bundle->count = i + 1;
        if (!json_is_string(item) ||
            kvp_x509_unbase64(json_string_value(item), json_string_length(item), der) != KVP_OK ||
            kvp_x509_read(der->data, der->len, &facts, NULL) != KVP_OK) {
            leaf = KVP_X509_CHAIN_MAX;
            break;
        }
        kvp_x509_facts_clear(&facts);
        if (leaf == KVP_X509_CHAIN_MAX && kvp_x509_matches(der->data, der->len, bundle->key))
            leaf = i;
    }
    if (leaf == KVP_X509_CHAIN_MAX || json_array_size(x5c) > KVP_X509_CHAIN_MAX) {
        kvp_refuse(ex, KVP_REFUSE_MERGE);
        return false;
    }
    kvp_buf first = bundle->certs[0];
    bundle->certs[0] = bundle->certs[leaf];
    bundle->certs[leaf] = first;
    kvp_x509_sort(bundle);
    return true;
}

static bool load_key(kvp_exchange *ex, const kvp_certificate_operation *operation,
                     kvp_engine_key **ret_key)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf material = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_operation_key(ex->daemon->store, &ex->daemon->vault, ex->name, &material,
                                &error) == KVP_OK &&
        kvp_engine_load((kvp_engine_kind)operation->kind, material.data, material.len, ret_key,
                        &error) == KVP_OK)
        return true;
    changed(ex, &error);
    return false;
}

/* The unfinished version that the operation makes, with what the request adds; false after
 * refusing. */
static bool merge_record(kvp_exchange *ex, const kvp_certificate_operation *operation,
                         kvp_certificate_record *record)
{
    kvp_error error = { .status = KVP_OK };
    unsigned fields = 0;

    if (kvp_store_certificate_get(ex->daemon->store, &ex->daemon->vault, ex->name,
                                  operation->version, KVP_KEY_LIVE, record, &error) != KVP_OK) {
        changed(ex, &error);
        return false;
    }
    record->enabled = true;
    record->created = record->updated = kvp_ident_now();
    return kvp_certificate_read_common(ex, record, &fields);
}

static void merge(kvp_exchange *ex, kvp_certificate_operation *operation)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    char location[KVP_ID_SIZE];
    kvp_policy_use use;

    memset(&bundle, 0, sizeof(bundle));
    if (!load_key(ex, operation, &bundle.key) || !read_x5c(ex, &bundle) ||
        !merge_record(ex, operation, &record))
        return;
    json_t *policy = json_loads(record.policy_json, 0, NULL);
    if (!policy) {
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        return;
    }
    kvp_policy_use_of(policy, &use);
    operation->status = KVP_OPERATION_COMPLETED;
    if (kvp_certificate_finish(ex, &record, &bundle, &use, operation, true)) {
        snprintf(location, sizeof(location), "%s/certificates/%s?api-version=%s", ex->base_url,
                 record.name, ex->api_version);
        kvp_exchange_header(ex, "Location", location);
        kvp_certificate_answer(ex, 201, &record, true);
    }
    json_decref(policy);
}

void kvp_certificates_merge(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    kvp_object_state state;

    if (!find(ex, &operation, &state))
        return;
    if (operation.status != KVP_OPERATION_IN_PROGRESS)
        kvp_refuse(ex, KVP_REFUSE_PENDING_STATUS, kvp_operation_status_names[operation.status]);
    else
        merge(ex, &operation);
}
