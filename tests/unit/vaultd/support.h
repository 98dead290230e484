/* SPDX-License-Identifier: MIT */
/* What the tests of vaultd share: a throw-away directory, a vault in it, requests without a
 * network. */
#ifndef KVP_TEST_VAULTD_SUPPORT_H
#define KVP_TEST_VAULTD_SUPPORT_H

#include "vaultd/exchange.h"

#include <check.h>

/** A fresh directory under the build directory; removed by kvp_test_remove. */
char *kvp_test_directory(void);
void kvp_test_remove(char *path);
/** `DIR/NAME` in a fixed buffer, good until the next call. */
const char *kvp_test_path(const char *dir, const char *name);
/** All of a file, NUL-terminated; the caller frees with kvp_free. */
char *kvp_test_read(const char *path);

/** A vault with everything but the HTTP front. */
typedef struct kvp_test_vault {
    char *dir;
    kvp_daemon daemon;
    char client_id[KVP_UUID_SIZE];
    char secret[KVP_SECRET_SIZE];
    char token[KVP_SECRET_SIZE]; /**< of the administrator */
    const char *api_version;     /**< of the requests made by kvp_test_call; "7.5" */
    const char *accept;          /**< their Accept; NULL = none */
} kvp_test_vault;

void kvp_test_vault_open(kvp_test_vault *vault, kvp_vault_kind kind);
void kvp_test_vault_close(kvp_test_vault *vault);
/** Close and open the store and cache again, as a restart would. */
void kvp_test_vault_restart(kvp_test_vault *vault);

/** A new principal with the named role; its token goes to @ret_token. */
void kvp_test_principal(kvp_test_vault *vault, const char *name, const char *role,
                        char ret_token[KVP_SECRET_SIZE]);

/** Run a request; @path gets `?api-version=` unless it has a query. @token and @body may be NULL.
 */
kvp_exchange *kvp_test_request(kvp_test_vault *vault, const char *method, const char *path,
                               const char *token, const char *body);

/** The answer of the administrator's request, parsed, after checking its status; NULL without body.
 */
json_t *kvp_test_call(kvp_test_vault *vault, const char *method, const char *path, const char *body,
                      int status);
/** Like it, formatted body. */
json_t *kvp_test_callf(kvp_test_vault *vault, const char *method, const char *path, int status,
                       const char *format, ...) KVP_PRINTF(5, 6);

/** Run a sub-command on the vault's directory, words separated by blanks, as another process would;
 * what it prints goes to @output. */
kvp_status kvp_test_admin(const kvp_test_vault *vault, const char *line, char *output, size_t size,
                          kvp_error *error);

/** A string member by path (`key.kid`); fails the test when it is missing. */
const char *kvp_test_text(const json_t *document, const char *path);
/** Any member by path, or NULL. */
const json_t *kvp_test_at(const json_t *document, const char *path);
/** The names of an object's members, in order, separated by spaces; good until the next call. */
const char *kvp_test_members(const json_t *object);
/** Check `error.code`, `error.innererror.code` (NULL = none) and that the message contains @text.
 * Frees. */
void kvp_test_error(json_t *take, const char *code, const char *inner, const char *text);

/** base64url of @len bytes in a new string (kvp_free). */
char *kvp_test_base64(const void *data, size_t len);

#endif
