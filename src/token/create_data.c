/* SPDX-License-Identifier: MIT */
/*
 * Data objects that an application writes to the token (PKCS#11 v3.1 §5.7.1): secrets, their bytes
 * as they are where they are text, else base64 of them. record_kind.c makes data objects of
 * secrets.
 */
#include "base/alloc.h"
#include "jwk/base64url.h"
#include "token/create.h"
#include "token/new_secret.h"
#include "token/object_draft.h"
#include "token/object_store.h"
#include "token/template.h"

#include <string.h>

/* Text that a secret can hold as it is, lines and all. */
static bool is_plain_text(const uint8_t *data, size_t len)
{
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\n' && data[i] != '\r' && data[i] != '\t')
            continue;
        if (!kvp_text_is_valid(data + start, i - start))
            return false;
        start = i + 1;
    }
    return kvp_text_is_valid(data + start, len - start);
}

CK_RV kvp_data_encode(const void *data, size_t len, kvp_buf *ret_text, bool *ret_plain)
{
    kvp_status st;
    *ret_plain = is_plain_text(data, len);
    st = *ret_plain ? kvp_buf_set(ret_text, data, len) : kvp_base64_encode(data, len, ret_text);
    if (st != KVP_OK)
        return CKR_HOST_MEMORY;
    return ret_text->len > KVP_SECRET_MAX ? CKR_DEVICE_MEMORY : CKR_OK;
}

CK_RV kvp_token_data_create(kvp_call *call, kvp_session *session, kvp_template t,
                            CK_OBJECT_HANDLE *ret)
{
    const CK_ATTRIBUTE *value = kvp_template_find(t.attrs, t.count, CKA_VALUE);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf text = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf bytes = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    KVP_CLEANUP(kvp_secret_freep) kvp_secret *draft = NULL;
    kvp_secret *stored = NULL;
    kvp_record *record = NULL;
    bool plain;
    CK_RV rv = kvp_new_secret_place(call, session->slot, session->slot->config->secrets, "secrets");
    if (rv != CKR_OK)
        return rv;
    kvp_vault *vault = kvp_slot_vault(call, session->slot);
    if (!vault)
        return kvp_call_fail(call, KVP_CALL_CREATE);
    if (value && kvp_buf_set(&bytes, value->pValue, value->ulValueLen) != KVP_OK)
        return CKR_HOST_MEMORY;
    rv = kvp_data_encode(bytes.data, bytes.len, &text, &plain);
    if (rv != CKR_OK)
        return rv;
    const kvp_new_secret_order o = { .t = t,
                                     .content_type = plain ? NULL : KVP_TYPE_BYTES,
                                     .class_tag = plain ? NULL : KVP_CLASS_DATA,
                                     .value = kvp_buf_str(&text),
                                     .value_len = text.len };
    rv = kvp_new_secret_draft(&o, 0, &draft);
    if (rv == CKR_OK) {
        const kvp_view view = { .slot = session->slot,
                                .cls = CKO_DATA,
                                .entry = &draft->entry,
                                .value = &bytes,
                                .loaded = true };
        rv = kvp_draft_check_view(call, &view, t, false);
    }
    if (rv == CKR_OK)
        rv = kvp_new_secret_shown(call, session->slot, draft->name);
    int64_t start_ms = kvp_read_time_now().mono_ms;
    if (rv == CKR_OK)
        rv = kvp_new_secret(call, vault, &o, &draft, &stored);
    if (rv != CKR_OK)
        return rv;
    kvp_copy_printable(call->object_id, sizeof(call->object_id), stored->id);
    /* The store keeps no value of a secret's. */
    kvp_buf_clear(&stored->value);
    stored->has_value = false;
    if (kvp_store_put_item(session->slot->objects, &stored->entry, start_ms, &record) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_new_secret_handle(session, record, CKO_DATA, ret);
}
