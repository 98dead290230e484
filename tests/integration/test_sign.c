/* SPDX-License-Identifier: MIT */
/*
 * Signatures: every mechanism with every key, in one part and in several; what the vault signed is
 * verified by OpenSSL and by the module, what OpenSSL signed by the module.
 */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <stdlib.h>
#include <string.h>

static const ops_key *key_of(int i)
{
    return &ops_keys[(size_t)i % ops_key_count];
}

static const ops_mechanism *mechanism_of(int i)
{
    return &ops_sign_mechanisms[(size_t)i / ops_key_count];
}

static void sign_in_parts(const unsigned char *data, size_t len, unsigned char *sig,
                          CK_ULONG *sig_len)
{
    assert_rv(CKR_OK, p11->C_SignUpdate(module_session, (CK_BYTE *)(uintptr_t)data, 1));
    assert_rv(CKR_OK, p11->C_SignUpdate(module_session, NULL, 0));
    assert_rv(CKR_OK, p11->C_SignUpdate(module_session, (CK_BYTE *)(uintptr_t)data + 1, len - 1));
    assert_rv(CKR_OK, p11->C_SignFinal(module_session, sig, sig_len));
}

static void expect_verified(CK_RV expected, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE public,
                            unsigned char *data, size_t len, unsigned char *sig, size_t sig_len)
{
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, mechanism, public));
    assert_rv(expected, p11->C_Verify(module_session, data, len, sig, sig_len));
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, mechanism, public));
    assert_rv(CKR_OK, p11->C_VerifyUpdate(module_session, data, 7));
    assert_rv(CKR_OK, p11->C_VerifyUpdate(module_session, data + 7, len - 7));
    assert_rv(expected, p11->C_VerifyFinal(module_session, sig, sig_len));
}

START_TEST(what_the_vault_signs_others_verify)
{
    const ops_key *key = key_of(_i);
    const ops_mechanism *mechanism = mechanism_of(_i);
    CK_MECHANISM ck = ops_ck(mechanism);
    unsigned char data[300], sig[1024];
    size_t len = ops_data(mechanism, data);
    if (!ops_fits(mechanism, key))
        return;
    CK_OBJECT_HANDLE private = ops_private(key), public = ops_public(key);
    EVP_PKEY *from_token = ops_public_from_token(key);

    for (int parts = 0; parts < 2; parts++) {
        CK_ULONG sig_len = sizeof(sig);
        size_t before = keyvaultd_requests(NULL);
        assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, private));
        if (parts)
            sign_in_parts(data, len, sig, &sig_len);
        else
            assert_rv(CKR_OK, p11->C_Sign(module_session, data, len, sig, &sig_len));
        ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);

        ck_assert_msg(ops_openssl_verifies(from_token, key, mechanism, data, len, sig, sig_len),
                      "%s of %s is no signature", kvp_ckm_name(mechanism->type), key->name);
        expect_verified(CKR_OK, &ck, public, data, len, sig, sig_len);
        data[0] ^= 0x80;
        expect_verified(CKR_SIGNATURE_INVALID, &ck, public, data, len, sig, sig_len);
        data[0] ^= 0x80;
        expect_verified(CKR_SIGNATURE_LEN_RANGE, &ck, public, data, len, sig, sig_len - 1);
        ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);
    }
    EVP_PKEY_free(from_token);
}
END_TEST

/* C_SignMessage and C_SignMessageNext: many signatures of one C_MessageSignInit, a request each. */
START_TEST(what_the_vault_signs_by_messages_others_verify)
{
    const ops_key *key = key_of(_i);
    const ops_mechanism *mechanism = mechanism_of(_i);
    CK_MECHANISM ck = ops_ck(mechanism);
    unsigned char data[300], sig[1024];
    size_t len = ops_data(mechanism, data);
    if (!ops_fits(mechanism, key))
        return;
    CK_OBJECT_HANDLE private = ops_private(key), public = ops_public(key);
    EVP_PKEY *from_token = ops_public_from_token(key);

    assert_rv(CKR_OK, p11_3->C_MessageSignInit(module_session, &ck, private));
    assert_rv(CKR_OK, p11_3->C_MessageVerifyInit(module_session, &ck, public));
    for (int parts = 0; parts < 2; parts++) {
        CK_ULONG sig_len = sizeof(sig);
        size_t before = keyvaultd_requests(NULL), cut = parts ? len / 2 : 0;
        if (parts) {
            assert_rv(CKR_OK, p11_3->C_SignMessageBegin(module_session, NULL, 0));
            assert_rv(CKR_OK,
                      p11_3->C_SignMessageNext(module_session, NULL, 0, data, cut, NULL, NULL));
            assert_rv(CKR_OK, p11_3->C_SignMessageNext(module_session, NULL, 0, data + cut,
                                                       len - cut, sig, &sig_len));
        } else {
            assert_rv(CKR_OK,
                      p11_3->C_SignMessage(module_session, NULL, 0, data, len, sig, &sig_len));
        }
        ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);
        ck_assert(ops_openssl_verifies(from_token, key, mechanism, data, len, sig, sig_len));
        assert_rv(CKR_OK, p11_3->C_VerifyMessage(module_session, NULL, 0, data, len, sig, sig_len));
        assert_rv(CKR_OK, p11_3->C_VerifyMessageBegin(module_session, NULL, 0));
        assert_rv(CKR_OK, p11_3->C_VerifyMessageNext(module_session, NULL, 0, data, cut, NULL, 0));
        assert_rv(CKR_OK, p11_3->C_VerifyMessageNext(module_session, NULL, 0, data + cut, len - cut,
                                                     sig, sig_len));
        ck_assert_uint_eq(keyvaultd_requests(NULL), before + 1);
    }
    assert_rv(CKR_OK, p11_3->C_MessageSignFinal(module_session));
    assert_rv(CKR_OK, p11_3->C_MessageVerifyFinal(module_session));
    EVP_PKEY_free(from_token);
}
END_TEST

START_TEST(what_openssl_signs_the_module_verifies)
{
    const ops_key *key = key_of(_i);
    const ops_mechanism *mechanism = mechanism_of(_i);
    CK_MECHANISM ck = ops_ck(mechanism);
    unsigned char data[300], sig[1024];
    size_t len = ops_data(mechanism, data);
    if (!ops_fits(mechanism, key))
        return;

    size_t sig_len = ops_openssl_signs(key, mechanism, data, len, sig);

    expect_verified(CKR_OK, &ck, ops_public(key), data, len, sig, sig_len);
    sig[sig_len / 2] ^= 1;
    expect_verified(CKR_SIGNATURE_INVALID, &ck, ops_public(key), data, len, sig, sig_len);
}
END_TEST

/* ---- CKM_ECDSA: digests of every length ---- */

START_TEST(ecdsa_takes_a_digest_of_any_length_that_the_service_can_sign)
{
    const ops_key *key = &ops_keys[_i];
    const ops_mechanism raw = { CKM_ECDSA, NULL, 0, false, NULL, "ecdsa", NULL };
    CK_MECHANISM ck = ops_ck(&raw);
    unsigned char data[300], sig[1024];
    if (key->rsa_bits)
        return;
    ops_data(&raw, data);
    CK_OBJECT_HANDLE private = ops_private(key);

    for (CK_ULONG len = 1; len <= 70; len += len < 20 ? 6 : 1) {
        CK_ULONG sig_len = sizeof(sig);
        bool too_long = key->coordinate == 66 && len > 64;
        assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, private));
        assert_rv(too_long ? CKR_DATA_LEN_RANGE : CKR_OK,
                  p11->C_Sign(module_session, data, len, sig, &sig_len));
        if (too_long)
            continue;
        ck_assert_msg(ops_openssl_verifies(key->pkey, key, &raw, data, len, sig, sig_len),
                      "%s, %lu bytes", key->name, len);
    }
}
END_TEST

/* ---- CKM_RSA_PKCS: DigestInfos and what is none ---- */

static const struct {
    const char *hash;
    unsigned char prefix[20];
    unsigned prefix_len, digest_len;
} infos[] = {
    { "SHA1",
      { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 },
      15,
      20 },
    { "SHA256",
      { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20 },
      19,
      32 },
    { "SHA384",
      { 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
        0x05, 0x00, 0x04, 0x30 },
      19,
      48 },
    { "SHA512",
      { 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
        0x05, 0x00, 0x04, 0x40 },
      19,
      64 },
    { "SHA3-256",
      { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x08,
        0x05, 0x00, 0x04, 0x20 },
      19,
      32 },
};

START_TEST(a_digest_info_makes_the_signature_of_its_hash)
{
    const ops_key *key = &ops_keys[0];
    CK_MECHANISM ck = { CKM_RSA_PKCS, NULL, 0 };
    unsigned char data[128], sig[512];
    CK_ULONG sig_len = sizeof(sig);
    size_t len = infos[_i].prefix_len + infos[_i].digest_len;
    memset(data, 0x7e, sizeof(data));
    memcpy(data, infos[_i].prefix, infos[_i].prefix_len);

    assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, ops_private(key)));
    assert_rv(CKR_OK, p11->C_Sign(module_session, data, len, sig, &sig_len));

    /* as raw bytes, and as the hash's own signature */
    const ops_mechanism raw = { CKM_RSA_PKCS, NULL, 0, true, NULL, "raw", NULL };
    ck_assert(ops_openssl_verifies(key->pkey, key, &raw, data, len, sig, sig_len));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    ck_assert_int_eq(EVP_PKEY_verify_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(infos[_i].hash)), 1);
    ck_assert_int_eq(
        EVP_PKEY_verify(ctx, sig, sig_len, data + infos[_i].prefix_len, infos[_i].digest_len), 1);
    EVP_PKEY_CTX_free(ctx);
}
END_TEST

START_TEST(bytes_of_every_length_up_to_the_padding_are_signed)
{
    const ops_key *key = &ops_keys[0];
    const ops_mechanism raw = { CKM_RSA_PKCS, NULL, 0, true, NULL, "raw", NULL };
    static const CK_ULONG lengths[] = { 1, 20, 36, 51, 52, 244, 245 };
    CK_MECHANISM ck = ops_ck(&raw);
    unsigned char data[300], sig[512], recovered[300];
    CK_OBJECT_HANDLE private = ops_private(key), public = ops_public(key);
    ops_data(&raw, data);

    for (size_t i = 0; i < KVP_ARRAY_LEN(lengths); i++) {
        CK_ULONG sig_len = sizeof(sig), recovered_len = sizeof(recovered);
        assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, private));
        assert_rv(CKR_OK, p11->C_Sign(module_session, data, lengths[i], sig, &sig_len));
        ck_assert(ops_openssl_verifies(key->pkey, key, &raw, data, lengths[i], sig, sig_len));
        assert_rv(CKR_OK, p11->C_VerifyRecoverInit(module_session, &ck, public));
        assert_rv(CKR_OK,
                  p11->C_VerifyRecover(module_session, sig, sig_len, recovered, &recovered_len));
        ck_assert_uint_eq(recovered_len, lengths[i]);
        ck_assert_mem_eq(recovered, data, recovered_len);
    }
    CK_ULONG sig_len = sizeof(sig);
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, private));
    assert_rv(CKR_DATA_LEN_RANGE, p11->C_Sign(module_session, data, 246, sig, &sig_len));
}
END_TEST

START_TEST(a_handle_signs_with_the_version_it_was_found_with)
{
    const ops_mechanism mechanism = { CKM_ECDSA_SHA256, NULL, 0, false, "SHA256", "ecdsa", NULL };
    CK_MECHANISM ck = ops_ck(&mechanism);
    ops_key key = { "ops-rotated", 0, "P-256", "P-256", 32, 32, NULL };
    unsigned char data[300], sig[64];
    CK_ULONG sig_len = sizeof(sig), point_len = 67;
    unsigned char point[67];
    CK_ATTRIBUTE attr = { CKA_EC_POINT, point, point_len };
    keyvaultd_create_key(key.name, "EC", 0, "P-256");
    CK_OBJECT_HANDLE private = ops_private(&key), public = ops_public(&key);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, public, &attr, 1));

    keyvaultd_create_key(key.name, "EC", 0, "P-256"); /* a new version */
    size_t len = ops_data(&mechanism, data);
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &ck, private));
    assert_rv(CKR_OK, p11->C_Sign(module_session, data, len, sig, &sig_len));

    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &ck, public));
    assert_rv(CKR_OK, p11->C_Verify(module_session, data, len, sig, sig_len));
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    ops_keys_import();
    Suite *suite = suite_create("sign");
    TCase *all = tcase_create("mechanisms"), *input = tcase_create("input");
    int combinations = (int)(ops_sign_mechanism_count * ops_key_count);
    tcase_add_checked_fixture(all, module_setup, module_teardown);
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, what_the_vault_signs_by_messages_others_verify, 0, combinations);
    tcase_add_loop_test(all, what_the_vault_signs_others_verify, 0, combinations);
    tcase_add_loop_test(all, what_openssl_signs_the_module_verifies, 0, combinations);
    suite_add_tcase(suite, all);
    tcase_add_checked_fixture(input, module_setup, module_teardown);
    tcase_set_timeout(input, 60);
    tcase_add_loop_test(input, ecdsa_takes_a_digest_of_any_length_that_the_service_can_sign, 0,
                        (int)ops_key_count);
    tcase_add_loop_test(input, a_digest_info_makes_the_signature_of_its_hash, 0,
                        KVP_ARRAY_LEN(infos));
    tcase_add_test(input, bytes_of_every_length_up_to_the_padding_are_signed);
    tcase_add_test(input, a_handle_signs_with_the_version_it_was_found_with);
    suite_add_tcase(suite, input);
    return module_run_suite(suite);
}
