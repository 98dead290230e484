/* SPDX-License-Identifier: MIT */
/*
 * The pool: easy handles with their kept-alive connections, last in first out, so that few stay
 * warm and the rest grow old. The lock is held to take and give back, never over a libcurl call.
 * Callers beyond the maximum wait in a queue, each on a semaphore of its own: that works with the
 * application's mutexes too, hands handles over in order, and leaves nothing behind in a fork.
 */
#include "config.h"

#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <time.h>

#define UPLOAD_BUFFER 16384L
/* Each handle serves one service, and perhaps a proxy in between. */
#define CONNECTIONS_PER_HANDLE 2L

kvp_status kvp_http_new(const kvp_http_options *options, kvp_http **ret, kvp_error *reterr)
{
    kvp_http *http;
    kvp_status st;

    if (options->max_connections < 1 || options->max_connections > KVP_HTTP_MAX_CONNECTIONS)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "max_connections must be 1 to %d",
                             KVP_HTTP_MAX_CONNECTIONS);
    http = kvp_calloc(1, sizeof(*http));
    if (!http || kvp_lock_init(&http->lock, KVP_RANK_POOL) != KVP_OK) {
        kvp_free(http);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "connection pool");
    }
    http->refs = 1;
    http->max_connections = options->max_connections;
    http->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : KVP_HTTP_CONNECT_TIMEOUT_MS;
    http->user_agent =
        kvp_strdup(options->user_agent ? options->user_agent : "kvpkcs11/" PACKAGE_VERSION);
    st = http->user_agent ? kvp_trust_init(&http->trust, options->ca_file, reterr)
                          : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "connection pool");
    if (st == KVP_OK)
        st = kvp_http_register(http, reterr);
    if (st != KVP_OK) {
        http->closed = true;
        kvp_http_unref(http);
        return st;
    }
    *ret = http;
    return KVP_OK;
}

/* Close a handle and its connections. After the host's OPENSSL_cleanup it can only be forgotten. */
static void conn_free(kvp_conn *conn)
{
    if (!conn)
        return;
    if (conn->easy) {
        if (kvp_ossl_gone())
            return;
        KVP_CURL_SCOPE;
        curl_easy_cleanup(conn->easy);
    }
    kvp_free(conn);
}

static void conn_list_free(kvp_conn *conn)
{
    while (conn) {
        kvp_conn *next = conn->next_idle;

        conn_free(conn);
        conn = next;
    }
}

bool kvp_http_ref(kvp_http *http)
{
    bool alive;

    kvp_lock_take(&http->lock);
    alive = !http->closed;
    if (alive)
        http->refs++;
    kvp_lock_give(&http->lock);
    return alive;
}

void kvp_http_unref(kvp_http *http)
{
    bool last;

    kvp_lock_take(&http->lock);
    last = --http->refs == 0;
    kvp_lock_give(&http->lock);
    if (!last)
        return;
    kvp_http_unregister(http);
    conn_list_free(http->idle);
    kvp_trust_clear(&http->trust);
    kvp_free(http->user_agent);
    kvp_free(http->resolved);
    kvp_lock_clear(&http->lock);
    kvp_free(http);
}

bool kvp_http_closed(kvp_http *http)
{
    bool closed;

    kvp_lock_take(&http->lock);
    closed = http->closed;
    kvp_lock_give(&http->lock);
    return closed;
}

static kvp_waiter *pop_waiter_locked(kvp_http *http) KVP_REQUIRES(http->lock)
{
    kvp_waiter *waiter = http->first_waiter;

    if (waiter) {
        http->first_waiter = waiter->next;
        if (!http->first_waiter)
            http->last_waiter = NULL;
    }
    return waiter;
}

void kvp_http_free(kvp_http *http)
{
    kvp_waiter *waiter;

    if (!http)
        return;
    kvp_lock_take(&http->lock);
    http->closed = true;
    while ((waiter = pop_waiter_locked(http)))
        sem_post(&waiter->wake);
    kvp_lock_give(&http->lock);
    kvp_http_unref(http);
}

/* Take all handles out that have been idle too long: they are the end of the list, oldest last. */
static kvp_conn *cut_old_locked(kvp_http *http) KVP_REQUIRES(http->lock)
{
    int64_t oldest = kvp_clock_mono_ms() - KVP_HTTP_IDLE_MS;
    kvp_conn **link = &http->idle;
    kvp_conn *old;

    while (*link && (*link)->idle_since_ms > oldest)
        link = &(*link)->next_idle;
    old = *link;
    *link = NULL;
    for (kvp_conn *conn = old; conn; conn = conn->next_idle) {
        if (conn->prev)
            conn->prev->next = conn->next;
        else
            http->all = conn->next;
        if (conn->next)
            conn->next->prev = conn->prev;
    }
    return old;
}

void kvp_pool_prune(kvp_http *http)
{
    kvp_conn *old;

    kvp_lock_take(&http->lock);
    old = cut_old_locked(http);
    kvp_lock_give(&http->lock);
    conn_list_free(old);
}

unsigned kvp_pool_size(kvp_http *http)
{
    unsigned count = 0;

    kvp_lock_take(&http->lock);
    for (kvp_conn *conn = http->all; conn; conn = conn->next)
        count++;
    kvp_lock_give(&http->lock);
    return count;
}

/* What never changes from request to request. Options that fail are those we could not do without.
 */
static CURLcode set_constants(const kvp_http *http, CURL *easy, char *error_buffer)
{
    static const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        { CURLOPT_NOSIGNAL, 1 },
        { CURLOPT_NOPROGRESS, 1 },
        { CURLOPT_FOLLOWLOCATION, 0 },
        { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
        { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
        { CURLOPT_SSL_VERIFYPEER, 1 },
        { CURLOPT_SSL_VERIFYHOST, 2 },
        { CURLOPT_TCP_NODELAY, 1 },
        { CURLOPT_NETRC, CURL_NETRC_IGNORED },
        { CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
        { CURLOPT_PATH_AS_IS, 1 },
        { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
        { CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER },
        { CURLOPT_MAXCONNECTS, CONNECTIONS_PER_HANDLE },
        { CURLOPT_HTTP09_ALLOWED, 0 },
    };
    CURLcode rc = CURLE_OK;

    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers) && rc == CURLE_OK; i++)
        rc = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_buffer);
    if (rc == CURLE_OK)
        rc = kvp_trust_apply(&http->trust, easy);
    return rc;
}

CURL *kvp_easy_new(const kvp_http *http, char *error_buffer)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
    kvp_sockets_track(easy);
    if (set_constants(http, easy, error_buffer) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

static kvp_conn *conn_new(const kvp_http *http)
{
    KVP_CURL_SCOPE;
    kvp_conn *conn = kvp_calloc(1, sizeof(*conn));

    if (!conn)
        return NULL;
    conn->generation = kvp_fork_generation();
    conn->easy = kvp_easy_new(http, conn->error);
    if (!conn->easy) {
        kvp_free(conn);
        return NULL;
    }
    return conn;
}

/* Wait to be given a handle. The waiter leaves the queue by being granted, or by itself. */
static kvp_status wait_turn(kvp_http *http, kvp_waiter *waiter, int64_t deadline_ms)
{
    struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
                              .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
    kvp_status st;

    while (sem_clockwait(&waiter->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        continue;
    kvp_lock_take(&http->lock);
    st = waiter->granted ? KVP_OK : http->closed ? KVP_ERR_CLOSED : KVP_ERR_TIMEOUT;
    for (kvp_waiter **link = &http->first_waiter, *last = NULL; *link; link = &(*link)->next) {
        if (*link == waiter) {
            *link = waiter->next;
            if (!waiter->next)
                http->last_waiter = last;
            break;
        }
        last = *link;
    }
    kvp_lock_give(&http->lock);
    return st;
}

/* Let the next in the queue have @conn, or the leave to make one; or keep it. */
static void hand_on_locked(kvp_http *http, kvp_conn *conn) KVP_REQUIRES(http->lock)
{
    kvp_waiter *waiter = pop_waiter_locked(http);

    if (waiter) {
        waiter->granted = true;
        waiter->conn = conn;
        sem_post(&waiter->wake);
        return;
    }
    http->in_use--;
    if (conn) {
        conn->idle_since_ms = kvp_clock_mono_ms();
        conn->next_idle = http->idle;
        http->idle = conn;
    }
}

/* A handle, or leave to make one (NULL). */
static kvp_status take_turn(kvp_http *http, int64_t deadline_ms, kvp_conn **ret, kvp_error *reterr)
{
    kvp_waiter waiter = { .granted = false };
    kvp_status st = KVP_OK;
    kvp_conn *conn = NULL, *old;

    kvp_lock_take(&http->lock);
    old = cut_old_locked(http);
    if (http->closed) {
        st = KVP_ERR_CLOSED;
    } else if (http->idle) {
        conn = http->idle;
        http->idle = conn->next_idle;
        conn->next_idle = NULL;
        http->in_use++;
    } else if (http->in_use < http->max_connections) {
        http->in_use++;
    } else {
        st = KVP_ERR_TIMEOUT;
        sem_init(&waiter.wake, 0, 0);
        if (http->last_waiter)
            http->last_waiter->next = &waiter;
        else
            http->first_waiter = &waiter;
        http->last_waiter = &waiter;
    }
    kvp_lock_give(&http->lock);
    conn_list_free(old);
    if (st == KVP_ERR_TIMEOUT) {
        st = wait_turn(http, &waiter, deadline_ms);
        conn = waiter.conn;
        sem_destroy(&waiter.wake);
    }
    if (st == KVP_ERR_CLOSED)
        return kvp_error_set(reterr, st, "the connections are being closed");
    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "all %u connections are in use (max_connections)",
                             http->max_connections);
    *ret = conn;
    return KVP_OK;
}

kvp_status kvp_pool_take(kvp_http *http, int64_t deadline_ms, kvp_conn **ret, kvp_error *reterr)
{
    kvp_conn *conn = NULL;
    kvp_status st = take_turn(http, deadline_ms, &conn, reterr);

    if (st != KVP_OK)
        return st;
    if (!conn) {
        conn = conn_new(http);
        kvp_lock_take(&http->lock);
        if (!conn) {
            hand_on_locked(http, NULL);
        } else {
            conn->next = http->all;
            if (conn->next)
                conn->next->prev = conn;
            http->all = conn;
        }
        kvp_lock_give(&http->lock);
    }
    if (!conn)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a libcurl handle");
    *ret = conn;
    return KVP_OK;
}

void kvp_pool_give(kvp_http *http, kvp_conn *conn, bool broken)
{
    kvp_conn *old;

    /* A fork in the middle of a request, and we are the child: it is in the graveyard already. */
    if (conn->generation != kvp_fork_generation())
        return;
    kvp_lock_take(&http->lock);
    broken = broken || http->closed;
    if (broken) {
        if (conn->prev)
            conn->prev->next = conn->next;
        else
            http->all = conn->next;
        if (conn->next)
            conn->next->prev = conn->prev;
    }
    hand_on_locked(http, broken ? NULL : conn);
    old = cut_old_locked(http);
    kvp_lock_give(&http->lock);
    if (broken)
        conn_free(conn);
    conn_list_free(old);
}

void kvp_pool_after_fork(kvp_http *http, kvp_conn **graveyard) KVP_NO_THREAD_ANALYSIS
{
    kvp_conn *last = http->all;

    while (last && last->next)
        last = last->next;
    if (last) {
        last->next = *graveyard;
        *graveyard = http->all;
    }
    http->all = NULL;
    http->idle = NULL;
    http->in_use = 0;
    http->first_waiter = NULL;
    http->last_waiter = NULL;
    /* Requests of other threads held references; those threads are not in the child. */
    if (!http->closed)
        http->refs = 1;
}
