/* SPDX-License-Identifier: MIT */
/*
 * The authority under the daemon's own URL: the Entra token endpoint for client credentials, v2 and
 * v1, and as much discovery as client libraries ask for (wire reference, section 2.3).
 */
#include "vaultd/authority.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/assertion.h"
#include "vaultd/note.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const kvp_signin_error kvp_signin_errors[KVP_SIGNIN_COUNT] = {
    [KVP_SIGNIN_SECRET] = { 401, 7000215, "invalid_client",
                            "Invalid client secret provided. Ensure the secret being sent in the "
                            "request is the client secret value, not the client secret ID, for a "
                            "secret added to app '%s'." },
    [KVP_SIGNIN_CLIENT] = { 400, 700016, "unauthorized_client",
                            "Application with identifier '%s' was not found in the directory. This "
                            "can happen if the application has not been installed by the "
                            "administrator of the tenant." },
    [KVP_SIGNIN_TENANT] = { 400, 90002, "invalid_request",
                            "Tenant '%s' not found. Check to make sure you have the correct tenant "
                            "ID and are signing into the correct cloud." },
    [KVP_SIGNIN_PARAMETER] = { 400, 90014, "invalid_request",
                               "The required field '%s' is missing from the credential. Ensure "
                               "that "
                               "you have all the necessary parameters for the login request." },
    [KVP_SIGNIN_CREDENTIAL] = { 401, 7000216, "invalid_client",
                                "'client_assertion', 'client_secret' or 'request' is required for "
                                "the '%s' grant type." },
    [KVP_SIGNIN_GRANT] = { 400, 70003, "unsupported_grant_type",
                           "The app requested an unsupported grant type '%s'." },
    [KVP_SIGNIN_SCOPE] = { 400, 70011, "invalid_scope",
                           "The provided request must include a 'scope' input parameter. The "
                           "provided value for the input parameter 'scope' is not valid. The scope "
                           "%s is not valid." },
    [KVP_SIGNIN_RESOURCE] = { 400, 500011, "invalid_resource",
                              "The resource principal named %s was not found in the tenant." },
    [KVP_SIGNIN_ASSERTION_FORM] = { 400, 50027, "invalid_request",
                                    "JWT token is invalid or malformed. Application '%s'." },
    [KVP_SIGNIN_ASSERTION_CLIENT] = { 401, 700021, "invalid_client",
                                      "Client assertion application identifier doesn't match "
                                      "'client_id' parameter: '%s'." },
    [KVP_SIGNIN_ASSERTION_CERTIFICATE] = { 401, 700027, "invalid_client",
                                           "The certificate with identifier used to sign the "
                                           "client "
                                           "assertion is not registered on application. [Reason - "
                                           "The key was not found.] Application '%s'." },
    [KVP_SIGNIN_ASSERTION_SIGNATURE] = { 401, 700027, "invalid_client",
                                         "Client assertion failed signature validation. "
                                         "Application '%s'." },
    [KVP_SIGNIN_ASSERTION_AUDIENCE] = { 401, 700023, "invalid_client",
                                        "Client assertion audience claim does not match the token "
                                        "endpoint. Found '%s'." },
    [KVP_SIGNIN_ASSERTION_TIME] = { 401, 700024, "invalid_client",
                                    "Client assertion is not within its valid time range. "
                                    "Application '%s'." },
    [KVP_SIGNIN_ASSERTION_REPLAY] = { 401, 50013, "invalid_client",
                                      "Assertion is not valid: its identifier (jti) is missing or "
                                      "was "
                                      "used before. Application '%s'." },
    [KVP_SIGNIN_FEDERATED_ISSUER] = { 401, 700211, "invalid_client",
                                      "No matching federated identity record found for presented "
                                      "assertion issuer '%s'." },
    [KVP_SIGNIN_FEDERATED_SUBJECT] = { 401, 700213, "invalid_client",
                                       "No matching federated identity record found for presented "
                                       "assertion subject '%s'." },
    [KVP_SIGNIN_FEDERATED_AUDIENCE] = { 401, 700212, "invalid_client",
                                        "No matching federated identity record found for presented "
                                        "assertion audience '%s'." },
    [KVP_SIGNIN_BUSY] = { 503, 90033, "temporarily_unavailable",
                          "A transient error has occurred. Please try again.%.0s" },
};

/* Resources that exist in every tenant: tokens for them are issued, and refused by this vault. */
static const char *const foreign_resources[] = {
    "https://vault.azure.net",
    "https://managedhsm.azure.net",
    "https://management.azure.com",
    "https://graph.microsoft.com",
};

typedef struct signin {
    char client[128], secret[256], grant[64], resource[512];
    char principal[128];
    char assertion[KVP_ASSERTION_MAX + 1]; /* "" when a secret came */
} signin;

static void timestamp(char *dst, size_t size)
{
    time_t now = (time_t)kvp_ident_now();
    struct tm tm = { 0 };

    gmtime_r(&now, &tm);
    strftime(dst, size, "%Y-%m-%d %H:%M:%SZ", &tm);
}

static void log_signin(kvp_exchange *ex, const signin *in, long code)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_usage_log_signin(ex->daemon->log, ex, in->client, in->principal, in->resource, code,
                             &error) != KVP_OK)
        kvp_note("request %s: %s", ex->request_id, error.message);
}

static void refuse_signin(kvp_exchange *ex, const signin *in, kvp_signin_failure what,
                          const char *detail)
{
    const kvp_signin_error *row = &kvp_signin_errors[what];
    char when[32], safe[300], uri[96], trace[KVP_UUID_SIZE] = "";
    const char *correlation =
        kvp_ident_is_uuid(ex->client_request_id) ? ex->client_request_id : ex->request_id;

    kvp_copy_printable(safe, sizeof(safe), detail);
    for (char *p = safe; *p; p++) {
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    }
    timestamp(when, sizeof(when));
    if (kvp_ident_uuid(trace) != KVP_OK)
        trace[0] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    char *text = kvp_asprintf(row->message, safe); /* every row has one %s; a test walks them */
#pragma GCC diagnostic pop
    char *description = kvp_asprintf("AADSTS%ld: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
                                     row->code, text ? text : "", trace, correlation, when);
    snprintf(uri, sizeof(uri), "%s/error?code=%ld", "https://login.microsoftonline.com", row->code);
    log_signin(ex, in, row->code);
    kvp_exchange_reply_take(
        ex, row->status,
        json_pack("{s:s, s:s, s:[I], s:s, s:s, s:s, s:s}", "error", row->error, "error_description",
                  description ? description : "", "error_codes", (json_int_t)row->code, "timestamp",
                  when, "trace_id", trace, "correlation_id", correlation, "error_uri", uri));
    kvp_free(text);
    kvp_free(description);
}

bool kvp_form_field(const char *form, const char *name, char *dst, size_t size)
{
    size_t name_len = strlen(name);

    for (const char *p = form; *p;) {
        size_t len = strcspn(p, "&");
        if (len > name_len && strncmp(p, name, name_len) == 0 && p[name_len] == '=') {
            size_t value_len = len - name_len - 1;
            char *value = kvp_strndup(p + name_len + 1, value_len);
            bool ok = value && kvp_exchange_unescape(value, true) && strlen(value) < size;
            if (ok)
                memcpy(dst, value, strlen(value) + 1);
            if (value)
                kvp_wipe(value, value_len);
            kvp_free(value);
            return ok;
        }
        p += len;
        if (*p == '&')
            p++;
    }
    return false;
}

/* Cut a port and trailing slashes off: audiences have neither. */
static void canonical_resource(char *resource)
{
    size_t len = strlen(resource);

    while (len > 0 && resource[len - 1] == '/')
        resource[--len] = '\0';
    char *host = strstr(resource, "://");
    char *port = host ? strrchr(host + 3, ':') : NULL;
    if (port && strspn(port + 1, "0123456789") == strlen(port + 1))
        *port = '\0';
}

/* The resource of the first `RESOURCE/.default` among the scopes; OpenID's own do not count. */
static bool resource_of_scope(const char *scope, char *dst, size_t size)
{
    static const char suffix[] = "/.default";
    size_t suffix_len = sizeof(suffix) - 1;

    while (*scope) {
        size_t len = strcspn(scope, " ");
        if (len > suffix_len && len - suffix_len < size &&
            strncmp(scope + len - suffix_len, suffix, suffix_len) == 0) {
            memcpy(dst, scope, len - suffix_len);
            dst[len - suffix_len] = '\0';
            canonical_resource(dst);
            return true;
        }
        scope += len + strspn(scope + len, " ");
    }
    return false;
}

bool kvp_authority_has_resource(const kvp_daemon *daemon, char *resource)
{
    canonical_resource(resource);
    for (size_t i = 0; i < KVP_ARRAY_LEN(foreign_resources); i++) {
        if (strcmp(foreign_resources[i], resource) == 0)
            return true;
    }
    return kvp_daemon_owns_audience(daemon, resource);
}

/* A secret or an assertion; with both, the assertion counts, as it does for Entra. */
static bool read_proof(const char *form, signin *in)
{
    static const char type[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    char given[128];

    if (kvp_form_field(form, "client_assertion", in->assertion, sizeof(in->assertion)) &&
        *in->assertion)
        return kvp_form_field(form, "client_assertion_type", given, sizeof(given)) &&
               strcmp(given, type) == 0;
    in->assertion[0] = '\0';
    return kvp_form_field(form, "client_secret", in->secret, sizeof(in->secret)) && *in->secret;
}

/* Read the form; false after refusing. */
static bool read_signin(kvp_exchange *ex, bool v1, signin *in)
{
    const char *form = kvp_buf_str(&ex->body);
    char scope[1024];

    if (kvp_ident_casecmp(ex->name, ex->daemon->vault.tenant) != 0) {
        refuse_signin(ex, in, KVP_SIGNIN_TENANT, ex->name);
        return false;
    }
    if (!kvp_form_field(form, "grant_type", in->grant, sizeof(in->grant))) {
        refuse_signin(ex, in, KVP_SIGNIN_PARAMETER, "grant_type");
        return false;
    }
    if (!kvp_form_field(form, "client_id", in->client, sizeof(in->client))) {
        refuse_signin(ex, in, KVP_SIGNIN_PARAMETER, "client_id");
        return false;
    }
    if (strcmp(in->grant, "client_credentials") != 0) {
        refuse_signin(ex, in, KVP_SIGNIN_GRANT, in->grant);
        return false;
    }
    if (!kvp_form_field(form, v1 ? "resource" : "scope", scope, sizeof(scope))) {
        refuse_signin(ex, in, KVP_SIGNIN_PARAMETER, v1 ? "resource" : "scope");
        return false;
    }
    if (v1) {
        snprintf(in->resource, sizeof(in->resource), "%.500s", scope);
        canonical_resource(in->resource);
    } else if (!resource_of_scope(scope, in->resource, sizeof(in->resource))) {
        refuse_signin(ex, in, KVP_SIGNIN_SCOPE, scope);
        return false;
    }
    if (!read_proof(form, in)) {
        refuse_signin(ex, in, KVP_SIGNIN_CREDENTIAL, in->grant);
        return false;
    }
    return true;
}

/*
 * Secrets are made here with 256 random bits, never chosen by people: one SHA-256 is as good as a
 * slow hash against somebody who holds the file, and costs an attacker of the endpoint nothing
 * more.
 */
static bool check_secret(kvp_exchange *ex, const signin *in, const kvp_principal *principal)
{
    uint8_t digest[32];

    if (kvp_ident_digest(in->secret, digest) != KVP_OK) {
        refuse_signin(ex, in, KVP_SIGNIN_BUSY, "");
        return false;
    }
    if (!kvp_equal_secret(digest, principal->secret_digest, sizeof(digest))) {
        refuse_signin(ex, in, KVP_SIGNIN_SECRET, in->client);
        return false;
    }
    return true;
}

static bool check_assertion(kvp_exchange *ex, const signin *in, const kvp_principal *principal)
{
    kvp_error error = { .status = KVP_OK };
    kvp_signin_failure why = KVP_SIGNIN_BUSY;
    char v2[600], v1[600], issuer[600], detail[300] = "";
    const char *const audiences[] = { v2, v1, issuer, NULL };
    const kvp_assertion_case what = { in->assertion, in->client, audiences, kvp_ident_now() };

    snprintf(v2, sizeof(v2), "%s/%s/oauth2/v2.0/token", ex->base_url, ex->daemon->vault.tenant);
    snprintf(v1, sizeof(v1), "%s/%s/oauth2/token", ex->base_url, ex->daemon->vault.tenant);
    snprintf(issuer, sizeof(issuer), "%s/%s/v2.0", ex->base_url, ex->daemon->vault.tenant);
    kvp_status status = kvp_assertion_check(ex->daemon->store, principal, &what, &why, detail,
                                            sizeof(detail), &error);
    if (status == KVP_OK)
        return true;
    if (status != KVP_ERR_REFUSED)
        kvp_note("request %s: %s", ex->request_id, error.message);
    refuse_signin(ex, in, status == KVP_ERR_REFUSED ? why : KVP_SIGNIN_BUSY, detail);
    return false;
}

static bool check_proof(kvp_exchange *ex, signin *in, kvp_principal *principal)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status =
        kvp_store_principal_by_client(ex->daemon->store, in->client, principal, &error);

    if (status == KVP_ERR_NOT_FOUND) {
        refuse_signin(ex, in, KVP_SIGNIN_CLIENT, in->client);
        return false;
    }
    if (status != KVP_OK) {
        kvp_note("request %s: %s", ex->request_id, error.message);
        refuse_signin(ex, in, KVP_SIGNIN_BUSY, "");
        return false;
    }
    snprintf(in->principal, sizeof(in->principal), "%s", principal->name);
    return *in->assertion ? check_assertion(ex, in, principal) : check_secret(ex, in, principal);
}

static json_t *token_document(const kvp_exchange *ex, bool v1, const signin *in, const char *token)
{
    json_int_t lifetime = ex->daemon->token_lifetime_s;
    char life[24], until[24], from[24];

    if (!v1)
        return json_pack("{s:s, s:I, s:I, s:s}", "token_type", "Bearer", "expires_in", lifetime,
                         "ext_expires_in", lifetime, "access_token", token);
    snprintf(life, sizeof(life), "%lld", (long long)lifetime);
    snprintf(until, sizeof(until), "%lld", (long long)(kvp_ident_now() + lifetime));
    snprintf(from, sizeof(from), "%lld", (long long)kvp_ident_now());
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "token_type", "Bearer", "expires_in",
                     life, "ext_expires_in", life, "expires_on", until, "not_before", from,
                     "resource", in->resource, "access_token", token);
}

kvp_status kvp_authority_issue(const kvp_daemon *daemon, const kvp_principal *principal,
                               const char *resource, char ret_token[KVP_SECRET_SIZE],
                               kvp_error *reterr)
{
    int64_t expires_ms = kvp_clock_wall_us() / 1000 + (int64_t)daemon->token_lifetime_s * 1000;
    uint8_t digest[32];

    if (kvp_ident_secret(ret_token) != KVP_OK || kvp_ident_digest(ret_token, digest) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
    return kvp_store_token_add(daemon->store, digest, principal->id, resource, expires_ms, reterr);
}

static void issue(kvp_exchange *ex, bool v1, signin *in)
{
    kvp_principal principal = { .id = 0 };
    kvp_error error = { .status = KVP_OK };
    char token[KVP_SECRET_SIZE];

    if (!read_signin(ex, v1, in) || !check_proof(ex, in, &principal))
        return;
    if (!kvp_authority_has_resource(ex->daemon, in->resource)) {
        refuse_signin(ex, in, KVP_SIGNIN_RESOURCE, in->resource);
        return;
    }
    if (kvp_authority_issue(ex->daemon, &principal, in->resource, token, &error) != KVP_OK) {
        kvp_note("request %s: issuing a token: %s", ex->request_id, error.message);
        refuse_signin(ex, in, KVP_SIGNIN_BUSY, "");
    } else {
        log_signin(ex, in, 0);
        kvp_exchange_reply_take(ex, 200, token_document(ex, v1, in, token));
    }
    kvp_wipe(token, sizeof(token));
}

static void token(kvp_exchange *ex, bool v1)
{
    signin in = { .client = "" };

    issue(ex, v1, &in);
    kvp_wipe(&in, sizeof(in));
}

void kvp_authority_token_v2(kvp_exchange *ex)
{
    token(ex, false);
}

void kvp_authority_token_v1(kvp_exchange *ex)
{
    token(ex, true);
}

/* `BASE/TENANT/REST` as a JSON string. */
static json_t *tenant_url(const kvp_exchange *ex, const char *rest)
{
    char url[600];

    snprintf(url, sizeof(url), "%s/%s/%s", ex->base_url, ex->daemon->vault.tenant, rest);
    return json_string(url);
}

void kvp_authority_openid(kvp_exchange *ex)
{
    const signin nobody = { .client = "" };

    if (kvp_ident_casecmp(ex->name, ex->daemon->vault.tenant) != 0) {
        refuse_signin(ex, &nobody, KVP_SIGNIN_TENANT, ex->name);
        return;
    }
    kvp_exchange_reply_take(
        ex, 200,
        json_pack("{s:o, s:[s, s], s:o, s:[s], s:[s], s:[s], s:o, s:o, s:[s]}", "token_endpoint",
                  tenant_url(ex, "oauth2/v2.0/token"), "token_endpoint_auth_methods_supported",
                  "client_secret_post", "private_key_jwt", "jwks_uri",
                  tenant_url(ex, "discovery/v2.0/keys"), "response_modes_supported", "form_post",
                  "subject_types_supported", "pairwise", "id_token_signing_alg_values_supported",
                  "RS256", "issuer", tenant_url(ex, "v2.0"), "authorization_endpoint",
                  tenant_url(ex, "oauth2/v2.0/authorize"), "response_types_supported", "code"));
}

void kvp_authority_instance(kvp_exchange *ex)
{
    const char *host = ex->base_url + strlen("https://");

    kvp_exchange_reply_take(
        ex, 200,
        json_pack("{s:o, s:s, s:[{s:s, s:s, s:[s]}]}", "tenant_discovery_endpoint",
                  tenant_url(ex, "v2.0/.well-known/openid-configuration"), "api-version", "1.1",
                  "metadata", "preferred_network", host, "preferred_cache", host, "aliases", host));
}

/* Access tokens are opaque: there is no key to check them with. */
void kvp_authority_signing_keys(kvp_exchange *ex)
{
    kvp_exchange_reply_take(ex, 200, json_pack("{s:[]}", "keys"));
}
