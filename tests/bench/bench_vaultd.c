/* SPDX-License-Identifier: MIT */
/*
 * What a signature with RSA-2048 costs keyvaultd, beside what OpenSSL alone takes for it. The
 * daemon is a process of its own, 64 clients sign in parallel from this one, and a third process
 * answers the same HTTPS exchange with a fixed text: what that costs is the price of TLS and HTTP.
 * All is measured in CPU time of each process, since rates by the clock, which are printed as well,
 * say nothing on a machine that does other things; see docs/benchmarks.md.
 *
 * usage: bench_vaultd [SECONDS [KEYVAULTD]]
 */
#include "config.h"

#include "tests/unit/vaultd/client.h"
#include "tests/unit/vaultd/support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 64
#define BODY "{\"alg\":\"RS256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
#define CORES 2
#define ROUND_S 5
#define BARE_S 1
#define ROUNDS_MAX 200
#define BARE_REPLY 460 /* bytes of an answer with an RSA-2048 signature, kid and value */

static char dir[] = "vaultd-bench-XXXXXX";
static SSL_CTX *tls;

/** One of the processes that serve. */
typedef struct server {
    pid_t pid;
    unsigned port;
} server;

/** What a run of the clients came to. */
typedef struct figures {
    long done, failed;
    double rate;                 /* by the clock */
    double server_us, client_us; /* CPU time per exchange that succeeded */
} figures;

/** One round: all three after one another, so that what else the machine does hits them alike. */
typedef struct round {
    double rsa_us;
    figures sign, bare;
} round_figures;

/** A run in progress. */
typedef struct run {
    unsigned port;
    char request[1024];
    size_t request_len;
    pthread_barrier_t connected, begun, ended, measured; /* of the clients and who measures */
    int64_t until_ms;
    long done, failed; /* atomic */
} run;

static void die(const char *what)
{
    fprintf(stderr, "bench_vaultd: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* --- clients: as little as TLS allows, since they share the machine -------------------------- */

static SSL *connect_to(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    SSL *ssl = SSL_new(tls);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 || !ssl ||
        SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    return ssl;
}

/* Read one answer; its status, or 0 when the connection ended. */
static int read_answer(SSL *ssl)
{
    char text[8192];
    size_t len = 0, need = 0;

    while (need == 0 || len < need) {
        int got = SSL_read(ssl, text + len, (int)(sizeof(text) - 1 - len));
        if (got <= 0)
            return 0;
        len += (size_t)got;
        text[len] = '\0';
        const char *end = need ? NULL : strstr(text, "\r\n\r\n");
        const char *length = end ? strstr(text, "Content-Length: ") : NULL;
        if (length)
            need = (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10);
        if (len >= sizeof(text) - 1)
            return 0;
    }
    return atoi(text + strlen("HTTP/1.1 "));
}

/* Handshakes stand outside of what is measured: a client of the service keeps its connection. */
static void *client_main(void *arg)
{
    run *r = arg;
    SSL *ssl = connect_to(r->port);

    if (!ssl)
        __atomic_add_fetch(&r->failed, 1, __ATOMIC_RELAXED);
    pthread_barrier_wait(&r->connected);
    pthread_barrier_wait(&r->begun);
    while (ssl && kvp_clock_mono_ms() < r->until_ms) {
        bool ok = SSL_write(ssl, r->request, (int)r->request_len) == (int)r->request_len &&
                  read_answer(ssl) == 200;
        __atomic_add_fetch(ok ? &r->done : &r->failed, 1, __ATOMIC_RELAXED);
        if (!ok)
            break;
    }
    pthread_barrier_wait(&r->ended);
    pthread_barrier_wait(&r->measured);
    if (ssl) {
        int fd = SSL_get_fd(ssl);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

/* --- what processes cost ---------------------------------------------------------------------- */

static double cpu_us(pid_t pid)
{
    struct timespec ts;
    clockid_t id;

    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &ts) != 0)
        die("CPU clock");
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static long resident_kib(pid_t pid)
{
    char path[64];
    long size = 0, resident = 0;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        die(path);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void prepare(run *r, const server *s, const char *path, const char *token)
{
    r->port = s->port;
    r->request_len =
        (size_t)snprintf(r->request, sizeof(r->request),
                         "POST %s?api-version=7.5 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                         "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                         "User-Agent: bench\r\nContent-Length: %zu\r\n\r\n" BODY,
                         path, s->port, token, strlen(BODY));
}

static figures measure(const server *s, run *r, int seconds)
{
    pthread_barrier_t *const barriers[] = { &r->connected, &r->begun, &r->ended, &r->measured };
    pthread_t threads[CLIENTS];

    r->done = r->failed = 0;
    for (size_t i = 0; i < KVP_ARRAY_LEN(barriers); i++)
        pthread_barrier_init(barriers[i], NULL, CLIENTS + 1);
    for (int i = 0; i < CLIENTS; i++) {
        if (pthread_create(&threads[i], NULL, client_main, r) != 0)
            die("thread");
    }
    pthread_barrier_wait(&r->connected);
    int64_t begun = kvp_clock_mono_us();
    r->until_ms = begun / 1000 + (int64_t)seconds * 1000;
    double theirs = cpu_us(s->pid), ours = cpu_us(getpid());
    pthread_barrier_wait(&r->begun);
    pthread_barrier_wait(&r->ended);
    long done = r->done ? r->done : 1;
    figures f = { .done = r->done,
                  .failed = r->failed,
                  .rate = (double)done * 1e6 / (double)(kvp_clock_mono_us() - begun),
                  .server_us = (cpu_us(s->pid) - theirs) / (double)done,
                  .client_us = (cpu_us(getpid()) - ours) / (double)done };
    pthread_barrier_wait(&r->measured);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < KVP_ARRAY_LEN(barriers); i++)
        pthread_barrier_destroy(barriers[i]);
    return f;
}

/*
 * CPU time of one signature by OpenSSL in microseconds. Two processes at once, as with -multi 2;
 * apart from each other `openssl speed` counts its own CPU time, together (-multi) it does not.
 */
static double openssl_us(void)
{
    FILE *pipes[CORES];
    double sum = 0;

    for (int i = 0; i < CORES; i++)
        pipes[i] = popen("openssl speed -seconds 2 rsa2048 2>/dev/null", "r");
    for (int i = 0; i < CORES; i++) {
        char line[256];
        double sign = 0, ignored;
        while (pipes[i] && fgets(line, sizeof(line), pipes[i])) {
            const char *p = strstr(line, "2048 bits");
            if (p && sscanf(p, "2048 bits %lfs %lfs %lf", &ignored, &ignored, &sign) != 3)
                sign = 0;
        }
        if (!pipes[i] || pclose(pipes[i]) != 0 || sign <= 0)
            die("openssl speed");
        sum += 1e6 / sign;
    }
    return sum / CORES;
}

/* --- the servers ------------------------------------------------------------------------------ */

static server start_keyvaultd(const char *program)
{
    server s = { .port = 0 };
    char line[400] = "";
    int out[2];

    if (pipe(out) != 0 || (s.pid = fork()) < 0)
        die("keyvaultd");
    if (s.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(program, program, "--data", dir, "--listen", "127.0.0.1:0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (!f || !fgets(line, sizeof(line), f) ||
        sscanf(line, "ready https://127.0.0.1:%u", &s.port) != 1)
        die(program);
    fclose(f);
    return s;
}

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return (gnutls_session_t)info->tls_session;
}

/* One record an answer, as keyvaultd has it. */
static void bare_completed(void *cls KVP_UNUSED, struct MHD_Connection *connection,
                           void **req_cls KVP_UNUSED, enum MHD_RequestTerminationCode code)
{
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        gnutls_record_uncork(session_of(connection), GNUTLS_RECORD_WAIT);
}

static enum MHD_Result bare_request(void *cls KVP_UNUSED, struct MHD_Connection *connection,
                                    const char *url KVP_UNUSED, const char *method KVP_UNUSED,
                                    const char *version KVP_UNUSED, const char *data KVP_UNUSED,
                                    size_t *data_size, void **req_cls)
{
    static const char *const headers[][2] = {
        { "x-ms-request-id", "00000000-0000-0000-0000-000000000000" },
        { "X-Content-Type-Options", "nosniff" },
        { "Content-Type", "application/json; charset=utf-8" },
        { "Cache-Control", "no-cache" },
        { "Pragma", "no-cache" },
        { "Expires", "-1" },
        { "Strict-Transport-Security", "max-age=31536000;includeSubDomains" },
        { "x-ms-keyvault-region", "local" },
        { "x-ms-keyvault-service-version", PACKAGE_VERSION ".0" },
        { "x-ms-keyvault-network-info",
          "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;" },
        { "x-ms-keyvault-rbac-assignment-id", "00000000000000000000000000000000" },
    };
    static char reply[BARE_REPLY];

    if (!*req_cls || *data_size > 0) {
        *req_cls = reply;
        *data_size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(reply), reply, MHD_RESPMEM_PERSISTENT);
    for (size_t i = 0; i < KVP_ARRAY_LEN(headers); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    gnutls_record_cork(session_of(connection));
    enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void serve_bare(int ready)
{
    kvp_buf cert = KVP_BUF_INIT(0), key = KVP_BUF_INIT_SECRET(0);
    char path[200];

    snprintf(path, sizeof(path), "%s/" KVP_DATADIR_SERVER, dir);
    if (kvp_file_read(path, &cert, NULL) != KVP_OK)
        die(path);
    snprintf(path, sizeof(path), "%s/" KVP_DATADIR_SERVER_KEY, dir);
    if (kvp_file_read(path, &key, NULL) != KVP_OK)
        die(path);
    struct MHD_Daemon *http = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_TLS | MHD_USE_ITC,
        0, NULL, NULL, bare_request, NULL, MHD_OPTION_HTTPS_MEM_CERT, kvp_buf_str(&cert),
        MHD_OPTION_HTTPS_MEM_KEY, kvp_buf_str(&key), MHD_OPTION_NOTIFY_COMPLETED, bare_completed,
        NULL, MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
        MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        http ? MHD_get_daemon_info(http, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    unsigned port = info ? info->port : 0;
    if (port == 0 || write(ready, &port, sizeof(port)) != (ssize_t)sizeof(port))
        _exit(1);
    for (;;)
        pause();
}

static server start_bare(void)
{
    server s = { .port = 0 };
    int ready[2];

    if (pipe(ready) != 0 || (s.pid = fork()) < 0)
        die("bare server");
    if (s.pid == 0)
        serve_bare(ready[1]);
    close(ready[1]);
    if (read(ready[0], &s.port, sizeof(s.port)) != (ssize_t)sizeof(s.port))
        die("bare server");
    close(ready[0]);
    return s;
}

static int stop(const server *s, int sig)
{
    int status = 0;

    if (kill(s->pid, sig) != 0 || waitpid(s->pid, &status, 0) != s->pid)
        die("stopping");
    return status;
}

/* --- the report ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median over all rounds of the figure at @offset. */
static double median(const round_figures *rounds, int count, size_t offset)
{
    double sorted[ROUNDS_MAX];

    for (int i = 0; i < count; i++)
        memcpy(&sorted[i], (const char *)&rounds[i] + offset, sizeof(double));
    qsort(sorted, (size_t)count, sizeof(double), compare);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static void report(const round_figures *rounds, int count)
{
#define MEDIAN(member) median(rounds, count, offsetof(round_figures, member))
    double rsa = MEDIAN(rsa_us), sign = MEDIAN(sign.server_us), bare = MEDIAN(bare.server_us);
    double sign_client = MEDIAN(sign.client_us), bare_client = MEDIAN(bare.client_us);

    printf("CPU time in microseconds, medians of %d rounds; rates are what %d cores make of it\n\n",
           count, CORES);
    printf("a signature by OpenSSL alone      %6.0f           %6.0f/s\n", rsa, CORES * 1e6 / rsa);
    printf("an HTTPS exchange that does nothing %4.0f + %3.0f for its client\n", bare, bare_client);
    printf("a signature by keyvaultd          %6.0f + %3.0f for its client %6.0f/s\n", sign,
           sign_client, CORES * 1e6 / (sign + sign_client));
    printf("  of which keyvaultd's own work   %6.0f\n", sign - rsa - bare);
    printf("by the clock                                       %6.0f/s\n\n", MEDIAN(sign.rate));
    printf("keyvaultd and its clients, of OpenSSL's rate                   %.2f\n",
           rsa / (sign + sign_client));
    printf("keyvaultd alone, of OpenSSL's rate                             %.2f\n", rsa / sign);
    printf("the same, of what is left after TLS and clients: %6.0f/s      %.2f\n",
           CORES * 1e6 / (rsa + bare + bare_client),
           (rsa + bare + bare_client) / (sign + bare_client));
#undef MEDIAN
}

static void set_up_tls(void)
{
    char path[200];

    tls = SSL_CTX_new(TLS_client_method());
    snprintf(path, sizeof(path), "%s/" KVP_DATADIR_AUTHORITY, dir);
    if (!tls || SSL_CTX_load_verify_file(tls, path) != 1)
        die(path);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 10;
    static round_figures rounds[ROUNDS_MAX];
    int count = 0;
    kvp_test_client client;

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (seconds < 1 || !mkdtemp(dir))
        die("usage: bench_vaultd [SECONDS [KEYVAULTD]]");
    server daemon = start_keyvaultd(argc > 2 ? argv[2] : "./keyvaultd");
    server bare = start_bare(); /* forked while there are no threads */
    set_up_tls();
    if (!kvp_test_client_open(&client, dir) || !kvp_test_client_sign_in(&client) ||
        kvp_test_client_send(&client, "POST", "/keys/bench/create", "application/json",
                             "{\"kty\":\"RSA\"}") != 200)
        die("no key to sign with");
    run sign = { .port = 0 }, null = { .port = 0 };
    prepare(&sign, &daemon, "/keys/bench/sign", client.token);
    prepare(&null, &bare, "/keys/bench/sign", client.token);
    measure(&daemon, &sign, ROUND_S);
    long rss = resident_kib(daemon.pid), done = 0, failed = sign.failed;
    while (count < ROUNDS_MAX && count * ROUND_S < seconds) {
        rounds[count].rsa_us = openssl_us();
        rounds[count].sign = measure(&daemon, &sign, ROUND_S);
        rounds[count].bare = measure(&bare, &null, BARE_S);
        done += rounds[count].sign.done;
        failed += rounds[count].sign.failed + rounds[count].bare.failed;
        count++;
    }
    report(rounds, count);
    printf("\n%ld signatures, %ld failed; resident: %ld KiB after warm-up, %ld KiB at the end\n",
           done, failed, rss, resident_kib(daemon.pid));
    stop(&bare, SIGKILL);
    int status = stop(&daemon, SIGTERM);
    kvp_test_client_close(&client);
    SSL_CTX_free(tls);
    kvp_test_remove(kvp_strdup(dir));
    return failed || status != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
