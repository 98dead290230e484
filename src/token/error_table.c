/* SPDX-License-Identifier: MIT */
/*
 * From what went wrong below to the CK_RV that the application gets and the sentence that its
 * administrator reads. The first row that fits decides, so the particular stands before the
 * general. Codes are those of the wire reference, section 9.
 */
#include "token/call.h"

#include <string.h>

#define ANY_STATUS 0
#define ANY_KIND (-1)

#define ADVICE_ROLE                                                                                \
    "Give the identity a role that allows this operation on the vault (Key Vault Crypto User to "  \
    "use keys, Key Vault Crypto Officer to create and delete them), or correct its access policy."
#define ADVICE_CREDENTIAL                                                                          \
    "The authority refused the credential: check tenant, client_id and the secret or certificate " \
    "in the configuration, and whether it has expired."
#define ADVICE_GONE                                                                                \
    "The object was deleted, or never existed in this version: search again, or recover it."
#define ADVICE_LATER "The service is overloaded or being maintained: try again later."
#define ADVICE_MEMORY "The process is out of memory."

const kvp_error_row kvp_error_rows[] = {
    /* Refused by the service. */
    { KVP_ERR_HTTP, 401, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The vault does not accept a fresh token: check that tenant and authority are those of the "
      "vault." },
    { KVP_ERR_HTTP, 401, NULL, ANY_KIND, CKR_FUNCTION_REJECTED,
      "The vault does not accept a fresh token: check that tenant and authority are those of the "
      "vault." },
    { KVP_ERR_HTTP, 403, "+KeyDisabled", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "Enable this version of the key in the vault, or use another key." },
    { KVP_ERR_HTTP, 403, "+KeyExpired", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The key's expiry date has passed: rotate the key, or set another date." },
    { KVP_ERR_HTTP, 403, "+KeyNotYetValid", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The key's activation date lies ahead: wait, or set another date." },
    { KVP_ERR_HTTP, 403, "+KeyOperationForbidden", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The key's permitted operations do not include this one: add it to the key in the vault." },
    { KVP_ERR_HTTP, 403, "+ForbiddenByFirewall", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The vault's firewall does not let this address in: add it to the vault's network rules." },
    { KVP_ERR_HTTP, 403, "+ForbiddenByFirewall", ANY_KIND, CKR_FUNCTION_REJECTED,
      "The vault's firewall does not let this address in: add it to the vault's network rules." },
    { KVP_ERR_HTTP, 403, "+ForbiddenByConnection", KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED,
      "The vault is closed to the public network: connect through its private endpoint." },
    { KVP_ERR_HTTP, 403, "+ForbiddenByConnection", ANY_KIND, CKR_FUNCTION_REJECTED,
      "The vault is closed to the public network: connect through its private endpoint." },
    { KVP_ERR_HTTP, 403, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, ADVICE_ROLE },
    { KVP_ERR_HTTP, 403, NULL, ANY_KIND, CKR_FUNCTION_REJECTED, ADVICE_ROLE },

    /* Not there. */
    { KVP_ERR_HTTP, 404, "VaultNotFound", ANY_KIND, CKR_DEVICE_ERROR,
      "No vault has this name: check the url in the configuration." },
    { KVP_ERR_HTTP, 404, NULL, KVP_CALL_KEY, CKR_KEY_HANDLE_INVALID, ADVICE_GONE },
    { KVP_ERR_HTTP, 404, NULL, KVP_CALL_OBJECT, CKR_OBJECT_HANDLE_INVALID, ADVICE_GONE },
    { KVP_ERR_HTTP, 404, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The server does not know this operation: check that the url names a vault." },

    /* Not as it can be done. */
    { KVP_ERR_HTTP, 400, NULL, KVP_CALL_CREATE, CKR_ATTRIBUTE_VALUE_INVALID,
      "The vault cannot make such an object: names have letters, digits and hyphens, at most 127; "
      "RSA keys 2048, 3072 or 4096 bits." },
    { KVP_ERR_HTTP, 400, NULL, ANY_KIND, CKR_FUNCTION_FAILED,
      "The vault found the request wrong; its message says why." },
    { KVP_ERR_HTTP, 409, "+ObjectIsDeletedButRecoverable", ANY_KIND, CKR_FUNCTION_REJECTED,
      "A deleted object keeps this name: recover it, purge it, or choose another name." },
    { KVP_ERR_HTTP, 409, NULL, ANY_KIND, CKR_FUNCTION_REJECTED,
      "Another operation on this object is not finished: try again later." },

    /* The service itself. */
    { KVP_ERR_HTTP, 429, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The vault's limit of requests was reached for longer than the timeout: spread the load, or "
      "raise the timeout." },
    { KVP_ERR_HTTP, 500, NULL, ANY_KIND, CKR_DEVICE_ERROR, ADVICE_LATER },
    { KVP_ERR_HTTP, 502, NULL, ANY_KIND, CKR_DEVICE_ERROR, ADVICE_LATER },
    { KVP_ERR_HTTP, 503, NULL, ANY_KIND, CKR_DEVICE_ERROR, ADVICE_LATER },
    { KVP_ERR_HTTP, 504, NULL, ANY_KIND, CKR_DEVICE_ERROR, ADVICE_LATER },
    { KVP_ERR_HTTP, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The server did not answer as a vault does: check the url, and any proxy on the way." },

    /* No token: refused by the authority, or no answer from it. */
    { KVP_ERR_AUTH, 400, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 400, NULL, ANY_KIND, CKR_FUNCTION_REJECTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 401, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 401, NULL, ANY_KIND, CKR_FUNCTION_REJECTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 403, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 403, NULL, ANY_KIND, CKR_FUNCTION_REJECTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 404, NULL, KVP_CALL_KEY, CKR_KEY_FUNCTION_NOT_PERMITTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, 404, NULL, ANY_KIND, CKR_FUNCTION_REJECTED, ADVICE_CREDENTIAL },
    { KVP_ERR_AUTH, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "No token could be had: check that the authority can be reached from here and that the "
      "credential's source is there." },
    /* What objects refuse on their own: object_change.c, generate.c. */
    { KVP_ERR_REFUSED, ANY_STATUS, "KeyExists", ANY_KIND, CKR_ATTRIBUTE_VALUE_INVALID,
      "Choose another label, or have the vault rotate the key that is there." },
    { KVP_ERR_REFUSED, ANY_STATUS, "HiddenName", ANY_KIND, CKR_ATTRIBUTE_VALUE_INVALID,
      "Choose a label that the setting keys shows, or widen that setting." },
    { KVP_ERR_REFUSED, ANY_STATUS, "WrongPlace", ANY_KIND, CKR_TEMPLATE_INCONSISTENT,
      "Private keys live in the vault, secret keys in a Managed HSM or in the session." },
    { KVP_ERR_REFUSED, ANY_STATUS, "NoSecrets", ANY_KIND, CKR_TEMPLATE_INCONSISTENT,
      "Certificates and data objects are kept as secrets of a vault: the settings certificates and "
      "secrets must show them." },
    { KVP_ERR_REFUSED, ANY_STATUS, "PublicKey", ANY_KIND, CKR_ACTION_PROHIBITED,
      "A vault keeps both as one: destroy the private key, and the public key goes with it." },
    { KVP_ERR_REFUSED, ANY_STATUS, "NewerVersion", ANY_KIND, CKR_ACTION_PROHIBITED,
      "A vault deletes all versions of a name: search again, and destroy the newest." },
    { KVP_ERR_REFUSED, ANY_STATUS, "ManagedKey", ANY_KIND, CKR_ACTION_PROHIBITED,
      "The key belongs to a certificate: change or delete the certificate." },
    { KVP_ERR_REFUSED, ANY_STATUS, "Issuer", ANY_KIND, CKR_ACTION_PROHIBITED,
      "The vault keeps it with the certificate that it issued: change or delete that one." },
    { KVP_ERR_REFUSED, ANY_STATUS, "BadValue", ANY_KIND, CKR_ATTRIBUTE_VALUE_INVALID,
      "A key in a vault cannot have this value: its usage, label, id and dates can be set." },
    { KVP_ERR_REFUSED, ANY_STATUS, NULL, ANY_KIND, CKR_FUNCTION_REJECTED,
      "For safety nothing was sent: check url and authority in the configuration." },

    /* No answer at all. */
    { KVP_ERR_NETWORK, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "Check the url, name resolution, firewalls and proxies between here and the vault." },
    { KVP_ERR_TLS, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The server's certificate is not trusted: name its authority with ca_file, or correct the "
      "url." },
    { KVP_ERR_TIMEOUT, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The vault did not answer within the timeout: check the network, or raise the timeout." },
    { KVP_ERR_PARSE, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The answer is not what a vault sends: check the url, and any proxy on the way." },
    { KVP_ERR_TOO_LARGE, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "The answer is larger than any a vault sends: check the url, and any proxy on the way." },

    /* Here. */
    { KVP_ERR_NOT_FOUND, ANY_STATUS, NULL, KVP_CALL_KEY, CKR_KEY_HANDLE_INVALID, ADVICE_GONE },
    { KVP_ERR_NOT_FOUND, ANY_STATUS, NULL, ANY_KIND, CKR_OBJECT_HANDLE_INVALID, ADVICE_GONE },
    { KVP_ERR_NO_MEMORY, ANY_STATUS, NULL, ANY_KIND, CKR_HOST_MEMORY, ADVICE_MEMORY },
    { KVP_ERR_CONFIG, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "Correct the configuration; `kvpkcs11 doctor` shows what is wrong." },
    { KVP_ERR_IO, ANY_STATUS, NULL, ANY_KIND, CKR_DEVICE_ERROR,
      "A local file or program failed: check that it is there and that this user may use it." },
    { KVP_ERR_MISMATCH, ANY_STATUS, NULL, KVP_CALL_KEY, CKR_SIGNATURE_INVALID,
      "The signature does not belong to these data and this key." },
    { KVP_ERR_UNSUPPORTED, ANY_STATUS, NULL, ANY_KIND, CKR_FUNCTION_NOT_SUPPORTED,
      "The service has no such operation." },
    { KVP_ERR_CLOSED, ANY_STATUS, NULL, ANY_KIND, CKR_CRYPTOKI_NOT_INITIALIZED,
      "The application ended its use of the module while the call was in flight." },
    { KVP_ERR_CRYPTO, ANY_STATUS, NULL, ANY_KIND, CKR_FUNCTION_FAILED,
      "Local cryptography failed: check the installation of OpenSSL." },
    { KVP_ERR_INVALID, ANY_STATUS, NULL, ANY_KIND, CKR_FUNCTION_FAILED,
      "The vault cannot do this with these values." },
    { KVP_ERR_MISMATCH, ANY_STATUS, NULL, ANY_KIND, CKR_FUNCTION_FAILED,
      "What the vault answered does not fit what was asked." },
    { KVP_ERR_INTERNAL, ANY_STATUS, NULL, ANY_KIND, CKR_GENERAL_ERROR,
      "This is a mistake in libkvpkcs11: please report it." },

    { KVP_OK, ANY_STATUS, NULL, ANY_KIND, CKR_GENERAL_ERROR,
      "This is a mistake in libkvpkcs11: please report it." },
};

static bool code_fits(const char *wanted, const kvp_error *error)
{
    if (!wanted)
        return true;
    if (wanted[0] == '+')
        return strcmp(wanted + 1, error->inner_code) == 0;
    return strcmp(wanted, error->code) == 0;
}

const kvp_error_row *kvp_error_row_find(const kvp_error *error, kvp_call_kind kind)
{
    const kvp_error_row *row;

    for (row = kvp_error_rows; row->status != KVP_OK; row++)
        if (row->status == error->status &&
            (row->http_status == ANY_STATUS || row->http_status == error->http_status) &&
            (row->kind == ANY_KIND || row->kind == (int)kind) && code_fits(row->code, error))
            break;
    return row;
}
