/* SPDX-License-Identifier: MIT */
/* Time, injectable: tests move it by hand, nobody else calls clock_gettime. */
#ifndef KVP_BASE_CLOCK_H
#define KVP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/** Milliseconds that never go backwards; for deadlines and ages. */
int64_t kvp_clock_mono_ms(void);
/** Microseconds of the same clock; for durations in the audit record. */
int64_t kvp_clock_mono_us(void);
/** Microseconds since 1970-01-01 UTC. */
int64_t kvp_clock_wall_us(void);

typedef struct kvp_date {
    int year, month, day; /**< month and day from 1 */
} kvp_date;

/** The date, in UTC, of a time in seconds since 1970-01-01 (not before it). */
void kvp_clock_date(int64_t seconds, kvp_date *ret_date);

/** RFC 3339 in UTC with microseconds, `2026-01-02T03:04:05.678901Z`; @size >= 28. Independent of locale and TZ. */
void kvp_clock_format(int64_t wall_us, char *dst, size_t size);

/** Sleep for @ms milliseconds (tests: moves the injected clock instead). */
void kvp_clock_sleep_ms(int64_t ms);

/** Tests only: stop the clock at @mono_ms / @wall_us, and let sleeping move both; -1 lets it run again. */
void kvp_clock_freeze(int64_t mono_ms, int64_t wall_us);

#endif
