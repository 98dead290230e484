/* SPDX-License-Identifier: MIT */
/*
 * Doctor's steps for a vault, against a server that behaves as a vault does, or does not. What is
 * asserted is the line that the user reads.
 */
#include "tool/doctor.h"
#include "tests/support/fake_server.h"
#include "tool_test.h"

#include "base/alloc.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TENANT "11111111-2222-3333-4444-555555555555"
/* {"appid":"app-1","oid":"obj-1","tid":"ten-1"} between two parts that are nothing. */
#define TOKEN "e30.eyJhcHBpZCI6ImFwcC0xIiwib2lkIjoib2JqLTEiLCJ0aWQiOiJ0ZW4tMSJ9.c2ln"

#define KEY_BODY                                                                                   \
    "{\"key\":{\"kid\":\"https://h/keys/k1/"                                                       \
    "01\",\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":[\"sign\"],"                                \
    "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\",\"y\":\"T-NC4v4af5uO5-tKfA-"            \
    "eFivOM1drMV7Oy7ZAaDe_UfU\"},"                                                                 \
    "\"attributes\":{\"enabled\":true}}"
#define PAGE_BODY                                                                                  \
    "{\"value\":[{\"kid\":\"https://h/keys/"                                                       \
    "k1\",\"attributes\":{\"enabled\":true}}],\"nextLink\":null}"
#define FORBIDDEN(inner)                                                                           \
    "{\"error\":{\"code\":\"Forbidden\",\"message\":\"Caller is not "                              \
    "authorized\",\"innererror\":{\"code\":\"" inner "\"}}}"

/* ---- a vault that does what a test wants ---- */

typedef struct behaviour {
    int door_status; /* without a token; 0: 401 with a challenge */
    const char *door_body, *challenge;
    int token_status, list_status, get_status; /* 0: 200 */
    const char *token_body, *list_body, *get_body;
} behaviour;

static behaviour act;
static char challenge_line[512];

static void answer(fake_reply *reply, int status, const char *body, const char *fallback)
{
    reply->status = status;
    reply->headers = "Content-Type: application/json\r\nx-ms-request-id: req-1\r\n";
    reply->body = body ? body : fallback;
}

static void handle(void *user, const fake_request *request, fake_reply *reply)
{
    char header[512] = "";
    (void)user;

    if (strncmp(request->target, "/" TENANT "/oauth2", sizeof("/" TENANT "/oauth2") - 1) == 0) {
        answer(reply, act.token_status, act.token_body,
               "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"" TOKEN "\"}");
    } else if (!fake_request_header(request, "Authorization", header, sizeof(header))) {
        answer(reply, act.door_status ? act.door_status : 401, act.door_body,
               "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"AKV10000: Request is missing a "
               "token.\"}}");
        if (!act.door_status)
            reply->headers = challenge_line;
    } else if (strcmp(header, "Bearer " TOKEN) != 0) {
        answer(reply, 401, NULL, "{}");
    } else if (strncmp(request->target, "/keys?", 6) == 0) {
        answer(reply, act.list_status, act.list_body, PAGE_BODY);
    } else {
        answer(reply, act.get_status, act.get_body, KEY_BODY);
    }
}

static fake_server *server;
static kvp_config *config;

static void start(const fake_options *how)
{
    fake_options options = how ? *how : (fake_options){ 0 };

    memset(&act, 0, sizeof(act));
    options.handle = handle;
    server = fake_server_start(&options);
    ck_assert_ptr_nonnull(server);
    snprintf(challenge_line, sizeof(challenge_line),
             "WWW-Authenticate: Bearer authorization=\"%s/" TENANT "\", resource=\"%s\"\r\n",
             fake_server_url(server), fake_server_url(server));
}

static void setup(void)
{
    tool_test_setup();
    start(NULL);
}

static void teardown(void)
{
    kvp_config_free(config);
    config = NULL;
    fake_server_stop(server);
    tool_test_teardown();
}

/* ---- running steps ---- */

static void load(const char *text)
{
    kvp_config_problems problems = { NULL, 0 };
    kvp_error error;

    tool_test_write("c.conf", text);
    kvp_config_free(config);
    config = NULL;
    ck_assert_msg(kvp_config_load_file("c.conf", &config, &problems, &error) == KVP_OK, "%s",
                  error.message);
}

static void load_vault(const char *url, const char *more)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "[vault:v]\nurl = %s\ncredential = client-secret\nclient_id = app-1\n"
             "client_secret = s3cret\ntimeout = 5\n%s",
             url, more);
    load(text);
}

static kvp_doctor doctor;

static void begin(bool verbose, bool json)
{
    memset(&doctor, 0, sizeof(doctor));
    doctor.out = tmpfile();
    doctor.verbose = verbose;
    doctor.json = json;
    ck_assert_ptr_nonnull(doctor.out);
    kvp_doctor_start(&doctor);
}

/* What was said is in tool_out then. Returns the exit status. */
static int end(void)
{
    int status = kvp_doctor_finish(&doctor);

    tool_take_output(doctor.out, tool_out, sizeof(tool_out));
    return status;
}

static int check_vault(bool verbose)
{
    begin(verbose, false);
    kvp_doctor_vault(&doctor, &config->vaults[0]);
    return end();
}

/* ---- a vault ---- */

START_TEST(a_good_vault_has_an_ok_for_each_step)
{
    load_vault(fake_server_url(server), "");
    ck_assert_int_eq(check_vault(true), 0);
    ck_has(tool_out, "ok    v: url: http://127.0.0.1:");
    ck_has(tool_out, "ok    v: dns: 127.0.0.1\n");
    ck_has(tool_out, "ok    v: tcp: connected to 127.0.0.1 in ");
    ck_has(tool_out, "warn  v: tls: none");
    ck_has(tool_out, "ok    v: challenge: tenant " TENANT);
    ck_has(tool_out, "ok    v: token: credential = client-secret: good for 59 minutes, for "
                     "application app-1, object obj-1, tenant ten-1\n");
    ck_has(tool_out, "ok    v: list: 1 key\n");
    ck_has(tool_out, "ok    v: get: key k1 can be read\n");
    ck_has(tool_out, "0 failed\n");
}
END_TEST

START_TEST(neither_token_nor_secret_is_shown)
{
    load_vault(fake_server_url(server), "");
    check_vault(true);
    ck_has_not(tool_out, TOKEN);
    ck_has_not(tool_out, "c2ln");
    ck_has_not(tool_out, "s3cret");
}
END_TEST

START_TEST(requests_carry_the_configured_version)
{
    load_vault(fake_server_url(server), "api_version = 7.6\n");
    ck_assert_int_eq(check_vault(false), 0);
    ck_assert_str_eq(fake_server_request(server, 0)->target, "/keys?api-version=7.6");
    ck_assert_str_eq(fake_server_request(server, 2)->target, "/keys?api-version=7.6&maxresults=25");
    ck_assert_str_eq(fake_server_request(server, 3)->target, "/keys/k1?api-version=7.6");
    ck_assert_uint_eq(fake_server_count(server), 4);
}
END_TEST

/* Behaviours that fail: which step, what is said, and that nothing follows it. */
static const struct {
    behaviour act;
    const char *line, *advice, *never;
} bad[] = {
    { { .door_status = 200, .door_body = "{\"value\":[]}" },
      "FAIL  v: challenge: ",
      "did not answer as a vault",
      ": token:" },
    { { .door_status = 404, .door_body = "<html>Not here</html>" },
      "FAIL  v: challenge: <html>Not here</html> (HTTP 404",
      "names a vault",
      ": token:" },
    { { .door_status = 403, .door_body = FORBIDDEN("ForbiddenByFirewall") },
      "FAIL  v: challenge: Caller is not authorized (HTTP 403, Forbidden/ForbiddenByFirewall, "
      "request req-1)",
      "firewall",
      ": token:" },
    { { .door_status = 401, .door_body = "{}" }, "FAIL  v: challenge: ", NULL, ": token:" },
    { { .challenge = "WWW-Authenticate: Bearer authorization=\"https://evil.example/t\", "
                     "resource=\"https://vault.azure.net\"\r\n" },
      "FAIL  v: challenge: ",
      "For safety nothing was sent",
      ": token:" },
    { { .token_status = 401,
        .token_body = "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: "
                      "Invalid client secret provided.\"}" },
      "FAIL  v: token: ",
      "authority refused the credential",
      ": list:" },
    { { .token_body = "{}" }, "FAIL  v: token: ", NULL, ": list:" },
    { { .list_status = 403, .list_body = FORBIDDEN("ForbiddenByRbac") },
      "FAIL  v: list: Caller is not authorized (HTTP 403, Forbidden/ForbiddenByRbac, request "
      "req-1)",
      "Crypto User",
      ": get:" },
    { { .list_status = 403, .list_body = FORBIDDEN("ForbiddenByFirewall") },
      "FAIL  v: list: ",
      "firewall",
      ": get:" },
    { { .list_body = "{\"value\":7}" }, "FAIL  v: list: ", "not what a vault sends", ": get:" },
    { { .get_status = 403, .get_body = FORBIDDEN("ForbiddenByRbac") },
      "FAIL  v: get: Caller is not authorized",
      "role",
      NULL },
    { { .get_body = "{}" }, "FAIL  v: get: ", "not what a vault sends", NULL },
};

START_TEST(a_step_that_fails_is_explained_and_the_last)
{
    load_vault(fake_server_url(server), "");
    act = bad[_i].act;
    if (act.challenge)
        snprintf(challenge_line, sizeof(challenge_line), "%s", act.challenge);
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, bad[_i].line);
    if (bad[_i].advice)
        ck_has(tool_out, bad[_i].advice);
    if (bad[_i].never)
        ck_has_not(tool_out, bad[_i].never);
    ck_has(tool_out, "1 failed\n");
}
END_TEST

START_TEST(what_the_authority_says_is_shown)
{
    load_vault(fake_server_url(server), "");
    act = bad[5].act;
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, "AADSTS7000215: Invalid client secret provided.");
    ck_has(tool_out, "invalid_client");
}
END_TEST

START_TEST(no_token_is_asked_for_after_a_foreign_challenge)
{
    load_vault(fake_server_url(server), "");
    snprintf(challenge_line, sizeof(challenge_line), "%s", bad[4].act.challenge);
    ck_assert_int_eq(check_vault(false), 1);
    ck_assert_uint_eq(fake_server_count(server), 1);
}
END_TEST

START_TEST(another_tenant_than_the_vaults_is_a_warning)
{
    load_vault(fake_server_url(server), "tenant = 99999999-2222-3333-4444-555555555555\n");
    check_vault(false);
    ck_has(tool_out, "warn  v: challenge: the vault belongs to tenant " TENANT);
}
END_TEST

START_TEST(a_vault_without_keys_is_well)
{
    load_vault(fake_server_url(server), "");
    act.list_body = "{\"value\":[],\"nextLink\":null}";
    ck_assert_int_eq(check_vault(false), 0);
    ck_has(tool_out, "ok    v: list: 0 keys\n");
    ck_has(tool_out, "ok    v: get: not tried");
}
END_TEST

START_TEST(globs_that_hide_every_key_are_a_warning)
{
    load_vault(fake_server_url(server), "keys = web-*\n");
    ck_assert_int_eq(check_vault(false), 0);
    ck_has(tool_out, "warn  v: get: none of them fits keys");
}
END_TEST

START_TEST(a_missing_credential_is_explained)
{
    char text[256];

    unsetenv("AZURE_CLIENT_ID");
    unsetenv("AZURE_CLIENT_SECRET");
    unsetenv("AZURE_TENANT_ID");
    snprintf(text, sizeof(text), "[vault:v]\nurl = %s\ncredential = environment\n",
             fake_server_url(server));
    load(text);
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, "FAIL  v: token: ");
    ck_has(tool_out, "-> ");
}
END_TEST

START_TEST(files_that_cannot_be_read_come_before_the_network)
{
    char text[256];

    snprintf(text, sizeof(text),
             "[vault:v]\nurl = %s\ncredential = client-secret\nclient_id = a\n"
             "client_secret_file = nothing.txt\nca_file = c.conf\n",
             fake_server_url(server));
    load(text);
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, "FAIL  v: client_secret_file: ");
    ck_has(tool_out, "nothing.txt: No such file or directory");
    ck_has(tool_out, "FAIL  v: ca_file: ");
    ck_has(tool_out, "holds no certificate");
    ck_has_not(tool_out, ": dns:");
    ck_assert_uint_eq(fake_server_count(server), 0);
}
END_TEST

START_TEST(nobody_listening_is_a_tcp_failure)
{
    char url[64];

    snprintf(url, sizeof(url), "https://127.0.0.1:%u", fake_dead_port());
    load_vault(url, "");
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, "FAIL  v: tcp: ");
    ck_has(tool_out, "firewalls");
    ck_has_not(tool_out, ": tls:");
}
END_TEST

START_TEST(a_name_that_cannot_be_resolved_is_a_dns_failure)
{
    /* A label of more than 63 bytes: no resolver has to be asked to know that there is none. */
    load_vault(
        "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid",
        "");
    ck_assert_int_eq(check_vault(false), 1);
    ck_has(tool_out, "FAIL  v: dns: ");
    ck_has(tool_out, "name resolution");
    ck_has_not(tool_out, ": tcp:");
}
END_TEST

/* Says something that is no TLS to one that connects. */
static void *greet(void *user)
{
    static const char greeting[] = "220 mail.example ESMTP\r\n";
    int peer = accept(*(int *)user, NULL, NULL);

    if (peer >= 0 && send(peer, greeting, sizeof(greeting) - 1, MSG_NOSIGNAL) > 0)
        shutdown(peer, SHUT_WR);
    sleep(1);
    close(peer);
    return NULL;
}

START_TEST(a_server_without_tls_is_told)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    char url[64];

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, greet, &listener), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u", ntohs(address.sin_port));
    load_vault(url, "");
    ck_assert_int_eq(check_vault(false), 1);
    pthread_join(thread, NULL);
    close(listener);
    ck_has(tool_out, "FAIL  v: tls: ");
    ck_has(tool_out, "does not speak TLS");
}
END_TEST

/* ---- TLS ---- */

static const struct {
    fake_options options;
    bool with_ca;
    const char *line, *more;
} tls[] = {
    /* Of a day only, so it is a warning. */
    { { .tls_name = "localhost" },
      true,
      "warn  v: tls: the certificate is trusted, and expires in ",
      "issued by" },
    { { .tls_name = "localhost" }, false, "FAIL  v: tls: ", "ca_file" },
    { { .tls_name = "localhost", .tls_wrong_host = true }, true, "FAIL  v: tls: ", "for " },
    { { .tls_name = "localhost", .tls_expired = true }, true, "FAIL  v: tls: ", "expired" },
};

START_TEST(certificates_are_judged_and_described)
{
    char more[512] = "";

    fake_server_stop(server);
    start(&tls[_i].options);
    if (tls[_i].with_ca)
        snprintf(more, sizeof(more), "ca_file = %s\n", fake_server_ca_file(server));
    load_vault(fake_server_url(server), more);
    check_vault(true);
    ck_has(tool_out, tls[_i].line);
    ck_has(tool_out, tls[_i].more);
    ck_has(tool_out, "certificate of ");
    if (tls[_i].line[0] == 'F') {
        ck_has_not(tool_out, ": token:");
        ck_assert_uint_eq(fake_server_count(server), 0);
    }
}
END_TEST

/* ---- the whole command ---- */

START_TEST(json_has_every_check_and_the_sums)
{
    json_t *root, *check;
    json_error_t where;

    load_vault(fake_server_url(server), "");
    ck_assert_int_eq(tool_run("doctor", "--json", "-c", "c.conf", "-m", "/nonexistent.so", NULL),
                     1);
    root = json_loads(tool_out, 0, &where);
    ck_assert_msg(root != NULL, "%s: %s", where.text, tool_out);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "fail")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "warn")), 1);
    check = json_array_get(json_object_get(root, "checks"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(check, "check")), "configuration");
    ck_assert_str_eq(json_string_value(json_object_get(check, "result")), "ok");
    ck_assert(json_is_null(json_object_get(check, "vault")));
    check = json_array_get(json_object_get(root, "checks"), 3);
    ck_assert_str_eq(json_string_value(json_object_get(check, "vault")), "v");
    ck_assert_str_eq(json_string_value(json_object_get(check, "check")), "url");
    check = json_array_get(json_object_get(root, "checks"),
                           json_array_size(json_object_get(root, "checks")) - 1);
    ck_assert_str_eq(json_string_value(json_object_get(check, "result")), "fail");
    ck_assert_str_eq(json_string_value(json_object_get(check, "check")), "module");
    ck_has(json_string_value(json_object_get(check, "advice")), "--module");
    json_decref(root);
}
END_TEST

START_TEST(only_the_named_vaults_are_asked)
{
    char text[512];

    snprintf(text, sizeof(text),
             "[vault:a]\nurl = https://127.0.0.1:%u\n[vault:b]\nurl = https://127.0.0.1:%u\n",
             fake_dead_port(), fake_dead_port());
    load(text);
    ck_assert_int_eq(tool_run("doctor", "-c", "c.conf", "b", "c", NULL), 1);
    ck_has(tool_out, "  b: url:");
    ck_has_not(tool_out, "  a: url:");
    ck_has(tool_out, "FAIL  vault: no usable section [vault:c]");
}
END_TEST

static const struct {
    const char *token, *who;
} tokens[] = {
    { TOKEN, "application app-1, object obj-1, tenant ten-1" },
    { "opaque", "" },
    { "", "" },
    { "a.b", "" },
    { "a.!!.c", "" },
    { "..", "" },
    { "e30.e30.", "" },
    { "x.W10.y", "" },
    { "x.eyJhcHBpZCI6N30.y", "" },
};

START_TEST(claims_of_any_token_are_read_without_harm)
{
    kvp_buf token = KVP_BUF_INIT(1024), who = KVP_BUF_INIT(1024);

    ck_assert_int_eq(kvp_buf_set(&token, tokens[_i].token, strlen(tokens[_i].token)), KVP_OK);
    ck_assert_int_eq(kvp_doctor_claims(&token, &who), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&who), tokens[_i].who);
    kvp_buf_clear(&token);
    kvp_buf_clear(&who);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor");
    TCase *vault = tcase_create("vault"), *all = tcase_create("command");

    tcase_set_timeout(vault, 30);
    tcase_add_checked_fixture(vault, setup, teardown);
    tcase_add_test(vault, a_good_vault_has_an_ok_for_each_step);
    tcase_add_test(vault, neither_token_nor_secret_is_shown);
    tcase_add_test(vault, requests_carry_the_configured_version);
    tcase_add_loop_test(vault, a_step_that_fails_is_explained_and_the_last, 0,
                        (int)KVP_ARRAY_LEN(bad));
    tcase_add_test(vault, what_the_authority_says_is_shown);
    tcase_add_test(vault, no_token_is_asked_for_after_a_foreign_challenge);
    tcase_add_test(vault, another_tenant_than_the_vaults_is_a_warning);
    tcase_add_test(vault, a_vault_without_keys_is_well);
    tcase_add_test(vault, globs_that_hide_every_key_are_a_warning);
    tcase_add_test(vault, a_missing_credential_is_explained);
    tcase_add_test(vault, files_that_cannot_be_read_come_before_the_network);
    tcase_add_test(vault, nobody_listening_is_a_tcp_failure);
    tcase_add_test(vault, a_name_that_cannot_be_resolved_is_a_dns_failure);
    tcase_add_test(vault, a_server_without_tls_is_told);
    tcase_add_loop_test(vault, certificates_are_judged_and_described, 0, (int)KVP_ARRAY_LEN(tls));
    suite_add_tcase(suite, vault);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, json_has_every_check_and_the_sums);
    tcase_add_test(all, only_the_named_vaults_are_asked);
    tcase_add_loop_test(all, claims_of_any_token_are_read_without_harm, 0,
                        (int)KVP_ARRAY_LEN(tokens));
    suite_add_tcase(suite, all);
    return tool_run_suite(suite);
}
