/* SPDX-License-Identifier: MIT */
/* Pages of lists, whatever is listed. */
#include "vaultd/paging.h"

#include "jwk/base64url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MARK "after:"

static bool read_limit(kvp_exchange *ex, kvp_paging *at)
{
    char text[32], *end;

    at->limit = KVP_PAGE_MAX;
    at->limit_given = kvp_exchange_query(ex, "maxresults", text, sizeof(text));
    if (!at->limit_given)
        return true;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > KVP_PAGE_MAX) {
        kvp_refuse(ex, KVP_REFUSE_MAXRESULTS);
        return false;
    }
    at->limit = (size_t)value;
    return true;
}

/* The token is the name of the last item that was sent: a page is found again whatever came or
 * went. */
bool kvp_paging_read(kvp_exchange *ex, kvp_paging *at)
{
    kvp_buf text = KVP_BUF_INIT(sizeof(at->after));
    char token[512];
    size_t mark = strlen(TOKEN_MARK);

    at->after[0] = '\0';
    if (!read_limit(ex, at))
        return false;
    if (!kvp_exchange_query(ex, "$skiptoken", token, sizeof(token)))
        return true;
    bool ok = kvp_base64url_decode(token, strlen(token), &text) == KVP_OK && text.len > mark &&
              text.len < sizeof(at->after) && memcmp(text.data, TOKEN_MARK, mark) == 0 &&
              !memchr(text.data, 0, text.len);
    if (ok)
        memcpy(at->after, text.data + mark, text.len - mark + 1);
    kvp_buf_clear(&text);
    if (!ok)
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "$skiptoken");
    return ok;
}

static json_t *next_link(const kvp_exchange *ex, const kvp_paging *at, const char *last)
{
    kvp_buf token = KVP_BUF_INIT(1024), link = KVP_BUF_INIT(0);
    char mark[256], pending[8];
    json_t *url = NULL;

    snprintf(mark, sizeof(mark), TOKEN_MARK "%s", last);
    kvp_status status = kvp_base64url_encode(mark, strlen(mark), &token);
    if (status == KVP_OK)
        status = kvp_buf_append_fmt(&link, "%s/", ex->base_url);
    for (size_t i = 0; i < ex->segment_count && status == KVP_OK; i++)
        status = kvp_buf_append_fmt(&link, "%s%s", i ? "/" : "", ex->segments[i]);
    if (status == KVP_OK)
        status = kvp_buf_append_fmt(&link, "?api-version=%s&$skiptoken=%s", ex->api_version,
                                    kvp_buf_str(&token));
    if (status == KVP_OK && at->limit_given)
        status = kvp_buf_append_fmt(&link, "&maxresults=%zu", at->limit);
    if (status == KVP_OK && kvp_exchange_query(ex, "includePending", pending, sizeof(pending)) &&
        kvp_ident_casecmp(pending, "true") == 0)
        status = kvp_buf_append_str(&link, "&includePending=true");
    if (status == KVP_OK)
        url = json_string(kvp_buf_str(&link));
    kvp_buf_clear(&token);
    kvp_buf_clear(&link);
    return url;
}

void kvp_paging_answer(kvp_exchange *ex, const kvp_paging *at, json_t *items, const char *last)
{
    json_t *document = items ? json_object() : NULL;
    bool ok = json_object_set(document, "value", items) == 0;

    /* On the last page a vault says null, a Managed HSM nothing. */
    if (ok && last)
        ok = json_object_set_new(document, "nextLink", next_link(ex, at, last)) == 0;
    else if (ok && !kvp_exchange_is_hsm(ex))
        ok = json_object_set_new(document, "nextLink", json_null()) == 0;
    json_decref(items);
    if (!ok) {
        json_decref(document);
        document = NULL;
    }
    kvp_exchange_reply_take(ex, 200, document);
}
