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
 * may have been forked in mid-flight). NULL when it cannot be made, or when the host has already run
 * OPENSSL_cleanup (learnt through OPENSSL_atexit). Thread-safe.
 */
OSSL_LIB_CTX *kvp_ossl_ctx(void);

/** The host has run OPENSSL_cleanup: OpenSSL objects may only be forgotten, not freed. */
bool kvp_ossl_gone(void);

/** Swap the thread's default context for ours; returns the token that leave takes. Nests. */
OSSL_LIB_CTX *kvp_ossl_enter(void);
void kvp_ossl_leave(OSSL_LIB_CTX **previous);

/** From here to the end of the block, the thread's default OpenSSL context is ours. */
#define KVP_OSSL_SCOPE                                                                             \
    OSSL_LIB_CTX *kvp_ossl_previous_ __attribute__((cleanup(kvp_ossl_leave), unused)) =            \
        kvp_ossl_enter()

#endif
