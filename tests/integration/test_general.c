/* SPDX-License-Identifier: MIT */
/*
 * C_Initialize with all that applications pass to it, C_Finalize at any time, and good manners in
 * somebody else's process. No vault is asked anything here, which is tested too.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- C_Initialize ---- */

static atomic_int mutexes, locks, unlocks;

static CK_RV create_mutex(void **mutex)
{
    pthread_mutex_t *m = calloc(1, sizeof(*m));

    pthread_mutex_init(m, NULL);
    *mutex = m;
    atomic_fetch_add(&mutexes, 1);
    return CKR_OK;
}

static CK_RV destroy_mutex(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
    atomic_fetch_sub(&mutexes, 1);
    return CKR_OK;
}

static CK_RV lock_mutex(void *mutex)
{
    atomic_fetch_add(&locks, 1);
    return pthread_mutex_lock(mutex) == 0 ? CKR_OK : CKR_MUTEX_BAD;
}

static CK_RV unlock_mutex(void *mutex)
{
    atomic_fetch_add(&unlocks, 1);
    return pthread_mutex_unlock(mutex) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}


static char parameters[] = "configdir='' flags=readOnly";

static const struct {
    const char *who;
    CK_C_INITIALIZE_ARGS args;
    CK_RV rv;
    bool mutexes_used;
} initialize_rows[] = {
    { "no flags, no functions", { NULL, NULL, NULL, NULL, 0, NULL }, CKR_OK, false },
    { "libp11", { NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, NULL }, CKR_OK, false },
    { "GnuTLS", { NULL, NULL, NULL, NULL, 3, NULL }, CKR_OK, false },
    { "NSS", { NULL, NULL, NULL, NULL, 3, parameters }, CKR_OK, false },
    { "no threads", { NULL, NULL, NULL, NULL, CKF_LIBRARY_CANT_CREATE_OS_THREADS, NULL }, CKR_OK,
      false },
    { "charon", { create_mutex, destroy_mutex, lock_mutex, unlock_mutex, 0, NULL }, CKR_OK, true },
    { "charon without threads",
      { create_mutex, destroy_mutex, lock_mutex, unlock_mutex, 1, NULL }, CKR_OK, true },
    { "either will do", { create_mutex, destroy_mutex, lock_mutex, unlock_mutex, 2, NULL }, CKR_OK,
      false },
    { "a flag of the future", { NULL, NULL, NULL, NULL, 0x12, NULL }, CKR_OK, false },
    { "no create", { NULL, destroy_mutex, lock_mutex, unlock_mutex, 0, NULL }, CKR_ARGUMENTS_BAD,
      false },
    { "no destroy", { create_mutex, NULL, lock_mutex, unlock_mutex, 0, NULL }, CKR_ARGUMENTS_BAD,
      false },
    { "no lock", { create_mutex, destroy_mutex, NULL, unlock_mutex, 0, NULL }, CKR_ARGUMENTS_BAD,
      false },
    { "no unlock", { create_mutex, destroy_mutex, lock_mutex, NULL, 0, NULL }, CKR_ARGUMENTS_BAD,
      false },
    { "only create, OS locking", { create_mutex, NULL, NULL, NULL, 2, NULL }, CKR_ARGUMENTS_BAD,
      false },
    { "reserved", { NULL, NULL, NULL, NULL, 0, parameters }, CKR_ARGUMENTS_BAD, false },
    { "reserved, OS locking", { NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, parameters },
      CKR_ARGUMENTS_BAD, false },
};

START_TEST(initialize_takes_what_applications_pass)
{
    CK_C_INITIALIZE_ARGS args = initialize_rows[_i].args;
    CK_SESSION_HANDLE session;
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CK_RV rv = p11->C_Initialize(&args);

    ck_assert_msg(rv == initialize_rows[_i].rv, "%s: %s", initialize_rows[_i].who,
                  kvp_ckr_name(rv));
    if (rv != CKR_OK) {
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
        return;
    }
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, &slot, &count));
    assert_rv(CKR_OK, p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    ck_assert_msg((mutexes > 0) == initialize_rows[_i].mutexes_used, "%s", initialize_rows[_i].who);
    ck_assert_msg((locks > 0) == initialize_rows[_i].mutexes_used, "%s", initialize_rows[_i].who);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
    ck_assert_int_eq(mutexes, 0);
    ck_assert_int_eq(locks, unlocks);
}
END_TEST

START_TEST(initialize_twice_is_refused_and_changes_nothing)
{
    CK_SESSION_INFO info;

    module_setup();

    assert_rv(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));

    assert_rv(CKR_OK, p11->C_GetSessionInfo(module_session, &info));
    module_teardown();
}
END_TEST

START_TEST(finalize_refuses_what_is_reserved)
{
    int something;

    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_Finalize(&something));
    assert_rv(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(initialize_again_forgets_the_sessions_of_before)
{
    CK_SESSION_HANDLE old;
    CK_SESSION_INFO info;

    module_setup();
    old = module_session;
    module_teardown();
    module_setup();

    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(old, &info));
    assert_rv(CKR_OK, p11->C_GetSessionInfo(module_session, &info));
    module_teardown();
}
END_TEST

START_TEST(info_says_who_we_are)
{
    CK_INFO info;

    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetInfo(NULL));
    memset(&info, 0xaa, sizeof(info));
    assert_rv(CKR_OK, p11->C_GetInfo(&info));

    ck_assert_uint_eq(info.cryptokiVersion.major, 3);
    ck_assert_uint_eq(info.cryptokiVersion.minor, 2);
    ck_assert(module_field_is(info.manufacturerID, 32, "kvpkcs11"));
    ck_assert(module_field_is(info.libraryDescription, 32, "PKCS#11 for Azure Key Vault"));
    ck_assert_uint_eq(info.flags, 0);
    ck_assert_uint_eq(info.libraryVersion.major, strtoul(PACKAGE_VERSION, NULL, 10));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* ---- threads ---- */

static atomic_int ok, already;

static void *initialize_in_thread(void *barrier)
{
    CK_RV rv;

    pthread_barrier_wait(barrier);
    rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        ok++;
    else if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
        already++;
    return NULL;
}

START_TEST(of_eight_threads_one_initializes)
{
    pthread_t threads[8];
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, initialize_in_thread, &barrier);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);

    ck_assert_int_eq(ok, 1);
    ck_assert_int_eq(already, 7);
    pthread_barrier_destroy(&barrier);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(finalize_may_come_at_any_time)
{
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    module_keep_busy();
    for (int i = 0; i < 300; i++) {
        usleep(200);
        assert_rv(CKR_OK, p11->C_Finalize(NULL));
        assert_rv(CKR_OK, p11->C_Initialize(NULL));
    }

    ck_assert_int_eq(module_rest(), 0);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* ---- a guest in the process ---- */

static CK_RV silent_without_configuration(void)
{
    CK_ULONG count = 7;
    CK_RV rv;

    clearenv();
    setenv("HOME", "/nonexistent", 1);
    rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_GetSlotList(CK_FALSE, NULL, &count);
    if (rv == CKR_OK && count != 0)
        rv = 0xe4;
    return rv == CKR_OK ? p11->C_Finalize(NULL) : rv;
}

START_TEST(no_configuration_means_no_slots_and_not_a_word)
{
    char path[128], byte;
    FILE *output;

    snprintf(path, sizeof(path), "%s/output", keyvaultd_scratch());
    fflush(NULL);
    ck_assert(freopen(path, "w", stdout) && freopen(path, "a", stderr));
    assert_rv(CKR_OK, module_in_child(silent_without_configuration));
    fflush(NULL);

    output = fopen(path, "r");
    ck_assert(output != NULL);
    ck_assert_uint_eq(fread(&byte, 1, 1, output), 0);
    fclose(output);
}
END_TEST

static CK_RV finalize_after_openssl(void)
{
    CK_BYTE random[8];
    CK_RV rv;

    module_setup();
    /* OpenSSL is used before, so that there is something to forget. */
    rv = p11->C_GenerateRandom(module_session, random, sizeof(random));
    if (rv != CKR_OK)
        return rv;
    OPENSSL_cleanup();
    rv = p11->C_CloseAllSessions(module_slot);
    return rv == CKR_OK ? p11->C_Finalize(NULL) : rv;
}

START_TEST(finalize_after_openssls_end_only_forgets)
{
    assert_rv(CKR_OK, module_in_child(finalize_after_openssl));
}
END_TEST

START_TEST(nothing_of_all_this_asked_the_vault)
{
    ck_assert_uint_eq(keyvaultd_requests(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("general");
    TCase *life = tcase_create("life"), *guest = tcase_create("guest");

    keyvaultd_start("vault");
    module_load();
    tcase_add_loop_test(life, initialize_takes_what_applications_pass, 0,
                        (int)KVP_ARRAY_LEN(initialize_rows));
    tcase_add_test(life, initialize_twice_is_refused_and_changes_nothing);
    tcase_add_test(life, finalize_refuses_what_is_reserved);
    tcase_add_test(life, initialize_again_forgets_the_sessions_of_before);
    tcase_add_test(life, info_says_who_we_are);
    tcase_add_test(life, of_eight_threads_one_initializes);
    tcase_add_test(life, finalize_may_come_at_any_time);
    tcase_add_test(guest, no_configuration_means_no_slots_and_not_a_word);
    tcase_add_test(guest, finalize_after_openssls_end_only_forgets);
    tcase_add_test(guest, nothing_of_all_this_asked_the_vault);
    suite_add_tcase(suite, life);
    suite_add_tcase(suite, guest);
    return module_run_suite(suite);
}
