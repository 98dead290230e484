/* SPDX-License-Identifier: MIT */
/* Certificate and secret bundles, their list items, and what all entries share. */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define V "0123456789abcdef0123456789abcdef"

static const char certificate[] =
    "{\"id\":\"https://v/certificates/web/" V "\",\"kid\":\"https://v/keys/web/" V "\","
    "\"sid\":\"https://v/secrets/web/" V "\",\"x5t\":\"AAAA\",\"cer\":\"Zm9v\","
    "\"attributes\":{\"enabled\":true,\"nbf\":5,\"exp\":9,\"created\":7,\"updated\":8},"
    "\"tags\":{\"a\":\"b\"},\"policy\":{\"key_props\":{\"exportable\":false,\"kty\":\"RSA\"},"
    "\"attributes\":{\"enabled\":true,\"created\":6,\"updated\":7}}}";

START_TEST(a_certificate_is_read)
{
    kvp_certificate *c = NULL;

    ck_assert_int_eq(kvp_jwk_parse_certificate(certificate, strlen(certificate), &c, NULL), KVP_OK);
    ck_assert_int_eq(c->collection, KVP_CERTIFICATES);
    ck_assert_str_eq(c->name, "web");
    ck_assert_str_eq(c->version, V);
    ck_assert_str_eq(c->key_id, "https://v/keys/web/" V);
    ck_assert_str_eq(c->secret_id, "https://v/secrets/web/" V);
    ck_assert_str_eq(kvp_buf_str(&c->der), "foo");
    ck_assert_int_eq(c->attributes.not_before, 5);
    ck_assert_int_eq(c->attributes.expires, 9);
    ck_assert_str_eq(kvp_entry_tag(&c->entry, "a"), "b");
    ck_assert_ptr_null(kvp_entry_tag(&c->entry, "b"));
    ck_assert(c->has_policy && !c->exportable);
    ck_assert_int_eq(c->policy_updated, 7);
    kvp_certificate_free(c);
}
END_TEST

/* What is not said must never make a key look as if it could not be exported. */
START_TEST(a_key_counts_as_exportable_until_the_policy_says_otherwise)
{
    static const char *const policies[] = {
        "",
        ",\"policy\":null",
        ",\"policy\":{}",
        ",\"policy\":{\"key_props\":{}}",
        ",\"policy\":{\"key_props\":{\"exportable\":true}}",
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(policies); i++) {
        kvp_certificate *c = NULL;
        char json[256];

        snprintf(json, sizeof(json), "{\"id\":\"https://v/certificates/web/" V "\"%s}",
                 policies[i]);
        ck_assert_int_eq(kvp_jwk_parse_certificate(json, strlen(json), &c, NULL), KVP_OK);
        ck_assert_msg(c->exportable, "%s", json);
        ck_assert_uint_eq(c->der.len, 0);
        kvp_certificate_free(c);
    }
}
END_TEST

START_TEST(a_secret_is_read_into_a_secret_buffer)
{
    static const char json[] = "{\"value\":\"p\\u00e4ss\",\"contentType\":\"text/plain\","
                               "\"id\":\"https://v/secrets/s/" V "\",\"managed\":true,"
                               "\"kid\":\"https://v/keys/s/" V "\"}";
    kvp_secret *s = NULL;

    ck_assert_int_eq(kvp_jwk_parse_secret(json, strlen(json), &s, NULL), KVP_OK);
    ck_assert_int_eq(s->collection, KVP_SECRETS);
    ck_assert(s->has_value && s->value.secret && s->managed);
    ck_assert_str_eq(kvp_buf_str(&s->value), "p\xc3\xa4ss");
    ck_assert_str_eq(s->content_type, "text/plain");
    ck_assert_str_eq(s->key_id, "https://v/keys/s/" V);
    kvp_secret_free(s);
}
END_TEST

static const struct {
    kvp_collection collection;
    const char *json, *message;
} bad[] = {
    { KVP_CERTIFICATES, "", "empty" },
    { KVP_CERTIFICATES, "{}", "`id` is missing" },
    { KVP_CERTIFICATES, "{\"id\":\"https://v/keys/web/" V "\"}", "none of /certificates/" },
    { KVP_CERTIFICATES, "{\"id\":\"https://v/certificates/web\",\"cer\":\"?\"}", "no base64" },
    { KVP_CERTIFICATES, "{\"id\":\"https://v/certificates/web\",\"cer\":1}", "no string" },
    { KVP_CERTIFICATES, "{\"id\":\"https://v/certificates/web\",\"policy\":[]}", "no object" },
    { KVP_CERTIFICATES,
      "{\"id\":\"https://v/certificates/web\",\"policy\":{\"key_props\":{\"exportable\":0}}}",
      "no boolean" },
    { KVP_SECRETS, "{\"id\":\"https://v/certificates/web/" V "\"}", "none of /secrets/" },
    { KVP_SECRETS, "{\"id\":\"https://v/secrets/web\",\"value\":{}}", "no string" },
    { KVP_SECRETS, "{\"id\":\"https://v/secrets/web\",\"contentType\":7}", "no string" },
    { KVP_KEYS, "{\"id\":\"https://v/keys/web\"}", "`key` is missing" },
};

START_TEST(a_bad_bundle_says_what_is_wrong)
{
    kvp_entry *entry = NULL;
    kvp_error error = { 0 };

    ck_assert_int_eq(kvp_jwk_parse_entry(bad[_i].collection, bad[_i].json, strlen(bad[_i].json),
                                         &entry, &error),
                     KVP_ERR_PARSE);
    ck_assert_ptr_null(entry);
    ck_assert_msg(strstr(error.message, bad[_i].message), "%s", error.message);
}
END_TEST

START_TEST(pages_hold_items_of_their_collection)
{
    static const char secrets[] =
        "{\"value\":[{\"id\":\"https://v/secrets/a\",\"contentType\":\"x/y\",\"managed\":true},"
        "{\"id\":\"https://v/secrets/b\",\"attributes\":{\"enabled\":false}}],\"nextLink\":null}";
    static const char certificates[] = "{\"value\":[{\"id\":\"https://v/certificates/a\","
                                       "\"x5t\":\"AA\",\"subject\":\"CN=a\"}]}";
    kvp_entry_list list = { NULL, 0, 0 };
    char *next = NULL;

    ck_assert_int_eq(
        kvp_jwk_parse_page(KVP_SECRETS, secrets, strlen(secrets), &list, &next, NULL), KVP_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(((kvp_secret *)list.items[0])->content_type, "x/y");
    ck_assert(!((kvp_secret *)list.items[0])->has_value);
    ck_assert(list.items[0]->managed && !list.items[1]->attributes.enabled);
    kvp_entry_list_clear(&list);
    ck_assert_int_eq(kvp_jwk_parse_page(KVP_CERTIFICATES, certificates, strlen(certificates),
                                        &list, &next, NULL),
                     KVP_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_int_eq(list.items[0]->collection, KVP_CERTIFICATES);
    /* Another collection's page brings nothing. */
    ck_assert_int_eq(kvp_jwk_parse_page(KVP_CERTIFICATES, secrets, strlen(secrets), &list, &next,
                                        NULL),
                     KVP_ERR_PARSE);
    ck_assert_uint_eq(list.count, 1);
    kvp_entry_list_clear(&list);
}
END_TEST

static void *torture_malloc(size_t size)
{
    return kvp_calloc(1, size);
}

START_TEST(each_failing_allocation_is_survived)
{
    kvp_certificate *c = NULL;
    kvp_status st = KVP_ERR_NO_MEMORY;
    long n;

    json_set_alloc_funcs(torture_malloc, kvp_free);
    for (n = 0; n < 2000 && st != KVP_OK; n++) {
        kvp_alloc_fail_after(n);
        st = kvp_jwk_parse_certificate(certificate, strlen(certificate), &c, NULL);
        kvp_alloc_fail_after(-1);
        ck_assert_msg(st == KVP_OK || st == KVP_ERR_NO_MEMORY || st == KVP_ERR_PARSE, "%s",
                      kvp_status_name(st));
    }
    ck_assert_msg(n > 20 && n < 2000, "%ld allocations", n);
    kvp_certificate_free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse_entry");
    TCase *tcase = tcase_create("entries");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_certificate_is_read);
    tcase_add_test(tcase, a_key_counts_as_exportable_until_the_policy_says_otherwise);
    tcase_add_test(tcase, a_secret_is_read_into_a_secret_buffer);
    tcase_add_loop_test(tcase, a_bad_bundle_says_what_is_wrong, 0, (int)KVP_ARRAY_LEN(bad));
    tcase_add_test(tcase, pages_hold_items_of_their_collection);
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
