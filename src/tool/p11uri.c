/* SPDX-License-Identifier: MIT */
/* PKCS#11 URIs by p11-kit; see p11uri.h. */
#include "tool/p11uri.h"

#include "base/alloc.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* RFC 7512 §2.3, pk11-type. */
static const struct {
    const char *word;
    CK_OBJECT_CLASS object_class;
} types[] = {
    { "private", CKO_PRIVATE_KEY },   { "public", CKO_PUBLIC_KEY }, { "cert", CKO_CERTIFICATE },
    { "secret-key", CKO_SECRET_KEY }, { "data", CKO_DATA },
};

const char *kvp_p11uri_type(CK_OBJECT_CLASS object_class)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(types); i++)
        if (types[i].object_class == object_class)
            return types[i].word;
    return NULL;
}

bool kvp_p11uri_type_class(const char *word, CK_OBJECT_CLASS *ret)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(types); i++)
        if (strcmp(types[i].word, word) == 0) {
            *ret = types[i].object_class;
            return true;
        }
    return false;
}

void kvp_p11uri_clear(kvp_p11uri *uri)
{
    kvp_free(uri->token);
    kvp_free(uri->serial);
    kvp_free(uri->object);
    kvp_buf_clear(&uri->id);
    memset(uri, 0, sizeof(*uri));
}

bool kvp_p11uri_is(const char *text)
{
    return strncasecmp(text, P11_KIT_URI_SCHEME ":", P11_KIT_URI_SCHEME_LEN + 1) == 0;
}

/* A blank-padded field of CK_TOKEN_INFO; all zero where the URI did not have it. NULL: not there.
 */
static kvp_status take_field(const CK_UTF8CHAR *field, size_t size, char **ret)
{
    if (field[0] == 0)
        return KVP_OK;
    *ret = kvp_strndup((const char *)field, p11_kit_space_strlen(field, size));
    return *ret ? KVP_OK : KVP_ERR_NO_MEMORY;
}

static kvp_status take_parts(P11KitUri *parsed, kvp_p11uri *ret)
{
    CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(parsed);
    CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(parsed, CKA_LABEL);
    CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(parsed, CKA_ID);
    CK_ATTRIBUTE *object_class = p11_kit_uri_get_attribute(parsed, CKA_CLASS);
    kvp_status st = take_field(token->label, sizeof(token->label), &ret->token);

    if (st == KVP_OK)
        st = take_field(token->serialNumber, sizeof(token->serialNumber), &ret->serial);
    if (st == KVP_OK && label) {
        ret->object = kvp_strndup(label->pValue, label->ulValueLen);
        st = ret->object ? KVP_OK : KVP_ERR_NO_MEMORY;
    }
    if (st == KVP_OK && id) {
        ret->has_id = true;
        st = kvp_buf_set(&ret->id, id->pValue, id->ulValueLen);
    }
    if (object_class && object_class->ulValueLen == sizeof(ret->object_class)) {
        ret->has_class = true;
        memcpy(&ret->object_class, object_class->pValue, sizeof(ret->object_class));
    }
    return st;
}

kvp_status kvp_p11uri_parse(const char *text, kvp_p11uri *ret, kvp_error *reterr)
{
    P11KitUri *parsed = p11_kit_uri_new();
    kvp_p11uri parts = { 0 };
    kvp_status st;
    int result;

    if (!parsed)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a URI");
    result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, parsed);
    if (result != P11_KIT_URI_OK)
        st = kvp_error_set(reterr, KVP_ERR_PARSE, "this is no PKCS#11 URI (RFC 7512): %s",
                           p11_kit_uri_message(result));
    else if (p11_kit_uri_any_unrecognized(parsed))
        st = kvp_error_set(
            reterr, KVP_ERR_PARSE,
            "the URI has an attribute or a type= that is not known, so it fits nothing");
    else if ((st = take_parts(parsed, &parts)) != KVP_OK)
        kvp_error_set(reterr, st, "a URI");
    p11_kit_uri_free(parsed);

    if (st == KVP_OK) {
        *ret = parts;
        memset(&parts, 0, sizeof(parts));
    }
    kvp_p11uri_clear(&parts);
    return st;
}

static kvp_status put_field(CK_UTF8CHAR *field, size_t size, const char *text, kvp_error *reterr)
{
    size_t len = text ? strlen(text) : 0;

    if (len > size)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s is longer than %zu bytes", text, size);
    if (len > 0) {
        memset(field, ' ', size);
        memcpy(field, text, len);
    }
    return KVP_OK;
}

static bool put_attribute(P11KitUri *made, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    union {
        const void *in;
        void *out;
    } pointer = { value };
    CK_ATTRIBUTE attribute = { type, pointer.out, len };

    return p11_kit_uri_set_attribute(made, &attribute) == P11_KIT_URI_OK;
}

kvp_status kvp_p11uri_format(const kvp_p11uri *uri, char **ret, kvp_error *reterr)
{
    P11KitUri *made = p11_kit_uri_new();
    CK_TOKEN_INFO *token;
    char *text = NULL;
    kvp_status st;

    if (!made)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a URI");
    token = p11_kit_uri_get_token_info(made);
    st = put_field(token->label, sizeof(token->label), uri->token, reterr);
    if (st == KVP_OK)
        st = put_field(token->serialNumber, sizeof(token->serialNumber), uri->serial, reterr);
    if (st == KVP_OK &&
        ((uri->object && !put_attribute(made, CKA_LABEL, uri->object, strlen(uri->object))) ||
         (uri->has_id && !put_attribute(made, CKA_ID, uri->id.data, uri->id.len)) ||
         (uri->has_class && kvp_p11uri_type(uri->object_class) &&
          !put_attribute(made, CKA_CLASS, &uri->object_class, sizeof(uri->object_class))) ||
         p11_kit_uri_format(made, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) != P11_KIT_URI_OK))
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a URI");
    if (st == KVP_OK) {
        *ret = kvp_strdup(text);
        st = *ret ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "a URI");
    }
    free(text);
    p11_kit_uri_free(made);
    return st;
}
