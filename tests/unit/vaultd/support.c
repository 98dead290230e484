/* SPDX-License-Identifier: MIT */
/* Fixtures of the vaultd tests. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "jwk/base64url.h"
#include "vaultd/admin.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"
#include "vaultd/roles.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *kvp_test_directory(void)
{
    char *path = kvp_strdup("vaultd-test-XXXXXX");

    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *st KVP_UNUSED, int type KVP_UNUSED,
                      struct FTW *ftw KVP_UNUSED)
{
    return remove(path);
}

void kvp_test_remove(char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    kvp_free(path);
}

const char *kvp_test_path(const char *dir, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

char *kvp_test_read(const char *path)
{
    kvp_buf text = KVP_BUF_INIT(0);

    ck_assert_msg(kvp_file_read(path, &text, NULL) == KVP_OK, "cannot read %s", path);
    char *copy = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    return copy;
}

static void issue_token(kvp_test_vault *vault, const char *client_id, char token[KVP_SECRET_SIZE])
{
    kvp_principal principal;
    uint8_t digest[32];

    ck_assert_int_eq(
        kvp_store_principal_by_client(vault->daemon.store, client_id, &principal, NULL), KVP_OK);
    ck_assert_int_eq(kvp_ident_secret(token), KVP_OK);
    ck_assert_int_eq(kvp_ident_digest(token, digest), KVP_OK);
    ck_assert_int_eq(kvp_store_token_add(vault->daemon.store, digest, principal.id,
                                         "https://127.0.0.1", kvp_clock_wall_us() / 1000 + 3600000,
                                         NULL),
                     KVP_OK);
}

static void open_parts(kvp_test_vault *vault, const kvp_vault_kind *kind)
{
    kvp_error error = { .status = KVP_OK };
    kvp_datadir dir = { vault->dir, -1 };
    kvp_daemon *d = &vault->daemon;

    ck_assert_msg(kvp_datadir_open_store(&dir, kind, "https://127.0.0.1:8443", &d->store, &d->vault,
                                         &error) == KVP_OK,
                  "%s", error.message);
    ck_assert_int_eq(kvp_usage_log_open(vault->dir, &d->log, &error), KVP_OK);
    d->cache = kvp_key_cache_new(64);
    ck_assert_ptr_nonnull(d->cache);
}

static void close_parts(kvp_test_vault *vault)
{
    kvp_key_cache_free(vault->daemon.cache);
    kvp_usage_log_close(vault->daemon.log);
    kvp_store_close(vault->daemon.store);
}

void kvp_test_vault_open(kvp_test_vault *vault, kvp_vault_kind kind)
{
    memset(vault, 0, sizeof(*vault));
    vault->dir = kvp_test_directory();
    vault->api_version = "7.5";
    vault->daemon.port = 8443;
    vault->daemon.token_lifetime_s = 3599;
    snprintf(vault->daemon.hosts[0], sizeof(vault->daemon.hosts[0]), "127.0.0.1");
    snprintf(vault->daemon.hosts[1], sizeof(vault->daemon.hosts[1]), "localhost");
    snprintf(vault->daemon.hosts[2], sizeof(vault->daemon.hosts[2]), "[::1]");
    vault->daemon.host_count = 3;
    open_parts(vault, &kind);
    char *conf = kvp_test_read(kvp_test_path(vault->dir, KVP_DATADIR_CONF));
    ck_assert_int_eq(sscanf(strstr(conf, "client_id = "), "client_id = %36s", vault->client_id), 1);
    ck_assert_int_eq(
        sscanf(strstr(conf, "client_secret = "), "client_secret = %43s", vault->secret), 1);
    kvp_free(conf);
    issue_token(vault, vault->client_id, vault->token);
}

void kvp_test_vault_restart(kvp_test_vault *vault)
{
    close_parts(vault);
    open_parts(vault, NULL);
}

void kvp_test_vault_close(kvp_test_vault *vault)
{
    close_parts(vault);
    kvp_test_remove(vault->dir);
}

void kvp_test_principal(kvp_test_vault *vault, const char *name, const char *role,
                        char ret_token[KVP_SECRET_SIZE])
{
    const kvp_role *found = kvp_role_find(vault->daemon.vault.kind, role);
    kvp_principal principal;
    char secret[KVP_SECRET_SIZE];

    ck_assert_ptr_nonnull(found);
    const char *roles[] = { found->id, NULL };
    ck_assert_int_eq(kvp_principal_make(name, &principal, secret, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_principal_add(vault->daemon.store, &vault->daemon.vault, &principal,
                                             roles, "/", NULL, 0, NULL),
                     KVP_OK);
    issue_token(vault, principal.client_id, ret_token);
}

kvp_exchange *kvp_test_request(kvp_test_vault *vault, const char *method, const char *path,
                               const char *token, const char *body)
{
    kvp_exchange *ex = kvp_exchange_new(&vault->daemon);

    ck_assert_ptr_nonnull(ex);
    ex->method = kvp_strdup(method);
    ex->target = strchr(path, '?') ? kvp_strdup(path)
                                   : kvp_asprintf("%s?api-version=%s", path, vault->api_version);
    ex->host = kvp_strdup("127.0.0.1:8443");
    ex->accept = kvp_strdup(vault->accept);
    if (token)
        ex->authorization = kvp_asprintf("Bearer %s", token);
    snprintf(ex->peer, sizeof(ex->peer), "127.0.0.1");
    ex->body.max = kvp_exchange_body_limit(ex);
    if (body)
        ck_assert_int_eq(kvp_buf_append_str(&ex->body, body), KVP_OK);
    kvp_exchange_run(ex);
    return ex;
}

json_t *kvp_test_call(kvp_test_vault *vault, const char *method, const char *path, const char *body,
                      int status)
{
    kvp_exchange *ex = kvp_test_request(vault, method, path, vault->token, body);
    json_t *document = json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL);

    ck_assert_msg(ex->status == status, "%s %s: %d, not %d: %s", method, path, ex->status, status,
                  kvp_buf_str(&ex->reply));
    kvp_exchange_free(ex);
    return document;
}

json_t *kvp_test_callf(kvp_test_vault *vault, const char *method, const char *path, int status,
                       const char *format, ...)
{
    char body[16384];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(body, sizeof(body), format, args);
    va_end(args);
    ck_assert_int_lt(len, (int)sizeof(body));
    return kvp_test_call(vault, method, path, body, status);
}

const json_t *kvp_test_at(const json_t *document, const char *path)
{
    char part[64];

    while (document && *path) {
        size_t len = strcspn(path, ".");
        snprintf(part, sizeof(part), "%.*s", (int)len, path);
        document = json_object_get(document, part);
        path += len + (path[len] == '.');
    }
    return document;
}

const char *kvp_test_text(const json_t *document, const char *path)
{
    const char *text = json_string_value(kvp_test_at(document, path));

    ck_assert_msg(text != NULL, "there is no text '%s'", path);
    return text;
}

const char *kvp_test_members(const json_t *object)
{
    static char text[512];
    const char *name;
    json_t *value;

    text[0] = '\0';
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", name);
    }
    return text;
}

void kvp_test_error(json_t *take, const char *code, const char *inner, const char *text)
{
    ck_assert_str_eq(kvp_test_text(take, "error.code"), code);
    if (inner)
        ck_assert_str_eq(kvp_test_text(take, "error.innererror.code"), inner);
    else
        ck_assert_ptr_null(kvp_test_at(take, "error.innererror"));
    ck_assert_msg(strstr(kvp_test_text(take, "error.message"), text) != NULL, "'%s' lacks '%s'",
                  kvp_test_text(take, "error.message"), text);
    json_decref(take);
}

char *kvp_test_base64(const void *data, size_t len)
{
    kvp_buf text = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_base64url_encode(data, len, &text), KVP_OK);
    char *copy = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    return copy;
}

kvp_status kvp_test_admin(const kvp_test_vault *vault, const char *line, char *output, size_t size,
                          kvp_error *error)
{
    char copy[2048], *words[40] = { (char *)(uintptr_t) "keyvaultd" }, *save = NULL;
    int count = 1;
    kvp_options options;

    snprintf(copy, sizeof(copy), "--data %s %s", vault->dir, line);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        words[count++] = word;
    memset(output, 0, size);
    kvp_status status = kvp_options_parse(count, words, &options, error);
    if (status != KVP_OK)
        return status;
    FILE *out = fmemopen(output, size - 1, "w");
    status = kvp_admin_run(&options, out, error);
    fclose(out);
    return status;
}
