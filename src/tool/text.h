/* SPDX-License-Identifier: MIT */
/*
 * Text for people: names from a vault or a log made harmless for a terminal, and tables with
 * aligned columns. Nothing here depends on the locale.
 */
#ifndef KVP_TOOL_TEXT_H
#define KVP_TOOL_TEXT_H

#include "base/buf.h"
#include "base/error.h"

#include <stdio.h>

/**
 * Append @len bytes of unknown origin: valid UTF-8 stays; control characters (C0, DEL, C1), marks
 * that turn the direction of writing, and broken sequences become '?'.
 */
kvp_status kvp_text_clean(kvp_buf *ret, const void *text, size_t len);
/** The same as a new string (kvp_free); NULL without memory. */
char *kvp_text_clean_dup(const void *text, size_t len) KVP_WARN_UNUSED;

/** Characters (code points) of UTF-8 text. */
size_t kvp_text_width(const char *text);

/** Append lower-case hexadecimal digits. */
kvp_status kvp_text_hex(kvp_buf *ret, const void *data, size_t len);

/** Append @word, with ", " before it unless @ret is empty. */
kvp_status kvp_text_join(kvp_buf *ret, const char *word);

#define KVP_TABLE_COLUMNS 10

/** Rows that are kept until kvp_table_flush knows how wide the columns must be. */
typedef struct kvp_table {
    const char *const *heads; /**< borrowed, ended by NULL */
    size_t columns;
    struct kvp_table_row *rows;
    size_t row_count, row_size;
    size_t widths[KVP_TABLE_COLUMNS];
    bool head_printed;
} kvp_table;

/** @heads: one to KVP_TABLE_COLUMNS names, ended by NULL; must outlive the table. */
void kvp_table_init(kvp_table *table, const char *const *heads);
void kvp_table_clear(kvp_table *table);
/** Add a row of as many cells as there are heads; they are cleaned and copied; NULL is "-". */
kvp_status kvp_table_add(kvp_table *table, const char *const *cells);
/** Text on a line of its own below the last row; several are several lines. */
kvp_status kvp_table_note(kvp_table *table, const char *text);
/** Print the rows, above the very first the heads, and forget them. Widths never shrink. */
void kvp_table_flush(kvp_table *table, FILE *out);

#endif
