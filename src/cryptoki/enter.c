/* SPDX-License-Identifier: MIT */
/* The first and the last thing that every call does; see enter.h. */
#include "cryptoki/enter.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* This thread is inside one of our functions. */
static __thread bool inside;

CK_RV kvp_enter_thread(void)
{
    if (inside)
        return CKR_FUNCTION_FAILED;
    inside = true;
    return CKR_OK;
}

void kvp_leave_thread(void)
{
    inside = false;
}

CK_RV kvp_enter(kvp_call *call, const char *function)
{
    kvp_module *module;
    kvp_audit *audit;
    CK_RV rv = kvp_enter_thread();

    if (rv != CKR_OK)
        return rv;
    module = kvp_module_ref();
    if (!module) {
        kvp_leave_thread();
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    memset(call, 0, sizeof(*call));
    call->module = module;
    call->function = function;
    audit = kvp_module_audit(module);
    if (kvp_audit_wanted(audit) || kvp_log_wanted(audit, KVP_LOG_TRACE)) {
        call->start_us = kvp_clock_mono_us();
        call->start_wall_us = kvp_clock_wall_us();
    }
    return CKR_OK;
}

/* ---- the diagnostics line ---- */

typedef struct line {
    char text[1536];
    size_t len;
} line;

KVP_PRINTF(2, 3) static void add(line *l, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, args);
    va_end(args);
    if (len > 0)
        l->len += (size_t)len < sizeof(l->text) - l->len ? (size_t)len
                                                         : sizeof(l->text) - l->len - 1;
}

static const char *object_of(const kvp_call *call)
{
    return call->object_id[0] ? call->object_id : call->trace.object_id;
}

static void describe(const kvp_call *call, CK_RV rv, line *l)
{
    const kvp_error *error = &call->error;
    const char *request_id = error->request_id[0] ? error->request_id : call->trace.request_id;

    add(l, "%s: %s", call->function, kvp_ckr_name(rv));
    if (call->slot)
        add(l, ", token %s", call->slot->config->name);
    if (call->has_mechanism)
        add(l, ", %s", kvp_ckm_name(call->mechanism));
    if (object_of(call)[0])
        add(l, ", %s", object_of(call));
    if (error->status == KVP_OK)
        return;
    add(l, ":");
    if (error->http_status)
        add(l, " HTTP %d", error->http_status);
    if (error->code[0])
        add(l, " %s", error->code);
    if (error->inner_code[0])
        add(l, " (%s)", error->inner_code);
    add(l, "%s%s", error->http_status || error->code[0] ? ": " : " ",
        error->message[0] ? error->message : kvp_status_name(error->status));
    if (request_id[0])
        add(l, " [request %s]", request_id);
    add(l, " -- %s", kvp_error_row_find(error, call->kind)->advice);
}

/*
 * What a person should hear of at the level they asked for: an error if the vault cannot be used, a
 * warning if it refused this one thing, or cannot do it. An application's own mistakes are for
 * debugging only, and so is a signature that does not fit; trying mechanisms is no mistake.
 */
static kvp_log_level level_of(const kvp_call *call, CK_RV rv)
{
    if (rv == CKR_MECHANISM_INVALID)
        return KVP_LOG_INFO;
    switch (call->error.status) {
    case KVP_OK:
    case KVP_ERR_MISMATCH:
        return KVP_LOG_DEBUG;
    case KVP_ERR_HTTP:
        return call->error.http_status < 500 && call->error.http_status != 401 ? KVP_LOG_WARNING
                                                                             : KVP_LOG_ERROR;
    case KVP_ERR_NOT_FOUND:
    case KVP_ERR_INVALID:
    case KVP_ERR_UNSUPPORTED:
    case KVP_ERR_CLOSED:
        return KVP_LOG_WARNING;
    default:
        return KVP_LOG_ERROR;
    }
}

static void log_failure(const kvp_call *call, kvp_audit *audit, CK_RV rv)
{
    kvp_log_level level = level_of(call, rv);
    line l = { "", 0 };

    if (!kvp_log_wanted(audit, level))
        return;
    describe(call, rv, &l);
    kvp_log(audit, level, "%s", l.text);
}

static void write_record(const kvp_call *call, kvp_audit *audit, CK_RV rv)
{
    const kvp_audit_event event = {
        .start_wall_us = call->start_wall_us,
        .duration_us = kvp_clock_mono_us() - call->start_us,
        .token = call->slot ? call->slot->config->name : NULL,
        .operation = call->operation,
        .function = call->function,
        .mechanism = call->has_mechanism ? kvp_ckm_name(call->mechanism) : NULL,
        .object = object_of(call)[0] ? object_of(call) : NULL,
        .result = kvp_ckr_name(rv),
        .where = call->remote ? "vault" : "local",
        .http_status = call->trace.http_status,
        .attempts = call->trace.attempts,
        .client_request_id = call->trace.client_request_id,
        .request_id = call->trace.request_id,
    };

    kvp_audit_write(audit, &event);
}

CK_RV kvp_leave(kvp_call *call, CK_RV rv)
{
    kvp_audit *audit = kvp_module_audit(call->module);

    if (rv != CKR_OK)
        log_failure(call, audit, rv);
    if (call->note[0])
        kvp_log(audit, KVP_LOG_INFO, "%s: %s: %s", call->function,
                call->slot ? call->slot->config->name : "", call->note);
    if (call->operation && kvp_audit_wanted(audit))
        write_record(call, audit, rv);
    if (kvp_log_wanted(audit, KVP_LOG_TRACE))
        kvp_log(audit, KVP_LOG_TRACE, "%s = %s, %lld us", call->function, kvp_ckr_name(rv),
                (long long)(kvp_clock_mono_us() - call->start_us));
    kvp_session_unref(call->session);
    kvp_module_unref(call->module);
    kvp_leave_thread();
    return rv;
}
