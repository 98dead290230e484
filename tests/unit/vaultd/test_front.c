/* SPDX-License-Identifier: MIT */
/* The daemon over HTTPS, in this process, on a port it chooses: what a client sees. */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "jwk/base64url.h"
#include "vaultd/admin.h"
#include "vaultd/daemon.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *dir;
static kvp_service *service;
static kvp_test_client client;

static void start_on(const char *listen, int lifetime)
{
    kvp_options options = { .data = dir, .listen = listen, .token_lifetime_s = lifetime };
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(kvp_service_start(&options, &service, &error) == KVP_OK, "%s", error.message);
    ck_assert(kvp_test_client_open(&client, dir));
}

static void stop(void)
{
    kvp_test_client_close(&client);
    kvp_service_stop(service);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    dir = kvp_test_directory();
    start_on("127.0.0.1:0", 3599);
    ck_assert(kvp_test_client_sign_in(&client));
}

static void teardown(void)
{
    stop();
    kvp_test_remove(dir);
}

static json_t *call(const char *method, const char *path, const char *body, long status)
{
    long got = kvp_test_client_send(&client, method, path, "application/json", body);

    ck_assert_msg(got == status, "%s %s: %ld: %s", method, path, got, kvp_buf_str(&client.body));
    return kvp_test_client_json(&client);
}

/* The public key of a bundle. */
static EVP_PKEY *public_key(const json_t *bundle)
{
    kvp_buf n = KVP_BUF_INIT(0), e = KVP_BUF_INIT(0);
    EVP_PKEY *pkey = NULL;
    const char *text = kvp_test_text(bundle, "key.n");

    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), &n), KVP_OK);
    text = kvp_test_text(bundle, "key.e");
    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), &e), KVP_OK);
    BIGNUM *bn_n = BN_bin2bn(n.data, (int)n.len, NULL), *bn_e = BN_bin2bn(e.data, (int)e.len, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY_fromdata_init(ctx);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(bn_n);
    BN_free(bn_e);
    kvp_buf_clear(&n);
    kvp_buf_clear(&e);
    return pkey;
}

START_TEST(a_key_is_made_and_its_signature_verifies_with_its_public_half)
{
    uint8_t digest[32];
    char body[200];
    kvp_buf sig = KVP_BUF_INIT(0);

    json_t *bundle = call("POST", "/keys/signer/create", "{\"kty\":\"RSA\"}", 200);
    ck_assert_int_eq(kvp_ident_digest("a message", digest), KVP_OK);
    char *value = kvp_test_base64(digest, 32);
    snprintf(body, sizeof(body), "{\"alg\":\"RS256\",\"value\":\"%s\"}", value);
    char path[600];
    snprintf(path, sizeof(path), "%s/sign", kvp_test_text(bundle, "key.kid"));
    json_t *answer = call("POST", path, body, 200);

    const char *text = kvp_test_text(answer, "value");
    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), &sig), KVP_OK);
    EVP_PKEY *pkey = public_key(bundle);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
    ck_assert_int_eq(
        EVP_DigestVerify(ctx, sig.data, sig.len, (const unsigned char *)"a message", 9), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    kvp_buf_clear(&sig);
    kvp_free(value);
    json_decref(answer);
    json_decref(bundle);
}
END_TEST

START_TEST(a_listing_follows_its_links)
{
    char path[64], url[1000] = "/keys";
    size_t seen = 0;

    for (int i = 0; i < 60; i++) {
        snprintf(path, sizeof(path), "/keys/key-%02d/create", i);
        json_decref(call("POST", path, "{\"kty\":\"EC\"}", 200));
    }
    while (*url) {
        json_t *page = call("GET", url, NULL, 200);
        seen += json_array_size(json_object_get(page, "value"));
        const char *next = json_string_value(json_object_get(page, "nextLink"));
        snprintf(url, sizeof(url), "%s", next ? next : "");
        json_decref(page);
    }

    ck_assert_uint_eq(seen, 60);
}
END_TEST

START_TEST(everything_is_there_again_after_a_restart)
{
    json_t *key = call("POST", "/keys/kept/create", "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"}}", 200);
    json_decref(call("POST", "/keys/gone/create", "{\"kty\":\"EC\"}", 200));
    json_decref(call("PATCH", "/keys/kept", "{\"attributes\":{\"enabled\":false}}", 200));
    json_decref(call("DELETE", "/keys/gone", NULL, 200));
    char token[64];
    snprintf(token, sizeof(token), "%s", client.token);

    stop();
    start_on("127.0.0.1:0", 3599);
    snprintf(client.token, sizeof(client.token), "%s", token);

    /* The token is good, too; only the port is another one. */
    json_t *again = call("GET", "/keys/kept", NULL, 200);
    ck_assert_str_eq(kvp_test_text(again, "key.x"), kvp_test_text(key, "key.x"));
    ck_assert(json_is_false(kvp_test_at(again, "attributes.enabled")));
    ck_assert_str_eq(kvp_test_text(again, "tags.a"), "b");
    json_decref(call("GET", "/keys/gone", NULL, 404));
    json_decref(call("GET", "/deletedkeys/gone", NULL, 200));
    json_decref(again);
    json_decref(key);
}
END_TEST

START_TEST(a_token_ends_when_it_said_it_would)
{
    stop();
    start_on("127.0.0.1:0", 1);
    ck_assert(kvp_test_client_sign_in(&client));
    json_decref(call("GET", "/keys", NULL, 200));

    kvp_clock_sleep_ms(1100);

    json_decref(call("GET", "/keys", NULL, 401));
    ck_assert(kvp_test_client_sign_in(&client));
    json_decref(call("GET", "/keys", NULL, 200));
}
END_TEST

START_TEST(ipv6_and_localhost_are_listened_to)
{
    stop();
    start_on(_i ? "localhost:0" : "[::1]:0", 3599);

    ck_assert(kvp_test_client_sign_in(&client));
    ck_assert_ptr_nonnull(strstr(client.url, _i ? "https://localhost:" : "https://[::1]:"));
    json_t *key = call("POST", "/keys/k/create", "{\"kty\":\"EC\"}", 200);
    ck_assert_mem_eq(kvp_test_text(key, "key.kid"), client.url, strlen(client.url));
    json_decref(key);
}
END_TEST

START_TEST(a_restore_may_bring_what_other_requests_may_not)
{
    /* More than what is read of a body that is too large, less than what a backup may have. */
    size_t len = (size_t)9 * 1024 * 1024;
    char *body = kvp_calloc(1, len + 20), token[sizeof(client.token)];

    memcpy(body, "{\"value\":\"", 10);
    memset(body + 10, 'A', len);
    memcpy(body + 10 + len, "\"}", 3);
    json_t *answer = call("POST", "/secrets/restore", body, 400);
    ck_assert_str_ne(kvp_test_text(answer, "error.code"), "RequestEntityTooLarge");
    json_decref(answer);
    memcpy(token, client.token, sizeof(token));
    client.token[0] = '\0';
    json_decref(call("POST", "/secrets/restore", body, 401));
    memcpy(client.token, token, sizeof(token));
    json_decref(call("GET", "/keys", NULL, 200));
    kvp_free(body);
}
END_TEST

START_TEST(a_large_body_is_refused_and_the_next_request_served)
{
    size_t len = 600 * 1024;
    char *body = kvp_calloc(1, len + 1);

    memset(body, ' ', len);
    json_t *answer = call("POST", "/keys/k/create", body, 413);
    ck_assert_str_eq(kvp_test_text(answer, "error.code"), "RequestEntityTooLarge");
    json_decref(answer);
    json_decref(call("GET", "/keys", NULL, 200));
    client.token[0] = '\0';
    json_decref(call("POST", "/keys/k/create", body, 401));
    kvp_free(body);
}
END_TEST

START_TEST(answers_keep_the_connection_and_have_a_date)
{
    long connects = -1;

    json_decref(call("GET", "/keys", NULL, 200));
    json_decref(call("GET", "/keys/none", NULL, 404));

    curl_easy_getinfo(client.curl, CURLINFO_NUM_CONNECTS, &connects);
    ck_assert_int_eq(connects, 0);
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&client.headers), "\r\nDate: "));
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&client.headers), "HTTP/1.1 404"));
}
END_TEST

START_TEST(a_principal_added_and_removed_meanwhile_counts_at_once)
{
    const char *const add_words[] = { "principal", "add", "visitor" };
    const char *const remove_words[] = { "principal", "remove", "visitor" };
    kvp_options options = { .data = dir,
                            .roles = { "Key Vault Reader" },
                            .role_count = 1,
                            .words = add_words,
                            .word_count = 3 };
    char output[512] = "";
    FILE *out = fmemopen(output, sizeof(output), "w");

    ck_assert_int_eq(kvp_admin_run(&options, out, NULL), KVP_OK);
    fclose(out);
    ck_assert_int_eq(sscanf(strstr(output, "client_id = "), "client_id = %39s", client.client_id),
                     1);
    ck_assert_int_eq(
        sscanf(strstr(output, "client_secret = "), "client_secret = %63s", client.secret), 1);
    ck_assert(kvp_test_client_sign_in(&client));
    json_decref(call("GET", "/keys", NULL, 200));
    json_decref(call("POST", "/keys/k/create", "{\"kty\":\"EC\"}", 403));

    options = (kvp_options){ .data = dir, .words = remove_words, .word_count = 3 };
    ck_assert_int_eq(kvp_admin_run(&options, stdout, NULL), KVP_OK);

    json_decref(call("GET", "/keys", NULL, 401));
    ck_assert(!kvp_test_client_sign_in(&client));
}
END_TEST

static void *sign_many(void *arg)
{
    kvp_test_client mine;
    size_t *good = arg;

    bool ready = kvp_test_client_open(&mine, dir) && kvp_test_client_sign_in(&mine);
    for (int i = 0; ready && i < 20; i++) {
        *good += kvp_test_client_send(&mine, "POST", "/keys/k/sign", "application/json",
                                      "{\"alg\":\"ES256\",\"value\":\"AAECAwQFBgcICQoLDA0ODxAREhMU"
                                      "FRYXGBkaGxwdHh8\"}") == 200;
        *good += kvp_test_client_send(&mine, "PATCH", "/keys/k", "application/json",
                                      "{\"tags\":{\"a\":\"b\"}}") == 200;
    }
    kvp_test_client_close(&mine);
    return NULL;
}

START_TEST(many_clients_are_served_at_once)
{
    pthread_t threads[8];
    size_t good[8] = { 0 };

    json_decref(call("POST", "/keys/k/create", "{\"kty\":\"EC\"}", 200));
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_many, &good[i]), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_uint_eq(good[i], 40);
}
END_TEST

static void *create_one(void *arg)
{
    kvp_test_client mine;
    long *status = arg;

    ck_assert(kvp_test_client_open(&mine, dir));
    snprintf(mine.token, sizeof(mine.token), "%s", client.token);
    *status = kvp_test_client_send(&mine, "POST", "/keys/slow/create", "application/json",
                                   "{\"kty\":\"RSA\",\"key_size\":3072}");
    kvp_test_client_close(&mine);
    return NULL;
}

START_TEST(a_running_request_is_finished_before_the_end)
{
    pthread_t thread;
    long status = -1;

    ck_assert_int_eq(pthread_create(&thread, NULL, create_one, &status), 0);
    kvp_clock_sleep_ms(60);
    stop();
    pthread_join(thread, NULL);

    start_on("127.0.0.1:0", 3599);
    ck_assert(kvp_test_client_sign_in(&client));
    /* Either it was answered and is there, or it had not begun. */
    json_decref(call("GET", "/keys/slow", NULL, status == 200 ? 200 : 404));
    ck_assert(status == 200 || status == 0);
}
END_TEST

START_TEST(a_second_daemon_on_the_directory_is_refused)
{
    kvp_options options = { .data = dir, .listen = "127.0.0.1:0", .token_lifetime_s = 1 };
    kvp_error error = { .status = KVP_OK };
    kvp_service *second = NULL;

    ck_assert_int_eq(kvp_service_start(&options, &second, &error), KVP_ERR_REFUSED);

    ck_assert_ptr_nonnull(strstr(error.message, "in use by another keyvaultd"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd front");
    TCase *tests = tcase_create("https");

    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_key_is_made_and_its_signature_verifies_with_its_public_half);
    tcase_add_test(tests, a_listing_follows_its_links);
    tcase_add_test(tests, everything_is_there_again_after_a_restart);
    tcase_add_test(tests, a_token_ends_when_it_said_it_would);
    tcase_add_loop_test(tests, ipv6_and_localhost_are_listened_to, 0, 2);
    tcase_add_test(tests, a_restore_may_bring_what_other_requests_may_not);
    tcase_add_test(tests, a_large_body_is_refused_and_the_next_request_served);
    tcase_add_test(tests, answers_keep_the_connection_and_have_a_date);
    tcase_add_test(tests, a_principal_added_and_removed_meanwhile_counts_at_once);
    tcase_add_test(tests, many_clients_are_served_at_once);
    tcase_add_test(tests, a_running_request_is_finished_before_the_end);
    tcase_add_test(tests, a_second_daemon_on_the_directory_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    curl_global_cleanup();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
