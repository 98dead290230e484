/* SPDX-License-Identifier: MIT */
/* The two clocks, and the frozen one that tests use. */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t frozen_mono_us = -1;
static _Atomic int64_t frozen_wall_us = -1;

static int64_t read_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t kvp_clock_mono_us(void)
{
    int64_t frozen = atomic_load(&frozen_mono_us);

    return frozen >= 0 ? frozen : read_us(CLOCK_MONOTONIC);
}

int64_t kvp_clock_mono_ms(void)
{
    return kvp_clock_mono_us() / 1000;
}

int64_t kvp_clock_wall_us(void)
{
    int64_t frozen = atomic_load(&frozen_wall_us);

    return frozen >= 0 ? frozen : read_us(CLOCK_REALTIME);
}

/*
 * The civil date of a day number, counted in eras of 400 years that begin on 1 March, so that the
 * leap day comes last. gmtime_r is not used: it takes libc's time zone lock and reads TZ.
 */
void kvp_clock_date(int64_t seconds, kvp_date *ret_date)
{
    int64_t days = seconds / 86400 + 719468;
    int64_t era = days / 146097;
    int day_of_era = (int)(days % 146097);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;

    ret_date->day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    ret_date->month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    ret_date->year = (int)(year_of_era + era * 400) + (ret_date->month <= 2);
}

void kvp_clock_format(int64_t wall_us, char *dst, size_t size)
{
    int64_t seconds = wall_us / 1000000;
    kvp_date date;
    int of_day = (int)(seconds % 86400);

    kvp_clock_date(seconds, &date);
    snprintf(dst, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", date.year, date.month, date.day,
             of_day / 3600, of_day / 60 % 60, of_day % 60, (int)(wall_us % 1000000));
}

void kvp_clock_sleep_ms(int64_t ms)
{
    struct timespec left;

    if (ms <= 0)
        return;
    if (atomic_load(&frozen_mono_us) >= 0) {
        atomic_fetch_add(&frozen_mono_us, ms * 1000);
        atomic_fetch_add(&frozen_wall_us, ms * 1000);
        return;
    }
    left.tv_sec = (time_t)(ms / 1000);
    left.tv_nsec = (long)(ms % 1000) * 1000000;
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

void kvp_clock_freeze(int64_t mono_ms, int64_t wall_us)
{
    atomic_store(&frozen_mono_us, mono_ms < 0 ? -1 : mono_ms * 1000);
    atomic_store(&frozen_wall_us, mono_ms < 0 ? -1 : wall_us);
}
