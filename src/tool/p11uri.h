/* SPDX-License-Identifier: MIT */
/*
 * PKCS#11 URIs (RFC 7512) as a plain value. p11-kit writes and reads them; what a URI means for a
 * vault is identifier.h's.
 */
#ifndef KVP_TOOL_P11URI_H
#define KVP_TOOL_P11URI_H

#include "base/buf.h"
#include "base/error.h"
#include "kvpkcs11/cryptoki.h"

#include <stdbool.h>

typedef struct kvp_p11uri {
    char *token;              /**< label; NULL where the URI says nothing */
    char *serial;
    char *object;             /**< CKA_LABEL */
    kvp_buf id;               /**< CKA_ID */
    bool has_id;
    bool has_class;
    CK_OBJECT_CLASS object_class;
} kvp_p11uri;

void kvp_p11uri_clear(kvp_p11uri *uri);

/** Whether @text starts like a PKCS#11 URI (`pkcs11:`, in any case). */
bool kvp_p11uri_is(const char *text);

/** KVP_ERR_PARSE: it is no such URI, or holds attributes that nobody knows: it names nothing. */
kvp_status kvp_p11uri_parse(const char *text, kvp_p11uri *ret, kvp_error *reterr);

/**
 * @ret is a new string (kvp_free). KVP_ERR_INVALID: a token label or serial is longer than
 * CK_TOKEN_INFO has room for (32 and 16 bytes).
 */
kvp_status kvp_p11uri_format(const kvp_p11uri *uri, char **ret, kvp_error *reterr);

/** RFC 7512's word for `type=`: private, public, cert, secret-key, data; NULL for other classes. */
const char *kvp_p11uri_type(CK_OBJECT_CLASS object_class);
/** The class of such a word; false if it is none. */
bool kvp_p11uri_type_class(const char *word, CK_OBJECT_CLASS *ret);

#endif
