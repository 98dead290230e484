/* SPDX-License-Identifier: MIT */
/*
 * A configured vault as slot and token. All that is told here is known without asking the vault, so
 * that a browser's start never waits for one that is out of reach.
 */
#include "token/slot.h"

#include "crypto/crypto.h"
#include "token/module.h"
#include "token/object.h"

#include <stdio.h>
#include <string.h>

#define MANUFACTURER "Azure Key Vault"
/*
 * Any PIN is taken where none is needed; pkcs11-tool and others compare with this before they ask.
 */
#define MAX_PIN_LEN 255

void kvp_copy_padded(unsigned char *dst, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len > size) {
        len = size;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memset(dst, ' ', size);
    memcpy(dst, text, len);
}

static kvp_status make_serial(const char *url, char serial[17])
{
    uint8_t digest[KVP_HASH_MAX_LEN];
    kvp_status status = kvp_digest_once(KVP_HASH_SHA256, url, strlen(url), digest);

    if (status != KVP_OK)
        return status;
    for (size_t i = 0; i < 8; i++)
        snprintf(serial + 2 * i, 3, "%02x", digest[i]);
    return KVP_OK;
}

static kvp_status make_vault(const kvp_config_vault *config, kvp_vault **ret, kvp_error *reterr)
{
    const kvp_credential_settings credential = {
        .kind = config->credential ? config->credential : "default",
        .tenant = config->tenant,
        .client_id = config->client_id,
        .client_secret = config->client_secret,
        .client_secret_file = config->client_secret_file,
        .client_certificate = config->client_certificate,
        .token_file = config->token_file,
        .authority = config->authority,
        .ca_file = config->ca_file,
        .timeout_ms = config->timeout_ms,
    };
    const kvp_vault_options options = {
        .url = config->url,
        .api_version = config->api_version,
        .authority = config->authority,
        .tenant = config->tenant,
        .ca_file = config->ca_file,
        .max_connections = config->max_connections,
        .timeout_ms = config->timeout_ms,
    };
    kvp_identity *identity = NULL;
    kvp_status status = kvp_identity_new(&credential, &identity, reterr);

    if (status != KVP_OK)
        return status;
    return kvp_vault_new(&options, identity, ret, reterr);
}

kvp_status kvp_slot_init(kvp_slot *slot, kvp_module *module, CK_SLOT_ID id,
                         const kvp_config_vault *config)
{
    kvp_status status;

    slot->id = id;
    slot->module = module;
    slot->config = config;
    status = kvp_lock_init(&slot->lock, KVP_RANK_SLOT);
    if (status != KVP_OK)
        return status;
    status = make_serial(config->url, slot->serial);
    if (status != KVP_OK) {
        kvp_error_set(&slot->vault_error, status, "computing the token's serial number failed");
        return status == KVP_ERR_NO_MEMORY ? status : KVP_OK;
    }
    status = make_vault(config, &slot->vault, &slot->vault_error);
    if (status != KVP_OK)
        return status == KVP_ERR_NO_MEMORY ? status : KVP_OK;
    slot->objects = kvp_object_store_new(slot);
    return slot->objects ? KVP_OK : KVP_ERR_NO_MEMORY;
}

void kvp_slot_clear(kvp_slot *slot, bool forget)
{
    if (!forget) {
        kvp_object_store_free(slot->objects);
        kvp_vault_free(slot->vault);
    }
    kvp_lock_clear(&slot->lock);
}

CK_RV kvp_slot_token_present(kvp_call *call, const kvp_slot *slot)
{
    if (slot->vault)
        return CKR_OK;
    call->error = slot->vault_error;
    call->kind = KVP_CALL_TOKEN;
    return CKR_TOKEN_NOT_PRESENT;
}

/* `7.4` as a version; anything else is 0.0. */
static CK_VERSION parse_version(const char *text)
{
    CK_VERSION version = { 0, 0 };
    unsigned major, minor;

    if (text && sscanf(text, "%3u.%3u", &major, &minor) == 2 && major < 256 && minor < 256) {
        version.major = (unsigned char)major;
        version.minor = (unsigned char)minor;
    }
    return version;
}

void kvp_slot_info(const kvp_slot *slot, CK_SLOT_INFO *ret)
{
    memset(ret, 0, sizeof(*ret));
    kvp_copy_padded(ret->slotDescription, sizeof(ret->slotDescription), slot->config->url);
    kvp_copy_padded(ret->manufacturerID, sizeof(ret->manufacturerID), MANUFACTURER);
    if (slot->vault)
        ret->flags |= CKF_TOKEN_PRESENT;
    ret->firmwareVersion = parse_version(PACKAGE_VERSION);
}

void kvp_slot_token_info(kvp_slot *slot, CK_TOKEN_INFO *ret)
{
    const kvp_config_vault *config = slot->config;

    memset(ret, 0, sizeof(*ret));
    kvp_copy_padded(ret->label, sizeof(ret->label), config->name);
    kvp_copy_padded(ret->manufacturerID, sizeof(ret->manufacturerID), MANUFACTURER);
    kvp_copy_padded(ret->model, sizeof(ret->model), config->managed_hsm ? "managed-hsm" : "vault");
    kvp_copy_padded(ret->serialNumber, sizeof(ret->serialNumber), slot->serial);
    /* Only digests are saved, which have no key. */
    ret->flags =
        CKF_TOKEN_INITIALIZED | CKF_RNG | CKF_DUAL_CRYPTO_OPERATIONS | CKF_RESTORE_KEY_NOT_NEEDED;
    if (config->read_only)
        ret->flags |= CKF_WRITE_PROTECTED;
    ret->ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
    ret->ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
    kvp_lock_take(&slot->lock);
    ret->ulSessionCount = slot->session_count;
    ret->ulRwSessionCount = slot->rw_session_count;
    kvp_lock_give(&slot->lock);
    ret->ulMaxPinLen = MAX_PIN_LEN;
    ret->ulMinPinLen = 0;
    ret->ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
    ret->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
    ret->ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
    ret->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
    /* The service has no other version than that of its API. */
    ret->firmwareVersion = parse_version(config->api_version);
    kvp_copy_padded(ret->utcTime, sizeof(ret->utcTime), ""); /* no CKF_CLOCK_ON_TOKEN */
}

CK_RV kvp_slot_login(kvp_slot *slot, kvp_session *session, CK_USER_TYPE user)
{
    CK_RV rv = CKR_OK;

    /* No key has CKA_ALWAYS_AUTHENTICATE, so an operation that is going on needs nothing more. */
    if (user == CKU_CONTEXT_SPECIFIC)
        return kvp_session_is_working(session) ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
    if (user != CKU_USER && user != CKU_SO)
        return CKR_USER_TYPE_INVALID;
    kvp_lock_take(&slot->lock);
    if (user == CKU_SO) {
        /* A vault knows no security officer; what would bar one goes first (PKCS#11 v3.2 §5.6.8).
         */
        if (slot->logged_in)
            rv = CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
        else if (slot->session_count > slot->rw_session_count)
            rv = CKR_SESSION_READ_ONLY_EXISTS;
        else
            rv = CKR_USER_TYPE_INVALID;
    } else if (slot->logged_in) {
        rv = CKR_USER_ALREADY_LOGGED_IN;
    } else {
        slot->logged_in = true;
        slot->user = user;
    }
    kvp_lock_give(&slot->lock);
    return rv;
}

CK_RV kvp_slot_logout(kvp_slot *slot)
{
    CK_RV rv = CKR_OK;

    kvp_lock_take(&slot->lock);
    if (slot->logged_in)
        slot->logged_in = false;
    else
        rv = CKR_USER_NOT_LOGGED_IN;
    kvp_lock_give(&slot->lock);
    if (rv == CKR_OK)
        kvp_object_store_logged_out(slot->objects);
    return rv;
}
