/* SPDX-License-Identifier: MIT */
/* Keys as documents: create, import, get, update (wire reference, section 4). */
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"
#include "vaultd/token_hsm.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define EXCHANGE_KEY_LIFE_S 172800

/* The defaults of a new version. */
static void record_init(kvp_exchange *ex, kvp_key_record *record)
{
    *record = (kvp_key_record){ .enabled = true,
                                .not_before = KVP_TIME_NONE,
                                .expires = KVP_TIME_NONE,
                                .deleted = KVP_TIME_NONE,
                                .purge = KVP_TIME_NONE };
    snprintf(record->name, sizeof(record->name), "%s", ex->name);
    record->created = record->updated = kvp_ident_now();
}

/* What the vault calls the key: an HSM makes every type an HSM one, whatever was asked. */
static bool read_type(kvp_exchange *ex, const json_t *holder, bool hsm_wanted,
                      kvp_key_record *record, kvp_engine_kind *ret_kind)
{
    static const char *const names[KVP_ENGINE_KIND_COUNT] = { "RSA", "EC", "oct" };
    const char *kty = NULL;
    bool hsm;

    if (!kvp_member_string(ex, holder, "kty", false, &kty))
        return false;
    if (!kty || !kvp_key_type(kty, ret_kind, &hsm)) {
        if (kty || ex->route->handler == kvp_keys_create)
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, kty ? "" : "kty");
        else
            kvp_refuse(ex, KVP_REFUSE_JWK);
        return false;
    }
    if (*ret_kind == KVP_ENGINE_OCT && !kvp_exchange_is_hsm(ex)) {
        if (hsm) /* recorded so for oct-HSM, quoted so for oct */
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "");
        else
            kvp_refuse(ex, KVP_REFUSE_KTY, kty);
        return false;
    }
    hsm = hsm || hsm_wanted || kvp_exchange_is_hsm(ex);
    snprintf(record->kty, sizeof(record->kty), "%s%s", names[*ret_kind], hsm ? "-HSM" : "");
    return true;
}

/* A name whose key is deleted is refused before a key is made for nothing. */
static bool name_is_free(kvp_exchange *ex)
{
    kvp_key_record deleted = { .row = 0 };
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, ex->name, NULL,
                                          KVP_KEY_DELETED, &deleted, &error);

    if (status == KVP_ERR_NOT_FOUND)
        return true;
    if (status == KVP_OK)
        kvp_refuse(ex, KVP_REFUSE_KEY_IS_DELETED, deleted.name);
    else
        kvp_exchange_failed(ex, &error);
    kvp_key_record_clear(&deleted);
    return false;
}

kvp_status kvp_key_store_version(const kvp_daemon *daemon, const kvp_vault_info *vault,
                                 kvp_key_record *record, kvp_engine_key *key, kvp_error *reterr)
{
    kvp_buf material = KVP_BUF_INIT_SECRET(0);
    kvp_status status;

    record->bits = key->bits;
    record->in_token = key->in_token != NULL;
    if (!record->public_json)
        record->public_json = kvp_key_public_json(key, NULL);
    if (!record->ops_json)
        record->ops_json = kvp_strdup(kvp_key_default_ops(key->kind));
    if (!record->public_json || !record->ops_json || kvp_ident_version(record->version) != KVP_OK)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "making a key version");
    else
        status = kvp_engine_save(key, &material, reterr);
    if (status == KVP_OK)
        status =
            kvp_store_key_add(daemon->store, vault, record, material.data, material.len, reterr);
    kvp_buf_clear(&material);
    if (status == KVP_OK)
        kvp_key_cache_put(daemon->cache, record->row, key);
    else /* nothing names what the token was given for it */
        kvp_token_discard(key);
    return status;
}

void kvp_key_add_version(kvp_exchange *ex, kvp_key_record *record, kvp_engine_key *key)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_key_store_version(ex->daemon, &ex->daemon->vault, record, key, &error);

    if (status == KVP_ERR_REFUSED)
        kvp_refuse(ex, KVP_REFUSE_KEY_IS_DELETED, record->name);
    else if (status == KVP_ERR_UNSUPPORTED) /* a certificate came between */
        kvp_refuse(ex, KVP_REFUSE_KEY_MANAGED, "create");
    else if (status != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        kvp_key_answer(ex, record);
}

/* Where a key of type @kty is to live: the token, or NULL for here. */
static kvp_token *home_of(const kvp_exchange *ex, const char *kty)
{
    return strchr(kty, '-') ? ex->daemon->token : NULL;
}

static bool generate_rsa(kvp_exchange *ex, kvp_token *token, kvp_engine_key **ret_key,
                         kvp_error *reterr)
{
    json_int_t bits = 2048, exponent = 65537;

    if (!kvp_member_integer(ex, ex->json, "key_size", false, &bits) ||
        !kvp_member_integer(ex, ex->json, "public_exponent", false, &exponent))
        return false;
    if (exponent != 65537 && exponent != 3) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "public_exponent");
        return false;
    }
    /* Out of range becomes a size there is none of, not another one. */
    unsigned size = bits > 0 && bits < 100000 ? (unsigned)bits : 0;
    if (token)
        return kvp_token_generate_rsa(token, size, (unsigned)exponent, ret_key, reterr) == KVP_OK;
    return kvp_engine_generate_rsa(size, (unsigned)exponent, ret_key, reterr) == KVP_OK;
}

static bool generate_ec(kvp_exchange *ex, kvp_token *token, kvp_engine_key **ret_key,
                        kvp_error *reterr)
{
    const char *crv = "P-256";

    if (!kvp_member_string(ex, ex->json, "crv", false, &crv))
        return false;
    const kvp_engine_curve *curve = kvp_engine_curve_find(crv);
    if (!curve) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "crv");
        return false;
    }
    if (token)
        return kvp_token_generate_ec(token, curve, ret_key, reterr) == KVP_OK;
    return kvp_engine_generate_ec(curve, ret_key, reterr) == KVP_OK;
}

static bool generate_oct(kvp_exchange *ex, kvp_token *token, kvp_engine_key **ret_key,
                         kvp_error *reterr)
{
    json_int_t bits = 256;

    if (!kvp_member_integer(ex, ex->json, "key_size", false, &bits))
        return false;
    bool aes = bits == 128 || bits == 192 || bits == 256;
    bool hmac = (bits == 384 || bits == 512) && kvp_exchange_since(ex, "7.6-preview.1");
    unsigned size = aes || hmac ? (unsigned)bits : 0;
    if (token)
        return kvp_token_generate_oct(token, size, ret_key, reterr) == KVP_OK;
    return kvp_engine_generate_oct(size, ret_key, reterr) == KVP_OK;
}

/* A size that is none is refused later, for what it is. */
static bool throttle_creation(kvp_exchange *ex, const char *kty)
{
    json_int_t bits = json_integer_value(json_object_get(ex->json, "key_size"));

    return kvp_throttle_key(ex, kty, bits > 0 && bits < 100000 ? (unsigned)bits : 2048, true);
}

/* What a request for a new key leaves open. A vault's key exchange key ends after two days, and a
 * new symmetric key may do all that there is (both recorded). False without memory, after refusing.
 */
static bool complete_record(kvp_exchange *ex, kvp_engine_kind kind, kvp_key_record *record)
{
    static const char all_ops[] = "[\"wrapKey\",\"unwrapKey\",\"encrypt\",\"decrypt\",\"sign\","
                                  "\"verify\",\"deriveKey\"]";

    if (!record->ops_json && kind == KVP_ENGINE_OCT && !(record->ops_json = kvp_strdup(all_ops))) {
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        return false;
    }
    if (!kvp_exchange_is_hsm(ex) && record->expires == KVP_TIME_NONE && record->ops_json &&
        kvp_key_has_op(record, "import"))
        record->expires = record->created + EXCHANGE_KEY_LIFE_S;
    return true;
}

void kvp_keys_create(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_engine_key_freep) kvp_engine_key *key = NULL;
    kvp_error error = { .status = KVP_OK };
    kvp_engine_kind kind;
    unsigned fields = 0;
    kvp_key_record record;

    record_init(ex, &record);
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    if (!read_type(ex, ex->json, false, &record, &kind) ||
        !kvp_key_read_ops(ex, ex->json, &record, &fields) ||
        !kvp_key_read_attributes(ex, ex->json, &record, &fields) ||
        !kvp_key_read_tags(ex, ex->json, &record, &fields) ||
        !kvp_key_read_policy(ex, ex->json, &record, &fields) ||
        !complete_record(ex, kind, &record) || !name_is_free(ex) ||
        !throttle_creation(ex, record.kty))
        return;
    kvp_token *home = home_of(ex, record.kty);
    bool made = kind == KVP_ENGINE_RSA  ? generate_rsa(ex, home, &key, &error)
                : kind == KVP_ENGINE_EC ? generate_ec(ex, home, &key, &error)
                                        : generate_oct(ex, home, &key, &error);
    if (made)
        kvp_key_add_version(ex, owner, key);
    else if (error.status == KVP_ERR_INVALID)
        kvp_refuse(ex, KVP_REFUSE_KEY_SIZE, error.message);
    else if (error.status != KVP_OK)
        kvp_exchange_failed(ex, &error);
}

/* Exchange *key for its copy in the token. */
static bool move_home(kvp_exchange *ex, const char *kty, kvp_engine_key **key)
{
    kvp_error error = { .status = KVP_OK };
    kvp_engine_key *moved = NULL;

    if (kvp_token_import(home_of(ex, kty), *key, &moved, &error) != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    kvp_engine_key_unref(*key);
    *key = moved;
    return true;
}

void kvp_keys_import(kvp_exchange *ex)
{
    KVP_CLEANUP(kvp_engine_key_freep) kvp_engine_key *key = NULL;
    kvp_engine_kind kind;
    const json_t *jwk;
    bool hsm = false;
    unsigned fields = 0;
    kvp_key_record record;

    record_init(ex, &record);
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    if (!kvp_member_object(ex, ex->json, "key", &jwk))
        return;
    if (!jwk) {
        kvp_refuse(ex, KVP_REFUSE_JWK);
        return;
    }
    if (!kvp_member_boolean(ex, ex->json, "Hsm", &hsm) ||
        !kvp_member_boolean(ex, ex->json, "hsm", &hsm) ||
        !read_type(ex, jwk, hsm, &record, &kind) || !kvp_key_read_ops(ex, jwk, &record, &fields) ||
        !kvp_key_read_attributes(ex, ex->json, &record, &fields) ||
        !kvp_key_read_tags(ex, ex->json, &record, &fields) ||
        !kvp_key_read_policy(ex, ex->json, &record, &fields) || !name_is_free(ex) ||
        !kvp_jwk_import(ex, jwk, kind, &key) || !kvp_throttle_key(ex, record.kty, key->bits, true))
        return;
    if (home_of(ex, record.kty) && !move_home(ex, record.kty, &key))
        return;
    /* The curve keeps the name it came with, be it the old one (recorded). */
    if (kind == KVP_ENGINE_EC)
        record.public_json =
            kvp_key_public_json(key, json_string_value(json_object_get(jwk, "crv")));
    kvp_key_add_version(ex, owner, key);
}

bool kvp_key_find(kvp_exchange *ex, kvp_key_record *record)
{
    kvp_error error = { .status = KVP_OK };

    if (kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, ex->name, ex->version,
                          KVP_KEY_LIVE, record, &error) == KVP_OK)
        return true;
    kvp_key_missing(ex, KVP_KEY_LIVE, &error);
    return false;
}

void kvp_keys_get(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };

    if (kvp_key_find(ex, &record)) {
        kvp_key_answer(ex, &record);
        kvp_key_record_clear(&record);
    }
}

void kvp_keys_update(kvp_exchange *ex)
{
    kvp_key_record record = { .row = 0 };
    KVP_CLEANUP(kvp_key_record_freep) kvp_key_record *owner = &record;
    kvp_error error = { .status = KVP_OK };
    unsigned fields = 0;

    if (!kvp_key_find(ex, owner))
        return;
    bool exportable = record.exportable;
    if (!kvp_key_read_ops(ex, ex->json, owner, &fields) ||
        !kvp_key_read_attributes(ex, ex->json, owner, &fields) ||
        !kvp_key_read_tags(ex, ex->json, owner, &fields))
        return;
    record.exportable = exportable; /* fixed for good when the version was made */
    if (!kvp_key_read_policy(ex, ex->json, owner, &fields))
        return;
    record.updated = kvp_ident_now();
    /* The row may have changed meanwhile: what is answered is what is stored now. */
    char version[KVP_VERSION_SIZE];
    snprintf(version, sizeof(version), "%s", record.version);
    kvp_status status =
        kvp_store_key_update(ex->daemon->store, &ex->daemon->vault, owner, fields, &error);
    if (status == KVP_OK) {
        kvp_key_record_clear(owner);
        status = kvp_store_key_get(ex->daemon->store, &ex->daemon->vault, ex->name, version,
                                   KVP_KEY_LIVE, owner, &error);
    }
    if (status == KVP_OK)
        kvp_key_answer(ex, owner);
    else
        kvp_key_missing(ex, KVP_KEY_LIVE, &error);
}
