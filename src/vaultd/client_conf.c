/* SPDX-License-Identifier: MIT */
/* Writing kvpkcs11.conf, and following a changed port in it without touching what people edited. */
#include "vaultd/client_conf.h"

#include <string.h>

kvp_status kvp_client_conf_format(const kvp_vault_info *vault, const char *url,
                                  const char *client_id, const char *client_secret, kvp_buf *ret)
{
    return kvp_buf_append_fmt(
        ret,
        "; Made by keyvaultd for its own vault; relative paths are relative "
        "to this file.\n"
        "; keyvaultd follows its own address in url and authority, and "
        "leaves everything else alone.\n"
        "[kvpkcs11]\n"
        "audit = file:audit.jsonl\n"
        "log = file:kvpkcs11.log\n"
        "\n"
        "[vault:%s]\n"
        "url = %s\n"
        "credential = client-secret\n"
        "tenant = %s\n"
        "client_id = %s\n"
        "client_secret = %s\n"
        "authority = %s\n"
        "ca_file = ca.pem\n"
        "%s",
        vault->name, url, vault->tenant, client_id, client_secret, url,
        /* Its host name does not tell; HMAC and AES-KWP, which only these
         * have, came with 7.6. */
        vault->kind == KVP_VAULT_HSM ? "kind = managed-hsm\napi_version = 7.6\n" : "");
}

/* The length of @line up to its value, when it sets @key; 0 when it does not. */
static size_t value_offset(const char *line, size_t len, const char *key)
{
    size_t i = 0, key_len = strlen(key);

    while (i < len && (line[i] == ' ' || line[i] == '\t'))
        i++;
    if (len - i < key_len || strncmp(line + i, key, key_len) != 0)
        return 0;
    i += key_len;
    while (i < len && (line[i] == ' ' || line[i] == '\t'))
        i++;
    if (i == len || (line[i] != '=' && line[i] != ':'))
        return 0;
    i++;
    while (i < len && (line[i] == ' ' || line[i] == '\t'))
        i++;
    return i;
}

/* A value ends before trailing space and before a comment that a space precedes. */
static size_t value_length(const char *value, size_t len)
{
    size_t end = len;

    for (size_t i = 1; i < len; i++) {
        if ((value[i] == ';' || value[i] == '#') && (value[i - 1] == ' ' || value[i - 1] == '\t')) {
            end = i;
            break;
        }
    }
    while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t' || value[end - 1] == '\r'))
        end--;
    return end;
}

static bool is_section(const char *line, size_t len, const char *name)
{
    static const char prefix[] = "[vault:";
    size_t prefix_len = sizeof(prefix) - 1, name_len = strlen(name);

    return len > prefix_len + name_len && strncmp(line, prefix, prefix_len) == 0 &&
           strncmp(line + prefix_len, name, name_len) == 0 && line[prefix_len + name_len] == ']';
}

kvp_status kvp_client_conf_retarget(const char *text, const char *name, const char *url,
                                    kvp_buf *ret, bool *ret_changed)
{
    kvp_status status = KVP_OK;
    bool inside = false, changed = false;

    while (*text && status == KVP_OK) {
        size_t len = strcspn(text, "\n"), whole = len + (text[len] == '\n');
        size_t offset = 0;
        if (*text == '[')
            inside = is_section(text, len, name);
        if (inside) {
            offset = value_offset(text, len, "url");
            if (offset == 0)
                offset = value_offset(text, len, "authority");
        }
        size_t old = offset ? value_length(text + offset, len - offset) : 0;
        if (offset && (old != strlen(url) || strncmp(text + offset, url, old) != 0)) {
            changed = true;
            status = kvp_buf_append(ret, text, offset);
            if (status == KVP_OK)
                status = kvp_buf_append_str(ret, url);
            if (status == KVP_OK)
                status = kvp_buf_append(ret, text + offset + old, whole - offset - old);
        } else {
            status = kvp_buf_append(ret, text, whole);
        }
        text += whole;
    }
    if (status == KVP_OK)
        *ret_changed = changed;
    return status;
}
