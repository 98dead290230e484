/* SPDX-License-Identifier: MIT */
/* When a request is tried again, how long it waits, and who waits with it. */
#include "config.h"

#include "http/internal.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static kvp_http *new_http(unsigned connections)
{
    kvp_http_options options = { .max_connections = connections };
    kvp_http *made = NULL;

    ck_assert_int_eq(kvp_http_new(&options, &made, NULL), KVP_OK);
    return made;
}

static kvp_status get(kvp_http *http, fake_server *server, int64_t within_ms,
                      kvp_http_response *response)
{
    kvp_http_request request = { .method = "POST", .url = fake_server_url(server) };

    return kvp_http_perform(http, &request, kvp_clock_mono_ms() + within_ms, response, NULL);
}

/* ---- the rule ---- */

START_TEST(pauses_double_and_spread)
{
    static const int64_t expected[] = { 500, 1000, 2000, 4000, 8000, 8000, 8000 };

    for (int round = 0; round < 50; round++) {
        kvp_retry retry = { 0 };

        for (size_t i = 0; i < KVP_ARRAY_LEN(expected); i++) {
            int64_t pause = kvp_retry_pause(&retry, i % 2 ? KVP_OUTCOME_BUSY : KVP_OUTCOME_BROKEN,
                                            -1, 0, 1000000);

            ck_assert_int_ge(pause, expected[i] * 8 / 10);
            ck_assert_int_le(pause, expected[i] * 12 / 10 + 1);
        }
    }
}
END_TEST

START_TEST(retry_after_is_never_undercut)
{
    for (int round = 0; round < 50; round++) {
        kvp_retry retry = { 0 };
        int64_t pause = kvp_retry_pause(&retry, KVP_OUTCOME_BUSY, 10000, 0, 1000000);

        ck_assert_int_ge(pause, 10000);
        ck_assert_int_le(pause, 12000);
        ck_assert_int_le(kvp_retry_pause(&retry, KVP_OUTCOME_BUSY, 0, 0, 1000000), 100);
    }
}
END_TEST

START_TEST(no_pause_passes_the_deadline)
{
    kvp_retry retry = { 0 };

    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_BUSY, 5000, 1000, 6000), -1);
    ck_assert_int_ge(kvp_retry_pause(&retry, KVP_OUTCOME_BUSY, 5000, 1000, 7000), 5000);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_BROKEN, -1, 1000, 1001), -1);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_STALE, -1, 1000, 1000), -1);
    retry.stale = 0;
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_STALE, -1, 1000, 1024), -1);
    retry.stale = 0;
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_STALE, -1, 1000, 1025), 0);
}
END_TEST

START_TEST(the_unreachable_is_given_up_quickly)
{
    kvp_retry retry = { 0 };

    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_UNREACHABLE, -1, 0, 100000), 200);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_UNREACHABLE, -1, 0, 100000), 400);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_UNREACHABLE, -1, 0, 100000), -1);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_FATAL, -1, 0, 100000), -1);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_DONE, -1, 0, 100000), -1);
    ck_assert_int_eq(kvp_retry_pause(&retry, KVP_OUTCOME_STALE, -1, 0, 100000), 0);
    ck_assert_int_gt(kvp_retry_pause(&retry, KVP_OUTCOME_STALE, -1, 0, 100000), 0);
}
END_TEST

/* ---- over the wire ---- */

static const int busy[] = { 408, 429, 500, 502, 503, 504 };

START_TEST(busy_answers_are_tried_again)
{
    const fake_reply replies[] = { { .status = busy[_i], .headers = "Retry-After: 20\r\n" },
                                   { .status = busy[_i] },
                                   { .status = 200 } };
    fake_options options = { .script = replies, .script_len = 3 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };
    int64_t begun = 5000000, took;

    kvp_clock_freeze(begun, 0);
    ck_assert_int_eq(get(http, server, 60000, &response), KVP_OK);
    took = kvp_clock_mono_ms() - begun;

    ck_assert_int_eq(response.status, 200);
    ck_assert_uint_eq(response.attempts, 3);
    ck_assert_uint_eq(fake_server_count(server), 3);
    ck_assert_uint_eq(fake_server_connections(server), 1);
    ck_assert_int_ge(took, 20000 + 800);
    ck_assert_int_le(took, 30000);
    kvp_clock_freeze(-1, -1);
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(the_last_answer_before_the_deadline_is_the_result)
{
    const fake_reply replies[] = {
        { .status = 503, .body = "busy", .headers = "Retry-After: 100\r\n" }
    };
    fake_options options = { .script = replies, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    kvp_clock_freeze(5000000, 0);
    ck_assert_int_eq(get(http, server, 60000, &response), KVP_OK);
    ck_assert_int_eq(response.status, 503);
    ck_assert_str_eq(kvp_buf_str(&response.body), "busy");
    ck_assert_uint_eq(response.attempts, 1);
    ck_assert_int_eq(kvp_clock_mono_ms(), 5000000);
    kvp_clock_freeze(-1, -1);
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

static const int final[] = { 200, 204, 400, 401, 403, 404, 405, 409, 501, 505 };

START_TEST(other_answers_are_final)
{
    const fake_reply reply = { .status = final[_i] };
    fake_options options = { .script = &reply, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    ck_assert_int_eq(get(http, server, 5000, &response), KVP_OK);
    ck_assert_int_eq(response.status, final[_i]);
    ck_assert_uint_eq(fake_server_count(server), 1);
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(a_broken_connection_is_tried_again)
{
    const fake_reply replies[] = { { .how = FAKE_RESET },
                                   { .how = FAKE_TRUNCATE, .body = "half" },
                                   { .body = "whole" } };
    fake_options options = { .script = replies, .script_len = 3 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    kvp_clock_freeze(5000000, 0);
    ck_assert_int_eq(get(http, server, 60000, &response), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&response.body), "whole");
    ck_assert_uint_eq(response.attempts, 3);
    kvp_clock_freeze(-1, -1);
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

/* A keep-alive connection that the server closes: seen before the request, or only after it was
 * sent. */
static const fake_how stale[] = { FAKE_CLOSE, FAKE_RESET };

START_TEST(a_stale_connection_costs_no_pause)
{
    const fake_reply replies[] = { { .body = "one" }, { .how = stale[_i] }, { .body = "two" } };
    fake_options options = { .script = replies, .script_len = 3 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    kvp_clock_freeze(5000000, 0);
    ck_assert_int_eq(get(http, server, 60000, &response), KVP_OK);
    ck_assert_int_eq(get(http, server, 60000, &response), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&response.body), "two");
    ck_assert_int_eq(kvp_clock_mono_ms(), 5000000);
    ck_assert_uint_eq(fake_server_connections(server), 2);
    kvp_clock_freeze(-1, -1);
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

START_TEST(a_connection_closed_while_idle_is_replaced)
{
    const fake_reply replies[] = { { .body = "one", .how = FAKE_ANSWER_CLOSE } };
    fake_options options = { .script = replies, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    for (unsigned i = 1; i <= 5; i++) {
        ck_assert_int_eq(get(http, server, 5000, &response), KVP_OK);
        ck_assert_int_eq(response.status, 200);
        ck_assert_uint_eq(fake_server_count(server), i);
        if (i % 2)
            kvp_clock_sleep_ms(30);
    }
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

/* ---- one limiter for all threads ---- */

typedef struct crowd {
    kvp_http *http;
    fake_server *server;
    atomic_uint good;
} crowd;

static void *one_of_the_crowd(void *arg)
{
    crowd *c = arg;
    kvp_http_response response = { 0 };

    if (get(c->http, c->server, 10000, &response) == KVP_OK && response.status == 200)
        atomic_fetch_add(&c->good, 1);
    kvp_http_response_clear(&response);
    return NULL;
}

START_TEST(after_a_429_nobody_sends_before_the_time_has_come)
{
    const fake_reply replies[] = { { .status = 429, .headers = "retry-after-ms: 600\r\n" },
                                   { .status = 200 } };
    fake_options options = { .script = replies, .script_len = 2 };
    crowd c = { .http = new_http(8), .server = fake_server_start(&options) };
    pthread_t threads[8];
    int64_t begun = kvp_clock_mono_ms();

    ck_assert_int_eq(pthread_create(&threads[0], NULL, one_of_the_crowd, &c), 0);
    while (fake_server_count(c.server) == 0)
        kvp_clock_sleep_ms(5);
    kvp_clock_sleep_ms(100);
    for (size_t i = 1; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, one_of_the_crowd, &c), 0);
    kvp_clock_sleep_ms(200);
    ck_assert_uint_eq(fake_server_count(c.server), 1);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&c.good), 8);
    ck_assert_uint_eq(fake_server_count(c.server), 9);
    ck_assert_int_ge(kvp_clock_mono_ms() - begun, 600);
    kvp_http_free(c.http);
    fake_server_stop(c.server);
}
END_TEST

START_TEST(who_cannot_wait_is_answered_by_the_service)
{
    const fake_reply replies[] = { { .status = 429, .headers = "Retry-After: 3600\r\n" } };
    fake_options options = { .script = replies, .script_len = 1 };
    fake_server *server = fake_server_start(&options);
    kvp_http *http = new_http(1);
    kvp_http_response response = { 0 };

    for (unsigned i = 1; i <= 3; i++) {
        ck_assert_int_eq(get(http, server, 1000, &response), KVP_OK);
        ck_assert_int_eq(response.status, 429);
        ck_assert_uint_eq(fake_server_count(server), i);
    }
    kvp_http_response_clear(&response);
    kvp_http_free(http);
    fake_server_stop(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *rule = tcase_create("rule"), *wire = tcase_create("wire");
    SRunner *runner;
    int failed;

    tcase_add_test(rule, pauses_double_and_spread);
    tcase_add_test(rule, retry_after_is_never_undercut);
    tcase_add_test(rule, no_pause_passes_the_deadline);
    tcase_add_test(rule, the_unreachable_is_given_up_quickly);
    tcase_add_loop_test(wire, busy_answers_are_tried_again, 0, (int)KVP_ARRAY_LEN(busy));
    tcase_add_test(wire, the_last_answer_before_the_deadline_is_the_result);
    tcase_add_loop_test(wire, other_answers_are_final, 0, (int)KVP_ARRAY_LEN(final));
    tcase_add_test(wire, a_broken_connection_is_tried_again);
    tcase_add_loop_test(wire, a_stale_connection_costs_no_pause, 0, (int)KVP_ARRAY_LEN(stale));
    tcase_add_test(wire, a_connection_closed_while_idle_is_replaced);
    tcase_add_test(wire, after_a_429_nobody_sends_before_the_time_has_come);
    tcase_add_test(wire, who_cannot_wait_is_answered_by_the_service);
    tcase_set_timeout(wire, 20);
    suite_add_tcase(suite, rule);
    suite_add_tcase(suite, wire);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
