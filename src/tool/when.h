/* SPDX-License-Identifier: MIT */
/* Times as people and the audit record write them. All are UTC unless they say otherwise. */
#ifndef KVP_TOOL_WHEN_H
#define KVP_TOOL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/** An RFC 3339 time, `2026-01-02T03:04:05[.678901](Z|+01:00)`, in microseconds since 1970. */
bool kvp_when_parse_rfc3339(const char *text, int64_t *ret_us);

/**
 * What --since takes: RFC 3339; a date `2026-01-02`; `2026-01-02 03:04[:05]`; or how long ago,
 * `90s`, `15m`, `2h`, `3d`, `1w`, before @now_us.
 */
bool kvp_when_parse(const char *text, int64_t now_us, int64_t *ret_us);

#endif
