/* SPDX-License-Identifier: MIT */
/*
 * Backups of secrets and certificates in the service's form: a length byte, the format's name, then
 * base64url text of what only this vault's storage key opens (wire reference, section 4, backup).
 */
#include "vaultd/secret_doc.h"

#include "jwk/base64url.h"

#include <string.h>

typedef struct backup_form {
    const char *format;
    const char *place; /* what the sealed text is bound to */
} backup_form;

/* Certificates carry the name that keys have (recorded). */
static const backup_form forms[KVP_OBJECT_KIND_COUNT] = {
    [KVP_OBJECT_KEY] = { "AzureKeyVaultKeyBackupV1.microsoft.com", "backup/key" },
    [KVP_OBJECT_SECRET] = { "AzureKeyVaultSecretBackupV1.microsoft.com", "backup/secret" },
    [KVP_OBJECT_CERTIFICATE] = { "AzureKeyVaultKeyBackupV1.microsoft.com", "backup/certificate" },
};

static kvp_status write_blob(kvp_exchange *ex, kvp_object_kind kind, const json_t *document,
                             kvp_buf *ret, kvp_error *reterr)
{
    kvp_buf text = KVP_BUF_INIT_SECRET(0), sealed = KVP_BUF_INIT(0);
    const backup_form *form = &forms[kind];
    uint8_t len = (uint8_t)strlen(form->format);
    kvp_status status = kvp_json_write(document, false, &text);

    if (status == KVP_OK)
        status =
            kvp_store_seal(ex->daemon->store, form->place, text.data, text.len, &sealed, reterr);
    if (status == KVP_OK)
        status = kvp_buf_append(ret, &len, 1);
    if (status == KVP_OK)
        status = kvp_buf_append_str(ret, form->format);
    if (status == KVP_OK)
        status = kvp_base64url_encode(sealed.data, sealed.len, ret);
    kvp_buf_clear(&text);
    kvp_buf_clear(&sealed);
    if (status != KVP_OK && reterr->status == KVP_OK)
        kvp_error_set(reterr, status, "backup");
    return status;
}

void kvp_backup_answer(kvp_exchange *ex, kvp_object_kind kind, json_t *document)
{
    kvp_buf blob = KVP_BUF_INIT(KVP_BACKUP_MAX);
    kvp_error error = { .status = KVP_OK };

    if (!document)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    else if (write_blob(ex, kind, document, &blob, &error) == KVP_ERR_TOO_LARGE)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_SIZE);
    else if (error.status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        kvp_exchange_reply_take(
            ex, 200, json_pack("{s:o}", "value", kvp_json_base64url(blob.data, blob.len)));
    json_decref(document);
    kvp_buf_clear(&blob);
}

/* The document in @blob behind its name; NULL after refusing. */
static json_t *open_blob(kvp_exchange *ex, kvp_object_kind kind, const kvp_buf *blob)
{
    size_t head = 1 + strlen(forms[kind].format);
    kvp_buf sealed = KVP_BUF_INIT(0), text = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { .status = KVP_OK };
    json_t *document = NULL;
    kvp_status status =
        kvp_base64url_decode((const char *)blob->data + head, blob->len - head, &sealed);

    if (status == KVP_OK)
        status = kvp_store_unseal(ex->daemon->store, forms[kind].place, sealed.data, sealed.len,
                                  &text, &error);
    if (status == KVP_OK)
        document = json_loadb(kvp_buf_str(&text), text.len, 0, NULL);
    if (status == KVP_ERR_NO_MEMORY)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    else if (!json_is_object(document)) {
        kvp_refuse(ex, KVP_REFUSE_BACKUP_CORRUPT);
        json_decref(document);
        document = NULL;
    }
    kvp_buf_clear(&sealed);
    kvp_buf_clear(&text);
    return document;
}

json_t *kvp_backup_read(kvp_exchange *ex, kvp_object_kind kind)
{
    kvp_buf blob = KVP_BUF_INIT(0);
    size_t len = strlen(forms[kind].format);
    json_t *document = NULL;

    if (!kvp_member_bytes(ex, ex->json, "value", true, &blob))
        return NULL;
    if (blob.len <= len || blob.data[0] != len ||
        memcmp(blob.data + 1, forms[kind].format, len) != 0)
        kvp_refuse(ex, KVP_REFUSE_BACKUP_VERSION);
    else
        document = open_blob(ex, kind, &blob);
    kvp_buf_clear(&blob);
    return document;
}
