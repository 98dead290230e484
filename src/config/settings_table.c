/* SPDX-License-Identifier: MIT */
/*
 * A row a setting. The parser looks rows up, docs/configuration.md is written out from them, the
 * tests walk them. A setter says what is wrong with a value (or nothing, when the list of allowed
 * ones says it all); the parser adds where, and what is allowed.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <string.h>

/* ---- values ---- */

static kvp_status bad(kvp_error *reterr)
{
    return kvp_error_set(reterr, KVP_ERR_CONFIG, "%s", "");
}

/* The index of @value in @names (ended by NULL). */
static kvp_status choose(const char *value, const char *const *names, int *ret, kvp_error *reterr)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(value, names[i]) == 0) {
            *ret = i;
            return KVP_OK;
        }
    return bad(reterr);
}

static kvp_status set_flag(const char *value, bool *ret, kvp_error *reterr)
{
    static const char *const names[] = { "no", "yes", NULL };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);

    if (st == KVP_OK)
        *ret = at == 1;
    return st;
}

static kvp_status set_number(const char *value, unsigned min, unsigned max, unsigned *ret,
                             kvp_error *reterr)
{
    size_t len = strlen(value);
    unsigned number = 0;

    if (len == 0 || len > 6 || strspn(value, "0123456789") != len)
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "it is no whole number in that range");
    for (size_t i = 0; i < len; i++)
        number = number * 10 + (unsigned)(value[i] - '0');
    if (number < min || number > max)
        return bad(reterr);
    *ret = number;
    return KVP_OK;
}

static kvp_status replace(char **ret, char *fresh, kvp_error *reterr)
{
    if (!fresh)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "setting");
    kvp_free(*ret);
    *ret = fresh;
    return KVP_OK;
}

static kvp_status set_text(const char *value, char **ret, kvp_error *reterr)
{
    return replace(ret, kvp_strdup(value), reterr);
}

static kvp_status set_path(const char *value, const char *dir, char **ret, kvp_error *reterr)
{
    return replace(ret, kvp_config_path(dir, value), reterr);
}

/* Text that becomes part of a URL or a form: of @extra characters beside letters and digits. */
static kvp_status set_word(const char *value, const char *extra, char **ret, kvp_error *reterr)
{
    for (const char *at = value; *at; at++)
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
              (*at >= '0' && *at <= '9') || strchr(extra, *at)))
            return kvp_error_set(reterr, KVP_ERR_CONFIG, "it has a character that cannot be in it");
    return set_text(value, ret, reterr);
}

/* ---- [kvpkcs11] ---- */

static kvp_status set_sink(const char *value, const char *dir, kvp_sink_setting *ret,
                           kvp_error *reterr)
{
    static const char *const names[] = { "none", "syslog", "journald", "stderr", NULL };
    static const kvp_sink_kind kinds[] = { KVP_SINK_NONE, KVP_SINK_SYSLOG, KVP_SINK_JOURNALD,
                                           KVP_SINK_STDERR };
    kvp_status st;
    int at = 0;

    if (strncmp(value, "file:", 5) == 0) {
        if (!value[5])
            return kvp_error_set(reterr, KVP_ERR_CONFIG, "it names no file");
        st = set_path(value + 5, dir, &ret->path, reterr);
        if (st == KVP_OK)
            ret->kind = KVP_SINK_FILE;
        return st;
    }
    st = choose(value, names, &at, reterr);
    if (st == KVP_OK)
        ret->kind = kinds[at];
    return st;
}

static int set_audit(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    return set_sink(value, dir, &((kvp_config *)section)->audit, reterr);
}

static int set_log(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    return set_sink(value, dir, &((kvp_config *)section)->log, reterr);
}

static int set_log_level(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = {
        [KVP_LOG_ERROR] = "error", [KVP_LOG_WARNING] = "warning", [KVP_LOG_INFO] = "info",
        [KVP_LOG_DEBUG] = "debug", [KVP_LOG_TRACE] = "trace",     NULL,
    };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);
    (void)dir;

    if (st == KVP_OK)
        ((kvp_config *)section)->log_level = (kvp_log_level)at;
    return st;
}

static int set_cache(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    (void)dir;
    return set_flag(value, &((kvp_config *)section)->cache, reterr);
}

/* ---- [vault:NAME] ---- */

#define VAULT_SETTER(member, call)                                                                 \
    static int set_##member(void *section, const char *value, const char *dir, kvp_error *reterr)  \
    {                                                                                              \
        kvp_config_vault *vault = section;                                                         \
        (void)dir;                                                                                 \
        return call;                                                                               \
    }

VAULT_SETTER(url, kvp_config_url(value, &vault->url, reterr))
VAULT_SETTER(authority, kvp_config_url(value, &vault->authority, reterr))
VAULT_SETTER(tenant, set_word(value, "-.", &vault->tenant, reterr))
VAULT_SETTER(client_id, set_word(value, "-._@:/", &vault->client_id, reterr))
VAULT_SETTER(client_secret, set_text(value, &vault->client_secret, reterr))
VAULT_SETTER(client_secret_file, set_path(value, dir, &vault->client_secret_file, reterr))
VAULT_SETTER(client_certificate, set_path(value, dir, &vault->client_certificate, reterr))
VAULT_SETTER(token_file, set_path(value, dir, &vault->token_file, reterr))
VAULT_SETTER(ca_file, set_path(value, dir, &vault->ca_file, reterr))
VAULT_SETTER(certificates, set_flag(value, &vault->certificates, reterr))
VAULT_SETTER(secrets, set_flag(value, &vault->secrets, reterr))
VAULT_SETTER(read_only, set_flag(value, &vault->read_only, reterr))
VAULT_SETTER(max_connections, set_number(value, 1, 64, &vault->max_connections, reterr))
VAULT_SETTER(api_version, set_word(value, "-.", &vault->api_version, reterr))

static int set_credential(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = {
        "default",           "environment",      "client-secret", "client-certificate",
        "workload-identity", "managed-identity", "azure-cli",     "token-file",
        "pin",               NULL,
    };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);
    (void)dir;

    if (st != KVP_OK)
        return st;
    return set_text(names[at], &((kvp_config_vault *)section)->credential, reterr);
}

static int set_kind(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = {
        [KVP_KIND_AUTO] = "auto",
        [KVP_KIND_VAULT] = "vault",
        [KVP_KIND_MANAGED_HSM] = "managed-hsm",
        NULL,
    };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);
    (void)dir;

    if (st == KVP_OK)
        ((kvp_config_vault *)section)->kind = (kvp_vault_kind)at;
    return st;
}

/* Add the globs of @value, which blanks and commas separate, to those there are. */
static int set_keys(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char separators[] = " \t,";
    kvp_config_vault *vault = section;
    const char *at = value;
    size_t count = 0;
    (void)dir;

    while (vault->keys && vault->keys[count])
        count++;
    for (;;) {
        char **keys;
        size_t len;

        at += strspn(at, separators);
        len = strcspn(at, separators);
        if (len == 0)
            return vault->keys ? KVP_OK : bad(reterr);
        keys = kvp_realloc(vault->keys, (count + 2) * sizeof(*keys));
        if (!keys)
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "keys");
        vault->keys = keys;
        keys[count] = kvp_strndup(at, len);
        keys[count + 1] = NULL;
        if (!keys[count])
            return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "keys");
        count++;
        at += len;
    }
}

static int set_versions(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = { "current", "all", NULL };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);
    (void)dir;

    if (st == KVP_OK)
        ((kvp_config_vault *)section)->versions_all = at == 1;
    return st;
}

static int set_chain(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = {
        [KVP_CHAIN_AUTO] = "auto", [KVP_CHAIN_NONE] = "none", [KVP_CHAIN_FILE] = "",
        [KVP_CHAIN_SECRET] = "secret", NULL,
    };
    kvp_config_vault *vault = section;
    int at = KVP_CHAIN_FILE;
    kvp_status st;

    /* A word without / and . is rather a mistyped keyword than the name of a PEM file. */
    if (strpbrk(value, "/."))
        st = set_path(value, dir, &vault->chain_file, reterr);
    else
        st = choose(value, names, &at, reterr);
    if (st == KVP_OK)
        vault->chain = (kvp_chain_kind)at;
    return st;
}

static int set_timeout(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    unsigned seconds = 0;
    kvp_status st = set_number(value, 1, 600, &seconds, reterr);
    (void)dir;

    if (st == KVP_OK)
        ((kvp_config_vault *)section)->timeout_ms = (int64_t)seconds * 1000;
    return st;
}

static int set_protection(void *section, const char *value, const char *dir, kvp_error *reterr)
{
    static const char *const names[] = { "software", "hsm", NULL };
    int at = 0;
    kvp_status st = choose(value, names, &at, reterr);
    (void)dir;

    if (st == KVP_OK)
        ((kvp_config_vault *)section)->protection_hsm = at == 1;
    return st;
}

#define SINKS "none | file:PATH | syslog | journald | stderr"
#define FLAG "yes | no"
#define BASE_URL "https://HOST[:PORT]; http:// for loopback addresses only"

const kvp_setting kvp_settings[] = {
    { "kvpkcs11", "audit", SINKS, "none",
      "Where the audit record goes: one JSON object a line for each use of a key.", set_audit },
    { "kvpkcs11", "log", SINKS, "none", "Where diagnostics go: one line a failure.", set_log },
    { "kvpkcs11", "log_level", "error | warning | info | debug | trace", "warning",
      "How much the log says; `trace` adds a line for each call of the application.",
      set_log_level },
    { "kvpkcs11", "cache", FLAG, "yes",
      "Remember public metadata between processes; never secrets, never tokens.", set_cache },

    { "vault", "url", BASE_URL, "none: it must be given", "The vault.", set_url },
    { "vault", "kind", "auto | vault | managed-hsm", "auto",
      "What answers at a host name of your own; `auto` goes by Azure's host names.", set_kind },
    { "vault", "credential",
      "default | environment | client-secret | client-certificate | workload-identity | "
      "managed-identity | azure-cli | token-file | pin",
      "default", "The identity that the module signs in with.", set_credential },
    { "vault", "tenant", "ID or domain name", "what the environment or the vault names",
      "The Entra tenant of the identity; given, it saves a cold process one request.",
      set_tenant },
    { "vault", "client_id", "ID", "what the environment names",
      "The application, or the user-assigned managed identity.", set_client_id },
    { "vault", "client_secret", "text", "none",
      "The application's secret; the file that holds it must be private to its owner.",
      set_client_secret },
    { "vault", "client_secret_file", "PATH", "none",
      "A private file that holds the application's secret; read again for each token.",
      set_client_secret_file },
    { "vault", "client_certificate", "PATH", "none",
      "A private PEM file with the application's certificate and key.", set_client_certificate },
    { "vault", "token_file", "PATH", "what the environment names",
      "The file with the federated token of `workload-identity`, or with the access token of "
      "`token-file`.",
      set_token_file },
    { "vault", "authority", BASE_URL, "what the environment or the vault names",
      "Where tokens come from, `https://login.microsoftonline.com` in the public cloud.",
      set_authority },
    { "vault", "ca_file", "PATH", "none",
      "A PEM file of further trust anchors for this vault and its authority.", set_ca_file },
    { "vault", "keys", "globs, separated by blanks or commas; may be repeated", "*",
      "The names that applications are shown; upper and lower case are the same.", set_keys },
    { "vault", "versions", "current | all", "current",
      "Whether older versions of keys and certificates are shown, too: a request more for each name.",
      set_versions },
    { "vault", "certificates", FLAG, "yes", "Show the vault's certificates.", set_certificates },
    { "vault", "secrets", FLAG, "no", "Show the vault's secrets, as data objects.", set_secrets },
    { "vault", "read_only", FLAG, "no", "Refuse to create, change or delete anything.",
      set_read_only },
    { "vault", "chain", "auto | none | secret | PATH of a PEM file", "auto",
      "Where a certificate's issuers come from: `secret` is the secret behind it, `auto` is that "
      "secret only where the certificate's policy says that the key is not exportable.",
      set_chain },
    { "vault", "timeout", "1 to 600", "30", "Seconds for one operation, retries included.",
      set_timeout },
    { "vault", "max_connections", "1 to 64", "16", "Connections to this vault that are kept.",
      set_max_connections },
    { "vault", "api_version", "a version of the REST API", "7.4",
      "`7.6` where HMAC or AES-KWP keys are used.", set_api_version },
    { "vault", "protection", "software | hsm", "software", "What new keys are made as.",
      set_protection },
    { NULL, NULL, NULL, NULL, NULL, NULL },
};

bool kvp_config_is_secret(const char *name)
{
    return strcmp(name, "client_secret") == 0;
}
