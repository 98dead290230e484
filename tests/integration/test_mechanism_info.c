/* SPDX-License-Identifier: MIT */
/* The mechanism list of a token, as applications read it: stable, whole, and free of requests. */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <stdlib.h>

#define SIGN_FLAGS                                                                                 \
    (CKF_SIGN | CKF_VERIFY | CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE)

/* What design.md's table promises. */
static const CK_MECHANISM_TYPE promised[] = {
    CKM_RSA_PKCS_KEY_PAIR_GEN,
    CKM_RSA_PKCS,
    CKM_SHA1_RSA_PKCS,
    CKM_SHA224_RSA_PKCS,
    CKM_SHA256_RSA_PKCS,
    CKM_SHA384_RSA_PKCS,
    CKM_SHA512_RSA_PKCS,
    CKM_RSA_PKCS_PSS,
    CKM_SHA256_RSA_PKCS_PSS,
    CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA512_RSA_PKCS_PSS,
    CKM_RSA_PKCS_OAEP,
    CKM_EC_KEY_PAIR_GEN,
    CKM_ECDSA,
    CKM_ECDSA_SHA1,
    CKM_ECDSA_SHA224,
    CKM_ECDSA_SHA256,
    CKM_ECDSA_SHA384,
    CKM_ECDSA_SHA512,
    CKM_AES_KEY_GEN,
    CKM_AES_CBC,
    CKM_AES_CBC_PAD,
    CKM_AES_GCM,
    CKM_AES_KEY_WRAP,
    CKM_SHA256_HMAC,
    CKM_SHA384_HMAC,
    CKM_SHA512_HMAC,
    CKM_SHA_1,
    CKM_SHA256,
    CKM_SHA384,
    CKM_SHA512,
};

static CK_ULONG list(CK_MECHANISM_TYPE *ret, CK_ULONG size)
{
    CK_ULONG count = 0;
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, NULL, &count));
    ck_assert_uint_le(count, size);
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, ret, &count));
    return count;
}

START_TEST(each_listed_mechanism_has_an_info_with_a_use)
{
    CK_MECHANISM_TYPE types[128];
    CK_ULONG count = list(types, KVP_ARRAY_LEN(types));

    for (CK_ULONG i = 0; i < count; i++) {
        CK_MECHANISM_INFO info;
        assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, types[i], &info));
        ck_assert_msg(info.flags & ~CKF_HW, "%s", kvp_ckm_name(types[i]));
        ck_assert_uint_le(info.ulMinKeySize, info.ulMaxKeySize);
    }
    ck_assert_uint_eq(keyvaultd_requests(NULL), 0);
}
END_TEST

START_TEST(what_was_promised_is_listed)
{
    CK_MECHANISM_TYPE types[128];
    CK_ULONG count = list(types, KVP_ARRAY_LEN(types)), i = 0;

    while (i < count && types[i] != promised[_i])
        i++;
    ck_assert_msg(i < count, "%s is not listed", kvp_ckm_name(promised[_i]));
}
END_TEST

START_TEST(sizes_and_flags_are_those_of_the_standard)
{
    CK_MECHANISM_INFO info;
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_RSA_PKCS, &info));
    ck_assert_uint_eq(info.ulMinKeySize, 2048);
    ck_assert_uint_eq(info.ulMaxKeySize, 4096);
    ck_assert_uint_eq(info.flags, SIGN_FLAGS | CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_ENCRYPT |
                                      CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP | CKF_HW);
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_ECDSA, &info));
    ck_assert_uint_eq(info.ulMinKeySize, 256);
    ck_assert_uint_eq(info.ulMaxKeySize, 521);
    ck_assert_uint_eq(info.flags,
                      SIGN_FLAGS | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS | CKF_HW);
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_AES_CBC, &info));
    ck_assert_uint_eq(info.ulMinKeySize, 16);
    ck_assert_uint_eq(info.ulMaxKeySize, 32);
    assert_rv(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(module_slot, CKM_RSA_X_509, &info));
    assert_rv(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(module_slot, CKM_ECDH1_DERIVE, &info));
}
END_TEST

/* A key lists exactly what can be begun with it. */
START_TEST(allowed_mechanisms_can_be_begun_and_others_cannot)
{
    const ops_key *key = &ops_keys[_i];
    CK_MECHANISM_TYPE allowed[128], types[128];
    CK_OBJECT_HANDLE private = ops_private(key);
    CK_ATTRIBUTE attr = { CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) };
    CK_ULONG count = list(types, KVP_ARRAY_LEN(types));
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, private, &attr, 1));
    CK_ULONG allowed_count = attr.ulValueLen / sizeof(CK_MECHANISM_TYPE);
    ck_assert_uint_gt(allowed_count, 0);

    for (CK_ULONG i = 0; i < count; i++) {
        CK_ULONG j = 0;
        while (j < allowed_count && allowed[j] != types[i])
            j++;
        CK_MECHANISM mechanism = { types[i], NULL, 0 };
        CK_RV sign = p11->C_SignInit(module_session, &mechanism, private);
        if (sign == CKR_OK)
            assert_rv(CKR_OK, p11->C_SignInit(module_session, NULL, 0));
        CK_RV decrypt = p11->C_DecryptInit(module_session, &mechanism, private);
        if (decrypt == CKR_OK)
            assert_rv(CKR_OK, p11->C_DecryptInit(module_session, NULL, 0));
        /* without its parameter, what fits is refused for that and nothing else */
        bool begun = sign == CKR_OK || sign == CKR_MECHANISM_PARAM_INVALID || decrypt == CKR_OK ||
                     decrypt == CKR_MECHANISM_PARAM_INVALID;
        ck_assert_msg(begun == (j < allowed_count), "%s with %s: %s, %s", kvp_ckm_name(types[i]),
                      key->name, kvp_ckr_name(sign), kvp_ckr_name(decrypt));
    }
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    Suite *suite = suite_create("mechanism_info");
    TCase *before = tcase_create("list"), *keys = tcase_create("keys");
    tcase_add_checked_fixture(before, module_setup, module_teardown);
    tcase_add_test(before, each_listed_mechanism_has_an_info_with_a_use);
    tcase_add_loop_test(before, what_was_promised_is_listed, 0, KVP_ARRAY_LEN(promised));
    tcase_add_test(before, sizes_and_flags_are_those_of_the_standard);
    suite_add_tcase(suite, before);
    tcase_add_unchecked_fixture(keys, ops_keys_import, NULL);
    tcase_add_checked_fixture(keys, module_setup, module_teardown);
    tcase_add_loop_test(keys, allowed_mechanisms_can_be_begun_and_others_cannot, 0,
                        (int)ops_key_count);
    suite_add_tcase(suite, keys);
    return module_run_suite(suite);
}
