/* SPDX-License-Identifier: MIT */
/* Several vaults in one daemon: which one a request is for, and that they share nothing. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/datadir.h"
#include "vaultd/roles.h"
#include "vaultd/tls.h"

#include <stdio.h>
#include <string.h>

static kvp_test_vault vault;
static kvp_vault_info other;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    other = vault.daemon.vault;
    other.kind = KVP_VAULT_HSM;
    snprintf(other.name, sizeof(other.name), "Other");
    ck_assert_int_eq(kvp_store_vault_add(vault.daemon.store, &other, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_vault_find(vault.daemon.store, "other", &other, NULL), KVP_OK);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

/* The administrator's request to @host. */
static kvp_exchange *ask(const char *host, const char *method, const char *path, const char *body)
{
    kvp_exchange *ex = kvp_exchange_new(&vault.daemon);

    ex->method = kvp_strdup(method);
    ex->target = kvp_asprintf("%s?api-version=7.4", path);
    ex->host = kvp_strdup(host);
    ex->authorization = kvp_asprintf("Bearer %s", vault.token);
    if (body)
        ck_assert_int_eq(kvp_buf_append_str(&ex->body, body), KVP_OK);
    kvp_exchange_run(ex);
    return ex;
}

static int status_of(const char *host, const char *method, const char *path, const char *body)
{
    kvp_exchange *ex = ask(host, method, path, body);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

/* Give the administrator the roles of a new HSM. */
static void assign(const char *role)
{
    kvp_assignment assignment = { .scope = "/" };
    kvp_principal principal;

    ck_assert_int_eq(
        kvp_store_principal_find(vault.daemon.store, vault.client_id, &principal, NULL), KVP_OK);
    ck_assert_int_eq(kvp_ident_uuid(assignment.id), KVP_OK);
    snprintf(assignment.principal, sizeof(assignment.principal), "%s", principal.object_id);
    snprintf(assignment.role, sizeof(assignment.role), "%s",
             kvp_role_find(KVP_VAULT_HSM, role)->id);
    ck_assert_int_eq(kvp_store_assignment_add(vault.daemon.store, &other, &assignment, NULL),
                     KVP_OK);
}

START_TEST(the_host_chooses_the_vault)
{
    static const struct {
        const char *host, *vault, *base_url;
    } rows[] = {
        { "127.0.0.1:8443", "dev", "https://127.0.0.1:8443" },
        { "localhost", "dev", "https://localhost:8443" },
        { "dev.localhost:8443", "dev", "https://dev.localhost:8443" },
        { "OTHER.localhost:8443", "Other", "https://other.localhost:8443" },
        { "other.LOCALHOST", "Other", "https://other.localhost:8443" },
        { "[::1]:8443", "dev", "https://[::1]:8443" },
        { "other.example.com", "dev", "https://127.0.0.1:8443" },
        { "other.127.0.0.1", "dev", "https://127.0.0.1:8443" },
        { ".localhost", "dev", "https://127.0.0.1:8443" },
        { "", "dev", "https://127.0.0.1:8443" },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++) {
        kvp_exchange *ex = kvp_exchange_new(&vault.daemon);

        ex->host = kvp_strdup(rows[i].host);
        ck_assert(kvp_exchange_select_vault(ex, NULL));

        ck_assert_str_eq(ex->daemon->vault.name, rows[i].vault);
        ck_assert_str_eq(ex->base_url, rows[i].base_url);
        kvp_exchange_free(ex);
    }
    ck_assert_str_eq(vault.daemon.vault.name, "dev");
}
END_TEST

START_TEST(a_vault_that_is_not_there_is_not_found)
{
    kvp_exchange *ex = ask("nobody.localhost:8443", "GET", "/keys", NULL);

    ck_assert_int_eq(ex->status, 404);
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "\"VaultNotFound\""));
    kvp_exchange_free(ex);
}
END_TEST

START_TEST(a_role_in_one_vault_is_none_in_another)
{
    ck_assert_int_eq(status_of("localhost:8443", "GET", "/keys", NULL), 200);
    ck_assert_int_eq(status_of("other.localhost:8443", "GET", "/keys", NULL), 403);

    assign("Crypto User");

    ck_assert_int_eq(status_of("other.localhost:8443", "GET", "/keys", NULL), 200);
}
END_TEST

START_TEST(keys_of_two_vaults_have_the_same_name_and_nothing_else)
{
    static const char body[] = "{\"kty\":\"EC\"}";

    assign("Crypto User");
    ck_assert_int_eq(status_of("dev.localhost:8443", "POST", "/keys/k/create", body), 200);
    ck_assert_int_eq(status_of("other.localhost:8443", "GET", "/keys/k", NULL), 404);

    kvp_exchange *ex = ask("other.localhost:8443", "POST", "/keys/k/create", body);
    ck_assert_int_eq(ex->status, 200);
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "\"EC-HSM\""));
    ck_assert_ptr_nonnull(strstr(kvp_buf_str(&ex->reply), "https://other.localhost:8443/keys/k/"));
    kvp_exchange_free(ex);

    ck_assert_int_eq(status_of("other.localhost:8443", "DELETE", "/keys/k", NULL), 200);
    ck_assert_int_eq(status_of("localhost:8443", "GET", "/keys/k", NULL), 200);
    ck_assert_int_eq(status_of("localhost:8443", "GET", "/deletedkeys/k", NULL), 404);
}
END_TEST

START_TEST(a_removed_vault_takes_all_it_held_along)
{
    int64_t objects = 0;

    assign("Crypto User");
    ck_assert_int_eq(
        status_of("other.localhost:8443", "POST", "/keys/k/create", "{\"kty\":\"EC\"}"), 200);
    ck_assert_int_eq(kvp_store_vault_objects(vault.daemon.store, &other, &objects, NULL), KVP_OK);
    ck_assert_int_eq(objects, 1);

    ck_assert_int_eq(kvp_store_vault_remove(vault.daemon.store, "OTHER", NULL), KVP_OK);

    ck_assert_int_eq(status_of("other.localhost:8443", "GET", "/keys", NULL), 404);
    ck_assert_int_eq(kvp_store_vault_objects(vault.daemon.store, &other, &objects, NULL), KVP_OK);
    ck_assert_int_eq(objects, 0);
    ck_assert_int_eq(kvp_store_vault_remove(vault.daemon.store, "other", NULL), KVP_ERR_NOT_FOUND);
}
END_TEST

START_TEST(the_default_vault_stays_and_names_are_given_once)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_int_eq(kvp_store_vault_remove(vault.daemon.store, "dev", &error), KVP_ERR_REFUSED);
    ck_assert_int_eq(kvp_store_vault_add(vault.daemon.store, &other, &error), KVP_ERR_INVALID);
    ck_assert_str_eq(error.message, "there is already a vault 'Other'");
}
END_TEST

START_TEST(a_certificate_is_made_anew_for_a_name_it_lacks)
{
    static const char *const few[] = { "localhost" };
    static const char *const more[] = { "localhost", "*.localhost", "other.localhost" };
    kvp_datadir dir = { vault.dir, -1 };
    kvp_cert_pair pair = { .certificate = KVP_BUF_INIT(0) }, again = pair;

    ck_assert_int_eq(kvp_datadir_tls(&dir, few, 1, &pair, NULL), KVP_OK);
    ck_assert(!kvp_cert_serves(&pair.certificate, more, 3));
    kvp_cert_pair_clear(&pair);

    ck_assert_int_eq(kvp_datadir_tls(&dir, more, 3, &pair, NULL), KVP_OK);
    ck_assert(kvp_cert_serves(&pair.certificate, more, 3));
    ck_assert_int_eq(kvp_datadir_tls(&dir, more, 3, &again, NULL), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&pair.certificate), kvp_buf_str(&again.certificate));
    kvp_cert_pair_clear(&pair);
    kvp_cert_pair_clear(&again);
}
END_TEST

/* The certificate that a client gets at @days from @start. */
static void certificate_at(kvp_tls *tls, int64_t start, int days, kvp_buf *ret)
{
    gnutls_pcert_st *chain = NULL;
    gnutls_privkey_t key = NULL;

    kvp_clock_freeze(1000, (start + (int64_t)days * 86400) * 1000000);
    ck_assert(kvp_tls_choose(tls, "", &chain, &key));
    ck_assert_int_eq(kvp_buf_set(ret, chain->cert.data, chain->cert.size), KVP_OK);
}

START_TEST(a_certificate_that_nears_its_end_is_made_anew_while_the_daemon_runs)
{
    kvp_datadir dir = { vault.dir, -1 };
    kvp_buf first = KVP_BUF_INIT(0), later = KVP_BUF_INIT(0), last = KVP_BUF_INIT(0);
    int64_t start = kvp_clock_wall_us() / 1000000;
    kvp_tls *tls = NULL;

    ck_assert_int_eq(kvp_tls_open(&dir, &vault.daemon, &tls, NULL), KVP_OK);
    certificate_at(tls, start, 0, &first);
    certificate_at(tls, start, 794, &later); /* of 825 days, renewed 30 before */
    ck_assert_mem_eq(first.data, later.data, first.len);
    certificate_at(tls, start, 796, &later);
    ck_assert(later.len != first.len || memcmp(first.data, later.data, first.len) != 0);
    certificate_at(tls, start, 797, &last);
    ck_assert_mem_eq(last.data, later.data, last.len);
    /* It is on disk, for the next start. */
    char *pem = kvp_test_read(kvp_test_path(vault.dir, KVP_DATADIR_SERVER));
    kvp_buf text = KVP_BUF_INIT(0);
    ck_assert_int_eq(kvp_buf_append_str(&text, pem), KVP_OK);
    ck_assert_int_ge(kvp_cert_renewal(&text), start + (796 + 794) * 86400);
    ck_assert_int_eq(kvp_cert_renewal(&first), 0); /* no PEM */
    kvp_clock_freeze(-1, -1);
    kvp_tls_close(tls);
    kvp_buf_clear(&text);
    kvp_free(pem);
    kvp_buf_clear(&first);
    kvp_buf_clear(&later);
    kvp_buf_clear(&last);
}
END_TEST

START_TEST(scopes_cover_what_lies_below_them)
{
    static const struct {
        const char *scope, *path;
        bool covers;
    } rows[] = {
        { "/", "/keys/a", true },           { "/keys", "/keys/a", true },
        { "/keys", "/keys", true },         { "/keys/a", "/keys/a", true },
        { "/KEYS/A", "/keys/a", true },     { "/keys/a", "/keys/ab", false },
        { "/keys/a", "/keys", false },      { "/keys", "/keysets/a", false },
        { "/keys/a", "/secrets/a", false }, { "/certificates/a", "/certificates/issuers/a", false },
    };
    for (size_t i = 0; i < KVP_ARRAY_LEN(rows); i++)
        ck_assert_msg(kvp_role_scope_covers(rows[i].scope, rows[i].path) == rows[i].covers, "%s %s",
                      rows[i].scope, rows[i].path);
    ck_assert(kvp_role_scope_valid(KVP_VAULT_STANDARD, "/certificates/a-1"));
    ck_assert(!kvp_role_scope_valid(KVP_VAULT_HSM, "/certificates"));
    ck_assert(!kvp_role_scope_valid(KVP_VAULT_STANDARD, "/keys/a/b"));
    ck_assert(!kvp_role_scope_valid(KVP_VAULT_STANDARD, "keys"));
    ck_assert(!kvp_role_scope_valid(KVP_VAULT_STANDARD, ""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaults");
    TCase *with = tcase_create("with"), *without = tcase_create("without");

    tcase_add_checked_fixture(with, setup, teardown);
    tcase_add_test(with, the_host_chooses_the_vault);
    tcase_add_test(with, a_vault_that_is_not_there_is_not_found);
    tcase_add_test(with, a_role_in_one_vault_is_none_in_another);
    tcase_add_test(with, keys_of_two_vaults_have_the_same_name_and_nothing_else);
    tcase_add_test(with, a_removed_vault_takes_all_it_held_along);
    tcase_add_test(with, the_default_vault_stays_and_names_are_given_once);
    tcase_add_test(with, a_certificate_is_made_anew_for_a_name_it_lacks);
    tcase_add_test(with, a_certificate_that_nears_its_end_is_made_anew_while_the_daemon_runs);
    suite_add_tcase(suite, with);
    tcase_add_test(without, scopes_cover_what_lies_below_them);
    suite_add_tcase(suite, without);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
