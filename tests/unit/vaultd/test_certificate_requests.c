/* SPDX-License-Identifier: MIT */
/* Certificates from elsewhere over exchanges: merged, imported; issuers and contacts. */
#include "config.h"

#include "certificates.h"

#include "base/alloc.h"
#include "vaultd/certificate_doc.h"
#include "vaultd/keeper.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- merged --------------------------------------------------------------------------------------
 */

/* A certificate for the request of @name, signed by somebody else, as base64 in a new string. */
static char *certify(const char *name)
{
    char path[200];
    kvp_buf csr = KVP_BUF_INIT(0), text = KVP_BUF_INIT(0);
    kvp_engine_key *ca = NULL;

    snprintf(path, sizeof(path), "/certificates/%s/pending", name);
    json_t *operation = get(path);
    ck_assert_str_eq(kvp_test_text(operation, "status"), "inProgress");
    decode(kvp_test_text(operation, "csr"), &csr);
    json_decref(operation);
    ck_assert_int_eq(kvp_engine_generate_ec(kvp_engine_curve_find("P-256"), &ca, NULL), KVP_OK);
    const unsigned char *p = csr.data;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)csr.len);
    X509 *cert = X509_new();
    ck_assert_ptr_nonnull(req);
    ck_assert_int_eq(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_set_subject_name(cert, X509_REQ_get_subject_name(req));
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, X509_REQ_get0_pubkey(req));
    ck_assert_int_gt(X509_sign(cert, ca->pkey, EVP_sha256()), 0);
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    ck_assert_int_eq(kvp_x509_base64(der, (size_t)len, &text), KVP_OK);
    OPENSSL_free(der);
    X509_free(cert);
    X509_REQ_free(req);
    kvp_engine_key_unref(ca);
    char *copy = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    kvp_buf_clear(&csr);
    return copy;
}

/* The same of a request that waits for just that. */
static char *sign_request(const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "/certificates/%s/pending", name);
    json_t *operation = get(path);
    ck_assert_str_eq(kvp_test_text(operation, "status_details"),
                     "Pending certificate created. Please Perform Merge to complete the request.");
    json_decref(operation);
    return certify(name);
}

START_TEST(a_request_waits_for_its_certificate_over_a_restart)
{
    create("c", EC_UNKNOWN);
    json_t *waiting = get("/certificates/c"), *list = get("/certificates");
    json_t *all = get("/certificates?api-version=7.5&includePending=true");

    ck_assert_str_eq(kvp_test_members(waiting), "id attributes policy pending");
    ck_assert(json_is_false(kvp_test_at(waiting, "attributes.enabled")));
    ck_assert_str_eq(
        kvp_test_text(json_array_get(kvp_test_at(waiting, "policy.lifetime_actions"), 0),
                      "action.action_type"),
        "EmailContacts");
    ck_assert_uint_eq(json_array_size(kvp_test_at(list, "value")), 0);
    ck_assert_uint_eq(json_array_size(kvp_test_at(all, "value")), 1);
    json_decref(kvp_test_call(&vault, "GET", "/keys/c", NULL, 404));
    kvp_test_error(post("/certificates/c/create", EC_SELF, 409), "Conflict", NULL,
                   "can not be created or imported while a pending");
    kvp_test_vault_restart(&vault);
    char *cert = sign_request("c");
    json_t *merged = kvp_test_callf(&vault, "POST", "/certificates/c/pending/merge", 201,
                                    "{\"x5c\":[\"%s\"],\"tags\":{\"m\":\"1\"}}", cert);
    ck_assert_str_eq(kvp_test_members(merged), "id kid sid x5t cer attributes tags policy pending");
    ck_assert_str_eq(kvp_test_text(merged, "id"), kvp_test_text(waiting, "id"));
    ck_assert_str_eq(kvp_test_text(merged, "cer"), cert);
    json_t *operation = get("/certificates/c/pending"), *key = get("/keys/c");
    ck_assert_str_eq(kvp_test_text(operation, "status"), "completed");
    ck_assert_str_eq(kvp_test_text(key, "key.kid"), kvp_test_text(merged, "kid"));
    kvp_test_error(kvp_test_callf(&vault, "POST", "/certificates/c/pending/merge", 400,
                                  "{\"x5c\":[\"%s\"]}", cert),
                   "BadParameter", NULL, "completed");
    json_decref(operation);
    json_decref(key);
    json_decref(merged);
    json_decref(waiting);
    json_decref(list);
    json_decref(all);
    kvp_free(cert);
}
END_TEST

START_TEST(a_merge_needs_the_certificate_of_its_key)
{
    static const char *const bodies[] = { "{}", "{\"x5c\":[]}", "{\"x5c\":[\"AAAA\"]}",
                                          "{\"x5c\":[5]}", "{\"x5c\":[\"!\"]}" };
    create("c", EC_UNKNOWN);
    create("d", EC_UNKNOWN);
    char *other = sign_request("d");

    for (size_t i = 0; i < KVP_ARRAY_LEN(bodies); i++)
        kvp_test_error(post("/certificates/c/pending/merge", bodies[i], 400), "BadParameter", NULL,
                       "Unable to parse X5c certificate chain and locate leaf certificate");
    kvp_test_error(kvp_test_callf(&vault, "POST", "/certificates/c/pending/merge", 400,
                                  "{\"x5c\":[\"%s\"]}", other),
                   "BadParameter", NULL,
                   "Unable to parse X5c certificate chain and locate leaf certificate");
    /* With the right one anywhere in the list, the leaf is found and the rest is the chain. */
    char *right = sign_request("c");
    json_t *merged = kvp_test_callf(&vault, "POST", "/certificates/c/pending/merge", 201,
                                    "{\"x5c\":[\"%s\",\"%s\"]}", other, right);
    ck_assert_str_eq(kvp_test_text(merged, "cer"), right);
    json_decref(merged);
    json_t *pem = get("/secrets/c?api-version=2025-07-01&outContentType=application/x-pem-file");
    const char *value = kvp_test_text(pem, "value"), *first = strstr(value, "BEGIN CERTIFICATE");
    ck_assert_mem_eq(value, "-----BEGIN PRIVATE KEY-----", 27);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(strstr(first + 1, "BEGIN CERTIFICATE"));
    ck_assert_str_eq(kvp_test_text(pem, "contentType"), "application/x-pem-file");
    json_decref(pem);
    kvp_free(right);
    kvp_free(other);
}
END_TEST

START_TEST(an_operation_can_be_cancelled_and_deleted)
{
    create("c", EC_UNKNOWN);
    json_t *told = kvp_test_call(&vault, "PATCH", "/certificates/c/pending",
                                 "{\"cancellation_requested\":true}", 200);
    ck_assert(json_is_true(kvp_test_at(told, "cancellation_requested")));
    ck_assert_str_eq(kvp_test_text(told, "status"), "inProgress");
    json_decref(told);
    told = get("/certificates/c/pending");
    ck_assert_str_eq(kvp_test_members(told),
                     "id issuer csr cancellation_requested status request_id");
    ck_assert_str_eq(kvp_test_text(told, "status"), "cancelled");
    json_decref(told);
    json_decref(post("/certificates/c/pending/merge", "{\"x5c\":[]}", 400));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c/pending", NULL, 200));
    kvp_test_error(kvp_test_call(&vault, "GET", "/certificates/c/pending", NULL, 404),
                   "PendingCertificateNotFound", NULL, "Pending certificate not found: c");
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/c/pending", "{}", 400));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/c/pending", NULL, 404));
    /* What never was finished can be deleted, and its name be used for one that will be. */
    json_t *deleted = kvp_test_call(&vault, "DELETE", "/certificates/c", NULL, 200);
    ck_assert_str_eq(kvp_test_members(deleted),
                     "recoveryId deletedDate scheduledPurgeDate id attributes policy");
    json_decref(deleted);
    json_decref(post("/deletedcertificates/c/recover", NULL, 200));
    create("c", EC_SELF);
    json_decref(get("/keys/c"));
}
END_TEST

/* --- issued later --------------------------------------------------------------------------------
 */

#define DELAY 3600

/* Whether the operation of @name has @status. */
static void check_operation(const char *name, const char *status)
{
    char path[200];

    snprintf(path, sizeof(path), "/certificates/%s/pending", name);
    json_t *operation = get(path);
    ck_assert_str_eq(kvp_test_text(operation, "status"), status);
    json_decref(operation);
}

static void issue_due(int64_t now)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(kvp_certificates_issue_due(&vault.daemon, now, &error) == KVP_OK, "%s",
                  error.message);
}

START_TEST(a_self_signed_certificate_takes_as_long_as_the_daemon_was_told)
{
    vault.daemon.certificate_delay_s = DELAY;
    create("c", EC_SELF);
    create("other", EC_UNKNOWN);
    json_t *waiting = get("/certificates/c"), *operation = get("/certificates/c/pending");

    ck_assert_str_eq(kvp_test_members(waiting), "id attributes policy pending");
    ck_assert(json_is_false(kvp_test_at(waiting, "attributes.enabled")));
    ck_assert_str_eq(kvp_test_members(operation),
                     "id issuer csr cancellation_requested status status_details request_id");
    ck_assert_ptr_nonnull(strstr(kvp_test_text(operation, "status_details"), "is in progress"));
    issue_due(kvp_ident_now());
    check_operation("c", "inProgress");
    json_decref(kvp_test_call(&vault, "GET", "/keys/c", NULL, 404));
    kvp_test_error(post("/certificates/c/create", EC_SELF, 409), "Conflict", NULL, "pending");
    issue_due(kvp_ident_now() + DELAY);
    check_operation("c", "completed");
    check_operation("other", "inProgress");
    json_t *made = get("/certificates/c"), *key = get("/keys/c");
    ck_assert_str_eq(kvp_test_members(made), "id kid sid x5t cer attributes policy pending");
    ck_assert_str_eq(kvp_test_text(made, "id"), kvp_test_text(waiting, "id"));
    ck_assert_str_eq(kvp_test_text(key, "key.kid"), kvp_test_text(made, "kid"));
    ck_assert(json_is_true(kvp_test_at(made, "attributes.enabled")));
    json_decref(key);
    json_decref(made);
    json_decref(operation);
    json_decref(waiting);
}
END_TEST

START_TEST(what_was_begun_before_a_restart_is_issued_after_it)
{
    static const char disabled[] = "{\"attributes\":{\"enabled\":false},\"policy\":{"
                                   "\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":\"self\"},"
                                   "\"x509_props\":{\"subject\":\"CN=x\"}}}";

    vault.daemon.certificate_delay_s = DELAY;
    create("c", disabled);
    kvp_test_vault_restart(&vault);
    vault.daemon.certificate_delay_s = 0;
    kvp_keeper_round(&vault.daemon);
    check_operation("c", "completed");
    json_t *made = get("/certificates/c");
    ck_assert(json_is_false(kvp_test_at(made, "attributes.enabled"))); /* as was asked */
    json_decref(made);
}
END_TEST

START_TEST(a_policy_that_changes_meanwhile_does_not_change_the_key)
{
    vault.daemon.certificate_delay_s = DELAY;
    create("c", EC_SELF);
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/c/policy",
                              "{\"key_props\":{\"kty\":\"RSA\",\"key_size\":2048},"
                              "\"x509_props\":{\"subject\":\"CN=later\"}}",
                              200));
    issue_due(kvp_ident_now() + DELAY);
    json_t *key = get("/keys/c");
    ck_assert_str_eq(kvp_test_text(key, "key.kty"), "EC");
    ck_assert_str_eq(kvp_test_text(key, "key.crv"), "P-256");
    json_decref(key);
}
END_TEST

START_TEST(a_cancelled_or_deleted_certificate_is_not_issued)
{
    vault.daemon.certificate_delay_s = DELAY;
    create("c", EC_SELF);
    create("d", EC_SELF);
    json_decref(kvp_test_call(&vault, "PATCH", "/certificates/c/pending",
                              "{\"cancellation_requested\":true}", 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/d", NULL, 200));
    json_t *told = get("/certificates/c/pending");
    ck_assert_str_eq(kvp_test_text(told, "status"), "inProgress");
    ck_assert(json_is_true(kvp_test_at(told, "cancellation_requested")));
    json_decref(told);
    /* Nor does anybody else's certificate come into it any more. */
    char *cert = certify("c");
    json_decref(kvp_test_callf(&vault, "POST", "/certificates/c/pending/merge", 404,
                               "{\"x5c\":[\"%s\"]}", cert));
    kvp_free(cert);
    issue_due(kvp_ident_now() + DELAY);
    check_operation("c", "cancelled");
    json_decref(kvp_test_call(&vault, "GET", "/keys/c", NULL, 404));
    json_decref(post("/deletedcertificates/d/recover", NULL, 200));
    check_operation("d", "inProgress");
    issue_due(kvp_ident_now() + DELAY);
    check_operation("d", "completed");
    json_decref(get("/keys/d"));
}
END_TEST

START_TEST(a_request_can_be_had_alone_in_its_own_form)
{
    create("c", EC_UNKNOWN);
    json_t *operation = get("/certificates/c/pending");

    vault.accept = "application/pkcs10";
    kvp_exchange *ex =
        kvp_test_request(&vault, "GET", "/certificates/c/pending", vault.token, NULL);
    ck_assert_int_eq(ex->status, 200);
    ck_assert_str_eq(ex->content_type, "application/pkcs10; charset=utf-8");
    ck_assert_str_eq(kvp_buf_str(&ex->reply), kvp_test_text(operation, "csr"));
    kvp_exchange_free(ex);
    json_decref(kvp_test_call(&vault, "GET", "/certificates/none/pending", NULL, 404));
    json_decref(operation);
}
END_TEST

/* --- imported ------------------------------------------------------------------------------------
 */

START_TEST(the_secret_of_one_certificate_makes_another)
{
    static const char *const types[] = { KVP_X509_TYPE_PFX, KVP_X509_TYPE_PEM };
    json_decref(
        kvp_test_callf(&vault, "POST", "/certificates/a/create", 202,
                       "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"secret_props\":{"
                       "\"contentType\":\"%s\"},\"issuer\":{\"name\":\"Self\"},\"x509_props\":{"
                       "\"subject\":\"C=US, ST=WA, CN=x\",\"sans\":{\"dns_names\":[\"a.b\"]}}}}",
                       types[_i]));
    json_t *secret = get("/secrets/a"), *first = get("/certificates/a");
    json_t *body = json_pack("{s:O}", "value", kvp_test_at(secret, "value"));
    char *text = json_dumps(body, 0);
    json_t *imported = post("/certificates/b/import", text, 200);

    ck_assert_str_eq(kvp_test_members(imported), "id kid sid x5t cer attributes policy");
    ck_assert_str_eq(kvp_test_text(imported, "x5t"), kvp_test_text(first, "x5t"));
    ck_assert_str_eq(kvp_test_text(imported, "policy.issuer.name"), "Unknown");
    ck_assert_str_eq(kvp_test_text(imported, "policy.x509_props.subject"), "C=US, S=WA, CN=x");
    ck_assert_str_eq(kvp_test_text(imported, "policy.secret_props.contentType"), types[_i]);
    ck_assert_int_eq(json_integer_value(kvp_test_at(imported, "policy.x509_props.validity_months")),
                     13);
    ck_assert_str_eq(kvp_test_members(kvp_test_at(imported, "policy.x509_props.sans")),
                     "emails dns_names upns");
    json_t *key = get("/keys/b"), *old = get("/keys/a");
    ck_assert(json_equal(kvp_test_at(key, "key.x"), kvp_test_at(old, "key.x")));
    json_decref(key);
    json_decref(old);
    json_decref(imported);
    json_decref(body);
    json_decref(first);
    json_decref(secret);
    free(text);
}
END_TEST

static const struct {
    const char *version, *type;
    int status;
    const char *shown; /* content type of the answer; NULL = an error */
} pem_rows[] = {
    { "7.6", "application/x-pem-file", 200, "application/x-pkcs12" }, /* not known yet */
    { "2025-07-01", "application/x-pem-file", 200, "application/x-pem-file" },
    { "2025-06-01-preview", "application/x-pem-file", 200, "application/x-pem-file" },
    { "2025-07-01", "application/x-pkcs12", 200, "application/x-pkcs12" },
    { "2025-07-01", "text/plain", 400, NULL },
};

START_TEST(a_pfx_is_read_as_pem_since_2025)
{
    char path[200];

    create("c", EC_SELF);
    snprintf(path, sizeof(path), "/secrets/c?api-version=%s&outContentType=%s",
             pem_rows[_i].version, pem_rows[_i].type);
    json_t *secret = kvp_test_call(&vault, "GET", path, NULL, pem_rows[_i].status);
    if (pem_rows[_i].shown) {
        bool pem = strcmp(pem_rows[_i].shown, "application/x-pem-file") == 0;
        const char *value = kvp_test_text(secret, "value");
        ck_assert_str_eq(kvp_test_text(secret, "contentType"), pem_rows[_i].shown);
        ck_assert_int_eq(strncmp(value, "-----BEGIN PRIVATE KEY-----\n", 28) == 0, pem);
        ck_assert_int_eq(strstr(value, "-----BEGIN CERTIFICATE-----\n") != NULL, pem);
        json_decref(secret);
    } else {
        kvp_test_error(secret, "BadParameter", NULL, "outContentType");
    }
    /* What is stored stays what it is. */
    secret = get("/secrets/c");
    ck_assert_str_eq(kvp_test_text(secret, "contentType"), "application/x-pkcs12");
    json_decref(secret);
}
END_TEST

START_TEST(import_refuses_what_is_no_certificate)
{
    static const char *const bodies[] = {
        "{}",
        "{\"value\":5}",
        "{\"value\":\"\"}",
        "{\"value\":\"AAAA\"}",
        "{\"value\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"}",
        "{\"value\":\"MIIK\",\"pwd\":5}",
    };

    json_decref(post("/certificates/c/import", bodies[_i], 400));
    json_decref(kvp_test_call(&vault, "GET", "/certificates/c", NULL, 404));
}
END_TEST

/* --- issuers and contacts ------------------------------------------------------------------------
 */

START_TEST(issuers_are_set_changed_listed_and_deleted_and_keep_no_password)
{
    json_t *made =
        kvp_test_call(&vault, "PUT", "/certificates/issuers/I1",
                      "{\"provider\":\"Test\",\"credentials\":{\"account_id\":\"a\",\"pwd\":"
                      "\"hidden\"},\"org_details\":{\"admin_details\":[{\"email\":\"x@y\","
                      "\"first_name\":\"F\"}]}}",
                      200);
    ck_assert_str_eq(kvp_test_members(made), "id provider credentials org_details attributes");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(made, "credentials")), "account_id");
    ck_assert_str_eq(kvp_test_members(kvp_test_at(made, "org_details")), "zip admin_details");
    json_t *changed =
        kvp_test_call(&vault, "PATCH", "/certificates/issuers/i1",
                      "{\"org_details\":{\"id\":\"O\"},\"attributes\":{\"enabled\":false}}", 200);
    ck_assert_str_eq(kvp_test_members(kvp_test_at(changed, "org_details")), "id zip admin_details");
    ck_assert_str_eq(kvp_test_text(changed, "credentials.account_id"), "a");
    json_t *got = get("/certificates/issuers/i1"), *list = get("/certificates/issuers");
    ck_assert(json_equal(changed, got));
    ck_assert_str_eq(kvp_test_members(json_array_get(kvp_test_at(list, "value"), 0)),
                     "id provider");
    /* A certificate of such an issuer waits for a merge; one of an unknown issuer is not begun. */
    create("c", "{\"policy\":{\"key_props\":{\"kty\":\"EC\"},\"issuer\":{\"name\":\"I1\"},"
                "\"x509_props\":{\"subject\":\"CN=x\"}}}");
    kvp_free(sign_request("c"));
    kvp_test_error(post("/certificates/d/create",
                        "{\"policy\":{\"issuer\":{\"name\":\"I2\"},\"x509_props\":{\"subject\":"
                        "\"CN=x\"}}}",
                        404),
                   "CertificateIssuerNotFound", NULL, "Issuer I2 not found");
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/issuers/i1", NULL, 200));
    kvp_test_error(kvp_test_call(&vault, "GET", "/certificates/issuers/i1", NULL, 404),
                   "CertificateIssuerNotFound", NULL, "Issuer not found");
    kvp_test_error(kvp_test_call(&vault, "PATCH", "/certificates/issuers/i1", "{}", 404),
                   "CertificateIssuerNotFound", NULL, "Issuer i1 not found");
    json_decref(kvp_test_call(&vault, "PUT", "/certificates/issuers/i2", "{}", 400));
    json_decref(
        kvp_test_call(&vault, "PUT", "/certificates/issuers/self", "{\"provider\":\"Test\"}", 400));
    json_decref(made);
    json_decref(changed);
    json_decref(got);
    json_decref(list);
}
END_TEST

START_TEST(issuers_are_listed_by_pages)
{
    char path[100];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "/certificates/issuers/i%d", i);
        json_decref(kvp_test_call(&vault, "PUT", path, "{\"provider\":\"Test\"}", 200));
    }
    json_t *one = get("/certificates/issuers?api-version=7.5&maxresults=2");
    json_t *two = get(kvp_test_text(one, "nextLink") + strlen(BASE));
    ck_assert_uint_eq(json_array_size(kvp_test_at(one, "value")), 2);
    ck_assert_uint_eq(json_array_size(kvp_test_at(two, "value")), 1);
    ck_assert(json_is_null(kvp_test_at(two, "nextLink")));
    json_decref(one);
    json_decref(two);
}
END_TEST

START_TEST(contacts_are_one_document)
{
    kvp_test_error(kvp_test_call(&vault, "GET", "/certificates/contacts", NULL, 404),
                   "ContactsNotFound", NULL, "Contacts not found");
    json_t *made = kvp_test_call(&vault, "PUT", "/certificates/contacts",
                                 "{\"contacts\":[{\"phone\":\"1\",\"email\":\"a@b\"},{\"email\":"
                                 "\"c@d\",\"name\":\"N\"}]}",
                                 200);
    json_t *got = get("/certificates/contacts");
    ck_assert_str_eq(kvp_test_text(made, "id"), BASE "/certificates/contacts");
    ck_assert(json_equal(made, got));
    ck_assert_str_eq(kvp_test_members(json_array_get(kvp_test_at(got, "contacts"), 0)),
                     "email phone");
    json_decref(kvp_test_call(&vault, "PUT", "/certificates/contacts", "{\"contacts\":[{}]}", 400));
    json_decref(kvp_test_call(&vault, "PUT", "/certificates/contacts", "{\"contacts\":[5]}", 400));
    json_decref(kvp_test_call(&vault, "PUT", "/certificates/contacts", "{}", 400));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/contacts", NULL, 200));
    json_decref(kvp_test_call(&vault, "DELETE", "/certificates/contacts", NULL, 404));
    json_decref(made);
    json_decref(got);
}
END_TEST

static void add_all(TCase *t)
{
    tcase_add_test(t, a_request_waits_for_its_certificate_over_a_restart);
    tcase_add_test(t, a_merge_needs_the_certificate_of_its_key);
    tcase_add_test(t, an_operation_can_be_cancelled_and_deleted);
    tcase_add_test(t, a_self_signed_certificate_takes_as_long_as_the_daemon_was_told);
    tcase_add_test(t, what_was_begun_before_a_restart_is_issued_after_it);
    tcase_add_test(t, a_policy_that_changes_meanwhile_does_not_change_the_key);
    tcase_add_test(t, a_cancelled_or_deleted_certificate_is_not_issued);
    tcase_add_test(t, a_request_can_be_had_alone_in_its_own_form);
    tcase_add_loop_test(t, a_pfx_is_read_as_pem_since_2025, 0, (int)KVP_ARRAY_LEN(pem_rows));
    tcase_add_loop_test(t, the_secret_of_one_certificate_makes_another, 0, 2);
    tcase_add_loop_test(t, import_refuses_what_is_no_certificate, 0, 6);
    tcase_add_test(t, issuers_are_set_changed_listed_and_deleted_and_keep_no_password);
    tcase_add_test(t, issuers_are_listed_by_pages);
    tcase_add_test(t, contacts_are_one_document);
}

int main(void)
{
    Suite *suite = suite_create("vaultd certificate requests");
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
