/* SPDX-License-Identifier: MIT */
/*
 * A vault key as it shall be: a kvp_key that templates are written into, before the vault is asked
 * to make it so. The draft, seen through the attribute rows, then tells whether every attribute
 * that the application gave will really have that value; where not, nothing is sent. Pure.
 */
#ifndef KVP_TOKEN_OBJECT_DRAFT_H
#define KVP_TOKEN_OBJECT_DRAFT_H

#include "token/attribute_table.h"

/** Longest value of a tag in the service. */
#define KVP_TAG_VALUE_MAX 256

/** Set a tag, or take it off (@value NULL). KVP_ERR_NO_MEMORY. */
kvp_status kvp_draft_set_tag(kvp_key *draft, const char *name, const char *value);

/**
 * CKA_LABEL, CKA_ID, CKA_START_DATE, CKA_END_DATE into @draft; other attributes are left alone. A
 * label or id that is the key's name needs no tag. CKR_ATTRIBUTE_VALUE_INVALID for what no tag can
 * hold, or a date that cannot be taken off again; CKR_HOST_MEMORY.
 */
CK_RV kvp_draft_apply(kvp_key *draft, const CK_ATTRIBUTE *attr);

/** Usage attributes of a template for class @cls: those TRUE into @on, those FALSE into @off
 * (KVP_OP_ bits). */
void kvp_draft_usage(CK_OBJECT_CLASS cls, const CK_ATTRIBUTE *attrs, CK_ULONG count, uint32_t *on,
                     uint32_t *off);

#endif
