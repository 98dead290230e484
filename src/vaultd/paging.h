/* SPDX-License-Identifier: MIT */
/* Pages of lists: where a request wants to go on, and the answer that says how (wire reference,
 * section 3.1). */
#ifndef KVP_VAULTD_PAGING_H
#define KVP_VAULTD_PAGING_H

#include "vaultd/exchange.h"

#define KVP_PAGE_MAX 25 /**< items of a page, and the default */

typedef struct kvp_paging {
    char after[256]; /**< the last item that was sent, "" at the start */
    size_t limit;
    bool limit_given;
} kvp_paging;

/** Read `maxresults` and `$skiptoken`. False after refusing. */
bool kvp_paging_read(kvp_exchange *ex, kvp_paging *ret);

/**
 * Answer 200 with `{"value":[…],"nextLink":…}`. @items is taken; NULL (out of memory) answers 500.
 * @last names the last item when another page follows, else it is NULL.
 */
void kvp_paging_answer(kvp_exchange *ex, const kvp_paging *at, json_t *items, const char *last);

#endif
