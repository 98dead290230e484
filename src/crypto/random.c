/* SPDX-License-Identifier: MIT */
/*
 * Random bytes from the kernel: no state to seed, to share between threads or to renew after fork,
 * and there to the last moment of the process.
 */
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

kvp_status kvp_random(void *ret, size_t len)
{
    uint8_t *at = ret;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            return KVP_ERR_CRYPTO;
        }
        at += got;
        len -= (size_t)got;
    }
    return KVP_OK;
}

/* random(4): what anybody writes is mixed into the pool, and counts as nothing. */
kvp_status kvp_random_seed(const void *seed, size_t len)
{
    const uint8_t *at = seed;
    int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return KVP_ERR_UNSUPPORTED;
    while (len > 0) {
        ssize_t put = write(fd, at, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        at += put;
        len -= (size_t)put;
    }
    close(fd);
    return len == 0 ? KVP_OK : KVP_ERR_UNSUPPORTED;
}

kvp_status kvp_random_uuid(char ret[37])
{
    uint8_t b[16];
    kvp_status st = kvp_random(b, sizeof(b));

    if (st != KVP_OK)
        return st;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 (RFC 9562 §5.4) */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* variant */
    snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
    return KVP_OK;
}
