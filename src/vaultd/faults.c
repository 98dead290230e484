/* SPDX-License-Identifier: MIT */
/* The queue of faults, its three routes, and what a fault does to an exchange. */
#include "config.h"

#include "vaultd/faults.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "vaultd/exchange.h"
#include "vaultd/routes.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 1000
#define TIMES_MAX 1000000
#define DELAY_MAX_MS 600000
#define HEADERS_MAX 8
#define PATH "/.faults"

const char *const kvp_fault_action_names[KVP_FAULT_ACTION_COUNT] = { "none", "status", "malformed",
                                                                     "truncate", "reset" };

/** The orders are immutable JSON, checked when they came, and shared by the exchanges that took
 * them. */
struct kvp_fault {
    json_t *order; /* owned by this copy alone */
    kvp_fault_action action;
    bool after;
    int status;
    int delay_ms;
};

/** One in the queue. */
typedef struct entry {
    kvp_fault fault;
    json_int_t times, used;
    struct entry *next;
} entry;

struct kvp_faults {
    kvp_lock lock;
    entry *first;
    KVP_GUARDED_BY(lock)
    size_t count;
    KVP_GUARDED_BY(lock)
};

kvp_faults *kvp_faults_new(void)
{
    kvp_faults *faults = kvp_calloc(1, sizeof(*faults));

    if (faults && kvp_lock_init(&faults->lock, KVP_RANK_CACHE) != KVP_OK) {
        kvp_free(faults);
        return NULL;
    }
    return faults;
}

static void entry_free(entry *e)
{
    json_decref(e->fault.order);
    kvp_free(e);
}

static void empty(kvp_faults *faults)
{
    kvp_lock_take(&faults->lock);
    while (faults->first) {
        entry *next = faults->first->next;
        entry_free(faults->first);
        faults->first = next;
    }
    faults->count = 0;
    kvp_lock_give(&faults->lock);
}

void kvp_faults_free(kvp_faults *faults)
{
    if (!faults)
        return;
    empty(faults);
    kvp_lock_clear(&faults->lock);
    kvp_free(faults);
}

void kvp_fault_free(kvp_fault *fault)
{
    if (!fault)
        return;
    json_decref(fault->order);
    kvp_free(fault);
}

kvp_fault_action kvp_fault_on_wire(const kvp_fault *fault)
{
    return fault && (fault->action == KVP_FAULT_TRUNCATE || fault->action == KVP_FAULT_RESET)
               ? fault->action
               : KVP_FAULT_NONE;
}

/* --- orders ---------------------------------------------------------------------------------- */

static bool refuse_member(kvp_exchange *ex, const char *name)
{
    kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
    return false;
}

static bool read_number(kvp_exchange *ex, const json_t *order, const char *name, json_int_t least,
                        json_int_t most, json_int_t *ret)
{
    if (!kvp_member_integer(ex, order, name, false, ret))
        return false;
    if (json_object_get(order, name) && (*ret < least || *ret > most))
        return refuse_member(ex, name);
    return true;
}

static bool check_headers(kvp_exchange *ex, const json_t *order)
{
    const json_t *headers;
    const char *name;
    json_t *value;

    if (!kvp_member_object(ex, order, "headers", &headers))
        return false;
    if (json_object_size(headers) > HEADERS_MAX)
        return refuse_member(ex, "headers");
    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || !*name || strpbrk(text, "\r\n") || strpbrk(name, "\r\n: "))
            return refuse_member(ex, "headers");
    }
    return true;
}

static bool check_match(kvp_exchange *ex, const json_t *order)
{
    static const char *const names[] = { "method", "path", "operation" };
    const char *text;
    const json_t *match;

    if (!kvp_member_object(ex, order, "match", &match))
        return false;
    for (size_t i = 0; match && i < KVP_ARRAY_LEN(names); i++) {
        if (!kvp_member_string(ex, match, names[i], false, &text))
            return false;
    }
    return true;
}

static bool read_action(kvp_exchange *ex, const json_t *order, kvp_fault *fault)
{
    const char *name = fault->status ? "status" : "none", *when = "before";

    if (!kvp_member_string(ex, order, "action", false, &name) ||
        !kvp_member_string(ex, order, "when", false, &when))
        return false;
    int action = 0;
    while (action < KVP_FAULT_ACTION_COUNT && strcmp(kvp_fault_action_names[action], name) != 0)
        action++;
    if (action == KVP_FAULT_ACTION_COUNT || (action == KVP_FAULT_STATUS) != (fault->status != 0))
        return refuse_member(ex, "action");
    if (strcmp(when, "before") != 0 && strcmp(when, "after") != 0)
        return refuse_member(ex, "when");
    fault->action = (kvp_fault_action)action;
    fault->after = strcmp(when, "after") == 0;
    return true;
}

/* Check one order and append it to *tail; false after refusing. */
static bool read_order(kvp_exchange *ex, const json_t *order, entry **tail)
{
    json_int_t times = 1, delay_ms = 0, status = 0;
    kvp_fault fault = { .order = NULL };

    if (!json_is_object(order))
        return refuse_member(ex, "faults");
    if (!read_number(ex, order, "times", 1, TIMES_MAX, &times) ||
        !read_number(ex, order, "delay_ms", 0, DELAY_MAX_MS, &delay_ms) ||
        !read_number(ex, order, "status", 200, 599, &status) || !check_headers(ex, order) ||
        !check_match(ex, order))
        return false;
    fault.status = (int)status;
    fault.delay_ms = (int)delay_ms;
    if (!read_action(ex, order, &fault))
        return false;
    entry *e = kvp_calloc(1, sizeof(*e));
    fault.order = json_deep_copy(order);
    if (!e || !fault.order) {
        json_decref(fault.order);
        kvp_free(e);
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        return false;
    }
    e->fault = fault;
    e->times = times;
    *tail = e;
    return true;
}

static bool append(kvp_faults *faults, entry *take, size_t count)
{
    kvp_lock_take(&faults->lock);
    bool room = faults->count + count <= QUEUE_MAX;
    if (room) {
        entry **tail = &faults->first;
        while (*tail)
            tail = &(*tail)->next;
        *tail = take;
        faults->count += count;
    }
    kvp_lock_give(&faults->lock);
    return room;
}

void kvp_faults_add(kvp_exchange *ex)
{
    const json_t *several;
    entry *first = NULL, **tail = &first;
    size_t count = 0;
    bool ok = kvp_member_array(ex, ex->json, "faults", &several);

    if (ok && !several) {
        ok = read_order(ex, ex->json, tail);
        count = 1;
    }
    for (; ok && count < json_array_size(several); count++) {
        ok = read_order(ex, json_array_get(several, count), tail);
        if (ok)
            tail = &(*tail)->next;
    }
    if (ok && !append(ex->daemon->faults, first, count))
        ok = refuse_member(ex, "faults");
    if (ok) {
        ex->status = 204;
        return;
    }
    while (first) {
        entry *next = first->next;
        entry_free(first);
        first = next;
    }
}

void kvp_faults_list(kvp_exchange *ex)
{
    kvp_faults *faults = ex->daemon->faults;
    json_t *list = json_array();
    bool ok = list != NULL;

    kvp_lock_take(&faults->lock);
    for (const entry *e = faults->first; e && ok; e = e->next) {
        json_t *shown = json_deep_copy(e->fault.order);
        ok = shown && json_object_set_new(shown, "times", json_integer(e->times)) == 0 &&
             json_object_set_new(shown, "used", json_integer(e->used)) == 0 &&
             json_array_append(list, shown) == 0;
        json_decref(shown);
    }
    kvp_lock_give(&faults->lock);
    kvp_exchange_reply_take(ex, 200, ok ? json_pack("{s:O}", "faults", list) : NULL);
    json_decref(list);
}

void kvp_faults_delete(kvp_exchange *ex)
{
    empty(ex->daemon->faults);
    ex->status = 204;
}

/* --- use ------------------------------------------------------------------------------------- */

static bool matches(const json_t *order, const kvp_exchange *ex, const char *path)
{
    const json_t *match = json_object_get(order, "match");
    const char *method = json_string_value(json_object_get(match, "method"));
    const char *glob = json_string_value(json_object_get(match, "path"));
    const char *operation = json_string_value(json_object_get(match, "operation"));
    const char *is = ex->route && ex->route->operation ? ex->route->operation : "";

    return (!method || kvp_ident_casecmp(method, ex->method) == 0) &&
           (!glob || fnmatch(glob, path, FNM_CASEFOLD) == 0) &&
           (!operation || kvp_ident_casecmp(operation, is) == 0);
}

/* Use up one of the first entry that matches: a copy of its fault, or NULL. */
static kvp_fault *take_fault(kvp_faults *faults, const kvp_exchange *ex, const char *path)
{
    kvp_fault *taken = NULL;

    kvp_lock_take(&faults->lock);
    for (entry **link = &faults->first; *link; link = &(*link)->next) {
        entry *e = *link;
        if (!matches(e->fault.order, ex, path))
            continue;
        taken = kvp_calloc(1, sizeof(*taken));
        json_t *copy = json_deep_copy(e->fault.order);
        if (!taken || !copy) { /* it stays for the next one */
            json_decref(copy);
            kvp_free(taken);
            taken = NULL;
            break;
        }
        *taken = e->fault;
        taken->order = copy;
        e->used++;
        if (--e->times == 0) {
            *link = e->next;
            faults->count--;
            entry_free(e);
        }
        break;
    }
    kvp_lock_give(&faults->lock);
    return taken;
}

static const char *code_of(int status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = { { 401, "Unauthorized" },      { 403, "Forbidden" },
                  { 404, "NotFound" },          { 409, "Conflict" },
                  { 429, "Throttled" },         { 500, "InternalServerError" },
                  { 503, "ServiceUnavailable" } };

    for (size_t i = 0; i < KVP_ARRAY_LEN(codes); i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    return "Fault";
}

/* The order's own answer: a text as it stands, any other JSON written out, an error if there is
 * none. */
static void answer(kvp_exchange *ex, const kvp_fault *fault)
{
    const json_t *body = json_object_get(fault->order, "body");
    const char *text = json_string_value(body);

    kvp_buf_clear(&ex->reply);
    if (text) {
        if (kvp_buf_set(&ex->reply, text, json_string_length(body)) == KVP_OK)
            ex->status = fault->status;
        else
            kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    } else {
        kvp_exchange_reply_take(ex, fault->status,
                                body ? json_deep_copy(body)
                                     : json_pack("{s:{s:s, s:s}}", "error", "code",
                                                 code_of(fault->status), "message",
                                                 "A fault that was ordered."));
    }
    snprintf(ex->error_message, sizeof(ex->error_message), "A fault that was ordered.");
}

static void add_ordered_headers(kvp_exchange *ex, const kvp_fault *fault)
{
    json_t *headers = json_object_get(fault->order, "headers"), *value;
    const char *name;

    /* The names live as long as the order, which the exchange owns. One of ours gives way. */
    json_object_foreach(headers, name, value)
    {
        for (size_t i = 0; i < ex->header_count; i++) {
            if (kvp_ident_casecmp(ex->headers[i].name, name) != 0)
                continue;
            kvp_free(ex->headers[i].value);
            ex->headers[i] = ex->headers[--ex->header_count];
            break;
        }
        kvp_exchange_header(ex, name, json_string_value(value));
    }
}

bool kvp_faults_before(kvp_exchange *ex)
{
    char path[2048];

    if (!ex->daemon->faults)
        return false;
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(ex->target, "?"), ex->target);
    if (strcmp(path, PATH) == 0)
        return false;
    if (kvp_route_match(ex, true) != 0)
        kvp_route_match(ex, false);
    ex->fault = take_fault(ex->daemon->faults, ex, path);
    if (ex->fault && ex->fault->delay_ms > 0)
        kvp_clock_sleep_ms(ex->fault->delay_ms);
    if (ex->fault && !ex->fault->after && ex->fault->action == KVP_FAULT_STATUS) {
        answer(ex, ex->fault);
        return true;
    }
    if (ex->fault && !ex->fault->after && ex->fault->action == KVP_FAULT_RESET) {
        ex->status = 500; /* nobody will see it but the usage log */
        return true;
    }
    /* The checks go their own way: what was matched here is found again, at its place among them.
     */
    ex->route = NULL;
    ex->name = ex->version = "";
    return false;
}

void kvp_faults_after(kvp_exchange *ex)
{
    const kvp_fault *fault = ex->fault;

    if (!fault)
        return;
    if (fault->action == KVP_FAULT_STATUS && fault->after)
        answer(ex, fault);
    if (fault->action == KVP_FAULT_MALFORMED) {
        /* Without its end no JSON document is one; an empty answer becomes the beginning of one. */
        if (ex->reply.len > 1)
            ex->reply.len--;
        else if (kvp_buf_set(&ex->reply, "{\"value\":", 9) != KVP_OK)
            ex->status = 500;
    }
    add_ordered_headers(ex, fault);
}
