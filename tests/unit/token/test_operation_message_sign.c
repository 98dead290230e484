/* SPDX-License-Identifier: MIT */
/* Signing and verifying by messages, and verification that is given the signature first. */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static CK_BYTE sig[1024];
static CK_ULONG sig_len;
static const CK_BYTE text[] = "a message that is long enough to be given in more than one part";

/* What a mechanism that hashes nothing takes is a digest. */
static CK_ULONG text_len(const kvp_mechanism *row)
{
    return row->hash ? sizeof(text) : 32;
}

static CK_RV sign(bool whole, const void *data, CK_ULONG len, void *ret, CK_ULONG *ret_len)
{
    const kvp_signed_part part = { NULL, 0, data, len };
    return kvp_message_sign(fake_enter(), &fake_session, whole, &part, ret, ret_len);
}

static CK_RV verify(bool whole, const void *data, CK_ULONG len, const void *s, CK_ULONG s_len)
{
    const kvp_signed_part part = { NULL, 0, data, len };
    return kvp_message_verify(fake_enter(), &fake_session, whole, &part, s, s_len);
}

static CK_RV begin(kvp_operation_kind kind)
{
    return kvp_message_begin_signed(fake_enter(), &fake_session, kind, NULL, 0);
}

static CK_RV init(kvp_operation_kind kind, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    return kvp_message_init(fake_enter(), &fake_session, kind, fake_mechanism(type), key);
}

static CK_RV final(kvp_operation_kind kind)
{
    return kvp_message_final(fake_enter(), &fake_session, kind);
}

static CK_OBJECT_HANDLE verifying(CK_OBJECT_HANDLE key)
{
    return fake_object(key)->class == CKO_SECRET_KEY ? key : key + FAKE_PUBLIC;
}

/* One key, one mechanism: three messages whole and three in parts, each signature right. */
static void sign_messages(const kvp_mechanism *row, CK_OBJECT_HANDLE key)
{
    CK_ULONG len = text_len(row), cut = len / 3;
    bool remote = fake_object(key)->in_vault;
    bool remote_verify = remote && fake_object(key)->class == CKO_SECRET_KEY;
    ck_assert_rv(init(KVP_OPERATION_SIGN, row->type, key), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_VERIFY, row->type, verifying(key)), CKR_OK);
    for (int i = 0; i < 6; i++) {
        bool whole = i < 3;
        fake.requests = 0;
        sig_len = 0;
        if (!whole) {
            ck_assert_rv(begin(KVP_OPERATION_SIGN), CKR_OK);
            ck_assert_rv(sign(false, text, cut, NULL, NULL), CKR_OK);
        }
        const CK_BYTE *rest = whole ? text : text + cut;
        CK_ULONG rest_len = whole ? len : len - cut;
        ck_assert_rv(sign(whole, rest, rest_len, NULL, &sig_len), CKR_OK);
        CK_ULONG told = sig_len--;
        ck_assert_rv(sign(whole, rest, rest_len, sig, &sig_len), CKR_BUFFER_TOO_SMALL);
        ck_assert_uint_eq(sig_len, told);
        ck_assert_uint_eq(fake.requests, 0);
        ck_assert_rv(sign(whole, rest, rest_len, sig, &sig_len), CKR_OK);
        ck_assert_uint_eq(sig_len, told);
        ck_assert_uint_eq(fake.requests, remote);
        ck_assert_str_eq(fake_call.operation, "Sign");

        ck_assert_rv(verify(true, text, len, sig, sig_len), CKR_OK);
        ck_assert_str_eq(fake_call.operation, "Verify");
        ck_assert_rv(begin(KVP_OPERATION_VERIFY), CKR_OK);
        ck_assert_rv(verify(false, text, cut, NULL, 0), CKR_OK);
        ck_assert_rv(verify(false, text + cut, len - cut, sig, sig_len), CKR_OK);
        sig[sig_len - 1] ^= 1;
        ck_assert_rv(verify(true, text, len, sig, sig_len), CKR_SIGNATURE_INVALID);
        ck_assert_uint_eq(fake.requests, remote + (remote_verify ? 3 : 0));
    }
    ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OK);
    ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(final(KVP_OPERATION_VERIFY), CKR_OK);
}

START_TEST(each_mechanism_that_signs_signs_messages)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    unsigned keys = 0;
    if (!(row->flags & CKF_SIGN))
        return;
    for (CK_OBJECT_HANDLE key = 0; (key = fake_next_key(row, KVP_OPERATION_SIGN, key)) != 0;) {
        sign_messages(row, key);
        keys++;
    }
    ck_assert_msg(keys > 0, "%s was tried with no key", row->name);
}
END_TEST

START_TEST(messages_whole_and_in_parts_have_their_places)
{
    sig_len = sizeof(sig);
    ck_assert_rv(begin(KVP_OPERATION_SIGN), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(sign(true, "x", 1, sig, &sig_len), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048),
                 CKR_OPERATION_ACTIVE);
    ck_assert_rv(sign(false, "x", 1, NULL, NULL), CKR_OPERATION_NOT_INITIALIZED);

    ck_assert_rv(begin(KVP_OPERATION_SIGN), CKR_OK);
    ck_assert_rv(begin(KVP_OPERATION_SIGN), CKR_OPERATION_ACTIVE);
    ck_assert_rv(sign(true, "x", 1, sig, &sig_len), CKR_OPERATION_ACTIVE);
    ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OPERATION_ACTIVE);
    ck_assert_rv(sign(false, "x", 1, sig, &sig_len), CKR_OK);
    ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OK);
}
END_TEST

START_TEST(a_message_that_fails_ends_and_the_operation_goes_on)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_EC_P256), CKR_OK);
    ck_assert_rv(begin(KVP_OPERATION_SIGN), CKR_OK);

    /* a signature without its length */
    ck_assert_rv(sign(false, "x", 1, sig, NULL), CKR_ARGUMENTS_BAD);
    ck_assert_rv(sign(false, "x", 1, NULL, NULL), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(sign(true, NULL, 3, sig, &sig_len), CKR_ARGUMENTS_BAD);
    ck_assert_rv(sign(true, NULL, 0, sig, &sig_len), CKR_DATA_LEN_RANGE);
    const kvp_signed_part part = { "p", 1, "x", 1 };
    ck_assert_rv(kvp_message_sign(fake_enter(), &fake_session, true, &part, sig, &sig_len),
                 CKR_MECHANISM_PARAM_INVALID);
    ck_assert_rv(kvp_message_begin_signed(fake_enter(), &fake_session, KVP_OPERATION_SIGN, "p", 1),
                 CKR_MECHANISM_PARAM_INVALID);
    fake.fail_http = 403;
    ck_assert_rv(sign(true, text, 32, sig, &sig_len), CKR_KEY_FUNCTION_NOT_PERMITTED);
    fake.fail_http = 0;
    ck_assert_rv(sign(true, text, 32, sig, &sig_len), CKR_OK);
    ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OK);
}
END_TEST

START_TEST(plain_functions_and_cancel_know_a_message_operation)
{
    sig_len = sizeof(sig);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(
        kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_SIGN, "x", 1, sig, &sig_len),
        CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN, NULL, 0),
                 CKR_ARGUMENTS_BAD);
    ck_assert(!kvp_operation_cancel(&fake_session, KVP_OPERATION_SIGN, CKF_SIGN));
    ck_assert_rv(sign(true, "x", 1, sig, &sig_len), CKR_OK);
    ck_assert_rv(kvp_message_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN, NULL, 0),
                 CKR_OK);
    ck_assert_rv(sign(true, "x", 1, sig, &sig_len), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(init(KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert(kvp_operation_cancel(&fake_session, KVP_OPERATION_SIGN, CKF_MESSAGE_SIGN));
}
END_TEST

/* ---- C_VerifySignatureInit ---- */

static CK_RV signature_init(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG len)
{
    return kvp_verify_signature_init(fake_enter(), &fake_session, fake_mechanism(type), key, sig,
                                     len);
}

static CK_RV signature_once(const void *data, CK_ULONG len)
{
    return kvp_verify_signature_end(fake_enter(), &fake_session, true, data, len);
}

static CK_RV signature_update(const void *data, CK_ULONG len)
{
    return kvp_verify_signature_update(fake_enter(), &fake_session, data, len);
}

static CK_RV signature_final(void)
{
    return kvp_verify_signature_end(fake_enter(), &fake_session, false, NULL, 0);
}

START_TEST(each_mechanism_verifies_a_signature_that_comes_first)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_ULONG len = text_len(row);
    if (!(row->flags & CKF_VERIFY))
        return;
    for (CK_OBJECT_HANDLE key = 0; (key = fake_next_key(row, KVP_OPERATION_SIGN, key)) != 0;) {
        sig_len = sizeof(sig);
        ck_assert_rv(init(KVP_OPERATION_SIGN, row->type, key), CKR_OK);
        ck_assert_rv(sign(true, text, len, sig, &sig_len), CKR_OK);
        ck_assert_rv(final(KVP_OPERATION_SIGN), CKR_OK);

        ck_assert_rv(signature_init(row->type, verifying(key), sig_len), CKR_OK);
        ck_assert_rv(signature_once(text, len), CKR_OK);
        ck_assert_rv(signature_init(row->type, verifying(key), sig_len), CKR_OK);
        ck_assert_rv(signature_update(text, 10), CKR_OK);
        ck_assert_rv(signature_update(text + 10, len - 10), CKR_OK);
        ck_assert_rv(signature_final(), CKR_OK);
        ck_assert_rv(signature_final(), CKR_OPERATION_NOT_INITIALIZED);
        ck_assert_rv(signature_init(row->type, verifying(key), sig_len - 1),
                     CKR_SIGNATURE_LEN_RANGE);
        ck_assert_rv(signature_init(row->type, verifying(key), sig_len + 1),
                     CKR_SIGNATURE_LEN_RANGE);
        ck_assert(!kvp_operation_active(&fake_session, KVP_OPERATION_VERIFY));
        sig[sig_len - 1] ^= 1;
        ck_assert_rv(signature_init(row->type, verifying(key), sig_len), CKR_OK);
        ck_assert_rv(signature_once(text, len), CKR_SIGNATURE_INVALID);
    }
}
END_TEST

START_TEST(the_two_ways_to_verify_do_not_mix)
{
    CK_OBJECT_HANDLE key = FAKE_PUBLIC + FAKE_RSA_2048;
    CK_MECHANISM_TYPE type = CKM_SHA256_RSA_PKCS;
    ck_assert_rv(signature_once("x", 1), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(signature_init(type, key, 256), CKR_OK);
    ck_assert_rv(signature_init(type, key, 256), CKR_OPERATION_ACTIVE);
    ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, "x", 1, sig, 256),
                 CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(signature_update("x", 1), CKR_OK);
    ck_assert_rv(signature_once("x", 1), CKR_OPERATION_ACTIVE);
    ck_assert_rv(signature_final(), CKR_OPERATION_NOT_INITIALIZED); /* that error ended it */

    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_VERIFY,
                                fake_mechanism(type), key),
                 CKR_OK);
    ck_assert_rv(signature_update("x", 1), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(kvp_verify_signature_init(fake_enter(), &fake_session, NULL, key, NULL, 0),
                 CKR_OK);
    ck_assert(!kvp_operation_active(&fake_session, KVP_OPERATION_VERIFY));
    ck_assert_rv(kvp_verify_signature_init(fake_enter(), &fake_session, fake_mechanism(type), key,
                                           NULL, 256),
                 CKR_ARGUMENTS_BAD);
    ck_assert_rv(signature_init(type, key, 256), CKR_OK);
    ck_assert_rv(signature_update(NULL, 1), CKR_ARGUMENTS_BAD);
    ck_assert(!kvp_operation_active(&fake_session, KVP_OPERATION_VERIFY));
}
END_TEST

int main(void)
{
    fake_prepare();
    Suite *suite = suite_create("operation_message_sign");
    TCase *messages = tcase_create("messages"), *first = tcase_create("signature_first");
    tcase_add_checked_fixture(messages, fake_setup, fake_teardown);
    tcase_add_loop_test(messages, each_mechanism_that_signs_signs_messages, 0,
                        (int)kvp_mechanism_count);
    tcase_add_test(messages, messages_whole_and_in_parts_have_their_places);
    tcase_add_test(messages, a_message_that_fails_ends_and_the_operation_goes_on);
    tcase_add_test(messages, plain_functions_and_cancel_know_a_message_operation);
    suite_add_tcase(suite, messages);
    tcase_add_checked_fixture(first, fake_setup, fake_teardown);
    tcase_add_loop_test(first, each_mechanism_verifies_a_signature_that_comes_first, 0,
                        (int)kvp_mechanism_count);
    tcase_add_test(first, the_two_ways_to_verify_do_not_mix);
    suite_add_tcase(suite, first);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
