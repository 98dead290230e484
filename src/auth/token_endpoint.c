/* SPDX-License-Identifier: MIT */
/* The OAuth2 v2 token endpoint (wire reference, section 2.3): one POST, a token or the authority's
 * words. */
#include "auth/internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "http/url.h"
#include "jwk/jwk.h"

#include <string.h>

#define REFRESH_MARGIN_MS (INT64_C(5) * 60 * 1000)
#define EXPIRY_SLACK_MS 5000
#define LIFE_WHEN_UNKNOWN_S 300
#define LIFE_MAX_S (INT64_C(366) * 24 * 3600)
#define MAX_ANSWER 65536

void kvp_access_token_clear(kvp_access_token *token)
{
    if (!token)
        return;
    kvp_buf_clear(&token->value);
    token->expires_mono_ms = 0;
    token->refresh_mono_ms = 0;
}

/*
 * Fetched anew five minutes before it expires, or after three quarters of a shorter life. Counted
 * from before the request was sent, and a little less: it must still be good when it arrives.
 */
void kvp_access_token_times(kvp_access_token *token, int64_t now_ms, int64_t life_s,
                            int64_t refresh_s)
{
    int64_t life = (life_s < 0 ? 0 : life_s < LIFE_MAX_S ? life_s : LIFE_MAX_S) * 1000;
    int64_t slack = life / 10 < EXPIRY_SLACK_MS ? life / 10 : EXPIRY_SLACK_MS;
    int64_t margin = life / 4 < REFRESH_MARGIN_MS ? life / 4 : REFRESH_MARGIN_MS;

    token->expires_mono_ms = now_ms + life - slack;
    token->refresh_mono_ms = now_ms + life - margin;
    if (refresh_s > 0 && refresh_s < life / 1000 &&
        now_ms + refresh_s * 1000 < token->refresh_mono_ms)
        token->refresh_mono_ms = now_ms + refresh_s * 1000;
}

static kvp_status take_token(const kvp_http_response *response, int64_t asked_ms,
                             kvp_access_token *ret, kvp_error *reterr)
{
    kvp_token_response token;
    kvp_status st =
        kvp_jwk_parse_token(kvp_buf_str(&response->body), response->body.len, &token, reterr);

    if (st != KVP_OK) {
        kvp_error_prefix(reterr, "the authority's answer: ");
        return st;
    }
    if (token.expires_in < 0 && token.expires_on >= 0)
        token.expires_in = token.expires_on - kvp_clock_wall_us() / 1000000;
    kvp_access_token_clear(ret);
    kvp_buf_take(&ret->value, &token.access_token);
    kvp_access_token_times(ret, asked_ms,
                           token.expires_in >= 0 ? token.expires_in : LIFE_WHEN_UNKNOWN_S,
                           token.refresh_in);
    return KVP_OK;
}

static kvp_status refused(const kvp_http_response *response, const char *host, kvp_error *reterr)
{
    kvp_error_set(reterr, KVP_ERR_AUTH, "%s answered HTTP %d", host, response->status);
    if (reterr) {
        reterr->http_status = response->status;
        kvp_copy_printable(reterr->request_id, sizeof(reterr->request_id), response->request_id);
        kvp_jwk_parse_error((const char *)response->body.data, response->body.len, reterr);
    }
    return KVP_ERR_AUTH;
}

static kvp_status complete_form(const kvp_token_request *request, kvp_buf *form)
{
    KVP_CLEANUP(kvp_freep) char *scope = kvp_asprintf("%s/.default", request->resource);
    kvp_status st = scope ? kvp_form_add(form, "scope", scope) : KVP_ERR_NO_MEMORY;

    if (st == KVP_OK && request->claims)
        st = kvp_form_add(form, "claims", request->claims);
    return st;
}

kvp_status kvp_token_endpoint(kvp_http *http, const kvp_token_request *request, kvp_buf *form,
                              kvp_access_token *ret, kvp_error *reterr)
{
    static const kvp_http_header headers[] = {
        { "Content-Type", "application/x-www-form-urlencoded", false },
        { "Accept", "application/json", false },
    };
    KVP_CLEANUP(kvp_freep) char *url = NULL;
    kvp_http_response response = { 0 };
    kvp_http_request post = { .method = "POST",
                              .headers = headers,
                              .header_count = KVP_ARRAY_LEN(headers),
                              .body = form,
                              .max_response = MAX_ANSWER };
    int64_t asked_ms = kvp_clock_mono_ms();
    kvp_url parsed;
    kvp_status st;

    if (!kvp_tenant_valid(request->tenant))
        return kvp_error_set(reterr, KVP_ERR_CONFIG,
                             "`tenant` is not set, or is no tenant's name or id");
    st = complete_form(request, form);
    url = kvp_asprintf("%s/%s/oauth2/v2.0/token", request->authority, request->tenant);
    if (st != KVP_OK || !url)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "token request");
    if (!kvp_url_parse(url, &parsed))
        return kvp_error_set(reterr, KVP_ERR_CONFIG, "`authority` is no https:// URL");
    post.url = url;
    st = kvp_http_perform(http, &post, request->deadline_ms, &response, reterr);
    if (st != KVP_OK)
        kvp_error_prefix(reterr, "asking for a token: ");
    else if (response.status == 200)
        st = take_token(&response, asked_ms, ret, reterr);
    else
        st = refused(&response, parsed.host, reterr);
    kvp_http_response_clear(&response);
    return st;
}
