/* SPDX-License-Identifier: MIT */
/* Who asks: bearer tokens, and the challenge for those who have none (wire reference, section 2).
 */
#include "vaultd/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/note.h"

#include <string.h>
#include <stdio.h>

#define TOKEN_MAX 4096 /* an Entra token sent by mistake is that long; ours has 43 characters */

/*
 * Official clients want the resource's host to be a parent domain of ours (`V.vault.azure.net`
 * asks for `vault.azure.net`); ours also takes exactly our own. Where our name has a parent that
 * is more than a bare top-level label, or is `localhost`, both are pleased; an address has none.
 */
void kvp_exchange_resource(const char *host, char *dst, size_t size)
{
    const char *parent = strchr(host, '.');
    bool address = host[0] == '[' || strspn(host, "0123456789.") == strlen(host);

    if (!address && parent && (strchr(parent + 1, '.') || strcmp(parent + 1, "localhost") == 0))
        host = parent + 1;
    snprintf(dst, size, "https://%s", host);
}

bool kvp_daemon_owns_audience(const kvp_daemon *daemon, const char *audience)
{
    char resource[300];

    for (size_t i = 0; i < daemon->host_count; i++) {
        kvp_exchange_resource(daemon->hosts[i], resource, sizeof(resource));
        if (strcmp(resource, audience) == 0)
            return true;
        /* What a vault below that name asks for: its parent is the name itself. */
        snprintf(resource, sizeof(resource), "https://%s", daemon->hosts[i]);
        if (strcmp(resource, audience) == 0)
            return true;
    }
    return false;
}

static bool challenge(kvp_exchange *ex, kvp_refusal why, const char *found)
{
    char resource[300], value[800];

    kvp_exchange_resource(ex->host_name, resource, sizeof(resource));
    snprintf(value, sizeof(value), "Bearer authorization=\"%s/%s\", resource=\"%s\"", ex->base_url,
             ex->daemon->vault.tenant, resource);
    kvp_exchange_header(ex, "WWW-Authenticate", value);
    kvp_refuse(ex, why, resource, found);
    return false;
}

/* Whose token came with the request. KVP_ERR_INVALID: none did; otherwise as kvp_store_token_find.
 */
static kvp_status find_token(const kvp_exchange *ex, kvp_grant *ret_grant, kvp_error *reterr)
{
    static const char scheme[] = "Bearer ";
    uint8_t digest[32];
    char head[sizeof(scheme)];

    if (!ex->authorization || strlen(ex->authorization) < sizeof(scheme) ||
        strlen(ex->authorization) > TOKEN_MAX)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "no token");
    memcpy(head, ex->authorization, sizeof(scheme) - 1);
    head[sizeof(scheme) - 1] = '\0';
    if (kvp_ident_casecmp(head, scheme) != 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "no token");
    const char *token = ex->authorization + sizeof(scheme) - 1;
    token += strspn(token, " ");
    if (kvp_ident_digest(token, digest) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "the digest of a token");
    return kvp_store_token_find(ex->daemon->store, digest, &ex->daemon->vault, ret_grant, reterr);
}

static bool is_expired(const kvp_grant *grant)
{
    return grant->expires_ms <= kvp_clock_wall_us() / 1000;
}

size_t kvp_exchange_body_limit(const kvp_exchange *ex)
{
    static const char end[] = "/restore";
    size_t len = strcspn(ex->target, "?");
    kvp_grant grant;

    if (strcmp(ex->method, "POST") != 0 || len < sizeof(end) ||
        memcmp(ex->target + len - (sizeof(end) - 1), end, sizeof(end) - 1) != 0 ||
        find_token(ex, &grant, NULL) != KVP_OK || is_expired(&grant))
        return KVP_EXCHANGE_BODY_MAX;
    return KVP_EXCHANGE_RESTORE_MAX;
}

bool kvp_exchange_authenticate(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status = find_token(ex, &ex->grant, &error);

    if (status == KVP_ERR_INVALID)
        return challenge(ex, KVP_REFUSE_NO_TOKEN, "");
    if (status == KVP_ERR_NOT_FOUND)
        return challenge(ex, KVP_REFUSE_UNKNOWN_TOKEN, "");
    if (status != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    if (is_expired(&ex->grant))
        return challenge(ex, KVP_REFUSE_EXPIRED_TOKEN, "");
    if (!kvp_daemon_owns_audience(ex->daemon, ex->grant.audience))
        return challenge(ex, KVP_REFUSE_AUDIENCE, ex->grant.audience);
    ex->authenticated = true;
    return true;
}
