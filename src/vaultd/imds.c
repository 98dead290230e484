/* SPDX-License-Identifier: MIT */
/* The managed identity endpoints over HTTP. */
#include "vaultd/imds.h"

#include "base/alloc.h"
#include "vaultd/files.h"
#include "vaultd/listen.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define IDLE_TIMEOUT_S 30

struct kvp_imds {
    const kvp_daemon *daemon;
    const char *const *identities;
    char secret[KVP_SECRET_SIZE];
    struct MHD_Daemon *http;
};

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version KVP_UNUSED,
                                  const char *upload_data KVP_UNUSED, size_t *upload_data_size,
                                  void **req_cls)
{
    static int begun;
    const kvp_imds *imds = cls;
    kvp_imds_request request = { .method = method, .path = url };
    const struct {
        const char *name;
        enum MHD_ValueKind kind;
        const char **dst;
    } values[] = {
        { "api-version", MHD_GET_ARGUMENT_KIND, &request.api_version },
        { "resource", MHD_GET_ARGUMENT_KIND, &request.resource },
        { "client_id", MHD_GET_ARGUMENT_KIND, &request.client_id },
        { "object_id", MHD_GET_ARGUMENT_KIND, &request.object_id },
        { "principal_id", MHD_GET_ARGUMENT_KIND, &request.object_id },
        { "msi_res_id", MHD_GET_ARGUMENT_KIND, &request.resource_id },
        { "mi_res_id", MHD_GET_ARGUMENT_KIND, &request.resource_id },
        { "Metadata", MHD_HEADER_KIND, &request.metadata },
        { "X-IDENTITY-HEADER", MHD_HEADER_KIND, &request.identity_header },
        { "X-Forwarded-For", MHD_HEADER_KIND, &request.forwarded_for },
    };
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    json_t *document = NULL;

    if (!*req_cls) {
        *req_cls = &begun;
        return MHD_YES;
    }
    if (*upload_data_size > 0) { /* nothing that is asked for has a body */
        *upload_data_size = 0;
        return MHD_YES;
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(values); i++) {
        const char *value = MHD_lookup_connection_value(connection, values[i].kind, values[i].name);
        if (value)
            *values[i].dst = value;
    }
    int status = kvp_imds_answer(imds->daemon, imds->identities, imds->secret, &request, &document);
    if (!document || kvp_json_write(document, false, &text) != KVP_OK)
        status = 500;
    json_decref(document);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_COPY);
    kvp_buf_clear(&text);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            "application/json; charset=utf-8");
    MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "IMDS/150.870.65.1854");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

/* Loopback, or the address that clients know without being told, once it is on the loopback device.
 */
static bool is_local(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return false;
    if (address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address)->sin6_addr);
    in_addr_t host = ntohl(((const struct sockaddr_in *)&address)->sin_addr.s_addr);
    return host >> 24 == 127 || host == 0xa9fea9feU;
}

/* What a shell reads so that clients find the endpoints. */
static kvp_status write_env(const kvp_imds *imds, const kvp_listener *listener, const char *path,
                            kvp_error *reterr)
{
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    kvp_status status = kvp_buf_append_fmt(&text,
                                           "# For clients that use a managed identity: as on a "
                                           "virtual machine, or as in App Service.\n"
                                           "AZURE_POD_IDENTITY_AUTHORITY_HOST=http://%s:%u\n"
                                           "IDENTITY_ENDPOINT=http://%s:%u/msi/token\n"
                                           "IDENTITY_HEADER=%s\n",
                                           listener->host, listener->port, listener->host,
                                           listener->port, imds->secret);

    if (status == KVP_OK)
        status = kvp_file_write(path, text.data, text.len, 0600, reterr);
    kvp_buf_clear(&text);
    return status;
}

static kvp_status check_identities(const kvp_daemon *daemon, const char *const *identities,
                                   kvp_error *reterr)
{
    kvp_principal principal;
    kvp_status status = KVP_OK;

    for (; *identities && status == KVP_OK; identities++)
        status = kvp_store_principal_find(daemon->store, *identities, &principal, reterr);
    return status == KVP_ERR_NOT_FOUND ? KVP_ERR_INVALID : status;
}

kvp_status kvp_imds_start(const kvp_daemon *daemon, const char *address,
                          const char *const *identities, const char *env_path, kvp_imds **ret_imds,
                          kvp_error *reterr)
{
    kvp_imds *imds = kvp_calloc(1, sizeof(*imds));
    kvp_listener listener = { .fd = -1 };
    kvp_status status = imds ? check_identities(daemon, identities, reterr) : KVP_ERR_NO_MEMORY;

    if (status == KVP_OK) {
        imds->daemon = daemon;
        imds->identities = identities;
        if (kvp_ident_secret(imds->secret) != KVP_OK)
            status = kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
    }
    if (status == KVP_OK)
        status = kvp_listen_open(address, &listener, reterr);
    if (status == KVP_OK && (listener.wildcard || !is_local(listener.fd)))
        status =
            kvp_error_set(reterr, KVP_ERR_INVALID,
                          "--imds gives tokens to whoever asks: it wants a loopback address, not "
                          "%s",
                          address);
    if (status == KVP_OK)
        status = write_env(imds, &listener, env_path, reterr);
    if (status == KVP_OK) {
        imds->http = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC,
                                      0, NULL, NULL, on_request, imds, MHD_OPTION_LISTEN_SOCKET,
                                      listener.fd, MHD_OPTION_CONNECTION_LIMIT,
                                      (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                      (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_END);
        if (!imds->http)
            status = kvp_error_set(reterr, KVP_ERR_IO, "the metadata server cannot be started");
        else
            listener.fd = -1;
    }
    kvp_listen_close(&listener);
    if (status != KVP_OK) {
        kvp_imds_stop(imds);
        return status;
    }
    *ret_imds = imds;
    return KVP_OK;
}

void kvp_imds_stop(kvp_imds *imds)
{
    if (!imds)
        return;
    if (imds->http)
        MHD_stop_daemon(imds->http);
    kvp_wipe(imds->secret, sizeof(imds->secret));
    kvp_free(imds);
}
