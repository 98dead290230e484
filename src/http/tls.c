/* SPDX-License-Identifier: MIT */
/*
 * Whom we trust: the system's certificates and, beside them, one file of the user's. The hashed
 * directory is taken wherever there is one: libcurl parses a bundle anew for each connection, which
 * costs 27 to 37 ms of CPU on Debian, the directory 2 ms.
 */
#include "config.h"

#include "http/internal.h"
#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static const char *const directories[] = { "/etc/ssl/certs", "/etc/pki/tls/certs" };
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *system_directory, *system_bundle;

/* Names of a hashed directory: 8 hex digits, a dot, a number (OpenSSL's c_rehash). */
static bool is_hash_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' &&
           name[9] <= '9' && name[10] == '\0';
}

static bool is_hashed(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir)))
        found = is_hash_name(entry->d_name);
    if (dir)
        closedir(dir);
    return found;
}

static void look(void)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(directories) && !system_directory; i++)
        if (is_hashed(directories[i]))
            system_directory = directories[i];
    for (size_t i = 0; i < KVP_ARRAY_LEN(bundles) && !system_directory && !system_bundle; i++)
        if (access(bundles[i], R_OK) == 0)
            system_bundle = bundles[i];
}

static kvp_status append_file(const char *path, kvp_buf *ret, kvp_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    kvp_status st = KVP_OK;
    ssize_t got = -1;

    if (fd < 0)
        return kvp_error_set(reterr, KVP_ERR_TLS, "cannot read `%s`: %s", path,
                             strerrordesc_np(errno));
    while (st == KVP_OK) {
        uint8_t *room = kvp_buf_reserve(ret, 65536);

        if (!room) {
            st = ret->len + 65536 > ret->max
                     ? kvp_error_set(reterr, KVP_ERR_TOO_LARGE, "`%s` is too large", path)
                     : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "`%s`", path);
            break;
        }
        got = read(fd, room, 65536);
        if (got <= 0)
            break;
        ret->len += (size_t)got;
    }
    if (st == KVP_OK && got < 0)
        st = kvp_error_set(reterr, KVP_ERR_TLS, "cannot read `%s`: %s", path,
                           strerrordesc_np(errno));
    close(fd);
    return st == KVP_OK ? kvp_buf_append(ret, "\n", 1) : st;
}

kvp_status kvp_trust_init(kvp_trust *trust, const char *ca_file, kvp_error *reterr)
{
    kvp_status st = KVP_OK;

    pthread_once(&once, look);
    if (!ca_file)
        return KVP_OK;
    trust->ca_file = kvp_strdup(ca_file);
    if (!trust->ca_file)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "`ca_file`");
    /* libcurl takes one file. Without a hashed directory both go into one piece of memory. */
    if (!system_directory && system_bundle) {
        st = append_file(system_bundle, &trust->bundle, reterr);
        if (st == KVP_OK)
            st = append_file(ca_file, &trust->bundle, reterr);
    }
    return st;
}

void kvp_trust_clear(kvp_trust *trust)
{
    kvp_free(trust->ca_file);
    trust->ca_file = NULL;
    kvp_buf_clear(&trust->bundle);
}

CURLcode kvp_trust_apply(const kvp_trust *trust, CURL *easy)
{
    CURLcode rc;

    if (trust->bundle.len > 0) {
        struct curl_blob blob = { trust->bundle.data, trust->bundle.len, CURL_BLOB_NOCOPY };

        return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    rc = curl_easy_setopt(easy, CURLOPT_CAPATH, system_directory);
    if (rc == CURLE_OK)
        rc =
            curl_easy_setopt(easy, CURLOPT_CAINFO, trust->ca_file ? trust->ca_file : system_bundle);
    return rc;
}
