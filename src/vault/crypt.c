/* SPDX-License-Identifier: MIT */
/* Use of keys (wire reference, section 5): sign, verify, encrypt, decrypt, wrap, unwrap; random
 * bytes. */
#include "vault/internal.h"
#include "base/alloc.h"

#include <string.h>

#define RANDOM_PIECE 128

/* POST @body to an operation of a key; the operation must be on one version, the one seen before.
 */
static kvp_status post_operation(kvp_call *call, const char *name, const char *version,
                                 const char *operation, const kvp_buf *body, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_status st;

    if (!version || version[0] == '\0')
        return kvp_error_set(reterr, KVP_ERR_INVALID, "a key is used by its version");
    st = kvp_key_path(name, version, operation, &path, reterr);
    return st == KVP_OK ? kvp_call_path(call, "POST", path, body, reterr) : st;
}

/* Result and check that it comes from the key that was asked: a service that used another version
 * must not pass for a signature of this one. */
static kvp_status take_result(kvp_call *call, const char *name, const char *version,
                              kvp_operation_result *ret, kvp_error *reterr)
{
    kvp_key answered = { 0 };
    kvp_status st = kvp_jwk_parse_operation((const char *)call->response.body.data,
                                            call->response.body.len, ret, reterr);

    if (st == KVP_OK && ret->kid) {
        kvp_call_object(call, ret->kid);
        st = kvp_jwk_split_id(ret->kid, "keys", &answered.name, &answered.version, reterr);
        if (st == KVP_OK)
            st = kvp_key_matches(&answered, name, version, reterr);
        kvp_free(answered.name);
        kvp_free(answered.version);
    }
    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "the vault's answer: ");
        kvp_operation_result_clear(ret);
    }
    return st;
}

static bool is_usable(kvp_alg alg, kvp_error *reterr)
{
    if (kvp_alg_name(alg)[0] != '\0')
        return true;
    kvp_error_set(reterr, KVP_ERR_INVALID, "no such algorithm");
    return false;
}

static kvp_status operate(kvp_vault *vault, const char *operation, const char *name,
                          const char *version, const kvp_buf *body, kvp_trace *trace,
                          kvp_operation_result *ret, kvp_error *reterr)
{
    kvp_call call;
    kvp_status st = kvp_call_begin(&call, vault, trace, reterr);

    if (st != KVP_OK)
        return st;
    st = post_operation(&call, name, version, operation, body, reterr);
    if (st == KVP_OK)
        st = take_result(&call, name, version, ret, reterr);
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_sign(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                          const void *value, size_t len, kvp_trace *trace, kvp_buf *ret_sig,
                          kvp_error *reterr)
{
    kvp_operation_result result = { 0 };
    kvp_buf body = KVP_BUF_INIT_SECRET(0);
    size_t wanted = kvp_alg_digest_len(alg);
    kvp_status st;

    if (!is_usable(alg, reterr))
        return KVP_ERR_INVALID;
    if (wanted != 0 && len != wanted)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s signs %zu bytes, not %zu",
                             kvp_alg_name(alg), wanted, len);
    st = kvp_jwk_format_operation(kvp_alg_name(alg), value, len, NULL, NULL, NULL, &body);
    if (st != KVP_OK)
        kvp_error_set(reterr, st, "sign request");
    else
        st = operate(vault, "sign", name, version, &body, trace, &result, reterr);
    if (st == KVP_OK && result.value.len == 0)
        st = kvp_error_set(reterr, KVP_ERR_PARSE, "the vault's answer: `value` is missing");
    if (st == KVP_OK)
        kvp_buf_take(ret_sig, &result.value);
    kvp_operation_result_clear(&result);
    kvp_buf_clear(&body);
    return st;
}

kvp_status kvp_vault_verify(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                            const void *digest, size_t len, const void *sig, size_t sig_len,
                            kvp_trace *trace, kvp_error *reterr)
{
    kvp_buf body = KVP_BUF_INIT_SECRET(0);
    kvp_call call;
    bool valid = false;
    kvp_status st;

    if (!is_usable(alg, reterr))
        return KVP_ERR_INVALID;
    st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK)
        return st;
    st = kvp_jwk_format_verify(kvp_alg_name(alg), digest, len, sig, sig_len, &body);
    if (st != KVP_OK)
        kvp_error_set(reterr, st, "verify request");
    else
        st = post_operation(&call, name, version, "verify", &body, reterr);
    if (st == KVP_OK) {
        st = kvp_jwk_parse_verify((const char *)call.response.body.data, call.response.body.len,
                                  &valid, reterr);
        if (st != KVP_OK)
            kvp_error_prefix(reterr, "the vault's answer: ");
        else if (!valid)
            st = kvp_error_set(reterr, KVP_ERR_MISMATCH, "the signature is wrong");
    }
    kvp_buf_clear(&body);
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_crypt(kvp_vault *vault, kvp_crypt what, const char *name, const char *version,
                           kvp_alg alg, const void *in, size_t in_len, const kvp_buf *iv,
                           const kvp_buf *aad, const kvp_buf *tag, kvp_trace *trace,
                           kvp_operation_result *ret, kvp_error *reterr)
{
    static const char *const operations[] = {
        [KVP_CRYPT_ENCRYPT] = "encrypt",
        [KVP_CRYPT_DECRYPT] = "decrypt",
        [KVP_CRYPT_WRAP] = "wrapKey",
        [KVP_CRYPT_UNWRAP] = "unwrapKey",
    };
    kvp_buf body = KVP_BUF_INIT_SECRET(0);
    kvp_operation_result result = { 0 };
    kvp_status st;

    if (!is_usable(alg, reterr))
        return KVP_ERR_INVALID;
    if ((size_t)what >= KVP_ARRAY_LEN(operations))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "no such operation");
    st = kvp_jwk_format_operation(kvp_alg_name(alg), in, in_len, iv, aad, tag, &body);
    if (st != KVP_OK)
        kvp_error_set(reterr, st, "%s request", operations[what]);
    else
        st = operate(vault, operations[what], name, version, &body, trace, &result, reterr);
    if (st == KVP_OK) {
        kvp_operation_result_clear(ret);
        *ret = result;
    }
    kvp_buf_clear(&body);
    return st;
}

static kvp_status random_piece(kvp_call *call, size_t len, uint8_t *ret, kvp_error *reterr)
{
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_operation_result result = { 0 };
    kvp_status st = kvp_jwk_format_random((unsigned)len, &body);

    if (st != KVP_OK)
        kvp_error_set(reterr, st, "random request");
    else
        st = kvp_call_path(call, "POST", "/rng", &body, reterr);
    if (st == KVP_OK) {
        st = kvp_jwk_parse_operation((const char *)call->response.body.data,
                                     call->response.body.len, &result, reterr);
        if (st == KVP_OK && result.value.len != len)
            st = kvp_error_set(reterr, KVP_ERR_PARSE, "%zu random bytes where %zu were asked for",
                               result.value.len, len);
        if (st != KVP_OK)
            kvp_error_prefix(reterr, "the vault's answer: ");
    }
    if (st == KVP_OK)
        memcpy(ret, result.value.data, len);
    kvp_operation_result_clear(&result);
    kvp_buf_clear(&body);
    return st;
}

kvp_status kvp_vault_random(kvp_vault *vault, void *ret, size_t len, kvp_trace *trace,
                            kvp_error *reterr)
{
    kvp_buf bytes = KVP_BUF_INIT_SECRET(len);
    kvp_call call;
    kvp_status st = kvp_call_begin(&call, vault, trace, reterr);

    if (st != KVP_OK || len == 0)
        return st;
    if (!kvp_buf_reserve(&bytes, len))
        st = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "random bytes");
    while (st == KVP_OK && bytes.len < len) {
        size_t piece = len - bytes.len < RANDOM_PIECE ? len - bytes.len : RANDOM_PIECE;

        st = random_piece(&call, piece, bytes.data + bytes.len, reterr);
        if (st == KVP_OK)
            bytes.len += piece;
    }
    if (st == KVP_OK)
        memcpy(ret, bytes.data, len);
    kvp_buf_clear(&bytes);
    kvp_call_end(&call);
    return st;
}
