/* SPDX-License-Identifier: MIT */
/* A keyvaultd for one test program; see keyvaultd.h. */
#define _GNU_SOURCE
#include "support/keyvaultd.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/kvp-test.XXXXXX";
static char dir[64], conf[96], scratch[64], log_path[64];
static char url[128];
static const char *daemon_kind;
static pid_t daemon_pid;
static const char *faults_option; /* NULL: none */
static pid_t owner;
static char token[4096];

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void keyvaultd_stop(void)
{
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGTERM);
        waitpid(daemon_pid, NULL, 0);
        daemon_pid = 0;
    }
}

/* Check's forked tests run exit handlers too: only the program itself cleans up. */
static void clean_up(void)
{
    if (getpid() != owner)
        return;
    keyvaultd_stop();
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What it complained of, when it does not start; else that is nobody's business. */
static void show_log(void)
{
    char line[512];
    FILE *log = fopen(log_path, "r");

    while (log && fgets(line, sizeof(line), log))
        fputs(line, stderr);
    if (log)
        fclose(log);
}

static void launch(const char *listen_on)
{
    const char *program = getenv("KEYVAULTD");
    char line[256] = "";
    int out[2];
    FILE *ready;

    if (!program)
        program = KVP_BUILD_DIR "/keyvaultd";
    if (pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    daemon_pid = fork();
    if (daemon_pid < 0)
        die("fork");
    if (daemon_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(out[1], STDOUT_FILENO);
        dup2(open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
        execl(program, program, "--data", dir, "--listen", listen_on, "--kind", daemon_kind,
              faults_option, NULL);
        die(program);
    }
    close(out[1]);
    ready = fdopen(out[0], "r");
    if (!ready || !fgets(line, sizeof(line), ready) || sscanf(line, "ready %127s", url) != 1) {
        fprintf(stderr, "%s did not become ready: %s\n", program, line);
        show_log();
        exit(1);
    }
    fclose(ready);
}

void keyvaultd_allow_faults(void)
{
    faults_option = "--allow-faults";
}

void keyvaultd_start(const char *kind)
{
    if (!mkdtemp(root))
        die("mkdtemp");
    owner = getpid();
    atexit(clean_up);
    snprintf(dir, sizeof(dir), "%s/vault", root);
    snprintf(conf, sizeof(conf), "%s/kvpkcs11.conf", dir);
    snprintf(scratch, sizeof(scratch), "%s/scratch", root);
    snprintf(log_path, sizeof(log_path), "%s/keyvaultd.log", root);
    if (mkdir(scratch, 0700) != 0)
        die("mkdir");
    daemon_kind = kind;
    launch("127.0.0.1:0");
    setenv("KVPKCS11_CONF", conf, 1);
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void keyvaultd_restart(void)
{
    launch(strstr(url, "://") + 3);
}

const char *keyvaultd_url(void)
{
    return url;
}

const char *keyvaultd_dir(void)
{
    return dir;
}

const char *keyvaultd_conf(void)
{
    return conf;
}

const char *keyvaultd_scratch(void)
{
    return scratch;
}

size_t keyvaultd_requests(const char *operation)
{
    char path[128], wanted[96], line[8192];
    size_t count = 0;
    FILE *log;

    snprintf(path, sizeof(path), "%s/log/AuditEvent.jsonl", dir);
    snprintf(wanted, sizeof(wanted), "\"operationName\":\"%s\"", operation ? operation : "");
    log = fopen(path, "r");
    if (!log)
        die(path);
    while (fgets(line, sizeof(line), log)) {
        if (!strchr(line, '\n')) {
            fprintf(stderr, "a line of %s is too long\n", path);
            exit(1);
        }
        if (!operation || strstr(line, wanted))
            count++;
    }
    fclose(log);
    return count;
}

void keyvaultd_setting(const char *name, char *ret, size_t size)
{
    char line[512];
    FILE *file = fopen(conf, "r");

    if (!file)
        die(conf);
    *ret = '\0';
    while (fgets(line, sizeof(line), file)) {
        char *value = strchr(line, '=');

        if (!value || strncmp(line, name, strlen(name)) != 0 ||
            !strchr(" \t=", line[strlen(name)]))
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\r\n")] = '\0';
        snprintf(ret, size, "%s", value);
    }
    fclose(file);
}

/* ---- REST, with the administrator's identity ---- */

typedef struct reply {
    char data[65536];
    size_t len;
    char authorization[256]; /* of the challenge */
} reply;

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    reply *r = user;

    if (r->len + size * count >= sizeof(r->data))
        return 0;
    memcpy(r->data + r->len, data, size * count);
    r->len += size * count;
    r->data[r->len] = '\0';
    return size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    reply *r = user;
    const char *found;
    char line[1024];

    snprintf(line, sizeof(line), "%.*s", (int)(size * count), data);
    if (strncasecmp(line, "www-authenticate:", 17) != 0)
        return size * count;
    found = strstr(line, "authorization=\"");
    if (found)
        sscanf(found, "authorization=\"%255[^\"]", r->authorization);
    return size * count;
}

static long perform(const char *method, const char *target, const char *body, const char *type,
                    reply *r)
{
    char ca[96], header[4200], content_type[96];
    struct curl_slist *headers = NULL;
    CURL *curl = curl_easy_init();
    long status = 0;
    CURLcode code;

    snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    memset(r, 0, sizeof(*r));
    if (token[0]) {
        snprintf(header, sizeof(header), "Authorization: Bearer %s", token);
        headers = curl_slist_append(headers, header);
    }
    if (body) {
        snprintf(content_type, sizeof(content_type), "Content-Type: %s", type);
        headers = curl_slist_append(headers, content_type);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_URL, target);
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, r);
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        fprintf(stderr, "%s %s: %s\n", method, target, curl_easy_strerror(code));
        exit(1);
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void fetch_token(void)
{
    static reply r;
    char target[512], body[1024], id[128], secret[256];
    json_t *answer;

    snprintf(target, sizeof(target), "%s/keys?api-version=7.4", url);
    perform("GET", target, NULL, NULL, &r);
    if (!r.authorization[0]) {
        fprintf(stderr, "keyvaultd sent no challenge\n");
        exit(1);
    }
    keyvaultd_setting("client_id", id, sizeof(id));
    keyvaultd_setting("client_secret", secret, sizeof(secret));
    snprintf(target, sizeof(target), "%s/oauth2/v2.0/token", r.authorization);
    snprintf(body, sizeof(body),
             "grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s/.default", id,
             secret, url);
    perform("POST", target, body, "application/x-www-form-urlencoded", &r);
    answer = json_loads(r.data, 0, NULL);
    snprintf(token, sizeof(token), "%s",
             json_string_value(json_object_get(answer, "access_token")));
    json_decref(answer);
}

int keyvaultd_rest(const char *method, const char *path, json_t *body, json_t **ret)
{
    static reply r;
    char target[512];
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    long status;

    if (!token[0])
        fetch_token();
    snprintf(target, sizeof(target), "%s%s?api-version=7.4", url, path);
    status = perform(method, target, text, "application/json", &r);
    free(text);
    if (ret)
        *ret = json_loads(r.data, 0, NULL);
    return (int)status;
}

void keyvaultd_create_key(const char *name, const char *kty, int size, const char *curve)
{
    json_t *body = json_pack("{s:s}", "kty", kty);
    char path[256];
    int status;

    if (size)
        json_object_set_new(body, "key_size", json_integer(size));
    if (curve)
        json_object_set_new(body, "crv", json_string(curve));
    snprintf(path, sizeof(path), "/keys/%s/create", name);
    status = keyvaultd_rest("POST", path, body, NULL);
    json_decref(body);
    if (status != 200) {
        fprintf(stderr, "creating key %s: HTTP %d\n", name, status);
        exit(1);
    }
}

/* ---- faults ---- */

static void faults_call(const char *method, json_t *take_body)
{
    int status = keyvaultd_rest(method, "/.faults", take_body, NULL);

    json_decref(take_body);
    if (status != 204) {
        fprintf(stderr, "%s /.faults: HTTP %d\n", method, status);
        exit(1);
    }
}

void keyvaultd_fault(json_t *take_match, json_t *take_fault, int times)
{
    if (take_match)
        json_object_set_new(take_fault, "match", take_match);
    json_object_set_new(take_fault, "times", json_integer(times));
    faults_call("POST", take_fault);
}

void keyvaultd_no_faults(void)
{
    faults_call("DELETE", NULL);
}
