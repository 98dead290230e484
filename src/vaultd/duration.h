/* SPDX-License-Identifier: MIT */
/* Durations of rotation policies: ISO 8601, years, months and days only (wire reference,
 * section 4.3). */
#ifndef KVP_VAULTD_DURATION_H
#define KVP_VAULTD_DURATION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct kvp_duration {
    int months; /**< years are twelve each */
    int days;
} kvp_duration;

/** Read `P[n]Y[n]M[n]D`, at least one part, each at most 9999; false for anything else. */
bool kvp_duration_parse(const char *text, kvp_duration *ret);

/**
 * @seconds (Unix, not before 1970) moved by @sign (1 or -1) times the duration. Months are counted
 * in the calendar: a day that a month has not becomes its last one.
 */
int64_t kvp_duration_apply(int64_t seconds, const kvp_duration *duration, int sign);

/** The least number of days it can stand for: a month has 28 of them. */
int kvp_duration_least_days(const kvp_duration *duration);

#endif
