/* SPDX-License-Identifier: MIT */
/* Cleaning text for a terminal, and tables. */
#include "tool/text.h"
#include "tool_test.h"

#include "base/alloc.h"

#include <string.h>

static const struct {
    const char *in, *out;
} texts[] = {
    { "", "" },
    { "plain text", "plain text" },
    { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91" },
    { "a\tb\nc\x1b[31md\x7f", "a?b?c?[31md?" },
    { "\xc2\x9b"
      "1m",
      "?1m" }, /* CSI as one C1 character */
    { "\xe2\x80\xae"
      "exe",
      "?exe" }, /* right-to-left override */
    { "\xff\xfe", "??" },
    { "\xc3", "?" },
    { "\xc0\x80", "??" }, /* NUL in too many bytes */
    { "\xe0\x80\x80", "???" },
    { "\xed\xa0\x80", "???" },      /* half a surrogate pair */
    { "\xf4\x90\x80\x80", "????" }, /* beyond Unicode */
    { "\xe2\x82"
      "a",
      "??a" },
};

START_TEST(what_a_terminal_would_act_upon_becomes_a_question_mark)
{
    char *clean = kvp_text_clean_dup(texts[_i].in, strlen(texts[_i].in));

    ck_assert_str_eq(clean, texts[_i].out);
    kvp_free(clean);
}
END_TEST

START_TEST(a_nul_inside_is_no_end)
{
    char *clean = kvp_text_clean_dup("a\0b", 3);

    ck_assert_str_eq(clean, "a?b");
    kvp_free(clean);
}
END_TEST

START_TEST(width_counts_characters)
{
    ck_assert_uint_eq(kvp_text_width(""), 0);
    ck_assert_uint_eq(kvp_text_width("abc"), 3);
    ck_assert_uint_eq(kvp_text_width("\xc3\xa4\xe2\x82\xac"), 2);
}
END_TEST

static const char *const heads[] = { "A", "LONG", "C", NULL };

static void flush(kvp_table *table, char *ret, size_t size)
{
    FILE *file = tmpfile();
    size_t len;

    kvp_table_flush(table, file);
    rewind(file);
    len = fread(ret, 1, size - 1, file);
    ret[len] = '\0';
    fclose(file);
}

START_TEST(columns_are_aligned_and_only_grow)
{
    static const char *const first[] = { "x", "\xc3\xa4", "1" };
    static const char *const second[] = { "yyyy", NULL, "" };
    kvp_table table;
    char text[512];

    kvp_table_init(&table, heads);
    ck_assert_int_eq(kvp_table_add(&table, first), KVP_OK);
    ck_assert_int_eq(kvp_table_note(&table, "one\x1b"), KVP_OK);
    ck_assert_int_eq(kvp_table_note(&table, "two"), KVP_OK);
    ck_assert_int_eq(kvp_table_add(&table, second), KVP_OK);
    flush(&table, text, sizeof(text));
    ck_assert_str_eq(text, "A     LONG  C\n"
                           "x     \xc3\xa4     1\n"
                           "    one?\n"
                           "    two\n"
                           "yyyy  -     -\n");

    ck_assert_int_eq(kvp_table_add(&table, first), KVP_OK);
    flush(&table, text, sizeof(text));
    ck_assert_str_eq(text, "x     \xc3\xa4     1\n");
    kvp_table_clear(&table);
}
END_TEST

START_TEST(an_empty_table_prints_nothing)
{
    kvp_table table;
    char text[16];

    kvp_table_init(&table, heads);
    flush(&table, text, sizeof(text));
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(kvp_table_note(&table, "to no row"), KVP_ERR_INVALID);
    kvp_table_clear(&table);
}
END_TEST

START_TEST(a_table_without_memory_says_so_and_stays_whole)
{
    static const char *const row[] = { "1", "2", "3" };

    for (long n = 0; n < 4; n++) {
        kvp_table table;

        kvp_table_init(&table, heads);
        kvp_alloc_fail_after(n);
        ck_assert_int_eq(kvp_table_add(&table, row), KVP_ERR_NO_MEMORY);
        kvp_alloc_fail_after(-1);
        ck_assert_uint_eq(table.row_count, 0);
        kvp_table_clear(&table);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *clean = tcase_create("clean"), *table = tcase_create("table");

    tcase_add_loop_test(clean, what_a_terminal_would_act_upon_becomes_a_question_mark, 0,
                        (int)KVP_ARRAY_LEN(texts));
    tcase_add_test(clean, a_nul_inside_is_no_end);
    tcase_add_test(clean, width_counts_characters);
    tcase_add_test(table, columns_are_aligned_and_only_grow);
    tcase_add_test(table, an_empty_table_prints_nothing);
    tcase_add_test(table, a_table_without_memory_says_so_and_stays_whole);
    suite_add_tcase(suite, clean);
    suite_add_tcase(suite, table);
    return tool_run_suite(suite);
}
