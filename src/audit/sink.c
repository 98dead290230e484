/* SPDX-License-Identifier: MIT */
/*
 * Sinks: opening them late, and never writing to a descriptor that has become somebody else's. A
 * host that turns into a daemon closes every descriptor it can find; the number that was our log
 * may then be its connection to a client. So a descriptor is compared with what it was opened as
 * before each line, and its number never changes under a writer: a rotated file is replaced by
 * dup3.
 */
#include "audit/internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_INTERVAL_MS 1000
#define RETRY_INTERVAL_MS 1000

static const kvp_sink_ops *const ops_of_kind[] = {
    [KVP_SINK_NONE] = NULL,
    [KVP_SINK_FILE] = &kvp_sink_file,
    [KVP_SINK_SYSLOG] = &kvp_sink_syslog,
    [KVP_SINK_JOURNALD] = &kvp_sink_journald,
    [KVP_SINK_STDERR] = &kvp_sink_stderr,
};

kvp_status kvp_sink_init(kvp_sink *sink, const kvp_sink_setting *setting, int facility)
{
    const char *path;
    kvp_status st;

    memset(sink, 0, sizeof(*sink));
    atomic_init(&sink->fd, -1);
    sink->facility = facility;
    if (!setting || setting->kind == KVP_SINK_NONE)
        return KVP_OK;
    if ((unsigned)setting->kind >= KVP_ARRAY_LEN(ops_of_kind) ||
        (setting->kind == KVP_SINK_FILE && !setting->path))
        return KVP_ERR_INVALID;
    sink->ops = ops_of_kind[setting->kind];
    path = setting->path ? setting->path : sink->ops->default_path;
    sink->path = kvp_strdup(path);
    if (path && !sink->path)
        return KVP_ERR_NO_MEMORY;
    st = kvp_lock_init(&sink->lock, KVP_RANK_LOG);
    if (st != KVP_OK) {
        kvp_free(sink->path);
        sink->path = NULL;
        sink->ops = NULL;
    }
    return st;
}

static bool is_same(const kvp_sink *sink, const struct stat *st)
{
    return (uint64_t)st->st_dev == atomic_load_explicit(&sink->dev, memory_order_relaxed) &&
           (uint64_t)st->st_ino == atomic_load_explicit(&sink->ino, memory_order_relaxed);
}

static bool is_ours(const kvp_sink *sink, int fd, struct stat *ret_st)
{
    return fd >= 0 && fstat(fd, ret_st) == 0 && is_same(sink, ret_st);
}

void kvp_sink_clear(kvp_sink *sink)
{
    int fd = atomic_exchange(&sink->fd, -1);
    struct stat st;

    if (is_ours(sink, fd, &st))
        close(fd);
    kvp_lock_clear(&sink->lock);
    kvp_free(sink->path);
    sink->path = NULL;
    sink->ops = NULL;
}

/* Whether @st, what fd is now, is no longer what stands at the path; looks once a second. */
static bool is_rotated(kvp_sink *sink, const struct stat *st)
{
    int64_t now, next;
    struct stat at_path;

    if (!sink->ops->follows_path)
        return false;
    if (st->st_nlink == 0)
        return true;
    now = kvp_clock_mono_ms();
    next = atomic_load_explicit(&sink->next_look_ms, memory_order_relaxed);
    if (now < next ||
        !atomic_compare_exchange_strong(&sink->next_look_ms, &next, now + LOOK_INTERVAL_MS))
        return false;
    return stat(sink->path, &at_path) != 0 || !is_same(sink, &at_path);
}

/*
 * Keep clear of 0, 1 and 2: when the host has closed them, what it prints must not land in our log.
 */
static int above_standard(int fd)
{
    int higher;

    if (fd > STDERR_FILENO)
        return fd;
    higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return higher;
}

/* Open anew and publish; @old, when it is ours, keeps its number. */
static int reopen_locked(kvp_sink *sink, int old, bool old_is_ours) KVP_REQUIRES(sink->lock)
{
    int64_t now = kvp_clock_mono_ms();
    struct stat st;
    int fd = -1, error;

    if (sink->open_error && now < sink->next_open_ms)
        return sink->open_error;
    error = sink->ops->open(sink->path, &fd);
    if (error == 0 && (fd = above_standard(fd)) < 0)
        error = errno;
    if (error == 0 && fstat(fd, &st) != 0) {
        error = errno;
        close(fd);
    }
    sink->open_error = error;
    if (error) {
        sink->next_open_ms = now + RETRY_INTERVAL_MS;
        return error;
    }
    if (old_is_ours) {
        error = dup3(fd, old, O_CLOEXEC) < 0 ? errno : 0;
        close(fd);
        if (error)
            return error;
        fd = old;
    }
    atomic_store(&sink->dev, (uint64_t)st.st_dev);
    atomic_store(&sink->ino, (uint64_t)st.st_ino);
    atomic_store(&sink->next_look_ms, now + LOOK_INTERVAL_MS);
    atomic_store(&sink->torn, false);
    atomic_store(&sink->fd, fd);
    return 0;
}

/* The descriptor to write on. */
static int get_fd(kvp_sink *sink, int *ret_fd)
{
    int fd = atomic_load_explicit(&sink->fd, memory_order_acquire);
    bool rotated = false;
    struct stat st;
    int error = 0;

    if (is_ours(sink, fd, &st)) {
        rotated = is_rotated(sink, &st);
        if (!rotated) {
            *ret_fd = fd;
            return 0;
        }
    }
    kvp_lock_take(&sink->lock);
    /* Another thread may have been here in the meantime. */
    fd = atomic_load(&sink->fd);
    if (!is_ours(sink, fd, &st)) {
        error = reopen_locked(sink, fd, false);
    } else if (rotated) {
        struct stat at_path;

        /* A process that gave up its rights may open no new one: the old one, if it still has a
         * name, is better than none. */
        if (stat(sink->path, &at_path) != 0 || !is_same(sink, &at_path))
            error = reopen_locked(sink, fd, true);
        if (error && st.st_nlink > 0)
            error = 0;
    }
    *ret_fd = atomic_load(&sink->fd);
    kvp_lock_give(&sink->lock);
    return error;
}

int kvp_sink_put(kvp_sink *sink, kvp_log_level level, const char *line, size_t len, size_t bare)
{
    int fd = -1, error;

    if (!sink->ops)
        return 0;
    if (sink->ops->open) {
        error = get_fd(sink, &fd);
        if (error)
            return error;
    }
    return sink->ops->put(sink, fd, level, line, len, bare);
}
