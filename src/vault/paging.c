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

static kvp_status take_page(kvp_call *call, const char *url, kvp_key_list *list, char **ret_next,
                            kvp_error *reterr)
{
    kvp_status st = kvp_call_url(call, "GET", url, NULL, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_jwk_parse_key_page((const char *)call->response.body.data, call->response.body.len,
                                list, ret_next, reterr);
    if (st != KVP_OK)
        kvp_error_prefix(reterr, "the vault's answer: ");
    return st;
}

/*
 * A list that leads back to a page it has led to before never ends. One earlier link is kept, at
 * pages 1, 2, 4, 8 …: a circle of any length meets it (R. P. Brent's method).
 */
static kvp_status follow(kvp_call *call, char **url, kvp_key_list *list, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *landmark = NULL;
    unsigned long next_landmark = 1;
    kvp_status st = KVP_OK;

    for (unsigned long page = 1; *url; page++) {
        char *next = NULL;

        if (page > MAX_PAGES || (landmark && strcmp(landmark, *url) == 0))
            return kvp_error_set(reterr, KVP_ERR_PARSE, "the vault's list has no end");
        st = take_page(call, *url, list, &next, reterr);
        if (st == KVP_OK && next)
            st = check_link(call->vault, next, reterr);
        if (st != KVP_OK) {
            kvp_free(next);
            return st;
        }
        if (page == next_landmark) {
            kvp_free(landmark);
            landmark = KVP_STEAL(*url);
            next_landmark *= 2;
        }
        kvp_free(*url);
        *url = next;
    }
    return KVP_OK;
}

kvp_status kvp_call_list(kvp_call *call, const char *path, kvp_key_list *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *url = kvp_vault_address(call->vault, path);
    kvp_key_list list = { NULL, 0, 0 };
    kvp_status st;

    if (!url)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "address");
    st = follow(call, &url, &list, reterr);
    if (st != KVP_OK) {
        kvp_key_list_clear(&list);
        return st;
    }
    kvp_key_list_clear(ret);
    *ret = list;
    return KVP_OK;
}
