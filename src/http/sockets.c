/* SPDX-License-Identifier: MIT */
/*
 * Which descriptors are our connections: a bit each, so that the child of a fork can close its
 * copies with nothing but close(2). A process that never opened one pays nothing.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* Linux lets a process have no more descriptors than this by default (fs.nr_open). */
#define MAX_FD (1 << 20)
#define BITS 64

static _Atomic uint64_t tracked[MAX_FD / BITS];
static atomic_int highest = -1;

static uint64_t bit(int fd)
{
    return UINT64_C(1) << ((unsigned)fd % BITS);
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    int seen = atomic_load(&highest);

    (void)user;
    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (fd >= MAX_FD) {
        close(fd);
        errno = EMFILE;
        return CURL_SOCKET_BAD;
    }
    atomic_fetch_or(&tracked[fd / BITS], bit(fd));
    while (seen < fd && !atomic_compare_exchange_weak(&highest, &seen, fd))
        continue;
    return fd;
}

/* Forgotten first, closed then: between the two the number is still ours, so that a fork there can
 * never close a descriptor that has become somebody else's. */
static int close_socket(void *user, curl_socket_t fd)
{
    (void)user;
    if (fd < 0 || fd >= MAX_FD)
        return -1;
    /* In the child of a fork the bit is gone already, and the number perhaps somebody else's. */
    if (!(atomic_fetch_and(&tracked[fd / BITS], ~bit(fd)) & bit(fd)))
        return 0;
    return close(fd);
}

void kvp_sockets_track(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
}

void kvp_sockets_close_all(void)
{
    int top = atomic_load(&highest);

    for (int word = 0; top >= 0 && word <= top / BITS; word++) {
        uint64_t bits = atomic_exchange(&tracked[word], 0);

        for (int i = 0; bits; i++, bits >>= 1)
            if (bits & 1)
                close(word * BITS + i);
    }
}

unsigned kvp_sockets_count(void)
{
    unsigned count = 0;
    int top = atomic_load(&highest);

    for (int word = 0; top >= 0 && word <= top / BITS; word++)
        count += (unsigned)__builtin_popcountll(atomic_load(&tracked[word]));
    return count;
}
