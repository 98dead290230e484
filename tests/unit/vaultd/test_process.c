/* SPDX-License-Identifier: MIT */
/* keyvaultd as a process of its own: what signals, other processes and long use do to it. */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM KVP_BUILD_DIR "/keyvaultd"
#define THREADS 4
#define REQUESTS 150 /* of each thread while logs are rotated */
#define ROTATIONS 5
#define WARM_UP 1000 /* of each thread */
#define LASTING 3000
#define GROWTH_MAX_KIB 2048
#define EC_SIGN "{\"alg\":\"ES256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static char *dir;
static pid_t daemon_pid;
static kvp_test_client client;

static void setup(void)
{
    char line[300] = "";
    int out[2];

    signal(SIGPIPE, SIG_IGN);
    dir = kvp_test_directory();
    ck_assert_int_eq(pipe(out), 0);
    daemon_pid = fork();
    ck_assert_int_ge(daemon_pid, 0);
    if (daemon_pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl(PROGRAM, PROGRAM, "--data", dir, "--listen", "127.0.0.1:0", "--allow-faults",
              (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    ck_assert_int_eq(strncmp(line, "ready https://", 14), 0);
    fclose(f);
    ck_assert(kvp_test_client_open(&client, dir));
    ck_assert(kvp_test_client_sign_in(&client));
}

/* Tell it to end; its exit status. */
static int end_daemon(void)
{
    int status = 0;

    ck_assert_int_eq(kill(daemon_pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(daemon_pid, &status, 0), daemon_pid);
    daemon_pid = 0;
    return status;
}

static void teardown(void)
{
    if (daemon_pid > 0)
        ck_assert_int_eq(end_daemon(), 0);
    kvp_test_client_close(&client);
    kvp_test_remove(dir);
}

/** What a thread does and how often it went well. */
typedef struct work {
    const char *method, *path, *body;
    int count;
    int done;
} work;

static void *run(void *arg)
{
    kvp_test_client own;
    work *w = arg;

    if (!kvp_test_client_open(&own, dir))
        return NULL;
    snprintf(own.token, sizeof(own.token), "%s", client.token);
    for (int i = 0; i < w->count; i++)
        w->done +=
            kvp_test_client_send(&own, w->method, w->path, "application/json", w->body) == 200;
    kvp_test_client_close(&own);
    return NULL;
}

static void start(pthread_t *threads, work *works, work what)
{
    for (int i = 0; i < THREADS; i++) {
        works[i] = what;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, &works[i]), 0);
    }
}

/* Wait for the threads; how many requests went well altogether. */
static int join(const pthread_t *threads, const work *works)
{
    int done = 0;

    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        done += works[i].done;
    }
    return done;
}

/* Lines of a log that are whole records of KeyList. */
static int records_of(const char *path)
{
    char *text = kvp_test_read(path);
    int count = 0;

    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        ck_assert_msg(end != NULL, "a record is cut off in %s", path);
        *end = '\0';
        json_t *record = json_loads(line, 0, NULL);
        ck_assert_msg(record != NULL, "no record: %s", line);
        const json_t *status = kvp_test_at(record, "properties.httpStatusCode");
        count += strcmp(kvp_test_text(record, "operationName"), "KeyList") == 0 &&
                 json_integer_value(status) == 200;
        json_decref(record);
        line = end + 1;
    }
    kvp_free(text);
    return count;
}

START_TEST(sighup_begins_a_new_log_and_no_record_is_lost)
{
    char log[300], moved[320];
    pthread_t threads[THREADS];
    work works[THREADS];
    int records = 0;

    snprintf(log, sizeof(log), "%s/log/" KVP_USAGE_LOG_EVENTS, dir);
    start(threads, works, (work){ "GET", "/keys", NULL, REQUESTS, 0 });
    for (int i = 0; i < ROTATIONS; i++) {
        snprintf(moved, sizeof(moved), "%s.%d", log, i);
        ck_assert_int_eq(rename(log, moved), 0);
        ck_assert_int_eq(kill(daemon_pid, SIGHUP), 0);
        for (int round = 0; round < 10000 && access(log, F_OK) != 0; round++)
            kvp_clock_sleep_ms(1);
        ck_assert_int_eq(access(log, F_OK), 0);
    }
    int done = join(threads, works);
    ck_assert_int_eq(done, THREADS * REQUESTS);
    for (int i = 0; i < ROTATIONS; i++) {
        snprintf(moved, sizeof(moved), "%s.%d", log, i);
        records += records_of(moved);
    }
    records += records_of(log);
    ck_assert_int_eq(records, done);
    /* The last rotated file stays as it was. */
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 200);
    int in_moved = records_of(moved), in_log = records_of(log);
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 200);
    ck_assert_int_eq(records_of(moved), in_moved);
    ck_assert_int_eq(records_of(log), in_log + 1);
}
END_TEST

START_TEST(sigterm_answers_what_is_in_flight_and_ends_well)
{
    char order[200];
    pthread_t threads[THREADS];
    work works[THREADS];
    bool waiting = true;

    /* Taken from the queue is in flight: each of them waits inside for its delay. */
    snprintf(order, sizeof(order),
             "{\"match\":{\"path\":\"/keys/late/create\"},\"delay_ms\":1500,\"times\":%d}",
             THREADS);
    ck_assert_int_lt(kvp_test_client_send(&client, "POST", "/.faults", "application/json", order),
                     300);
    start(threads, works, (work){ "POST", "/keys/late/create", "{\"kty\":\"EC\"}", 1, 0 });
    while (waiting) {
        ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/.faults", NULL, NULL), 200);
        waiting = strstr(kvp_buf_str(&client.body), "/keys/late/create") != NULL;
    }
    ck_assert_int_eq(end_daemon(), 0);
    ck_assert_int_eq(join(threads, works), THREADS);
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 0);
}
END_TEST

/* Run a sub-command on the directory in a process of its own. */
static int administer(const char *words)
{
    char command[600];

    snprintf(command, sizeof(command), PROGRAM " %s --data %s >/dev/null", words, dir);
    return system(command);
}

START_TEST(another_process_revokes_and_the_next_request_is_refused)
{
    ck_assert_int_eq(kvp_test_client_send(&client, "POST", "/keys/key/create", "application/json",
                                          "{\"kty\":\"EC\"}"),
                     200);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            kvp_test_client_send(&client, "POST", "/keys/key/sign", "application/json", EC_SIGN),
            200);
    ck_assert_int_eq(administer("principal remove administrator"), 0);
    ck_assert_int_eq(
        kvp_test_client_send(&client, "POST", "/keys/key/sign", "application/json", EC_SIGN), 401);
}
END_TEST

static long resident_kib(void)
{
    char path[64];
    long size = 0, resident = 0;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)daemon_pid);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

START_TEST(memory_stays_flat_over_ten_thousand_requests)
{
    pthread_t threads[THREADS];
    work works[THREADS];
    work sign = { "POST", "/keys/key/sign", EC_SIGN, WARM_UP, 0 };

    if (SANITIZED) {
        puts("left out: a sanitizer keeps freed memory by itself");
        return;
    }
    ck_assert_int_eq(kvp_test_client_send(&client, "POST", "/keys/key/create", "application/json",
                                          "{\"kty\":\"EC\"}"),
                     200);
    start(threads, works, sign);
    ck_assert_int_eq(join(threads, works), THREADS * WARM_UP);
    long before = resident_kib();
    sign.count = LASTING;
    start(threads, works, sign);
    ck_assert_int_eq(join(threads, works), THREADS * LASTING);
    long after = resident_kib();
    ck_assert_msg(after - before < GROWTH_MAX_KIB, "%ld KiB, then %ld KiB", before, after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = tcase_create("process");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, sighup_begins_a_new_log_and_no_record_is_lost);
    tcase_add_test(tcase, sigterm_answers_what_is_in_flight_and_ends_well);
    tcase_add_test(tcase, another_process_revokes_and_the_next_request_is_refused);
    tcase_add_test(tcase, memory_stays_flat_over_ten_thousand_requests);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
