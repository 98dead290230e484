/* SPDX-License-Identifier: MIT */
/*
 * AES (PKCS#11 v3.1 §6.13): with a session key here (mech_aes_local.c), with a key of the HSM by
 * one request. The parameter is checked for both; what the service cannot honour is refused.
 */
#include "token/mech_ops.h"

#include <string.h>

#define BLOCK ((size_t)16)
#define GCM_IV 12 /* what the service makes and takes (wire reference, section 5.2) */
#define GCM_TAG 16
#define WRAP_BLOCK 8
/* Key wrapping is for keys: longer than any. */
#define WRAP_MAX ((size_t)16 * 1024)

static bool is_remote(const kvp_crypt_operation *op)
{
    return kvp_object_secret_value(op->key) == NULL;
}

static bool encrypts(const kvp_crypt_operation *op)
{
    return op->base.kind == KVP_OPERATION_ENCRYPT;
}

static bool pads(const kvp_crypt_operation *op)
{
    return op->mechanism->type == CKM_AES_CBC_PAD;
}

static CK_RV data_len_error(const kvp_crypt_operation *op)
{
    return encrypts(op) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV set(kvp_buf *buf, const void *data, size_t len)
{
    return kvp_buf_set(buf, data, len) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}

/*
 * A request that names the algorithm by the key's size. A service before 2026-04-01 does not tell
 * the size of a symmetric key: then the usual one comes first, and on 400 the others.
 */
static CK_RV remote_sized(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg128,
                          const uint8_t *in, size_t in_len, const kvp_buf *tag, size_t expected_len,
                          kvp_operation_result *ret)
{
    static const CK_ULONG sizes[] = { 256, 128, 192 };
    const kvp_buf *iv = op->iv.len ? &op->iv : NULL;
    const kvp_buf *aad = op->aad.len ? &op->aad : NULL;
    CK_ULONG bits = kvp_object_key_bits(op->key);
    CK_RV first_rv = CKR_OK;
    kvp_error first_error;

    for (size_t i = 0; i < (bits ? 1 : KVP_ARRAY_LEN(sizes)); i++) {
        kvp_alg alg = (kvp_alg)(alg128 + ((bits ? bits : sizes[i]) - 128) / 64);
        CK_RV rv =
            kvp_mech_remote_crypt(call, op, alg, in, in_len, iv, aad, tag, expected_len, ret);
        if (rv == CKR_OK) {
            kvp_error_clear(&call->error);
            return rv;
        }
        if (call->error.status != KVP_ERR_HTTP || call->error.http_status != 400)
            return rv;
        if (first_rv == CKR_OK) {
            first_rv = rv;
            first_error = call->error;
        }
    }
    call->error = first_error; /* of the usual size: what it says is most likely the reason */
    return first_rv;
}

/* Append a remote answer's value to the output. */
static CK_RV remote_value(kvp_call *call, kvp_crypt_operation *op, kvp_alg alg128,
                          size_t expected_len, kvp_buf *out)
{
    kvp_operation_result result = { 0 };
    CK_RV rv =
        remote_sized(call, op, alg128, op->data.data, op->data.len, NULL, expected_len, &result);
    if (rv == CKR_OK)
        kvp_buf_take(out, &result.value);
    kvp_operation_result_clear(&result);
    return rv;
}

/* ---- CKM_AES_CBC, CKM_AES_CBC_PAD ---- */

static CK_RV cbc_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen != BLOCK)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be an initialization vector of 16 bytes");
    CK_RV rv = set(&op->iv, mechanism->pParameter, BLOCK);
    if (rv != CKR_OK)
        return rv;
    if (!is_remote(op))
        return kvp_aes_local_start(call, op);
    op->data.max = KVP_REMOTE_DATA_MAX;
    return CKR_OK;
}

static size_t cbc_output_len(const kvp_crypt_operation *op, size_t in_len, bool last)
{
    if (is_remote(op)) {
        if (!last)
            return 0;
        size_t total = op->data.len + in_len;
        return encrypts(op) && pads(op) ? (total / BLOCK + 1) * BLOCK : total;
    }
    size_t total = op->pending + in_len;
    if (encrypts(op))
        return last && pads(op) ? (total / BLOCK + 1) * BLOCK : total / BLOCK * BLOCK;
    /* Decryption keeps a whole last block back: it may be the padding. */
    if (pads(op) && !last)
        return total ? (total - 1) / BLOCK * BLOCK : 0;
    return total / BLOCK * BLOCK;
}

/* The padding takes 1 to 16 bytes: how many is known afterwards. */
static size_t cbc_least_len(const kvp_crypt_operation *op, size_t in_len)
{
    size_t most = cbc_output_len(op, in_len, true);
    if (!pads(op) || encrypts(op))
        return most;
    return most > BLOCK ? most - BLOCK : 0;
}

static CK_RV cbc_run(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    if (!is_remote(op))
        return kvp_aes_local_finish(call, op, out);

    bool whole = op->data.len % BLOCK == 0;
    bool padded = pads(op);
    if ((!padded || !encrypts(op)) && (!whole || op->data.len == 0))
        return kvp_mech_refuse(call, data_len_error(op), "%zu bytes are no whole AES blocks",
                               op->data.len);
    size_t expected = padded && !encrypts(op) ? 0 : cbc_output_len(op, 0, true);
    CK_RV rv = remote_value(call, op, padded ? KVP_ALG_A128CBCPAD : KVP_ALG_A128CBC, expected, out);
    if (rv == CKR_OK && out->len > cbc_output_len(op, 0, true)) {
        kvp_error_set(&call->error, KVP_ERR_PARSE, "the service answered more than was sent");
        return CKR_DEVICE_ERROR;
    }
    return rv;
}

/* ---- CKM_AES_GCM ---- */

static bool gcm_tag_allowed(CK_ULONG bits)
{
    /* NIST SP 800-38D §5.2.1.2. */
    return bits == 32 || bits == 64 || (bits >= 96 && bits <= 128 && bits % 8 == 0);
}

/* Message functions: each message has its own parameter. */
static CK_RV gcm_init_messages(kvp_call *call, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen != 0 &&
        mechanism->ulParameterLen != sizeof(CK_GCM_MESSAGE_PARAMS))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be a CK_GCM_MESSAGE_PARAMS, or none");
    return CKR_OK;
}

/* Wrapping: one message, by C_WrapKey or C_WrapKeyAuthenticated, each with its own parameter. */
static CK_RV gcm_init_wrap(kvp_call *call, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen != sizeof(CK_GCM_WRAP_PARAMS) &&
        mechanism->ulParameterLen != sizeof(CK_GCM_PARAMS) &&
        mechanism->ulParameterLen != sizeof(CK_GCM_MESSAGE_PARAMS))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be a CK_GCM_WRAP_PARAMS, a CK_GCM_PARAMS or a "
                               "CK_GCM_MESSAGE_PARAMS");
    return CKR_OK;
}

static CK_RV gcm_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    CK_GCM_PARAMS params;
    if (op->use == KVP_USE_MESSAGE)
        return gcm_init_messages(call, mechanism);
    if (op->use == KVP_USE_KEY)
        return gcm_init_wrap(call, mechanism);
    if (mechanism->ulParameterLen != sizeof(params))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the parameter must be a CK_GCM_PARAMS");
    memcpy(&params, mechanism->pParameter, sizeof(params));
    if (!params.pIv || params.ulIvLen == 0 || params.ulIvLen > 256 ||
        (!params.pAAD && params.ulAADLen) || !gcm_tag_allowed(params.ulTagBits))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "GCM takes an IV of 1 to 256 bytes and a tag of 32 to 128 bits");
    if (is_remote(op) && encrypts(op))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service makes the IV itself: use C_EncryptMessage");
    if (is_remote(op) && (params.ulIvLen != GCM_IV || params.ulTagBits != GCM_TAG * 8))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service does GCM with an IV of 12 and a tag of 16 bytes only");

    op->tag_len = params.ulTagBits / 8;
    CK_RV rv = set(&op->iv, params.pIv, params.ulIvLen);
    if (rv == CKR_OK)
        rv = set(&op->aad, params.pAAD, params.ulAADLen);
    if (rv != CKR_OK)
        return rv;
    /* Decrypted text is worth nothing before its tag was seen, so ciphertext is collected. */
    op->data.max = is_remote(op) ? KVP_REMOTE_DATA_MAX : KVP_BUF_MAX_DEFAULT;
    return is_remote(op) ? CKR_OK : kvp_aes_local_start(call, op);
}

static size_t gcm_output_len(const kvp_crypt_operation *op, size_t in_len, bool last)
{
    if (encrypts(op))
        return in_len + (last ? op->tag_len : 0);
    size_t total = op->data.len + in_len;
    return last && total > op->tag_len ? total - op->tag_len : 0;
}

static CK_RV gcm_run(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    if (!encrypts(op) && op->data.len < op->tag_len)
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    if (!is_remote(op))
        return kvp_aes_local_finish(call, op, out);

    size_t len = op->data.len - op->tag_len;
    KVP_CLEANUP(kvp_buf_clear) kvp_buf tag = KVP_BUF_INIT(GCM_TAG);
    CK_RV rv = set(&tag, op->data.data + len, op->tag_len);
    if (rv != CKR_OK)
        return rv;
    kvp_operation_result result = { 0 };
    rv = remote_sized(call, op, KVP_ALG_A128GCM, op->data.data, len, &tag, len, &result);
    if (rv == CKR_OK)
        kvp_buf_take(out, &result.value);
    kvp_operation_result_clear(&result);
    return rv;
}

/* ---- CKM_AES_GCM by messages ---- */

/* The IV of a message that is encrypted here: the application's, or random after its fixed bits. */
static CK_RV gcm_message_iv(kvp_call *call, kvp_crypt_operation *op,
                            const CK_GCM_MESSAGE_PARAMS *params)
{
    if (encrypts(op) && params->ivGenerator != CKG_NO_GENERATE) {
        CK_ULONG fixed = (params->ulIvFixedBits + 7) / 8;
        uint8_t random[256];
        if (params->ivGenerator != CKG_GENERATE && params->ivGenerator != CKG_GENERATE_RANDOM)
            return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                                   "an IV is taken as it is or made at random, not counted");
        /* SP 800-38D §8.2.2: at least 96 random bits. */
        if (params->ulIvFixedBits % 8 || fixed > params->ulIvLen ||
            params->ulIvLen - fixed < GCM_IV)
            return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                                   "a random IV needs 12 bytes beside the fixed ones");
        kvp_status status = kvp_random(random, params->ulIvLen - fixed);
        if (status != KVP_OK)
            return kvp_mech_fail(call, status, "no random numbers are to be had");
        memcpy(params->pIv + fixed, random, params->ulIvLen - fixed);
    }
    return set(&op->iv, params->pIv, params->ulIvLen);
}

/* What the service takes: it makes the IV of what it encrypts (wire reference, section 5.2). */
static CK_RV gcm_check_remote(kvp_call *call, const kvp_crypt_operation *op,
                              const CK_GCM_MESSAGE_PARAMS *params)
{
    if (params->ulIvLen != GCM_IV || params->ulTagBits != GCM_TAG * 8)
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service does GCM with an IV of 12 and a tag of 16 bytes only");
    if (encrypts(op) &&
        ((params->ivGenerator != CKG_GENERATE && params->ivGenerator != CKG_GENERATE_RANDOM) ||
         params->ulIvFixedBits != 0))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the service makes the whole IV itself");
    return CKR_OK;
}

CK_RV kvp_gcm_begin(kvp_call *call, kvp_crypt_operation *op, const CK_GCM_MESSAGE_PARAMS *params,
                    const void *aad, size_t aad_len)
{
    if (!params->pIv || params->ulIvLen == 0 || params->ulIvLen > 256 ||
        !gcm_tag_allowed(params->ulTagBits))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "GCM takes an IV of 1 to 256 bytes and a tag of 32 to 128 bits");
    op->tag_len = params->ulTagBits / 8;
    op->data.max = (is_remote(op) ? KVP_REMOTE_DATA_MAX : KVP_BUF_MAX_DEFAULT) +
                   (encrypts(op) ? 0 : op->tag_len);
    CK_RV rv = set(&op->aad, aad, aad_len);
    if (rv == CKR_OK && is_remote(op))
        rv = gcm_check_remote(call, op, params);
    if (rv == CKR_OK && !(is_remote(op) && encrypts(op)))
        rv = gcm_message_iv(call, op, params);
    if (rv == CKR_OK && !is_remote(op))
        rv = kvp_aes_local_start(call, op);
    return rv;
}

size_t kvp_gcm_message_len(const kvp_crypt_operation *op, size_t in_len, bool last)
{
    if (op->cipher) /* streams */
        return in_len;
    return last ? op->data.len + in_len : 0;
}

static CK_RV gcm_encrypt_remote(kvp_call *call, kvp_crypt_operation *op,
                                const CK_GCM_MESSAGE_PARAMS *params, kvp_buf *out)
{
    kvp_operation_result result = { 0 };
    CK_RV rv = remote_sized(call, op, KVP_ALG_A128GCM, op->data.data, op->data.len, NULL,
                            op->data.len, &result);
    if (rv == CKR_OK && (result.iv.len != GCM_IV || result.tag.len != GCM_TAG)) {
        kvp_error_set(&call->error, KVP_ERR_PARSE, "the service answered no IV or no tag");
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        memcpy(params->pIv, result.iv.data, GCM_IV);
        memcpy(params->pTag, result.tag.data, GCM_TAG);
        kvp_buf_take(out, &result.value);
    }
    kvp_operation_result_clear(&result);
    return rv;
}

CK_RV kvp_gcm_end(kvp_call *call, kvp_crypt_operation *op, const CK_GCM_MESSAGE_PARAMS *params,
                  kvp_buf *out)
{
    bool remote_encrypt = is_remote(op) && encrypts(op);
    if (!params->pTag || params->ulTagBits != op->tag_len * 8 ||
        (remote_encrypt && (!params->pIv || params->ulIvLen != GCM_IV)))
        return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                               "the end of a message needs the tag's place that its begin named");
    if (remote_encrypt)
        return gcm_encrypt_remote(call, op, params, out);

    CK_RV rv = CKR_OK;
    if (!encrypts(op))
        rv = kvp_crypt_feed(call, op, params->pTag, op->tag_len, out);
    if (rv == CKR_OK)
        rv = gcm_run(call, op, out);
    if (rv == CKR_OK && encrypts(op)) {
        out->len -= op->tag_len;
        memcpy(params->pTag, out->data + out->len, op->tag_len);
    }
    return rv;
}

/* ---- CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD ---- */

static bool wrap_pads(const kvp_crypt_operation *op)
{
    return op->mechanism->type == CKM_AES_KEY_WRAP_PAD;
}

static CK_RV wrap_init(kvp_call *call, kvp_crypt_operation *op, const CK_MECHANISM *mechanism)
{
    static const uint8_t rfc3394_iv[8] = { 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6 };
    static const uint8_t rfc5649_iv[4] = { 0xa6, 0x59, 0x59, 0xa6 };
    const uint8_t *iv = wrap_pads(op) ? rfc5649_iv : rfc3394_iv;
    size_t iv_len = wrap_pads(op) ? sizeof(rfc5649_iv) : sizeof(rfc3394_iv);

    if (mechanism->ulParameterLen != 0) {
        bool usual =
            mechanism->ulParameterLen == iv_len && memcmp(mechanism->pParameter, iv, iv_len) == 0;
        if (mechanism->ulParameterLen != iv_len || (is_remote(op) && !usual))
            return kvp_mech_refuse(call, CKR_MECHANISM_PARAM_INVALID,
                                   "key wrapping takes the usual initial value only");
        iv = mechanism->pParameter;
    }
    /* The service's request has no initial value; here OpenSSL is given the one that counts. */
    if (!is_remote(op)) {
        CK_RV rv = set(&op->iv, iv, iv_len);
        if (rv != CKR_OK)
            return rv;
    }
    op->data.max = WRAP_MAX;
    return CKR_OK;
}

static size_t wrap_output_len(const kvp_crypt_operation *op, size_t in_len, bool last)
{
    if (!last)
        return 0;
    size_t total = op->data.len + in_len;
    if (encrypts(op))
        return (total + WRAP_BLOCK - 1) / WRAP_BLOCK * WRAP_BLOCK + WRAP_BLOCK;
    return total > WRAP_BLOCK ? total - WRAP_BLOCK : 0;
}

/* KWP fills up to 7 bytes. */
static size_t wrap_least_len(const kvp_crypt_operation *op, size_t in_len)
{
    size_t most = wrap_output_len(op, in_len, true);
    if (encrypts(op) || !wrap_pads(op))
        return most;
    return most >= WRAP_BLOCK ? most - (WRAP_BLOCK - 1) : 0;
}

static CK_RV wrap_check_len(kvp_call *call, const kvp_crypt_operation *op)
{
    size_t len = op->data.len;
    bool bad;
    if (encrypts(op)) /* RFC 3394 §2, RFC 5649 §3 */
        bad = wrap_pads(op) ? len == 0 : len < 2 * WRAP_BLOCK || len % WRAP_BLOCK != 0;
    else
        bad = len % WRAP_BLOCK != 0 || len < (wrap_pads(op) ? 2 : 3) * (size_t)WRAP_BLOCK;
    if (bad)
        return kvp_mech_refuse(call, data_len_error(op), "%zu bytes cannot be wrapped or unwrapped",
                               len);
    return CKR_OK;
}

static CK_RV wrap_run(kvp_call *call, kvp_crypt_operation *op, kvp_buf *out)
{
    CK_RV rv = wrap_check_len(call, op);
    if (rv != CKR_OK)
        return rv;
    if (!is_remote(op))
        return kvp_aes_local_finish(call, op, out);

    if (!wrap_pads(op))
        return remote_value(call, op, KVP_ALG_A128KW, wrap_output_len(op, 0, true), out);
    kvp_operation_result result = { 0 };
    rv =
        kvp_mech_remote_crypt(call, op, KVP_ALG_AES_KEY_WRAP_PAD, op->data.data, op->data.len, NULL,
                              NULL, NULL, encrypts(op) ? wrap_output_len(op, 0, true) : 0, &result);
    if (rv == CKR_OK)
        kvp_buf_take(out, &result.value);
    kvp_operation_result_clear(&result);
    return rv;
}

const kvp_mechanism_ops kvp_aes_cbc_ops = {
    .remote = true,
    .init = cbc_init,
    .output_len = cbc_output_len,
    .least_len = cbc_least_len,
    .stream = kvp_aes_local_stream,
    .run = { [KVP_OPERATION_ENCRYPT] = cbc_run, [KVP_OPERATION_DECRYPT] = cbc_run },
};

const kvp_mechanism_ops kvp_aes_gcm_ops = {
    .remote = true,
    .wraps_local_only = true, /* the service wraps by AES-KW and KWP (wire reference, section 5) */
    .init = gcm_init,
    .output_len = gcm_output_len,
    .stream = kvp_aes_local_stream,
    .run = { [KVP_OPERATION_ENCRYPT] = gcm_run, [KVP_OPERATION_DECRYPT] = gcm_run },
};

const kvp_mechanism_ops kvp_aes_key_wrap_ops = {
    .remote = true,
    .init = wrap_init,
    .output_len = wrap_output_len,
    .least_len = wrap_least_len,
    .run = { [KVP_OPERATION_ENCRYPT] = wrap_run, [KVP_OPERATION_DECRYPT] = wrap_run },
};
