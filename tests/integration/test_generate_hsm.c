/* SPDX-License-Identifier: MIT */
/* A Managed HSM: secret keys among the pairs, made, found and used. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include "kvpkcs11/vendor.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;

START_TEST(an_aes_key_is_made_in_the_hsm_and_encrypts)
{
    CK_MECHANISM generation = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    char label[] = "aes";
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE attrs[] = { { CKA_VALUE_LEN, &len, sizeof(len) },
                             { CKA_TOKEN, &yes, sizeof(yes) },
                             { CKA_LABEL, label, 3 },
                             { CKA_ENCRYPT, &yes, sizeof(yes) },
                             { CKA_DECRYPT, &yes, sizeof(yes) } };
    assert_rv(CKR_OK, p11->C_GenerateKey(module_session, &generation, attrs, 5, &key));
    ck_assert_uint_eq(module_find(module_session, CKO_SECRET_KEY, label), key);

    unsigned char iv[16] = { 1, 2, 3 };
    unsigned char plain[16] = "fifteen letters";
    unsigned char cipher[32];
    unsigned char back[32];
    CK_ULONG cipher_len = sizeof(cipher);
    CK_ULONG back_len = sizeof(back);
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) };
    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &cbc, key));
    assert_rv(CKR_OK, p11->C_Encrypt(module_session, plain, sizeof(plain), cipher, &cipher_len));
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &cbc, key));
    assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, cipher_len, back, &back_len));
    ck_assert_uint_eq(back_len, sizeof(plain));
    ck_assert_mem_eq(back, plain, sizeof(plain));

    CK_ATTRIBUTE value = { CKA_VALUE, back, sizeof(back) };
    assert_rv(CKR_ATTRIBUTE_SENSITIVE,
              p11->C_GetAttributeValue(module_session, key, &value, 1));
    CK_BBOOL hsm = CK_FALSE;
    CK_ATTRIBUTE in_hsm = { CKA_KVP_HSM, &hsm, sizeof(hsm) };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, key, &in_hsm, 1));
    ck_assert(hsm == CK_TRUE);
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, key));
}
END_TEST

START_TEST(classes_of_a_managed_hsm_come_from_the_documents)
{
    CK_OBJECT_HANDLE found[16];
    CK_ULONG n = 0;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &secret_class, sizeof(secret_class) } };
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, NULL, 0));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, found, 16, &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    ck_assert_uint_eq(n, 3 + 3); /* a pair, a secret key, and the token's profiles */
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attrs, 1));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, found, 16, &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    ck_assert_uint_eq(n, 1);
}
END_TEST

/* AES-CBC of the same bytes, here and in the HSM. */
static void encrypt_block(CK_OBJECT_HANDLE key, unsigned char ret[16])
{
    unsigned char iv[16] = { 9 };
    unsigned char plain[16] = "sixteen letters";
    CK_ULONG len = 16;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof(iv) };
    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &cbc, key));
    assert_rv(CKR_OK, p11->C_Encrypt(module_session, plain, sizeof(plain), ret, &len));
    ck_assert_uint_eq(len, 16);
}

START_TEST(a_secret_key_of_the_applications_works_in_the_hsm)
{
    static CK_BBOOL no = CK_FALSE;
    static CK_KEY_TYPE aes = CKK_AES;
    unsigned char value[32] = "a key of thirty-two bytes, known";
    unsigned char here[16];
    unsigned char there[16];
    CK_OBJECT_HANDLE key;
    CK_OBJECT_HANDLE session_key;
    CK_OBJECT_HANDLE copy;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &secret_class, sizeof(secret_class) },
                             { CKA_KEY_TYPE, &aes, sizeof(aes) },
                             { CKA_VALUE, value, sizeof(value) },
                             { CKA_EXTRACTABLE, &no, sizeof(no) },
                             { CKA_TOKEN, &yes, sizeof(yes) },
                             { CKA_LABEL, (void *)(uintptr_t) "imported", 8 } };
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, attrs, 6, &key));
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, attrs, 4, &session_key));
    encrypt_block(key, there);
    encrypt_block(session_key, here);
    ck_assert_mem_eq(here, there, 16);
    ck_assert_uint_eq(module_find(module_session, CKO_SECRET_KEY, "imported"), key);

    /* So does a copy of the session's key. */
    attrs[5].pValue = (void *)(uintptr_t) "copied!!";
    assert_rv(CKR_OK, p11->C_CopyObject(module_session, session_key, &attrs[4], 2, &copy));
    encrypt_block(copy, there);
    ck_assert_mem_eq(here, there, 16);
    CK_ATTRIBUTE secret = { CKA_VALUE, value, sizeof(value) };
    assert_rv(CKR_ATTRIBUTE_SENSITIVE,
              p11->C_GetAttributeValue(module_session, copy, &secret, 1));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, copy));
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, key));
}
END_TEST

START_TEST(a_managed_hsm_keeps_no_data)
{
    static CK_OBJECT_CLASS data_class = CKO_DATA;
    CK_OBJECT_HANDLE object;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &data_class, sizeof(data_class) },
                             { CKA_TOKEN, &yes, sizeof(yes) } };
    size_t before = keyvaultd_requests(NULL);
    assert_rv(CKR_TEMPLATE_INCONSISTENT, p11->C_CreateObject(module_session, attrs, 2, &object));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generate_hsm");
    TCase *secrets = tcase_create("secret keys");
    json_t *body = json_pack("{s:s,s:i}", "kty", "oct-HSM", "key_size", 256);

    keyvaultd_start("managed-hsm");
    module_load();
    keyvaultd_create_key("pair", "EC", 0, "P-256");
    if (keyvaultd_rest("POST", "/keys/wrapper/create", body, NULL) != 200)
        return 1;
    json_decref(body);
    tcase_add_checked_fixture(secrets, module_setup, module_teardown);
    tcase_add_test(secrets, classes_of_a_managed_hsm_come_from_the_documents);
    tcase_add_test(secrets, an_aes_key_is_made_in_the_hsm_and_encrypts);
    tcase_add_test(secrets, a_secret_key_of_the_applications_works_in_the_hsm);
    tcase_add_test(secrets, a_managed_hsm_keeps_no_data);
    suite_add_tcase(suite, secrets);
    return module_run_suite(suite);
}
