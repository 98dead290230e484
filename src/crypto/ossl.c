/* SPDX-License-Identifier: MIT */
/*
 * The private OSSL_LIB_CTX, and the swap of the thread's default context (ossl.h). Contexts are
 * published by compare-and-swap, without a lock: a context is made while OpenSSL may load the
 * host's configuration, and that may load this very module again, on this thread or another. A lock
 * held there could wait for itself. The loser of a race throws its context away.
 */
#include "crypto/ossl.h"
#include "base/alloc.h"
#include "base/lock.h"
#include "crypto/internal.h"

#include <stdatomic.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

typedef struct context {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *provider;
    uint64_t generation;
    _Atomic(EVP_MD *) digests[KVP_HASH_COUNT]; /**< fetched once each, kept for good */
    struct context *previous;                  /**< the parent's, never touched again; not a leak */
} context;

static _Atomic(context *) current;
static atomic_bool gone;
static atomic_flag exit_watched = ATOMIC_FLAG_INIT;

static void on_openssl_exit(void)
{
    atomic_store(&gone, true);
}

bool kvp_ossl_gone(void)
{
    return atomic_load_explicit(&gone, memory_order_acquire);
}

/*
 * libcrypto reads the host's openssl.cnf lazily, at the first call that wants an algorithm from the
 * thread's default context, and loads the providers named there into that context. In one of our
 * scopes the default is ours, so the reading is made to happen before ours exists, with the
 * process-wide context as default. Switching the reading off instead (OPENSSL_INIT_NO_LOAD_CONFIG)
 * would switch it off for the host too, for good. When the reading is what loads us, libcrypto
 * skips the nested one on the same thread.
 */
static bool settle_host(void)
{
    OSSL_LIB_CTX *global = OSSL_LIB_CTX_get0_global_default();
    OSSL_LIB_CTX *previous;

    /* False only after OPENSSL_cleanup, which we then had no chance to hear of. */
    if (!OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL))
        return false;
    previous = OSSL_LIB_CTX_set0_default(global);
    ERR_set_mark();
    /* A broken openssl.cnf is the host's matter; ours needs none. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    ERR_pop_to_mark();
    if (previous)
        OSSL_LIB_CTX_set0_default(previous);
    if (!atomic_flag_test_and_set(&exit_watched) && !OPENSSL_atexit(on_openssl_exit)) {
        atomic_flag_clear(&exit_watched);
        return false;
    }
    return true;
}

static void context_free(context *ctx)
{
    if (!ctx)
        return;
    if (ctx->provider)
        OSSL_PROVIDER_unload(ctx->provider);
    OSSL_LIB_CTX_free(ctx->lib);
    kvp_free(ctx);
}

static context *context_new(uint64_t generation)
{
    context *ctx = kvp_calloc(1, sizeof(*ctx));

    if (!ctx)
        return NULL;
    ctx->generation = generation;
    ERR_set_mark();
    ctx->lib = OSSL_LIB_CTX_new();
    if (ctx->lib)
        ctx->provider = OSSL_PROVIDER_load(ctx->lib, "default");
    ERR_pop_to_mark();
    if (!ctx->provider) {
        context_free(ctx);
        return NULL;
    }
    return ctx;
}

static context *context_get(void)
{
    uint64_t generation = kvp_fork_generation();
    context *seen = atomic_load_explicit(&current, memory_order_acquire);
    context *fresh;

    if (kvp_ossl_gone())
        return NULL;
    if (seen && seen->generation == generation)
        return seen;
    if (kvp_fork_watch() != KVP_OK || !settle_host())
        return NULL;
    fresh = context_new(generation);
    if (!fresh)
        return NULL;
    seen = atomic_load(&current);
    for (;;) {
        if (seen && seen->generation == generation) {
            context_free(fresh);
            return seen;
        }
        fresh->previous = seen;
        if (atomic_compare_exchange_weak(&current, &seen, fresh))
            return fresh;
    }
}

OSSL_LIB_CTX *kvp_ossl_ctx(void)
{
    context *ctx = context_get();

    return ctx ? ctx->lib : NULL;
}

const EVP_MD *kvp_ossl_md(kvp_hash hash)
{
    context *ctx = context_get();
    const char *name = kvp_hash_name(hash);
    EVP_MD *md, *fresh;

    if (!ctx || !name)
        return NULL;
    md = atomic_load_explicit(&ctx->digests[hash], memory_order_acquire);
    if (md)
        return md;
    fresh = EVP_MD_fetch(ctx->lib, name, NULL);
    if (!fresh)
        return NULL;
    if (atomic_compare_exchange_strong(&ctx->digests[hash], &md, fresh))
        return fresh;
    EVP_MD_free(fresh);
    return md;
}

OSSL_LIB_CTX *kvp_ossl_enter(void)
{
    OSSL_LIB_CTX *ours = kvp_ossl_ctx();
    OSSL_LIB_CTX *previous;

    if (!ours)
        return NULL;
    previous = OSSL_LIB_CTX_set0_default(ours);
    /* What goes wrong inside is ours: the host's error queue stays as it is. */
    if (previous)
        ERR_set_mark();
    return previous;
}

static bool is_of_memory(unsigned long code)
{
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
}

bool kvp_ossl_out_of_memory(void)
{
    context *ctx = atomic_load_explicit(&current, memory_order_acquire);
    unsigned long first, last;
    bool only_ours;

    /* Outside a scope there is no mark of ours, and the queue is the host's. */
    if (kvp_ossl_gone() || !ctx || OSSL_LIB_CTX_set0_default(NULL) != ctx->lib)
        return false;
    /* The cause comes first, what failed because of it after; older entries are the host's. */
    first = ERR_peek_error();
    last = ERR_peek_last_error();
    ERR_pop_to_mark();
    only_ours = ERR_peek_error() == 0;
    if (!only_ours && ERR_peek_last_error() == last)
        last = 0;
    ERR_set_mark();
    return is_of_memory(last) || (only_ours && is_of_memory(first));
}

void kvp_ossl_leave(OSSL_LIB_CTX **previous)
{
    /* After OPENSSL_cleanup the thread key is gone, and may by now be somebody else's. */
    if (!*previous || kvp_ossl_gone())
        return;
    ERR_pop_to_mark();
    OSSL_LIB_CTX_set0_default(*previous);
    *previous = NULL;
}
