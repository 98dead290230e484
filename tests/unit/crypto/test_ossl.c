/* SPDX-License-Identifier: MIT */
/*
 * The private context inside a hostile host. Each test runs in a fresh child, in which OpenSSL has
 * not been used yet and OPENSSL_CONF names hostile.cnf.
 */
#include "crypto/ossl.h"
#include "base/lock.h"
#include "crypto/crypto.h"

#include <check.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int count_provider(OSSL_PROVIDER *provider, void *count)
{
    ck_assert_str_eq(OSSL_PROVIDER_get0_name(provider), "default");
    ++*(int *)count;
    return 1;
}

static bool can_fetch(OSSL_LIB_CTX *ctx)
{
    EVP_MD *md = EVP_MD_fetch(ctx, "SHA2-256", NULL);

    EVP_MD_free(md);
    return md != NULL;
}

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

START_TEST(our_context_has_the_default_provider_and_no_other)
{
    OSSL_LIB_CTX *ours = kvp_ossl_ctx();
    int count = 0;

    ck_assert_ptr_nonnull(ours);
    ck_assert_ptr_ne(ours, OSSL_LIB_CTX_get0_global_default());
    ck_assert_int_eq(OSSL_PROVIDER_do_all(ours, count_provider, &count), 1);
    ck_assert_int_eq(count, 1);
    ck_assert(can_fetch(ours));
}
END_TEST

START_TEST(the_host_keeps_what_its_configuration_says)
{
    ck_assert_ptr_nonnull(kvp_ossl_ctx());

    /* Were the reading of openssl.cnf switched off, the fallback would find SHA2-256 here. */
    ck_assert(!can_fetch(NULL));
    ck_assert_int_eq(OSSL_PROVIDER_available(NULL, "null"), 1);
}
END_TEST

START_TEST(a_lazy_configuration_load_in_our_scope_does_not_reach_our_context)
{
    KVP_OSSL_SCOPE;

    ck_assert(can_fetch(NULL));
    ck_assert_int_eq(OSSL_PROVIDER_available(NULL, "default"), 1);
    ck_assert_int_eq(OSSL_PROVIDER_available(NULL, "null"), 0);
}
END_TEST

static OSSL_LIB_CTX *thread_default(void)
{
    return OSSL_LIB_CTX_set0_default(NULL); /* NULL changes nothing */
}

static OSSL_LIB_CTX *leave_early(int how)
{
    KVP_OSSL_SCOPE;

    if (how == 0)
        return thread_default();
    {
        KVP_OSSL_SCOPE;
        ck_assert_ptr_eq(thread_default(), kvp_ossl_ctx());
        if (how == 1)
            return thread_default();
    }
    ck_assert_ptr_eq(thread_default(), kvp_ossl_ctx());
    return thread_default();
}

START_TEST(the_threads_default_is_put_back_on_each_way_out)
{
    OSSL_LIB_CTX *global = OSSL_LIB_CTX_get0_global_default();

    ck_assert_ptr_eq(leave_early(_i), kvp_ossl_ctx());

    ck_assert_ptr_eq(thread_default(), global);
}
END_TEST

START_TEST(a_default_that_the_host_chose_for_its_thread_is_put_back)
{
    OSSL_LIB_CTX *hosts = OSSL_LIB_CTX_new();

    OSSL_LIB_CTX_set0_default(hosts);
    ck_assert_ptr_eq(leave_early(_i), kvp_ossl_ctx());

    ck_assert_ptr_eq(thread_default(), hosts);
    /* The host's openssl.cnf went to the process-wide context, not to this one. */
    ck_assert_int_eq(OSSL_PROVIDER_available(hosts, "null"), 0);
    OSSL_LIB_CTX_set0_default(OSSL_LIB_CTX_get0_global_default());
    OSSL_LIB_CTX_free(hosts);
}
END_TEST

START_TEST(the_hosts_error_queue_is_left_alone)
{
    unsigned long first, second;

    ERR_raise(ERR_LIB_USER, 42);
    ERR_raise(ERR_LIB_USER, 43);
    {
        KVP_OSSL_SCOPE;
        ERR_raise(ERR_LIB_USER, 1);
        {
            KVP_OSSL_SCOPE;
            ERR_raise(ERR_LIB_USER, 2);
        }
    }

    first = ERR_get_error();
    second = ERR_get_error();
    ck_assert_int_eq(ERR_GET_REASON(first), 42);
    ck_assert_int_eq(ERR_GET_REASON(second), 43);
    ck_assert_uint_eq(ERR_get_error(), 0);
}
END_TEST

START_TEST(an_empty_error_queue_stays_empty)
{
    ck_assert_ptr_nonnull(kvp_ossl_ctx()); /* reading hostile.cnf fails, silently */
    {
        KVP_OSSL_SCOPE;
        ERR_raise(ERR_LIB_USER, 1);
    }

    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

static pthread_barrier_t barrier;

static void *ask_in_thread(void *unused)
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    (void)unused;

    pthread_barrier_wait(&barrier);
    KVP_OSSL_SCOPE;
    for (int hash = KVP_HASH_NONE + 1; hash < KVP_HASH_COUNT; hash++)
        if (kvp_digest_once((kvp_hash)hash, "abc", 3, digest) != KVP_OK)
            return NULL;
    return kvp_ossl_ctx();
}

START_TEST(threads_that_come_first_together_get_one_context)
{
    pthread_t threads[8];

    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, KVP_ARRAY_LEN(threads)), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_in_thread, NULL), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        void *got;
        ck_assert_int_eq(pthread_join(threads[i], &got), 0);
        ck_assert_ptr_nonnull(got);
        ck_assert_ptr_eq(got, kvp_ossl_ctx());
    }
    pthread_barrier_destroy(&barrier);
}
END_TEST

static OSSL_LIB_CTX *parents;
static kvp_digest *half_done;

static int child_has_its_own(void)
{
    uint8_t digest[32], want[32];

    if (!kvp_ossl_ctx() || kvp_ossl_ctx() == parents || !can_fetch(kvp_ossl_ctx()))
        return 1;
    /* An operation that the parent began goes on. */
    if (kvp_digest_update(half_done, "c", 1) != KVP_OK ||
        kvp_digest_final(half_done, digest) != KVP_OK ||
        kvp_digest_once(KVP_HASH_SHA256, "abc", 3, want) != KVP_OK ||
        memcmp(digest, want, sizeof(want)) != 0)
        return 2;
    kvp_digest_free(half_done);
    return 0;
}

START_TEST(a_forked_child_makes_its_own_context)
{
    parents = kvp_ossl_ctx();
    ck_assert_int_eq(kvp_digest_new(KVP_HASH_SHA256, &half_done, NULL), KVP_OK);
    ck_assert_int_eq(kvp_digest_update(half_done, "ab", 2), KVP_OK);

    in_child(child_has_its_own);

    ck_assert_ptr_eq(kvp_ossl_ctx(), parents);
    kvp_digest_free(half_done);
}
END_TEST

static int after_cleanup(void)
{
    kvp_digest *digest = NULL, *other = NULL;
    uint8_t out[KVP_HASH_MAX_LEN];
    OSSL_LIB_CTX *previous;

    if (kvp_ossl_gone() || kvp_digest_new(KVP_HASH_SHA256, &digest, NULL) != KVP_OK)
        return 1;
    {
        KVP_OSSL_SCOPE;
        OPENSSL_cleanup();
        if (!kvp_ossl_gone() || kvp_ossl_ctx() != NULL)
            return 2;
    }
    previous = kvp_ossl_enter();
    if (previous)
        return 3;
    kvp_ossl_leave(&previous);
    if (kvp_digest_update(digest, "a", 1) != KVP_ERR_CLOSED ||
        kvp_digest_final(digest, out) != KVP_ERR_CLOSED || kvp_digest_copy(digest) != NULL ||
        kvp_digest_once(KVP_HASH_SHA1, "a", 1, out) != KVP_ERR_CLOSED ||
        kvp_digest_new(KVP_HASH_SHA1, &other, NULL) != KVP_ERR_CLOSED)
        return 4;
    kvp_digest_free(digest);
    return kvp_random(out, sizeof(out)) == KVP_OK ? 0 : 5;
}

START_TEST(after_the_hosts_OPENSSL_cleanup_everything_says_closed)
{
    in_child(after_cleanup);
}
END_TEST

static int slots_stay(void)
{
    pthread_key_t keys[200];
    int sentinel;

    if (!kvp_ossl_ctx())
        return 1;
    {
        KVP_OSSL_SCOPE;
        OPENSSL_cleanup();
        /* The host goes on, and gets the thread slots that OpenSSL has given back. */
        for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++)
            if (pthread_key_create(&keys[i], NULL) != 0 ||
                pthread_setspecific(keys[i], &sentinel) != 0)
                return 2;
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++)
        if (pthread_getspecific(keys[i]) != &sentinel)
            return 3;
    return 0;
}

START_TEST(a_scope_that_outlives_OPENSSL_cleanup_touches_nothing)
{
    in_child(slots_stay);
}
END_TEST

static int cleanup_before_us(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
    OPENSSL_cleanup();
    return kvp_ossl_ctx() == NULL ? 0 : 1;
}

START_TEST(a_first_call_after_OPENSSL_cleanup_gets_no_context)
{
    in_child(cleanup_before_us);
}
END_TEST

static OSSL_LIB_CTX *seen_by_callback, *default_at_callback;

static int on_configuration(CONF_IMODULE *module, const CONF *conf)
{
    (void)module;
    (void)conf;
    default_at_callback = thread_default();
    seen_by_callback = kvp_ossl_ctx();
    return 1;
}

START_TEST(a_configuration_that_calls_us_back_while_we_wait_for_it_gets_its_answer)
{
    ck_assert_int_eq(CONF_module_add("kvp_test", on_configuration, NULL), 1);

    ck_assert_ptr_nonnull(kvp_ossl_ctx());

    ck_assert_ptr_nonnull(seen_by_callback);
    ck_assert_ptr_eq(seen_by_callback, kvp_ossl_ctx());
}
END_TEST

/*
 * What a configuration loads (a pkcs11 provider, for one) runs at once, and works in the default
 * context of the thread that happens to load it: that must be neither ours nor a private one.
 */
START_TEST(the_configuration_is_read_in_the_context_of_the_process)
{
    OSSL_LIB_CTX *global = OSSL_LIB_CTX_get0_global_default();
    OSSL_LIB_CTX *hosts = _i == 1 ? OSSL_LIB_CTX_new() : NULL;

    ck_assert_int_eq(CONF_module_add("kvp_test", on_configuration, NULL), 1);
    if (hosts)
        OSSL_LIB_CTX_set0_default(hosts);
    {
        KVP_OSSL_SCOPE;
        ck_assert(can_fetch(NULL));
    }

    ck_assert_ptr_eq(default_at_callback, global);
    ck_assert_ptr_eq(thread_default(), hosts ? hosts : global);
    OSSL_LIB_CTX_set0_default(global);
    OSSL_LIB_CTX_free(hosts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ossl");
    TCase *tc = tcase_create("context");
    SRunner *runner;
    int failed;

    setenv("OPENSSL_CONF", KVP_TEST_DIR "/crypto/hostile.cnf", 1);
    tcase_add_test(tc, our_context_has_the_default_provider_and_no_other);
    tcase_add_test(tc, the_host_keeps_what_its_configuration_says);
    tcase_add_test(tc, a_lazy_configuration_load_in_our_scope_does_not_reach_our_context);
    tcase_add_loop_test(tc, the_threads_default_is_put_back_on_each_way_out, 0, 3);
    tcase_add_loop_test(tc, a_default_that_the_host_chose_for_its_thread_is_put_back, 0, 3);
    tcase_add_test(tc, the_hosts_error_queue_is_left_alone);
    tcase_add_test(tc, an_empty_error_queue_stays_empty);
    tcase_add_test(tc, threads_that_come_first_together_get_one_context);
    tcase_add_test(tc, a_forked_child_makes_its_own_context);
    tcase_add_test(tc, after_the_hosts_OPENSSL_cleanup_everything_says_closed);
    tcase_add_test(tc, a_scope_that_outlives_OPENSSL_cleanup_touches_nothing);
    tcase_add_test(tc, a_first_call_after_OPENSSL_cleanup_gets_no_context);
    tcase_add_test(tc, a_configuration_that_calls_us_back_while_we_wait_for_it_gets_its_answer);
    tcase_add_loop_test(tc, the_configuration_is_read_in_the_context_of_the_process, 0, 2);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
