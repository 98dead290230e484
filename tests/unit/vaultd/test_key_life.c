/* SPDX-License-Identifier: MIT */
/* The life of keys over exchanges: lists, updates, deletion, rotation; what is different in a
 * Managed HSM. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_test_vault vault;

static void setup_vault(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void setup_hsm(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_HSM);
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

START_TEST(a_list_of_sixty_comes_in_three_pages)
{
    char name[16], previous[600] = "", *path = kvp_strdup("/keys");
    size_t seen = 0, pages = 0;

    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "%s%02d", i % 2 ? "Key" : "kEY", i);
        json_decref(create_ec(name));
    }
    while (path) {
        json_t *page = kvp_test_call(&vault, "GET", path, NULL, 200);
        const json_t *items = kvp_test_at(page, "value"), *next = kvp_test_at(page, "nextLink");
        for (size_t i = 0; i < json_array_size(items); i++, seen++) {
            const char *kid = kvp_test_text(json_array_get(items, i), "kid");
            ck_assert_int_lt(kvp_ident_casecmp(previous, kid), 0);
            snprintf(previous, sizeof(previous), "%s", kid);
        }
        pages++;
        kvp_free(path);
        path = NULL;
        if (json_is_string(next)) {
            ck_assert_uint_eq(json_array_size(items), 25);
            ck_assert_mem_eq(json_string_value(next),
                             "https://127.0.0.1:8443/keys?api-version=7.5&", 44);
            path = kvp_strdup(json_string_value(next) + 22);
        } else {
            ck_assert(json_is_null(next));
        }
        json_decref(page);
    }

    ck_assert_uint_eq(seen, 60);
    ck_assert_uint_eq(pages, 3);
}
END_TEST

START_TEST(list_items_say_little)
{
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/create",
                              "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"}}", 200));
    json_t *list = kvp_test_call(&vault, "GET", "/keys?api-version=7.5&maxresults=1", NULL, 200);
    const json_t *item = json_array_get(kvp_test_at(list, "value"), 0);

    ck_assert_str_eq(kvp_test_members(item), "kid attributes tags");
    ck_assert_str_eq(kvp_test_text(item, "kid"), "https://127.0.0.1:8443/keys/k");
    json_decref(list);
}
END_TEST

START_TEST(versions_are_listed_by_version_and_unknown_names_have_none)
{
    for (int i = 0; i < 3; i++)
        json_decref(create_ec("k"));
    json_t *all = kvp_test_call(&vault, "GET", "/keys/k/versions", NULL, 200);
    json_t *two =
        kvp_test_call(&vault, "GET", "/keys/k/versions?api-version=7.5&maxresults=2", NULL, 200);
    json_t *rest = kvp_test_call(&vault, "GET", kvp_test_text(two, "nextLink") + 22, NULL, 200);
    json_t *none = kvp_test_call(&vault, "GET", "/keys/other/versions", NULL, 200);

    ck_assert_uint_eq(json_array_size(kvp_test_at(all, "value")), 3);
    ck_assert_uint_eq(json_array_size(kvp_test_at(two, "value")), 2);
    ck_assert_uint_eq(json_array_size(kvp_test_at(rest, "value")), 1);
    ck_assert(json_equal(json_array_get(kvp_test_at(rest, "value"), 0),
                         json_array_get(kvp_test_at(all, "value"), 2)));
    ck_assert_uint_eq(json_array_size(kvp_test_at(none, "value")), 0);
    ck_assert(json_is_null(kvp_test_at(none, "nextLink")));
    json_decref(all);
    json_decref(two);
    json_decref(rest);
    json_decref(none);
}
END_TEST

START_TEST(page_parameters_are_checked)
{
    static const char *const queries[] = { "maxresults=0",   "maxresults=26",
                                           "maxresults=x",   "maxresults=-1",
                                           "maxresults=1x",  "maxresults=",
                                           "$skiptoken=abc", "$skiptoken=!!!!",
                                           "$skiptoken=YQ",  "maxresults=99999999999999999999" };
    char path[200];

    snprintf(path, sizeof(path), "/keys?api-version=7.5&%s", queries[_i]);
    kvp_test_error(kvp_test_call(&vault, "GET", path, NULL, 400), "BadParameter", NULL, "");
}
END_TEST

START_TEST(an_update_changes_what_it_names_and_nothing_else)
{
    json_t *before = kvp_test_call(&vault, "POST", "/keys/k/create",
                                   "{\"kty\":\"EC\",\"tags\":{\"a\":\"b\"},\"attributes\":{\"exp\":"
                                   "2524611661}}",
                                   200);
    json_t *after =
        kvp_test_call(&vault, "PATCH", "/keys/k/",
                      "{\"attributes\":{\"enabled\":false},\"key_ops\":[\"verify\"]}", 200);

    ck_assert(json_is_false(kvp_test_at(after, "attributes.enabled")));
    ck_assert_uint_eq(json_array_size(kvp_test_at(after, "key.key_ops")), 1);
    ck_assert(json_equal(kvp_test_at(after, "tags"), kvp_test_at(before, "tags")));
    ck_assert(
        json_equal(kvp_test_at(after, "attributes.exp"), kvp_test_at(before, "attributes.exp")));
    ck_assert_str_eq(kvp_test_text(after, "key.kid"), kvp_test_text(before, "key.kid"));
    json_decref(after);
    after = kvp_test_call(&vault, "PATCH", "/keys/k", "{\"tags\":{}}", 200);
    ck_assert_uint_eq(json_object_size(kvp_test_at(after, "tags")), 0);
    ck_assert(json_is_false(kvp_test_at(after, "attributes.enabled")));
    json_decref(after);
    json_decref(before);
}
END_TEST

START_TEST(an_update_of_a_version_leaves_the_others_alone)
{
    json_t *first = create_ec("k"), *second = create_ec("k");
    const char *path = kvp_test_text(first, "key.kid") + 22;

    json_decref(kvp_test_call(&vault, "PATCH", path, "{\"attributes\":{\"enabled\":false}}", 200));

    json_t *now = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
    ck_assert(json_equal(now, second));
    json_decref(now);
    json_decref(first);
    json_decref(second);
}
END_TEST

START_TEST(updates_check_their_types_and_their_key)
{
    json_decref(create_ec("k"));

    kvp_test_error(kvp_test_call(&vault, "PATCH", "/keys/k", "{\"tags\":7}", 400), "BadParameter",
                   NULL, "Property tags has");
    kvp_test_error(kvp_test_call(&vault, "PATCH", "/keys/k", "{\"key_ops\":[\"sing\"]}", 400),
                   "BadParameter", NULL, "Property key_ops has");
    kvp_test_error(kvp_test_call(&vault, "PATCH", "/keys/none", "{}", 404), "KeyNotFound", NULL,
                   "(name/id) none was");
    kvp_test_error(kvp_test_call(&vault, "PATCH", "/keys/k/123", "{}", 404), "KeyNotFound", NULL,
                   "(name/id) k/123 was");
    kvp_test_error(
        kvp_test_call(&vault, "PATCH", "/keys/k", "{\"release_policy\":{\"data\":\"e30\"}}", 400),
        "BadParameter", NULL, "AKV.SKR.1005");
}
END_TEST

START_TEST(deletion_goes_the_way_of_the_service)
{
    json_t *key = create_ec("k");
    json_t *deleted = kvp_test_call(&vault, "DELETE", "/keys/K", NULL, 200);

    ck_assert_str_eq(kvp_test_members(deleted),
                     "recoveryId deletedDate scheduledPurgeDate key attributes");
    ck_assert_str_eq(kvp_test_text(deleted, "recoveryId"), "https://127.0.0.1:8443/deletedkeys/k");
    ck_assert_int_eq(json_integer_value(kvp_test_at(deleted, "scheduledPurgeDate")) -
                         json_integer_value(kvp_test_at(deleted, "deletedDate")),
                     90 * 86400);
    ck_assert(json_equal(kvp_test_at(deleted, "key"), kvp_test_at(key, "key")));
    json_t *seen = kvp_test_call(&vault, "GET", "/deletedkeys/k", NULL, 200);
    ck_assert(json_equal(seen, deleted));
    json_decref(seen);
    kvp_test_error(kvp_test_call(&vault, "GET", "/keys/k", NULL, 404), "KeyNotFound", NULL, "k");
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/k/create", "{\"kty\":\"EC\"}", 409),
                   "Conflict", "ObjectIsDeletedButRecoverable",
                   "Key k is currently in a deleted but recoverable state, and its name cannot be "
                   "reused; in this state, the key can only be recovered or purged.");
    json_t *list = kvp_test_call(&vault, "GET", "/deletedkeys", NULL, 200);
    ck_assert_str_eq(kvp_test_members(json_array_get(kvp_test_at(list, "value"), 0)),
                     "recoveryId deletedDate scheduledPurgeDate kid attributes");
    json_decref(list);
    json_t *back = kvp_test_call(&vault, "POST", "/deletedkeys/k/recover", NULL, 200);
    ck_assert(json_equal(back, key));
    json_decref(back);
    json_decref(kvp_test_call(&vault, "DELETE", "/keys/k", NULL, 200));
    ck_assert_ptr_null(kvp_test_call(&vault, "DELETE", "/deletedkeys/k", NULL, 204));
    json_decref(create_ec("k"));
    kvp_test_error(kvp_test_call(&vault, "GET", "/deletedkeys/k", NULL, 404), "KeyNotFound", NULL,
                   "Deleted Key not found: k");
    kvp_test_error(kvp_test_call(&vault, "POST", "/deletedkeys/none/recover", NULL, 404),
                   "KeyNotFound", NULL, "A key with (name/id) none was not found");
    kvp_test_error(kvp_test_call(&vault, "DELETE", "/deletedkeys/none", NULL, 404), "KeyNotFound",
                   NULL, "A key with (name/id) none was not found");
    kvp_test_error(kvp_test_call(&vault, "DELETE", "/keys/none", NULL, 404), "KeyNotFound", NULL,
                   "");
    json_decref(deleted);
    json_decref(key);
}
END_TEST

START_TEST(rotation_makes_a_version_of_the_same_sort)
{
    json_t *old = kvp_test_call(&vault, "POST", "/keys/k/create",
                                "{\"kty\":\"EC-HSM\",\"crv\":\"P-384\",\"key_ops\":[\"sign\"],"
                                "\"tags\":{\"a\":\"b\"}}",
                                200);
    json_t *fresh = kvp_test_call(&vault, "POST", "/keys/k/rotate", NULL, 200);

    ck_assert_str_eq(kvp_test_text(fresh, "key.kty"), "EC-HSM");
    ck_assert_str_eq(kvp_test_text(fresh, "key.crv"), "P-384");
    ck_assert(json_equal(kvp_test_at(fresh, "key.key_ops"), kvp_test_at(old, "key.key_ops")));
    ck_assert_str_ne(kvp_test_text(fresh, "key.kid"), kvp_test_text(old, "key.kid"));
    ck_assert_str_ne(kvp_test_text(fresh, "key.x"), kvp_test_text(old, "key.x"));
    kvp_test_error(kvp_test_call(&vault, "POST", "/keys/none/rotate", NULL, 404), "KeyNotFound",
                   NULL, "none");
    json_decref(old);
    json_decref(fresh);
}
END_TEST

START_TEST(an_exportable_key_keeps_its_release_policy)
{
    /* {"version":"1.0.0"} */
    json_t *key = kvp_test_call(&vault, "POST", "/keys/k/create",
                                "{\"kty\":\"EC-HSM\",\"attributes\":{\"exportable\":true},"
                                "\"release_policy\":{\"immutable\":true,\"data\":"
                                "\"eyJ2ZXJzaW9uIjoiMS4wLjAifQ\"}}",
                                200);

    ck_assert_str_eq(kvp_test_members(kvp_test_at(key, "release_policy")),
                     "contentType data immutable");
    kvp_test_error(
        kvp_test_call(&vault, "PATCH", "/keys/k",
                      "{\"release_policy\":{\"data\":\"eyJ2ZXJzaW9uIjoiMS4wLjAifQ\"}}", 400),
        "BadParameter", NULL, "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.");
    json_decref(key);
}
END_TEST

START_TEST(an_hsm_sorts_its_members_and_calls_every_key_its_own)
{
    static const char *const types[][2] = {
        { "RSA", "RSA-HSM" }, { "EC", "EC-HSM" }, { "oct", "oct-HSM" }, { "oct-HSM", "oct-HSM" }
    };
    json_t *key =
        kvp_test_callf(&vault, "POST", "/keys/k/create", 200, "{\"kty\":\"%s\"}", types[_i][0]);

    ck_assert_str_eq(kvp_test_text(key, "key.kty"), types[_i][1]);
    ck_assert_str_eq(kvp_test_members(key), "attributes key");
    if (_i >= 2)
        ck_assert_str_eq(kvp_test_members(kvp_test_at(key, "key")), "key_ops kid kty");
    json_decref(key);
}
END_TEST

START_TEST(an_hsm_ends_a_list_without_a_link_and_names_urls)
{
    json_t *list = kvp_test_call(&vault, "GET", "/keys", NULL, 200);
    ck_assert_str_eq(kvp_test_members(list), "value");
    json_decref(list);

    kvp_test_error(kvp_test_call(&vault, "GET", "/keys/none", NULL, 404), "KeyNotFound", NULL,
                   "Key not found: https://127.0.0.1:8443/keys/none (Activity ID: ");
    kvp_test_error(kvp_test_call(&vault, "GET", "/deletedkeys/none", NULL, 404), "KeyNotFound",
                   NULL, "Key not found: https://127.0.0.1:8443/deletedkeys/none (Activity ID: ");
    kvp_test_error(kvp_test_call(&vault, "GET", "/keys/a_b", NULL, 400), "BadParameter", NULL,
                   "Invalid key identifier or name (Activity ID: ");
}
END_TEST

START_TEST(an_hsm_makes_symmetric_keys_of_its_sizes)
{
    static const int good[] = { 128, 192, 256 }, bad[] = { 0, 64, 127, 384, 512, 1024, -1 };

    for (size_t i = 0; i < KVP_ARRAY_LEN(good); i++)
        json_decref(kvp_test_callf(&vault, "POST", "/keys/k/create", 200,
                                   "{\"kty\":\"oct-HSM\",\"key_size\":%d}", good[i]));
    for (size_t i = 0; i < KVP_ARRAY_LEN(bad); i++)
        kvp_test_error(kvp_test_callf(&vault, "POST", "/keys/k/create", 400,
                                      "{\"kty\":\"oct-HSM\",\"key_size\":%d}", bad[i]),
                       "BadParameter", NULL, "Unsupported key size");
    vault.api_version = "7.6";
    json_decref(kvp_test_call(&vault, "POST", "/keys/k/create",
                              "{\"kty\":\"oct-HSM\",\"key_size\":512}", 200));
}
END_TEST

START_TEST(a_new_symmetric_key_may_do_more_than_an_imported_one)
{
    static const char *const forms[][4] = {
        { "POST", "/keys/made/create", "{\"kty\":\"oct-HSM\"}",
          "[\"wrapKey\",\"unwrapKey\",\"encrypt\",\"decrypt\",\"sign\",\"verify\",\"deriveKey\"]" },
        { "POST", "/keys/told/create", "{\"kty\":\"oct-HSM\",\"key_ops\":[\"encrypt\"]}",
          "[\"encrypt\"]" },
        { "PUT", "/keys/brought",
          "{\"key\":{\"kty\":\"oct-HSM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\"}}",
          "[\"wrapKey\",\"unwrapKey\",\"encrypt\",\"decrypt\"]" },
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(forms); i++) {
        json_t *key = kvp_test_call(&vault, forms[i][0], forms[i][1], forms[i][2], 200);
        json_t *ops = json_loads(forms[i][3], 0, NULL);
        ck_assert(json_equal(kvp_test_at(key, "key.key_ops"), ops));
        json_decref(ops);
        json_decref(key);
    }
}
END_TEST

START_TEST(an_hsm_gives_random_bytes)
{
    static const char *const bad[] = { "{\"count\":0}", "{\"count\":129}", "{\"count\":-1}" };
    json_t *answer = kvp_test_call(&vault, "POST", "//rng", "{\"count\":128}", 200);

    ck_assert_uint_eq(strlen(kvp_test_text(answer, "value")), 171);
    json_decref(answer);
    for (size_t i = 0; i < KVP_ARRAY_LEN(bad); i++)
        kvp_test_error(kvp_test_call(&vault, "POST", "/rng", bad[i], 400), "BadParameter", NULL,
                       "GetRandomBytesRequest: count cannot be greater than 128 or less than 1");
    kvp_test_error(kvp_test_call(&vault, "POST", "/rng", "{}", 400), "BadParameter", NULL, "count");
}
END_TEST

static void add_all(Suite *suite)
{
    TCase *in_vault = tcase_create("vault"), *in_hsm = tcase_create("hsm");

    tcase_set_timeout(in_vault, 120);
    tcase_set_timeout(in_hsm, 120);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    tcase_add_checked_fixture(in_hsm, setup_hsm, teardown);
    tcase_add_test(in_vault, a_list_of_sixty_comes_in_three_pages);
    tcase_add_test(in_vault, list_items_say_little);
    tcase_add_test(in_vault, versions_are_listed_by_version_and_unknown_names_have_none);
    tcase_add_loop_test(in_vault, page_parameters_are_checked, 0, 10);
    tcase_add_test(in_vault, an_update_changes_what_it_names_and_nothing_else);
    tcase_add_test(in_vault, an_update_of_a_version_leaves_the_others_alone);
    tcase_add_test(in_vault, updates_check_their_types_and_their_key);
    tcase_add_test(in_vault, deletion_goes_the_way_of_the_service);
    tcase_add_test(in_vault, rotation_makes_a_version_of_the_same_sort);
    tcase_add_test(in_vault, an_exportable_key_keeps_its_release_policy);
    tcase_add_loop_test(in_hsm, an_hsm_sorts_its_members_and_calls_every_key_its_own, 0, 4);
    tcase_add_test(in_hsm, an_hsm_ends_a_list_without_a_link_and_names_urls);
    tcase_add_test(in_hsm, an_hsm_makes_symmetric_keys_of_its_sizes);
    tcase_add_test(in_hsm, a_new_symmetric_key_may_do_more_than_an_imported_one);
    tcase_add_test(in_hsm, an_hsm_gives_random_bytes);
    suite_add_tcase(suite, in_vault);
    suite_add_tcase(suite, in_hsm);
}

int main(void)
{
    Suite *suite = suite_create("vaultd key life");

    add_all(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
