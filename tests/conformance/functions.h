/* SPDX-License-Identifier: MIT */
/*
 * The functions of the standard as data: a row for each says how to call it where it succeeds, so
 * that the cases which all functions share are walked over all of them. functions.def of the module
 * says which functions there are; one without a row here fails the suite.
 */
#ifndef KVP_TESTS_CONFORMANCE_FUNCTIONS_H
#define KVP_TESTS_CONFORMANCE_FUNCTIONS_H

#include "support/module.h"

#include <stdio.h>

/** One argument. */
typedef union word {
    CK_ULONG u;
    void *p;
} word;

enum { ARGUMENTS_MAX = 10, DATA_LEN = 32 };

/** The keys of a world. */
typedef enum key_name {
    KEY_NONE,
    KEY_EC_PRIVATE, /**< of the vault, P-256 */
    KEY_EC_PUBLIC,
    KEY_RSA_PRIVATE, /**< of the vault, 2048 bits */
    KEY_RSA_PUBLIC,
    KEY_AES,  /**< of the session, 256 bits, extractable */
    KEY_HMAC, /**< of the session, 32 bytes, extractable */
    KEY_COUNT
} key_name;

/** What one thread works with: a session, its keys, its buffers. */
typedef struct world {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE keys[KEY_COUNT]; /**< those that were asked for */
    CK_MECHANISM mechanism;
    CK_ATTRIBUTE attrs[2][8];
    char label[40];
    CK_BYTE data[DATA_LEN];
    CK_BYTE out[1024];
    CK_ULONG out_len;
    CK_GCM_MESSAGE_PARAMS message;
    CK_BYTE message_tag[16];
    CK_BYTE iv[16];
    CK_BYTE saved_state[512];
    CK_OBJECT_HANDLE made[2];
    union {
        CK_BYTE bytes[1024];
        CK_INFO info;
        CK_SLOT_INFO slot;
        CK_TOKEN_INFO token;
        CK_MECHANISM_INFO mechanism;
        CK_SESSION_INFO session;
        CK_ULONG number;
        CK_SESSION_HANDLE handle;
        void *pointer;
    } answer; /**< where functions that fill a structure or a handle put it */
} world;

/** What a function is like, beyond its arguments. */
enum {
    ANYTIME = 1 << 0,   /**< needs no C_Initialize */
    ALONE = 1 << 1,     /**< changes what every thread sees: called without a world by two */
    OPERATION = 1 << 2, /**< CKR_OPERATION_NOT_INITIALIZED without what stands in `after` */
    STARTS = 1 << 3,    /**< CKR_OPERATION_ACTIVE where the operation is active already */
    ENDS = 1 << 4,      /**< an error ends the operation (PKCS#11 v3.1 §5.2, §5.9 to §5.16) */
    WRITES = 1 << 5,    /**< CKR_SESSION_READ_ONLY in a read-only session */
    REMOTE = 1 << 6,    /**< makes a request for a key's use */
    SOMEWHERE = 1 << 7, /**< a NULL mechanism cancels (C_…Init) */
};

typedef struct function_row {
    const char *name; /**< without C_ */
    CK_RV (*call)(const word *v);
    /**
     * A letter an argument: h session, s slot, m mechanism, d data and n its length (also a
     * template and its count), b output buffer and l the pointer to its length, r a pointer that
     * must be there, p one that need not, - any other value; handles, each with the code for a
     * wrong one: k key, o object, w wrapping key, u unwrapping key.
     */
    const char *arguments;
    unsigned traits;
    const char *after[2]; /**< rows that must have been called before; NULL: none */
    CK_MECHANISM_TYPE mechanism;
    key_name key;
    /** Changes what fill_arguments made of the letters; NULL: that is right. */
    void (*fill)(world *w, word *v);
    CK_RV good;  /**< what it answers when all is as it should be */
    CK_RV other; /**< also right where another thread does the same; CKR_OK: nothing else */
} function_row;

extern const function_row function_rows[];
extern const size_t function_row_count;
/** NULL if there is none. */
const function_row *function_row_find(const char *name);

/** One of functions.def. */
typedef struct defined_function {
    const char *name, *how, *parameters;
} defined_function;
extern const defined_function defined_functions[];
extern const size_t defined_function_count;

/**
 * For programs that start no thread: end it as skipped where only those with threads are wanted
 * ($KVP_TESTS_WITH_THREADS: a build for ThreadSanitizer). First in main.
 */
void conformance_without_threads(void);
/** keyvaultd (@kind), the module by C_GetInterface alone, the keys of the rows; in main. */
void conformance_start(const char *kind);
/** Make what the rows read: ciphertexts and signatures; before any test is forked. */
void functions_prepare(void);

/** A session (CKF_RW_SESSION or 0); C_Initialize was called. */
void world_open(world *w, CK_FLAGS flags);
void world_close(world *w);
/** Checked fixtures: C_Initialize and one world; C_Finalize, if it is still needed. */
extern world main_world;
void world_setup(void);
void world_teardown(void);

/** A key of the world's: found or made when it is first asked for. */
CK_OBJECT_HANDLE world_key(world *w, key_name name);
/** The mechanism, with the parameter that it needs, in the world's room. */
void world_mechanism(world *w, CK_MECHANISM_TYPE type);
/** A template of the world's, @which of two; returns how many attributes it has. */
CK_ULONG world_secret_template(world *w, int which, CK_KEY_TYPE type);

/** Call what must come before the row; then its arguments are good. */
void function_begin(world *w, const function_row *row);
void function_fill(world *w, const function_row *row, word *v);
/** begin, fill and call. */
CK_RV function_run(world *w, const function_row *row);
/** End whatever is active in the world's session. */
void world_cancel(world *w);

/** Fails with the function and the case by name. */
#define assert_row_rv(row, what, expected, got)                                                    \
    do {                                                                                           \
        CK_RV want_ = (expected), got_ = (got);                                                    \
        char name_[64];                                                                            \
        snprintf(name_, sizeof(name_), "%s", kvp_ckr_name(got_));                                  \
        ck_assert_msg(want_ == got_, "C_%s, %s: %s, not %s", (row)->name, what, name_,             \
                      kvp_ckr_name(want_));                                                        \
    } while (0)

#endif
