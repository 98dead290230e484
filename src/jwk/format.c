/* SPDX-License-Identifier: MIT */
/*
 * Request bodies. Those of crypto operations are written by hand: they are on the path of every
 * signature, hold secrets that must not be left in a JSON library's memory, and nothing in them
 * needs escaping. Those of create and update go through jansson, for tags are free text.
 */
#include "jwk/internal.h"
#include "jwk/base64url.h"

#include <string.h>

#define TRY KVP_TRY

kvp_status kvp_format_bytes(const char *before, const void *data, size_t len, kvp_buf *ret)
{
    TRY(kvp_buf_append_str(ret, before));
    TRY(kvp_base64url_encode(data, len, ret));
    return kvp_buf_append(ret, "\"", 1);
}

static kvp_status append_operation(const char *alg, const void *value, size_t value_len,
                                   const kvp_buf *iv, const kvp_buf *aad, const kvp_buf *tag,
                                   kvp_buf *ret)
{
    TRY(kvp_buf_append_fmt(ret, "{\"alg\":\"%s\"", alg));
    TRY(kvp_format_bytes(",\"value\":\"", value, value_len, ret));
    if (iv)
        TRY(kvp_format_bytes(",\"iv\":\"", iv->data, iv->len, ret));
    if (aad)
        TRY(kvp_format_bytes(",\"aad\":\"", aad->data, aad->len, ret));
    if (tag)
        TRY(kvp_format_bytes(",\"tag\":\"", tag->data, tag->len, ret));
    return kvp_buf_append(ret, "}", 1);
}

/* Outputs are untouched on failure: cut off what was appended before it. */
kvp_status kvp_format_keep(kvp_status st, size_t old_len, kvp_buf *ret)
{
    if (st != KVP_OK && ret->len > old_len) {
        kvp_wipe(ret->data + old_len, ret->len - old_len);
        ret->len = old_len;
        ret->data[old_len] = '\0';
    }
    return st;
}

kvp_status kvp_jwk_format_operation(const char *alg, const void *value, size_t value_len,
                                    const kvp_buf *iv, const kvp_buf *aad, const kvp_buf *tag,
                                    kvp_buf *ret)
{
    size_t old_len = ret->len;

    return kvp_format_keep(append_operation(alg, value, value_len, iv, aad, tag, ret), old_len,
                           ret);
}

static kvp_status append_verify(const char *alg, const void *digest, size_t digest_len,
                                const void *sig, size_t sig_len, kvp_buf *ret)
{
    TRY(kvp_buf_append_fmt(ret, "{\"alg\":\"%s\"", alg));
    TRY(kvp_format_bytes(",\"digest\":\"", digest, digest_len, ret));
    TRY(kvp_format_bytes(",\"value\":\"", sig, sig_len, ret));
    return kvp_buf_append(ret, "}", 1);
}

kvp_status kvp_jwk_format_verify(const char *alg, const void *digest, size_t digest_len,
                                 const void *sig, size_t sig_len, kvp_buf *ret)
{
    size_t old_len = ret->len;

    return kvp_format_keep(append_verify(alg, digest, digest_len, sig, sig_len, ret), old_len, ret);
}

kvp_status kvp_jwk_format_random(unsigned count, kvp_buf *ret)
{
    return kvp_buf_append_fmt(ret, "{\"count\":%u}", count);
}

/* ---- create and update ---- */

typedef struct dump {
    kvp_buf *ret;
    kvp_status st;
} dump;

static int dump_piece(const char *data, size_t len, void *user)
{
    dump *d = user;

    d->st = kvp_buf_append(d->ret, data, len);
    return d->st == KVP_OK ? 0 : -1;
}

kvp_status kvp_format_json(const json_t *root, kvp_buf *ret)
{
    dump d = { ret, KVP_OK };
    size_t old_len = ret->len;

    if (json_dump_callback(root, dump_piece, &d, JSON_COMPACT) != 0 && d.st == KVP_OK)
        d.st = KVP_ERR_NO_MEMORY;
    return kvp_format_keep(d.st, old_len, ret);
}

/* json_object_set_new frees its value whatever happens; a NULL value fails. */
kvp_status kvp_format_set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0 ? KVP_OK : KVP_ERR_NO_MEMORY;
}

kvp_status kvp_format_ops(json_t *root, uint32_t ops)
{
    json_t *array = json_array();

    TRY(kvp_format_set(root, "key_ops", array));
    for (const kvp_op_info *info = kvp_ops; info->name; info++)
        if ((ops & info->bit) && json_array_append_new(array, json_string(info->name)) != 0)
            return KVP_ERR_NO_MEMORY;
    return KVP_OK;
}

static bool is_text(const char *s)
{
    json_t *probe = s ? json_string(s) : NULL;

    json_decref(probe);
    return probe != NULL;
}

kvp_status kvp_format_tags(json_t *root, const kvp_tag *tags, size_t count)
{
    json_t *object = json_object();

    TRY(kvp_format_set(root, "tags", object));
    for (size_t i = 0; i < count; i++) {
        if (!is_text(tags[i].name) || !is_text(tags[i].value))
            return KVP_ERR_INVALID;
        TRY(kvp_format_set(object, tags[i].name, json_string(tags[i].value)));
    }
    return KVP_OK;
}

const char *kvp_kty_name(kvp_kty kty, bool hsm)
{
    for (const kvp_kty_info *info = kvp_ktys; info->name; info++)
        if (info->kty == kty && info->hsm == hsm)
            return info->name;
    return NULL;
}

kvp_status kvp_format_dates(json_t *root, int64_t not_before, int64_t expires)
{
    json_t *attributes;

    if (!not_before && !expires)
        return KVP_OK;
    attributes = json_object();
    TRY(kvp_format_set(root, "attributes", attributes));
    if (not_before)
        TRY(kvp_format_set(attributes, "nbf", json_integer(not_before)));
    if (expires)
        TRY(kvp_format_set(attributes, "exp", json_integer(expires)));
    return KVP_OK;
}

static kvp_status build_create(const kvp_key_create *create, json_t *root)
{
    const char *kty = kvp_kty_name(create->kty, create->hsm);

    if (!kty || (create->kty == KVP_KTY_EC) != (create->curve != KVP_CURVE_NONE) ||
        (size_t)create->curve >= KVP_CURVE_COUNT)
        return KVP_ERR_INVALID;
    TRY(kvp_format_set(root, "kty", json_string(kty)));
    if (create->key_bits && create->kty != KVP_KTY_EC)
        TRY(kvp_format_set(root, "key_size", json_integer(create->key_bits)));
    if (create->kty == KVP_KTY_EC)
        TRY(kvp_format_set(root, "crv", json_string(kvp_curves[create->curve].jwk_name)));
    if (create->ops)
        TRY(kvp_format_ops(root, create->ops));
    TRY(kvp_format_dates(root, create->not_before, create->expires));
    return create->tag_count ? kvp_format_tags(root, create->tags, create->tag_count) : KVP_OK;
}

kvp_status kvp_jwk_format_create(const kvp_key_create *create, kvp_buf *ret)
{
    json_auto_t *root = json_object();

    if (!root)
        return KVP_ERR_NO_MEMORY;
    TRY(build_create(create, root));
    return kvp_format_json(root, ret);
}

static kvp_status build_update(const kvp_key_update *update, json_t *root)
{
    /* The service leaves a date as it is when it is sent null: there is no way to take one off. */
    if ((update->set_not_before && update->not_before <= 0) ||
        (update->set_expires && update->expires <= 0))
        return KVP_ERR_UNSUPPORTED;
    if (update->set_ops)
        TRY(kvp_format_ops(root, update->ops));
    if (update->set_enabled || update->set_not_before || update->set_expires) {
        json_t *attributes = json_object();

        TRY(kvp_format_set(root, "attributes", attributes));
        if (update->set_enabled)
            TRY(kvp_format_set(attributes, "enabled", json_boolean(update->enabled)));
        if (update->set_not_before)
            TRY(kvp_format_set(attributes, "nbf", json_integer(update->not_before)));
        if (update->set_expires)
            TRY(kvp_format_set(attributes, "exp", json_integer(update->expires)));
    }
    return update->set_tags ? kvp_format_tags(root, update->tags, update->tag_count) : KVP_OK;
}

kvp_status kvp_jwk_format_update(const kvp_key_update *update, kvp_buf *ret)
{
    json_auto_t *root = json_object();

    if (!root)
        return KVP_ERR_NO_MEMORY;
    TRY(build_update(update, root));
    return kvp_format_json(root, ret);
}
