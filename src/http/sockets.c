/* SPDX-License-Identifier: MIT */
/*
 * Which descriptors are our connections, so that the child of a fork can close its copies with
 * nothing but fstat(2) and close(2). A process that never opened one pays nothing.
 *
 * The number alone does not tell: libcurl 7.88 closes a socket that never got as far as being
 * connected without its close callback, and the number is then free for the host's own files. So
 * what is kept is the socket's inode number (of 32 bits in Linux), which no other socket has at the
 * same time.
 */
#include "http/internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux lets a process have no more descriptors than this by default (fs.nr_open). */
#define MAX_FD (1 << 20)

/* By descriptor: the inode of our socket; 0 for none. Pages that were never written take no room.
 */
static _Atomic uint32_t sockets[MAX_FD];
static atomic_int highest = -1;

/* What is open as @fd, or 0 where that is no socket. */
static uint32_t socket_inode(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? (uint32_t)st.st_ino : 0;
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
    atomic_store(&sockets[fd], socket_inode(fd));
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
    /* In the child of a fork it is gone already, and the number perhaps somebody else's. */
    if (!atomic_exchange(&sockets[fd], 0))
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

    for (int fd = 0; fd <= top; fd++) {
        uint32_t inode = atomic_exchange(&sockets[fd], 0);

        if (inode && socket_inode(fd) == inode)
            close(fd);
    }
}

unsigned kvp_sockets_count(void)
{
    unsigned count = 0;
    int top = atomic_load(&highest);

    for (int fd = 0; fd <= top; fd++) {
        uint32_t inode = atomic_load(&sockets[fd]);

        count += inode && socket_inode(fd) == inode;
    }
    return count;
}
