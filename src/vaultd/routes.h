/* SPDX-License-Identifier: MIT */
/*
 * The routes: one row adds one operation. A row says how the request looks, what the usage log
 * calls it, which data action guards it, and which function answers it.
 */
#ifndef KVP_VAULTD_ROUTES_H
#define KVP_VAULTD_ROUTES_H

#include "vaultd/exchange.h"

enum {
    KVP_ROUTE_OPEN = 1 << 0,      /**< no bearer token, no api-version: the authority's own routes */
    KVP_ROUTE_BODY = 1 << 1,      /**< takes a JSON object */
    KVP_ROUTE_VAULT = 1 << 2,     /**< vaults have it */
    KVP_ROUTE_HSM = 1 << 3,       /**< Managed HSMs have it */
    KVP_ROUTE_WEIGHED = 1 << 4,   /**< throttled by the key, in the handler */
    KVP_ROUTE_FAULTS = 1 << 5     /**< there is none unless faults may be ordered */
};
#define KVP_ROUTE_BOTH (KVP_ROUTE_VAULT | KVP_ROUTE_HSM)

struct kvp_route {
    const char *method;
    /** Segments: literal (compared without case), `{name}`, `{version}` (may be empty), `{tenant}`. */
    const char *pattern;
    const char *operation;        /**< operationName of AuditEvent; NULL for the authority's */
    const char *action;           /**< of a vault, without its prefix */
    const char *alternative;      /**< another action of a vault that suffices, or NULL */
    const char *hsm_action;       /**< of a Managed HSM */
    unsigned flags;
    void (*handler)(kvp_exchange *ex);
};
extern const kvp_route kvp_routes[];
extern const size_t kvp_route_count;

/**
 * Find the row of a request and set ex->route, name and version (tenant in name). Literals win over
 * placeholders by standing first. Returns 0, or 404 or 405 when there is no path or no such method.
 */
int kvp_route_match(kvp_exchange *ex, bool open);

/* keys.c */
void kvp_keys_create(kvp_exchange *ex);
void kvp_keys_import(kvp_exchange *ex);
void kvp_keys_get(kvp_exchange *ex);
void kvp_keys_update(kvp_exchange *ex);
/* key_backup.c */
void kvp_keys_backup(kvp_exchange *ex);
void kvp_keys_restore(kvp_exchange *ex);
/* key_rotation.c */
void kvp_keys_rotate(kvp_exchange *ex);
void kvp_keys_get_rotation_policy(kvp_exchange *ex);
void kvp_keys_put_rotation_policy(kvp_exchange *ex);
/* key_release.c */
void kvp_keys_release(kvp_exchange *ex);
/* key_lists.c */
void kvp_keys_list(kvp_exchange *ex);
void kvp_keys_versions(kvp_exchange *ex);
void kvp_keys_list_deleted(kvp_exchange *ex);
/* key_deletion.c */
void kvp_keys_delete(kvp_exchange *ex);
void kvp_keys_get_deleted(kvp_exchange *ex);
void kvp_keys_recover(kvp_exchange *ex);
void kvp_keys_purge(kvp_exchange *ex);
/* key_use.c */
void kvp_keys_sign(kvp_exchange *ex);
void kvp_keys_verify(kvp_exchange *ex);
void kvp_keys_encrypt(kvp_exchange *ex);
void kvp_keys_decrypt(kvp_exchange *ex);
void kvp_keys_wrap(kvp_exchange *ex);
void kvp_keys_unwrap(kvp_exchange *ex);
void kvp_hsm_random(kvp_exchange *ex);
/* faults.c */
void kvp_faults_add(kvp_exchange *ex);
void kvp_faults_list(kvp_exchange *ex);
void kvp_faults_delete(kvp_exchange *ex);
/* authority.c */
void kvp_authority_token_v2(kvp_exchange *ex);
void kvp_authority_token_v1(kvp_exchange *ex);
void kvp_authority_openid(kvp_exchange *ex);
void kvp_authority_instance(kvp_exchange *ex);
void kvp_authority_signing_keys(kvp_exchange *ex);

#endif
