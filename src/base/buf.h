/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer that names its maximum, like curl's dynbuf: nothing that comes from the
 * network or the application can make it grow past what its owner allowed.
 */
#ifndef KVP_BASE_BUF_H
#define KVP_BASE_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kvp_buf {
    uint8_t *data; /**< @len bytes; always followed by a NUL that @len does not count; NULL when empty */
    size_t len;
    size_t size;
    size_t max;
    bool secret; /**< wiped when it moves and when it is cleared */
} kvp_buf;

/** Largest answer or file that any room accepts unless it names less. */
#define KVP_BUF_MAX_DEFAULT ((size_t)16 * 1024 * 1024)

#define KVP_BUF_INIT(maximum) { NULL, 0, 0, (maximum), false }
#define KVP_BUF_INIT_SECRET(maximum) { NULL, 0, 0, (maximum), true }

/** A zeroed kvp_buf is a valid empty one with the default maximum. */
void kvp_buf_clear(kvp_buf *buf);

/** Append; KVP_ERR_TOO_LARGE past the maximum, KVP_ERR_NO_MEMORY; the buffer is unchanged then. */
kvp_status kvp_buf_append(kvp_buf *buf, const void *data, size_t len) KVP_WARN_UNUSED;
kvp_status kvp_buf_append_str(kvp_buf *buf, const char *s) KVP_WARN_UNUSED;
kvp_status kvp_buf_append_fmt(kvp_buf *buf, const char *fmt, ...) KVP_PRINTF(2, 3) KVP_WARN_UNUSED;

/** Replace the content with a copy of @data. */
kvp_status kvp_buf_set(kvp_buf *buf, const void *data, size_t len) KVP_WARN_UNUSED;

/** Make room for @extra more bytes and return where they go; *len* is not changed. NULL on failure. */
uint8_t *kvp_buf_reserve(kvp_buf *buf, size_t extra) KVP_WARN_UNUSED;

/** The text, "" when empty; valid until the buffer changes. */
const char *kvp_buf_str(const kvp_buf *buf);

/** Move @src's content into @dst (which is cleared first); @src is empty afterwards. */
void kvp_buf_take(kvp_buf *dst, kvp_buf *src);

/** Overwrite memory in a way that the compiler keeps; accepts NULL. */
void kvp_wipe(void *data, size_t len);

/** Compare in time that depends on @len alone. */
bool kvp_equal_secret(const void *a, const void *b, size_t len);

#endif
