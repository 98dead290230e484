/* SPDX-License-Identifier: MIT */
/*
 * The function lists and interfaces, C_Initialize with all that applications pass to it, C_Finalize
 * at any time, and fork. No vault is asked anything here: that its server would see no request is
 * tested too.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- lists and interfaces ---- */

/* A function of a list by its row: enough to call it with nothing but zeros. */
typedef CK_RV (*any_function)(void *, void *, void *, void *, void *, void *, void *, void *, void *,
                              void *);
typedef enum how { REAL, NONE, PARALLEL } how;

static const struct row {
    const char *name;
    how how;
    size_t offset; /* in CK_FUNCTION_LIST_3_2 */
} rows[] = {
#define KVP_FN(since, how, name, params) { #name, how, offsetof(CK_FUNCTION_LIST_3_2, C_##name) },
#include "cryptoki/functions.def"
};

static any_function function_at(const void *list, size_t offset)
{
    any_function function;

    memcpy(&function, (const char *)list + offset, sizeof(function));
    return function;
}

static CK_RV call_with_zeros(const struct row *row)
{
    return function_at(p11_3, row->offset)(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                                           NULL);
}

static bool needs_no_module(const struct row *row)
{
    return strcmp(row->name, "Initialize") == 0 || strcmp(row->name, "GetFunctionList") == 0 ||
           strcmp(row->name, "GetInterfaceList") == 0 || strcmp(row->name, "GetInterface") == 0;
}

START_TEST(function_list_is_2_40_and_full)
{
    CK_FUNCTION_LIST *list = NULL;

    assert_rv(CKR_ARGUMENTS_BAD, p11_get_function_list(NULL));
    assert_rv(CKR_OK, p11_get_function_list(&list));

    ck_assert_uint_eq(list->version.major, 2);
    ck_assert_uint_eq(list->version.minor, 40);
    for (size_t i = 0; i < 68; i++)
        ck_assert_msg(function_at(list, rows[i].offset) != NULL, "C_%s is NULL", rows[i].name);
}
END_TEST

/*
 * libp11-kit exports a C_GetFunctionList too, and is in every process that has GnuTLS: what the lists
 * hold must be ours all the same.
 */
START_TEST(lists_hold_the_functions_that_are_exported)
{
    ck_assert(p11->C_GetFunctionList == p11_get_function_list);
    ck_assert(p11_3->C_GetFunctionList == p11_get_function_list);
    ck_assert(p11_3->C_GetInterface == p11_get_interface);
    ck_assert(p11_3->C_GetInterfaceList == p11_get_interface_list);
}
END_TEST

/* Every list by its version: the same functions, as many as that version has. */
static const struct {
    CK_VERSION version;
    size_t functions;
} versions[] = { { { 2, 40 }, 68 }, { { 3, 0 }, 92 }, { { 3, 1 }, 92 }, { { 3, 2 }, 104 } };

START_TEST(interface_of_each_version_is_found_and_full)
{
    CK_VERSION version = versions[_i].version;
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_INTERFACE *interface = NULL;
    const CK_VERSION *got;

    assert_rv(CKR_OK, p11_get_interface(name, &version, &interface, CKF_INTERFACE_FORK_SAFE));

    ck_assert_str_eq((const char *)interface->pInterfaceName, "PKCS 11");
    ck_assert_uint_eq(interface->flags, CKF_INTERFACE_FORK_SAFE);
    got = interface->pFunctionList;
    ck_assert_uint_eq(got->major, version.major);
    ck_assert_uint_eq(got->minor, version.minor);
    for (size_t i = 0; i < versions[_i].functions; i++)
        ck_assert_msg(function_at(got, rows[i].offset) == function_at(p11_3, rows[i].offset),
                      "C_%s of %u.%u is another", rows[i].name, got->major, got->minor);
}
END_TEST

START_TEST(default_interface_is_the_newest)
{
    CK_INTERFACE *interface = NULL;
    CK_UTF8CHAR name[] = "PKCS 11";

    assert_rv(CKR_OK, p11_get_interface(NULL, NULL, &interface, 0));
    ck_assert_ptr_eq(interface->pFunctionList, p11_3);
    interface = NULL;
    assert_rv(CKR_OK, p11_get_interface(name, NULL, &interface, 0));
    ck_assert_ptr_eq(interface->pFunctionList, p11_3);
    assert_rv(CKR_ARGUMENTS_BAD, p11_get_interface(NULL, NULL, NULL, 0));
}
END_TEST

START_TEST(interfaces_that_are_not_there_are_refused)
{
    CK_UTF8CHAR vendor[] = "Vendor NSS FIPS Interface", name[] = "PKCS 11";
    CK_VERSION version = { 2, 20 }, newer = { 3, 3 };
    CK_INTERFACE *interface = (CK_INTERFACE *)name;

    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(vendor, NULL, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(name, &version, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(NULL, &newer, &interface, 0));
    assert_rv(CKR_FUNCTION_FAILED, p11_get_interface(name, NULL, &interface, 0x80));

    ck_assert_ptr_eq(interface, (CK_INTERFACE *)name);
}
END_TEST

START_TEST(interface_list_follows_the_rules_of_length)
{
    CK_INTERFACE list[8];
    CK_ULONG count = 0;

    assert_rv(CKR_ARGUMENTS_BAD, p11_get_interface_list(NULL, NULL));
    assert_rv(CKR_OK, p11_get_interface_list(NULL, &count));
    ck_assert_uint_eq(count, 4);
    count = 3;
    assert_rv(CKR_BUFFER_TOO_SMALL, p11_get_interface_list(list, &count));
    ck_assert_uint_eq(count, 4);
    count = 8;
    assert_rv(CKR_OK, p11_get_interface_list(list, &count));
    ck_assert_uint_eq(count, 4);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(list[i].flags, CKF_INTERFACE_FORK_SAFE);
    ck_assert_ptr_eq(list[0].pFunctionList, p11_3);
}
END_TEST

START_TEST(before_initialize_every_function_says_so)
{
    if (!needs_no_module(&rows[_i]))
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, call_with_zeros(&rows[_i]));
}
END_TEST

START_TEST(after_finalize_every_function_says_so)
{
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));

    if (!needs_no_module(&rows[_i]))
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, call_with_zeros(&rows[_i]));
}
END_TEST

START_TEST(zeros_as_arguments_are_survived)
{
    CK_RV rv;

    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    if (strcmp(rows[_i].name, "Finalize") == 0)
        return;
    rv = call_with_zeros(&rows[_i]);

    if (rows[_i].how == NONE)
        assert_rv(CKR_FUNCTION_NOT_SUPPORTED, rv);
    else if (rows[_i].how == PARALLEL)
        assert_rv(CKR_FUNCTION_NOT_PARALLEL, rv);
    else if (strcmp(rows[_i].name, "Initialize") == 0)
        assert_rv(CKR_CRYPTOKI_ALREADY_INITIALIZED, rv);
    else if (strcmp(rows[_i].name, "CloseAllSessions") == 0)
        assert_rv(CKR_OK, rv); /* of slot 0 */
    else
        ck_assert_msg(rv == CKR_ARGUMENTS_BAD || rv == CKR_SESSION_HANDLE_INVALID, "C_%s: %s",
                      rows[_i].name, kvp_ckr_name(rv));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

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

    ck_assert_msg(rv == initialize_rows[_i].rv, "%s: %s", initialize_rows[_i].who, kvp_ckr_name(rv));
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

static atomic_bool stop;
static atomic_long worked, refused, strange;

/* Anything may be answered but a crash, and an answer that has no place here. */
static void *use_in_thread(void *unused)
{
    while (!stop) {
        CK_SESSION_HANDLE session;
        CK_SESSION_INFO info;
        CK_RV rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);

        if (rv == CKR_OK)
            rv = p11->C_GetSessionInfo(session, &info);
        if (rv == CKR_OK)
            rv = p11->C_CloseSession(session);
        if (rv == CKR_OK)
            worked++;
        else if (rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_SESSION_HANDLE_INVALID)
            refused++;
        else
            strange++;
    }
    return unused;
}

START_TEST(finalize_may_come_at_any_time)
{
    pthread_t threads[4];

    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, use_in_thread, NULL);
    for (int i = 0; i < 300; i++) {
        usleep(200);
        assert_rv(CKR_OK, p11->C_Finalize(NULL));
        assert_rv(CKR_OK, p11->C_Initialize(NULL));
    }
    stop = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    ck_assert_int_eq(strange, 0);
    ck_assert_int_gt(worked, 0);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* ---- fork ---- */

/* Run @fn in a child of ours; its CK_RV becomes the exit status, low bits of which are enough here. */
static CK_RV in_child(CK_RV (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit((int)fn() & 0xff);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "the child ended with signal %d", WTERMSIG(status));
    return (CK_RV)WEXITSTATUS(status);
}

static CK_RV use_session(void)
{
    CK_SESSION_INFO info;

    return p11->C_GetSessionInfo(module_session, &info);
}

static CK_RV initialize_anew(void)
{
    CK_SESSION_INFO info;
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CK_RV rv = p11->C_Initialize(NULL);

    if (rv != CKR_OK)
        return rv;
    if (p11->C_GetSessionInfo(module_session, &info) != CKR_SESSION_HANDLE_INVALID)
        return 0xe0;
    if (p11->C_Initialize(NULL) != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return 0xe1;
    rv = p11->C_GetSlotList(CK_TRUE, &slot, &count);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &module_session);
    if (rv == CKR_OK)
        rv = p11->C_GetSessionInfo(module_session, &info);
    return rv == CKR_OK ? p11->C_Finalize(NULL) : rv;
}

static CK_RV initialize_without_configuration(void)
{
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CK_RV rv;

    clearenv();
    setenv("HOME", "/nonexistent", 1);
    rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_GetSlotList(CK_TRUE, &slot, &count);
    return rv != CKR_OK ? rv : count == 1 ? CKR_OK : 0xe2;
}

static CK_RV initialize_in_grandchild(void)
{
    CK_RV rv = initialize_anew();
    int status = 0;
    pid_t pid;

    if (rv != CKR_OK)
        return rv;
    rv = p11->C_Initialize(NULL);
    if (rv != CKR_OK)
        return rv;
    pid = fork();
    if (pid == 0)
        _exit((int)initialize_anew() & 0xff);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? (CK_RV)WEXITSTATUS(status) : 0xe3;
}

static CK_RV finalize(void)
{
    return p11->C_Finalize(NULL);
}

START_TEST(sessions_go_on_in_a_child)
{
    module_setup();

    assert_rv(CKR_OK, in_child(use_session));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(initialize_in_a_child_starts_anew)
{
    module_setup();

    assert_rv(CKR_OK, in_child(initialize_anew));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(initialize_in_a_grandchild_starts_anew)
{
    module_setup();

    assert_rv(CKR_OK, in_child(initialize_in_grandchild));

    module_teardown();
}
END_TEST

/* nginx drops the environment of its workers, and their right to read files of root's. */
START_TEST(a_child_keeps_its_parents_configuration)
{
    module_setup();

    assert_rv(CKR_OK, in_child(initialize_without_configuration));

    module_teardown();
}
END_TEST

START_TEST(finalize_in_a_child_leaves_the_parent_alone)
{
    module_setup();

    assert_rv(CKR_OK, in_child(finalize));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(a_child_of_an_uninitialized_process_initializes)
{
    module_session = 1;

    assert_rv(CKR_OK, in_child(initialize_anew));

    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, use_session());
}
END_TEST

START_TEST(fork_among_busy_threads_leaves_a_usable_child)
{
    pthread_t threads[4];

    module_setup();
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, use_in_thread, NULL);
    for (int i = 0; i < 30; i++) {
        assert_rv(CKR_OK, in_child(use_session));
        assert_rv(CKR_OK, in_child(initialize_anew));
    }
    stop = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);

    ck_assert_int_eq(strange, 0);
    module_teardown();
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
    assert_rv(CKR_OK, in_child(silent_without_configuration));
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
    assert_rv(CKR_OK, in_child(finalize_after_openssl));
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
    TCase *lists = tcase_create("lists"), *life = tcase_create("life"), *forks = tcase_create("fork"),
          *guest = tcase_create("guest");
    const int row_count = (int)KVP_ARRAY_LEN(rows);

    keyvaultd_start("vault");
    module_load();
    tcase_add_test(lists, function_list_is_2_40_and_full);
    tcase_add_test(lists, lists_hold_the_functions_that_are_exported);
    tcase_add_loop_test(lists, interface_of_each_version_is_found_and_full, 0,
                        (int)KVP_ARRAY_LEN(versions));
    tcase_add_test(lists, default_interface_is_the_newest);
    tcase_add_test(lists, interfaces_that_are_not_there_are_refused);
    tcase_add_test(lists, interface_list_follows_the_rules_of_length);
    tcase_add_loop_test(lists, before_initialize_every_function_says_so, 0, row_count);
    tcase_add_loop_test(lists, after_finalize_every_function_says_so, 0, row_count);
    tcase_add_loop_test(lists, zeros_as_arguments_are_survived, 0, row_count);
    tcase_set_timeout(life, 60);
    tcase_add_loop_test(life, initialize_takes_what_applications_pass, 0,
                        (int)KVP_ARRAY_LEN(initialize_rows));
    tcase_add_test(life, initialize_twice_is_refused_and_changes_nothing);
    tcase_add_test(life, finalize_refuses_what_is_reserved);
    tcase_add_test(life, initialize_again_forgets_the_sessions_of_before);
    tcase_add_test(life, info_says_who_we_are);
    tcase_add_test(life, of_eight_threads_one_initializes);
    tcase_add_test(life, finalize_may_come_at_any_time);
    tcase_set_timeout(forks, 60);
    tcase_add_test(forks, sessions_go_on_in_a_child);
    tcase_add_test(forks, initialize_in_a_child_starts_anew);
    tcase_add_test(forks, initialize_in_a_grandchild_starts_anew);
    tcase_add_test(forks, a_child_keeps_its_parents_configuration);
    tcase_add_test(forks, finalize_in_a_child_leaves_the_parent_alone);
    tcase_add_test(forks, a_child_of_an_uninitialized_process_initializes);
    tcase_add_test(forks, fork_among_busy_threads_leaves_a_usable_child);
    tcase_add_test(guest, no_configuration_means_no_slots_and_not_a_word);
    tcase_add_test(guest, finalize_after_openssls_end_only_forgets);
    tcase_add_test(guest, nothing_of_all_this_asked_the_vault);
    suite_add_tcase(suite, lists);
    suite_add_tcase(suite, life);
    suite_add_tcase(suite, forks);
    suite_add_tcase(suite, guest);
    return module_run_suite(suite);
}
