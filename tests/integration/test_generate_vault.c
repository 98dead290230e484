/* SPDX-License-Identifier: MIT */
/* Keys that the module has the vault make: found afterwards, usable, and never over another key. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include "kvpkcs11/vendor.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

static const struct {
    const char *name, *jwk;
    unsigned char oid[10];
    CK_ULONG oid_len, signature_len;
} curves[] = {
    { "p256", "P-256", { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, 10, 64 },
    { "p384", "P-384", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 }, 7, 96 },
    { "p521", "P-521", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 }, 7, 132 },
    { "p256k", "P-256K", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a }, 7, 64 },
};

static CK_RV generate_ec(CK_SESSION_HANDLE session, size_t curve, const char *label,
                         CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    void *text = (void *)(uintptr_t)label;
    CK_ATTRIBUTE pub[] = {
        { CKA_EC_PARAMS, (void *)(uintptr_t)curves[curve].oid, curves[curve].oid_len },
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_VERIFY, &yes, sizeof(yes) },
        { CKA_LABEL, text, strlen(label) },
    };
    CK_ATTRIBUTE priv[] = {
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_PRIVATE, &yes, sizeof(yes) },
        { CKA_SIGN, &yes, sizeof(yes) },
        { CKA_LABEL, text, strlen(label) },
    };
    return p11->C_GenerateKeyPair(session, &mechanism, pub, 4, priv, 4, public_key, private_key);
}

static void sign_and_verify(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE public_key,
                            CK_OBJECT_HANDLE private_key, CK_ULONG signature_len)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    unsigned char data[] = "to be signed";
    unsigned char signature[512];
    CK_ULONG len = sizeof(signature);
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, private_key));
    assert_rv(CKR_OK, p11->C_Sign(module_session, data, sizeof(data), signature, &len));
    ck_assert_uint_eq(len, signature_len);
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, public_key));
    assert_rv(CKR_OK, p11->C_Verify(module_session, data, sizeof(data), signature, len));
}

START_TEST(an_ec_pair_of_every_curve_signs)
{
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
    char path[64];
    json_t *answer = NULL;
    assert_rv(CKR_OK, generate_ec(module_session, (size_t)_i, curves[_i].name, &public_key,
                                  &private_key));
    sign_and_verify(CKM_ECDSA_SHA256, public_key, private_key, curves[_i].signature_len);

    snprintf(path, sizeof(path), "/keys/%s", curves[_i].name);
    ck_assert_int_eq(keyvaultd_rest("GET", path, NULL, &answer), 200);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(answer, "key"), "crv")),
                     curves[_i].jwk);
    json_decref(answer);
}
END_TEST

START_TEST(an_rsa_pair_signs_and_is_found_without_another_request)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 3072;
    char label[] = "rsa-3072";
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
    CK_ATTRIBUTE pub[] = { { CKA_MODULUS_BITS, &bits, sizeof(bits) } };
    CK_ATTRIBUTE priv[] = { { CKA_TOKEN, &yes, sizeof(yes) },
                            { CKA_LABEL, label, sizeof(label) - 1 } };
    assert_rv(CKR_OK, p11->C_GenerateKeyPair(module_session, &mechanism, pub, 1, priv, 2,
                                             &public_key, &private_key));
    size_t before = keyvaultd_requests(NULL);
    ck_assert_uint_eq(module_find(module_session, CKO_PRIVATE_KEY, label), private_key);
    ck_assert_uint_eq(module_find(module_session, CKO_PUBLIC_KEY, label), public_key);
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
    sign_and_verify(CKM_SHA256_RSA_PKCS, public_key, private_key, 384);
    ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);
}
END_TEST

START_TEST(a_label_for_people_is_kept_in_a_tag)
{
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
    char label[64] = { 0 };
    CK_ATTRIBUTE attr = { CKA_LABEL, label, sizeof(label) - 1 };
    assert_rv(CKR_OK, generate_ec(module_session, 0, "Schl\xc3\xbcssel 1", &public_key,
                                  &private_key));
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, private_key, &attr, 1));
    ck_assert_str_eq(label, "Schl\xc3\xbcssel 1");
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
    module_setup();
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "Schl\xc3\xbcssel 1") !=
              CK_INVALID_HANDLE);
}
END_TEST

START_TEST(a_name_that_is_taken_is_left_alone)
{
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
    json_t *before = NULL;
    json_t *after = NULL;
    keyvaultd_create_key("taken", "EC", 0, "P-256");
    ck_assert_int_eq(keyvaultd_rest("GET", "/keys/taken", NULL, &before), 200);
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              generate_ec(module_session, 0, "taken", &public_key, &private_key));
    ck_assert_int_eq(keyvaultd_rest("GET", "/keys/taken", NULL, &after), 200);
    ck_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);

    ck_assert_int_eq(keyvaultd_rest("DELETE", "/keys/taken", NULL, NULL), 200);
    assert_rv(CKR_FUNCTION_REJECTED,
              generate_ec(module_session, 0, "taken", &public_key, &private_key));
}
END_TEST

START_TEST(what_cannot_be_made_costs_no_request)
{
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
    CK_MECHANISM rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM unknown = { CKM_DSA_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 1024;
    CK_ATTRIBUTE pub[] = { { CKA_MODULUS_BITS, &bits, sizeof(bits) } };
    CK_ATTRIBUTE priv[] = { { CKA_TOKEN, &yes, sizeof(yes) } };
    CK_ATTRIBUTE session_key[] = { { CKA_TOKEN, &no, sizeof(no) } };
    CK_SESSION_HANDLE reader = module_open_session(0);
    size_t before = keyvaultd_requests(NULL);

    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              p11->C_GenerateKeyPair(module_session, &rsa, pub, 1, priv, 1, &public_key,
                                     &private_key));
    bits = 2048;
    assert_rv(CKR_TEMPLATE_INCONSISTENT,
              p11->C_GenerateKeyPair(module_session, &rsa, pub, 1, session_key, 1, &public_key,
                                     &private_key));
    assert_rv(CKR_TEMPLATE_INCOMPLETE,
              p11->C_GenerateKeyPair(module_session, &rsa, NULL, 0, priv, 1, &public_key,
                                     &private_key));
    assert_rv(CKR_MECHANISM_INVALID,
              p11->C_GenerateKeyPair(module_session, &unknown, pub, 1, priv, 1, &public_key,
                                     &private_key));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(module_session, &rsa, pub, 1, priv, 1, NULL,
                                                        &private_key));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(module_session, NULL, pub, 1, priv, 1,
                                                        &public_key, &private_key));
    assert_rv(CKR_SESSION_READ_ONLY, generate_ec(reader, 0, "reader", &public_key, &private_key));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

START_TEST(a_session_aes_key_is_made_here)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 16;
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE attrs[] = { { CKA_VALUE_LEN, &len, sizeof(len) } };
    size_t before = keyvaultd_requests(NULL);
    assert_rv(CKR_OK, p11->C_GenerateKey(module_session, &mechanism, attrs, 1, &key));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(module_session, NULL, attrs, 1, &key));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(module_session, &mechanism, attrs, 1, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(module_session, &mechanism, NULL, 1, &key));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generate_vault");
    TCase *pairs = tcase_create("pairs");

    keyvaultd_start("vault");
    module_load();
    tcase_add_checked_fixture(pairs, module_setup, module_teardown);
    tcase_set_timeout(pairs, 60);
    tcase_add_loop_test(pairs, an_ec_pair_of_every_curve_signs, 0, KVP_ARRAY_LEN(curves));
    tcase_add_test(pairs, an_rsa_pair_signs_and_is_found_without_another_request);
    tcase_add_test(pairs, a_label_for_people_is_kept_in_a_tag);
    tcase_add_test(pairs, a_name_that_is_taken_is_left_alone);
    tcase_add_test(pairs, what_cannot_be_made_costs_no_request);
    tcase_add_test(pairs, a_session_aes_key_is_made_here);
    suite_add_tcase(suite, pairs);
    return module_run_suite(suite);
}
