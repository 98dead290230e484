/* SPDX-License-Identifier: MIT */
/*
 * What a Key Vault identifier is called as a PKCS#11 URI, and back, by the rules of the token
 * model: label is the name, CKA_ID its bytes, both the same for every object behind one name. No
 * request is made, so tags that give an object another label or id are not seen here.
 */
#ifndef KVP_TOOL_IDENTIFIER_H
#define KVP_TOOL_IDENTIFIER_H

#include "base/error.h"
#include "config/config.h"
#include "jwk/jwk.h"
#include "tool/p11uri.h"

typedef struct kvp_identifier {
    char *url;               /**< of the vault, as kvp_config_vault has it */
    kvp_collection collection;
    char *name;
    char *version;           /**< "" for the current one */
} kvp_identifier;

void kvp_identifier_clear(kvp_identifier *identifier);

/** KVP_ERR_PARSE says what is wrong with @text. */
kvp_status kvp_identifier_parse(const char *text, kvp_identifier *ret, kvp_error *reterr);
/** A new string. */
char *kvp_identifier_format(const kvp_identifier *identifier);

/** The token's serial number: the first 16 hexadecimal digits of the URL's SHA-256. */
kvp_status kvp_identifier_serial(const char *url, char ret[17], kvp_error *reterr);

/** CKA_ID of @name in @version ("": the current one), appended to @ret. */
kvp_status kvp_identifier_id(const char *name, const char *version, kvp_buf *ret);

/** The configured vault of @url, or NULL. */
const kvp_config_vault *kvp_identifier_vault(const kvp_config *config, const char *url);

/**
 * The URI of @identifier. token= is set only if @vault is not NULL. A version goes into id= where
 * the vault shows versions, and is left out elsewhere.
 */
kvp_status kvp_identifier_to_uri(const kvp_identifier *identifier, const kvp_config_vault *vault,
                                 kvp_p11uri *ret, kvp_error *reterr);

/**
 * The identifier that @uri means. KVP_ERR_NOT_FOUND: no configured vault is its token, or it leaves
 * open which; KVP_ERR_UNSUPPORTED: nothing in the URI tells the name.
 */
kvp_status kvp_identifier_from_uri(const kvp_p11uri *uri, const kvp_config *config,
                                   kvp_identifier *ret, kvp_error *reterr);

#endif
