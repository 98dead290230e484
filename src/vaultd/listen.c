/* SPDX-License-Identifier: MIT */
/* The listening socket. */
#include "vaultd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 512

kvp_status kvp_listen_parse(const char *text, char *ret_host, size_t host_size, unsigned *ret_port,
                            kvp_error *reterr)
{
    const char *colon = strrchr(text, ':');
    const char *start = text;
    char *end;

    if (!colon)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "'%s' is not HOST:PORT", text);
    const char *stop = colon;
    if (*start == '[') {
        start++;
        stop--;
        if (stop <= start || *stop != ']')
            return kvp_error_set(reterr, KVP_ERR_INVALID, "'%s' is not [ADDRESS]:PORT", text);
    } else if (memchr(start, ':', (size_t)(stop - start))) {
        return kvp_error_set(reterr, KVP_ERR_INVALID, "an IPv6 address needs brackets: '%s'", text);
    }
    size_t len = (size_t)(stop - start);
    if (len == 0 || len >= host_size)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "'%s' names no host", text);
    errno = 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (errno || end == colon + 1 || *end || port > 65535 || colon[1] == '-' || colon[1] == '+')
        return kvp_error_set(reterr, KVP_ERR_INVALID, "'%s' is no port", colon + 1);
    memcpy(ret_host, start, len);
    ret_host[len] = '\0';
    *ret_port = (unsigned)port;
    return KVP_OK;
}

static int open_socket(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);

    if (fd < 0)
        return -1;
    /* Accepted sockets inherit TCP_NODELAY: an answer is written whole and must not wait. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* The port that was bound, and the name a client can use for the address. */
static kvp_status describe(int fd, const char *host, kvp_listener *listener)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return KVP_ERR_IO;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        listener->port = ntohs(in6->sin6_port);
        listener->wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        listener->port = ntohs(in->sin_port);
        listener->wildcard = in->sin_addr.s_addr == htonl(INADDR_ANY);
    }
    if (listener->wildcard)
        host = address.ss_family == AF_INET6 ? "::1" : "127.0.0.1";
    bool v6 = strchr(host, ':') != NULL;
    snprintf(listener->host, sizeof(listener->host), "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
    return KVP_OK;
}

kvp_status kvp_listen_open(const char *text, kvp_listener *ret_listener, kvp_error *reterr)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    kvp_listener listener = { .fd = -1 };
    char host[250], service[16];
    unsigned port = 0;
    kvp_status status = kvp_listen_parse(text, host, sizeof(host), &port, reterr);

    if (status != KVP_OK)
        return status;
    snprintf(service, sizeof(service), "%u", port);
    int rc = getaddrinfo(host, service, &hints, &found);
    /* RFC 6761 §6.3: the name is loopback, also where no file says so. */
    if (rc != 0 && strcasecmp(host, "localhost") == 0)
        rc = getaddrinfo("127.0.0.1", service, &hints, &found);
    if (rc != 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", host, gai_strerror(rc));
    for (const struct addrinfo *info = found; info && listener.fd < 0; info = info->ai_next)
        listener.fd = open_socket(info);
    int error = errno;
    freeaddrinfo(found);
    if (listener.fd < 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "cannot listen on %s: %s", text, strerror(error));
    if (describe(listener.fd, host, &listener) != KVP_OK) {
        kvp_listen_close(&listener);
        return kvp_error_set(reterr, KVP_ERR_IO, "cannot listen on %s", text);
    }
    *ret_listener = listener;
    return KVP_OK;
}

void kvp_listen_close(kvp_listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}
