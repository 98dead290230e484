/* SPDX-License-Identifier: MIT */
/*
 * What is sent to the service, and what is refused because it could not honour it: DigestInfos, PSS
 * and OAEP parameters, ECDSA digests of every length on every curve.
 */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

/* Sign @data with @mechanism in one part; the vault's double records what it was sent. */
static CK_RV sign(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *data, CK_ULONG len)
{
    CK_BYTE sig[1024];
    CK_ULONG sig_len = sizeof(sig);
    CK_RV rv = kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN, mechanism, key);
    if (rv != CKR_OK)
        return rv;
    return kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_SIGN, data, len, sig,
                          &sig_len);
}

/* ---- CKM_RSA_PKCS: RFC 8017 §9.2, notes 1 ---- */

static const struct {
    kvp_hash hash;
    kvp_alg alg; /* KVP_ALG_RSNULL: the DigestInfo goes as it is */
} digest_infos[] = {
    { KVP_HASH_SHA1, KVP_ALG_RSNULL },     { KVP_HASH_SHA224, KVP_ALG_RSNULL },
    { KVP_HASH_SHA256, KVP_ALG_RS256 },    { KVP_HASH_SHA384, KVP_ALG_RS384 },
    { KVP_HASH_SHA512, KVP_ALG_RS512 },    { KVP_HASH_SHA3_224, KVP_ALG_RSNULL },
    { KVP_HASH_SHA3_256, KVP_ALG_RSNULL }, { KVP_HASH_SHA3_384, KVP_ALG_RSNULL },
    { KVP_HASH_SHA3_512, KVP_ALG_RSNULL },
};

static size_t build_info(kvp_hash hash, uint8_t *ret)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    kvp_buf info = KVP_BUF_INIT(256);
    memset(digest, 0x5a, sizeof(digest));
    ck_assert_int_eq(kvp_digest_info_build(hash, digest, &info), KVP_OK);
    size_t len = info.len;
    memcpy(ret, info.data, len);
    kvp_buf_clear(&info);
    return len;
}

START_TEST(a_digest_info_is_stripped_for_the_hashes_the_service_names)
{
    uint8_t info[256];
    size_t len = build_info(digest_infos[_i].hash, info);

    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, info, len), CKR_OK);

    ck_assert_int_eq(fake.alg, digest_infos[_i].alg);
    size_t sent = fake.alg == KVP_ALG_RSNULL ? len : kvp_hash_len(digest_infos[_i].hash);
    ck_assert_uint_eq(fake.value.len, sent);
    ck_assert_mem_eq(fake.value.data, info + (len - sent), sent);
    ck_assert_uint_eq(fake.requests, 1);
    ck_assert_str_eq(fake.version, fake_object(FAKE_RSA_2048)->vault_key.version);
}
END_TEST

START_TEST(what_is_no_digest_info_goes_as_it_is)
{
    uint8_t info[256];
    size_t len = build_info(KVP_HASH_SHA256, info);

    /* one byte more, one less, another prefix: never taken for SHA-256 */
    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, info, len + 1), CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_RSNULL);
    ck_assert_uint_eq(fake.value.len, len + 1);
    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, info, len - 1), CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_RSNULL);
    info[4] ^= 1;
    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, info, len), CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_RSNULL);
    /* MD5 and SHA-1 side by side, as TLS 1.0 signs */
    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, info, 36), CKR_OK);
    ck_assert_int_eq(fake.alg, KVP_ALG_RSNULL);
    ck_assert_uint_eq(fake.value.len, 36);
}
END_TEST

START_TEST(pkcs1_takes_no_more_than_the_modulus_less_eleven)
{
    static uint8_t data[512];

    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, data, 245), CKR_OK);
    fake.requests = 0;
    ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, data, 246), CKR_DATA_LEN_RANGE);
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

/* ---- PSS ---- */

static const struct {
    CK_MECHANISM_TYPE type;
    CK_RSA_PKCS_PSS_PARAMS params;
    CK_RV rv;
    kvp_alg alg;
} pss_rows[] = {
    { CKM_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA256, 32 }, CKR_OK, KVP_ALG_PS256 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA384, CKG_MGF1_SHA384, 48 }, CKR_OK, KVP_ALG_PS384 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA512, CKG_MGF1_SHA512, 64 }, CKR_OK, KVP_ALG_PS512 },
    { CKM_SHA256_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA256, 32 }, CKR_OK, KVP_ALG_PS256 },
    { CKM_SHA384_RSA_PKCS_PSS, { CKM_SHA384, CKG_MGF1_SHA384, 48 }, CKR_OK, KVP_ALG_PS384 },
    { CKM_SHA512_RSA_PKCS_PSS, { CKM_SHA512, CKG_MGF1_SHA512, 64 }, CKR_OK, KVP_ALG_PS512 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA256, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA256, 20 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA256, 33 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA256, CKG_MGF1_SHA1, 32 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA_1, CKG_MGF1_SHA1, 20 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA224, CKG_MGF1_SHA224, 28 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { CKM_SHA3_256, CKG_MGF1_SHA3_256, 32 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_RSA_PKCS_PSS, { 0, 0, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { CKM_SHA256_RSA_PKCS_PSS,
      { CKM_SHA384, CKG_MGF1_SHA384, 48 },
      CKR_MECHANISM_PARAM_INVALID,
      0 },
};

START_TEST(pss_parameters_are_the_services_or_refused)
{
    CK_RSA_PKCS_PSS_PARAMS params = pss_rows[_i].params;
    CK_MECHANISM mechanism = { pss_rows[_i].type, &params, sizeof(params) };
    uint8_t digest[64] = { 7 };

    CK_ULONG len = params.sLen <= sizeof(digest) ? params.sLen : 0;
    ck_assert_rv(sign(&mechanism, FAKE_RSA_2048, digest, len), pss_rows[_i].rv);

    ck_assert_uint_eq(fake.requests, pss_rows[_i].rv == CKR_OK);
    if (pss_rows[_i].rv == CKR_OK)
        ck_assert_int_eq(fake.alg, pss_rows[_i].alg);
}
END_TEST

START_TEST(pss_takes_a_digest_of_its_hash_and_no_other)
{
    uint8_t digest[64] = { 7 };

    for (CK_ULONG len = 0; len <= sizeof(digest); len++) {
        if (len == 32)
            continue;
        ck_assert_rv(sign(fake_mechanism(CKM_RSA_PKCS_PSS), FAKE_RSA_2048, digest, len),
                     CKR_DATA_LEN_RANGE);
    }
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

/* ---- OAEP ---- */

static CK_BYTE label[] = "label";
static const struct {
    CK_RSA_PKCS_OAEP_PARAMS params;
    CK_RV rv;
    kvp_alg alg;
} oaep_rows[] = {
    { { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_OK, KVP_ALG_RSA_OAEP },
    { { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_OK, KVP_ALG_RSA_OAEP_256 },
    { { CKM_SHA256, CKG_MGF1_SHA256, 0, NULL, 0 }, CKR_OK, KVP_ALG_RSA_OAEP_256 },
    { { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label, 0 }, CKR_OK, KVP_ALG_RSA_OAEP_256 },
    { { 0, 0, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_OK, KVP_ALG_RSA_OAEP },
    { { CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { { CKM_SHA_1, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { { CKM_SHA384, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, NULL, 0 },
      CKR_MECHANISM_PARAM_INVALID,
      0 },
    { { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label, 5 },
      CKR_MECHANISM_PARAM_INVALID,
      0 },
    { { CKM_SHA256, CKG_MGF1_SHA256, 2, NULL, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
    { { CKM_SHA256, 0, CKZ_DATA_SPECIFIED, NULL, 0 }, CKR_MECHANISM_PARAM_INVALID, 0 },
};

START_TEST(oaep_parameters_are_the_services_or_refused)
{
    CK_RSA_PKCS_OAEP_PARAMS params = oaep_rows[_i].params;
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &params, sizeof(params) };
    CK_BYTE cipher[256], plain[256];
    CK_ULONG cipher_len = sizeof(cipher), plain_len = sizeof(plain);

    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, &mechanism,
                                FAKE_PUBLIC + FAKE_RSA_2048),
                 oaep_rows[_i].rv);
    ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, &mechanism,
                                FAKE_RSA_2048),
                 oaep_rows[_i].rv);
    if (oaep_rows[_i].rv != CKR_OK)
        return;
    ck_assert_rv(kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_ENCRYPT, "hello", 5,
                                cipher, &cipher_len),
                 CKR_OK);
    ck_assert_uint_eq(fake.requests, 0);
    ck_assert_rv(kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_DECRYPT, cipher,
                                cipher_len, plain, &plain_len),
                 CKR_OK);
    ck_assert_uint_eq(plain_len, 5);
    ck_assert_mem_eq(plain, "hello", 5);
    ck_assert_int_eq(fake.alg, oaep_rows[_i].alg);
    ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

START_TEST(a_parameter_of_the_wrong_size_is_refused)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE junk[7] = { 0 };
    CK_MECHANISM mechanism = { row->type, junk, sizeof(junk) };
    CK_MECHANISM no_pointer = { row->type, NULL, 16 };
    if (!row->ops)
        return;

    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++) {
        const kvp_kind_info *info = kvp_kind_info_get(kind);
        if (!info || !(row->flags & info->uses[KVP_USE_DATA].flag))
            continue;
        CK_OBJECT_HANDLE key = kind == KVP_OPERATION_DIGEST ? 0 : fake_next_key(row, kind, 0);
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, &mechanism, key),
                     CKR_MECHANISM_PARAM_INVALID);
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, kind, &no_pointer, key),
                     CKR_MECHANISM_PARAM_INVALID);
    }
}
END_TEST

/* ---- ECDSA ---- */

static const struct {
    kvp_curve curve;
    CK_OBJECT_HANDLE key;
    kvp_alg alg;
    size_t width;
} curves[] = {
    { KVP_CURVE_P256, FAKE_EC_P256, KVP_ALG_ES256, 32 },
    { KVP_CURVE_P384, FAKE_EC_P384, KVP_ALG_ES384, 48 },
    { KVP_CURVE_P521, FAKE_EC_P521, KVP_ALG_ES512, 64 },
    { KVP_CURVE_P256K, FAKE_EC_P256K, KVP_ALG_ES256K, 32 },
};

START_TEST(a_digest_of_any_length_is_fitted_to_the_curve)
{
    size_t width = curves[_i].width;
    uint8_t digest[70], fitted[KVP_HASH_MAX_LEN], zeros[KVP_HASH_MAX_LEN] = { 0 };
    for (size_t i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(i + 1);

    for (size_t len = 0; len <= sizeof(digest); len++) {
        size_t fitted_len = 0;
        kvp_alg alg = KVP_ALG_NONE;
        bool too_long = curves[_i].curve == KVP_CURVE_P521 && len > 64;
        CK_RV expected = len == 0 || too_long ? CKR_DATA_LEN_RANGE : CKR_OK;
        ck_assert_rv(kvp_ecdsa_fit_digest(curves[_i].curve, digest, len, fitted, &fitted_len, &alg),
                     expected);
        if (expected != CKR_OK)
            continue;
        size_t taken = len < width ? len : width;
        ck_assert_uint_eq(fitted_len, width);
        ck_assert_int_eq(alg, curves[_i].alg);
        ck_assert_mem_eq(fitted, zeros, width - taken);
        ck_assert_mem_eq(fitted + (width - taken), digest, taken);
    }
}
END_TEST

START_TEST(a_fitted_signature_verifies_for_the_digest_as_it_was)
{
    uint8_t digest[70], sig[140];
    CK_ULONG coordinate = kvp_curves[curves[_i].curve].coordinate_len;
    memset(digest, 0xa7, sizeof(digest));

    for (CK_ULONG len = 1; len <= sizeof(digest); len++) {
        CK_ULONG sig_len = sizeof(sig);
        bool too_long = curves[_i].curve == KVP_CURVE_P521 && len > 64;
        fake.requests = 0;
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_SIGN,
                                    fake_mechanism(CKM_ECDSA), curves[_i].key),
                     CKR_OK);
        ck_assert_rv(kvp_crypt_once(fake_enter(), &fake_session, KVP_OPERATION_SIGN, digest, len,
                                    sig, &sig_len),
                     too_long ? CKR_DATA_LEN_RANGE : CKR_OK);
        ck_assert_uint_eq(fake.requests, !too_long);
        if (too_long)
            continue;
        ck_assert_uint_eq(sig_len, 2 * coordinate);
        ck_assert_rv(kvp_crypt_init(fake_enter(), &fake_session, KVP_OPERATION_VERIFY,
                                    fake_mechanism(CKM_ECDSA), FAKE_PUBLIC + curves[_i].key),
                     CKR_OK);
        ck_assert_rv(kvp_verify_once(fake_enter(), &fake_session, digest, len, sig, sig_len),
                     CKR_OK);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mech_params");
    TCase *rsa = tcase_create("rsa"), *ec = tcase_create("ecdsa");
    tcase_add_checked_fixture(rsa, fake_setup, fake_teardown);
    tcase_add_loop_test(rsa, a_digest_info_is_stripped_for_the_hashes_the_service_names, 0,
                        KVP_ARRAY_LEN(digest_infos));
    tcase_add_test(rsa, what_is_no_digest_info_goes_as_it_is);
    tcase_add_test(rsa, pkcs1_takes_no_more_than_the_modulus_less_eleven);
    tcase_add_loop_test(rsa, pss_parameters_are_the_services_or_refused, 0,
                        KVP_ARRAY_LEN(pss_rows));
    tcase_add_test(rsa, pss_takes_a_digest_of_its_hash_and_no_other);
    tcase_add_loop_test(rsa, oaep_parameters_are_the_services_or_refused, 0,
                        KVP_ARRAY_LEN(oaep_rows));
    tcase_add_loop_test(rsa, a_parameter_of_the_wrong_size_is_refused, 0, (int)kvp_mechanism_count);
    suite_add_tcase(suite, rsa);
    tcase_add_checked_fixture(ec, fake_setup, fake_teardown);
    tcase_add_loop_test(ec, a_digest_of_any_length_is_fitted_to_the_curve, 0,
                        KVP_ARRAY_LEN(curves));
    tcase_add_loop_test(ec, a_fitted_signature_verifies_for_the_digest_as_it_was, 0,
                        KVP_ARRAY_LEN(curves));
    suite_add_tcase(suite, ec);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
