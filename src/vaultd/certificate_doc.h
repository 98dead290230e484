/* SPDX-License-Identifier: MIT */
/* Certificate bundles, list items, operations and policies as documents (wire reference, section
 * 7). */
#ifndef KVP_VAULTD_CERTIFICATE_DOC_H
#define KVP_VAULTD_CERTIFICATE_DOC_H

#include "vaultd/certificate_policy.h"
#include "vaultd/secret_doc.h"

/** Answer with a bundle, and have the usage log name the certificate; with the policy or without.
 */
void kvp_certificate_answer(kvp_exchange *ex, int status, const kvp_certificate_record *record,
                            bool with_policy);
json_t *kvp_certificate_item(const kvp_exchange *ex, const kvp_certificate_record *record,
                             bool with_version);
/** The policy with its id and attributes; NULL without memory. */
json_t *kvp_certificate_policy(const kvp_exchange *ex, const kvp_certificate_record *record);
/** Answer for a failed look-up: 404 in the words for live or deleted certificates, or 500. */
void kvp_certificate_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error);

/** Answer with an operation as it stands, or as @shown says. */
void kvp_operation_answer(kvp_exchange *ex, int status, const char *name,
                          const kvp_certificate_operation *operation, kvp_operation_status shown);

/**
 * Make a finished version of @bundle, whose first certificate is the leaf: fill in what is not yet
 * set in @record (name, version, tags, enabled, policy and its times are), make key and secret and
 * store the three. False after refusing.
 */
bool kvp_certificate_finish(kvp_exchange *ex, kvp_certificate_record *record,
                            const kvp_x509_bundle *bundle, const kvp_policy_use *use,
                            const kvp_certificate_operation *operation, bool merge);
/** The same for the vault of @daemon, without an exchange. Errors as of kvp_store_certificate_add.
 */
kvp_status kvp_certificate_complete(const kvp_daemon *daemon, kvp_certificate_record *record,
                                    const kvp_x509_bundle *bundle, const kvp_policy_use *use,
                                    const kvp_certificate_operation *operation, bool merge,
                                    kvp_error *reterr);
/** Whether our own issuer has the operation, which nobody merges. */
bool kvp_operation_is_own(const kvp_certificate_operation *operation);
/** Sign (or give up, where cancellation was requested) what our own issuer has had for as long as
 * @daemon says, at @now, in all vaults. What fails is noted one by one. */
kvp_status kvp_certificates_issue_due(const kvp_daemon *daemon, int64_t now, kvp_error *reterr);
/** The defaults of a new version of the path's name; false without memory, after refusing. */
bool kvp_certificate_record_init(kvp_exchange *ex, kvp_certificate_record *record);
/** Read attributes.enabled and tags; false after refusing. @fields as for keys. */
bool kvp_certificate_read_common(kvp_exchange *ex, kvp_certificate_record *record,
                                 unsigned *fields);
/** Set policy_json to the text of @policy and the times to now; false without memory, after
 * refusing. */
bool kvp_certificate_set_policy(kvp_exchange *ex, kvp_certificate_record *record,
                                const json_t *policy);
/** Answer for a failure to store, by what kvp_store_certificate_add says. */
void kvp_certificate_refuse(kvp_exchange *ex, const kvp_certificate_record *record,
                            const kvp_error *error);

#endif
