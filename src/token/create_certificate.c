/* SPDX-License-Identifier: MIT */
/*
 * Certificates that an application writes to the token (PKCS#11 v3.1 §5.7.1).
 *
 * One whose key waits for it in the vault, as that of a pending certificate operation, finishes
 * that operation. For any other the service has no place, as it takes a certificate with its
 * private key only: it becomes a secret that says by tags that it is a certificate, and by its
 * CKA_ID which key it is for. It is shown again by what record_kind.c makes of secrets.
 */
#include "base/alloc.h"
#include "jwk/base64url.h"
#include "token/create.h"
#include "token/new_secret.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

#define CANDIDATES 8

/* What the view of a certificate says in other words than some clients: SunPKCS11 writes serial
 * numbers without their DER header; a category or a checksum may be left open. */
static bool is_other_words(const CK_ATTRIBUTE *attr, const kvp_cert *cert)
{
    switch (attr->type) {
    case CKA_SERIAL_NUMBER:
        return cert->serial.len == attr->ulValueLen + 2 &&
               memcmp(cert->serial.data + 2, attr->pValue, attr->ulValueLen) == 0;
    case CKA_CERTIFICATE_CATEGORY:
        return kvp_template_ulong(attr, 1, attr->type, 1) == CK_CERTIFICATE_CATEGORY_UNSPECIFIED;
    case CKA_CHECK_VALUE:
        return attr->ulValueLen == 0;
    default:
        return false;
    }
}

static CK_RV check_certificate(kvp_call *call, const kvp_slot *slot, kvp_template t,
                               const kvp_entry *draft, const kvp_cert *cert)
{
    const kvp_view view = {
        .slot = slot, .cls = CKO_CERTIFICATE, .entry = draft, .cert = cert, .loaded = true
    };
    KVP_CLEANUP(kvp_freep) CK_ATTRIBUTE *rest = kvp_calloc(t.count + 1, sizeof(*rest));
    kvp_template left = { rest, 0 };
    if (!rest)
        return CKR_HOST_MEMORY;
    for (CK_ULONG i = 0; i < t.count; i++)
        if (!is_other_words(&t.attrs[i], cert))
            rest[left.count++] = t.attrs[i];
    return kvp_draft_check_view(call, &view, left, false);
}

CK_RV kvp_template_certificate(kvp_template t, kvp_cert **ret)
{
    const CK_ATTRIBUTE *value = kvp_template_find(t.attrs, t.count, CKA_VALUE);
    const CK_ATTRIBUTE *subject = kvp_template_find(t.attrs, t.count, CKA_SUBJECT);
    KVP_CLEANUP(kvp_cert_freep) kvp_cert *cert = NULL;
    if (kvp_template_ulong(t.attrs, t.count, CKA_CERTIFICATE_TYPE, CK_UNAVAILABLE_INFORMATION) !=
        CKC_X_509)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    switch (kvp_cert_parse(value->pValue, value->ulValueLen, &cert, NULL)) {
    case KVP_OK:
        break;
    case KVP_ERR_NO_MEMORY:
        return CKR_HOST_MEMORY;
    default:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (subject->ulValueLen != cert->subject.len ||
        memcmp(subject->pValue, cert->subject.data, cert->subject.len) != 0)
        return CKR_TEMPLATE_INCONSISTENT;
    *ret = KVP_STEAL(cert);
    return CKR_OK;
}

/* Names of certificates that may wait for this one: those of managed keys with its CKA_ID; where no
 * key has it, those that id and label can mean, as a pending certificate's key need not be shown.
 */
typedef struct candidates {
    char names[CANDIDATES][KVP_NAME_MAX + 1];
    size_t count;
} candidates;

static void add_candidate(candidates *c, const void *name, size_t len)
{
    if (c->count == CANDIDATES || !kvp_name_is_valid(name, len))
        return;
    memcpy(c->names[c->count], name, len);
    c->names[c->count][len] = '\0';
    for (size_t i = 0; i < c->count; i++)
        if (kvp_name_compare(c->names[i], c->names[c->count]) == 0)
            return;
    c->count++;
}

static CK_RV find_candidates(kvp_call *call, kvp_session *session, kvp_template t, candidates *c)
{
    static CK_OBJECT_CLASS cls = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE *id = kvp_template_find(t.attrs, t.count, CKA_ID);
    const CK_ATTRIBUTE *label = kvp_template_find(t.attrs, t.count, CKA_LABEL);
    CK_OBJECT_HANDLE handles[CANDIDATES];
    size_t count = 0;
    if (kvp_attribute_is_given(id)) {
        const CK_ATTRIBUTE wanted[] = { { CKA_CLASS, &cls, sizeof(cls) }, *id };
        CK_RV rv = kvp_find_handles(call, session, wanted, 2, handles, CANDIDATES, &count);
        if (rv != CKR_OK)
            return rv;
    }
    for (size_t i = 0; i < count; i++) {
        KVP_CLEANUP(kvp_object_unrefp) kvp_object *object = NULL;
        kvp_view view;
        if (kvp_object_get(session, handles[i], &object) != CKR_OK)
            continue; /* destroyed meanwhile */
        kvp_object_view(object, &view);
        if (view.entry && view.entry->managed)
            add_candidate(c, view.entry->name, strlen(view.entry->name));
    }
    if (count)
        return CKR_OK;
    if (kvp_attribute_is_given(id))
        add_candidate(c, id->pValue, id->ulValueLen);
    if (kvp_attribute_is_given(label))
        add_candidate(c, label->pValue, label->ulValueLen);
    return CKR_OK;
}

static bool contains(const kvp_buf *whole, const kvp_buf *part)
{
    for (size_t at = 0; part->len && at + part->len <= whole->len; at++)
        if (memcmp(whole->data + at, part->data, part->len) == 0)
            return true;
    return false;
}

/* Whether the certificate of @name waits for @cert: it was asked for with the same public key. */
static CK_RV is_waiting(kvp_call *call, kvp_vault *vault, const char *name, const kvp_cert *cert,
                        bool *ret)
{
    kvp_certificate_pending pending = { .in_progress = false };
    call->remote = true;
    kvp_status st =
        kvp_vault_certificate_pending(vault, name, &call->trace, &pending, &call->error);
    *ret = false;
    if (st == KVP_ERR_HTTP && (call->error.http_status == 404 || call->error.http_status == 403)) {
        kvp_error_clear(&call->error); /* none, or none of ours */
        return CKR_OK;
    }
    if (st != KVP_OK)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    /* A PKCS#10 request holds its SubjectPublicKeyInfo as it is (RFC 2986 §4.1). */
    *ret = pending.in_progress && contains(&pending.csr, &cert->spki);
    kvp_certificate_pending_clear(&pending);
    return CKR_OK;
}

/* The key that had been waiting may be used now, and was not shown before. That it cannot be read
 * is no failure of what was asked: the next listing will try again. */
static void show_key(kvp_call *call, kvp_object_store *store, kvp_vault *vault, const char *name)
{
    kvp_read_time when = kvp_read_time_now();
    kvp_record *record = NULL;
    kvp_key *key = NULL;
    if (kvp_vault_key_get(vault, name, NULL, &call->trace, &key, &call->error) == KVP_OK)
        (void)!kvp_store_put(store, &key->entry, true, when, &record);
    kvp_record_unpin(record);
    kvp_error_clear(&call->error);
}

static CK_RV merge(kvp_call *call, kvp_session *session, kvp_vault *vault, const char *name,
                   kvp_template t, const kvp_cert *cert, CK_OBJECT_HANDLE *ret)
{
    static const CK_ATTRIBUTE_TYPE kept[] = { CKA_LABEL, CKA_ID };
    KVP_CLEANUP(kvp_certificate_freep)
    kvp_certificate *draft = kvp_calloc(1, sizeof(*draft));
    kvp_certificate *merged = NULL;
    kvp_record *record = NULL;
    CK_RV rv = CKR_OK;
    if (!draft || !(draft->name = kvp_strdup(name)))
        return CKR_HOST_MEMORY;
    draft->collection = KVP_CERTIFICATES;
    for (size_t i = 0; i < KVP_ARRAY_LEN(kept) && rv == CKR_OK; i++) {
        const CK_ATTRIBUTE *attr = kvp_template_find(t.attrs, t.count, kept[i]);
        if (kvp_attribute_is_given(attr))
            rv = kvp_draft_apply(&draft->entry, attr);
    }
    if (rv == CKR_OK)
        rv = check_certificate(call, session->slot, t, &draft->entry, cert);
    if (rv != CKR_OK)
        return rv;
    const kvp_certificate_merge request = {
        .chain = &cert->der, .count = 1, .tags = draft->tags, .tag_count = draft->tag_count
    };
    kvp_read_time when = kvp_read_time_now();
    if (kvp_vault_certificate_merge(vault, name, &request, &call->trace, &merged, &call->error) !=
        KVP_OK)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    kvp_copy_printable(call->object_id, sizeof(call->object_id), merged->id);
    if (kvp_store_put(session->slot->objects, &merged->entry, true, when, &record) != KVP_OK)
        return CKR_HOST_MEMORY;
    show_key(call, session->slot->objects, vault, name);
    return kvp_new_secret_handle(session, record, CKO_CERTIFICATE, ret);
}

static CK_RV store_certificate(kvp_call *call, kvp_session *session, kvp_vault *vault,
                               const kvp_new_secret_order *o, kvp_secret **draft,
                               CK_OBJECT_HANDLE *ret)
{
    kvp_secret *stored = NULL;
    kvp_record *record = NULL;
    kvp_read_time when = kvp_read_time_now();
    CK_RV rv = kvp_new_secret(call, vault, o, draft, &stored);
    if (rv != CKR_OK)
        return rv;
    kvp_copy_printable(call->object_id, sizeof(call->object_id), stored->id);
    if (kvp_store_put(session->slot->objects, &stored->entry, true, when, &record) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_new_secret_handle(session, record, CKO_CERTIFICATE, ret);
}

/* Into the operation that waits for it, else into a secret. */
static CK_RV place_certificate(kvp_call *call, kvp_session *session, const kvp_new_secret_order *o,
                               const kvp_cert *cert, kvp_secret **draft, CK_OBJECT_HANDLE *ret)
{
    candidates waiting = { .count = 0 };
    kvp_vault *vault = kvp_slot_vault(call, session->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    CK_RV rv = find_candidates(call, session, o->t, &waiting);
    for (size_t i = 0; i < waiting.count && rv == CKR_OK; i++) {
        bool match = false;
        rv = is_waiting(call, vault, waiting.names[i], cert, &match);
        if (rv == CKR_OK && match)
            return merge(call, session, vault, waiting.names[i], o->t, cert, ret);
    }
    return rv == CKR_OK ? store_certificate(call, session, vault, o, draft, ret) : rv;
}

CK_RV kvp_token_certificate_create(kvp_call *call, kvp_session *session, kvp_template t,
                                   CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_cert_freep) kvp_cert *cert = NULL;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf text = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT);
    KVP_CLEANUP(kvp_secret_freep) kvp_secret *draft = NULL;
    const kvp_slot *slot = session->slot;
    CK_RV rv = kvp_template_certificate(t, &cert);
    if (rv == CKR_OK)
        rv = kvp_new_secret_place(call, slot, slot->config->certificates, "certificates");
    if (rv != CKR_OK)
        return rv;
    if (kvp_base64_encode(cert->der.data, cert->der.len, &text) != KVP_OK)
        return CKR_HOST_MEMORY;
    if (text.len > KVP_SECRET_MAX)
        return CKR_DEVICE_MEMORY;
    const kvp_new_secret_order o = { .t = t,
                                     .hint = &cert->common_name,
                                     .content_type = KVP_TYPE_CERTIFICATE,
                                     .class_tag = KVP_CLASS_CERTIFICATE,
                                     .value = kvp_buf_str(&text),
                                     .value_len = text.len };
    rv = kvp_new_secret_draft(&o, 0, &draft);
    if (rv == CKR_OK)
        rv = check_certificate(call, slot, t, &draft->entry, cert);
    if (rv == CKR_OK)
        rv = kvp_new_secret_shown(call, slot, draft->name);
    return rv == CKR_OK ? place_certificate(call, session, &o, cert, &draft, ret) : rv;
}
