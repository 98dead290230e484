/* SPDX-License-Identifier: MIT */
/*
 * Reading one entry of a vault, whatever its collection (wire reference, sections 4, 6 and 7), and
 * what the requests that are answered with an entry have in common. Several at once: many.c.
 */
#include "vault/internal.h"
#include "base/alloc.h"

#include <string.h>

#define MAX_NAME 127

static bool is_name(const char *s)
{
    size_t len =
        s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") : 0;

    return len > 0 && len <= MAX_NAME && s[len] == '\0';
}

kvp_status kvp_entry_path(kvp_collection collection, const char *name, const char *version,
                          const char *operation, char **ret, kvp_error *reterr)
{
    bool pinned = version && version[0] != '\0';

    if (!is_name(name) || (pinned && !is_name(version)))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "a name is 1 to 127 letters, digits and hyphens");
    *ret = kvp_asprintf("/%s/%s%s%s%s%s", kvp_collection_name(collection), name, pinned ? "/" : "",
                        pinned ? version : "", operation ? "/" : "", operation ? operation : "");
    return *ret ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
}

/* Names and versions are compared without case (wire reference, section 1.2). */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b - 'A' + 'a') : *b;

        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

kvp_status kvp_entry_matches(const kvp_entry *entry, const char *name, const char *version,
                             kvp_error *reterr)
{
    if (!same_name(entry->name, name) ||
        (version && version[0] != '\0' && !same_name(entry->version, version)))
        return kvp_error_set(reterr, KVP_ERR_PARSE,
                             "the vault answered with another entry of its %s than was asked for",
                             kvp_collection_name(entry->collection));
    return KVP_OK;
}

kvp_status kvp_entry_take(const kvp_http_response *response, kvp_collection collection,
                          const char *name, const char *version, kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_entry_freep) kvp_entry *entry = NULL;
    kvp_status st = kvp_jwk_parse_entry(collection, (const char *)response->body.data,
                                        response->body.len, &entry, reterr);

    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "the vault's answer: ");
        return st;
    }
    st = kvp_entry_matches(entry, name, version, reterr);
    if (st == KVP_OK)
        *ret = KVP_STEAL(entry);
    return st;
}

kvp_status kvp_vault_request_entry(kvp_vault *vault, const kvp_entry_request *request,
                                   kvp_trace *trace, kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_entry *entry = NULL;
    kvp_call call;
    kvp_status st = kvp_entry_path(request->collection, request->name, request->version,
                                   request->operation, &path, reterr);

    if (st == KVP_OK)
        st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK)
        return st;
    st = kvp_call_path(&call, request->method, path, request->body, reterr);
    if (st == KVP_OK)
        st = kvp_entry_take(&call.response, request->collection, request->name, request->version,
                            &entry, reterr);
    if (st == KVP_OK) {
        kvp_call_object(&call, entry->id);
        *ret = entry;
    }
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_get(kvp_vault *vault, kvp_collection collection, const char *name,
                         const char *version, kvp_trace *trace, kvp_entry **ret, kvp_error *reterr)
{
    const kvp_entry_request request = {
        .collection = collection, .method = "GET", .name = name, .version = version
    };

    return kvp_vault_request_entry(vault, &request, trace, ret, reterr);
}

kvp_status kvp_vault_certificate_get(kvp_vault *vault, const char *name, const char *version,
                                     kvp_trace *trace, kvp_certificate **ret, kvp_error *reterr)
{
    kvp_entry *entry = NULL;
    kvp_status st = kvp_vault_get(vault, KVP_CERTIFICATES, name, version, trace, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_certificate *)entry;
    return st;
}

kvp_status kvp_vault_secret_get(kvp_vault *vault, const char *name, const char *version,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr)
{
    kvp_entry *entry = NULL;
    kvp_status st = kvp_vault_get(vault, KVP_SECRETS, name, version, trace, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_secret *)entry;
    return st;
}

static kvp_status list(kvp_vault *vault, kvp_collection collection, const char *path,
                       kvp_trace *trace, kvp_entry_list *ret, kvp_error *reterr)
{
    kvp_call call;
    kvp_status st = kvp_call_begin(&call, vault, trace, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_call_list(&call, collection, path, ret, reterr);
    kvp_call_end(&call);
    return st;
}

kvp_status kvp_vault_list(kvp_vault *vault, kvp_collection collection, kvp_trace *trace,
                          kvp_entry_list *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = kvp_asprintf("/%s", kvp_collection_name(collection));

    if (!path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
    return list(vault, collection, path, trace, ret, reterr);
}

kvp_status kvp_vault_versions(kvp_vault *vault, kvp_collection collection, const char *name,
                              kvp_trace *trace, kvp_entry_list *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_status st = kvp_entry_path(collection, name, NULL, "versions", &path, reterr);

    return st == KVP_OK ? list(vault, collection, path, trace, ret, reterr) : st;
}
