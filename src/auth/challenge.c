/* SPDX-License-Identifier: MIT */
/*
 * The challenge of a 401 (wire reference, section 2.1), and the rules about whom we believe. A
 * vault names where to get a token and for what; whoever can make us believe a foreign authority
 * gets our secret, and a foreign resource makes a token that opens somebody else's vault.
 */
#include "auth/internal.h"
#include "base/alloc.h"
#include "http/url.h"
#include "jwk/base64url.h"

#include <string.h>

#define SCOPE_SUFFIX "/.default"

void kvp_challenge_clear(kvp_challenge *challenge)
{
    if (!challenge)
        return;
    kvp_free(challenge->authority);
    kvp_free(challenge->tenant);
    kvp_free(challenge->resource);
    kvp_free(challenge->claims);
    memset(challenge, 0, sizeof(*challenge));
}

/* ---- clouds ---- */

/* Wire reference, section 1.1. */
static const struct {
    const char *suffix, *authority;
} clouds[] = {
    { "vault.azure.net", "login.microsoftonline.com" },
    { "managedhsm.azure.net", "login.microsoftonline.com" },
    { "vault.azure.cn", "login.chinacloudapi.cn" },
    { "managedhsm.azure.cn", "login.chinacloudapi.cn" },
    { "vault.usgovcloudapi.net", "login.microsoftonline.us" },
    { "managedhsm.usgovcloudapi.net", "login.microsoftonline.us" },
    { "vault.microsoftazure.de", "login.microsoftonline.de" },
};

/* Hosts of the identity service, older names of the public one included. */
static const char *const authorities[] = {
    "login.microsoftonline.com",        "login.windows.net",        "login.microsoft.com",
    "login.chinacloudapi.cn",           "login.microsoftonline.us", "login.microsoftonline.de",
    "login.partner.microsoftonline.cn",
};

/* Whether @host is @parent or ends in a dot and @parent. */
static bool is_within(const char *host, const char *parent)
{
    size_t host_len = strlen(host), parent_len = strlen(parent);

    if (host_len < parent_len || strcmp(host + host_len - parent_len, parent) != 0)
        return false;
    return host_len == parent_len || host[host_len - parent_len - 1] == '.';
}

/* Index of the cloud a vault's host belongs to, or -1. */
static int cloud_of(const char *host)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(clouds); i++)
        if (is_within(host, clouds[i].suffix) && strcmp(host, clouds[i].suffix) != 0)
            return (int)i;
    return -1;
}

/* ---- parsing ---- */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool same(const char *text, size_t len, const char *word)
{
    if (strlen(word) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];

        if (c != word[i])
            return false;
    }
    return true;
}

/* Parameters of one Bearer challenge, as they came. */
typedef enum param { AUTHORIZATION, RESOURCE, SCOPE, CLAIMS, PARAM_COUNT } param;

static const struct {
    const char *name;
    param which;
} params[] = {
    { "authorization", AUTHORIZATION },
    { "authorization_uri", AUTHORIZATION },
    { "authorization_url", AUTHORIZATION },
    { "resource", RESOURCE },
    { "scope", SCOPE },
    { "claims", CLAIMS },
};

typedef struct bearer {
    char *values[PARAM_COUNT];
    bool twice; /**< a parameter came twice: whoever reads the other one would act otherwise */
} bearer;

static void bearer_clear(bearer *b)
{
    for (size_t i = 0; i < PARAM_COUNT; i++)
        kvp_free(b->values[i]);
    memset(b, 0, sizeof(*b));
}

static bool is_usable(const bearer *b)
{
    return b->values[AUTHORIZATION] && (b->values[RESOURCE] || b->values[SCOPE]);
}

/* A quoted string or a bare word; returns what follows it, or NULL. */
static const char *parse_value(const char *p, kvp_buf *ret)
{
    if (*p != '"') {
        size_t len = strcspn(p, ", \t");

        return kvp_buf_append(ret, p, len) == KVP_OK ? p + len : NULL;
    }
    for (p++; *p != '"'; p++) {
        if (*p == '\\')
            p++;
        if (*p == '\0' || kvp_buf_append(ret, p, 1) != KVP_OK)
            return NULL;
    }
    return p + 1;
}

static kvp_status keep_param(bearer *b, const char *name, size_t len, const kvp_buf *value)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(params); i++) {
        char **slot = &b->values[params[i].which];

        if (!same(name, len, params[i].name))
            continue;
        b->twice = b->twice || *slot;
        kvp_free(*slot);
        *slot = kvp_strdup(kvp_buf_str(value));
        return *slot ? KVP_OK : KVP_ERR_NO_MEMORY;
    }
    return KVP_OK;
}

/*
 * Find the first usable Bearer challenge. A word with a '=' behind it is a parameter, one without
 * begins the next challenge (RFC 9110 §11.6.1); commas and blanks separate alike.
 */
static kvp_status find_bearer(const char *p, bearer *ret, kvp_error *reterr)
{
    bool in_bearer = false;
    kvp_status st = KVP_OK;

    while (st == KVP_OK && *(p += strspn(p, ", \t"))) {
        kvp_buf value = KVP_BUF_INIT(8192);
        const char *word = p, *after;
        size_t len;

        while (is_token_char(*p))
            p++;
        len = (size_t)(p - word);
        after = p + strspn(p, " \t");
        if (len == 0)
            return kvp_error_set(reterr, KVP_ERR_PARSE, "WWW-Authenticate is malformed");
        if (*after != '=') {
            if (is_usable(ret))
                return KVP_OK;
            bearer_clear(ret);
            in_bearer = same(word, len, "bearer");
            continue;
        }
        after++;
        p = parse_value(after + strspn(after, " \t"), &value);
        if (!p)
            st = kvp_error_set(reterr, KVP_ERR_PARSE, "WWW-Authenticate is malformed");
        else if (in_bearer && keep_param(ret, word, len, &value) != KVP_OK)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "challenge");
        kvp_buf_clear(&value);
    }
    if (st == KVP_OK && !is_usable(ret))
        return kvp_error_set(reterr, KVP_ERR_PARSE,
                             "the vault's challenge names no authority or no resource");
    return st;
}

bool kvp_tenant_valid(const char *tenant)
{
    size_t len =
        tenant ? strspn(tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
               : 0;

    return len > 0 && tenant[len] == '\0' && strspn(tenant, ".") != len;
}

/* `https://login.example/TENANT[/more]` into authority and tenant. */
static kvp_status set_authority(const char *text, kvp_challenge *ret, kvp_error *reterr)
{
    kvp_url url;
    size_t tenant_len;

    if (!kvp_url_parse(text, &url) || !kvp_http_url_allowed(text) || url.path[0] != '/')
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the challenge's authority is no https:// URL");
    tenant_len = strcspn(url.path + 1, "/?");
    ret->authority = kvp_strndup(text, (size_t)(url.path - text));
    ret->tenant = kvp_strndup(url.path + 1, tenant_len);
    if (!ret->authority || !ret->tenant)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "challenge");
    if (!kvp_tenant_valid(ret->tenant))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the challenge's authority names no tenant");
    return KVP_OK;
}

static kvp_status set_resource(const bearer *b, kvp_challenge *ret, kvp_error *reterr)
{
    const char *text = b->values[RESOURCE] ? b->values[RESOURCE] : b->values[SCOPE];
    size_t len = strlen(text);
    kvp_url url;

    if (!b->values[RESOURCE]) {
        size_t suffix = strlen(SCOPE_SUFFIX);

        if (len < suffix || strcmp(text + len - suffix, SCOPE_SUFFIX) != 0)
            return kvp_error_set(reterr, KVP_ERR_PARSE,
                                 "the challenge's scope does not end in " SCOPE_SUFFIX);
        len -= suffix;
    }
    while (len > 0 && text[len - 1] == '/')
        len--;
    ret->resource = kvp_strndup(text, len);
    if (!ret->resource)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "challenge");
    if (!kvp_url_parse(ret->resource, &url) || !kvp_http_url_allowed(ret->resource) ||
        strpbrk(url.path, "?&"))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the challenge's resource is no https:// URL");
    return KVP_OK;
}

/* JSON in base64, with or without padding; what is neither is not sent on. */
static kvp_status set_claims(const char *text, kvp_challenge *ret, kvp_error *reterr)
{
    size_t len = strcspn(text, "=");
    kvp_buf claims = KVP_BUF_INIT(8192), padded = KVP_BUF_INIT(16384);
    kvp_status st = kvp_buf_append(&padded, text, len);

    if (st == KVP_OK)
        st = kvp_buf_append(&padded, "===", (4 - len % 4) % 4);
    if (st == KVP_OK)
        st = kvp_base64_decode(kvp_buf_str(&padded), padded.len, &claims);
    if (st == KVP_OK &&
        (claims.len == 0 || claims.data[0] != '{' || strlen(kvp_buf_str(&claims)) != claims.len))
        st = KVP_ERR_PARSE;
    if (st == KVP_OK && !(ret->claims = kvp_strdup(kvp_buf_str(&claims))))
        st = KVP_ERR_NO_MEMORY;
    kvp_buf_clear(&claims);
    kvp_buf_clear(&padded);
    return st == KVP_OK ? KVP_OK
                        : kvp_error_set(reterr, st, "the challenge's claims are malformed");
}

kvp_status kvp_challenge_parse(const char *www_authenticate, kvp_challenge *ret, kvp_error *reterr)
{
    kvp_challenge challenge = { 0 };
    bearer b = { { 0 }, false };
    kvp_status st;

    if (!www_authenticate)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the vault refused without a challenge");
    st = find_bearer(www_authenticate, &b, reterr);
    if (st == KVP_OK && b.twice)
        st = kvp_error_set(reterr, KVP_ERR_PARSE, "the challenge says something twice");
    if (st == KVP_OK)
        st = set_authority(b.values[AUTHORIZATION], &challenge, reterr);
    if (st == KVP_OK)
        st = set_resource(&b, &challenge, reterr);
    if (st == KVP_OK && b.values[CLAIMS])
        st = set_claims(b.values[CLAIMS], &challenge, reterr);
    bearer_clear(&b);
    if (st != KVP_OK) {
        kvp_challenge_clear(&challenge);
        return st;
    }
    *ret = challenge;
    return KVP_OK;
}

/* ---- whom we believe ---- */

static bool is_address(const kvp_url *url)
{
    return url->ipv6 || strspn(url->host, "0123456789.") == strlen(url->host);
}

/* The vault's own host, or a domain that it is in; an address has no domain. */
static bool resource_fits(const kvp_url *resource, const kvp_url *vault)
{
    if (!resource->https && vault->https)
        return false;
    if (strcmp(resource->host, vault->host) == 0)
        return true;
    return !is_address(vault) && is_within(vault->host, resource->host);
}

static bool authority_fits(const kvp_url *authority, const kvp_url *vault, const char *configured)
{
    kvp_url own;

    if (configured && kvp_url_parse(configured, &own) && kvp_url_same_origin(authority, &own))
        return true;
    for (size_t i = 0; i < KVP_ARRAY_LEN(authorities); i++)
        if (authority->https && authority->port == 443 &&
            strcmp(authority->host, authorities[i]) == 0)
            return true;
    /* A vault that gives out its own tokens is none of the cloud's: there, one customer's vault
     * must not be able to ask for another's secret. */
    return cloud_of(vault->host) < 0 && kvp_url_same_origin(authority, vault);
}

kvp_status kvp_challenge_check(const kvp_challenge *challenge, const char *vault_url,
                               const char *configured_authority, kvp_error *reterr)
{
    kvp_url vault, resource, authority;

    if (!kvp_url_parse(vault_url, &vault) || !kvp_url_parse(challenge->resource, &resource) ||
        !kvp_url_parse(challenge->authority, &authority))
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "the challenge cannot be compared with the vault's URL");
    if (!resource_fits(&resource, &vault))
        return kvp_error_set(
            reterr, KVP_ERR_REFUSED,
            "%s asks for a token for %s, which it does not belong to: none was sent", vault.host,
            resource.host);
    if (!authority_fits(&authority, &vault, configured_authority))
        return kvp_error_set(
            reterr, KVP_ERR_REFUSED,
            "%s names the authority %s, which is not known: set `authority` if it is right",
            vault.host, authority.host);
    return KVP_OK;
}

kvp_status kvp_challenge_guess(const char *vault_url, const char *authority, const char *tenant,
                               kvp_challenge *ret, kvp_error *reterr)
{
    kvp_challenge challenge = { 0 };
    kvp_url vault;
    int cloud = kvp_url_parse(vault_url, &vault) ? cloud_of(vault.host) : -1;
    kvp_status st = KVP_OK;

    if (cloud < 0 || !vault.https || !kvp_tenant_valid(tenant))
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND,
                             "what the vault wants is only known by asking it");
    challenge.resource = kvp_asprintf("https://%s", clouds[cloud].suffix);
    challenge.tenant = kvp_strdup(tenant);
    if (authority)
        st = kvp_authority_normalise(authority, &challenge.authority, reterr);
    else
        challenge.authority = kvp_asprintf("https://%s", clouds[cloud].authority);
    if (st == KVP_OK && (!challenge.resource || !challenge.tenant || !challenge.authority))
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "challenge");
    if (st != KVP_OK) {
        kvp_challenge_clear(&challenge);
        return st;
    }
    *ret = challenge;
    return KVP_OK;
}
