/* SPDX-License-Identifier: MIT */
/* Keys that applications write to the token: what templates mean, what is sent, what is refused. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"
#include "token/import_plan.h"

#include <check.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static kvp_call call;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE rsa = CKK_RSA;
static CK_KEY_TYPE ec = CKK_EC;
static CK_KEY_TYPE aes = CKK_AES;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
static CK_KEY_TYPE dsa = CKK_DSA;

/* The numbers of one key, made once. */
typedef struct numbers {
    uint8_t bytes[512];
    CK_ULONG len;
} numbers;
enum { N, E, D, P, Q, DP, DQ, QI, RSA_NUMBERS };
static numbers rsa_key[RSA_NUMBERS], small_n, small_d;
static const CK_ATTRIBUTE_TYPE rsa_types[RSA_NUMBERS] = {
    CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
    CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT,
};
static const char *const rsa_params[RSA_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};
static numbers ec_value[KVP_CURVE_COUNT], ec_point[KVP_CURVE_COUNT];

static void number_of(EVP_PKEY *pkey, const char *name, numbers *ret)
{
    BIGNUM *bn = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1)
        abort(); /* Check is not running yet */
    ret->len = (CK_ULONG)BN_bn2bin(bn, ret->bytes);
    BN_clear_free(bn);
}

static void make_keys(void)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    for (int i = 0; i < RSA_NUMBERS; i++)
        number_of(pkey, rsa_params[i], &rsa_key[i]);
    EVP_PKEY_free(pkey);
    pkey = EVP_RSA_gen(1024);
    number_of(pkey, OSSL_PKEY_PARAM_RSA_N, &small_n);
    number_of(pkey, OSSL_PKEY_PARAM_RSA_D, &small_d);
    EVP_PKEY_free(pkey);
    for (int c = KVP_CURVE_NONE + 1; c < KVP_CURVE_COUNT; c++) {
        size_t len = 0;
        pkey = EVP_EC_gen(kvp_curves[c].openssl_name);
        number_of(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &ec_value[c]);
        if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, ec_point[c].bytes,
                                            sizeof(ec_point[c].bytes), &len) != 1)
            abort();
        ec_point[c].len = len;
        EVP_PKEY_free(pkey);
    }
}

static void setup(void)
{
    token = fake_new(false);
    call = fake_call();
}

static void setup_hsm(void)
{
    token = fake_new(true);
    call = fake_call();
}

static void teardown(void)
{
    fake_free(token);
}

/* A template that grows. */
typedef struct attrs {
    CK_ATTRIBUTE at[40];
    CK_ULONG count;
} attrs;

static void put(attrs *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
    t->at[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

/* Those RSA numbers whose bits are in @mask. */
static attrs rsa_template(unsigned mask, const char *label)
{
    attrs t = { .count = 0 };
    put(&t, CKA_CLASS, &private_class, sizeof(private_class));
    put(&t, CKA_KEY_TYPE, &rsa, sizeof(rsa));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    if (label)
        put(&t, CKA_LABEL, label, strlen(label));
    for (int i = 0; i < RSA_NUMBERS; i++)
        if (mask & 1U << i)
            put(&t, rsa_types[i], rsa_key[i].bytes, rsa_key[i].len);
    return t;
}
#define ALL_RSA ((1U << RSA_NUMBERS) - 1)

static attrs ec_template(int curve, const char *label)
{
    attrs t = { .count = 0 };
    put(&t, CKA_CLASS, &private_class, sizeof(private_class));
    put(&t, CKA_KEY_TYPE, &ec, sizeof(ec));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    if (label)
        put(&t, CKA_LABEL, label, strlen(label));
    put(&t, CKA_EC_PARAMS, kvp_curves[curve].oid_der, kvp_curves[curve].oid_der_len);
    put(&t, CKA_VALUE, ec_value[curve].bytes, ec_value[curve].len);
    return t;
}

static CK_RV create(const attrs *t, CK_OBJECT_HANDLE *ret)
{
    kvp_error_clear(&call.error);
    return kvp_object_create(&call, &token->session, t->at, t->count, ret);
}

static void assert_bytes(const kvp_buf *buf, const numbers *expected)
{
    ck_assert_uint_eq(buf->len, expected->len);
    ck_assert_mem_eq(buf->data, expected->bytes, expected->len);
}

/* ---- RSA ---- */

static const unsigned given_parts[] = {
    ALL_RSA,
    1U << N | 1U << E | 1U << D,
    1U << N | 1U << D,
    1U << N | 1U << E | 1U << D | 1U << P | 1U << Q,
};

START_TEST(an_rsa_key_is_imported_with_what_is_given)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    attrs t = rsa_template(given_parts[_i], "web");
    put(&t, CKA_ID, "\x01", 1);
    put(&t, CKA_PRIVATE, &yes, sizeof(yes));
    put(&t, CKA_SENSITIVE, &yes, sizeof(yes));
    put(&t, CKA_EXTRACTABLE, &no, sizeof(no));
    put(&t, CKA_END_DATE, "20310102", 8);
    ck_assert_rv(create(&t, &handle), CKR_OK);

    const kvp_key *key = fake_key("web");
    ck_assert_ptr_nonnull(key);
    assert_bytes(&key->n, &rsa_key[N]);
    assert_bytes(&key->e, &rsa_key[E]);
    ck_assert_str_eq(kvp_key_tag(key, KVP_TAG_ID), "AQ");
    ck_assert_ptr_null(kvp_key_tag(key, KVP_TAG_LABEL));
    ck_assert_ptr_null(kvp_key_tag(key, KVP_TAG_LOCAL));
    ck_assert_int_eq(key->attributes.expires, 1925164799);
    ck_assert(!key->hsm);
    ck_assert_uint_eq(fake_requests.imports, 1);
    ck_assert_str_eq(call.operation, "CreateObject");
    ck_assert_str_eq(call.object_id, key->id);

    fake_reset();
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "web"), handle);
    ck_assert(!fake_get_bool(token, handle, CKA_LOCAL));
    ck_assert(!fake_get_bool(token, handle, CKA_ALWAYS_SENSITIVE));
    ck_assert(fake_get_bool(token, handle, CKA_SENSITIVE));
    ck_assert(fake_get_bool(token, handle, CKA_SIGN));
    ck_assert(fake_get_bool(token, handle, CKA_UNWRAP));
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(usage_becomes_key_ops_with_the_counterparts)
{
    CK_OBJECT_HANDLE handle;
    attrs t = rsa_template(ALL_RSA, "web");
    put(&t, CKA_SIGN, &yes, sizeof(yes));
    put(&t, CKA_DECRYPT, &yes, sizeof(yes));
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert_uint_eq(fake_key("web")->ops,
                      KVP_OP_SIGN | KVP_OP_VERIFY | KVP_OP_DECRYPT | KVP_OP_ENCRYPT);
    t = rsa_template(ALL_RSA, "without");
    put(&t, CKA_UNWRAP, &no, sizeof(no));
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert_uint_eq(fake_key("without")->ops & KVP_OP_UNWRAP, 0);
    t = rsa_template(ALL_RSA, "nothing");
    put(&t, CKA_UNWRAP, &no, sizeof(no));
    put(&t, CKA_SIGN, &no, sizeof(no));
    put(&t, CKA_DECRYPT, &no, sizeof(no));
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert(!fake_get_bool(token, handle, CKA_SIGN));
}
END_TEST

START_TEST(a_key_without_label_is_called_by_its_id)
{
    CK_OBJECT_HANDLE handle;
    attrs t = rsa_template(ALL_RSA, NULL);
    put(&t, CKA_ID, "alias", 5);
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert_ptr_nonnull(fake_key("alias"));
    ck_assert_uint_eq(fake_key("alias")->tag_count, 0);

    /* The name is taken, but nobody asked for it: another one, with the same id. */
    fake_add_ec("taken");
    t = rsa_template(ALL_RSA, NULL);
    put(&t, CKA_ID, "taken", 5);
    ck_assert_rv(create(&t, &handle), CKR_OK);
    uint8_t id[16];
    ck_assert_uint_eq(fake_get(token, handle, CKA_ID, id, sizeof(id)), 5);
    ck_assert_mem_eq(id, "taken", 5);
    ck_assert_int_eq(fake_key("taken")->kty, KVP_KTY_EC);
}
END_TEST

START_TEST(a_label_that_is_taken_is_left_alone)
{
    CK_OBJECT_HANDLE handle;
    attrs t = rsa_template(ALL_RSA, "taken");
    fake_add_ec("taken");
    ck_assert_rv(create(&t, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_str_eq(call.error.code, "KeyExists");
    ck_assert_uint_eq(fake_requests.imports, 0);
    t = rsa_template(ALL_RSA, "deleted");
    fake_fail(404, 1);
    ck_assert_rv(create(&t, &handle), CKR_OK);
}
END_TEST

START_TEST(protection_makes_an_hsm_key)
{
    CK_OBJECT_HANDLE handle;
    attrs t = ec_template(KVP_CURVE_P256, "web");
    token->config.protection_hsm = true;
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert(fake_key("web")->hsm);
}
END_TEST

/* ---- EC ---- */

START_TEST(an_ec_key_of_every_curve_gets_its_point)
{
    CK_OBJECT_HANDLE handle;
    size_t width = kvp_curves[_i].coordinate_len;
    attrs t = ec_template(_i, "web");
    ck_assert_rv(create(&t, &handle), CKR_OK);
    const kvp_key *key = fake_key("web");
    ck_assert_int_eq(key->curve, (kvp_curve)_i);
    ck_assert_mem_eq(key->x.data, ec_point[_i].bytes + 1, width);
    ck_assert_mem_eq(key->y.data, ec_point[_i].bytes + 1 + width, width);

    t = ec_template(_i, "with-point");
    put(&t, CKA_EC_POINT, ec_point[_i].bytes, ec_point[_i].len);
    ck_assert_rv(create(&t, &handle), CKR_OK);
    t = ec_template(_i, "with-other-point");
    ec_point[_i].bytes[width] ^= 1;
    put(&t, CKA_EC_POINT, ec_point[_i].bytes, ec_point[_i].len);
    ck_assert_rv(create(&t, &handle), CKR_TEMPLATE_INCONSISTENT);
}
END_TEST

/* ---- secret keys ---- */

static attrs secret_template(CK_KEY_TYPE *type, const char *value, const char *label)
{
    attrs t = { .count = 0 };
    put(&t, CKA_CLASS, &secret_class, sizeof(secret_class));
    put(&t, CKA_KEY_TYPE, type, sizeof(*type));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    put(&t, CKA_LABEL, label, strlen(label));
    put(&t, CKA_VALUE, value, strlen(value));
    return t;
}

START_TEST(a_managed_hsm_takes_secret_keys)
{
    CK_OBJECT_HANDLE handle;
    CK_ULONG len = 0;
    CK_KEY_TYPE type = 0;
    attrs t = secret_template(&aes, "0123456789abcdef", "k");
    put(&t, CKA_SENSITIVE, &no, sizeof(no)); /* better guarded than that */
    ck_assert_rv(create(&t, &handle), CKR_OK);
    ck_assert_uint_eq(fake_find_one(token, CKO_SECRET_KEY, "k"), handle);
    fake_get(token, handle, CKA_VALUE_LEN, &len, sizeof(len));
    ck_assert_uint_eq(len, 16);
    ck_assert(fake_get_bool(token, handle, CKA_SENSITIVE));
    ck_assert_rv(fake_get_rv(token, handle, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);

    t = secret_template(&generic, "0123456789abcdef0123456789abcdef", "g");
    ck_assert_rv(create(&t, &handle), CKR_OK);
    fake_get(token, handle, CKA_KEY_TYPE, &type, sizeof(type));
    ck_assert_uint_eq(type, CKK_GENERIC_SECRET);
    ck_assert_uint_eq(fake_key("g")->ops, KVP_OP_SIGN | KVP_OP_VERIFY);
    t = secret_template(&generic, "0123456789abcdef", "e");
    put(&t, CKA_ENCRYPT, &yes, sizeof(yes)); /* that would be an AES key */
    ck_assert_rv(create(&t, &handle), CKR_TEMPLATE_INCONSISTENT);
    t = secret_template(&generic, "short", "s");
    ck_assert_rv(create(&t, &handle), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

/* ---- public keys ---- */

static attrs public_template(const char *label, const char *id)
{
    attrs t = { .count = 0 };
    put(&t, CKA_CLASS, &public_class, sizeof(public_class));
    put(&t, CKA_KEY_TYPE, &rsa, sizeof(rsa));
    put(&t, CKA_TOKEN, &yes, sizeof(yes));
    if (label)
        put(&t, CKA_LABEL, label, strlen(label));
    if (id)
        put(&t, CKA_ID, id, strlen(id));
    put(&t, CKA_MODULUS, rsa_key[N].bytes, rsa_key[N].len);
    put(&t, CKA_PUBLIC_EXPONENT, rsa_key[E].bytes, rsa_key[E].len);
    return t;
}

START_TEST(a_public_key_that_is_there_is_answered)
{
    static const char *const names[][2] = {
        { "web", "1" }, { "web", NULL }, { NULL, "1" }, { NULL, NULL }, { "", "" }
    };
    CK_OBJECT_HANDLE handle;
    CK_OBJECT_HANDLE found;
    attrs t = rsa_template(ALL_RSA, "web");
    put(&t, CKA_ID, "1", 1);
    fake_add_rsa("other");
    ck_assert_rv(create(&t, &handle), CKR_OK);
    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        t = public_template(names[i][0], names[i][1]);
        put(&t, CKA_VERIFY, &yes, sizeof(yes));
        put(&t, CKA_PRIVATE, &no, sizeof(no));
        ck_assert_rv(create(&t, &found), CKR_OK);
        ck_assert_uint_eq(found, fake_find_one(token, CKO_PUBLIC_KEY, "web"));
    }
    ck_assert_uint_eq(fake_requests.imports, 1);
    ck_assert_uint_eq(fake_requests.updates, 0);
}
END_TEST

START_TEST(any_other_public_key_has_no_place)
{
    CK_OBJECT_HANDLE found;
    attrs t = public_template("web", NULL);
    ck_assert_rv(create(&t, &found), CKR_TEMPLATE_INCONSISTENT);
    fake_add_rsa("web"); /* other numbers */
    fake_sleep(60000);
    ck_assert_rv(create(&t, &found), CKR_TEMPLATE_INCONSISTENT);

    attrs key = rsa_template(ALL_RSA, "mine");
    ck_assert_rv(create(&key, &found), CKR_OK);
    t = public_template("yours", "mine"); /* the same key has another label */
    ck_assert_rv(create(&t, &found), CKR_ATTRIBUTE_VALUE_INVALID);
    t = public_template("mine", NULL);
    put(&t, CKA_VERIFY, &no, sizeof(no));
    ck_assert_rv(create(&t, &found), CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

/* ---- refusals, before any request ---- */

static void refused(const attrs *t, CK_RV expected)
{
    CK_OBJECT_HANDLE handle;
    ck_assert_rv(create(t, &handle), expected);
    ck_assert_uint_eq(fake_total(), 0);
}

START_TEST(what_no_vault_can_have_is_refused_before_any_request)
{
    attrs t = rsa_template(ALL_RSA, "x");
    put(&t, CKA_EXTRACTABLE, &yes, sizeof(yes));
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(ALL_RSA, "x");
    put(&t, CKA_ALWAYS_AUTHENTICATE, &yes, sizeof(yes));
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(ALL_RSA, "x");
    put(&t, CKA_MODIFIABLE, &no, sizeof(no));
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(ALL_RSA, "x");
    put(&t, CKA_LOCAL, &yes, sizeof(yes));
    refused(&t, CKR_ATTRIBUTE_READ_ONLY);
    t = rsa_template(ALL_RSA, "x");
    put(&t, CKA_EC_PARAMS, "x", 1);
    refused(&t, CKR_TEMPLATE_INCONSISTENT);
    t = rsa_template(ALL_RSA & ~(1U << N), "x");
    refused(&t, CKR_TEMPLATE_INCOMPLETE);
    t = rsa_template(ALL_RSA & ~(1U << D), "x");
    refused(&t, CKR_TEMPLATE_INCOMPLETE);
    t = rsa_template(ALL_RSA, "x");
    t.at[1].pValue = &dsa;
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(ALL_RSA & ~(1U << Q), "x");
    put(&t, CKA_PRIME_2, rsa_key[P].bytes, rsa_key[P].len);
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(0, "x");
    put(&t, CKA_MODULUS, small_n.bytes, small_n.len);
    put(&t, CKA_PRIVATE_EXPONENT, small_d.bytes, small_d.len);
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
    t = rsa_template(ALL_RSA, "x");
    t.at[2].pValue = &no;
    refused(&t, CKR_TEMPLATE_INCONSISTENT);
    t = secret_template(&aes, "0123456789abcdef", "x");
    refused(&t, CKR_TEMPLATE_INCONSISTENT);
    t = ec_template(KVP_CURVE_P256, "x");
    t.at[4].pValue = (void *)(uintptr_t) "\x06\x05\x2b\x81\x04\x00\x01";
    t.at[4].ulValueLen = 7;
    refused(&t, CKR_CURVE_NOT_SUPPORTED);
    t = ec_template(KVP_CURVE_P256, "x");
    t.at[5].pValue = (void *)(uintptr_t) "";
    t.at[5].ulValueLen = 1;
    refused(&t, CKR_ATTRIBUTE_VALUE_INVALID);
}
END_TEST

START_TEST(who_may_not_write_imports_nothing)
{
    CK_OBJECT_HANDLE handle;
    attrs t = rsa_template(ALL_RSA, "x");
    ck_assert_rv(kvp_object_create(&call, &token->reader, t.at, t.count, &handle),
                 CKR_SESSION_READ_ONLY);
    token->config.read_only = true;
    refused(&t, CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_str_eq(call.operation, "CreateObject");
}
END_TEST

START_TEST(a_failing_vault_leaves_nothing)
{
    CK_OBJECT_HANDLE handle = 77;
    attrs t = rsa_template(ALL_RSA, "x");
    fake_fail(403, 1);
    ck_assert_rv(create(&t, &handle), CKR_FUNCTION_REJECTED);
    fake_fail(500, 1);
    ck_assert_rv(create(&t, &handle), CKR_DEVICE_ERROR);
    ck_assert_uint_eq(handle, 77);
    ck_assert_ptr_null(fake_key("x"));
}
END_TEST

START_TEST(short_memory_plans_nothing)
{
    attrs t = rsa_template(1U << N | 1U << D, "Label");
    kvp_import import = { .parts = KVP_PRIVATE_PARTS_INIT };
    long n;
    put(&t, CKA_ID, "\x01", 1);
    for (n = 0; n < 2000; n++) {
        kvp_alloc_fail_after(n);
        CK_RV rv = kvp_import_plan(&call, &token->slot, KVP_IS_PRIVATE_RSA, CKK_RSA,
                                   (kvp_template){ t.at, t.count }, &import);
        kvp_alloc_fail_after(-1);
        if (rv == CKR_OK)
            break;
        ck_assert_ptr_null(import.draft);
    }
    ck_assert_int_gt(n, 10);
    ck_assert_int_lt(n, 2000);
    ck_assert_str_eq(import.draft->name, "Label");
    kvp_import_clear(&import);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_key");
    TCase *vault = tcase_create("vault");
    TCase *hsm = tcase_create("hsm");
    make_keys();
    tcase_add_checked_fixture(vault, setup, teardown);
    tcase_set_timeout(vault, 60);
    tcase_add_loop_test(vault, an_rsa_key_is_imported_with_what_is_given, 0,
                        (int)KVP_ARRAY_LEN(given_parts));
    tcase_add_test(vault, usage_becomes_key_ops_with_the_counterparts);
    tcase_add_test(vault, a_key_without_label_is_called_by_its_id);
    tcase_add_test(vault, a_label_that_is_taken_is_left_alone);
    tcase_add_test(vault, protection_makes_an_hsm_key);
    tcase_add_loop_test(vault, an_ec_key_of_every_curve_gets_its_point, KVP_CURVE_NONE + 1,
                        KVP_CURVE_COUNT);
    tcase_add_test(vault, a_public_key_that_is_there_is_answered);
    tcase_add_test(vault, any_other_public_key_has_no_place);
    tcase_add_test(vault, what_no_vault_can_have_is_refused_before_any_request);
    tcase_add_test(vault, who_may_not_write_imports_nothing);
    tcase_add_test(vault, a_failing_vault_leaves_nothing);
    tcase_add_test(vault, short_memory_plans_nothing);
    suite_add_tcase(suite, vault);
    tcase_add_checked_fixture(hsm, setup_hsm, teardown);
    tcase_add_test(hsm, a_managed_hsm_takes_secret_keys);
    suite_add_tcase(suite, hsm);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
