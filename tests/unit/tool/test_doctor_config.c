/* SPDX-License-Identifier: MIT */
/* Doctor's first steps: configuration files, logs, and who may write to them. No network. */
#include "tool/doctor.h"
#include "tool_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static kvp_config *config;

static void teardown(void)
{
    kvp_config_free(config);
    config = NULL;
    tool_test_teardown();
}

static int check_config(const char *path, bool verbose)
{
    kvp_doctor doctor = { .out = tmpfile(), .verbose = verbose };
    int status;

    ck_assert_ptr_nonnull(doctor.out);
    kvp_config_free(config);
    config = NULL;
    kvp_doctor_start(&doctor);
    kvp_doctor_config(&doctor, path, &config);
    if (config)
        kvp_doctor_logs(&doctor, config);
    status = kvp_doctor_finish(&doctor);
    tool_take_output(doctor.out, tool_out, sizeof(tool_out));
    return status;
}

START_TEST(no_configuration_at_all_is_a_failure)
{
    ck_assert_int_eq(check_config(NULL, true), 1);
    ck_has(tool_out, "FAIL  configuration: there is none");
    ck_has(tool_out, "looked for: $KVPKCS11_CONF: not set");
    ck_has(tool_out, "/.config/kvpkcs11/kvpkcs11.conf ($HOME): not there");
    ck_has(tool_out, SYSCONFDIR "/kvpkcs11/kvpkcs11.conf (the system's)");
    ck_has(tool_out, "$KVPKCS11_VAULT_URL: not set");
}
END_TEST

START_TEST(the_file_that_applications_find_is_named)
{
    ck_assert_int_eq(mkdir(".config", 0700), 0);
    ck_assert_int_eq(mkdir(".config/kvpkcs11", 0700), 0);
    tool_test_write(".config/kvpkcs11/kvpkcs11.conf",
                    "[vault:a]\nurl = https://a.vault.azure.net\n");
    ck_assert_int_eq(check_config(NULL, true), 0);
    ck_has(tool_out, "ok    configuration: /");
    ck_has(tool_out, "/.config/kvpkcs11/kvpkcs11.conf: 1 vault can be used");
    ck_has(tool_out, "($HOME): found");

    setenv("KVPKCS11_CONF", "nothing.conf", 1);
    ck_assert_int_eq(check_config(NULL, true), 1);
    ck_has(tool_out, "nothing.conf:0: there is no such file");
}
END_TEST

START_TEST(the_environment_alone_is_a_configuration)
{
    setenv("KVPKCS11_VAULT_URL", "https://a.vault.azure.net, https://b.vault.azure.net", 1);
    ck_assert_int_eq(check_config(NULL, false), 0);
    ck_has(tool_out, "$KVPKCS11_VAULT_URL names 2 vaults");
}
END_TEST

START_TEST(every_problem_is_a_line)
{
    tool_test_write(
        "c.conf",
        "[kvpkcs11]\naudit = floppy\n[vault:a]\nurl = https://a.vault.azure.net\ntimeout = x\n");
    ck_assert_int_eq(check_config("c.conf", false), 1);
    ck_has(tool_out, "c.conf:2: audit = floppy");
    ck_has(tool_out, "c.conf:5: timeout");
    ck_has(tool_out, "2 failed");
}
END_TEST

START_TEST(a_file_that_others_may_write_is_a_warning)
{
    tool_test_write("c.conf", "[vault:a]\nurl = https://a.vault.azure.net\n");
    ck_assert_int_eq(chmod("c.conf", 0664), 0);
    ck_assert_int_eq(check_config("c.conf", false), 0);
    ck_has(tool_out, "warn  configuration: others may write to ");
    ck_has(tool_out, "mode 0664");
}
END_TEST

static const struct {
    const char *audit;
    int mode; /* of audit.jsonl; 0: not there */
    const char *line;
    int status;
} logs[] = {
    { "none", 0, "ok    audit: goes to: none", 0 },
    { "syslog", 0, "ok    audit: goes to: syslog", 0 },
    { "file:audit.jsonl", 0, "can be written (it does not exist yet)", 0 },
    { "file:audit.jsonl", 0600, "audit.jsonl can be written\n", 0 },
    { "file:audit.jsonl", 0666, "warn  audit: everyone may write to ", 0 },
    { "file:no/such/audit.jsonl", 0, "FAIL  audit: ", 1 },
    { "file:/", 0, "FAIL  audit: ", 1 },
};

START_TEST(logs_are_checked_and_not_made)
{
    char text[256];

    snprintf(text, sizeof(text),
             "[kvpkcs11]\naudit = %s\n[vault:a]\nurl = https://a.vault.azure.net\n",
             logs[_i].audit);
    tool_test_write("c.conf", text);
    if (logs[_i].mode) {
        tool_test_write("audit.jsonl", "");
        ck_assert_int_eq(chmod("audit.jsonl", (mode_t)logs[_i].mode), 0);
    }
    ck_assert_int_eq(check_config("c.conf", false), logs[_i].status);
    ck_has(tool_out, logs[_i].line);
    ck_assert_int_eq(access("audit.jsonl", F_OK) == 0, logs[_i].mode != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor config");
    TCase *conf = tcase_create("configuration");

    tcase_add_checked_fixture(conf, tool_test_setup, teardown);
    tcase_add_test(conf, no_configuration_at_all_is_a_failure);
    tcase_add_test(conf, the_file_that_applications_find_is_named);
    tcase_add_test(conf, the_environment_alone_is_a_configuration);
    tcase_add_test(conf, every_problem_is_a_line);
    tcase_add_test(conf, a_file_that_others_may_write_is_a_warning);
    tcase_add_loop_test(conf, logs_are_checked_and_not_made, 0, (int)KVP_ARRAY_LEN(logs));
    suite_add_tcase(suite, conf);
    return tool_run_suite(suite);
}
