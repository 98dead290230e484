/* SPDX-License-Identifier: MIT */
/* Where the lines of both logs go, and what may not happen to the host on the way. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "logs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- where lines go ---- */

START_TEST(nothing_is_opened_before_the_first_line)
{
    start_files();

    ck_assert_int_ne(access(in_dir("audit"), F_OK), 0);
    ck_assert_int_ne(access(in_dir("log"), F_OK), 0);
}
END_TEST

START_TEST(without_sinks_everything_is_silent)
{
    ck_assert(!kvp_audit_wanted(NULL));
    ck_assert(!kvp_log_wanted(NULL, KVP_LOG_ERROR));
    kvp_audit_write(NULL, &sign_event);
    kvp_log(NULL, KVP_LOG_ERROR, "x");
    kvp_audit_free(NULL);

    ck_assert_int_eq(kvp_audit_new(NULL, NULL, KVP_LOG_TRACE, &audit, NULL), KVP_OK);
    ck_assert(!kvp_audit_wanted(audit));
    ck_assert(!kvp_log_wanted(audit, KVP_LOG_ERROR));
    kvp_audit_write(audit, &sign_event);
    kvp_log(audit, KVP_LOG_ERROR, "x");
}
END_TEST

START_TEST(a_new_log_survives_each_failing_allocation)
{
    kvp_sink_setting a = { KVP_SINK_FILE, in_dir("audit") }, l = { KVP_SINK_SYSLOG, NULL };

    for (long n = 0; !audit; n++) {
        kvp_status st;

        kvp_alloc_fail_after(n);
        st = kvp_audit_new(&a, &l, KVP_LOG_ERROR, &audit, NULL);
        kvp_alloc_fail_after(-1);
        ck_assert_int_eq(st, audit ? KVP_OK : KVP_ERR_NO_MEMORY);
        ck_assert_int_lt(n, 20);
    }
    kvp_alloc_fail_after(0);
    kvp_audit_write(audit, &sign_event);
    kvp_alloc_fail_after(-1);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
}
END_TEST

START_TEST(a_new_file_is_private_and_an_old_one_is_appended_to)
{
    struct stat st;
    int fd = open(in_dir("log"), O_WRONLY | O_CREAT, 0644);

    ck_assert_int_eq(write(fd, "old\n", 4), 4);
    close(fd);
    start_files();
    kvp_audit_write(audit, &sign_event);
    kvp_log(audit, KVP_LOG_ERROR, "new");

    ck_assert_int_eq(stat(in_dir("audit"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(strncmp(read_file(in_dir("log")), "old\n2", 5), 0);
}
END_TEST

START_TEST(a_file_that_was_moved_away_is_opened_anew_within_a_second)
{
    kvp_clock_freeze(1000, 0);
    start_files();
    kvp_audit_write(audit, &sign_event);
    ck_assert_int_eq(rename(in_dir("audit"), in_dir("audit.1")), 0);
    kvp_audit_write(audit, &sign_event);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit.1"))), 2);

    kvp_clock_sleep_ms(1001);
    kvp_audit_write(audit, &sign_event);

    ck_assert_uint_eq(count_lines(read_file(in_dir("audit.1"))), 2);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
}
END_TEST

START_TEST(a_file_that_was_deleted_is_opened_anew_at_once)
{
    start_files();
    kvp_audit_write(audit, &sign_event);
    ck_assert_int_eq(unlink(in_dir("audit")), 0);

    kvp_audit_write(audit, &sign_event);

    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_reported_once_and_tried_again)
{
    kvp_clock_freeze(1000, 0);
    start(KVP_SINK_FILE, in_dir("sub/audit"), KVP_SINK_FILE, in_dir("log"));
    for (int i = 0; i < 3; i++)
        kvp_audit_write(audit, &sign_event);
    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 1);
    ck_assert_ptr_nonnull(strstr(content, "sub/audit cannot be written: ENOENT"));

    ck_assert_int_eq(mkdir(in_dir("sub"), 0700), 0);
    kvp_audit_write(audit, &sign_event); /* not before a second has passed */
    ck_assert_int_ne(access(in_dir("sub/audit"), F_OK), 0);
    kvp_clock_sleep_ms(1001);
    kvp_audit_write(audit, &sign_event);
    ck_assert_uint_eq(count_lines(read_file(in_dir("sub/audit"))), 1);
    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 1);
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_is_reported_once_in_the_audit_log)
{
    start(KVP_SINK_FILE, in_dir("audit"), KVP_SINK_FILE, in_dir("sub/log"));
    errno = EDOM;
    for (int i = 0; i < 3; i++)
        kvp_log(audit, KVP_LOG_ERROR, "x");

    ck_assert_int_eq(errno, EDOM);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
    ck_assert_ptr_nonnull(strstr(content, "\"operation\":\"OpenLog\""));
    ck_assert_ptr_nonnull(strstr(content, "\"result\":\"ENOENT\""));
}
END_TEST

START_TEST(a_fifo_is_refused_before_it_can_stop_the_host)
{
    ck_assert_int_eq(mkfifo(in_dir("fifo"), 0600), 0);
    start(KVP_SINK_FILE, in_dir("fifo"), KVP_SINK_FILE, in_dir("log"));

    kvp_audit_write(audit, &sign_event);

    ck_assert_ptr_nonnull(strstr(read_file(in_dir("log")), "cannot be written"));
}
END_TEST

START_TEST(a_descriptor_that_became_somebody_elses_is_not_written_to)
{
    int fd, hosts = -1;

    start_files();
    kvp_audit_write(audit, &sign_event);
    fd = open(in_dir("out"), O_RDWR | O_CREAT, 0600);
    for (int i = 3; i < 64; i++) /* a daemon closes everything, and opens its own */
        if (i != fd)
            close(i);
    for (int i = 3; i < 32; i++)
        hosts = dup(fd);
    ck_assert_int_gt(hosts, 20);

    kvp_audit_write(audit, &sign_event);
    kvp_audit_write(audit, &sign_event);

    ck_assert_str_eq(read_file(in_dir("out")), "");
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 3);
    kvp_audit_free(audit);
    audit = NULL;
    ck_assert_int_eq(fcntl(hosts, F_GETFD), 0);
}
END_TEST

START_TEST(the_standard_descriptors_are_never_taken)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct stat st;

        close(0);
        close(1);
        close(2);
        start_files();
        kvp_audit_write(audit, &sign_event);
        kvp_log(audit, KVP_LOG_ERROR, "x");
        for (int fd = 0; fd < 3; fd++)
            if (fstat(fd, &st) == 0)
                _exit(1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
}
END_TEST

/* Run @fn in a child whose standard error is @fd. Returns its wait status. */
static int with_stderr(int fd, void (*fn)(void))
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        dup2(fd, 2);
        fn();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void write_both(void)
{
    kvp_audit_write(audit, &sign_event);
    kvp_log(audit, KVP_LOG_ERROR, "hello");
}

START_TEST(standard_error_is_used_when_it_was_asked_for)
{
    int fd = open(in_dir("out"), O_RDWR | O_CREAT, 0600);

    start(KVP_SINK_STDERR, NULL, KVP_SINK_STDERR, NULL);
    ck_assert_int_eq(with_stderr(fd, write_both), 0);
    close(fd);

    ck_assert_uint_eq(count_lines(read_file(in_dir("out"))), 2);
    ck_assert_ptr_nonnull(strstr(content, "hello\n"));
}
END_TEST

static void write_and_check_signals(void)
{
    sigset_t pending;

    write_both();
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) || sigismember(&pending, SIGXFSZ))
        _exit(1);
    pthread_sigmask(SIG_BLOCK, NULL, &pending);
    if (sigismember(&pending, SIGPIPE) || sigismember(&pending, SIGXFSZ))
        _exit(2);
}

START_TEST(a_pipe_that_nobody_reads_does_not_kill_the_host)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    start(KVP_SINK_STDERR, NULL, KVP_SINK_STDERR, NULL);

    ck_assert_int_eq(with_stderr(ends[1], write_and_check_signals), 0);
    close(ends[1]);
}
END_TEST

static void write_at_the_limit(void)
{
    struct rlimit limit = { 100, 100 };

    setrlimit(RLIMIT_FSIZE, &limit);
    write_and_check_signals();
}

START_TEST(the_limit_of_a_files_size_does_not_kill_the_host)
{
    start_files();

    ck_assert_int_eq(with_stderr(2, write_at_the_limit), 0);

    ck_assert_uint_eq(strlen(read_file(in_dir("audit"))), 100);
    kvp_audit_write(audit, &sign_event);
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
}
END_TEST

static void write_torn(void)
{
    struct rlimit limit = { 100, RLIM_INFINITY };

    setrlimit(RLIMIT_FSIZE, &limit);
    kvp_audit_write(audit, &sign_event);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    kvp_audit_write(audit, &sign_event);
}

START_TEST(a_line_after_one_that_was_cut_short_stands_alone)
{
    const char *second;
    json_t *object;

    start_files();
    ck_assert_int_eq(with_stderr(2, write_torn), 0);

    second = strchr(read_file(in_dir("audit")), '\n');
    ck_assert_ptr_nonnull(second);
    object = json_loads(second, 0, NULL);
    ck_assert_ptr_nonnull(object);
    json_decref(object);
}
END_TEST

/* ---- the system's daemons ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static const char *receive(int fd)
{
    ssize_t len = recv(fd, content, sizeof(content) - 1, MSG_DONTWAIT);

    ck_assert_int_ge(len, 0);
    content[len] = '\0';
    return content;
}

START_TEST(syslog_gets_one_datagram_a_line)
{
    int fd = listen_at(in_dir("socket"));
    char want[200];

    start(KVP_SINK_SYSLOG, in_dir("socket"), KVP_SINK_SYSLOG, in_dir("socket"));
    kvp_log(audit, KVP_LOG_ERROR, "hello");
    kvp_audit_write(audit, &sign_event);

    snprintf(want, sizeof(want), "<11>kvpkcs11[%ld]: error %s[%ld]: hello", (long)getpid(),
             program_invocation_short_name, (long)getpid());
    ck_assert_str_eq(receive(fd), want);
    snprintf(want, sizeof(want), "<86>kvpkcs11[%ld]: {\"time\":\"2026", (long)getpid());
    ck_assert_int_eq(strncmp(receive(fd), want, strlen(want)), 0);
    ck_assert_int_eq(content[strlen(content) - 1], '}');
    close(fd);
}
END_TEST

START_TEST(the_journal_gets_its_fields)
{
    int fd = listen_at(in_dir("socket"));
    char want[200];

    start(KVP_SINK_JOURNALD, in_dir("socket"), KVP_SINK_JOURNALD, in_dir("socket"));
    kvp_log(audit, KVP_LOG_WARNING, "two\nlines");
    kvp_audit_write(audit, &sign_event);

    snprintf(want, sizeof(want),
             "PRIORITY=4\nSYSLOG_FACILITY=1\nSYSLOG_IDENTIFIER=kvpkcs11\n"
             "MESSAGE=warning %s[%ld]: two?lines\n",
             program_invocation_short_name, (long)getpid());
    ck_assert_str_eq(receive(fd), want);
    ck_assert_ptr_nonnull(strstr(receive(fd), "SYSLOG_FACILITY=10\n"));
    ck_assert_ptr_nonnull(strstr(content, "\nMESSAGE={\"time\":"));
    close(fd);
}
END_TEST

START_TEST(a_daemon_that_was_started_anew_gets_the_next_line)
{
    int fd = listen_at(in_dir("socket"));

    start(KVP_SINK_SYSLOG, in_dir("socket"), KVP_SINK_FILE, in_dir("log"));
    kvp_audit_write(audit, &sign_event);
    close(fd);
    unlink(in_dir("socket"));
    kvp_audit_write(audit, &sign_event);
    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 1);
    fd = listen_at(in_dir("socket"));
    kvp_audit_write(audit, &sign_event);

    ck_assert_ptr_nonnull(strstr(receive(fd), "C_Sign"));
    close(fd);
}
END_TEST

START_TEST(a_daemon_that_does_not_read_holds_the_host_up_once_at_most)
{
    int fd = listen_at(in_dir("socket"));
    int64_t before, passed;

    start(KVP_SINK_SYSLOG, in_dir("socket"), KVP_SINK_NONE, NULL);
    before = kvp_clock_mono_ms();
    for (int i = 0; i < 2000; i++)
        kvp_audit_write(audit, &sign_event);
    passed = kvp_clock_mono_ms() - before;

    ck_assert_int_lt(passed, 3000); /* each at 100 ms would be minutes */
    close(fd);
}
END_TEST

/* ---- threads and processes ---- */

#define WRITES 50

static void *write_many(void *unused)
{
    for (int i = 0; i < WRITES; i++) {
        kvp_audit_write(audit, &sign_event);
        kvp_log(audit, KVP_LOG_INFO, "line %d", i);
    }
    return unused;
}

START_TEST(lines_of_threads_and_children_never_mix)
{
    pthread_t threads[4];
    char *line, *save = NULL;
    size_t count = 0;
    int status;
    pid_t pid;

    /* As C_Initialize does: without it the child could find a lock taken by a thread it has not. */
    ck_assert_int_eq(kvp_fork_watch(), KVP_OK);
    start_files();
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    pid = fork();
    if (pid == 0) {
        write_many(NULL);
        _exit(0);
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);

    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 5 * WRITES);
    read_file(in_dir("audit"));
    for (line = strtok_r(content, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json_t *object = json_loads(line, 0, NULL);
        ck_assert_msg(object != NULL, "%s", line);
        json_decref(object);
        count++;
    }
    ck_assert_uint_eq(count, 5 * WRITES);
}
END_TEST

static void *rotate(void *unused)
{
    for (int i = 0; i < 40; i++) {
        struct timespec pause = { 0, 1000000 };
        unlink(in_dir("audit"));
        nanosleep(&pause, NULL);
    }
    return unused;
}

START_TEST(rotation_under_load_breaks_nothing)
{
    pthread_t threads[3], rotator;

    start_files();
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    ck_assert_int_eq(pthread_create(&rotator, NULL, rotate, NULL), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    pthread_join(rotator, NULL);

    kvp_audit_write(audit, &sign_event);
    ck_assert_uint_ge(count_lines(read_file(in_dir("audit"))), 1);
    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 3 * WRITES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sink");
    TCase *place = tcase_create("places"), *daemon = tcase_create("daemons");
    TCase *process = tcase_create("process");
    TCase *all[] = { place, daemon, process };
    SRunner *runner;
    int failed;

    tcase_add_test(place, nothing_is_opened_before_the_first_line);
    tcase_add_test(place, without_sinks_everything_is_silent);
    tcase_add_test(place, a_new_log_survives_each_failing_allocation);
    tcase_add_test(place, a_new_file_is_private_and_an_old_one_is_appended_to);
    tcase_add_test(place, a_file_that_was_moved_away_is_opened_anew_within_a_second);
    tcase_add_test(place, a_file_that_was_deleted_is_opened_anew_at_once);
    tcase_add_test(place, a_file_that_cannot_be_opened_is_reported_once_and_tried_again);
    tcase_add_test(place, a_log_that_cannot_be_opened_is_reported_once_in_the_audit_log);
    tcase_add_test(place, a_fifo_is_refused_before_it_can_stop_the_host);
    tcase_add_test(place, a_descriptor_that_became_somebody_elses_is_not_written_to);
    tcase_add_test(place, the_standard_descriptors_are_never_taken);
    tcase_add_test(place, standard_error_is_used_when_it_was_asked_for);
    tcase_add_test(place, a_pipe_that_nobody_reads_does_not_kill_the_host);
    tcase_add_test(place, the_limit_of_a_files_size_does_not_kill_the_host);
    tcase_add_test(place, a_line_after_one_that_was_cut_short_stands_alone);
    tcase_add_test(daemon, syslog_gets_one_datagram_a_line);
    tcase_add_test(daemon, the_journal_gets_its_fields);
    tcase_add_test(daemon, a_daemon_that_was_started_anew_gets_the_next_line);
    tcase_add_test(daemon, a_daemon_that_does_not_read_holds_the_host_up_once_at_most);
    tcase_add_test(process, lines_of_threads_and_children_never_mix);
    tcase_add_test(process, rotation_under_load_breaks_nothing);
    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++) {
        tcase_add_checked_fixture(all[i], make_dir, drop_dir);
        tcase_set_timeout(all[i], 20);
        suite_add_tcase(suite, all[i]);
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
