/* SPDX-License-Identifier: MIT */
/*
 * The usage log: one JSON object a line for every request, in the schema of the service's
 * AuditEvent records (wire reference, section 12), and another file for sign-ins at the token
 * endpoint. Holds no key material, value, token or secret.
 */
#ifndef KVP_VAULTD_USAGE_LOG_H
#define KVP_VAULTD_USAGE_LOG_H

#include "base/error.h"

struct kvp_exchange;
typedef struct kvp_usage_log kvp_usage_log;

/** Names of the files inside the directory. */
#define KVP_USAGE_LOG_EVENTS "AuditEvent.jsonl"
#define KVP_USAGE_LOG_SIGNINS "SignIn.jsonl"

/** Open (make) both files in directory @dir. KVP_ERR_IO. */
kvp_status kvp_usage_log_open(const char *dir, kvp_usage_log **ret_log, kvp_error *reterr);
/** Open them again under their names, after a rotation. The old ones stay in use on failure. */
kvp_status kvp_usage_log_reopen(kvp_usage_log *log, kvp_error *reterr);
void kvp_usage_log_close(kvp_usage_log *log);
KVP_DEFINE_FREEP(kvp_usage_log, kvp_usage_log_close);

/** Append the line of a finished exchange by a single write. KVP_ERR_IO, KVP_ERR_NO_MEMORY. */
kvp_status kvp_usage_log_event(kvp_usage_log *log, const struct kvp_exchange *ex,
                               kvp_error *reterr);

/** A sign-in. @code: the AADSTS number, 0 for success; @client is what was sent, @principal "" if
 * unknown. */
kvp_status kvp_usage_log_signin(kvp_usage_log *log, const struct kvp_exchange *ex,
                                const char *client, const char *principal, const char *resource,
                                long code, kvp_error *reterr);

#endif
