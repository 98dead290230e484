/* SPDX-License-Identifier: MIT */
/*
 * The cryptographic engine of the daemon: keys and what can be done with them, by OpenSSL. Knows
 * neither JSON nor HTTP nor storage. Everything here may be called from any number of threads with
 * the same key; no lock is held while OpenSSL works.
 */
#ifndef KVP_VAULTD_ENGINE_H
#define KVP_VAULTD_ENGINE_H

#include "base/buf.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum kvp_engine_kind {
    KVP_ENGINE_RSA,
    KVP_ENGINE_EC,
    KVP_ENGINE_OCT,
    KVP_ENGINE_KIND_COUNT
} kvp_engine_kind;

/** A row a curve the service offers. */
typedef struct kvp_engine_curve {
    const char *name;    /**< JWK: `P-256K` */
    const char *openssl; /**< `secp256k1` */
    unsigned width;      /**< bytes of x, y, r, s */
    unsigned bits;
} kvp_engine_curve;
extern const kvp_engine_curve kvp_engine_curves[];
extern const size_t kvp_engine_curve_count;
/** The row of JWK name @name, or NULL. */
const kvp_engine_curve *kvp_engine_curve_find(const char *name);

#define KVP_ENGINE_OCT_MAX 64 /**< bytes of the longest symmetric key */

/** Immutable once made; counted. */
typedef struct kvp_engine_key {
    kvp_engine_kind kind;
    unsigned bits;                 /**< modulus, curve or secret bits */
    const kvp_engine_curve *curve; /**< EC only */
    EVP_PKEY *pkey;                /**< RSA, EC */
    uint8_t secret[KVP_ENGINE_OCT_MAX];
    size_t secret_len; /**< oct only */
    struct kvp_token_key
        *in_token; /**< owned; set: pkey is the public half, if any, the rest is in a token */
    int refs;      /**< touched with atomic built-ins only */
} kvp_engine_key;

kvp_engine_key *kvp_engine_key_ref(kvp_engine_key *key);
/** Drops a reference and wipes the key with the last one; accepts NULL. */
void kvp_engine_key_unref(kvp_engine_key *key);
KVP_DEFINE_FREEP(kvp_engine_key, kvp_engine_key_unref);

/** New keys. Sizes the service has not are KVP_ERR_INVALID; *ret_key is a new reference. */
kvp_status kvp_engine_generate_rsa(unsigned bits, unsigned exponent, kvp_engine_key **ret_key,
                                   kvp_error *reterr);
kvp_status kvp_engine_generate_ec(const kvp_engine_curve *curve, kvp_engine_key **ret_key,
                                  kvp_error *reterr);
kvp_status kvp_engine_generate_oct(unsigned bits, kvp_engine_key **ret_key, kvp_error *reterr);
/** Whether symmetric keys of @bits are offered: 128 to 256 for AES, 256 to 512 for HMAC. */
bool kvp_engine_oct_size(size_t bits);
/** @pattern's kind, size, curve and exponent again, with fresh numbers. */
kvp_status kvp_engine_generate_like(const kvp_engine_key *pattern, kvp_engine_key **ret_key,
                                    kvp_error *reterr);

/**
 * A key whose private half is in a token: @take_pkey is its public half, @take_token what the
 * token's functions need. Both are taken on success; on failure @take_pkey is freed and @take_token
 * is not.
 */
kvp_status kvp_engine_adopt(kvp_engine_kind kind, EVP_PKEY *take_pkey,
                            const kvp_engine_curve *curve, struct kvp_token_key *take_token,
                            kvp_engine_key **ret_key, kvp_error *reterr);

/** The same for a symmetric key, of which nothing is here. @take_token is taken on success. */
kvp_status kvp_engine_adopt_oct(unsigned bits, struct kvp_token_key *take_token,
                                kvp_engine_key **ret_key, kvp_error *reterr);

/** The numbers of an RSA private key, big-endian; all are needed. */
typedef struct kvp_engine_rsa_parts {
    kvp_buf n, e, d, p, q, dp, dq, qi;
} kvp_engine_rsa_parts;
void kvp_engine_rsa_parts_clear(kvp_engine_rsa_parts *parts);

/**
 * Keys from elsewhere. The numbers are checked against each other (primes, exponents, coefficient;
 * the point against the private number): KVP_ERR_INVALID says what does not fit.
 */
kvp_status kvp_engine_import_rsa(const kvp_engine_rsa_parts *parts, kvp_engine_key **ret_key,
                                 kvp_error *reterr);
kvp_status kvp_engine_import_ec(const kvp_engine_curve *curve, const kvp_buf *x, const kvp_buf *y,
                                const kvp_buf *d, kvp_engine_key **ret_key, kvp_error *reterr);
kvp_status kvp_engine_import_oct(const void *secret, size_t len, kvp_engine_key **ret_key,
                                 kvp_error *reterr);

/** The secret form (PKCS#8, or the bytes of an oct key), appended to @ret, a secret buffer. */
kvp_status kvp_engine_save(const kvp_engine_key *key, kvp_buf *ret, kvp_error *reterr);
/** The opposite. KVP_ERR_PARSE when @data is no such key. */
kvp_status kvp_engine_load(kvp_engine_kind kind, const void *data, size_t len,
                           kvp_engine_key **ret_key, kvp_error *reterr);

/**
 * A public number, appended to @ret big-endian: 'n', 'e' without leading zeros, 'x', 'y' of the
 * curve's width. KVP_ERR_INVALID for a kind that has it not.
 */
kvp_status kvp_engine_public(const kvp_engine_key *key, char which, kvp_buf *ret) KVP_WARN_UNUSED;

/** What an algorithm may be used for. */
enum {
    KVP_USE_SIGN = 1 << 0,    /**< sign and verify */
    KVP_USE_ENCRYPT = 1 << 1, /**< encrypt and decrypt */
    KVP_USE_WRAP = 1 << 2     /**< wrapKey and unwrapKey */
};

/** Inputs and outputs of a cipher beside its value. */
typedef struct kvp_engine_extra {
    kvp_buf iv;
    kvp_buf aad;
    kvp_buf tag;
} kvp_engine_extra;
void kvp_engine_extra_clear(kvp_engine_extra *extra);

typedef struct kvp_algorithm kvp_algorithm;

/** Functions of one family; a missing member means the family cannot do that. */
typedef struct kvp_algorithm_ops {
    kvp_status (*sign)(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                       size_t len, kvp_buf *ret, kvp_error *reterr);
    kvp_status (*verify)(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                         size_t len, const void *sig, size_t sig_len, bool *ret_valid,
                         kvp_error *reterr);
    kvp_status (*encrypt)(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_engine_extra *extra, kvp_buf *ret, kvp_error *reterr);
    kvp_status (*decrypt)(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_engine_extra *extra, kvp_buf *ret, kvp_error *reterr);
} kvp_algorithm_ops;

/** A row an algorithm of the service (wire reference, section 5). */
struct kvp_algorithm {
    const char *name; /**< `RS256` */
    unsigned uses;    /**< KVP_USE_ bits */
    kvp_engine_kind kind;
    const char *digest;  /**< OpenSSL's name; NULL = none */
    unsigned digest_len; /**< exact bytes of the value to sign; 0 = free */
    const char *curve;   /**< the only curve it goes with, or NULL */
    unsigned key_bits;   /**< the only size it goes with, or 0 */
    int padding;         /**< RSA_…_PADDING */
    unsigned overhead;   /**< RSA encryption: the value is at most modulus bytes minus this */
    const char *cipher;  /**< AES: `CBC`, `GCM`, `WRAP`, `WRAP-PAD`; the size comes from the key */
    bool pkcs7;          /**< AES-CBC: pad (PKCS#7) */
    const char *since;   /**< first api-version that has it, or NULL */
    const kvp_algorithm_ops *ops;
};
extern const kvp_algorithm kvp_algorithms[];
extern const size_t kvp_algorithm_count;
/** The row of @name (exact case, as the service has it), or NULL. */
const kvp_algorithm *kvp_algorithm_find(const char *name);

extern const kvp_algorithm_ops kvp_ops_rsa_sign, kvp_ops_ec_sign, kvp_ops_hmac;
extern const kvp_algorithm_ops kvp_ops_rsa_cipher, kvp_ops_aes_cbc, kvp_ops_aes_gcm,
    kvp_ops_aes_wrap;

/**
 * Use a key. The caller has matched @alg with the key's kind, curve and size. @ret is appended to;
 * for decryption it should be secret. A value of a length that cannot be is KVP_ERR_INVALID with a
 * sentence for the caller; a ciphertext, padding or tag that is wrong is KVP_ERR_MISMATCH.
 */
kvp_status kvp_engine_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                           size_t len, kvp_buf *ret, kvp_error *reterr);
/** A signature that is wrong, of whatever length, is KVP_OK and false. */
kvp_status kvp_engine_verify(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                             size_t len, const void *sig, size_t sig_len, bool *ret_valid,
                             kvp_error *reterr);
/** @extra: iv in (CBC) or out (GCM), aad in, tag out. */
kvp_status kvp_engine_encrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr);
kvp_status kvp_engine_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key,
                              const void *value, size_t len, kvp_engine_extra *extra, kvp_buf *ret,
                              kvp_error *reterr);

/** KVP_ERR_CRYPTO with OpenSSL's own reason; empties its error queue. */
kvp_status kvp_engine_failed(kvp_error *reterr, const char *what);

#endif
