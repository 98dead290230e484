/* SPDX-License-Identifier: MIT */
/*
 * The certificate that TLS clients are shown: for our own names and for each vault's NAME.HOST. A
 * vault may come while the daemon runs, so the names are looked at when a client asks for one.
 */
#ifndef KVP_VAULTD_TLS_H
#define KVP_VAULTD_TLS_H

#include "vaultd/datadir.h"
#include "vaultd/exchange.h"

#include <gnutls/abstract.h>

typedef struct kvp_tls kvp_tls;

/** Both are borrowed for the life of the result. KVP_ERR_IO, KVP_ERR_CRYPTO. */
kvp_status kvp_tls_open(const kvp_datadir *dir, const kvp_daemon *daemon, kvp_tls **ret_tls,
                        kvp_error *reterr);
/** No handshake may be under way. Accepts NULL. */
void kvp_tls_close(kvp_tls *tls);

/**
 * The certificate for a client that asks for @host ("" = it did not say), made anew first when
 * @host is a vault that came since or the end of the last one is near. What is returned is borrowed
 * and good until kvp_tls_close. Thread-safe. Returns false when there is none.
 */
bool kvp_tls_choose(kvp_tls *tls, const char *host, gnutls_pcert_st **ret_chain,
                    gnutls_privkey_t *ret_key);

#endif
