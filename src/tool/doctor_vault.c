/* SPDX-License-Identifier: MIT */
/*
 * Doctor's steps for one vault: address, connection, certificate, challenge, token, and whether
 * keys may be listed and read. Requests go through the transport that the module uses, with its
 * trust.
 */
#include "tool/doctor.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "jwk/jwk.h"
#include "token/call.h"

#include <string.h>
#include <strings.h>

#define CONNECT_MS 10000
#define SOON_SECONDS (14LL * 86400)
#define PAGE_ITEMS 25 /* the most that the service gives (wire reference, section 3.1) */
#define PAGE_MAX ((size_t)1024 * 1024)

#define ADVICE_LIST                                                                                \
    "Give the identity a role that may read keys (Key Vault Crypto User), or list and get in the " \
    "vault's access policy. Without it only keys that an application asks for by name are found."

typedef struct vault_run {
    kvp_doctor *doctor;
    const kvp_config_vault *vault;
    kvp_http *http;
    kvp_probe probe;
    kvp_buf authorization; /* `Bearer TOKEN`, secret */
} vault_run;

static const char *advice_for(const kvp_error *error)
{
    return kvp_error_row_find(error, KVP_CALL_TOKEN)->advice;
}

/* ---- the way to it ---- */

static bool check_dns(vault_run *run)
{
    const char *proxy = kvp_probe_proxy(run->vault->url);
    char addresses[512];
    kvp_error error;

    kvp_error_clear(&error);
    if (kvp_probe_resolve(run->vault->url, addresses, sizeof(addresses), &error) == KVP_OK) {
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "dns", NULL, "%s", addresses);
    } else if (proxy) {
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "dns", NULL,
                         "%s; $%s is set, so a proxy may know it", error.message, proxy);
    } else {
        kvp_doctor_failed(run->doctor, "dns",
                          "Check the url for a misspelt name, and this machine's name resolution "
                          "(/etc/resolv.conf); a private endpoint needs its private DNS zone.",
                          &error);
        return false;
    }
    return true;
}

static bool check_tcp(vault_run *run)
{
    const char *proxy = kvp_probe_proxy(run->vault->url);
    int64_t timeout = run->vault->timeout_ms < CONNECT_MS ? run->vault->timeout_ms : CONNECT_MS;
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    st = kvp_probe_connect(run->vault->url, timeout, &run->probe, &error);
    if (st == KVP_OK) {
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "tcp", NULL, "connected to %s in %lld ms%s%s",
                         run->probe.address, (long long)run->probe.milliseconds, proxy ? ", $" : "",
                         proxy ? proxy : "");
        return true;
    }
    if (st == KVP_ERR_TLS) {
        kvp_doctor_failed(run->doctor, "tls",
                          "Something that does not speak TLS answers there: check host and port of "
                          "the url, and any proxy on the way.",
                          &error);
        return false;
    }
    kvp_doctor_failed(run->doctor, "tcp", advice_for(&error), &error);
    return false;
}

static void describe_certificate(vault_run *run)
{
    const kvp_probe *probe = &run->probe;

    if (!probe->not_after)
        return;
    kvp_doctor_detail(run->doctor, "certificate of %s", probe->subject);
    kvp_doctor_detail(run->doctor, "for %s", probe->names);
    kvp_doctor_detail(run->doctor, "issued by %s", probe->issuer);
}

/* The server is trusted: is it for long? */
static void report_tls(vault_run *run)
{
    int64_t left = run->probe.not_after - kvp_clock_wall_us() / 1000000;

    if (strncmp(run->vault->url, "https:", 6) != 0)
        kvp_doctor_check(run->doctor, KVP_CHECK_WARN, "tls", "Use https: where it can be had.",
                         "none: http:// is accepted for this machine alone");
    else if (run->probe.not_after && left < SOON_SECONDS)
        kvp_doctor_check(run->doctor, KVP_CHECK_WARN, "tls", "Renew the server's certificate.",
                         "the certificate is trusted, and expires in %lld days",
                         (long long)(left / 86400));
    else
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "tls", NULL, "the certificate is trusted (%s)",
                         run->vault->ca_file ? "the system's authorities and ca_file"
                                             : "the system's authorities");
    describe_certificate(run);
}

static void report_distrust(vault_run *run, const kvp_error *error)
{
    const kvp_probe *probe = &run->probe;

    kvp_doctor_failed(run->doctor, "tls", advice_for(error), error);
    if (probe->not_after && !run->doctor->json) {
        bool verbose = run->doctor->verbose;

        run->doctor->verbose = true; /* here it is what one needs to know */
        describe_certificate(run);
        run->doctor->verbose = verbose;
    }
}

/* ---- requests ---- */

/* GET @path of the vault, with the token if there is one. */
static kvp_status get(vault_run *run, const char *path, const char *query,
                      kvp_http_response *response, kvp_error *reterr)
{
    const kvp_http_header headers[] = {
        { "Accept", "application/json", false },
        { "Authorization", kvp_buf_str(&run->authorization), true },
    };
    KVP_CLEANUP(kvp_freep)
    char *url = kvp_asprintf("%s%s?api-version=%s%s", run->vault->url, path,
                             run->vault->api_version, query);
    kvp_http_request request = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .header_count = run->authorization.len > 0 ? 2 : 1,
        .max_response = PAGE_MAX,
        .no_retry = run->authorization.len == 0,
    };

    if (!url)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a request");
    return kvp_http_perform(run->http, &request, kvp_clock_mono_ms() + run->vault->timeout_ms,
                            response, reterr);
}

/* An answer that is not the one hoped for, as an error. */
static void error_of(const kvp_http_response *response, kvp_error *ret)
{
    kvp_error_set(ret, KVP_ERR_HTTP, "%s", "");
    ret->http_status = response->status;
    kvp_jwk_parse_error(kvp_buf_str(&response->body), response->body.len, ret);
    kvp_copy_printable(ret->request_id, sizeof(ret->request_id), response->request_id);
}

/* ---- who may come in ---- */

static void report_challenge(vault_run *run, const kvp_challenge *challenge)
{
    const char *tenant = run->vault->tenant;

    if (tenant && strchr(tenant, '-') && strcasecmp(tenant, challenge->tenant) != 0)
        kvp_doctor_check(
            run->doctor, KVP_CHECK_WARN, "challenge",
            "Unless this identity is known in both, set tenant to the vault's, or leave "
            "it out.",
            "the vault belongs to tenant %s, tenant = %s is configured", challenge->tenant, tenant);
    else
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "challenge", NULL,
                         "tenant %s, tokens for %s from %s", challenge->tenant, challenge->resource,
                         challenge->authority);
}

static bool check_challenge(vault_run *run, const kvp_http_response *response, kvp_challenge *ret)
{
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    if (response->status != 401) {
        error_of(response, &error);
        kvp_doctor_failed(run->doctor, "challenge", advice_for(&error), &error);
        return false;
    }
    st = kvp_challenge_parse(response->www_authenticate, ret, &error);
    if (st == KVP_OK) {
        st = kvp_challenge_check(ret, run->vault->url, run->vault->authority, &error);
        if (st == KVP_OK)
            report_challenge(run, ret);
    }
    if (st != KVP_OK)
        kvp_doctor_failed(run->doctor, "challenge", advice_for(&error), &error);
    return st == KVP_OK;
}

/* One request without a token shows whether the server is trusted, and what it asks for. */
static bool check_door(vault_run *run)
{
    kvp_http_response response;
    kvp_challenge challenge;
    kvp_error error;
    kvp_status st;
    bool good = false;

    memset(&response, 0, sizeof(response));
    memset(&challenge, 0, sizeof(challenge));
    kvp_error_clear(&error);
    st = get(run, "/keys", "", &response, &error);
    if (st == KVP_ERR_TLS) {
        report_distrust(run, &error);
    } else if (st != KVP_OK) {
        kvp_doctor_failed(run->doctor, "challenge", advice_for(&error), &error);
    } else {
        report_tls(run);
        good = check_challenge(run, &response, &challenge) &&
               kvp_doctor_token(run->doctor, run->vault, &challenge, &run->authorization);
    }
    kvp_challenge_clear(&challenge);
    kvp_http_response_clear(&response);
    return good;
}

/* ---- what it may do ---- */

/* The name of the first key that the section shows, or NULL; borrowed from @page. */
static const char *first_shown(const vault_run *run, const kvp_entry_list *page)
{
    for (size_t i = 0; i < page->count; i++)
        if (kvp_config_vault_shows(run->vault, page->items[i]->name))
            return page->items[i]->name;
    return NULL;
}

static void check_get(vault_run *run, const char *name)
{
    KVP_CLEANUP(kvp_freep) char *path = kvp_asprintf("/keys/%s", name);
    kvp_http_response response;
    kvp_key *key = NULL;
    kvp_error error;
    kvp_status st;

    memset(&response, 0, sizeof(response));
    kvp_error_clear(&error);
    st = path ? get(run, path, "", &response, &error)
              : kvp_error_set(&error, KVP_ERR_NO_MEMORY, "a request");
    if (st == KVP_OK && response.status != 200) {
        error_of(&response, &error);
        st = error.status;
    } else if (st == KVP_OK) {
        st = kvp_jwk_parse_key(kvp_buf_str(&response.body), response.body.len, &key, &error);
    }
    if (st == KVP_OK)
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "get", NULL, "key %s can be read", name);
    else
        kvp_doctor_failed(run->doctor, "get", advice_for(&error), &error);
    kvp_key_free(key);
    kvp_http_response_clear(&response);
}

static void check_page(vault_run *run, const kvp_entry_list *page, bool more)
{
    const char *name = first_shown(run, page);

    kvp_doctor_check(run->doctor, KVP_CHECK_OK, "list", NULL, "%zu key%s%s", page->count,
                     page->count == 1 ? "" : "s", more ? " on the first page, and more" : "");
    if (name)
        check_get(run, name);
    else if (page->count > 0)
        kvp_doctor_check(run->doctor, more ? KVP_CHECK_OK : KVP_CHECK_WARN, "get",
                         more ? NULL
                              : "Correct keys in the vault's section: applications see no key.",
                         "none of them fits keys in the vault's section");
    else if (!more)
        kvp_doctor_check(run->doctor, KVP_CHECK_OK, "get", NULL,
                         "not tried: the vault has no key yet");
}

/* Refused for want of a role, not because of the network that the request came from. */
static bool is_missing_role(const kvp_error *error)
{
    return error->http_status == 403 && strcmp(error->inner_code, "ForbiddenByFirewall") != 0 &&
           strcmp(error->inner_code, "ForbiddenByConnection") != 0;
}

static void check_list(vault_run *run)
{
    kvp_entry_list page = { NULL, 0, 0 };
    kvp_http_response response;
    char *next = NULL, query[32];
    kvp_error error;
    kvp_status st;

    memset(&response, 0, sizeof(response));
    kvp_error_clear(&error);
    snprintf(query, sizeof(query), "&maxresults=%d", PAGE_ITEMS);
    st = get(run, "/keys", query, &response, &error);
    if (st == KVP_OK && response.status != 200) {
        error_of(&response, &error);
        st = error.status;
    } else if (st == KVP_OK) {
        st = kvp_jwk_parse_page(KVP_KEYS, kvp_buf_str(&response.body), response.body.len, &page, &next,
                                    &error);
    }
    if (st == KVP_OK)
        check_page(run, &page, next != NULL);
    else
        kvp_doctor_failed(run->doctor, "list",
                          is_missing_role(&error) ? ADVICE_LIST : advice_for(&error), &error);
    kvp_free(next);
    kvp_entry_list_clear(&page);
    kvp_http_response_clear(&response);
}

void kvp_doctor_vault(kvp_doctor *doctor, const kvp_config_vault *vault)
{
    vault_run run = { .doctor = doctor,
                      .vault = vault,
                      .authorization = KVP_BUF_INIT_SECRET(64 * 1024) };
    const kvp_http_options options = { .ca_file = vault->ca_file, .max_connections = 1 };
    kvp_error error;

    doctor->vault = vault->name;
    kvp_error_clear(&error);
    kvp_doctor_check(doctor, KVP_CHECK_OK, "url", NULL, "%s (%s)", vault->url,
                     vault->managed_hsm ? "Managed HSM" : "vault");
    if (kvp_doctor_vault_files(doctor, vault) && check_dns(&run) && check_tcp(&run)) {
        if (kvp_http_new(&options, &run.http, &error) != KVP_OK)
            kvp_doctor_failed(doctor, "tls", advice_for(&error), &error);
        else if (check_door(&run))
            check_list(&run);
    }
    kvp_http_free(run.http);
    kvp_buf_clear(&run.authorization);
    doctor->vault = NULL;
}
