/* SPDX-License-Identifier: MIT */
/* Sub-commands on a data directory whose store a daemon has open: what they change it sees at once.
 */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/admin.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"
#include "vaultd/store_internal.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static kvp_test_vault vault;
static char output[16384];

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static kvp_status run(const char *line, kvp_error *error)
{
    return kvp_test_admin(&vault, line, output, sizeof(output), error);
}

static void must(const char *line)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_msg(run(line, &error) == KVP_OK, "%s: %s", line, error.message);
}

static void refused(const char *line, kvp_status status, const char *text)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status got = run(line, &error);

    ck_assert_msg(got == status && strstr(error.message, text), "%s: %d %s", line, (int)got,
                  error.message);
}

static int get(const char *path, const char *token)
{
    kvp_exchange *ex = kvp_test_request(&vault, "GET", path, token, NULL);
    int status = ex->status;

    kvp_exchange_free(ex);
    return status;
}

START_TEST(a_role_is_given_and_taken_with_the_next_request)
{
    char token[KVP_SECRET_SIZE];

    kvp_test_principal(&vault, "someone", "Secrets User", token);
    ck_assert_int_eq(get("/keys/mine", token), 403);

    must("role assign someone --role Reader --scope /keys/mine");
    ck_assert_int_eq(get("/keys/mine", token), 404);
    ck_assert_int_eq(get("/keys/yours", token), 403);
    must("role assignments");
    ck_assert_ptr_nonnull(strstr(output, "someone\tKey Vault Reader\t/keys/mine\t"));
    must("principal list");
    ck_assert_ptr_nonnull(strstr(output, "\tKey Vault Reader\tdev\t/keys/mine\n"));

    must("role revoke someone --role Reader");
    ck_assert_int_eq(get("/keys/mine", token), 403);
    refused("role revoke someone --role Reader", KVP_ERR_NOT_FOUND, "no such role there");
}
END_TEST

START_TEST(a_vault_is_added_used_and_removed)
{
    must("vault add second --kind managed-hsm");
    ck_assert_ptr_nonnull(strstr(output, "url = https://second.localhost"));
    ck_assert_ptr_nonnull(strstr(output, "administrator = administrator"));
    must("vault list");
    ck_assert_ptr_nonnull(strstr(output, "dev\tvault\t0\tdefault\t"));
    ck_assert_ptr_nonnull(strstr(output, "second\tmanaged-hsm\t0\t\t"));
    must("key create k --vault second --crv P-384");
    ck_assert_ptr_nonnull(strstr(output, "\"EC-HSM\""));
    must("role list --vault second");
    ck_assert_ptr_nonnull(strstr(output, "Managed HSM Crypto User\t"));

    refused("vault remove second", KVP_ERR_REFUSED, "still holds 1 objects");
    refused("vault remove dev --force", KVP_ERR_REFUSED, "default vault");
    must("vault remove second --force");
    refused("key list --vault second", KVP_ERR_NOT_FOUND, "no vault 'second'");
}
END_TEST

START_TEST(bad_vault_names_are_refused)
{
    static const char *const names[] = {
        "ab", "1abc", "a--b", "abc-", "a_b", "localhost", "abcdefghijklmnopqrstuvwxy"
    };
    char line[100];

    snprintf(line, sizeof(line), "vault add %s", names[_i]);
    refused(line, KVP_ERR_INVALID, "3 to 24");
}
END_TEST

static const char *write_key(EVP_PKEY *pkey, bool der)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    if (der)
        i2d_PKCS8PrivateKey_bio(bio, pkey, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &data);
    const char *path = kvp_test_path(vault.dir, "key.file");
    ck_assert_int_eq(kvp_file_write(path, data, (size_t)len, 0600, NULL), KVP_OK);
    BIO_free(bio);
    return path;
}

START_TEST(private_keys_come_from_pem_and_pkcs8_files)
{
    static const char *const groups[] = { NULL, "P-256", "P-384", "P-521", "secp256k1" };
    EVP_PKEY *pkey = groups[_i / 2] ? EVP_EC_gen(groups[_i / 2]) : EVP_RSA_gen(2048);
    char line[600];

    snprintf(line, sizeof(line), "key import k %s", write_key(pkey, _i % 2));
    must(line);

    /* What the vault holds signs what our half verifies. */
    json_t *shown = kvp_test_call(&vault, "GET", "/keys/k", NULL, 200);
    const char *kid = strstr(kvp_test_text(shown, "key.kid"), "/keys/");
    unsigned char digest[64] = { 7 };
    static const struct {
        const char *alg;
        int size;
    } algs[] = {
        { "PS256", 32 }, { "ES256", 32 }, { "ES384", 48 }, { "ES512", 64 }, { "ES256K", 32 }
    };
    char path[200];
    snprintf(path, sizeof(path), "%s/sign", kid);
    char *value = kvp_test_base64(digest, (size_t)algs[_i / 2].size);
    json_decref(kvp_test_callf(&vault, "POST", path, 200, "{\"alg\":\"%s\",\"value\":\"%s\"}",
                               algs[_i / 2].alg, value));
    kvp_free(value);
    json_decref(shown);
    EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(keys_are_listed_shown_and_deleted)
{
    char line[100];

    for (int i = 0; i < 27; i++) { /* more than a page */
        snprintf(line, sizeof(line), "key create k-%02d --crv P-256", i);
        must(line);
    }
    must("key list");
    for (int i = 0; i < 27; i++) {
        snprintf(line, sizeof(line), "k-%02d\tenabled\t", i);
        ck_assert_ptr_nonnull(strstr(output, line));
    }
    must("key delete k-00");
    refused("key show k-00", KVP_ERR_NOT_FOUND, "was not found in this key vault");
    ck_assert_int_eq(get("/deletedkeys/k-00", vault.token), 200);
    refused("key create k-00", KVP_ERR_REFUSED, "deleted but recoverable");
    refused("key create x --size many", KVP_ERR_INVALID, "number of bits");
    refused("key create x_y", KVP_ERR_INVALID, "letters, digits and hyphens");
    refused("key import x /nowhere", KVP_ERR_NOT_FOUND, "no file /nowhere");
}
END_TEST

START_TEST(secrets_are_set_from_files)
{
    char line[600];
    const char *path = kvp_test_path(vault.dir, "value");

    ck_assert_int_eq(kvp_file_write(path, "a \"quoted\" value\n", 17, 0600, NULL), KVP_OK);
    snprintf(line, sizeof(line), "secret set s --content-type text/plain --file %s", path);
    must(line);
    ck_assert_str_eq(output, "");
    json_t *secret = kvp_test_call(&vault, "GET", "/secrets/s", NULL, 200);
    ck_assert_str_eq(kvp_test_text(secret, "value"), "a \"quoted\" value\n");
    ck_assert_str_eq(kvp_test_text(secret, "contentType"), "text/plain");
    json_decref(secret);
    must("secret list");
    ck_assert_ptr_null(strstr(output, "quoted"));
    must("secret show s");
    ck_assert_ptr_nonnull(strstr(output, "quoted"));
}
END_TEST

START_TEST(what_is_done_here_is_in_the_usage_log)
{
    must("key create k --crv P-256");
    must("audit show");

    ck_assert_ptr_nonnull(strstr(output, "\"operationName\":\"KeyCreate\""));
    ck_assert_ptr_nonnull(strstr(output, "\"callerIpAddress\":\"local\""));
}
END_TEST

START_TEST(a_principal_without_a_secret_shows_none)
{
    must("principal add machine --role Reader --no-secret");

    ck_assert_ptr_null(strstr(output, "client_secret"));
    refused("principal add fed --role Reader --issuer https://i.example", KVP_ERR_INVALID,
            "--issuer, --subject and --keys");
    refused("principal add bad --role Reader --scope /moon", KVP_ERR_INVALID, "is no scope");
    refused("principal add bad --role Reader --certificate /nowhere", KVP_ERR_NOT_FOUND, "no file");
    refused("role list --force", KVP_ERR_INVALID, "takes no --force");
}
END_TEST

START_TEST(a_principal_is_added_with_all_its_credentials_or_not_at_all)
{
    kvp_store_conn *conn = NULL;
    char line[400], pem[300];
    kvp_principal found;

    snprintf(pem, sizeof(pem), "%s/issuer.pem", vault.dir);
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    FILE *f = fopen(pem, "w");
    ck_assert_int_eq(PEM_write_PUBKEY(f, pkey), 1);
    fclose(f);
    EVP_PKEY_free(pkey);
    snprintf(line, sizeof(line),
             "principal add app --role Reader --issuer https://i.example --subject s --keys %s",
             pem);
    /* The last of its rows cannot be written. */
    ck_assert_int_eq(kvp_store_begin(vault.daemon.store, &conn, NULL), KVP_OK);
    ck_assert_int_eq(sqlite3_exec(conn->db,
                                  "CREATE TRIGGER full BEFORE INSERT ON credentials BEGIN"
                                  " SELECT RAISE(ABORT, 'disk full'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(kvp_store_end(vault.daemon.store, KVP_OK, NULL), KVP_OK);
    refused(line, KVP_ERR_IO, "disk full");
    ck_assert_ptr_null(strstr(output, "client_secret"));
    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, "app", &found, NULL),
                     KVP_ERR_NOT_FOUND);
    must("role assignments");
    ck_assert_ptr_null(strstr(output, "Key Vault Reader"));

    ck_assert_int_eq(kvp_store_begin(vault.daemon.store, &conn, NULL), KVP_OK);
    ck_assert_int_eq(sqlite3_exec(conn->db, "DROP TRIGGER full", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(kvp_store_end(vault.daemon.store, KVP_OK, NULL), KVP_OK);
    must(line);
    ck_assert_ptr_nonnull(strstr(output, "client_secret"));
    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, "app", &found, NULL), KVP_OK);
}
END_TEST

/* `audit show --follow`, whose output goes to a pipe until its reader goes away. */
typedef struct follower {
    pthread_t thread;
    FILE *out, *in;
    kvp_status status;
} follower;

static void *follow(void *arg)
{
    follower *f = arg;
    char data[300];
    char *words[] = { (char *)(uintptr_t) "keyvaultd", data, (char *)(uintptr_t) "audit",
                      (char *)(uintptr_t) "show", (char *)(uintptr_t) "--follow" };
    kvp_options options;

    snprintf(data, sizeof(data), "--data=%s", vault.dir);
    f->status = kvp_options_parse(KVP_ARRAY_LEN(words), words, &options, NULL);
    if (f->status == KVP_OK)
        f->status = kvp_admin_run(&options, f->out, NULL);
    return NULL;
}

/* The next line of the follower's output contains @text. */
static void expect_line(follower *f, const char *text)
{
    char got[4096];

    ck_assert_ptr_nonnull(fgets(got, sizeof(got), f->in));
    ck_assert_msg(strstr(got, text) != NULL, "%s: %s", text, got);
}

static void append(const char *name, const char *text)
{
    FILE *log = fopen(kvp_test_path(vault.dir, name), "a");

    ck_assert_ptr_nonnull(log);
    fputs(text, log);
    ck_assert_int_eq(fclose(log), 0);
}

START_TEST(audit_follows_the_log_over_its_rotation)
{
    char old[300], moved[300];
    int ends[2];
    follower f = { .status = KVP_OK };

    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(mkdir(kvp_test_path(vault.dir, "log"), 0700), 0);
    append("log/" KVP_USAGE_LOG_EVENTS, "one\ntwo\n");
    ck_assert_int_eq(pipe(ends), 0);
    f.in = fdopen(ends[0], "r");
    f.out = fdopen(ends[1], "w");
    ck_assert_int_eq(pthread_create(&f.thread, NULL, follow, &f), 0);
    expect_line(&f, "one");
    expect_line(&f, "two");
    append("log/" KVP_USAGE_LOG_EVENTS, "three\n");
    expect_line(&f, "three");
    /* Moved away; the daemon writes to the old file until it is told, then to a new one. */
    snprintf(old, sizeof(old), "%s/log/" KVP_USAGE_LOG_EVENTS, vault.dir);
    snprintf(moved, sizeof(moved), "%s/log/" KVP_USAGE_LOG_EVENTS ".1", vault.dir);
    ck_assert_int_eq(rename(old, moved), 0);
    append("log/" KVP_USAGE_LOG_EVENTS ".1", "four\n");
    expect_line(&f, "four");
    append("log/" KVP_USAGE_LOG_EVENTS ".1", "five\n");
    append("log/" KVP_USAGE_LOG_EVENTS, "six\n");
    expect_line(&f, "five");
    expect_line(&f, "six");
    append("log/" KVP_USAGE_LOG_EVENTS, "seven\n");
    expect_line(&f, "seven");
    /* It ends with its reader. */
    fclose(f.in);
    append("log/" KVP_USAGE_LOG_EVENTS, "eight\n");
    pthread_join(f.thread, NULL);
    ck_assert_int_eq(f.status, KVP_ERR_IO);
    fclose(f.out);
}
END_TEST

START_TEST(each_sub_command_has_its_help)
{
    const kvp_admin_command *command = &kvp_admin_commands[_i];
    const char *words[] = { command->noun, command->verb };
    kvp_options options = { .words = words, .word_count = 2, .help = true };
    char start[100];

    memset(output, 0, sizeof(output));
    FILE *out = fmemopen(output, sizeof(output) - 1, "w");
    kvp_admin_help(&options, out);
    fclose(out);

    snprintf(start, sizeof(start), "keyvaultd --data DIR %s %s", command->noun, command->verb);
    ck_assert_mem_eq(output, start, strlen(start));
    ck_assert_ptr_nonnull(strstr(output, command->help));
    ck_assert_ptr_null(strstr(output, "usage:"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin");
    TCase *tcase = tcase_create("directory"), *table = tcase_create("table");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_role_is_given_and_taken_with_the_next_request);
    tcase_add_test(tcase, a_vault_is_added_used_and_removed);
    tcase_add_loop_test(tcase, bad_vault_names_are_refused, 0, 7);
    tcase_add_loop_test(tcase, private_keys_come_from_pem_and_pkcs8_files, 0, 10);
    tcase_add_test(tcase, keys_are_listed_shown_and_deleted);
    tcase_add_test(tcase, secrets_are_set_from_files);
    tcase_add_test(tcase, what_is_done_here_is_in_the_usage_log);
    tcase_add_test(tcase, a_principal_without_a_secret_shows_none);
    tcase_add_test(tcase, a_principal_is_added_with_all_its_credentials_or_not_at_all);
    tcase_add_test(tcase, audit_follows_the_log_over_its_rotation);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(table, each_sub_command_has_its_help, 0, (int)kvp_admin_command_count);
    suite_add_tcase(suite, table);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
