/* SPDX-License-Identifier: MIT */
/* Identifiers the daemon makes and checks: UUIDs, key versions, secrets, object names. */
#ifndef KVP_VAULTD_IDENT_H
#define KVP_VAULTD_IDENT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVP_UUID_SIZE 37    /**< with the NUL */
#define KVP_VERSION_SIZE 33 /**< 32 lower-case hex digits and the NUL */
#define KVP_SECRET_SIZE 44  /**< base64url of 32 random bytes and the NUL */
#define KVP_NAME_MAX 127    /**< characters of an object's name (wire reference, section 3) */

/** A random UUID (version 4). KVP_ERR_CRYPTO when there is no entropy. */
kvp_status kvp_ident_uuid(char dst[KVP_UUID_SIZE]) KVP_WARN_UNUSED;
kvp_status kvp_ident_version(char dst[KVP_VERSION_SIZE]) KVP_WARN_UNUSED;
/** 256 random bits as text: access tokens and client secrets. The caller wipes @dst. */
kvp_status kvp_ident_secret(char dst[KVP_SECRET_SIZE]) KVP_WARN_UNUSED;

/** 8-4-4-4-12 hex digits of any case. */
bool kvp_ident_is_uuid(const char *s);
/** 32 hex digits of any case. */
bool kvp_ident_is_version(const char *s);
/** `^[0-9a-zA-Z-]{1,127}$` */
bool kvp_ident_is_name(const char *s);

/** SHA-256 of a text, for what is stored instead of a token or client secret. */
kvp_status kvp_ident_digest(const char *text, uint8_t ret[32]) KVP_WARN_UNUSED;

/** Lower-case hex of @len bytes; @dst takes 2 * len + 1. */
void kvp_ident_hex(const uint8_t *data, size_t len, char *dst);

/** ASCII only, whatever the locale. */
int kvp_ident_casecmp(const char *a, const char *b);
void kvp_ident_lower(char *dst, size_t dst_size, const char *src);

/** Unix seconds, now. */
int64_t kvp_ident_now(void);

#endif
