/* SPDX-License-Identifier: MIT */
/* Keys in use: sign, verify, encrypt, decrypt, wrap, unwrap (wire reference, sections 4.4 and 5),
 * and random bytes. */
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"

#include <openssl/rand.h>
#include <stdio.h>

/** What an operation is called and which rules it follows. */
typedef struct use_rules {
    const char *word; /* in key_ops and messages */
    unsigned use;     /* KVP_USE_ bit its algorithms need */
    const char *sort; /* of algorithm, in messages */
    bool windowed;    /* refused outside nbf..exp */
} use_rules;

static const use_rules sign_rules = { "sign", KVP_USE_SIGN, "signing", true };
static const use_rules verify_rules = { "verify", KVP_USE_SIGN, "signing", false };
static const use_rules encrypt_rules = { "encrypt", KVP_USE_ENCRYPT, "encryption", true };
static const use_rules decrypt_rules = { "decrypt", KVP_USE_ENCRYPT, "encryption", false };
static const use_rules wrap_rules = { "wrapKey", KVP_USE_WRAP, "key wrap", true };
static const use_rules unwrap_rules = { "unwrapKey", KVP_USE_WRAP, "key wrap", false };

/** Everything one operation needs; emptied by finish(). */
typedef struct use {
    kvp_key_record record;
    const kvp_algorithm *alg;
    kvp_engine_key *key;
    char kid[KVP_ID_SIZE];
} use;

static void finish(use *u)
{
    kvp_key_record_clear(&u->record);
    kvp_engine_key_unref(u->key);
}

static bool check_state(kvp_exchange *ex, const use_rules *rules, const kvp_key_record *record)
{
    int64_t now = kvp_ident_now();

    if (!record->enabled) {
        kvp_refuse(ex, KVP_REFUSE_KEY_DISABLED, rules->word);
        return false;
    }
    if (!kvp_key_has_op(record, rules->word)) {
        kvp_refuse(ex, KVP_REFUSE_KEY_OPERATION, rules->word);
        return false;
    }
    if (rules->windowed && record->not_before != KVP_TIME_NONE && now < record->not_before) {
        kvp_refuse(ex, KVP_REFUSE_KEY_NOT_YET_VALID, rules->word);
        return false;
    }
    if (rules->windowed && record->expires != KVP_TIME_NONE && now >= record->expires) {
        kvp_refuse(ex, KVP_REFUSE_KEY_EXPIRED, rules->word);
        return false;
    }
    return true;
}

/* Whether @name is an algorithm of this operation, in this api-version, for this key. */
static bool check_algorithm(kvp_exchange *ex, const use_rules *rules, use *u, const char *name)
{
    static const char *const types[KVP_ENGINE_KIND_COUNT] = { "'RSA' or 'RSA-HSM'",
                                                              "'EC' or 'EC-HSM'",
                                                              "'oct' or 'oct-HSM'" };
    const kvp_algorithm *alg = kvp_algorithm_find(name);
    char has[16], needs[16];

    if (!alg || !(alg->uses & rules->use) || (alg->since && !kvp_exchange_since(ex, alg->since))) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "alg");
        return false;
    }
    ex->algorithm = alg->name;
    u->alg = alg;
    if (alg->kind != u->key->kind) {
        kvp_refuse(ex, KVP_REFUSE_ALG_TYPE, rules->sort, u->kid, u->record.kty, alg->name,
                   types[alg->kind]);
        return false;
    }
    if (alg->curve && u->key->curve != kvp_engine_curve_find(alg->curve)) {
        kvp_refuse(ex, KVP_REFUSE_ALG_CURVE, u->kid, u->key->curve->name, alg->name, alg->curve);
        return false;
    }
    /* AES takes keys of up to 256 bits; longer ones are for HMAC. */
    bool too_long = alg->cipher && u->key->bits > 256;
    if (too_long || (alg->key_bits && alg->key_bits != u->key->bits)) {
        snprintf(has, sizeof(has), "%u", u->key->bits);
        snprintf(needs, sizeof(needs), "%u", alg->key_bits ? alg->key_bits : 256);
        kvp_refuse(ex, KVP_REFUSE_ALG_SIZE, rules->sort, u->kid, has, alg->name, needs);
        return false;
    }
    return true;
}

/* Find the key, check what it allows and fetch its private half. False after refusing. */
static bool begin(kvp_exchange *ex, const use_rules *rules, use *u)
{
    const kvp_daemon *d = ex->daemon;
    kvp_error error = { .status = KVP_OK };
    const char *name = NULL;

    *u = (use){ .alg = NULL };
    if (!kvp_member_string(ex, ex->json, "alg", true, &name))
        return false;
    if (kvp_store_key_get(d->store, &d->vault, ex->name, ex->version, KVP_KEY_LIVE, &u->record,
                          &error) != KVP_OK) {
        kvp_key_missing(ex, KVP_KEY_LIVE, &error);
        return false;
    }
    kvp_key_id(ex, &u->record, true, u->kid, sizeof(u->kid));
    snprintf(ex->subject, sizeof(ex->subject), "%s", u->kid);
    if (!kvp_throttle_key(ex, u->record.kty, u->record.bits, false) ||
        !check_state(ex, rules, &u->record))
        return false;
    if (kvp_key_cache_get(d->cache, d->store, &d->vault, &u->record, &u->key, &error) != KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    return check_algorithm(ex, rules, u, name);
}

static bool check_digest(kvp_exchange *ex, const use *u, const char *member, size_t len)
{
    char has[24], needs[24];

    if (u->alg->digest_len == 0 || u->alg->digest_len == len)
        return true;
    snprintf(has, sizeof(has), "%zu", len);
    snprintf(needs, sizeof(needs), "%u", u->alg->digest_len);
    kvp_refuse(ex, KVP_REFUSE_VALUE_LENGTH, member, has, u->alg->name, needs);
    return false;
}

/* Turn a failure of the engine into an answer. */
static void refuse_use(kvp_exchange *ex, const kvp_error *error)
{
    if (error->status == KVP_ERR_INVALID)
        kvp_refuse(ex, KVP_REFUSE_LENGTH, error->message);
    else if (error->status == KVP_ERR_MISMATCH)
        kvp_refuse(ex, KVP_REFUSE_DECRYPTION);
    else
        kvp_exchange_failed(ex, error);
}

/* `{"kid","value"}`, with "alg" in a Managed HSM; @take_value is taken. */
static json_t *result_of(const kvp_exchange *ex, const use *u, json_t *take_value)
{
    json_t *document = json_pack("{s:s, s:o}", "kid", u->kid, "value", take_value);

    if (document && kvp_exchange_is_hsm(ex))
        json_object_set_new(document, "alg", json_string(u->alg->name));
    return document;
}

void kvp_keys_sign(kvp_exchange *ex)
{
    kvp_buf value = KVP_BUF_INIT_SECRET(0), sig = KVP_BUF_INIT(0);
    kvp_error error = { .status = KVP_OK };
    use u;

    if (begin(ex, &sign_rules, &u) && kvp_member_bytes(ex, ex->json, "value", true, &value) &&
        check_digest(ex, &u, "value", value.len)) {
        if (kvp_engine_sign(u.alg, u.key, value.data, value.len, &sig, &error) == KVP_OK)
            kvp_exchange_reply_take(ex, 200,
                                    result_of(ex, &u, kvp_json_base64url(sig.data, sig.len)));
        else
            refuse_use(ex, &error);
    }
    kvp_buf_clear(&value);
    kvp_buf_clear(&sig);
    finish(&u);
}

void kvp_keys_verify(kvp_exchange *ex)
{
    kvp_buf digest = KVP_BUF_INIT(0), sig = KVP_BUF_INIT(0);
    kvp_error error = { .status = KVP_OK };
    bool valid = false;
    use u;

    if (begin(ex, &verify_rules, &u) && kvp_member_bytes(ex, ex->json, "digest", true, &digest) &&
        kvp_member_bytes(ex, ex->json, "value", true, &sig) &&
        check_digest(ex, &u, "digest", digest.len)) {
        if (kvp_engine_verify(u.alg, u.key, digest.data, digest.len, sig.data, sig.len, &valid,
                              &error) != KVP_OK)
            refuse_use(ex, &error);
        else if (kvp_exchange_is_hsm(ex))
            kvp_exchange_reply_take(ex, 200, result_of(ex, &u, json_boolean(valid)));
        else
            kvp_exchange_reply_take(ex, 200, json_pack("{s:b}", "value", valid));
    }
    kvp_buf_clear(&digest);
    kvp_buf_clear(&sig);
    finish(&u);
}

/* iv, tag and aad of an encryption's answer: what the algorithm has of them. */
static bool add_extra(json_t *document, const kvp_algorithm *alg, const kvp_engine_extra *extra)
{
    bool has_iv = alg->ops == &kvp_ops_aes_cbc || alg->ops == &kvp_ops_aes_gcm;

    if (has_iv &&
        json_object_set_new(document, "iv", kvp_json_base64url(extra->iv.data, extra->iv.len)) != 0)
        return false;
    if (alg->ops != &kvp_ops_aes_gcm)
        return true;
    return json_object_set_new(document, "tag",
                               kvp_json_base64url(extra->tag.data, extra->tag.len)) == 0 &&
           (extra->aad.len == 0 ||
            json_object_set_new(document, "aad",
                                kvp_json_base64url(extra->aad.data, extra->aad.len)) == 0);
}

static void cipher(kvp_exchange *ex, const use_rules *rules, bool encrypt)
{
    kvp_buf value = KVP_BUF_INIT_SECRET(0), out = KVP_BUF_INIT_SECRET(0);
    kvp_engine_extra extra = { KVP_BUF_INIT(0), KVP_BUF_INIT(0), KVP_BUF_INIT(0) };
    kvp_error error = { .status = KVP_OK };
    use u;

    if (begin(ex, rules, &u) && kvp_member_bytes(ex, ex->json, "value", true, &value) &&
        kvp_member_bytes(ex, ex->json, "iv", false, &extra.iv) &&
        kvp_member_bytes(ex, ex->json, "aad", false, &extra.aad) &&
        kvp_member_bytes(ex, ex->json, "tag", false, &extra.tag)) {
        kvp_status status =
            encrypt ? kvp_engine_encrypt(u.alg, u.key, value.data, value.len, &extra, &out, &error)
                    : kvp_engine_decrypt(u.alg, u.key, value.data, value.len, &extra, &out, &error);
        if (status == KVP_OK) {
            json_t *document = result_of(ex, &u, kvp_json_base64url(out.data, out.len));
            if (document && encrypt && !add_extra(document, u.alg, &extra)) {
                json_decref(document);
                document = NULL;
            }
            kvp_exchange_reply_take(ex, 200, document);
        } else {
            refuse_use(ex, &error);
        }
    }
    kvp_engine_extra_clear(&extra);
    kvp_buf_clear(&value);
    kvp_buf_clear(&out);
    finish(&u);
}

void kvp_keys_encrypt(kvp_exchange *ex)
{
    cipher(ex, &encrypt_rules, true);
}

void kvp_keys_decrypt(kvp_exchange *ex)
{
    cipher(ex, &decrypt_rules, false);
}

void kvp_keys_wrap(kvp_exchange *ex)
{
    cipher(ex, &wrap_rules, true);
}

void kvp_keys_unwrap(kvp_exchange *ex)
{
    cipher(ex, &unwrap_rules, false);
}

void kvp_hsm_random(kvp_exchange *ex)
{
    json_int_t count = 0;
    uint8_t bytes[128];

    if (!kvp_member_integer(ex, ex->json, "count", true, &count))
        return;
    if (count < 1 || count > (json_int_t)sizeof(bytes)) {
        kvp_refuse(ex, KVP_REFUSE_RNG_COUNT);
        return;
    }
    if (RAND_priv_bytes(bytes, (int)count) != 1) {
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
        return;
    }
    kvp_exchange_reply_take(ex, 200,
                            json_pack("{s:o}", "value", kvp_json_base64url(bytes, (size_t)count)));
    kvp_wipe(bytes, sizeof(bytes));
}
