/* SPDX-License-Identifier: MIT */
/*
 * Memory. Every allocation of the module goes through here, for two reasons: tests make the n-th
 * one fail, and nothing that libc allocated for us (strdup, asprintf, getline, realpath,
 * open_memstream) is ever handed to free(): a host that binds us with RTLD_DEEPBIND and uses
 * another allocator would abort.
 */
#ifndef KVP_BASE_ALLOC_H
#define KVP_BASE_ALLOC_H

#include "base/cleanup.h"

#include <stddef.h>

/** Zeroed memory for @count items of @size bytes, or NULL. @count * @size may not overflow. */
void *kvp_calloc(size_t count, size_t size) KVP_WARN_UNUSED;
void *kvp_realloc(void *old, size_t size) KVP_WARN_UNUSED;
void kvp_free(void *ptr);

/** Copies of strings; NULL in gives NULL out. */
char *kvp_strdup(const char *s) KVP_WARN_UNUSED;
char *kvp_strndup(const char *s, size_t len) KVP_WARN_UNUSED;
char *kvp_asprintf(const char *fmt, ...) KVP_PRINTF(1, 2) KVP_WARN_UNUSED;
void *kvp_memdup(const void *data, size_t len) KVP_WARN_UNUSED;

static inline void kvp_freep(void *pp)
{
    void **p = pp;
    kvp_free(*p);
    *p = NULL;
}

/** Tests only: let @count further allocations succeed and all later ones fail; -1 turns it off. */
void kvp_alloc_fail_after(long count);

#endif
