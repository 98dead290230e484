/* SPDX-License-Identifier: MIT */
/*
 * Records and documents: what stands behind the handles.
 *
 * A kvp_record is one version of one vault key (its private and public key object, or its secret
 * key object), or one session object. A kvp_document is what is known of it: immutable once it is
 * in a record, replaced as a whole. Who holds a pin on a record may read its document without a
 * lock; documents that were replaced meanwhile are kept until the last pin is gone.
 */
#ifndef KVP_TOKEN_RECORD_H
#define KVP_TOKEN_RECORD_H

#include "crypto/crypto.h"
#include "token/attribute_table.h"
#include "token/object.h"

#include <stdatomic.h>

/** Tags of a vault key that change what its objects say (docs: design of the object model). */
#define KVP_TAG_LABEL "pkcs11-label" /**< CKA_LABEL, UTF-8 */
#define KVP_TAG_ID "pkcs11-id"       /**< CKA_ID, base64url */
#define KVP_TAG_LOCAL "pkcs11-local" /**< "yes": the vault generated the key for us (CKA_LOCAL) */

/** libp11 reads at most this many bytes of a CKA_ID. */
#define KVP_ID_MAX 100
#define KVP_ID_HASH_LEN 20
#define KVP_NAME_MAX 127
#define KVP_VERSION_LEN 32

struct kvp_document {
    kvp_key *key; /**< bundle or list item; of a session public key: its numbers; else NULL */
    kvp_attribute_set set; /**< of a session object */
    bool loaded;           /**< key is a bundle (session objects: always) */
    int64_t read_wall_us;  /**< when the bundle was asked for */
    _Atomic(kvp_public_key *) public_key; /**< made at first use */
    kvp_document *next;    /**< in its record's list of replaced ones */
};

/** Takes @key (also frees it on failure, when NULL is returned). */
kvp_document *kvp_document_new(kvp_key *key, bool loaded);
void kvp_document_free(kvp_document *document);
KVP_DEFINE_FREEP(kvp_document, kvp_document_free);
/** Borrowed parsed public key, kept in @document. */
kvp_status kvp_document_public_key(kvp_document *document, const kvp_public_key **ret,
                                   kvp_error *reterr);

typedef struct kvp_record kvp_record;

struct kvp_object {
    kvp_record *record;
    CK_OBJECT_CLASS cls;
    CK_OBJECT_HANDLE handle; /**< CK_INVALID_HANDLE until it was handed out */
};

/** Objects of a record: private, public; or one of another class in the first place. */
enum { KVP_RECORD_OBJECTS = 2 };

struct kvp_record {
    kvp_object_store *store;
    char *name;                 /**< of the vault key; NULL for session objects */
    CK_SESSION_HANDLE session;  /**< of a session object: who made it; none for a profile */
    _Atomic(kvp_document *) document;
    /* The store's lock guards what follows. */
    kvp_document *replaced;     /**< freed when pins is 0 */
    unsigned pins;
    bool current;               /**< in the store's table of current versions */
    bool superseded;            /**< the vault has a newer version */
    bool dead;                  /**< destroyed: freed when pins is 0 */
    bool recheck;               /**< the listing cannot tell whether it changed: read it again */
    int64_t checked_ms;         /**< when we last asked the vault and it confirmed this */
    kvp_record *prev, *next;    /**< in the store's list of session objects or of older versions */
    kvp_object objects[KVP_RECORD_OBJECTS];
    unsigned object_count;      /**< 0 while the class is not known (Managed HSM, not loaded) */
};

static inline kvp_document *kvp_record_document(const kvp_record *record)
{
    return atomic_load_explicit(&record->document, memory_order_acquire);
}

/* ---- names (record_name.c): pure ---- */

/** Whether the bytes are a name that a vault accepts: 1 to 127 of 0-9 a-z A-Z -. */
bool kvp_name_is_valid(const void *bytes, size_t len);
/** Order of names, without case, whatever the host's locale: <0, 0, >0. */
int kvp_name_compare(const char *a, const char *b);
/** 32 hexadecimal digits. */
bool kvp_version_is_valid(const void *bytes, size_t len);

/** CKA_LABEL: the tag, or the name. */
kvp_status kvp_key_label(const kvp_key *key, kvp_buf *ret);
/** CKA_ID: the tag's bytes, or the name's; with "/version" if @superseded; hashed over 100 bytes. */
kvp_status kvp_key_object_id(const kvp_key *key, bool superseded, kvp_buf *ret);

/** What a search value can name: a key, and a version if it says one. */
typedef struct kvp_key_ref {
    char name[KVP_NAME_MAX + 1];
    char version[KVP_VERSION_LEN + 1]; /**< "" for the current one */
} kvp_key_ref;
/** `name` or `name/version` (a CKA_ID, a CKA_LABEL: then without version). */
bool kvp_key_ref_from_id(const void *bytes, size_t len, kvp_key_ref *ret);
/** `name/version;type=…`: @ret_cls is the class it names. */
bool kvp_key_ref_from_unique_id(const void *bytes, size_t len, kvp_key_ref *ret,
                                CK_OBJECT_CLASS *ret_cls);
/** `https://vault/keys/name/version` of the vault at @url. */
bool kvp_key_ref_from_key_id(const char *url, const void *bytes, size_t len, kvp_key_ref *ret);

/** `private`, `public`, `secret-key`, `data`, as in PKCS#11 URIs (RFC 7512 §2.3); `profile`. */
const char *kvp_class_word(CK_OBJECT_CLASS cls);

/**
 * A vault name for a new key of this label: the label itself where it is a valid name (@ret_exact),
 * else what is left of it with a random ending, `key-` and a random ending for an empty one.
 */
kvp_status kvp_name_from_label(const void *label, size_t len, char ret[KVP_NAME_MAX + 1],
                               bool *ret_exact);

#endif
