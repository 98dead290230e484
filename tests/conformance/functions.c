/* SPDX-License-Identifier: MIT */
/* The rows of functions.h: how each function of the standard is called where it succeeds. */
#include "functions.h"

#include <string.h>

/* ---- from words to arguments ---- */

#define U(i) v[i].u
#define P(i) v[i].p
#define THUNK(name, ...)                                                                           \
    static CK_RV call_##name(const word *v)                                                        \
    {                                                                                              \
        return p11_3->C_##name(__VA_ARGS__);                                                       \
    }

THUNK(Initialize, P(0))
THUNK(Finalize, P(0))
THUNK(GetInfo, P(0))
THUNK(GetFunctionList, P(0))
THUNK(GetSlotList, (CK_BBOOL)U(0), P(1), P(2))
THUNK(GetSlotInfo, U(0), P(1))
THUNK(GetTokenInfo, U(0), P(1))
THUNK(GetMechanismList, U(0), P(1), P(2))
THUNK(GetMechanismInfo, U(0), U(1), P(2))
THUNK(InitToken, U(0), P(1), U(2), P(3))
THUNK(InitPIN, U(0), P(1), U(2))
THUNK(SetPIN, U(0), P(1), U(2), P(3), U(4))
THUNK(OpenSession, U(0), U(1), P(2), NULL, P(4))
THUNK(CloseSession, U(0))
THUNK(CloseAllSessions, U(0))
THUNK(GetSessionInfo, U(0), P(1))
THUNK(GetOperationState, U(0), P(1), P(2))
THUNK(SetOperationState, U(0), P(1), U(2), U(3), U(4))
THUNK(Login, U(0), U(1), P(2), U(3))
THUNK(Logout, U(0))
THUNK(CreateObject, U(0), P(1), U(2), P(3))
THUNK(CopyObject, U(0), U(1), P(2), U(3), P(4))
THUNK(DestroyObject, U(0), U(1))
THUNK(GetObjectSize, U(0), U(1), P(2))
THUNK(GetAttributeValue, U(0), U(1), P(2), U(3))
THUNK(SetAttributeValue, U(0), U(1), P(2), U(3))
THUNK(FindObjectsInit, U(0), P(1), U(2))
THUNK(FindObjects, U(0), P(1), U(2), P(3))
THUNK(FindObjectsFinal, U(0))
THUNK(EncryptInit, U(0), P(1), U(2))
THUNK(Encrypt, U(0), P(1), U(2), P(3), P(4))
THUNK(EncryptUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(EncryptFinal, U(0), P(1), P(2))
THUNK(DecryptInit, U(0), P(1), U(2))
THUNK(Decrypt, U(0), P(1), U(2), P(3), P(4))
THUNK(DecryptUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(DecryptFinal, U(0), P(1), P(2))
THUNK(DigestInit, U(0), P(1))
THUNK(Digest, U(0), P(1), U(2), P(3), P(4))
THUNK(DigestUpdate, U(0), P(1), U(2))
THUNK(DigestKey, U(0), U(1))
THUNK(DigestFinal, U(0), P(1), P(2))
THUNK(SignInit, U(0), P(1), U(2))
THUNK(Sign, U(0), P(1), U(2), P(3), P(4))
THUNK(SignUpdate, U(0), P(1), U(2))
THUNK(SignFinal, U(0), P(1), P(2))
THUNK(SignRecoverInit, U(0), P(1), U(2))
THUNK(SignRecover, U(0), P(1), U(2), P(3), P(4))
THUNK(VerifyInit, U(0), P(1), U(2))
THUNK(Verify, U(0), P(1), U(2), P(3), U(4))
THUNK(VerifyUpdate, U(0), P(1), U(2))
THUNK(VerifyFinal, U(0), P(1), U(2))
THUNK(VerifyRecoverInit, U(0), P(1), U(2))
THUNK(VerifyRecover, U(0), P(1), U(2), P(3), P(4))
THUNK(DigestEncryptUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(DecryptDigestUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(SignEncryptUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(DecryptVerifyUpdate, U(0), P(1), U(2), P(3), P(4))
THUNK(GenerateKey, U(0), P(1), P(2), U(3), P(4))
THUNK(GenerateKeyPair, U(0), P(1), P(2), U(3), P(4), U(5), P(6), P(7))
THUNK(WrapKey, U(0), P(1), U(2), U(3), P(4), P(5))
THUNK(UnwrapKey, U(0), P(1), U(2), P(3), U(4), P(5), U(6), P(7))
THUNK(DeriveKey, U(0), P(1), U(2), P(3), U(4), P(5))
THUNK(SeedRandom, U(0), P(1), U(2))
THUNK(GenerateRandom, U(0), P(1), U(2))
THUNK(GetFunctionStatus, U(0))
THUNK(CancelFunction, U(0))
THUNK(WaitForSlotEvent, U(0), P(1), P(2))
THUNK(GetInterfaceList, P(0), P(1))
THUNK(GetInterface, P(0), P(1), P(2), U(3))
THUNK(LoginUser, U(0), U(1), P(2), U(3), P(4), U(5))
THUNK(SessionCancel, U(0), U(1))
THUNK(MessageEncryptInit, U(0), P(1), U(2))
THUNK(EncryptMessage, U(0), P(1), U(2), P(3), U(4), P(5), U(6), P(7), P(8))
THUNK(EncryptMessageBegin, U(0), P(1), U(2), P(3), U(4))
THUNK(EncryptMessageNext, U(0), P(1), U(2), P(3), U(4), P(5), P(6), U(7))
THUNK(MessageEncryptFinal, U(0))
THUNK(MessageDecryptInit, U(0), P(1), U(2))
THUNK(DecryptMessage, U(0), P(1), U(2), P(3), U(4), P(5), U(6), P(7), P(8))
THUNK(DecryptMessageBegin, U(0), P(1), U(2), P(3), U(4))
THUNK(DecryptMessageNext, U(0), P(1), U(2), P(3), U(4), P(5), P(6), U(7))
THUNK(MessageDecryptFinal, U(0))
THUNK(MessageSignInit, U(0), P(1), U(2))
THUNK(SignMessage, U(0), P(1), U(2), P(3), U(4), P(5), P(6))
THUNK(SignMessageBegin, U(0), P(1), U(2))
THUNK(SignMessageNext, U(0), P(1), U(2), P(3), U(4), P(5), P(6))
THUNK(MessageSignFinal, U(0))
THUNK(MessageVerifyInit, U(0), P(1), U(2))
THUNK(VerifyMessage, U(0), P(1), U(2), P(3), U(4), P(5), U(6))
THUNK(VerifyMessageBegin, U(0), P(1), U(2))
THUNK(VerifyMessageNext, U(0), P(1), U(2), P(3), U(4), P(5), U(6))
THUNK(MessageVerifyFinal, U(0))
THUNK(EncapsulateKey, U(0), P(1), U(2), P(3), U(4), P(5), P(6), P(7))
THUNK(DecapsulateKey, U(0), P(1), U(2), P(3), U(4), P(5), U(6), P(7))
THUNK(VerifySignatureInit, U(0), P(1), U(2), P(3), U(4))
THUNK(VerifySignature, U(0), P(1), U(2))
THUNK(VerifySignatureUpdate, U(0), P(1), U(2))
THUNK(VerifySignatureFinal, U(0))
THUNK(GetSessionValidationFlags, U(0), U(1), P(2))
THUNK(AsyncComplete, U(0), P(1), P(2))
THUNK(AsyncGetID, U(0), P(1), P(2))
THUNK(AsyncJoin, U(0), P(1), U(2), P(3), U(4))
THUNK(WrapKeyAuthenticated, U(0), P(1), U(2), U(3), P(4), U(5), P(6), P(7))
THUNK(UnwrapKeyAuthenticated, U(0), P(1), U(2), P(3), U(4), P(5), U(6), P(7), U(8), P(9))

/* ---- what was made before, by the module itself ---- */

static CK_BYTE cbc_text[DATA_LEN], ec_signature[64], rsa_signature[256], wrapped_key[DATA_LEN + 8];
static CK_BYTE gcm_text[DATA_LEN], gcm_tag[16], gcm_wrapped[DATA_LEN], gcm_wrapped_tag[16];

/* ---- arguments that the letters do not say ---- */

static CK_BBOOL yes = CK_TRUE;
static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

static void fill_first_null(world *w, word *v)
{
    (void)w;
    v[0].p = NULL;
}

static void fill_mechanism_info(world *w, word *v)
{
    (void)w;
    v[1].u = CKM_ECDSA;
}

static void fill_open(world *w, word *v)
{
    (void)w;
    v[1].u = CKF_SERIAL_SESSION;
}

static void fill_login(world *w, word *v)
{
    (void)w;
    v[1].u = CKU_USER;
}

/* A state can only be given back to a session that is in the same state: it is of this one. */
static void fill_state(world *w, word *v)
{
    CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };

    v[2].u = sizeof(w->saved_state);
    if (p11_3->C_DigestInit(w->session, &sha256) == CKR_OK &&
        p11_3->C_DigestUpdate(w->session, w->data, DATA_LEN) == CKR_OK)
        p11_3->C_GetOperationState(w->session, w->saved_state, &v[2].u);
    p11_3->C_SessionCancel(w->session, CKF_DIGEST);
    v[1].p = w->saved_state;
    v[3].u = v[4].u = CK_INVALID_HANDLE;
}

static void fill_create(world *w, word *v)
{
    v[2].u = world_secret_template(w, 0, CKK_AES);
    w->attrs[0][v[2].u++] = (CK_ATTRIBUTE){ CKA_VALUE, w->data, DATA_LEN };
    v[1].p = w->attrs[0];
}

static void fill_label(world *w, word *v)
{
    w->attrs[0][0] = (CK_ATTRIBUTE){ CKA_LABEL, w->label, strlen(w->label) };
    v[2].p = w->attrs[0];
    v[3].u = 1;
}

static void fill_get(world *w, word *v)
{
    w->attrs[0][0] = (CK_ATTRIBUTE){ CKA_LABEL, w->out, sizeof(w->out) };
    v[2].p = w->attrs[0];
    v[3].u = 1;
}

static void fill_find_init(world *w, word *v)
{
    static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
    w->attrs[0][0] = (CK_ATTRIBUTE){ CKA_CLASS, &secret, sizeof(secret) };
    v[1].p = w->attrs[0];
    v[2].u = 1;
}

static void fill_find(world *w, word *v)
{
    v[1].p = w->made;
    v[2].u = 2;
}

static void fill_decrypt(world *w, word *v)
{
    (void)w;
    v[1].p = cbc_text;
}

static void fill_verify(world *w, word *v)
{
    (void)w;
    v[3].p = ec_signature;
    v[4].u = sizeof(ec_signature);
}

static void fill_verify_final(world *w, word *v)
{
    (void)w;
    v[1].p = ec_signature;
    v[2].u = sizeof(ec_signature);
}

static void fill_recover(world *w, word *v)
{
    (void)w;
    v[1].p = rsa_signature;
    v[2].u = sizeof(rsa_signature);
}

static void fill_generate(world *w, word *v)
{
    static CK_ULONG len = DATA_LEN;
    v[3].u = world_secret_template(w, 0, CKK_AES);
    w->attrs[0][v[3].u++] = (CK_ATTRIBUTE){ CKA_VALUE_LEN, &len, sizeof(len) };
    v[2].p = w->attrs[0];
}

static void fill_generate_pair(world *w, word *v)
{
    w->attrs[0][0] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, p256, sizeof(p256) };
    w->attrs[0][1] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof(yes) };
    w->attrs[1][0] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof(yes) };
    w->attrs[1][1] = (CK_ATTRIBUTE){ CKA_LABEL, w->label, strlen(w->label) };
    v[2].p = w->attrs[0];
    v[4].p = w->attrs[1];
    v[3].u = v[5].u = 2;
    v[6].p = &w->made[0];
    v[7].p = &w->made[1];
}

static void fill_wrap(world *w, word *v)
{
    v[3].u = world_key(w, KEY_HMAC);
}

static void fill_unwrap(world *w, word *v)
{
    v[3].p = wrapped_key;
    v[4].u = sizeof(wrapped_key);
    v[6].u = world_secret_template(w, 0, CKK_GENERIC_SECRET);
    v[5].p = w->attrs[0];
}

static void fill_wrap_authenticated(world *w, word *v)
{
    fill_wrap(w, v);
    w->mechanism.pParameter = &w->message;
    w->mechanism.ulParameterLen = sizeof(w->message);
}

static void fill_unwrap_authenticated(world *w, word *v)
{
    fill_unwrap(w, v);
    fill_wrap_authenticated(w, v);
    memcpy(w->message_tag, gcm_wrapped_tag, sizeof(gcm_wrapped_tag));
    v[3].p = gcm_wrapped;
    v[4].u = sizeof(gcm_wrapped);
}

static void fill_validation(world *w, word *v)
{
    (void)w;
    v[1].u = CKS_LAST_VALIDATION_OK;
}

static void fill_wait(world *w, word *v)
{
    (void)w;
    v[0].u = CKF_DONT_BLOCK;
    v[2].p = NULL;
}

static void fill_interface(world *w, word *v)
{
    (void)w;
    v[0].p = v[1].p = NULL;
    v[3].u = 0;
}

static void fill_cancel(world *w, word *v)
{
    (void)w;
    v[1].u = CKF_SIGN | CKF_DIGEST;
}

static void fill_message(world *w, word *v)
{
    v[1].p = &w->message;
    v[2].u = sizeof(w->message);
}

static void fill_decrypt_message(world *w, word *v)
{
    fill_message(w, v);
    memcpy(w->message_tag, gcm_tag, sizeof(gcm_tag));
    v[5].p = gcm_text;
}

static void fill_sign_message(world *w, word *v)
{
    (void)w;
    v[1].p = NULL;
    v[2].u = 0;
}

static void fill_verify_message(world *w, word *v)
{
    fill_sign_message(w, v);
    v[5].p = ec_signature;
    v[6].u = sizeof(ec_signature);
}

/* ---- the rows ---- */

#define F(fn, letters) .name = #fn, .call = call_##fn, .arguments = (letters)
#define AFTER(...) .after = { __VA_ARGS__ }
#define WITH(type, which) .mechanism = (type), .key = (which)
#define CBC WITH(CKM_AES_CBC, KEY_AES)
#define SIGN WITH(CKM_ECDSA_SHA256, KEY_EC_PRIVATE)
#define VERIFY WITH(CKM_ECDSA_SHA256, KEY_EC_PUBLIC)
#define START .traits = STARTS | SOMEWHERE
#define WORK .traits = OPERATION | ENDS

const function_row function_rows[] = {
    { F(Initialize, "p"), .traits = ANYTIME | ALONE, .fill = fill_first_null,
      .good = CKR_CRYPTOKI_ALREADY_INITIALIZED },
    { F(Finalize, "p"), .traits = ALONE, .fill = fill_first_null,
      .other = CKR_CRYPTOKI_NOT_INITIALIZED },
    { F(GetInfo, "r") },
    { F(GetFunctionList, "r"), .traits = ANYTIME },
    { F(GetSlotList, "-bl") },
    { F(GetSlotInfo, "sr") },
    { F(GetTokenInfo, "sr") },
    { F(GetMechanismList, "sbl") },
    { F(GetMechanismInfo, "s-r"), .fill = fill_mechanism_info },
    { F(InitToken, "sdnr"), .good = CKR_FUNCTION_NOT_SUPPORTED },
    { F(InitPIN, "hdn"), .good = CKR_FUNCTION_NOT_SUPPORTED },
    { F(SetPIN, "hdndn"), .good = CKR_FUNCTION_NOT_SUPPORTED },

    { F(OpenSession, "s-ppr"), .fill = fill_open },
    { F(CloseSession, "h") },
    { F(CloseAllSessions, "s"), .traits = ALONE },
    { F(GetSessionInfo, "hr") },
    { F(GetOperationState, "hbl"), .traits = OPERATION, AFTER("DigestInit", "DigestUpdate") },
    { F(SetOperationState, "hdn--"), .fill = fill_state, .other = CKR_SAVED_STATE_INVALID },
    { F(Login, "h-dn"), .fill = fill_login, .other = CKR_USER_ALREADY_LOGGED_IN },
    { F(Logout, "h"), AFTER("Login"), .other = CKR_USER_NOT_LOGGED_IN },

    { F(CreateObject, "hdnr"), .fill = fill_create },
    { F(CopyObject, "hodnr"), .key = KEY_AES, .fill = fill_label },
    { F(DestroyObject, "ho"), .key = KEY_AES },
    { F(GetObjectSize, "hor"), .key = KEY_AES },
    { F(GetAttributeValue, "hodn"), .key = KEY_EC_PRIVATE, .fill = fill_get },
    { F(SetAttributeValue, "hodn"), .key = KEY_AES, .fill = fill_label },
    { F(FindObjectsInit, "hdn"), .traits = STARTS, .fill = fill_find_init },
    { F(FindObjects, "hdnr"), .traits = OPERATION, AFTER("FindObjectsInit"), .fill = fill_find },
    { F(FindObjectsFinal, "h"), .traits = OPERATION, AFTER("FindObjectsInit") },

    { F(EncryptInit, "hmk"), START, CBC },
    { F(Encrypt, "hdnbl"), WORK, AFTER("EncryptInit") },
    { F(EncryptUpdate, "hdnbl"), WORK, AFTER("EncryptInit") },
    { F(EncryptFinal, "hbl"), WORK, AFTER("EncryptInit", "EncryptUpdate") },
    { F(DecryptInit, "hmk"), START, CBC },
    { F(Decrypt, "hdnbl"), WORK, AFTER("DecryptInit"), .fill = fill_decrypt },
    { F(DecryptUpdate, "hdnbl"), WORK, AFTER("DecryptInit"), .fill = fill_decrypt },
    { F(DecryptFinal, "hbl"), WORK, AFTER("DecryptInit", "DecryptUpdate") },
    { F(DigestInit, "hm"), START, WITH(CKM_SHA256, KEY_NONE) },
    { F(Digest, "hdnbl"), WORK, AFTER("DigestInit") },
    { F(DigestUpdate, "hdn"), WORK, AFTER("DigestInit") },
    { F(DigestKey, "hk"), WORK, AFTER("DigestInit"), .key = KEY_HMAC },
    { F(DigestFinal, "hbl"), WORK, AFTER("DigestInit", "DigestUpdate") },
    { F(SignInit, "hmk"), START, SIGN },
    { F(Sign, "hdnbl"), .traits = OPERATION | ENDS | REMOTE, AFTER("SignInit") },
    { F(SignUpdate, "hdn"), WORK, AFTER("SignInit") },
    { F(SignFinal, "hbl"), .traits = OPERATION | ENDS | REMOTE, AFTER("SignInit", "SignUpdate") },
    { F(SignRecoverInit, "hmk"), START, WITH(CKM_RSA_PKCS, KEY_RSA_PRIVATE) },
    { F(SignRecover, "hdnbl"), .traits = OPERATION | ENDS | REMOTE, AFTER("SignRecoverInit") },
    { F(VerifyInit, "hmk"), START, VERIFY },
    { F(Verify, "hdndn"), WORK, AFTER("VerifyInit"), .fill = fill_verify },
    { F(VerifyUpdate, "hdn"), WORK, AFTER("VerifyInit") },
    { F(VerifyFinal, "hdn"), WORK, AFTER("VerifyInit", "VerifyUpdate"), .fill = fill_verify_final },
    { F(VerifyRecoverInit, "hmk"), START, WITH(CKM_RSA_PKCS, KEY_RSA_PUBLIC) },
    { F(VerifyRecover, "hdnbl"), WORK, AFTER("VerifyRecoverInit"), .fill = fill_recover },
    { F(DigestEncryptUpdate, "hdnbl"), .traits = OPERATION, AFTER("DigestInit", "EncryptInit") },
    { F(DecryptDigestUpdate, "hdnbl"), .traits = OPERATION, AFTER("DigestInit", "DecryptInit"),
      .fill = fill_decrypt },
    { F(SignEncryptUpdate, "hdnbl"), .traits = OPERATION, AFTER("SignInit", "EncryptInit") },
    { F(DecryptVerifyUpdate, "hdnbl"), .traits = OPERATION, AFTER("VerifyInit", "DecryptInit"),
      .fill = fill_decrypt },

    { F(GenerateKey, "hmdnr"), WITH(CKM_AES_KEY_GEN, KEY_NONE), .fill = fill_generate },
    { F(GenerateKeyPair, "hmdndnrr"), .traits = WRITES, WITH(CKM_EC_KEY_PAIR_GEN, KEY_NONE),
      .fill = fill_generate_pair },
    { F(WrapKey, "hmwkbl"), WITH(CKM_AES_KEY_WRAP, KEY_AES), .fill = fill_wrap },
    { F(UnwrapKey, "hmudndnr"), WITH(CKM_AES_KEY_WRAP, KEY_AES), .fill = fill_unwrap },
    /* A vault derives and encapsulates nothing. */
    { F(DeriveKey, "hmkdnp"), WITH(CKM_ECDH1_DERIVE, KEY_EC_PRIVATE),
      .good = CKR_MECHANISM_INVALID },
    { F(SeedRandom, "hdn") },
    { F(GenerateRandom, "hdn") },
    { F(GetFunctionStatus, "h"), .good = CKR_FUNCTION_NOT_PARALLEL },
    { F(CancelFunction, "h"), .good = CKR_FUNCTION_NOT_PARALLEL },
    { F(WaitForSlotEvent, "-rp"), .fill = fill_wait, .good = CKR_NO_EVENT },

    { F(GetInterfaceList, "bl"), .traits = ANYTIME },
    { F(GetInterface, "ppr-"), .traits = ANYTIME, .fill = fill_interface },
    { F(LoginUser, "h-dndn"), .fill = fill_login, .other = CKR_USER_ALREADY_LOGGED_IN },
    { F(SessionCancel, "h-"), .fill = fill_cancel },
    { F(MessageEncryptInit, "hmk"), START, WITH(CKM_AES_GCM, KEY_AES) },
    { F(EncryptMessage, "hr-dndnbl"), .traits = OPERATION, AFTER("MessageEncryptInit"),
      .fill = fill_message },
    { F(EncryptMessageBegin, "hr-dn"), .traits = OPERATION, AFTER("MessageEncryptInit"),
      .fill = fill_message },
    { F(EncryptMessageNext, "hr-dnbl-"), .traits = OPERATION,
      AFTER("MessageEncryptInit", "EncryptMessageBegin"), .fill = fill_message },
    { F(MessageEncryptFinal, "h"), .traits = OPERATION, AFTER("MessageEncryptInit") },
    { F(MessageDecryptInit, "hmk"), START, WITH(CKM_AES_GCM, KEY_AES) },
    { F(DecryptMessage, "hr-dndnbl"), .traits = OPERATION, AFTER("MessageDecryptInit"),
      .fill = fill_decrypt_message },
    { F(DecryptMessageBegin, "hr-dn"), .traits = OPERATION, AFTER("MessageDecryptInit"),
      .fill = fill_message },
    { F(DecryptMessageNext, "hr-dnbl-"), .traits = OPERATION,
      AFTER("MessageDecryptInit", "DecryptMessageBegin"), .fill = fill_message },
    { F(MessageDecryptFinal, "h"), .traits = OPERATION, AFTER("MessageDecryptInit") },
    { F(MessageSignInit, "hmk"), START, SIGN },
    { F(SignMessage, "hp-dnbl"), .traits = OPERATION | REMOTE, AFTER("MessageSignInit"),
      .fill = fill_sign_message },
    { F(SignMessageBegin, "hp-"), .traits = OPERATION, AFTER("MessageSignInit"),
      .fill = fill_sign_message },
    { F(SignMessageNext, "hp-dnbl"), .traits = OPERATION | REMOTE,
      AFTER("MessageSignInit", "SignMessageBegin"), .fill = fill_sign_message },
    { F(MessageSignFinal, "h"), .traits = OPERATION, AFTER("MessageSignInit") },
    { F(MessageVerifyInit, "hmk"), START, VERIFY },
    { F(VerifyMessage, "hp-dndn"), .traits = OPERATION, AFTER("MessageVerifyInit"),
      .fill = fill_verify_message },
    { F(VerifyMessageBegin, "hp-"), .traits = OPERATION, AFTER("MessageVerifyInit"),
      .fill = fill_sign_message },
    { F(VerifyMessageNext, "hp-dndn"), .traits = OPERATION,
      AFTER("MessageVerifyInit", "VerifyMessageBegin"), .fill = fill_verify_message },
    { F(MessageVerifyFinal, "h"), .traits = OPERATION, AFTER("MessageVerifyInit") },

    { F(EncapsulateKey, "hmkdnblr"), WITH(CKM_ECDH1_DERIVE, KEY_EC_PUBLIC),
      .good = CKR_MECHANISM_INVALID },
    { F(DecapsulateKey, "hmudndnr"), WITH(CKM_ECDH1_DERIVE, KEY_EC_PRIVATE),
      .good = CKR_MECHANISM_INVALID },
    { F(VerifySignatureInit, "hmkdn"), START, VERIFY, .fill = fill_verify },
    { F(VerifySignature, "hdn"), WORK, AFTER("VerifySignatureInit") },
    { F(VerifySignatureUpdate, "hdn"), WORK, AFTER("VerifySignatureInit") },
    { F(VerifySignatureFinal, "h"), WORK, AFTER("VerifySignatureInit", "VerifySignatureUpdate") },
    { F(GetSessionValidationFlags, "h-r"), .fill = fill_validation },
    /* Nothing is done asynchronously. */
    { F(AsyncComplete, "hrp"), .good = CKR_OPERATION_NOT_INITIALIZED },
    { F(AsyncGetID, "hrr"), .good = CKR_OPERATION_NOT_INITIALIZED },
    { F(AsyncJoin, "hr-dn"), .good = CKR_SAVED_STATE_INVALID },
    { F(WrapKeyAuthenticated, "hmwkdnbl"), WITH(CKM_AES_GCM, KEY_AES),
      .fill = fill_wrap_authenticated },
    { F(UnwrapKeyAuthenticated, "hmudndndnr"), WITH(CKM_AES_GCM, KEY_AES),
      .fill = fill_unwrap_authenticated },
};
const size_t function_row_count = KVP_ARRAY_LEN(function_rows);

const function_row *function_row_find(const char *name)
{
    for (size_t i = 0; i < function_row_count; i++)
        if (strcmp(function_rows[i].name, name) == 0)
            return &function_rows[i];
    return NULL;
}

const defined_function defined_functions[] = {
#define KVP_FN(since, how, name, params) { #name, #how, #params },
#include "cryptoki/functions.def"
};
const size_t defined_function_count = KVP_ARRAY_LEN(defined_functions);

/* ---- what the rows read ---- */

static void keep(world *w, const char *name, void *ret, CK_ULONG len)
{
    assert_rv(CKR_OK, function_run(w, function_row_find(name)));
    ck_assert_uint_eq(w->out_len, len);
    memcpy(ret, w->out, len);
    world_cancel(w);
}

static void sign_raw(world *w)
{
    CK_ULONG len = sizeof(rsa_signature);
    world_mechanism(w, CKM_RSA_PKCS);
    assert_rv(CKR_OK, p11_3->C_SignInit(w->session, &w->mechanism, world_key(w, KEY_RSA_PRIVATE)));
    assert_rv(CKR_OK, p11_3->C_Sign(w->session, w->data, DATA_LEN, rsa_signature, &len));
}

void functions_prepare(void)
{
    world *w = &main_world;
    world_setup();
    keep(w, "Encrypt", cbc_text, sizeof(cbc_text));
    keep(w, "Sign", ec_signature, sizeof(ec_signature));
    keep(w, "WrapKey", wrapped_key, sizeof(wrapped_key));
    keep(w, "EncryptMessage", gcm_text, sizeof(gcm_text));
    memcpy(gcm_tag, w->message_tag, sizeof(gcm_tag));
    sign_raw(w);
    keep(w, "WrapKeyAuthenticated", gcm_wrapped, sizeof(gcm_wrapped));
    memcpy(gcm_wrapped_tag, w->message_tag, sizeof(gcm_wrapped_tag));
    world_teardown();
}
