/* SPDX-License-Identifier: MIT */
/*
 * Every error the vault answers, in one table: HTTP status, code, inner code and wording of vaults
 * and of Managed HSMs (wire reference, section 9).
 */
#ifndef KVP_VAULTD_REFUSAL_H
#define KVP_VAULTD_REFUSAL_H

#include <stddef.h>

struct kvp_exchange;

typedef enum kvp_refusal {
    KVP_REFUSE_NO_TOKEN,
    KVP_REFUSE_UNKNOWN_TOKEN,
    KVP_REFUSE_EXPIRED_TOKEN,
    KVP_REFUSE_AUDIENCE, /**< expected, found */
    KVP_REFUSE_RBAC,     /**< app id, object id, tenant, action, resource, vault, path */
    KVP_REFUSE_VAULT,    /**< host */
    KVP_REFUSE_ROLE_DEFINITION,
    KVP_REFUSE_ROLE_ASSIGNMENT,
    KVP_REFUSE_ROLE_BUILT_IN,
    KVP_REFUSE_ROLE_EXISTS,
    KVP_REFUSE_ROLE_VALUE, /**< sentence */
    KVP_REFUSE_SETTING,    /**< name */
    KVP_REFUSE_SECURITY_DOMAIN,
    KVP_REFUSE_API_VERSION, /**< asked, newest */
    KVP_REFUSE_PATH,        /**< path */
    KVP_REFUSE_METHOD,      /**< method */
    KVP_REFUSE_NAME,        /**< name */
    KVP_REFUSE_TOO_LARGE,
    KVP_REFUSE_PROPERTY, /**< name of the member, or "" */
    KVP_REFUSE_MAXRESULTS,
    KVP_REFUSE_TAGS,
    KVP_REFUSE_KTY,      /**< kty */
    KVP_REFUSE_KEY_SIZE, /**< sentence */
    KVP_REFUSE_JWK,
    KVP_REFUSE_JWK_DETAIL, /**< what does not fit */
    KVP_REFUSE_POLICY_NEEDED,
    KVP_REFUSE_POLICY_NEEDLESS,
    KVP_REFUSE_POLICY_VERSION,
    KVP_REFUSE_POLICY_IMMUTABLE,
    KVP_REFUSE_KEY_NOT_FOUND,         /**< name, URL */
    KVP_REFUSE_DELETED_KEY_NOT_FOUND, /**< name, URL */
    KVP_REFUSE_KEY_IS_DELETED,        /**< name */
    KVP_REFUSE_KEY_DISABLED,          /**< operation */
    KVP_REFUSE_KEY_EXPIRED,           /**< operation */
    KVP_REFUSE_KEY_NOT_YET_VALID,     /**< operation */
    KVP_REFUSE_KEY_OPERATION,         /**< operation */
    KVP_REFUSE_VALUE_LENGTH,          /**< member, bytes, algorithm, bytes required */
    KVP_REFUSE_LENGTH,                /**< sentence */
    KVP_REFUSE_ALG_TYPE,              /**< sort of algorithm, kid, kty, algorithm, types allowed */
    KVP_REFUSE_ALG_CURVE,             /**< kid, curve, algorithm, curve allowed */
    KVP_REFUSE_ALG_SIZE,              /**< sort of algorithm, kid, bits, algorithm, bits allowed */
    KVP_REFUSE_DECRYPTION,
    KVP_REFUSE_RNG_COUNT,
    KVP_REFUSE_SECRET_NOT_FOUND,              /**< name */
    KVP_REFUSE_CERTIFICATE_NOT_FOUND,         /**< name */
    KVP_REFUSE_DELETED_SECRET_NOT_FOUND,      /**< name */
    KVP_REFUSE_DELETED_CERTIFICATE_NOT_FOUND, /**< name */
    KVP_REFUSE_SECRET_IS_DELETED,             /**< name */
    KVP_REFUSE_CERTIFICATE_IS_DELETED,        /**< name */
    KVP_REFUSE_NOT_DELETED,                   /**< `Secret`, name */
    KVP_REFUSE_SECRET_DISABLED,               /**< operation */
    KVP_REFUSE_KEY_MANAGED,                   /**< operation */
    KVP_REFUSE_SECRET_MANAGED,                /**< operation */
    KVP_REFUSE_NOT_MANAGED,                   /**< name */
    KVP_REFUSE_BACKUP_VERSION,
    KVP_REFUSE_BACKUP_CORRUPT,
    KVP_REFUSE_BACKUP_SIZE,
    KVP_REFUSE_RESTORE_CONFLICT, /**< `secret`, identifier */
    KVP_REFUSE_SECRET_SIZE,      /**< bytes allowed */
    KVP_REFUSE_SECRET_PFX,
    KVP_REFUSE_PENDING_NOT_FOUND, /**< name */
    KVP_REFUSE_PENDING_IN_PROGRESS,
    KVP_REFUSE_PENDING_STATUS, /**< status */
    KVP_REFUSE_ISSUER_NOT_FOUND,
    KVP_REFUSE_ISSUER_NOT_NAMED, /**< name */
    KVP_REFUSE_CONTACTS_NOT_FOUND,
    KVP_REFUSE_MERGE,
    KVP_REFUSE_CERTIFICATE, /**< sentence */
    KVP_REFUSE_NOT_EXPORTABLE,
    KVP_REFUSE_ATTESTATION,
    KVP_REFUSE_PURGE_PROTECTED, /**< vault */
    KVP_REFUSE_THROTTLED,
    KVP_REFUSE_INTERNAL,
    KVP_REFUSAL_COUNT
} kvp_refusal;

/** A row. `{1}` in a message stands for the first argument. */
typedef struct kvp_refusal_row {
    int status;
    const char *code;
    const char *inner;    /**< NULL = none */
    const char *message;  /**< a vault's words */
    const char *hsm_code; /**< NULL = as a vault; else without an inner code */
    const char
        *hsm_message; /**< NULL = as a vault; ` (Activity ID: …)` is added to all of an HSM's */
    size_t arguments; /**< how many the caller gives */
} kvp_refusal_row;
extern const kvp_refusal_row kvp_refusals[KVP_REFUSAL_COUNT];

/** Make the exchange's answer the error @what, with texts for its `{1}`, `{2}`…: kvp_refuse(ex,
 * WHAT, a, b). */
#define kvp_refuse(ex, what, ...)                                                                  \
    kvp_refuse_with((ex), (what), (const char *const[]){ "", ##__VA_ARGS__, NULL })
void kvp_refuse_with(struct kvp_exchange *ex, kvp_refusal what, const char *const *arguments);

#endif
