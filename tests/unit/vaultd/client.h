/* SPDX-License-Identifier: MIT */
/* A small HTTPS client that sets itself up from a data directory's kvpkcs11.conf, as a user would.
 */
#ifndef KVP_TEST_VAULTD_CLIENT_H
#define KVP_TEST_VAULTD_CLIENT_H

#include "base/buf.h"

#include <curl/curl.h>
#include <jansson.h>

typedef struct kvp_test_client {
    CURL *curl;
    char url[300], tenant[40], client_id[40], secret[64], token[64], ca_file[512];
    kvp_buf body;
    kvp_buf headers; /**< of the last answer, as they came */
} kvp_test_client;

/** Read url, tenant, client_id, client_secret and ca.pem of @dir. False when the file lacks
 * something. */
bool kvp_test_client_open(kvp_test_client *client, const char *dir);
void kvp_test_client_close(kvp_test_client *client);

/**
 * Send a request and read the answer. @path is a path or a whole URL; it gets an api-version unless
 * it has a query. Returns the HTTP status, or 0 when the connection failed.
 */
long kvp_test_client_send(kvp_test_client *client, const char *method, const char *path,
                          const char *content_type, const char *body);
/** Get a token from the authority that the challenge to an unauthenticated request names. */
bool kvp_test_client_sign_in(kvp_test_client *client);
/** The last answer's body, parsed. */
json_t *kvp_test_client_json(const kvp_test_client *client);

#endif
