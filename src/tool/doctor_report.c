/* SPDX-License-Identifier: MIT */
/* What doctor says: a line a check for people, or one JSON object at the end. */
#include "tool/doctor.h"

#include "base/alloc.h"
#include "tool/text.h"
#include "tool/tool.h"

#include <stdarg.h>
#include <string.h>

#define TEXT_MAX 1024

/* As people read them, and in JSON. */
static const struct {
    const char *word, *key;
} results[KVP_CHECK_COUNT] = {
    [KVP_CHECK_OK] = { "ok", "ok" },
    [KVP_CHECK_WARN] = { "warn", "warn" },
    [KVP_CHECK_FAIL] = { "FAIL", "fail" },
};

void kvp_doctor_start(kvp_doctor *doctor)
{
    if (doctor->json)
        doctor->checks = json_array();
}

/* Out of memory: the report would be incomplete, so there is none, and finish says so. */
static void drop_report(kvp_doctor *doctor)
{
    json_decref(doctor->checks);
    doctor->checks = NULL;
}

static int set_text(json_t *object, const char *name, const char *value)
{
    return json_object_set_new(object, name, value ? json_string(value) : json_null());
}

static void add_json(kvp_doctor *doctor, kvp_check_result result, const char *check,
                     const char *text, const char *advice)
{
    json_t *entry = json_object();
    int failed = set_text(entry, "result", results[result].key);

    failed |= set_text(entry, "vault", doctor->vault);
    failed |= set_text(entry, "check", check);
    failed |= set_text(entry, "text", text);
    failed |= set_text(entry, "advice", advice);
    if (failed) {
        json_decref(entry);
        entry = NULL;
    }
    if (json_array_append_new(doctor->checks, entry) != 0)
        drop_report(doctor);
}

static void report(kvp_doctor *doctor, kvp_check_result result, const char *check,
                   const char *advice, const char *text)
{
    char *clean = kvp_text_clean_dup(text, strlen(text));
    char *clean_advice = advice ? kvp_text_clean_dup(advice, strlen(advice)) : NULL;

    doctor->counts[result]++;
    if (doctor->json) {
        if (clean && (clean_advice || !advice))
            add_json(doctor, result, check, clean, clean_advice);
        else
            drop_report(doctor);
    } else {
        fprintf(doctor->out, "%-4s  %s%s%s: %s\n", results[result].word,
                doctor->vault ? doctor->vault : "", doctor->vault ? ": " : "", check,
                clean ? clean : "out of memory");
        if (clean_advice)
            fprintf(doctor->out, "      -> %s\n", clean_advice);
        fflush(doctor->out); /* the next step may take its time */
    }
    kvp_free(clean);
    kvp_free(clean_advice);
}

void kvp_doctor_check(kvp_doctor *doctor, kvp_check_result result, const char *check,
                      const char *advice, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report(doctor, result, check, advice, text);
}

void kvp_doctor_failed(kvp_doctor *doctor, const char *check, const char *advice,
                       const kvp_error *error)
{
    kvp_buf text = KVP_BUF_INIT(TEXT_MAX);
    kvp_status st = kvp_buf_append_str(&text, error->message[0] ? error->message
                                                                : kvp_status_name(error->status));

    if (st == KVP_OK && error->http_status)
        st = kvp_buf_append_fmt(&text, " (HTTP %d%s%s%s%s%s%s)", error->http_status,
                                error->code[0] ? ", " : "", error->code,
                                error->inner_code[0] ? "/" : "", error->inner_code,
                                error->request_id[0] ? ", request " : "", error->request_id);
    report(doctor, KVP_CHECK_FAIL, check, advice,
           st == KVP_OK ? kvp_buf_str(&text) : error->message);
    kvp_buf_clear(&text);
}

void kvp_doctor_detail(kvp_doctor *doctor, const char *fmt, ...)
{
    char text[TEXT_MAX], *clean;
    va_list args;

    if (!doctor->verbose || doctor->json)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    clean = kvp_text_clean_dup(text, strlen(text));
    fprintf(doctor->out, "      %s\n", clean ? clean : "out of memory");
    kvp_free(clean);
}

static int finish_json(kvp_doctor *doctor)
{
    json_t *made = json_object();
    int failed = json_object_set(made, "checks", doctor->checks);

    for (int i = 0; i < KVP_CHECK_COUNT; i++)
        failed |=
            json_object_set_new(made, results[i].key, json_integer((json_int_t)doctor->counts[i]));
    if (!failed) {
        failed = json_dumpf(made, doctor->out, JSON_INDENT(2));
        fputc('\n', doctor->out);
    }
    json_decref(made);
    drop_report(doctor);
    return failed;
}

int kvp_doctor_finish(kvp_doctor *doctor)
{
    int failed = 0;

    if (doctor->json)
        failed = finish_json(doctor);
    else
        fprintf(doctor->out, "\n%zu ok, %zu warnings, %zu failed\n", doctor->counts[KVP_CHECK_OK],
                doctor->counts[KVP_CHECK_WARN], doctor->counts[KVP_CHECK_FAIL]);
    return failed || doctor->counts[KVP_CHECK_FAIL] > 0 ? KVP_EXIT_FAILED : KVP_EXIT_OK;
}
