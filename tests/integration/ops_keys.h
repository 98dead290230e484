/* SPDX-License-Identifier: MIT */
/*
 * Keys for the tests of operations: made by OpenSSL and imported into keyvaultd, so that each
 * result of the module can be checked, and each input made, by something else than the module.
 */
#ifndef KVP_TESTS_OPS_KEYS_H
#define KVP_TESTS_OPS_KEYS_H

#include "support/module.h"

#include <openssl/evp.h>

typedef struct ops_key {
    const char *name;
    unsigned rsa_bits;   /**< 0: EC */
    const char *curve;   /**< JWK */
    const char *group;   /**< OpenSSL */
    unsigned coordinate; /**< bytes of x, y, r, s */
    unsigned cut;   /**< bytes of a digest that ECDSA's order leaves, as the service takes them */
    EVP_PKEY *pkey; /**< the whole pair */
} ops_key;
extern ops_key ops_keys[];
extern const size_t ops_key_count;

/** Make and import them; before any test is forked. */
void ops_keys_import(void);
/** An oct key of @len bytes at @value, in a Managed HSM. */
void ops_secret_import(const char *name, const unsigned char *value, size_t len);
/** An object of the session: a secret key of @type with this value, which may be read. */
CK_OBJECT_HANDLE ops_session_secret(CK_KEY_TYPE type, unsigned char *value, size_t len);

/** Handles of the key's objects. */
CK_OBJECT_HANDLE ops_private(const ops_key *key);
CK_OBJECT_HANDLE ops_public(const ops_key *key);
/** The public key as the token's attributes tell it. To be freed. */
EVP_PKEY *ops_public_from_token(const ops_key *key);

/** A mechanism, and how OpenSSL does the same. */
typedef struct ops_mechanism {
    CK_MECHANISM_TYPE type;
    void *parameter;
    CK_ULONG parameter_len;
    bool rsa;
    const char *hash;    /**< the module hashes the data; NULL: it takes a digest */
    const char *padding; /**< `raw` (bytes as they are), `pkcs1`, `pss`, `ecdsa` */
    const char *pss_hash;
} ops_mechanism;
extern const ops_mechanism ops_sign_mechanisms[];
extern const size_t ops_sign_mechanism_count;
/** Whether @mechanism goes with @key. */
bool ops_fits(const ops_mechanism *mechanism, const ops_key *key);
CK_MECHANISM ops_ck(const ops_mechanism *mechanism);
/** Data of a length that the mechanism takes, the same at each call: its length. */
size_t ops_data(const ops_mechanism *mechanism, unsigned char ret[300]);

/** OpenSSL's verdict on a signature of the module's, with @pkey. */
bool ops_openssl_verifies(EVP_PKEY *pkey, const ops_key *key, const ops_mechanism *mechanism,
                          const unsigned char *data, size_t len, const unsigned char *sig,
                          size_t sig_len);
/** A signature of OpenSSL's in the module's form; its length. */
size_t ops_openssl_signs(const ops_key *key, const ops_mechanism *mechanism,
                         const unsigned char *data, size_t len, unsigned char ret[1024]);

#endif
