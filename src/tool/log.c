/* SPDX-License-Identifier: MIT */
/* kvpkcs11 log: the audit log, filtered, for people or as it is; and followed. */
#include "tool/log.h"
#include "tool/tool.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tool/when.h"

#include <stdlib.h>

#define POLL_MS 250
#define ROWS_AT_ONCE 500 /* rows that decide together how wide the columns are */

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' }, { "file", required_argument, NULL, 'F' },
    { "follow", no_argument, NULL, 'f' },       { "since", required_argument, NULL, 's' },
    { "token", required_argument, NULL, 't' },  { "object", required_argument, NULL, 'o' },
    { "failed", no_argument, NULL, 'x' },       { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
};

typedef struct log_run {
    const char *argv0, *config_path, *file_path;
    bool follow, json;
    kvp_log_filter filter;
    kvp_table table;
    FILE *out, *err;
    unsigned long no_records;
} log_run;

static kvp_status take_line(void *user, const char *text, size_t len)
{
    log_run *run = user;
    kvp_status st = kvp_log_take(text, len, &run->filter, &run->table, run->json ? run->out : NULL);

    if (st == KVP_ERR_PARSE) {
        run->no_records++;
        st = KVP_OK;
    }
    if (run->table.row_count >= ROWS_AT_ONCE)
        kvp_table_flush(&run->table, run->out);
    return st;
}

/* Where the records are: only a file can be read. Fills @ret_path, or says on err why it cannot. */
static int find_file(const log_run *run, const kvp_config *config, const char **ret_path)
{
    switch (config->audit.kind) {
    case KVP_SINK_FILE:
        *ret_path = config->audit.path;
        return KVP_EXIT_OK;
    case KVP_SINK_SYSLOG:
        return kvp_tool_fail(run->argv0, run->err,
                             "audit = syslog: the records are in the system's "
                             "log, not in a file of their own");
    case KVP_SINK_JOURNALD:
        return kvp_tool_fail(run->argv0, run->err,
                             "audit = journald: read the records with "
                             "`journalctl SYSLOG_IDENTIFIER=kvpkcs11`");
    case KVP_SINK_STDERR:
        return kvp_tool_fail(run->argv0, run->err,
                             "audit = stderr: the records went to the "
                             "standard error of each application");
    case KVP_SINK_NONE:
        break;
    }
    return kvp_tool_fail(run->argv0, run->err,
                         "no audit log is configured: set audit = file:PATH "
                         "in the section [kvpkcs11] of %s",
                         config->path ? config->path : "a configuration file");
}

static int read_all(log_run *run, const char *path)
{
    kvp_log_file file;
    kvp_error error;
    kvp_status st;

    kvp_log_file_init(&file, path);
    for (;;) {
        kvp_error_clear(&error);
        st = kvp_log_file_read(&file, take_line, run, &error);
        kvp_table_flush(&run->table, run->out);
        if (!run->follow || (st != KVP_OK && st != KVP_ERR_NOT_FOUND))
            break;
        if (fflush(run->out) != 0 || ferror(run->out))
            break; /* nobody reads any more: the caller says so */
        kvp_clock_sleep_ms(POLL_MS);
    }
    kvp_log_file_clear(&file);
    if (run->no_records > 0)
        kvp_tool_fail(run->argv0, run->err, "%lu lines of %s are no records", run->no_records,
                      path);
    return st == KVP_OK ? KVP_EXIT_OK : kvp_tool_fail(run->argv0, run->err, "%s", error.message);
}

static int parse_options(int argc, char **argv, log_run *run)
{
    int option, status = KVP_EXIT_OK;

    while ((option = kvp_option_next(argc, argv, ":c:F:fs:t:o:xjh", options, run->out, run->err,
                                     &status)) != -1) {
        switch (option) {
        case 'c':
            run->config_path = optarg;
            break;
        case 'F':
            run->file_path = optarg;
            break;
        case 'f':
            run->follow = true;
            break;
        case 's':
            run->filter.has_since =
                kvp_when_parse(optarg, kvp_clock_wall_us(), &run->filter.since_us);
            if (!run->filter.has_since) {
                kvp_usage_error(argv[0], run->err,
                                "--since %s is no time: write 2026-01-31, "
                                "2026-01-31T12:00:00Z, or 90s, 15m, 2h, 3d, 1w ago",
                                optarg);
                return KVP_EXIT_USAGE;
            }
            break;
        case 't':
            run->filter.token = optarg;
            break;
        case 'o':
            run->filter.object = optarg;
            break;
        case 'x':
            run->filter.failed = true;
            break;
        case 'j':
            run->json = true;
            break;
        default:
            return status == KVP_EXIT_OK ? KVP_OPTION_LEAVE : status;
        }
    }
    if (optind < argc)
        return kvp_usage_error(argv[0], run->err, "`%s` is one argument too many", argv[optind]);
    return KVP_EXIT_OK;
}

int kvp_log_run(int argc, char **argv, FILE *out, FILE *err)
{
    log_run run = { .argv0 = argv[0], .out = out, .err = err };
    KVP_CLEANUP(kvp_config_freep) kvp_config *config = NULL;
    int status = parse_options(argc, argv, &run);
    const char *path = run.file_path;

    if (status != KVP_EXIT_OK)
        return status == KVP_OPTION_LEAVE ? KVP_EXIT_OK : status;
    if (!path) {
        if (kvp_tool_config(argv[0], run.config_path, &config, err) != KVP_OK && !config)
            return KVP_EXIT_FAILED;
        status = find_file(&run, config, &path);
    }
    if (status != KVP_EXIT_OK)
        return status;
    kvp_table_init(&run.table, kvp_log_heads);
    status = read_all(&run, path);
    kvp_table_clear(&run.table);
    return status;
}
