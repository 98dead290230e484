/* SPDX-License-Identifier: MIT */
/*
 * AES and HMAC: published vectors with session keys, and the same key here and in the HSM's double.
 */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static CK_ULONG unhex(const char *hex, CK_BYTE *ret)
{
    CK_ULONG len = strlen(hex) / 2;
    for (CK_ULONG i = 0; i < len; i++) {
        char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };
        ret[i] = (CK_BYTE)strtoul(byte, NULL, 16);
    }
    return len;
}

static CK_OBJECT_HANDLE session_key(const char *hex)
{
    CK_BYTE value[64];
    CK_ULONG len = unhex(hex, value);
    CK_OBJECT_HANDLE handle = len == 16   ? FAKE_SESSION_AES_128
                              : len == 24 ? FAKE_SESSION_AES_192
                              : len == 32 ? FAKE_SESSION_AES_256
                                          : FAKE_SESSION_GENERIC;
    ck_assert_int_eq(kvp_buf_set(&fake_object(handle)->value, value, len), KVP_OK);
    fake_object(handle)->bits = len * 8;
    return handle;
}

static CK_RV crypt(kvp_operation_kind kind, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                   const CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_RV rv = kvp_crypt_init(fake_enter(), &fake_session, kind, mechanism, key);
    if (rv != CKR_OK)
        return rv;
    return kvp_crypt_once(fake_enter(), &fake_session, kind, in, in_len, out, out_len);
}

/* ---- vectors: NIST SP 800-38A F.2, the GCM specification's test cases, RFC 4231, RFC 3394, RFC
 * 5649 ---- */

static const struct {
    const char *key, *iv, *plain, *cipher;
} cbc_vectors[] = {
    { "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" },
    { "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a" },
    { "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      "000102030405060708090a0b0c0d0e0f",
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
      "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d" },
};

START_TEST(cbc_is_that_of_sp_800_38a)
{
    CK_BYTE iv[16], plain[64], cipher[64], out[64];
    CK_ULONG len = sizeof(out);
    CK_OBJECT_HANDLE key = session_key(cbc_vectors[_i].key);
    CK_MECHANISM mechanism = { CKM_AES_CBC, iv, unhex(cbc_vectors[_i].iv, iv) };
    CK_ULONG plain_len = unhex(cbc_vectors[_i].plain, plain);
    CK_ULONG cipher_len = unhex(cbc_vectors[_i].cipher, cipher);

    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, &mechanism, key, plain, plain_len, out, &len),
                 CKR_OK);
    ck_assert_uint_eq(len, cipher_len);
    ck_assert_mem_eq(out, cipher, len);
    len = sizeof(out);
    ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, &mechanism, key, cipher, cipher_len, out, &len),
                 CKR_OK);
    ck_assert_uint_eq(len, plain_len);
    ck_assert_mem_eq(out, plain, len);
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

START_TEST(gcm_is_that_of_its_specification)
{
    CK_BYTE iv[12], aad[20], plain[64], cipher[80], out[80];
    CK_ULONG len = sizeof(out);
    CK_OBJECT_HANDLE key = session_key("feffe9928665731c6d6a8f9467308308");
    CK_ULONG iv_len = unhex("cafebabefacedbaddecaf888", iv);
    CK_ULONG aad_len = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    CK_GCM_PARAMS params = { iv, iv_len, iv_len * 8, aad, aad_len, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
    CK_ULONG plain_len = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                               "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                               plain);
    CK_ULONG cipher_len = unhex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                                "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                                "5bc94fbc3221a5db94fae95ae7121a47",
                                cipher);

    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, &mechanism, key, plain, plain_len, out, &len),
                 CKR_OK);
    ck_assert_uint_eq(len, cipher_len);
    ck_assert_mem_eq(out, cipher, len);
    len = sizeof(out);
    ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, &mechanism, key, cipher, cipher_len, out, &len),
                 CKR_OK);
    ck_assert_uint_eq(len, plain_len);
    ck_assert_mem_eq(out, plain, len);

    cipher[cipher_len - 1] ^= 1;
    memset(out, 0, sizeof(out));
    len = sizeof(out);
    ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, &mechanism, key, cipher, cipher_len, out, &len),
                 CKR_ENCRYPTED_DATA_INVALID);
    for (size_t i = 0; i < sizeof(out); i++)
        ck_assert_uint_eq(out[i], 0); /* nothing of what did not authenticate */
}
END_TEST

static const struct {
    CK_MECHANISM_TYPE type;
    const char *mac;
} hmac_vectors[] = {
    { CKM_SHA224_HMAC, "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22" },
    { CKM_SHA256_HMAC, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { CKM_SHA384_HMAC, "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
                       "faea9ea9076ede7f4af152e8b2fa9cb6" },
    { CKM_SHA512_HMAC, "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                       "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { CKM_SHA_1_HMAC, "b617318655057264e28bc0b6fb378c8ef146be00" }, /* RFC 2202, case 1 */
};

START_TEST(hmac_is_that_of_rfc_4231)
{
    CK_BYTE mac[64], out[64];
    CK_ULONG mac_len = unhex(hmac_vectors[_i].mac, mac), len = sizeof(out);
    CK_OBJECT_HANDLE key = session_key("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    CK_MECHANISM mechanism = { hmac_vectors[_i].type, NULL, 0 };

    ck_assert_rv(
        crypt(KVP_OPERATION_SIGN, &mechanism, key, (const CK_BYTE *)"Hi There", 8, out, &len),
        CKR_OK);
    ck_assert_uint_eq(len, mac_len);
    ck_assert_mem_eq(out, mac, len);
}
END_TEST

/* ---- the HSM and this process agree ---- */

static CK_OBJECT_HANDLE twin_of(CK_OBJECT_HANDLE hsm_key)
{
    const kvp_buf *value = &fake_object(hsm_key)->value;
    CK_OBJECT_HANDLE handle = value->len == 16   ? FAKE_SESSION_AES_128
                              : value->len == 24 ? FAKE_SESSION_AES_192
                                                 : FAKE_SESSION_AES_256;
    ck_assert_int_eq(kvp_buf_set(&fake_object(handle)->value, value->data, value->len), KVP_OK);
    return handle;
}

START_TEST(a_key_of_the_hsm_and_its_twin_here_encrypt_alike)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_CBC, CKM_AES_CBC_PAD };
    CK_BYTE data[100], here[128], there[128], back[128];
    CK_OBJECT_HANDLE hsm = FAKE_HSM_AES_128 + (CK_OBJECT_HANDLE)_i, twin = twin_of(hsm);
    memset(data, 0x42, sizeof(data));

    for (size_t i = 0; i < KVP_ARRAY_LEN(types); i++) {
        for (CK_ULONG len = 0; len <= sizeof(data); len++) {
            CK_ULONG here_len = sizeof(here), there_len = sizeof(there), back_len = sizeof(back);
            if (types[i] == CKM_AES_CBC && (len % 16 || len == 0))
                continue;
            ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(types[i]), twin, data, len,
                               here, &here_len),
                         CKR_OK);
            ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(types[i]), hsm, data, len,
                               there, &there_len),
                         CKR_OK);
            ck_assert_uint_eq(here_len, there_len);
            ck_assert_mem_eq(here, there, here_len);
            ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(types[i]), hsm, here, here_len,
                               back, &back_len),
                         CKR_OK);
            ck_assert_uint_eq(back_len, len);
            ck_assert_mem_eq(back, data, len);
        }
    }
}
END_TEST

START_TEST(gcm_ciphertext_made_here_is_decrypted_by_the_hsm)
{
    CK_BYTE cipher[128], plain[128];
    CK_ULONG cipher_len = sizeof(cipher), plain_len = sizeof(plain);
    CK_OBJECT_HANDLE hsm = FAKE_HSM_AES_128 + (CK_OBJECT_HANDLE)_i;

    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_GCM), twin_of(hsm),
                       (const CK_BYTE *)"a message", 9, cipher, &cipher_len),
                 CKR_OK);
    ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_GCM), hsm, cipher, cipher_len,
                       plain, &plain_len),
                 CKR_OK);
    ck_assert_uint_eq(plain_len, 9);
    ck_assert_mem_eq(plain, "a message", 9);
    cipher[2] ^= 1;
    plain_len = sizeof(plain);
    ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_GCM), hsm, cipher, cipher_len,
                       plain, &plain_len),
                 CKR_ENCRYPTED_DATA_INVALID);
}
END_TEST

START_TEST(gcm_that_the_service_cannot_do_is_refused)
{
    CK_BYTE iv[16] = { 0 };
    CK_GCM_PARAMS params = { iv, 12, 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };

    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, &mechanism,
                                FAKE_HSM_AES_256),
                 CKR_MECHANISM_PARAM_INVALID);
    params.ulIvLen = 16;
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, &mechanism,
                                FAKE_HSM_AES_256),
                 CKR_MECHANISM_PARAM_INVALID);
    params.ulIvLen = 12;
    params.ulTagBits = 96;
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, &mechanism,
                                FAKE_HSM_AES_256),
                 CKR_MECHANISM_PARAM_INVALID);
    params.ulTagBits = 100;
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, &mechanism,
                                FAKE_SESSION_AES_256),
                 CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

START_TEST(a_key_whose_size_is_not_told_is_tried_with_the_usual_size_first)
{
    CK_BYTE cipher[64];
    CK_ULONG len = sizeof(cipher);

    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC_PAD), FAKE_HSM_UNSIZED,
                       (const CK_BYTE *)"x", 1, cipher, &len),
                 CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_A192CBCPAD);
    ck_assert_uint_eq(fake.requests, 3);
    ck_assert_int_eq(fake_call.error.status, KVP_OK);

    fake.fail_http = 403;
    fake.requests = 0;
    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC_PAD), FAKE_HSM_UNSIZED,
                       (const CK_BYTE *)"x", 1, cipher, &len),
                 CKR_KEY_FUNCTION_NOT_PERMITTED);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

/* ---- lengths and parts ---- */

START_TEST(blocks_that_are_not_whole_are_refused)
{
    static const CK_OBJECT_HANDLE keys[] = { FAKE_HSM_AES_256, FAKE_SESSION_AES_256 };
    CK_BYTE data[33] = { 0 }, out[64];

    for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++) {
        CK_ULONG len = sizeof(out);
        ck_assert_rv(
            crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC), keys[i], data, 33, out, &len),
            CKR_DATA_LEN_RANGE);
        ck_assert_rv(
            crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_CBC), keys[i], data, 33, out, &len),
            CKR_ENCRYPTED_DATA_LEN_RANGE);
        ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_CBC_PAD), keys[i], data,
                           33, out, &len),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
        ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_CBC_PAD), keys[i], data, 0,
                           out, &len),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
        ck_assert_rv(crypt(KVP_OPERATION_DECRYPT, fake_mechanism(CKM_AES_CBC_PAD), keys[i], data,
                           32, out, &len),
                     CKR_ENCRYPTED_DATA_INVALID);
        len = sizeof(out);
    }
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

/* Every length in parts of every size: the lengths told beforehand are exact, and the whole is
 * right. */
static void in_parts(kvp_operation_kind kind, CK_MECHANISM_TYPE type, const CK_BYTE *in,
                     CK_ULONG in_len, CK_ULONG part, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_ULONG made = 0, len;
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(type),
                                FAKE_SESSION_AES_256),
                 CKR_OK);
    for (CK_ULONG done = 0; done < in_len; done += part) {
        CK_ULONG now = in_len - done < part ? in_len - done : part;
        ck_assert_rv(
            kvp_crypt_update(fake_enter(), &fake_session, kind, in + done, now, NULL, &len),
            CKR_OK);
        CK_ULONG told = len;
        if (told) {
            len = told - 1;
            ck_assert_rv(kvp_crypt_update(fake_enter(), &fake_session, kind, in + done, now,
                                          out + made, &len),
                         CKR_BUFFER_TOO_SMALL);
            ck_assert_uint_eq(len, told);
        }
        ck_assert_rv(
            kvp_crypt_update(fake_enter(), &fake_session, kind, in + done, now, out + made, &len),
            CKR_OK);
        ck_assert_uint_eq(len, told);
        made += len;
    }
    ck_assert_rv(kvp_crypt_final(fake_enter(), &fake_session, kind, NULL, &len), CKR_OK);
    CK_ULONG told = len;
    ck_assert_rv(kvp_crypt_final(fake_enter(), &fake_session, kind, out + made, &len), CKR_OK);
    ck_assert_uint_le(len, told);
    *out_len = made + len;
}

START_TEST(parts_make_the_same_as_the_whole)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_GCM };
    CK_MECHANISM_TYPE type = types[_i];
    CK_BYTE data[70], whole[128], parts[128], back[128];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (CK_BYTE)i;

    for (CK_ULONG len = 0; len <= sizeof(data); len++) {
        if (type == CKM_AES_CBC && len % 16)
            continue;
        CK_ULONG whole_len = sizeof(whole), parts_len, back_len;
        ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(type), FAKE_SESSION_AES_256, data,
                           len, whole, &whole_len),
                     CKR_OK);
        for (CK_ULONG part = 1; part <= 35; part++) {
            in_parts(KVP_OPERATION_ENCRYPT, type, data, len, part, parts, &parts_len);
            ck_assert_uint_eq(parts_len, whole_len);
            ck_assert_mem_eq(parts, whole, whole_len);
            in_parts(KVP_OPERATION_DECRYPT, type, whole, whole_len, part, back, &back_len);
            ck_assert_uint_eq(back_len, len);
            ck_assert_mem_eq(back, data, len);
        }
    }
}
END_TEST

START_TEST(the_last_part_of_padded_text_waits_for_a_buffer)
{
    CK_BYTE cipher[16], plain[16];
    CK_ULONG len = sizeof(cipher);
    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC_PAD), FAKE_SESSION_AES_256,
                       (const CK_BYTE *)"0123456789", 10, cipher, &len),
                 CKR_OK);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT,
                                fake_mechanism(CKM_AES_CBC_PAD), FAKE_SESSION_AES_256),
                 CKR_OK);
    len = 0;
    ck_assert_rv(kvp_crypt_update(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, cipher, 16,
                                  plain, &len),
                 CKR_OK);
    len = 4;
    ck_assert_rv(kvp_crypt_final(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, plain, &len),
                 CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(len, 10);
    ck_assert_rv(kvp_crypt_final(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, plain, &len),
                 CKR_OK);
    ck_assert_mem_eq(plain, "0123456789", 10);
}
END_TEST

START_TEST(data_for_one_request_has_a_bound)
{
    static CK_BYTE data[KVP_REMOTE_DATA_MAX + 16], out[KVP_REMOTE_DATA_MAX + 64];
    CK_ULONG len = sizeof(out);

    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC), FAKE_HSM_AES_256, data,
                       KVP_REMOTE_DATA_MAX, out, &len),
                 CKR_OK);
    ck_assert_uint_eq(fake.requests, 1);
    len = sizeof(out);
    ck_assert_rv(crypt(KVP_OPERATION_ENCRYPT, fake_mechanism(CKM_AES_CBC), FAKE_HSM_AES_256, data,
                       sizeof(data), out, &len),
                 CKR_DATA_LEN_RANGE);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

START_TEST(after_openssl_cleanup_local_work_is_refused_and_nothing_is_touched)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_CBC, CKM_AES_GCM, CKM_SHA256_HMAC };
    kvp_operation_kind kind = _i == 2 ? KVP_OPERATION_SIGN : KVP_OPERATION_ENCRYPT;
    CK_BYTE out[64];
    CK_ULONG len = sizeof(out);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(types[_i]),
                                FAKE_SESSION_AES_256),
                 _i == 2 ? CKR_KEY_TYPE_INCONSISTENT : CKR_OK);
    if (_i == 2)
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(types[_i]),
                                    FAKE_SESSION_GENERIC),
                     CKR_OK);

    OPENSSL_cleanup();

    ck_assert_rv(kvp_crypt_once(fake_enter(), &fake_session, kind, out, 16, out, &len),
                 CKR_CRYPTOKI_NOT_INITIALIZED);
    ck_assert(!kvp_operation_active(&fake_session, kind));
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(types[_i]),
                                _i == 2 ? FAKE_SESSION_GENERIC : FAKE_SESSION_AES_256),
                 CKR_CRYPTOKI_NOT_INITIALIZED);
}
END_TEST

static TCase *group(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("mech_secret");
    TCase *tcase = group(suite, "vectors");
    tcase_add_loop_test(tcase, cbc_is_that_of_sp_800_38a, 0, KVP_ARRAY_LEN(cbc_vectors));
    tcase_add_test(tcase, gcm_is_that_of_its_specification);
    tcase_add_loop_test(tcase, hmac_is_that_of_rfc_4231, 0, KVP_ARRAY_LEN(hmac_vectors));
    tcase = group(suite, "hsm");
    tcase_add_loop_test(tcase, a_key_of_the_hsm_and_its_twin_here_encrypt_alike, 0, 3);
    tcase_add_loop_test(tcase, gcm_ciphertext_made_here_is_decrypted_by_the_hsm, 0, 3);
    tcase_add_test(tcase, gcm_that_the_service_cannot_do_is_refused);
    tcase_add_test(tcase, a_key_whose_size_is_not_told_is_tried_with_the_usual_size_first);
    tcase = group(suite, "parts");
    tcase_add_test(tcase, blocks_that_are_not_whole_are_refused);
    tcase_add_loop_test(tcase, parts_make_the_same_as_the_whole, 0, 3);
    tcase_add_test(tcase, the_last_part_of_padded_text_waits_for_a_buffer);
    tcase_add_test(tcase, data_for_one_request_has_a_bound);
    tcase_add_loop_test(tcase, after_openssl_cleanup_local_work_is_refused_and_nothing_is_touched,
                        0, 3);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
