/* SPDX-License-Identifier: MIT */
/* Writing templates into a vault key that is to be (object_draft.h). */
#include "base/alloc.h"
#include "jwk/base64url.h"
#include "token/object_draft.h"
#include "token/record.h"
#include "token/template.h"

#include <string.h>

#define DAY_SECONDS 86400

static void remove_tag(kvp_key *draft, const char *name)
{
    for (size_t i = 0; i < draft->tag_count; i++) {
        if (strcmp(draft->tags[i].name, name) != 0)
            continue;
        kvp_free(draft->tags[i].name);
        kvp_free(draft->tags[i].value);
        memmove(&draft->tags[i], &draft->tags[i + 1],
                (draft->tag_count - i - 1) * sizeof(*draft->tags));
        draft->tag_count--;
        return;
    }
}

kvp_status kvp_draft_set_tag(kvp_key *draft, const char *name, const char *value)
{
    remove_tag(draft, name);
    if (!value)
        return KVP_OK;
    kvp_tag *tags = kvp_realloc(draft->tags, (draft->tag_count + 1) * sizeof(*tags));
    if (!tags)
        return KVP_ERR_NO_MEMORY;
    draft->tags = tags;
    KVP_CLEANUP(kvp_freep) char *name_copy = kvp_strdup(name);
    KVP_CLEANUP(kvp_freep) char *value_copy = kvp_strdup(value);
    if (!name_copy || !value_copy)
        return KVP_ERR_NO_MEMORY;
    tags[draft->tag_count].name = KVP_STEAL(name_copy);
    tags[draft->tag_count].value = KVP_STEAL(value_copy);
    draft->tag_count++;
    return KVP_OK;
}

static bool is_name(const kvp_key *draft, const CK_ATTRIBUTE *attr)
{
    return draft->name && strlen(draft->name) == attr->ulValueLen &&
           memcmp(draft->name, attr->pValue, attr->ulValueLen) == 0;
}

static CK_RV put_tag(kvp_key *draft, const char *name, const char *value)
{
    return kvp_draft_set_tag(draft, name, value) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV apply_label(kvp_key *draft, const CK_ATTRIBUTE *attr)
{
    if (is_name(draft, attr))
        return put_tag(draft, KVP_TAG_LABEL, NULL);
    if (attr->ulValueLen == 0 || attr->ulValueLen > KVP_TAG_VALUE_MAX ||
        !kvp_text_is_valid(attr->pValue, attr->ulValueLen))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    KVP_CLEANUP(kvp_freep) char *value = kvp_strndup(attr->pValue, attr->ulValueLen);
    return value ? put_tag(draft, KVP_TAG_LABEL, value) : CKR_HOST_MEMORY;
}

static CK_RV apply_id(kvp_key *draft, const CK_ATTRIBUTE *attr)
{
    if (is_name(draft, attr) && attr->ulValueLen <= KVP_ID_MAX)
        return put_tag(draft, KVP_TAG_ID, NULL);
    KVP_CLEANUP(kvp_buf_clear) kvp_buf text = KVP_BUF_INIT(KVP_TAG_VALUE_MAX);
    if (attr->ulValueLen == 0)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    switch (kvp_base64url_encode(attr->pValue, attr->ulValueLen, &text)) {
    case KVP_OK:
        return put_tag(draft, KVP_TAG_ID, kvp_buf_str(&text));
    case KVP_ERR_TOO_LARGE:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    default:
        return CKR_HOST_MEMORY;
    }
}

/* A key is good from the first second of its start date to the last of its end date. */
static CK_RV apply_date(const CK_ATTRIBUTE *attr, int64_t end_of_day, int64_t *seconds)
{
    int64_t start;
    if (attr->ulValueLen == 0)
        return *seconds ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK; /* the service takes no date off */
    if (!kvp_date_parse(attr->pValue, attr->ulValueLen, &start))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *seconds = start + end_of_day;
    return *seconds > 0 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV kvp_draft_apply(kvp_key *draft, const CK_ATTRIBUTE *attr)
{
    switch (attr->type) {
    case CKA_LABEL:
        return apply_label(draft, attr);
    case CKA_ID:
        return apply_id(draft, attr);
    case CKA_START_DATE:
        return apply_date(attr, 0, &draft->attributes.not_before);
    case CKA_END_DATE:
        return apply_date(attr, DAY_SECONDS - 1, &draft->attributes.expires);
    default:
        return CKR_OK;
    }
}

void kvp_draft_usage(CK_OBJECT_CLASS cls, const CK_ATTRIBUTE *attrs, CK_ULONG count, uint32_t *on,
                     uint32_t *off)
{
    for (CK_ULONG i = 0; i < count; i++) {
        uint32_t op = kvp_usage_op(cls, attrs[i].type);
        if (!op)
            continue;
        if (kvp_template_bool(&attrs[i], 1, attrs[i].type, false))
            *on |= op;
        else
            *off |= op;
    }
}
