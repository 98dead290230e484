/* SPDX-License-Identifier: MIT */
/*
 * List pages: followed until there is no next link (wire reference, section 3.1). A link is taken
 * as it is, but only within this vault: it is asked for with our token.
 */
#include "vault/internal.h"
#include "base/alloc.h"

#include <string.h>

#define MAX_PAGES 40000

static kvp_status check_link(const kvp_vault *vault, const char *link, kvp_error *reterr)
{
    kvp_url url;

    if (!kvp_url_parse(link, &url) || !kvp_url_same_origin(&url, &vault->origin))
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "the vault's list goes on at another address: it was not followed");
    return KVP_OK;
}

kvp_status kvp_pager_begin(kvp_pager *pager, const kvp_vault *vault, kvp_collection collection,
                           const char *path, kvp_error *reterr)
{
    *pager = (kvp_pager){ .collection = collection, .next_landmark = 1 };
    pager->url = kvp_vault_address(vault, path);
    return pager->url ? KVP_OK : kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
}

void kvp_pager_clear(kvp_pager *pager)
{
    kvp_free(pager->url);
    kvp_free(pager->landmark);
    *pager = (kvp_pager){ 0 };
}

/*
 * A list that leads back to a page it has led to before never ends. One earlier link is kept, at
 * pages 1, 2, 4, 8 …: a circle of any length meets it (R. P. Brent's method).
 */
kvp_status kvp_pager_take(kvp_pager *pager, const kvp_vault *vault,
                          const kvp_http_response *response, kvp_entry_list *list,
                          kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *next = NULL;
    kvp_status st = kvp_jwk_parse_page(pager->collection, (const char *)response->body.data,
                                       response->body.len, list, &next, reterr);

    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "the vault's answer: ");
        return st;
    }
    if (next)
        st = check_link(vault, next, reterr);
    if (st != KVP_OK)
        return st;
    if (++pager->page == pager->next_landmark) {
        kvp_free(pager->landmark);
        pager->landmark = KVP_STEAL(pager->url);
        pager->next_landmark *= 2;
    }
    kvp_free(pager->url);
    pager->url = KVP_STEAL(next);
    if (pager->url && (pager->page >= MAX_PAGES || strcmp(pager->landmark, pager->url) == 0))
        return kvp_error_set(reterr, KVP_ERR_PARSE, "the vault's list has no end");
    return KVP_OK;
}

kvp_status kvp_call_list(kvp_call *call, kvp_collection collection, const char *path,
                         kvp_entry_list *ret, kvp_error *reterr)
{
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_pager pager;
    kvp_status st = kvp_pager_begin(&pager, call->vault, collection, path, reterr);

    while (st == KVP_OK && pager.url) {
        st = kvp_call_url(call, "GET", pager.url, NULL, reterr);
        if (st == KVP_OK)
            st = kvp_pager_take(&pager, call->vault, &call->response, &list, reterr);
    }
    kvp_pager_clear(&pager);
    if (st != KVP_OK) {
        kvp_entry_list_clear(&list);
        return st;
    }
    kvp_entry_list_clear(ret);
    *ret = list;
    return KVP_OK;
}
