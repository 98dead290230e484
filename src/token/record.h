/* SPDX-License-Identifier: MIT */
/*
 * Records and documents: what stands behind the handles.
 *
 * A kvp_record is one version of one vault key (its private and public key object, or its secret
 * key object), of a certificate, a secret, an issuer's certificate that came with others, or one
 * session object: its kind, of which record_kind.c has a row each. A kvp_document is what is known
 * of it: immutable once it is in a record, replaced as a whole. Who holds a pin on a record may read
 * its document without a lock; documents that were replaced meanwhile are kept until the last pin is
 * gone.
 */
#ifndef KVP_TOKEN_RECORD_H
#define KVP_TOKEN_RECORD_H

#include "crypto/certificate.h"
#include "crypto/crypto.h"
#include "token/attribute_table.h"
#include "token/object.h"

#include <stdatomic.h>

/** Tags of a vault's entry that change what its objects say (docs: design of the object model). */
#define KVP_TAG_LABEL "pkcs11-label" /**< CKA_LABEL, UTF-8 */
#define KVP_TAG_ID "pkcs11-id"       /**< CKA_ID, base64url */
#define KVP_TAG_LOCAL "pkcs11-local" /**< "yes": the vault generated the key for us (CKA_LOCAL) */
#define KVP_TAG_SUBJECT "pkcs11-subject" /**< CKA_SUBJECT of a key, base64url of the name's DER */
#define KVP_TAG_APPLICATION "pkcs11-application" /**< CKA_APPLICATION of a data object, UTF-8 */
#define KVP_TAG_OBJECT_ID "pkcs11-object-id"     /**< CKA_OBJECT_ID of a data object, base64url */
/** What a secret is beside text: "certificate", of KVP_TYPE_CERTIFICATE; "data", of KVP_TYPE_BYTES. */
#define KVP_TAG_CLASS "pkcs11-class"
#define KVP_CLASS_CERTIFICATE "certificate"
#define KVP_CLASS_DATA "data"
/** Content types of secrets whose value is base64 (RFC 4648 §4): of the certificate's DER … */
#define KVP_TYPE_CERTIFICATE "application/pkix-cert"
/** … and of a data object's bytes that are no text. Only with the tag: others' are shown as they are. */
#define KVP_TYPE_BYTES "application/octet-stream"

/** libp11 reads at most this many bytes of a CKA_ID. */
#define KVP_ID_MAX 100
#define KVP_ID_HASH_LEN 20
#define KVP_NAME_MAX 127
/** How the CKA_UNIQUE_ID of an issuer begins: no name with a version behind it. */
#define KVP_ISSUER_PREFIX "issuer-"
#define KVP_VERSION_LEN 32

struct kvp_document {
    kvp_entry *entry; /**< bundle or list item; NULL for session objects and issuers */
    kvp_key *key;     /**< the entry of a key; of a session public key: its numbers; else NULL */
    kvp_cert *cert;   /**< what a certificate says, once it is loaded; else NULL */
    kvp_attribute_set set; /**< of a session object */
    bool loaded;           /**< the entry is a bundle (session objects and issuers: always) */
    int64_t read_wall_us;  /**< when the bundle was asked for */
    _Atomic(kvp_public_key *) public_key; /**< made at first use */
    _Atomic(kvp_buf *) subject;           /**< of a key: of the certificate of its version */
    atomic_bool chain_read;               /**< of a certificate: its secret was looked into */
    kvp_document *next;    /**< in its record's list of replaced ones */
};

/** Of a session object: takes @key, which may be NULL (also frees it on failure: NULL). */
kvp_document *kvp_document_new(kvp_key *key, bool loaded);
/**
 * Of what the vault said: takes @entry (also frees it on failure: NULL). What a bundle holds is read
 * out of it: a certificate's DER. Not to be called with a lock held.
 */
kvp_document *kvp_document_new_entry(kvp_entry *entry, bool loaded);
void kvp_document_free(kvp_document *document);
KVP_DEFINE_FREEP(kvp_document, kvp_document_free);
/** Borrowed parsed public key, kept in @document. */
kvp_status kvp_document_public_key(kvp_document *document, const kvp_public_key **ret,
                                   kvp_error *reterr);

typedef struct kvp_record kvp_record;

/** The first are the collections of a vault: kvp_collection has the same numbers. */
typedef enum kvp_record_kind {
    KVP_RECORD_KEY = KVP_KEYS,
    KVP_RECORD_CERTIFICATE = KVP_CERTIFICATES,
    KVP_RECORD_SECRET = KVP_SECRETS, /**< a data object, or a certificate kept as a secret */
    KVP_RECORD_ISSUER,               /**< a certificate that came with others; of no collection */
    KVP_RECORD_SESSION,              /**< a session object, or a profile */
    KVP_RECORD_KIND_COUNT
} kvp_record_kind;

/** A row a kind (record_kind.c). */
typedef struct kvp_record_kind_row {
    /** Whether the configuration shows an entry of the vault; NULL: there are none. */
    bool (*shows)(const kvp_slot *slot, const kvp_entry *entry);
    /** Read out of a bundle what objects need: document->cert. NULL: nothing. */
    kvp_status (*complete)(kvp_document *document);
    /** The class of the first object that @document stands for; CK_UNAVAILABLE_INFORMATION: none
     *  that is known. Private keys have a public key object beside them. NULL: set by the maker. */
    CK_OBJECT_CLASS (*classify)(const kvp_slot *slot, const kvp_document *document);
} kvp_record_kind_row;
extern const kvp_record_kind_row kvp_record_kinds[KVP_RECORD_KIND_COUNT];

/** Whether the secret is a certificate that this module keeps as one. */
bool kvp_secret_is_certificate(const kvp_secret *secret);
/** The bytes that a secret stands for, appended to @ret, which should be secret. KVP_ERR_PARSE. */
kvp_status kvp_secret_bytes(const kvp_secret *secret, kvp_buf *ret);

struct kvp_object {
    kvp_record *record;
    CK_OBJECT_CLASS cls;
    CK_OBJECT_HANDLE handle; /**< CK_INVALID_HANDLE until it was handed out */
};

/** Objects of a record: private, public; or one of another class in the first place. */
enum { KVP_RECORD_OBJECTS = 2 };

struct kvp_record {
    kvp_object_store *store;
    kvp_record_kind kind;
    char *name;                 /**< of the vault's entry; NULL for session objects and issuers */
    CK_SESSION_HANDLE session;  /**< of a session object: who made it; none for a profile */
    _Atomic(kvp_document *) document;
    /* The store's lock guards what follows. */
    kvp_document *replaced;     /**< freed when pins is 0 */
    unsigned pins;
    bool current;               /**< in the store's table of current versions */
    bool superseded;            /**< the vault has a newer version */
    bool versioned;             /**< listed as an older version: stays, with or without handle */
    bool dead;                  /**< destroyed: freed when pins is 0 */
    bool recheck;               /**< the listing cannot tell whether it changed: read it again */
    int64_t checked_ms;         /**< when we last asked the vault and it confirmed this */
    kvp_buf value;              /**< of a data object, between the question how long and the answer */
    int64_t value_ms;           /**< when that was read */
    int64_t versions_ms;        /**< when its older versions were listed; INT64_MIN: never */
    kvp_record *prev, *next;    /**< in the store's list of session objects, issuers or others */
    kvp_object objects[KVP_RECORD_OBJECTS];
    unsigned object_count;      /**< 0 while the class is not known (Managed HSM, not loaded) */
};

/** Whether the record stands for something on the token. Profiles do not: they are the module's. */
static inline bool kvp_record_is_token(const kvp_record *record)
{
    return record->kind != KVP_RECORD_SESSION;
}

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
kvp_status kvp_entry_label(const kvp_entry *entry, kvp_buf *ret);
/** CKA_ID: the tag's bytes, or the name's; with "/version" if @superseded; hashed over 100 bytes. */
kvp_status kvp_entry_object_id(const kvp_entry *entry, bool superseded, kvp_buf *ret);

/** What a search value can name: an entry of a vault, and a version if it says one. */
typedef struct kvp_key_ref {
    char name[KVP_NAME_MAX + 1];
    char version[KVP_VERSION_LEN + 1]; /**< "" for the current one */
} kvp_key_ref;
/** `name` or `name/version` (a CKA_ID, a CKA_LABEL: then without version). */
bool kvp_key_ref_from_id(const void *bytes, size_t len, kvp_key_ref *ret);
/** `name/version;type=…`, `name;type=data`: @ret_cls is the class it names. */
bool kvp_key_ref_from_unique_id(const void *bytes, size_t len, kvp_key_ref *ret,
                                CK_OBJECT_CLASS *ret_cls);
/** `https://vault/keys/name/version` of the vault at @url, or one of another collection: a secret's
 *  without version. */
bool kvp_key_ref_from_key_id(const char *url, const void *bytes, size_t len, kvp_key_ref *ret,
                             kvp_collection *ret_collection);

/** `private`, `public`, `secret-key`, `cert`, `data`, as in PKCS#11 URIs (RFC 7512 §2.3); `profile`. */
const char *kvp_class_word(CK_OBJECT_CLASS cls);

/**
 * A vault name for a new key of this label: the label itself where it is a valid name (@ret_exact),
 * else what is left of it with a random ending, `key-` and a random ending for an empty one.
 */
kvp_status kvp_name_from_label(const void *label, size_t len, char ret[KVP_NAME_MAX + 1],
                               bool *ret_exact);

#endif
