/* SPDX-License-Identifier: MIT */
/*
 * Symmetric keys of a Managed HSM: AES and HMAC by the HSM, checked by OpenSSL with the same key;
 * AES-GCM by the message functions; random numbers of the HSM.
 */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

static unsigned char values[3][32];
static unsigned char aad[] = "aad", text[] = "attack at dawn";
static const struct {
    const char *name;
    size_t len;
} secrets[] = { { "ops-aes-128", 16 }, { "ops-aes-192", 24 }, { "ops-aes-256", 32 } };

static CK_OBJECT_HANDLE secret(int i)
{
    CK_OBJECT_HANDLE handle = module_find(module_session, CKO_SECRET_KEY, secrets[i].name);
    ck_assert_msg(handle != CK_INVALID_HANDLE, "no secret key %s", secrets[i].name);
    return handle;
}

/* `AES-192-CBC` of OpenSSL on whole buffers. */
static size_t openssl(int i, const char *mode, bool encrypt, bool pad, const unsigned char *iv,
                      const unsigned char *in, size_t len, unsigned char *ret)
{
    char name[32];
    int made = 0, more = 0;
    snprintf(name, sizeof(name), "AES-%zu-%s", secrets[i].len * 8, mode);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    ck_assert_int_eq(EVP_CipherInit_ex2(ctx, cipher, values[i], iv, encrypt, NULL), 1);
    EVP_CIPHER_CTX_set_padding(ctx, pad);
    ck_assert_int_eq(EVP_CipherUpdate(ctx, ret, &made, in, (int)len), 1);
    ck_assert_int_eq(EVP_CipherFinal_ex(ctx, ret + made, &more), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return (size_t)(made + more);
}

START_TEST(the_hsm_does_cbc_as_openssl_does)
{
    unsigned char iv[16] = { 1, 2, 3 }, data[48], cipher[80], expected[80], plain[80];
    CK_OBJECT_HANDLE key = secret(_i);
    memset(data, 0x2e, sizeof(data));

    for (int pad = 0; pad < 2; pad++) {
        CK_MECHANISM mechanism = { pad ? CKM_AES_CBC_PAD : CKM_AES_CBC, iv, sizeof(iv) };
        CK_ULONG cipher_len = sizeof(cipher), plain_len = sizeof(plain);
        size_t expected_len = openssl(_i, "CBC", true, pad, iv, data, sizeof(data), expected);
        assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &mechanism, key));
        assert_rv(CKR_OK, p11->C_Encrypt(module_session, data, sizeof(data), cipher, &cipher_len));
        ck_assert_uint_eq(cipher_len, expected_len);
        ck_assert_mem_eq(cipher, expected, cipher_len);
        assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &mechanism, key));
        assert_rv(CKR_OK,
                  p11->C_Decrypt(module_session, expected, expected_len, plain, &plain_len));
        ck_assert_uint_eq(plain_len, sizeof(data));
        ck_assert_mem_eq(plain, data, plain_len);
    }
}
END_TEST

START_TEST(the_hsm_does_gcm_by_messages)
{
    unsigned char iv[12] = { 0 }, tag[16] = { 0 }, cipher[32], plain[32];
    CK_GCM_MESSAGE_PARAMS params = { iv, sizeof(iv), 0, CKG_GENERATE, tag, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_OBJECT_HANDLE key = secret(_i);
    CK_ULONG len = sizeof(cipher);

    assert_rv(CKR_OK, p11_3->C_MessageEncryptInit(module_session, &mechanism, key));
    assert_rv(CKR_OK, p11_3->C_EncryptMessage(module_session, &params, sizeof(params), aad, 3, text,
                                              14, cipher, &len));
    assert_rv(CKR_OK, p11_3->C_MessageEncryptFinal(module_session));
    ck_assert_uint_eq(len, 14);

    /* with the plain function, ciphertext and tag in a row */
    CK_GCM_PARAMS gcm = { iv, 12, 96, aad, 3, 128 };
    CK_MECHANISM plain_mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
    memcpy(cipher + 14, tag, 16);
    len = sizeof(plain);
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &plain_mechanism, key));
    assert_rv(CKR_OK, p11->C_Decrypt(module_session, cipher, 30, plain, &len));
    ck_assert_uint_eq(len, 14);
    ck_assert_mem_eq(plain, "attack at dawn", 14);
    cipher[0] ^= 1;
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &plain_mechanism, key));
    assert_rv(CKR_ENCRYPTED_DATA_INVALID, p11->C_Decrypt(module_session, cipher, 30, plain, &len));
}
END_TEST

START_TEST(the_hsm_unwraps_what_openssl_wrapped)
{
    bool padded = _i >= 3; /* RFC 5649 takes a key of any length */
    int which = _i % 3;
    size_t content_len = padded ? 29 : 32;
    CK_MECHANISM mechanism = { padded ? CKM_AES_KEY_WRAP_PAD : CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
                                { CKA_KEY_TYPE, &type, sizeof(type) },
                                { CKA_TOKEN, &no, sizeof(no) },
                                { CKA_SENSITIVE, &no, sizeof(no) },
                                { CKA_EXTRACTABLE, &yes, sizeof(yes) } };
    unsigned char content[32], wrapped[64], value[64], again[64];
    CK_ATTRIBUTE attr = { CKA_VALUE, value, sizeof(value) };
    CK_OBJECT_HANDLE key, made;
    CK_ULONG len = sizeof(again);
    memset(content, 0x77, sizeof(content));
    size_t wrapped_len = openssl(which, padded ? "WRAP-PAD" : "WRAP", true, false, NULL, content,
                                 content_len, wrapped);
    key = secret(which);

    assert_rv(CKR_OK, p11->C_UnwrapKey(module_session, &mechanism, key, wrapped, wrapped_len,
                                       template, KVP_ARRAY_LEN(template), &made));
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, made, &attr, 1));
    ck_assert_uint_eq(attr.ulValueLen, content_len);
    ck_assert_mem_eq(value, content, content_len);
    assert_rv(CKR_OK, p11->C_WrapKey(module_session, &mechanism, key, made, again, &len));
    ck_assert_uint_eq(len, wrapped_len);
    ck_assert_mem_eq(again, wrapped, len);
    wrapped[3] ^= 1;
    assert_rv(CKR_WRAPPED_KEY_INVALID,
              p11->C_UnwrapKey(module_session, &mechanism, key, wrapped, wrapped_len, template,
                               KVP_ARRAY_LEN(template), &made));
}
END_TEST

START_TEST(the_hsm_macs_as_openssl_does)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_OBJECT_HANDLE key = secret(2); /* HS256 goes with 256 bits */
    unsigned char expected[64], mac[64];
    unsigned expected_len = 0;
    CK_ULONG len = sizeof(mac);
    HMAC(EVP_sha256(), values[2], 32, text, sizeof(text), expected, &expected_len);

    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, key));
    assert_rv(CKR_OK, p11->C_SignUpdate(module_session, text, 5));
    assert_rv(CKR_OK, p11->C_SignUpdate(module_session, text + 5, sizeof(text) - 5));
    assert_rv(CKR_OK, p11->C_SignFinal(module_session, mac, &len));
    ck_assert_uint_eq(len, expected_len);
    ck_assert_mem_eq(mac, expected, len);

    size_t before = keyvaultd_requests("KeyVerify");
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, key));
    assert_rv(CKR_OK, p11->C_Verify(module_session, text, sizeof(text), mac, len));
    ck_assert_uint_eq(keyvaultd_requests("KeyVerify"), before + 1); /* only the HSM has the key */
    mac[0] ^= 1;
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, key));
    assert_rv(CKR_SIGNATURE_INVALID, p11->C_Verify(module_session, text, sizeof(text), mac, len));
}
END_TEST

START_TEST(an_hsm_gives_random_numbers_of_its_own)
{
    unsigned char one[300] = { 0 }, two[300] = { 0 };
    /* the first request of a process also meets the challenge */
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, one, 1));
    size_t before = keyvaultd_requests(NULL);

    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, one, sizeof(one)));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before + 3); /* pieces of 128 */
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, two, sizeof(two)));
    ck_assert_mem_ne(one, two, sizeof(one));
    ck_assert_mem_ne(one, one + 128, 128);
    assert_rv(CKR_RANDOM_SEED_NOT_SUPPORTED, p11->C_SeedRandom(module_session, one, 8));
}
END_TEST

START_TEST(hardware_is_said_of_what_the_hsm_does)
{
    CK_MECHANISM_INFO info;
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_ECDSA, &info));
    ck_assert(info.flags & CKF_HW);
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_SHA256, &info));
    ck_assert(!(info.flags & CKF_HW));
}
END_TEST

/* The address tells nothing of the kind, so the configuration has to. */
static void say_kind(void)
{
    char kind[32];
    keyvaultd_setting("kind", kind, sizeof(kind));
    if (kind[0])
        return;
    FILE *file = fopen(keyvaultd_conf(), "a");
    if (!file || fputs("kind = managed-hsm\n", file) < 0 || fclose(file) != 0)
        exit(1);
}

static void import(void)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(secrets); i++) {
        for (size_t j = 0; j < secrets[i].len; j++)
            values[i][j] = (unsigned char)(j * 11 + i);
        ops_secret_import(secrets[i].name, values[i], secrets[i].len);
    }
}

int main(void)
{
    module_load();
    keyvaultd_start("managed-hsm");
    say_kind();
    import();
    Suite *suite = suite_create("encrypt_hsm");
    TCase *tcase = tcase_create("hsm");
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_loop_test(tcase, the_hsm_does_cbc_as_openssl_does, 0, KVP_ARRAY_LEN(secrets));
    tcase_add_loop_test(tcase, the_hsm_does_gcm_by_messages, 0, KVP_ARRAY_LEN(secrets));
    tcase_add_loop_test(tcase, the_hsm_unwraps_what_openssl_wrapped, 0, 2 * KVP_ARRAY_LEN(secrets));
    tcase_add_test(tcase, the_hsm_macs_as_openssl_does);
    tcase_add_test(tcase, an_hsm_gives_random_numbers_of_its_own);
    tcase_add_test(tcase, hardware_is_said_of_what_the_hsm_does);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
