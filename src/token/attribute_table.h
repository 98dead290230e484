/* SPDX-License-Identifier: MIT */
/*
 * Attributes: a row for each attribute and the objects that have it. From the row come
 * C_GetAttributeValue, matching in a search (and whether that needs the key's document), and what a
 * template for C_CreateObject, C_GenerateKey(Pair), C_UnwrapKey and C_SetAttributeValue may say.
 *
 * Getters are pure: they read a kvp_view, a snapshot of one object, and append the value's bytes.
 */
#ifndef KVP_TOKEN_ATTRIBUTE_TABLE_H
#define KVP_TOKEN_ATTRIBUTE_TABLE_H

#include "base/buf.h"
#include "crypto/certificate.h"
#include "jwk/jwk.h"
#include "kvpkcs11/cryptoki.h"
#include "kvpkcs11/vendor.h"
#include "token/object.h"

/** What kinds of object there are, as bits: rows name the kinds that have the attribute. */
enum {
    KVP_IS_DATA = 1 << 0,
    KVP_IS_PUBLIC_RSA = 1 << 1,
    KVP_IS_PUBLIC_EC = 1 << 2,
    KVP_IS_PUBLIC_OTHER = 1 << 3, /**< a key type that we do not know, or that hides its numbers */
    KVP_IS_PRIVATE_RSA = 1 << 4,
    KVP_IS_PRIVATE_EC = 1 << 5,
    KVP_IS_PRIVATE_OTHER = 1 << 6,
    KVP_IS_SECRET = 1 << 7,
    KVP_IS_PROFILE = 1 << 8,
    KVP_IS_CERTIFICATE = 1 << 9,
    KVP_IS_PUBLIC = KVP_IS_PUBLIC_RSA | KVP_IS_PUBLIC_EC | KVP_IS_PUBLIC_OTHER,
    KVP_IS_PRIVATE = KVP_IS_PRIVATE_RSA | KVP_IS_PRIVATE_EC | KVP_IS_PRIVATE_OTHER,
    KVP_IS_KEY = KVP_IS_PUBLIC | KVP_IS_PRIVATE | KVP_IS_SECRET,
    KVP_IS_ANY = KVP_IS_KEY | KVP_IS_DATA | KVP_IS_PROFILE | KVP_IS_CERTIFICATE,
};

/** What a value looks like, for checks of length. */
typedef enum kvp_attribute_kind {
    KVP_ATTRIBUTE_BOOL,
    KVP_ATTRIBUTE_ULONG,
    KVP_ATTRIBUTE_BYTES,
    KVP_ATTRIBUTE_TEXT,   /**< UTF-8, no NUL */
    KVP_ATTRIBUTE_NUMBER, /**< big-endian, leading zeros are ignored in templates */
    KVP_ATTRIBUTE_DATE,   /**< CK_DATE, or empty */
    KVP_ATTRIBUTE_ULONGS, /**< CK_ULONG array */
    KVP_ATTRIBUTE_ATTRS,  /**< CK_ATTRIBUTE array */
} kvp_attribute_kind;

/** Flags of a row. */
enum {
    KVP_ATTRIBUTE_LISTED = 1 << 0,    /**< a list page is enough to answer it */
    KVP_ATTRIBUTE_FIXED = 1 << 1,     /**< the same for every token object of a slot */
    KVP_ATTRIBUTE_SENSITIVE = 1 << 2, /**< not for CKA_SENSITIVE or not CKA_EXTRACTABLE objects */
    KVP_ATTRIBUTE_CREATE = 1 << 3,    /**< may stand in a template of C_CreateObject */
    KVP_ATTRIBUTE_REQUIRED = 1 << 4,  /**< must stand there */
    KVP_ATTRIBUTE_GENERATE = 1 << 5,  /**< may stand in one of C_GenerateKey(Pair), C_UnwrapKey */
    KVP_ATTRIBUTE_NEEDED = 1 << 6,    /**< must stand in one of C_GenerateKey(Pair) */
    KVP_ATTRIBUTE_MODIFY = 1 << 7,    /**< C_SetAttributeValue can change it */
    KVP_ATTRIBUTE_VENDOR = 1 << 8,    /**< token objects only */
    KVP_ATTRIBUTE_FETCHED = 1 << 9,   /**< costs a request each time: no search of the token reads it */
};

/** What a session object has when its template says nothing. */
typedef enum kvp_attribute_default {
    KVP_DEFAULT_NONE, /**< nothing stored: the getter answers, or the object has it not */
    KVP_DEFAULT_FALSE,
    KVP_DEFAULT_TRUE,
    KVP_DEFAULT_EMPTY,
} kvp_attribute_default;

/** Values that a session object stores, as its template gave them. */
typedef struct kvp_attribute_set {
    struct kvp_attribute_value {
        CK_ATTRIBUTE_TYPE type;
        kvp_buf value; /**< a secret buffer */
    } *items;
    size_t count, size;
} kvp_attribute_set;
void kvp_attribute_set_clear(kvp_attribute_set *set);
/** Set @type to a copy of the bytes. KVP_ERR_NO_MEMORY, KVP_ERR_TOO_LARGE. */
kvp_status kvp_attribute_set_put(kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type, const void *data,
                                 size_t len) KVP_WARN_UNUSED;
/** Borrowed value, or NULL. */
const kvp_buf *kvp_attribute_set_get(const kvp_attribute_set *set, CK_ATTRIBUTE_TYPE type);
kvp_status kvp_attribute_set_copy(const kvp_attribute_set *from, kvp_attribute_set *ret);

typedef struct kvp_document kvp_document; /* record.h */

/**
 * One object at one moment; everything borrowed. @entry is what the vault said, a list item while
 * @loaded is false, NULL for session objects and issuers; @key is the entry of a key, or the numbers
 * of a session public key; @cert is there for loaded certificates; @set is NULL for token objects.
 */
typedef struct kvp_view {
    const kvp_slot *slot;
    const kvp_object *object; /**< NULL in tests: then no CKA_ALLOWED_MECHANISMS */
    CK_OBJECT_CLASS cls;
    CK_OBJECT_HANDLE handle;
    const kvp_entry *entry;
    const kvp_key *key;
    const kvp_cert *cert;
    const kvp_buf *value; /**< of a token's data object, where it was asked for; else NULL */
    const kvp_attribute_set *set;
    kvp_document *document; /**< where a parsed public key is kept; NULL in tests */
    bool loaded;
    bool superseded; /**< the vault has a newer version of the name */
} kvp_view;

typedef struct kvp_attribute_row {
    CK_ATTRIBUTE_TYPE type;
    const char *name;
    kvp_attribute_kind kind;
    unsigned who;   /**< KVP_IS_ bits */
    unsigned flags; /**< KVP_ATTRIBUTE_ bits */
    kvp_attribute_default fallback;
    /** Append the value to @ret; KVP_ERR_NOT_FOUND when this object has none. */
    kvp_status (*get)(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
} kvp_attribute_row;
extern const kvp_attribute_row kvp_attribute_rows[];
extern const size_t kvp_attribute_row_count;

/** The row of @type that any of the kinds in @who has; NULL if none. */
const kvp_attribute_row *kvp_attribute_row_find(CK_ATTRIBUTE_TYPE type, unsigned who);

/** The kinds that the viewed object may be of: one bit when it is loaded, a class's bits before. */
unsigned kvp_view_who(const kvp_view *view);
/** The kinds of a class: KVP_IS_PRIVATE for CKO_PRIVATE_KEY, 0 for a class that we never have. */
unsigned kvp_class_who(CK_OBJECT_CLASS cls);

/**
 * The value of @type. Appends to @ret. KVP_ERR_NOT_FOUND: the object has no such attribute (or it
 * needs a document and none is there); KVP_ERR_REFUSED: it is sensitive.
 */
kvp_status kvp_attribute_get(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
/** A boolean attribute; FALSE when there is none. */
bool kvp_attribute_is_true(const kvp_view *view, CK_ATTRIBUTE_TYPE type);
/** CKK_ number of the viewed key; CK_UNAVAILABLE_INFORMATION for no key or an unloaded one. */
CK_KEY_TYPE kvp_view_key_type(const kvp_view *view);
/** The KVP_OP_ bit of a usage attribute for a class, 0 if it has none. */
uint32_t kvp_usage_op(CK_OBJECT_CLASS cls, CK_ATTRIBUTE_TYPE type);

/* ---- getters (attribute_value.c) ---- */
kvp_status kvp_get_class(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_true(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_false(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_empty(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_absent(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_token(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_private(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_modifiable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_destroyable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_label(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_unique_id(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_key_type(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_id(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_subject(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_date(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_local(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_gen_mechanism(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_mechanisms(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_usage(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_extractable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_never_extractable(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_number(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_modulus_bits(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_ec_params(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_ec_point(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_public_key_info(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_value_len(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_check_value(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_vendor(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);

/* ---- getters of certificates and data (attribute_certificate.c) ---- */
kvp_status kvp_get_certificate_type(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_certificate_category(const kvp_view *view, CK_ATTRIBUTE_TYPE type,
                                        kvp_buf *ret);
kvp_status kvp_get_certificate_part(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_certificate_date(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_certificate_hash(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_name_hash(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_no_domain(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_data_tag(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
kvp_status kvp_get_data_value(const kvp_view *view, CK_ATTRIBUTE_TYPE type, kvp_buf *ret);
/** CKA_ID of an issuer, which no name of the vault's can give one: from its public key. */
kvp_status kvp_issuer_id(const kvp_cert *cert, kvp_buf *ret);
/** CKA_UNIQUE_ID of an issuer: `issuer-` and hexadecimal digits of the certificate's hash. */
kvp_status kvp_issuer_unique_id(const kvp_cert *cert, kvp_buf *ret);

#endif
