/* SPDX-License-Identifier: MIT */
/* Message digests: a table of hashes, and the running digest of C_DigestUpdate, C_SignUpdate…. */
#include "base/alloc.h"
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <stdatomic.h>

typedef struct hash_info {
    const char *name; /**< OpenSSL's */
    size_t len;       /**< bytes */
} hash_info;

static const hash_info hashes[KVP_HASH_COUNT] = {
    [KVP_HASH_SHA1] = { "SHA1", 20 },          [KVP_HASH_SHA224] = { "SHA2-224", 28 },
    [KVP_HASH_SHA256] = { "SHA2-256", 32 },    [KVP_HASH_SHA384] = { "SHA2-384", 48 },
    [KVP_HASH_SHA512] = { "SHA2-512", 64 },    [KVP_HASH_SHA3_224] = { "SHA3-224", 28 },
    [KVP_HASH_SHA3_256] = { "SHA3-256", 32 },  [KVP_HASH_SHA3_384] = { "SHA3-384", 48 },
    [KVP_HASH_SHA3_512] = { "SHA3-512", 64 },
};

struct kvp_digest {
    EVP_MD_CTX *ctx;
    kvp_digest *next; /**< in the list of those that could not be freed */
};

/* Digests that outlived OpenSSL: only forgotten, but where a leak checker finds them. */
static _Atomic(kvp_digest *) forgotten;

size_t kvp_hash_len(kvp_hash hash)
{
    return (unsigned)hash < KVP_HASH_COUNT ? hashes[hash].len : 0;
}

const char *kvp_hash_name(kvp_hash hash)
{
    return (unsigned)hash < KVP_HASH_COUNT ? hashes[hash].name : NULL;
}

kvp_status kvp_crypto_failed(kvp_error *reterr, const char *what)
{
    if (kvp_ossl_gone())
        return kvp_error_set(reterr, KVP_ERR_CLOSED, "%s: the process is exiting", what);
    if (kvp_ossl_out_of_memory())
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "%s", what);
    return kvp_error_set(reterr, KVP_ERR_CRYPTO, "%s failed in OpenSSL", what);
}

kvp_status kvp_crypto_mismatch(kvp_error *reterr)
{
    if (kvp_ossl_out_of_memory())
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "verifying a signature");
    return kvp_error_set(reterr, KVP_ERR_MISMATCH, "the signature is wrong");
}

void kvp_digest_free(kvp_digest *digest)
{
    if (!digest)
        return;
    if (digest->ctx && kvp_ossl_gone()) {
        digest->next = atomic_load(&forgotten);
        while (!atomic_compare_exchange_weak(&forgotten, &digest->next, digest))
            continue;
        return;
    }
    if (digest->ctx) {
        KVP_OSSL_SCOPE;
        EVP_MD_CTX_free(digest->ctx);
    }
    kvp_free(digest);
}

kvp_status kvp_digest_new(kvp_hash hash, kvp_digest **ret, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    KVP_CLEANUP(kvp_digest_freep) kvp_digest *digest = NULL;
    const EVP_MD *md;

    if (kvp_hash_len(hash) == 0)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "no such digest (%d)", (int)hash);
    md = kvp_ossl_md(hash);
    if (!md)
        return kvp_crypto_failed(reterr, "making a digest");
    digest = kvp_calloc(1, sizeof(*digest));
    if (!digest)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "digest");
    digest->ctx = EVP_MD_CTX_new();
    if (!digest->ctx)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "digest");
    /* The digest is there: nothing but memory can be missing, and OpenSSL does not say so. */
    if (EVP_DigestInit_ex2(digest->ctx, md, NULL) != 1)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "digest");
    *ret = KVP_STEAL(digest);
    return KVP_OK;
}

kvp_digest *kvp_digest_copy(const kvp_digest *digest)
{
    KVP_OSSL_SCOPE;
    KVP_CLEANUP(kvp_digest_freep) kvp_digest *copy = NULL;

    if (!digest || kvp_ossl_gone())
        return NULL;
    copy = kvp_calloc(1, sizeof(*copy));
    if (!copy)
        return NULL;
    copy->ctx = EVP_MD_CTX_new();
    if (!copy->ctx || EVP_MD_CTX_copy_ex(copy->ctx, digest->ctx) != 1)
        return NULL;
    return KVP_STEAL(copy);
}

kvp_status kvp_digest_update(kvp_digest *digest, const void *data, size_t len)
{
    KVP_OSSL_SCOPE;

    if (kvp_ossl_gone())
        return KVP_ERR_CLOSED;
    if (len == 0)
        return KVP_OK;
    return EVP_DigestUpdate(digest->ctx, data, len) == 1 ? KVP_OK
                                                         : kvp_crypto_failed(NULL, "hashing");
}

kvp_status kvp_digest_final(kvp_digest *digest, uint8_t *ret)
{
    KVP_OSSL_SCOPE;

    if (kvp_ossl_gone())
        return KVP_ERR_CLOSED;
    return EVP_DigestFinal_ex(digest->ctx, ret, NULL) == 1 ? KVP_OK
                                                           : kvp_crypto_failed(NULL, "hashing");
}

kvp_status kvp_digest_once(kvp_hash hash, const void *data, size_t len, uint8_t *ret)
{
    KVP_OSSL_SCOPE;
    const EVP_MD *md;

    if (kvp_hash_len(hash) == 0)
        return KVP_ERR_INVALID;
    md = kvp_ossl_md(hash);
    if (!md)
        return kvp_crypto_failed(NULL, "making a digest");
    /* As above. */
    return EVP_Digest(len ? data : "", len, ret, NULL, md, NULL) == 1 ? KVP_OK : KVP_ERR_NO_MEMORY;
}
