/* SPDX-License-Identifier: MIT */
/*
 * When to try again, and one limiter a service: threads that all see a 429 at once must not all
 * come back at once.
 */
#include "http/internal.h"
#include "base/clock.h"

#include <sys/random.h>

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 8000
#define UNREACHABLE_PAUSE_MS 200
#define UNREACHABLE_RETRIES 2
#define STALE_RETRIES 1
/* With less time than this an attempt ends as a timeout, and what was wrong before it is not told. */
#define ATTEMPT_MIN_MS 25
#define THROTTLE_MAX_MS 30000
#define SLICE_MS 250

/* A number below @below, for spreading callers; quality does not matter. */
static int64_t spread(int64_t below)
{
    uint32_t random = 0;

    if (below <= 0)
        return 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint32_t)kvp_clock_mono_us() * 2654435761U;
    return (int64_t)(random % (uint64_t)below);
}

/* 0.5 s, 1 s, 2 s … 8 s, each by 80 to 120 per cent. */
static int64_t exponential(unsigned pauses)
{
    int64_t pause = LONGEST_PAUSE_MS;

    if (pauses < 4)
        pause = (int64_t)FIRST_PAUSE_MS << pauses;
    return pause * 4 / 5 + spread(pause * 2 / 5 + 1);
}

int64_t kvp_retry_pause(kvp_retry *retry, kvp_outcome outcome, int64_t retry_after_ms,
                        int64_t now_ms, int64_t deadline_ms)
{
    int64_t pause = -1;

    switch (outcome) {
    case KVP_OUTCOME_BUSY:
        /* Never sooner than asked, and not all at the same moment. */
        pause = exponential(retry->pauses++);
        if (retry_after_ms >= 0)
            pause = retry_after_ms + spread(retry_after_ms / 8 + 100);
        break;
    case KVP_OUTCOME_BROKEN:
        pause = exponential(retry->pauses++);
        break;
    case KVP_OUTCOME_UNREACHABLE:
        if (retry->unreachable < UNREACHABLE_RETRIES)
            pause = (int64_t)UNREACHABLE_PAUSE_MS << retry->unreachable++;
        break;
    case KVP_OUTCOME_STALE:
        pause = retry->stale++ < STALE_RETRIES ? 0 : exponential(retry->pauses++);
        break;
    case KVP_OUTCOME_DONE:
    case KVP_OUTCOME_FATAL:
        break;
    }
    return pause >= 0 && now_ms + pause + ATTEMPT_MIN_MS <= deadline_ms ? pause : -1;
}

void kvp_throttle_set(kvp_http *http, int64_t pause_ms)
{
    int64_t until = kvp_clock_mono_ms() + (pause_ms < THROTTLE_MAX_MS ? pause_ms : THROTTLE_MAX_MS);

    kvp_lock_take(&http->lock);
    if (until > http->throttled_until_ms)
        http->throttled_until_ms = until;
    kvp_lock_give(&http->lock);
}

int64_t kvp_throttle_pause(kvp_http *http, int64_t deadline_ms)
{
    int64_t until, now = kvp_clock_mono_ms();

    kvp_lock_take(&http->lock);
    until = http->throttled_until_ms;
    kvp_lock_give(&http->lock);
    if (until <= now)
        return 0;
    until += spread((until - now) / 4 + 100);
    return until < deadline_ms ? until - now : 0;
}

bool kvp_http_sleep(kvp_http *http, int64_t ms)
{
    while (ms > 0) {
        int64_t slice = ms < SLICE_MS ? ms : SLICE_MS;

        kvp_clock_sleep_ms(slice);
        ms -= slice;
        if (kvp_http_closed(http))
            return false;
    }
    return true;
}
