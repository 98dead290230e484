/* SPDX-License-Identifier: MIT */
/*
 * A log file that others append to and rotate. Watched by asking, not by inotify: it works on every
 * file system, and four questions a second cost nothing.
 */
#include "tool/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef kvp_status (*line_fn)(void *user, const char *text, size_t len);

void kvp_log_file_init(kvp_log_file *file, const char *path)
{
    memset(file, 0, sizeof(*file));
    file->path = path;
    file->fd = -1;
    file->line.max = KVP_LOG_LINE_MAX;
}

static void close_file(kvp_log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    file->offset = 0;
    file->last_len = 0;
    file->skipping = file->rotated = false;
    kvp_buf_clear(&file->line);
    file->line.max = KVP_LOG_LINE_MAX;
}

void kvp_log_file_clear(kvp_log_file *file)
{
    close_file(file);
}

static kvp_status io_error(const kvp_log_file *file, kvp_error *reterr)
{
    return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", file->path, strerror(errno));
}

static kvp_status open_file(kvp_log_file *file, kvp_error *reterr)
{
    struct stat st;

    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 && errno == ENOENT)
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "%s does not exist (yet)", file->path);
    if (file->fd < 0 || fstat(file->fd, &st) != 0) {
        io_error(file, reterr);
        close_file(file);
        return KVP_ERR_IO;
    }
    file->device = st.st_dev;
    file->inode = st.st_ino;
    return KVP_OK;
}

/* Keep @len bytes of a line without its end; the rest of one that is too long is passed over. */
static kvp_status keep(kvp_log_file *file, const char *text, size_t len)
{
    size_t room = file->line.max - file->line.len;

    if (file->skipping)
        return KVP_OK;
    if (len > room) {
        file->skipping = true;
        len = room;
    }
    return kvp_buf_append(&file->line, text, len);
}

static kvp_status split(kvp_log_file *file, const char *text, size_t len, line_fn line, void *user)
{
    kvp_status st = KVP_OK;

    while (len > 0 && st == KVP_OK) {
        const char *end = memchr(text, '\n', len);
        size_t part = end ? (size_t)(end - text) : len;

        st = keep(file, text, part);
        if (st != KVP_OK || !end)
            return st;
        st = line(user, kvp_buf_str(&file->line), file->line.len);
        file->line.len = 0;
        file->skipping = false;
        text = end + 1;
        len -= part + 1;
    }
    return st;
}

/* Remember the end of what was read: @len bytes more. */
static void remember(kvp_log_file *file, const char *text, size_t len)
{
    size_t keep_len = len < sizeof(file->last) ? sizeof(file->last) - len : 0;

    if (keep_len > file->last_len)
        keep_len = file->last_len;
    if (len > sizeof(file->last)) {
        text += len - sizeof(file->last);
        len = sizeof(file->last);
    }
    memmove(file->last, file->last + file->last_len - keep_len, keep_len);
    memcpy(file->last + keep_len, text, len);
    file->last_len = keep_len + len;
}

static kvp_status drain(kvp_log_file *file, line_fn line, void *user, kvp_error *reterr)
{
    char chunk[64 * 1024];

    for (;;) {
        ssize_t got = read(file->fd, chunk, sizeof(chunk));
        kvp_status st;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_error(file, reterr);
        if (got == 0)
            return KVP_OK;
        file->offset += (uint64_t)got;
        remember(file, chunk, (size_t)got);
        st = split(file, chunk, (size_t)got, line, user);
        if (st != KVP_OK)
            return kvp_error_set(reterr, st, "reading %s", file->path);
    }
}

/* Whether what was read last still stands there. */
static bool is_as_it_was(const kvp_log_file *file)
{
    char now[sizeof(file->last)];
    ssize_t got = pread(file->fd, now, file->last_len, (off_t)(file->offset - file->last_len));

    return got == (ssize_t)file->last_len && memcmp(now, file->last, file->last_len) == 0;
}

/* Emptied in place (copytruncate): from its start again, without the half line that is gone. */
static kvp_status rewind_if_emptied(kvp_log_file *file, kvp_error *reterr)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return io_error(file, reterr);
    if (!S_ISREG(st.st_mode) || is_as_it_was(file))
        return KVP_OK;
    if (lseek(file->fd, 0, SEEK_SET) != 0)
        return io_error(file, reterr);
    file->offset = 0;
    file->last_len = 0;
    file->line.len = 0;
    file->skipping = false;
    return KVP_OK;
}

/* Whether the path leads to another file now; one that is gone is still the old one. */
static bool is_rotated(const kvp_log_file *file)
{
    struct stat st;

    return stat(file->path, &st) == 0 && (st.st_dev != file->device || st.st_ino != file->inode);
}

kvp_status kvp_log_file_read(kvp_log_file *file, line_fn line, void *user, kvp_error *reterr)
{
    kvp_status st = file->fd < 0 ? open_file(file, reterr) : KVP_OK;

    while (st == KVP_OK) {
        bool was_rotated = file->rotated;

        file->rotated = is_rotated(file);
        st = rewind_if_emptied(file, reterr);
        if (st == KVP_OK)
            st = drain(file, line, user, reterr);
        if (st != KVP_OK || !was_rotated || !file->rotated)
            return st;
        close_file(file);
        st = open_file(file, reterr);
        if (st == KVP_ERR_NOT_FOUND)
            return KVP_OK; /* rotated away again in this moment; the next call finds it */
    }
    return st;
}
