/* SPDX-License-Identifier: MIT */
/*
 * Documents of the Key Vault REST API as typed values: key bundles and list items, operation
 * results, error bodies. JSON stops here; rooms above see these structs only. Wire names are kept
 * (kid, kty, key_ops) inside this room. Reference: wire reference sections 3 to 5 and 9; RFC 7517.
 */
#ifndef KVP_JWK_JWK_H
#define KVP_JWK_JWK_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum kvp_kty { KVP_KTY_UNKNOWN, KVP_KTY_RSA, KVP_KTY_EC, KVP_KTY_OCT } kvp_kty;

typedef enum kvp_curve {
    KVP_CURVE_NONE,
    KVP_CURVE_P256,
    KVP_CURVE_P384,
    KVP_CURVE_P521,
    KVP_CURVE_P256K,
    KVP_CURVE_COUNT
} kvp_curve;

/** A row a curve; kvp_curves[KVP_CURVE_P256] is that of P-256. */
typedef struct kvp_curve_info {
    const char *jwk_name;      /**< `P-256K` */
    const char *openssl_name;  /**< `secp256k1` */
    unsigned bits;             /**< of the order: 256, 384, 521 */
    unsigned coordinate_len;   /**< bytes of x, y, r, s: 32, 48, 66 */
    uint8_t oid_der[12];       /**< CKA_EC_PARAMS: DER of the named-curve OBJECT IDENTIFIER */
    unsigned oid_der_len;
} kvp_curve_info;
extern const kvp_curve_info kvp_curves[KVP_CURVE_COUNT];

kvp_curve kvp_curve_from_jwk_name(const char *name);
/** The curve whose oid_der is @der; KVP_CURVE_NONE for others. */
kvp_curve kvp_curve_from_oid(const void *der, size_t len);

/** `key_ops` as bits; operations we do not know are ignored (a Managed HSM may send some). */
enum {
    KVP_OP_SIGN = 1 << 0,
    KVP_OP_VERIFY = 1 << 1,
    KVP_OP_ENCRYPT = 1 << 2,
    KVP_OP_DECRYPT = 1 << 3,
    KVP_OP_WRAP = 1 << 4,
    KVP_OP_UNWRAP = 1 << 5,
    KVP_OP_IMPORT = 1 << 6,
    KVP_OP_DERIVE = 1 << 7,
    KVP_OP_EXPORT = 1 << 8,
};

typedef struct kvp_tag {
    char *name;
    char *value;
} kvp_tag;

typedef struct kvp_attributes {
    bool enabled;
    int64_t not_before, expires, created, updated; /**< Unix seconds; 0 = absent */
    bool exportable;
    int hsm_platform;          /**< -1 = absent */
    char recovery_level[48];   /**< "" = absent */
} kvp_attributes;

/** The collections of a vault, and what an entry is one of. */
typedef enum kvp_collection {
    KVP_KEYS,
    KVP_CERTIFICATES,
    KVP_SECRETS,
    KVP_COLLECTION_COUNT
} kvp_collection;
/** `keys`, as addresses have it. */
const char *kvp_collection_name(kvp_collection collection);

/**
 * What keys, certificates and secrets share; their structs begin with it, so that each of them can
 * be used as a kvp_entry, and a kvp_entry be cast to what its collection says.
 */
#define KVP_ENTRY_MEMBERS                                                                          \
    kvp_collection collection;                                                                     \
    char *id;      /**< the full identifier as the service wrote it (`kid`, `id`) */               \
    char *name;                                                                                    \
    char *version; /**< "" if the identifier has none: in a list of current versions */           \
    kvp_attributes attributes;                                                                     \
    bool managed;  /**< the key or secret of a certificate */                                      \
    kvp_tag *tags;                                                                                 \
    size_t tag_count
typedef struct kvp_entry {
    KVP_ENTRY_MEMBERS;
} kvp_entry;

/** Free a key, certificate or secret. */
void kvp_entry_free(kvp_entry *entry);
KVP_DEFINE_FREEP(kvp_entry, kvp_entry_free);
/** The value of tag @name, borrowed, or NULL. */
const char *kvp_entry_tag(const kvp_entry *entry, const char *name);

/** Owned array of owned entries. */
typedef struct kvp_entry_list {
    kvp_entry **items;
    size_t count, size;
} kvp_entry_list;
void kvp_entry_list_clear(kvp_entry_list *list);
/** Takes @entry (also frees it on failure). */
kvp_status kvp_entry_list_take(kvp_entry_list *list, kvp_entry *entry) KVP_WARN_UNUSED;

/**
 * A key bundle, or an item of a key list. From a list @has_material is false: kty, ops, numbers and
 * (in a list of keys) the version are then unknown.
 */
typedef struct kvp_key {
    union {
        kvp_entry entry;
        struct {
            KVP_ENTRY_MEMBERS;
        };
    };
    bool has_material;
    kvp_kty kty;
    bool hsm;                  /**< kty ended in -HSM */
    uint32_t ops;              /**< KVP_OP_ bits */
    kvp_buf n, e;              /**< RSA, big-endian, leading zeros stripped */
    kvp_curve curve;
    kvp_buf x, y;              /**< EC, exactly coordinate_len bytes */
    unsigned key_bits;         /**< modulus bits, curve bits; oct: 0 unless the service said */
} kvp_key;

void kvp_key_free(kvp_key *key);
KVP_DEFINE_FREEP(kvp_key, kvp_key_free);
kvp_key *kvp_key_copy(const kvp_key *key) KVP_WARN_UNUSED;
/** kvp_entry_tag for a key. */
const char *kvp_key_tag(const kvp_key *key, const char *name);

/** A certificate bundle, or an item of a list: then without @der and what follows it. */
typedef struct kvp_certificate {
    union {
        kvp_entry entry;
        struct {
            KVP_ENTRY_MEMBERS;
        };
    };
    kvp_buf der;               /**< `cer`; empty: not known, or the certificate is still pending */
    char *key_id, *secret_id;  /**< `kid` and `sid`, or NULL */
    bool has_policy;           /**< the answer had one: that of a current version */
    bool exportable;           /**< the policy's word on the key; true while there is none */
    int64_t policy_updated;    /**< Unix seconds; 0 = absent: when it was last changed */
} kvp_certificate;
void kvp_certificate_free(kvp_certificate *certificate);
KVP_DEFINE_FREEP(kvp_certificate, kvp_certificate_free);

/** A secret bundle, or an item of a list: then without @value. */
typedef struct kvp_secret {
    union {
        kvp_entry entry;
        struct {
            KVP_ENTRY_MEMBERS;
        };
    };
    char *content_type;        /**< NULL if it has none */
    bool has_value;
    kvp_buf value;             /**< a secret buffer: the text, as it is */
    char *key_id;              /**< of a certificate's secret: `kid`; else NULL */
} kvp_secret;
void kvp_secret_free(kvp_secret *secret);
KVP_DEFINE_FREEP(kvp_secret, kvp_secret_free);

/**
 * Parse a key bundle (`{"key":{…},"attributes":{…},…}`).
 * KVP_ERR_PARSE names the member that is missing, of the wrong type or out of range (a modulus of
 * less than 1024 or more than 16384 bits, a coordinate that is wider than the curve, a kid that is
 * no key identifier). Unknown members, kty and curves are accepted (kty KVP_KTY_UNKNOWN).
 */
kvp_status kvp_jwk_parse_key(const char *json, size_t len, kvp_key **ret_key, kvp_error *reterr);

/** Parse a certificate bundle. KVP_ERR_PARSE names the member that is wrong. */
kvp_status kvp_jwk_parse_certificate(const char *json, size_t len, kvp_certificate **ret,
                                     kvp_error *reterr);
/** Parse a secret bundle; the document's copy of the value is wiped. */
kvp_status kvp_jwk_parse_secret(const char *json, size_t len, kvp_secret **ret, kvp_error *reterr);
/** Parse a bundle of @collection. */
kvp_status kvp_jwk_parse_entry(kvp_collection collection, const char *json, size_t len,
                               kvp_entry **ret, kvp_error *reterr);

/**
 * Parse one list page of @collection: append its items to @list; @ret_next_link is new (kvp_free),
 * NULL on the last page.
 */
kvp_status kvp_jwk_parse_page(kvp_collection collection, const char *json, size_t len,
                              kvp_entry_list *list, char **ret_next_link, kvp_error *reterr);

/** What crypto operations answer; members the service left out are empty. */
typedef struct kvp_operation_result {
    char *kid;
    kvp_buf value;             /**< signature, ciphertext, plaintext (a secret buffer) */
    kvp_buf iv, tag;
} kvp_operation_result;
void kvp_operation_result_clear(kvp_operation_result *result);
kvp_status kvp_jwk_parse_operation(const char *json, size_t len, kvp_operation_result *ret,
                                   kvp_error *reterr);
/** The answer of verify, `{"value":true}`. */
kvp_status kvp_jwk_parse_verify(const char *json, size_t len, bool *ret_valid, kvp_error *reterr);

/** What a token endpoint or an instance metadata service answers; numbers are -1 where it said nothing. */
typedef struct kvp_token_response {
    kvp_buf access_token;      /**< secret; only characters of RFC 6750's b64token */
    int64_t expires_in;        /**< seconds from now */
    int64_t expires_on;        /**< Unix seconds */
    int64_t refresh_in;        /**< seconds from now after which a new one should be fetched */
} kvp_token_response;
void kvp_token_response_clear(kvp_token_response *response);
kvp_status kvp_jwk_parse_token(const char *json, size_t len, kvp_token_response *ret,
                               kvp_error *reterr);

/**
 * Fill @reterr's code, inner_code and message from an error body (wire reference, section 9), or
 * from the token endpoint's (`error`, `error_description`). Never fails: what is no JSON leaves the
 * first printable bytes as message. Leaves status, http_status and request_id alone.
 */
void kvp_jwk_parse_error(const char *body, size_t len, kvp_error *reterr);

/** Split `https://HOST[:PORT]/keys/NAME[/VERSION]`; outputs are new strings. @collection is "keys", "secrets"… */
kvp_status kvp_jwk_split_id(const char *id, const char *collection, char **ret_name,
                            char **ret_version, kvp_error *reterr);

/**
 * Request bodies. Each appends JSON to @ret, which should be secret where the input is.
 * KVP_ERR_INVALID for what cannot be written (a kty we do not know, a tag that is no UTF-8),
 * KVP_ERR_NO_MEMORY, KVP_ERR_TOO_LARGE; @ret is as before then.
 */
typedef struct kvp_key_create {
    kvp_kty kty;
    bool hsm;
    unsigned key_bits;         /**< RSA, oct; 0 leaves it to the service */
    kvp_curve curve;
    uint32_t ops;              /**< 0 leaves them to the service */
    const kvp_tag *tags;
    size_t tag_count;
    int64_t not_before, expires; /**< 0 = absent */
} kvp_key_create;
kvp_status kvp_jwk_format_create(const kvp_key_create *create, kvp_buf *ret);

/** A change to a key; members whose flag is false stay as they are. */
typedef struct kvp_key_update {
    bool set_ops, set_enabled, set_not_before, set_expires, set_tags;
    uint32_t ops;
    bool enabled;
    int64_t not_before, expires;
    const kvp_tag *tags;
    size_t tag_count;
} kvp_key_update;
/** KVP_ERR_UNSUPPORTED: a date of 0, for the service has no way to take a date off a key. */
kvp_status kvp_jwk_format_update(const kvp_key_update *update, kvp_buf *ret);

/**
 * The private half of a key that is to be imported, all secret buffers: RSA d, p, q, dp, dq, qi; EC
 * d (coordinate_len bytes); oct k. Big-endian. Never in anything that the vault answers.
 */
typedef struct kvp_private_parts {
    kvp_buf d, p, q, dp, dq, qi, k;
} kvp_private_parts;
#define KVP_PRIVATE_PARTS_INIT                                                                     \
    { KVP_BUF_INIT_SECRET(0), KVP_BUF_INIT_SECRET(0), KVP_BUF_INIT_SECRET(0),                      \
      KVP_BUF_INIT_SECRET(0), KVP_BUF_INIT_SECRET(0), KVP_BUF_INIT_SECRET(0),                      \
      KVP_BUF_INIT_SECRET(0) }
void kvp_private_parts_clear(kvp_private_parts *parts);

typedef struct kvp_key_import {
    const kvp_key *key; /**< kty, numbers, ops (0 leaves them to the service), dates, tags */
    const kvp_private_parts *parts;
    bool hsm;
} kvp_key_import;
/**
 * @ret must be a secret buffer. KVP_ERR_INVALID also for a part that is missing, or for numbers
 * that do not fit the curve.
 */
kvp_status kvp_jwk_format_import(const kvp_key_import *import, kvp_buf *ret);

/** A new secret, or a new version of one. @value is UTF-8 and secret. */
typedef struct kvp_secret_set {
    const char *value;
    size_t value_len;
    const char *content_type;    /**< NULL: none */
    const kvp_tag *tags;
    size_t tag_count;
    int64_t not_before, expires; /**< 0 = absent */
} kvp_secret_set;
/** @ret must be a secret buffer. KVP_ERR_INVALID: the value or a tag is no UTF-8. */
kvp_status kvp_jwk_format_secret(const kvp_secret_set *set, kvp_buf *ret);

/** A certificate and its key. */
typedef struct kvp_certificate_import {
    const char *value;    /**< base64 of a PFX, or PEM text of PKCS#8 key and certificates; secret */
    size_t value_len;
    const char *password; /**< of the PFX, or NULL */
    bool pem;             /**< what @value is: the policy's content type */
    bool exportable;      /**< whether the key can be read back from the secret behind it */
    const kvp_tag *tags;
    size_t tag_count;
} kvp_certificate_import;
kvp_status kvp_jwk_format_certificate_import(const kvp_certificate_import *import, kvp_buf *ret);

/** What finishes a certificate operation: the leaf, then its issuers, each DER. */
typedef struct kvp_certificate_merge {
    const kvp_buf *chain;
    size_t count;
    const kvp_tag *tags;
    size_t tag_count;
} kvp_certificate_merge;
kvp_status kvp_jwk_format_merge(const kvp_certificate_merge *merge, kvp_buf *ret);

/** The operation behind a certificate that is being made. */
typedef struct kvp_certificate_pending {
    bool in_progress; /**< it waits for its certificate */
    kvp_buf csr;      /**< DER of the PKCS#10 request; empty where the service gave none */
} kvp_certificate_pending;
void kvp_certificate_pending_clear(kvp_certificate_pending *pending);
kvp_status kvp_jwk_parse_pending(const char *json, size_t len, kvp_certificate_pending *ret,
                                 kvp_error *reterr);

/** `{"alg":…,"value":…[,"iv","aad","tag"]}`; @iv, @aad, @tag may be NULL. */
kvp_status kvp_jwk_format_operation(const char *alg, const void *value, size_t value_len,
                                    const kvp_buf *iv, const kvp_buf *aad, const kvp_buf *tag,
                                    kvp_buf *ret);
/** `{"alg":…,"digest":…,"value":SIGNATURE}` */
kvp_status kvp_jwk_format_verify(const char *alg, const void *digest, size_t digest_len,
                                 const void *sig, size_t sig_len, kvp_buf *ret);
/** `{"count":N}` of a Managed HSM's /rng. */
kvp_status kvp_jwk_format_random(unsigned count, kvp_buf *ret);

#endif
