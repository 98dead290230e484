/* SPDX-License-Identifier: MIT */
/*
 * Short answers: what crypto operations return, and the token endpoint's success. Their values are
 * secrets as often as not, so the document's own copies are overwritten before it is freed.
 */
#include "jwk/internal.h"
#include "base/alloc.h"

#include <string.h>

void kvp_operation_result_clear(kvp_operation_result *result)
{
    if (!result)
        return;
    kvp_free(result->kid);
    result->kid = NULL;
    kvp_buf_clear(&result->value);
    kvp_buf_clear(&result->iv);
    kvp_buf_clear(&result->tag);
}

kvp_status kvp_jwk_parse_operation(const char *json, size_t len, kvp_operation_result *ret,
                                   kvp_error *reterr)
{
    kvp_operation_result result = { .value = KVP_BUF_INIT_SECRET(0) };
    json_auto_t *root = NULL;
    const char *kid = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st != KVP_OK)
        return st;
    if ((st = kvp_json_string(root, "", "kid", false, &kid, reterr)) == KVP_OK &&
        (st = kvp_json_bytes(root, "", "value", false, &result.value, reterr)) == KVP_OK &&
        (st = kvp_json_bytes(root, "", "iv", false, &result.iv, reterr)) == KVP_OK &&
        (st = kvp_json_bytes(root, "", "tag", false, &result.tag, reterr)) == KVP_OK && kid) {
        result.kid = kvp_strdup(kid);
        if (!result.kid)
            st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key identifier");
    }
    kvp_json_wipe(root, "value");
    if (st != KVP_OK) {
        kvp_operation_result_clear(&result);
        return st;
    }
    *ret = result;
    return KVP_OK;
}

kvp_status kvp_jwk_parse_verify(const char *json, size_t len, bool *ret_valid, kvp_error *reterr)
{
    json_auto_t *root = NULL;
    const json_t *value;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st != KVP_OK)
        return st;
    value = json_object_get(root, "value");
    if (!json_is_boolean(value))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`value` is no boolean");
    *ret_valid = json_is_true(value);
    return KVP_OK;
}

/* Seconds as an integer or, as the instance metadata service writes them, as a string of digits. */
static kvp_status seconds(const json_t *root, const char *name, int64_t *ret, kvp_error *reterr)
{
    const char *text = json_string_value(json_object_get(root, name));
    int64_t value = 0;
    size_t i;

    if (!text)
        return kvp_json_int(root, "", name, ret, reterr);
    for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 15; i++)
        value = value * 10 + (text[i] - '0');
    if (i == 0 || text[i] != '\0')
        return kvp_error_set(reterr, KVP_ERR_PARSE, "`%s` is no number of seconds", name);
    *ret = value;
    return KVP_OK;
}

void kvp_token_response_clear(kvp_token_response *response)
{
    if (response)
        kvp_buf_clear(&response->access_token);
}

kvp_status kvp_jwk_parse_token(const char *json, size_t len, kvp_token_response *ret,
                               kvp_error *reterr)
{
    kvp_token_response response = {
        .access_token = KVP_BUF_INIT_SECRET(0), .expires_in = -1, .expires_on = -1, .refresh_in = -1
    };
    json_auto_t *root = NULL;
    const char *token = NULL;
    kvp_status st = kvp_json_load(json, len, &root, reterr);

    if (st != KVP_OK)
        return st;
    if ((st = kvp_json_string(root, "", "access_token", true, &token, reterr)) == KVP_OK &&
        (st = seconds(root, "expires_in", &response.expires_in, reterr)) == KVP_OK &&
        (st = seconds(root, "expires_on", &response.expires_on, reterr)) == KVP_OK &&
        (st = seconds(root, "refresh_in", &response.refresh_in, reterr)) == KVP_OK) {
        /* It becomes a header line: b64token of RFC 6750 §2.1 and nothing else. */
        size_t token_len = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-._~+/=");

        if (token_len == 0 || token[token_len] != '\0')
            st = kvp_error_set(reterr, KVP_ERR_PARSE, "`access_token` is no bearer token");
        else if ((st = kvp_buf_append(&response.access_token, token, token_len)) != KVP_OK)
            kvp_error_set(reterr, st, "access token");
    }
    kvp_json_wipe(root, "access_token");
    if (st != KVP_OK) {
        kvp_token_response_clear(&response);
        return st;
    }
    *ret = response;
    return KVP_OK;
}
