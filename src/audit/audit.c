/* SPDX-License-Identifier: MIT */
/* The two logs of a module, and what becomes of a line that cannot be written. */
#include "audit/audit.h"
#include "audit/internal.h"
#include "base/alloc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

kvp_status kvp_audit_new(const kvp_sink_setting *audit, const kvp_sink_setting *log,
                         kvp_log_level level, kvp_audit **ret, kvp_error *reterr)
{
    kvp_audit *fresh = kvp_calloc(1, sizeof(*fresh));
    kvp_status st;

    if (!fresh)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "logs");
    /*
     * Otherwise jansson seeds its hashes at the first object, while other threads spin for it: a
     * child that is forked in that moment would spin for good. Here C_Initialize is alone.
     */
    json_object_seed(0);
    fresh->level = level;
    kvp_copy_printable(fresh->process, sizeof(fresh->process), program_invocation_short_name);
    atomic_init(&fresh->users, NULL);
    st = kvp_sink_init(&fresh->audit, audit, LOG_AUTHPRIV);
    if (st == KVP_OK) {
        st = kvp_sink_init(&fresh->log, log, LOG_USER);
        if (st == KVP_OK) {
            *ret = fresh;
            return KVP_OK;
        }
        kvp_sink_clear(&fresh->audit);
    }
    kvp_free(fresh);
    return kvp_error_set(reterr, st, "logs");
}

void kvp_audit_free(kvp_audit *audit)
{
    kvp_user *user;

    if (!audit)
        return;
    kvp_sink_clear(&audit->audit);
    kvp_sink_clear(&audit->log);
    user = atomic_load(&audit->users);
    while (user) {
        kvp_user *next = user->next;
        kvp_free(user);
        user = next;
    }
    kvp_free(audit);
}

bool kvp_audit_wanted(const kvp_audit *audit)
{
    return audit && audit->audit.ops;
}

bool kvp_log_wanted(const kvp_audit *audit, kvp_log_level level)
{
    return audit && audit->log.ops && level <= audit->level;
}

static void KVP_PRINTF(4, 0)
put_log(kvp_audit *audit, kvp_log_level level, int *ret_error, const char *fmt, va_list args)
{
    char line[KVP_LINE_MAX];
    size_t bare = 0;
    size_t len = kvp_log_format(audit, level, line, sizeof(line), &bare, fmt, args);

    *ret_error = kvp_sink_put(&audit->log, level, line, len, bare);
}

/* The log of diagnostics alone, without a report of its own failure. */
static void KVP_PRINTF(2, 3) complain(kvp_audit *audit, const char *fmt, ...)
{
    va_list args;
    int error;

    va_start(args, fmt);
    put_log(audit, KVP_LOG_ERROR, &error, fmt, args);
    va_end(args);
}

/* Whether this is the first failure in a row; a success starts a new row. */
static bool is_news(kvp_sink *sink, int error)
{
    if (error == 0) {
        if (atomic_load_explicit(&sink->reported, memory_order_relaxed))
            atomic_store(&sink->reported, false);
        return false;
    }
    return !atomic_exchange(&sink->reported, true);
}

void kvp_audit_write(kvp_audit *audit, const kvp_audit_event *event)
{
    char line[KVP_LINE_MAX];
    int saved = errno;
    size_t len;
    int error;

    if (!kvp_audit_wanted(audit))
        return;
    len = kvp_event_format(audit, event, line, sizeof(line));
    error = len ? kvp_sink_put(&audit->audit, KVP_LOG_INFO, line, len, 0) : ENOMEM;
    if (is_news(&audit->audit, error) && audit->log.ops)
        complain(audit, "the audit log %s cannot be written: %s; records are being lost",
                 audit->audit.path ? audit->audit.path : "", strerrorname_np(error));
    errno = saved;
}

/* That the diagnostics fail is told in the audit log, as a record of its own kind. */
static void record_failure(kvp_audit *audit, int error)
{
    char line[KVP_LINE_MAX];
    kvp_audit_event event = {
        .operation = "OpenLog",
        .object = audit->log.path,
        .result = strerrorname_np(error),
        .where = "local",
    };
    size_t len = kvp_event_format(audit, &event, line, sizeof(line));

    if (len)
        (void)kvp_sink_put(&audit->audit, KVP_LOG_ERROR, line, len, 0);
}

void kvp_log(kvp_audit *audit, kvp_log_level level, const char *fmt, ...)
{
    int saved = errno;
    va_list args;
    int error;

    if (!kvp_log_wanted(audit, level))
        return;
    va_start(args, fmt);
    put_log(audit, level, &error, fmt, args);
    va_end(args);
    if (is_news(&audit->log, error) && audit->audit.ops)
        record_failure(audit, error);
    errno = saved;
}
