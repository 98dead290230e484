/* SPDX-License-Identifier: MIT */
/* AES by the token. */
#include "vaultd/token_internal.h"

#include "base/alloc.h"

#include <string.h>

#define BLOCK 16
#define HALF 8
#define GCM_IV 12
#define GCM_TAG 16

/* One call into the token with @key's AES object: @len bytes of @value become *@out_len of @out. */
static CK_RV run(const kvp_token_key *in, CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                 bool encrypt, const void *value, size_t len, uint8_t *out, CK_ULONG *out_len)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(in->token);
    static uint8_t nothing[1];
    CK_BYTE *data = len > 0 ? (CK_BYTE *)(uintptr_t)value : nothing; /* no module takes NULL */
    CK_RV rv = encrypt ? f->C_EncryptInit(session, mechanism, in->aes_key)
                       : f->C_DecryptInit(session, mechanism, in->aes_key);

    if (rv != CKR_OK)
        return rv;
    return encrypt ? f->C_Encrypt(session, data, len, out, out_len)
                   : f->C_Decrypt(session, data, len, out, out_len);
}

/* Say what @rv means after working on a ciphertext (not @encrypt) or on a plaintext. */
static kvp_status tell(kvp_error *reterr, bool encrypt, CK_RV rv)
{
    if (!encrypt && kvp_token_blames_data(rv))
        return kvp_error_set(reterr, KVP_ERR_MISMATCH, "the token cannot decrypt this");
    return kvp_token_failed(reterr, encrypt ? "encrypting" : "decrypting", rv);
}

/* Take a session, run once, append what comes to @ret, which gets at most @room bytes more than
 * @len. */
static kvp_status run_once(const kvp_engine_key *key, CK_MECHANISM *mechanism, bool encrypt,
                           const void *value, size_t len, size_t room, kvp_buf *ret,
                           kvp_error *reterr)
{
    CK_SESSION_HANDLE session;
    uint8_t *out = kvp_buf_reserve(ret, len + room);
    CK_ULONG out_len = len + room;
    kvp_status status = out ? kvp_token_take(key->in_token->token, &session, reterr)
                            : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "AES");

    if (status != KVP_OK)
        return status;
    CK_RV rv = run(key->in_token, session, mechanism, encrypt, value, len, out, &out_len);
    kvp_token_give(key->in_token->token, session, rv);
    if (rv != CKR_OK)
        return tell(reterr, encrypt, rv);
    ret->len += out_len;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

kvp_status kvp_token_cbc(const kvp_engine_key *key, bool pad, const uint8_t *iv, bool encrypt,
                         const void *value, size_t len, kvp_buf *ret, kvp_error *reterr)
{
    CK_MECHANISM mechanism = { pad ? CKM_AES_CBC_PAD : CKM_AES_CBC, (void *)(uintptr_t)iv, BLOCK };

    return run_once(key, &mechanism, encrypt, value, len, BLOCK, ret, reterr);
}

static CK_GCM_PARAMS gcm_parameters(const uint8_t *iv, const kvp_buf *aad)
{
    return (CK_GCM_PARAMS){ .iv_ptr = (CK_BYTE *)(uintptr_t)iv,
                            .iv_len = GCM_IV,
                            .iv_bits = GCM_IV * 8,
                            .aad_ptr = aad->len > 0 ? aad->data : NULL,
                            .aad_len = aad->len,
                            .tag_bits = GCM_TAG * 8 };
}

kvp_status kvp_token_gcm_encrypt(const kvp_engine_key *key, const uint8_t *iv, const kvp_buf *aad,
                                 const void *value, size_t len, uint8_t *tag, kvp_buf *ret,
                                 kvp_error *reterr)
{
    CK_GCM_PARAMS gcm = gcm_parameters(iv, aad);
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
    kvp_status status = run_once(key, &mechanism, true, value, len, GCM_TAG + BLOCK, ret, reterr);

    if (status != KVP_OK)
        return status;
    /* The tag follows the ciphertext (PKCS#11 v3.1 §6.10.5). */
    if (ret->len < GCM_TAG)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "the token made no tag");
    ret->len -= GCM_TAG;
    memcpy(tag, ret->data + ret->len, GCM_TAG);
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

kvp_status kvp_token_gcm_decrypt(const kvp_engine_key *key, const uint8_t *iv, const kvp_buf *aad,
                                 const void *value, size_t len, const uint8_t *tag, kvp_buf *ret,
                                 kvp_error *reterr)
{
    CK_GCM_PARAMS gcm = gcm_parameters(iv, aad);
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof(gcm) };
    kvp_buf both = KVP_BUF_INIT(0);
    kvp_status status = kvp_buf_append(&both, value, len);

    if (status == KVP_OK)
        status = kvp_buf_append(&both, tag, GCM_TAG);
    status = status == KVP_OK
                 ? run_once(key, &mechanism, false, both.data, both.len, BLOCK, ret, reterr)
                 : kvp_error_set(reterr, status, "AES-GCM");
    kvp_buf_clear(&both);
    return status;
}

/* --- key wrap -------------------------------------------------------------------------------- */

/* One block of AES-ECB in place. */
static CK_RV ecb(const kvp_token_key *in, CK_SESSION_HANDLE session, bool encrypt,
                 uint8_t block[BLOCK])
{
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    uint8_t out[2 * BLOCK];
    CK_ULONG len = sizeof(out);
    CK_RV rv = run(in, session, &mechanism, encrypt, block, BLOCK, out, &len);

    if (rv == CKR_OK && len != BLOCK)
        rv = CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
        memcpy(block, out, BLOCK);
    kvp_wipe(out, sizeof(out));
    return rv;
}

/* The counter of a step goes into the first half (RFC 3394 §2.2.1). */
static void mix(uint8_t block[BLOCK], uint64_t step)
{
    for (int i = HALF - 1; i >= 0; i--, step >>= 8)
        block[i] ^= (uint8_t)step;
}

/* Wrap in place: @data is the 8 bytes of the start value and @count halves (RFC 3394 §2.2.1); a
 * single half is one block (RFC 5649 §4.1). */
static CK_RV wrap_halves(const kvp_token_key *in, CK_SESSION_HANDLE session, uint8_t *data,
                         size_t count)
{
    uint8_t block[BLOCK];
    CK_RV rv = CKR_OK;

    if (count == 1)
        return ecb(in, session, true, data);
    memcpy(block, data, HALF);
    for (size_t step = 1; step <= 6 * count && rv == CKR_OK; step++) {
        uint8_t *half = data + HALF * (1 + (step - 1) % count);
        memcpy(block + HALF, half, HALF);
        rv = ecb(in, session, true, block);
        mix(block, step);
        memcpy(half, block + HALF, HALF);
    }
    memcpy(data, block, HALF);
    kvp_wipe(block, sizeof(block));
    return rv;
}

/* The way back (RFC 3394 §2.2.2, RFC 5649 §4.2). */
static CK_RV unwrap_halves(const kvp_token_key *in, CK_SESSION_HANDLE session, uint8_t *data,
                           size_t count)
{
    uint8_t block[BLOCK];
    CK_RV rv = CKR_OK;

    if (count == 1)
        return ecb(in, session, false, data);
    memcpy(block, data, HALF);
    for (size_t step = 6 * count; step >= 1 && rv == CKR_OK; step--) {
        uint8_t *half = data + HALF * (1 + (step - 1) % count);
        memcpy(block + HALF, half, HALF);
        mix(block, step);
        rv = ecb(in, session, false, block);
        memcpy(half, block + HALF, HALF);
    }
    memcpy(data, block, HALF);
    kvp_wipe(block, sizeof(block));
    return rv;
}

/* The start value: fixed (RFC 3394 §2.2.3), or with the length of what is padded (RFC 5649 §3). */
static void start_value(bool pad, size_t len, uint8_t start[HALF])
{
    static const uint8_t padded[4] = { 0xA6, 0x59, 0x59, 0xA6 };

    memset(start, 0xA6, HALF);
    if (!pad)
        return;
    memcpy(start, padded, sizeof(padded));
    for (int i = HALF - 1; i >= 4; i--, len >>= 8)
        start[i] = (uint8_t)len;
}

kvp_status kvp_token_wrap(const kvp_engine_key *key, bool pad, const void *value, size_t len,
                          kvp_buf *ret, kvp_error *reterr)
{
    const kvp_token_key *in = key->in_token;
    size_t count = (len + HALF - 1) / HALF, total = HALF * (1 + count);
    CK_SESSION_HANDLE session;
    uint8_t *data = kvp_buf_reserve(ret, total);
    kvp_status status = data ? kvp_token_take(in->token, &session, reterr)
                             : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "AES key wrap");

    if (status != KVP_OK)
        return status;
    start_value(pad, len, data);
    memcpy(data + HALF, value, len);
    memset(data + HALF + len, 0, total - HALF - len);
    CK_RV rv = wrap_halves(in, session, data, count);
    kvp_token_give(in->token, session, rv);
    if (rv != CKR_OK) {
        kvp_wipe(data, total);
        return tell(reterr, true, rv);
    }
    ret->len += total;
    ret->data[ret->len] = '\0';
    return KVP_OK;
}

/* Whether @data, unwrapped, begins as it must; how long what was wrapped is. */
static bool start_is_right(bool pad, const uint8_t *data, size_t count, size_t *ret_len)
{
    uint8_t start[HALF];
    size_t len = HALF * count;
    uint8_t rest = 0;

    if (pad) {
        len = 0;
        for (int i = 4; i < HALF; i++)
            len = len << 8 | data[i];
        if (len > HALF * count || len + HALF <= HALF * count)
            return false;
        for (size_t i = len; i < HALF * count; i++)
            rest |= data[HALF + i];
    }
    start_value(pad, len, start);
    *ret_len = len;
    return rest == 0 && kvp_equal_secret(start, data, HALF);
}

kvp_status kvp_token_unwrap(const kvp_engine_key *key, bool pad, const void *value, size_t len,
                            kvp_buf *ret, kvp_error *reterr)
{
    const kvp_token_key *in = key->in_token;
    size_t count = len / HALF - 1, plain_len = 0;
    CK_SESSION_HANDLE session;
    kvp_buf data = KVP_BUF_INIT_SECRET(0);
    kvp_status status = kvp_buf_append(&data, value, len) == KVP_OK
                            ? kvp_token_take(in->token, &session, reterr)
                            : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "AES key wrap");

    if (status == KVP_OK) {
        CK_RV rv = unwrap_halves(in, session, data.data, count);
        kvp_token_give(in->token, session, rv);
        if (rv != CKR_OK)
            status = kvp_token_failed(reterr, "unwrapping", rv);
        else if (!start_is_right(pad, data.data, count, &plain_len))
            status = kvp_error_set(reterr, KVP_ERR_MISMATCH, "the value was not wrapped so");
        else if (kvp_buf_append(ret, data.data + HALF, plain_len) != KVP_OK)
            status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "AES key wrap");
    }
    kvp_buf_clear(&data);
    return status;
}
