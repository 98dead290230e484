/* SPDX-License-Identifier: MIT */
/* Putting the parts together, in the order in which each can fail cleanly. */
#include "vaultd/daemon.h"

#include "base/alloc.h"
#include "vaultd/datadir.h"
#include "vaultd/front.h"
#include "vaultd/keeper.h"
#include "vaultd/imds.h"
#include "vaultd/listen.h"
#include "vaultd/note.h"
#include "vaultd/token_home.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHED_KEYS 4096
#define IDLE_TIMEOUT_S 120

struct kvp_service {
    kvp_datadir dir;
    kvp_daemon daemon;
    kvp_listener listener;
    kvp_front *front;
    kvp_tls *tls;
    kvp_keeper *keeper;
    kvp_imds *imds;
    const char *identities[KVP_IDENTITIES_MAX + 1];
    char url[300];      /* with the port, always: for people */
    char base_url[300]; /* as identifiers have it: without port 443 */
};

static void add_host(kvp_daemon *daemon, const char *host)
{
    for (size_t i = 0; i < daemon->host_count; i++) {
        if (strcmp(daemon->hosts[i], host) == 0)
            return;
    }
    if (daemon->host_count < KVP_HOSTS_MAX)
        snprintf(daemon->hosts[daemon->host_count++], sizeof(daemon->hosts[0]), "%s", host);
}

/* The name we were told first; then those of the loopback; with a wildcard the machine's own. */
static void set_hosts(kvp_service *service)
{
    kvp_daemon *d = &service->daemon;
    char name[256] = "";

    d->port = service->listener.port;
    add_host(d, service->listener.host);
    add_host(d, "localhost");
    add_host(d, "127.0.0.1");
    add_host(d, "[::1]");
    if (service->listener.wildcard && gethostname(name, sizeof(name) - 1) == 0 && *name)
        add_host(d, name);
    snprintf(service->url, sizeof(service->url), "https://%s:%u", service->listener.host, d->port);
    if (d->port == 443)
        snprintf(service->base_url, sizeof(service->base_url), "https://%s",
                 service->listener.host);
    else
        snprintf(service->base_url, sizeof(service->base_url), "%s", service->url);
}

static kvp_status open_log(kvp_service *service, kvp_error *reterr)
{
    char *path = kvp_datadir_file(&service->dir, KVP_DATADIR_LOG);
    kvp_status status = KVP_OK;

    if (!path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "log");
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        status = kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    if (status == KVP_OK)
        status = kvp_usage_log_open(path, &service->daemon.log, reterr);
    kvp_free(path);
    return status;
}

static kvp_status start_front(kvp_service *service, unsigned idle_timeout_s, kvp_error *reterr)
{
    kvp_status status = kvp_tls_open(&service->dir, &service->daemon, &service->tls, reterr);

    if (status == KVP_OK) {
        int fd = service->listener.fd;
        service->listener.fd = -1;
        status = kvp_front_start(&service->daemon, fd, service->tls, idle_timeout_s,
                                 &service->front, reterr);
    }
    return status;
}

static kvp_status start_imds(kvp_service *service, const kvp_options *options, kvp_error *reterr)
{
    char *path = kvp_datadir_file(&service->dir, KVP_DATADIR_IDENTITY_ENV);
    kvp_status status = path ? KVP_OK : KVP_ERR_NO_MEMORY;

    memcpy(service->identities, options->identities, sizeof(service->identities));
    if (status == KVP_OK)
        status = kvp_imds_start(&service->daemon, options->imds, service->identities, path,
                                &service->imds, reterr);
    kvp_free(path);
    return status;
}

/* A connection is a descriptor; the usual soft limit of 1024 would be reached before ours. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 8192 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            kvp_note("the limit of open files stays as it is: %s", strerror(errno));
    }
}

kvp_status kvp_service_start(const kvp_options *options, kvp_service **ret_service,
                             kvp_error *reterr)
{
    kvp_service *service = kvp_calloc(1, sizeof(*service));
    kvp_status status;

    if (!service)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "service");
    service->dir.lock_fd = service->listener.fd = -1;
    service->daemon.token_lifetime_s = options->token_lifetime_s;
    service->daemon.certificate_delay_s = options->certificate_delay_s;
    raise_descriptor_limit();
    status = kvp_datadir_take(options->data, &service->dir, reterr);
    if (status == KVP_OK)
        status = kvp_listen_open(options->listen, &service->listener, reterr);
    if (status == KVP_OK) {
        set_hosts(service);
        status = kvp_datadir_open_store(&service->dir, options->kind_given ? &options->kind : NULL,
                                        service->base_url, &service->daemon.store,
                                        &service->daemon.vault, reterr);
    }
    if (status == KVP_OK)
        status = kvp_store_purge_due(service->daemon.store, kvp_ident_now(), reterr);
    if (status == KVP_OK)
        status = open_log(service, reterr);
    if (status == KVP_OK && !(service->daemon.cache = kvp_key_cache_new(CACHED_KEYS)))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "key cache");
    if (status == KVP_OK)
        status = kvp_token_home_open(service->daemon.store, &service->daemon.vault, options,
                                     &service->daemon.token, reterr);
    if (status == KVP_OK)
        kvp_key_cache_use_token(service->daemon.cache, service->daemon.token);
    if (status == KVP_OK && options->allow_faults && !(service->daemon.faults = kvp_faults_new()))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "faults");
    if (status == KVP_OK && options->throttle && !(service->daemon.throttle = kvp_throttle_new()))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "throttle");
    if (status == KVP_OK)
        status = kvp_datadir_retarget(&service->dir, service->daemon.vault.name, service->base_url,
                                      reterr);
    /* Sub-commands show identifiers as the daemon would. */
    if (status == KVP_OK)
        status = kvp_store_setting_put(service->daemon.store, &service->daemon.vault,
                                       KVP_SETTING_URL, service->base_url, reterr);
    if (status == KVP_OK)
        status = start_front(
            service, options->idle_timeout_s ? options->idle_timeout_s : IDLE_TIMEOUT_S, reterr);
    if (status == KVP_OK)
        status = kvp_keeper_start(&service->daemon,
                                  options->certificate_delay_s > 0 ? KVP_KEEPER_QUICK_MS
                                                                   : KVP_KEEPER_INTERVAL_MS,
                                  &service->keeper, reterr);
    if (status == KVP_OK && options->imds)
        status = start_imds(service, options, reterr);
    if (status != KVP_OK) {
        kvp_service_stop(service);
        return status;
    }
    *ret_service = service;
    return KVP_OK;
}

void kvp_service_stop(kvp_service *service)
{
    if (!service)
        return;
    kvp_imds_stop(service->imds);
    kvp_front_stop(service->front);
    kvp_keeper_stop(service->keeper);
    kvp_tls_close(service->tls);
    kvp_listen_close(&service->listener);
    kvp_key_cache_free(service->daemon.cache);
    kvp_token_close(service->daemon.token);
    kvp_faults_free(service->daemon.faults);
    kvp_throttle_free(service->daemon.throttle);
    kvp_usage_log_close(service->daemon.log);
    kvp_store_close(service->daemon.store);
    kvp_datadir_clear(&service->dir);
    kvp_free(service);
}

const char *kvp_service_url(const kvp_service *service)
{
    return service->url;
}

kvp_status kvp_service_reopen_logs(kvp_service *service, kvp_error *reterr)
{
    return kvp_usage_log_reopen(service->daemon.log, reterr);
}
