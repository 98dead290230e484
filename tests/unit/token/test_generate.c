/* SPDX-License-Identifier: MIT */
/* Generating keys: what templates mean, and what is made. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"
#include "token/generate_plan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static kvp_call call;
static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_ULONG bits = 2048;
static CK_ULONG aes_len = 32;
static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t p521[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
static CK_MECHANISM rsa_gen = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
static CK_MECHANISM ec_gen = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
static CK_MECHANISM aes_gen = { CKM_AES_KEY_GEN, NULL, 0 };
static CK_MECHANISM generic_gen = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };

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

static CK_RV generate_in(kvp_session *session, CK_MECHANISM *mechanism, const CK_ATTRIBUTE *pub,
                         CK_ULONG pub_count, const CK_ATTRIBUTE *priv, CK_ULONG priv_count,
                         CK_OBJECT_HANDLE ret[2])
{
    return kvp_generate_key_pair(&call, session, mechanism, pub, pub_count, priv, priv_count,
                                 &ret[0], &ret[1]);
}

#define GENERATE(mechanism, pub, priv, handles)                                                    \
    generate_in(&token->session, &(mechanism), (pub), KVP_ARRAY_LEN(pub), (priv),                  \
                KVP_ARRAY_LEN(priv), (handles))

START_TEST(an_rsa_pair_is_made_under_its_label)
{
    CK_OBJECT_HANDLE handles[2];
    CK_MECHANISM_TYPE mechanism;
    CK_ATTRIBUTE pub[] = { ATTR_VALUE(CKA_MODULUS_BITS, bits),
                           ATTR_TEXT(CKA_PUBLIC_EXPONENT, "\x01\x00\x01"),
                           ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_PRIVATE, yes),
                            ATTR_VALUE(CKA_SENSITIVE, yes), ATTR_TEXT(CKA_LABEL, "web") };

    ck_assert_rv(GENERATE(rsa_gen, pub, priv, handles), CKR_OK);

    const kvp_key *key = fake_key("web");
    ck_assert_ptr_nonnull(key);
    ck_assert_int_eq(key->kty, KVP_KTY_RSA);
    ck_assert_uint_eq(key->key_bits, 2048);
    ck_assert(!key->hsm);
    ck_assert_ptr_null(kvp_key_tag(key, KVP_TAG_LABEL));
    ck_assert_ptr_null(kvp_key_tag(key, KVP_TAG_ID));
    ck_assert_uint_eq(fake_requests.creates, 1);
    ck_assert_str_eq(call.operation, "GenerateKeyPair");
    ck_assert_str_eq(call.object_id, key->id);

    fake_reset();
    ck_assert_uint_eq(fake_find_one(token, CKO_PUBLIC_KEY, "web"), handles[0]);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "web"), handles[1]);
    ck_assert(fake_get_bool(token, handles[1], CKA_LOCAL));
    ck_assert(fake_get_bool(token, handles[1], CKA_ALWAYS_SENSITIVE));
    ck_assert(fake_get_bool(token, handles[1], CKA_NEVER_EXTRACTABLE));
    fake_get(token, handles[1], CKA_KEY_GEN_MECHANISM, &mechanism, sizeof(mechanism));
    ck_assert_uint_eq(mechanism, CKM_RSA_PKCS_KEY_PAIR_GEN);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(a_label_that_is_no_name_and_an_id_become_tags)
{
    CK_OBJECT_HANDLE handles[2];
    char label[32] = { 0 };
    uint8_t id[1];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
                           ATTR_TEXT(CKA_ID, "\x01") };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "My key"),
                            ATTR_TEXT(CKA_ID, "\x01") };
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    fake_get(token, handles[0], CKA_LABEL, label, sizeof(label));
    ck_assert_str_eq(label, "My key");
    ck_assert_uint_eq(fake_get(token, handles[0], CKA_ID, id, 1), 1);
    ck_assert_uint_eq(id[0], 1);
}
END_TEST

START_TEST(without_a_label_a_name_is_made_up)
{
    CK_OBJECT_HANDLE handles[2];
    char label[32] = { 0 };
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p521, sizeof(p521)) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes) };
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    fake_get(token, handles[0], CKA_LABEL, label, sizeof(label));
    ck_assert_msg(strncmp(label, "key-", 4) == 0 && strlen(label) == 12, "%s", label);
}
END_TEST

START_TEST(a_name_that_lives_is_not_made_again)
{
    CK_OBJECT_HANDLE handles[2];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    fake_add_ec("web");
    fake_set_enabled("web", false);
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_str_eq(call.error.code, "KeyExists");
    ck_assert_uint_eq(fake_requests.creates, 0);
}
END_TEST

START_TEST(a_deleted_name_is_the_services_refusal)
{
    CK_OBJECT_HANDLE handles[2];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    fake_fail(409, 1);
    CK_RV rv = GENERATE(ec_gen, pub, priv, handles);
    ck_assert_rv(rv, CKR_FUNCTION_REJECTED);
    ck_assert_int_eq(call.error.http_status, 409);
}
END_TEST

START_TEST(dates_and_protection_are_passed_on)
{
    CK_OBJECT_HANDLE handles[2];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web"),
                            ATTR_TEXT(CKA_START_DATE, "20260101"),
                            ATTR_TEXT(CKA_END_DATE, "20261231") };
    token->config.protection_hsm = true;
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    ck_assert_int_eq(fake_key("web")->attributes.not_before, 1767225600);
    ck_assert_int_eq(fake_key("web")->attributes.expires, 1798761599);
    ck_assert(fake_get_bool(token, handles[0], CKA_KVP_HSM));
}
END_TEST

/* ---- usage ---- */

static uint32_t ops_made(const CK_ATTRIBUTE *pub_usage, CK_ULONG pub_count,
                         const CK_ATTRIBUTE *priv_usage, CK_ULONG priv_count)
{
    CK_ATTRIBUTE pub[6] = { ATTR_VALUE(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE priv[6] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    CK_OBJECT_HANDLE handles[2];
    for (CK_ULONG i = 0; i < pub_count; i++)
        pub[1 + i] = pub_usage[i];
    for (CK_ULONG i = 0; i < priv_count; i++)
        priv[2 + i] = priv_usage[i];
    ck_assert_rv(generate_in(&token->session, &rsa_gen, pub, 1 + pub_count, priv, 2 + priv_count,
                             handles),
                 CKR_OK);
    return fake_key("web")->ops;
}

START_TEST(no_usage_leaves_key_ops_to_the_service)
{
    kvp_generation generation = { 0 };
    kvp_key_create request;
    CK_ATTRIBUTE pub[] = { ATTR_VALUE(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes) };
    ck_assert_rv(kvp_generation_pair(&call, &token->slot, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                     (kvp_template){ pub, 1 }, (kvp_template){ priv, 1 },
                                     &generation),
                 CKR_OK);
    kvp_generation_request(&generation, &token->slot, &request);
    ck_assert_uint_eq(request.ops, 0);
    kvp_generation_clear(&generation);
    ck_assert_uint_eq(ops_made(NULL, 0, NULL, 0) & KVP_OP_SIGN, KVP_OP_SIGN);
}
END_TEST

START_TEST(usage_of_one_side_gives_the_counterpart)
{
    CK_ATTRIBUTE sign[] = { ATTR_VALUE(CKA_SIGN, yes) };
    ck_assert_uint_eq(ops_made(NULL, 0, sign, 1), KVP_OP_SIGN | KVP_OP_VERIFY);
}
END_TEST

START_TEST(usage_of_both_sides_is_taken_as_it_is)
{
    CK_ATTRIBUTE sign[] = { ATTR_VALUE(CKA_SIGN, yes), ATTR_VALUE(CKA_DECRYPT, yes) };
    CK_ATTRIBUTE verify[] = { ATTR_VALUE(CKA_VERIFY, yes), ATTR_VALUE(CKA_ENCRYPT, no) };
    ck_assert_uint_eq(ops_made(verify, 2, sign, 2), KVP_OP_SIGN | KVP_OP_DECRYPT | KVP_OP_VERIFY);
}
END_TEST

START_TEST(only_false_takes_from_the_defaults)
{
    CK_ATTRIBUTE no_sign[] = { ATTR_VALUE(CKA_SIGN, no) };
    uint32_t ops = ops_made(NULL, 0, no_sign, 1);
    ck_assert(!(ops & KVP_OP_SIGN));
    ck_assert(ops & KVP_OP_DECRYPT);
}
END_TEST

/* ---- refusals ---- */

START_TEST(templates_that_a_vault_cannot_fulfil_are_refused)
{
    static CK_ULONG small = 1024;
    static CK_ULONG odd = 2304;
    static const uint8_t p224[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21 };
    static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
    static CK_KEY_TYPE ec = CKK_EC;
    const struct {
        CK_MECHANISM *mechanism;
        CK_ATTRIBUTE pub[3], priv[3];
        CK_ULONG pub_count, priv_count;
        CK_RV rv;
    } cases[] = {
        /* One operation of a vault's key stands for both (§4.1.1: values that do not go together);
         * neither is wrong by itself. */
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_SIGN, yes),
            ATTR_VALUE(CKA_SIGN_RECOVER, no) }, 1, 3, CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_SIGN, no),
            ATTR_VALUE(CKA_SIGN_RECOVER, yes) }, 1, 3, CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen,
          { ATTR_VALUE(CKA_MODULUS_BITS, bits), ATTR_VALUE(CKA_VERIFY_RECOVER, no),
            ATTR_VALUE(CKA_VERIFY, yes) },
          { ATTR_VALUE(CKA_TOKEN, yes) }, 3, 1, CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_TOKEN, yes) }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_TEMPLATE_INCOMPLETE },
        { &ec_gen, { ATTR_VALUE(CKA_TOKEN, yes) }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_TEMPLATE_INCOMPLETE },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, small) }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, odd) }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen,
          { ATTR_VALUE(CKA_MODULUS_BITS, bits), ATTR_TEXT(CKA_PUBLIC_EXPONENT, "\x03") },
          { ATTR_VALUE(CKA_TOKEN, yes) }, 2, 1, CKR_ATTRIBUTE_VALUE_INVALID },
        { &ec_gen, { ATTR_BYTES(CKA_EC_PARAMS, p224, sizeof(p224)) },
          { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1, CKR_CURVE_NOT_SUPPORTED },
        { &ec_gen, { ATTR_TEXT(CKA_EC_PARAMS, "rubbish") }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) }, { ATTR_VALUE(CKA_TOKEN, no) }, 1, 1,
          CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) }, { ATTR_VALUE(CKA_SIGN, yes) }, 1, 1,
          CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_EXTRACTABLE, yes) }, 1, 2,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_SENSITIVE, no) }, 1, 2,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_CLASS, secret_class) }, 1, 2,
          CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits), ATTR_VALUE(CKA_KEY_TYPE, ec) },
          { ATTR_VALUE(CKA_TOKEN, yes) }, 2, 1, CKR_TEMPLATE_INCONSISTENT },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits), ATTR_TEXT(CKA_LABEL, "a") },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "b") }, 2, 2,
          CKR_TEMPLATE_INCONSISTENT },
        { &ec_gen, { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_DECRYPT, yes) }, 1, 2,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_LOCAL, yes) }, 1, 2,
          CKR_ATTRIBUTE_READ_ONLY },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_VALUE(CKA_VENDOR_DEFINED | 1, yes) }, 1, 2,
          CKR_ATTRIBUTE_TYPE_INVALID },
        { &rsa_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) },
          { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "\xff") }, 1, 2,
          CKR_ATTRIBUTE_VALUE_INVALID },
        { &aes_gen, { ATTR_VALUE(CKA_MODULUS_BITS, bits) }, { ATTR_VALUE(CKA_TOKEN, yes) }, 1, 1,
          CKR_MECHANISM_INVALID },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(cases); i++) {
        CK_OBJECT_HANDLE handles[2];
        CK_RV rv = generate_in(&token->session, cases[i].mechanism, cases[i].pub,
                               cases[i].pub_count, cases[i].priv, cases[i].priv_count, handles);
        ck_assert_msg(rv == cases[i].rv, "%zu: 0x%lx, not 0x%lx", i, rv, cases[i].rv);
    }
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(sessions_that_may_not_write_make_nothing)
{
    CK_OBJECT_HANDLE handles[2];
    CK_ATTRIBUTE pub[] = { ATTR_VALUE(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes) };
    CK_MECHANISM with_parameter = { CKM_RSA_PKCS_KEY_PAIR_GEN, &bits, sizeof(bits) };
    ck_assert_rv(GENERATE(with_parameter, pub, priv, handles), CKR_MECHANISM_PARAM_INVALID);
    ck_assert_rv(generate_in(&token->reader, &rsa_gen, pub, 1, priv, 1, handles),
                 CKR_SESSION_READ_ONLY);
    token->config.read_only = true;
    ck_assert_rv(GENERATE(rsa_gen, pub, priv, handles), CKR_TOKEN_WRITE_PROTECTED);
    ck_assert_rv(generate_in(&token->reader, &rsa_gen, pub, 1, priv, 1, handles),
                 CKR_TOKEN_WRITE_PROTECTED);
    token->config.read_only = false;
    token->config.credential = kvp_strdup("pin");
    ck_assert_rv(GENERATE(rsa_gen, pub, priv, handles), CKR_USER_NOT_LOGGED_IN);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(a_name_that_the_configuration_hides_is_refused)
{
    CK_OBJECT_HANDLE handles[2];
    char *globs[] = { (char *)(uintptr_t) "prod-*", NULL };
    CK_ATTRIBUTE pub[] = { ATTR_VALUE(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    token->config.keys = globs;
    ck_assert_rv(GENERATE(rsa_gen, pub, priv, handles), CKR_ATTRIBUTE_VALUE_INVALID);
    token->config.keys = NULL;
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(a_public_key_may_be_wanted_for_the_session)
{
    CK_OBJECT_HANDLE handles[2];
    CK_OBJECT_HANDLE found[4];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
                           ATTR_VALUE(CKA_TOKEN, no) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    ck_assert(!fake_get_bool(token, handles[0], CKA_TOKEN));
    ck_assert(fake_get_bool(token, handles[1], CKA_TOKEN));
    CK_ATTRIBUTE session_only[] = { ATTR_VALUE(CKA_TOKEN, no) };
    ck_assert_uint_eq(fake_find(token, session_only, 1, found, 4), 1);
}
END_TEST

static const struct {
    const char *der;
    size_t len;
    CK_RV rv;
    kvp_curve curve;
} params[] = {
    { "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10, CKR_OK, KVP_CURVE_P256 },
    { "\x06\x05\x2b\x81\x04\x00\x0a", 7, CKR_OK, KVP_CURVE_P256K },
    { "\x06\x05\x2b\x81\x04\x00\x22", 7, CKR_OK, KVP_CURVE_P384 },
    { "\x06\x05\x2b\x81\x04\x00\x23", 7, CKR_OK, KVP_CURVE_P521 },
    { "\x13\x09secp384r1", 11, CKR_OK, KVP_CURVE_P384 },
    { "\x13\x0aprime256v1", 12, CKR_OK, KVP_CURVE_P256 },
    { "\x13\x0c" "edwards25519", 14, CKR_CURVE_NOT_SUPPORTED, KVP_CURVE_NONE },
    { "\x06\x05\x2b\x81\x04\x00\x21", 7, CKR_CURVE_NOT_SUPPORTED, KVP_CURVE_NONE },
    { "\x30\x03\x02\x01\x01", 5, CKR_CURVE_NOT_SUPPORTED, KVP_CURVE_NONE },
    { "\x06\x08\x2a\x86\x48", 5, CKR_ATTRIBUTE_VALUE_INVALID, KVP_CURVE_NONE },
    { "\x05\x01\x00", 3, CKR_ATTRIBUTE_VALUE_INVALID, KVP_CURVE_NONE },
    { "\x06", 1, CKR_ATTRIBUTE_VALUE_INVALID, KVP_CURVE_NONE },
};

START_TEST(curves_are_named_by_oid_or_string)
{
    kvp_curve curve = KVP_CURVE_NONE;
    ck_assert_rv(kvp_curve_from_params(params[_i].der, params[_i].len, &curve), params[_i].rv);
    ck_assert_int_eq(curve, params[_i].curve);
}
END_TEST

/* ---- secret keys ---- */

START_TEST(an_aes_session_key_is_made_here)
{
    CK_OBJECT_HANDLE handle;
    uint8_t value[32];
    uint8_t zero[32] = { 0 };
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len) };
    ck_assert_rv(kvp_generate_key(&call, &token->reader, &aes_gen, attrs, 1, &handle), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handle, CKA_VALUE, value, sizeof(value)), 32);
    ck_assert_mem_ne(value, zero, 32);
    ck_assert(fake_get_bool(token, handle, CKA_LOCAL));
    ck_assert_uint_eq(fake_total(), 0);
    ck_assert_ptr_null(call.operation);
}
END_TEST

START_TEST(secret_key_templates_are_checked)
{
    CK_OBJECT_HANDLE handle;
    CK_ULONG odd = 17;
    CK_ULONG huge = 513;
    CK_KEY_TYPE des = CKK_DES3;
    CK_ATTRIBUTE none[] = { ATTR_VALUE(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE wrong_len[] = { ATTR_VALUE(CKA_VALUE_LEN, odd) };
    CK_ATTRIBUTE too_long[] = { ATTR_VALUE(CKA_VALUE_LEN, huge) };
    CK_ATTRIBUTE wrong_type[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len),
                                  ATTR_VALUE(CKA_KEY_TYPE, des) };
    CK_ATTRIBUTE on_vault[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len), ATTR_VALUE(CKA_TOKEN, yes) };
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, none, 1, &handle),
                 CKR_TEMPLATE_INCOMPLETE);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, wrong_len, 1, &handle),
                 CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &generic_gen, wrong_len, 1, &handle),
                 CKR_OK);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &generic_gen, too_long, 1, &handle),
                 CKR_ATTRIBUTE_VALUE_INVALID);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, wrong_type, 2, &handle),
                 CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, on_vault, 2, &handle),
                 CKR_TEMPLATE_INCONSISTENT);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &rsa_gen, on_vault, 1, &handle),
                 CKR_MECHANISM_INVALID);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(a_managed_hsm_makes_aes_and_hmac_keys)
{
    CK_OBJECT_HANDLE handle;
    CK_ULONG len = 0;
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len), ATTR_VALUE(CKA_TOKEN, yes),
                             ATTR_TEXT(CKA_LABEL, "aes"), ATTR_VALUE(CKA_ENCRYPT, yes),
                             ATTR_VALUE(CKA_DECRYPT, yes) };
    CK_ATTRIBUTE mac[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len), ATTR_VALUE(CKA_TOKEN, yes),
                           ATTR_TEXT(CKA_LABEL, "mac") };
    CK_ATTRIBUTE wrong[] = { ATTR_VALUE(CKA_VALUE_LEN, aes_len), ATTR_VALUE(CKA_TOKEN, yes),
                             ATTR_VALUE(CKA_SIGN, yes) };
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, attrs, 5, &handle), CKR_OK);
    ck_assert_uint_eq(fake_key("aes")->ops, KVP_OP_ENCRYPT | KVP_OP_DECRYPT);
    ck_assert(fake_key("aes")->hsm);
    fake_get(token, handle, CKA_VALUE_LEN, &len, sizeof(len));
    ck_assert_uint_eq(len, 32);

    ck_assert_rv(kvp_generate_key(&call, &token->session, &generic_gen, mac, 3, &handle), CKR_OK);
    fake_get(token, handle, CKA_KEY_TYPE, &type, sizeof(type));
    ck_assert_uint_eq(type, CKK_GENERIC_SECRET);
    ck_assert_rv(kvp_generate_key(&call, &token->session, &aes_gen, wrong, 3, &handle),
                 CKR_TEMPLATE_INCONSISTENT);
}
END_TEST

START_TEST(short_memory_makes_no_key_twice)
{
    CK_OBJECT_HANDLE handles[2];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)) };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_LABEL, "web") };
    for (long n = 0; n < 20; n++) {
        kvp_generation generation = { 0 };
        kvp_alloc_fail_after(n);
        CK_RV rv = kvp_generation_pair(&call, &token->slot, CKM_EC_KEY_PAIR_GEN,
                                       (kvp_template){ pub, 1 }, (kvp_template){ priv, 2 },
                                       &generation);
        kvp_alloc_fail_after(-1);
        kvp_generation_clear(&generation);
        ck_assert(rv == CKR_OK || rv == CKR_HOST_MEMORY || rv == CKR_ATTRIBUTE_VALUE_INVALID);
    }
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
}
END_TEST

START_TEST(a_pair_without_label_is_called_by_its_id)
{
    CK_OBJECT_HANDLE handles[2];
    uint8_t id[16];
    CK_ATTRIBUTE pub[] = { ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof(p256)),
                           ATTR_TEXT(CKA_ID, "alias") };
    CK_ATTRIBUTE priv[] = { ATTR_VALUE(CKA_TOKEN, yes), ATTR_TEXT(CKA_ID, "alias") };
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    ck_assert_ptr_nonnull(fake_key("alias"));
    ck_assert_ptr_null(kvp_key_tag(fake_key("alias"), KVP_TAG_ID));
    /* Again: the name is taken, and nobody asked for it. */
    ck_assert_rv(GENERATE(ec_gen, pub, priv, handles), CKR_OK);
    ck_assert_uint_eq(fake_get(token, handles[1], CKA_ID, id, sizeof(id)), 5);
    ck_assert_mem_eq(id, "alias", 5);
    ck_assert_uint_eq(fake_requests.creates, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("generate");
    TCase *tc = tcase_create("pairs");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_rsa_pair_is_made_under_its_label);
    tcase_add_test(tc, a_pair_without_label_is_called_by_its_id);
    tcase_add_test(tc, a_label_that_is_no_name_and_an_id_become_tags);
    tcase_add_test(tc, without_a_label_a_name_is_made_up);
    tcase_add_test(tc, a_name_that_lives_is_not_made_again);
    tcase_add_test(tc, a_deleted_name_is_the_services_refusal);
    tcase_add_test(tc, dates_and_protection_are_passed_on);
    tcase_add_test(tc, no_usage_leaves_key_ops_to_the_service);
    tcase_add_test(tc, usage_of_one_side_gives_the_counterpart);
    tcase_add_test(tc, usage_of_both_sides_is_taken_as_it_is);
    tcase_add_test(tc, only_false_takes_from_the_defaults);
    tcase_add_test(tc, a_public_key_may_be_wanted_for_the_session);
    suite_add_tcase(suite, tc);
    tc = tcase_create("refusals");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, templates_that_a_vault_cannot_fulfil_are_refused);
    tcase_add_test(tc, sessions_that_may_not_write_make_nothing);
    tcase_add_test(tc, a_name_that_the_configuration_hides_is_refused);
    tcase_add_loop_test(tc, curves_are_named_by_oid_or_string, 0, KVP_ARRAY_LEN(params));
    tcase_add_test(tc, short_memory_makes_no_key_twice);
    suite_add_tcase(suite, tc);
    tc = tcase_create("secret keys");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_aes_session_key_is_made_here);
    tcase_add_test(tc, secret_key_templates_are_checked);
    suite_add_tcase(suite, tc);
    tc = tcase_create("managed hsm");
    tcase_add_checked_fixture(tc, setup_hsm, teardown);
    tcase_add_test(tc, a_managed_hsm_makes_aes_and_hmac_keys);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
