/* SPDX-License-Identifier: MIT */
/* The table of errors. Wording that the reference marks as seen is kept to the letter. */
#include "vaultd/refusal.h"

#include "base/alloc.h"
#include "vaultd/exchange.h"

#include <string.h>

#define NOT_FOUND_HELP                                                                             \
    "A key with (name/id) {1} was not found in this key vault. If you recently deleted this key "  \
    "you may be able to recover it using the correct recovery command. For help resolving this "   \
    "issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
#define GONE(what)                                                                                 \
    "A " what                                                                                      \
    " with (name/id) {1} was not found in this key vault. If you recently deleted this " what      \
    " you may be able to recover it using the correct recovery command. For help resolving "       \
    "this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
#define RECOVERABLE(What, what)                                                                    \
    What                                                                                           \
        " {1} is currently in a deleted but recoverable state, and its name cannot be reused; in " \
        "this state, the " what " can only be recovered or purged."
#define MANAGED(what)                                                                              \
    "Operation \"{1}\" is not allowed on this " what                                               \
    ", since it is associated with a certificate. "                                                \
    "Perform the operation on the corresponding certificate. For more information refer to "       \
    "https://docs.microsoft.com/en-us/azure/key-vault/certificates/about-certificates"             \
    "#composition-of-a-certificate"
#define RBAC_TEXT                                                                                  \
    "Caller is not authorized to perform action on resource.\r\n"                                  \
    "If role assignments, deny assignments or role definitions were changed recently, please "     \
    "observe propagation time.\r\n"                                                                \
    "Caller: appid={1};oid={2};iss=https://sts.windows.net/{3}/\r\n"                               \
    "Action: '{4}'\r\nResource: '{5}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"    \
    "DecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {6};location=local\r\n"

#define FOREIGN_BACKUP                                                                             \
    "Backup blob belongs to a different crypto domain and cannot be used with this instance."
#define BAD(text, count)                                                                           \
    {                                                                                              \
        400, "BadParameter", NULL, text, NULL, NULL, count                                         \
    }
#define FORBIDDEN(inner, text)                                                                     \
    {                                                                                              \
        403, "Forbidden", inner, text, NULL, NULL, 1                                               \
    }

const kvp_refusal_row kvp_refusals[KVP_REFUSAL_COUNT] = {
    [KVP_REFUSE_NO_TOKEN] = { 401, "Unauthorized", NULL,
                              "AKV10000: Request is missing a Bearer or PoP token.", NULL, NULL,
                              0 },
    [KVP_REFUSE_UNKNOWN_TOKEN] = { 401, "Unauthorized", NULL,
                                   "AKV10046: Unable to resolve the key used for signature "
                                   "validation.",
                                   NULL, NULL, 0 },
    [KVP_REFUSE_EXPIRED_TOKEN] = { 401, "Unauthorized", NULL,
                                   "[TokenExpired] Error validating token: 'S2S12086'.", NULL, NULL,
                                   0 },
    [KVP_REFUSE_AUDIENCE] = { 401, "Unauthorized", NULL,
                              "AKV10022: Invalid audience. Expected {1}, found: {2}.", NULL,
                              "Found token with aud={2}, but expected aud={1}", 2 },
    [KVP_REFUSE_RBAC] = { 403, "Forbidden", "ForbiddenByRbac", RBAC_TEXT, "AccessDenied",
                          "Not authorized to access {4} on {7}", 7 },
    [KVP_REFUSE_VAULT] = { 404, "VaultNotFound", NULL,
                           "A vault with name {1} was not found in this keyvaultd.", NULL, NULL,
                           1 },
    [KVP_REFUSE_ROLE_DEFINITION] = { 404, "RoleDefinitionNotFound", NULL,
                                     "Requested role definition not found", NULL, NULL, 0 },
    [KVP_REFUSE_ROLE_ASSIGNMENT] = { 404, "RoleAssignmentNotFound", NULL,
                                     "Requested role assignment not found", NULL, NULL, 0 },
    [KVP_REFUSE_ROLE_BUILT_IN] =
        BAD("Cannot re-use the name/GUID matching that of a built-in role. "
            "Please use a unique role ID.",
            0),
    [KVP_REFUSE_ROLE_EXISTS] = { 409, "RoleAssignmentExists", NULL,
                                 "The role assignment already exists.", NULL, NULL, 0 },
    [KVP_REFUSE_ROLE_VALUE] = BAD("{1}", 1),
    [KVP_REFUSE_SETTING] = { 404, "SettingNotFound", NULL, "Setting not found: {1}", NULL, NULL,
                             1 },
    [KVP_REFUSE_SECURITY_DOMAIN] = { 400, "BadRequest", NULL,
                                     "The security domain of this HSM is bound to its data "
                                     "directory "
                                     "and cannot be transferred",
                                     NULL, NULL, 0 },
    [KVP_REFUSE_API_VERSION] = BAD("The specified version ({1}) is not recognized. Consider using "
                                   "the latest supported version ({2}).",
                                   2),
    [KVP_REFUSE_PATH] = { 404, "NotFound", NULL, "There is no resource at '{1}'.", NULL, NULL, 1 },
    [KVP_REFUSE_METHOD] = { 405, "MethodNotAllowed", NULL,
                            "The requested resource does not support http method '{1}'.", NULL,
                            NULL, 1 },
    [KVP_REFUSE_NAME] = { 400, "BadParameter", NULL,
                          "The request URI contains an invalid name: {1}", NULL,
                          "Invalid key identifier or name", 1 },
    [KVP_REFUSE_TOO_LARGE] = { 413, "RequestEntityTooLarge", NULL, "The request body is too large.",
                               NULL, NULL, 0 },
    [KVP_REFUSE_PROPERTY] = BAD("Property {1} has invalid value\r\n", 1),
    [KVP_REFUSE_MAXRESULTS] = BAD("Invalid maxresults: it must be between 1 and 25.", 0),
    [KVP_REFUSE_TAGS] =
        BAD("Invalid tags: at most 15, names and values of at most 256 characters.", 0),
    [KVP_REFUSE_KTY] = { 400, "BadParameter", "KeyTypeNotSupported", "Invalid kty value: {1}", NULL,
                         NULL, 1 },
    [KVP_REFUSE_KEY_SIZE] = BAD("{1}", 1),
    [KVP_REFUSE_JWK] = BAD("The property \"key\" must be a valid JsonWebKey object.", 0),
    [KVP_REFUSE_JWK_DETAIL] =
        BAD("The property \"key\" must be a valid JsonWebKey object: {1}.", 1),
    [KVP_REFUSE_POLICY_NEEDED] = { 400, "BadParameter", NULL,
                                   "AKV.SKR.1004: Exportable keys must have release policy.", NULL,
                                   "Exportable keys must have release policy", 0 },
    [KVP_REFUSE_POLICY_NEEDLESS] = { 400, "BadParameter", NULL,
                                     "AKV.SKR.1005: Non-exportable keys must not have release "
                                     "policy.",
                                     NULL, "Non-exportable keys must not have release policy", 0 },
    [KVP_REFUSE_POLICY_VERSION] = { 400, "BadParameter", NULL,
                                    "Key Release Policy: missing 'version' property", NULL, NULL,
                                    0 },
    [KVP_REFUSE_POLICY_IMMUTABLE] = { 400, "BadParameter", NULL,
                                      "AKV.SKR.1020: Immutable Key Release Policy cannot be "
                                      "modified.",
                                      NULL, "Immutable Release policy cannot be modified", 0 },
    [KVP_REFUSE_KEY_NOT_FOUND] = { 404, "KeyNotFound", NULL, NOT_FOUND_HELP, NULL,
                                   "Key not found: {2}", 2 },
    [KVP_REFUSE_DELETED_KEY_NOT_FOUND] = { 404, "KeyNotFound", NULL, "Deleted Key not found: {1}",
                                           NULL, "Key not found: {2}", 2 },
    [KVP_REFUSE_KEY_IS_DELETED] = { 409, "Conflict", "ObjectIsDeletedButRecoverable",
                                    "Key {1} is currently in a deleted but recoverable state, and "
                                    "its name cannot be reused; in this state, the key can only be "
                                    "recovered or purged.",
                                    NULL, NULL, 1 },
    [KVP_REFUSE_KEY_DISABLED] =
        FORBIDDEN("KeyDisabled", "Operation {1} is not allowed on a disabled key."),
    [KVP_REFUSE_KEY_EXPIRED] =
        FORBIDDEN("KeyExpired", "Operation {1} is not allowed on an expired key."),
    [KVP_REFUSE_KEY_NOT_YET_VALID] =
        FORBIDDEN("KeyNotYetValid", "Operation {1} is not allowed on a "
                                    "key that is not yet valid."),
    [KVP_REFUSE_KEY_OPERATION] =
        FORBIDDEN("KeyOperationForbidden", "Operation {1} is not permitted on this key."),
    [KVP_REFUSE_VALUE_LENGTH] = BAD("Invalid length of '{1}': {2} bytes. {3} requires {4} bytes, "
                                    "encoded with base64url.",
                                    4),
    [KVP_REFUSE_LENGTH] = BAD("{1}", 1),
    [KVP_REFUSE_ALG_TYPE] =
        BAD("Key and {1} algorithm are incompatible. Key {2} is of type '{3}', and "
            "algorithm '{4}' can only be used with a key of type {5}.",
            5),
    [KVP_REFUSE_ALG_CURVE] = BAD("Key and signing algorithm are incompatible. Key {1} uses curve "
                                 "'{2}', and algorithm '{3}' can only be used with curve '{4}'.",
                                 4),
    [KVP_REFUSE_ALG_SIZE] = BAD("Key and {1} algorithm are incompatible. Key {2} has {3} bits, and "
                                "algorithm '{4}' can only be used with a key of {5} bits.",
                                5),
    [KVP_REFUSE_DECRYPTION] =
        BAD("The value could not be decrypted with this key and algorithm.", 0),
    [KVP_REFUSE_RNG_COUNT] = BAD("GetRandomBytesRequest: count cannot be greater than 128 or less "
                                 "than 1",
                                 0),
    [KVP_REFUSE_SECRET_NOT_FOUND] = { 404, "SecretNotFound", NULL, GONE("secret"), NULL, NULL, 1 },
    [KVP_REFUSE_CERTIFICATE_NOT_FOUND] = { 404, "CertificateNotFound", NULL, GONE("certificate"),
                                           NULL, NULL, 1 },
    [KVP_REFUSE_DELETED_SECRET_NOT_FOUND] = { 404, "SecretNotFound", NULL,
                                              "Deleted Secret not found: {1}", NULL, NULL, 1 },
    [KVP_REFUSE_DELETED_CERTIFICATE_NOT_FOUND] = { 404, "CertificateNotFound", NULL,
                                                   "Deleted Certificate not found: {1}", NULL, NULL,
                                                   1 },
    [KVP_REFUSE_SECRET_IS_DELETED] = { 409, "Conflict", "ObjectIsDeletedButRecoverable",
                                       RECOVERABLE("Secret", "secret"), NULL, NULL, 1 },
    [KVP_REFUSE_CERTIFICATE_IS_DELETED] = { 409, "Conflict", "ObjectIsDeletedButRecoverable",
                                            RECOVERABLE("Certificate", "certificate"), NULL, NULL,
                                            1 },
    [KVP_REFUSE_NOT_DELETED] = { 400, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject",
                                 "{1} exists already: {2}", NULL, NULL, 2 },
    [KVP_REFUSE_SECRET_DISABLED] =
        FORBIDDEN("SecretDisabled", "Operation {1} is not allowed on a disabled secret."),
    [KVP_REFUSE_KEY_MANAGED] = FORBIDDEN("KeyManagedByKeyVault", MANAGED("key")),
    [KVP_REFUSE_SECRET_MANAGED] = FORBIDDEN("SecretManagedByKeyVault", MANAGED("secret")),
    [KVP_REFUSE_NOT_MANAGED] = { 409, "Conflict", NULL,
                                 "A key or secret named {1} exists that is not associated with a "
                                 "certificate.",
                                 NULL, NULL, 1 },
    [KVP_REFUSE_BACKUP_SIZE] =
        BAD("The backup would be too large: there are too many versions of the object.", 0),
    [KVP_REFUSE_RESTORE_CONFLICT] = { 409, "Conflict", NULL,
                                      "There was a conflict restoring the {1} '{2}'. This can "
                                      "happen if either: a second {1} with "
                                      "the same name was created after the first {1} was deleted; "
                                      "thus trying to restore a {1} "
                                      "whose name is already in use. To fix this, rename the "
                                      "second {1} to something else so that "
                                      "the restore works. The second probable cause of this "
                                      "exception is when multiple operations "
                                      "are performed in parallel against the {1}. To avoid this "
                                      "error, perform operations against "
                                      "a {1} in a sequential manner.",
                                      NULL, NULL, 2 },
    [KVP_REFUSE_SECRET_SIZE] =
        BAD("The value of the secret is longer than the {1} bytes allowed.", 1),
    [KVP_REFUSE_SECRET_PFX] = BAD("The value of the secret is no PFX that can be converted.", 0),
    [KVP_REFUSE_PENDING_NOT_FOUND] = { 404, "PendingCertificateNotFound", NULL,
                                       "Pending certificate not found: {1}", NULL, NULL, 1 },
    [KVP_REFUSE_PENDING_IN_PROGRESS] = { 409, "Conflict", NULL,
                                         "A new key vault certificate can not be created or "
                                         "imported "
                                         "while a pending key vault certificate's status is "
                                         "inProgress.",
                                         NULL, NULL, 0 },
    [KVP_REFUSE_PENDING_STATUS] = BAD("The pending certificate's status is {1}.", 1),
    [KVP_REFUSE_ISSUER_NOT_FOUND] = { 404, "CertificateIssuerNotFound", NULL, "Issuer not found",
                                      NULL, NULL, 0 },
    [KVP_REFUSE_ISSUER_NOT_NAMED] = { 404, "CertificateIssuerNotFound", NULL,
                                      "Issuer {1} not found", NULL, NULL, 1 },
    [KVP_REFUSE_CONTACTS_NOT_FOUND] = { 404, "ContactsNotFound", NULL, "Contacts not found", NULL,
                                        NULL, 0 },
    [KVP_REFUSE_MERGE] =
        BAD("Unable to parse X5c certificate chain and locate leaf certificate", 0),
    [KVP_REFUSE_CERTIFICATE] = BAD("{1}", 1),
    [KVP_REFUSE_BACKUP_VERSION] = { 400, "Malformed backup blob", NULL,
                                    "Backup blob contains invalid or corrupt version.",
                                    "MalformedBackupBlob", FOREIGN_BACKUP, 0 },
    [KVP_REFUSE_BACKUP_CORRUPT] = { 400, "Malformed backup blob", NULL, "Backup blob is corrupt.",
                                    "MalformedBackupBlob", FOREIGN_BACKUP, 0 },
    [KVP_REFUSE_NOT_EXPORTABLE] = BAD("AKV.SKR.1006: The key is not exportable.", 0),
    [KVP_REFUSE_ATTESTATION] = { 403, "Forbidden", "AccessDenied",
                                 "Target environment attestation statement cannot be verified.",
                                 NULL, NULL, 0 },
    [KVP_REFUSE_PURGE_PROTECTED] = FORBIDDEN(
        NULL, "Operation \"purge\" is not allowed because purge protection is enabled for this "
              "vault. Key Vault service will automatically purge it after the retention period has "
              "passed.\r\nVault: {1};location=local"),
    [KVP_REFUSE_THROTTLED] = { 429, "Throttled", NULL,
                               "Request was not processed because too many requests were received. "
                               "Reason: VaultRequestTypeLimitReached",
                               NULL, NULL, 0 },
    [KVP_REFUSE_INTERNAL] = { 500, "InternalServerError", NULL,
                              "The request could not be completed because of an internal error.",
                              NULL, NULL, 0 },
};

/* Put @arguments for the `{1}` to `{9}` of @format. */
static kvp_status expand(kvp_buf *dst, const char *format, const char *const *arguments)
{
    kvp_status status = KVP_OK;
    const char *start = format;
    int count = 0;

    while (arguments[count])
        count++;
    for (const char *p = format; *p && status == KVP_OK; p++) {
        if (p[0] != '{' || p[1] < '1' || p[1] > '9' || p[2] != '}')
            continue;
        status = kvp_buf_append(dst, start, (size_t)(p - start));
        if (status == KVP_OK && p[1] - '1' < count)
            status = kvp_buf_append_str(dst, arguments[p[1] - '1']);
        p += 2;
        start = p + 1;
    }
    return status == KVP_OK ? kvp_buf_append_str(dst, start) : status;
}

static json_t *body_of(const char *inner, const char *code, kvp_buf *message)
{
    json_t *text = json_stringn(kvp_buf_str(message), message->len);

    /* A path may hold bytes that are no UTF-8, which JSON cannot carry. */
    if (!text) {
        for (size_t i = 0; i < message->len; i++) {
            if (message->data[i] >= 0x80)
                message->data[i] = '?';
        }
        text = json_stringn(kvp_buf_str(message), message->len);
    }
    json_t *error = json_pack("{s:s, s:o}", "code", code, "message", text);

    if (error && inner &&
        json_object_set_new(error, "innererror", json_pack("{s:s}", "code", inner)) != 0) {
        json_decref(error);
        return NULL;
    }
    return error ? json_pack("{s:o}", "error", error) : NULL;
}

void kvp_refuse_with(kvp_exchange *ex, kvp_refusal what, const char *const *arguments)
{
    const kvp_refusal_row *row = &kvp_refusals[what];
    bool hsm = kvp_exchange_is_hsm(ex);
    const char *code = hsm && row->hsm_code ? row->hsm_code : row->code;
    const char *inner = hsm && row->hsm_code ? NULL : row->inner; /* its codes say it all */
    const char *format = hsm && row->hsm_message ? row->hsm_message : row->message;
    kvp_buf message = KVP_BUF_INIT(16384);
    kvp_status status;

    arguments++; /* the macro's first is only there so that the list is never empty */
    status = expand(&message, format, arguments);
    if (status == KVP_OK && hsm)
        status = kvp_buf_append_fmt(&message, " (Activity ID: %s)", ex->request_id);
    kvp_copy_printable(ex->error_message, sizeof(ex->error_message),
                       status == KVP_OK ? kvp_buf_str(&message) : row->code);
    if (hsm && row->status == 401 && what == KVP_REFUSE_NO_TOKEN) {
        /* A Managed HSM's first challenge has no body, but is labelled as JSON (section 2.1). */
        kvp_buf_clear(&ex->reply);
        ex->status = 401;
    } else {
        kvp_exchange_reply_take(ex, row->status,
                                status == KVP_OK ? body_of(inner, code, &message) : NULL);
    }
    kvp_buf_clear(&message);
}
