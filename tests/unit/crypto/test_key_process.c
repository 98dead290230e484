/* SPDX-License-Identifier: MIT */
/* Public keys in threads, in forked children, after OPENSSL_cleanup and beside an engine. */
#include "crypto/crypto.h"
#include "keys.h"

#include <check.h>
#include <openssl/engine.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static kvp_public_key *shared_rsa, *shared_ec;
static uint8_t shared_sig[512], shared_raw[64];
static const uint8_t shared_digest[32] = { 4, 2 };

static void shared_make(void)
{
    shared_rsa = test_key_public(&test_rsa_keys[0]);
    shared_ec = test_key_public(&test_ec_keys[KVP_CURVE_P256]);
    test_rsa_sign(&test_rsa_keys[0], KVP_HASH_NONE, KVP_HASH_NONE, 0, shared_digest, 32,
                  shared_sig);
    test_ecdsa_sign(&test_ec_keys[KVP_CURVE_P256], shared_digest, 32, shared_raw);
}

static void shared_drop(void)
{
    kvp_public_key_free(shared_rsa);
    kvp_public_key_free(shared_ec);
    shared_rsa = shared_ec = NULL;
}

static void *verify_in_thread(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        if (kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, shared_sig, 256, NULL) != KVP_OK ||
            kvp_ecdsa_verify(shared_ec, shared_digest, 32, shared_raw, 64, NULL) != KVP_OK)
            return unused;
    return shared_rsa;
}

static bool verify_in_threads(void)
{
    pthread_t threads[4];
    bool ok = true;

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        if (pthread_create(&threads[i], NULL, verify_in_thread, NULL) != 0)
            return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        void *got = NULL;
        ok = pthread_join(threads[i], &got) == 0 && got == shared_rsa && ok;
    }
    return ok;
}

START_TEST(one_key_serves_many_threads)
{
    shared_make();
    ck_assert(verify_in_threads());
    shared_drop();
}
END_TEST

/* Run @fn in a child and expect it to leave with 0. */
static void in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static int verify_then_free(void)
{
    if (!verify_in_threads())
        return 1;
    shared_drop();
    return 0;
}

static int grandchild(void)
{
    in_child(verify_then_free);
    return verify_then_free();
}

static int free_only(void)
{
    shared_drop();
    return 0;
}

START_TEST(a_key_of_the_parent_serves_its_children)
{
    shared_make();

    in_child(verify_then_free);
    in_child(free_only);
    in_child(grandchild);

    ck_assert(verify_in_threads());
    shared_drop();
}
END_TEST

static int use_after_cleanup(void)
{
    kvp_public_key *public = NULL;
    const test_key *key = &test_rsa_keys[0];
    kvp_buf out = { 0 };

    OPENSSL_cleanup();
    if (kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, shared_sig, 256, NULL) !=
            KVP_ERR_CLOSED ||
        kvp_ecdsa_verify(shared_ec, shared_digest, 32, shared_raw, 64, NULL) != KVP_ERR_CLOSED ||
        kvp_rsa_encrypt_pkcs1(shared_rsa, "a", 1, &out, NULL) != KVP_ERR_CLOSED ||
        kvp_public_key_from_rsa(key->n, key->n_len, key->e, key->e_len, &public, NULL) !=
            KVP_ERR_CLOSED)
        return 1;
    if (kvp_public_key_spki(shared_rsa)->len == 0)
        return 2;
    shared_drop();
    return 0;
}

START_TEST(after_OPENSSL_cleanup_keys_are_only_forgotten)
{
    shared_make();
    in_child(use_after_cleanup);
    shared_drop();
}
END_TEST

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static EVP_PKEY_METHOD *engine_methods[2];
static _Atomic int engine_asked;

/* As libp11's engine does it: OpenSSL's own methods, but for the keys that are the engine's. */
static int engine_pkey_methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **nids, int nid)
{
    static const int ours[] = { EVP_PKEY_RSA, EVP_PKEY_EC };
    (void)engine;

    if (!method) {
        *nids = ours;
        return 2;
    }
    engine_asked++;
    *method = engine_methods[nid == EVP_PKEY_EC];
    return 1;
}

/*
 * Engines are global to the process, and OpenSSL 3.0 asks a default one before any provider,
 * private context or not. What can be asked of us is to work with one that leaves strange keys to
 * OpenSSL.
 */
START_TEST(an_engine_that_the_host_made_the_default_changes_nothing)
{
    ENGINE *engine = ENGINE_new();
    uint8_t bad[256];
    kvp_buf out = { 0 };

    ck_assert_ptr_nonnull(engine);
    for (int i = 0; i < 2; i++) {
        int nid = i ? EVP_PKEY_EC : EVP_PKEY_RSA;
        engine_methods[i] = EVP_PKEY_meth_new(nid, 0);
        EVP_PKEY_meth_copy(engine_methods[i], EVP_PKEY_meth_find(nid));
    }
    ck_assert_int_eq(ENGINE_set_id(engine, "kvp-test"), 1);
    ck_assert_int_eq(ENGINE_set_name(engine, "test"), 1);
    ck_assert_int_eq(ENGINE_set_pkey_meths(engine, engine_pkey_methods), 1);
    shared_make();
    ck_assert_int_eq(ENGINE_set_default(engine, ENGINE_METHOD_ALL), 1);

    ck_assert(verify_in_threads());
    memcpy(bad, shared_sig, sizeof(bad));
    bad[100] ^= 1;
    ck_assert_int_eq(kvp_rsa_verify_pkcs1(shared_rsa, shared_digest, 32, bad, 256, NULL),
                     KVP_ERR_MISMATCH);
    ck_assert_int_eq(kvp_rsa_encrypt_oaep(shared_rsa, KVP_HASH_SHA256, KVP_HASH_SHA1, "label", 5,
                                          "data", 4, &out, NULL),
                     KVP_OK);
    shared_drop();
    ck_assert_int_gt(engine_asked, 0);
    ENGINE_unregister_pkey_meths(engine);
    test_rsa_assert_decrypts(&test_rsa_keys[0], KVP_HASH_SHA256, KVP_HASH_SHA1, "label", &out,
                             "data", 4);
    kvp_buf_clear(&out);
    ENGINE_free(engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key_process");
    TCase *process = tcase_create("process");
    SRunner *runner;
    int failed;

    test_keys_make();
    tcase_add_test(process, one_key_serves_many_threads);
    tcase_add_test(process, a_key_of_the_parent_serves_its_children);
    tcase_add_test(process, after_OPENSSL_cleanup_keys_are_only_forgotten);
    tcase_add_test(process, an_engine_that_the_host_made_the_default_changes_nothing);
    tcase_set_timeout(process, 30);
    suite_add_tcase(suite, process);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    test_keys_free();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
