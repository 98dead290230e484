/* SPDX-License-Identifier: MIT */
/*
 * The HTTPS front: libmicrohttpd with a thread per connection. It turns requests into exchanges and
 * exchanges into answers; what they mean is not its business.
 */
#ifndef KVP_VAULTD_FRONT_H
#define KVP_VAULTD_FRONT_H

#include "vaultd/exchange.h"
#include "vaultd/tls.h"

typedef struct kvp_front kvp_front;

/**
 * Serve @daemon (which outlives the front) on the listening socket @fd, which is taken, also on
 * failure. A connection on which nothing moves for @idle_timeout_s is closed. Returns once connections are accepted.
 */
kvp_status kvp_front_start(const kvp_daemon *daemon, int fd, kvp_tls *tls, unsigned idle_timeout_s,
                           kvp_front **ret_front, kvp_error *reterr);

/** Accept nothing new, finish what runs (a minute at most), end all threads. Accepts NULL. */
void kvp_front_stop(kvp_front *front);

#endif
