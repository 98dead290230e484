/* SPDX-License-Identifier: MIT */
/*
 * AuditEvent lines (wire reference, section 12). Each is formatted whole and written by one write
 * to an O_APPEND descriptor before the answer leaves, so that a request that was answered was
 * logged.
 */
#include "vaultd/usage_log.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "vaultd/exchange.h"
#include "vaultd/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024)
#define LINE_USUAL_BYTES 1500

struct kvp_usage_log {
    kvp_lock lock;
    char *events_path, *signins_path;
    int events, signins;
    KVP_GUARDED_BY(lock)
};

static int open_append(const char *path, kvp_error *reterr)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    return fd;
}

kvp_status kvp_usage_log_reopen(kvp_usage_log *log, kvp_error *reterr)
{
    int events = open_append(log->events_path, reterr);
    int signins = events < 0 ? -1 : open_append(log->signins_path, reterr);

    if (signins < 0) {
        if (events >= 0)
            close(events);
        return KVP_ERR_IO;
    }
    kvp_lock_take(&log->lock);
    int old[2] = { log->events, log->signins };
    log->events = events;
    log->signins = signins;
    kvp_lock_give(&log->lock);
    for (int i = 0; i < 2; i++) {
        if (old[i] >= 0)
            close(old[i]);
    }
    return KVP_OK;
}

kvp_status kvp_usage_log_open(const char *dir, kvp_usage_log **ret_log, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_usage_log_freep) kvp_usage_log *log = kvp_calloc(1, sizeof(*log));

    if (!log)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "usage log");
    log->events = log->signins = -1;
    log->events_path = kvp_asprintf("%s/%s", dir, KVP_USAGE_LOG_EVENTS);
    log->signins_path = kvp_asprintf("%s/%s", dir, KVP_USAGE_LOG_SIGNINS);
    if (!log->events_path || !log->signins_path ||
        kvp_lock_init(&log->lock, KVP_RANK_LOG) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "usage log");
    kvp_status status = kvp_usage_log_reopen(log, reterr);
    if (status == KVP_OK)
        *ret_log = KVP_STEAL(log);
    return status;
}

void kvp_usage_log_close(kvp_usage_log *log)
{
    if (!log)
        return;
    if (log->events >= 0)
        close(log->events);
    if (log->signins >= 0)
        close(log->signins);
    kvp_lock_clear(&log->lock);
    kvp_free(log->events_path);
    kvp_free(log->signins_path);
    kvp_free(log);
}

/* The lock only keeps the descriptor from being exchanged under the write, which itself is atomic.
 */
static kvp_status append(kvp_usage_log *log, const int *fd, const kvp_buf *line, kvp_error *reterr)
{
    ssize_t done;

    kvp_lock_take(&log->lock);
    do {
        done = write(*fd, line->data, line->len);
    } while (done < 0 && errno == EINTR);
    int error = errno;
    kvp_lock_give(&log->lock);
    if (done == (ssize_t)line->len)
        return KVP_OK;
    return kvp_error_set(reterr, KVP_ERR_IO, "writing the usage log: %s",
                         done < 0 ? strerror(error) : "not all of a line was written");
}

/*
 * A line in the making. Documents of a fixed shape are written straight away rather than built as
 * trees: this runs for every request, and a tree costs more than a signature with an EC key.
 */
typedef struct line {
    kvp_buf text;
    kvp_status status;
    bool first; /* no comma before the next member */
} line;

static void put(line *l, const char *text, size_t len)
{
    if (l->status == KVP_OK)
        l->status = kvp_buf_append(&l->text, text, len);
}

/* Room for what a line usually has, at once. */
static void start(line *l)
{
    if (!kvp_buf_reserve(&l->text, LINE_USUAL_BYTES))
        l->status = KVP_ERR_NO_MEMORY;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* A JSON string. What is not printable ASCII becomes '?': some of it came from the network. */
static void put_quoted(line *l, const char *text)
{
    const char *start = text;

    put(l, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_plain(c))
            continue;
        put(l, start, (size_t)(text - start));
        if (c == '"' || c == '\\')
            put(l, c == '"' ? "\\\"" : "\\\\", 2);
        else
            put(l, "?", 1);
        start = text + 1;
    }
    put(l, start, (size_t)(text - start));
    put(l, "\"", 1);
}

static void put_name(line *l, const char *name)
{
    /* Names are ours and need no escapes. */
    if (l->first)
        put(l, "\"", 1);
    else
        put(l, ",\"", 2);
    l->first = false;
    put(l, name, strlen(name));
    put(l, "\":", 2);
}

static void put_string(line *l, const char *name, const char *value)
{
    put_name(l, name);
    put_quoted(l, value ? value : "");
}

static void put_number(line *l, const char *name, int64_t value)
{
    char text[24];

    put_name(l, name);
    put(l, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

static void put_bool(line *l, const char *name, bool value)
{
    put_name(l, name);
    put(l, value ? "true" : "false", value ? 4 : 5);
}

/* @name NULL: the outermost object. */
static void put_object(line *l, const char *name)
{
    if (name)
        put_name(l, name);
    put(l, "{", 1);
    l->first = true;
}

static void put_end(line *l)
{
    put(l, "}", 1);
    l->first = false;
}

static void put_time(line *l)
{
    char text[40];

    kvp_clock_format(kvp_clock_wall_us(), text, sizeof(text));
    put_string(l, "time", text);
}

static void put_duration(line *l, const kvp_exchange *ex)
{
    char text[24];
    int64_t ms = (kvp_clock_mono_us() - ex->started_us) / 1000;

    if (kvp_exchange_is_hsm(ex)) {
        put_number(l, "durationMs", ms);
    } else {
        snprintf(text, sizeof(text), "%lld", (long long)ms);
        put_string(l, "durationMs", text);
    }
}

static const char *signature_of(const kvp_exchange *ex)
{
    const char *phrase = MHD_get_reason_phrase_for((unsigned)ex->status);

    return ex->status < 300 ? "OK" : phrase ? phrase : "Unknown";
}

static const char *operation_of(const kvp_exchange *ex)
{
    if (!ex->authenticated)
        return "Authentication";
    return ex->route ? ex->route->operation : "Unknown";
}

static const char *correlation_of(const kvp_exchange *ex)
{
    return kvp_ident_is_uuid(ex->client_request_id) ? ex->client_request_id : ex->request_id;
}

/* `{"claim":{…}}`, empty for somebody unknown. */
static void put_claims(line *l, const kvp_exchange *ex)
{
    if (!ex->authenticated)
        return;
    put_object(l, "claim");
    put_string(l, "oid", ex->grant.principal.object_id);
    put_string(l, "appid", ex->grant.principal.client_id);
    put_string(l, "appidacr", "1");
    put_string(l, "idtyp", "app");
    put_end(l);
}

static void put_uri(line *l, const kvp_exchange *ex)
{
    char uri[2048];

    snprintf(uri, sizeof(uri), "%s%s%s", ex->base_url, ex->target[0] == '/' ? "" : "/", ex->target);
    put_string(l, "requestUri", uri);
}

static void put_subject(line *l, const kvp_exchange *ex)
{
    put_string(l, "id", *ex->subject ? ex->subject : ex->base_url);
    if (ex->algorithm)
        put_string(l, "algorithm", ex->algorithm);
    put_string(l, "requestId", ex->request_id);
}

static void put_request(line *l, const kvp_exchange *ex)
{
    put_string(l, "clientInfo", ex->user_agent);
    put_number(l, "httpStatusCode", ex->status);
    put_uri(l, ex);
}

static void put_vault_part(line *l, const kvp_exchange *ex)
{
    put_object(l, "identity");
    put_claims(l, ex);
    put_end(l);
    put_object(l, "properties");
    put_subject(l, ex);
    put_request(l, ex);
    put_bool(l, "isRbacAuthorized", ex->assignment[0] != '\0');
    if (ex->assignment[0])
        put_string(l, "appliedAssignmentId", ex->assignment);
    put_string(l, "tlsVersion", ex->tls_version);
    put_end(l);
}

/* A Managed HSM's record is flat, and its identity is JSON inside a string. */
static void put_hsm_part(line *l, const kvp_exchange *ex)
{
    line identity = { KVP_BUF_INIT(4096), KVP_OK, true };

    put_object(&identity, NULL);
    put_claims(&identity, ex);
    put_end(&identity);
    put_string(l, "identity", kvp_buf_str(&identity.text));
    kvp_buf_clear(&identity.text);
    put_object(l, "properties");
    put_string(l, "PoolType", "M-HSM");
    put_string(l, "sku_Family", "B");
    put_string(l, "sku_Name", "Standard_B1");
    put_end(l);
    put_subject(l, ex);
    put_request(l, ex);
    put_string(l, "subnetId", "(unknown)");
    put_string(l, "PoolName", ex->daemon->vault.name);
    put_string(l, "resourceGroup", "keyvaultd");
    put_string(l, "resourceType", "managedHSMs");
}

/* End @l, write it, free it. */
static kvp_status finish(kvp_usage_log *log, const int *fd, line *l, kvp_error *reterr)
{
    kvp_status status;

    put_end(l);
    put(l, "\n", 1);
    status = l->status;
    if (status == KVP_OK)
        status = append(log, fd, &l->text, reterr);
    else
        kvp_error_set(reterr, status, "a line of the usage log cannot be made");
    kvp_buf_clear(&l->text);
    return status;
}

kvp_status kvp_usage_log_event(kvp_usage_log *log, const kvp_exchange *ex, kvp_error *reterr)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    bool hsm = kvp_exchange_is_hsm(ex);
    line l = { KVP_BUF_INIT(LINE_MAX_BYTES), KVP_OK, true };
    char resource[200];

    start(&l);
    put_object(&l, NULL);
    put_time(&l);
    put_string(&l, "category", "AuditEvent");
    put_string(&l, "operationName", operation_of(ex));
    put_string(&l, "resultType", "Success"); /* also of refused requests, as the service does */
    put_string(&l, "correlationId", correlation_of(ex));
    put_string(&l, "callerIpAddress", ex->peer);
    if (hsm)
        put_hsm_part(&l, ex);
    else
        put_vault_part(&l, ex);
    snprintf(resource, sizeof(resource),
             "/SUBSCRIPTIONS/%s/RESOURCEGROUPS/KEYVAULTD/PROVIDERS/MICROSOFT.KEYVAULT/%s/%s",
             vault->subscription, hsm ? "MANAGEDHSMS" : "VAULTS", vault->name);
    put_string(&l, "resourceId", resource);
    put_string(&l, "operationVersion", ex->api_version);
    put_string(&l, "resultSignature", signature_of(ex));
    if (ex->status >= 300)
        put_string(&l, "resultDescription", ex->error_message);
    put_duration(&l, ex);
    return finish(log, &log->events, &l, reterr);
}

kvp_status kvp_usage_log_signin(kvp_usage_log *log, const kvp_exchange *ex, const char *client,
                                const char *principal, const char *resource, long code,
                                kvp_error *reterr)
{
    line l = { KVP_BUF_INIT(LINE_MAX_BYTES), KVP_OK, true };
    char result[24];

    snprintf(result, sizeof(result), "%ld", code);
    put_object(&l, NULL);
    put_time(&l);
    put_string(&l, "category", "ServicePrincipalSignInLogs");
    put_string(&l, "operationName", "Sign-in activity");
    put_string(&l, "resultType", result);
    put_string(&l, "correlationId", correlation_of(ex));
    put_string(&l, "callerIpAddress", ex->peer);
    put_string(&l, "tenantId", ex->daemon->vault.tenant);
    put_object(&l, "properties");
    put_string(&l, "appId", client);
    put_string(&l, "servicePrincipalName", principal);
    put_string(&l, "resourceDisplayName", resource);
    put_string(&l, "userAgent", ex->user_agent);
    put_end(&l);
    return finish(log, &log->signins, &l, reterr);
}
