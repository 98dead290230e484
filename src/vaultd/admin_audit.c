/* SPDX-License-Identifier: MIT */
/* audit show: the usage log as it stands, and what is written to it from now on. */
#include "vaultd/admin.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/datadir.h"
#include "vaultd/usage_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS 200

/* Copy what @fd has; KVP_ERR_IO when it cannot be read or the reader of the output went away. */
static kvp_status copy(int fd, const char *path, FILE *out, kvp_error *reterr)
{
    char block[16384];
    ssize_t len;

    while ((len = read(fd, block, sizeof(block))) > 0) {
        if (fwrite(block, 1, (size_t)len, out) != (size_t)len)
            return kvp_error_set(reterr, KVP_ERR_IO, "writing the output failed");
    }
    if (len < 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    if (fflush(out) != 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "writing the output failed");
    return KVP_OK;
}

/* Whether @path is now another file than @fd: the log was rotated. */
static bool was_rotated(int fd, const char *path)
{
    struct stat ours, theirs;

    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
           (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev);
}

kvp_status kvp_admin_audit(kvp_admin *admin, kvp_error *reterr)
{
    char *path =
        kvp_asprintf("%s/%s/%s", admin->options->data, KVP_DATADIR_LOG, KVP_USAGE_LOG_EVENTS);
    bool follow = admin->options->values[KVP_OPTION_FOLLOW] != NULL;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    kvp_status status = KVP_OK;

    if (fd < 0)
        status = kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path ? path : "log", strerror(errno));
    else
        status = copy(fd, path, admin->out, reterr);
    while (status == KVP_OK && follow) {
        kvp_clock_sleep_ms(POLL_MS);
        if (was_rotated(fd, path)) {
            /* The last lines of the old one, then the new one from its start. */
            int next = open(path, O_RDONLY | O_CLOEXEC);
            status = copy(fd, path, admin->out, reterr);
            if (next >= 0) {
                close(fd);
                fd = next;
            }
        }
        if (status == KVP_OK)
            status = copy(fd, path, admin->out, reterr);
    }
    if (fd >= 0)
        close(fd);
    kvp_free(path);
    return status;
}
