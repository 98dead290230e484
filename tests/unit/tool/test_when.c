/* SPDX-License-Identifier: MIT */
/* Times of the audit record, and those that people write. */
#include "tool/when.h"
#include "tool_test.h"

#include "base/clock.h"
#include "base/cleanup.h"

#define US 1000000LL
#define NOW (1767312000LL * US) /* 2026-01-02T00:00:00Z */

static const struct {
    const char *text;
    int64_t us;
} times[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "2026-01-02T00:00:00Z", NOW },
    { "2026-01-02T00:00:00.5Z", NOW + US / 2 },
    { "2026-01-02T00:00:00.000001Z", NOW + 1 },
    { "2026-01-02T00:00:00.0000019Z", NOW + 1 },
    { "2026-01-02t00:00:00z", NOW },
    { "2026-01-02 00:00:00Z", NOW },
    { "2026-01-02T01:30:00+01:30", NOW },
    { "2026-01-01T22:00:00-02:00", NOW },
    { "2024-02-29T00:00:00Z", 1709164800LL * US },
    { "2100-03-01T00:00:00Z", 4107542400LL * US },
    { "2026-01-02", NOW },
    { "2026-01-02 03:04", NOW + (3 * 3600 + 4 * 60) * US },
    { "2026-01-02T03:04:05", NOW + (3 * 3600 + 4 * 60 + 5) * US },
    { "0s", NOW },
    { "90s", NOW - 90 * US },
    { "15m", NOW - 15 * 60 * US },
    { "2h", NOW - 2 * 3600 * US },
    { "3d", NOW - 3 * 86400 * US },
    { "1w", NOW - 7 * 86400 * US },
};

START_TEST(times_are_read)
{
    int64_t us = -1;

    ck_assert_msg(kvp_when_parse(times[_i].text, NOW, &us), "%s", times[_i].text);
    ck_assert_int_eq(us, times[_i].us);
}
END_TEST

static const char *const wrong[] = {
    "",
    "now",
    "2026",
    "2026-13-01",
    "2026-00-01",
    "2026-02-29",
    "2100-02-29",
    "2026-04-31",
    "1969-12-31",
    "2026-01-02T",
    "2026-01-02T24:00:00Z",
    "2026-01-02T00:60:00Z",
    "2026-01-02T00:00:61Z",
    "2026-01-02T00:00:00.Z",
    "2026-01-02T00:00:00+1",
    "2026-01-02T00:00:00Z ",
    "2026-01-02Z",
    "2026-1-2",
    "s",
    "5",
    "5y",
    "-5m",
    "5mm",
    "1234567890s",
    "5.5h",
    " 5m",
};

START_TEST(what_is_no_time_is_refused)
{
    int64_t us = 7;

    ck_assert_msg(!kvp_when_parse(wrong[_i], NOW, &us), "%s is %lld", wrong[_i], (long long)us);
}
END_TEST

START_TEST(what_the_clock_writes_is_read_again)
{
    static const int64_t some[] = { 0, 951782399999999LL, 951782400000000LL, NOW + 123456,
                                    4102444800000000LL };
    char text[32];
    int64_t us = -1;

    kvp_clock_format(some[_i], text, sizeof(text));
    ck_assert(kvp_when_parse_rfc3339(text, &us));
    ck_assert_int_eq(us, some[_i]);
}
END_TEST

START_TEST(a_record_needs_a_whole_time)
{
    int64_t us;

    ck_assert(!kvp_when_parse_rfc3339("2026-01-02", &us));
    ck_assert(!kvp_when_parse_rfc3339("2026-01-02T03:04:05", &us));
    ck_assert(!kvp_when_parse_rfc3339("5m", &us));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("when");
    TCase *tcase = tcase_create("times");

    tcase_add_loop_test(tcase, times_are_read, 0, (int)KVP_ARRAY_LEN(times));
    tcase_add_loop_test(tcase, what_is_no_time_is_refused, 0, (int)KVP_ARRAY_LEN(wrong));
    tcase_add_loop_test(tcase, what_the_clock_writes_is_read_again, 0, 5);
    tcase_add_test(tcase, a_record_needs_a_whole_time);
    suite_add_tcase(suite, tcase);
    return tool_run_suite(suite);
}
