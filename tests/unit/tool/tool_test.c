/* SPDX-License-Identifier: MIT */
/* Fixtures of the tool room's tests; see tool_test.h. */
#include "tool_test.h"

#include "tool/tool.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char tool_out[65536], tool_err[16384];
static char dir[64];

void tool_test_setup(void)
{
    static const char *const names[] = { "KVPKCS11_CONF", "KVPKCS11_VAULT_URL", "XDG_CONFIG_HOME",
                                         "https_proxy",   "HTTPS_PROXY",        "all_proxy",
                                         "ALL_PROXY" };

    snprintf(dir, sizeof(dir), "/tmp/kvp-tool-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    setenv("HOME", dir, 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void tool_test_teardown(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text, const char *mode)
{
    FILE *file = fopen(name, mode);

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
    ck_assert_int_eq(fclose(file), 0);
}

void tool_test_write(const char *name, const char *text)
{
    write_file(name, text, "w");
}

void tool_test_append(const char *name, const char *text)
{
    write_file(name, text, "a");
}

void tool_take_output(FILE *file, char *ret, size_t size)
{
    size_t len;

    rewind(file);
    len = fread(ret, 1, size - 1, file);
    ret[len] = '\0';
    fclose(file);
}

int tool_run(const char *first, ...)
{
    char program[] = "kvpkcs11", *argv[32] = { program }, *copies[32];
    FILE *out = tmpfile(), *err = tmpfile();
    int argc = 1, count = 0, status;
    va_list args;

    ck_assert_ptr_nonnull(out);
    ck_assert_ptr_nonnull(err);
    va_start(args, first);
    for (const char *arg = first; arg && argc < 31; arg = va_arg(args, const char *))
        argv[argc++] = copies[count++] = strdup(arg);
    va_end(args);
    status = kvp_tool_main(argc, argv, out, err);
    while (count > 0)
        free(copies[--count]);
    tool_take_output(out, tool_out, sizeof(tool_out));
    tool_take_output(err, tool_err, sizeof(tool_err));
    return status;
}

int tool_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
