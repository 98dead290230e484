/* SPDX-License-Identifier: MIT */
/*
 * What a forked child does with the parent's connections: closes its copies of the sockets and
 * never touches the handles again, for libcurl and OpenSSL may have been forked in mid-flight. They
 * are kept in a list that nobody uses, so that leak checkers see where they are.
 */
#include "http/internal.h"
#include "base/alloc.h"

#include <stdatomic.h>

/* Pools that exist. Nodes are reused, never freed: the child's hook walks them without a lock. */
typedef struct node {
    _Atomic(kvp_http *) http;
    struct node *next;
} node;

static _Atomic(node *) nodes;
static kvp_conn *graveyard;

static void in_child(void)
{
    kvp_sockets_close_all();
    for (node *n = atomic_load(&nodes); n; n = n->next) {
        kvp_http *http = atomic_load(&n->http);

        if (http)
            kvp_pool_after_fork(http, &graveyard);
    }
}

void kvp_http_watch_fork(void)
{
    (void)kvp_fork_watch();
    kvp_fork_on_child(in_child);
}

kvp_status kvp_http_register(kvp_http *http, kvp_error *reterr)
{
    node *fresh;

    for (node *n = atomic_load(&nodes); n; n = n->next) {
        kvp_http *none = NULL;

        if (atomic_compare_exchange_strong(&n->http, &none, http))
            return KVP_OK;
    }
    fresh = kvp_calloc(1, sizeof(*fresh));
    if (!fresh)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "connection pool");
    atomic_init(&fresh->http, http);
    fresh->next = atomic_load(&nodes);
    while (!atomic_compare_exchange_weak(&nodes, &fresh->next, fresh))
        continue;
    return KVP_OK;
}

void kvp_http_unregister(kvp_http *http)
{
    for (node *n = atomic_load(&nodes); n; n = n->next)
        if (atomic_load(&n->http) == http)
            atomic_store(&n->http, NULL);
}
