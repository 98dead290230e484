/* SPDX-License-Identifier: MIT */
/*
 * A token for the tests of mechanisms and operations: keys are made by OpenSSL, the vault is a
 * double that signs and decrypts with them and counts what it is asked. Objects, sessions and the
 * vault's functions are replaced at link time; mechanisms, operations and the crypto room are real.
 */
#ifndef KVP_TESTS_MECH_FAKE_H
#define KVP_TESTS_MECH_FAKE_H

#include "token/mech_ops.h"

#include <check.h>
#include <openssl/evp.h>

/** The keys of the token: handles from 1 in this order; a private key's public one is FAKE_PUBLIC
 * further. */
typedef enum fake_key {
    FAKE_RSA_2048 = 1,
    FAKE_RSA_3072,
    FAKE_EC_P256,
    FAKE_EC_P384,
    FAKE_EC_P521,
    FAKE_EC_P256K,
    FAKE_KEY_END,
    FAKE_PUBLIC = 20,
    FAKE_HSM_AES_128 = 40, /**< oct-HSM keys: only the double has their value */
    FAKE_HSM_AES_192,
    FAKE_HSM_AES_256,
    FAKE_HSM_UNSIZED,     /**< of 192 bits, but the service does not say so */
    FAKE_SESSION_AES_128, /**< session keys */
    FAKE_SESSION_AES_192,
    FAKE_SESSION_AES_256,
    FAKE_SESSION_GENERIC,
    FAKE_CERTIFICATE,
    FAKE_HANDLE_END,
} fake_key;

struct kvp_object {
    unsigned refs;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    CK_ULONG bits;
    kvp_curve curve;
    kvp_key vault_key;
    bool in_vault;
    bool loaded;
    kvp_public_key *public_key;
    kvp_buf value;            /**< session keys; keys of the HSM, for the double alone */
    CK_ATTRIBUTE_TYPE denied; /**< usage that is FALSE; all others are TRUE */
    EVP_PKEY *pkey;
};

/** What the double was asked, and how it is to answer. */
typedef struct fake_vault {
    unsigned requests;
    kvp_alg alg;
    kvp_crypt crypt;
    struct {
        size_t len;
        uint8_t data[KVP_REMOTE_DATA_MAX];
    } value; /**< of the last request */
    char version[40];
    int fail_http;     /**< answer this status instead */
    size_t answer_len; /**< cut the answer to this length; 0: whole */
    void (*meanwhile)(void);
} fake_vault;
extern fake_vault fake;
extern kvp_config_vault fake_config;
extern kvp_slot fake_slot;
extern kvp_session fake_session;
extern kvp_call fake_call;
/** Objects that C_UnwrapKey made: the last one's value. */
extern kvp_buf fake_unwrapped;

/** Before any test is forked: make the keys, as RSA ones take their time. */
void fake_prepare(void);
/** Checked fixtures: keys, a session, an empty count; and nothing left behind. */
void fake_setup(void);
void fake_teardown(void);
kvp_object *fake_object(CK_OBJECT_HANDLE handle);
/** A fresh fake_call, as the face makes one for each function. */
kvp_call *fake_enter(void);

/** Assert a CK_RV by name. */
#define ck_assert_rv(expr, expected)                                                               \
    do {                                                                                           \
        CK_RV fake_rv_ = (expr);                                                                   \
        ck_assert_msg(fake_rv_ == (expected), "%s: %s instead of %s (%s)", #expr,                  \
                      kvp_ckr_name(fake_rv_), kvp_ckr_name(expected), fake_call.error.message);    \
    } while (0)

/** A mechanism of that type with the parameter that fits it (PSS, OAEP, IV, GCM). Valid until the
 * next call. */
CK_MECHANISM *fake_mechanism(CK_MECHANISM_TYPE type);
/** The first key that @row takes for @kind, from @after on; 0 if there is none. */
CK_OBJECT_HANDLE fake_next_key(const kvp_mechanism *row, kvp_operation_kind kind,
                               CK_OBJECT_HANDLE after);

#endif
