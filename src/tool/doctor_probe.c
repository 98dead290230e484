/* SPDX-License-Identifier: MIT */
/*
 * Looking at a server from outside: its addresses, whether a connection can be made, and which
 * certificate it shows, trusted or not. Nothing is sent. Whether it is trusted, only the transport
 * that the module uses can say.
 */
#include "tool/doctor.h"

#include "base/clock.h"
#include "http/url.h"

#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

kvp_status kvp_probe_resolve(const char *url, char *ret, size_t size, kvp_error *reterr)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char address[64];
    size_t used = 0;
    kvp_url parts;
    int rc;

    if (!kvp_url_parse(url, &parts))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "%s is no URL", url);
    rc = getaddrinfo(parts.host, NULL, &hints, &found);
    if (rc != 0)
        return kvp_error_set(reterr, KVP_ERR_NETWORK, "the host name %s cannot be resolved: %s",
                             parts.host, gai_strerror(rc));
    ret[0] = '\0';
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        if (getnameinfo(one->ai_addr, one->ai_addrlen, address, sizeof(address), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        if (used + strlen(address) + 3 > size)
            break;
        used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? ", " : "", address);
    }
    freeaddrinfo(found);
    return KVP_OK;
}

const char *kvp_probe_proxy(const char *url)
{
    /* Those that libcurl reads (https_proxy in both cases, http_proxy in small letters only). */
    static const char *const https_names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
                                               "ALL_PROXY" };
    const char *value;

    if (strncmp(url, "https:", 6) != 0)
        return NULL; /* only loopback, and never by a proxy */
    for (size_t i = 0; i < KVP_ARRAY_LEN(https_names); i++) {
        value = getenv(https_names[i]);
        if (value && *value)
            return https_names[i];
    }
    return NULL;
}

/* One `Name:value` line of libcurl's description of the server's own certificate. */
static void take_line(kvp_probe *probe, const char *line)
{
    static const char subject[] = "Subject:", issuer[] = "Issuer:", end[] = "Expire date:",
                      names[] = "X509v3 Subject Alternative Name:";
    struct tm tm;

    if (strncmp(line, subject, sizeof(subject) - 1) == 0)
        kvp_copy_printable(probe->subject, sizeof(probe->subject), line + sizeof(subject) - 1);
    else if (strncmp(line, issuer, sizeof(issuer) - 1) == 0)
        kvp_copy_printable(probe->issuer, sizeof(probe->issuer), line + sizeof(issuer) - 1);
    else if (strncmp(line, names, sizeof(names) - 1) == 0)
        kvp_copy_printable(probe->names, sizeof(probe->names), line + sizeof(names) - 1);
    else if (strncmp(line, end, sizeof(end) - 1) == 0) {
        memset(&tm, 0, sizeof(tm));
        if (strptime(line + sizeof(end) - 1, " %b %d %H:%M:%S %Y", &tm))
            probe->not_after = timegm(&tm);
    }
}

static void take_result(CURL *easy, kvp_probe *probe)
{
    struct curl_certinfo *info = NULL;
    const char *address = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address)
        kvp_copy_printable(probe->address, sizeof(probe->address), address);
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next)
        take_line(probe, line->data);
}

static kvp_status judge(CURLcode rc, const char *text, const kvp_probe *probe, kvp_error *reterr)
{
    kvp_status st = rc == CURLE_OPERATION_TIMEDOUT  ? KVP_ERR_TIMEOUT
                    : rc == CURLE_SSL_CONNECT_ERROR ? KVP_ERR_TLS
                                                    : KVP_ERR_NETWORK;
    char clean[CURL_ERROR_SIZE];

    if (rc == CURLE_OK)
        return KVP_OK;
    kvp_copy_printable(clean, sizeof(clean), text[0] ? text : curl_easy_strerror(rc));
    return kvp_error_set(reterr, st, "%s%s%s", clean, probe->address[0] ? ", address " : "",
                         probe->address);
}

kvp_status kvp_probe_connect(const char *url, int64_t timeout_ms, kvp_probe *ret, kvp_error *reterr)
{
    CURL *easy = curl_easy_init();
    int64_t start = kvp_clock_mono_ms();
    char text[CURL_ERROR_SIZE] = "";
    CURLcode rc;

    memset(ret, 0, sizeof(*ret));
    if (!easy)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "libcurl");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    /* To see a certificate that nobody trusts. Nothing is sent to whoever shows it. */
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    rc = curl_easy_perform(easy);
    ret->milliseconds = kvp_clock_mono_ms() - start;
    take_result(easy, ret);
    curl_easy_cleanup(easy);
    return judge(rc, text, ret, reterr);
}
