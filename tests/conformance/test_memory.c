/* SPDX-License-Identifier: MIT */
/*
 * CKR_HOST_MEMORY: every function of the table is called while memory runs out, at its first
 * allocation, its second, and so on until it asks for no more. Allocations of the libraries below
 * the module count as well: malloc and its like are this program's own, and the dynamic linker
 * binds all others to them.
 */
#include "functions.h"
#include "support/keyvaultd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR 0
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 1
#endif

static world *const w = &main_world;

/* ---- memory that runs out ---- */

/** Of the calling thread: the daemon's and libcurl's own threads have all the memory they want. */
static _Thread_local struct {
    bool armed;
    bool for_good; /**< all allocations after that one fail too */
    long fail_at;  /**< the first is 1 */
    long seen;
} fault;

static void arm(long fail_at, bool for_good)
{
    fault.for_good = for_good;
    fault.fail_at = fail_at;
    fault.seen = 0;
    fault.armed = true;
}

/* Whether an allocation failed. */
static bool disarm(void)
{
    fault.armed = false;
    return fault.seen >= fault.fail_at;
}

#if OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool runs_out(void)
{
    if (!fault.armed)
        return false;
    fault.seen++;
    return fault.for_good ? fault.seen >= fault.fail_at : fault.seen == fault.fail_at;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return runs_out() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
    return runs_out() ? NULL : __libc_realloc(old, size);
}
#endif

/* ---- what may be answered ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/** Those that ask for no memory, or can do without. */
static const char *const frugal[] = {
    "Initialize",
    "Finalize",
    "GetInfo",
    "GetFunctionList",
    "GetSlotList",
    "GetSlotInfo",
    "GetTokenInfo",
    "GetMechanismList",
    "GetMechanismInfo",
    "InitToken",
    "InitPIN",
    "SetPIN",
    "CloseSession",
    "CloseAllSessions",
    "GetSessionInfo",
    "Login",
    "Logout",
    "DestroyObject",
    "GetObjectSize",
    "FindObjects",
    "FindObjectsFinal",
    "DigestUpdate",
    "DigestKey",
    "SignUpdate",
    "VerifyUpdate",
    "DeriveKey",
    "SeedRandom",
    "GenerateRandom",
    "GetFunctionStatus",
    "CancelFunction",
    "WaitForSlotEvent",
    "GetInterfaceList",
    "GetInterface",
    "LoginUser",
    "SessionCancel",
    "MessageEncryptFinal",
    "MessageDecryptFinal",
    "MessageSignFinal",
    "MessageVerifyFinal",
    "EncapsulateKey",
    "DecapsulateKey",
    "VerifySignatureUpdate",
    "GetSessionValidationFlags",
    "AsyncComplete",
    "AsyncGetID",
    "AsyncJoin",
    NULL,
};

static bool makes_requests(const function_row *row)
{
    return (row->traits & REMOTE) || strcmp(row->name, "GenerateKeyPair") == 0;
}

/*
 * Where the want of memory breaks a connection off, it cannot be told from other reasons; and not
 * all of OpenSSL says why it failed. That nothing is wrong with what the application gave must be
 * clear in any case. (libcurl may lose part of a URL in such a moment, and ask for something that
 * the vault refuses with 400: the code of a refused creation. Before the request there is no
 * excuse.)
 */
static bool may_answer(const function_row *row, long n, CK_RV rv)
{
    enum { BEFORE_REQUEST = 64 };

    if (rv == CKR_ATTRIBUTE_VALUE_INVALID && n > BEFORE_REQUEST)
        return strcmp(row->name, "GenerateKeyPair") == 0;
    return rv == row->good || rv == CKR_HOST_MEMORY || rv == CKR_FUNCTION_FAILED ||
           (makes_requests(row) && rv == CKR_DEVICE_ERROR);
}

/* ---- the walk ---- */

/* Requests take time, and are alike in what they need memory for. */
static long stride(const function_row *row, long n, bool for_good)
{
    if (!makes_requests(row) || n < 8)
        return 1;
    return for_good && n > 100 ? 331 : 5;
}

static void start_afresh(void)
{
    if (p11_3->C_CloseAllSessions(module_slot) == CKR_CRYPTOKI_NOT_INITIALIZED)
        module_slot = module_initialize();
    world_open(w, CKF_RW_SESSION);
    module_session = w->session;
}

/* Nothing is left of the failure: neither a lock, nor a state of the token. */
static void expect_recovered(const function_row *row)
{
    world other;
    CK_RV rv;

    if (row->traits & ALONE)
        return;
    world_open(&other, CKF_RW_SESSION);
    if (strcmp(row->name, "Logout") == 0)
        p11_3->C_Logout(other.session);
    rv = function_run(&other, row);
    if (row->other == CKR_OK || rv != row->other)
        assert_row_rv(row, "after memory ran out", row->good, rv);
    world_close(&other);
}

/* Returns whether an allocation of the call failed. */
static bool call_without_memory(const function_row *row, long n, bool for_good, bool *ret_told)
{
    word v[ARGUMENTS_MAX];
    bool failed;
    CK_RV rv;

    start_afresh();
    for (int i = 1; i < KEY_COUNT; i++)
        world_key(w, (key_name)i);
    function_begin(w, row);
    function_fill(w, row, v);
    arm(n, for_good);
    rv = row->call(v);
    failed = disarm();
    ck_assert_msg(may_answer(row, n, rv), "C_%s, allocation %ld%s fails: %s", row->name, n,
                  for_good ? " and all later" : "", kvp_ckr_name(rv));
    if (rv == CKR_HOST_MEMORY)
        *ret_told = true;
    if (failed)
        expect_recovered(row);
    else
        assert_row_rv(row, "memory enough", row->good, rv);
    return failed;
}

START_TEST(each_function_says_that_memory_ran_out)
{
    enum { ENOUGH = 10000 };
    const function_row *row = &function_rows[_i];
    bool told = false;

    for (int for_good = 0; for_good < 2; for_good++) {
        long n = 1;

        while (n < ENOUGH && call_without_memory(row, n, for_good, &told))
            n += stride(row, n, for_good);
        ck_assert_int_lt(n, ENOUGH);
    }
    ck_assert_msg(told != is_one_of(row->name, frugal), "C_%s %s CKR_HOST_MEMORY", row->name,
                  told ? "has" : "never has");
}
END_TEST

START_TEST(initialize_says_that_memory_ran_out)
{
    const bool for_good = _i;
    bool failed = true, told = false;

    for (long n = 1; failed; n += n < 40 ? 1 : 7) {
        CK_ULONG count = 0;
        CK_RV rv;

        assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
        arm(n, for_good);
        rv = p11_3->C_Initialize(NULL);
        failed = disarm();
        if (rv == CKR_HOST_MEMORY) {
            told = true;
            assert_rv(CKR_OK, p11_3->C_Initialize(NULL));
        } else {
            ck_assert_msg(rv == CKR_OK, "allocation %ld fails: %s", n, kvp_ckr_name(rv));
        }
        assert_rv(CKR_OK, p11_3->C_GetSlotList(CK_TRUE, NULL, &count));
        ck_assert_msg(count == 1, "allocation %ld fails: no token", n);
    }
    ck_assert(told);
}
END_TEST

/* With a token to be had first, and a connection to be made. */
START_TEST(the_first_search_says_that_memory_ran_out)
{
    const bool for_good = _i;
    bool failed = true, told = false;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };

    for (long n = 1; failed; n += n < 200 ? 13 : 463) {
        CK_RV rv;

        assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
        world_setup();
        arm(n, for_good);
        rv = p11_3->C_FindObjectsInit(w->session, &attr, 1);
        failed = disarm();
        ck_assert_msg(rv == CKR_OK || rv == CKR_HOST_MEMORY || rv == CKR_DEVICE_ERROR ||
                          rv == CKR_FUNCTION_FAILED,
                      "allocation %ld fails: %s", n, kvp_ckr_name(rv));
        told = told || rv == CKR_HOST_MEMORY;
        if (rv == CKR_OK)
            assert_rv(CKR_OK, p11_3->C_FindObjectsFinal(w->session));
        /* An authority that could not be reached is left alone for a while, but not by this one. */
        assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
        world_setup();
        ck_assert(world_key(w, KEY_EC_PRIVATE) != CK_INVALID_HANDLE);
    }
    ck_assert(told);
}
END_TEST

int main(void)
{
    enum { SKIPPED = 77 }; /* of automake's test driver */

    if (!OWN_ALLOCATOR) {
        fprintf(stderr, "skipped: the sanitizer has an allocator of its own\n");
        return SKIPPED;
    }
    Suite *suite = suite_create("memory");
    TCase *each = tcase_create("each"), *first = tcase_create("first");
    conformance_start("vault");
    tcase_add_unchecked_fixture(each, functions_prepare, NULL);
    tcase_add_checked_fixture(each, world_setup, world_teardown);
    tcase_add_loop_test(each, each_function_says_that_memory_ran_out, 0, (int)function_row_count);
    suite_add_tcase(suite, each);
    tcase_add_checked_fixture(first, world_setup, world_teardown);
    tcase_add_loop_test(first, initialize_says_that_memory_ran_out, 0, 2);
    tcase_add_loop_test(first, the_first_search_says_that_memory_ran_out, 0, 2);
    suite_add_tcase(suite, first);
    return module_run_suite(suite);
}
