/* SPDX-License-Identifier: MIT */
/*
 * The second line of defence: no room hands a secret to a log, and if one did, it would look like
 * one of these. What follows a marker, up to the first character that no token has, becomes `***`.
 */
#include "audit/internal.h"

#include <string.h>
#include <strings.h>

typedef struct marker {
    const char *text;  /**< lower case; may stand in a header, a form or a JSON document */
    size_t min_len;    /**< of a value that is covered: `Bearer challenge` is no token */
    bool is_assigned;  /**< = or : must follow: `client_secret_file` is none */
} marker;

static const marker markers[] = {
    { "bearer ", 16, false },
    { "basic ", 16, false },
    { "client_secret", 1, true },
    { "client_assertion", 1, true },
    { "access_token", 1, true },
    { "refresh_token", 1, true },
    { "id_token", 1, true },
    { "password", 1, true },
    { "x-identity-header", 1, true },
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~+/=%!*'()$^@:,", c));
}

/* Characters between a marker and its value: `=`, `":"`, `\":\"`, `: `. At least one of = and :. */
static char *skip_assignment(char *at)
{
    bool assigned = false;

    while (*at && strchr("\"'\\ \t:=", *at)) {
        assigned |= *at == '=' || *at == ':';
        at++;
    }
    return assigned ? at : NULL;
}

/* The marker that @at begins with, if any, and where its value begins. */
static const marker *marker_at(char *at, char **ret_value)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(markers); i++) {
        size_t len = strlen(markers[i].text);

        if ((at[0] | 0x20) != markers[i].text[0] || strncasecmp(at, markers[i].text, len) != 0)
            continue;
        at += len;
        *ret_value = markers[i].is_assigned ? skip_assignment(at) : at + strspn(at, " ");
        return *ret_value ? &markers[i] : NULL;
    }
    return NULL;
}

/* A JWT without any marker: `eyJ`, and three parts between dots. */
static size_t jwt_len(const char *at)
{
    size_t len = 0, dots = 0;

    if (strncmp(at, "eyJ", 3) != 0)
        return 0;
    for (; is_token_char(at[len]) && !strchr("/=%:,@", at[len]); len++)
        dots += at[len] == '.';
    return dots >= 2 && len >= 20 ? len : 0;
}

/* Put `***` in the place of @len bytes; returns what follows. */
static char *cover(char *at, size_t len)
{
    size_t stars = len < 3 ? len : 3;

    memset(at, '*', stars);
    memmove(at + stars, at + len, strlen(at + len) + 1);
    return at + stars;
}

void kvp_redact(char *text)
{
    char *at = text;

    while (*at) {
        /* The first letters of all markers: most bytes are passed over here. */
        char *value = NULL;
        const marker *found = strchr("abciprxABCIPRX", *at) ? marker_at(at, &value) : NULL;
        size_t len = 0;

        if (found) {
            while (is_token_char(value[len]))
                len++;
            at = len >= found->min_len ? cover(value, len) : value;
            continue;
        }
        len = jwt_len(at);
        at = len ? cover(at, len) : at + 1;
    }
}
