/* SPDX-License-Identifier: MIT */
/*
 * What every parser of this room does to JSON: load it within limits, take members by type, say
 * which member is wrong. The meaning of documents stands in parse.c and its siblings.
 */
#include "jwk/internal.h"
#include "jwk/base64url.h"

#include <string.h>

/* Nesting, counted outside strings; what is not JSON at all is left to the parser. */
static bool too_deep(const char *json, size_t len)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = json[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > KVP_JSON_MAX_DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

kvp_status kvp_json_load(const char *json, size_t len, json_t **ret, kvp_error *reterr)
{
    json_error_t where;
    json_t *root;

    if (!json || len == 0)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the document is empty");
    if (too_deep(json, len))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the document nests deeper than %d levels",
                             KVP_JSON_MAX_DEPTH);
    root = json_loadb(json, len, 0, &where);
    if (!root && json_error_code(&where) == json_error_out_of_memory)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "parsing JSON");
    if (!root)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the document is no JSON: line %d, column %d",
                             where.line, where.column);
    if (!json_is_object(root)) {
        json_decref(root);
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the document is no JSON object");
    }
    *ret = root;
    return KVP_OK;
}

static kvp_status wrong_type(const char *path, const char *name, const char *want,
                             kvp_error *reterr)
{
    return kvp_error_set(reterr, KVP_ERR_PARSE, "`%s%s` is no %s", path, name, want);
}

static kvp_status missing(const char *path, const char *name, kvp_error *reterr)
{
    return kvp_error_set(reterr, KVP_ERR_PARSE, "`%s%s` is missing", path, name);
}

/* The member, or NULL where it is absent or null. */
static json_t *member(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

kvp_status kvp_json_string(const json_t *object, const char *path, const char *name, bool required,
                           const char **ret, kvp_error *reterr)
{
    const json_t *value = member(object, name);

    if (!value)
        return required ? missing(path, name, reterr) : KVP_OK;
    if (!json_is_string(value))
        return wrong_type(path, name, "string", reterr);
    *ret = json_string_value(value);
    return KVP_OK;
}

kvp_status kvp_json_bool(const json_t *object, const char *path, const char *name, bool *ret,
                         kvp_error *reterr)
{
    const json_t *value = member(object, name);

    if (!value)
        return KVP_OK;
    if (!json_is_boolean(value))
        return wrong_type(path, name, "boolean", reterr);
    *ret = json_is_true(value);
    return KVP_OK;
}

kvp_status kvp_json_int(const json_t *object, const char *path, const char *name, int64_t *ret,
                        kvp_error *reterr)
{
    const json_t *value = member(object, name);

    if (!value)
        return KVP_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong_type(path, name, "integer from 0 on", reterr);
    *ret = json_integer_value(value);
    return KVP_OK;
}

kvp_status kvp_json_object(const json_t *object, const char *path, const char *name, bool required,
                           json_t **ret, kvp_error *reterr)
{
    json_t *value = member(object, name);

    if (!value)
        return required ? missing(path, name, reterr) : KVP_OK;
    if (!json_is_object(value))
        return wrong_type(path, name, "object", reterr);
    *ret = value;
    return KVP_OK;
}

kvp_status kvp_json_bytes(const json_t *object, const char *path, const char *name, bool required,
                          kvp_buf *ret, kvp_error *reterr)
{
    const char *text = NULL;
    kvp_status st = kvp_json_string(object, path, name, required, &text, reterr);

    if (st != KVP_OK || !text)
        return st;
    kvp_buf_clear(ret);
    st = kvp_base64url_decode(text, strlen(text), ret);
    if (st == KVP_ERR_PARSE)
        return wrong_type(path, name, "base64url", reterr);
    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "decoding `%s%s`", path, name);
    return KVP_OK;
}

void kvp_json_wipe(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    /* The text belongs to the document, which is ours; jansson only shows it as const. */
    if (json_is_string(value)) {
        union {
            const char *shown;
            char *own;
        } text = { .shown = json_string_value(value) };

        kvp_wipe(text.own, json_string_length(value));
    }
}
