/* SPDX-License-Identifier: MIT */
/*
 * Lines to a file, and to standard error when the configuration says so. A line is one write() on
 * an O_APPEND descriptor, so lines of threads and of forked children never mix.
 */
#include "audit/internal.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A pipe without a reader would send SIGPIPE, a file at the process's size limit SIGXFSZ: either
 * would end the host. They go to the thread that writes, so it blocks them and takes away what it
 * caused itself; one that was pending before stays.
 */
int kvp_write_quietly(int fd, const char *data, size_t len, size_t *ret_written)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t block, pending, old;
    bool had_pipe, had_size;
    int error = 0;

    *ret_written = 0;
    sigemptyset(&block);
    sigaddset(&block, SIGPIPE);
    sigaddset(&block, SIGXFSZ);
    if (pthread_sigmask(SIG_BLOCK, &block, &old) != 0)
        return EINVAL;
    sigpending(&pending);
    had_pipe = sigismember(&pending, SIGPIPE) == 1;
    had_size = sigismember(&pending, SIGXFSZ) == 1;
    while (*ret_written < len) {
        ssize_t n = write(fd, data + *ret_written, len - *ret_written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? errno : EIO;
            break;
        }
        *ret_written += (size_t)n;
    }
    if ((error == EPIPE && !had_pipe) || (error == EFBIG && !had_size)) {
        sigemptyset(&block);
        sigaddset(&block, error == EPIPE ? SIGPIPE : SIGXFSZ);
        while (sigtimedwait(&block, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

/*
 * Only what can be appended to without ever waiting: a FIFO would stop the host when nobody reads.
 */
static int open_file(const char *path, int *ret_fd)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))) {
        close(fd);
        return ENOTSUP;
    }
    *ret_fd = fd;
    return 0;
}

static int put_file(kvp_sink *sink, int fd, kvp_log_level level, const char *line, size_t len,
                    size_t bare)
{
    size_t written;
    int error;
    (void)level;
    (void)bare;

    /* After a line that a full disk cut short, the next one must not be glued to its rest. */
    if (atomic_load_explicit(&sink->torn, memory_order_relaxed)) {
        error = kvp_write_quietly(fd, "\n", 1, &written);
        if (error)
            return error;
        atomic_store(&sink->torn, false);
    }
    error = kvp_write_quietly(fd, line, len, &written);
    if (error && written > 0)
        atomic_store(&sink->torn, true);
    return error;
}

static int put_stderr(kvp_sink *sink, int fd, kvp_log_level level, const char *line, size_t len,
                      size_t bare)
{
    size_t written;
    (void)sink;
    (void)fd;
    (void)level;
    (void)bare;

    return kvp_write_quietly(STDERR_FILENO, line, len, &written);
}

const kvp_sink_ops kvp_sink_file = { .open = open_file, .put = put_file, .follows_path = true };
const kvp_sink_ops kvp_sink_stderr = { .put = put_stderr };
