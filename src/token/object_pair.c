/* SPDX-License-Identifier: MIT */
/*
 * Keys and their certificates: a key says the subject of its certificate (CKA_SUBJECT) once both
 * are known. That of the vault has the name and version of its key; one that is kept as a secret is
 * found by the public key in it. Set once: neither changes for a version.
 */
#include "base/alloc.h"
#include "token/object_store.h"

static void join(kvp_document *key, const kvp_cert *cert)
{
    if (atomic_load(&key->subject))
        return;
    kvp_buf *subject = kvp_calloc(1, sizeof(*subject));
    if (!subject)
        return; /* the attribute stays empty, as it may */
    if (kvp_buf_set(subject, cert->subject.data, cert->subject.len) == KVP_OK)
        atomic_store(&key->subject, subject);
    else
        kvp_free(subject);
}

static void join_by_version(kvp_document *key, const kvp_document *certificate)
{
    if (key->loaded && certificate->cert &&
        kvp_name_compare(key->entry->version, certificate->entry->version) == 0)
        join(key, certificate->cert);
}

static void join_by_key(kvp_document *key, const kvp_document *secret)
{
    if (key->loaded && secret->cert && kvp_cert_has_key(secret->cert, key->key))
        join(key, secret->cert);
}

void kvp_record_pair_locked(kvp_object_store *store, kvp_record *record)
{
    kvp_document *document = kvp_record_document(record);
    const kvp_shelf *keys = &store->shelves[KVP_KEYS];
    const kvp_shelf *secrets = &store->shelves[KVP_SECRETS];
    kvp_record *other = NULL;

    switch (record->kind) {
    case KVP_RECORD_KEY:
        other = kvp_store_current_locked(store, KVP_CERTIFICATES, record->name);
        if (other)
            join_by_version(document, kvp_record_document(other));
        for (size_t i = 0; i < secrets->count; i++)
            join_by_key(document, kvp_record_document(secrets->records[i]));
        break;
    case KVP_RECORD_CERTIFICATE:
        other = kvp_store_current_locked(store, KVP_KEYS, record->name);
        if (other)
            join_by_version(kvp_record_document(other), document);
        break;
    case KVP_RECORD_SECRET:
        for (size_t i = 0; document->cert && i < keys->count; i++)
            join_by_key(kvp_record_document(keys->records[i]), document);
        break;
    default:
        break;
    }
}
