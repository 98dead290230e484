/* SPDX-License-Identifier: MIT */
/* Doctor's token step: the credential of a vault's section, used once, without any cache. */
#include "tool/doctor.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "jwk/base64url.h"
#include "tool/text.h"
#include "token/call.h"

#include <string.h>

/* Claims that say who the token is for (wire reference, section 2.2); none is a secret. */
static const struct {
    const char *claim, *word;
} claims[] = {
    { "appid", "application" },
    { "azp", "application" },
    { "oid", "object" },
    { "tid", "tenant" },
};

kvp_status kvp_doctor_claims(const kvp_buf *token, kvp_buf *ret)
{
    const char *first = memchr(kvp_buf_str(token), '.', token->len), *second;
    kvp_buf text = KVP_BUF_INIT_SECRET(64 * 1024);
    json_t *payload = NULL;
    kvp_status st = KVP_OK;

    second = first ? strchr(first + 1, '.') : NULL;
    if (second && kvp_base64url_decode(first + 1, (size_t)(second - first - 1), &text) == KVP_OK)
        payload = json_loadb(kvp_buf_str(&text), text.len, 0, NULL);
    for (size_t i = 0; i < KVP_ARRAY_LEN(claims) && st == KVP_OK; i++) {
        const char *value = json_string_value(json_object_get(payload, claims[i].claim));

        if (value)
            st = kvp_buf_append_fmt(ret, "%s%s %.80s", ret->len > 0 ? ", " : "", claims[i].word,
                                    value);
    }
    json_decref(payload);
    kvp_buf_clear(&text);
    return st;
}

static kvp_credential_settings settings_of(const kvp_config_vault *vault)
{
    const kvp_credential_settings settings = {
        .kind = vault->credential,
        .tenant = vault->tenant,
        .client_id = vault->client_id,
        .client_secret = vault->client_secret,
        .client_secret_file = vault->client_secret_file,
        .client_certificate = vault->client_certificate,
        .token_file = vault->token_file,
        .authority = vault->authority,
        .ca_file = vault->ca_file,
        .timeout_ms = vault->timeout_ms,
    };
    return settings;
}

static void report(kvp_doctor *doctor, const kvp_config_vault *vault, const kvp_access_token *token,
                   const kvp_token_request *request)
{
    int64_t seconds = (token->expires_mono_ms - kvp_clock_mono_ms()) / 1000;
    kvp_buf who = KVP_BUF_INIT(1024);

    if (kvp_doctor_claims(&token->value, &who) != KVP_OK)
        kvp_buf_clear(&who);
    kvp_doctor_check(doctor, seconds < 60 ? KVP_CHECK_WARN : KVP_CHECK_OK, "token",
                     seconds < 60 ? "Tokens this short are fetched again and again: let them live "
                                    "longer."
                                  : NULL,
                     "credential = %s: good for %lld minutes%s%s", vault->credential,
                     (long long)(seconds / 60), who.len > 0 ? ", for " : "", kvp_buf_str(&who));
    kvp_doctor_detail(doctor, "asked %s, tenant %s, for %s", request->authority, request->tenant,
                      request->resource);
    kvp_buf_clear(&who);
}

/* The failure, with the advice that the module's log would give. */
static void failed(kvp_doctor *doctor, const kvp_error *error)
{
    const char *advice = kvp_error_row_find(error, KVP_CALL_TOKEN)->advice;

    if (error->status == KVP_ERR_CONFIG)
        advice = "Add what is missing to the vault's section (or the environment), or set another "
                 "credential.";
    kvp_doctor_failed(doctor, "token", advice, error);
}

static kvp_status get_token(const kvp_credential_type *type, const kvp_config_vault *vault,
                            const kvp_token_request *request, kvp_access_token *ret,
                            kvp_error *reterr)
{
    const kvp_credential_settings settings = settings_of(vault);
    const kvp_http_options options = { .ca_file = vault->ca_file, .max_connections = 1 };
    KVP_CLEANUP(kvp_http_freep) kvp_http *http = NULL;
    void *state = NULL;
    kvp_status st = type->create(&settings, &state, reterr);

    if (st != KVP_OK)
        return st;
    st = kvp_http_new(&options, &http, reterr);
    if (st == KVP_OK)
        st = type->get_token(state, http, request, ret, reterr);
    type->destroy(state);
    return st;
}

bool kvp_doctor_token(kvp_doctor *doctor, const kvp_config_vault *vault,
                      const kvp_challenge *challenge, kvp_buf *ret_header)
{
    const kvp_credential_type *type = kvp_credential_type_find(vault->credential);
    const kvp_token_request request = {
        .authority = vault->authority ? vault->authority : challenge->authority,
        .tenant = vault->tenant ? vault->tenant : challenge->tenant,
        .resource = challenge->resource,
        .claims = challenge->claims,
        .deadline_ms = kvp_clock_mono_ms() + vault->timeout_ms,
    };
    kvp_access_token token;
    kvp_error error;
    kvp_status st;

    memset(&token, 0, sizeof(token));
    kvp_error_clear(&error);
    if (!type) {
        kvp_error_set(&error, KVP_ERR_UNSUPPORTED,
                      "credential = %s cannot be tried without an "
                      "application",
                      vault->credential);
        kvp_doctor_check(doctor, KVP_CHECK_WARN, "token",
                         "Try it with an application that logs in, and read the log.", "%s",
                         error.message);
        return false;
    }
    st = get_token(type, vault, &request, &token, &error);
    if (st == KVP_OK) {
        report(doctor, vault, &token, &request);
        st = kvp_buf_append_str(ret_header, "Bearer ");
        if (st == KVP_OK)
            st = kvp_buf_append(ret_header, token.value.data, token.value.len);
        if (st != KVP_OK)
            kvp_error_set(&error, st, "a token");
    }
    if (st != KVP_OK)
        failed(doctor, &error);
    kvp_access_token_clear(&token);
    return st == KVP_OK;
}
