/* SPDX-License-Identifier: MIT */
/* Key pairs of the token: made, brought in, found again. */
#include "vaultd/token_internal.h"

#include "base/alloc.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <string.h>

KVP_DEFINE_FREEP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
KVP_DEFINE_FREEP(OSSL_PARAM, OSSL_PARAM_free);
KVP_DEFINE_FREEP(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
KVP_DEFINE_FREEP(BIGNUM, BN_clear_free);

/* What all private keys here have: nobody can read them, nobody without the PIN can use them. */
static void private_template(kvp_token_template *t, const uint8_t *id, bool rsa)
{
    kvp_token_add_flag(t, CKA_TOKEN, true);
    kvp_token_add_flag(t, CKA_PRIVATE, true);
    kvp_token_add_flag(t, CKA_SENSITIVE, true);
    kvp_token_add_flag(t, CKA_EXTRACTABLE, false);
    kvp_token_add_flag(t, CKA_SIGN, true);
    kvp_token_add_flag(t, CKA_DECRYPT, rsa);
    kvp_token_add_flag(t, CKA_UNWRAP, false); /* of other keys of the token */
    kvp_token_add(t, CKA_ID, id, KVP_TOKEN_ID);
    kvp_token_add(t, CKA_LABEL, KVP_TOKEN_LABEL, sizeof(KVP_TOKEN_LABEL) - 1);
}

static void public_template(kvp_token_template *t, const uint8_t *id, bool rsa)
{
    kvp_token_add_flag(t, CKA_TOKEN, true);
    kvp_token_add_flag(t, CKA_VERIFY, true);
    kvp_token_add_flag(t, CKA_ENCRYPT, rsa);
    kvp_token_add(t, CKA_ID, id, KVP_TOKEN_ID);
    kvp_token_add(t, CKA_LABEL, KVP_TOKEN_LABEL, sizeof(KVP_TOKEN_LABEL) - 1);
}

/* The curve's object identifier in DER, as CKA_EC_PARAMS has it. */
static kvp_status curve_parameters(const kvp_engine_curve *curve, kvp_buf *ret, kvp_error *reterr)
{
    unsigned char *der = NULL;
    int len = i2d_ASN1_OBJECT(OBJ_nid2obj(OBJ_sn2nid(curve->openssl)), &der);

    if (len <= 0)
        return kvp_engine_failed(reterr, "naming a curve");
    kvp_status status = kvp_buf_append(ret, der, (size_t)len);
    OPENSSL_free(der);
    return status == KVP_OK ? KVP_OK : kvp_error_set(reterr, status, "curve");
}

/* CKA_EC_POINT is the point in an OCTET STRING (PKCS#11 v3.1 §6.3.3); some modules leave that away.
 */
static void unwrap_point(kvp_buf *point, const kvp_engine_curve *curve)
{
    size_t raw = 1 + 2 * (size_t)curve->width;

    if (point->len > raw && point->data[0] == 4) {
        memmove(point->data, point->data + point->len - raw, raw);
        point->len = raw;
    }
}

/* The row whose parameters are @der. */
static const kvp_engine_curve *curve_of(const kvp_buf *der)
{
    for (size_t i = 0; i < kvp_engine_curve_count; i++) {
        kvp_buf own = KVP_BUF_INIT(0);
        bool same = curve_parameters(&kvp_engine_curves[i], &own, NULL) == KVP_OK &&
                    own.len == der->len && memcmp(own.data, der->data, own.len) == 0;
        kvp_buf_clear(&own);
        if (same)
            return &kvp_engine_curves[i];
    }
    return NULL;
}

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *bld)
{
    KVP_CLEANUP(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    KVP_CLEANUP(EVP_PKEY_CTX_freep)
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return pkey;
}

/* The public half as OpenSSL has it; for EC also the curve. */
static EVP_PKEY *public_half(const kvp_token *token, CK_SESSION_HANDLE session,
                             CK_OBJECT_HANDLE object, kvp_engine_kind kind,
                             const kvp_engine_curve **ret_curve, CK_RV *rv)
{
    KVP_CLEANUP(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *n = NULL;
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *e = NULL;
    bool rsa = kind == KVP_ENGINE_RSA;
    kvp_buf first = KVP_BUF_INIT(2048), second = KVP_BUF_INIT(2048);
    EVP_PKEY *pkey = NULL;

    *rv = kvp_token_read(token, session, object, rsa ? CKA_MODULUS : CKA_EC_PARAMS, &first);
    if (*rv == CKR_OK)
        *rv = kvp_token_read(token, session, object, rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT,
                             &second);
    if (*rv == CKR_OK && bld && rsa) {
        n = BN_bin2bn(first.data, (int)first.len, NULL);
        e = BN_bin2bn(second.data, (int)second.len, NULL);
        if (n && e && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
            OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
            pkey = build("RSA", bld);
    } else if (*rv == CKR_OK && bld && (*ret_curve = curve_of(&first)) != NULL) {
        unwrap_point(&second, *ret_curve);
        if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, (*ret_curve)->openssl,
                                            0) == 1 &&
            OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, second.data,
                                             second.len) == 1)
            pkey = build("EC", bld);
    }
    kvp_buf_clear(&first);
    kvp_buf_clear(&second);
    ERR_clear_error();
    return pkey;
}

/* The engine key for the pair of @id, found in the token. */
static kvp_status find_pair(kvp_token *token, CK_SESSION_HANDLE session, kvp_engine_kind kind,
                            const uint8_t *id, kvp_engine_key **ret_key, CK_RV *rv,
                            kvp_error *reterr)
{
    const kvp_engine_curve *curve = NULL;
    CK_OBJECT_HANDLE private = kvp_token_find(token, session, CKO_PRIVATE_KEY, NULL, id, rv);
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;

    if (*rv == CKR_OK)
    public = kvp_token_find(token, session, CKO_PUBLIC_KEY, NULL, id, rv);
    if (*rv != CKR_OK)
        return kvp_token_failed(reterr, "finding a key", *rv);
    if (private == CK_INVALID_HANDLE || public == CK_INVALID_HANDLE)
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "the token does not have the key any more");
    EVP_PKEY *pkey = public_half(token, session, public, kind, &curve, rv);
    if (!pkey)
        return kvp_token_failed(reterr, "reading a public key", *rv);
    kvp_token_key *in_token = kvp_calloc(1, sizeof(*in_token));
    if (!in_token) {
        EVP_PKEY_free(pkey);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    }
    in_token->token = token;
    in_token->private_key = private;
    memcpy(in_token->id, id, KVP_TOKEN_ID);
    kvp_status status = kvp_engine_adopt(kind, pkey, curve, in_token, ret_key, reterr);
    if (status != KVP_OK)
        kvp_token_key_free(in_token);
    return status;
}

/* Make a pair with what the caller put into the templates, and take it. */
static kvp_status generate(kvp_token *token, CK_MECHANISM_TYPE type, kvp_token_template *public,
                           bool rsa, kvp_engine_key **ret_key, kvp_error *reterr)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_OBJECT_HANDLE public_key, private_key;
    CK_SESSION_HANDLE session;
    kvp_token_template private = { .count = 0 };
    uint8_t id[KVP_TOKEN_ID];

    if (RAND_bytes(id, sizeof(id)) != 1)
        return kvp_engine_failed(reterr, "naming a key");
    public_template(public, id, rsa);
    private_template(&private, id, rsa);
    kvp_status status = kvp_token_take(token, &session, reterr);
    if (status != KVP_OK)
        return status;
    CK_RV rv = kvp_token_functions(token)->C_GenerateKeyPair(
        session, &mechanism, public->items, public->count, private.items, private.count,
        &public_key, &private_key);
    if (rv != CKR_OK)
        status = kvp_token_failed(reterr, "making a key", rv);
    else
        status = find_pair(token, session, rsa ? KVP_ENGINE_RSA : KVP_ENGINE_EC, id, ret_key, &rv,
                           reterr);
    kvp_token_give(token, session, rv);
    return status;
}

kvp_status kvp_token_generate_rsa(kvp_token *token, unsigned bits, unsigned exponent,
                                  kvp_engine_key **ret_key, kvp_error *reterr)
{
    kvp_token_template public = { .count = 0 };
    CK_ULONG size = bits;
    uint8_t e[3] = { 1, 0, 1 };
    bool usual = exponent == 65537;

    if (bits != 2048 && bits != 3072 && bits != 4096)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "Unsupported key size: %u.", bits);
    if (!usual)
        e[0] = (uint8_t)exponent; /* 3 is the only other one */
    kvp_token_add(&public, CKA_MODULUS_BITS, &size, sizeof(size));
    kvp_token_add(&public, CKA_PUBLIC_EXPONENT, e, usual ? 3 : 1);
    return generate(token, CKM_RSA_PKCS_KEY_PAIR_GEN, &public, true, ret_key, reterr);
}

kvp_status kvp_token_generate_ec(kvp_token *token, const kvp_engine_curve *curve,
                                 kvp_engine_key **ret_key, kvp_error *reterr)
{
    kvp_token_template public = { .count = 0 };
    kvp_buf parameters = KVP_BUF_INIT(64);
    kvp_status status = curve_parameters(curve, &parameters, reterr);

    if (status == KVP_OK) {
        kvp_token_add(&public, CKA_EC_PARAMS, parameters.data, parameters.len);
        status = generate(token, CKM_EC_KEY_PAIR_GEN, &public, false, ret_key, reterr);
    }
    kvp_buf_clear(&parameters);
    return status;
}

kvp_status kvp_token_generate_like(const kvp_engine_key *pattern, kvp_engine_key **ret_key,
                                   kvp_error *reterr)
{
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *e = NULL;
    kvp_token *token = pattern->in_token->token;

    if (pattern->kind == KVP_ENGINE_EC)
        return kvp_token_generate_ec(token, pattern->curve, ret_key, reterr);
    if (pattern->kind == KVP_ENGINE_OCT)
        return kvp_token_generate_oct(token, pattern->bits, ret_key, reterr);
    if (EVP_PKEY_get_bn_param(pattern->pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        return kvp_engine_failed(reterr, "reading the exponent");
    return kvp_token_generate_rsa(token, pattern->bits, BN_is_word(e, 3) ? 3 : 65537, ret_key,
                                  reterr);
}

static kvp_status read_number(const kvp_engine_key *key, const char *name, int width, kvp_buf *ret,
                              kvp_error *reterr)
{
    KVP_CLEANUP(BIGNUM_freep) BIGNUM *bn = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, name, &bn) != 1)
        return kvp_engine_failed(reterr, "reading a key");
    int len = width ? width : BN_num_bytes(bn);
    uint8_t *out = kvp_buf_reserve(ret, (size_t)len);
    if (!out || BN_bn2binpad(bn, out, len) != len)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key");
    ret->len += (size_t)len;
    return KVP_OK;
}

#define NUMBERS 8
/* The numbers of @key into @numbers and both templates. */
static kvp_status rsa_templates(const kvp_engine_key *key, kvp_buf *numbers,
                                kvp_token_template *private, kvp_token_template *public,
                                kvp_error *reterr)
{
    static const struct {
        const char *name;
        CK_ATTRIBUTE_TYPE type;
    } rows[NUMBERS] = {
        { OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS },
        { OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT },
        { OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT },
        { OSSL_PKEY_PARAM_RSA_FACTOR1, CKA_PRIME_1 },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, CKA_PRIME_2 },
        { OSSL_PKEY_PARAM_RSA_EXPONENT1, CKA_EXPONENT_1 },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, CKA_EXPONENT_2 },
        { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, CKA_COEFFICIENT },
    };
    kvp_status status = KVP_OK;

    for (int i = 0; i < NUMBERS && status == KVP_OK; i++) {
        status = read_number(key, rows[i].name, 0, &numbers[i], reterr);
        kvp_token_add(private, rows[i].type, numbers[i].data, numbers[i].len);
        if (i < 2)
            kvp_token_add(public, rows[i].type, numbers[i].data, numbers[i].len);
    }
    return status;
}

static kvp_status ec_templates(const kvp_engine_key *key, kvp_buf *numbers,
                               kvp_token_template *private, kvp_token_template *public,
                               kvp_error *reterr)
{
    int width = (int)key->curve->width;
    size_t point_len = 1 + 2 * (size_t)width;
    uint8_t header[3] = { 4, 0x81, (uint8_t)point_len }, form = 4;
    kvp_status status = curve_parameters(key->curve, &numbers[0], reterr);

    if (point_len < 128) /* DER: the short form of a length (X.690 §8.1.3) */
        header[1] = (uint8_t)point_len;
    if (status == KVP_OK)
        status = read_number(key, OSSL_PKEY_PARAM_PRIV_KEY, width, &numbers[1], reterr);
    if (status == KVP_OK)
        status = kvp_buf_append(&numbers[2], header, point_len < 128 ? 2 : 3);
    if (status == KVP_OK)
        status = kvp_buf_append(&numbers[2], &form, 1);
    if (status == KVP_OK)
        status = read_number(key, OSSL_PKEY_PARAM_EC_PUB_X, width, &numbers[2], reterr);
    if (status == KVP_OK)
        status = read_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, width, &numbers[2], reterr);
    kvp_token_add(private, CKA_EC_PARAMS, numbers[0].data, numbers[0].len);
    kvp_token_add(private, CKA_VALUE, numbers[1].data, numbers[1].len);
    kvp_token_add(public, CKA_EC_PARAMS, numbers[0].data, numbers[0].len);
    kvp_token_add(public, CKA_EC_POINT, numbers[2].data, numbers[2].len);
    return status;
}

/* Both objects, or none. */
static kvp_status create_pair(kvp_token *token, kvp_engine_kind kind, const uint8_t *id,
                              kvp_token_template *private, kvp_token_template *public,
                              kvp_engine_key **ret_key, kvp_error *reterr)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(token);
    CK_OBJECT_HANDLE private_key, public_key;
    CK_SESSION_HANDLE session;
    kvp_status status = kvp_token_take(token, &session, reterr);

    if (status != KVP_OK)
        return status;
    CK_RV rv = f->C_CreateObject(session, private->items, private->count, &private_key);
    if (rv == CKR_OK) {
        rv = f->C_CreateObject(session, public->items, public->count, &public_key);
        if (rv != CKR_OK)
            f->C_DestroyObject(session, private_key);
    }
    if (rv != CKR_OK)
        status = kvp_token_failed(reterr, "importing a key", rv);
    else
        status = find_pair(token, session, kind, id, ret_key, &rv, reterr);
    kvp_token_give(token, session, rv);
    return status;
}

kvp_status kvp_token_import(kvp_token *token, const kvp_engine_key *key, kvp_engine_key **ret_key,
                            kvp_error *reterr)
{
    CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY, public_class = CKO_PUBLIC_KEY;
    bool rsa = key->kind == KVP_ENGINE_RSA;
    CK_KEY_TYPE type = rsa ? CKK_RSA : CKK_EC;
    kvp_token_template private = { .count = 0 }, public = { .count = 0 };
    kvp_buf numbers[NUMBERS];
    uint8_t id[KVP_TOKEN_ID];

    if (key->kind == KVP_ENGINE_OCT)
        return kvp_token_import_oct(token, key, ret_key, reterr);
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = (kvp_buf)KVP_BUF_INIT_SECRET(4096);
    if (RAND_bytes(id, sizeof(id)) != 1)
        return kvp_engine_failed(reterr, "naming a key");
    kvp_token_add(&private, CKA_CLASS, &private_class, sizeof(private_class));
    kvp_token_add(&private, CKA_KEY_TYPE, &type, sizeof(type));
    private_template(&private, id, rsa);
    kvp_token_add(&public, CKA_CLASS, &public_class, sizeof(public_class));
    kvp_token_add(&public, CKA_KEY_TYPE, &type, sizeof(type));
    public_template(&public, id, rsa);
    kvp_status status = rsa ? rsa_templates(key, numbers, &private, &public, reterr)
                            : ec_templates(key, numbers, &private, &public, reterr);
    if (status == KVP_OK)
        status = create_pair(token, key->kind, id, &private, &public, ret_key, reterr);
    for (int i = 0; i < NUMBERS; i++)
        kvp_buf_clear(&numbers[i]);
    return status;
}

kvp_status kvp_token_load(kvp_token *token, kvp_engine_kind kind, const void *data, size_t len,
                          kvp_engine_key **ret_key, kvp_error *reterr)
{
    CK_SESSION_HANDLE session;
    CK_RV rv = CKR_OK;
    const uint8_t *id = kvp_token_reference_id(data, len);

    if (!token || !id)
        return kvp_error_set(reterr, KVP_ERR_CONFIG,
                             "the key is in a token: keyvaultd was started without --hsm-module");
    kvp_status status = kvp_token_take(token, &session, reterr);
    if (status != KVP_OK)
        return status;
    status = kind == KVP_ENGINE_OCT ? kvp_token_find_oct(token, session, id, ret_key, &rv, reterr)
                                    : find_pair(token, session, kind, id, ret_key, &rv, reterr);
    kvp_token_give(token, session, rv);
    return status;
}
