/* SPDX-License-Identifier: MIT */
/* A row for each kind of record: what is shown of it, what its bundle holds, which objects it is.
 */
#include "jwk/base64url.h"
#include "token/record.h"

#include <string.h>

bool kvp_secret_is_certificate(const kvp_secret *secret)
{
    const char *cls = kvp_entry_tag(&secret->entry, KVP_TAG_CLASS);
    return cls && strcmp(cls, KVP_CLASS_CERTIFICATE) == 0 && secret->content_type &&
           strcmp(secret->content_type, KVP_TYPE_CERTIFICATE) == 0;
}

/* Data that is no text is kept as base64, and says so by the tag: somebody else's secret of that
 * type is shown as it is. */
static bool is_encoded_data(const kvp_secret *secret)
{
    const char *cls = kvp_entry_tag(&secret->entry, KVP_TAG_CLASS);
    return cls && strcmp(cls, KVP_CLASS_DATA) == 0 && secret->content_type &&
           strcmp(secret->content_type, KVP_TYPE_BYTES) == 0;
}

kvp_status kvp_secret_bytes(const kvp_secret *secret, kvp_buf *ret)
{
    if (!secret->has_value)
        return KVP_ERR_NOT_FOUND;
    if (kvp_secret_is_certificate(secret) || is_encoded_data(secret))
        return kvp_base64_decode(kvp_buf_str(&secret->value), secret->value.len, ret);
    return kvp_buf_append(ret, secret->value.data, secret->value.len);
}

static bool shows_key(const kvp_slot *slot, const kvp_entry *entry)
{
    return kvp_config_vault_shows(slot->config, entry->name);
}

static bool shows_certificate(const kvp_slot *slot, const kvp_entry *entry)
{
    return slot->config->certificates && kvp_config_vault_shows(slot->config, entry->name);
}

/* The secret behind a certificate holds its private key, and is nothing of its own. */
static bool shows_secret(const kvp_slot *slot, const kvp_entry *entry)
{
    bool wanted = kvp_secret_is_certificate((const kvp_secret *)entry) ? slot->config->certificates
                                                                       : slot->config->secrets;
    return wanted && !entry->managed && kvp_config_vault_shows(slot->config, entry->name);
}

/* A certificate that cannot be read stays without: no object is shown then. */
static kvp_status read_certificate(kvp_document *document, const void *der, size_t len)
{
    kvp_status st = kvp_cert_parse(der, len, &document->cert, NULL);
    return st == KVP_ERR_NO_MEMORY ? st : KVP_OK;
}

static kvp_status complete_certificate(kvp_document *document)
{
    const kvp_certificate *certificate = (const kvp_certificate *)document->entry;
    return read_certificate(document, certificate->der.data, certificate->der.len);
}

static kvp_status complete_secret(kvp_document *document)
{
    const kvp_secret *secret = (const kvp_secret *)document->entry;
    if (!kvp_secret_is_certificate(secret))
        return KVP_OK;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf der = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    kvp_status st = kvp_secret_bytes(secret, &der);
    if (st == KVP_OK)
        st = read_certificate(document, der.data, der.len);
    return st == KVP_ERR_NO_MEMORY ? st : KVP_OK;
}

/*
 * A list page does not tell the type of a key. On a vault all are RSA or EC, so the pair is there
 * at once; on a Managed HSM there is nothing to show before the bundle is read.
 */
static CK_OBJECT_CLASS classify_key(const kvp_slot *slot, const kvp_document *document)
{
    bool hsm = slot->config->managed_hsm;
    if (!document->loaded)
        return hsm ? CK_UNAVAILABLE_INFORMATION : CKO_PRIVATE_KEY;
    switch (document->key->kty) {
    case KVP_KTY_RSA:
    case KVP_KTY_EC:
        return CKO_PRIVATE_KEY;
    case KVP_KTY_OCT:
        return hsm ? CKO_SECRET_KEY : CK_UNAVAILABLE_INFORMATION;
    default:
        return CK_UNAVAILABLE_INFORMATION;
    }
}

static CK_OBJECT_CLASS classify_certificate(const kvp_slot *slot, const kvp_document *document)
{
    (void)slot;
    return document->loaded && !document->cert ? CK_UNAVAILABLE_INFORMATION : CKO_CERTIFICATE;
}

static CK_OBJECT_CLASS classify_secret(const kvp_slot *slot, const kvp_document *document)
{
    return kvp_secret_is_certificate((const kvp_secret *)document->entry)
               ? classify_certificate(slot, document)
               : CKO_DATA;
}

const kvp_record_kind_row kvp_record_kinds[KVP_RECORD_KIND_COUNT] = {
    [KVP_RECORD_KEY] = { shows_key, NULL, classify_key },
    [KVP_RECORD_CERTIFICATE] = { shows_certificate, complete_certificate, classify_certificate },
    [KVP_RECORD_SECRET] = { shows_secret, complete_secret, classify_secret },
    [KVP_RECORD_ISSUER] = { NULL, NULL, NULL },
    [KVP_RECORD_SESSION] = { NULL, NULL, NULL },
};
