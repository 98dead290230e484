/* SPDX-License-Identifier: MIT */
/* All credential sources: adding one is a file and a row here (and, if Azure's chain has it, in
 * default.c). */
#include "auth/internal.h"

#include <string.h>

#define ROW(word, function, sentence)                                                              \
    {                                                                                              \
        .kind = (word), .summary = (sentence), .create = kvp_##function##_create,                  \
        .get_token = kvp_##function##_get_token, .destroy = kvp_##function##_destroy,              \
    }

const kvp_credential_type kvp_credential_types[] = {
    ROW("default", default, "The first of the sources that Azure's own clients try."),
    ROW("environment", environment, "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."),
    ROW("client-secret", client_secret,
        "An application's client id and secret, from the configuration, a file or the "
        "environment."),
    ROW("token-file", token_file, "An access token in a file that something else keeps fresh."),
    { .kind = NULL },
};

const kvp_credential_type *kvp_credential_type_find(const char *kind)
{
    for (const kvp_credential_type *type = kvp_credential_types; kind && type->kind; type++)
        if (strcmp(type->kind, kind) == 0)
            return type;
    return NULL;
}
