/* SPDX-License-Identifier: MIT */
/*
 * Keys whose private half, or the whole of them when they are symmetric, lives in a PKCS#11 token:
 * made or imported there, never read back. What the store keeps of such a key is its CKA_ID. The
 * rest of the daemon meets these keys as engine keys whose `in_token` is set; public operations are
 * done by OpenSSL, private ones here.
 *
 * All functions may be called from any thread; they wait for the token, and for a session when all
 * of a small pool are in use.
 */
#ifndef KVP_VAULTD_TOKEN_HSM_H
#define KVP_VAULTD_TOKEN_HSM_H

#include "vaultd/engine.h"

typedef struct kvp_token kvp_token;
typedef struct kvp_token_key kvp_token_key;

/**
 * Load @module, log in to the token labelled @label (NULL: the only one) with the PIN that
 * @pin_file begins with. KVP_ERR_IO names what failed. A module is opened once in a process.
 */
kvp_status kvp_token_open(const char *module, const char *pin_file, const char *label,
                          kvp_token **ret_token, kvp_error *reterr);
/** No key of the token may be in use any more. Accepts NULL. */
void kvp_token_close(kvp_token *token);

/** New keys in the token; sizes and curves as for the engine's own. */
kvp_status kvp_token_generate_rsa(kvp_token *token, unsigned bits, unsigned exponent,
                                  kvp_engine_key **ret_key, kvp_error *reterr);
kvp_status kvp_token_generate_ec(kvp_token *token, const kvp_engine_curve *curve,
                                 kvp_engine_key **ret_key, kvp_error *reterr);
/**
 * A symmetric key. One of 256 bits is for AES and for HMAC and therefore two objects: it is made as
 * a key of a session, and both are unwrapped from it inside the token, so that its value is never
 * seen outside.
 */
kvp_status kvp_token_generate_oct(kvp_token *token, unsigned bits, kvp_engine_key **ret_key,
                                  kvp_error *reterr);
/** @pattern's kind, size, curve and exponent again, in @pattern's token. */
kvp_status kvp_token_generate_like(const kvp_engine_key *pattern, kvp_engine_key **ret_key,
                                   kvp_error *reterr);
/** Move a copy of a software key into the token. */
kvp_status kvp_token_import(kvp_token *token, const kvp_engine_key *key, kvp_engine_key **ret_key,
                            kvp_error *reterr);

/** What the store keeps, appended to @ret, and whether stored bytes are of that sort. */
kvp_status kvp_token_save(const kvp_token_key *in_token, kvp_buf *ret);
bool kvp_token_is_reference(const void *data, size_t len);
/** The key of a reference. KVP_ERR_NOT_FOUND: the token has it no more. @token NULL:
 * KVP_ERR_CONFIG. */
kvp_status kvp_token_load(kvp_token *token, kvp_engine_kind kind, const void *data, size_t len,
                          kvp_engine_key **ret_key, kvp_error *reterr);
/** Frees what an engine key remembers; the objects in the token stay. */
void kvp_token_key_free(kvp_token_key *in_token);
/** Destroy the objects that a reference names, for good; having none is KVP_OK. */
kvp_status kvp_token_destroy(kvp_token *token, const void *data, size_t len, kvp_error *reterr);
/** The same for a key that was made or moved here and shall not be kept after all. */
void kvp_token_discard(const kvp_engine_key *key);

/** As kvp_engine_sign and kvp_engine_decrypt, for RSA and EC keys with `in_token`. */
kvp_status kvp_token_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_token_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                             size_t len, kvp_buf *ret, kvp_error *reterr);

/**
 * The engine's AES and HMAC for keys with `in_token`; lengths were checked by the caller. CBC pads
 * (PKCS#7) when @pad. GCM's @iv has 12 bytes, its
 * @tag 16. Key wrap is built from the token's AES-ECB, whatever it calls its own wrapping
 * mechanisms: those take keys of the token, not values.
 */
kvp_status kvp_token_cbc(const kvp_engine_key *key, bool pad, const uint8_t *iv, bool encrypt,
                         const void *value, size_t len, kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_token_gcm_encrypt(const kvp_engine_key *key, const uint8_t *iv, const kvp_buf *aad,
                                 const void *value, size_t len, uint8_t *tag, kvp_buf *ret,
                                 kvp_error *reterr);
kvp_status kvp_token_gcm_decrypt(const kvp_engine_key *key, const uint8_t *iv, const kvp_buf *aad,
                                 const void *value, size_t len, const uint8_t *tag, kvp_buf *ret,
                                 kvp_error *reterr);
/** RFC 3394, or RFC 5649 when @pad. */
kvp_status kvp_token_wrap(const kvp_engine_key *key, bool pad, const void *value, size_t len,
                          kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_token_unwrap(const kvp_engine_key *key, bool pad, const void *value, size_t len,
                            kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_token_hmac(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_buf *ret, kvp_error *reterr);

#endif
