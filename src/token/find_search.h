/* SPDX-License-Identifier: MIT */
/* One search in the token, for the files that carry it out: find.c compares, find_search.c asks. */
#ifndef KVP_TOKEN_FIND_SEARCH_H
#define KVP_TOKEN_FIND_SEARCH_H

#include "token/find_plan.h"
#include "token/object_store.h"

/** What the steps of one search share; everything borrowed. */
typedef struct kvp_search {
    kvp_call *call;
    kvp_object_store *store;
    const CK_ATTRIBUTE *attrs;
    CK_ULONG attr_count;
    kvp_find_plan plan;
} kvp_search;

/**
 * The record of @collection that @ref names: from memory, or by one request. @ret is pinned; NULL
 * if there is none to show, or none that we may read and it is no key.
 */
CK_RV kvp_search_ref(kvp_search *search, kvp_collection collection, const kvp_key_ref *ref,
                     kvp_record **ret);
/**
 * Have the lists of the plan's collections, all at once, and what they leave open settled. Lists of
 * certificates and secrets that are refused are empty; that of keys is a failure.
 */
CK_RV kvp_search_lists(kvp_search *search);
/** Have the older versions of the pinned current @records known. */
CK_RV kvp_search_versions(kvp_search *search, kvp_record_list *records);

#endif
