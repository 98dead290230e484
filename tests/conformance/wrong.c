/* SPDX-License-Identifier: MIT */
/* What can be wrong with a call, a function each, and the table of what is answered; wrong.h. */
#include "wrong.h"

#include <string.h>

static world *const w = &main_world;

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE many[600];

/* ---- wrong things ---- */

/* Append to the template that the arguments @at and the next one are. */
static void append(word *v, int at, CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG len)
{
    CK_ATTRIBUTE *attrs = v[at].p;

    attrs[v[at + 1].u++] = (CK_ATTRIBUTE){ type, value, len };
}

/* Take @type out of it. */
static void without(word *v, int at, CK_ATTRIBUTE_TYPE type)
{
    CK_ATTRIBUTE *attrs = v[at].p;
    CK_ULONG kept = 0;

    for (CK_ULONG i = 0; i < v[at + 1].u; i++)
        if (attrs[i].type != type)
            attrs[kept++] = attrs[i];
    v[at + 1].u = kept;
}

static void set(word *v, int at, CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG len)
{
    without(v, at, type);
    append(v, at, type, value, len);
}

static void number(word *v, int at, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    static CK_ULONG kept[4];
    static int next;
    CK_ULONG *one = &kept[next++ % 4];

    *one = value;
    set(v, at, type, one, sizeof(*one));
}

/* A session key of 32 bytes that has, beside what others have, one attribute more. */
static CK_OBJECT_HANDLE key_with(CK_KEY_TYPE type, CK_ATTRIBUTE_TYPE attr, CK_BBOOL *value)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ULONG count = world_secret_template(w, 1, type);

    w->attrs[1][count++] = (CK_ATTRIBUTE){ CKA_VALUE, w->data, DATA_LEN };
    for (CK_ULONG i = 0; i < count; i++)
        if (w->attrs[1][i].type == attr)
            w->attrs[1][i] = w->attrs[1][--count];
    w->attrs[1][count++] = (CK_ATTRIBUTE){ attr, value, sizeof(*value) };
    assert_rv(CKR_OK, p11_3->C_CreateObject(w->session, w->attrs[1], count, &handle));
    return handle;
}

#define WRONG(name) static void name(word *v)
WRONG(not_null)
{
    v[0].p = many;
}
WRONG(unknown_mechanism)
{
    v[1].u = CKM_RSA_X_509;
}
WRONG(parallel)
{
    v[1].u = CKF_RW_SESSION;
}
WRONG(asynchronous)
{
    v[1].u = CKF_SERIAL_SESSION | CKF_ASYNC_SESSION;
}
WRONG(saved_bytes)
{
    v[1].p = many;
    v[2].u = sizeof(many);
}
WRONG(user_type)
{
    v[1].u = 7;
}
WRONG(context_user)
{
    v[1].u = CKU_CONTEXT_SPECIFIC;
}
WRONG(login_first)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_Login(w->session, CKU_USER, NULL, 0));
}
WRONG(logout_first)
{
    (void)v;
    assert_rv(CKR_OK, p11_3->C_Logout(w->session));
}

WRONG(no_class)
{
    without(v, 1, CKA_CLASS);
}
WRONG(no_value)
{
    without(v, 1, CKA_VALUE);
}
WRONG(no_key_type)
{
    without(v, 1, CKA_KEY_TYPE);
}
WRONG(vendor_attribute)
{
    append(v, 1, CKA_VENDOR_DEFINED | 0x123456, many, 4);
}
WRONG(long_boolean)
{
    set(v, 1, CKA_TOKEN, many, 4);
}
WRONG(twice_otherwise)
{
    append(v, 1, CKA_TOKEN, &yes, sizeof(yes));
}
WRONG(read_only_attribute)
{
    append(v, 1, CKA_LOCAL, &yes, sizeof(yes));
}
WRONG(attribute_without_value)
{
    set(v, 1, CKA_VALUE, NULL, 16);
}
WRONG(short_aes)
{
    set(v, 1, CKA_VALUE, many, 15);
}
WRONG(unknown_class)
{
    number(v, 1, CKA_CLASS, 0x4711);
}
WRONG(unknown_key_type)
{
    number(v, 1, CKA_KEY_TYPE, 0x4711);
}
WRONG(trusted)
{
    append(v, 1, CKA_TRUSTED, &yes, sizeof(yes));
}
WRONG(other_curve)
{
    static CK_BYTE p224[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21 };
    without(v, 1, CKA_VALUE);
    without(v, 1, CKA_SENSITIVE);
    without(v, 1, CKA_EXTRACTABLE);
    number(v, 1, CKA_CLASS, CKO_PUBLIC_KEY);
    number(v, 1, CKA_KEY_TYPE, CKK_EC);
    append(v, 1, CKA_EC_PARAMS, p224, sizeof(p224));
    append(v, 1, CKA_EC_POINT, many, 59);
}
WRONG(not_on_the_curve)
{
    static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    static CK_BYTE point[67] = { 0x04, 0x41, 0x04, 1, 2, 3 };
    other_curve(v);
    set(v, 1, CKA_EC_PARAMS, p256, sizeof(p256));
    set(v, 1, CKA_EC_POINT, point, sizeof(point));
}

WRONG(change_what_is_fixed)
{
    number(v, 2, CKA_KEY_TYPE, CKK_AES);
}
WRONG(change_what_is_not_there)
{
    set(v, 2, CKA_MODULUS, many, 256);
}
WRONG(change_to_nonsense)
{
    set(v, 2, CKA_ENCRYPT, many, 3);
}
WRONG(not_copyable)
{
    v[1].u = key_with(CKK_AES, CKA_COPYABLE, &no);
}
WRONG(not_modifiable)
{
    v[1].u = key_with(CKK_AES, CKA_MODIFIABLE, &no);
}
WRONG(not_destroyable)
{
    v[1].u = key_with(CKK_AES, CKA_DESTROYABLE, &no);
}
WRONG(back_to_extractable)
{
    v[1].u = key_with(CKK_AES, CKA_EXTRACTABLE, &no);
    set(v, 2, CKA_EXTRACTABLE, &yes, sizeof(yes));
}
WRONG(public_half)
{
    v[1].u = world_key(w, KEY_EC_PUBLIC);
}
WRONG(private_number)
{
    v[2].p = w->attrs[0];
    set(v, 2, CKA_VALUE, many, sizeof(many));
}
WRONG(no_such_attribute)
{
    set(v, 2, CKA_MODULUS, many, sizeof(many));
}
WRONG(no_room)
{
    set(v, 2, CKA_LABEL, many, 1);
}
WRONG(search_without_value)
{
    set(v, 1, CKA_CLASS, NULL, sizeof(CK_ULONG));
}

WRONG(ec_key)
{
    v[2].u = world_key(w, KEY_EC_PRIVATE);
}
WRONG(rsa_key)
{
    v[2].u = world_key(w, KEY_RSA_PRIVATE);
}
WRONG(rsa_public_key)
{
    v[2].u = world_key(w, KEY_RSA_PUBLIC);
}
WRONG(aes_key)
{
    v[2].u = world_key(w, KEY_AES);
}
WRONG(no_encryption)
{
    v[2].u = key_with(CKK_AES, CKA_ENCRYPT, &no);
}
WRONG(no_decryption)
{
    v[2].u = key_with(CKK_AES, CKA_DECRYPT, &no);
}
WRONG(no_wrapping)
{
    key_with(CKK_AES, CKA_WRAP, &no);
    v[2].u = key_with(CKK_AES, CKA_DECRYPT, &yes);
}
WRONG(no_unwrapping)
{
    v[2].u = key_with(CKK_AES, CKA_ENCRYPT, &yes);
}
WRONG(mechanism_of_another_use)
{
    ((CK_MECHANISM *)v[1].p)->mechanism = CKM_ECDSA;
}
WRONG(digest_mechanism)
{
    ((CK_MECHANISM *)v[1].p)->mechanism = CKM_SHA256;
}
WRONG(iv_of_15)
{
    ((CK_MECHANISM *)v[1].p)->ulParameterLen = 15;
}
WRONG(iv_without_bytes)
{
    ((CK_MECHANISM *)v[1].p)->pParameter = NULL;
}
WRONG(length_31)
{
    v[2].u = 31;
}
WRONG(updated_first)
{
    (void)v;
    CK_ULONG len = sizeof(many);
    CK_RV rv = p11_3->C_DigestUpdate(w->session, w->data, 1);
    if (rv == CKR_OPERATION_NOT_INITIALIZED)
        rv = p11_3->C_SignUpdate(w->session, w->data, 1);
    if (rv == CKR_OPERATION_NOT_INITIALIZED)
        rv = p11_3->C_VerifyUpdate(w->session, w->data, 1);
    if (rv == CKR_OPERATION_NOT_INITIALIZED)
        rv = p11_3->C_EncryptUpdate(w->session, w->data, 16, many, &len);
    if (rv == CKR_OPERATION_NOT_INITIALIZED)
        rv = p11_3->C_DecryptUpdate(w->session, w->data, 16, many, &len);
    assert_rv(CKR_OK, rv);
}
WRONG(key_of_the_vault)
{
    v[1].u = world_key(w, KEY_EC_PRIVATE);
}
WRONG(other_data)
{
    w->data[0] ^= 1;
    (void)v;
}
WRONG(short_signature)
{
    v[4].u--;
}
WRONG(long_signature)
{
    v[3].p = many;
    v[4].u++;
}
WRONG(short_final_signature)
{
    v[2].u--;
}
WRONG(other_final_signature)
{
    v[1].p = many;
}
WRONG(signature_of_zeros)
{
    v[1].p = memset(many, 0, sizeof(many));
}
WRONG(signature_of_200)
{
    v[2].u = 200;
}

WRONG(aes_of_20_bytes)
{
    number(v, 2, CKA_VALUE_LEN, 20);
}
WRONG(no_length)
{
    without(v, 2, CKA_VALUE_LEN);
}
WRONG(class_of_a_public_key)
{
    number(v, 2, CKA_CLASS, CKO_PUBLIC_KEY);
}
WRONG(value_at_generation)
{
    append(v, 2, CKA_VALUE, many, 32);
}
WRONG(no_curve)
{
    without(v, 2, CKA_EC_PARAMS);
}
WRONG(generated_curve)
{
    static CK_BYTE p224[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21 };
    set(v, 2, CKA_EC_PARAMS, p224, sizeof(p224));
}
WRONG(curve_of_nonsense)
{
    set(v, 2, CKA_EC_PARAMS, many, 5);
}
WRONG(pair_of_the_session)
{
    set(v, 4, CKA_TOKEN, &no, sizeof(no));
}
WRONG(pair_of_nothing_known)
{
    append(v, 4, CKA_VENDOR_DEFINED | 0x123456, many, 4);
}
WRONG(rsa_of_1024)
{
    ((CK_MECHANISM *)v[1].p)->mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
    without(v, 2, CKA_EC_PARAMS);
    number(v, 2, CKA_MODULUS_BITS, 1024);
}
WRONG(taken_name)
{
    static char taken[] = "cf-ec";
    set(v, 4, CKA_LABEL, taken, sizeof(taken) - 1);
}
WRONG(not_extractable)
{
    v[3].u = key_with(CKK_AES, CKA_EXTRACTABLE, &no);
}
WRONG(wrap_a_vaults_key)
{
    v[3].u = world_key(w, KEY_EC_PRIVATE);
}
WRONG(wrap_a_public_key)
{
    v[3].u = world_key(w, KEY_EC_PUBLIC);
}
WRONG(wrap_nothing)
{
    v[3].u = 0x7654321;
}
WRONG(spoiled_wrapping)
{
    memcpy(many, v[3].p, v[4].u);
    many[3] ^= 1;
    v[3].p = many;
}
WRONG(wrapping_of_39)
{
    v[4].u = 39;
}
WRONG(unwrap_unknown)
{
    append(v, 5, CKA_VENDOR_DEFINED | 0x123456, many, 4);
}
WRONG(unwrap_no_type)
{
    without(v, 5, CKA_KEY_TYPE);
}
WRONG(unwrap_to_the_vault)
{
    set(v, 5, CKA_TOKEN, &yes, sizeof(yes));
}

WRONG(unknown_interface)
{
    static CK_UTF8CHAR name[] = "PKCS 12";
    v[0].p = name;
}
WRONG(unknown_version)
{
    static CK_VERSION four = { 4, 0 };
    v[1].p = &four;
}
WRONG(unknown_interface_flag)
{
    v[3].u = 0x8000;
}

const wrong_case wrong_cases[] = {
#define CASE(function, spoil, rv)                                                                  \
    {                                                                                              \
#function, #spoil, rv, spoil                                                               \
    }
    CASE(Finalize, not_null, CKR_ARGUMENTS_BAD),
    CASE(GetMechanismInfo, unknown_mechanism, CKR_MECHANISM_INVALID),
    CASE(OpenSession, parallel, CKR_SESSION_PARALLEL_NOT_SUPPORTED),
    CASE(OpenSession, asynchronous, CKR_SESSION_ASYNC_NOT_SUPPORTED),
    CASE(SetOperationState, saved_bytes, CKR_SAVED_STATE_INVALID),
    CASE(Login, user_type, CKR_USER_TYPE_INVALID),
    CASE(Login, context_user, CKR_OPERATION_NOT_INITIALIZED),
    CASE(Login, login_first, CKR_USER_ALREADY_LOGGED_IN),
    CASE(LoginUser, user_type, CKR_USER_TYPE_INVALID),
    CASE(LoginUser, context_user, CKR_OPERATION_NOT_INITIALIZED),
    CASE(LoginUser, login_first, CKR_USER_ALREADY_LOGGED_IN),
    CASE(Logout, logout_first, CKR_USER_NOT_LOGGED_IN),

    CASE(CreateObject, no_class, CKR_TEMPLATE_INCOMPLETE),
    CASE(CreateObject, no_value, CKR_TEMPLATE_INCOMPLETE),
    CASE(CreateObject, no_key_type, CKR_TEMPLATE_INCOMPLETE),
    CASE(CreateObject, vendor_attribute, CKR_ATTRIBUTE_TYPE_INVALID),
    CASE(CreateObject, long_boolean, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(CreateObject, twice_otherwise, CKR_TEMPLATE_INCONSISTENT),
    CASE(CreateObject, read_only_attribute, CKR_ATTRIBUTE_READ_ONLY),
    CASE(CreateObject, attribute_without_value, CKR_ARGUMENTS_BAD),
    CASE(CreateObject, short_aes, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(CreateObject, unknown_class, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(CreateObject, unknown_key_type, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(CreateObject, trusted, CKR_ATTRIBUTE_READ_ONLY),
    CASE(CreateObject, other_curve, CKR_CURVE_NOT_SUPPORTED),
    CASE(CreateObject, not_on_the_curve, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(CopyObject, not_copyable, CKR_ACTION_PROHIBITED),
    CASE(CopyObject, change_what_is_fixed, CKR_ATTRIBUTE_READ_ONLY),
    CASE(CopyObject, change_to_nonsense, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(DestroyObject, not_destroyable, CKR_ACTION_PROHIBITED),
    CASE(DestroyObject, public_half, CKR_ACTION_PROHIBITED),
    CASE(GetAttributeValue, private_number, CKR_ATTRIBUTE_SENSITIVE),
    CASE(GetAttributeValue, no_such_attribute, CKR_ATTRIBUTE_TYPE_INVALID),
    CASE(GetAttributeValue, no_room, CKR_BUFFER_TOO_SMALL),
    CASE(SetAttributeValue, not_modifiable, CKR_ACTION_PROHIBITED),
    CASE(SetAttributeValue, change_what_is_fixed, CKR_ATTRIBUTE_READ_ONLY),
    CASE(SetAttributeValue, change_what_is_not_there, CKR_ATTRIBUTE_TYPE_INVALID),
    CASE(SetAttributeValue, change_to_nonsense, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(SetAttributeValue, back_to_extractable, CKR_ATTRIBUTE_READ_ONLY),
    CASE(FindObjectsInit, search_without_value, CKR_ARGUMENTS_BAD),

    CASE(EncryptInit, ec_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(EncryptInit, no_encryption, CKR_KEY_FUNCTION_NOT_PERMITTED),
    CASE(EncryptInit, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(EncryptInit, iv_of_15, CKR_MECHANISM_PARAM_INVALID),
    CASE(EncryptInit, iv_without_bytes, CKR_MECHANISM_PARAM_INVALID),
    CASE(Encrypt, length_31, CKR_DATA_LEN_RANGE),
    CASE(Encrypt, updated_first, CKR_OPERATION_ACTIVE),
    CASE(DecryptInit, ec_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(DecryptInit, no_decryption, CKR_KEY_FUNCTION_NOT_PERMITTED),
    CASE(DecryptInit, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(DecryptInit, iv_of_15, CKR_MECHANISM_PARAM_INVALID),
    CASE(Decrypt, length_31, CKR_ENCRYPTED_DATA_LEN_RANGE),
    CASE(Decrypt, updated_first, CKR_OPERATION_ACTIVE),
    CASE(DigestInit, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(Digest, updated_first, CKR_OPERATION_ACTIVE),
    CASE(DigestKey, key_of_the_vault, CKR_KEY_INDIGESTIBLE),
    CASE(SignInit, rsa_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(SignInit, aes_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(SignInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(Sign, updated_first, CKR_OPERATION_ACTIVE),
    CASE(VerifyInit, rsa_public_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(VerifyInit, ec_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(VerifyInit, digest_mechanism, CKR_MECHANISM_INVALID),
    CASE(Verify, other_data, CKR_SIGNATURE_INVALID),
    CASE(Verify, short_signature, CKR_SIGNATURE_LEN_RANGE),
    CASE(Verify, long_signature, CKR_SIGNATURE_LEN_RANGE),
    CASE(Verify, updated_first, CKR_OPERATION_ACTIVE),
    CASE(VerifyFinal, short_final_signature, CKR_SIGNATURE_LEN_RANGE),
    CASE(VerifyFinal, other_final_signature, CKR_SIGNATURE_INVALID),
    CASE(VerifyRecoverInit, ec_key, CKR_KEY_TYPE_INCONSISTENT),
    CASE(VerifyRecoverInit, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(VerifyRecover, signature_of_zeros, CKR_SIGNATURE_INVALID),
    CASE(VerifyRecover, signature_of_200, CKR_SIGNATURE_LEN_RANGE),
    CASE(DecryptDigestUpdate, length_31, CKR_OK), /* the rest comes with the next part */

    CASE(GenerateKey, aes_of_20_bytes, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(GenerateKey, no_length, CKR_TEMPLATE_INCOMPLETE),
    CASE(GenerateKey, class_of_a_public_key, CKR_TEMPLATE_INCONSISTENT),
    CASE(GenerateKey, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(GenerateKey, value_at_generation, CKR_ATTRIBUTE_READ_ONLY),
    CASE(GenerateKeyPair, no_curve, CKR_TEMPLATE_INCOMPLETE),
    CASE(GenerateKeyPair, generated_curve, CKR_CURVE_NOT_SUPPORTED),
    CASE(GenerateKeyPair, curve_of_nonsense, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(GenerateKeyPair, pair_of_the_session, CKR_TEMPLATE_INCONSISTENT),
    CASE(GenerateKeyPair, pair_of_nothing_known, CKR_ATTRIBUTE_TYPE_INVALID),
    CASE(GenerateKeyPair, rsa_of_1024, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(GenerateKeyPair, taken_name, CKR_ATTRIBUTE_VALUE_INVALID),
    CASE(WrapKey, ec_key, CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    CASE(WrapKey, no_wrapping, CKR_KEY_FUNCTION_NOT_PERMITTED),
    CASE(WrapKey, mechanism_of_another_use, CKR_MECHANISM_INVALID),
    CASE(WrapKey, not_extractable, CKR_KEY_UNEXTRACTABLE),
    CASE(WrapKey, wrap_a_vaults_key, CKR_KEY_UNEXTRACTABLE),
    CASE(WrapKey, wrap_a_public_key, CKR_KEY_NOT_WRAPPABLE),
    CASE(WrapKey, wrap_nothing, CKR_KEY_HANDLE_INVALID),
    CASE(UnwrapKey, ec_key, CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    CASE(UnwrapKey, no_unwrapping, CKR_KEY_FUNCTION_NOT_PERMITTED),
    CASE(UnwrapKey, spoiled_wrapping, CKR_WRAPPED_KEY_INVALID),
    CASE(UnwrapKey, wrapping_of_39, CKR_WRAPPED_KEY_LEN_RANGE),
    CASE(UnwrapKey, unwrap_unknown, CKR_ATTRIBUTE_TYPE_INVALID),
    CASE(UnwrapKey, unwrap_no_type, CKR_TEMPLATE_INCOMPLETE),
    CASE(UnwrapKey, unwrap_to_the_vault, CKR_TEMPLATE_INCONSISTENT),

    CASE(GetInterface, unknown_interface, CKR_FUNCTION_FAILED),
    CASE(GetInterface, unknown_version, CKR_FUNCTION_FAILED),
    CASE(GetInterface, unknown_interface_flag, CKR_FUNCTION_FAILED),
};
const size_t wrong_case_count = KVP_ARRAY_LEN(wrong_cases);
