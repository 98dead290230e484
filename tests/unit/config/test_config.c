/* SPDX-License-Identifier: MIT */
/* The text of the configuration file: every setting, and every problem. */
#include "base/alloc.h"
#include "files.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the settings ---- */

START_TEST(an_example_of_everything_is_understood)
{
    const kvp_config_vault *v;
    char path[200];

    load_good("; the example\n"
              "[kvpkcs11]\n"
              "audit     = file:audit.jsonl\n"
              "log       = syslog   ; a comment\n"
              "log_level = trace\n"
              "cache     = no\n"
              "\n"
              "# a vault\n"
              "[vault:prod]\n"
              "url = HTTPS://Contoso.Vault.Azure.NET:443/\n"
              "credential = client-secret\n"
              "tenant = contoso.example\n"
              "client_id = 11111111-2222-3333-4444-555555555555\n"
              "client_secret = a;b#c=d:e  ; not of it\n"
              "client_certificate = cert.pem\n"
              "token_file = /run/token\n"
              "authority = https://login.microsoftonline.com/\n"
              "ca_file = ca.pem\n"
              "keys = web-* , tls-?\tmail\n"
              "keys = more\n"
              "versions = all\n"
              "certificates = no\n"
              "secrets = yes\n"
              "read_only = yes\n"
              "chain = chain.pem\n"
              "timeout = 5\n"
              "max_connections = 64\n"
              "api_version = 7.6-preview.1\n"
              "protection = hsm\n"
              "[vault:hsm]\n"
              "url = https://contoso.managedhsm.azure.net\n");

    ck_assert_str_eq(config->path, in_dir("test.conf"));
    ck_assert_int_eq(config->audit.kind, KVP_SINK_FILE);
    ck_assert_str_eq(config->audit.path, in_dir("audit.jsonl"));
    ck_assert_int_eq(config->log.kind, KVP_SINK_SYSLOG);
    ck_assert_int_eq(config->log_level, KVP_LOG_TRACE);
    ck_assert(!config->cache);
    ck_assert_uint_eq(config->vault_count, 2);
    v = &config->vaults[0];
    ck_assert_str_eq(v->name, "prod");
    ck_assert_int_eq(v->line, 9);
    ck_assert_str_eq(v->url, "https://contoso.vault.azure.net");
    ck_assert(!v->managed_hsm);
    ck_assert_str_eq(v->credential, "client-secret");
    ck_assert_str_eq(v->tenant, "contoso.example");
    ck_assert_str_eq(v->client_id, "11111111-2222-3333-4444-555555555555");
    ck_assert_str_eq(v->client_secret, "a;b#c=d:e");
    ck_assert_str_eq(v->client_certificate, in_dir("cert.pem"));
    ck_assert_str_eq(v->token_file, "/run/token");
    ck_assert_str_eq(v->authority, "https://login.microsoftonline.com");
    snprintf(path, sizeof(path), "%s/ca.pem", dir);
    ck_assert_str_eq(v->ca_file, path);
    ck_assert_str_eq(v->keys[0], "web-*");
    ck_assert_str_eq(v->keys[1], "tls-?");
    ck_assert_str_eq(v->keys[2], "mail");
    ck_assert_str_eq(v->keys[3], "more");
    ck_assert_ptr_null(v->keys[4]);
    ck_assert(v->versions_all && !v->certificates && v->secrets && v->read_only);
    ck_assert_int_eq(v->chain, KVP_CHAIN_FILE);
    ck_assert_str_eq(v->chain_file, in_dir("chain.pem"));
    ck_assert_int_eq(v->timeout_ms, 5000);
    ck_assert_uint_eq(v->max_connections, 64);
    ck_assert_str_eq(v->api_version, "7.6-preview.1");
    ck_assert(v->protection_hsm);
    ck_assert(config->vaults[1].managed_hsm);
}
END_TEST

START_TEST(what_is_not_set_has_its_default)
{
    const kvp_config_vault *v;

    load_good("[vault:a]\nurl = https://a.example\n");
    v = &config->vaults[0];

    ck_assert_int_eq(config->audit.kind, KVP_SINK_NONE);
    ck_assert_int_eq(config->log.kind, KVP_SINK_NONE);
    ck_assert_int_eq(config->log_level, KVP_LOG_WARNING);
    ck_assert(config->cache);
    ck_assert_str_eq(v->credential, "default");
    ck_assert_ptr_null(v->tenant);
    ck_assert_ptr_null(v->authority);
    ck_assert_ptr_null(v->keys);
    ck_assert(!v->versions_all && v->certificates && !v->secrets && !v->read_only);
    ck_assert_int_eq(v->chain, KVP_CHAIN_AUTO);
    ck_assert_int_eq(v->timeout_ms, 30000);
    ck_assert_uint_eq(v->max_connections, 16);
    ck_assert_str_eq(v->api_version, "7.4");
    ck_assert(!v->protection_hsm && !v->managed_hsm);
}
END_TEST

/* For each row: values that it takes, and one that it does not (NULL: takes any text). */
static const struct {
    const char *name;
    const char *good[10];
    const char *bad;
} values[] = {
    { "audit", { "none", "file:/var/log/a", "syslog", "journald", "stderr" }, "file:" },
    { "log", { "none", "file:x", "syslog", "journald", "stderr" }, "printer" },
    { "log_level", { "error", "warning", "info", "debug", "trace" }, "loud" },
    { "cache", { "yes", "no" }, "maybe" },
    { "url", { "https://a.example", "http://127.0.0.1:1", "http://[::1]:8443/" }, "https://" },
    { "kind", { "auto", "vault", "managed-hsm" }, "hsm" },
    { "credential",
      { "default", "environment", "client-secret", "client-certificate", "workload-identity",
        "managed-identity", "azure-cli", "token-file", "pin" },
      "password" },
    { "tenant", { "contoso.example", "72f988bf-86f1-41af-91ab-2d7cd011db47" }, "a/b" },
    { "client_id", { "72f988bf-86f1-41af-91ab-2d7cd011db47", "admin" }, "a b" },
    { "client_secret", { "anything ~!@" }, NULL },
    { "client_secret_file", { "/nonexistent/secret" }, NULL },
    { "client_certificate", { "/nonexistent/cert.pem" }, NULL },
    { "token_file", { "/run/token", "token" }, NULL },
    { "authority", { "https://login.microsoftonline.com", "http://localhost:80" }, "login" },
    { "ca_file", { "ca.pem" }, NULL },
    { "keys", { "*", "a,b", "a b , c" }, "," },
    { "versions", { "current", "all" }, "old" },
    { "certificates", { "yes", "no" }, "true" },
    { "secrets", { "yes", "no" }, "1" },
    { "read_only", { "yes", "no" }, "on" },
    { "chain", { "auto", "none", "secret", "./chain", "/etc/chain.pem" }, "atuo" },
    { "timeout", { "1", "600" }, "601" },
    { "max_connections", { "1", "64" }, "0" },
    { "api_version", { "7.4", "7.6-preview.1", "2025-07-01" }, "7.4&x=y" },
    { "protection", { "software", "hsm" }, "cloud" },
};

static size_t setting_count(void)
{
    size_t count = 0;

    while (kvp_settings[count].name)
        count++;
    return count;
}

/* A file with @row set to @value, @times times, and a vault to be seen. */
static void with_setting(char *text, size_t size, const kvp_setting *row, const char *value,
                         int times)
{
    bool in_vault = strcmp(row->section, "vault") == 0;
    size_t used = (size_t)snprintf(text, size, "%s\n%s", in_vault ? "[vault:a]" : "[kvpkcs11]",
                                   in_vault && strcmp(row->name, "url") != 0
                                       ? "url = https://a.example\n"
                                       : "");

    for (int i = 0; i < times; i++)
        used += (size_t)snprintf(text + used, size - used, "%s = %s\n", row->name, value);
    if (!in_vault)
        snprintf(text + used, size - used, "[vault:a]\nurl = https://a.example\n");
}

START_TEST(each_setting_takes_what_its_row_says)
{
    const kvp_setting *row = &kvp_settings[_i];
    char text[1000];

    ck_assert_msg((size_t)_i < KVP_ARRAY_LEN(values) && strcmp(values[_i].name, row->name) == 0,
                  "%s has no values in this test", row->name);
    for (size_t i = 0; values[_i].good[i]; i++) {
        with_setting(text, sizeof(text), row, values[_i].good[i], 1);
        load_good(text);
        ck_assert_uint_eq(config->vault_count, 1);
        unload();
    }
    ck_assert_str_ne(row->sentence, "");
    ck_assert_str_ne(row->values, "");
    ck_assert_str_ne(row->fallback, "");
}
END_TEST

START_TEST(each_setting_refuses_what_it_cannot_be)
{
    const kvp_setting *row = &kvp_settings[_i];
    bool in_vault = strcmp(row->section, "vault") == 0;
    int line = in_vault && strcmp(row->name, "url") != 0 ? 3 : 2;
    char text[1000];

    if (values[_i].bad) {
        with_setting(text, sizeof(text), row, values[_i].bad, 1);
        load_bad(text, line, values[_i].bad);
        ck_assert_ptr_nonnull(strstr(problems.lines[0], row->values));
        ck_assert_uint_eq(config->vault_count, in_vault ? 0 : 1);
        unload();
    }
    with_setting(text, sizeof(text), row, "", 1);
    load_bad(text, line, "has no value");
    unload();
    if (strcmp(row->name, "keys") == 0)
        return;
    with_setting(text, sizeof(text), row, values[_i].good[0], 2);
    load_bad(text, line + 1, "there already");
}
END_TEST

START_TEST(each_setting_survives_each_failing_allocation)
{
    const kvp_setting *row = &kvp_settings[_i];
    kvp_status st = KVP_ERR_NO_MEMORY;
    char text[1000];

    with_setting(text, sizeof(text), row, values[_i].good[0], 1);
    write_bytes(in_dir("test.conf"), text, strlen(text), 0600);
    for (long n = 0; st != KVP_OK; n++) {
        kvp_alloc_fail_after(n);
        st = kvp_config_load_file(in_dir("test.conf"), &config, &problems, &error);
        kvp_alloc_fail_after(-1);
        if (st != KVP_OK) {
            ck_assert_int_eq(st, KVP_ERR_NO_MEMORY);
            ck_assert_ptr_null(config);
            ck_assert_uint_eq(problems.count, 0);
        }
        ck_assert_int_lt(n, 200);
    }
    ck_assert_uint_eq(config->vault_count, 1);
}
END_TEST

/* ---- problems ---- */

#define LINE_50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"

static const struct {
    const char *text;
    int line;
    const char *what;
} broken[] = {
    { "[vault:a]\n", 1, "no url" },
    { "[vault:a]\nurl = https://a.example\n[vault:a]\nurl = https://b.example\n", 3,
      "[vault:a] is there already, in line 1" },
    { "[kvpkcs11]\n[kvpkcs11]\n", 2, "there already, in line 1" },
    { "[vault:]\nurl = https://a.example\n", 1, "label of 0 bytes" },
    { "[vault:123456789012345678901234567890123]\n", 1, "label of 33 bytes" },
    { "[vault:" LINE_50 LINE_50 "]\n", 1, "label of 100 bytes" },
    { "[vaults:a]\nurl = https://a.example\n", 1, "unknown section [vaults:a]" },
    { "[KVPKCS11]\n", 1, "unknown section" },
    { "[vault:a\nurl = https://a.example\n", 1, "without its ]" },
    { "[kvpkcs11] cache = no\n", 1, "something follows" },
    { "cache = no\n", 1, "before any section" },
    { "[kvpkcs11]\ncache\n", 2, "without =" },
    { "[kvpkcs11]\ncache no", 2, "without =" },
    { "[kvpkcs11]\n= no\n", 2, "unknown setting" },
    { "[kvpkcs11]\nCache = no\n", 2,
      "unknown setting Cache; allowed: audit, log, log_level, cache" },
    { "[kvpkcs11]\nurl = https://a.example\n", 2, "unknown setting url" },
    { "[vault:a]\nurl = https://a.example\naudit = none\n", 3, "unknown setting audit" },
    { "[vault:a]\nurl = ftp://a.example\n", 2, "does not begin with https://" },
    { "[vault:a]\nurl = https://a.example/keys\n", 2, "something follows the host" },
    { "[vault:a]\nurl = https://a.example?x\n", 2, "something follows the host" },
    { "[vault:a]\nurl = https://a.example#x\n", 2, "something follows the host" },
    { "[vault:a]\nurl = https://a.example//\n", 2, "something follows the host" },
    { "[vault:a]\nurl = https://me@a.example\n", 2, "user name" },
    { "[vault:a]\nurl = https://me:pw@a.example\n", 2, "user name" },
    { "[vault:a]\nurl = https://a.example:0\n", 2, "port" },
    { "[vault:a]\nurl = https://a.example:65536\n", 2, "port" },
    { "[vault:a]\nurl = https://a.example:4294967739\n", 2, "port" },
    { "[vault:a]\nurl = https://a.example:\n", 2, "port" },
    { "[vault:a]\nurl = https://a.example:1x\n", 2, "something follows the host" },
    { "[vault:a]\nurl = https://:443\n", 2, "host name" },
    { "[vault:a]\nurl = https://a..example\n", 2, "host name" },
    { "[vault:a]\nurl = https://a_b%.example\n", 2, "host name" },
    { "[vault:a]\nurl = https://[::1\n", 2, "host name" },
    { "[vault:a]\nurl = https://[a.example]\n", 2, "host name" },
    { "[vault:a]\nurl = http://a.example\n", 2, "loopback" },
    { "[vault:a]\nurl = http://128.0.0.1\n", 2, "loopback" },
    { "[vault:a]\nurl = http://127.0.0.1.example\n", 2, "loopback" },
    { "[vault:a]\nurl = http://localhost.example\n", 2, "loopback" },
    { "[vault:a]\nurl = http://[::2]\n", 2, "loopback" },
    { "[vault:a]\nurl = http://[::ffff:127.0.0.1]\n", 2, "loopback" },
    { "[vault:a]\nurl = https://a.example\ntimeout = 1.5\n", 3, "whole number" },
    { "[vault:a]\nurl = https://a.example\ntimeout = -1\n", 3, "whole number" },
    { "[vault:a]\nurl = https://a.example\ntimeout = 4294967297\n", 3, "whole number" },
    { "[vault:a]\nurl = https://a.example\nclient_secret = x\nclient_secret_file = y\n", 4,
      "beside client_secret" },
    { "[kvpkcs11]\naudit = file:" LINE_50 LINE_50 LINE_50 LINE_50 "\n", 2, "longer than 198" },
    { "[kvpkcs11]\ncache = \001no\n", 2, "control character" },
    { "[kvpkcs11]\ncache = yes\r\r\n", 2, "control character" },
};

START_TEST(each_problem_is_one_line_that_says_where)
{
    load_bad(broken[_i].text, broken[_i].line, broken[_i].what);
}
END_TEST

START_TEST(a_vault_with_a_problem_is_left_out_and_others_stay)
{
    ck_assert_int_eq(load("[vault:a]\nurl = https://a.example\n"
                          "[vault:b]\nurl = https://b.example\nkesy = x\ntimeout = 0\n"
                          "[vault:c]\nurl = https://c.example\n"
                          "[vault:d]\nurl = http://d.example\n"
                          "[nonsense]\nurl = x\n"
                          "[vault:e\n"
                          "[vault:f]\nurl = https://f.example\n"),
                     KVP_ERR_CONFIG);

    ck_assert_uint_eq(problems.count, 5);
    ck_assert_uint_eq(config->vault_count, 3);
    ck_assert_str_eq(config->vaults[0].name, "a");
    ck_assert_str_eq(config->vaults[1].name, "c");
    ck_assert_str_eq(config->vaults[2].name, "f");
}
END_TEST

START_TEST(a_secret_is_never_part_of_a_problem)
{
    ck_assert_int_eq(load("[vault:a]\nurl = https://a.example\n"
                          "client_secret = hunter2\nclient_secret = hunter2\n"
                          "client-secret = hunter2\nclient_secret hunter2\n"),
                     KVP_ERR_CONFIG);

    ck_assert_uint_eq(problems.count, 3);
    for (size_t i = 0; i < problems.count; i++)
        ck_assert_msg(!strstr(problems.lines[i], "hunter2"), "%s", problems.lines[i]);
}
END_TEST

START_TEST(windows_lines_a_bom_and_indented_lines_are_read)
{
    load_good("\xef\xbb\xbf[kvpkcs11]\r\n\tlog = syslog\r\n    log_level = debug\r\n\r\n"
              "   ; comment\r\n  [vault:a] ; comment\r\n  url = https://a.example\r\n"
              "  tenant: contoso.example");

    ck_assert_int_eq(config->log.kind, KVP_SINK_SYSLOG);
    ck_assert_int_eq(config->log_level, KVP_LOG_DEBUG);
    ck_assert_uint_eq(config->vault_count, 1);
    ck_assert_str_eq(config->vaults[0].tenant, "contoso.example");
}
END_TEST

START_TEST(a_line_of_just_the_longest_length_is_read)
{
    char text[800], *at = text;
    size_t start;

    at += sprintf(at, "[kvpkcs11]\n");
    start = (size_t)(at - text);
    at += sprintf(at, "audit = file:/");
    while ((size_t)(at - text) - start < 198)
        *at++ = 'x';
    strcpy(at, "\n# " LINE_50 LINE_50 LINE_50 LINE_50 LINE_50 "\nlog = stderr\n");
    load_good(text);
    ck_assert_uint_eq(strlen(config->audit.path), 198 - strlen("audit = file:"));
    ck_assert_int_eq(config->log.kind, KVP_SINK_STDERR);
    unload();

    memmove(at + 1, at, strlen(at) + 1);
    *at = 'x';
    load_bad(text, 2, "longer than 198 characters");
    ck_assert_int_eq(config->log.kind, KVP_SINK_STDERR);
}
END_TEST

START_TEST(a_nul_byte_is_a_control_character)
{
    static const char text[] = "[kvpkcs11]\nlog = sys\0log\nlog_level = debug\n";

    ck_assert_int_eq(load_bytes(text, sizeof(text) - 1), KVP_ERR_CONFIG);

    ck_assert_uint_eq(problems.count, 1);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "test.conf:2: a control character"));
    ck_assert_int_eq(config->log_level, KVP_LOG_DEBUG);
}
END_TEST

START_TEST(an_empty_file_is_an_empty_configuration)
{
    load_good("");
    ck_assert_uint_eq(config->vault_count, 0);
    ck_assert_ptr_nonnull(config->path);
}
END_TEST

START_TEST(a_kind_that_is_written_down_counts_more_than_the_host)
{
    load_good("[vault:a]\nkind = managed-hsm\nurl = https://127.0.0.1:8443\n"
              "[vault:b]\nurl = https://b.managedhsm.azure.net\nkind = vault\n"
              "[vault:c]\nurl = https://c.managedhsm.usgovcloudapi.net\n"
              "[vault:d]\nurl = https://d.managedhsm.azure.cn:444\n"
              "[vault:e]\nurl = https://managedhsm.azure.net\n"
              "[vault:f]\nurl = https://f.managedhsm.azure.net.example\n");

    ck_assert(config->vaults[0].managed_hsm);
    ck_assert(!config->vaults[1].managed_hsm);
    ck_assert(config->vaults[2].managed_hsm);
    ck_assert(config->vaults[3].managed_hsm);
    ck_assert(!config->vaults[4].managed_hsm);
    ck_assert(!config->vaults[5].managed_hsm);
}
END_TEST

START_TEST(urls_are_written_in_one_form)
{
    load_good("[vault:a]\nurl = https://A.Example:8443/\n"
              "[vault:b]\nurl = http://[::1]:80\n"
              "[vault:c]\nurl = http://127.1.2.3:443\n"
              "[vault:d]\nurl = https://[FE80::1]\n"
              "[vault:e]\nurl = HTTP://LOCALHOST:08080/\n");

    ck_assert_str_eq(config->vaults[0].url, "https://a.example:8443");
    ck_assert_str_eq(config->vaults[1].url, "http://[::1]");
    ck_assert_str_eq(config->vaults[2].url, "http://127.1.2.3:443");
    ck_assert_str_eq(config->vaults[3].url, "https://[fe80::1]");
    ck_assert_str_eq(config->vaults[4].url, "http://localhost:8080");
}
END_TEST

START_TEST(globs_choose_what_is_shown)
{
    load_good("[vault:a]\nurl = https://a.example\nkeys = web-* mail?\n"
              "[vault:b]\nurl = https://b.example\n"
              "[vault:c]\nurl = https://c.example\nkeys = *\n");

    ck_assert(kvp_config_vault_shows(&config->vaults[0], "web-1"));
    ck_assert(kvp_config_vault_shows(&config->vaults[0], "WEB-"));
    ck_assert(kvp_config_vault_shows(&config->vaults[0], "mail2"));
    ck_assert(!kvp_config_vault_shows(&config->vaults[0], "mail"));
    ck_assert(!kvp_config_vault_shows(&config->vaults[0], "my-web-1"));
    ck_assert(kvp_config_vault_shows(&config->vaults[1], "anything"));
    ck_assert(kvp_config_vault_shows(&config->vaults[2], "anything"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *table = tcase_create("settings"), *text = tcase_create("text");
    TCase *all[] = { table, text };
    int rows = (int)setting_count();
    SRunner *runner;
    int failed;

    tcase_add_test(table, an_example_of_everything_is_understood);
    tcase_add_test(table, what_is_not_set_has_its_default);
    tcase_add_loop_test(table, each_setting_takes_what_its_row_says, 0, rows);
    tcase_add_loop_test(table, each_setting_refuses_what_it_cannot_be, 0, rows);
    tcase_add_loop_test(table, each_setting_survives_each_failing_allocation, 0, rows);
    tcase_add_loop_test(text, each_problem_is_one_line_that_says_where, 0, KVP_ARRAY_LEN(broken));
    tcase_add_test(text, a_vault_with_a_problem_is_left_out_and_others_stay);
    tcase_add_test(text, a_secret_is_never_part_of_a_problem);
    tcase_add_test(text, windows_lines_a_bom_and_indented_lines_are_read);
    tcase_add_test(text, a_line_of_just_the_longest_length_is_read);
    tcase_add_test(text, a_nul_byte_is_a_control_character);
    tcase_add_test(text, an_empty_file_is_an_empty_configuration);
    tcase_add_test(text, a_kind_that_is_written_down_counts_more_than_the_host);
    tcase_add_test(text, urls_are_written_in_one_form);
    tcase_add_test(text, globs_choose_what_is_shown);
    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++) {
        tcase_add_checked_fixture(all[i], make_dir, drop_dir);
        suite_add_tcase(suite, all[i]);
    }
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
