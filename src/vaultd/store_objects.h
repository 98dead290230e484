/* SPDX-License-Identifier: MIT */
/*
 * The part of the store that knows secrets and certificates: what is in store.h for keys, for them.
 * A certificate's key and secret have its name and its versions, are marked as managed and come and
 * go with it in one transaction.
 */
#ifndef KVP_VAULTD_STORE_OBJECTS_H
#define KVP_VAULTD_STORE_OBJECTS_H

#include "vaultd/store.h"

typedef enum kvp_object_kind {
    KVP_OBJECT_KEY,
    KVP_OBJECT_SECRET,
    KVP_OBJECT_CERTIFICATE,
    KVP_OBJECT_KIND_COUNT
} kvp_object_kind;

/** What a name stands for. */
typedef struct kvp_object_state {
    char name[KVP_NAME_MAX + 1]; /**< in the case of its first use */
    bool deleted;                /**< and can be recovered */
    bool managed;                /**< key or secret of a certificate */
} kvp_object_state;

/** KVP_ERR_NOT_FOUND: the name is free. */
kvp_status kvp_store_object_state(kvp_store *store, const kvp_vault_info *vault,
                                  kvp_object_kind kind, const char *name, kvp_object_state *ret,
                                  kvp_error *reterr);

/**
 * Delete (@now, purge due at @purge), recover, purge a key or secret that belongs to no
 * certificate, or a certificate with its key and secret. KVP_ERR_NOT_FOUND.
 */
kvp_status kvp_store_object_delete(kvp_store *store, const kvp_vault_info *vault,
                                   kvp_object_kind kind, const char *name, int64_t now,
                                   int64_t purge, kvp_error *reterr);
kvp_status kvp_store_object_recover(kvp_store *store, const kvp_vault_info *vault,
                                    kvp_object_kind kind, const char *name, kvp_error *reterr);
kvp_status kvp_store_object_purge(kvp_store *store, const kvp_vault_info *vault,
                                  kvp_object_kind kind, const char *name, kvp_error *reterr);

/** Seal and open with the storage key what leaves the store: backups. @place as for kvp_seal_close.
 */
kvp_status kvp_store_seal(const kvp_store *store, const char *place, const void *plain, size_t len,
                          kvp_buf *ret, kvp_error *reterr);
kvp_status kvp_store_unseal(const kvp_store *store, const char *place, const void *sealed,
                            size_t len, kvp_buf *ret, kvp_error *reterr);

/* --- secrets --------------------------------------------------------------------------------- */

/** One version of a secret, without its value. Strings are owned; NULL = none. */
typedef struct kvp_secret_record {
    int64_t row;
    char name[KVP_NAME_MAX + 1];
    char version[KVP_VERSION_SIZE];
    char previous[KVP_VERSION_SIZE]; /**< the version before this one, "" if none */
    char *content_type;
    char *tags_json;
    bool enabled, managed, current;
    int64_t not_before, expires; /**< Unix seconds or KVP_TIME_NONE */
    int64_t created, updated;
    int64_t deleted, purge; /**< KVP_TIME_NONE while alive */
} kvp_secret_record;
void kvp_secret_record_clear(kvp_secret_record *record);

/**
 * Add a version, which becomes the current one, and the secret if the name is new. Name, row,
 * previous and current of @record are set to what was stored. KVP_ERR_REFUSED: deleted;
 * KVP_ERR_UNSUPPORTED: belongs to a certificate.
 */
kvp_status kvp_store_secret_add(kvp_store *store, const kvp_vault_info *vault,
                                kvp_secret_record *record, const void *value, size_t len,
                                kvp_error *reterr);
/** Several versions with the same name at once, oldest first; the name must be free.
 * KVP_ERR_REFUSED. */
kvp_status kvp_store_secret_restore(kvp_store *store, const kvp_vault_info *vault,
                                    kvp_secret_record *records, const kvp_buf *values, size_t count,
                                    kvp_error *reterr);
/** @version "" or NULL: the current one. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_secret_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                const char *version, kvp_key_state state, kvp_secret_record *ret,
                                kvp_error *reterr);
/** Unseal the value of @record into @ret, a secret buffer. */
kvp_status kvp_store_secret_value(kvp_store *store, const kvp_vault_info *vault,
                                  const kvp_secret_record *record, kvp_buf *ret, kvp_error *reterr);

/** A further field of kvp_store_secret_update, beside those of keys. */
enum { KVP_FIELD_CONTENT_TYPE = 1 << 6 };
/** Write @fields of @record to the live version of that row. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_secret_update(kvp_store *store, const kvp_vault_info *vault,
                                   const kvp_secret_record *record, unsigned fields,
                                   kvp_error *reterr);

typedef struct kvp_secret_page {
    kvp_secret_record *items;
    size_t count;
    bool more;
} kvp_secret_page;
void kvp_secret_page_clear(kvp_secret_page *page);
kvp_status kvp_store_secret_list(kvp_store *store, const kvp_vault_info *vault, kvp_key_state state,
                                 const char *after, size_t limit, kvp_secret_page *ret_page,
                                 kvp_error *reterr);
kvp_status kvp_store_secret_versions(kvp_store *store, const kvp_vault_info *vault,
                                     const char *name, const char *after, size_t limit,
                                     kvp_secret_page *ret_page, kvp_error *reterr);

/* --- certificates ---------------------------------------------------------------------------- */

/** One version of a certificate with what belongs to its name. Buffers and strings are owned. */
typedef struct kvp_certificate_record {
    int64_t row;
    char name[KVP_NAME_MAX + 1];
    char version[KVP_VERSION_SIZE];
    kvp_buf der; /**< empty while a merge is waited for */
    char *tags_json;
    char *policy_json; /**< of the name, without id and attributes */
    int64_t policy_created, policy_updated;
    bool enabled, current, preserve_order;
    bool operation; /**< there is an operation record */
    int64_t not_before, expires, created, updated;
    int64_t deleted, purge;
} kvp_certificate_record;
void kvp_certificate_record_clear(kvp_certificate_record *record);

typedef enum kvp_operation_status {
    KVP_OPERATION_IN_PROGRESS,
    KVP_OPERATION_COMPLETED,
    KVP_OPERATION_CANCELLED,
    KVP_OPERATION_STATUS_COUNT
} kvp_operation_status;
/** `inProgress`, `completed`, `cancelled`. */
extern const char *const kvp_operation_status_names[KVP_OPERATION_STATUS_COUNT];

/** The last operation on a certificate; at most one per name. */
typedef struct kvp_certificate_operation {
    char version[KVP_VERSION_SIZE]; /**< the version it makes */
    char request_id[KVP_VERSION_SIZE];
    char *issuer_json;
    kvp_buf csr; /**< DER */
    kvp_operation_status status;
    bool cancelled; /**< cancellation was requested */
    int kind;       /**< kvp_engine_kind of the key */
} kvp_certificate_operation;
void kvp_certificate_operation_clear(kvp_certificate_operation *operation);

/** The three objects of one finished version. */
typedef struct kvp_certificate_triple {
    kvp_certificate_record *certificate;
    kvp_key_record *key;
    const kvp_buf *material;
    kvp_secret_record *secret;
    const kvp_buf *value;
} kvp_certificate_triple;

/**
 * Start an operation that waits for a merge: the certificate with its policy if the name is new, an
 * unfinished version, the key that waits (its material sealed). KVP_ERR_REFUSED: the name is
 * deleted; KVP_ERR_UNSUPPORTED: a key or secret of that name stands alone; KVP_ERR_MISMATCH: an
 * operation is in progress.
 */
kvp_status kvp_store_certificate_begin(kvp_store *store, const kvp_vault_info *vault,
                                       kvp_certificate_record *record,
                                       const kvp_certificate_operation *operation,
                                       const kvp_buf *material, kvp_error *reterr);
/**
 * Add a finished version with key and secret, which becomes the current one, and store the policy
 * of
 * @triple's certificate. @operation, which may be NULL, replaces the operation record; NULL removes
 * it. @merge: the operation in progress is the one that is finished here. Errors as above, and
 * KVP_ERR_NOT_FOUND when there is nothing (any more) to merge with.
 */
kvp_status kvp_store_certificate_add(kvp_store *store, const kvp_vault_info *vault,
                                     const kvp_certificate_triple *triple,
                                     const kvp_certificate_operation *operation, bool merge,
                                     kvp_error *reterr);
/** All versions of a backup, oldest first; those without der have neither key nor secret.
 * KVP_ERR_REFUSED. */
kvp_status kvp_store_certificate_restore(kvp_store *store, const kvp_vault_info *vault,
                                         const kvp_certificate_triple *triples, size_t count,
                                         kvp_error *reterr);
kvp_status kvp_store_certificate_get(kvp_store *store, const kvp_vault_info *vault,
                                     const char *name, const char *version, kvp_key_state state,
                                     kvp_certificate_record *ret, kvp_error *reterr);
/** Write enabled and tags (KVP_FIELD_ENABLED, KVP_FIELD_TAGS) to the version and its key and
 * secret. */
kvp_status kvp_store_certificate_update(kvp_store *store, const kvp_vault_info *vault,
                                        const kvp_certificate_record *record, unsigned fields,
                                        kvp_error *reterr);
/** Store policy_json and policy_updated. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_certificate_set_policy(kvp_store *store, const kvp_vault_info *vault,
                                            const kvp_certificate_record *record,
                                            kvp_error *reterr);

typedef struct kvp_certificate_page {
    kvp_certificate_record *items;
    size_t count;
    bool more;
} kvp_certificate_page;
void kvp_certificate_page_clear(kvp_certificate_page *page);
/** @pending: also those whose first version is not finished. */
kvp_status kvp_store_certificate_list(kvp_store *store, const kvp_vault_info *vault,
                                      kvp_key_state state, bool pending, const char *after,
                                      size_t limit, kvp_certificate_page *ret_page,
                                      kvp_error *reterr);
/** Finished versions. */
kvp_status kvp_store_certificate_versions(kvp_store *store, const kvp_vault_info *vault,
                                          const char *name, const char *after, size_t limit,
                                          kvp_certificate_page *ret_page, kvp_error *reterr);

/** The operation of a live certificate. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_operation_get(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                   kvp_certificate_operation *ret, kvp_error *reterr);
/** Unseal the key that waits for the merge. KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_operation_key(kvp_store *store, const kvp_vault_info *vault, const char *name,
                                   kvp_buf *ret, kvp_error *reterr);
/** Remember whether cancellation was requested; @at_once: what was in progress is cancelled by it.
 * KVP_ERR_NOT_FOUND. */
kvp_status kvp_store_operation_cancel(kvp_store *store, const kvp_vault_info *vault,
                                      const char *name, bool cancelled, bool at_once,
                                      kvp_error *reterr);
kvp_status kvp_store_operation_delete(kvp_store *store, const kvp_vault_info *vault,
                                      const char *name, kvp_error *reterr);

/** A live certificate whose operation is in progress with our own issuer. */
typedef struct kvp_operation_entry {
    int64_t row; /**< 0 = begin with the first */
    int64_t vault;
    char name[KVP_NAME_MAX + 1];
} kvp_operation_entry;
/** The next one, in all vaults, that was begun at @begun or before. KVP_ERR_NOT_FOUND at the end.
 */
kvp_status kvp_store_operation_due(kvp_store *store, int64_t begun, kvp_operation_entry *entry,
                                   kvp_error *reterr);

/* --- issuers and contacts -------------------------------------------------------------------- */

/** A small JSON document of a vault; @kind is constant text. */
typedef struct kvp_document {
    char name[KVP_NAME_MAX + 1];
    char *json;
    int64_t created, updated;
} kvp_document;
void kvp_document_clear(kvp_document *document);

/** Insert or replace; a replaced one keeps name and created, which are set in @document. */
kvp_status kvp_store_document_set(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                  kvp_document *document, kvp_error *reterr);
kvp_status kvp_store_document_get(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                  const char *name, kvp_document *ret, kvp_error *reterr);
kvp_status kvp_store_document_delete(kvp_store *store, const kvp_vault_info *vault,
                                     const char *kind, const char *name, kvp_error *reterr);
/** The next one after @after by name; KVP_ERR_NOT_FOUND at the end. */
kvp_status kvp_store_document_next(kvp_store *store, const kvp_vault_info *vault, const char *kind,
                                   const char *after, kvp_document *ret, kvp_error *reterr);

#endif
