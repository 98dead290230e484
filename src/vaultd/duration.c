/* SPDX-License-Identifier: MIT */
/* Durations, read and applied to times. */
#include "vaultd/duration.h"

#include "base/clock.h"

#include <stddef.h>

#define DAY 86400
#define PART_MAX 9999

/* Digits before the letter; -1 if there are none or too many. */
static int read_number(const char **text)
{
    int value = -1;

    while (**text >= '0' && **text <= '9') {
        value = (value < 0 ? 0 : value * 10) + (**text - '0');
        if (value > PART_MAX)
            return -1;
        (*text)++;
    }
    return value;
}

bool kvp_duration_parse(const char *text, kvp_duration *ret)
{
    static const char letters[] = "YMD";
    kvp_duration duration = { 0, 0 };
    size_t next = 0;

    if (*text++ != 'P' || *text == '\0')
        return false;
    while (*text) {
        int value = read_number(&text);
        while (letters[next] && letters[next] != *text)
            next++;
        if (value < 0 || !letters[next])
            return false;
        if (*text == 'D')
            duration.days = value;
        else
            duration.months += *text == 'Y' ? value * 12 : value;
        next++;
        text++;
    }
    *ret = duration;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01; the inverse of kvp_clock_date. */
static int64_t day_number(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t kvp_duration_apply(int64_t seconds, const kvp_duration *duration, int sign)
{
    kvp_date date;

    if (duration->months > 0) {
        kvp_clock_date(seconds, &date);
        int64_t months = (int64_t)date.year * 12 + date.month - 1 + sign * duration->months;
        if (months < 0)
            months = 0;
        int year = (int)(months / 12), month = (int)(months % 12) + 1;
        int last = days_of_month(year, month);
        int day = date.day < last ? date.day : last;
        seconds = day_number(year, month, day) * DAY + seconds % DAY;
    }
    return seconds + (int64_t)sign * duration->days * DAY;
}

int kvp_duration_least_days(const kvp_duration *duration)
{
    /* Twelve months are a year of at least 365 days, single ones may be a February. */
    return duration->months / 12 * 365 + duration->months % 12 * 28 + duration->days;
}
