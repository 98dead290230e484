/* SPDX-License-Identifier: MIT */
/* Message-based encryption by AES-GCM, here and by the HSM; and two operations fed by one call. */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static const CK_OBJECT_HANDLE gcm_keys[] = { FAKE_SESSION_AES_128, FAKE_SESSION_AES_192,
                                             FAKE_SESSION_AES_256, FAKE_HSM_AES_128,
                                             FAKE_HSM_AES_192,     FAKE_HSM_AES_256 };

static CK_BYTE iv[12], tag[16];
static CK_GCM_MESSAGE_PARAMS params;

static void fresh_params(void)
{
    memset(iv, 0, sizeof(iv));
    memset(tag, 0, sizeof(tag));
    params = (CK_GCM_MESSAGE_PARAMS){ iv, sizeof(iv), 0, CKG_GENERATE, tag, 128 };
}

static CK_RV init(kvp_operation_kind kind, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    return kvp_message_init(fake_enter(), &fake_session, kind, &mechanism, key);
}

static CK_RV message(kvp_operation_kind kind, const void *aad, CK_ULONG aad_len, const void *in,
                     CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    return kvp_message_once(fake_enter(), &fake_session, kind, &params, sizeof(params), aad,
                            aad_len, in, in_len, out, out_len);
}

START_TEST(messages_are_encrypted_with_an_iv_of_their_own_and_decrypted)
{
    CK_OBJECT_HANDLE key = gcm_keys[_i];
    bool remote = fake_object(key)->in_vault;
    CK_BYTE cipher[32], plain[32], zeros[12] = { 0 };
    CK_ULONG len;
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, key), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_DECRYPT, key), CKR_OK);

    for (unsigned round = 0; round < 3; round++) {
        fresh_params();
        fake.requests = 0;
        len = 0;
        ck_assert_rv(message(KVP_OPERATION_ENCRYPT, "aad", 3, "attack at dawn", 14, NULL, &len),
                     CKR_OK);
        ck_assert_uint_eq(len, 14);
        len = 13;
        ck_assert_rv(message(KVP_OPERATION_ENCRYPT, "aad", 3, "attack at dawn", 14, cipher, &len),
                     CKR_BUFFER_TOO_SMALL);
        ck_assert_uint_eq(fake.requests, 0);
        ck_assert_ptr_null(fake_call.operation);
        ck_assert_rv(message(KVP_OPERATION_ENCRYPT, "aad", 3, "attack at dawn", 14, cipher, &len),
                     CKR_OK);
        ck_assert_uint_eq(len, 14);
        ck_assert_uint_eq(fake.requests, remote);
        ck_assert_str_eq(fake_call.operation, "Encrypt");
        ck_assert_mem_ne(iv, zeros, sizeof(iv));

        len = sizeof(plain);
        ck_assert_rv(message(KVP_OPERATION_DECRYPT, "aad", 3, cipher, 14, plain, &len), CKR_OK);
        ck_assert_uint_eq(len, 14);
        ck_assert_mem_eq(plain, "attack at dawn", 14);
        /* a message that fails leaves the operation to the next */
        tag[0] ^= 1;
        ck_assert_rv(message(KVP_OPERATION_DECRYPT, "aad", 3, cipher, 14, plain, &len),
                     CKR_AEAD_DECRYPT_FAILED);
        tag[0] ^= 1;
        ck_assert_rv(message(KVP_OPERATION_DECRYPT, "xxx", 3, cipher, 14, plain, &len),
                     CKR_AEAD_DECRYPT_FAILED);
    }
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT), CKR_OK);
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT),
                 CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT), CKR_OK);
}
END_TEST

START_TEST(an_iv_of_the_application_is_used_here_and_refused_by_the_hsm)
{
    CK_BYTE cipher[32], again[32];
    CK_ULONG len = sizeof(cipher);
    CK_GCM_PARAMS plain_params = { iv, sizeof(iv), 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &plain_params, sizeof(plain_params) };
    fresh_params();
    params.ivGenerator = CKG_NO_GENERATE;
    iv[0] = 7;

    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, FAKE_SESSION_AES_256), CKR_OK);
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "text", 4, cipher, &len), CKR_OK);
    ck_assert_uint_eq(iv[0], 7);
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT), CKR_OK);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, &mechanism,
                                FAKE_SESSION_AES_256),
                 CKR_OK);
    len = sizeof(again);
    ck_assert_rv(
        kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, "text", 4, again, &len),
        CKR_OK);
    ck_assert_mem_eq(again, cipher, 4);
    ck_assert_mem_eq(again + 4, tag, 16);

    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, FAKE_HSM_AES_256), CKR_OK);
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "text", 4, cipher, &len),
                 CKR_MECHANISM_PARAM_INVALID);
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

START_TEST(bad_message_parameters_are_refused)
{
    CK_BYTE cipher[32];
    CK_ULONG len = sizeof(cipher);
    CK_MECHANISM mechanism = { CKM_AES_CBC, iv, 16 };
    ck_assert_rv(kvp_message_init(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, &mechanism,
                                  FAKE_SESSION_AES_256),
                 CKR_MECHANISM_INVALID);
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, FAKE_SESSION_AES_256), CKR_OK);

    fresh_params();
    ck_assert_rv(kvp_message_once(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, &params, 3,
                                  NULL, 0, "x", 1, cipher, &len),
                 CKR_MECHANISM_PARAM_INVALID);
    ck_assert_rv(kvp_message_once(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, NULL, 0, NULL,
                                  0, "x", 1, cipher, &len),
                 CKR_ARGUMENTS_BAD);
    params.pTag = NULL;
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "x", 1, cipher, &len),
                 CKR_MECHANISM_PARAM_INVALID);
    fresh_params();
    params.ivGenerator = CKG_GENERATE_COUNTER;
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "x", 1, cipher, &len),
                 CKR_MECHANISM_PARAM_INVALID);
    fresh_params();
    params.ulIvFixedBits = 32;
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "x", 1, cipher, &len),
                 CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

static CK_RV begin(kvp_operation_kind kind)
{
    return kvp_message_begin(fake_enter(), &fake_session, kind, &params, sizeof(params), "aad", 3);
}

static CK_RV next(kvp_operation_kind kind, const void *in, CK_ULONG in_len, CK_BYTE *out,
                  CK_ULONG *out_len, bool last)
{
    return kvp_message_next(fake_enter(), &fake_session, kind, last ? &params : NULL,
                            last ? sizeof(params) : 0, in, in_len, out, out_len, last);
}

/* A message in parts: its text as it comes, or where it is collected, all of it with the last. */
static CK_ULONG in_parts(kvp_operation_kind kind, bool streams, const CK_BYTE *in, CK_ULONG in_len,
                         CK_BYTE *out)
{
    CK_ULONG total = 0, len;
    for (CK_ULONG done = 0; done < in_len; done += 5) {
        bool last = done + 5 >= in_len;
        CK_ULONG part = last ? in_len - done : 5;
        CK_ULONG expected = streams ? part : last ? in_len : 0;
        len = 0;
        ck_assert_rv(next(kind, in + done, part, NULL, &len, last), CKR_OK);
        ck_assert_uint_eq(len, expected);
        if (expected) {
            len = expected - 1;
            ck_assert_rv(next(kind, in + done, part, out, &len, last), CKR_BUFFER_TOO_SMALL);
            ck_assert_uint_eq(len, expected);
        }
        ck_assert_rv(next(kind, in + done, part, out + total, &len, last), CKR_OK);
        ck_assert_uint_eq(len, expected);
        total += len;
    }
    return total;
}

START_TEST(a_message_in_parts_is_the_message)
{
    CK_OBJECT_HANDLE key = gcm_keys[_i];
    bool remote = fake_object(key)->in_vault;
    CK_BYTE cipher[64], plain[64];
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, key), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_DECRYPT, key), CKR_OK);
    for (int round = 0; round < 2; round++) {
        CK_ULONG len = sizeof(plain);
        fresh_params();
        fake.requests = 0;
        ck_assert_rv(begin(KVP_OPERATION_ENCRYPT), CKR_OK);
        ck_assert_uint_eq(
            in_parts(KVP_OPERATION_ENCRYPT, !remote, (const CK_BYTE *)"attack at dawn", 14, cipher),
            14);
        ck_assert_str_eq(fake_call.operation, "Encrypt");
        ck_assert_uint_eq(fake.requests, remote);
        ck_assert_rv(message(KVP_OPERATION_DECRYPT, "aad", 3, cipher, 14, plain, &len), CKR_OK);
        ck_assert_mem_eq(plain, "attack at dawn", 14);

        fake.requests = 0;
        memset(plain, 0, sizeof(plain));
        ck_assert_rv(begin(KVP_OPERATION_DECRYPT), CKR_OK);
        ck_assert_uint_eq(in_parts(KVP_OPERATION_DECRYPT, false, cipher, 14, plain), 14);
        ck_assert_mem_eq(plain, "attack at dawn", 14);
        ck_assert_uint_eq(fake.requests, remote);

        len = sizeof(plain);
        tag[3] ^= 1;
        ck_assert_rv(begin(KVP_OPERATION_DECRYPT), CKR_OK);
        ck_assert_rv(next(KVP_OPERATION_DECRYPT, cipher, 14, plain, &len, true),
                     CKR_AEAD_DECRYPT_FAILED);
        ck_assert_rv(next(KVP_OPERATION_DECRYPT, cipher, 14, plain, &len, true),
                     CKR_OPERATION_NOT_INITIALIZED);
    }
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT), CKR_OK);
}
END_TEST

START_TEST(parts_have_their_place)
{
    CK_BYTE out[32];
    CK_ULONG len = sizeof(out);
    fresh_params();
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, FAKE_SESSION_AES_256), CKR_OK);
    ck_assert_rv(next(KVP_OPERATION_ENCRYPT, "x", 1, out, &len, true),
                 CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(begin(KVP_OPERATION_ENCRYPT), CKR_OK);
    ck_assert_rv(begin(KVP_OPERATION_ENCRYPT), CKR_OPERATION_ACTIVE);
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "x", 1, out, &len), CKR_OPERATION_ACTIVE);
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT),
                 CKR_OPERATION_ACTIVE);
    ck_assert_rv(next(KVP_OPERATION_ENCRYPT, "x", 1, out, NULL, false), CKR_ARGUMENTS_BAD);
    ck_assert_rv(next(KVP_OPERATION_ENCRYPT, "x", 1, out, &len, false),
                 CKR_OPERATION_NOT_INITIALIZED); /* that error ended the message */
    ck_assert_rv(begin(KVP_OPERATION_ENCRYPT), CKR_OK);
    params.ulTagBits = 96; /* not what it was begun with */
    ck_assert_rv(next(KVP_OPERATION_ENCRYPT, "x", 1, out, &len, true), CKR_MECHANISM_PARAM_INVALID);
    ck_assert_rv(begin(KVP_OPERATION_ENCRYPT), CKR_OK);
    ck_assert_rv(next(KVP_OPERATION_ENCRYPT, NULL, 0, out, &len, true), CKR_OK);
    ck_assert_uint_eq(len, 0);
    ck_assert_rv(kvp_message_final(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT), CKR_OK);
}
END_TEST

START_TEST(message_and_plain_functions_do_not_mix)
{
    CK_BYTE out[32];
    CK_ULONG len = sizeof(out);
    fresh_params();
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, FAKE_SESSION_AES_256), CKR_OK);
    ck_assert_rv(
        kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, "x", 1, out, &len),
        CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(message(KVP_OPERATION_ENCRYPT, NULL, 0, "x", 1, out, &len), CKR_OK);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT,
                                fake_mechanism(CKM_AES_CBC), FAKE_SESSION_AES_256),
                 CKR_OK);
    ck_assert_rv(message(KVP_OPERATION_DECRYPT, NULL, 0, "x", 1, out, &len),
                 CKR_OPERATION_NOT_INITIALIZED);
    ck_assert(kvp_operation_active(&fake_session, KVP_OPERATION_DECRYPT));
}
END_TEST

/* ---- dual functions ---- */

START_TEST(plaintext_is_digested_and_encrypted_and_back)
{
    CK_BYTE text[48], cipher[48], plain[48], there[32], back[32], expected[32];
    CK_ULONG len;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (CK_BYTE)i;
    ck_assert_int_eq(kvp_digest_once(KVP_HASH_SHA256, text, sizeof(text), expected), KVP_OK);

    for (int decrypt = 0; decrypt < 2; decrypt++) {
        kvp_operation_kind kind = decrypt ? KVP_OPERATION_DECRYPT : KVP_OPERATION_ENCRYPT;
        const CK_BYTE *in = decrypt ? cipher : text;
        CK_BYTE *out = decrypt ? plain : cipher, *digest = decrypt ? back : there;
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(CKM_AES_CBC),
                                    FAKE_SESSION_AES_256),
                     CKR_OK);
        ck_assert_rv(kvp_crypt_dual_update(fake_enter(), &fake_session, kind, KVP_OPERATION_DIGEST,
                                           in, 16, out, &len),
                     CKR_OPERATION_NOT_INITIALIZED);
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DIGEST,
                                    fake_mechanism(CKM_SHA256), 0),
                     CKR_OK);
        for (size_t done = 0; done < sizeof(text); done += 16) {
            ck_assert_rv(kvp_crypt_dual_update(fake_enter(), &fake_session, kind,
                                               KVP_OPERATION_DIGEST, in + done, 16, NULL, &len),
                         CKR_OK);
            ck_assert_uint_eq(len, 16);
            len = 15; /* too small: neither takes the part */
            ck_assert_rv(kvp_crypt_dual_update(fake_enter(), &fake_session, kind,
                                               KVP_OPERATION_DIGEST, in + done, 16, out + done,
                                               &len),
                         CKR_BUFFER_TOO_SMALL);
            ck_assert_rv(kvp_crypt_dual_update(fake_enter(), &fake_session, kind,
                                               KVP_OPERATION_DIGEST, in + done, 16, out + done,
                                               &len),
                         CKR_OK);
        }
        len = 32;
        ck_assert_rv(
            kvp_crypt_final(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, digest, &len),
            CKR_OK);
        len = 0;
        ck_assert_rv(kvp_crypt_final(fake_enter(), &fake_session, kind, out, &len), CKR_OK);
    }
    ck_assert_mem_eq(plain, text, sizeof(text));
    ck_assert_mem_ne(cipher, text, sizeof(text));
    ck_assert_mem_eq(there, expected, 32);
    ck_assert_mem_eq(back, expected, 32);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operation_message");
    TCase *messages = tcase_create("messages"), *dual = tcase_create("dual");
    tcase_add_checked_fixture(messages, fake_setup, fake_teardown);
    tcase_add_loop_test(messages, messages_are_encrypted_with_an_iv_of_their_own_and_decrypted, 0,
                        KVP_ARRAY_LEN(gcm_keys));
    tcase_add_test(messages, an_iv_of_the_application_is_used_here_and_refused_by_the_hsm);
    tcase_add_test(messages, bad_message_parameters_are_refused);
    tcase_add_test(messages, message_and_plain_functions_do_not_mix);
    tcase_add_loop_test(messages, a_message_in_parts_is_the_message, 0, KVP_ARRAY_LEN(gcm_keys));
    tcase_add_test(messages, parts_have_their_place);
    suite_add_tcase(suite, messages);
    tcase_add_checked_fixture(dual, fake_setup, fake_teardown);
    tcase_add_test(dual, plaintext_is_digested_and_encrypted_and_back);
    suite_add_tcase(suite, dual);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
