/* SPDX-License-Identifier: MIT */
/* What is put into a vault: the requests and their bodies, and what comes back. */
#include "config.h"

#include "base/alloc.h"
#include "tests/unit/vault/world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define V "0123456789abcdef0123456789abcdef"
static world w;

static void setup(void)
{
    memset(&w, 0, sizeof(w));
    world_start(&w);
}

static void teardown(void)
{
    world_stop(&w);
}

static void assert_request(unsigned index, const char *method, const char *target, const char *body)
{
    const fake_request *request = world_request(&w, index);

    ck_assert_str_eq(request->method, method);
    ck_assert_str_eq(request->target, target);
    ck_assert_str_eq(request->body, body);
}

static const fake_reply key_reply = { .body = "{\"key\":{\"kid\":\"https://h/keys/n/" V
                                              "\",\"kty\":\"oct-HSM\"}}" };
static const fake_reply secret_reply = { .body = "{\"value\":\"v\",\"id\":\"https://h/secrets/n/" V
                                                 "\",\"attributes\":{\"enabled\":true}}" };
static const fake_reply certificate_reply = { .status = 201,
                                              .body = "{\"id\":\"https://h/certificates/n/" V
                                                      "\",\"cer\":\"TUlJ\","
                                                      "\"attributes\":{\"enabled\":true}}" };

START_TEST(a_key_is_imported)
{
    kvp_key brought = { .kty = KVP_KTY_OCT };
    kvp_private_parts parts = KVP_PRIVATE_PARTS_INIT;
    kvp_key_import import = { .key = &brought, .parts = &parts };
    kvp_error error = { .status = KVP_OK };
    kvp_trace trace;
    kvp_key *key = NULL;

    w.reply = &key_reply;
    ck_assert_int_eq(kvp_vault_key_import(w.vault, "n", &import, NULL, &key, &error),
                     KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(w.server), 0);
    ck_assert_int_eq(kvp_buf_set(&parts.k, "k", 1), KVP_OK);
    ck_assert_int_eq(kvp_vault_key_import(w.vault, "n", &import, &trace, &key, NULL), KVP_OK);
    assert_request(1, "PUT", "/keys/n?api-version=7.4", "{\"key\":{\"kty\":\"oct\",\"k\":\"aw\"}}");
    ck_assert_str_eq(key->version, V);
    ck_assert_str_eq(trace.object_id, "https://h/keys/n/" V);
    kvp_key_free(key);
    kvp_private_parts_clear(&parts);
}
END_TEST

START_TEST(a_secret_is_set_changed_and_deleted)
{
    kvp_secret_set set = { .value = "v", .value_len = 1, .content_type = "text/plain" };
    kvp_key_update update = { .set_tags = true };
    kvp_secret *secret = NULL;
    kvp_entry *entry = NULL;

    w.reply = &secret_reply;
    ck_assert_int_eq(kvp_vault_secret_set(w.vault, "n", &set, NULL, &secret, NULL), KVP_OK);
    assert_request(1, "PUT", "/secrets/n?api-version=7.4",
                   "{\"value\":\"v\",\"contentType\":\"text/plain\"}");
    ck_assert_str_eq(kvp_buf_str(&secret->value), "v");
    kvp_secret_free(secret);
    ck_assert_int_eq(kvp_vault_update(w.vault, KVP_SECRETS, "n", V, &update, NULL, &entry, NULL),
                     KVP_OK);
    assert_request(2, "PATCH", "/secrets/n/" V "?api-version=7.4", "{\"tags\":{}}");
    kvp_entry_free(entry);
    ck_assert_int_eq(kvp_vault_delete(w.vault, KVP_SECRETS, "n", NULL, NULL), KVP_OK);
    assert_request(3, "DELETE", "/secrets/n?api-version=7.4", "");
    set.value = "\xff";
    ck_assert_int_eq(kvp_vault_secret_set(w.vault, "n", &set, NULL, &secret, NULL),
                     KVP_ERR_INVALID);
    update = (kvp_key_update){ .set_expires = true };
    ck_assert_int_eq(kvp_vault_update(w.vault, KVP_SECRETS, "n", V, &update, NULL, &entry, NULL),
                     KVP_ERR_UNSUPPORTED);
    ck_assert_uint_eq(world_count(&w), 4);
}
END_TEST

START_TEST(a_certificate_is_imported_merged_and_deleted)
{
    kvp_certificate_import import = { .value = "UEZY", .value_len = 4 };
    kvp_buf der = KVP_BUF_INIT(0);
    kvp_certificate_merge merge = { .chain = &der, .count = 1 };
    kvp_certificate *certificate = NULL;

    w.reply = &certificate_reply;
    ck_assert_int_eq(kvp_vault_certificate_import(w.vault, "n", &import, NULL, &certificate, NULL),
                     KVP_OK);
    assert_request(1, "POST", "/certificates/n/import?api-version=7.4",
                   "{\"value\":\"UEZY\",\"policy\":{\"key_props\":{\"exportable\":false},"
                   "\"secret_props\":{\"contentType\":\"application/x-pkcs12\"}}}");
    kvp_certificate_free(certificate);
    ck_assert_int_eq(kvp_buf_set(&der, "d", 1), KVP_OK);
    ck_assert_int_eq(kvp_vault_certificate_merge(w.vault, "n", &merge, NULL, &certificate, NULL),
                     KVP_OK);
    assert_request(2, "POST", "/certificates/n/pending/merge?api-version=7.4",
                   "{\"x5c\":[\"ZA==\"]}");
    ck_assert_uint_eq(certificate->der.len, 3);
    kvp_certificate_free(certificate);
    ck_assert_int_eq(kvp_vault_delete(w.vault, KVP_CERTIFICATES, "n", NULL, NULL), KVP_OK);
    assert_request(3, "DELETE", "/certificates/n?api-version=7.4", "");
    kvp_buf_clear(&der);
}
END_TEST

START_TEST(a_pending_operation_is_read)
{
    static const fake_reply waiting = { .body = "{\"status\":\"inProgress\",\"csr\":\"Q1NS\"}" },
                            none = { .status = 404, .body = "{\"error\":{\"code\":\"X\"}}" };
    kvp_certificate_pending pending = { .in_progress = false };
    kvp_error error = { .status = KVP_OK };

    w.reply = &waiting;
    ck_assert_int_eq(kvp_vault_certificate_pending(w.vault, "n", NULL, &pending, NULL), KVP_OK);
    assert_request(1, "GET", "/certificates/n/pending?api-version=7.4", "");
    ck_assert(pending.in_progress);
    ck_assert_str_eq(kvp_buf_str(&pending.csr), "CSR");
    kvp_certificate_pending_clear(&pending);
    w.reply = &none;
    ck_assert_int_eq(kvp_vault_certificate_pending(w.vault, "n", NULL, &pending, &error),
                     KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 404);
}
END_TEST

static const char *const bad_names[] = { "", "a/b", "..", "a b", "a%2f", NULL };

START_TEST(names_cannot_leave_their_place_in_the_path)
{
    const char *name = bad_names[_i];
    kvp_secret_set set = { .value = "v", .value_len = 1 };
    kvp_certificate_import import = { .value = "v", .value_len = 1 };
    kvp_certificate_merge merge = { .count = 0 };
    kvp_key_update update = { .set_enabled = true };
    kvp_certificate_pending pending;
    kvp_certificate *certificate;
    kvp_secret *secret;
    kvp_entry *entry;

    ck_assert_int_eq(kvp_vault_secret_set(w.vault, name, &set, NULL, &secret, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_certificate_import(w.vault, name, &import, NULL, &certificate, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_certificate_merge(w.vault, name, &merge, NULL, &certificate, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_certificate_pending(w.vault, name, NULL, &pending, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(
        kvp_vault_update(w.vault, KVP_SECRETS, name, NULL, &update, NULL, &entry, NULL),
        KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_delete(w.vault, KVP_SECRETS, name, NULL, NULL), KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(w.server), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import");
    TCase *tcase = tcase_create("import");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_key_is_imported);
    tcase_add_test(tcase, a_secret_is_set_changed_and_deleted);
    tcase_add_test(tcase, a_certificate_is_imported_merged_and_deleted);
    tcase_add_test(tcase, a_pending_operation_is_read);
    tcase_add_loop_test(tcase, names_cannot_leave_their_place_in_the_path, 0,
                        (int)KVP_ARRAY_LEN(bad_names));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
