/* SPDX-License-Identifier: MIT */
/* Key bundles, list pages, identifiers and the curve table: valid and invalid documents, torture.
 */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KID "https://v.vault.azure.net/keys/sign-1/0123456789abcdef0123456789abcdef"
#define A43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define EC_XY "\"crv\":\"P-256\",\"x\":\"" A43 "\",\"y\":\"" A43 "\""

/* jansson's allocations take part in torture: only a test may set these process-wide functions. */
static void *torture_malloc(size_t size)
{
    return kvp_calloc(1, size);
}

/* base64url of 256 bytes that begin with 0xC0: a modulus of 2048 bits. */
static const char *modulus(void)
{
    static char text[343];

    memset(text, 'A', 342);
    text[0] = 'w';
    text[341] = 'Q';
    return text;
}

static char *rsa_document(const char *n, const char *e)
{
    return kvp_asprintf(
        "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA-HSM\",\"key_ops\":[\"sign\",\"unwrapKey\","
        "\"dance\"],\"n\":\"%s\",\"e\":\"%s\"},\"attributes\":{\"enabled\":false,"
        "\"nbf\":5,\"exp\":9,\"created\":3,\"updated\":4,\"recoveryLevel\":\"Recoverable\","
        "\"recoverableDays\":90,\"exportable\":true,\"hsmPlatform\":\"2\"},"
        "\"tags\":{\"a\":\"b\",\"pkcs11-label\":\"L\"},\"managed\":true,\"later\":[1,{}]}",
        n, e);
}

static kvp_status parse(const char *json, kvp_key **ret, kvp_error *reterr)
{
    return kvp_jwk_parse_key(json, strlen(json), ret, reterr);
}

START_TEST(an_rsa_bundle_is_read_whole)
{
    char *json = rsa_document(modulus(), "AAEAAQ");
    kvp_key *key = NULL;
    kvp_error error;

    ck_assert_int_eq(parse(json, &key, &error), KVP_OK);

    ck_assert_str_eq(key->id, KID);
    ck_assert_str_eq(key->name, "sign-1");
    ck_assert_str_eq(key->version, "0123456789abcdef0123456789abcdef");
    ck_assert(key->has_material && key->hsm && key->managed);
    ck_assert_int_eq(key->kty, KVP_KTY_RSA);
    ck_assert_uint_eq(key->ops, KVP_OP_SIGN | KVP_OP_UNWRAP);
    ck_assert_uint_eq(key->key_bits, 2048);
    ck_assert_uint_eq(key->n.len, 256);
    ck_assert_uint_eq(key->e.len, 3);
    ck_assert_mem_eq(key->e.data, "\1\0\1", 3);
    ck_assert(!key->attributes.enabled && key->attributes.exportable);
    ck_assert_int_eq(key->attributes.not_before, 5);
    ck_assert_int_eq(key->attributes.expires, 9);
    ck_assert_int_eq(key->attributes.created, 3);
    ck_assert_int_eq(key->attributes.updated, 4);
    ck_assert_int_eq(key->attributes.hsm_platform, 2);
    ck_assert_str_eq(key->attributes.recovery_level, "Recoverable");
    ck_assert_uint_eq(key->tag_count, 2);
    ck_assert_str_eq(kvp_key_tag(key, "pkcs11-label"), "L");
    ck_assert_ptr_null(kvp_key_tag(key, "missing"));
    kvp_key_free(key);
    kvp_free(json);
}
END_TEST

START_TEST(a_copy_is_equal_and_its_own)
{
    char *json = rsa_document(modulus(), "AQAB");
    kvp_key *key = NULL, *copy;

    ck_assert_int_eq(parse(json, &key, NULL), KVP_OK);
    copy = kvp_key_copy(key);
    ck_assert_ptr_nonnull(copy);
    ck_assert_ptr_ne(copy->n.data, key->n.data);
    kvp_key_free(key);

    ck_assert_str_eq(copy->id, KID);
    ck_assert_uint_eq(copy->n.len, 256);
    ck_assert_str_eq(kvp_key_tag(copy, "a"), "b");
    ck_assert_int_eq(copy->attributes.hsm_platform, 2);
    kvp_key_free(copy);
    kvp_free(json);
}
END_TEST

START_TEST(attributes_may_be_left_out)
{
    kvp_key *key = NULL;

    ck_assert_int_eq(
        parse("{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\"," EC_XY "},\"tags\":null}", &key, NULL),
        KVP_OK);

    ck_assert(key->attributes.enabled);
    ck_assert_int_eq(key->attributes.hsm_platform, -1);
    ck_assert_str_eq(key->attributes.recovery_level, "");
    ck_assert_int_eq(key->kty, KVP_KTY_EC);
    ck_assert_int_eq(key->curve, KVP_CURVE_P256);
    ck_assert_uint_eq(key->x.len, 32);
    ck_assert_uint_eq(key->key_bits, 256);
    kvp_key_free(key);
}
END_TEST

START_TEST(narrow_coordinates_are_padded_to_the_curve)
{
    kvp_key *key = NULL;

    ck_assert_int_eq(parse("{\"key\":{\"kid\":\"" KID
                           "\",\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AQID\","
                           "\"y\":\"AP8\"}}",
                           &key, NULL),
                     KVP_OK);

    ck_assert_uint_eq(key->x.len, 66);
    ck_assert_mem_eq(key->x.data + 62, "\0\1\2\3", 4);
    ck_assert_uint_eq(key->x.data[0], 0);
    ck_assert_uint_eq(key->y.len, 66);
    ck_assert_mem_eq(key->y.data + 64, "\0\377", 2);
    kvp_key_free(key);
}
END_TEST

START_TEST(keys_of_unknown_kind_are_accepted_as_such)
{
    kvp_key *key = NULL;

    ck_assert_int_eq(
        parse("{\"key\":{\"kid\":\"" KID "\",\"kty\":\"AKP\",\"pub\":\"x\"}}", &key, NULL), KVP_OK);
    ck_assert_int_eq(key->kty, KVP_KTY_UNKNOWN);
    kvp_key_free(key);
    ck_assert_int_eq(
        parse("{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\",\"crv\":\"X448\"}}", &key, NULL),
        KVP_OK);
    ck_assert_int_eq(key->kty, KVP_KTY_UNKNOWN);
    kvp_key_free(key);
    ck_assert_int_eq(parse("{\"key\":{\"kid\":\"" KID
                           "\",\"kty\":\"oct-HSM\"},\"attributes\":{\"key_size\":192}}",
                           &key, NULL),
                     KVP_OK);
    ck_assert_int_eq(key->kty, KVP_KTY_OCT);
    ck_assert_uint_eq(key->key_bits, 192);
    kvp_key_free(key);
}
END_TEST

/* Invalid bundles, and what the message must name. */
static const struct {
    const char *json, *named;
} invalid[] = {
    { "", "empty" },
    { "{", "no JSON" },
    { "[]", "no JSON object" },
    { "{} x", "no JSON" },
    { "{\"key\":1}", "`key`" },
    { "{}", "`key`" },
    { "{\"key\":null}", "`key`" },
    { "{\"key\":{\"kty\":\"oct\"}}", "`key.kid`" },
    { "{\"key\":{\"kid\":7,\"kty\":\"oct\"}}", "`key.kid`" },
    { "{\"key\":{\"kid\":\"" KID "\"}}", "`key.kty`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\",\"key_ops\":\"sign\"}}", "`key.key_ops`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\",\"key_ops\":[1]}}", "`key.key_ops[0]`" },
    { "{\"key\":{\"kid\":\"https://h/secrets/a\",\"kty\":\"oct\"}}", "`key.kid`" },
    { "{\"key\":{\"kid\":\"ftp://h/keys/a\",\"kty\":\"oct\"}}", "`key.kid`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"e\":\"AQAB\"}}", "`key.n`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"a=\",\"e\":\"AQAB\"}}", "`key.n`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"wAAA\",\"e\":\"AQAB\"}}", "`key.n`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}}", "`key.n`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\"}}", "`key.crv`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A43 "\"}}",
      "`key.y`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"B" A43
      "\",\"y\":\"" A43 "\"}}",
      "`key.x`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" A43
      "\",\"y\":\"\"}}",
      "`key.y`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":[]}", "`attributes`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":{\"enabled\":1}}",
      "`attributes.enabled`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":{\"exp\":-1}}",
      "`attributes.exp`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":{\"nbf\":1.5}}",
      "`attributes.nbf`" },
    { "{\"key\":{\"kid\":\"" KID
      "\",\"kty\":\"oct\"},\"attributes\":{\"exp\":99999999999999999999}}",
      "no JSON" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":{\"key_size\":999999}}",
      "key_size" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"attributes\":{\"hsmPlatform\":2}}",
      "hsmPlatform" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"tags\":{\"a\":1}}", "`tags`" },
    { "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"managed\":\"yes\"}", "`managed`" },
    { "{\"key\":{\"kid\":\"\\u0000\",\"kty\":\"oct\"}}", "no JSON" },
    { "{\"key\":{\"kid\":\"\xff\",\"kty\":\"oct\"}}", "no JSON" },
};

START_TEST(invalid_bundles_name_what_is_wrong)
{
    kvp_key *key = NULL;
    kvp_error error;

    ck_assert_int_eq(parse(invalid[_i].json, &key, &error), KVP_ERR_PARSE);
    ck_assert_ptr_null(key);
    ck_assert_msg(strstr(error.message, invalid[_i].named), "`%s` does not say %s", error.message,
                  invalid[_i].named);
    ck_assert_int_eq(parse(invalid[_i].json, &key, NULL), KVP_ERR_PARSE);
}
END_TEST

START_TEST(public_exponents_must_be_odd_and_above_one)
{
    static const char *const bad[] = { "", "AA", "AQ", "Ag", "AAAA" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(bad); i++) {
        char *json = rsa_document(modulus(), bad[i]);
        kvp_key *key = NULL;
        kvp_error error;

        ck_assert_int_eq(parse(json, &key, &error), KVP_ERR_PARSE);
        ck_assert_ptr_nonnull(strstr(error.message, "`key.e`"));
        kvp_free(json);
    }
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    char json[4096];
    kvp_key *key = NULL;
    kvp_error error;

    memset(json, '[', sizeof(json));
    ck_assert_int_eq(kvp_jwk_parse_key(json, sizeof(json), &key, &error), KVP_ERR_PARSE);
    ck_assert_ptr_nonnull(strstr(error.message, "nests"));
    /* Brackets in strings are text. */
    ck_assert_int_eq(parse("{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct\"},\"x\":"
                           "\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}",
                           &key, NULL),
                     KVP_OK);
    kvp_key_free(key);
}
END_TEST

/* ---- list pages ---- */

#define ITEM(name)                                                                                 \
    "{\"kid\":\"https://v/keys/" name "\",\"attributes\":{\"enabled\":true},\"managed\":true}"

START_TEST(pages_are_appended_and_linked)
{
    static const char first[] =
        "{\"value\":[" ITEM("a") "," ITEM("b") "],\"nextLink\":\"https://v/keys?x\"}";
    static const char empty[] = "{\"value\":[],\"nextLink\":\"https://v/keys?y\"}";
    static const char last[] = "{\"value\":[" ITEM("c/0123") "],\"nextLink\":null}";
    kvp_entry_list list = { NULL, 0, 0 };
    char *next = NULL;

    ck_assert_int_eq(kvp_jwk_parse_page(KVP_KEYS, first, strlen(first), &list, &next, NULL), KVP_OK);
    ck_assert_str_eq(next, "https://v/keys?x");
    kvp_free(next);
    ck_assert_int_eq(kvp_jwk_parse_page(KVP_KEYS, empty, strlen(empty), &list, &next, NULL), KVP_OK);
    ck_assert_str_eq(next, "https://v/keys?y");
    kvp_free(next);
    ck_assert_int_eq(kvp_jwk_parse_page(KVP_KEYS, last, strlen(last), &list, &next, NULL), KVP_OK);
    ck_assert_ptr_null(next);

    ck_assert_uint_eq(list.count, 3);
    ck_assert_str_eq(list.items[0]->name, "a");
    ck_assert_str_eq(list.items[0]->version, "");
    ck_assert(!((kvp_key *)list.items[0])->has_material && list.items[0]->managed);
    ck_assert_str_eq(list.items[2]->name, "c");
    ck_assert_str_eq(list.items[2]->version, "0123");
    kvp_entry_list_clear(&list);
}
END_TEST

static const char *const bad_pages[] = {
    "{}",
    "{\"value\":{}}",
    "{\"value\":[" ITEM("a") ",7]}",
    "{\"value\":[" ITEM("a") ",{\"attributes\":{}}]}",
    "{\"value\":[" ITEM("a") "," ITEM("a_b") "]}",
    "{\"value\":[" ITEM("a") "],\"nextLink\":7}",
};

START_TEST(a_bad_page_leaves_the_list_as_it_was)
{
    static const char good[] = "{\"value\":[" ITEM("kept") "]}";
    kvp_entry_list list = { NULL, 0, 0 };
    char *next = NULL;
    kvp_error error;

    ck_assert_int_eq(kvp_jwk_parse_page(KVP_KEYS, good, strlen(good), &list, &next, NULL), KVP_OK);
    ck_assert_int_eq(
        kvp_jwk_parse_page(KVP_KEYS, bad_pages[_i], strlen(bad_pages[_i]), &list, &next, &error),
        KVP_ERR_PARSE);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.items[0]->name, "kept");
    kvp_entry_list_clear(&list);
}
END_TEST

/* ---- identifiers ---- */

static const struct {
    const char *id, *name, *version; /* name NULL: invalid */
} ids[] = {
    { "https://v.vault.azure.net/keys/a", "a", "" },
    { "https://v.vault.azure.net/keys/a/1f", "a", "1f" },
    { "https://127.0.0.1:8443/keys/A-b9/1f", "A-b9", "1f" },
    { "https://[::1]:8443/Keys/a/1f", "a", "1f" },
    { "http://127.0.0.1/KEYS/a", "a", "" },
    { NULL, NULL, NULL },
    { "", NULL, NULL },
    { "https://", NULL, NULL },
    { "https:///keys/a", NULL, NULL },
    { "https://h", NULL, NULL },
    { "https://h/keys", NULL, NULL },
    { "https://h/keys/", NULL, NULL },
    { "https://h/keys/a/", NULL, NULL },
    { "https://h/keys/a/b/c", NULL, NULL },
    { "https://h/keysa/b", NULL, NULL },
    { "https://h/keys/a_b", NULL, NULL },
    { "https://h/keys/a?x", NULL, NULL },
    { "https://h/keys/..", NULL, NULL },
    { "https://h?/keys/a", NULL, NULL },
    { "https://u@h/keys/a", NULL, NULL },
    { "https://h/secrets/a", NULL, NULL },
    { "https://h//keys/a", NULL, NULL },
};

START_TEST(identifiers_are_split_or_refused)
{
    char *name = NULL, *version = NULL;
    kvp_status st = kvp_jwk_split_id(ids[_i].id, "keys", &name, &version, NULL);

    ck_assert_int_eq(st, ids[_i].name ? KVP_OK : KVP_ERR_PARSE);
    if (ids[_i].name) {
        ck_assert_str_eq(name, ids[_i].name);
        ck_assert_str_eq(version, ids[_i].version);
    } else {
        ck_assert_ptr_null(name);
    }
    kvp_free(name);
    kvp_free(version);
}
END_TEST

START_TEST(names_have_at_most_127_characters)
{
    char id[256], *name = NULL, *version = NULL;
    char long_name[129];

    memset(long_name, 'n', 128);
    long_name[128] = '\0';
    snprintf(id, sizeof(id), "https://h/keys/%s", long_name);
    ck_assert_int_eq(kvp_jwk_split_id(id, "keys", &name, &version, NULL), KVP_ERR_PARSE);
    id[strlen(id) - 1] = '\0';
    ck_assert_int_eq(kvp_jwk_split_id(id, "keys", &name, &version, NULL), KVP_OK);
    ck_assert_uint_eq(strlen(name), 127);
    kvp_free(name);
    kvp_free(version);
}
END_TEST

/* ---- curves ---- */

START_TEST(every_curve_is_found_by_name_and_oid)
{
    const kvp_curve_info *info = &kvp_curves[_i];

    ck_assert_int_eq(kvp_curve_from_jwk_name(info->jwk_name), _i);
    ck_assert_int_eq(kvp_curve_from_oid(info->oid_der, info->oid_der_len), _i);
    ck_assert_int_eq(kvp_curve_from_oid(info->oid_der, info->oid_der_len - 1), KVP_CURVE_NONE);
    ck_assert_uint_eq(info->oid_der[0], 0x06);
    ck_assert_uint_eq(info->oid_der[1], info->oid_der_len - 2);
    ck_assert_uint_eq(info->coordinate_len, (info->bits + 7) / 8);
    ck_assert_ptr_nonnull(info->openssl_name);
}
END_TEST

START_TEST(unknown_curves_are_none)
{
    ck_assert_int_eq(kvp_curve_from_jwk_name(NULL), KVP_CURVE_NONE);
    ck_assert_int_eq(kvp_curve_from_jwk_name("P-224"), KVP_CURVE_NONE);
    ck_assert_int_eq(kvp_curve_from_jwk_name("SECP256K1"), KVP_CURVE_P256K);
    ck_assert_int_eq(kvp_curve_from_oid(NULL, 0), KVP_CURVE_NONE);
}
END_TEST

/* ---- torture ---- */

START_TEST(each_failing_allocation_is_survived)
{
    char *json = rsa_document(modulus(), "AQAB");
    static const char page[] =
        "{\"value\":[" ITEM("a") "," ITEM("b/1") "],\"nextLink\":\"https://v/keys?x\"}";
    kvp_key *key = NULL, *copy = NULL;
    kvp_entry_list list = { NULL, 0, 0 };
    char *next = NULL;
    long n;
    kvp_status st;

    json_set_alloc_funcs(torture_malloc, kvp_free);
    for (n = 0; n < 2000; n++) {
        kvp_alloc_fail_after(n);
        st = parse(json, &key, NULL);
        kvp_alloc_fail_after(-1);
        if (st == KVP_OK)
            break;
        ck_assert_msg(st == KVP_ERR_NO_MEMORY || st == KVP_ERR_PARSE, "%s", kvp_status_name(st));
        ck_assert_ptr_null(key);
    }
    ck_assert_msg(n > 20 && n < 2000, "%ld allocations", n);
    for (n = 0; n < 2000 && !copy; n++) {
        kvp_alloc_fail_after(n);
        copy = kvp_key_copy(key);
        kvp_alloc_fail_after(-1);
    }
    ck_assert_msg(n > 8 && n < 2000, "%ld allocations", n);
    for (n = 0; n < 2000; n++) {
        kvp_alloc_fail_after(n);
        st = kvp_jwk_parse_page(KVP_KEYS, page, strlen(page), &list, &next, NULL);
        kvp_alloc_fail_after(-1);
        if (st == KVP_OK)
            break;
        ck_assert_uint_eq(list.count, 0);
        ck_assert_ptr_null(next);
    }
    ck_assert_msg(n > 8 && n < 2000, "%ld allocations", n);
    ck_assert_uint_eq(list.count, 2);
    kvp_entry_list_clear(&list);
    kvp_free(next);
    kvp_key_free(copy);
    kvp_key_free(key);
    kvp_free(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse");
    TCase *keys = tcase_create("keys"), *pages = tcase_create("pages"),
          *rest = tcase_create("rest");
    SRunner *runner;
    int failed;

    tcase_add_test(keys, an_rsa_bundle_is_read_whole);
    tcase_add_test(keys, a_copy_is_equal_and_its_own);
    tcase_add_test(keys, attributes_may_be_left_out);
    tcase_add_test(keys, narrow_coordinates_are_padded_to_the_curve);
    tcase_add_test(keys, keys_of_unknown_kind_are_accepted_as_such);
    tcase_add_loop_test(keys, invalid_bundles_name_what_is_wrong, 0, (int)KVP_ARRAY_LEN(invalid));
    tcase_add_test(keys, public_exponents_must_be_odd_and_above_one);
    tcase_add_test(keys, deep_nesting_is_refused);
    tcase_add_test(keys, each_failing_allocation_is_survived);
    tcase_add_test(pages, pages_are_appended_and_linked);
    tcase_add_loop_test(pages, a_bad_page_leaves_the_list_as_it_was, 0,
                        (int)KVP_ARRAY_LEN(bad_pages));
    tcase_add_loop_test(rest, identifiers_are_split_or_refused, 0, (int)KVP_ARRAY_LEN(ids));
    tcase_add_test(rest, names_have_at_most_127_characters);
    tcase_add_loop_test(rest, every_curve_is_found_by_name_and_oid, KVP_CURVE_NONE + 1,
                        KVP_CURVE_COUNT);
    tcase_add_test(rest, unknown_curves_are_none);
    suite_add_tcase(suite, keys);
    suite_add_tcase(suite, pages);
    suite_add_tcase(suite, rest);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
