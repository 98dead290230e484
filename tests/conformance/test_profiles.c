/* SPDX-License-Identifier: MIT */
/*
 * The OASIS profiles (PKCS#11 Profiles v3.2 §5) that the token claims by its CKO_PROFILE objects:
 * what the clauses of each want is shown by a test of that name, in a read-only session and without
 * a login, as an application does that looks at the profile first; and so are the mandatory cases
 * of each, in the order of their calls. No other profile is claimed: a complete provider (§5.2) has
 * every mechanism, and one for HKDF (§5.6) derives what no vault does. Clauses that ask for data
 * types and for no mechanism in particular are the compiler's business.
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
    char text[] = "mine";
    CK_ATTRIBUTE label = { CKA_LABEL, text, sizeof(text) - 1 };
    CK_OBJECT_HANDLE objects[8], copy;
    CK_ULONG count = find_class(CKO_PROFILE);

    ck_assert_uint_eq(count, KVP_ARRAY_LEN(ids));
    memcpy(objects, found, count * sizeof(*objects));
    for (CK_ULONG i = 0; i < count; i++) {
        assert_attribute(objects[i], CKA_TOKEN, "\1", 1);
        assert_attribute(objects[i], CKA_PRIVATE, "\0", 1);
        assert_attribute(objects[i], CKA_MODIFIABLE, "\0", 1);
        assert_attribute(objects[i], CKA_DESTROYABLE, "\0", 1);
        /* By their own attributes (§5.7.2 to §5.7.6), and so in any session. */
        assert_rv(CKR_ACTION_PROHIBITED, p11_3->C_DestroyObject(module_session, objects[i]));
        assert_rv(CKR_ACTION_PROHIBITED,
                  p11_3->C_CopyObject(module_session, objects[i], NULL, 0, &copy));
        assert_rv(CKR_ACTION_PROHIBITED,
                  p11_3->C_SetAttributeValue(module_session, objects[i], &label, 1));
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(ids); i++)
        ck_assert_msg(claims(ids[i]), "profile %lu is not claimed", ids[i]);
}
END_TEST

/* ---- Baseline Provider (§5.1) ---- */

/* §5.1 clause 5. */
static const char *const baseline[] = {
    "GetFunctionList", "GetInterfaceList", "GetInterface",     "Initialize",
    "Finalize",        "GetInfo",          "GetSlotList",      "GetSlotInfo",
    "GetTokenInfo",    "OpenSession",      "CloseSession",     "GetSessionInfo",
    "FindObjectsInit", "FindObjects",      "FindObjectsFinal", "GetAttributeValue",
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

/* Clause 3; no object of this token has all of them. */
START_TEST(baseline_provider_has_its_attributes)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static const CK_PROFILE_ID id = CKP_BASELINE_PROVIDER;
    CK_OBJECT_HANDLE certificate = module_find(module_session, CKO_CERTIFICATE, "leaf");
    CK_BYTE value[2048], unique[128];

    ck_assert_uint_eq(number_of(certificate, CKA_CLASS), CKO_CERTIFICATE);
    assert_attribute(certificate, CKA_TOKEN, &yes, sizeof(yes));
    assert_attribute(certificate, CKA_PRIVATE, &no, sizeof(no));
    assert_attribute(certificate, CKA_LABEL, "leaf", 4);
    ck_assert_uint_gt(attribute_of(certificate, CKA_VALUE, value, sizeof(value)), 0);
    ck_assert_uint_gt(attribute_of(certificate, CKA_ID, value, sizeof(value)), 0);
    (void)attribute_of(certificate, CKA_MODIFIABLE, value, sizeof(*value));
    /* The profile's text calls it by its longer name. */
    size_t len = attribute_of(certificate, CKA_UNIQUE_ID, unique, sizeof(unique));
    ck_assert_uint_eq(find_by(CKO_CERTIFICATE, CKA_UNIQUE_ID, unique, len), 1);
    ck_assert_uint_eq(find_by(CKO_PROFILE, CKA_PROFILE_ID, &id, sizeof(id)), 1);
    ck_assert_uint_eq(number_of(found[0], CKA_PROFILE_ID), id);
}
END_TEST

/* How every mandatory case begins. */
static CK_SESSION_HANDLE begin_case(CK_FLAGS flags)
{
    CK_INFO info;
    CK_SLOT_ID slots[8];
    CK_ULONG count = 0;

    assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
    assert_rv(CKR_OK, p11_3->C_Initialize(NULL));
    assert_rv(CKR_OK, p11_3->C_GetInfo(&info));
    ck_assert_uint_eq(info.cryptokiVersion.major, 3);
    ck_assert_uint_eq(info.cryptokiVersion.minor, 2);
    assert_rv(CKR_OK, p11_3->C_GetSlotList(CK_TRUE, NULL, &count));
    ck_assert_uint_le(count, KVP_ARRAY_LEN(slots));
    assert_rv(CKR_OK, p11_3->C_GetSlotList(CK_TRUE, slots, &count));
    ck_assert_uint_ge(count, 1);
    module_slot = slots[0];
    return module_open_session(flags);
}

/* How it ends; and what the fixture takes down again. */
static void end_case(CK_SESSION_HANDLE session)
{
    assert_rv(CKR_OK, p11_3->C_CloseSession(session));
    assert_rv(CKR_OK, p11_3->C_CloseAllSessions(module_slot));
    assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
    module_slot = module_initialize();
}

/* What is on the token, as far as @max. */
static CK_ULONG find_on_token(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max)
{
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE on_token = { CKA_TOKEN, &yes, sizeof(yes) };
    CK_ULONG count = 0;

    assert_rv(CKR_OK, p11_3->C_FindObjectsInit(session, &on_token, 1));
    assert_rv(CKR_OK, p11_3->C_FindObjects(session, objects, max, &count));
    return count;
}

START_TEST(baseline_provider_passes_BL_M_1_32)
{
    CK_SESSION_HANDLE session = begin_case(0);
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_OBJECT_HANDLE object;

    assert_rv(CKR_OK, p11_3->C_GetSlotInfo(module_slot, &slot));
    ck_assert(slot.flags & CKF_TOKEN_PRESENT);
    assert_rv(CKR_OK, p11_3->C_GetTokenInfo(module_slot, &token));
    ck_assert_uint_eq(find_on_token(session, &object, 1), 1);
    assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(session));
    end_case(session);
}
END_TEST

/* ---- Extended Provider (§5.3) ---- */

/* §5.3 clause 6. */
static const char *const extended[] = {
    "GetMechanismList", "GetMechanismInfo", "Login", "LoginUser", "Logout",
};

START_TEST(extended_provider_has_the_functions_of_both)
{
    expect_functions(baseline, KVP_ARRAY_LEN(baseline));
    expect_functions(extended, KVP_ARRAY_LEN(extended));
}
END_TEST

START_TEST(extended_provider_lists_mechanisms_with_a_use_each)
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

START_TEST(extended_provider_passes_EXT_M_1_32)
{
    CK_SESSION_HANDLE session = begin_case(CKF_RW_SESSION);
    CK_SESSION_INFO info;
    CK_OBJECT_HANDLE object;

    assert_rv(CKR_OK, p11_3->C_Login(session, CKU_USER, NULL, 0));
    assert_rv(CKR_OK, p11_3->C_GetSessionInfo(session, &info));
    ck_assert_uint_eq(info.state, CKS_RW_USER_FUNCTIONS);
    ck_assert_uint_eq(find_on_token(session, &object, 1), 1);
    assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(session));
    assert_rv(CKR_OK, p11_3->C_Logout(session));
    assert_rv(CKR_OK, p11_3->C_GetSessionInfo(session, &info));
    ck_assert_uint_eq(info.state, CKS_RW_PUBLIC_SESSION);
    end_case(session);
}
END_TEST

/* What clause 9 leaves to the provider. */
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

/* ---- Authentication Token (§5.4) ---- */

/* Clause 6. */
static const char *const authentication[] = {
    "Login", "LoginUser", "Logout", "SignInit", "Sign", "SignUpdate", "SignFinal",
};

START_TEST(authentication_token_has_its_functions)
{
    expect_functions(baseline, KVP_ARRAY_LEN(baseline));
    expect_functions(authentication, KVP_ARRAY_LEN(authentication));
}
END_TEST

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

START_TEST(authentication_token_passes_AUTH_M_1_32)
{
    CK_SESSION_HANDLE session = begin_case(CKF_RW_SESSION);
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_BYTE modulus[1024], exponent[1024], data[] = "a request", sig[256];
    CK_ATTRIBUTE numbers[] = { { CKA_MODULUS, modulus, sizeof(modulus) },
                               { CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) } };
    CK_ULONG len = sizeof(sig);

    assert_rv(CKR_OK, p11_3->C_Login(session, CKU_USER, NULL, 0));
    CK_OBJECT_HANDLE public = module_find(session, CKO_PUBLIC_KEY, "cf-rsa");
    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(session, public, numbers, 2));
    ck_assert_uint_eq(numbers[0].ulValueLen, sizeof(sig));
    ck_assert_uint_eq(numbers[1].ulValueLen, 3);
    ck_assert_mem_eq(exponent, "\1\0\1", 3);
    CK_OBJECT_HANDLE private = module_find(session, CKO_PRIVATE_KEY, "cf-rsa");
    assert_rv(CKR_OK, p11_3->C_SignInit(session, &mechanism, private));
    assert_rv(CKR_OK, p11_3->C_Sign(session, data, sizeof(data), sig, &len));
    ck_assert_uint_eq(len, sizeof(sig));
    assert_rv(CKR_OK, p11_3->C_VerifyInit(session, &mechanism, public));
    assert_rv(CKR_OK, p11_3->C_Verify(session, data, sizeof(data), sig, len));
    assert_rv(CKR_OK, p11_3->C_Logout(session));
    end_case(session);
}
END_TEST

/* ---- Public Certificates Token (§5.5) ---- */

/* Clause 8, b and c: by its CKA_ID each certificate's private and public key are found, without a
 * login; here every certificate has a key. */
START_TEST(public_certificates_token_has_a_key_of_the_same_id_for_each_certificate)
{
    CK_ULONG count = find_class(CKO_CERTIFICATE);
    CK_OBJECT_HANDLE certificates[8];
    CK_BYTE id[64];

    ck_assert_uint_ge(count, 1);
    ck_assert_uint_le(count, KVP_ARRAY_LEN(certificates));
    memcpy(certificates, found, count * sizeof(*certificates));
    for (CK_ULONG i = 0; i < count; i++) {
        size_t len = attribute_of(certificates[i], CKA_ID, id, sizeof(id));
        ck_assert_uint_gt(len, 0);
        ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, id, len), 1);
        ck_assert_uint_eq(find_by(CKO_PUBLIC_KEY, CKA_ID, id, len), 1);
    }
}
END_TEST

/* Attributes are read, by length and then by value, while the search goes on. */
START_TEST(public_certificates_token_passes_CERT_M_1_32)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_VALUE };
    CK_SESSION_HANDLE session = begin_case(0);
    CK_OBJECT_HANDLE objects[32];
    CK_ULONG certificates = 0, count = find_on_token(session, objects, KVP_ARRAY_LEN(objects));

    for (CK_ULONG i = 0; i < count; i++) {
        CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
        CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
        assert_rv(CKR_OK, p11_3->C_GetAttributeValue(session, objects[i], &attr, 1));
        if (class != CKO_CERTIFICATE)
            continue;
        certificates++;
        for (size_t t = 0; t < KVP_ARRAY_LEN(types); t++) {
            CK_BYTE value[2048];
            attr = (CK_ATTRIBUTE){ types[t], NULL, 0 };
            assert_rv(CKR_OK, p11_3->C_GetAttributeValue(session, objects[i], &attr, 1));
            CK_ULONG len = attr.ulValueLen;
            ck_assert_uint_gt(len, 0);
            ck_assert_uint_le(len, sizeof(value));
            attr.pValue = value;
            assert_rv(CKR_OK, p11_3->C_GetAttributeValue(session, objects[i], &attr, 1));
            ck_assert_uint_eq(attr.ulValueLen, len);
        }
    }
    ck_assert_uint_ge(certificates, 1);
    assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(session));
    end_case(session);
}
END_TEST

/* Clause 8a: without a login, all of them. */

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
    tcase_add_test(tcase, baseline_provider_has_its_attributes);
    tcase_add_test(tcase, baseline_provider_passes_BL_M_1_32);
    tcase_add_test(tcase, extended_provider_has_the_functions_of_both);
    tcase_add_test(tcase, extended_provider_lists_mechanisms_with_a_use_each);
    tcase_add_test(tcase, extended_provider_passes_EXT_M_1_32);
    tcase_add_test(tcase, extended_provider_makes_changes_and_ends_session_objects);
    tcase_add_test(tcase, extended_provider_gives_random_numbers);
    tcase_add_test(tcase, authentication_token_has_its_functions);
    tcase_add_loop_test(tcase, authentication_token_signs_with_a_private_key_found_by_label, 0,
                        (int)KVP_ARRAY_LEN(identities));
    tcase_add_test(tcase, authentication_token_passes_AUTH_M_1_32);
    tcase_add_test(tcase, authentication_token_pairs_key_and_certificate_by_id);
    tcase_add_test(tcase, public_certificates_token_has_a_key_of_the_same_id_for_each_certificate);
    tcase_add_test(tcase, public_certificates_token_passes_CERT_M_1_32);
    tcase_add_test(tcase, public_certificates_token_shows_certificates_without_a_login);
    tcase_add_test(tcase, public_certificates_token_is_searched_by_what_is_in_a_certificate);
    tcase_add_test(tcase, public_certificates_token_is_not_claimed_where_none_are_shown);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
