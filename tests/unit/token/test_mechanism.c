/* SPDX-License-Identifier: MIT */
/* The mechanism table: each row is consistent, found, named and described; and which keys fit. */
#include "mech_fake.h"

#include <stdlib.h>

static const CK_FLAGS use_flags = CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_VERIFY |
                                  CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER | CKF_WRAP | CKF_UNWRAP;

START_TEST(a_row_is_consistent)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];

    ck_assert_str_eq(row->name, kvp_ckm_name(row->type));
    ck_assert_msg(row->where & KVP_ON_ALL, "%s is nowhere", row->name);
    ck_assert_msg(row->min_bits <= row->max_bits, "%s", row->name);
    ck_assert_msg(!(row->flags & (CKF_DERIVE | CKF_HW)), "%s", row->name);
    /* What signs and what GCM encrypts does so by messages too, and those in parts. */
    bool signs = row->flags & CKF_SIGN;
    ck_assert_msg(!(row->flags & CKF_MESSAGE_SIGN) == !signs, "%s", row->name);
    ck_assert_msg(!(row->flags & CKF_MESSAGE_VERIFY) == !signs, "%s", row->name);
    ck_assert_msg(!(row->flags & CKF_MULTI_MESSAGE) == !(signs || row->type == CKM_AES_GCM), "%s",
                  row->name);
    if (row->ops)
        ck_assert_msg(row->flags & use_flags, "%s is good for nothing", row->name);
    else
        ck_assert_msg(row->flags & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR), "%s", row->name);
    if (row->key_type == CKK_EC)
        ck_assert_msg((row->flags & CKF_EC_F_P) && (row->flags & CKF_EC_NAMEDCURVE) &&
                          (row->flags & CKF_EC_UNCOMPRESS),
                      "%s", row->name);
    else
        ck_assert_msg(!(row->flags & (CKF_EC_F_P | CKF_EC_NAMEDCURVE)), "%s", row->name);
}
END_TEST

START_TEST(a_row_does_what_its_flags_say)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    if (!row->ops)
        return;

    ck_assert_ptr_nonnull(row->ops->init);
    ck_assert_ptr_nonnull(row->ops->output_len);
    for (kvp_operation_kind kind = 0; kind < KVP_OPERATION_COUNT; kind++) {
        const kvp_kind_info *info = kvp_kind_info_get(kind);
        if (!info || !(row->flags & (info->uses[KVP_USE_DATA].flag | info->uses[KVP_USE_KEY].flag |
                                     info->uses[KVP_USE_MESSAGE].flag)))
            continue;
        if (kind == KVP_OPERATION_VERIFY)
            ck_assert_msg(row->ops->verify != NULL, "%s", row->name);
        else
            ck_assert_msg(row->ops->run[kind] != NULL, "%s", row->name);
    }
}
END_TEST

START_TEST(a_row_stands_once_in_the_table)
{
    for (size_t i = 0; i < kvp_mechanism_count; i++)
        ck_assert_msg(i == (size_t)_i || kvp_mechanisms[i].type != kvp_mechanisms[_i].type, "%s",
                      kvp_mechanisms[_i].name);
}
END_TEST

/* Whether a key that only the device has goes with it; a vault without an HSM has no symmetric ones. */
static bool has_device_key(const kvp_mechanism *row, bool hsm)
{
    if (!row->ops)
        return hsm || (row->flags & CKF_GENERATE_KEY_PAIR);
    for (CK_OBJECT_HANDLE handle = 1; handle < FAKE_PUBLIC; handle++)
        if (fake_object(handle) && kvp_mechanism_takes_type(row, fake_object(handle)))
            return true;
    return hsm && row->key_type != CK_UNAVAILABLE_INFORMATION &&
           kvp_mechanism_takes_type(row, fake_object(FAKE_HSM_AES_256));
}

START_TEST(a_row_is_found_and_described)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_MECHANISM_INFO info;

    for (int hsm = 0; hsm < 2; hsm++) {
        fake_config.managed_hsm = hsm != 0;
        ck_assert_ptr_eq(kvp_mechanism_find(&fake_slot, row->type), row);
        ck_assert_rv(kvp_mechanism_info(&fake_slot, row->type, &info), CKR_OK);
        ck_assert_uint_eq(info.ulMinKeySize, row->min_bits);
        ck_assert_uint_eq(info.ulMaxKeySize, row->max_bits);
        ck_assert_uint_eq(info.flags & ~CKF_HW, row->flags);
        ck_assert_msg(((info.flags & CKF_HW) != 0) == has_device_key(row, hsm != 0), "%s",
                      row->name);
    }
}
END_TEST

START_TEST(the_device_does_what_needs_its_keys)
{
    CK_MECHANISM_INFO info;

    ck_assert_rv(kvp_mechanism_info(&fake_slot, CKM_ECDSA, &info), CKR_OK);
    ck_assert(info.flags & CKF_HW);
    ck_assert_rv(kvp_mechanism_info(&fake_slot, CKM_SHA256, &info), CKR_OK);
    ck_assert(!(info.flags & CKF_HW));
    ck_assert_rv(kvp_mechanism_info(&fake_slot, CKM_AES_CBC, &info), CKR_OK);
    ck_assert(info.flags & CKF_HW);
    fake_config.managed_hsm = false;
    ck_assert_rv(kvp_mechanism_info(&fake_slot, CKM_AES_CBC, &info), CKR_OK);
    ck_assert(!(info.flags & CKF_HW));
    ck_assert_rv(kvp_mechanism_info(&fake_slot, CKM_ECDSA, &info), CKR_OK);
    ck_assert(info.flags & CKF_HW);
}
END_TEST

START_TEST(what_the_service_lacks_is_not_listed)
{
    static const CK_MECHANISM_TYPE missing[] = { CKM_RSA_X_509, CKM_ECDH1_DERIVE,
                                                 CKM_EDDSA,     CKM_SHA1_RSA_PKCS_PSS,
                                                 CKM_MD5,       CKM_DES3_CBC };
    CK_MECHANISM_INFO info;

    for (size_t i = 0; i < KVP_ARRAY_LEN(missing); i++)
        ck_assert_rv(kvp_mechanism_info(&fake_slot, missing[i], &info), CKR_MECHANISM_INVALID);
}
END_TEST

START_TEST(the_list_is_counted_then_read)
{
    CK_ULONG count = 0, again;
    CK_MECHANISM_TYPE list[128];

    ck_assert_rv(kvp_mechanism_list(&fake_slot, NULL, &count), CKR_OK);
    ck_assert_uint_eq(count, kvp_mechanism_count);
    again = count - 1;
    ck_assert_rv(kvp_mechanism_list(&fake_slot, list, &again), CKR_BUFFER_TOO_SMALL);
    ck_assert_uint_eq(again, count);
    again = KVP_ARRAY_LEN(list);
    ck_assert_rv(kvp_mechanism_list(&fake_slot, list, &again), CKR_OK);
    ck_assert_uint_eq(again, count);
    for (CK_ULONG i = 0; i < count; i++)
        ck_assert_uint_eq(list[i], kvp_mechanisms[i].type);
}
END_TEST

static bool fits(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE handle)
{
    return kvp_mechanism_fits_key(kvp_mechanism_find(&fake_slot, type), &fake_slot,
                                  fake_object(handle));
}

START_TEST(allowed_mechanisms_are_those_of_type_and_usage)
{
    ck_assert(fits(CKM_RSA_PKCS, FAKE_RSA_2048));
    ck_assert(fits(CKM_RSA_PKCS, FAKE_PUBLIC + FAKE_RSA_2048));
    ck_assert(!fits(CKM_RSA_PKCS, FAKE_EC_P256));
    ck_assert(fits(CKM_ECDSA_SHA256, FAKE_EC_P521));
    ck_assert(!fits(CKM_ECDSA, FAKE_RSA_2048));
    ck_assert(!fits(CKM_RSA_PKCS_KEY_PAIR_GEN, FAKE_RSA_2048));
    ck_assert(!fits(CKM_SHA256, FAKE_RSA_2048));
    ck_assert(fits(CKM_AES_CBC, FAKE_HSM_AES_256));
    ck_assert(!fits(CKM_AES_CBC, FAKE_SESSION_GENERIC));
    ck_assert(fits(CKM_SHA_1_HMAC, FAKE_SESSION_GENERIC));
    ck_assert(!fits(CKM_SHA_1_HMAC, FAKE_HSM_AES_256));
    ck_assert(fits(CKM_SHA256_HMAC, FAKE_HSM_AES_256));
    ck_assert(!fits(CKM_RSA_PKCS, FAKE_CERTIFICATE));

    fake_object(FAKE_EC_P256)->denied = CKA_SIGN;
    ck_assert(!fits(CKM_ECDSA, FAKE_EC_P256));
    fake_object(FAKE_RSA_2048)->denied = CKA_SIGN;
    ck_assert(fits(CKM_RSA_PKCS, FAKE_RSA_2048));
    ck_assert(!fits(CKM_SHA256_RSA_PKCS, FAKE_RSA_2048));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mechanism");
    TCase *table = tcase_create("table"), *keys = tcase_create("keys");
    int rows = (int)kvp_mechanism_count;
    tcase_add_checked_fixture(table, fake_setup, fake_teardown);
    tcase_add_loop_test(table, a_row_is_consistent, 0, rows);
    tcase_add_loop_test(table, a_row_does_what_its_flags_say, 0, rows);
    tcase_add_loop_test(table, a_row_stands_once_in_the_table, 0, rows);
    tcase_add_loop_test(table, a_row_is_found_and_described, 0, rows);
    tcase_add_test(table, the_device_does_what_needs_its_keys);
    tcase_add_test(table, what_the_service_lacks_is_not_listed);
    tcase_add_test(table, the_list_is_counted_then_read);
    suite_add_tcase(suite, table);
    tcase_add_checked_fixture(keys, fake_setup, fake_teardown);
    tcase_add_test(keys, allowed_mechanisms_are_those_of_type_and_usage);
    suite_add_tcase(suite, keys);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
