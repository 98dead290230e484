/* SPDX-License-Identifier: MIT */
/*
 * The routes: one row adds one operation. A row says how the request looks, what the usage log
 * calls it, which data action guards it, and which function answers it.
 */
#ifndef KVP_VAULTD_ROUTES_H
#define KVP_VAULTD_ROUTES_H

#include "vaultd/exchange.h"

enum {
    KVP_ROUTE_OPEN = 1 << 0,  /**< no bearer token, no api-version: the authority's own routes */
    KVP_ROUTE_BODY = 1 << 1,  /**< takes a JSON object */
    KVP_ROUTE_VAULT = 1 << 2, /**< vaults have it */
    KVP_ROUTE_HSM = 1 << 3,   /**< Managed HSMs have it */
    KVP_ROUTE_UNMANAGED = 1 << 4, /**< refused for the key and the secret of a certificate */
    KVP_ROUTE_WEIGHED = 1 << 5,   /**< throttled by the key, in the handler */
    KVP_ROUTE_FAULTS = 1 << 6     /**< there is none unless faults may be ordered */
};
#define KVP_ROUTE_BOTH (KVP_ROUTE_VAULT | KVP_ROUTE_HSM)

struct kvp_route {
    const char *method;
    /** Segments: literal (compared without case), `{name}`, `{version}` (may be empty), `{tenant}`,
     *  `{id}` (goes to version). */
    const char *pattern;
    const char *operation;   /**< operationName of AuditEvent; NULL for the authority's */
    const char *action;      /**< of a vault, without its prefix */
    const char *alternative; /**< another action of a vault that suffices, or NULL */
    const char *hsm_action;  /**< of a Managed HSM */
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
/* secrets.c */
void kvp_secrets_set(kvp_exchange *ex);
void kvp_secrets_get(kvp_exchange *ex);
void kvp_secrets_update(kvp_exchange *ex);
void kvp_secrets_list(kvp_exchange *ex);
void kvp_secrets_versions(kvp_exchange *ex);
void kvp_secrets_list_deleted(kvp_exchange *ex);
/* secret_deletion.c */
void kvp_secrets_delete(kvp_exchange *ex);
void kvp_secrets_get_deleted(kvp_exchange *ex);
void kvp_secrets_recover(kvp_exchange *ex);
void kvp_secrets_purge(kvp_exchange *ex);
void kvp_secrets_backup(kvp_exchange *ex);
void kvp_secrets_restore(kvp_exchange *ex);
/* certificate_issue.c */
void kvp_certificates_create(kvp_exchange *ex);
void kvp_certificates_import(kvp_exchange *ex);
/* certificate_pending.c */
void kvp_certificates_pending_get(kvp_exchange *ex);
void kvp_certificates_pending_update(kvp_exchange *ex);
void kvp_certificates_pending_delete(kvp_exchange *ex);
void kvp_certificates_merge(kvp_exchange *ex);
/* certificates.c */
void kvp_certificates_get(kvp_exchange *ex);
void kvp_certificates_update(kvp_exchange *ex);
void kvp_certificates_policy_get(kvp_exchange *ex);
void kvp_certificates_policy_update(kvp_exchange *ex);
void kvp_certificates_list(kvp_exchange *ex);
void kvp_certificates_versions(kvp_exchange *ex);
void kvp_certificates_list_deleted(kvp_exchange *ex);
void kvp_certificates_get_deleted(kvp_exchange *ex);
void kvp_certificates_delete(kvp_exchange *ex);
void kvp_certificates_recover(kvp_exchange *ex);
void kvp_certificates_purge(kvp_exchange *ex);
/* certificate_backup.c */
void kvp_certificates_backup(kvp_exchange *ex);
void kvp_certificates_restore(kvp_exchange *ex);
/* issuers.c */
void kvp_issuers_set(kvp_exchange *ex);
void kvp_issuers_update(kvp_exchange *ex);
void kvp_issuers_get(kvp_exchange *ex);
void kvp_issuers_delete(kvp_exchange *ex);
void kvp_issuers_list(kvp_exchange *ex);
/* contacts.c */
void kvp_contacts_set(kvp_exchange *ex);
void kvp_contacts_get(kvp_exchange *ex);
void kvp_contacts_delete(kvp_exchange *ex);
/* rbac_definitions.c, rbac_assignments.c: the GUID of the path is in version */
void kvp_rbac_list_definitions(kvp_exchange *ex);
void kvp_rbac_get_definition(kvp_exchange *ex);
void kvp_rbac_put_definition(kvp_exchange *ex);
void kvp_rbac_delete_definition(kvp_exchange *ex);
void kvp_rbac_list_assignments(kvp_exchange *ex);
void kvp_rbac_get_assignment(kvp_exchange *ex);
void kvp_rbac_put_assignment(kvp_exchange *ex);
void kvp_rbac_delete_assignment(kvp_exchange *ex);
/* settings.c */
void kvp_settings_list(kvp_exchange *ex);
void kvp_settings_get(kvp_exchange *ex);
void kvp_settings_update(kvp_exchange *ex);
/* hsm_jobs.c */
void kvp_hsm_backup(kvp_exchange *ex);
void kvp_hsm_restore(kvp_exchange *ex);
void kvp_hsm_job_status(kvp_exchange *ex);
void kvp_hsm_domain_status(kvp_exchange *ex);
void kvp_hsm_domain(kvp_exchange *ex);
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
