/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong between here and the vault: the documented CK_RV, soon, and one clear line in the
 * diagnostics log with what the user can do about it.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char log_path[160], conf_path[160], audit_path[160];

static void setup(void)
{
    snprintf(log_path, sizeof(log_path), "%s/failures.log", keyvaultd_scratch());
    snprintf(conf_path, sizeof(conf_path), "%s/failures.conf", keyvaultd_scratch());
    snprintf(audit_path, sizeof(audit_path), "%s/failures.jsonl", keyvaultd_scratch());
    remove(log_path);
    remove(conf_path);
    remove(audit_path);
}

/* The settings of the real vault, except for those that @change names (`client_secret = wrong`). */
static void configure(const char *url, const char *ca_file, const char *secret, const char *extra)
{
    char id[128], tenant[128], real_secret[256], authority[256];
    FILE *file = fopen(conf_path, "w");

    ck_assert(file != NULL);
    ck_assert_int_eq(chmod(conf_path, 0600), 0);
    keyvaultd_setting("client_id", id, sizeof(id));
    keyvaultd_setting("tenant", tenant, sizeof(tenant));
    keyvaultd_setting("client_secret", real_secret, sizeof(real_secret));
    keyvaultd_setting("authority", authority, sizeof(authority));
    fprintf(file,
            "[kvpkcs11]\naudit = file:%s\nlog = file:%s\n"
            "[vault:test]\nurl = %s\ncredential = client-secret\nclient_id = %s\nclient_secret = %s\ntimeout = 2\n",
            audit_path, log_path, url, id, secret ? secret : real_secret);
    if (tenant[0])
        fprintf(file, "tenant = %s\n", tenant);
    if (authority[0])
        fprintf(file, "authority = %s\n", authority);
    if (ca_file)
        fprintf(file, "ca_file = %s\n", ca_file);
    fputs(extra ? extra : "", file);
    fclose(file);
    setenv("KVPKCS11_CONF", conf_path, 1);
}

static const char *real_ca(void)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/ca.pem", keyvaultd_dir());
    return path;
}

/* The file has exactly one line, which holds each of the texts (ended by NULL). */
static void assert_one_line_in(const char *path, const char *const *texts)
{
    char line[4096] = "", second[256] = "";
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "there is no %s", path);
    ck_assert(fgets(line, sizeof(line), file) != NULL);
    ck_assert_msg(!fgets(second, sizeof(second), file), "a second line: %s", second);
    fclose(file);
    for (; *texts; texts++)
        ck_assert_msg(strstr(line, *texts) != NULL, "\"%s\" is not in: %s", *texts, line);
}

static void assert_one_line(const char *const *texts)
{
    assert_one_line_in(log_path, texts);
}

/* The first failure of a search for all private keys. */
static CK_RV search(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS wanted = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &wanted, sizeof(wanted) };
    CK_OBJECT_HANDLE object;
    CK_ULONG count;
    CK_RV rv = p11->C_FindObjectsInit(session, &template, 1);

    if (rv != CKR_OK)
        return rv;
    rv = p11->C_FindObjects(session, &object, 1, &count);
    p11->C_FindObjectsFinal(session);
    return rv;
}

/* Everything but the search works, and the search says why not within @seconds. */
static void assert_search_fails(CK_RV expected, double seconds)
{
    struct timespec start, end;

    module_setup();
    ck_assert_int_ne(access(log_path, F_OK), 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_rv(expected, search(module_session));
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_msg((double)(end.tv_sec - start.tv_sec) < seconds + 5, "it took more than %g s",
                  seconds);
    module_teardown();
}

/* ---- the configuration ---- */

START_TEST(an_unknown_setting_is_one_line_and_no_failure)
{
    static const char *const texts[] = { "failures.conf:", "shoe_size", NULL };
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;

    configure(keyvaultd_url(), real_ca(), NULL,
              "shoe_size = 44\n[vault:good]\nurl = https://one.vault.azure.net\n");
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));

    ck_assert_uint_ge(count, 1);
    assert_one_line(texts);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(a_secret_that_others_can_read_is_refused)
{
    static const char *const texts[] = { "failures.conf", NULL };
    CK_ULONG count = 4;

    configure(keyvaultd_url(), real_ca(), NULL, NULL);
    ck_assert_int_eq(chmod(conf_path, 0644), 0);
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, NULL, &count));

    ck_assert_uint_eq(count, 0);
    assert_one_line(texts);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

START_TEST(a_missing_file_is_no_failure)
{
    CK_ULONG count = 4;

    setenv("KVPKCS11_CONF", "/nonexistent/kvpkcs11.conf", 1);
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, NULL, &count));

    ck_assert_uint_eq(count, 0);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* ---- the vault ---- */

START_TEST(a_wrong_secret)
{
    static const char *const texts[] = { "C_FindObjects", "CKR_FUNCTION_REJECTED", "token test",
                                         "invalid_client", "client_id", NULL };

    configure(keyvaultd_url(), real_ca(), "wrong", NULL);
    assert_search_fails(CKR_FUNCTION_REJECTED, 1);
    assert_one_line(texts);
}
END_TEST

START_TEST(a_refusal_is_recorded)
{
    static const char *const texts[] = { "\"operation\":\"FindObjects\"",
                                         "\"function\":\"C_FindObjects",
                                         "\"result\":\"CKR_FUNCTION_REJECTED\"",
                                         "\"token\":\"test\"", "\"where\":\"vault\"", NULL };

    configure(keyvaultd_url(), real_ca(), "wrong", NULL);
    assert_search_fails(CKR_FUNCTION_REJECTED, 1);
    assert_one_line_in(audit_path, texts);
}
END_TEST

START_TEST(a_vault_out_of_reach)
{
    static const char *const texts[] = { "C_FindObjects", "CKR_DEVICE_ERROR", "token test", "url",
                                         NULL };

    configure("https://127.0.0.1:1", NULL, NULL, NULL);
    assert_search_fails(CKR_DEVICE_ERROR, 2);
    assert_one_line(texts);
}
END_TEST

START_TEST(an_untrusted_certificate)
{
    static const char *const texts[] = { "C_FindObjects", "CKR_DEVICE_ERROR", "certificate",
                                         "ca_file", NULL };

    configure(keyvaultd_url(), NULL, NULL, NULL);
    assert_search_fails(CKR_DEVICE_ERROR, 1);
    assert_one_line(texts);
}
END_TEST

/* A server that answers everything with the same bytes. */
static const char *answer;
static int listener;

static void *serve(void *unused)
{
    for (;;) {
        char request[8192];
        int connection = accept(listener, NULL, NULL);

        if (connection < 0)
            return unused;
        if (read(connection, request, sizeof(request)) > 0)
            (void)!write(connection, answer, strlen(answer));
        close(connection);
    }
}

static void start_server(char *url, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&thread, NULL, serve, NULL);
    pthread_detach(thread);
}

static const struct {
    const char *what, *answer;
} malformed[] = {
    { "not JSON", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
                  "Connection: close\r\n\r\n{\"value\"" },
    { "a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n"
                "Connection: close\r\n\r\n<html></html>" },
    { "another document", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Content-Length: 12\r\nConnection: close\r\n\r\n{\"value\": 3}" },
    { "not HTTP", "220 mail.example ESMTP ready\r\n" },
    { "no challenge", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n" },
};

START_TEST(a_malformed_answer)
{
    static const char *const texts[] = { "C_FindObjects", "CKR_", "token test", NULL };
    char url[64];
    CK_RV rv;

    answer = malformed[_i].answer;
    start_server(url, sizeof(url));
    configure(url, NULL, NULL, NULL);
    module_setup();
    rv = search(module_session);

    ck_assert_msg(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_REJECTED, "%s: %s",
                  malformed[_i].what, kvp_ckr_name(rv));
    assert_one_line(texts);
    module_teardown();
}
END_TEST

/* ---- the end, while a request is on its way ---- */

static atomic_bool searching;
static _Atomic CK_RV found;

static void *search_in_thread(void *unused)
{
    searching = true;
    found = search(module_session);
    searching = false;
    return unused;
}

START_TEST(finalize_does_not_wait_for_a_request)
{
    char url[64];
    pthread_t thread;
    CK_INFO info;

    answer = ""; /* the connection is closed again and again: retried until the timeout */
    start_server(url, sizeof(url));
    configure(url, NULL, NULL, NULL);
    module_setup();
    pthread_create(&thread, NULL, search_in_thread, NULL);
    for (int i = 0; i < 500 && !searching; i++)
        usleep(10000);
    usleep(200000);
    ck_assert(searching);

    assert_rv(CKR_OK, p11->C_Finalize(NULL));
    ck_assert(searching);
    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetInfo(&info));
    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetInfo(&info));
    pthread_join(thread, NULL);
    assert_rv(CKR_DEVICE_ERROR, found);
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}
END_TEST

/* ---- what is no failure of the vault's ---- */

START_TEST(an_applications_mistakes_are_not_logged)
{
    CK_SESSION_INFO info;

    configure(keyvaultd_url(), real_ca(), NULL, NULL);
    module_setup();
    assert_rv(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(CK_INVALID_HANDLE, &info));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GetSessionInfo(module_session, NULL));
    assert_rv(CKR_SLOT_ID_INVALID, p11->C_CloseAllSessions(99));
    module_teardown();

    ck_assert_int_ne(access(log_path, F_OK), 0);
}
END_TEST

START_TEST(trace_has_a_line_for_each_call)
{
    FILE *file, *out;
    char line[1024];
    int calls = 0;

    configure(keyvaultd_url(), real_ca(), NULL, NULL);
    /* The level belongs to the section before the vault's. */
    file = fopen(conf_path, "r");
    snprintf(line, sizeof(line), "%s.trace", conf_path);
    out = fopen(line, "w");
    ck_assert(file && out);
    ck_assert_int_eq(chmod(line, 0600), 0);
    setenv("KVPKCS11_CONF", line, 1);
    while (fgets(line, sizeof(line), file)) {
        fputs(line, out);
        if (strncmp(line, "[kvpkcs11]", 10) == 0)
            fputs("log_level = trace\n", out);
    }
    fclose(file);
    fclose(out);
    module_setup();
    module_teardown();

    file = fopen(log_path, "r");
    ck_assert(file != NULL);
    while (fgets(line, sizeof(line), file))
        calls += strstr(line, " = CKR_OK") != NULL;
    fclose(file);
    ck_assert_int_eq(calls, 4); /* C_Initialize, C_GetSlotList, C_OpenSession, C_Finalize */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failures");
    TCase *configuration = tcase_create("configuration"), *vault = tcase_create("vault"),
          *quiet = tcase_create("quiet");

    keyvaultd_start("vault");
    module_load();
    tcase_add_checked_fixture(configuration, setup, NULL);
    tcase_add_test(configuration, an_unknown_setting_is_one_line_and_no_failure);
    tcase_add_test(configuration, a_secret_that_others_can_read_is_refused);
    tcase_add_test(configuration, a_missing_file_is_no_failure);
    tcase_add_checked_fixture(vault, setup, NULL);
    tcase_add_test(vault, a_wrong_secret);
    tcase_add_test(vault, a_refusal_is_recorded);
    tcase_add_test(vault, a_vault_out_of_reach);
    tcase_add_test(vault, an_untrusted_certificate);
    tcase_add_loop_test(vault, a_malformed_answer, 0, (int)KVP_ARRAY_LEN(malformed));
    tcase_add_test(vault, finalize_does_not_wait_for_a_request);
    tcase_add_checked_fixture(quiet, setup, NULL);
    tcase_add_test(quiet, an_applications_mistakes_are_not_logged);
    tcase_add_test(quiet, trace_has_a_line_for_each_call);
    suite_add_tcase(suite, configuration);
    suite_add_tcase(suite, vault);
    suite_add_tcase(suite, quiet);
    return module_run_suite(suite);
}
