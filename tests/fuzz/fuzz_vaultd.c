/* SPDX-License-Identifier: MIT */
/*
 * keyvaultd's request path, from request line, headers and body to the answer and the line in the
 * usage log, in a vault and in a Managed HSM, asked by their administrator. An input is a request:
 * `METHOD TARGET`, lines of headers, an empty line, the body; or an example of the service's
 * published definitions, whose parameters that are objects go as bodies to every route that takes
 * one. Whatever comes is answered in the service's words, never with a failure inside.
 */
#include "config.h"

#include "base/alloc.h"
#include "vaultd/datadir.h"
#include "vaultd/exchange.h"
#include "vaultd/files.h"
#include "vaultd/routes.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define METHOD_MAX 16
#define HOST "127.0.0.1:8443"
#define REQUESTS_OF_A_VAULT 20000 /* then a new one, so that none grows without end */
#define LINE_MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Everything of a daemon but its sockets. */
typedef struct fixture {
    char dir[64];
    kvp_daemon daemon;
    char tenant[KVP_UUID_SIZE], client_id[KVP_UUID_SIZE], secret[KVP_SECRET_SIZE];
    char token[KVP_SECRET_SIZE];
    int log; /* to read what was logged */
    long requests;
} fixture;

/** A request to be made; strings are borrowed, NULL = absent. */
typedef struct request {
    const char *method, *target, *host, *authorization, *user_agent, *id;
    const char *body;
    size_t len;
} request;

static fixture fixtures[KVP_VAULT_KIND_COUNT];

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* --- the fixture ------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st KVP_UNUSED, int type KVP_UNUSED,
                      struct FTW *ftw KVP_UNUSED)
{
    return remove(path);
}

static void close_fixture(fixture *f)
{
    if (!f->daemon.store)
        return;
    close(f->log);
    kvp_key_cache_free(f->daemon.cache);
    kvp_usage_log_close(f->daemon.log);
    kvp_store_close(f->daemon.store);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    memset(f, 0, sizeof(*f));
}

static void close_fixtures(void)
{
    for (int kind = 0; kind < KVP_VAULT_KIND_COUNT; kind++)
        close_fixture(&fixtures[kind]);
}

static void read_setting(const char *text, const char *name, char *dst, size_t size)
{
    char start[64];

    snprintf(start, sizeof(start), "\n%s = ", name);
    const char *found = strstr(text, start);
    must(found != NULL);
    found += strlen(start);
    must(snprintf(dst, size, "%.*s", (int)strcspn(found, "\n"), found) < (int)size);
}

static void sign_in(fixture *f);

static void open_fixture(fixture *f, kvp_vault_kind kind)
{
    kvp_datadir dir = { f->dir, -1 };
    kvp_buf conf = KVP_BUF_INIT_SECRET(0);
    const char *tmp = getenv("TMPDIR");
    char path[128];

    must(snprintf(f->dir, sizeof(f->dir), "%s/vaultd-fuzz-XXXXXX", tmp ? tmp : ".") <
         (int)sizeof(f->dir));
    must(mkdtemp(f->dir) != NULL);
    f->daemon.port = 8443;
    f->daemon.token_lifetime_s = 31536000;
    snprintf(f->daemon.hosts[0], sizeof(f->daemon.hosts[0]), "127.0.0.1");
    snprintf(f->daemon.hosts[1], sizeof(f->daemon.hosts[1]), "localhost");
    f->daemon.host_count = 2;
    must(kvp_datadir_open_store(&dir, &kind, "https://" HOST, &f->daemon.store, &f->daemon.vault,
                                NULL) == KVP_OK);
    must(kvp_usage_log_open(f->dir, &f->daemon.log, NULL) == KVP_OK);
    must((f->daemon.cache = kvp_key_cache_new(64)) != NULL);
    snprintf(path, sizeof(path), "%s/" KVP_USAGE_LOG_EVENTS, f->dir);
    must((f->log = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
    snprintf(path, sizeof(path), "%s/" KVP_DATADIR_CONF, f->dir);
    must(kvp_file_read(path, &conf, NULL) == KVP_OK);
    read_setting(kvp_buf_str(&conf), "tenant", f->tenant, sizeof(f->tenant));
    read_setting(kvp_buf_str(&conf), "client_id", f->client_id, sizeof(f->client_id));
    read_setting(kvp_buf_str(&conf), "client_secret", f->secret, sizeof(f->secret));
    kvp_buf_clear(&conf);
    sign_in(f);
}

static fixture *fixture_of(kvp_vault_kind kind)
{
    static bool registered;
    fixture *f = &fixtures[kind];

    if (!registered)
        must(atexit(close_fixtures) == 0);
    registered = true;
    if (f->requests++ >= REQUESTS_OF_A_VAULT)
        close_fixture(f);
    if (!f->daemon.store)
        open_fixture(f, kind);
    return f;
}

/* --- one request ------------------------------------------------------------------------------ */

static bool is_open(const kvp_exchange *ex)
{
    return ex->route && (ex->route->flags & KVP_ROUTE_OPEN);
}

/* What every answer is: a status, headers without line ends, and JSON or nothing. */
static void check_answer(const kvp_exchange *ex)
{
    must(ex->status >= 200 && ex->status < 500);
    for (size_t i = 0; i < ex->header_count; i++)
        must(strpbrk(ex->headers[i].value, "\r\n") == NULL);
    must(ex->status != 204 || ex->reply.len == 0);
    if (ex->reply.len == 0)
        return;
    json_t *answer = json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL);
    must(answer != NULL);
    const json_t *error = json_object_get(answer, "error");
    if (ex->status >= 400 && !is_open(ex)) {
        must(json_is_string(json_object_get(error, "code")));
        must(json_is_string(json_object_get(error, "message")));
    }
    json_decref(answer);
}

/* Each request but those for tokens leaves one line of JSON. */
static void check_log(const fixture *f, const kvp_exchange *ex, off_t before)
{
    static char text[LINE_MAX_BYTES];
    struct stat st;

    must(fstat(f->log, &st) == 0);
    must((st.st_size > before) == !is_open(ex));
    if (is_open(ex))
        return;
    size_t len = (size_t)(st.st_size - before);
    must(len < sizeof(text) && pread(f->log, text, len, before) == (ssize_t)len);
    must(memchr(text, '\n', len) == text + len - 1);
    json_t *line = json_loadb(text, len, 0, NULL);
    must(json_integer_value(json_object_get(json_object_get(line, "properties"),
                                            "httpStatusCode")) == ex->status ||
         json_integer_value(json_object_get(line, "httpStatusCode")) == ex->status);
    json_decref(line);
}

static void set(char **dst, const char *value)
{
    *dst = kvp_strdup(value);
    must(*dst || !value);
}

/* The caller frees. */
static kvp_exchange *run(fixture *f, const request *r)
{
    kvp_exchange *ex;
    struct stat st;

    /* A queue of faults for each request: one that was ordered must not spoil the next answer. */
    f->daemon.faults = kvp_faults_new();
    must(f->daemon.faults != NULL && fstat(f->log, &st) == 0);
    ex = kvp_exchange_new(&f->daemon);
    must(ex != NULL);
    set(&ex->method, r->method);
    set(&ex->target, r->target);
    set(&ex->host, r->host);
    set(&ex->authorization, r->authorization);
    set(&ex->user_agent, r->user_agent);
    set(&ex->client_request_id, r->id);
    snprintf(ex->peer, sizeof(ex->peer), "127.0.0.1");
    if (kvp_buf_append(&ex->body, r->body, r->len) != KVP_OK)
        ex->body_too_large = true;
    kvp_exchange_run(ex);
    check_answer(ex);
    check_log(f, ex, st.st_size);
    kvp_faults_free(f->daemon.faults);
    f->daemon.faults = NULL;
    return ex;
}

static void sign_in(fixture *f)
{
    char target[128], body[512];
    request r = { .method = "POST", .target = target, .host = HOST, .body = body };

    snprintf(target, sizeof(target), "/%s/oauth2/v2.0/token", f->tenant);
    r.len = (size_t)snprintf(body, sizeof(body),
                             "grant_type=client_credentials&client_id=%s&client_secret=%s"
                             "&scope=https://127.0.0.1/.default",
                             f->client_id, f->secret);
    kvp_exchange *ex = run(f, &r);
    json_t *answer = json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL);
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    must(ex->status == 200 && token);
    snprintf(f->token, sizeof(f->token), "%s", token);
    json_decref(answer);
    kvp_exchange_free(ex);
}

/* @r for both kinds, as the administrator unless it says who. */
static void send_request(const request *r)
{
    for (int kind = 0; kind < KVP_VAULT_KIND_COUNT; kind++) {
        fixture *f = fixture_of((kvp_vault_kind)kind);
        char bearer[KVP_SECRET_SIZE + 8];
        request sent = *r;

        snprintf(bearer, sizeof(bearer), "Bearer %s", f->token);
        if (!sent.authorization)
            sent.authorization = bearer;
        kvp_exchange_free(run(f, &sent));
    }
}

/* --- inputs ----------------------------------------------------------------------------------- */

/* Take `name: value` into the request; false at the empty line. */
static void take_header(request *r, char *line)
{
    const struct {
        const char *name;
        const char **dst;
    } known[] = { { "host", &r->host },
                  { "authorization", &r->authorization },
                  { "user-agent", &r->user_agent },
                  { "x-ms-client-request-id", &r->id } };
    char *colon = strchr(line, ':');

    if (!colon)
        return;
    *colon = '\0';
    for (size_t i = 0; i < KVP_ARRAY_LEN(known); i++) {
        if (kvp_ident_casecmp(line, known[i].name) == 0)
            *known[i].dst = colon + 1 + strspn(colon + 1, " ");
    }
}

static void send_text(char *text, size_t size)
{
    request r = { .method = text, .host = HOST, .body = "" };
    char *p = text, *end = text + size;

    for (char *line = p; line < end; line = p) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        p = stop ? stop + 1 : end;
        if (stop)
            *stop = '\0';
        line[strcspn(line, "\r")] = '\0'; /* ends a line for the HTTP library as well */
        if (*line == '\0')
            break;
        if (line != text)
            take_header(&r, line);
    }
    r.body = p;
    r.len = (size_t)(end - p);
    char *blank = strchr(text, ' ');
    if (!blank || blank - text >= METHOD_MAX || blank[1] != '/')
        return; /* nothing that the HTTP library would hand on */
    *blank = '\0';
    r.target = blank + 1;
    send_request(&r);
}

/* @pattern with a name and the empty version, which means the current one. */
static void target_of(const char *pattern, char *dst, size_t size)
{
    size_t used = 1;

    dst[0] = '/';
    while (*pattern && used + 16 < size) {
        if (*pattern != '{') {
            dst[used++] = *pattern++;
            continue;
        }
        if (strncmp(pattern, "{version}", 9) != 0)
            used += (size_t)snprintf(dst + used, size - used, "fuzzed");
        pattern += strcspn(pattern, "}");
        pattern += *pattern == '}';
    }
    snprintf(dst + used, size - used, "?api-version=7.6-preview.2");
}

static void send_everywhere(const json_t *body)
{
    kvp_buf text = KVP_BUF_INIT(0);
    char target[256];

    must(kvp_json_write(body, false, &text) == KVP_OK);
    for (size_t i = 0; i < kvp_route_count; i++) {
        request r = { .method = kvp_routes[i].method,
                      .target = target,
                      .host = HOST,
                      .body = kvp_buf_str(&text),
                      .len = text.len };
        if (!(kvp_routes[i].flags & KVP_ROUTE_BODY))
            continue;
        target_of(kvp_routes[i].pattern, target, sizeof(target));
        send_request(&r);
    }
    kvp_buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = kvp_strndup(size ? (const char *)data : "", size);
    const char *name;
    json_t *value;

    must(text != NULL);
    json_t *example = *text == '{' ? json_loads(text, 0, NULL) : NULL;
    json_t *parameters = json_object_get(example, "parameters");
    if (example)
        json_object_foreach(parameters, name, value)
        {
            if (json_is_object(value))
                send_everywhere(value);
        }
    else
        send_text(text, strlen(text));
    json_decref(example);
    kvp_free(text);
    return 0;
}
