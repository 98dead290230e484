/* SPDX-License-Identifier: MIT */
/*
 * Points of the standard that are easily missed, a test each, on a token that has every kind of
 * key: a Managed HSM.
 */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char hsm_value[32] = { 7, 1 };
static CK_BYTE yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE text[] = "what is signed, digested or encrypted here", out[1024];

static CK_OBJECT_HANDLE find(CK_OBJECT_CLASS class, const char *label)
{
    CK_OBJECT_HANDLE handle = module_find(module_session, class, label);
    ck_assert_msg(handle != CK_INVALID_HANDLE, "%s is not there", label);
    return handle;
}

static CK_OBJECT_HANDLE session_key(CK_KEY_TYPE type)
{
    return ops_session_secret(type, hsm_value, sizeof(hsm_value));
}

static CK_OBJECT_HANDLE data_object(const char *named)
{
    char label[32];
    snprintf(label, sizeof(label), "%s", named);
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
                                { CKA_TOKEN, &no, sizeof(no) },
                                { CKA_LABEL, label, strlen(label) },
                                { CKA_VALUE, text, sizeof(text) } };
    CK_OBJECT_HANDLE object;
    assert_rv(CKR_OK,
              p11->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), &object));
    return object;
}

static CK_STATE state_of(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;
    assert_rv(CKR_OK, p11->C_GetSessionInfo(session, &info));
    return info.state;
}

/* ---- login, parallel functions ---- */

START_TEST(login_is_granted_where_none_is_needed_and_states_follow)
{
    CK_SESSION_HANDLE ro = module_open_session(0);
    for (int round = 0; round < 2; round++) {
        assert_rv(CKR_OK, p11->C_Login(ro, CKU_USER, NULL, 0));
        ck_assert_uint_eq(state_of(ro), CKS_RO_USER_FUNCTIONS);
        ck_assert_uint_eq(state_of(module_session), CKS_RW_USER_FUNCTIONS);
        assert_rv(CKR_USER_ALREADY_LOGGED_IN, p11->C_Login(module_session, CKU_USER, NULL, 0));
        ck_assert_uint_eq(state_of(ro), CKS_RO_USER_FUNCTIONS);
        assert_rv(CKR_OK, p11->C_Logout(module_session));
        ck_assert_uint_eq(state_of(ro), CKS_RO_PUBLIC_SESSION);
        assert_rv(CKR_USER_NOT_LOGGED_IN, p11->C_Logout(ro));
        ck_assert_uint_eq(state_of(module_session), CKS_RW_PUBLIC_SESSION);
    }
}
END_TEST

START_TEST(private_session_objects_end_with_the_login)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
                                { CKA_TOKEN, &no, sizeof(no) },
                                { CKA_PRIVATE, &yes, sizeof(yes) } };
    CK_OBJECT_HANDLE private, public = data_object("public");
    CK_ULONG size;
    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_USER, NULL, 0));
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, template, 3, &private));
    assert_rv(CKR_OK, p11->C_GetObjectSize(module_session, private, &size));
    assert_rv(CKR_OK, p11->C_Logout(module_session));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(module_session, private, &size));
    assert_rv(CKR_OK, p11->C_Login(module_session, CKU_USER, NULL, 0));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(module_session, private, &size));
    assert_rv(CKR_OK, p11->C_GetObjectSize(module_session, public, &size));
}
END_TEST

START_TEST(nothing_is_ever_parallel)
{
    CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
    CK_SESSION_HANDLE closed = module_open_session(0);
    assert_rv(CKR_OK, p11->C_CloseSession(closed));
    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &sha256));
    const CK_SESSION_HANDLE sessions[] = { module_session, closed, CK_INVALID_HANDLE };
    for (size_t i = 0; i < KVP_ARRAY_LEN(sessions); i++) {
        assert_rv(CKR_FUNCTION_NOT_PARALLEL, p11->C_GetFunctionStatus(sessions[i]));
        assert_rv(CKR_FUNCTION_NOT_PARALLEL, p11->C_CancelFunction(sessions[i]));
    }
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, text, sizeof(text)));
}
END_TEST

/* ---- operations ---- */

/* Each kind with its functions; keys by number in keys_of. */
typedef struct kind {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_ULONG len; /* of what is given to it */
} kind;
static const kind kinds[] = {
    { "digest", CKM_SHA256, 32 },       { "sign", CKM_SHA256_RSA_PKCS, 32 },
    { "mac", CKM_SHA256_HMAC, 32 },     { "verify", CKM_SHA256_HMAC, 32 },
    { "encrypt", CKM_AES_CBC_PAD, 32 }, { "decrypt", CKM_AES_CBC, 32 },
};

static CK_RV init(const kind *k)
{
    static CK_BYTE iv[16];
    CK_MECHANISM mechanism = { k->type, NULL, 0 };
    if (k->type == CKM_AES_CBC || k->type == CKM_AES_CBC_PAD)
        mechanism = (CK_MECHANISM){ k->type, iv, sizeof(iv) };
    if (strcmp(k->name, "digest") == 0)
        return p11->C_DigestInit(module_session, &mechanism);
    if (strcmp(k->name, "sign") == 0)
        return p11->C_SignInit(module_session, &mechanism, find(CKO_PRIVATE_KEY, "fine-rsa"));
    if (strcmp(k->name, "mac") == 0)
        return p11->C_SignInit(module_session, &mechanism, session_key(CKK_GENERIC_SECRET));
    if (strcmp(k->name, "verify") == 0)
        return p11->C_VerifyInit(module_session, &mechanism, session_key(CKK_GENERIC_SECRET));
    if (strcmp(k->name, "encrypt") == 0)
        return p11->C_EncryptInit(module_session, &mechanism, session_key(CKK_AES));
    return p11->C_DecryptInit(module_session, &mechanism, session_key(CKK_AES));
}

static CK_RV once(const kind *k, CK_BYTE *data, CK_ULONG len, CK_ULONG *out_len)
{
    if (strcmp(k->name, "digest") == 0)
        return p11->C_Digest(module_session, data, len, out, out_len);
    if (strcmp(k->name, "sign") == 0 || strcmp(k->name, "mac") == 0)
        return p11->C_Sign(module_session, data, len, out, out_len);
    if (strcmp(k->name, "verify") == 0)
        return p11->C_Verify(module_session, data, len, out, out_len ? 32 : 1);
    if (strcmp(k->name, "encrypt") == 0)
        return p11->C_Encrypt(module_session, data, len, out, out_len);
    return p11->C_Decrypt(module_session, data, len, out, out_len);
}

static CK_RV update(const kind *k, CK_BYTE *data, CK_ULONG len)
{
    CK_ULONG room = sizeof(out);
    if (strcmp(k->name, "digest") == 0)
        return p11->C_DigestUpdate(module_session, data, len);
    if (strcmp(k->name, "sign") == 0 || strcmp(k->name, "mac") == 0)
        return p11->C_SignUpdate(module_session, data, len);
    if (strcmp(k->name, "verify") == 0)
        return p11->C_VerifyUpdate(module_session, data, len);
    if (strcmp(k->name, "encrypt") == 0)
        return p11->C_EncryptUpdate(module_session, data, len, out, &room);
    return p11->C_DecryptUpdate(module_session, data, len, out, &room);
}

START_TEST(a_one_part_call_after_an_update_is_an_active_operation)
{
    CK_ULONG len = sizeof(out);
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(CKR_OK, update(&kinds[_i], text, 16));
    assert_rv(CKR_OPERATION_ACTIVE, once(&kinds[_i], text, kinds[_i].len, &len));
    /* and like every other error it ends the operation */
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, update(&kinds[_i], text, 16));
}
END_TEST

START_TEST(bad_arguments_end_an_operation)
{
    CK_ULONG len = sizeof(out);
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(CKR_ARGUMENTS_BAD, once(&kinds[_i], NULL, 3, &len));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, once(&kinds[_i], text, kinds[_i].len, &len));
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(CKR_ARGUMENTS_BAD, update(&kinds[_i], NULL, 3));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, once(&kinds[_i], text, kinds[_i].len, &len));
}
END_TEST

START_TEST(nothing_is_data_too)
{
    CK_ULONG len = sizeof(out), empty = sizeof(out);
    CK_RV expected = strcmp(kinds[_i].name, "verify") == 0 ? CKR_SIGNATURE_INVALID : CKR_OK;
    memset(out, 0, sizeof(out));
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(expected, once(&kinds[_i], NULL, 0, &len));
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(expected, once(&kinds[_i], text, 0, &empty));
    ck_assert_uint_eq(len, empty);
    assert_rv(CKR_OK, init(&kinds[_i]));
    assert_rv(CKR_OK, update(&kinds[_i], NULL, 0));
    assert_rv(CKR_OK, update(&kinds[_i], text, 0));
}
END_TEST

START_TEST(nothing_is_data_elsewhere_as_well)
{
    CK_MECHANISM wrap = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },
                                { CKA_TOKEN, &no, sizeof(no) },
                                { CKA_LABEL, NULL, 0 },
                                { CKA_VALUE, NULL, 0 } };
    CK_OBJECT_HANDLE object;
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, NULL, 0));
    assert_rv(CKR_OK,
              p11->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), &object));
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, NULL, 0));
    assert_rv(
        CKR_WRAPPED_KEY_LEN_RANGE,
        p11->C_UnwrapKey(module_session, &wrap, session_key(CKK_AES), NULL, 0, NULL, 0, &object));
}
END_TEST

/* ---- objects ---- */

START_TEST(an_object_is_copied_by_an_empty_template)
{
    CK_OBJECT_HANDLE original = data_object("original"), copy = CK_INVALID_HANDLE;
    CK_BYTE value[64], unique[2][128];
    CK_ATTRIBUTE attrs[] = { { CKA_VALUE, value, sizeof(value) },
                             { CKA_UNIQUE_ID, unique[0], sizeof(unique[0]) } };
    assert_rv(CKR_OK, p11->C_CopyObject(module_session, original, NULL, 0, &copy));
    ck_assert_uint_ne(copy, original);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, copy, attrs, 2));
    ck_assert_uint_eq(attrs[0].ulValueLen, sizeof(text));
    ck_assert_mem_eq(value, text, sizeof(text));
    CK_ULONG len = attrs[1].ulValueLen;
    attrs[1] = (CK_ATTRIBUTE){ CKA_UNIQUE_ID, unique[1], sizeof(unique[1]) };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, original, &attrs[1], 1));
    ck_assert(attrs[1].ulValueLen != len || memcmp(unique[0], unique[1], len) != 0);
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, original));
    attrs[0].ulValueLen = sizeof(value);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, copy, attrs, 1));
    /* keys too */
    assert_rv(CKR_OK, p11->C_CopyObject(module_session, session_key(CKK_AES), NULL, 0, &copy));
}
END_TEST

START_TEST(bad_handles_have_the_names_of_their_place)
{
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 }, hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_MECHANISM rsa = { CKM_RSA_PKCS, NULL, 0 }, wrap = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 }, ecdh = { CKM_ECDH1_DERIVE, NULL, 0 };
    CK_OBJECT_HANDLE handles[] = { CK_INVALID_HANDLE, 987654, data_object("no key") }, key;
    CK_SESSION_HANDLE s = module_session;
    CK_ULONG len = sizeof(out);
    CK_OBJECT_HANDLE aes = session_key(CKK_AES);
    for (size_t i = 0; i < KVP_ARRAY_LEN(handles); i++) {
        CK_OBJECT_HANDLE bad = handles[i];
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &hmac, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_VerifyInit(s, &hmac, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_SignRecoverInit(s, &rsa, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_VerifyRecoverInit(s, &rsa, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_EncryptInit(s, &rsa, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_DecryptInit(s, &rsa, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageEncryptInit(s, &gcm, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageDecryptInit(s, &gcm, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageSignInit(s, &hmac, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_MessageVerifyInit(s, &hmac, bad));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_VerifySignatureInit(s, &hmac, bad, out, 32));
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_DeriveKey(s, &ecdh, bad, NULL, 0, &key));
        assert_rv(CKR_WRAPPING_KEY_HANDLE_INVALID, p11->C_WrapKey(s, &wrap, bad, aes, out, &len));
        assert_rv(CKR_UNWRAPPING_KEY_HANDLE_INVALID,
                  p11->C_UnwrapKey(s, &wrap, bad, out, 40, NULL, 0, &key));
        if (i == 2)
            continue; /* an object that is no key cannot be wrapped, but it can be all else */
        assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_WrapKey(s, &wrap, aes, bad, out, &len));
        assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(s, bad, &len));
        assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(s, bad, NULL, 0));
        assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_SetAttributeValue(s, bad, NULL, 0));
        assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_CopyObject(s, bad, NULL, 0, &key));
        assert_rv(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(s, bad));
    }
    assert_rv(CKR_KEY_NOT_WRAPPABLE, p11->C_WrapKey(s, &wrap, aes, handles[2], out, &len));
    assert_rv(CKR_OK, p11->C_DigestInit(s, &sha));
    assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_DigestKey(s, 987654));
    assert_rv(CKR_OK, p11->C_DigestInit(s, &sha));
    assert_rv(CKR_KEY_INDIGESTIBLE, p11->C_DigestKey(s, find(CKO_SECRET_KEY, "fine-oct")));
}
END_TEST

/* What every key has, by class; and that it is found by it. */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    bool private_key, public_key, secret_key;
} everywhere[] = {
    { CKA_KEY_GEN_MECHANISM, true, true, true }, { CKA_WRAP_WITH_TRUSTED, true, false, true },
    { CKA_TRUSTED, false, true, true },          { CKA_ALWAYS_AUTHENTICATE, true, false, false },
    { CKA_SUBJECT, true, true, false },          { CKA_UNIQUE_ID, true, true, true },
};

/* Whether a search by this attribute, and nothing else, finds the object. */
static bool is_found_by(CK_ATTRIBUTE *attr, CK_OBJECT_HANDLE wanted)
{
    CK_OBJECT_HANDLE object;
    CK_ULONG count = 1;
    bool found = false;
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attr, 1));
    while (count == 1) {
        assert_rv(CKR_OK, p11->C_FindObjects(module_session, &object, 1, &count));
        found |= count == 1 && object == wanted;
    }
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    return found;
}

static void check_attributes(CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class;
    CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &attr, 1));
    for (size_t i = 0; i < KVP_ARRAY_LEN(everywhere); i++) {
        CK_BYTE value[512];
        bool has = (class == CKO_PRIVATE_KEY && everywhere[i].private_key) ||
                   (class == CKO_PUBLIC_KEY && everywhere[i].public_key) ||
                   (class == CKO_SECRET_KEY && everywhere[i].secret_key) ||
                   everywhere[i].type == CKA_UNIQUE_ID;
        char name[64];
        snprintf(name, sizeof(name), "%s", kvp_cka_name(everywhere[i].type));
        attr = (CK_ATTRIBUTE){ everywhere[i].type, value, sizeof(value) };
        CK_RV rv = p11->C_GetAttributeValue(module_session, object, &attr, 1);
        if (!has)
            continue;
        ck_assert_msg(rv == CKR_OK, "%s of a %s: %s", name, kvp_cko_name(class), kvp_ckr_name(rv));
        ck_assert_msg(is_found_by(&attr, object), "a %s is not found by its %s",
                      kvp_cko_name(class), name);
    }
}

START_TEST(every_key_and_object_has_what_all_have_and_is_found_by_it)
{
    CK_OBJECT_HANDLE objects[64];
    CK_ULONG count = 0;
    session_key(CKK_AES);
    session_key(CKK_GENERIC_SECRET);
    data_object("data");
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, NULL, 0));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, objects, KVP_ARRAY_LEN(objects), &count));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    ck_assert_uint_ge(count,
                      5 + 3); /* two pairs and a secret key of the token, and the session's */
    for (CK_ULONG i = 0; i < count; i++)
        check_attributes(objects[i]);
}
END_TEST

START_TEST(a_change_that_fails_has_changed_nothing)
{
    CK_OBJECT_HANDLE object = data_object("before");
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BYTE label[32], after[] = "after";
    CK_ATTRIBUTE changes[] = { { CKA_LABEL, after, 5 }, { CKA_CLASS, &class, sizeof(class) } };
    CK_ATTRIBUTE key_changes[] = { { CKA_LABEL, after, 5 }, { CKA_LOCAL, &no, sizeof(no) } };
    CK_ATTRIBUTE attr = { CKA_LABEL, label, sizeof(label) };
    CK_OBJECT_HANDLE keys[] = { session_key(CKK_AES), find(CKO_PRIVATE_KEY, "fine-ec") };

    ck_assert(p11->C_SetAttributeValue(module_session, object, changes, 2) != CKR_OK);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &attr, 1));
    ck_assert_uint_eq(attr.ulValueLen, 6);
    ck_assert_mem_eq(label, "before", 6);
    for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++) {
        size_t updates = keyvaultd_requests("KeyUpdate");
        assert_rv(CKR_ATTRIBUTE_READ_ONLY,
                  p11->C_SetAttributeValue(module_session, keys[i], key_changes, 2));
        attr = (CK_ATTRIBUTE){ CKA_LABEL, label, sizeof(label) };
        assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, keys[i], &attr, 1));
        ck_assert(attr.ulValueLen != 5);
        ck_assert_uint_eq(keyvaultd_requests("KeyUpdate"), updates);
    }
}
END_TEST

/* ---- mechanisms ---- */

START_TEST(hardware_is_said_where_the_device_has_a_key_for_it)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        bool hardware;
    } expected[] = {
        { CKM_RSA_PKCS, true },    { CKM_ECDSA_SHA256, true }, { CKM_EC_KEY_PAIR_GEN, true },
        { CKM_AES_KEY_GEN, true }, { CKM_AES_GCM, true },      { CKM_AES_KEY_WRAP, true },
        { CKM_SHA256_HMAC, true }, { CKM_SHA_1_HMAC, false },  { CKM_SHA224_HMAC, false },
        { CKM_SHA256, false },     { CKM_SHA3_512, false },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(expected); i++) {
        CK_MECHANISM_INFO info;
        assert_rv(CKR_OK, p11->C_GetMechanismInfo(module_slot, expected[i].type, &info));
        ck_assert_msg(!(info.flags & CKF_HW) == !expected[i].hardware, "%s",
                      kvp_ckm_name(expected[i].type));
    }
}
END_TEST

/* With a key of the session, and with the same key in the HSM. */
START_TEST(a_mac_of_another_length_never_verifies)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_OBJECT_HANDLE key = _i ? find(CKO_SECRET_KEY, "fine-oct") : session_key(CKK_GENERIC_SECRET);
    CK_BYTE mac[64] = { 0 };
    CK_ULONG len = 32;
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, key));
    assert_rv(CKR_OK, p11->C_Sign(module_session, text, sizeof(text), mac, &len));
    ck_assert_uint_eq(len, 32);
    for (CK_ULONG other = 0; other <= sizeof(mac); other++) {
        CK_RV expected = other == len ? CKR_OK : CKR_SIGNATURE_LEN_RANGE;
        assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, key));
        assert_rv(expected, p11->C_Verify(module_session, text, sizeof(text), mac, other));
        assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, key));
        assert_rv(CKR_OK, p11->C_VerifyUpdate(module_session, text, sizeof(text)));
        assert_rv(expected, p11->C_VerifyFinal(module_session, mac, other));
        assert_rv(expected,
                  p11_3->C_VerifySignatureInit(module_session, &mechanism, key, mac, other));
        if (expected == CKR_OK)
            assert_rv(CKR_OK, p11_3->C_VerifySignature(module_session, text, sizeof(text)));
        assert_rv(CKR_OK, p11_3->C_MessageVerifyInit(module_session, &mechanism, key));
        assert_rv(expected,
                  p11_3->C_VerifyMessage(module_session, NULL, 0, text, sizeof(text), mac, other));
        assert_rv(CKR_OK, p11_3->C_MessageVerifyFinal(module_session));
    }
}
END_TEST

/* Whether anything can be begun with it: without a parameter, some say only that they need one. */
static bool can_be_begun(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE other)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_SESSION_HANDLE s = module_session;
    CK_OBJECT_HANDLE made;
    CK_ULONG len = 0;
    const CK_RV rvs[] = {
        p11->C_EncryptInit(s, &mechanism, key),
        p11->C_DecryptInit(s, &mechanism, key),
        p11->C_SignInit(s, &mechanism, key),
        p11->C_SignRecoverInit(s, &mechanism, key),
        p11->C_VerifyInit(s, &mechanism, key),
        p11->C_VerifyRecoverInit(s, &mechanism, key),
        p11->C_WrapKey(s, &mechanism, key, other, NULL, &len),
        p11->C_UnwrapKey(s, &mechanism, key, text, 1, NULL, 0, &made),
    };
    bool begun = false;
    assert_rv(CKR_OK, p11_3->C_SessionCancel(s, ~(CK_FLAGS)0));
    for (size_t i = 0; i < KVP_ARRAY_LEN(rvs); i++)
        begun |= rvs[i] == CKR_OK || rvs[i] == CKR_MECHANISM_PARAM_INVALID ||
                 rvs[i] == CKR_WRAPPED_KEY_LEN_RANGE;
    return begun;
}

START_TEST(a_key_allows_what_can_be_begun_with_it_and_no_more)
{
    CK_OBJECT_HANDLE other = session_key(CKK_AES);
    const CK_OBJECT_HANDLE keys[] = {
        find(CKO_PRIVATE_KEY, "fine-rsa"), find(CKO_PUBLIC_KEY, "fine-rsa"),
        find(CKO_PRIVATE_KEY, "fine-ec"),  find(CKO_PUBLIC_KEY, "fine-ec"),
        find(CKO_SECRET_KEY, "fine-oct"),  session_key(CKK_AES),
        session_key(CKK_GENERIC_SECRET),
    };
    CK_MECHANISM_TYPE types[128], allowed[128];
    CK_ULONG count = KVP_ARRAY_LEN(types);
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, types, &count));
    for (size_t k = 0; k < KVP_ARRAY_LEN(keys); k++) {
        CK_ATTRIBUTE attr = { CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) };
        assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, keys[k], &attr, 1));
        for (CK_ULONG i = 0; i < count; i++) {
            bool listed = false;
            for (CK_ULONG a = 0; a < attr.ulValueLen / sizeof(allowed[0]); a++)
                listed |= allowed[a] == types[i];
            ck_assert_msg(can_be_begun(types[i], keys[k], other) == listed, "%s, key %zu is %s",
                          kvp_ckm_name(types[i]), k, listed ? "listed" : "not listed");
        }
    }
}
END_TEST

/* Every mechanism that is listed, with parameters and keys that make no sense. */
START_TEST(bad_input_has_a_name_of_its_own)
{
    CK_MECHANISM_TYPE types[128];
    CK_ULONG count = KVP_ARRAY_LEN(types), len;
    static const CK_ULONG sizes[] = { 0, 1, 16, 24, 40, 48, 56 }; /* of the parameters there are */
    CK_BYTE junk[64];
    CK_OBJECT_HANDLE keys[] = { find(CKO_PRIVATE_KEY, "fine-rsa"), find(CKO_PUBLIC_KEY, "fine-rsa"),
                                find(CKO_PRIVATE_KEY, "fine-ec"),  find(CKO_PUBLIC_KEY, "fine-ec"),
                                find(CKO_SECRET_KEY, "fine-oct"),  session_key(CKK_AES),
                                session_key(CKK_GENERIC_SECRET),   data_object("none") };
    memset(junk, 0, sizeof(junk)); /* pointers among it are NULL */
    assert_rv(CKR_OK, p11->C_GetMechanismList(module_slot, types, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        for (CK_ULONG k = 0; k < KVP_ARRAY_LEN(keys); k++) {
            for (size_t z = 0; z < KVP_ARRAY_LEN(sizes); z++) {
                CK_ULONG size = sizes[z];
                CK_MECHANISM mechanism = { types[i], size ? junk : NULL, size };
                CK_RV rvs[] = {
                    p11->C_SignInit(module_session, &mechanism, keys[k]),
                    p11->C_VerifyInit(module_session, &mechanism, keys[k]),
                    p11->C_EncryptInit(module_session, &mechanism, keys[k]),
                    p11->C_DecryptInit(module_session, &mechanism, keys[k]),
                    p11->C_DigestInit(module_session, &mechanism),
                    p11->C_WrapKey(module_session, &mechanism, keys[k], keys[5], NULL, &len),
                    p11_3->C_MessageSignInit(module_session, &mechanism, keys[k]),
                };
                for (size_t r = 0; r < KVP_ARRAY_LEN(rvs); r++)
                    ck_assert_msg(rvs[r] != CKR_GENERAL_ERROR && rvs[r] != CKR_FUNCTION_FAILED &&
                                      rvs[r] != CKR_DEVICE_ERROR,
                                  "%s, key %lu, %lu bytes: %s", kvp_ckm_name(types[i]), k, size,
                                  kvp_ckr_name(rvs[r]));
                assert_rv(CKR_OK, p11_3->C_SessionCancel(module_session, ~(CK_FLAGS)0));
            }
        }
    }
}
END_TEST

static void prepare(void)
{
    char kind_is[32];
    keyvaultd_setting("kind", kind_is, sizeof(kind_is));
    if (!kind_is[0]) { /* the address does not tell it */
        FILE *file = fopen(keyvaultd_conf(), "a");
        if (!file || fputs("kind = managed-hsm\n", file) < 0 || fclose(file) != 0)
            exit(1);
    }
    keyvaultd_create_key("fine-rsa", "RSA-HSM", 2048, NULL);
    keyvaultd_create_key("fine-ec", "EC-HSM", 0, "P-256");
    ops_secret_import("fine-oct", hsm_value, sizeof(hsm_value));
}

int main(void)
{
    Suite *suite = suite_create("fine_points");
    TCase *tcase = tcase_create("points");
    const int kind_count = (int)KVP_ARRAY_LEN(kinds);

    module_load();
    keyvaultd_start("managed-hsm");
    prepare();
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_test(tcase, login_is_granted_where_none_is_needed_and_states_follow);
    tcase_add_test(tcase, private_session_objects_end_with_the_login);
    tcase_add_test(tcase, nothing_is_ever_parallel);
    tcase_add_loop_test(tcase, a_one_part_call_after_an_update_is_an_active_operation, 0,
                        kind_count);
    tcase_add_loop_test(tcase, bad_arguments_end_an_operation, 0, kind_count);
    tcase_add_loop_test(tcase, nothing_is_data_too, 0, kind_count);
    tcase_add_test(tcase, nothing_is_data_elsewhere_as_well);
    tcase_add_test(tcase, an_object_is_copied_by_an_empty_template);
    tcase_add_test(tcase, bad_handles_have_the_names_of_their_place);
    tcase_add_test(tcase, every_key_and_object_has_what_all_have_and_is_found_by_it);
    tcase_add_test(tcase, a_change_that_fails_has_changed_nothing);
    tcase_add_test(tcase, hardware_is_said_where_the_device_has_a_key_for_it);
    tcase_add_loop_test(tcase, a_mac_of_another_length_never_verifies, 0, 2);
    tcase_add_test(tcase, a_key_allows_what_can_be_begun_with_it_and_no_more);
    tcase_add_test(tcase, bad_input_has_a_name_of_its_own);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
