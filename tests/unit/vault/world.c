/* SPDX-License-Identifier: MIT */
/* The world of vault tests; see world.h. */
#include "config.h"

#include "tests/unit/vault/world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_token_request(const fake_request *request)
{
    return strstr(request->target, "/oauth2/v2.0/token") != NULL;
}

static void give_token(world *w, const fake_request *request, fake_reply *reply)
{
    if (!strstr(request->body, "client_secret=right&")) {
        reply->status = 401;
        reply->body =
            "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: wrong\"}";
        return;
    }
    snprintf(reply->text, sizeof(reply->text), "{\"access_token\":\"tok-%u\",\"expires_in\":3600}",
             ++w->tokens);
    reply->body = reply->text;
}

static void challenge(world *w, bool refused, fake_reply *reply)
{
    w->challenges++;
    reply->status = 401;
    reply->body = "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"AKV10000: no token\"}}";
    if (w->challenge)
        snprintf(reply->text, sizeof(reply->text), "WWW-Authenticate: %s\r\n", w->challenge);
    else
        snprintf(
            reply->text, sizeof(reply->text),
            "WWW-Authenticate: Bearer authorization=\"%s/world-tenant\", resource=\"%s\"%s\r\n",
            fake_server_url(w->server), fake_server_url(w->server),
            refused && w->claims ? w->claims : "");
    if (refused)
        w->claims = NULL;
    reply->headers = reply->text;
}

static void handle(void *user, const fake_request *request, fake_reply *reply)
{
    world *w = user;
    char authorization[64] = "", expected[32];

    if (is_token_request(request)) {
        give_token(w, request, reply);
        return;
    }
    snprintf(expected, sizeof(expected), "Bearer tok-%u", w->accepted ? w->accepted : w->tokens);
    if (!fake_request_header(request, "Authorization", authorization, sizeof(authorization)))
        challenge(w, false, reply);
    else if (w->refuse_all || strcmp(authorization, expected) != 0)
        challenge(w, true, reply);
    else if (w->answer)
        w->answer(w, request, reply);
    else if (w->reply)
        *reply = *w->reply;
}

kvp_vault *world_client(world *w, const char *secret, int64_t timeout_ms)
{
    kvp_credential_settings settings = { .kind = "client-secret",
                                         .client_id = "app",
                                         .client_secret = secret };
    kvp_vault_options options = { .url = fake_server_url(w->server),
                                  .api_version = "7.4",
                                  .max_connections = 4,
                                  .timeout_ms = timeout_ms };
    kvp_identity *identity = NULL;
    kvp_vault *vault = NULL;

    ck_assert_int_eq(kvp_identity_new(&settings, &identity, NULL), KVP_OK);
    ck_assert_int_eq(kvp_vault_new(&options, identity, &vault, NULL), KVP_OK);
    return vault;
}

void world_start(world *w)
{
    fake_options options = { .handle = handle, .user = w };

    unsetenv("AZURE_TENANT_ID");
    unsetenv("AZURE_AUTHORITY_HOST");
    w->server = fake_server_start(&options);
    w->vault = world_client(w, "right", 10000);
}

void world_stop(world *w)
{
    kvp_vault_free(w->vault);
    fake_server_stop(w->server);
}

static const fake_request *find(world *w, bool tokens, unsigned index, unsigned *ret_count)
{
    unsigned total = fake_server_count(w->server), seen = 0;
    const fake_request *found = NULL;

    for (unsigned i = 0; i < total; i++) {
        const fake_request *request = fake_server_request(w->server, i);

        if (is_token_request(request) == tokens && seen++ == index)
            found = request;
    }
    *ret_count = seen;
    return found;
}

const fake_request *world_request(world *w, unsigned index)
{
    unsigned count;
    const fake_request *request = find(w, false, index, &count);

    ck_assert_ptr_nonnull(request);
    return request;
}

unsigned world_count(world *w)
{
    unsigned count;

    (void)find(w, false, 0, &count);
    return count;
}

unsigned world_token_requests(world *w)
{
    unsigned count;

    (void)find(w, true, 0, &count);
    return count;
}

bool world_has(const fake_request *request, const char *name, const char *expected)
{
    char value[256];
    bool found = fake_request_header(request, name, value, sizeof(value));

    return expected ? found && strcmp(value, expected) == 0 : !found;
}
