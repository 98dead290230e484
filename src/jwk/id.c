/* SPDX-License-Identifier: MIT */
/* Key Vault identifiers, `https://HOST[:PORT]/keys/NAME[/VERSION]` (wire reference, section 3). */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <string.h>

#define NAME_MAX_LEN 127

/* Independent of the host's locale, unlike strncasecmp. */
static bool same_word(const char *text, size_t len, const char *word)
{
    if (strlen(word) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != word[i])
            return false;
    }
    return true;
}

/* Length of the run of name characters at @s; 0 if it is none, or too long. */
static size_t name_len(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

    return len <= NAME_MAX_LEN ? len : 0;
}

kvp_status kvp_jwk_split_id(const char *id, const char *collection, char **ret_name,
                            char **ret_version, kvp_error *reterr)
{
    const char *p = NULL, *name, *version = "";
    size_t host, name_length, version_length = 0;
    char *new_name, *new_version;

    if (id && strncmp(id, "https://", 8) == 0)
        p = id + 8;
    else if (id && strncmp(id, "http://", 7) == 0)
        p = id + 7;
    if (!p)
        return kvp_error_set(reterr, KVP_ERR_PARSE, "an identifier does not start with https://");
    host = strcspn(p, "/?#@\\ ");
    if (host == 0 || p[host] != '/')
        return kvp_error_set(reterr, KVP_ERR_PARSE, "an identifier has no host");
    p += host + 1;
    if (!same_word(p, strcspn(p, "/"), collection))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "an identifier is none of /%s/", collection);
    p += strlen(collection);
    name = p + (*p == '/');
    name_length = name_len(name);
    p = name + name_length;
    if (*p == '/') {
        version = p + 1;
        version_length = name_len(version);
        p = version + version_length;
        if (version_length == 0)
            name_length = 0;
    }
    if (name_length == 0 || *p != '\0')
        return kvp_error_set(reterr, KVP_ERR_PARSE,
                             "an identifier has no valid name and version behind /%s/", collection);

    new_name = kvp_strndup(name, name_length);
    new_version = kvp_strndup(version, version_length);
    if (!new_name || !new_version) {
        kvp_free(new_name);
        kvp_free(new_version);
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "an identifier");
    }
    *ret_name = new_name;
    *ret_version = new_version;
    return KVP_OK;
}
