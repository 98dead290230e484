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
    ck_assert_uint_eq(n, 3 + 1); /* a pair, a secret key, and the token's profile */
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attrs, 1));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, found, 16, &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    ck_assert_uint_eq(n, 1);
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
    suite_add_tcase(suite, secrets);
    return module_run_suite(suite);
}
