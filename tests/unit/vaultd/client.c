/* SPDX-License-Identifier: MIT */
/* The client of the tests: libcurl, one kept connection. */
#include "config.h"

#include "client.h"

#include "base/alloc.h"
#include "vaultd/files.h"

#include <stdio.h>
#include <string.h>

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    return kvp_buf_append(arg, data, size * count) == KVP_OK ? size * count : 0;
}

/* The value of `@key = ` in @text. */
static bool setting(const char *text, const char *key, char *dst, size_t size)
{
    char start[64];

    snprintf(start, sizeof(start), "\n%s = ", key);
    const char *found = strstr(text, start);
    if (!found)
        return false;
    found += strlen(start);
    snprintf(dst, size, "%.*s", (int)strcspn(found, "\n"), found);
    return true;
}

bool kvp_test_client_open(kvp_test_client *client, const char *dir)
{
    kvp_buf conf = KVP_BUF_INIT_SECRET(0);
    char path[512];

    memset(client, 0, sizeof(*client));
    snprintf(path, sizeof(path), "%s/kvpkcs11.conf", dir);
    snprintf(client->ca_file, sizeof(client->ca_file), "%s/ca.pem", dir);
    bool ok = kvp_file_read(path, &conf, NULL) == KVP_OK;
    const char *text = kvp_buf_str(&conf);
    ok = ok && setting(text, "url", client->url, sizeof(client->url)) &&
         setting(text, "tenant", client->tenant, sizeof(client->tenant)) &&
         setting(text, "client_id", client->client_id, sizeof(client->client_id)) &&
         setting(text, "client_secret", client->secret, sizeof(client->secret));
    kvp_buf_clear(&conf);
    client->curl = curl_easy_init();
    return ok && client->curl;
}

void kvp_test_client_close(kvp_test_client *client)
{
    curl_easy_cleanup(client->curl);
    kvp_buf_clear(&client->body);
    kvp_buf_clear(&client->headers);
}

long kvp_test_client_send(kvp_test_client *client, const char *method, const char *path,
                          const char *content_type, const char *body)
{
    struct curl_slist *headers = NULL;
    char line[300], url[1200];
    long status = 0;

    kvp_buf_clear(&client->body);
    kvp_buf_clear(&client->headers);
    snprintf(url, sizeof(url), "%s%s%s", strncmp(path, "https://", 8) == 0 ? "" : client->url, path,
             strchr(path, '?') || strstr(path, "/oauth2/") ? "" : "?api-version=7.5");
    snprintf(line, sizeof(line), "Content-Type: %s", content_type);
    headers = curl_slist_append(headers, line);
    if (client->token[0]) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", client->token);
        headers = curl_slist_append(headers, line);
    }
    curl_easy_reset(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_CAINFO, client->ca_file);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->body);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, &client->headers);
    if (curl_easy_perform(client->curl) == CURLE_OK)
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return status;
}

json_t *kvp_test_client_json(const kvp_test_client *client)
{
    return json_loadb(kvp_buf_str(&client->body), client->body.len, 0, NULL);
}

/* The text between @start and the next quote in the last answer's headers. */
static bool challenge_value(const kvp_test_client *client, const char *start, char *dst,
                            size_t size)
{
    const char *found = strstr(kvp_buf_str(&client->headers), start);

    if (!found)
        return false;
    found += strlen(start);
    snprintf(dst, size, "%.*s", (int)strcspn(found, "\""), found);
    return true;
}

bool kvp_test_client_sign_in(kvp_test_client *client)
{
    char authorization[400], resource[300], form[900], path[600];

    client->token[0] = '\0';
    if (kvp_test_client_send(client, "GET", "/keys", "application/json", NULL) != 401 ||
        !challenge_value(client, "Bearer authorization=\"", authorization, sizeof(authorization)) ||
        !challenge_value(client, "resource=\"", resource, sizeof(resource)))
        return false;
    snprintf(path, sizeof(path), "%s/oauth2/v2.0/token", authorization);
    snprintf(form, sizeof(form),
             "client_id=%s&client_secret=%s&grant_type=client_credentials&scope=%s/.default",
             client->client_id, client->secret, resource);
    if (kvp_test_client_send(client, "POST", path, "application/x-www-form-urlencoded", form) !=
        200)
        return false;
    json_t *answer = kvp_test_client_json(client);
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    snprintf(client->token, sizeof(client->token), "%s", token ? token : "");
    json_decref(answer);
    return client->token[0] != '\0';
}
