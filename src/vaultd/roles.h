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

/** Whether the permissions of a custom role, as its JSON array, cover @action (with its prefix). */
bool kvp_role_permissions_allow(const char *permissions_json, const char *action);

/**
 * Whether @scope of an assignment covers @path: it is the same or above it. `/` covers everything,
 * `/keys` every key. Case does not matter.
 */
bool kvp_role_scope_covers(const char *scope, const char *path);
/** Whether @scope can be assigned in a vault of @kind: `/`, a collection, or an object in one. */
bool kvp_role_scope_valid(kvp_vault_kind kind, const char *scope);

/**
 * The first of @grant's assignments in @vault that covers @path and whose role, built-in or custom,
 * covers @action (or @alternative, which may be NULL); or NULL. Reads custom roles from @store; one
 * that cannot be read allows nothing.
 */
const kvp_assignment *kvp_role_authorize(kvp_store *store, const kvp_vault_info *vault,
                                         const kvp_grant *grant, const char *path,
                                         const char *action, const char *alternative);

/** Ids, ended by NULL, of the roles the first principal gets: everything, together. */
extern const char *const kvp_role_first[KVP_VAULT_KIND_COUNT][4];

#endif
