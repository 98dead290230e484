/* SPDX-License-Identifier: MIT */
/* Every member of every request body, at any depth, with every type of JSON: what does not fit is
 * refused in the service's words, and nothing fails inside. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define Z32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ATTRIBUTES "\"attributes\":{\"enabled\":true,\"nbf\":1,\"exp\":4000000000}"
#define POLICY                                                                                     \
    "{\"key_props\":{\"exportable\":true,\"kty\":\"EC\",\"crv\":\"P-256\",\"key_size\":256,"       \
    "\"reuse_key\":false},\"secret_props\":{\"contentType\":\"application/x-pem-file\"},"          \
    "\"x509_props\":{\"subject\":\"CN=a\",\"sans\":{\"dns_names\":[\"a.b\"],\"emails\":[\"a@b\"]," \
    "\"upns\":[\"u\"]},\"ekus\":[\"1.3.6.1.5.5.7.3.1\"],\"key_usage\":[\"digitalSignature\"],"     \
    "\"validity_months\":12},\"issuer\":{\"name\":\"Self\",\"cty\":\"x\",\"cert_transparency\":"   \
    "false},\"lifetime_actions\":[{\"trigger\":{\"lifetime_percentage\":80},\"action\":"           \
    "{\"action_type\":\"AutoRenew\"}}]," ATTRIBUTES "}"
#define ISSUER                                                                                     \
    "{\"provider\":\"Test\",\"credentials\":{\"account_id\":\"a\",\"pwd\":\"p\"},\"org_details\":" \
    "{\"id\":\"i\",\"admin_details\":[{\"first_name\":\"f\",\"last_name\":\"l\",\"email\":\"e\","  \
    "\"phone\":\"1\"}]}," ATTRIBUTES "}"
#define CIPHER                                                                                     \
    "{\"alg\":\"A256CBCPAD\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"iv\":"                         \
    "\"AAAAAAAAAAAAAAAAAAAAAA\",\"aad\":\"AA\",\"tag\":\"AAAAAAAAAAAAAAAAAAAAAA\"}"

/** A body for an operation with every member that it knows; NULL: as the row before it. */
static const struct {
    const char *operation, *body;
} bodies[] = {
    { "KeyCreate",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_size\":256,\"public_exponent\":65537,"
      "\"key_ops\":[\"sign\",\"verify\"]," ATTRIBUTES ",\"tags\":{\"a\":\"b\"},"
      "\"release_policy\":{\"contentType\":\"t\",\"data\":\"e30\",\"immutable\":false}}" },
    { "KeyImport", "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Z32 "\",\"y\":\"" Z32
                   "\",\"d\":\"" Z32 "\",\"n\":\"AQ\",\"e\":\"AQAB\",\"p\":\"AQ\",\"q\":\"AQ\","
                   "\"dp\":\"AQ\",\"dq\":\"AQ\",\"qi\":\"AQ\",\"k\":\"" Z32
                   "\",\"key_hsm\":\"AQ\",\"key_ops\":[\"sign\"]},\"Hsm\":false," ATTRIBUTES
                   ",\"tags\":{\"a\":\"b\"}}" },
    { "KeyUpdate", "{\"key_ops\":[\"sign\",\"verify\"]," ATTRIBUTES ",\"tags\":{\"a\":\"b\"},"
                   "\"release_policy\":{\"contentType\":\"t\",\"data\":\"e30\"}}" },
    { "KeyRestore", "{\"value\":\"e30\"}" },
    { "SecretRestore", NULL },
    { "CertificateRestore", NULL },
    { "KeyRotationPolicySet",
      "{\"lifetimeActions\":[{\"trigger\":{\"timeBeforeExpiry\":\"P30D\"},\"action\":{\"type\":"
      "\"Notify\"}},{\"trigger\":{\"timeAfterCreate\":\"P1Y\"},\"action\":{\"type\":\"Rotate\"}}],"
      "\"attributes\":{\"expiryTime\":\"P2Y\"}}" },
    { "KeyRelease", "{\"target\":\"a.b.c\",\"nonce\":\"n\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}" },
    { "KeySign", "{\"alg\":\"ES256\",\"value\":\"" Z32 "\"}" },
    { "KeyVerify", "{\"alg\":\"ES256\",\"digest\":\"" Z32 "\",\"value\":\"" Z32 "\"}" },
    { "KeyEncrypt", CIPHER },
    { "KeyDecrypt", NULL },
    { "KeyWrap", NULL },
    { "KeyUnwrap", NULL },
    { "KeyRng", "{\"count\":16}" },
    { "SettingUpdate", "{\"value\":\"true\"}" },
    { "RoleAssignmentSet",
      "{\"properties\":{\"roleDefinitionId\":\"Microsoft.KeyVault/providers/"
      "Microsoft.Authorization/"
      "roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b\",\"principalId\":"
      "\"00000000-0000-4000-8000-000000000001\"}}" },
    { "RoleDefinitionSet",
      "{\"properties\":{\"roleName\":\"r\",\"description\":\"d\",\"type\":\"CustomRole\","
      "\"permissions\":[{\"actions\":[],\"notActions\":[],\"dataActions\":"
      "[\"Microsoft.KeyVault/managedHsm/keys/read/action\"],\"notDataActions\":[]}],"
      "\"assignableScopes\":[\"/\"]}}" },
    { "BackupStart", "{\"storageResourceUri\":\"https://a\",\"token\":\"t\","
                     "\"useManagedIdentity\":false}" },
    { "RestoreStart",
      "{\"sasTokenParameters\":{\"storageResourceUri\":\"https://a\",\"token\":\"t\"},"
      "\"folderToRestore\":\"f\"}" },
    { "SecurityDomainDownload", "{\"certificates\":[{\"value\":\"v\"}],\"required\":2}" },
    { "SecurityDomainUpload", "{\"value\":\"v\"}" },
    { "SecretSet",
      "{\"value\":\"v\",\"contentType\":\"t\"," ATTRIBUTES ",\"tags\":{\"a\":\"b\"}}" },
    { "SecretUpdate", "{\"contentType\":\"t\"," ATTRIBUTES ",\"tags\":{\"a\":\"b\"}}" },
    { "CertificateContactsSet",
      "{\"contacts\":[{\"email\":\"a@b\",\"name\":\"n\",\"phone\":\"1\"}]}" },
    { "CertificateIssuerSet", ISSUER },
    { "CertificateIssuerUpdate", NULL },
    { "CertificateCreate", "{\"policy\":" POLICY "," ATTRIBUTES ",\"tags\":{\"a\":\"b\"}}" },
    { "CertificateImport", "{\"value\":\"MIIB\",\"pwd\":\"p\",\"policy\":" POLICY "," ATTRIBUTES
                           ",\"tags\":{\"a\":\"b\"}}" },
    { "CertificatePendingMerge", "{\"x5c\":[\"MIIB\"]," ATTRIBUTES ",\"tags\":{\"a\":\"b\"}}" },
    { "CertificatePendingUpdate", "{\"cancellation_requested\":true}" },
    { "CertificatePolicyUpdate", POLICY },
    { "CertificateUpdate", "{\"policy\":" POLICY "," ATTRIBUTES ",\"tags\":{\"a\":\"b\"}}" },
    { "FaultsAdd", "{\"match\":{\"method\":\"GET\",\"path\":\"/keys*\",\"operation\":\"KeyGet\"},"
                   "\"times\":1,\"delay_ms\":1,\"action\":\"status\",\"status\":503,\"headers\":"
                   "{\"Retry-After\":\"1\"},\"body\":{},\"when\":\"before\"}" },
};

static kvp_test_vault vault;
static int sent;

static void open_vault(kvp_vault_kind kind)
{
    kvp_test_vault_open(&vault, kind);
    vault.api_version = "7.6-preview.2";
}

/* The objects that the routes speak of. */
static void fill(void)
{
    bool hsm = vault.daemon.vault.kind == KVP_VAULT_HSM;

    json_decref(kvp_test_call(&vault, "POST", "/keys/walked/create",
                              hsm ? "{\"kty\":\"oct-HSM\",\"key_size\":256}" : "{\"kty\":\"EC\"}",
                              200));
    if (hsm)
        return;
    json_decref(kvp_test_call(&vault, "PUT", "/secrets/walked", "{\"value\":\"v\"}", 200));
    json_decref(kvp_test_call(&vault, "PUT", "/certificates/issuers/walked", ISSUER, 200));
}

static const char *body_of(const char *operation)
{
    const char *body = NULL;

    for (size_t i = 0; i < KVP_ARRAY_LEN(bodies); i++) {
        body = bodies[i].body ? bodies[i].body : body;
        if (strcmp(bodies[i].operation, operation) == 0)
            return body;
    }
    ck_abort_msg("there is no body for %s", operation);
}

/* @pattern with a name, and an id or the empty version, which means the current one. */
static void path_of(const char *pattern, char *dst, size_t size)
{
    size_t used = (size_t)snprintf(dst, size, "/");

    while (*pattern) {
        if (*pattern != '{') {
            used += (size_t)snprintf(dst + used, size - used, "%c", *pattern++);
            continue;
        }
        if (strncmp(pattern, "{name}", 6) == 0)
            used += (size_t)snprintf(dst + used, size - used, "walked");
        else if (strncmp(pattern, "{id}", 4) == 0)
            used +=
                (size_t)snprintf(dst + used, size - used, "00000000-0000-4000-8000-000000000009");
        pattern += strcspn(pattern, "}") + 1;
    }
}

static void send_body(const kvp_route *route, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);
    char path[200];

    path_of(route->pattern, path, sizeof(path));
    vault.daemon.faults = kvp_faults_new(); /* what was ordered must not meet the next request */
    kvp_exchange *ex = kvp_test_request(&vault, route->method, path, vault.token, text);
    json_t *answer = json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL);
    ck_assert_msg(ex->status >= 200 && ex->status < 500, "%s %s %s: %d", route->method, path, text,
                  ex->status);
    if (ex->status >= 400) {
        ck_assert_str_ne(kvp_test_text(answer, "error.code"), "");
        ck_assert_str_ne(kvp_test_text(answer, "error.message"), "");
    }
    json_decref(answer);
    kvp_exchange_free(ex);
    kvp_faults_free(vault.daemon.faults);
    vault.daemon.faults = NULL;
    free(text);
    sent++;
}

/* Send @root with one place of it, member @name or element @at of @holder, replaced by each type in
 * turn. */
static void walk(const kvp_route *route, json_t *root, json_t *holder, const char *name, size_t at)
{
    static const char *const values[] = {
        "null", "true",          "false", "0",     "-1",           "9223372036854775807",
        "1.5",  "1e300",         "\"\"",  "\"x\"", "[]",           "[null]",
        "[1]",  "[\"x\",\"x\"]", "[{}]",  "{}",    "{\"x\":null}", "{\"x\":[{}]}",
    };
    json_t *whole = name ? json_object_get(holder, name) : json_array_get(holder, at);
    json_t *member;
    const char *key;
    void *next;
    size_t i;

    json_incref(whole);
    for (size_t v = 0; v < KVP_ARRAY_LEN(values); v++) {
        json_t *value = json_loads(values[v], JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(value);
        if (name)
            json_object_set_new(holder, name, value);
        else
            json_array_set_new(holder, at, value);
        send_body(route, root);
    }
    if (name)
        json_object_set(holder, name, whole);
    else
        json_array_set(holder, at, whole);
    json_object_foreach_safe(whole, next, key, member) walk(route, root, whole, key, 0);
    json_array_foreach(whole, i, member) walk(route, root, whole, NULL, i);
    json_decref(whole);
}

static bool has_route(const kvp_route *route, kvp_vault_kind kind)
{
    return (route->flags & KVP_ROUTE_BODY) && !(route->flags & KVP_ROUTE_OPEN) &&
           (route->flags & (kind == KVP_VAULT_HSM ? KVP_ROUTE_HSM : KVP_ROUTE_VAULT));
}

/* Loops over the kinds of vaults. */
START_TEST(every_member_is_sent_as_every_type)
{
    open_vault((kvp_vault_kind)_i);
    fill();
    for (size_t i = 0; i < kvp_route_count; i++) {
        const kvp_route *route = &kvp_routes[i];
        if (!has_route(route, vault.daemon.vault.kind))
            continue;
        json_t *body = json_loads(body_of(route->operation), 0, NULL);
        ck_assert_msg(body != NULL, "%s", route->operation);
        send_body(route, body);
        const char *name;
        json_t *value;
        void *next;
        json_object_foreach_safe(body, next, name, value) walk(route, body, body, name, 0);
        json_decref(body);
    }
    ck_assert_int_gt(sent, 1000);
    kvp_test_vault_close(&vault);
}
END_TEST

/* What is no object at all, or no JSON, is refused by every route that takes a body. */
START_TEST(every_route_refuses_what_is_no_object)
{
    static const char *const texts[] = { "",
                                         "null",
                                         "1",
                                         "\"x\"",
                                         "[]",
                                         "{",
                                         "{\"a\":}",
                                         "\xff",
                                         "{\"a\":1}x",
                                         "{\"\xc3\x28\":1}",
                                         "{\"a\":\"\\u0000\"",
                                         "{\"a\":1,",
                                         "[[[[[[[[[[" };

    open_vault((kvp_vault_kind)_i);
    for (size_t i = 0; i < kvp_route_count; i++) {
        const kvp_route *route = &kvp_routes[i];
        char path[200];
        if (!has_route(route, vault.daemon.vault.kind))
            continue;
        path_of(route->pattern, path, sizeof(path));
        vault.daemon.faults = kvp_faults_new();
        for (size_t t = 0; t < KVP_ARRAY_LEN(texts); t++)
            json_decref(kvp_test_call(&vault, route->method, path, texts[t], 400));
        kvp_faults_free(vault.daemon.faults);
        vault.daemon.faults = NULL;
    }
    kvp_test_vault_close(&vault);
}
END_TEST

/* A refusal leaves nothing in the caller's buffer, which some callers do not look at again. */
START_TEST(bytes_that_were_refused_are_not_kept)
{
    kvp_buf bytes = KVP_BUF_INIT_SECRET(0);

    open_vault(KVP_VAULT_STANDARD);
    kvp_exchange *ex = kvp_test_request(&vault, "GET", "/keys", vault.token, NULL);
    json_t *object = json_pack("{s:s}", "value", "AAAAAAAA!");
    ck_assert(!kvp_member_bytes(ex, object, "value", true, &bytes));
    ck_assert_ptr_null(bytes.data);
    json_decref(object);
    kvp_exchange_free(ex);
    kvp_test_vault_close(&vault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fields");
    TCase *tcase = tcase_create("fields");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, every_member_is_sent_as_every_type, 0, KVP_VAULT_KIND_COUNT);
    tcase_add_loop_test(tcase, every_route_refuses_what_is_no_object, 0, KVP_VAULT_KIND_COUNT);
    tcase_add_test(tcase, bytes_that_were_refused_are_not_kept);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
