/* SPDX-License-Identifier: MIT */
/*
 * AuditEvent lines (wire reference, section 12). Each is formatted whole and written by one write to
 * an O_APPEND descriptor before the answer leaves, so that a request that was answered was logged.
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

#define LINE_MAX_BYTES 65536

struct kvp_usage_log {
    kvp_lock lock;
    char *events_path, *signins_path;
    int events, signins; KVP_GUARDED_BY(lock)
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

/* The lock only keeps the descriptor from being exchanged under the write, which itself is atomic. */
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

/* Text of unknown origin as JSON: what is not printable ASCII becomes '?'. */
static json_t *safe_text(const char *text)
{
    char copy[2048];

    kvp_copy_printable(copy, sizeof(copy), text ? text : "");
    for (char *p = copy; *p; p++) {
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    }
    return json_string(copy);
}

static json_t *time_now(void)
{
    char text[40];

    kvp_clock_format(kvp_clock_wall_us(), text, sizeof(text));
    return json_string(text);
}

/* What the service writes: the seven digits of .NET are six here. */
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

static json_t *identity_of(const kvp_exchange *ex)
{
    if (!ex->authenticated)
        return json_object();
    return json_pack("{s:{s:s, s:s, s:s, s:s}}", "claim", "oid", ex->grant.principal.object_id,
                     "appid", ex->grant.principal.client_id, "appidacr", "1", "idtyp", "app");
}

static char *uri_of(const kvp_exchange *ex)
{
    return kvp_asprintf("%s%s%s", ex->base_url, ex->target[0] == '/' ? "" : "/", ex->target);
}

static const char *correlation_of(const kvp_exchange *ex)
{
    return kvp_ident_is_uuid(ex->client_request_id) ? ex->client_request_id : ex->request_id;
}

static json_t *vault_event(const kvp_exchange *ex, const char *uri, const char *duration)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    json_t *properties =
        json_pack("{s:s, s:o, s:i, s:o, s:b}", "id", *ex->subject ? ex->subject : ex->base_url,
                  "clientInfo", safe_text(ex->user_agent), "httpStatusCode", ex->status,
                  "requestUri", safe_text(uri), "isRbacAuthorized", ex->assignment[0] != '\0');

    if (ex->assignment[0])
        json_object_set_new(properties, "appliedAssignmentId", json_string(ex->assignment));
    if (ex->algorithm)
        json_object_set_new(properties, "algorithm", json_string(ex->algorithm));
    json_object_set_new(properties, "tlsVersion", json_string(ex->tls_version));
    json_object_set_new(properties, "requestId", json_string(ex->request_id));
    json_t *event = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "time", time_now(), "category", "AuditEvent",
        "operationName", operation_of(ex), "resultType", "Success", "correlationId",
        correlation_of(ex), "callerIpAddress", ex->peer, "identity", identity_of(ex), "properties",
        properties);
    char *resource = kvp_asprintf("/SUBSCRIPTIONS/%s/RESOURCEGROUPS/KEYVAULTD/PROVIDERS/"
                                  "MICROSOFT.KEYVAULT/VAULTS/%s", vault->subscription, vault->name);
    json_object_set_new(event, "resourceId", json_string(resource ? resource : ""));
    kvp_free(resource);
    json_object_set_new(event, "durationMs", json_string(duration));
    return event;
}

/* A Managed HSM's record is flat, its identity a string of JSON, its duration a number. */
static json_t *hsm_event(const kvp_exchange *ex, const char *uri, const char *duration)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    kvp_buf identity = KVP_BUF_INIT(4096);
    json_t *claims = identity_of(ex);
    kvp_status status = kvp_json_write(claims, false, &identity);

    json_decref(claims);
    json_t *event = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:o, s:s, s:s, s:s, s:s}", "time", time_now(),
        "category", "AuditEvent", "operationName", operation_of(ex), "resultType", "Success",
        "correlationId", correlation_of(ex), "callerIpAddress", ex->peer, "identity",
        status == KVP_OK ? kvp_buf_str(&identity) : "", "clientInfo", safe_text(ex->user_agent),
        "httpStatusCode", ex->status, "requestUri", safe_text(uri), "subnetId", "(unknown)",
        "PoolName", vault->name, "resourceGroup", "keyvaultd", "resourceType", "managedHSMs");
    kvp_buf_clear(&identity);
    json_object_set_new(event, "properties",
                        json_pack("{s:s, s:s, s:s}", "PoolType", "M-HSM", "sku_Family", "B",
                                  "sku_Name", "Standard_B1"));
    json_object_set_new(event, "id", json_string(*ex->subject ? ex->subject : ex->base_url));
    json_object_set_new(event, "requestId", json_string(ex->request_id));
    if (ex->algorithm)
        json_object_set_new(event, "algorithm", json_string(ex->algorithm));
    char *resource = kvp_asprintf("/SUBSCRIPTIONS/%s/RESOURCEGROUPS/KEYVAULTD/PROVIDERS/"
                                  "MICROSOFT.KEYVAULT/MANAGEDHSMS/%s", vault->subscription,
                                  vault->name);
    json_object_set_new(event, "resourceId", json_string(resource ? resource : ""));
    kvp_free(resource);
    json_object_set_new(event, "durationMs", json_integer(strtoll(duration, NULL, 10)));
    return event;
}

static kvp_status write_line(kvp_usage_log *log, const int *fd, json_t *take_event,
                             kvp_error *reterr)
{
    kvp_buf line = KVP_BUF_INIT(LINE_MAX_BYTES);
    kvp_status status = take_event ? kvp_json_write(take_event, false, &line) : KVP_ERR_NO_MEMORY;

    json_decref(take_event);
    if (status == KVP_OK)
        status = kvp_buf_append(&line, "\n", 1);
    if (status == KVP_OK)
        status = append(log, fd, &line, reterr);
    else
        kvp_error_set(reterr, status, "a line of the usage log cannot be made");
    kvp_buf_clear(&line);
    return status;
}

kvp_status kvp_usage_log_event(kvp_usage_log *log, const kvp_exchange *ex, kvp_error *reterr)
{
    char duration[24];
    char *uri = uri_of(ex);

    snprintf(duration, sizeof(duration), "%lld",
             (long long)((kvp_clock_mono_us() - ex->started_us) / 1000));
    json_t *event = kvp_exchange_is_hsm(ex) ? hsm_event(ex, uri, duration)
                                            : vault_event(ex, uri, duration);
    kvp_free(uri);
    if (event) {
        json_object_set_new(event, "operationVersion", safe_text(ex->api_version));
        json_object_set_new(event, "resultSignature", json_string(signature_of(ex)));
        if (ex->status >= 300)
            json_object_set_new(event, "resultDescription", safe_text(ex->error_message));
    }
    return write_line(log, &log->events, event, reterr);
}

kvp_status kvp_usage_log_signin(kvp_usage_log *log, const kvp_exchange *ex, const char *client,
                                const char *principal, const char *resource, long code,
                                kvp_error *reterr)
{
    char result[24];

    snprintf(result, sizeof(result), "%ld", code);
    json_t *event = json_pack(
        "{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:o, s:s, s:o, s:o}}", "time", time_now(),
        "category", "ServicePrincipalSignInLogs", "operationName", "Sign-in activity", "resultType",
        result, "correlationId", correlation_of(ex), "callerIpAddress", ex->peer, "tenantId",
        ex->daemon->vault.tenant, "properties", "appId", safe_text(client),
        "servicePrincipalName", principal, "resourceDisplayName", safe_text(resource), "userAgent",
        safe_text(ex->user_agent));
    return write_line(log, &log->signins, event, reterr);
}
