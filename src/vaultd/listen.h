/* SPDX-License-Identifier: MIT */
/* Where the daemon listens: parsing HOST:PORT, making the socket. */
#ifndef KVP_VAULTD_LISTEN_H
#define KVP_VAULTD_LISTEN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define KVP_LISTEN_DEFAULT "127.0.0.1:8443"

typedef struct kvp_listener {
    int fd;         /**< -1 when none; non-blocking */
    unsigned port;  /**< the one really bound */
    char host[256]; /**< as a URL has it: `127.0.0.1`, `[::1]`, `localhost` */
    bool wildcard;  /**< bound to every address of its family */
} kvp_listener;

/**
 * Split `HOST:PORT` or `[IPV6]:PORT`. KVP_ERR_INVALID says what is wrong. @ret_host is as it stood,
 * without brackets; port 0 is allowed.
 */
kvp_status kvp_listen_parse(const char *text, char *ret_host, size_t host_size, unsigned *ret_port,
                            kvp_error *reterr);

/**
 * Bind and listen. Port 0 takes a free one. A wildcard address is called by the loopback address of
 * its family in @ret_listener->host. KVP_ERR_IO.
 */
kvp_status kvp_listen_open(const char *text, kvp_listener *ret_listener, kvp_error *reterr);
void kvp_listen_close(kvp_listener *listener);

#endif
