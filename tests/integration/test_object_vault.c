/* SPDX-License-Identifier: MIT */
/* Attributes, changes and deletion of keys in a vault, and session objects beside them. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include "kvpkcs11/vendor.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_OBJECT_CLASS data_class = CKO_DATA;
static CK_KEY_TYPE aes = CKK_AES;

static CK_RV get_in(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                    void *ret, CK_ULONG *len)
{
    CK_ATTRIBUTE attr = { type, ret, *len };
    CK_RV rv = p11->C_GetAttributeValue(session, object, &attr, 1);
    *len = attr.ulValueLen;
    return rv;
}

static CK_ULONG get(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *ret, CK_ULONG size)
{
    assert_rv(CKR_OK, get_in(module_session, object, type, ret, &size));
    return size;
}

static bool is_true(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = 2;
    ck_assert_uint_eq(get(object, type, &value, sizeof(value)), 1);
    return value == CK_TRUE;
}

static json_t *document_of(const char *name)
{
    char path[128];
    json_t *answer = NULL;
    snprintf(path, sizeof(path), "/keys/%s", name);
    ck_assert_int_eq(keyvaultd_rest("GET", path, NULL, &answer), 200);
    return answer;
}

static CK_OBJECT_HANDLE existing(CK_OBJECT_CLASS cls, const char *label)
{
    CK_OBJECT_HANDLE object = module_find(module_session, cls, label);
    ck_assert_msg(object != CK_INVALID_HANDLE, "%s", label);
    return object;
}

/* ---- reading ---- */

START_TEST(an_rsa_pair_says_what_is_true)
{
    CK_OBJECT_HANDLE private_key = existing(CKO_PRIVATE_KEY, "rsa");
    CK_OBJECT_HANDLE public_key = existing(CKO_PUBLIC_KEY, "rsa");
    unsigned char modulus[2][512];
    unsigned char exponent[8];
    CK_ULONG bits = 0;

    ck_assert_uint_eq(get(private_key, CKA_MODULUS, modulus[0], 512), 256);
    ck_assert_uint_eq(get(public_key, CKA_MODULUS, modulus[1], 512), 256);
    ck_assert_mem_eq(modulus[0], modulus[1], 256);
    ck_assert_uint_eq(get(public_key, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)), 3);
    get(public_key, CKA_MODULUS_BITS, &bits, sizeof(bits));
    ck_assert_uint_eq(bits, 2048);
    ck_assert(is_true(private_key, CKA_TOKEN) && is_true(public_key, CKA_TOKEN));
    ck_assert(!is_true(private_key, CKA_PRIVATE));
    ck_assert(is_true(private_key, CKA_SENSITIVE));
    ck_assert(!is_true(private_key, CKA_EXTRACTABLE));
    ck_assert(is_true(private_key, CKA_NEVER_EXTRACTABLE));
    ck_assert(!is_true(private_key, CKA_ALWAYS_AUTHENTICATE));
    ck_assert(is_true(private_key, CKA_SIGN) && is_true(private_key, CKA_DECRYPT));
    ck_assert(is_true(public_key, CKA_VERIFY) && is_true(public_key, CKA_WRAP));
}
END_TEST

START_TEST(pair_and_identifier_belong_together)
{
    CK_OBJECT_HANDLE private_key = existing(CKO_PRIVATE_KEY, "ec");
    CK_OBJECT_HANDLE public_key = existing(CKO_PUBLIC_KEY, "ec");
    char id[2][64];
    char kid[256];
    json_t *document = document_of("ec");

    ck_assert_uint_eq(get(private_key, CKA_ID, id[0], 64), 2);
    ck_assert_uint_eq(get(public_key, CKA_ID, id[1], 64), 2);
    ck_assert_mem_eq(id[0], "ec", 2);
    ck_assert_mem_eq(id[1], "ec", 2);
    kid[get(private_key, CKA_KVP_KEY_ID, kid, sizeof(kid) - 1)] = '\0';
    ck_assert_str_eq(kid,
                     json_string_value(json_object_get(json_object_get(document, "key"), "kid")));
    json_decref(document);
}
END_TEST

START_TEST(private_parts_are_sensitive_and_the_rest_is_filled)
{
    unsigned char modulus[256];
    unsigned char secret[8][256];
    CK_ATTRIBUTE attrs[] = {
        { CKA_PRIVATE_EXPONENT, secret[0], 256 }, { CKA_PRIME_1, secret[1], 256 },
        { CKA_PRIME_2, secret[2], 256 },          { CKA_MODULUS, modulus, sizeof(modulus) },
        { CKA_COEFFICIENT, secret[3], 256 },
    };
    CK_OBJECT_HANDLE object = existing(CKO_PRIVATE_KEY, "rsa");
    assert_rv(CKR_ATTRIBUTE_SENSITIVE,
              p11->C_GetAttributeValue(module_session, object, attrs, 5));
    ck_assert_uint_eq(attrs[3].ulValueLen, 256);
    ck_assert_uint_eq(attrs[4].ulValueLen, CK_UNAVAILABLE_INFORMATION);
}
END_TEST

/* §5.7.5, the special case of an array of attributes: there are none, for which any room does. */
START_TEST(templates_of_a_key_are_empty_whatever_the_room)
{
    CK_ATTRIBUTE inner[2] = { { CKA_LABEL, NULL, 7 }, { CKA_ID, NULL, 8 } };
    CK_ATTRIBUTE attrs[] = { { CKA_UNWRAP_TEMPLATE, NULL, 3 },
                             { CKA_UNWRAP_TEMPLATE, inner, sizeof(inner) },
                             { CKA_UNWRAP_TEMPLATE, inner, 0 } };
    CK_OBJECT_HANDLE object = existing(CKO_PRIVATE_KEY, "rsa");

    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, attrs, 3));
    for (size_t i = 0; i < KVP_ARRAY_LEN(attrs); i++)
        ck_assert_uint_eq(attrs[i].ulValueLen, 0);
    ck_assert_uint_eq(inner[0].ulValueLen, 7);
    ck_assert_uint_eq(inner[1].type, CKA_ID);
}
END_TEST

START_TEST(arguments_are_checked_in_order)
{
    CK_OBJECT_HANDLE object = existing(CKO_PRIVATE_KEY, "ec");
    CK_ATTRIBUTE attr = { CKA_LABEL, NULL, 0 };
    CK_ULONG n;
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetAttributeValue(99, object, &attr, 1));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetAttributeValue(module_session, object, NULL, 1));
    assert_rv(CKR_OBJECT_HANDLE_INVALID,
              p11->C_GetAttributeValue(module_session, 1UL << 40, &attr, 1));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetObjectSize(module_session, object, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_FindObjectsInit(module_session, NULL, 1));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(module_session, &object, 1, &n));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(module_session));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_CreateObject(module_session, NULL, 1, &object));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_CreateObject(module_session, &attr, 1, NULL));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(module_session, CK_INVALID_HANDLE));
}
END_TEST

START_TEST(a_key_that_cannot_sign_is_not_found_as_one_that_can)
{
    char label[] = "verify-only";
    CK_ATTRIBUTE attrs[] = { { CKA_LABEL, label, sizeof(label) - 1 },
                             { CKA_SIGN, &yes, sizeof(yes) } };
    CK_ULONG n = 9;
    CK_OBJECT_HANDLE object;
    json_t *body = json_pack("{s:s,s:s,s:[s]}", "kty", "EC", "crv", "P-256", "key_ops", "verify");
    ck_assert_int_eq(keyvaultd_rest("POST", "/keys/verify-only/create", body, NULL), 200);
    json_decref(body);
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attrs, 2));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, &object, 1, &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    ck_assert_uint_eq(n, 0);
    ck_assert(!is_true(existing(CKO_PRIVATE_KEY, label), CKA_SIGN));
}
END_TEST

/* ---- changing ---- */

START_TEST(label_and_usage_are_changed_in_the_vault)
{
    char label[] = "Renamed key";
    CK_OBJECT_HANDLE object = existing(CKO_PRIVATE_KEY, "changing");
    CK_ATTRIBUTE attrs[] = { { CKA_LABEL, label, sizeof(label) - 1 },
                             { CKA_DECRYPT, &no, sizeof(no) } };
    assert_rv(CKR_OK, p11->C_SetAttributeValue(module_session, object, attrs, 2));

    json_t *document = document_of("changing");
    json_t *ops = json_object_get(json_object_get(document, "key"), "key_ops");
    json_t *tags = json_object_get(document, "tags");
    ck_assert_str_eq(json_string_value(json_object_get(tags, "pkcs11-label")), label);
    ck_assert_uint_eq(json_array_size(ops), 5);
    json_decref(document);
    ck_assert(!is_true(object, CKA_DECRYPT));
    ck_assert_uint_eq(existing(CKO_PRIVATE_KEY, label), object);
}
END_TEST

START_TEST(a_read_only_session_changes_nothing)
{
    char label[] = "x";
    CK_ATTRIBUTE attr = { CKA_LABEL, label, 1 };
    CK_SESSION_HANDLE session = module_open_session(0);
    CK_OBJECT_HANDLE object = existing(CKO_PRIVATE_KEY, "ec");
    size_t before = keyvaultd_requests("KeyUpdate") + keyvaultd_requests("KeyDelete");
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_SetAttributeValue(session, object, &attr, 1));
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_DestroyObject(session, object));
    ck_assert_uint_eq(keyvaultd_requests("KeyUpdate") + keyvaultd_requests("KeyDelete"), before);
}
END_TEST

START_TEST(destroying_the_private_key_deletes_it_softly)
{
    CK_OBJECT_HANDLE private_key = existing(CKO_PRIVATE_KEY, "doomed");
    CK_OBJECT_HANDLE public_key = existing(CKO_PUBLIC_KEY, "doomed");
    char label[16];
    CK_ULONG len = sizeof(label);
    assert_rv(CKR_ACTION_PROHIBITED, p11->C_DestroyObject(module_session, public_key));
    ck_assert_int_eq(keyvaultd_rest("GET", "/keys/doomed", NULL, NULL), 200);
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, private_key));
    ck_assert_int_eq(keyvaultd_rest("GET", "/keys/doomed", NULL, NULL), 404);
    ck_assert_int_eq(keyvaultd_rest("GET", "/deletedkeys/doomed", NULL, NULL), 200);
    assert_rv(CKR_OBJECT_HANDLE_INVALID,
              get_in(module_session, public_key, CKA_LABEL, label, &len));
    ck_assert(module_find(module_session, CKO_PUBLIC_KEY, "doomed") == CK_INVALID_HANDLE);
    /* Who destroys a pair object by object, private key first, is not told that it is gone. */
    CK_SESSION_HANDLE reader = module_open_session(0);
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(reader, public_key));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(module_session, private_key));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, public_key));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(module_session, public_key));
}
END_TEST

START_TEST(a_key_of_the_vault_is_not_copied)
{
    CK_OBJECT_HANDLE copy;
    CK_ATTRIBUTE attr = { CKA_TOKEN, &no, sizeof(no) };
    assert_rv(CKR_ACTION_PROHIBITED,
              p11->C_CopyObject(module_session, existing(CKO_PRIVATE_KEY, "ec"), &attr, 1, &copy));
}
END_TEST

/* ---- session objects ---- */

START_TEST(session_objects_are_of_all_sessions_and_end_with_theirs)
{
    CK_OBJECT_HANDLE object;
    char note[] = "note";
    unsigned char value[16];
    CK_ULONG len = sizeof(value);
    CK_SESSION_HANDLE maker = module_open_session(0);
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &data_class, sizeof(data_class) },
                             { CKA_LABEL, note, 4 },
                             { CKA_VALUE, note, 4 } };
    assert_rv(CKR_OK, p11->C_CreateObject(maker, attrs, 3, &object));
    ck_assert_uint_eq(existing(CKO_DATA, note), object);
    assert_rv(CKR_OK, get_in(module_session, object, CKA_VALUE, value, &len));
    ck_assert_uint_eq(len, 4);
    assert_rv(CKR_OK, p11->C_CloseSession(maker));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, get_in(module_session, object, CKA_VALUE, value, &len));
}
END_TEST

START_TEST(a_session_key_works)
{
    unsigned char iv[16] = { 0 };
    unsigned char plain[16] = "sixteen bytes..";
    unsigned char cipher[16];
    unsigned char back[16];
    CK_ULONG len = sizeof(cipher);
    CK_OBJECT_HANDLE key;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) };
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &secret_class, sizeof(secret_class) },
                             { CKA_KEY_TYPE, &aes, sizeof(aes) },
                             { CKA_VALUE, plain, sizeof(plain) } };
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, attrs, 3, &key));
    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &cbc, key));
    assert_rv(CKR_OK, p11->C_Encrypt(module_session, plain, sizeof(plain), cipher, &len));
    ck_assert_mem_ne(cipher, plain, sizeof(plain));
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &cbc, key));
    len = sizeof(back);
    assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, sizeof(cipher), back, &len));
    ck_assert_mem_eq(back, plain, sizeof(plain));
}
END_TEST

START_TEST(a_session_key_takes_the_mechanisms_of_its_list_only)
{
    static const CK_MECHANISM_TYPE allowed[] = { CKM_AES_CBC };
    unsigned char iv[16] = { 0 };
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) };
    CK_MECHANISM cbc_pad = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &secret_class, sizeof(secret_class) },
        { CKA_KEY_TYPE, &aes, sizeof(aes) },
        { CKA_VALUE, (void *)(uintptr_t) "0123456789abcdef", 16 },
        { CKA_ALLOWED_MECHANISMS, (void *)(uintptr_t)allowed, sizeof(allowed) },
    };
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, attrs, 4, &key));
    assert_rv(CKR_MECHANISM_INVALID, p11->C_EncryptInit(module_session, &cbc_pad, key));
    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &cbc, key));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("object_vault");
    TCase *reading = tcase_create("reading");
    TCase *changing = tcase_create("changing");
    TCase *session = tcase_create("session objects");

    keyvaultd_start("vault");
    module_load();
    keyvaultd_create_key("rsa", "RSA", 2048, NULL);
    keyvaultd_create_key("ec", "EC", 0, "P-256");
    keyvaultd_create_key("changing", "RSA", 2048, NULL);
    keyvaultd_create_key("doomed", "EC", 0, "P-256");

    tcase_add_checked_fixture(reading, module_setup, module_teardown);
    tcase_add_test(reading, an_rsa_pair_says_what_is_true);
    tcase_add_test(reading, pair_and_identifier_belong_together);
    tcase_add_test(reading, private_parts_are_sensitive_and_the_rest_is_filled);
    tcase_add_test(reading, templates_of_a_key_are_empty_whatever_the_room);
    tcase_add_test(reading, arguments_are_checked_in_order);
    tcase_add_test(reading, a_key_that_cannot_sign_is_not_found_as_one_that_can);
    tcase_add_checked_fixture(changing, module_setup, module_teardown);
    tcase_add_test(changing, label_and_usage_are_changed_in_the_vault);
    tcase_add_test(changing, a_read_only_session_changes_nothing);
    tcase_add_test(changing, destroying_the_private_key_deletes_it_softly);
    tcase_add_test(changing, a_key_of_the_vault_is_not_copied);
    tcase_add_checked_fixture(session, module_setup, module_teardown);
    tcase_add_test(session, session_objects_are_of_all_sessions_and_end_with_theirs);
    tcase_add_test(session, a_session_key_works);
    tcase_add_test(session, a_session_key_takes_the_mechanisms_of_its_list_only);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, changing);
    suite_add_tcase(suite, session);
    return module_run_suite(suite);
}
