/* SPDX-License-Identifier: MIT */
/* What can be wrong with the functions that came with 3.0 and 3.2, and with saved states; wrong.h.
 */
#include "wrong.h"

#include <string.h>

static world *const w = &main_world;

static CK_BYTE many[600];

/* Run a row's good call beside the one that is tested. */
static void also(const char *name)
{
    assert_rv(CKR_OK, function_run(w, function_row_find(name)));
}

/* ---- saved states ---- */

static void signing_too(word *v)
{
    (void)v;
    also("SignInit");
}

static void digest_of_a_key(word *v)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_DigestKey(w->session, world_key(w, KEY_HMAC)));
}

static void spoiled_state(word *v)
{
    w->saved_state[40] ^= 1;
    (void)v;
}

static void shortened_state(word *v)
{
    v[2].u--;
}

static void empty_state(word *v)
{
    v[2].u = 0;
}

static void state_with_a_key(word *v)
{
    v[3].u = world_key(w, KEY_AES);
}

static void state_of_another_login(word *v)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_Login(w->session, CKU_USER, NULL, 0));
}

/* ---- recovery ---- */

static void data_of_246(word *v)
{
    v[1].p = many;
    v[2].u = 246;
}

static void public_key(word *v)
{
    v[2].u = world_key(w, KEY_EC_PUBLIC);
}

static void private_key(word *v)
{
    v[2].u = world_key(w, KEY_EC_PRIVATE);
}

static void digest_mechanism(word *v)
{
    ((CK_MECHANISM *)v[1].p)->mechanism = CKM_SHA256;
}

/* ---- messages ---- */

static void parameter_of_8(word *v)
{
    v[1].p = many;
    v[2].u = 8;
}

static void tag_of_131_bits(word *v)
{
    (void)v;
    w->message.ulTagBits = 131;
}

static void no_iv(word *v)
{
    (void)v;
    w->message.pIv = NULL;
}

static void other_tag(word *v)
{
    (void)v;
    w->message_tag[3] ^= 4;
}

static void other_aad(word *v)
{
    w->data[2] ^= 1;
    (void)v;
}

static void other_text(word *v)
{
    v[5].p = many;
}

/* A message that is in the middle of its parts. */
static void parts_begun(word *v)
{
    (void)v;
    if (p11_3->C_EncryptMessageBegin(w->session, &w->message, sizeof(w->message), NULL, 0) ==
        CKR_OPERATION_NOT_INITIALIZED)
        assert_rv(CKR_OK, p11_3->C_SignMessageBegin(w->session, NULL, 0));
}

static void other_data(word *v)
{
    (void)v;
    w->data[0] ^= 1;
}

static void short_signature(word *v)
{
    v[6].u--;
}

static void other_signature(word *v)
{
    v[5].p = many;
}

/* ---- signatures that are given first ---- */

static void first_short_signature(word *v)
{
    v[4].u--;
}

static void updated_first(word *v)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_VerifySignatureUpdate(w->session, w->data, 1));
}

static void other_part(word *v)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_VerifySignatureUpdate(w->session, w->data, 1));
}

/* ---- wrapping with authentication, and the rest of 3.2 ---- */

static void key_wrap_mechanism(word *v)
{
    *(CK_MECHANISM *)v[1].p = (CK_MECHANISM){ CKM_AES_KEY_WRAP, NULL, 0 };
}

static void wrapped_otherwise(word *v)
{
    v[3].p = many;
}

static void bound_otherwise(word *v)
{
    v[7].p = many;
}

static void key_of_the_vault(word *v)
{
    v[3].u = world_key(w, KEY_EC_PRIVATE);
}

static void unknown_validation(word *v)
{
    v[1].u = 77;
}

static void reserved(word *v)
{
    v[2].p = many;
}

const wrong_case wrong_message_cases[] = {
#define CASE(function, spoil, rv)                                                                  \
    {                                                                                              \
#function, #spoil, rv, spoil                                                               \
    }
    CASE(GetOperationState, signing_too, CKR_STATE_UNSAVEABLE),
    CASE(GetOperationState, digest_of_a_key, CKR_STATE_UNSAVEABLE),
    CASE(SetOperationState, spoiled_state, CKR_SAVED_STATE_INVALID),
    CASE(SetOperationState, shortened_state, CKR_SAVED_STATE_INVALID),
    CASE(SetOperationState, empty_state, CKR_SAVED_STATE_INVALID),
    CASE(SetOperationState, state_with_a_key, CKR_KEY_NOT_NEEDED),
    CASE(SetOperationState, state_of_another_login, CKR_SAVED_STATE_INVALID),
    CASE(SignRecover, data_of_246, CKR_DATA_LEN_RANGE),
    CASE(SignRecoverInit, private_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(SignRecoverInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(WaitForSlotEvent, reserved, CKR_ARGUMENTS_BAD),

    CASE(EncryptMessage, parameter_of_8, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptMessage, tag_of_131_bits, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptMessage, no_iv, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptMessage, parts_begun, CKR_OPERATION_ACTIVE),
    CASE(EncryptMessageBegin, parameter_of_8, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptMessageBegin, tag_of_131_bits, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptMessageBegin, parts_begun, CKR_OPERATION_ACTIVE),
    CASE(MessageEncryptInit, private_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(MessageEncryptInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(DecryptMessage, parameter_of_8, CKR_MECHANISM_PARAM_INVALID),
    CASE(DecryptMessage, other_tag, CKR_AEAD_DECRYPT_FAILED),
    CASE(DecryptMessage, other_aad, CKR_AEAD_DECRYPT_FAILED),
    CASE(DecryptMessage, other_text, CKR_AEAD_DECRYPT_FAILED),
    CASE(MessageDecryptInit, private_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(MessageSignInit, public_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(MessageSignInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(SignMessage, parameter_of_8, CKR_MECHANISM_PARAM_INVALID),
    CASE(SignMessage, parts_begun, CKR_OPERATION_ACTIVE),
    CASE(SignMessageBegin, parameter_of_8, CKR_MECHANISM_PARAM_INVALID),
    CASE(MessageVerifyInit, private_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(VerifyMessage, other_data, CKR_SIGNATURE_INVALID),
    CASE(VerifyMessage, other_signature, CKR_SIGNATURE_INVALID),
    CASE(VerifyMessage, short_signature, CKR_SIGNATURE_LEN_RANGE),
    CASE(VerifyMessageNext, other_data, CKR_SIGNATURE_INVALID),

    CASE(VerifySignatureInit, first_short_signature, CKR_SIGNATURE_LEN_RANGE),
    CASE(VerifySignatureInit, private_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(VerifySignatureInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(VerifySignature, other_data, CKR_SIGNATURE_INVALID),
    CASE(VerifySignature, updated_first, CKR_OPERATION_ACTIVE),
    CASE(VerifySignatureFinal, other_part, CKR_SIGNATURE_INVALID),
    CASE(WrapKeyAuthenticated, key_wrap_mechanism, CKR_MECHANISM_INVALID),
    CASE(WrapKeyAuthenticated, tag_of_131_bits, CKR_MECHANISM_PARAM_INVALID),
    CASE(WrapKeyAuthenticated, key_of_the_vault, CKR_KEY_UNEXTRACTABLE),
    CASE(WrapKeyAuthenticated, private_key, CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    /* Not CKR_AEAD_DECRYPT_FAILED, which PKCS#11 v3.2 §5.18 does not list for unwrapping. */
    CASE(UnwrapKeyAuthenticated, other_tag, CKR_WRAPPED_KEY_INVALID),
    CASE(UnwrapKeyAuthenticated, wrapped_otherwise, CKR_WRAPPED_KEY_INVALID),
    CASE(UnwrapKeyAuthenticated, bound_otherwise, CKR_WRAPPED_KEY_INVALID),
    CASE(UnwrapKeyAuthenticated, private_key, CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    CASE(GetSessionValidationFlags, unknown_validation, CKR_ARGUMENTS_BAD),
};
const size_t wrong_message_case_count = KVP_ARRAY_LEN(wrong_message_cases);
