/* SPDX-License-Identifier: MIT */
/* Certificates over exchanges: made by themselves, changed, deleted, and what stands behind them.
 */
#include "config.h"

#include "certificates.h"

#include "base/alloc.h"
#include "jwk/base64url.h"
#include "vaultd/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- made by itself ------------------------------------------------------------------------------
 */

START_TEST(a_self_signed_certificate_is_made_at_once_and_told_of_later)
{
    kvp_exchange *ex =
        kvp_test_request(&vault, "POST", "/certificates/My-Cert/create", vault.token,
                         "{\"policy\":{\"issuer\":{\"name\":\"self\"},\"x509_props\":{"
                         "\"subject\":\"CN=DefaultPolicy\"}}}");
    json_t *operation = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    char want[300];

    ck_assert_int_eq(ex->status, 202);
    ck_assert_str_eq(ex->headers[0].name, "Location");
    snprintf(want, sizeof(want), BASE "/certificates/My-Cert/pending?api-version=7.5&request_id=%s",
             kvp_test_text(operation, "request_id"));
    ck_assert_str_eq(ex->headers[0].value, want);
    ck_assert_str_eq(ex->headers[1].name, "Retry-After");
    ck_assert_str_eq(ex->headers[1].value, "10");
    kvp_exchange_free(ex);
    ck_assert_str_eq(kvp_test_members(operation),
                     "id issuer csr cancellation_requested status status_details request_id");
    ck_assert_str_eq(kvp_test_text(operation, "status"), "inProgress");
    json_decref(operation);
    operation = get("/certificates/my-cert/pending");
    ck_assert_str_eq(kvp_test_members(operation),
                     "id issuer csr cancellation_requested status target request_id");
    ck_assert_str_eq(kvp_test_text(operation, "status"), "completed");
    ck_assert_str_eq(kvp_test_text(operation, "target"), BASE "/certificates/My-Cert");
    json_decref(operation);
    json_t *bundle = get("/certificates/my-cert");
    ck_assert_str_eq(kvp_test_members(bundle), "id kid sid x5t cer attributes policy pending");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(bundle, "policy")),
                     "id key_props secret_props x509_props lifetime_actions issuer attributes");
    char *text = json_dumps(kvp_test_at(bundle, "policy.x509_props"), JSON_COMPACT);
    ck_assert_str_eq(text, "{\"subject\":\"CN=DefaultPolicy\",\"ekus\":[\"1.3.6.1.5.5.7.3.1\","
                           "\"1.3.6.1.5.5.7.3.2\"],\"key_usage\":[\"digitalSignature\","
                           "\"keyEncipherment\"],\"validity_months\":12,\"basic_constraints\":{"
                           "\"ca\":false}}");
    free(text);
    text = json_dumps(kvp_test_at(bundle, "policy.key_props"), JSON_COMPACT);
    ck_assert_str_eq(text,
                     "{\"exportable\":true,\"kty\":\"RSA\",\"key_size\":2048,\"reuse_key\":false}");
    free(text);
    json_decref(bundle);
}
END_TEST

static const struct {
    const char *key_props, *kty, *content_type;
    bool pem, has_key;
} kinds[] = {
    { "{\"kty\":\"EC\"}", "EC", KVP_X509_TYPE_PFX, false, true },
    { "{\"kty\":\"EC\",\"crv\":\"P-384\"}", "EC", KVP_X509_TYPE_PEM, true, true },
    { "{\"kty\":\"EC\",\"key_size\":521}", "EC", KVP_X509_TYPE_PFX, false, true },
    { "{\"kty\":\"EC\",\"crv\":\"P-256K\"}", "EC", KVP_X509_TYPE_PEM, true, true },
    { "{\"kty\":\"EC-HSM\",\"exportable\":false}", "EC-HSM", KVP_X509_TYPE_PEM, true, false },
    { "{\"kty\":\"RSA\",\"exportable\":false}", "RSA", KVP_X509_TYPE_PFX, false, false },
    { "{\"kty\":\"RSA-HSM\"}", "RSA-HSM", KVP_X509_TYPE_PEM, true, false },
};

START_TEST(key_and_secret_behind_a_certificate_are_one_with_it)
{
    json_decref(kvp_test_callf(&vault, "POST", "/certificates/c/create", 202,
                               "{\"policy\":{\"key_props\":%s,\"secret_props\":{\"contentType\":"
                               "\"%s\"},\"issuer\":{\"name\":\"Self\"},\"x509_props\":{\"subject\":"
                               "\"CN=x\"}},\"tags\":{\"a\":\"b\"}}",
                               kinds[_i].key_props, kinds[_i].content_type));
    json_t *certificate = get("/certificates/c"), *key = get("/keys/c"),
           *secret = get("/secrets/c");
    const char *version = kvp_test_text(certificate, "id") + strlen(BASE "/certificates/c/");

    ck_assert_str_eq(kvp_test_text(certificate, "kid"), kvp_test_text(key, "key.kid"));
    ck_assert_str_eq(kvp_test_text(certificate, "sid"), kvp_test_text(secret, "id"));
    ck_assert_str_eq(kvp_test_text(secret, "kid"), kvp_test_text(key, "key.kid"));
    ck_assert_str_eq(kvp_test_text(key, "key.kid") + strlen(BASE "/keys/c/"), version);
    ck_assert_str_eq(kvp_test_members(key), "key attributes tags managed");
    ck_assert_str_eq(kvp_test_members(secret), "value contentType id managed attributes tags kid");
    ck_assert_ptr_null(kvp_test_at(key, "attributes.exportable"));
    ck_assert_str_eq(kvp_test_text(key, "key.kty"), kinds[_i].kty);
    ck_assert_str_eq(kvp_test_text(secret, "contentType"), kinds[_i].content_type);
    ck_assert(
        json_equal(kvp_test_at(certificate, "attributes.exp"), kvp_test_at(key, "attributes.exp")));
    ck_assert(
        json_equal(kvp_test_at(certificate, "attributes"), kvp_test_at(secret, "attributes")));
    /* The secret holds the certificate, and the key only where it may leave. */
    kvp_buf cer = KVP_BUF_INIT(0);
    kvp_x509_bundle bundle;
    kvp_error error = { .status = KVP_OK };
    const char *value = kvp_test_text(secret, "value");
    bool pem = false;
    decode(kvp_test_text(certificate, "cer"), &cer);
    kvp_status status = kvp_x509_import(value, strlen(value), NULL, false, &bundle, &pem, &error);
    if (kinds[_i].has_key) {
        ck_assert_msg(status == KVP_OK, "%s", error.message);
        ck_assert(pem == kinds[_i].pem);
        ck_assert_uint_eq(bundle.certs[0].len, cer.len);
        ck_assert_mem_eq(bundle.certs[0].data, cer.data, cer.len);
        ck_assert(kvp_x509_matches(cer.data, cer.len, bundle.key));
        kvp_x509_bundle_clear(&bundle);
    } else {
        ck_assert_int_eq(status, KVP_ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(error.message, "has no private key"));
    }
    kvp_buf_clear(&cer);
    json_decref(certificate);
    json_decref(key);
    json_decref(secret);
}
END_TEST

START_TEST(the_key_of_a_certificate_signs)
{
    static const uint8_t digest[32] = { 1, 2, 3 };
    char *value = kvp_test_base64(digest, sizeof(digest));

    create("c", EC_SELF);
    json_t *sig = kvp_test_callf(&vault, "POST", "/keys/c/sign", 200,
                                 "{\"alg\":\"ES256\",\"value\":\"%s\"}", value);
    json_t *valid = kvp_test_callf(&vault, "POST", "/keys/c/verify", 200,
                                   "{\"alg\":\"ES256\",\"digest\":\"%s\",\"value\":\"%s\"}", value,
                                   kvp_test_text(sig, "value"));
    ck_assert(json_is_true(kvp_test_at(valid, "value")));
    json_decref(sig);
    json_decref(valid);
    kvp_free(value);
}
END_TEST

START_TEST(key_operations_follow_from_the_key_usage)
{
    json_decref(
        post("/certificates/c/create",
             "{\"policy\":{\"issuer\":{\"name\":\"Self\"},\"x509_props\":{\"subject\":\"CN=x\","
             "\"key_usage\":[\"nonRepudiation\",\"digitalSignature\",\"keyEncipherment\","
             "\"keyAgreement\",\"keyCertSign\"]}}}",
             202));
    json_t *key = get("/keys/c"), *policy = get("/certificates/c/policy");
    char *ops = json_dumps(kvp_test_at(key, "key.key_ops"), JSON_COMPACT);
    char *usage = json_dumps(kvp_test_at(policy, "x509_props.key_usage"), JSON_COMPACT);

    ck_assert_str_eq(ops, "[\"sign\",\"verify\",\"wrapKey\",\"unwrapKey\"]");
    ck_assert_str_eq(usage, "[\"digitalSignature\",\"keyAgreement\",\"keyCertSign\","
                            "\"keyEncipherment\",\"nonRepudiation\"]");
    free(ops);
    free(usage);
    json_decref(key);
    json_decref(policy);
}
END_TEST

static const struct {
    const char *method, *path, *body, *inner, *word;
} managed[] = {
    { "POST", "/keys/c/create", "{\"kty\":\"EC\"}", "KeyManagedByKeyVault", "\"create\"" },
    { "PUT", "/keys/c", "{\"key\":{}}", "KeyManagedByKeyVault", "\"import\"" },
    { "POST", "/keys/c/rotate", NULL, "KeyManagedByKeyVault", "\"rotate\"" },
    { "PATCH", "/keys/c", "{}", "KeyManagedByKeyVault", "\"update\"" },
    { "DELETE", "/keys/c", NULL, "KeyManagedByKeyVault", "\"delete\"" },
    { "PUT", "/secrets/c", "{\"value\":\"v\"}", "SecretManagedByKeyVault", "\"set\"" },
    { "PATCH", "/secrets/c", "{}", "SecretManagedByKeyVault", "\"update\"" },
    { "DELETE", "/secrets/c", NULL, "SecretManagedByKeyVault", "\"delete\"" },
    { "POST", "/secrets/c/backup", NULL, "SecretManagedByKeyVault", "\"backup\"" },
    { "DELETE", "/deletedsecrets/c", NULL, "SecretManagedByKeyVault", "\"purge\"" },
    { "POST", "/deletedkeys/c/recover", NULL, "KeyManagedByKeyVault", "\"recover\"" },
};

START_TEST(key_and_secret_of_a_certificate_are_not_changed_on_their_own)
{
    create("c", EC_SELF);
    if (strncmp(managed[_i].path, "/deleted", 8) == 0)
        json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c", NULL, 200));
    kvp_test_error(
        kvp_test_call(&vault, managed[_i].method, managed[_i].path, managed[_i].body, 403),
        "Forbidden", managed[_i].inner, managed[_i].word);
}
END_TEST

START_TEST(a_name_of_a_lone_key_or_secret_is_not_taken_over)
{
    json_decref(post("/keys/k/create", "{\"kty\":\"EC\"}", 200));
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/s", "{\"value\":\"v\"}", 200));
    kvp_test_error(post("/certificates/k/create", EC_SELF, 409), "Conflict", NULL, "named k");
    kvp_test_error(post("/certificates/s/create", EC_UNKNOWN, 409), "Conflict", NULL, "named s");
    json_decref(kvp_test_call(&vault, "GET", "/certificates/k", NULL, 404));
}
END_TEST

START_TEST(a_new_version_has_a_new_key_unless_the_policy_keeps_it)
{
    create("c", EC_SELF);
    json_t *first = get("/keys/c"), *second, *third;

    create("c", "{}");
    second = get("/keys/c");
    ck_assert(!json_equal(kvp_test_at(first, "key.x"), kvp_test_at(second, "key.x")));
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/c/policy",
                              "{\"key_props\":{\"reuse_key\":true}}", 200));
    create("c", "{}");
    third = get("/keys/c");
    ck_assert(json_equal(kvp_test_at(third, "key.x"), kvp_test_at(second, "key.x")));
    ck_assert_str_ne(kvp_test_text(third, "key.kid"), kvp_test_text(second, "key.kid"));
    json_t *versions = get("/certificates/c/versions");
    ck_assert_uint_eq(json_array_size(kvp_test_at(versions, "value")), 3);
    json_decref(versions);
    /* An explicit version is shown without the policy, and an old one without the operation. */
    char path[200];
    snprintf(path, sizeof(path), "/certificates/c/%s",
             kvp_test_text(first, "key.kid") + strlen(BASE "/keys/c/"));
    json_t *old = get(path);
    ck_assert_str_eq(kvp_test_members(old), "id kid sid x5t cer attributes");
    json_decref(old);
    json_decref(first);
    json_decref(second);
    json_decref(third);
}
END_TEST

static const struct {
    const char *body, *text;
} bad_creates[] = {
    { "{}", "Property policy has" },
    { "{\"policy\":5}", "Property policy has" },
    { "{\"policy\":{\"issuer\":{\"name\":\"Self\"}}}", "subject" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"nonsense\"}}}", "not a valid X500 name" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"validity_months\":0}}}",
      "validity_months" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"validity_months\":1201}}}",
      "validity_months" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"key_usage\":[\"flying\"]}}}",
      "key_usage" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"ekus\":[\"flying\"]}}}", "key usages" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"ekus\":[1]}}}", "ekus" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"dns_names\":[\"a b\"]}}}}",
      "dns_names" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"dns_names\":\"a\"}}}}",
      "dns_names" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"oct\"}}}",
      "kty" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"key_size\":1024}}}",
      "key_size" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"EC\",\"crv\":"
      "\"X\"}}}",
      "crv" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"EC\",\"crv\":"
      "\"P-256\",\"key_size\":384}}}",
      "key_size" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"key_props\":{\"kty\":\"RSA-HSM\","
      "\"exportable\":true}}}",
      "exportable" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"secret_props\":{\"contentType\":\"x\"}}"
      "}",
      "contentType" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"issuer\":{\"name\":\"a b\"}}}",
      "issuer" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{}]}}",
      "lifetime_actions" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
      "\"lifetime_percentage\":100},\"action\":{\"action_type\":\"AutoRenew\"}}]}}",
      "lifetime_percentage" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
      "\"days_before_expiry\":325},\"action\":{\"action_type\":\"AutoRenew\"}}]}}",
      "days_before_expiry" },
    { "{\"policy\":{\"x509_props\":{\"subject\":\"CN=x\"},\"lifetime_actions\":[{\"trigger\":{"
      "\"lifetime_percentage\":5},\"action\":{\"action_type\":\"Dance\"}}]}}",
      "action_type" },
};

START_TEST(create_refuses_what_is_wrong)
{
    json_t *answer = post("/certificates/c/create", bad_creates[_i].body, 400);

    ck_assert_msg(strstr(kvp_test_text(answer, "error.message"), bad_creates[_i].text) != NULL,
                  "%s", kvp_test_text(answer, "error.message"));
    json_decref(answer);
    json_decref(kvp_test_call(&vault, "GET", "/certificates/c", NULL, 404));
}
END_TEST

START_TEST(alternative_names_of_the_newest_version_are_ignored_by_older_ones)
{
    static const char body[] = "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":"
                               "\"Self\"},\"x509_props\":{\"subject\":\"CN=x\",\"sans\":{\"uris\":["
                               "\"urn:a\"],\"ipAddresses\":[\"192.0.2.1\"]}}}}";
    json_decref(post("/certificates/c/create?api-version=2025-07-01", body, 202));
    json_decref(post("/certificates/d/create?api-version=7.5", body, 202));
    json_t *new = get("/certificates/c/policy"), *old = get("/certificates/d/policy");

    ck_assert_str_eq(kvp_test_members(kvp_test_at(new, "x509_props.sans")), "uris ipAddresses");
    ck_assert_uint_eq(json_object_size(kvp_test_at(old, "x509_props.sans")), 0);
    json_decref(new);
    json_decref(old);
}
END_TEST

/* --- changed and deleted -------------------------------------------------------------------------
 */

START_TEST(an_update_reaches_key_and_secret)
{
    create("c", EC_SELF);
    json_t *before = get("/certificates/c");
    json_t *updated = kvp_test_call(&vault, "PATCH", "/certificates/c",
                                    "{\"attributes\":{\"enabled\":false,\"exp\":5},\"tags\":{\"a\":"
                                    "\"b\"},\"policy\":{\"x509_props\":{\"validity_months\":6}}}",
                                    200);
    json_t *key = get("/keys/c");

    ck_assert(json_is_false(kvp_test_at(updated, "attributes.enabled")));
    ck_assert(
        json_equal(kvp_test_at(before, "attributes.exp"), kvp_test_at(updated, "attributes.exp")));
    ck_assert_int_eq(json_integer_value(kvp_test_at(updated, "policy.x509_props.validity_months")),
                     6);
    ck_assert_str_eq(kvp_test_text(updated, "policy.x509_props.subject"), "CN=x");
    ck_assert(json_is_false(kvp_test_at(key, "attributes.enabled")));
    ck_assert_str_eq(kvp_test_text(key, "tags.a"), "b");
    json_decref(kvp_test_call(&vault, "GET", "/secrets/c", NULL, 403));
    json_decref(before);
    json_decref(updated);
    json_decref(key);
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/other", "{}", 404));
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/other/policy", "{}", 404));
}
END_TEST

START_TEST(a_deleted_certificate_takes_key_and_secret_along_and_brings_them_back)
{
    create("c", EC_SELF);
    json_t *key = get("/keys/c");

    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/C", NULL, 200));
    json_decref(kvp_test_call(&vault, "GET", "/keys/c", NULL, 404));
    json_decref(kvp_test_call(&vault, "GET", "/secrets/c", NULL, 404));
    kvp_test_error(post("/certificates/c/create", EC_SELF, 409), "Conflict",
                   "ObjectIsDeletedButRecoverable", "Certificate c is currently in a deleted");
    json_decref(get("/deletedcertificates/c"));
    json_t *list = get("/deletedcertificates");
    ck_assert_str_eq(kvp_test_members(json_array_get(kvp_test_at(list, "value"), 0)),
                     "recoveryId deletedDate scheduledPurgeDate id x5t attributes");
    json_decref(list);
    json_decref(post("/deletedcertificates/c/recover", NULL, 200));
    json_t *again = get("/keys/c");
    ck_assert(json_equal(key, again));
    json_decref(again);
    json_decref(key);
    json_decref(get("/secrets/c"));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c", NULL, 200));
    ck_assert_ptr_null(kvp_test_call(&vault, "DELETE", "/deletedcertificates/c", NULL, 204));
    kvp_test_error(kvp_test_call(&vault, "GET", "/deletedcertificates/c", NULL, 404),
                   "CertificateNotFound", NULL, "A certificate with (name/id) c was not found");
    json_decref(post("/keys/c/create", "{\"kty\":\"EC\"}", 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c", NULL, 404));
}
END_TEST

START_TEST(a_backup_brings_certificate_key_and_secret_back)
{
    create("c", EC_SELF);
    create("c", "{\"tags\":{\"v\":\"2\"}}");
    json_t *certificate = get("/certificates/c"), *key = get("/keys/c"),
           *secret = get("/secrets/c");
    json_t *versions = get("/certificates/c/versions");
    json_t *backup = post("/certificates/c/backup", NULL, 200);
    kvp_buf blob = KVP_BUF_INIT(0);
    char *body = json_dumps(backup, 0);
    const char *text = kvp_test_text(backup, "value");

    ck_assert_int_eq(kvp_base64url_decode(text, strlen(text), &blob), KVP_OK);
    ck_assert_uint_eq(blob.data[0], 0x26);
    ck_assert_mem_eq(blob.data + 1, "AzureKeyVaultKeyBackupV1.microsoft.com", 38);
    kvp_test_error(post("/certificates/restore", body, 409), "Conflict", NULL,
                   "There was a conflict restoring the certificate '" BASE "/certificates/c/");
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c", NULL, 200));
    json_decref(post("/certificates/restore", body, 409));
    json_decref(kvp_test_call(&vault, "DELETE", "/deletedcertificates/c", NULL, 204));
    json_decref(post("/certificates/restore", body, 200));
    json_t *certificate2 = get("/certificates/c"), *key2 = get("/keys/c"),
           *secret2 = get("/secrets/c");
    json_t *versions2 = get("/certificates/c/versions");
    json_object_del(certificate, "pending"); /* the operation is not part of a backup (recorded) */
    ck_assert(json_equal(certificate, certificate2));
    ck_assert(json_equal(key, key2));
    ck_assert(json_equal(secret, secret2));
    ck_assert(json_equal(versions, versions2));
    json_t *all[] = { certificate, key,     secret,    versions, certificate2,
                      key2,        secret2, versions2, backup };
    for (size_t i = 0; i < KVP_ARRAY_LEN(all); i++)
        json_decref(all[i]);
    kvp_buf_clear(&blob);
    free(body);
}
END_TEST

START_TEST(a_certificate_survives_a_restart_and_its_key_is_useless_with_another_storage_key)
{
    create("c", EC_SELF);
    json_t *before = get("/certificates/c");

    kvp_test_vault_restart(&vault);
    json_t *after = get("/certificates/c");
    ck_assert(json_equal(before, after));
    json_decref(get("/secrets/c"));
    vault.daemon.store->seal.key[0] ^= 1;
    json_decref(kvp_test_call(&vault, "GET", "/secrets/c", NULL, 500));
    json_decref(post("/certificates/c/backup", NULL, 500));
    json_decref(before);
    json_decref(after);
}
END_TEST

START_TEST(without_memory_nothing_breaks)
{
    create("c", EC_SELF);
    for (long n = 0; n < 120; n++) {
        kvp_exchange *ex = kvp_exchange_new(&vault.daemon);
        ex->method = kvp_strdup(n % 2 ? "GET" : "POST");
        ex->target = kvp_asprintf("/certificates/c%s?api-version=7.5", n % 2 ? "" : "/create");
        ex->host = kvp_strdup("127.0.0.1:8443");
        ex->authorization = kvp_asprintf("Bearer %s", vault.token);
        if (n % 2 == 0)
            ck_assert_int_eq(kvp_buf_append_str(&ex->body, EC_SELF), KVP_OK);
        kvp_alloc_fail_after(n);
        kvp_exchange_run(ex);
        kvp_alloc_fail_after(-1);
        ck_assert_msg(ex->status == 200 || ex->status == 202 || ex->status == 500 ||
                          ex->status == 401 || ex->status == 404,
                      "%ld: %d", n, ex->status);
        kvp_exchange_free(ex);
    }
    json_decref(get("/certificates/c"));
}
END_TEST

static void add_all(TCase *t)
{
    tcase_add_test(t, a_self_signed_certificate_is_made_at_once_and_told_of_later);
    tcase_add_loop_test(t, key_and_secret_behind_a_certificate_are_one_with_it, 0,
                        (int)KVP_ARRAY_LEN(kinds));
    tcase_add_test(t, the_key_of_a_certificate_signs);
    tcase_add_test(t, key_operations_follow_from_the_key_usage);
    tcase_add_loop_test(t, key_and_secret_of_a_certificate_are_not_changed_on_their_own, 0,
                        (int)KVP_ARRAY_LEN(managed));
    tcase_add_test(t, a_name_of_a_lone_key_or_secret_is_not_taken_over);
    tcase_add_test(t, a_new_version_has_a_new_key_unless_the_policy_keeps_it);
    tcase_add_loop_test(t, create_refuses_what_is_wrong, 0, (int)KVP_ARRAY_LEN(bad_creates));
    tcase_add_test(t, alternative_names_of_the_newest_version_are_ignored_by_older_ones);
    tcase_add_test(t, an_update_reaches_key_and_secret);
    tcase_add_test(t, a_deleted_certificate_takes_key_and_secret_along_and_brings_them_back);
    tcase_add_test(t, a_backup_brings_certificate_key_and_secret_back);
    tcase_add_test(
        t, a_certificate_survives_a_restart_and_its_key_is_useless_with_another_storage_key);
    tcase_add_test(t, without_memory_nothing_breaks);
}

int main(void)
{
    Suite *suite = suite_create("vaultd certificates");
    TCase *in_vault = tcase_create("vault");

    tcase_set_timeout(in_vault, 120);
    tcase_add_checked_fixture(in_vault, setup_vault, teardown);
    add_all(in_vault);
    suite_add_tcase(suite, in_vault);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
