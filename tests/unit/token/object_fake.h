/* SPDX-License-Identifier: MIT */
/*
 * A slot, a session and a vault of the tests' own for the object files: the vault is a table of
 * keys in memory behind the functions of vault.h, counts what it is asked, and fails on demand. The
 * clock stands still; tests move it.
 */
#ifndef KVP_TEST_OBJECT_FAKE_H
#define KVP_TEST_OBJECT_FAKE_H

#include "token/object_store.h"
#include "token/slot.h"

#define FAKE_URL "https://vault.test"
#define FAKE_START_S 1700000000

/** Requests since the last fake_reset. A parallel read of n keys counts as n in `gets` and 1 in
 * `batches`. */
typedef struct fake_counts {
    unsigned gets, batches, lists, creates, imports, updates, deletes;
} fake_counts;
extern fake_counts fake_requests;
unsigned fake_total(void);

typedef struct fake_token {
    kvp_config_vault config;
    kvp_slot slot;
    kvp_session session;  /**< read/write */
    kvp_session reader;   /**< read only */
} fake_token;

/** A fresh token with an empty vault; @hsm: a Managed HSM. */
fake_token *fake_new(bool hsm);
void fake_free(fake_token *token);
/** The vault of every fake_token; shared between the two files of this fake. */
extern kvp_vault *const fake_vault;
void fake_vault_clear(void);
/** A call of the application, all zero. */
kvp_call fake_call(void);
/** Forget the counts. */
void fake_reset(void);
/** Move the clock. */
void fake_sleep(int64_t ms);
/** Let the next @count requests fail with this HTTP status. */
void fake_fail(int http_status, unsigned count);
/** Answer lists with 403. */
void fake_forbid_lists(bool forbid);
/** Only those of certificates and secrets: what an identity that uses keys meets. */
void fake_forbid_others(bool forbid);

/* What other people do to the vault. Names must live. */
void fake_add_rsa(const char *name);
void fake_add_ec(const char *name);
void fake_add_oct(const char *name, uint32_t ops);
void fake_rotate(const char *name);
void fake_set_enabled(const char *name, bool enabled);
void fake_set_tag(const char *name, const char *tag, const char *value);
void fake_remove(const char *name);
/** The vault's own document of a key's current version; NULL if there is none. */
kvp_key *fake_key(const char *name);

/* ---- through the functions of the room ---- */
/** Handles that a search finds, its CK_RV asserted to be CKR_OK. */
size_t fake_find(fake_token *token, const CK_ATTRIBUTE *attrs, CK_ULONG count,
                 CK_OBJECT_HANDLE *ret, size_t max);
/** The only match of class and label. */
CK_OBJECT_HANDLE fake_find_one(fake_token *token, CK_OBJECT_CLASS cls, const char *label);
/** An attribute's bytes in @ret of @size; returns the length, asserts CKR_OK. */
size_t fake_get(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, void *ret,
                size_t size);
/** The CK_RV of asking one attribute by a buffer that is large enough. */
CK_RV fake_get_rv(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type);
bool fake_get_bool(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type);

/** Attributes of templates. */
#define ATTR_BYTES(t, p, n) { (t), (void *)(uintptr_t)(p), (n) }
#define ATTR_TEXT(t, s) { (t), (void *)(uintptr_t)(s), sizeof(s) - 1 }
#define ATTR_VALUE(t, v) { (t), &(v), sizeof(v) }

#define ck_assert_rv(rv, expected)                                                                 \
    do {                                                                                           \
        CK_RV rv_ = (rv);                                                                          \
        CK_RV expected_ = (expected);                                                              \
        ck_assert_msg(rv_ == expected_, "%s is 0x%lx, not 0x%lx", #rv, (unsigned long)rv_,         \
                      (unsigned long)expected_);                                                   \
    } while (0)

#endif
