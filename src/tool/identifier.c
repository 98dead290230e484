/* SPDX-License-Identifier: MIT */
/* Key Vault identifiers and PKCS#11 URIs; see identifier.h. */
#include "tool/identifier.h"

#include "base/alloc.h"
#include "crypto/crypto.h"
#include "jwk/jwk.h"
#include "tool/text.h"

#include <string.h>
#include <strings.h>

#define ID_MAX 100 /* libp11's limit of a CKA_ID */
#define ID_HASH_LEN 20

static const struct {
    const char *word;
    CK_OBJECT_CLASS object_class; /* what the URI of such an identifier names */
} collections[KVP_COLLECTION_COUNT] = {
    [KVP_KEYS] = { "keys", CKO_PRIVATE_KEY },
    [KVP_CERTIFICATES] = { "certificates", CKO_CERTIFICATE },
    [KVP_SECRETS] = { "secrets", CKO_DATA },
};

void kvp_identifier_clear(kvp_identifier *identifier)
{
    kvp_free(identifier->url);
    kvp_free(identifier->name);
    kvp_free(identifier->version);
    memset(identifier, 0, sizeof(*identifier));
}

/* The vault's URL as the configuration writes it: host in lower case, no default port. */
static char *base_url(const char *text)
{
    const char *host = strstr(text, "://") + 3;
    const char *port = text[4] == 's' ? ":443" : ":80";
    size_t len = (size_t)(host - text) + strcspn(host, "/");
    char *url;

    if (len > strlen(port) && strncmp(text + len - strlen(port), port, strlen(port)) == 0)
        len -= strlen(port);
    url = kvp_strndup(text, len);
    for (char *at = url; at && *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    return url;
}

kvp_status kvp_identifier_parse(const char *text, kvp_identifier *ret, kvp_error *reterr)
{
    kvp_identifier made = { NULL, KVP_KEYS, NULL, NULL };
    kvp_error error;
    kvp_status st = KVP_ERR_PARSE;

    for (int i = 0; i < KVP_COLLECTION_COUNT && st == KVP_ERR_PARSE; i++) {
        made.collection = (kvp_collection)i;
        st = kvp_jwk_split_id(text, collections[i].word, &made.name, &made.version, &error);
    }
    if (st == KVP_ERR_PARSE)
        return kvp_error_set(reterr, st,
                             "`%.200s` is neither a PKCS#11 URI nor an identifier of the form "
                             "https://HOST/keys/NAME[/VERSION] (or certificates, secrets)",
                             text);
    if (st == KVP_OK) {
        made.url = base_url(text);
        if (!made.url)
            st = KVP_ERR_NO_MEMORY;
    }
    if (st != KVP_OK) {
        kvp_identifier_clear(&made);
        return kvp_error_set(reterr, st, "an identifier");
    }
    *ret = made;
    return KVP_OK;
}

char *kvp_identifier_format(const kvp_identifier *identifier)
{
    return kvp_asprintf("%s/%s/%s%s%s", identifier->url, collections[identifier->collection].word,
                        identifier->name, identifier->version[0] ? "/" : "", identifier->version);
}

kvp_status kvp_identifier_serial(const char *url, char ret[17], kvp_error *reterr)
{
    uint8_t hash[KVP_HASH_MAX_LEN];
    kvp_buf hex = KVP_BUF_INIT(16);
    kvp_status st = kvp_digest_once(KVP_HASH_SHA256, url, strlen(url), hash);

    if (st == KVP_OK)
        st = kvp_text_hex(&hex, hash, 8);
    if (st == KVP_OK)
        memcpy(ret, kvp_buf_str(&hex), 17);
    else
        kvp_error_set(reterr, st, "the serial number of %s", url);
    kvp_buf_clear(&hex);
    return st;
}

kvp_status kvp_identifier_id(const char *name, const char *version, kvp_buf *ret)
{
    uint8_t hash[KVP_HASH_MAX_LEN];
    kvp_buf id = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT);
    kvp_status st = kvp_buf_append_str(&id, name);

    if (st == KVP_OK && version[0])
        st = kvp_buf_append_fmt(&id, "/%s", version);
    if (st == KVP_OK && id.len > ID_MAX) {
        st = kvp_digest_once(KVP_HASH_SHA256, id.data, id.len, hash);
        if (st == KVP_OK)
            st = kvp_buf_append(ret, hash, ID_HASH_LEN);
    } else if (st == KVP_OK) {
        st = kvp_buf_append(ret, id.data, id.len);
    }
    kvp_buf_clear(&id);
    return st;
}

const kvp_config_vault *kvp_identifier_vault(const kvp_config *config, const char *url)
{
    for (size_t i = 0; i < config->vault_count; i++)
        if (strcmp(config->vaults[i].url, url) == 0)
            return &config->vaults[i];
    return NULL;
}

kvp_status kvp_identifier_to_uri(const kvp_identifier *identifier, const kvp_config_vault *vault,
                                 kvp_p11uri *ret, kvp_error *reterr)
{
    kvp_p11uri made = { 0 };
    char serial[17];
    kvp_status st = kvp_identifier_serial(identifier->url, serial, reterr);

    if (st != KVP_OK)
        return st;
    made.token = vault ? kvp_strdup(vault->name) : NULL;
    made.serial = kvp_strdup(serial);
    made.object = kvp_strdup(identifier->name);
    made.has_id = made.has_class = true;
    made.object_class = collections[identifier->collection].object_class;
    st = kvp_identifier_id(identifier->name,
                           vault && vault->versions_all ? identifier->version : "", &made.id);
    if (!made.serial || !made.object || (vault && !made.token))
        st = KVP_ERR_NO_MEMORY;
    if (st != KVP_OK) {
        kvp_p11uri_clear(&made);
        return kvp_error_set(reterr, st, "a URI");
    }
    *ret = made;
    return KVP_OK;
}

/* ---- from a URI ---- */

static bool fits_token(const kvp_p11uri *uri, const kvp_config_vault *vault, const char *serial)
{
    return (!uri->token || strcmp(uri->token, vault->name) == 0) &&
           (!uri->serial || strcmp(uri->serial, serial) == 0);
}

static kvp_status find_vault(const kvp_p11uri *uri, const kvp_config *config,
                             const kvp_config_vault **ret, kvp_error *reterr)
{
    const kvp_config_vault *found = NULL;

    for (size_t i = 0; i < config->vault_count; i++) {
        char serial[17];
        kvp_status st = kvp_identifier_serial(config->vaults[i].url, serial, reterr);

        if (st != KVP_OK)
            return st;
        if (!fits_token(uri, &config->vaults[i], serial))
            continue;
        if (found)
            return kvp_error_set(reterr, KVP_ERR_NOT_FOUND,
                                 "the URI fits the tokens %s and %s: say which with token=",
                                 found->name, config->vaults[i].name);
        found = &config->vaults[i];
    }
    if (!found && config->vault_count == 0)
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND, "no vault is configured");
    if (!found)
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND,
                             "no configured vault is the token of this URI (token=%s, serial=%s)",
                             uri->token ? uri->token : "any", uri->serial ? uri->serial : "any");
    *ret = found;
    return KVP_OK;
}

static kvp_collection collection_of(const kvp_p11uri *uri)
{
    if (uri->has_class)
        for (int i = 0; i < KVP_COLLECTION_COUNT; i++)
            if (collections[i].object_class == uri->object_class)
                return (kvp_collection)i;
    return KVP_KEYS; /* private, public and secret keys; and nothing said */
}

/* Whether @id is what the token model makes of @name in @version. */
static bool is_id_of(const kvp_buf *id, const char *name, const char *version)
{
    kvp_buf own = KVP_BUF_INIT(ID_MAX);
    bool same = kvp_identifier_id(name, version, &own) == KVP_OK && own.len == id->len &&
                memcmp(own.data, id->data, id->len) == 0;

    kvp_buf_clear(&own);
    return same;
}

/*
 * Name and version by the id's bytes, NAME or NAME/VERSION, checked by reading them as the end of
 * an identifier. KVP_ERR_PARSE: they are something else, a hash or what a tag says.
 */
static kvp_status split_id(const kvp_p11uri *uri, char **ret_name, char **ret_version)
{
    char *text = NULL;
    kvp_status st;

    if (!uri->has_id || memchr(kvp_buf_str(&uri->id), '\0', uri->id.len))
        return KVP_ERR_PARSE;
    text = kvp_asprintf("https://vault/keys/%s", kvp_buf_str(&uri->id));
    st = text ? kvp_jwk_split_id(text, "keys", ret_name, ret_version, NULL) : KVP_ERR_NO_MEMORY;
    kvp_free(text);
    return st;
}

static kvp_status find_name(const kvp_p11uri *uri, kvp_identifier *made, kvp_error *reterr)
{
    char *text = NULL, *label = NULL, *nothing = NULL;
    kvp_status st = split_id(uri, &made->name, &made->version);

    if (st == KVP_ERR_NO_MEMORY || (st == KVP_OK && !uri->object))
        return st;
    if (st == KVP_OK && strcasecmp(made->name, uri->object) == 0)
        return KVP_OK;
    if (!uri->object)
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED,
                             "%s: only a list of the vault can tell the name (kvpkcs11 ls)",
                             uri->has_id ? "this id= is no name"
                                         : "the URI has neither object= nor id=");
    if (uri->has_id && !is_id_of(&uri->id, uri->object, ""))
        return kvp_error_set(reterr, KVP_ERR_UNSUPPORTED,
                             "object= and id= are not of one name: a tag of the object gave it "
                             "another label or id, and only a list of the vault can tell its name "
                             "(kvpkcs11 ls)");
    kvp_free(KVP_STEAL(made->name));
    kvp_free(KVP_STEAL(made->version));
    text = kvp_asprintf("https://vault/keys/%s", uri->object);
    st = text ? kvp_jwk_split_id(text, "keys", &label, &nothing, NULL) : KVP_ERR_NO_MEMORY;
    kvp_free(text);
    if (st == KVP_OK && nothing[0] == '\0') {
        made->name = label;
        made->version = nothing;
        return KVP_OK;
    }
    kvp_free(label);
    kvp_free(nothing);
    return st == KVP_ERR_NO_MEMORY
               ? st
               : kvp_error_set(reterr, KVP_ERR_UNSUPPORTED,
                               "object=%s is not the name of a vault's object: letters, digits and "
                               "hyphens, at most 127",
                               uri->object);
}

kvp_status kvp_identifier_from_uri(const kvp_p11uri *uri, const kvp_config *config,
                                   kvp_identifier *ret, kvp_error *reterr)
{
    kvp_identifier made = { NULL, collection_of(uri), NULL, NULL };
    const kvp_config_vault *vault = NULL;
    kvp_status st = find_vault(uri, config, &vault, reterr);

    if (st == KVP_OK)
        st = find_name(uri, &made, reterr);
    if (st == KVP_OK) {
        made.url = kvp_strdup(vault->url);
        if (!made.url)
            st = KVP_ERR_NO_MEMORY;
    }
    if (st == KVP_ERR_NO_MEMORY)
        kvp_error_set(reterr, st, "an identifier");
    if (st != KVP_OK) {
        kvp_identifier_clear(&made);
        return st;
    }
    *ret = made;
    return KVP_OK;
}
