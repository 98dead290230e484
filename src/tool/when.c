/* SPDX-License-Identifier: MIT */
/* Parsing times; see when.h. */
#include "tool/when.h"

#include <stddef.h>
#include <string.h>

#define US 1000000LL
#define DAY_SECONDS 86400LL

/* @digits digits at *at, as a number from @min to @max; moves *at behind them. */
static bool number(const char **at, int digits, int min, int max, int *ret)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += digits;
    *ret = value;
    return value >= min && value <= max;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Days since 1970-01-01 of a Gregorian date, counted from the first of March of the year 0. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool parse_date(const char **at, int64_t *ret_seconds)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = 0, month = 0, day = 0, longest;

    if (!number(at, 4, 1970, 9999, &year) || !skip(at, '-') || !number(at, 2, 1, 12, &month) ||
        !skip(at, '-') || !number(at, 2, 1, 31, &day))
        return false;
    longest = lengths[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        longest++;
    if (day > longest)
        return false;
    *ret_seconds = days_of(year, month, day) * DAY_SECONDS;
    return true;
}

/* `03:04`, and `:05` unless it may be left out and is. A leap second counts as the second after it.
 */
static bool parse_clock(const char **at, bool seconds_needed, int64_t *seconds)
{
    int hour = 0, minute = 0, second = 0;

    if (!number(at, 2, 0, 23, &hour) || !skip(at, ':') || !number(at, 2, 0, 59, &minute))
        return false;
    if (**at == ':' || seconds_needed)
        if (!skip(at, ':') || !number(at, 2, 0, 60, &second))
            return false;
    *seconds += hour * 3600LL + minute * 60LL + second;
    return true;
}

static bool parse_fraction(const char **at, int64_t *ret_us)
{
    int64_t scale = US / 10;

    *ret_us = 0;
    if (!skip(at, '.'))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, scale /= 10)
        *ret_us += (**at - '0') * scale;
    return true;
}

static bool parse_zone(const char **at, int64_t *seconds)
{
    int sign, hour = 0, minute = 0;

    if (skip(at, 'Z') || skip(at, 'z'))
        return true;
    sign = **at == '-' ? 1 : -1; /* a zone east of UTC is ahead of it */
    if (!skip(at, '+') && !skip(at, '-'))
        return false;
    if (!number(at, 2, 0, 23, &hour) || !skip(at, ':') || !number(at, 2, 0, 59, &minute))
        return false;
    *seconds += sign * (hour * 3600LL + minute * 60LL);
    return true;
}

bool kvp_when_parse_rfc3339(const char *text, int64_t *ret_us)
{
    const char *at = text;
    int64_t seconds = 0, fraction = 0;

    if (!parse_date(&at, &seconds) || !(skip(&at, 'T') || skip(&at, 't') || skip(&at, ' ')) ||
        !parse_clock(&at, true, &seconds) || !parse_fraction(&at, &fraction) ||
        !parse_zone(&at, &seconds) || *at != '\0')
        return false;
    *ret_us = seconds * US + fraction;
    return true;
}

static bool parse_ago(const char *text, int64_t now_us, int64_t *ret_us)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_SECONDS }, { 'w', 7 * DAY_SECONDS }
    };
    size_t digits = strspn(text, "0123456789");
    int64_t amount = 0;

    if (digits == 0 || digits > 9 || text[digits] == '\0' || text[digits + 1] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        amount = amount * 10 + (text[i] - '0');
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].unit == text[digits]) {
            *ret_us = now_us - amount * units[i].seconds * US;
            return true;
        }
    return false;
}

bool kvp_when_parse(const char *text, int64_t now_us, int64_t *ret_us)
{
    const char *at = text;
    int64_t seconds = 0;

    if (kvp_when_parse_rfc3339(text, ret_us) || parse_ago(text, now_us, ret_us))
        return true;
    if (!parse_date(&at, &seconds))
        return false;
    if (*at != '\0' && (!(skip(&at, ' ') || skip(&at, 'T')) || !parse_clock(&at, false, &seconds)))
        return false;
    if (*at != '\0')
        return false;
    *ret_us = seconds * US;
    return true;
}
