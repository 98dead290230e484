/* SPDX-License-Identifier: MIT */
/*
 * Locks, and what fork does to them.
 *
 * A kvp_lock wraps either the application's mutex functions or pthreads, as C_Initialize chose.
 * Every lock has a rank; a thread takes locks only in ascending rank and never two of one rank, and
 * nothing is held while bytes travel. Because ranks are known, fork() can be survived: all locks
 * are taken in order before it and let go after it on both sides, so that the child finds every
 * structure whole. kvp_fork_generation() tells the child from the parent by one comparison.
 */
#ifndef KVP_BASE_LOCK_H
#define KVP_BASE_LOCK_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__clang__)
#define KVP_CAPABILITY __attribute__((capability("mutex")))
#define KVP_ACQUIRES(l) __attribute__((acquire_capability(l)))
#define KVP_RELEASES(l) __attribute__((release_capability(l)))
#define KVP_REQUIRES(l) __attribute__((requires_capability(l)))
#define KVP_NO_THREAD_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define KVP_CAPABILITY
#define KVP_ACQUIRES(l)
#define KVP_RELEASES(l)
#define KVP_REQUIRES(l)
#define KVP_NO_THREAD_ANALYSIS
#endif
/** For the reader: this member is only touched under that lock. */
#define KVP_GUARDED_BY(l)

/** The order in which locks are taken: module, slot, session, object, cache, pool, log. */
typedef enum kvp_lock_rank {
    KVP_RANK_MODULE,
    KVP_RANK_SLOT,
    KVP_RANK_SESSION,
    KVP_RANK_HANDLES,
    KVP_RANK_OBJECT,
    KVP_RANK_CACHE,
    KVP_RANK_IDENTITY,
    KVP_RANK_POOL,
    KVP_RANK_CRYPTO,
    KVP_RANK_LOG,
    KVP_RANK_COUNT
} kvp_lock_rank;

/** The application's mutexes (PKCS#11 v3.1 §3.7 CK_C_INITIALIZE_ARGS), as plain functions: 0 is success. */
typedef struct kvp_mutex_functions {
    unsigned long (*create)(void **ret_mutex);
    unsigned long (*destroy)(void *mutex);
    unsigned long (*lock)(void *mutex);
    unsigned long (*unlock)(void *mutex);
} kvp_mutex_functions;

typedef struct KVP_CAPABILITY kvp_lock {
    pthread_mutex_t mutex;
    void *app_mutex;                   /**< NULL: pthreads */
    kvp_mutex_functions app;
    kvp_lock_rank rank;
    bool alive;
    struct kvp_lock *prev, *next;      /**< in the registry that fork walks */
} kvp_lock;

/**
 * Which mutexes locks made from now on use; NULL means pthreads. Set by C_Initialize before it makes
 * any lock, reset by C_Finalize. Locks that exist keep what they were made with.
 */
void kvp_lock_use(const kvp_mutex_functions *functions);

/** Returns KVP_OK, or KVP_ERR_NO_MEMORY when the application's CreateMutex failed. */
kvp_status kvp_lock_init(kvp_lock *lock, kvp_lock_rank rank) KVP_WARN_UNUSED;
/** Accepts a zeroed lock. */
void kvp_lock_clear(kvp_lock *lock);
void kvp_lock_take(kvp_lock *lock) KVP_ACQUIRES(lock);
void kvp_lock_give(kvp_lock *lock) KVP_RELEASES(lock);

/**
 * Register the fork handlers, once a process (C_Initialize calls it). Registered locks that use the
 * application's mutexes are left alone by fork: we cannot know whether they survive it.
 */
kvp_status kvp_fork_watch(void);

/** Rises by one in each forked child, starting at 0 in the process that loaded us. */
uint64_t kvp_fork_generation(void);

/**
 * Have @fn called in every forked child, in the order of registration, after the locks are whole
 * again. It may only do what is safe between fork and exec: no allocation, no OpenSSL, no libcurl.
 * Registering the same function again does nothing; at most 16 functions.
 */
void kvp_fork_on_child(void (*fn)(void));

#endif
