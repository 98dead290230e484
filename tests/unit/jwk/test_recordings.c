/* SPDX-License-Identifier: MIT */
/*
 * Every key bundle, list page, operation and error of the recorded traffic of the real service,
 * where those recordings lie beside the source tree; without them the program says so and is
 * skipped.
 */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT KVP_TOP_SRCDIR "/../shared/recordings"

static unsigned bundles, items, operations, errors, entries;

/* Some sources replaced key material by a word when they published it. */
static bool replaced(const json_t *jwk)
{
    static const char *const names[] = { "n", "e", "x", "y" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
        const char *text = json_string_value(json_object_get(jwk, names[i]));

        if (text && (strcmp(text, "REDACTED") == 0 || strcmp(text, "Sanitized") == 0))
            return true;
    }
    return false;
}

static void check_bundle(const char *file, const json_t *body, const char *json)
{
    const json_t *jwk = json_object_get(body, "key");
    kvp_key *key = NULL;
    kvp_error error = { 0 };

    if (replaced(jwk))
        return;
    ck_assert_msg(kvp_jwk_parse_key(json, strlen(json), &key, &error) == KVP_OK, "%s: %s: %s", file,
                  error.message, json);
    ck_assert_str_eq(key->id, json_string_value(json_object_get(jwk, "kid")));
    /* A preview once made Ed25519 keys; nothing else there is unknown to us. */
    ck_assert((key->kty == KVP_KTY_UNKNOWN) ==
              (strcmp(json_string_value(json_object_get(jwk, "kty")), "OKP-HSM") == 0));
    ck_assert_int_eq(key->has_material, true);
    bundles++;
    kvp_key_free(key);
}

static void check_page(const char *file, const json_t *body, const char *json)
{
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_error error = { 0 };
    char *next = NULL;

    ck_assert_msg(kvp_jwk_parse_page(KVP_KEYS, json, strlen(json), &list, &next, &error) == KVP_OK,
                  "%s: %s", file, error.message);
    ck_assert_uint_eq(list.count, json_array_size(json_object_get(body, "value")));
    items += (unsigned)list.count;
    kvp_entry_list_clear(&list);
    kvp_free(next);
}

/* A certificate or secret bundle, or a page of them: by the identifier that it has. */
static void check_entry(const char *file, const char *id, const char *json)
{
    kvp_collection collection = strstr(id, "/certificates/") ? KVP_CERTIFICATES : KVP_SECRETS;
    kvp_entry *entry = NULL;
    kvp_error error = { 0 };

    ck_assert_msg(kvp_jwk_parse_entry(collection, json, strlen(json), &entry, &error) == KVP_OK,
                  "%s: %s: %s", file, error.message, json);
    ck_assert_str_eq(entry->id, id);
    entries++;
    kvp_entry_free(entry);
}

static bool is_entry_id(const char *id)
{
    return id && (strstr(id, "/certificates/") || strstr(id, "/secrets/")) &&
           !strstr(id, "/deleted") && !strstr(id, "/policy") && !strstr(id, "/pending") &&
           !strstr(id, "/contacts") && !strstr(id, "/issuers");
}

static void check_exchange(const char *file, const json_t *exchange)
{
    const char *operation = json_string_value(json_object_get(exchange, "operation"));
    const json_t *response = json_object_get(exchange, "response");
    const json_t *body = json_object_get(response, "body");
    const json_t *value = json_object_get(body, "value");
    json_int_t status = json_integer_value(json_object_get(response, "status"));
    const json_t *kid = json_object_get(json_array_get(value, 0), "kid");
    char *json;

    if (!json_is_object(body))
        return;
    json = json_dumps(body, 0);
    if (json_is_object(json_object_get(body, "key")) && status < 300) {
        check_bundle(file, body, json);
    } else if (status < 300 && is_entry_id(json_string_value(json_object_get(body, "id"))) &&
               !(value && !json_is_string(value))) {
        check_entry(file, json_string_value(json_object_get(body, "id")), json);
    } else if (json_is_array(value) && kid) {
        check_page(file, body, json);
    } else if (json_is_string(json_object_get(body, "kid")) && json_is_string(value) && operation &&
               (strcmp(operation, "sign") == 0 || strcmp(operation, "encrypt") == 0)) {
        kvp_operation_result result = { 0 };

        ck_assert_int_eq(kvp_jwk_parse_operation(json, strlen(json), &result, NULL), KVP_OK);
        ck_assert_uint_gt(result.value.len, 0);
        operations++;
        kvp_operation_result_clear(&result);
    } else if (status >= 400 && json_is_object(json_object_get(body, "error"))) {
        kvp_error error = { 0 };

        kvp_jwk_parse_error(json, strlen(json), &error);
        ck_assert_str_eq(
            error.code, json_string_value(json_object_get(json_object_get(body, "error"), "code")));
        ck_assert_str_ne(error.message, "");
        errors++;
    }
    free(json);
}

static void check_folder(const char *name)
{
    char path[4096];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/%s", ROOT, name);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        json_t *file, *exchange;
        size_t i;

        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof(path), "%s/%s/%s", ROOT, name, entry->d_name);
        file = json_load_file(path, 0, NULL);
        ck_assert_msg(file != NULL, "%s", path);
        json_array_foreach(json_object_get(file, "exchanges"), i, exchange)
            check_exchange(path, exchange);
        json_decref(file);
    }
    if (dir)
        closedir(dir);
}

START_TEST(all_that_was_recorded_is_understood)
{
    static const char *const folders[] = { "auth", "certificates", "errors",
                                           "keys", "managed-hsm",  "secrets" };

    for (size_t i = 0; i < KVP_ARRAY_LEN(folders); i++)
        check_folder(folders[i]);
    ck_assert_uint_gt(bundles, 100);
    ck_assert_uint_gt(items, 20);
    ck_assert_uint_gt(operations, 20);
    ck_assert_uint_gt(errors, 100);
    ck_assert_uint_gt(entries, 100);
}
END_TEST

int main(void)
{
    DIR *dir = opendir(ROOT);
    SRunner *runner;
    Suite *suite;
    TCase *tcase;
    int failed;

    if (!dir) {
        puts("SKIP: no recordings beside the source tree");
        return 77;
    }
    closedir(dir);
    suite = suite_create("recordings");
    tcase = tcase_create("recordings");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_that_was_recorded_is_understood);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
