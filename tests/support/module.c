/* SPDX-License-Identifier: MIT */
/* Opening the module and the first steps of every test; see module.h. */
#include "support/module.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

CK_FUNCTION_LIST *p11;
CK_FUNCTION_LIST_3_2 *p11_3;
CK_C_GetFunctionList p11_get_function_list;
CK_C_GetInterface p11_get_interface;
CK_C_GetInterfaceList p11_get_interface_list;
CK_SLOT_ID module_slot;
CK_SESSION_HANDLE module_session;

const char *module_path(void)
{
    const char *path = getenv("KVPKCS11_MODULE");

    return path ? path : KVP_BUILD_DIR "/.libs/libkvpkcs11.so";
}

static void *symbol(void *handle, const char *name)
{
    void *address = dlsym(handle, name);

    if (!address) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return address;
}

void module_load(void)
{
    CK_VERSION version = { 3, 2 };
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_INTERFACE *interface;
    void *handle;

    if (p11)
        return;
    handle = dlopen(module_path(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    p11_get_function_list = (CK_C_GetFunctionList)symbol(handle, "C_GetFunctionList");
    p11_get_interface = (CK_C_GetInterface)symbol(handle, "C_GetInterface");
    p11_get_interface_list = (CK_C_GetInterfaceList)symbol(handle, "C_GetInterfaceList");
    if (p11_get_function_list(&p11) != CKR_OK ||
        p11_get_interface(name, &version, &interface, 0) != CKR_OK) {
        fprintf(stderr, "the module gives no function list\n");
        exit(1);
    }
    p11_3 = interface->pFunctionList;
}

CK_SLOT_ID module_initialize(void)
{
    CK_SLOT_ID slots[8];
    CK_ULONG count = KVP_ARRAY_LEN(slots);

    assert_rv(CKR_OK, p11->C_Initialize(NULL));
    assert_rv(CKR_OK, p11->C_GetSlotList(CK_TRUE, slots, &count));
    ck_assert_msg(count > 0, "there is no token");
    return slots[0];
}

CK_SESSION_HANDLE module_open_session(CK_FLAGS flags)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

    assert_rv(CKR_OK, p11->C_OpenSession(module_slot, CKF_SERIAL_SESSION | flags, NULL, NULL,
                                         &session));
    ck_assert(session != CK_INVALID_HANDLE);
    return session;
}

void module_setup(void)
{
    module_slot = module_initialize();
    module_session = module_open_session(CKF_RW_SESSION);
}

void module_teardown(void)
{
    assert_rv(CKR_OK, p11->C_Finalize(NULL));
}

CK_OBJECT_HANDLE module_find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS object_class,
                             const char *label)
{
    char copy[128];
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &object_class, sizeof(object_class) },
        { CKA_LABEL, copy, strlen(label) },
    };
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    snprintf(copy, sizeof(copy), "%s", label);
    assert_rv(CKR_OK, p11->C_FindObjectsInit(session, template, 2));
    assert_rv(CKR_OK, p11->C_FindObjects(session, &object, 1, &count));
    assert_rv(CKR_OK, p11->C_FindObjectsFinal(session));
    return count ? object : CK_INVALID_HANDLE;
}

CK_RV module_in_child(CK_RV (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit((int)fn() & 0xff);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "the child ended with signal %d", WTERMSIG(status));
    return (CK_RV)WEXITSTATUS(status);
}

#define BUSY_THREADS 4

static pthread_t busy[BUSY_THREADS];
static atomic_bool stop;
static atomic_long worked, strange;

static void *use_in_thread(void *unused)
{
    while (!stop) {
        CK_SESSION_HANDLE session;
        CK_SESSION_INFO info;
        CK_RV rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);

        if (rv == CKR_OK)
            rv = p11->C_GetSessionInfo(session, &info);
        if (rv == CKR_OK)
            rv = p11->C_CloseSession(session);
        if (rv == CKR_OK)
            worked++;
        else if (rv != CKR_CRYPTOKI_NOT_INITIALIZED && rv != CKR_SESSION_HANDLE_INVALID)
            strange++;
    }
    return unused;
}

void module_keep_busy(void)
{
    for (int i = 0; i < BUSY_THREADS; i++)
        ck_assert_int_eq(pthread_create(&busy[i], NULL, use_in_thread, NULL), 0);
}

long module_rest(void)
{
    stop = true;
    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_join(busy[i], NULL);
    ck_assert_int_gt(worked, 0);
    return strange;
}

bool module_field_is(const unsigned char *field, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len > size || memcmp(field, text, len) != 0)
        return false;
    for (size_t i = len; i < size; i++)
        if (field[i] != ' ')
            return false;
    return true;
}

int module_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
