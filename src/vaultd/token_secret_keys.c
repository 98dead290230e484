/* SPDX-License-Identifier: MIT */
/*
 * Symmetric keys of the token: made, brought in, found again. PKCS#11 binds a key to its type:
 * CKK_AES does no HMAC, CKK_GENERIC_SECRET no AES. A key of the service is for both where its size
 * fits both, which is 256 bits.
 */
#include "vaultd/token_internal.h"

#include "base/alloc.h"

#include <openssl/rand.h>
#include <string.h>

#define WRAPPED_MAX 64 /* bytes of a wrapped key: 256 bits and 8 bytes more */

static const CK_KEY_TYPE aes_type = CKK_AES, mac_type = CKK_GENERIC_SECRET;
static const CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;

static bool is_for_aes(unsigned bits)
{
    return bits <= 256;
}

static bool is_for_mac(unsigned bits)
{
    return bits >= 256;
}

/* What all symmetric keys here have: nobody can read them, nobody without the PIN can use them. */
static void secret_template(kvp_token_template *t, const uint8_t *id, bool aes)
{
    kvp_token_add(t, CKA_CLASS, &secret_class, sizeof(secret_class));
    kvp_token_add(t, CKA_KEY_TYPE, aes ? &aes_type : &mac_type, sizeof(aes_type));
    kvp_token_add_flag(t, CKA_TOKEN, true);
    kvp_token_add_flag(t, CKA_PRIVATE, true);
    kvp_token_add_flag(t, CKA_SENSITIVE, true);
    kvp_token_add_flag(t, CKA_EXTRACTABLE, false);
    kvp_token_add_flag(t, CKA_ENCRYPT, aes);
    kvp_token_add_flag(t, CKA_DECRYPT, aes);
    kvp_token_add_flag(t, CKA_SIGN, !aes);
    kvp_token_add_flag(t, CKA_VERIFY, !aes);
    /* Of other keys of the token: modules default to yes. */
    kvp_token_add_flag(t, CKA_WRAP, false);
    kvp_token_add_flag(t, CKA_UNWRAP, false);
    kvp_token_add(t, CKA_ID, id, KVP_TOKEN_ID);
    kvp_token_add(t, CKA_LABEL, KVP_TOKEN_LABEL, sizeof(KVP_TOKEN_LABEL) - 1);
}

/* A pair has 256 bits; some modules do not tell the length of what they unwrapped. */
static CK_RV size_of(const kvp_token *token, CK_SESSION_HANDLE session, const kvp_token_key *in,
                     unsigned *ret_bits)
{
    CK_ULONG len = 32;
    kvp_buf value = KVP_BUF_INIT(0);
    CK_RV rv = CKR_OK;

    if (in->aes_key == CK_INVALID_HANDLE || in->mac_key == CK_INVALID_HANDLE) {
        rv = kvp_token_read(token, session,
                            in->aes_key != CK_INVALID_HANDLE ? in->aes_key : in->mac_key,
                            CKA_VALUE_LEN, &value);
        if (rv == CKR_OK && value.len == sizeof(len))
            memcpy(&len, value.data, sizeof(len));
    }
    kvp_buf_clear(&value);
    *ret_bits = (unsigned)len * 8;
    return rv == CKR_OK && (len > KVP_ENGINE_OCT_MAX || !kvp_engine_oct_size(len * 8))
               ? CKR_KEY_SIZE_RANGE
               : rv;
}

kvp_status kvp_token_find_oct(kvp_token *token, CK_SESSION_HANDLE session, const uint8_t *id,
                              kvp_engine_key **ret_key, CK_RV *rv, kvp_error *reterr)
{
    kvp_token_key found = { .token = token, .mac_key = CK_INVALID_HANDLE };
    unsigned bits = 0;

    memcpy(found.id, id, KVP_TOKEN_ID);
    found.aes_key = kvp_token_find(token, session, CKO_SECRET_KEY, &aes_type, id, rv);
    if (*rv == CKR_OK)
        found.mac_key = kvp_token_find(token, session, CKO_SECRET_KEY, &mac_type, id, rv);
    if (*rv == CKR_OK && found.aes_key == CK_INVALID_HANDLE && found.mac_key == CK_INVALID_HANDLE)
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "the token does not have the key any more");
    if (*rv == CKR_OK)
        *rv = size_of(token, session, &found, &bits);
    if (*rv != CKR_OK)
        return kvp_token_failed(reterr, "finding a key", *rv);
    kvp_token_key *in_token = kvp_calloc(1, sizeof(*in_token));
    if (!in_token)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    *in_token = found;
    kvp_status status = kvp_engine_adopt_oct(bits, in_token, ret_key, reterr);
    if (status != KVP_OK)
        kvp_token_key_free(in_token);
    return status;
}

/* A key for one purpose only is made where it stays. */
static CK_RV make_single(kvp_token *token, CK_SESSION_HANDLE session, const uint8_t *id, bool aes,
                         CK_ULONG len)
{
    CK_MECHANISM mechanism = { aes ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    kvp_token_template t = { .count = 0 };
    CK_OBJECT_HANDLE object;

    secret_template(&t, id, aes);
    kvp_token_add(&t, CKA_VALUE_LEN, &len, sizeof(len));
    return kvp_token_functions(token)->C_GenerateKey(session, &mechanism, t.items, t.count,
                                                     &object);
}

/* An AES key of the session's, for wrapping or to be wrapped. */
static CK_RV make_passing(kvp_token *token, CK_SESSION_HANDLE session, bool wraps,
                          CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    kvp_token_template t = { .count = 0 };
    CK_ULONG len = 32;

    kvp_token_add_flag(&t, CKA_TOKEN, false);
    kvp_token_add_flag(&t, CKA_PRIVATE, true);
    kvp_token_add_flag(&t, CKA_SENSITIVE, true);
    kvp_token_add_flag(&t, CKA_EXTRACTABLE, !wraps);
    kvp_token_add_flag(&t, CKA_WRAP, wraps);
    kvp_token_add_flag(&t, CKA_UNWRAP, wraps);
    kvp_token_add(&t, CKA_VALUE_LEN, &len, sizeof(len));
    return kvp_token_functions(token)->C_GenerateKey(session, &mechanism, t.items, t.count, ret);
}

static CK_RV unwrap_as(kvp_token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE wrapping,
                       uint8_t *wrapped, CK_ULONG len, const uint8_t *id, bool aes)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP, NULL, 0 };
    kvp_token_template t = { .count = 0 };
    CK_OBJECT_HANDLE object;

    secret_template(&t, id, aes);
    return kvp_token_functions(token)->C_UnwrapKey(session, &mechanism, wrapping, wrapped, len,
                                                   t.items, t.count, &object);
}

/* One value under two types: wrapped once, under a key that never leaves, unwrapped twice. */
static CK_RV make_double(kvp_token *token, CK_SESSION_HANDLE session, const uint8_t *id)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(token);
    CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_HANDLE wrapping = CK_INVALID_HANDLE, passing = CK_INVALID_HANDLE;
    uint8_t wrapped[WRAPPED_MAX];
    CK_ULONG len = sizeof(wrapped);
    CK_RV rv = make_passing(token, session, true, &wrapping);

    if (rv == CKR_OK)
        rv = make_passing(token, session, false, &passing);
    if (rv == CKR_OK)
        rv = f->C_WrapKey(session, &mechanism, wrapping, passing, wrapped, &len);
    if (rv == CKR_OK)
        rv = unwrap_as(token, session, wrapping, wrapped, len, id, true);
    if (rv == CKR_OK)
        rv = unwrap_as(token, session, wrapping, wrapped, len, id, false);
    if (passing != CK_INVALID_HANDLE)
        f->C_DestroyObject(session, passing);
    if (wrapping != CK_INVALID_HANDLE)
        f->C_DestroyObject(session, wrapping);
    kvp_wipe(wrapped, sizeof(wrapped));
    return rv;
}

/* After a failure half of a key may be there. */
static void remove_half(kvp_token *token, CK_SESSION_HANDLE session, const uint8_t *id)
{
    CK_RV rv;
    CK_OBJECT_HANDLE object = kvp_token_find(token, session, CKO_SECRET_KEY, NULL, id, &rv);

    if (object != CK_INVALID_HANDLE)
        kvp_token_functions(token)->C_DestroyObject(session, object);
}

kvp_status kvp_token_generate_oct(kvp_token *token, unsigned bits, kvp_engine_key **ret_key,
                                  kvp_error *reterr)
{
    uint8_t id[KVP_TOKEN_ID];
    CK_SESSION_HANDLE session;

    if (!kvp_engine_oct_size(bits))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %u.", bits);
    if (RAND_bytes(id, sizeof(id)) != 1)
        return kvp_engine_failed(reterr, "naming a key");
    kvp_status status = kvp_token_take(token, &session, reterr);
    if (status != KVP_OK)
        return status;
    CK_RV rv = is_for_aes(bits) && is_for_mac(bits)
                   ? make_double(token, session, id)
                   : make_single(token, session, id, is_for_aes(bits), bits / 8);
    if (rv == CKR_OK) {
        status = kvp_token_find_oct(token, session, id, ret_key, &rv, reterr);
    } else {
        status = kvp_token_failed(reterr, "making a symmetric key", rv);
        remove_half(token, session, id);
    }
    kvp_token_give(token, session, rv);
    return status;
}

static CK_RV create(kvp_token *token, CK_SESSION_HANDLE session, const kvp_engine_key *key,
                    const uint8_t *id, bool aes)
{
    kvp_token_template t = { .count = 0 };
    CK_OBJECT_HANDLE object;

    secret_template(&t, id, aes);
    kvp_token_add(&t, CKA_VALUE, key->secret, key->secret_len);
    return kvp_token_functions(token)->C_CreateObject(session, t.items, t.count, &object);
}

kvp_status kvp_token_import_oct(kvp_token *token, const kvp_engine_key *key,
                                kvp_engine_key **ret_key, kvp_error *reterr)
{
    uint8_t id[KVP_TOKEN_ID];
    CK_SESSION_HANDLE session;
    CK_RV rv = CKR_OK;

    if (RAND_bytes(id, sizeof(id)) != 1)
        return kvp_engine_failed(reterr, "naming a key");
    kvp_status status = kvp_token_take(token, &session, reterr);
    if (status != KVP_OK)
        return status;
    if (is_for_aes(key->bits))
        rv = create(token, session, key, id, true);
    if (rv == CKR_OK && is_for_mac(key->bits))
        rv = create(token, session, key, id, false);
    if (rv == CKR_OK) {
        status = kvp_token_find_oct(token, session, id, ret_key, &rv, reterr);
    } else {
        status = kvp_token_failed(reterr, "importing a symmetric key", rv);
        remove_half(token, session, id);
    }
    kvp_token_give(token, session, rv);
    return status;
}
