/* SPDX-License-Identifier: MIT */
/*
 * Managed identity for development: the instance metadata endpoint of a virtual machine and the
 * identity endpoint of App Service, over plain HTTP on a loopback address (wire reference, section
 * 2.4). Whoever reaches the address gets tokens, as on a machine in the cloud.
 */
#ifndef KVP_VAULTD_IMDS_H
#define KVP_VAULTD_IMDS_H

#include "vaultd/exchange.h"

typedef struct kvp_imds kvp_imds;

/** A request as it came; strings are borrowed, NULL = absent. */
typedef struct kvp_imds_request {
    const char *method, *path;
    const char *api_version, *resource;
    const char *client_id, *object_id, *resource_id; /**< which identity; at most one of them */
    const char *metadata;                            /**< header Metadata */
    const char *identity_header;                     /**< header X-IDENTITY-HEADER */
    const char *forwarded_for;                       /**< header X-Forwarded-For */
} kvp_imds_request;

/**
 * Answer a request: the HTTP status, and the document in *ret_document (owned). @identities are
 * names of principals, ended by NULL; the first is the system's own. @secret is what App Service
 * clients must send.
 */
int kvp_imds_answer(const kvp_daemon *daemon, const char *const *identities, const char *secret,
                    const kvp_imds_request *request, json_t **ret_document);

/**
 * Serve on @address (`HOST:PORT`, a loopback address or 169.254.169.254). The environment of
 * clients is written to @env_path, mode 0600. @daemon and @identities are borrowed.
 * KVP_ERR_INVALID: another address, or no such principal; KVP_ERR_IO.
 */
kvp_status kvp_imds_start(const kvp_daemon *daemon, const char *address,
                          const char *const *identities, const char *env_path, kvp_imds **ret_imds,
                          kvp_error *reterr);
/** Accepts NULL. */
void kvp_imds_stop(kvp_imds *imds);

#endif
