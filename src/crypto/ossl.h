/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL inside somebody else's process. The host's default library context may have a pkcs11
 * engine or provider that would load us again, so ours is a private OSSL_LIB_CTX with the default
 * provider only and no configuration file. libcurl has no way to be given a context: it takes the
 * calling thread's default, so every stretch of code that calls OpenSSL or libcurl stands in a
 * KVP_OSSL_SCOPE, which swaps that default and puts the host's back.
 */
#ifndef KVP_CRYPTO_OSSL_H
#define KVP_CRYPTO_OSSL_H

#include "base/error.h"

#include <stdbool.h>

typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;

/**
 * Our context, made at the first call in each process (a forked child makes its own: the parent's
 * may have been forked in mid-flight). NULL when it cannot be made, or when the host has already
 * run OPENSSL_cleanup (learnt through OPENSSL_atexit). Thread-safe.
 */
OSSL_LIB_CTX *kvp_ossl_ctx(void);

/** The host has run OPENSSL_cleanup: OpenSSL objects may only be forgotten, not freed. */
bool kvp_ossl_gone(void);

/**
 * Swap the thread's default context for ours and mark its error queue; returns the token that leave
 * takes, NULL when there is no context. Nests.
 */
OSSL_LIB_CTX *kvp_ossl_enter(void);
void kvp_ossl_leave(OSSL_LIB_CTX **previous);

/**
 * What OpenSSL failed at since the KVP_OSSL_SCOPE around the caller began was getting memory, as far
 * as its error queue says so; takes the entries since then off the queue. False outside a scope.
 */
bool kvp_ossl_out_of_memory(void);

/**
 * From here to the end of the block, the thread's default OpenSSL context is ours, and what is put
 * on its error queue is taken off again.
 */
#define KVP_OSSL_SCOPE KVP_OSSL_SCOPE_(__COUNTER__)
#define KVP_OSSL_SCOPE_(n) KVP_OSSL_SCOPE_NAMED_(n)
#define KVP_OSSL_SCOPE_NAMED_(n)                                                                   \
    OSSL_LIB_CTX *kvp_ossl_previous_##n __attribute__((cleanup(kvp_ossl_leave), unused)) =         \
        kvp_ossl_enter()

#endif
