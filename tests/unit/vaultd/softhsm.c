/* SPDX-License-Identifier: MIT */
/* The SoftHSM fixture of the vaultd tests. */
#include "config.h"

#include "softhsm.h"

#include "vaultd/token_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *kvp_softhsm_module(void)
{
    static const char *const modules[] = { "/usr/lib/softhsm/libsofthsm2.so",
                                           "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(modules); i++) {
        if (access(modules[i], R_OK) == 0)
            return modules[i];
    }
    return NULL;
}

void kvp_softhsm_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

void kvp_softhsm_open(kvp_test_vault *vault)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(kvp_token_open(kvp_softhsm_module(), kvp_test_path(vault->dir, "pin"), "test",
                                 &vault->daemon.token, &error) == KVP_OK,
                  "%s", error.message);
    kvp_key_cache_use_token(vault->daemon.cache, vault->daemon.token);
}

void kvp_softhsm_make(kvp_test_vault *vault)
{
    char text[900], cwd[400];

    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    snprintf(text, sizeof(text), "directories.tokendir = %s/%s\nobjectstore.backend = file\n", cwd,
             vault->dir);
    kvp_softhsm_write(kvp_test_path(vault->dir, "softhsm2.conf"), text);
    kvp_softhsm_write(kvp_test_path(vault->dir, "pin"), "1234\n");
    ck_assert_int_eq(setenv("SOFTHSM2_CONF", kvp_test_path(vault->dir, "softhsm2.conf"), 1), 0);
    ck_assert_int_eq(system("softhsm2-util --init-token --free --label test --so-pin 12345678 "
                            "--pin 1234 >/dev/null"),
                     0);
    kvp_softhsm_open(vault);
}

void kvp_softhsm_close(kvp_test_vault *vault)
{
    kvp_token *token = vault->daemon.token;

    vault->daemon.token = NULL;
    kvp_test_vault_close(vault); /* the cache goes first: its keys are of the token */
    kvp_token_close(token);
}

size_t kvp_softhsm_count(kvp_test_vault *vault)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(vault->daemon.token);
    CK_OBJECT_HANDLE objects[64];
    CK_SESSION_HANDLE session;
    CK_ULONG count = 0;

    ck_assert_int_eq(kvp_token_take(vault->daemon.token, &session, NULL), KVP_OK);
    ck_assert_int_eq(f->C_FindObjectsInit(session, NULL, 0), CKR_OK);
    ck_assert_int_eq(f->C_FindObjects(session, objects, KVP_ARRAY_LEN(objects), &count), CKR_OK);
    ck_assert_int_eq(f->C_FindObjectsFinal(session), CKR_OK);
    kvp_token_give(vault->daemon.token, session, CKR_OK);
    return count;
}
