/* SPDX-License-Identifier: MIT */
/* The data directory, its files, the command line and the sub-commands. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/admin.h"
#include "vaultd/client_conf.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"
#include "vaultd/listen.h"
#include "vaultd/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static void setup(void)
{
    dir = kvp_test_directory();
}

static void teardown(void)
{
    kvp_test_remove(dir);
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    ck_assert_int_eq(stat(kvp_test_path(dir, name), &st), 0);
    return st.st_mode & 0777;
}

static kvp_status open_store(kvp_vault_kind *kind, kvp_error *error)
{
    kvp_datadir d = { .lock_fd = -1 };
    kvp_store *store = NULL;
    kvp_vault_info vault;
    kvp_status status = kvp_datadir_take(dir, &d, error);

    if (status == KVP_OK)
        status = kvp_datadir_open_store(&d, kind, "https://127.0.0.1:8443", &store, &vault, error);
    kvp_store_close(store);
    kvp_datadir_clear(&d);
    return status;
}

START_TEST(an_empty_directory_is_filled_with_private_files)
{
    kvp_error error = { .status = KVP_OK };
    struct stat st;

    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_msg(open_store(NULL, &error) == KVP_OK, "%s", error.message);

    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_uint_eq(mode_of(KVP_DATADIR_STORAGE_KEY), 0600);
    ck_assert_uint_eq(mode_of(KVP_DATADIR_AUTHORITY_KEY), 0600);
    ck_assert_uint_eq(mode_of(KVP_DATADIR_CONF), 0600);
    ck_assert_uint_eq(mode_of(KVP_DATADIR_STORE), 0600);
    ck_assert(kvp_file_exists(kvp_test_path(dir, KVP_DATADIR_AUTHORITY)));
}
END_TEST

START_TEST(a_missing_directory_is_made)
{
    char *parent = dir;
    struct stat st;

    dir = kvp_asprintf("%s/new", parent);
    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);

    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    kvp_free(dir);
    dir = parent;
}
END_TEST

START_TEST(a_directory_of_other_things_is_refused)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_int_eq(kvp_file_write(kvp_test_path(dir, "letter.txt"), "x", 1, 0644, NULL), KVP_OK);

    ck_assert_int_eq(open_store(NULL, &error), KVP_ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.message, "is no data directory"));
    ck_assert(!kvp_file_exists(kvp_test_path(dir, KVP_DATADIR_LOCK)));
}
END_TEST

START_TEST(a_wrong_kind_is_refused)
{
    kvp_error error = { .status = KVP_OK };
    kvp_vault_kind hsm = KVP_VAULT_HSM, standard = KVP_VAULT_STANDARD;

    ck_assert_int_eq(open_store(&hsm, NULL), KVP_OK);
    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);

    ck_assert_int_eq(open_store(&standard, &error), KVP_ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.message, "holds a managed-hsm, not a vault"));
}
END_TEST

START_TEST(the_storage_key_must_be_there_right_and_private)
{
    static const char *const words[] = { "is missing", "is not the one", "does not hold",
                                         "can be read by others" };
    kvp_error error = { .status = KVP_OK };
    uint8_t other[32] = { 1 };
    char path[512];

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    snprintf(path, sizeof(path), "%s", kvp_test_path(dir, KVP_DATADIR_STORAGE_KEY));
    if (_i == 0)
        ck_assert_int_eq(unlink(path), 0);
    else if (_i == 3)
        ck_assert_int_eq(chmod(path, 0640), 0);
    else
        ck_assert_int_eq(kvp_file_write(path, other, _i == 1 ? 32 : 31, 0600, NULL), KVP_OK);

    ck_assert_int_ne(open_store(NULL, &error), KVP_OK);
    ck_assert_msg(strstr(error.message, words[_i]) != NULL, "%s", error.message);
}
END_TEST

START_TEST(a_lost_store_is_not_made_anew)
{
    kvp_error error = { .status = KVP_OK };

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    ck_assert_int_eq(unlink(kvp_test_path(dir, KVP_DATADIR_STORE)), 0);

    ck_assert_int_eq(open_store(NULL, &error), KVP_ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.message, "keyvaultd.db is missing"));
}
END_TEST

START_TEST(the_configuration_has_every_key_the_module_needs)
{
    static const char *const lines[] = {
        "\n[kvpkcs11]\naudit = file:audit.jsonl\nlog = file:kvpkcs11.log\n",
        "\n[vault:dev]\nurl = https://127.0.0.1:8443\ncredential = client-secret\ntenant = ",
        "\nauthority = https://127.0.0.1:8443\nca_file = ca.pem\n",
    };

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    char *text = kvp_test_read(kvp_test_path(dir, KVP_DATADIR_CONF));

    for (size_t i = 0; i < KVP_ARRAY_LEN(lines); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s lacks %s", text, lines[i]);
    kvp_free(text);
}
END_TEST

static const struct {
    const char *before, *after;
} retargets[] = {
    { "[vault:dev]\nurl = https://a:1\nauthority = https://a:1\n",
      "[vault:dev]\nurl = https://n:9\nauthority = https://n:9\n" },
    { "# mine\n[vault:dev]\n  url=https://a:1 ; the url\nkeys = x*\n[vault:prod]\nurl = "
      "https://p\n",
      "# mine\n[vault:dev]\n  url=https://n:9 ; the url\nkeys = x*\n[vault:prod]\nurl = "
      "https://p\n" },
    { "url = outside\n[vault:dev2]\nurl = other\n[vault:dev]\r\nurl = x\r\nurlx = y",
      "url = outside\n[vault:dev2]\nurl = other\n[vault:dev]\r\nurl = https://n:9\r\nurlx = y" },
    { "[vault:dev]\nurl = https://n:9\n", "[vault:dev]\nurl = https://n:9\n" },
    { "[vault:dev]\nurl\nurl =\n", "[vault:dev]\nurl\nurl =https://n:9\n" },
    { "", "" },
};

START_TEST(a_new_address_replaces_only_the_address)
{
    kvp_buf text = KVP_BUF_INIT(0);
    bool changed = false;

    ck_assert_int_eq(
        kvp_client_conf_retarget(retargets[_i].before, "dev", "https://n:9", &text, &changed),
        KVP_OK);

    ck_assert_str_eq(kvp_buf_str(&text), retargets[_i].after);
    ck_assert(changed == (strcmp(retargets[_i].before, retargets[_i].after) != 0));
    kvp_buf_clear(&text);
}
END_TEST

START_TEST(a_certificate_serves_the_names_it_was_made_for)
{
    const char *hosts[] = { "localhost", "127.0.0.1", "[::1]" }, *more[] = { "kv.example" };
    kvp_cert_pair authority = { .certificate = KVP_BUF_INIT(0) }, server = authority;

    ck_assert_int_eq(kvp_cert_make_authority(&authority, NULL), KVP_OK);
    ck_assert_int_eq(kvp_cert_make_server(&authority, hosts, 3, &server, NULL), KVP_OK);

    ck_assert(kvp_cert_serves(&server.certificate, hosts, 3));
    ck_assert(!kvp_cert_serves(&server.certificate, more, 1));
    ck_assert(!kvp_cert_serves(&authority.certificate, hosts, 3));
    kvp_cert_pair_clear(&authority);
    kvp_cert_pair_clear(&server);
}
END_TEST

START_TEST(the_tls_certificate_stays_until_a_name_is_missing)
{
    const char *hosts[] = { "localhost", "127.0.0.1" }, *more[] = { "localhost", "10.1.2.3" };
    kvp_datadir d = { dir, -1 };
    kvp_cert_pair first = { .certificate = KVP_BUF_INIT(0) }, again = first, other = first;

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    ck_assert_int_eq(kvp_datadir_tls(&d, hosts, 2, &first, NULL), KVP_OK);
    ck_assert_int_eq(kvp_datadir_tls(&d, hosts, 2, &again, NULL), KVP_OK);
    ck_assert_int_eq(kvp_datadir_tls(&d, more, 2, &other, NULL), KVP_OK);

    ck_assert_str_eq(kvp_buf_str(&first.certificate), kvp_buf_str(&again.certificate));
    ck_assert_str_ne(kvp_buf_str(&first.certificate), kvp_buf_str(&other.certificate));
    ck_assert(kvp_cert_serves(&other.certificate, more, 2));
    kvp_cert_pair_clear(&first);
    kvp_cert_pair_clear(&again);
    kvp_cert_pair_clear(&other);
}
END_TEST

START_TEST(addresses_are_parsed)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } rows[] = { { "127.0.0.1:8443", "127.0.0.1", 8443 },
                 { "[::1]:0", "::1", 0 },
                 { "localhost:65535", "localhost", 65535 },
                 { "::1:80", NULL, 0 },
                 { "127.0.0.1", NULL, 0 },
                 { ":80", NULL, 0 },
                 { "host:", NULL, 0 },
                 { "host:65536", NULL, 0 },
                 { "host:-1", NULL, 0 },
                 { "host:8x", NULL, 0 },
                 { "[::1]", NULL, 0 },
                 { "[]:1", NULL, 0 },
                 { "", NULL, 0 } };
    char host[64];
    unsigned port;
    kvp_status status = kvp_listen_parse(rows[_i].text, host, sizeof(host), &port, NULL);

    if (!rows[_i].host) {
        ck_assert_int_eq(status, KVP_ERR_INVALID);
        return;
    }
    ck_assert_str_eq(host, rows[_i].host);
    ck_assert_uint_eq(port, rows[_i].port);
}
END_TEST

START_TEST(the_command_line_is_checked)
{
    static const char *const rows[][6] = {
        { "keyvaultd", NULL },
        { "keyvaultd", "--data", NULL },
        { "keyvaultd", "--data", "d", "--kind", "safe", NULL },
        { "keyvaultd", "--data", "d", "--token-lifetime", "0", NULL },
        { "keyvaultd", "--data", "d", "--token-lifetime", "1h", NULL },
        { "keyvaultd", "--data", "d", "--certificate-delay", "-1", NULL },
        { "keyvaultd", "--data", "d", "--certificate-delay", "86401", NULL },
        { "keyvaultd", "--data", "d", "--certificate-delay", "", NULL },
        { "keyvaultd", "--data", "d", "--nonsense", NULL },
    };
    char *argv[6];
    int argc = 0;
    kvp_options options;

    for (; rows[_i][argc]; argc++)
        argv[argc] = kvp_strdup(rows[_i][argc]);
    ck_assert_int_eq(kvp_options_parse(argc, argv, &options, NULL), KVP_ERR_INVALID);
    while (argc > 0)
        kvp_free(argv[--argc]);
}
END_TEST

START_TEST(the_command_line_is_understood)
{
    static const char *const words[] = { "keyvaultd",
                                         "principal",
                                         "add",
                                         "me",
                                         "--role",
                                         "Reader",
                                         "--data",
                                         "d",
                                         "--role",
                                         "Crypto User",
                                         "--certificate-delay",
                                         "5" };
    char *argv[KVP_ARRAY_LEN(words)];
    kvp_options options;

    for (size_t i = 0; i < KVP_ARRAY_LEN(words); i++)
        argv[i] = kvp_strdup(words[i]);
    ck_assert_int_eq(kvp_options_parse((int)KVP_ARRAY_LEN(words), argv, &options, NULL), KVP_OK);

    ck_assert_str_eq(options.data, "d");
    ck_assert_str_eq(options.listen, "127.0.0.1:8443");
    ck_assert_int_eq(options.token_lifetime_s, 3599);
    ck_assert_int_eq(options.certificate_delay_s, 5);
    ck_assert_uint_eq(options.role_count, 2);
    ck_assert_int_eq(options.word_count, 3);
    ck_assert_str_eq(options.words[2], "me");
    for (size_t i = 0; i < KVP_ARRAY_LEN(words); i++)
        kvp_free(argv[i]);
}
END_TEST

static kvp_status run(const char *const *words, int count, const char *role, char *output,
                      size_t size, kvp_error *error)
{
    kvp_options options = { .data = dir,
                            .words = words,
                            .word_count = count,
                            .roles = { role },
                            .role_count = role ? 1 : 0 };
    FILE *out = fmemopen(output, size, "w");
    kvp_status status = kvp_admin_run(&options, out, error);

    fclose(out);
    return status;
}

START_TEST(principals_are_added_listed_and_removed)
{
    const char *const add[] = { "principal", "add", "someone" }, *const list[] = { "principal",
                                                                                   "list" };
    const char *const remove_[] = { "principal", "remove", "someone" };
    char output[2048] = "", listed[2048] = "", id[40] = "";

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    ck_assert_int_eq(run(add, 3, "Crypto User", output, sizeof(output), NULL), KVP_OK);
    ck_assert_int_eq(sscanf(strstr(output, "client_id = "), "client_id = %39s", id), 1);
    ck_assert_ptr_nonnull(strstr(output, "client_secret = "));
    ck_assert_int_eq(run(list, 2, NULL, listed, sizeof(listed), NULL), KVP_OK);
    ck_assert_ptr_nonnull(strstr(listed, "\tKey Vault Administrator\tdev\t/\n"));
    ck_assert_ptr_nonnull(strstr(listed, id));
    ck_assert_ptr_nonnull(strstr(listed, "\tKey Vault Crypto User\tdev\t/\n"));
    ck_assert_ptr_null(strstr(listed, strstr(output, "client_secret = ") + 16));

    ck_assert_int_eq(run(remove_, 3, NULL, output, sizeof(output), NULL), KVP_OK);
    memset(listed, 0, sizeof(listed));
    ck_assert_int_eq(run(list, 2, NULL, listed, sizeof(listed), NULL), KVP_OK);
    ck_assert_ptr_null(strstr(listed, "someone"));
}
END_TEST

START_TEST(wrong_sub_commands_say_what_is_wrong)
{
    static const char *const words[][3] = {
        { "principal", "add", "x" },  { "principal", "add", "x" },
        { "principal", "add", NULL }, { "principal", "remove", "nobody" },
        { "principal", "fly", NULL }, { "safe", NULL, NULL },
        { "role", "list", "x" }
    };
    static const char *const text[] = { "needs --role",
                                        "has no role 'Emperor'",
                                        "takes NAME",
                                        "no principal 'nobody'",
                                        "unknown sub-command 'principal fly'",
                                        "unknown sub-command 'safe'",
                                        "takes no further words" };
    kvp_error error = { .status = KVP_OK };
    char output[256];
    int count = 0;

    ck_assert_int_eq(open_store(NULL, NULL), KVP_OK);
    while (count < 3 && words[_i][count])
        count++;

    ck_assert_int_ne(run(words[_i], count, _i == 1 || _i == 2 ? "Emperor" : NULL, output,
                         sizeof(output), &error),
                     KVP_OK);
    ck_assert_msg(strstr(error.message, text[_i]) != NULL, "%s", error.message);
}
END_TEST

START_TEST(a_directory_without_a_vault_cannot_be_administered)
{
    const char *const list[] = { "principal", "list" };
    kvp_error error = { .status = KVP_OK };
    char output[64];

    ck_assert_int_eq(run(list, 2, NULL, output, sizeof(output), &error), KVP_ERR_NOT_FOUND);

    ck_assert_ptr_nonnull(strstr(error.message, "holds no vault"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd data directory");
    TCase *files = tcase_create("files"), *parsing = tcase_create("parsing");

    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, an_empty_directory_is_filled_with_private_files);
    tcase_add_test(files, a_missing_directory_is_made);
    tcase_add_test(files, a_directory_of_other_things_is_refused);
    tcase_add_test(files, a_wrong_kind_is_refused);
    tcase_add_loop_test(files, the_storage_key_must_be_there_right_and_private, 0, 4);
    tcase_add_test(files, a_lost_store_is_not_made_anew);
    tcase_add_test(files, the_configuration_has_every_key_the_module_needs);
    tcase_add_test(files, a_certificate_serves_the_names_it_was_made_for);
    tcase_add_test(files, the_tls_certificate_stays_until_a_name_is_missing);
    tcase_add_test(files, principals_are_added_listed_and_removed);
    tcase_add_loop_test(files, wrong_sub_commands_say_what_is_wrong, 0, 7);
    tcase_add_test(files, a_directory_without_a_vault_cannot_be_administered);
    tcase_add_loop_test(parsing, a_new_address_replaces_only_the_address, 0,
                        (int)KVP_ARRAY_LEN(retargets));
    tcase_add_loop_test(parsing, addresses_are_parsed, 0, 13);
    tcase_add_loop_test(parsing, the_command_line_is_checked, 0, 9);
    tcase_add_test(parsing, the_command_line_is_understood);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, parsing);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
