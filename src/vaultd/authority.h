/* SPDX-License-Identifier: MIT */
/* The token endpoint's errors, as a table, and its form reader; the handlers are in routes.h. */
#ifndef KVP_VAULTD_AUTHORITY_H
#define KVP_VAULTD_AUTHORITY_H

#include "base/cleanup.h"
#include "base/error.h"
#include "vaultd/ident.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum kvp_signin_failure {
    KVP_SIGNIN_SECRET,           /**< client id */
    KVP_SIGNIN_CLIENT,           /**< client id */
    KVP_SIGNIN_TENANT,           /**< tenant */
    KVP_SIGNIN_PARAMETER,        /**< name of the field */
    KVP_SIGNIN_CREDENTIAL,       /**< grant type */
    KVP_SIGNIN_GRANT,            /**< grant type */
    KVP_SIGNIN_SCOPE,            /**< scope */
    KVP_SIGNIN_RESOURCE,         /**< resource */
    KVP_SIGNIN_ASSERTION_FORM,   /**< client id, here and below unless said */
    KVP_SIGNIN_ASSERTION_CLIENT, /**< `sub` */
    KVP_SIGNIN_ASSERTION_CERTIFICATE,
    KVP_SIGNIN_ASSERTION_SIGNATURE,
    KVP_SIGNIN_ASSERTION_AUDIENCE, /**< `aud` */
    KVP_SIGNIN_ASSERTION_TIME,
    KVP_SIGNIN_ASSERTION_REPLAY,
    KVP_SIGNIN_FEDERATED_ISSUER,   /**< `iss` */
    KVP_SIGNIN_FEDERATED_SUBJECT,  /**< `sub` */
    KVP_SIGNIN_FEDERATED_AUDIENCE, /**< `aud` */
    KVP_SIGNIN_BUSY,
    KVP_SIGNIN_COUNT
} kvp_signin_failure;

/** A row an error: HTTP status, AADSTS number, `error`, sentence with one %s. */
typedef struct kvp_signin_error {
    int status;
    long code;
    const char *error;
    const char *message;
} kvp_signin_error;
extern const kvp_signin_error kvp_signin_errors[KVP_SIGNIN_COUNT];

struct kvp_daemon;
struct kvp_principal;
/**
 * A new access token for @principal: its text (the caller wipes it), remembered in the daemon's
 * store for the daemon's token lifetime. KVP_ERR_CRYPTO or the store's errors.
 */
kvp_status kvp_authority_issue(const struct kvp_daemon *daemon,
                               const struct kvp_principal *principal, const char *resource,
                               char ret_token[KVP_SECRET_SIZE], kvp_error *reterr);
/** Whether tokens for @resource (made canonical: no port, no slash at its end) are issued. */
bool kvp_authority_has_resource(const struct kvp_daemon *daemon, char *resource);

/** The decoded value of field @name of a form; false if absent, malformed or longer than @size. */
bool kvp_form_field(const char *form, const char *name, char *dst, size_t size);

#endif
