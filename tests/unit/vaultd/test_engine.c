/* SPDX-License-Identifier: MIT */
/* The engine: every algorithm there is, vectors from elsewhere, keys that must not be taken. */
#include "support.h"

#include "base/alloc.h"
#include "jwk/base64url.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* A key that fits @alg. RSA keys take long to make: one serves all. */
static kvp_engine_key *key_for(const kvp_algorithm *alg)
{
    kvp_engine_key *key = NULL;
    kvp_status status;

    if (alg->kind == KVP_ENGINE_RSA)
        status = kvp_engine_generate_rsa(2048, 65537, &key, NULL);
    else if (alg->kind == KVP_ENGINE_EC)
        status = kvp_engine_generate_ec(kvp_engine_curve_find(alg->curve), &key, NULL);
    else
        status = kvp_engine_generate_oct(alg->key_bits ? alg->key_bits : 256, &key, NULL);
    ck_assert_int_eq(status, KVP_OK);
    return key;
}

static void bytes(kvp_buf *dst, const char *hex)
{
    for (; *hex; hex += 2) {
        char pair[3] = { hex[0], hex[1], 0 };
        uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
        ck_assert_int_eq(kvp_buf_append(dst, &byte, 1), KVP_OK);
    }
}

static void decode(kvp_buf *dst, const char *text)
{
    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), dst), KVP_OK);
}

START_TEST(every_signature_verifies_and_a_changed_one_does_not)
{
    const kvp_algorithm *alg = &kvp_algorithms[_i];
    if (!(alg->uses & KVP_USE_SIGN))
        return;
    kvp_engine_key *key = key_for(alg);
    uint8_t value[64] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";
    size_t len = alg->digest_len ? alg->digest_len : 35;
    kvp_buf sig = KVP_BUF_INIT(0);
    bool valid = false;

    ck_assert_int_eq(kvp_engine_sign(alg, key, value, len, &sig, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_verify(alg, key, value, len, sig.data, sig.len, &valid, NULL),
                     KVP_OK);

    ck_assert_msg(valid, "%s", alg->name);
    value[0] ^= 1;
    ck_assert_int_eq(kvp_engine_verify(alg, key, value, len, sig.data, sig.len, &valid, NULL),
                     KVP_OK);
    ck_assert_msg(!valid, "%s", alg->name);
    value[0] ^= 1;
    ck_assert_int_eq(kvp_engine_verify(alg, key, value, len, sig.data, sig.len - 1, &valid, NULL),
                     KVP_OK);
    ck_assert_msg(!valid, "%s", alg->name);
    kvp_buf_clear(&sig);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(signatures_have_the_length_of_the_key)
{
    static const struct {
        const char *name;
        size_t len;
    } lengths[] = { { "RS256", 256 }, { "PS512", 256 }, { "RSNULL", 256 }, { "ES256", 64 },
                    { "ES384", 96 },  { "ES512", 132 }, { "ES256K", 64 },  { "HS256", 32 },
                    { "HS384", 48 },  { "HS512", 64 } };
    const kvp_algorithm *alg = kvp_algorithm_find(lengths[_i].name);
    kvp_engine_key *key = key_for(alg);
    uint8_t value[64] = { 1 };
    kvp_buf sig = KVP_BUF_INIT(0);

    ck_assert_int_eq(
        kvp_engine_sign(alg, key, value, alg->digest_len ? alg->digest_len : 20, &sig, NULL),
        KVP_OK);

    ck_assert_uint_eq(sig.len, lengths[_i].len);
    kvp_buf_clear(&sig);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(rs256_is_what_openssl_verifies_over_the_message)
{
    const kvp_algorithm *alg = kvp_algorithm_find("RS256");
    kvp_engine_key *key = key_for(alg);
    kvp_buf sig = KVP_BUF_INIT(0);
    uint8_t digest[32];

    ck_assert_int_eq(kvp_ident_digest("message", digest), KVP_OK);
    ck_assert_int_eq(kvp_engine_sign(alg, key, digest, 32, &sig, NULL), KVP_OK);

    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->pkey), 1);
    ck_assert_int_eq(EVP_DigestVerify(ctx, sig.data, sig.len, (const unsigned char *)"message", 7),
                     1);
    EVP_MD_CTX_free(ctx);
    kvp_buf_clear(&sig);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(pss_salt_is_as_long_as_the_digest)
{
    static const struct {
        const char *name;
        int salt;
    } rows[] = { { "PS256", 32 }, { "PS384", 48 }, { "PS512", 64 } };
    const kvp_algorithm *alg = kvp_algorithm_find(rows[_i].name);
    kvp_engine_key *key = key_for(alg);
    const EVP_MD *md = EVP_get_digestbyname(alg->digest);
    uint8_t digest[64] = { 7 };
    kvp_buf sig = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_engine_sign(alg, key, digest, alg->digest_len, &sig, NULL), KVP_OK);

    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_verify_init(ctx), 1);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(ctx, md);
    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, rows[_i].salt);
    ck_assert_int_eq(EVP_PKEY_verify(ctx, sig.data, sig.len, digest, alg->digest_len), 1);
    EVP_PKEY_CTX_free(ctx);
    kvp_buf_clear(&sig);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(rsnull_takes_up_to_the_modulus_less_eleven)
{
    const kvp_algorithm *alg = kvp_algorithm_find("RSNULL");
    kvp_engine_key *key = key_for(alg);
    uint8_t value[256] = { 1 };
    kvp_buf sig = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_engine_sign(alg, key, value, 245, &sig, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_sign(alg, key, value, 246, &sig, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_engine_sign(alg, key, value, 0, &sig, NULL), KVP_ERR_INVALID);

    kvp_buf_clear(&sig);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(hs256_agrees_with_a_real_managed_hsm)
{
    kvp_engine_key *key = NULL;
    kvp_buf k = KVP_BUF_INIT(0), value = KVP_BUF_INIT(0), want = KVP_BUF_INIT(0),
            got = KVP_BUF_INIT(0);

    decode(&k, "pBZVALPctDgu2eVdVrBgNQlZ2-cIIN8mT0JDMENMD28");
    decode(&value, "fXYe7bL0QaXwk65meK-NlRE-ty0-bdHJBY4zMEc8eXc");
    decode(&want, "738mLG7DvsXC_8DYffVppi44X9I9E97Ep2m6b_r1F58");
    ck_assert_int_eq(kvp_engine_import_oct(k.data, k.len, &key, NULL), KVP_OK);

    ck_assert_int_eq(
        kvp_engine_sign(kvp_algorithm_find("HS256"), key, value.data, value.len, &got, NULL),
        KVP_OK);

    ck_assert_uint_eq(got.len, want.len);
    ck_assert_mem_eq(got.data, want.data, want.len);
    kvp_buf_clear(&k);
    kvp_buf_clear(&value);
    kvp_buf_clear(&want);
    kvp_buf_clear(&got);
    kvp_engine_key_unref(key);
}
END_TEST

/* RFC 3394 §4.1, §4.6 and RFC 5649 §6. */
static const struct {
    const char *alg, *key, *plain, *wrapped;
} wrap_vectors[] = {
    { "A128KW", "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
      "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5" },
    { "A256KW", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
      "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
      "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21" },
    { "CKM_AES_KEY_WRAP", "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
      "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5" },
    { "CKM_AES_KEY_WRAP_PAD", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
      "c37b7e6492584340bed12207808941155068f738",
      "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
    { "CKM_AES_KEY_WRAP_PAD", "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
      "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

START_TEST(key_wrapping_agrees_with_its_rfc)
{
    const kvp_algorithm *alg = kvp_algorithm_find(wrap_vectors[_i].alg);
    kvp_buf k = KVP_BUF_INIT(0), plain = KVP_BUF_INIT(0), want = KVP_BUF_INIT(0),
            got = KVP_BUF_INIT(0), back = KVP_BUF_INIT(0);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_engine_key *key = NULL;

    bytes(&k, wrap_vectors[_i].key);
    bytes(&plain, wrap_vectors[_i].plain);
    bytes(&want, wrap_vectors[_i].wrapped);
    ck_assert_int_eq(kvp_engine_import_oct(k.data, k.len, &key, NULL), KVP_OK);

    ck_assert_int_eq(kvp_engine_encrypt(alg, key, plain.data, plain.len, &extra, &got, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_engine_decrypt(alg, key, want.data, want.len, &extra, &back, NULL),
                     KVP_OK);

    ck_assert_uint_eq(got.len, want.len);
    ck_assert_mem_eq(got.data, want.data, want.len);
    ck_assert_uint_eq(back.len, plain.len);
    ck_assert_mem_eq(back.data, plain.data, plain.len);
    kvp_buf *all[] = { &k, &plain, &want, &got, &back };
    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++)
        kvp_buf_clear(all[i]);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(every_cipher_gives_back_what_it_took_and_notices_change)
{
    const kvp_algorithm *alg = &kvp_algorithms[_i];
    if (!(alg->uses & (KVP_USE_ENCRYPT | KVP_USE_WRAP)))
        return;
    kvp_engine_key *key = key_for(alg);
    uint8_t value[32] = "not so very secret, is it......";
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_buf out = KVP_BUF_INIT(0), back = KVP_BUF_INIT(0), no = KVP_BUF_INIT(0);

    if (alg->cipher && strcmp(alg->cipher, "CBC") == 0)
        ck_assert_int_eq(kvp_buf_append(&extra.iv, "0123456789abcdef", 16), KVP_OK);
    ck_assert_int_eq(kvp_buf_append(&extra.aad, "aad", 3), KVP_OK);
    ck_assert_int_eq(kvp_engine_encrypt(alg, key, value, 32, &extra, &out, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_decrypt(alg, key, out.data, out.len, &extra, &back, NULL), KVP_OK);

    ck_assert_uint_eq(back.len, 32);
    ck_assert_mem_eq(back.data, value, 32);
    bool silent = alg->cipher && strcmp(alg->cipher, "CBC") == 0 && !alg->pkcs7;
    out.data[out.len - 1] ^= 1;
    kvp_status status = kvp_engine_decrypt(alg, key, out.data, out.len, &extra, &no, NULL);
    if (!silent && (!alg->cipher || strcmp(alg->cipher, "CBC") != 0))
        ck_assert_msg(status == KVP_ERR_MISMATCH, "%s: %s", alg->name, kvp_status_name(status));
    kvp_engine_extra_clear(&extra);
    kvp_buf_clear(&out);
    kvp_buf_clear(&back);
    kvp_buf_clear(&no);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(gcm_makes_its_own_iv_and_checks_the_aad)
{
    const kvp_algorithm *alg = kvp_algorithm_find("A256GCM");
    kvp_engine_key *key = key_for(alg);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_buf out = KVP_BUF_INIT(0), back = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_buf_append(&extra.iv, "chosen by me", 12), KVP_OK);
    ck_assert_int_eq(kvp_buf_append(&extra.aad, "aad", 3), KVP_OK);
    ck_assert_int_eq(kvp_engine_encrypt(alg, key, "five!", 5, &extra, &out, NULL), KVP_OK);

    ck_assert_uint_eq(out.len, 5);
    ck_assert_uint_eq(extra.iv.len, 12);
    ck_assert_uint_eq(extra.tag.len, 16);
    ck_assert_mem_ne(extra.iv.data, "chosen by me", 12);
    extra.aad.data[0] ^= 1;
    ck_assert_int_eq(kvp_engine_decrypt(alg, key, out.data, out.len, &extra, &back, NULL),
                     KVP_ERR_MISMATCH);
    kvp_engine_extra_clear(&extra);
    kvp_buf_clear(&out);
    kvp_buf_clear(&back);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(cbc_without_padding_fills_the_last_block_with_zeros)
{
    const kvp_algorithm *alg = kvp_algorithm_find("A128CBC");
    kvp_engine_key *key = key_for(alg);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_buf out = KVP_BUF_INIT(0), back = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_buf_append(&extra.iv, "0123456789abcdef", 16), KVP_OK);
    ck_assert_int_eq(kvp_engine_encrypt(alg, key, "eight...", 8, &extra, &out, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_decrypt(alg, key, out.data, out.len, &extra, &back, NULL), KVP_OK);

    ck_assert_uint_eq(back.len, 16);
    ck_assert_mem_eq(back.data, "eight...\0\0\0\0\0\0\0\0", 16);
    kvp_engine_extra_clear(&extra);
    kvp_buf_clear(&out);
    kvp_buf_clear(&back);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(oaep_limits_are_those_of_the_padding)
{
    static const struct {
        const char *alg;
        size_t max;
    } limits[] = { { "RSA1_5", 245 }, { "RSA-OAEP", 214 }, { "RSA-OAEP-256", 190 } };
    const kvp_algorithm *alg = kvp_algorithm_find(limits[_i].alg);
    kvp_engine_key *key = key_for(alg);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    uint8_t value[256] = { 0 };
    kvp_buf out = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_engine_encrypt(alg, key, value, limits[_i].max, &extra, &out, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_engine_encrypt(alg, key, value, limits[_i].max + 1, &extra, &out, NULL),
                     KVP_ERR_INVALID);

    kvp_buf_clear(&out);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(rsa1_5_padding_errors_are_errors)
{
    const kvp_algorithm *alg = kvp_algorithm_find("RSA1_5");
    kvp_engine_key *key = key_for(alg);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    uint8_t garbage[256] = { 0, 1, 2, 3 };
    kvp_buf out = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_engine_decrypt(alg, key, garbage, 256, &extra, &out, NULL),
                     KVP_ERR_MISMATCH);

    kvp_buf_clear(&out);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(keys_survive_being_saved)
{
    static const char *const names[] = { "RS256", "ES256", "ES384", "ES512", "ES256K", "HS256" };
    kvp_engine_key *key = key_for(kvp_algorithm_find(names[_i])), *loaded = NULL;
    kvp_buf saved = KVP_BUF_INIT_SECRET(0);

    ck_assert_int_eq(kvp_engine_save(key, &saved, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_load(key->kind, saved.data, saved.len, &loaded, NULL), KVP_OK);

    ck_assert_ptr_eq(loaded->curve, key->curve);
    ck_assert_uint_eq(loaded->bits, key->bits);
    ck_assert(key->kind == KVP_ENGINE_OCT ? memcmp(loaded->secret, key->secret, 32) == 0
                                          : EVP_PKEY_eq(loaded->pkey, key->pkey) == 1);
    kvp_buf_clear(&saved);
    kvp_engine_key_unref(key);
    kvp_engine_key_unref(loaded);
}
END_TEST

START_TEST(garbage_is_no_saved_key)
{
    kvp_engine_key *key = NULL;

    ck_assert_int_eq(kvp_engine_load(KVP_ENGINE_RSA, "garbage", 7, &key, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_engine_load(KVP_ENGINE_EC, "", 0, &key, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_engine_load(KVP_ENGINE_OCT, "short", 5, &key, NULL), KVP_ERR_INVALID);
}
END_TEST

static void rsa_number(EVP_PKEY *pkey, const char *name, kvp_buf *dst)
{
    BIGNUM *bn = NULL;
    uint8_t out[512];

    ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
    int len = BN_bn2bin(bn, out);
    ck_assert_int_eq(kvp_buf_append(dst, out, (size_t)len), KVP_OK);
    BN_free(bn);
}

static void rsa_parts(const kvp_engine_key *key, kvp_engine_rsa_parts *parts)
{
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, &parts->n);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_E, &parts->e);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_D, &parts->d);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &parts->p);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, &parts->q);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_EXPONENT1, &parts->dp);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_EXPONENT2, &parts->dq);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &parts->qi);
}

START_TEST(an_rsa_key_is_taken_only_if_every_number_fits)
{
    kvp_engine_key *key = key_for(kvp_algorithm_find("RS256")), *taken = NULL;
    kvp_engine_rsa_parts parts = { .n = KVP_BUF_INIT(0) };
    kvp_buf *numbers[] = {
        &parts.n, &parts.d, &parts.p, &parts.q, &parts.dp, &parts.dq, &parts.qi
    };

    rsa_parts(key, &parts);
    ck_assert_int_eq(kvp_engine_import_rsa(&parts, &taken, NULL), KVP_OK);
    ck_assert_int_eq(EVP_PKEY_eq(taken->pkey, key->pkey), 1);
    kvp_engine_key_unref(taken);

    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++) {
        numbers[i]->data[numbers[i]->len - 1] ^= 2;
        kvp_status status = kvp_engine_import_rsa(&parts, &taken, NULL);
        ck_assert_msg(status == KVP_ERR_INVALID, "number %zu: %s", i, kvp_status_name(status));
        numbers[i]->data[numbers[i]->len - 1] ^= 2;
    }
    kvp_engine_rsa_parts_clear(&parts);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(an_ec_key_is_taken_only_if_the_point_fits)
{
    const kvp_engine_curve *curve = &kvp_engine_curves[_i];
    kvp_engine_key *key = NULL, *taken = NULL;
    kvp_buf x = KVP_BUF_INIT(0), y = KVP_BUF_INIT(0), d = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_engine_generate_ec(curve, &key, NULL), KVP_OK);
    ck_assert_int_eq(kvp_engine_public(key, 'x', &x), KVP_OK);
    ck_assert_int_eq(kvp_engine_public(key, 'y', &y), KVP_OK);
    rsa_number(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d);
    ck_assert_uint_eq(x.len, curve->width);

    ck_assert_int_eq(kvp_engine_import_ec(curve, &x, &y, &d, &taken, NULL), KVP_OK);
    kvp_engine_key_unref(taken);
    d.data[d.len - 1] ^= 1;
    ck_assert_int_eq(kvp_engine_import_ec(curve, &x, &y, &d, &taken, NULL), KVP_ERR_INVALID);
    d.data[d.len - 1] ^= 1;
    x.data[5] ^= 1;
    ck_assert_int_eq(kvp_engine_import_ec(curve, &x, &y, &d, &taken, NULL), KVP_ERR_INVALID);
    x.len--;
    ck_assert_int_eq(kvp_engine_import_ec(curve, &x, &y, &d, &taken, NULL), KVP_ERR_INVALID);
    kvp_buf_clear(&x);
    kvp_buf_clear(&y);
    kvp_buf_clear(&d);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(only_offered_sizes_are_made)
{
    static const unsigned bits[] = { 0, 512, 1024, 2047, 2049, 8192 };
    kvp_engine_key *key = NULL;

    ck_assert_int_eq(kvp_engine_generate_rsa(bits[_i], 65537, &key, NULL), KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_engine_generate_oct(bits[_i] == 512 ? 100 : bits[_i], &key, NULL),
                     KVP_ERR_INVALID);
}
END_TEST

START_TEST(a_rotated_key_is_of_the_same_sort_and_another)
{
    static const char *const names[] = { "RS256", "ES512", "HS256" };
    kvp_engine_key *key = key_for(kvp_algorithm_find(names[_i])), *fresh = NULL;

    ck_assert_int_eq(kvp_engine_generate_like(key, &fresh, NULL), KVP_OK);

    ck_assert_int_eq(fresh->kind, key->kind);
    ck_assert_uint_eq(fresh->bits, key->bits);
    ck_assert(key->kind == KVP_ENGINE_OCT ? memcmp(fresh->secret, key->secret, 32) != 0
                                          : EVP_PKEY_eq(fresh->pkey, key->pkey) != 1);
    kvp_engine_key_unref(key);
    kvp_engine_key_unref(fresh);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd engine");
    TCase *signing = tcase_create("signatures"), *ciphers = tcase_create("ciphers"),
          *keys = tcase_create("keys");
    int count = (int)kvp_algorithm_count;

    tcase_set_timeout(signing, 120);
    tcase_set_timeout(ciphers, 120);
    tcase_set_timeout(keys, 120);
    tcase_add_loop_test(signing, every_signature_verifies_and_a_changed_one_does_not, 0, count);
    tcase_add_loop_test(signing, signatures_have_the_length_of_the_key, 0, 10);
    tcase_add_test(signing, rs256_is_what_openssl_verifies_over_the_message);
    tcase_add_loop_test(signing, pss_salt_is_as_long_as_the_digest, 0, 3);
    tcase_add_test(signing, rsnull_takes_up_to_the_modulus_less_eleven);
    tcase_add_test(signing, hs256_agrees_with_a_real_managed_hsm);
    tcase_add_loop_test(ciphers, key_wrapping_agrees_with_its_rfc, 0,
                        (int)KVP_ARRAY_LEN(wrap_vectors));
    tcase_add_loop_test(ciphers, every_cipher_gives_back_what_it_took_and_notices_change, 0, count);
    tcase_add_test(ciphers, gcm_makes_its_own_iv_and_checks_the_aad);
    tcase_add_test(ciphers, cbc_without_padding_fills_the_last_block_with_zeros);
    tcase_add_loop_test(ciphers, oaep_limits_are_those_of_the_padding, 0, 3);
    tcase_add_test(ciphers, rsa1_5_padding_errors_are_errors);
    tcase_add_loop_test(keys, keys_survive_being_saved, 0, 6);
    tcase_add_test(keys, garbage_is_no_saved_key);
    tcase_add_test(keys, an_rsa_key_is_taken_only_if_every_number_fits);
    tcase_add_loop_test(keys, an_ec_key_is_taken_only_if_the_point_fits, 0,
                        (int)kvp_engine_curve_count);
    tcase_add_loop_test(keys, only_offered_sizes_are_made, 0, 6);
    tcase_add_loop_test(keys, a_rotated_key_is_of_the_same_sort_and_another, 0, 3);
    suite_add_tcase(suite, signing);
    suite_add_tcase(suite, ciphers);
    suite_add_tcase(suite, keys);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
