/* SPDX-License-Identifier: MIT */
/* A vault in memory behind the functions of vault.h that the object files call. */
#include "tests/unit/token/object_fake.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 512

struct kvp_vault {
    kvp_key *keys[KEYS_MAX]; /* every version, the current one of a name last */
    size_t count;
    unsigned versions;
    int fail_status;
    unsigned fail_count;
    bool no_lists, no_others;
};
static struct kvp_vault the_vault;
kvp_vault *const fake_vault = &the_vault;
fake_counts fake_requests;

void fake_vault_clear(void)
{
    for (size_t i = 0; i < the_vault.count; i++)
        kvp_key_free(the_vault.keys[i]);
    memset(&the_vault, 0, sizeof(the_vault));
}

void fake_fail(int http_status, unsigned count)
{
    the_vault.fail_status = http_status;
    the_vault.fail_count = count;
}

void fake_forbid_lists(bool forbid)
{
    the_vault.no_lists = forbid;
}

void fake_forbid_others(bool forbid)
{
    the_vault.no_others = forbid;
}

static kvp_status http_error(kvp_error *reterr, int status, const char *code)
{
    kvp_error_set(reterr, KVP_ERR_HTTP, "the test's vault says no");
    reterr->http_status = status;
    kvp_copy_printable(reterr->code, sizeof(reterr->code), code);
    return KVP_ERR_HTTP;
}

static bool fails(kvp_error *reterr, kvp_status *ret)
{
    if (!the_vault.fail_count)
        return false;
    the_vault.fail_count--;
    *ret = http_error(reterr, the_vault.fail_status, "Test");
    return true;
}

static kvp_key *lookup(const char *name, const char *version)
{
    for (size_t i = the_vault.count; i-- > 0;) {
        kvp_key *key = the_vault.keys[i];
        if (kvp_name_compare(key->name, name) == 0 &&
            (!version || !version[0] || strcmp(key->version, version) == 0))
            return key;
    }
    return NULL;
}

kvp_key *fake_key(const char *name)
{
    return lookup(name, NULL);
}

/* A test that names a key that is not there is wrong itself. */
static kvp_key *live(const char *name)
{
    kvp_key *key = lookup(name, NULL);
    if (!key)
        abort();
    return key;
}

static int64_t now_s(void)
{
    return kvp_clock_wall_us() / 1000000;
}

/* A new version of a name. Every version has its own numbers. */
static kvp_key *add(const char *name, kvp_kty kty, kvp_curve curve, uint32_t ops, unsigned bits)
{
    kvp_key *key = kvp_calloc(1, sizeof(*key));
    ck_assert_ptr_nonnull(key);
    ck_assert_uint_lt(the_vault.count, KEYS_MAX);
    unsigned number = ++the_vault.versions;
    key->name = kvp_strdup(name);
    key->version = kvp_asprintf("%032x", number);
    key->id = kvp_asprintf(FAKE_URL "/keys/%s/%s", name, key->version);
    key->has_material = true;
    key->kty = kty;
    key->ops = ops;
    key->key_bits = bits;
    key->attributes.enabled = true;
    key->attributes.created = key->attributes.updated = now_s();
    if (kty == KVP_KTY_RSA) {
        uint8_t n[512];
        memset(n, 0xc5, sizeof(n));
        memcpy(n + 8, &number, sizeof(number));
        ck_assert_int_eq(kvp_buf_set(&key->n, n, bits / 8), KVP_OK);
        ck_assert_int_eq(kvp_buf_set(&key->e, "\x01\x00\x01", 3), KVP_OK);
    } else if (kty == KVP_KTY_EC) {
        /* The base point of P-256 (SEC 2 §2.4.2). */
        static const uint8_t x[] = { 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47,
                                     0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
                                     0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0,
                                     0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96 };
        static const uint8_t y[] = { 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b,
                                     0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
                                     0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce,
                                     0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };
        key->curve = curve;
        ck_assert_int_eq(kvp_buf_set(&key->x, x, sizeof(x)), KVP_OK);
        ck_assert_int_eq(kvp_buf_set(&key->y, y, sizeof(y)), KVP_OK);
    }
    the_vault.keys[the_vault.count++] = key;
    return key;
}

#define RSA_OPS                                                                                    \
    (KVP_OP_SIGN | KVP_OP_VERIFY | KVP_OP_ENCRYPT | KVP_OP_DECRYPT | KVP_OP_WRAP | KVP_OP_UNWRAP)

void fake_add_rsa(const char *name)
{
    add(name, KVP_KTY_RSA, KVP_CURVE_NONE, RSA_OPS, 2048);
}

void fake_add_ec(const char *name)
{
    add(name, KVP_KTY_EC, KVP_CURVE_P256, KVP_OP_SIGN | KVP_OP_VERIFY, 256);
}

void fake_add_oct(const char *name, uint32_t ops)
{
    add(name, KVP_KTY_OCT, KVP_CURVE_NONE, ops, 0);
}

void fake_rotate(const char *name)
{
    kvp_key *old = live(name);
    kvp_key *fresh = add(old->name, old->kty, old->curve, old->ops, old->key_bits);
    for (size_t i = 0; i < old->tag_count; i++) {
        fresh->tags = kvp_realloc(fresh->tags, (i + 1) * sizeof(*fresh->tags));
        fresh->tags[i].name = kvp_strdup(old->tags[i].name);
        fresh->tags[i].value = kvp_strdup(old->tags[i].value);
        fresh->tag_count = i + 1;
    }
}

void fake_set_enabled(const char *name, bool enabled)
{
    kvp_key *key = live(name);
    key->attributes.enabled = enabled;
    key->attributes.updated = now_s();
}

void fake_set_tag(const char *name, const char *tag, const char *value)
{
    kvp_key *key = live(name);
    key->tags = kvp_realloc(key->tags, (key->tag_count + 1) * sizeof(*key->tags));
    key->tags[key->tag_count].name = kvp_strdup(tag);
    key->tags[key->tag_count].value = kvp_strdup(value);
    key->tag_count++;
    key->attributes.updated = now_s();
}

void fake_remove(const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < the_vault.count; i++) {
        kvp_key *key = the_vault.keys[i];
        if (kvp_name_compare(key->name, name) == 0)
            kvp_key_free(key);
        else
            the_vault.keys[kept++] = key;
    }
    the_vault.count = kept;
}

/* ---- vault.h ---- */

static kvp_status answer(kvp_key *key, kvp_key **ret, kvp_error *reterr)
{
    if (!key)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "copying a key");
    *ret = key;
    return KVP_OK;
}

kvp_status kvp_vault_key_get(kvp_vault *vault, const char *name, const char *version,
                             kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    (void)vault;
    (void)trace;
    kvp_status st;
    fake_requests.gets++;
    if (fails(reterr, &st))
        return st;
    kvp_key *key = lookup(name, version);
    if (!key)
        return http_error(reterr, 404, "KeyNotFound");
    return answer(kvp_key_copy(key), ret, reterr);
}

kvp_status kvp_vault_get(kvp_vault *vault, kvp_collection collection, const char *name,
                         const char *version, kvp_trace *trace, kvp_entry **ret, kvp_error *reterr)
{
    kvp_key *key = NULL;
    if (collection != KVP_KEYS) {
        fake_requests.gets++;
        return http_error(reterr, vault->no_others ? 403 : 404, "Test");
    }
    kvp_status st = kvp_vault_key_get(vault, name, version, trace, &key, reterr);
    if (st == KVP_OK)
        *ret = &key->entry;
    return st;
}

kvp_status kvp_vault_get_many(kvp_vault *vault, kvp_vault_read *reads, size_t count,
                              kvp_trace *trace, kvp_error *reterr)
{
    kvp_error one;
    fake_requests.batches++;
    kvp_status st;
    if (fails(reterr, &st))
        return st;
    for (size_t i = 0; i < count; i++)
        (void)kvp_vault_get(vault, reads[i].collection, reads[i].name, reads[i].version, trace,
                            &reads[i].result, &one);
    return KVP_OK;
}

kvp_status kvp_vault_list(kvp_vault *vault, kvp_collection collection, kvp_trace *trace,
                          kvp_entry_list *ret, kvp_error *reterr)
{
    (void)trace;
    kvp_status st;
    fake_requests.lists++;
    if (fails(reterr, &st))
        return st;
    if (vault->no_lists || (vault->no_others && collection != KVP_KEYS))
        return http_error(reterr, 403, "Forbidden");
    for (size_t i = 0; i < vault->count && collection == KVP_KEYS; i++) {
        if (vault->keys[i] != lookup(vault->keys[i]->name, NULL))
            continue;
        kvp_key *item = kvp_key_copy(vault->keys[i]);
        if (!item)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "copying a key");
        item->id[strlen(FAKE_URL "/keys/") + strlen(item->name)] = '\0';
        item->version[0] = '\0';
        item->has_material = false;
        item->kty = KVP_KTY_UNKNOWN;
        item->ops = 0;
        item->key_bits = 0;
        item->curve = KVP_CURVE_NONE;
        st = kvp_entry_list_take(ret, &item->entry);
        if (st != KVP_OK)
            return kvp_error_set(reterr, st, "listing a key");
    }
    return KVP_OK;
}

kvp_status kvp_vault_versions(kvp_vault *vault, kvp_collection collection, const char *name,
                              kvp_trace *trace, kvp_entry_list *ret, kvp_error *reterr)
{
    (void)trace;
    kvp_status st;
    fake_requests.lists++;
    if (fails(reterr, &st))
        return st;
    for (size_t i = 0; i < vault->count && collection == KVP_KEYS; i++) {
        if (kvp_name_compare(vault->keys[i]->name, name) != 0)
            continue;
        kvp_key *item = kvp_key_copy(vault->keys[i]);
        if (!item || kvp_entry_list_take(ret, &item->entry) != KVP_OK)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "listing a key");
    }
    return KVP_OK;
}

kvp_status kvp_vault_list_many(kvp_vault *vault, kvp_vault_listing *listings, size_t count,
                               kvp_trace *trace, kvp_error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        kvp_vault_listing *l = &listings[i];
        kvp_status st = l->versions_of ? kvp_vault_versions(vault, l->collection, l->versions_of,
                                                            trace, &l->list, reterr)
                                       : kvp_vault_list(vault, l->collection, trace, &l->list,
                                                        reterr);
        if (st == KVP_ERR_HTTP && reterr->http_status == 403) {
            l->refused = 403;
            l->error = *reterr;
        } else if (st != KVP_OK) {
            return st;
        }
    }
    return KVP_OK;
}

kvp_status kvp_vault_secret_get(kvp_vault *vault, const char *name, const char *version,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr)
{
    (void)vault, (void)name, (void)version, (void)trace, (void)ret;
    return http_error(reterr, 404, "SecretNotFound");
}

static void take_tags(kvp_key *key, const kvp_tag *tags, size_t count)
{
    for (size_t i = 0; i < key->tag_count; i++) {
        kvp_free(key->tags[i].name);
        kvp_free(key->tags[i].value);
    }
    key->tag_count = 0;
    key->tags = kvp_realloc(key->tags, (count + 1) * sizeof(*tags));
    for (size_t i = 0; i < count; i++) {
        key->tags[i].name = kvp_strdup(tags[i].name);
        key->tags[i].value = kvp_strdup(tags[i].value);
        key->tag_count++;
    }
}

kvp_status kvp_vault_key_create(kvp_vault *vault, const char *name, const kvp_key_create *create,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    (void)vault;
    (void)trace;
    kvp_status st;
    fake_requests.creates++;
    if (fails(reterr, &st))
        return st;
    uint32_t ops = create->ops;
    if (!ops)
        ops = create->kty == KVP_KTY_EC ? KVP_OP_SIGN | KVP_OP_VERIFY : RSA_OPS;
    unsigned bits = create->kty == KVP_KTY_OCT ? 0 : create->key_bits;
    if (create->kty == KVP_KTY_EC)
        bits = kvp_curves[create->curve].bits;
    kvp_key *key = add(name, create->kty, create->curve, ops, bits);
    key->hsm = create->hsm;
    key->attributes.not_before = create->not_before;
    key->attributes.expires = create->expires;
    take_tags(key, create->tags, create->tag_count);
    *ret = kvp_key_copy(key);
    return KVP_OK;
}

kvp_status kvp_vault_update(kvp_vault *vault, kvp_collection collection, const char *name,
                            const char *version, const kvp_key_update *update, kvp_trace *trace,
                            kvp_entry **ret, kvp_error *reterr)
{
    (void)vault;
    (void)trace;
    kvp_status st;
    ck_assert_int_eq(collection, KVP_KEYS); /* this vault has nothing else */
    fake_requests.updates++;
    if (fails(reterr, &st))
        return st;
    kvp_key *key = lookup(name, version);
    if (!key)
        return http_error(reterr, 404, "KeyNotFound");
    if (update->set_ops)
        key->ops = update->ops;
    if (update->set_enabled)
        key->attributes.enabled = update->enabled;
    if (update->set_not_before)
        key->attributes.not_before = update->not_before;
    if (update->set_expires)
        key->attributes.expires = update->expires;
    if (update->set_tags)
        take_tags(key, update->tags, update->tag_count);
    key->attributes.updated = now_s();
    kvp_key *copy = kvp_key_copy(key);
    ck_assert_ptr_nonnull(copy);
    *ret = &copy->entry;
    return KVP_OK;
}

kvp_status kvp_vault_delete(kvp_vault *vault, kvp_collection collection, const char *name,
                            kvp_trace *trace, kvp_error *reterr)
{
    (void)vault;
    (void)trace;
    kvp_status st;
    ck_assert_int_eq(collection, KVP_KEYS);
    fake_requests.deletes++;
    if (fails(reterr, &st))
        return st;
    if (!lookup(name, NULL))
        return http_error(reterr, 404, "KeyNotFound");
    fake_remove(name);
    return KVP_OK;
}

kvp_status kvp_vault_key_import(kvp_vault *vault, const char *name, const kvp_key_import *import,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    const kvp_key *from = import->key;
    kvp_status st;
    (void)vault;
    (void)trace;
    fake_requests.imports++;
    if (fails(reterr, &st))
        return st;
    uint32_t ops = from->ops;
    if (!ops)
        ops = from->kty == KVP_KTY_EC ? KVP_OP_SIGN | KVP_OP_VERIFY : RSA_OPS;
    kvp_key *key = add(name, from->kty, from->curve, ops, from->key_bits);
    ck_assert_int_eq(kvp_buf_set(&key->n, from->n.data, from->n.len), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&key->e, from->e.data, from->e.len), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&key->x, from->x.data, from->x.len), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&key->y, from->y.data, from->y.len), KVP_OK);
    key->hsm = import->hsm;
    key->attributes.not_before = from->attributes.not_before;
    key->attributes.expires = from->attributes.expires;
    take_tags(key, from->tags, from->tag_count);
    if (from->kty == KVP_KTY_OCT)
        key->key_bits = 0;
    *ret = kvp_key_copy(key);
    return KVP_OK;
}

/* Of certificates and secrets it knows that it has none. */
kvp_status kvp_vault_secret_set(kvp_vault *vault, const char *name, const kvp_secret_set *set,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr)
{
    (void)vault, (void)name, (void)set, (void)trace, (void)ret;
    return http_error(reterr, 501, "NotInThisTest");
}

kvp_status kvp_vault_certificate_pending(kvp_vault *vault, const char *name, kvp_trace *trace,
                                         kvp_certificate_pending *ret, kvp_error *reterr)
{
    (void)vault, (void)name, (void)trace, (void)ret;
    return http_error(reterr, 404, "PendingCertificateNotFound");
}

kvp_status kvp_vault_certificate_merge(kvp_vault *vault, const char *name,
                                       const kvp_certificate_merge *merge, kvp_trace *trace,
                                       kvp_certificate **ret, kvp_error *reterr)
{
    (void)vault, (void)name, (void)merge, (void)trace, (void)ret;
    return http_error(reterr, 501, "NotInThisTest");
}

/* ---- what only operations call ---- */

const char *kvp_alg_name(kvp_alg alg)
{
    (void)alg;
    return "";
}

size_t kvp_alg_digest_len(kvp_alg alg)
{
    (void)alg;
    return 0;
}

kvp_status kvp_vault_sign(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                          const void *value, size_t len, kvp_trace *trace, kvp_buf *ret_sig,
                          kvp_error *reterr)
{
    (void)vault, (void)name, (void)version, (void)alg, (void)value, (void)len, (void)trace;
    (void)ret_sig;
    return http_error(reterr, 501, "NotInThisTest");
}

kvp_status kvp_vault_verify(kvp_vault *vault, const char *name, const char *version, kvp_alg alg,
                            const void *digest, size_t len, const void *sig, size_t sig_len,
                            kvp_trace *trace, kvp_error *reterr)
{
    (void)vault, (void)name, (void)version, (void)alg, (void)digest, (void)len, (void)sig;
    (void)sig_len, (void)trace;
    return http_error(reterr, 501, "NotInThisTest");
}

kvp_status kvp_vault_crypt(kvp_vault *vault, kvp_crypt what, const char *name, const char *version,
                           kvp_alg alg, const void *in, size_t in_len, const kvp_buf *iv,
                           const kvp_buf *aad, const kvp_buf *tag, kvp_trace *trace,
                           kvp_operation_result *ret, kvp_error *reterr)
{
    (void)vault, (void)what, (void)name, (void)version, (void)alg, (void)in, (void)in_len;
    (void)iv, (void)aad, (void)tag, (void)trace, (void)ret;
    return http_error(reterr, 501, "NotInThisTest");
}
