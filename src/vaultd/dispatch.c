/* SPDX-License-Identifier: MIT */
/* The life of a request: the checks in the order in which the service makes them, then the handler.
 */
#include "config.h"

#include "vaultd/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/note.h"
#include "vaultd/roles.h"
#include "vaultd/routes.h"
#include "vaultd/store_objects.h"

#include <stdio.h>
#include <string.h>

const char *const kvp_api_versions[] = {
    "7.0",         "7.1-preview",   "7.1",           "7.2-preview", "7.2",
    "7.3-preview", "7.3",           "7.4-preview.1", "7.4",         "7.5-preview.1",
    "7.5",         "7.6-preview.1", "7.6-preview.2", "7.6",         "2025-06-01-preview",
    "2025-07-01",
};
const size_t kvp_api_version_count = KVP_ARRAY_LEN(kvp_api_versions);

int kvp_api_rank(const char *version)
{
    for (size_t i = 0; i < kvp_api_version_count; i++) {
        if (strcmp(kvp_api_versions[i], version) == 0)
            return (int)i + 1;
    }
    return 0;
}

bool kvp_exchange_since(const kvp_exchange *ex, const char *version)
{
    return ex->api_rank >= kvp_api_rank(version);
}

static bool check_api_version(kvp_exchange *ex)
{
    /* The path of our own needs no version of the service's. */
    bool own = ex->segment_count == 1 && strcmp(ex->segments[0], ".faults") == 0;

    if (!kvp_exchange_query(ex, "api-version", ex->api_version, sizeof(ex->api_version)))
        snprintf(ex->api_version, sizeof(ex->api_version), "%s",
                 own ? kvp_api_versions[kvp_api_version_count - 1] : "");
    ex->api_rank = kvp_api_rank(ex->api_version);
    if (ex->api_rank > 0)
        return true;
    kvp_refuse(ex, KVP_REFUSE_API_VERSION, ex->api_version,
               kvp_api_versions[kvp_api_version_count - 1]);
    return false;
}

static bool find_route(kvp_exchange *ex)
{
    int result = kvp_route_match(ex, false);
    size_t path_len = strcspn(ex->target, "?");
    char path[256];

    if (result == 0)
        return true;
    snprintf(path, sizeof(path), "%.*s", (int)(path_len < 200 ? path_len : 200), ex->target);
    if (result == 405)
        kvp_refuse(ex, KVP_REFUSE_METHOD, ex->method);
    else
        kvp_refuse(ex, KVP_REFUSE_PATH, path);
    return false;
}

static bool check_names(kvp_exchange *ex)
{
    if (!strstr(ex->route->pattern, "{name}") || kvp_ident_is_name(ex->name))
        return true;
    kvp_refuse(ex, KVP_REFUSE_NAME, ex->name);
    return false;
}

/*
 * `/keys/NAME` of the request: what the scope of a role assignment would name. Issuers and the
 * like, whose collection stands second in the path, keep both words, so that a role for a
 * certificate of the same name does not reach them; the routes of roles name their scope before
 * `providers`.
 */
static void resource_path(const kvp_exchange *ex, char *dst, size_t size)
{
    const char *pattern = ex->route->pattern;
    size_t first = strcspn(pattern, "/");
    const char *second = pattern[first] ? pattern + first + 1 : "";
    size_t second_len = strcspn(second, "/");

    if (strncmp(pattern, "providers/", 10) == 0)
        snprintf(dst, size, "/");
    else if (!*ex->name)
        snprintf(dst, size, "/%.*s", (int)first, pattern);
    else if (strncmp(second, "{name}", second_len) == 0)
        snprintf(dst, size, "/%.*s/%s", (int)first, pattern, ex->name);
    else
        snprintf(dst, size, "/%.*s/%.*s/%s", (int)first, pattern, (int)second_len, second,
                 ex->name);
}

/* A role for an object counts for it while it is deleted, too. */
static const char *scope_path(const char *path, char *dst, size_t size)
{
    static const char deleted[] = "/deleted";

    if (strncmp(path, deleted, sizeof(deleted) - 1) != 0)
        return path;
    snprintf(dst, size, "/%s", path + sizeof(deleted) - 1);
    return dst;
}

/* What the usage log names until a handler knows the version. */
static void set_subject(kvp_exchange *ex)
{
    char path[200];

    resource_path(ex, path, sizeof(path));
    snprintf(ex->subject, sizeof(ex->subject), "%s%s", ex->base_url, path);
}

static bool authorize(kvp_exchange *ex)
{
    const kvp_vault_info *vault = &ex->daemon->vault;
    bool hsm = kvp_exchange_is_hsm(ex);
    const char *action = hsm ? ex->route->hsm_action : ex->route->action;
    char path[200], scope[200], resource[512], full[128];

    if (ex->local)
        return true;
    resource_path(ex, path, sizeof(path));
    const kvp_assignment *found = kvp_role_authorize(ex->daemon->store, vault, &ex->grant,
                                                     scope_path(path, scope, sizeof(scope)), action,
                                                     hsm ? NULL : ex->route->alternative);
    if (found) {
        snprintf(ex->assignment, sizeof(ex->assignment), "%s", found->id);
        return true;
    }
    snprintf(resource, sizeof(resource),
             "/subscriptions/%s/resourcegroups/keyvaultd/providers/microsoft.keyvault/vaults/%s%s",
             vault->subscription, vault->name, path);
    snprintf(full, sizeof(full), "%s%s", kvp_role_action_prefix[vault->kind], action);
    kvp_refuse(ex, KVP_REFUSE_RBAC, ex->grant.principal.client_id, ex->grant.principal.object_id,
               vault->tenant, full, resource, vault->name, path);
    return false;
}

/* The key and the secret of a certificate are made, changed and deleted by way of the certificate.
 */
static bool check_managed(kvp_exchange *ex)
{
    bool key = strstr(ex->route->pattern, "keys/") != NULL;
    kvp_object_state state = { .managed = false };
    kvp_error error = { .status = KVP_OK };
    char word[32];

    if (!(ex->route->flags & KVP_ROUTE_UNMANAGED) || kvp_exchange_is_hsm(ex))
        return true;
    kvp_status status =
        kvp_store_object_state(ex->daemon->store, &ex->daemon->vault,
                               key ? KVP_OBJECT_KEY : KVP_OBJECT_SECRET, ex->name, &state, &error);
    if (status == KVP_ERR_NOT_FOUND || (status == KVP_OK && !state.managed))
        return true;
    /* KeyDelete, SecretDelete: the word behind the collection, as the recorded refusal has it. */
    kvp_ident_lower(word, sizeof(word), ex->route->operation + strlen(key ? "Key" : "Secret"));
    if (status == KVP_OK)
        kvp_refuse(ex, key ? KVP_REFUSE_KEY_MANAGED : KVP_REFUSE_SECRET_MANAGED, word);
    else
        kvp_exchange_failed(ex, &error);
    return false;
}

static bool read_body(kvp_exchange *ex)
{
    json_error_t error;

    if (!(ex->route->flags & KVP_ROUTE_BODY))
        return true;
    ex->json = json_loadb(kvp_buf_str(&ex->body), ex->body.len, 0, &error);
    if (json_is_object(ex->json))
        return true;
    kvp_refuse(ex, KVP_REFUSE_PROPERTY, "");
    return false;
}

static void run_checked(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    bool readable = kvp_exchange_parse(ex);

    if (!kvp_exchange_select_vault(ex, &error)) {
        if (error.status == KVP_ERR_NOT_FOUND)
            kvp_refuse(ex, KVP_REFUSE_VAULT, ex->host_name);
        else
            kvp_exchange_failed(ex, &error);
        return;
    }
    if (readable && kvp_faults_before(ex))
        return;
    if (readable && kvp_route_match(ex, true) == 0) {
        if (ex->body_too_large)
            kvp_refuse(ex, KVP_REFUSE_TOO_LARGE);
        else
            ex->route->handler(ex);
        return;
    }
    /* Nothing is said about paths, names or bodies to somebody unknown. */
    if (!ex->local && !kvp_exchange_authenticate(ex))
        return;
    if (!readable) {
        kvp_refuse(ex, KVP_REFUSE_PATH, "");
        return;
    }
    if (!check_api_version(ex) || !find_route(ex) || !check_names(ex))
        return;
    set_subject(ex);
    if (!authorize(ex) || !kvp_throttle_request(ex))
        return;
    if (ex->body_too_large) {
        kvp_refuse(ex, KVP_REFUSE_TOO_LARGE);
        return;
    }
    if (check_managed(ex) && read_body(ex))
        ex->route->handler(ex);
}

static void add_network_info(kvp_exchange *ex)
{
    char value[200];
    const char *family = kvp_exchange_is_hsm(ex) ? (ex->peer_is_v6 ? "Ipv6" : "Ipv4")
                         : ex->peer_is_v6        ? "InterNetworkV6"
                                                 : "InterNetwork";

    snprintf(value, sizeof(value), "conn_type=%s;addr=%s;act_addr_fam=%s;",
             ex->peer_is_v6 ? "Ipv6" : "Ipv4", ex->peer, family);
    kvp_exchange_header(ex, "x-ms-keyvault-network-info", value);
}

static void add_vault_headers(kvp_exchange *ex)
{
    char assignment[KVP_VERSION_SIZE] = "";
    size_t len = 0;

    kvp_exchange_header(ex, "Pragma", "no-cache");
    kvp_exchange_header(ex, "Expires", "-1");
    kvp_exchange_header(ex, "Strict-Transport-Security", "max-age=31536000;includeSubDomains");
    kvp_exchange_header(ex, "x-ms-keyvault-region", "local");
    kvp_exchange_header(ex, "x-ms-keyvault-service-version", PACKAGE_VERSION ".0");
    add_network_info(ex);
    if (ex->client_request_id)
        kvp_exchange_header(ex, "x-ms-client-request-id", ex->client_request_id);
    for (const char *p = ex->assignment; *p && len + 1 < sizeof(assignment); p++) {
        if (*p != '-')
            assignment[len++] = *p;
    }
    if (len > 0)
        kvp_exchange_header(ex, "x-ms-keyvault-rbac-assignment-id", assignment);
}

static void add_hsm_headers(kvp_exchange *ex)
{
    char latency[32];

    kvp_exchange_header(ex, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    kvp_exchange_header(ex, "X-Frame-Options", "SAMEORIGIN");
    kvp_exchange_header(ex, "Content-Security-Policy", "default-src 'self'");
    snprintf(latency, sizeof(latency), "%lld",
             (long long)((kvp_clock_mono_us() - ex->started_us) / 1000));
    kvp_exchange_header(ex, "x-ms-server-latency", latency);
    if (strcmp(ex->method, "GET") == 0)
        kvp_exchange_header(ex, "x-ms-build-version", PACKAGE_VERSION ".0");
    if (ex->status < 300) {
        kvp_exchange_header(ex, "x-ms-keyvault-region", "local");
        add_network_info(ex);
    }
}

/* Wire reference, section 8.2. */
static void add_headers(kvp_exchange *ex)
{
    kvp_exchange_header(ex, "x-ms-request-id", ex->request_id);
    kvp_exchange_header(ex, "X-Content-Type-Options", "nosniff");
    /* A Managed HSM labels even what is not there (recorded). */
    if (ex->status != 204 || kvp_exchange_is_hsm(ex))
        kvp_exchange_header(ex, "Content-Type",
                            ex->content_type ? ex->content_type
                                             : "application/json; charset=utf-8");
    if (ex->route && (ex->route->flags & KVP_ROUTE_OPEN)) {
        kvp_exchange_header(ex, "Cache-Control", "no-store, no-cache");
        kvp_exchange_header(ex, "Pragma", "no-cache");
        return;
    }
    kvp_exchange_header(ex, "Cache-Control", "no-cache");
    if (kvp_exchange_is_hsm(ex))
        add_hsm_headers(ex);
    else
        add_vault_headers(ex);
}

void kvp_exchange_run(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };

    run_checked(ex);
    if (ex->status == 0) {
        kvp_note("request %s: %s answered nothing", ex->request_id, ex->method);
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    }
    add_headers(ex);
    kvp_faults_after(ex);
    if (ex->route && (ex->route->flags & KVP_ROUTE_OPEN))
        return;
    if (kvp_usage_log_event(ex->daemon->log, ex, &error) != KVP_OK)
        kvp_note("request %s: %s", ex->request_id, error.message);
}
