/* SPDX-License-Identifier: MIT */
/*
 * Which of two mistakes is told (the order of the checks), for every function that works on an
 * operation: bad arguments before a bad session, that before an operation that was never begun; and
 * that bad arguments end an operation, but never one of another kind.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <string.h>

static CK_BYTE buffer[64];
static CK_ULONG room;
static CK_BYTE iv[12], tag[16];
static CK_GCM_MESSAGE_PARAMS gcm = { iv, sizeof(iv), 0, CKG_GENERATE, tag, 128 };

/* A call with arguments that are good, or bad: data of some length at NULL, or no place for a
 * length.
 */
#define DATA (good ? buffer : NULL), 16
#define OUT buffer, (room = sizeof(buffer), good ? &room : NULL)
#define CALL(name, ...)                                                                            \
    static CK_RV call_##name(CK_SESSION_HANDLE session, bool good)                                 \
    {                                                                                              \
        (void)good;                                                                                \
        return p11_3->C_##name(session, __VA_ARGS__);                                              \
    }
CALL(Encrypt, buffer, 16, OUT)
CALL(EncryptUpdate, DATA, buffer, &room)
CALL(EncryptFinal, OUT)
CALL(Decrypt, buffer, 16, OUT)
CALL(DecryptUpdate, DATA, buffer, &room)
CALL(DecryptFinal, OUT)
CALL(Digest, DATA, buffer, &room)
CALL(DigestUpdate, DATA)
CALL(DigestFinal, OUT)
CALL(Sign, DATA, buffer, &room)
CALL(SignUpdate, DATA)
CALL(SignFinal, OUT)
CALL(SignRecover, DATA, buffer, &room)
CALL(Verify, DATA, buffer, 32)
CALL(VerifyUpdate, DATA)
CALL(VerifyFinal, DATA)
CALL(VerifyRecover, buffer, 16, OUT)
CALL(DigestEncryptUpdate, DATA, buffer, &room)
CALL(DecryptDigestUpdate, buffer, 16, OUT)
CALL(SignEncryptUpdate, DATA, buffer, &room)
CALL(DecryptVerifyUpdate, buffer, 16, OUT)
CALL(EncryptMessage, &gcm, sizeof(gcm), NULL, good ? 0 : 3, buffer, 16, buffer, &room)
CALL(EncryptMessageBegin, &gcm, sizeof(gcm), DATA)
CALL(EncryptMessageNext, NULL, 0, buffer, 16, OUT, 0)
CALL(DecryptMessage, &gcm, sizeof(gcm), NULL, 0, DATA, buffer, &room)
CALL(DecryptMessageBegin, good ? &gcm : NULL, sizeof(gcm), NULL, 0)
CALL(DecryptMessageNext, NULL, 0, DATA, buffer, &room, 0)
CALL(SignMessage, NULL, 0, DATA, buffer, &room)
CALL(SignMessageBegin, NULL, good ? 0 : 3)
CALL(SignMessageNext, NULL, 0, buffer, 16, OUT)
CALL(VerifyMessage, NULL, 0, buffer, 16, DATA)
CALL(VerifyMessageBegin, NULL, good ? 0 : 3)
CALL(VerifyMessageNext, NULL, 0, DATA, NULL, 0)
CALL(VerifySignature, DATA)
CALL(VerifySignatureUpdate, DATA)

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, call_##name                                                                         \
    }
static const struct {
    const char *name;
    CK_RV (*call)(CK_SESSION_HANDLE session, bool good);
} rows[] = {
    ROW(Encrypt),
    ROW(EncryptUpdate),
    ROW(EncryptFinal),
    ROW(Decrypt),
    ROW(DecryptUpdate),
    ROW(DecryptFinal),
    ROW(Digest),
    ROW(DigestUpdate),
    ROW(DigestFinal),
    ROW(Sign),
    ROW(SignUpdate),
    ROW(SignFinal),
    ROW(SignRecover),
    ROW(Verify),
    ROW(VerifyUpdate),
    ROW(VerifyFinal),
    ROW(VerifyRecover),
    ROW(DigestEncryptUpdate),
    ROW(DecryptDigestUpdate),
    ROW(SignEncryptUpdate),
    ROW(DecryptVerifyUpdate),
    ROW(EncryptMessage),
    ROW(EncryptMessageBegin),
    ROW(EncryptMessageNext),
    ROW(DecryptMessage),
    ROW(DecryptMessageBegin),
    ROW(DecryptMessageNext),
    ROW(SignMessage),
    ROW(SignMessageBegin),
    ROW(SignMessageNext),
    ROW(VerifyMessage),
    ROW(VerifyMessageBegin),
    ROW(VerifyMessageNext),
    ROW(VerifySignature),
    ROW(VerifySignatureUpdate),
};

static CK_OBJECT_HANDLE new_key(CK_KEY_TYPE type)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BYTE value[32] = { 1 };
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
                                { CKA_KEY_TYPE, &type, sizeof(type) },
                                { CKA_TOKEN, &no, sizeof(no) },
                                { CKA_VALUE, value, sizeof(value) } };
    CK_OBJECT_HANDLE key;

    assert_rv(CKR_OK, p11->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), &key));
    return key;
}

static bool starts(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* Begin what the row works on; an operation beside it where it needs two. False: no local key can.
 */
static bool begin(const char *name)
{
    CK_BYTE cbc_iv[16] = { 0 };
    CK_MECHANISM cbc = { CKM_AES_CBC, cbc_iv, sizeof(cbc_iv) }, message = { CKM_AES_GCM, NULL, 0 };
    CK_MECHANISM mac = { CKM_SHA256_HMAC, NULL, 0 }, hash = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE aes = new_key(CKK_AES), secret = new_key(CKK_GENERIC_SECRET);
    CK_SESSION_HANDLE s = module_session;
    bool dual = starts(name, "DigestEncrypt") || starts(name, "DecryptDigest") ||
                starts(name, "SignEncrypt") || starts(name, "DecryptVerify");

    if (strstr(name, "Recover"))
        return false;
    if (strstr(name, "Message")) {
        CK_RV rv = starts(name, "Encrypt")   ? p11_3->C_MessageEncryptInit(s, &message, aes)
                   : starts(name, "Decrypt") ? p11_3->C_MessageDecryptInit(s, &message, aes)
                   : starts(name, "Sign")    ? p11_3->C_MessageSignInit(s, &mac, secret)
                                             : p11_3->C_MessageVerifyInit(s, &mac, secret);
        assert_rv(CKR_OK, rv);
        if (strstr(name, "Next")) {
            rv = starts(name, "Encrypt")   ? call_EncryptMessageBegin(s, true)
                 : starts(name, "Decrypt") ? call_DecryptMessageBegin(s, true)
                 : starts(name, "Sign")    ? call_SignMessageBegin(s, true)
                                           : call_VerifyMessageBegin(s, true);
            assert_rv(CKR_OK, rv);
        }
        return true;
    }
    if (starts(name, "VerifySignature")) {
        assert_rv(CKR_OK, p11_3->C_VerifySignatureInit(s, &mac, secret, buffer, 32));
        return true;
    }
    if (starts(name, "Encrypt") || (dual && strstr(name, "Encrypt")))
        assert_rv(CKR_OK, p11->C_EncryptInit(s, &cbc, aes));
    if (starts(name, "Decrypt"))
        assert_rv(CKR_OK, p11->C_DecryptInit(s, &cbc, aes));
    if (starts(name, "Digest") || (dual && strstr(name, "Digest")))
        assert_rv(CKR_OK, p11->C_DigestInit(s, &hash));
    if (starts(name, "Sign"))
        assert_rv(CKR_OK, p11->C_SignInit(s, &mac, secret));
    if (starts(name, "Verify") || (dual && strstr(name, "Verify")))
        assert_rv(CKR_OK, p11->C_VerifyInit(s, &mac, secret));
    return true;
}

START_TEST(arguments_come_first_then_the_session_then_the_operation)
{
    CK_SESSION_HANDLE closed = module_open_session(0);

    assert_rv(CKR_OK, p11->C_CloseSession(closed));
    assert_rv(CKR_ARGUMENTS_BAD, rows[_i].call(closed, false));
    assert_rv(CKR_SESSION_HANDLE_INVALID, rows[_i].call(closed, true));
    assert_rv(CKR_ARGUMENTS_BAD, rows[_i].call(module_session, false));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, rows[_i].call(module_session, true));
}
END_TEST

START_TEST(bad_arguments_end_the_operation)
{
    bool message = strstr(rows[_i].name, "Message") != NULL;

    if (!begin(rows[_i].name))
        return;
    assert_rv(CKR_ARGUMENTS_BAD, rows[_i].call(module_session, false));

    /* Of the message functions the message has ended, and the next may begin. */
    if (!message || strstr(rows[_i].name, "Next"))
        assert_rv(CKR_OPERATION_NOT_INITIALIZED, rows[_i].call(module_session, true));
    else if (strstr(rows[_i].name, "Begin"))
        assert_rv(CKR_OK, rows[_i].call(module_session, true));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *tcase = tcase_create("order");

    module_load();
    keyvaultd_start("vault");
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_loop_test(tcase, arguments_come_first_then_the_session_then_the_operation, 0,
                        (int)KVP_ARRAY_LEN(rows));
    tcase_add_loop_test(tcase, bad_arguments_end_the_operation, 0, (int)KVP_ARRAY_LEN(rows));
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
