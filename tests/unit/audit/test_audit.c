/* SPDX-License-Identifier: MIT */
/* Audit records and diagnostics: what they say, where they go, and what may not happen to the host. */
#include "audit/audit.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <pwd.h>
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

static char dir[128];
static kvp_audit *audit;
static char content[200000];

static char *in_dir(const char *name)
{
    static char path[8][200];
    static unsigned next;
    char *at = path[next++ % 8];

    snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
    return at;
}

static void make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/kvp-audit-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void drop_dir(void)
{
    static const char *const files[] = { "audit", "log", "audit.1", "socket", "fifo", "out", "sub/audit" };

    kvp_audit_free(audit);
    audit = NULL;
    for (size_t i = 0; i < KVP_ARRAY_LEN(files); i++)
        unlink(in_dir(files[i]));
    rmdir(in_dir("sub"));
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Both logs to files named audit and log, unless another kind is given. */
static void start(kvp_sink_kind audit_kind, char *audit_path, kvp_sink_kind log_kind, char *log_path)
{
    kvp_sink_setting a = { audit_kind, audit_path }, l = { log_kind, log_path };

    ck_assert_int_eq(kvp_audit_new(&a, &l, KVP_LOG_DEBUG, &audit, NULL), KVP_OK);
}

static void start_files(void)
{
    start(KVP_SINK_FILE, in_dir("audit"), KVP_SINK_FILE, in_dir("log"));
}

static const char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t len;

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    len = read(fd, content, sizeof(content) - 1);
    ck_assert_int_ge(len, 0);
    content[len] = '\0';
    close(fd);
    return content;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static const kvp_audit_event sign_event = {
    .start_wall_us = 1767323045678901,
    .duration_us = 12345,
    .token = "prod",
    .operation = "Sign",
    .function = "C_Sign",
    .mechanism = "CKM_ECDSA_SHA256",
    .object = "https://contoso.vault.azure.net/keys/web/0123456789abcdef0123456789abcdef",
    .result = "CKR_OK",
    .where = "vault",
    .http_status = 200,
    .attempts = 1,
    .client_request_id = "11111111-2222-4333-8444-555555555555",
    .request_id = "99999999-2222-4333-8444-555555555555",
};

/* ---- what a record says ---- */

START_TEST(a_record_has_the_members_of_the_contract_in_their_order)
{
    char want[2000], user[100];
    struct passwd *me = getpwuid(geteuid());

    if (me)
        snprintf(user, sizeof(user), "%s", me->pw_name);
    else
        snprintf(user, sizeof(user), "%lu", (unsigned long)geteuid());
    start_files();
    kvp_audit_write(audit, &sign_event);

    snprintf(want, sizeof(want),
             "{\"time\":\"2026-01-02T03:04:05.678901Z\",\"pid\":%ld,\"process\":\"%s\","
             "\"user\":\"%s\",\"token\":\"prod\",\"operation\":\"Sign\",\"function\":\"C_Sign\","
             "\"mechanism\":\"CKM_ECDSA_SHA256\",\"object\":\"https://contoso.vault.azure.net/keys/"
             "web/0123456789abcdef0123456789abcdef\",\"result\":\"CKR_OK\",\"where\":\"vault\","
             "\"http_status\":200,\"attempts\":1,\"duration_us\":12345,\"client_request_id\":"
             "\"11111111-2222-4333-8444-555555555555\",\"request_id\":"
             "\"99999999-2222-4333-8444-555555555555\"}\n",
             (long)getpid(), program_invocation_short_name, user);
    ck_assert_str_eq(read_file(in_dir("audit")), want);
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
    kvp_audit_event event = { .operation = "FindObjects", .client_request_id = "" };
    json_t *object;

    start_files();
    kvp_audit_write(audit, &event);

    object = json_loads(read_file(in_dir("audit")), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(json_object_size(object), 16);
    ck_assert(json_is_null(json_object_get(object, "token")));
    ck_assert(json_is_null(json_object_get(object, "http_status")));
    ck_assert(json_is_null(json_object_get(object, "client_request_id")));
    ck_assert(json_is_integer(json_object_get(object, "attempts")));
    ck_assert_uint_eq(strlen(json_string_value(json_object_get(object, "time"))), 27);
    json_decref(object);
}
END_TEST

START_TEST(strings_of_any_bytes_leave_the_line_whole)
{
    kvp_audit_event event = { .operation = "Si\ngn\"\\", .token = "caf\xe9\n\x01",
                              .object = "caf\xc3\xa9" };
    json_t *object;

    start_files();
    kvp_audit_write(audit, &event);

    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 1);
    object = json_loads(content, 0, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_str_eq(json_string_value(json_object_get(object, "operation")), "Si\ngn\"\\");
    ck_assert_str_eq(json_string_value(json_object_get(object, "token")), "caf???");
    ck_assert_str_eq(json_string_value(json_object_get(object, "object")), "caf\xc3\xa9");
    json_decref(object);
}
END_TEST

START_TEST(a_record_that_is_too_long_is_reported_and_not_written_in_part)
{
    static char huge[20000];
    kvp_audit_event event = { .operation = huge };

    memset(huge, 'x', sizeof(huge) - 1);
    start_files();
    kvp_audit_write(audit, &event);

    ck_assert_int_ne(access(in_dir("audit"), F_OK), 0);
    ck_assert_ptr_nonnull(strstr(read_file(in_dir("log")), "cannot be written"));
}
END_TEST

START_TEST(a_user_without_an_entry_is_a_number)
{
    pid_t pid;
    int status;

    if (geteuid() != 0)
        return; /* only root can become a stranger */
    ck_assert_int_eq(chmod(dir, 0777), 0);
    start_files();
    kvp_audit_write(audit, &sign_event);
    pid = fork();
    if (pid == 0) {
        if (seteuid(54321) != 0)
            _exit(1);
        kvp_audit_write(audit, &sign_event);
        kvp_audit_write(audit, &sign_event);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);

    /* The child goes on with the open file, though it could not open it itself. */
    ck_assert_uint_eq(count_lines(read_file(in_dir("audit"))), 3);
    ck_assert_ptr_nonnull(strstr(content, "\"user\":\"root\""));
    ck_assert_ptr_nonnull(strstr(content, "\"user\":\"54321\""));
}
END_TEST

/* ---- what a line of diagnostics says ---- */

START_TEST(a_line_has_time_level_process_and_text)
{
    char want[300];

    kvp_clock_freeze(1000, 1767323045678901);
    start_files();
    kvp_log(audit, KVP_LOG_WARNING, "C_Sign: %s\nnext\tline \x7f", "CKR_DEVICE_ERROR");

    snprintf(want, sizeof(want),
             "2026-01-02T03:04:05.678901Z warning %s[%ld]: C_Sign: CKR_DEVICE_ERROR?next?line ?\n",
             program_invocation_short_name, (long)getpid());
    ck_assert_str_eq(read_file(in_dir("log")), want);
}
END_TEST

START_TEST(only_the_levels_that_are_wanted_are_written)
{
    start_files();

    ck_assert(kvp_log_wanted(audit, KVP_LOG_DEBUG));
    ck_assert(!kvp_log_wanted(audit, KVP_LOG_TRACE));
    kvp_log(audit, KVP_LOG_TRACE, "no");
    ck_assert_int_ne(access(in_dir("log"), F_OK), 0);
    kvp_log(audit, KVP_LOG_ERROR, "yes");
    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 1);
}
END_TEST

START_TEST(a_long_line_is_cut)
{
    static char huge[20000];

    memset(huge, 'x', sizeof(huge) - 1);
    start_files();
    kvp_log(audit, KVP_LOG_ERROR, "%s", huge);

    ck_assert_uint_eq(count_lines(read_file(in_dir("log"))), 1);
    ck_assert_uint_le(strlen(content), 8192);
    ck_assert_uint_ge(strlen(content), 8000);
}
END_TEST

static const struct {
    const char *text;
    const char *want;
} secrets[] = {
    { "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789-_ end",
      "Authorization: Bearer *** end" },
    { "BEARER  abcdefghijklmnop", "BEARER  ***" },
    { "no usable Bearer challenge", "no usable Bearer challenge" },
    { "Authorization: Basic YWRtaW46aHVudGVyMjEyMw==", "Authorization: Basic ***" },
    { "a basic error", "a basic error" },
    { "client_secret=hunter2&grant_type=x", "client_secret=***&grant_type=x" },
    { "client_secret = h", "client_secret = *" },
    { "client_assertion=eyJh.b.c&x=y", "client_assertion=***&x=y" },
    { "{\"access_token\":\"hunter2\",\"x\":1}", "{\"access_token\":\"***\",\"x\":1}" },
    { "{\\\"access_token\\\": \\\"hunter2\\\"}", "{\\\"access_token\\\": \\\"***\\\"}" },
    { "refresh_token=a id_token=bcde", "refresh_token=* id_token=***" },
    { "Password: hunter2 x", "Password: *** x" },
    { "X-IDENTITY-HEADER: 853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a", "X-IDENTITY-HEADER: ***" },
    { "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here", "got *** here" },
    { "key eyJ.a.b stays", "key eyJ.a.b stays" },
    { "client_secret_file = /etc/x", "client_secret_file = /etc/x" },
    { "client_secret", "client_secret" },
    { "client_secret=", "client_secret=" },
    { "bearer ", "bearer " },
    { "access_token=a access_token=bbbb", "access_token=* access_token=***" },
    { "", "" },
};

START_TEST(what_looks_like_a_secret_is_covered)
{
    start_files();
    kvp_log(audit, KVP_LOG_ERROR, "%s", secrets[_i].text);

    ck_assert_str_eq(strstr(read_file(in_dir("log")), "]: ") + 3,
                     strcat(strcpy(in_dir(""), secrets[_i].want), "\n"));
}
END_TEST

START_TEST(a_record_is_covered_and_still_json)
{
    kvp_audit_event event = { .object = "{\"access_token\":\"hunter2\"}",
                              .result = "Bearer abcdefghijklmnopqrstuvwxyz" };
    json_t *object;

    start_files();
    kvp_audit_write(audit, &event);

    object = json_loads(read_file(in_dir("audit")), 0, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_str_eq(json_string_value(json_object_get(object, "object")),
                     "{\"access_token\":\"***\"}");
    ck_assert_str_eq(json_string_value(json_object_get(object, "result")), "Bearer ***");
    json_decref(object);
}
END_TEST

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
        if (i == WRITES / 2)
            unlink(in_dir("out"));
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

static void add_tests(TCase *text, TCase *place, TCase *daemon, TCase *process)
{
    tcase_add_test(text, a_record_has_the_members_of_the_contract_in_their_order);
    tcase_add_test(text, what_is_not_known_is_null);
    tcase_add_test(text, strings_of_any_bytes_leave_the_line_whole);
    tcase_add_test(text, a_record_that_is_too_long_is_reported_and_not_written_in_part);
    tcase_add_test(text, a_user_without_an_entry_is_a_number);
    tcase_add_test(text, a_line_has_time_level_process_and_text);
    tcase_add_test(text, only_the_levels_that_are_wanted_are_written);
    tcase_add_test(text, a_long_line_is_cut);
    tcase_add_loop_test(text, what_looks_like_a_secret_is_covered, 0, KVP_ARRAY_LEN(secrets));
    tcase_add_test(text, a_record_is_covered_and_still_json);
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
}

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *all[] = { tcase_create("text"), tcase_create("places"), tcase_create("daemons"),
                     tcase_create("process") };
    SRunner *runner;
    int failed;

    add_tests(all[0], all[1], all[2], all[3]);
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
