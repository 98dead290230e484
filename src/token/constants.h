/* SPDX-License-Identifier: MIT */
/*
 * The tables behind kvp_ckr_name and its like (call.h): for tests and for pages written out of
 * them.
 */
#ifndef KVP_TOKEN_CONSTANTS_H
#define KVP_TOKEN_CONSTANTS_H

#include "kvpkcs11/cryptoki.h"

#include <stddef.h>

typedef struct kvp_constant {
    CK_ULONG value;
    const char *name; /**< `CKR_OK` */
} kvp_constant;

typedef struct kvp_constant_table {
    const char *prefix; /**< `CKR_`; NULL ends the list of tables */
    const kvp_constant *rows;
    size_t count;
} kvp_constant_table;

extern const kvp_constant_table kvp_constant_tables[];

#endif
