/* SPDX-License-Identifier: MIT */
/* Many requests at once: each reported once, answers bring forth requests, failures, limits. */
#include "config.h"

#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 200

typedef struct work {
    fake_server *server;
    char urls[MOST][96];
    unsigned given, wanted, done, good, reported[MOST];
    unsigned in_flight, peak;
    kvp_status stop_with;
    unsigned stop_at;
    kvp_status last;
} work;

static bool next(void *user, const char **ret_url, void **ret_cookie)
{
    work *w = user;

    if (w->given >= w->wanted)
        return false;
    snprintf(w->urls[w->given], sizeof(w->urls[0]), "%s/item/%u", fake_server_url(w->server),
             w->given);
    *ret_url = w->urls[w->given];
    *ret_cookie = &w->reported[w->given++];
    w->in_flight++;
    w->peak = w->in_flight > w->peak ? w->in_flight : w->peak;
    return true;
}

static kvp_status done(void *user, void *cookie, kvp_status status,
                       const kvp_http_response *response, kvp_error *error)
{
    work *w = user;
    unsigned index = (unsigned)((unsigned *)cookie - w->reported);
    char expected[32];

    w->reported[index]++;
    w->in_flight--;
    w->done++;
    w->last = status;
    if (status == KVP_OK) {
        snprintf(expected, sizeof(expected), "/item/%u", index);
        ck_assert_str_eq(kvp_buf_str(&response->body), expected);
        w->good++;
    } else {
        ck_assert_ptr_null(response);
        ck_assert_str_ne(error->message, "");
    }
    if (w->stop_at && w->done == w->stop_at)
        return kvp_error_set(error, w->stop_with, "enough");
    /* Each of the first few answers brings forth one more request. */
    if (index < 5 && w->wanted < MOST)
        w->wanted++;
    return KVP_OK;
}

static unsigned faults;

static void answer(void *user, const fake_request *request, fake_reply *reply)
{
    (void)user;
    snprintf(reply->text, sizeof(reply->text), "%s", request->target);
    reply->body = reply->text;
    if (faults > 0) {
        faults--;
        reply->status = 503;
    }
}

static void assert_each_reported_once(const work *w)
{
    for (unsigned i = 0; i < w->given; i++)
        ck_assert_uint_eq(w->reported[i], 1);
    ck_assert_uint_eq(w->done, w->given);
}

static kvp_status run_work(work *w, unsigned connections, int64_t within_ms, kvp_error *error)
{
    static const kvp_http_header headers[] = { { "Authorization", "Bearer t", true } };
    fake_options options = { .handle = answer };
    kvp_http_options http_options = { .max_connections = connections };
    kvp_http_many many = {
        .next = next, .done = done, .user = w, .headers = headers, .header_count = 1
    };
    kvp_http *http = NULL;
    kvp_status st;
    char value[32];

    w->server = fake_server_start(&options);
    ck_assert_int_eq(kvp_http_new(&http_options, &http, NULL), KVP_OK);
    st = kvp_http_perform_many(http, &many, kvp_clock_mono_ms() + within_ms, error);
    for (unsigned i = 0; i < fake_server_count(w->server); i++)
        ck_assert(fake_request_header(fake_server_request(w->server, i), "Authorization", value,
                                      sizeof(value)));
    kvp_http_free(http);
    ck_assert_uint_eq(kvp_sockets_count(), 0);
    return st;
}

START_TEST(all_are_answered_and_bring_forth_others)
{
    work *w = kvp_calloc(1, sizeof(*w));
    kvp_error error;

    w->wanted = 100;
    ck_assert_int_eq(run_work(w, 16, 20000, &error), KVP_OK);
    ck_assert_uint_eq(w->given, 105);
    ck_assert_uint_eq(w->good, 105);
    ck_assert_uint_le(w->peak, 32);
    ck_assert_uint_le(fake_server_connections(w->server), 8);
    assert_each_reported_once(w);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

START_TEST(nothing_to_do_is_done_at_once)
{
    work *w = kvp_calloc(1, sizeof(*w));

    ck_assert_int_eq(run_work(w, 1, 5000, NULL), KVP_OK);
    ck_assert_uint_eq(fake_server_connections(w->server), 0);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

START_TEST(busy_answers_are_tried_again)
{
    work *w = kvp_calloc(1, sizeof(*w));
    kvp_error error;

    faults = 3;
    w->wanted = 6;
    ck_assert_int_eq(run_work(w, 2, 20000, &error), KVP_OK);
    ck_assert_uint_eq(w->good, w->given);
    ck_assert_uint_eq(fake_server_count(w->server), w->given + 3);
    assert_each_reported_once(w);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

START_TEST(a_caller_can_stop_everything)
{
    work *w = kvp_calloc(1, sizeof(*w));
    kvp_error error;

    w->wanted = 100;
    w->stop_at = 10;
    w->stop_with = KVP_ERR_PARSE;
    ck_assert_int_eq(run_work(w, 4, 20000, &error), KVP_ERR_PARSE);
    ck_assert_str_eq(error.message, "enough");
    ck_assert_uint_lt(w->good, 100);
    assert_each_reported_once(w);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

START_TEST(the_deadline_ends_all)
{
    work *w = kvp_calloc(1, sizeof(*w));
    kvp_error error;

    faults = 1000;
    w->wanted = 40;
    ck_assert_int_eq(run_work(w, 4, 2500, &error), KVP_OK);
    /* Busy answers whose next attempt would be too late are answers: reported, not good ones. */
    assert_each_reported_once(w);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

static void hang(void *user, const fake_request *request, fake_reply *reply)
{
    (void)user;
    (void)request;
    reply->how = FAKE_HANG;
}

START_TEST(silence_is_a_timeout)
{
    work *w = kvp_calloc(1, sizeof(*w));
    fake_options options = { .handle = hang };
    kvp_http_options http_options = { .max_connections = 4 };
    kvp_http_many many = { .next = next, .done = done, .user = w };
    kvp_http *http = NULL;
    kvp_error error;
    int64_t begun = kvp_clock_mono_ms();

    w->wanted = 40;
    w->server = fake_server_start(&options);
    ck_assert_int_eq(kvp_http_new(&http_options, &http, NULL), KVP_OK);
    ck_assert_int_eq(kvp_http_perform_many(http, &many, begun + 500, &error), KVP_ERR_TIMEOUT);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 3000);
    ck_assert_int_eq(w->last, KVP_ERR_TIMEOUT);
    assert_each_reported_once(w);
    kvp_http_free(http);
    fake_server_stop(w->server);
    kvp_free(w);
}
END_TEST

static const char *bad_url;

static bool next_bad(void *user, const char **ret_url, void **ret_cookie)
{
    work *w = user;

    if (w->given >= 3)
        return false;
    *ret_url = bad_url;
    *ret_cookie = &w->reported[w->given++];
    return true;
}

START_TEST(each_failure_is_reported)
{
    work *w = kvp_calloc(1, sizeof(*w));
    kvp_http_options http_options = { .max_connections = 4 };
    kvp_http_many many = { .next = next_bad, .done = done, .user = w };
    kvp_http *http = NULL;
    char dead[64];

    snprintf(dead, sizeof(dead), "https://127.0.0.1:%u/", fake_dead_port());
    ck_assert_int_eq(kvp_http_new(&http_options, &http, NULL), KVP_OK);
    bad_url = "http://example.org/";
    ck_assert_int_eq(kvp_http_perform_many(http, &many, kvp_clock_mono_ms() + 5000, NULL), KVP_OK);
    ck_assert_int_eq(w->last, KVP_ERR_REFUSED);
    assert_each_reported_once(w);
    memset(w, 0, sizeof(*w));
    bad_url = dead;
    ck_assert_int_eq(kvp_http_perform_many(http, &many, kvp_clock_mono_ms() + 5000, NULL), KVP_OK);
    ck_assert_int_eq(w->last, KVP_ERR_NETWORK);
    assert_each_reported_once(w);
    kvp_http_free(http);
    kvp_free(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("many");
    TCase *tcase = tcase_create("many");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, all_are_answered_and_bring_forth_others);
    tcase_add_test(tcase, nothing_to_do_is_done_at_once);
    tcase_add_test(tcase, busy_answers_are_tried_again);
    tcase_add_test(tcase, a_caller_can_stop_everything);
    tcase_add_test(tcase, the_deadline_ends_all);
    tcase_add_test(tcase, silence_is_a_timeout);
    tcase_add_test(tcase, each_failure_is_reported);
    tcase_set_timeout(tcase, 30);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
