/* SPDX-License-Identifier: MIT */
/*
 * The user's name for the audit record. getpwuid_r would run whatever nsswitch.conf names, and that
 * may load libraries into the host, talk to a directory server, or wait for it; environment
 * variables say what the caller likes. So the name comes from /etc/passwd alone, once a user, and a
 * user who is not there is written as a number.
 */
#include "audit/internal.h"
#include "base/alloc.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_USERS 32 /* remembered; a server that changes to any number of users shows numbers */

static void look_up(uid_t uid, char ret[40])
{
    struct passwd entry, *found = NULL;
    char space[2048];
    FILE *file = fopen("/etc/passwd", "re");

    snprintf(ret, 40, "%lu", (unsigned long)uid);
    if (!file)
        return;
    while (fgetpwent_r(file, &entry, space, sizeof(space), &found) == 0 && found)
        if (found->pw_uid == uid) {
            kvp_copy_printable(ret, 40, found->pw_name);
            break;
        }
    fclose(file);
}

void kvp_user_name(kvp_audit *audit, char ret[40])
{
    uid_t uid = geteuid();
    kvp_user *first = atomic_load_explicit(&audit->users, memory_order_acquire);
    kvp_user *fresh;
    size_t count = 0;

    for (kvp_user *user = first; user; user = user->next, count++)
        if (user->uid == uid) {
            memcpy(ret, user->name, sizeof(user->name));
            return;
        }
    fresh = count < MAX_USERS ? kvp_calloc(1, sizeof(*fresh)) : NULL;
    if (!fresh) {
        snprintf(ret, 40, "%lu", (unsigned long)uid);
        return;
    }
    fresh->uid = uid;
    look_up(uid, fresh->name);
    memcpy(ret, fresh->name, sizeof(fresh->name));
    fresh->next = first;
    /* Two threads may both put it in; the list is read from its head, and both say the same. */
    while (!atomic_compare_exchange_weak(&audit->users, &fresh->next, fresh))
        continue;
}
