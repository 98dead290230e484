/* SPDX-License-Identifier: MIT */
/*
 * Every mechanism of the table in both directions, in one part and in several, with its requests
 * counted: one for what the vault does, none for what is done here.
 */
#include "mech_fake.h"

#include "base/alloc.h"

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

/* ---- every mechanism, both directions ---- */

/* Data that the mechanism takes in one part: a digest for those on digests. */
static CK_ULONG data_for(const kvp_mechanism *row)
{
    return row->type == CKM_AES_CBC ? 48 : 32;
}

static void feed_in_parts(kvp_operation_kind kind, const CK_BYTE *data, CK_ULONG len)
{
    ck_assert_rv(update(kind, data, 1), CKR_OK);
    ck_assert_rv(update(kind, NULL, 0), CKR_OK);
    ck_assert_rv(update(kind, data + 1, len - 1), CKR_OK);
}

START_TEST(what_is_signed_is_verified)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE data[64];
    memset(data, 0x3c, sizeof(data));
    if (!row->ops || !(row->flags & CKF_SIGN))
        return;

    unsigned keys = 0;
    for (CK_OBJECT_HANDLE key = 0; (key = fake_next_key(row, KVP_OPERATION_SIGN, key)) != 0;
         keys++) {
        bool secret = fake_object(key)->class == CKO_SECRET_KEY;
        bool remote = fake_object(key)->in_vault;
        CK_OBJECT_HANDLE public = secret ? key : key + FAKE_PUBLIC;
        CK_ULONG len = data_for(row);
        for (int parts = 0; parts < 2; parts++) {
            fake.requests = 0;
            sig_len = sizeof(sig);
            ck_assert_rv(init(KVP_OPERATION_SIGN, row->type, key), CKR_OK);
            if (parts)
                feed_in_parts(KVP_OPERATION_SIGN, data, len);
            ck_assert_rv(parts ? final(KVP_OPERATION_SIGN, sig, &sig_len)
                               : once(KVP_OPERATION_SIGN, data, len, sig, &sig_len),
                         CKR_OK);
            ck_assert_uint_eq(fake.requests, remote);
            ck_assert_int_eq(fake_call.remote, remote);
            ck_assert_str_eq(fake_call.operation, "Sign");
            ck_assert_uint_eq(fake_call.mechanism, row->type);
            if (remote)
                ck_assert_str_eq(fake_call.object_id, fake_object(key)->vault_key.id);

            fake.requests = 0;
            ck_assert_rv(init(KVP_OPERATION_VERIFY, row->type, public), CKR_OK);
            ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, data, len, sig, sig_len),
                         CKR_OK);
            ck_assert_str_eq(fake_call.operation, "Verify");
            ck_assert_rv(init(KVP_OPERATION_VERIFY, row->type, public), CKR_OK);
            feed_in_parts(KVP_OPERATION_VERIFY, data, len);
            ck_assert_rv(kvp_verify_final(fake_enter(), &fake_session, sig, sig_len), CKR_OK);
            data[3] ^= 1;
            ck_assert_rv(init(KVP_OPERATION_VERIFY, row->type, public), CKR_OK);
            ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, data, len, sig, sig_len),
                         CKR_SIGNATURE_INVALID);
            data[3] ^= 1;
            ck_assert_uint_eq(fake.requests, secret && remote ? 3 : 0);
        }
    }
    ck_assert_msg(keys > 0, "%s was tried with no key", row->name);
}
END_TEST

START_TEST(what_is_encrypted_is_decrypted)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE data[64], cipher[1024], plain[1024];
    memset(data, 0x3c, sizeof(data));
    if (!row->ops || !(row->flags & CKF_ENCRYPT))
        return;

    unsigned keys = 0;
    for (CK_OBJECT_HANDLE key = 0; (key = fake_next_key(row, KVP_OPERATION_DECRYPT, key)) != 0;) {
        bool secret = fake_object(key)->class == CKO_SECRET_KEY;
        bool remote = fake_object(key)->in_vault;
        CK_ULONG len = data_for(row), cipher_len = sizeof(cipher), plain_len = sizeof(plain);
        if (remote && row->type == CKM_AES_GCM)
            continue; /* the service makes the IV: message functions only */
        keys++;
        fake.requests = 0;
        ck_assert_rv(init(KVP_OPERATION_ENCRYPT, row->type, secret ? key : key + FAKE_PUBLIC),
                     CKR_OK);
        ck_assert_rv(once(KVP_OPERATION_ENCRYPT, data, len, NULL, &cipher_len), CKR_OK);
        CK_ULONG told = cipher_len;
        ck_assert_rv(once(KVP_OPERATION_ENCRYPT, data, len, cipher, &cipher_len), CKR_OK);
        ck_assert_uint_eq(cipher_len, told);
        if (!secret || !remote)
            ck_assert_uint_eq(fake.requests, 0);

        fake.requests = 0;
        ck_assert_rv(init(KVP_OPERATION_DECRYPT, row->type, key), CKR_OK);
        ck_assert_rv(once(KVP_OPERATION_DECRYPT, cipher, cipher_len, plain, &plain_len), CKR_OK);
        ck_assert_uint_eq(plain_len, len);
        ck_assert_mem_eq(plain, data, len);
        ck_assert(remote ? fake.requests > 0 : fake.requests == 0);
        if (remote && fake_object(key)->bits)
            ck_assert_uint_eq(fake.requests, 1);
    }
    ck_assert_msg(keys > 0, "%s was tried with no key", row->name);
}
END_TEST

START_TEST(digests_are_those_of_the_crypto_room_in_one_part_and_in_many)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE expected[64], digest[64];
    CK_ULONG len;
    if (!(row->flags & CKF_DIGEST))
        return;
    ck_assert_int_eq(kvp_digest_once(row->hash, "abcdef", 6, expected), KVP_OK);

    ck_assert_rv(init(KVP_OPERATION_DIGEST, row->type, 0), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_DIGEST, "abcdef", 6, NULL, &len), CKR_OK);
    ck_assert_uint_eq(len, kvp_hash_len(row->hash));
    ck_assert_rv(once(KVP_OPERATION_DIGEST, "abcdef", 6, digest, &len), CKR_OK);
    ck_assert_mem_eq(digest, expected, len);
    ck_assert_ptr_null(fake_call.operation); /* no key, no record */

    ck_assert_rv(init(KVP_OPERATION_DIGEST, row->type, 0), CKR_OK);
    feed_in_parts(KVP_OPERATION_DIGEST, (const CK_BYTE *)"abcdef", 6);
    len = sizeof(digest);
    ck_assert_rv(final(KVP_OPERATION_DIGEST, digest, &len), CKR_OK);
    ck_assert_mem_eq(digest, expected, len);
}
END_TEST

START_TEST(a_session_keys_value_can_be_digested_a_vault_keys_cannot)
{
    CK_BYTE expected[64], digest[64];
    CK_ULONG len = sizeof(digest);
    const kvp_buf *value = &fake_object(FAKE_SESSION_GENERIC)->value;
    ck_assert_int_eq(kvp_digest_once(KVP_HASH_SHA256, value->data, value->len, expected), KVP_OK);

    ck_assert_rv(init(KVP_OPERATION_DIGEST, CKM_SHA256, 0), CKR_OK);
    ck_assert_rv(kvp_digest_key(fake_enter(), &fake_session, FAKE_SESSION_GENERIC), CKR_OK);
    ck_assert_rv(final(KVP_OPERATION_DIGEST, digest, &len), CKR_OK);
    ck_assert_mem_eq(digest, expected, 32);
    ck_assert_rv(init(KVP_OPERATION_DIGEST, CKM_SHA256, 0), CKR_OK);
    ck_assert_rv(kvp_digest_key(fake_enter(), &fake_session, FAKE_HSM_AES_256),
                 CKR_KEY_INDIGESTIBLE);
}
END_TEST

START_TEST(verify_recover_gives_what_was_signed)
{
    CK_BYTE text[256];
    CK_ULONG len = 3;
    sig_len = sizeof(sig);
    fake_object(FAKE_RSA_2048)->denied = CKA_SIGN_RECOVER;
    ck_assert_rv(init(KVP_OPERATION_SIGN_RECOVER, CKM_RSA_PKCS, FAKE_RSA_2048),
                 CKR_KEY_FUNCTION_NOT_PERMITTED);
    fake_object(FAKE_RSA_2048)->denied = CKA_DECRYPT;
    ck_assert_rv(init(KVP_OPERATION_SIGN_RECOVER, CKM_RSA_PKCS, FAKE_RSA_2048), CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_SIGN_RECOVER, "hello", 5, sig, &sig_len), CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_RSNULL);
    ck_assert_str_eq(fake_call.operation, "SignRecover");

    ck_assert_rv(init(KVP_OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048),
                 CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_VERIFY_RECOVER, sig, sig_len, text, &len),
                 CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(len, 5);
    ck_assert_rv(once(KVP_OPERATION_VERIFY_RECOVER, sig, sig_len, text, &len), CKR_OK);
    ck_assert_mem_eq(text, "hello", 5);
    sig[100] ^= 1;
    len = sizeof(text);
    ck_assert_rv(init(KVP_OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048),
                 CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_VERIFY_RECOVER, sig, sig_len, text, &len),
                 CKR_SIGNATURE_INVALID);
    ck_assert_rv(init(KVP_OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048),
                 CKR_OK);
    ck_assert_rv(once(KVP_OPERATION_VERIFY_RECOVER, sig, 255, text, &len), CKR_SIGNATURE_LEN_RANGE);
}
END_TEST

/* ---- memory ---- */

/* Each allocation fails in turn: the answer is CKR_HOST_MEMORY, nothing stays begun, nothing leaks.
 */
static void torture(CK_RV (*run)(void))
{
    long count = 0;
    CK_RV rv = CKR_HOST_MEMORY;
    for (; rv != CKR_OK; count++) {
        ck_assert_int_lt(count, 100);
        kvp_alloc_fail_after(count);
        rv = run();
        kvp_alloc_fail_after(-1);
        if (rv != CKR_OK)
            ck_assert_rv(rv, CKR_HOST_MEMORY);
        for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++)
            kvp_operation_cancel(&fake_session, kind, KVP_ANY_OPERATION);
    }
    ck_assert_int_gt(count, 1);
}

static CK_RV sign_hashed(void)
{
    CK_RV rv = init(KVP_OPERATION_SIGN, CKM_SHA1_RSA_PKCS, FAKE_RSA_2048);
    sig_len = sizeof(sig);
    return rv == CKR_OK ? once(KVP_OPERATION_SIGN, "text", 4, sig, &sig_len) : rv;
}

static CK_RV sign_raw(void)
{
    CK_RV rv = init(KVP_OPERATION_SIGN, CKM_ECDSA, FAKE_EC_P256);
    sig_len = sizeof(sig);
    return rv == CKR_OK ? once(KVP_OPERATION_SIGN, "text", 4, sig, &sig_len) : rv;
}

static CK_RV encrypt_public(void)
{
    CK_RV rv = init(KVP_OPERATION_ENCRYPT, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048);
    sig_len = sizeof(sig);
    return rv == CKR_OK ? once(KVP_OPERATION_ENCRYPT, "text", 4, sig, &sig_len) : rv;
}

static CK_RV encrypt_secret(void)
{
    CK_RV rv = init(KVP_OPERATION_ENCRYPT, CKM_AES_GCM, FAKE_SESSION_AES_256);
    sig_len = sizeof(sig);
    return rv == CKR_OK ? once(KVP_OPERATION_ENCRYPT, "text", 4, sig, &sig_len) : rv;
}

static CK_RV wrap_and_unwrap(void)
{
    CK_OBJECT_HANDLE made;
    sig_len = sizeof(sig);
    CK_RV rv = kvp_wrap_key(fake_enter(), &fake_session, fake_mechanism(CKM_RSA_PKCS_OAEP),
                            FAKE_PUBLIC + FAKE_RSA_2048, FAKE_SESSION_AES_128, NULL, sig, &sig_len);
    if (rv != CKR_OK)
        return rv;
    return kvp_unwrap_key(fake_enter(), &fake_session, fake_mechanism(CKM_RSA_PKCS_OAEP),
                          FAKE_RSA_2048, sig, sig_len, NULL, 0, NULL, &made);
}

static CK_RV (*const tortured[])(void) = { sign_hashed, sign_raw, encrypt_public, encrypt_secret,
                                           wrap_and_unwrap };

START_TEST(no_memory_is_said_and_nothing_is_left)
{
    torture(tortured[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operation_mechanisms");
    TCase *tcase = tcase_create("mechanisms");
    int rows = (int)kvp_mechanism_count;
    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, what_is_signed_is_verified, 0, rows);
    tcase_add_loop_test(tcase, what_is_encrypted_is_decrypted, 0, rows);
    tcase_add_loop_test(tcase, digests_are_those_of_the_crypto_room_in_one_part_and_in_many, 0,
                        rows);
    tcase_add_test(tcase, a_session_keys_value_can_be_digested_a_vault_keys_cannot);
    tcase_add_test(tcase, verify_recover_gives_what_was_signed);
    tcase_add_loop_test(tcase, no_memory_is_said_and_nothing_is_left, 0, KVP_ARRAY_LEN(tortured));
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
