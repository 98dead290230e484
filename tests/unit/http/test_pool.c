/* SPDX-License-Identifier: MIT */
/* The pool: its limit, who waits, what stays warm; SIGPIPE; fork. */
#include "config.h"

#include "http/internal.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

static kvp_http *new_http(unsigned connections, const char *ca_file)
{
    kvp_http_options options = { .max_connections = connections, .ca_file = ca_file };
    kvp_http *made = NULL;

    ck_assert_int_eq(kvp_http_new(&options, &made, NULL), KVP_OK);
    return made;
}

static kvp_status get(kvp_http *http, fake_server *server, int64_t within_ms, kvp_error *error)
{
    kvp_http_request request = { .method = "GET",
                                 .url = fake_server_url(server),
                                 .no_retry = true };
    kvp_http_response response = { 0 };
    kvp_status st =
        kvp_http_perform(http, &request, kvp_clock_mono_ms() + within_ms, &response, error);

    if (st == KVP_OK)
        ck_assert_int_eq(response.status, 200);
    kvp_http_response_clear(&response);
    return st;
}

START_TEST(options_have_limits)
{
    kvp_http *http = NULL;
    kvp_http_options options = { .max_connections = 0 };

    ck_assert_int_eq(kvp_http_new(&options, &http, NULL), KVP_ERR_INVALID);
    options.max_connections = 65;
    ck_assert_int_eq(kvp_http_new(&options, &http, NULL), KVP_ERR_INVALID);
    ck_assert_ptr_null(http);
    kvp_http_free(NULL);
}
END_TEST

START_TEST(one_caller_keeps_one_connection_warm)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(16, NULL);

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    ck_assert_uint_eq(kvp_pool_size(http), 1);
    kvp_http_free(http);
    fake_server_stop(server);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
}
END_TEST

/* ---- the limit ---- */

typedef struct caller {
    kvp_http *http;
    fake_server *server;
    int64_t within_ms;
    unsigned rounds;
    atomic_uint *good, *timeouts, *closed;
} caller;

static void *call(void *arg)
{
    caller *c = arg;

    for (unsigned i = 0; i < c->rounds; i++) {
        kvp_status st = get(c->http, c->server, c->within_ms, NULL);

        if (st == KVP_OK)
            atomic_fetch_add(c->good, 1);
        else if (st == KVP_ERR_TIMEOUT)
            atomic_fetch_add(c->timeouts, 1);
        else if (st == KVP_ERR_CLOSED)
            atomic_fetch_add(c->closed, 1);
    }
    return NULL;
}

START_TEST(threads_share_the_connections_that_are_allowed)
{
    static const fake_reply slow[] = { { .body = "x", .delay_ms = 10 } };
    fake_options options = { .script = slow, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(3, NULL);
    atomic_uint good = 0, timeouts = 0, closed = 0;
    caller c = { http, server, 20000, 5, &good, &timeouts, &closed };
    pthread_t threads[12];

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &c), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);

    ck_assert_uint_eq(atomic_load(&good), 60);
    ck_assert_uint_eq(fake_server_connections(server), 3);
    ck_assert_uint_eq(kvp_pool_size(http), 3);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(waiting_ends_with_the_deadline)
{
    static const fake_reply slow[] = { { .body = "x", .delay_ms = 1500 } };
    fake_options options = { .script = slow, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1, NULL);
    atomic_uint good = 0, timeouts = 0, closed = 0;
    caller c = { http, server, 5000, 1, &good, &timeouts, &closed };
    kvp_error error;
    pthread_t thread;
    int64_t begun;

    ck_assert_int_eq(pthread_create(&thread, NULL, call, &c), 0);
    while (fake_server_count(server) == 0)
        kvp_clock_sleep_ms(5);
    begun = kvp_clock_mono_ms();
    ck_assert_int_eq(get(http, server, 200, &error), KVP_ERR_TIMEOUT);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 1000);
    ck_assert_ptr_nonnull(strstr(error.message, "max_connections"));
    ck_assert_uint_eq(fake_server_count(server), 1);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(atomic_load(&good), 1);
    /* The one who gave up left the queue whole. */
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(closing_wakes_those_who_wait)
{
    static const fake_reply slow[] = { { .body = "x", .delay_ms = 500 } };
    fake_options options = { .script = slow, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1, NULL);
    atomic_uint good = 0, timeouts = 0, closed = 0;
    caller c = { http, server, 20000, 1, &good, &timeouts, &closed };
    pthread_t threads[4];
    int64_t begun = kvp_clock_mono_ms();

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &c), 0);
    while (fake_server_count(server) == 0)
        kvp_clock_sleep_ms(5);
    kvp_clock_sleep_ms(100);
    kvp_http_free(http);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&good), 1);
    ck_assert_uint_eq(atomic_load(&closed), 3);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 5000);
    fake_server_stop(server);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
}
END_TEST

START_TEST(idle_connections_are_closed_oldest_first)
{
    static const fake_reply slow[] = { { .body = "x", .delay_ms = 100 } };
    fake_options options = { .script = slow, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, NULL);
    atomic_uint good = 0, timeouts = 0, closed = 0;
    caller c = { http, server, 20000, 1, &good, &timeouts, &closed };
    pthread_t threads[3];

    kvp_clock_freeze(1000000, 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &c), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(kvp_pool_size(http), 3);

    /* One is used half a minute later and stays young. */
    kvp_clock_freeze(1030000, 0);
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    kvp_clock_freeze(1059999, 0);
    kvp_pool_prune(http);
    ck_assert_uint_eq(kvp_pool_size(http), 3);
    kvp_clock_freeze(1060001, 0);
    kvp_pool_prune(http);
    ck_assert_uint_eq(kvp_pool_size(http), 1);
    ck_assert_uint_eq(kvp_sockets_count(), 1);
    kvp_clock_freeze(1091000, 0);
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(kvp_pool_size(http), 1);
    ck_assert_uint_eq(fake_server_connections(server), 4);
    kvp_clock_freeze(-1, -1);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(a_connection_can_be_made_ahead)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, NULL);

    kvp_http_preconnect(http, fake_server_url(server));
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    ck_assert_str_eq(fake_server_request(server, 0)->method, "HEAD");
    kvp_http_preconnect(http, "http://example.org/");
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

/* ---- guests in a process ---- */

START_TEST(sockets_do_not_outlive_exec)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, NULL);
    unsigned ours = 0;

    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(kvp_sockets_count(), 1);
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0 || peer.ss_family != AF_INET)
            continue;
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        ours++;
    }
    ck_assert_uint_ge(ours, 1);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(a_request_within_a_request_returns_at_once)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, NULL);

    {
        KVP_CURL_SCOPE;

        ck_assert_int_eq(get(http, server, 5000, NULL), KVP_ERR_CLOSED);
    }
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

/* OpenSSL writes on and on to a peer that has closed and reset the connection. */
START_TEST(a_closed_connection_raises_no_signal)
{
    fake_options options = { .abort_uploads = true, .tls_name = "localhost" };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, fake_server_ca_file(server));
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_http_request request = {
        .method = "POST", .url = fake_server_url(server), .no_retry = true, .body = &body
    };
    struct sigaction before, after;
    sigset_t mask, pending;

    ck_assert_ptr_nonnull(kvp_buf_reserve(&body, 8 << 20));
    body.len = 8 << 20;
    memset(body.data, 'x', body.len);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &before), 0);
    ck_assert(before.sa_handler == SIG_DFL);
    for (int i = 0; i < 5; i++) {
        kvp_http_response response = { 0 };

        ck_assert_int_eq(
            kvp_http_perform(http, &request, kvp_clock_mono_ms() + 5000, &response, NULL),
            KVP_ERR_NETWORK);
        kvp_http_response_clear(&response);
    }
    kvp_http_free(http);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &after), 0);
    ck_assert(after.sa_handler == SIG_DFL);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    ck_assert(!sigismember(&mask, SIGPIPE));
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert(!sigismember(&pending, SIGPIPE));
    kvp_buf_clear(&body);
    fake_server_stop(server);
}
END_TEST

/* The host's openssl.cnf activates nothing that could do TLS; libcurl must not be using that. */
START_TEST(the_hosts_openssl_configuration_does_not_reach_us)
{
    static const char conf[] =
        "openssl_conf = init\n[init]\nproviders = list\n[list]\nnull = null_provider\n"
        "[null_provider]\nactivate = 1\n";
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1, .tls_name = "localhost" };
    char path[] = "/tmp/test-pool-XXXXXX";
    int fd = mkstemp(path);
    fake_server *server;
    kvp_http *http;
    EVP_MD *digest;

    ck_assert_int_eq(write(fd, conf, sizeof(conf) - 1), (ssize_t)sizeof(conf) - 1);
    close(fd);
    setenv("OPENSSL_CONF", path, 1);
    server = fake_server_start(&options);
    http = new_http(4, fake_server_ca_file(server));
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    kvp_http_free(http);
    fake_server_stop(server);
    unlink(path);
    /* And the host's stays as it is configured. */
    digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    ck_assert_ptr_null(digest);
}
END_TEST

START_TEST(sigpipe_is_taken_away_only_if_it_is_ours)
{
    sigset_t set, pending;

    ck_assert_int_eq(kvp_curl_ready(NULL), KVP_OK);
    {
        KVP_CURL_SCOPE;

        raise(SIGPIPE);
    }
    /* Blocked and pending before: it is the host's. */
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    raise(SIGPIPE);
    {
        KVP_CURL_SCOPE;
    }
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert(sigismember(&pending, SIGPIPE));
}
END_TEST

/* ---- fork ---- */

static void child_of_fork(kvp_http *http, fake_server *server)
{
    _Exit(kvp_sockets_count() == 0 && kvp_pool_size(http) == 0 &&
                  get(http, server, 5000, NULL) == KVP_OK &&
                  get(http, server, 5000, NULL) == KVP_OK && kvp_pool_size(http) == 1
              ? 0
              : 1);
}

static void assert_child_succeeds(pid_t pid)
{
    int status;

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

START_TEST(a_child_makes_its_own_connections)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1, .tls_name = _i ? "localhost" : NULL };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, fake_server_ca_file(server));
    pid_t pid;

    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    pid = fork();
    if (pid == 0)
        child_of_fork(http, server);
    assert_child_succeeds(pid);

    /* Two connections in all, and the parent's goes on: no TLS goodbye was said on it. */
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(fake_server_connections(server), 2);
    ck_assert_uint_eq(fake_server_request(server, 1)->connection, 2);
    ck_assert_uint_eq(fake_server_request(server, 3)->connection, 1);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(a_child_of_a_busy_parent_finds_the_pool_free)
{
    static const fake_reply slow[] = { { .body = "x", .delay_ms = 400 },
                                       { .body = "x", .delay_ms = 400 },
                                       { .body = "x" } };
    fake_options options = { .script = slow, .script_len = 3 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(2, NULL);
    atomic_uint good = 0, timeouts = 0, closed = 0;
    caller c = { http, server, 20000, 1, &good, &timeouts, &closed };
    pthread_t threads[6];
    pid_t pid;

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &c), 0);
    while (fake_server_count(server) < 2)
        kvp_clock_sleep_ms(5);
    pid = fork();
    if (pid == 0)
        child_of_fork(http, server);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_child_succeeds(pid);
    ck_assert_uint_eq(atomic_load(&good), 6);
    kvp_http_free(http);
    fake_server_stop(server);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
}
END_TEST

START_TEST(a_child_can_close_what_it_inherited)
{
    static const fake_reply ok[] = { { .body = "x" } };
    fake_options options = { .script = ok, .script_len = 1, .tls_name = "localhost" };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(4, fake_server_ca_file(server));
    pid_t pid;

    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    pid = fork();
    if (pid == 0) {
        kvp_http_free(http);
        _Exit(0);
    }
    assert_child_succeeds(pid);
    ck_assert_int_eq(get(http, server, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *pool = tcase_create("pool"), *guest = tcase_create("guest"),
          *forks = tcase_create("fork");
    SRunner *runner;
    int failed;

    tcase_add_test(pool, options_have_limits);
    tcase_add_test(pool, one_caller_keeps_one_connection_warm);
    tcase_add_test(pool, threads_share_the_connections_that_are_allowed);
    tcase_add_test(pool, waiting_ends_with_the_deadline);
    tcase_add_test(pool, closing_wakes_those_who_wait);
    tcase_add_test(pool, idle_connections_are_closed_oldest_first);
    tcase_add_test(pool, a_connection_can_be_made_ahead);
    tcase_add_test(guest, sockets_do_not_outlive_exec);
    tcase_add_test(guest, a_request_within_a_request_returns_at_once);
    tcase_add_test(guest, a_closed_connection_raises_no_signal);
    tcase_add_test(guest, the_hosts_openssl_configuration_does_not_reach_us);
    tcase_add_test(guest, sigpipe_is_taken_away_only_if_it_is_ours);
    tcase_add_loop_test(forks, a_child_makes_its_own_connections, 0, 2);
    tcase_add_test(forks, a_child_of_a_busy_parent_finds_the_pool_free);
    tcase_add_test(forks, a_child_can_close_what_it_inherited);
    tcase_set_timeout(pool, 30);
    tcase_set_timeout(guest, 30);
    tcase_set_timeout(forks, 30);
    suite_add_tcase(suite, pool);
    suite_add_tcase(suite, guest);
    suite_add_tcase(suite, forks);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
