/* SPDX-License-Identifier: MIT */
/* Fixtures of the audit room's tests; see logs.h. */
#include "logs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char dir[128];
kvp_audit *audit;
char content[200000];

char *in_dir(const char *name)
{
    static _Thread_local char path[8][200];
    static _Thread_local unsigned next;
    char *at = path[next++ % 8];

    snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
    return at;
}

void make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/kvp-audit-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

void drop_dir(void)
{
    static const char *const files[] = { "audit", "log", "audit.1",  "socket",
                                         "fifo",  "out", "sub/audit" };

    kvp_audit_free(audit);
    audit = NULL;
    for (size_t i = 0; i < KVP_ARRAY_LEN(files); i++)
        unlink(in_dir(files[i]));
    rmdir(in_dir("sub"));
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Both logs to files named audit and log, unless another kind is given. */
void start(kvp_sink_kind audit_kind, char *audit_path, kvp_sink_kind log_kind, char *log_path)
{
    kvp_sink_setting a = { audit_kind, audit_path }, l = { log_kind, log_path };

    ck_assert_int_eq(kvp_audit_new(&a, &l, KVP_LOG_DEBUG, &audit, NULL), KVP_OK);
}

void start_files(void)
{
    start(KVP_SINK_FILE, in_dir("audit"), KVP_SINK_FILE, in_dir("log"));
}

const char *read_file(const char *path)
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

size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

const kvp_audit_event sign_event = {
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
