/* SPDX-License-Identifier: MIT */
/*
 * The rows. Which attributes a class has, and who may give them when, is PKCS#11 v3.1 §4.4 to §4.10
 * with the footnotes of its tables; what a vault key answers is the getter's business
 * (attribute_value.c).
 */
#include "base/alloc.h"
#include "token/attribute_table.h"

#define LISTED KVP_ATTRIBUTE_LISTED
#define FIXED (KVP_ATTRIBUTE_LISTED | KVP_ATTRIBUTE_FIXED)
#define SECRET KVP_ATTRIBUTE_SENSITIVE
#define CREATE KVP_ATTRIBUTE_CREATE
#define REQUIRED (KVP_ATTRIBUTE_CREATE | KVP_ATTRIBUTE_REQUIRED)
#define GENERATE KVP_ATTRIBUTE_GENERATE
#define NEEDED (KVP_ATTRIBUTE_GENERATE | KVP_ATTRIBUTE_NEEDED)
#define GIVE (KVP_ATTRIBUTE_CREATE | KVP_ATTRIBUTE_GENERATE)
#define MODIFY KVP_ATTRIBUTE_MODIFY
#define FETCHED KVP_ATTRIBUTE_FETCHED
#define VENDOR KVP_ATTRIBUTE_VENDOR

#define ROW(attr, kind, who, flags, fallback, getter)                                              \
    {                                                                                              \
        attr, #attr, KVP_ATTRIBUTE_##kind, KVP_IS_##who, (flags), KVP_DEFAULT_##fallback, getter   \
    }

/* Kinds that several rows share. */
#define KVP_IS_PUBLIC_OR_PRIVATE (KVP_IS_PUBLIC | KVP_IS_PRIVATE)
#define KVP_IS_PUBLIC_OR_SECRET (KVP_IS_PUBLIC | KVP_IS_SECRET)
#define KVP_IS_PRIVATE_OR_SECRET (KVP_IS_PRIVATE | KVP_IS_SECRET)
#define KVP_IS_NO_DATA (KVP_IS_ANY & ~KVP_IS_DATA)
#define KVP_IS_STORED (KVP_IS_KEY | KVP_IS_CERTIFICATE | KVP_IS_DATA)
#define KVP_IS_VERSIONED (KVP_IS_KEY | KVP_IS_CERTIFICATE)

const kvp_attribute_row kvp_attribute_rows[] = {
    /* every object (§4.4) */
    ROW(CKA_CLASS, ULONG, ANY, LISTED | REQUIRED | GENERATE, NONE, kvp_get_class),
    ROW(CKA_TOKEN, BOOL, ANY, FIXED | GIVE, FALSE, kvp_get_token),
    ROW(CKA_PRIVATE, BOOL, ANY, FIXED | GIVE, FALSE, kvp_get_private),
    ROW(CKA_MODIFIABLE, BOOL, ANY, LISTED | GIVE, TRUE, kvp_get_modifiable),
    ROW(CKA_COPYABLE, BOOL, ANY, FIXED | GIVE, TRUE, kvp_get_false),
    ROW(CKA_DESTROYABLE, BOOL, ANY, LISTED | GIVE, TRUE, kvp_get_destroyable),
    ROW(CKA_LABEL, TEXT, ANY, LISTED | GIVE | MODIFY, EMPTY, kvp_get_label),
    ROW(CKA_UNIQUE_ID, TEXT, NO_DATA, 0, NONE, kvp_get_unique_id),
    ROW(CKA_UNIQUE_ID, TEXT, DATA, LISTED, NONE, kvp_get_unique_id),

    /* data (§4.5) */
    ROW(CKA_APPLICATION, TEXT, DATA, LISTED | CREATE | MODIFY, EMPTY, kvp_get_data_tag),
    ROW(CKA_OBJECT_ID, BYTES, DATA, LISTED | CREATE | MODIFY, EMPTY, kvp_get_data_tag),
    ROW(CKA_VALUE, BYTES, DATA, FETCHED | CREATE | MODIFY, EMPTY, kvp_get_data_value),

    /* certificates (§4.6): of X.509 public key ones, CKA_SUBJECT and CKA_VALUE must be given */
    ROW(CKA_CERTIFICATE_TYPE, ULONG, CERTIFICATE, FIXED | REQUIRED, NONE,
        kvp_get_certificate_type),
    ROW(CKA_TRUSTED, BOOL, CERTIFICATE, FIXED | CREATE, FALSE, kvp_get_false),
    ROW(CKA_CERTIFICATE_CATEGORY, ULONG, CERTIFICATE, CREATE, NONE, kvp_get_certificate_category),
    ROW(CKA_CHECK_VALUE, BYTES, CERTIFICATE, CREATE, NONE, kvp_get_certificate_hash),
    ROW(CKA_START_DATE, DATE, CERTIFICATE, CREATE, EMPTY, kvp_get_certificate_date),
    ROW(CKA_END_DATE, DATE, CERTIFICATE, CREATE, EMPTY, kvp_get_certificate_date),
    ROW(CKA_PUBLIC_KEY_INFO, BYTES, CERTIFICATE, CREATE, NONE, kvp_get_certificate_part),
    ROW(CKA_SUBJECT, BYTES, CERTIFICATE, REQUIRED, NONE, kvp_get_certificate_part),
    ROW(CKA_ID, BYTES, CERTIFICATE, LISTED | CREATE | MODIFY, EMPTY, kvp_get_id),
    ROW(CKA_ISSUER, BYTES, CERTIFICATE, CREATE | MODIFY, EMPTY, kvp_get_certificate_part),
    ROW(CKA_SERIAL_NUMBER, BYTES, CERTIFICATE, CREATE | MODIFY, EMPTY, kvp_get_certificate_part),
    ROW(CKA_VALUE, BYTES, CERTIFICATE, REQUIRED, NONE, kvp_get_certificate_part),
    ROW(CKA_URL, TEXT, CERTIFICATE, FIXED | CREATE, EMPTY, kvp_get_empty),
    ROW(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, BYTES, CERTIFICATE, CREATE, EMPTY,
        kvp_get_certificate_hash),
    ROW(CKA_HASH_OF_ISSUER_PUBLIC_KEY, BYTES, CERTIFICATE, CREATE, EMPTY,
        kvp_get_certificate_hash),
    ROW(CKA_JAVA_MIDP_SECURITY_DOMAIN, ULONG, CERTIFICATE, FIXED | CREATE, NONE,
        kvp_get_no_domain),
    ROW(CKA_NAME_HASH_ALGORITHM, ULONG, CERTIFICATE, FIXED | CREATE, NONE, kvp_get_name_hash),

    /* profiles (§4.14): only ours, made with the store */
    ROW(CKA_PROFILE_ID, ULONG, PROFILE, LISTED, NONE, kvp_get_absent),

    /* keys (§4.7) */
    ROW(CKA_KEY_TYPE, ULONG, KEY, REQUIRED | GENERATE, NONE, kvp_get_key_type),
    ROW(CKA_ID, BYTES, KEY, LISTED | GIVE | MODIFY, EMPTY, kvp_get_id),
    ROW(CKA_START_DATE, DATE, KEY, LISTED | GIVE | MODIFY, EMPTY, kvp_get_date),
    ROW(CKA_END_DATE, DATE, KEY, LISTED | GIVE | MODIFY, EMPTY, kvp_get_date),
    ROW(CKA_DERIVE, BOOL, KEY, FIXED | GIVE | MODIFY, FALSE, kvp_get_false),
    ROW(CKA_LOCAL, BOOL, KEY, LISTED, FALSE, kvp_get_local),
    ROW(CKA_KEY_GEN_MECHANISM, ULONG, KEY, 0, NONE, kvp_get_gen_mechanism),
    ROW(CKA_ALLOWED_MECHANISMS, ULONGS, KEY, GIVE, NONE, kvp_get_mechanisms),

    /* public and private keys (§4.8, §4.9) */
    ROW(CKA_SUBJECT, BYTES, PUBLIC_OR_PRIVATE, GIVE | MODIFY, EMPTY, kvp_get_subject),
    ROW(CKA_PUBLIC_KEY_INFO, BYTES, PUBLIC_OR_PRIVATE, 0, NONE, kvp_get_public_key_info),
    ROW(CKA_ENCRYPT, BOOL, PUBLIC_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_VERIFY, BOOL, PUBLIC_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_VERIFY_RECOVER, BOOL, PUBLIC, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_WRAP, BOOL, PUBLIC_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_TRUSTED, BOOL, PUBLIC_OR_SECRET, FIXED | GIVE, FALSE, kvp_get_false),
    ROW(CKA_WRAP_TEMPLATE, ATTRS, PUBLIC_OR_SECRET, FIXED, EMPTY, kvp_get_empty),
    ROW(CKA_SENSITIVE, BOOL, PRIVATE_OR_SECRET, FIXED | GIVE, FALSE, kvp_get_true),
    ROW(CKA_DECRYPT, BOOL, PRIVATE_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_SIGN, BOOL, PRIVATE_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_SIGN_RECOVER, BOOL, PRIVATE, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_UNWRAP, BOOL, PRIVATE_OR_SECRET, GIVE | MODIFY, FALSE, kvp_get_usage),
    ROW(CKA_EXTRACTABLE, BOOL, PRIVATE_OR_SECRET, GIVE, TRUE, kvp_get_extractable),
    ROW(CKA_ALWAYS_SENSITIVE, BOOL, PRIVATE_OR_SECRET, LISTED, FALSE, kvp_get_local),
    ROW(CKA_NEVER_EXTRACTABLE, BOOL, PRIVATE_OR_SECRET, 0, FALSE, kvp_get_never_extractable),
    ROW(CKA_WRAP_WITH_TRUSTED, BOOL, PRIVATE_OR_SECRET, FIXED | GIVE, FALSE, kvp_get_false),
    ROW(CKA_UNWRAP_TEMPLATE, ATTRS, PRIVATE_OR_SECRET, FIXED, EMPTY, kvp_get_empty),
    ROW(CKA_ALWAYS_AUTHENTICATE, BOOL, PRIVATE, FIXED | GIVE, FALSE, kvp_get_false),

    /* RSA (§6.1): CKA_MODULUS_BITS is for generation only */
    ROW(CKA_MODULUS, NUMBER, PUBLIC_RSA, REQUIRED, NONE, kvp_get_number),
    ROW(CKA_MODULUS, NUMBER, PRIVATE_RSA, REQUIRED, NONE, kvp_get_number),
    ROW(CKA_MODULUS_BITS, ULONG, PUBLIC_RSA, NEEDED, NONE, kvp_get_modulus_bits),
    ROW(CKA_PUBLIC_EXPONENT, NUMBER, PUBLIC_RSA, REQUIRED | GENERATE, NONE, kvp_get_number),
    ROW(CKA_PUBLIC_EXPONENT, NUMBER, PRIVATE_RSA, CREATE, NONE, kvp_get_number),
    ROW(CKA_PRIVATE_EXPONENT, NUMBER, PRIVATE_RSA, SECRET | REQUIRED, NONE, kvp_get_absent),
    ROW(CKA_PRIME_1, NUMBER, PRIVATE_RSA, SECRET | CREATE, NONE, kvp_get_absent),
    ROW(CKA_PRIME_2, NUMBER, PRIVATE_RSA, SECRET | CREATE, NONE, kvp_get_absent),
    ROW(CKA_EXPONENT_1, NUMBER, PRIVATE_RSA, SECRET | CREATE, NONE, kvp_get_absent),
    ROW(CKA_EXPONENT_2, NUMBER, PRIVATE_RSA, SECRET | CREATE, NONE, kvp_get_absent),
    ROW(CKA_COEFFICIENT, NUMBER, PRIVATE_RSA, SECRET | CREATE, NONE, kvp_get_absent),

    /* EC (§6.3). The standard gives CKA_EC_POINT to public keys only; GnuTLS and libp11 ask the
     * private key first. */
    ROW(CKA_EC_PARAMS, BYTES, PUBLIC_EC, REQUIRED | NEEDED, NONE, kvp_get_ec_params),
    ROW(CKA_EC_PARAMS, BYTES, PRIVATE_EC, REQUIRED, NONE, kvp_get_ec_params),
    ROW(CKA_EC_POINT, BYTES, PUBLIC_EC, REQUIRED, NONE, kvp_get_ec_point),
    ROW(CKA_EC_POINT, BYTES, PRIVATE_EC, CREATE, NONE, kvp_get_ec_point),
    ROW(CKA_VALUE, NUMBER, PRIVATE_EC, SECRET | REQUIRED, NONE, kvp_get_absent),

    /* secret keys (§4.10, §6.8, §6.13) */
    ROW(CKA_VALUE, BYTES, SECRET, SECRET | REQUIRED, NONE, kvp_get_absent),
    ROW(CKA_VALUE_LEN, ULONG, SECRET, NEEDED, NONE, kvp_get_value_len),
    ROW(CKA_CHECK_VALUE, BYTES, SECRET, GIVE, NONE, kvp_get_check_value),

    /* ours */
    ROW(CKA_KVP_KEY_ID, TEXT, VERSIONED, VENDOR, NONE, kvp_get_vendor),
    ROW(CKA_KVP_KEY_ID, TEXT, DATA, VENDOR | LISTED, NONE, kvp_get_vendor),
    ROW(CKA_KVP_HSM, BOOL, KEY, VENDOR, NONE, kvp_get_vendor),
    ROW(CKA_KVP_VERSION, TEXT, VERSIONED, VENDOR, NONE, kvp_get_vendor),
    ROW(CKA_KVP_ENABLED, BOOL, STORED, VENDOR | LISTED | MODIFY, NONE, kvp_get_vendor),
    ROW(CKA_KVP_CONTENT_TYPE, TEXT, DATA, VENDOR | LISTED, NONE, kvp_get_vendor),
};
const size_t kvp_attribute_row_count = KVP_ARRAY_LEN(kvp_attribute_rows);

const kvp_attribute_row *kvp_attribute_row_find(CK_ATTRIBUTE_TYPE type, unsigned who)
{
    for (size_t i = 0; i < kvp_attribute_row_count; i++)
        if (kvp_attribute_rows[i].type == type && (kvp_attribute_rows[i].who & who))
            return &kvp_attribute_rows[i];
    return NULL;
}

unsigned kvp_class_who(CK_OBJECT_CLASS cls)
{
    switch (cls) {
    case CKO_DATA:
        return KVP_IS_DATA;
    case CKO_CERTIFICATE:
        return KVP_IS_CERTIFICATE;
    case CKO_PROFILE:
        return KVP_IS_PROFILE;
    case CKO_PUBLIC_KEY:
        return KVP_IS_PUBLIC;
    case CKO_PRIVATE_KEY:
        return KVP_IS_PRIVATE;
    case CKO_SECRET_KEY:
        return KVP_IS_SECRET;
    default:
        return 0;
    }
}

unsigned kvp_view_who(const kvp_view *view)
{
    unsigned who = kvp_class_who(view->cls);
    if (!view->loaded || !view->key)
        return who;
    switch (view->key->kty) {
    case KVP_KTY_RSA:
        return who & (KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA);
    case KVP_KTY_EC:
        return who & (KVP_IS_PUBLIC_EC | KVP_IS_PRIVATE_EC);
    default:
        return who & (KVP_IS_PUBLIC_OTHER | KVP_IS_PRIVATE_OTHER | KVP_IS_SECRET);
    }
}

kvp_status kvp_attribute_get(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    const kvp_attribute_row *row = kvp_attribute_row_find(type, kvp_view_who(view));
    if (!row || (view->set && (row->flags & KVP_ATTRIBUTE_VENDOR)))
        return KVP_ERR_NOT_FOUND;
    if (row->flags & KVP_ATTRIBUTE_SENSITIVE) {
        /* §4.4, footnote 7: neither sensitive nor unextractable ones may be revealed. */
        if (!view->set || kvp_attribute_is_true(view, CKA_SENSITIVE) ||
            !kvp_attribute_is_true(view, CKA_EXTRACTABLE))
            return KVP_ERR_REFUSED;
    }
    if (view->set) {
        const kvp_buf *stored = kvp_attribute_set_get(view->set, type);
        if (stored)
            return kvp_buf_append(ret, stored->data, stored->len);
    } else if (!view->loaded && !(row->flags & KVP_ATTRIBUTE_LISTED)) {
        return KVP_ERR_NOT_FOUND;
    }
    return row->get(view, type, ret);
}

bool kvp_attribute_is_true(const kvp_view *view, CK_ATTRIBUTE_TYPE type)
{
    /* Room of its own, as much as the maximum needs: without memory, true must not become false. */
    uint8_t room[32];
    kvp_buf value = { room, 0, sizeof(room), 16, false };
    return kvp_attribute_get(view, type, &value) == KVP_OK && value.len == sizeof(CK_BBOOL) &&
           value.data[0] != CK_FALSE;
}

void kvp_attribute_set_clear(kvp_attribute_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        kvp_buf_clear(&set->items[i].value);
    kvp_free(set->items);
    *set = (kvp_attribute_set){ 0 };
}

const kvp_buf *kvp_attribute_set_get(const kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].type == type)
            return &set->items[i].value;
    return NULL;
}

kvp_status kvp_attribute_set_put(kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type, const void *data,
                                 size_t len)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].type == type)
            return kvp_buf_set(&set->items[i].value, data, len);
    if (set->count == set->size) {
        /* A realloc could leave a copy of a buffer header, never of a secret: values are outside.
         */
        size_t size = set->size ? set->size * 2 : 32;
        void *items = kvp_realloc(set->items, size * sizeof(*set->items));
        if (!items)
            return KVP_ERR_NO_MEMORY;
        set->items = items;
        set->size = size;
    }
    kvp_buf value = KVP_BUF_INIT_SECRET(KVP_BUF_MAX_DEFAULT);
    kvp_status st = kvp_buf_set(&value, data, len);
    if (st != KVP_OK)
        return st;
    set->items[set->count].type = type;
    set->items[set->count].value = value;
    set->count++;
    return KVP_OK;
}

kvp_status kvp_attribute_set_copy(const kvp_attribute_set *from, kvp_attribute_set *ret)
{
    kvp_attribute_set copy = { 0 };
    for (size_t i = 0; i < from->count; i++) {
        kvp_status st = kvp_attribute_set_put(&copy, from->items[i].type, from->items[i].value.data,
                                              from->items[i].value.len);
        if (st != KVP_OK) {
            kvp_attribute_set_clear(&copy);
            return st;
        }
    }
    *ret = copy;
    return KVP_OK;
}
