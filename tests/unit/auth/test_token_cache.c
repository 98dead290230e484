/* SPDX-License-Identifier: MIT */
/* The token cache with a fetch of the test's own: who fetches, who waits, who goes on, who must not
 * ask. */
#include "config.h"

#include "auth/internal.h"
#include "auth/token_cache.h"
#include "base/clock.h"
#include "base/lock.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct source {
    atomic_uint fetches;
    unsigned real_ms; /* how long a fetch takes */
    int64_t life_s;
    kvp_status st; /* what it answers */
    char last_claims[32];
    atomic_llong last_deadline_ms;
} source;

static source src;
static kvp_token_cache *cache;

static kvp_status fetch(void *user, const kvp_token_request *request, kvp_access_token *ret,
                        kvp_error *reterr)
{
    source *s = user;
    unsigned number = atomic_fetch_add(&s->fetches, 1) + 1;
    int64_t now = kvp_clock_mono_ms();
    kvp_status st;

    atomic_store(&s->last_deadline_ms, request->deadline_ms);
    snprintf(s->last_claims, sizeof(s->last_claims), "%s", request->claims ? request->claims : "");
    if (s->real_ms > 0)
        usleep(s->real_ms * 1000);
    if (s->st != KVP_OK)
        return kvp_error_set(reterr, s->st, "failure %u", number);
    st = kvp_buf_append_fmt(&ret->value, "%s-%u", request->resource, number);
    if (st == KVP_OK)
        kvp_access_token_times(ret, now, s->life_s, 0);
    return st;
}

static void setup(void)
{
    memset(&src, 0, sizeof(src));
    src.life_s = 3600;
    ck_assert_int_eq(kvp_fork_watch(), KVP_OK);
    ck_assert_int_eq(kvp_token_cache_new(fetch, &src, &cache, NULL), KVP_OK);
}

static void teardown(void)
{
    kvp_token_cache_free(cache);
    kvp_clock_freeze(-1, -1);
}

static kvp_token_request request_for(const char *resource, int64_t within_ms)
{
    return (kvp_token_request){ .authority = "https://a",
                                .tenant = "t",
                                .resource = resource,
                                .deadline_ms = kvp_clock_mono_ms() + within_ms };
}

static kvp_status get(const char *resource, kvp_buf *header, kvp_error *error)
{
    kvp_token_request request = request_for(resource, 10000);

    header->secret = true;
    kvp_buf_clear(header);
    return kvp_token_cache_get(cache, &request, header, error);
}

static void assert_token(const char *resource, const char *expected)
{
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    ck_assert_int_eq(get(resource, &header, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&header), expected);
    kvp_buf_clear(&header);
}

static void *get_r(void *arg)
{
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_status st = get("r", &header, NULL);

    if (st == KVP_OK)
        atomic_fetch_add((atomic_uint *)arg, 1);
    kvp_buf_clear(&header);
    return NULL;
}

static unsigned crowd(unsigned size)
{
    pthread_t threads[32];
    atomic_uint good = 0;

    for (unsigned i = 0; i < size; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_r, &good), 0);
    for (unsigned i = 0; i < size; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&good);
}

START_TEST(a_token_is_fetched_once_and_kept)
{
    assert_token("r", "Bearer r-1");
    assert_token("r", "Bearer r-1");
    assert_token("other", "Bearer other-2");
    assert_token("r", "Bearer r-1");
    ck_assert_uint_eq(atomic_load(&src.fetches), 2);
}
END_TEST

START_TEST(sixteen_threads_fetch_once_per_life)
{
    int64_t now = kvp_clock_mono_ms();

    src.real_ms = 50;
    for (unsigned life = 1; life <= 3; life++) {
        kvp_clock_freeze(now + life * 4000000, 0);
        ck_assert_uint_eq(crowd(16), 16);
        ck_assert_uint_eq(atomic_load(&src.fetches), life);
    }
}
END_TEST

START_TEST(a_token_is_refreshed_before_it_expires)
{
    int64_t now = kvp_clock_mono_ms();

    kvp_clock_freeze(now, 0);
    assert_token("r", "Bearer r-1");
    kvp_clock_freeze(now + 3299000, 0);
    assert_token("r", "Bearer r-1");
    kvp_clock_freeze(now + 3301000, 0);
    assert_token("r", "Bearer r-2");
    /* A short life: three quarters of it. */
    src.life_s = 60;
    kvp_clock_freeze(now + 3301000 + 3400000, 0);
    assert_token("r", "Bearer r-3");
    kvp_clock_freeze(now + 3301000 + 3400000 + 44000, 0);
    assert_token("r", "Bearer r-3");
    kvp_clock_freeze(now + 3301000 + 3400000 + 46000, 0);
    assert_token("r", "Bearer r-4");
}
END_TEST

START_TEST(an_advice_when_to_refresh_is_followed)
{
    kvp_access_token token = { .value = KVP_BUF_INIT_SECRET(0) };

    kvp_access_token_times(&token, 1000, 3600, 1800);
    ck_assert_int_eq(token.refresh_mono_ms, 1801000);
    kvp_access_token_times(&token, 1000, 3600, 9999);
    ck_assert_int_eq(token.refresh_mono_ms, 1000 + 3300000);
    kvp_access_token_times(&token, 1000, INT64_MAX, 0);
    ck_assert_int_gt(token.expires_mono_ms, 1000);
    kvp_access_token_times(&token, 1000, -5, 0);
    ck_assert_int_eq(token.expires_mono_ms, 1000);
}
END_TEST

START_TEST(others_go_on_with_the_old_token_meanwhile)
{
    int64_t now = kvp_clock_mono_ms();
    pthread_t refresher;
    atomic_uint good = 0;
    int64_t begun;

    kvp_clock_freeze(now, 0);
    assert_token("r", "Bearer r-1");
    kvp_clock_freeze(now + 3400000, 0);
    src.real_ms = 500;
    ck_assert_int_eq(pthread_create(&refresher, NULL, get_r, &good), 0);
    while (atomic_load(&src.fetches) < 2)
        usleep(1000);
    kvp_clock_freeze(-1, -1);
    begun = kvp_clock_mono_ms();
    kvp_clock_freeze(now + 3400000, 0);
    for (int i = 0; i < 10; i++)
        assert_token("r", "Bearer r-1");
    kvp_clock_freeze(-1, -1);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 400);
    pthread_join(refresher, NULL);
    ck_assert_uint_eq(atomic_load(&good), 1);
    kvp_clock_freeze(now + 3400000, 0);
    assert_token("r", "Bearer r-2");
    ck_assert_uint_eq(atomic_load(&src.fetches), 2);
}
END_TEST

START_TEST(a_failed_early_refresh_does_no_harm)
{
    int64_t now = kvp_clock_mono_ms();
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;

    kvp_clock_freeze(now, 0);
    assert_token("r", "Bearer r-1");
    src.st = KVP_ERR_NETWORK;
    kvp_clock_freeze(now + 3400000, 0);
    assert_token("r", "Bearer r-1");
    assert_token("r", "Bearer r-1");
    ck_assert_uint_eq(atomic_load(&src.fetches), 2);
    ck_assert_int_le(atomic_load(&src.last_deadline_ms), now + 3400000 + 10000);
    kvp_clock_freeze(now + 3402000, 0);
    assert_token("r", "Bearer r-1");
    ck_assert_uint_eq(atomic_load(&src.fetches), 3);
    /* Expired: now the failure is the caller's. */
    kvp_clock_freeze(now + 3700000, 0);
    ck_assert_int_eq(get("r", &header, &error), KVP_ERR_NETWORK);
    ck_assert_uint_eq(header.len, 0);
    src.st = KVP_OK;
    kvp_clock_freeze(now + 3800000, 0);
    assert_token("r", "Bearer r-5");
}
END_TEST

START_TEST(a_wrong_secret_is_not_hammered)
{
    int64_t now = kvp_clock_mono_ms();
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;
    unsigned fetches[40];

    src.st = KVP_ERR_AUTH;
    src.real_ms = 50;
    kvp_clock_freeze(now, 0);
    ck_assert_uint_eq(crowd(16), 0);
    ck_assert_uint_eq(atomic_load(&src.fetches), 1);
    ck_assert_int_eq(get("r", &header, &error), KVP_ERR_AUTH);
    ck_assert_str_eq(error.message, "failure 1");
    ck_assert_uint_eq(atomic_load(&src.fetches), 1);
    /* A call every half second for 20 s: after 0, 1, 3, 7, 15 s. */
    src.real_ms = 0;
    for (int i = 0; i < 40; i++) {
        kvp_clock_freeze(now + i * 500 + 1, 0);
        (void)get("r", &header, NULL);
        fetches[i] = atomic_load(&src.fetches);
    }
    ck_assert_uint_eq(fetches[1], 1);
    ck_assert_uint_eq(fetches[2], 2);
    ck_assert_uint_eq(fetches[39], 5);
    /* Never longer than half a minute, and a success ends it. */
    src.st = KVP_OK;
    kvp_clock_freeze(now + 15000 + 31000, 0);
    assert_token("r", "Bearer r-6");
}
END_TEST

/* One with little time fails by it; that is no reason for the others to fail. */
START_TEST(a_short_deadline_is_its_owners_trouble)
{
    kvp_token_request request = request_for("r", 10000);
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    pthread_t hurried;
    atomic_uint good = 0;

    src.st = KVP_ERR_TIMEOUT;
    src.real_ms = 300;
    ck_assert_int_eq(pthread_create(&hurried, NULL, get_r, &good), 0);
    while (atomic_load(&src.fetches) == 0)
        usleep(1000);
    usleep(50000);
    /* Waits for the first, then fetches itself. */
    request.deadline_ms = kvp_clock_mono_ms() + 10000;
    ck_assert_int_eq(kvp_token_cache_get(cache, &request, &header, NULL), KVP_ERR_TIMEOUT);
    ck_assert_uint_eq(atomic_load(&src.fetches), 2);
    pthread_join(hurried, NULL);
    kvp_buf_clear(&header);
}
END_TEST

START_TEST(waiting_for_another_ends_with_the_deadline)
{
    kvp_token_request request;
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;
    pthread_t slow;
    atomic_uint good = 0;
    int64_t begun;

    src.real_ms = 1000;
    ck_assert_int_eq(pthread_create(&slow, NULL, get_r, &good), 0);
    while (atomic_load(&src.fetches) == 0)
        usleep(1000);
    begun = kvp_clock_mono_ms();
    request = request_for("r", 150);
    ck_assert_int_eq(kvp_token_cache_get(cache, &request, &header, &error), KVP_ERR_TIMEOUT);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 800);
    pthread_join(slow, NULL);
    ck_assert_uint_eq(atomic_load(&good), 1);
}
END_TEST

START_TEST(only_the_refused_token_is_forgotten)
{
    int64_t now = kvp_clock_mono_ms();
    kvp_buf first = KVP_BUF_INIT_SECRET(0), second = KVP_BUF_INIT_SECRET(0);

    kvp_clock_freeze(now, 0);
    ck_assert_int_eq(get("r", &first, NULL), KVP_OK);
    kvp_token_cache_forget(cache, "other", &first);
    assert_token("r", "Bearer r-1");
    kvp_token_cache_forget(cache, "r", &first);
    ck_assert_int_eq(get("r", &second, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&second), "Bearer r-2");
    /* A thread that is late with the old one does not cost the new one. */
    kvp_token_cache_forget(cache, "r", &first);
    assert_token("r", "Bearer r-2");
    /* A vault that refuses everything does not make us fetch for each call. */
    kvp_token_cache_forget(cache, "r", &second);
    assert_token("r", "Bearer r-2");
    kvp_clock_freeze(now + 6000, 0);
    kvp_token_cache_forget(cache, "r", &second);
    assert_token("r", "Bearer r-3");
    kvp_buf_clear(&first);
    kvp_buf_clear(&second);
}
END_TEST

START_TEST(claims_need_a_token_of_their_own)
{
    kvp_token_request request = request_for("r", 10000);
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    assert_token("r", "Bearer r-1");
    request.claims = "{\"c\":1}";
    ck_assert_int_eq(kvp_token_cache_get(cache, &request, &header, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&header), "Bearer r-2");
    ck_assert_str_eq(src.last_claims, "{\"c\":1}");
    kvp_buf_clear(&header);
    ck_assert_int_eq(kvp_token_cache_get(cache, &request, &header, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&header), "Bearer r-2");
    assert_token("r", "Bearer r-2");
    kvp_buf_clear(&header);
}
END_TEST

START_TEST(a_child_does_not_wait_for_the_parents_thread)
{
    pthread_t slow;
    atomic_uint good = 0;
    int status;
    pid_t pid;

    src.real_ms = 400;
    ck_assert_int_eq(pthread_create(&slow, NULL, get_r, &good), 0);
    while (atomic_load(&src.fetches) == 0)
        usleep(1000);
    pid = fork();
    if (pid == 0) {
        kvp_buf header = KVP_BUF_INIT_SECRET(0);

        _Exit(get("r", &header, NULL) == KVP_OK && strcmp(kvp_buf_str(&header), "Bearer r-2") == 0
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    pthread_join(slow, NULL);
    ck_assert_uint_eq(atomic_load(&good), 1);
    assert_token("r", "Bearer r-1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("token_cache");
    TCase *tcase = tcase_create("token_cache");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, a_token_is_fetched_once_and_kept);
    tcase_add_test(tcase, sixteen_threads_fetch_once_per_life);
    tcase_add_test(tcase, a_token_is_refreshed_before_it_expires);
    tcase_add_test(tcase, an_advice_when_to_refresh_is_followed);
    tcase_add_test(tcase, others_go_on_with_the_old_token_meanwhile);
    tcase_add_test(tcase, a_failed_early_refresh_does_no_harm);
    tcase_add_test(tcase, a_wrong_secret_is_not_hammered);
    tcase_add_test(tcase, a_short_deadline_is_its_owners_trouble);
    tcase_add_test(tcase, waiting_for_another_ends_with_the_deadline);
    tcase_add_test(tcase, only_the_refused_token_is_forgotten);
    tcase_add_test(tcase, claims_need_a_token_of_their_own);
    tcase_add_test(tcase, a_child_does_not_wait_for_the_parents_thread);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
