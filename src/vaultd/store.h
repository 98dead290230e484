/* SPDX-License-Identifier: MIT */
/*
 * What the daemon remembers, in one SQLite file: vaults, principals with their roles and access
 * tokens, keys with their versions. Knows neither HTTP nor JSON documents (it keeps some JSON as
 * text) nor what a key can do; private material is sealed here and leaves only by
 * kvp_store_key_material.
 *
 * All functions may be called from any thread and block on the disk. The file is in WAL mode with
 * synchronous=FULL: what a call answered with KVP_OK survives SIGKILL and loss of power. Another
 * process (the admin sub-commands) may work on the same file at the same time.
 */
#ifndef KVP_VAULTD_STORE_H
#define KVP_VAULTD_STORE_H

#include "base/buf.h"
#include "base/error.h"
#include "vaultd/ident.h"
#include "vaultd/seal.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct kvp_store kvp_store;

typedef enum kvp_vault_kind {
    KVP_VAULT_STANDARD,
    KVP_VAULT_HSM,
    KVP_VAULT_KIND_COUNT
} kvp_vault_kind;
/** `vault`, `managed-hsm`, as the command line has them. */
extern const char *const kvp_vault_kind_names[KVP_VAULT_KIND_COUNT];

/**
 * Open @path, made with mode 0600 if missing, and bring its schema up to date.
 * KVP_ERR_IO names the file; a file of a newer program or of another one is refused.
 */
kvp_status kvp_store_open(const char *path, kvp_store **ret_store, kvp_error *reterr);
/** No call may be under way. Accepts NULL. */
void kvp_store_close(kvp_store *store);
KVP_DEFINE_FREEP(kvp_store, kvp_store_close);

/** The newest schema this program knows; a row of migrations each. */
extern const unsigned kvp_store_schema_version;

typedef struct kvp_vault_info {
    int64_t id;
    kvp_vault_kind kind;
    char name[25]; /**< 3 to 24 characters */
    char tenant[KVP_UUID_SIZE];
    char subscription[KVP_UUID_SIZE];
    char recovery_level[48];
    int recoverable_days;
} kvp_vault_info;

/**
 * Fill an empty store in one transaction: @info (its id is ignored), a check value sealed with
 * @seal, and the first principal. KVP_ERR_INVALID when the store is not empty.
 */
typedef struct kvp_principal kvp_principal;
kvp_status kvp_store_initialise(kvp_store *store, const kvp_seal *seal, const kvp_vault_info *info,
                                const kvp_principal *first, const char *const *roles,
                                kvp_error *reterr);
/** The default vault, the first; KVP_ERR_NOT_FOUND in a store that was never initialised. */
kvp_status kvp_store_vault(kvp_store *store, kvp_vault_info *ret_info, kvp_error *reterr);
/** By name, whatever its case; KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_vault_find(kvp_store *store, const char *name, kvp_vault_info *ret_info,
                                kvp_error *reterr);
/** All of them, the default first: an owned array (kvp_free). */
kvp_status kvp_store_vault_list(kvp_store *store, kvp_vault_info **ret_vaults, size_t *ret_count,
                                kvp_error *reterr);
/** Add a vault (its id is ignored) to an initialised store. KVP_ERR_INVALID: the name is taken. */
kvp_status kvp_store_vault_add(kvp_store *store, const kvp_vault_info *info, kvp_error *reterr);
/** Write the recovery level and days of @vault. */
kvp_status kvp_store_vault_set_recovery(kvp_store *store, const kvp_vault_info *vault,
                                        kvp_error *reterr);
/** Remove a vault with all it holds. KVP_ERR_NOT_FOUND; KVP_ERR_REFUSED: it is the default one. */
kvp_status kvp_store_vault_remove(kvp_store *store, const char *name, kvp_error *reterr);
/** Keys, secrets and the like in a vault, deleted ones included; roles and settings do not count.
 */
kvp_status kvp_store_vault_objects(kvp_store *store, const kvp_vault_info *vault,
                                   int64_t *ret_count, kvp_error *reterr);

/** Of the default vault: the daemon's own `https://HOST:PORT`. Not one of the service's settings.
 */
#define KVP_SETTING_URL "keyvaultd.url"
/** A setting of a vault into @ret (sized); KVP_ERR_NOT_FOUND while it was never set. */
kvp_status kvp_store_setting_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 char *ret, size_t size, kvp_error *reterr);
kvp_status kvp_store_setting_put(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 const char *value, kvp_error *reterr);
/** Take the storage key for use after checking that it is the one the store was made with. */
kvp_status kvp_store_unlock(kvp_store *store, const kvp_seal *seal, kvp_error *reterr);

/* --- principals ------------------------------------------------------------------------------ */

struct kvp_principal {
    int64_t id;
    char name[128];
    char client_id[KVP_UUID_SIZE];
    char object_id[KVP_UUID_SIZE];
    uint8_t secret_digest[32];
    int64_t created;
};

typedef struct kvp_assignment {
    char id[KVP_UUID_SIZE];
    char principal[KVP_UUID_SIZE]; /**< object id */
    char role[KVP_UUID_SIZE];      /**< role definition id */
    char scope[160];               /**< `/`: the whole vault; `/keys`; `/keys/NAME` */
} kvp_assignment;
#define KVP_ASSIGNMENTS_MAX 64 /**< of one principal in one vault */

/** How a principal proves itself by a signature instead of a secret. */
typedef struct kvp_credential {
    bool federated;   /**< else a certificate of its own */
    char issuer[512]; /**< federated: `iss`, `sub`, `aud` as the token must have them */
    char subject[512];
    char audience[256];
    char *keys; /**< owned: PEM certificate, PEM public key or JWKS */
} kvp_credential;

/**
 * Add with role definition ids @roles (ended by NULL) at @scope of @vault, and with @credentials
 * besides its secret; all of it or nothing. KVP_ERR_INVALID: the name is taken.
 */
kvp_status kvp_store_principal_add(kvp_store *store, const kvp_vault_info *vault,
                                   const kvp_principal *principal, const char *const *roles,
                                   const char *scope, const kvp_credential *credentials,
                                   size_t count, kvp_error *reterr);
/** By name or client id; its tokens and roles go with it. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_principal_remove(kvp_store *store, const char *name, kvp_error *reterr);
kvp_status kvp_store_principal_by_client(kvp_store *store, const char *client_id,
                                         kvp_principal *ret, kvp_error *reterr);
/** By name, client id or object id; without secret_digest. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_principal_find(kvp_store *store, const char *name, kvp_principal *ret,
                                    kvp_error *reterr);
/** Calls @fn for each principal, ordered by name. */
kvp_status kvp_store_principal_list(kvp_store *store,
                                    void (*fn)(void *arg, const kvp_principal *principal),
                                    void *arg, kvp_error *reterr);

/** One more for a principal that is there. */
kvp_status kvp_store_credential_add(kvp_store *store, int64_t principal,
                                    const kvp_credential *credential, kvp_error *reterr);
/** Those of a principal: an owned array, freed with kvp_store_credentials_free. */
kvp_status kvp_store_credential_list(kvp_store *store, int64_t principal,
                                     kvp_credential **ret_credentials, size_t *ret_count,
                                     kvp_error *reterr);
void kvp_store_credentials_free(kvp_credential *credentials, size_t count);
/**
 * Note that an assertion was used; @digest stands for it, until @expires (Unix seconds).
 * KVP_ERR_REFUSED: it was used before.
 */
kvp_status kvp_store_assertion_use(kvp_store *store, const uint8_t digest[32], int64_t expires,
                                   kvp_error *reterr);

/** Who a token stands for and what was granted, as of now. */
typedef struct kvp_grant {
    kvp_principal principal; /**< without secret_digest */
    char audience[256];
    int64_t expires_ms;
    size_t assignment_count;
    kvp_assignment assignments[KVP_ASSIGNMENTS_MAX]; /**< last: only the used part is copied */
} kvp_grant;

/** Remember a token by its digest. Expired ones are forgotten, and the oldest past 1000 of a
 * principal. */
kvp_status kvp_store_token_add(kvp_store *store, const uint8_t digest[32], int64_t principal,
                               const char *audience, int64_t expires_ms, kvp_error *reterr);
/**
 * With the assignments in @vault. KVP_ERR_NOT_FOUND: never issued, forgotten, or its principal was
 * removed. Expiry is the caller's to judge.
 */
kvp_status kvp_store_token_find(kvp_store *store, const uint8_t digest[32],
                                const kvp_vault_info *vault, kvp_grant *ret_grant,
                                kvp_error *reterr);

/* --- roles ----------------------------------------------------------------------------------- */

/** KVP_ERR_REFUSED: the id is used, or the principal has that role there already, or too many. */
kvp_status kvp_store_assignment_add(kvp_store *store, const kvp_vault_info *vault,
                                    const kvp_assignment *assignment, kvp_error *reterr);
kvp_status kvp_store_assignment_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_assignment *ret, kvp_error *reterr);
kvp_status kvp_store_assignment_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr);
/** All of a vault in the order of their making: an owned array (kvp_free). */
kvp_status kvp_store_assignment_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_assignment **ret, size_t *ret_count, kvp_error *reterr);

/** A custom role of a Managed HSM. Strings are owned. */
typedef struct kvp_definition {
    char id[KVP_UUID_SIZE];
    char *name, *description;
    char *permissions_json; /**< array of {actions, dataActions, notActions, notDataActions} */
    char *scopes_json;      /**< array of strings */
} kvp_definition;
void kvp_definition_clear(kvp_definition *definition);
/** Add, or replace the one of that id. */
kvp_status kvp_store_definition_put(kvp_store *store, const kvp_vault_info *vault,
                                    const kvp_definition *definition, kvp_error *reterr);
kvp_status kvp_store_definition_get(kvp_store *store, const kvp_vault_info *vault, const char *id,
                                    kvp_definition *ret, kvp_error *reterr);
/** With the assignments of that role. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_definition_remove(kvp_store *store, const kvp_vault_info *vault,
                                       const char *id, kvp_error *reterr);
/** Owned array; clear each, then kvp_free. */
kvp_status kvp_store_definition_list(kvp_store *store, const kvp_vault_info *vault,
                                     kvp_definition **ret, size_t *ret_count, kvp_error *reterr);

/* --- keys ------------------------------------------------------------------------------------ */

#define KVP_TIME_NONE (-1) /**< no nbf, no exp */

/** One version of a key. Strings are owned; NULL = none. */
typedef struct kvp_key_record {
    int64_t row; /**< of the version */
    char name[KVP_NAME_MAX + 1];
    char version[KVP_VERSION_SIZE];
    char kty[8]; /**< `RSA-HSM` */
    unsigned bits;
    char *public_json; /**< members of the JWK: crv, n, e, x, y; `{}` for oct */
    char *ops_json;    /**< array of strings, in the order the caller gave */
    char *tags_json;
    char *policy_json; /**< release_policy as answered */
    bool enabled, exportable, current;
    bool managed;                /**< the key of a certificate */
    bool in_token;               /**< the private half is in a token, the store has a reference */
    int64_t not_before, expires; /**< Unix seconds or KVP_TIME_NONE */
    int64_t created, updated;
    int64_t deleted, purge; /**< deletion and scheduled purge; KVP_TIME_NONE while alive */
} kvp_key_record;
void kvp_key_record_clear(kvp_key_record *record);
KVP_DEFINE_FREEP(kvp_key_record, kvp_key_record_clear);

typedef enum kvp_key_state { KVP_KEY_LIVE, KVP_KEY_DELETED } kvp_key_state;

/**
 * Add a version, which becomes the current one, and the key if the name is new. @record's name,
 * row and current are set to what was stored (the name keeps the case of its first use).
 * KVP_ERR_REFUSED: a key of that name is deleted and can be recovered. KVP_ERR_UNSUPPORTED: the key
 * of that name belongs to a certificate and @record does not, or the other way round.
 */
kvp_status kvp_store_key_add(kvp_store *store, const kvp_vault_info *vault, kvp_key_record *record,
                             const void *material, size_t len, kvp_error *reterr);

/** @version "" or NULL: the current one. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_key_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                             const char *version, kvp_key_state state, kvp_key_record *ret,
                             kvp_error *reterr);

/** Unseal the private half of @record into @ret, a secret buffer. */
kvp_status kvp_store_key_material(kvp_store *store, const kvp_vault_info *vault,
                                  const kvp_key_record *record, kvp_buf *ret, kvp_error *reterr);

/** What an update writes; the rest stays as it is, whatever another request does meanwhile. */
enum {
    KVP_FIELD_OPS = 1 << 0,
    KVP_FIELD_TAGS = 1 << 1,
    KVP_FIELD_POLICY = 1 << 2,
    KVP_FIELD_ENABLED = 1 << 3,
    KVP_FIELD_NOT_BEFORE = 1 << 4,
    KVP_FIELD_EXPIRES = 1 << 5
};
/** Write @fields of @record, and its `updated`, to the live version of that row. KVP_ERR_NOT_FOUND.
 */
kvp_status kvp_store_key_update(kvp_store *store, const kvp_vault_info *vault,
                                const kvp_key_record *record, unsigned fields, kvp_error *reterr);

/** An owned page of records, ordered. */
typedef struct kvp_key_page {
    kvp_key_record *items;
    size_t count, size;
    bool more; /**< another page follows the last item */
} kvp_key_page;
void kvp_key_page_clear(kvp_key_page *page);

/** Current versions of all keys in @state whose name follows @after ("" = from the start), at most
 * @limit. */
kvp_status kvp_store_key_list(kvp_store *store, const kvp_vault_info *vault, kvp_key_state state,
                              const char *after, size_t limit, kvp_key_page *ret_page,
                              kvp_error *reterr);
/** Versions of a live key that follow @after; an unknown name has none. */
kvp_status kvp_store_key_versions(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                  const char *after, size_t limit, kvp_key_page *ret_page,
                                  kvp_error *reterr);

/** Delete (@now, purge due at @purge), recover, purge: the key with all versions.
 * KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_key_delete(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                int64_t now, int64_t purge, kvp_error *reterr);
kvp_status kvp_store_key_recover(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                 kvp_error *reterr);
kvp_status kvp_store_key_purge(kvp_store *store, const kvp_vault_info *vault, const char *name,
                               kvp_error *reterr);
/** Purge every deleted key whose time has come. */
kvp_status kvp_store_purge_due(kvp_store *store, int64_t now, kvp_error *reterr);

#endif
