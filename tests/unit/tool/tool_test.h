/* SPDX-License-Identifier: MIT */
/* What the tests of the tool room share: a directory each, and commands whose output is kept. */
#ifndef KVP_TESTS_UNIT_TOOL_TOOL_TEST_H
#define KVP_TESTS_UNIT_TOOL_TOOL_TEST_H

#include <check.h>
#include <stdio.h>

/** Fixture: a fresh directory that is also the working directory and HOME; no variable of ours is
 * set. */
void tool_test_setup(void);
void tool_test_teardown(void);

/** Write @text to @name in it. */
void tool_test_write(const char *name, const char *text);
void tool_test_append(const char *name, const char *text);

/** What the last command printed. */
extern char tool_out[65536], tool_err[16384];

/** What was written to @file, as a string; closes it. */
void tool_take_output(FILE *file, char *ret, size_t size);

/** Run `kvpkcs11 …`; arguments end with NULL. Returns the exit status. */
int tool_run(const char *first, ...) __attribute__((sentinel));

#define ck_has(text, part)                                                                         \
    ck_assert_msg(strstr((text), (part)) != NULL, "`%s` is not in:\n%s", (part), (text))
#define ck_has_not(text, part)                                                                     \
    ck_assert_msg(strstr((text), (part)) == NULL, "`%s` is in:\n%s", (part), (text))

/** Run a suite to the end of the program: what main returns. */
int tool_run_suite(Suite *suite);

#endif
