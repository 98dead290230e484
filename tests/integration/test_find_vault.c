/* SPDX-License-Identifier: MIT */
/* Searching in a vault: what is found, how many requests it takes, and what others change
 * meanwhile. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include "kvpkcs11/vendor.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 30           /* more than a list page holds */
#define AGE_S 5           /* how long an answer of the vault is believed */
#define FIXED_KEYS 3      /* alpha, beta, gamma */

static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_OBJECT_HANDLE found[512];
static size_t gets_before, lists_before, all_before;

static void count_from_here(void)
{
    gets_before = keyvaultd_requests("KeyGet");
    lists_before = keyvaultd_requests("KeyList");
    all_before = keyvaultd_requests(NULL);
}

#define assert_requests(gets, lists)                                                               \
    do {                                                                                           \
        ck_assert_uint_eq(keyvaultd_requests("KeyGet") - gets_before, (gets));                     \
        ck_assert_uint_eq(keyvaultd_requests("KeyList") - lists_before, (lists));                  \
    } while (0)

static void setup(void)
{
    module_setup();
    count_from_here();
}

static CK_ULONG find(CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ULONG n = 0;
    assert_rv(CKR_OK, p11->C_FindObjectsInit(module_session, attrs, count));
    assert_rv(CKR_OK, p11->C_FindObjects(module_session, found, 512, &n));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(module_session));
    return n;
}

static CK_ULONG find_class(CK_OBJECT_CLASS cls)
{
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &cls, sizeof(cls) } };
    return find(attrs, 1);
}

static CK_ULONG find_by_id(CK_OBJECT_CLASS cls, const char *id)
{
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &cls, sizeof(cls) },
                             { CKA_ID, (void *)(uintptr_t)id, strlen(id) } };
    return find(attrs, 2);
}

static void text_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, char *ret, size_t size)
{
    CK_ATTRIBUTE attr = { type, ret, size - 1 };
    assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, object, &attr, 1));
    ret[attr.ulValueLen] = '\0';
}

static void rest(const char *method, const char *path, const char *body)
{
    json_t *json = body ? json_loads(body, 0, NULL) : NULL;
    int status = keyvaultd_rest(method, path, json, NULL);
    ck_assert_msg(status >= 200 && status < 300, "%s %s: %d", method, path, status);
    json_decref(json);
}

/* ---- requests ---- */

START_TEST(a_label_is_one_get_and_no_list)
{
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "beta") != CK_INVALID_HANDLE);
    assert_requests(1, 0);
    ck_assert(module_find(module_session, CKO_PUBLIC_KEY, "beta") != CK_INVALID_HANDLE);
    ck_assert_uint_eq(find_by_id(CKO_PRIVATE_KEY, "beta"), 1);
    assert_requests(1, 0);
}
END_TEST

START_TEST(a_class_is_list_pages_only)
{
    char label[128];
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), FIXED_KEYS + MANY);
    text_of(found[0], CKA_LABEL, label, sizeof(label));
    ck_assert_str_eq(label, "alpha");
    assert_requests(0, 2);
    ck_assert_uint_eq(find_class(CKO_PUBLIC_KEY), FIXED_KEYS + MANY);
    assert_requests(0, 2);
}
END_TEST

/* What libp11 does: all private keys, one at a time, and the type of each. */
START_TEST(reading_the_type_of_every_key_reads_each_once)
{
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attr = { CKA_KEY_TYPE, &type, sizeof(type) };
    CK_ULONG n = find_class(CKO_PRIVATE_KEY);
    for (CK_ULONG i = 0; i < n; i++)
        assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, found[i], &attr, 1));
    assert_requests(n, 2);
    ck_assert_uint_eq(find_class(CKO_PUBLIC_KEY), n);
    for (CK_ULONG i = 0; i < n; i++)
        assert_rv(CKR_OK, p11->C_GetAttributeValue(module_session, found[i], &attr, 1));
    assert_requests(n, 2);
}
END_TEST

START_TEST(what_a_vault_never_has_is_answered_without_a_request)
{
    static const CK_OBJECT_CLASS never[] = { CKO_HW_FEATURE, CKO_DOMAIN_PARAMETERS, CKO_MECHANISM,
                                             CKO_SECRET_KEY, CKO_TRUST, 0xce534351UL,
                                             0xce534352UL, 0xce534353UL, 0xce534354UL };
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE trusted[] = { { CKA_TRUSTED, &yes, sizeof(yes) } };
    for (size_t i = 0; i < KVP_ARRAY_LEN(never); i++)
        ck_assert_uint_eq(find_class(never[i]), 0);
    ck_assert_uint_eq(find(trusted, 1), 0);
    ck_assert_uint_eq(keyvaultd_requests(NULL), all_before);
}
END_TEST

START_TEST(a_name_that_is_not_there_is_found_nowhere)
{
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "nobody") == CK_INVALID_HANDLE);
    assert_requests(1, 2);
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "nobody") == CK_INVALID_HANDLE);
    assert_requests(1, 2);
}
END_TEST

/* ---- what others change ---- */

START_TEST(changes_of_others_show_up_after_the_age_and_pinned_handles_stay)
{
    char before[33];
    char after[33];
    char kept[33];
    CK_OBJECT_HANDLE old = module_find(module_session, CKO_PRIVATE_KEY, "rotating");
    CK_OBJECT_HANDLE gone = module_find(module_session, CKO_PUBLIC_KEY, "leaving");
    CK_ULONG n = find_class(CKO_PRIVATE_KEY);
    text_of(old, CKA_KVP_VERSION, before, sizeof(before));

    rest("POST", "/keys/rotating/rotate", NULL);
    rest("DELETE", "/keys/leaving", NULL);
    rest("PATCH", "/keys/sleeping", "{\"attributes\":{\"enabled\":false}}");
    rest("PATCH", "/keys/renamed", "{\"tags\":{\"pkcs11-label\":\"Other name\","
                                   "\"pkcs11-id\":\"AAECAw\"}}");
    keyvaultd_create_key("arriving", "EC", 0, "P-256");
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), n);
    sleep(AGE_S);
    usleep(50000);

    /* rotating is there with another version, leaving and sleeping are not, arriving is */
    ck_assert_uint_eq(find_class(CKO_PRIVATE_KEY), n - 1);
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "leaving") == CK_INVALID_HANDLE);
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "sleeping") == CK_INVALID_HANDLE);
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "renamed") == CK_INVALID_HANDLE);
    ck_assert(module_find(module_session, CKO_PRIVATE_KEY, "arriving") != CK_INVALID_HANDLE);
    CK_OBJECT_HANDLE renamed = module_find(module_session, CKO_PRIVATE_KEY, "Other name");
    ck_assert(renamed != CK_INVALID_HANDLE);
    CK_ATTRIBUTE by_id[] = { { CKA_CLASS, &private_class, sizeof(private_class) },
                             { CKA_ID, (void *)(uintptr_t) "\x00\x01\x02\x03", 4 } };
    ck_assert_uint_eq(find(by_id, 2), 1);
    ck_assert_uint_eq(found[0], renamed);

    CK_OBJECT_HANDLE fresh = module_find(module_session, CKO_PRIVATE_KEY, "rotating");
    ck_assert_uint_ne(fresh, old);
    text_of(fresh, CKA_KVP_VERSION, after, sizeof(after));
    text_of(old, CKA_KVP_VERSION, kept, sizeof(kept));
    ck_assert_str_ne(after, before);
    ck_assert_str_eq(kept, before);
    text_of(gone, CKA_KVP_VERSION, kept, sizeof(kept));

    char id[64];
    snprintf(id, sizeof(id), "rotating/%s", before);
    ck_assert_uint_eq(find_by_id(CKO_PRIVATE_KEY, id), 1);
    ck_assert_uint_eq(found[0], old);
}
END_TEST

/* ---- threads ---- */

static void *search_and_read(void *arg)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE objects[64];
    CK_ULONG n;
    CK_ULONG bad = 0;
    (void)arg;
    if (p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return (void *)1;
    for (int round = 0; round < 10; round++) {
        CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &public_class, sizeof(public_class) } };
        if (p11->C_FindObjectsInit(session, attrs, 1) != CKR_OK ||
            p11->C_FindObjects(session, objects, 64, &n) != CKR_OK ||
            p11->C_FindObjectsFinal(session) != CKR_OK)
            bad++;
        for (CK_ULONG i = 0; i < n; i++) {
            unsigned char spki[1024];
            CK_ATTRIBUTE attr = { CKA_PUBLIC_KEY_INFO, spki, sizeof(spki) };
            if (p11->C_GetAttributeValue(session, objects[i], &attr, 1) != CKR_OK)
                bad++;
        }
    }
    if (p11->C_CloseSession(session) != CKR_OK)
        bad++;
    return (void *)bad;
}

START_TEST(threads_that_search_and_read_agree)
{
    pthread_t threads[6];
    void *bad;
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, search_and_read, NULL), 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(threads); i++) {
        ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
        ck_assert_ptr_null(bad);
    }
}
END_TEST

/* ---- forked workers ---- */

/* What nginx's workers do under libp11: C_Initialize again, a session, the key by class and id. */
static int find_in_child(CK_OBJECT_HANDLE expected)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_ULONG n = 0;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &private_class, sizeof(private_class) },
                             { CKA_ID, (void *)(uintptr_t) "beta", 4 } };
    if (p11->C_Initialize(NULL) != CKR_OK ||
        p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return 1;
    if (p11->C_FindObjectsInit(session, attrs, 2) != CKR_OK ||
        p11->C_FindObjects(session, &object, 1, &n) != CKR_OK ||
        p11->C_FindObjectsFinal(session) != CKR_OK)
        return 2;
    return n == 1 && object == expected ? 0 : 3;
}

START_TEST(a_forked_worker_finds_its_parents_key_without_a_request)
{
    int status = 0;
    CK_OBJECT_HANDLE key = module_find(module_session, CKO_PRIVATE_KEY, "beta");
    sleep(AGE_S); /* older than an answer is believed */
    usleep(50000);
    count_from_here();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(find_in_child(key));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_eq(keyvaultd_requests(NULL), all_before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("find_vault");
    TCase *requests = tcase_create("requests");
    TCase *changes = tcase_create("changes");
    TCase *threads = tcase_create("threads and forks");

    keyvaultd_start("vault");
    module_load();
    keyvaultd_create_key("alpha", "RSA", 2048, NULL);
    keyvaultd_create_key("beta", "EC", 0, "P-256");
    keyvaultd_create_key("gamma", "EC", 0, "P-384");
    for (int i = 0; i < MANY - 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "many-%02d", i);
        keyvaultd_create_key(name, "EC", 0, "P-256");
    }
    keyvaultd_create_key("rotating", "EC", 0, "P-256");
    keyvaultd_create_key("leaving", "EC", 0, "P-256");
    keyvaultd_create_key("sleeping", "EC", 0, "P-256");
    keyvaultd_create_key("renamed", "EC", 0, "P-256");

    tcase_add_checked_fixture(requests, setup, module_teardown);
    tcase_add_test(requests, a_label_is_one_get_and_no_list);
    tcase_add_test(requests, a_class_is_list_pages_only);
    tcase_add_test(requests, reading_the_type_of_every_key_reads_each_once);
    tcase_add_test(requests, what_a_vault_never_has_is_answered_without_a_request);
    tcase_add_test(requests, a_name_that_is_not_there_is_found_nowhere);
    tcase_add_checked_fixture(threads, setup, module_teardown);
    tcase_set_timeout(threads, 60);
    tcase_add_test(threads, threads_that_search_and_read_agree);
    tcase_add_test(threads, a_forked_worker_finds_its_parents_key_without_a_request);
    tcase_add_checked_fixture(changes, setup, module_teardown);
    tcase_set_timeout(changes, 60);
    tcase_add_test(changes, changes_of_others_show_up_after_the_age_and_pinned_handles_stay);
    suite_add_tcase(suite, requests);
    suite_add_tcase(suite, threads);
    suite_add_tcase(suite, changes);
    return module_run_suite(suite);
}
