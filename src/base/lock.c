/* SPDX-License-Identifier: MIT */
/*
 * Locks with ranks, and the fork handlers that take them all. The registry keeps a list a rank; its
 * own mutex is the last to be taken before fork and is never held while another lock is taken,
 * fork itself excepted.
 */
#include "base/lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define MAX_CHILD_HOOKS 16

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static kvp_lock *registered[KVP_RANK_COUNT];
static kvp_mutex_functions application;
static bool application_set;
static _Atomic uint64_t generation;
static void (*child_hooks[MAX_CHILD_HOOKS])(void);
static size_t child_hook_count;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static int watch_error;

void kvp_lock_use(const kvp_mutex_functions *functions)
{
    pthread_mutex_lock(&registry);
    application_set = functions != NULL;
    if (functions)
        application = *functions;
    pthread_mutex_unlock(&registry);
}

kvp_status kvp_lock_init(kvp_lock *lock, kvp_lock_rank rank)
{
    memset(lock, 0, sizeof(*lock));
    lock->rank = rank;
    pthread_mutex_lock(&registry);
    if (application_set) {
        lock->app = application;
    } else {
        lock->next = registered[rank];
        if (lock->next)
            lock->next->prev = lock;
        registered[rank] = lock;
        pthread_mutex_init(&lock->mutex, NULL);
        lock->alive = true;
    }
    pthread_mutex_unlock(&registry);
    /* The application's function is called with nothing of ours held. */
    if (lock->app.create) {
        if (lock->app.create(&lock->app_mutex) != 0)
            return KVP_ERR_NO_MEMORY;
        lock->alive = true;
    }
    return KVP_OK;
}

void kvp_lock_clear(kvp_lock *lock)
{
    if (!lock || !lock->alive)
        return;
    lock->alive = false;
    if (lock->app.create) {
        lock->app.destroy(lock->app_mutex);
        return;
    }
    pthread_mutex_lock(&registry);
    if (lock->prev)
        lock->prev->next = lock->next;
    else
        registered[lock->rank] = lock->next;
    if (lock->next)
        lock->next->prev = lock->prev;
    pthread_mutex_unlock(&registry);
    pthread_mutex_destroy(&lock->mutex);
}

void kvp_lock_take(kvp_lock *lock) KVP_NO_THREAD_ANALYSIS
{
    if (lock->app.create)
        lock->app.lock(lock->app_mutex);
    else
        pthread_mutex_lock(&lock->mutex);
}

void kvp_lock_give(kvp_lock *lock) KVP_NO_THREAD_ANALYSIS
{
    if (lock->app.create)
        lock->app.unlock(lock->app_mutex);
    else
        pthread_mutex_unlock(&lock->mutex);
}

/*
 * Take every lock in rank order. The registry mutex keeps the lists still while we walk them; a
 * thread that holds a lock and now wants the registry (to make or clear another one) would wait for
 * us while we wait for it, so each lock is only tried, and the walk starts again when one is busy.
 */
static void before_fork(void)
{
    for (;;) {
        kvp_lock *busy = NULL;
        size_t rank;

        pthread_mutex_lock(&registry);
        for (rank = 0; rank < KVP_RANK_COUNT && !busy; rank++)
            for (kvp_lock *l = registered[rank]; l; l = l->next)
                if (pthread_mutex_trylock(&l->mutex) != 0) {
                    busy = l;
                    break;
                }
        if (!busy)
            return;
        for (size_t r = 0; r < rank; r++)
            for (kvp_lock *l = registered[r]; l && l != busy; l = l->next)
                pthread_mutex_unlock(&l->mutex);
        pthread_mutex_unlock(&registry);
        struct timespec pause = { 0, 50000 };
        nanosleep(&pause, NULL);
    }
}

static void release_all(void)
{
    for (size_t rank = KVP_RANK_COUNT; rank-- > 0;)
        for (kvp_lock *l = registered[rank]; l; l = l->next)
            pthread_mutex_unlock(&l->mutex);
    pthread_mutex_unlock(&registry);
}

static void after_fork_in_parent(void)
{
    release_all();
}

static void after_fork_in_child(void)
{
    atomic_fetch_add(&generation, 1);
    release_all();
    for (size_t i = 0; i < child_hook_count; i++)
        child_hooks[i]();
}

static void watch(void)
{
    watch_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

kvp_status kvp_fork_watch(void)
{
    pthread_once(&watch_once, watch);
    return watch_error == 0 ? KVP_OK : KVP_ERR_NO_MEMORY;
}

uint64_t kvp_fork_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}

void kvp_fork_on_child(void (*fn)(void))
{
    pthread_mutex_lock(&registry);
    for (size_t i = 0; i < child_hook_count; i++)
        if (child_hooks[i] == fn)
            fn = NULL;
    if (fn && child_hook_count < MAX_CHILD_HOOKS)
        child_hooks[child_hook_count++] = fn;
    pthread_mutex_unlock(&registry);
}
