/* SPDX-License-Identifier: MIT */
/* How a call reaches the vault: challenge, token, retries after a 401, attacks, errors, trace. */
#include "config.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "tests/unit/vault/world.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define V "0123456789abcdef0123456789abcdef"
static const uint8_t digest[32] = { 1, 2, 3 };
static const fake_reply signed_reply = { .body = "{\"kid\":\"https://h/keys/k/" V
                                                 "\",\"value\":\"c2ln\"}",
                                         .headers = "x-ms-request-id: req-1\r\n" };
static world w;

static void setup(void)
{
    memset(&w, 0, sizeof(w));
    w.reply = &signed_reply;
    world_start(&w);
}

static void teardown(void)
{
    kvp_clock_freeze(-1, -1);
    world_stop(&w);
}

static kvp_status sign(kvp_vault *vault, kvp_trace *trace, kvp_error *error)
{
    kvp_buf sig = KVP_BUF_INIT(0);
    kvp_status st =
        kvp_vault_sign(vault, "k", V, KVP_ALG_RS256, digest, sizeof(digest), trace, &sig, error);

    if (st == KVP_OK)
        ck_assert_str_eq(kvp_buf_str(&sig), "sig");
    kvp_buf_clear(&sig);
    return st;
}

START_TEST(the_first_request_shows_the_vault_no_body)
{
    kvp_trace trace;
    char first_id[64], second_id[64];

    ck_assert_int_eq(sign(w.vault, &trace, NULL), KVP_OK);

    ck_assert_uint_eq(world_count(&w), 2);
    ck_assert_uint_eq(world_token_requests(&w), 1);
    ck_assert_str_eq(world_request(&w, 0)->method, "POST");
    ck_assert_str_eq(world_request(&w, 0)->target, "/keys/k/" V "/sign?api-version=7.4");
    ck_assert_uint_eq(world_request(&w, 0)->body_len, 0);
    ck_assert(world_has(world_request(&w, 0), "Content-Length", "0"));
    ck_assert(world_has(world_request(&w, 0), "Authorization", NULL));
    ck_assert_str_eq(world_request(&w, 1)->target, world_request(&w, 0)->target);
    ck_assert(world_has(world_request(&w, 1), "Authorization", "Bearer tok-1"));
    ck_assert(world_has(world_request(&w, 1), "Accept", "application/json"));
    ck_assert(world_has(world_request(&w, 1), "Content-Type", "application/json"));
    ck_assert_str_eq(
        world_request(&w, 1)->body,
        "{\"alg\":\"RS256\",\"value\":\"AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}");
    ck_assert(fake_request_header(world_request(&w, 0), "x-ms-client-request-id", first_id,
                                  sizeof(first_id)));
    ck_assert(fake_request_header(world_request(&w, 1), "x-ms-client-request-id", second_id,
                                  sizeof(second_id)));
    ck_assert_str_eq(first_id, second_id);
    ck_assert_str_eq(trace.client_request_id, first_id);
    ck_assert_str_eq(trace.request_id, "req-1");
    ck_assert_int_eq(trace.http_status, 200);
    ck_assert_uint_eq(trace.attempts, 2);
    ck_assert_str_eq(trace.object_id, "https://h/keys/k/" V);
}
END_TEST

START_TEST(a_warm_signature_is_one_request)
{
    kvp_trace first, second;

    ck_assert_int_eq(sign(w.vault, &first, NULL), KVP_OK);
    for (unsigned i = 1; i <= 10; i++) {
        ck_assert_int_eq(sign(w.vault, &second, NULL), KVP_OK);
        ck_assert_uint_eq(second.attempts, 1);
        ck_assert_uint_eq(fake_server_count(w.server), 3 + i);
    }
    ck_assert_str_ne(first.client_request_id, second.client_request_id);
    ck_assert_uint_le(fake_server_connections(w.server), 2);
}
END_TEST

static void *sign_ten_times(void *arg)
{
    for (int i = 0; i < 10; i++)
        if (sign(w.vault, NULL, NULL) == KVP_OK)
            atomic_fetch_add((atomic_uint *)arg, 1);
    return NULL;
}

START_TEST(many_threads_share_one_token)
{
    pthread_t threads[16];
    atomic_uint good = 0;

    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_ten_times, &good), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&good), 160);
    ck_assert_uint_eq(world_token_requests(&w), 1);
}
END_TEST

/* ---- 401 ---- */

START_TEST(a_refused_token_is_replaced_once)
{
    kvp_trace trace;

    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    w.accepted = 2;
    ck_assert_int_eq(sign(w.vault, &trace, NULL), KVP_OK);
    ck_assert_uint_eq(trace.attempts, 2);
    ck_assert_uint_eq(world_token_requests(&w), 2);
    ck_assert_int_eq(sign(w.vault, &trace, NULL), KVP_OK);
    ck_assert_uint_eq(trace.attempts, 1);
}
END_TEST

START_TEST(a_second_refusal_is_final)
{
    kvp_trace trace;
    kvp_error error;
    unsigned before;

    w.refuse_all = true;
    ck_assert_int_eq(sign(w.vault, &trace, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 401);
    ck_assert_str_eq(error.code, "Unauthorized");
    ck_assert_uint_eq(trace.attempts, 3);
    ck_assert_int_eq(trace.http_status, 401);
    ck_assert_uint_eq(world_token_requests(&w), 2);
    /* A vault that refuses everything costs one request a call and no further token. */
    before = world_count(&w);
    ck_assert_int_eq(sign(w.vault, &trace, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 401);
    ck_assert_uint_eq(world_count(&w), before + 1);
    ck_assert_uint_eq(world_token_requests(&w), 2);
}
END_TEST

START_TEST(a_changed_challenge_is_taken_in)
{
    char other[256];

    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    snprintf(other, sizeof(other), "Bearer authorization=\"%s/other-tenant\", resource=\"%s\"",
             fake_server_url(w.server), fake_server_url(w.server));
    w.challenge = other;
    w.accepted = 2;
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    ck_assert_str_eq(fake_server_request(w.server, 4)->target, "/other-tenant/oauth2/v2.0/token");
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    ck_assert_uint_eq(world_token_requests(&w), 2);
}
END_TEST

START_TEST(claims_are_taken_to_the_authority)
{
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    w.claims = ", error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"";
    w.accepted = 2;
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    ck_assert_ptr_nonnull(
        strstr(fake_server_request(w.server, 4)->body, "&claims=%7B%22a%22%3A1%7D"));
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    ck_assert_uint_eq(world_token_requests(&w), 2);
}
END_TEST

START_TEST(a_wrong_secret_is_told_and_not_repeated)
{
    kvp_vault *vault = world_client(&w, "wrong", 5000);
    kvp_trace trace;
    kvp_error error;

    ck_assert_int_eq(sign(vault, &trace, &error), KVP_ERR_AUTH);
    ck_assert_int_eq(error.http_status, 401);
    ck_assert_str_eq(error.code, "invalid_client");
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(sign(vault, &trace, &error), KVP_ERR_AUTH);
    ck_assert_str_eq(error.code, "invalid_client");
    ck_assert_uint_eq(world_token_requests(&w), 1);
    ck_assert_uint_eq(world_count(&w), 1);
    kvp_vault_free(vault);
}
END_TEST

/* ---- attacks ---- */

static void count_only(void *user, const fake_request *request, fake_reply *reply)
{
    (void)user;
    (void)request;
    reply->body = "{\"access_token\":\"stolen\",\"expires_in\":3600}";
}

START_TEST(a_foreign_authority_sees_no_secret)
{
    fake_options options = { .handle = count_only };
    fake_server *thief = fake_server_start(&options);
    char text[256];
    kvp_error error;

    snprintf(text, sizeof(text), "Bearer authorization=\"%s/t\", resource=\"%s\"",
             fake_server_url(thief), fake_server_url(w.server));
    w.challenge = text;
    ck_assert_int_eq(sign(w.vault, NULL, &error), KVP_ERR_REFUSED);
    ck_assert_msg(strstr(error.message, "authority"), "%s", error.message);
    ck_assert_uint_eq(fake_server_connections(thief), 0);
    ck_assert_uint_eq(world_token_requests(&w), 0);

    /* Nor when the change comes later, with a 401 for a token that was good. */
    w.challenge = NULL;
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    w.challenge = text;
    w.refuse_all = true;
    ck_assert_int_eq(sign(w.vault, NULL, &error), KVP_ERR_REFUSED);
    ck_assert_uint_eq(fake_server_connections(thief), 0);
    fake_server_stop(thief);
}
END_TEST

static const char *const foreign[] = { "https://vault.azure.net", "https://graph.microsoft.com",
                                       "https://0.0.1" };

START_TEST(a_foreign_resource_gets_no_token)
{
    char text[256];
    kvp_error error;

    snprintf(text, sizeof(text), "Bearer authorization=\"%s/t\", resource=\"%s\"",
             fake_server_url(w.server), foreign[_i]);
    w.challenge = text;
    ck_assert_int_eq(sign(w.vault, NULL, &error), KVP_ERR_REFUSED);
    ck_assert_uint_eq(world_token_requests(&w), 0);
    ck_assert_uint_eq(world_count(&w), 1);
}
END_TEST

static const char *const useless[] = { "Basic realm=\"x\"", "Bearer", "Negotiate" };

START_TEST(a_useless_challenge_ends_the_call)
{
    kvp_error error;

    w.challenge = useless[_i];
    ck_assert_int_eq(sign(w.vault, NULL, &error), KVP_ERR_PARSE);
    ck_assert_msg(strstr(error.message, "challenge"), "%s", error.message);
    ck_assert_uint_eq(world_token_requests(&w), 0);
}
END_TEST

/* ---- errors ---- */

static const struct {
    fake_reply reply;
    const char *code, *inner, *message;
} refusals[] = {
    { { .status = 403,
        .headers = "x-ms-request-id: r-9\r\n",
        .body = "{\"error\":{\"code\":\"Forbidden\",\"message\":\"Operation sign is not permitted "
                "on this key.\","
                "\"innererror\":{\"code\":\"KeyOperationForbidden\"}}}" },
      "Forbidden",
      "KeyOperationForbidden",
      "Operation sign is not permitted on this key." },
    { { .status = 404,
        .body = "{\"error\":{\"code\":\"KeyNotFound\",\"message\":\"A key was not found\"}}" },
      "KeyNotFound",
      "",
      "A key was not found" },
    { { .status = 400, .body = "" }, "", "", "the vault answered HTTP 400" },
    { { .status = 302, .body = "", .headers = "Location: https://evil.example/\r\n" },
      "",
      "",
      "the vault answered HTTP 302" },
    { { .status = 405, .body = "<html>\n<h1>No</h1>" }, "", "", "<html> <h1>No</h1>" },
};

START_TEST(a_refusal_is_told_in_full)
{
    kvp_trace trace;
    kvp_error error;

    w.reply = &refusals[_i].reply;
    ck_assert_int_eq(sign(w.vault, &trace, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, refusals[_i].reply.status);
    ck_assert_str_eq(error.code, refusals[_i].code);
    ck_assert_str_eq(error.inner_code, refusals[_i].inner);
    ck_assert_str_eq(error.message, refusals[_i].message);
    ck_assert_str_eq(error.request_id, trace.request_id);
    ck_assert_int_eq(trace.http_status, refusals[_i].reply.status);
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_ERR_HTTP);
}
END_TEST

static const fake_reply malformed[] = {
    { .body = "" },
    { .body = "{}" },
    { .body = "{\"value\":\"\"}" },
    { .body = "{\"value\":true}" },
    { .body = "{\"value\":\"c2ln\",\"kid\":\"https://h/keys/other/" V "\"}" },
    { .body =
          "{\"value\":\"c2ln\",\"kid\":\"https://h/keys/k/00000000000000000000000000000000\"}" },
    { .body = "{\"value\":\"c2ln\",\"kid\":\"nonsense\"}" },
    { .status = 204 },
};

START_TEST(a_malformed_answer_is_no_signature)
{
    kvp_error error;

    w.reply = &malformed[_i];
    ck_assert_int_eq(sign(w.vault, NULL, &error), KVP_ERR_PARSE);
    ck_assert_msg(strstr(error.message, "vault"), "%s", error.message);
}
END_TEST

START_TEST(throttling_is_waited_out)
{
    kvp_trace trace;
    static const fake_reply busy = {
        .status = 429,
        .headers = "Retry-After: 60\r\n",
        .body = "{\"error\":{\"code\":\"Throttled\",\"message\":\"slow\"}}"
    };
    kvp_error error;

    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    w.reply = &busy;
    kvp_clock_freeze(kvp_clock_mono_ms(), 0);
    ck_assert_int_eq(sign(w.vault, &trace, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 429);
    ck_assert_str_eq(error.code, "Throttled");
    ck_assert_uint_eq(trace.attempts, 1);
}
END_TEST

START_TEST(a_vault_that_is_not_there_is_told_at_once)
{
    char url[64];
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "b" };
    kvp_vault_options options = { .url = url, .api_version = "7.4", .timeout_ms = 30000 };
    kvp_identity *identity = NULL;
    kvp_vault *vault = NULL;
    kvp_trace trace;
    kvp_error error;
    int64_t begun = kvp_clock_mono_ms();

    snprintf(url, sizeof(url), "https://127.0.0.1:%u", fake_dead_port());
    ck_assert_int_eq(kvp_identity_new(&settings, &identity, NULL), KVP_OK);
    ck_assert_int_eq(kvp_vault_new(&options, identity, &vault, NULL), KVP_OK);
    ck_assert_int_eq(sign(vault, &trace, &error), KVP_ERR_NETWORK);
    ck_assert_int_lt(kvp_clock_mono_ms() - begun, 5000);
    ck_assert_int_eq(trace.http_status, 0);
    ck_assert_uint_eq(trace.attempts, 3);
    ck_assert_str_ne(trace.client_request_id, "");
    kvp_vault_free(vault);
}
END_TEST

/* ---- options ---- */

static const struct {
    const char *url, *version;
    bool good;
} addresses[] = {
    { "https://contoso.vault.azure.net", "7.4", true },
    { "https://contoso.vault.azure.net/", "7.6-preview.1", true },
    { "https://127.0.0.1:8443", "7.4", true },
    { "http://127.0.0.1:8443", "7.4", true },
    { "http://contoso.vault.azure.net", "7.4", false },
    { "https://contoso.vault.azure.net/keys", "7.4", false },
    { "https://contoso.vault.azure.net?x", "7.4", false },
    { "contoso.vault.azure.net", "7.4", false },
    { "https://contoso.vault.azure.net", "7.4&x=1", false },
    { "https://contoso.vault.azure.net", "", false },
    { "https://contoso.vault.azure.net", NULL, false },
};

START_TEST(addresses_are_checked)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "b" };
    kvp_vault_options options = { .url = addresses[_i].url,
                                  .api_version = addresses[_i].version,
                                  .tenant = "t" };
    kvp_identity *identity = NULL;
    kvp_vault *vault = NULL;
    kvp_error error = { 0 };

    ck_assert_int_eq(kvp_identity_new(&settings, &identity, NULL), KVP_OK);
    ck_assert_int_eq(kvp_vault_new(&options, identity, &vault, &error),
                     addresses[_i].good ? KVP_OK : KVP_ERR_CONFIG);
    if (addresses[_i].good)
        ck_assert_int_eq(
            strncmp(kvp_vault_url(vault), addresses[_i].url, strlen(kvp_vault_url(vault))), 0);
    else
        ck_assert_str_ne(error.message, "");
    kvp_vault_free(vault);
}
END_TEST

/* ---- fork, memory ---- */

START_TEST(a_child_signs_with_the_parents_token)
{
    int status;
    pid_t pid;

    ck_assert_int_eq(kvp_fork_watch(), KVP_OK);
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    pid = fork();
    if (pid == 0)
        _Exit(sign(w.vault, NULL, NULL) == KVP_OK && sign(w.vault, NULL, NULL) == KVP_OK ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(sign(w.vault, NULL, NULL), KVP_OK);
    ck_assert_uint_eq(world_token_requests(&w), 1);
    ck_assert_uint_eq(world_count(&w), 5);
}
END_TEST

START_TEST(each_failing_allocation_is_survived)
{
    kvp_status st = KVP_ERR_NO_MEMORY;
    unsigned failures = 0;

    for (long n = 0; n < 4000 && st != KVP_OK; n++) {
        kvp_vault *vault = world_client(&w, "right", 3000);

        kvp_alloc_fail_after(n);
        st = sign(vault, NULL, NULL);
        kvp_alloc_fail_after(-1);
        failures += st != KVP_OK;
        kvp_vault_free(vault);
    }
    ck_assert_int_eq(st, KVP_OK);
    ck_assert_uint_gt(failures, 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = tcase_create("client");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_first_request_shows_the_vault_no_body);
    tcase_add_test(tcase, a_warm_signature_is_one_request);
    tcase_add_test(tcase, many_threads_share_one_token);
    tcase_add_test(tcase, a_refused_token_is_replaced_once);
    tcase_add_test(tcase, a_second_refusal_is_final);
    tcase_add_test(tcase, a_changed_challenge_is_taken_in);
    tcase_add_test(tcase, claims_are_taken_to_the_authority);
    tcase_add_test(tcase, a_wrong_secret_is_told_and_not_repeated);
    tcase_add_test(tcase, a_foreign_authority_sees_no_secret);
    tcase_add_loop_test(tcase, a_foreign_resource_gets_no_token, 0, (int)KVP_ARRAY_LEN(foreign));
    tcase_add_loop_test(tcase, a_useless_challenge_ends_the_call, 0, (int)KVP_ARRAY_LEN(useless));
    tcase_add_loop_test(tcase, a_refusal_is_told_in_full, 0, (int)KVP_ARRAY_LEN(refusals));
    tcase_add_loop_test(tcase, a_malformed_answer_is_no_signature, 0,
                        (int)KVP_ARRAY_LEN(malformed));
    tcase_add_test(tcase, throttling_is_waited_out);
    tcase_add_test(tcase, a_vault_that_is_not_there_is_told_at_once);
    tcase_add_loop_test(tcase, addresses_are_checked, 0, (int)KVP_ARRAY_LEN(addresses));
    tcase_add_test(tcase, a_child_signs_with_the_parents_token);
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
