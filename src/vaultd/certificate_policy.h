/* SPDX-License-Identifier: MIT */
/* Certificate policies: read from requests, completed with the service's defaults, put to use. */
#ifndef KVP_VAULTD_CERTIFICATE_POLICY_H
#define KVP_VAULTD_CERTIFICATE_POLICY_H

#include "vaultd/exchange.h"
#include "vaultd/x509.h"

/**
 * The policy of @given, which may be NULL, on top of @base, which may be NULL: validated, with
 * defaults for what neither has, members in the order of answers, without id and attributes. NULL
 * after refusing.
 */
json_t *kvp_policy_read(kvp_exchange *ex, const json_t *given, const json_t *base);

/**
 * The policy that an import gets: key and X.509 properties as they are in what was imported,
 * the rest from @given, which may be NULL. NULL after refusing.
 */
json_t *kvp_policy_of_import(kvp_exchange *ex, const json_t *given, const kvp_engine_key *key,
                             const kvp_x509_facts *facts, bool pem);

/** What a policy says; strings are the policy's. */
typedef struct kvp_policy_use {
    const char *kty; /**< `RSA-HSM` */
    unsigned key_size;
    const char *crv; /**< NULL for RSA */
    bool exportable, reuse_key, pem;
    const char *issuer;
    kvp_x509_profile profile;
} kvp_policy_use;
/** Take a policy apart that kvp_policy_read made. */
void kvp_policy_use_of(const json_t *policy, kvp_policy_use *ret);

/** `Self`, in any case. */
bool kvp_issuer_is_self(const char *name);
/** `Unknown`, in any case. */
bool kvp_issuer_is_unknown(const char *name);

#endif
