/* SPDX-License-Identifier: MIT */
/* Host names: looked up without a thread, once for all handles, and not at all where there is no
 * need. */
#include "config.h"

#include "http/internal.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint threads_made;
static unsigned lookups;
static bool fail_lookups;

#ifndef KVP_SANITIZED
/* Stands before libc's for libcurl as well, and counts. */
__attribute__((visibility("default"))) int pthread_create(pthread_t *restrict thread,
                                                          const pthread_attr_t *restrict attr,
                                                          void *(*run)(void *), void *restrict arg)
{
    union {
        void *symbol;
        int (*call)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    } real = { .symbol = dlsym(RTLD_NEXT, "pthread_create") };

    atomic_fetch_add(&threads_made, 1);
    return real.call(thread, attr, run, arg);
}
#endif

static kvp_status to_loopback(const char *host, kvp_buf *ret, kvp_error *reterr)
{
    lookups++;
    if (fail_lookups)
        return kvp_error_set(reterr, KVP_ERR_NETWORK, "%s is not there", host);
    /* The first address is one that nobody listens on. */
    return kvp_buf_append_str(ret, "[::1],127.0.0.1");
}

static fake_server *server;
static kvp_http *http;

static void setup(void)
{
    static const fake_reply ok = { .body = "x" };
    fake_options options = { .script = &ok, .script_len = 1, .tls_name = "vault.example" };
    kvp_http_options http_options = { .max_connections = 4 };

    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    kvp_resolver_for_tests = to_loopback;
    server = fake_server_start(&options);
    http_options.ca_file = fake_server_ca_file(server);
    ck_assert_int_eq(kvp_http_new(&http_options, &http, NULL), KVP_OK);
}

static void teardown(void)
{
    kvp_http_free(http);
    fake_server_stop(server);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
}

static kvp_status get(const char *host, kvp_error *error)
{
    char url[96];
    kvp_http_request request = { .method = "GET", .url = url, .no_retry = true };
    kvp_http_response response = { 0 };
    kvp_status st;

    snprintf(url, sizeof(url), "https://%s:%u/", host, fake_server_port(server));
    st = kvp_http_perform(http, &request, kvp_clock_mono_ms() + 5000, &response, error);
    kvp_http_response_clear(&response);
    return st;
}

START_TEST(a_name_is_looked_up_once_and_its_certificate_checked)
{
    kvp_error error = { 0 };

    for (int i = 0; i < 5; i++)
        ck_assert_msg(get("vault.example", &error) == KVP_OK, "%s", error.message);
    ck_assert_uint_eq(lookups, 1);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    /* The certificate is for the name, not for where the name leads. */
    ck_assert_int_eq(get("other.example", &error), KVP_ERR_TLS);
    ck_assert_uint_eq(lookups, 2);
}
END_TEST

START_TEST(a_new_handle_uses_what_is_known)
{
    ck_assert_int_eq(get("vault.example", NULL), KVP_OK);
    fake_server_hang_up(server);
    kvp_clock_freeze(kvp_clock_mono_ms() + 59000, 0);
    kvp_clock_freeze(-1, -1);
    kvp_pool_prune(http);
    ck_assert_int_eq(get("vault.example", NULL), KVP_OK);
    ck_assert_uint_eq(lookups, 1);
}
END_TEST

START_TEST(a_warm_connection_survives_dead_name_servers)
{
    int64_t now = kvp_clock_mono_ms();

    kvp_clock_freeze(now, 0);
    ck_assert_int_eq(get("vault.example", NULL), KVP_OK);
    fail_lookups = true;
    kvp_clock_freeze(now + 30000, 0);
    ck_assert_int_eq(get("vault.example", NULL), KVP_OK);
    kvp_clock_freeze(now + 70000, 0);
    ck_assert_int_eq(get("vault.example", NULL), KVP_OK);
    ck_assert_uint_eq(lookups, 2);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    kvp_clock_freeze(-1, -1);
}
END_TEST

START_TEST(a_failed_lookup_is_told)
{
    kvp_error error;

    fail_lookups = true;
    ck_assert_int_eq(get("vault.example", &error), KVP_ERR_NETWORK);
    ck_assert_ptr_nonnull(strstr(error.message, "vault.example"));
    ck_assert_uint_eq(kvp_pool_size(http), 0);
    fail_lookups = false;
    ck_assert_int_eq(get("vault.example", &error), KVP_OK);
}
END_TEST

static const struct {
    const char *url;
    bool needed;
} needs[] = {
    { "https://vault.example", true },   { "https://127.0.0.1:8443", false },
    { "https://192.0.2.1", false },      { "https://[2001:db8::1]", false },
    { "https://localhost", false },      { "https://[::1]", false },
    { "https://vault.localhost", true },
};

START_TEST(only_names_are_looked_up)
{
    kvp_url url;

    ck_assert(kvp_url_parse(needs[_i].url, &url));
    ck_assert(kvp_resolve_needed(&url, false) == needs[_i].needed);
    /* A proxy does it itself, unless there is a reason to pass it by. */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    ck_assert(!kvp_resolve_needed(&url, false));
    ck_assert(kvp_resolve_needed(&url, true) == needs[_i].needed);
    unsetenv("https_proxy");
}
END_TEST

typedef struct list {
    char urls[3][96];
    unsigned given, good;
    kvp_status last;
} list;

static bool next(void *user, const char **ret_url, void **ret_cookie)
{
    list *l = user;

    if (l->given >= 3)
        return false;
    *ret_cookie = NULL;
    *ret_url = l->urls[l->given++];
    return true;
}

static kvp_status done(void *user, void *cookie, kvp_status status,
                       const kvp_http_response *response, kvp_error *error)
{
    list *l = user;

    (void)cookie;
    (void)error;
    l->last = status;
    l->good += status == KVP_OK && response->status == 200;
    return KVP_OK;
}

START_TEST(many_requests_look_up_once)
{
    list l = { .given = 0 };
    kvp_http_many many = { .next = next, .done = done, .user = &l };

    for (int i = 0; i < 3; i++)
        snprintf(l.urls[i], sizeof(l.urls[i]), "https://vault.example:%u/%d",
                 fake_server_port(server), i);
    ck_assert_int_eq(kvp_http_perform_many(http, &many, kvp_clock_mono_ms() + 5000, NULL), KVP_OK);
    ck_assert_uint_eq(l.good, 3);
    ck_assert_uint_eq(lookups, 1);
}
END_TEST

START_TEST(no_request_makes_a_thread)
{
    static const kvp_http_options options = { .max_connections = 4 };
    kvp_http_request request = { .method = "GET",
                                 .url = "https://no-such-host.invalid/",
                                 .no_retry = true };
    kvp_http_response response = { 0 };
    kvp_http *made = NULL;
    kvp_error error;

    kvp_resolver_for_tests = NULL;
    ck_assert_int_eq(kvp_http_new(&options, &made, NULL), KVP_OK);
    ck_assert_int_eq(
        kvp_http_perform(made, &request, kvp_clock_mono_ms() + 15000, &response, &error),
        KVP_ERR_NETWORK);
    ck_assert_ptr_nonnull(strstr(error.message, "no-such-host.invalid"));
    ck_assert_uint_eq(atomic_load(&threads_made), 0);
    kvp_http_response_clear(&response);
    kvp_http_free(made);
}
END_TEST

#ifndef KVP_SANITIZED
/* That the counting works: left to itself libcurl does make one. */
START_TEST(libcurl_alone_makes_one)
{
    CURL *easy;

    ck_assert_int_eq(kvp_curl_ready(NULL), KVP_OK);
    easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, "https://no-such-host.invalid/");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    ck_assert_int_ne(curl_easy_perform(easy), CURLE_OK);
    curl_easy_cleanup(easy);
    ck_assert_uint_ge(atomic_load(&threads_made), 1);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("resolve");
    TCase *names = tcase_create("names"), *threads = tcase_create("threads");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(names, setup, teardown);
    tcase_add_test(names, a_name_is_looked_up_once_and_its_certificate_checked);
    tcase_add_test(names, a_new_handle_uses_what_is_known);
    tcase_add_test(names, a_warm_connection_survives_dead_name_servers);
    tcase_add_test(names, a_failed_lookup_is_told);
    tcase_add_loop_test(names, only_names_are_looked_up, 0, (int)KVP_ARRAY_LEN(needs));
    tcase_add_test(names, many_requests_look_up_once);
    tcase_add_test(threads, no_request_makes_a_thread);
#ifndef KVP_SANITIZED
    tcase_add_test(threads, libcurl_alone_makes_one);
#endif
    tcase_set_timeout(threads, 40);
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, threads);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
