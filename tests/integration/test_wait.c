/* SPDX-License-Identifier: MIT */
/*
 * C_WaitForSlotEvent that blocks (PKCS#11 v3.1 §5.5): there never is an event, so a thread waits
 * until the module is finalized, or until it is cancelled.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

static sem_t about_to_wait;

static void *wait_in_thread(void *ret)
{
    CK_RV *rv = ret;
    CK_SLOT_ID slot = 77;

    sem_post(&about_to_wait);
    *rv = p11->C_WaitForSlotEvent(0, &slot, NULL);
    if (slot != 77)
        *rv = CKR_GENERAL_ERROR;
    return NULL;
}

static pthread_t waiter(CK_RV *rv)
{
    pthread_t thread;

    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_thread, rv), 0);
    while (sem_wait(&about_to_wait) != 0)
        continue;
    return thread;
}

/* Whether it waits already or comes too late, the answer is the same: both happen over the rounds.
 */
START_TEST(a_thread_that_waits_returns_when_the_module_is_finalized)
{
    for (int round = 0; round < 50; round++) {
        CK_RV first = CKR_OK, second = CKR_OK;
        pthread_t one, two;

        module_setup();
        one = waiter(&first);
        two = waiter(&second);
        if (round % 2)
            sched_yield();
        module_teardown();
        pthread_join(one, NULL);
        pthread_join(two, NULL);
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, first);
        assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, second);
    }
}
END_TEST

START_TEST(others_work_while_one_waits)
{
    CK_RV rv = CKR_OK;
    CK_SESSION_INFO info;
    pthread_t thread;

    module_setup();
    thread = waiter(&rv);
    for (int i = 0; i < 100; i++) {
        CK_SESSION_HANDLE session = module_open_session(0);

        assert_rv(CKR_OK, p11->C_GetSessionInfo(session, &info));
        assert_rv(CKR_OK, p11->C_CloseSession(session));
    }
    module_teardown();
    pthread_join(thread, NULL);
    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, rv);
}
END_TEST

/* strongSwan's charon cancels its thread before it calls C_Finalize. */
START_TEST(a_thread_that_waits_can_be_cancelled)
{
    CK_RV rv = CKR_OK;
    void *how = NULL;
    pthread_t thread;

    module_setup();
    thread = waiter(&rv);
    pthread_cancel(thread);
    pthread_join(thread, &how);
    ck_assert_ptr_eq(how, PTHREAD_CANCELED);
    module_teardown();
    module_setup(); /* its reference was given back: nothing stands in the way */
    module_teardown();
}
END_TEST

/* ThreadSanitizer does not let a child of several threads start its own. */
#ifndef __SANITIZE_THREAD__
static CK_RV child_waits_for_its_own_finalize(void)
{
    CK_RV rv = CKR_OK, ended;
    pthread_t thread;

    if (sem_init(&about_to_wait, 0, 0) != 0 ||
        pthread_create(&thread, NULL, wait_in_thread, &rv) != 0)
        return CKR_HOST_MEMORY;
    while (sem_wait(&about_to_wait) != 0)
        continue;
    ended = p11->C_Finalize(NULL);
    pthread_join(thread, NULL);
    return ended == CKR_OK && rv == CKR_CRYPTOKI_NOT_INITIALIZED ? CKR_OK : CKR_FUNCTION_FAILED;
}

START_TEST(a_child_of_a_process_that_waits_is_free)
{
    CK_RV rv = CKR_OK;
    pthread_t thread;

    module_setup();
    thread = waiter(&rv);
    for (int i = 0; i < 10; i++)
        assert_rv(CKR_OK, module_in_child(child_waits_for_its_own_finalize));
    module_teardown();
    pthread_join(thread, NULL);
    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, rv);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *tcase = tcase_create("wait");

    keyvaultd_start("vault");
    module_load();
    tcase_add_test(tcase, a_thread_that_waits_returns_when_the_module_is_finalized);
    tcase_add_test(tcase, others_work_while_one_waits);
    tcase_add_test(tcase, a_thread_that_waits_can_be_cancelled);
#ifndef __SANITIZE_THREAD__
    tcase_add_test(tcase, a_child_of_a_process_that_waits_is_free);
#endif
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
