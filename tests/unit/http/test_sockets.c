/* SPDX-License-Identifier: MIT */
/* Which descriptors are ours, where libcurl closes some of them without telling. */
#include "config.h"

#include "http/internal.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* As many as fill the queue of a listener that asked for the shortest. */
#define QUEUE 8
#define FILES 16

/* A listener on whom no connection comes about: its queue is full, and it takes none. */
typedef struct deaf {
    int listener, waiting[QUEUE];
    char url[40];
} deaf;

static void deaf_open(deaf *d)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);

    d->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(d->listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(d->listener, 0), 0);
    ck_assert_int_eq(getsockname(d->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(d->url, sizeof(d->url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    for (int i = 0; i < QUEUE; i++) {
        d->waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(d->waiting[i], 0);
        (void)!connect(d->waiting[i], (struct sockaddr *)&address, len);
    }
}

static void deaf_close(const deaf *d)
{
    close(d->listener);
    for (int i = 0; i < QUEUE; i++)
        close(d->waiting[i]);
}

START_TEST(a_connection_given_up_before_it_was_one_leaves_no_trace)
{
    kvp_http_options options = { .max_connections = 4 };
    kvp_http_request request = { .method = "GET", .no_retry = true };
    kvp_http_response response = { 0 };
    kvp_http *http = NULL;
    int files[FILES];
    deaf d;

    deaf_open(&d);
    request.url = d.url;
    ck_assert_int_eq(kvp_http_new(&options, &http, NULL), KVP_OK);
    ck_assert_int_eq(kvp_http_perform(http, &request, kvp_clock_mono_ms() + 200, &response, NULL),
                     KVP_ERR_TIMEOUT);
    ck_assert_uint_eq(kvp_sockets_count(), 0);

    /* Its number is free for the host: what the child of a fork closes is none of these. */
    for (int i = 0; i < FILES; i++)
        files[i] = i % 2 ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                         : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    kvp_sockets_close_all();
    for (int i = 0; i < FILES; i++) {
        ck_assert_int_ne(fcntl(files[i], F_GETFD), -1);
        close(files[i]);
    }
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    deaf_close(&d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sockets");
    TCase *tcase = tcase_create("sockets");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, a_connection_given_up_before_it_was_one_leaves_no_trace);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
