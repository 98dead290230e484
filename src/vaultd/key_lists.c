/* SPDX-License-Identifier: MIT */
/* Lists of keys, versions and deleted keys, a page at a time (wire reference, section 3.1). */
#include "vaultd/key_doc.h"
#include "vaultd/routes.h"

#include "jwk/base64url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define PAGE_MAX 25
#define TOKEN_MARK "after:"

typedef struct position {
    char after[256];
    size_t limit;
    bool limit_given;
} position;

static bool read_limit(kvp_exchange *ex, position *at)
{
    char text[32], *end;

    at->limit = PAGE_MAX;
    at->limit_given = kvp_exchange_query(ex, "maxresults", text, sizeof(text));
    if (!at->limit_given)
        return true;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > PAGE_MAX) {
        kvp_refuse(ex, KVP_REFUSE_MAXRESULTS);
        return false;
    }
    at->limit = (size_t)value;
    return true;
}

/* The token is the name of the last item that was sent: a page is found again whatever came or
 * went. */
static bool read_position(kvp_exchange *ex, position *at)
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

static json_t *next_link(const kvp_exchange *ex, const position *at, const char *last)
{
    kvp_buf token = KVP_BUF_INIT(1024), link = KVP_BUF_INIT(0);
    char mark[256];
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
    if (status == KVP_OK)
        url = json_string(kvp_buf_str(&link));
    kvp_buf_clear(&token);
    kvp_buf_clear(&link);
    return url;
}

/* Answer with @page, which is cleared. */
static void answer(kvp_exchange *ex, const position *at, kvp_key_page *page, bool versions)
{
    json_t *items = json_array();
    bool ok = items != NULL;

    for (size_t i = 0; i < page->count && ok; i++)
        ok = json_array_append_new(items, kvp_key_item(ex, &page->items[i], versions)) == 0;
    json_t *document = ok ? json_object() : NULL;
    if (!document || json_object_set(document, "value", items) != 0) {
        json_decref(document);
        document = NULL;
    } else if (page->more) {
        const kvp_key_record *last = &page->items[page->count - 1];
        json_object_set_new(document, "nextLink",
                            next_link(ex, at, versions ? last->version : last->name));
    } else if (!kvp_exchange_is_hsm(ex)) {
        /* On the last page a vault says null, a Managed HSM nothing. */
        json_object_set_new(document, "nextLink", json_null());
    }
    json_decref(items);
    kvp_key_page_clear(page);
    kvp_exchange_reply_take(ex, 200, document);
}

static void list(kvp_exchange *ex, kvp_key_state state)
{
    kvp_error error = { .status = KVP_OK };
    kvp_key_page page = { NULL, 0, 0, false };
    position at;

    if (!read_position(ex, &at))
        return;
    if (kvp_store_key_list(ex->daemon->store, &ex->daemon->vault, state, at.after, at.limit, &page,
                           &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer(ex, &at, &page, false);
}

void kvp_keys_list(kvp_exchange *ex)
{
    list(ex, KVP_KEY_LIVE);
}

void kvp_keys_list_deleted(kvp_exchange *ex)
{
    list(ex, KVP_KEY_DELETED);
}

void kvp_keys_versions(kvp_exchange *ex)
{
    kvp_error error = { .status = KVP_OK };
    kvp_key_page page = { NULL, 0, 0, false };
    position at;

    if (!read_position(ex, &at))
        return;
    if (kvp_store_key_versions(ex->daemon->store, &ex->daemon->vault, ex->name, at.after, at.limit,
                               &page, &error) != KVP_OK)
        kvp_exchange_failed(ex, &error);
    else
        answer(ex, &at, &page, true);
}
