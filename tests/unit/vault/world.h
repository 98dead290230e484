/* SPDX-License-Identifier: MIT */
/*
 * A small world for tests of the vault client: one fake server that is both a vault and its own
 * authority, with tokens that can be made to expire, and a function of the test's that answers
 * authorised requests.
 */
#ifndef KVP_TESTS_UNIT_VAULT_WORLD_H
#define KVP_TESTS_UNIT_VAULT_WORLD_H

#include "tests/support/fake_server.h"
#include "vault/vault.h"

typedef struct world {
    fake_server *server;
    kvp_vault *vault;
    unsigned tokens;     /* given out */
    unsigned accepted;   /* the token that is accepted: the n-th; 0: the newest */
    unsigned challenges; /* 401 sent */
    bool refuse_all;
    const char *challenge; /* NULL: the own one */
    const char *claims;    /* extra challenge parameters when a token was refused, once */
    /* Answers a request that has a good token. */
    void (*answer)(struct world *self, const fake_request *request, fake_reply *reply);
    const fake_reply *reply; /* instead of a function */
} world;

/** Start the server and a client for it: a client secret, tenant from the challenge. */
void world_start(world *w);
/** Another client of the same server. */
kvp_vault *world_client(world *w, const char *secret, int64_t timeout_ms);
void world_stop(world *w);

/** The n-th request to the vault proper (token requests left out), from 0. */
const fake_request *world_request(world *w, unsigned index);
unsigned world_count(world *w);
unsigned world_token_requests(world *w);
/** Whether header @name of @request is @expected (NULL: absent). */
bool world_has(const fake_request *request, const char *name, const char *expected);

#endif
