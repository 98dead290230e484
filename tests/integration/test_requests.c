/* SPDX-License-Identifier: MIT */
/*
 * What each call costs: a warm private-key operation is one request, everything local is none, and
 * beginning an operation with a key whose document is there is none. Counted by the daemon itself.
 */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static size_t start;
static unsigned char text[] = "some text";

static size_t requests(void)
{
    return keyvaultd_requests(NULL) - start;
}

/* Everything that a first use costs has been paid: key found, document read, token and connection
 * there. */
static void warm(const ops_key *key, CK_OBJECT_HANDLE *ret_private, CK_OBJECT_HANDLE *ret_public)
{
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attr = { CKA_KEY_TYPE, &type, sizeof(type) };
    *ret_private = ops_private(key);
    *ret_public = ops_public(key);
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, *ret_private, &attr, 1));
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, *ret_public, &attr, 1));
    start = keyvaultd_requests(NULL);
}

START_TEST(a_warm_signature_is_exactly_one_request)
{
    const ops_key *key = &ops_keys[_i];
    CK_MECHANISM mechanism = { key->rsa_bits ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE private, public;
    unsigned char sig[512];
    warm(key, &private, &public);

    for (size_t i = 1; i <= 5; i++) {
        CK_ULONG len = 0;
        assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, private));
        ck_assert_uint_eq(requests(), i - 1);
        assert_rv(CKR_OK, p11->C_Sign(module_session, sig, 9, NULL, &len)); /* as GnuTLS does */
        len--;
        assert_rv(CKR_BUFFER_TOO_SMALL, p11->C_Sign(module_session, sig, 9, sig, &len));
        ck_assert_uint_eq(requests(), i - 1);
        assert_rv(CKR_OK, p11->C_Sign(module_session, text, 9, sig, &len));
        ck_assert_uint_eq(requests(), i);
    }
    ck_assert_uint_eq(keyvaultd_requests("KeySign") > 0, 1);
}
END_TEST

START_TEST(parts_and_their_length_query_cost_no_more)
{
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_OBJECT_HANDLE private, public;
    unsigned char sig[512];
    CK_ULONG len = 0;
    warm(&ops_keys[0], &private, &public);

    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, private));
    for (int i = 0; i < 20; i++)
        assert_rv(CKR_OK, p11->C_SignUpdate(module_session, sig, sizeof(sig)));
    assert_rv(CKR_OK, p11->C_SignFinal(module_session, NULL, &len));
    ck_assert_uint_eq(requests(), 0);
    assert_rv(CKR_OK, p11->C_SignFinal(module_session, sig, &len));
    ck_assert_uint_eq(requests(), 1);
}
END_TEST

START_TEST(public_key_work_is_no_request)
{
    const ops_key *key = &ops_keys[_i];
    const ops_mechanism mechanism = { key->rsa_bits ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256,
                                      NULL,
                                      0,
                                      key->rsa_bits != 0,
                                      "SHA256",
                                      key->rsa_bits ? "pkcs1" : "ecdsa",
                                      NULL };
    CK_MECHANISM ck = ops_ck(&mechanism), digest = { CKM_SHA256, NULL, 0 };
    CK_MECHANISM encrypt = { CKM_RSA_PKCS, NULL, 0 };
    CK_OBJECT_HANDLE private, public;
    unsigned char data[300], sig[1024];
    size_t len = ops_data(&mechanism, data);
    CK_ULONG out_len = sizeof(sig);
    size_t sig_len = ops_openssl_signs(key, &mechanism, data, len, sig);
    warm(key, &private, &public);

    assert_rv(CKR_OK, p11->C_VerifyInit(module_session, &ck, public));
    assert_rv(CKR_OK, p11->C_Verify(module_session, data, len, sig, sig_len));
    if (key->rsa_bits) {
        assert_rv(CKR_OK, p11->C_EncryptInit(module_session, &encrypt, public));
        assert_rv(CKR_OK, p11->C_Encrypt(module_session, data, 32, sig, &out_len));
    }
    out_len = sizeof(sig);
    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &digest));
    assert_rv(CKR_OK, p11->C_Digest(module_session, data, len, sig, &out_len));
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, sig, 32));
    ck_assert_uint_eq(requests(), 0);
}
END_TEST

START_TEST(what_is_refused_here_is_no_request)
{
    CK_MECHANISM pkcs = { CKM_RSA_PKCS, NULL, 0 }, ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_MECHANISM unknown = { CKM_RSA_X_509, NULL, 0 };
    CK_OBJECT_HANDLE private, public;
    unsigned char data[300] = { 0 }, out[512];
    CK_ULONG len = sizeof(out);
    warm(&ops_keys[0], &private, &public);

    assert_rv(CKR_KEY_TYPE_INCONSISTENT, p11->C_SignInit(module_session, &ecdsa, private));
    assert_rv(CKR_MECHANISM_INVALID, p11->C_SignInit(module_session, &unknown, private));
    assert_rv(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(module_session, &pkcs, 123456));
    assert_rv(CKR_OK, p11->C_SignInit(module_session, &pkcs, private));
    assert_rv(CKR_DATA_LEN_RANGE, p11->C_Sign(module_session, data, 246, out, &len));
    assert_rv(CKR_OK, p11->C_DecryptInit(module_session, &pkcs, private));
    assert_rv(CKR_ENCRYPTED_DATA_LEN_RANGE, p11->C_Decrypt(module_session, data, 255, out, &len));
    ck_assert_uint_eq(requests(), 0);
}
END_TEST

/* ---- threads: each request is its own, no session waits for another ---- */

typedef struct worker {
    CK_OBJECT_HANDLE key;
    CK_RV rv;
    unsigned signatures;
} worker;

static void *sign_many(void *user)
{
    worker *w = user;
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_SESSION_HANDLE session;
    w->rv = p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
    for (unsigned i = 0; i < w->signatures && w->rv == CKR_OK; i++) {
        unsigned char sig[64];
        CK_ULONG len = sizeof(sig);
        w->rv = p11->C_SignInit(session, &mechanism, w->key);
        if (w->rv == CKR_OK)
            w->rv = p11->C_Sign(session, (CK_BYTE *)&i, sizeof(i), sig, &len);
    }
    return NULL;
}

START_TEST(threads_sign_with_one_key_at_a_request_each)
{
    CK_OBJECT_HANDLE private, public;
    pthread_t threads[8];
    worker workers[8];
    warm(&ops_keys[3], &private, &public);

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        workers[i] = (worker){ private, CKR_OK, 10 };
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_many, &workers[i]), 0);
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_rv(CKR_OK, workers[i].rv);
    }
    ck_assert_uint_eq(requests(), 80);
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    ops_keys_import();
    Suite *suite = suite_create("requests");
    TCase *tcase = tcase_create("requests");
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_warm_signature_is_exactly_one_request, 0, (int)ops_key_count);
    tcase_add_test(tcase, parts_and_their_length_query_cost_no_more);
    tcase_add_loop_test(tcase, public_key_work_is_no_request, 0, (int)ops_key_count);
    tcase_add_test(tcase, what_is_refused_here_is_no_request);
    tcase_add_test(tcase, threads_sign_with_one_key_at_a_request_each);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
