/* SPDX-License-Identifier: MIT */
/* Audit records: filtering, showing; and the file that they are read from while others rotate it.
 */
#include "tool/log.h"
#include "tool_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define V32 "0123456789abcdef0123456789abcdef"
#define RECORD(day, who, name, answer, status)                                                     \
    "{\"time\":\"2026-01-" day                                                                     \
    "T10:00:00.123456Z\",\"pid\":42,\"process\":\"ssh\",\"user\":\"me\","                          \
    "\"token\":\"" who                                                                             \
    "\",\"operation\":\"Sign\",\"function\":\"C_Sign\",\"mechanism\":\"CKM_ECDSA\","               \
    "\"object\":\"https://h/keys/" name "/" V32 "\",\"result\":\"" answer                          \
    "\",\"where\":\"vault\","                                                                      \
    "\"http_status\":" status ",\"attempts\":1,\"duration_us\":12345,\"client_request_id\":\"c\"," \
    "\"request_id\":\"r\"}\n"
#define FIRST RECORD("01", "prod", "alpha", "CKR_OK", "200")
#define SECOND RECORD("02", "dev", "beta", "CKR_KEY_FUNCTION_NOT_PERMITTED", "403")
#define THIRD RECORD("03", "prod", "gamma", "CKR_OK", "null")

static void write_conf(void)
{
    tool_test_write("c.conf", "[kvpkcs11]\naudit = file:audit.jsonl\n");
}

static void setup(void)
{
    tool_test_setup();
    write_conf();
    tool_test_write("audit.jsonl", FIRST SECOND THIRD);
}

/* ---- the command ---- */

START_TEST(records_are_shown_aligned)
{
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", NULL), 0);
    ck_assert_str_eq(
        tool_out, "TIME                      TOKEN  OPERATION  OBJECT                              "
                  "    MECHANISM  RESULT                                     WHERE  MS    PROCESS\n"
                  "2026-01-01T10:00:00.123Z  prod   Sign       alpha/" V32
                  "  CKM_ECDSA  CKR_OK                                     vault  12.3  ssh[42]\n"
                  "2026-01-02T10:00:00.123Z  dev    Sign       beta/" V32
                  "   CKM_ECDSA  CKR_KEY_FUNCTION_NOT_PERMITTED (HTTP 403)  vault  12.3  ssh[42]\n"
                  "2026-01-03T10:00:00.123Z  prod   Sign       gamma/" V32
                  "  CKM_ECDSA  CKR_OK                                     vault  12.3  ssh[42]\n");
    ck_assert_str_eq(tool_err, "");
}
END_TEST

/* Which of the three records remain with these options. */
static const struct {
    const char *option, *value;
    bool first, second, third;
} filters[] = {
    { "--token=prod", NULL, true, false, true },
    { "--token=PROD", NULL, false, false, false },
    { "--failed", NULL, false, true, false },
    { "--since", "2026-01-02T10:00:00.123456Z", false, true, true },
    { "--since", "2026-01-02T10:00:00.123457Z", false, false, true },
    { "--since", "2026-01-02", false, true, true },
    { "--since", "0s", false, false, false },
    { "--object", "alpha", true, false, false },
    { "--object", "ALPHA", true, false, false },
    { "--object", "*a", true, true, true },
    { "--object", "alph", false, false, false },
    { "--object", "beta/0123*", false, true, false },
    { "--object", "https://h/keys/g*", false, false, true },
    { "-o", "[ab]*", true, true, false },
};

START_TEST(filters_take_what_fits)
{
    ck_assert_int_eq(
        tool_run("log", "-c", "c.conf", "--json", filters[_i].option, filters[_i].value, NULL), 0);
    ck_assert_msg((strstr(tool_out, FIRST) != NULL) == filters[_i].first, "%s", tool_out);
    ck_assert_msg((strstr(tool_out, SECOND) != NULL) == filters[_i].second, "%s", tool_out);
    ck_assert_msg((strstr(tool_out, THIRD) != NULL) == filters[_i].third, "%s", tool_out);
}
END_TEST

START_TEST(filters_are_joined_by_and)
{
    ck_assert_int_eq(
        tool_run("log", "-c", "c.conf", "--json", "-t", "prod", "-s", "2026-01-02", NULL), 0);
    ck_assert_str_eq(tool_out, THIRD);
}
END_TEST

START_TEST(json_is_the_record_as_it_is)
{
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", "-j", NULL), 0);
    ck_assert_str_eq(tool_out, FIRST SECOND THIRD);
}
END_TEST

START_TEST(what_is_no_record_is_counted_and_passed_over)
{
    tool_test_write("audit.jsonl", "garbage\n[]\n{\"time\":1}\n{\"time\":\"\xff\"}\n" FIRST);
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", "-j", NULL), 0);
    ck_assert_str_eq(tool_out, FIRST);
    ck_has(tool_err, "4 lines");
}
END_TEST

START_TEST(a_record_without_some_members_is_shown)
{
    tool_test_write("audit.jsonl",
                    "{\"time\":\"x\\u001b\",\"object\":null,\"mechanism\":7,\"pid\":\"a\"}\n");
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", NULL), 0);
    ck_has(tool_out, "x?");
    ck_has_not(tool_out, "\x1b");
}
END_TEST

START_TEST(a_half_line_at_the_end_is_not_shown)
{
    tool_test_write("audit.jsonl", FIRST "{\"time\":\"2026-01-01T");
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", "-j", NULL), 0);
    ck_assert_str_eq(tool_out, FIRST);
    ck_assert_str_eq(tool_err, "");
}
END_TEST

START_TEST(a_line_beyond_all_bounds_is_passed_over)
{
    char *text = malloc(2 * KVP_LOG_LINE_MAX + sizeof(FIRST));

    memset(text, 'x', 2 * KVP_LOG_LINE_MAX);
    snprintf(text + 2 * KVP_LOG_LINE_MAX - 1, sizeof(FIRST) + 1, "\n%s", FIRST);
    tool_test_write("audit.jsonl", text);
    free(text);
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", "-j", NULL), 0);
    ck_assert_str_eq(tool_out, FIRST);
    ck_has(tool_err, "1 lines");
}
END_TEST

START_TEST(another_file_can_be_named)
{
    tool_test_write("old.jsonl", SECOND);
    ck_assert_int_eq(tool_run("log", "--file", "old.jsonl", "--json", NULL), 0);
    ck_assert_str_eq(tool_out, SECOND);
}
END_TEST

static const struct {
    const char *audit, *message;
} sinks[] = {
    { "", "no audit log is configured" },     { "audit = none\n", "no audit log is configured" },
    { "audit = syslog\n", "syslog" },         { "audit = journald\n", "journalctl" },
    { "audit = stderr\n", "standard error" }, { "audit = file:nothing.jsonl\n", "does not exist" },
    { "audit = file:/\n", "directory" },
};

START_TEST(a_sink_that_cannot_be_read_is_explained)
{
    char text[128];

    snprintf(text, sizeof(text), "[kvpkcs11]\n%s", sinks[_i].audit);
    tool_test_write("c.conf", text);
    ck_assert_int_eq(tool_run("log", "-c", "c.conf", NULL), 1);
    ck_assert_str_eq(tool_out, "");
    ck_has(tool_err, sinks[_i].message);
}
END_TEST

START_TEST(wrong_usage_is_told)
{
    ck_assert_int_eq(tool_run("log", "--since", "yesterday", NULL), 2);
    ck_has(tool_err, "--since yesterday");
    ck_assert_int_eq(tool_run("log", "extra", NULL), 2);
    ck_has(tool_err, "extra");
}
END_TEST

/* ---- the file ---- */

static char seen[256];

static kvp_status remember(void *user, const char *text, size_t len)
{
    (void)user;
    ck_assert_uint_eq(strlen(text), len);
    snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s|", text);
    return KVP_OK;
}

/* Read on: what came since the last call, lines ended by `|`. */
static const char *read_on(kvp_log_file *file)
{
    kvp_error error;

    seen[0] = '\0';
    ck_assert_int_eq(kvp_log_file_read(file, remember, NULL, &error), KVP_OK);
    return seen;
}

START_TEST(what_is_appended_is_read_once)
{
    kvp_log_file file;

    tool_test_write("a", "one\ntw");
    kvp_log_file_init(&file, "a");
    ck_assert_str_eq(read_on(&file), "one|");
    ck_assert_str_eq(read_on(&file), "");
    tool_test_append("a", "o\n\nthree\n");
    ck_assert_str_eq(read_on(&file), "two||three|");
    kvp_log_file_clear(&file);
}
END_TEST

START_TEST(a_file_that_comes_later_is_read_then)
{
    kvp_log_file file;
    kvp_error error;

    kvp_log_file_init(&file, "a");
    ck_assert_int_eq(kvp_log_file_read(&file, remember, NULL, &error), KVP_ERR_NOT_FOUND);
    tool_test_write("a", "one\n");
    ck_assert_str_eq(read_on(&file), "one|");
    kvp_log_file_clear(&file);
}
END_TEST

START_TEST(rotation_by_rename_loses_nothing)
{
    kvp_log_file file;

    tool_test_write("a", "one\n");
    kvp_log_file_init(&file, "a");
    ck_assert_str_eq(read_on(&file), "one|");
    tool_test_append("a", "two\n");
    ck_assert_int_eq(rename("a", "a.1"), 0);
    ck_assert_str_eq(read_on(&file), "two|");
    tool_test_append("a.1", "three\n"); /* by one that had it open still */
    tool_test_write("a", "four\n");
    ck_assert_str_eq(read_on(&file), "three|");
    tool_test_append("a.1", "five\n");
    ck_assert_str_eq(read_on(&file), "five|four|");
    tool_test_append("a", "six\n");
    ck_assert_str_eq(read_on(&file), "six|");
    kvp_log_file_clear(&file);
}
END_TEST

START_TEST(lines_are_whole_however_they_are_written)
{
    kvp_log_file file;
    char one[2] = "";

    tool_test_write("a", "");
    kvp_log_file_init(&file, "a");
    for (int i = 0; i < 200; i++) { /* more bytes than are remembered */
        one[0] = (char)('a' + i % 26);
        tool_test_append("a", one);
        ck_assert_str_eq(read_on(&file), "");
    }
    tool_test_append("a", "\n");
    ck_assert_uint_eq(strlen(read_on(&file)), 201);
    kvp_log_file_clear(&file);
}
END_TEST

START_TEST(a_file_that_is_emptied_is_read_from_its_start)
{
    kvp_log_file file;

    tool_test_write("a", "one\ntwo\nhal");
    kvp_log_file_init(&file, "a");
    ck_assert_str_eq(read_on(&file), "one|two|");
    tool_test_write("a", "x\n");
    ck_assert_str_eq(read_on(&file), "x|");
    tool_test_write("a", "this is longer than what was read\n");
    ck_assert_str_eq(read_on(&file), "this is longer than what was read|");
    tool_test_append("a", "y\n");
    ck_assert_str_eq(read_on(&file), "y|");
    kvp_log_file_clear(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *command = tcase_create("command"), *file = tcase_create("file");

    tcase_add_checked_fixture(command, setup, tool_test_teardown);
    tcase_add_test(command, records_are_shown_aligned);
    tcase_add_loop_test(command, filters_take_what_fits, 0, (int)KVP_ARRAY_LEN(filters));
    tcase_add_test(command, filters_are_joined_by_and);
    tcase_add_test(command, json_is_the_record_as_it_is);
    tcase_add_test(command, what_is_no_record_is_counted_and_passed_over);
    tcase_add_test(command, a_record_without_some_members_is_shown);
    tcase_add_test(command, a_half_line_at_the_end_is_not_shown);
    tcase_add_test(command, a_line_beyond_all_bounds_is_passed_over);
    tcase_add_test(command, another_file_can_be_named);
    tcase_add_loop_test(command, a_sink_that_cannot_be_read_is_explained, 0,
                        (int)KVP_ARRAY_LEN(sinks));
    tcase_add_test(command, wrong_usage_is_told);
    suite_add_tcase(suite, command);
    tcase_add_checked_fixture(file, tool_test_setup, tool_test_teardown);
    tcase_add_test(file, what_is_appended_is_read_once);
    tcase_add_test(file, a_file_that_comes_later_is_read_then);
    tcase_add_test(file, rotation_by_rename_loses_nothing);
    tcase_add_test(file, lines_are_whole_however_they_are_written);
    tcase_add_test(file, a_file_that_is_emptied_is_read_from_its_start);
    suite_add_tcase(suite, file);
    return tool_run_suite(suite);
}
