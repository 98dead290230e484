/* SPDX-License-Identifier: MIT */
/*
 * Key bundles: the numbers and what the key may do; what keys share with other entries is read in
 * parse_entry.c. What the service sends for keys we have no use for (an unknown kty or curve) is
 * accepted as such: one new kind of key must not hide all others.
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

/* A symmetric key's size stands among the attributes, where newer services tell it. */
static kvp_status parse_key_size(const json_t *root, kvp_key *key, kvp_error *reterr)
{
    int64_t key_size = 0;
    json_t *object = NULL;
    kvp_status st = kvp_json_object(root, "", "attributes", false, &object, reterr);

    if (st == KVP_OK && object)
        st = kvp_json_int(object, "attributes.", "key_size", &key_size, reterr);
    if (st != KVP_OK)
        return st;
    if (key_size > KEY_SIZE_MAX)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`attributes.key_size` is out of range");
    if (key->kty == KVP_KTY_OCT)
        key->key_bits = (unsigned)key_size;
    return KVP_OK;
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
        (st = kvp_json_entry(root, jwk, "key.", KVP_KEYS, &key->entry, reterr)) != KVP_OK ||
        (st = parse_key_size(root, key, reterr)) != KVP_OK)
        return st;
    *ret_key = KVP_STEAL(key);
    return KVP_OK;
}
