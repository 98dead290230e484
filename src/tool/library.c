/* SPDX-License-Identifier: MIT */
/* Loading a module; see library.h. */
#include "tool/library.h"

#include "base/alloc.h"
#include "tool/text.h"
#include "token/call.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#define MODULE_FILE "libkvpkcs11.so"
#define SLOT_TRIES 5 /* slots may come between asking how many and asking which */

kvp_status kvp_library_failed(const char *function, CK_RV rv, kvp_error *reterr)
{
    return kvp_error_set(reterr,
                         rv == CKR_FUNCTION_NOT_SUPPORTED ? KVP_ERR_UNSUPPORTED : KVP_ERR_IO,
                         "%s answered %s", function, kvp_ckr_name(rv));
}

char *kvp_library_default_path(void)
{
    char self[4096], *path;
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
    char *slash;

    if (len > 0 && len < (ssize_t)sizeof(self)) {
        self[len] = '\0';
        slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
            path = kvp_asprintf("%s/.libs/" MODULE_FILE, self);
            if (!path || access(path, F_OK) == 0)
                return path;
            kvp_free(path);
        }
    }
    return kvp_strdup(KVP_MODULE_DIR "/" MODULE_FILE);
}

kvp_status kvp_library_open(const char *path, kvp_library *ret, kvp_error *reterr)
{
    kvp_library made = { NULL, NULL, false };
    CK_C_GetFunctionList get_list;
    void *symbol;
    CK_RV rv;

    if (!*path) /* dlopen would take this program itself, where libp11-kit is */
        return kvp_error_set(reterr, KVP_ERR_IO, "the module's file name is empty");
    made.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!made.handle) {
        const char *why = dlerror();

        return kvp_error_set(reterr, KVP_ERR_IO, "%s", why ? why : path);
    }
    symbol = dlsym(made.handle, "C_GetFunctionList");
    if (!symbol) {
        kvp_library_close(&made);
        return kvp_error_set(reterr, KVP_ERR_IO,
                             "%s is no PKCS#11 module: it has no "
                             "C_GetFunctionList",
                             path);
    }
    memcpy(&get_list, &symbol, sizeof(get_list)); /* an object pointer that is a function's */
    rv = get_list(&made.f);
    if (rv != CKR_OK || !made.f) {
        made.f = NULL;
        kvp_library_close(&made);
        return kvp_library_failed("C_GetFunctionList", rv, reterr);
    }
    *ret = made;
    return KVP_OK;
}

kvp_status kvp_library_start(kvp_library *library, kvp_error *reterr)
{
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    CK_RV rv = library->f->C_Initialize(&args);

    if (rv != CKR_OK)
        return kvp_library_failed("C_Initialize", rv, reterr);
    library->started = true;
    return KVP_OK;
}

void kvp_library_close(kvp_library *library)
{
    if (library->started && library->f)
        library->f->C_Finalize(NULL);
    if (library->handle)
        dlclose(library->handle);
    memset(library, 0, sizeof(*library));
}

kvp_status kvp_library_slots(const kvp_library *library, bool with_token, CK_SLOT_ID **ret,
                             size_t *ret_count, kvp_error *reterr)
{
    CK_BBOOL present = with_token ? CK_TRUE : CK_FALSE;

    for (int tries = 0; tries < SLOT_TRIES; tries++) {
        CK_ULONG count = 0;
        CK_SLOT_ID *slots;
        CK_RV rv = library->f->C_GetSlotList(present, NULL, &count);

        if (rv != CKR_OK)
            return kvp_library_failed("C_GetSlotList", rv, reterr);
        if (count == 0) {
            *ret = NULL;
            *ret_count = 0;
            return KVP_OK;
        }
        slots = kvp_calloc(count, sizeof(*slots));
        if (!slots)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "slots");
        rv = library->f->C_GetSlotList(present, slots, &count);
        if (rv == CKR_OK) {
            *ret = slots;
            *ret_count = count;
            return KVP_OK;
        }
        kvp_free(slots);
        if (rv != CKR_BUFFER_TOO_SMALL)
            return kvp_library_failed("C_GetSlotList", rv, reterr);
    }
    return kvp_library_failed("C_GetSlotList", CKR_BUFFER_TOO_SMALL, reterr);
}

/* Blanks fill it; some modules use NULs. */
static size_t field_len(const CK_UTF8CHAR *field, size_t size)
{
    while (size > 0 && (field[size - 1] == ' ' || field[size - 1] == '\0'))
        size--;
    return size;
}

char *kvp_library_field(const CK_UTF8CHAR *field, size_t size)
{
    return kvp_text_clean_dup(field, field_len(field, size));
}

char *kvp_library_raw_field(const CK_UTF8CHAR *field, size_t size)
{
    return kvp_strndup((const char *)field, field_len(field, size));
}
