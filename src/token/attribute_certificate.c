/* SPDX-License-Identifier: MIT */
/* What certificates and data objects of the token answer to an attribute (PKCS#11 v3.1 §4.5, §4.6).
 */
#include "base/clock.h"
#include "jwk/base64url.h"
#include "token/record.h"

#include <string.h>

#define CHECK_VALUE_LEN 3 /* §4.6.2 */

static kvp_status put_ulong(CK_ULONG value, kvp_buf *ret)
{
    return kvp_buf_append(ret, &value, sizeof(value));
}

kvp_status kvp_get_certificate_type(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    return put_ulong(CKC_X_509, ret);
}

/* A vault has the key of each of its own certificates: they are the user's, if no authority's. */
kvp_status kvp_get_certificate_category(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (view->set)
        return put_ulong(CK_CERTIFICATE_CATEGORY_UNSPECIFIED, ret);
    if (!view->cert)
        return KVP_ERR_NOT_FOUND;
    return put_ulong(!view->entry || view->cert->ca ? CK_CERTIFICATE_CATEGORY_AUTHORITY
                                                    : CK_CERTIFICATE_CATEGORY_TOKEN_USER,
                     ret);
}

kvp_status kvp_get_certificate_part(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    const kvp_cert *cert = view->cert;
    if (!cert)
        return KVP_ERR_NOT_FOUND;
    const kvp_buf *part = &cert->der;
    switch (type) {
    case CKA_SUBJECT:
        part = &cert->subject;
        break;
    case CKA_ISSUER:
        part = &cert->issuer;
        break;
    case CKA_SERIAL_NUMBER:
        part = &cert->serial;
        break;
    case CKA_PUBLIC_KEY_INFO:
        part = &cert->spki;
        break;
    default:
        break;
    }
    return kvp_buf_append(ret, part->data, part->len);
}

kvp_status kvp_get_certificate_date(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    kvp_date date;
    if (!view->cert)
        return view->set ? KVP_OK : KVP_ERR_NOT_FOUND;
    kvp_clock_date(type == CKA_START_DATE ? view->cert->not_before : view->cert->not_after, &date);
    if (date.year < 1 || date.year > 9999)
        return KVP_OK;
    return kvp_buf_append_fmt(ret, "%04d%02d%02d", date.year, date.month, date.day);
}

/*
 * SHA-1 of the certificate's start, of its key, and of its issuer's key: that is known where the
 * certificate is its own issuer, and otherwise empty, as it may be while CKA_URL is.
 */
kvp_status kvp_get_certificate_hash(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    const kvp_cert *cert = view->cert;
    if (!cert)
        return view->set && type != CKA_CHECK_VALUE ? KVP_OK : KVP_ERR_NOT_FOUND;
    if (type == CKA_CHECK_VALUE)
        return kvp_buf_append(ret, cert->sha1, CHECK_VALUE_LEN);
    if (type == CKA_HASH_OF_ISSUER_PUBLIC_KEY && !cert->self_issued)
        return KVP_OK;
    return kvp_buf_append(ret, cert->key_sha1, sizeof(cert->key_sha1));
}

kvp_status kvp_get_name_hash(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    return put_ulong(CKM_SHA_1, ret);
}

kvp_status kvp_get_no_domain(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)view;
    (void)type;
    return put_ulong(0, ret); /* CK_SECURITY_DOMAIN_UNSPECIFIED */
}

kvp_status kvp_issuer_id(const kvp_cert *cert, kvp_buf *ret)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    kvp_status st = kvp_digest_once(KVP_HASH_SHA256, cert->spki.data, cert->spki.len, digest);
    return st == KVP_OK ? kvp_buf_append(ret, digest, KVP_ID_HASH_LEN) : st;
}

kvp_status kvp_issuer_unique_id(const kvp_cert *cert, kvp_buf *ret)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    kvp_status st = kvp_digest_once(KVP_HASH_SHA256, cert->der.data, cert->der.len, digest);
    if (st == KVP_OK)
        st = kvp_buf_append_str(ret, KVP_ISSUER_PREFIX);
    for (size_t i = 0; i < KVP_ID_HASH_LEN && st == KVP_OK; i++)
        st = kvp_buf_append_fmt(ret, "%02x", digest[i]);
    if (st == KVP_OK)
        st = kvp_buf_append_fmt(ret, ";type=%s", kvp_class_word(CKO_CERTIFICATE));
    return st;
}

/* ---- data ---- */

kvp_status kvp_get_data_tag(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    bool id = type == CKA_OBJECT_ID;
    if (!view->entry)
        return view->set ? KVP_OK : KVP_ERR_NOT_FOUND;
    const char *tag = kvp_entry_tag(view->entry, id ? KVP_TAG_OBJECT_ID : KVP_TAG_APPLICATION);
    if (!tag)
        return KVP_OK;
    if (!id)
        return kvp_buf_append_str(ret, tag);
    /* A tag that is no base64url is somebody's mistake: as without it. */
    kvp_status st = kvp_base64url_decode(tag, strlen(tag), ret);
    return st == KVP_ERR_PARSE ? KVP_OK : st;
}

kvp_status kvp_get_data_value(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    (void)type;
    if (!view->value)
        return KVP_ERR_NOT_FOUND;
    return kvp_buf_append(ret, view->value->data, view->value->len);
}
