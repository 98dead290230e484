/* SPDX-License-Identifier: MIT */
/*
 * The OASIS profiles (PKCS#11 Profiles v3.1) that the token claims by its CKO_PROFILE objects: what
 * the clauses of each want is shown by a test of that name, in a read-only session and without a
 * login, as an application does that looks at the profile first. No other profile is claimed.
 */
#include "flow.h"
#include "functions.h"
#include "integration/certs.h"
#include "support/keyvaultd.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

static cert root, leaf;

/* The interface of a version, as an application asks for it. */
static CK_FUNCTION_LIST_3_2 *interface_of(CK_BYTE major, CK_BYTE minor)
{
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_VERSION version = { major, minor };
    CK_INTERFACE *interface = NULL;

    assert_rv(CKR_OK, p11_get_interface(name, &version, &interface, 0));
    ck_assert_str_eq((const char *)interface->pInterfaceName, "PKCS 11");
    return interface->pFunctionList;
}

static bool claims(CK_PROFILE_ID id)
{
    return find_by(CKO_PROFILE, CKA_PROFILE_ID, &id, sizeof(id)) == 1;
}

/* ---- what is claimed ---- */

START_TEST(the_profiles_are_these_and_public_objects_of_the_token)
{
    static const CK_PROFILE_ID ids[] = { CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER,
                                         CKP_AUTHENTICATION_TOKEN, CKP_PUBLIC_CERTIFICATES_TOKEN };
    CK_OBJECT_HANDLE objects[8];
    CK_ULONG count = find_class(CKO_PROFILE);

    ck_assert_uint_eq(count, KVP_ARRAY_LEN(ids));
    memcpy(objects, found, count * sizeof(*objects));
    for (CK_ULONG i = 0; i < count; i++) {
        assert_attribute(objects[i], CKA_TOKEN, "\1", 1);
        assert_attribute(objects[i], CKA_PRIVATE, "\0", 1);
        assert_attribute(objects[i], CKA_MODIFIABLE, "\0", 1);
        assert_attribute(objects[i], CKA_DESTROYABLE, "\0", 1);
        assert_rv(CKR_ACTION_PROHIBITED, p11_3->C_DestroyObject(module_session, objects[i]));
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(ids); i++)
        ck_assert_msg(claims(ids[i]), "profile %lu is not claimed", ids[i]);
}
END_TEST

/* ---- Baseline Provider ---- */

/* Those that the clause names; each is one that does something. */
static const char *const baseline[] = {
    "Initialize",
    "Finalize",
    "GetInfo",
    "GetFunctionList",
    "GetSlotList",
    "GetSlotInfo",
    "GetTokenInfo",
    "GetMechanismList",
    "GetMechanismInfo",
    "OpenSession",
    "CloseSession",
    "GetSessionInfo",
    "Login",
    "Logout",
    "FindObjectsInit",
    "FindObjects",
    "FindObjectsFinal",
    "GetAttributeValue",
    "WaitForSlotEvent",
    "GetInterfaceList",
    "GetInterface",
};

static void expect_functions(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const function_row *row = function_row_find(names[i]);
        ck_assert_msg(row && row->good != CKR_FUNCTION_NOT_SUPPORTED, "C_%s is not there",
                      names[i]);
    }
}

START_TEST(baseline_provider_has_its_functions)
{
    expect_functions(baseline, KVP_ARRAY_LEN(baseline));
}
END_TEST

START_TEST(baseline_provider_serves_each_version_by_its_interface)
{
    static const CK_VERSION versions[] = { { 2, 40 }, { 3, 0 }, { 3, 1 }, { 3, 2 } };
    CK_INTERFACE interfaces[8];
    CK_ULONG count = KVP_ARRAY_LEN(interfaces);

    assert_rv(CKR_OK, p11_get_interface_list(interfaces, &count));
    ck_assert_uint_eq(count, KVP_ARRAY_LEN(versions));
    for (size_t i = 0; i < KVP_ARRAY_LEN(versions); i++) {
        CK_FUNCTION_LIST_3_2 *functions = interface_of(versions[i].major, versions[i].minor);
        CK_SESSION_INFO info;
        ck_assert_uint_eq(functions->version.major, versions[i].major);
        ck_assert_uint_eq(functions->version.minor, versions[i].minor);
        /* One module behind all of them: a session of one is a session of the other. */
        assert_rv(CKR_OK, functions->C_GetSessionInfo(module_session, &info));
        ck_assert_uint_eq(info.slotID, module_slot);
    }
}
END_TEST

START_TEST(baseline_provider_tells_of_itself_its_slots_and_tokens)
{
    CK_INFO info;
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_ULONG all = 0, present = 0;

    assert_rv(CKR_OK, p11_3->C_GetInfo(&info));
    ck_assert_uint_ge(info.cryptokiVersion.major, 3);
    ck_assert_uint_eq(info.flags, 0);
    assert_rv(CKR_OK, p11_3->C_GetSlotList(CK_FALSE, NULL, &all));
    assert_rv(CKR_OK, p11_3->C_GetSlotList(CK_TRUE, NULL, &present));
    ck_assert_uint_ge(all, present);
    ck_assert_uint_ge(present, 1);
    assert_rv(CKR_OK, p11_3->C_GetSlotInfo(module_slot, &slot));
    ck_assert(slot.flags & CKF_TOKEN_PRESENT);
    assert_rv(CKR_OK, p11_3->C_GetTokenInfo(module_slot, &token));
    ck_assert(token.flags & CKF_TOKEN_INITIALIZED);
    ck_assert(module_field_is(token.label, sizeof(token.label), "dev"));
    ck_assert(module_field_is(token.model, sizeof(token.model), "vault"));
}
END_TEST

START_TEST(baseline_provider_lists_mechanisms_with_a_use_each)
{
    CK_MECHANISM_TYPE types[128];
    CK_ULONG count = KVP_ARRAY_LEN(types);
    CK_MECHANISM_INFO info;

    assert_rv(CKR_OK, p11_3->C_GetMechanismList(module_slot, types, &count));
    ck_assert_uint_ge(count, 1);
    for (CK_ULONG i = 0; i < count; i++) {
        assert_rv(CKR_OK, p11_3->C_GetMechanismInfo(module_slot, types[i], &info));
        ck_assert_uint_ne(info.flags & ~CKF_HW, 0);
    }
}
END_TEST

/* The order of calls of the profile's mandatory test case. */
START_TEST(baseline_provider_passes_its_mandatory_case)
{
    CK_SESSION_HANDLE session;
    CK_SESSION_INFO info;
    CK_OBJECT_HANDLE objects[64];
    CK_ULONG count = 0;

    assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
    module_slot = module_initialize();
    assert_rv(CKR_OK, p11_3->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
    assert_rv(CKR_OK, p11_3->C_Login(session, CKU_USER, NULL, 0));
    assert_rv(CKR_OK, p11_3->C_GetSessionInfo(session, &info));
    ck_assert_uint_eq(info.state, CKS_RO_USER_FUNCTIONS);
    assert_rv(CKR_OK, p11_3->C_FindObjectsInit(session, NULL, 0));
    assert_rv(CKR_OK, p11_3->C_FindObjects(session, objects, KVP_ARRAY_LEN(objects), &count));
    ck_assert_uint_ge(count, 1);
    assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(session));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
        CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
        assert_rv(CKR_OK, p11_3->C_GetAttributeValue(session, objects[i], &attr, 1));
        ck_assert_uint_ne(class, CK_UNAVAILABLE_INFORMATION);
    }
    assert_rv(CKR_OK, p11_3->C_Logout(session));
    assert_rv(CKR_OK, p11_3->C_CloseSession(session));
}
END_TEST

/* ---- Extended Provider ---- */

static const char *const extended[] = {
    "CloseAllSessions", "CreateObject",      "CopyObject",  "DestroyObject",
    "GetObjectSize",    "SetAttributeValue", "EncryptInit", "Encrypt",
    "DecryptInit",      "Decrypt",           "DigestInit",  "Digest",
    "DigestUpdate",     "DigestFinal",       "SignInit",    "Sign",
    "SignUpdate",       "SignFinal",         "VerifyInit",  "Verify",
    "VerifyUpdate",     "VerifyFinal",       "GenerateKey", "GenerateKeyPair",
    "WrapKey",          "UnwrapKey",         "SeedRandom",  "GenerateRandom",
    "LoginUser",        "SessionCancel",
};

START_TEST(extended_provider_has_the_functions_of_both)
{
    expect_functions(baseline, KVP_ARRAY_LEN(baseline));
    expect_functions(extended, KVP_ARRAY_LEN(extended));
}
END_TEST

START_TEST(extended_provider_makes_changes_and_ends_session_objects)
{
    CK_BYTE value[32] = { 1 };
    CK_OBJECT_HANDLE key = flow_secret(CKK_AES, value, sizeof(value)), copy;
    char label[] = "copied";
    CK_ATTRIBUTE attr = { CKA_LABEL, label, sizeof(label) - 1 };
    CK_ULONG size = 0;

    assert_rv(CKR_OK, p11_3->C_CopyObject(module_session, key, NULL, 0, &copy));
    ck_assert_uint_ne(copy, key);
    assert_rv(CKR_OK, p11_3->C_SetAttributeValue(module_session, copy, &attr, 1));
    ck_assert_uint_eq(module_find(module_session, CKO_SECRET_KEY, label), copy);
    assert_rv(CKR_OK, p11_3->C_GetObjectSize(module_session, copy, &size));
    assert_rv(CKR_OK, p11_3->C_DestroyObject(module_session, copy));
    assert_rv(CKR_OBJECT_HANDLE_INVALID, p11_3->C_DestroyObject(module_session, copy));
    ck_assert_uint_eq(flow_value(key, value, sizeof(value)), sizeof(value));
}
END_TEST

START_TEST(extended_provider_gives_random_numbers)
{
    CK_BYTE one[32] = { 0 }, two[32] = { 0 };

    assert_rv(CKR_OK, p11_3->C_GenerateRandom(module_session, one, sizeof(one)));
    assert_rv(CKR_OK, p11_3->C_GenerateRandom(module_session, two, sizeof(two)));
    ck_assert_mem_ne(one, two, sizeof(one));
}
END_TEST

/* ---- Authentication Token ---- */

static const struct {
    const char *label;
    CK_MECHANISM_TYPE mechanism;
} identities[] = {
    { "cf-rsa", CKM_SHA256_RSA_PKCS }, { "cf-rsa", CKM_RSA_PKCS },
    { "cf-ec", CKM_ECDSA_SHA256 },     { "cf-ec", CKM_ECDSA },
    { "leaf", CKM_ECDSA_SHA256 },
};

START_TEST(authentication_token_signs_with_a_private_key_found_by_label)
{
    CK_OBJECT_HANDLE private = module_find(module_session, CKO_PRIVATE_KEY, identities[_i].label),
                     public = module_find(module_session, CKO_PUBLIC_KEY, identities[_i].label);
    CK_MECHANISM mechanism = { identities[_i].mechanism, NULL, 0 };
    CK_BYTE challenge[32] = "challenge", sig[512], id[64];
    CK_ULONG len = sizeof(sig);

    assert_attribute(private, CKA_SIGN, "\1", 1);
    assert_attribute(private, CKA_SENSITIVE, "\1", 1);
    assert_attribute(private, CKA_ALWAYS_AUTHENTICATE, "\0", 1);
    assert_attribute(public, CKA_VERIFY, "\1", 1);
    assert_attribute(public, CKA_ID, id, attribute_of(private, CKA_ID, id, sizeof(id)));
    assert_rv(CKR_OK, flow_sign(&mechanism, private, SPLIT_ONE_CALL, challenge, 32, sig, &len));
    assert_rv(CKR_OK, flow_verify(&mechanism, public, SPLIT_ONE_CALL, challenge, 32, sig, len));
}
END_TEST

START_TEST(authentication_token_pairs_key_and_certificate_by_id)
{
    CK_OBJECT_HANDLE certificate = module_find(module_session, CKO_CERTIFICATE, "leaf");
    CK_BYTE id[64], info[256];
    size_t len = attribute_of(certificate, CKA_ID, id, sizeof(id));

    ck_assert_uint_gt(len, 0);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, id, len), 1);
    CK_OBJECT_HANDLE private = found[0];
    ck_assert_uint_eq(find_by(CKO_PUBLIC_KEY, CKA_ID, id, len), 1);
    assert_attribute(found[0], CKA_PUBLIC_KEY_INFO, info,
                     attribute_of(certificate, CKA_PUBLIC_KEY_INFO, info, sizeof(info)));
    assert_attribute(private, CKA_PUBLIC_KEY_INFO, info,
                     attribute_of(certificate, CKA_PUBLIC_KEY_INFO, info, sizeof(info)));
}
END_TEST

/* ---- Public Certificates Token ---- */

START_TEST(public_certificates_token_shows_certificates_without_a_login)
{
    CK_TOKEN_INFO token;
    CK_SESSION_INFO info;
    CK_ULONG count = find_class(CKO_CERTIFICATE);
    CK_OBJECT_HANDLE certificate = found[0];
    CK_BYTE value[2048];

    assert_rv(CKR_OK, p11_3->C_GetTokenInfo(module_slot, &token));
    ck_assert(!(token.flags & CKF_LOGIN_REQUIRED));
    assert_rv(CKR_OK, p11_3->C_GetSessionInfo(module_session, &info));
    ck_assert_uint_eq(info.state, CKS_RO_PUBLIC_SESSION);
    ck_assert_uint_eq(count, 1);
    assert_attribute(certificate, CKA_TOKEN, "\1", 1);
    assert_attribute(certificate, CKA_PRIVATE, "\0", 1);
    ck_assert_uint_eq(number_of(certificate, CKA_CERTIFICATE_TYPE), CKC_X_509);
    size_t len = attribute_of(certificate, CKA_VALUE, value, sizeof(value));
    const unsigned char *p = value;
    X509 *read = d2i_X509(NULL, &p, (long)len);
    ck_assert_ptr_nonnull(read);
    ck_assert_int_eq(X509_cmp(read, leaf.x509), 0);
    X509_free(read);
}
END_TEST

START_TEST(public_certificates_token_is_searched_by_what_is_in_a_certificate)
{
    der subject = cert_name_der(X509_get_subject_name(leaf.x509)),
        issuer = cert_name_der(X509_get_issuer_name(leaf.x509)), serial = cert_serial_der(&leaf);

    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SUBJECT, subject.data, subject.len), 1);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_ISSUER, issuer.data, issuer.len), 1);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_SERIAL_NUMBER, serial.data, serial.len), 1);
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_LABEL, "leaf", 4), 1);
}
END_TEST

START_TEST(public_certificates_token_is_not_claimed_where_none_are_shown)
{
    module_teardown();
    module_configure("certificates = no\n");
    ck_assert(claims(CKP_BASELINE_PROVIDER));
    ck_assert(claims(CKP_AUTHENTICATION_TOKEN));
    ck_assert(!claims(CKP_PUBLIC_CERTIFICATES_TOKEN));
}
END_TEST

/* ---- the suite ---- */

static void setup(void)
{
    module_configure("chain = none\n");
    assert_rv(CKR_OK, p11_3->C_CloseSession(module_session));
    module_session = module_open_session(0);
}

int main(void)
{
    Suite *suite = suite_create("profiles");
    TCase *tcase = tcase_create("profiles");

    conformance_without_threads();
    conformance_start("vault");
    root = cert_make("Root", NULL, true);
    leaf = cert_make("leaf", &root, false);
    cert_import("leaf", &leaf, NULL, true, true);
    tcase_add_checked_fixture(tcase, setup, module_teardown);
    tcase_add_test(tcase, the_profiles_are_these_and_public_objects_of_the_token);
    tcase_add_test(tcase, baseline_provider_has_its_functions);
    tcase_add_test(tcase, baseline_provider_serves_each_version_by_its_interface);
    tcase_add_test(tcase, baseline_provider_tells_of_itself_its_slots_and_tokens);
    tcase_add_test(tcase, baseline_provider_lists_mechanisms_with_a_use_each);
    tcase_add_test(tcase, baseline_provider_passes_its_mandatory_case);
    tcase_add_test(tcase, extended_provider_has_the_functions_of_both);
    tcase_add_test(tcase, extended_provider_makes_changes_and_ends_session_objects);
    tcase_add_test(tcase, extended_provider_gives_random_numbers);
    tcase_add_loop_test(tcase, authentication_token_signs_with_a_private_key_found_by_label, 0,
                        (int)KVP_ARRAY_LEN(identities));
    tcase_add_test(tcase, authentication_token_pairs_key_and_certificate_by_id);
    tcase_add_test(tcase, public_certificates_token_shows_certificates_without_a_login);
    tcase_add_test(tcase, public_certificates_token_is_searched_by_what_is_in_a_certificate);
    tcase_add_test(tcase, public_certificates_token_is_not_claimed_where_none_are_shown);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
