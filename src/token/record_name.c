/* SPDX-License-Identifier: MIT */
/*
 * Names: from a vault key to its label and id, from a label or id back to the key that it can name,
 * and from a label to the name of a new key. Nothing here asks the vault.
 */
#include "base/alloc.h"
#include "crypto/crypto.h"
#include "jwk/base64url.h"
#include "token/record.h"

#include <stdio.h>
#include <string.h>

static bool is_alnum(unsigned char c)
{
    /* isalnum depends on the host's locale. */
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool kvp_name_is_valid(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    if (!p || len == 0 || len > KVP_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(p[i]) && p[i] != '-')
            return false;
    return true;
}

static int lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static int compare(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int difference = lower((unsigned char)a[i]) - lower((unsigned char)b[i]);
        if (difference != 0 || !a[i])
            return difference;
    }
    return 0;
}

int kvp_name_compare(const char *a, const char *b)
{
    return compare(a, b, SIZE_MAX);
}

bool kvp_version_is_valid(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    if (!p || len != KVP_VERSION_LEN)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f') ||
              (p[i] >= 'A' && p[i] <= 'F')))
            return false;
    return true;
}

kvp_status kvp_entry_label(const kvp_entry *entry, kvp_buf *ret)
{
    const char *tag = kvp_entry_tag(entry, KVP_TAG_LABEL);
    return kvp_buf_append_str(ret, tag && tag[0] ? tag : entry->name);
}

kvp_status kvp_entry_object_id(const kvp_entry *entry, bool superseded, kvp_buf *ret)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf id = KVP_BUF_INIT(4096);
    const char *tag = kvp_entry_tag(entry, KVP_TAG_ID);
    bool tagged = tag && tag[0] && kvp_base64url_decode(tag, strlen(tag), &id) == KVP_OK;

    /* A tag that is no base64url is somebody's mistake: the name then stands, as without it. */
    kvp_status st = tagged ? KVP_OK : kvp_buf_set(&id, entry->name, strlen(entry->name));
    if (st == KVP_OK && superseded)
        st = kvp_buf_append_fmt(&id, "/%s", entry->version);
    if (st != KVP_OK)
        return st;

    /* What somebody chose stays as it is, whatever its length; two versions never share it. */
    if (id.len <= KVP_ID_MAX || (tagged && !superseded))
        return kvp_buf_append(ret, id.data, id.len);
    uint8_t digest[KVP_HASH_MAX_LEN];
    st = kvp_digest_once(KVP_HASH_SHA256, id.data, id.len, digest);
    return st == KVP_OK ? kvp_buf_append(ret, digest, KVP_ID_HASH_LEN) : st;
}

bool kvp_key_ref_from_id(const void *bytes, size_t len, kvp_key_ref *ret)
{
    const char *p = bytes;
    const char *slash = p ? memchr(p, '/', len) : NULL;
    size_t name_len = slash ? (size_t)(slash - p) : len;
    if (!kvp_name_is_valid(p, name_len))
        return false;
    if (slash && !kvp_version_is_valid(slash + 1, len - name_len - 1))
        return false;
    kvp_key_ref ref = { { 0 }, { 0 } };
    memcpy(ref.name, p, name_len);
    if (slash)
        memcpy(ref.version, slash + 1, KVP_VERSION_LEN);
    *ret = ref;
    return true;
}

static const struct {
    CK_OBJECT_CLASS cls;
    const char *word;
} class_words[] = {
    { CKO_PRIVATE_KEY, "private" },
    { CKO_PUBLIC_KEY, "public" },
    { CKO_SECRET_KEY, "secret-key" },
    { CKO_CERTIFICATE, "cert" },
    { CKO_DATA, "data" },
    { CKO_PROFILE, "profile" },
};

const char *kvp_class_word(CK_OBJECT_CLASS cls)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(class_words); i++)
        if (class_words[i].cls == cls)
            return class_words[i].word;
    return "object";
}

bool kvp_key_ref_from_unique_id(const void *bytes, size_t len, kvp_key_ref *ret,
                                CK_OBJECT_CLASS *ret_cls)
{
    static const char mark[] = ";type=";
    const char *p = bytes;
    const char *semicolon = p ? memchr(p, ';', len) : NULL;
    if (!semicolon)
        return false;
    size_t ref_len = (size_t)(semicolon - p);
    size_t rest = len - ref_len;
    if (rest <= sizeof(mark) - 1 || memcmp(semicolon, mark, sizeof(mark) - 1) != 0)
        return false;
    const char *word = semicolon + sizeof(mark) - 1;
    size_t word_len = rest - (sizeof(mark) - 1);
    for (size_t i = 0; i < KVP_ARRAY_LEN(class_words); i++) {
        if (strlen(class_words[i].word) != word_len ||
            memcmp(class_words[i].word, word, word_len) != 0)
            continue;
        kvp_key_ref ref;
        /* A data object is its name; everything else is a version. */
        bool versioned = class_words[i].cls != CKO_DATA;
        if (!kvp_key_ref_from_id(p, ref_len, &ref) || versioned != (ref.version[0] != '\0'))
            return false;
        *ret = ref;
        *ret_cls = class_words[i].cls;
        return true;
    }
    return false;
}

bool kvp_key_ref_from_key_id(const char *url, const void *bytes, size_t len, kvp_key_ref *ret,
                             kvp_collection *ret_collection)
{
    size_t url_len = strlen(url);
    const char *p = bytes;
    if (!p || len <= url_len || compare(p, url, url_len) != 0)
        return false;
    p += url_len;
    len -= url_len;
    for (int i = 0; i < KVP_COLLECTION_COUNT; i++) {
        const char *word = kvp_collection_name((kvp_collection)i);
        size_t word_len = strlen(word);
        if (len <= word_len + 2 || p[0] != '/' || compare(p + 1, word, word_len) != 0 ||
            p[word_len + 1] != '/')
            continue;
        *ret_collection = (kvp_collection)i;
        return kvp_key_ref_from_id(p + word_len + 2, len - word_len - 2, ret) &&
               (ret->version[0] || i == KVP_SECRETS);
    }
    return false;
}

kvp_status kvp_name_from_label(const void *label, size_t len, char ret[KVP_NAME_MAX + 1],
                               bool *ret_exact)
{
    char name[KVP_NAME_MAX + 1] = { 0 };
    if (kvp_name_is_valid(label, len)) {
        memcpy(name, label, len);
        memcpy(ret, name, sizeof(name));
        *ret_exact = true;
        return KVP_OK;
    }

    uint32_t number;
    kvp_status st = kvp_random(&number, sizeof(number));
    if (st != KVP_OK)
        return st;
    /* Every run of other characters becomes one hyphen; room is left for the ending. */
    const unsigned char *p = label;
    size_t out = 0;
    for (size_t i = 0; i < len && out < KVP_NAME_MAX - 9; i++) {
        if (is_alnum(p[i]))
            name[out++] = (char)p[i];
        else if (out > 0 && name[out - 1] != '-')
            name[out++] = '-';
    }
    while (out > 0 && name[out - 1] == '-')
        out--;
    if (out == 0) {
        memcpy(name, "key", 3);
        out = 3;
    }
    snprintf(name + out, sizeof(name) - out, "-%08x", (unsigned)number);
    memcpy(ret, name, sizeof(name));
    *ret_exact = false;
    return KVP_OK;
}
