/* SPDX-License-Identifier: MIT */
/* Clients that are slow, stop in the middle or do not read: they are waited for as long as the
 * time-out says, and others are served meanwhile. */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_S 1
#define PATIENCE_MS 60000 /* a busy machine is late */
#define HOST "Host: 127.0.0.1\r\n"

static char *dir;
static kvp_service *service;
static kvp_test_client other;
static unsigned port;

static void setup(void)
{
    kvp_error error = { .status = KVP_OK };

    dir = kvp_test_directory();
    kvp_options options = {
        .data = dir, .listen = "127.0.0.1:0", .token_lifetime_s = 3599, .idle_timeout_s = IDLE_S
    };
    signal(SIGPIPE, SIG_IGN);
    ck_assert_msg(kvp_service_start(&options, &service, &error) == KVP_OK, "%s", error.message);
    ck_assert(kvp_test_client_open(&other, dir));
    ck_assert(kvp_test_client_sign_in(&other));
    port = (unsigned)strtoul(strrchr(kvp_service_url(service), ':') + 1, NULL, 10);
}

static void teardown(void)
{
    kvp_test_client_close(&other);
    kvp_service_stop(service);
    kvp_test_remove(dir);
}

/** A client of which the test sees every byte. */
typedef struct raw {
    int fd;
    gnutls_session_t session; /* NULL before TLS */
    gnutls_certificate_credentials_t credentials;
} raw;

static void raw_connect(raw *r)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int on = 1;

    *r = (raw){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    ck_assert_int_ge(r->fd, 0);
    ck_assert_int_eq(connect(r->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
}

static void raw_handshake(raw *r)
{
    ck_assert_int_eq(gnutls_init(&r->session, GNUTLS_CLIENT), 0);
    ck_assert_int_eq(gnutls_set_default_priority(r->session), 0);
    ck_assert_int_eq(gnutls_certificate_allocate_credentials(&r->credentials), 0);
    ck_assert_int_eq(gnutls_credentials_set(r->session, GNUTLS_CRD_CERTIFICATE, r->credentials), 0);
    gnutls_transport_set_int(r->session, r->fd);
    ck_assert_int_eq(gnutls_handshake(r->session), 0);
}

static void raw_close(raw *r)
{
    if (r->session) {
        gnutls_deinit(r->session);
        gnutls_certificate_free_credentials(r->credentials);
    }
    close(r->fd);
}

static void raw_send(raw *r, const char *text, size_t len)
{
    ck_assert_int_eq(gnutls_record_send(r->session, text, len), (int)len);
}

/* Read until the connection ends, however it does; false when it outlives our patience. */
static bool ends(raw *r)
{
    int64_t until = kvp_clock_mono_ms() + PATIENCE_MS;

    while (kvp_clock_mono_ms() < until) {
        struct pollfd p = { r->fd, POLLIN, 0 };
        char text[4096];
        if (poll(&p, 1, 100) > 0 && recv(r->fd, text, sizeof(text), MSG_DONTWAIT) <= 0 &&
            errno != EAGAIN && errno != EINTR)
            return true;
        errno = 0;
    }
    return false;
}

/** How far a client comes before it stops; NULL: not even to TLS. */
static const char *const begun[] = {
    NULL,
    "",
    "GET /ke",
    "GET /keys?api-version=7.5 HTTP/1.1\r\n" HOST "Author",
    "POST /keys/k/create?api-version=7.5 HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n",
    "POST /keys/k/create?api-version=7.5 HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n{\"kty\":",
    "POST /keys/k/create?api-version=7.5 HTTP/1.1\r\n" HOST
    "Transfer-Encoding: chunked\r\n\r\n20\r\n{",
};

START_TEST(clients_that_never_finish_are_closed_and_others_served)
{
    raw clients[KVP_ARRAY_LEN(begun)];

    for (size_t i = 0; i < KVP_ARRAY_LEN(begun); i++) {
        raw_connect(&clients[i]);
        if (begun[i])
            raw_handshake(&clients[i]);
        if (begun[i] && *begun[i])
            raw_send(&clients[i], begun[i], strlen(begun[i]));
        ck_assert_int_eq(kvp_test_client_send(&other, "GET", "/keys", NULL, NULL), 200);
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(begun); i++) {
        ck_assert_msg(ends(&clients[i]), "%s", begun[i] ? begun[i] : "no TLS");
        raw_close(&clients[i]);
    }
    ck_assert_int_eq(kvp_test_client_send(&other, "GET", "/keys", NULL, NULL), 200);
}
END_TEST

START_TEST(a_request_that_comes_byte_by_byte_is_answered)
{
    char request[1024], answer[4096];
    const char *body = "{\"kty\":\"EC\"}";
    size_t len = 0;
    raw r;

    int size = snprintf(request, sizeof(request),
                        "POST /keys/slow/create?api-version=7.5 HTTP/1.1\r\n" HOST
                        "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        other.token, strlen(body), body);
    raw_connect(&r);
    raw_handshake(&r);
    for (int i = 0; i < size; i++)
        raw_send(&r, request + i, 1);
    for (;;) {
        ssize_t got = gnutls_record_recv(r.session, answer + len, sizeof(answer) - 1 - len);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    answer[len] = '\0';
    ck_assert_msg(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
    ck_assert_ptr_nonnull(strstr(answer, "\"crv\":\"P-256\""));
    raw_close(&r);
}
END_TEST

/* It asks for more than all buffers between the two hold, and takes none of it. */
START_TEST(a_client_that_does_not_read_is_closed_and_others_served)
{
    char value[24001], body[24100], request[400];
    int64_t until = kvp_clock_mono_ms() + PATIENCE_MS;
    struct pollfd gone;
    raw r;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    snprintf(body, sizeof(body), "{\"value\":\"%s\"}", value);
    ck_assert_int_eq(
        kvp_test_client_send(&other, "PUT", "/secrets/large", "application/json", body), 200);
    int size = snprintf(request, sizeof(request),
                        "GET /secrets/large?api-version=7.5 HTTP/1.1\r\n" HOST
                        "Authorization: Bearer %s\r\n\r\n",
                        other.token);
    raw_connect(&r);
    raw_handshake(&r);
    ck_assert_int_eq(fcntl(r.fd, F_SETFL, O_NONBLOCK), 0);
    /* Until nothing more is taken, or it is over already. */
    for (int i = 0; i < 20000; i++) {
        if (gnutls_record_send(r.session, request, (size_t)size) < 0)
            break;
    }
    ck_assert_int_eq(kvp_test_client_send(&other, "GET", "/keys", NULL, NULL), 200);
    do {
        gone = (struct pollfd){ r.fd, 0, 0 };
        poll(&gone, 1, 100);
    } while (!(gone.revents & (POLLERR | POLLHUP)) && kvp_clock_mono_ms() < until);
    ck_assert_int_ne(gone.revents & (POLLERR | POLLHUP), 0);
    ck_assert_int_eq(kvp_test_client_send(&other, "GET", "/keys", NULL, NULL), 200);
    raw_close(&r);
}
END_TEST

/** What is not HTTP as we take it, and the status, 0 for a connection that is closed at once. */
static const struct {
    const char *request;
    size_t padding; /* bytes of 'a' behind it */
    const char *rest;
    int low, high;
} broken[] = {
    { "GET /", 40000, " HTTP/1.1\r\n" HOST "\r\n", 0, 414 },
    { "GET /keys HTTP/1.1\r\n" HOST "X: ", 40000, "\r\n\r\n", 0, 431 },
    { "GET /keys HTTP/1.1\r\n" HOST "Authorization: Bearer ", 5000, "\r\n\r\n", 401, 401 },
    { "\r\n\r\n\r\n", 0, "rubbish\r\n\r\n", 0, 400 },
    { "POST /keys HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 0, "", 0, 400 },
    { "POST /keys HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 0, "", 0,
      413 },
    { "POST /keys HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 0, "", 0, 400 },
    { "BREW /keys?api-version=7.5 HTTP/1.1\r\n" HOST "\r\n", 0, "", 401, 401 },
    { "GET /keys HTTP/9.9\r\n" HOST "\r\n", 0, "", 0, 505 },
};

START_TEST(what_is_no_proper_request_is_refused_or_closed)
{
    char *text = kvp_calloc(1, broken[_i].padding + 1024);
    char answer[200] = "";
    int status = 0;
    raw r;

    size_t len = (size_t)snprintf(text, 1024, "%s", broken[_i].request);
    memset(text + len, 'a', broken[_i].padding);
    len += broken[_i].padding;
    len += (size_t)snprintf(text + len, 512, "%s", broken[_i].rest);
    raw_connect(&r);
    raw_handshake(&r);
    /* It may be closed while we still write. */
    for (size_t at = 0; at < len;) {
        ssize_t put = gnutls_record_send(r.session, text + at, len - at);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    ssize_t got;
    do {
        got = gnutls_record_recv(r.session, answer, sizeof(answer) - 1);
    } while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
    if (got > 0)
        ck_assert_msg(sscanf(answer, "HTTP/1.%*d %d", &status) == 1, "%s", answer);
    ck_assert_msg(status == broken[_i].low || (status >= 400 && status <= broken[_i].high), "%d",
                  status);
    ck_assert_int_eq(kvp_test_client_send(&other, "GET", "/keys", NULL, NULL), 200);
    raw_close(&r);
    kvp_free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slow");
    TCase *tcase = tcase_create("slow");

    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, clients_that_never_finish_are_closed_and_others_served);
    tcase_add_test(tcase, a_request_that_comes_byte_by_byte_is_answered);
    tcase_add_test(tcase, a_client_that_does_not_read_is_closed_and_others_served);
    tcase_add_loop_test(tcase, what_is_no_proper_request_is_refused_or_closed, 0,
                        (int)KVP_ARRAY_LEN(broken));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
