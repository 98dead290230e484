/* SPDX-License-Identifier: MIT */
/*
 * Templates: arrays of attributes that an application passes in. What may stand in one for which
 * purpose comes from the rows of attribute_table.h. Pure; nothing here asks the vault.
 */
#ifndef KVP_TOKEN_TEMPLATE_H
#define KVP_TOKEN_TEMPLATE_H

#include "token/attribute_table.h"

/** A template and its length. */
typedef struct kvp_template {
    const CK_ATTRIBUTE *attrs;
    CK_ULONG count;
} kvp_template;

/** The first attribute of @type, or NULL. */
const CK_ATTRIBUTE *kvp_template_find(const CK_ATTRIBUTE *attrs, CK_ULONG count,
                                      CK_ATTRIBUTE_TYPE type);
/** A boolean that the template gives, or @fallback. Shapes were checked. */
bool kvp_template_bool(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                       bool fallback);
/** A CK_ULONG that the template gives, or @fallback. Shapes were checked. */
CK_ULONG kvp_template_ulong(const CK_ATTRIBUTE *attrs, CK_ULONG count, CK_ATTRIBUTE_TYPE type,
                            CK_ULONG fallback);

/** CKR_ARGUMENTS_BAD for pointers that cannot be right: C_FindObjectsInit wants no more. */
CK_RV kvp_template_check_pointers(const CK_ATTRIBUTE *attrs, CK_ULONG count);

/**
 * Check a template for objects of one of the kinds @who (KVP_IS_ bits).
 *
 * @may   row flags of which one allows an attribute (KVP_ATTRIBUTE_CREATE …).
 * @must  row flag that makes an attribute required, or 0.
 * Returns, in this order of precedence over the whole template: CKR_ARGUMENTS_BAD,
 * CKR_ATTRIBUTE_TYPE_INVALID (no object has it), CKR_ATTRIBUTE_VALUE_INVALID (wrong length or
 * form), CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT (not of this kind, or given twice with
 * two values), CKR_TEMPLATE_INCOMPLETE.
 */
CK_RV kvp_template_check(const CK_ATTRIBUTE *attrs, CK_ULONG count, unsigned who, unsigned may,
                         unsigned must);

/** Whether the viewed object has every attribute of the template with that value. */
bool kvp_template_matches(const kvp_view *view, const CK_ATTRIBUTE *attrs, CK_ULONG count);
/** The same for one attribute. */
bool kvp_attribute_matches(const kvp_view *view, const CK_ATTRIBUTE *attr);

/** Whether @text is well-formed UTF-8 without control characters that a tag could not hold. */
bool kvp_text_is_valid(const void *text, size_t len);
/** Seconds since 1970 at the start of a CK_DATE (8 digits), UTC. false: no date, or before 1970. */
bool kvp_date_parse(const void *date, size_t len, int64_t *ret_seconds);

#endif
