/* SPDX-License-Identifier: MIT */
/*
 * Operations as a session has them: what starts and ends one, length queries, small buffers, parts,
 * two threads, closing.
 */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static CK_BYTE sig[1024];
static CK_ULONG sig_len;

static CK_RV init(kvp_operation_kind kind, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    return kvp_crypt_init(fake_enter(), &fake_session, kind, fake_mechanism(type), key);
}

static CK_RV once(kvp_operation_kind kind, const void *in, CK_ULONG in_len, void *out,
                  CK_ULONG *out_len)
{
    return kvp_crypt_once(fake_enter(), &fake_session, kind, in, in_len, out, out_len);
}

static CK_RV update(kvp_operation_kind kind, const void *in, CK_ULONG in_len)
{
    return kvp_crypt_update(fake_enter(), &fake_session, kind, in, in_len, NULL, NULL);
}

static CK_RV final(kvp_operation_kind kind, void *out, CK_ULONG *out_len)
{
    return kvp_crypt_final(fake_enter(), &fake_session, kind, out, out_len);
}

static bool active(kvp_operation_kind kind)
{
    return kvp_operation_active(&fake_session, kind);
}

/* ---- beginning ---- */

START_TEST(nothing_is_possible_before_init)
{
    sig_len = sizeof(sig);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(update(KVP_OPERATION_SIGN, "x", 1), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(final(KVP_OPERATION_SIGN, sig, &sig_len), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "x", 1, sig, 1),
                 CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(kvp_verify_final(fake_enter(), &fake_session, sig, 1),
                 CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

START_TEST(a_second_init_is_refused_and_the_first_goes_on)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_EC_P256), CKR_OPERATION_ACTIVE);
    ck_assert_rv(init(KVP_OPERATION_DIGEST, CKM_SHA256, 0), CKR_OK);

    sig_len = sizeof(sig);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OK);
    ck_assert_uint_eq(sig_len, 256);
    ck_assert_int_eq(fake.alg, KVP_ALG_RS256);
}
END_TEST

START_TEST(no_mechanism_cancels)
{
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN, NULL, 0),
                 CKR_ARGUMENTS_BAD);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN, NULL, 0), CKR_OK);
    ck_assert(!active(KVP_OPERATION_SIGN));
}
END_TEST

START_TEST(a_key_is_checked_at_init_without_a_request)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, 98), CKR_KEY_HANDLE_INVALID);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_CERTIFICATE), CKR_KEY_HANDLE_INVALID);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_X_509, FAKE_RSA_2048), CKR_MECHANISM_INVALID);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_PKCS_OAEP, FAKE_RSA_2048), CKR_MECHANISM_INVALID);
    ck_assert_rv(init(KVP_OPERATION_SIGN_RECOVER, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048),
                 CKR_MECHANISM_INVALID);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_RSA_2048), CKR_KEY_TYPE_INCONSISTENT);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048),
                 CKR_KEY_TYPE_INCONSISTENT);
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_RSA_PKCS, FAKE_RSA_2048),
                 CKR_KEY_TYPE_INCONSISTENT);
    fake_object(FAKE_RSA_2048)->denied = CKA_SIGN;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_PKCS, FAKE_RSA_2048),
                 CKR_KEY_FUNCTION_NOT_PERMITTED);
    fake_object(FAKE_RSA_3072)->bits = 1024;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_PKCS, FAKE_RSA_3072), CKR_KEY_SIZE_RANGE);
    ck_assert_uint_eq(fake.requests, 0);
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
        ck_assert(!active(kind));
}
END_TEST

START_TEST(a_key_of_the_wrong_class_or_an_unknown_mechanism_is_not_even_loaded)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_RSA_X_509, FAKE_RSA_2048), CKR_MECHANISM_INVALID);
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_RSA_PKCS, FAKE_RSA_2048),
                 CKR_KEY_TYPE_INCONSISTENT);
    ck_assert(!fake_object(FAKE_RSA_2048)->loaded);
}
END_TEST

/* ---- output ---- */

START_TEST(a_length_query_and_a_small_buffer_make_no_request_and_keep_the_operation)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_EC_P384), CKR_OK);

    ck_assert_rv(once(KVP_OPERATION_SIGN, "digest", 6, NULL, &sig_len), CKR_OK);
    ck_assert_uint_eq(sig_len, 96);
    ck_assert_ptr_null(fake_call.operation);
    sig_len = 95;
    ck_assert_rv(once(KVP_OPERATION_SIGN, "digest", 6, sig, &sig_len), CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(sig_len, 96);
    ck_assert_uint_eq(fake.requests, 0);
    ck_assert_ptr_null(fake_call.operation);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "digest", 6, sig, &sig_len), CKR_OK);
    ck_assert_uint_eq(fake.requests, 1);
    ck_assert(!active(KVP_OPERATION_SIGN));
}
END_TEST

START_TEST(final_answers_lengths_the_same_way)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_3072), CKR_OK);
    ck_assert_rv(update(KVP_OPERATION_SIGN, "abc", 3), CKR_OK);
    ck_assert_rv(final(KVP_OPERATION_SIGN, NULL, &sig_len), CKR_OK);
    ck_assert_uint_eq(sig_len, 384);
    sig_len = 10;
    ck_assert_rv(final(KVP_OPERATION_SIGN, sig, &sig_len), CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(fake.requests, 0);
    ck_assert_rv(final(KVP_OPERATION_SIGN, sig, &sig_len), CKR_OK);
    ck_assert_uint_eq(fake.requests, 1);

    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_SHA256_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_3072),
                 CKR_OK);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "abc", 3, sig, sig_len), CKR_OK);
}
END_TEST

START_TEST(decryption_answers_the_modulus_length_and_refuses_what_may_not_hold_the_text)
{
    CK_BYTE cipher[256], plain[256];
    CK_ULONG cipher_len = sizeof(cipher), len;
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_ENCRYPT, "secret", 6, cipher, &cipher_len), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_DECRYPT, CKM_RSA_PKCS, FAKE_RSA_2048), CKR_OK);

    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, NULL, &len), CKR_OK);
    ck_assert_uint_eq(len, 256);
    len = 244;
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                 CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(len, 245);
    ck_assert_uint_eq(fake.requests, 0);
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len), CKR_OK);
    ck_assert_uint_eq(len, 6);
    ck_assert_mem_eq(plain, "secret", 6);
    ck_assert_uint_eq(fake.requests, 1);
    ck_assert_str_eq(fake_call.operation, "Decrypt");
    ck_assert(fake_call.remote);
}
END_TEST

START_TEST(ciphertext_of_another_length_is_refused_and_garbage_is_the_datas_fault)
{
    CK_BYTE cipher[257], plain[256];
    CK_ULONG len = sizeof(plain);
    memset(cipher, 0x11, sizeof(cipher));

    for (CK_ULONG cipher_len = 255; cipher_len <= 257; cipher_len += 2) {
        ck_assert_rv(init(KVP_OPERATION_DECRYPT, CKM_RSA_PKCS_OAEP, FAKE_RSA_2048), CKR_OK);
        ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
        ck_assert(!active(KVP_OPERATION_DECRYPT));
    }
    ck_assert_uint_eq(fake.requests, 0);
    ck_assert_rv(init(KVP_OPERATION_DECRYPT, CKM_RSA_PKCS_OAEP, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, 256, plain, &len), CKR_ENCRYPTED_DATA_INVALID);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

START_TEST(output_that_did_not_fit_is_held_for_the_same_input)
{
    CK_BYTE cipher[48], plain[48];
    CK_ULONG cipher_len = sizeof(cipher), len;
    static const char text[] = "a text of forty bytes, more or less ...";
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, CKM_AES_CBC_PAD, FAKE_HSM_AES_256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_ENCRYPT, text, sizeof(text), cipher, &cipher_len), CKR_OK);
    ck_assert_uint_eq(cipher_len, 48);
    fake.requests = 0;

    ck_assert_rv(init(KVP_OPERATION_DECRYPT, CKM_AES_CBC_PAD, FAKE_HSM_AES_256), CKR_OK);
    len = 31; /* cannot be enough: nothing is sent */
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                 CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(fake.requests, 0);
    len = 33; /* might be enough */
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                 CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(len, sizeof(text));
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len), CKR_OK);
    ck_assert_uint_eq(len, sizeof(text));
    ck_assert_mem_eq(plain, text, sizeof(text));
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

START_TEST(held_output_is_not_given_for_other_input)
{
    CK_BYTE cipher[48], plain[48];
    CK_ULONG cipher_len = sizeof(cipher), len = 33;
    ck_assert_rv(init(KVP_OPERATION_ENCRYPT, CKM_AES_CBC_PAD, FAKE_HSM_AES_256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_ENCRYPT, "a text of forty bytes, more or less ...", 40, cipher,
                      &cipher_len),
                 CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_DECRYPT, CKM_AES_CBC_PAD, FAKE_HSM_AES_256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                 CKR_BUFFER_TOO_SMALL);

    cipher[0] ^= 1;
    ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &len),
                 CKR_OPERATION_ACTIVE);
    ck_assert(!active(KVP_OPERATION_DECRYPT));
}
END_TEST

/* ---- ends ---- */

START_TEST(every_error_but_a_small_buffer_ends_the_operation)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, NULL, 3, sig, &sig_len), CKR_ARGUMENTS_BAD);
    ck_assert(!active(KVP_OPERATION_SIGN));
    ck_assert_str_eq(fake_call.operation, "Sign"); /* a refused use is in the record, too */

    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, NULL), CKR_ARGUMENTS_BAD);
    ck_assert(!active(KVP_OPERATION_SIGN));

    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(update(KVP_OPERATION_SIGN, NULL, 3), CKR_ARGUMENTS_BAD);
    ck_assert(!active(KVP_OPERATION_SIGN));

    fake.fail_http = 403;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_KEY_FUNCTION_NOT_PERMITTED);
    ck_assert(!active(KVP_OPERATION_SIGN));
}
END_TEST

START_TEST(a_one_part_call_does_not_end_a_multi_part_operation_well)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(update(KVP_OPERATION_SIGN, "abc", 3), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "abc", 3, sig, &sig_len), CKR_OPERATION_ACTIVE);
    ck_assert(!active(KVP_OPERATION_SIGN));
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

START_TEST(a_signature_of_another_length_is_not_passed_on)
{
    fake.answer_len = 63;
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_DEVICE_ERROR);
    ck_assert_int_eq(fake_call.error.status, KVP_ERR_PARSE);
}
END_TEST

static const struct {
    int http_status;
    CK_RV rv;
} failures[] = {
    { 400, CKR_FUNCTION_FAILED },
    { 401, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { 403, CKR_KEY_FUNCTION_NOT_PERMITTED },
    { 404, CKR_KEY_HANDLE_INVALID },
    { 429, CKR_DEVICE_ERROR },
    { 500, CKR_DEVICE_ERROR },
    { 503, CKR_DEVICE_ERROR },
};

START_TEST(a_refusal_of_the_service_has_its_own_answer)
{
    fake.fail_http = failures[_i].http_status;
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), failures[_i].rv);
    ck_assert_int_eq(fake_call.kind, KVP_CALL_KEY);
}
END_TEST

START_TEST(empty_input_is_data_for_a_hashing_mechanism)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, NULL, 0, sig, &sig_len), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_ECDSA_SHA256, FAKE_PUBLIC + FAKE_EC_P256), CKR_OK);
    ck_assert_rv(kvp_verify_final(fake_enter(), &fake_session, sig, sig_len), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, NULL, 0, sig, &sig_len), CKR_DATA_LEN_RANGE);
}
END_TEST

START_TEST(a_wrong_signature_and_a_wrong_length_are_told_apart)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA384, FAKE_EC_P384), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OK);
    sig[5] ^= 1;
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_ECDSA_SHA384, FAKE_PUBLIC + FAKE_EC_P384), CKR_OK);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "x", 1, sig, sig_len),
                 CKR_SIGNATURE_INVALID);
    ck_assert(!active(KVP_OPERATION_VERIFY));
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_ECDSA_SHA384, FAKE_PUBLIC + FAKE_EC_P384), CKR_OK);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "x", 1, sig, sig_len - 1),
                 CKR_SIGNATURE_LEN_RANGE);
    ck_assert_rv(init(KVP_OPERATION_VERIFY, CKM_SHA256_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048),
                 CKR_OK);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "x", 1, sig, 255),
                 CKR_SIGNATURE_LEN_RANGE);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

/* ---- two threads, closing ---- */

static CK_RV second_thread_rv;

static void second_thread_signs(void)
{
    CK_BYTE other[64];
    CK_ULONG len = sizeof(other);
    kvp_call call = { .function = "C_Sign" };
    fake.meanwhile = NULL;
    second_thread_rv =
        kvp_crypt_once(&call, &fake_session, KVP_OPERATION_SIGN, "y", 1, other, &len);
}

START_TEST(an_operation_in_use_is_active_for_another_thread)
{
    sig_len = sizeof(sig);
    fake.meanwhile = second_thread_signs;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OK);
    ck_assert_rv(second_thread_rv, CKR_OPERATION_ACTIVE);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

static void second_thread_cancels(void)
{
    ck_assert(kvp_operation_cancel(&fake_session, KVP_OPERATION_SIGN, CKF_SIGN));
}

static void second_thread_closes(void)
{
    kvp_lock_take(&fake_session.lock);
    fake_session.closed = true;
    fake_session.operations[KVP_OPERATION_SIGN]->doomed = true;
    kvp_lock_give(&fake_session.lock);
}

START_TEST(an_operation_that_is_ended_meanwhile_is_freed_by_the_thread_that_has_it)
{
    sig_len = sizeof(sig);
    fake.meanwhile = _i ? second_thread_closes : second_thread_cancels;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OK);
    ck_assert_ptr_null(fake_session.operations[KVP_OPERATION_SIGN]);
    ck_assert_uint_eq(fake_object(FAKE_EC_P256)->refs, 1);
}
END_TEST

START_TEST(a_closed_session_starts_nothing)
{
    fake_session.closed = true;
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256),
                 CKR_SESSION_HANDLE_INVALID);
    ck_assert_uint_eq(fake_object(FAKE_EC_P256)->refs, 1);
}
END_TEST

START_TEST(what_a_lost_thread_had_in_hand_is_forgotten_after_fork)
{
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    kvp_operation *lost = fake_session.operations[KVP_OPERATION_SIGN];
    lost->busy = true;
    lost->generation = kvp_fork_generation() + 1;

    ck_assert_rv(once(KVP_OPERATION_SIGN, "x", 1, sig, &sig_len), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA_SHA256, FAKE_EC_P256), CKR_OK);
    lost->busy = false;
    kvp_operation_free(lost);
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
    Suite *suite = suite_create("operation");
    TCase *tcase = group(suite, "beginning");
    tcase_add_test(tcase, nothing_is_possible_before_init);
    tcase_add_test(tcase, a_second_init_is_refused_and_the_first_goes_on);
    tcase_add_test(tcase, no_mechanism_cancels);
    tcase_add_test(tcase, a_key_is_checked_at_init_without_a_request);
    tcase_add_test(tcase, a_key_of_the_wrong_class_or_an_unknown_mechanism_is_not_even_loaded);
    tcase = group(suite, "output");
    tcase_add_test(tcase, a_length_query_and_a_small_buffer_make_no_request_and_keep_the_operation);
    tcase_add_test(tcase, final_answers_lengths_the_same_way);
    tcase_add_test(tcase,
                   decryption_answers_the_modulus_length_and_refuses_what_may_not_hold_the_text);
    tcase_add_test(tcase, ciphertext_of_another_length_is_refused_and_garbage_is_the_datas_fault);
    tcase_add_test(tcase, output_that_did_not_fit_is_held_for_the_same_input);
    tcase_add_test(tcase, held_output_is_not_given_for_other_input);
    tcase = group(suite, "ends");
    tcase_add_test(tcase, every_error_but_a_small_buffer_ends_the_operation);
    tcase_add_test(tcase, a_one_part_call_does_not_end_a_multi_part_operation_well);
    tcase_add_test(tcase, a_signature_of_another_length_is_not_passed_on);
    tcase_add_loop_test(tcase, a_refusal_of_the_service_has_its_own_answer, 0,
                        KVP_ARRAY_LEN(failures));
    tcase_add_test(tcase, empty_input_is_data_for_a_hashing_mechanism);
    tcase_add_test(tcase, a_wrong_signature_and_a_wrong_length_are_told_apart);
    tcase = group(suite, "threads");
    tcase_add_test(tcase, an_operation_in_use_is_active_for_another_thread);
    tcase_add_loop_test(
        tcase, an_operation_that_is_ended_meanwhile_is_freed_by_the_thread_that_has_it, 0, 2);
    tcase_add_test(tcase, a_closed_session_starts_nothing);
    tcase_add_test(tcase, what_a_lost_thread_had_in_hand_is_forgotten_after_fork);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
