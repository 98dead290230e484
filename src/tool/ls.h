/* SPDX-License-Identifier: MIT */
/* What `kvpkcs11 ls` knows of tokens and objects: read by ls_read.c, shown by ls_show.c. */
#ifndef KVP_TOOL_LS_H
#define KVP_TOOL_LS_H

#include "base/buf.h"
#include "base/error.h"
#include "kvpkcs11/cryptoki.h"
#include "tool/library.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct kvp_listed {
    CK_OBJECT_CLASS object_class;
    char *label;               /**< clean UTF-8 */
    char *raw_label;           /**< as the token has it: what the URI must say */
    kvp_buf id;
    char *key;                 /**< `RSA 3072`, `EC P-256`, `AES 256`; NULL for what is no key */
    char *subject;             /**< of a certificate */
    uint32_t usage;            /**< bit i is row i of kvp_usages */
    char start[11], end[11];   /**< `2026-01-31`; "" if there is none */
    char *identifier;          /**< CKA_KVP_KEY_ID; NULL from another module */
    char *version;
    bool hsm;
    char *uri;
    char *problem;             /**< why more than class, label and id could not be read */
} kvp_listed;

typedef struct kvp_listed_token {
    char *label, *raw_label, *manufacturer, *model, *serial, *raw_serial;
    char *uri;
    bool login_required;
    kvp_listed *objects;
    size_t count;
} kvp_listed_token;

/** Usage attributes in the order in which they are shown. */
typedef struct kvp_usage {
    CK_ATTRIBUTE_TYPE type;
    const char *word;
} kvp_usage;
extern const kvp_usage kvp_usages[]; /**< ended by a NULL word */

/** Token information only: label, manufacturer, model, serial, URI. No request. */
kvp_status kvp_ls_read_token(const kvp_library *library, CK_SLOT_ID slot, kvp_listed_token *ret,
                             kvp_error *reterr);
/** Its objects, sorted by label. Requests, as the module needs them. */
kvp_status kvp_ls_read_objects(const kvp_library *library, CK_SLOT_ID slot,
                               kvp_listed_token *token, kvp_error *reterr);
void kvp_listed_token_clear(kvp_listed_token *token);

kvp_status kvp_ls_show(const kvp_listed_token *tokens, size_t count, FILE *out);
kvp_status kvp_ls_show_json(const char *module, const kvp_listed_token *tokens, size_t count,
                            FILE *out);

/** The class in a word: RFC 7512's, or another for those that have none there. */
const char *kvp_ls_class_word(CK_OBJECT_CLASS object_class);

#endif
