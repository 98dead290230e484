/* SPDX-License-Identifier: MIT */
/*
 * An entry of the vault as it shall be: one that templates are written into, before the vault is
 * asked to make it so. The draft, seen through the attribute rows, then tells whether every
 * attribute that the application gave will really have that value; where not, nothing is sent. Pure.
 */
#ifndef KVP_TOKEN_OBJECT_DRAFT_H
#define KVP_TOKEN_OBJECT_DRAFT_H

#include "token/attribute_table.h"
#include "token/template.h"

/** Longest value of a tag in the service. */
#define KVP_TAG_VALUE_MAX 256

/** Set a tag, or take it off (@value NULL). KVP_ERR_NO_MEMORY. */
kvp_status kvp_draft_set_tag(kvp_entry *draft, const char *name, const char *value);

/**
 * CKA_LABEL, CKA_ID, CKA_SUBJECT, CKA_START_DATE, CKA_END_DATE, CKA_APPLICATION and CKA_OBJECT_ID
 * into @draft; other attributes are left alone. A label or id that is the entry's name needs no tag.
 * CKR_ATTRIBUTE_VALUE_INVALID for what no tag can hold, or a date that cannot be taken off again;
 * CKR_HOST_MEMORY.
 */
CK_RV kvp_draft_apply(kvp_entry *draft, const CK_ATTRIBUTE *attr);

/** Usage attributes of a template for class @cls: those TRUE into @on, those FALSE into @off
 * (KVP_OP_ bits). */
void kvp_draft_usage(CK_OBJECT_CLASS cls, const CK_ATTRIBUTE *attrs, CK_ULONG count, uint32_t *on,
                     uint32_t *off);
/**
 * The key_ops that usage attributes of one or two templates ask for, of @all that the key could
 * have: none said: all. Some TRUE: just those, and the counterparts (verify for sign) of the
 * template that says nothing. Only FALSE ones: the rest.
 */
uint32_t kvp_draft_wanted_ops(uint32_t all, uint32_t on_a, uint32_t off_a, uint32_t on_b,
                              uint32_t off_b);

/**
 * Name, label, id, subject and dates of a new key from its templates, the private one first. An
 * attribute that both give must be the same. @local: the vault makes the key. @ret_free_name: no
 * label asks for the name. call->error says more than the CK_RV.
 */
CK_RV kvp_draft_identity(kvp_call *call, const kvp_slot *slot, kvp_key *draft, kvp_template a,
                         kvp_template b, bool local, bool *ret_free_name);

/** Another name for the draft, with a random ending; its id stays what it is. */
CK_RV kvp_draft_rename(kvp_key *draft);

/**
 * Whether every attribute of the template will be what the new key's object of class @cls answers;
 * generate_plan.h lists what is accepted whatever its value. @token_open: so is CKA_TOKEN.
 */
CK_RV kvp_draft_check(kvp_call *call, const kvp_slot *slot, const kvp_key *draft,
                      CK_OBJECT_CLASS cls, kvp_template t, bool token_open);

/** The same for any object that a draft is seen as. */
CK_RV kvp_draft_check_view(kvp_call *call, const kvp_view *view, kvp_template t, bool token_open);

#endif
