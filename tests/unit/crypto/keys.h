/* SPDX-License-Identifier: MIT */
/* Private keys made by OpenSSL for the tests of the crypto room, and their public numbers. */
#ifndef KVP_TESTS_CRYPTO_KEYS_H
#define KVP_TESTS_CRYPTO_KEYS_H

#include "crypto/crypto.h"

#include <openssl/evp.h>

typedef struct test_key {
    EVP_PKEY *pkey;
    kvp_curve curve;   /**< KVP_CURVE_NONE: RSA */
    unsigned bits;
    uint8_t n[512], e[8], x[66], y[66];
    size_t n_len, e_len;
} test_key;

#define TEST_RSA_COUNT 3

/** RSA keys of 2048, 3072 and 4096 bits; EC keys by curve. Made by test_keys_make, once. */
extern test_key test_rsa_keys[TEST_RSA_COUNT];
extern test_key test_ec_keys[KVP_CURVE_COUNT];

/** Make all keys in the default context; call from main, before Check forks. */
void test_keys_make(void);
void test_keys_free(void);

/** The public key of our room for @key; asserts success. */
kvp_public_key *test_key_public(const test_key *key);

/** ECDSA over @digest as r || s (2 * coordinate_len bytes in @ret). */
void test_ecdsa_sign(const test_key *key, const void *digest, size_t len, uint8_t *ret);

/**
 * RSA over @data: PKCS#1 v1.5 around bare bytes when @hash is none, else PSS. Returns the length.
 */
size_t test_rsa_sign(const test_key *key, kvp_hash hash, kvp_hash mgf, int salt_len,
                     const void *data, size_t len, uint8_t *ret);

/** Assert that @cipher is @want, encrypted to @key. @hash none: PKCS#1 v1.5; else OAEP. */
void test_rsa_assert_decrypts(const test_key *key, kvp_hash hash, kvp_hash mgf, const char *label,
                              const kvp_buf *cipher, const void *want, size_t want_len);

#endif
