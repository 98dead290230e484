/* SPDX-License-Identifier: MIT */
/* Diagnostics for people: `TIME LEVEL process[pid]: text`, one line whatever the text holds. */
#include "audit/internal.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *level_name(kvp_log_level level)
{
    static const char *const names[] = { [KVP_LOG_ERROR] = "error", [KVP_LOG_WARNING] = "warning",
                                         [KVP_LOG_INFO] = "info",   [KVP_LOG_DEBUG] = "debug",
                                         [KVP_LOG_TRACE] = "trace" };

    return (unsigned)level < KVP_ARRAY_LEN(names) ? names[level] : "error";
}

size_t kvp_log_format(const kvp_audit *audit, kvp_log_level level, char *dst, size_t size,
                      size_t *ret_bare, const char *fmt, va_list args)
{
    size_t room = size - 2; /* a newline and NUL */
    size_t used;
    int len;

    kvp_clock_format(kvp_clock_wall_us(), dst, room);
    used = strlen(dst);
    dst[used++] = ' ';
    *ret_bare = used;
    len = snprintf(dst + used, room - used, "%s %s[%ld]: ", level_name(level), audit->process,
                   (long)getpid());
    used += len > 0 ? (size_t)len : 0;
    len = vsnprintf(dst + used, room - used, fmt, args);
    if (len < 0)
        dst[used] = '\0';
    kvp_redact(dst + used);
    for (; dst[used]; used++)
        if ((unsigned char)dst[used] < 0x20 || dst[used] == 0x7f)
            dst[used] = '?';
    dst[used++] = '\n';
    dst[used] = '\0';
    return used;
}
