/* SPDX-License-Identifier: MIT */
/*
 * ECDSA verification. Cryptoki and the vault write a signature as r || s of fixed width, OpenSSL
 * wants the DER of ECDSA-Sig-Value. A digest longer than the order is cut by OpenSSL to its
 * leftmost bits, as FIPS 186-5 §6.4.2 has it.
 */
#include "crypto/internal.h"
#include "crypto/ossl.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* DER of @sig's r and s, for OPENSSL_free; NULL when there is no memory. */
static unsigned char *to_der(const uint8_t *sig, size_t sig_len, int *ret_len)
{
    int width = (int)(sig_len / 2);
    BIGNUM *r = BN_bin2bn(sig, width, NULL);
    BIGNUM *s = BN_bin2bn(sig + width, width, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    unsigned char *der = NULL;

    if (r && s && pair && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = NULL;
        s = NULL;
        *ret_len = i2d_ECDSA_SIG(pair, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return der;
}

kvp_status kvp_ecdsa_verify(const kvp_public_key *key, const void *digest, size_t digest_len,
                            const void *sig, size_t sig_len, kvp_error *reterr)
{
    KVP_OSSL_SCOPE;
    size_t want = kvp_public_key_signature_len(key);
    EVP_PKEY_CTX *ctx KVP_CLEANUP(kvp_pkey_ctx_freep) = NULL;
    unsigned char *der;
    EVP_PKEY *pkey;
    int der_len = 0, result;

    if (kvp_public_key_type(key) != KVP_KTY_EC)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "not an EC key");
    if (sig_len != want)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "a signature of %zu bytes; this key's have %zu", sig_len, want);
    pkey = kvp_public_key_pkey(key);
    if (pkey)
        ctx = EVP_PKEY_CTX_new_from_pkey(kvp_ossl_ctx(), pkey, NULL);
    if (!ctx || EVP_PKEY_verify_init(ctx) != 1)
        return kvp_crypto_failed(reterr, "preparing an ECDSA verification");
    der = to_der(sig, sig_len, &der_len);
    if (!der || der_len <= 0)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "ECDSA signature");
    result = EVP_PKEY_verify(ctx, der, (size_t)der_len, digest_len ? digest : (const void *)"",
                             digest_len);
    OPENSSL_free(der);
    if (result != 1)
        return kvp_crypto_mismatch(reterr);
    return KVP_OK;
}
