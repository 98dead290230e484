/* SPDX-License-Identifier: MIT */
/* Where the configuration is looked for, and which files are refused. */
#include "base/cleanup.h"
#include "files.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files that must be private ---- */

START_TEST(a_secret_in_a_file_that_others_may_use_is_refused)
{
    static const mode_t modes[] = { 0644, 0640, 0604, 0602, 0610 };
    static const char with[] = "[vault:a]\nurl = https://a.example\nclient_secret = x\n"
                               "[vault:b]\nurl = https://b.example\n";
    char mode[16];

    write_bytes(in_dir("test.conf"), with, sizeof(with) - 1, modes[_i]);
    ck_assert_int_eq(kvp_config_load_file(in_dir("test.conf"), &config, &problems, NULL),
                     KVP_ERR_CONFIG);

    ck_assert_uint_eq(problems.count, 1);
    snprintf(mode, sizeof(mode), "mode %04o", (unsigned)modes[_i]);
    ck_assert_msg(strstr(problems.lines[0], mode) != NULL, "%s", problems.lines[0]);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], ":3: client_secret"));
    ck_assert_uint_eq(config->vault_count, 1);
    ck_assert_str_eq(config->vaults[0].name, "b");
}
END_TEST

START_TEST(a_file_without_a_secret_may_be_read_by_all)
{
    static const char text[] = "[vault:a]\nurl = https://a.example\n";

    write_bytes(in_dir("test.conf"), text, sizeof(text) - 1, 0644);
    ck_assert_int_eq(kvp_config_load_file(in_dir("test.conf"), &config, &problems, NULL), KVP_OK);
    ck_assert_uint_eq(config->vault_count, 1);
}
END_TEST

START_TEST(a_secrets_own_file_must_be_private)
{
    static const char *const settings[] = { "client_secret_file", "client_certificate" };
    char text[200];

    snprintf(text, sizeof(text), "[vault:a]\nurl = https://a.example\n%s = secret\n", settings[_i]);
    write_bytes(in_dir("secret"), "x", 1, 0640);
    load_bad(text, 3, settings[_i]);
    ck_assert_uint_eq(config->vault_count, 0);
    unload();

    write_bytes(in_dir("secret"), "x", 1, 0600);
    load_good(text);
    unload();
    write_bytes(in_dir("secret"), "x", 1, 0400);
    load_good(text);
}
END_TEST

START_TEST(a_secret_in_somebody_elses_file_is_refused)
{
    static const char text[] = "[vault:a]\nurl = https://a.example\nclient_secret_file = secret\n";

    if (geteuid() != 0)
        return; /* only root can give a file away */
    write_bytes(in_dir("secret"), "x", 1, 0600);
    ck_assert_int_eq(chown(in_dir("secret"), 12345, 0), 0);
    load_bad(text, 3, "another user (uid 12345)");
}
END_TEST

/* ---- where it is looked for ---- */

static void put_default(const char *base, const char *text)
{
    char path[300];

    mkdir(in_dir(".config"), 0755);
    snprintf(path, sizeof(path), "%s/%s/kvpkcs11", dir, base);
    ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "%s/%s/kvpkcs11/kvpkcs11.conf", dir, base);
    write_bytes(path, text, strlen(text), 0644);
}

static void put_system(void)
{
    static const char text[] = "[vault:system]\nurl = https://s.example\n";

    mkdir(SYSCONFDIR, 0755);
    mkdir(SYSCONFDIR "/kvpkcs11", 0755);
    write_bytes(SYSCONFDIR "/kvpkcs11/kvpkcs11.conf", text, sizeof(text) - 1, 0644);
}

static void drop_system(void)
{
    unlink(SYSCONFDIR "/kvpkcs11/kvpkcs11.conf");
    rmdir(SYSCONFDIR "/kvpkcs11");
    rmdir(SYSCONFDIR);
}

static const char *loaded_name(void)
{
    static char name[64];

    ck_assert_int_eq(kvp_config_load(&config, &problems, &error), KVP_OK);
    snprintf(name, sizeof(name), "%s", config->vault_count ? config->vaults[0].name : "nothing");
    unload();
    return name;
}

START_TEST(the_first_file_that_there_is_counts)
{
    drop_system();
    ck_assert_str_eq(loaded_name(), "nothing");

    setenv("KVPKCS11_VAULT_URL", "https://env.example", 1);
    ck_assert_str_eq(loaded_name(), "env");

    put_system();
    ck_assert_str_eq(loaded_name(), "system");

    put_default(".config", "[vault:home]\nurl = https://h.example\n");
    ck_assert_str_eq(loaded_name(), "home");

    setenv("XDG_CONFIG_HOME", dir, 1);
    ck_assert_str_eq(loaded_name(), "system");
    put_default("", "[vault:xdg]\nurl = https://x.example\n");
    ck_assert_str_eq(loaded_name(), "xdg");

    write_bytes(in_dir("test.conf"), "[vault:own]\nurl = https://o.example\n", 36, 0600);
    setenv("KVPKCS11_CONF", in_dir("test.conf"), 1);
    ck_assert_str_eq(loaded_name(), "own");

    setenv("KVPKCS11_CONF", "", 1);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    ck_assert_str_eq(loaded_name(), "home");
    unsetenv("HOME");
    ck_assert_str_eq(loaded_name(), "system");
    drop_system();
}
END_TEST

START_TEST(a_file_that_was_asked_for_must_be_there)
{
    setenv("KVPKCS11_CONF", in_dir("missing.conf"), 1);
    setenv("KVPKCS11_VAULT_URL", "https://env.example", 1);

    ck_assert_int_eq(kvp_config_load(&config, &problems, &error), KVP_ERR_CONFIG);

    ck_assert_uint_eq(problems.count, 1);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "missing.conf:0: there is no such file"));
    ck_assert_uint_eq(config->vault_count, 0);
}
END_TEST

START_TEST(what_is_no_regular_file_is_a_problem_and_hangs_nobody)
{
    ck_assert_int_eq(mkfifo(in_dir("fifo"), 0600), 0);
    ck_assert_int_eq(kvp_config_load_file(in_dir("fifo"), &config, &problems, &error),
                     KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "no regular file"));
    unload();
    ck_assert_int_eq(kvp_config_load_file(dir, &config, &problems, &error), KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "no regular file"));
}
END_TEST

START_TEST(a_file_without_end_is_a_problem)
{
    size_t size = 1024 * 1024 + 1;
    char *text = malloc(size);

    ck_assert_ptr_nonnull(text);
    memset(text, '\n', size);
    ck_assert_int_eq(load_bytes(text, size), KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "larger than 1 MiB"));
    free(text);
}
END_TEST

START_TEST(a_relative_name_is_relative_to_where_we_are_now)
{
    static const char text[] = "[kvpkcs11]\nlog = file:log\n";

    write_bytes(in_dir("test.conf"), text, sizeof(text) - 1, 0600);
    ck_assert_int_eq(chdir(dir), 0);

    ck_assert_int_eq(kvp_config_load_file("test.conf", &config, &problems, NULL), KVP_OK);

    ck_assert_str_eq(config->path, in_dir("test.conf"));
    ck_assert_str_eq(config->log.path, in_dir("log"));
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_default_file_that_may_not_be_read_is_a_problem_and_a_closed_directory_is_not)
{
    put_default(".config", "[vault:home]\nurl = https://h.example\n");
    drop_system();
    ck_assert_int_eq(chmod(in_dir(".config/kvpkcs11/kvpkcs11.conf"), 0), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(12345), 0); /* root may read anything */

    ck_assert_int_eq(kvp_config_load(&config, &problems, &error), KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "kvpkcs11.conf:0: permission denied"));
    unload();

    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(in_dir(".config"), 0), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(12345), 0);
    ck_assert_str_eq(loaded_name(), "nothing");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(in_dir(".config"), 0700), 0);
}
END_TEST

START_TEST(urls_in_the_environment_become_vaults)
{
    drop_system();
    setenv("KVPKCS11_VAULT_URL",
           " https://Contoso.vault.azure.net , https://contoso.managedhsm.azure.net/,,"
           "https://127.0.0.1:8443,http://[::1]:80,"
           "https://a-name-that-is-longer-than-any-label.example,"
           "https://a-name-that-is-longer-than-any-label.example:1,ftp://x, https://u@x ",
           1);

    ck_assert_int_eq(kvp_config_load(&config, &problems, &error), KVP_ERR_CONFIG);

    ck_assert_ptr_null(config->path);
    ck_assert_uint_eq(config->vault_count, 6);
    ck_assert_str_eq(config->vaults[0].name, "contoso");
    ck_assert_str_eq(config->vaults[0].url, "https://contoso.vault.azure.net");
    ck_assert_str_eq(config->vaults[0].credential, "default");
    ck_assert_str_eq(config->vaults[1].name, "contoso-2");
    ck_assert(config->vaults[1].managed_hsm);
    ck_assert_str_eq(config->vaults[2].name, "127.0.0.1");
    ck_assert_str_eq(config->vaults[3].name, "::1");
    ck_assert_str_eq(config->vaults[4].name, "a-name-that-is-longer-than-any-l");
    ck_assert_str_eq(config->vaults[5].name, "a-name-that-is-longer-than-any-2");
    ck_assert_uint_eq(problems.count, 2);
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "KVPKCS11_VAULT_URL:0: ftp://x"));
    ck_assert_ptr_nonnull(strstr(problems.lines[1], "user name"));
}
END_TEST

START_TEST(callers_may_ask_for_neither_problems_nor_error)
{
    write_bytes(in_dir("test.conf"), "nonsense", 8, 0600);
    ck_assert_int_eq(kvp_config_load_file(in_dir("test.conf"), &config, NULL, NULL),
                     KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(config);
    kvp_config_free(NULL);
    kvp_config_problems_clear(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *secret = tcase_create("private"), *place = tcase_create("places");
    TCase *all[] = { secret, place };
    SRunner *runner;
    int failed;

    tcase_add_loop_test(secret, a_secret_in_a_file_that_others_may_use_is_refused, 0, 5);
    tcase_add_test(secret, a_file_without_a_secret_may_be_read_by_all);
    tcase_add_loop_test(secret, a_secrets_own_file_must_be_private, 0, 2);
    tcase_add_test(secret, a_secret_in_somebody_elses_file_is_refused);
    tcase_add_test(place, the_first_file_that_there_is_counts);
    tcase_add_test(place, a_file_that_was_asked_for_must_be_there);
    tcase_add_test(place, what_is_no_regular_file_is_a_problem_and_hangs_nobody);
    tcase_add_test(place, a_file_without_end_is_a_problem);
    tcase_add_test(place, a_relative_name_is_relative_to_where_we_are_now);
    tcase_add_test(place,
                   a_default_file_that_may_not_be_read_is_a_problem_and_a_closed_directory_is_not);
    tcase_add_test(place, urls_in_the_environment_become_vaults);
    tcase_add_test(place, callers_may_ask_for_neither_problems_nor_error);
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
