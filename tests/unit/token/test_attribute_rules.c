/* SPDX-License-Identifier: MIT */
/*
 * Every attribute × every kind of object × every function that takes a template: what PKCS#11 v3.1
 * says in the footnotes of its attribute tables (§4.4 to §4.10, §6.1, §6.3, §6.8), written down
 * here once more, must be what the functions answer. What fails makes no object and costs no
 * request.
 */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"
#include "token/template.h"

#include <check.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static kvp_call call;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* ---- the rules ---- */

#define EC (KVP_IS_PUBLIC_EC | KVP_IS_PRIVATE_EC)
#define PAIR (KVP_IS_PUBLIC | KVP_IS_PRIVATE)
#define KEYS (PAIR | KVP_IS_SECRET)
#define CERTIFICATE KVP_IS_CERTIFICATE
#define OURS (KEYS | KVP_IS_DATA | CERTIFICATE)

/*
 * One letter a function. Creation, generation, unwrapping: r required, o optional, x the token's to
 * say. Change: y possible, n not, 1 in one direction. A copy may say what can be changed, and those
 * marked c.
 */
static const struct rule {
    CK_ATTRIBUTE_TYPE type;
    unsigned who;
    char create, generate, unwrap, change, copy;
} rules[] = {
    { CKA_CLASS, OURS, 'r', 'o', 'o', 'n', 'n' },
    { CKA_TOKEN, OURS, 'o', 'o', 'o', 'n', 'c' },
    { CKA_PRIVATE, OURS, 'o', 'o', 'o', 'n', 'c' },
    { CKA_MODIFIABLE, OURS, 'o', 'o', 'o', 'n', 'c' },
    { CKA_COPYABLE, OURS, 'o', 'o', 'o', '1', '1' },
    { CKA_DESTROYABLE, OURS, 'o', 'o', 'o', 'n', 'c' },
    { CKA_LABEL, OURS, 'o', 'o', 'o', 'y', 'y' },
    { CKA_UNIQUE_ID, OURS, 'x', 'x', 'x', 'n', 'n' },

    { CKA_APPLICATION, KVP_IS_DATA, 'o', 'x', 'x', 'y', 'y' },
    { CKA_OBJECT_ID, KVP_IS_DATA, 'o', 'x', 'x', 'y', 'y' },
    { CKA_VALUE, KVP_IS_DATA, 'o', 'x', 'x', 'y', 'y' },

    { CKA_CERTIFICATE_TYPE, CERTIFICATE, 'r', 'x', 'x', 'n', 'n' },
    { CKA_TRUSTED, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_CERTIFICATE_CATEGORY, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_CHECK_VALUE, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_START_DATE, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_END_DATE, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_PUBLIC_KEY_INFO, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_SUBJECT, CERTIFICATE, 'r', 'x', 'x', 'n', 'n' },
    { CKA_ID, CERTIFICATE, 'o', 'x', 'x', 'y', 'y' },
    { CKA_ISSUER, CERTIFICATE, 'o', 'x', 'x', 'y', 'y' },
    { CKA_SERIAL_NUMBER, CERTIFICATE, 'o', 'x', 'x', 'y', 'y' },
    { CKA_VALUE, CERTIFICATE, 'r', 'x', 'x', 'n', 'n' },
    { CKA_URL, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_HASH_OF_ISSUER_PUBLIC_KEY, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_JAVA_MIDP_SECURITY_DOMAIN, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },
    { CKA_NAME_HASH_ALGORITHM, CERTIFICATE, 'o', 'x', 'x', 'n', 'n' },

    { CKA_KEY_TYPE, KEYS, 'r', 'o', 'o', 'n', 'n' },
    { CKA_ID, KEYS, 'o', 'o', 'o', 'y', 'y' },
    { CKA_START_DATE, KEYS, 'o', 'o', 'o', 'y', 'y' },
    { CKA_END_DATE, KEYS, 'o', 'o', 'o', 'y', 'y' },
    { CKA_DERIVE, KEYS, 'o', 'o', 'o', 'y', 'y' },
    { CKA_LOCAL, KEYS, 'x', 'x', 'x', 'n', 'n' },
    { CKA_KEY_GEN_MECHANISM, KEYS, 'x', 'x', 'x', 'n', 'n' },
    { CKA_ALLOWED_MECHANISMS, KEYS, 'o', 'o', 'o', 'n', 'n' },

    { CKA_SUBJECT, PAIR, 'o', 'o', 'o', 'y', 'y' },
    { CKA_PUBLIC_KEY_INFO, PAIR, 'x', 'x', 'x', 'n', 'n' },
    { CKA_ENCRYPT, KVP_IS_PUBLIC | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_VERIFY, KVP_IS_PUBLIC | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_VERIFY_RECOVER, KVP_IS_PUBLIC, 'o', 'o', 'o', 'y', 'y' },
    { CKA_WRAP, KVP_IS_PUBLIC | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_TRUSTED, KVP_IS_PUBLIC | KVP_IS_SECRET, 'o', 'o', 'o', 'n', 'n' },
    { CKA_WRAP_TEMPLATE, KVP_IS_PUBLIC | KVP_IS_SECRET, 'x', 'x', 'x', 'n', 'n' },
    { CKA_SENSITIVE, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', '1', '1' },
    { CKA_DECRYPT, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_SIGN, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_SIGN_RECOVER, KVP_IS_PRIVATE, 'o', 'o', 'o', 'y', 'y' },
    { CKA_UNWRAP, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', 'y', 'y' },
    { CKA_EXTRACTABLE, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', '1', '1' },
    { CKA_ALWAYS_SENSITIVE, KVP_IS_PRIVATE | KVP_IS_SECRET, 'x', 'x', 'x', 'n', 'n' },
    { CKA_NEVER_EXTRACTABLE, KVP_IS_PRIVATE | KVP_IS_SECRET, 'x', 'x', 'x', 'n', 'n' },
    { CKA_WRAP_WITH_TRUSTED, KVP_IS_PRIVATE | KVP_IS_SECRET, 'o', 'o', 'o', '1', '1' },
    { CKA_UNWRAP_TEMPLATE, KVP_IS_PRIVATE | KVP_IS_SECRET, 'x', 'x', 'x', 'n', 'n' },
    { CKA_ALWAYS_AUTHENTICATE, KVP_IS_PRIVATE, 'o', 'o', 'o', 'n', 'n' },

    { CKA_MODULUS, KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA, 'r', 'x', 'x', 'n', 'n' },
    { CKA_MODULUS_BITS, KVP_IS_PUBLIC_RSA, 'x', 'r', 'x', 'n', 'n' },
    { CKA_PUBLIC_EXPONENT, KVP_IS_PUBLIC_RSA, 'r', 'o', 'x', 'n', 'n' },
    { CKA_PUBLIC_EXPONENT, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_PRIVATE_EXPONENT, KVP_IS_PRIVATE_RSA, 'r', 'x', 'x', 'n', 'n' },
    { CKA_PRIME_1, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_PRIME_2, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_EXPONENT_1, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_EXPONENT_2, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_COEFFICIENT, KVP_IS_PRIVATE_RSA, 'o', 'x', 'x', 'n', 'n' },
    { CKA_EC_PARAMS, KVP_IS_PUBLIC_EC, 'r', 'r', 'x', 'n', 'n' },
    { CKA_EC_PARAMS, KVP_IS_PRIVATE_EC, 'r', 'x', 'x', 'n', 'n' },
    { CKA_EC_POINT, KVP_IS_PUBLIC_EC, 'r', 'x', 'x', 'n', 'n' },
    { CKA_EC_POINT, KVP_IS_PRIVATE_EC, 'o', 'x', 'x', 'n', 'n' },
    { CKA_VALUE, KVP_IS_PRIVATE_EC, 'r', 'x', 'x', 'n', 'n' },
    { CKA_VALUE, KVP_IS_SECRET, 'r', 'x', 'x', 'n', 'n' },
    { CKA_VALUE_LEN, KVP_IS_SECRET, 'x', 'r', 'o', 'n', 'n' },
    { CKA_CHECK_VALUE, KVP_IS_SECRET, 'o', 'o', 'o', 'n', 'n' },
};

static const struct rule *rule_of(CK_ATTRIBUTE_TYPE type, unsigned who)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(rules); i++)
        if (rules[i].type == type && (rules[i].who & who))
            return &rules[i];
    return NULL;
}

/* ---- templates that are good ---- */

typedef struct attrs {
    CK_ATTRIBUTE at[24];
    CK_ULONG count;
} attrs;

static void put(attrs *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
    t->at[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void put_class(attrs *t, unsigned who)
{
    static CK_OBJECT_CLASS certificate = CKO_CERTIFICATE, data = CKO_DATA, pub = CKO_PUBLIC_KEY,
                           priv = CKO_PRIVATE_KEY, secret = CKO_SECRET_KEY;
    static CK_KEY_TYPE rsa = CKK_RSA, ec = CKK_EC, aes = CKK_AES;
    CK_OBJECT_CLASS *cls = who & KVP_IS_DATA      ? &data
                           : who & CERTIFICATE    ? &certificate
                           : who & KVP_IS_PUBLIC  ? &pub
                           : who & KVP_IS_PRIVATE ? &priv
                                                  : &secret;
    put(t, CKA_CLASS, cls, sizeof(*cls));
    if (who & KEYS)
        put(t, CKA_KEY_TYPE, who & EC ? &ec : who & KVP_IS_SECRET ? &aes : &rsa, sizeof(rsa));
}

/* A P-256 key whose private value is 1: its point is the base point (SEC 2 §2.4.2). */
static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t base_point[] = { 0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42,
                                      0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
                                      0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39,
                                      0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe,
                                      0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
                                      0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb,
                                      0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };
static uint8_t modulus[256];
static unsigned char *certificate_der, *subject_der;
static int certificate_len, subject_len;

static void make_certificate(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_set_pubkey(x509, pkey);
    if (X509_sign(x509, pkey, EVP_sha256()) <= 0)
        abort();
    certificate_len = i2d_X509(x509, &certificate_der);
    subject_len = i2d_X509_NAME(name, &subject_der);
    X509_free(x509);
    EVP_PKEY_free(pkey);
}

static attrs creation(unsigned who)
{
    static CK_CERTIFICATE_TYPE x509 = CKC_X_509;
    attrs t = { .count = 0 };
    put_class(&t, who);
    if (who & CERTIFICATE) {
        put(&t, CKA_CERTIFICATE_TYPE, &x509, sizeof(x509));
        put(&t, CKA_VALUE, certificate_der, (CK_ULONG)certificate_len);
        put(&t, CKA_SUBJECT, subject_der, (CK_ULONG)subject_len);
    }
    if (who & KVP_IS_PRIVATE)
        put(&t, CKA_TOKEN, &yes, sizeof(yes));
    if (who & KVP_IS_SECRET)
        put(&t, CKA_VALUE, "0123456789abcdef", 16);
    if (who & EC)
        put(&t, CKA_EC_PARAMS, p256, sizeof(p256));
    if (who & KVP_IS_PUBLIC_EC)
        put(&t, CKA_EC_POINT, base_point, sizeof(base_point));
    if (who & KVP_IS_PRIVATE_EC)
        put(&t, CKA_VALUE, "\x01", 1);
    if (who & (KVP_IS_PUBLIC_RSA | KVP_IS_PRIVATE_RSA))
        put(&t, CKA_MODULUS, modulus, sizeof(modulus));
    if (who & KVP_IS_PUBLIC_RSA)
        put(&t, CKA_PUBLIC_EXPONENT, "\x01\x00\x01", 3);
    if (who & KVP_IS_PRIVATE_RSA)
        put(&t, CKA_PRIVATE_EXPONENT, "\x03", 1);
    return t;
}

static attrs generation(unsigned who)
{
    static CK_ULONG bits = 2048, len = 16;
    attrs t = { .count = 0 };
    if (who & KVP_IS_PRIVATE)
        put(&t, CKA_TOKEN, &yes, sizeof(yes));
    if (who & KVP_IS_PUBLIC_RSA)
        put(&t, CKA_MODULUS_BITS, &bits, sizeof(bits));
    if (who & KVP_IS_PUBLIC_EC)
        put(&t, CKA_EC_PARAMS, p256, sizeof(p256));
    if (who & KVP_IS_SECRET)
        put(&t, CKA_VALUE_LEN, &len, sizeof(len));
    return t;
}

static attrs unwrapping(unsigned who)
{
    attrs t = { .count = 0 };
    put_class(&t, who);
    return t;
}

static attrs nothing(unsigned who)
{
    (void)who;
    return (attrs){ .count = 0 };
}

/* ---- the functions ---- */

/* The key that the vault has, for changes. */
static CK_OBJECT_HANDLE object_of(unsigned who)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_KEY_TYPE type;
    if (who & KVP_IS_PRIVATE) {
        handle = fake_find_one(token, CKO_PRIVATE_KEY, who & EC ? "ec" : "rsa");
        fake_get(token, handle, CKA_KEY_TYPE, &type, sizeof(type)); /* it is loaded now */
        return handle;
    }
    attrs t = creation(who);
    ck_assert_rv(kvp_object_create(&call, &token->session, t.at, t.count, &handle), CKR_OK);
    return handle;
}

static CK_RV run_create(unsigned who, const attrs *t)
{
    CK_OBJECT_HANDLE handle;
    (void)who;
    return kvp_object_create(&call, &token->session, t->at, t->count, &handle);
}

static CK_RV run_generate(unsigned who, const attrs *t)
{
    CK_MECHANISM pair = { who & EC ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM aes = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE handles[2];
    if (who & KVP_IS_SECRET)
        return kvp_generate_key(&call, &token->session, &aes, t->at, t->count, handles);
    bool is_public = (who & KVP_IS_PUBLIC) != 0;
    attrs other = generation(is_public ? (who & EC ? KVP_IS_PRIVATE_EC : KVP_IS_PRIVATE_RSA)
                                       : (who & EC ? KVP_IS_PUBLIC_EC : KVP_IS_PUBLIC_RSA));
    const attrs *pub = is_public ? t : &other;
    const attrs *priv = is_public ? &other : t;
    return kvp_generate_key_pair(&call, &token->session, &pair, pub->at, pub->count, priv->at,
                                 priv->count, &handles[0], &handles[1]);
}

static CK_RV run_unwrap(unsigned who, const attrs *t)
{
    CK_OBJECT_HANDLE handle;
    (void)who;
    return kvp_object_create_secret(&call, &token->session, "0123456789abcdef", 16, t->at, t->count,
                                    &handle);
}

static CK_OBJECT_HANDLE subject; /* of a change or copy */

static CK_RV run_change(unsigned who, const attrs *t)
{
    (void)who;
    return kvp_object_set_attributes(&call, &token->session, subject, t->at, t->count);
}

static CK_RV run_copy(unsigned who, const attrs *t)
{
    CK_OBJECT_HANDLE handle;
    (void)who;
    return kvp_object_copy(&call, &token->session, subject, t->at, t->count, &handle);
}

#define EVERY_KEY                                                                                  \
    KVP_IS_PUBLIC_RSA, KVP_IS_PUBLIC_EC, KVP_IS_PRIVATE_RSA, KVP_IS_PRIVATE_EC, KVP_IS_SECRET
static const struct function {
    const char *name;
    attrs (*base)(unsigned who);
    CK_RV (*run)(unsigned who, const attrs *t);
    size_t letter;
    unsigned kinds[7];
    bool has_subject;
    CK_RV other_kind; /* for an attribute of another kind of object */
} functions[] = {
    { "C_CreateObject",
      creation,
      run_create,
      offsetof(struct rule, create),
      { KVP_IS_DATA, EVERY_KEY, CERTIFICATE },
      false,
      CKR_TEMPLATE_INCONSISTENT },
    { "C_GenerateKey(Pair)",
      generation,
      run_generate,
      offsetof(struct rule, generate),
      { EVERY_KEY },
      false,
      CKR_TEMPLATE_INCONSISTENT },
    { "C_UnwrapKey",
      unwrapping,
      run_unwrap,
      offsetof(struct rule, unwrap),
      { KVP_IS_SECRET },
      false,
      CKR_TEMPLATE_INCONSISTENT },
    { "C_SetAttributeValue",
      nothing,
      run_change,
      offsetof(struct rule, change),
      { KVP_IS_DATA, EVERY_KEY, CERTIFICATE },
      true,
      CKR_ATTRIBUTE_TYPE_INVALID },
    { "C_CopyObject",
      nothing,
      run_copy,
      offsetof(struct rule, copy),
      { KVP_IS_DATA, KVP_IS_PUBLIC_RSA, KVP_IS_PUBLIC_EC, KVP_IS_SECRET, CERTIFICATE },
      true,
      CKR_TEMPLATE_INCONSISTENT },
};

static char letter_of(const struct function *f, const struct rule *rule)
{
    return *((const char *)rule + f->letter);
}

/* ---- values ---- */

/* A value that is true of a new object, or harmless. */
static CK_ATTRIBUTE sample(CK_ATTRIBUTE_TYPE type, unsigned who)
{
    static CK_ULONG number = 16;
    static CK_MECHANISM_TYPE mechanism = CKM_SHA256;
    const kvp_attribute_row *row = kvp_attribute_row_find(type, who);
    if (!row)
        row = kvp_attribute_row_find(type, KVP_IS_ANY);
    attrs one = { .count = 0 };
    if (type == CKA_CLASS || (type == CKA_KEY_TYPE && (who & KEYS))) {
        put_class(&one, who);
        return *kvp_template_find(one.at, one.count, type);
    }
    if (type == CKA_CHECK_VALUE && (who & KVP_IS_SECRET)) {
        put(&one, type, NULL, 0); /* none wanted */
        return one.at[0];
    }
    switch (row->kind) {
    case KVP_ATTRIBUTE_BOOL:
        put(&one, type,
            type == CKA_SENSITIVE || type == CKA_MODIFIABLE ||
                    (type == CKA_DESTROYABLE && !(who & KVP_IS_PUBLIC))
                ? &yes
                : &no,
            1);
        break;
    case KVP_ATTRIBUTE_ULONG:
        put(&one, type, &number, sizeof(number));
        break;
    case KVP_ATTRIBUTE_ULONGS:
        put(&one, type, &mechanism, sizeof(mechanism));
        break;
    case KVP_ATTRIBUTE_DATE:
        put(&one, type, "20300102", 8);
        break;
    case KVP_ATTRIBUTE_ATTRS:
        put(&one, type, NULL, 0);
        break;
    default:
        put(&one, type, type == CKA_PUBLIC_EXPONENT ? "\x01\x00\x01" : "abc", 3);
    }
    return one.at[0];
}

/* ---- the walk ---- */

static size_t objects(void)
{
    CK_OBJECT_HANDLE found[64];
    return fake_find(token, NULL, 0, found, 64);
}

static void setup(void)
{
    token = fake_new(false);
    fake_add_rsa("rsa");
    fake_add_ec("ec");
    fake_sleep(120000);
    call = fake_call();
    modulus[0] = 0xc0;
    modulus[sizeof(modulus) - 1] = 1;
}

static void teardown(void)
{
    fake_free(token);
}

typedef struct point {
    const struct function *f;
    unsigned who;
    const char *attribute;
} point;

static void refused(const point *p, const attrs *t, CK_RV expected, const char *why)
{
    size_t before = objects();
    fake_reset();
    CK_RV rv = p->f->run(p->who, t);
    ck_assert_msg(rv == expected, "%s, kind 0x%x, %s %s: 0x%lx, not 0x%lx", p->f->name, p->who,
                  p->attribute, why, rv, expected);
    ck_assert_msg(fake_total() == 0, "%s %s", p->f->name, p->attribute);
    ck_assert_msg(objects() == before, "%s %s", p->f->name, p->attribute);
}

static bool has_wrong_size(const kvp_attribute_row *row)
{
    return row->kind == KVP_ATTRIBUTE_BOOL || row->kind == KVP_ATTRIBUTE_ULONG ||
           row->kind == KVP_ATTRIBUTE_ULONGS || row->kind == KVP_ATTRIBUTE_DATE ||
           row->kind == KVP_ATTRIBUTE_ATTRS;
}

/* The attribute beside a good template: refused as the rule says, in every wrong form too. */
static void walk_bad(const point *p, CK_ATTRIBUTE_TYPE type)
{
    const struct rule *rule = rule_of(type, p->who);
    const kvp_attribute_row *row = kvp_attribute_row_find(type, KVP_IS_ANY);
    attrs t = p->f->base(p->who);
    bool in_base = kvp_template_find(t.at, t.count, type) != NULL;
    char letter = rule ? letter_of(p->f, rule) : '-';

    put(&t, type, NULL, 4);
    refused(p, &t, CKR_ARGUMENTS_BAD, "without value");
    t.count--;
    if (!row) {
        put(&t, type, "x", 1);
        refused(p, &t, CKR_ATTRIBUTE_TYPE_INVALID, "that nothing has");
        return;
    }
    if (has_wrong_size(row)) {
        put(&t, type, "\0\0\0", 3);
        refused(p, &t, CKR_ATTRIBUTE_VALUE_INVALID, "of a wrong size");
        t.count--;
    }
    t.at[t.count++] = sample(type, p->who);
    if (!rule)
        refused(p, &t, p->f->other_kind, "of another kind");
    else if (letter == 'x' || letter == 'n')
        refused(p, &t, CKR_ATTRIBUTE_READ_ONLY, "that may not be given");
    else if (row->kind == KVP_ATTRIBUTE_BOOL && !in_base) {
        put(&t, type, *(CK_BBOOL *)t.at[t.count - 1].pValue ? &no : &yes, 1);
        CK_RV twice = p->f->other_kind == CKR_ATTRIBUTE_TYPE_INVALID ? CKR_TEMPLATE_INCONSISTENT
                                                                     : p->f->other_kind;
        refused(p, &t, twice, "with two values");
    }
}

static void walk_required(const point *p)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(rules); i++) {
        attrs t = p->f->base(p->who);
        if (!(rules[i].who & p->who) || letter_of(p->f, &rules[i]) != 'r')
            continue;
        CK_ULONG kept = 0;
        for (CK_ULONG k = 0; k < t.count; k++)
            if (t.at[k].type != rules[i].type)
                t.at[kept++] = t.at[k];
        ck_assert_uint_eq(kept + 1, t.count);
        t.count = kept;
        refused(p, &t, CKR_TEMPLATE_INCOMPLETE, kvp_cka_name(rules[i].type));
    }
}

/* A row of the table is a rule, and a rule is a row. */
START_TEST(every_row_has_its_rule)
{
    const kvp_attribute_row *row = &kvp_attribute_rows[_i];
    for (unsigned bit = 1; bit <= CERTIFICATE; bit <<= 1)
        if ((row->who & bit & OURS) && !(bit & (KVP_IS_PUBLIC_OTHER | KVP_IS_PRIVATE_OTHER)) &&
            !(row->flags & KVP_ATTRIBUTE_VENDOR))
            ck_assert_msg(rule_of(row->type, bit) != NULL, "%s of kind 0x%x", row->name, bit);
}
END_TEST

START_TEST(every_function_refuses_what_the_standard_forbids)
{
    const struct function *f = &functions[_i];
    for (size_t k = 0; k < KVP_ARRAY_LEN(f->kinds) && f->kinds[k]; k++) {
        point p = { f, f->kinds[k], "" };
        if (f->has_subject)
            subject = object_of(p.who);
        (void)objects(); /* the listing is known from here on */
        for (size_t i = 0; i < kvp_attribute_row_count; i++) {
            if (kvp_attribute_rows[i].flags & KVP_ATTRIBUTE_VENDOR)
                continue;
            p.attribute = kvp_attribute_rows[i].name;
            walk_bad(&p, kvp_attribute_rows[i].type);
        }
        p.attribute = "an unknown attribute";
        walk_bad(&p, CKA_VENDOR_DEFINED | 0x4711);
        p.attribute = "";
        walk_required(&p);
    }
}
END_TEST

/* What the rules allow is taken: by session objects with any value, by keys with one that is true.
 */
START_TEST(every_function_takes_what_the_standard_allows)
{
    const struct function *f = &functions[_i];
    for (size_t k = 0; k < KVP_ARRAY_LEN(f->kinds) && f->kinds[k]; k++) {
        unsigned who = f->kinds[k];
        for (size_t i = 0; i < KVP_ARRAY_LEN(rules); i++) {
            char letter = letter_of(f, &rules[i]);
            if (!(rules[i].who & who) || letter == 'x' || letter == 'n' ||
                rules[i].type == CKA_TOKEN)
                continue;
            if (who == KVP_IS_PRIVATE_RSA && f->run == run_create)
                continue; /* its numbers are none: test_import_key.c has real ones */
            if (who == KVP_IS_PRIVATE_EC && f->run == run_create && letter == 'o' &&
                rules[i].type == CKA_EC_POINT)
                continue;
            if (rules[i].type == CKA_ALLOWED_MECHANISMS &&
                ((who & KVP_IS_PRIVATE) || (f->run == run_generate && (who & PAIR))))
                continue; /* a vault keeps no such list: refused as a value it cannot have */
            setup();
            if (f->has_subject)
                subject = object_of(who);
            attrs t = f->base(who);
            if (!kvp_template_find(t.at, t.count, rules[i].type))
                t.at[t.count++] = sample(rules[i].type, who);
            CK_RV rv = f->run(who, &t);
            ck_assert_msg(rv == CKR_OK, "%s, kind 0x%x, %s: 0x%lx", f->name, who,
                          kvp_cka_name(rules[i].type), rv);
            teardown();
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attribute_rules");
    TCase *rows = tcase_create("rows");
    TCase *refusals = tcase_create("refusals");
    TCase *others = tcase_create("what is taken");
    make_certificate();
    tcase_add_loop_test(rows, every_row_has_its_rule, 0, (int)kvp_attribute_row_count);
    suite_add_tcase(suite, rows);
    tcase_add_checked_fixture(refusals, setup, teardown);
    tcase_set_timeout(refusals, 60);
    tcase_add_loop_test(refusals, every_function_refuses_what_the_standard_forbids, 0,
                        (int)KVP_ARRAY_LEN(functions));
    suite_add_tcase(suite, refusals);
    tcase_set_timeout(others, 60);
    tcase_add_loop_test(others, every_function_takes_what_the_standard_allows, 0,
                        (int)KVP_ARRAY_LEN(functions));
    suite_add_tcase(suite, others);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    OPENSSL_free(certificate_der);
    OPENSSL_free(subject_der);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
