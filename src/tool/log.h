/* SPDX-License-Identifier: MIT */
/* The parts of `kvpkcs11 log`: records (log_record.c), and a growing, rotated file (log_file.c). */
#ifndef KVP_TOOL_LOG_H
#define KVP_TOOL_LOG_H

#include "base/buf.h"
#include "base/error.h"
#include "tool/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- records ---- */
typedef struct kvp_log_filter {
    bool has_since;
    int64_t since_us;
    const char *token;         /**< NULL: any */
    const char *object;        /**< a glob for its name or its whole identifier; NULL: any */
    bool failed;               /**< only what did not answer CKR_OK */
} kvp_log_filter;

extern const char *const kvp_log_heads[]; /**< of the table that records are added to */

/**
 * Take one line of the audit log: where it fits @filter, add it to @table, or print it to @raw as
 * it is if that is not NULL. KVP_ERR_PARSE: the line is no record (nothing was added).
 * KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_log_take(const char *line, size_t len, const kvp_log_filter *filter,
                        kvp_table *table, FILE *raw);

/* ---- files ---- */
typedef struct kvp_log_file {
    const char *path;          /**< borrowed */
    int fd;                    /**< -1: not open */
    uint64_t device, inode;
    uint64_t offset;           /**< bytes read of this file */
    char last[64];             /**< of them: a file emptied and grown again differs */
    size_t last_len;
    kvp_buf line;              /**< what stands before the next line's end */
    bool skipping;             /**< a line too long to be a record is being passed over */
    bool rotated;              /**< the path led elsewhere when it was last looked at */
} kvp_log_file;

#define KVP_LOG_LINE_MAX ((size_t)64 * 1024)

/** No I/O. */
void kvp_log_file_init(kvp_log_file *file, const char *path);
void kvp_log_file_clear(kvp_log_file *file);

/**
 * Read to the present end, calling @line for each whole line, without its newline; @line returns
 * KVP_OK to go on. Follows rotation: the old file is read once more in the next call, for those who
 * still had it open, before the new one is; a file that was emptied in place is read from its
 * start. KVP_ERR_NOT_FOUND: it is not there, and was not opened before. KVP_ERR_IO: it cannot be
 * opened or read. A line longer than KVP_LOG_LINE_MAX is passed on as one of its first bytes.
 */
kvp_status kvp_log_file_read(kvp_log_file *file,
                             kvp_status (*line)(void *user, const char *text, size_t len),
                             void *user, kvp_error *reterr);

#endif
