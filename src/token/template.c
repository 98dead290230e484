/* SPDX-License-Identifier: MIT */
/* Templates: finding, checking, comparing (PKCS#11 v3.1 §4.1). */
#include "token/template.h"

#include <string.h>

const CK_ATTRIBUTE *kvp_template_find(const CK_ATTRIBUTE *attrs, CK_ULONG count,
                                      CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (attrs[i].type == type)
            return &attrs[i];
    return NULL;
}

bool kvp_template_bool(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                       bool fallback)
{
    const CK_ATTRIBUTE *attr = kvp_template_find(attrs, count, type);
    if (!attr || !attr->pValue || attr->ulValueLen != sizeof(CK_BBOOL))
        return fallback;
    return *(const CK_BBOOL *)attr->pValue != CK_FALSE;
}

CK_ULONG kvp_template_ulong(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                            CK_ULONG fallback)
{
    const CK_ATTRIBUTE *attr = kvp_template_find(attrs, count, type);
    CK_ULONG value;
    if (!attr || !attr->pValue || attr->ulValueLen != sizeof(value))
        return fallback;
    memcpy(&value, attr->pValue, sizeof(value)); /* applications do not align it */
    return value;
}

CK_RV kvp_template_check_pointers(const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    if (!attrs && count)
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < count; i++)
        if ((!attrs[i].pValue && attrs[i].ulValueLen) ||
            attrs[i].ulValueLen == CK_UNAVAILABLE_INFORMATION)
            return CKR_ARGUMENTS_BAD;
    return CKR_OK;
}

bool kvp_text_is_valid(const void *text, size_t len)
{
    const unsigned char *p = text;
    size_t i = 0;
    while (i < len) {
        unsigned char c = p[i];
        size_t more;
        unsigned long point;
        if (c < 0x80) {
            if (c < 0x20 || c == 0x7f)
                return false;
            i++;
            continue;
        }
        if (c >= 0xc2 && c <= 0xdf) {
            more = 1;
            point = c & 0x1f;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2;
            point = c & 0x0f;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3;
            point = c & 0x07;
        } else {
            return false;
        }
        if (len - i <= more)
            return false;
        for (size_t k = 1; k <= more; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            point = point << 6 | (p[i + k] & 0x3f);
        }
        /* Overlong forms, surrogates, past the end of Unicode (RFC 3629 §3). */
        if ((more == 2 && point < 0x800) || (more == 3 && point < 0x10000) ||
            (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff)
            return false;
        i += more + 1;
    }
    return true;
}

static bool digits(const char *text, size_t len, int *ret)
{
    int value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return true;
}

bool kvp_date_parse(const void *date, size_t len, int64_t *ret_seconds)
{
    static const int days_before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
    const char *text = date;
    int year;
    int month;
    int day;
    if (!text || len != 8 || !digits(text, 4, &year) || !digits(text + 4, 2, &month) ||
        !digits(text + 6, 2, &day) || year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int last = days_before[month] - days_before[month - 1] + (month == 2 && leap);
    if (day > last)
        return false;
    /* Leap days in the years before @year, counted from year 1, less those before 1970. */
    int y = year - 1;
    int64_t days = (int64_t)(year - 1970) * 365 + (y / 4 - y / 100 + y / 400) - 477;
    days += days_before[month - 1] + (month > 2 && leap) + day - 1;
    *ret_seconds = days * 86400;
    return true;
}

static bool shape_is_valid(const kvp_attribute_row *row, const CK_ATTRIBUTE *attr)
{
    int64_t seconds;
    switch (row->kind) {
    case KVP_ATTRIBUTE_BOOL:
        return attr->ulValueLen == sizeof(CK_BBOOL);
    case KVP_ATTRIBUTE_ULONG:
        return attr->ulValueLen == sizeof(CK_ULONG);
    case KVP_ATTRIBUTE_NUMBER:
        return attr->ulValueLen > 0 && attr->ulValueLen <= 65536;
    case KVP_ATTRIBUTE_DATE:
        return attr->ulValueLen == 0 || kvp_date_parse(attr->pValue, attr->ulValueLen, &seconds);
    case KVP_ATTRIBUTE_ULONGS:
        return attr->ulValueLen % sizeof(CK_ULONG) == 0;
    case KVP_ATTRIBUTE_ATTRS:
        return attr->ulValueLen % sizeof(CK_ATTRIBUTE) == 0;
    case KVP_ATTRIBUTE_TEXT:
        /* Applications pass what they like; what a tag can hold is checked where one is made. */
    case KVP_ATTRIBUTE_BYTES:
        return attr->ulValueLen <= KVP_BUF_MAX_DEFAULT / 4;
    }
    return false;
}

static bool is_repeated(const CK_ATTRIBUTE *attrs, CK_ULONG at)
{
    for (CK_ULONG i = 0; i < at; i++)
        if (attrs[i].type == attrs[at].type &&
            (attrs[i].ulValueLen != attrs[at].ulValueLen ||
             (attrs[i].ulValueLen &&
              memcmp(attrs[i].pValue, attrs[at].pValue, attrs[i].ulValueLen) != 0)))
            return true;
    return false;
}

CK_RV kvp_template_check(const CK_ATTRIBUTE *attrs, CK_ULONG count, unsigned who, unsigned may,
                         unsigned must)
{
    CK_RV rv = kvp_template_check_pointers(attrs, count);
    if (rv != CKR_OK)
        return rv;
    for (CK_ULONG i = 0; i < count; i++)
        if (!kvp_attribute_row_find(attrs[i].type, KVP_IS_ANY))
            return CKR_ATTRIBUTE_TYPE_INVALID;
    for (CK_ULONG i = 0; i < count; i++)
        if (!shape_is_valid(kvp_attribute_row_find(attrs[i].type, KVP_IS_ANY), &attrs[i]))
            return CKR_ATTRIBUTE_VALUE_INVALID;
    for (CK_ULONG i = 0; i < count; i++) {
        const kvp_attribute_row *row = kvp_attribute_row_find(attrs[i].type, who);
        if (row && !(row->flags & may))
            return CKR_ATTRIBUTE_READ_ONLY;
    }
    for (CK_ULONG i = 0; i < count; i++)
        if (!kvp_attribute_row_find(attrs[i].type, who) || is_repeated(attrs, i))
            return CKR_TEMPLATE_INCONSISTENT;
    for (size_t i = 0; must && i < kvp_attribute_row_count; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        if ((row->who & who) && (row->flags & must) && !kvp_template_find(attrs, count, row->type))
            return CKR_TEMPLATE_INCOMPLETE;
    }
    return CKR_OK;
}

static void skip_zeros(const uint8_t **data, size_t *len)
{
    while (*len > 0 && **data == 0) {
        (*data)++;
        (*len)--;
    }
}

static bool value_matches(const kvp_attribute_row *row, const CK_ATTRIBUTE *attr,
                          const kvp_buf *value)
{
    const uint8_t *wanted = attr->pValue;
    size_t wanted_len = attr->ulValueLen;
    const uint8_t *have = value->data;
    size_t have_len = value->len;
    if (row->kind == KVP_ATTRIBUTE_BOOL && wanted_len == 1 && have_len == 1)
        return (*wanted != CK_FALSE) == (*have != CK_FALSE);
    if (row->kind == KVP_ATTRIBUTE_NUMBER) {
        skip_zeros(&wanted, &wanted_len);
        skip_zeros(&have, &have_len);
    }
    return have_len == wanted_len && (have_len == 0 || memcmp(have, wanted, have_len) == 0);
}

bool kvp_attribute_matches(const kvp_view *view, const CK_ATTRIBUTE *attr)
{
    const kvp_attribute_row *row = kvp_attribute_row_find(attr->type, kvp_view_who(view));
    KVP_CLEANUP(kvp_buf_clear) kvp_buf large = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    /* Room of its own for most, as much as the maximum needs: want of memory is no difference. */
    uint8_t room[512];
    kvp_buf value = { room, 0, sizeof(room), sizeof(room) - 1, true };
    kvp_status st = row ? kvp_attribute_get(view, attr->type, &value) : KVP_ERR_NOT_FOUND;
    if (st == KVP_ERR_TOO_LARGE || st == KVP_ERR_NO_MEMORY) {
        st = kvp_attribute_get(view, attr->type, &large);
        value = large;
    }
    bool matches = st == KVP_OK && value_matches(row, attr, &value);
    kvp_wipe(room, sizeof(room));
    return matches;
}

bool kvp_template_matches(const kvp_view *view, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (!kvp_attribute_matches(view, &attrs[i]))
            return false;
    return true;
}
