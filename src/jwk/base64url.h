/* SPDX-License-Identifier: MIT */
/* base64url without padding (RFC 4648 §5), as the service wants it, and ordinary base64 for `cer` and `x5c`. */
#ifndef KVP_JWK_BASE64URL_H
#define KVP_JWK_BASE64URL_H

#include "base/buf.h"

/** Append the text of @data to @ret. KVP_ERR_NO_MEMORY, KVP_ERR_TOO_LARGE. */
kvp_status kvp_base64url_encode(const void *data, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;

/**
 * Append the bytes that @text stands for to @ret, which is unchanged on failure.
 * Strict: padding, white space, `+`, `/`, a length of 4n+1 and stray low bits are KVP_ERR_PARSE.
 */
kvp_status kvp_base64url_decode(const char *text, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;

/** Ordinary base64 with padding; decoding skips line breaks, as PEM bodies have them. */
kvp_status kvp_base64_encode(const void *data, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;
kvp_status kvp_base64_decode(const char *text, size_t len, kvp_buf *ret) KVP_WARN_UNUSED;

#endif
