/* SPDX-License-Identifier: MIT */
/* Sessions, login and what becomes of operations (PKCS#11 v3.1 §5.6); none of it asks the vault. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NO_SLOT 77

static size_t requests_before;

static void setup(void)
{
    requests_before = keyvaultd_requests(NULL);
    module_setup();
}

static void teardown(void)
{
    module_teardown();
    ck_assert_uint_eq(keyvaultd_requests(NULL), requests_before);
}

static CK_STATE state_of(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;

    assert_rv(CKR_OK, p11->C_GetSessionInfo(session, &info));
    return info.state;
}

static void start_digest(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };

    assert_rv(CKR_OK, p11->C_DigestInit(session, &mechanism));
}

/* ---- opening and closing ---- */

START_TEST(open_checks_its_arguments)
{
    CK_SESSION_HANDLE session = 5;

    assert_rv(CKR_SLOT_ID_INVALID,
              p11->C_OpenSession(NO_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session));
    assert_rv(CKR_ARGUMENTS_BAD,
              p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, NULL));
    assert_rv(CKR_SESSION_PARALLEL_NOT_SUPPORTED,
              p11->C_OpenSession(module_slot, 0, NULL, NULL, &session));
    assert_rv(CKR_SESSION_PARALLEL_NOT_SUPPORTED,
              p11->C_OpenSession(module_slot, CKF_RW_SESSION, NULL, NULL, &session));
    assert_rv(CKR_SESSION_ASYNC_NOT_SUPPORTED,
              p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, NULL, NULL,
                                 &session));
    ck_assert_uint_eq(session, 5);
}
END_TEST

START_TEST(info_is_of_the_session)
{
    CK_SESSION_HANDLE ro = module_open_session(0);
    CK_SESSION_INFO info;

    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetSessionInfo(ro, NULL));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(CK_INVALID_HANDLE, &info));
    assert_rv(CKR_OK, p11->C_GetSessionInfo(ro, &info));
    ck_assert_uint_eq(info.slotID, module_slot);
    ck_assert_uint_eq(info.flags, CKF_SERIAL_SESSION);
    ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
    ck_assert_uint_eq(info.ulDeviceError, 0);
    assert_rv(CKR_OK, p11->C_GetSessionInfo(module_session, &info));
    ck_assert_uint_eq(info.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    ck_assert_uint_eq(info.state, CKS_RW_PUBLIC_SESSION);
}
END_TEST

START_TEST(a_closed_handle_stays_invalid)
{
    CK_SESSION_HANDLE session = module_open_session(0), other;
    CK_SESSION_INFO info;

    assert_rv(CKR_OK, p11->C_CloseSession(session));
    other = module_open_session(0);

    ck_assert_uint_ne(session, other);
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_CloseSession(session));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(session, &info));
    assert_rv(CKR_OK, p11->C_GetSessionInfo(other, &info));
}
END_TEST

START_TEST(close_all_closes_those_of_the_slot)
{
    CK_SESSION_HANDLE session = module_open_session(0);
    CK_SESSION_INFO info;

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_CloseAllSessions(NO_SLOT));
    assert_rv(CKR_OK, p11->C_CloseAllSessions(module_slot));

    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(session, &info));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(module_session, &info));
    assert_rv(CKR_OK, p11->C_CloseAllSessions(module_slot));
}
END_TEST

START_TEST(a_thousand_sessions_are_no_too_many)
{
    CK_SESSION_HANDLE sessions[1000];
    CK_SESSION_INFO info;

    for (size_t i = 0; i < 1000; i++)
        sessions[i] = module_open_session(i % 2 ? CKF_RW_SESSION : 0);
    for (size_t i = 0; i < 1000; i++)
        assert_rv(CKR_OK, p11->C_GetSessionInfo(sessions[i], &info));
    for (size_t i = 0; i < 1000; i++)
        assert_rv(CKR_OK, p11->C_CloseSession(sessions[i]));
}
END_TEST

/* ---- login ---- */

START_TEST(login_that_nobody_needs_is_granted)
{
    CK_SESSION_HANDLE ro = module_open_session(0);
    CK_UTF8CHAR pin[] = "1234";

    assert_rv(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(ro));
    assert_rv(CKR_OK, p11->C_Login(ro, CKU_USER, pin, 4));
    ck_assert_uint_eq(state_of(ro), CKS_RO_USER_FUNCTIONS);
    ck_assert_uint_eq(state_of(module_session), CKS_RW_USER_FUNCTIONS);
    assert_rv(CKR_USER_ALREADY_LOGGED_IN, p11->C_Login(module_session, CKU_USER, pin, 4));
    assert_rv(CKR_OK, p11->C_Logout(module_session));
    ck_assert_uint_eq(state_of(ro), CKS_RO_PUBLIC_SESSION);
    ck_assert_uint_eq(state_of(module_session), CKS_RW_PUBLIC_SESSION);
}
END_TEST

START_TEST(login_checks_its_arguments)
{
    CK_UTF8CHAR pin[] = "1234";

    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_Login(CK_INVALID_HANDLE, CKU_USER, pin, 4));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_Login(module_session, CKU_USER, NULL, 4));
    assert_rv(CKR_USER_TYPE_INVALID, p11->C_Login(module_session, 3, pin, 4));
    assert_rv(CKR_USER_TYPE_INVALID, p11->C_Login(module_session, CKU_SO, pin, 4));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED,
              p11->C_Login(module_session, CKU_CONTEXT_SPECIFIC, pin, 4));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_Logout(CK_INVALID_HANDLE));
    ck_assert_uint_eq(state_of(module_session), CKS_RW_PUBLIC_SESSION);
    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_USER, NULL, 0));
}
END_TEST

START_TEST(what_bars_a_security_officer_comes_before_that_there_is_none)
{
    CK_UTF8CHAR pin[] = "1234";
    CK_SESSION_HANDLE reader = module_open_session(0);

    assert_rv(CKR_SESSION_READ_ONLY_EXISTS, p11->C_Login(module_session, CKU_SO, pin, 4));
    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_USER, pin, 4));
    assert_rv(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, p11->C_Login(module_session, CKU_SO, pin, 4));
    assert_rv(CKR_USER_ALREADY_LOGGED_IN, p11->C_Login(module_session, CKU_USER, pin, 4));
    ck_assert_uint_eq(state_of(module_session), CKS_RW_USER_FUNCTIONS);
    assert_rv(CKR_OK, p11->C_Logout(module_session));
    assert_rv(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(module_session));
    assert_rv(CKR_OK, p11->C_CloseSession(reader));
    assert_rv(CKR_USER_TYPE_INVALID, p11->C_Login(module_session, CKU_SO, pin, 4));
}
END_TEST

START_TEST(login_within_an_operation_changes_nothing)
{
    CK_UTF8CHAR pin[] = "1234";

    start_digest(module_session);

    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_CONTEXT_SPECIFIC, pin, 4));
    ck_assert_uint_eq(state_of(module_session), CKS_RW_PUBLIC_SESSION);
}
END_TEST

START_TEST(login_user_is_login)
{
    CK_UTF8CHAR pin[] = "1234", user[] = "somebody";

    assert_rv(CKR_SESSION_HANDLE_INVALID,
              p11_3->C_LoginUser(CK_INVALID_HANDLE, CKU_USER, pin, 4, user, 8));
    assert_rv(CKR_ARGUMENTS_BAD, p11_3->C_LoginUser(module_session, CKU_USER, pin, 4, NULL, 8));
    assert_rv(CKR_ARGUMENTS_BAD, p11_3->C_LoginUser(module_session, CKU_USER, NULL, 4, user, 8));
    assert_rv(CKR_OK, p11_3->C_LoginUser(module_session, CKU_USER, pin, 4, user, 8));
    ck_assert_uint_eq(state_of(module_session), CKS_RW_USER_FUNCTIONS);
}
END_TEST

START_TEST(the_last_session_takes_the_login_with_it)
{
    CK_SESSION_HANDLE session;

    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_USER, NULL, 0));
    assert_rv(CKR_OK, p11->C_CloseSession(module_session));
    session = module_open_session(0);

    ck_assert_uint_eq(state_of(session), CKS_RO_PUBLIC_SESSION);
}
END_TEST

/* ---- operations of a session ---- */

/* The example of C_SetOperationState: what is hashed after the state was saved does not count. */
START_TEST(a_digest_is_saved_and_gone_on_with)
{
    CK_BYTE data1[] = { 1, 3, 5, 7 }, data2[] = { 2, 4, 8 }, data3[] = { 16, 15, 14, 13, 12 };
    CK_BYTE all[] = { 1, 3, 5, 7, 16, 15, 14, 13, 12 };
    CK_BYTE state[512], digest[32], expected[32];
    CK_ULONG len = 0, digest_len = sizeof(digest);
    CK_SESSION_HANDLE other = module_open_session(CKF_RW_SESSION), ro = module_open_session(0);

    start_digest(module_session);
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data1, sizeof(data1)));
    assert_rv(CKR_OK, p11->C_GetOperationState(module_session, NULL, &len));
    ck_assert_uint_le(len, sizeof(state));
    assert_rv(CKR_OK, p11->C_GetOperationState(module_session, state, &len));
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data2, sizeof(data2)));
    assert_rv(CKR_OK, p11->C_SetOperationState(module_session, state, len, 0, 0));
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data3, sizeof(data3)));
    assert_rv(CKR_OK, p11->C_DigestFinal(module_session, digest, &digest_len));
    start_digest(module_session);
    assert_rv(CKR_OK, p11->C_Digest(module_session, all, sizeof(all), expected, &digest_len));
    ck_assert_mem_eq(digest, expected, sizeof(digest));

    /* Another session in the same state; not one in another, and not with a key. */
    assert_rv(CKR_SAVED_STATE_INVALID, p11->C_SetOperationState(ro, state, len, 0, 0));
    assert_rv(CKR_KEY_NOT_NEEDED, p11->C_SetOperationState(other, state, len, 1, 0));
    assert_rv(CKR_KEY_NOT_NEEDED, p11->C_SetOperationState(other, state, len, 0, 1));
    assert_rv(CKR_OK, p11->C_SetOperationState(other, state, len, 0, 0));
    assert_rv(CKR_OK, p11->C_DigestUpdate(other, data3, sizeof(data3)));
    assert_rv(CKR_OK, p11->C_DigestFinal(other, digest, &digest_len));
    ck_assert_mem_eq(digest, expected, sizeof(digest));
}
END_TEST

static CK_BYTE state_of_parent[512];
static CK_ULONG state_of_parent_len = sizeof(state_of_parent);

/* A process that never had the operation. */
static CK_RV go_on_in_child(void)
{
    CK_BYTE c[] = "c", digest[32];
    CK_ULONG len = sizeof(digest);
    CK_SESSION_HANDLE session;
    CK_RV rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                &session);
    if (rv == CKR_OK)
        rv = p11->C_SetOperationState(session, state_of_parent, state_of_parent_len, 0, 0);
    if (rv == CKR_OK)
        rv = p11->C_DigestUpdate(session, c, 1);
    if (rv == CKR_OK)
        rv = p11->C_DigestFinal(session, digest, &len);
    return rv == CKR_OK && digest[0] != 0xba ? CKR_FUNCTION_FAILED : rv;
}

START_TEST(another_process_goes_on_with_a_digest)
{
    CK_BYTE data[] = "ab";

    start_digest(module_session);
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data, 2));
    assert_rv(CKR_OK,
              p11->C_GetOperationState(module_session, state_of_parent, &state_of_parent_len));
    assert_rv(CKR_OK, module_in_child(go_on_in_child));
}
END_TEST

START_TEST(the_state_of_nothing_is_not_to_be_had)
{
    CK_ULONG len = 0;
    CK_BYTE state[8] = { 0 };

    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetOperationState(CK_INVALID_HANDLE, NULL, &len));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetOperationState(module_session, NULL, NULL));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, p11->C_GetOperationState(module_session, NULL, &len));
    assert_rv(CKR_SESSION_HANDLE_INVALID,
              p11->C_SetOperationState(CK_INVALID_HANDLE, state, sizeof(state), 0, 0));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_SetOperationState(module_session, NULL, 8, 0, 0));
    assert_rv(CKR_SAVED_STATE_INVALID,
              p11->C_SetOperationState(module_session, state, sizeof(state), 0, 0));
}
END_TEST

/* pkcs11-provider asks between update and final, each time. */
START_TEST(asking_for_the_state_does_not_end_the_operation)
{
    CK_BYTE data[] = "abc", digest[32];
    CK_ULONG len = 0;

    start_digest(module_session);
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data, 3));
    assert_rv(CKR_OK, p11->C_GetOperationState(module_session, NULL, &len));
    len = sizeof(digest);
    assert_rv(CKR_OK, p11->C_DigestFinal(module_session, digest, &len));
    ck_assert_uint_eq(digest[0], 0xba);
}
END_TEST

START_TEST(cancel_ends_what_it_names)
{
    CK_BYTE data[] = "abc";

    assert_rv(CKR_SESSION_HANDLE_INVALID, p11_3->C_SessionCancel(CK_INVALID_HANDLE, CKF_DIGEST));
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, CKF_DIGEST | CKF_SIGN));
    start_digest(module_session);
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, 0));
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, CKF_SIGN | CKF_FIND_OBJECTS));
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data, 3));
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, CKF_DIGEST));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestUpdate(module_session, data, 3));
}
END_TEST

START_TEST(closing_ends_operations)
{
    CK_SESSION_HANDLE session = module_open_session(0);

    start_digest(session);
    start_digest(module_session);
    assert_rv(CKR_OK, p11->C_CloseSession(session));
    /* That of the other session ends with C_Finalize. */
}
END_TEST

START_TEST(sessions_have_operations_of_their_own)
{
    CK_SESSION_HANDLE other = module_open_session(0);
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };

    start_digest(module_session);
    start_digest(other);
    assert_rv(CKR_OPERATION_ACTIVE, p11->C_DigestInit(other, &mechanism));
}
END_TEST

static void *digest_in_thread(void *result)
{
    CK_RV *rv = result;
    CK_BYTE data[] = "abc", digest[32];
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_SESSION_HANDLE session;

    *rv = CKR_OK;
    for (int i = 0; i < 200 && *rv == CKR_OK; i++) {
        CK_ULONG len = sizeof(digest);

        *rv = p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
        if (*rv == CKR_OK)
            *rv = p11->C_DigestInit(session, &mechanism);
        if (*rv == CKR_OK)
            *rv = p11->C_Digest(session, data, 3, digest, &len);
        if (*rv == CKR_OK && (len != 32 || digest[0] != 0xba))
            *rv = CKR_GENERAL_ERROR;
        if (*rv == CKR_OK)
            *rv = p11->C_CloseSession(session);
    }
    return NULL;
}

START_TEST(two_threads_do_not_disturb_each_other)
{
    pthread_t threads[2];
    CK_RV results[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, digest_in_thread, &results[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);

    assert_rv(CKR_OK, results[0]);
    assert_rv(CKR_OK, results[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *opening = tcase_create("opening"), *login = tcase_create("login"),
          *operations = tcase_create("operations");

    keyvaultd_start("vault");
    module_load();
    tcase_add_checked_fixture(opening, setup, teardown);
    tcase_add_test(opening, open_checks_its_arguments);
    tcase_add_test(opening, info_is_of_the_session);
    tcase_add_test(opening, a_closed_handle_stays_invalid);
    tcase_add_test(opening, close_all_closes_those_of_the_slot);
    tcase_add_test(opening, a_thousand_sessions_are_no_too_many);
    tcase_add_checked_fixture(login, setup, teardown);
    tcase_add_test(login, login_that_nobody_needs_is_granted);
    tcase_add_test(login, login_checks_its_arguments);
    tcase_add_test(login, what_bars_a_security_officer_comes_before_that_there_is_none);
    tcase_add_test(login, login_within_an_operation_changes_nothing);
    tcase_add_test(login, login_user_is_login);
    tcase_add_test(login, the_last_session_takes_the_login_with_it);
    tcase_add_checked_fixture(operations, setup, teardown);
    tcase_add_test(operations, a_digest_is_saved_and_gone_on_with);
    tcase_add_test(operations, another_process_goes_on_with_a_digest);
    tcase_add_test(operations, the_state_of_nothing_is_not_to_be_had);
    tcase_add_test(operations, asking_for_the_state_does_not_end_the_operation);
    tcase_add_test(operations, cancel_ends_what_it_names);
    tcase_add_test(operations, closing_ends_operations);
    tcase_add_test(operations, sessions_have_operations_of_their_own);
    tcase_add_test(operations, two_threads_do_not_disturb_each_other);
    suite_add_tcase(suite, opening);
    suite_add_tcase(suite, login);
    suite_add_tcase(suite, operations);
    return module_run_suite(suite);
}
