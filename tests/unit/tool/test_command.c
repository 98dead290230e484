/* SPDX-License-Identifier: MIT */
/* The command line as a whole: every row of the table, help, version, wrong usage, lost output. */
#include "tool/tool.h"
#include "tool_test.h"

#include <config.h>

#include <stdlib.h>
#include <string.h>

static int row_count(void)
{
    int count = 0;

    while (kvp_commands[count].name)
        count++;
    return count;
}

START_TEST(every_command_is_listed_and_has_help)
{
    const kvp_command *command = &kvp_commands[_i];
    char usage[64];

    ck_assert_int_eq(tool_run("--help", NULL), 0);
    ck_has(tool_out, command->name);
    ck_has(tool_out, command->summary);

    snprintf(usage, sizeof(usage), "usage: kvpkcs11 %s ", command->name);
    ck_assert_int_eq(tool_run(command->name, "--help", NULL), 0);
    ck_has(tool_out, usage);
    ck_has(tool_out, command->help);
    ck_assert_str_eq(tool_err, "");
    ck_assert_int_eq(tool_run(command->name, "-h", NULL), 0);
    ck_has(tool_out, usage);
    ck_assert_int_eq(tool_run("help", command->name, NULL), 0);
    ck_has(tool_out, usage);
}
END_TEST

START_TEST(every_command_refuses_unknown_options)
{
    const kvp_command *command = &kvp_commands[_i];
    char name[64];

    snprintf(name, sizeof(name), "kvpkcs11 %s: ", command->name);
    ck_assert_int_eq(tool_run(command->name, "--bogus", NULL), 2);
    ck_assert_str_eq(tool_out, "");
    ck_has(tool_err, name);
    ck_has(tool_err, "--bogus");
    ck_assert_int_eq(tool_run(command->name, "-Q", NULL), 2);
    ck_has(tool_err, "-Q");
    ck_assert_int_eq(tool_run(command->name, "--config", NULL), 2);
    ck_has(tool_err, "--config needs a value");
    ck_assert_int_eq(tool_run(command->name, "-c", NULL), 2);
    ck_has(tool_err, "-c needs a value");
    ck_assert_int_eq(tool_run(command->name, "--help=x", NULL), 2);
    ck_has(tool_err, "--help=x");
}
END_TEST

/* The next ", --option" of @help from *at on, without its dashes; false after the last. */
static bool next_option(const char **at, char *ret, size_t size)
{
    const char *found = strstr(*at, ", --");

    if (!found)
        return false;
    *at = found + 4;
    snprintf(ret, size, "%.*s", (int)strcspn(*at, " \n"), *at);
    return true;
}

START_TEST(every_option_of_the_help_exists)
{
    const kvp_command *command = &kvp_commands[_i];
    char name[40], option[48];

    for (const char *at = command->help; next_option(&at, name, sizeof(name));) {
        snprintf(option, sizeof(option), "--%s", name);
        tool_run(command->name, option, "--help",
                 NULL); /* "--help" is its value, or the next option */
        ck_has_not(tool_err, "is unknown");
    }
}
END_TEST

START_TEST(the_manual_has_every_command_and_option)
{
    const kvp_command *command = &kvp_commands[_i];
    FILE *file = fopen(KVP_TOP_SRCDIR "/docs/kvpkcs11.1", "r");
    char name[40], text[64];
    size_t len;

    ck_assert_ptr_nonnull(file);
    len = fread(tool_out, 1, sizeof(tool_out) - 1, file);
    tool_out[len] = '\0';
    fclose(file);
    snprintf(text, sizeof(text), ".SS kvpkcs11 %s\n", command->name);
    ck_has(tool_out, text);
    for (const char *at = command->help; next_option(&at, name, sizeof(name));) {
        snprintf(text, sizeof(text), "\\-\\-%s", name);
        ck_has(tool_out, text);
    }
}
END_TEST

START_TEST(version_is_the_packages)
{
    ck_assert_int_eq(tool_run("--version", NULL), 0);
    ck_assert_str_eq(tool_out, "kvpkcs11 " PACKAGE_VERSION "\n");
}
END_TEST

START_TEST(a_wrong_command_line_is_told)
{
    ck_assert_int_eq(tool_run(NULL, NULL), 2);
    ck_has(tool_err, "usage:");
    ck_assert_int_eq(tool_run("dance", NULL), 2);
    ck_has(tool_err, "there is no command dance");
    ck_assert_int_eq(tool_run("--dance", NULL), 2);
    ck_has(tool_err, "there is no option --dance");
    ck_assert_int_eq(tool_run("x\x1b[31m", NULL), 2);
    ck_has_not(tool_err, "\x1b");
    ck_assert_int_eq(tool_run("uri", NULL), 2);
    ck_assert_int_eq(tool_run("ls", "a", "b", NULL), 2);
    ck_assert_int_eq(tool_run("uri", "--type", "dog", "https://h/keys/a", NULL), 2);
}
END_TEST

START_TEST(output_that_cannot_be_written_is_a_failure)
{
    char name[] = "kvpkcs11", option[] = "--help";
    char *argv[] = { name, option, NULL };
    FILE *full = fopen("/dev/full", "w"), *err = tmpfile();

    ck_assert_ptr_nonnull(full);
    ck_assert_int_eq(kvp_tool_main(2, argv, full, err), 1);
    fclose(full);
    fclose(err);
}
END_TEST

/* ---- uri ---- */

START_TEST(uri_converts_both_ways)
{
    tool_test_write("c.conf", "[vault:prod]\nurl = https://contoso.vault.azure.net\n");
    ck_assert_int_eq(tool_run("uri", "-c", "c.conf", "https://contoso.vault.azure.net/keys/k",
                              "pkcs11:token=prod;object=k;type=cert", NULL),
                     0);
    ck_assert_str_eq(tool_out,
                     "pkcs11:serial=51a3585cab2b59b6;token=prod;id=%6B;object=k;type=private\n"
                     "https://contoso.vault.azure.net/certificates/k\n");
    ck_assert_str_eq(tool_err, "");
    ck_assert_int_eq(tool_run("uri", "-c", "c.conf", "--type", "public",
                              "https://contoso.vault.azure.net/keys/k", NULL),
                     0);
    ck_has(tool_out, ";type=public\n");
}
END_TEST

START_TEST(uri_finds_the_configuration_as_applications_do)
{
    setenv("KVPKCS11_VAULT_URL", "https://contoso.vault.azure.net", 1);
    ck_assert_int_eq(tool_run("uri", "pkcs11:token=contoso;object=k", NULL), 0);
    ck_assert_str_eq(tool_out, "https://contoso.vault.azure.net/keys/k\n");
}
END_TEST

START_TEST(uri_goes_on_after_one_that_it_cannot_convert)
{
    ck_assert_int_eq(tool_run("uri", "nonsense", "https://h.vault.azure.net/keys/k", NULL), 1);
    ck_has(tool_out, "object=k");
    ck_has(tool_err, "nonsense");
    ck_has(tool_err, "no configured vault has the URL https://h.vault.azure.net");
}
END_TEST

START_TEST(a_configuration_with_mistakes_is_told_and_used)
{
    tool_test_write("c.conf",
                    "[vault:prod]\nurl = https://contoso.vault.azure.net\n[vault:bad]\nurl = x\n");
    ck_assert_int_eq(tool_run("uri", "-c", "c.conf", "pkcs11:token=prod;object=k", NULL), 0);
    ck_assert_str_eq(tool_out, "https://contoso.vault.azure.net/keys/k\n");
    ck_has(tool_err, "c.conf:4:");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command");
    TCase *table = tcase_create("table"), *uri = tcase_create("uri");

    tcase_add_checked_fixture(table, tool_test_setup, tool_test_teardown);
    tcase_add_loop_test(table, every_command_is_listed_and_has_help, 0, row_count());
    tcase_add_loop_test(table, every_command_refuses_unknown_options, 0, row_count());
    tcase_add_loop_test(table, every_option_of_the_help_exists, 0, row_count());
    tcase_add_loop_test(table, the_manual_has_every_command_and_option, 0, row_count());
    tcase_add_test(table, version_is_the_packages);
    tcase_add_test(table, a_wrong_command_line_is_told);
    tcase_add_test(table, output_that_cannot_be_written_is_a_failure);
    suite_add_tcase(suite, table);
    tcase_add_checked_fixture(uri, tool_test_setup, tool_test_teardown);
    tcase_add_test(uri, uri_converts_both_ways);
    tcase_add_test(uri, uri_finds_the_configuration_as_applications_do);
    tcase_add_test(uri, uri_goes_on_after_one_that_it_cannot_convert);
    tcase_add_test(uri, a_configuration_with_mistakes_is_told_and_used);
    suite_add_tcase(suite, uri);
    return tool_run_suite(suite);
}
