/* SPDX-License-Identifier: MIT */
/* Keeping a certificate that is good for every vault. */
#include "vaultd/tls.h"

#include "base/alloc.h"
#include "base/lock.h"
#include "vaultd/note.h"

#include <stdio.h>
#include <string.h>

#define DAY 86400
#define NAME_SIZE 290 /* a vault's name, a dot and a host */

/** One certificate; older ones stay until the end, as a handshake may still use them. */
typedef struct credential {
    gnutls_pcert_st chain;
    gnutls_privkey_t key;
    char (*names)[NAME_SIZE];
    size_t name_count;
    int64_t renewal; /* when another one is due, Unix seconds */
    struct credential *older;
} credential;

struct kvp_tls {
    const kvp_datadir *dir;
    const kvp_daemon *daemon;
    kvp_lock lock; /* held while a certificate is made: rare, and others want it, too */
    credential *newest;
    KVP_GUARDED_BY(lock)
    int64_t renewed; /* when that was last tried */
    KVP_GUARDED_BY(lock)
};

static void credential_free(credential *c)
{
    if (!c)
        return;
    gnutls_pcert_deinit(&c->chain);
    gnutls_privkey_deinit(c->key);
    kvp_free(c->names);
    kvp_free(c);
}

static bool is_dns_name(const char *host)
{
    return host[0] != '[' && strspn(host, "0123456789.") != strlen(host);
}

/*
 * Our names, then NAME.HOST of each vault. `*.localhost` is there for those who take it, but most
 * libraries want two labels behind the star, so each vault is named as well.
 */
static kvp_status list_names(kvp_tls *tls, credential *c, kvp_error *reterr)
{
    const kvp_daemon *d = tls->daemon;
    kvp_vault_info *vaults = NULL;
    size_t count = 0;
    kvp_status status = kvp_store_vault_list(d->store, &vaults, &count, reterr);

    if (status != KVP_OK)
        return status;
    c->names = kvp_calloc((count + 2) * (d->host_count + 1), NAME_SIZE);
    for (size_t h = 0; h < d->host_count && c->names; h++)
        snprintf(c->names[c->name_count++], NAME_SIZE, "%s", d->hosts[h]);
    for (size_t h = 0; h < d->host_count && c->names; h++) {
        if (!is_dns_name(d->hosts[h]))
            continue;
        if (kvp_ident_casecmp(d->hosts[h], "localhost") == 0)
            snprintf(c->names[c->name_count++], NAME_SIZE, "*.localhost");
        for (size_t v = 0; v < count; v++) {
            char name[NAME_SIZE];
            snprintf(name, sizeof(name), "%s.%s", vaults[v].name, d->hosts[h]);
            kvp_ident_lower(c->names[c->name_count++], NAME_SIZE, name);
        }
    }
    kvp_free(vaults);
    return c->names ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "TLS names");
}

static kvp_status read_pair(credential *c, const kvp_cert_pair *pair, kvp_error *reterr)
{
    gnutls_datum_t cert = { pair->certificate.data, (unsigned)pair->certificate.len };
    gnutls_datum_t key = { pair->key.data, (unsigned)pair->key.len };

    if (gnutls_privkey_init(&c->key) != 0 ||
        gnutls_privkey_import_x509_raw(c->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0) != 0 ||
        gnutls_pcert_import_x509_raw(&c->chain, &cert, GNUTLS_X509_FMT_PEM, 0) != 0)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "the TLS certificate cannot be used");
    c->renewal = kvp_cert_renewal(&pair->certificate);
    return KVP_OK;
}

/* A certificate for all names of now: the one on disk if it still serves, else a new one. */
static kvp_status load(kvp_tls *tls, kvp_error *reterr)
{
    kvp_cert_pair pair = { .certificate = KVP_BUF_INIT(0) };
    credential *c = kvp_calloc(1, sizeof(*c));
    kvp_status status = c ? list_names(tls, c, reterr) : KVP_ERR_NO_MEMORY;
    const char **names = status == KVP_OK ? kvp_calloc(c->name_count, sizeof(*names)) : NULL;

    if (status == KVP_OK && !names)
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "TLS names");
    for (size_t i = 0; status == KVP_OK && i < c->name_count; i++)
        names[i] = c->names[i];
    if (status == KVP_OK)
        status = kvp_datadir_tls(tls->dir, names, c->name_count, &pair, reterr);
    if (status == KVP_OK)
        status = read_pair(c, &pair, reterr);
    kvp_cert_pair_clear(&pair);
    kvp_free(names);
    if (status != KVP_OK) {
        credential_free(c);
        return status;
    }
    c->older = tls->newest;
    tls->newest = c;
    return KVP_OK;
}

kvp_status kvp_tls_open(const kvp_datadir *dir, const kvp_daemon *daemon, kvp_tls **ret_tls,
                        kvp_error *reterr)
{
    kvp_tls *tls = kvp_calloc(1, sizeof(*tls));

    if (!tls || kvp_lock_init(&tls->lock, KVP_RANK_SLOT) != KVP_OK) {
        kvp_free(tls);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "TLS");
    }
    tls->dir = dir;
    tls->daemon = daemon;
    kvp_status status = load(tls, reterr);
    if (status != KVP_OK) {
        kvp_tls_close(tls);
        return status;
    }
    *ret_tls = tls;
    return KVP_OK;
}

void kvp_tls_close(kvp_tls *tls)
{
    if (!tls)
        return;
    while (tls->newest) {
        credential *next = tls->newest->older;
        credential_free(tls->newest);
        tls->newest = next;
    }
    kvp_lock_clear(&tls->lock);
    kvp_free(tls);
}

static bool has_name(const credential *c, const char *host)
{
    for (size_t i = 0; i < c->name_count; i++) {
        if (kvp_ident_casecmp(c->names[i], host) == 0)
            return true;
    }
    return false;
}

/* Exchange the certificate of a daemon that runs for years. Tried once a day: near the end of the
 * authority itself every certificate is of less than 30 days. */
static void renew(kvp_tls *tls)
{
    kvp_error error = { .status = KVP_OK };
    int64_t now = kvp_ident_now();

    if (now < tls->newest->renewal || (tls->renewed > 0 && now < tls->renewed + DAY))
        return;
    tls->renewed = now;
    if (load(tls, &error) != KVP_OK)
        kvp_note("a certificate for the time to come: %s", error.message);
}

bool kvp_tls_choose(kvp_tls *tls, const char *host, gnutls_pcert_st **ret_chain,
                    gnutls_privkey_t *ret_key)
{
    kvp_error error = { .status = KVP_OK };
    kvp_vault_info vault;
    char label[64];

    kvp_lock_take(&tls->lock);
    renew(tls);
    if (*host && !has_name(tls->newest, host) &&
        kvp_daemon_vault_label(tls->daemon, host, label, sizeof(label)) &&
        kvp_store_vault_find(tls->daemon->store, label, &vault, NULL) == KVP_OK &&
        load(tls, &error) != KVP_OK)
        kvp_note("a certificate for %s: %s", label, error.message);
    *ret_chain = &tls->newest->chain;
    *ret_key = tls->newest->key;
    kvp_lock_give(&tls->lock);
    return true;
}
