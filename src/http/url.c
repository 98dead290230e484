/* SPDX-License-Identifier: MIT */
/* The strict URL parser; see url.h. */
#include "http/url.h"
#include "http/http.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Length of @prefix (lower case) if @s starts with it in any case, else 0. */
static size_t skip_prefix(const char *s, const char *prefix)
{
    size_t i;

    for (i = 0; prefix[i]; i++)
        if (lower(s[i]) != prefix[i])
            return 0;
    return i;
}

/* A host name or dotted address: labels of letters, digits, hyphens, underscores; no empty label.
 */
static const char *parse_name(const char *s, kvp_url *url)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    if (len == 0 || len >= sizeof(url->host) || s[0] == '.' || s[len - 1] == '.')
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '.' && s[i + 1] == '.')
            return NULL;
        url->host[i] = lower(s[i]);
    }
    url->host[len] = '\0';
    return s + len;
}

/* [IPv6], normalised, so that one address has one spelling. */
static const char *parse_ipv6(const char *s, kvp_url *url)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = strspn(s + 1, "0123456789abcdefABCDEF:.");

    if (s[1 + len] != ']' || len >= sizeof(text))
        return NULL;
    memcpy(text, s + 1, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &address) != 1 ||
        !inet_ntop(AF_INET6, &address, url->host, sizeof(url->host)))
        return NULL;
    url->ipv6 = true;
    return s + len + 2;
}

static const char *parse_port(const char *s, kvp_url *url)
{
    size_t len;

    url->port = url->https ? 443 : 80;
    if (*s != ':')
        return s;
    len = strspn(++s, "0123456789");
    if (len == 0 || len > 5)
        return NULL;
    url->port = 0;
    for (; len > 0; len--, s++)
        url->port = url->port * 10 + (unsigned)(*s - '0');
    return url->port >= 1 && url->port <= 65535 ? s : NULL;
}

static bool parse_path(const char *s)
{
    if (*s != '\0' && *s != '/' && *s != '?')
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '\\' || *s == '#')
            return false;
    return true;
}

bool kvp_url_parse(const char *text, kvp_url *ret)
{
    kvp_url url = { .https = true };
    const char *p;
    size_t skip;

    if (!text)
        return false;
    skip = skip_prefix(text, "https://");
    if (!skip) {
        skip = skip_prefix(text, "http://");
        url.https = false;
    }
    if (!skip)
        return false;
    p = text[skip] == '[' ? parse_ipv6(text + skip, &url) : parse_name(text + skip, &url);
    if (p)
        p = parse_port(p, &url);
    if (!p || !parse_path(p))
        return false;
    url.path = p;
    *ret = url;
    return true;
}

bool kvp_url_same_origin(const kvp_url *a, const kvp_url *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool kvp_url_is_loopback(const kvp_url *url)
{
    struct in_addr address;

    if (url->ipv6)
        return strcmp(url->host, "::1") == 0;
    if (strcmp(url->host, "localhost") == 0)
        return true;
    /* inet_pton takes four decimal numbers only: 127.1 or 0x7f000001 do not pass for an address. */
    return inet_pton(AF_INET, url->host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

bool kvp_http_url_allowed(const char *url)
{
    kvp_url parsed;

    return kvp_url_parse(url, &parsed) && (parsed.https || kvp_url_is_loopback(&parsed));
}
