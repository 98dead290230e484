/* SPDX-License-Identifier: MIT */
/* `versions = all`: older versions of keys and certificates as objects of their own. */
#include "certs.h"

#include "kvpkcs11/vendor.h"

#include <string.h>

#define VERSION_LEN 32

static cert leaf_1, leaf_2;
/* The versions of `turned`, oldest first; the second one is disabled. */
static char versions[4][VERSION_LEN + 1];

static void setup(void)
{
    module_configure("versions = all\nchain = none\n");
}

static void id_of(CK_OBJECT_HANDLE object, char ret[128])
{
    size_t len = attribute_of(object, CKA_ID, ret, 127);
    ret[len] = '\0';
}

static CK_OBJECT_HANDLE by_id(CK_OBJECT_CLASS cls, const char *name, const char *version,
                              CK_ULONG expected)
{
    char id[128];
    snprintf(id, sizeof(id), "%s%s%s", name, version ? "/" : "", version ? version : "");
    ck_assert_uint_eq(find_by(cls, CKA_ID, id, strlen(id)), expected);
    return expected ? found[0] : CK_INVALID_HANDLE;
}

START_TEST(all_enabled_versions_are_listed)
{
    char id[128];
    unsigned older = 0, current = 0;
    /* turned ×3, plain, web ×2 */
    CK_ULONG n = find_class(CKO_PRIVATE_KEY);
    ck_assert_uint_eq(n, 6);
    for (CK_ULONG i = 0; i < n; i++) {
        id_of(found[i], id);
        ck_assert_ptr_null(strstr(id, versions[1]));
        older += strchr(id, '/') != NULL;
        current += strcmp(id, "turned") == 0;
    }
    ck_assert_uint_eq(older, 3);
    ck_assert_uint_eq(current, 1);
    ck_assert_uint_eq(find_class(CKO_PUBLIC_KEY), n);
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 2);
}
END_TEST

START_TEST(an_older_version_says_which_it_is)
{
    char version[64] = "", unique[128] = "", expected[128];
    by_id(CKO_PRIVATE_KEY, "turned", versions[1], 0);
    CK_OBJECT_HANDLE object = by_id(CKO_PRIVATE_KEY, "turned", versions[0], 1);
    CK_OBJECT_HANDLE current = by_id(CKO_PRIVATE_KEY, "turned", NULL, 1);
    unsigned char point[256], other[256];

    ck_assert_uint_ne(object, current);
    attribute_of(object, CKA_KVP_VERSION, version, sizeof(version) - 1);
    ck_assert_str_eq(version, versions[0]);
    assert_attribute(object, CKA_LABEL, "turned", 6);
    snprintf(expected, sizeof(expected), "turned/%s;type=private", versions[0]);
    attribute_of(object, CKA_UNIQUE_ID, unique, sizeof(unique) - 1);
    ck_assert_str_eq(unique, expected);
    /* The numbers are those of that version. */
    size_t len = attribute_of(object, CKA_EC_POINT, point, sizeof(point));
    ck_assert(attribute_of(current, CKA_EC_POINT, other, sizeof(other)) == len);
    ck_assert(memcmp(point, other, len) != 0);
    assert_attribute(by_id(CKO_PUBLIC_KEY, "turned", versions[0], 1), CKA_EC_POINT, point, len);
}
END_TEST

START_TEST(a_label_finds_every_version)
{
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_LABEL, "turned", 6), 3);
    assert_requests("KeyList", 0);
    assert_requests("KeyListVersions", 1);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_LABEL, "plain", 5), 1);
}
END_TEST

START_TEST(an_older_version_signs_for_its_public_key)
{
    CK_OBJECT_HANDLE private = by_id(CKO_PRIVATE_KEY, "turned", versions[0], 1);
    CK_OBJECT_HANDLE public = by_id(CKO_PUBLIC_KEY, "turned", versions[0], 1);
    CK_OBJECT_HANDLE newer = by_id(CKO_PUBLIC_KEY, "turned", NULL, 1);
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    unsigned char sig[64], text[] = "text";
    CK_ULONG len = sizeof(sig);

    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, private));
    assert_rv(CKR_OK, p11->C_Sign(module_session, text, 4, sig, &len));
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, public));
    assert_rv(CKR_OK, p11->C_Verify(module_session, text, 4, sig, len));
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &mechanism, newer));
    assert_rv(CKR_SIGNATURE_INVALID, p11->C_Verify(module_session, text, 4, sig, len));
}
END_TEST

START_TEST(older_certificates_pair_with_their_keys)
{
    char id[128];
    const cert *older = NULL;
    CK_OBJECT_HANDLE certificate = CK_INVALID_HANDLE;
    unsigned char spki[512];
    ck_assert_uint_eq(find_class(CKO_CERTIFICATE), 2);
    for (int i = 0; i < 2; i++) {
        id_of(found[i], id);
        if (!strchr(id, '/'))
            continue;
        certificate = found[i];
        older = &leaf_1;
        break;
    }
    ck_assert_ptr_nonnull(older);
    der d = cert_der(older);
    assert_attribute(certificate, CKA_VALUE, d.data, d.len);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_ID, id, strlen(id)), 1);
    size_t len = attribute_of(found[0], CKA_PUBLIC_KEY_INFO, spki, sizeof(spki));
    assert_attribute(certificate, CKA_PUBLIC_KEY_INFO, spki, len);
}
END_TEST

START_TEST(searching_again_lists_no_versions_again)
{
    find_class(CKO_PRIVATE_KEY);
    requests_mark();
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), 6);
    assert_requests(NULL, 0);
}
END_TEST

START_TEST(a_name_that_is_gone_takes_its_versions_along)
{
    rest("DELETE", "/keys/turned", NULL);
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), 3);
    rest("POST", "/deletedkeys/turned/recover", NULL);
}
END_TEST

START_TEST(current_versions_are_all_by_default)
{
    module_configure("chain = none\n");
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), 3);
    ck_assert_uint_eq(find_by(CKO_PRIVATE_KEY, CKA_LABEL, "turned", 6), 1);
}
END_TEST

/* Create a version, and remember which it is. */
static void turn(int number)
{
    json_t *answer = NULL, *body = json_pack("{s:s, s:s}", "kty", "EC", "crv", "P-256");
    const char *kid = NULL;
    if (keyvaultd_rest("POST", "/keys/turned/create", body, &answer) != 200 ||
        json_unpack(answer, "{s:{s:s}}", "key", "kid", &kid) != 0)
        exit(1);
    snprintf(versions[number], sizeof(versions[number]), "%s", strrchr(kid, '/') + 1);
    json_decref(body);
    json_decref(answer);
}

int main(void)
{
    char path[128];
    module_load();
    keyvaultd_start("vault");
    leaf_1 = cert_make("web 1", NULL, false);
    leaf_2 = cert_make("web 2", NULL, false);
    for (int i = 0; i < 4; i++)
        turn(i);
    snprintf(path, sizeof(path), "/keys/turned/%s", versions[1]);
    json_t *off = json_pack("{s:{s:b}}", "attributes", "enabled", 0);
    if (keyvaultd_rest("PATCH", path, off, NULL) != 200)
        return 1;
    json_decref(off);
    keyvaultd_create_key("plain", "EC", 0, "P-256");
    cert_import("web", &leaf_1, NULL, true, true);
    cert_import("web", &leaf_2, NULL, true, true);

    Suite *suite = suite_create("versions");
    TCase *tcase = tcase_create("versions");
    tcase_add_checked_fixture(tcase, setup, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_enabled_versions_are_listed);
    tcase_add_test(tcase, an_older_version_says_which_it_is);
    tcase_add_test(tcase, a_label_finds_every_version);
    tcase_add_test(tcase, an_older_version_signs_for_its_public_key);
    tcase_add_test(tcase, older_certificates_pair_with_their_keys);
    tcase_add_test(tcase, searching_again_lists_no_versions_again);
    tcase_add_test(tcase, a_name_that_is_gone_takes_its_versions_along);
    tcase_add_test(tcase, current_versions_are_all_by_default);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
