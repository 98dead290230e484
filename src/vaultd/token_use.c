/* SPDX-License-Identifier: MIT */
/* Signing and decryption by the token. */
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
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG mgf;
    uint8_t prefix[19];
} hash_row;
static const hash_row hashes[] = {
    { "SHA256",
      CKM_SHA256,
      CKG_MGF1_SHA256,
      { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20 } },
    { "SHA384",
      CKM_SHA384,
      CKG_MGF1_SHA384,
      { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
        0x05, 0x00, 0x04, 0x30 } },
    { "SHA512",
      CKM_SHA512,
      CKG_MGF1_SHA512,
      { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
        0x05, 0x00, 0x04, 0x40 } },
    { "SHA1", CKM_SHA_1, CKG_MGF1_SHA1, { 0 } },
};

static const hash_row *hash_of(const kvp_algorithm *alg)
{
    for (size_t i = 0; alg->digest && i < KVP_ARRAY_LEN(hashes); i++) {
        if (strcmp(hashes[i].digest, alg->digest) == 0)
            return &hashes[i];
    }
    return NULL;
}

static CK_RV sign_once(const kvp_token_key *in, CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
                       const kvp_buf *data, uint8_t *sig, CK_ULONG *sig_len)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(in->token);
    CK_RV rv = f->C_SignInit(session, mechanism, in->private_key);

    return rv == CKR_OK ? f->C_Sign(session, data->data, data->len, sig, sig_len) : rv;
}

kvp_status kvp_token_sign(const kvp_algorithm *alg, const kvp_engine_key *key, const void *value,
                          size_t len, kvp_buf *ret, kvp_error *reterr)
{
    const hash_row *hash = hash_of(alg);
    CK_RSA_PKCS_PSS_PARAMS pss = { hash ? hash->mechanism : 0, hash ? hash->mgf : 0, len };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    kvp_buf data = KVP_BUF_INIT_SECRET(0);
    uint8_t sig[MODULUS_MAX];
    CK_ULONG sig_len = sizeof(sig);
    CK_SESSION_HANDLE session;
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
        status = kvp_token_take(key->in_token->token, &session, reterr);
    if (status == KVP_OK) {
        CK_RV rv = sign_once(key->in_token, session, &mechanism, &data, sig, &sig_len);
        kvp_token_give(key->in_token->token, session, rv);
        status = rv == CKR_OK ? kvp_buf_append(ret, sig, sig_len)
                              : kvp_token_failed(reterr, "signing", rv);
    }
    kvp_buf_clear(&data);
    return status;
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

/* A failure that is the ciphertext's, not the token's. Modules differ in their word for bad
 * padding. */
static bool blames_data(CK_RV rv)
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
    else if (blames_data(rv))
        status = kvp_error_set(reterr, KVP_ERR_MISMATCH, "the token cannot decrypt this");
    else
        status = kvp_token_failed(reterr, "decrypting", rv);
    kvp_wipe(plain, sizeof(plain));
    return status;
}
