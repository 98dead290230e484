/* SPDX-License-Identifier: MIT */
/* The audit record: one JSON object a line, its members always in the order of the contract. */
#include "audit/internal.h"
#include "base/clock.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* @text as JSON, null for none. Bytes that are no UTF-8 (a label, a program's name) become '?'. */
static json_t *text_or_null(const char *text)
{
    char plain[1024];
    json_t *value;

    if (!text || !*text)
        return json_null();
    value = json_string(text);
    if (value)
        return value;
    kvp_copy_printable(plain, sizeof(plain), text);
    for (char *at = plain; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return json_string(plain);
}

static json_t *number_or_null(long long number)
{
    return number ? json_integer(number) : json_null();
}

static json_t *build(kvp_audit *audit, const kvp_audit_event *event)
{
    int64_t when = event->start_wall_us ? event->start_wall_us : kvp_clock_wall_us();
    char time[32], user[40];
    json_t *object = json_object();
    const struct {
        const char *name;
        json_t *value;
    } members[] = {
        { "time", (kvp_clock_format(when, time, sizeof(time)), json_string(time)) },
        { "pid", json_integer(getpid()) },
        { "process", text_or_null(audit->process) },
        { "user", (kvp_user_name(audit, user), text_or_null(user)) },
        { "token", text_or_null(event->token) },
        { "operation", text_or_null(event->operation) },
        { "function", text_or_null(event->function) },
        { "mechanism", text_or_null(event->mechanism) },
        { "object", text_or_null(event->object) },
        { "result", text_or_null(event->result) },
        { "where", text_or_null(event->where) },
        { "http_status", number_or_null(event->http_status) },
        { "attempts", json_integer(event->attempts) },
        { "duration_us", json_integer(event->duration_us) },
        { "client_request_id", text_or_null(event->client_request_id) },
        { "request_id", text_or_null(event->request_id) },
    };
    int failed = object ? 0 : 1;

    /* Each value is given away, also when an earlier one failed. */
    for (size_t i = 0; i < KVP_ARRAY_LEN(members); i++)
        if (json_object_set_new(object, members[i].name, members[i].value) != 0)
            failed = 1;
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/*
 * json_dumpb and not json_dumps: what that returns would have to go to free(), and libjansson's
 * malloc need not be ours.
 */
size_t kvp_event_format(kvp_audit *audit, const kvp_audit_event *event, char *dst, size_t size)
{
    json_t *object = build(audit, event);
    size_t len;

    if (!object)
        return 0;
    len = json_dumpb(object, dst, size - 2, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(object);
    if (len == 0 || len > size - 2)
        return 0;
    dst[len] = '\0';
    kvp_redact(dst);
    len = strlen(dst);
    dst[len++] = '\n';
    dst[len] = '\0';
    return len;
}
