/* SPDX-License-Identifier: MIT */
/* The module's allocations; see alloc.h for why they do not use libc's allocating functions. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_after = -1;

void kvp_alloc_fail_after(long count)
{
    atomic_store(&fail_after, count);
}

static int must_fail(void)
{
    long left = atomic_load_explicit(&fail_after, memory_order_relaxed);

    if (left < 0)
        return 0;
    if (left == 0)
        return 1;
    atomic_fetch_sub(&fail_after, 1);
    return 0;
}

void *kvp_calloc(size_t count, size_t size)
{
    if (must_fail())
        return NULL;
    return calloc(count ? count : 1, size ? size : 1);
}

void *kvp_realloc(void *old, size_t size)
{
    if (must_fail())
        return NULL;
    return realloc(old, size ? size : 1);
}

void kvp_free(void *ptr)
{
    free(ptr);
}

void *kvp_memdup(const void *data, size_t len)
{
    void *copy = kvp_calloc(1, len);

    if (copy && len)
        memcpy(copy, data, len);
    return copy;
}

char *kvp_strndup(const char *s, size_t len)
{
    char *copy;

    if (!s || len == SIZE_MAX)
        return NULL;
    len = strnlen(s, len);
    copy = kvp_calloc(1, len + 1);
    if (copy)
        memcpy(copy, s, len);
    return copy;
}

char *kvp_strdup(const char *s)
{
    return s ? kvp_strndup(s, strlen(s)) : NULL;
}

char *kvp_asprintf(const char *fmt, ...)
{
    va_list args;
    char *out;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return NULL;
    out = kvp_calloc(1, (size_t)len + 1);
    if (!out)
        return NULL;
    va_start(args, fmt);
    vsnprintf(out, (size_t)len + 1, fmt, args);
    va_end(args);
    return out;
}
