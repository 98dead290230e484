/* SPDX-License-Identifier: MIT */
/* Slots, tokens and mechanisms (PKCS#11 v3.1 §5.5), and that none of it asks the vault. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_FLAGS                                                                                \
    (CKF_TOKEN_INITIALIZED | CKF_RNG | CKF_DUAL_CRYPTO_OPERATIONS | CKF_RESTORE_KEY_NOT_NEEDED)
#define NO_SLOT 77

static size_t requests_before;

static void setup(void)
{
    requests_before = keyvaultd_requests(NULL);
    module_setup();
}

static void teardown(void)
{
    module_teardown();
    ck_assert_uint_eq(keyvaultd_requests(NULL), requests_before);
}

/* Write a configuration of the test's own and have the module read it. */
static void configure(const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/kvpkcs11.conf", keyvaultd_scratch());
    remove(path);
    file = fopen(path, "w");
    ck_assert(file != NULL);
    fputs(text, file);
    fclose(file);
    setenv("KVPKCS11_CONF", path, 1);
}

START_TEST(slot_list_follows_the_rules_of_length)
{
    CK_SLOT_ID slots[3] = { NO_SLOT, NO_SLOT, NO_SLOT };
    CK_ULONG count = 99;

    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetSlotList(CK_TRUE, NULL, NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, NULL, &count));
    ck_assert_uint_eq(count, 1);
    count = 0;
    assert_rv(CKR_BUFFER_TOO_SMALL, p11->C_GetSlotList(CK_TRUE, slots, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(slots[0], NO_SLOT);
    count = 3;
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_FALSE, slots, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(slots[0], 0);
    ck_assert_uint_eq(slots[1], NO_SLOT);
}
END_TEST

START_TEST(slot_info_is_the_vaults_address)
{
    CK_SLOT_INFO info;

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_GetSlotInfo(NO_SLOT, &info));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetSlotInfo(module_slot, NULL));
    memset(&info, 0xaa, sizeof(info));
    assert_rv(CKR_OK, p11->C_GetSlotInfo(module_slot, &info));

    ck_assert(module_field_is(info.slotDescription, 64, keyvaultd_url()));
    ck_assert(module_field_is(info.manufacturerID, 32, "Azure Key Vault"));
    ck_assert_uint_eq(info.flags, CKF_TOKEN_PRESENT);
}
END_TEST

static void expected_serial(char serial[17])
{
    unsigned char digest[32];
    const char *url = keyvaultd_url();

    EVP_Digest(url, strlen(url), digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 8; i++)
        snprintf(serial + 2 * i, 3, "%02x", digest[i]);
}

START_TEST(token_info_is_what_the_contract_says)
{
    CK_TOKEN_INFO info;
    char serial[17];

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_GetTokenInfo(NO_SLOT, &info));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetTokenInfo(module_slot, NULL));
    memset(&info, 0xaa, sizeof(info));
    assert_rv(CKR_OK, p11->C_GetTokenInfo(module_slot, &info));

    expected_serial(serial);
    ck_assert(module_field_is(info.label, 32, "dev"));
    ck_assert(module_field_is(info.manufacturerID, 32, "Azure Key Vault"));
    ck_assert(module_field_is(info.model, 16, "vault"));
    ck_assert(module_field_is(info.serialNumber, 16, serial));
    ck_assert_uint_eq(info.flags, TOKEN_FLAGS);
    ck_assert_uint_eq(info.ulMaxSessionCount, CK_EFFECTIVELY_INFINITE);
    ck_assert_uint_eq(info.ulMaxRwSessionCount, CK_EFFECTIVELY_INFINITE);
    ck_assert_uint_eq(info.ulSessionCount, 1);
    ck_assert_uint_eq(info.ulRwSessionCount, 1);
    ck_assert_uint_eq(info.ulMinPinLen, 0);
    ck_assert_uint_ge(info.ulMaxPinLen, 4);
    ck_assert_uint_eq(info.ulTotalPublicMemory, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(info.ulFreePublicMemory, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(info.ulTotalPrivateMemory, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(info.ulFreePrivateMemory, CK_UNAVAILABLE_INFORMATION);
    ck_assert_uint_eq(info.hardwareVersion.major, 0);
    ck_assert_uint_eq(info.firmwareVersion.major, 7);
    ck_assert(module_field_is(info.utcTime, 16, ""));
}
END_TEST

START_TEST(session_counts_follow_the_sessions)
{
    CK_SESSION_HANDLE ro = module_open_session(0), rw = module_open_session(CKF_RW_SESSION);
    CK_TOKEN_INFO info;

    assert_rv(CKR_OK, p11->C_GetTokenInfo(module_slot, &info));
    ck_assert_uint_eq(info.ulSessionCount, 3);
    ck_assert_uint_eq(info.ulRwSessionCount, 2);
    assert_rv(CKR_OK, p11->C_CloseSession(rw));
    assert_rv(CKR_OK, p11->C_CloseSession(ro));
    assert_rv(CKR_OK, p11->C_GetTokenInfo(module_slot, &info));
    ck_assert_uint_eq(info.ulSessionCount, 1);
    ck_assert_uint_eq(info.ulRwSessionCount, 1);
}
END_TEST

START_TEST(slot_events_never_come)
{
    CK_SLOT_ID slot;
    int something;

    assert_rv(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(0, NULL, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &something));
}
END_TEST

START_TEST(tokens_and_pins_cannot_be_initialized)
{
    CK_UTF8CHAR pin[] = "1234", label[33] = "a token                         ";

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_InitToken(NO_SLOT, pin, 4, label));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_InitToken(module_slot, pin, 4, NULL));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_InitToken(module_slot, NULL, 4, label));
    assert_rv(CKR_FUNCTION_NOT_SUPPORTED, p11->C_InitToken(module_slot, pin, 4, label));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_InitPIN(CK_INVALID_HANDLE, pin, 4));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_InitPIN(module_session, NULL, 4));
    assert_rv(CKR_FUNCTION_NOT_SUPPORTED, p11->C_InitPIN(module_session, pin, 4));
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_SetPIN(CK_INVALID_HANDLE, pin, 4, pin, 4));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_SetPIN(module_session, NULL, 4, pin, 4));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_SetPIN(module_session, pin, 4, NULL, 4));
    assert_rv(CKR_FUNCTION_NOT_SUPPORTED, p11->C_SetPIN(module_session, pin, 4, pin, 4));
}
END_TEST

START_TEST(mechanism_list_follows_the_rules_of_length)
{
    CK_MECHANISM_TYPE list[200];
    CK_ULONG count = 0, all;

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_GetMechanismList(NO_SLOT, NULL, &count));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetMechanismList(module_slot, NULL, NULL));
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, NULL, &all));
    ck_assert_uint_gt(all, 10);
    ck_assert_uint_lt(all, KVP_ARRAY_LEN(list));
    count = all - 1;
    assert_rv(CKR_BUFFER_TOO_SMALL, p11->C_GetMechanismList(module_slot, list, &count));
    ck_assert_uint_eq(count, all);
    count = KVP_ARRAY_LEN(list);
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, list, &count));
    ck_assert_uint_eq(count, all);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_MECHANISM_INFO info;
        assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, list[i], &info));
        ck_assert_msg(info.flags & ~(CK_FLAGS)CKF_HW, "%s does nothing", kvp_ckm_name(list[i]));
        ck_assert_msg(info.ulMinKeySize <= info.ulMaxKeySize, "%s", kvp_ckm_name(list[i]));
        for (CK_ULONG j = 0; j < i; j++)
            ck_assert_msg(list[i] != list[j], "%s twice", kvp_ckm_name(list[i]));
    }
}
END_TEST

START_TEST(mechanism_info_knows_what_is_listed)
{
    CK_MECHANISM_INFO info;

    assert_rv(CKR_SLOT_ID_INVALID, p11->C_GetMechanismInfo(NO_SLOT, CKM_RSA_PKCS, &info));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetMechanismInfo(module_slot, CKM_RSA_PKCS, NULL));
    assert_rv(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(module_slot, CKM_RSA_X_509, &info));
    assert_rv(CKR_MECHANISM_INVALID, p11->C_GetMechanismInfo(module_slot, 0x80005555UL, &info));
    assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, CKM_RSA_PKCS, &info));
    ck_assert(info.flags & CKF_SIGN);
    ck_assert_uint_eq(info.ulMaxKeySize, 4096);
}
END_TEST

/* ---- configurations of other kinds ---- */

START_TEST(each_vault_is_a_slot_in_the_files_order)
{
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;
    CK_TOKEN_INFO info;

    configure("[vault:first]\nurl = https://one.vault.azure.net\nread_only = yes\n"
              "[vault:second]\nurl = https://two.managedhsm.azure.net\n");
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));
    ck_assert_uint_eq(count, 2);

    assert_rv(CKR_OK, p11->C_GetTokenInfo(slots[0], &info));
    ck_assert(module_field_is(info.label, 32, "first"));
    ck_assert(module_field_is(info.model, 16, "vault"));
    ck_assert_uint_eq(info.flags, TOKEN_FLAGS | CKF_WRITE_PROTECTED);
    assert_rv(CKR_OK, p11->C_GetTokenInfo(slots[1], &info));
    ck_assert(module_field_is(info.label, 32, "second"));
    ck_assert(module_field_is(info.model, 16, "managed-hsm"));
    ck_assert_uint_eq(info.flags, TOKEN_FLAGS);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* OpenSSH and Java open read/write sessions only, though they never write. */
START_TEST(a_read_only_vault_grants_read_write_sessions)
{
    CK_SESSION_HANDLE session;

    configure("[vault:first]\nurl = https://one.vault.azure.net\nread_only = yes\n");
    module_slot = module_initialize();

    assert_rv(CKR_OK, p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                         NULL, &session));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(a_long_label_is_cut_at_a_characters_border)
{
    CK_TOKEN_INFO info;

    configure("[vault:0123456789012345678901234567890\xc3\xa9]\nurl = https://one.vault.azure.net\n"
              "[vault:good]\nurl = https://two.vault.azure.net\n");
    module_slot = module_initialize();

    /* 33 bytes: the configuration may refuse it, but never is half a character shown. */
    assert_rv(CKR_OK, p11->C_GetTokenInfo(module_slot, &info));
    ck_assert(module_field_is(info.label, 32, "good") ||
              module_field_is(info.label, 32, "0123456789012345678901234567890"));
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_token");
    TCase *token = tcase_create("token"), *kinds = tcase_create("kinds");

    keyvaultd_start("vault");
    module_load();
    tcase_add_checked_fixture(token, setup, teardown);
    tcase_add_test(token, slot_list_follows_the_rules_of_length);
    tcase_add_test(token, slot_info_is_the_vaults_address);
    tcase_add_test(token, token_info_is_what_the_contract_says);
    tcase_add_test(token, session_counts_follow_the_sessions);
    tcase_add_test(token, slot_events_never_come);
    tcase_add_test(token, tokens_and_pins_cannot_be_initialized);
    tcase_add_test(token, mechanism_list_follows_the_rules_of_length);
    tcase_add_test(token, mechanism_info_knows_what_is_listed);
    tcase_add_test(kinds, each_vault_is_a_slot_in_the_files_order);
    tcase_add_test(kinds, a_read_only_vault_grants_read_write_sessions);
    tcase_add_test(kinds, a_long_label_is_cut_at_a_characters_border);
    suite_add_tcase(suite, token);
    suite_add_tcase(suite, kinds);
    return module_run_suite(suite);
}
