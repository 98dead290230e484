/* SPDX-License-Identifier: MIT */
/* What the files of a Managed HSM's access control share (wire reference, section 11.2). */
#ifndef KVP_VAULTD_RBAC_H
#define KVP_VAULTD_RBAC_H

#include "vaultd/exchange.h"

/** `Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/` and the like. */
#define KVP_RBAC_DEFINITION_PREFIX                                                                 \
    "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/"

/** The scope that the path of a request names: `/`, `/keys` or `/keys/NAME`. */
void kvp_rbac_scope(const kvp_exchange *ex, char *dst, size_t size);

/** Whether @id is a role of the request's HSM, built-in or custom. Answers on failure inside. */
bool kvp_rbac_definition_exists(kvp_exchange *ex, const char *id, bool *ret_exists);

/**
 * Read `$filter` of the form `NAME()` or `NAME eq 'VALUE'` into @name and @value; both "" without
 * one. False after refusing.
 */
bool kvp_rbac_read_filter(kvp_exchange *ex, char *name, size_t name_size, char *value,
                          size_t value_size);

/** Answer a look-up that failed: @missing when nothing was found, else 500. */
void kvp_rbac_failed(kvp_exchange *ex, kvp_refusal missing, const kvp_error *error);

#endif
