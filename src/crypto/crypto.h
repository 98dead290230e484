/* SPDX-License-Identifier: MIT */
/*
 * Local cryptography: digests, public-key operations, encodings, random. Everything here runs
 * without a request. Private parts only pass through, from an application to the vault that is to
 * hold them.
 */
#ifndef KVP_CRYPTO_CRYPTO_H
#define KVP_CRYPTO_CRYPTO_H

#include "base/buf.h"
#include "base/error.h"
#include "jwk/jwk.h"

typedef enum kvp_hash {
    KVP_HASH_NONE,
    KVP_HASH_SHA1,
    KVP_HASH_SHA224,
    KVP_HASH_SHA256,
    KVP_HASH_SHA384,
    KVP_HASH_SHA512,
    KVP_HASH_SHA3_224,
    KVP_HASH_SHA3_256,
    KVP_HASH_SHA3_384,
    KVP_HASH_SHA3_512,
    KVP_HASH_COUNT
} kvp_hash;

#define KVP_HASH_MAX_LEN 64

/** Bytes of the digest; 0 for KVP_HASH_NONE. */
size_t kvp_hash_len(kvp_hash hash);
/** OpenSSL's name, `SHA2-256`; NULL for KVP_HASH_NONE. */
const char *kvp_hash_name(kvp_hash hash);

/* ---- digests ---- */
typedef struct kvp_digest kvp_digest;
kvp_status kvp_digest_new(kvp_hash hash, kvp_digest **ret, kvp_error *reterr);
void kvp_digest_free(kvp_digest *digest);
KVP_DEFINE_FREEP(kvp_digest, kvp_digest_free);
kvp_digest *kvp_digest_copy(const kvp_digest *digest);
kvp_status kvp_digest_update(kvp_digest *digest, const void *data, size_t len);
/** Write kvp_hash_len bytes to @ret; the digest can then only be freed. */
kvp_status kvp_digest_final(kvp_digest *digest, uint8_t *ret);
kvp_status kvp_digest_once(kvp_hash hash, const void *data, size_t len, uint8_t *ret);

/* ---- DigestInfo (RFC 8017 §9.2, notes 1) ---- */
/**
 * Whether @data is exactly the DER of a DigestInfo with NULL parameters for a hash of ours: prefix
 * and total length both fit. Returns the hash and points @ret_digest into @data, else
 * KVP_HASH_NONE.
 */
kvp_hash kvp_digest_info_parse(const uint8_t *data, size_t len, const uint8_t **ret_digest);
/** Append the DigestInfo of @digest (kvp_hash_len(@hash) bytes). */
kvp_status kvp_digest_info_build(kvp_hash hash, const uint8_t *digest, kvp_buf *ret);

/* ---- public keys ---- */
/**
 * A parsed public key, kept with its object: building it costs four to eight times a verification.
 * Immutable and usable from many threads. Survives fork: a child parses it again from its
 * SubjectPublicKeyInfo, in its own context, at first use.
 */
typedef struct kvp_public_key kvp_public_key;
kvp_status kvp_public_key_from_rsa(const void *n, size_t n_len, const void *e, size_t e_len,
                                   kvp_public_key **ret, kvp_error *reterr);
/** @x, @y: coordinate_len bytes each. A point that is not on the curve is KVP_ERR_PARSE. */
kvp_status kvp_public_key_from_ec(kvp_curve curve, const void *x, const void *y,
                                  kvp_public_key **ret, kvp_error *reterr);
/** From a bundle of kty RSA or EC. */
kvp_status kvp_public_key_from_key(const kvp_key *key, kvp_public_key **ret, kvp_error *reterr);
void kvp_public_key_free(kvp_public_key *key);
KVP_DEFINE_FREEP(kvp_public_key, kvp_public_key_free);
/** Borrowed DER of the SubjectPublicKeyInfo (CKA_PUBLIC_KEY_INFO). */
const kvp_buf *kvp_public_key_spki(const kvp_public_key *key);
kvp_kty kvp_public_key_type(const kvp_public_key *key);
/** Modulus bits or curve bits. */
unsigned kvp_public_key_bits(const kvp_public_key *key);
/** Bytes of a signature: the modulus, or twice the coordinate. */
size_t kvp_public_key_signature_len(const kvp_public_key *key);

/** CKA_EC_POINT: DER OCTET STRING around 04 || x || y. */
kvp_status kvp_ec_point_encode(kvp_curve curve, const void *x, const void *y, kvp_buf *ret);
/**
 * The reverse; also takes the bare 04 || x || y that some applications pass. Outputs point into
 * @der.
 */
kvp_status kvp_ec_point_decode(kvp_curve curve, const void *der, size_t len, const uint8_t **ret_x,
                               const uint8_t **ret_y);

/*
 * Verification: KVP_OK, KVP_ERR_MISMATCH for a wrong signature, KVP_ERR_INVALID for a wrong length.
 */
/**
 * PKCS#1 v1.5: what is inside the padding must be exactly @expected (a DigestInfo, or any bytes:
 * RSA_PKCS).
 */
kvp_status kvp_rsa_verify_pkcs1(const kvp_public_key *key, const void *expected,
                                size_t expected_len, const void *sig, size_t sig_len,
                                kvp_error *reterr);
/** PKCS#1 v1.5 recover: the bytes inside the padding (C_VerifyRecover). */
kvp_status kvp_rsa_recover_pkcs1(const kvp_public_key *key, const void *sig, size_t sig_len,
                                 kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_rsa_verify_pss(const kvp_public_key *key, kvp_hash hash, kvp_hash mgf,
                              size_t salt_len, const uint8_t *digest, const void *sig,
                              size_t sig_len, kvp_error *reterr);
/** @sig is r || s; @digest any length, cut to the order's leftmost bits as ECDSA defines. */
kvp_status kvp_ecdsa_verify(const kvp_public_key *key, const void *digest, size_t digest_len,
                            const void *sig, size_t sig_len, kvp_error *reterr);
/*
 * Encryption with the public key; the ciphertext has the modulus' length. KVP_ERR_TOO_LARGE for
 * long input.
 */
kvp_status kvp_rsa_encrypt_pkcs1(const kvp_public_key *key, const void *data, size_t len,
                                 kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_rsa_encrypt_oaep(const kvp_public_key *key, kvp_hash hash, kvp_hash mgf,
                                const void *label, size_t label_len, const void *data, size_t len,
                                kvp_buf *ret, kvp_error *reterr);

/* ---- private parts that an application brings for import ---- */
/**
 * Complete an RSA key: @key has n and e, @parts d and any of the rest; all of @parts is filled
 * then, d to the modulus' length. KVP_ERR_PARSE: no RSA key, or parts of different ones.
 */
kvp_status kvp_rsa_complete(const kvp_key *key, kvp_private_parts *parts, kvp_error *reterr);
/**
 * Complete an EC key: @key has its curve, @parts d; x and y are computed, and d gets its full
 * width. KVP_ERR_PARSE: d is not between 1 and the order.
 */
kvp_status kvp_ec_complete(kvp_key *key, kvp_private_parts *parts, kvp_error *reterr);

/* ---- check values ---- */
#define KVP_CHECK_VALUE_LEN 3
/** CKA_CHECK_VALUE of a secret key: by its cipher (@aes), else by SHA-1. */
kvp_status kvp_check_value(bool aes, const void *key, size_t len, uint8_t ret[KVP_CHECK_VALUE_LEN]);

/* ---- random ---- */
kvp_status kvp_random(void *ret, size_t len);
/** Mix @seed into the generator behind kvp_random; KVP_ERR_UNSUPPORTED where it cannot be reached.
 */
kvp_status kvp_random_seed(const void *seed, size_t len);
/** A version 4 UUID in lower case: 36 characters and NUL. */
kvp_status kvp_random_uuid(char ret[37]);

#endif
