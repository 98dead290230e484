/* SPDX-License-Identifier: MIT */
/*
 * Session objects: public keys, secret keys, certificates and data that live in the module's memory
 * until their session ends (PKCS#11 v3.1 §4.3, §5.7.1). Token objects go into the vault:
 * import_key.c, create_certificate.c, create_data.c, generate.c.
 */
#include "base/alloc.h"
#include "token/create.h"
#include "token/import_plan.h"
#include "token/object_store.h"
#include "token/template.h"

#include <stdio.h>
#include <string.h>

CK_RV kvp_session_may_write(const kvp_session *session)
{
    if (session->slot->config->read_only)
        return CKR_TOKEN_WRITE_PROTECTED;
    return session->flags & CKF_RW_SESSION ? CKR_OK : CKR_SESSION_READ_ONLY;
}

CK_RV kvp_session_object_new(kvp_session *session, CK_OBJECT_CLASS cls, kvp_attribute_set *set,
                             kvp_key *key, kvp_cert *cert, CK_OBJECT_HANDLE *ret)
{
    kvp_object_store *store = session->slot->objects;
    kvp_document *document = kvp_document_new(key, true);
    if (!document) {
        kvp_cert_free(cert);
        return CKR_HOST_MEMORY;
    }
    document->cert = cert;
    document->set = *set;
    *set = (kvp_attribute_set){ 0 };
    kvp_record *record = kvp_record_new(store, KVP_RECORD_SESSION, NULL, document);
    if (!record)
        return CKR_HOST_MEMORY;
    record->session = session->handle;
    record->object_count = 1;
    record->objects[0].record = record;
    record->objects[0].cls = cls;

    /* Under the session's lock, so that a session that is closing leaves nothing behind. */
    CK_RV rv = CKR_OK;
    kvp_lock_take(&session->lock);
    if (session->closed) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else {
        kvp_lock_take(&store->lock);
        CK_OBJECT_HANDLE handle = kvp_object_handle_locked(&record->objects[0]);
        if (handle == CK_INVALID_HANDLE) {
            rv = CKR_HOST_MEMORY;
        } else {
            kvp_record_link_locked(&store->sessions, record);
            *ret = handle;
        }
        kvp_lock_give(&store->lock);
    }
    kvp_lock_give(&session->lock);
    if (rv != CKR_OK)
        kvp_record_free(record);
    return rv;
}

static kvp_status put_bool(kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type, bool value)
{
    CK_BBOOL b = value ? CK_TRUE : CK_FALSE;
    return kvp_attribute_set_put(set, type, &b, sizeof(b));
}

static kvp_status put_ulong(kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    return kvp_attribute_set_put(set, type, &value, sizeof(value));
}

/* What a public key's numbers answer is not kept twice. */
static bool is_kept(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_CLASS:
    case CKA_MODULUS:
    case CKA_MODULUS_BITS:
    case CKA_PUBLIC_EXPONENT:
    case CKA_EC_PARAMS:
    case CKA_EC_POINT:
    case CKA_VALUE_LEN:
        return false;
    default:
        return true;
    }
}

static bool says_usage(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_CLASS cls)
{
    for (CK_ULONG i = 0; i < count; i++)
        if (kvp_usage_op(cls, attrs[i].type))
            return true;
    return false;
}

/*
 * Every attribute of the template, and the row's default for every other one. A template that says
 * nothing of what the key is for gets a key that is good for all that its type can do.
 */
static kvp_status fill_set(kvp_attribute_set *set, CK_OBJECT_CLASS cls, unsigned who,
                           const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    kvp_status st = KVP_OK;
    bool all_usages = !says_usage(attrs, count, cls);
    for (CK_ULONG i = 0; i < count && st == KVP_OK; i++)
        if (is_kept(attrs[i].type))
            st = kvp_attribute_set_put(set, attrs[i].type, attrs[i].pValue, attrs[i].ulValueLen);
    for (size_t i = 0; i < kvp_attribute_row_count && st == KVP_OK; i++) {
        const kvp_attribute_row *row = &kvp_attribute_rows[i];
        if (!(row->who & who) || row->fallback == KVP_DEFAULT_NONE ||
            kvp_attribute_set_get(set, row->type))
            continue;
        uint32_t op = kvp_usage_op(cls, row->type);
        bool can = who != KVP_IS_PUBLIC_EC || (op == KVP_OP_VERIFY && row->type == CKA_VERIFY);
        if (row->fallback == KVP_DEFAULT_EMPTY)
            st = kvp_attribute_set_put(set, row->type, NULL, 0);
        else
            st = put_bool(set, row->type,
                          row->fallback == KVP_DEFAULT_TRUE || (op && all_usages && can));
    }
    return st;
}

/* ---- profiles ---- */

static bool always(const kvp_slot *slot)
{
    (void)slot;
    return true;
}

/* Certificates are there, and are found and read without a login; a Managed HSM has none. */
static bool has_public_certificates(const kvp_slot *slot)
{
    return slot->config->certificates && !slot->config->managed_hsm && !kvp_slot_needs_login(slot);
}

/*
 * What is claimed must hold (PKCS#11 Profiles v3.2 §5): a provider's functions do whatever the
 * configuration, and so do signatures with private keys; the last is about what the token holds.
 */
static const struct {
    CK_PROFILE_ID id;
    const char *label;
    bool (*met)(const kvp_slot *slot);
} profiles[] = {
    { CKP_BASELINE_PROVIDER, "Baseline Provider", always },
    { CKP_EXTENDED_PROVIDER, "Extended Provider", always },
    { CKP_AUTHENTICATION_TOKEN, "Authentication Token", always },
    { CKP_PUBLIC_CERTIFICATES_TOKEN, "Public Certificates Token", has_public_certificates },
};

static kvp_record *profile_new(kvp_object_store *store, CK_PROFILE_ID id, const char *label)
{
    KVP_CLEANUP(kvp_document_freep) kvp_document *document = kvp_document_new(NULL, true);
    if (!document)
        return NULL;
    kvp_attribute_set *set = &document->set;
    char unique[48];
    snprintf(unique, sizeof(unique), "profile-%lu;type=%s", id, kvp_class_word(CKO_PROFILE));
    kvp_status st = put_ulong(set, CKA_PROFILE_ID, id);
    if (st == KVP_OK)
        st = kvp_attribute_set_put(set, CKA_LABEL, label, strlen(label));
    if (st == KVP_OK)
        st = kvp_attribute_set_put(set, CKA_UNIQUE_ID, unique, strlen(unique));
    if (st == KVP_OK)
        st = put_bool(set, CKA_TOKEN, true);
    if (st == KVP_OK)
        st = put_bool(set, CKA_PRIVATE, false);
    if (st == KVP_OK)
        st = put_bool(set, CKA_MODIFIABLE, false);
    if (st == KVP_OK)
        st = put_bool(set, CKA_COPYABLE, false);
    if (st == KVP_OK)
        st = put_bool(set, CKA_DESTROYABLE, false);
    return st == KVP_OK ? kvp_record_new(store, KVP_RECORD_SESSION, NULL, KVP_STEAL(document))
                        : NULL;
}

kvp_status kvp_profiles_new(kvp_object_store *store)
{
    /* Each is put before the others. */
    for (size_t i = KVP_ARRAY_LEN(profiles); i-- > 0;) {
        if (!profiles[i].met(store->slot))
            continue;
        kvp_record *record = profile_new(store, profiles[i].id, profiles[i].label);
        if (!record)
            return KVP_ERR_NO_MEMORY;
        record->object_count = 1;
        record->objects[0].record = record;
        record->objects[0].cls = CKO_PROFILE;
        kvp_lock_take(&store->lock);
        kvp_record_link_locked(&store->sessions, record);
        kvp_lock_give(&store->lock);
    }
    return KVP_OK;
}

/* ---- secret keys ---- */

static bool value_fits(CK_KEY_TYPE key_type, size_t len)
{
    if (key_type == CKK_AES)
        return len == 16 || len == 24 || len == 32;
    return len > 0 && len <= 65536;
}

static bool is_secret_type(CK_KEY_TYPE type)
{
    switch (type) {
    case CKK_AES:
    case CKK_GENERIC_SECRET:
    case CKK_SHA_1_HMAC:
    case CKK_SHA224_HMAC:
    case CKK_SHA256_HMAC:
    case CKK_SHA384_HMAC:
    case CKK_SHA512_HMAC:
        return true;
    default:
        return false;
    }
}

/* A private session object needs a login only where the token does. */
static CK_RV check_common(kvp_session *session, const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    if (kvp_template_bool(attrs, count, CKA_TRUSTED, false))
        return CKR_ATTRIBUTE_READ_ONLY; /* §4.4: only the security officer may say so */
    if (kvp_template_bool(attrs, count, CKA_PRIVATE, false) && !kvp_slot_is_open(session->slot))
        return CKR_USER_NOT_LOGGED_IN;
    return CKR_OK;
}

/* §4.10.2: a check value that is given must be that of the key; an empty one asks for none. */
static CK_RV check_check_value(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_KEY_TYPE key_type,
                               const void *value, size_t len)
{
    const CK_ATTRIBUTE *given = kvp_template_find(attrs, count, CKA_CHECK_VALUE);
    uint8_t check[KVP_CHECK_VALUE_LEN];
    if (!given || given->ulValueLen == 0)
        return CKR_OK;
    if (kvp_check_value(key_type == CKK_AES, value, len, check) != KVP_OK)
        return CKR_FUNCTION_FAILED;
    return given->ulValueLen == sizeof(check) && memcmp(given->pValue, check, sizeof(check)) == 0
               ? CKR_OK
               : CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV kvp_session_secret_new(kvp_session *session, kvp_origin origin, CK_MECHANISM_TYPE mechanism,
                             CK_KEY_TYPE key_type, const void *value, size_t len,
                             const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    if (!is_secret_type(key_type) || !value_fits(key_type, len))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (kvp_template_ulong(attrs, count, CKA_VALUE_LEN, len) != len)
        return CKR_TEMPLATE_INCONSISTENT;
    CK_RV rv = check_common(session, attrs, count);
    if (rv == CKR_OK)
        rv = check_check_value(attrs, count, key_type, value, len);
    if (rv != CKR_OK)
        return rv;

    KVP_CLEANUP(kvp_attribute_set_clear) kvp_attribute_set set = { 0 };
    kvp_status st = fill_set(&set, CKO_SECRET_KEY, KVP_IS_SECRET, attrs, count);
    if (st == KVP_OK)
        st = put_ulong(&set, CKA_KEY_TYPE, key_type);
    if (st == KVP_OK)
        st = put_ulong(&set, CKA_KEY_GEN_MECHANISM, mechanism);
    if (st == KVP_OK)
        st = kvp_attribute_set_put(&set, CKA_VALUE, value, len);
    if (st == KVP_OK && origin == KVP_ORIGIN_GENERATED) {
        bool sensitive = kvp_template_bool(attrs, count, CKA_SENSITIVE, false);
        bool extractable = kvp_template_bool(attrs, count, CKA_EXTRACTABLE, true);
        st = put_bool(&set, CKA_LOCAL, true);
        if (st == KVP_OK)
            st = put_bool(&set, CKA_ALWAYS_SENSITIVE, sensitive);
        if (st == KVP_OK)
            st = put_bool(&set, CKA_NEVER_EXTRACTABLE, !extractable);
    }
    if (st != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_session_object_new(session, CKO_SECRET_KEY, &set, NULL, NULL, ret);
}

CK_RV kvp_object_create_secret(kvp_call *call, kvp_session *session, const void *value, size_t len,
                               const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    (void)call;
    CK_RV rv = kvp_template_check(attrs, count, KVP_IS_SECRET, KVP_ATTRIBUTE_GENERATE, 0);
    if (rv != CKR_OK)
        return rv;
    if (!kvp_template_find(attrs, count, CKA_KEY_TYPE))
        return CKR_TEMPLATE_INCOMPLETE;
    if (kvp_template_ulong(attrs, count, CKA_CLASS, CKO_SECRET_KEY) != CKO_SECRET_KEY)
        return CKR_TEMPLATE_INCONSISTENT;
    if (kvp_template_bool(attrs, count, CKA_TOKEN, false)) {
        rv = kvp_session_may_write(session);
        return rv != CKR_OK ? rv
                            : CKR_TEMPLATE_INCONSISTENT; /* the vault would not have it from us */
    }
    CK_KEY_TYPE type = kvp_template_ulong(attrs, count, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    return kvp_session_secret_new(session, KVP_ORIGIN_UNWRAPPED, CK_UNAVAILABLE_INFORMATION, type,
                                  value, len, attrs, count, ret);
}

/* ---- public keys ---- */

CK_RV kvp_session_public_new(kvp_session *session, const kvp_key *key, const CK_ATTRIBUTE *attrs,
                             CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    bool rsa = key->kty == KVP_KTY_RSA;
    CK_RV rv = check_common(session, attrs, count);
    if (rv != CKR_OK)
        return rv;
    KVP_CLEANUP(kvp_attribute_set_clear) kvp_attribute_set set = { 0 };
    KVP_CLEANUP(kvp_key_freep) kvp_key *copy = kvp_key_copy(key);
    kvp_status st =
        fill_set(&set, CKO_PUBLIC_KEY, rsa ? KVP_IS_PUBLIC_RSA : KVP_IS_PUBLIC_EC, attrs, count);
    if (st == KVP_OK)
        st = put_ulong(&set, CKA_KEY_TYPE, rsa ? CKK_RSA : CKK_EC);
    if (st == KVP_OK)
        st = put_ulong(&set, CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION);
    if (st == KVP_OK)
        st = put_bool(&set, CKA_TOKEN, false);
    if (st != KVP_OK || !copy)
        return CKR_HOST_MEMORY;
    return kvp_session_object_new(session, CKO_PUBLIC_KEY, &set, KVP_STEAL(copy), NULL, ret);
}

static CK_RV create_public(kvp_session *session, CK_KEY_TYPE type, const CK_ATTRIBUTE *attrs,
                           CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = kvp_calloc(1, sizeof(*key));
    if (!key)
        return CKR_HOST_MEMORY;
    key->kty = type == CKK_RSA ? KVP_KTY_RSA : KVP_KTY_EC;
    CK_RV rv = kvp_template_public_key((kvp_template){ attrs, count }, key);
    return rv == CKR_OK ? kvp_session_public_new(session, key, attrs, count, ret) : rv;
}

/* ---- C_CreateObject ---- */

static CK_RV create_data(kvp_session *session, const CK_ATTRIBUTE *attrs, CK_ULONG count,
                         CK_OBJECT_HANDLE *ret)
{
    CK_RV rv = check_common(session, attrs, count);
    if (rv != CKR_OK)
        return rv;
    KVP_CLEANUP(kvp_attribute_set_clear) kvp_attribute_set set = { 0 };
    if (fill_set(&set, CKO_DATA, KVP_IS_DATA, attrs, count) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_session_object_new(session, CKO_DATA, &set, NULL, NULL, ret);
}

/* What the template leaves out has the standard's defaults; checksums and the like are computed. */
static CK_RV create_certificate(kvp_session *session, kvp_template t, CK_OBJECT_HANDLE *ret)
{
    KVP_CLEANUP(kvp_attribute_set_clear) kvp_attribute_set set = { 0 };
    KVP_CLEANUP(kvp_cert_freep) kvp_cert *cert = NULL;
    CK_RV rv = check_common(session, t.attrs, t.count);
    if (rv == CKR_OK)
        rv = kvp_template_certificate(t, &cert);
    if (rv != CKR_OK)
        return rv;
    if (fill_set(&set, CKO_CERTIFICATE, KVP_IS_CERTIFICATE, t.attrs, t.count) != KVP_OK)
        return CKR_HOST_MEMORY;
    return kvp_session_object_new(session, CKO_CERTIFICATE, &set, NULL, KVP_STEAL(cert), ret);
}

/* The kind that a template describes; 0 for what we cannot hold. */
static unsigned described_kind(CK_OBJECT_CLASS cls, CK_KEY_TYPE type)
{
    if (cls == CKO_DATA)
        return KVP_IS_DATA;
    if (cls == CKO_CERTIFICATE)
        return KVP_IS_CERTIFICATE;
    if (cls == CKO_SECRET_KEY)
        return KVP_IS_SECRET;
    if (cls == CKO_PUBLIC_KEY && type == CKK_RSA)
        return KVP_IS_PUBLIC_RSA;
    if (cls == CKO_PUBLIC_KEY && type == CKK_EC)
        return KVP_IS_PUBLIC_EC;
    if (cls == CKO_PRIVATE_KEY && type == CKK_RSA)
        return KVP_IS_PRIVATE_RSA;
    if (cls == CKO_PRIVATE_KEY && type == CKK_EC)
        return KVP_IS_PRIVATE_EC;
    return 0;
}

static CK_RV create_token(kvp_call *call, kvp_session *session, unsigned who, CK_KEY_TYPE type,
                          kvp_template t, CK_OBJECT_HANDLE *ret)
{
    if (kvp_template_bool(t.attrs, t.count, CKA_TRUSTED, false))
        return CKR_ATTRIBUTE_READ_ONLY; /* §4.4: only the security officer may say so */
    if (who & KVP_IS_KEY)
        return kvp_token_key_create(call, session, who, type, t, ret);
    return who & KVP_IS_CERTIFICATE ? kvp_token_certificate_create(call, session, t, ret)
                                    : kvp_token_data_create(call, session, t, ret);
}

CK_RV kvp_object_create(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                        CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    CK_RV rv = kvp_template_check_pointers(attrs, count);
    if (rv != CKR_OK)
        return rv;
    if (!kvp_template_find(attrs, count, CKA_CLASS))
        return CKR_TEMPLATE_INCOMPLETE;
    CK_OBJECT_CLASS cls = kvp_template_ulong(attrs, count, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);
    CK_KEY_TYPE type = kvp_template_ulong(attrs, count, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    bool token = kvp_template_bool(attrs, count, CKA_TOKEN, false);
    if (token) {
        call->operation = "CreateObject";
        rv = kvp_new_check_session(session, true);
        if (rv != CKR_OK)
            return rv;
    }
    if (kvp_class_who(cls) == 0 || cls == CKO_PROFILE)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (!token && cls == CKO_PRIVATE_KEY)
        return kvp_object_refuse(call, KVP_CALL_CREATE, "WrongPlace",
                                 "private keys live in the vault only: CKA_TOKEN must be TRUE");
    if ((kvp_class_who(cls) & KVP_IS_KEY) && !kvp_template_find(attrs, count, CKA_KEY_TYPE))
        return CKR_TEMPLATE_INCOMPLETE;
    unsigned who = described_kind(cls, type);
    if (!who)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    rv = kvp_template_check(attrs, count, who, KVP_ATTRIBUTE_CREATE, KVP_ATTRIBUTE_REQUIRED);
    if (rv != CKR_OK)
        return rv;

    if (token)
        return create_token(call, session, who, type, (kvp_template){ attrs, count }, ret);
    if (cls == CKO_DATA)
        return create_data(session, attrs, count, ret);
    if (cls == CKO_CERTIFICATE)
        return create_certificate(session, (kvp_template){ attrs, count }, ret);
    if (cls == CKO_PUBLIC_KEY)
        return create_public(session, type, attrs, count, ret);
    const CK_ATTRIBUTE *value = kvp_template_find(attrs, count, CKA_VALUE);
    return kvp_session_secret_new(session, KVP_ORIGIN_CREATED, CK_UNAVAILABLE_INFORMATION, type,
                                  value->pValue, value->ulValueLen, attrs, count, ret);
}
