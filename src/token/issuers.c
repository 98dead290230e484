/* SPDX-License-Identifier: MIT */
/*
 * Issuers: certificates that came with those of the vault, out of the secrets behind them or out of
 * a file, so that applications can build a chain. Each is an object once, whoever brought it.
 *
 * A secret may hold the certificate's private key, which must never come here unasked. So `auto`
 * reads one only if the policy says that the key is not exportable, and has said so since before
 * that version was made: the secret then holds certificates alone (wire reference, section 6).
 */
#include "base/alloc.h"
#include "jwk/base64url.h"
#include "token/object_store.h"

#include <stdio.h>
#include <string.h>

#define TYPE_PFX "application/x-pkcs12"
#define TYPE_PEM "application/x-pem-file"
/** Secrets that are read for issuers at most, one after another, to find one that has them. */
#define ROUNDS 3

static bool holds_no_key(const kvp_certificate *certificate)
{
    return certificate->has_policy && !certificate->exportable &&
           certificate->policy_updated != 0 &&
           certificate->policy_updated <= certificate->attributes.created;
}

static const kvp_cert *cert_of(const kvp_record *record)
{
    return kvp_record_document(record)->cert;
}

/* Takes @cert, unless it is there already. */
static kvp_status add_issuer(kvp_object_store *store, kvp_cert *cert)
{
    kvp_document *document = kvp_document_new(NULL, true);
    if (document)
        document->cert = cert;
    else
        kvp_cert_free(cert);
    kvp_record *record = document ? kvp_record_new(store, KVP_RECORD_ISSUER, NULL, document) : NULL;
    if (!record)
        return KVP_ERR_NO_MEMORY;
    record->object_count = 1;
    record->objects[0].record = record;
    record->objects[0].cls = CKO_CERTIFICATE;
    kvp_lock_take(&store->lock);
    kvp_record *known = store->issuers;
    while (known && !kvp_cert_equal(cert_of(known), cert))
        known = known->next;
    if (!known)
        kvp_record_link_locked(&store->issuers, record);
    kvp_lock_give(&store->lock);
    if (known)
        kvp_record_free(record);
    return KVP_OK;
}

/* Empties @list. */
static kvp_status add_issuers(kvp_object_store *store, kvp_cert_list *list)
{
    kvp_status st = KVP_OK;
    for (size_t i = 0; i < list->count && st == KVP_OK; i++)
        st = add_issuer(store, KVP_STEAL(list->items[i]));
    kvp_cert_list_clear(list);
    return st;
}

/* ---- from a file ---- */

static CK_RV read_file(kvp_call *call, kvp_object_store *store)
{
    kvp_lock_take(&store->lock);
    bool read = store->chain_file_read;
    store->chain_file_read = true;
    kvp_lock_give(&store->lock);
    if (read)
        return CKR_OK;
    kvp_cert_list list = { NULL, 0, 0 };
    kvp_error error = { .status = KVP_OK };
    kvp_status st = kvp_certs_from_file(store->slot->config->chain_file, &list, &error);
    if (st != KVP_OK && st != KVP_ERR_NO_MEMORY) {
        snprintf(call->note, sizeof(call->note), "chain: no issuers are shown: %.160s",
                 error.message);
        st = KVP_OK;
    }
    if (st == KVP_OK)
        st = add_issuers(store, &list);
    kvp_cert_list_clear(&list);
    return st == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

/* ---- from secrets ---- */

static kvp_status parse_secret(const kvp_secret *secret, kvp_cert_list *list)
{
    const char *type = secret->content_type ? secret->content_type : "";
    if (!secret->has_value)
        return KVP_OK;
    if (strcmp(type, TYPE_PEM) == 0)
        return kvp_certs_from_pem(secret->value.data, secret->value.len, list, NULL);
    if (strcmp(type, TYPE_PFX) != 0)
        return KVP_OK;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf pfx = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    kvp_status st = kvp_base64_decode(kvp_buf_str(&secret->value), secret->value.len, &pfx);
    return st == KVP_OK ? kvp_certs_from_pfx(pfx.data, pfx.len, list, NULL) : st;
}

/* The certificates of a secret but @leaf. What cannot be read brings none. */
static kvp_status take_secret(kvp_object_store *store, const kvp_secret *secret,
                              const kvp_cert *leaf)
{
    kvp_cert_list list = { NULL, 0, 0 };
    kvp_status st = parse_secret(secret, &list);
    for (size_t i = 0; i < list.count;) {
        if (!kvp_cert_equal(list.items[i], leaf)) {
            i++;
            continue;
        }
        kvp_cert_free(list.items[i]);
        list.items[i] = list.items[--list.count];
    }
    if (st != KVP_ERR_NO_MEMORY)
        st = add_issuers(store, &list);
    kvp_cert_list_clear(&list);
    return st;
}

static bool has_issuer(const kvp_cert *cert, const kvp_record_list *certificates,
                       const kvp_record_list *issuers)
{
    for (size_t i = 0; i < certificates->count; i++)
        if (cert_of(certificates->items[i]) &&
            kvp_cert_names_issuer(cert, cert_of(certificates->items[i])))
            return true;
    for (size_t i = 0; i < issuers->count; i++)
        if (kvp_cert_names_issuer(cert, cert_of(issuers->items[i])))
            return true;
    return false;
}

static bool same_issuer(const kvp_cert *a, const kvp_cert *b)
{
    return a->issuer.len == b->issuer.len &&
           memcmp(a->issuer.data, b->issuer.data, a->issuer.len) == 0 &&
           a->authority_key_id.len == b->authority_key_id.len &&
           (a->authority_key_id.len == 0 ||
            memcmp(a->authority_key_id.data, b->authority_key_id.data, a->authority_key_id.len) ==
                0);
}

static bool may_ask(const kvp_object_store *store, const kvp_record *record)
{
    const kvp_document *document = kvp_record_document(record);
    if (record->kind != KVP_RECORD_CERTIFICATE || !document->cert || document->cert->self_issued ||
        atomic_load(&document->chain_read))
        return false;
    return store->slot->config->chain == KVP_CHAIN_SECRET ||
           holds_no_key((const kvp_certificate *)document->entry);
}

/* Those whose secret is to be read now: one for each issuer that is not there yet. */
static kvp_status choose(kvp_object_store *store, const kvp_record_list *certificates,
                         kvp_record_list *ret)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list issuers = { 0 };
    kvp_status st = kvp_store_snapshot(store, KVP_SNAPSHOT_ISSUERS, &issuers);
    for (size_t i = 0; i < certificates->count && st == KVP_OK; i++) {
        kvp_record *record = certificates->items[i];
        if (!may_ask(store, record) || has_issuer(cert_of(record), certificates, &issuers))
            continue;
        bool chosen = false;
        for (size_t k = 0; k < ret->count && !chosen; k++)
            chosen = same_issuer(cert_of(ret->items[k]), cert_of(record));
        if (chosen)
            continue;
        kvp_lock_take(&store->lock);
        st = kvp_record_list_add_locked(ret, record);
        kvp_lock_give(&store->lock);
    }
    return st;
}

static CK_RV read_secrets(kvp_call *call, kvp_object_store *store, const kvp_record_list *chosen)
{
    kvp_vault *vault = kvp_slot_vault(call, store->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    KVP_CLEANUP(kvp_freep) kvp_vault_read *reads = kvp_calloc(chosen->count, sizeof(*reads));
    if (!reads)
        return CKR_HOST_MEMORY;
    for (size_t i = 0; i < chosen->count; i++)
        reads[i] = (kvp_vault_read){ KVP_SECRETS, chosen->items[i]->name,
                                     kvp_record_document(chosen->items[i])->entry->version, NULL };
    call->remote = true;
    if (kvp_vault_get_many(vault, reads, chosen->count, &call->trace, &call->error) != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_TOKEN);
    if (chosen->count == 1 && reads[0].result)
        kvp_copy_printable(call->object_id, sizeof(call->object_id), reads[0].result->id);
    kvp_status st = KVP_OK;
    for (size_t i = 0; i < chosen->count; i++) {
        kvp_document *document = kvp_record_document(chosen->items[i]);
        if (reads[i].result && st == KVP_OK)
            st = take_secret(store, (const kvp_secret *)reads[i].result, document->cert);
        kvp_entry_free(reads[i].result);
        atomic_store(&document->chain_read, true);
    }
    return st == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV kvp_issuers_load(kvp_call *call, kvp_object_store *store, const kvp_record_list *certificates)
{
    kvp_chain_kind chain = store->slot->config->chain;
    if (chain == KVP_CHAIN_NONE)
        return CKR_OK;
    if (chain == KVP_CHAIN_FILE)
        return read_file(call, store);
    for (int round = 0; round < ROUNDS; round++) {
        KVP_CLEANUP(kvp_record_list_clear) kvp_record_list chosen = { 0 };
        if (choose(store, certificates, &chosen) != KVP_OK)
            return CKR_HOST_MEMORY;
        if (chosen.count == 0)
            return CKR_OK;
        CK_RV rv = read_secrets(call, store, &chosen);
        if (rv != CKR_OK)
            return rv;
    }
    return CKR_OK;
}

/* ---- which of them matter ---- */

static bool is_one_of(const kvp_cert *cert, const kvp_record_list *records)
{
    for (size_t i = 0; i < records->count; i++)
        if (cert_of(records->items[i]) && kvp_cert_equal(cert_of(records->items[i]), cert))
            return true;
    return false;
}

static bool is_named_by(const kvp_cert *issuer, const kvp_record_list *records)
{
    for (size_t i = 0; i < records->count; i++)
        if (cert_of(records->items[i]) && kvp_cert_names_issuer(cert_of(records->items[i]), issuer))
            return true;
    return false;
}

kvp_status kvp_issuers_of(kvp_object_store *store, const kvp_record_list *certificates,
                          kvp_record_list *ret)
{
    KVP_CLEANUP(kvp_record_list_clear) kvp_record_list all = { 0 };
    kvp_status st = kvp_store_snapshot(store, KVP_SNAPSHOT_ISSUERS, &all);
    bool more = true;
    while (more && st == KVP_OK) {
        more = false;
        for (size_t i = 0; i < all.count && st == KVP_OK; i++) {
            const kvp_cert *cert = cert_of(all.items[i]);
            if (is_one_of(cert, ret) || is_one_of(cert, certificates) ||
                (!is_named_by(cert, certificates) && !is_named_by(cert, ret)))
                continue;
            kvp_lock_take(&store->lock);
            st = kvp_record_list_add_locked(ret, all.items[i]);
            kvp_lock_give(&store->lock);
            more = true;
        }
    }
    return st;
}
