/* SPDX-License-Identifier: MIT */
/*
 * Request bodies that put something of the application's into a vault: keys by import, secrets,
 * certificates; and the state of a certificate that is being made. Private parts are written by
 * hand, and other secrets are overwritten in the document before it is freed: nothing is left in a
 * JSON library's memory.
 */
#include "jwk/internal.h"
#include "jwk/base64url.h"

#include <string.h>

#define TRY KVP_TRY

void kvp_private_parts_clear(kvp_private_parts *parts)
{
    kvp_buf *all[] = { &parts->d,  &parts->p,  &parts->q, &parts->dp,
                       &parts->dq, &parts->qi, &parts->k };

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        kvp_buf_clear(all[i]);
}

/* ---- keys ---- */

typedef struct part {
    const char *before; /* what stands in front of the value */
    const kvp_buf *value;
    size_t len; /* that it must have; 0: any but none */
} part;

static kvp_status append_parts(const part *list, size_t count, kvp_buf *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].value->len == 0 || (list[i].len && list[i].value->len != list[i].len))
            return KVP_ERR_INVALID;
        TRY(kvp_format_bytes(list[i].before, list[i].value->data, list[i].value->len, ret));
    }
    return KVP_OK;
}

static kvp_status append_rsa(const kvp_key *key, const kvp_private_parts *parts, kvp_buf *ret)
{
    const part list[] = {
        { ",\"n\":\"", &key->n, 0 },     { ",\"e\":\"", &key->e, 0 },
        { ",\"d\":\"", &parts->d, 0 },   { ",\"p\":\"", &parts->p, 0 },
        { ",\"q\":\"", &parts->q, 0 },   { ",\"dp\":\"", &parts->dp, 0 },
        { ",\"dq\":\"", &parts->dq, 0 }, { ",\"qi\":\"", &parts->qi, 0 },
    };

    return append_parts(list, sizeof(list) / sizeof(*list), ret);
}

static kvp_status append_ec(const kvp_key *key, const kvp_private_parts *parts, kvp_buf *ret)
{
    size_t width;

    if (key->curve == KVP_CURVE_NONE || (size_t)key->curve >= KVP_CURVE_COUNT)
        return KVP_ERR_INVALID;
    width = kvp_curves[key->curve].coordinate_len;
    const part list[] = {
        { ",\"x\":\"", &key->x, width },
        { ",\"y\":\"", &key->y, width },
        { ",\"d\":\"", &parts->d, width },
    };
    TRY(kvp_buf_append_fmt(ret, ",\"crv\":\"%s\"", kvp_curves[key->curve].jwk_name));
    return append_parts(list, sizeof(list) / sizeof(*list), ret);
}

static kvp_status append_jwk(const kvp_key_import *import, kvp_buf *ret)
{
    const kvp_key *key = import->key;
    const char *kty = kvp_kty_name(key->kty, import->hsm);
    const char *between = "";

    if (!kty)
        return KVP_ERR_INVALID;
    TRY(kvp_buf_append_fmt(ret, "{\"key\":{\"kty\":\"%s\"", kty));
    if (key->ops) {
        TRY(kvp_buf_append_str(ret, ",\"key_ops\":["));
        for (const kvp_op_info *info = kvp_ops; info->name; info++) {
            if (!(key->ops & info->bit))
                continue;
            TRY(kvp_buf_append_fmt(ret, "%s\"%s\"", between, info->name));
            between = ",";
        }
        TRY(kvp_buf_append_str(ret, "]"));
    }
    if (key->kty == KVP_KTY_RSA)
        TRY(append_rsa(key, import->parts, ret));
    else if (key->kty == KVP_KTY_EC)
        TRY(append_ec(key, import->parts, ret));
    else
        TRY(append_parts(&(const part){ ",\"k\":\"", &import->parts->k, 0 }, 1, ret));
    return kvp_buf_append_str(ret, "}");
}

/* What stands beside the JWK is no secret: it is built as a document, whose first brace becomes the
 * comma behind the JWK. */
static kvp_status append_rest(const kvp_key_import *import, kvp_buf *ret)
{
    const kvp_key *key = import->key;
    json_auto_t *rest = json_object();
    size_t at = ret->len;

    if (!rest)
        return KVP_ERR_NO_MEMORY;
    if (import->hsm)
        TRY(kvp_format_set(rest, "Hsm", json_true()));
    TRY(kvp_format_dates(rest, key->attributes.not_before, key->attributes.expires));
    if (key->tag_count)
        TRY(kvp_format_tags(rest, key->tags, key->tag_count));
    if (json_object_size(rest) == 0)
        return kvp_buf_append_str(ret, "}");
    TRY(kvp_format_json(rest, ret));
    ret->data[at] = ',';
    return KVP_OK;
}

kvp_status kvp_jwk_format_import(const kvp_key_import *import, kvp_buf *ret)
{
    size_t old_len = ret->len;
    kvp_status st = append_jwk(import, ret);

    if (st == KVP_OK)
        st = append_rest(import, ret);
    return kvp_format_keep(st, old_len, ret);
}

/* ---- secrets ---- */

/* @text as a string member; what jansson does not take is no UTF-8, or there was no memory. */
static kvp_status set_text(json_t *root, const char *name, const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);

    return string ? kvp_format_set(root, name, string) : KVP_ERR_INVALID;
}

static kvp_status build_secret(const kvp_secret_set *secret, json_t *root)
{
    TRY(set_text(root, "value", secret->value, secret->value_len));
    if (secret->content_type)
        TRY(set_text(root, "contentType", secret->content_type, strlen(secret->content_type)));
    TRY(kvp_format_dates(root, secret->not_before, secret->expires));
    return secret->tag_count ? kvp_format_tags(root, secret->tags, secret->tag_count) : KVP_OK;
}

kvp_status kvp_jwk_format_secret(const kvp_secret_set *secret, kvp_buf *ret)
{
    json_auto_t *root = json_object();
    kvp_status st;

    if (!root)
        return KVP_ERR_NO_MEMORY;
    st = build_secret(secret, root);
    if (st == KVP_OK)
        st = kvp_format_json(root, ret);
    kvp_json_wipe(root, "value");
    return st;
}

/* ---- certificates ---- */

static kvp_status build_policy(const kvp_certificate_import *import, json_t *root)
{
    json_t *policy = json_object(), *key_props, *secret_props;

    TRY(kvp_format_set(root, "policy", policy));
    key_props = json_object();
    TRY(kvp_format_set(policy, "key_props", key_props));
    TRY(kvp_format_set(key_props, "exportable", json_boolean(import->exportable)));
    secret_props = json_object();
    TRY(kvp_format_set(policy, "secret_props", secret_props));
    return kvp_format_set(
        secret_props, "contentType",
        json_string(import->pem ? "application/x-pem-file" : "application/x-pkcs12"));
}

static kvp_status build_certificate_import(const kvp_certificate_import *import, json_t *root)
{
    TRY(set_text(root, "value", import->value, import->value_len));
    if (import->password)
        TRY(set_text(root, "pwd", import->password, strlen(import->password)));
    TRY(build_policy(import, root));
    return import->tag_count ? kvp_format_tags(root, import->tags, import->tag_count) : KVP_OK;
}

kvp_status kvp_jwk_format_certificate_import(const kvp_certificate_import *import, kvp_buf *ret)
{
    json_auto_t *root = json_object();
    kvp_status st;

    if (!root)
        return KVP_ERR_NO_MEMORY;
    st = build_certificate_import(import, root);
    if (st == KVP_OK)
        st = kvp_format_json(root, ret);
    kvp_json_wipe(root, "value");
    kvp_json_wipe(root, "pwd");
    return st;
}

static kvp_status build_merge(const kvp_certificate_merge *merge, json_t *root)
{
    json_t *chain = json_array();

    TRY(kvp_format_set(root, "x5c", chain));
    for (size_t i = 0; i < merge->count; i++) {
        kvp_buf text = KVP_BUF_INIT(0);
        kvp_status st = kvp_base64_encode(merge->chain[i].data, merge->chain[i].len, &text);

        if (st == KVP_OK && json_array_append_new(chain, json_string(kvp_buf_str(&text))) != 0)
            st = KVP_ERR_NO_MEMORY;
        kvp_buf_clear(&text);
        TRY(st);
    }
    return merge->tag_count ? kvp_format_tags(root, merge->tags, merge->tag_count) : KVP_OK;
}

kvp_status kvp_jwk_format_merge(const kvp_certificate_merge *merge, kvp_buf *ret)
{
    json_auto_t *root = json_object();

    if (!root)
        return KVP_ERR_NO_MEMORY;
    TRY(build_merge(merge, root));
    return kvp_format_json(root, ret);
}

/* ---- certificates that are being made ---- */

void kvp_certificate_pending_clear(kvp_certificate_pending *pending)
{
    if (pending)
        kvp_buf_clear(&pending->csr);
}

kvp_status kvp_jwk_parse_pending(const char *json, size_t len, kvp_certificate_pending *ret,
                                 kvp_error *reterr)
{
    kvp_certificate_pending pending = { .csr = KVP_BUF_INIT(0) };
    json_auto_t *root = NULL;
    const char *status = NULL, *csr = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st != KVP_OK)
        return st;
    if ((st = kvp_json_string(root, "", "status", true, &status, reterr)) != KVP_OK ||
        (st = kvp_json_string(root, "", "csr", false, &csr, reterr)) != KVP_OK)
        return st;
    pending.in_progress = strcmp(status, "inProgress") == 0;
    if (csr)
        st = kvp_base64_decode(csr, strlen(csr), &pending.csr);
    if (st != KVP_OK) {
        kvp_certificate_pending_clear(&pending);
        return kvp_error_set(reterr, st, "`csr` is no base64");
    }
    *ret = pending;
    return KVP_OK;
}
