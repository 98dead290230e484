/* SPDX-License-Identifier: MIT */
/* The daemon's own certificates: an authority, and the TLS certificate it signs for our names. */
#ifndef KVP_VAULTD_CERTS_H
#define KVP_VAULTD_CERTS_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

/** A certificate and its key as PEM text; the key's buffer is secret. */
typedef struct kvp_cert_pair {
    kvp_buf certificate;
    kvp_buf key;
} kvp_cert_pair;
void kvp_cert_pair_clear(kvp_cert_pair *pair);

/** A new authority: EC P-256, ten years. */
kvp_status kvp_cert_make_authority(kvp_cert_pair *ret_pair, kvp_error *reterr);

/**
 * A new server certificate signed by @authority, for the DNS names and IP addresses in @hosts (URL
 * form: IPv6 in brackets; `*.NAME` is a DNS name, too); 825 days, never longer than the authority.
 */
kvp_status kvp_cert_make_server(const kvp_cert_pair *authority, const char *const *hosts,
                                size_t host_count, kvp_cert_pair *ret_pair, kvp_error *reterr);

/** When it is time for another one than @certificate (PEM), 30 days before its end, in Unix
 * seconds; 0 for what is none. */
int64_t kvp_cert_renewal(const kvp_buf *certificate);
/** Whether @certificate (PEM) is good for all of @hosts and for 30 days more. */
bool kvp_cert_serves(const kvp_buf *certificate, const char *const *hosts, size_t host_count);

#endif
