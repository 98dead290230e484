/* SPDX-License-Identifier: MIT */
/*
 * What every call does last: the diagnostics line, the audit record; and C_Initialize when memory
 * runs out. The whole module is linked in, the configuration names a vault that nobody asks.
 */
#include "base/alloc.h"
#include "cryptoki/enter.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/kvp-unit.XXXXXX";
static char conf[64], log_file[64], audit_file[64];
static char text[8192];

static const char *content(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[len] = '\0';
    if (file)
        fclose(file);
    return text;
}

static size_t lines(const char *path)
{
    size_t count = 0;

    for (const char *c = content(path); *c; c++)
        count += *c == '\n';
    return count;
}

static void configure(const char *level)
{
    FILE *file = fopen(conf, "w");

    ck_assert(file != NULL);
    fprintf(file, "[kvpkcs11]\naudit = file:%s\nlog = file:%s\nlog_level = %s\n", audit_file,
            log_file, level);
    fputs("[vault:prod]\nurl = https://127.0.0.1:1\ncredential = client-secret\ntenant = t\n"
          "client_id = i\nclient_secret = s\n", file);
    fclose(file);
    ck_assert_int_eq(chmod(conf, 0600), 0);
    setenv("KVPKCS11_CONF", conf, 1);
}

static void setup(void)
{
    remove(log_file);
    remove(audit_file);
    configure("warning");
    ck_assert(C_Initialize(NULL) == CKR_OK);
}

static void teardown(void)
{
    C_Finalize(NULL);
}

static void begin(kvp_call *call)
{
    ck_assert(kvp_enter(call, "C_Sign") == CKR_OK);
    call->slot = kvp_module_slot(call->module, 0);
}

static void refuse(kvp_call *call)
{
    call->error.status = KVP_ERR_HTTP;
    call->error.http_status = 403;
    snprintf(call->error.code, sizeof(call->error.code), "Forbidden");
    snprintf(call->error.inner_code, sizeof(call->error.inner_code), "KeyDisabled");
    snprintf(call->error.message, sizeof(call->error.message), "Operation sign is not allowed.");
    snprintf(call->error.request_id, sizeof(call->error.request_id), "0b5b37d2");
}

START_TEST(a_failure_is_one_line_with_all_that_is_known)
{
    static const char *const parts[] = {
        "C_Sign", "CKR_KEY_FUNCTION_NOT_PERMITTED", "prod", "CKM_ECDSA_SHA256",
        "https://v/keys/k/0123", "HTTP 403", "Forbidden", "KeyDisabled",
        "Operation sign is not allowed.", "0b5b37d2", "Enable this version of the key",
    };
    kvp_call call;

    begin(&call);
    call.has_mechanism = true;
    call.mechanism = CKM_ECDSA_SHA256;
    snprintf(call.object_id, sizeof(call.object_id), "https://v/keys/k/0123");
    refuse(&call);
    kvp_leave(&call, kvp_call_fail(&call, KVP_CALL_KEY));

    ck_assert_uint_eq(lines(log_file), 1);
    for (size_t i = 0; i < KVP_ARRAY_LEN(parts); i++)
        ck_assert_msg(strstr(content(log_file), parts[i]) != NULL, "no \"%s\" in %s", parts[i],
                      content(log_file));
}
END_TEST

START_TEST(success_and_mistakes_are_silent)
{
    kvp_call call;

    begin(&call);
    kvp_leave(&call, CKR_OK);
    begin(&call);
    kvp_leave(&call, CKR_ARGUMENTS_BAD);
    begin(&call);
    kvp_error_set(&call.error, KVP_ERR_MISMATCH, "wrong");
    kvp_leave(&call, kvp_call_fail(&call, KVP_CALL_KEY));

    ck_assert_uint_eq(lines(log_file), 0);
    ck_assert_uint_eq(lines(audit_file), 0);
}
END_TEST

START_TEST(what_a_server_says_cannot_forge_a_line)
{
    kvp_call call;

    begin(&call);
    refuse(&call);
    snprintf(call.error.message, sizeof(call.error.message), "one\r\nC_Sign: CKR_OK\x1b[2J");
    kvp_leave(&call, kvp_call_fail(&call, KVP_CALL_KEY));

    ck_assert_uint_eq(lines(log_file), 1);
    ck_assert_ptr_null(strchr(content(log_file), '\r'));
    ck_assert_ptr_null(strchr(content(log_file), '\x1b'));
}
END_TEST

START_TEST(long_texts_are_cut)
{
    kvp_call call;

    begin(&call);
    refuse(&call);
    memset(call.error.message, 'm', sizeof(call.error.message) - 1);
    memset(call.error.code, 'c', sizeof(call.error.code) - 1);
    memset(call.error.inner_code, 'i', sizeof(call.error.inner_code) - 1);
    memset(call.error.request_id, 'r', sizeof(call.error.request_id) - 1);
    memset(call.object_id, 'o', sizeof(call.object_id) - 1);
    kvp_leave(&call, kvp_call_fail(&call, KVP_CALL_KEY));

    ck_assert_uint_eq(lines(log_file), 1);
}
END_TEST

START_TEST(a_call_with_an_operation_leaves_a_record)
{
    static const char *const parts[] = { "\"token\":\"prod\"", "\"operation\":\"Sign\"",
                                         "\"function\":\"C_Sign\"", "\"mechanism\":\"CKM_ECDSA\"",
                                         "\"object\":\"https://v/keys/k/0123\"",
                                         "\"result\":\"CKR_OK\"", "\"where\":\"vault\"",
                                         "\"http_status\":200", "\"attempts\":2" };
    kvp_call call;

    begin(&call);
    call.operation = "Sign";
    call.has_mechanism = true;
    call.mechanism = CKM_ECDSA;
    call.remote = true;
    call.trace.http_status = 200;
    call.trace.attempts = 2;
    snprintf(call.trace.object_id, sizeof(call.trace.object_id), "https://v/keys/k/0123");
    kvp_leave(&call, CKR_OK);

    ck_assert_uint_eq(lines(audit_file), 1);
    for (size_t i = 0; i < KVP_ARRAY_LEN(parts); i++)
        ck_assert_msg(strstr(content(audit_file), parts[i]) != NULL, "no %s in %s", parts[i],
                      content(audit_file));
}
END_TEST

/* A host's OpenSSL that is configured to use this module, entered from our own network call. */
START_TEST(a_call_inside_a_call_returns_at_once)
{
    CK_SESSION_HANDLE session;
    CK_INFO info;
    kvp_call call;

    begin(&call);
    ck_assert(C_GetInfo(&info) == CKR_FUNCTION_FAILED);
    ck_assert(C_Initialize(NULL) == CKR_FUNCTION_FAILED);
    ck_assert(C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_FUNCTION_FAILED);
    kvp_leave(&call, CKR_OK);

    ck_assert(C_GetInfo(&info) == CKR_OK);
}
END_TEST

static CK_RV work(void)
{
    CK_SESSION_HANDLE session;
    CK_TOKEN_INFO info;
    CK_RV rv = C_GetTokenInfo(0, &info);

    if (rv == CKR_OK)
        rv = C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);
    if (rv == CKR_OK)
        rv = C_CloseSession(session);
    return rv;
}

START_TEST(running_out_of_memory_leaves_nothing_behind)
{
    bool whole = false;
    CK_ULONG count;

    teardown();
    for (long allocations = 0; !whole && allocations < 10000; allocations++) {
        CK_RV rv;

        kvp_alloc_fail_after(allocations);
        rv = C_Initialize(NULL);
        if (rv == CKR_OK) {
            /* A token that could not be made for want of memory is no reason to hide it. */
            rv = C_GetSlotList(CK_TRUE, NULL, &count) == CKR_OK && count == 1 ? work()
                                                                             : CKR_GENERAL_ERROR;
            whole = rv == CKR_OK;
            kvp_alloc_fail_after(-1);
            ck_assert(C_Finalize(NULL) == CKR_OK);
        }
        kvp_alloc_fail_after(-1);
        ck_assert_msg(rv == CKR_OK || rv == CKR_HOST_MEMORY, "after %ld allocations: %s",
                      allocations, kvp_ckr_name(rv));
        ck_assert(whole || C_GetSlotList(CK_TRUE, NULL, &count) == CKR_CRYPTOKI_NOT_INITIALIZED);
    }
    ck_assert(whole);
    ck_assert(C_Initialize(NULL) == CKR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("enter");
    TCase *tcase = tcase_create("calls");
    SRunner *runner;
    int failed;

    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    snprintf(conf, sizeof(conf), "%s/kvpkcs11.conf", dir);
    snprintf(log_file, sizeof(log_file), "%s/log", dir);
    snprintf(audit_file, sizeof(audit_file), "%s/audit", dir);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_failure_is_one_line_with_all_that_is_known);
    tcase_add_test(tcase, success_and_mistakes_are_silent);
    tcase_add_test(tcase, what_a_server_says_cannot_forge_a_line);
    tcase_add_test(tcase, long_texts_are_cut);
    tcase_add_test(tcase, a_call_with_an_operation_leaves_a_record);
    tcase_add_test(tcase, a_call_inside_a_call_returns_at_once);
    tcase_add_test(tcase, running_out_of_memory_leaves_nothing_behind);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove(conf);
    remove(log_file);
    remove(audit_file);
    rmdir(dir);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
