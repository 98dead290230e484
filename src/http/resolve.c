/* SPDX-License-Identifier: MIT */
/*
 * Host names are looked up in the calling thread and handed to libcurl, whose own lookup would
 * start a thread: PKCS#11 applications may forbid that (CKF_LIBRARY_CANT_CREATE_OS_THREADS, which
 * NSS always sets), and a lookup that times out would leave the thread behind after C_Finalize. An
 * answer serves all handles of a pool for a minute. Left to libcurl: addresses, localhost (no
 * lookup), and whatever goes through a proxy of the environment, which does the lookup.
 */
#include "config.h"

#include "http/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KEEP_MS 60000
#define MAX_ADDRESSES 16
/* The system's resolver asks again by itself; a failure that took this long is not tried again. */
#define SLOW_FAILURE_MS 2000

kvp_resolver kvp_resolver_for_tests;

static kvp_status append_address(const struct addrinfo *info, kvp_buf *ret)
{
    char text[INET6_ADDRSTRLEN];
    bool ipv6 = info->ai_family == AF_INET6;
    const void *address;

    if (ipv6)
        address = &((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr;
    else if (info->ai_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;
    else
        return KVP_OK;
    if (!inet_ntop(info->ai_family, address, text, sizeof(text)))
        return KVP_OK;
    return kvp_buf_append_fmt(ret, "%s%s%s%s", ret->len > 0 ? "," : "", ipv6 ? "[" : "", text,
                              ipv6 ? "]" : "");
}

static const char *explain(int rc)
{
    switch (rc) {
    case EAI_NONAME:
        return "there is no such host";
    case EAI_AGAIN:
        return "the name servers do not answer";
    case EAI_MEMORY:
        return "no memory";
    default:
        return "the name servers refuse";
    }
}

/* Addresses of @host as libcurl takes them: `192.0.2.1,[2001:db8::1]`. */
static kvp_status look_up(const char *host, kvp_buf *ret, kvp_error *reterr)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *list = NULL;
    kvp_status st = KVP_OK;
    unsigned count = 0;
    int rc;

    if (kvp_resolver_for_tests)
        return kvp_resolver_for_tests(host, ret, reterr);
    rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return kvp_error_set(reterr, KVP_ERR_NETWORK, "the host name %s cannot be resolved: %s",
                             host, explain(rc));
    for (const struct addrinfo *i = list; i && st == KVP_OK && count < MAX_ADDRESSES;
         i = i->ai_next) {
        st = append_address(i, ret);
        count++;
    }
    freeaddrinfo(list);
    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "the addresses of %s", host);
    if (ret->len == 0)
        return kvp_error_set(reterr, KVP_ERR_NETWORK, "the host name %s has no address", host);
    return KVP_OK;
}

/* As libcurl reads them: lower case stands before upper, and HTTP_PROXY is not looked at at all. */
static bool has_proxy(const kvp_url *url)
{
    static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
    static const char *const http[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
    const char *const *names = url->https ? https : http;
    size_t count = url->https ? KVP_ARRAY_LEN(https) : KVP_ARRAY_LEN(http);

    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);

        if (value && value[0] != '\0')
            return true;
    }
    return false;
}

bool kvp_resolve_needed(const kvp_url *url, bool no_proxy)
{
    struct in_addr address;

    return !url->ipv6 && !kvp_url_is_loopback(url) &&
           inet_pton(AF_INET, url->host, &address) != 1 && (no_proxy || !has_proxy(url));
}

/* The entry that the pool remembers, if it is this one and young enough: a new string, or NULL. */
static char *remembered(kvp_http *http, const char *entry_start, int64_t now)
{
    size_t len = strlen(entry_start);
    char *copy = NULL;

    kvp_lock_take(&http->lock);
    if (http->resolved && now < http->resolved_until_ms &&
        strncmp(http->resolved, entry_start, len) == 0)
        copy = kvp_strdup(http->resolved);
    kvp_lock_give(&http->lock);
    return copy;
}

static void remember(kvp_http *http, const char *entry, int64_t now)
{
    char *copy = kvp_strdup(entry), *old = copy;

    if (!copy)
        return;
    kvp_lock_take(&http->lock);
    old = http->resolved;
    http->resolved = copy;
    http->resolved_until_ms = now + KEEP_MS;
    kvp_lock_give(&http->lock);
    kvp_free(old);
}

kvp_status kvp_resolve(kvp_http *http, const kvp_url *url, struct curl_slist **ret,
                       int64_t *ret_until_ms, bool *ret_slow, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *start = kvp_asprintf("%s:%u:", url->host, url->port);
    KVP_CLEANUP(kvp_freep) char *entry = NULL;
    kvp_buf addresses = KVP_BUF_INIT(4096);
    int64_t now = kvp_clock_mono_ms();
    kvp_status st = KVP_OK;

    *ret_slow = false;
    if (!start)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "looking up %s", url->host);
    entry = remembered(http, start, now);
    if (!entry) {
        st = look_up(url->host, &addresses, reterr);
        *ret_slow = kvp_clock_mono_ms() - now > SLOW_FAILURE_MS;
        if (st == KVP_OK) {
            entry = kvp_asprintf("%s%s", start, kvp_buf_str(&addresses));
            if (entry)
                remember(http, entry, now);
        }
    }
    kvp_buf_clear(&addresses);
    if (st != KVP_OK)
        return st;
    *ret = entry ? curl_slist_append(NULL, entry) : NULL;
    if (!*ret)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "looking up %s", url->host);
    *ret_until_ms = now + KEEP_MS;
    return KVP_OK;
}
