/* SPDX-License-Identifier: MIT */
/*
 * Entering libcurl from inside somebody else's process: initialised once and never cleaned up (a
 * clean-up would pull it from under the host), our own OpenSSL context, no SIGPIPE.
 */
#include "http/internal.h"
#include "base/alloc.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode init_result = CURLE_FAILED_INIT;
static _Thread_local unsigned depth;

/*
 * libcurl's memory: ours, for two reasons. Its strdup is libc's, whose memory a host bound with
 * RTLD_DEEPBIND and another allocator cannot free. And its copies of the Authorization header and
 * of bodies are wiped when it lets go of them. A host that initialised libcurl before us keeps its
 * own.
 */
static void *curl_malloc(size_t size)
{
    return kvp_calloc(1, size);
}

static void *curl_calloc(size_t count, size_t size)
{
    return kvp_calloc(count, size);
}

static void curl_release(void *ptr)
{
    if (ptr)
        kvp_wipe(ptr, malloc_usable_size(ptr));
    kvp_free(ptr);
}

static void *curl_realloc(void *old, size_t size)
{
    size_t old_size = old ? malloc_usable_size(old) : 0;
    void *fresh = kvp_calloc(1, size);

    if (!fresh)
        return NULL;
    if (old)
        memcpy(fresh, old, old_size < size ? old_size : size);
    curl_release(old);
    return fresh;
}

static char *curl_copy(const char *s)
{
    return kvp_strdup(s);
}

static void init(void)
{
    KVP_OSSL_SCOPE;

    kvp_http_watch_fork();
    init_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc,
                                       curl_copy, curl_calloc);
}

kvp_status kvp_curl_ready(kvp_error *reterr)
{
    if (depth > 0)
        return kvp_error_set(reterr, KVP_ERR_CLOSED, "called from inside a request of this module");
    if (!kvp_ossl_ctx())
        return kvp_ossl_gone()
                   ? kvp_error_set(reterr, KVP_ERR_CLOSED, "OpenSSL was shut down by the process")
                   : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "OpenSSL cannot be set up");
    pthread_once(&once, init);
    if (init_result == CURLE_OUT_OF_MEMORY)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "libcurl");
    if (init_result != CURLE_OK)
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "libcurl cannot be set up: %s",
                             curl_easy_strerror(init_result));
    return KVP_OK;
}

/*
 * libcurl with CURLOPT_NOSIGNAL leaves SIGPIPE alone, and OpenSSL writes with plain write(). So the
 * signal is blocked in this thread, and if one came that was not there before, it is taken away.
 * The host's disposition is never touched.
 */
kvp_curl_scope kvp_curl_enter(void)
{
    kvp_curl_scope scope = { .context = kvp_ossl_enter() };
    sigset_t pipe_only, pending;

    depth++;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &pipe_only, &scope.mask) != 0)
        return scope;
    scope.unblock = sigismember(&scope.mask, SIGPIPE) == 0;
    /* Only a signal that was blocked already can be pending from before. */
    if (!scope.unblock && sigpending(&pending) == 0)
        scope.was_pending = sigismember(&pending, SIGPIPE) == 1;
    return scope;
}

void kvp_curl_leave(kvp_curl_scope *scope)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t pipe_only, pending;

    if (!scope->was_pending && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        sigtimedwait(&pipe_only, NULL, &at_once);
    }
    if (scope->unblock)
        pthread_sigmask(SIG_SETMASK, &scope->mask, NULL);
    depth--;
    kvp_ossl_leave(&scope->context);
}
