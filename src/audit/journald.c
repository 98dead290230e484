/* SPDX-License-Identifier: MIT */
/*
 * Lines to systemd's journal by its native protocol: one datagram of `FIELD=value` lines
 * (systemd.io, "Native Journal Protocol"). Our values hold no newline, so the protocol's binary
 * form is not needed; nor is libsystemd, a dependency for a page of code.
 */
#include "audit/internal.h"

#include <errno.h>
#include <stdio.h>

static int put_journald(kvp_sink *sink, int fd, kvp_log_level level, const char *line, size_t len,
                        size_t bare)
{
    char text[KVP_LINE_MAX + 128];
    int used =
        snprintf(text, sizeof(text),
                 "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=kvpkcs11\nMESSAGE=%.*s\n",
                 kvp_severity(level), sink->facility >> 3, (int)(len - bare - 1), line + bare);

    if (used < 0 || (size_t)used >= sizeof(text))
        return EMSGSIZE;
    return kvp_datagram_send(sink, fd, text, (size_t)used);
}

const kvp_sink_ops kvp_sink_journald = {
    .default_path = "/run/systemd/journal/socket",
    .open = kvp_datagram_open,
    .put = put_journald,
};
