/* SPDX-License-Identifier: MIT */
/*
 * URLs, taken apart strictly: what another parser could read in two ways (user names, backslashes,
 * percent signs in a host, control characters) is no URL here. Rules about who may get a token rest
 * on this.
 */
#ifndef KVP_HTTP_URL_H
#define KVP_HTTP_URL_H

#include <stdbool.h>

typedef struct kvp_url {
    bool https;
    bool ipv6;        /**< @host is an IPv6 address, without its brackets */
    char host[254];   /**< lower case */
    unsigned port;    /**< 443 or 80 where the URL names none */
    const char *path; /**< what follows, into the parsed string: "", or from '/' or '?' on */
} kvp_url;

/** Whether @url is a plain http:// or https:// URL; fills @ret if so. Accepts NULL. */
bool kvp_url_parse(const char *url, kvp_url *ret);

/** Same scheme, host and port. */
bool kvp_url_same_origin(const kvp_url *a, const kvp_url *b);

/** 127.0.0.0/8, ::1 or localhost. */
bool kvp_url_is_loopback(const kvp_url *url);

#endif
