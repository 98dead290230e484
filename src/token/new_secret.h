/* SPDX-License-Identifier: MIT */
/*
 * Secrets that stand for objects of an application's: what certificates and data objects share.
 *
 * Names. The label is the name where it can be one, else a name is made of it and the label is kept
 * in a tag. A name that is taken, by a secret that lives or was deleted, is left alone: nothing that
 * asks for a label asks for the name, and SunPKCS11 deletes a certificate to write its successor.
 */
#ifndef KVP_TOKEN_NEW_SECRET_H
#define KVP_TOKEN_NEW_SECRET_H

#include "token/record.h"
#include "token/slot.h"
#include "token/template.h"

/** Octets of a secret's value (wire reference, section 6). */
#define KVP_SECRET_MAX 25600

/** What one secret shall be; everything borrowed. */
typedef struct kvp_new_secret_order {
    kvp_template t;      /**< label, id and what else is kept in tags */
    const kvp_buf *hint; /**< for the name, where the template has none; or NULL */
    const char *content_type, *class_tag; /**< or NULL */
    const char *value;
    size_t value_len;
} kvp_new_secret_order;

/** A new draft of it; another name with each @attempt. */
CK_RV kvp_new_secret_draft(const kvp_new_secret_order *o, unsigned attempt, kvp_secret **ret);
/** Have the vault store it: @draft is replaced where its name is taken. @ret is new. */
CK_RV kvp_new_secret(kvp_call *call, kvp_vault *vault, const kvp_new_secret_order *o,
                     kvp_secret **draft, kvp_secret **ret);
/** Whether the slot has a place for such objects; @shown: what @setting says. */
CK_RV kvp_new_secret_place(kvp_call *call, const kvp_slot *slot, bool shown, const char *setting);
/** Whether the configuration would show an object of that name. */
CK_RV kvp_new_secret_shown(kvp_call *call, const kvp_slot *slot, const char *name);
/** The handle of the object of @cls; unpins @record, which may be NULL. */
CK_RV kvp_new_secret_handle(kvp_session *session, kvp_record *record, CK_OBJECT_CLASS cls,
                            CK_OBJECT_HANDLE *ret);

static inline bool kvp_attribute_is_given(const CK_ATTRIBUTE *attr)
{
    return attr && attr->ulValueLen != 0;
}

#endif
