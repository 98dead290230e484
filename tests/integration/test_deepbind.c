/* SPDX-License-Identifier: MIT */
/*
 * pkcs11-provider opens modules with RTLD_DEEPBIND, and BIND, HAProxy and others bring an allocator
 * of their own: what libc allocates for a module comes from the one, what the module frees goes to
 * the other. The program starts itself again under a preloaded jemalloc and does a day's work.
 */
#define _GNU_SOURCE
#include "support/keyvaultd.h"
#include "support/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOCATOR "libjemalloc.so.2"
#define SKIPPED 77

static int failed(const char *what, CK_RV rv)
{
    fprintf(stderr, "%s: %s\n", what, kvp_ckr_name(rv));
    return 1;
}

static int sign(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_BYTE data[] = "data", signature[64];
    CK_ULONG len = sizeof(signature);
    CK_RV rv = list->C_SignInit(session, &mechanism, key);

    if (rv == CKR_OK)
        rv = list->C_Sign(session, data, sizeof(data), signature, &len);
    if (rv != CKR_OK || len != sizeof(signature))
        return failed("C_Sign", rv);
    return 0;
}

/* Every private key is looked at, so that the search lists the vault. */
static int find_and_sign(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS wanted = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &wanted, sizeof(wanted) };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    CK_RV rv = list->C_FindObjectsInit(session, &template, 1);

    if (rv == CKR_OK)
        rv = list->C_FindObjects(session, &key, 1, &count);
    if (rv == CKR_OK)
        rv = list->C_FindObjectsFinal(session);
    if (rv != CKR_OK || count != 1)
        return failed("C_FindObjects", rv);
    return sign(list, session, key);
}

static int day(void)
{
    void *module = dlopen(module_path(), RTLD_NOW | RTLD_DEEPBIND);
    CK_C_GetFunctionList get_list;
    CK_FUNCTION_LIST *list;
    CK_SESSION_HANDLE session;
    CK_RV rv;
    int result;

    /* ld.so goes on without what it cannot preload. */
    if (!dlsym(RTLD_DEFAULT, "mallctl"))
        return SKIPPED;
    if (!module) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    get_list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    rv = get_list ? get_list(&list) : CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
        rv = list->C_Initialize(NULL);
    if (rv == CKR_OK)
        rv = list->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);
    if (rv != CKR_OK)
        return failed("C_OpenSession", rv);
    result = find_and_sign(list, session);
    rv = list->C_Finalize(NULL);
    if (rv != CKR_OK)
        return failed("C_Finalize", rv);
    dlclose(module);
    return result;
}

int main(int argc, char **argv)
{
    char self[] = "/proc/self/exe";
    int status = 1;
    pid_t pid;

    if (argc > 1)
        return day();
#ifdef KVP_SANITIZED
    puts("SKIP: a sanitizer is an allocator of its own");
    return SKIPPED;
#endif
    keyvaultd_start("vault");
    keyvaultd_create_key("deepbind", "EC", 0, "P-256");
    pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", ALLOCATOR, 1);
        execl(self, argv[0], "day", NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    if (WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        puts("SKIP: " ALLOCATOR " is not installed");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
