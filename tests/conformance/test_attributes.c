/* SPDX-License-Identifier: MIT */
/*
 * The attribute table, row by row, on an object of every kind: an attribute that the object has is
 * read with its size and form and found by its value; one that it has not, or does not give away,
 * is refused with the one code for that, and everything beside it in the template is still filled.
 */
#include "functions.h"
#include "integration/certs.h"
#include "support/keyvaultd.h"
#include "token/attribute_table.h"

#include <stdlib.h>
#include <string.h>

static world *const w = &main_world;

/* ---- an object of every kind ---- */

static CK_OBJECT_HANDLE create(CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_BYTE modulus[256], exponent[] = { 1, 0, 1 }, point[80];
    CK_ATTRIBUTE read[] = { { CKA_MODULUS, modulus, sizeof(modulus) } },
                 read_point[] = { { CKA_EC_POINT, point, sizeof(point) } };
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attrs[4] = { { CKA_CLASS, &class, sizeof(class) },
                              { CKA_KEY_TYPE, &type, sizeof(type) } };

    if (class == CKO_DATA) {
        attrs[1] = (CK_ATTRIBUTE){ CKA_VALUE, w->data, DATA_LEN };
        assert_rv(CKR_OK, p11_3->C_CreateObject(w->session, attrs, 2, &handle));
        return handle;
    }
    if (type == CKK_RSA) {
        assert_rv(CKR_OK,
                  p11_3->C_GetAttributeValue(w->session, world_key(w, KEY_RSA_PUBLIC), read, 1));
        attrs[2] = read[0];
        attrs[3] = (CK_ATTRIBUTE){ CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) };
    } else {
        assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, world_key(w, KEY_EC_PUBLIC),
                                                     read_point, 1));
        attrs[2] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, p256, sizeof(p256) };
        attrs[3] = read_point[0];
    }
    assert_rv(CKR_OK, p11_3->C_CreateObject(w->session, attrs, 4, &handle));
    return handle;
}

static CK_OBJECT_HANDLE session_rsa(void)
{
    return create(CKO_PUBLIC_KEY, CKK_RSA);
}

static CK_OBJECT_HANDLE session_ec(void)
{
    return create(CKO_PUBLIC_KEY, CKK_EC);
}

static CK_OBJECT_HANDLE session_data(void)
{
    return create(CKO_DATA, 0);
}

static CK_OBJECT_HANDLE profile(void)
{
    return find_class(CKO_PROFILE) ? found[0] : CK_INVALID_HANDLE;
}

static CK_OBJECT_HANDLE certificate(void)
{
    return module_find(w->session, CKO_CERTIFICATE, "leaf");
}

static CK_OBJECT_HANDLE data(void)
{
    return module_find(w->session, CKO_DATA, "note");
}

#define KEY(name)                                                                                  \
    static CK_OBJECT_HANDLE get_##name(void)                                                       \
    {                                                                                              \
        return world_key(w, KEY_##name);                                                           \
    }
KEY(RSA_PRIVATE)
KEY(RSA_PUBLIC)
KEY(EC_PRIVATE)
KEY(EC_PUBLIC)
KEY(AES)
KEY(HMAC)

static const struct {
    const char *name;
    unsigned kind; /* KVP_IS_ */
    bool token, sensitive;
    CK_OBJECT_HANDLE (*get)(void);
} objects[] = {
    { "an RSA private key", KVP_IS_PRIVATE_RSA, true, true, get_RSA_PRIVATE },
    { "an RSA public key", KVP_IS_PUBLIC_RSA, true, false, get_RSA_PUBLIC },
    { "an EC private key", KVP_IS_PRIVATE_EC, true, true, get_EC_PRIVATE },
    { "an EC public key", KVP_IS_PUBLIC_EC, true, false, get_EC_PUBLIC },
    { "an AES key of the session", KVP_IS_SECRET, false, false, get_AES },
    { "a generic secret of the session", KVP_IS_SECRET, false, false, get_HMAC },
    { "an RSA public key of the session", KVP_IS_PUBLIC_RSA, false, false, session_rsa },
    { "an EC public key of the session", KVP_IS_PUBLIC_EC, false, false, session_ec },
    { "data of the session", KVP_IS_DATA, false, false, session_data },
    { "a profile", KVP_IS_PROFILE, true, false, profile },
    { "a certificate", KVP_IS_CERTIFICATE, true, false, certificate },
    { "data of the vault", KVP_IS_DATA, true, false, data },
};

/* ---- what a row promises for an object ---- */

static const kvp_attribute_row *row_for(CK_ATTRIBUTE_TYPE type, int object)
{
    for (size_t i = 0; i < kvp_attribute_row_count; i++)
        if (kvp_attribute_rows[i].type == type &&
            (kvp_attribute_rows[i].who & objects[object].kind))
            return &kvp_attribute_rows[i];
    return NULL;
}

static CK_RV promised(CK_ATTRIBUTE_TYPE type, int object)
{
    const kvp_attribute_row *row = row_for(type, object);

    if (!row || ((row->flags & KVP_ATTRIBUTE_VENDOR) && !objects[object].token))
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if ((row->flags & KVP_ATTRIBUTE_SENSITIVE) && objects[object].sensitive)
        return CKR_ATTRIBUTE_SENSITIVE;
    return CKR_OK;
}

/* Whether @len bytes look like a value of the row's kind. */
static bool has_form(const kvp_attribute_row *row, const CK_BYTE *value, CK_ULONG len)
{
    switch (row->kind) {
    case KVP_ATTRIBUTE_BOOL:
        return len == sizeof(CK_BBOOL) && (value[0] == CK_TRUE || value[0] == CK_FALSE);
    case KVP_ATTRIBUTE_ULONG:
        return len == sizeof(CK_ULONG);
    case KVP_ATTRIBUTE_DATE:
        return len == 0 || len == sizeof(CK_DATE);
    case KVP_ATTRIBUTE_ULONGS:
        return len % sizeof(CK_ULONG) == 0;
    case KVP_ATTRIBUTE_ATTRS:
        return len % sizeof(CK_ATTRIBUTE) == 0;
    case KVP_ATTRIBUTE_TEXT:
        return len == 0 || !memchr(value, 0, len);
    case KVP_ATTRIBUTE_NUMBER:
        return len > 0 && value[0] != 0;
    default:
        return true;
    }
}

static CK_BYTE value[4096];

/* The value is there: by length and by value, and by no less room than it needs. */
static CK_ULONG read_whole(CK_OBJECT_HANDLE object, const kvp_attribute_row *row, const char *name)
{
    CK_ATTRIBUTE attr = { row->type, NULL, 0 };

    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, object, &attr, 1));
    CK_ULONG len = attr.ulValueLen;
    ck_assert_msg(len <= sizeof(value), "%s of %s has %lu bytes", row->name, name, len);
    if (len > 0) {
        attr = (CK_ATTRIBUTE){ row->type, value, len - 1 };
        assert_rv(CKR_BUFFER_TOO_SMALL, p11_3->C_GetAttributeValue(w->session, object, &attr, 1));
        ck_assert_uint_eq(attr.ulValueLen, CK_UNAVAILABLE_INFORMATION);
    }
    attr = (CK_ATTRIBUTE){ row->type, value, sizeof(value) };
    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, object, &attr, 1));
    ck_assert_uint_eq(attr.ulValueLen, len);
    ck_assert_msg(has_form(row, value, len), "%s of %s has another form", row->name, name);
    return len;
}

/* A search for the object's class with the attribute finds it. */
static bool is_found_by(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG len)
{
    CK_OBJECT_CLASS class;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) }, { type, value, len } };
    CK_OBJECT_HANDLE handles[16];
    CK_ULONG count = 0;
    bool there = false;

    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, object, template, 1));
    assert_rv(CKR_OK, p11_3->C_FindObjectsInit(w->session, template, type == CKA_CLASS ? 1 : 2));
    do {
        assert_rv(CKR_OK, p11_3->C_FindObjects(w->session, handles, 16, &count));
        for (CK_ULONG i = 0; i < count; i++)
            there |= handles[i] == object;
    } while (count);
    assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(w->session));
    return there;
}

START_TEST(each_attribute_is_as_its_row_says)
{
    CK_OBJECT_HANDLE object = objects[_i].get();
    const char *name = objects[_i].name;

    ck_assert_msg(object != CK_INVALID_HANDLE, "there is no %s", name);
    for (size_t i = 0; i < kvp_attribute_row_count; i++) {
        const kvp_attribute_row *row = row_for(kvp_attribute_rows[i].type, _i);
        CK_ATTRIBUTE attr = { kvp_attribute_rows[i].type, value, sizeof(value) };
        CK_RV expected = promised(attr.type, _i),
              rv = p11_3->C_GetAttributeValue(w->session, object, &attr, 1);
        ck_assert_msg(rv == expected, "%s of %s: %s, not %s", kvp_attribute_rows[i].name, name,
                      kvp_ckr_name(rv), kvp_ckr_name(expected));
        if (rv != CKR_OK) {
            ck_assert_uint_eq(attr.ulValueLen, CK_UNAVAILABLE_INFORMATION);
            continue;
        }
        CK_ULONG len = read_whole(object, row, name);
        if (row->flags & KVP_ATTRIBUTE_FETCHED)
            continue; /* no search reads every secret of a vault */
        ck_assert_msg(is_found_by(object, attr.type, len), "%s is not found by %s", name,
                      row->name);
    }
}
END_TEST

/* §5.7.5: an entry that fails does not keep the others from being processed. */
START_TEST(a_failure_keeps_no_other_attribute_back)
{
    CK_OBJECT_HANDLE object = objects[_i].get();
    CK_ATTRIBUTE attrs[96];
    CK_ULONG count = 0;
    bool failed = false;

    ck_assert_uint_le(kvp_attribute_row_count + 1, KVP_ARRAY_LEN(attrs));
    attrs[count++] = (CK_ATTRIBUTE){ CKA_VENDOR_DEFINED | 0x4711, NULL, 5 };
    for (size_t i = 0; i < kvp_attribute_row_count; i++)
        attrs[count++] = (CK_ATTRIBUTE){ kvp_attribute_rows[i].type, NULL, 12345678 };
    CK_RV rv = p11_3->C_GetAttributeValue(w->session, object, attrs, count);
    ck_assert_msg(rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE, "%s",
                  kvp_ckr_name(rv));
    for (CK_ULONG i = 0; i < count; i++) {
        bool there = i > 0 && promised(attrs[i].type, _i) == CKR_OK;
        failed |= !there;
        ck_assert_msg((attrs[i].ulValueLen != CK_UNAVAILABLE_INFORMATION) == there,
                      "entry %lu, %s of %s", i, kvp_cka_name(attrs[i].type), objects[_i].name);
        ck_assert_uint_ne(attrs[i].ulValueLen, 12345678);
    }
    ck_assert(failed);
}
END_TEST

/* What the standard wants of every object and every key, whatever the table says. */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    unsigned kinds;
} wanted[] = {
    { CKA_CLASS, KVP_IS_ANY },
    { CKA_TOKEN, KVP_IS_ANY },
    { CKA_PRIVATE, KVP_IS_ANY },
    { CKA_MODIFIABLE, KVP_IS_ANY },
    { CKA_LABEL, KVP_IS_ANY },
    { CKA_COPYABLE, KVP_IS_ANY },
    { CKA_DESTROYABLE, KVP_IS_ANY },
    { CKA_UNIQUE_ID, KVP_IS_ANY },
    { CKA_KEY_TYPE, KVP_IS_KEY },
    { CKA_ID, KVP_IS_KEY | KVP_IS_CERTIFICATE },
    { CKA_START_DATE, KVP_IS_KEY | KVP_IS_CERTIFICATE },
    { CKA_END_DATE, KVP_IS_KEY | KVP_IS_CERTIFICATE },
    { CKA_DERIVE, KVP_IS_KEY },
    { CKA_LOCAL, KVP_IS_KEY },
    { CKA_KEY_GEN_MECHANISM, KVP_IS_KEY },
    { CKA_ALLOWED_MECHANISMS, KVP_IS_KEY },
    { CKA_SUBJECT, KVP_IS_PUBLIC | KVP_IS_PRIVATE | KVP_IS_CERTIFICATE },
    { CKA_PUBLIC_KEY_INFO, KVP_IS_PUBLIC | KVP_IS_PRIVATE | KVP_IS_CERTIFICATE },
    { CKA_ENCRYPT, KVP_IS_PUBLIC | KVP_IS_SECRET },
    { CKA_VERIFY, KVP_IS_PUBLIC | KVP_IS_SECRET },
    { CKA_VERIFY_RECOVER, KVP_IS_PUBLIC },
    { CKA_WRAP, KVP_IS_PUBLIC | KVP_IS_SECRET },
    { CKA_TRUSTED, KVP_IS_PUBLIC | KVP_IS_SECRET | KVP_IS_CERTIFICATE },
    { CKA_WRAP_TEMPLATE, KVP_IS_PUBLIC | KVP_IS_SECRET },
    { CKA_SENSITIVE, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_DECRYPT, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_SIGN, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_SIGN_RECOVER, KVP_IS_PRIVATE },
    { CKA_UNWRAP, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_EXTRACTABLE, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_ALWAYS_SENSITIVE, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_NEVER_EXTRACTABLE, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_WRAP_WITH_TRUSTED, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_UNWRAP_TEMPLATE, KVP_IS_PRIVATE | KVP_IS_SECRET },
    { CKA_ALWAYS_AUTHENTICATE, KVP_IS_PRIVATE },
    { CKA_MODULUS, KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA },
    { CKA_PUBLIC_EXPONENT, KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA },
    { CKA_MODULUS_BITS, KVP_IS_PUBLIC_RSA },
    { CKA_EC_PARAMS, KVP_IS_PUBLIC_EC | KVP_IS_PRIVATE_EC },
    { CKA_EC_POINT, KVP_IS_PUBLIC_EC },
    { CKA_VALUE_LEN, KVP_IS_SECRET },
    { CKA_CHECK_VALUE, KVP_IS_SECRET | KVP_IS_CERTIFICATE },
    { CKA_APPLICATION, KVP_IS_DATA },
    { CKA_OBJECT_ID, KVP_IS_DATA },
    { CKA_VALUE, KVP_IS_DATA | KVP_IS_CERTIFICATE },
    { CKA_PROFILE_ID, KVP_IS_PROFILE },
    { CKA_CERTIFICATE_TYPE, KVP_IS_CERTIFICATE },
    { CKA_CERTIFICATE_CATEGORY, KVP_IS_CERTIFICATE },
    { CKA_ISSUER, KVP_IS_CERTIFICATE },
    { CKA_SERIAL_NUMBER, KVP_IS_CERTIFICATE },
    { CKA_URL, KVP_IS_CERTIFICATE },
};

START_TEST(what_the_standard_wants_is_there)
{
    CK_OBJECT_HANDLE object = objects[_i].get();

    for (size_t i = 0; i < KVP_ARRAY_LEN(wanted); i++) {
        CK_ATTRIBUTE attr = { wanted[i].type, NULL, 0 };
        if (!(wanted[i].kinds & objects[_i].kind))
            continue;
        CK_RV rv = p11_3->C_GetAttributeValue(w->session, object, &attr, 1);
        ck_assert_msg(rv == CKR_OK, "%s of %s: %s", kvp_cka_name(attr.type), objects[_i].name,
                      kvp_ckr_name(rv));
    }
}
END_TEST

static void fill_vault(void)
{
    cert root = cert_make("Root", NULL, true), leaf = cert_make("leaf", &root, false);
    FILE *file = fopen(keyvaultd_conf(), "a");

    cert_import("leaf", &leaf, NULL, true, true);
    secret_set("note", "to be remembered", "text/plain", NULL);
    if (!file || fputs("secrets = yes\n", file) < 0 || fclose(file) != 0)
        exit(1);
    X509_free(root.x509);
    X509_free(leaf.x509);
    EVP_PKEY_free(root.pkey);
    EVP_PKEY_free(leaf.pkey);
}

int main(void)
{
    Suite *suite = suite_create("attributes");
    TCase *tcase = tcase_create("objects");
    const int count = (int)KVP_ARRAY_LEN(objects);

    conformance_without_threads();
    conformance_start("vault");
    fill_vault();
    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_add_loop_test(tcase, each_attribute_is_as_its_row_says, 0, count);
    tcase_add_loop_test(tcase, a_failure_keeps_no_other_attribute_back, 0, count);
    tcase_add_loop_test(tcase, what_the_standard_wants_is_there, 0, count);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
