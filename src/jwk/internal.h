/* SPDX-License-Identifier: MIT */
/* For siblings only: loading JSON, typed members with errors that name them, words of the wire. */
#ifndef KVP_JWK_INTERNAL_H
#define KVP_JWK_INTERNAL_H

#include "jwk/jwk.h"

#include <jansson.h>

/**
 * Documents nest at most this deep; the parser recurses, and a host's thread may have a small
 * stack.
 */
#define KVP_JSON_MAX_DEPTH 32

/** Parse an object. KVP_ERR_PARSE says where it broke, never what was there: it may be a secret. */
kvp_status kvp_json_load(const char *json, size_t len, json_t **ret, kvp_error *reterr);

/**
 * A member of an object by type. Absent and `null` are the same and leave the output as it is
 * unless
 * @required; another type is KVP_ERR_PARSE, which names @path + @name ("key." and "kid"). Outputs
 * are borrowed from @object.
 */
kvp_status kvp_json_string(const json_t *object, const char *path, const char *name, bool required,
                           const char **ret, kvp_error *reterr);
kvp_status kvp_json_bool(const json_t *object, const char *path, const char *name, bool *ret,
                         kvp_error *reterr);
/** Not negative. */
kvp_status kvp_json_int(const json_t *object, const char *path, const char *name, int64_t *ret,
                        kvp_error *reterr);
kvp_status kvp_json_object(const json_t *object, const char *path, const char *name, bool required,
                           json_t **ret, kvp_error *reterr);
/** base64url text, decoded; @ret is cleared first. */
kvp_status kvp_json_bytes(const json_t *object, const char *path, const char *name, bool required,
                          kvp_buf *ret, kvp_error *reterr);

/** Overwrite a string member that held a secret, before the document is freed. */
void kvp_json_wipe(const json_t *object, const char *name);

/** Free what @entry owns, not itself (entry.c). */
void kvp_entry_clear(kvp_entry *entry);

/**
 * What every entry has, into @entry (zeroed): identifier, attributes, tags, managed. @holder has the
 * identifier, @root all else; @path leads to the holder.
 */
kvp_status kvp_json_entry(const json_t *root, const json_t *holder, const char *path,
                          kvp_collection collection, kvp_entry *entry, kvp_error *reterr);

/** A row an operation of `key_ops`; ended by a NULL name. */
typedef struct kvp_op_info {
    const char *name;
    uint32_t bit;
} kvp_op_info;
extern const kvp_op_info kvp_ops[];

/** A row a `kty`; ended by a NULL name. */
typedef struct kvp_kty_info {
    const char *name;
    kvp_kty kty;
    bool hsm;
} kvp_kty_info;
extern const kvp_kty_info kvp_ktys[];
/** `RSA-HSM`; NULL for what the wire has no word for. */
const char *kvp_kty_name(kvp_kty kty, bool hsm);

/* ---- writing (format.c) ---- */

/** Give up the rest of a function at the first failure. */
#define KVP_TRY(call)                                                                              \
    do {                                                                                           \
        kvp_status try_status_ = (call);                                                           \
        if (try_status_ != KVP_OK)                                                                 \
            return try_status_;                                                                    \
    } while (0)

/** Append @before, base64url of the bytes, and a closing quotation mark. */
kvp_status kvp_format_bytes(const char *before, const void *data, size_t len, kvp_buf *ret);
/** Outputs are untouched on failure: cut off what was appended behind @old_len. Returns @st. */
kvp_status kvp_format_keep(kvp_status st, size_t old_len, kvp_buf *ret);
/** Append the document, compact; all of it or nothing. */
kvp_status kvp_format_json(const json_t *root, kvp_buf *ret);
/** Set a member; takes @value, a NULL one is KVP_ERR_NO_MEMORY. */
kvp_status kvp_format_set(json_t *object, const char *name, json_t *value);
kvp_status kvp_format_ops(json_t *root, uint32_t ops);
/** KVP_ERR_INVALID for a tag that is no UTF-8. */
kvp_status kvp_format_tags(json_t *root, const kvp_tag *tags, size_t count);
/** `attributes` with the dates that are not 0, if any. */
kvp_status kvp_format_dates(json_t *root, int64_t not_before, int64_t expires);

#endif
