/* SPDX-License-Identifier: MIT */
/* A vault, and the requests that all tests of certificates make; each program has its own. */
#ifndef KVP_TEST_VAULTD_CERTIFICATES_H
#define KVP_TEST_VAULTD_CERTIFICATES_H

#include "support.h"

#include "vaultd/x509.h"

#include <stdio.h>
#include <string.h>

#define EC_SELF                                                                                    \
    "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":\"Self\"},"                  \
    "\"x509_props\":{\"subject\":\"CN=x\"}}}"
#define EC_UNKNOWN                                                                                 \
    "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":\"Unknown\"},"               \
    "\"x509_props\":{\"subject\":\"CN=x\"}}}"
#define BASE "https://127.0.0.1:8443"

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static json_t *get(const char *path)
{
    return kvp_test_call(&vault, "GET", path, NULL, 200);
}

static json_t *post(const char *path, const char *body, int status)
{
    return kvp_test_call(&vault, "POST", path, body, status);
}

static void create(const char *name, const char *body)
{
    char path[200];

    snprintf(path, sizeof(path), "/certificates/%s/create", name);
    json_decref(post(path, body, 202));
}

static void decode(const char *text, kvp_buf *ret)
{
    ck_assert_int_eq(kvp_x509_unbase64(text, strlen(text), ret), KVP_OK);
}

#endif
