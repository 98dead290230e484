/* SPDX-License-Identifier: MIT */
/* Requests and answers over the wire: what is sent, what is taken, what fails and how it is told.
 */
#include "config.h"

#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fake_server *server;
static kvp_http *http;

static void start(const fake_reply *script, size_t len)
{
    fake_options options = { .script = script, .script_len = len };

    server = fake_server_start(&options);
}

static kvp_http *new_http(unsigned connections, const char *ca_file)
{
    kvp_http_options options = { .max_connections = connections, .ca_file = ca_file };
    kvp_http *made = NULL;
    kvp_error error;

    ck_assert_int_eq(kvp_http_new(&options, &made, &error), KVP_OK);
    return made;
}

static void setup(void)
{
    http = new_http(4, NULL);
}

static void teardown(void)
{
    kvp_http_free(http);
    fake_server_stop(server);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
}

static kvp_status send_request(kvp_http_request request, const char *path, int64_t within_ms,
                               kvp_http_response *response, kvp_error *error)
{
    char url[256];

    snprintf(url, sizeof(url), "%s%s", server ? fake_server_url(server) : "", path);
    request.url = url;
    if (!request.method)
        request.method = "GET";
    return kvp_http_perform(http, &request, kvp_clock_mono_ms() + within_ms, response, error);
}

static void assert_header(unsigned index, const char *name, const char *expected)
{
    char value[256] = "";
    bool found =
        fake_request_header(fake_server_request(server, index), name, value, sizeof(value));

    if (expected)
        ck_assert_msg(found && strcmp(value, expected) == 0, "%s: %s", name, value);
    else
        ck_assert_msg(!found, "%s: %s", name, value);
}

/* ---- what is sent ---- */

static const struct {
    const char *method, *body, *content_length;
} methods[] = {
    { "GET", NULL, NULL },        { "DELETE", NULL, NULL }, { "POST", NULL, "0" },
    { "POST", "{\"a\":1}", "7" }, { "PUT", "{}", "2" },     { "PATCH", "{}", "2" },
    { "POST", "", "0" },
};

START_TEST(every_method_sends_what_it_is_given)
{
    static const fake_reply ok[] = { { .body = "yes" } };
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_http_response response = { 0 };

    start(ok, 1);
    if (methods[_i].body)
        ck_assert_int_eq(kvp_buf_append_str(&body, methods[_i].body), KVP_OK);
    ck_assert_int_eq(send_request((kvp_http_request){ .method = methods[_i].method,
                                                      .body = methods[_i].body ? &body : NULL },
                                  "/keys?api-version=7.4", 5000, &response, NULL),
                     KVP_OK);

    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(kvp_buf_str(&response.body), "yes");
    ck_assert(response.body.secret);
    ck_assert_str_eq(fake_server_request(server, 0)->method, methods[_i].method);
    ck_assert_str_eq(fake_server_request(server, 0)->target, "/keys?api-version=7.4");
    ck_assert_str_eq(fake_server_request(server, 0)->body,
                     methods[_i].body ? methods[_i].body : "");
    assert_header(0, "Content-Length", methods[_i].content_length);
    assert_header(0, "Expect", NULL);
    assert_header(0, "Content-Type", NULL);
    assert_header(0, "User-Agent", "kvpkcs11/" PACKAGE_VERSION);
    kvp_http_response_clear(&response);
    kvp_buf_clear(&body);
}
END_TEST

START_TEST(a_handle_forgets_the_request_before)
{
    static const fake_reply ok[] = { { .body = "yes" } };
    static const kvp_http_header headers[] = { { "Authorization", "Bearer t", true },
                                               { "Content-Type", "application/json", false } };
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_http_response response = { 0 };

    start(ok, 1);
    ck_assert_int_eq(kvp_buf_append_str(&body, "{}"), KVP_OK);
    ck_assert_int_eq(send_request((kvp_http_request){ .method = "PATCH",
                                                      .body = &body,
                                                      .headers = headers,
                                                      .header_count = 2 },
                                  "/", 5000, &response, NULL),
                     KVP_OK);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(
        send_request((kvp_http_request){ .method = "POST" }, "/", 5000, &response, NULL), KVP_OK);

    assert_header(0, "Authorization", "Bearer t");
    assert_header(0, "Content-Type", "application/json");
    assert_header(1, "Authorization", NULL);
    assert_header(1, "Content-Length", NULL);
    ck_assert_str_eq(fake_server_request(server, 1)->method, "GET");
    ck_assert_str_eq(fake_server_request(server, 2)->method, "POST");
    assert_header(2, "Content-Length", "0");
    ck_assert_uint_eq(fake_server_connections(server), 1);
    kvp_http_response_clear(&response);
    kvp_buf_clear(&body);
}
END_TEST

START_TEST(header_values_cannot_bring_lines_in)
{
    static const fake_reply ok[] = { { .body = "yes" } };
    static const kvp_http_header headers[] = { { "X", "a\r\nY: b", false } };
    kvp_http_response response = { 0 };

    start(ok, 1);
    ck_assert_int_eq(send_request((kvp_http_request){ .headers = headers, .header_count = 1 }, "/",
                                  5000, &response, NULL),
                     KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(server), 0);
    ck_assert_uint_eq(response.attempts, 0);
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(no_proxy_stands_before_loopback)
{
    static const fake_reply ok[] = { { .body = "yes" } };
    kvp_http_response response = { 0 };

    start(ok, 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    kvp_http_response_clear(&response);
}
END_TEST

/* ---- what is taken ---- */

START_TEST(headers_that_matter_are_kept)
{
    static const fake_reply replies[] = {
        { .status = 401,
          .body = "{}",
          .headers =
              "Content-Type: application/json; charset=utf-8\r\nX-MS-Request-Id:  1234-5 \r\n"
              "www-authenticate: Bearer a=\"b\"\r\nWWW-Authenticate: Basic x\r\n"
              "Location: https://h/x\r\nX-Other: y\r\nWWW-Auth: no\r\n" },
        { .status = 204 },
    };
    kvp_http_response response = { 0 };

    start(replies, 2);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(response.status, 401);
    ck_assert_str_eq(response.content_type, "application/json; charset=utf-8");
    ck_assert_str_eq(response.request_id, "1234-5");
    ck_assert_str_eq(response.www_authenticate, "Bearer a=\"b\", Basic x");
    ck_assert_str_eq(response.location, "https://h/x");
    ck_assert_int_eq(response.retry_after_ms, -1);

    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(response.status, 204);
    ck_assert_ptr_null(response.www_authenticate);
    ck_assert_ptr_null(response.location);
    ck_assert_str_eq(response.request_id, "");
    ck_assert_uint_eq(response.body.len, 0);
    ck_assert_uint_eq(response.attempts, 2);
    kvp_http_response_clear(&response);
}
END_TEST

/* Thu, 01 Jan 2026 00:00:10 GMT, ten seconds after the frozen clock. */
static const struct {
    const char *headers;
    int64_t ms;
} pauses[] = {
    { "", -1 },
    { "Retry-After: 7\r\n", 7000 },
    { "Retry-After: 0\r\n", 0 },
    { "retry-after-ms: 250\r\nRetry-After: 7\r\n", 250 },
    { "Retry-After: 7\r\nx-ms-retry-after-ms: 250\r\n", 250 },
    { "Retry-After: Thu, 01 Jan 2026 00:00:10 GMT\r\n", 10000 },
    { "Retry-After: Wed, 01 Jan 2025 00:00:10 GMT\r\n", 0 },
    { "Retry-After: soon\r\n", -1 },
    { "Retry-After: -5\r\n", -1 },
    { "Retry-After: 99999999999999999999\r\n", 86400000 },
    { "Retry-After:\r\n", -1 },
};

START_TEST(retry_after_is_read_in_all_its_forms)
{
    fake_reply reply = { .status = 429, .headers = pauses[_i].headers };
    kvp_http_response response = { 0 };

    start(&reply, 1);
    kvp_clock_freeze(1000000, INT64_C(1767225600) * 1000000);
    ck_assert_int_eq(
        send_request((kvp_http_request){ .no_retry = true }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(response.retry_after_ms, pauses[_i].ms);
    kvp_http_response_clear(&response);
    kvp_clock_freeze(-1, -1);
}
END_TEST

START_TEST(an_interim_answer_leaves_no_headers)
{
    static const fake_reply raw[] = {
        { .how = FAKE_RAW,
          .body = "HTTP/1.1 100 Continue\r\nRetry-After: 5\r\nWWW-Authenticate: x\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" },
    };
    kvp_http_response response = { 0 };

    start(raw, 1);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(response.retry_after_ms, -1);
    ck_assert_ptr_null(response.www_authenticate);
    ck_assert_str_eq(kvp_buf_str(&response.body), "ok");
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(a_redirect_is_an_answer_like_any_other)
{
    static const fake_reply moved[] = { { .status = 302, .headers = "Location: /elsewhere\r\n" } };
    kvp_http_response response = { 0 };

    start(moved, 1);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 5000, &response, NULL), KVP_OK);
    ck_assert_int_eq(response.status, 302);
    ck_assert_uint_eq(fake_server_count(server), 1);
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(an_answer_has_a_maximum)
{
    static const fake_reply big[] = { { .body = "12345678901" }, { .body = "1234567890" } };
    kvp_http_response response = { 0 };
    kvp_error error;

    start(big, 2);
    ck_assert_int_eq(
        send_request((kvp_http_request){ .max_response = 10 }, "/", 5000, &response, &error),
        KVP_ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error.message, "larger than 10 bytes"));
    ck_assert_uint_eq(response.body.len, 0);
    ck_assert_uint_eq(response.attempts, 1);
    ck_assert_int_eq(
        send_request((kvp_http_request){ .max_response = 10 }, "/", 5000, &response, &error),
        KVP_OK);
    ck_assert_uint_eq(response.body.len, 10);
    kvp_http_response_clear(&response);
}
END_TEST

/* ---- what fails ---- */

START_TEST(clear_text_to_strangers_is_refused)
{
    kvp_http_response response = { 0 };
    kvp_error error;

    ck_assert_int_eq(
        send_request((kvp_http_request){ 0 }, "http://example.org/", 1000, &response, &error),
        KVP_ERR_REFUSED);
    ck_assert_int_eq(
        send_request((kvp_http_request){ 0 }, "file:///etc/passwd", 1000, &response, &error),
        KVP_ERR_REFUSED);
    ck_assert_uint_eq(response.attempts, 0);
}
END_TEST

START_TEST(a_refused_connection_is_told_at_once)
{
    char url[64], port[32];
    kvp_http_response response = { 0 };
    kvp_error error;
    int64_t begun = kvp_clock_mono_ms(), took;

    snprintf(port, sizeof(port), "127.0.0.1:%u", fake_dead_port());
    snprintf(url, sizeof(url), "https://%s/", port);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, url, 30000, &response, &error),
                     KVP_ERR_NETWORK);
    took = kvp_clock_mono_ms() - begun;
    ck_assert_msg(strstr(error.message, port) && strstr(error.message, "refused"), "%s",
                  error.message);
    ck_assert_uint_eq(response.attempts, 3);
    ck_assert_int_ge(took, 500);
    ck_assert_int_lt(took, 5000);
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(an_unknown_host_is_told_at_once)
{
    kvp_http_response response = { 0 };
    kvp_error error;

    ck_assert_int_eq(send_request((kvp_http_request){ .no_retry = true },
                                  "https://no-such-host.invalid/", 5000, &response, &error),
                     KVP_ERR_NETWORK);
    ck_assert_msg(strstr(error.message, "no-such-host.invalid"), "%s", error.message);
    ck_assert_uint_eq(response.attempts, 1);
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(silence_ends_with_the_deadline)
{
    static const fake_reply hang[] = { { .how = FAKE_HANG } };
    kvp_http_response response = { 0 };
    kvp_error error;
    int64_t begun = kvp_clock_mono_ms(), took;

    start(hang, 1);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 400, &response, &error),
                     KVP_ERR_TIMEOUT);
    took = kvp_clock_mono_ms() - begun;
    ck_assert_int_ge(took, 350);
    ck_assert_int_lt(took, 3000);
    ck_assert_int_eq(send_request((kvp_http_request){ 0 }, "/", 0, &response, &error),
                     KVP_ERR_TIMEOUT);
    ck_assert_uint_eq(fake_server_count(server), 1);
    kvp_http_response_clear(&response);
}
END_TEST

static const struct {
    fake_reply reply;
    kvp_status st;
    unsigned attempts_min;
} nonsense[] = {
    { { .how = FAKE_RAW, .body = "SSH-2.0-x\r\n" }, KVP_ERR_NETWORK, 1 },
    { { .how = FAKE_RAW, .body = "\x15\x03\x01\x00\x02\x02" }, KVP_ERR_NETWORK, 1 },
    { { .how = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" },
      KVP_ERR_NETWORK,
      1 },
    { { .how = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" },
      KVP_ERR_NETWORK,
      1 },
    { { .how = FAKE_TRUNCATE, .body = "half" }, KVP_ERR_NETWORK, 2 },
    { { .how = FAKE_CLOSE }, KVP_ERR_NETWORK, 2 },
    { { .how = FAKE_RESET }, KVP_ERR_NETWORK, 2 },
};

START_TEST(broken_answers_are_no_answers)
{
    kvp_http_response response = { 0 };
    kvp_error error;
    kvp_status st;

    start(&nonsense[_i].reply, 1);
    st = send_request((kvp_http_request){ 0 }, "/", 1500, &response, &error);
    ck_assert_msg(st == nonsense[_i].st, "%s: %s", kvp_status_name(st), error.message);
    ck_assert_uint_ge(response.attempts, nonsense[_i].attempts_min);
    ck_assert_uint_eq(response.body.len, 0);
    ck_assert_int_eq(response.status, 0);
    kvp_http_response_clear(&response);
}
END_TEST

START_TEST(plain_http_where_tls_should_be_is_a_tls_error)
{
    static const fake_reply ok[] = { { .how = FAKE_RAW, .body = "HTTP/1.1 400 Bad\r\n\r\n" } };
    char url[64];
    kvp_http_response response = { 0 };
    kvp_http_request request = { .method = "GET", .url = url };
    kvp_error error;

    start(ok, 1);
    /* The server reads a line before it answers: give it none, and it would wait for ever. */
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/\r\n\r\n", fake_server_port(server));
    ck_assert_int_eq(
        kvp_http_perform(http, &request, kvp_clock_mono_ms() + 1000, &response, &error),
        KVP_ERR_REFUSED);
    kvp_http_response_clear(&response);
}
END_TEST

/* ---- TLS ---- */

static kvp_status ask_tls(const fake_options *options, const char *ca_file, kvp_error *error)
{
    kvp_http_response response = { 0 };
    kvp_status st;

    server = fake_server_start(options);
    kvp_http_free(http);
    http = new_http(2, ca_file ? ca_file : fake_server_ca_file(server));
    st = send_request((kvp_http_request){ 0 }, "/", 5000, &response, error);
    if (st == KVP_OK)
        ck_assert_str_eq(kvp_buf_str(&response.body), "tls");
    else
        ck_assert_uint_eq(response.attempts, 1);
    kvp_http_response_clear(&response);
    return st;
}

static const fake_reply tls_reply[] = { { .body = "tls" } };

START_TEST(a_certificate_of_ca_file_is_trusted)
{
    fake_options options = { .script = tls_reply, .script_len = 1, .tls_name = "localhost" };
    kvp_error error;

    ck_assert_int_eq(ask_tls(&options, NULL, &error), KVP_OK);
}
END_TEST

START_TEST(a_strange_authority_is_not_trusted)
{
    fake_options options = { .script = tls_reply, .script_len = 1, .tls_name = "localhost" };
    fake_server *other = fake_server_start(&options);
    kvp_error error;

    ck_assert_int_eq(ask_tls(&options, fake_server_ca_file(other), &error), KVP_ERR_TLS);
    ck_assert_msg(strstr(error.message, "certificate") && strstr(error.message, "`ca_file`"), "%s",
                  error.message);
    ck_assert_uint_eq(fake_server_count(server), 0);
    fake_server_stop(other);
}
END_TEST

START_TEST(a_certificate_for_another_host_is_not_trusted)
{
    fake_options options = {
        .script = tls_reply, .script_len = 1, .tls_name = "localhost", .tls_wrong_host = true
    };
    kvp_error error;

    ck_assert_int_eq(ask_tls(&options, NULL, &error), KVP_ERR_TLS);
    ck_assert_msg(strstr(error.message, "127.0.0.1"), "%s", error.message);
    ck_assert_uint_eq(fake_server_count(server), 0);
}
END_TEST

START_TEST(an_expired_certificate_is_not_trusted)
{
    fake_options options = {
        .script = tls_reply, .script_len = 1, .tls_name = "localhost", .tls_expired = true
    };
    kvp_error error;

    ck_assert_int_eq(ask_tls(&options, NULL, &error), KVP_ERR_TLS);
    ck_assert_msg(strstr(error.message, "expired"), "%s", error.message);
}
END_TEST

START_TEST(a_missing_ca_file_is_named)
{
    fake_options options = { .script = tls_reply, .script_len = 1, .tls_name = "localhost" };
    kvp_error error;

    ck_assert_int_eq(ask_tls(&options, "/nonexistent/ca.pem", &error), KVP_ERR_TLS);
    ck_assert_msg(strstr(error.message, "`ca_file`"), "%s", error.message);
}
END_TEST

/* ---- memory ---- */

START_TEST(each_failing_allocation_is_survived)
{
    static const fake_reply ok[] = { { .body = "yes",
                                       .headers = "WWW-Authenticate: x\r\nLocation: y\r\n" } };
    static const kvp_http_header headers[] = { { "Authorization", "Bearer t", true } };
    unsigned failures = 0;
    kvp_status st = KVP_ERR_NO_MEMORY;

    start(ok, 1);
    for (long n = 0; n < 5000 && st != KVP_OK; n++) {
        kvp_http_options options = { .max_connections = 1 };
        kvp_http_response response = { 0 };
        kvp_http_request request = { .method = "POST",
                                     .url = fake_server_url(server),
                                     .headers = headers,
                                     .header_count = 1,
                                     .no_retry = true };
        kvp_http *made = NULL;
        kvp_error error;

        kvp_alloc_fail_after(n);
        st = kvp_http_new(&options, &made, &error);
        if (st == KVP_OK)
            st = kvp_http_perform(made, &request, kvp_clock_mono_ms() + 5000, &response, &error);
        kvp_alloc_fail_after(-1);
        kvp_http_response_clear(&response);
        kvp_http_free(made);
        failures += st != KVP_OK;
    }
    ck_assert_int_eq(st, KVP_OK);
    ck_assert_uint_gt(failures, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport");
    TCase *tcase = tcase_create("transport"), *tls = tcase_create("tls");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, every_method_sends_what_it_is_given, 0, (int)KVP_ARRAY_LEN(methods));
    tcase_add_test(tcase, a_handle_forgets_the_request_before);
    tcase_add_test(tcase, header_values_cannot_bring_lines_in);
    tcase_add_test(tcase, no_proxy_stands_before_loopback);
    tcase_add_test(tcase, headers_that_matter_are_kept);
    tcase_add_loop_test(tcase, retry_after_is_read_in_all_its_forms, 0, (int)KVP_ARRAY_LEN(pauses));
    tcase_add_test(tcase, an_interim_answer_leaves_no_headers);
    tcase_add_test(tcase, a_redirect_is_an_answer_like_any_other);
    tcase_add_test(tcase, an_answer_has_a_maximum);
    tcase_add_test(tcase, clear_text_to_strangers_is_refused);
    tcase_add_test(tcase, a_refused_connection_is_told_at_once);
    tcase_add_test(tcase, an_unknown_host_is_told_at_once);
    tcase_add_test(tcase, silence_ends_with_the_deadline);
    tcase_add_loop_test(tcase, broken_answers_are_no_answers, 0, (int)KVP_ARRAY_LEN(nonsense));
    tcase_add_test(tcase, plain_http_where_tls_should_be_is_a_tls_error);
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tls, setup, teardown);
    tcase_add_test(tls, a_certificate_of_ca_file_is_trusted);
    tcase_add_test(tls, a_strange_authority_is_not_trusted);
    tcase_add_test(tls, a_certificate_for_another_host_is_not_trusted);
    tcase_add_test(tls, an_expired_certificate_is_not_trusted);
    tcase_add_test(tls, a_missing_ca_file_is_named);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, tls);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
