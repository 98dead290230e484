/* SPDX-License-Identifier: MIT */
/* Locks under threads, with an application's mutexes, and in forked children. */
#include "base/lock.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

static kvp_lock locks[KVP_RANK_COUNT];
/*
 * Under its lock, a pair is always equal: a child that finds it unequal was forked in the middle.
 */
static long pairs[KVP_RANK_COUNT][2];
static atomic_bool stop;

static void make_locks(void)
{
    ck_assert_int_eq(kvp_fork_watch(), KVP_OK);
    for (int rank = 0; rank < KVP_RANK_COUNT; rank++)
        ck_assert_int_eq(kvp_lock_init(&locks[rank], (kvp_lock_rank)rank), KVP_OK);
}

static void drop_locks(void)
{
    for (int rank = 0; rank < KVP_RANK_COUNT; rank++)
        kvp_lock_clear(&locks[rank]);
}

/* Run @fn in a child and expect it to leave with 0 within its alarm. */
static void in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(10);
        _exit(fn());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static void *count(void *unused) KVP_NO_THREAD_ANALYSIS
{
    for (int i = 0; i < 10000; i++) {
        kvp_lock_take(&locks[KVP_RANK_OBJECT]);
        pairs[KVP_RANK_OBJECT][0]++;
        kvp_lock_give(&locks[KVP_RANK_OBJECT]);
    }
    return unused;
}

START_TEST(a_lock_keeps_threads_apart)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    ck_assert_int_eq(pairs[KVP_RANK_OBJECT][0], THREADS * 10000);
}
END_TEST

START_TEST(a_lock_that_never_was_can_be_cleared)
{
    kvp_lock lock = { 0 };

    kvp_lock_clear(&lock);
    kvp_lock_clear(NULL);
    ck_assert_int_eq(kvp_lock_init(&lock, KVP_RANK_LOG), KVP_OK);
    kvp_lock_clear(&lock);
    kvp_lock_clear(&lock);
}
END_TEST

/* ---- fork ---- */

/* Take locks in ascending rank and change their pairs in two steps, with a pause between. */
static void *change_pairs(void *seed) KVP_NO_THREAD_ANALYSIS
{
    unsigned state = (unsigned)(uintptr_t)seed;

    while (!atomic_load(&stop)) {
        int low = (int)(rand_r(&state) % (KVP_RANK_COUNT - 1));
        int high = low + 1 + (int)(rand_r(&state) % (unsigned)(KVP_RANK_COUNT - 1 - low));
        struct timespec pause = { 0, 1000 };

        kvp_lock_take(&locks[low]);
        kvp_lock_take(&locks[high]);
        pairs[low][0]++;
        pairs[high][0]++;
        nanosleep(&pause, NULL);
        pairs[low][1]++;
        pairs[high][1]++;
        kvp_lock_give(&locks[high]);
        kvp_lock_give(&locks[low]);
    }
    return NULL;
}

static int everything_is_whole(void) KVP_NO_THREAD_ANALYSIS
{
    for (int rank = 0; rank < KVP_RANK_COUNT; rank++)
        kvp_lock_take(&locks[rank]);
    for (int rank = 0; rank < KVP_RANK_COUNT; rank++)
        if (pairs[rank][0] != pairs[rank][1])
            return 1;
    for (int rank = 0; rank < KVP_RANK_COUNT; rank++)
        kvp_lock_give(&locks[rank]);
    return 0;
}

START_TEST(a_child_forked_under_load_finds_everything_whole)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, change_pairs, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < 50; i++)
        in_child(everything_is_whole);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    ck_assert_int_eq(everything_is_whole(), 0);
    ck_assert_int_gt(pairs[KVP_RANK_OBJECT][0], 0);
}
END_TEST

static void *make_and_clear(void *unused) KVP_NO_THREAD_ANALYSIS
{
    while (!atomic_load(&stop)) {
        kvp_lock fresh[3];

        /* As a session is closed: a lock is held while others come and go. */
        kvp_lock_take(&locks[KVP_RANK_SESSION]);
        for (int i = 0; i < 3; i++)
            if (kvp_lock_init(&fresh[i], KVP_RANK_OBJECT) != KVP_OK)
                abort();
        kvp_lock_take(&fresh[1]);
        kvp_lock_give(&fresh[1]);
        kvp_lock_give(&locks[KVP_RANK_SESSION]);
        for (int i = 0; i < 3; i++)
            kvp_lock_clear(&fresh[i]);
    }
    return unused;
}

static int a_new_lock_works(void) KVP_NO_THREAD_ANALYSIS
{
    kvp_lock lock;

    if (kvp_lock_init(&lock, KVP_RANK_POOL) != KVP_OK)
        return 1;
    kvp_lock_take(&lock);
    kvp_lock_give(&lock);
    kvp_lock_clear(&lock);
    return everything_is_whole();
}

START_TEST(locks_may_come_and_go_while_others_fork)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_and_clear, NULL), 0);
    for (int i = 0; i < 50; i++)
        in_child(a_new_lock_works);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

static int generation_is_2(void)
{
    return kvp_fork_generation() == 2 ? 0 : 1;
}

static int generation_is_1(void)
{
    if (kvp_fork_generation() != 1)
        return 1;
    in_child(generation_is_2);
    return kvp_fork_generation() == 1 ? 0 : 2;
}

START_TEST(each_generation_has_its_number)
{
    /* Check has forked us before the handlers were there; so this is the first one. */
    ck_assert_int_eq(kvp_fork_watch(), KVP_OK);
    ck_assert_uint_eq(kvp_fork_generation(), 0);

    in_child(generation_is_1);

    ck_assert_uint_eq(kvp_fork_generation(), 0);
}
END_TEST

static char hooks[8];

static void first(void)
{
    strcat(hooks, "a");
}

static void second(void)
{
    strcat(hooks, kvp_fork_generation() == 1 ? "b" : "?");
    kvp_lock_take(&locks[KVP_RANK_MODULE]);
    kvp_lock_give(&locks[KVP_RANK_MODULE]);
}

static int hooks_ran(void)
{
    return strcmp(hooks, "ab") == 0 ? 0 : 1;
}

START_TEST(child_hooks_run_once_each_in_order_with_whole_locks)
{
    kvp_fork_on_child(first);
    kvp_fork_on_child(second);
    kvp_fork_on_child(first);

    in_child(hooks_ran);

    ck_assert_str_eq(hooks, "");
}
END_TEST

/* ---- an application's mutexes ---- */

static int created, destroyed, taken, given;
static unsigned long create_result;

static unsigned long app_create(void **ret)
{
    if (create_result)
        return create_result;
    created++;
    *ret = &created;
    return 0;
}

static unsigned long app_destroy(void *mutex)
{
    destroyed += mutex == &created;
    return 0;
}

static unsigned long app_lock(void *mutex)
{
    taken += mutex == &created;
    return 0;
}

static unsigned long app_unlock(void *mutex)
{
    given += mutex == &created;
    return 0;
}

static const kvp_mutex_functions app = { app_create, app_destroy, app_lock, app_unlock };

START_TEST(an_applications_mutexes_are_used_for_what_is_made_while_they_are_set)
{
    kvp_lock with, without;

    kvp_lock_use(&app);
    ck_assert_int_eq(kvp_lock_init(&with, KVP_RANK_OBJECT), KVP_OK);
    kvp_lock_use(NULL);
    ck_assert_int_eq(kvp_lock_init(&without, KVP_RANK_OBJECT), KVP_OK);
    kvp_lock_take(&with);
    kvp_lock_give(&with);
    kvp_lock_take(&without);
    kvp_lock_give(&without);
    in_child(everything_is_whole);
    kvp_lock_clear(&with);
    kvp_lock_clear(&without);

    ck_assert_int_eq(created, 1);
    ck_assert_int_eq(taken, 1);
    ck_assert_int_eq(given, 1);
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(an_application_that_can_make_no_mutex_makes_init_fail)
{
    kvp_lock lock;

    create_result = 5;
    kvp_lock_use(&app);
    ck_assert_int_eq(kvp_lock_init(&lock, KVP_RANK_OBJECT), KVP_ERR_NO_MEMORY);
    kvp_lock_clear(&lock);
    kvp_lock_use(NULL);

    ck_assert_int_eq(destroyed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock");
    TCase *tc = tcase_create("lock"), *forks = tcase_create("fork"), *bare = tcase_create("bare");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, a_lock_keeps_threads_apart);
    tcase_add_test(tc, a_lock_that_never_was_can_be_cleared);
    tcase_add_test(tc, an_applications_mutexes_are_used_for_what_is_made_while_they_are_set);
    tcase_add_test(tc, an_application_that_can_make_no_mutex_makes_init_fail);
    tcase_add_test(forks, a_child_forked_under_load_finds_everything_whole);
    tcase_add_test(forks, locks_may_come_and_go_while_others_fork);
    tcase_add_test(forks, child_hooks_run_once_each_in_order_with_whole_locks);
    tcase_add_test(bare, each_generation_has_its_number);
    tcase_add_checked_fixture(tc, make_locks, drop_locks);
    tcase_add_checked_fixture(forks, make_locks, drop_locks);
    tcase_set_timeout(forks, 60);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, forks);
    suite_add_tcase(suite, bare);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
