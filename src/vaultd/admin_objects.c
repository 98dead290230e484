/* SPDX-License-Identifier: MIT */
/*
 * Sub-commands on keys and the like: requests as clients make them, but without network or token,
 * run by the same handlers and noted in the same usage log.
 */
#include "vaultd/admin.h"

#include "base/alloc.h"
#include "vaultd/datadir.h"
#include "vaultd/exchange.h"
#include "vaultd/files.h"
#include "vaultd/pem_jwk.h"
#include "vaultd/token_home.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CACHED_KEYS 16

/* Open what handlers use besides the store. */
static kvp_status begin(kvp_admin *admin, kvp_daemon *daemon, kvp_error *reterr)
{
    char url[300] = "https://localhost:8443", *log = NULL;
    kvp_vault_info first;
    kvp_status status = kvp_datadir_unlock(admin->options->data, admin->store, reterr);

    *daemon = (kvp_daemon){ .store = admin->store,
                            .vault = admin->vault,
                            .host_count = 1,
                            .port = 443,
                            .token_lifetime_s = 1 };
    if (status == KVP_OK)
        status = kvp_store_vault(admin->store, &first, reterr);
    if (status != KVP_OK)
        return status;
    /* Until a daemon ran, its address is unknown; identifiers are only shown. */
    if (kvp_store_setting_get(admin->store, &first, KVP_SETTING_URL, url, sizeof(url), NULL) ==
        KVP_OK)
        url[sizeof(url) - 1] = '\0';
    char *port = strrchr(url, ':');
    if (port && strspn(port + 1, "0123456789") == strlen(port + 1)) {
        daemon->port = (unsigned)strtoul(port + 1, NULL, 10);
        *port = '\0';
    }
    snprintf(daemon->hosts[0], sizeof(daemon->hosts[0]), "%.*s%s%.200s",
             first.id == admin->vault.id ? 0 : 24, admin->vault.name,
             first.id == admin->vault.id ? "" : ".",
             first.id == admin->vault.id ? url + strlen("https://") : "localhost");
    log = kvp_asprintf("%s/%s", admin->options->data, KVP_DATADIR_LOG);
    if (!log)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "log");
    if (mkdir(log, 0700) != 0 && errno != EEXIST)
        status = kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", log, strerror(errno));
    if (status == KVP_OK)
        status = kvp_usage_log_open(log, &daemon->log, reterr);
    if (status == KVP_OK && !(daemon->cache = kvp_key_cache_new(CACHED_KEYS)))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key cache");
    if (status == KVP_OK && admin->needs_token)
        status = kvp_token_home_reopen(admin->store, admin->options, &daemon->token, reterr);
    if (status == KVP_OK)
        kvp_key_cache_use_token(daemon->cache, daemon->token);
    kvp_free(log);
    return status;
}

static void end(kvp_daemon *daemon)
{
    kvp_key_cache_free(daemon->cache);
    kvp_token_close(daemon->token);
    kvp_usage_log_close(daemon->log);
}

/* The service's words for a refusal, on one line. */
static kvp_status refused(const kvp_exchange *ex, kvp_error *reterr)
{
    char text[300];

    kvp_copy_printable(text, sizeof(text), ex->error_message);
    return kvp_error_set(reterr, ex->status == 404 ? KVP_ERR_NOT_FOUND : KVP_ERR_REFUSED, "%s",
                         text);
}

/* Run a request; @body is taken and may be NULL. The answer's document or an error. */
static kvp_status call(const kvp_daemon *daemon, const char *method, const char *path, json_t *body,
                       json_t **ret_answer, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_exchange_freep) kvp_exchange *ex = kvp_exchange_new(daemon);
    const char *version = kvp_api_versions[kvp_api_version_count - 1];
    char *target = kvp_asprintf("%s%sapi-version=%s", path, strchr(path, '?') ? "&" : "?", version);
    bool made = ex && target && kvp_exchange_make_own(ex, method, target, daemon->hosts[0]) &&
                (!body || kvp_json_write(body, false, &ex->body) == KVP_OK);

    json_decref(body);
    kvp_free(target);
    if (!made)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "request");
    ex->local = true;
    kvp_exchange_run(ex);
    if (ex->status >= 300)
        return refused(ex, reterr);
    *ret_answer = json_loadb(kvp_buf_str(&ex->reply), ex->reply.len, 0, NULL);
    return KVP_OK;
}

/* The collection of the sub-command's noun: `key` → `keys`. */
static char *object_path(const kvp_admin *admin, const char *rest)
{
    const char *const *words = admin->options->words;

    return kvp_asprintf("/%ss%s%s%s", words[0], admin->options->word_count > 2 ? "/" : "",
                        admin->options->word_count > 2 ? words[2] : "", rest);
}

static bool name_is_right(const kvp_admin *admin, kvp_error *reterr)
{
    if (kvp_ident_is_name(admin->options->words[2]))
        return true;
    kvp_error_set(reterr, KVP_ERR_INVALID, "a name has 1 to 127 letters, digits and hyphens");
    return false;
}

/* One request on the object that the words name; its answer is shown when @show. */
static kvp_status act(kvp_admin *admin, const char *method, const char *rest, json_t *body,
                      bool show, kvp_error *reterr)
{
    kvp_daemon daemon = { .store = NULL };
    json_t *answer = NULL;
    char *path = object_path(admin, rest);
    kvp_status status = path ? KVP_OK : KVP_ERR_NO_MEMORY;

    if (status == KVP_OK && !name_is_right(admin, reterr))
        status = KVP_ERR_INVALID;
    if (status == KVP_OK)
        status = begin(admin, &daemon, reterr);
    if (status == KVP_OK)
        status = call(&daemon, method, path, json_incref(body), &answer, reterr);
    if (status == KVP_OK && show) {
        json_dumpf(answer, admin->out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        fputc('\n', admin->out);
    }
    end(&daemon);
    json_decref(body);
    json_decref(answer);
    kvp_free(path);
    return status;
}

/* Identifier, whether enabled, and content type of each item of a page. */
static void print_page(FILE *out, const json_t *page)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(page, "value"), i, item)
    {
        const char *kid = json_string_value(json_object_get(item, "kid"));
        const char *id = kid ? kid : json_string_value(json_object_get(item, "id"));
        const json_t *attributes = json_object_get(item, "attributes");
        const char *name = id ? strrchr(id, '/') : NULL;
        fprintf(out, "%s\t%s\t%s\n", name ? name + 1 : "",
                json_is_false(json_object_get(attributes, "enabled")) ? "disabled" : "enabled",
                id ? id : "");
    }
}

kvp_status kvp_admin_list(kvp_admin *admin, kvp_error *reterr)
{
    kvp_daemon daemon = { .store = NULL };
    char *path = object_path(admin, "");
    kvp_status status = path ? begin(admin, &daemon, reterr) : KVP_ERR_NO_MEMORY;

    while (status == KVP_OK && path) {
        json_t *page = NULL;
        status = call(&daemon, "GET", path, NULL, &page, reterr);
        kvp_free(path);
        path = NULL;
        print_page(admin->out, page);
        /* The link of the next page, of which the token is what we need. */
        const char *link = json_string_value(json_object_get(page, "nextLink"));
        const char *token = link ? strstr(link, "$skiptoken=") : NULL;
        if (token && !(path = kvp_asprintf("/%ss?%.*s", admin->options->words[0],
                                           (int)strcspn(token, "&"), token)))
            status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "list");
        json_decref(page);
    }
    kvp_free(path);
    end(&daemon);
    return status;
}

kvp_status kvp_admin_show(kvp_admin *admin, kvp_error *reterr)
{
    return act(admin, "GET", "", NULL, true, reterr);
}

kvp_status kvp_admin_delete(kvp_admin *admin, kvp_error *reterr)
{
    return act(admin, "DELETE", "", NULL, false, reterr);
}

/* Whether a new key of type @kty, NULL if none was named, is one that a token keeps. */
static bool is_hsm_type(const kvp_admin *admin, const char *kty)
{
    return admin->vault.kind == KVP_VAULT_HSM || (kty && strchr(kty, '-'));
}

kvp_status kvp_admin_key_create(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    const char *kty = options->values[KVP_OPTION_KTY], *crv = options->values[KVP_OPTION_CRV];
    const char *size = options->values[KVP_OPTION_SIZE];
    json_t *body = json_pack("{s:s}", "kty", kty ? kty : crv ? "EC" : "RSA");
    char *end_of_size = NULL;

    if (size) {
        long bits = strtol(size, &end_of_size, 10);
        if (*end_of_size || end_of_size == size) {
            json_decref(body);
            return kvp_error_set(reterr, KVP_ERR_INVALID, "--size is a number of bits");
        }
        json_object_set_new(body, "key_size", json_integer(bits));
    }
    if (crv)
        json_object_set_new(body, "crv", json_string(crv));
    admin->needs_token = is_hsm_type(admin, kty);
    return act(admin, "POST", "/create", body, true, reterr);
}

kvp_status kvp_admin_key_import(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    const char *kty = options->values[KVP_OPTION_KTY];
    kvp_buf file = KVP_BUF_INIT_SECRET((size_t)256 * 1024);
    json_t *jwk = NULL;
    kvp_status status = kvp_file_read(options->words[3], &file, reterr);

    if (status == KVP_ERR_NOT_FOUND)
        kvp_error_set(reterr, status, "there is no file %s", options->words[3]);
    if (status == KVP_OK)
        status = kvp_pem_to_jwk(&file, &jwk, reterr);
    kvp_buf_clear(&file);
    if (status != KVP_OK)
        return status;
    if (kty)
        json_object_set_new(jwk, "kty", json_string(kty));
    admin->needs_token = is_hsm_type(admin, kty);
    return act(admin, "PUT", "", json_pack("{s:o}", "key", jwk), true, reterr);
}

/* All of a file, or of standard input without one. */
static kvp_status read_value(const char *path, kvp_buf *ret, kvp_error *reterr)
{
    char block[4096];
    size_t len;
    kvp_status status = KVP_OK;

    if (path) {
        status = kvp_file_read(path, ret, reterr);
        if (status == KVP_ERR_NOT_FOUND)
            kvp_error_set(reterr, status, "there is no file %s", path);
        return status;
    }
    while (status == KVP_OK && (len = fread(block, 1, sizeof(block), stdin)) > 0)
        status = kvp_buf_append(ret, block, len);
    kvp_wipe(block, sizeof(block));
    if (status == KVP_OK && ferror(stdin))
        status = kvp_error_set(reterr, KVP_ERR_IO, "reading the value failed");
    return status;
}

kvp_status kvp_admin_secret_set(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    const char *type = options->values[KVP_OPTION_CONTENT_TYPE];
    kvp_buf value = KVP_BUF_INIT_SECRET((size_t)64 * 1024);
    kvp_status status = read_value(options->values[KVP_OPTION_FILE], &value, reterr);

    /* A line that somebody types or that `echo` writes ends in what is no part of the value. */
    if (status == KVP_OK && !options->values[KVP_OPTION_FILE] && value.len > 0 &&
        value.data[value.len - 1] == '\n')
        value.data[--value.len] = '\0';
    json_t *body =
        status == KVP_OK ? json_pack("{s:s%}", "value", kvp_buf_str(&value), value.len) : NULL;
    kvp_buf_clear(&value);
    if (status == KVP_OK && !body)
        status = kvp_error_set(reterr, KVP_ERR_INVALID, "a secret's value is UTF-8 text");
    if (status != KVP_OK)
        return status;
    if (type)
        json_object_set_new(body, "contentType", json_string(type));
    return act(admin, "PUT", "", body, false, reterr);
}

/* PEM goes as it is, PKCS#12 in base64 (wire reference, section 7). */
kvp_status kvp_admin_certificate_import(kvp_admin *admin, kvp_error *reterr)
{
    kvp_buf file = KVP_BUF_INIT_SECRET((size_t)256 * 1024);
    unsigned char *text = NULL;
    json_t *body = NULL;
    kvp_status status = read_value(admin->options->words[3], &file, reterr);

    if (status == KVP_OK && strstr(kvp_buf_str(&file), "-----BEGIN ")) {
        body = json_pack("{s:s%, s:{s:{s:s}}}", "value", kvp_buf_str(&file), file.len, "policy",
                         "secret_props", "contentType", "application/x-pem-file");
    } else if (status == KVP_OK && (text = kvp_calloc(1, file.len / 3 * 4 + 8))) {
        EVP_EncodeBlock(text, file.data, (int)file.len);
        body = json_pack("{s:s}", "value", (const char *)text);
        kvp_wipe(text, file.len / 3 * 4 + 8);
        kvp_free(text);
    }
    kvp_buf_clear(&file);
    if (status == KVP_OK && !body)
        status = kvp_error_set(reterr, KVP_ERR_INVALID, "the file holds no certificate");
    return status == KVP_OK ? act(admin, "POST", "/import", body, true, reterr) : status;
}
