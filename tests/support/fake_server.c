/* SPDX-License-Identifier: MIT */
/* The server for tests; see fake_server.h. Errors of its own end the test program. */
#include "config.h"

#include "tests/support/fake_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define MAX_REQUESTS 4096
#define MAX_CONNECTIONS 512
#define MAX_HEAD 65536

struct fake_server {
    fake_options options;
    char url[64];
    char ca_file[64];
    unsigned port;
    int listener;
    bool stopping;
    OSSL_LIB_CTX *lib; /* its own: tests play with the process-wide one */
    OSSL_PROVIDER *provider;
    SSL_CTX *tls;
    pthread_mutex_t lock, handler_lock;
    pthread_t acceptor;
    pthread_t threads[MAX_CONNECTIONS];
    int fds[MAX_CONNECTIONS]; /* -1: closed */
    unsigned connections, count, scripted;
    fake_request *requests[MAX_REQUESTS];
};

typedef struct connection {
    fake_server *server;
    unsigned number;
    int fd;
    SSL *ssl;
    char *head;
    size_t have;
} connection;

static void check(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

/* ---- certificates ---- */

static X509 *make_certificate(OSSL_LIB_CTX *lib, const char *name, EVP_PKEY *key, X509 *issuer,
                              EVP_PKEY *issuer_key, const char *alt_names, long until)
{
    X509 *cert = X509_new_ex(lib, NULL);
    EVP_MD *digest = EVP_MD_fetch(lib, "SHA256", NULL);
    X509_NAME *subject;
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    check(cert && X509_set_version(cert, 2), "certificate");
    ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)(time(NULL) & 0xffffff) + (issuer ? 1 : 0));
    X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
    X509_gmtime_adj(X509_getm_notAfter(cert), until);
    subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(cert, key);
    X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, alt_names ? NID_subject_alt_name : NID_basic_constraints,
                              alt_names ? alt_names : "critical,CA:TRUE");
    check(ext && X509_add_ext(cert, ext, -1), "extension");
    X509_EXTENSION_free(ext);
    check(X509_sign(cert, issuer ? issuer_key : key, digest) > 0, "signature");
    EVP_MD_free(digest);
    return cert;
}

static void setup_tls(fake_server *s)
{
    EVP_PKEY *ca_key, *key;
    X509 *ca, *cert;
    char names[256];
    FILE *file;
    int fd;

    s->lib = OSSL_LIB_CTX_new();
    s->provider = OSSL_PROVIDER_load(s->lib, "default");
    ca_key = EVP_PKEY_Q_keygen(s->lib, NULL, "EC", "P-256");
    key = EVP_PKEY_Q_keygen(s->lib, NULL, "EC", "P-256");
    check(s->provider && ca_key && key, "keys");
    snprintf(names, sizeof(names),
             s->options.tls_wrong_host ? "DNS:elsewhere.%s" : "DNS:%s,IP:127.0.0.1",
             s->options.tls_name);
    ca = make_certificate(s->lib, "Authority of a test", ca_key, NULL, NULL, NULL, 7200);
    cert = make_certificate(s->lib, s->options.tls_name, key, ca, ca_key, names,
                            s->options.tls_expired ? -3600 : 7200);
    s->tls = SSL_CTX_new_ex(s->lib, NULL, TLS_server_method());
    check(s->tls && SSL_CTX_use_certificate(s->tls, cert) == 1 &&
              SSL_CTX_use_PrivateKey(s->tls, key) == 1,
          "TLS");
    snprintf(s->ca_file, sizeof(s->ca_file), "/tmp/fake-server-ca-XXXXXX");
    fd = mkstemp(s->ca_file);
    check(fd >= 0, "mkstemp");
    file = fdopen(fd, "w");
    check(file && PEM_write_X509(file, ca) && fclose(file) == 0, s->ca_file);
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

/* ---- bytes ---- */

static ssize_t get_bytes(connection *c, char *dst, size_t size)
{
    return c->ssl ? SSL_read(c->ssl, dst, (int)size) : recv(c->fd, dst, size, 0);
}

static bool put_bytes(connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put =
            c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);

        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

static bool stopping(fake_server *s)
{
    bool yes;

    pthread_mutex_lock(&s->lock);
    yes = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

static void nap(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

/* ---- requests ---- */

bool fake_request_header(const fake_request *request, const char *name, char *dst, size_t size)
{
    size_t len = strlen(name);

    for (const char *line = request->headers; line && *line;) {
        const char *end = strstr(line, "\r\n");
        size_t line_len = end ? (size_t)(end - line) : strlen(line);

        if (line_len > len && line[len] == ':' && strncasecmp(line, name, len) == 0) {
            const char *value = line + len + 1;

            value += strspn(value, " ");
            snprintf(dst, size, "%.*s", (int)(line + line_len - value), value);
            return true;
        }
        line = end ? end + 2 : NULL;
    }
    return false;
}

static void reset(connection *c)
{
    struct linger now = { 1, 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Read up to the empty line, then the body. NULL when the client has gone. */
static fake_request *read_request(connection *c)
{
    fake_request *request;
    char *end, *line_end, length[32];
    size_t head_len;

    while (!(end = c->have ? strstr(c->head, "\r\n\r\n") : NULL)) {
        ssize_t got;

        check(c->have < MAX_HEAD, "request head");
        got = get_bytes(c, c->head + c->have, MAX_HEAD - c->have);
        if (got <= 0)
            return NULL;
        c->have += (size_t)got;
        c->head[c->have] = '\0';
    }
    request = calloc(1, sizeof(*request));
    check(request != NULL, "memory");
    request->connection = c->number;
    head_len = (size_t)(end - c->head) + 4;
    line_end = strstr(c->head, "\r\n");
    check(sscanf(c->head, "%15s %2047s", request->method, request->target) == 2, "request line");
    request->headers = strndup(line_end + 2, head_len - 4 - (size_t)(line_end - c->head));
    if (fake_request_header(request, "Content-Length", length, sizeof(length)))
        request->body_len = strtoul(length, NULL, 10);
    request->body = calloc(1, request->body_len + 1);
    check(request->headers && request->body, "memory");
    if (c->server->options.abort_uploads && request->body_len > 0) {
        shutdown(c->fd, SHUT_WR);
        nap(20);
        reset(c);
        free(request->headers);
        free(request->body);
        free(request);
        return NULL;
    }
    for (size_t have = 0; have < request->body_len;) {
        size_t rest = c->have - head_len, want = request->body_len - have;
        ssize_t got;

        if (rest > 0) {
            size_t take = rest < want ? rest : want;

            memcpy(request->body + have, c->head + head_len, take);
            memmove(c->head + head_len, c->head + head_len + take, rest - take);
            c->have -= take;
            have += take;
            continue;
        }
        got = get_bytes(c, request->body + have, want);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    memmove(c->head, c->head + head_len, c->have - head_len);
    c->have -= head_len;
    c->head[c->have] = '\0';
    return request;
}

static void choose_reply(fake_server *s, fake_request *request, fake_reply *reply)
{
    pthread_mutex_lock(&s->lock);
    check(s->count < MAX_REQUESTS, "too many requests");
    s->requests[s->count++] = request;
    if (s->options.script_len > 0) {
        *reply = s->options.script[s->scripted];
        if (s->scripted + 1 < s->options.script_len)
            s->scripted++;
    }
    pthread_mutex_unlock(&s->lock);
    if (s->options.handle) {
        pthread_mutex_lock(&s->handler_lock);
        s->options.handle(s->options.user, request, reply);
        pthread_mutex_unlock(&s->handler_lock);
    }
}

/* ---- answers ---- */

/* Send @reply; whether the connection goes on. */
static bool send_reply(connection *c, const fake_request *request, const fake_reply *reply)
{
    const char *body = reply->body ? reply->body : "";
    size_t len = reply->body_len ? reply->body_len : strlen(body);
    bool head_only = strcmp(request->method, "HEAD") == 0;
    int status = reply->status ? reply->status : 200;
    char head[8192];
    int head_len;

    for (unsigned waited = 0; waited < reply->delay_ms && !stopping(c->server); waited += 10)
        nap(10);
    switch (reply->how) {
    case FAKE_HANG:
        while (!stopping(c->server))
            nap(10);
        return false;
    case FAKE_RESET:
        reset(c);
        return false;
    case FAKE_CLOSE:
        return false;
    case FAKE_RAW:
        put_bytes(c, body, len);
        return false;
    case FAKE_TRUNCATE:
    case FAKE_ANSWER_CLOSE:
    case FAKE_ANSWER:
        break;
    }
    head_len = snprintf(head, sizeof(head), "HTTP/1.1 %d Fake\r\nContent-Length: %zu\r\n%s\r\n",
                        status, reply->how == FAKE_TRUNCATE ? 2 * len + 1 : len,
                        reply->headers ? reply->headers : "");
    check(head_len > 0 && (size_t)head_len < sizeof(head), "reply head");
    if (!put_bytes(c, head, (size_t)head_len) || (!head_only && !put_bytes(c, body, len)))
        return false;
    return reply->how == FAKE_ANSWER;
}

static void *serve(void *arg)
{
    connection *c = arg;
    fake_server *s = c->server;
    sigset_t set;
    bool going = true;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (s->tls) {
        c->ssl = SSL_new(s->tls);
        check(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "TLS");
        going = SSL_accept(c->ssl) == 1;
    }
    while (going) {
        fake_reply reply = { 0 };
        fake_request *request = read_request(c);

        if (!request)
            break;
        choose_reply(s, request, &reply);
        going = send_reply(c, request, &reply);
    }
    pthread_mutex_lock(&s->lock);
    s->fds[c->number - 1] = -1;
    pthread_mutex_unlock(&s->lock);
    SSL_free(c->ssl);
    close(c->fd);
    free(c->head);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    fake_server *s = arg;

    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
        connection *c;

        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        c = calloc(1, sizeof(*c));
        check(c && (c->head = calloc(1, MAX_HEAD + 1)), "memory");
        c->server = s;
        c->fd = fd;
        pthread_mutex_lock(&s->lock);
        check(s->connections < MAX_CONNECTIONS, "too many connections");
        s->fds[s->connections] = fd;
        c->number = s->connections + 1;
        check(pthread_create(&s->threads[s->connections], NULL, serve, c) == 0, "thread");
        s->connections++;
        pthread_mutex_unlock(&s->lock);
    }
}

/* ---- the server ---- */

static int listen_somewhere(unsigned *ret_port, bool listening)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    check(!listening || listen(fd, 128) == 0, "listen");
    check(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    *ret_port = ntohs(address.sin_port);
    return fd;
}

unsigned fake_dead_port(void)
{
    unsigned port;

    /* Bound, never listening, and kept so that nobody else gets it. */
    (void)listen_somewhere(&port, false);
    return port;
}

fake_server *fake_server_start(const fake_options *options)
{
    fake_server *s = calloc(1, sizeof(*s));

    check(s != NULL, "memory");
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->handler_lock, NULL);
    if (options->tls_name)
        setup_tls(s);
    s->listener = listen_somewhere(&s->port, true);
    snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%u", options->tls_name ? "https" : "http",
             s->port);
    check(pthread_create(&s->acceptor, NULL, accept_all, s) == 0, "thread");
    return s;
}

void fake_server_hang_up(fake_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->connections; i++)
        if (s->fds[i] >= 0)
            shutdown(s->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
}

void fake_server_stop(fake_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    fake_server_hang_up(s);
    for (unsigned i = 0; i < s->connections; i++)
        pthread_join(s->threads[i], NULL);
    for (unsigned i = 0; i < s->count; i++) {
        free(s->requests[i]->headers);
        free(s->requests[i]->body);
        free(s->requests[i]);
    }
    SSL_CTX_free(s->tls);
    if (s->provider)
        OSSL_PROVIDER_unload(s->provider);
    OSSL_LIB_CTX_free(s->lib);
    if (s->ca_file[0])
        unlink(s->ca_file);
    free(s);
}

const char *fake_server_url(const fake_server *s)
{
    return s->url;
}

unsigned fake_server_port(const fake_server *s)
{
    return s->port;
}

const char *fake_server_ca_file(const fake_server *s)
{
    return s->ca_file[0] ? s->ca_file : NULL;
}

unsigned fake_server_count(fake_server *s)
{
    unsigned count;

    pthread_mutex_lock(&s->lock);
    count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

const fake_request *fake_server_request(fake_server *s, unsigned index)
{
    const fake_request *request;

    pthread_mutex_lock(&s->lock);
    request = index < s->count ? s->requests[index] : NULL;
    pthread_mutex_unlock(&s->lock);
    check(request != NULL, "no such request");
    return request;
}

unsigned fake_server_connections(fake_server *s)
{
    unsigned count;

    pthread_mutex_lock(&s->lock);
    count = s->connections;
    pthread_mutex_unlock(&s->lock);
    return count;
}

unsigned fake_server_open(fake_server *s)
{
    unsigned open = 0;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->connections; i++)
        open += s->fds[i] >= 0;
    pthread_mutex_unlock(&s->lock);
    return open;
}
