/* SPDX-License-Identifier: MIT */
/*
 * Key bundles and pages of key lists. What the service sends for keys we have no use for (an
 * unknown kty or curve) is accepted as such: one new kind of key must not hide all others.
 */
#include "jwk/internal.h"
#include "base/alloc.h"

#include <string.h>

#define MODULUS_BITS_MIN 1024
#define MODULUS_BITS_MAX 16384
#define KEY_SIZE_MAX 16384

const kvp_op_info kvp_ops[] = {
    { "sign", KVP_OP_SIGN },       { "verify", KVP_OP_VERIFY },
    { "encrypt", KVP_OP_ENCRYPT }, { "decrypt", KVP_OP_DECRYPT },
    { "wrapKey", KVP_OP_WRAP },    { "unwrapKey", KVP_OP_UNWRAP },
    { "import", KVP_OP_IMPORT },   { "deriveKey", KVP_OP_DERIVE },
    { "export", KVP_OP_EXPORT },   { NULL, 0 },
};

const kvp_kty_info kvp_ktys[] = {
    { "RSA", KVP_KTY_RSA, false },    { "RSA-HSM", KVP_KTY_RSA, true },
    { "EC", KVP_KTY_EC, false },      { "EC-HSM", KVP_KTY_EC, true },
    { "oct", KVP_KTY_OCT, false },    { "oct-HSM", KVP_KTY_OCT, true },
    { NULL, KVP_KTY_UNKNOWN, false },
};

/* Big-endian without the zeros in front: HSM keys answer e as 00 01 00 01 (wire reference, 4.1). */
static void strip_zeros(kvp_buf *buf)
{
    size_t zeros = 0;

    while (zeros < buf->len && buf->data[zeros] == 0)
        zeros++;
    if (zeros == 0)
        return;
    buf->len -= zeros;
    memmove(buf->data, buf->data + zeros, buf->len + 1);
}

static unsigned bit_length(const kvp_buf *buf)
{
    unsigned bits = (unsigned)buf->len * 8;

    for (unsigned mask = 0x80; buf->len && mask && !(buf->data[0] & mask); mask >>= 1)
        bits--;
    return bits;
}

static kvp_status parse_rsa(const json_t *jwk, kvp_key *key, kvp_error *reterr)
{
    kvp_status st = kvp_json_bytes(jwk, "key.", "n", true, &key->n, reterr);

    if (st == KVP_OK)
        st = kvp_json_bytes(jwk, "key.", "e", true, &key->e, reterr);
    if (st != KVP_OK)
        return st;
    strip_zeros(&key->n);
    strip_zeros(&key->e);
    if (key->n.len > MODULUS_BITS_MAX / 8 || bit_length(&key->n) < MODULUS_BITS_MIN)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.n` is not of %d to %d bits",
                             MODULUS_BITS_MIN, MODULUS_BITS_MAX);
    if (key->e.len == 0 || key->e.len > key->n.len || (key->e.data[key->e.len - 1] & 1) == 0 ||
        (key->e.len == 1 && key->e.data[0] == 1))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.e` is no public exponent");
    key->key_bits = bit_length(&key->n);
    return KVP_OK;
}

/*
 * Coordinates have the curve's width (RFC 7518 §6.2.1.2), but a vault gives an imported key back
 * the way it came, and some tools leave the zeros in front off: recorded traffic has P-521 keys of
 * 65 bytes.
 */
static kvp_status parse_coordinate(const json_t *jwk, const char *name, unsigned len, kvp_buf *ret,
                                   kvp_error *reterr)
{
    kvp_status st = kvp_json_bytes(jwk, "key.", name, true, ret, reterr);
    size_t zeros;

    if (st != KVP_OK)
        return st;
    if (ret->len == 0)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.%s` is empty", name);
    strip_zeros(ret);
    if (ret->len > len)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.%s` has %zu bytes, its curve %u", name,
                             ret->len, len);
    zeros = len - ret->len;
    if (!kvp_buf_reserve(ret, zeros))
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "`key.%s`", name);
    memmove(ret->data + zeros, ret->data, ret->len);
    memset(ret->data, 0, zeros);
    ret->len = len;
    ret->data[len] = '\0';
    return KVP_OK;
}

static kvp_status parse_ec(const json_t *jwk, kvp_key *key, kvp_error *reterr)
{
    const kvp_curve_info *curve;
    const char *name = NULL;
    kvp_status st = kvp_json_string(jwk, "key.", "crv", true, &name, reterr);

    if (st != KVP_OK)
        return st;
    key->curve = kvp_curve_from_jwk_name(name);
    if (key->curve == KVP_CURVE_NONE) {
        key->kty = KVP_KTY_UNKNOWN;
        return KVP_OK;
    }
    curve = &kvp_curves[key->curve];
    key->key_bits = curve->bits;
    st = parse_coordinate(jwk, "x", curve->coordinate_len, &key->x, reterr);
    if (st == KVP_OK)
        st = parse_coordinate(jwk, "y", curve->coordinate_len, &key->y, reterr);
    return st;
}

static kvp_status parse_ops(const json_t *jwk, uint32_t *ret, kvp_error *reterr)
{
    const json_t *ops = json_object_get(jwk, "key_ops");
    const json_t *op;
    size_t i;

    if (!ops || json_is_null(ops))
        return KVP_OK;
    if (!json_is_array(ops))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.key_ops` is no array");
    json_array_foreach(ops, i, op)
    {
        if (!json_is_string(op))
            return kvp_error_set(reterr, KVP_ERR_PARSE, "`key.key_ops[%zu]` is no string", i);
        for (const kvp_op_info *info = kvp_ops; info->name; info++)
            if (strcmp(info->name, json_string_value(op)) == 0)
                *ret |= info->bit;
    }
    return KVP_OK;
}

static kvp_status parse_material(const json_t *jwk, kvp_key *key, kvp_error *reterr)
{
    const char *kty = NULL;
    kvp_status st = kvp_json_string(jwk, "key.", "kty", true, &kty, reterr);

    if (st == KVP_OK)
        st = parse_ops(jwk, &key->ops, reterr);
    if (st != KVP_OK)
        return st;
    for (const kvp_kty_info *info = kvp_ktys; info->name; info++)
        if (strcmp(info->name, kty) == 0) {
            key->kty = info->kty;
            key->hsm = info->hsm;
        }
    key->has_material = true;
    if (key->kty == KVP_KTY_RSA)
        return parse_rsa(jwk, key, reterr);
    if (key->kty == KVP_KTY_EC)
        return parse_ec(jwk, key, reterr);
    return KVP_OK;
}

/* `hsmPlatform` is a string of a number (wire reference, section 3). */
static kvp_status parse_platform(const json_t *object, int *ret, kvp_error *reterr)
{
    const char *text = NULL;
    kvp_status st = kvp_json_string(object, "attributes.", "hsmPlatform", false, &text, reterr);

    if (st == KVP_OK && text && text[0] >= '0' && text[0] <= '9' && text[1] == '\0')
        *ret = text[0] - '0';
    return st;
}

static kvp_status parse_attributes(const json_t *root, kvp_key *key, kvp_error *reterr)
{
    static const char path[] = "attributes.";
    kvp_attributes *a = &key->attributes;
    const char *level = NULL;
    int64_t key_size = 0;
    json_t *object = NULL;
    kvp_status st;

    a->enabled = true;
    a->hsm_platform = -1;
    st = kvp_json_object(root, "", "attributes", false, &object, reterr);
    if (st != KVP_OK || !object)
        return st;
    if ((st = kvp_json_bool(object, path, "enabled", &a->enabled, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "nbf", &a->not_before, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "exp", &a->expires, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "created", &a->created, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "updated", &a->updated, reterr)) != KVP_OK ||
        (st = kvp_json_bool(object, path, "exportable", &a->exportable, reterr)) != KVP_OK ||
        (st = kvp_json_int(object, path, "key_size", &key_size, reterr)) != KVP_OK ||
        (st = parse_platform(object, &a->hsm_platform, reterr)) != KVP_OK ||
        (st = kvp_json_string(object, path, "recoveryLevel", false, &level, reterr)) != KVP_OK)
        return st;
    if (level)
        kvp_copy_printable(a->recovery_level, sizeof(a->recovery_level), level);
    if (key_size > KEY_SIZE_MAX)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`attributes.key_size` is out of range");
    if (key->kty == KVP_KTY_OCT)
        key->key_bits = (unsigned)key_size;
    return KVP_OK;
}

static kvp_status parse_tags(const json_t *root, kvp_key *key, kvp_error *reterr)
{
    json_t *object = NULL, *value;
    const char *name;
    kvp_status st = kvp_json_object(root, "", "tags", false, &object, reterr);

    if (st != KVP_OK || !object || json_object_size(object) == 0)
        return st;
    key->tags = kvp_calloc(json_object_size(object), sizeof(*key->tags));
    if (!key->tags)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "tags");
    json_object_foreach(object, name, value)
    {
        kvp_tag *tag = &key->tags[key->tag_count];

        if (json_is_null(value))
            continue;
        if (!json_is_string(value))
            return kvp_error_set(reterr, KVP_ERR_PARSE, "a member of `tags` is no string");
        key->tag_count++;
        tag->name = kvp_strdup(name);
        tag->value = kvp_strdup(json_string_value(value));
        if (!tag->name || !tag->value)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "tags");
    }
    return KVP_OK;
}

/* What a bundle and a list item share. @holder has the kid, @root all else; @path leads to the kid.
 */
static kvp_status parse_common(const json_t *root, const json_t *holder, const char *path,
                               kvp_key *key, kvp_error *reterr)
{
    const char *kid = NULL;
    kvp_status st = kvp_json_string(holder, path, "kid", true, &kid, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_jwk_split_id(kid, "keys", &key->name, &key->version, reterr);
    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "`%skid`: ", path);
        return st;
    }
    key->id = kvp_strdup(kid);
    if (!key->id)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key identifier");
    if ((st = parse_attributes(root, key, reterr)) != KVP_OK ||
        (st = parse_tags(root, key, reterr)) != KVP_OK)
        return st;
    return kvp_json_bool(root, "", "managed", &key->managed, reterr);
}

kvp_status kvp_jwk_parse_key(const char *json, size_t len, kvp_key **ret_key, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = NULL;
    json_auto_t *root = NULL;
    json_t *jwk = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st != KVP_OK)
        return st;
    key = kvp_calloc(1, sizeof(*key));
    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    if ((st = kvp_json_object(root, "", "key", true, &jwk, reterr)) != KVP_OK ||
        (st = parse_material(jwk, key, reterr)) != KVP_OK ||
        (st = parse_common(root, jwk, "key.", key, reterr)) != KVP_OK)
        return st;
    *ret_key = KVP_STEAL(key);
    return KVP_OK;
}

static kvp_status parse_item(const json_t *item, size_t index, kvp_key_list *list,
                             kvp_error *reterr)
{
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = kvp_calloc(1, sizeof(*key));
    kvp_status st;

    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    if (!json_is_object(item))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`value[%zu]` is no object", index);
    st = parse_common(item, item, "", key, reterr);
    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "`value[%zu]`: ", index);
        return st;
    }
    st = kvp_key_list_take(list, KVP_STEAL(key));
    return st == KVP_OK ? KVP_OK : kvp_error_set(reterr, st, "list of keys");
}

kvp_status kvp_jwk_parse_key_page(const char *json, size_t len, kvp_key_list *list,
                                  char **ret_next_link, kvp_error *reterr)
{
    json_auto_t *root = NULL;
    size_t old_count = list->count, i;
    const json_t *value, *item;
    const char *link = NULL;
    char *next = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st == KVP_OK)
        st = kvp_json_string(root, "", "nextLink", false, &link, reterr);
    if (st != KVP_OK)
        return st;
    value = json_object_get(root, "value");
    /* A page may be empty; some services say so with null. */
    if (!value || (!json_is_array(value) && !json_is_null(value)))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`value` is %s",
                             value ? "no array" : "missing");
    json_array_foreach(value, i, item)
    {
        st = parse_item(item, i, list, reterr);
        if (st != KVP_OK)
            break;
    }
    if (st == KVP_OK && link && link[0] != '\0') {
        next = kvp_strdup(link);
        if (!next)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "nextLink");
    }
    if (st != KVP_OK) {
        while (list->count > old_count)
            kvp_key_free(list->items[--list->count]);
        return st;
    }
    *ret_next_link = next;
    return KVP_OK;
}
