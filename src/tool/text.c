/* SPDX-License-Identifier: MIT */
/* Cleaning text and aligning columns; see text.h. */
#include "tool/text.h"

#include "base/alloc.h"

#include <string.h>

/* The code point at @s and its length in bytes; length 0 for what is no UTF-8 (RFC 3629 §4). */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t need = s[0] < 0x80   ? 1
                  : s[0] < 0xc2 ? 0
                  : s[0] < 0xe0 ? 2
                  : s[0] < 0xf0 ? 3
                  : s[0] < 0xf5 ? 4
                                : 0;
    uint32_t point;

    if (need == 0 || need > len)
        return 0;
    point = need == 1 ? s[0] : s[0] & (0xffU >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < least[need] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret = point;
    return need;
}

/* What a terminal would act upon, or what makes text look like other text (Unicode, bidi). */
static bool is_harmful(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

kvp_status kvp_text_clean(kvp_buf *ret, const void *text, size_t len)
{
    const unsigned char *s = text;
    kvp_status st = KVP_OK;

    for (size_t at = 0, step; at < len && st == KVP_OK; at += step) {
        uint32_t point = 0;

        step = decode(s + at, len - at, &point);
        if (step > 0 && !is_harmful(point)) {
            st = kvp_buf_append(ret, s + at, step);
        } else {
            st = kvp_buf_append(ret, "?", 1);
            if (step == 0)
                step = 1;
        }
    }
    return st;
}

char *kvp_text_clean_dup(const void *text, size_t len)
{
    kvp_buf buf = KVP_BUF_INIT(len + 1);
    char *result = NULL;

    if (kvp_text_clean(&buf, text, len) == KVP_OK)
        result = kvp_strdup(kvp_buf_str(&buf));
    kvp_buf_clear(&buf);
    return result;
}

size_t kvp_text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            width++;
    return width;
}

kvp_status kvp_text_hex(kvp_buf *ret, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    kvp_status st = KVP_OK;

    for (size_t i = 0; i < len && st == KVP_OK; i++)
        st = kvp_buf_append_fmt(ret, "%02x", bytes[i]);
    return st;
}

kvp_status kvp_text_join(kvp_buf *ret, const char *word)
{
    kvp_status st = ret->len > 0 ? kvp_buf_append_str(ret, ", ") : KVP_OK;

    return st == KVP_OK ? kvp_buf_append_str(ret, word) : st;
}

/* ---- tables ---- */

struct kvp_table_row {
    char *cells[KVP_TABLE_COLUMNS];
    char *note; /* lines, each ended by '\n' */
};

void kvp_table_init(kvp_table *table, const char *const *heads)
{
    memset(table, 0, sizeof(*table));
    table->heads = heads;
    while (table->columns < KVP_TABLE_COLUMNS && heads[table->columns]) {
        table->widths[table->columns] = kvp_text_width(heads[table->columns]);
        table->columns++;
    }
}

static void row_clear(struct kvp_table_row *row)
{
    for (size_t i = 0; i < KVP_TABLE_COLUMNS; i++)
        kvp_free(row->cells[i]);
    kvp_free(row->note);
    memset(row, 0, sizeof(*row));
}

static void forget_rows(kvp_table *table)
{
    for (size_t i = 0; i < table->row_count; i++)
        row_clear(&table->rows[i]);
    table->row_count = 0;
}

void kvp_table_clear(kvp_table *table)
{
    forget_rows(table);
    kvp_free(table->rows);
    memset(table, 0, sizeof(*table));
}

kvp_status kvp_table_add(kvp_table *table, const char *const *cells)
{
    struct kvp_table_row row = { { NULL }, NULL };

    if (table->row_count == table->row_size) {
        size_t size = table->row_size ? table->row_size * 2 : 32;
        struct kvp_table_row *rows = kvp_realloc(table->rows, size * sizeof(*rows));

        if (!rows)
            return KVP_ERR_NO_MEMORY;
        table->rows = rows;
        table->row_size = size;
    }
    for (size_t i = 0; i < table->columns; i++) {
        const char *cell = cells[i] && cells[i][0] ? cells[i] : "-";

        row.cells[i] = kvp_text_clean_dup(cell, strlen(cell));
        if (!row.cells[i]) {
            row_clear(&row);
            return KVP_ERR_NO_MEMORY;
        }
    }
    table->rows[table->row_count++] = row;
    return KVP_OK;
}

kvp_status kvp_table_note(kvp_table *table, const char *text)
{
    struct kvp_table_row *row;
    char *clean, *note;

    if (table->row_count == 0)
        return KVP_ERR_INVALID;
    row = &table->rows[table->row_count - 1];
    clean = kvp_text_clean_dup(text, strlen(text));
    note = clean ? kvp_asprintf("%s    %s\n", row->note ? row->note : "", clean) : NULL;
    kvp_free(clean);
    if (!note)
        return KVP_ERR_NO_MEMORY;
    kvp_free(row->note);
    row->note = note;
    return KVP_OK;
}

/* One line; the last cell is not padded. */
static void print_line(const kvp_table *table, const char *const *cells, FILE *out)
{
    for (size_t i = 0; i < table->columns; i++) {
        size_t width = kvp_text_width(cells[i]);

        fputs(cells[i], out);
        if (i + 1 < table->columns)
            fprintf(out, "%*s", (int)(table->widths[i] - width + 2), "");
    }
    fputc('\n', out);
}

void kvp_table_flush(kvp_table *table, FILE *out)
{
    for (size_t r = 0; r < table->row_count; r++)
        for (size_t i = 0; i < table->columns; i++) {
            size_t width = kvp_text_width(table->rows[r].cells[i]);

            if (width > table->widths[i])
                table->widths[i] = width;
        }
    if (table->row_count > 0 && !table->head_printed) {
        print_line(table, table->heads, out);
        table->head_printed = true;
    }
    for (size_t r = 0; r < table->row_count; r++) {
        print_line(table, (const char *const *)table->rows[r].cells, out);
        if (table->rows[r].note)
            fputs(table->rows[r].note, out);
    }
    forget_rows(table);
}
