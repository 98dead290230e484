/* SPDX-License-Identifier: MIT */
/*
 * A key that changes in the vault while an application holds its handle: deleted, disabled, expired,
 * not permitted, rotated. Each gives the documented CK_RV at once and one line in the log; none
 * ever signs with another version than the one that the application saw.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char log_path[512];
static CK_BYTE digest[32] = { 1, 2, 3 };
static CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
static CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 };
static CK_MECHANISM rsa_decrypt = { CKM_RSA_PKCS, NULL, 0 };

static void setup(void)
{
    snprintf(log_path, sizeof(log_path), "%s/kvpkcs11.log", keyvaultd_dir());
    module_setup();
    remove(log_path);
}

/* A key of its own for each test: a handle that has signed once, so that everything is warm. */
static CK_OBJECT_HANDLE warm_key(const char *name, const char *kty, CK_MECHANISM *mechanism)
{
    CK_BYTE sig[512];
    CK_ULONG len = sizeof(sig);
    CK_OBJECT_HANDLE key;

    keyvaultd_create_key(name, kty, 0, strcmp(kty, "EC") == 0 ? "P-256" : NULL);
    key = module_find(module_session, CKO_PRIVATE_KEY, name);
    assert_rv(CKR_OK, p11->C_SignInit(module_session, mechanism, key));
    assert_rv(CKR_OK, p11->C_Sign(module_session, digest, sizeof(digest), sig, &len));
    return key;
}

static CK_RV sign(CK_OBJECT_HANDLE key, CK_MECHANISM *mechanism)
{
    CK_BYTE sig[512];
    CK_ULONG len = sizeof(sig);

    assert_rv(CKR_OK, p11->C_SignInit(module_session, mechanism, key));
    return p11->C_Sign(module_session, digest, sizeof(digest), sig, &len);
}

static void patch(const char *name, const char *member, json_t *value)
{
    char path[128];
    json_t *body = json_pack("{s:{s:o}}", "attributes", member, value);

    snprintf(path, sizeof(path), "/keys/%s", name);
    ck_assert_int_eq(keyvaultd_rest("PATCH", path, body, NULL), 200);
    json_decref(body);
}

/* The log has one line, and it holds each of the texts. */
static void assert_one_line(const char *first, const char *second)
{
    char line[4096] = "", more[256] = "";
    FILE *file = fopen(log_path, "r");

    ck_assert_msg(file != NULL, "there is no %s", log_path);
    ck_assert(fgets(line, sizeof(line), file) != NULL);
    ck_assert_msg(!fgets(more, sizeof(more), file), "a second line: %s", more);
    fclose(file);
    ck_assert_msg(strstr(line, first) && strstr(line, second) && strstr(line, "C_Sign"),
                  "%s, %s or C_Sign is not in: %s", first, second, line);
}

START_TEST(a_deleted_key_is_no_key_any_more)
{
    CK_OBJECT_HANDLE key = warm_key("deleted-key", "EC", &ecdsa);

    ck_assert_int_eq(keyvaultd_rest("DELETE", "/keys/deleted-key", NULL, NULL), 200);
    assert_rv(CKR_KEY_HANDLE_INVALID, sign(key, &ecdsa));

    assert_one_line("KeyNotFound", "CKR_KEY_HANDLE_INVALID");
}
END_TEST

START_TEST(a_disabled_key_may_not_be_used)
{
    CK_OBJECT_HANDLE key = warm_key("disabled-key", "EC", &ecdsa);

    patch("disabled-key", "enabled", json_false());
    assert_rv(CKR_KEY_FUNCTION_NOT_PERMITTED, sign(key, &ecdsa));
    assert_one_line("disabled", "CKR_KEY_FUNCTION_NOT_PERMITTED");
    patch("disabled-key", "enabled", json_true());
    assert_rv(CKR_OK, sign(key, &ecdsa));
}
END_TEST

START_TEST(an_expired_key_decrypts_but_does_not_sign)
{
    CK_OBJECT_HANDLE key = warm_key("expired-key", "RSA", &rsa);
    CK_OBJECT_HANDLE public = module_find(module_session, CKO_PUBLIC_KEY, "expired-key");
    CK_BYTE secret[16] = "a small secret", out[512], plain[512];
    CK_ULONG out_len = sizeof(out), plain_len = sizeof(plain);

    assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &rsa_decrypt, public));
    assert_rv(CKR_OK, p11->C_Encrypt(module_session, secret, sizeof(secret), out, &out_len));
    patch("expired-key", "exp", json_integer(1500000000));

    assert_rv(CKR_KEY_FUNCTION_NOT_PERMITTED, sign(key, &rsa));
    assert_one_line("expired", "CKR_KEY_FUNCTION_NOT_PERMITTED");
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &rsa_decrypt, key));
    assert_rv(CKR_OK, p11->C_Decrypt(module_session, out, out_len, plain, &plain_len));
    ck_assert_uint_eq(plain_len, sizeof(secret));
    ck_assert_int_eq(memcmp(plain, secret, sizeof(secret)), 0);
}
END_TEST

START_TEST(a_rotated_key_goes_on_with_the_version_that_was_seen)
{
    CK_OBJECT_HANDLE key = warm_key("rotated-key", "EC", &ecdsa);
    CK_OBJECT_HANDLE public = module_find(module_session, CKO_PUBLIC_KEY, "rotated-key");
    CK_BYTE sig[64];
    CK_ULONG len = sizeof(sig);

    ck_assert_int_eq(keyvaultd_rest("POST", "/keys/rotated-key/rotate", NULL, NULL), 200);
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &ecdsa, key));
    assert_rv(CKR_OK, p11->C_Sign(module_session, digest, sizeof(digest), sig, &len));

    /* The public key is that of the version that signed: a peer signs with the newest one here. */
    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &ecdsa, public));
    assert_rv(CKR_OK, p11->C_Verify(module_session, digest, sizeof(digest), sig, len));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("key state");
    TCase *tc = tcase_create("changes in the vault");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, module_teardown);
    tcase_add_test(tc, a_deleted_key_is_no_key_any_more);
    tcase_add_test(tc, a_disabled_key_may_not_be_used);
    tcase_add_test(tc, an_expired_key_decrypts_but_does_not_sign);
    tcase_add_test(tc, a_rotated_key_goes_on_with_the_version_that_was_seen);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    int failed;

    module_load();
    keyvaultd_start("vault");
    failed = module_run_suite(suite());
    keyvaultd_stop();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
