/* SPDX-License-Identifier: MIT */
/*
 * The covering of secrets: it never makes a text longer, and doing it twice changes nothing more.
 */
#include "audit/internal.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = kvp_strndup(size ? (const char *)data : "", size), *once;
    size_t len;

    if (!text)
        abort();
    len = strlen(text);
    kvp_redact(text);
    if (strlen(text) > len)
        abort();
    once = kvp_strdup(text);
    if (!once)
        abort();
    kvp_redact(text);
    if (strcmp(once, text) != 0)
        abort();
    kvp_free(once);
    kvp_free(text);
    return 0;
}
