/* SPDX-License-Identifier: MIT */
/* The vault's side of mech_fake.h: what the service does, by OpenSSL with the private keys. */
#include "mech_fake.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

fake_vault fake;

/* Keys are named by their handles. */
static kvp_object *find_key(const char *name)
{
    kvp_object *object = fake_object(strtoul(name + strlen("key"), NULL, 10));
    ck_assert_ptr_nonnull(object);
    return object;
}

/* Record the request; a failure that was ordered, or KVP_OK. */
static kvp_status received(kvp_alg alg, const char *version, const void *value, size_t len,
                           kvp_trace *trace, kvp_error *reterr)
{
    fake.requests++;
    fake.alg = alg;
    kvp_copy_printable(fake.version, sizeof(fake.version), version);
    fake.value.len = len;
    if (len)
        memcpy(fake.value.data, value, len);
    trace->attempts++;
    if (fake.meanwhile)
        fake.meanwhile();
    if (!fake.fail_http)
        return KVP_OK;
    kvp_error_set(reterr, KVP_ERR_HTTP, "as ordered");
    reterr->http_status = fake.fail_http;
    return KVP_ERR_HTTP;
}

static kvp_status bad_request(kvp_error *reterr)
{
    kvp_error_set(reterr, KVP_ERR_HTTP, "bad parameter");
    reterr->http_status = 400;
    return KVP_ERR_HTTP;
}

static kvp_status answer(kvp_buf *ret, const void *data, size_t len, kvp_error *reterr)
{
    if (fake.answer_len && fake.answer_len < len)
        len = fake.answer_len;
    kvp_status status = kvp_buf_append(ret, data, len);
    return status == KVP_OK ? status : kvp_error_set(reterr, status, "answer");
}

static const EVP_MD *md_of(kvp_alg alg)
{
    switch (alg) {
    case KVP_ALG_RS256:
    case KVP_ALG_PS256:
    case KVP_ALG_HS256:
    case KVP_ALG_RSA_OAEP_256:
        return EVP_sha256();
    case KVP_ALG_RS384:
    case KVP_ALG_PS384:
    case KVP_ALG_HS384:
        return EVP_sha384();
    case KVP_ALG_RS512:
    case KVP_ALG_PS512:
    case KVP_ALG_HS512:
        return EVP_sha512();
    case KVP_ALG_RSA_OAEP:
        return EVP_sha1();
    default:
        return NULL;
    }
}

static bool rsa_sign(EVP_PKEY *pkey, kvp_alg alg, const void *value, size_t len, uint8_t *sig,
                     size_t *sig_len)
{
    bool pss = alg == KVP_ALG_PS256 || alg == KVP_ALG_PS384 || alg == KVP_ALG_PS512;
    const EVP_MD *md = md_of(alg);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok =
        EVP_PKEY_sign_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
        (!md || EVP_PKEY_CTX_set_signature_md(ctx, md) == 1) &&
        (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1) &&
        EVP_PKEY_sign(ctx, sig, sig_len, value, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool ec_sign(const kvp_object *key, const void *value, size_t len, uint8_t *sig,
                    size_t *sig_len)
{
    uint8_t der[256];
    size_t der_len = sizeof(der);
    int width = (int)kvp_curves[key->curve].coordinate_len;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool ok = EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &der_len, value, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return false;
    const uint8_t *p = der;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)der_len);
    ok = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, width) == width &&
         BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + width, width) == width;
    ECDSA_SIG_free(parsed);
    *sig_len = (size_t)width * 2;
    return ok;
}

static kvp_curve curve_of(kvp_alg alg)
{
    switch (alg) {
    case KVP_ALG_ES256:
        return KVP_CURVE_P256;
    case KVP_ALG_ES384:
        return KVP_CURVE_P384;
    case KVP_ALG_ES512:
        return KVP_CURVE_P521;
    case KVP_ALG_ES256K:
        return KVP_CURVE_P256K;
    default:
        return KVP_CURVE_NONE;
    }
}

kvp_status kvp_vault_sign(kvp_vault *vault KVP_UNUSED, const char *name, const char *version,
                          kvp_alg alg, const void *value, size_t len, kvp_trace *trace,
                          kvp_buf *ret_sig, kvp_error *reterr)
{
    const kvp_object *key = find_key(name);
    kvp_status status = received(alg, version, value, len, trace, reterr);
    if (status != KVP_OK)
        return status;
    /* The service takes exactly the hash's length (wire reference, section 5.1). */
    if (kvp_alg_digest_len(alg) && len != kvp_alg_digest_len(alg) && key->type != CKK_AES)
        return bad_request(reterr);

    uint8_t sig[1024];
    size_t sig_len = sizeof(sig);
    bool ok = false;
    if (key->type == CKK_RSA) {
        ok = rsa_sign(key->pkey, alg, value, len, sig, &sig_len);
    } else if (key->type == CKK_EC) {
        ok = curve_of(alg) == key->curve && ec_sign(key, value, len, sig, &sig_len);
    } else if (md_of(alg)) {
        unsigned mac_len = 0;
        ok = HMAC(md_of(alg), key->value.data, (int)key->value.len, value, len, sig, &mac_len);
        sig_len = mac_len;
    }
    if (!ok)
        return bad_request(reterr);
    return answer(ret_sig, sig, sig_len, reterr);
}

kvp_status kvp_vault_verify(kvp_vault *vault KVP_UNUSED, const char *name, const char *version,
                            kvp_alg alg, const void *digest, size_t len, const void *sig,
                            size_t sig_len, kvp_trace *trace, kvp_error *reterr)
{
    const kvp_object *key = find_key(name);
    uint8_t mac[64];
    unsigned mac_len = 0;
    kvp_status status = received(alg, version, digest, len, trace, reterr);
    if (status != KVP_OK)
        return status;
    if (!md_of(alg))
        return bad_request(reterr);
    HMAC(md_of(alg), key->value.data, (int)key->value.len, digest, len, mac, &mac_len);
    return sig_len == mac_len && memcmp(mac, sig, sig_len) == 0 ? KVP_OK : KVP_ERR_MISMATCH;
}

static bool rsa_decrypt(EVP_PKEY *pkey, kvp_alg alg, const void *in, size_t in_len, uint8_t *out,
                        size_t *out_len)
{
    bool oaep = alg != KVP_ALG_RSA1_5;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok =
        EVP_PKEY_decrypt_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) == 1 &&
        (!oaep || (EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md_of(alg)) == 1 &&
                   EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md_of(alg)) == 1)) &&
        EVP_PKEY_decrypt(ctx, out, out_len, in, in_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* `A256CBC` of the service: the name, the key's bits, OpenSSL's name. */
static const struct {
    kvp_alg alg;
    size_t key_len;
    const char *name;
    bool pad, wrap;
} aes_rows[] = {
    { KVP_ALG_A128CBC, 16, "AES-128-CBC", false, false },
    { KVP_ALG_A192CBC, 24, "AES-192-CBC", false, false },
    { KVP_ALG_A256CBC, 32, "AES-256-CBC", false, false },
    { KVP_ALG_A128CBCPAD, 16, "AES-128-CBC", true, false },
    { KVP_ALG_A192CBCPAD, 24, "AES-192-CBC", true, false },
    { KVP_ALG_A256CBCPAD, 32, "AES-256-CBC", true, false },
    { KVP_ALG_A128GCM, 16, "AES-128-GCM", false, false },
    { KVP_ALG_A192GCM, 24, "AES-192-GCM", false, false },
    { KVP_ALG_A256GCM, 32, "AES-256-GCM", false, false },
    { KVP_ALG_A128KW, 16, "AES-128-WRAP", false, true },
    { KVP_ALG_A192KW, 24, "AES-192-WRAP", false, true },
    { KVP_ALG_A256KW, 32, "AES-256-WRAP", false, true },
    { KVP_ALG_AES_KEY_WRAP_PAD, 16, "AES-128-WRAP-PAD", false, true },
    { KVP_ALG_AES_KEY_WRAP_PAD, 24, "AES-192-WRAP-PAD", false, true },
    { KVP_ALG_AES_KEY_WRAP_PAD, 32, "AES-256-WRAP-PAD", false, true },
};

static bool aes_crypt(const kvp_object *key, kvp_crypt what, kvp_alg alg, const void *in,
                      size_t in_len, const kvp_buf *iv, const kvp_buf *aad, const kvp_buf *tag,
                      uint8_t *out, size_t *out_len)
{
    size_t row = 0;
    while (row < KVP_ARRAY_LEN(aes_rows) &&
           (aes_rows[row].alg != alg || aes_rows[row].key_len != key->value.len))
        row++;
    if (row == KVP_ARRAY_LEN(aes_rows))
        return false;
    bool encrypt = what == KVP_CRYPT_ENCRYPT || what == KVP_CRYPT_WRAP;
    bool wrap = what == KVP_CRYPT_WRAP || what == KVP_CRYPT_UNWRAP;
    if (aes_rows[row].wrap && (!wrap || iv || aad || tag))
        return false;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, aes_rows[row].name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    int made = 0, more = 0, none = 0;
    bool ok =
        EVP_CipherInit_ex2(ctx, cipher, key->value.data, iv ? iv->data : NULL, encrypt, NULL) ==
            1 &&
        EVP_CIPHER_CTX_set_padding(ctx, aes_rows[row].pad) == 1 &&
        (!aad || EVP_CipherUpdate(ctx, NULL, &none, aad->data, (int)aad->len) == 1) &&
        (!tag || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag->len, tag->data) == 1) &&
        (in_len == 0 || EVP_CipherUpdate(ctx, out, &made, in, (int)in_len) == 1) &&
        EVP_CipherFinal_ex(ctx, out + made, &more) == 1;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    *out_len = (size_t)(made + more);
    return ok;
}

/* The service makes the IV of GCM, and takes none. */
static bool gcm_encrypt(const kvp_object *key, kvp_alg alg, const void *in, size_t in_len,
                        const kvp_buf *iv, const kvp_buf *aad, kvp_operation_result *ret)
{
    static const uint8_t made_iv[12] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2 };
    uint8_t out[256], tag[16];
    size_t expected = alg == KVP_ALG_A128GCM ? 16 : alg == KVP_ALG_A192GCM ? 24 : 32;
    if (iv || in_len > sizeof(out) || key->value.len != expected)
        return false;
    const EVP_CIPHER *cipher = expected == 16   ? EVP_aes_128_gcm()
                               : expected == 24 ? EVP_aes_192_gcm()
                                                : EVP_aes_256_gcm();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int made = 0, none = 0;
    bool ok = EVP_EncryptInit_ex2(ctx, cipher, key->value.data, made_iv, NULL) == 1 &&
              (!aad || EVP_EncryptUpdate(ctx, NULL, &none, aad->data, (int)aad->len) == 1) &&
              (in_len == 0 || EVP_EncryptUpdate(ctx, out, &made, in, (int)in_len) == 1) &&
              EVP_EncryptFinal_ex(ctx, out + made, &none) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    ck_assert_int_eq(answer(&ret->value, out, (size_t)made, NULL), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&ret->iv, made_iv, sizeof(made_iv)), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&ret->tag, tag, sizeof(tag)), KVP_OK);
    return ok;
}

kvp_status kvp_vault_crypt(kvp_vault *vault KVP_UNUSED, kvp_crypt what, const char *name,
                           const char *version, kvp_alg alg, const void *in, size_t in_len,
                           const kvp_buf *iv, const kvp_buf *aad, const kvp_buf *tag,
                           kvp_trace *trace, kvp_operation_result *ret, kvp_error *reterr)
{
    const kvp_object *key = find_key(name);
    static uint8_t out[128 * 1024];
    size_t out_len = sizeof(out);
    fake.crypt = what;
    kvp_status status = received(alg, version, in, in_len, trace, reterr);
    if (status != KVP_OK)
        return status;
    bool gcm = alg == KVP_ALG_A128GCM || alg == KVP_ALG_A192GCM || alg == KVP_ALG_A256GCM;
    if (gcm && what == KVP_CRYPT_ENCRYPT)
        return gcm_encrypt(key, alg, in, in_len, iv, aad, ret) ? KVP_OK : bad_request(reterr);
    bool ok = key->type == CKK_RSA
                  ? rsa_decrypt(key->pkey, alg, in, in_len, out, &out_len)
                  : aes_crypt(key, what, alg, in, in_len, iv, aad, tag, out, &out_len);
    if (!ok)
        return bad_request(reterr);
    ret->value.secret = true;
    return answer(&ret->value, out, out_len, reterr);
}

void kvp_operation_result_clear(kvp_operation_result *result)
{
    kvp_buf_clear(&result->value);
    kvp_buf_clear(&result->iv);
    kvp_buf_clear(&result->tag);
    memset(result, 0, sizeof(*result));
}
