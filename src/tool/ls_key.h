/* SPDX-License-Identifier: MIT */
/* What kind of key an object is, and whose certificate, in words; and its attributes. */
#ifndef KVP_TOOL_LS_KEY_H
#define KVP_TOOL_LS_KEY_H

#include "kvpkcs11/cryptoki.h"

#include <stdbool.h>
#include <stddef.h>

/** The attribute of that type if it has a value, else NULL. */
const CK_ATTRIBUTE *kvp_ls_attribute(const CK_ATTRIBUTE *attributes, size_t count,
                                     CK_ATTRIBUTE_TYPE type);
/** A CK_ULONG; false, and *ret as it was, if there is none. */
bool kvp_ls_number(const CK_ATTRIBUTE *attributes, size_t count, CK_ATTRIBUTE_TYPE type,
                   CK_ULONG *ret);
void kvp_ls_attributes_clear(CK_ATTRIBUTE *attributes, size_t count);

/** `RSA 3072`, `EC P-256`, `AES 256`, `key type 0x…`: a new string; NULL for what is no key. */
char *kvp_ls_key(CK_OBJECT_CLASS object_class, const CK_ATTRIBUTE *attributes, size_t count);
/** A certificate's subject (RFC 2253), a new clean string; NULL if there is none. */
char *kvp_ls_subject(const CK_ATTRIBUTE *attributes, size_t count);

#endif
