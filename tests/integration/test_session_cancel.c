/* SPDX-License-Identifier: MIT */
/* C_SessionCancel: each flag and its operation. */
#include "ops_keys.h"
#include "support/keyvaultd.h"

static unsigned char value[32] = { 7, 1 };
static CK_BYTE out[32];

static CK_OBJECT_HANDLE session_key(CK_KEY_TYPE type)
{
    return ops_session_secret(type, value, sizeof(value));
}

#define BEGIN(name, call)                                                                          \
    static CK_RV begin_##name(void)                                                                \
    {                                                                                              \
        CK_BYTE iv[16] = { 0 };                                                                    \
        CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, gcm = { CKM_AES_GCM, NULL, 0 },                \
                     hmac = { CKM_SHA256_HMAC, NULL, 0 }, rsa = { CKM_RSA_PKCS, NULL, 0 },         \
                     sha = { CKM_SHA256, NULL, 0 };                                                \
        CK_SESSION_HANDLE s = module_session;                                                      \
        (void)cbc, (void)gcm, (void)hmac, (void)rsa, (void)sha;                                    \
        return call;                                                                               \
    }
BEGIN(encrypt, p11->C_EncryptInit(s, &cbc, session_key(CKK_AES)))
BEGIN(decrypt, p11->C_DecryptInit(s, &cbc, session_key(CKK_AES)))
BEGIN(digest, p11->C_DigestInit(s, &sha))
BEGIN(sign, p11->C_SignInit(s, &hmac, session_key(CKK_GENERIC_SECRET)))
BEGIN(sign_recover, p11->C_SignRecoverInit(s, &rsa, module_find(s, CKO_PRIVATE_KEY, "rsa")))
BEGIN(verify, p11->C_VerifyInit(s, &hmac, session_key(CKK_GENERIC_SECRET)))
BEGIN(verify_recover, p11->C_VerifyRecoverInit(s, &rsa, module_find(s, CKO_PUBLIC_KEY, "rsa")))
BEGIN(message_encrypt, p11_3->C_MessageEncryptInit(s, &gcm, session_key(CKK_AES)))
BEGIN(message_decrypt, p11_3->C_MessageDecryptInit(s, &gcm, session_key(CKK_AES)))
BEGIN(message_sign, p11_3->C_MessageSignInit(s, &hmac, session_key(CKK_GENERIC_SECRET)))
BEGIN(message_verify, p11_3->C_MessageVerifyInit(s, &hmac, session_key(CKK_GENERIC_SECRET)))
BEGIN(verify_signature,
      p11_3->C_VerifySignatureInit(s, &hmac, session_key(CKK_GENERIC_SECRET), out, 32))
BEGIN(search, p11->C_FindObjectsInit(s, NULL, 0))

static const struct {
    CK_FLAGS flag;
    CK_RV (*begin)(void);
} cancels[] = {
    { CKF_ENCRYPT, begin_encrypt },
    { CKF_DECRYPT, begin_decrypt },
    { CKF_DIGEST, begin_digest },
    { CKF_SIGN, begin_sign },
    { CKF_SIGN_RECOVER, begin_sign_recover },
    { CKF_VERIFY, begin_verify },
    { CKF_VERIFY, begin_verify_signature },
    { CKF_VERIFY_RECOVER, begin_verify_recover },
    { CKF_MESSAGE_ENCRYPT, begin_message_encrypt },
    { CKF_MESSAGE_DECRYPT, begin_message_decrypt },
    { CKF_MESSAGE_SIGN, begin_message_sign },
    { CKF_MESSAGE_VERIFY, begin_message_verify },
    { CKF_FIND_OBJECTS, begin_search },
};

START_TEST(a_flag_cancels_what_it_names_and_nothing_else)
{
    assert_rv(CKR_OK, cancels[_i].begin());
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, 0));
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, ~cancels[_i].flag));
    assert_rv(CKR_OPERATION_ACTIVE, cancels[_i].begin());
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, cancels[_i].flag));
    assert_rv(CKR_OK, cancels[_i].begin());
    assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, ~(CK_FLAGS)0));
    assert_rv(CKR_OK, cancels[_i].begin());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_cancel");
    TCase *tcase = tcase_create("cancel");

    module_load();
    keyvaultd_start("vault");
    keyvaultd_create_key("rsa", "RSA", 2048, NULL);
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_loop_test(tcase, a_flag_cancels_what_it_names_and_nothing_else, 0,
                        (int)KVP_ARRAY_LEN(cancels));
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
