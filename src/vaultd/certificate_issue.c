/* SPDX-License-Identifier: MIT */
/* Certificates made: created by policy, imported, merged; the key and secret that go with each. */
#include "vaultd/certificate_doc.h"
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static bool no_memory(kvp_exchange *ex)
{
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return false;
}

bool kvp_certificate_record_init(kvp_exchange *ex, kvp_certificate_record *record)
{
    *record = (kvp_certificate_record){ .enabled = true,
                                        .not_before = KVP_TIME_NONE,
                                        .expires = KVP_TIME_NONE,
                                        .deleted = KVP_TIME_NONE,
                                        .purge = KVP_TIME_NONE };
    snprintf(record->name, sizeof(record->name), "%s", ex->name);
    record->created = record->updated = kvp_ident_now();
    return kvp_ident_version(record->version) == KVP_OK || no_memory(ex);
}

bool kvp_certificate_read_common(kvp_exchange *ex, kvp_certificate_record *record, unsigned *fields)
{
    kvp_key_record common = { .enabled = record->enabled };
    bool ok = kvp_key_read_attributes(ex, ex->json, &common, fields) &&
              kvp_key_read_tags(ex, ex->json, &common, fields);

    /* nbf and exp are the certificate's own: what a request says of them is ignored (recorded). */
    if (ok) {
        record->enabled = common.enabled;
        if (common.tags_json) {
            kvp_free(record->tags_json);
            record->tags_json = KVP_STEAL(common.tags_json);
        }
    }
    kvp_key_record_clear(&common);
    return ok;
}

bool kvp_certificate_set_policy(kvp_exchange *ex, kvp_certificate_record *record,
                                const json_t *policy)
{
    kvp_buf text = KVP_BUF_INIT(0);
    char *copy =
        kvp_json_write(policy, false, &text) == KVP_OK ? kvp_strdup(kvp_buf_str(&text)) : NULL;

    kvp_buf_clear(&text);
    if (!copy)
        return no_memory(ex);
    kvp_free(record->policy_json);
    record->policy_json = copy;
    record->policy_updated = kvp_ident_now();
    if (record->policy_created == 0)
        record->policy_created = record->policy_updated;
    return true;
}

void kvp_certificate_refuse(kvp_exchange *ex, const kvp_certificate_record *record,
                            const kvp_error *error)
{
    if (error->status == KVP_ERR_REFUSED)
        kvp_refuse(ex, KVP_REFUSE_CERTIFICATE_IS_DELETED, record->name);
    else if (error->status == KVP_ERR_UNSUPPORTED)
        kvp_refuse(ex, KVP_REFUSE_NOT_MANAGED, record->name);
    else if (error->status == KVP_ERR_MISMATCH)
        kvp_refuse(ex, KVP_REFUSE_PENDING_IN_PROGRESS);
    else if (error->status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_PENDING_NOT_FOUND, record->name);
    else
        kvp_exchange_failed(ex, error);
}

/* What the key may be used for follows from the certificate's key usage (recorded). */
static json_t *key_ops(const kvp_x509_facts *facts, kvp_engine_kind kind)
{
    static const char *const ops[] = { "encrypt", "decrypt", "sign",
                                       "verify",  "wrapKey", "unwrapKey" };
    json_t *result = json_array();
    bool ok = result != NULL;

    for (size_t i = 0; i < KVP_ARRAY_LEN(ops) && ok; i++) {
        bool offered = kind == KVP_ENGINE_RSA || i == 2 || i == 3, wanted = !facts->has_usages;
        for (size_t row = 0; row < KVP_X509_USAGE_COUNT && !wanted; row++)
            wanted = facts->usages[row] && strstr(kvp_x509_usages[row].ops, ops[i]) != NULL;
        if (offered && wanted)
            ok = json_array_append_new(result, json_string(ops[i])) == 0;
    }
    if (ok)
        return result;
    json_decref(result);
    return NULL;
}

static kvp_status fill_key(const kvp_certificate_record *record, const kvp_engine_key *engine,
                           const kvp_x509_facts *facts, const kvp_policy_use *use,
                           kvp_key_record *key, kvp_buf *material, kvp_error *reterr)
{
    kvp_buf ops = KVP_BUF_INIT(0);
    json_t *list = key_ops(facts, engine->kind);

    *key = (kvp_key_record){ .bits = engine->bits,
                             .public_json = kvp_key_public_json(engine, NULL),
                             .tags_json = kvp_strdup(record->tags_json),
                             .enabled = record->enabled,
                             .exportable = use->exportable,
                             .managed = true,
                             .not_before = record->not_before,
                             .expires = record->expires,
                             .created = record->created,
                             .updated = record->updated,
                             .deleted = KVP_TIME_NONE,
                             .purge = KVP_TIME_NONE };
    memcpy(key->name, record->name, sizeof(key->name));
    memcpy(key->version, record->version, sizeof(key->version));
    /* The policy may have come to want another type since the key was made. */
    snprintf(key->kty, sizeof(key->kty), "%s%s", engine->kind == KVP_ENGINE_RSA ? "RSA" : "EC",
             strchr(use->kty, '-') ? "-HSM" : "");
    if (list && kvp_json_write(list, false, &ops) == KVP_OK)
        key->ops_json = kvp_strdup(kvp_buf_str(&ops));
    json_decref(list);
    kvp_buf_clear(&ops);
    if (!key->public_json || !key->ops_json || (record->tags_json && !key->tags_json))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    return kvp_engine_save(engine, material, reterr);
}

static kvp_status fill_secret(const kvp_certificate_record *record, const kvp_x509_bundle *bundle,
                              const kvp_policy_use *use, kvp_secret_record *secret, kvp_buf *value,
                              kvp_error *reterr)
{
    *secret = (kvp_secret_record){ .content_type =
                                       kvp_strdup(use->pem ? KVP_X509_TYPE_PEM : KVP_X509_TYPE_PFX),
                                   .tags_json = kvp_strdup(record->tags_json),
                                   .enabled = record->enabled,
                                   .managed = true,
                                   .not_before = record->not_before,
                                   .expires = record->expires,
                                   .created = record->created,
                                   .updated = record->updated,
                                   .deleted = KVP_TIME_NONE,
                                   .purge = KVP_TIME_NONE };
    memcpy(secret->name, record->name, sizeof(secret->name));
    memcpy(secret->version, record->version, sizeof(secret->version));
    if (!secret->content_type || (record->tags_json && !secret->tags_json))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "secret");
    return kvp_x509_export(bundle, use->pem, use->exportable, value, reterr);
}

kvp_status kvp_certificate_complete(const kvp_daemon *daemon, kvp_certificate_record *record,
                                    const kvp_x509_bundle *bundle, const kvp_policy_use *use,
                                    const kvp_certificate_operation *operation, bool merge,
                                    kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_record_clear) kvp_key_record key = { .row = 0 };
    KVP_CLEANUP(kvp_secret_record_clear) kvp_secret_record secret = { .row = 0 };
    KVP_CLEANUP(kvp_buf_clear) kvp_buf material = KVP_BUF_INIT_SECRET(0);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf value = KVP_BUF_INIT_SECRET(0);
    KVP_CLEANUP(kvp_x509_facts_clear) kvp_x509_facts facts;
    kvp_certificate_triple triple = { record, &key, &material, &secret, &value };
    const kvp_buf *leaf = &bundle->certs[0];

    memset(&facts, 0, sizeof(facts));
    kvp_status status = kvp_x509_read(leaf->data, leaf->len, &facts, reterr);
    if (status != KVP_OK)
        return status;
    record->not_before = facts.not_before;
    record->expires = facts.expires;
    if (kvp_buf_set(&record->der, leaf->data, leaf->len) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
    status = fill_key(record, bundle->key, &facts, use, &key, &material, reterr);
    if (status == KVP_OK)
        status = fill_secret(record, bundle, use, &secret, &value, reterr);
    if (status == KVP_OK)
        status = kvp_store_certificate_add(daemon->store, &daemon->vault, &triple, operation, merge,
                                           reterr);
    if (status == KVP_OK)
        kvp_key_cache_put(daemon->cache, key.row, bundle->key);
    return status;
}

bool kvp_certificate_finish(kvp_exchange *ex, kvp_certificate_record *record,
                            const kvp_x509_bundle *bundle, const kvp_policy_use *use,
                            const kvp_certificate_operation *operation, bool merge)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_certificate_complete(ex->daemon, record, bundle, use, operation, merge, &error) ==
        KVP_OK)
        return true;
    kvp_certificate_refuse(ex, record, &error);
    return false;
}

/* The key of the current version, if the policy wants it again and it fits; else *ret_key stays
 * NULL. */
static bool reuse_key(kvp_exchange *ex, const kvp_policy_use *use, kvp_engine_key **ret_key)
{
    KVP_CLEANUP(kvp_key_record_clear) kvp_key_record key = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL,
                                          KVP_KEY_LIVE, &key, &error);

    if (status == KVP_ERR_NOT_FOUND)
        return true;
    if (status == KVP_OK && key.managed && strcmp(key.kty, use->kty) == 0 &&
        key.bits == use->key_size)
        status = kvp_key_cache_get(ex->daemon->cache, ex->daemon->store, &ex->daemon->vault, &key,
                                   ret_key, &error);
    if (status != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    /* P-256 and P-256K have the same size. */
    if (*ret_key && use->crv && strcmp((*ret_key)->curve->name, use->crv) != 0) {
        kvp_engine_key_unref(*ret_key);
        *ret_key = NULL;
    }
    return true;
}

static bool make_key(kvp_exchange *ex, const kvp_policy_use *use, kvp_engine_key **ret_key)
{
    kvp_error error = { .status = KVP_OK };

    if (use->reuse_key && !reuse_key(ex, use, ret_key))
        return false;
    if (*ret_key)
        return true;
    kvp_status status =
        use->crv ? kvp_engine_generate_ec(kvp_engine_curve_find(use->crv), ret_key, &error)
                 : kvp_engine_generate_rsa(use->key_size, 65537, ret_key, &error);
    if (status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    return status == KVP_OK;
}

static bool make_operation(kvp_exchange *ex, const kvp_certificate_record *record,
                           const kvp_policy_use *use, const kvp_engine_key *key,
                           kvp_certificate_operation *ret)
{
    json_t *name = json_pack("{s:s}", "name", use->issuer); /* and no more of it (recorded) */
    kvp_buf issuer = KVP_BUF_INIT(0);
    kvp_error error = { .status = KVP_OK };

    memcpy(ret->version, record->version, sizeof(ret->version));
    ret->kind = (int)key->kind;
    if (kvp_ident_version(ret->request_id) == KVP_OK && name &&
        kvp_json_write(name, false, &issuer) == KVP_OK)
        ret->issuer_json = kvp_strdup(kvp_buf_str(&issuer));
    kvp_buf_clear(&issuer);
    json_decref(name);
    if (!ret->issuer_json)
        return no_memory(ex);
    if (kvp_x509_request(&use->profile, key, &ret->csr, &error) == KVP_OK)
        return true;
    kvp_exchange_failed(ex, &error);
    return false;
}

/* Signed at once; the operation is finished before anybody asks for it. */
static bool issue_self(kvp_exchange *ex, kvp_certificate_record *record, const kvp_policy_use *use,
                       kvp_engine_key *key, kvp_certificate_operation *operation)
{
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    kvp_error error = { .status = KVP_OK };

    memset(&bundle, 0, sizeof(bundle));
    bundle.key = kvp_engine_key_ref(key);
    if (kvp_x509_self_sign(&use->profile, key, record->created, &bundle.certs[0], &error) !=
        KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    bundle.count = 1;
    operation->status = KVP_OPERATION_COMPLETED;
    return kvp_certificate_finish(ex, record, &bundle, use, operation, false);
}

/* Until the merge, or until we are done, there is an unfinished version with the times that were
 * planned (recorded); its answers say disabled, whatever it will be. */
static bool issue_pending(kvp_exchange *ex, kvp_certificate_record *record,
                          const kvp_policy_use *use, const kvp_engine_key *key,
                          const kvp_certificate_operation *operation)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf material = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { .status = KVP_OK };

    record->not_before = record->created - 600;
    record->expires = kvp_x509_add_months(record->created, use->profile.months);
    if (kvp_engine_save(key, &material, &error) == KVP_OK &&
        kvp_store_certificate_begin(ex->daemon->store, &ex->daemon->vault, record, operation,
                                    &material, &error) == KVP_OK)
        return true;
    kvp_certificate_refuse(ex, record, &error);
    return false;
}

static void answer_accepted(kvp_exchange *ex, const kvp_certificate_record *record,
                            const kvp_certificate_operation *operation)
{
    char location[KVP_ID_SIZE];

    snprintf(location, sizeof(location), "%s/certificates/%s/pending?api-version=%s&request_id=%s",
             ex->base_url, record->name, ex->api_version, operation->request_id);
    kvp_exchange_header(ex, "Location", location);
    kvp_exchange_header(ex, "Retry-After", "10");
    kvp_operation_answer(ex, 202, record->name, operation, KVP_OPERATION_IN_PROGRESS);
}

/* Whether the named issuer can be used: ourselves, nobody, or one that was set and is enabled. */
static bool check_issuer(kvp_exchange *ex, const char *name)
{
    kvp_document document = { .json = NULL };
    kvp_error error = { .status = KVP_OK };

    if (kvp_issuer_is_self(name) || kvp_issuer_is_unknown(name))
        return true;
    kvp_status status = kvp_store_document_get(ex->daemon->store, &ex->daemon->vault, "issuer",
                                               name, &document, &error);
    kvp_document_clear(&document);
    if (status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_ISSUER_NOT_NAMED, name);
    else if (status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    return status == KVP_OK;
}

/* The policy for a new version: the request's, else the one the name has. NULL after refusing. */
static json_t *policy_for(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record current = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    const json_t *given;

    if (!kvp_member_object(ex, ex->json, "policy", &given))
        return NULL;
    if (given)
        return kvp_policy_read(ex, given, NULL);
    kvp_status status = kvp_store_certificate_get(ex->daemon->store, &ex->daemon->vault, ex->name,
                                                  NULL, KVP_KEY_LIVE, &current, &error);
    if (status == KVP_OK) {
        json_t *stored = json_loads(current.policy_json, 0, NULL);
        json_t *policy = stored ? kvp_policy_read(ex, NULL, stored) : NULL;
        if (!stored)
            kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        json_decref(stored);
        return policy;
    }
    if (status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "policy");
    else
        kvp_exchange_failed(ex, &error);
    return NULL;
}

static bool name_is_free(kvp_exchange *ex)
{
    kvp_object_state state = { .deleted = false };
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_object_state(ex->daemon->store, &ex->daemon->vault,
                                               KVP_OBJECT_CERTIFICATE, ex->name, &state, &error);

    if (status == KVP_ERR_NOT_FOUND || (status == KVP_OK && !state.deleted))
        return true;
    if (status == KVP_OK)
        kvp_refuse(ex, KVP_REFUSE_CERTIFICATE_IS_DELETED, state.name);
    else
        kvp_exchange_failed(ex, &error);
    return false;
}

static void create(kvp_exchange *ex, const json_t *policy)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };
    KVP_CLEANUP(kvp_certificate_operation_clear)
    kvp_certificate_operation operation = { .issuer_json = NULL };
    KVP_CLEANUP(kvp_engine_key_freep) kvp_engine_key *key = NULL;
    kvp_policy_use use;
    unsigned fields = 0;

    kvp_policy_use_of(policy, &use);
    if (!kvp_certificate_record_init(ex, &record) ||
        !kvp_certificate_read_common(ex, &record, &fields) ||
        !kvp_certificate_set_policy(ex, &record, policy) || !check_issuer(ex, use.issuer) ||
        !name_is_free(ex) || !make_key(ex, &use, &key) ||
        !make_operation(ex, &record, &use, key, &operation))
        return;
    record.created = record.updated = kvp_ident_now(); /* a key may take its time */
    bool at_once = kvp_issuer_is_self(use.issuer) && ex->daemon->certificate_delay_s == 0;
    bool made = at_once ? issue_self(ex, &record, &use, key, &operation)
                        : issue_pending(ex, &record, &use, key, &operation);
    if (made)
        answer_accepted(ex, &record, &operation);
}

void kvp_certificates_create(kvp_exchange *ex)
{
    json_t *policy = policy_for(ex);

    if (policy)
        create(ex, policy);
    json_decref(policy);
}

static void import(kvp_exchange *ex, kvp_certificate_record *record, const kvp_x509_bundle *bundle,
                   bool pem)
{
    KVP_CLEANUP(kvp_x509_facts_clear) kvp_x509_facts facts;
    kvp_error error = { .status = KVP_OK };
    const json_t *given;
    kvp_policy_use use;

    memset(&facts, 0, sizeof(facts));
    if (!kvp_member_object(ex, ex->json, "policy", &given))
        return;
    if (kvp_x509_read(bundle->certs[0].data, bundle->certs[0].len, &facts, &error) != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return;
    }
    json_t *policy = kvp_policy_of_import(ex, given, bundle->key, &facts, pem);
    if (policy && kvp_certificate_set_policy(ex, record, policy)) {
        KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record stored = { .row = 0 };
        kvp_policy_use_of(policy, &use);
        /* Read again: the policy of a name that was there has been made earlier. */
        if (!kvp_certificate_finish(ex, record, bundle, &use, NULL, false))
            ;
        else if (kvp_store_certificate_get(ex->daemon->store, &ex->daemon->vault, record->name,
                                           record->version, KVP_KEY_LIVE, &stored,
                                           &error) == KVP_OK)
            kvp_certificate_answer(ex, 200, &stored, true);
        else
            kvp_certificate_missing(ex, KVP_KEY_LIVE, &error);
    }
    json_decref(policy);
}

void kvp_certificates_import(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_certificate_record_clear) kvp_certificate_record record = { .row = 0 };
    KVP_CLEANUP(kvp_x509_bundle_clear) kvp_x509_bundle bundle;
    const char *value = NULL, *password = NULL;
    kvp_error error = { .status = KVP_OK };
    unsigned fields = 0;
    bool pem = false;

    memset(&bundle, 0, sizeof(bundle));
    if (!kvp_certificate_record_init(ex, &record) ||
        !kvp_certificate_read_common(ex, &record, &fields) ||
        !kvp_member_string(ex, ex->json, "value", true, &value) ||
        !kvp_member_string(ex, ex->json, "pwd", false, &password) ||
        (kvp_exchange_since(ex, "7.6-preview.1") &&
         !kvp_member_boolean(ex, ex->json, "preserveCertOrder", &record.preserve_order)) ||
        !name_is_free(ex))
        return;
    if (kvp_x509_import(value, strlen(value), password, record.preserve_order, &bundle, &pem,
                        &error) == KVP_OK)
        import(ex, &record, &bundle, pem);
    else if (error.status == KVP_ERR_INVALID)
        kvp_refuse(ex, KVP_REFUSE_CERTIFICATE, error.message);
    else
        kvp_exchange_failed(ex, &error);
}
