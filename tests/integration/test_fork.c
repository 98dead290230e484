/* SPDX-License-Identifier: MIT */
/*
 * Forked workers: sessions, operations and handles go on in the child (CKF_INTERFACE_FORK_SAFE),
 * and a child that initialises anew, as nginx's workers do at their first handshake, knows what its
 * parent knew of the vault.
 */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char key_name[] = "fork-key";
static CK_OBJECT_HANDLE key;

static void setup(void)
{
    module_setup();
    key = module_find(module_session, CKO_PRIVATE_KEY, key_name);
    ck_assert(key != CK_INVALID_HANDLE);
}

static CK_RV sign_init(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };

    return p11->C_SignInit(module_session, &mechanism, key);
}

static CK_RV sign_rest(void)
{
    CK_BYTE data[] = "data", signature[64];
    CK_ULONG len = sizeof(signature);

    return p11->C_Sign(module_session, data, sizeof(data), signature, &len);
}

static CK_RV sign_whole(void)
{
    CK_RV rv = sign_init();

    return rv == CKR_OK ? sign_rest() : rv;
}

static CK_RV digest_rest(void)
{
    CK_BYTE data[] = "bc", digest[32];
    CK_ULONG len = sizeof(digest);
    CK_RV rv = p11->C_DigestUpdate(module_session, data, 2);

    if (rv == CKR_OK)
        rv = p11->C_DigestFinal(module_session, digest, &len);
    return rv == CKR_OK && digest[0] != 0xba ? CKR_GENERAL_ERROR : rv;
}

START_TEST(a_digest_goes_on_on_both_sides)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE data[] = "a";

    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &mechanism));
    assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data, 1));

    assert_rv(CKR_OK, module_in_child(digest_rest));
    assert_rv(CKR_OK, digest_rest());
}
END_TEST

START_TEST(a_signature_goes_on_on_both_sides)
{
    size_t before = keyvaultd_requests("KeySign");

    assert_rv(CKR_OK, sign_init());

    assert_rv(CKR_OK, module_in_child(sign_rest));
    assert_rv(CKR_OK, sign_rest());
    ck_assert_uint_eq(keyvaultd_requests("KeySign"), before + 2);
}
END_TEST

START_TEST(a_child_leaves_its_parents_connection_alone)
{
    assert_rv(CKR_OK, sign_whole());

    for (int i = 0; i < 3; i++) {
        assert_rv(CKR_OK, module_in_child(sign_whole));
        assert_rv(CKR_OK, sign_whole());
    }
}
END_TEST

/* Class and ID: what libp11 asks for in each worker. */
static CK_RV find_by_id(CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_CLASS wanted = CKO_PRIVATE_KEY;
    char id[sizeof(key_name)];
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &wanted, sizeof(wanted) },
                                { CKA_ID, id, sizeof(key_name) - 1 } };
    CK_ULONG count = 0;
    CK_RV rv;

    memcpy(id, key_name, sizeof(key_name));
    rv = p11->C_FindObjectsInit(module_session, template, 2);
    if (rv == CKR_OK)
        rv = p11->C_FindObjects(module_session, ret, 1, &count);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsFinal(module_session);
    return rv == CKR_OK && count != 1 ? CKR_KEY_HANDLE_INVALID : rv;
}

static CK_RV work_as_nginx(void)
{
    CK_RV rv = p11->C_Initialize(NULL);

    if (rv == CKR_OK)
        rv = p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &module_session);
    if (rv == CKR_OK)
        rv = find_by_id(&key);
    return rv == CKR_OK ? sign_whole() : rv;
}

START_TEST(a_worker_asks_for_nothing_but_the_signature)
{
    size_t all = keyvaultd_requests(NULL), signs = keyvaultd_requests("KeySign"),
           unauthorized = keyvaultd_requests("Authentication");

    assert_rv(CKR_OK, module_in_child(work_as_nginx));

    ck_assert_uint_eq(keyvaultd_requests("KeySign"), signs + 1);
    ck_assert_uint_eq(keyvaultd_requests(NULL) - keyvaultd_requests("Authentication"),
                      all - unauthorized + 1);
}
END_TEST

static CK_RV finalize_in_worker(void)
{
    CK_RV rv = work_as_nginx();

    return rv == CKR_OK ? p11->C_Finalize(NULL) : rv;
}

START_TEST(a_worker_may_finalize)
{
    assert_rv(CKR_OK, module_in_child(finalize_in_worker));

    assert_rv(CKR_OK, sign_whole());
}
END_TEST

/* ---- C_Initialize and sessions in a child; the vault is not asked ---- */

static CK_RV use_session(void)
{
    CK_SESSION_INFO info;

    return p11->C_GetSessionInfo(module_session, &info);
}

static CK_RV initialize_anew(void)
{
    CK_SESSION_INFO info;
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CK_RV rv = p11->C_Initialize(NULL);

    if (rv != CKR_OK)
        return rv;
    if (p11->C_GetSessionInfo(module_session, &info) != CKR_SESSION_HANDLE_INVALID)
        return 0xe0;
    if (p11->C_Initialize(NULL) != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return 0xe1;
    rv = p11->C_GetSlotList(CK_TRUE, &slot, &count);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &module_session);
    if (rv == CKR_OK)
        rv = p11->C_GetSessionInfo(module_session, &info);
    return rv == CKR_OK ? p11->C_Finalize(NULL) : rv;
}

static CK_RV initialize_without_configuration(void)
{
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CK_RV rv;

    clearenv();
    setenv("HOME", "/nonexistent", 1);
    rv = p11->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = p11->C_GetSlotList(CK_TRUE, &slot, &count);
    return rv != CKR_OK ? rv : count == 1 ? CKR_OK : 0xe2;
}

static CK_RV initialize_in_grandchild(void)
{
    CK_RV rv = initialize_anew();
    int status = 0;
    pid_t pid;

    if (rv != CKR_OK)
        return rv;
    rv = p11->C_Initialize(NULL);
    if (rv != CKR_OK)
        return rv;
    pid = fork();
    if (pid == 0)
        _exit((int)initialize_anew() & 0xff);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? (CK_RV)WEXITSTATUS(status) : 0xe3;
}

static CK_RV finalize_only(void)
{
    return p11->C_Finalize(NULL);
}

START_TEST(sessions_go_on_in_a_child)
{
    module_setup();

    assert_rv(CKR_OK, module_in_child(use_session));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(initialize_in_a_child_starts_anew)
{
    module_setup();

    assert_rv(CKR_OK, module_in_child(initialize_anew));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(initialize_in_a_grandchild_starts_anew)
{
    module_setup();

    assert_rv(CKR_OK, module_in_child(initialize_in_grandchild));

    module_teardown();
}
END_TEST

/* nginx drops the environment of its workers, and their right to read files of root's. */
START_TEST(a_child_keeps_its_parents_configuration)
{
    module_setup();

    assert_rv(CKR_OK, module_in_child(initialize_without_configuration));

    module_teardown();
}
END_TEST

START_TEST(finalize_in_a_child_leaves_the_parent_alone)
{
    module_setup();

    assert_rv(CKR_OK, module_in_child(finalize_only));

    assert_rv(CKR_OK, use_session());
    module_teardown();
}
END_TEST

START_TEST(a_child_of_an_uninitialized_process_initializes)
{
    module_session = 1;

    assert_rv(CKR_OK, module_in_child(initialize_anew));

    assert_rv(CKR_CRYPTOKI_NOT_INITIALIZED, use_session());
}
END_TEST

START_TEST(fork_among_busy_threads_leaves_a_usable_child)
{
    module_setup();
    module_keep_busy();
    for (int i = 0; i < 30; i++) {
        assert_rv(CKR_OK, module_in_child(use_session));
        assert_rv(CKR_OK, module_in_child(initialize_anew));
    }

    ck_assert_int_eq(module_rest(), 0);
    module_teardown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork");
    TCase *workers = tcase_create("workers"), *children = tcase_create("children");

    keyvaultd_start("vault");
    keyvaultd_create_key(key_name, "EC", 0, "P-256");
    module_load();
    tcase_add_checked_fixture(workers, setup, module_teardown);
    tcase_add_test(workers, a_digest_goes_on_on_both_sides);
    tcase_add_test(workers, a_signature_goes_on_on_both_sides);
    tcase_add_test(workers, a_child_leaves_its_parents_connection_alone);
    tcase_add_test(workers, a_worker_asks_for_nothing_but_the_signature);
    tcase_add_test(workers, a_worker_may_finalize);
    tcase_add_test(children, sessions_go_on_in_a_child);
    tcase_add_test(children, initialize_in_a_child_starts_anew);
    tcase_add_test(children, initialize_in_a_grandchild_starts_anew);
    tcase_add_test(children, a_child_keeps_its_parents_configuration);
    tcase_add_test(children, finalize_in_a_child_leaves_the_parent_alone);
    tcase_add_test(children, a_child_of_an_uninitialized_process_initializes);
    tcase_add_test(children, fork_among_busy_threads_leaves_a_usable_child);
    suite_add_tcase(suite, workers);
    suite_add_tcase(suite, children);
    return module_run_suite(suite);
}
