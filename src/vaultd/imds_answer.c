/* SPDX-License-Identifier: MIT */
/* What the managed identity endpoints answer; how it travels is the matter of imds.c. */
#include "vaultd/imds.h"

#include "vaultd/authority.h"
#include "vaultd/note.h"

#include <stdio.h>
#include <string.h>

/** A row a kind of endpoint. */
typedef struct endpoint {
    const char *path;
    const char *oldest, *newest; /* api-versions, which are dates and compare as text */
    bool app_service;
} endpoint;

static const endpoint endpoints[] = {
    { "/metadata/identity/oauth2/token", "2018-02-01", "2025-12-31", false },
    { "/msi/token", "2019-08-01", "2025-12-31", true },
};

static int refuse(int status, const char *error, const char *text, json_t **ret_document)
{
    *ret_document = json_pack("{s:s, s:s}", "error", error, "error_description", text);
    return status;
}

static bool given(const char *text)
{
    return text && *text;
}

static const endpoint *find(const char *path)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(endpoints); i++) {
        size_t len = strlen(endpoints[i].path);
        if (strncmp(path, endpoints[i].path, len) == 0 &&
            (path[len] == '\0' || strcmp(path + len, "/") == 0))
            return &endpoints[i];
    }
    return NULL;
}

static bool same_secret(const char *sent, const char *secret)
{
    return sent && strlen(sent) == strlen(secret) && kvp_equal_secret(sent, secret, strlen(secret));
}

/* Where a user-assigned identity would stand among the resources of the subscription. */
static void resource_id(const kvp_daemon *daemon, const char *name, char *dst, size_t size)
{
    snprintf(dst, size,
             "/subscriptions/%s/resourcegroups/keyvaultd/providers/Microsoft.ManagedIdentity/"
             "userAssignedIdentities/%s",
             daemon->vault.subscription, name);
}

/* Whether @principal is the one that @request names. */
static bool is_asked_for(const kvp_daemon *daemon, const kvp_principal *principal,
                         const kvp_imds_request *request)
{
    char id[400];

    resource_id(daemon, principal->name, id, sizeof(id));
    return (given(request->client_id) &&
            kvp_ident_casecmp(request->client_id, principal->client_id) == 0) ||
           (given(request->object_id) &&
            kvp_ident_casecmp(request->object_id, principal->object_id) == 0) ||
           (given(request->resource_id) && kvp_ident_casecmp(request->resource_id, id) == 0);
}

/* KVP_ERR_NOT_FOUND when no identity fits, or its principal was removed. */
static kvp_status choose(const kvp_daemon *daemon, const char *const *identities,
                         const kvp_imds_request *request, kvp_principal *ret, kvp_error *reterr)
{
    bool any =
        !given(request->client_id) && !given(request->object_id) && !given(request->resource_id);

    for (; *identities; identities++) {
        kvp_status status = kvp_store_principal_find(daemon->store, *identities, ret, reterr);
        if (status == KVP_OK && (any || is_asked_for(daemon, ret, request)))
            return KVP_OK;
        if (status != KVP_OK && (any || status != KVP_ERR_NOT_FOUND))
            return status;
    }
    return kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no such identity");
}

/* Numbers are strings, in both. */
static json_t *token_document(const kvp_daemon *daemon, const endpoint *e,
                              const kvp_principal *principal, const char *resource,
                              const char *token)
{
    char life[24], until[24], from[24];
    long long now = (long long)kvp_ident_now();

    snprintf(life, sizeof(life), "%d", daemon->token_lifetime_s);
    snprintf(until, sizeof(until), "%lld", now + daemon->token_lifetime_s);
    snprintf(from, sizeof(from), "%lld", now);
    if (e->app_service)
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "access_token", token, "client_id",
                         principal->client_id, "expires_on", until, "resource", resource,
                         "token_type", "Bearer");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "access_token", token, "client_id",
                     principal->client_id, "expires_in", life, "expires_on", until,
                     "ext_expires_in", life, "not_before", from, "resource", resource, "token_type",
                     "Bearer");
}

static int issue(const kvp_daemon *daemon, const endpoint *e, const kvp_principal *principal,
                 const char *asked, json_t **ret_document)
{
    kvp_error error = { .status = KVP_OK };
    char resource[512], token[KVP_SECRET_SIZE], text[700];

    snprintf(resource, sizeof(resource), "%.500s", asked);
    if (!kvp_authority_has_resource(daemon, resource)) {
        snprintf(text, sizeof(text),
                 "AADSTS500011: The resource principal named %s was not found in the tenant.",
                 resource);
        return refuse(400, "invalid_resource", text, ret_document);
    }
    if (kvp_authority_issue(daemon, principal, resource, token, &error) != KVP_OK) {
        kvp_note("managed identity: %s", error.message);
        return refuse(500, "unknown", "Failed to retrieve token from the authority", ret_document);
    }
    *ret_document = token_document(daemon, e, principal, resource, token);
    kvp_wipe(token, sizeof(token));
    return 200;
}

int kvp_imds_answer(const kvp_daemon *daemon, const char *const *identities, const char *secret,
                    const kvp_imds_request *request, json_t **ret_document)
{
    const endpoint *e = find(request->path);
    kvp_principal principal;
    kvp_error error = { .status = KVP_OK };

    if (!e)
        return refuse(404, "not_found", "There is no such endpoint", ret_document);
    if (strcmp(request->method, "GET") != 0)
        return refuse(405, "invalid_request", "Only GET is supported", ret_document);
    /* The header keeps pages that a browser was lured to, and proxies, from fetching tokens. */
    if (given(request->forwarded_for))
        return refuse(400, "invalid_request", "X-Forwarded-For is not allowed", ret_document);
    if (e->app_service && !same_secret(request->identity_header, secret))
        return refuse(401, "unauthorized", "X-IDENTITY-HEADER is missing or wrong", ret_document);
    if (!e->app_service &&
        (!request->metadata || kvp_ident_casecmp(request->metadata, "true") != 0))
        return refuse(400, "invalid_request", "Required metadata header not specified",
                      ret_document);
    if (!given(request->api_version) || strcmp(request->api_version, e->oldest) < 0 ||
        strcmp(request->api_version, e->newest) > 0)
        return refuse(400, "invalid_request",
                      "Required api-version parameter not specified, or not "
                      "supported",
                      ret_document);
    if (!given(request->resource))
        return refuse(400, "invalid_request", "Required audience parameter not specified",
                      ret_document);
    if ((given(request->client_id) ? 1 : 0) + (given(request->object_id) ? 1 : 0) +
            (given(request->resource_id) ? 1 : 0) >
        1)
        return refuse(400, "invalid_request", "More than one identity is named", ret_document);
    kvp_status status = choose(daemon, identities, request, &principal, &error);
    if (status == KVP_ERR_NOT_FOUND)
        return refuse(400, "invalid_request", "Identity not found", ret_document);
    if (status != KVP_OK) {
        kvp_note("managed identity: %s", error.message);
        return refuse(500, "unknown", "Failed to retrieve token from the authority", ret_document);
    }
    return issue(daemon, e, &principal, request->resource, ret_document);
}
