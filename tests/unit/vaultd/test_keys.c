/* SPDX-License-Identifier: MIT */
/* Key documents over exchanges: create, import, get, and every wrong type. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/key_doc.h"

#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static json_t *create_ec(const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "/keys/%s/create", name);
    return kvp_test_call(&vault, "POST", path, "{\"kty\":\"EC\"}", 200);
}

START_TEST(a_created_key_has_the_members_of_the_service_in_order)
{
    json_t *rsa = kvp_test_call(&vault, "POST", "/keys/MyKey/create",
                                "{\"kty\":\"RSA\",\"tags\":{\"a\":\"b\"},\"attributes\":{\"exp\":"
                                "2524611661,\"nbf\":5}}",
                                200);

    ck_assert_str_eq(kvp_test_members(rsa), "key attributes tags");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(rsa, "key")), "kid kty key_ops n e");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(rsa, "attributes")),
                     "enabled nbf exp created updated recoveryLevel recoverableDays exportable "
                     "hsmPlatform");
    ck_assert_str_eq(kvp_test_text(rsa, "key.e"), "AQAB");
    ck_assert_uint_eq(strlen(kvp_test_text(rsa, "key.n")), 342);
    const char *kid = kvp_test_text(rsa, "key.kid");
    ck_assert_mem_eq(kid, "https://127.0.0.1:8443/keys/MyKey/", 34);
    ck_assert(kvp_ident_is_version(kid + 34));
    char *ops = json_dumps(kvp_test_at(rsa, "key.key_ops"), JSON_COMPACT);
    ck_assert_str_eq(ops,
                     "[\"encrypt\",\"decrypt\",\"sign\",\"verify\",\"wrapKey\",\"unwrapKey\"]");
    free(ops);
    json_decref(rsa);
}
END_TEST

START_TEST(older_versions_answer_with_fewer_attributes)
{
    static const char *const rows[][2] = {
        { "7.0", "enabled created updated recoveryLevel" },
        { "7.1", "enabled created updated recoveryLevel recoverableDays" },
        { "7.3", "enabled created updated recoveryLevel recoverableDays exportable" },
        { "2025-07-01",
          "enabled created updated recoveryLevel recoverableDays exportable hsmPlatform" },
    };

    vault.api_version = rows[_i][0];
    json_t *key = create_ec("k");

    ck_assert_str_eq(kvp_test_members(kvp_test_at(key, "attributes")), rows[_i][1]);
    ck_assert_ptr_null(kvp_test_at(key, "tags"));
    json_decref(key);
}
END_TEST

START_TEST(every_curve_has_points_of_fixed_width)
{
    const kvp_engine_curve *curve = &kvp_engine_curves[_i];
    char kty[2][8] = { "EC", "EC-HSM" };

    for (size_t i = 0; i < 2; i++) {
        json_t *key = kvp_test_callf(&vault, "POST", "/keys/k/create", 200,
                                     "{\"kty\":\"%s\",\"crv\":\"%s\"}", kty[i], curve->name);
        ck_assert_str_eq(kvp_test_text(key, "key.kty"), kty[i]);
        ck_assert_str_eq(kvp_test_text(key, "key.crv"), curve->name);
        ck_assert_str_eq(kvp_test_members(kvp_test_at(key, "key")), "kid kty key_ops crv x y");
        ck_assert_uint_eq(strlen(kvp_test_text(key, "key.x")), (curve->width * 4 + 2) / 3);
        ck_assert_uint_eq(strlen(kvp_test_text(key, "key.y")), (curve->width * 4 + 2) / 3);
        json_decref(key);
    }
}
END_TEST

START_TEST(a_second_create_makes_a_new_current_version)
{
    json_t *first = create_ec("Name"), *second = create_ec("nAME");
    json_t *now = kvp_test_call(&vault, "GET", "/keys/NAME", NULL, 200);
    json_t *slash = kvp_test_call(&vault, "GET", "/keys/NAME/", NULL, 200);
    json_t *old = kvp_test_call(&vault, "GET", kvp_test_text(first, "key.kid") + 22, NULL, 200);

    ck_assert(json_equal(now, second));
    ck_assert(json_equal(slash, second));
    ck_assert(json_equal(old, first));
    /* The case of the first creation stays. */
    ck_assert_ptr_nonnull(strstr(kvp_test_text(second, "key.kid"), "/keys/Name/"));
    json_decref(first);
    json_decref(second);
    json_decref(now);
    json_decref(slash);
    json_decref(old);
}
END_TEST

/* What create refuses, and how. */
static const struct {
    const char *body, *inner, *text;
} bad_creates[] = {
    { "", NULL, "Property  has invalid value\r\n" },
    { "[]", NULL, "Property  has invalid value\r\n" },
    { "null", NULL, "Property  has invalid value" },
    { "{\"kty\":\"EC\"", NULL, "Property  has invalid value" },
    { "{\"kty\":\"EC\"} x", NULL, "Property  has invalid value" },
    { "{\"kty\":\"EC\",\"x\":1e999}", NULL, "Property  has invalid value" },
    { "{\"kty\":\"EC\",\"x\":\"\\u0000\"}", NULL, "Property  has invalid value" },
    { "{\"kty\":\"EC\",\"x\":\"\xff\"}", NULL, "Property  has invalid value" },
    { "{}", NULL, "Property kty has invalid value\r\n" },
    { "{\"kty\":5}", NULL, "Property kty has invalid value" },
    { "{\"kty\":null}", NULL, "Property kty has invalid value" },
    { "{\"kty\":\"DSA\"}", NULL, "Property  has invalid value" },
    { "{\"kty\":\"oct\"}", "KeyTypeNotSupported", "Invalid kty value: oct" },
    { "{\"kty\":\"oct-HSM\",\"key_size\":256}", NULL, "Property  has invalid value\r\n" },
    { "{\"kty\":\"RSA\",\"key_size\":1024}", NULL, "Unsupported key size" },
    { "{\"kty\":\"RSA\",\"key_size\":-2048}", NULL, "Unsupported key size" },
    { "{\"kty\":\"RSA\",\"key_size\":4294969344}", NULL, "Unsupported key size" },
    { "{\"kty\":\"RSA\",\"key_size\":\"2048\"}", NULL, "Property key_size has" },
    { "{\"kty\":\"RSA\",\"key_size\":2048.5}", NULL, "Property key_size has" },
    { "{\"kty\":\"RSA\",\"public_exponent\":4}", NULL, "Property public_exponent has" },
    { "{\"kty\":\"EC\",\"crv\":\"P-192\"}", NULL, "Property crv has" },
    { "{\"kty\":\"EC\",\"crv\":256}", NULL, "Property crv has" },
    { "{\"kty\":\"EC\",\"key_ops\":\"sign\"}", NULL, "Property key_ops has" },
    { "{\"kty\":\"EC\",\"key_ops\":[1]}", NULL, "Property key_ops has" },
    { "{\"kty\":\"EC\",\"key_ops\":[\"fly\"]}", NULL, "Property key_ops has" },
    { "{\"kty\":\"EC\",\"key_ops\":{}}", NULL, "Property key_ops has" },
    { "{\"kty\":\"EC\",\"attributes\":[]}", NULL, "Property attributes has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"enabled\":\"yes\"}}", NULL, "Property enabled has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"enabled\":1}}", NULL, "Property enabled has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"exp\":\"1\"}}", NULL, "Property exp has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"nbf\":-1}}", NULL, "Property nbf has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"nbf\":9223372036854775807}}", NULL, "Property nbf has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"exportable\":[]}}", NULL, "Property exportable has" },
    { "{\"kty\":\"EC\",\"attributes\":{\"exportable\":true}}", NULL,
      "AKV.SKR.1004: Exportable keys must have release policy." },
    { "{\"kty\":\"EC\",\"release_policy\":{\"data\":\"e30\"}}", NULL,
      "AKV.SKR.1005: Non-exportable keys must not have release policy." },
    { "{\"kty\":\"EC\",\"release_policy\":{\"data\":\"e30\"},\"attributes\":{\"exportable\":true}}",
      NULL, "missing 'version'" },
    { "{\"kty\":\"EC\",\"release_policy\":{\"data\":\"!\"},\"attributes\":{\"exportable\":true}}",
      NULL, "Property data has" },
    { "{\"kty\":\"EC\",\"tags\":[]}", NULL, "Property tags has" },
    { "{\"kty\":\"EC\",\"tags\":{\"a\":1}}", NULL, "Property tags has" },
    { "{\"kty\":\"EC\",\"tags\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":\"\",\"6\":\"\","
      "\"7\":\"\",\"8\":\"\",\"9\":\"\",\"10\":\"\",\"11\":\"\",\"12\":\"\",\"13\":\"\",\"14\":"
      "\"\","
      "\"15\":\"\",\"16\":\"\"}}",
      NULL, "Invalid tags" },
};

START_TEST(create_refuses_what_is_wrong)
{
    json_t *answer = kvp_test_call(&vault, "POST", "/keys/k/create", bad_creates[_i].body, 400);

    kvp_test_error(answer, "BadParameter", bad_creates[_i].inner, bad_creates[_i].text);
    kvp_test_error(
        kvp_test_call(&vault, "GET", "/keys/k", NULL, 404), "KeyNotFound", NULL,
        "A key with (name/id) k was not found in this key vault. If you recently deleted "
        "this key you may be able to recover it using the correct recovery command. For "
        "help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182");
}
END_TEST

START_TEST(tags_are_counted_in_characters)
{
    char value[600] = "";

    for (size_t i = 0; i < 256; i++)
        strcat(value, "\xc3\xa4");
    json_decref(kvp_test_callf(&vault, "POST", "/keys/k/create", 200,
                               "{\"kty\":\"EC\",\"tags\":{\"a\":\"%s\"}}", value));
    strcat(value, "x");
    kvp_test_error(kvp_test_callf(&vault, "POST", "/keys/k/create", 400,
                                  "{\"kty\":\"EC\",\"tags\":{\"a\":\"%s\"}}", value),
                   "BadParameter", NULL, "Invalid tags");
}
END_TEST

START_TEST(unknown_and_null_members_do_not_matter)
{
    json_decref(
        kvp_test_call(&vault, "POST", "/keys/k/create",
                      "{\"kty\":\"EC\",\"crv\":null,\"key_ops\":null,\"attributes\":{\"exp\":"
                      "null,\"enabled\":null,\"created\":1,\"recoveryLevel\":\"x\",\"tags\":"
                      "{}},\"tags\":null,\"release_policy\":null,\"whatever\":[{}],"
                      "\"key_size\":null}",
                      200));
}
END_TEST

START_TEST(deeply_nested_bodies_are_refused)
{
    kvp_buf body = KVP_BUF_INIT(0);

    for (size_t i = 0; i < 100000; i++)
        ck_assert_int_eq(kvp_buf_append(&body, "[", 1), KVP_OK);
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/create", kvp_buf_str(&body), 400),
                   "BadParameter", NULL, "Property  has");
    kvp_buf_clear(&body);
}
END_TEST

START_TEST(names_have_127_characters_at_most)
{
    char path[200] = "/keys/";

    memset(path + 6, 'a', 127);
    snprintf(path + 133, sizeof(path) - 133, "/create");
    json_decref(kvp_test_call(&vault, "POST", path, "{\"kty\":\"EC\"}", 200));
    memset(path + 6, 'a', 128);
    snprintf(path + 134, sizeof(path) - 134, "/create");
    kvp_test_error(kvp_test_call(&vault, "POST", path, "{\"kty\":\"EC\"}", 400), "BadParameter",
                   NULL, "The request URI contains an invalid name: aaa");
    kvp_test_error(
        kvp_test_call(&vault, "POST", "/keys/key%21@%23$/create", "{\"kty\":\"EC\"}", 400),
        "BadParameter", NULL, "The request URI contains an invalid name: key!@#$");
}
END_TEST

/* A private JWK of a fresh RSA key, as text without braces; member @skip is left out. */
static char *rsa_jwk(kvp_engine_key *key, const char *skip)
{
    static const char *const numbers[][2] = {
        { "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },
        { "d", OSSL_PKEY_PARAM_RSA_D },          { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
        { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
        { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
    };
    kvp_buf text = KVP_BUF_INIT(0);

    for (size_t i = 0; i < KVP_ARRAY_LEN(numbers); i++) {
        BIGNUM *bn = NULL;
        uint8_t out[520] = { 0 };
        if (strcmp(numbers[i][0], skip) == 0)
            continue;
        ck_assert_int_eq(EVP_PKEY_get_bn_param(key->pkey, numbers[i][1], &bn), 1);
        int len = BN_bn2bin(bn, out + 1); /* one leading zero, as some clients send it */
        char *encoded = kvp_test_base64(out, (size_t)len + 1);
        ck_assert_int_eq(kvp_buf_append_fmt(&text, "%s\"%s\":\"%s\"", text.len ? "," : "",
                                            numbers[i][0], encoded),
                         KVP_OK);
        kvp_free(encoded);
        BN_free(bn);
    }
    char *copy = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    return copy;
}

START_TEST(an_imported_rsa_key_comes_back_without_its_private_half)
{
    kvp_engine_key *key = NULL;
    ck_assert_int_eq(kvp_engine_generate_rsa(2048, 65537, &key, NULL), KVP_OK);
    char *jwk = rsa_jwk(key, "");
    json_t *answer = kvp_test_callf(&vault, "PUT", "/keys/k", 200,
                                    "{\"key\":{\"kty\":\"RSA\",\"key_ops\":[\"sign\"],%s},\"Hsm\":"
                                    "%s,\"tags\":{}}",
                                    jwk, _i ? "true" : "false");

    ck_assert_str_eq(kvp_test_text(answer, "key.kty"), _i ? "RSA-HSM" : "RSA");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(answer, "key")), "kid kty key_ops n e");
    ck_assert_uint_eq(strlen(kvp_test_text(answer, "key.n")), 342);
    ck_assert_uint_eq(json_array_size(kvp_test_at(answer, "key.key_ops")), 1);
    json_decref(answer);
    kvp_free(jwk);
    kvp_engine_key_unref(key);
}
END_TEST

START_TEST(an_rsa_jwk_without_one_of_its_numbers_is_refused)
{
    static const char *const all[] = { "n", "e", "d", "p", "q", "dp", "dq", "qi" };
    kvp_engine_key *key = NULL;
    ck_assert_int_eq(kvp_engine_generate_rsa(2048, 65537, &key, NULL), KVP_OK);

    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++) {
        char *jwk = rsa_jwk(key, all[i]);
        kvp_test_error(
            kvp_test_callf(&vault, "PUT", "/keys/k", 400, "{\"key\":{\"kty\":\"RSA\",%s}}", jwk),
            "BadParameter", NULL, "The property \"key\" must be a valid JsonWebKey object.");
        kvp_free(jwk);
    }
    kvp_engine_key_unref(key);
}
END_TEST

#define EC_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define EC_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define EC_D "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"

START_TEST(an_ec_jwk_of_the_standard_is_taken)
{
    /* RFC 7517, appendix A.2. */
    json_t *answer = kvp_test_call(&vault, "PUT", "/keys/k",
                                   "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X
                                   "\",\"y\":\"" EC_Y "\",\"d\":\"" EC_D "\"}}",
                                   200);

    ck_assert_str_eq(kvp_test_text(answer, "key.x"), EC_X);
    ck_assert_str_eq(kvp_test_text(answer, "key.y"), EC_Y);
    json_decref(answer);
}
END_TEST

/* The generator of secp256k1, whose private key is one (SEC 2, section 2.4.1). */
#define KOBLITZ_KEY                                                                                \
    "\"x\":\"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g\","                                       \
    "\"y\":\"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg\","                                       \
    "\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\""

START_TEST(a_curve_keeps_the_name_that_it_came_with)
{
    static const char *const names[] = { "P-256K", "SECP256K1" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        json_decref(kvp_test_callf(&vault, "PUT", "/keys/k", 200,
                                   "{\"key\":{\"kty\":\"EC\",\"crv\":\"%s\"," KOBLITZ_KEY "}}",
                                   names[i]));
        json_t *key = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
        ck_assert_str_eq(kvp_test_text(key, "key.crv"), names[i]);
        json_decref(key);
        json_decref(kvp_test_call(&vault, "POST", "/keys/k/sign",
                                  "{\"alg\":\"ES256K\",\"value\":"
                                  "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
                                  200));
    }
    /* The next version is a new key, made here. */
    json_t *next = kvp_test_call(&vault, "POST", "/keys/k/rotate", NULL, 200);
    ck_assert_str_eq(kvp_test_text(next, "key.crv"), "P-256K");
    ck_assert_str_ne(kvp_test_text(next, "key.x"), "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g");
    json_decref(next);
}
END_TEST

START_TEST(a_key_exchange_key_ends_after_two_days)
{
    static const struct {
        const char *more;
        json_int_t life;
    } rows[] = {
        { "\"key_ops\":[\"import\"]", 172800 },
        { "\"key_ops\":[\"import\"],\"attributes\":{\"exp\":253402300799}", -1 },
        { "\"key_ops\":[\"sign\"]", 0 },
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        json_t *key = kvp_test_callf(&vault, "POST", "/keys/k/create", 200,
                                     "{\"kty\":\"EC-HSM\",%s}", rows[i].more);
        json_int_t created = json_integer_value(kvp_test_at(key, "attributes.created"));
        json_int_t expires = json_integer_value(kvp_test_at(key, "attributes.exp"));
        ck_assert_int_eq(expires, rows[i].life > 0   ? created + rows[i].life
                                  : rows[i].life < 0 ? 253402300799
                                                     : 0);
        json_decref(key);
    }
}
END_TEST

static const struct {
    const char *body, *text;
} bad_imports[] = {
    { "{}", "The property \"key\" must be a valid JsonWebKey object." },
    { "{\"key\":{}}", "The property \"key\" must be a valid JsonWebKey object." },
    { "{\"key\":[]}", "Property key has" },
    { "{\"key\":{\"kty\":\"RSA\"}}", "must be a valid JsonWebKey object." },
    { "{\"key\":{\"kty\":7}}", "Property kty has" },
    { "{\"key\":{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\"}}", "Invalid kty value: oct" },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}}",
      "must be a valid JsonWebKey object." },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y
      "\",\"d\":\"" EC_D "\"}}",
      "must be a valid JsonWebKey object: the numbers make no EC key" },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256K\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y
      "\",\"d\":\"" EC_D "\"}}",
      "make no EC key" },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y
      "\",\"d\":\"" EC_X "\"}}",
      "do not fit together" },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "=\",\"y\":\"" EC_Y
      "\",\"d\":\"" EC_D "\"}}",
      "Property x has" },
    { "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":5,\"y\":\"" EC_Y "\",\"d\":\"" EC_D "\"}}",
      "Property x has" },
    { "{\"key\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\",\"p\":\"AQAB\",\"q\":"
      "\"AQAB\",\"dp\":\"AQAB\",\"dq\":\"AQAB\",\"qi\":\"AQAB\"}}",
      "Unsupported key size: 17" },
    { "{\"key\":{\"kty\":\"EC\"},\"Hsm\":\"yes\"}", "Property Hsm has" },
};

START_TEST(import_refuses_what_is_wrong)
{
    json_t *answer = kvp_test_call(&vault, "PUT", "/keys/k", bad_imports[_i].body, 400);

    ck_assert_msg(strstr(kvp_test_text(answer, "error.message"), bad_imports[_i].text) != NULL,
                  "%s", kvp_test_text(answer, "error.message"));
    json_decref(answer);
}
END_TEST

static void add_all(Suite *suite)
{
    TCase *in_vault = tcase_create("vault");

    tcase_set_timeout(in_vault, 120);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_test(in_vault, a_created_key_has_the_members_of_the_service_in_order);
    tcase_add_loop_test(in_vault, older_versions_answer_with_fewer_attributes, 0, 4);
    tcase_add_loop_test(in_vault, every_curve_has_points_of_fixed_width, 0,
                        (int)kvp_engine_curve_count);
    tcase_add_test(in_vault, a_second_create_makes_a_new_current_version);
    tcase_add_loop_test(in_vault, create_refuses_what_is_wrong, 0, (int)KVP_ARRAY_LEN(bad_creates));
    tcase_add_test(in_vault, tags_are_counted_in_characters);
    tcase_add_test(in_vault, unknown_and_null_members_do_not_matter);
    tcase_add_test(in_vault, deeply_nested_bodies_are_refused);
    tcase_add_test(in_vault, names_have_127_characters_at_most);
    tcase_add_loop_test(in_vault, an_imported_rsa_key_comes_back_without_its_private_half, 0, 2);
    tcase_add_test(in_vault, an_rsa_jwk_without_one_of_its_numbers_is_refused);
    tcase_add_test(in_vault, an_ec_jwk_of_the_standard_is_taken);
    tcase_add_test(in_vault, a_curve_keeps_the_name_that_it_came_with);
    tcase_add_test(in_vault, a_key_exchange_key_ends_after_two_days);
    tcase_add_loop_test(in_vault, import_refuses_what_is_wrong, 0, (int)KVP_ARRAY_LEN(bad_imports));
    suite_add_tcase(suite, in_vault);
}

int main(void)
{
    Suite *suite = suite_create("vaultd keys");

    add_all(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
