/* SPDX-License-Identifier: MIT */
/* Time and dates, against known days and against libc's calendar. */
#include "base/clock.h"
#include "base/cleanup.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    int64_t seconds;
    int year, month, day;
} days[] = {
    { 0, 1970, 1, 1 },           { 86399, 1970, 1, 1 },         { 86400, 1970, 1, 2 },
    { 68169600, 1972, 2, 29 },   { 68256000, 1972, 3, 1 },      { 951782400, 2000, 2, 29 },
    { 951868800, 2000, 3, 1 },   { 978307199, 2000, 12, 31 },   { 2147483647, 2038, 1, 19 },
    { 4107542400, 2100, 3, 1 },  { 4107456000, 2100, 2, 28 },   { 253402300799, 9999, 12, 31 },
};

START_TEST(known_days_have_their_date)
{
    kvp_date date;

    kvp_clock_date(days[_i].seconds, &date);

    ck_assert_int_eq(date.year, days[_i].year);
    ck_assert_int_eq(date.month, days[_i].month);
    ck_assert_int_eq(date.day, days[_i].day);
}
END_TEST

START_TEST(every_day_until_2500_is_that_of_libc)
{
    for (int64_t day = 0; day < 193700; day++) {
        time_t seconds = (time_t)(day * 86400 + 3600);
        struct tm tm;
        kvp_date date;

        gmtime_r(&seconds, &tm);
        kvp_clock_date(seconds, &date);
        if (date.year != tm.tm_year + 1900 || date.month != tm.tm_mon + 1 || date.day != tm.tm_mday)
            ck_abort_msg("day %ld is %04d-%02d-%02d", (long)day, date.year, date.month, date.day);
    }
}
END_TEST

START_TEST(a_time_is_written_in_utc_with_microseconds)
{
    char text[28];

    setenv("TZ", "Asia/Kathmandu", 1);
    tzset();
    kvp_clock_format(1767323045678901, text, sizeof(text));
    ck_assert_str_eq(text, "2026-01-02T03:04:05.678901Z");
    kvp_clock_format(0, text, sizeof(text));
    ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
    kvp_clock_format(86399999999, text, sizeof(text));
    ck_assert_str_eq(text, "1970-01-01T23:59:59.999999Z");
}
END_TEST

START_TEST(a_frozen_clock_moves_by_sleeping_alone)
{
    kvp_clock_freeze(5000, 7000000);
    ck_assert_int_eq(kvp_clock_mono_ms(), 5000);
    ck_assert_int_eq(kvp_clock_mono_us(), 5000000);
    ck_assert_int_eq(kvp_clock_wall_us(), 7000000);

    kvp_clock_sleep_ms(1500);
    kvp_clock_sleep_ms(0);
    kvp_clock_sleep_ms(-5);

    ck_assert_int_eq(kvp_clock_mono_ms(), 6500);
    ck_assert_int_eq(kvp_clock_wall_us(), 8500000);
    kvp_clock_freeze(-1, -1);
    ck_assert_int_gt(kvp_clock_wall_us(), 1600000000000000);
}
END_TEST

START_TEST(the_running_clock_goes_forward)
{
    int64_t before = kvp_clock_mono_us(), wall = kvp_clock_wall_us() / 1000000;

    kvp_clock_sleep_ms(20);

    ck_assert_int_ge(kvp_clock_mono_us() - before, 20000);
    ck_assert_int_le(llabs((long long)(time(NULL) - wall)), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tc = tcase_create("clock");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, known_days_have_their_date, 0, KVP_ARRAY_LEN(days));
    tcase_add_test(tc, every_day_until_2500_is_that_of_libc);
    tcase_add_test(tc, a_time_is_written_in_utc_with_microseconds);
    tcase_add_test(tc, a_frozen_clock_moves_by_sleeping_alone);
    tcase_add_test(tc, the_running_clock_goes_forward);
    tcase_set_timeout(tc, 30);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
