/* SPDX-License-Identifier: MIT */
/* What audit records and diagnostics say. */
#include "base/clock.h"
#include "logs.h"

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *text = tcase_create("text");
    TCase *all[] = { text };
    SRunner *runner;
    int failed;

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
