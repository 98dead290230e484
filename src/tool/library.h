/* SPDX-License-Identifier: MIT */
/*
 * A PKCS#11 module as an application sees it: loaded by dlopen, entered through C_GetFunctionList.
 * Errors say which function answered what.
 */
#ifndef KVP_TOOL_LIBRARY_H
#define KVP_TOOL_LIBRARY_H

#include "base/error.h"
#include "kvpkcs11/cryptoki.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kvp_library {
    void *handle;              /**< of dlopen; NULL where the functions came from elsewhere */
    CK_FUNCTION_LIST *f;
    bool started;              /**< C_Initialize was ours, so C_Finalize is */
} kvp_library;

/**
 * The module's file unless --module names one: that of a build tree, if this program is run from
 * one, else where it is installed. A new string; NULL without memory.
 */
char *kvp_library_default_path(void);

/** Load @path (a path with a slash, or a name for the loader to find). KVP_ERR_IO says why not. */
kvp_status kvp_library_open(const char *path, kvp_library *ret, kvp_error *reterr);
/** C_Initialize. */
kvp_status kvp_library_start(kvp_library *library, kvp_error *reterr);
/** C_Finalize if it was started, and dlclose. Accepts a zeroed library. */
void kvp_library_close(kvp_library *library);

/** Slots, all or those @with_token; @ret is new (kvp_free), NULL when there are none. */
kvp_status kvp_library_slots(const kvp_library *library, bool with_token, CK_SLOT_ID **ret,
                             size_t *ret_count, kvp_error *reterr);

/** Fill @reterr: @function answered @rv, not CKR_OK. KVP_ERR_UNSUPPORTED or KVP_ERR_IO. */
kvp_status kvp_library_failed(const char *function, CK_RV rv, kvp_error *reterr);

/** A blank-padded field as a new, clean string. */
char *kvp_library_field(const CK_UTF8CHAR *field, size_t size);
/** The same, as it is. */
char *kvp_library_raw_field(const CK_UTF8CHAR *field, size_t size);

#endif
