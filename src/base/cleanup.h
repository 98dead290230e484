/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound cleanup, the way systemd and jansson do it: a resource is freed when its scope is
 * left, whichever way, and the line that succeeds is the only one that gives ownership away.
 */
#ifndef KVP_BASE_CLEANUP_H
#define KVP_BASE_CLEANUP_H

#include <stddef.h>

/** Call @fn with the variable's address when the scope is left. */
#define KVP_CLEANUP(fn) __attribute__((cleanup(fn)))

/** Give a pointer away: the variable becomes NULL, the expression has its old value. */
#define KVP_STEAL(ptr)                                                                             \
    __extension__({                                                                                \
        __typeof__(ptr) kvp_stolen_ = (ptr);                                                       \
        (ptr) = NULL;                                                                              \
        kvp_stolen_;                                                                               \
    })

/** Define the static `type_freep(type **)` that KVP_CLEANUP takes, from a `_free` that accepts NULL. */
#define KVP_DEFINE_FREEP(type, freefn)                                                             \
    static inline void type##_freep(type **kvp_p)                                                  \
    {                                                                                              \
        freefn(*kvp_p);                                                                            \
        *kvp_p = NULL;                                                                             \
    }                                                                                              \
    struct kvp_swallow_semicolon_

#define KVP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define KVP_UNUSED __attribute__((unused))
#define KVP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define KVP_WARN_UNUSED __attribute__((warn_unused_result))

#endif
