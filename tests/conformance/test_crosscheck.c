/* SPDX-License-Identifier: MIT */
/*
 * Every mechanism against OpenSSL, in both directions: with each size of key, lengths around the
 * blocks, and the data handed over in every way that flow.h knows. Private and, where a Managed HSM
 * is the token, secret keys are of the vault; other secret keys are the session's.
 */
#include "flow.h"
#include "functions.h"
#include "integration/ops_keys.h"
#include "support/keyvaultd.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static unsigned char data[1200], secret[256];

static const size_t lengths[] = { 0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 111, 112, 128, 1000 };

static bool on_hsm(void)
{
    return strcmp(CONFORMANCE_KIND, "managed-hsm") == 0;
}

static void setup(void)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 29 + 3);
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (unsigned char)(i * 17 + 9);
    module_setup();
}

/* What is the same and what is not, with all that it was about. */
#define CHECKED(good, name, how, len)                                                              \
    ck_assert_msg((good), "%s, %s, %zu bytes: %s", (name), flow_split_names[how], (size_t)(len),   \
                  #good)

/* ---- signatures ---- */

static CK_BYTE sig[1024];

START_TEST(signatures_are_understood_both_ways)
{
    const ops_key *key = &ops_keys[(size_t)_i % ops_key_count];
    const ops_mechanism *mechanism = &ops_sign_mechanisms[(size_t)_i / ops_key_count];
    CK_MECHANISM ck = ops_ck(mechanism);
    unsigned char text[300];
    size_t len = ops_data(mechanism, text);

    if (!ops_fits(mechanism, key))
        return;
    const char *name = kvp_ckm_name(mechanism->type);
    size_t theirs = ops_openssl_signs(key, mechanism, text, len, sig);
    CK_OBJECT_HANDLE private = ops_private(key), public = ops_public(key);
    for (flow_split how = 0; how < SPLIT_COUNT; how++)
        CHECKED(flow_verify(&ck, public, how, text, len, sig, theirs) == CKR_OK, name, how, len);
    /* Each is a request: one after another way of handing the data over. */
    for (flow_split how = 0; how < SPLIT_COUNT; how++) {
        CK_ULONG ours = sizeof(sig);
        if (how != SPLIT_ONE_CALL && how != SPLIT_BLOCKS && how != SPLIT_ODD)
            continue;
        CHECKED(flow_sign(&ck, private, how, text, len, sig, &ours) == CKR_OK, name, how, len);
        CHECKED(ops_openssl_verifies(key->pkey, key, mechanism, text, len, sig, ours), name, how,
                len);
    }
}
END_TEST

static const struct {
    CK_ULONG salt;
    CK_RSA_PKCS_MGF_TYPE mgf;
    const char *mgf_hash;
} salts[] = {
    { 0, CKG_MGF1_SHA256, "SHA256" },   { 20, CKG_MGF1_SHA256, "SHA256" },
    { 222, CKG_MGF1_SHA256, "SHA256" }, { 32, CKG_MGF1_SHA1, "SHA1" },
    { 64, CKG_MGF1_SHA512, "SHA512" },
};

/* The service makes one form of PSS for a hash; what other signers made is verified all the same.
 */
START_TEST(pss_of_other_forms_is_verified_and_never_made)
{
    const ops_key *key = &ops_keys[0];
    CK_RSA_PKCS_PSS_PARAMS params = { CKM_SHA256, salts[_i].mgf, salts[_i].salt };
    CK_MECHANISM ck = { CKM_SHA256_RSA_PKCS_PSS, &params, sizeof(params) };
    CK_OBJECT_HANDLE public = ops_public(key);
    unsigned char digest[32];
    size_t len = sizeof(sig);
    CK_ULONG ours = sizeof(sig);

    EVP_Digest(data, 300, digest, NULL, EVP_sha256(), NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_sign_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(salts[_i].mgf_hash)),
                     1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)salts[_i].salt), 1);
    ck_assert_int_eq(EVP_PKEY_sign(ctx, sig, &len, digest, sizeof(digest)), 1);
    EVP_PKEY_CTX_free(ctx);

    assert_rv(CKR_OK, flow_verify(&ck, public, SPLIT_ODD, data, 300, sig, len));
    params.sLen++;
    assert_rv(salts[_i].salt == 222 ? CKR_MECHANISM_PARAM_INVALID : CKR_SIGNATURE_INVALID,
              flow_verify(&ck, public, SPLIT_ONE_CALL, data, 300, sig, len));
    params.sLen--;
    assert_rv(CKR_MECHANISM_PARAM_INVALID,
              flow_sign(&ck, ops_private(key), SPLIT_ONE_CALL, data, 300, sig, &ours));
}
END_TEST

/* ---- digests and MACs ---- */

static const struct {
    CK_MECHANISM_TYPE digest, hmac;
    const char *name;
} hashes[] = {
    { CKM_SHA_1, CKM_SHA_1_HMAC, "SHA1" },     { CKM_SHA224, CKM_SHA224_HMAC, "SHA224" },
    { CKM_SHA256, CKM_SHA256_HMAC, "SHA256" }, { CKM_SHA384, CKM_SHA384_HMAC, "SHA384" },
    { CKM_SHA512, CKM_SHA512_HMAC, "SHA512" }, { CKM_SHA3_224, 0, "SHA3-224" },
    { CKM_SHA3_256, 0, "SHA3-256" },           { CKM_SHA3_384, 0, "SHA3-384" },
    { CKM_SHA3_512, 0, "SHA3-512" },
};

START_TEST(digests_are_the_same)
{
    CK_MECHANISM mechanism = { hashes[_i].digest, NULL, 0 };
    unsigned char expected[64], got[64];

    for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++)
        for (flow_split how = 0; how < SPLIT_COUNT; how++) {
            unsigned expected_len = 0;
            CK_ULONG len = sizeof(got);
            EVP_Digest(data, lengths[i], expected, &expected_len,
                       EVP_get_digestbyname(hashes[_i].name), NULL);
            CHECKED(flow_digest(&mechanism, how, data, lengths[i], got, &len) == CKR_OK,
                    hashes[_i].name, how, lengths[i]);
            CHECKED(len == expected_len && memcmp(got, expected, len) == 0, hashes[_i].name, how,
                    lengths[i]);
        }
}
END_TEST

static void check_mac(size_t hash, CK_OBJECT_HANDLE key, size_t key_len, size_t len, flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash].hmac, NULL, 0 };
    unsigned char expected[64], got[64];
    unsigned expected_len = 0;
    CK_ULONG got_len = sizeof(got);

    HMAC(EVP_get_digestbyname(hashes[hash].name), secret, (int)key_len, data, len, expected,
         &expected_len);
    CHECKED(flow_sign(&mechanism, key, how, data, len, got, &got_len) == CKR_OK, hashes[hash].name,
            how, len);
    CHECKED(got_len == expected_len && memcmp(got, expected, got_len) == 0, hashes[hash].name, how,
            len);
    CHECKED(flow_verify(&mechanism, key, how, data, len, expected, expected_len) == CKR_OK,
            hashes[hash].name, how, len);
    expected[expected_len - 1] ^= 1;
    CHECKED(flow_verify(&mechanism, key, how, data, len, expected, expected_len) ==
                CKR_SIGNATURE_INVALID,
            hashes[hash].name, how, len);
}

START_TEST(macs_are_the_same)
{
    static const size_t key_lengths[] = { 1, 16, 20, 32, 63, 64, 65, 128, 129, 200 };

    if (!hashes[_i].hmac)
        return;
    for (size_t k = 0; k < KVP_ARRAY_LEN(key_lengths); k++) {
        CK_OBJECT_HANDLE key = flow_secret(CKK_GENERIC_SECRET, secret, key_lengths[k]);
        for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++)
            for (flow_split how = 0; how < SPLIT_COUNT; how++)
                check_mac((size_t)_i, key, key_lengths[k], lengths[i], how);
    }
}
END_TEST

/* ---- AES ---- */

static const struct {
    const char *name; /* in the HSM */
    size_t len;
} aes_keys[] = { { "cross-aes-128", 16 }, { "cross-aes-192", 24 }, { "cross-aes-256", 32 } };

static CK_OBJECT_HANDLE aes_key(int i)
{
    if (!on_hsm())
        return flow_secret(CKK_AES, secret, aes_keys[i].len);
    CK_OBJECT_HANDLE handle = module_find(module_session, CKO_SECRET_KEY, aes_keys[i].name);
    ck_assert_msg(handle != CK_INVALID_HANDLE, "no key %s", aes_keys[i].name);
    return handle;
}

static const struct {
    CK_MECHANISM_TYPE type;
    const char *mode; /* OpenSSL's */
    bool pads, wraps;
} aes_modes[] = {
    { CKM_AES_CBC, "CBC", false, false },
    { CKM_AES_CBC_PAD, "CBC", true, false },
    { CKM_AES_KEY_WRAP, "WRAP", false, true },
    { CKM_AES_KEY_WRAP_PAD, "WRAP-PAD", true, true },
};

static const unsigned char iv[16] = { 1, 2, 3, 4, 5 }, aad[] = "additional data";

static size_t openssl_encrypt(int key, const char *mode, bool pad, const unsigned char *in,
                              size_t len, unsigned char *ret)
{
    char name[32];
    int made = 0, more = 0;

    snprintf(name, sizeof(name), "AES-%zu-%s", aes_keys[key].len * 8, mode);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    ck_assert_int_eq(
        EVP_EncryptInit_ex2(ctx, cipher, secret, strcmp(mode, "CBC") == 0 ? iv : NULL, NULL), 1);
    EVP_CIPHER_CTX_set_padding(ctx, pad);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, ret, &made, in, (int)len), 1);
    ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, ret + made, &more), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return (size_t)(made + more);
}

/* Ciphertext of the module is OpenSSL's, and the module reads OpenSSL's: both ways at once. */
static void check_cipher(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split how, size_t len,
                         const unsigned char *expected, size_t expected_len)
{
    static unsigned char got[1300];
    const char *name = kvp_ckm_name(mechanism->mechanism);
    CK_ULONG got_len = sizeof(got);

    CHECKED(flow_encrypt(mechanism, key, how, data, len, got, &got_len) == CKR_OK, name, how, len);
    CHECKED(got_len == expected_len && memcmp(got, expected, got_len) == 0, name, how, len);
    got_len = sizeof(got);
    CHECKED(flow_decrypt(mechanism, key, how, expected, expected_len, got, &got_len) == CKR_OK,
            name, how, len);
    CHECKED(got_len == len && memcmp(got, data, len) == 0, name, how, len);
}

static void check_wrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, size_t len,
                       const unsigned char *expected, size_t expected_len)
{
    static unsigned char got[1300];
    const char *name = kvp_ckm_name(mechanism->mechanism);
    CK_OBJECT_HANDLE content = flow_secret(CKK_GENERIC_SECRET, data, len), made;
    CK_ULONG got_len = sizeof(got);

    CHECKED(p11_3->C_WrapKey(module_session, mechanism, key, content, got, &got_len) == CKR_OK,
            name, 0, len);
    CHECKED(got_len == expected_len && memcmp(got, expected, got_len) == 0, name, 0, len);
    CHECKED(flow_unwrap(mechanism, key, expected, expected_len, &made) == CKR_OK, name, 0, len);
    CHECKED(flow_value(made, got, sizeof(got)) == len && memcmp(got, data, len) == 0, name, 0, len);
}

START_TEST(aes_is_the_same)
{
    int which = _i % 3;
    size_t mode = (size_t)_i / 3;
    CK_OBJECT_HANDLE key = aes_key(which);
    unsigned char expected[1300];
    CK_MECHANISM mechanism = { aes_modes[mode].type, NULL, 0 };

    if (!aes_modes[mode].wraps) {
        mechanism.pParameter = (void *)(uintptr_t)iv;
        mechanism.ulParameterLen = sizeof(iv);
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++) {
        size_t len = lengths[i];
        bool whole = aes_modes[mode].wraps ? len % 8 == 0 && len >= 16 : len % 16 == 0;
        /* A key of the HSM costs a request each time, and the service takes a value at least. */
        if ((!aes_modes[mode].pads && !whole) || (aes_modes[mode].wraps && len == 0) ||
            (on_hsm() && (len == 0 || len > 128)))
            continue;
        size_t expected_len =
            openssl_encrypt(which, aes_modes[mode].mode, aes_modes[mode].pads, data, len, expected);
        if (aes_modes[mode].wraps)
            check_wrap(&mechanism, key, len, expected, expected_len);
        for (flow_split how = 0; !aes_modes[mode].wraps && how < SPLIT_COUNT; how++)
            check_cipher(&mechanism, key, how, len, expected, expected_len);
    }
}
END_TEST

static size_t openssl_gcm(int key, size_t iv_len, size_t tag_len, size_t len, unsigned char *ret)
{
    char name[32];
    int made = 0, more = 0;

    snprintf(name, sizeof(name), "AES-%zu-GCM", aes_keys[key].len * 8);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, cipher, NULL, NULL, NULL), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_len, NULL), 1);
    ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, NULL, secret, iv, NULL), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &more, aad, sizeof(aad)), 1);
    ck_assert_int_eq(EVP_EncryptUpdate(ctx, ret, &made, data, (int)len), 1);
    ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, ret + made, &more), 1);
    made += more;
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag_len, ret + made), 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return (size_t)made + tag_len;
}

/* A key of an HSM does GCM with the message functions, which test_encrypt_hsm has. */
START_TEST(gcm_is_the_same)
{
    static const struct {
        size_t iv, tag;
    } shapes[] = { { 12, 16 }, { 12, 12 }, { 16, 16 }, { 1, 13 } };
    unsigned char expected[1300];
    CK_OBJECT_HANDLE key = flow_secret(CKK_AES, secret, aes_keys[_i].len);

    for (size_t s = 0; s < KVP_ARRAY_LEN(shapes); s++)
        for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++) {
            CK_GCM_PARAMS params = { (CK_BYTE *)(uintptr_t)iv,  shapes[s].iv, shapes[s].iv * 8,
                                     (CK_BYTE *)(uintptr_t)aad, sizeof(aad),  shapes[s].tag * 8 };
            CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
            size_t len = openssl_gcm(_i, shapes[s].iv, shapes[s].tag, lengths[i], expected);
            for (flow_split how = 0; how < SPLIT_COUNT; how++)
                check_cipher(&mechanism, key, how, lengths[i], expected, len);
        }
}
END_TEST

/* ---- RSA encryption ---- */

static CK_RSA_PKCS_OAEP_PARAMS oaep1 = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 },
                               oaep256 = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL,
                                           0 };
static const struct {
    CK_MECHANISM_TYPE type;
    CK_RSA_PKCS_OAEP_PARAMS *parameter;
    const char *hash; /* NULL: PKCS #1 v1.5 */
    size_t overhead;
} paddings[] = {
    { CKM_RSA_PKCS, NULL, NULL, 11 },
    { CKM_RSA_PKCS_OAEP, &oaep1, "SHA1", 42 },
    { CKM_RSA_PKCS_OAEP, &oaep256, "SHA256", 66 },
};

static size_t openssl_rsa(EVP_PKEY *pkey, const char *hash, bool encrypt, const unsigned char *in,
                          size_t len, unsigned char *ret)
{
    size_t made = 512;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);

    ck_assert_int_eq(encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx), 1);
    ck_assert_int_eq(
        EVP_PKEY_CTX_set_rsa_padding(ctx, hash ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING), 1);
    if (hash)
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_get_digestbyname(hash)), 1);
    ck_assert_int_eq(encrypt ? EVP_PKEY_encrypt(ctx, ret, &made, in, len)
                             : EVP_PKEY_decrypt(ctx, ret, &made, in, len),
                     1);
    EVP_PKEY_CTX_free(ctx);
    return made;
}

START_TEST(rsa_encryption_is_understood_both_ways)
{
    const ops_key *key = &ops_keys[_i % 3];
    size_t p = (size_t)_i / 3;
    CK_MECHANISM mechanism = { paddings[p].type, paddings[p].parameter,
                               paddings[p].parameter ? sizeof(*paddings[p].parameter) : 0 };
    const size_t sizes[] = { 0, 1, 32, key->rsa_bits / 8 - paddings[p].overhead };
    const char *name = kvp_ckm_name(mechanism.mechanism);
    unsigned char cipher[512], plain[512];

    for (size_t i = 0; i < KVP_ARRAY_LEN(sizes); i++)
        for (flow_split how = 0; how < SPLIT_COUNT; how++) {
            CK_ULONG len = sizeof(cipher), plain_len = sizeof(plain);
            CHECKED(flow_encrypt(&mechanism, ops_public(key), how, data, sizes[i], cipher, &len) ==
                        CKR_OK,
                    name, how, sizes[i]);
            size_t found = openssl_rsa(key->pkey, paddings[p].hash, false, cipher, len, plain);
            CHECKED(found == sizes[i] && memcmp(plain, data, found) == 0, name, how, sizes[i]);
            if (how % 2) /* a request each: half of the ways for each length */
                continue;
            size_t theirs = openssl_rsa(key->pkey, paddings[p].hash, true, data, sizes[i], cipher);
            CHECKED(flow_decrypt(&mechanism, ops_private(key), how, cipher, theirs, plain,
                                 &plain_len) == CKR_OK,
                    name, how, sizes[i]);
            CHECKED(plain_len == sizes[i] && memcmp(plain, data, plain_len) == 0, name, how,
                    sizes[i]);
        }
}
END_TEST

/* ---- the suite ---- */

static void import_secrets(void)
{
    setup();
    module_teardown();
    for (size_t i = 0; i < KVP_ARRAY_LEN(aes_keys); i++)
        ops_secret_import(aes_keys[i].name, secret, aes_keys[i].len);
}

START_TEST(macs_of_the_hsm_are_the_same)
{
    CK_OBJECT_HANDLE key = aes_key(2);

    for (size_t i = 1; i < 6; i++)
        for (flow_split how = 0; how < SPLIT_COUNT; how++)
            check_mac(2, key, 32, lengths[i], how);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crosscheck on a " CONFORMANCE_KIND);
    TCase *vault = tcase_create("vault");

    conformance_without_threads();
    conformance_start(CONFORMANCE_KIND);
    tcase_add_checked_fixture(vault, setup, module_teardown);
    tcase_add_loop_test(vault, aes_is_the_same, 0, 3 * (int)KVP_ARRAY_LEN(aes_modes));
    if (on_hsm()) {
        tcase_add_unchecked_fixture(vault, import_secrets, NULL);
        tcase_add_test(vault, macs_of_the_hsm_are_the_same);
    } else {
        TCase *session = tcase_create("session");
        ops_keys_import();
        tcase_add_checked_fixture(session, setup, module_teardown);
        tcase_add_loop_test(vault, signatures_are_understood_both_ways, 0,
                            (int)(ops_sign_mechanism_count * ops_key_count));
        tcase_add_loop_test(vault, pss_of_other_forms_is_verified_and_never_made, 0,
                            (int)KVP_ARRAY_LEN(salts));
        tcase_add_loop_test(vault, rsa_encryption_is_understood_both_ways, 0,
                            3 * (int)KVP_ARRAY_LEN(paddings));
        tcase_add_loop_test(session, digests_are_the_same, 0, (int)KVP_ARRAY_LEN(hashes));
        tcase_add_loop_test(session, macs_are_the_same, 0, (int)KVP_ARRAY_LEN(hashes));
        tcase_add_loop_test(session, gcm_is_the_same, 0, (int)KVP_ARRAY_LEN(aes_keys));
        suite_add_tcase(suite, session);
    }
    suite_add_tcase(suite, vault);
    return module_run_suite(suite);
}
