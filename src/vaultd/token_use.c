/* SPDX-License-Identifier: MIT */
/* Signing, decryption and HMAC by the token. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RSA_padding_check_…: OpenSSL has no other name for        \
                                       unpadding alone */

#include "vaultd/token_internal.h"

#include "base/alloc.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define MODULUS_MAX 1024 /* bytes */

/** What goes before a digest (RFC 8017 §9.2, note 1), and the numbers PSS and OAEP have for the
 * hash. */
typedef struct hash_row {
    const char *digest;
    CK_MECHANISM_TYPE mechanism, mac;
    CK_ULONG mgf;
    uint8_t prefix[19];
} hash_row;
static const hash_row hashes[] = {
    { "SHA256",
      CKM_SHA256,
      CKM_SHA256_HMAC,
      CKG_MGF1_SHA256,
      { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20 } },
    { "SHA384",
      CKM_SHA384,
      CKM_SHA384_HMAC,
      CKG_MGF1_SHA384,
      { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
        0x05, 0x00, 0x04, 0x30 } },
    { "SHA512",
      CKM_SHA512,
      CKM_SHA512_HMAC,
      CKG_MGF1_SHA512,
      { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
        0x05, 0x00, 0x04, 0x40 } },
    { "SHA1", CKM_SHA_1, CKM_SHA_1_HMAC, CKG_MGF1_SHA1, { 0 } },
};

static const hash_row *hash_of(const kvp_algorithm *alg)
{
    for (size_t i = 0; alg->digest && i < KVP_ARRAY_LEN(hashes); i++) {
        if (strcmp(hashes[i].digest, alg->digest) == 0)
            return &hashes[i];
    }
    return NULL;
}

/* Sign with the object @with and append what comes. */
static kvp_status sign_once(kvp_token *token, CK_OBJECT_HANDLE with, CK_MECHANISM *mechanism,
                            const void *value, size_t len, kvp_buf *ret, kvp_error *reterr)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(token);
    uint8_t sig[MODULUS_MAX];
    CK_ULONG sig_len = sizeof(sig);
    CK_SESSION_HANDLE session;
    kvp_status status = kvp_token_take(token, &session, reterr);

    if (status != KVP_OK)
        return status;
    CK_RV rv = f->C_SignInit(session, mechanism, with);
    if (rv == CKR_OK)
        rv = f->C_Sign(session, (CK_BYTE *)(uintptr_t)value, len, sig, &sig_len);
    kvp_token_give(token, session, rv);
    if (rv != CKR_OK)
        return kvp_token_failed(reterr, "signing", rv);
    status = kvp_buf_append(ret, sig, sig_len);
    return status == KVP_OK ? KVP_OK : kvp_error_set(reterr, status, "signing");
}

kvp_status kvp_token_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_buf *ret, kvp_error *reterr)
{
    const hash_row *hash = hash_of(alg);
    CK_RSA_PKCS_PSS_PARAMS pss = { hash ? hash->mechanism : 0, hash ? hash->mgf : 0, len };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    kvp_buf data = KVP_BUF_INIT_SECRET(0);
    kvp_status status = KVP_OK;

    if (key->kind == KVP_ENGINE_EC) {
        mechanism.mechanism = CKM_ECDSA;
    } else if (alg->padding == RSA_PKCS1_PSS_PADDING) {
        mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
    } else if (hash) {
        status = kvp_buf_append(&data, hash->prefix, sizeof(hash->prefix));
    } else if (len + 11 > key->bits / 8) {
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "Invalid length of 'value': %zu bytes. %s takes at most %u bytes.",
                             len, alg->name, key->bits / 8 - 11);
    }
    if (status == KVP_OK)
        status = kvp_buf_append(&data, value, len);
    if (status != KVP_OK)
        kvp_error_set(reterr, status, "signing");
    else
        status = sign_once(key->in_token->token, key->in_token->private_key, &mechanism, data.data,
                           data.len, ret, reterr);
    kvp_buf_clear(&data);
    return status;
}

kvp_status kvp_token_hmac(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_buf *ret, kvp_error *reterr)
{
    const hash_row *hash = hash_of(alg);
    CK_MECHANISM mechanism = { hash ? hash->mac : CKM_SHA_1_HMAC, NULL, 0 };

    if (!hash || key->in_token->mac_key == CK_INVALID_HANDLE)
        return kvp_error_set(reterr, KVP_ERR_INTERNAL, "%s does not fit the key", alg->name);
    return sign_once(key->in_token->token, key->in_token->mac_key, &mechanism, value, len, ret,
                     reterr);
}

static CK_RV decrypt_once(const kvp_token_key *in, CK_MECHANISM *mechanism, const void *value,
                          size_t len, uint8_t *plain, CK_ULONG *plain_len, kvp_error *reterr)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(in->token);
    CK_SESSION_HANDLE session;

    if (kvp_token_take(in->token, &session, reterr) != KVP_OK)
        return CKR_DEVICE_ERROR;
    CK_RV rv = f->C_DecryptInit(session, mechanism, in->private_key);
    if (rv == CKR_OK)
        rv = f->C_Decrypt(session, (CK_BYTE *)(uintptr_t)value, len, plain, plain_len);
    kvp_token_give(in->token, session, rv);
    return rv;
}

/* Modules differ in their word for bad padding. */
bool kvp_token_blames_data(CK_RV rv)
{
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
           rv == CKR_DATA_INVALID || rv == CKR_DATA_LEN_RANGE || rv == CKR_FUNCTION_FAILED ||
           rv == CKR_GENERAL_ERROR;
}

/* OAEP with the token doing the bare RSA: for hashes that its own OAEP has not. */
static CK_RV decrypt_bare(const kvp_token_key *in, const kvp_algorithm *alg, const void *value,
                          size_t len, uint8_t *plain, CK_ULONG *plain_len, kvp_error *reterr)
{
    CK_MECHANISM mechanism = { CKM_RSA_X_509, NULL, 0 };
    EVP_MD *md = EVP_MD_fetch(NULL, alg->digest, NULL);
    uint8_t block[MODULUS_MAX];
    CK_ULONG block_len = sizeof(block);
    CK_RV rv = decrypt_once(in, &mechanism, value, len, block, &block_len, reterr);

    if (rv == CKR_OK) {
        int got = md && block_len == len
                      ? RSA_padding_check_PKCS1_OAEP_mgf1(plain, MODULUS_MAX, block, (int)block_len,
                                                          (int)len, NULL, 0, md, md)
                      : -1;
        ERR_clear_error();
        *plain_len = got < 0 ? 0 : (CK_ULONG)got;
        rv = got < 0 ? CKR_ENCRYPTED_DATA_INVALID : CKR_OK;
    }
    kvp_wipe(block, sizeof(block));
    EVP_MD_free(md);
    return rv;
}

kvp_status kvp_token_decrypt(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                             size_t len, kvp_buf *ret, kvp_error *reterr)
{
    const hash_row *hash = hash_of(alg);
    CK_RSA_PKCS_OAEP_PARAMS oaep = { hash ? hash->mechanism : 0, hash ? hash->mgf : 0,
                                     CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    uint8_t plain[MODULUS_MAX];
    CK_ULONG plain_len = sizeof(plain);

    if (len != key->bits / 8)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "Invalid length of 'value': %zu bytes. %s takes exactly the modulus' "
                             "length.",
                             len, alg->name);
    if (hash)
        mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };
    CK_RV rv = decrypt_once(key->in_token, &mechanism, value, len, plain, &plain_len, reterr);
    if (hash && (rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_PARAM_INVALID)) {
        plain_len = sizeof(plain);
        rv = decrypt_bare(key->in_token, alg, value, len, plain, &plain_len, reterr);
    }
    kvp_status status;
    if (rv == CKR_OK)
        status = kvp_buf_append(ret, plain, plain_len);
    else if (kvp_token_blames_data(rv))
        status = kvp_error_set(reterr, KVP_ERR_MISMATCH, "the token cannot decrypt this");
    else
        status = kvp_token_failed(reterr, "decrypting", rv);
    kvp_wipe(plain, sizeof(plain));
    return status;
}
