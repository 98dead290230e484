/* SPDX-License-Identifier: MIT */
/* General-purpose functions (PKCS#11 v3.1 §5.4); the function lists are in function_lists.c. */
#include "cryptoki/enter.h"

#include <stdlib.h>
#include <string.h>

CK_RV C_Initialize(CK_VOID_PTR init_args)
{
    kvp_module *module;
    CK_RV rv = kvp_enter_thread();

    if (rv != CKR_OK)
        return rv;
    rv = kvp_module_initialize(init_args);
    module = kvp_module_ref();
    if (module) {
        kvp_log(kvp_module_audit(module), KVP_LOG_TRACE, "C_Initialize = %s", kvp_ckr_name(rv));
        kvp_module_unref(module);
    }
    kvp_leave_thread();
    return rv;
}

CK_RV C_Finalize(CK_VOID_PTR reserved)
{
    KVP_ENTER(call, "C_Finalize");
    if (reserved)
        return kvp_leave(&call, CKR_ARGUMENTS_BAD);
    return kvp_leave(&call, kvp_module_finalize());
}

/* `0.1.0`, as configure.ac has it. */
static CK_VERSION library_version(void)
{
    char *minor = NULL;
    CK_VERSION version = { 0, 0 };

    version.major = (CK_BYTE)strtoul(PACKAGE_VERSION, &minor, 10);
    if (*minor == '.')
        version.minor = (CK_BYTE)strtoul(minor + 1, NULL, 10);
    return version;
}

CK_RV C_GetInfo(CK_INFO_PTR info)
{
    KVP_ENTER(call, "C_GetInfo");
    if (!info)
        return kvp_leave(&call, CKR_ARGUMENTS_BAD);
    memset(info, 0, sizeof(*info));
    info->cryptokiVersion.major = 3;
    info->cryptokiVersion.minor = 2;
    kvp_copy_padded(info->manufacturerID, sizeof(info->manufacturerID), PACKAGE_NAME);
    kvp_copy_padded(info->libraryDescription, sizeof(info->libraryDescription),
                    "PKCS#11 for Azure Key Vault");
    info->libraryVersion = library_version();
    return kvp_leave(&call, CKR_OK);
}
