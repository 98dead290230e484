/* SPDX-License-Identifier: MIT */
/*
 * Errors below the face. A function returns a kvp_status and, on failure, fills a small kvp_error
 * that the caller may have passed as NULL. Outputs are untouched on failure. Rooms do not log: the
 * face does, once (style: one diagnostics line a failure).
 */
#ifndef KVP_BASE_ERROR_H
#define KVP_BASE_ERROR_H

#include "base/cleanup.h"

typedef enum kvp_status {
    KVP_OK = 0,
    KVP_ERR_NO_MEMORY,
    KVP_ERR_INVALID,     /**< the caller's argument cannot be right */
    KVP_ERR_PARSE,       /**< a document (answer, file) is malformed */
    KVP_ERR_TOO_LARGE,   /**< something outgrew its named maximum */
    KVP_ERR_NOT_FOUND,   /**< nothing of that name here (no request was refused) */
    KVP_ERR_CONFIG,      /**< the configuration is wrong; message is `FILE:LINE: …` */
    KVP_ERR_IO,          /**< a local file or program failed */
    KVP_ERR_NETWORK,     /**< no connection, or it broke */
    KVP_ERR_TLS,         /**< the peer's certificate or TLS itself was not acceptable */
    KVP_ERR_TIMEOUT,     /**< the deadline passed, retries included */
    KVP_ERR_HTTP,        /**< the service answered an error: http_status, code, message are set */
    KVP_ERR_AUTH,        /**< no token could be had; http_status and code are the authority's */
    KVP_ERR_REFUSED,     /**< our own rule forbids it (foreign challenge, http:// to a stranger) */
    KVP_ERR_UNSUPPORTED, /**< the service has no such thing */
    KVP_ERR_CRYPTO,      /**< local cryptography failed */
    KVP_ERR_MISMATCH,    /**< a signature or MAC is well formed and wrong */
    KVP_ERR_CLOSED,      /**< the module is being finalized, or the process is exiting */
    KVP_ERR_INTERNAL,
    KVP_STATUS_COUNT
} kvp_status;

/** What went wrong, in fixed storage: filling it never fails. Strings are NUL-terminated, "" if unknown. */
typedef struct kvp_error {
    kvp_status status;
    int http_status;       /**< 0 when no answer came */
    char code[64];         /**< the service's `error.code`, or the authority's `error` */
    char inner_code[64];   /**< `error.innererror.code` */
    char message[512];     /**< for a person; holds no secret */
    char request_id[64];   /**< what the service calls the request */
} kvp_error;

/** Empty @error; accepts NULL. */
void kvp_error_clear(kvp_error *error);

/** Fill @error (may be NULL) with @status and a formatted message. Returns @status. */
kvp_status kvp_error_set(kvp_error *error, kvp_status status, const char *fmt, ...)
    KVP_PRINTF(3, 4);

/** Put formatted text before the message that is already there ("reading the key: …"). */
void kvp_error_prefix(kvp_error *error, const char *fmt, ...) KVP_PRINTF(2, 3);

/** `KVP_ERR_HTTP` for a status; never NULL. */
const char *kvp_status_name(kvp_status status);

/** Copy a string of unknown origin into a fixed field: cut to size, control characters become '?'. */
void kvp_copy_printable(char *dst, size_t dst_size, const char *src);

#endif
