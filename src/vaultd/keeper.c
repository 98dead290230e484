/* SPDX-License-Identifier: MIT */
/* The keeper's thread. It waits on a condition, so that stopping does not wait for the interval. */
#include "vaultd/keeper.h"

#include "base/alloc.h"
#include "vaultd/certificate_doc.h"
#include "vaultd/key_rotation.h"
#include "vaultd/note.h"
#include "vaultd/token_hsm.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct kvp_keeper {
    const kvp_daemon *daemon;
    int interval_ms;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards stopping */
    pthread_cond_t wake;
    bool stopping;
};

void kvp_keeper_sweep(const kvp_daemon *daemon)
{
    kvp_token_leftover *leftovers = NULL;
    size_t count = 0;
    kvp_error error = { .status = KVP_OK };

    if (!daemon->token) /* they wait for a daemon that has it */
        return;
    kvp_status status = kvp_store_leftover_list(daemon->store, &leftovers, &count, &error);
    for (size_t i = 0; i < count && status == KVP_OK; i++) {
        status = kvp_token_destroy(daemon->token, leftovers[i].reference, leftovers[i].len, &error);
        if (status == KVP_OK)
            status = kvp_store_leftover_forget(daemon->store, leftovers[i].row, &error);
    }
    if (status != KVP_OK)
        kvp_note("destroying what purged keys left in the token: %s", error.message);
    kvp_free(leftovers);
}

void kvp_keeper_round(const kvp_daemon *daemon)
{
    kvp_error error = { .status = KVP_OK };
    size_t rotated = 0;

    if (kvp_store_purge_due(daemon->store, kvp_ident_now(), &error) != KVP_OK)
        kvp_note("purging what is due: %s", error.message);
    kvp_keeper_sweep(daemon);
    /* Keys that fail are noted one by one. */
    if (kvp_keys_rotate_due(daemon, kvp_ident_now(), &rotated, &error) != KVP_OK && rotated == 0)
        kvp_note("rotating what is due: %s", error.message);
    if (kvp_certificates_issue_due(daemon, kvp_ident_now(), &error) != KVP_OK)
        kvp_note("issuing what is due: %s", error.message);
    if (rotated > 0)
        kvp_note("rotated %zu key%s by policy", rotated, rotated == 1 ? "" : "s");
}

static bool wait_for_turn(kvp_keeper *keeper)
{
    struct timespec until;

    /* libpthread wants the condition's own clock here; base/clock.h has no absolute times. */
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += keeper->interval_ms / 1000;
    until.tv_nsec += (long)(keeper->interval_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&keeper->mutex);
    int rc = 0;
    while (!keeper->stopping && rc == 0)
        rc = pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &until);
    bool go_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return go_on;
}

static void *run(void *arg)
{
    kvp_keeper *keeper = arg;

    do
        kvp_keeper_round(keeper->daemon);
    while (wait_for_turn(keeper));
    return NULL;
}

kvp_status kvp_keeper_start(const kvp_daemon *daemon, int interval_ms, kvp_keeper **ret_keeper,
                            kvp_error *reterr)
{
    kvp_keeper *keeper = kvp_calloc(1, sizeof(*keeper));
    pthread_condattr_t attr;

    if (!keeper)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "keeper");
    keeper->daemon = daemon;
    keeper->interval_ms = interval_ms;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&keeper->mutex, NULL);
    int rc = pthread_create(&keeper->thread, NULL, run, keeper);
    if (rc != 0) {
        pthread_cond_destroy(&keeper->wake);
        pthread_mutex_destroy(&keeper->mutex);
        kvp_free(keeper);
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "a thread cannot be started: %s",
                             strerror(rc));
    }
    *ret_keeper = keeper;
    return KVP_OK;
}

void kvp_keeper_stop(kvp_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->mutex);
    kvp_free(keeper);
}
