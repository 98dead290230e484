/* SPDX-License-Identifier: MIT */
/* What requests say about a key: attributes, tags, operations, release policy, the JWK of an
 * import. */
#include "vaultd/key_doc.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <string.h>

#define TAGS_MAX 15 /* wire reference, section 3 */
#define TAG_CHARS_MAX 256
#define OPS_MAX 16
#define TIME_MAX 253402300799 /* end of year 9999 */

static bool no_memory(kvp_exchange *ex)
{
    kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return false;
}

/* Compact text of @value in a new string. */
static bool set_text(kvp_exchange *ex, const json_t *value, char **dst)
{
    kvp_buf text = KVP_BUF_INIT(0);
    char *copy =
        kvp_json_write(value, false, &text) == KVP_OK ? kvp_strdup(kvp_buf_str(&text)) : NULL;

    kvp_buf_clear(&text);
    if (!copy)
        return no_memory(ex);
    kvp_free(*dst);
    *dst = copy;
    return true;
}

static bool read_time(kvp_exchange *ex, const json_t *attributes, const char *name, unsigned field,
                      int64_t *dst, unsigned *fields)
{
    json_int_t value = KVP_TIME_NONE;

    if (!kvp_member_integer(ex, attributes, name, false, &value))
        return false;
    if (value == KVP_TIME_NONE && !json_is_integer(json_object_get(attributes, name)))
        return true;
    if (value < 0 || value > TIME_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
        return false;
    }
    *dst = value;
    *fields |= field;
    return true;
}

bool kvp_key_read_attributes(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                             unsigned *fields)
{
    const json_t *attributes;

    if (!kvp_member_object(ex, body, "attributes", &attributes))
        return false;
    if (!attributes)
        return true;
    if (json_is_boolean(json_object_get(attributes, "enabled")))
        *fields |= KVP_FIELD_ENABLED;
    return kvp_member_boolean(ex, attributes, "enabled", &record->enabled) &&
           kvp_member_boolean(ex, attributes, "exportable", &record->exportable) &&
           read_time(ex, attributes, "nbf", KVP_FIELD_NOT_BEFORE, &record->not_before, fields) &&
           read_time(ex, attributes, "exp", KVP_FIELD_EXPIRES, &record->expires, fields);
}

/* Characters, not bytes, of UTF-8 that jansson has checked. */
static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

bool kvp_key_read_tags(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                       unsigned *fields)
{
    const json_t *tags;
    const char *name;
    json_t *value;

    if (!kvp_member_object(ex, body, "tags", &tags))
        return false;
    if (!tags)
        return true;
    if (json_object_size(tags) > TAGS_MAX) {
        kvp_refuse(ex, KVP_REFUSE_TAGS);
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)tags, name, value)
    {
        if (!json_is_string(value)) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "tags");
            return false;
        }
        if (characters(name) > TAG_CHARS_MAX ||
            characters(json_string_value(value)) > TAG_CHARS_MAX) {
            kvp_refuse(ex, KVP_REFUSE_TAGS);
            return false;
        }
    }
    *fields |= KVP_FIELD_TAGS;
    return set_text(ex, tags, &record->tags_json);
}

static bool is_operation(const char *word)
{
    static const char *const words[] = { "encrypt",   "decrypt", "sign",   "verify",   "wrapKey",
                                         "unwrapKey", "import",  "export", "deriveKey" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(words); i++) {
        if (strcmp(words[i], word) == 0)
            return true;
    }
    return false;
}

bool kvp_key_read_ops(kvp_exchange *ex, const json_t *holder, kvp_key_record *record,
                      unsigned *fields)
{
    const json_t *ops;

    if (!kvp_member_array(ex, holder, "key_ops", &ops))
        return false;
    if (!ops)
        return true;
    if (json_array_size(ops) > OPS_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "key_ops");
        return false;
    }
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *word = json_string_value(json_array_get(ops, i));
        if (!word || !is_operation(word)) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "key_ops");
            return false;
        }
    }
    *fields |= KVP_FIELD_OPS;
    return set_text(ex, ops, &record->ops_json);
}

/* `data` is base64url of a JSON document that says its version. */
static bool check_policy_data(kvp_exchange *ex, const json_t *policy)
{
    kvp_buf data = KVP_BUF_INIT(0);
    bool ok = kvp_member_bytes(ex, policy, "data", true, &data);

    if (ok) {
        json_t *document = json_loadb(kvp_buf_str(&data), data.len, 0, NULL);
        ok = json_is_string(json_object_get(document, "version"));
        if (!ok)
            kvp_refuse(ex, KVP_REFUSE_POLICY_VERSION);
        json_decref(document);
    }
    kvp_buf_clear(&data);
    return ok;
}

bool kvp_key_read_policy(kvp_exchange *ex, const json_t *body, kvp_key_record *record,
                         unsigned *fields)
{
    const char *type = "application/json; charset=utf-8", *data = NULL;
    bool immutable = false;
    const json_t *policy;

    if (!kvp_member_object(ex, body, "release_policy", &policy))
        return false;
    if (record->exportable && !policy && !record->policy_json) {
        kvp_refuse(ex, KVP_REFUSE_POLICY_NEEDED);
        return false;
    }
    if (!policy)
        return true;
    if (!record->exportable) {
        kvp_refuse(ex, KVP_REFUSE_POLICY_NEEDLESS);
        return false;
    }
    if (record->policy_json && strstr(record->policy_json, "\"immutable\":true")) {
        kvp_refuse(ex, KVP_REFUSE_POLICY_IMMUTABLE);
        return false;
    }
    if (!kvp_member_string(ex, policy, "contentType", false, &type) ||
        !kvp_member_string(ex, policy, "data", true, &data) ||
        !kvp_member_boolean(ex, policy, "immutable", &immutable) || !check_policy_data(ex, policy))
        return false;
    json_t *stored =
        json_pack("{s:s, s:s, s:b}", "contentType", type, "data", data, "immutable", immutable);
    bool ok = stored ? set_text(ex, stored, &record->policy_json) : no_memory(ex);
    json_decref(stored);
    *fields |= KVP_FIELD_POLICY;
    return ok;
}

static bool import_rsa(kvp_exchange *ex, const json_t *jwk, kvp_engine_key **ret_key,
                       kvp_error *reterr)
{
    kvp_engine_rsa_parts parts = { .n = KVP_BUF_INIT(0) };
    struct {
        const char *name;
        kvp_buf *buf;
    } members[] = {
        { "n", &parts.n }, { "e", &parts.e },   { "d", &parts.d },   { "p", &parts.p },
        { "q", &parts.q }, { "dp", &parts.dp }, { "dq", &parts.dq }, { "qi", &parts.qi }
    };
    bool ok = true;

    for (size_t i = 0; i < KVP_ARRAY_LEN(members) && ok; i++) {
        members[i].buf->secret = i >= 2;
        ok = kvp_member_bytes(ex, jwk, members[i].name, false, members[i].buf);
        if (ok && members[i].buf->len == 0) {
            kvp_refuse(ex, KVP_REFUSE_JWK);
            ok = false;
        }
    }
    if (ok)
        ok = kvp_engine_import_rsa(&parts, ret_key, reterr) == KVP_OK;
    kvp_engine_rsa_parts_clear(&parts);
    return ok;
}

static bool import_ec(kvp_exchange *ex, const json_t *jwk, kvp_engine_key **ret_key,
                      kvp_error *reterr)
{
    kvp_buf x = KVP_BUF_INIT(0), y = KVP_BUF_INIT(0), d = KVP_BUF_INIT_SECRET(0);
    const char *crv = NULL;
    bool ok = kvp_member_string(ex, jwk, "crv", false, &crv) &&
              kvp_member_bytes(ex, jwk, "x", false, &x) &&
              kvp_member_bytes(ex, jwk, "y", false, &y) &&
              kvp_member_bytes(ex, jwk, "d", false, &d);
    const kvp_engine_curve *curve = ok && crv ? kvp_engine_curve_find(crv) : NULL;

    if (ok && (!curve || x.len == 0 || y.len == 0 || d.len == 0)) {
        kvp_refuse(ex, KVP_REFUSE_JWK);
        ok = false;
    }
    if (ok)
        ok = kvp_engine_import_ec(curve, &x, &y, &d, ret_key, reterr) == KVP_OK;
    kvp_buf_clear(&x);
    kvp_buf_clear(&y);
    kvp_buf_clear(&d);
    return ok;
}

static bool import_oct(kvp_exchange *ex, const json_t *jwk, kvp_engine_key **ret_key,
                       kvp_error *reterr)
{
    kvp_buf k = KVP_BUF_INIT_SECRET(0);
    bool ok = kvp_member_bytes(ex, jwk, "k", false, &k);

    if (ok && k.len == 0) {
        kvp_refuse(ex, KVP_REFUSE_JWK);
        ok = false;
    }
    if (ok)
        ok = kvp_engine_import_oct(k.data, k.len, ret_key, reterr) == KVP_OK;
    kvp_buf_clear(&k);
    return ok;
}

bool kvp_jwk_import(kvp_exchange *ex, const json_t *jwk, kvp_engine_kind kind,
                    kvp_engine_key **ret_key)
{
    kvp_error error = { .status = KVP_OK };
    bool ok = kind == KVP_ENGINE_RSA  ? import_rsa(ex, jwk, ret_key, &error)
              : kind == KVP_ENGINE_EC ? import_ec(ex, jwk, ret_key, &error)
                                      : import_oct(ex, jwk, ret_key, &error);

    if (ok)
        return true;
    if (error.status == KVP_ERR_INVALID)
        kvp_refuse(ex, KVP_REFUSE_JWK_DETAIL, error.message);
    else if (error.status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    return false;
}
