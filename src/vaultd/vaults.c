/* SPDX-License-Identifier: MIT */
/* Which vault a request is for: read from its Host, looked up anew each time, as vaults come and
 * go. */
#include "vaultd/exchange.h"

#include <stdio.h>
#include <string.h>

/* An address has labels too, but none that could name a vault. */
static bool is_address(const char *host)
{
    return host[0] == '[' || strspn(host, "0123456789.") == strlen(host);
}

bool kvp_daemon_vault_label(const kvp_daemon *daemon, const char *host, char *dst, size_t size)
{
    const char *dot = strchr(host, '.');

    if (!dot || dot == host || is_address(host) || (size_t)(dot - host) >= size)
        return false;
    for (size_t i = 0; i < daemon->host_count; i++) {
        if (is_address(daemon->hosts[i]) || kvp_ident_casecmp(dot + 1, daemon->hosts[i]) != 0)
            continue;
        memcpy(dst, host, (size_t)(dot - host));
        dst[dot - host] = '\0';
        return true;
    }
    return false;
}

/* Host without its port, in lower case, as identifiers show it; "" when there is none or it is too
 * long. */
static void read_host(const kvp_exchange *ex, char *dst, size_t size)
{
    const char *host = ex->host ? ex->host : "";
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

    dst[0] = '\0';
    if (len > strlen(host) || len >= size)
        return;
    for (size_t i = 0; i < len; i++)
        dst[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] - 'A' + 'a') : host[i];
    dst[len] = '\0';
}

bool kvp_exchange_select_vault(kvp_exchange *ex, kvp_error *ret_error)
{
    kvp_daemon *d = &ex->view;
    char host[256], label[64], port[16] = "";
    const char *name = d->hosts[0];
    kvp_status status = KVP_OK;

    read_host(ex, host, sizeof(host));
    if (d->port != 443)
        snprintf(port, sizeof(port), ":%u", d->port);
    for (size_t i = 0; i < d->host_count; i++) {
        if (kvp_ident_casecmp(host, d->hosts[i]) == 0)
            name = d->hosts[i];
    }
    if (!ex->local && kvp_daemon_vault_label(d, host, label, sizeof(label))) {
        kvp_vault_info found;
        name = host;
        status = kvp_store_vault_find(d->store, label, &found, ret_error);
        if (status == KVP_OK)
            d->vault = found;
    } else if (!ex->local) { /* its recovery level may have been changed since the start */
        kvp_vault_info found;
        status = kvp_store_vault_find(d->store, d->vault.name, &found, ret_error);
        if (status == KVP_OK)
            d->vault = found;
    }
    snprintf(ex->host_name, sizeof(ex->host_name), "%s", name);
    snprintf(ex->base_url, sizeof(ex->base_url), "https://%s%s", name, port);
    return status == KVP_OK;
}
