/* SPDX-License-Identifier: MIT */
/* Certificates that our own issuer takes its time over: signed by the keeper once they are due. */
#include "vaultd/certificate_doc.h"

#include "vaultd/key_cache.h"
#include "vaultd/note.h"

#include <string.h>

bool kvp_operation_is_own(const kvp_certificate_operation *operation)
{
    json_t *issuer = json_loads(operation->issuer_json, 0, NULL);
    const char *name = json_string_value(json_object_get(issuer, "name"));
    bool own = name && kvp_issuer_is_self(name);

    json_decref(issuer);
    return own;
}

/* Sign with the key that waits, by the policy the name has now. */
static kvp_status issue(const kvp_daemon *daemon, kvp_certificate_record *record,
                        kvp_certificate_operation *operation, int64_t now, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf material = KVP_BUF_INIT_SECRET(0);
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    json_t *policy = json_loads(record->policy_json, 0, NULL);
    kvp_policy_use use;

    memset(&bundle, 0, sizeof(bundle));
    if (!policy)
        return kvp_error_set(reterr, KVP_ERR_IO, "the policy cannot be read");
    kvp_policy_use_of(policy, &use);
    record->created = record->updated = now;
    kvp_status status =
        kvp_store_operation_key(daemon->store, &daemon->vault, record->name, &material, reterr);
    if (status == KVP_OK)
        status = kvp_engine_load((kvp_engine_kind)operation->kind, material.data, material.len,
                                 &bundle.key, reterr);
    if (status == KVP_OK)
        status =
            kvp_x509_self_sign(&use.profile, bundle.key, record->created, &bundle.certs[0], reterr);
    if (status == KVP_OK) {
        bundle.count = 1;
        operation->status = KVP_OPERATION_COMPLETED;
        status = kvp_certificate_complete(daemon, record, &bundle, &use, operation, true, reterr);
    }
    json_decref(policy);
    return status;
}

static kvp_status end(const kvp_daemon *daemon, const char *name, int64_t now, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    kvp_status status =
        kvp_store_operation_get(daemon->store, &daemon->vault, name, &operation, reterr);

    if (status == KVP_OK && operation.cancelled)
        return kvp_store_operation_cancel(daemon->store, &daemon->vault, name, true, true, reterr);
    if (status == KVP_OK)
        status = kvp_store_certificate_get(daemon->store, &daemon->vault, name, operation.version,
                                           KVP_KEY_LIVE, &record, reterr);
    if (status == KVP_OK)
        status = issue(daemon, &record, &operation, now, reterr);
    return status;
}

kvp_status kvp_certificates_issue_due(const kvp_daemon *daemon, int64_t now, kvp_error *reterr)
{
    kvp_operation_entry entry = { .row = 0 };
    kvp_daemon view = *daemon;
    kvp_status status;

    while ((status = kvp_store_operation_due(daemon->store, now - daemon->certificate_delay_s,
                                             &entry, reterr)) == KVP_OK) {
        kvp_error error = { .status = KVP_OK };
        view.vault.id = entry.vault; /* all that the store wants to know */
        /* Not found: it was deleted or merged meanwhile. */
        if (end(&view, entry.name, now, &error) != KVP_OK && error.status != KVP_ERR_NOT_FOUND)
            kvp_note("issuing certificate %s: %s", entry.name, error.message);
    }
    return status == KVP_ERR_NOT_FOUND ? KVP_OK : status;
}
