/* SPDX-License-Identifier: MIT */
/* JSON: members of requests with their types checked, documents of answers written. */
#include "vaultd/exchange.h"

#include "jwk/base64url.h"

#include <string.h>

typedef struct writer {
    kvp_buf *buf;
    kvp_status status;
} writer;

static int write_chunk(const char *data, size_t len, void *arg)
{
    writer *w = arg;

    w->status = kvp_buf_append(w->buf, data, len);
    return w->status == KVP_OK ? 0 : -1;
}

kvp_status kvp_json_write(const json_t *document, bool sorted, kvp_buf *ret)
{
    writer w = { ret, KVP_OK };

    if (json_dump_callback(document, write_chunk, &w,
                           JSON_COMPACT | (sorted ? JSON_SORT_KEYS : JSON_PRESERVE_ORDER)) != 0)
        return w.status == KVP_OK ? KVP_ERR_NO_MEMORY : w.status;
    return KVP_OK;
}

json_t *kvp_json_base64url(const void *data, size_t len)
{
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    json_t *string = NULL;

    if (kvp_base64url_encode(data, len, &text) == KVP_OK)
        string = json_stringn(kvp_buf_str(&text), text.len);
    kvp_buf_clear(&text);
    return string;
}

/* The member, or NULL when absent; *ret_ok says whether to go on. */
static const json_t *member(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                            json_type type, bool *ret_ok)
{
    const json_t *value = json_object_get(object, name);

    *ret_ok = true;
    if (json_is_null(value))
        value = NULL;
    bool fits = value ? json_typeof(value) == type || (type == JSON_TRUE && json_is_boolean(value))
                      : !required;
    if (!fits) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
        *ret_ok = false;
        return NULL;
    }
    return value;
}

bool kvp_member_string(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                       const char **ret)
{
    bool ok;
    const json_t *value = member(ex, object, name, required, JSON_STRING, &ok);

    if (value)
        *ret = json_string_value(value);
    return ok;
}

bool kvp_member_integer(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                        json_int_t *ret)
{
    bool ok;
    const json_t *value = member(ex, object, name, required, JSON_INTEGER, &ok);

    if (value)
        *ret = json_integer_value(value);
    return ok;
}

bool kvp_member_boolean(kvp_exchange *ex, const json_t *object, const char *name, bool *ret)
{
    bool ok;
    const json_t *value = member(ex, object, name, false, JSON_TRUE, &ok);

    if (value)
        *ret = json_is_true(value);
    return ok;
}

bool kvp_member_object(kvp_exchange *ex, const json_t *object, const char *name, const json_t **ret)
{
    bool ok;

    *ret = member(ex, object, name, false, JSON_OBJECT, &ok);
    return ok;
}

bool kvp_member_array(kvp_exchange *ex, const json_t *object, const char *name, const json_t **ret)
{
    bool ok;

    *ret = member(ex, object, name, false, JSON_ARRAY, &ok);
    return ok;
}

bool kvp_member_bytes(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                      kvp_buf *ret)
{
    bool ok;
    const json_t *value = member(ex, object, name, required, JSON_STRING, &ok);

    if (!value)
        return ok;
    if (kvp_base64url_decode(json_string_value(value), json_string_length(value), ret) != KVP_OK) {
        kvp_buf_clear(ret);
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
        return false;
    }
    return true;
}
