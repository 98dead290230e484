/* SPDX-License-Identifier: MIT */
/*
 * The base URL of a vault or an authority. Nothing but scheme, host and port is taken: a path or a
 * query would be sent with each request, a user name would be sent to whoever answers.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 /* RFC 1035 §2.3.4 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The same rule as the transport's: plain http is for this machine alone. */
static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_host_name(const char *host)
{
    size_t len = strlen(host);

    if (len == 0 || len > HOST_MAX ||
        strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != len)
        return false;
    return host[0] != '.' && host[0] != '-' && !strstr(host, "..");
}

/* Take the host from @at into @host; returns what follows it, or NULL. */
static const char *take_host(const char *at, char host[HOST_MAX + 1], bool *ret_v6)
{
    struct in6_addr v6;
    size_t len;

    *ret_v6 = *at == '[';
    if (*ret_v6)
        at++;
    len = strcspn(at, *ret_v6 ? "]" : ":/?#");
    if (len > HOST_MAX)
        return NULL;
    for (size_t i = 0; i < len; i++)
        host[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] - 'A' + 'a' : at[i]);
    host[len] = '\0';
    if (!*ret_v6)
        return is_host_name(host) ? at + len : NULL;
    return at[len] == ']' && inet_pton(AF_INET6, host, &v6) == 1 ? at + len + 1 : NULL;
}

/* Take `:PORT`; 0 when there is none. Returns what follows, or NULL. */
static const char *take_port(const char *at, unsigned *ret_port)
{
    unsigned long port = 0;
    const char *start;

    *ret_port = 0;
    if (*at != ':')
        return at;
    start = ++at;
    for (; is_digit(*at) && at - start < 6; at++)
        port = port * 10 + (unsigned)(*at - '0');
    if (at == start || port == 0 || port > 65535)
        return NULL;
    *ret_port = (unsigned)port;
    return at;
}

kvp_status kvp_config_url(const char *value, char **ret, kvp_error *reterr)
{
    char host[HOST_MAX + 1];
    const char *at;
    unsigned port;
    bool tls, v6;
    char *url;

    if (strncasecmp(value, "https://", 8) == 0) {
        tls = true;
        at = value + 8;
    } else if (strncasecmp(value, "http://", 7) == 0) {
        tls = false;
        at = value + 7;
    } else {
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "it does not begin with https://");
    }
    if (at[strcspn(at, "@/?#")] == '@')
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "it holds a user name");
    at = take_host(at, host, &v6);
    if (!at)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "it has no proper host name");
    at = take_port(at, &port);
    if (!at)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "its port is not a number from 1 to 65535");
    if (*at == '/')
        at++;
    if (*at)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "something follows the host");
    if (!tls && !is_loopback(host))
        return kvp_error_set(
            reterr, KVP_ERR_CONFIG,
            "http:// is for loopback addresses only: tokens would travel in clear");
    if (port == (tls ? 443 : 80))
        port = 0;
    if (port)
        url = kvp_asprintf("%s://%s%s%s:%u", tls ? "https" : "http", v6 ? "[" : "", host,
                           v6 ? "]" : "", port);
    else
        url = kvp_asprintf("%s://%s%s%s", tls ? "https" : "http", v6 ? "[" : "", host,
                           v6 ? "]" : "");
    if (!url)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "URL");
    *ret = url;
    return KVP_OK;
}
