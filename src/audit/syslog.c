/* SPDX-License-Identifier: MIT */
/*
 * Lines to the system's log daemon, over a datagram socket of our own: openlog() and syslog() keep
 * one state for the whole process, and it is the host's. The format is that of RFC 3164 without the
 * time, which is local time there; finding that out means libc's time zone lock and files. The
 * daemon puts in when it received the line (RFC 3164 §4.3.2).
 */
#include "audit/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_US 100000 /* how long a full queue of the daemon may hold up the host, once */

int kvp_severity(kvp_log_level level)
{
    static const int severities[] = { [KVP_LOG_ERROR] = 3, [KVP_LOG_WARNING] = 4,
                                      [KVP_LOG_INFO] = 6,  [KVP_LOG_DEBUG] = 7,
                                      [KVP_LOG_TRACE] = 7 };

    return (unsigned)level < KVP_ARRAY_LEN(severities) ? severities[level] : 6;
}

static int connect_to(int fd, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path))
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

int kvp_datagram_open(const char *path, int *ret_fd)
{
    const struct timeval patience = { 0, PATIENCE_US };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return errno;
    error = connect_to(fd, path);
    if (error == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
        error = errno;
    if (error) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static int send_once(int fd, const char *data, size_t len, int flags)
{
    ssize_t sent;

    do
        sent = send(fd, data, len, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

int kvp_datagram_send(kvp_sink *sink, int fd, const char *data, size_t len)
{
    int flags = atomic_load_explicit(&sink->impatient, memory_order_relaxed) ? MSG_DONTWAIT : 0;
    int error = send_once(fd, data, len, flags);

    /* The daemon was started anew: its socket is another one, at the same path. */
    if (error == ECONNREFUSED || error == ENOTCONN || error == ECONNRESET ||
        error == EDESTADDRREQ) {
        error = connect_to(fd, sink->path);
        if (error == 0)
            error = send_once(fd, data, len, flags);
    }
    if (error == 0 && flags)
        atomic_store(&sink->impatient, false);
    else if (error == EAGAIN)
        atomic_store(&sink->impatient, true);
    return error;
}

static int put_syslog(kvp_sink *sink, int fd, kvp_log_level level, const char *line, size_t len,
                      size_t bare)
{
    char text[KVP_LINE_MAX + 64];
    int used = snprintf(text, sizeof(text), "<%d>kvpkcs11[%ld]: %.*s",
                        sink->facility | kvp_severity(level), (long)getpid(),
                        (int)(len - bare - 1), line + bare);

    if (used < 0 || (size_t)used >= sizeof(text))
        return EMSGSIZE;
    return kvp_datagram_send(sink, fd, text, (size_t)used);
}

const kvp_sink_ops kvp_sink_syslog = {
    .default_path = "/dev/log",
    .open = kvp_datagram_open,
    .put = put_syslog,
};
