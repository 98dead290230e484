/* SPDX-License-Identifier: MIT */
/*
 * Encryption and decryption, wrapping and unwrapping with RSA keys: what OpenSSL encrypts the vault
 * decrypts, what the module encrypts OpenSSL decrypts.
 */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static CK_RSA_PKCS_OAEP_PARAMS oaep1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_RSA_PKCS_OAEP_PARAMS oaep256 = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL,
                                           0 };
static CK_RSA_PKCS_OAEP_PARAMS oaep0 = { 0, 0, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_BYTE label[] = "label";
static CK_RSA_PKCS_OAEP_PARAMS oaep_label = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
                                              label, 5 };
static CK_RSA_PKCS_OAEP_PARAMS oaep384 = { CKM_SHA384, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, NULL,
                                           0 };

static const struct {
    CK_MECHANISM mechanism;
    const char *hash; /* NULL: PKCS #1 v1.5 */
    CK_ULONG overhead;
} paddings[] = {
    { { CKM_RSA_PKCS, NULL, 0 }, NULL, 11 },
    { { CKM_RSA_PKCS_OAEP, &oaep1, sizeof(oaep1) }, "SHA1", 42 },
    { { CKM_RSA_PKCS_OAEP, &oaep256, sizeof(oaep256) }, "SHA256", 66 },
    { { CKM_RSA_PKCS_OAEP, &oaep0, sizeof(oaep0) }, "SHA1", 42 },
};

/* Loop over paddings and the RSA keys, which come first. */
static int combinations(void)
{
    return (int)(KVP_ARRAY_LEN(paddings) * 3);
}

static void configure(EVP_PKEY_CTX *ctx, const char *hash)
{
    ck_assert_int_eq(
        EVP_PKEY_CTX_set_rsa_padding(ctx, hash ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING), 1);
    if (hash) {
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_get_digestbyname(hash)), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(hash)), 1);
    }
}

static size_t openssl_encrypts(EVP_PKEY *pkey, const char *hash, const unsigned char *in,
                               size_t len, unsigned char *ret)
{
    size_t ret_len = 1024;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_encrypt_init(ctx), 1);
    configure(ctx, hash);
    ck_assert_int_eq(EVP_PKEY_encrypt(ctx, ret, &ret_len, in, len), 1);
    EVP_PKEY_CTX_free(ctx);
    return ret_len;
}

static size_t openssl_decrypts(EVP_PKEY *pkey, const char *hash, const unsigned char *in,
                               size_t len, unsigned char *ret)
{
    size_t ret_len = 1024;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_decrypt_init(ctx), 1);
    configure(ctx, hash);
    ck_assert_int_eq(EVP_PKEY_decrypt(ctx, ret, &ret_len, in, len), 1);
    EVP_PKEY_CTX_free(ctx);
    return ret_len;
}

START_TEST(what_openssl_encrypts_the_vault_decrypts)
{
    const ops_key *key = &ops_keys[_i % 3];
    CK_MECHANISM mechanism = paddings[_i / 3].mechanism;
    CK_ULONG k = key->rsa_bits / 8, most = k - paddings[_i / 3].overhead;
    const CK_ULONG lengths[] = { 0, 1, 32, most };
    unsigned char data[512], cipher[1024], plain[512];
    EVP_PKEY *from_token = ops_public_from_token(key);
    CK_OBJECT_HANDLE private = ops_private(key);
    memset(data, 0x4d, sizeof(data));

    for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++) {
        size_t cipher_len =
            openssl_encrypts(from_token, paddings[_i / 3].hash, data, lengths[i], cipher);
        size_t before = keyvaultd_requests(NULL);
        CK_ULONG len = 0;
        assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &mechanism, private));
        assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, cipher_len, NULL, &len));
        ck_assert_uint_eq(len, k);
        len = most - 1;
        assert_rv(CKR_BUFFER_TOO_SMALL,
                  p11->C_Decrypt(module_session, cipher, cipher_len, plain, &len));
        ck_assert_uint_eq(len, most);
        ck_assert_uint_eq(keyvaultd_requests(NULL), before);
        assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, cipher_len, plain, &len));
        ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);
        ck_assert_uint_eq(len, lengths[i]);
        ck_assert_mem_eq(plain, data, len);

        /* in parts */
        CK_ULONG made = sizeof(plain);
        assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &mechanism, private));
        assert_rv(CKR_OK, p11->C_DecryptUpdate(module_session, cipher, 100, plain, &made));
        ck_assert_uint_eq(made, 0);
        made = sizeof(plain);
        assert_rv(CKR_OK, p11->C_DecryptUpdate(module_session, cipher + 100, cipher_len - 100,
                                               plain, &made));
        ck_assert_uint_eq(made, 0);
        made = sizeof(plain);
        assert_rv(CKR_OK, p11->C_DecryptFinal(module_session, plain, &made));
        ck_assert_uint_eq(made, lengths[i]);
        ck_assert_mem_eq(plain, data, made);
    }
    EVP_PKEY_free(from_token);
}
END_TEST

START_TEST(what_the_module_encrypts_openssl_decrypts)
{
    const ops_key *key = &ops_keys[_i % 3];
    CK_MECHANISM mechanism = paddings[_i / 3].mechanism;
    CK_ULONG k = key->rsa_bits / 8, most = k - paddings[_i / 3].overhead;
    const CK_ULONG lengths[] = { 0, 1, 32, most };
    unsigned char data[512], cipher[1024], plain[1024];
    CK_OBJECT_HANDLE public = ops_public(key);
    CK_KEY_TYPE type; /* read once, so that the document is there */
    CK_ATTRIBUTE attr = { CKA_KEY_TYPE, &type, sizeof(type) };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, public, &attr, 1));
    size_t before = keyvaultd_requests(NULL);
    memset(data, 0x4d, sizeof(data));

    for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++) {
        CK_ULONG len = 0;
        assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &mechanism, public));
        assert_rv(CKR_OK, p11->C_Encrypt(module_session, data, lengths[i], NULL, &len));
        ck_assert_uint_eq(len, k);
        assert_rv(CKR_OK, p11->C_Encrypt(module_session, data, lengths[i], cipher, &len));
        ck_assert_uint_eq(len, k);
        ck_assert_uint_eq(openssl_decrypts(key->pkey, paddings[_i / 3].hash, cipher, len, plain),
                          lengths[i]);
        ck_assert_mem_eq(plain, data, lengths[i]);
    }
    CK_ULONG len = sizeof(cipher);
    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &mechanism, public));
    assert_rv(CKR_DATA_LEN_RANGE, p11->C_Encrypt(module_session, data, most + 1, cipher, &len));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

START_TEST(what_the_service_cannot_do_is_refused_at_init)
{
    CK_MECHANISM with_label = { CKM_RSA_PKCS_OAEP, &oaep_label, sizeof(oaep_label) };
    CK_MECHANISM sha384 = { CKM_RSA_PKCS_OAEP, &oaep384, sizeof(oaep384) };
    CK_OBJECT_HANDLE private = ops_private(&ops_keys[0]), public = ops_public(&ops_keys[0]);

    assert_rv(CKR_MECHANISM_PARAM_INVALID,
              p11->C_DecryptInit(module_session, &with_label, private));
    assert_rv(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(module_session, &with_label, public));
    assert_rv(CKR_MECHANISM_PARAM_INVALID, p11->C_DecryptInit(module_session, &sha384, private));
    assert_rv(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(module_session, &sha384, public));
}
END_TEST

START_TEST(garbage_is_the_datas_fault_not_the_devices)
{
    CK_MECHANISM mechanism = paddings[_i].mechanism;
    unsigned char cipher[256], plain[256];
    CK_ULONG len = sizeof(plain);
    memset(cipher, 0x01, sizeof(cipher));

    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &mechanism, ops_private(&ops_keys[0])));
    assert_rv(CKR_ENCRYPTED_DATA_INVALID,
              p11->C_Decrypt(module_session, cipher, sizeof(cipher), plain, &len));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED,
              p11->C_Decrypt(module_session, cipher, sizeof(cipher), plain, &len));
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &mechanism, ops_private(&ops_keys[0])));
    assert_rv(CKR_ENCRYPTED_DATA_LEN_RANGE,
              p11->C_Decrypt(module_session, cipher, 255, plain, &len));
}
END_TEST

/* ---- wrapping: a content key comes out of its envelope and works on this token ---- */

START_TEST(an_unwrapped_content_key_decrypts)
{
    CK_MECHANISM mechanism = paddings[_i].mechanism;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
        { CKA_TOKEN, &no, sizeof(no) },       { CKA_DECRYPT, &yes, sizeof(yes) },
        { CKA_ENCRYPT, &yes, sizeof(yes) },   { CKA_EXTRACTABLE, &yes, sizeof(yes) },
    };
    unsigned char content[32], iv[16] = { 3 }, wrapped[512], cipher[64], plain[64], again[512];
    int made = 0, more = 0;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ULONG len = sizeof(plain), value_len = 0;
    CK_ATTRIBUTE attr = { CKA_VALUE_LEN, &value_len, sizeof(value_len) };
    for (unsigned i = 0; i < sizeof(content); i++)
        content[i] = (unsigned char)(200 - i);
    size_t wrapped_len =
        openssl_encrypts(ops_keys[0].pkey, paddings[_i].hash, content, sizeof(content), wrapped);

    size_t unwraps = keyvaultd_requests("KeyUnwrap");

    assert_rv(CKR_OK,
              p11->C_UnwrapKey(module_session, &mechanism, ops_private(&ops_keys[0]), wrapped,
                               wrapped_len, template, KVP_ARRAY_LEN(template), &key));

    ck_assert_uint_eq(keyvaultd_requests("KeyUnwrap"), unwraps + 1);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, key, &attr, 1));
    ck_assert_uint_eq(value_len, 32);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex2(ctx, EVP_aes_256_cbc(), content, iv, NULL);
    EVP_EncryptUpdate(ctx, cipher, &made, (const unsigned char *)"a message in CMS", 16);
    EVP_EncryptFinal_ex(ctx, cipher + made, &more);
    EVP_CIPHER_CTX_free(ctx);
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
    CK_OBJECT_HANDLE public = ops_public(&ops_keys[0]);
    size_t before = keyvaultd_requests(NULL);
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &cbc, key));
    assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, (CK_ULONG)(made + more), plain, &len));
    ck_assert_uint_eq(len, 16);
    ck_assert_mem_eq(plain, "a message in CMS", 16);

    /* and back into an envelope */
    CK_ULONG again_len = sizeof(again);
    assert_rv(CKR_OK, p11->C_WrapKey(module_session, &mechanism, public, key, again, &again_len));
    ck_assert_uint_eq(
        openssl_decrypts(ops_keys[0].pkey, paddings[_i].hash, again, again_len, plain), 32);
    ck_assert_mem_eq(plain, content, 32);
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

START_TEST(a_broken_envelope_is_a_wrapped_key_invalid)
{
    CK_MECHANISM mechanism = paddings[1].mechanism;
    unsigned char wrapped[256];
    CK_OBJECT_HANDLE key;
    memset(wrapped, 0x01, sizeof(wrapped));

    assert_rv(CKR_WRAPPED_KEY_INVALID,
              p11->C_UnwrapKey(module_session, &mechanism, ops_private(&ops_keys[0]), wrapped,
                               sizeof(wrapped), NULL, 0, &key));
    assert_rv(CKR_WRAPPED_KEY_LEN_RANGE,
              p11->C_UnwrapKey(module_session, &mechanism, ops_private(&ops_keys[0]), wrapped, 10,
                               NULL, 0, &key));
    assert_rv(CKR_UNWRAPPING_KEY_HANDLE_INVALID,
              p11->C_UnwrapKey(module_session, &mechanism, 99999, wrapped, 256, NULL, 0, &key));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_UnwrapKey(module_session, NULL, ops_private(&ops_keys[0]),
                                                  wrapped, 256, NULL, 0, &key));
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    ops_keys_import();
    Suite *suite = suite_create("encrypt");
    TCase *rsa = tcase_create("rsa"), *wrap = tcase_create("wrap");
    tcase_add_checked_fixture(rsa, module_setup, module_teardown);
    tcase_set_timeout(rsa, 60);
    tcase_add_loop_test(rsa, what_openssl_encrypts_the_vault_decrypts, 0, combinations());
    tcase_add_loop_test(rsa, what_the_module_encrypts_openssl_decrypts, 0, combinations());
    tcase_add_test(rsa, what_the_service_cannot_do_is_refused_at_init);
    tcase_add_loop_test(rsa, garbage_is_the_datas_fault_not_the_devices, 0, 3);
    suite_add_tcase(suite, rsa);
    tcase_add_checked_fixture(wrap, module_setup, module_teardown);
    tcase_add_loop_test(wrap, an_unwrapped_content_key_decrypts, 0, 3);
    tcase_add_test(wrap, a_broken_envelope_is_a_wrapped_key_invalid);
    suite_add_tcase(suite, wrap);
    return module_run_suite(suite);
}
