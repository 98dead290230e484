/* SPDX-License-Identifier: MIT */
/* Files: plain system calls, errors with the file's name. */
#include "vaultd/files.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static kvp_status failed(kvp_error *reterr, const char *path)
{
    return kvp_error_set(reterr, errno == ENOENT ? KVP_ERR_NOT_FOUND : KVP_ERR_IO, "%s: %s", path,
                         strerror(errno));
}

kvp_status kvp_file_read(const char *path, kvp_buf *ret, kvp_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    kvp_status status = KVP_OK;
    char chunk[4096];
    ssize_t got = 0;

    if (fd < 0)
        return failed(reterr, path);
    while (status == KVP_OK && (got = read(fd, chunk, sizeof(chunk))) > 0)
        status = kvp_buf_append(ret, chunk, (size_t)got);
    if (got < 0)
        status = failed(reterr, path);
    else if (status != KVP_OK)
        kvp_error_set(reterr, status, "%s: too large", path);
    kvp_wipe(chunk, sizeof(chunk));
    close(fd);
    return status;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, data, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        len -= (size_t)done;
    }
    return true;
}

/* A rename is only durable when its directory is. */
static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir =
        slash ? kvp_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : kvp_strdup(".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    kvp_free(dir);
    return ok;
}

kvp_status kvp_file_write(const char *path, const void *data, size_t len, unsigned mode,
                          kvp_error *reterr)
{
    char *temporary = kvp_asprintf("%s.new", path);
    kvp_status status = KVP_OK;

    if (!temporary)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "%s", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        status = failed(reterr, temporary);
    } else {
        bool ok = fchmod(fd, mode) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
        if (close(fd) != 0)
            ok = false;
        if (!ok || rename(temporary, path) != 0 || !sync_directory(path)) {
            status = failed(reterr, path);
            unlink(temporary);
        }
    }
    kvp_free(temporary);
    return status;
}

bool kvp_file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

kvp_status kvp_file_check_private(const char *path, kvp_error *reterr)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return failed(reterr, path);
    if (st.st_mode & 077)
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "%s can be read by others: its mode must be 0600", path);
    return KVP_OK;
}
