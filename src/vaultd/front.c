/* SPDX-License-Identifier: MIT */
/* The front: see the header. Limits of what a client may hold stand at the top. */
#include "vaultd/front.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/note.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1000
#define HEADERS_MAX ((size_t)32 * 1024)
#define THREAD_STACK ((size_t)1024 * 1024)
#define DISCARD_MAX ((size_t)8 * 1024 * 1024) /* of a body that is too large anyway */
#define STOP_WAIT_MS 60000                    /* a large RSA key takes its time on a busy machine */
#define FLUSH_WAIT_MS 30000                   /* for a client that does not read its answer */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct kvp_front {
    const kvp_daemon *daemon;
    struct MHD_Daemon *http;
    unsigned idle_timeout_s;
    int listen_fd; /* -1 once libmicrohttpd closes it by itself */
    int running;   /* requests between their first line and the end of their answer; atomic */
    bool stopping; /* atomic */
};

/** An exchange and what the front needs to know about its connection. */
typedef struct visit {
    kvp_exchange *ex;
    unsigned long long announced; /* Content-Length */
    size_t received;
    bool begun;
} visit;

static void visit_free(visit *v)
{
    if (!v)
        return;
    kvp_exchange_free(v->ex);
    kvp_free(v);
}

/* Called with the request line as it came, before anything else is known. */
static void *on_request_line(void *cls, const char *uri,
                             struct MHD_Connection *connection KVP_UNUSED)
{
    kvp_front *front = cls;
    visit *v;

    /* Counted first, then looked at: kvp_front_stop does the reverse, so that a request is either
     * waited for or not begun. */
    __atomic_add_fetch(&front->running, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&front->stopping, __ATOMIC_SEQ_CST))
        return NULL;
    v = kvp_calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->ex = kvp_exchange_new(front->daemon);
    if (v->ex)
        v->ex->target = kvp_strdup(uri);
    if (!v->ex || !v->ex->target) {
        visit_free(v);
        return NULL;
    }
    return v;
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? (gnutls_session_t)info->tls_session : NULL;
}

/*
 * Send what was corked as one record. The library writes header and body of a TLS answer apart,
 * which wakes the client twice; corked, they are gathered until here.
 */
static void flush_answer(const kvp_front *front, struct MHD_Connection *connection)
{
    int wait_ms = front->idle_timeout_s * 1000 < FLUSH_WAIT_MS ? (int)front->idle_timeout_s * 1000
                                                               : FLUSH_WAIT_MS;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    gnutls_session_t session = session_of(connection);
    int off = 0;

    if (!session || !info)
        return;
    while (gnutls_record_uncork(session, 0) == GNUTLS_E_AGAIN) {
        struct pollfd writable = { info->connect_fd, POLLOUT, 0 };
        if (poll(&writable, 1, wait_ms) <= 0) {
            shutdown(info->connect_fd, SHUT_RDWR);
            return;
        }
    }
    /* The library leaves TCP_CORK set once it used it: without this the tail would wait. */
    if (setsockopt(info->connect_fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)) != 0)
        kvp_note("http: TCP_CORK: %s", strerror(errno));
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **req_cls,
                         enum MHD_RequestTerminationCode code)
{
    kvp_front *front = cls;

    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        flush_answer(front, connection);
    visit_free(*req_cls);
    *req_cls = NULL;
    __atomic_sub_fetch(&front->running, 1, __ATOMIC_ACQ_REL);
}

static void set_peer(kvp_exchange *ex, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || !info->client_addr)
        return;
    if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)info->client_addr;
        ex->peer_is_v6 = inet_ntop(AF_INET6, &in6->sin6_addr, ex->peer, sizeof(ex->peer)) != NULL;
    } else if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)info->client_addr;
        if (!inet_ntop(AF_INET, &in->sin_addr, ex->peer, sizeof(ex->peer)))
            ex->peer[0] = '\0';
    }
}

static void set_tls_version(kvp_exchange *ex, struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);

    if (session)
        ex->tls_version =
            gnutls_protocol_get_version(session) == GNUTLS_TLS1_3 ? "TLS1_3" : "TLS1_2";
}

/* Headers of the request into the exchange; false without memory. */
static bool begin(visit *v, struct MHD_Connection *connection, const char *method)
{
    kvp_exchange *ex = v->ex;
    const struct {
        const char *name;
        char **dst;
    } wanted[] = { { MHD_HTTP_HEADER_HOST, &ex->host },
                   { MHD_HTTP_HEADER_AUTHORIZATION, &ex->authorization },
                   { MHD_HTTP_HEADER_ACCEPT, &ex->accept },
                   { MHD_HTTP_HEADER_USER_AGENT, &ex->user_agent },
                   { "x-ms-client-request-id", &ex->client_request_id } };

    ex->method = kvp_strdup(method);
    for (size_t i = 0; i < KVP_ARRAY_LEN(wanted); i++) {
        const char *value =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, wanted[i].name);
        *wanted[i].dst = kvp_strdup(value);
        if (value && !*wanted[i].dst)
            return false;
    }
    set_peer(ex, connection);
    set_tls_version(ex, connection);
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    v->announced = length ? strtoull(length, NULL, 10) : 0;
    v->begun = true;
    if (!ex->method)
        return false;
    ex->body.max = kvp_exchange_body_limit(ex);
    ex->body_too_large = v->announced > ex->body.max;
    return true;
}

static void add_date(struct MHD_Response *response)
{
    char text[40];
    time_t now = (time_t)kvp_ident_now();
    struct tm tm = { 0 };

    gmtime_r(&now, &tm);
    if (strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, text);
}

/* Half of the reply, then an error: the library ends the connection in the middle of the body. */
static ssize_t half_reply(void *cls, uint64_t pos, char *buf, size_t max)
{
    const kvp_exchange *ex = cls;
    size_t half = ex->reply.len / 2;

    if (pos >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = half - (size_t)pos < max ? half - (size_t)pos : max;
    memcpy(buf, ex->reply.data + pos, len);
    return (ssize_t)len;
}

/* Closing with a linger time of zero sends RST instead of FIN (RFC 9293 §3.10.5). */
static void reset_connection(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger now = { 1, 0 };

    if (!info || setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) != 0)
        kvp_note("http: SO_LINGER: %s", strerror(errno));
}

static enum MHD_Result answer(kvp_front *front, kvp_exchange *ex, struct MHD_Connection *connection)
{
    struct MHD_Response *response;
    bool close_after = ex->body_too_large || __atomic_load_n(&front->stopping, __ATOMIC_ACQUIRE);

    kvp_exchange_run(ex);
    kvp_fault_action fault = kvp_fault_on_wire(ex->fault);
    if (fault == KVP_FAULT_RESET) {
        reset_connection(connection);
        return MHD_NO;
    }
    /* The exchange outlives the answer: it is freed when the request is completed. */
    if (fault == KVP_FAULT_TRUNCATE)
        response = MHD_create_response_from_callback(ex->reply.len, 4096, half_reply, ex, NULL);
    else
        response =
            MHD_create_response_from_buffer(ex->reply.len, ex->reply.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < ex->header_count; i++)
        MHD_add_response_header(response, ex->headers[i].name, ex->headers[i].value);
    if (!kvp_exchange_is_hsm(ex))
        add_date(response);
    if (close_after)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    gnutls_session_t session = session_of(connection);
    if (session && fault == KVP_FAULT_NONE)
        gnutls_record_cork(session);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)ex->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Keep a piece of the body, or only count it when there is too much of it. */
static enum MHD_Result receive(visit *v, const char *data, size_t *size)
{
    kvp_exchange *ex = v->ex;

    v->received += *size;
    if (!ex->body_too_large && kvp_buf_append(&ex->body, data, *size) != KVP_OK) {
        ex->body_too_large = true;
        kvp_buf_clear(&ex->body);
    }
    *size = 0;
    return ex->body_too_large && v->received > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
                                  const char *url KVP_UNUSED, const char *method,
                                  const char *version KVP_UNUSED, const char *upload_data,
                                  size_t *upload_data_size, void **req_cls)
{
    kvp_front *front = cls;
    visit *v = *req_cls;

    if (!v)
        return MHD_NO;
    if (!v->begun) {
        if (!begin(v, connection, method))
            return MHD_NO;
        /* Closing with unread bytes would reset the connection, and the answer could be lost: what
         * is too large is read and dropped, unless it announces itself as larger than we care for.
         */
        return v->ex->body_too_large && v->announced > DISCARD_MAX
                   ? answer(front, v->ex, connection)
                   : MHD_YES;
    }
    if (*upload_data_size > 0)
        return receive(v, upload_data, upload_data_size);
    return answer(front, v->ex, connection);
}

static void on_log(void *cls KVP_UNUSED, const char *format, va_list args) KVP_PRINTF(2, 0);
static void on_log(void *cls KVP_UNUSED, const char *format, va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    kvp_note("http: %s", text);
}

/* GnuTLS asks for a certificate and gives its callback no word of ours; a process has one front. */
static kvp_tls *serving; /* atomic */

static int on_certificate(gnutls_session_t session, const gnutls_datum_t *issuers KVP_UNUSED,
                          int issuer_count KVP_UNUSED,
                          const gnutls_pk_algorithm_t *algorithms KVP_UNUSED,
                          int algorithm_count KVP_UNUSED, gnutls_pcert_st **ret_chain,
                          unsigned *ret_length, gnutls_privkey_t *ret_key)
{
    char host[256] = "";
    size_t size = sizeof(host);
    unsigned type = GNUTLS_NAME_DNS;

    if (gnutls_server_name_get(session, host, &size, &type, 0) != GNUTLS_E_SUCCESS)
        host[0] = '\0';
    if (!kvp_tls_choose(__atomic_load_n(&serving, __ATOMIC_ACQUIRE), host, ret_chain, ret_key))
        return -1;
    *ret_length = 1;
    return 0;
}

static struct MHD_Daemon *start_http(kvp_front *front)
{
    /* A Managed HSM's answers have no Date, a vault's do: see add_date. */
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_TLS | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     MHD_USE_SUPPRESS_DATE_NO_CLOCK;

    /* The logger comes first: it is only used for options that follow it. */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, front, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, front->listen_fd, MHD_OPTION_HTTPS_CERT_CALLBACK, on_certificate,
        MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, front->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADERS_MAX, MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, front, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, front, MHD_OPTION_END);
}

kvp_status kvp_front_start(const kvp_daemon *daemon, int fd, kvp_tls *tls, unsigned idle_timeout_s,
                           kvp_front **ret_front, kvp_error *reterr)
{
    kvp_front *front = kvp_calloc(1, sizeof(*front));

    if (!front) {
        close(fd);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "HTTP front");
    }
    front->daemon = daemon;
    front->listen_fd = fd;
    front->idle_timeout_s = idle_timeout_s;
    __atomic_store_n(&serving, tls, __ATOMIC_RELEASE);
    front->http = start_http(front);
    if (!front->http) {
        close(fd);
        kvp_free(front);
        return kvp_error_set(reterr, KVP_ERR_IO, "the HTTP server cannot be started");
    }
    *ret_front = front;
    return KVP_OK;
}

void kvp_front_stop(kvp_front *front)
{
    if (!front)
        return;
    __atomic_store_n(&front->stopping, true, __ATOMIC_SEQ_CST);
    int fd = MHD_quiesce_daemon(front->http);
    int64_t until = kvp_clock_mono_ms() + STOP_WAIT_MS;
    while (__atomic_load_n(&front->running, __ATOMIC_SEQ_CST) > 0 && kvp_clock_mono_ms() < until)
        kvp_clock_sleep_ms(5);
    MHD_stop_daemon(front->http);
    if (fd >= 0)
        close(fd);
    kvp_free(front);
}
