/* SPDX-License-Identifier: MIT */
/*
 * C_Initialize, C_Finalize and fork while other threads are in the middle of requests: each call
 * ends as it would or says that the module is not initialised, and the child that was forked
 * meanwhile signs, with C_Initialize or without.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4

/* Others read it while the module starts anew. */
static _Atomic CK_OBJECT_HANDLE key;
static atomic_bool stop;
static atomic_long signatures, refused, strange;
static pthread_t threads[THREADS];

static CK_RV sign_with(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 1 }, signature[64];
    CK_ULONG len = sizeof(signature);
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    if (rv == CKR_OK)
        rv = p11->C_Sign(session, digest, sizeof(digest), signature, &len);
    return rv == CKR_OK && len != sizeof(signature) ? CKR_GENERAL_ERROR : rv;
}

/* A session of its own and a signature, as a worker does. */
static CK_RV sign_once(void)
{
    CK_SESSION_HANDLE session;
    CK_RV rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);

    if (rv != CKR_OK)
        return rv;
    rv = sign_with(session);
    p11->C_CloseSession(session);
    return rv;
}

static void *sign_in_thread(void *unused)
{
    while (!stop) {
        switch (sign_once()) {
        case CKR_OK:
            signatures++;
            break;
        /* Between the calls the module, the session and the key may be gone. */
        case CKR_CRYPTOKI_NOT_INITIALIZED:
        case CKR_SESSION_HANDLE_INVALID:
        case CKR_OPERATION_NOT_INITIALIZED:
        case CKR_KEY_HANDLE_INVALID:
            refused++;
            sched_yield();
            break;
        default:
            strange++;
        }
    }
    return unused;
}

static void find_key(void)
{
    key = module_find(module_session, CKO_PRIVATE_KEY, "busy");
    ck_assert(key != CK_INVALID_HANDLE);
}

static void start_signing(void)
{
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_in_thread, NULL), 0);
}

static void wait_for(long more)
{
    for (long until = signatures + more; signatures < until;)
        sched_yield();
}

static void stop_signing(void)
{
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(strange, 0);
}

START_TEST(finalize_lets_calls_in_flight_end_and_initialize_starts_anew)
{
    module_setup();
    find_key();
    start_signing();
    for (int round = 0; round < 10; round++) {
        wait_for(5);
        assert_rv(CKR_OK, p11->C_Finalize(NULL));
        module_setup();
        find_key();
    }
    wait_for(5);
    stop_signing();
    module_teardown();
}
END_TEST

/*
 * The sanitizers of gcc 12 leave their allocator's locks to whatever thread had them at fork, so
 * that a child of threads that allocate hangs in malloc.
 */
#ifndef KVP_SANITIZED
static CK_RV initialize_in_child(void)
{
    CK_RV rv = p11->C_Initialize(NULL);

    if (rv == CKR_OK)
        rv = sign_once();
    if (rv == CKR_OK)
        rv = p11->C_Finalize(NULL);
    return rv;
}

static CK_RV finalize_in_child(void)
{
    CK_RV rv = p11->C_Finalize(NULL);

    return rv == CKR_OK && sign_once() == CKR_CRYPTOKI_NOT_INITIALIZED ? CKR_OK
                                                                       : CKR_FUNCTION_FAILED;
}

static CK_RV (*const in_child[])(void) = { sign_once, initialize_in_child, finalize_in_child };

START_TEST(a_child_forked_among_requests_is_whole)
{
    module_setup();
    find_key();
    start_signing();
    for (int round = 0; round < 6; round++) {
        wait_for(3);
        assert_rv(CKR_OK, module_in_child(in_child[_i]));
    }
    stop_signing();
    assert_rv(CKR_OK, sign_once());
    module_teardown();
}
END_TEST
#endif

static void *initialize_in_thread(void *ret)
{
    CK_RV *rv = ret;

    *rv = p11->C_Initialize(NULL);
    return NULL;
}

/* Every thread of a child may be the one that initialises it. */
static CK_RV initialize_from_threads_in_child(void)
{
    pthread_t mine[THREADS];
    CK_RV rvs[THREADS];
    int first = 0, second = 0;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&mine[i], NULL, initialize_in_thread, &rvs[i]) != 0)
            return CKR_HOST_MEMORY;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(mine[i], NULL);
        first += rvs[i] == CKR_OK;
        second += rvs[i] == CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    return first == 1 && second == THREADS - 1 ? sign_once() : CKR_FUNCTION_FAILED;
}

START_TEST(one_thread_of_a_child_initializes_it)
{
    module_setup();
    find_key();
    assert_rv(CKR_OK, sign_once());
    for (int round = 0; round < 3; round++)
        assert_rv(CKR_OK, module_in_child(initialize_from_threads_in_child));
    module_teardown();
}
END_TEST

/* One session in many hands: a call that finds the operation taken says so, and nothing breaks. */
static atomic_long shared_active, shared_ok, shared_strange;

static void *share_session(void *unused)
{
    for (int i = 0; i < 30; i++) {
        switch (sign_with(module_session)) {
        case CKR_OK:
            shared_ok++;
            break;
        case CKR_OPERATION_ACTIVE:
        case CKR_OPERATION_NOT_INITIALIZED:
            shared_active++;
            break;
        default:
            shared_strange++;
        }
    }
    return unused;
}

START_TEST(many_threads_share_one_session)
{
    module_setup();
    find_key();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, share_session, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(shared_strange, 0);
    ck_assert_int_gt(shared_ok, 0);
    module_teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("in_flight");
    TCase *tcase = tcase_create("in_flight");

    module_load();
    keyvaultd_start("vault");
    keyvaultd_create_key("busy", "EC", 0, "P-256");
    tcase_add_test(tcase, finalize_lets_calls_in_flight_end_and_initialize_starts_anew);
#ifndef KVP_SANITIZED
    tcase_add_loop_test(tcase, a_child_forked_among_requests_is_whole, 0,
                        (int)KVP_ARRAY_LEN(in_child));
#endif
    tcase_add_test(tcase, one_thread_of_a_child_initializes_it);
    tcase_add_test(tcase, many_threads_share_one_session);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
