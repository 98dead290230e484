/* SPDX-License-Identifier: MIT */
/* Digests that are saved and gone on with, and all that cannot be. */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static CK_BYTE state[70000];
static CK_ULONG state_len;

static CK_RV begin(CK_MECHANISM_TYPE type)
{
    return kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, fake_mechanism(type),
                          CK_INVALID_HANDLE);
}

static CK_RV update(const void *data, CK_ULONG len)
{
    return kvp_crypt_update(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, data, len, NULL,
                            NULL);
}

static CK_RV final(CK_BYTE digest[64], CK_ULONG *len)
{
    *len = 64;
    return kvp_crypt_final(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, digest, len);
}

static CK_RV save(void)
{
    state_len = sizeof(state);
    return kvp_state_save(fake_enter(), &fake_session, state, &state_len);
}

static CK_RV restore(void)
{
    return kvp_state_restore(fake_enter(), &fake_session, state, state_len, false);
}

static void set_up(void)
{
    fake_setup();
    memcpy(fake_slot.serial, "0123456789abcdef", 17);
}

START_TEST(a_digest_goes_on_where_it_was_saved)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE data[300], got[64], wanted[64];
    CK_ULONG len, told = 0;
    if (!(row->flags & CKF_DIGEST))
        return;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (CK_BYTE)(i * 5);

    ck_assert_rv(begin(row->type), CKR_OK);
    ck_assert_rv(update(data, 130), CKR_OK);
    ck_assert_rv(kvp_state_save(fake_enter(), &fake_session, NULL, &told), CKR_OK);
    len = told - 1;
    ck_assert_rv(kvp_state_save(fake_enter(), &fake_session, state, &len), CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(len, told);
    ck_assert_rv(save(), CKR_OK);
    ck_assert_uint_eq(state_len, told);
    ck_assert_rv(update("something else", 14), CKR_OK); /* and go on: it is a copy */
    ck_assert_rv(restore(), CKR_OK);                    /* ends what was going on */
    ck_assert_rv(update(data + 130, 170), CKR_OK);
    ck_assert_rv(final(got, &len), CKR_OK);

    ck_assert_int_eq(kvp_digest_once(row->hash, data, sizeof(data), wanted), KVP_OK);
    ck_assert_uint_eq(len, kvp_hash_len(row->hash));
    ck_assert_mem_eq(got, wanted, len);
    /* A second time, and saved again half way. */
    ck_assert_rv(restore(), CKR_OK);
    ck_assert_rv(update(data + 130, 70), CKR_OK);
    ck_assert_rv(save(), CKR_OK);
    ck_assert_rv(restore(), CKR_OK);
    ck_assert_rv(update(data + 200, 100), CKR_OK);
    ck_assert_rv(final(got, &len), CKR_OK);
    ck_assert_mem_eq(got, wanted, len);
}
END_TEST

START_TEST(a_restored_digest_knows_whether_it_was_updated)
{
    CK_BYTE digest[64];
    CK_ULONG len = sizeof(digest);
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(save(), CKR_OK);
    ck_assert_rv(restore(), CKR_OK);
    ck_assert_rv(
        kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, "abc", 3, digest, &len),
        CKR_OK);
    ck_assert_uint_eq(digest[0], 0xba);
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(update("abc", 3), CKR_OK);
    ck_assert_rv(save(), CKR_OK);
    ck_assert_rv(restore(), CKR_OK);
    ck_assert_rv(
        kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_DIGEST, "abc", 3, digest, &len),
        CKR_OPERATION_ACTIVE);
}
END_TEST

START_TEST(a_state_that_is_not_ours_is_invalid)
{
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(update("abc", 3), CKR_OK);
    ck_assert_rv(save(), CKR_OK);

    for (size_t i = 0; i < state_len; i += i < 96 ? 1 : 7) {
        state[i] ^= 1;
        ck_assert_rv(restore(), CKR_SAVED_STATE_INVALID);
        state[i] ^= 1;
    }
    for (CK_ULONG whole = state_len--; state_len > 0; state_len /= 2) {
        ck_assert_rv(restore(), CKR_SAVED_STATE_INVALID);
        ck_assert_uint_lt(state_len, whole);
    }
    ck_assert_rv(restore(), CKR_SAVED_STATE_INVALID);
    ck_assert_rv(update("abc", 3), CKR_OK); /* what failed has changed nothing */
}
END_TEST

START_TEST(a_state_is_of_one_token_and_one_session_state)
{
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(save(), CKR_OK);
    fake_slot.serial[3]++;
    ck_assert_rv(restore(), CKR_SAVED_STATE_INVALID);
    fake_slot.serial[3]--;
    fake_session.flags ^= CKF_RW_SESSION;
    ck_assert_rv(restore(), CKR_SAVED_STATE_INVALID);
    fake_session.flags ^= CKF_RW_SESSION;
    ck_assert_rv(kvp_state_restore(fake_enter(), &fake_session, state, state_len, true),
                 CKR_KEY_NOT_NEEDED);
    ck_assert_rv(restore(), CKR_OK);
}
END_TEST

START_TEST(what_cannot_be_saved_says_so_and_goes_on)
{
    static CK_BYTE much[65537];
    CK_BYTE digest[64];
    CK_ULONG len;
    ck_assert_rv(save(), CKR_OPERATION_NOT_INITIALIZED);
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(update(much, 65536), CKR_OK);
    ck_assert_rv(save(), CKR_OK);
    ck_assert_rv(update(much, 1), CKR_OK);
    CK_ULONG saved_len = state_len;
    ck_assert_rv(save(), CKR_STATE_UNSAVEABLE);
    ck_assert_rv(final(digest, &len), CKR_OK);
    state_len = saved_len;
    ck_assert_rv(restore(), CKR_OK); /* that of before; refusing to save has written nothing */
    ck_assert_rv(final(digest, &len), CKR_OK);

    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(kvp_digest_key(fake_enter(), &fake_session, FAKE_SESSION_GENERIC), CKR_OK);
    ck_assert_rv(save(), CKR_STATE_UNSAVEABLE);
    ck_assert_rv(final(digest, &len), CKR_OK);
}
END_TEST

static const struct {
    kvp_operation_kind kind;
    CK_MECHANISM_TYPE type;
    CK_OBJECT_HANDLE key;
    CK_RV rv;
} others[] = {
    { KVP_OPERATION_SIGN, CKM_SHA256_RSA_PKCS, FAKE_RSA_2048, CKR_STATE_UNSAVEABLE },
    { KVP_OPERATION_VERIFY, CKM_SHA256_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048,
      CKR_STATE_UNSAVEABLE },
    { KVP_OPERATION_ENCRYPT, CKM_AES_CBC, FAKE_SESSION_AES_128, CKR_STATE_UNSAVEABLE },
    { KVP_OPERATION_DECRYPT, CKM_AES_CBC, FAKE_SESSION_AES_128, CKR_STATE_UNSAVEABLE },
    { KVP_OPERATION_SIGN_RECOVER, CKM_RSA_PKCS, FAKE_RSA_2048, CKR_OPERATION_NOT_INITIALIZED },
    { KVP_OPERATION_VERIFY_RECOVER, CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048,
      CKR_OPERATION_NOT_INITIALIZED },
};

START_TEST(operations_with_keys_are_not_saved)
{
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, others[_i].kind,
                                fake_mechanism(others[_i].type), others[_i].key),
                 CKR_OK);
    ck_assert_rv(save(), others[_i].rv);
    ck_assert(kvp_operation_active(&fake_session, others[_i].kind));
    /* beside a digest */
    ck_assert_rv(begin(CKM_SHA256), CKR_OK);
    ck_assert_rv(save(), others[_i].rv == CKR_STATE_UNSAVEABLE ? CKR_STATE_UNSAVEABLE : CKR_OK);
}
END_TEST

int main(void)
{
    fake_prepare();
    Suite *suite = suite_create("operation_state");
    TCase *tcase = tcase_create("state");
    tcase_add_checked_fixture(tcase, set_up, fake_teardown);
    tcase_add_loop_test(tcase, a_digest_goes_on_where_it_was_saved, 0, (int)kvp_mechanism_count);
    tcase_add_test(tcase, a_restored_digest_knows_whether_it_was_updated);
    tcase_add_test(tcase, a_state_that_is_not_ours_is_invalid);
    tcase_add_test(tcase, a_state_is_of_one_token_and_one_session_state);
    tcase_add_test(tcase, what_cannot_be_saved_says_so_and_goes_on);
    tcase_add_loop_test(tcase, operations_with_keys_are_not_saved, 0, KVP_ARRAY_LEN(others));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
