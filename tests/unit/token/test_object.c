/* SPDX-License-Identifier: MIT */
/* Reading attributes, and session objects. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_OBJECT_CLASS data_class = CKO_DATA;
static CK_KEY_TYPE rsa = CKK_RSA;
static CK_KEY_TYPE ec = CKK_EC;
static CK_KEY_TYPE aes = CKK_AES;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;

static void setup(void)
{
    token = fake_new(false);
    fake_add_rsa("rsa");
    fake_add_ec("ec");
    fake_reset();
}

static void teardown(void)
{
    fake_free(token);
}

static CK_RV get(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    kvp_call call = fake_call();
    return kvp_object_get_attributes(&call, &token->session, handle, attrs, count);
}

static CK_RV create(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    kvp_call call = fake_call();
    return kvp_object_create(&call, &token->reader, attrs, count, ret);
}

/* ---- C_GetAttributeValue ---- */

START_TEST(every_attribute_is_processed_after_one_fails)
{
    uint8_t modulus[256];
    uint8_t exponent[3];
    char label[8];
    uint8_t secret[256];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "rsa");
    CK_ATTRIBUTE attrs[] = {
        { CKA_PRIVATE_EXPONENT, secret, sizeof(secret) },
        { CKA_MODULUS, modulus, sizeof(modulus) },
        { CKA_VENDOR_DEFINED | 77, secret, sizeof(secret) },
        { CKA_LABEL, label, 1 },
        { CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) },
    };

    ck_assert_rv(get(handle, attrs, 5), CKR_ATTRIBUTE_SENSITIVE);

    ck_assert_uint_eq(attrs[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(attrs[1].ulValueLen, 256);
    ck_assert_uint_eq(attrs[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(attrs[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(attrs[4].ulValueLen, 3);
    ck_assert_mem_eq(exponent, "\x01\x00\x01", 3);
}
END_TEST

START_TEST(a_type_that_is_not_there_weighs_more_than_a_short_buffer)
{
    char label[1];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "rsa");
    CK_ATTRIBUTE attrs[] = { { CKA_LABEL, label, 1 }, { CKA_EC_PARAMS, NULL, 0 } };
    ck_assert_rv(get(handle, attrs, 2), CKR_ATTRIBUTE_TYPE_INVALID);
    ck_assert_rv(get(handle, attrs, 1), CKR_BUFFER_TOO_SMALL);
}
END_TEST

START_TEST(a_null_buffer_asks_for_the_length)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    CK_ATTRIBUTE attrs[] = { { CKA_EC_POINT, NULL, 0 }, { CKA_EC_PARAMS, NULL, 99 },
                             { CKA_START_DATE, NULL, 5 } };
    ck_assert_rv(get(handle, attrs, 3), CKR_OK);
    ck_assert_uint_eq(attrs[0].ulValueLen, 67);
    ck_assert_uint_eq(attrs[1].ulValueLen, 10);
    ck_assert_uint_eq(attrs[2].ulValueLen, 0);
}
END_TEST

START_TEST(lengths_and_values_of_a_known_key_cost_nothing)
{
    uint8_t spki[512];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    fake_reset();
    size_t len = fake_get(token, handle, CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));
    ck_assert_uint_eq(len, 91);
    ck_assert_uint_eq(spki[0], 0x30);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(an_unknown_handle_is_invalid)
{
    CK_ATTRIBUTE attr = { CKA_LABEL, NULL, 0 };
    ck_assert_rv(get(CK_INVALID_HANDLE, &attr, 1), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_rv(get(0x7fffffff, &attr, 1), CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

START_TEST(handles_are_unique_across_slots)
{
    CK_OBJECT_HANDLE here = fake_find_one(token, CKO_PRIVATE_KEY, "rsa");
    fake_token *other = fake_new(false);
    CK_OBJECT_HANDLE there = fake_find_one(other, CKO_PRIVATE_KEY, "rsa");
    kvp_object *object = NULL;
    ck_assert_uint_ne(here, there);
    ck_assert_rv(kvp_object_get(&other->session, here, &object), CKR_OBJECT_HANDLE_INVALID);
    kvp_object_store_free(other->slot.objects);
    kvp_lock_clear(&other->session.lock);
    kvp_lock_clear(&other->reader.lock);
    kvp_lock_clear(&other->slot.lock);
    kvp_free(other->config.name);
    kvp_free(other->config.url);
    kvp_free(other);
}
END_TEST

START_TEST(a_key_lists_its_mechanisms)
{
    CK_MECHANISM_TYPE types[64];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    size_t count = fake_get(token, handle, CKA_ALLOWED_MECHANISMS, types, sizeof(types)) /
                   sizeof(types[0]);
    bool ecdsa = false;
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ne(types[i], CKM_RSA_PKCS);
        ecdsa = ecdsa || types[i] == CKM_ECDSA;
    }
    ck_assert(ecdsa);
}
END_TEST

START_TEST(a_failed_read_leaves_the_object_for_another_try)
{
    CK_OBJECT_HANDLE handles[8];
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    ck_assert_uint_eq(fake_find(token, attrs, 1, handles, 8), 2);
    fake_fail(503, 1);
    ck_assert_rv(fake_get_rv(token, handles[0], CKA_KEY_TYPE), CKR_DEVICE_ERROR);
    ck_assert_rv(fake_get_rv(token, handles[0], CKA_KEY_TYPE), CKR_OK);
}
END_TEST

START_TEST(a_document_in_use_outlives_its_replacement)
{
    kvp_call call = fake_call();
    kvp_object *object = NULL;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "ec");
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    const kvp_key *before = kvp_object_vault_key(object);
    const kvp_public_key *public_key = NULL;
    ck_assert_rv(kvp_object_public_key(&call, object, &public_key), CKR_OK);

    fake_set_tag("ec", KVP_TAG_LABEL, "renamed");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "renamed"), handle);

    ck_assert_ptr_ne(kvp_object_vault_key(object), before);
    ck_assert_str_eq(before->name, "ec");
    ck_assert_uint_eq(kvp_public_key_bits(public_key), 256);
    kvp_object_unref(object);
}
END_TEST

START_TEST(operations_learn_what_they_need)
{
    kvp_call call = fake_call();
    kvp_object *object = NULL;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "rsa");
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    fake_reset();
    ck_assert_rv(kvp_object_load(&call, object), CKR_OK);
    ck_assert_uint_eq(fake_total(), 0);
    ck_assert(!call.remote);
    ck_assert_str_eq(call.object_id, fake_key("rsa")->id);
    ck_assert_uint_eq(kvp_object_class(object), CKO_PRIVATE_KEY);
    ck_assert(kvp_object_is_token(object));
    ck_assert_uint_eq(kvp_object_key_type(object), CKK_RSA);
    ck_assert_uint_eq(kvp_object_key_bits(object), 2048);
    ck_assert_int_eq(kvp_object_curve(object), KVP_CURVE_NONE);
    ck_assert(kvp_object_allows(object, CKA_SIGN));
    ck_assert(!kvp_object_allows(object, CKA_VERIFY));
    ck_assert_ptr_null(kvp_object_secret_value(object));
    kvp_object_unref(object);
}
END_TEST

START_TEST(an_object_has_a_size)
{
    kvp_call call = fake_call();
    CK_ULONG size = 0;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "rsa");
    ck_assert_rv(kvp_object_size(&call, &token->session, handle, &size), CKR_OK);
    ck_assert_uint_gt(size, 256);
    ck_assert_uint_lt(size, 65536);
}
END_TEST

/* ---- session objects ---- */

static CK_OBJECT_HANDLE make_aes(void)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_TEXT(CKA_VALUE, "0123456789abcdef"),
                             ATTR_TEXT(CKA_LABEL, "session key") };
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    return handle;
}

START_TEST(a_session_secret_key_has_the_standards_attributes)
{
    uint8_t value[16];
    CK_ULONG len = 0;
    CK_OBJECT_HANDLE handle = make_aes();
    ck_assert(!fake_get_bool(token, handle, CKA_TOKEN));
    ck_assert(!fake_get_bool(token, handle, CKA_LOCAL));
    ck_assert(fake_get_bool(token, handle, CKA_ENCRYPT));
    ck_assert(fake_get_bool(token, handle, CKA_EXTRACTABLE));
    ck_assert(!fake_get_bool(token, handle, CKA_NEVER_EXTRACTABLE));
    ck_assert_uint_eq(fake_get(token, handle, CKA_VALUE, value, sizeof(value)), 16);
    ck_assert_mem_eq(value, "0123456789abcdef", 16);
    fake_get(token, handle, CKA_VALUE_LEN, &len, sizeof(len));
    ck_assert_uint_eq(len, 16);
    ck_assert_rv(fake_get_rv(token, handle, CKA_KVP_KEY_ID), CKR_ATTRIBUTE_TYPE_INVALID);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(a_sensitive_session_key_keeps_its_value)
{
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class),
                             ATTR_VALUE(CKA_KEY_TYPE, generic), ATTR_TEXT(CKA_VALUE, "secret"),
                             ATTR_VALUE(CKA_SENSITIVE, yes) };
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    ck_assert_rv(fake_get_rv(token, handle, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    /* Not even by comparing it in a search. */
    CK_OBJECT_HANDLE found[2];
    CK_ATTRIBUTE probe[] = { ATTR_TEXT(CKA_VALUE, "secret") };
    ck_assert_uint_eq(fake_find(token, probe, 1, found, 2), 0);
}
END_TEST

START_TEST(a_generic_secret_has_a_check_value)
{
    uint8_t check[3];
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class),
                             ATTR_VALUE(CKA_KEY_TYPE, generic), ATTR_TEXT(CKA_VALUE, "abc") };
    ck_assert_rv(create(attrs, 3, &handle), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handle, CKA_CHECK_VALUE, check, 3), 3);
    ck_assert_mem_eq(check, "\xa9\x99\x3e", 3); /* SHA-1 of "abc", FIPS 180 */
}
END_TEST

START_TEST(a_session_public_key_is_its_numbers)
{
    static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    uint8_t point[67];
    uint8_t spki[2][256];
    CK_OBJECT_HANDLE key = fake_find_one(token, CKO_PUBLIC_KEY, "ec");
    CK_OBJECT_HANDLE handle;
    ck_assert_uint_eq(fake_get(token, key, CKA_EC_POINT, point, sizeof(point)), 67);
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, ec),
                             ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
                             ATTR_BYTES(CKA_EC_POINT, point, sizeof(point)) };
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    size_t a = fake_get(token, key, CKA_PUBLIC_KEY_INFO, spki[0], sizeof(spki[0]));
    size_t b = fake_get(token, handle, CKA_PUBLIC_KEY_INFO, spki[1], sizeof(spki[1]));
    ck_assert_uint_eq(a, b);
    ck_assert_mem_eq(spki[0], spki[1], a);
    ck_assert(fake_get_bool(token, handle, CKA_VERIFY));
    ck_assert(!fake_get_bool(token, handle, CKA_ENCRYPT));

    kvp_object *object = NULL;
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    ck_assert_uint_eq(kvp_object_key_type(object), CKK_EC);
    ck_assert_uint_eq(kvp_object_key_bits(object), 256);
    ck_assert_int_eq(kvp_object_curve(object), KVP_CURVE_P256);
    ck_assert_ptr_null(kvp_object_vault_key(object));
    kvp_object_unref(object);
}
END_TEST

START_TEST(numbers_that_are_no_key_are_refused)
{
    static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    static const uint8_t p224[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21 };
    uint8_t point[67] = { 0x04, 0x41, 0x04, 0x01 };
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE off_curve[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, ec),
                                 ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
                                 ATTR_BYTES(CKA_EC_POINT, point, sizeof(point)) };
    CK_ATTRIBUTE curve[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, ec),
                             ATTR_BYTES(CKA_EC_PARAMS, p224, sizeof(p224)),
                             ATTR_BYTES(CKA_EC_POINT, point, sizeof(point)) };
    CK_ATTRIBUTE tiny[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, rsa),
                            ATTR_TEXT(CKA_MODULUS, "\x07"),
                            ATTR_TEXT(CKA_PUBLIC_EXPONENT, "\x03") };
    ck_assert_rv(create(off_curve, 4, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_rv(create(curve, 4, &handle), CKR_CURVE_NOT_SUPPORTED);
    ck_assert_rv(create(tiny, 4, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

START_TEST(a_data_object_is_kept_and_found)
{
    CK_OBJECT_HANDLE handle;
    CK_OBJECT_HANDLE found[4];
    char value[16];
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, data_class), ATTR_TEXT(CKA_LABEL, "note"),
                             ATTR_TEXT(CKA_VALUE, "hello") };
    ck_assert_rv(create(attrs, 3, &handle), CKR_OK);
    ck_assert_uint_eq(fake_find(token, attrs, 2, found, 4), 1);
    ck_assert_uint_eq(found[0], handle);
    ck_assert_uint_eq(fake_get(token, handle, CKA_VALUE, value, sizeof(value)), 5);
    ck_assert_uint_eq(fake_get(token, handle, CKA_APPLICATION, value, sizeof(value)), 0);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(templates_for_what_cannot_be_made_are_refused)
{
    CK_OBJECT_HANDLE handle;
    CK_OBJECT_CLASS trust = 0xce534353UL;
    CK_ATTRIBUTE no_class[] = { ATTR_TEXT(CKA_LABEL, "x") };
    CK_ATTRIBUTE private_key[] = { ATTR_VALUE(CKA_CLASS, private_class),
                                   ATTR_VALUE(CKA_KEY_TYPE, rsa) };
    CK_ATTRIBUTE no_value[] = { ATTR_VALUE(CKA_CLASS, secret_class),
                                ATTR_VALUE(CKA_KEY_TYPE, aes) };
    CK_ATTRIBUTE short_aes[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                                 ATTR_TEXT(CKA_VALUE, "short") };
    CK_ATTRIBUTE on_token[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_TOKEN, yes),
                                ATTR_VALUE(CKA_KEY_TYPE, aes),
                                ATTR_TEXT(CKA_VALUE, "0123456789abcdef") };
    CK_ATTRIBUTE trusted[] = { ATTR_VALUE(CKA_CLASS, secret_class),
                               ATTR_VALUE(CKA_KEY_TYPE, generic), ATTR_TEXT(CKA_VALUE, "x"),
                               ATTR_VALUE(CKA_TRUSTED, yes) };
    CK_ATTRIBUTE unknown[] = { ATTR_VALUE(CKA_CLASS, trust) };
    ck_assert_rv(create(no_class, 1, &handle), CKR_TEMPLATE_INCOMPLETE);
    ck_assert_rv(create(private_key, 2, &handle), CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(create(no_value, 2, &handle), CKR_TEMPLATE_INCOMPLETE);
    ck_assert_rv(create(short_aes, 3, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_rv(create(on_token, 4, &handle), CKR_SESSION_READ_ONLY);
    ck_assert_rv(create(trusted, 4, &handle), CKR_ATTRIBUTE_READ_ONLY);
    ck_assert_rv(create(unknown, 1, &handle), CKR_ATTRIBUTE_VALUE_INVALID);

    kvp_call call = fake_call();
    ck_assert_rv(kvp_object_create(&call, &token->session, on_token, 4, &handle),
                 CKR_TEMPLATE_INCONSISTENT);
    token->config.read_only = true;
    ck_assert_rv(kvp_object_create(&call, &token->session, on_token, 4, &handle),
                 CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(session_objects_end_with_the_session_that_made_them)
{
    CK_OBJECT_HANDLE handle = make_aes();
    kvp_object_store_session_closed(token->slot.objects, token->session.handle);
    ck_assert_rv(fake_get_rv(token, handle, CKA_LABEL), CKR_OK);
    kvp_object_store_session_closed(token->slot.objects, token->reader.handle);
    ck_assert_rv(fake_get_rv(token, handle, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

START_TEST(an_object_in_use_outlives_its_session)
{
    kvp_object *object = NULL;
    CK_OBJECT_HANDLE handle = make_aes();
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    kvp_object_store_session_closed(token->slot.objects, token->reader.handle);
    ck_assert_uint_eq(kvp_object_secret_value(object)->len, 16);
    ck_assert_uint_eq(kvp_object_key_bits(object), 128);
    kvp_object_unref(object);
}
END_TEST

START_TEST(nothing_is_made_in_a_closed_session)
{
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, data_class) };
    token->reader.closed = true;
    ck_assert_rv(create(attrs, 1, &handle), CKR_SESSION_HANDLE_INVALID);
}
END_TEST

START_TEST(a_check_value_must_be_that_of_the_key)
{
    /* FIPS 197's AES of a block of zeros under the key of zeros (also in NIST's KAT vectors). */
    static const uint8_t zeros[16] = { 0 };
    static const uint8_t expected[3] = { 0x66, 0xe9, 0x4b };
    uint8_t check[8];
    CK_OBJECT_HANDLE handle;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_BYTES(CKA_VALUE, zeros, 16),
                             ATTR_BYTES(CKA_CHECK_VALUE, expected, 3) };
    ck_assert_rv(create(attrs, 3, &handle), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handle, CKA_CHECK_VALUE, check, sizeof(check)), 3);
    ck_assert_mem_eq(check, expected, 3);
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    attrs[3].ulValueLen = 0;
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handle, CKA_CHECK_VALUE, check, sizeof(check)), 0);
    attrs[3].ulValueLen = 2;
    ck_assert_rv(create(attrs, 4, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
    attrs[3].ulValueLen = 3;
    attrs[1].pValue = &generic;
    ck_assert_rv(create(attrs, 4, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

START_TEST(a_key_with_a_list_of_mechanisms_takes_no_other)
{
    static const CK_MECHANISM_TYPE list[] = { CKM_AES_CBC, CKM_AES_GCM };
    CK_MECHANISM_TYPE back[4];
    CK_OBJECT_HANDLE handle;
    kvp_object *object = NULL;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_TEXT(CKA_VALUE, "0123456789abcdef"),
                             ATTR_BYTES(CKA_ALLOWED_MECHANISMS, list, sizeof(list)) };
    ck_assert_rv(create(attrs, 4, &handle), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handle, CKA_ALLOWED_MECHANISMS, back, sizeof(back)),
                      sizeof(list));
    ck_assert_mem_eq(back, list, sizeof(list));
    ck_assert_rv(kvp_object_get(&token->session, handle, &object), CKR_OK);
    ck_assert(kvp_object_takes_mechanism(object, CKM_AES_GCM));
    ck_assert(!kvp_object_takes_mechanism(object, CKM_AES_CBC_PAD));
    kvp_object_unref(object);
}
END_TEST

START_TEST(an_unwrapped_key_is_a_session_key)
{
    kvp_call call = fake_call();
    CK_OBJECT_HANDLE handle;
    CK_ULONG len = 16;
    CK_ULONG wrong = 32;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_VALUE(CKA_DECRYPT, yes), ATTR_VALUE(CKA_VALUE_LEN, len) };
    ck_assert_rv(kvp_object_create_secret(&call, &token->reader, "0123456789abcdef", 16, attrs, 4,
                                          &handle),
                 CKR_OK);
    ck_assert(fake_get_bool(token, handle, CKA_DECRYPT));
    ck_assert(!fake_get_bool(token, handle, CKA_ENCRYPT));
    fake_get(token, handle, CKA_VALUE_LEN, &len, sizeof(len));
    ck_assert_uint_eq(len, 16);

    attrs[3].pValue = &wrong;
    ck_assert_rv(kvp_object_create_secret(&call, &token->reader, "0123456789abcdef", 16, attrs, 4,
                                          &handle),
                 CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(kvp_object_create_secret(&call, &token->reader, "0123456789abcdef", 16, attrs, 1,
                                          &handle),
                 CKR_TEMPLATE_INCOMPLETE);
    CK_ATTRIBUTE with_value[] = { ATTR_VALUE(CKA_KEY_TYPE, aes), ATTR_TEXT(CKA_VALUE, "x") };
    ck_assert_rv(kvp_object_create_secret(&call, &token->reader, "0123456789abcdef", 16, with_value,
                                          2, &handle),
                 CKR_ATTRIBUTE_READ_ONLY);
}
END_TEST

START_TEST(short_memory_makes_no_object)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class), ATTR_VALUE(CKA_KEY_TYPE, aes),
                             ATTR_TEXT(CKA_VALUE, "0123456789abcdef"), ATTR_VALUE(CKA_SIGN, no) };
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE found[64];
    for (long n = 0;; n++) {
        kvp_alloc_fail_after(n);
        CK_RV rv = create(attrs, 4, &handle);
        kvp_alloc_fail_after(-1);
        CK_ATTRIBUTE by_class[] = { ATTR_VALUE(CKA_CLASS, secret_class) };
        if (rv == CKR_OK) {
            ck_assert_int_gt(n, 5);
            ck_assert_uint_eq(fake_find(token, by_class, 1, found, 64), 1);
            break;
        }
        ck_assert_rv(rv, CKR_HOST_MEMORY);
        ck_assert_uint_eq(fake_find(token, by_class, 1, found, 64), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("object");
    TCase *tc = tcase_create("attributes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_attribute_is_processed_after_one_fails);
    tcase_add_test(tc, a_type_that_is_not_there_weighs_more_than_a_short_buffer);
    tcase_add_test(tc, a_null_buffer_asks_for_the_length);
    tcase_add_test(tc, lengths_and_values_of_a_known_key_cost_nothing);
    tcase_add_test(tc, an_unknown_handle_is_invalid);
    tcase_add_test(tc, handles_are_unique_across_slots);
    tcase_add_test(tc, a_key_lists_its_mechanisms);
    tcase_add_test(tc, a_failed_read_leaves_the_object_for_another_try);
    tcase_add_test(tc, a_document_in_use_outlives_its_replacement);
    tcase_add_test(tc, operations_learn_what_they_need);
    tcase_add_test(tc, an_object_has_a_size);
    suite_add_tcase(suite, tc);
    tc = tcase_create("session objects");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_session_secret_key_has_the_standards_attributes);
    tcase_add_test(tc, a_sensitive_session_key_keeps_its_value);
    tcase_add_test(tc, a_generic_secret_has_a_check_value);
    tcase_add_test(tc, a_session_public_key_is_its_numbers);
    tcase_add_test(tc, numbers_that_are_no_key_are_refused);
    tcase_add_test(tc, a_data_object_is_kept_and_found);
    tcase_add_test(tc, templates_for_what_cannot_be_made_are_refused);
    tcase_add_test(tc, session_objects_end_with_the_session_that_made_them);
    tcase_add_test(tc, an_object_in_use_outlives_its_session);
    tcase_add_test(tc, nothing_is_made_in_a_closed_session);
    tcase_add_test(tc, a_check_value_must_be_that_of_the_key);
    tcase_add_test(tc, a_key_with_a_list_of_mechanisms_takes_no_other);
    tcase_add_test(tc, an_unwrapped_key_is_a_session_key);
    tcase_add_test(tc, short_memory_makes_no_object);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
