/* SPDX-License-Identifier: MIT */
/*
 * Whole operations of a session, in one part or in several: what tests of mechanisms are made of.
 * Each returns the first answer that is not CKR_OK; that an operation has ended then, the next one
 * shows, which can begin.
 */
#ifndef KVP_TESTS_CONFORMANCE_FLOW_H
#define KVP_TESTS_CONFORMANCE_FLOW_H

#include "support/module.h"

/** How data are handed over. */
typedef enum flow_split {
    SPLIT_ONE_CALL,   /**< C_Sign and its like */
    SPLIT_ONE_UPDATE, /**< one update and final */
    SPLIT_FIRST_BYTE, /**< 1, an empty part, the rest */
    SPLIT_LAST_BYTE,  /**< all but one, 1 */
    SPLIT_BLOCKS,     /**< 16 each */
    SPLIT_ODD,        /**< 1, 2, 3 … */
    SPLIT_COUNT
} flow_split;
extern const char *const flow_split_names[SPLIT_COUNT];

CK_RV flow_encrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                   size_t len, void *out, CK_ULONG *out_len);
CK_RV flow_decrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                   size_t len, void *out, CK_ULONG *out_len);
CK_RV flow_digest(CK_MECHANISM *mechanism, flow_split split, const void *in, size_t len, void *out,
                  CK_ULONG *out_len);
CK_RV flow_sign(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                size_t len, void *sig, CK_ULONG *sig_len);
CK_RV flow_verify(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                  size_t len, const void *sig, size_t sig_len);

/** A session key of @type with a value; it may do everything, and its value can be read. */
CK_OBJECT_HANDLE flow_secret(CK_KEY_TYPE type, const void *value, size_t len);
/** A generic secret of the session from a wrapped one. */
CK_RV flow_unwrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *wrapped, size_t len,
                  CK_OBJECT_HANDLE *ret);
/** CKA_VALUE of a session key; its length. */
size_t flow_value(CK_OBJECT_HANDLE key, void *ret, size_t size);

#endif
