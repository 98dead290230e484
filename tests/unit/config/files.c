/* SPDX-License-Identifier: MIT */
/* Fixtures of the config room's tests; see files.h. */
#include "files.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char dir[128];
kvp_config *config;
kvp_config_problems problems;
kvp_error error;

void write_bytes(const char *path, const char *text, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

const char *in_dir(const char *name)
{
    static char path[4][200];
    static unsigned next;
    char *at = path[next++ % 4];

    snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
    return at;
}

kvp_status load_bytes(const char *text, size_t len)
{
    write_bytes(in_dir("test.conf"), text, len, 0600);
    return kvp_config_load_file(in_dir("test.conf"), &config, &problems, &error);
}

kvp_status load(const char *text)
{
    return load_bytes(text, strlen(text));
}

void unload(void)
{
    kvp_config_free(config);
    config = NULL;
    kvp_config_problems_clear(&problems);
}

/* Load @text, which is fine. */
void load_good(const char *text)
{
    kvp_status st = load(text);

    ck_assert_msg(st == KVP_OK, "%s", error.message);
    ck_assert_uint_eq(problems.count, 0);
}

/* Load @text, and expect that exactly one problem is in @line and says @what. */
void load_bad(const char *text, int line, const char *what)
{
    char start[300];

    ck_assert_int_eq(load(text), KVP_ERR_CONFIG);
    ck_assert_msg(problems.count == 1, "%zu problems; %s; %s", problems.count, problems.lines[0],
                  problems.count > 1 ? problems.lines[1] : "");
    snprintf(start, sizeof(start), "%s:%d: ", in_dir("test.conf"), line);
    ck_assert_msg(strncmp(problems.lines[0], start, strlen(start)) == 0, "%s", problems.lines[0]);
    ck_assert_msg(strstr(problems.lines[0], what) != NULL, "%s", problems.lines[0]);
    ck_assert_msg(strstr(problems.lines[0], "allowed: ") != NULL, "%s", problems.lines[0]);
    ck_assert_str_eq(error.message, problems.lines[0]);
}

void make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/kvp-config-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    unsetenv("KVPKCS11_CONF");
    unsetenv("KVPKCS11_VAULT_URL");
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", dir, 1);
}

void drop_dir(void)
{
    static const char *const files[] = { "test.conf", "secret", "kvpkcs11/kvpkcs11.conf", "fifo",
                                         ".config/kvpkcs11/kvpkcs11.conf" };
    static const char *const dirs[] = { "kvpkcs11", ".config/kvpkcs11", ".config", "closed" };

    unload();
    for (size_t i = 0; i < KVP_ARRAY_LEN(files); i++)
        unlink(in_dir(files[i]));
    for (size_t i = 0; i < KVP_ARRAY_LEN(dirs); i++)
        rmdir(in_dir(dirs[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}
