/* SPDX-License-Identifier: MIT */
/* One audit record: does it fit, and what of it is shown. Members are those of the audit room. */
#include "tool/log.h"

#include "base/alloc.h"
#include "tool/when.h"

#include <fnmatch.h>
#include <jansson.h>
#include <string.h>

const char *const kvp_log_heads[] = { "TIME",   "TOKEN", "OPERATION", "OBJECT",  "MECHANISM",
                                      "RESULT", "WHERE", "MS",        "PROCESS", NULL };

static const char *member(const json_t *record, const char *name)
{
    const char *value = json_string_value(json_object_get(record, name));

    return value ? value : "";
}

/* The last two parts of an identifier, NAME/VERSION; what is none as it is. */
static const char *short_object(const char *object)
{
    const char *at = strstr(object, "://");

    at = at ? strchr(at + 3, '/') : NULL; /* behind the host: /keys/NAME/VERSION */
    at = at ? strchr(at + 1, '/') : NULL;
    return at && at[1] ? at + 1 : object;
}

static bool object_fits(const char *glob, const char *object)
{
    const char *tail = short_object(object);
    size_t name_len = strcspn(tail, "/");
    char *name;
    bool fits;

    if (!object[0])
        return false;
    if (fnmatch(glob, object, FNM_CASEFOLD) == 0 || fnmatch(glob, tail, FNM_CASEFOLD) == 0)
        return true;
    name = kvp_strndup(tail, name_len);
    fits = name && fnmatch(glob, name, FNM_CASEFOLD) == 0;
    kvp_free(name);
    return fits;
}

static bool fits(const json_t *record, const kvp_log_filter *filter)
{
    int64_t time_us = 0;

    if (filter->has_since &&
        (!kvp_when_parse_rfc3339(member(record, "time"), &time_us) || time_us < filter->since_us))
        return false;
    if (filter->token && strcmp(member(record, "token"), filter->token) != 0)
        return false;
    if (filter->failed && strcmp(member(record, "result"), "CKR_OK") == 0)
        return false;
    return !filter->object || object_fits(filter->object, member(record, "object"));
}

/* Milliseconds are enough for reading: cut `…05.678901Z` to `…05.678Z`. */
static void short_time(const char *time, char *ret, size_t size)
{
    size_t len = strlen(time);

    kvp_copy_printable(ret, size, time);
    if (len == 27 && size > 27 && time[19] == '.' && time[26] == 'Z')
        memcpy(ret + 23, "Z", 2);
}

static kvp_status add(const json_t *record, kvp_table *table)
{
    char when[40], ms[32] = "", result[96], process[96];
    const json_t *duration = json_object_get(record, "duration_us");
    json_int_t http_status = json_integer_value(json_object_get(record, "http_status"));
    const char *answer = member(record, "result");

    short_time(member(record, "time"), when, sizeof(when));
    if (json_is_integer(duration))
        snprintf(ms, sizeof(ms), "%.1f", (double)json_integer_value(duration) / 1000.0);
    if (strcmp(answer, "CKR_OK") != 0 && http_status > 0)
        snprintf(result, sizeof(result), "%.60s (HTTP %lld)", answer, (long long)http_status);
    else
        snprintf(result, sizeof(result), "%.90s", answer);
    snprintf(process, sizeof(process), "%.64s[%lld]", member(record, "process"),
             (long long)json_integer_value(json_object_get(record, "pid")));
    {
        const char *cells[] = {
            when,
            member(record, "token"),
            member(record, "operation"),
            short_object(member(record, "object")),
            member(record, "mechanism"),
            result,
            member(record, "where"),
            ms,
            process,
        };
        return kvp_table_add(table, cells);
    }
}

kvp_status kvp_log_take(const char *line, size_t len, const kvp_log_filter *filter,
                        kvp_table *table, FILE *raw)
{
    json_error_t error;
    json_t *record = json_loadb(line, len, 0, &error);
    kvp_status st = KVP_OK;

    if (!json_is_object(record) || !json_is_string(json_object_get(record, "time"))) {
        json_decref(record);
        return KVP_ERR_PARSE;
    }
    if (fits(record, filter)) {
        if (!raw)
            st = add(record, table);
        else if (fwrite(line, 1, len, raw) != len || fputc('\n', raw) == EOF)
            st = KVP_ERR_IO;
    }
    json_decref(record);
    return st;
}
