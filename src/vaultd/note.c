/* SPDX-License-Identifier: MIT */
/* Diagnostics: formatted whole, then written at once, so that lines of threads do not mix. */
#include "vaultd/note.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void kvp_note(const char *fmt, ...)
{
    char text[1024], line[1100];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    /* Some of it came from the network: control characters must not reach a terminal. */
    kvp_copy_printable(text, sizeof(text), text);
    int len = snprintf(line, sizeof(line), "keyvaultd: %s\n", text);
    if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0) {
        /* Nobody is left who could be told. */
        return;
    }
}
