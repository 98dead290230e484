/* SPDX-License-Identifier: MIT */
/*
 * The audit record (one JSON object a line for each use of a key, design contract) and the
 * diagnostics log (one line a failure, for people). Neither ever holds a PIN, token, secret,
 * plaintext or signature. Both write with one write() to an O_APPEND descriptor.
 */
#ifndef KVP_AUDIT_AUDIT_H
#define KVP_AUDIT_AUDIT_H

#include "base/error.h"
#include "config/config.h"

#include <stdarg.h>
#include <stdint.h>

/** Both logs of one module. Thread-safe; usable before (then silent) and after failure to open. */
typedef struct kvp_audit kvp_audit;

/**
 * Opens nothing: a sink opens at its first line, so that a process that only loads the module
 * touches no file. A sink that cannot be opened is reported once, in the other log, and does not
 * fail the operation.
 */
kvp_status kvp_audit_new(const kvp_sink_setting *audit, const kvp_sink_setting *log,
                         kvp_log_level level, kvp_audit **ret, kvp_error *reterr);
void kvp_audit_free(kvp_audit *audit);

/** One use of a key, certificate or secret. Strings are borrowed; NULL leaves the member null. */
typedef struct kvp_audit_event {
    int64_t start_wall_us;
    int64_t duration_us;
    const char *token;             /**< the vault section's name */
    const char *operation;         /**< `Sign`, `Decrypt`, `GenerateKeyPair`, `FindObjects` … */
    const char *function;          /**< `C_Sign` */
    const char *mechanism;         /**< `CKM_ECDSA_SHA256` */
    const char *object;            /**< Key Vault identifier with version */
    const char *result;            /**< `CKR_OK` */
    const char *where;             /**< `vault` or `local` */
    int http_status;               /**< 0: null */
    unsigned attempts;
    const char *client_request_id; /**< "" counts as NULL */
    const char *request_id;
} kvp_audit_event;

/**
 * Write the record; adds time, pid, process and user. Before the call returns to the application.
 */
void kvp_audit_write(kvp_audit *audit, const kvp_audit_event *event);
/** Whether anyone reads audit records: callers may skip building them. */
bool kvp_audit_wanted(const kvp_audit *audit);

/** One diagnostics line: `TIME LEVEL process[pid]: text`; control characters in it become '?'. */
void kvp_log(kvp_audit *audit, kvp_log_level level, const char *fmt, ...) KVP_PRINTF(3, 4);
bool kvp_log_wanted(const kvp_audit *audit, kvp_log_level level);

#endif
