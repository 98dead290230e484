/* SPDX-License-Identifier: MIT */
/* Shared by the files that read and write certificate policies. */
#ifndef KVP_VAULTD_CERTIFICATE_POLICY_INTERNAL_H
#define KVP_VAULTD_CERTIFICATE_POLICY_INTERNAL_H

#include "vaultd/certificate_policy.h"

/** Refuse the request for @property; NULL. */
json_t *kvp_policy_refused(kvp_exchange *ex, const char *property);
/** @object if @ok, else NULL and, unless the request is refused already, it is for lack of memory.
 */
json_t *kvp_policy_finished(kvp_exchange *ex, json_t *object, bool ok);

/** The X.509 properties of an imported certificate; NULL without memory. */
json_t *kvp_policy_x509_of(const kvp_x509_facts *facts);
/** The key properties of an import: only what a caller may choose is from @given, or NULL. NULL
 * after refusing. */
json_t *kvp_policy_key_of(kvp_exchange *ex, const json_t *given, const kvp_engine_key *key);

#endif
