/* SPDX-License-Identifier: MIT */
/* The built-in roles of vaults and Managed HSMs and what they allow (wire reference, section 11).
 */
#ifndef KVP_VAULTD_ROLES_H
#define KVP_VAULTD_ROLES_H

#include "vaultd/store.h"

#define KVP_ROLE_ACTIONS_MAX 24

/** A row a role. Actions lack the prefix of their kind; `*` stands for any run of characters. */
typedef struct kvp_role {
    kvp_vault_kind kind;
    const char *name;
    const char *id;
    const char *actions[KVP_ROLE_ACTIONS_MAX];
} kvp_role;
extern const kvp_role kvp_roles[];
extern const size_t kvp_role_count;

/** `Microsoft.KeyVault/vaults/` or `Microsoft.KeyVault/managedHsm/` */
extern const char *const kvp_role_action_prefix[KVP_VAULT_KIND_COUNT];

/** By full name, by name without `Key Vault ` or `Managed HSM `, or by id; case does not matter.
 * NULL if none. */
const kvp_role *kvp_role_find(kvp_vault_kind kind, const char *name);

/** Whether @role has an action that covers @action. */
bool kvp_role_allows(const kvp_role *role, const char *action);

/**
 * The first of @grant's assignments whose role covers @action (or @alternative, which may be NULL),
 * or NULL.
 */
const kvp_assignment *kvp_role_authorize(kvp_vault_kind kind, const kvp_grant *grant,
                                         const char *action, const char *alternative);

/** Ids, ended by NULL, of the roles the first principal gets: everything, together. */
extern const char *const kvp_role_first[KVP_VAULT_KIND_COUNT][4];

#endif
