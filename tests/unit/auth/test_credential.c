/* SPDX-License-Identifier: MIT */
/* Credential sources: what each needs, what it sends, what the authority's refusal becomes. */
#include "config.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "tests/support/fake_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fake_server *server;

static const char *const variables[] = {
    "AZURE_TENANT_ID",      "AZURE_CLIENT_ID",         "AZURE_CLIENT_SECRET",
    "AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS", "AZURE_CLIENT_CERTIFICATE_PATH"
};

static void setup(void)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
}

static void teardown(void)
{
    fake_server_stop(server);
    server = NULL;
}

static void start(const fake_reply *reply)
{
    fake_options options = { .script = reply, .script_len = 1 };

    server = fake_server_start(&options);
}

static const fake_reply token_reply = {
    .body = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"tok\"}"
};

/* Ask for a token as @settings say, with the authority that the fake server is. */
static kvp_status ask(kvp_credential_settings settings, kvp_buf *header, kvp_error *error)
{
    kvp_challenge challenge = { 0 };
    kvp_identity *identity = NULL;
    kvp_status st = kvp_identity_new(&settings, &identity, error);
    char authority[64], tenant[] = "challenge-tenant", resource[] = "https://vault.azure.net";

    if (st != KVP_OK)
        return st;
    snprintf(authority, sizeof(authority), "%s",
             server ? fake_server_url(server) : "https://127.0.0.1:1");
    challenge.authority = authority;
    challenge.tenant = tenant;
    challenge.resource = resource;
    header->secret = true;
    st = kvp_identity_authorize(identity, &challenge, kvp_clock_mono_ms() + 5000, header, error);
    kvp_identity_free(identity);
    return st;
}

static void write_file(char *path, const char *content, mode_t mode)
{
    int fd;

    strcpy(path, "/tmp/test-credential-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

/* ---- the table ---- */

static int kinds(void)
{
    int count = 0;

    while (kvp_credential_types[count].kind)
        count++;
    return count;
}

START_TEST(every_row_is_whole)
{
    const kvp_credential_type *type = &kvp_credential_types[_i];

    ck_assert_ptr_eq(kvp_credential_type_find(type->kind), type);
    ck_assert_ptr_nonnull(type->summary);
    ck_assert(type->create && type->get_token && type->destroy);
    type->destroy(NULL);
}
END_TEST

/* With nothing set, a row says what it misses, or waits for its turn to say so. */
START_TEST(every_row_says_what_it_misses)
{
    kvp_credential_settings settings = { .kind = kvp_credential_types[_i].kind };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { 0 };
    kvp_status st = ask(settings, &header, &error);

    ck_assert_msg(st == KVP_ERR_CONFIG || st == KVP_ERR_AUTH, "%s: %s", settings.kind,
                  kvp_status_name(st));
    ck_assert_str_ne(error.message, "");
    ck_assert_uint_eq(header.len, 0);
}
END_TEST

START_TEST(an_unknown_kind_is_told_what_there_is)
{
    kvp_credential_settings settings = { .kind = "magic" };
    kvp_identity *identity = NULL;
    kvp_error error;

    ck_assert_int_eq(kvp_identity_new(&settings, &identity, &error), KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error.message, "magic"));
    for (int i = 0; i < kinds(); i++)
        ck_assert_ptr_nonnull(strstr(error.message, kvp_credential_types[i].kind));
    ck_assert_ptr_null(kvp_credential_type_find(NULL));
}
END_TEST

/* ---- client-secret ---- */

START_TEST(a_client_secret_is_sent_as_a_form)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "app id",
                                         .client_secret = "s&=+%~\xc3\xa4" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error = { 0 };
    char value[128];

    start(&token_reply);
    ck_assert_msg(ask(settings, &header, &error) == KVP_OK, "%s", error.message);
    ck_assert_str_eq(kvp_buf_str(&header), "Bearer tok");
    ck_assert_str_eq(fake_server_request(server, 0)->method, "POST");
    ck_assert_str_eq(fake_server_request(server, 0)->target, "/challenge-tenant/oauth2/v2.0/token");
    ck_assert_str_eq(
        fake_server_request(server, 0)->body,
        "client_id=app%20id&client_secret=s%26%3D%2B%25~%C3%A4&grant_type=client_credentials"
        "&scope=https%3A%2F%2Fvault.azure.net%2F.default");
    ck_assert(
        fake_request_header(fake_server_request(server, 0), "Content-Type", value, sizeof(value)));
    ck_assert_str_eq(value, "application/x-www-form-urlencoded");
    kvp_buf_clear(&header);
}
END_TEST

START_TEST(settings_stand_before_the_challenge_and_the_environment)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_secret = "s",
                                         .tenant = "mine" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    char authority[64];

    start(&token_reply);
    snprintf(authority, sizeof(authority), "%s/", fake_server_url(server));
    settings.authority = authority;
    setenv("AZURE_TENANT_ID", "theirs", 1);
    setenv("AZURE_CLIENT_ID", "from-environment", 1);
    setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1", 1);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_OK);
    ck_assert_str_eq(fake_server_request(server, 0)->target, "/mine/oauth2/v2.0/token");
    ck_assert_ptr_nonnull(
        strstr(fake_server_request(server, 0)->body, "client_id=from-environment&"));
    kvp_buf_clear(&header);
}
END_TEST

START_TEST(a_secret_may_stand_in_a_file_of_ones_own)
{
    char path[64];
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret_file = path };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    start(&token_reply);
    write_file(path, "from file\r\n\n", 0600);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_OK);
    ck_assert_ptr_nonnull(
        strstr(fake_server_request(server, 0)->body, "client_secret=from%20file&"));
    unlink(path);
    kvp_buf_clear(&header);
}
END_TEST

static const struct {
    const char *content;
    mode_t mode;
    kvp_status st;
} files[] = {
    { "x", 0644, KVP_ERR_REFUSED },
    { "x", 0602, KVP_ERR_REFUSED },
    { "", 0600, KVP_ERR_IO },
    { "\n", 0600, KVP_ERR_IO },
};

START_TEST(a_file_that_will_not_do_is_named)
{
    char path[64];
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret_file = path };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;

    start(&token_reply);
    write_file(path, files[_i].content, files[_i].mode);
    ck_assert_int_eq(ask(settings, &header, &error), files[_i].st);
    ck_assert_ptr_nonnull(strstr(error.message, path));
    unlink(path);
    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_IO);
    settings.client_secret_file = "/tmp";
    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_IO);
    ck_assert_uint_eq(fake_server_count(server), 0);
}
END_TEST

START_TEST(a_refusal_carries_the_authoritys_words)
{
    static const fake_reply refusal = {
        .status = 401,
        .headers = "x-ms-request-id: r-1\r\n",
        .body = "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid "
                "client secret provided.\\r\\n"
                "Trace ID: x\",\"error_codes\":[7000215]}",
    };
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "hidden" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;

    start(&refusal);
    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_AUTH);
    ck_assert_int_eq(error.http_status, 401);
    ck_assert_str_eq(error.code, "invalid_client");
    ck_assert_ptr_nonnull(strstr(error.message, "AADSTS7000215"));
    ck_assert_str_eq(error.request_id, "r-1");
    ck_assert_ptr_null(strstr(error.message, "hidden"));
    ck_assert_uint_eq(fake_server_count(server), 1);
}
END_TEST

static const fake_reply odd_answers[] = {
    { .body = "{}" },
    { .body = "not json" },
    { .body = "{\"access_token\":\"a\\nb\"}" },
    { .status = 302, .headers = "Location: https://evil.example/\r\n" },
    { .status = 204 },
};

START_TEST(an_answer_without_a_token_is_no_token)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "s" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;
    kvp_status st;

    start(&odd_answers[_i]);
    st = ask(settings, &header, &error);
    ck_assert_msg(st == KVP_ERR_PARSE || st == KVP_ERR_AUTH, "%s", kvp_status_name(st));
    ck_assert_uint_eq(header.len, 0);
    ck_assert_uint_eq(fake_server_count(server), 1);
}
END_TEST

START_TEST(an_authority_that_is_not_there_is_a_network_error)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "s" };
    char authority[64];
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;

    snprintf(authority, sizeof(authority), "https://127.0.0.1:%u", fake_dead_port());
    settings.authority = authority;
    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_NETWORK);
    ck_assert_ptr_nonnull(strstr(error.message, "asking for a token"));
}
END_TEST

static const char *const bad_authorities[] = { "http://login.example", "https://u@login.example",
                                               "https://", "a b" };

START_TEST(an_authority_must_be_https)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "a",
                                         .client_secret = "s",
                                         .authority = bad_authorities[_i] };
    kvp_identity *identity = NULL;
    kvp_error error;

    ck_assert_int_eq(kvp_identity_new(&settings, &identity, &error), KVP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error.message, "`authority`"));
}
END_TEST

START_TEST(a_tenant_is_one_path_segment)
{
    kvp_credential_settings settings = {
        .kind = "client-secret", .client_id = "a", .client_secret = "s", .tenant = "a/../b"
    };
    kvp_identity *identity = NULL;

    ck_assert_int_eq(kvp_identity_new(&settings, &identity, NULL), KVP_ERR_CONFIG);
}
END_TEST

/* ---- environment and default ---- */

static void set_environment(void)
{
    setenv("AZURE_TENANT_ID", "env-tenant", 1);
    setenv("AZURE_CLIENT_ID", "env-app", 1);
    setenv("AZURE_CLIENT_SECRET", "env-secret", 1);
}

static const char *const by_environment[] = { "environment", "default", NULL };

START_TEST(the_environment_is_enough)
{
    kvp_credential_settings settings = { .kind = by_environment[_i] };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    start(&token_reply);
    set_environment();
    setenv("AZURE_AUTHORITY_HOST", fake_server_url(server), 1);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_OK);
    ck_assert_str_eq(fake_server_request(server, 0)->target, "/env-tenant/oauth2/v2.0/token");
    ck_assert_ptr_nonnull(strstr(fake_server_request(server, 0)->body,
                                 "client_id=env-app&client_secret=env-secret&"));
    kvp_buf_clear(&header);
}
END_TEST

START_TEST(an_incomplete_environment_is_told)
{
    static const char *const needed[] = { "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
                                          "AZURE_CLIENT_SECRET" };
    kvp_credential_settings settings = { .kind = "environment" };
    kvp_identity *identity = NULL;
    kvp_error error;

    set_environment();
    setenv(needed[_i], "", 1);
    ck_assert_int_eq(kvp_identity_new(&settings, &identity, &error), KVP_ERR_CONFIG);
    ck_assert_msg(strstr(error.message, needed[_i]), "%s", error.message);
}
END_TEST

START_TEST(default_says_what_it_tried)
{
    kvp_credential_settings settings = { .kind = "default" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);
    kvp_error error;

    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_AUTH);
    ck_assert_msg(strstr(error.message, "environment: AZURE_TENANT_ID"), "%s", error.message);
    set_environment();
    setenv("AZURE_TOKEN_CREDENTIALS", "dev", 1);
    ck_assert_int_eq(ask(settings, &header, &error), KVP_ERR_AUTH);
    ck_assert_msg(strstr(error.message, "AZURE_TOKEN_CREDENTIALS"), "%s", error.message);
}
END_TEST

static const char *const selections[] = { "prod", "EnvironmentCredential" };

START_TEST(default_can_be_narrowed)
{
    kvp_credential_settings settings = { .kind = "default" };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    start(&token_reply);
    set_environment();
    setenv("AZURE_TOKEN_CREDENTIALS", selections[_i], 1);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_OK);
    kvp_buf_clear(&header);
}
END_TEST

/* ---- token-file ---- */

START_TEST(a_token_is_read_from_a_file)
{
    char path[64];
    kvp_credential_settings settings = { .kind = "token-file", .token_file = path };
    kvp_buf header = KVP_BUF_INIT_SECRET(0);

    write_file(path, "eyJ.a.b\n", 0600);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&header), "Bearer eyJ.a.b");
    kvp_buf_clear(&header);
    unlink(path);
    write_file(path, "two words\n", 0600);
    ck_assert_int_eq(ask(settings, &header, NULL), KVP_ERR_PARSE);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credential");
    TCase *tcase = tcase_create("credential");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 20);
    tcase_add_loop_test(tcase, every_row_is_whole, 0, kinds());
    tcase_add_loop_test(tcase, every_row_says_what_it_misses, 0, kinds());
    tcase_add_test(tcase, an_unknown_kind_is_told_what_there_is);
    tcase_add_test(tcase, a_client_secret_is_sent_as_a_form);
    tcase_add_test(tcase, settings_stand_before_the_challenge_and_the_environment);
    tcase_add_test(tcase, a_secret_may_stand_in_a_file_of_ones_own);
    tcase_add_loop_test(tcase, a_file_that_will_not_do_is_named, 0, (int)KVP_ARRAY_LEN(files));
    tcase_add_test(tcase, a_refusal_carries_the_authoritys_words);
    tcase_add_loop_test(tcase, an_answer_without_a_token_is_no_token, 0,
                        (int)KVP_ARRAY_LEN(odd_answers));
    tcase_add_test(tcase, an_authority_that_is_not_there_is_a_network_error);
    tcase_add_loop_test(tcase, an_authority_must_be_https, 0, (int)KVP_ARRAY_LEN(bad_authorities));
    tcase_add_test(tcase, a_tenant_is_one_path_segment);
    tcase_add_loop_test(tcase, the_environment_is_enough, 0, (int)KVP_ARRAY_LEN(by_environment));
    tcase_add_loop_test(tcase, an_incomplete_environment_is_told, 0, 3);
    tcase_add_test(tcase, default_says_what_it_tried);
    tcase_add_loop_test(tcase, default_can_be_narrowed, 0, (int)KVP_ARRAY_LEN(selections));
    tcase_add_test(tcase, a_token_is_read_from_a_file);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
