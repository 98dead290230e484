/* SPDX-License-Identifier: MIT */
/*
 * The Key Vault client: one function a REST operation, typed in and out. No JSON and no HTTP above
 * it, no CK_ types in it. Each call is one request on a warm connection with a warm token; a 401
 * drops the token and is tried once more. Every function blocks for at most the vault's timeout,
 * expects no lock held, and is thread-safe.
 */
#ifndef KVP_VAULT_VAULT_H
#define KVP_VAULT_VAULT_H

#include "auth/auth.h"
#include "base/error.h"
#include "http/http.h"
#include "jwk/jwk.h"

typedef struct kvp_vault kvp_vault;

typedef struct kvp_vault_options {
    const char *url;              /**< `https://contoso.vault.azure.net`, any port, no path */
    const char *api_version;      /**< `7.4` */
    const char *authority;        /**< configured authority, or NULL: from the challenge */
    const char *tenant;           /**< or NULL */
    const char *ca_file;          /**< or NULL */
    unsigned max_connections;
    int64_t timeout_ms;           /**< one operation, retries included */
} kvp_vault_options;

/** Takes @identity. No I/O. */
kvp_status kvp_vault_new(const kvp_vault_options *options, kvp_identity *identity, kvp_vault **ret,
                         kvp_error *reterr);
void kvp_vault_free(kvp_vault *vault);
KVP_DEFINE_FREEP(kvp_vault, kvp_vault_free);
const char *kvp_vault_url(const kvp_vault *vault);

/**
 * How a call went, for the audit record: filled on success and on failure. May be NULL.
 * request_id is that of the last answer; client_request_id was sent with each attempt.
 */
typedef struct kvp_trace {
    int http_status;              /**< 0: no request was sent, or none answered */
    unsigned attempts;
    char client_request_id[37];
    char request_id[64];
    char object_id[256];          /**< full identifier with version that the service named (kid), "" if none */
} kvp_trace;

/* ---- reading: keys, certificates and secrets alike ---- */
/**
 * One bundle; @version NULL or "": the current one. @ret is a kvp_key, kvp_certificate or
 * kvp_secret as @collection says. Reading a secret brings its value.
 */
kvp_status kvp_vault_get(kvp_vault *vault, kvp_collection collection, const char *name,
                         const char *version, kvp_trace *trace, kvp_entry **ret,
                         kvp_error *reterr);
kvp_status kvp_vault_certificate_get(kvp_vault *vault, const char *name, const char *version,
                                     kvp_trace *trace, kvp_certificate **ret, kvp_error *reterr);
kvp_status kvp_vault_secret_get(kvp_vault *vault, const char *name, const char *version,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr);

/** One of several bundles that are read in parallel. */
typedef struct kvp_vault_read {
    kvp_collection collection;
    const char *name, *version; /**< version NULL or "": the current one */
    kvp_entry *result;          /**< new, or NULL where it is gone, not ours to read or failed */
} kvp_vault_read;
/** Read them in parallel. The first failure that concerns the vault as a whole (network, token) is
 *  the result; all of @reads are then without one. */
kvp_status kvp_vault_get_many(kvp_vault *vault, kvp_vault_read *reads, size_t count,
                              kvp_trace *trace, kvp_error *reterr);

/** All pages of a collection; items have no material and no version. */
kvp_status kvp_vault_list(kvp_vault *vault, kvp_collection collection, kvp_trace *trace,
                          kvp_entry_list *ret, kvp_error *reterr);
/** All versions of a name; empty where there is none. */
kvp_status kvp_vault_versions(kvp_vault *vault, kvp_collection collection, const char *name,
                              kvp_trace *trace, kvp_entry_list *ret, kvp_error *reterr);

/** One of several lists that are read in parallel. */
typedef struct kvp_vault_listing {
    kvp_collection collection;
    const char *versions_of;  /**< NULL: current versions; else all versions of this name */
    kvp_entry_list list;      /**< zeroed before, cleared by the caller */
    int refused;              /**< 403 or 404 when the vault refused this list; else 0 */
    kvp_error error;          /**< then: what it said */
} kvp_vault_listing;
/**
 * Read whole lists at once. A list that is refused (403), or that the service does not have (404),
 * is marked and empty; any other failure is that of the call.
 */
kvp_status kvp_vault_list_many(kvp_vault *vault, kvp_vault_listing *listings, size_t count,
                               kvp_trace *trace, kvp_error *reterr);

/* ---- keys ---- */
/** @version NULL or "": the current one. */
kvp_status kvp_vault_key_get(kvp_vault *vault, const char *name, const char *version,
                             kvp_trace *trace, kvp_key **ret, kvp_error *reterr);
kvp_status kvp_vault_key_create(kvp_vault *vault, const char *name, const kvp_key_create *create,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr);

/* ---- algorithms: a row each in algorithm_table.c ---- */
typedef enum kvp_alg {
    KVP_ALG_NONE,
    KVP_ALG_RS256, KVP_ALG_RS384, KVP_ALG_RS512, KVP_ALG_RSNULL,
    KVP_ALG_PS256, KVP_ALG_PS384, KVP_ALG_PS512,
    KVP_ALG_ES256, KVP_ALG_ES384, KVP_ALG_ES512, KVP_ALG_ES256K,
    KVP_ALG_HS256, KVP_ALG_HS384, KVP_ALG_HS512,
    KVP_ALG_RSA1_5, KVP_ALG_RSA_OAEP, KVP_ALG_RSA_OAEP_256,
    KVP_ALG_A128CBC, KVP_ALG_A192CBC, KVP_ALG_A256CBC,
    KVP_ALG_A128CBCPAD, KVP_ALG_A192CBCPAD, KVP_ALG_A256CBCPAD,
    KVP_ALG_A128GCM, KVP_ALG_A192GCM, KVP_ALG_A256GCM,
    KVP_ALG_A128KW, KVP_ALG_A192KW, KVP_ALG_A256KW,
    KVP_ALG_AES_KEY_WRAP, KVP_ALG_AES_KEY_WRAP_PAD,
    KVP_ALG_COUNT
} kvp_alg;
/** `RS256`; "" for KVP_ALG_NONE. */
const char *kvp_alg_name(kvp_alg alg);
/** Bytes that sign takes as value (32 for RS256, ES256, ES256K); 0 where any length goes. */
size_t kvp_alg_digest_len(kvp_alg alg);

/* ---- use of a key; @version must be the pinned one ---- */
/** @ret_sig: the signature, raw r || s for EC, modulus length for RSA. */
kvp_status kvp_vault_sign(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                          const void *value, size_t len, kvp_trace *trace, kvp_buf *ret_sig,
                          kvp_error *reterr);
/** The service's own verification (symmetric keys). KVP_OK, or KVP_ERR_MISMATCH. */
kvp_status kvp_vault_verify(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                            const void *digest, size_t len, const void *sig, size_t sig_len,
                            kvp_trace *trace, kvp_error *reterr);
/** encrypt, decrypt, wrapKey, unwrapKey. */
typedef enum kvp_crypt { KVP_CRYPT_ENCRYPT, KVP_CRYPT_DECRYPT, KVP_CRYPT_WRAP, KVP_CRYPT_UNWRAP } kvp_crypt;
/** @iv, @aad, @tag: NULL where the algorithm has none. @ret's value is secret for decrypt and unwrap. */
kvp_status kvp_vault_crypt(kvp_vault *vault, kvp_crypt what, const char *name, const char *version,
                           kvp_alg alg, const void *in, size_t in_len, const kvp_buf *iv,
                           const kvp_buf *aad, const kvp_buf *tag, kvp_trace *trace,
                           kvp_operation_result *ret, kvp_error *reterr);
/** Managed HSM: @len bytes (asked for in pieces of 128). */
kvp_status kvp_vault_random(kvp_vault *vault, void *ret, size_t len, kvp_trace *trace,
                            kvp_error *reterr);

/* ---- what the application brings, changes and deletes (import.c) ---- */
/** A new key, or a new version of the name: look first. */
kvp_status kvp_vault_key_import(kvp_vault *vault, const char *name, const kvp_key_import *import,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr);
/** A new secret, or a new version of the name: look first. The answer has the value. */
kvp_status kvp_vault_secret_set(kvp_vault *vault, const char *name, const kvp_secret_set *set,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr);
/** A certificate and its key: a PFX, or PEM. A new version of a name that lives. */
kvp_status kvp_vault_certificate_import(kvp_vault *vault, const char *name,
                                        const kvp_certificate_import *import, kvp_trace *trace,
                                        kvp_certificate **ret, kvp_error *reterr);
/** Give the pending operation of @name its certificate. */
kvp_status kvp_vault_certificate_merge(kvp_vault *vault, const char *name,
                                       const kvp_certificate_merge *merge, kvp_trace *trace,
                                       kvp_certificate **ret, kvp_error *reterr);
/** The operation of @name; 404 when there is none. */
kvp_status kvp_vault_certificate_pending(kvp_vault *vault, const char *name, kvp_trace *trace,
                                         kvp_certificate_pending *ret, kvp_error *reterr);
/**
 * Change tags, dates and `enabled` of an entry; set_ops is for keys alone. @version NULL or "": the
 * current one. The answer has no value of a secret.
 */
kvp_status kvp_vault_update(kvp_vault *vault, kvp_collection collection, const char *name,
                            const char *version, const kvp_key_update *update, kvp_trace *trace,
                            kvp_entry **ret, kvp_error *reterr);
/** Soft delete of the name with all its versions; a certificate takes its key and secret along. */
kvp_status kvp_vault_delete(kvp_vault *vault, kvp_collection collection, const char *name,
                            kvp_trace *trace, kvp_error *reterr);

#endif
