/* SPDX-License-Identifier: MIT */
/*
 * The function lists and the interfaces (PKCS#11 v3.1 §5.4), all from the rows of functions.def,
 * and the only three symbols that the module exports.
 */
#include "base/cleanup.h"
#include "kvpkcs11/cryptoki.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

#define ENTRY_(name) .C_##name = C_##name,
#define NOTHING_(name)

#define ENTRY_2_40 ENTRY_
#define ENTRY_3_0 NOTHING_
#define ENTRY_3_2 NOTHING_
static CK_FUNCTION_LIST list_2_40 = {
    .version = { 2, 40 },
#define KVP_FN(since, how, name, params) ENTRY_##since(name)
#include "cryptoki/functions.def"
};

#undef ENTRY_3_0
#define ENTRY_3_0 ENTRY_
static CK_FUNCTION_LIST_3_0 list_3_0 = {
    .version = { 3, 0 },
#define KVP_FN(since, how, name, params) ENTRY_##since(name)
#include "cryptoki/functions.def"
};

/* 3.1 added no function: the structure is that of 3.0. */
static CK_FUNCTION_LIST_3_0 list_3_1 = {
    .version = { 3, 1 },
#define KVP_FN(since, how, name, params) ENTRY_##since(name)
#include "cryptoki/functions.def"
};

#undef ENTRY_3_2
#define ENTRY_3_2 ENTRY_
static CK_FUNCTION_LIST_3_2 list_3_2 = {
    .version = { 3, 2 },
#define KVP_FN(since, how, name, params) ENTRY_##since(name)
#include "cryptoki/functions.def"
};

/*
 * Each list begins with the one before it, so that an application may use less than it asked for.
 */
#define SAME_(name)                                                                                \
    _Static_assert(offsetof(CK_FUNCTION_LIST_3_0, C_##name) ==                                     \
                           offsetof(CK_FUNCTION_LIST, C_##name) &&                                 \
                       offsetof(CK_FUNCTION_LIST_3_2, C_##name) ==                                 \
                           offsetof(CK_FUNCTION_LIST, C_##name),                                   \
                   "C_" #name " stands where 2.40 has it");
#define SAME_3_(name)                                                                              \
    _Static_assert(offsetof(CK_FUNCTION_LIST_3_2, C_##name) ==                                     \
                       offsetof(CK_FUNCTION_LIST_3_0, C_##name),                                   \
                   "C_" #name " stands where 3.0 has it");
#define SAME_2_40 SAME_
#define SAME_3_0 SAME_3_
#define SAME_3_2 NOTHING_
#define KVP_FN(since, how, name, params) SAME_##since(name)
#include "cryptoki/functions.def"

static CK_UTF8CHAR interface_name[] = "PKCS 11";

/*
 * The first is the default. All are safe across fork: sessions, handles and operations go on in the
 * child without C_Initialize.
 */
static CK_INTERFACE interfaces[] = {
    { (void *)interface_name, &list_3_2, CKF_INTERFACE_FORK_SAFE },
    { (void *)interface_name, &list_3_1, CKF_INTERFACE_FORK_SAFE },
    { (void *)interface_name, &list_3_0, CKF_INTERFACE_FORK_SAFE },
    { (void *)interface_name, &list_2_40, CKF_INTERFACE_FORK_SAFE },
};

EXPORTED CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
    if (!list)
        return CKR_ARGUMENTS_BAD;
    *list = &list_2_40;
    return CKR_OK;
}

EXPORTED CK_RV C_GetInterfaceList(CK_INTERFACE_PTR list, CK_ULONG_PTR count)
{
    CK_ULONG room;

    if (!count)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = KVP_ARRAY_LEN(interfaces);
    if (!list)
        return CKR_OK;
    if (room < KVP_ARRAY_LEN(interfaces))
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, sizeof(interfaces));
    return CKR_OK;
}

static bool fits(const CK_INTERFACE *interface, const CK_UTF8CHAR *name, const CK_VERSION *version,
                 CK_FLAGS flags)
{
    const CK_VERSION *has = interface->pFunctionList;

    if (name && strcmp((const char *)name, (const char *)interface->pInterfaceName) != 0)
        return false;
    if (version && (version->major != has->major || version->minor != has->minor))
        return false;
    return (interface->flags & flags) == flags;
}

EXPORTED CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION_PTR version,
                              CK_INTERFACE_PTR_PTR interface, CK_FLAGS flags)
{
    if (!interface)
        return CKR_ARGUMENTS_BAD;
    for (size_t i = 0; i < KVP_ARRAY_LEN(interfaces); i++)
        if (fits(&interfaces[i], name, version, flags)) {
            *interface = &interfaces[i];
            return CKR_OK;
        }
    /* The standard names no other answer for an interface that is not there. */
    return CKR_FUNCTION_FAILED;
}
