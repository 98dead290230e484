/* SPDX-License-Identifier: MIT */
/*
 * `kvpkcs11 doctor`: checks in the order in which an application would meet them, each a line with
 * its result and, where it is not good, what to do. A step that needs one that failed is not tried.
 */
#ifndef KVP_TOOL_DOCTOR_H
#define KVP_TOOL_DOCTOR_H

#include "auth/auth.h"
#include "base/error.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum kvp_check_result {
    KVP_CHECK_OK,
    KVP_CHECK_WARN, /**< it works, but … */
    KVP_CHECK_FAIL,
    KVP_CHECK_COUNT
} kvp_check_result;

typedef struct kvp_doctor {
    FILE *out;
    bool verbose, json;
    const char *vault;         /**< section under examination; NULL: none */
    size_t counts[KVP_CHECK_COUNT];
    json_t *checks;            /**< with json; NULL once memory was short */
} kvp_doctor;

/* ---- the report (doctor_report.c) ---- */
void kvp_doctor_start(kvp_doctor *doctor);
/** One check. @advice: what to do, or NULL. Texts are cleaned; cut at 1 kB. */
void kvp_doctor_check(kvp_doctor *doctor, kvp_check_result result, const char *check,
                      const char *advice, const char *fmt, ...) KVP_PRINTF(5, 6);
/** The same for what a room below reported: message, service code and request id. */
void kvp_doctor_failed(kvp_doctor *doctor, const char *check, const char *advice,
                       const kvp_error *error);
/** Said only with -v; indented below the check before it. */
void kvp_doctor_detail(kvp_doctor *doctor, const char *fmt, ...) KVP_PRINTF(2, 3);
/** The sum, or the JSON object. Returns the exit status. */
int kvp_doctor_finish(kvp_doctor *doctor);

/* ---- steps ---- */
/** Which file, each problem in it, and who may write to it. *ret is NULL without one. */
void kvp_doctor_config(kvp_doctor *doctor, const char *path, kvp_config **ret);
/** The audit and the diagnostics log can be written. */
void kvp_doctor_logs(kvp_doctor *doctor, const kvp_config *config);
/** The files that a vault's section names. False: one of them is of no use. */
bool kvp_doctor_vault_files(kvp_doctor *doctor, const kvp_config_vault *vault);
/** From its address to the permission to read keys. */
void kvp_doctor_vault(kvp_doctor *doctor, const kvp_config_vault *vault);
/** The module can be loaded, and shows a token for each vault. */
void kvp_doctor_module(kvp_doctor *doctor, const char *path, const kvp_config *config);

/**
 * Get a token for @challenge as the vault's section says, and tell how long it is good for and whom
 * it is for (never the token). @ret_header: `Bearer TOKEN`, secret. False: there is none.
 */
bool kvp_doctor_token(kvp_doctor *doctor, const kvp_config_vault *vault,
                      const kvp_challenge *challenge, kvp_buf *ret_header);
/** Whom a JWT is for: `application …, object …, tenant …`; nothing for an opaque token. */
kvp_status kvp_doctor_claims(const kvp_buf *token, kvp_buf *ret);

/* ---- looking at a server (doctor_probe.c) ---- */
typedef struct kvp_probe {
    char address[64];          /**< that answered; "" if none did */
    char subject[256], issuer[256];
    char names[256];           /**< DNS names and addresses it is for */
    int64_t not_after;         /**< Unix seconds; 0: no certificate was seen */
    int64_t milliseconds;      /**< for connection and TLS */
} kvp_probe;

/** The addresses of @url's host, as a list for people. KVP_ERR_NETWORK. Blocks as resolvers do. */
kvp_status kvp_probe_resolve(const char *url, char *ret, size_t size, kvp_error *reterr);
/**
 * Connect, believe any certificate, send nothing. KVP_ERR_NETWORK, KVP_ERR_TIMEOUT, KVP_ERR_TLS
 * (no TLS there at all); @ret is filled as far as it went.
 */
kvp_status kvp_probe_connect(const char *url, int64_t timeout_ms, kvp_probe *ret,
                             kvp_error *reterr);
/** The environment variable that names a proxy for @url, or NULL. */
const char *kvp_probe_proxy(const char *url);

#endif
